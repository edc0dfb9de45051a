//! What the engine asks of the verified statements of an organisation.

use std::fmt::Debug;

use ortsnetz_model::{CollectionId, Hash, NodeId, OrgId};
use ortsnetz_trust::identity::Slot;
use ortsnetz_trust::statement::{Readers, Statement};
use ortsnetz_trust::{Identity, Signed, View};

/// The verified statements of one organisation, as far as the engine needs them. Implemented for
/// `ortsnetz_trust::Identity`; all answers must be the same as long as the value lives.
pub trait Organisation: Debug + Send + Sync {
    /// Which organisation.
    fn id(&self) -> OrgId;
    /// Number and node of the newest publisher term.
    fn publisher(&self) -> Option<(u32, NodeId)>;
    /// How a collection is shared; `None` if it is unknown.
    fn sharing(&self, collection: &CollectionId) -> Option<Sharing>;
    /// Whether nodes of another organisation may read a collection.
    fn reads(&self, collection: &CollectionId, other: &OrgId) -> bool;
    /// What it signed last about a partnership with another organisation.
    fn partnership(&self, other: &OrgId) -> Partnership;
    /// If this is the draft collection of one of its nodes: that node.
    fn drafts_of(&self, collection: &CollectionId) -> Option<NodeId>;
    /// Whether this node of it reads drafts: a valid certificate with role edit or admin.
    fn reads_drafts(&self, node: &NodeId) -> bool;
    /// Whether the certificate of this node was taken back.
    fn is_revoked(&self, node: &NodeId) -> bool;
    /// Whether the certificate of whoever writes in a collection in this term was taken back.
    fn is_writer_revoked(&self, collection: &CollectionId, term: u32) -> bool;
    /// From when on it takes part no more, milliseconds since 1970; `None` if it never said so or took it back.
    fn leaves_at(&self) -> Option<u64>;
    /// What a node has to hear to know that its certificate was taken back, as signed bytes.
    fn about_keys(&self) -> Vec<Vec<u8>>;
    /// The statements that both of these organisations may see, as signed bytes, in the order they can be taken in;
    /// without those about collections that are neither public nor `shown`.
    fn chain_for(&self, a: &OrgId, b: &OrgId, shown: &dyn Fn(&CollectionId) -> bool) -> Vec<Vec<u8>>;
    /// Hash of the same statements: equal for two nodes that need not exchange any.
    fn chain_hash(&self, a: &OrgId, b: &OrgId, shown: &dyn Fn(&CollectionId) -> bool) -> Hash;
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
        Some(Sharing {
            serial: statement.serial,
            public: statement.readers == Readers::Public,
            relay: self.may_relay(collection),
            ended: statement.ended,
        })
    }

    fn reads(&self, collection: &CollectionId, other: &OrgId) -> bool {
        self.can_read(collection, other)
    }

    fn partnership(&self, other: &OrgId) -> Partnership {
        let slot = Slot::Partnership(*other);
        match self.statement(&slot).map(Signed::statement) {
            Some(Statement::Partnership(_)) => Partnership::Signed(self.serial(&slot)),
            Some(_) => Partnership::Ended(self.serial(&slot)),
            None => Partnership::None,
        }
    }

    fn drafts_of(&self, collection: &CollectionId) -> Option<NodeId> {
        self.draft_node(collection)
    }

    fn reads_drafts(&self, node: &NodeId) -> bool {
        let roles = self.roles(node);
        roles.edit || roles.admin
    }

    fn is_revoked(&self, node: &NodeId) -> bool {
        Identity::is_revoked(self, node)
    }

    fn is_writer_revoked(&self, collection: &CollectionId, term: u32) -> bool {
        Identity::is_writer_revoked(self, collection, term)
    }

    fn leaves_at(&self) -> Option<u64> {
        self.leaving().map(|leaving| leaving.from)
    }

    fn about_keys(&self) -> Vec<Vec<u8>> {
        self.statements_about_keys().iter().map(Signed::to_bytes).collect()
    }

    fn chain_for(&self, a: &OrgId, b: &OrgId, shown: &dyn Fn(&CollectionId) -> bool) -> Vec<Vec<u8>> {
        self.statements_shown(view(&Identity::id(self), a, b), shown).iter().map(Signed::to_bytes).collect()
    }

    fn chain_hash(&self, a: &OrgId, b: &OrgId, shown: &dyn Fn(&CollectionId) -> bool) -> Hash {
        self.chain_hash_shown(view(&Identity::id(self), a, b), shown)
    }
}

fn view(owner: &OrgId, a: &OrgId, b: &OrgId) -> View {
    if a == owner && b == owner { View::Own } else { View::Both(*a, *b) }
}

/// How a collection is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// Counts the changes of the reader list.
    pub serial: u64,
    /// Everybody may read it.
    pub public: bool,
    /// Whether readers may pass it on to other readers, by the newest list known.
    pub relay: bool,
    /// Nothing new is published in it; readers may still fetch how it ended.
    pub ended: bool,
}

/// One side of a partnership, with the serial of the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partnership {
    /// Nothing signed.
    None,
    /// Signed by this side.
    Signed(u64),
    /// Ended by this side.
    Ended(u64),
}
