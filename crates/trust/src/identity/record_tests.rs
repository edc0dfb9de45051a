use ortsnetz_model::{CollectionId, Hash, Position};

use super::tests::{DAY, two_nodes};
use super::*;
use crate::keys::NodeKey;
use crate::limits::AHEAD_MS_MAX;
use crate::record::{Body, Checkpoint, Cut, Draft, DraftDocument, Equivocation, Record, SignedRecord, draft_feed};
use crate::testing::{NOW, Town};

#[test]
fn only_the_publisher_of_the_term_publishes() {
    let (mut town, laptop) = two_nodes();
    let sign = |record: Record, key: &NodeKey| SignedRecord::sign(record, key).unwrap();
    let good = sign(town.publication(1), &town.node);
    assert_eq!(town.identity.verify_record(&good, NOW), Ok(()));
    assert_eq!(Town::bonn().identity.verify_record(&good, NOW), Err(RecordError::OtherOrganisation));
    let by_laptop = sign(town.publication(1), &laptop);
    let wrong = RecordError::WrongSigner { signer: laptop.id() };
    assert_eq!(town.identity.verify_record(&by_laptop, NOW), Err(wrong));
    // The laptop's bytes with the publisher's name on it.
    let mut bytes = by_laptop.to_bytes();
    let at = bytes.windows(32).position(|window| window == laptop.id().0).unwrap();
    bytes[at..at + 32].copy_from_slice(&town.id().0);
    let forged = SignedRecord::from_bytes(&bytes).unwrap();
    assert_eq!(town.identity.verify_record(&forged, NOW), Err(RecordError::BadSignature));
    // A term that is not known yet is held, and counts once it is.
    let mut next = town.publication(1);
    next.position.term = 2;
    let next = sign(next, &laptop);
    let held = town.identity.verify_record(&next, NOW).unwrap_err();
    assert_eq!(held, RecordError::UnknownTerm { term: 2 });
    assert!(held.is_held());
    let term = town.identity.appoint(laptop.id(), NOW, &town.root).unwrap();
    town.identity.take_in(term).unwrap();
    assert_eq!(town.identity.verify_record(&next, NOW), Ok(()));
    let mut unknown = town.publication(1);
    unknown.feed.collection = CollectionId([1; 16]);
    let held = town.identity.verify_record(&sign(unknown, &town.node), NOW).unwrap_err();
    assert_eq!(held, RecordError::UnknownCollection);
}

#[test]
fn dates_hold_back_or_refuse() {
    let town = Town::siegburg();
    let verify = |change: &dyn Fn(&mut Record), now| {
        let mut record = town.publication(1);
        change(&mut record);
        town.identity.verify_record(&SignedRecord::sign(record, &town.node).unwrap(), now)
    };
    assert_eq!(verify(&|r| r.at = NOW - 1, NOW), Err(RecordError::BeforeCertificate { ms: 1 }));
    assert_eq!(verify(&|r| r.at = NOW - 7, NOW), Err(RecordError::BeforeCertificate { ms: 7 }));
    assert!(!RecordError::BeforeCertificate { ms: 1 }.is_held());
    assert_eq!(verify(&|r| r.at = NOW + AHEAD_MS_MAX, NOW), Ok(()));
    let ahead = verify(&|r| r.at = NOW + AHEAD_MS_MAX + 1, NOW).unwrap_err();
    assert_eq!(ahead, RecordError::TooFarAhead { ms: DAY + 1 });
    assert!(ahead.is_held());
    assert_eq!(verify(&|r| r.position.epoch = NOW + DAY + 9, NOW), Err(RecordError::TooFarAhead { ms: DAY + 9 }));
    assert_eq!(verify(&|r| r.position.epoch = NOW + DAY + 9, NOW + 9), Ok(()), "later it counts");
    let end = NOW + CERTIFICATE_MS;
    assert_eq!(verify(&|r| r.at = end, end), Ok(()));
    let late = verify(&|r| r.at = end + 1, end + 1).unwrap_err();
    assert_eq!(late, RecordError::Expired { ms: 1 });
    assert_eq!(verify(&|r| r.at = end + 7, end + 7), Err(RecordError::Expired { ms: 7 }));
    assert!(late.is_held());
    assert_eq!(verify(&|_| (), end + DAY), Ok(()), "what was made in time stays readable");
}

