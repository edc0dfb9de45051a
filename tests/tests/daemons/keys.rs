//! What an administrator does when a machine is lost, with real daemons: its thief goes on with the key.

use std::fs;
use std::path::Path;

use ortsnetz_tests::{Town, eventually};
use serde_json::{Value, json};

const SIEGBURG: &str = "053820060060";
const BONN: &str = "053140000000";

fn sentences(town: &Town, what: &str, kind: &str) -> String {
    let all = town.status()[what].as_array().cloned().unwrap_or_default();
    let of_kind = all.iter().filter(|item| item["kind"] == *kind);
    of_kind.filter_map(|item| item["message"].as_str()).collect::<Vec<_>>().join("\n")
}

fn title(shown: &Value) -> &str {
    shown["entry"]["title"]["de"].as_str().unwrap_or_default()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for item in fs::read_dir(from).expect("a directory") {
        let item = item.expect("an item");
        let target = to.join(item.file_name());
        if item.file_type().expect("a type").is_dir() {
            copy(&item.path(), &target);
        } else {
            fs::copy(item.path(), target).expect("a copy");
        }
    }
}

#[test]
fn a_stolen_laptop_is_revoked_told_so_and_nothing_it_writes_afterwards_counts() {
    let dir = tempfile::tempdir().expect("a directory");
    let hall = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let bonn = Town::new(dir.path(), "Stadt Bonn", BONN);
    let mut laptop = hall.further_node(dir.path(), "laptop");
    hall.befriend(&bonn);
    let dog = hall.publish("service", &["title.de=Hundesteuer"]);
    eventually("the laptop reads it", || title(&laptop.shown(&dog)) == "Hundesteuer");
    laptop.ok(&["edit", &dog, "title.de=Hundesteuer anmelden"]);
    assert_eq!(laptop.ok(&["publish", &dog])["requested"], json!([dog]));
    eventually("Bonn reads what the laptop asked for", || title(&bonn.shown(&dog)) == "Hundesteuer anmelden");
    let draft = laptop.create("service", &["title.de=Jahrmarkt"]);
    eventually("the town hall has the draft", || title(&hall.draft(&draft)) == "Jahrmarkt");
    hall.wait_in_sync(&laptop);

    // Its thief has the whole disk, and for now only that.
    laptop.stop();
    let mut thief = Town::blank(dir.path(), "thief", SIEGBURG);
    copy(&laptop.dir, &thief.dir);
    (thief.organisation, thief.node) = (laptop.organisation.clone(), laptop.node.clone());
    let listed = hall.ok(&["nodes", "list"]);
    let row = listed.as_array().expect("nodes").iter().find(|row| row["id"] == *laptop.node).expect("the laptop");
    assert_eq!((&row["state"], &row["roles"], &row["here"]), (&json!("valid"), &json!(["edit"]), &json!(false)));
    let name = row["name"].as_str().expect("a name").to_owned();
    for (wrong, code, part) in
        [("Keller", 1, "there is no own node"), (hall.node.as_str(), 1, "that is this node itself")]
    {
        let refused = hall.cli(&["nodes", "revoke", wrong]);
        assert!(refused.code == code && refused.stderr.contains(part), "{}", refused.stderr);
    }
    let report = hall.ok(&["nodes", "revoke", &name]);
    assert_eq!((&report["node"]["state"], &report["publisher"]["here"]), (&json!("revoked"), &json!(true)));
    assert_eq!(report["published"][0]["id"], json!(dog), "{report}");
    assert_eq!(report["published"][0]["how"], "requested");
    assert_eq!(report["drafts"], json!([{"id": draft, "title": "Jahrmarkt"}]));
    let again = hall.cli(&["nodes", "revoke", &name]);
    assert!(again.code == 1 && again.stderr.contains("taken back already"), "{}", again.stderr);
    let kept = sentences(&hall, "tasks", "drafts_of_revoked_node");
    assert!(kept.contains(&name) && kept.contains("Jahrmarkt") && kept.contains("They are kept"), "{kept}");

    // It writes before it has heard anything, and hears it from whoever it calls.
    thief.start();
    let late = thief.cli(&["create", "service", "title.de=Bargeld mitbringen"]);
    eventually("the thief is told", || !sentences(&thief, "alarms", "revoked").is_empty());
    let told = sentences(&thief, "alarms", "revoked");
    assert!(told.contains("Stadt Siegburg took the certificate of this node back at 20"), "{told}");
    let refused = thief.cli(&["edit", &dog, "title.de=Kostenlos"]);
    assert!(refused.code == 1 && refused.stderr.contains("took the certificate"), "{}", refused.stderr);
    assert_eq!(thief.cli(&["doctor"]).code, 1);
    assert_eq!(title(&thief.draft(&draft)), "Jahrmarkt", "what it holds stays readable");
    eventually("somebody logs who called", || {
        [&hall, &bonn].iter().any(|town| {
            let log = town.log();
            log.lines().any(|line| line.contains("certificate was taken back called") && line.contains(&laptop.node))
        })
    });
    // It forgets that it was told, and calls again and again.
    thief.kill();
    fs::remove_dir_all(&thief.dir).expect("the directory");
    copy(&laptop.dir, &thief.dir);
    thief.start();
    eventually("the thief is told again", || !sentences(&thief, "alarms", "revoked").is_empty());
    for town in [&hall, &bonn] {
        let told = town.log().lines().filter(|line| line.contains("certificate was taken back called")).count();
        assert!(told <= 1, "{}: a log is not filled by calling: {told}", town.name);
    }
    if let Some(late) = late.json["id"].as_str() {
        for town in [&hall, &bonn] {
            assert!(town.shown(late).is_null() && town.draft(late).is_null());
        }
    }
    for town in [&hall, &bonn] {
        assert_eq!(title(&town.shown(&dog)), "Hundesteuer anmelden");
    }
    assert!(hall.row_of(&thief).is_null(), "it is no node of the town any more");

    // The town goes on, with a new laptop; somebody who comes later reads the same.
    let new = hall.further_node(dir.path(), "new-laptop");
    hall.ok(&["edit", &dog, "title.de=Hundesteuer zahlen"]);
    hall.publish_entry(&dog);
    let huerth = Town::new(dir.path(), "Stadt Hürth", "053620028028");
    hall.befriend(&huerth);
    for town in [&bonn, &huerth, &new] {
        eventually("all read what is new", || title(&town.shown(&dog)) == "Hundesteuer zahlen");
    }
    eventually("the kept draft is everywhere", || title(&new.draft(&draft)) == "Jahrmarkt");
    hall.publish_entry(&draft);
    eventually("and can be published", || title(&bonn.shown(&draft)) == "Jahrmarkt");
    assert_eq!(sentences(&hall, "tasks", "drafts_of_revoked_node"), "");
    for town in [&hall, &bonn, &huerth] {
        town.check_store();
        let bad = ["invalid_record", "invalid_statements", "equivocation", "cloned", "extra", "withheld"];
        assert!(!town.alarms().iter().any(|alarm| bad.contains(&alarm["kind"].as_str().unwrap_or_default())));
    }
}

