use ortsnetz_model::{CollectionId, EntryId, Hash, NodeId, Position};
use proptest::prelude::*;

use super::*;
use crate::canonical::EncodingError;
use crate::limits::{BATCH_RECORDS_MAX, CUTS_MAX, DRAFT_DOCUMENTS_MAX, HEADS_MAX, REASON_BYTES_MAX, RECORD_BYTES_MAX};
use crate::testing::{NOW, Town, totals};

fn heads(count: usize) -> Vec<Hash> {
    let mut heads: Vec<Hash> = (0..count).map(|n| Hash::of(&n.to_be_bytes())).collect();
    heads.sort();
    heads
}

#[test]
fn a_signed_publication_is_small() {
    let town = Town::siegburg();
    let mut record = town.publication(4_000);
    record.previous = Some(Position { term: 1, epoch: NOW - 90 * 24 * 3_600_000, sequence: 812 });
    record.at = NOW + 11 * 24 * 3_600_000;
    let signed = SignedRecord::sign(record, &town.node).unwrap();
    let size = signed.to_bytes().len();
    assert!(size <= 256, "{size}");
    // Without what every record of a page shares (who signs, whose feed, which process), which compression removes.
    assert!(size - 32 - 32 - 16 - 9 <= 170, "{size}");
    let mut withdrawal = town.publication(1);
    withdrawal.body = Body::Withdrawal { moved_to: None };
    let size = SignedRecord::sign(withdrawal, &town.node).unwrap().to_bytes().len();
    assert!(size <= 220, "{size}");
}

#[test]
fn a_batch_has_one_feed_consecutive_positions_and_one_total() {
    let town = Town::siegburg();
    let batch = |count: u64| {
        let mut batch: Vec<Record> = (1..=count).map(|sequence| town.publication(sequence)).collect();
        if let Some(last) = batch.last_mut() {
            last.totals = Some(totals());
        }
        batch
    };
    let signed = sign_batch(batch(BATCH_RECORDS_MAX as u64), &town.node).unwrap();
    assert!(signed.iter().all(SignedRecord::signature_holds));
    let over = BATCH_RECORDS_MAX + 1;
    assert_eq!(sign_batch(batch(over as u64), &town.node), Err(BatchError::TooMany(over)));
    assert_eq!(sign_batch(batch(0), &town.node), Err(BatchError::Empty));
    let changed = |change: &dyn Fn(&mut Vec<Record>)| {
        let mut records = batch(3);
        change(&mut records);
        sign_batch(records, &town.node).unwrap_err()
    };
    assert_eq!(changed(&|records| records[2].totals = None), BatchError::Totals(2));
    assert_eq!(changed(&|records| records[0].totals = Some(totals())), BatchError::Totals(0));
    assert_eq!(changed(&|records| records.swap(0, 1)), BatchError::NotConsecutive(1));
    assert_eq!(changed(&|records| records[1].position.epoch += 1), BatchError::NotConsecutive(1));
    assert_eq!(changed(&|records| records[1].feed.collection = CollectionId([0; 16])), BatchError::OtherFeed(1));
    assert!(matches!(changed(&|records| records[1].entry = None), BatchError::Record(1, _)));
}

