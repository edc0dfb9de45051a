//! Who reads what, who learns of it, and what is said to whoever was removed.

use super::tests::{state, two_nodes};
use super::*;
use crate::keys::Signer;
use crate::limits::{NAME_BYTES_MAX, OWN_COLLECTIONS_MAX, READERS_MAX};
use crate::statement::{ReaderRemoval, Readers};
use crate::testing::{NOW, Town};

const BONN: OrgId = OrgId([1; 32]);
const KOELN: OrgId = OrgId([2; 32]);
const HUERTH: OrgId = OrgId([3; 32]);

fn organisations(list: &[OrgId]) -> Readers {
    Readers::Organisations(list.to_vec())
}

/// States and takes in.
fn share(identity: &mut Identity, name: &str, readers: Readers, signer: &dyn Signer) -> Vec<Signed> {
    let statements = state(identity, name, readers, signer);
    for signed in &statements {
        assert_eq!(identity.take_in(signed.clone()), Ok(TakenIn::New));
    }
    statements
}

/// What an organisation holds after asking the owner, on top of what it held.
fn ask(held: &mut Identity, owner: &Identity, reader: OrgId) {
    let (_, refused) = held.take_in_all(owner.statements_for(View::Reader(reader)));
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(held.chain_hash(View::Reader(reader)), owner.chain_hash(View::Reader(reader)), "nothing left to ask");
}

/// A chain as it stands at somebody who knows nothing but what everybody may see.
fn stranger(owner: &Identity) -> Identity {
    Identity::from_statements(owner.statements_for(View::Public)).unwrap().0
}

