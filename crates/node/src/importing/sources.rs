//! What entries said when they were imported last, and which other entries they speak of.

use minicbor::{Decode, Encode};
use ortsnetz_exchange::{Imported, Mention, withhold};
use ortsnetz_model::{CollectionId, Entry, EntryId};
use ortsnetz_store::{Batch, Key, Range, Store};

use crate::error::NodeError;
use crate::rows;
use crate::shared::Shared;
use crate::working::{INTERNAL, PUBLIC};

/// Table of the imported entries that speak of an entry: its id, then theirs. May name some that do not any more.
const MENTIONS: &str = "mentions";
/// Rows of that table read at once.
const ROWS: usize = 512;

/// The last import of an entry: tells what a person changed since.
#[derive(Clone, PartialEq, Encode, Decode)]
pub(super) struct Source {
    /// The collection it asked for.
    #[n(0)]
    pub collection: String,
    /// The entry as it came, as JSON.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub json: Vec<u8>,
    /// The other entries it speaks of.
    #[cbor(n(2), default)]
    pub mentions: Vec<SourceMention>,
}

/// A part of an entry that is about another one.
#[derive(Clone, PartialEq, Encode, Decode)]
pub(super) struct SourceMention {
    #[n(0)]
    path: String,
    #[n(1)]
    key: String,
    #[n(2)]
    target: EntryId,
    /// Readers of the entry need not be readers of the other one, so the part stands in the internal companion.
    #[n(3)]
    withheld: bool,
}

impl Source {
    /// What is to be kept of a record whose entry lies in `home`.
    pub fn of(shared: &Shared, imported: &Imported, home: CollectionId) -> Result<Self, NodeError> {
        let json = serde_json::to_vec(imported.entry.as_map()).unwrap_or_default();
        let mentions = imported.mentions.iter().map(|mention| SourceMention {
            path: mention.path.clone(),
            key: mention.key.clone(),
            target: mention.target,
            withheld: true,
        });
        let source = Self { collection: imported.collection.clone(), json, mentions: mentions.collect() };
        source.placed_in(shared, home)
    }

    /// The same with each mention judged by where entry and target lie now. What is not here yet is not public.
    pub fn placed_in(mut self, shared: &Shared, home: CollectionId) -> Result<Self, NodeError> {
        let [public, internal] = [PUBLIC, INTERNAL].map(|name| CollectionId::named(&shared.own.organisation, name));
        for mention in &mut self.mentions {
            let target = rows::own_entry(&shared.store, &mention.target)?.map(|row| row.home);
            mention.withheld = home != internal && target.is_none_or(|target| target != public && target != home);
        }
        Ok(self)
    }

    /// The last one of an entry.
    pub fn load(store: &Store, id: &EntryId) -> Result<Option<Self>, NodeError> {
        store.get(&Key::ImportSource(*id))?.map(|bytes| rows::decode("the last import", &bytes)).transpose()
    }

    /// Writes it in place of `before`.
    pub fn put(&self, batch: &mut Batch, id: &EntryId, before: Option<&Self>) {
        batch.put(Key::ImportSource(*id), rows::encode(self));
        let known = |mention: &SourceMention| {
            before.is_some_and(|before| before.mentions.iter().any(|other| other.target == mention.target))
        };
        for mention in self.mentions.iter().filter(|mention| !known(mention)) {
            batch.put(key(&mention.target, id), rows::encode(&true));
        }
    }

    /// The entry as it stands when nobody changed it: what is withheld is in its companion.
    pub fn entry(&self) -> Option<Entry> {
        let entry = Entry::from_json(serde_json::from_slice(&self.json).ok()?).ok()?;
        let withheld: Vec<Mention> =
            self.mentions.iter().filter(|mention| mention.withheld).map(SourceMention::mention).collect();
        Some(withhold(&entry, &withheld))
    }
}

impl SourceMention {
    fn mention(&self) -> Mention {
        Mention { path: self.path.clone(), key: self.key.clone(), target: self.target }
    }
}

/// Visits the imported entries that speak of `target`, a page at a time.
pub(super) fn each_referrer(
    store: &Store,
    target: &EntryId,
    visit: &mut dyn FnMut(Vec<EntryId>) -> Result<(), NodeError>,
) -> Result<(), NodeError> {
    let mut after = Key::Custom { table: MENTIONS.into(), key: target.0.to_vec() };
    loop {
        let rows = store.scan(&Range::Custom(MENTIONS.into()), Some(&after), ROWS)?;
        let of_target = |key: &Key| match key {
            Key::Custom { key, .. } => key.strip_prefix(&target.0[..]).and_then(EntryId::from_slice),
            _ => None,
        };
        let found: Vec<EntryId> = rows.iter().map_while(|(key, _)| of_target(key)).collect();
        let more = found.len() == ROWS;
        if let Some((last, _)) = rows.into_iter().next_back() {
            after = last;
        }
        visit(found)?;
        if !more {
            return Ok(());
        }
    }
}

fn key(target: &EntryId, by: &EntryId) -> Key {
    Key::Custom { table: MENTIONS.into(), key: [target.0, by.0].concat() }
}
