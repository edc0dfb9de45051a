//! Feeding the index: a thread that takes in what was stored, and goes on after a failure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use ortsnetz_model::dates;
use ortsnetz_model::{Entry, EntryId, FeedId, Kind, as_of, due_dates};
use ortsnetz_search::{Change, Document, Index, OpenState, Reader};
use ortsnetz_store::{Batch, Key, Range, Side, Store, in_background};

use crate::answering::matters;
use crate::catalog;
use crate::clock;
use crate::districts;
use crate::error::NodeError;
use crate::rows;
use crate::searching::claim;
use crate::shared::Shared;
use crate::synonyms;

/// Memory in which the index collects changes, in bytes.
const HEAP_BYTES: usize = 16 << 20;
/// What changed is committed when nothing more changed for so long: a first sync is not slowed down by what can wait.
const COMMIT_PAUSE: Duration = Duration::from_millis(150);
/// While more changes come, the first of them waits so long at most.
const COMMIT_AFTER: Duration = Duration::from_millis(900);
/// How long stopping waits for the last commit, which yields to whatever else the machine does.
const STOP_PATIENCE: Duration = Duration::from_secs(60);
/// So many changes are committed at once at the latest.
const COMMIT_CHANGES: usize = 5000;
/// Table of entries that change by themselves: key is the date (10 bytes), then feed and entry.
const DUE: &str = "due";
/// Table of responsibilities by the service they are about: key is service and entry, value feed and entry.
const POINTING: &str = "pointing";
/// Responsibilities read again when the service they are about changes. Further ones show its former title until they change
/// themselves: whoever makes that many must not keep the index busy.
const POINTING_MAX: usize = 256;

/// What the index thread is told.
enum Job {
    /// These entries of a feed changed.
    Changed(FeedId, Vec<EntryId>),
    /// These entries changed, and nothing of what they were may stay on disk.
    Purge(Vec<(FeedId, EntryId)>, Sender<Result<(), NodeError>>),
    /// These entries changed, and are to be found at once.
    Settle(Vec<(FeedId, Vec<EntryId>)>, Sender<()>),
    /// Commit and end.
    Stop(Sender<()>),
}

/// Between two attempts to get an index going again that failed.
const RECOVER_EVERY: Duration = Duration::from_secs(5);

/// The way to the index.
pub(crate) struct Search {
    reader: Reader,
    jobs: Sender<Job>,
    waiting: std::sync::Mutex<Option<(Index, OpenState, Receiver<Job>)>>,
    current: Arc<AtomicBool>,
}

impl Search {
    /// Opens the index of this store; [`Search::run`] starts feeding it.
    pub fn open(dir: &std::path::Path, store: &Store) -> Result<Self, NodeError> {
        let (dir, id, change) = (dir.to_owned(), store.id(), store.change());
        // The threads of the index start here.
        let opened = in_background("search-open", move || Index::open(&dir, id, change, HEAP_BYTES))
            .map_err(|error| NodeError::Unavailable(error.to_string()))?
            .join()
            .map_err(|_| NodeError::Unavailable("the search index could not be opened; see the log".into()))?
            .map_err(|error| NodeError::Unavailable(error.to_string()))?;
        let (jobs, receiver) = channel();
        Ok(Self {
            reader: opened.index.reader(),
            jobs,
            waiting: std::sync::Mutex::new(Some((opened.index, opened.state, receiver))),
            current: Arc::new(AtomicBool::new(false)),
        })
    }

    /// Starts the thread.
    pub fn run(shared: &Arc<Shared>) {
        let Some((index, state, jobs)) = crate::shared::lock(&shared.search.waiting).take() else { return };
        let feeder = Feeder {
            shared: shared.clone(),
            index,
            tried: None,
            dirty: Dirty::new(),
            safe: shared.store.change(),
            sampled: shared.store.change(),
            current: shared.search.current.clone(),
        };
        // The thread ends with `Stop`; without it nothing would be found, so a failure to start one is told by `status`.
        let _ = in_background("search", move || feeder.run(state, &jobs));
    }

    /// Tells that entries changed.
    pub fn changed(&self, feed: FeedId, entries: Vec<EntryId>) {
        let _ = self.jobs.send(Job::Changed(feed, entries));
    }

    /// Takes these entries as they are now in, and rewrites the index without what they were. Blocks.
    pub fn purge(&self, entries: Vec<(FeedId, EntryId)>) -> Result<(), NodeError> {
        let failed = || NodeError::Unavailable("the search index does not answer; see the log".into());
        let (done, wait) = channel();
        self.jobs.send(Job::Purge(entries, done)).map_err(|_| failed())?;
        wait.recv().map_err(|_| failed())?
    }

