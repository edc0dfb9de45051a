//! A busy region where nothing goes wrong: disks and lines are slow, towns join one after another while others publish.
//! Nobody may raise an alarm, and when the work is done all are in sync at once, without waiting for any patience to end.
//! Seeds 28, 39 and 80 did not: a feed was forgotten while statements were on their way, and pages that followed each other
//! with a gap, or came from the catch-up before, were waited for until the request was given up, half a minute twice.

use rand::Rng;

use crate::world::World;

/// How many seeds are run.
fn seeds() -> u64 {
    std::env::var("ORTSNETZ_SIM_BUSY").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

/// How long all may need after the last of the work is done and the disks are fast again.
const AFTER: u64 = 10_000;

#[test]
fn a_busy_region_is_in_sync_as_soon_as_it_rests_and_nobody_is_accused() {
    let one = std::env::var("ORTSNETZ_SIM_SEED").ok().and_then(|text| text.parse().ok());
    let mut failed = Vec::new();
    let found = [28, 39, 80].into_iter().filter(|seed| one.is_none() && *seed >= seeds());
    for seed in one.map_or(0..seeds(), |seed: u64| seed..seed + 1).chain(found) {
        if std::panic::catch_unwind(|| run(seed)).is_err() {
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "run again with ORTSNETZ_SIM_SEED=n: {failed:?}");
}

fn run(seed: u64) {
    let mut world = World::new(seed);
    world.longest_delay = world.rng.random_range(10..400);
    let count = world.rng.random_range(2..6);
    let towns: Vec<usize> = (0..count).map(|at| world.town(&format!("town {at}"))).collect();
    for town in &towns {
        for _ in 0..world.rng.random_range(0..5) {
            publish(&mut world, *town, "public");
        }
    }
    let mut pairs: Vec<_> = (0..count).flat_map(|a| (0..a).map(move |b| (a, b))).collect();
    let mut readers = vec![Vec::new(); count];
    for _ in 0..world.rng.random_range(20..60) {
        match world.rng.random_range(0..10) {
            0..=2 if !pairs.is_empty() => {
                let (a, b) = pairs.swap_remove(world.rng.random_range(0..pairs.len()));
                world.partners(towns[a], towns[b]);
                for (from, to) in [(a, b), (b, a)] {
                    if world.rng.random_bool(0.5) {
                        readers[from].push(towns[to]);
                        let list = readers[from].clone();
                        world.share(towns[from], "partners", &list, false);
                    }
                }
            }
            3 => {
                let machine = world.rng.random_range(0..world.machines.len());
                world.machines[machine].slow ^= true;
            }
            4 => {
                let lines = world.lines();
                if !lines.is_empty() && world.rng.random_bool(0.3) {
                    let (a, b) = lines[world.rng.random_range(0..lines.len())];
                    world.drop_line(a, b);
                }
            }
            _ => {
                let town = towns[world.rng.random_range(0..count)];
                let name = if world.rng.random_bool(0.7) { "public" } else { "partners" };
                publish(&mut world, town, name);
            }
        }
        let time = world.rng.random_range(0..3000);
        world.run(time);
    }
    // What waits at slow disks is done; then everybody has what everybody published.
    for machine in 0..world.machines.len() {
        world.machines[machine].slow = false;
    }
    let resting = world.machines.iter().map(|machine| machine.disk_free_at).max().unwrap_or(world.now);
    world.run(resting.saturating_sub(world.now) + 5_000 + AFTER);
    world.assert_converged();
    for machine in &world.machines {
        assert!(machine.alarms.is_empty(), "{}: {:?}", machine.name, machine.alarms);
    }
}

fn publish(world: &mut World, town: usize, name: &str) {
    let (machine, feed) = (world.towns[town].machines[0], world.feed(town, name));
    let held: Vec<_> =
        world.machines[machine].disk.records.keys().filter(|(id, _)| *id == feed).map(|(_, entry)| *entry).collect();
    if !held.is_empty() && world.rng.random_bool(0.5) {
        let entry = held[world.rng.random_range(0..held.len())];
        let text = format!("edited at {}", world.now);
        return world.edit(machine, feed, entry, &text);
    }
    let texts: Vec<_> = (0..world.rng.random_range(1..64)).map(|at| format!("new {at} at {}", world.now)).collect();
    world.publish(machine, feed, &texts.iter().map(String::as_str).collect::<Vec<_>>());
}
