//! Two nodes of one organisation: a town hall that publishes, and a laptop.

use std::path::Path;

use ortsnetz_tests::{Town, eventually};
use serde_json::{Value, json};

fn hall_and_laptop(dir: &Path) -> (Town, Town) {
    let hall = Town::new_at(dir, "hall", "Stadt Hürth", "053620028028");
    let laptop = hall.further_node(dir, "laptop");
    hall.wait_in_sync(&laptop);
    (hall, laptop)
}

/// Both go on running; the laptop, which knows one address of the hall, does not find it there any more.
fn cut(hall: &mut Town, laptop: &mut Town) {
    laptop.stop();
    hall.stop();
    hall.start_elsewhere();
    laptop.start();
    let alone = |town: &Town, other: &Town| town.row_of(other)["connected"] == json!(false);
    assert!(alone(hall, laptop) && alone(laptop, hall));
}

fn heal(hall: &mut Town, laptop: &mut Town) {
    assert_eq!(hall.row_of(laptop)["connected"], json!(false), "they were apart all the time");
    hall.stop();
    laptop.stop();
    hall.start();
    laptop.start();
    hall.wait_in_sync(laptop);
}

fn notes(draft: &Value) -> &str {
    draft["entry"]["texts"]["notes"]["de"].as_str().unwrap_or_default()
}

fn amounts(draft: &Value) -> Vec<u64> {
    let fees = draft["entry"]["fees"].as_array().cloned().unwrap_or_default();
    fees.iter().filter_map(|fee| fee["amount"].as_u64()).collect()
}

#[test]
fn what_two_nodes_write_apart_in_different_places_all_survives() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut hall, mut laptop) = hall_and_laptop(dir.path());
    let fee = |amount: u64| json!({"kind": "fixed", "amount": amount, "currency": "EUR"});
    let fees = format!("fees={}", json!([fee(1000), fee(2000), fee(3000)]));
    let id =
        hall.create("service", &["title.de=Sperrmüll", "texts.notes.de=Erstens.\n\nZweitens.\n\nDrittens.", &fees]);
    eventually("the laptop has the draft", || amounts(&laptop.draft(&id)) == [1000, 2000, 3000]);

    cut(&mut hall, &mut laptop);
    hall.ok(&["edit", &id, "texts.notes.de=Erstens, vom Rathaus.\n\nZweitens.\n\nDrittens."]);
    hall.ok(&["edit", &id, "fees.1.amount=2100", &format!("fees.+={}", fee(4000)), "audience.+=citizen"]);
    let from_hall = hall.create("office", &["title.de=Bauhof"]);
    laptop.ok(&["edit", &id, "texts.notes.de=Erstens.\n\nZweitens.\n\nDrittens, vom Laptop.\n\nViertens."]);
    laptop.ok(&[
        "edit",
        &id,
        &format!("fees={}", json!([fee(3000), fee(1000), fee(2000)])),
        "keywords.de=[\"Abfall\"]",
    ]);
    laptop.ok(&["edit", &id, &format!("fees.+={}", fee(5000))]);
    let from_laptop = laptop.create("office", &["title.de=Wertstoffhof"]);
    heal(&mut hall, &mut laptop);

    for town in [&hall, &laptop] {
        eventually("both edits are there", || {
            let draft = town.draft(&id);
            notes(&draft) == "Erstens, vom Rathaus.\n\nZweitens.\n\nDrittens, vom Laptop.\n\nViertens."
                && amounts(&draft).len() == 5
        });
        let draft = town.draft(&id);
        let fees = amounts(&draft);
        let moved: Vec<u64> = fees.iter().copied().filter(|amount| *amount < 4000).collect();
        assert_eq!(moved, [3000, 1000, 2100], "the new order and the new amount, in {fees:?}");
        assert!(fees.contains(&4000) && fees.contains(&5000), "both new elements, in {fees:?}");
        assert_eq!(draft["entry"]["keywords"]["de"], json!(["Abfall"]));
        assert_eq!(draft["entry"]["audience"], json!(["citizen"]));
        assert_eq!(town.draft(&from_hall)["entry"]["title"]["de"], "Bauhof");
        assert_eq!(town.draft(&from_laptop)["entry"]["title"]["de"], "Wertstoffhof");
        assert_eq!(town.ok(&["conflicts"]), json!([]));
        town.check_store();
    }
    assert_eq!(hall.draft(&id)["entry"], laptop.draft(&id)["entry"]);
    hall.publish_entry(&id);
}

