//! The handle, and typed reads.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ortsnetz_model::{CollectionId, DocumentId, EntryId, FeedId, Hash, OrgId, Position};

use crate::batch::Batch;
use crate::error::StoreError;
use crate::key::{Key, Range, Side};

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Writes are refused while fewer bytes than this are free on the disk.
    pub disk_free_min: u64,
    /// Memory for cached pages, in bytes.
    pub cache_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { disk_free_min: 64 << 20, cache_bytes: 64 << 20 }
    }
}

/// What happened while opening.
#[derive(Clone, Debug, Default)]
pub struct OpenReport {
    /// The database was damaged and moved to this directory; what is here now comes from the own log. Partners' data
    /// must be fetched again.
    pub rebuilt: Option<PathBuf>,
    /// Why it was rebuilt, and places where the own log is damaged.
    pub problems: Vec<Problem>,
    /// Batches taken from the own log because the database did not have them yet.
    pub replayed: u64,
    /// Bytes of an unfinished write cut from the end of the own log.
    pub torn_bytes: u64,
}

/// Something `check` or opening found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The row or file.
    pub what: String,
    /// What is wrong with it.
    pub detail: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.what, self.detail)
    }
}

/// Answer to a batch that is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Number of the change; every later one has a higher number.
    pub change: u64,
}

/// The newest record of an entry in a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The feed.
    pub feed: FeedId,
    /// The entry.
    pub entry: EntryId,
    /// Its position in the feed.
    pub position: Position,
    /// The generation of the entry.
    pub generation: u32,
    /// Whether a published document and a projection lie beside it.
    pub document: bool,
    /// Number of the change that wrote it (see [`Committed`]).
    pub change: u64,
    /// The signed bytes.
    pub bytes: Vec<u8>,
}

/// A stored document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// A loaded form that was saved.
    pub snapshot: Option<Vec<u8>>,
    /// All raw change chunks, in the order they were added.
    pub chunks: Vec<Vec<u8>>,
}

/// How thorough [`Store::check`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Checksums of all rows, and that records, documents and projections lie beside each other.
    Fast,
    /// Also the own log, the hashes of all chunks, that the signed heads are reached, and signatures.
    Full,
}

/// What a verifier read from a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordFacts {
    /// The heads the published document must have; empty if there is none.
    pub heads: Vec<Hash>,
}

/// Knows signatures; the node passes one to [`Store::check`]. Errors are one line each.
pub trait Verifier: Send + Sync {
    /// Verifies a record of a feed and says what it promises.
    fn record(&self, record: &Record) -> Result<RecordFacts, String>;

    /// Verifies a statement of an organisation.
    fn statement(&self, _organisation: &OrgId, _number: u32, _bytes: &[u8]) -> Result<(), String> {
        Ok(())
    }

    /// Hashes of the fixed changes, which every document has and no store keeps.
    fn fixed_changes(&self) -> Vec<Hash> {
        Vec::new()
    }
}

/// Space used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Bytes on disk: database, own log and everything else in the directory.
    pub disk_bytes: u64,
    /// Bytes of the own log.
    pub own_log_bytes: u64,
    /// Bytes of all live rows, keys and values as they are stored.
    pub payload_bytes: u64,
    /// Number of live rows.
    pub rows: u64,
    /// Bytes on disk for each byte of payload.
    pub amplification: f64,
    /// Whether a compaction is worth its work now.
    pub compact_advised: bool,
}

/// A handle on the store; clones share it. The last one closes it.
#[derive(Clone)]
pub struct Store {
    shared: Arc<()>,
}

impl Store {
    /// Opens the store in this directory, or creates it, and holds its lock until the last handle is gone.
    pub fn open(_directory: &Path, _options: Options) -> Result<(Store, OpenReport), StoreError> {
        unimplemented!()
    }

    /// A store in memory, for tests and simulations: same behaviour, nothing on disk.
    pub fn memory() -> Store {
        unimplemented!()
    }

    /// Random id of this database; a rebuilt, restored or imported one has a new id. A search index made from another
    /// id is useless.
    pub fn id(&self) -> [u8; 16] {
        unimplemented!()
    }

    /// Number of the newest change.
    pub fn change(&self) -> u64 {
        unimplemented!()
    }

    /// Writes a batch and waits until it is durable. Blocks; for async callers there is [`Store::submit`].
    pub fn commit(&self, _batch: Batch) -> Result<Committed, StoreError> {
        unimplemented!()
    }

    /// Hands a batch to the writer; `done` is called in the writer thread as soon as the batch is durable (or refused)
    /// and must return at once. Blocks only while the queue is full. Batches are written in the order they are handed in.
    pub fn submit(&self, _batch: Batch, _done: impl FnOnce(Result<Committed, StoreError>) + Send + 'static) {
        unimplemented!()
    }

