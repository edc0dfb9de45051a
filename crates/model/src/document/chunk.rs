//! Changes as bytes, and who makes them.

use std::fmt;

use automerge::{ActorId, Change};

use super::DocumentError;
use crate::ids::{Hash, NodeId};

/// The first bytes of everything automerge writes.
const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHECKSUM_BYTES: usize = 4;
/// The byte that says "one uncompressed change".
const CHANGE_TYPE: u8 = 1;

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

    pub(super) fn id(&self) -> ActorId {
        ActorId::from(self.0.as_slice())
    }

    pub(super) fn from_id(id: &ActorId) -> Self {
        Self(id.to_bytes().to_vec())
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
        let hashed = self.0.strip_prefix(&MAGIC)?.get(CHECKSUM_BYTES..)?;
        (hashed.first() == Some(&CHANGE_TYPE)).then(|| Hash::of(hashed))
    }

    /// What the chunk says about itself. Parses it with automerge: only for bytes that were accepted before.
    pub fn info(&self) -> Result<ChunkInfo, DocumentError> {
        let change = self.parse()?;
        Ok(ChunkInfo {
            hash: Hash(change.hash().0),
            dependencies: change.deps().iter().map(|hash| Hash(hash.0)).collect(),
            actor: Actor(change.actor_id().to_bytes().to_vec()),
            sequence: change.seq(),
            operations: change.len(),
            at: milliseconds(change.timestamp()),
        })
    }

    /// The change; an error unless the bytes are exactly one uncompressed change.
    pub(super) fn parse(&self) -> Result<Change, DocumentError> {
        if self.hash().is_none() {
            return Err(DocumentError::Unreadable("not an uncompressed change".into()));
        }
        super::guarded(|| {
            Change::try_from(self.0.as_slice()).map_err(|error| DocumentError::Unreadable(error.to_string()))
        })
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunk({} bytes)", self.0.len())
    }
}

/// automerge's times are seconds by convention.
pub(super) fn milliseconds(seconds: i64) -> u64 {
    seconds.max(0).unsigned_abs().saturating_mul(1000)
}
