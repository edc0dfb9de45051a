//! An organisation as others see it: the fold of its statements.
//!
//! Statements are verified once, when taken in. Taking in is idempotent, the higher serial wins, and the order does
//! not matter as long as every signer is known before what it signed ([`Identity::take_in_all`] sorts). The same serial
//! with different content is kept as evidence; until a higher serial settles it, the smaller bytes hold everywhere.

mod leaving;
#[cfg(test)]
mod list_tests;
mod lists;
mod owner;
mod queries;
#[cfg(test)]
mod record_tests;
mod records;
mod slot;
mod succession;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use ortsnetz_model::{CollectionId, NodeId, OrgId};

pub use leaving::Farewell;
pub use lists::CollectionTerms;
pub use owner::{CERTIFICATE_MS, Founding};
pub use queries::{EXPIRY_WARNING_DAYS, ExpiryWarning, NodeState, PartnershipState, View};
pub use records::{FINAL_TERM, RecordError};
pub use slot::Slot;
pub use succession::succession_words;

use crate::keys::PublicKey;
use crate::limits::{
    COLLECTIONS_MAX, CONFLICTS_MAX, DELETIONS_MAX, NODES_MAX, PARTNERSHIPS_MAX, REMOVALS_MAX, ROTATIONS_MAX, TERMS_MAX,
};
use crate::record::draft_feed;
use crate::statement::{CollectionStatement, Genesis, Roles, RootRotation, Signed, Statement};

/// One organisation: everything it stated about itself, as far as we may know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    id: OrgId,
    genesis: Genesis,
    held: BTreeMap<Slot, Signed>,
    conflicts: BTreeMap<Slot, Conflict>,
    /// The draft feeds of the certified nodes.
    drafts: BTreeMap<CollectionId, NodeId>,
    /// The collections that exist without a statement.
    initial: BTreeMap<CollectionId, CollectionStatement>,
}

/// Evidence that an organisation said two different things under one serial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// What it is about.
    pub slot: Slot,
    /// The statement with the smaller bytes, which holds meanwhile.
    pub first: Signed,
    /// The other one.
    pub second: Signed,
}

/// What became of a valid statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakenIn {
    /// It is news and holds now.
    New,
    /// It was known.
    Known,
    /// A newer one was known.
    Superseded,
    /// It contradicts what was known: evidence.
    Conflict(Box<Conflict>),
}

/// Why a statement was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Not a genesis, or not the genesis of this organisation.
    #[error("not the genesis of this organisation")]
    NotGenesis,
    /// It belongs into another chain.
    #[error("a statement of another organisation")]
    OtherOrganisation,
    /// No valid signature by anybody who may say this; perhaps the signer's certificate is not known yet.
    #[error("not signed by anybody who may say this")]
    Unauthorised,
    /// A rotation that does not follow the root key we know.
    #[error("root rotation {number} does not follow the known root key")]
    Gap {
        /// Its number.
        number: u32,
    },
    /// A new root key without a certificate of the publisher by it: the rest of the chain is missing.
    #[error("a new root key without what it certifies")]
    Alone,
    /// The organisation has as many statements of this kind as we keep.
    #[error("more than {max} statements of this kind")]
    TooMany {
        /// How many are kept.
        max: usize,
    },
}

impl Identity {
    /// Starts with a genesis. Fails unless it is one and signed by the key it names.
    pub fn new(genesis: Signed) -> Result<Self, StatementError> {
        let id = genesis.genesis_id().ok_or(StatementError::NotGenesis)?;
        let Statement::Genesis(content) = genesis.statement() else { return Err(StatementError::NotGenesis) };
        let content = content.clone();
        if !genesis.signed_by(&content.root) {
            return Err(StatementError::Unauthorised);
        }
        let mut genesis = genesis;
        genesis.retain_signatures(|key| *key == content.root);
        let held = BTreeMap::from([(Slot::Genesis, genesis)]);
        let initial = lists::initial_collections(id).map(|initial| (initial.collection, initial)).into();
        Ok(Self { id, genesis: content, held, conflicts: BTreeMap::new(), drafts: BTreeMap::new(), initial })
    }

