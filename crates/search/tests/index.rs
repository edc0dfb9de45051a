//! Opening, updating, rebuilding, and what becomes of a damaged directory.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{HEAP, World, org, public, service, upsert};
use ortsnetz_model::{Entry, EntryId, FeedId};
use ortsnetz_search::limits::{LIMIT_DEFAULT, LIMIT_MAX};
use ortsnetz_search::{Change, Index, OpenState, Query, RebuildReason, SearchError, Standing};
use serde_json::json;

const STORE: [u8; 16] = [7; 16];

fn open(dir: &Path, store: [u8; 16], cursor: u64) -> (Index, OpenState) {
    let opened = Index::open(dir, store, cursor, HEAP).unwrap();
    (opened.index, opened.state)
}

fn dog_tax() -> Vec<Entry> {
    vec![service("Hundesteuer", &["053820060060"], json!({}))]
}

/// An index with one entry, committed at 5 and closed.
fn closed() -> tempfile::TempDir {
    let mut world = World::new();
    world.cursor = 4;
    world.add(org(1), &dog_tax());
    let World { dir, index, reader, .. } = world;
    drop((index, reader));
    dir
}

#[test]
fn it_goes_on_where_it_was() {
    let dir = closed();
    let (index, state) = open(dir.path(), STORE, 5);
    assert_eq!(state, OpenState::Ready { cursor: 5 });
    assert_eq!(index.reader().entries(), 1);
    assert!(index.reader().disk_bytes() > 0);
    assert_eq!(index.verify().unwrap(), Vec::<String>::new());
}

#[test]
fn it_starts_again_if_it_does_not_fit_the_store() {
    let cases =
        [([8; 16], 9, RebuildReason::OtherStore), (STORE, 4, RebuildReason::AheadOfStore { index: 5, store: 4 })];
    for (store, cursor, reason) in cases {
        let dir = closed();
        let (index, state) = open(dir.path(), store, cursor);
        assert_eq!(state, OpenState::NeedsRebuild(reason));
        assert_eq!(index.reader().entries(), 0);
    }
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(open(dir.path(), STORE, 0).1, OpenState::NeedsRebuild(RebuildReason::New));
}

#[test]
fn an_unfinished_rebuild_starts_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut index, _) = open(dir.path(), STORE, 9);
    let entries = dog_tax();
    index.update(&[upsert(org(1), EntryId([1; 16]), &entries[0])]).unwrap();
    index.commit(0).unwrap();
    assert_eq!(index.reader().entries(), 1, "what is there answers meanwhile");
    drop(index);
    let (mut index, state) = open(dir.path(), STORE, 9);
    assert_eq!(state, OpenState::NeedsRebuild(RebuildReason::Unfinished));
    index.commit(9).unwrap();
    drop(index);
    assert_eq!(open(dir.path(), STORE, 9).1, OpenState::Ready { cursor: 9 });
}

#[test]
fn what_was_not_committed_is_not_there() {
    let dir = closed();
    let (mut index, _) = open(dir.path(), STORE, 5);
    let entries = dog_tax();
    index.update(&[upsert(org(2), EntryId([2; 16]), &entries[0])]).unwrap();
    assert_eq!(index.reader().entries(), 1);
    drop(index);
    let (index, state) = open(dir.path(), STORE, 6);
    assert_eq!((index.reader().entries(), state), (1, OpenState::Ready { cursor: 5 }));
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.metadata().unwrap().len() > 0);
    files.sort();
    files
}

#[test]
fn a_damaged_directory_is_thrown_away_whatever_is_damaged() {
    let names: Vec<_> =
        files(closed().path()).iter().filter_map(|file| file.extension().map(ToOwned::to_owned)).collect();
    assert!(names.len() > 5, "{names:?}");
    for extension in names {
        for damage in ["flip", "truncate", "garbage", "remove"] {
            let dir = closed();
            let file = files(dir.path()).into_iter().find(|file| file.extension() == Some(&extension)).unwrap();
            let mut bytes = fs::read(&file).unwrap();
            match damage {
                "flip" => bytes[0] ^= 0x55,
                "truncate" => bytes.truncate(bytes.len() / 2),
                _ => bytes.fill(0xa5),
            }
            if damage == "remove" {
                fs::remove_file(&file).unwrap()
            } else {
                fs::write(&file, &bytes).unwrap()
            }
            let what = format!("{damage} {}", file.display());
            let (mut index, state) = open(dir.path(), STORE, 5);
            // Files that tantivy can do without may be damaged without harm.
            let harmless = state == OpenState::Ready { cursor: 5 } && index.reader().entries() == 1;
            assert!(harmless || matches!(state, OpenState::NeedsRebuild(_)), "{what}: {state:?}");
            if !harmless {
                assert_eq!(index.reader().entries(), 0, "{what}");
            }
            let entries = dog_tax();
            index.update(&[upsert(org(1), EntryId([1; 16]), &entries[0])]).unwrap();
            index.commit(6).unwrap();
            let hits = index.reader().search(&Query::new("Hundesteuer"), &|_| Some(Standing::Own)).unwrap();
            assert!(!hits.hits.is_empty(), "{what}");
        }
    }
}

#[test]
fn an_index_in_use_is_left_alone() {
    let dir = closed();
    let (_index, _) = open(dir.path(), STORE, 5);
    fs::write(dir.path().join("meta.json"), "damaged").unwrap();
    assert!(matches!(Index::open(dir.path(), STORE, 5, HEAP), Err(SearchError::Locked)));
    assert!(dir.path().join("meta.json").exists());
}

