//! Joining, publishing, replication, finding; two nodes of one town; importing.

use ortsnetz_node::dto::{ImportRequest, InviteRequest, SearchRequest, ShowOptions};
use ortsnetz_node::{Handle, NodeConfig, init_join};

use crate::{PATIENCE, config, eventually, in_sync, join, publish, town, values};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_town_publishes_the_other_reads_finds_and_can_prove() {
    let dir = tempfile::tempdir().expect("a directory");
    let siegburg = town(&dir.path().join("siegburg"), "Stadt Siegburg", "053820060060").await;
    let koeln = town(&dir.path().join("koeln"), "Stadt Köln", "053150000000").await;
    join(&koeln, "053820060060", &siegburg).await;

    let created = siegburg
        .create(
            "service",
            &values(&[
                ("title.de", "Hundesteuer anmelden"),
                ("fees.+", r#"{"kind":"fixed","amount":9600,"currency":"EUR"}"#),
                ("texts.summary.de", "Melden Sie Ihren Hund an."),
                ("valid_for.+", "053820060060"),
                ("companions.partners.agent_note.de", "Rückfragen an das Steueramt"),
            ]),
        )
        .await
        .expect("create");
    assert_eq!(created.state, "draft");
    let published = siegburg.publish(Some(vec![created.id.clone()])).await.expect("publish");
    assert!(published.refused.is_empty(), "{published:?}");
    assert_eq!(published.published.len(), 1);

    eventually(&koeln, "the entry arrives", || async {
        koeln.show(&created.id, ShowOptions::default()).await.is_ok_and(|shown| shown.entry.get("companions").is_some())
    })
    .await;
    let shown = koeln.show(&created.id, ShowOptions::default()).await.expect("show");
    assert_eq!(shown.entry["title"]["de"], "Hundesteuer anmelden");
    assert_eq!(shown.entry["fees"][0]["amount"], 9600);
    assert_eq!(shown.entry["companions"]["partners"]["agent_note"]["de"], "Rückfragen an das Steueramt");
    assert_eq!(shown.meta.organisation.name, "Stadt Siegburg");
    assert_eq!(shown.meta.organisation.standing.as_deref(), Some("partner"));
    assert!(shown.meta.verified && shown.meta.published_at.is_some() && shown.meta.received_at.is_some());

    eventually(&koeln, "it is found", || async {
        let request =
            SearchRequest { q: "Hund anmelden".into(), place: Some("53721".into()), ..SearchRequest::default() };
        koeln.search(request).await.is_ok_and(|result| result.hits.first().is_some_and(|hit| hit.id == created.id))
    })
    .await;

    siegburg.edit(&created.id, &values(&[("fees.0.amount", "9800")])).await.expect("edit");
    assert_eq!(koeln.show(&created.id, ShowOptions::default()).await.expect("show").entry["fees"][0]["amount"], 9600);
    siegburg.publish(None).await.expect("publish all");
    eventually(&koeln, "the correction arrives", || async {
        koeln
            .show(&created.id, ShowOptions::default())
            .await
            .is_ok_and(|shown| shown.entry["fees"][0]["amount"] == 9800)
    })
    .await;
    eventually(&siegburg, "both are in sync", || async {
        in_sync(&siegburg, "Stadt Köln").await && in_sync(&koeln, "Stadt Siegburg").await
    })
    .await;
    let compared = koeln.compare("Stadt Siegburg").await.expect("compare");
    assert!(compared.identical, "{compared:?}");

    siegburg.withdraw(&created.id).await.expect("withdraw");
    eventually(&koeln, "it disappears", || async {
        koeln.show(&created.id, ShowOptions::default()).await.is_ok_and(|shown| shown.meta.state == "withdrawn")
    })
    .await;
    assert!(koeln.show(&created.id, ShowOptions::default()).await.expect("show").entry.get("title").is_none());

    for node in [&siegburg, &koeln] {
        assert_eq!(node.store_check().await.expect("check").problems, Vec::<String>::new());
        node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_of_a_town_merge_and_the_publisher_answers_requests() {
    let dir = tempfile::tempdir().expect("a directory");
    let hall = town(&dir.path().join("hall"), "Stadt Hürth", "053620028028").await;
    let token = hall.invite(InviteRequest { node: true, ..InviteRequest::default() }).await.expect("invite").token;
    let laptop_dir = dir.path().join("laptop");
    let joined = init_join(&laptop_dir, &token).await.expect("init --join");
    assert_eq!(joined.organisation.name, "Stadt Hürth");
    let laptop = Handle::start(config(&laptop_dir)).await.expect("start");

    let id = laptop
        .create(
            "service",
            &values(&[("title.de", "Sperrmüll"), ("texts.notes.de", "Erster Absatz.\n\nZweiter Absatz.")]),
        )
        .await
        .expect("create")
        .id;
    let asked = laptop.publish(Some(vec![id.clone()])).await.expect("publish");
    assert_eq!(asked.requested, vec![id.clone()]);
    eventually(&laptop, "the publisher publishes it", || async {
        laptop.show(&id, ShowOptions::default()).await.is_ok_and(|shown| shown.meta.state == "published")
    })
    .await;
    eventually(&laptop, "the request is answered", || async {
        laptop.show(&id, ShowOptions::default()).await.is_ok_and(|shown| shown.meta.request == "none")
    })
    .await;

    // Cut from each other, both edit. The town hall comes back at its address, the laptop anywhere.
    let address = hall.status().await.expect("status").node.addresses.first().cloned().expect("an address");
    laptop.shutdown().await;
    hall.edit(&id, &values(&[("texts.notes.de", "Erster Absatz, geändert.\n\nZweiter Absatz.")])).await.expect("edit");
    let laptop_config = config(&laptop_dir);
    hall.shutdown().await;
    let laptop = Handle::start(laptop_config).await.expect("start again");
    laptop
        .edit(
            &id,
            &values(&[
                ("texts.notes.de", "Erster Absatz.\n\nZweiter Absatz, ergänzt."),
                ("keywords.de", r#"["Abfall"]"#),
            ]),
        )
        .await
        .expect("edit");
    let hall_config = NodeConfig { listen: vec![address], ..config(&dir.path().join("hall")) };
    let hall = Handle::start(hall_config).await.expect("start again");
    let merged = "Erster Absatz, geändert.\n\nZweiter Absatz, ergänzt.";
    for node in [&hall, &laptop] {
        eventually(node, "both edits are there", || async {
            let options = ShowOptions { draft: true, ..ShowOptions::default() };
            node.show(&id, options).await.is_ok_and(|shown| {
                shown.entry["texts"]["notes"]["de"].as_str() == Some(merged) && shown.entry.get("keywords").is_some()
            })
        })
        .await;
        assert!(node.conflicts().await.expect("conflicts").is_empty());
        assert_eq!(node.store_check().await.expect("check").problems, Vec::<String>::new());
    }
    hall.shutdown().await;
    laptop.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_is_published_and_a_second_one_changes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let town = town(&dir.path().join("town"), "Stadt Bonn", "053140000000").await;
    let lines: String = (0..150)
        .map(|n| format!("{{\"kind\":\"service\",\"identifier\":{{\"agency\":\"b\",\"scheme\":\"LB\",\"value\":\"{n}\"}},\"title\":{{\"de\":\"Leistung {n}\"}}}}\n"))
        .collect();
    let request = ImportRequest { file: "entries.jsonl".into(), publish: true, ..ImportRequest::default() };
    let import = |text: String| {
        let (node, request) = (town.clone(), request.clone());
        tokio::task::spawn_blocking(move || node.import(&request, &mut text.as_bytes()))
    };
    let first = import(lines.clone()).await.expect("runs").expect("import");
    assert_eq!((first.created, first.published, first.rejected.len()), (150, 150, 0), "{:?}", first.rejected.first());
    let second = import(lines).await.expect("runs").expect("import");
    assert_eq!((second.unchanged, second.created, second.updated, second.published), (150, 0, 0, 0));
    assert_eq!(town.status().await.expect("status").entries.own, 150);
    town.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moved_entry_leaves_its_readers_and_reaches_the_others_and_is_no_draft() {
    let dir = tempfile::tempdir().expect("a directory");
    let owner = town(&dir.path().join("owner"), "Stadt Siegburg", "053820060060").await;
    let reader = town(&dir.path().join("reader"), "Stadt Köln", "053150000000").await;
    join(&owner, "053150000000", &reader).await;
    let id = publish(&owner, "Wasserhärte", "053820060060").await;
    let collection = || async { reader.show(&id, ShowOptions::default()).await.map(|shown| shown.meta.collection) };
    eventually(&reader, "the entry arrives", || async { collection().await.is_ok_and(|name| name == "public") }).await;

    let moved = owner.move_entry(&id, "partners").await.expect("move");
    assert!(moved.refused.is_empty(), "{moved:?}");
    assert!(!owner.show(&id, ShowOptions::default()).await.expect("show").meta.draft, "nothing was changed by moving");
    assert_eq!(owner.status().await.expect("status").entries.drafts, 0);
    eventually(&reader, "it arrives there", || async { collection().await.is_ok_and(|name| name == "partners") }).await;
    eventually(&reader, "both hold the same", || async {
        reader.compare("Stadt Siegburg").await.is_ok_and(|compared| compared.identical)
    })
    .await;

    owner.move_entry(&id, "internal").await.expect("move");
    eventually(&reader, "it leaves the reader", || async {
        reader.show(&id, ShowOptions::default()).await.is_ok_and(|shown| shown.meta.state == "withdrawn")
    })
    .await;
    for node in [&owner, &reader] {
        assert_eq!(node.store_check().await.expect("check").problems, Vec::<String>::new());
        node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_edit_one_entry_at_the_same_time_never_wait_for_each_other_for_ever() {
    let dir = tempfile::tempdir().expect("a directory");
    let hall = town(&dir.path().join("hall"), "Stadt Hürth", "053620028028").await;
    let token = hall.invite(InviteRequest { node: true, ..InviteRequest::default() }).await.expect("invite").token;
    let laptop_dir = dir.path().join("laptop");
    init_join(&laptop_dir, &token).await.expect("init --join");
    let laptop = Handle::start(config(&laptop_dir)).await.expect("start");
    let id = hall.create("service", &values(&[("title.de", "Sperrmüll")])).await.expect("create").id;
    eventually(&laptop, "the draft arrives", || async {
        laptop.show(&id, ShowOptions { draft: true, ..ShowOptions::default() }).await.is_ok()
    })
    .await;

    const EDITS: usize = 60;
    let typing = |node: &Handle, path: &'static str| {
        let (node, id) = (node.clone(), id.clone());
        tokio::spawn(async move {
            for n in 0..EDITS {
                node.edit(&id, &[(path.to_owned(), format!("Fassung {n}"))]).await.expect("edit");
            }
        })
    };
    let both = (typing(&hall, "texts.notes.de"), typing(&laptop, "texts.summary.de"));
    let ended = tokio::time::timeout(PATIENCE, async { tokio::join!(both.0, both.1) }).await;
    let (at_hall, at_laptop) = ended.expect("nobody waits for ever");
    at_hall.expect("the hall edits");
    at_laptop.expect("the laptop edits");
    let last = format!("Fassung {}", EDITS - 1);
    for node in [&hall, &laptop] {
        eventually(node, "both have both last words", || async {
            let options = ShowOptions { draft: true, ..ShowOptions::default() };
            node.show(&id, options).await.is_ok_and(|shown| {
                let texts = &shown.entry["texts"];
                texts["notes"]["de"] == last && texts["summary"]["de"] == last
            })
        })
        .await;
        node.shutdown().await;
    }
}