    /// Folds a whole chain, in any order. Fails if there is no valid genesis; other statements that cannot be
    /// accepted are left out and returned with the reason.
    pub fn from_statements(
        statements: impl IntoIterator<Item = Signed>,
    ) -> Result<(Self, Vec<(Signed, StatementError)>), StatementError> {
        let mut statements: Vec<Signed> = statements.into_iter().collect();
        let at = statements.iter().position(|signed| signed.genesis_id().is_some());
        let genesis = statements.swap_remove(at.ok_or(StatementError::NotGenesis)?);
        let mut identity = Self::new(genesis)?;
        let refused = identity.take_in_all(statements).1;
        Ok((identity, refused))
    }

    /// Takes in several statements in the order in which they can be verified; what nobody entitled has signed any more is
    /// dropped when all are in. A new root key counts only if the publisher is certified by it as well: whoever passes on
    /// the rotation and keeps the rest back does not silence a town. Returns what was news, and what was refused and why.
    pub fn take_in_all(
        &mut self,
        statements: impl IntoIterator<Item = Signed>,
    ) -> (Vec<Signed>, Vec<(Signed, StatementError)>) {
        let mut sorted: Vec<(Slot, u64, Signed)> = statements
            .into_iter()
            .map(|signed| {
                let (slot, serial) = Slot::of(signed.statement(), &self.id);
                (slot, serial, signed)
            })
            .collect();
        sorted.sort_by(|a, b| (&a.0, a.1, a.2.payload()).cmp(&(&b.0, b.1, b.2.payload())));
        let rotates =
            sorted.iter().any(|(slot, ..)| matches!(slot, Slot::Rotation(_)) && !self.held.contains_key(slot));
        let before = (rotates && self.publisher_is_certified()).then(|| self.clone());
        let sorted: Vec<Signed> = sorted.into_iter().map(|(_, _, signed)| signed).collect();
        let (news, refused) = self.take_in_sorted(sorted.clone());
        let Some(before) = before.filter(|_| !self.publisher_is_certified()) else { return (news, refused) };
        *self = before;
        let (rotations, others): (Vec<_>, Vec<_>) =
            sorted.into_iter().partition(|signed| matches!(signed.statement(), Statement::RootRotation(_)));
        let (news, mut refused) = self.take_in_sorted(others);
        refused.extend(rotations.into_iter().map(|signed| (signed, StatementError::Alone)));
        (news, refused)
    }

    fn take_in_sorted(&mut self, sorted: Vec<Signed>) -> (Vec<Signed>, Vec<(Signed, StatementError)>) {
        let (mut news, mut refused) = (Vec::new(), Vec::new());
        let mut entitles = false;
        for signed in sorted {
            match self.take_in_unsettled(signed.clone()) {
                Ok((taken @ (TakenIn::New | TakenIn::Conflict(_)), entitling)) => {
                    entitles |= entitling;
                    if taken == TakenIn::New && matches!(signed.statement(), Statement::RootRotation(_)) {
                        self.drop_of_old_roots();
                    }
                    news.push(signed);
                }
                Ok((TakenIn::Known | TakenIn::Superseded, _)) => {}
                Err(error) => refused.push((signed, error)),
            }
        }
        if entitles {
            self.revalidate();
        }
        (news, refused)
    }

    /// What only an old root key signed gives way at once: a thief of it may have signed a higher serial.
    fn drop_of_old_roots(&mut self) {
        let root = self.root();
        self.held.retain(|slot, signed| {
            if slot.needs_root() {
                signed.retain_signatures(|key| *key == root);
            }
            !slot.needs_root() || !signed.signatures().is_empty()
        });
    }

    fn publisher_is_certified(&self) -> bool {
        self.current_term().is_some_and(|(_, node)| self.certificate(&node).is_some())
    }

