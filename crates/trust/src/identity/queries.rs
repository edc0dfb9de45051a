//! Questions to an identity: who reads what, who publishes, who is a node.

use ortsnetz_model::{CollectionId, Hash, NodeId, OrgId};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Identity, Slot};
use crate::keys::PublicKey;
use crate::statement::{Genesis, NodeCertificate, NodeRevocation, OrganisationKind, Readers, Signed, Statement};

/// Whose view of a chain: statements about a collection that is not public go to its readers only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The organisation's own nodes: everything.
    Own,
    /// Somebody without any rights.
    Public,
    /// A node of this organisation.
    Reader(OrgId),
    /// What both of these may see: the common ground of a relay and the one it serves.
    Both(OrgId, OrgId),
}

impl View {
    /// Whether it is, or is also, the view of this organisation.
    fn is_of(&self, organisation: &OrgId) -> bool {
        match self {
            Self::Own | Self::Public => false,
            Self::Reader(reader) => reader == organisation,
            Self::Both(a, b) => a == organisation || b == organisation,
        }
    }
}

/// Whether a node counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// Never certified, as far as we know.
    Unknown,
    /// Its certificate begins later.
    NotYet,
    /// Certified.
    Valid,
    /// Its certificate has ended: nothing new counts, everything verified stays.
    Expired,
    /// Taken back.
    Revoked,
}

/// How two organisations stand to each other by what both signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartnershipState {
    /// Nothing signed.
    None,
    /// Only one side signed the newest version.
    Offered,
    /// Both signed the same.
    Active,
    /// One side ended it.
    Ended,
}

/// A certificate that ends soon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExpiryWarning {
    /// The node.
    pub node: NodeId,
    /// What people call it.
    pub name: String,
    /// When the certificate ends, milliseconds since 1970.
    pub not_after: u64,
    /// The step that was reached: 90, 30 or 7 days before the end, 0 after it.
    pub days: u32,
}

/// Days before the end of a certificate at which a warning is raised.
pub const EXPIRY_WARNING_DAYS: [u32; 3] = [7, 30, 90];
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

impl Identity {
    /// The organisation.
    pub fn id(&self) -> OrgId {
        self.id
    }

    /// Its genesis.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// How often the root key changed.
    pub fn rotations(&self) -> usize {
        self.held.range(Slot::Rotation(0)..=Slot::Rotation(u32::MAX)).count()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.genesis.name
    }

    /// The place it claims, 12 digits; empty if none.
    pub fn ars(&self) -> &str {
        &self.genesis.ars
    }

    /// What kind of body it is.
    pub fn kind(&self) -> OrganisationKind {
        self.genesis.kind
    }

    /// The statement in a slot.
    pub fn statement(&self, slot: &Slot) -> Option<&Signed> {
        self.held.get(slot)
    }

    /// The serial of what stands in a slot; 0 if nothing does. The owner's next statement there has one more.
    pub fn serial(&self, slot: &Slot) -> u64 {
        self.held.get(slot).map_or(0, |signed| Slot::of(signed.statement(), &self.id).1)
    }

    /// The statements of the chain that this view may hold, in the order in which they can be verified.
    pub fn statements_for(&self, view: View) -> Vec<Signed> {
        self.statements_shown(view, &|_| true)
    }

    /// The same without what is said about the collections that are neither public nor `shown`: a relay whose list is old
    /// does not even tell that they exist. Whoever was removed still hears that.
    pub fn statements_shown(&self, view: View, shown: &dyn Fn(&CollectionId) -> bool) -> Vec<Signed> {
        self.visible(view, shown).cloned().collect()
    }

    /// Hash of what this view may hold. Two nodes with equal hashes for the same view need not exchange anything.
    pub fn chain_hash(&self, view: View) -> Hash {
        self.chain_hash_shown(view, &|_| true)
    }

    /// Hash of [`Identity::statements_shown`].
    pub fn chain_hash_shown(&self, view: View, shown: &dyn Fn(&CollectionId) -> bool) -> Hash {
        let mut hasher = Sha256::new();
        hasher.update(b"ortsnetz/chain/v1\0");
        for signed in self.visible(view, shown) {
            hasher.update(Hash::of(&signed.to_bytes()).0);
        }
        Hash(hasher.finalize().into())
    }

