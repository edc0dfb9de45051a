//! A child process writes, and is killed at random moments: every acknowledged batch is there, every other one is there
//! whole or not at all, and nothing needs repair.

#![allow(clippy::print_stdout, reason = "tests print what they measured")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use common::*;
use ortsnetz_store::*;

const ROUNDS: u32 = 30;
const WRITERS: u8 = 3;
const ACKNOWLEDGED: &str = "ORTSNETZ_STORE_CRASH_ACKED";
const DIRECTORY: &str = "ORTSNETZ_STORE_CRASH_DIRECTORY";

/// How many rows batch `n` of a writer has: some need several writes of the engine.
fn rows(writer: u8, n: u32) -> u32 {
    match (u32::from(writer) + n) % 7 {
        0 => 450,
        1 => 190,
        2 => 201,
        small => small,
    }
}

/// Writer 0 writes own rows, writer 1 rows of partners, writer 2 both in one batch.
fn batch(writer: u8, n: u32) -> Batch {
    let mut batch = Batch::new(if writer == 0 { Origin::Own } else { Origin::Foreign });
    // The state before and after: each batch replaces the rows of the one before.
    if n > 0 {
        batch.delete_range(Range::Custom(format!("{writer}/{}", n - 1)));
    }
    for row in 0..rows(writer, n) {
        if writer == 2 {
            batch.origin(if row % 2 == 0 { Origin::Own } else { Origin::Foreign });
        }
        let length = if row == 3 { 90_000 } else { 60 };
        let key = row.to_be_bytes().to_vec();
        batch.put(Key::Custom { table: format!("{writer}/{n}"), key }, noise(n ^ row << 8, length));
    }
    batch.origin(if writer == 1 { Origin::Foreign } else { Origin::Own });
    batch.append_chunks(Side::Working, document(feed(writer), 0), vec![chunk(&[], &n.to_be_bytes())]);
    batch.put(Key::Meta(format!("newest/{writer}")), n.to_be_bytes());
    batch
}

/// Number of the newest batch of a writer, after checking that exactly its rows are there.
fn newest(store: &Store, writer: u8) -> Option<u32> {
    let number = store.meta(&format!("newest/{writer}")).unwrap()?;
    let newest = u32::from_be_bytes(number.try_into().unwrap());
    for n in newest.saturating_sub(2)..newest + 3 {
        let found = store.scan(&Range::Custom(format!("{writer}/{n}")), None, 1000).unwrap();
        let expected = if n == newest { rows(writer, n) } else { 0 };
        assert_eq!(found.len() as u32, expected, "writer {writer}: batch {n} of {newest} is not whole");
        for (row, (_, value)) in (0u32..).zip(found) {
            assert_eq!(value, noise(n ^ row << 8, if row == 3 { 90_000 } else { 60 }));
        }
    }
    let chunks = store.document(Side::Working, &document(feed(writer), 0)).unwrap().chunks;
    assert_eq!(chunks.len() as u32, newest + 1, "each batch added one chunk");
    Some(newest)
}

/// Not a test: what the killed process does.
#[test]
fn child() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let (store, report) = Store::open(Path::new(&directory), options()).unwrap();
    assert_eq!((report.rebuilt, report.problems), (None, vec![]));
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = store.clone();
            scope.spawn(move || {
                for n in newest(&store, writer).map_or(0, |n| n + 1).. {
                    store.commit(batch(writer, n)).unwrap();
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "ack {writer} {n}").and_then(|()| out.flush()).unwrap();
                }
            });
        }
        loop {
            store.compact().unwrap();
        }
    });
}

/// Not a test by itself: checks a directory after a simulated power cut (`tests/powercut.py`).
#[test]
fn verify() {
    let (Ok(directory), Ok(acknowledged)) = (std::env::var(DIRECTORY), std::env::var(ACKNOWLEDGED)) else { return };
    let (store, report) = Store::open(Path::new(&directory), options()).unwrap();
    assert_eq!((report.rebuilt, report.problems), (None, vec![]));
    for said in acknowledged.split(',').filter(|said| !said.is_empty()) {
        let (writer, n) = said.split_once(':').unwrap();
        let newest = newest(&store, writer.parse().unwrap());
        assert!(newest >= Some(n.parse().unwrap()), "writer {writer}: {newest:?}, acknowledged {n}");
    }
    assert_clean(&store);
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let mut chance = 0x2545_f491_4f6c_dd1du64;
    let mut total = 0;
    for round in 0..ROUNDS {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut acknowledged = [None::<u32>; WRITERS as usize];
        let mut left = chance % 90;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut note = |line: String| {
            let mut words = line.split(' ').skip_while(|word| !word.ends_with("ack")).skip(1);
            if let (Some(writer), Some(n)) = (words.next(), words.next()) {
                acknowledged[writer.parse::<usize>().unwrap()] = Some(n.parse().unwrap());
                true
            } else {
                false
            }
        };
        while left > 0 {
            let line = lines.next().expect("the child works until it is killed").unwrap();
            left -= u64::from(note(line));
        }
        // Somewhere within the next batches.
        for _ in 0..chance % 3_000_000 {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died; the last line may be cut.
        let rest: Vec<_> = lines.map_while(Result::ok).collect();
        for line in rest.iter().filter(|line| line.starts_with("ack ") && line.split(' ').count() == 3) {
            note(line.clone());
        }

        let (store, report) = Store::open(directory.path(), options()).unwrap();
        assert_eq!((report.rebuilt, report.problems), (None, vec![]), "round {round}");
        for writer in 0..WRITERS {
            let newest = newest(&store, writer);
            assert!(newest >= acknowledged[writer as usize], "round {round}: {newest:?} < {acknowledged:?}");
        }
        assert_clean(&store);
        total = (0..WRITERS).filter_map(|writer| newest(&store, writer)).map(|n| n + 1).sum();
    }
    println!("{ROUNDS} kills, {total} batches, none lost");
}

#[test]
fn nothing_acknowledged_is_lost_in_a_power_cut() {
    let cuts = std::env::var("ORTSNETZ_POWER_CUTS").unwrap_or_else(|_| "5".to_owned());
    let directory = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/powercut.py");
    let binary = std::env::current_exe().unwrap();
    let run = Command::new("python3").arg(script).arg(binary).arg(cuts).arg(directory.path()).output();
    match run {
        Ok(run) if run.status.code() != Some(77) => {
            let said = [run.stdout, run.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            assert!(run.status.success(), "{}\n{}", said[0], said[1]);
            println!("{}", said[0]);
        }
        _ => skipped("nothing_acknowledged_is_lost_in_a_power_cut", "needs root, python3, mkfs.ext4 and loop mounts"),
    }
}
