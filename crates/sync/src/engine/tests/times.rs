//! How long things may take.

use super::*;
use crate::limits::*;
use crate::wire::Held;

#[test]
fn a_silent_peer_is_closed_and_a_beat_saves_it() {
    let mut lab = Lab::new(0);
    lab.wait(DEAD_MS - 1);
    assert!(lab.is_open());
    lab.hear(&Message::Beat { question: false });
    lab.wait(DEAD_MS - 1);
    assert!(lab.is_open());
    lab.wait(1);
    assert_eq!(lab.closed, Some(CloseReason::Silent));
}

#[test]
fn who_never_greets_is_closed_whatever_else_it_sends() {
    let mut lab = Lab::new(0);
    let peer = Peer { node: lab.node(), organisation: lab.them.identity.id() };
    lab.tell(Event::Connected { peer });
    for _ in 0..4 {
        lab.wait(DEAD_MS / 4 - 1);
        lab.hear(&Message::Beat { question: false });
    }
    assert!(lab.is_open());
    lab.wait(4);
    assert_eq!(lab.closed, Some(CloseReason::Silent));
}

#[test]
fn a_beat_is_sent_when_nothing_else_was() {
    let mut lab = Lab::new(0);
    let beats = |lab: &Lab| lab.count(|message| matches!(message, Message::Beat { .. }));
    lab.wait(BEAT_MS - 1);
    assert_eq!(beats(&lab), 0);
    lab.wait(1);
    assert_eq!(beats(&lab), 1);
}

#[test]
fn an_unanswered_catch_up_is_given_up() {
    let mut lab = Lab::new(0);
    let feed = lab.them.feed("public");
    lab.hear(&Message::Have { feeds: vec![Held { feed, cursor: at(1), serial: 0 }], chains: Vec::new(), offer: None });
    lab.wait(REQUEST_MS - 1);
    assert!(lab.session().may_be_asked(&feed, lab.now));
    lab.wait(1);
    assert!(!lab.session().may_be_asked(&feed, lab.now), "others are asked now");
    // It says something, and is asked again after the same time.
    lab.hear(&Message::Beat { question: false });
    lab.wait(REQUEST_MS);
    assert!(lab.session().may_be_asked(&feed, lab.now));
}

#[test]
fn who_sends_something_invalid_again_is_not_asked_for_a_while_even_if_it_hangs_up() {
    let mut lab = Lab::new(0);
    let (feed, node) = (lab.them.feed("public"), lab.node());
    let asked = |lab: &Lab| lab.session().may_be_asked(&feed, lab.now);
    let named = |alarm: &&Alarm| matches!(alarm, Alarm::Invalid { node: who, .. } if *who == node);
    for times in 1..3 {
        // Pushed, and then, because that is not looked at any more, given when asked.
        let kind = [PageKind::Live, PageKind::Last][times - 1];
        let items = vec![WireItem::new(&lab.them.item(lab.them.record(feed, 1), Vec::new()))];
        lab.hear(&Message::Have {
            feeds: vec![Held { feed, cursor: at(1), serial: 0 }],
            chains: Vec::new(),
            offer: None,
        });
        lab.hear(&Message::Page { feed, after: Position::default(), upto: at(1), items, kind, offer: None });
        lab.judge(&Verdict::Invalid("forged".into()));
        assert_eq!(lab.alarms.iter().filter(named).count(), times);
        assert!(!asked(&lab));
        lab.tell(Event::Disconnected { node });
        lab.connect();
        assert_eq!(asked(&lab), times == 1, "it may have been repaired, once");
    }
    let begin = lab.now;
    lab.push("public", 1..2, &[]);
    let judged = lab.take(|effect| matches!(effect, Effect::Accept { .. }).then_some(()));
    assert!(judged.is_empty(), "nor is what it pushes looked at");
    while lab.now < begin + BLOCKED_MS - 1 {
        assert!(!asked(&lab), "{} ms later", lab.now - begin);
        lab.hear(&Message::Beat { question: false });
        lab.wait((DEAD_MS / 2).min(begin + BLOCKED_MS - 1 - lab.now));
    }
    assert!(!asked(&lab));
    lab.wait(1);
    assert!(asked(&lab));
}

