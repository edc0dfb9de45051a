//! What a partner may ask for, and what is done for one that does not read.

use std::collections::BTreeSet;

use super::*;
use crate::effect::Lane;
use crate::index::LEAVES;
use crate::limits::*;

/// So many own entries.
fn lab(entries: u64) -> Lab {
    Lab::with(0, |snapshot, us, _| {
        let feed = us.feed("public");
        (1..=entries).for_each(|sequence| snapshot.record(&us.record(feed, sequence)));
        snapshot.cursor(feed, at(entries));
    })
}

fn want(lab: &Lab, number: u64) -> Message {
    Message::Want { feed: lab.us.feed("public"), entry: Some(entry(number)), have: Vec::new() }
}

#[test]
fn requests_wait_up_to_a_limit_and_one_more_closes() {
    let mut lab = lab(1);
    let loads = |lab: &mut Lab| lab.loads().len();
    for _ in 0..SERVING_PER_PEER_MAX {
        lab.hear(&want(&lab, 1));
    }
    assert_eq!(loads(&mut lab), SERVING_PER_PEER_MAX, "read from disk at one time");
    for _ in 0..REQUESTS_PER_PEER_MAX {
        lab.hear(&want(&lab, 1));
    }
    assert_eq!(loads(&mut lab), 0, "the others wait");
    assert!(lab.is_open());
    lab.hear(&want(&lab, 1));
    lab.must_be_closed();
}

#[test]
fn what_is_read_makes_room_for_the_next() {
    let mut lab = lab(1);
    for _ in 0..SERVING_PER_PEER_MAX + 1 {
        lab.hear(&want(&lab, 1));
    }
    let ops = lab.loads();
    let item = lab.us.item(lab.us.record(lab.us.feed("public"), 1), vec![piece(10)]);
    lab.tell(Event::Loaded { op: ops[0], items: vec![Some(item)] });
    assert_eq!(lab.loads().len(), 1);
}

#[test]
fn heads_of_a_request_are_limited() {
    for (heads, good) in [(WANT_HEADS_MAX, true), (WANT_HEADS_MAX + 1, false)] {
        let mut lab = lab(1);
        let have = vec![Hash([3; 32]); heads];
        lab.hear(&Message::Want { feed: lab.us.feed("public"), entry: Some(entry(1)), have });
        assert_eq!(lab.is_open(), good);
    }
}

#[test]
fn nothing_is_read_from_disk_for_who_does_not_read() {
    let mut lab = lab(20_000);
    let (feed, node) = (lab.us.feed("public"), lab.node());
    let leaves: Vec<u16> = (0..LEAVES as u16).collect();
    for _ in 0..REQUESTS_PER_PEER_MAX {
        lab.hear(&Message::AuditLeaves { feed, leaves: leaves.clone() });
    }
    // One answer alone has more than 600 KiB.
    let frame = 300 * 1024;
    assert!((OUTGOING_BYTES..OUTGOING_BYTES + frame).contains(&lab.sent_bytes), "{} bytes", lab.sent_bytes);
    assert!(lab.engine.peers()[0].unread as usize >= lab.sent_bytes);
    let after = at(0);
    lab.hear(&Message::Get { feed, after });
    lab.hear(&want(&lab, 1));
    assert!(lab.loads().is_empty(), "no page and no entry");
    let before = lab.sent.len();
    lab.hear(&Message::Beat { question: true });
    assert_eq!(lab.sent.len(), before, "not even a beat is answered");
    assert!(lab.is_open(), "a slow line is no crime");
    // It reads: the answers go on where they stopped, with nothing lost.
    let mut rounds = 0;
    while lab.take(|effect| matches!(effect, Effect::Drain { .. }).then_some(())).len() == 1 {
        lab.tell(Event::Drained { node });
        rounds += 1;
    }
    assert!(rounds > 10, "{rounds}");
    let mut told = BTreeSet::new();
    let mut whole = 0;
    for message in &lab.sent {
        if let Message::AuditItems { items, last, .. } = message {
            told.extend(items.iter().map(|item| item.entry));
            whole += usize::from(*last);
        }
    }
    assert_eq!((told.len(), whole), (20_000, REQUESTS_PER_PEER_MAX));
    assert_eq!(lab.loads().len(), 2, "the page and the entry too");
}

#[test]
fn who_lets_more_wait_than_is_held_is_closed() {
    let mut lab = lab(1);
    let node = lab.node();
    let frame = 1 << 20;
    let fits = (UNREAD_BYTES_MAX - lab.session().outgoing) / (frame + PIECE_BYTES);
    for _ in 0..fits {
        assert_eq!(lab.engine.send_frame(&node, vec![0; frame], Lane::Control), frame);
    }
    let rest = UNREAD_BYTES_MAX - lab.session().outgoing - PIECE_BYTES;
    assert_eq!(lab.engine.send_frame(&node, vec![0; rest], Lane::Control), rest, "at the limit");
    assert_eq!(lab.engine.send_frame(&node, Vec::new(), Lane::Control), 0, "over it");
    while let Some(effect) = lab.engine.poll_effect() {
        match effect {
            Effect::Close { reason, .. } => lab.closed = Some(reason),
            Effect::Alarm(alarm) => lab.alarms.push(alarm),
            _ => {}
        }
    }
    lab.must_be_closed();
}

