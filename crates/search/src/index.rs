//! The index on disk: opening, updating, committing.

use std::path::Path;

use crate::document::Change;
use crate::reader::Reader;

/// The writing side: one per directory. Changes are visible to every [`Reader`] after [`Index::commit`].
pub struct Index {}

/// An index and what must be done before it answers completely.
pub struct Opened {
    /// The index, open for reading and writing.
    pub index: Index,
    /// Whether it can go on where it was.
    pub state: OpenState,
}

/// How an index was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenState {
    /// It holds everything up to this cursor of the store.
    Ready {
        /// Of the last commit.
        cursor: u64,
    },
    /// It is empty now: everything must be fed again, from the beginning.
    NeedsRebuild(RebuildReason),
}

/// Why an index starts empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RebuildReason {
    /// There was none.
    New,
    /// It was made from another store (restored, imported or rebuilt).
    OtherStore,
    /// It knows more than the store, which must have lost something.
    AheadOfStore {
        /// Cursor of the index.
        index: u64,
        /// Cursor of the store.
        store: u64,
    },
    /// It was written by another version of this program.
    OtherVersion,
    /// It could not be read and was thrown away; why.
    Corrupt(String),
}

/// Why the index could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// Another process (or another `Index`) has this directory open.
    #[error("the search index is already open for writing")]
    Locked,
    /// The directory could not be read or written.
    #[error("search index: {0}")]
    Io(#[from] std::io::Error),
    /// The index failed; it can be thrown away and rebuilt.
    #[error("search index: {0}")]
    Index(String),
}

impl Index {
    /// Opens the index in `dir`, or makes one. `store_id` names the store it is made from, `store_cursor` is the
    /// newest cursor of that store; `heap` is the memory for collecting changes, in bytes (30 to 50 MB serve well).
    pub fn open(dir: &Path, store_id: [u8; 16], store_cursor: u64, heap: usize) -> Result<Opened, SearchError> {
        let _ = (dir, store_id, store_cursor, heap);
        Err(SearchError::Locked)
    }

    /// A handle for asking; cheap to clone, usable from any thread.
    pub fn reader(&self) -> Reader {
        Reader {}
    }

    /// Takes changes in. They become visible and durable with the next [`Index::commit`]; commit every second or two,
    /// or every 500 entries.
    pub fn update(&mut self, changes: &[Change<'_>]) -> Result<(), SearchError> {
        let _ = changes;
        Ok(())
    }

    /// Makes everything taken in durable together with the store's cursor, and visible.
    pub fn commit(&mut self, cursor: u64) -> Result<(), SearchError> {
        let _ = cursor;
        Ok(())
    }

    /// Commits, then rewrites the index so that nothing of deleted entries is left on disk (after a redaction).
    pub fn purge(&mut self, cursor: u64) -> Result<(), SearchError> {
        self.commit(cursor)
    }

    /// Forgets everything, to be fed again from the beginning.
    pub fn clear(&mut self) -> Result<(), SearchError> {
        Ok(())
    }
}