    /// Takes these entries as they are now in, and returns when they are found, or after `patience`. Blocks.
    pub fn settle(&self, entries: Vec<(FeedId, Vec<EntryId>)>, patience: Duration) {
        let (done, wait) = channel();
        if self.jobs.send(Job::Settle(entries, done)).is_ok() {
            let _ = wait.recv_timeout(patience);
        }
    }

    /// The way to ask.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Whether everything stored can be found.
    pub fn is_current(&self) -> bool {
        self.current.load(Ordering::Relaxed)
    }

    /// Entries in the index.
    pub fn entries(&self) -> u64 {
        self.reader.entries()
    }

    /// Commits and stops. Blocks.
    pub fn stop(&self) {
        let (done, wait) = channel();
        if self.jobs.send(Job::Stop(done)).is_ok() {
            let _ = wait.recv_timeout(STOP_PATIENCE);
        }
    }
}

/// Entries to read, by feed.
type Dirty = BTreeMap<FeedId, BTreeSet<EntryId>>;

struct Feeder {
    shared: Arc<Shared>,
    index: Index,
    /// When it was last tried to get the index going again.
    tried: Option<Instant>,
    dirty: Dirty,
    /// Every change of the store up to here is in the index or in `dirty`.
    safe: u64,
    /// The newest change when the index was committed last. What was durable then has been told by the next commit, so
    /// it is safe then: after a crash a few entries are read again, none is missed.
    sampled: u64,
    current: Arc<AtomicBool>,
}

impl Feeder {
    fn run(mut self, state: OpenState, jobs: &Receiver<Job>) {
        synonyms::apply(&self.shared);
        if let Err(error) = self.catch_up(state) {
            tracing::error!(%error, "the search index could not be brought up to date");
        }
        self.current.store(true, Ordering::Relaxed);
        let (mut first, mut deadline): (Option<Instant>, Option<Instant>) = (None, None);
        let mut midnight = dates::next_midnight(clock::now());
        loop {
            let wait = deadline.map_or(Duration::from_secs(30), |at| at.saturating_duration_since(Instant::now()));
            match jobs.recv_timeout(wait) {
                Ok(Job::Changed(feed, entries)) => {
                    self.dirty.entry(feed).or_default().extend(entries);
                    let now = Instant::now();
                    let latest = *first.get_or_insert(now) + COMMIT_AFTER;
                    deadline = Some(latest.min(now + COMMIT_PAUSE));
                }
                Ok(Job::Purge(entries, done)) => {
                    self.recover();
                    for (feed, entry) in entries {
                        self.dirty.entry(feed).or_default().insert(entry);
                    }
                    self.feed_dirty();
                    let purged = self.index.purge(self.safe);
                    let _ = done.send(purged.map_err(|error| NodeError::Unavailable(error.to_string())));
                }
                Ok(Job::Settle(entries, done)) => {
                    for (feed, entries) in entries {
                        self.dirty.entry(feed).or_default().extend(entries);
                    }
                    self.flush();
                    (first, deadline) = (None, None);
                    let _ = done.send(());
                }
                Ok(Job::Stop(done)) => {
                    self.flush();
                    // With it goes the lock on the index, which the next start takes.
                    drop(self);
                    let _ = done.send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.flush();
                    return;
                }
            }
            if self.index.has_failed() {
                self.recover();
                deadline.get_or_insert_with(|| Instant::now() + RECOVER_EVERY);
            }
            let many = self.dirty.values().map(BTreeSet::len).sum::<usize>() >= COMMIT_CHANGES;
            if many || deadline.is_some_and(|at| at <= Instant::now()) {
                self.flush();
                (first, deadline) = (None, None);
            }
            if clock::now() >= midnight {
                midnight = dates::next_midnight(clock::now());
                self.due();
                deadline = Some(Instant::now());
            }
        }
    }

    /// Gets an index going again that failed, on a full disk perhaps, and feeds it what it lacks since its last commit.
    fn recover(&mut self) {
        if !self.index.has_failed() || self.tried.is_some_and(|at| at.elapsed() < RECOVER_EVERY) {
            return;
        }
        self.tried = Some(Instant::now());
        self.current.store(false, Ordering::Relaxed);
        let recovered = self.index.recover().map_err(|error| NodeError::Unavailable(error.to_string()));
        match recovered.and_then(|cursor| self.catch_up(OpenState::Ready { cursor })) {
            Ok(()) if !self.index.has_failed() => {
                self.current.store(true, Ordering::Relaxed);
                tracing::info!("the search index goes on after a failure");
            }
            Ok(()) => tracing::warn!("the search index failed again; it is tried again"),
            Err(error) => tracing::warn!(%error, "the search index could not go on; it is tried again"),
        }
    }

