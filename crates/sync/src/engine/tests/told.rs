//! What a partner may tell.

use super::*;
use crate::limits::*;
use crate::wire::{Bucket, Held, HeldChain};

fn foreign_feed(number: usize) -> FeedId {
    FeedId { organisation: OrgId([9; 32]), collection: CollectionId(entry(number as u64).0) }
}

fn foreign_organisation(number: usize) -> OrgId {
    let id = entry(number as u64).0;
    OrgId(std::array::from_fn(|at| id[at % 16]))
}

fn have(feeds: std::ops::Range<usize>, chains: std::ops::Range<usize>) -> Message {
    Message::Have {
        feeds: feeds.map(|number| Held { feed: foreign_feed(number), cursor: at(1), serial: 0 }).collect(),
        chains: chains.map(|n| HeldChain { organisation: foreign_organisation(n), hash: [1; 16] }).collect(),
        offer: None,
    }
}

#[test]
fn what_is_told_at_a_time_is_limited() {
    let mut lab = Lab::new(0);
    lab.hear(&have(0..HAVE_FEEDS_MAX, 0..HAVE_CHAINS_MAX));
    assert!(lab.is_open());
    for over in [have(0..HAVE_FEEDS_MAX + 1, 0..0), have(0..0, 0..HAVE_CHAINS_MAX + 1)] {
        let mut lab = Lab::new(0);
        lab.hear(&over);
        lab.must_be_closed();
    }
}

#[test]
fn feeds_and_chains_of_a_peer_beyond_the_limit_are_not_kept() {
    let mut lab = Lab::new(0);
    for first in (0..FEEDS_PER_PEER_MAX).step_by(HAVE_FEEDS_MAX) {
        lab.hear(&have(first..first + HAVE_FEEDS_MAX, first..first + HAVE_CHAINS_MAX));
    }
    assert_eq!((lab.session().has.len(), lab.session().asked.len()), (FEEDS_PER_PEER_MAX, CHAINS_PER_PEER_MAX));
    let over = FEEDS_PER_PEER_MAX..FEEDS_PER_PEER_MAX + 1;
    lab.hear(&have(over.clone(), over));
    assert_eq!((lab.session().has.len(), lab.session().asked.len()), (FEEDS_PER_PEER_MAX, CHAINS_PER_PEER_MAX));
    assert!(lab.is_open(), "it is no fault of a large region");
}

#[test]
fn chains_are_asked_for_a_few_at_a_time() {
    let mut lab = Lab::new(0);
    let asks = |lab: &Lab| lab.count(|message| matches!(message, Message::AskChain { .. }));
    lab.hear(&have(0..0, 0..CHAINS_ASKED_MAX + 5));
    assert_eq!(asks(&lab), CHAINS_ASKED_MAX);
    lab.hear(&Message::Chain { organisation: foreign_organisation(0), statements: Vec::new(), last: true });
    assert_eq!(asks(&lab), CHAINS_ASKED_MAX + 1);
}

fn statements(count: usize, bytes: usize, last: bool, organisation: OrgId) -> Message {
    Message::Chain { organisation, statements: vec![piece(bytes).into(); count], last }
}

#[test]
fn statements_of_a_chain_are_limited_in_number() {
    let mut lab = Lab::new(0);
    let theirs = lab.them.identity.id();
    lab.hear(&statements(CHAIN_STATEMENTS_MAX, 10, false, theirs));
    assert!(lab.is_open());
    lab.hear(&statements(1, 10, true, theirs));
    lab.must_be_closed();
    assert!(lab.take(|effect| matches!(effect, Effect::TakeIn { .. }).then_some(())).is_empty());
}

#[test]
fn statements_are_limited_in_bytes_for_a_chain_and_for_a_peer() {
    let mebibyte = |organisation| statements(1, 1 << 20, false, organisation);
    let chain = DOCUMENT_BYTES_MAX >> 20;
    let mut lab = Lab::new(0);
    (0..chain).for_each(|_| lab.hear(&mebibyte(lab.them.identity.id())));
    assert!(lab.is_open());
    lab.hear(&statements(1, 1, false, lab.them.identity.id()));
    lab.must_be_closed();

    let mut lab = Lab::new(0);
    lab.hear(&have(0..0, 0..3));
    for number in 0..CHAIN_BYTES_PER_PEER_MAX >> 20 {
        lab.hear(&mebibyte(foreign_organisation(number / chain)));
    }
    assert!(lab.is_open());
    assert_eq!(lab.engine.peers()[0].waiting, CHAIN_BYTES_PER_PEER_MAX as u64);
    lab.hear(&statements(1, 1, false, foreign_organisation(2)));
    lab.must_be_closed();
}

#[test]
fn who_leaves_questions_for_statements_open_keeps_nobody_elses_records_waiting() {
    let mut lab = Lab::new(0);
    let (ours, theirs) = (lab.us.identity.id(), lab.them.identity.id());
    let stranger = foreign_organisation(0);
    lab.hear(&have(0..0, 0..1));
    assert!(lab.engine.waits_for_chain(&stranger), "once it is waited for");
    lab.wait(REQUEST_MS);
    assert!(!lab.engine.waits_for_chain(&stranger));
    let chains = [stranger, ours, theirs].map(|organisation| HeldChain { organisation, hash: [2; 16] }).to_vec();
    lab.hear(&Message::Have { feeds: Vec::new(), chains, offer: None });
    assert!(!lab.engine.waits_for_chain(&stranger) && !lab.engine.waits_for_chain(&ours));
    assert!(lab.engine.waits_for_chain(&theirs), "for its own, still");
    let node = lab.node();
    lab.tell(Event::Disconnected { node });
    lab.wait(BLOCKED_MS);
    lab.connect();
    lab.hear(&have(0..0, 1..2));
    assert!(lab.engine.waits_for_chain(&foreign_organisation(1)), "it is forgiven in the end");
}

