//! A town whose only machine is gone, or that runs on old data again.

use std::fs;
use std::path::{Path, PathBuf};

use ortsnetz_net::{Config, Network};
use ortsnetz_tests::{Town, eventually};
use ortsnetz_trust::identity::Founding;
use ortsnetz_trust::invite::JoinMessage;
use ortsnetz_trust::statement::{NodeCertificate, OrganisationKind, Roles};
use ortsnetz_trust::{Identity, NodeKey, RootKey, Signed};
use serde_json::{Value, json};

const SIEGBURG: &str = "053820060060";
const BONN: &str = "053140000000";
const KOELN: &str = "053150000000";

fn kinds(town: &Town, what: &str) -> Vec<String> {
    let all = town.status()[what].as_array().cloned().unwrap_or_default();
    all.iter().filter_map(|item| item["kind"].as_str().map(str::to_owned)).collect()
}

fn lines(value: &Value) -> String {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_town_comes_back_from_its_sheet_and_its_partners() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut town = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let bonn = Town::new(dir.path(), "Stadt Bonn", BONN);
    let mut koeln = Town::new(dir.path(), "Stadt Köln", KOELN);
    assert!(!kinds(&town, "tasks").contains(&"recovery_sheet".to_owned()));
    town.befriend(&bonn);
    town.befriend(&koeln);
    let first = town.publish("service", &["title.de=Hundesteuer"]);
    let second = town.publish("service", &["title.de=Reisepass", "companions.partners.agent_note.de=Termin nötig"]);
    let gone = town.publish("service", &["title.de=Jahrmarkt"]);
    town.ok(&["withdraw", &gone]);
    let draft = town.create("service", &["title.de=Nur ein Entwurf"]);
    town.wait_in_sync(&bonn);
    town.wait_in_sync(&koeln);

    // The sheet of `init` knows no partner; a new one is printed around the same block.
    assert!(kinds(&town, "tasks").contains(&"recovery_sheet".to_owned()), "{}", town.status()["tasks"]);
    let sheet = dir.path().join("blatt.txt");
    let file = sheet.to_str().expect("UTF-8");
    let made = town.ok(&["identity", "sheet", "--out", file]);
    assert_eq!(made["partners"], json!(["Stadt Bonn", "Stadt Köln"]));
    assert!(!kinds(&town, "tasks").contains(&"recovery_sheet".to_owned()), "{}", town.status()["tasks"]);
    let passphrase = town.passphrase.clone();
    town.ok(&["identity", "sheet", "--check", file, "--passphrase", &passphrase]);

    // The disk is gone, and one partner is away.
    town.kill();
    fs::remove_dir_all(&town.dir).expect("the data directory");
    koeln.stop();
    let mut back = Town::blank(dir.path(), "wieder-da", SIEGBURG);
    let wrong = back.cli(&["recover", file, "--passphrase", "falsch"]);
    assert_eq!((wrong.code, wrong.stderr.contains("passphrase")), (1, true), "{}", wrong.stderr);
    let recovered = back.ok(&["recover", file, "--passphrase", &passphrase]);
    assert_eq!(recovered["organisation"]["id"], json!(town.organisation));
    assert_eq!(recovered["answered"], json!(["Stadt Bonn"]));
    assert_eq!(recovered["silent"].as_array().map(Vec::len), Some(1), "{recovered}");
    assert_eq!(recovered["revoked"].as_array().map(Vec::len), Some(1), "{recovered}");
    let collections = json!([
        {"name": "partners", "title": "partners", "entries": 1}, {"name": "public", "title": "public", "entries": 2}
    ]);
    assert_eq!(recovered["collections"], collections, "{recovered}");
    let missing = lines(&recovered["not_back"]);
    for part in ["drafts", "internal", "Stadt Köln"] {
        assert!(missing.contains(part), "{part}: {missing}");
    }
    let again = back.cli(&["recover", file, "--passphrase", &passphrase]);
    assert!(again.code == 1 && again.stderr.contains("holds an identity already"), "{}", again.stderr);

    back.organisation = town.organisation.clone();
    back.node = recovered["node"]["id"].as_str().expect("a node").to_owned();
    back.start();
    back.wait_in_sync(&bonn);
    assert_eq!(back.ok(&["compare", "Stadt Bonn"])["identical"], json!(true));
    assert_eq!(back.shown(&first)["entry"]["title"]["de"], "Hundesteuer");
    let note = &back.shown(&second)["entry"]["companions"]["partners"]["agent_note"]["de"];
    assert_eq!(note, "Termin nötig");
    assert!(back.draft(&draft).is_null());
    let status = back.status();
    // Köln did not answer, and may have heard of later terms than Bonn.
    assert_eq!((&status["publisher"], &status["term"]), (&json!(true), &json!(12)));
    assert!(kinds(&bonn, "alarms").contains(&"node_returned".to_owned()), "Bonn tells its people");
    assert!(!kinds(&back, "tasks").contains(&"homecoming".to_owned()));
    // It edits and publishes where it stopped.
    back.ok(&["edit", &first, "title.de=Hundesteuer anmelden"]);
    back.publish_entry(&first);
    eventually("Bonn reads what is new", || bonn.shown(&first)["entry"]["title"]["de"] == "Hundesteuer anmelden");
    assert_eq!(kinds(&bonn, "tasks").iter().filter(|kind| *kind == "set_aside").count(), 0);

    // The partner that was away hears of all that from the new node, and one that comes later reads what the lost one signed.
    koeln.start();
    eventually("Köln and Siegburg know each other", || !back.row_of(&koeln).is_null());
    koeln.wait_in_sync(&back);
    assert_eq!(koeln.shown(&first)["entry"]["title"]["de"], "Hundesteuer anmelden");
    let late = Town::new(dir.path(), "Stadt Hürth", "053620028028");
    back.befriend(&late);
    late.wait_in_sync(&back);
    assert_eq!(late.shown(&second)["entry"]["title"]["de"], "Reisepass");
    back.check_store();
    for town in [&bonn, &koeln, &late, &back] {
        let bad = ["invalid_record", "invalid_statements", "equivocation", "cloned"];
        assert!(!kinds(town, "alarms").iter().any(|kind| bad.contains(&kind.as_str())), "{:?}", town.alarms());
    }
}

