//! The one thread that writes. Batches that wait while the disk is busy are written together and share one sync.
//!
//! The order within a group: batches with own rows go to the own log, which is synced once; everything is applied to the
//! database; who is in the log is told; then the database is synced for the others, and they are told. The database names
//! the place in the log up to which it has everything, in the same write: opening continues exactly there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::cached;
use crate::engine::{Change, EngineError, ROWS_PER_APPLY_MAX};
use crate::error::StoreError;
use crate::frame::{self, Row};
use crate::log::Log;
use crate::prepare::{PreparedBatch, PreparedOperation};
use crate::shared::Shared;
use crate::state::{State, Synced};
use crate::types::Committed;

/// Batches that may wait for the writer.
pub const QUEUE_BATCHES_MAX: usize = 1024;

/// Batches written together.
const GROUP_BATCHES_MAX: usize = 256;

/// Bytes written together.
const GROUP_BYTES_MAX: usize = 8 << 20;

/// The database is synced at the latest this long after rows were written that so far only the log keeps safe.
const LAG_MAX: Duration = Duration::from_millis(500);

/// Told when a batch is durable or refused.
pub(crate) type Done = Box<dyn FnOnce(Result<Committed, StoreError>) + Send>;

/// What the writer is asked for.
pub(crate) enum Job {
    Write(PreparedBatch, Done),
    /// Remember the keys written from now on.
    Watch(SyncSender<()>),
    /// The keys remembered so far; remembers anew.
    Changed(SyncSender<BTreeSet<Vec<u8>>>),
    /// Sync everything, stop remembering, and write nothing until `resume` answers or is gone.
    Pause {
        entered: SyncSender<Paused>,
        resume: Receiver<Option<Log>>,
    },
    /// Sync everything and end.
    Stop(SyncSender<Result<(), StoreError>>),
}

/// The state of a paused writer.
pub(crate) struct Paused {
    pub(crate) changed: BTreeSet<Vec<u8>>,
    pub(crate) change: u64,
}

/// The writing side.
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) log: Option<Log>,
    pub(crate) redo: Option<Log>,
    pub(crate) state: State,
    pub(crate) synced: Option<Synced>,
    /// Since when the database lags behind the log.
    pub(crate) lag: Option<Instant>,
    pub(crate) watched: Option<BTreeSet<Vec<u8>>>,
}

/// A batch with its keys and sealed values.
struct Resolved {
    change: u64,
    rows: Vec<Row>,
    /// What this database alone notes beside them.
    touched: Vec<Change>,
    bytes: u64,
    /// Where its frame ends in the own log, and the number of the next one.
    logged: Option<(u64, u64)>,
}