#[test]
fn one_block_written_twice_is_a_conflict_on_both_nodes_until_somebody_decides() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut hall, mut laptop) = hall_and_laptop(dir.path());
    let id = hall.publish("service", &["title.de=Sperrmüll", "texts.notes.de=Montags.\n\nKostenlos."]);
    eventually("the laptop has it", || laptop.shown(&id)["meta"]["state"] == "published");

    cut(&mut hall, &mut laptop);
    hall.ok(&["edit", &id, "texts.notes.de=Dienstags.\n\nKostenlos."]);
    laptop.ok(&["edit", &id, "texts.notes.de=Mittwochs.\n\nKostenlos."]);
    heal(&mut hall, &mut laptop);

    for town in [&hall, &laptop] {
        eventually("the conflict is known", || town.ok(&["conflicts"]) != json!([]));
        let conflicts = town.ok(&["conflicts"]);
        let conflict = &conflicts[0];
        assert_eq!((conflicts.as_array().map(Vec::len), &conflict["id"]), (Some(1), &json!(id)), "{conflicts}");
        assert!(conflict["path"].as_str().is_some_and(|path| path.starts_with("texts.notes.de#")), "{conflict}");
        let mut values: Vec<&str> =
            conflict["values"].as_array().expect("values").iter().filter_map(|value| value["value"].as_str()).collect();
        values.sort_unstable();
        assert_eq!(values, ["Dienstags.", "Mittwochs."]);
        for value in conflict["values"].as_array().expect("values") {
            assert!(value["node"].as_str().is_some_and(|node| !node.is_empty()), "{value}");
            assert!(value["at"].as_str().is_some_and(|at| at.starts_with("20")), "{value}");
        }
        let tasks = town.status()["tasks"].clone();
        assert!(
            tasks.as_array().is_some_and(|tasks| {
                tasks.iter().any(|task| task["kind"] == "conflict" && task["entry"] == json!(id))
            }),
            "{tasks}"
        );
        let refused = town.cli(&["publish", &id]);
        assert_eq!(refused.code, 1, "{}{}", refused.stdout, refused.stderr);
        let reason = refused.json["refused"][0]["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(conflict["path"].as_str().expect("a path")), "{}", refused.json);
        assert_eq!((&refused.json["published"], &refused.json["requested"]), (&json!([]), &json!([])));
    }
    assert_eq!(hall.ok(&["conflicts"]), laptop.ok(&["conflicts"]), "the same, in the same order");
    assert_eq!(notes(&hall.shown(&id)), "Montags.\n\nKostenlos.", "what is published stays");

    let conflict = laptop.ok(&["conflicts"])[0].clone();
    let chosen = conflict["values"].as_array().expect("values").iter().find(|value| value["value"] == "Mittwochs.");
    let number = chosen.expect("the laptop's value")["n"].to_string();
    laptop.ok(&["resolve", &id, conflict["path"].as_str().expect("a path"), &number]);
    for town in [&hall, &laptop] {
        eventually("the conflict is over", || {
            town.ok(&["conflicts"]) == json!([]) && notes(&town.draft(&id)) == "Mittwochs.\n\nKostenlos."
        });
    }
    hall.publish_entry(&id);
    eventually("it is published everywhere", || notes(&laptop.shown(&id)) == "Mittwochs.\n\nKostenlos.");
}

