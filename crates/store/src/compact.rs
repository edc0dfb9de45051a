//! Rewrites the database and the own log into fresh files, compares, and swaps them in.
//!
//! The order of the swap: the old database is synced (the writer is paused), then the new log takes the name of the old
//! one, then the new database becomes the current one. After a crash between the two the old database meets a log it does
//! not know, takes its rows once more, and is as before.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use crate::cached;
use crate::copy::{Pause, Sink};
use crate::dictionary::{FIRST, SAMPLE_BYTES, SAMPLE_VALUE_BYTES_MAX, train};
use crate::directory;
use crate::engine::{Change, EngineError, SledEngine};
use crate::error::StoreError;
use crate::frame::{self, Row};
use crate::key::{Range, Side};
use crate::log::{self, HEADER_BYTES, Log};
use crate::shared::{OWN_LOG, PAGE_ROWS, check_disk, describe};
use crate::state::{STATE_KEY, State, dictionary_id};
use crate::store::{Store, keep_dictionary, wait};
use crate::table::{ReadError, Table};
use crate::types::Usage;
use crate::value;

/// Rows of one frame of a rewritten log, and of one write of a copy.
const GROUP_ROWS: usize = 100;

const GROUPS_PER_BARRIER: u64 = 20;

impl Store {
    /// Rewrites database and own log into fresh files, compares every row, and swaps them in. Reads and writes go on
    /// meanwhile; writes pause for the last step. Needs room for a second copy.
    pub fn compact(&self) -> Result<Usage, StoreError> {
        let Some(directory) = self.shared().directory.clone() else { return self.usage() };
        let _alone = self.shared().maintenance.lock().unwrap_or_else(PoisonError::into_inner);
        self.rewrite(&directory, false)
    }

    /// Compacts so that nothing of deleted rows is left in any file of the store: compression dictionaries, which hold
    /// pieces of what they were trained from, are made anew from what there is, and what an earlier damage left aside is
    /// removed. What a file system keeps of removed files is beyond this.
    pub fn purge(&self) -> Result<Usage, StoreError> {
        let Some(directory) = self.shared().directory.clone() else { return self.usage() };
        let _alone = self.shared().maintenance.lock().unwrap_or_else(PoisonError::into_inner);
        let dictionaries = &self.shared().dictionaries;
        let trained = if dictionaries.newest() > FIRST { train(&self.samples()?) } else { None };
        let fresh = trained.map(|bytes| (dictionaries.next(), bytes));
        if let Some((id, bytes)) = &fresh {
            wait(|done| keep_dictionary(&self.inner.jobs, *id, bytes.clone(), done))?;
        }
        dictionaries.retire(fresh);
        cached::remove_all(&directory)?;
        let usage = self.rewrite(&directory, true)?;
        remove_broken(&directory)?;
        Ok(usage)
    }

    /// Values to train a dictionary from, taken from all over the table.
    fn samples(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        let (mut samples, mut bytes, mut seen) = (Vec::new(), 0, 0u64);
        let ranges = [Range::AllProjections(Side::Published), Range::Documents(Side::Published)];
        let rows = self.measure()?.rows.max(1);
        // About as many rows as fill the samples, wherever they lie.
        let every = (rows / (SAMPLE_BYTES as u64 / 512)).max(1);
        for range in ranges {
            self.shared().visit(&range.prefix(), &mut |_, _, value| {
                seen += 1;
                if seen.is_multiple_of(every) && value.len() <= SAMPLE_VALUE_BYTES_MAX {
                    bytes += value.len();
                    samples.push(value);
                }
                bytes < SAMPLE_BYTES
            })?;
        }
        Ok(samples)
    }

    fn rewrite(&self, directory: &Path, purge: bool) -> Result<Usage, StoreError> {
        let before = self.measure()?;
        check_disk(directory, self.shared().options.disk_free_min + 3 * before.payload_bytes)?;
        let name = directory::next_database(directory)?;
        let done = self.compact_into(directory, &name, purge);
        if done.is_err() {
            // What is not current is removed at the next start too.
            let _ = fs::remove_dir_all(directory.join(&name));
            let _ = fs::remove_file(directory.join("own.log.new"));
        }
        done?;
        let after = self.measure()?;
        self.shared().compacted_bytes.store(after.disk_bytes, Ordering::SeqCst);
        Ok(Usage { compact_advised: false, ..after })
    }