#[test]
fn who_says_again_what_it_has_is_audited_again_but_seldom() {
    let mut lab = Lab::with(0, |snapshot, _, them| {
        them.damage(snapshot, them.feed("public"));
    });
    let feed = lab.them.feed("public");
    let again = Message::Have {
        feeds: vec![Held { feed, cursor: at(2), serial: 0 }],
        chains: Vec::new(),
        offer: Some([1; 16]),
    };
    let audits = |lab: &Lab| lab.count(|message| matches!(message, Message::Audit { .. }));
    // Another state than ours: nothing to learn there.
    let nothing = Message::AuditBuckets { feed, cursor: at(7), root: Hash([1; 32]), live: 0, buckets: Vec::new() };
    let round = |lab: &mut Lab, wait: u64| {
        lab.wait(wait);
        let before = audits(lab);
        lab.hear(&again);
        let news = audits(lab) - before;
        lab.hear(&nothing);
        news
    };
    round(&mut lab, 0);
    assert_eq!(round(&mut lab, 0), 1, "the first time at once");
    assert_eq!(round(&mut lab, AUDIT_ANEW_MS - 1), 0);
    assert_eq!(round(&mut lab, 1), 1);
    assert_eq!((0..50).map(|_| round(&mut lab, 0)).sum::<usize>(), 0, "however often it says so");
}

#[test]
fn records_ahead_of_our_clock_are_held_back_and_the_alarm_says_so() {
    for (ahead, taken) in [(AHEAD_MS, true), (AHEAD_MS + 1, false)] {
        let mut lab = Lab::new(0);
        let feed = lab.them.feed("public");
        let position = Position { epoch: NOW + ahead, ..at(1) };
        let record = Record { position, ..lab.them.record(feed, 1) };
        let items = vec![WireItem::new(&lab.them.item(record, Vec::new()))];
        let (after, kind) = (Position::default(), PageKind::Live);
        lab.hear(&Message::Page { feed, after, upto: position, items, kind, offer: None });
        lab.judge(&Verdict::Valid { covers: true });
        assert_eq!(lab.engine.row(&feed, &entry(1)).is_some(), taken);
        assert_eq!(lab.alarms.contains(&Alarm::Ahead { feed, position }), !taken);
        assert!(lab.is_open());
    }
}

#[test]
fn a_feed_without_a_checkpoint_for_so_long_is_stale() {
    let mut lab = Lab::with(0, |snapshot, _, them| {
        let feed = them.feed("public");
        snapshot.record(&them.checkpoint(feed, 1));
        snapshot.cursor(feed, at(1));
    });
    let feed = lab.them.feed("public");
    lab.now = NOW + STALE_MS - 1;
    lab.tell(Event::Wake);
    assert!(!lab.engine.feed(&feed).is_some_and(|feed| feed.stale) && !lab.alarms.contains(&Alarm::Stale { feed }));
    lab.wait(1);
    assert!(lab.engine.feed(&feed).is_some_and(|feed| feed.stale));
    lab.wait(10 * 60_000);
    assert!(lab.alarms.contains(&Alarm::Stale { feed }));
}

#[test]
fn whether_both_are_in_sync_is_looked_at_once_a_second() {
    for (after, seen) in [(SEEN_MS - 1, 0), (SEEN_MS, SEEN_MS)] {
        let mut lab = Lab::new(0);
        lab.hear(&Message::Have { feeds: Vec::new(), chains: Vec::new(), offer: Some([1; 16]) });
        let told =
            |lab: &mut Lab| lab.take(|effect| if let Effect::InSync { at, .. } = effect { Some(*at) } else { None });
        assert_eq!(told(&mut lab), [NOW]);
        for wait in [DEAD_MS - 1, DEAD_MS - 1, after] {
            lab.wait(wait);
            lab.hear(&Message::Beat { question: false });
        }
        lab.tell(Event::Disconnected { node: lab.node() });
        assert_eq!(told(&mut lab), [NOW + 2 * (DEAD_MS - 1) + seen]);
    }
}

/// A partner greeted whose statements are known.
fn known() -> Lab {
    let mut lab = Lab::new(0);
    let peer = Peer { node: lab.node(), organisation: lab.them.identity.id() };
    lab.tell(Event::Disconnected { node: peer.node });
    let chain = lab.engine.chain_hash_for(&peer.organisation, &peer).expect("its statements");
    lab.tell(Event::Connected { peer });
    lab.hear(&Message::Hello {
        oldest: VERSION,
        newest: VERSION,
        organisation: peer.organisation,
        instance: 1,
        chain,
        offer: [1; 16],
        taken: [0; 16],
    });
    lab.others.clear();
    lab
}