#[test]
fn of_a_revoked_node_only_what_a_checkpoint_admits_counts() {
    let (mut town, laptop) = two_nodes();
    let own = town.identity.id();
    let (old, thief) = (town.publication(3), town.publication(4));
    let [old, thief] = [old, thief].map(|record| SignedRecord::sign(record, &town.node).unwrap());
    let statements = town.identity.revoke(town.id(), NOW + 1, &town.root).unwrap();
    town.identity.take_in_all(statements);
    let revoked = town.identity.verify_record(&old, NOW).unwrap_err();
    assert_eq!(revoked, RecordError::Revoked { signer: town.id() });
    assert!(revoked.is_held());
    let content = Checkpoint { root: Hash([0; 32]), count: 1, cuts: vec![Cut { term: 1, epoch: NOW, sequence: 3 }] };
    let mut record = town.publication(1);
    record.position = Position { term: 2, epoch: NOW + 1, sequence: 1 };
    (record.entry, record.generation, record.body) = (None, 0, Body::Checkpoint(content.clone()));
    let position = record.position;
    // Root itself may sign it, before any new term; nobody else's checkpoint passes.
    let by_root = SignedRecord::sign_by_root(record.clone(), &town.root).unwrap();
    assert_eq!(town.identity.verify_record(&by_root, NOW), Ok(()));
    let by_laptop = SignedRecord::sign(record.clone(), &laptop).unwrap();
    assert_eq!(town.identity.verify_record(&by_laptop, NOW), Err(RecordError::UnknownTerm { term: 2 }));
    let within = |record| town.identity.verify_record_within(record, NOW, Some((&content, position)));
    assert_eq!(within(&old), Ok(()));
    assert_eq!(within(&thief), Err(RecordError::Revoked { signer: town.id() }));
    // The thief's own checkpoint of its own epoch admits nothing.
    let own_position = Position { term: 1, epoch: NOW, sequence: 9 };
    let verdict = town.identity.verify_record_within(&thief, NOW, Some((&content, own_position)));
    assert!(verdict.is_err());
    // Root may sign checkpoints only.
    let publication = {
        let mut record = town.publication(1);
        record.position.term = 1;
        let bytes = SignedRecord::sign(record, &NodeKey::from_secret(&town.root.secret())).unwrap();
        town.identity.verify_record(&bytes, NOW)
    };
    assert!(matches!(publication, Err(RecordError::WrongSigner { .. })));
    assert_eq!(own, town.identity.id());
}

#[test]
fn drafts_stand_in_the_feed_of_their_node() {
    let (mut town, laptop) = two_nodes();
    let draft = Draft {
        documents: vec![DraftDocument { collection: CollectionId([1; 16]), generation: 1, heads: vec![] }],
        based_on: vec![],
        publish: None,
    };
    let mut record = town.publication(1);
    record.feed = draft_feed(town.identity.id(), &laptop.id());
    record.position.term = 0;
    record.body = Body::Draft(draft);
    let good = SignedRecord::sign(record.clone(), &laptop).unwrap();
    assert_eq!(town.identity.verify_record(&good, NOW), Ok(()));
    let by_other = SignedRecord::sign(record.clone(), &town.node).unwrap();
    assert_eq!(town.identity.verify_record(&by_other, NOW), Err(RecordError::WrongSigner { signer: town.id() }));
    let mut published = record.clone();
    published.body = Body::Publication { heads: vec![Hash([1; 32])] };
    let published = SignedRecord::sign(published, &laptop).unwrap();
    assert_eq!(town.identity.verify_record(&published, NOW), Err(RecordError::WrongBody));
    let mut elsewhere = record.clone();
    elsewhere.feed = town.feed("public");
    elsewhere.position.term = 1;
    let elsewhere = SignedRecord::sign(elsewhere, &town.node).unwrap();
    assert_eq!(town.identity.verify_record(&elsewhere, NOW), Err(RecordError::WrongBody));
    // Without a certificate it is held, without a role refused.
    let before = Town::siegburg().identity;
    assert_eq!(before.verify_record(&good, NOW), Err(RecordError::NoCertificate { signer: laptop.id() }));
    // Either role will do.
    for roles in [Roles { admin: false, edit: true }, Roles { admin: true, edit: false }] {
        let mut town = Town::siegburg();
        let one = town.identity.certify(laptop.id(), roles, "Laptop".into(), vec![], NOW, &town.root).unwrap();
        town.identity.take_in(one).unwrap();
        assert_eq!(town.identity.verify_record(&good, NOW), Ok(()), "{roles:?}");
    }
    let none = town.identity.certify(laptop.id(), Roles::default(), "Laptop".into(), vec![], NOW, &town.root).unwrap();
    town.identity.take_in(none).unwrap();
    assert_eq!(town.identity.verify_record(&good, NOW), Err(RecordError::NoRole { signer: laptop.id() }));
}