#[test]
fn catch_ups_of_a_peer_are_limited() {
    let many = STREAMS_PER_PEER_MAX + 1;
    let mut lab = Lab::with(many, |snapshot, us, _| {
        for feed in (0..many).map(|number| us.feed(&format!("c{number}"))) {
            (1..=400).for_each(|sequence| snapshot.record(&us.record(feed, sequence)));
            snapshot.cursor(feed, at(400));
        }
    });
    let get = |lab: &Lab, number: usize| Message::Get { feed: lab.us.feed(&format!("c{number}")), after: at(0) };
    (0..STREAMS_PER_PEER_MAX).for_each(|number| lab.hear(&get(&lab, number)));
    assert!(lab.is_open());
    assert_eq!(lab.loads().len(), BULK_LOADS_MAX, "and a few pages are read from disk at a time");
    // A reader that waited too long asks for another: the oldest makes room, so many times in a minute.
    for more in 0..GIVEN_UP_PER_MINUTE_MAX as usize {
        lab.hear(&get(&lab, (STREAMS_PER_PEER_MAX + more) % many));
        assert!(lab.is_open());
        assert_eq!(lab.session().streams.len(), STREAMS_PER_PEER_MAX);
        let oldest = lab.us.feed(&format!("c{}", more % many));
        assert!(!lab.session().streams.contains_key(&oldest), "the oldest has ended");
    }
    lab.hear(&get(&lab, (STREAMS_PER_PEER_MAX + GIVEN_UP_PER_MINUTE_MAX as usize) % many));
    lab.must_be_closed();
}

#[test]
fn asking_again_and_again_for_pages_sends_no_more_than_is_read() {
    let mut lab = lab(400);
    let feed = lab.us.feed("public");
    for _ in 0..2_000 {
        lab.hear(&Message::Get { feed, after: at(0) });
        for op in lab.loads() {
            // Nothing that could be made smaller on the way.
            let noise: Vec<u8> = (0..4_000).flat_map(|n| Sha256::digest(u32::to_be_bytes(n))).take(60_000).collect();
            let item = lab.us.item(lab.us.record(feed, 1), vec![noise]);
            lab.tell(Event::Loaded { op, items: vec![Some(item)] });
        }
    }
    assert!(lab.sent_bytes <= OUTGOING_BYTES + BULK_LOADS_MAX * FRAME_BYTES_MAX, "{} bytes", lab.sent_bytes);
}

#[test]
fn trees_repaired_with_one_peer_at_a_time_are_limited() {
    let many = AUDITS_PER_PEER_MAX + 2;
    let mut lab = Lab::with(many, |snapshot, _, them| {
        for feed in (0..many).map(|number| them.feed(&format!("c{number}"))) {
            them.damage(snapshot, feed);
        }
    });
    lab.wait(1000);
    lab.hear(&Message::Have { feeds: Vec::new(), chains: Vec::new(), offer: Some([1; 16]) });
    let audits = |lab: &Lab| {
        let feeds = lab.sent.iter().filter_map(|message| match message {
            Message::Audit { feed, .. } => Some(*feed),
            _ => None,
        });
        feeds.collect::<Vec<_>>()
    };
    let first = audits(&lab);
    assert_eq!(first.len(), AUDITS_PER_PEER_MAX);
    let (cursor, root) = (at(7), Hash([1; 32]));
    lab.hear(&Message::AuditBuckets { feed: first[0], cursor, root, live: 0, buckets: Vec::new() });
    assert_eq!(audits(&lab).len(), AUDITS_PER_PEER_MAX + 1, "the next has its turn");
}

#[test]
fn what_the_disk_has_newer_than_we_were_told_is_left_out_of_a_page() {
    let mut lab = lab(3);
    let feed = lab.us.feed("public");
    lab.hear(&Message::Get { feed, after: at(0) });
    let op = lab.loads()[0];
    let mut ahead = lab.us.record(feed, 2);
    ahead.position = at(9);
    let items = [lab.us.record(feed, 1), ahead, lab.us.record(feed, 3)]
        .map(|record| Some(lab.us.item(record, Vec::new())))
        .to_vec();
    lab.tell(Event::Loaded { op, items });
    let pages: Vec<_> = lab
        .sent
        .iter()
        .filter_map(|message| match message {
            Message::Page { items, upto, .. } => Some((items.len(), *upto)),
            _ => None,
        })
        .collect();
    assert_eq!(pages, [(2, at(3))], "in order, and up to where we are");
    assert!(lab.is_open());
    assert!(lab.alarms.is_empty(), "{:?}", lab.alarms);
}

#[test]
fn what_the_disk_has_older_than_it_should_is_damaged_and_not_given_away() {
    let mut lab = lab(3);
    let feed = lab.us.feed("public");
    lab.hear(&Message::Get { feed, after: at(0) });
    let op = lab.loads()[0];
    let mut behind = lab.us.record(feed, 2);
    behind.position = Position { epoch: NOW - 1, ..at(2) };
    let items = [lab.us.record(feed, 1), behind, lab.us.record(feed, 3)]
        .map(|record| Some(lab.us.item(record, Vec::new())))
        .to_vec();
    lab.tell(Event::Loaded { op, items });
    let sent: usize =
        lab.sent.iter().map(|message| if let Message::Page { items, .. } = message { items.len() } else { 0 }).sum();
    assert_eq!(sent, 2, "what is older than it should be is not given away");
    assert!(lab.engine.row(&feed, &entry(2)).is_none(), "and fetched anew");
}
