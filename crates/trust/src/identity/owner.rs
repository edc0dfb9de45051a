//! What the owner of the root key does: found, certify, rotate, revoke.

use ortsnetz_model::NodeId;

use super::{Identity, Slot};
use crate::canonical::{EncodingError, rule};
use crate::keys::{NodeKey, PublicKey, RootKey, Signer};
use crate::statement::{
    Genesis, NodeCertificate, NodeRevocation, OrganisationKind, PublisherTerm, Roles, RootRotation, STATEMENT_VERSION,
    Signed, Statement,
};

/// How long a certificate is valid: two years, in milliseconds.
pub const CERTIFICATE_MS: u64 = 2 * 365 * 24 * 60 * 60 * 1000;

/// What an organisation starts with.
#[derive(Clone, Debug)]
pub struct Founding {
    /// Name of the organisation.
    pub name: String,
    /// The place it speaks for, 12 digits, or empty.
    pub ars: String,
    /// What kind of body it is.
    pub kind: OrganisationKind,
    /// What people call its first node.
    pub node_name: String,
    /// Where the first node can be reached.
    pub addresses: Vec<String>,
    /// Now, milliseconds since 1970.
    pub at: u64,
    /// Random bytes.
    pub random: [u8; 16],
}

impl Identity {
    /// Founds an organisation: genesis, a certificate with all roles for its first node, and the first publisher term.
    pub fn found(founding: Founding, root: &RootKey, node: &NodeKey) -> Result<Self, EncodingError> {
        let Founding { name, ars, kind, node_name, addresses, at, random } = founding;
        let genesis = Genesis { version: STATEMENT_VERSION, name, ars, kind, root: root.public(), at, random };
        let genesis = Signed::new(genesis, &[root])?;
        let mut identity = Self::new(genesis).map_err(unexpected)?;
        let roles = Roles { admin: true, edit: true };
        let certificate = identity.certify(node.id(), roles, node_name, addresses, at, root)?;
        identity.take_in(certificate).map_err(unexpected)?;
        let term = identity.appoint(node.id(), at, root)?;
        identity.take_in(term).map_err(unexpected)?;
        Ok(identity)
    }

    /// The next certificate of a node, valid for [`CERTIFICATE_MS`] from `at`. A renewal keeps the old beginning,
    /// because records are judged by it. Fails for a node whose certificate was taken back: others may have its key, so
    /// the machine comes back with a new one. Not yet taken in.
    pub fn certify(
        &self,
        node: NodeId,
        roles: Roles,
        name: String,
        addresses: Vec<String>,
        at: u64,
        root: &RootKey,
    ) -> Result<Signed, EncodingError> {
        rule(!self.is_revoked(&node), || "the certificate of this node was taken back; it needs a new key".into())?;
        let slots = [Slot::Certificate(node), Slot::Revocation(node)];
        let serial = slots.iter().map(|slot| self.serial(slot)).max().unwrap_or(0) + 1;
        let not_before = self.certificate(&node).map_or(at, |old| old.not_before.min(at));
        let certificate = NodeCertificate {
            organisation: self.id(),
            node,
            serial,
            roles,
            not_before,
            not_after: at.saturating_add(CERTIFICATE_MS),
            addresses,
            name,
        };
        Signed::new(certificate, &[root])
    }

    /// Makes a node the publisher of the next term. Not yet taken in.
    pub fn appoint(&self, node: NodeId, at: u64, root: &RootKey) -> Result<Signed, EncodingError> {
        self.appoint_ahead(node, at, root, 1)
    }

    /// The same with so many terms between, of which others may know and we do not.
    pub fn appoint_ahead(&self, node: NodeId, at: u64, root: &RootKey, ahead: u32) -> Result<Signed, EncodingError> {
        let number = self.current_term().map_or(0, |(number, _)| number).saturating_add(ahead);
        Signed::new(PublisherTerm { organisation: self.id(), number, node, at }, &[root])
    }

    /// Takes a node's certificates back. Returns the revocation and, signed again by root, the statements that only
    /// this node had signed, so that they do not fall with it. Not yet taken in.
    pub fn revoke(&self, node: NodeId, at: u64, root: &RootKey) -> Result<Vec<Signed>, EncodingError> {
        let serial = self.serial(&Slot::Certificate(node)).max(1);
        let revocation = NodeRevocation { organisation: self.id(), node, serial, at };
        let mut statements = vec![Signed::new(revocation, &[root])?];
        let lost = PublicKey::from(node);
        statements.extend(self.signed_again(root, |slot, signed| {
            !slot.needs_root() && signed.signatures().iter().all(|(key, _)| *key == lost)
        }));
        Ok(statements)
    }

    /// Replaces the root key. Returns the rotation and everything the old root key had signed, signed again by the
    /// new one. Not yet taken in.
    pub fn rotate(&self, old: &RootKey, new: &RootKey, at: u64) -> Result<Vec<Signed>, EncodingError> {
        let last = self.held.keys().filter_map(|slot| match slot {
            Slot::Rotation(number) => Some(*number),
            _ => None,
        });
        let number = last.max().unwrap_or(0) + 1;
        let rotation = RootRotation { organisation: self.id(), number, old: old.public(), new: new.public(), at };
        let mut statements = vec![Signed::new(rotation, &[old, new])?];
        let retired = old.public();
        statements.extend(self.signed_again(new, |slot, signed| {
            !matches!(slot, Slot::Genesis | Slot::Rotation(_))
                && signed.signatures().iter().any(|(key, _)| *key == retired)
        }));
        Ok(statements)
    }

    fn signed_again(&self, root: &RootKey, which: impl Fn(&Slot, &Signed) -> bool) -> Vec<Signed> {
        let chosen = self.held.iter().filter(|(slot, signed)| which(slot, signed));
        chosen
            .map(|(_, signed)| {
                let mut signed = signed.clone();
                signed.retain_signatures(|_| false);
                signed.sign(root);
                signed
            })
            .collect()
    }
}

fn unexpected(error: super::StatementError) -> EncodingError {
    EncodingError::Invalid(error.to_string())
}

impl Statement {
    /// The name of the kind, for messages and logs.
    pub fn kind_name(&self) -> &'static str {
        self.domain().0
    }
}
