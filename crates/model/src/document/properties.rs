//! Reading and writing the properties of a document.

use std::collections::BTreeSet;

use automerge::{ChangeHash, ReadDoc, ScalarValue, ValueRef};

use super::{Document, DocumentError, first};
use crate::build;
use crate::classify::classify;
use crate::codes::Kind;
use crate::flat::{Flat, Node};
use crate::ids::Hash;

impl Document {
    /// The properties as they stand.
    pub(super) fn properties(&self) -> Flat {
        self.properties_and_conflicts().0
    }

    /// The properties, and the keys that have more than one value.
    pub(super) fn properties_and_conflicts(&self) -> (Flat, BTreeSet<String>) {
        let mut flat = Vec::new();
        let mut several = BTreeSet::new();
        for container in 0..first::CONTAINERS {
            for item in self.automerge.map_range(first::container(container), ..) {
                let (ValueRef::Scalar(value), Some(key)) = (item.value, first::key(container, &item.key)) else {
                    continue;
                };
                if item.conflict {
                    several.insert(key.clone());
                }
                flat.push((key, ScalarValue::from(value)));
            }
        }
        (flat.into_iter().collect(), several)
    }

    /// The properties at a version.
    pub(super) fn properties_at(&self, heads: &[Hash]) -> Result<Flat, DocumentError> {
        if let Some(unknown) = heads.iter().find(|hash| !self.contains(std::slice::from_ref(hash))) {
            return Err(DocumentError::UnknownVersion(*unknown));
        }
        let mut sorted = heads.to_vec();
        sorted.sort_unstable();
        if sorted == self.heads() {
            return Ok(self.properties());
        }
        let heads: Vec<ChangeHash> = heads.iter().map(|hash| ChangeHash(hash.0)).collect();
        let mut flat = Flat::new();
        for container in 0..first::CONTAINERS {
            for item in self.automerge.map_range_at(first::container(container), .., &heads) {
                if let (ValueRef::Scalar(value), Some(key)) = (item.value, first::key(container, &item.key)) {
                    flat.insert(key, ScalarValue::from(value));
                }
            }
        }
        Ok(flat)
    }
}

/// What to write so that `current` becomes `wanted`. Keys this version does not know stay, and so does what somebody
/// changed in an element that is gone: that is a conflict to resolve.
pub(super) fn difference(current: &Flat, wanted: Flat, kind: &Kind) -> Vec<(String, Option<ScalarValue>)> {
    let root = Node::of(current);
    let old_kind = build::kind(&root);
    let mut writes = Vec::new();
    for (key, value) in current.iter().filter(|(key, _)| !wanted.contains_key(*key)) {
        let Some(meaning) = classify(&old_kind, key).or_else(|| classify(kind, key)) else { continue };
        let exists = |end: &usize| current.contains_key(&key[..*end]) || wanted.contains_key(&key[..*end]);
        let readable = match meaning.leaf {
            crate::classify::Leaf::Scalar(scalar) => build::scalar_value(value, scalar).is_some(),
            _ => true,
        };
        if readable && meaning.elements.iter().all(exists) {
            writes.push((key.clone(), None));
        }
    }
    for (key, value) in wanted {
        if current.get(&key) != Some(&value) {
            writes.push((key, Some(value)));
        }
    }
    writes
}

/// The properties without those of elements that are gone.
pub(super) fn without_orphans(mut flat: Flat) -> Flat {
    let kind = build::kind(&Node::of(&flat));
    let orphans: Vec<String> = flat.keys().filter(|key| orphan_of(&flat, &kind, key).is_some()).cloned().collect();
    for key in orphans {
        flat.remove(&key);
    }
    flat
}

/// The key of the outermost element around `key` that is gone, if one is.
pub(super) fn orphan_of<'k>(flat: &Flat, kind: &Kind, key: &'k str) -> Option<&'k str> {
    let meaning = classify(kind, key)?;
    meaning.elements.into_iter().map(|end| &key[..end]).find(|element| !flat.contains_key(*element))
}
