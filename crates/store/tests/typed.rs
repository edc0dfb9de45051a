//! Batches in, typed reads out; on disk and in memory alike.

#![allow(clippy::print_stdout, reason = "tests print what they measured")]

mod common;

use std::sync::mpsc::channel;

use common::*;
use ortsnetz_model::{CollectionId, Hash, OrgId};
use ortsnetz_store::*;

/// Runs a test on both kinds of store; the closure opens the one on disk again.
fn on_both(test: impl Fn(Store, &dyn Fn(Store) -> Store)) {
    test(Store::memory(), &|store| store);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    test(open(&path), &|store| {
        drop(store);
        open(&path)
    });
}

#[test]
fn an_entry_comes_back_as_it_was_written() {
    on_both(|store, reopen| {
        let committed = store.commit(batch_of(Origin::Foreign, feed(1), 0..3)).unwrap();
        let store = reopen(store);
        let record = store.record(&feed(1), &entry(2)).unwrap().unwrap();
        assert_eq!((record.position, record.generation, record.document), (position(2), 1, true));
        assert_eq!(record.change, committed.change);
        assert_eq!(store.change(), committed.change);
        let (again, held) = store.record_with_document(&feed(1), &entry(2)).unwrap().unwrap();
        assert_eq!(again, record);
        assert_eq!(held.chunks, [chunk(&[], &projection(2))]);
        assert_eq!(record.bytes, chunk_hash(&held.chunks[0]).0);
        assert_eq!(store.projection(Side::Published, &feed(1).collection, &entry(2)).unwrap(), Some(projection(2)));
        assert_eq!(store.record(&feed(2), &entry(2)).unwrap(), None);
        assert_clean(&store);
    });
}

#[test]
fn every_row_is_visited_with_its_key() {
    on_both(|store, reopen| {
        store.commit(batch_of(Origin::Foreign, feed(1), 0..700)).unwrap();
        let mut batch = Batch::new(Origin::Own);
        batch.put(Key::Custom { table: "eigene".into(), key: b"schluessel".to_vec() }, b"wert".to_vec());
        store.commit(batch).unwrap();
        let store = reopen(store);
        let (mut rows, mut found) = (0, 0);
        store
            .each_row(&mut |key, value| {
                rows += 1;
                let has = |bytes: &[u8], needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
                found += usize::from(has(key, b"schluessel") && value == b"wert");
                found += usize::from(has(key, &entry(699).0) && has(value, &projection(699)));
                true
            })
            .unwrap();
        assert!(rows > 1400, "{rows}");
        assert_eq!(found, 3, "the row of another table; an entry in its change and in its projection");
        let mut first = 0;
        store
            .each_row(&mut |_, _| {
                first += 1;
                false
            })
            .unwrap();
        assert_eq!(first, 1, "it stops when told");
    });
}

#[test]
fn records_are_visited_by_feed_without_documents() {
    on_both(|store, reopen| {
        store.commit(batch_of(Origin::Foreign, feed(1), 0..700)).unwrap();
        let before = store.change();
        let mut batch = batch_of(Origin::Foreign, feed(2), 0..2);
        batch.put_cursor(feed(3), b"cursor");
        batch.put_record(feed(1), entry(5), position(900), 1, false, b"withdrawn");
        batch.delete_document(Side::Published, document(feed(1), 5));
        batch.delete(Key::Projection { side: Side::Published, collection: feed(1).collection, entry: entry(5) });
        store.commit(batch).unwrap();
        let store = reopen(store);
        let count = |feed: Option<&_>| {
            let mut entries = Vec::new();
            store
                .records(feed, &mut |record| {
                    entries.push((record.feed, record.entry));
                    true
                })
                .unwrap();
            assert!(entries.is_sorted());
            entries.len()
        };
        assert_eq!((count(None), count(Some(&feed(1))), count(Some(&feed(2)))), (702, 700, 2));
        assert_eq!(store.feeds().unwrap(), [feed(1), feed(2), feed(3)]);
        let mut changed = Vec::new();
        store
            .changed_since(before, &mut |feed, entry, _| {
                changed.push((feed, entry));
                true
            })
            .unwrap();
        let mut expected = vec![(feed(1), entry(5)), (feed(2), entry(0)), (feed(2), entry(1))];
        expected.sort();
        assert_eq!(changed, expected);
        assert_eq!(store.cursor(&feed(3)).unwrap().unwrap(), b"cursor");
        assert_clean(&store);
    });
}