    /// Feeds what the index does not have yet.
    fn catch_up(&mut self, state: OpenState) -> Result<(), NodeError> {
        let shared = self.shared.clone();
        let mut seen: Vec<(FeedId, EntryId)> = Vec::new();
        match state {
            OpenState::Ready { cursor } if matters::are_noted(&shared)? => {
                shared.store.changed_since(cursor, &mut |feed, entry, _| {
                    seen.push((feed, entry));
                    true
                })?;
            }
            state => {
                tracing::info!(?state, "everything is indexed anew");
                shared.store.records(None, &mut |record| {
                    seen.push((record.feed, record.entry));
                    true
                })?;
            }
        }
        for (feed, entry) in seen {
            self.dirty.entry(feed).or_default().insert(entry);
            if self.dirty.values().map(BTreeSet::len).sum::<usize>() >= COMMIT_CHANGES {
                self.feed_dirty();
            }
        }
        self.due();
        self.flush();
        if !matters::are_noted(&shared)? {
            matters::mark_noted(&shared)?;
        }
        Ok(())
    }

    /// Entries whose day has come are read again.
    fn due(&mut self) {
        let today = dates::today(clock::now()).to_string();
        let range = Range::Custom(DUE.into());
        let mut batch = Batch::new(ortsnetz_store::Origin::Foreign);
        let Ok(rows) = self.shared.store.scan(&range, None, 100_000) else { return };
        for (key, value) in rows {
            let Key::Custom { key: bytes, .. } = &key else { continue };
            if bytes.get(..10).is_some_and(|date| date > today.as_bytes()) {
                break;
            }
            if let Ok((feed, entry)) = rows::decode::<(FeedId, EntryId)>("a due entry", &value) {
                self.dirty.entry(feed).or_default().insert(entry);
            }
            batch.delete(key);
        }
        if !batch.is_empty() {
            let _ = self.shared.store.commit(batch);
        }
    }

    fn flush(&mut self) {
        self.feed_dirty();
        if let Err(error) = self.index.commit(self.safe) {
            tracing::error!(%error, "the search index could not be written");
        }
        self.safe = self.sampled;
        self.sampled = self.shared.store.change();
    }

    fn feed_dirty(&mut self) {
        let mut pointing = Dirty::new();
        let dirty = std::mem::take(&mut self.dirty);
        self.update_all(dirty, &mut pointing);
        // Those are read once more and no further: foreign entries may point to each other in a circle.
        self.update_all(pointing, &mut Dirty::new());
    }

    fn update_all(&mut self, dirty: Dirty, pointing: &mut Dirty) {
        for (feed, entries) in dirty {
            if catalog::is_draft_feed(&self.shared, &feed) {
                continue;
            }
            for entry in entries {
                if let Err(error) = self.update(&feed, &entry, pointing) {
                    tracing::error!(%error, %entry, "an entry could not be indexed");
                }
            }
        }
    }

    fn update(&mut self, feed: &FeedId, id: &EntryId, pointing: &mut Dirty) -> Result<(), NodeError> {
        let shared = self.shared.clone();
        let failed = |error: ortsnetz_search::SearchError| NodeError::Unavailable(error.to_string());
        let held = catalog::find_of(&shared, &feed.organisation, id)?;
        let live = held.as_ref().filter(|held| held.home.is_some());
        if live.is_none_or(|held| held.feed != *feed) {
            let delete = Change::Delete(feed.organisation, feed.collection, *id);
            self.index.update(&[delete]).map_err(failed)?;
            synonyms::learn(&shared, &feed.organisation, id, None);
        }
        let Some(held) = live else { return Ok(()) };
        let Some(entry) = held.entry(id, false)? else { return Ok(()) };
        let now = clock::now();
        self.note_due(&held.feed, id, &entry);
        let entry = as_of(&entry, dates::today(now));
        matters::note(&shared, &held.feed, id, &entry)?;
        if entry.kind() == Kind::Profile {
            districts::learn(&shared, &held.feed.organisation, &entry);
            synonyms::learn(&shared, &held.feed.organisation, id, Some(&entry));
        }
        if matches!(entry.kind(), Kind::Unknown(_) | Kind::Journal | Kind::Feedback | Kind::Proposal) {
            return Ok(());
        }
        let names = office_names(&shared, &held.feed, &entry)?;
        let service = self.service_of(&held.feed, id, &entry)?;
        if entry.kind() == Kind::Service {
            self.add_pointing(id, pointing)?;
        }
        let notes: Vec<String> = held
            .companions
            .iter()
            .filter_map(|(_, row)| catalog::read_entry(id, &row.json).ok())
            .filter_map(|companion| companion.get("agent_note").map(|note| note.to_string()))
            .collect();
        let own = held.feed.organisation == shared.own.organisation;
        let document = Document {
            organisation: held.feed.organisation,
            collection: held.feed.collection,
            id: *id,
            entry: &entry,
            notes: notes.iter().map(String::as_str).collect(),
            office_names: names.iter().map(String::as_str).collect(),
            service: service.as_ref(),
            default_area: claim(&shared, &held.feed.organisation),
            published_at: Some(held.record.record().at),
            received_at: if own { None } else { held.home.as_ref().map(|row| row.at) },
        };
        self.index.update(&[Change::Upsert(document)]).map_err(failed)
    }

