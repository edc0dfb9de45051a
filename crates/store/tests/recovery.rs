//! What opening does with damage, with another process, with a newer version and with a full disk.

#![allow(clippy::print_stdout, reason = "tests print what they measured")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::*;
use ortsnetz_model::FeedId;
use ortsnetz_store::*;

fn meta(n: u32) -> Batch {
    let mut batch = Batch::new(Origin::Own);
    batch.put(Key::Meta(n.to_string()), noise(n, 40));
    batch
}

fn database(directory: &Path) -> PathBuf {
    directory.join(fs::read_to_string(directory.join("current")).unwrap())
}

fn broken(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|item| item.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(".broken-")).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let to = to.join(item.file_name());
        if item.metadata().unwrap().is_dir() {
            copy(&item.path(), &to);
        } else {
            fs::copy(item.path(), to).unwrap();
        }
    }
}

/// Where each frame of an own log ends; found by opening shorter and shorter copies would be slow, so by its magic.
fn frames(log: &[u8]) -> Vec<usize> {
    let starts = (0..log.len() - 4).filter(|at| log[*at..*at + 4] == *b"\xffFRM");
    starts.chain([log.len()]).collect()
}

#[test]
fn a_second_process_is_told_that_the_directory_is_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let error = Store::open(directory.path(), options()).err().unwrap();
    assert!(matches!(error, StoreError::InUse { .. }));
    assert!(error.to_string().starts_with("data directory in use"));
    drop(store);
    open(directory.path());
    assert!(broken(directory.path()).is_empty());
}

#[test]
fn an_own_log_torn_at_any_byte_loses_only_what_was_torn() {
    // A database that lags behind: the state after the first batch, with the log of three.
    let (behind, ahead) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(behind.path());
    store.commit(meta(0)).unwrap();
    drop(store);
    copy(behind.path(), ahead.path());
    let store = open(ahead.path());
    for n in 1..3 {
        store.commit(meta(n)).unwrap();
    }
    drop(store);
    let log = fs::read(ahead.path().join("own.log")).unwrap();
    let frames = frames(&log);
    assert_eq!(frames.len(), 4);
    for length in frames[1]..=log.len() {
        let directory = tempfile::tempdir().unwrap();
        copy(behind.path(), directory.path());
        fs::write(directory.path().join("own.log"), &log[..length]).unwrap();
        let whole = frames.iter().filter(|end| **end <= length).count() - 1;
        let (store, report) = Store::open(directory.path(), options()).unwrap();
        assert_eq!(report.problems, [], "{length}");
        assert_eq!(report.replayed, whole as u64 - 1, "{length}");
        assert_eq!(report.torn_bytes, (length - frames[whole]) as u64);
        for n in 0..3 {
            let expected = (n < whole).then(|| noise(n as u32, 40));
            assert_eq!(store.meta(&n.to_string()).unwrap(), expected, "{length}");
        }
        store.commit(meta(9)).unwrap();
        assert_clean(&store);
        drop(store);
        let (store, report) = Store::open(directory.path(), options()).unwrap();
        assert_eq!((report.problems, report.torn_bytes), (vec![], 0));
        assert_eq!(store.meta("9").unwrap(), Some(noise(9, 40)));
    }
}

#[test]
fn a_flipped_byte_of_the_own_log_is_named_and_costs_nothing_else() {
    let (behind, ahead) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(open(behind.path()));
    copy(behind.path(), ahead.path());
    let store = open(ahead.path());
    for n in 0..4 {
        store.commit(meta(n)).unwrap();
    }
    let log = fs::read(ahead.path().join("own.log")).unwrap();
    let frames = frames(&log);
    for at in (frames[1]..frames[2]).step_by(3) {
        let mut damaged = log.clone();
        damaged[at] ^= 0x10;
        // The database has everything: check names the place.
        fs::write(ahead.path().join("own.log"), &damaged).unwrap();
        let problems = store.check(Check::Full, None).unwrap();
        let place = format!("own log, bytes {} to {}", frames[1], frames[2]);
        assert!(problems.iter().any(|problem| problem.what == place), "{place}: {problems:?}");

        // The database has nothing: the other batches are saved, the place is named, and the log is whole again.
        let directory = tempfile::tempdir().unwrap();
        copy(behind.path(), directory.path());
        fs::write(directory.path().join("own.log"), &damaged).unwrap();
        let (store, report) = Store::open(directory.path(), options()).unwrap();
        assert!(report.problems.iter().any(|problem| problem.what == place), "{:?}", report.problems);
        let held: Vec<_> = (0..4).filter(|n| store.meta(&n.to_string()).unwrap().is_some()).collect();
        assert_eq!(held, [0, 2, 3]);
        assert_clean(&store);
        assert_eq!(broken(directory.path()).len(), 1, "the damaged log is kept");
        drop(store);
        assert_eq!(Store::open(directory.path(), options()).unwrap().1.problems, []);
    }
    fs::write(ahead.path().join("own.log"), &log).unwrap();
    assert_clean(&store);
}

