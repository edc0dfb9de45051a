//! The hash tree of a feed: 4,096 leaves by the first 12 bits of SHA-256(entry), two levels of 64. Who holds the items of
//! one leaf and the hashes beside its way up can show that a record stands under a signed root.

use ortsnetz_model::{EntryId, Hash};
use sha2::{Digest, Sha256};

/// Leaves of the tree.
pub const LEAVES: usize = FAN * FAN;
/// Buckets on each of the two levels.
pub const FAN: usize = 64;
/// The hash of a leaf, a bucket or a tree that holds nothing.
pub const EMPTY: Hash = Hash([0; 32]);

/// The leaf an entry lies in.
pub fn leaf_of(entry: &EntryId) -> u16 {
    let digest = Sha256::digest(entry.0);
    u16::from(digest[0]) << 4 | u16::from(digest[1]) >> 4
}

/// The hash of a leaf: over the hashes of its items, sorted by entry.
pub fn leaf_hash<'a>(items: impl IntoIterator<Item = &'a Hash>) -> Hash {
    let mut items = items.into_iter().peekable();
    if items.peek().is_none() {
        return EMPTY;
    }
    let mut hasher = Sha256::new();
    hasher.update(b"ortsnetz/leaf/v1");
    items.for_each(|item| hasher.update(item.0));
    Hash(hasher.finalize().into())
}

/// The hash of a bucket of the upper level: over its 64 leaves.
pub fn node_hash(leaves: &[Hash]) -> Hash {
    combine(b"ortsnetz/node/v1", leaves)
}

/// The root: over the 64 buckets.
pub fn root_hash(nodes: &[Hash]) -> Hash {
    combine(b"ortsnetz/root/v1", nodes)
}

fn combine(domain: &[u8], hashes: &[Hash]) -> Hash {
    if hashes.iter().all(|hash| *hash == EMPTY) {
        return EMPTY;
    }
    let mut hasher = Sha256::new();
    hasher.update(domain);
    hashes.iter().for_each(|hash| hasher.update(hash.0));
    Hash(hasher.finalize().into())
}

/// What shows that an item stands in a tree, about 4 KiB: everything beside its way from the leaf to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// The item hashes of its leaf, sorted by entry, its own among them.
    pub items: Vec<Hash>,
    /// The 64 leaves of its bucket.
    pub leaves: Vec<Hash>,
    /// The 64 buckets.
    pub nodes: Vec<Hash>,
}

impl Inclusion {
    /// The root of the tree in which `item` of `entry` stands; `None` if this shows no such tree.
    pub fn root(&self, entry: &EntryId, item: &Hash) -> Option<Hash> {
        let leaf = usize::from(leaf_of(entry));
        let whole = self.leaves.len() == FAN && self.nodes.len() == FAN;
        let stands = whole
            && self.items.contains(item)
            && self.leaves[leaf % FAN] == leaf_hash(&self.items)
            && self.nodes[leaf / FAN] == node_hash(&self.leaves);
        stands.then(|| root_hash(&self.nodes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: EntryId = EntryId([9; 16]);
    const ITEM: Hash = Hash([7; 32]);

    fn inclusion() -> Inclusion {
        let leaf = usize::from(leaf_of(&ENTRY));
        let items = vec![Hash([1; 32]), ITEM];
        let (mut leaves, mut nodes) = (vec![EMPTY; FAN], vec![Hash([3; 32]); FAN]);
        leaves[leaf % FAN] = leaf_hash(&items);
        nodes[leaf / FAN] = node_hash(&leaves);
        Inclusion { items, leaves, nodes }
    }

    #[test]
    fn an_item_leads_to_one_root_and_nothing_else_does() {
        let good = inclusion();
        let root = good.root(&ENTRY, &ITEM);
        assert_eq!(root, Some(root_hash(&good.nodes)));
        assert_eq!(good.root(&ENTRY, &Hash([8; 32])), None, "another item");
        assert_eq!(good.root(&EntryId([8; 16]), &ITEM), None, "another leaf");
        let mut more = good.clone();
        more.items.push(Hash([9; 32]));
        assert_eq!(more.root(&ENTRY, &ITEM), None, "an item more");
        let mut short = good.clone();
        short.nodes.pop();
        assert_eq!(short.root(&ENTRY, &ITEM), None, "a bucket less");
        let mut other = good;
        let beside = (usize::from(leaf_of(&ENTRY)) / FAN + 1) % FAN;
        other.nodes[beside] = EMPTY;
        assert_ne!(other.root(&ENTRY, &ITEM), root, "another tree");
    }

    #[test]
    fn nothing_is_all_zero() {
        assert_eq!(leaf_hash([]), EMPTY);
        assert_eq!(root_hash(&[EMPTY; FAN]), EMPTY);
        assert_eq!(usize::from(u16::MAX >> 4) + 1, LEAVES);
    }
}
