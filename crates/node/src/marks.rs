//! Which own entries need somebody: drafts, conflicts, refused requests. Kept in memory beside their rows, so that nobody
//! reads all rows to answer a question. Filled once after the start, in the background.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use ortsnetz_model::EntryId;
use ortsnetz_store::{Batch, Store};

use crate::error::NodeError;
use crate::rows::{self, OWN_ENTRIES, OwnEntry, Published, Request};
use crate::shared::lock;

/// How long a question right after the start waits for the first reading of all rows.
const FIRST_READING: Duration = Duration::from_millis(500);

/// The marks of all own entries.
#[derive(Default)]
pub(crate) struct Marks {
    marked: Mutex<Marked>,
    filled: Condvar,
}

/// Entries by what they need.
#[derive(Default)]
pub(crate) struct Marked {
    /// The working documents are ahead of the published ones; withdrawn entries are left out.
    pub drafts: BTreeSet<EntryId>,
    /// There are conflicts in the working documents.
    pub conflicts: BTreeSet<EntryId>,
    /// The publisher refused, with its reason.
    pub refused: BTreeMap<EntryId, String>,
    /// All rows were read.
    filled: bool,
    /// Entries written before that: what is read of them later is older.
    written: BTreeSet<EntryId>,
}

/// Rows of own entries that a batch writes.
pub(crate) struct Written(Vec<(EntryId, Option<OwnEntry>)>);

impl Written {
    /// Looks into a batch before it is handed to the store.
    pub fn by(batch: &Batch) -> Self {
        let rows = batch.custom(OWN_ENTRIES).filter_map(|(key, value)| {
            let row = value.and_then(|bytes| rows::decode("the row of an own entry", bytes).ok());
            Some((EntryId::from_slice(key)?, row))
        });
        Self(rows.collect())
    }
}

impl Marks {
    /// Notes what a batch wrote, once it is durable.
    pub fn note(&self, written: Written) {
        if written.0.is_empty() {
            return;
        }
        let mut marked = lock(&self.marked);
        for (entry, row) in written.0 {
            if !marked.filled {
                marked.written.insert(entry);
            }
            marked.set(entry, row.as_ref());
        }
    }

    /// Reads all rows, once after the start. `go_on` is asked in between.
    pub fn fill(&self, store: &Store, go_on: impl Fn() -> bool) -> Result<(), NodeError> {
        rows::each_own_entry(store, None, &mut |entry, row| {
            let mut marked = lock(&self.marked);
            if !marked.written.contains(&entry) {
                marked.set(entry, Some(&row));
            }
            drop(marked);
            Ok(go_on())
        })?;
        let mut marked = lock(&self.marked);
        (marked.filled, marked.written) = (true, BTreeSet::new());
        drop(marked);
        self.filled.notify_all();
        Ok(())
    }

    /// The marks now. Right after the start of a large node some may still be missing.
    pub fn look(&self) -> MutexGuard<'_, Marked> {
        let marked = lock(&self.marked);
        let waited = self.filled.wait_timeout_while(marked, FIRST_READING, |marked| !marked.filled);
        waited.unwrap_or_else(std::sync::PoisonError::into_inner).0
    }
}

impl Marked {
    fn set(&mut self, entry: EntryId, row: Option<&OwnEntry>) {
        let in_set = |set: &mut BTreeSet<EntryId>, holds: bool| {
            if holds {
                set.insert(entry)
            } else {
                set.remove(&entry)
            };
        };
        in_set(&mut self.drafts, row.is_some_and(|row| row.draft && row.published != Published::Withdrawn));
        in_set(&mut self.conflicts, row.is_some_and(|row| row.conflicts));
        match row.map(|row| &row.request) {
            Some(Request::Refused(reason)) => self.refused.insert(entry, reason.clone()),
            _ => self.refused.remove(&entry),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ortsnetz_model::CollectionId;
    use ortsnetz_store::Origin;

    fn row(draft: bool, conflicts: bool) -> OwnEntry {
        OwnEntry { draft, conflicts, ..OwnEntry::new(CollectionId([1; 16])) }
    }

    fn put(store: &Store, marks: Option<&Marks>, entry: u8, row: &OwnEntry) {
        let mut batch = Batch::new(Origin::Own);
        rows::put_own_entry(&mut batch, &EntryId([entry; 16]), row);
        let written = Written::by(&batch);
        store.commit(batch).expect("commit");
        if let Some(marks) = marks {
            marks.note(written);
        }
    }

    #[test]
    fn marks_follow_the_rows_and_are_the_same_after_a_restart() {
        let (store, marks) = (Store::memory(), Marks::default());
        marks.fill(&store, || true).expect("fill");
        put(&store, Some(&marks), 1, &row(true, false));
        put(&store, Some(&marks), 2, &row(true, true));
        put(&store, Some(&marks), 2, &row(false, true));
        put(&store, Some(&marks), 3, &OwnEntry { published: Published::Withdrawn, ..row(true, false) });
        put(&store, Some(&marks), 4, &OwnEntry { request: Request::Refused("no".into()), ..row(false, false) });
        let again = Marks::default();
        again.fill(&store, || true).expect("fill");
        for marks in [marks, again] {
            let marked = marks.look();
            assert_eq!(marked.drafts, BTreeSet::from([EntryId([1; 16])]));
            assert_eq!(marked.conflicts, BTreeSet::from([EntryId([2; 16])]));
            assert_eq!(marked.refused, BTreeMap::from([(EntryId([4; 16]), "no".to_owned())]));
        }
    }

    #[test]
    fn what_is_written_while_the_rows_are_read_is_not_overwritten_by_what_was_read() {
        let (store, marks) = (Store::memory(), Marks::default());
        put(&store, None, 1, &row(true, false));
        // The row as it was is read after the newer one was noted.
        let mut newer = Batch::new(Origin::Own);
        rows::put_own_entry(&mut newer, &EntryId([1; 16]), &row(false, true));
        marks.note(Written::by(&newer));
        marks.fill(&store, || true).expect("fill");
        let marked = marks.look();
        assert!(marked.drafts.is_empty());
        assert_eq!(marked.conflicts.len(), 1);
    }
}
