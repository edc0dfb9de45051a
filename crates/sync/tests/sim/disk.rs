//! A disk: what is durable. Writes wait outside and are lost, or half the time not, when the machine falls over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ortsnetz_model::{EntryId, FeedId, Hash, NodeId, OrgId, Position};
use ortsnetz_sync::{Item, OfferHash, Query, Snapshot, StoreBatch};
use ortsnetz_trust::{Body, Identity, SignedRecord};

/// A change: what it is based on and what it says, behind eight bytes as automerge has them.
pub fn chunk(parents: &[Hash], text: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, parents.len() as u8];
    parents.iter().for_each(|parent| bytes.extend(parent.0));
    bytes.extend(text);
    bytes
}

pub fn chunk_hash(chunk: &[u8]) -> Hash {
    Hash::of(chunk.get(8..).unwrap_or_default())
}

pub fn parents(chunk: &[u8]) -> Vec<Hash> {
    let count = usize::from(chunk.get(8).copied().unwrap_or(0));
    chunk.get(9..9 + 32 * count).unwrap_or_default().chunks(32).filter_map(Hash::from_slice).collect()
}

/// The heads a record gives its document.
pub fn heads(signed: &SignedRecord) -> Vec<Hash> {
    match &signed.record().body {
        Body::Draft(draft) => draft.documents.iter().flat_map(|document| document.heads.clone()).collect(),
        _ => signed.record().heads().unwrap_or_default().to_vec(),
    }
}

pub type DocumentKey = (FeedId, EntryId, u32);

/// A change on disk, with the position of the record it came with.
#[derive(Clone, Debug)]
pub struct Stored {
    pub position: Position,
    pub hash: Hash,
    pub bytes: Arc<Vec<u8>>,
}

#[derive(Clone, Debug, Default)]
pub struct Disk {
    pub records: BTreeMap<(FeedId, EntryId), Arc<SignedRecord>>,
    pub markers: BTreeMap<FeedId, Arc<SignedRecord>>,
    pub chunks: BTreeMap<DocumentKey, Vec<Stored>>,
    pub cursors: BTreeMap<FeedId, Position>,
    pub frozen: BTreeMap<FeedId, Position>,
    pub aside: BTreeMap<(FeedId, EntryId, Position), Item>,
    pub returned: BTreeMap<(FeedId, EntryId, Position), Item>,
    pub identities: BTreeMap<OrgId, Arc<Identity>>,
    pub taken: BTreeMap<NodeId, OfferHash>,
    pub unfollowed: BTreeSet<FeedId>,
}

/// An accepted record with the changes that are new.
pub type Outcome = Option<(SignedRecord, Vec<Vec<u8>>)>;

