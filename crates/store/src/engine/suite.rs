//! What every engine must do; each test runs on all of them.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Engine, EngineError, MemoryEngine, ROW_BYTES_MAX, ROW_KEY_BYTES_MAX, ROWS_PER_APPLY_MAX, SledEngine};

fn on_all(test: impl Fn(&dyn Engine)) {
    test(&MemoryEngine::default());
    let directory = tempfile::tempdir().unwrap();
    test(&SledEngine::open(&directory.path().join("db"), 1 << 24).unwrap());
}

fn put(engine: &dyn Engine, rows: &[(&str, &str)]) {
    let rows = rows.iter().map(|(key, value)| (key.as_bytes().to_vec(), Some(value.as_bytes().to_vec())));
    engine.apply(rows.collect()).unwrap();
}

fn keys(engine: &dyn Engine, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
    let mut found = Vec::new();
    let visit = &mut |key: &[u8], _: &[u8]| {
        found.push(String::from_utf8(key.to_vec()).unwrap());
        found.len() < limit
    };
    engine.scan(prefix.as_bytes(), after.map(str::as_bytes), visit).unwrap();
    found
}

#[test]
fn gives_back_what_was_put() {
    on_all(|engine| {
        put(engine, &[("a", "1"), ("b", ""), ("ä", "3")]);
        put(engine, &[("a", "2")]);
        assert_eq!(engine.get(b"a").unwrap(), Some(b"2".to_vec()));
        assert_eq!(engine.get(b"b").unwrap(), Some(Vec::new()));
        assert_eq!(engine.get("ä".as_bytes()).unwrap(), Some(b"3".to_vec()));
        engine.apply(vec![(b"a".to_vec(), None), (b"gone".to_vec(), None)]).unwrap();
        assert_eq!(engine.get(b"a").unwrap(), None);
    });
}

#[test]
fn scans_a_prefix_in_order_from_a_key_on() {
    on_all(|engine| {
        put(engine, &[("b1", ""), ("b3", ""), ("b2", ""), ("a", ""), ("c", ""), ("b", "")]);
        assert_eq!(keys(engine, "b", None, 9), ["b", "b1", "b2", "b3"]);
        assert_eq!(keys(engine, "b", Some("b1"), 9), ["b2", "b3"]);
        assert_eq!(keys(engine, "b", Some("b1"), 1), ["b2"]);
        assert_eq!(keys(engine, "b", Some("a"), 2), ["b", "b1"]);
        assert_eq!(keys(engine, "b", Some("b3"), 9), [""; 0]);
        assert_eq!(keys(engine, "", None, 99).len(), 6);
        assert_eq!(keys(engine, "x", None, 9), [""; 0]);
    });
}

#[test]
fn knows_the_last_key_of_a_prefix() {
    on_all(|engine| {
        put(engine, &[("b1", ""), ("b\u{7f}", ""), ("c", "")]);
        assert_eq!(engine.last_key(b"b").unwrap(), Some(b"b\x7f".to_vec()));
        assert_eq!(engine.last_key(b"").unwrap(), Some(b"c".to_vec()));
        assert_eq!(engine.last_key(b"a").unwrap(), None);
        engine.apply(vec![(vec![0xff, 0xff, 1], Some(vec![]))]).unwrap();
        assert_eq!(engine.last_key(&[0xff]).unwrap(), Some(vec![0xff, 0xff, 1]));
    });
}

#[test]
fn takes_rows_up_to_the_limits_and_refuses_all_beyond() {
    on_all(|engine| {
        let full: Vec<_> = (0..ROWS_PER_APPLY_MAX).map(|i| (format!("{i}").into_bytes(), Some(vec![]))).collect();
        engine.apply(full.clone()).unwrap();
        let over = [full, vec![(b"over".to_vec(), Some(vec![]))]].concat();
        let refused = engine.apply(over).unwrap_err();
        assert_eq!(refused, EngineError::TooManyRows { rows: ROWS_PER_APPLY_MAX + 1 });
        assert_eq!(engine.get(b"over").unwrap(), None);

        engine.apply(vec![(vec![b'k'; ROW_KEY_BYTES_MAX], Some(vec![7; ROW_BYTES_MAX]))]).unwrap();
        assert_eq!(engine.get(&[b'k'; ROW_KEY_BYTES_MAX]).unwrap().unwrap().len(), ROW_BYTES_MAX);
        for row in [(b"v".to_vec(), Some(vec![7; ROW_BYTES_MAX + 1])), (vec![0; ROW_KEY_BYTES_MAX + 1], None)] {
            let other = (b"other".to_vec(), Some(vec![]));
            assert!(matches!(engine.apply(vec![other, row]), Err(EngineError::RowTooLarge { .. })));
            assert_eq!(engine.get(b"other").unwrap(), None, "all or nothing");
        }
    });
}

#[test]
fn counts_barriers() {
    on_all(|engine| {
        let before = engine.syncs();
        put(engine, &[("a", "1")]);
        engine.barrier().unwrap();
        assert_eq!(engine.syncs(), before + 1);
    });
}

#[test]
fn sled_keeps_rows_when_it_is_opened_again_and_writes_no_blobs() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let engine = SledEngine::open(&path, 1 << 24).unwrap();
    for i in 0..300u32 {
        let value = vec![i as u8; ROW_BYTES_MAX];
        engine.apply(vec![(i.to_be_bytes().to_vec(), Some(value))]).unwrap();
    }
    engine.barrier().unwrap();
    assert!(engine.disk_bytes().unwrap() > 0);
    drop(engine);
    let engine = SledEngine::open(&path, 1 << 24).unwrap();
    assert_eq!(engine.get(&299u32.to_be_bytes()).unwrap().unwrap(), vec![43; ROW_BYTES_MAX]);
    assert_eq!(std::fs::read_dir(path.join("blobs")).unwrap().count(), 0, "blob files are never synced");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn engines_agree_with_a_map(batches in proptest::collection::vec(
        proptest::collection::btree_map(proptest::collection::vec(0u8..4, 0..4), proptest::option::of(0u8..9), 1..20),
        1..12,
    )) {
        on_all(|engine| {
            let mut map: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
            for batch in &batches {
                engine.apply(batch.iter().map(|(k, v)| (k.clone(), v.map(|v| vec![v]))).collect()).unwrap();
                for (key, value) in batch {
                    match value {
                        Some(value) => map.insert(key.clone(), vec![*value]),
                        None => map.remove(key),
                    };
                }
            }
            for prefix in [&[][..], &[1], &[3, 3]] {
                let expected: Vec<_> = map.iter().filter(|(k, _)| k.starts_with(prefix)).collect();
                let mut found = Vec::new();
                let visit = &mut |k: &[u8], v: &[u8]| { found.push((k.to_vec(), v.to_vec())); true };
                engine.scan(prefix, None, visit).unwrap();
                assert!(found.iter().map(|(k, v)| (k, v)).eq(expected.iter().copied()));
                assert_eq!(engine.last_key(prefix).unwrap().as_ref(), expected.last().map(|(k, _)| *k));
            }
        });
    }
}