#[test]
fn a_stolen_publisher_loses_its_term_and_its_certificate_in_one_command() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut old = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let mut bonn = Town::new(dir.path(), "Stadt Bonn", BONN);
    old.befriend(&bonn);
    let dog = old.publish("service", &["title.de=Hundesteuer"]);
    old.wait_in_sync(&bonn);
    let sheet = dir.path().join("blatt.txt");
    let file = sheet.to_str().expect("UTF-8");
    old.ok(&["identity", "sheet", "--out", file]);
    // A second machine with the root key, beside the first, which publishes again.
    let mut new = Town::blank(dir.path(), "neu", SIEGBURG);
    let recovered = new.ok(&["recover", file, "--passphrase", &old.passphrase, "--keep-nodes"]);
    (new.organisation, new.node) =
        (old.organisation.clone(), recovered["node"]["id"].as_str().expect("a node").to_owned());
    new.start();
    new.wait_in_sync(&bonn);
    eventually("the old machine knows the new one", || !old.row_of(&new).is_null());
    old.ok(&["publisher", "take"]);
    old.ok(&["edit", &dog, "title.de=Hundesteuer anmelden"]);
    old.publish_entry(&dog);
    eventually("all read it", || {
        title(&bonn.shown(&dog)) == "Hundesteuer anmelden" && title(&new.shown(&dog)) == "Hundesteuer anmelden"
    });
    assert_eq!(new.status()["publisher"], json!(false));

    // In its last hours it publishes something that only Bonn hears of, which is away when it is revoked.
    new.stop();
    let unheard = old.publish("service", &["title.de=Bargeld mitbringen"]);
    eventually("Bonn reads that", || title(&bonn.shown(&unheard)) == "Bargeld mitbringen");
    bonn.stop();
    old.stop();
    new.start();
    let report = new.ok(&["nodes", "revoke", &old.node]);
    assert_eq!(report["publisher"]["here"], json!(true), "{report}");
    assert_eq!((&report["published"][0]["id"], &report["published"][0]["how"]), (&json!(dog), &json!("signed")));
    old.start();
    eventually("the old machine is told", || !sentences(&old, "alarms", "revoked").is_empty());
    let refused = old.cli(&["publish", &dog]);
    assert!(refused.code == 1 && refused.stderr.contains("took the certificate"), "{}", refused.stderr);
    bonn.start();
    new.ok(&["edit", &dog, "title.de=Hundesteuer zahlen"]);
    new.publish_entry(&dog);
    eventually("Bonn follows", || title(&bonn.shown(&dog)) == "Hundesteuer zahlen");
    bonn.wait_in_sync(&new);
    eventually("what nobody vouches for is gone", || title(&bonn.shown(&unheard)).is_empty());
    eventually("and the town is told what it was", || sentences(&new, "alarms", "of_revoked_node").contains(&unheard));
    assert!(new.draft(&unheard).is_null(), "nothing of it was taken over");
    assert_eq!(bonn.ok(&["compare", "Stadt Siegburg"])["identical"], json!(true));
    // What the old one signed in its time still proves itself.
    let receipt = dir.path().join("beleg.json");
    let receipt = receipt.to_str().expect("UTF-8");
    bonn.ok(&["receipt", &dog, "--out", receipt]);
    assert_eq!(bonn.ok(&["verify", receipt])["ok"], json!(true));
    new.check_store();
    bonn.check_store();
}

