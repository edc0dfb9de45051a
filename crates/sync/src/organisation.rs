//! What the engine asks of the verified statements of an organisation.

use std::fmt::Debug;

use ortsnetz_model::{CollectionId, Hash, NodeId, OrgId};
use ortsnetz_trust::statement::Readers;
use ortsnetz_trust::{Identity, Signed, View};

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
    /// The statements that both of these organisations may see, as signed bytes, in the order they can be taken in.
    fn chain_for(&self, a: &OrgId, b: &OrgId) -> Vec<Vec<u8>>;
    /// Hash of the same statements: equal for two nodes that need not exchange any.
    fn chain_hash(&self, a: &OrgId, b: &OrgId) -> Hash;
}

impl Organisation for Identity {
    fn id(&self) -> OrgId {
        Identity::id(self)
    }

    fn publisher(&self) -> Option<(u32, NodeId)> {
        self.current_term()
    }

    fn sharing(&self, collection: &CollectionId) -> Option<Sharing> {
        let statement = self.collection(collection)?;
        let readers = if statement.ended { Readers::Internal } else { statement.readers.clone() };
        let relay = statement.relay || readers == Readers::Public;
        Some(Sharing { serial: statement.serial, readers, relay })
    }

    fn is_partner(&self, other: &OrgId) -> bool {
        self.partners().any(|partner| partner == *other)
    }

    fn drafts_of(&self, collection: &CollectionId) -> Option<NodeId> {
        self.draft_node(collection)
    }

    fn reads_drafts(&self, node: &NodeId) -> bool {
        let roles = self.roles(node);
        roles.edit || roles.admin
    }

    fn chain_for(&self, a: &OrgId, b: &OrgId) -> Vec<Vec<u8>> {
        self.statements_for(view(&Identity::id(self), a, b)).iter().map(Signed::to_bytes).collect()
    }

    fn chain_hash(&self, a: &OrgId, b: &OrgId) -> Hash {
        Identity::chain_hash(self, view(&Identity::id(self), a, b))
    }
}

fn view(owner: &OrgId, a: &OrgId, b: &OrgId) -> View {
    if a == owner && b == owner { View::Own } else { View::Both(*a, *b) }
}

/// The reader list of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// Counts the changes of the list.
    pub serial: u64,
    /// Who may read: the own nodes only, once the collection ended.
    pub readers: Readers,
    /// Whether readers may pass it on to other readers.
    pub relay: bool,
}