#[test]
fn root_ends_the_drafts_of_a_revoked_node_and_nobody_writes_behind_that() {
    let (mut town, laptop) = two_nodes();
    let draft = |sequence| {
        let documents = vec![DraftDocument { collection: CollectionId([1; 16]), generation: 1, heads: vec![] }];
        let mut record = town.publication(sequence);
        record.feed = draft_feed(town.identity.id(), &laptop.id());
        record.position.term = 0;
        record.body = Body::Draft(Draft { documents, based_on: vec![], publish: None });
        SignedRecord::sign(record, &laptop).unwrap()
    };
    let (known, late) = (draft(3), draft(4));
    let statements = town.identity.revoke(laptop.id(), NOW + 1, &town.root).unwrap();
    town.identity.take_in_all(statements);
    let cuts = vec![Cut { term: 0, epoch: NOW, sequence: 3 }];
    let content = Checkpoint { root: Hash([0; 32]), count: 1, cuts };
    let mut record = town.publication(1);
    record.feed = draft_feed(town.identity.id(), &laptop.id());
    (record.entry, record.generation, record.body) = (None, 0, Body::Checkpoint(content.clone()));
    record.position = Position { term: FINAL_TERM, epoch: NOW + 1, sequence: 1 };
    let position = record.position;
    let by_root = SignedRecord::sign_by_root(record.clone(), &town.root).unwrap();
    assert_eq!(town.identity.verify_record(&by_root, NOW), Ok(()));
    let within = |record| town.identity.verify_record_within(record, NOW, Some((&content, position)));
    assert_eq!(within(&known), Ok(()));
    assert_eq!(within(&late), Err(RecordError::Revoked { signer: laptop.id() }));
    // Neither the node nor another one signs it, and root signs no draft.
    for key in [&laptop, &town.node] {
        let forged = SignedRecord::sign(record.clone(), key).unwrap();
        assert_eq!(town.identity.verify_record(&forged, NOW), Err(RecordError::WrongSigner { signer: key.id() }));
    }
    let root = NodeKey::from_secret(&town.root.secret());
    let mut drafted = known.record().clone();
    drafted.position.term = FINAL_TERM;
    let drafted = SignedRecord::sign(drafted, &root).unwrap();
    assert_eq!(town.identity.verify_record(&drafted, NOW), Err(RecordError::WrongSigner { signer: root.id() }));
    let mut before = record.clone();
    before.position.term = 0;
    let before = SignedRecord::sign_by_root(before, &town.root).unwrap();
    assert_eq!(town.identity.verify_record(&before, NOW), Err(RecordError::WrongSigner { signer: root.id() }));
}

#[test]
fn two_records_at_one_position_are_evidence_whoever_brings_it() {
    let town = Town::siegburg();
    let a = SignedRecord::sign(town.publication(1), &town.node).unwrap();
    let mut other = town.publication(1);
    other.body = Body::Withdrawal { moved_to: None };
    let b = SignedRecord::sign(other, &town.node).unwrap();
    let evidence = Equivocation::of(&a, &b).unwrap();
    assert_eq!(Equivocation::of(&b, &a), Some(evidence.clone()));
    assert_eq!(town.identity.verify_equivocation(&evidence), Ok(()));
    assert_eq!(evidence.position(), a.record().position);
    let (first, second) = evidence.records();
    assert!(first.bytes() < second.bytes());
    // The same the other way round is not what `of` makes.
    let turned: Equivocation = minicbor::decode(&minicbor::to_vec((second, first)).unwrap()).unwrap();
    assert_eq!(town.identity.verify_equivocation(&turned), Err(RecordError::NoContradiction));
    let none: Equivocation = minicbor::decode(&minicbor::to_vec((&a, &a)).unwrap()).unwrap();
    assert_eq!(town.identity.verify_equivocation(&none), Err(RecordError::NoContradiction));
    assert_eq!(Equivocation::of(&a, &a), None);
    assert_eq!(Equivocation::of(&a, &SignedRecord::sign(town.publication(2), &town.node).unwrap()), None);
    assert!(Town::bonn().identity.verify_equivocation(&evidence).is_err());
    let stranger = SignedRecord::sign(b.record().clone(), &NodeKey::from_secret(&[99; 32])).unwrap();
    let invented = Equivocation::of(&a, &stranger);
    assert!(invented.is_none_or(|invented| town.identity.verify_equivocation(&invented).is_err()));
}
