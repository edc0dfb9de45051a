//! Stories of nodes that come back from an older state and know it, or whose own data is long on its way.

use ortsnetz_sync::limits::{FETCH_BACK_MS, OWN_LOSS_MS};
use ortsnetz_sync::{Alarm, Event, PublishError};
use rand::Rng;

use crate::machine::Lie;
use crate::stories::{MINUTE, set_back_and_cut_off, text, two_towns};
use crate::world::World;

#[test]
fn a_held_node_publishes_nothing_before_its_own_data_is_back() {
    let (mut world, siegburg, bonn, feed, entries) = set_back_and_cut_off(31);
    world.tell(siegburg, Event::Hold { held: true });
    // Cut off from everybody who knows better, it waits.
    world.edit(siegburg, feed, entries[0], "anders");
    world.run(2 * FETCH_BACK_MS);
    assert_eq!(world.refused, [PublishError::Held]);
    world.heal();
    world.run(2 * MINUTE);
    assert!(text(&world, siegburg, feed, entries[0]).is_some_and(|text| text.ends_with(b"neu")));
    assert_eq!(world.alarms(siegburg, |alarm| matches!(alarm, Alarm::RolledBack { .. })), 0, "it knows");
    world.tell(siegburg, Event::Hold { held: false });
    world.edit(siegburg, feed, entries[0], "danach");
    world.run(2 * MINUTE);
    assert!(text(&world, bonn, feed, entries[0]).is_some_and(|text| text.ends_with(b"danach")));
    assert!(world.machines[siegburg].disk.returned.is_empty() && world.machines[bonn].disk.aside.is_empty());
    world.assert_promises();
    world.assert_converged();
}

#[test]
fn a_held_node_drafts_as_ever() {
    let (mut world, siegburg, _) = two_towns(32);
    let drafts = world.drafts(siegburg);
    world.tell(siegburg, Event::Hold { held: true });
    let entries = world.publish(siegburg, drafts, &["Entwurf"]);
    world.run(MINUTE);
    assert!(world.refused.is_empty());
    assert!(world.machines[siegburg].disk.records.contains_key(&(drafts, entries[0])));
}

#[test]
fn own_data_is_waited_for_as_long_as_more_of_it_arrives() {
    let (mut world, siegburg, bonn) = two_towns(33);
    let feed = world.feed(siegburg, "public");
    let empty = world.machines[siegburg].disk.clone();
    let mut entries = Vec::new();
    for batch in 0..40 {
        // Nothing that could be made smaller on the way.
        let mut long = || (0..250).map(|_| format!("{:08x}", world.rng.random::<u32>())).collect::<String>();
        let texts: Vec<_> = (0..64).map(|at| format!("Leistung {batch} {at} {}", long())).collect();
        entries.extend(world.publish(siegburg, feed, &texts.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    world.run(5 * MINUTE);
    world.assert_converged();
    world.crash(siegburg);
    world.machines[siegburg].disk = empty;
    world.run(MINUTE);
    // A line on which each frame takes up to so long: all of it needs more than the patience for one piece.
    world.longest_delay = 12_000;
    world.start(siegburg);
    world.run(FETCH_BACK_MS + 30_000);
    let back = world.machines[siegburg].disk.records.keys().filter(|(id, _)| *id == feed).count();
    assert!(back < entries.len(), "it takes longer");
    world.publish(siegburg, feed, &["erst danach"]);
    world.run(60 * MINUTE);
    world.longest_delay = 50;
    world.run(5 * MINUTE);
    assert!(world.machines[bonn].disk.aside.is_empty() && world.machines[siegburg].disk.returned.is_empty());
    world.assert_promises();
    world.assert_converged();
}

#[test]
fn who_says_to_have_more_and_more_of_ours_delays_publishing_once() {
    let (mut world, siegburg, bonn) = two_towns(34);
    let (feed, theirs) = (world.feed(siegburg, "public"), world.feed(bonn, "public"));
    let entries = world.publish(siegburg, feed, &["erst"]);
    world.run(MINUTE);
    world.lie(bonn, Some(Lie::Boast));
    world.publish(bonn, theirs, &["damit er etwas sagt"]);
    world.run(5_000);
    world.edit(siegburg, feed, entries[0], "während er prahlt");
    world.run(FETCH_BACK_MS + 5_000);
    let read = |world: &World| text(world, siegburg, feed, entries[0]).unwrap_or_default();
    assert!(read(&world).ends_with("während er prahlt".as_bytes()), "longer than the patience");
    assert_eq!(world.alarms(siegburg, |alarm| matches!(alarm, Alarm::RolledBack { .. })), 1);
    for round in 0..8 {
        world.publish(bonn, theirs, &["noch etwas"]);
        world.run(5_000);
        let text = format!("Runde {round}");
        world.edit(siegburg, feed, entries[0], &text);
        world.run(5_000);
        assert!(read(&world).ends_with(text.as_bytes()), "{text} waits");
    }
    world.lie(bonn, None);
    world.assert_promises();
}

#[test]
fn what_nobody_has_any_more_is_counted_out_after_everybody_was_asked_for_long_enough() {
    let (mut world, siegburg, bonn) = two_towns(37);
    let feed = world.feed(siegburg, "public");
    let entries = world.publish(siegburg, feed, &["bleibt", "verloren", "zuletzt"]);
    world.run(MINUTE);
    world.cut(siegburg, bonn);
    world.run(MINUTE);
    for machine in [siegburg, bonn] {
        world.lose(machine, feed, entries[1]);
    }
    world.promises.retain(|promise| promise.entry != entries[1]);
    world.heal();
    let verified = |world: &World, machine: usize| {
        let engine = world.machines[machine].engine.as_ref().expect("it runs");
        engine.feed(&feed).expect("the feed is held").verified
    };
    // Asked for the fourth time after three waits: half a minute, one, two.
    world.run(OWN_LOSS_MS - MINUTE);
    assert_eq!(verified(&world, siegburg), Some(false), "it may still come back");
    world.run(2 * MINUTE);
    assert_eq!(verified(&world, siegburg), Some(true));
    assert_eq!(verified(&world, bonn), Some(true));
    world.assert_converged();
    world.assert_promises();
    assert_eq!(text(&world, bonn, feed, entries[1]), None);
}
