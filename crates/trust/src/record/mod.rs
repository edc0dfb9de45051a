//! Records: what stands in a feed. A [`SignedRecord`] keeps the signed bytes exactly as received beside the
//! [`Record`] they say.

mod batch;
mod codec;
mod item;
mod signed;
#[cfg(test)]
mod tests;

use minicbor::{Decode, Encode};
use ortsnetz_model::{CollectionId, EntryId, FeedId, Hash, NodeId, Position};

pub use batch::{BatchError, check_batch, sign_batch};
pub use item::{Equivocation, item_hash};
pub use signed::SignedRecord;

/// The version of the record format written by this crate.
pub const RECORD_VERSION: u8 = 1;

/// One line of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The feed it stands in.
    pub feed: FeedId,
    /// The entry it is about: its item key in the feed. Only a checkpoint has none; an answer has
    /// [`Answer::key`].
    pub entry: Option<EntryId>,
    /// Generation of the entry; 0 where there is no entry.
    pub generation: u32,
    /// Where it stands.
    pub position: Position,
    /// Where the entry's previous record in this feed stood.
    pub previous: Option<Position>,
    /// Serial of the collection statement known to the signer; 0 if there is none.
    pub list_serial: u64,
    /// When it was made, milliseconds since 1970.
    pub at: u64,
    /// Random number of the running process: two in alternation betray a copied node.
    pub instance: u64,
    /// What it says.
    pub body: Body,
    /// Live count and tree root after the batch; only on the last record of a batch.
    pub totals: Option<Totals>,
}

/// Live count and tree root of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Totals {
    /// Entries that are not withdrawn.
    #[n(0)]
    pub count: u64,
    /// Root of the hash tree, tombstones included.
    #[n(1)]
    pub root: Hash,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Body {
    /// The entry's published state is the closure of these heads (sorted).
    #[n(0)]
    Publication {
        /// The heads, sorted, at least one.
        #[n(0)]
        heads: Vec<Hash>,
    },
    /// The entry is no longer here.
    #[n(1)]
    Withdrawal {
        /// Set if it was moved: to the public collection, or else this collection itself, because where it went is then
        /// nobody's business here.
        #[n(0)]
        moved_to: Option<CollectionId>,
    },
    /// What counts in this feed up to here.
    #[n(2)]
    Checkpoint(#[n(0)] Checkpoint),
    /// Every lower generation is void for ever and to be purged.
    #[n(3)]
    Redaction {
        /// The heads of the fresh document, sorted; empty if nothing stays.
        #[n(0)]
        heads: Vec<Hash>,
    },
    /// The state of an entry at one own node.
    #[n(4)]
    Draft(#[n(0)] Draft),
    /// The publisher's answer to a request in a draft; stands in the publisher's own draft feed.
    #[n(5)]
    Answer(#[n(0)] Answer),
}

/// A signed summary of a feed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Checkpoint {
    /// Root of the hash tree.
    #[n(0)]
    pub root: Hash,
    /// Live entries.
    #[n(1)]
    pub count: u64,
    /// For each earlier epoch with records that still count: the last position that counts. Sorted.
    #[n(2)]
    pub cuts: Vec<Cut>,
}

/// The last position of an earlier epoch that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Cut {
    /// Publisher term.
    #[n(0)]
    pub term: u32,
    /// Epoch.
    #[n(1)]
    pub epoch: u64,
    /// Last sequence that counts.
    #[n(2)]
    pub sequence: u64,
}

impl Checkpoint {
    /// Whether a record at `position` counts, where `own` is the position of this checkpoint itself. Records of its
    /// own epoch and later ones always do; of an earlier epoch only those up to its cut.
    pub fn admits(&self, own: Position, position: Position) -> bool {
        if (position.term, position.epoch) >= (own.term, own.epoch) {
            return true;
        }
        match self.cuts.binary_search_by_key(&(position.term, position.epoch), |cut| (cut.term, cut.epoch)) {
            Ok(found) => position.sequence <= self.cuts[found].sequence,
            Err(_) => false,
        }
    }
}

/// The working state of one entry at one node: the home document and its companions.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Draft {
    /// The documents, sorted by collection.
    #[n(0)]
    pub documents: Vec<DraftDocument>,
    /// What the writer knew of the published home: its heads, sorted; if it was withdrawn, the hash of the record that did
    /// so; empty if the entry was never published.
    #[n(1)]
    pub based_on: Vec<Hash>,
    /// The heads to be published, per collection, if this is a request.
    #[n(2)]
    pub publish: Option<Vec<PublishRequest>>,
}

/// One working document of a draft.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DraftDocument {
    /// The collection the document lies in.
    #[n(0)]
    pub collection: CollectionId,
    /// Its generation.
    #[n(1)]
    pub generation: u32,
    /// Its heads, sorted.
    #[n(2)]
    pub heads: Vec<Hash>,
}

/// What should be published of one document.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PublishRequest {
    /// The collection of the document.
    #[n(0)]
    pub collection: CollectionId,
    /// The heads meant, sorted; empty asks for a withdrawal.
    #[n(1)]
    pub heads: Vec<Hash>,
}

/// The publisher's answer to a request.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Answer {
    /// Whose request.
    #[n(0)]
    pub node: NodeId,
    /// About which entry.
    #[n(1)]
    pub entry: EntryId,
    /// Where the request stands in the requester's draft feed.
    #[n(2)]
    pub request: Position,
    /// What became of it.
    #[n(3)]
    pub outcome: Outcome,
}

/// What became of a request to publish.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Outcome {
    /// Published at this position of the home collection's feed.
    #[n(0)]
    Accepted(#[n(0)] Position),
    /// Not published, for this reason.
    #[n(1)]
    Refused(#[n(0)] String),
}

impl Answer {
    /// The item key of the answer to this node about this entry, so that it never meets the entry's own draft.
    pub fn key(&self) -> EntryId {
        let hash = Hash::of(&[b"ortsnetz/answer/v1\0", self.node.0.as_slice(), &self.entry.0].concat());
        // The first half of a 32-byte array always has 16 bytes.
        EntryId(std::array::from_fn(|i| hash.0[i]))
    }
}

/// The draft feed of a node: signed by that node, read by the organisation's own nodes.
pub fn draft_feed(organisation: ortsnetz_model::OrgId, node: &NodeId) -> FeedId {
    FeedId { organisation, collection: CollectionId::named(&organisation, &format!("drafts:{node}")) }
}

impl Record {
    /// The heads this record gives its entry: `Some` for a publication and for a redaction that leaves something.
    pub fn heads(&self) -> Option<&[Hash]> {
        match &self.body {
            Body::Publication { heads } => Some(heads),
            Body::Redaction { heads } if !heads.is_empty() => Some(heads),
            _ => None,
        }
    }

    /// Whether the entry counts as live after this record: everything but withdrawals, redactions without content
    /// and checkpoints.
    pub fn is_live(&self) -> bool {
        match &self.body {
            Body::Publication { .. } | Body::Draft(_) | Body::Answer(_) => true,
            Body::Redaction { heads } => !heads.is_empty(),
            Body::Withdrawal { .. } | Body::Checkpoint(_) => false,
        }
    }
}