#[test]
fn each_limit_holds_at_and_over() {
    let town = Town::siegburg();
    let with = |body: Body| {
        let mut record = town.publication(1);
        if matches!(body, Body::Checkpoint(_)) {
            (record.entry, record.generation) = (None, 0);
        }
        if let Body::Answer(answer) = &body {
            record.entry = Some(answer.key());
        }
        record.body = body;
        record.to_bytes().is_ok()
    };
    assert!(with(Body::Publication { heads: heads(HEADS_MAX) }));
    assert!(!with(Body::Publication { heads: heads(HEADS_MAX + 1) }));
    assert!(!with(Body::Publication { heads: vec![] }));
    assert!(with(Body::Redaction { heads: vec![] }));
    let mut unsorted = heads(2);
    unsorted.reverse();
    assert!(!with(Body::Publication { heads: unsorted }));
    let cuts = |count: usize| {
        let cuts =
            (0..count).map(|n| Cut { term: 1, epoch: NOW - count as u64 + n as u64, sequence: u64::MAX }).collect();
        Body::Checkpoint(Checkpoint { root: Hash([0; 32]), count: 1, cuts })
    };
    assert!(with(cuts(CUTS_MAX)));
    assert!(!with(cuts(CUTS_MAX + 1)));
    let documents = |count: usize| {
        let document =
            |n: usize| DraftDocument { collection: CollectionId([n as u8; 16]), generation: 1, heads: heads(1) };
        Body::Draft(Draft { documents: (0..count).map(document).collect(), based_on: vec![], publish: None })
    };
    assert!(with(documents(DRAFT_DOCUMENTS_MAX)));
    assert!(!with(documents(DRAFT_DOCUMENTS_MAX + 1)));
    let answer = |length: usize| {
        let outcome = Outcome::Refused("a".repeat(length));
        let request = Position { term: 0, epoch: 1, sequence: 1 };
        Body::Answer(Answer { node: NodeId([1; 32]), entry: EntryId([1; 16]), request, outcome })
    };
    assert!(with(answer(REASON_BYTES_MAX)));
    assert!(!with(answer(REASON_BYTES_MAX + 1)));
    let long = vec![0; RECORD_BYTES_MAX + 1];
    assert!(matches!(Record::from_bytes(&long), Err(EncodingError::TooLong { .. })));
    let mut backwards = town.publication(5);
    backwards.previous = Some(backwards.position);
    assert!(backwards.to_bytes().is_err());
}

#[test]
fn a_record_in_another_encoding_is_refused() {
    let town = Town::siegburg();
    let record = town.publication(1);
    let bytes = record.to_bytes().unwrap();
    assert_eq!(Record::from_bytes(&bytes), Ok(record));
    // The same array with indefinite length.
    let mut loose = bytes.clone();
    loose[0] = 0x9f;
    loose.push(0xff);
    assert!(Record::from_bytes(&loose).is_err());
    // The version as two bytes.
    let mut padded = bytes.clone();
    padded.splice(1..2, [0x18, 1]);
    assert_eq!(Record::from_bytes(&padded), Err(EncodingError::NotCanonical));
    let mut longer = bytes;
    longer.push(0);
    assert_eq!(Record::from_bytes(&longer), Err(EncodingError::NotCanonical));
}

#[test]
fn the_item_of_a_record_has_nothing_of_its_signature_or_time() {
    let town = Town::siegburg();
    let record = town.publication(1);
    let (entry, hash) = record.item().unwrap();
    let heads = record.heads().map(<[Hash]>::to_vec);
    assert_eq!(hash, item_hash(&entry, 1, record.position, heads.as_deref()));
    let mut later = record.clone();
    (later.at, later.instance, later.list_serial, later.totals) = (NOW + 9, 1, 7, Some(totals()));
    assert_eq!(later.item(), record.item());
    let mut withdrawn = record.clone();
    withdrawn.body = Body::Withdrawal { moved_to: Some(CollectionId([3; 16])) };
    assert_eq!(withdrawn.item(), Some((entry, item_hash(&entry, 1, record.position, None))));
    let mut next = record;
    next.position.sequence = 2;
    assert_ne!(next.item().unwrap().1, hash);
}

#[test]
fn a_record_covers_what_it_replaces_without_loss() {
    let town = Town::siegburg();
    let older = town.publication(1);
    let mut newer = town.publication(3);
    newer.body = Body::Publication { heads: vec![Hash([8; 32])] };
    assert!(!newer.covers(&older, |_| false));
    assert!(newer.covers(&older, |heads| heads == [Hash([7; 32])]), "its closure contains it");
    assert!(!older.covers(&newer, |_| true), "an older one covers nothing");
    newer.previous = Some(older.position);
    assert!(newer.covers(&older, |_| false), "it names it");
    newer.previous = Some(Position { sequence: 2, ..older.position });
    newer.generation = 2;
    assert!(newer.covers(&older, |_| false), "a higher generation");
    newer.entry = Some(EntryId([1; 16]));
    assert!(!newer.covers(&older, |_| true), "another entry");
}

