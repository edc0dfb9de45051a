//! Who follows whom: stated by the successor's root, confirmed by persons at each partner.

use ortsnetz_model::{Hash, OrgId};

use super::{Identity, Slot};
use crate::canonical::EncodingError;
use crate::keys::{RootKey, Signer};
use crate::statement::{Signed, Statement, Succession, SuccessionConfirmation};
use crate::words::{CHECK_WORDS, words};

/// The words that people at the successor and at a partner compare: 66 bits over both organisations.
pub fn succession_words(successor: &OrgId, predecessor: &OrgId) -> Vec<&'static str> {
    let hash = Hash::of(&[b"ortsnetz/succession/v1\0".as_slice(), &successor.0, &predecessor.0].concat());
    let mut words = words(&hash.0);
    words.truncate(CHECK_WORDS);
    words
}

impl Identity {
    /// Organisations this one says it follows. Counts only once a person here checked it.
    pub fn predecessors(&self) -> impl Iterator<Item = OrgId> {
        self.held.iter().filter_map(|(slot, signed)| match (slot, signed.statement()) {
            (Slot::Succession(predecessor), Statement::Succession(it)) if !it.ended => Some(*predecessor),
            _ => None,
        })
    }

    /// Who follows an organisation, as a person of this one confirmed.
    pub fn confirmed_successor(&self, predecessor: &OrgId) -> Option<OrgId> {
        self.judgement(predecessor).filter(|it| it.confirmed).map(|it| it.successor)
    }

    /// Whether a person of this organisation said anything about this succession, yes or no.
    pub fn judged(&self, successor: &OrgId, predecessor: &OrgId) -> bool {
        self.judgement(predecessor).is_some_and(|it| it.successor == *successor)
    }

    fn judgement(&self, predecessor: &OrgId) -> Option<&SuccessionConfirmation> {
        match self.held.get(&Slot::SuccessionConfirmation(*predecessor))?.statement() {
            Statement::SuccessionConfirmation(confirmation) => Some(confirmation),
            _ => None,
        }
    }

    /// States that this organisation follows another one, or does so no more. Not yet taken in.
    pub fn succeed(&self, predecessor: OrgId, ended: bool, at: u64, root: &RootKey) -> Result<Signed, EncodingError> {
        let serial = self.serial(&Slot::Succession(predecessor)) + 1;
        Signed::new(Succession { organisation: self.id(), predecessor, serial, at, ended }, &[root])
    }

    /// States what a person of this organisation found out about a succession. Not yet taken in.
    pub fn confirm_succession(
        &self,
        successor: OrgId,
        predecessor: OrgId,
        confirmed: bool,
        at: u64,
        signer: &dyn Signer,
    ) -> Result<Signed, EncodingError> {
        let serial = self.serial(&Slot::SuccessionConfirmation(predecessor)) + 1;
        let organisation = self.id();
        let statement = SuccessionConfirmation { organisation, successor, predecessor, serial, confirmed, at };
        Signed::new(statement, &[signer])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::StatementError;
    use crate::testing::{NOW, Town};

    #[test]
    fn a_succession_is_stated_by_root_confirmed_elsewhere_and_both_can_be_taken_back() {
        let (mut new, mut partner) = (Town::siegburg(), Town::bonn());
        let old = OrgId([7; 32]);
        let (successor, own) = (new.identity.id(), partner.identity.id());
        let by_node = Succession { organisation: successor, predecessor: old, serial: 1, at: NOW, ended: false };
        let by_node = Signed::new(by_node, &[&new.node]).unwrap();
        assert_eq!(new.identity.take_in(by_node), Err(StatementError::Unauthorised));
        new.identity.take_in(new.identity.succeed(old, false, NOW, &new.root).unwrap()).unwrap();
        assert_eq!(new.identity.predecessors().collect::<Vec<_>>(), [old]);
        let judge = |partner: &mut Town, confirmed| {
            let signed = partner.identity.confirm_succession(successor, old, confirmed, NOW, &partner.node).unwrap();
            partner.identity.take_in(signed).unwrap();
        };
        assert!(!partner.identity.judged(&successor, &old));
        judge(&mut partner, false);
        assert!(partner.identity.judged(&successor, &old) && partner.identity.confirmed_successor(&old).is_none());
        judge(&mut partner, true);
        assert_eq!(partner.identity.confirmed_successor(&old), Some(successor));
        judge(&mut partner, false);
        assert_eq!(partner.identity.confirmed_successor(&old), None);
        new.identity.take_in(new.identity.succeed(old, true, NOW, &new.root).unwrap()).unwrap();
        assert_eq!(new.identity.predecessors().count(), 0);
        assert!(new.identity.succeed(successor, false, NOW, &new.root).is_err(), "nobody follows himself");
        assert!(partner.identity.confirm_succession(own, old, true, NOW, &partner.node).is_err());
    }

    #[test]
    fn the_words_are_those_of_this_pair_in_this_direction() {
        let (a, b, c) = (OrgId([1; 32]), OrgId([2; 32]), OrgId([3; 32]));
        let words = succession_words(&a, &b);
        assert_eq!(words.len(), CHECK_WORDS);
        assert_eq!(words, succession_words(&a, &b));
        assert!([(b, a), (a, c), (c, b)].iter().all(|(a, b)| succession_words(a, b) != words));
    }
}