    /// Verifies one statement and takes it in. After a new root key, a revocation or a lost role, statements that
    /// nobody entitled has signed any more are dropped; the owner signs them again in the same step.
    pub fn take_in(&mut self, signed: Signed) -> Result<TakenIn, StatementError> {
        let (taken, entitles) = self.take_in_unsettled(signed)?;
        if entitles {
            self.revalidate();
        }
        Ok(taken)
    }

    /// The same; also whether others may say something now, or no more.
    fn take_in_unsettled(&mut self, mut signed: Signed) -> Result<(TakenIn, bool), StatementError> {
        if let Statement::Genesis(_) = signed.statement() {
            let own = signed.genesis_id() == Some(self.id);
            return if own { Ok((TakenIn::Known, false)) } else { Err(StatementError::NotGenesis) };
        }
        if !signed.statement().organisations().contains(&self.id) {
            return Err(StatementError::OtherOrganisation);
        }
        let (slot, serial) = Slot::of(signed.statement(), &self.id);
        // A statement that is already here with these signatures needs no verification.
        if self.held.get(&slot) == Some(&signed) {
            return Ok((TakenIn::Known, false));
        }
        self.verify(&slot, &mut signed)?;
        let entitles = matches!(slot, Slot::Rotation(_) | Slot::Certificate(_) | Slot::Revocation(_));
        let taken = self.place(slot, serial, signed)?;
        let news = !matches!(taken, TakenIn::Known | TakenIn::Superseded);
        Ok((taken, entitles && news))
    }

    /// Drops the signatures of whoever may not say this, and fails if none remains.
    fn verify(&self, slot: &Slot, signed: &mut Signed) -> Result<(), StatementError> {
        if let Statement::RootRotation(rotation) = signed.statement() {
            let RootRotation { number, old, new, .. } = *rotation;
            if self.root_before(number) != Some(old) {
                return Err(StatementError::Gap { number });
            }
            let both = signed.signed_by(&old) && signed.signed_by(&new);
            signed.retain_signatures(|key| *key == old || *key == new);
            return if both { Ok(()) } else { Err(StatementError::Unauthorised) };
        }
        let entitled = self.entitled(slot);
        let valid: BTreeSet<PublicKey> = signed
            .signatures()
            .iter()
            .map(|(key, _)| *key)
            .filter(|key| entitled.contains(key) && signed.signed_by(key))
            .collect();
        signed.retain_signatures(|key| valid.contains(key));
        if valid.is_empty() { Err(StatementError::Unauthorised) } else { Ok(()) }
    }

    /// Puts a verified statement into its slot, or finds out why not.
    fn place(&mut self, slot: Slot, serial: u64, mut signed: Signed) -> Result<TakenIn, StatementError> {
        let Some(held) = self.held.get_mut(&slot) else {
            self.room_for(&slot)?;
            self.held.insert(slot, signed);
            return Ok(TakenIn::New);
        };
        let known = Slot::of(held.statement(), &self.id).1;
        if serial < known {
            return Ok(TakenIn::Superseded);
        }
        if serial > known {
            *held = signed;
            self.conflicts.remove(&slot);
            return Ok(TakenIn::New);
        }
        if held.hash() == signed.hash() {
            return Ok(if held.merge_signatures(&signed) { TakenIn::New } else { TakenIn::Known });
        }
        // The first rotation stays: a thief of the old root key must not undo it later.
        let keep_held = matches!(slot, Slot::Rotation(_)) || held.payload() < signed.payload();
        if !keep_held {
            std::mem::swap(held, &mut signed);
        }
        let conflict = Conflict { slot: slot.clone(), first: held.clone(), second: signed };
        if self.conflicts.contains_key(&slot) {
            return Ok(TakenIn::Known);
        }
        if self.conflicts.len() < CONFLICTS_MAX {
            self.conflicts.insert(slot, conflict.clone());
        }
        Ok(TakenIn::Conflict(Box::new(conflict)))
    }