#[test]
fn chunks_are_appended_in_order_and_replaced_whole() {
    on_both(|store, reopen| {
        let id = document(feed(1), 1);
        let mut chunks = Vec::new();
        for n in 0..5u8 {
            let mut batch = Batch::new(Origin::Own);
            let new: Vec<_> = (0..n).map(|m| chunk(&[], &[n, m])).collect();
            chunks.extend(new.clone());
            batch.append_chunks(Side::Working, id, new);
            store.commit(batch).unwrap();
        }
        // Twice in one batch, and larger than one row.
        let mut batch = Batch::new(Origin::Own);
        for n in 0..2 {
            let new = chunk(&[], &noise(n, 100_000));
            chunks.push(new.clone());
            batch.append_chunks(Side::Working, id, vec![new]);
        }
        batch.put_snapshot(Side::Working, id, b"snapshot");
        store.commit(batch).unwrap();
        let store = reopen(store);
        let held = store.document(Side::Working, &id).unwrap();
        assert_eq!(held, Document { snapshot: Some(b"snapshot".to_vec()), chunks });
        assert_eq!(store.document(Side::Published, &id).unwrap(), Document::default());
        assert_eq!(store.generations(Side::Working, &id.collection, &id.entry).unwrap(), [1]);

        let mut batch = Batch::new(Origin::Own);
        batch.replace_chunks(Side::Working, id, vec![chunk(&[], b"all")]);
        store.commit(batch).unwrap();
        let store = reopen(store);
        let held = store.document(Side::Working, &id).unwrap();
        assert_eq!(held, Document { snapshot: None, chunks: vec![chunk(&[], b"all")] });
        assert_clean(&store);
        let mut batch = Batch::new(Origin::Own);
        batch.delete_document(Side::Working, id);
        store.commit(batch).unwrap();
        assert_eq!(reopen(store).document(Side::Working, &id).unwrap(), Document::default());
    });
}

#[test]
fn every_kind_of_key_comes_back_from_its_range() {
    let (org, collection) = (OrgId([3; 32]), CollectionId([4; 16]));
    let hash = Hash([9; 32]);
    let kinds = [
        (Range::Metas, Key::Meta("größe".to_owned())),
        (Range::Statements(org), Key::Statement { organisation: org, number: 7 }),
        (Range::Markers(feed(1)), Key::Marker { feed: feed(1), position: position(3) }),
        (Range::Cursors, Key::Cursor(feed(1))),
        (
            Range::Document(Side::Working, document(feed(1), 1)),
            Key::Snapshot { side: Side::Working, document: document(feed(1), 1) },
        ),
        (
            Range::Projections(Side::Working, collection),
            Key::Projection { side: Side::Working, collection, entry: entry(1) },
        ),
        (Range::Partners, Key::Partner(org)),
        (Range::Partnerships, Key::Partnership(org)),
        (Range::Invitations, Key::Invitation(vec![0, 255])),
        (Range::ImportSources, Key::ImportSource(entry(1))),
        (Range::SetAside(feed(1)), Key::SetAside { feed: feed(1), position: position(3), hash }),
        (Range::Alarms, Key::Alarm("cloned/x".to_owned())),
        (Range::Tombstones, Key::Tombstone { collection, entry: entry(1) }),
        (Range::Users, Key::User("müller".to_owned())),
        (Range::Tokens, Key::Token(String::new())),
        (Range::Custom("reports".to_owned()), Key::Custom { table: "reports".to_owned(), key: vec![1] }),
    ];
    on_both(|store, reopen| {
        let mut batch = Batch::new(Origin::Own);
        for (_, key) in &kinds {
            batch.put(key.clone(), format!("{key:?}"));
        }
        batch.put(Key::Custom { table: "report".to_owned(), key: b"s".to_vec() }, "another table");
        store.commit(batch).unwrap();
        let store = reopen(store);
        for (range, key) in &kinds {
            let expected = (key.clone(), format!("{key:?}").into_bytes());
            assert_eq!(store.scan(range, None, 10).unwrap(), [expected], "{range:?}");
            assert_eq!(store.scan(range, Some(key), 10).unwrap(), []);
            assert_eq!(store.scan(range, None, 0).unwrap(), []);
        }
        let mut batch = Batch::new(Origin::Own);
        for (range, _) in &kinds {
            batch.delete_range(range.clone());
        }
        store.commit(batch).unwrap();
        let store = reopen(store);
        assert!(kinds.iter().all(|(_, key)| store.get(key).unwrap().is_none()));
        assert!(store.get(&Key::Custom { table: "report".to_owned(), key: b"s".to_vec() }).unwrap().is_some());
    });
}

