//! What the engine asks of the verified statements of an organisation.

use std::fmt::Debug;

use ortsnetz_model::{CollectionId, Hash, NodeId, OrgId};

/// The verified statements of one organisation, as far as the engine needs them. Implemented for
/// `ortsnetz_trust::Identity`; all answers must be the same as long as the value lives.
pub trait Organisation: Debug + Send + Sync {
    /// Which organisation.
    fn id(&self) -> OrgId;
    /// Number and node of the newest publisher term.
    fn publisher(&self) -> Option<(u32, NodeId)>;
    /// Readers of a collection; `None` if it is unknown.
    fn sharing(&self, collection: &CollectionId) -> Option<Sharing>;
    /// Whether a partnership with it holds.
    fn is_partner(&self, other: &OrgId) -> bool;
    /// If this is the draft collection of one of its nodes: that node.
    fn drafts_of(&self, collection: &CollectionId) -> Option<NodeId>;
    /// Whether this node of it reads drafts: a valid certificate with role edit or admin.
    fn reads_drafts(&self, node: &NodeId) -> bool;
    /// The statements that readers of this organisation may see, as signed bytes, in the order they can be taken in.
    fn chain_for(&self, reader: &OrgId) -> Vec<Vec<u8>>;
    /// Hash of the same set of statements.
    fn chain_hash(&self, reader: &OrgId) -> Hash;
}

/// The reader list of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// Counts the changes of the list.
    pub serial: u64,
    /// Who may read.
    pub readers: Readers,
    /// Whether readers may pass it on to other readers.
    pub relay: bool,
}

/// Who may read a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Every partner and whoever a partner relays to.
    Public,
    /// These organisations, and the own nodes.
    Organisations(Vec<OrgId>),
    /// Own nodes only; also a collection that ended.
    Internal,
}
