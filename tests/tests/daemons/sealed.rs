//! Sealed copies: a partner keeps an encrypted copy of what no partner could give back otherwise.

use std::fs;
use std::path::{Path, PathBuf};

use ortsnetz_tests::{Town, eventually};
use serde_json::{Value, json};

const SIEGBURG: &str = "053820060060";
const BONN: &str = "053140000000";
const KOELN: &str = "053150000000";

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// What a town says of one of its keepers.
fn keeper(town: &Town, name: &str) -> Value {
    let listed = town.ok(&["keepers", "list"]);
    let all = listed["keepers"].as_array().cloned().unwrap_or_default();
    all.into_iter().find(|keeper| keeper["name"] == name).unwrap_or(Value::Null)
}

fn up_to_date(town: &Town, name: &str) -> bool {
    keeper(town, name)["up_to_date"] == json!(true)
}

/// Whole copies of a town at its keeper, as files.
fn copies(keeper: &Town, of: &Town) -> Vec<PathBuf> {
    let Ok(items) = fs::read_dir(keeper.dir.join("kept").join(&of.organisation)) else { return Vec::new() };
    let mut files: Vec<_> = items.flatten().map(|item| item.path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "age"));
    files.sort();
    files
}

fn kinds(town: &Town) -> Vec<String> {
    town.alarms().iter().filter_map(|alarm| alarm["kind"].as_str().map(str::to_owned)).collect()
}

fn sheet(town: &Town, dir: &Path) -> PathBuf {
    let sheet = dir.join("blatt.txt");
    town.ok(&["identity", "sheet", "--out", text(&sheet)]);
    sheet
}

#[test]
fn a_town_loses_its_disk_and_its_drafts_come_back_from_the_sheet_and_a_partner() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut town = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let bonn = Town::new(dir.path(), "Stadt Bonn", BONN);
    let koeln = Town::new(dir.path(), "Stadt Köln", KOELN);
    town.befriend(&bonn);
    town.befriend(&koeln);
    let staff = json!([{"channel": "phone", "value": "+49 2241 102-12"}]);
    let contacts = format!("companions.internal.staff_contacts={staff}");
    let id = town.publish("service", &["title.de=Hundesteuer", &contacts]);
    let inner = town.publish("service", &["title.de=Schlüsselverzeichnis", "collection=internal"]);
    let draft = town.create("service", &["title.de=Nur ein Entwurf"]);
    let theirs = bonn.publish("service", &["title.de=Reisepass in Bonn"]);
    town.wait_in_sync(&bonn);

    // Nobody agreed yet: said, not silent.
    town.ok(&["keepers", "add", "Stadt Bonn"]);
    let listed = town.ok(&["keepers", "send"]);
    let problem = listed["keepers"][0]["problem"].as_str().unwrap_or_default();
    assert!(problem.contains("nobody at Stadt Bonn has agreed"), "{listed}");
    assert!(town.ok(&["doctor"])["checks"].to_string().contains("nobody at Stadt Bonn has agreed"));
    let listed = bonn.ok(&["keepers", "allow", "Stadt Siegburg", "--megabytes", "100"]);
    assert_eq!(listed["kept"][0]["bytes_max"], json!(100_000_000));
    let listed = town.ok(&["keepers", "send"]);
    assert!(listed["keepers"][0]["up_to_date"] == json!(true), "{listed}");
    eventually("Bonn proves it", || !keeper(&town, "Stadt Bonn")["proved_at"].is_null());
    let status = town.status();
    assert_eq!(status["keepers"][0]["copy"], town.ok(&["keepers", "list"])["copy"], "{status}");
    assert!(!town.dir.join("sealed/copy.age").exists(), "it is where it should be");
    let files = copies(&bonn, &town);
    assert_eq!(files.len(), 1);
    let sealed = fs::read(&files[0]).expect("the copy");
    assert!(sealed.starts_with(b"age-encryption.org/v1\n-> X25519 "));
    assert_eq!(bonn.ok(&["keepers", "list"])["kept"][0]["copies"][0]["bytes"], json!(sealed.len()));

    // Nothing is new: nothing is sent. Then something is.
    town.ok(&["keepers", "send"]);
    assert_eq!(copies(&bonn, &town), files);
    town.ok(&["edit", &draft, "title.de=Ein Entwurf, der besser ist"]);
    town.ok(&["keepers", "send"]);
    assert_eq!(copies(&bonn, &town).len(), 2, "the old one stays");
    // After that copy: published, so partners have it; and a draft that nobody has.
    town.ok(&["edit", &id, "title.de=Hundesteuer anmelden"]);
    town.publish_entry(&id);
    let lost = town.create("service", &["title.de=Nach der Kopie"]);
    town.wait_in_sync(&bonn);
    town.wait_in_sync(&koeln);

    let (sheet, passphrase) = (sheet(&town, dir.path()), town.passphrase.clone());
    town.kill();
    fs::remove_dir_all(&town.dir).expect("the data directory");
    let mut back = Town::blank(dir.path(), "wieder-da", SIEGBURG);
    let recovered = back.ok(&["recover", text(&sheet), "--passphrase", &passphrase]);
    assert_eq!(recovered["sealed_copy"]["from"], json!(["Stadt Bonn"]), "{recovered}");
    assert_eq!(recovered["revoked"].as_array().map(Vec::len), Some(1), "{recovered}");
    let missing = recovered["not_back"].to_string();
    assert!(!missing.contains("internal") && missing.contains("after the sealed copy"), "{missing}");
    assert!(!back.dir.join("sealed-copy.age").exists() && !back.dir.join("backup.tmp").exists());
    back.organisation.clone_from(&town.organisation);
    back.node = recovered["node"]["id"].as_str().expect("a node").to_owned();
    back.start();
    back.wait_in_sync(&bonn);
    back.wait_in_sync(&koeln);
    assert_eq!(back.draft(&draft)["entry"]["title"]["de"], "Ein Entwurf, der besser ist");
    assert_eq!(back.shown(&inner)["entry"]["title"]["de"], "Schlüsselverzeichnis");
    let entry = &back.shown(&id)["entry"];
    assert_eq!(
        (&entry["title"]["de"], &entry["companions"]["internal"]["staff_contacts"]),
        (&json!("Hundesteuer anmelden"), &staff)
    );
    assert_eq!(back.shown(&theirs)["entry"]["title"]["de"], "Reisepass in Bonn");
    assert!(back.draft(&lost).is_null(), "nobody had it");
    assert_eq!(back.ok(&["compare", "Stadt Bonn"])["identical"], json!(true));
    assert_eq!(back.row_of(&bonn)["confirmed"], json!(true), "what a person confirmed is known again");
    // The draft can be published, and the next copy goes to the same keeper.
    eventually("it publishes", || back.cli(&["publish", &draft]).code == 0);
    eventually("Köln reads it", || koeln.shown(&draft)["meta"]["state"] == "published");
    back.ok(&["keepers", "send"]);
    assert!(up_to_date(&back, "Stadt Bonn"), "{}", keeper(&back, "Stadt Bonn"));
    back.check_store();
    for town in [&back, &bonn, &koeln] {
        let bad = ["invalid_record", "invalid_statements", "equivocation", "cloned", "misbehaved", "sealed_copy_lost"];
        assert!(!kinds(town).iter().any(|kind| bad.contains(&kind.as_str())), "{:?}", town.alarms());
        assert!(!town.status()["tasks"].to_string().contains("set_aside"), "{}", town.status()["tasks"]);
    }
}