#[test]
fn what_was_taken_in_is_written_down_a_little_later() {
    let mut lab = known();
    let remembered = |lab: &mut Lab| {
        let found = lab.take(|effect| matches!(effect, Effect::Remember { .. }).then_some(()));
        found.len()
    };
    lab.hear(&Message::Have { feeds: Vec::new(), chains: Vec::new(), offer: Some([1; 16]) });
    lab.wait(REMEMBER_MS - 1);
    assert_eq!(remembered(&mut lab), 0);
    lab.wait(1);
    assert_eq!(remembered(&mut lab), 1);
    lab.wait(2 * REMEMBER_MS);
    assert_eq!(remembered(&mut lab), 0, "once is enough");
}

#[test]
fn that_both_are_in_sync_is_told_so_often_and_no_more() {
    let mut lab = known();
    let told = |lab: &mut Lab| lab.take(|effect| matches!(effect, Effect::InSync { .. }).then_some(())).len();
    lab.hear(&Message::Have { feeds: Vec::new(), chains: Vec::new(), offer: Some([1; 16]) });
    assert_eq!(told(&mut lab), 1);
    let begin = lab.now;
    let news = |lab: &mut Lab, sequence: u64| {
        lab.push("public", sequence..sequence + 1, &[]);
        lab.judge(&Verdict::Valid { covers: true });
        // Who pushes says what it has, too.
        lab.hear(&Message::Have { feeds: Vec::new(), chains: Vec::new(), offer: Some([2; 16]) });
    };
    news(&mut lab, 1);
    assert_eq!(told(&mut lab), 0, "a moment ago it was told");
    while lab.now < begin + IN_SYNC_MS - 1 {
        lab.hear(&Message::Beat { question: false });
        lab.wait((DEAD_MS / 2).min(begin + IN_SYNC_MS - 1 - lab.now));
    }
    news(&mut lab, 2);
    assert_eq!(told(&mut lab), 0);
    lab.wait(1);
    news(&mut lab, 3);
    assert_eq!(told(&mut lab), 1);
}

#[test]
fn who_gets_it_from_the_owner_most_likely_is_told_a_little_later() {
    let mut lab = Lab::new(0);
    let organisation = lab.them.identity.id();
    let other = NodeId([77; 32]);
    lab.tell(Event::Connected { peer: Peer { node: other, organisation } });
    for message in [
        Message::Hello {
            oldest: VERSION,
            newest: VERSION,
            organisation,
            instance: 1,
            chain: [0; 16],
            offer: [1; 16],
            taken: [0; 16],
        },
        Message::Have { feeds: Vec::new(), chains: Vec::new(), offer: None },
    ] {
        lab.tell(Event::Frame { node: other, bytes: message.frame(1) });
    }
    lab.sent.clear();
    lab.push("public", 1..2, &[]);
    lab.judge(&Verdict::Valid { covers: true });
    let feed = lab.them.feed("public");
    let told = |lab: &Lab| {
        lab.count(|message| match message {
            Message::Have { feeds, .. } => feeds.iter().any(|held| held.feed == feed),
            _ => false,
        })
    };
    lab.wait(ANNOUNCE_MS - 1);
    assert_eq!(told(&lab), 0);
    lab.wait(1);
    assert!(told(&lab) > 0);
}

#[test]
fn a_relay_acts_on_a_list_of_readers_for_a_week_and_no_longer() {
    let reader = Town::new(3, 0);
    let mut lab = Lab::with(0, |snapshot, _, them| {
        snapshot.record(&Record { list_serial: 1, ..them.record(them.feed("Planung"), 1) });
    });
    let mut both = vec![lab.us.identity.id(), reader.identity.id()];
    both.sort_unstable();
    let terms = CollectionTerms { relay: true, ..CollectionTerms::new("Planung", Readers::Organisations(both)) };
    let mut owner = lab.them.identity.clone();
    for signed in owner.state_collection(terms, NOW - 1, &lab.them.key).expect("a collection") {
        owner.take_in(signed).expect("taken in");
    }
    lab.tell(Event::Organisation { organisation: Arc::new(owner) });
    lab.tell(Event::Organisation { organisation: Arc::new(reader.identity.clone()) });
    let (feed, peer) = (lab.them.feed("Planung"), Peer { node: reader.key.id(), organisation: reader.identity.id() });
    lab.engine.now = NOW + LIST_AGE_MS;
    assert!(lab.engine.may_serve(&feed, &peer));
    lab.engine.now += 1;
    assert!(!lab.engine.may_serve(&feed, &peer));
}
