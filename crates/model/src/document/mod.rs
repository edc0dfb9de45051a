//! How an entry lives in automerge.

use std::fmt;

use rand::RngCore;
use serde_json::Value;

use crate::entry::Entry;
use crate::ids::{EntryId, Hash, NodeId};

/// Who makes changes in a document: one writing process. Two processes must never share one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Actor(Vec<u8>);

impl Actor {
    /// The actor of a node in one epoch (milliseconds since 1970): the first 6 bytes of the hash of its key, then 6 bytes
    /// of epoch.
    pub fn of_node(node: &NodeId, epoch: u64) -> Self {
        let mut bytes = Hash::of(&node.0).0[..6].to_vec();
        bytes.extend_from_slice(&epoch.to_be_bytes()[2..]);
        Self(bytes)
    }

    /// Whether `of_node` made it for this node.
    pub fn is_of(&self, node: &NodeId) -> bool {
        self.0.len() == 12 && self.0.starts_with(&Hash::of(&node.0).0[..6])
    }

    /// An actor of these bytes, for example a browser's random 16.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Actor({})", data_encoding::HEXLOWER.encode(&self.0))
    }
}

/// One raw, uncompressed automerge change: what travels and what is stored as history.
#[derive(Clone, PartialEq, Eq)]
pub struct Chunk(Vec<u8>);

/// What a chunk says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkInfo {
    /// Its hash.
    pub hash: Hash,
    /// The changes it builds on.
    pub dependencies: Vec<Hash>,
    /// Who made it.
    pub actor: Actor,
    /// Counts the changes of the actor, from 1.
    pub sequence: u64,
    /// Number of operations.
    pub operations: usize,
    /// When it was made, by the maker's clock: milliseconds since 1970, whole seconds.
    pub at: u64,
}

impl Chunk {
    /// Takes bytes as they are; nothing is checked.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The hash of the change, computed from the bytes (SHA-256 of all after magic and checksum); `None` if they do not
    /// begin like an uncompressed change.
    pub fn hash(&self) -> Option<Hash> {
        unimplemented!()
    }

    /// What the chunk says about itself. Parses it with automerge: only for bytes that were accepted before.
    pub fn info(&self) -> Result<ChunkInfo, DocumentError> {
        unimplemented!()
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunk({} bytes)", self.0.len())
    }
}

/// Where ids of new list elements and blocks come from.
pub enum Ids<'a> {
    /// A person creates them.
    Random(&'a mut dyn RngCore),
    /// An import creates them: derived from (entry, path, source text, occurrence), so that two nodes importing the same
    /// file create the same.
    Imported(EntryId),
}

/// Why a document could not be read or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Stored bytes are damaged or not ours.
    #[error("document cannot be read: {0}")]
    Unreadable(String),
    /// A change builds on changes that are not there.
    #[error("document lacks {} change(s) its history builds on", .0.len())]
    Incomplete(Vec<Hash>),
    /// The heads asked for are not in this document.
    #[error("document does not hold the version {0}")]
    UnknownVersion(Hash),
    /// There is no conflict at this path, or it has fewer values.
    #[error("no conflict at {path} with a value number {n}")]
    NoSuchConflict {
        /// The path asked for.
        path: String,
        /// The number of the value asked for.
        n: usize,
    },
    /// automerge failed on our own data.
    #[error("automerge failed: {0}")]
    Automerge(String),
}

/// Two or more people changed the same value without knowing of each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// Where: `fees.0.amount`, or `texts.notes.de#<block>` in a text.
    pub path: String,
    /// The values, in the same order on every node.
    pub values: Vec<ConflictValue>,
}

/// One of the values of a conflict.
#[derive(Clone, Debug, PartialEq)]
pub struct ConflictValue {
    /// What was written; `Null`: the element or block was deleted.
    pub value: Value,
    /// Who wrote it.
    pub actor: Actor,
    /// In which change.
    pub change: Hash,
    /// When, by the writer's clock: milliseconds since 1970, whole seconds.
    pub at: u64,
}

/// One change in the history of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryItem {
    /// The version after this change alone: its hash.
    pub heads: Vec<Hash>,
    /// Who made it.
    pub actor: Actor,
    /// When, by the maker's clock: milliseconds since 1970, whole seconds.
    pub at: u64,
    /// The paths it wrote, sorted.
    pub paths: Vec<String>,
}

/// An entry as a document that merges.
#[derive(Clone)]
pub struct Document {}

