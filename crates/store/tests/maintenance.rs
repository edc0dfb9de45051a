//! Check, export, import and compaction.

#![allow(clippy::print_stdout, reason = "tests print what they measured")]

mod common;

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use common::*;
use ortsnetz_model::Hash;
use ortsnetz_store::*;

fn everything(store: &Store) -> Vec<(Key, Vec<u8>)> {
    let mut rows = Vec::new();
    let ranges = [
        Range::Metas,
        Range::AllStatements,
        Range::AllMarkers,
        Range::Cursors,
        Range::AllProjections(Side::Published),
        Range::AllProjections(Side::Working),
        Range::Documents(Side::Published),
        Range::Documents(Side::Working),
        Range::AllRecords,
        Range::Partners,
        Range::Custom("t".to_owned()),
    ];
    for range in ranges {
        rows.extend(store.scan(&range, None, usize::MAX).unwrap());
    }
    rows
}

fn filled(directory: &std::path::Path) -> Store {
    let store = open(directory);
    for n in 0..8 {
        store.commit(batch_of(Origin::Own, feed(1), n * 20..n * 20 + 20)).unwrap();
        store.commit(batch_of(Origin::Foreign, feed(2), n * 90..n * 90 + 90)).unwrap();
    }
    let mut batch = Batch::new(Origin::Own);
    batch.put_statement(organisation(1), 0, b"genesis").put_marker(feed(1), position(7), b"checkpoint");
    batch.put(Key::Meta("large".to_owned()), noise(1, 500_000));
    batch.append_chunks(Side::Working, document(feed(1), 3), vec![chunk(&[], b"typing")]);
    store.commit(batch).unwrap();
    store
}

#[test]
fn check_names_what_is_missing_or_wrong() {
    let store = Store::memory();
    store.commit(batch_of(Origin::Foreign, feed(1), 0..9)).unwrap();
    assert_clean(&store);
    let key = |n| Key::Projection { side: Side::Published, collection: feed(1).collection, entry: entry(n) };
    let mut batch = Batch::new(Origin::Foreign);
    batch.delete(key(0));
    batch.delete_document(Side::Published, document(feed(1), 1));
    batch.put_record(feed(1), entry(2), position(99), 1, false, b"withdrawn");
    batch.delete(Key::Record { feed: feed(1), entry: entry(3) });
    store.commit(batch).unwrap();
    let problems: Vec<_> = store.check(Check::Fast, None).unwrap().iter().map(Problem::to_string).collect();
    let expect = |n: u32, text: &str| {
        let id = entry(n).to_string();
        let found = problems.iter().any(|problem| problem.contains(&id) && problem.contains(text));
        assert!(found, "{id} {text}: {problems:#?}");
    };
    expect(0, "its projection is missing");
    expect(1, "its document is missing");
    expect(2, "it has no document, but there is a projection");
    expect(3, "there is no record for it");

    let store = Store::memory();
    let mut batch = batch_of(Origin::Foreign, feed(1), 0..1);
    // Signed heads that the document does not reach; a chunk whose dependency is missing; a damaged chunk; a forgery.
    batch.put_record(feed(1), entry(0), position(1), 1, true, &[7; 32]);
    put_entry(&mut batch, feed(1), 1, 1);
    let lost = chunk(&[Hash([8; 32])], b"");
    batch.append_chunks(Side::Published, document(feed(1), 1), vec![lost]);
    put_entry(&mut batch, feed(1), 2, 1);
    let mut damaged = chunk(&[], b"body");
    *damaged.last_mut().unwrap() ^= 1;
    batch.append_chunks(Side::Published, document(feed(1), 2), vec![damaged]);
    put_entry(&mut batch, feed(1), 3, 1);
    batch.put_record(feed(1), entry(3), position(3), 1, true, b"forged");
    store.commit(batch).unwrap();
    assert_eq!(store.check(Check::Fast, Some(&Facts)).unwrap(), []);
    let problems: Vec<_> = store.check(Check::Full, Some(&Facts)).unwrap().iter().map(Problem::to_string).collect();
    for (n, text) in [(0, "its heads are"), (1, "which is missing"), (2, "not what it says"), (3, "wrong signature")] {
        let id = entry(n).to_string();
        let found = problems.iter().any(|problem| problem.contains(&id) && problem.contains(text));
        assert!(found, "{id} {text}: {problems:#?}");
    }
}

#[test]
fn an_export_is_imported_with_every_row_and_a_new_id() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(&directory.path().join("a"));
    let file = directory.path().join("backup.ortsnetz");
    let rows = store.export(&file).unwrap();
    assert!(matches!(store.export(&file), Err(StoreError::Refused { .. })), "an old file is not replaced");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it holds keys");
    }
    let to = directory.path().join("b");
    assert_eq!(Store::import(&file, &to, options()).unwrap(), rows);
    assert!(matches!(Store::import(&file, &to, options()), Err(StoreError::Refused { .. })));
    let copy = open(&to);
    assert_eq!(everything(&copy), everything(&store));
    assert_ne!(copy.id(), store.id());
    assert_clean(&copy);
    // What was own still is: it comes back without the database.
    drop(copy);
    let current = fs::read_to_string(to.join("current")).unwrap();
    fs::remove_dir_all(to.join(current)).unwrap();
    let (copy, _) = Store::open(&to, options()).unwrap();
    assert_eq!(copy.feeds().unwrap(), [feed(1)]);
    assert_eq!(copy.meta("large").unwrap(), store.meta("large").unwrap());
}

