use ortsnetz_model::CollectionId;

use super::*;
use crate::keys::{NodeKey, RootKey, Signer};
use crate::statement::{PartnerConfirmation, Partnership, PartnershipEnd, PublisherTerm, ReaderRemoval, Readers};
use crate::testing::{NOW, Town};

pub(super) const DAY: u64 = 24 * 60 * 60 * 1000;

pub(super) fn editor_and_admin() -> Roles {
    Roles { admin: true, edit: true }
}

/// Siegburg with a second admin node, `laptop`.
pub(super) fn two_nodes() -> (Town, NodeKey) {
    let mut town = Town::siegburg();
    let laptop = NodeKey::from_secret(&[77; 32]);
    let certificate =
        town.identity.certify(laptop.id(), editor_and_admin(), "Laptop".into(), vec![], NOW, &town.root).unwrap();
    assert_eq!(town.identity.take_in(certificate), Ok(TakenIn::New));
    (town, laptop)
}

/// The statements that give a collection these readers.
pub(super) fn state(identity: &Identity, name: &str, readers: Readers, signer: &dyn Signer) -> Vec<Signed> {
    identity.state_collection(CollectionTerms::new(name, readers), NOW, signer).unwrap()
}

#[test]
fn an_organisation_starts_with_a_node_and_a_publisher() {
    let town = Town::siegburg();
    let identity = &town.identity;
    assert_eq!((identity.name(), identity.ars()), ("Stadt Siegburg", "053820060060"));
    assert_eq!(identity.current_term(), Some((1, town.id())));
    assert_eq!(identity.roles(&town.id()), editor_and_admin());
    assert_eq!(identity.node_state(&town.id(), NOW), NodeState::Valid);
    assert_eq!(identity.node_state(&town.id(), NOW - 1), NodeState::NotYet);
    assert_eq!(identity.node_state(&town.id(), NOW + CERTIFICATE_MS + 1), NodeState::Expired);
    assert_eq!(identity.node_state(&Town::bonn().id(), NOW), NodeState::Unknown);
    assert_ne!(identity.id(), Town::bonn().identity.id());
}

#[test]
fn a_chain_folds_to_the_same_in_any_order_and_twice() {
    let (mut town, laptop) = two_nodes();
    let bonn = Town::bonn().identity.id();
    let readers = Readers::Organisations(vec![bonn]);
    let collection = state(&town.identity, "partners", readers, &laptop).remove(0);
    town.identity.take_in(collection).unwrap();
    let term = town.identity.appoint(laptop.id(), NOW, &town.root).unwrap();
    town.identity.take_in(term).unwrap();
    let chain = town.identity.statements_for(View::Own);
    assert_eq!(chain.len(), 6);
    for turn in 0..chain.len() {
        let mut shuffled = chain.clone();
        shuffled.rotate_left(turn);
        shuffled.reverse();
        shuffled.extend(chain.iter().take(turn).cloned());
        let (folded, refused) = Identity::from_statements(shuffled).unwrap();
        assert!(refused.is_empty(), "{refused:?}");
        assert_eq!(folded, town.identity);
    }
}

