//! What can go wrong; each text is one line that says what to do next where something can be done.

use std::path::PathBuf;

/// Why the store could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the lock.
    #[error("data directory in use: another ortsnetz runs on {path}; stop it first, or talk to it over its API")]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The directory was written by a newer version.
    #[error(
        "{path} was written by a newer ortsnetz (store format {found}, this one knows {known}); update this program"
    )]
    Newer {
        /// The directory or file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format this program knows.
        known: u32,
    },
    /// Writing stopped early because the disk is nearly full. Nothing was written; try again after freeing space.
    #[error("disk nearly full: {free} bytes free at {path}, at least {needed} needed; free some space and try again")]
    DiskFull {
        /// The directory.
        path: PathBuf,
        /// Bytes free.
        free: u64,
        /// Bytes that must be free.
        needed: u64,
    },
    /// An earlier write failed; nothing is written or read until the store is opened again.
    #[error("the store stopped after an error: {0}; restart ortsnetz")]
    Failed(String),
    /// An input or output error of the operating system.
    #[error("{path}: {message}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        message: String,
    },
    /// Stored bytes are not what was written.
    #[error("{what} is damaged: {detail}; run `ortsnetz store check`")]
    Damaged {
        /// The row or file.
        what: String,
        /// What is wrong with it, with the place.
        detail: String,
    },
    /// A key, value or batch is over its limit. Nothing was written.
    #[error("{what} has {found} bytes, at most {limit} are possible")]
    TooLarge {
        /// The key, value or batch.
        what: String,
        /// Its size in bytes.
        found: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The queue of the writer is full ([`Store::try_submit`](crate::Store::try_submit) only).
    #[error("{0} batches wait to be written; try again")]
    Busy(usize),
    /// An import into a directory that is not empty, or an export over an existing file.
    #[error("{path} {message}")]
    Refused {
        /// The directory or file.
        path: PathBuf,
        /// Why not.
        message: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// An input or output error at this path.
    pub(crate) fn io(path: impl Into<PathBuf>, error: &std::io::Error) -> Self {
        Self::Io { path: path.into(), message: error.to_string() }
    }

    /// Damage to `what`.
    pub(crate) fn damaged(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Damaged { what: what.into(), detail: detail.into() }
    }
}
