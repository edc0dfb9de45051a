//! What a partner may make us hold.

use super::*;
use crate::limits::*;

fn too_many(alarms: &[Alarm]) -> usize {
    alarms.iter().filter(|alarm| matches!(alarm, Alarm::Misbehaved { .. })).count()
}

#[test]
fn a_page_is_limited_in_records_and_in_changes() {
    for (records, chunks, good) in [
        (PAGE_RECORDS_MAX as u64, 0, true),
        (PAGE_RECORDS_MAX as u64 + 1, 0, false),
        (1, PIECES_MAX, true),
        (1, PIECES_MAX + 1, false),
    ] {
        let mut lab = Lab::new(0);
        lab.push("public", 1..records + 1, &vec![Vec::new(); chunks]);
        assert_eq!(lab.is_open(), good, "{records} records with {chunks} changes");
        if !good {
            lab.must_be_closed();
        }
    }
}

#[test]
fn pages_that_wait_are_limited_in_number() {
    let mut lab = Lab::new(0);
    // The first is being judged, the others wait.
    for sequence in 1..INBOX_PER_PEER_MAX as u64 + 3 {
        lab.push("public", sequence..sequence + 1, &[]);
    }
    assert_eq!(lab.engine.inbox(&lab.node()).0, INBOX_PER_PEER_MAX);
    assert!(lab.is_open());
    let feed = lab.them.feed("public");
    assert!(lab.session().behind.contains(&feed), "what was dropped is asked for later");
}

#[test]
fn pages_that_wait_are_limited_in_bytes_also_those_being_judged() {
    let mut lab = Lab::new(40);
    let node = lab.node();
    let size = 1 << 20;
    // Each in a collection of its own, so that each is judged at once.
    for number in 0..40 {
        lab.push(&format!("c{number}"), 1..2, &[piece(size)]);
        assert!(lab.engine.peers()[0].waiting <= INBOX_BYTES_PER_PEER_MAX as u64);
    }
    assert!(lab.engine.inbox(&node).1 + size > INBOX_BYTES_PER_PEER_MAX - 1024, "as far as it goes");
    assert!(lab.is_open());
    let accepts = lab.take(|effect| matches!(effect, Effect::Accept { .. }).then_some(()));
    assert_eq!(accepts.len(), INBOX_BYTES_PER_PEER_MAX / size - 1, "and not one more is judged at a time");
}

#[test]
fn many_empty_changes_count_too() {
    let mut lab = Lab::new(20);
    for number in 0..20 {
        lab.push(&format!("c{number}"), 1..2, &vec![Vec::new(); PIECES_MAX]);
    }
    let accepts = lab.take(|effect| matches!(effect, Effect::Accept { .. }).then_some(()));
    assert_eq!(accepts.len(), INBOX_BYTES_PER_PEER_MAX / (PIECES_MAX * PIECE_BYTES));
}

#[test]
fn pushes_have_a_quota_of_records_a_minute() {
    let mut lab = Lab::new(0);
    let feed = lab.them.feed("public");
    let batch = 64;
    let mut pushed = 0;
    while pushed < PUSH_RECORDS_PER_MINUTE {
        lab.push("public", pushed + 1..pushed + 1 + batch, &[]);
        lab.judge(&Verdict::Valid { covers: true });
        pushed += batch;
    }
    assert_eq!(lab.engine.feed(&feed).map(|feed| feed.cursor), Some(at(pushed)), "at the quota");
    lab.push("public", pushed + 1..pushed + 2, &[]);
    lab.judge(&Verdict::Valid { covers: true });
    assert_eq!(lab.engine.feed(&feed).map(|feed| feed.cursor), Some(at(pushed)), "over it");
    assert!(lab.is_open());
    assert_eq!(lab.count(|message| matches!(message, Message::Get { .. })), 1, "at our own pace");
}

#[test]
fn pushes_have_a_quota_of_bytes_a_minute() {
    let mut lab = Lab::new(0);
    let node = lab.node();
    let page =
        |bytes| pipe::Page { after: Position::default(), upto: at(1), items: Vec::new(), kind: PageKind::Live, bytes };
    let quota = PUSH_BYTES_PER_MINUTE as usize;
    assert!(lab.engine.count_push(&node, &page(quota)));
    assert!(!lab.engine.count_push(&node, &page(1)));
    lab.wait(60_000);
    assert!(lab.engine.count_push(&node, &page(quota)), "in the next minute");
}

#[test]
fn a_wanted_entry_is_limited_in_bytes_and_in_changes() {
    let mebibytes = DOCUMENT_BYTES_MAX >> 20;
    let mut lab = Lab::new(0);
    let feed = lab.owe(1);
    (0..mebibytes).for_each(|_| lab.give(feed, 1, vec![piece(1 << 20)], false));
    assert!(lab.is_open());
    lab.give(feed, 1, vec![piece(1)], false);
    lab.must_be_closed();

    let mut lab = Lab::new(0);
    let feed = lab.owe(1);
    lab.give(feed, 1, vec![Vec::new(); PIECES_MAX], false);
    assert!(lab.is_open());
    lab.give(feed, 1, vec![Vec::new()], false);
    lab.must_be_closed();
}

#[test]
fn entries_asked_for_at_one_time_are_limited() {
    let mut lab = Lab::new(0);
    let feed = lab.owe(WANTS_MAX as u64 + 1);
    assert_eq!(lab.wants(), WANTS_MAX);
    lab.hear(&Message::Gone { feed, entry: Some(entry(1)) });
    assert_eq!(lab.wants(), WANTS_MAX + 1);
}

