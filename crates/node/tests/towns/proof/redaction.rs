use ortsnetz_node::dto::{ImportRequest, RedactRequest};
use ortsnetz_node::{NodeError, init_join, store_import};

use super::*;

const SENTENCE: &str = "Frau Quappenstein aus der Uferstrasse 17 schuldet der Stadt noch 312 Euro";
const INSTEAD: &str = "Die Gebuehr richtet sich nach der Satzung";

/// The word in it that occurs nowhere else; the search index knows words, not sentences.
const WORD: &str = "Quappenstein";

/// Where the word lies in the files of a node, in whatever way packed.
fn traces(dir: &Path) -> Vec<String> {
    scan::find(dir, WORD, &scan::dictionaries(dir))
}

async fn service(node: &Handle) -> String {
    let title = "Hundesteuer Quappenstein";
    let list = [("title.de", title), ("texts.summary.de", SENTENCE), ("texts.notes.de", SENTENCE)];
    let id = node.create("service", &values(&list)).await.expect("create").id;
    publish(node, &id).await;
    id
}

async fn without_the_sentence(node: &Handle, id: &str) {
    let list = [("title.de", "Hundesteuer"), ("texts.summary.de", INSTEAD), ("texts.notes.de", "")];
    node.edit(id, &values(&list)).await.expect("edit");
}

