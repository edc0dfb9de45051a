//! Towns that merge, and a town that lost its root key: another organisation answers in their place.

use ortsnetz_tests::{Town, eventually};
use serde_json::{Value, json};

const SIEGBURG: &str = "053820060060";
const HENNEF: &str = "053820020020";
const BONN: &str = "053140000000";

fn succession_tasks(town: &Town) -> String {
    let tasks = town.status()["tasks"].as_array().cloned().unwrap_or_default();
    let of_kind = tasks.iter().filter(|task| task["kind"] == "succession");
    of_kind.filter_map(|task| task["message"].as_str()).collect::<Vec<_>>().join("\n")
}

/// Ids of the organisations whose entries a search for a place gives, in order, each as often as it answers.
fn answers(town: &Town, words: &str, place: &str) -> Vec<String> {
    let found = town.cli(&["search", words, "--place", place]);
    let hits = found.json["hits"].as_array().cloned().unwrap_or_default();
    hits.iter().filter_map(|hit| hit["organisation"]["id"].as_str().map(str::to_owned)).collect()
}

fn words(info: &Value) -> String {
    info["check_words"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
}

#[test]
fn two_towns_merge_and_each_partner_follows_when_a_person_there_has_checked_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let siegburg = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let hennef = Town::new(dir.path(), "Stadt Hennef", HENNEF);
    let bonn = Town::new(dir.path(), "Stadt Bonn", BONN);
    siegburg.befriend(&hennef);
    bonn.befriend(&siegburg);
    bonn.befriend(&hennef);
    let office = hennef.publish("office", &["title.de=Bürgeramt Hennef"]);
    let passport = hennef.publish("service", &["title.de=Reisepass", &format!("offices.+={office}")]);
    let gone = hennef.publish("service", &["title.de=Jahrmarkt"]);
    hennef.ok(&["withdraw", &gone]);
    for reader in [&siegburg, &bonn] {
        hennef.wait_in_sync(reader);
        eventually("Hennef answers for itself", || {
            answers(reader, "Reisepass", HENNEF) == [hennef.organisation.as_str()]
        });
    }

    let refused = siegburg.cli(&["identity", "succeed", "Stadt Siegburg"]);
    assert!(refused.code == 2 && refused.stderr.contains("does not follow itself"), "{}", refused.stderr);
    let stated = siegburg.ok(&["identity", "succeed", "Stadt Hennef", "--publish"]);
    assert_eq!((&stated["counts"], &stated["adopted"]["published"]), (&json!(true), &json!(2)), "{stated}");
    assert_eq!(stated["check_words"].as_array().map(Vec::len), Some(6));
    let again = siegburg.ok(&["identity", "succeed", "Stadt Hennef", "--publish"]);
    assert_eq!((&again["adopted"]["created"], &again["adopted"]["unchanged"]), (&json!(0), &json!(2)), "{again}");
    eventually("at home it counts at once", || {
        answers(&siegburg, "Reisepass", HENNEF) == [siegburg.organisation.as_str()]
    });
    let hits = siegburg.ok(&["search", "Reisepass", "--place", HENNEF])["hits"].clone();
    let adopted = hits[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(hits[0]["remark"], Value::Null, "{hits}");
    let entry = siegburg.shown(&adopted)["entry"].clone();
    let own_office = entry["offices"][0].as_str().expect("an office");
    assert_ne!(own_office, office, "what it points to was adopted, too");
    assert_eq!(siegburg.shown(own_office)["entry"]["title"]["de"], "Bürgeramt Hennef");

    // A partner is asked, with the same words; until a person answers nothing changes there.
    eventually("Bonn is asked", || succession_tasks(&bonn).contains(&words(&stated)));
    bonn.wait_in_sync(&siegburg);
    eventually("the adopted entry is there, too", || !bonn.shown(&adopted).is_null());
    assert_eq!(answers(&bonn, "Reisepass", HENNEF).first(), Some(&hennef.organisation));
    let no = bonn.ok(&["partners", "succession", "Stadt Siegburg", "Stadt Hennef", "--refuse"]);
    assert_eq!(no["counts"], json!(false));
    assert_eq!(succession_tasks(&bonn), "");
    assert_eq!(answers(&bonn, "Reisepass", HENNEF).first(), Some(&hennef.organisation));
    let yes = bonn.ok(&["partners", "succession", "Stadt Siegburg", "Stadt Hennef", "--confirm"]);
    assert_eq!((&yes["counts"], words(&yes)), (&json!(true), words(&stated)));
    eventually("Siegburg answers for Hennef", || {
        answers(&bonn, "Reisepass", HENNEF) == [siegburg.organisation.as_str()]
    });
    assert_eq!(bonn.ok(&["search", "Reisepass", "--place", HENNEF])["hits"][0]["remark"], Value::Null);
    let old = bonn.shown(&passport)["meta"]["organisation"].clone();
    assert_eq!(old["succeeded_by"], "Stadt Siegburg", "what was said stays readable, and marked: {old}");

    // The merged town hears it from both, and says so itself.
    eventually("Hennef is asked and told", || {
        let tasks = succession_tasks(&hennef);
        tasks.contains("follows your organisation") && tasks.contains("Stadt Bonn takes Stadt Siegburg")
    });
    hennef.ok(&["partners", "succession", "Stadt Siegburg", "Stadt Hennef", "--confirm"]);
    eventually("Hennef sends its people to Siegburg", || {
        answers(&hennef, "Reisepass", HENNEF) == [siegburg.organisation.as_str()]
    });
    assert!(succession_tasks(&hennef).contains("its own entries are found no more"));
    siegburg.ok(&["edit", &adopted, "title.de=Reisepass für Hennef"]);
    siegburg.publish_entry(&adopted);
    eventually("what is new comes from Siegburg", || {
        bonn.shown(&adopted)["entry"]["title"]["de"] == "Reisepass für Hennef"
    });

    // Undone: everybody answers for itself again, and what was adopted stays where it is.
    let undone = siegburg.ok(&["identity", "succeed", "Stadt Hennef", "--undo"]);
    assert_eq!(undone["counts"], json!(false));
    for reader in [&bonn, &hennef] {
        eventually("Hennef answers again", || {
            answers(reader, "Reisepass", HENNEF).first() == Some(&hennef.organisation)
        });
    }
    assert_eq!(bonn.shown(&passport)["meta"]["organisation"]["succeeded_by"], Value::Null);
    for town in [&siegburg, &hennef, &bonn] {
        town.check_store();
        assert!(!town.alarms().iter().any(|alarm| alarm["kind"] == "invalid_statements"), "{:?}", town.alarms());
    }
}

#[test]
fn a_town_without_its_root_key_begins_anew_and_nobody_else_takes_its_place() {
    let dir = tempfile::tempdir().expect("a directory");
    let bonn = Town::new(dir.path(), "Stadt Bonn", BONN);
    let mut lost = Town::new(dir.path(), "Stadt Hennef", HENNEF);
    bonn.befriend(&lost);
    lost.publish("service", &["title.de=Reisepass"]);
    lost.wait_in_sync(&bonn);
    // The machine is gone, and nobody finds the sheet.
    lost.kill();
    let new = Town::new_at(dir.path(), "hennef-neu", "Stadt Hennef", HENNEF);
    bonn.befriend(&new);
    eventually("its old entries come from Bonn", || {
        let known = new.cli(&["export", "--organisation", &lost.organisation]);
        known.code == 0 && known.stdout.contains("Reisepass")
    });
    let stated = new.ok(&["identity", "succeed", &lost.organisation, "--publish"]);
    assert_eq!(stated["adopted"]["published"], json!(1), "{stated}");
    // Somebody else says the same, and was never checked.
    let thief = Town::new_at(dir.path(), "dieb", "Stadt Hennef", HENNEF);
    let token = bonn.ok(&["invite"])["token"].as_str().expect("a token").to_owned();
    thief.ok(&["join", &token]);
    eventually("the old entries come to it, too", || {
        thief.cli(&["export", "--organisation", &lost.organisation]).stdout.contains("Reisepass")
    });
    let claimed = thief.ok(&["identity", "succeed", &lost.organisation, "--publish"]);
    eventually("Bonn is asked twice", || {
        let tasks = succession_tasks(&bonn);
        tasks.contains(&words(&stated)) && tasks.contains(&words(&claimed))
    });
    assert_ne!(words(&stated), words(&claimed), "that is how they are told apart");
    let refused = bonn.cli(&["partners", "succession", &thief.organisation, &lost.organisation, "--confirm"]);
    assert!(refused.code == 1 && refused.stderr.contains("nobody here has checked"), "{}", refused.stderr);
    bonn.ok(&["partners", "succession", &thief.organisation, &lost.organisation, "--refuse"]);
    bonn.ok(&["partners", "succession", &new.organisation, &lost.organisation, "--confirm"]);
    eventually("the new one answers, and the old one no more", || {
        let answers = answers(&bonn, "Reisepass", HENNEF);
        answers.first() == Some(&new.organisation) && !answers.contains(&lost.organisation)
    });
    bonn.check_store();
    new.check_store();
}