#[test]
fn a_lost_own_log_is_written_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.commit(meta(1)).unwrap();
    store.commit(batch_of(Origin::Foreign, feed(1), 0..5)).unwrap();
    drop(store);
    fs::remove_file(directory.path().join("own.log")).unwrap();
    let (store, report) = Store::open(directory.path(), options()).unwrap();
    assert_eq!(report.problems.len(), 1);
    assert_clean(&store);
    drop(store);
    fs::remove_dir_all(database(directory.path())).unwrap();
    let (store, report) = Store::open(directory.path(), options()).unwrap();
    assert!(report.rebuilt.is_some());
    assert_eq!(store.meta("1").unwrap(), Some(noise(1, 40)));
}

#[test]
fn a_damaged_database_is_moved_aside_and_rebuilt_from_the_own_log() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let old_id = store.id();
    for n in 0..50 {
        let mut batch = batch_of(Origin::Own, feed(1), n..n + 1);
        batch.append_chunks(Side::Working, document(feed(1), n), vec![chunk(&[], &noise(n, 60_000))]);
        batch.origin(Origin::Foreign).put(Key::Cursor(feed(2)), "partners'");
        store.commit(batch).unwrap();
    }
    store.commit(batch_of(Origin::Foreign, feed(2), 0..50)).unwrap();
    drop(store);
    // Every byte of the database file is wrong.
    let file = database(directory.path()).join("db");
    let bytes: Vec<u8> = fs::read(&file).unwrap().iter().map(|byte| byte ^ 0x55).collect();
    fs::write(&file, bytes).unwrap();

    let (store, report) = Store::open(directory.path(), options()).unwrap();
    let aside = report.rebuilt.unwrap();
    assert!(aside.file_name().unwrap().to_str().unwrap().starts_with("db.broken-"));
    assert!(aside.join("db").exists());
    assert!(!report.problems.is_empty());
    assert_ne!(store.id(), old_id);
    for n in 0..50 {
        assert!(store.record(&feed(1), &entry(n)).unwrap().is_some());
        assert_eq!(store.document(Side::Working, &document(feed(1), n)).unwrap().chunks.len(), 1);
    }
    assert_eq!(store.feeds().unwrap(), [feed(1)], "what partners have is fetched again");
    assert_clean(&store);
    store.commit(batch_of(Origin::Own, feed(1), 60..61)).unwrap();
    drop(store);
    let (store, report) = Store::open(directory.path(), options()).unwrap();
    assert_eq!((report.rebuilt, report.problems), (None, vec![]));
    assert!(store.record(&feed(1), &entry(60)).unwrap().is_some());
}

#[test]
fn flipped_bytes_of_the_database_are_never_read_as_data_and_never_lose_rows_silently() {
    const FLIPS: usize = 24;
    let whole = tempfile::tempdir().unwrap();
    let store = open(whole.path());
    for n in 0..40 {
        store.commit(batch_of(Origin::Own, feed(1), n * 10..n * 10 + 10)).unwrap();
        let mut batch = batch_of(Origin::Foreign, feed(2), n * 10..n * 10 + 10);
        batch.put_projection(Side::Working, feed(2).collection, entry(n), noise(n, 25_000));
        store.commit(batch).unwrap();
    }
    drop(store);
    let bytes = fs::read(database(whole.path()).join("db")).unwrap();
    let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    let (mut rebuilt, mut noticed, mut dead) = (0, 0, 0);
    for flip in 0..FLIPS {
        let directory = tempfile::tempdir().unwrap();
        copy(whole.path(), directory.path());
        let mut damaged = bytes.clone();
        damaged[used[used.len() * (2 * flip + 1) / (2 * FLIPS)]] ^= 0x04;
        fs::write(database(directory.path()).join("db"), damaged).unwrap();
        let (mut store, mut report) = Store::open(directory.path(), options()).unwrap();
        if !store.check(Check::Full, Some(&Facts)).unwrap().is_empty() {
            drop(store);
            (store, report) = Store::open(directory.path(), options()).unwrap();
            assert!(report.rebuilt.is_some(), "what check finds in the file is rebuilt the next time");
        }
        let held = |feed: FeedId, n| {
            let found = store.projection(Side::Published, &feed.collection, &entry(n)).unwrap();
            assert!(found.is_none() || found == Some(projection(n)), "flip {flip}");
            found.is_some()
        };
        assert!((0..400).all(|n| held(feed(1), n)), "flip {flip}: own rows come back from the own log");
        let foreign = (0..400).filter(|n| held(feed(2), *n)).count();
        match (report.rebuilt.is_some(), report.problems.is_empty()) {
            (true, _) => rebuilt += 1,
            (false, false) => noticed += 1,
            (false, true) => {
                assert_eq!(foreign, 400, "flip {flip}: lost without a word");
                dead += 1;
            }
        }
        assert_clean(&store);
    }
    println!("{FLIPS} flips: {rebuilt} rebuilt, {noticed} went back and were noticed, {dead} without effect");
}

