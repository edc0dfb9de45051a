//! Stories about who may read: granted, narrowed, ended, moved, removed and let in again, over relays with old lists.

use ortsnetz_model::{EntryId, FeedId};
use ortsnetz_sync::{Alarm, PublishError};

use crate::stories::{text, two_towns};
use crate::world::World;

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;

/// What a machine believes: that its town may read a feed of another town.
fn knows_to_read(world: &World, machine: usize, owner: usize, feed: FeedId) -> bool {
    let identity = &world.machines[machine].disk.identities[&world.towns[owner].id];
    identity.can_read(&feed.collection, &world.machines[machine].organisation)
}

/// Everything that lies on a machine's disk, as bytes: statements, records, changes.
fn disk(world: &World, machine: usize) -> Vec<u8> {
    let disk = &world.machines[machine].disk;
    let statements = disk.identities.values().flat_map(|identity| identity.statements_for(ortsnetz_trust::View::Own));
    let mut bytes: Vec<u8> = statements.flat_map(|signed| signed.to_bytes()).collect();
    for signed in disk.records.values().chain(disk.markers.values()) {
        bytes.extend(signed.to_bytes());
    }
    for ((feed, entry, _), chunks) in &disk.chunks {
        bytes.extend(feed.collection.0);
        bytes.extend(entry.0);
        chunks.iter().for_each(|chunk| bytes.extend(chunk.bytes.iter()));
    }
    for ((feed, entry, _), item) in disk.aside.iter().chain(&disk.returned) {
        bytes.extend(feed.collection.0);
        bytes.extend(entry.0);
        bytes.extend(item.record.iter());
        item.chunks.iter().for_each(|chunk| bytes.extend(chunk));
    }
    bytes
}

/// Whether anything of a private entry lies on a machine's disk.
fn holds(world: &World, machine: usize, needle: &[u8]) -> bool {
    disk(world, machine).windows(needle.len()).any(|window| window == needle)
}

fn assert_clean(world: &World, machine: usize, feed: FeedId, entries: &[EntryId], words: &[&str]) {
    let name = &world.machines[machine].name;
    assert!(!holds(world, machine, &feed.collection.0), "{name} knows of the collection");
    for entry in entries {
        assert!(!holds(world, machine, &entry.0), "{name} holds {entry}");
    }
    for word in words {
        assert!(!holds(world, machine, word.as_bytes()), "{name} holds {word:?}");
    }
}

/// a owns; b reads and relays; c is a partner of b alone.
fn line_of_three(seed: u64) -> (World, [usize; 3]) {
    let mut world = World::new(seed);
    let towns = [world.town("a"), world.town("b"), world.town("c")];
    world.partners(towns[0], towns[1]);
    world.partners(towns[1], towns[2]);
    world.run(2000);
    (world, towns)
}

#[test]
fn a_private_collection_never_leaks() {
    let mut world = World::new(6);
    let towns = [world.town("a"), world.town("b"), world.town("c")];
    world.tap = Some(Vec::new());
    for (a, b) in [(0, 1), (1, 2), (0, 2)] {
        world.partners(towns[a], towns[b]);
    }
    world.run(2000);
    let feed = world.share(towns[0], "nur fuer b", &[towns[1]], true);
    let internal = world.feed(towns[0], "internal");
    let secret = world.publish(towns[0], feed, &["streng vertraulich und nur fuer b"]);
    let own = world.publish(towns[0], internal, &["ganz allein fuer uns"]);
    world.run(MINUTE);
    assert!(text(&world, towns[1], feed, secret[0]).is_some());
    assert!(text(&world, towns[2], feed, secret[0]).is_none());
    let plain = |bytes: &[u8]| {
        let message = ortsnetz_sync::wire::Message::read(bytes).expect("a frame").expect("a message");
        minicbor::to_vec(message).expect("encodes")
    };
    for (_, to, bytes) in world.tap.take().unwrap_or_default() {
        let plain = plain(&bytes);
        let contains = |needle: &[u8]| plain.windows(needle.len()).any(|window| window == needle);
        assert!(!contains(b"allein fuer uns") && !contains(&own[0].0) && !contains(&internal.collection.0));
        if to == towns[2] {
            assert!(!contains(b"vertraulich") && !contains(&secret[0].0) && !contains(&feed.collection.0));
        }
    }
    world.assert_private();
    world.assert_converged();
}

#[test]
fn a_reader_that_was_removed_gets_nothing_new() {
    let (mut world, siegburg, bonn) = two_towns(7);
    let feed = world.share(siegburg, "entwurf", &[bonn], false);
    let entries = world.publish(siegburg, feed, &["erste Fassung"]);
    world.run(MINUTE);
    assert!(text(&world, bonn, feed, entries[0]).is_some());
    world.share(siegburg, "entwurf", &[], false);
    world.run(MINUTE);
    world.edit(siegburg, feed, entries[0], "zweite Fassung");
    world.run(MINUTE);
    // What was read stays readable; the reader knows that it ended.
    assert!(text(&world, bonn, feed, entries[0]).is_some_and(|text| text.ends_with(b"erste Fassung")));
    assert!(!knows_to_read(&world, bonn, siegburg, feed));
    world.assert_private();
    world.assert_quiet();
    // Nothing is expected any more either: no feed is called stale for what does not come.
    world.run(3 * DAY);
    assert_eq!(world.alarms(bonn, |alarm| matches!(alarm, Alarm::Stale { feed: stale } if *stale == feed)), 0);
}