#[test]
fn strangers_and_plain_nodes_cannot_state_anything() {
    let mut town = Town::siegburg();
    let own = town.identity.id();
    let stranger = RootKey::from_secret(&[200; 32]);
    let editor = NodeKey::from_secret(&[201; 32]);
    let plain = Roles { admin: false, edit: true };
    let certificate = town.identity.certify(editor.id(), plain, "Schalter".into(), vec![], NOW, &town.root).unwrap();
    town.identity.take_in(certificate).unwrap();
    // A node with role admin cannot sign what only root may.
    let term = PublisherTerm { organisation: own, number: 2, node: editor.id(), at: NOW };
    for signer in [&stranger as &dyn Signer, &editor, &town.node] {
        let signed = Signed::new(term.clone(), &[signer]).unwrap();
        assert_eq!(town.identity.take_in(signed), Err(StatementError::Unauthorised));
    }
    let terms = CollectionTerms { relay: true, ..CollectionTerms::new("internal", Readers::Public) };
    let forged = town.identity.state_collection(terms, NOW, &editor).unwrap();
    assert_eq!(town.identity.take_in(forged[0].clone()), Err(StatementError::Unauthorised));
    let bonn = Town::bonn().identity.id();
    let removal =
        ReaderRemoval { organisation: own, collection: collection_id(&town, "x"), reader: bonn, serial: 9, at: NOW };
    let forged = Signed::new(removal, &[&editor]).unwrap();
    assert_eq!(town.identity.take_in(forged), Err(StatementError::Unauthorised));
    // Right key named, wrong signature.
    let mut bytes = Signed::new(term, &[&town.root]).unwrap().to_bytes();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    assert_eq!(town.identity.take_in(Signed::from_bytes(&bytes).unwrap()), Err(StatementError::Unauthorised));
    // A chain of somebody else.
    let other = Town::bonn().identity.statements_for(View::Own);
    assert_eq!(town.identity.take_in(other[0].clone()), Err(StatementError::NotGenesis));
    assert_eq!(town.identity.take_in(other[1].clone()), Err(StatementError::OtherOrganisation));
}

#[test]
fn the_higher_serial_wins_and_equal_serials_are_evidence() {
    let (mut town, laptop) = two_nodes();
    let state = |identity: &Identity, list: Vec<OrgId>| {
        state(identity, "partners", Readers::Organisations(list), &laptop).remove(0)
    };
    let bonn = Town::bonn().identity.id();
    let (a, b) = (state(&town.identity, vec![]), state(&town.identity, vec![bonn]));
    let mut other_way = town.identity.clone();
    assert_eq!(town.identity.take_in(a.clone()), Ok(TakenIn::New));
    assert!(matches!(town.identity.take_in(b.clone()), Ok(TakenIn::Conflict(_))));
    assert_eq!(other_way.take_in(b.clone()), Ok(TakenIn::New));
    assert!(matches!(other_way.take_in(a.clone()), Ok(TakenIn::Conflict(_))));
    assert_eq!(town.identity, other_way, "the order does not matter");
    assert_eq!(town.identity.conflicts().count(), 1);
    let next = state(&town.identity, vec![bonn]);
    assert_eq!(town.identity.take_in(next.clone()), Ok(TakenIn::New));
    assert_eq!(town.identity.conflicts().count(), 0);
    assert_eq!(town.identity.take_in(a), Ok(TakenIn::Superseded));
    assert_eq!(town.identity.take_in(next), Ok(TakenIn::Known));
}

#[test]
fn a_revoked_node_counts_no_more_and_what_only_it_signed_is_signed_again() {
    let (mut town, laptop) = two_nodes();
    let bonn = OrgId([1; 32]);
    let readers = Readers::Organisations(vec![bonn]);
    let collection = state(&town.identity, "partners", readers, &laptop).remove(0);
    town.identity.take_in(collection.clone()).unwrap();
    let statements = town.identity.revoke(laptop.id(), NOW + 1, &town.root).unwrap();
    assert_eq!(statements.len(), 2);
    let before = town.identity.clone();
    let (news, refused) = town.identity.take_in_all(statements.clone());
    assert_eq!((news.len(), refused.len()), (2, 0));
    assert_eq!(town.identity.node_state(&laptop.id(), NOW), NodeState::Revoked);
    assert_eq!(town.identity.roles(&laptop.id()), Roles::default());
    assert!(town.identity.can_read(&collection_id(&town, "partners"), &bonn));
    assert_eq!(town.identity.take_in(collection), Err(StatementError::Unauthorised));
    // Taken in one by one, the list is gone until it comes signed again; the end is the same.
    let mut slowly = before;
    slowly.take_in(statements[0].clone()).unwrap();
    assert!(!slowly.can_read(&collection_id(&town, "partners"), &bonn));
    slowly.take_in(statements[1].clone()).unwrap();
    assert_eq!(slowly, town.identity);
    // Its key never comes back.
    let again = town.identity.certify(laptop.id(), editor_and_admin(), "Laptop".into(), vec![], NOW + DAY, &town.root);
    assert!(again.is_err_and(|error| error.to_string().contains("needs a new key")));
    // What it is told when it calls suffices to know that, and says nothing about collections.
    let told = town.identity.statements_about_keys();
    let mut thief = Identity::new(town.identity.held[&Slot::Genesis].clone()).unwrap();
    assert_eq!(thief.take_in_all(told.clone()).1, []);
    assert!(thief.is_revoked(&laptop.id()) && !thief.is_revoked(&town.id()));
    assert!(told.iter().all(|signed| signed.statement().kind_name() != "collection"));
}