#[test]
fn a_database_that_went_back_is_noticed_and_own_rows_come_back() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(old.path());
    store.commit(meta(1)).unwrap();
    drop(store);
    copy(old.path(), new.path());
    let store = open(new.path());
    let id = store.id();
    store.commit(meta(2)).unwrap();
    store.commit(batch_of(Origin::Foreign, feed(1), 0..5)).unwrap();
    drop(store);
    // sled opens some damaged files as they were earlier; here it truly is the earlier one.
    fs::remove_dir_all(database(new.path())).unwrap();
    copy(&database(old.path()), &database(new.path()));
    let (store, report) = Store::open(new.path(), options()).unwrap();
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
    assert!(report.problems[0].detail.contains("back at change"), "{:?}", report.problems);
    assert_ne!(store.id(), id);
    assert_eq!(store.meta("2").unwrap(), Some(noise(2, 40)));
    assert_clean(&store);
    drop(store);
    assert_eq!(Store::open(new.path(), options()).unwrap().1.problems, []);
}

#[test]
fn a_newer_version_is_told_and_nothing_is_touched() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let path = directory.path().join("own.log");
    let mut log = fs::read(&path).unwrap();
    log[11] = 9;
    let sum = crc32fast::hash(&log[..28]).to_be_bytes();
    log[28..32].copy_from_slice(&sum);
    fs::write(&path, &log).unwrap();
    let error = Store::open(directory.path(), options()).err().unwrap();
    assert!(matches!(error, StoreError::Newer { found: 9, known: 1, .. }), "{error}");
    assert!(error.to_string().contains("newer ortsnetz"));
    assert_eq!(fs::read(&path).unwrap(), log);
    assert!(broken(directory.path()).is_empty());
}

#[test]
fn too_little_free_disk_refuses_writes_and_reads_go_on() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).commit(meta(1)).unwrap();
    let free = fs4::available_space(directory.path()).unwrap();
    let strict = |disk_free_min| Options { disk_free_min, ..options() };
    let (store, _) = Store::open(directory.path(), strict(2 * free)).unwrap();
    let error = store.commit(meta(2)).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    assert!(matches!(store.room(), Err(StoreError::DiskFull { .. })));
    assert_eq!(store.meta("1").unwrap(), Some(noise(1, 40)));
    let mut start = meta(3);
    start.from_reserve();
    store.commit(start.clone()).expect("what a start needs is written");
    // Not for ever: it is looked at again with every write.
    assert!(matches!(store.commit(meta(2)), Err(StoreError::DiskFull { .. })));
    drop(store);
    let (store, _) = Store::open(directory.path(), strict(3 * free)).unwrap();
    store.commit(start).unwrap();
    drop(store);
    let error = Store::open(directory.path(), strict(u64::MAX)).err().unwrap();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    let (store, _) = Store::open(directory.path(), strict(free / 2)).unwrap();
    store.room().unwrap();
    store.commit(meta(2)).unwrap();
    assert!(broken(directory.path()).is_empty());
}

#[test]
fn a_disk_that_fills_up_loses_nothing_that_was_acknowledged() {
    let mount = tempfile::tempdir().unwrap();
    let mounted =
        std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"]).arg(mount.path()).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        skipped("a_disk_that_fills_up_loses_nothing_that_was_acknowledged", "mounting a tmpfs needs root");
        return;
    }
    let _unmount = Unmount(mount.path());
    let directory = mount.path().join("store");
    let mut acknowledged = 0u32;
    for (round, disk_free_min) in [24 << 20, 0].into_iter().enumerate() {
        let options = Options { disk_free_min, ..Options::default() };
        let (store, report) = Store::open(&directory, options).unwrap();
        assert_eq!((report.rebuilt, report.problems), (None, vec![]));
        let error = loop {
            let mut batch = Batch::new(if acknowledged.is_multiple_of(2) { Origin::Own } else { Origin::Foreign });
            batch.put(Key::Meta(acknowledged.to_string()), noise(acknowledged, 20_000));
            match store.commit(batch) {
                Ok(_) => acknowledged += 1,
                Err(error) => break error,
            }
            // Somebody else takes the rest of the disk.
            if round == 1 && acknowledged.is_multiple_of(100) {
                let free = fs4::available_space(mount.path()).unwrap() as usize;
                let _ = fs::write(mount.path().join("else"), vec![1; free.saturating_sub(60_000)]);
            }
        };
        println!("round {round}: {acknowledged} acknowledged, then: {error}");
        assert!(round == 1 || matches!(error, StoreError::DiskFull { .. }));
    }
    // Full: one line, and nothing is moved.
    let error = Store::open(&directory, Options::default()).err().unwrap();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    assert!(broken(&directory).is_empty());
    let grown = std::process::Command::new("mount").args(["-o", "remount,size=256m"]).arg(mount.path()).status();
    assert!(grown.unwrap().success());
    let (store, report) = Store::open(&directory, options()).unwrap();
    assert_eq!(report.rebuilt, None);
    for n in 0..acknowledged {
        assert_eq!(store.meta(&n.to_string()).unwrap(), Some(noise(n, 20_000)), "{n} of {acknowledged}");
    }
    assert_clean(&store);
}

struct Unmount<'a>(&'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").args(["-l".as_ref(), self.0.as_os_str()]).status();
    }
}