fn bytes(identity: &Identity, view: View) -> Vec<u8> {
    identity.statements_for(view).iter().flat_map(Signed::to_bytes).collect()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn reader_lists_decide_who_reads_and_who_learns_of_them() {
    let (mut town, laptop) = two_nodes();
    let id = town.identity.id();
    let named = |name: &str| CollectionId::named(&id, name);
    assert!(town.identity.can_read(&named("public"), &BONN) && town.identity.may_relay(&named("public")));
    assert!(!town.identity.can_read(&named("partners"), &BONN));
    assert!(!town.identity.can_read(&named("internal"), &BONN) && town.identity.can_read(&named("internal"), &id));
    assert!(!town.identity.can_read(&named("unknown"), &BONN));
    let with = format!("with:{BONN}");
    share(&mut town.identity, &with, organisations(&[BONN]), &laptop);
    assert!(town.identity.can_read(&named(&with), &BONN) && !town.identity.can_read(&named(&with), &KOELN));
    let sees = |identity: &Identity, view| identity.statements_for(view).len();
    let all = sees(&town.identity, View::Own);
    assert_eq!(sees(&town.identity, View::Reader(BONN)), all);
    assert_eq!(sees(&town.identity, View::Reader(KOELN)), all - 1);
    assert_eq!(sees(&town.identity, View::Both(BONN, KOELN)), all - 1);
    assert_eq!(sees(&town.identity, View::Public), all - 1);
    // Bonn holds what it may see; both compute the same hash for it.
    let (held, _) = Identity::from_statements(town.identity.statements_for(View::Reader(BONN))).unwrap();
    assert_eq!(held.chain_hash(View::Reader(BONN)), town.identity.chain_hash(View::Reader(BONN)));
    assert_ne!(held.chain_hash(View::Reader(BONN)), held.chain_hash(View::Public));
}

#[test]
fn a_removed_reader_is_told_so_and_nothing_that_comes_later() {
    let mut town = Town::siegburg();
    let id = CollectionId::named(&town.identity.id(), "planung");
    share(&mut town.identity, "planung", organisations(&[BONN, KOELN]), &town.node);
    let mut at_bonn = stranger(&town.identity);
    ask(&mut at_bonn, &town.identity, BONN);
    assert!(at_bonn.can_read(&id, &BONN));
    let stated = share(&mut town.identity, "planung", organisations(&[KOELN]), &town.node);
    assert_eq!(stated.len(), 2, "the list, and the removal");
    ask(&mut at_bonn, &town.identity, BONN);
    assert!(!at_bonn.can_read(&id, &BONN) && at_bonn.can_read(&id, &KOELN));
    assert_eq!(at_bonn.list_serial(&id), 1, "the new list is not for it");
    assert_eq!(at_bonn.removal(&id, &BONN).map(|removal| (removal.serial, removal.at)), Some((2, NOW)));
    assert!(!at_bonn.may_relay(&id));
    // Whatever becomes of the collection now, not a byte of it goes to Bonn.
    let before = bytes(&town.identity, View::Reader(BONN));
    let statement = town.identity.collection(&id).unwrap();
    let terms = CollectionTerms {
        title: Some("Stadtumbau Nord".into()),
        readers: organisations(&[KOELN, HUERTH]),
        relay: true,
        ..CollectionTerms::from(statement)
    };
    for signed in town.identity.state_collection(terms, NOW + 1, &town.node).unwrap() {
        town.identity.take_in(signed).unwrap();
    }
    assert_eq!(bytes(&town.identity, View::Reader(BONN)), before);
    assert!(contains(&bytes(&town.identity, View::Reader(KOELN)), b"Stadtumbau Nord"));
    for view in [View::Public, View::Reader(OrgId([9; 32])), View::Both(KOELN, OrgId([9; 32]))] {
        assert!(!contains(&bytes(&town.identity, view), &id.0), "{view:?}");
    }
    // Let in again, it learns everything.
    share(&mut town.identity, "planung", organisations(&[BONN, KOELN]), &town.node);
    ask(&mut at_bonn, &town.identity, BONN);
    assert!(at_bonn.can_read(&id, &BONN));
    assert_eq!(at_bonn.list_serial(&id), 4);
}

#[test]
fn a_relay_learns_of_a_removal_from_the_removed_one_and_stops() {
    let mut town = Town::siegburg();
    let id = CollectionId::named(&town.identity.id(), "planung");
    let terms = CollectionTerms { relay: true, ..CollectionTerms::new("planung", organisations(&[BONN, KOELN])) };
    for signed in town.identity.state_collection(terms, NOW, &town.node).unwrap() {
        town.identity.take_in(signed).unwrap();
    }
    let mut at_bonn = stranger(&town.identity);
    ask(&mut at_bonn, &town.identity, BONN);
    let mut at_koeln = stranger(&town.identity);
    ask(&mut at_koeln, &town.identity, KOELN);
    let statement = town.identity.collection(&id).unwrap();
    let terms = CollectionTerms { readers: organisations(&[KOELN]), ..CollectionTerms::from(statement) };
    for signed in town.identity.state_collection(terms, NOW, &town.node).unwrap() {
        town.identity.take_in(signed).unwrap();
    }
    ask(&mut at_bonn, &town.identity, BONN);
    // Köln is cut off from the owner and still believes its old list.
    assert!(at_koeln.can_read(&id, &BONN) && at_koeln.may_relay(&id));
    let (news, refused) = at_koeln.take_in_all(at_bonn.statements_for(View::Both(BONN, KOELN)));
    assert_eq!((news.len(), refused.len()), (1, 0));
    assert!(!at_koeln.can_read(&id, &BONN) && at_koeln.can_read(&id, &KOELN));
    assert!(!at_koeln.may_relay(&id), "it knows that its list is not the newest");
    let view = View::Both(KOELN, BONN);
    assert_eq!(at_koeln.chain_hash(view), at_bonn.chain_hash(view), "and there is nothing more to exchange");
}

#[test]
fn each_reader_knows_since_when_it_reads() {
    let mut town = Town::siegburg();
    let id = CollectionId::named(&town.identity.id(), "kreis");
    for (at, list) in [(5, vec![KOELN]), (6, vec![BONN, KOELN]), (7, vec![BONN]), (8, vec![BONN, KOELN])] {
        let terms = CollectionTerms::new("kreis", Readers::Organisations(list));
        for signed in town.identity.state_collection(terms, at, &town.node).unwrap() {
            town.identity.take_in(signed).unwrap();
        }
    }
    let statement = town.identity.collection(&id).unwrap();
    assert_eq!([BONN, KOELN, HUERTH].map(|reader| statement.since(&reader)), [Some(6), Some(8), None]);
    assert_eq!(town.identity.removals(&id).map(|removal| removal.at).collect::<Vec<_>>(), [7]);
}

#[test]
fn a_collection_is_called_by_its_newest_name() {
    let mut town = Town::siegburg();
    share(&mut town.identity, "alt", organisations(&[]), &town.node);
    let id = CollectionId::named(&town.identity.id(), "alt");
    let terms =
        CollectionTerms { title: Some("neu".into()), ..CollectionTerms::from(town.identity.collection(&id).unwrap()) };
    for signed in town.identity.state_collection(terms, NOW, &town.node).unwrap() {
        town.identity.take_in(signed).unwrap();
    }
    assert!(town.identity.collection_called("alt").is_none());
    assert_eq!(town.identity.collection_called("neu").map(|collection| collection.collection), Some(id));
    let titled = |title: &str| {
        let terms = CollectionTerms { title: Some(title.into()), ..CollectionTerms::new("alt", organisations(&[])) };
        town.identity.state_collection(terms, NOW, &town.node).is_ok()
    };
    assert!(titled(&"x".repeat(NAME_BYTES_MAX)) && !titled(&"x".repeat(NAME_BYTES_MAX + 1)));
    assert!(!titled("alt") && !titled("") && !titled("a\nb"));
}

#[test]
fn a_list_that_is_not_well_formed_cannot_be_signed() {
    let town = Town::siegburg();
    let organisation = town.identity.id();
    let statement = |readers: Vec<OrgId>| CollectionStatement {
        organisation,
        collection: CollectionId::named(&organisation, "kreis"),
        name: "kreis".into(),
        serial: 1,
        since: vec![NOW; readers.len()],
        readers: Readers::Organisations(readers),
        relay: false,
        ended: false,
        at: NOW,
        title: None,
    };
    let signs = |readers| Signed::new(statement(readers), &[&town.node]).is_ok();
    assert!(signs(vec![BONN, KOELN]));
    assert!(!signs(vec![KOELN, BONN]), "not sorted");
    assert!(!signs(vec![BONN, BONN]), "twice");
    assert!(!signs(vec![organisation]), "itself");
    assert!(signs(many(READERS_MAX)));
    assert!(!signs(many(READERS_MAX + 1)));
    let mut other_name = statement(vec![BONN]);
    other_name.name = "bezirk".into();
    assert!(Signed::new(other_name, &[&town.node]).is_err(), "the id belongs to the name");
    let mut no_time = statement(vec![BONN]);
    no_time.since.clear();
    assert!(Signed::new(no_time, &[&town.node]).is_err(), "every reader has its time");
    let oneself = ReaderRemoval {
        organisation,
        collection: CollectionId::named(&organisation, "kreis"),
        reader: organisation,
        serial: 1,
        at: NOW,
    };
    assert!(Signed::new(oneself, &[&town.node]).is_err());
}

fn many(count: usize) -> Vec<OrgId> {
    (0..count)
        .map(|n| {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&(n as u32).to_be_bytes());
            OrgId(id)
        })
        .collect()
}

