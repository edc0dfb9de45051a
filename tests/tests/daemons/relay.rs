//! Three towns in a line, A - B - C: what B passes on, and what C makes of it when B cannot be trusted.

use std::path::{Path, PathBuf};
use std::process::Command;

use ortsnetz_model::{CollectionId, DocumentId, EntryId, FeedId, Hash, OrgId};
use ortsnetz_store::{Batch, Key, Options, Origin, Range, Record, Side, Store};
use ortsnetz_tests::{Town, eventually, eventually_some};
use ortsnetz_trust::SignedRecord;
use serde_json::{Value, json};

const KOELN: &str = "053150000000";
const OLD: &str = "Der Sperrmüll kommt montags.";
const NEW: &str = "Der Sperrmüll kommt dienstags.";

#[test]
fn what_a_partner_passes_on_is_verified_and_an_invented_town_never_outranks_a_partner() {
    let dir = tempfile::tempdir().expect("a directory");
    let koeln = Town::new(dir.path(), "Stadt Köln", KOELN);
    let bonn = Town::new(dir.path(), "Stadt Bonn", "053140000000");
    let siegburg = Town::new(dir.path(), "Stadt Siegburg", "053820060060");
    let huerth = Town::new(dir.path(), "Stadt Hürth", "053620028028");
    let invented = Town::new_at(dir.path(), "invented", "Stadt Köln", KOELN);
    siegburg.befriend(&koeln);
    siegburg.befriend(&bonn);
    bonn.befriend(&huerth);
    bonn.befriend(&invented);
    let service = |town: &Town, title: &str, place: &str| {
        town.publish("service", &[&format!("title.de={title}"), &format!("valid_for.+={place}")])
    };
    let real = service(&koeln, "Gewerbe anmelden", KOELN);
    let claimed = service(&invented, "Gewerbe anmelden, Gewerbe anmelden", KOELN);
    let passed_on = service(&huerth, "Gewerbe anmelden", "053620028028");

    eventually("what Hürth published arrives", || siegburg.shown(&passed_on)["meta"]["state"] == "published");
    let meta = siegburg.ok(&["show", &passed_on])["meta"].clone();
    assert_eq!(meta["verified"], json!(true));
    assert_eq!(meta["organisation"]["name"], "Stadt Hürth");
    assert_eq!(meta["organisation"]["standing"], "introduced");
    assert_eq!(meta["organisation"]["introduced_by"], "Stadt Bonn");
    assert_eq!(meta["received_from"], "Stadt Bonn");

    let search = |place: &str| -> Vec<Value> {
        let found = siegburg.cli(&["search", "Gewerbe", "anmelden", "--place", place]);
        found.json["hits"].as_array().cloned().unwrap_or_default()
    };
    let ids = |hits: &[Value]| hits.iter().map(|hit| hit["id"].clone()).collect::<Vec<_>>();
    eventually("Köln's own answer is first, the invented one below", || {
        ids(&search(KOELN)) == [json!(real), json!(claimed)]
    });
    let hits = search(KOELN);
    assert_eq!(hits[0]["organisation"]["standing"], "partner");
    assert_eq!(hits[1]["organisation"]["standing"], "introduced");
    assert!(hits[1]["remark"].is_string(), "{}", hits[1]);
    eventually("what was passed on is found", || ids(&search("053620028028")) == [json!(passed_on)]);
    let everywhere = siegburg.ok(&["search", "Gewerbe", "anmelden"])["hits"].clone();
    assert_eq!(everywhere[0]["id"], json!(real), "below the partner: {everywhere}");
    let alarm = eventually_alarm(&siegburg, "place_claimed_twice");
    assert_eq!(alarm["partner"], "Stadt Bonn", "{alarm}");
    siegburg.check_store();
}

#[test]
fn a_relay_that_alters_a_byte_of_a_change_is_named_and_the_old_state_stays() {
    let mut line = Line::new();
    line.deceive(|store, feed, entry| {
        let (record, document) = read(store, feed, entry);
        let mut chunks = document;
        let last = chunks.last_mut().expect("a change");
        let at = position_of(last, b"dienstags");
        last[at] ^= 1;
        write(store, &record, &record.bytes, chunks);
    });
    let alarm = line.the_relay_is_named("invalid_record");
    assert!(alarm["message"].as_str().is_some_and(|text| text.contains(&line.changed)), "{alarm}");
    line.what_was_there_stays();
    line.all_is_well_with_an_honest_relay();
}

