//! Collections that are not kept but asked about while somebody searches.

use std::time::{Duration, Instant};

use ortsnetz_model::{CollectionId, OrgId};
use ortsnetz_net::{Config, Network, Peer, Topic};
use ortsnetz_store::{Options, Store};
use ortsnetz_tests::{Town, eventually};
use serde_json::Value;

const SIEGBURG: &str = "053820060060";

/// Köln, and a partner whose public collection it asks live.
fn asked_live(dir: &std::path::Path, name: &str, ars: &str) -> (Town, Town) {
    let koeln = Town::new(dir, "Stadt Köln", "053150000000");
    let owner = Town::new(dir, name, ars);
    koeln.befriend(&owner);
    follow(&koeln, &owner.name, "live");
    (koeln, owner)
}

fn follow(town: &Town, whose: &str, how: &str) {
    let chosen = town.ok(&["collections", "follow", whose, "public", how]);
    assert_eq!((chosen["how"].as_str(), chosen["name"].as_str()), (Some(how), Some("public")), "{chosen}");
}

/// What a town keeps of the public collection of another.
fn kept(town: &Town, whose: &str) -> u64 {
    let all = town.ok(&["collections", "readable", whose]);
    let public = all.as_array().expect("collections").iter().find(|collection| collection["name"] == "public");
    public.expect("public can be read")["entries"].as_u64().expect("a number")
}

fn titles(found: &Value) -> Vec<&str> {
    found["hits"].as_array().expect("hits").iter().filter_map(|hit| hit["title"].as_str()).collect()
}

#[test]
fn what_is_not_kept_is_found_and_answered_and_goes_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let (koeln, mut siegburg) = asked_live(dir.path(), "Stadt Siegburg", SIEGBURG);
    let office = siegburg.publish("office", &["title.de=Steueramt", "valid_for.+=053820060060"]);
    let reference = format!("offices.+={office}");
    let service = siegburg.publish(
        "service",
        &[
            "title.de=Hundesteuer anmelden",
            "valid_for.+=053820060060",
            "texts.summary.de=Jeder Hund zahlt.",
            &reference,
        ],
    );
    siegburg.publish("service", &["title.de=Gewerbe anmelden", "valid_for.+=053820060060"]);
    siegburg.wait_in_sync(&koeln);
    assert_eq!(kept(&koeln, "Siegburg"), 0);

    let search = || koeln.ok(&["search", "hundesteuer", "--place", "Siegburg"]);
    // Siegburg itself finds it after a moment.
    eventually("it is found", || titles(&search()) == ["Hundesteuer anmelden"]);
    let found = search();
    assert_eq!(found["completeness"], serde_json::json!({"asked": 2, "answered": 2, "missing": []}));
    let answer = koeln.ok(&["answer", "hundesteuer", "--place", "Siegburg"]);
    let first = &answer["answers"][0];
    assert_eq!(first["responsible"][0]["office"]["title"], "Steueramt", "{answer}");
    assert_eq!(first["freshness"], "fresh");
    assert_eq!(koeln.shown(&service)["meta"]["verified"], true);
    assert_eq!(kept(&koeln, "Siegburg"), 0, "nothing counts as kept");

    // What changed there is heard of with the next question, without any copy.
    siegburg.ok(&["edit", &service, "title.de=Hundesteuer an- und abmelden"]);
    siegburg.publish_entry(&service);
    let found = koeln.ok(&["search", "hundesteuer", "--place", "Siegburg"]);
    assert_eq!(titles(&found), ["Hundesteuer an- und abmelden"]);
    // Somewhere else nobody asks Siegburg.
    let elsewhere = koeln.ok(&["search", "hundesteuer", "--place", "Köln"]);
    assert_eq!(elsewhere["completeness"]["asked"], 1, "{elsewhere}");

    siegburg.stop();
    let alone = koeln.ok(&["search", "gewerbe", "--place", "Siegburg"]);
    assert_eq!(alone["completeness"], serde_json::json!({"asked": 2, "answered": 1, "missing": ["Stadt Siegburg"]}));
    siegburg.start();
    siegburg.wait_in_sync(&koeln);

    follow(&koeln, "Siegburg", "ignore");
    eventually("nothing of it is here any more", || {
        titles(&koeln.ok(&["search", "hundesteuer", "--place", "Siegburg"])).is_empty()
    });
    follow(&koeln, "Siegburg", "replicate");
    eventually("all of it is here again", || kept(&koeln, "Siegburg") == 3);
    eventually("and found", || titles(&koeln.ok(&["search", "gewerbe"])) == ["Gewerbe anmelden"]);
    assert_eq!(koeln.ok(&["compare", "Siegburg"])["identical"], true);
    koeln.check_store();
}

