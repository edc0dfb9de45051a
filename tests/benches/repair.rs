//! What it takes to find and mend a record that is missing or altered at a partner: `make bench-repair`.
//!
//! Two towns, 4,000 entries. The reader is stopped, a row of its store is taken away, or replaced by the one before, as a
//! damaged disk or a restored file does it; then it starts again, and everything both say until it is right is counted.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::fs;

use ortsnetz_model::{CollectionId, EntryId, FeedId, OrgId};
use ortsnetz_store::{Batch, Key, Options, Origin, Store};
use ortsnetz_tests::{Town, eventually};
use serde_json::json;

/// Entries of the owner.
const ENTRIES: u32 = 4000;
/// Bars of the design.
const ROUND_TRIPS_MAX: u64 = 4;
const BYTES_MAX: u64 = 8 * 1024;

fn main() {
    let dir = tempfile::tempdir().expect("a directory");
    let owner = Town::new(dir.path(), "Stadt Siegburg", "053820060060");
    let mut reader = Town::new(dir.path(), "Stadt Bonn", "053140000000");
    owner.befriend(&reader);
    let file = dir.path().join("entries.jsonl");
    let line = |number: u32| {
        let identifier = json!({ "agency": "bench", "scheme": "LB", "value": number.to_string() });
        let text = format!("Leistung {number} wird im Bürgeramt erbracht. Bringen Sie Ihren Ausweis mit.");
        json!({ "kind": "service", "identifier": identifier, "title": { "de": format!("Leistung {number}") },
            "texts": { "description": { "de": text } } })
        .to_string()
    };
    fs::write(&file, (0..ENTRIES).map(line).collect::<Vec<_>>().join("\n")).expect("written");
    owner.ok(&["import", file.to_str().expect("UTF-8"), "--publish"]);
    let id = owner.publish("service", &["title.de=Hundesteuer"]);
    synced(&owner, &reader, &id, "Hundesteuer");

    let organisation: OrgId = owner.organisation.parse().expect("an id");
    let feed = FeedId { organisation, collection: CollectionId::named(&organisation, "public") };
    let entry: EntryId = id.parse().expect("an id");
    let row = Key::Record { feed, entry };
    reader.stop();
    let before = open(&reader).get(&row).expect("it can be read").expect("it is there");
    reader.start();
    owner.ok(&["edit", &id, "title.de=Hundesteuer, neu"]);
    owner.publish_entry(&id);
    synced(&owner, &reader, &id, "Hundesteuer, neu");

    println!("{ENTRIES} entries; frames and bytes of both directions, from the greeting on");
    let nothing = cost(&owner, &mut reader, 0, |_| {});
    println!(
        "  {:<24} {:>3} frames there, {:>3} back, {:>5} B",
        "nothing is wrong", nothing.sent, nothing.received, nothing.bytes
    );
    let mut missed = 0;
    for (name, replaced) in [("a record is missing", None), ("a record is altered", Some(before))] {
        let cost = cost(&owner, &mut reader, 1, |batch| {
            match &replaced {
                None => batch.delete(row.clone()),
                Some(bytes) => batch.put(row.clone(), bytes.clone()),
            };
        });
        assert_eq!(reader.shown(&id)["entry"]["title"]["de"], "Hundesteuer, neu");
        // Each question has its answer; what goes out beside them, greeting and confirmation, is none.
        let round_trips = cost.received.saturating_sub(nothing.received);
        let met = round_trips <= ROUND_TRIPS_MAX && cost.bytes <= BYTES_MAX;
        missed += usize::from(!met);
        println!(
            "  {name:<24} {:>3} frames there, {:>3} back, {:>5} B: {round_trips} round trips   bar {ROUND_TRIPS_MAX}, {BYTES_MAX} B {}",
            cost.sent,
            cost.received,
            cost.bytes,
            if met { "met" } else { "MISSED" },
        );
    }
    assert_eq!(owner.ok(&["compare", &reader.name])["identical"], json!(true));
    println!("{}", if missed == 0 { "held" } else { "missed" });
}

fn open(town: &Town) -> Store {
    Store::open(&town.dir.join("store"), Options::default()).expect("the daemon is stopped").0
}

fn synced(owner: &Town, reader: &Town, id: &str, title: &str) {
    eventually("the reader has it", || reader.shown(id)["entry"]["title"]["de"] == title);
    owner.wait_in_sync(reader);
}

struct Cost {
    sent: u64,
    received: u64,
    bytes: u64,
}

/// Changes the store of the stopped reader, starts it, and counts until so many entries are repaired and both are in sync.
fn cost(owner: &Town, reader: &mut Town, repaired: u64, change: impl FnOnce(&mut Batch)) -> Cost {
    reader.stop();
    let store = open(reader);
    let mut batch = Batch::new(Origin::Foreign);
    change(&mut batch);
    store.commit(batch).expect("written");
    store.close().expect("it closes");
    reader.start();
    eventually("it is repaired", || reader.metric("ortsnetz_sync_repaired_total") as u64 >= repaired);
    owner.wait_in_sync(reader);
    let count = |name: &str| reader.metric(&format!("ortsnetz_sync_{name}_total")) as u64;
    let bytes = count("bytes_sent") + count("bytes_received");
    Cost { sent: count("frames_sent"), received: count("frames_received"), bytes }
}
