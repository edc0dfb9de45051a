//! Values changed at two places at once.

use std::collections::BTreeMap;

use automerge::{ChangeHash, ObjId, ReadDoc, ScalarValue};
use serde_json::Value;

use super::chunk::milliseconds;
use super::history::readable;
use super::properties::orphan_of;
use super::{Actor, Chunk, Conflict, ConflictValue, Document, DocumentError, first};
use crate::build;
use crate::classify::{Leaf, classify};
use crate::codes::Kind;
use crate::flat::{Flat, Node};
use crate::ids::Hash;
use crate::schema;

/// A conflict and what to write to decide it.
struct Found {
    conflict: Conflict,
    /// For each value the keys to write (`None` removes).
    decisions: Vec<Vec<(String, Option<ScalarValue>)>>,
}

impl Document {
    /// Values changed at two places at once, in the order of the fields. Equal values are no conflict, neither is the
    /// order of elements.
    pub fn conflicts(&self) -> Vec<Conflict> {
        self.find_conflicts().into_iter().map(|found| found.conflict).collect()
    }

    /// Decides a conflict for its value number `n`.
    pub fn resolve(&mut self, path: &str, n: usize, at: u64) -> Result<Chunk, DocumentError> {
        let found = self.find_conflicts().into_iter().find(|found| found.conflict.path == path);
        let decision = found.and_then(|found| found.decisions.into_iter().nth(n));
        let missing = || DocumentError::NoSuchConflict { path: path.to_owned(), n };
        self.write(decision.ok_or_else(missing)?, at)?.ok_or_else(missing)
    }

    fn find_conflicts(&self) -> Vec<Found> {
        let (flat, several) = self.properties_and_conflicts();
        let root = Node::of(&flat);
        let kind = build::kind(&root);
        let mut found = Vec::new();
        let mut orphans: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for key in flat.keys() {
            if let Some(element) = orphan_of(&flat, &kind, key) {
                orphans.entry(element).or_default().push(key);
            }
        }
        for key in &several {
            if orphan_of(&flat, &kind, key).is_none() {
                found.extend(self.several_values(key, &kind, &root));
            }
        }
        for (element, keys) in orphans {
            found.extend(self.removed_and_changed(element, &keys, &flat, &kind));
        }
        let position = |found: &Found| {
            let field = found.conflict.path.split(['.', '#']).next().unwrap_or_default();
            schema::fields(&kind).iter().position(|known| known.name == field)
        };
        found.sort_by(|a, b| position(a).cmp(&position(b)).then_with(|| a.conflict.path.cmp(&b.conflict.path)));
        found
    }

    fn several_values(&self, key: &str, kind: &Kind, root: &Node<'_>) -> Option<Found> {
        let meaning = classify(kind, key)?;
        if meaning.leaf == Leaf::Order {
            return None;
        }
        let mut values: Vec<ConflictValue> = Vec::new();
        let mut decisions: Vec<Vec<(String, Option<ScalarValue>)>> = Vec::new();
        for (value, id) in self.all_values(key) {
            let Some(json) = build::json(&value) else { continue };
            if values.iter().all(|other| other.value != json) {
                values.push(self.written(json, &id));
                decisions.push(vec![(key.to_owned(), Some(value))]);
            }
        }
        let path = readable(kind, key, Some(root));
        (values.len() > 1).then_some(Found { conflict: Conflict { path, values }, decisions })
    }

    /// An element that is gone and was changed elsewhere: value 0 is the removal, value 1 the element as the one who
    /// changed it saw it.
    fn removed_and_changed(&self, element: &str, keys: &[&str], flat: &Flat, kind: &Kind) -> Option<Found> {
        let newest = keys.iter().flat_map(|key| self.all_values(key)).map(|(_, id)| id).max_by_key(order_of)?;
        let changed = self.written(Value::Null, &newest);
        let seen = self.properties_at(&[changed.change]).ok()?;
        let inside = |key: &str| key == element || key.strip_prefix(element).is_some_and(|rest| rest.starts_with('/'));
        let mut restored: Flat = seen.into_iter().filter(|(key, _)| inside(key)).collect();
        if !restored.contains_key(element) {
            // Whoever changed it did not have it either: leftovers without meaning.
            return None;
        }
        restored.extend(keys.iter().filter_map(|key| Some(((*key).to_owned(), flat.get(*key)?.clone()))));
        let value = element_json(&restored, element, kind);
        let remove = keys.iter().map(|key| ((*key).to_owned(), None)).collect();
        let restore = restored.into_iter().map(|(key, value)| (key, Some(value))).collect();
        // Who removed it the history does not say; the time and writer shown are those of the change.
        let values = vec![changed.clone(), ConflictValue { value, ..changed }];
        let path = readable(kind, element, None);
        Some(Found { conflict: Conflict { path, values }, decisions: vec![remove, restore] })
    }

    /// Every value at a key with the operation that wrote it, in the same order on every node.
    fn all_values(&self, key: &str) -> Vec<(ScalarValue, ObjId)> {
        let (container, inner) = first::place(key);
        let values = self.automerge.get_all(first::container(container), inner).unwrap_or_default();
        values.into_iter().filter_map(|(value, id)| Some((value.into_scalar().ok()?, id))).collect()
    }

    fn written(&self, value: Value, id: &ObjId) -> ConflictValue {
        let change = self.automerge.hash_for_opid(id).unwrap_or(ChangeHash([0; 32]));
        let at = self.automerge.get_change_meta_by_hash(&change).map_or(0, |change| milliseconds(change.timestamp));
        let actor = match id {
            ObjId::Id(_, actor, _) => Actor::from_id(actor),
            ObjId::Root => Actor::from_id(&first::actor()),
        };
        ConflictValue { value, actor, change: Hash(change.0), at }
    }
}

fn order_of(id: &ObjId) -> (u64, Vec<u8>) {
    match id {
        ObjId::Root => (0, Vec::new()),
        ObjId::Id(counter, actor, _) => (*counter, actor.to_bytes().to_vec()),
    }
}

/// What one element or block says, for a person: the text of a block, else its fields.
fn element_json(restored: &Flat, element: &str, kind: &Kind) -> Value {
    let text = restored.get(&format!("{element}/{}", crate::flat::BLOCK_TEXT));
    if let (Some(ScalarValue::Str(text)), Some(Leaf::Block)) =
        (text, classify(kind, &format!("{element}/{}", crate::flat::BLOCK_TEXT)).map(|meaning| meaning.leaf))
    {
        return Value::String(text.to_string());
    }
    let mut whole = restored.clone();
    whole.insert("kind".into(), ScalarValue::Str(kind.as_str().into()));
    let entry = build::bare(&Node::of(&whole));
    let mut value = entry.into_iter().find(|(name, _)| name != "kind").map_or(Value::Null, |(_, value)| value);
    if let Value::Array(list) = &mut value {
        value = list.pop().unwrap_or_default();
    }
    value
}