#[test]
fn answers_to_wants_are_held_up_to_a_limit_and_asked_for_again_beyond() {
    let mut lab = Lab::new(0);
    let feed = lab.owe(3);
    assert_eq!(lab.wants(), 3);
    for number in 1..3 {
        for _ in 0..DOCUMENT_BYTES_MAX >> 20 {
            lab.give(feed, number, vec![piece(1 << 20)], false);
        }
    }
    assert_eq!(lab.engine.peers()[0].waiting, WANTED_BYTES_PER_PEER_MAX as u64);
    lab.give(feed, 3, vec![piece(1)], false);
    assert_eq!(lab.engine.peers()[0].waiting, WANTED_BYTES_PER_PEER_MAX as u64, "one byte over is not held");
    assert_eq!(lab.session().wants_max, WANTS_MAX / 2, "less is asked for at a time");
    // The rest of it is still to come; only then it can be asked for again.
    lab.give(feed, 3, vec![piece(1)], true);
    assert_eq!(lab.wants(), 3, "not while there is no room");
    for number in 1..3 {
        lab.give(feed, number, Vec::new(), true);
        lab.judge(&Verdict::Valid { covers: true });
    }
    assert_eq!(lab.wants(), 4);
    lab.give(feed, 3, vec![piece(1)], true);
    lab.judge(&Verdict::Valid { covers: true });
    assert_eq!(lab.engine.peers()[0].waiting, 0);
    assert_eq!(too_many(&lab.alarms), 0, "a partner with large entries does nothing wrong");
    assert!((1..4).all(|number| lab.engine.row(&feed, &entry(number)).is_some()));
}

#[test]
fn records_given_back_at_a_time_are_limited() {
    for (count, good) in [(YOURS_RECORDS_MAX as u64, true), (YOURS_RECORDS_MAX as u64 + 1, false)] {
        let mut lab = Lab::new(0);
        let feed = lab.us.feed("public");
        let items = (0..count).map(|n| WireItem::new(&lab.us.item(lab.us.record(feed, n + 1), Vec::new()))).collect();
        lab.hear(&Message::Yours { feed, items });
        assert_eq!(lab.is_open(), good);
    }
}

#[test]
fn a_feed_is_limited_in_entries() {
    let mut lab = Lab::with(0, |snapshot, _, them| {
        let feed = them.feed("public");
        (1..=FEED_ENTRIES_MAX as u64 - 1).for_each(|sequence| snapshot.record(&them.record(feed, sequence)));
        snapshot.cursor(feed, at(FEED_ENTRIES_MAX as u64 - 1));
    });
    let (feed, next) = (lab.them.feed("public"), FEED_ENTRIES_MAX as u64);
    lab.push("public", next..next + 1, &[]);
    lab.judge(&Verdict::Valid { covers: true });
    assert_eq!(lab.engine.feed(&feed).map(|feed| feed.entries), Some(next), "at the limit");
    lab.push("public", next + 1..next + 2, &[]);
    lab.judge(&Verdict::Valid { covers: true });
    assert_eq!(lab.engine.feed(&feed).map(|feed| feed.entries), Some(next), "over it");
    assert!(lab.alarms.contains(&Alarm::Full { feed }));
}

#[test]
fn publish_requests_that_wait_are_limited() {
    let mut lab = Lab::new(0);
    let feed = lab.us.feed("public");
    // The first is being committed, the others wait for it.
    for number in 0..PUBLISH_QUEUE_MAX as u64 + 1 {
        let body = Body::Publication { heads: vec![Hash([7; 32])] };
        let items = vec![crate::event::PublishItem { feed, entry: entry(number), generation: 1, body }];
        lab.tell(Event::Publish { op: OpId(number), items });
    }
    let busy = |lab: &mut Lab| {
        lab.take(|effect| matches!(effect, Effect::Published { result: Err(_), .. }).then_some(())).len()
    };
    assert_eq!(busy(&mut lab), 0);
    let body = Body::Publication { heads: vec![Hash([7; 32])] };
    let items = vec![crate::event::PublishItem { feed, entry: entry(u64::MAX), generation: 1, body }];
    lab.tell(Event::Publish { op: OpId(u64::MAX), items });
    assert_eq!(busy(&mut lab), 1);
}

#[test]
fn so_many_records_of_a_feed_are_set_aside_and_no_more() {
    for (before, expected) in [(SET_ASIDE_MAX - 2, 2), (SET_ASIDE_MAX - 1, 1), (SET_ASIDE_MAX, 0)] {
        let mut lab = Lab::with(0, |snapshot, _, them| {
            let feed = them.feed("public");
            for sequence in 1..3 {
                // The entries that are pushed below, in a higher generation.
                let record = Record { entry: Some(entry(sequence + 2)), generation: 2, ..them.record(feed, sequence) };
                snapshot.record(&record);
            }
            snapshot.cursor(feed, at(2));
            (0..before as u64).for_each(|number| snapshot.aside(feed, entry(1000 + number), at(1)));
        });
        lab.push("public", 3..5, &[]);
        let accepts = lab.take(|effect| match effect {
            Effect::Accept { op, items, .. } => Some((*op, items.len())),
            _ => None,
        });
        for (op, count) in accepts {
            lab.tell(Event::Accepted { op, verdicts: vec![Verdict::Valid { covers: true }; count] });
        }
        let aside = lab.take(|effect| match effect {
            Effect::Store { batch, .. } => Some(batch.aside.len()),
            _ => None,
        });
        assert_eq!(aside.iter().sum::<usize>(), expected, "beside {before}");
    }
}