#[test]
fn a_copy_is_fetched_into_a_file_and_restored_with_the_sheet() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut town = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let bonn = Town::new(dir.path(), "Stadt Bonn", BONN);
    town.befriend(&bonn);
    let id = town.publish("service", &["title.de=Hundesteuer"]);
    let draft = town.create("service", &["title.de=Nur ein Entwurf"]);
    let theirs = bonn.publish("service", &["title.de=Reisepass in Bonn"]);
    town.wait_in_sync(&bonn);
    let file = dir.path().join("kopie.age");
    let nothing = town.cli(&["keepers", "fetch", text(&file)]);
    assert!(nothing.code == 1 && nothing.stderr.contains("no partner that is connected has one"), "{}", nothing.stderr);
    assert!(!file.exists());
    bonn.ok(&["keepers", "allow", "Stadt Siegburg", "--megabytes", "100"]);
    town.ok(&["keepers", "add", "Stadt Bonn"]);
    eventually("it is sent by itself", || up_to_date(&town, "Stadt Bonn"));
    let fetched = town.ok(&["keepers", "fetch", text(&file)]);
    assert_eq!(fetched["from"], json!(["Stadt Bonn"]));
    assert!(fs::read(&file).expect("a copy") == fs::read(&copies(&bonn, &town)[0]).expect("the same"));
    let there = town.cli(&["keepers", "fetch", text(&file)]);
    assert!(there.code == 1 && there.stderr.contains("exists already"), "{}", there.stderr);
    let (sheet, passphrase) = (sheet(&town, dir.path()), town.passphrase.clone());
    town.kill();
    fs::remove_dir_all(&town.dir).expect("the data directory");
    let wrong = town.cli(&["restore", text(&file), "--sheet", text(&sheet), "--passphrase", "falsch"]);
    assert!(wrong.code == 1 && !town.dir.exists(), "{}", wrong.stderr);
    let restored = town.ok(&["restore", text(&file), "--sheet", text(&sheet), "--passphrase", &passphrase]);
    assert_eq!(restored["organisation"]["name"], "Stadt Siegburg");
    town.start();
    town.wait_in_sync(&bonn);
    assert_eq!(town.draft(&draft)["entry"]["title"]["de"], "Nur ein Entwurf");
    assert_eq!(town.shown(&id)["entry"]["title"]["de"], "Hundesteuer");
    eventually("what partners have comes again", || town.shown(&theirs)["entry"]["title"]["de"] == "Reisepass in Bonn");
    assert_eq!(town.ok(&["compare", "Stadt Bonn"])["identical"], json!(true));
    town.check_store();
}

