//! Stories of partners that mean harm, or whose clock is wrong: they are named, and the others go on.

use ortsnetz_model::Position;
use ortsnetz_sync::limits::{AHEAD_MS, OUTGOING_BYTES, REQUEST_MS, REQUESTS_PER_PEER_MAX, WANTS_MAX};
use ortsnetz_sync::wire::{Held, HeldChain, Message, PageKind, WireItem};
use ortsnetz_sync::{Alarm, Event, Item};
use rand::{Rng, RngCore};

use crate::machine::Lie;
use crate::stories::{MINUTE, text, two_towns};
use crate::world::World;

/// An owner, and two partners of it: one means harm.
fn with_a_stranger(seed: u64) -> (World, [usize; 3]) {
    let mut world = World::new(seed);
    let towns = [world.town("siegburg"), world.town("bonn"), world.town("hostile")];
    world.partners(towns[0], towns[1]);
    world.partners(towns[0], towns[2]);
    world.run(5_000);
    (world, towns)
}

fn is_misbehaved(world: &World, machine: usize) -> impl Fn(&Alarm) -> bool + use<> {
    let node = world.machines[machine].node();
    move |alarm| matches!(alarm, Alarm::Misbehaved { node: who, .. } if *who == node)
}

#[test]
fn garbage_closes_the_line_of_who_sent_it_and_of_nobody_else() {
    let (mut world, [siegburg, bonn, hostile]) = with_a_stranger(61);
    let feed = world.feed(siegburg, "public");
    let entries = world.publish(siegburg, feed, &["erst"]);
    world.run(MINUTE);
    for round in 0..200 {
        let mut bytes = vec![0; world.rng.random_range(1..300)];
        world.rng.fill_bytes(&mut bytes);
        // Half of them are packed as they should be, and hold no message.
        if round % 2 == 0 {
            bytes[0] = 0;
        }
        let node = world.machines[hostile].node();
        world.tell(siegburg, Event::Frame { node, bytes });
        world.edit(siegburg, feed, entries[0], &format!("Runde {round}"));
        world.run(4_000);
        let read = text(&world, bonn, feed, entries[0]).unwrap_or_default();
        assert!(read.ends_with(format!("Runde {round}").as_bytes()), "bonn reads on in round {round}");
    }
    assert!(world.alarms(siegburg, is_misbehaved(&world, hostile)) > 50);
    assert_eq!(world.alarms(siegburg, |alarm| matches!(alarm, Alarm::Misbehaved { .. })), {
        world.alarms(siegburg, is_misbehaved(&world, hostile))
    });
    world.run(MINUTE);
    world.assert_converged();
}

