//! Rows of the store that only the node understands: what they hold and how they are written. CBOR, so that a later
//! version can add fields.

use minicbor::{Decode, Encode};
use ortsnetz_model::{CollectionId, EntryId, Hash, NodeId, OrgId};
use ortsnetz_store::{Batch, Key, Range, Side, Store};

use crate::error::NodeError;

/// Table of our own entries, by entry id.
pub(crate) const OWN_ENTRIES: &str = "own";
/// Table of organisations that a partner introduced, by organisation id.
pub(crate) const INTRODUCED: &str = "introduced";

/// How far one of our own entries is published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub(crate) enum Published {
    /// Never.
    #[default]
    #[n(0)]
    Never,
    /// Readers have it.
    #[n(1)]
    Live,
    /// It was withdrawn.
    #[n(2)]
    Withdrawn,
}

/// State of a request to the publisher.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Request {
    /// Nothing asked.
    #[default]
    #[n(0)]
    None,
    /// Asked, not answered yet.
    #[n(1)]
    Waiting,
    /// Refused, with the reason.
    #[n(2)]
    Refused(#[n(0)] String),
}

/// One document's heads.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct DocumentHeads {
    /// In which collection.
    #[n(0)]
    pub collection: CollectionId,
    /// Sorted.
    #[n(1)]
    pub heads: Vec<Hash>,
}

/// What we know about one of our own entries.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct OwnEntry {
    /// Collection of its home document.
    #[n(0)]
    pub home: CollectionId,
    /// Generation of all its documents.
    #[n(1)]
    pub generation: u32,
    /// Collections of its companion documents, sorted.
    #[n(2)]
    pub companions: Vec<CollectionId>,
    /// How far it is published.
    #[n(3)]
    pub published: Published,
    /// Working heads that were published last, at this node.
    #[n(4)]
    pub at_publish: Vec<DocumentHeads>,
    /// The working documents are ahead of the published ones.
    #[n(5)]
    pub draft: bool,
    /// What was asked of the publisher.
    #[n(6)]
    pub request: Request,
    /// There are conflicts in the working documents.
    #[n(7)]
    pub conflicts: bool,
    /// The changes of the last edit at this node: what undo takes back.
    #[n(8)]
    pub last_edit: Option<Vec<DocumentHeads>>,
}

impl OwnEntry {
    /// A new entry that nobody has seen.
    pub fn new(home: CollectionId) -> Self {
        Self {
            home,
            generation: 0,
            companions: Vec::new(),
            published: Published::Never,
            at_publish: Vec::new(),
            draft: true,
            request: Request::None,
            conflicts: false,
            last_edit: None,
        }
    }

    /// Home and companion collections.
    pub fn collections(&self) -> impl Iterator<Item = CollectionId> + '_ {
        std::iter::once(self.home).chain(self.companions.iter().copied())
    }
}

/// What a person decided and found out about a partner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct PartnerRow {
    /// Milliseconds since 1970.
    #[n(0)]
    pub since: u64,
    /// Six words to compare.
    #[n(1)]
    pub check_words: Vec<String>,
    /// A person here compared them.
    #[n(2)]
    pub confirmed: bool,
    /// Milliseconds since 1970; 0 for never.
    #[n(3)]
    pub last_sync_at: u64,
    /// Addresses learned while joining, beside those in its certificates.
    #[n(4)]
    pub addresses: Vec<NodeAddresses>,
    /// The partnership has ended.
    #[n(5)]
    pub ended: bool,
    /// Nobody can dial the partner, so it dials us.
    #[cbor(n(6), default)]
    pub calls_us: bool,
    /// Its statements are in the own log: without them nobody would know its name and nodes.
    #[cbor(n(7), default)]
    pub chain_kept: bool,
}

/// Where a node was reached.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct NodeAddresses {
    /// Which node.
    #[n(0)]
    pub node: NodeId,
    /// Multiaddrs.
    #[n(1)]
    pub addresses: Vec<String>,
}

/// Who introduced an organisation that is no partner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct IntroducedRow {
    /// Partners that relay it, sorted.
    #[n(0)]
    pub by: Vec<OrgId>,
}

/// An alarm as kept.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct AlarmRow {
    /// A stable word.
    #[n(0)]
    pub kind: String,
    /// One sentence.
    #[n(1)]
    pub message: String,
    /// Which partner.
    #[n(2)]
    pub partner: Option<OrgId>,
    /// First noticed, milliseconds since 1970.
    #[n(3)]
    pub at: u64,
    /// How often.
    #[n(4)]
    pub count: u64,
}

/// A stored projection: where it came from, and the value.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct ProjectionRow {
    /// When it arrived or was written here, milliseconds since 1970.
    #[n(0)]
    pub at: u64,
    /// Who handed it over; `None` if written here.
    #[n(1)]
    pub from: Option<NodeId>,
    /// The entry as JSON, without id and companions.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub json: Vec<u8>,
}

/// Writes a row value.
pub(crate) fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing into a vector cannot fail.
    let _ = minicbor::encode(value, &mut bytes);
    bytes
}

/// Reads a row value.
pub(crate) fn decode<T: for<'b> Decode<'b, ()>>(what: &str, bytes: &[u8]) -> Result<T, NodeError> {
    minicbor::decode(bytes)
        .map_err(|error| NodeError::Unavailable(format!("{what} is damaged: {error}; run `ortsnetz store check`")))
}

/// Key of an own entry's row.
pub(crate) fn own_key(entry: &EntryId) -> Key {
    Key::Custom { table: OWN_ENTRIES.into(), key: entry.0.to_vec() }
}

/// Reads the row of an own entry.
pub(crate) fn own_entry(store: &Store, entry: &EntryId) -> Result<Option<OwnEntry>, NodeError> {
    store.get(&own_key(entry))?.map(|bytes| decode("the row of an own entry", &bytes)).transpose()
}

/// Writes the row of an own entry.
pub(crate) fn put_own_entry(batch: &mut Batch, entry: &EntryId, row: &OwnEntry) {
    batch.put(own_key(entry), encode(row));
}

/// Visits all own entries in order of id, from the first after `after`; `visit` returns false to stop.
pub(crate) fn each_own_entry(
    store: &Store,
    after: Option<&EntryId>,
    visit: &mut dyn FnMut(EntryId, OwnEntry) -> Result<bool, NodeError>,
) -> Result<(), NodeError> {
    /// Rows read at once.
    const ROWS: usize = 512;
    let range = Range::Custom(OWN_ENTRIES.into());
    let mut after = after.map(own_key);
    loop {
        let rows = store.scan(&range, after.as_ref(), ROWS)?;
        let more = rows.len() == ROWS;
        for (key, value) in rows {
            if let Key::Custom { key: bytes, .. } = &key
                && let Some(entry) = EntryId::from_slice(bytes)
                && !visit(entry, decode("the row of an own entry", &value)?)?
            {
                return Ok(());
            }
            after = Some(key);
        }
        if !more {
            return Ok(());
        }
    }
}

/// Reads a projection.
pub(crate) fn projection(
    store: &Store,
    side: Side,
    collection: &CollectionId,
    entry: &EntryId,
) -> Result<Option<ProjectionRow>, NodeError> {
    store.projection(side, collection, entry)?.map(|bytes| decode("a projection", &bytes)).transpose()
}