#[test]
fn the_last_operation_of_a_batch_wins_also_over_large_values() {
    on_both(|store, reopen| {
        let key = || Key::Meta("value".to_owned());
        for (first, last) in [(200_000, 5), (5, 200_000), (200_000, 300_000), (70_000, 70_000), (40_000, 0)] {
            let mut batch = Batch::new(Origin::Foreign);
            batch.put(key(), noise(1, first)).put(key(), noise(2, last));
            store.commit(batch).unwrap();
            assert_eq!(store.get(&key()).unwrap().unwrap(), noise(2, last));
        }
        let mut batch = Batch::new(Origin::Foreign);
        batch.put(key(), noise(3, 200_000)).delete(key());
        store.commit(batch).unwrap();
        let store = reopen(store);
        assert_eq!(store.get(&key()).unwrap(), None);
        assert_clean(&store);
    });
}

#[test]
fn values_keys_and_batches_at_their_limits_are_kept_and_over_them_refused() {
    on_both(|store, reopen| {
        let put = |key: Key, length: usize| {
            let mut batch = Batch::new(Origin::Foreign);
            batch.put(Key::Meta("beside".to_owned()), "x").put(key, noise(9, length));
            store.commit(batch)
        };
        // Around the size of a row, and the longest.
        for length in [32 * 1024 - 20, 32 * 1024, 32 * 1024 + 1, 64 * 1024, VALUE_BYTES_MAX] {
            put(Key::Meta("long".to_owned()), length).unwrap();
            assert_eq!(store.get(&Key::Meta("long".to_owned())).unwrap().unwrap(), noise(9, length));
        }
        let too_long = put(Key::Meta("long".to_owned()), VALUE_BYTES_MAX + 1).unwrap_err();
        assert!(matches!(too_long, StoreError::TooLarge { limit: VALUE_BYTES_MAX, .. }), "{too_long}");
        put(Key::Meta("k".repeat(KEY_BYTES_MAX - 1)), 1).unwrap();
        let too_long = put(Key::Meta("k".repeat(KEY_BYTES_MAX)), 1).unwrap_err();
        assert!(matches!(too_long, StoreError::TooLarge { limit: KEY_BYTES_MAX, .. }), "{too_long}");
        put(Key::Custom { table: "t".repeat(255), key: vec![] }, 1).unwrap();
        assert!(put(Key::Custom { table: "t".repeat(256), key: vec![] }, 1).is_err());

        let mut batch = Batch::new(Origin::Foreign);
        for n in 0..5 {
            batch.put(Key::Meta(n.to_string()), noise(n, BATCH_BYTES_MAX / 5 + 1));
        }
        let refused = store.commit(batch).unwrap_err();
        assert!(matches!(refused, StoreError::TooLarge { limit: BATCH_BYTES_MAX, .. }), "{refused}");
        assert_eq!(store.get(&Key::Meta("0".to_owned())).unwrap(), None, "all or nothing");
        let store = reopen(store);
        assert_eq!(store.get(&Key::Meta("long".to_owned())).unwrap().unwrap(), noise(9, VALUE_BYTES_MAX));
        assert_clean(&store);
    });
}

