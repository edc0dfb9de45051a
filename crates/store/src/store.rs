//! The handle: opening, committing, closing.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::thread::JoinHandle;

use crate::background::in_background;
use crate::batch::Batch;
use crate::dictionary::{Dictionaries, train};
use crate::engine::{Engine, MemoryEngine};
use crate::error::StoreError;
use crate::open::{self, Opened};
use crate::prepare::{PreparedBatch, Samples};
use crate::shared::Shared;
use crate::state::dictionary_key;
use crate::table::Table;
use crate::types::{Committed, OpenReport, Options, Syncs};
use crate::value::Prepared;
use crate::writer::{Done, Job, QUEUE_BATCHES_MAX, Writer};

/// A handle on the store; clones share it. The last one closes it.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) jobs: SyncSender<Job>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Opens the store in this directory, or creates it, and holds its lock until the last handle is gone.
    pub fn open(directory: &Path, options: Options) -> Result<(Store, OpenReport), StoreError> {
        let mut opened = open::open(directory, &options)?;
        let report = std::mem::take(&mut opened.report);
        Ok((Self::start(opened, Some(directory), options)?, report))
    }

    /// A store in memory, for tests and simulations: same behaviour, nothing on disk.
    pub fn memory() -> Store {
        Self::on_engine(Arc::new(MemoryEngine::default()))
    }

    /// A store on an engine without a directory.
    pub(crate) fn on_engine(engine: Arc<dyn Engine>) -> Store {
        open::in_memory(engine)
            .and_then(|opened| Self::start(opened, None, Options::default()))
            .expect("a store in memory has no disk that could fail")
    }

    fn start(opened: Opened, directory: Option<&Path>, options: Options) -> Result<Self, StoreError> {
        let dictionaries = Dictionaries::new();
        for (id, bytes) in opened.dictionaries {
            dictionaries.add(id, bytes);
        }
        let shared = Arc::new(Shared {
            table: RwLock::new(opened.table),
            dictionaries,
            failed: OnceLock::new(),
            change: AtomicU64::new(opened.state.change),
            id: opened.id,
            directory: directory.map(Path::to_owned),
            options,
            lock: Mutex::new(opened.lock),
            own_log_bytes: AtomicU64::new(opened.log.as_ref().map_or(0, |log| log.end())),
            own_log_syncs: AtomicU64::new(opened.log.as_ref().map_or(0, |log| log.syncs())),
            written: AtomicU64::new(0),
            usage: Mutex::new(None),
            compacted_bytes: AtomicU64::new(0),
            maintenance: Mutex::new(()),
        });
        let writer = Writer {
            shared: shared.clone(),
            log: opened.log,
            redo: opened.redo,
            state: opened.state,
            synced: opened.synced,
            lag: None,
            watched: None,
        };
        let (jobs, queue) = sync_channel(QUEUE_BATCHES_MAX);
        let thread = std::thread::Builder::new().name("store".to_owned()).spawn(move || writer.run(&queue));
        let thread = thread.map_err(|e| StoreError::io("the thread of the store", &e))?;
        Ok(Self { inner: Arc::new(Inner { shared, jobs, thread: Mutex::new(Some(thread)) }) })
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.inner.shared
    }

    /// Random id of this database; a rebuilt, restored or imported one has a new id. A search index made from another
    /// id is useless.
    pub fn id(&self) -> [u8; 16] {
        self.shared().id
    }

    /// Number of the newest change.
    pub fn change(&self) -> u64 {
        self.shared().newest_change()
    }

    /// Writes a batch and waits until it is durable. Blocks; for async callers there is [`Store::submit`].
    pub fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        wait(|done| self.submit(batch, done))
    }

    /// Hands a batch to the writer; `done` is called in the writer thread as soon as the batch is durable (or refused)
    /// and must return at once. Blocks only while the queue is full. Batches are written in the order they are handed in.
    pub fn submit(&self, batch: Batch, done: impl FnOnce(Result<Committed, StoreError>) + Send + 'static) {
        match self.prepare(batch) {
            Ok(prepared) => self.enqueue(prepared, Box::new(done)),
            Err(error) => done(Err(error)),
        }
    }

    /// Like [`Store::submit`], but with a full queue `done` gets [`StoreError::Busy`] at once.
    pub fn try_submit(&self, batch: Batch, done: impl FnOnce(Result<Committed, StoreError>) + Send + 'static) {
        let prepared = match self.prepare(batch) {
            Ok(prepared) => prepared,
            Err(error) => return done(Err(error)),
        };
        match self.inner.jobs.try_send(Job::Write(prepared, Box::new(done))) {
            Ok(()) => {}
            Err(TrySendError::Full(Job::Write(_, done))) => done(Err(StoreError::Busy(QUEUE_BATCHES_MAX))),
            Err(TrySendError::Disconnected(Job::Write(_, done))) => done(Err(self.gone())),
            Err(_) => {}
        }
    }

    /// How often the disk was told to keep what was written, since opening.
    pub fn syncs(&self) -> Syncs {
        let table = self.shared().table.read().unwrap_or_else(PoisonError::into_inner);
        Syncs { database: table.engine().syncs(), own_log: self.shared().own_log_syncs.load(Ordering::SeqCst) }
    }

    /// Writes what is still in buffers and closes the store; other handles get [`StoreError::Closed`] from then on.
    /// Dropping the last handle does the same without an answer.
    pub fn close(&self) -> Result<(), StoreError> {
        self.inner.close()
    }

    fn prepare(&self, batch: Batch) -> Result<PreparedBatch, StoreError> {
        self.shared().alive()?;
        let (prepared, samples) = PreparedBatch::new(batch, &self.shared().dictionaries)?;
        self.learn(samples);
        Ok(prepared)
    }

    pub(crate) fn enqueue(&self, prepared: PreparedBatch, done: Done) {
        if let Err(refused) = self.inner.jobs.send(Job::Write(prepared, done))
            && let Job::Write(_, done) = refused.0
        {
            done(Err(self.gone()));
        }
    }

    pub(crate) fn gone(&self) -> StoreError {
        self.shared().alive().err().unwrap_or(StoreError::Closed)
    }

    /// Trains a dictionary in a thread of its own; it is used once it is durable.
    fn learn(&self, samples: Samples) {
        let Some(samples) = samples else { return };
        let (shared, jobs) = (self.inner.shared.clone(), self.inner.jobs.clone());
        let purges = shared.dictionaries.purges();
        let train_and_keep = move || {
            let Some(bytes) = train(&samples) else { return };
            // Not beside a purge, and not after one: the samples may hold what was purged.
            let _alone = shared.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
            if shared.dictionaries.purges() != purges {
                return;
            }
            let id = shared.dictionaries.next();
            // A closed store needs no dictionary.
            if wait(|done| keep_dictionary(&jobs, id, bytes.clone(), done)).is_ok() {
                shared.dictionaries.add(id, bytes);
            }
        };
        // Without a thread the first dictionary goes on serving.
        let _ = in_background("store-dictionary", train_and_keep);
    }
}

