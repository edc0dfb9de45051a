//! The fixed first change: the three containers, the same bytes on every node.

use std::sync::LazyLock;

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, ObjId, ObjType, ROOT};

use crate::ids::Hash;

/// What the first change hashes to. A test builds it anew and compares.
pub(super) const HASH: Hash = Hash([
    0xd9, 0x4c, 0x2a, 0xaa, 0xf1, 0x93, 0x87, 0xc0, 0xdc, 0x16, 0x5e, 0x04, 0xff, 0xe2, 0x64, 0xbf, 0x1d, 0xb3, 0x35,
    0x3e, 0x57, 0xf4, 0x53, 0x5c, 0x02, 0x7c, 0x2a, 0x90, 0xbf, 0xf4, 0xec, 0x83,
]);

/// Who made it: nobody else may use this actor.
const ACTOR: &[u8] = b"o";

/// The containers in the order of their creation. Everything that is in none of the others is in the first.
const NAMES: [&str; 3] = ["fields", "texts", "extensions"];

pub(super) const CONTAINERS: usize = NAMES.len();

static DOCUMENT: LazyLock<Automerge> = LazyLock::new(build);

pub(super) fn actor() -> ActorId {
    ActorId::from(ACTOR)
}

/// A document with the first change only.
pub(super) fn document() -> Automerge {
    DOCUMENT.clone()
}

fn build() -> Automerge {
    let mut document = Automerge::new().with_actor(actor());
    let mut transaction = document.transaction();
    for name in NAMES {
        // The root map of an empty document takes any key.
        let made = transaction.put_object(ROOT, name, ObjType::Map);
        debug_assert!(made.is_ok());
    }
    transaction.commit_with(CommitOptions::default().with_time(0));
    document
}

/// The object of a container, by its index.
pub(super) fn container(index: usize) -> ObjId {
    ObjId::Id(index as u64 + 1, actor(), 0)
}

/// Which container a key lies in, and as what.
pub(super) fn place(key: &str) -> (usize, &str) {
    for (index, name) in NAMES.iter().enumerate().skip(1) {
        if let Some(inner) = key.strip_prefix(name).and_then(|rest| rest.strip_prefix('/')) {
            return (index, inner);
        }
    }
    (0, key)
}

/// The whole key of what lies in a container as `inner`; `None` if it does not belong there.
pub(super) fn key(container: usize, inner: &str) -> Option<String> {
    match container {
        0 => (place(inner).0 == 0).then(|| inner.to_owned()),
        _ => NAMES.get(container).map(|name| format!("{name}/{inner}")),
    }
}

#[cfg(test)]
mod tests {
    use automerge::ReadDoc;

    use super::*;

    #[test]
    fn the_first_change_is_the_same_everywhere() {
        let heads = build().get_heads();
        assert_eq!(heads.len(), 1);
        assert_eq!(Hash(heads[0].0).to_string(), HASH.to_string());
        for (index, name) in NAMES.iter().enumerate() {
            let (_, found) = DOCUMENT.get(ROOT, *name).unwrap().unwrap();
            assert_eq!(found, container(index));
        }
    }

    #[test]
    fn every_key_has_one_place() {
        for name in ["title/de", "texts/notes/de/a", "extensions/a", "textsy", "texts", "extensions/"] {
            let (container, inner) = place(name);
            assert_eq!(key(container, inner).as_deref(), Some(name));
        }
        assert_eq!(key(0, "texts/notes"), None);
    }
}