#[test]
fn a_full_reader_list_can_be_narrowed_also_when_no_more_removals_are_kept() {
    let mut town = Town::siegburg();
    let keep = REMOVALS_MAX - READERS_MAX / 2;
    let some = town.identity.held[&Slot::Genesis].clone();
    let filled =
        many(keep).into_iter().map(|reader| (Slot::Removal(CollectionId::named(&reader, "x"), reader), some.clone()));
    town.identity.held.extend(filled);
    share(&mut town.identity, "kreis", Readers::Organisations(many(READERS_MAX)), &town.node);
    let stated = share(&mut town.identity, "kreis", organisations(&[]), &town.node);
    assert_eq!(stated.len(), 1 + READERS_MAX / 2, "as many are told as there is room");
    let id = CollectionId::named(&town.identity.id(), "kreis");
    assert!(many(READERS_MAX).iter().all(|reader| !town.identity.can_read(&id, reader)));
}

#[test]
fn own_collections_leave_room_for_one_with_every_partner() {
    let mut town = Town::siegburg();
    let some = town.identity.held[&Slot::Genesis].clone();
    let own = (0..OWN_COLLECTIONS_MAX).map(|n| format!("eigene {n}"));
    let with = many(PARTNERSHIPS_MAX).into_iter().map(|partner| format!("with:{partner}"));
    let initial = ["public", "partners", "internal"].map(str::to_owned);
    let id = town.identity.id();
    let slots =
        own.chain(with).chain(initial).map(|name| (Slot::Collection(CollectionId::named(&id, &name)), some.clone()));
    town.identity.held.extend(slots);
    let next = Slot::Collection(CollectionId::named(&id, "eine zu viel"));
    assert_eq!(town.identity.room_for(&next), Err(StatementError::TooMany { max: COLLECTIONS_MAX }));
}
