//! What happened to a document.

use std::collections::BTreeSet;

use automerge::legacy::{Key, ObjectId};
use automerge::{Change, ChangeHash};

use super::chunk::milliseconds;
use super::{Actor, Chunk, Document, HistoryItem, LastChange, first};
use crate::build;
use crate::classify::{Leaf, classify};
use crate::codes::Kind;
use crate::flat::{Node, unescape};
use crate::ids::Hash;
use crate::schema::join;

impl Document {
    /// The chunks that someone who has `have` lacks, in an order in which each comes after what it builds on. Without
    /// the fixed first change. Hashes we do not know are ignored.
    pub fn changes_since(&self, have: &[Hash]) -> Vec<Chunk> {
        let have: Vec<ChangeHash> = have.iter().map(|hash| ChangeHash(hash.0)).collect();
        let changes = self.automerge.get_changes(&have).into_iter();
        let changes = changes.filter(|change| change.hash().0 != first::HASH.0);
        changes.map(|change| Chunk::from_bytes(change.raw_bytes().to_vec())).collect()
    }

    /// Whether the version `older` is part of the version `newer`: every change of the one is in the other.
    pub fn is_ancestor(&self, older: &[Hash], newer: &[Hash]) -> bool {
        if !self.contains(older) || !self.contains(newer) {
            return false;
        }
        if older.iter().all(|hash| newer.contains(hash)) {
            return true;
        }
        let newer: Vec<ChangeHash> = newer.iter().map(|hash| ChangeHash(hash.0)).collect();
        let outside = self.automerge.get_changes_meta(&newer);
        !outside.iter().any(|change| older.iter().any(|hash| hash.0 == change.hash.0))
    }

    /// The newest of the changes that nothing builds on yet; `None` if there is only the fixed first one.
    pub fn last_change(&self) -> Option<LastChange> {
        let heads = self.automerge.get_heads();
        let changes = heads.iter().filter_map(|head| self.automerge.get_change_meta_by_hash(head));
        let changes = changes.filter(|change| change.hash.0 != first::HASH.0);
        let last = changes.max_by_key(|change| (change.timestamp, change.hash))?;
        Some(LastChange { hash: Hash(last.hash.0), at: milliseconds(last.timestamp) })
    }

    /// The version of everything but this change, sorted; `None` if another change builds on it, or it is not here.
    pub fn without(&self, change: &Hash) -> Option<Vec<Hash>> {
        let heads = self.automerge.get_heads();
        let change = heads.iter().find(|head| head.0 == change.0)?;
        let below = self.automerge.get_change_meta_by_hash(change)?.deps;
        let others = heads.iter().filter(|head| *head != change).chain(&below);
        let mut rest: Vec<Hash> = others.map(|hash| Hash(hash.0)).collect();
        rest.sort_unstable();
        rest.dedup();
        Some(rest)
    }

    /// All changes, oldest first, without the fixed first one.
    pub fn history(&self) -> Vec<HistoryItem> {
        let flat = self.properties();
        let root = Node::of(&flat);
        let kind = build::kind(&root);
        let changes = self.automerge.get_changes(&[]).into_iter();
        let changes = changes.filter(|change| change.hash().0 != first::HASH.0);
        changes
            .map(|change| HistoryItem {
                heads: vec![Hash(change.hash().0)],
                actor: Actor::from_id(change.actor_id()),
                at: milliseconds(change.timestamp()),
                paths: paths(&change, &kind, &root),
            })
            .collect()
    }
}

fn paths(change: &Change, kind: &Kind, root: &Node<'_>) -> Vec<String> {
    let mut paths = BTreeSet::new();
    for operation in &change.decode().operations {
        let ObjectId::Id(object) = &operation.obj else { continue };
        let container =
            (0..first::CONTAINERS).find(|index| *index as u64 + 1 == object.0 && object.1 == first::actor());
        if let (Some(container), Key::Map(inner)) = (container, &operation.key) {
            paths.extend(first::key(container, inner).map(|key| without_ids(&readable(kind, &key, Some(root)))));
        }
    }
    paths.into_iter().collect()
}

/// A path without the ids of blocks and elements, which mean nothing to a person.
pub(crate) fn without_ids(path: &str) -> String {
    let mut parts = path.split('#');
    let mut short = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        short.push_str(part.find('.').map_or("", |end| &part[end..]));
    }
    short
}

/// A key in the path language: elements by their index now (`fees.0.amount`), those that are gone and blocks by their id
/// (`fees#k3x9qa.amount`, `texts.notes.de#k3x9qa`), listed values and their order by the list.
pub(crate) fn readable(kind: &Kind, key: &str, root: Option<&Node<'_>>) -> String {
    let Some(meaning) = classify(kind, key) else { return key.replace('/', ".") };
    let mut path = String::new();
    let mut node = root;
    let mut at = 0;
    // The value itself is no step of the path.
    let end = match meaning.leaf {
        Leaf::Block => key.rfind('/').unwrap_or(key.len()),
        Leaf::Order if meaning.elements.is_empty() => listed_end(kind, key),
        _ => key.len(),
    };
    for step in key[..end].split('/') {
        at += step.len();
        if meaning.elements.contains(&at) {
            let index = (meaning.leaf != Leaf::Block).then(|| node.and_then(|node| index_of(node, step))).flatten();
            path = index.map_or_else(|| format!("{path}#{step}"), |index| join(&path, index));
        } else {
            path = join(&path, unescape(step));
        }
        node = node.and_then(|node| node.children.get(step));
        at += 1;
    }
    path
}

fn index_of(list: &Node<'_>, id: &str) -> Option<usize> {
    list.elements().iter().position(|(other, _, _)| *other == id)
}

/// Where the path of the list ends that a listed value belongs to.
fn listed_end(kind: &Kind, key: &str) -> usize {
    // `<list>/<value>` or `<list>/<value>/<n>`: cutting the value off leaves a key that means nothing by itself.
    let last = key.rfind('/').unwrap_or(key.len());
    match classify(kind, &key[..last]) {
        Some(meaning) if meaning.leaf == Leaf::Order => key[..last].rfind('/').unwrap_or(last),
        _ => last,
    }
}