#[test]
fn a_reader_let_in_later_gets_the_whole_feed() {
    let (mut world, siegburg, bonn) = two_towns(20);
    let feed = world.share(siegburg, "planung", &[], false);
    let old = world.publish(siegburg, feed, &["von gestern", "von vorgestern"]);
    world.run(MINUTE);
    assert_clean(&world, bonn, feed, &old, &["planung", "gestern"]);
    world.share(siegburg, "planung", &[bonn], false);
    world.run(MINUTE);
    assert!(old.iter().all(|entry| text(&world, bonn, feed, *entry).is_some()));
    world.assert_converged();
    world.assert_quiet();
}

#[test]
fn lists_that_change_while_statements_are_on_their_way_are_asked_for_again() {
    for seed in 0..20 {
        let (mut world, siegburg, bonn) = two_towns(seed);
        let mut shared = Vec::new();
        for name in ["eins", "zwei", "drei", "vier"] {
            let feed = world.share(siegburg, name, &[bonn], false);
            shared.push((feed, world.publish(siegburg, feed, &[name])[0]));
            world.run(30);
        }
        world.run(20_000);
        for (feed, entry) in shared {
            assert!(text(&world, bonn, feed, entry).is_some(), "seed {seed}: a list was overlooked");
        }
    }
}

#[test]
fn a_relay_with_a_list_of_more_than_a_week_gives_nothing_and_tells_nothing() {
    let (mut world, [a, b, c]) = line_of_three(21);
    world.cut(b, c);
    let feed = world.share(a, "planung", &[b, c], true);
    let secret = world.publish(a, feed, &["streng vertraulich"]);
    // Of a town that it passes anything on of, a relay passes the statements on too.
    let public = world.feed(a, "public");
    let open = world.publish(a, public, &["fuer alle"]);
    world.run(MINUTE);
    assert!(text(&world, b, feed, secret[0]).is_some());
    world.cut(a, b);
    // Six days are not too old; but c is not there to ask.
    world.run(6 * DAY);
    // Meanwhile c is struck from the list, and b cannot hear of it.
    world.share(a, "planung", &[b], true);
    world.run(2 * DAY);
    world.mend(b, c);
    world.run(DAY);
    assert!(text(&world, c, public, open[0]).is_some());
    assert_clean(&world, c, feed, &secret, &["planung", "vertraulich"]);
    // Back at the owner, b learns that c is not to have it, and c never hears more than that it was removed.
    world.heal();
    world.run(DAY);
    assert!(!holds(&world, c, &secret[0].0) && !holds(&world, c, b"planung"));
    world.assert_private();
    world.assert_converged();
}

#[test]
fn a_relay_passes_a_private_collection_on_while_its_list_is_fresh() {
    let (mut world, [a, b, c]) = line_of_three(22);
    let feed = world.share(a, "planung", &[b, c], true);
    let entries = world.publish(a, feed, &["erste Fassung"]);
    world.run(MINUTE);
    assert!(text(&world, c, feed, entries[0]).is_some());
    // For weeks: the daily checkpoint keeps the list fresh.
    world.run(20 * DAY);
    world.edit(a, feed, entries[0], "zweite Fassung");
    world.run(MINUTE);
    assert!(text(&world, c, feed, entries[0]).is_some_and(|text| text.ends_with(b"zweite Fassung")));
    world.assert_converged();
    // Narrowed, the relay stops at once; c keeps what it has and is told by the relay.
    world.share(a, "planung", &[b], true);
    world.run(MINUTE);
    world.edit(a, feed, entries[0], "dritte Fassung");
    let new = world.publish(a, feed, &["ganz neu"]);
    world.run(MINUTE);
    assert!(text(&world, b, feed, new[0]).is_some());
    assert!(text(&world, c, feed, entries[0]).is_some_and(|text| text.ends_with(b"zweite Fassung")));
    assert!(!knows_to_read(&world, c, a, feed));
    assert!(!holds(&world, c, &new[0].0) && !holds(&world, c, b"dritte"));
    world.assert_private();
    world.assert_converged();
    world.assert_quiet();
}

