//! What a reader holds, byte by byte, and what others get.

use ortsnetz_model::NodeId;
use ortsnetz_net::{Config, NetEvent, Network, Peer};
use ortsnetz_tests::{Bytes, Town, eventually, eventually_some};
use serde_json::json;

const SIEGBURG: &str = "053820060060";

/// Words that occur nowhere else, so that finding one proves something.
mod word {
    pub const PUBLIC: &str = "qvxoeffentlich";
    pub const FINAL: &str = "qvxendgueltig";
    pub const PARTNERS: &str = "qvxpartnersammlung";
    pub const NOTE: &str = "qvxagentenhinweis";
    pub const WITHDRAWN: &str = "qvxzurueckgezogen";
    /// What nobody but Siegburg ever holds: a draft, two wordings that were thrown away, what agents of the own house
    /// know, an entry for the own nodes and one in the other partner's collection.
    pub const DRAFT: &str = "qvxentwurf";
    pub const DISCARDED: &str = "qvxverworfen";
    pub const DISCARDED_LATER: &str = "qvxspaeterverworfen";
    pub const UNPUBLISHED: &str = "qvxnochnichtveroeffentlicht";
    pub const STAFF: &str = "qvxdurchwahl";
    pub const INTERNAL: &str = "qvxhausintern";
    pub const BILATERAL: &str = "qvxzweiseitig";
    pub const SECRET: [&str; 7] = [DRAFT, DISCARDED, DISCARDED_LATER, UNPUBLISHED, STAFF, INTERNAL, BILATERAL];
}

#[test]
fn a_reader_holds_no_byte_of_what_was_not_published_to_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut owner = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let mut confirmed = Town::new(dir.path(), "Stadt Köln", "053150000000");
    let mut unconfirmed = Town::new(dir.path(), "Stadt Bonn", "053140000000");
    let third = Town::new(dir.path(), "Stadt Hürth", "053620028028");
    owner.befriend(&confirmed);
    owner.befriend(&third);
    let invitation = owner.ok(&["invite"]);
    unconfirmed.ok(&["join", invitation["token"].as_str().expect("a token")]);

    // Typed, thrown away, published; again, and again without publishing.
    let title = format!("title.de={}", word::PUBLIC);
    let note = format!("companions.partners.agent_note.de={}", word::NOTE);
    let staff = format!(r#"companions.internal.staff_contacts=[{{"channel":"phone","value":"{}"}}]"#, word::STAFF);
    let text = |word: &str| format!("texts.notes.de=Erster Absatz.\n\nDer zweite sagt {word} und mehr.");
    let id = owner.create("service", &[&title, &note, &staff, &text(word::DISCARDED)]);
    owner.ok(&["edit", &id, &text("nichts")]);
    owner.publish_entry(&id);
    owner.ok(&["edit", &id, &text(word::DISCARDED_LATER)]);
    owner.ok(&["edit", &id, &text(word::FINAL)]);
    owner.publish_entry(&id);
    owner.ok(&["edit", &id, &text(word::UNPUBLISHED)]);
    owner.create("service", &[&format!("title.de={}", word::DRAFT)]);
    for (collection, word) in [
        ("partners", word::PARTNERS),
        ("internal", word::INTERNAL),
        (&format!("with:{}", third.organisation), word::BILATERAL),
    ] {
        let entry = owner.create("service", &[&format!("title.de={word}")]);
        let moved = owner.ok(&["move", &entry, collection]);
        assert_eq!(moved["refused"], json!([]), "{moved}");
        owner.publish_entry(&entry);
    }
    let last = owner.publish("service", &["title.de=Zuletzt"]);
    for reader in [&confirmed, &unconfirmed, &third] {
        eventually("the last entry arrives", || reader.shown(&last)["meta"]["state"] == "published");
        owner.wait_in_sync(reader);
        eventually("it can be found", || finds(reader, word::PUBLIC) && finds(reader, "Zuletzt"));
    }
    assert!(finds(&confirmed, word::PARTNERS) && !finds(&unconfirmed, word::PARTNERS));
    assert_eq!(confirmed.shown(&id)["entry"]["companions"]["partners"]["agent_note"]["de"], word::NOTE);
    assert!(confirmed.shown(&id)["entry"]["companions"]["internal"].is_null());
    assert!(unconfirmed.shown(&id)["entry"]["companions"].is_null());
    eventually("the third town finds what is between it and Siegburg", || finds(&third, word::BILATERAL));
    for (reader, word) in
        [&confirmed, &unconfirmed].into_iter().flat_map(|reader| word::SECRET.map(|word| (reader, word)))
    {
        assert!(!finds(reader, word), "{} finds {word}", reader.name);
    }

    owner.stop();
    let bytes = Bytes::of(&owner.dir);
    for word in word::SECRET {
        bytes.must_hold(word);
    }
    for (reader, reads_partners) in [(&mut confirmed, true), (&mut unconfirmed, false)] {
        reader.check_store();
        reader.stop();
        let bytes = Bytes::of(&reader.dir);
        for word in word::SECRET {
            bytes.must_lack(word);
        }
        bytes.must_hold(word::PUBLIC);
        bytes.must_hold(word::FINAL);
        for word in [word::PARTNERS, word::NOTE] {
            if reads_partners { bytes.must_hold(word) } else { bytes.must_lack(word) }
        }
    }
}