#[test]
fn batches_are_answered_in_order_and_only_when_synced() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let (sender, answers) = channel();
    for n in 0..300u32 {
        let origin = if n % 3 == 0 { Origin::Own } else { Origin::Foreign };
        let before = store.syncs();
        let (sender, watch) = (sender.clone(), store.clone());
        store.submit(batch_of(origin, feed(1), n..n + 1), move |result| {
            // In the writer thread, before it goes on: what makes this batch durable was synced already.
            let after = watch.syncs();
            let synced = match origin {
                Origin::Own => after.own_log > before.own_log,
                Origin::Foreign => after.database > before.database,
            };
            sender.send((n, origin, result.unwrap().change, synced)).unwrap();
        });
    }
    drop(sender);
    let answers: Vec<_> = answers.iter().collect();
    assert_eq!(answers.len(), 300);
    assert!(answers.iter().all(|answer| answer.3), "synced before it was answered");
    let syncs = store.syncs();
    println!("300 batches took {syncs:?}");
    assert!(answers.iter().all(|answer| answer.2 == u64::from(answer.0) + 1));
    drop(store);
    assert_clean(&open(directory.path()));
}

#[test]
fn an_own_batch_takes_one_sync_of_the_log_and_a_foreign_one_one_of_the_database() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for n in 0..5 {
        let before = store.syncs();
        store.commit(batch_of(Origin::Own, feed(1), n..n + 1)).unwrap();
        let own = store.syncs();
        assert_eq!(own.own_log, before.own_log + 1);
        store.commit(batch_of(Origin::Foreign, feed(2), n..n + 1)).unwrap();
        let foreign = store.syncs();
        assert_eq!((foreign.own_log, foreign.database > own.database), (own.own_log, true));
    }
}

#[test]
fn a_full_queue_is_an_answer_and_not_a_wait() {
    let store = Store::memory();
    let (sender, answers) = channel();
    let (release, hold) = channel::<()>();
    store.submit(batch_of(Origin::Foreign, feed(1), 0..1), move |_| hold.recv().unwrap());
    let mut busy = 0;
    for n in 0..QUEUE_BATCHES_MAX as u32 + 300 {
        let sender = sender.clone();
        store.try_submit(batch_of(Origin::Foreign, feed(1), n..n + 1), move |result| sender.send(result).unwrap());
    }
    release.send(()).unwrap();
    drop(sender);
    for answer in answers {
        match answer {
            Ok(_) => {}
            Err(StoreError::Busy(QUEUE_BATCHES_MAX)) => busy += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!((1..=300).contains(&busy), "{busy}");
}

#[test]
fn a_closed_store_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let other = store.clone();
    store.close().unwrap();
    assert!(matches!(other.commit(batch_of(Origin::Own, feed(1), 0..1)), Err(StoreError::Closed)));
    assert!(matches!(other.meta("x"), Err(StoreError::Closed)));
    // The lock is free although a handle lives.
    open(directory.path()).commit(batch_of(Origin::Own, feed(1), 0..1)).unwrap();
}

#[test]
fn a_dictionary_is_learned_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for n in 0..60 {
        store.commit(batch_of(Origin::Foreign, feed(1), n * 50..n * 50 + 50)).unwrap();
    }
    drop(store);
    let store = open(directory.path());
    assert_eq!(store.projection(Side::Published, &feed(1).collection, &entry(2999)).unwrap(), Some(projection(2999)));
    let usage = store.usage().unwrap();
    let raw: usize = (0..3000).map(|n| 2 * projection(n).len()).sum();
    println!("{usage:?}, uncompressed {raw}");
    assert!(usage.payload_bytes < raw as u64 / 2);
    assert_clean(&store);
}