#[test]
fn a_keeper_whose_disk_loses_the_copy_is_found_out_and_gets_a_new_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let town = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let bonn = Town::new(dir.path(), "Stadt Bonn", BONN);
    town.befriend(&bonn);
    town.create("service", &["title.de=Nur ein Entwurf"]);
    bonn.ok(&["keepers", "allow", "Stadt Siegburg", "--megabytes", "100"]);
    town.ok(&["keepers", "add", "Stadt Bonn"]);
    eventually("Bonn proves it", || !keeper(&town, "Stadt Bonn")["proved_at"].is_null());
    let file = copies(&bonn, &town).remove(0);
    let mut bytes = fs::read(&file).expect("the copy");
    bytes.iter_mut().for_each(|byte| *byte ^= 1);
    fs::write(&file, bytes).expect("damage");
    // Asked by hand; otherwise once a day.
    town.ok(&["keepers", "send"]);
    eventually("it is found out", || kinds(&town).contains(&"sealed_copy_lost".to_owned()));
    eventually("a new one is there", || up_to_date(&town, "Stadt Bonn") && !copies(&bonn, &town).contains(&file));
}

#[test]
fn what_was_agreed_is_all_that_is_taken_and_deleted_when_it_ends() {
    let dir = tempfile::tempdir().expect("a directory");
    let town = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let bonn = Town::new(dir.path(), "Stadt Bonn", BONN);
    town.befriend(&bonn);
    // More than one megabyte that nothing packs: each text another one.
    let noise = |n: u64| {
        (0..4000u64)
            .map(|i| format!("{:x}", (i * 7919 + n) * 2_654_435_761 % 999_999_937))
            .collect::<Vec<_>>()
            .join(" ")
    };
    for n in 0..60 {
        town.create(
            "service",
            &[&format!("title.de=Leistung {n}"), &format!("texts.description.de={}", noise(n * 104_729))],
        );
    }
    for (megabytes, said) in [("0", "1 to"), ("34360", "1 to")] {
        let refused = bonn.cli(&["keepers", "allow", "Stadt Siegburg", "--megabytes", megabytes]);
        assert!(refused.code == 2 && refused.stderr.contains(said), "{}", refused.stderr);
    }
    bonn.ok(&["keepers", "allow", "Stadt Siegburg", "--megabytes", "34359"]);
    bonn.ok(&["keepers", "allow", "Stadt Siegburg", "--megabytes", "1"]);
    town.ok(&["keepers", "add", "Stadt Bonn"]);
    let problem = || keeper(&town, "Stadt Bonn")["problem"].as_str().unwrap_or_default().to_owned();
    eventually("it is refused", || problem().contains("agreed are 1000000 for both"));
    assert!(copies(&bonn, &town).is_empty());
    bonn.ok(&["keepers", "allow", "Stadt Siegburg", "--megabytes", "100"]);
    town.ok(&["keepers", "send"]);
    assert!(up_to_date(&town, "Stadt Bonn"), "{}", problem());
    let unknown = town.cli(&["keepers", "remove", "Stadt Siegburg"]);
    assert!(unknown.code == 1 && unknown.stderr.contains("is no keeper of ours"), "{}", unknown.stderr);
    bonn.ok(&["keepers", "deny", "Stadt Siegburg"]);
    assert!(!bonn.dir.join("kept").join(&town.organisation).exists());
    let twice = bonn.cli(&["keepers", "deny", "Stadt Siegburg"]);
    assert!(twice.code == 1 && twice.stderr.contains("nothing of Stadt Siegburg is kept here"), "{}", twice.stderr);
    let listed = town.ok(&["keepers", "remove", "Stadt Bonn"]);
    assert_eq!(listed["keepers"], json!([]));
    let nobody = town.cli(&["keepers", "send"]);
    assert!(nobody.code == 1 && nobody.stderr.contains("keepers add PARTNER"), "{}", nobody.stderr);
}