#[test]
fn a_checkpoint_admits_up_to_its_cuts() {
    let cut = Cut { term: 1, epoch: 10, sequence: 3 };
    let checkpoint = Checkpoint { root: Hash([0; 32]), count: 0, cuts: vec![cut] };
    let own = Position { term: 2, epoch: 20, sequence: 1 };
    let admits = |term, epoch, sequence| checkpoint.admits(own, Position { term, epoch, sequence });
    assert!(admits(1, 10, 3) && !admits(1, 10, 4));
    assert!(!admits(1, 11, 1), "an epoch it does not name");
    assert!(admits(2, 20, 5) && admits(2, 21, 1), "its own and later ones");
}

prop_compose! {
    fn any_position()(term in 0u32..4, epoch in 0u64..(1 << 62), sequence in 1u64..u64::MAX) -> Position {
        Position { term, epoch, sequence }
    }
}

fn any_heads(least: usize) -> impl Strategy<Value = Vec<Hash>> {
    proptest::collection::btree_set(any::<[u8; 32]>(), least..5).prop_map(|set| set.into_iter().map(Hash).collect())
}

fn any_body() -> impl Strategy<Value = Body> {
    let draft = (any_heads(0), any_heads(0), any::<bool>()).prop_map(|(heads, based_on, publish)| {
        let collection = CollectionId([4; 16]);
        let publish = publish.then(|| vec![PublishRequest { collection, heads: heads.clone() }]);
        Body::Draft(Draft { documents: vec![DraftDocument { collection, generation: 2, heads }], based_on, publish })
    });
    let answer = (any_position(), ".{0,40}", any::<bool>()).prop_map(|(position, reason, accepted)| {
        let outcome = if accepted { Outcome::Accepted(position) } else { Outcome::Refused(reason) };
        Body::Answer(Answer { node: NodeId([1; 32]), entry: EntryId([2; 16]), request: position, outcome })
    });
    prop_oneof![
        any_heads(1).prop_map(|heads| Body::Publication { heads }),
        any_heads(0).prop_map(|heads| Body::Redaction { heads }),
        any::<Option<[u8; 16]>>().prop_map(|to| Body::Withdrawal { moved_to: to.map(CollectionId) }),
        (any::<[u8; 32]>(), any::<u64>())
            .prop_map(|(root, count)| { Body::Checkpoint(Checkpoint { root: Hash(root), count, cuts: vec![] }) }),
        draft,
        answer,
    ]
}

proptest! {
    #[test]
    fn a_record_comes_back_from_its_bytes(
        body in any_body(),
        mut positions in [any_position(), any_position()],
        at in 0u64..(1 << 62),
        (with_previous, with_totals) in any::<(bool, bool)>(),
        (generation, list_serial, instance) in any::<(u32, u64, u64)>(),
    ) {
        positions.sort();
        let town = Town::siegburg();
        let mut record = Record {
            generation, list_serial, instance, at,
            position: positions[1],
            previous: (with_previous && positions[0] < positions[1]).then_some(positions[0]),
            totals: with_totals.then(totals),
            body,
            ..town.publication(1)
        };
        match &record.body {
            Body::Checkpoint(_) => (record.entry, record.generation, record.previous) = (None, 0, None),
            Body::Answer(answer) => record.entry = Some(answer.key()),
            _ => {}
        }
        let signed = SignedRecord::sign(record.clone(), &town.node).unwrap();
        let back = SignedRecord::from_bytes(&signed.to_bytes()).unwrap();
        prop_assert!(back.signature_holds());
        prop_assert_eq!(back.record(), &record);
        prop_assert_eq!(back, signed);
    }

    #[test]
    fn foreign_bytes_are_refused_or_mean_themselves(
        mut bytes in Just(Town::siegburg().publication(1).to_bytes().unwrap()),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<proptest::sample::Index>(),
        shorten in any::<bool>(),
    ) {
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if shorten {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(record) = Record::from_bytes(&bytes) {
            prop_assert_eq!(record.to_bytes().unwrap(), bytes);
        }
    }
}