#[test]
fn a_past_partner_gets_the_end_and_not_a_byte_more_until_it_is_let_in_again() {
    let (mut world, siegburg, bonn) = two_towns(23);
    let feed = world.share(siegburg, "planung", &[bonn], true);
    let public = world.feed(siegburg, "public");
    let old = world.publish(siegburg, feed, &["alt"]);
    world.publish(siegburg, public, &["oeffentlich"]);
    world.run(MINUTE);
    assert!(text(&world, bonn, feed, old[0]).is_some());
    world.cut(siegburg, bonn);
    world.run(MINUTE);
    world.part(siegburg, bonn);
    let new = world.publish(siegburg, feed, &["neu und geheim"]);
    let open = world.publish(siegburg, public, &["neu und oeffentlich"]);
    let other = world.share(siegburg, "ohne bonn", &[], false);
    let hidden = world.publish(siegburg, other, &["nie fuer bonn"]);
    world.run(MINUTE);
    // Offline on the day of the end, it learns of it on the first call.
    let before = disk(&world, bonn).len();
    world.heal();
    world.run(MINUTE);
    assert!(world.has_parted(bonn, siegburg), "the signed end arrived");
    assert!(!knows_to_read(&world, bonn, siegburg, feed), "and the removal from the list");
    let told = disk(&world, bonn).len() - before;
    assert!(told < 600, "{told} bytes for two statements");
    assert!(text(&world, bonn, feed, old[0]).is_some(), "what it has stays");
    assert!(text(&world, bonn, public, open[0]).is_none(), "nothing new, not even what is public");
    assert!(!holds(&world, bonn, &new[0].0) && !holds(&world, bonn, b"geheim"));
    assert_clean(&world, bonn, other, &hidden, &["ohne bonn", "nie fuer"]);
    world.assert_quiet();
    // Partners again: what is public comes, the rest needs a new grant.
    world.partners(siegburg, bonn);
    world.run(MINUTE);
    assert!(text(&world, bonn, public, open[0]).is_some());
    assert!(!holds(&world, bonn, &new[0].0) && !holds(&world, bonn, b"geheim"));
    assert_clean(&world, bonn, other, &hidden, &["ohne bonn", "nie fuer"]);
    world.share(siegburg, "planung", &[bonn], true);
    world.run(MINUTE);
    assert!(text(&world, bonn, feed, new[0]).is_some());
    world.assert_converged();
    world.assert_private();
}

#[test]
fn an_owner_that_forgot_the_end_is_told_by_the_past_partner() {
    let (mut world, siegburg, bonn) = two_towns(24);
    let backup = world.machines[siegburg].disk.clone();
    world.part(siegburg, bonn);
    world.run(MINUTE);
    assert!(world.has_parted(bonn, siegburg));
    world.crash(siegburg);
    world.machines[siegburg].disk = backup;
    world.start(siegburg);
    assert!(!world.has_parted(siegburg, bonn));
    world.run(MINUTE);
    assert!(world.has_parted(siegburg, bonn));
    world.assert_quiet();
}

#[test]
fn an_ended_collection_takes_nothing_new_and_late_readers_still_learn_how_it_ended() {
    let (mut world, siegburg, bonn) = two_towns(25);
    let feed = world.share(siegburg, "planung", &[bonn], false);
    let entries = world.publish(siegburg, feed, &["eins", "zwei"]);
    world.run(MINUTE);
    world.cut(siegburg, bonn);
    for entry in &entries {
        world.withdraw(siegburg, feed, *entry);
    }
    world.run(5000);
    world.end(siegburg, "planung");
    world.run(5000);
    world.publish(siegburg, feed, &["zu spaet"]);
    world.run(5000);
    assert_eq!(world.refused, [PublishError::Ended]);
    // The reader was away that day, and for a week.
    world.run(8 * DAY);
    world.heal();
    world.run(MINUTE);
    assert!(world.live(bonn, &feed).is_empty(), "the withdrawals arrived");
    let known = world.machines[bonn].disk.identities[&world.towns[siegburg].id].collection(&feed.collection).cloned();
    assert!(known.is_some_and(|collection| collection.ended));
    world.assert_converged();
    // Neither side waits for checkpoints that will not come.
    let stale = |world: &World, machine| {
        world.alarms(machine, |alarm| matches!(alarm, Alarm::Stale { feed: stale } if *stale == feed))
    };
    let before = stale(&world, bonn);
    world.run(5 * DAY);
    assert_eq!((stale(&world, siegburg), stale(&world, bonn)), (0, before));
    world.assert_quiet();
}

#[test]
fn an_entry_that_moves_into_a_private_collection_leaves_no_trace_of_it() {
    let (mut world, siegburg, bonn) = two_towns(26);
    let public = world.feed(siegburg, "public");
    let private = world.share(siegburg, "planung", &[], false);
    let entries = world.publish(siegburg, public, &["noch oeffentlich"]);
    world.run(MINUTE);
    assert!(text(&world, bonn, public, entries[0]).is_some());
    world.relocate(siegburg, public, private, entries[0], "jetzt vertraulich");
    world.run(MINUTE);
    assert!(world.live(bonn, &public).is_empty());
    assert_clean(&world, bonn, private, &[], &["planung", "jetzt vertraulich"]);
    // And back again.
    world.relocate(siegburg, private, public, entries[0], "wieder oeffentlich");
    world.run(MINUTE);
    assert!(text(&world, bonn, public, entries[0]).is_some_and(|text| text.ends_with(b"wieder oeffentlich")));
    assert_clean(&world, bonn, private, &[], &["planung", "jetzt vertraulich"]);
    world.assert_converged();
}
