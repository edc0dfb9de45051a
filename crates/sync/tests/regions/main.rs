//! Regions with hubs that relay, on a small scale; `make bench-regions` does the same with a thousand engines and more.

mod world;

use world::{Shape, World};

/// Hubs that know each other, hubs below them, towns below these.
const SHAPE: Shape = Shape { tops: 2, hubs: 2, towns: 6 };

fn settled() -> World {
    let mut world = World::new(SHAPE, 1);
    world.connect();
    world.publish(3);
    world.run_until_quiet();
    world
}

#[test]
fn everybody_holds_everything_over_hubs_that_relay() {
    let world = settled();
    world.assert_converged();
    let engines = SHAPE.engines();
    assert_eq!(world.held(engines - 1), (engines, 3 * engines as u64));
}

#[test]
fn an_edit_crosses_each_line_once_and_reaches_the_last_reader_within_five_seconds() {
    let mut world = settled();
    let engines = SHAPE.engines();
    // A town below the last hub: hub, top, top, hub, town are five lines.
    let spread = world.edit(engines - 1);
    assert_eq!((spread.readers, spread.hops), (engines, 5));
    assert!(spread.half_ms < spread.last_ms && spread.last_ms <= 5_000, "{spread:?}");
    // Told, asked for, given, confirmed; who hears of it from two sides asks only one.
    let lines = engines as u64 - 1;
    assert!(spread.traffic.frames <= 5 * lines, "{spread:?}");
    assert!(spread.traffic.bytes <= 1_000 * lines, "{spread:?}");
    world.assert_converged();
}

#[test]
fn after_everything_is_said_only_beats_are() {
    let mut world = settled();
    assert_eq!((world.partners(0), world.partners(SHAPE.engines() - 1)), (3, 1));
    world.traffic = world::Traffic::default();
    let before = world.time();
    world.run(120_000);
    assert_eq!((world.traffic.frames, world.time() - before), (0, 120_000));
}
