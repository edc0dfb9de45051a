//! Which statement replaces which: one slot per subject, the higher serial wins.

use ortsnetz_model::{CollectionId, NodeId, OrgId};

use crate::statement::Statement;

/// The subject of a statement within one chain. The order is the order in which a chain is verified.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// The genesis.
    Genesis,
    /// The root key with this number.
    Rotation(u32),
    /// The certificate of a node.
    Certificate(NodeId),
    /// The revocation of a node.
    Revocation(NodeId),
    /// The publisher of a term.
    Term(u32),
    /// The succession to another organisation.
    Succession(OrgId),
    /// A collection and its reader list.
    Collection(CollectionId),
    /// The partnership with another organisation, or its end.
    Partnership(OrgId),
    /// The confirmation of a partner.
    Confirmation(OrgId),
    /// The delegation of a place to another organisation.
    Delegation(OrgId, String),
    /// The removal of a reader from a collection.
    Removal(CollectionId, OrgId),
    /// The confirmation of who follows another organisation.
    SuccessionConfirmation(OrgId),
    /// That it takes part no more.
    Leaving,
    /// What a node deleted of an organisation that left.
    Deletion(OrgId, NodeId),
}

impl Slot {
    /// The slot of a statement in the chain of `own`, and its serial there (1 where there can be only one).
    pub(crate) fn of(statement: &Statement, own: &OrgId) -> (Self, u64) {
        match statement {
            Statement::Genesis(_) => (Self::Genesis, 1),
            Statement::RootRotation(s) => (Self::Rotation(s.number), 1),
            Statement::NodeCertificate(s) => (Self::Certificate(s.node), s.serial),
            Statement::NodeRevocation(s) => (Self::Revocation(s.node), s.serial),
            Statement::PublisherTerm(s) => (Self::Term(s.number), 1),
            Statement::Succession(s) => (Self::Succession(s.predecessor), s.serial),
            Statement::Collection(s) => (Self::Collection(s.collection), s.serial),
            Statement::Partnership(s) => (Self::Partnership(if s.a == *own { s.b } else { s.a }), s.serial),
            Statement::PartnershipEnd(s) => (Self::Partnership(s.partner), s.serial),
            Statement::PartnerConfirmation(s) => (Self::Confirmation(s.partner), s.serial),
            Statement::Delegation(s) => (Self::Delegation(s.to, s.ars.clone()), s.serial),
            Statement::ReaderRemoval(s) => (Self::Removal(s.collection, s.reader), s.serial),
            Statement::SuccessionConfirmation(s) => (Self::SuccessionConfirmation(s.predecessor), s.serial),
            Statement::Leaving(s) => (Self::Leaving, s.serial),
            Statement::Deletion(s) => (Self::Deletion(s.leaver, s.node), s.serial),
        }
    }

    /// Whether only the root key may fill it; the others may be filled by a node with role `admin`, too, or, where it is
    /// about what one node did, by that node.
    pub(crate) fn needs_root(&self) -> bool {
        matches!(self, Self::Certificate(_) | Self::Revocation(_) | Self::Term(_) | Self::Succession(_) | Self::Leaving)
    }
}
