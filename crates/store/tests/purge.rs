//! After a purge no file of the store holds what was deleted, not even packed, not even in a dictionary.

mod common;
#[path = "common/scan.rs"]
mod scan;

use common::*;
use ortsnetz_store::*;

const SENTENCE: &str = "Herr Quappenstein aus der Uferstrasse schuldet der Stadt noch Gebuehren";

/// A row of text that has the sentence in it, and is not like the others in the rest.
fn row(n: u32, sentence: &str) -> Vec<u8> {
    let words: Vec<String> = (0..30).map(|word| format!("wort{}", (n * 31 + word * 7919) % 4001)).collect();
    format!("{{\"title\":\"Leistung {n}\",\"text\":\"{} {sentence} {n}\"}}", words.join(" ")).into_bytes()
}

fn key(n: u32) -> Key {
    Key::Projection { side: Side::Published, collection: feed(1).collection, entry: entry(n) }
}

/// Fills a store until it has trained a dictionary from rows with the sentence.
fn filled(directory: &std::path::Path) -> Store {
    let store = open(directory);
    for round in 0..60 {
        let mut batch = Batch::new(if round % 2 == 0 { Origin::Own } else { Origin::Foreign });
        for n in round * 100..round * 100 + 100 {
            batch.put(key(n), row(n, if n % 3 == 0 { SENTENCE } else { "" }));
        }
        store.commit(batch).unwrap();
    }
    let trained = || scan::dictionaries(directory).len() > 2;
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !trained() {
        assert!(std::time::Instant::now() < until, "no dictionary was trained");
        std::thread::yield_now();
    }
    // Packed with the trained one.
    let mut batch = Batch::new(Origin::Own);
    (6_000..6_100).for_each(|n| {
        batch.put(key(n), row(n, SENTENCE));
    });
    store.commit(batch).unwrap();
    store
}

/// Every row can be read, in the database and in the own log. There are no records here, on purpose.
fn is_whole(store: &Store) {
    let problems = store.check(Check::Full, None).unwrap();
    let first = problems.iter().find(|problem| problem.detail != "there is no record for it");
    assert_eq!(first, None);
}

#[test]
fn nothing_of_what_was_deleted_is_left_in_any_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(directory.path());
    std::fs::create_dir(directory.path().join("db.broken-1")).unwrap();
    std::fs::write(directory.path().join("db.broken-1/db"), SENTENCE).unwrap();
    std::fs::write(directory.path().join("own.log.broken-2"), SENTENCE).unwrap();
    let known = scan::dictionaries(directory.path());
    let before = scan::find(directory.path(), SENTENCE, &known);
    assert!(before.iter().any(|place| place.contains("packed")), "the scan finds packed rows: {before:?}");
    assert!(before.iter().any(|place| place.contains("broken")), "{before:?}");
    let mut batch = Batch::new(Origin::Own);
    let kept = |n: &u32| !n.is_multiple_of(3) && *n < 6_000;
    (0..6_100).filter(|n| !kept(n)).for_each(|n| {
        batch.delete(key(n));
    });
    store.commit(batch).unwrap();
    assert!(!scan::find(directory.path(), SENTENCE, &known).is_empty(), "deleting alone leaves it on disk");

    store.purge().unwrap();
    let check = |store: &Store, known: &[Vec<u8>]| {
        let known = [known, &scan::dictionaries(directory.path())].concat();
        assert_eq!(scan::find(directory.path(), SENTENCE, &known), Vec::<String>::new());
        for n in (0..6_000).filter(kept) {
            assert_eq!(store.get(&key(n)).unwrap(), Some(row(n, "")), "row {n}");
        }
        is_whole(store);
    };
    check(&store, &known);
    // It goes on: what is written now is read after the next start, also from the own log alone.
    let mut batch = Batch::new(Origin::Own);
    batch.put(key(7_000), row(7_000, "danach"));
    store.commit(batch).unwrap();
    store.close().unwrap();
    drop(store);
    let store = open(directory.path());
    assert_eq!(store.get(&key(7_000)).unwrap(), Some(row(7_000, "danach")));
    check(&store, &known);
}

#[test]
fn what_is_written_during_a_purge_can_be_read_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(directory.path());
    let stop = std::sync::atomic::AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut n = 10_000;
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                let mut batch = Batch::new(if n % 2 == 0 { Origin::Own } else { Origin::Foreign });
                batch.put(key(n), row(n, "nebenher"));
                store.commit(batch).unwrap();
                n += 1;
            }
            n
        });
        store.purge().unwrap();
        store.purge().unwrap();
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        writing.join().unwrap()
    });
    store.close().unwrap();
    drop(store);
    let store = open(directory.path());
    for n in 10_000..written {
        assert_eq!(store.get(&key(n)).unwrap(), Some(row(n, "nebenher")), "row {n} of {written}");
    }
    is_whole(&store);
}