#[test]
fn a_recovery_that_does_not_get_far_says_why_in_one_line_and_can_be_tried_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut town = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let mut bonn = Town::new(dir.path(), "Stadt Bonn", BONN);
    town.befriend(&bonn);
    let id = town.publish("service", &["title.de=Hundesteuer"]);
    town.wait_in_sync(&bonn);
    let sheet = dir.path().join("blatt.txt");
    let file = sheet.to_str().expect("UTF-8").to_owned();
    town.ok(&["identity", "sheet", "--out", &file]);
    let passphrase = town.passphrase.clone();
    town.kill();
    bonn.stop();

    let mut back = Town::blank(dir.path(), "wieder-da", SIEGBURG);
    let text = fs::read_to_string(&sheet).expect("the sheet");
    let (begin, end) = (text.find("-----BEGIN").expect("a block"), text.find("-----END").expect("its end"));
    let middle = (begin + end) / 2;
    let other = if text.as_bytes()[middle] == b'A' { "B" } else { "A" };
    let altered = format!("{}{other}{}", &text[..middle], &text[middle + 1..]);
    let sheets = [
        ("nicht.txt", text[..begin].to_owned(), "this is not a recovery sheet"),
        ("ab.txt", text[..middle].to_owned(), "damaged or incomplete"),
        ("falsch.txt", altered, "damaged or incomplete"),
    ];
    for (name, text, said) in sheets {
        let sheet = dir.path().join(name);
        fs::write(&sheet, text).expect("a sheet");
        let failed = back.cli(&["recover", sheet.to_str().expect("UTF-8"), "--passphrase", &passphrase]);
        assert_eq!((failed.code, failed.stderr.lines().count()), (1, 1), "{name}: {}", failed.stderr);
        assert!(failed.stderr.contains(said), "{name}: {}", failed.stderr);
    }
    let nonsense = back.cli(&["recover", &file, "--passphrase", &passphrase, "--from", "bonn.example"]);
    assert!(nonsense.code == 2 && nonsense.stderr.contains("is no address like"), "{}", nonsense.stderr);
    let silent = back.cli(&["recover", &file, "--passphrase", &passphrase]);
    let last = silent.stderr.lines().last().unwrap_or_default();
    assert_eq!(silent.code, 1, "{}", silent.stderr);
    for part in ["nobody who knows Stadt Siegburg answered", "Stadt Bonn", "--from"] {
        assert!(last.contains(part), "{part}: {last}");
    }
    // A stranger answers: it has never heard of the town.
    let stranger = Town::new(dir.path(), "Stadt Hürth", "053620028028");
    let of_stranger = stranger.status()["node"]["addresses"][0].as_str().expect("an address").to_owned();
    let turned_away = back.cli(&["recover", &file, "--passphrase", &passphrase, "--from", &of_stranger]);
    let last = turned_away.stderr.lines().last().unwrap_or_default();
    assert!(turned_away.code == 1 && last.contains(&of_stranger), "{}", turned_away.stderr);

    // The same directory, and nothing but an address of a partner beside the block.
    bonn.start();
    let block = dir.path().join("nur-der-block.txt");
    fs::write(&block, &text[begin..]).expect("a sheet");
    let address = bonn.status()["node"]["addresses"][0].as_str().expect("an address").to_owned();
    let block = block.to_str().expect("UTF-8");
    let recovered = back.ok(&["recover", block, "--passphrase", &passphrase, "--from", &address]);
    assert_eq!(recovered["answered"], json!(["Stadt Bonn"]));
    back.organisation = town.organisation.clone();
    back.node = recovered["node"]["id"].as_str().expect("a node").to_owned();
    back.start();
    assert_eq!(back.shown(&id)["entry"]["title"]["de"], "Hundesteuer");
    back.wait_in_sync(&bonn);
    assert_eq!(back.ok(&["compare", "Stadt Bonn"])["identical"], json!(true));
}