#[test]
fn a_few_feeds_are_read_at_a_time() {
    let mut lab = Lab::new(READING_PER_PEER_MAX + 1);
    let feeds = (0..=READING_PER_PEER_MAX).map(|n| lab.them.feed(&format!("c{n}")));
    let feeds: Vec<_> = feeds.map(|feed| Held { feed, cursor: at(1), serial: 0 }).collect();
    lab.hear(&Message::Have { feeds: feeds.clone(), chains: Vec::new(), offer: None });
    let gets = |lab: &Lab| lab.count(|message| matches!(message, Message::Get { .. }));
    assert_eq!(gets(&lab), READING_PER_PEER_MAX);
    let Message::Get { feed, .. } = lab.sent[0].clone() else { panic!("{:?}", lab.sent[0]) };
    let items = vec![WireItem::new(&lab.them.item(lab.them.record(feed, 1), Vec::new()))];
    lab.hear(&Message::Page {
        feed,
        after: Position::default(),
        upto: at(1),
        items,
        kind: PageKind::Last,
        offer: None,
    });
    lab.judge(&Verdict::Valid { covers: true });
    assert_eq!(gets(&lab), READING_PER_PEER_MAX + 1);
}

#[test]
fn who_says_to_have_more_and_gives_nothing_is_asked_a_few_times_and_then_seldom() {
    let mut lab = Lab::new(0);
    let feed = lab.them.feed("public");
    let mut boast = 0;
    let mut round = |lab: &mut Lab| {
        boast += 1;
        let feeds = vec![Held { feed, cursor: at(boast), serial: 0 }];
        lab.hear(&Message::Have { feeds, chains: Vec::new(), offer: None });
        let after = Position::default();
        let page = Message::Page { feed, after, upto: at(0), items: Vec::new(), kind: PageKind::Last, offer: None };
        lab.hear(&page);
    };
    let gets = |lab: &Lab| lab.count(|message| matches!(message, Message::Get { .. }));
    (0..1_000).for_each(|_| round(&mut lab));
    assert_eq!(gets(&lab), UNKEPT_MAX as usize);
    lab.wait(REQUEST_MS);
    (0..1_000).for_each(|_| round(&mut lab));
    assert_eq!(gets(&lab), UNKEPT_MAX as usize + 1, "once more after a while");
}

#[test]
fn answers_to_audits_have_their_size() {
    let bucket = |leaves| Bucket { number: 0, leaves: vec![0; leaves] };
    let answers = [vec![bucket(64 * 16); 65], vec![bucket(64 * 16 - 1)], vec![bucket(64 * 16 + 1)]];
    for (buckets, good) in answers.into_iter().map(|b| (b, false)).chain([(vec![bucket(64 * 16); 64], true)]) {
        let mut lab = Lab::new(0);
        let (feed, node) = (lab.them.feed("public"), lab.node());
        lab.tell(Event::Compare { op: OpId(1), node });
        lab.engine.begin_audit(node, &feed, false, Some(OpId(1)));
        let (cursor, root) = (Position::default(), Hash([1; 32]));
        lab.hear(&Message::AuditBuckets { feed, cursor, root, live: 0, buckets });
        assert_eq!(lab.is_open(), good);
    }
}

#[test]
fn so_many_feeds_are_read_at_a_time_from_all_peers_together() {
    let peers = READING_FEEDS_MAX / READING_PER_PEER_MAX + 1;
    let mut lab = Lab::new(peers * READING_PER_PEER_MAX);
    let organisation = lab.them.identity.id();
    let node = |number: usize| NodeId([number as u8 + 50; 32]);
    let feeds: Vec<_> = (0..peers * READING_PER_PEER_MAX).map(|n| lab.them.feed(&format!("c{n}"))).collect();
    let gets = |lab: &Lab| lab.count(|message| matches!(message, Message::Get { .. }));
    let hear = |lab: &mut Lab, node: NodeId, message: &Message| {
        lab.tell(Event::Frame { node, bytes: message.frame(1) });
    };
    for number in 0..peers {
        lab.tell(Event::Connected { peer: Peer { node: node(number), organisation } });
        let hello = Message::Hello {
            oldest: VERSION,
            newest: VERSION,
            organisation,
            instance: 1,
            chain: [0; 16],
            offer: [1; 16],
            taken: [0; 16],
        };
        hear(&mut lab, node(number), &hello);
        let has = feeds[number * READING_PER_PEER_MAX..].iter().take(READING_PER_PEER_MAX);
        let has = has.map(|feed| Held { feed: *feed, cursor: at(1), serial: 0 }).collect();
        hear(&mut lab, node(number), &Message::Have { feeds: has, chains: Vec::new(), offer: None });
    }
    assert_eq!(gets(&lab), READING_FEEDS_MAX);
    let asked = lab.sent.iter().find_map(|message| match message {
        Message::Get { feed, .. } => feeds.iter().position(|known| known == feed),
        _ => None,
    });
    let index = asked.expect("a feed that is read");
    let items = vec![WireItem::new(&lab.them.item(lab.them.record(feeds[index], 1), Vec::new()))];
    let (feed, after, upto, kind) = (feeds[index], Position::default(), at(1), PageKind::Last);
    let page = Message::Page { feed, after, upto, items, kind, offer: None };
    hear(&mut lab, node(index / READING_PER_PEER_MAX), &page);
    lab.judge(&Verdict::Valid { covers: true });
    assert_eq!(gets(&lab), READING_FEEDS_MAX + 1, "there is room for the next one");
}
