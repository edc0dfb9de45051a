//! Who takes part no more: stated by its own root, answered by each node that deleted what it held.

use ortsnetz_model::{NodeId, OrgId};

use super::{Identity, Slot};
use crate::canonical::EncodingError;
use crate::keys::{NodeKey, RootKey};
use crate::statement::{Deletion, Leaving, Signed, Statement};

/// What an organisation says when it leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// From when on it takes part no more, milliseconds since 1970.
    pub from: u64,
    /// Days after that for which others may keep what they hold of it.
    pub keep_days: u32,
    /// Whom people call then; may be empty.
    pub telephone: String,
    /// What else they should know; may be empty.
    pub note: String,
}

impl Identity {
    /// That it takes part no more, from a time on that may lie ahead; `None` if it never said so or took it back.
    pub fn leaving(&self) -> Option<&Leaving> {
        match self.held.get(&Slot::Leaving)?.statement() {
            Statement::Leaving(leaving) if leaving.from > 0 => Some(leaving),
            _ => None,
        }
    }

    /// Whether it takes part no more at this moment.
    pub fn has_left(&self, now: u64) -> bool {
        self.leaving().is_some_and(|leaving| leaving.from <= now)
    }

    /// States that this organisation leaves. Not yet taken in.
    pub fn leave(&self, farewell: Farewell, at: u64, root: &RootKey) -> Result<Signed, EncodingError> {
        let Farewell { from, keep_days, telephone, note } = farewell;
        let serial = self.serial(&Slot::Leaving) + 1;
        Signed::new(Leaving { organisation: self.id(), serial, from, keep_days, telephone, note, at }, &[root])
    }

    /// States that it stays after all. Not yet taken in.
    pub fn stay(&self, at: u64, root: &RootKey) -> Result<Signed, EncodingError> {
        let nothing = Farewell { from: 0, keep_days: 0, telephone: String::new(), note: String::new() };
        self.leave(nothing, at, root)
    }

    /// What one of its nodes deleted of an organisation that left.
    pub fn deletion(&self, leaver: &OrgId, node: &NodeId) -> Option<&Deletion> {
        match self.held.get(&Slot::Deletion(*leaver, *node))?.statement() {
            Statement::Deletion(deletion) => Some(deletion),
            _ => None,
        }
    }