    /// The service a responsibility is about, whoever's it is. That it points there is noted, for the service may come later,
    /// or get another title.
    fn service_of(&self, feed: &FeedId, id: &EntryId, entry: &Entry) -> Result<Option<Entry>, NodeError> {
        if entry.kind() != Kind::Responsibility {
            return Ok(None);
        }
        let Some((_, service)) = entry.references().into_iter().find(|(path, _)| path == "service") else {
            return Ok(None);
        };
        let key = Key::Custom { table: POINTING.into(), key: [service.0, id.0].concat() };
        if self.shared.store.get(&key)?.is_none() {
            let mut batch = Batch::new(ortsnetz_store::Origin::Foreign);
            batch.put(key, rows::encode(&(*feed, *id)));
            self.shared.store.submit(batch, |_| {});
        }
        catalog::find(&self.shared, &service)?.map_or(Ok(None), |held| held.entry(&service, false))
    }

    /// Adds the responsibilities that point to a service, the first [`POINTING_MAX`] of them.
    fn add_pointing(&self, service: &EntryId, pointing: &mut Dirty) -> Result<(), NodeError> {
        let range = Range::Custom(POINTING.into());
        let after = Key::Custom { table: POINTING.into(), key: service.0.to_vec() };
        for (key, value) in self.shared.store.scan(&range, Some(&after), POINTING_MAX)? {
            if !matches!(&key, Key::Custom { key, .. } if key.starts_with(&service.0)) {
                break;
            }
            let (feed, entry) = rows::decode::<(FeedId, EntryId)>("a pointing entry", &value)?;
            pointing.entry(feed).or_default().insert(entry);
        }
        Ok(())
    }

    fn note_due(&self, feed: &FeedId, id: &EntryId, entry: &Entry) {
        let today = dates::today(clock::now());
        let mut batch = Batch::new(ortsnetz_store::Origin::Foreign);
        for date in due_dates(entry).into_iter().filter(|date| *date > today) {
            let mut key = date.to_string().into_bytes();
            key.extend_from_slice(&feed.collection.0);
            key.extend_from_slice(&id.0);
            batch.put(Key::Custom { table: DUE.into(), key }, rows::encode(&(*feed, *id)));
        }
        if !batch.is_empty() {
            let _ = self.shared.store.commit(batch);
        }
    }
}

fn office_names(shared: &Shared, feed: &FeedId, entry: &Entry) -> Result<Vec<String>, NodeError> {
    let mut names = Vec::new();
    for (path, office) in entry.references() {
        if !path.starts_with("office") {
            continue;
        }
        if let Some(row) = rows::projection(&shared.store, Side::Published, &feed.collection, &office)?
            && let Some(title) = catalog::read_entry(&office, &row.json)?.title("de")
        {
            names.push(title.to_owned());
        }
    }
    Ok(names)
}

/// What the index noted beside the entries of an organisation goes.
pub(crate) fn forget(shared: &Shared, is_gone: impl Fn(&FeedId) -> bool) -> Result<(), NodeError> {
    let mut batch = Batch::new(ortsnetz_store::Origin::Foreign);
    for table in [DUE, POINTING] {
        for (key, value) in shared.store.scan(&Range::Custom(table.into()), None, usize::MAX)? {
            let about = rows::decode::<(FeedId, EntryId)>("what the index noted", &value);
            if about.is_ok_and(|(feed, _)| is_gone(&feed)) {
                batch.delete(key);
            }
        }
    }
    for (key, value) in shared.store.scan(&Range::Custom(matters::MATTERS.into()), None, usize::MAX)? {
        if rows::decode::<FeedId>("what an entry is about", &value).is_ok_and(|feed| is_gone(&feed)) {
            batch.delete(key);
        }
    }
    shared.store.commit(batch)?;
    Ok(())
}
