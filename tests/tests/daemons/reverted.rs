//! Machines whose disk was set back without telling them, as a reverted snapshot does, and machines that run twice.

use std::fs;
use std::path::{Path, PathBuf};

use ortsnetz_tests::{Town, eventually, eventually_some};
use serde_json::json;

const SIEGBURG: &str = "053820060060";
const BONN: &str = "053140000000";

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for item in fs::read_dir(from).expect("a directory") {
        let item = item.expect("an item");
        let to = to.join(item.file_name());
        if item.file_type().expect("its kind").is_dir() {
            copy(&item.path(), &to);
        } else {
            fs::copy(item.path(), to).expect("a copy");
        }
    }
}

fn kinds(town: &Town, what: &str) -> Vec<String> {
    let all = town.status()[what].as_array().cloned().unwrap_or_default();
    all.iter().filter_map(|item| item["kind"].as_str().map(str::to_owned)).collect()
}

/// A town that runs on after its data directory was copied, its partner, what both held then, and the copy.
fn photographed(dir: &Path) -> (Town, Town, String, PathBuf) {
    let mut town = Town::new(dir, "Stadt Siegburg", SIEGBURG);
    let bonn = Town::new(dir, "Stadt Bonn", BONN);
    town.befriend(&bonn);
    let id = town.publish("service", &["title.de=alt"]);
    town.wait_in_sync(&bonn);
    town.kill();
    let snapshot = dir.join("snapshot");
    copy(&town.dir, &snapshot);
    town.start();
    (town, bonn, id, snapshot)
}

#[test]
fn a_disk_that_was_set_back_is_noticed_and_nothing_published_is_lost() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut town, bonn, id, snapshot) = photographed(dir.path());
    town.ok(&["edit", &id, "title.de=neu"]);
    town.publish_entry(&id);
    let newer = town.publish("service", &["title.de=nach dem Schnappschuss"]);
    eventually("Bonn holds both", || {
        bonn.shown(&newer)["meta"]["state"] == "published" && bonn.shown(&id)["entry"]["title"]["de"] == "neu"
    });
    town.kill();
    fs::remove_dir_all(&town.dir).expect("the data directory");
    copy(&snapshot, &town.dir);

    town.start();
    eventually("its own data is back", || town.shown(&newer)["meta"]["state"] == "published");
    assert_eq!(town.shown(&id)["entry"]["title"]["de"], "neu");
    assert!(kinds(&town, "alarms").contains(&"rolled_back".to_owned()), "{:?}", town.alarms());
    town.ok(&["edit", &id, "title.de=danach"]);
    town.publish_entry(&id);
    eventually("Bonn reads it", || bonn.shown(&id)["entry"]["title"]["de"] == "danach");
    town.wait_in_sync(&bonn);
    assert_eq!(town.ok(&["compare", "Stadt Bonn"])["identical"], json!(true));
    for town in [&town, &bonn] {
        assert!(!kinds(town, "tasks").contains(&"set_aside".to_owned()), "{}", town.status()["tasks"]);
        let bad = ["invalid_record", "equivocation", "cloned"];
        assert!(!kinds(town, "alarms").iter().any(|kind| bad.contains(&kind.as_str())), "{:?}", town.alarms());
    }
    town.check_store();
}

