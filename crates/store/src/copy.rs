//! Copies all rows while others write: first page by page, then, with the writer paused, what changed meanwhile.

use std::collections::BTreeSet;
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};

use crate::error::StoreError;
use crate::log::Log;
use crate::shared::PAGE_ROWS;
use crate::store::Store;
use crate::writer::{Job, Paused};

/// With fewer changed rows than this left, the writer is paused for them.
const CHANGED_ROWS_MAX: usize = 2_000;

/// Rounds of copying what changed, before the writer is paused anyway.
const ROUNDS_MAX: usize = 8;

/// Takes the rows of a copy.
pub(crate) trait Sink {
    /// A row: its key, and its value as it lies in the table or `None` if it is gone. Later rows win.
    fn take(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) -> Result<(), StoreError>;

    /// Nearly all rows were taken. Others still write; what they change from now on is taken afterwards.
    fn settled(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A writer that waits; dropping this lets it go on.
pub(crate) struct Pause {
    pub(crate) change: u64,
    /// Keys of the rows taken after [`Sink::settled`].
    pub(crate) changed: BTreeSet<Vec<u8>>,
    resume: Sender<Option<Log>>,
}

impl Pause {
    /// Lets the writer go on with another own log.
    pub(crate) fn resume_with(self, log: Log) {
        // If the writer is gone, so is the need for a log.
        let _ = self.resume.send(Some(log));
    }
}

impl Store {
    /// Gives every row to the sink, and at the end, with the writer paused, the rows changed meanwhile.
    pub(crate) fn copy(&self, sink: &mut dyn Sink) -> Result<Pause, StoreError> {
        self.ask(Job::Watch)?;
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = self.shared().read(|table| table.page(&[], after.as_deref(), PAGE_ROWS))?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (key, value) in page {
                sink.take(key, Some(value))?;
            }
        }
        for _ in 0..ROUNDS_MAX {
            let changed = self.ask(Job::Changed)?;
            let few = changed.len() < CHANGED_ROWS_MAX;
            self.take_changed(&changed, sink)?;
            if few {
                break;
            }
        }
        sink.settled()?;
        let (entered, answer) = sync_channel(1);
        let (resume, wait) = channel();
        self.inner.jobs.send(Job::Pause { entered, resume: wait }).map_err(|_| self.gone())?;
        let Paused { changed, change } = answer.recv().map_err(|_| self.gone())?;
        self.take_changed(&changed, sink)?;
        Ok(Pause { change, changed, resume })
    }

    fn take_changed(&self, changed: &BTreeSet<Vec<u8>>, sink: &mut dyn Sink) -> Result<(), StoreError> {
        for key in changed {
            let value = self.shared().read(|table| table.get(key))?;
            sink.take(key.clone(), value)?;
        }
        Ok(())
    }

    fn ask<T>(&self, job: impl FnOnce(SyncSender<T>) -> Job) -> Result<T, StoreError> {
        let (sender, answer) = sync_channel(1);
        self.inner.jobs.send(job(sender)).map_err(|_| self.gone())?;
        answer.recv().map_err(|_| self.gone())
    }
}