#[test]
fn a_relay_that_alters_a_change_and_mends_its_checksum_is_named_too() {
    let mut line = Line::new();
    line.deceive(|store, feed, entry| {
        let (record, mut chunks) = read(store, feed, entry);
        let last = chunks.last_mut().expect("a change");
        let at = position_of(last, b"dienstags");
        last[at] ^= 1;
        // An automerge chunk: magic, the beginning of the hash of the rest, the rest.
        let hash = Hash::of(&last[8..]);
        last[4..8].copy_from_slice(&hash.0[..4]);
        write(store, &record, &record.bytes, chunks);
    });
    line.the_relay_is_named("invalid_record");
    line.what_was_there_stays();
    line.all_is_well_with_an_honest_relay();
}

#[test]
fn a_relay_that_alters_a_byte_of_a_record_is_named_and_the_old_state_stays() {
    let mut line = Line::new();
    line.deceive(|store, feed, entry| {
        let (record, chunks) = read(store, feed, entry);
        let signature = SignedRecord::from_bytes(&record.bytes).expect("a record").signature().0;
        let mut bytes = record.bytes.clone();
        let at = position_of(&bytes, &signature);
        bytes[at + 7] ^= 1;
        write(store, &record, &bytes, chunks);
    });
    line.the_relay_is_named("invalid_record");
    line.what_was_there_stays();
    line.all_is_well_with_an_honest_relay();
}

#[test]
fn a_relay_that_withholds_a_record_is_named_and_what_it_hid_arrives_once_the_owner_is_back() {
    let mut line = Line::new();
    line.deceive(|store, feed, entry| {
        let mut batch = Batch::new(Origin::Foreign);
        batch.delete(Key::Record { feed: *feed, entry: *entry });
        batch.delete_range(Range::EntryDocuments(Side::Published, feed.collection, *entry));
        batch.delete(Key::Projection { side: Side::Published, collection: feed.collection, entry: *entry });
        store.commit(batch).expect("written");
    });
    line.the_relay_is_named("withheld");
    line.what_was_there_stays();
    line.the_owner_comes_back();
}

#[test]
fn a_relay_that_replays_an_old_record_is_named_and_what_it_hid_arrives_once_the_owner_is_back() {
    let mut line = Line::new();
    let (old, chunks) = (line.old.clone(), line.old_chunks.clone());
    line.deceive(|store, _, _| write(store, &old, &old.bytes, chunks));
    line.the_relay_is_named("withheld");
    line.what_was_there_stays();
    line.the_owner_comes_back();
}

/// A - B - C, where C was away while A published, and A is away when C is back.
struct Line {
    dir: tempfile::TempDir,
    owner: Town,
    relay: Town,
    reader: Town,
    /// Changed while the reader was away.
    changed: String,
    /// New since then.
    added: Vec<String>,
    feed: FeedId,
    /// The first record of `changed`, and its document then.
    old: Record,
    old_chunks: Vec<Vec<u8>>,
}

