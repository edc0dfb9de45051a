//! What a region costs as it grows: `make bench-regions`.
//!
//! Towns know only their hub, hubs know their towns and one hub above them, the uppermost know each other; everybody reads what
//! is public of everybody. Real engines, real statements and signatures, lines of 5 to 25 milliseconds, disks of 5.
//! `ORTSNETZ_REGIONS` gives other shapes, as uppermost hubs x hubs below each x towns below each.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../tests/regions/world.rs"]
mod world;

use world::{Shape, Spread, Traffic, World};

/// Shapes measured if nobody says otherwise: 111, 310, 1,010 engines in three levels, and 1,000 in two.
const SHAPES: &str = "1x10x10,2x6x25,2x12x41,20x0x49";
/// Entries each town has at the beginning.
const ENTRIES: u8 = 3;
/// Edits watched in each shape.
const EDITS: usize = 10;

fn main() {
    let shapes = std::env::var("ORTSNETZ_REGIONS").unwrap_or_else(|_| SHAPES.into());
    println!(
        "{:<12} {:>7} | {:>9} {:>9} {:>9} {:>8} | {:>5} {:>8} {:>8} {:>8} {:>9} | {:>9}",
        "shape", "engines", "first s", "frames", "MB", "CPU s", "hops", "half ms", "last ms", "frames", "kB", "MiB"
    );
    for shape in shapes.split(',').map(read) {
        let cpu = cpu_s();
        let before = resident_mib();
        let mut world = World::new(shape, 1);
        world.connect();
        world.publish(ENTRIES);
        world.run_until_quiet();
        let (first_s, first) = (world.time() as f64 / 1000.0 - 10.0, world.traffic);
        let cpu = cpu_s() - cpu;
        world.assert_converged();
        let engines = shape.engines();
        let spreads: Vec<Spread> =
            (0..EDITS).map(|edit| world.edit(engines - 1 - edit * engines / EDITS / 2)).collect();
        world.assert_converged();
        assert!(spreads.iter().all(|spread| spread.readers == engines), "somebody never read an edit");
        world.traffic = Traffic::default();
        world.run(60_000);
        assert_eq!(world.traffic.frames, 0, "somebody talks although nothing is new");
        let most = |what: fn(&Spread) -> u64| spreads.iter().map(what).max().unwrap_or_default();
        let mean = |what: fn(&Spread) -> u64| spreads.iter().map(what).sum::<u64>() as f64 / EDITS as f64;
        println!(
            "{:<12} {engines:>7} | {first_s:>9.1} {:>9} {:>9.1} {cpu:>8.1} | {:>5} {:>8} {:>8} {:>8.0} {:>9.1} | {:>9}",
            format!("{}x{}x{}", shape.tops, shape.hubs, shape.towns),
            first.frames,
            first.bytes as f64 / 1e6,
            most(|spread| u64::from(spread.hops)),
            most(|spread| spread.half_ms),
            most(|spread| spread.last_ms),
            mean(|spread| spread.traffic.frames),
            mean(|spread| spread.traffic.bytes) / 1000.0,
            resident_mib().saturating_sub(before),
        );
        let (hub, town) = (0, engines - 1);
        let ((hub_feeds, hub_entries), (feeds, entries)) = (world.held(hub), world.held(town));
        println!(
            "  the first hub: {} partners, {hub_feeds} feeds, {hub_entries} entries; the last town: {} partner, {feeds} feeds, {entries} entries",
            world.partners(hub),
            world.partners(town),
        );
    }
}

fn read(text: &str) -> Shape {
    let numbers: Vec<usize> =
        text.trim().split('x').map(|part| part.parse().expect("ORTSNETZ_REGIONS: AxBxC")).collect();
    let [tops, hubs, towns] = numbers[..] else { panic!("ORTSNETZ_REGIONS: AxBxC") };
    Shape { tops, hubs, towns }
}

/// Processor time of this process so far, user and system; USER_HZ is 100 on every Linux.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) / 100.0
}

/// What the kernel says; nothing where it says nothing.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or_default() >> 10
}