impl Writer {
    /// Works until it is stopped or nobody can send any more.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        let mut put_back = None;
        loop {
            let job = match put_back.take() {
                Some(job) => job,
                None => match self.next(jobs) {
                    Some(job) => job,
                    None => break,
                },
            };
            match job {
                Job::Write(batch, done) => {
                    let mut bytes = batch.bytes;
                    let mut group = vec![(batch, done)];
                    while group.len() < GROUP_BATCHES_MAX && bytes < GROUP_BYTES_MAX {
                        match jobs.try_recv() {
                            Ok(Job::Write(batch, done)) => {
                                bytes += batch.bytes;
                                group.push((batch, done));
                            }
                            Ok(other) => {
                                put_back = Some(other);
                                break;
                            }
                            Err(_) => break,
                        }
                    }
                    self.write(group);
                }
                Job::Watch(reply) => {
                    self.watched = Some(BTreeSet::new());
                    let _ = reply.send(());
                }
                Job::Changed(reply) => {
                    let _ = reply.send(self.watched.replace(BTreeSet::new()).unwrap_or_default());
                }
                Job::Pause { entered, resume } => self.pause(&entered, &resume),
                Job::Stop(reply) => {
                    let _ = reply.send(self.barrier());
                    self.shared.stop(StoreError::Closed);
                    break;
                }
            }
        }
        while let Ok(job) = jobs.try_recv() {
            if let Job::Write(_, done) = job {
                done(Err(StoreError::Closed));
            }
        }
    }

    fn next(&mut self, jobs: &Receiver<Job>) -> Option<Job> {
        loop {
            let Some(lag) = self.lag else { return jobs.recv().ok() };
            match jobs.recv_timeout(LAG_MAX.saturating_sub(lag.elapsed())) {
                Ok(job) => return Some(job),
                Err(RecvTimeoutError::Timeout) => {
                    // A failure stops the store; whoever writes next is told.
                    let _ = self.barrier();
                    self.lag = None;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let _ = self.barrier();
                    return None;
                }
            }
        }
    }

    fn pause(&mut self, entered: &SyncSender<Paused>, resume: &Receiver<Option<Log>>) {
        if self.barrier().is_err() {
            return; // Dropping `entered` tells it.
        }
        let changed = self.watched.take().unwrap_or_default();
        if entered.send(Paused { changed, change: self.state.change }).is_err() {
            return;
        }
        if let Ok(Some(log)) = resume.recv() {
            self.state.log_id = log.id();
            (self.state.log_end, self.state.log_number) = (log.end(), log.next_number());
            self.shared.own_log_bytes.store(log.end(), Ordering::SeqCst);
            self.log = Some(log);
        }
    }

    /// Everything applied so far is durable in the database.
    fn barrier(&mut self) -> Result<(), StoreError> {
        self.shared.alive()?;
        let engine = self.shared.table.read().unwrap_or_else(PoisonError::into_inner).engine().clone();
        engine.barrier().map_err(|error| self.shared.fail(&error))?;
        self.lag = None;
        if let Some(synced) = &mut self.synced {
            synced.set(self.shared.newest_change());
        }
        Ok(())
    }

    fn write(&mut self, group: Vec<(PreparedBatch, Done)>) {
        let bytes: usize = group.iter().map(|(batch, _)| batch.bytes).sum();
        let reserve = group.iter().all(|(batch, _)| batch.reserve);
        let (batches, waiting): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        let mut waiting: Vec<Option<Done>> = waiting.into_iter().map(Some).collect();
        let room = |()| match reserve {
            true => self.shared.check_reserve(bytes as u64),
            false => self.shared.check_disk(bytes as u64),
        };
        let result = self.shared.alive().and_then(room).and_then(|()| {
            catch_unwind(AssertUnwindSafe(|| self.write_group(&batches, &mut waiting))).unwrap_or_else(|_| {
                Err(self.shared.stop(StoreError::Failed("the writer gave up on an error of its own".to_owned())))
            })
        });
        if let Err(error) = result {
            for done in waiting.into_iter().flatten() {
                done(Err(error.clone()));
            }
        }
    }

    fn write_group(&mut self, batches: &[PreparedBatch], waiting: &mut [Option<Done>]) -> Result<(), StoreError> {
        let mut resolved = self.resolve(batches)?;
        self.log_own(&mut resolved)?;
        self.apply(&resolved)?;
        let mut all_told = true;
        for (batch, done) in resolved.iter().zip(waiting.iter_mut()) {
            if batch.logged.is_some()
                && let Some(done) = done.take()
            {
                done(Ok(Committed { change: batch.change }));
            }
            all_told &= done.is_none();
        }
        self.lag.get_or_insert_with(Instant::now);
        if !all_told || self.lag.is_some_and(|since| since.elapsed() > LAG_MAX) {
            self.barrier()?;
        }
        for (batch, done) in resolved.iter().zip(waiting.iter_mut()) {
            if let Some(done) = done.take() {
                done(Ok(Committed { change: batch.change }));
            }
        }
        Ok(())
    }

    /// Numbers the batches and turns appends and ranges into rows. What earlier batches of the group write is not in the
    /// database yet, so it is kept beside.
    fn resolve(&mut self, batches: &[PreparedBatch]) -> Result<Vec<Resolved>, StoreError> {
        let mut pending: BTreeMap<Vec<u8>, bool> = BTreeMap::new();
        let mut numbers: HashMap<Vec<u8>, u32> = HashMap::new();
        let mut resolved = Vec::with_capacity(batches.len());
        for batch in batches {
            self.state.change += 1;
            let change = self.state.change;
            let mut rows = Vec::with_capacity(batch.operations.len());
            for operation in &batch.operations {
                let before = rows.len();
                match operation {
                    PreparedOperation::Put { key, own, value } => {
                        let value = value.current(&self.shared.dictionaries).seal(key, change);
                        rows.push(Row { own: *own, key: key.clone(), value: Some(value) });
                    }
                    PreparedOperation::Delete { key, own } => {
                        rows.push(Row { own: *own, key: key.clone(), value: None });
                    }
                    PreparedOperation::DeleteRange { prefix, own } => {
                        let mut keys = self.keys(prefix)?;
                        let later = pending.range::<[u8], _>((Bound::Included(&prefix[..]), Bound::Unbounded));
                        let later = later.take_while(|(key, _)| key.starts_with(prefix));
                        keys.extend(later.filter(|(_, put)| **put).map(|(key, _)| key.clone()));
                        rows.extend(keys.into_iter().map(|key| Row { own: *own, key, value: None }));
                    }
                    PreparedOperation::Append { prefix, own, rows: chunks } => {
                        let mut number = match numbers.get(prefix) {
                            Some(number) => *number,
                            None => self.next_chunk(prefix)?,
                        };
                        for value in chunks {
                            let key = [&prefix[..], &number.to_be_bytes()].concat();
                            let value = Some(value.current(&self.shared.dictionaries).seal(&key, change));
                            rows.push(Row { own: *own, key, value });
                            number += 1;
                        }
                        numbers.insert(prefix.clone(), number);
                    }
                }
                for row in &rows[before..] {
                    pending.insert(row.key.clone(), row.value.is_some());
                }
            }
            let touched = cached::touched(rows.iter().map(|row| row.key.as_slice()), change);
            let bytes = rows.iter().map(|row| (row.key.len() + row.value.as_ref().map_or(0, Vec::len)) as u64).sum();
            resolved.push(Resolved { change, rows, touched, bytes, logged: None });
        }
        Ok(resolved)
    }

    fn keys(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut keys = Vec::new();
        self.shared.read(|table| {
            let scanned = table.engine().scan(prefix, None, &mut |key, _| {
                keys.push(key.to_vec());
                true
            });
            scanned.map_err(Into::into)
        })?;
        Ok(keys)
    }

    fn next_chunk(&self, prefix: &[u8]) -> Result<u32, StoreError> {
        let last = self.shared.read(|table| Ok(table.engine().last_key(prefix)?))?;
        let number = last.and_then(|key| key.last_chunk::<4>().map(|number| u32::from_be_bytes(*number)));
        Ok(number.map_or(0, |number| number + 1))
    }

    fn log_own(&mut self, resolved: &mut [Resolved]) -> Result<(), StoreError> {
        let Some(log) = &mut self.log else { return Ok(()) };
        let mut any = false;
        for batch in resolved.iter_mut().filter(|batch| batch.rows.iter().any(|row| row.own)) {
            let end = log.append(&frame::encode(batch.change, &batch.rows)).map_err(|e| self.shared.stop(e))?;
            batch.logged = Some((end, log.next_number()));
            any = true;
        }
        if any {
            log.sync().map_err(|e| self.shared.stop(e))?;
            self.shared.own_log_syncs.store(log.syncs(), Ordering::SeqCst);
            self.shared.own_log_bytes.store(log.end(), Ordering::SeqCst);
        }
        Ok(())
    }

    /// Applies batches, as many as fit into one write of the engine at a time.
    fn apply(&mut self, resolved: &[Resolved]) -> Result<(), StoreError> {
        let mut joined: Vec<&Resolved> = Vec::new();
        let mut joined_rows = 1;
        for batch in resolved {
            let needed: usize = {
                let table = self.shared.table.read().unwrap_or_else(PoisonError::into_inner);
                let rows = batch.rows.iter().map(|row| table.rows_needed(&row.key, row.value.as_deref()));
                batch.touched.len() + rows.sum::<usize>()
            };
            if joined_rows + needed > ROWS_PER_APPLY_MAX {
                self.apply_joined(&joined)?;
                joined.clear();
                joined_rows = 1;
            }
            if 1 + needed > ROWS_PER_APPLY_MAX {
                self.apply_large(batch)?;
            } else {
                joined.push(batch);
                joined_rows += needed;
            }
        }
        self.apply_joined(&joined)
    }

    /// More rows than the engine writes at once: if the batch is not in the own log, it goes to the redo file first, so
    /// that opening can finish it.
    fn apply_large(&mut self, batch: &Resolved) -> Result<(), StoreError> {
        if let (None, Some(redo)) = (batch.logged, &mut self.redo) {
            redo.append(&frame::encode(batch.change, &batch.rows)).map_err(|e| self.shared.stop(e))?;
            redo.sync().map_err(|e| self.shared.stop(e))?;
            self.apply_joined(&[batch])?;
            self.barrier()?;
            let Some(redo) = &mut self.redo else { return Ok(()) };
            return redo.clear().map_err(|e| self.shared.stop(e));
        }
        self.apply_joined(&[batch])
    }

    fn apply_joined(&mut self, batches: &[&Resolved]) -> Result<(), StoreError> {
        let Some(last) = batches.last() else { return Ok(()) };
        if let Some((end, number)) = batches.iter().rev().find_map(|batch| batch.logged) {
            (self.state.log_end, self.state.log_number) = (end, number);
        }
        let state = State { change: last.change, ..self.state };
        let rows = batches.iter().flat_map(|batch| &batch.rows);
        let mut changes: Vec<Change> = rows.map(|row| (row.key.clone(), row.value.clone())).collect();
        changes.extend(batches.iter().flat_map(|batch| batch.touched.iter().cloned()));
        if let Some(watched) = &mut self.watched {
            watched.extend(changes.iter().map(|(key, _)| key.clone()));
        }
        let mut table = self.shared.table.write().unwrap_or_else(PoisonError::into_inner);
        let applied = table.apply(changes, Some(state.row()));
        drop(table);
        applied.map_err(|error| match error {
            EngineError::TooManyRows { .. } | EngineError::RowTooLarge { .. } => {
                self.shared.stop(StoreError::Failed(error.to_string()))
            }
            error => self.shared.fail(&error),
        })?;
        self.shared.written.fetch_add(batches.iter().map(|batch| batch.bytes).sum(), Ordering::SeqCst);
        self.shared.change.store(last.change, Ordering::SeqCst);
        Ok(())
    }
}
