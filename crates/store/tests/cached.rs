//! What is kept beside the records of a feed: it is there as long as none of them changes, and never about others.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::*;
use ortsnetz_store::*;

/// Keeps some bytes for a feed, and sees them.
fn keep(store: &Store, n: u8, content: &[u8]) {
    let touched = store.touched(&feed(n)).unwrap().expect("the feed was written");
    store.cache(&feed(n), touched, content).unwrap();
    assert_eq!(store.cached(&feed(n)).unwrap().as_deref(), Some(content));
    assert!(store.is_cached(&feed(n)).unwrap());
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(directory.join("cached")).into_iter().flatten();
    files.map(|file| file.unwrap().path()).collect()
}

fn is_gone(store: &Store, n: u8) -> bool {
    store.cached(&feed(n)).unwrap().is_none() && !store.is_cached(&feed(n)).unwrap()
}

#[test]
fn it_stays_until_a_record_of_the_feed_changes() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    assert_eq!(store.touched(&feed(1)).unwrap(), None);
    for n in [1, 2, 3] {
        store.commit(batch_of(Origin::Foreign, feed(n), 0..3)).unwrap();
        keep(&store, n, &[n; 1000]);
    }
    let mut other = Batch::new(Origin::Own);
    other.put(Key::Meta("something else".into()), b"1".to_vec()).put_cursor(feed(1), b"cursor");
    store.commit(other).unwrap();
    store.compact().unwrap();
    drop(store);

    let store = open(directory.path());
    assert_eq!(store.cached(&feed(1)).unwrap().unwrap(), [1; 1000]);
    store.commit(batch_of(Origin::Foreign, feed(1), 2..3)).unwrap();
    let mut deleted = Batch::new(Origin::Foreign);
    deleted.delete(Key::Record { feed: feed(2), entry: entry(0) });
    store.commit(deleted).unwrap();
    assert!(is_gone(&store, 1) && is_gone(&store, 2));
    assert_eq!(store.cached(&feed(3)).unwrap().unwrap(), [3; 1000]);
    keep(&store, 1, b"anew");

    // What was computed before somebody wrote is never taken for what is.
    let before = store.touched(&feed(1)).unwrap().unwrap();
    store.commit(batch_of(Origin::Foreign, feed(1), 5..6)).unwrap();
    store.cache(&feed(1), before, b"late").unwrap();
    assert!(is_gone(&store, 1));

    // A feed that is gone leaves no file.
    let mut deleted = Batch::new(Origin::Foreign);
    deleted.delete_range(Range::Records(feed(3)));
    store.commit(deleted).unwrap();
    assert!(is_gone(&store, 3));
    assert_eq!(files(directory.path()).len(), 3);
    store.forget_cached().unwrap();
    assert_eq!(files(directory.path()).len(), 2);
    assert_eq!(store.touched(&feed(3)).unwrap(), None);
    assert!(store.touched(&feed(1)).unwrap().is_some() && store.touched(&feed(2)).unwrap().is_some());
    store.purge().unwrap();
    assert!(files(directory.path()).is_empty());
}

#[test]
fn what_the_log_brings_back_is_a_change() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = open(&path);
    store.commit(batch_of(Origin::Own, feed(1), 0..2)).unwrap();
    keep(&store, 1, b"two records");
    store.close().unwrap();
    let older = directory.path().join("older");
    copy(&path, &older);
    let store = open(&path);
    store.commit(batch_of(Origin::Own, feed(1), 2..3)).unwrap();
    store.close().unwrap();

    // The database as it was, the log as it is.
    fs::copy(path.join("own.log"), older.join("own.log")).unwrap();
    let (store, report) = Store::open(&older, options()).unwrap();
    assert!(report.replayed > 0);
    assert!(store.record(&feed(1), &entry(2)).unwrap().is_some());
    assert!(is_gone(&store, 1));
}

#[test]
fn another_database_does_not_take_it() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (directory.path().join("one"), directory.path().join("other"));
    for path in [&one, &other] {
        let store = open(path);
        store.commit(batch_of(Origin::Foreign, feed(1), 0..3)).unwrap();
        keep(&store, 1, path.to_str().unwrap().as_bytes());
    }
    fs::copy(&files(&one)[0], &files(&other)[0]).unwrap();
    assert!(is_gone(&open(&other), 1));
}

#[test]
fn a_damaged_file_is_named_once_and_then_gone() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.commit(batch_of(Origin::Foreign, feed(1), 0..3)).unwrap();
    let length = {
        keep(&store, 1, &noise(1, 300));
        fs::metadata(&files(directory.path())[0]).unwrap().len() as usize
    };
    for place in (0..length).step_by(7).chain([length - 1]) {
        keep(&store, 1, &noise(1, 300));
        let file = &files(directory.path())[0];
        let mut bytes = fs::read(file).unwrap();
        bytes[place] ^= 4;
        fs::write(file, bytes).unwrap();
        let error = store.cached(&feed(1)).unwrap_err().to_string();
        assert!(error.contains("cached"), "{error}");
        assert_eq!(store.cached(&feed(1)).unwrap(), None);
    }
    keep(&store, 1, &noise(1, 300));
    let file = &files(directory.path())[0];
    fs::write(file, &fs::read(file).unwrap()[..20]).unwrap();
    assert!(store.cached(&feed(1)).is_err());
}

#[test]
fn the_longest_content_is_kept_and_a_longer_one_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.commit(batch_of(Origin::Foreign, feed(1), 0..1)).unwrap();
    let touched = store.touched(&feed(1)).unwrap().unwrap();
    store.cache(&feed(1), touched, &vec![7; CACHED_BYTES_MAX]).unwrap();
    assert_eq!(store.cached(&feed(1)).unwrap().unwrap().len(), CACHED_BYTES_MAX);
    let error = store.cache(&feed(1), touched, &vec![7; CACHED_BYTES_MAX + 1]).unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { .. }), "{error}");
    assert!(store.is_cached(&feed(1)).unwrap());
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
