//! The index on disk: opening, updating, committing.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tantivy::directory::error::{LockError, OpenDirectoryError, OpenReadError, OpenWriteError};
use tantivy::directory::{Directory, INDEX_WRITER_LOCK, MmapDirectory};
use tantivy::indexer::{IndexWriterOptions, UserOperation};
use tantivy::{IndexBuilder, IndexSettings, IndexWriter, ReloadPolicy, TantivyDocument, TantivyError, Term};

use crate::document::{Change, each_name, feed_key, is_searched, key};
use crate::fields::{Fields, VERSION, schema};
use crate::fold;
use crate::lexicon::Lexicon;
use crate::limits::{DICTIONARY_WORDS_MAX, HEAP_BYTES_MAX, HEAP_BYTES_MIN};
use crate::reader::{Reader, Shared};
use crate::tokenizer;

/// An index up to this size is checked against its checksums when opened; a larger one when [`Index::verify`] asks.
const CHECKED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Most changes that are collected before the writer gets them: their documents are in memory meanwhile.
const COLLECTED_MAX: usize = 1000;

/// The writing side: one per directory. Changes are visible to every [`Reader`] after [`Index::commit`].
pub struct Index {
    writer: IndexWriter,
    shared: Arc<Shared>,
    store: [u8; 16],
    /// Changes on their way to the writer.
    collected: Vec<UserOperation>,
    /// Something went wrong since the last commit.
    failed: bool,
}

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
    /// It is empty now: everything must be fed again, from the beginning. Until that is done, commit with cursor 0.
    NeedsRebuild(RebuildReason),
}

/// Why an index starts empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RebuildReason {
    /// There was none.
    New,
    /// The last rebuild did not come to its end.
    Unfinished,
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
    Io(#[from] io::Error),
    /// The index failed. Close it and open it again; if it fails again, remove its directory: it will be rebuilt.
    #[error("search index: {0}")]
    Index(String),
}

/// What a commit says about itself.
#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    version: u32,
    store: [u8; 16],
    cursor: u64,
}

impl Index {
    /// Opens the index in `dir`, or makes one. `store_id` names the store it is made from, `store_cursor` is the
    /// newest cursor of that store; `heap` is the memory for collecting changes, in bytes (30 to 50 MB serve well).
    ///
    /// An index that is damaged or does not fit the store is thrown away, and a new one is made in its place.
    pub fn open(dir: &Path, store_id: [u8; 16], store_cursor: u64, heap: usize) -> Result<Opened, SearchError> {
        fs::create_dir_all(dir)?;
        // The lock comes first: nothing of an index in use is thrown away.
        drop(MmapDirectory::open(dir).map_err(TantivyError::from)?.acquire_lock(&INDEX_WRITER_LOCK).map_err(locked)?);
        // tantivy trusts its files and may panic on a damaged one.
        let found = catch_unwind(AssertUnwindSafe(|| Self::open_existing(dir, store_id, store_cursor, heap)));
        let reason = match found {
            Ok(Ok(Found::Usable(index, cursor))) => {
                return Ok(Opened { index: *index, state: OpenState::Ready { cursor } });
            }
            Ok(Ok(Found::Useless(reason))) => reason,
            Ok(Err(error)) => RebuildReason::Corrupt(damage(error)?),
            Err(_) => RebuildReason::Corrupt("reading it failed".to_owned()),
        };
        if reason != RebuildReason::New {
            tracing::warn!(?reason, "search index is rebuilt");
        }
        fs::remove_dir_all(dir)?;
        fs::create_dir_all(dir)?;
        let index = Self::assemble(
            builder().open_or_create(MmapDirectory::open(dir).map_err(TantivyError::from)?)?,
            dir,
            store_id,
            heap,
        )?;
        Ok(Opened { index, state: OpenState::NeedsRebuild(reason) })
    }