    /// Like [`Store::submit`], but with a full queue `done` gets [`StoreError::Busy`] at once.
    pub fn try_submit(&self, _batch: Batch, _done: impl FnOnce(Result<Committed, StoreError>) + Send + 'static) {
        unimplemented!()
    }

    /// The value of a row. For [`Key::Record`] and [`Key::Chunks`] use [`Store::record`] and [`Store::document`].
    pub fn get(&self, _key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        unimplemented!()
    }

    /// Up to `limit` rows of a range in the order of their keys, from the first after `after` on.
    pub fn scan(&self, _range: &Range, _after: Option<&Key>, _limit: usize) -> Result<Vec<(Key, Vec<u8>)>, StoreError> {
        unimplemented!()
    }

    /// A setting or other single value by name.
    pub fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(&Key::Meta(name.to_owned()))
    }

    /// The chain of an organisation in order.
    pub fn statements(&self, _organisation: &OrgId) -> Result<Vec<Vec<u8>>, StoreError> {
        unimplemented!()
    }

    /// All organisations that have statements.
    pub fn organisations(&self) -> Result<Vec<OrgId>, StoreError> {
        unimplemented!()
    }

    /// All feeds that have records, markers or a cursor, sorted.
    pub fn feeds(&self) -> Result<Vec<FeedId>, StoreError> {
        unimplemented!()
    }

    /// The newest record of an entry in a feed.
    pub fn record(&self, _feed: &FeedId, _entry: &EntryId) -> Result<Option<Record>, StoreError> {
        unimplemented!()
    }

    /// Visits the records of a feed by entry, or of all feeds; `visit` returns false to stop. Documents are not read.
    pub fn records(&self, _feed: Option<&FeedId>, _visit: &mut dyn FnMut(Record) -> bool) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// Records without an entry of a feed, by position.
    pub fn markers(&self, _feed: &FeedId) -> Result<Vec<(Position, Vec<u8>)>, StoreError> {
        unimplemented!()
    }

    /// The cursor of a feed.
    pub fn cursor(&self, feed: &FeedId) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(&Key::Cursor(*feed))
    }

    /// A document, as of one moment; empty if there is none.
    pub fn document(&self, _side: Side, _document: &DocumentId) -> Result<Document, StoreError> {
        unimplemented!()
    }

    /// A record and its published document, as of one moment.
    pub fn record_with_document(
        &self,
        _feed: &FeedId,
        _entry: &EntryId,
    ) -> Result<Option<(Record, Document)>, StoreError> {
        unimplemented!()
    }

    /// The generations of an entry in a collection that have a document.
    pub fn generations(
        &self,
        _side: Side,
        _collection: &CollectionId,
        _entry: &EntryId,
    ) -> Result<Vec<u32>, StoreError> {
        unimplemented!()
    }

    /// The projection of an entry in a collection.
    pub fn projection(
        &self,
        side: Side,
        collection: &CollectionId,
        entry: &EntryId,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(&Key::Projection { side, collection: *collection, entry: *entry })
    }

    /// Visits the projections of a collection by entry, or of all collections; `visit` gets collection, entry, number
    /// of the change that wrote it and JSON bytes, and returns false to stop.
    pub fn projections(
        &self,
        _side: Side,
        _collection: Option<&CollectionId>,
        _visit: &mut dyn FnMut(CollectionId, EntryId, u64, Vec<u8>) -> bool,
    ) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// Visits (collection, entry, number of the change) of every record written after a change, withdrawals included,
    /// in the order of keys: what a search index that stopped there must read again.
    pub fn changed_since(
        &self,
        _change: u64,
        _visit: &mut dyn FnMut(FeedId, EntryId, u64) -> bool,
    ) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// Looks for damage; changes nothing and works beside writers.
    pub fn check(&self, _check: Check, _verifier: Option<&dyn Verifier>) -> Result<Vec<Problem>, StoreError> {
        unimplemented!()
    }

    /// Writes the whole store, as of one moment, into a new file.
    pub fn export(&self, _file: &Path) -> Result<u64, StoreError> {
        unimplemented!()
    }

    /// Makes a store with a new id from an exported file, in a directory that is empty or missing. Returns the number of
    /// rows.
    pub fn import(_file: &Path, _directory: &Path, _options: Options) -> Result<u64, StoreError> {
        unimplemented!()
    }

    /// Rewrites database and own log into fresh files, compares every row, and swaps them in. Reads and writes go on
    /// meanwhile; writes pause for the last step.
    pub fn compact(&self) -> Result<Usage, StoreError> {
        unimplemented!()
    }

    /// Space used; the payload is counted anew when much was written since the last time.
    pub fn usage(&self) -> Result<Usage, StoreError> {
        unimplemented!()
    }

    /// Writes what is still in buffers and closes the store; other handles get [`StoreError::Closed`] from then on.
    /// Dropping the last handle does the same without an answer.
    pub fn close(&self) -> Result<(), StoreError> {
        let _ = &self.shared;
        unimplemented!()
    }
}