#[test]
fn who_wrote_under_a_certificate_that_was_taken_back_is_known_by_feed_and_term() {
    let (mut town, laptop) = two_nodes();
    let public = CollectionId::named(&town.identity.id(), "public");
    let drafts = draft_feed(town.identity.id(), &laptop.id()).collection;
    let term = town.identity.appoint(laptop.id(), NOW, &town.root).unwrap();
    town.identity.take_in(term).unwrap();
    let revoked = |town: &Town, collection| [0, 1, 2, 3].map(|term| town.identity.is_writer_revoked(collection, term));
    assert_eq!((revoked(&town, &public), revoked(&town, &drafts)), ([false; 4], [false; 4]));
    let statements = town.identity.revoke(laptop.id(), NOW + 1, &town.root).unwrap();
    town.identity.take_in_all(statements);
    assert_eq!(revoked(&town, &public), [false, false, true, false]);
    assert_eq!(revoked(&town, &drafts), [true, false, false, false], "root writes there in its own term");
}

fn collection_id(town: &Town, name: &str) -> CollectionId {
    CollectionId::named(&town.identity.id(), name)
}

#[test]
fn a_new_root_key_takes_over_and_the_old_one_counts_no_more() {
    let (mut town, laptop) = two_nodes();
    let new = RootKey::from_secret(&[50; 32]);
    let before = town.identity.clone();
    let statements = town.identity.rotate(&town.root, &new, NOW + DAY).unwrap();
    let (_, refused) = town.identity.take_in_all(statements.clone());
    assert!(refused.is_empty());
    assert_eq!(town.identity.root(), new.public());
    assert_eq!(town.identity.current_term(), Some((1, town.id())));
    assert!(town.identity.roles(&laptop.id()).admin);
    let retired = [town.root.public(), new.public(), laptop.public()].map(|key| town.identity.is_retired(&key));
    assert_eq!(retired, [true, false, false]);
    let late = before.appoint(laptop.id(), NOW, &town.root).unwrap();
    assert_eq!(town.identity.take_in(late), Err(StatementError::Unauthorised));
    // Another rotation by the old key is evidence, and the first stays.
    let thief = RootKey::from_secret(&[51; 32]);
    let stolen = before.rotate(&town.root, &thief, NOW + DAY).unwrap();
    assert!(matches!(town.identity.take_in(stolen[0].clone()), Ok(TakenIn::Conflict(_))));
    assert_eq!(town.identity.root(), new.public());
    // A rotation needs both keys and no gap.
    let id = town.identity.id();
    let half = RootRotation { organisation: id, number: 2, old: new.public(), new: thief.public(), at: NOW };
    let signed = Signed::new(half.clone(), &[&thief]).unwrap();
    assert_eq!(town.identity.take_in(signed), Err(StatementError::Unauthorised));
    let signed = Signed::new(RootRotation { number: 4, ..half }, &[&new, &thief]).unwrap();
    assert_eq!(town.identity.take_in(signed), Err(StatementError::Gap { number: 4 }));
    // Whoever hears it all at once agrees.
    let (fresh, refused) = Identity::from_statements(town.identity.statements_for(View::Own)).unwrap();
    assert!(refused.is_empty());
    assert_eq!(fresh.chain_hash(View::Own), town.identity.chain_hash(View::Own));
}