    fn compact_into(&self, directory: &Path, name: &str, purge: bool) -> Result<(), StoreError> {
        let path = directory.join(name);
        let failed = |error: EngineError| StoreError::Io { path: path.clone(), message: error.to_string() };
        let engine = SledEngine::open(&path, self.shared().options.cache_bytes).map_err(failed)?;
        let new = Table::open(Arc::new(engine)).map_err(failed)?;
        let log_path = directory.join("own.log.new");
        let mut rewrite =
            Rewrite { store: self, new, path: &path, log_path, log: None, groups: 0, late: Vec::new(), purge };
        let pause = self.copy(&mut rewrite)?;
        let (mut new, mut log) = rewrite.finish(&pause)?;
        let state = State { change: pause.change, log_id: log.id(), log_end: log.end(), log_number: log.next_number() };
        new.apply(Vec::new(), Some(state.row())).and_then(|()| new.engine().barrier()).map_err(failed)?;

        log.rename(&directory.join(OWN_LOG))?;
        let old = directory::current(directory)?;
        directory::set_current(directory, name)?;
        // Nobody reads while we hold the lock, so this closes the old database.
        *self.shared().table.write().unwrap_or_else(PoisonError::into_inner) = new;
        pause.resume_with(log);
        if let Some(old) = old {
            fs::remove_dir_all(&old).map_err(|e| StoreError::io(old, &e))?;
        }
        Ok(())
    }
}

/// A database and a log being written anew.
struct Rewrite<'a> {
    store: &'a Store,
    new: Table,
    path: &'a Path,
    log_path: PathBuf,
    /// Written when nearly all rows are there; what comes later is added.
    log: Option<(Log, BTreeSet<Vec<u8>>)>,
    groups: u64,
    /// Rows not yet written.
    late: Vec<Change>,
    /// Whether retired dictionaries are left out.
    purge: bool,
}

impl Sink for Rewrite<'_> {
    fn take(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) -> Result<(), StoreError> {
        if key == STATE_KEY {
            return Ok(());
        }
        if self.purge && self.is_retired(&key) {
            return Ok(());
        }
        let damaged = |detail| StoreError::damaged(describe(&key), detail);
        let value = match value {
            Some(value) if self.purge => {
                Some(value::current(&key, value, &self.store.shared().dictionaries).map_err(damaged)?)
            }
            Some(value) => {
                value::header(&key, &value).map_err(damaged)?;
                Some(value)
            }
            None => None,
        };
        self.late.push((key, value));
        if self.late.len() >= GROUP_ROWS { self.write() } else { Ok(()) }
    }

    fn settled(&mut self) -> Result<(), StoreError> {
        self.write()?;
        self.new.engine().barrier().map_err(|e| self.failed(&e))?;
        let log = write_log(&self.new, &self.log_path, self.store.change())?;
        self.log = Some((log, self.differences()?));
        Ok(())
    }
}

impl Rewrite<'_> {
    /// Whether this is the row of a dictionary that is to go.
    fn is_retired(&self, key: &[u8]) -> bool {
        dictionary_id(key).is_some_and(|id| self.store.shared().dictionaries.is_retired(id))
    }

    /// Whether a row is in the new table what it is in the old one.
    fn same(&self, key: &[u8], ours: Option<&Vec<u8>>, theirs: Option<&Vec<u8>>) -> bool {
        if ours == theirs || key == STATE_KEY {
            return true;
        }
        if self.purge && self.is_retired(key) {
            return theirs.is_none();
        }
        let (Some(ours), Some(theirs), true) = (ours, theirs, self.purge) else { return false };
        let open = |bytes| value::open(key, bytes, &self.store.shared().dictionaries);
        matches!((open(ours), open(theirs)), (Ok(ours), Ok(theirs)) if ours == theirs)
    }

    fn failed(&self, error: &EngineError) -> StoreError {
        StoreError::Io { path: self.path.to_owned(), message: error.to_string() }
    }

    fn write(&mut self) -> Result<(), StoreError> {
        self.groups += 1;
        if self.groups.is_multiple_of(GROUPS_PER_BARRIER) {
            // sled frees segments only after a flush.
            self.new.engine().barrier().map_err(|e| self.failed(&e))?;
        }
        let rows: Vec<Row> =
            self.late.iter().map(|(key, value)| Row { own: true, key: key.clone(), value: value.clone() }).collect();
        self.new.apply(std::mem::take(&mut self.late), None).map_err(|e| self.failed(&e))?;
        let Some((log, _)) = &mut self.log else { return Ok(()) };
        // Of deleted rows nobody knows whose they were; deleting a row that is not there does no harm.
        let own = rows.into_iter().filter(|row| match &row.value {
            Some(value) => value::header(&row.key, value).is_ok_and(|header| header.own),
            None => true,
        });
        log.append(&frame::encode(self.store.change(), &own.collect::<Vec<_>>()))?;
        Ok(())
    }

    /// Writes the rest and compares it, with the writer paused.
    fn finish(mut self, pause: &Pause) -> Result<(Table, Log), StoreError> {
        self.write()?;
        for key in &pause.changed {
            let ours = self.store.shared().read(|table| table.get(key))?;
            let theirs = self.new.get(key).map_err(|e| different(key, &format!("{e:?}")))?;
            if !self.same(key, ours.as_ref(), theirs.as_ref()) {
                return Err(different(key, "is not what it was"));
            }
        }
        let Some((mut log, differing)) = self.log.take() else { return Err(StoreError::Closed) };
        if let Some(key) = differing.difference(&pause.changed).next() {
            return Err(different(key, "is not what it was"));
        }
        log.sync()?;
        let scan = log::scan(&self.log_path, HEADER_BYTES, Some(0), &mut |_, _, _| {})?;
        if !scan.damaged.is_empty() || scan.end != log.end() {
            return Err(StoreError::damaged("the rewritten own log", format!("reads back up to byte {}", scan.end)));
        }
        Ok((self.new, log))
    }

    /// Keys whose rows are not the same in both tables; what is written meanwhile is among them.
    fn differences(&self) -> Result<BTreeSet<Vec<u8>>, StoreError> {
        let mut differing = BTreeSet::new();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let ours = self.store.shared().read(|table| table.page(&[], after.as_deref(), PAGE_ROWS))?;
            let end = ours.last().map(|(key, _)| key.clone());
            let mut theirs: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
            let mut from = after.clone();
            loop {
                let page = self.new.page(&[], from.as_deref(), PAGE_ROWS);
                let page = page.map_err(|e| StoreError::damaged("the compacted database", format!("{e:?}")))?;
                let inside = |key: &Vec<u8>| end.as_ref().is_none_or(|end| key <= end);
                let more = page.len() == PAGE_ROWS && page.last().is_some_and(|(key, _)| inside(key));
                from = page.last().map(|(key, _)| key.clone());
                theirs.extend(page.into_iter().filter(|(key, _)| inside(key)));
                if !more {
                    break;
                }
            }
            for (key, value) in ours {
                if !self.same(&key, Some(&value), theirs.remove(&key).as_ref()) {
                    differing.insert(key);
                }
            }
            differing.extend(theirs.into_keys());
            match end {
                Some(end) => after = Some(end),
                None => return Ok(differing),
            }
        }
    }
}