impl Disk {
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        self.identities.values().for_each(|identity| snapshot.organisation(identity.clone()));
        self.unfollowed.iter().for_each(|feed| snapshot.unfollowed(*feed));
        let kept = |signed: &&Arc<SignedRecord>| !self.unfollowed.contains(&signed.record().feed);
        let mut read = Snapshot::default();
        self.records.values().filter(kept).for_each(|signed| read.record(signed.record()));
        // Every other feed comes from what is kept of the records, as it does in a node.
        let feeds: BTreeSet<_> = self.records.values().filter(kept).map(|signed| signed.record().feed).collect();
        for (at, feed) in feeds.into_iter().enumerate() {
            if at % 2 == 0 {
                let kept = read.to_cache(&feed);
                assert!(read.cached(feed, &kept), "what was written can be read");
            }
        }
        snapshot.join(read);
        self.markers.values().filter(kept).for_each(|signed| snapshot.record(signed.record()));
        self.cursors
            .iter()
            .filter(|(feed, _)| !self.unfollowed.contains(*feed))
            .for_each(|(feed, cursor)| snapshot.cursor(*feed, *cursor));
        self.frozen.iter().for_each(|(feed, from)| snapshot.frozen(*feed, *from));
        self.aside.keys().for_each(|(feed, entry, position)| snapshot.aside(*feed, *entry, *position));
        self.taken.iter().for_each(|(node, taken)| snapshot.taken(*node, *taken));
        snapshot
    }

    pub fn keep(&mut self, signed: SignedRecord, new: Vec<Vec<u8>>) {
        let record = signed.record();
        let (feed, position) = (record.feed, record.position);
        let Some(entry) = record.entry else {
            self.markers.insert(feed, Arc::new(signed));
            return;
        };
        let document = (feed, entry, record.generation);
        self.chunks.retain(|(of, about, generation), _| (*of, *about) != (feed, entry) || *generation >= document.2);
        let held = self.chunks.entry(document).or_default();
        for bytes in new {
            let hash = chunk_hash(&bytes);
            if held.iter().all(|stored| stored.hash != hash) {
                held.push(Stored { position, hash, bytes: Arc::new(bytes) });
            }
        }
        self.records.insert((feed, entry), Arc::new(signed));
    }

    pub fn store(&mut self, batch: &StoreBatch, outcomes: Vec<Outcome>) {
        let Some(feed) = batch.feed else { return };
        for (entry, position) in &batch.set_aside {
            if let Some(signed) = self.records.get(&(feed, *entry)).cloned()
                && signed.record().position == *position
            {
                let item = self.whole(&signed);
                self.aside.insert((feed, *entry, *position), item);
                self.records.remove(&(feed, *entry));
            }
        }
        for (entry, position) in &batch.settled {
            self.aside.remove(&(feed, *entry, *position));
        }
        for (at, outcome) in outcomes.into_iter().enumerate() {
            let Some((signed, new)) = outcome else { continue };
            if batch.keep.contains(&at) {
                self.keep(signed, new);
            } else if batch.aside.contains(&at)
                && let Some(entry) = signed.record().entry
            {
                let key = (feed, entry, signed.record().position);
                self.aside.insert(key, Item { record: signed.to_bytes().into(), chunks: new });
            }
        }
        if let Some(cursor) = batch.cursor {
            self.cursors.insert(feed, cursor);
        }
        match batch.frozen {
            Some(Some(from)) => {
                self.frozen.insert(feed, from);
            }
            Some(None) => {
                self.frozen.remove(&feed);
            }
            None => {}
        }
    }

    /// A record with all changes it stands for.
    fn whole(&self, signed: &SignedRecord) -> Item {
        self.item(signed, None, &[])
    }

    fn item(&self, signed: &SignedRecord, after: Option<Position>, have: &[Hash]) -> Item {
        let record = signed.record();
        let mut chunks = Vec::new();
        if let Some(entry) = record.entry
            && let Some(held) = self.chunks.get(&(record.feed, entry, record.generation))
        {
            let wanted = closure(&heads(signed), held);
            let had = closure(have, held);
            chunks = held
                .iter()
                .filter(|stored| wanted.contains(&stored.hash) && !had.contains(&stored.hash))
                .filter(|stored| after.is_none_or(|after| stored.position > after))
                .map(|stored| stored.bytes.to_vec())
                .collect();
        }
        Item { record: signed.to_bytes().into(), chunks }
    }

    pub fn load(&self, feed: FeedId, query: &Query) -> Vec<Option<Item>> {
        let newest = |entry: &Option<EntryId>| match entry {
            Some(entry) => self.records.get(&(feed, *entry)),
            None => self.markers.get(&feed),
        };
        match query {
            Query::Records { entries, after } => {
                entries.iter().map(|entry| newest(entry).map(|signed| self.item(signed, *after, &[]))).collect()
            }
            Query::Difference { entry, have } => {
                vec![newest(&Some(*entry)).map(|signed| self.item(signed, None, have))]
            }
            Query::Aside { records } => {
                records.iter().map(|(entry, at)| self.aside.get(&(feed, *entry, *at)).cloned()).collect()
            }
        }
    }
}

/// Everything below these heads, as far as it is held.
pub fn closure(heads: &[Hash], held: &[Stored]) -> BTreeSet<Hash> {
    let by_hash: BTreeMap<_, _> = held.iter().map(|stored| (stored.hash, &stored.bytes)).collect();
    let mut open = heads.to_vec();
    let mut seen = BTreeSet::new();
    while let Some(hash) = open.pop() {
        if let Some(bytes) = by_hash.get(&hash)
            && seen.insert(hash)
        {
            open.extend(parents(bytes));
        }
    }
    seen
}
