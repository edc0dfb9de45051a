//! How quick the store is: `cargo bench -p ortsnetz-store --bench store`.
//!
//! Writes a partner's entries in batches of 60, then own ones one by one, and reads, compacts and checks all of it.
//! `ORTSNETZ_BENCH_ENTRIES` sets how many (120,000).

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::{Duration, Instant};

use common::*;
use ortsnetz_store::*;

const BATCH: u32 = 60;
const OWN: u32 = 400;

fn main() {
    let wanted = std::env::var("ORTSNETZ_BENCH_ENTRIES").ok().and_then(|text| text.parse().ok());
    let entries: u32 = wanted.unwrap_or(120_000);
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let (_, took) = timed(|| {
        for start in (0..entries).step_by(BATCH as usize) {
            let batch = batch_of(Origin::Foreign, feed(1), start..(start + BATCH).min(entries));
            store.commit(batch).expect("room on the disk");
        }
    });
    println!("{entries} entries in batches of {BATCH}: {took:.2?}");
    println!("{:?}", store.usage().expect("a store"));
    let mut times: Vec<Duration> = (0..OWN)
        .map(|n| timed(|| store.commit(batch_of(Origin::Own, feed(2), n..n + 1)).expect("room on the disk")).1)
        .collect();
    times.sort();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    println!("one own entry, durable: median {:.2?}, p99 {:.2?}", at(50), at(99));
    drop(store);
    let (store, took) = timed(|| open(directory.path()));
    println!("open: {took:.2?}");
    let (count, took) = timed(|| {
        let mut count = 0;
        let visit = &mut |_| {
            count += 1;
            true
        };
        store.records(None, visit).expect("readable");
        count
    });
    println!("{count} records visited: {took:.2?}");
    let (sizes, took) = timed(|| store.compact().expect("room on the disk"));
    println!("compaction, bytes {sizes:?}: {took:.2?}");
    let ((), took) = timed(|| assert_clean(&store));
    println!("full check: {took:.2?}");
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    (work(), started.elapsed())
}