/// Removes what was moved aside when the database or the log was found damaged.
fn remove_broken(directory: &Path) -> Result<(), StoreError> {
    let io = |e: std::io::Error| StoreError::io(directory, &e);
    for item in fs::read_dir(directory).map_err(io)? {
        let path = item.map_err(io)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with("db.broken-") {
            fs::remove_dir_all(&path).map_err(|e| StoreError::io(&path, &e))?;
        } else if name.starts_with("own.log.broken-") {
            directory::remove_if_there(&path)?;
        }
    }
    Ok(())
}

fn different(key: &[u8], detail: &str) -> StoreError {
    StoreError::damaged("the compacted database", format!("{} {detail}", describe(key)))
}

/// Writes the own rows of a table as a new own log at `path`.
pub(crate) fn write_own_log(table: &Table, path: &Path, change: u64) -> Result<Log, StoreError> {
    let mut log = write_log(table, &path.with_extension("log.new"), change)?;
    log.rename(path)?;
    Ok(log)
}

/// Writes the own rows of a table as a log, and reads it back to compare.
fn write_log(table: &Table, path: &Path, change: u64) -> Result<Log, StoreError> {
    let mut log = Log::create(path)?;
    let mut sums: HashMap<Vec<u8>, u32> = HashMap::new();
    let mut group: Vec<Row> = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = table.page(&[], after.as_deref(), PAGE_ROWS).map_err(|error| match error {
            ReadError::Engine(error) => StoreError::damaged("database", error.to_string()),
            ReadError::Damaged(key, detail) => StoreError::damaged(describe(&key), detail),
        })?;
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        for (key, value) in page {
            let header = value::header(&key, &value).map_err(|e| StoreError::damaged(describe(&key), e))?;
            if header.own {
                sums.insert(key.clone(), crc32fast::hash(&value));
                group.push(Row { own: true, key, value: Some(value) });
            }
        }
        for rows in group.chunks(GROUP_ROWS) {
            log.append(&frame::encode(change, rows))?;
        }
        group.clear();
    }
    log.sync()?;
    let scan = log::scan(path, HEADER_BYTES, Some(0), &mut |_, _, payload| {
        for row in frame::decode(payload).map(|(_, rows)| rows).unwrap_or_default() {
            if row.value.is_some_and(|value| sums.get(&row.key) == Some(&crc32fast::hash(&value))) {
                sums.remove(&row.key);
            }
        }
    })?;
    if !sums.is_empty() || !scan.damaged.is_empty() || scan.torn_bytes > 0 {
        let detail = format!("{} rows do not read back as they were written", sums.len());
        return Err(StoreError::damaged(path.display().to_string(), detail));
    }
    Ok(log)
}