/// Whether a word is found. As if somebody were typing it: what is looked for in vain again and again is noted as a gap.
fn finds(town: &Town, word: &str) -> bool {
    town.get(&format!("/search?q={word}&typing=true"))["total"] != json!(0)
}

#[test]
fn a_withdrawn_entry_disappears_at_the_reader() {
    let dir = tempfile::tempdir().expect("a directory");
    let owner = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let mut reader = Town::new(dir.path(), "Stadt Köln", "053150000000");
    owner.befriend(&reader);
    let id = owner.publish("service", &[&format!("title.de={}", word::WITHDRAWN)]);
    let stays = owner.publish("service", &[&format!("title.de={}", word::PUBLIC)]);
    eventually("both are found", || finds(&reader, word::WITHDRAWN) && finds(&reader, word::PUBLIC));

    let answer = owner.ok(&["withdraw", &id]);
    assert_eq!(answer["published"][0]["id"], *id, "{answer}");
    eventually("it is gone", || reader.shown(&id)["meta"]["state"] == "withdrawn");
    assert!(reader.shown(&id)["entry"]["title"].is_null());
    eventually("it is not found any more", || !finds(&reader, word::WITHDRAWN));
    assert_eq!(reader.status()["entries"]["replicated"], json!(1));
    owner.wait_in_sync(&reader);
    assert_eq!(owner.ok(&["compare", &reader.name])["identical"], json!(true));
    reader.check_store();
    assert_eq!(reader.shown(&stays)["meta"]["state"], "published");
    reader.stop();
    let bytes = Bytes::of(&reader.dir);
    bytes.must_hold(word::PUBLIC);
    let left = bytes.find(word::WITHDRAWN);
    assert!(left.iter().all(|place| !place.starts_with("row")), "{left:?}");
}

#[test]
fn a_node_without_certificate_gets_nothing_and_the_log_says_why() {
    let dir = tempfile::tempdir().expect("a directory");
    let town = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let friend = Town::new(dir.path(), "Stadt Köln", "053150000000");
    town.befriend(&friend);
    town.publish("service", &["title.de=Hundesteuer"]);
    town.wait_in_sync(&friend);
    let target: NodeId = town.node.parse().expect("a node id");
    let addresses = town.status()["node"]["addresses"].as_array().expect("addresses").clone();
    let addresses: Vec<String> = addresses.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect();

    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let config = Config::new([7; 32], vec!["/ip4/127.0.0.1/tcp/0".into()]);
        let (stranger, mut events) = Network::start(config).await.expect("a network");
        let me = stranger.node();
        stranger.set_peers(vec![Peer { node: target, addresses, dial: true }]);
        // The network has threads of its own.
        let line = eventually_some("the log says that somebody was turned away", || {
            town.log().lines().find(|line| line.contains("a node was turned away")).map(str::to_owned)
        });
        assert!(line.contains(&me.to_string()), "{line}");
        assert!(line.contains("reason="), "{line}");
        while let Some(event) = events.try_recv() {
            assert!(!matches!(event, NetEvent::Connected { .. } | NetEvent::Frame { .. }), "{event:?}");
        }
        stranger.shutdown().await;
    });
    let nodes: Vec<_> = town.status()["partners"].as_array().expect("partners").clone();
    assert_eq!(nodes.len(), 1, "the stranger is nobody here: {nodes:?}");
}