#[test]
fn a_copy_that_is_given_up_goes_and_a_restart_brings_nothing_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut koeln = Town::new(dir.path(), "Stadt Köln", "053150000000");
    let siegburg = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    koeln.befriend(&siegburg);
    let id = siegburg.publish("service", &["title.de=Hundesteuer anmelden", "texts.summary.de=Zwetschgenkuchen"]);
    eventually("it is here", || koeln.shown(&id)["meta"]["state"] == "published");
    follow(&koeln, "Siegburg", "ignore");
    eventually("it is gone", || koeln.cli(&["show", &id]).code == 1);
    let own = koeln.cli(&["collections", "follow", "Stadt Köln", "public", "live"]);
    assert!(own.code != 0 && own.stderr.contains("always kept"), "{}", own.stderr);
    let with = format!("with:{}", koeln.ok(&["status"])["organisation"]["id"].as_str().expect("an id"));
    let bilateral = koeln.cli(&["collections", "follow", "Siegburg", &with, "ignore"]);
    assert!(bilateral.code != 0 && bilateral.stderr.contains("always replicated"), "{}", bilateral.stderr);
    koeln.stop();
    koeln.start();
    siegburg.publish("service", &["title.de=Gewerbe anmelden"]);
    siegburg.wait_in_sync(&koeln);
    assert_eq!(kept(&koeln, "Siegburg"), 0);
    assert_eq!(koeln.cli(&["show", &id]).code, 1);
    koeln.check_store();
}

/// `ORTSNETZ_OWNERS` says how many are asked, 9 if it says nothing; three of them are frozen.
#[test]
fn whoever_is_silent_is_named_at_the_deadline_and_holds_nobody_up() {
    let owners = std::env::var("ORTSNETZ_OWNERS").ok().and_then(|text| text.parse().ok()).unwrap_or(9);
    let dir = tempfile::tempdir().expect("a directory");
    let koeln = Town::new(dir.path(), "Stadt Köln", "053150000000");
    let county = "053820000000";
    let towns: Vec<Town> = (0..owners)
        .map(|number| {
            let town = Town::new(dir.path(), &format!("Amt {number:02}"), county);
            koeln.befriend(&town);
            follow(&koeln, &town.name, "live");
            town.publish("service", &[&format!("title.de=Sperrmüll im Amt {number:02}"), "valid_for.+=053820000000"]);
            town
        })
        .collect();
    for town in &towns {
        town.wait_in_sync(&koeln);
    }
    let everybody = koeln.ok(&["search", "sperrmüll", "--limit", "100", "--deadline", "10000"]);
    assert_eq!(everybody["completeness"]["answered"], owners + 1, "{everybody}");
    let silent: Vec<&Town> = towns.iter().step_by(2).take(3).collect();
    silent.iter().for_each(|town| town.signal("STOP"));
    let began = Instant::now();
    let found = koeln.ok(&["search", "sperrmüll", "--limit", "100", "--deadline", "2500"]);
    let took = began.elapsed();
    silent.iter().for_each(|town| town.signal("CONT"));
    let missing: Vec<&str> = silent.iter().map(|town| town.name.as_str()).collect();
    assert_eq!(
        found["completeness"],
        serde_json::json!({"asked": owners + 1, "answered": owners - 2, "missing": missing})
    );
    // Not a measurement: silence lasts for 40 s and more.
    assert!(took >= Duration::from_millis(2500) && took < Duration::from_secs(20), "{took:?}");
    eprintln!("{owners} owners, 3 silent: {} hits after {took:?}, deadline 2.5 s", titles(&found).len());
}