    fn room_for(&self, slot: &Slot) -> Result<(), StatementError> {
        let max = match slot {
            Slot::Genesis | Slot::Leaving => 1,
            Slot::Rotation(_) => ROTATIONS_MAX,
            Slot::Certificate(_) | Slot::Revocation(_) => NODES_MAX,
            Slot::Term(_) => TERMS_MAX,
            Slot::Collection(_) => COLLECTIONS_MAX,
            Slot::Removal(..) => REMOVALS_MAX,
            Slot::Deletion(..) => DELETIONS_MAX,
            Slot::Succession(_)
            | Slot::SuccessionConfirmation(_)
            | Slot::Partnership(_)
            | Slot::Confirmation(_)
            | Slot::Delegation(..) => PARTNERSHIPS_MAX,
        };
        let kind = std::mem::discriminant(slot);
        let count = self.held.keys().filter(|held| std::mem::discriminant(*held) == kind).count();
        if count < max { Ok(()) } else { Err(StatementError::TooMany { max }) }
    }

    /// The keys that may fill this slot now.
    fn entitled(&self, slot: &Slot) -> BTreeSet<PublicKey> {
        let mut keys = BTreeSet::from([self.root()]);
        if let Slot::Deletion(_, node) = slot {
            keys.extend(self.certificate(node).map(|certificate| PublicKey::from(certificate.node)));
        } else if !slot.needs_root() {
            let admins = self.nodes().filter(|certificate| certificate.roles.admin);
            keys.extend(admins.map(|certificate| PublicKey::from(certificate.node)));
        }
        keys
    }

    /// Drops what nobody entitled has signed any more, certificates first, because they entitle others.
    fn revalidate(&mut self) {
        let slots: Vec<Slot> = self.held.keys().cloned().collect();
        let root = BTreeSet::from([self.root()]);
        let mut entitled: Option<BTreeSet<PublicKey>> = None;
        for slot in slots {
            if matches!(slot, Slot::Genesis | Slot::Rotation(_)) {
                continue;
            }
            let by_itself = matches!(slot, Slot::Deletion(..)).then(|| self.entitled(&slot));
            let keys = match &by_itself {
                Some(keys) => keys,
                None if slot.needs_root() => &root,
                None => entitled.get_or_insert_with(|| self.entitled(&slot)),
            };
            if let Some(signed) = self.held.get_mut(&slot) {
                signed.retain_signatures(|key| keys.contains(key));
                if signed.signatures().is_empty() {
                    self.held.remove(&slot);
                }
            }
        }
        self.drafts = self
            .held
            .keys()
            .filter_map(|slot| match slot {
                Slot::Certificate(node) => Some((draft_feed(self.id, node).collection, *node)),
                _ => None,
            })
            .collect();
    }

    /// The root key that was valid before rotation `number`; `None` if the rotations up to there are not known.
    fn root_before(&self, number: u32) -> Option<PublicKey> {
        match number {
            0 => None,
            1 => Some(self.genesis.root),
            _ => match self.held.get(&Slot::Rotation(number - 1))?.statement() {
                Statement::RootRotation(rotation) => Some(rotation.new),
                _ => None,
            },
        }
    }

    /// The contradictions found so far.
    pub fn conflicts(&self) -> impl Iterator<Item = &Conflict> {
        self.conflicts.values()
    }

    /// The present root key.
    pub fn root(&self) -> PublicKey {
        let rotations = self.held.range(Slot::Rotation(0)..=Slot::Rotation(u32::MAX));
        let last = rotations.last().and_then(|(_, signed)| match signed.statement() {
            Statement::RootRotation(rotation) => Some(rotation.new),
            _ => None,
        });
        last.unwrap_or(self.genesis.root)
    }

    /// What a node may do; nothing if it has no certificate or lost it.
    pub fn roles(&self, node: &NodeId) -> Roles {
        self.certificate(node).map(|certificate| certificate.roles).unwrap_or_default()
    }
}
