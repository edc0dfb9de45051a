//! Making changes.
//!
//! A change is put together by hand and applied as a whole: automerge's transactions insert one operation after the other,
//! which for a new entry takes ten times as long.

use std::collections::HashMap;
use std::num::NonZeroU64;

use automerge::legacy::{Key, ObjectId, Op, OpId, OpType};
use automerge::{Automerge, Change, ExpandedChange, ObjId, ReadDoc, ScalarValue};

use super::{Chunk, Document, DocumentError, failed, first, guarded, within};
use crate::limits::{CHANGE_OPERATIONS_MAX, CHUNK_BYTES_MAX, DOCUMENT_OPERATIONS_MAX, HISTORY_CHANGES_MAX};

/// Up to so many keys are looked up one by one.
const LOOKUPS_MAX: usize = 16;

impl Document {
    /// Makes one change of these writes (`None` removes); `None` if there are none. On an error nothing has changed.
    pub(super) fn write(
        &mut self,
        writes: Vec<(String, Option<ScalarValue>)>,
        at: u64,
    ) -> Result<Option<Chunk>, DocumentError> {
        if writes.is_empty() {
            return Ok(None);
        }
        let stats = self.automerge.stats();
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        within("number of operations in a change", writes.len(), CHANGE_OPERATIONS_MAX)?;
        within("number of operations", size(stats.num_ops).saturating_add(writes.len()), DOCUMENT_OPERATIONS_MAX)?;
        within("number of changes", size(stats.num_changes).saturating_add(1), HISTORY_CHANGES_MAX)?;
        let change = guarded(|| Ok(self.change(writes, at)))?;
        within("size of a change in bytes", change.raw_bytes().len(), CHUNK_BYTES_MAX)?;
        let chunk = Chunk::from_bytes(change.raw_bytes().to_vec());
        let sequence = change.seq();
        guarded(|| self.automerge.apply_changes([change]).map_err(failed))?;
        self.know_actor();
        self.sequence = Some(sequence);
        Ok(Some(chunk))
    }

    fn change(&self, writes: Vec<(String, Option<ScalarValue>)>, at: u64) -> Change {
        let heads = self.automerge.get_heads();
        let newest = heads.iter().filter_map(|head| self.automerge.get_change_meta_by_hash(head));
        let start = newest.map(|change| change.max_op).max().unwrap_or(0).saturating_add(1);
        let sequence = self.sequence.unwrap_or_else(|| last_sequence(&self.automerge));
        let is_new = heads.iter().all(|head| head.0 == first::HASH.0);
        let in_one_pass = (!is_new && writes.len() > LOOKUPS_MAX).then(|| self.all_operations());
        let operation = |(key, value): (String, Option<ScalarValue>)| {
            let (container, inner) = first::place(&key);
            let replaced = match &in_one_pass {
                _ if is_new => Vec::new(),
                Some(all) => all.get(&(container, inner.to_owned())).cloned().unwrap_or_default(),
                None => self.operations_at(container, inner),
            };
            Op {
                action: value.map_or(OpType::Delete, OpType::Put),
                obj: ObjectId::Id(OpId(container as u64 + 1, first::actor())),
                key: Key::Map(inner.into()),
                pred: replaced.into(),
                insert: false,
            }
        };
        Change::from(ExpandedChange {
            operations: writes.into_iter().map(operation).collect(),
            actor_id: self.automerge.get_actor().clone(),
            hash: None,
            seq: sequence.saturating_add(1),
            start_op: NonZeroU64::new(start).unwrap_or(NonZeroU64::MIN),
            time: i64::try_from(at / 1000).unwrap_or(i64::MAX),
            message: None,
            deps: heads,
            extra_bytes: Vec::new(),
            author: None,
        })
    }

    /// The operations whose values stand at a key now.
    fn operations_at(&self, container: usize, inner: &str) -> Vec<OpId> {
        let values = self.automerge.get_all(first::container(container), inner).unwrap_or_default();
        values.into_iter().filter_map(|(_, id)| operation_id(id)).collect()
    }

    /// The same for all keys.
    fn all_operations(&self) -> HashMap<(usize, String), Vec<OpId>> {
        let mut all = HashMap::new();
        for container in 0..first::CONTAINERS {
            for item in self.automerge.map_range(first::container(container), ..) {
                let operations = if item.conflict {
                    self.operations_at(container, &item.key)
                } else {
                    operation_id(item.id()).into_iter().collect()
                };
                all.insert((container, item.key.into_owned()), operations);
            }
        }
        all
    }
}

fn operation_id(id: ObjId) -> Option<OpId> {
    match id {
        ObjId::Id(counter, actor, _) => Some(OpId(counter, actor)),
        ObjId::Root => None,
    }
}

/// How many changes the document's actor has made in it.
fn last_sequence(automerge: &Automerge) -> u64 {
    automerge.get_last_local_change().map_or(0, |change| change.seq())
}