#[test]
fn an_export_of_own_rows_has_what_others_cannot_give_back_and_says_whether_that_changed() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(&directory.path().join("a"));
    let write = |origin, name: &str, value: &[u8]| {
        let mut batch = Batch::new(origin);
        batch.put(Key::Meta(name.into()), value.to_vec());
        store.commit(batch).unwrap();
    };
    write(Origin::Foreign, "theirs", b"1");
    write(Origin::Own, "ours", b"1");
    let mut number = 0;
    let mut export = || {
        number += 1;
        let file = directory.path().join(format!("{number}"));
        let passing = |key: &Key| matches!(key, Key::Meta(name) if name == "passing");
        (store.export_own(&file, &passing).unwrap(), file)
    };
    let (first, file) = export();
    write(Origin::Foreign, "theirs", b"2");
    write(Origin::Own, "passing", b"1");
    let (second, _) = export();
    assert_eq!((second.digest, second.rows), (first.digest, first.rows + 1));
    write(Origin::Own, "ours", b"2");
    assert_ne!(export().0.digest, first.digest);
    let to = directory.path().join("b");
    assert_eq!(Store::import(&file, &to, options()).unwrap(), first.rows);
    let copy = open(&to);
    assert_eq!((copy.meta("ours").unwrap(), copy.meta("theirs").unwrap()), (Some(b"1".to_vec()), None));
    assert_eq!(copy.meta("large").unwrap(), store.meta("large").unwrap());
}

#[test]
fn a_damaged_or_cut_export_is_refused_before_anything_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("backup");
    filled(&directory.path().join("a")).export(&file).unwrap();
    let bytes = fs::read(&file).unwrap();
    let to = directory.path().join("b");
    for place in 0..40 {
        let at = bytes.len() * place / 40;
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x80;
        fs::write(&file, &damaged).unwrap();
        Store::import(&file, &to, options()).unwrap_err();
        fs::write(&file, &bytes[..at]).unwrap();
        Store::import(&file, &to, options()).unwrap_err();
        assert!(!to.exists());
    }
}

#[test]
fn an_interrupted_import_is_no_store() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    fs::write(directory.path().join("importing"), "").unwrap();
    let error = Store::open(directory.path(), options()).err().unwrap();
    assert!(error.to_string().contains("import again"), "{error}");
}

#[test]
fn compaction_beside_readers_and_writers_keeps_every_row_and_frees_space() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(directory.path());
    // Much that is written over.
    for round in 0..30 {
        let mut batch = Batch::new(Origin::Own);
        for n in 0..60 {
            batch.put(Key::Custom { table: "t".to_owned(), key: vec![n] }, noise(round * 60 + u32::from(n), 20_000));
        }
        store.commit(batch).unwrap();
    }
    let before = store.usage().unwrap();
    let id = store.id();
    let stop = AtomicBool::new(false);
    let mut written = 0u32;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut n = 0;
            while !stop.load(Ordering::SeqCst) {
                let mut batch =
                    batch_of(if n % 2 == 0 { Origin::Own } else { Origin::Foreign }, feed(3 + n as u8 % 2), n..n + 1);
                batch.delete(Key::Custom { table: "gone".to_owned(), key: (n.wrapping_sub(2)).to_be_bytes().to_vec() });
                batch.put(Key::Custom { table: "gone".to_owned(), key: n.to_be_bytes().to_vec() }, "x");
                store.commit(batch).unwrap();
                n += 1;
            }
            n
        });
        let reader = scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                let (record, held) = store.record_with_document(&feed(1), &entry(5)).unwrap().unwrap();
                assert_eq!(record.bytes, chunk_hash(&held.chunks[0]).0);
            }
        });
        for _ in 0..3 {
            store.compact().unwrap();
        }
        stop.store(true, Ordering::SeqCst);
        written = writer.join().unwrap();
        reader.join().unwrap();
    });
    let after = store.usage().unwrap();
    println!("before {before:?}\nafter {after:?}, {written} batches meanwhile");
    assert!(after.disk_bytes < before.disk_bytes / 2 && after.own_log_bytes < before.own_log_bytes / 4);
    assert_eq!(store.id(), id);
    for n in 0..written {
        assert!(store.record(&feed(3 + n as u8 % 2), &entry(n)).unwrap().is_some());
    }
    assert_clean(&store);
    let rows = everything(&store);
    drop(store);
    let (store, report) = Store::open(directory.path(), options()).unwrap();
    assert_eq!((report.rebuilt, report.problems, report.replayed), (None, vec![], 0));
    assert_eq!(everything(&store), rows);
    let databases = fs::read_dir(directory.path())
        .unwrap()
        .filter(|item| item.as_ref().unwrap().file_name().to_str().unwrap().starts_with("db."));
    assert_eq!(databases.count(), 1);
}
