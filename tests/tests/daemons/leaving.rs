//! A town that leaves: announced, taken back, announced again, marked, deleted everywhere it can be, and told so.

use ortsnetz_tests::{Bytes, Town, eventually};
use serde_json::{Value, json};

const SIEGBURG: &str = "053820060060";
const PHONE: &str = "+49 2241 102-0";
const WORDS: &str = "Zwetschgenkuchenverordnung";

fn leaving_tasks(town: &Town) -> String {
    let tasks = town.status()["tasks"].as_array().cloned().unwrap_or_default();
    let of_kind = tasks.iter().filter(|task| task["kind"] == "leaving");
    of_kind.filter_map(|task| task["message"].as_str()).collect::<Vec<_>>().join("\n")
}

fn hits(town: &Town, words: &[&str]) -> Vec<Value> {
    let found = town.cli(&[&["search"], words].concat());
    found.json["hits"].as_array().cloned().unwrap_or_default()
}

/// Today in Berlin, as the daemon says.
fn today(town: &Town) -> String {
    let refused = town.cli(&["identity", "leave", "--on", "2020-01-01", "--yes", "Stadt Siegburg"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    let day = refused.stderr.rsplit("today is ").next().expect("it says").trim();
    day.to_owned()
}

#[test]
fn a_town_leaves_and_every_partner_marks_it_deletes_it_and_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut siegburg = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let mut bonn = Town::new(dir.path(), "Stadt Bonn", "053140000000");
    let mut koeln = Town::new(dir.path(), "Stadt Köln", "053150000000");
    let hennef = Town::new(dir.path(), "Stadt Hennef", "053820020020");
    siegburg.befriend(&bonn);
    siegburg.befriend(&koeln);
    bonn.befriend(&koeln);
    bonn.befriend(&hennef);
    let id = siegburg.publish(
        "service",
        &[&format!("title.de={WORDS}"), "companions.partners.agent_note.de=Rueckfragenanzeigepflicht"],
    );
    siegburg.create("service", &["title.de=Niederschrift"]);
    for reader in [&bonn, &koeln, &hennef] {
        eventually("everybody has it", || reader.shown(&id)["meta"]["state"] == "published");
    }

    // It is said twice before it counts: the name is repeated, and until the day it can be taken back.
    let leave = |arguments: &[&str]| siegburg.cli(&[&["identity", "leave"], arguments].concat());
    assert_eq!(leave(&["--on", "2027-01-01"]).code, 2, "without the name");
    let wrong = leave(&["--on", "2027-01-01", "--yes", "Siegburg"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("--yes \"Stadt Siegburg\""), "{}", wrong.stderr);
    let nothing = siegburg.cli(&["identity", "leave", "--undo", "--yes", "Stadt Siegburg"]);
    assert!(nothing.code == 1 && nothing.stderr.contains("has not said"), "{}", nothing.stderr);
    let far = format!("{}-12-31", today(&siegburg)[..4].parse::<u32>().expect("a year") + 1);
    let said = siegburg.ok(&["identity", "leave", "--on", &far, "--telephone", PHONE, "--yes", "Stadt Siegburg"]);
    assert_eq!((&said["leaving"]["left"], &said["of"]), (&json!(false), &json!(2)), "{said}");
    eventually("Bonn is warned", || leaving_tasks(&bonn).contains(&far) && leaving_tasks(&bonn).contains(PHONE));
    eventually("nothing is marked yet", || hits(&bonn, &[WORDS]).first().is_some_and(|hit| hit["remark"].is_null()));
    siegburg.publish_entry(&id);
    siegburg.ok(&["identity", "leave", "--undo", "--yes", "Stadt Siegburg"]);
    eventually("Bonn hears that it stays", || leaving_tasks(&bonn).is_empty());

    // Now for today. Köln is off.
    koeln.stop();
    let day = today(&siegburg);
    let note = "Auskunft gibt der Rhein-Sieg-Kreis";
    siegburg.ok(&["identity", "leave", "--on", &day, "--telephone", PHONE, "--note", note, "--yes", "Stadt Siegburg"]);
    let sentence = format!("no longer takes part since {day}, telephone {PHONE}");
    for reader in [&bonn, &hennef] {
        eventually("hits say so", || {
            hits(reader, &[WORDS]).first().is_some_and(|hit| hit["remark"] == json!(sentence))
        });
        let leaving = reader.shown(&id)["meta"]["organisation"]["leaving"].clone();
        assert_eq!((&leaving["left"], &leaving["note"]), (&json!(true), &json!(note)), "{leaving}");
        let page = reader.http("GET", &format!("/eintrag/{id}"), None).text;
        assert!(page.contains("nimmt seit") && page.contains("nicht mehr teil, Telefon +49 2241 102-0"), "{page}");
        let page = reader.http("GET", &format!("/suche?q={WORDS}&ort={SIEGBURG}"), None).text;
        assert!(page.contains("nicht mehr teil, Telefon +49 2241 102-0") && page.contains(note), "{page}");
    }
    assert_eq!(bonn.row_of(&siegburg)["leaving"]["sentence"], json!(sentence));
    let answered = bonn.cli(&["answer", WORDS, "--place", SIEGBURG]).json;
    assert_eq!((&answered["answers"], &answered["hits"][0]["id"]), (&json!([]), &json!(id)), "{answered}");
    let list = bonn.cli(&["partners", "list"]).stdout;
    assert!(list.contains(&sentence), "{list}");
    let refused = siegburg.cli(&["publish", &id]);
    assert!(format!("{}{}", refused.stdout, refused.stderr).contains("takes part no more"), "{}", refused.stdout);
    let late = siegburg.cli(&["identity", "leave", "--undo", "--yes", "Stadt Siegburg"]);
    assert!(late.code == 1 && late.stderr.contains("the day has passed"), "{}", late.stderr);
    let all = siegburg.cli(&["export", "--companions", "--drafts"]).stdout;
    for words in [WORDS, "Rueckfragenanzeigepflicht", "Niederschrift"] {
        assert!(all.contains(words), "{words} is missing in {all}");
    }

    // The term is shortened: Bonn and Hennef delete at once, and Siegburg hears of it.
    siegburg.ok(&["identity", "leave", "--keep", "0", "--telephone", PHONE, "--yes", "Stadt Siegburg"]);
    let report = || siegburg.ok(&["identity", "leave", "--status"]);
    eventually("Bonn says that it deleted", || report()["deleted"][0]["name"] == "Stadt Bonn");
    let told = report();
    assert_eq!((&told["deleted"][0]["entries"], &told["waiting"]), (&json!(1), &json!(["Stadt Köln"])), "{told}");
    assert!(told["unreachable"].as_array().is_some_and(|lines| lines.len() >= 2), "{told}");
    eventually("Hennef deletes, too", || hits(&hennef, &[WORDS]).is_empty() && hennef.shown(&id).is_null());
    assert!(hits(&bonn, &[WORDS]).is_empty() && bonn.shown(&id).is_null());
    assert_eq!(bonn.row_of(&siegburg)["deletion"]["entries"], json!(1));
    let answered = bonn.cli(&["answer", WORDS, "--place", SIEGBURG]).json;
    assert_eq!(answered["left"][0]["leaving"]["sentence"], json!(sentence), "{answered}");
    let found = bonn.cli(&["search", WORDS, "--place", SIEGBURG]);
    assert_eq!(found.json["left"][0]["name"], "Stadt Siegburg", "who asks for the place is told: {}", found.stdout);

    // Siegburg is gone. Köln was off on the day, and learns it from Bonn.
    siegburg.kill();
    koeln.start();
    eventually("Köln hears it and deletes", || {
        koeln.row_of(&siegburg)["deletion"]["entries"] == json!(1) && koeln.shown(&id).is_null()
    });
    siegburg.start();
    let report = || siegburg.ok(&["identity", "leave", "--status"]);
    eventually("Siegburg hears it from Köln", || report()["deleted"].as_array().is_some_and(|all| all.len() == 2));
    for town in [&siegburg, &bonn, &koeln, &hennef] {
        town.check_store();
        assert!(!town.alarms().iter().any(|alarm| alarm["kind"] == "invalid_statements"), "{:?}", town.alarms());
    }
    // No file of Bonn's holds a word of it, nor does one that it wrote before.
    bonn.stop();
    let bytes = Bytes::of(&bonn.dir);
    for words in [WORDS, "Rueckfragenanzeigepflicht"] {
        bytes.must_lack(words);
    }
    bonn.start();
    assert_eq!(bonn.row_of(&siegburg)["deletion"]["entries"], json!(1), "it still knows");
}

#[test]
fn a_partner_with_two_nodes_has_deleted_when_both_have_said_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let siegburg = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let bonn = Town::new(dir.path(), "Stadt Bonn", "053140000000");
    siegburg.befriend(&bonn);
    let mut laptop = bonn.further_node(dir.path(), "laptop");
    let id = siegburg.publish("service", &[&format!("title.de={WORDS}")]);
    for reader in [&bonn, &laptop] {
        eventually("both have it", || reader.shown(&id)["meta"]["state"] == "published");
    }
    laptop.stop();
    let day = today(&siegburg);
    siegburg.ok(&["identity", "leave", "--on", &day, "--keep", "0", "--yes", "Stadt Siegburg"]);
    let report = || siegburg.ok(&["identity", "leave", "--status"]);
    eventually("one of two has said so", || report()["waiting"] == json!(["Stadt Bonn (1 of 2 nodes)"]));
    assert_eq!(report()["deleted"], json!([]));
    // The other one hears it at home.
    laptop.start();
    eventually("the laptop deletes", || laptop.shown(&id).is_null() && hits(&laptop, &[WORDS]).is_empty());
    eventually("both have said so", || report()["deleted"][0]["nodes"] == json!(2));
    assert_eq!((&report()["waiting"], &report()["deleted"][0]["entries"]), (&json!([]), &json!(1)));
    for town in [&siegburg, &bonn, &laptop] {
        town.check_store();
    }
}