/// A question as it travels.
fn question(collections: &[[u8; 16]], words: &str) -> Vec<u8> {
    let mut bytes = vec![0x86, 0x80 | collections.len() as u8];
    for collection in collections {
        bytes.push(0x50);
        bytes.extend_from_slice(collection);
    }
    bytes.push(0x60 | words.len() as u8);
    bytes.extend_from_slice(words.as_bytes());
    bytes.extend_from_slice(&[0xf6; 4]);
    bytes
}

#[test]
fn a_partner_that_asks_for_what_it_may_not_read_or_too_often_gets_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bonn = Town::new(dir.path(), "Stadt Bonn", "053140000000");
    let siegburg = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    // Nobody confirmed it: it reads what is public.
    let invitation = siegburg.ok(&["invite"]);
    bonn.ok(&["join", invitation["token"].as_str().expect("a token")]);
    siegburg.ok(&["collections", "create", "Planung"]);
    siegburg.publish("service", &["title.de=Bauamt", "texts.summary.de=Quittenmus"]);
    siegburg.publish("service", &["collection=Planung", "title.de=Bauamt intern", "texts.summary.de=Zwetschgenkuchen"]);
    let hidden = "companions.partners.agent_note.de=Nur mit Termin im Bauamt, Holundersaft";
    siegburg.publish("service", &["title.de=Anderes", hidden]);
    siegburg.wait_in_sync(&bonn);
    bonn.stop();
    let (store, _) = Store::open(&bonn.dir.join("store"), Options::default()).expect("the daemon is stopped");
    let secret = store.meta("node_key").expect("readable").expect("a key").try_into().expect("32 bytes");
    store.close().expect("it closes");
    let owner: OrgId = siegburg.organisation.parse().expect("an id");
    let ids: Vec<[u8; 16]> =
        ["public", "Planung", "internal", "partners"].map(|name| CollectionId::named(&owner, name).0).to_vec();
    let target = siegburg.node.parse().expect("a node id");
    let addresses = siegburg.status()["node"]["addresses"].as_array().expect("addresses").clone();
    let addresses = addresses.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let (net, _events) = Network::start(Config::new(secret, Vec::new())).await.expect("a network");
        net.set_peers(vec![Peer { node: target, addresses, dial: true }]);
        eventually("it is connected", || net.peer_status(target).is_some_and(|status| status.connected));
        let ask = async |bytes: &[u8]| net.ask(target, Topic::Find, bytes).await.expect("an answer");
        let has = |answer: &[u8], text: &str| answer.windows(text.len()).any(|window| window == text.as_bytes());
        let all = ask(&question(&ids, "Bauamt")).await;
        assert!(has(&all, "Quittenmus"), "what is public comes");
        for secret in ["Zwetschgenkuchen", "Bauamt intern", "Holunder", "Nur mit Termin", "Anderes"] {
            assert!(!has(&all, secret), "{secret} was given away");
        }
        assert!(!has(&ask(&question(&ids[1..], "Bauamt")).await, "Bauamt"));
        // A word that stands only in a note finds nothing, not even the entry beside it.
        assert!(!has(&ask(&question(&ids, "Termin")).await, "Anderes"));
        assert!(has(&ask(b"nonsense").await, "no question"));
        let mut refused = false;
        for _ in 0..260 {
            refused |= has(&ask(&question(&ids, "Bauamt")).await, "questions in a minute");
        }
        assert!(refused, "who asks more than 240 times in a minute is refused");
        net.shutdown().await;
    });
}