impl Line {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let owner = Town::new(dir.path(), "Stadt Hürth", "053620028028");
        let mut relay = Town::new(dir.path(), "Stadt Köln", KOELN);
        let mut reader = Town::new(dir.path(), "Stadt Bonn", "053140000000");
        relay.befriend(&owner);
        relay.befriend(&reader);
        owner.publish("service", &["title.de=Wohngeld"]);
        let changed = owner.publish("service", &["title.de=Sperrmüll", &format!("texts.notes.de={OLD}")]);
        eventually("the reader has the old state", || notes(&reader.shown(&changed)) == OLD);
        reader.wait_in_sync(&relay);
        reader.stop();
        let organisation: OrgId = owner.organisation.parse().expect("an id");
        let feed = FeedId { organisation, collection: CollectionId::named(&organisation, "public") };
        relay.stop();
        let (old, old_chunks) = with_store(&relay.dir, |store| read(store, &feed, &id(&changed)));
        relay.start();
        Self { dir, owner, relay, reader, changed, added: Vec::new(), feed, old, old_chunks }
    }

    /// The owner publishes more and goes; the relay changes what it holds, and the reader meets it alone.
    fn deceive(&mut self, change: impl FnOnce(&Store, &FeedId, &EntryId)) {
        self.owner.ok(&["edit", &self.changed, &format!("texts.notes.de={NEW}")]);
        self.owner.publish_entry(&self.changed);
        for title in ["title.de=Fundbüro", "title.de=Hundesteuer"] {
            self.added.push(self.owner.publish("service", &[title]));
        }
        let last = self.added.last().expect("just added").clone();
        eventually("the relay has everything", || {
            notes(&self.relay.shown(&self.changed)) == NEW && self.relay.shown(&last)["meta"]["state"] == "published"
        });
        self.owner.wait_in_sync(&self.relay);
        self.owner.stop();
        self.relay.stop();
        copy(&self.relay.dir, &self.honest());
        with_store(&self.relay.dir, |store| change(store, &self.feed, &id(&self.changed)));
        self.relay.start();
        self.reader.start();
    }

    fn honest(&self) -> PathBuf {
        self.dir.path().join("honest")
    }

    fn the_relay_is_named(&self, kind: &str) -> Value {
        let alarm = eventually_alarm(&self.reader, kind);
        assert_eq!(alarm["partner"], "Stadt Köln", "{alarm}");
        assert!(alarm["message"].as_str().is_some_and(|text| text.contains("Stadt Köln")), "{alarm}");
        alarm
    }

    fn what_was_there_stays(&self) {
        let shown = self.reader.shown(&self.changed);
        assert_eq!(notes(&shown), OLD, "{shown}");
        assert_eq!((&shown["meta"]["state"], &shown["meta"]["verified"]), (&json!("published"), &json!(true)));
        self.reader.check_store();
    }

    /// The relay gets back what it had, and the reader has everything although the owner is still away.
    fn all_is_well_with_an_honest_relay(&mut self) {
        self.relay.stop();
        std::fs::remove_dir_all(&self.relay.dir).expect("removed");
        copy(&self.honest(), &self.relay.dir);
        self.relay.start();
        self.the_reader_has_everything();
    }

    /// Relay and reader are repaired by what the owner has.
    fn the_owner_comes_back(&mut self) {
        self.owner.start();
        self.the_reader_has_everything();
        eventually("the relay is repaired too", || notes(&self.relay.shown(&self.changed)) == NEW);
        self.relay.check_store();
    }

    fn the_reader_has_everything(&self) {
        eventually("the new state arrives", || {
            notes(&self.reader.shown(&self.changed)) == NEW
                && self.added.iter().all(|entry| self.reader.shown(entry)["meta"]["state"] == "published")
        });
        eventually("relay and reader hold the same", || {
            self.reader.cli(&["compare", "Stadt Köln"]).json["identical"] == json!(true)
        });
        self.reader.check_store();
    }
}

fn eventually_alarm(town: &Town, kind: &str) -> Value {
    eventually_some(&format!("an alarm {kind} at {}", town.name), || {
        town.alarms().into_iter().find(|alarm| alarm["kind"] == *kind)
    })
}

fn notes(shown: &Value) -> &str {
    shown["entry"]["texts"]["notes"]["de"].as_str().unwrap_or_default()
}

fn id(text: &str) -> EntryId {
    text.parse().expect("an entry id")
}

/// Opens the store of a daemon that is stopped.
fn with_store<T>(data_dir: &Path, work: impl FnOnce(&Store) -> T) -> T {
    let (store, report) = Store::open(&data_dir.join("store"), Options::default()).expect("the daemon is stopped");
    assert!(report.rebuilt.is_none());
    let result = work(&store);
    store.close().expect("it closes");
    result
}

fn read(store: &Store, feed: &FeedId, entry: &EntryId) -> (Record, Vec<Vec<u8>>) {
    let (record, document) = store.record_with_document(feed, entry).expect("readable").expect("there");
    (record, document.chunks)
}

/// Puts a record and its document in place of those that are there.
fn write(store: &Store, record: &Record, bytes: &[u8], chunks: Vec<Vec<u8>>) {
    let mut batch = Batch::new(Origin::Foreign);
    batch.put_record(record.feed, record.entry, record.position, record.generation, true, bytes);
    let document =
        DocumentId { collection: record.feed.collection, entry: record.entry, generation: record.generation };
    batch.replace_chunks(Side::Published, document, chunks);
    store.commit(batch).expect("written");
}

fn position_of(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).position(|window| window == wanted).expect("it is in there")
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp runs");
    assert!(status.success());
}