#[test]
fn what_the_laptop_asked_for_while_the_publisher_was_away_is_published_when_it_is_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut hall, laptop) = hall_and_laptop(dir.path());
    let partner = Town::new(dir.path(), "Stadt Köln", "053150000000");
    hall.befriend(&partner);
    let id = hall.publish("service", &["title.de=Sperrmüll", "texts.notes.de=Montags."]);
    eventually("all have it", || notes(&laptop.shown(&id)) == "Montags." && notes(&partner.shown(&id)) == "Montags.");

    hall.stop();
    laptop.ok(&["edit", &id, "texts.notes.de=Dienstags."]);
    let asked = laptop.ok(&["publish", &id]);
    assert_eq!((&asked["requested"], &asked["published"]), (&json!([id]), &json!([])));
    assert_eq!(laptop.draft(&id)["meta"]["request"], "waiting");
    laptop.ok(&["edit", &id, "texts.notes.de=Vielleicht mittwochs."]);
    assert_eq!(notes(&partner.shown(&id)), "Montags.");

    hall.start();
    eventually("the partner has what was asked for", || notes(&partner.shown(&id)) == "Dienstags.");
    for town in [&hall, &laptop] {
        eventually("the later words are a draft everywhere", || {
            notes(&town.shown(&id)) == "Dienstags." && notes(&town.draft(&id)) == "Vielleicht mittwochs."
        });
    }
    eventually("the request is answered", || laptop.shown(&id)["meta"]["request"] == "none");
    assert_eq!(laptop.shown(&id)["meta"]["draft"], json!(true));
    partner.check_store();
}

#[test]
fn what_the_laptop_asked_for_before_it_knew_of_a_withdrawal_is_refused_and_stays_a_draft() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut hall, mut laptop) = hall_and_laptop(dir.path());
    let partner = Town::new(dir.path(), "Stadt Köln", "053150000000");
    hall.befriend(&partner);
    let published = hall.publish("service", &["title.de=Falsche Auskunft"]);
    let unpublished = hall.create("service", &["title.de=Noch nicht", "texts.notes.de=Entwurf."]);
    eventually("all have it", || {
        laptop.shown(&published)["meta"]["state"] == "published"
            && partner.shown(&published)["meta"]["state"] == "published"
            && notes(&laptop.draft(&unpublished)) == "Entwurf."
    });

    hall.stop();
    for id in [&published, &unpublished] {
        laptop.ok(&["edit", id, "texts.notes.de=Zusatz."]);
        assert_eq!(laptop.ok(&["publish", id])["requested"], json!([id]));
    }
    laptop.stop();
    hall.start();
    hall.publish_entry(&unpublished);
    for id in [&published, &unpublished] {
        hall.ok(&["withdraw", id]);
        eventually("the partner has lost it", || partner.shown(id)["meta"]["state"] == "withdrawn");
    }
    laptop.start();
    for id in [&published, &unpublished] {
        eventually("the request is refused", || laptop.draft(id)["meta"]["request"] == "refused");
        assert_eq!((notes(&laptop.draft(id)), notes(&hall.draft(id))), ("Zusatz.", "Zusatz."));
    }
    let tasks = laptop.status()["tasks"].to_string();
    assert!(tasks.contains("publish_refused") && tasks.contains("withdrawn meanwhile"), "{tasks}");
    // An edit does not ask again; whoever asks now knows.
    laptop.ok(&["edit", &unpublished, "texts.notes.de=Zusatz, zweimal gelesen."]);
    hall.wait_in_sync(&laptop);
    hall.wait_in_sync(&partner);
    for id in [&published, &unpublished] {
        assert_eq!(partner.shown(id)["meta"]["state"], "withdrawn");
        assert_eq!(hall.shown(id)["meta"]["state"], "withdrawn");
    }
    laptop.ok(&["publish", &unpublished]);
    eventually("it is published", || notes(&partner.shown(&unpublished)) == "Zusatz, zweimal gelesen.");
    eventually("and answered", || laptop.shown(&unpublished)["meta"]["request"] == "none");
    laptop.ok(&["withdraw", &unpublished]);
    eventually("it is withdrawn", || partner.shown(&unpublished)["meta"]["state"] == "withdrawn");
    eventually("that is answered, too", || laptop.shown(&unpublished)["meta"]["request"] == "none");
    assert_eq!(partner.shown(&published)["meta"]["state"], "withdrawn");
}
