//! Who reads what, on real nodes, to the byte: what lies in a store is decoded row by row and searched for what must not
//! be there.

use ortsnetz_model::{CollectionId, EntryId};
use ortsnetz_node::dto::{CollectionChange, CollectionEnd, CollectionInfo, NewCollection, ShowOptions};
use ortsnetz_store::{Options, Store};

use super::*;

const SIEGBURG: &str = "053820060060";
const BONN: &str = "053140000000";
const HUERTH: &str = "053620028028";
const KOELN: &str = "053150000000";

/// Everything in a node's store, keys and values decoded, and its other files as they are. The node is stopped.
fn everything(dir: &Path) -> String {
    let (store, _) = Store::open(&dir.join("store"), Options::default()).expect("the store opens");
    let mut bytes = Vec::new();
    store
        .each_row(&mut |key, value| {
            bytes.extend_from_slice(key);
            bytes.push(0);
            bytes.extend_from_slice(value);
            bytes.push(0);
            true
        })
        .expect("every row is whole");
    drop(store);
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for file in std::fs::read_dir(&folder).expect("a folder") {
            let path = file.expect("a file").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                bytes.extend(std::fs::read(&path).expect("a file"));
            }
        }
    }
    letters(&bytes)
}

/// Bytes as letters of Latin-1: the search for text in the standard library is fast also where this test is not.
fn letters(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn holds(all: &str, needle: &[u8]) -> bool {
    all.contains(&letters(needle))
}

/// What must not be found, as bytes and as text.
struct Secret {
    words: Vec<&'static str>,
    entries: Vec<String>,
    collections: Vec<String>,
}

impl Secret {
    fn assert_unknown(&self, who: &str, all: &str) {
        for word in &self.words {
            assert!(!holds(all, word.as_bytes()), "{who} holds {word:?}");
        }
        for id in &self.entries {
            let entry: EntryId = id.parse().expect("an id");
            assert!(!holds(all, &entry.0) && !all.contains(id.as_str()), "{who} holds entry {id}");
        }
        for id in &self.collections {
            let collection: CollectionId = id.parse().expect("an id");
            assert!(!holds(all, &collection.0) && !all.contains(id.as_str()), "{who} knows of collection {id}");
        }
    }
}

async fn publish_in(node: &Handle, collection: &str, values_of: &[(&str, &str)]) -> String {
    let mut list = vec![("collection", collection), ("valid_for.+", SIEGBURG)];
    list.extend(values_of);
    let id = node.create("service", &values(&list)).await.expect("create").id;
    let published = node.publish(Some(vec![id.clone()])).await.expect("publish");
    assert!(published.refused.is_empty(), "{published:?}");
    id
}

async fn arrives(node: &Handle, id: &str) {
    eventually(node, &format!("{id} arrives"), || async {
        node.show(id, ShowOptions::default()).await.is_ok_and(|shown| shown.entry.contains_key("title"))
    })
    .await;
}

async fn here(node: &Handle, id: &str) -> bool {
    node.show(id, ShowOptions::default()).await.is_ok()
}

async fn again(dir: &Path, address: &str) -> Handle {
    Handle::start(NodeConfig { listen: vec![address.into()], ..config(dir) }).await.expect("start again")
}

async fn address(node: &Handle) -> String {
    node.status().await.expect("status").node.addresses.first().cloned().expect("an address")
}

async fn parted(node: &Handle, from: &str) -> bool {
    node.partners().await.is_ok_and(|partners| partners.iter().all(|partner| partner.name != from))
}

fn names(collection: &CollectionInfo) -> Vec<&str> {
    collection.organisations.iter().map(|reader| reader.name.as_str()).collect()
}

/// Siegburg owns. Bonn reads and relays, and is removed as a partner later. Hürth reads and relays, and is taken off the
/// list while it is away. Köln is a partner that nobody confirmed: it reads what is public.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_holds_a_byte_more_than_it_may() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    let siegburg = town(&at("siegburg"), "Stadt Siegburg", SIEGBURG).await;
    let bonn = town(&at("bonn"), "Stadt Bonn", BONN).await;
    let huerth = town(&at("huerth"), "Stadt Hürth", HUERTH).await;
    let koeln = town(&at("koeln"), "Stadt Köln", KOELN).await;
    join(&siegburg, BONN, &bonn).await;
    join(&siegburg, HUERTH, &huerth).await;
    join(&bonn, HUERTH, &huerth).await;
    let token = siegburg.invite(InviteRequest::default()).await.expect("invite").token;
    assert!(!koeln.join(&token, false).await.expect("join").confirmed);
    join(&bonn, KOELN, &koeln).await;

    let new = NewCollection {
        name: "Planung Nordstern".into(),
        readers: vec!["Stadt Bonn".into(), "Stadt Hürth".into()],
        relay: true,
    };
    let planung = siegburg.create_collection(new).await.expect("create a collection");
    assert_eq!(names(&planung), ["Stadt Bonn", "Stadt Hürth"].map(str::to_owned), "{planung:?}");
    let first = publish_in(&siegburg, "Planung Nordstern", &[("title.de", "Erstgeheimnis")]).await;
    let note = ("companions.partners.agent_note.de", "Notizgeheimnis");
    let open = publish_in(&siegburg, "public", &[("title.de", "Sperrmuell"), note]).await;
    for node in [&bonn, &huerth] {
        arrives(node, &first).await;
        arrives(node, &open).await;
    }
    arrives(&koeln, &open).await;
    eventually(&koeln, "Köln is in sync", || in_sync(&koeln, "Stadt Siegburg")).await;
    assert!(!here(&koeln, &first).await);
    let seen = siegburg.seen_by("Stadt Köln").await.expect("seen by");
    let seen: Vec<_> =
        seen.collections.iter().map(|collection| (collection.name.as_str(), collection.entries)).collect();
    assert_eq!(seen, [("public", 1)]);

    // Hürth is away while it is struck from the list, and the collection gets another name and another entry.
    huerth.shutdown().await;
    let renamed = CollectionChange { name: Some("Umbau Suedstern".into()), relay: None };
    siegburg.change_collection("Planung Nordstern", renamed).await.expect("rename");
    let narrowed = siegburg.narrow_collection("Umbau Suedstern", vec!["Stadt Hürth".into()]).await.expect("narrow");
    assert_eq!((names(&narrowed), narrowed.removed.len()), (vec!["Stadt Bonn"], 1));
    let second = publish_in(&siegburg, "Umbau Suedstern", &[("title.de", "Zweitgeheimnis")]).await;
    arrives(&bonn, &second).await;
    let home = address(&siegburg).await;
    siegburg.shutdown().await;
    let huerth = Handle::start(config(&at("huerth"))).await.expect("start again");
    eventually(&huerth, "Hürth and Bonn are in sync", || in_sync(&huerth, "Stadt Bonn")).await;
    assert!(here(&huerth, &first).await, "what it has stays");
    assert!(!here(&huerth, &second).await, "Bonn may pass on, but not to Hürth any more");

    // Back, Siegburg ends the partnership with Bonn; from then on Bonn gets nothing of what is not public.
    let siegburg = again(&at("siegburg"), &home).await;
    eventually(&siegburg, "Bonn is in sync", || in_sync(&siegburg, "Stadt Bonn")).await;
    siegburg.remove_partner("Stadt Bonn").await.expect("remove");
    eventually(&bonn, "Bonn learns of it", || parted(&bonn, "Stadt Siegburg")).await;
    let ended = siegburg.collection("Umbau Suedstern").await.expect("show");
    assert_eq!((names(&ended).len(), ended.removed.len()), (0, 2));
    let renamed = CollectionChange { name: Some("Abriss Weststern".into()), relay: None };
    siegburg.change_collection("Umbau Suedstern", renamed).await.expect("rename");
    let third = publish_in(&siegburg, "Abriss Weststern", &[("title.de", "Drittgeheimnis")]).await;
    let note = values(&[("companions.partners.agent_note.de", "Notizneuheit")]);
    siegburg.edit(&open, &note).await.expect("edit");
    let moved = publish_in(&siegburg, "public", &[("title.de", "Wanderbaustelle")]).await;
    arrives(&koeln, &moved).await;
    siegburg.move_entry(&moved, "Abriss Weststern").await.expect("move");
    siegburg.publish(None).await.expect("publish all");
    eventually(&koeln, "the moved entry is withdrawn", || async {
        koeln.show(&moved, ShowOptions::default()).await.is_ok_and(|shown| shown.meta.state == "withdrawn")
    })
    .await;
    let seen = siegburg.seen_by("Stadt Bonn").await.expect("seen by");
    assert!(!seen.direct);
    let former: Vec<_> = seen.former.iter().map(|collection| collection.name.as_str()).collect();
    assert!(former.contains(&"Abriss Weststern") && former.contains(&"partners"), "{former:?}");

    // Partners again, but not confirmed: what is public, and not a byte of the rest.
    let token = siegburg.invite(InviteRequest::default()).await.expect("invite").token;
    assert!(!bonn.join(&token, false).await.expect("join again").confirmed);
    let last = publish_in(&siegburg, "public", &[("title.de", "Wieder dabei")]).await;
    arrives(&bonn, &last).await;
    eventually(&bonn, "both are in sync", || in_sync(&bonn, "Stadt Siegburg")).await;
    let seen = siegburg.seen_by("Stadt Bonn").await.expect("seen by");
    let seen: Vec<_> = seen.collections.iter().map(|collection| collection.name.as_str()).collect();
    assert_eq!(seen, ["public"]);
    bonn.shutdown().await;
    huerth.shutdown().await;
    koeln.shutdown().await;

    let mut later = Secret {
        words: vec!["Drittgeheimnis", "Weststern", "Notizneuheit"],
        entries: vec![third.clone()],
        collections: Vec::new(),
    };
    let all = everything(&at("bonn"));
    assert!(holds(&all, b"Zweitgeheimnis") && holds(&all, b"Suedstern"), "the search finds what is there");
    later.assert_unknown("Bonn, a past partner", &all);
    later.words.extend(["Zweitgeheimnis", "Suedstern"]);
    later.entries.push(second);
    let all = everything(&at("huerth"));
    assert!(holds(&all, b"Erstgeheimnis") && holds(&all, b"Nordstern"), "the search finds what is there");
    // Hürth is still a partner, so that the agents' note is for it.
    later.words.retain(|word| *word != "Notizneuheit");
    later.assert_unknown("Hürth, a relay with an old list", &all);
    later.words.extend(["Notizneuheit", "Notizgeheimnis", "Erstgeheimnis", "Nordstern"]);
    later.entries.push(first);
    later.collections.push(planung.id);
    let all = everything(&at("koeln"));
    assert!(holds(&all, b"Sperrmuell"), "the search finds what is there");
    later.assert_unknown("Köln, a reader of what is public", &all);

    // Let in again, Bonn gets the whole collection.
    let bonn = Handle::start(config(&at("bonn"))).await.expect("start again");
    siegburg.confirm_partner("Stadt Bonn").await.expect("confirm");
    siegburg.grant_collection("Abriss Weststern", vec!["Stadt Bonn".into()]).await.expect("grant");
    arrives(&bonn, &third).await;
    arrives(&bonn, &moved).await;
    siegburg.shutdown().await;
    bonn.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_is_made_renamed_moved_and_ended_in_order() {
    let dir = tempfile::tempdir().expect("a directory");
    let siegburg = town(&dir.path().join("siegburg"), "Stadt Siegburg", SIEGBURG).await;
    let bonn = town(&dir.path().join("bonn"), "Stadt Bonn", BONN).await;
    let refused = |line: Result<CollectionInfo, ortsnetz_node::NodeError>| line.expect_err("refused").to_string();
    let named = |name: &str| NewCollection { name: name.into(), ..NewCollection::default() };

    // Nobody reads what is not public before a person confirmed who it is.
    let token = siegburg.invite(InviteRequest::default()).await.expect("invite").token;
    bonn.join(&token, false).await.expect("join");
    siegburg.create_collection(named("Bau")).await.expect("create");
    let line = refused(siegburg.grant_collection("Bau", vec!["Stadt Bonn".into()]).await);
    assert!(line.contains("ortsnetz partners confirm"), "{line}");
    siegburg.confirm_partner("Stadt Bonn").await.expect("confirm");
    let granted = siegburg.grant_collection("Bau", vec!["Stadt Bonn".into()]).await.expect("grant");
    assert_eq!(names(&granted), ["Stadt Bonn"]);

    // What exists from the start stays as it is; names are unique.
    for name in ["public", "partners", "internal"] {
        let line = refused(siegburg.end_collection(name, CollectionEnd::default()).await);
        assert!(line.contains("exists from the start"), "{line}");
        let renamed = CollectionChange { name: Some("anders".into()), relay: None };
        assert!(refused(siegburg.change_collection(name, renamed).await).contains("cannot be renamed"));
        assert!(siegburg.grant_collection(name, vec!["Stadt Bonn".into()]).await.is_err());
        assert!(siegburg.create_collection(named(name)).await.is_err());
    }
    let with = siegburg.collections().await.expect("list").into_iter().find(|one| one.sort == "bilateral");
    let with = with.expect("the partnership made one").name;
    assert!(refused(siegburg.end_collection(&with, CollectionEnd::default()).await).contains("partnership"));
    let relayed = CollectionChange { name: None, relay: Some(true) };
    assert!(refused(siegburg.change_collection(&with, relayed.clone()).await).contains("never passed on"));
    assert!(siegburg.change_collection("Bau", relayed).await.expect("relay").relay);
    assert!(refused(siegburg.create_collection(named("Bau")).await).contains("choose another name"));
    let line = refused(siegburg.collection("Baum").await);
    assert!(line.starts_with("no collection \"Baum\" here; there are: Bau, internal, partners, public"), "{line}");

    // A note for all partners accompanies only what all partners may read.
    let note = values(&[("collection", "Bau"), ("title.de", "x"), ("companions.partners.agent_note.de", "y")]);
    let line = siegburg.create("service", &note).await.expect_err("refused").to_string();
    assert!(line.starts_with("companions.partners"), "{line}");

    let id = publish_in(&siegburg, "Bau", &[("title.de", "Bauantrag")]).await;
    let other = publish_in(&siegburg, "Bau", &[("title.de", "Bauvoranfrage")]).await;
    let draft = siegburg.create("service", &values(&[("collection", "Bau"), ("title.de", "Entwurf")])).await;
    let draft = draft.expect("create").id;
    arrives(&bonn, &id).await;
    let renamed = CollectionChange { name: Some("Bauen und Wohnen".into()), relay: None };
    let renamed = siegburg.change_collection("Bau", renamed).await.expect("rename");
    assert_eq!((renamed.created_as.as_deref(), renamed.entries, renamed.drafts), (Some("Bau"), 2, 1));
    eventually(&bonn, "Bonn hears the new name", || async {
        let shown = bonn.show(&id, ShowOptions::default()).await;
        shown.is_ok_and(|shown| shown.meta.collection == "Bauen und Wohnen" && !shown.meta.public)
    })
    .await;
    eventually(&siegburg, "Siegburg knows that Bonn holds it", || async {
        let seen = siegburg.seen_by("Stadt Bonn").await.expect("seen by");
        let seen = seen.collections.iter().find(|collection| collection.name == "Bauen und Wohnen");
        seen.is_some_and(|seen| seen.complete == Some(true) && seen.since.is_some() && seen.entries == 2)
    })
    .await;

    // Not while something is in it; moved, it ends, and nothing new gets in.
    let line = refused(siegburg.end_collection("Bauen und Wohnen", CollectionEnd::default()).await);
    assert!(line.contains("2 published entries") && line.contains("--move-to"), "{line}");
    siegburg.move_entry(&other, "public").await.expect("move");
    let how = CollectionEnd { withdraw: false, move_to: Some("public".into()) };
    let ended = siegburg.end_collection("Bauen und Wohnen", how).await.expect("end");
    assert!(ended.ended && (ended.entries, ended.drafts) == (0, 0), "{ended:?}");
    for id in [&id, &other] {
        eventually(&bonn, "Bonn has it in its new place", || async {
            let shown = bonn.show(id, ShowOptions::default()).await;
            shown.is_ok_and(|shown| shown.meta.collection == "public" && shown.meta.state == "published")
        })
        .await;
    }
    let shown = siegburg.show(&draft, ShowOptions { draft: true, ..ShowOptions::default() }).await.expect("the draft");
    assert_eq!(shown.meta.collection, "public");
    let into = values(&[("collection", "Bauen und Wohnen"), ("title.de", "zu spät")]);
    let line = siegburg.create("service", &into).await.expect_err("refused").to_string();
    assert!(line.contains("has ended"), "{line}");

    // With what is in it withdrawn, its drafts stay, and say why they cannot be published.
    siegburg.create_collection(named("Rest")).await.expect("create");
    let gone = publish_in(&siegburg, "Rest", &[("title.de", "Altes")]).await;
    let how = CollectionEnd { withdraw: true, move_to: None };
    let ended = siegburg.end_collection("Rest", how).await.expect("end");
    assert_eq!((ended.entries, ended.drafts), (0, 1));
    let answer = siegburg.publish(Some(vec![gone.clone()])).await.expect("an answer");
    assert!(answer.refused.first().is_some_and(|refusal| refusal.reason.contains("has ended")), "{answer:?}");
    siegburg.move_entry(&gone, "public").await.expect("move");
    assert!(siegburg.publish(Some(vec![gone])).await.expect("publish").refused.is_empty());
    siegburg.shutdown().await;
    bonn.shutdown().await;
}
