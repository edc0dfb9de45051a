//! The rows the store keeps for itself.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use crate::engine::Change;
use crate::error::StoreError;
use crate::key::{INTERNAL, Parts};
use crate::value::{self, Prepared};

/// Key of the row that says how far the database is.
pub(crate) const STATE_KEY: &[u8] = b"!state";
/// Key of the format of the database.
pub(crate) const FORMAT_KEY: &[u8] = b"!format";
/// Key of the random id.
pub(crate) const ID_KEY: &[u8] = b"!id";
const DICTIONARY_PREFIX: &[u8] = b"!zstd";

/// Small rows around the state, which is written with every batch: sled writes its whole page of up to 16 rows again and
/// again, so nothing large may lie in it.
pub(crate) fn padding() -> impl Iterator<Item = Change> {
    let keys = (b'a'..=b'x').flat_map(|place| [[b"!pad", &[place][..]].concat(), [STATE_KEY, &[place]].concat()]);
    keys.map(|key| plain_row(&key, &[]))
}

/// How far the database is: written together with the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// Number of the newest change.
    pub(crate) change: u64,
    /// The own log it belongs to.
    pub(crate) log_id: [u8; 16],
    /// Frames that end here or before are in the database.
    pub(crate) log_end: u64,
    /// Number of the frame after those.
    pub(crate) log_number: u64,
}

impl State {
    /// The row to write.
    pub(crate) fn row(&self) -> Change {
        let bytes = [&self.change.to_be_bytes()[..], &self.log_id, &self.log_end.to_be_bytes()].concat();
        let bytes = [bytes, self.log_number.to_be_bytes().to_vec()].concat();
        (STATE_KEY.to_vec(), Some(Prepared::raw(bytes, false).seal(STATE_KEY, self.change)))
    }

    /// Reads the value of the row.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut parts = Parts(bytes);
        Some(Self { change: parts.long()?, log_id: parts.take()?, log_end: parts.long()?, log_number: parts.long()? })
    }
}

/// A row of our own, as it is.
pub(crate) fn plain_row(key: &[u8], value: &[u8]) -> Change {
    (key.to_vec(), Some(Prepared::raw(value.to_vec(), false).seal(key, 0)))
}

/// A row without a value, whose change is what it says.
pub(crate) fn numbered_row(key: &[u8], change: u64) -> Change {
    (key.to_vec(), Some(Prepared::raw(Vec::new(), false).seal(key, change)))
}

/// Key of a compression dictionary.
pub(crate) fn dictionary_key(id: u16) -> Vec<u8> {
    [DICTIONARY_PREFIX, &id.to_be_bytes()].concat()
}

/// Number of the dictionary with this key.
pub(crate) fn dictionary_id(key: &[u8]) -> Option<u16> {
    key.strip_prefix(DICTIONARY_PREFIX)?.try_into().ok().map(u16::from_be_bytes)
}

/// Whether a row belongs to one database and is never copied to another.
pub(crate) fn is_internal(key: &[u8]) -> bool {
    key.first() == Some(&INTERNAL)
}

/// Reads a plain row.
pub(crate) fn plain(key: &[u8], bytes: &[u8]) -> Result<Vec<u8>, String> {
    // Plain rows are never compressed, so no dictionary is needed.
    value::open(key, bytes, &crate::dictionary::Dictionaries::new()).map(|opened| opened.1)
}

/// A file beside the database that says which change it surely has. sled opens some damaged files as if they were older,
/// without a word; with this it is noticed. Written after each sync and not synced itself: it may only be behind.
pub(crate) struct Synced(File);

impl Synced {
    /// Opens or makes the file.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let file = File::options().create(true).truncate(false).write(true).open(path);
        file.map(Self).map_err(|e| StoreError::io(path, &e))
    }

    /// The database has this change.
    pub(crate) fn set(&mut self, change: u64) {
        let bytes = change.to_be_bytes();
        let bytes = [&bytes[..], &crc32fast::hash(&bytes).to_be_bytes()].concat();
        // Without it only a warning less is possible.
        let _ = self.0.seek(SeekFrom::Start(0)).and_then(|_| self.0.write_all(&bytes));
    }

    /// The change the file names; 0 if it names none.
    pub(crate) fn read(path: &Path) -> u64 {
        let bytes = std::fs::read(path).unwrap_or_default();
        match bytes.split_first_chunk::<8>() {
            Some((change, sum)) if *sum == crc32fast::hash(change).to_be_bytes() => u64::from_be_bytes(*change),
            _ => 0,
        }
    }
}