#[test]
fn who_asks_and_never_reads_makes_us_hold_little_and_holds_up_nobody() {
    let (mut world, [siegburg, bonn, hostile]) = with_a_stranger(62);
    let feed = world.feed(siegburg, "public");
    let mut long = || (0..2_000).map(|_| format!("{:08x}", world.rng.random::<u32>())).collect::<String>();
    let texts: Vec<String> = (0..300).map(|_| long()).collect();
    let mut entries = Vec::new();
    for batch in texts.chunks(30) {
        entries.extend(world.publish(siegburg, feed, &batch.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    world.run(5 * MINUTE);
    world.deaf.insert(hostile);
    let before = world.sent[siegburg].1;
    let mut asked = 0;
    while asked < REQUESTS_PER_PEER_MAX {
        let entry = Some(entries[asked % entries.len()]);
        world.inject(hostile, siegburg, &Message::Want { feed, entry, have: Vec::new() });
        world.inject(hostile, siegburg, &Message::Get { feed, after: Position::default() });
        world.run(20);
        asked += 1;
    }
    let given = world.sent[siegburg].1 - before;
    assert!(given as usize <= 2 * OUTGOING_BYTES, "{given} bytes for nobody");
    world.edit(siegburg, feed, entries[0], "für alle anderen");
    world.run(1_000);
    assert!(text(&world, bonn, feed, entries[0]).is_some_and(|text| text.ends_with("für alle anderen".as_bytes())));
    world.deaf.clear();
    world.drop_line(siegburg, hostile);
    world.run(5 * MINUTE);
    world.assert_converged();
}

#[test]
fn large_entries_that_are_too_much_at_once_arrive_all_the_same() {
    let (mut world, siegburg, bonn) = two_towns(63);
    let feed = world.feed(siegburg, "public");
    let large = |number: usize| format!("{number} {}", "Gebühr ".repeat(60_000));
    let entries: Vec<_> = (0..6).flat_map(|number| world.publish(siegburg, feed, &[&large(number)])).collect();
    world.run(MINUTE);
    // Eight versions of 480 KiB each make 4 MB an entry, 24 MB in all.
    for version in 1..9 {
        for entry in &entries {
            world.edit(siegburg, feed, *entry, &large(version));
        }
        world.run(MINUTE);
    }
    world.assert_converged();
    for entry in &entries {
        world.lose(bonn, feed, *entry);
    }
    world.machines[bonn].slow = true;
    world.run(10 * MINUTE);
    world.machines[bonn].slow = false;
    world.assert_converged();
    assert_eq!(world.alarms(bonn, |alarm| matches!(alarm, Alarm::Misbehaved { .. })), 0);
}

#[test]
fn a_relay_that_says_to_have_more_than_there_is_keeps_no_reader_from_the_truth() {
    let mut world = World::new(64);
    let [owner, honest, liar, reader] = ["a", "b", "c", "d"].map(|name| world.town(name));
    for (one, other) in [(owner, honest), (honest, liar), (honest, reader), (liar, reader)] {
        world.partners(one, other);
    }
    let (feed, theirs) = (world.feed(owner, "public"), world.feed(liar, "public"));
    let entries = world.publish(owner, feed, &["erst"]);
    world.run(MINUTE);
    world.lie(liar, Some(Lie::Boast));
    for round in 0..10 {
        let text_now = format!("Runde {round}");
        world.publish(liar, theirs, &["damit er etwas sagt"]);
        world.run(100);
        world.edit(owner, feed, entries[0], &text_now);
        world.run(2 * REQUEST_MS);
        let read = text(&world, reader, feed, entries[0]).unwrap_or_default();
        assert!(read.ends_with(text_now.as_bytes()), "{text_now} did not arrive");
    }
    world.lie(liar, None);
    world.drop_lines(liar);
    world.run(15 * MINUTE);
    world.assert_converged();
}

#[test]
fn positions_beyond_all_measure_are_refused_or_wait_for_nothing() {
    let (mut world, [siegburg, bonn, hostile]) = with_a_stranger(65);
    let (own, theirs) = (world.feed(siegburg, "public"), world.feed(hostile, "public"));
    let entries = world.publish(siegburg, own, &["erst"]);
    world.publish(hostile, theirs, &["von drüben"]);
    world.run(MINUTE);
    let beyond = Position { term: u32::MAX, epoch: u64::MAX, sequence: u64::MAX };
    let feeds = [own, theirs].map(|feed| Held { feed, cursor: beyond, serial: u64::MAX }).to_vec();
    world.inject(hostile, siegburg, &Message::Have { feeds, chains: Vec::new(), offer: Some([9; 16]) });
    world.inject(hostile, siegburg, &Message::Ack { feed: own, cursor: beyond, stored: beyond, offer: None });
    world.inject(hostile, siegburg, &Message::Get { feed: own, after: beyond });
    let held = &world.machines[hostile].disk.records;
    let (_, record) = held.iter().find(|((feed, _), _)| *feed == theirs).expect("it published");
    let item = Item { record: record.to_bytes().into(), chunks: Vec::new() };
    let items = vec![WireItem::new(&item)];
    let kind = PageKind::Live;
    world.inject(
        hostile,
        siegburg,
        &Message::Page { feed: theirs, after: beyond, upto: beyond, items, kind, offer: None },
    );
    world.run(2 * MINUTE);
    world.edit(siegburg, own, entries[0], "danach");
    world.run(MINUTE);
    assert!(text(&world, bonn, own, entries[0]).is_some_and(|text| text.ends_with(b"danach")));
    let liar = world.machines[hostile].node();
    let named =
        |alarm: &Alarm| matches!(alarm, Alarm::RolledBack { node, .. } | Alarm::Invalid { node, .. } if *node == liar);
    assert!(world.alarms(siegburg, named) > 0, "who said so is named");
    world.drop_line(siegburg, hostile);
    world.run(15 * MINUTE);
    world.assert_promises();
}

#[test]
fn a_partner_whose_clock_is_ahead_is_held_back_and_named_and_the_others_go_on() {
    let (mut world, [siegburg, bonn, early]) = with_a_stranger(66);
    let (own, theirs) = (world.feed(siegburg, "public"), world.feed(early, "public"));
    world.run(MINUTE);
    // It starts with a clock two days ahead, and publishes.
    world.crash(early);
    let now = world.now;
    world.now = now + 2 * AHEAD_MS;
    world.start(early);
    world.now = now;
    world.machines[early].disk_free_at = now;
    world.mend(siegburg, early);
    world.run(1_000);
    let entries = world.publish(early, theirs, &["aus der Zukunft"]);
    let own_entries = world.publish(siegburg, own, &["von heute"]);
    world.run(MINUTE);
    assert!(text(&world, siegburg, theirs, entries[0]).is_none());
    let ahead = |alarm: &Alarm| matches!(alarm, Alarm::Ahead { feed, .. } if *feed == theirs);
    assert_eq!(world.alarms(siegburg, ahead), 1, "said once");
    assert!(text(&world, bonn, own, own_entries[0]).is_some());
}

#[test]
fn statements_promised_and_never_given_delay_the_records_of_others_once() {
    let (mut world, [siegburg, bonn, hostile]) = with_a_stranger(67);
    let feed = world.feed(siegburg, "public");
    let entries = world.publish(siegburg, feed, &["erst"]);
    world.partners(bonn, hostile);
    world.run(MINUTE);
    world.deaf.insert(hostile);
    let mut late = 0;
    for round in 0..10u8 {
        // Another hash each time, and no answer to the question that follows.
        let chains = vec![HeldChain { organisation: world.towns[siegburg].id, hash: [round + 1; 16] }];
        world.inject(hostile, bonn, &Message::Have { feeds: Vec::new(), chains, offer: None });
        let now = format!("Runde {round}");
        world.edit(siegburg, feed, entries[0], &now);
        world.run(1_000);
        let read =
            |world: &World| text(world, bonn, feed, entries[0]).is_some_and(|text| text.ends_with(now.as_bytes()));
        late += usize::from(!read(&world));
        world.run(REQUEST_MS + 1_000);
        assert!(read(&world), "{now} never arrived");
    }
    assert!(late <= 1, "{late} of 10 rounds were late");
}

#[test]
fn more_requests_than_allowed_close_the_line_and_less_than_that_is_answered() {
    let (mut world, [siegburg, bonn, hostile]) = with_a_stranger(68);
    let feed = world.feed(siegburg, "public");
    let entries = world.publish(siegburg, feed, &["erst"]);
    world.run(MINUTE);
    for _ in 0..WANTS_MAX {
        world.inject(hostile, siegburg, &Message::Want { feed, entry: Some(entries[0]), have: Vec::new() });
    }
    world.run(1_000);
    assert_eq!(world.alarms(siegburg, is_misbehaved(&world, hostile)), 0);
    for _ in 0..10 * REQUESTS_PER_PEER_MAX {
        world.inject(hostile, siegburg, &Message::Want { feed, entry: Some(entries[0]), have: Vec::new() });
    }
    assert_eq!(world.alarms(siegburg, is_misbehaved(&world, hostile)), 1, "named once, then nobody listens");
    world.edit(siegburg, feed, entries[0], "weiter");
    world.run(1_000);
    assert!(text(&world, bonn, feed, entries[0]).is_some_and(|text| text.ends_with(b"weiter")));
    world.run(2 * MINUTE);
    world.assert_converged();
}