#[test]
fn nobody_returns_without_the_root_key() {
    let dir = tempfile::tempdir().expect("a directory");
    let town = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let bonn = Town::new(dir.path(), "Stadt Bonn", BONN);
    bonn.befriend(&town);
    let addresses = bonn.status()["node"]["addresses"].as_array().expect("addresses").clone();
    let addresses: Vec<String> = addresses.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect();
    let (key, thief) = (NodeKey::from_secret(&[7; 32]), RootKey::from_secret(&[8; 32]));
    let certificate = |node, organisation: &str, root: &RootKey| {
        let stated = NodeCertificate {
            organisation: organisation.parse().expect("an organisation"),
            node,
            serial: 1,
            roles: Roles { admin: true, edit: true },
            not_before: 0,
            not_after: u64::MAX,
            addresses: Vec::new(),
            name: "Dieb".into(),
        };
        Signed::new(stated, &[root]).expect("a certificate")
    };
    let founding = Founding {
        name: "Niemand".into(),
        ars: SIEGBURG.into(),
        kind: OrganisationKind::Municipality,
        node_name: "Dieb".into(),
        addresses: Vec::new(),
        at: 1,
        random: [9; 16],
    };
    let unknown = Identity::found(founding, &thief, &key).expect("an identity").id().to_string();
    let other_node = NodeKey::from_secret(&[6; 32]).id();
    let attempts = [
        (certificate(key.id(), &town.organisation, &thief), "does not count for Stadt Siegburg"),
        (certificate(key.id(), &unknown, &thief), "no partnership"),
        (certificate(other_node, &town.organisation, &thief), "names another node"),
    ];
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for (certificate, reason) in attempts {
        runtime.block_on(async {
            let (net, _events) = Network::start(Config::new([7; 32], Vec::new())).await.expect("a network");
            let mut stream = net.return_to(None, addresses.clone()).await.expect("a stream");
            stream.send(&JoinMessage::Return(certificate).to_bytes()).await.expect("sent");
            let answer = stream.recv().await.expect("an answer");
            match JoinMessage::from_bytes(&answer) {
                Ok(JoinMessage::Refused(said)) => assert!(said.contains(reason), "{said}"),
                other => panic!("{other:?}"),
            }
            net.shutdown().await;
        });
    }
    assert_eq!(bonn.row_of(&town)["nodes"], json!([town.node]));
}

/// A town, its partner, what it published, and an export of its store.
fn exported(dir: &Path) -> (Town, Town, String, PathBuf) {
    let town = Town::new(dir, "Stadt Siegburg", SIEGBURG);
    let bonn = Town::new(dir, "Stadt Bonn", BONN);
    town.befriend(&bonn);
    let id = town.publish("service", &["title.de=alt"]);
    let backup = dir.join("alt.export");
    town.ok(&["store", "export", backup.to_str().expect("UTF-8")]);
    (town, bonn, id, backup)
}