    /// A handle for asking; cheap to clone, usable from any thread.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.shared))
    }

    /// Takes changes in. They become visible and durable with the next [`Index::commit`]; commit every second or two,
    /// or every 500 entries. They are collected, so that their titles teach the dictionary of compounds first.
    pub fn update(&mut self, changes: &[Change<'_>]) -> Result<(), SearchError> {
        self.learn(changes);
        let fields = self.shared.fields;
        let delete = |field, key: &[u8]| UserOperation::Delete(Term::from_field_bytes(field, key));
        for change in changes {
            match change {
                Change::Upsert(document) => {
                    let key = key(&document.organisation, &document.collection, &document.id);
                    self.collected.push(delete(fields.key, &key));
                    if is_searched(&document.entry.kind()) {
                        self.collected.push(UserOperation::Add(document.to_index(&fields)));
                    }
                }
                Change::Delete(organisation, collection, id) => {
                    self.collected.push(delete(fields.key, &key(organisation, collection, id)));
                }
                Change::DeleteFeed(feed) => self.collected.push(delete(fields.feed, &feed_key(feed))),
                Change::DeleteOrganisation(organisation) => {
                    self.collected.push(delete(fields.organisation, organisation.as_bytes()));
                }
            }
            if self.collected.len() >= COLLECTED_MAX {
                self.hand_over()?;
            }
        }
        Ok(())
    }

    /// Makes everything taken in durable together with the store's cursor, and visible. While everything is fed again,
    /// the cursor is 0: an index left so is rebuilt at the next start.
    ///
    /// After a failure nothing more is committed: what was taken in since the last commit may be lost, and a later
    /// cursor would hide it. [`Index::recover`], and feed it from the cursor that tells.
    pub fn commit(&mut self, cursor: u64) -> Result<(), SearchError> {
        self.hand_over()?;
        let payload = Payload { version: VERSION, store: self.store, cursor };
        let payload = serde_json::to_string(&payload).map_err(|error| SearchError::Index(error.to_string()))?;
        self.failed = true;
        let mut commit = self.writer.prepare_commit()?;
        commit.set_payload(&payload);
        commit.commit()?;
        self.failed = false;
        self.shared.reload()
    }

    /// Whether something went wrong since the last commit, a full disk perhaps.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Goes back to the last commit and begins to write anew; what was taken in since then is forgotten. Returns the cursor of that
    /// commit, from which everything must be fed again.
    pub fn recover(&mut self) -> Result<u64, SearchError> {
        self.failed = true;
        self.collected.clear();
        self.writer.rollback()?;
        let payload = self.writer.index().load_metas()?.payload.unwrap_or_default();
        let cursor = serde_json::from_str(&payload).map_or(0, |payload: Payload| payload.cursor);
        self.failed = false;
        Ok(cursor)
    }

    /// Gives the collected changes to the writer.
    fn hand_over(&mut self) -> Result<(), SearchError> {
        if self.failed {
            return Err(SearchError::Index("it stopped after a failure".to_owned()));
        }
        self.failed = true;
        self.writer.run(std::mem::take(&mut self.collected))?;
        self.failed = false;
        Ok(())
    }

    /// Commits, then rewrites the index so that nothing of deleted entries is left on disk (after a redaction).
    pub fn purge(&mut self, cursor: u64) -> Result<(), SearchError> {
        self.commit(cursor)?;
        // A merge that is just running may hold some of these segments: then the next round finds what it left.
        for _ in 0..PURGE_ROUNDS {
            let metas = self.writer.index().searchable_segment_metas()?;
            let deleted: Vec<_> = metas.iter().filter(|meta| meta.has_deletes()).map(|meta| meta.id()).collect();
            if deleted.is_empty() {
                break;
            }
            if let Err(error) = self.writer.merge(&deleted).wait() {
                tracing::debug!(%error, "search index is being merged already");
            }
        }
        self.shared.reload()?;
        self.writer.garbage_collect_files().wait()?;
        Ok(())
    }

    /// Reads every file of the index and compares it with its checksum: the damaged ones.
    pub fn verify(&self) -> Result<Vec<String>, SearchError> {
        let damaged = self.writer.index().validate_checksum()?;
        Ok(damaged.into_iter().map(|path| path.display().to_string()).collect())
    }

    /// Takes the words of titles and keywords into the dictionary before they are needed.
    fn learn(&self, changes: &[Change<'_>]) {
        let mut lexicon = self.shared.lexicon.lock();
        for change in changes {
            if let Change::Upsert(document) = change {
                each_name(document.entry, |name| fold::each_word(name, |word| lexicon.learn(word)));
            }
        }
        lexicon.learned();
    }

    fn open_existing(dir: &Path, store: [u8; 16], store_cursor: u64, heap: usize) -> Result<Found, SearchError> {
        let directory = MmapDirectory::open(dir).map_err(TantivyError::from)?;
        if !tantivy::Index::exists(&directory).map_err(TantivyError::from)? {
            return Ok(Found::Useless(RebuildReason::New));
        }
        let index = tantivy::Index::open(directory)?;
        let Some(payload) = index.load_metas()?.payload else { return Ok(Found::Useless(RebuildReason::Unfinished)) };
        let payload: Option<Payload> = serde_json::from_str(&payload).ok();
        let Some(payload) = payload.filter(|payload| payload.version == VERSION && index.schema() == schema().0) else {
            return Ok(Found::Useless(RebuildReason::OtherVersion));
        };
        let useless = if payload.store != store {
            Some(RebuildReason::OtherStore)
        } else if payload.cursor > store_cursor {
            Some(RebuildReason::AheadOfStore { index: payload.cursor, store: store_cursor })
        } else {
            (payload.cursor == 0).then_some(RebuildReason::Unfinished)
        };
        if let Some(reason) = useless {
            return Ok(Found::Useless(reason));
        }
        if disk_bytes(dir) <= CHECKED_BYTES_MAX
            && let Some(path) = index.validate_checksum()?.into_iter().next()
        {
            return Ok(Found::Useless(RebuildReason::Corrupt(format!("{} is damaged", path.display()))));
        }
        let index = Self::assemble(index, dir, store, heap)?;
        index.shared.learn_index()?;
        Ok(Found::Usable(Box::new(index), payload.cursor))
    }

    fn assemble(index: tantivy::Index, dir: &Path, store: [u8; 16], heap: usize) -> Result<Self, SearchError> {
        let lexicon = Lexicon::new();
        tokenizer::register(index.tokenizers(), &lexicon);
        let options = IndexWriterOptions::builder()
            .memory_budget_per_thread(heap.clamp(HEAP_BYTES_MIN, HEAP_BYTES_MAX))
            .num_worker_threads(1)
            .num_merge_threads(1)
            .build();
        let writer = index.writer_with_options::<TantivyDocument>(options)?;
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let (_, fields): (_, Fields) = schema();
        Ok(Self {
            writer,
            shared: Arc::new(Shared::new(reader, fields, lexicon, dir.to_owned())),
            store,
            collected: Vec::new(),
            failed: false,
        })
    }
}

/// How often a purge comes back for segments that another merge held.
const PURGE_ROUNDS: usize = 8;

enum Found {
    Usable(Box<Index>, u64),
    Useless(RebuildReason),
}

fn builder() -> IndexBuilder {
    // Compressing stored fields is quick: no thread of its own for it.
    let settings = IndexSettings { docstore_compress_dedicated_thread: false, ..IndexSettings::default() };
    tantivy::Index::builder().schema(schema().0).settings(settings)
}

/// Bytes of all files of the directory.
pub(crate) fn disk_bytes(dir: &Path) -> u64 {
    let files = fs::read_dir(dir).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|meta| meta.len()).sum()
}