/// Writes the row of a dictionary.
pub(crate) fn keep_dictionary(jobs: &SyncSender<Job>, id: u16, bytes: Vec<u8>, done: Done) {
    let mut batch = PreparedBatch::default();
    batch.put(dictionary_key(id), Prepared::raw(bytes, true), true);
    write(jobs, batch, done);
}

/// Has rows of the store's own written.
pub(crate) fn write(jobs: &SyncSender<Job>, batch: PreparedBatch, done: Done) {
    if let Err(refused) = jobs.send(Job::Write(batch, done))
        && let Job::Write(_, done) = refused.0
    {
        done(Err(StoreError::Closed));
    }
}

/// Waits for the answer to a batch.
pub(crate) fn wait(
    submit: impl FnOnce(Box<dyn FnOnce(Result<Committed, StoreError>) + Send>),
) -> Result<Committed, StoreError> {
    let (sender, answer): (_, Receiver<_>) = sync_channel(1);
    submit(Box::new(move |result| {
        // The waiting side always waits.
        let _ = sender.send(result);
    }));
    answer.recv().unwrap_or(Err(StoreError::Closed))
}

impl Inner {
    fn close(&self) -> Result<(), StoreError> {
        let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Ok(());
        };
        let (sender, answer) = sync_channel(1);
        let sent = self.jobs.send(Job::Stop(sender));
        if thread.thread().id() == std::thread::current().id() {
            return Ok(()); // The last handle was dropped in a `done`: the writer ends after this group.
        }
        let result = match sent {
            Ok(()) => answer.recv().unwrap_or(Err(StoreError::Closed)),
            Err(_) => Err(StoreError::Closed),
        };
        let _ = thread.join();
        self.shared.stop(StoreError::Closed);
        // Other handles may live on; the database and the lock do not.
        if let Ok(closed) = Table::open(Arc::new(MemoryEngine::default())) {
            *self.shared.table.write().unwrap_or_else(PoisonError::into_inner) = closed;
        }
        *self.shared.lock.lock().unwrap_or_else(PoisonError::into_inner) = None;
        result
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.close();
    }
}