#[test]
fn a_new_root_key_loses_nothing_that_nodes_signed_and_comes_only_whole() {
    let (mut town, laptop) = two_nodes();
    let bonn = OrgId([1; 32]);
    let readers = Readers::Organisations(vec![bonn]);
    for signed in state(&town.identity, "partners", readers, &laptop) {
        town.identity.take_in(signed).unwrap();
    }
    let new = RootKey::from_secret(&[50; 32]);
    let before = town.identity.clone();
    let statements = town.identity.rotate(&town.root, &new, NOW + DAY).unwrap();
    assert_eq!(town.identity.take_in_all(statements.clone()).1, []);
    assert_eq!(town.identity.root(), new.public());
    assert!(town.identity.can_read(&collection_id(&town, "partners"), &bonn), "the laptop signed that");
    assert_eq!(town.identity.statements_for(View::Own).len(), before.statements_for(View::Own).len() + 1);
    // Where a thief of the old key was quicker, with higher serials and another term, that goes.
    let mut deceived = before.clone();
    let plain = Roles::default();
    let node = town.id();
    deceived.take_in(before.certify(node, plain, "Falsch".into(), vec![], NOW, &town.root).unwrap()).unwrap();
    deceived.take_in(before.appoint(laptop.id(), NOW, &town.root).unwrap()).unwrap();
    deceived.take_in_all(before.revoke(laptop.id(), NOW, &town.root).unwrap());
    deceived.take_in_all(town.identity.statements_for(View::Own));
    assert_eq!(deceived, town.identity);
    // A relay that keeps back what the new key certifies changes nothing.
    for kept in [1, 2] {
        let mut part = before.clone();
        let (news, refused) = part.take_in_all(statements[..kept].to_vec());
        assert!(news.is_empty() && refused.iter().any(|(_, error)| *error == StatementError::Alone), "{kept}");
        assert_eq!(part, before);
        part.take_in_all(statements.clone());
        assert_eq!(part, town.identity);
    }
}

#[test]
fn a_partnership_needs_both_and_one_is_enough_to_end_it() {
    let (mut siegburg, mut bonn) = (Town::siegburg(), Town::bonn());
    let (a, b) = (siegburg.identity.id().min(bonn.identity.id()), siegburg.identity.id().max(bonn.identity.id()));
    let partnership = |serial| Partnership { a, b, serial, at: NOW };
    let state = |x: &Town, y: &Town| x.identity.partnership_with(&y.identity);
    assert_eq!(state(&siegburg, &bonn), PartnershipState::None);
    siegburg.identity.take_in(Signed::new(partnership(1), &[&siegburg.node]).unwrap()).unwrap();
    assert_eq!(state(&siegburg, &bonn), PartnershipState::Offered);
    assert_eq!(state(&bonn, &siegburg), PartnershipState::Offered);
    // Bonn's signature does not count in Siegburg's chain.
    let by_bonn = Signed::new(partnership(1), &[&bonn.node]).unwrap();
    assert_eq!(siegburg.identity.take_in(by_bonn.clone()), Err(StatementError::Unauthorised));
    bonn.identity.take_in(by_bonn).unwrap();
    assert_eq!(state(&siegburg, &bonn), PartnershipState::Active);
    assert_eq!(siegburg.identity.partners().collect::<Vec<_>>(), [bonn.identity.id()]);
    let end = PartnershipEnd { organisation: bonn.identity.id(), partner: siegburg.identity.id(), serial: 2, at: NOW };
    bonn.identity.take_in(Signed::new(end, &[&bonn.node]).unwrap()).unwrap();
    assert_eq!(state(&siegburg, &bonn), PartnershipState::Ended);
    assert_eq!(state(&bonn, &siegburg), PartnershipState::Ended);
    siegburg.identity.take_in(Signed::new(partnership(3), &[&siegburg.node]).unwrap()).unwrap();
    assert_eq!(state(&bonn, &siegburg), PartnershipState::Offered, "beginning again needs both");
    bonn.identity.take_in(Signed::new(partnership(3), &[&bonn.node]).unwrap()).unwrap();
    assert_eq!(state(&bonn, &siegburg), PartnershipState::Active);
}