/// What is wrong with the index, or the error again if it is not the index that is wrong.
fn damage(error: SearchError) -> Result<String, SearchError> {
    use io::ErrorKind::{InvalidData, InvalidInput, NotFound, UnexpectedEof};
    match error {
        SearchError::Io(error) if matches!(error.kind(), InvalidData | InvalidInput | NotFound | UnexpectedEof) => {
            Ok(error.to_string())
        }
        SearchError::Index(text) => Ok(text),
        error => Err(error),
    }
}

fn locked(error: LockError) -> SearchError {
    match error {
        LockError::LockBusy => SearchError::Locked,
        LockError::IoError(error) => same(&error),
    }
}

fn same(error: &io::Error) -> SearchError {
    SearchError::Io(io::Error::new(error.kind(), error.to_string()))
}

impl From<TantivyError> for SearchError {
    fn from(error: TantivyError) -> Self {
        match error {
            TantivyError::LockFailure(error, _) => locked(error),
            TantivyError::IoError(error) => same(&error),
            TantivyError::OpenReadError(OpenReadError::IoError { io_error, .. }) => same(&io_error),
            TantivyError::OpenWriteError(OpenWriteError::IoError { io_error, .. }) => same(&io_error),
            TantivyError::OpenDirectoryError(OpenDirectoryError::IoError { io_error, .. }) => same(&io_error),
            error => Self::Index(error.to_string()),
        }
    }
}

impl Shared {
    /// Takes the words of titles that the index holds already into the dictionary.
    fn learn_index(&self) -> Result<(), SearchError> {
        let mut lexicon = self.lexicon.lock();
        let mut learned = 0;
        for segment in self.searcher().segment_readers() {
            let index = segment.inverted_index(self.fields.surface)?;
            let mut terms = index.terms().stream()?;
            while terms.advance() && learned < DICTIONARY_WORDS_MAX {
                if let Ok(word) = std::str::from_utf8(terms.key()) {
                    lexicon.learn(word);
                    learned += 1;
                }
            }
        }
        lexicon.learned();
        Ok(())
    }
}