    fn visible(&self, view: View, shown: &dyn Fn(&CollectionId) -> bool) -> impl Iterator<Item = &Signed> {
        let is_shown = move |statement: &Statement| match statement {
            Statement::Collection(collection) => collection.readers == Readers::Public || shown(&collection.collection),
            Statement::ReaderRemoval(removal) => view.is_of(&removal.reader) || shown(&removal.collection),
            _ => true,
        };
        self.held
            .values()
            .filter(move |signed| self.is_visible(signed.statement(), view) && is_shown(signed.statement()))
    }

    fn is_visible(&self, statement: &Statement, view: View) -> bool {
        match view {
            View::Own => true,
            View::Public => self.is_visible_to(statement, None),
            View::Reader(reader) => self.is_visible_to(statement, Some(&reader)),
            View::Both(a, b) => self.is_visible_to(statement, Some(&a)) && self.is_visible_to(statement, Some(&b)),
        }
    }

    fn is_visible_to(&self, statement: &Statement, reader: Option<&OrgId>) -> bool {
        if reader == Some(&self.id) {
            return true;
        }
        match statement {
            Statement::Collection(collection) => match reader {
                None => collection.readers == Readers::Public,
                Some(reader) => self.can_read(&collection.collection, reader),
            },
            Statement::ReaderRemoval(removal) => {
                reader.is_some_and(|reader| *reader == removal.reader || self.can_read(&removal.collection, reader))
            }
            _ => true,
        }
    }

    /// The node whose draft feed this collection is.
    pub fn draft_node(&self, collection: &CollectionId) -> Option<NodeId> {
        self.drafts.get(collection).copied()
    }

    /// The publisher of a term.
    pub fn publisher(&self, term: u32) -> Option<NodeId> {
        match self.held.get(&Slot::Term(term))?.statement() {
            Statement::PublisherTerm(statement) => Some(statement.node),
            _ => None,
        }
    }

    /// The newest term and its publisher.
    pub fn current_term(&self) -> Option<(u32, NodeId)> {
        self.held.range(Slot::Term(0)..=Slot::Term(u32::MAX)).next_back().and_then(|(_, signed)| {
            match signed.statement() {
                Statement::PublisherTerm(statement) => Some((statement.number, statement.node)),
                _ => None,
            }
        })
    }

    /// The certificate of a node, unless it was taken back. It may have ended: see [`Identity::node_state`].
    pub fn certificate(&self, node: &NodeId) -> Option<&NodeCertificate> {
        let certificate = self.last_certificate(node)?;
        let void = self.revocation(node).is_some_and(|revocation| revocation.serial >= certificate.serial);
        (!void).then_some(certificate)
    }

    /// The newest certificate of a node, taken back or not.
    pub fn last_certificate(&self, node: &NodeId) -> Option<&NodeCertificate> {
        match self.held.get(&Slot::Certificate(*node))?.statement() {
            Statement::NodeCertificate(certificate) => Some(certificate),
            _ => None,
        }
    }

    /// The newest revocation of a node.
    pub fn revocation(&self, node: &NodeId) -> Option<&NodeRevocation> {
        match self.held.get(&Slot::Revocation(*node))?.statement() {
            Statement::NodeRevocation(revocation) => Some(revocation),
            _ => None,
        }
    }

    /// Whether a node had a certificate and it was taken back.
    pub fn is_revoked(&self, node: &NodeId) -> bool {
        self.last_certificate(node).is_some() && self.certificate(node).is_none()
    }

    /// Whether this key could once sign for the organisation and cannot any more: a root key that was replaced, or that of
    /// a node whose certificate was taken back.
    pub fn is_retired(&self, key: &PublicKey) -> bool {
        let replaced = self.held.values().any(|signed| match signed.statement() {
            Statement::RootRotation(rotation) => rotation.old == *key,
            _ => false,
        });
        replaced || self.is_revoked(&NodeId(key.0))
    }

    /// Whether whoever writes in a collection in this term had its certificate taken back since: of what it wrote there
    /// only what a checkpoint counts is valid, and nothing is added to it.
    pub fn is_writer_revoked(&self, collection: &CollectionId, term: u32) -> bool {
        let writer = match self.draft_node(collection) {
            Some(node) => (term == 0).then_some(node),
            None => self.publisher(term),
        };
        writer.is_some_and(|node| self.is_revoked(&node))
    }

    /// The statements by root about keys, nodes and terms: what a node has to hear to know that its certificate was taken
    /// back, and nothing that is not public.
    pub fn statements_about_keys(&self) -> Vec<Signed> {
        let about_keys = |slot: &Slot| {
            matches!(slot, Slot::Rotation(_) | Slot::Certificate(_) | Slot::Revocation(_) | Slot::Term(_))
        };
        self.held.iter().filter(|(slot, _)| about_keys(slot)).map(|(_, signed)| signed.clone()).collect()
    }