#[test]
fn a_confirmation_is_seen_by_everybody_because_it_vouches() {
    let mut town = Town::siegburg();
    let bonn = OrgId([1; 32]);
    let confirmation =
        PartnerConfirmation { organisation: town.identity.id(), partner: bonn, serial: 1, confirmed: true, at: NOW };
    town.identity.take_in(Signed::new(confirmation.clone(), &[&town.node]).unwrap()).unwrap();
    assert!(town.identity.confirms(&bonn));
    let hash = |view| town.identity.chain_hash(view);
    assert_eq!(hash(View::Reader(bonn)), hash(View::Own));
    assert_eq!(hash(View::Reader(OrgId([2; 32]))), hash(View::Own));
    assert_eq!(hash(View::Public), hash(View::Own));
    let back = PartnerConfirmation { serial: 2, confirmed: false, ..confirmation };
    town.identity.take_in(Signed::new(back, &[&town.node]).unwrap()).unwrap();
    assert!(!town.identity.confirms(&bonn));
}

#[test]
fn certificates_warn_90_30_and_7_days_ahead() {
    let town = Town::siegburg();
    let end = NOW + CERTIFICATE_MS;
    let days = |now| town.identity.expiry_warnings(now).first().map(|warning| warning.days);
    assert_eq!(days(end - 90 * DAY - 1), None);
    assert_eq!(days(end - 90 * DAY), Some(90));
    assert_eq!(days(end - 30 * DAY), Some(30));
    assert_eq!(days(end - 7 * DAY), Some(7));
    assert_eq!(days(end + 1), Some(0));
}

#[test]
fn as_many_statements_of_a_kind_as_allowed_and_no_more() {
    fn id(number: usize) -> [u8; 32] {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&(number as u64).to_be_bytes());
        id
    }
    type Make = fn(usize) -> Slot;
    let kinds: [(usize, Make); 11] = [
        (ROTATIONS_MAX, |n| Slot::Rotation(n as u32)),
        (NODES_MAX, |n| Slot::Certificate(NodeId(id(n)))),
        (NODES_MAX, |n| Slot::Revocation(NodeId(id(n)))),
        (TERMS_MAX, |n| Slot::Term(n as u32)),
        (COLLECTIONS_MAX, |n| Slot::Collection(CollectionId::named(&OrgId([0; 32]), &n.to_string()))),
        (REMOVALS_MAX, |n| Slot::Removal(CollectionId([0; 16]), OrgId(id(n)))),
        (PARTNERSHIPS_MAX, |n| Slot::Succession(OrgId(id(n)))),
        (PARTNERSHIPS_MAX, |n| Slot::SuccessionConfirmation(OrgId(id(n)))),
        (PARTNERSHIPS_MAX, |n| Slot::Partnership(OrgId(id(n)))),
        (PARTNERSHIPS_MAX, |n| Slot::Confirmation(OrgId(id(n)))),
        (PARTNERSHIPS_MAX, |n| Slot::Delegation(OrgId(id(n)), String::new())),
    ];
    for (max, make) in kinds {
        let mut identity = Identity::new(Town::siegburg().identity.held[&Slot::Genesis].clone()).unwrap();
        let any = identity.held[&Slot::Genesis].clone();
        identity.held.extend((1..max).map(|n| (make(n), any.clone())));
        assert_eq!(identity.room_for(&make(max)), Ok(()), "{:?}", make(max));
        identity.held.insert(make(max), any);
        assert_eq!(identity.room_for(&make(0)), Err(StatementError::TooMany { max }));
    }
}

#[test]
fn as_many_contradictions_as_allowed_are_kept() {
    let mut town = Town::siegburg();
    for number in 0..=CONFLICTS_MAX {
        let name = format!("c{number}");
        let state = |relay| {
            let readers = Readers::Organisations(vec![]);
            let terms = CollectionTerms { relay, ..CollectionTerms::new(&name, readers) };
            town.identity.state_collection(terms, NOW, &town.node).unwrap().remove(0)
        };
        let (first, second) = (state(false), state(true));
        town.identity.take_in(first).unwrap();
        assert!(matches!(town.identity.take_in(second), Ok(TakenIn::Conflict(_))));
    }
    assert_eq!(town.identity.conflicts().count(), CONFLICTS_MAX);
}