/// Waits until every partner that could read it has it off its disk.
async fn purged(node: &Handle, id: &str) {
    eventually(node, "everybody purges", || async {
        let report = node.redaction(id).await.expect("a report");
        report.waiting.is_empty() && report.purged.len() as u64 == report.of
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_redaction_and_a_restore_no_file_holds_the_sentence() {
    let dir = tempfile::tempdir().expect("a directory");
    let (siegburg_dir, bonn_dir) = (dir.path().join("siegburg"), dir.path().join("bonn"));
    let siegburg = town(&siegburg_dir, "Stadt Siegburg", "053820060060").await;
    let bonn = town(&bonn_dir, "Bundesstadt Bonn", "053140000000").await;
    join(&siegburg, "053140000000", &bonn).await;
    let id = service(&siegburg).await;
    eventually(&bonn, "it is found in Bonn", || async { found(&bonn, "Quappenstein").await == 1 }).await;
    let old = siegburg.show(&id, Default::default()).await.expect("show").meta.heads.join(",");
    for (dir, what) in [(&siegburg_dir, "own.log"), (&siegburg_dir, "search"), (&bonn_dir, "db"), (&bonn_dir, "search")]
    {
        let places = traces(dir);
        assert!(places.iter().any(|place| place.contains(what)), "the scan finds it in {what}: {places:?}");
    }
    let backups = dir.path().join("backups");
    std::fs::create_dir(&backups).expect("a directory");
    siegburg.store_export(backups.join("siegburg")).await.expect("yesterday's backup");
    bonn.store_export(backups.join("bonn")).await.expect("yesterday's backup");

    without_the_sentence(&siegburg, &id).await;
    let request = RedactRequest { reason: Some("Datenschutz, Aktenzeichen 4711".into()), ..RedactRequest::default() };
    let report = siegburg.redact(&id, request).await.expect("redact");
    assert_eq!((report.of, report.reason.as_deref()), (1, Some("Datenschutz, Aktenzeichen 4711")));
    assert!(!report.unreachable.is_empty());
    assert_eq!(traces(&siegburg_dir), Vec::<String>::new(), "gone here when the command answers");
    purged(&siegburg, &id).await;
    assert_eq!(siegburg.redaction(&id).await.expect("a report").purged, ["Bundesstadt Bonn"]);
    assert_eq!(traces(&bonn_dir), Vec::<String>::new(), "confirmed means off the disk");
    for node in [&siegburg, &bonn] {
        assert_eq!(shown(node, &id, "/texts/summary/de").await.as_deref(), Some(INSTEAD));
        assert_eq!(shown(node, &id, "/title/de").await.as_deref(), Some("Hundesteuer"));
        assert_eq!(found(node, "Quappenstein").await, 0);
        assert_eq!(found(node, "Hundesteuer").await, 1);
        let options = ortsnetz_node::dto::ShowOptions { at: Some(old.clone()), ..Default::default() };
        assert!(matches!(node.show(&id, options).await, Err(NodeError::NotFound(_))), "no way back");
        is_clean(node).await;
    }
    assert!(bonn.compare("Stadt Siegburg").await.expect("compare").identical);

    // The owner's disk dies; what comes back is from yesterday.
    let (siegburg_at, bonn_at) = (address(&siegburg).await, address(&bonn).await);
    siegburg.shutdown().await;
    std::fs::remove_dir_all(&siegburg_dir).expect("the disk is gone");
    store_import(&siegburg_dir, &backups.join("siegburg")).expect("restore");
    assert!(!traces(&siegburg_dir).is_empty(), "the backup has it");
    let siegburg = start_at(&siegburg_dir, &siegburg_at).await;
    eventually(&siegburg, "the redaction is replayed", || async { traces(&siegburg_dir).is_empty() }).await;
    eventually(&siegburg, "what is left comes back", || async {
        shown(&siegburg, &id, "/texts/summary/de").await.as_deref() == Some(INSTEAD)
    })
    .await;
    // It goes on from there.
    siegburg.edit(&id, &values(&[("title.de", "Hundesteuer anmelden")])).await.expect("edit");
    eventually(&siegburg, "it can publish again", || async {
        siegburg.publish(Some(vec![id.clone()])).await.is_ok_and(|published| published.published.len() == 1)
    })
    .await;
    eventually(&bonn, "Bonn hears of it", || async {
        shown(&bonn, &id, "/title/de").await.as_deref() == Some("Hundesteuer anmelden")
    })
    .await;

    // The reader's disk dies too. It meets only the publication that came after.
    bonn.shutdown().await;
    std::fs::remove_dir_all(&bonn_dir).expect("the disk is gone");
    store_import(&bonn_dir, &backups.join("bonn")).expect("restore");
    assert!(!traces(&bonn_dir).is_empty(), "the backup has it");
    let bonn = start_at(&bonn_dir, &bonn_at).await;
    eventually(&bonn, "the new state arrives", || async {
        shown(&bonn, &id, "/title/de").await.as_deref() == Some("Hundesteuer anmelden")
    })
    .await;
    eventually(&bonn, "the sentence goes", || async { traces(&bonn_dir).is_empty() }).await;
    for node in [&siegburg, &bonn] {
        is_clean(node).await;
    }
    eventually(&bonn, "both hold the same", || async {
        bonn.compare("Stadt Siegburg").await.is_ok_and(|comparison| comparison.identical)
    })
    .await;
    bonn.shutdown().await;
    siegburg.shutdown().await;
    assert_eq!([traces(&siegburg_dir), traces(&bonn_dir)].concat(), Vec::<String>::new(), "after a clean stop");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_entry_stays_away_until_somebody_writes_it_anew() {
    let dir = tempfile::tempdir().expect("a directory");
    let (siegburg_dir, bonn_dir) = (dir.path().join("siegburg"), dir.path().join("bonn"));
    let siegburg = town(&siegburg_dir, "Stadt Siegburg", "053820060060").await;
    let bonn = town(&bonn_dir, "Bundesstadt Bonn", "053140000000").await;
    join(&siegburg, "053140000000", &bonn).await;
    let line = format!(
        "{{\"kind\":\"service\",\"identifier\":{{\"agency\":\"b\",\"scheme\":\"LB\",\"value\":\"1\"}},\"title\":{{\"de\":\"Hundesteuer\"}},\"texts\":{{\"notes\":{{\"de\":\"{SENTENCE}\"}}}}}}\n"
    );
    let import = || async {
        let (node, line) = (siegburg.clone(), line.clone());
        let request = ImportRequest { file: "entries.jsonl".into(), publish: true, ..ImportRequest::default() };
        let report = tokio::task::spawn_blocking(move || node.import(&request, &mut line.as_bytes()));
        report.await.expect("runs").expect("import")
    };
    assert_eq!(import().await.published, 1);
    let id = siegburg.entries(Default::default()).await.expect("entries").entries[0].id.clone();
    eventually(&bonn, "it arrives", || async { shown(&bonn, &id, "/texts/notes/de").await.is_some() }).await;
    let list = [("companions.partners.agent_note.de", SENTENCE)];
    siegburg.edit(&id, &values(&list)).await.expect("edit");
    siegburg.publish(Some(vec![id.clone()])).await.expect("publish");
    eventually(&bonn, "the note arrives", || async {
        shown(&bonn, &id, "/companions/partners/agent_note/de").await.is_some()
    })
    .await;

    siegburg.redact(&id, RedactRequest { erase: true, ..RedactRequest::default() }).await.expect("redact");
    purged(&siegburg, &id).await;
    for dir in [&siegburg_dir, &bonn_dir] {
        assert_eq!(traces(dir), Vec::<String>::new());
    }
    for node in [&siegburg, &bonn] {
        assert_eq!(node.show(&id, Default::default()).await.expect("show").meta.state, "withdrawn");
        is_clean(node).await;
    }
    let again = import().await;
    assert_eq!((again.unchanged, again.updated, again.published), (1, 0, 0));
    assert!(again.findings[0].message.contains("redacted"), "{:?}", again.findings);
    assert_eq!(traces(&siegburg_dir), Vec::<String>::new());
    assert!(siegburg.publish(None).await.expect("publish --all").refused.is_empty(), "nothing waits to be published");

    siegburg.edit(&id, &values(&[("title.de", "Hundesteuer"), ("texts.notes.de", INSTEAD)])).await.expect("edit");
    publish(&siegburg, &id).await;
    eventually(&bonn, "the new text arrives", || async {
        shown(&bonn, &id, "/texts/notes/de").await.as_deref() == Some(INSTEAD)
    })
    .await;
    assert!(bonn.compare("Stadt Siegburg").await.expect("compare").identical);
    bonn.shutdown().await;
    siegburg.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_own_node_loses_its_draft_and_cannot_bring_it_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hall_dir, laptop_dir) = (dir.path().join("hall"), dir.path().join("laptop"));
    let hall = town(&hall_dir, "Stadt Hürth", "053620028028").await;
    let token = hall.invite(InviteRequest { node: true, ..InviteRequest::default() }).await.expect("invite").token;
    init_join(&laptop_dir, &token).await.expect("init --join");
    let laptop = Handle::start(config(&laptop_dir)).await.expect("start");
    let id = service(&hall).await;
    eventually(&laptop, "the laptop has it", || async { shown(&laptop, &id, "/title/de").await.is_some() }).await;
    laptop.edit(&id, &values(&[("texts.procedure.de", SENTENCE)])).await.expect("edit");
    let options = || ortsnetz_node::dto::ShowOptions { draft: true, ..Default::default() };
    eventually(&hall, "the hall has the draft", || async {
        hall.show(&id, options()).await.is_ok_and(|shown| shown.entry["texts"].get("procedure").is_some())
    })
    .await;
    let long = RedactRequest { reason: Some("x".repeat(501)), ..RedactRequest::default() };
    let long = hall.redact(&id, long).await.expect_err("a reason of 501 bytes");
    assert!(matches!(long, NodeError::TooLarge(_)), "{long}");
    let refused = laptop.redact(&id, RedactRequest::default()).await.expect_err("not the publisher");
    assert!(matches!(refused, NodeError::Forbidden(_)), "{refused}");
    let (hall_at, laptop_at) = (address(&hall).await, address(&laptop).await);
    // The laptop writes on without a connection.
    hall.shutdown().await;
    laptop.edit(&id, &values(&[("texts.teaser.de", SENTENCE)])).await.expect("edit");
    laptop.shutdown().await;

    let hall = start_at(&hall_dir, &hall_at).await;
    without_the_sentence(&hall, &id).await;
    hall.edit(&id, &values(&[("texts.procedure.de", "")])).await.expect("edit");
    let report = hall.redact(&id, RedactRequest { reason: Some("x".repeat(500)), ..RedactRequest::default() }).await;
    assert_eq!(report.expect("redact").waiting.len(), 1, "the laptop is away");
    assert_eq!(traces(&hall_dir), Vec::<String>::new());
    let laptop = start_at(&laptop_dir, &laptop_at).await;
    eventually(&laptop, "the laptop purges", || async { traces(&laptop_dir).is_empty() }).await;
    for node in [&laptop, &hall] {
        assert_eq!(shown(node, &id, "/texts/summary/de").await.as_deref(), Some(INSTEAD));
        let draft = node.show(&id, options()).await.expect("show").entry;
        assert!(draft["texts"].get("teaser").is_none(), "{draft:?}");
        is_clean(node).await;
    }
    purged(&hall, &id).await;
    // Work goes on in the new generation.
    laptop.edit(&id, &values(&[("texts.teaser.de", "Kurz gesagt")])).await.expect("edit");
    eventually(&hall, "the new draft merges", || async {
        hall.show(&id, options()).await.is_ok_and(|shown| shown.entry["texts"].get("teaser").is_some())
    })
    .await;
    assert_eq!(traces(&hall_dir), Vec::<String>::new());
    hall.shutdown().await;
    laptop.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_that_nobody_published_goes_from_all_own_nodes() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hall_dir, laptop_dir) = (dir.path().join("hall"), dir.path().join("laptop"));
    let hall = town(&hall_dir, "Stadt Hürth", "053620028028").await;
    let token = hall.invite(InviteRequest { node: true, ..InviteRequest::default() }).await.expect("invite").token;
    init_join(&laptop_dir, &token).await.expect("init --join");
    let laptop = Handle::start(config(&laptop_dir)).await.expect("start");
    let mut ids = Vec::new();
    for _ in 0..2 {
        let list = [("title.de", "Hundesteuer"), ("texts.summary.de", SENTENCE)];
        let id = hall.create("service", &values(&list)).await.expect("create").id;
        let options = || ortsnetz_node::dto::ShowOptions { draft: true, ..Default::default() };
        eventually(&laptop, "the laptop has it", || async { laptop.show(&id, options()).await.is_ok() }).await;
        laptop.edit(&id, &values(&[("texts.teaser.de", SENTENCE)])).await.expect("edit");
        eventually(&hall, "the hall has the draft", || async {
            hall.show(&id, options())
                .await
                .is_ok_and(|shown| shown.entry.get("texts").is_some_and(|texts| texts.get("teaser").is_some()))
        })
        .await;
        ids.push(id);
    }
    // One is erased, of the other goes what it said before.
    hall.redact(&ids[0], RedactRequest { erase: true, ..RedactRequest::default() }).await.expect("redact");
    let list = [("texts.summary.de", INSTEAD), ("texts.teaser.de", "")];
    hall.edit(&ids[1], &values(&list)).await.expect("edit");
    hall.redact(&ids[1], RedactRequest::default()).await.expect("redact");
    for id in &ids {
        purged(&hall, id).await;
    }
    assert_eq!((traces(&hall_dir), traces(&laptop_dir)), Default::default(), "purged means that nothing is left");
    for node in [&hall, &laptop] {
        eventually(node, "both count one draft", || async {
            node.status().await.is_ok_and(|status| (status.entries.own, status.entries.drafts) == (0, 1))
        })
        .await;
        is_clean(node).await;
    }
    laptop.edit(&ids[1], &values(&[("texts.teaser.de", "Kurz gesagt")])).await.expect("edit");
    eventually(&hall, "work goes on", || async {
        let options = ortsnetz_node::dto::ShowOptions { draft: true, ..Default::default() };
        hall.show(&ids[1], options)
            .await
            .is_ok_and(|shown| shown.entry.get("texts").is_some_and(|texts| texts.get("teaser").is_some()))
    })
    .await;
    hall.shutdown().await;
    laptop.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_in_the_middle_is_made_good_before_anybody_is_told() {
    use ortsnetz_store::{Batch, Key, Options, Origin, Store};

    let dir = tempfile::tempdir().expect("a directory");
    let town_dir = dir.path().join("town");
    let town = town(&town_dir, "Stadt Siegburg", "053820060060").await;
    let id = town.create("service", &values(&[("title.de", "Hundesteuer")])).await.expect("create").id;
    publish(&town, &id).await;
    let own = town.status().await.expect("status").organisation.id;
    town.shutdown().await;
    {
        // The rows of a redaction are gone, and noted as such; their traces are still there.
        let (store, _) = Store::open(&town_dir.join("store"), Options::default()).expect("open");
        let junk = Key::Custom { table: "redacted".into(), key: vec![1] };
        let mut batch = Batch::new(Origin::Own);
        batch.put(junk.clone(), SENTENCE.as_bytes());
        store.commit(batch).expect("commit");
        let organisation: ortsnetz_model::OrgId = own.parse().expect("an id");
        let collection = ortsnetz_model::CollectionId::named(&organisation, "public");
        let entry: ortsnetz_model::EntryId = id.parse().expect("an id");
        let feed = ortsnetz_model::FeedId { organisation, collection };
        let mut note = Vec::new();
        minicbor::encode((feed, entry, 2u32), &mut note).expect("encodes");
        let mut batch = Batch::new(Origin::Own);
        batch.delete(junk);
        batch.put(Key::Custom { table: "purge".into(), key: vec![2] }, note);
        store.commit(batch).expect("commit");
        store.close().expect("close");
    }
    assert!(!traces(&town_dir).is_empty(), "deleting rows leaves traces");
    let town = Handle::start(config(&town_dir)).await.expect("start");
    assert_eq!(traces(&town_dir), Vec::<String>::new(), "when the node is up they are gone");
    eventually(&town, "the search index is made anew", || async { found(&town, "Hundesteuer").await == 1 }).await;
    is_clean(&town).await;
    town.shutdown().await;
}
