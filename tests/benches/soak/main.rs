//! Real daemons under everything at once, for hours: `make soak`.
//!
//! Four towns in a ring, each a partner of the next; the first has a second node; two share something with one partner only.
//! They publish, edit, withdraw, move, redact and import, while daemons are killed, frozen and restarted, lines cut and swallowed,
//! a disk is nearly full, and one town comes back from an old backup. At the end everything is mended, and nothing that was
//! acknowledged may be lost, nothing may lie where it was not for, everybody holds the same, and memory has not grown.
//!
//! `DURATION` gives the seconds (7200), `SOAK_SEED` the seed, which is printed: the same seed does the same in the same order,
//! as far as the daemons answer the same.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod ledger;
mod lines;
mod memory;
mod world;

use std::time::{Duration, Instant};

use world::World;

/// Between two steps.
const STEP: Duration = Duration::from_millis(120);
/// Between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(60);

fn main() {
    let number =
        |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}: a number")));
    let duration = Duration::from_secs(number("DURATION").unwrap_or(7200));
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    let seed = number("SOAK_SEED").unwrap_or(now);
    println!("soak: {} s, seed {seed}", duration.as_secs());
    let dir = tempfile::tempdir().expect("a directory");
    let mut world = World::new(dir.path(), seed);
    let (begun, mut told) = (Instant::now(), Instant::now());
    while begun.elapsed() < duration {
        world.step();
        if told.elapsed() >= PROGRESS {
            told = Instant::now();
            eprintln!("soak: {} s, {} entries, {} faults", begun.elapsed().as_secs(), world.entries(), world.faults());
        }
        std::thread::sleep(STEP);
    }
    world.end(duration);
    println!("held");
}