#[test]
fn entries_change_and_go() {
    let mut world = World::new();
    let (ours, theirs) = (org(1), org(2));
    let entries = [service("Hundesteuer", &[], json!({})), service("Reisepass", &[], json!({}))];
    world.add(ours, &entries);
    world.add(theirs, &entries);
    assert_eq!(world.ask(&Query::new("Hundesteuer")).total, 2);

    let changed = [service("Katzensteuer", &[], json!({}))];
    world.add(ours, &changed);
    assert_eq!(world.ask(&Query::new("Hundesteuer")).total, 1);
    assert_eq!(world.titles("Katzensteuer"), ["Katzensteuer"]);

    let id = EntryId::imported(&ours, "test", "n", "1");
    world.index.update(&[Change::Delete(ours, public(ours), id)]).unwrap();
    world.commit();
    assert!(!world.titles("Katzensteuer").contains(&"Katzensteuer".to_owned()));
    assert_eq!(world.reader.entries(), 3);

    world.index.update(&[Change::DeleteFeed(FeedId { organisation: ours, collection: public(ours) })]).unwrap();
    world.commit();
    assert_eq!(world.reader.entries(), 2);
    world.index.update(&[Change::DeleteOrganisation(theirs)]).unwrap();
    world.commit();
    assert_eq!(world.reader.entries(), 0);
}

#[test]
fn journals_and_unknown_kinds_are_not_found() {
    let mut world = World::new();
    let entry = |kind: &str| Entry::from_json(json!({"kind": kind, "title": {"de": "Hundesteuer"}})).unwrap();
    world.add(org(1), &[entry("journal"), entry("kiosk"), entry("service")]);
    assert_eq!(world.reader.entries(), 1);
}

#[test]
fn a_purge_leaves_no_word_on_disk() {
    let mut world = World::new();
    let secret = "geheimniskraemerei";
    let mut entries: Vec<Entry> = (0..20).map(|n| service(&format!("Leistung {n}"), &[], json!({}))).collect();
    entries[7] = service("Geheimniskraemerei", &[], json!({"texts": {"description": {"de": "Geheimniskraemerei"}}}));
    world.add(org(1), &entries);
    assert!(on_disk(world.dir.path(), secret) || on_disk(world.dir.path(), "Geheimniskraemerei"));
    let id = EntryId::imported(&org(1), "test", "n", "8");
    world.index.update(&[Change::Delete(org(1), public(org(1)), id)]).unwrap();
    world.index.purge(9).unwrap();
    for word in [secret, "Geheimniskraemerei", "geheimniskramerei"] {
        assert!(!on_disk(world.dir.path(), word), "{word}");
    }
    assert_eq!(world.reader.entries(), 19);
    assert_eq!(world.titles("Leistung 3"), ["Leistung 3"]);
    let dir = world.dir;
    drop((world.index, world.reader));
    assert_eq!(open(dir.path(), STORE, 9).1, OpenState::Ready { cursor: 9 });
}

fn on_disk(dir: &Path, word: &str) -> bool {
    files(dir).iter().any(|file| fs::read(file).unwrap().windows(word.len()).any(|bytes| bytes == word.as_bytes()))
}

#[test]
fn an_answer_has_as_many_hits_as_asked_for() {
    let mut world = World::new();
    let entries: Vec<Entry> =
        (0..LIMIT_MAX + 1).map(|n| service(&format!("Hundesteuer {n}"), &[], json!({}))).collect();
    world.add(org(1), &entries);
    let hits = |limit: usize| world.ask(&Query { limit, ..Query::new("Hundesteuer") });
    assert_eq!(world.ask(&Query::new("Hundesteuer")).hits.len(), LIMIT_DEFAULT);
    assert_eq!(hits(LIMIT_MAX).hits.len(), LIMIT_MAX);
    assert_eq!((hits(LIMIT_MAX + 1).hits.len(), hits(LIMIT_MAX + 1).total), (LIMIT_MAX, LIMIT_MAX + 1));
    assert_eq!(hits(0).hits.len(), 1);
}

#[test]
fn entries_taken_in_one_by_one_teach_each_other() {
    let mut world = World::new();
    let titles = ["Wohnungsgeberverzeichnis", "Fragen an Wohnungsgeber"];
    for (n, title) in (1..).zip(titles) {
        let entry = service(title, &[], json!({}));
        world.index.update(&[upsert(org(1), EntryId([n; 16]), &entry)]).unwrap();
    }
    world.commit();
    assert_eq!(world.ask(&Query::new("Wohnungsgeber")).total, 2);
}

#[test]
fn after_a_failure_it_goes_on_from_its_last_commit() {
    let mut world = World::new();
    world.cursor = 4;
    world.add(org(1), &dog_tax());
    let World { dir, mut index, reader, .. } = world;
    let more = service("Gewerbesteuer", &["053820060060"], json!({}));
    // The disk is gone for a moment.
    let away = dir.path().with_extension("away");
    fs::rename(dir.path(), &away).unwrap();
    let written = index.update(&[upsert(org(1), EntryId([9; 16]), &more)]).and_then(|()| index.commit(6));
    assert!(written.is_err() && index.has_failed());
    assert!(index.commit(7).is_err(), "nothing more is committed");
    fs::rename(&away, dir.path()).unwrap();
    assert_eq!(index.recover().unwrap(), 5);
    assert!(!index.has_failed());
    index.update(&[upsert(org(1), EntryId([9; 16]), &more)]).unwrap();
    index.commit(6).unwrap();
    assert_eq!(reader.entries(), 2);
    drop((index, reader));
    let (index, state) = open(dir.path(), STORE, 6);
    assert_eq!((state, index.reader().entries()), (OpenState::Ready { cursor: 6 }, 2));
}
