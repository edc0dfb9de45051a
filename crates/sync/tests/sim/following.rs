//! Stories about feeds that a town may read and does not keep.

use ortsnetz_model::FeedId;
use ortsnetz_sync::Event;
use ortsnetz_sync::wire::Message;

use crate::stories::{MINUTE, text};
use crate::world::World;

/// From now on a machine keeps a feed, or not; then its rows are deleted, as a node does.
fn follow(world: &mut World, machine: usize, feed: FeedId, follows: bool) {
    world.tell(machine, Event::Follow { feed, follows });
    let disk = &mut world.machines[machine].disk;
    if follows {
        disk.unfollowed.remove(&feed);
        return;
    }
    disk.unfollowed.insert(feed);
    disk.records.retain(|(of, _), _| *of != feed);
    disk.chunks.retain(|(of, _, _), _| *of != feed);
    disk.markers.remove(&feed);
    disk.cursors.remove(&feed);
}

fn knows(world: &World, machine: usize, feed: FeedId) -> bool {
    let engine = world.machines[machine].engine.as_ref();
    engine.is_some_and(|engine| engine.feed(&feed).is_some())
}

fn in_sync(world: &World, machine: usize) -> bool {
    let peers = world.machines[machine].engine.as_ref().map(ortsnetz_sync::Engine::peers).unwrap_or_default();
    !peers.is_empty() && peers.iter().all(|peer| peer.in_sync && peer.behind == 0 && peer.ahead == 0)
}

/// Frames to a machine that say anything about a feed.
fn about(world: &mut World, machine: usize, feed: FeedId) -> usize {
    let frames = world.tap.replace(Vec::new()).unwrap_or_default();
    let says = |bytes: &[u8]| match Message::read(bytes) {
        Ok(Some(Message::Have { feeds, .. })) => feeds.iter().any(|held| held.feed == feed),
        Ok(Some(Message::Page { feed: of, .. } | Message::Changes { feed: of, .. })) => of == feed,
        _ => false,
    };
    frames.iter().filter(|(_, to, bytes)| *to == machine && says(bytes)).count()
}

/// A town with two partners, each with entries in a public feed; the first partner does not keep it any more.
fn unfollowed(seed: u64) -> (World, [usize; 3], FeedId, Vec<ortsnetz_model::EntryId>) {
    let mut world = World::new(seed);
    let [a, b, c] = ["a", "b", "c"].map(|name| world.town(name));
    world.partners(a, b);
    world.partners(a, c);
    world.run(2000);
    let feed = world.feed(a, "public");
    let entries = world.publish(a, feed, &["Gewerbe-Anmeldung", "Personalausweis"]);
    world.run(MINUTE);
    assert!(text(&world, b, feed, entries[0]).is_some());
    follow(&mut world, b, feed, false);
    world.run(MINUTE);
    world.tap = Some(Vec::new());
    (world, [a, b, c], feed, entries)
}

#[test]
fn what_is_not_kept_is_not_sent_and_both_are_in_sync_without_it() {
    let (mut world, [a, b, c], feed, entries) = unfollowed(81);
    assert!(!knows(&world, b, feed));
    assert_eq!(world.machines[b].engine.as_ref().map(|engine| engine.entries_of(&world.towns[a].id)), Some(0));
    world.edit(a, feed, entries[0], "nur für c");
    world.run(MINUTE);
    assert!(text(&world, c, feed, entries[0]).is_some_and(|text| text.ends_with("nur für c".as_bytes())));
    assert_eq!(about(&mut world, b, feed), 0);
    assert!(!knows(&world, b, feed) && world.machines[b].disk.records.keys().all(|(of, _)| *of != feed));
    assert!([a, b, c].into_iter().all(|machine| in_sync(&world, machine)));
    // What b publishes itself goes on as ever, and its statements come.
    let own = world.feed(b, "public");
    let mine = world.publish(b, own, &["Hundesteuer"]);
    world.run(MINUTE);
    assert!(text(&world, a, own, mine[0]).is_some());
    world.assert_quiet();
}