#[test]
fn who_published_on_a_disk_that_was_set_back_hears_what_does_not_count_any_more() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut town, mut bonn, id, snapshot) = photographed(dir.path());
    let newer = town.publish("service", &["title.de=nach dem Schnappschuss"]);
    town.ok(&["edit", &id, "title.de=neu"]);
    town.publish_entry(&id);
    eventually("Bonn holds both", || {
        bonn.shown(&newer)["meta"]["state"] == "published" && bonn.shown(&id)["entry"]["title"]["de"] == "neu"
    });
    town.kill();
    bonn.stop();
    fs::remove_dir_all(&town.dir).expect("the data directory");
    copy(&snapshot, &town.dir);
    town.start();
    // Nobody is there who could tell it.
    town.ok(&["edit", &id, "title.de=anders"]);
    town.publish_entry(&id);
    bonn.start();
    eventually("Bonn reads it", || bonn.shown(&id)["entry"]["title"]["de"] == "anders");
    eventually("it hears of both", || kinds(&town, "alarms").iter().filter(|kind| *kind == "given_back").count() == 2);
    assert_eq!(town.draft(&id)["entry"]["title"]["de"], "neu");
    assert_eq!(town.draft(&newer)["entry"]["title"]["de"], "nach dem Schnappschuss");
    town.wait_in_sync(&bonn);
    assert_eq!(town.ok(&["compare", "Stadt Bonn"])["identical"], json!(true));
    // Who reads it by way of Bonn gets what was signed last and nothing of what was signed before.
    let koeln = Town::new(dir.path(), "Stadt Köln", "053150000000");
    bonn.befriend(&koeln);
    eventually("Köln reads it", || koeln.shown(&id)["entry"]["title"]["de"] == "anders");
    assert!(!kinds(&koeln, "alarms").contains(&"invalid_record".to_owned()), "{:?}", koeln.alarms());
    // Nobody's entry is blocked.
    town.ok(&["edit", &id, "title.de=danach"]);
    town.publish_entry(&id);
    eventually("Bonn reads it", || bonn.shown(&id)["entry"]["title"]["de"] == "danach");
    town.publish_entry(&newer);
    eventually("Bonn reads it again", || bonn.shown(&newer)["entry"]["title"]["de"] == "nach dem Schnappschuss");
    town.wait_in_sync(&bonn);
    assert_eq!(town.ok(&["compare", "Stadt Bonn"])["identical"], json!(true));
    assert!(!kinds(&bonn, "tasks").contains(&"set_aside".to_owned()), "taken over: {}", bonn.status()["tasks"]);
}

/// The task about records set aside, if there is one.
fn set_aside(town: &Town) -> Option<String> {
    let tasks = town.status()["tasks"].as_array().cloned().unwrap_or_default();
    let task = tasks.into_iter().find(|task| task["kind"] == "set_aside")?;
    task["message"].as_str().map(str::to_owned)
}

#[test]
fn what_does_not_count_after_a_copy_ran_is_named_until_it_is_published_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut town = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let bonn = Town::new(dir.path(), "Stadt Bonn", BONN);
    town.befriend(&bonn);
    town.wait_in_sync(&bonn);
    town.stop();
    let mut clone = Town::blank(dir.path(), "kopie", SIEGBURG);
    copy(&town.dir, &clone.dir);
    // The original starts first: what it publishes is older than what the copy does, and is what does not count.
    town.start();
    clone.start();
    let original = town.publish("service", &["title.de=vom Original"]);
    let copied = clone.publish("service", &["title.de=von der Kopie"]);
    eventually("the original hears of the copy", || town.shown(&copied)["meta"]["state"] == "published");
    let task = eventually_some("it is named", || set_aside(&town));
    assert!(task.contains(&format!("\"vom Original\" ({original})")) && !task.contains(&copied), "{task}");
    clone.stop();
    town.ok(&["publisher", "take"]);
    town.wait_in_sync(&bonn);
    for town in [&town, &bonn] {
        town.check_store();
        assert_eq!(town.shown(&copied)["entry"]["title"]["de"], "von der Kopie");
    }
    let shown = town.shown(&original);
    assert_eq!((&shown["meta"]["state"], &shown["entry"]["title"]["de"]), (&json!("draft"), &json!("vom Original")));
    assert!(bonn.shown(&original).is_null(), "{}", bonn.shown(&original));

    town.ok(&["publish", "--all"]);
    eventually("Bonn reads it", || bonn.shown(&original)["meta"]["state"] == "published");
    town.wait_in_sync(&bonn);
    assert_eq!(town.ok(&["compare", "Stadt Bonn"])["identical"], json!(true));
    for town in [&town, &bonn] {
        assert_eq!(set_aside(town), None);
        town.check_store();
    }
    town.ok(&["edit", &original, "title.de=danach"]);
    town.publish_entry(&original);
    eventually("Bonn reads it", || bonn.shown(&original)["entry"]["title"]["de"] == "danach");
    assert!(!kinds(&bonn, "alarms").contains(&"invalid_record".to_owned()), "{:?}", bonn.alarms());
    town.check_store();
}