#[test]
fn an_old_backup_publishes_nothing_before_a_partner_gave_back_what_it_lacks() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut town, mut bonn, id, backup) = exported(dir.path());
    town.ok(&["edit", &id, "title.de=neu"]);
    town.publish_entry(&id);
    let newer = town.publish("service", &["title.de=nach der Sicherung"]);
    town.wait_in_sync(&bonn);
    eventually("Bonn holds it", || bonn.shown(&newer)["meta"]["state"] == "published");
    town.kill();
    bonn.stop();
    fs::remove_dir_all(&town.dir).expect("the data directory");
    town.ok(&["store", "import", backup.to_str().expect("UTF-8")]);
    town.start();
    assert!(kinds(&town, "tasks").contains(&"homecoming".to_owned()), "{}", town.status()["tasks"]);
    town.ok(&["edit", &id, "title.de=anders"]);
    let refused = town.cli(&["publish", &id]);
    assert!(refused.code == 1 && refused.stderr.contains("this node was restored"), "{refused:?}");
    bonn.start();
    eventually("it is home again", || !kinds(&town, "tasks").contains(&"homecoming".to_owned()));
    assert_eq!(town.shown(&newer)["entry"]["title"]["de"], "nach der Sicherung");
    assert_eq!(town.shown(&id)["entry"]["title"]["de"], "neu");
    town.publish_entry(&id);
    town.wait_in_sync(&bonn);
    eventually("both read the same", || bonn.shown(&id)["entry"] == town.shown(&id)["entry"]);
    assert_eq!(town.ok(&["compare", "Stadt Bonn"])["identical"], json!(true));
    for town in [&town, &bonn] {
        assert!(!kinds(town, "tasks").contains(&"set_aside".to_owned()), "{}", town.status()["tasks"]);
        assert!(!kinds(town, "alarms").iter().any(|kind| kind == "invalid_record"), "{:?}", town.alarms());
    }
}

#[test]
fn who_knows_that_nobody_will_answer_goes_on_with_what_there_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut town, mut bonn, id, backup) = exported(dir.path());
    town.kill();
    bonn.stop();
    fs::remove_dir_all(&town.dir).expect("the data directory");
    town.ok(&["store", "import", backup.to_str().expect("UTF-8")]);
    town.start();
    assert_eq!(town.cli(&["publish", &id]).code, 1);
    assert_eq!(town.ok(&["publisher", "take"])["term"], json!(2));
    town.publish_entry(&id);
}

/// The directory of the database: `db.` and a number.
fn database(town: &Town) -> PathBuf {
    let items = fs::read_dir(town.dir.join("store")).expect("the store").flatten().map(|item| item.path());
    let number = |path: &PathBuf| path.extension().is_some_and(|end| end.to_string_lossy().parse::<u32>().is_ok());
    items.filter(|path| path.is_dir() && number(path)).max().expect("a database")
}

#[test]
fn a_lost_database_comes_back_from_the_own_log_and_the_partners() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut town = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let mut bonn = Town::new(dir.path(), "Stadt Bonn", BONN);
    let mut koeln = Town::new(dir.path(), "Stadt Köln", KOELN);
    town.befriend(&bonn);
    koeln.befriend(&town);
    let own = town.publish("service", &["title.de=Hundesteuer"]);
    let theirs = bonn.publish("service", &["title.de=Reisepass", "companions.partners.agent_note.de=Termin nötig"]);
    let further = koeln.publish("office", &["title.de=Bauhof"]);
    let ended = Town::new(dir.path(), "Stadt Hürth", "053620028028");
    town.befriend(&ended);
    town.wait_in_sync(&ended);
    town.ok(&["partners", "remove", "Stadt Hürth"]);
    let all_there = |town: &Town| {
        town.shown(&theirs)["entry"]["companions"]["partners"]["agent_note"]["de"] == "Termin nötig"
            && town.shown(&further)["meta"]["state"] == "published"
    };
    eventually("everything is there", || all_there(&town));
    // Where the partners are is learned anew after the start, from what they state then.
    for partner in [&mut bonn, &mut koeln] {
        partner.stop();
        partner.start_elsewhere();
        town.wait_in_sync(partner);
    }
    let before = town.status()["entries"].clone();
    for _ in 0..2 {
        town.stop();
        fs::remove_dir_all(database(&town)).expect("the database");
        town.start();
        eventually("everything is back", || all_there(&town) && town.status()["entries"] == before);
        for partner in [&bonn, &koeln] {
            town.wait_in_sync(partner);
            let compared = town.ok(&["compare", &partner.name]);
            assert_eq!(compared["identical"], json!(true), "{compared}");
            assert_eq!(town.row_of(partner)["confirmed"], json!(true));
        }
        assert_eq!(town.shown(&own)["meta"]["state"], "published");
        assert_eq!(town.ok(&["partners", "list"]).as_array().map(Vec::len), Some(2));
        town.check_store();
    }
    // What is published from now on goes both ways.
    town.ok(&["edit", &own, "title.de=Hundesteuer anmelden"]);
    town.publish_entry(&own);
    eventually("Bonn reads it", || bonn.shown(&own)["entry"]["title"]["de"] == "Hundesteuer anmelden");
}