#[test]
fn a_new_connection_costs_one_word_and_a_restart_forgets_no_choice() {
    let (mut world, [a, b, _], feed, entries) = unfollowed(82);
    world.drop_lines(b);
    world.edit(a, feed, entries[0], "während b weg ist");
    world.run(2 * MINUTE);
    // Told once, because it changed meanwhile; not a second time.
    assert!(about(&mut world, b, feed) <= 1);
    world.crash(b);
    world.start(b);
    world.run(2 * MINUTE);
    assert!(!knows(&world, b, feed) && in_sync(&world, a) && in_sync(&world, b));
    about(&mut world, b, feed);
    world.edit(a, feed, entries[0], "noch einmal");
    world.run(MINUTE);
    assert!(about(&mut world, b, feed) <= 1);
    world.edit(a, feed, entries[0], "und noch einmal");
    world.run(MINUTE);
    assert_eq!(about(&mut world, b, feed), 0);
    assert!(!knows(&world, b, feed) && in_sync(&world, a) && in_sync(&world, b));
    world.assert_quiet();
}

#[test]
fn whoever_follows_again_gets_everything() {
    let (mut world, [a, b, c], feed, entries) = unfollowed(83);
    world.edit(a, feed, entries[0], "neu");
    world.run(MINUTE);
    follow(&mut world, b, feed, true);
    world.run(MINUTE);
    assert!(text(&world, b, feed, entries[0]).is_some_and(|text| text.ends_with(b"neu")));
    assert!(text(&world, b, feed, entries[1]).is_some());
    assert!([a, b, c].into_iter().all(|machine| in_sync(&world, machine)));
    // Also if the line is down in that moment.
    follow(&mut world, b, feed, false);
    world.run(MINUTE);
    world.drop_lines(b);
    follow(&mut world, b, feed, true);
    world.run(2 * MINUTE);
    assert!(text(&world, b, feed, entries[1]).is_some());
    world.assert_converged();
    world.assert_quiet();
}

#[test]
fn it_can_be_chosen_in_the_middle_of_a_catch_up() {
    for pause in 0..40 {
        let mut world = World::new(84);
        let [a, b] = ["a", "b"].map(|name| world.town(name));
        let feed = world.feed(a, "public");
        let entries = world.publish(a, feed, &["eins", "zwei", "drei"]);
        world.partners(a, b);
        world.run(pause * 25);
        follow(&mut world, b, feed, false);
        world.run(MINUTE);
        assert!(!knows(&world, b, feed) && in_sync(&world, a) && in_sync(&world, b), "after {pause}");
        follow(&mut world, b, feed, true);
        world.run(MINUTE);
        assert!(entries.iter().all(|entry| text(&world, b, feed, *entry).is_some()), "after {pause}");
        world.assert_converged();
        world.assert_quiet();
    }
}

#[test]
fn a_relay_that_does_not_keep_a_feed_passes_nothing_of_it_on_and_the_own_one_is_always_kept() {
    let mut world = World::new(85);
    let [a, b, c] = ["a", "b", "c"].map(|name| world.town(name));
    world.partners(a, b);
    world.partners(b, c);
    let feed = world.feed(a, "public");
    let entries = world.publish(a, feed, &["Hundesteuer"]);
    world.run(MINUTE);
    assert!(text(&world, c, feed, entries[0]).is_some());
    follow(&mut world, b, feed, false);
    world.edit(a, feed, entries[0], "Hundesteuer ab Januar");
    world.run(MINUTE);
    assert!(
        text(&world, c, feed, entries[0]).is_some_and(|text| text.ends_with(b"Hundesteuer")),
        "it keeps what it has"
    );
    world.tell(a, Event::Follow { feed, follows: false });
    assert!(knows(&world, a, feed));
}