    /// States that a node of this organisation deleted what it held of one that left, by its statement with this serial. Not
    /// yet taken in.
    pub fn state_deletion(
        &self,
        leaver: OrgId,
        serial: u64,
        entries: u64,
        at: u64,
        node: &NodeKey,
    ) -> Result<Signed, EncodingError> {
        Signed::new(Deletion { organisation: self.id(), node: node.id(), leaver, serial, entries, at }, &[node])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{StatementError, TakenIn};
    use crate::limits::{
        DELETIONS_MAX, KEEP_DAYS, KEEP_DAYS_MAX, LEAVING_AHEAD_MS_MAX, NOTE_BYTES_MAX, TELEPHONE_BYTES_MAX,
    };
    use crate::statement::Roles;
    use crate::testing::{NOW, Town};

    const DAY_MS: u64 = 24 * 60 * 60 * 1000;

    fn farewell(from: u64) -> Farewell {
        Farewell { from, keep_days: KEEP_DAYS, telephone: "+49 2241 102-0".into(), note: String::new() }
    }

    #[test]
    fn root_alone_says_that_a_town_leaves_and_takes_it_back() {
        let mut town = Town::siegburg();
        let from = NOW + 3 * DAY_MS;
        assert!(town.identity.leaving().is_none() && !town.identity.has_left(u64::MAX));
        let content = Leaving {
            organisation: town.identity.id(),
            serial: 1,
            from,
            keep_days: 30,
            telephone: String::new(),
            note: String::new(),
            at: NOW,
        };
        let by_node = Signed::new(content.clone(), &[&town.node]).unwrap();
        assert_eq!(town.identity.take_in(by_node), Err(StatementError::Unauthorised), "an admin node may not");
        let foreign = Signed::new(content, &[&Town::bonn().root]).unwrap();
        assert_eq!(town.identity.take_in(foreign), Err(StatementError::Unauthorised));
        let first = town.identity.leave(farewell(from), NOW, &town.root).unwrap();
        assert_eq!(town.identity.take_in(first.clone()), Ok(TakenIn::New));
        assert!(!town.identity.has_left(from - 1) && town.identity.has_left(from));
        assert_eq!(town.identity.leaving().unwrap().keep_until(), from + 30 * DAY_MS);
        let back = town.identity.stay(NOW + 1, &town.root).unwrap();
        assert_eq!(town.identity.take_in(back), Ok(TakenIn::New));
        assert!(town.identity.leaving().is_none());
        // What was taken back is not brought back by saying it again.
        assert_eq!(town.identity.take_in(first), Ok(TakenIn::Superseded));
        assert!(town.identity.leaving().is_none() && !town.identity.has_left(u64::MAX));
        assert_eq!(Town::bonn().identity.take_in(town.identity.leave(farewell(from), NOW, &town.root).unwrap()), {
            Err(StatementError::OtherOrganisation)
        });
    }

    #[test]
    fn after_a_new_root_key_the_old_one_ends_nothing_and_what_was_said_stays_said() {
        let mut town = Town::siegburg();
        let new_root = RootKey::from_secret(&[77; 32]);
        town.identity.take_in(town.identity.leave(farewell(NOW + DAY_MS), NOW, &town.root).unwrap()).unwrap();
        let rotation = town.identity.rotate(&town.root, &new_root, NOW).unwrap();
        let (_, refused) = town.identity.take_in_all(rotation);
        assert!(refused.is_empty(), "{refused:?}");
        assert!(town.identity.leaving().is_some(), "signed again with the rest");
        let by_thief = town.identity.stay(NOW, &town.root).unwrap();
        assert_eq!(town.identity.take_in(by_thief), Err(StatementError::Unauthorised));
        town.identity.take_in(town.identity.stay(NOW, &new_root).unwrap()).unwrap();
        assert!(town.identity.leaving().is_none());
    }

    #[test]
    fn each_limit_of_a_farewell_holds_at_and_over() {
        let town = Town::siegburg();
        let signs = |farewell: Farewell| town.identity.leave(farewell, NOW, &town.root).is_ok();
        let plain = || farewell(NOW);
        assert!(signs(farewell(NOW + LEAVING_AHEAD_MS_MAX)) && !signs(farewell(NOW + LEAVING_AHEAD_MS_MAX + 1)));
        assert!(signs(Farewell { keep_days: KEEP_DAYS_MAX, ..plain() }));
        assert!(!signs(Farewell { keep_days: KEEP_DAYS_MAX + 1, ..plain() }));
        assert!(signs(Farewell { telephone: "1".repeat(TELEPHONE_BYTES_MAX), ..plain() }));
        assert!(!signs(Farewell { telephone: "1".repeat(TELEPHONE_BYTES_MAX + 1), ..plain() }));
        assert!(!signs(Farewell { telephone: "call <b>us</b>".into(), ..plain() }));
        assert!(signs(Farewell { note: "n".repeat(NOTE_BYTES_MAX), ..plain() }));
        assert!(!signs(Farewell { note: "n".repeat(NOTE_BYTES_MAX + 1), ..plain() }));
        assert!(!signs(Farewell { note: "two\nlines".into(), ..plain() }));
        assert!(signs(Farewell { keep_days: 0, telephone: String::new(), ..plain() }));
        assert!(!signs(farewell(0)), "what is taken back says nothing else");
    }

    #[test]
    fn each_node_states_its_own_deletion_and_nobody_anothers() {
        let mut bonn = Town::bonn();
        let leaver = Town::siegburg().identity.id();
        let laptop = NodeKey::from_secret(&[42; 32]);
        let stated = |bonn: &Town, key: &NodeKey| bonn.identity.state_deletion(leaver, 1, 7, NOW, key).unwrap();
        assert_eq!(bonn.identity.take_in(stated(&bonn, &laptop)), Err(StatementError::Unauthorised), "not certified");
        let certificate =
            bonn.identity.certify(laptop.id(), Roles::default(), "Laptop".into(), Vec::new(), NOW, &bonn.root).unwrap();
        bonn.identity.take_in(certificate).unwrap();
        // Neither by another node of the organisation, admin or not.
        let content =
            Deletion { organisation: bonn.identity.id(), node: laptop.id(), leaver, serial: 1, entries: 7, at: NOW };
        let by_admin = Signed::new(content, &[&bonn.node]).unwrap();
        assert_eq!(bonn.identity.take_in(by_admin), Err(StatementError::Unauthorised));
        for key in [laptop.clone(), bonn.node.clone()] {
            let signed = stated(&bonn, &key);
            assert_eq!(bonn.identity.take_in(signed), Ok(TakenIn::New), "no role is needed");
            assert_eq!(bonn.identity.deletion(&leaver, &key.id()).map(|it| (it.entries, it.at)), Some((7, NOW)));
        }
        // Both stand after whatever makes the fold look again at who signed what.
        let chain = bonn.identity.statements_for(crate::View::Public);
        let (again, refused) = Identity::from_statements(chain).unwrap();
        assert!(refused.is_empty() && again.deletion(&leaver, &laptop.id()).is_some());
        // What a node said that was taken back stands no more, unless root says it again.
        let revoked = bonn.identity.revoke(laptop.id(), NOW, &bonn.root).unwrap();
        let mut without = bonn.identity.clone();
        without.take_in(revoked[0].clone()).unwrap();
        assert!(without.deletion(&leaver, &laptop.id()).is_none());
        assert!(without.deletion(&leaver, &bonn.id()).is_some());
        bonn.identity.take_in_all(revoked);
        assert!(bonn.identity.deletion(&leaver, &laptop.id()).is_some());
        assert!(bonn.identity.state_deletion(bonn.identity.id(), 1, 7, NOW, &bonn.node).is_err(), "not of one's own");
    }

    #[test]
    fn as_many_deletions_as_allowed_and_no_more() {
        let mut bonn = Town::bonn();
        for number in 0..=DELETIONS_MAX {
            let mut id = [9; 32];
            id[..8].copy_from_slice(&number.to_be_bytes());
            let signed = bonn.identity.state_deletion(OrgId(id), 1, 0, NOW, &bonn.node).unwrap();
            let taken = bonn.identity.take_in(signed);
            let expected = if number < DELETIONS_MAX {
                Ok(TakenIn::New)
            } else {
                Err(StatementError::TooMany { max: DELETIONS_MAX })
            };
            assert_eq!(taken, expected, "{number}");
        }
    }
}