    /// The certificates that were not taken back, sorted by node.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeCertificate> {
        self.held.keys().filter_map(|slot| match slot {
            Slot::Certificate(node) => self.certificate(node),
            _ => None,
        })
    }

    /// The nodes whose certificate was taken back, sorted.
    pub fn revoked_nodes(&self) -> impl Iterator<Item = NodeId> {
        self.held.keys().filter_map(|slot| match slot {
            Slot::Revocation(node) if self.is_revoked(node) => Some(*node),
            _ => None,
        })
    }

    /// Whether a node counts at this moment.
    pub fn node_state(&self, node: &NodeId, now: u64) -> NodeState {
        match (self.last_certificate(node), self.certificate(node)) {
            (None, _) => NodeState::Unknown,
            (Some(_), None) => NodeState::Revoked,
            (_, Some(certificate)) if now < certificate.not_before => NodeState::NotYet,
            (_, Some(certificate)) if now > certificate.not_after => NodeState::Expired,
            _ => NodeState::Valid,
        }
    }

    /// Certificates that end within 90, 30 or 7 days or have ended.
    pub fn expiry_warnings(&self, now: u64) -> Vec<ExpiryWarning> {
        self.nodes()
            .filter_map(|certificate| {
                let left = certificate.not_after.saturating_sub(now);
                let step = if left == 0 { Some(0) } else { warning_step(left) };
                step.map(|days| ExpiryWarning {
                    node: certificate.node,
                    name: certificate.name.clone(),
                    not_after: certificate.not_after,
                    days,
                })
            })
            .collect()
    }

    /// How this organisation and another one stand to each other, by both chains.
    pub fn partnership_with(&self, other: &Self) -> PartnershipState {
        let ours = self.held.get(&Slot::Partnership(other.id));
        let theirs = other.held.get(&Slot::Partnership(self.id));
        let serial = |signed: Option<&Signed>, own| signed.map_or(0, |signed| Slot::of(signed.statement(), own).1);
        let newest = if serial(ours, &self.id) >= serial(theirs, &other.id) { ours } else { theirs };
        let is_end = |signed: &Signed| matches!(signed.statement(), Statement::PartnershipEnd(_));
        let equal_serials = serial(ours, &self.id) == serial(theirs, &other.id);
        match (ours, theirs, newest) {
            (None, None, _) | (_, _, None) => PartnershipState::None,
            (_, _, Some(newest)) if is_end(newest) => PartnershipState::Ended,
            (_, Some(theirs), _) if equal_serials && is_end(theirs) => PartnershipState::Ended,
            (Some(ours), Some(theirs), _) if ours.hash() == theirs.hash() => PartnershipState::Active,
            _ => PartnershipState::Offered,
        }
    }

    /// Organisations this one signed a partnership with (and did not end), by its own chain only.
    pub fn partners(&self) -> impl Iterator<Item = OrgId> {
        self.held.iter().filter_map(|(slot, signed)| match (slot, signed.statement()) {
            (Slot::Partnership(other), Statement::Partnership(_)) => Some(*other),
            _ => None,
        })
    }

    /// The organisations that a person of this one confirmed.
    pub fn confirmed(&self) -> impl Iterator<Item = OrgId> {
        self.held.iter().filter_map(|(slot, signed)| match (slot, signed.statement()) {
            (Slot::Confirmation(other), Statement::PartnerConfirmation(it)) if it.confirmed => Some(*other),
            _ => None,
        })
    }

    /// Whether a person of this organisation confirmed the other one.
    pub fn confirms(&self, other: &OrgId) -> bool {
        match self.held.get(&Slot::Confirmation(*other)).map(Signed::statement) {
            Some(Statement::PartnerConfirmation(confirmation)) => confirmation.confirmed,
            _ => false,
        }
    }

    /// Places this organisation lets others speak for at this moment: (organisation, ARS).
    pub fn delegations(&self, now: u64) -> impl Iterator<Item = (OrgId, &str)> {
        self.held.values().filter_map(move |signed| match signed.statement() {
            Statement::Delegation(delegation) if delegation.until > now => {
                Some((delegation.to, delegation.ars.as_str()))
            }
            _ => None,
        })
    }
}

fn warning_step(left_ms: u64) -> Option<u32> {
    EXPIRY_WARNING_DAYS.into_iter().find(|days| left_ms <= u64::from(*days) * DAY_MS)
}