impl Document {
    /// A document that holds only the fixed first change.
    pub fn new(actor: &Actor) -> Self {
        let _ = actor;
        unimplemented!()
    }

    /// The hash of the fixed first change, which everybody has and nobody sends.
    pub fn first_change() -> Hash {
        unimplemented!()
    }

    /// A document from our own stored chunks, in any order. The result writes as nobody: call `set_actor` before
    /// changing it.
    pub fn from_chunks<'a>(chunks: impl IntoIterator<Item = &'a Chunk>) -> Result<Self, DocumentError> {
        let _ = chunks.into_iter().count();
        unimplemented!()
    }

    /// Adds chunks, in any order; those already held are ignored. On an error nothing has changed. Chunks of a stranger
    /// pass the gate in `trust` first.
    pub fn apply<'a>(&mut self, chunks: impl IntoIterator<Item = &'a Chunk>) -> Result<(), DocumentError> {
        let _ = chunks.into_iter().count();
        unimplemented!()
    }

    /// The whole document, compact and not compressed; for `load_saved` only, it never travels.
    pub fn save(&self) -> Vec<u8> {
        unimplemented!()
    }

    /// A document from what `save` made, here, before. The result writes as nobody: call `set_actor` first.
    pub fn load_saved(bytes: &[u8]) -> Result<Self, DocumentError> {
        let _ = bytes;
        unimplemented!()
    }

    /// Who makes the next changes.
    pub fn set_actor(&mut self, actor: &Actor) {
        let _ = actor;
        unimplemented!()
    }

    /// The newest changes, sorted; of an empty document the first change.
    pub fn heads(&self) -> Vec<Hash> {
        unimplemented!()
    }

    /// Whether all these changes are in the document.
    pub fn contains(&self, heads: &[Hash]) -> bool {
        let _ = heads;
        unimplemented!()
    }

    /// Whether the version `older` is part of the version `newer`: every change of the one is in the other.
    pub fn is_ancestor(&self, older: &[Hash], newer: &[Hash]) -> bool {
        let _ = (older, newer);
        unimplemented!()
    }

    /// The entry as it stands, without `id` and `companions`. Never fails: what this version cannot read is left out.
    pub fn project(&self) -> Entry {
        unimplemented!()
    }

    /// The entry as it stood at a version.
    pub fn project_at(&self, heads: &[Hash]) -> Result<Entry, DocumentError> {
        let _ = heads;
        unimplemented!()
    }

    /// Makes one change after which `project()` equals `target` (without its `id` and `companions`), writing only what
    /// differs. `None` if nothing differs. `at` is milliseconds since 1970.
    pub fn update(&mut self, target: &Entry, at: u64, ids: &mut Ids<'_>) -> Result<Option<Chunk>, DocumentError> {
        let _ = (target, at, ids);
        unimplemented!()
    }

    /// Values changed at two places at once, in the order of the fields. Equal values are no conflict, neither is the
    /// order of elements.
    pub fn conflicts(&self) -> Vec<Conflict> {
        unimplemented!()
    }

    /// Decides a conflict for its value number `n`.
    pub fn resolve(&mut self, path: &str, n: usize, at: u64) -> Result<Chunk, DocumentError> {
        let _ = (path, n, at);
        unimplemented!()
    }

    /// Writes the version `heads` of this working document into the published document as one change: every property
    /// that differs there or has more than one value. Ids of elements and blocks stay. `None` if nothing differs.
    pub fn publish_into(&self, heads: &[Hash], published: &mut Self, at: u64) -> Result<Option<Chunk>, DocumentError> {
        let _ = (heads, published, at);
        unimplemented!()
    }

    /// The chunks that someone who has `have` lacks, in an order in which each comes after what it builds on. Without
    /// the fixed first change. Hashes we do not know are ignored.
    pub fn changes_since(&self, have: &[Hash]) -> Vec<Chunk> {
        let _ = have;
        unimplemented!()
    }

    /// All changes, oldest first, without the fixed first one.
    pub fn history(&self) -> Vec<HistoryItem> {
        unimplemented!()
    }

    /// How many operations the document holds.
    pub fn operations(&self) -> u64 {
        unimplemented!()
    }

    /// Paths of scheduled changes whose target is gone: nothing happens there on the day, and a person should know.
    pub fn lost_schedules(&self) -> Vec<String> {
        unimplemented!()
    }
}