#[test]
fn a_new_root_key_is_followed_by_everybody_and_the_old_one_does_nothing_any_more() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut town = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let bonn = Town::new(dir.path(), "Stadt Bonn", BONN);
    let mut koeln = Town::new(dir.path(), "Stadt Köln", "053150000000");
    let laptop = town.further_node(dir.path(), "laptop");
    town.befriend(&bonn);
    town.befriend(&koeln);
    let dog = town.publish("service", &["title.de=Hundesteuer", "companions.partners.agent_note.de=Termin nötig"]);
    for partner in [&bonn, &koeln] {
        eventually("partners read it", || title(&partner.shown(&dog)) == "Hundesteuer");
        town.wait_in_sync(partner);
    }
    let lost = town.further_node(dir.path(), "lost");
    let draft = lost.create("service", &["title.de=Jahrmarkt"]);
    eventually("the draft is known", || title(&town.draft(&draft)) == "Jahrmarkt");
    town.ok(&["nodes", "revoke", &lost.node]);
    let old_sheet = dir.path().join("altes-blatt.txt");
    let old_sheet = old_sheet.to_str().expect("UTF-8");
    town.ok(&["identity", "sheet", "--out", old_sheet]);
    town.stop();
    let mut thief = Town::blank(dir.path(), "thief", SIEGBURG);
    copy(&town.dir, &thief.dir);
    (thief.organisation, thief.node) = (town.organisation.clone(), town.node.clone());
    town.start();
    for partner in [&bonn, &koeln] {
        town.wait_in_sync(partner);
    }

    // One partner is away that day.
    koeln.stop();
    let refused = laptop.cli(&["identity", "rotate"]);
    assert!(refused.code == 1 && refused.stderr.contains("the root key is not on this node"), "{}", refused.stderr);
    let rotated = town.ok(&["identity", "rotate"]);
    assert_eq!(rotated["number"], json!(1), "{rotated}");
    let new_sheet = rotated["recovery"]["file"].as_str().expect("a file").to_owned();
    let passphrase = rotated["recovery"]["passphrase"].as_str().expect("a passphrase").to_owned();
    assert_ne!(passphrase, town.passphrase);
    assert_eq!(town.status()["recovery_checked"], json!(false));
    let old = town.cli(&["identity", "sheet", "--check", old_sheet, "--passphrase", &town.passphrase]);
    assert!(old.code == 1 && old.stderr.contains("was replaced by a newer one"), "{}", old.stderr);
    town.ok(&["identity", "sheet", "--check", &new_sheet, "--passphrase", &passphrase]);
    assert_eq!(town.status()["recovery_checked"], json!(true));

    // Everybody follows, asked by nobody.
    town.ok(&["edit", &dog, "title.de=Hundesteuer anmelden"]);
    town.publish_entry(&dog);
    koeln.start();
    for reader in [&bonn, &koeln, &laptop, &town] {
        eventually("all follow", || title(&reader.shown(&dog)) == "Hundesteuer anmelden");
        let note = reader.shown(&dog)["entry"]["companions"]["partners"]["agent_note"]["de"].clone();
        assert_eq!(note, "Termin nötig", "reader lists that nodes signed still count");
        assert_eq!(sentences(reader, "alarms", "invalid_statements"), "");
    }
    let late = Town::new(dir.path(), "Stadt Hürth", "053620028028");
    town.befriend(&late);
    eventually("a new partner reads it", || title(&late.shown(&dog)) == "Hundesteuer anmelden");
    // A new own node reads what the revoked one wrote, which root vouches for with its new key.
    let another = town.further_node(dir.path(), "another");
    eventually("the kept draft is there", || title(&another.draft(&draft)) == "Jahrmarkt");

    // Whoever has the old sheet, or a disk with the old key, does nothing with it.
    let mut stranger = Town::blank(dir.path(), "stranger", SIEGBURG);
    let refused = stranger.cli(&["recover", old_sheet, "--passphrase", &town.passphrase]);
    assert!(refused.code == 1, "{}", refused.stdout);
    town.stop();
    thief.start();
    eventually("it hears of the new key", || thief.status()["recovery_checked"] == json!(true));
    let refused = thief.cli(&["publisher", "take"]);
    assert!(refused.stderr.contains("the root key is not on this node"), "{}", refused.stderr);
    thief.kill();

    // The new sheet brings the town back.
    let kept = dir.path().join("neues-blatt.txt");
    fs::copy(&new_sheet, &kept).expect("a copy");
    let recovered = stranger.ok(&["recover", kept.to_str().expect("UTF-8"), "--passphrase", &passphrase]);
    (stranger.organisation, stranger.node) =
        (town.organisation.clone(), recovered["node"]["id"].as_str().expect("a node").to_owned());
    stranger.start();
    stranger.wait_in_sync(&bonn);
    assert_eq!(title(&stranger.shown(&dog)), "Hundesteuer anmelden");
    stranger.ok(&["edit", &dog, "title.de=Hundesteuer zahlen"]);
    stranger.publish_entry(&dog);
    eventually("and Bonn reads what it says", || title(&bonn.shown(&dog)) == "Hundesteuer zahlen");
    bonn.check_store();
    stranger.check_store();
}
