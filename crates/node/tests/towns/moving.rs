//! What an own node wrote while the publisher moved the entry elsewhere.

use ortsnetz_node::Handle;
use ortsnetz_node::dto::{InviteRequest, ShowOptions};
use ortsnetz_node::init_join;

use super::proof::{address, is_clean, publish, start_at};
use super::{config, eventually, town, values};

/// The title and the teaser of the draft, and the collection it is in.
async fn draft(node: &Handle, id: &str) -> Option<(String, String, String)> {
    let shown = node.show(id, ShowOptions { draft: true, ..ShowOptions::default() }).await.ok()?;
    let text = |value: Option<&serde_json::Value>| value.and_then(|text| text.as_str()).unwrap_or_default().to_owned();
    let entry = serde_json::Value::Object(shown.entry);
    Some((text(entry.pointer("/title/de")), text(entry.pointer("/texts/teaser/de")), shown.meta.collection))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_offline_follows_its_entry_to_another_collection() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hall_dir, laptop_dir) = (dir.path().join("hall"), dir.path().join("laptop"));
    let hall = town(&hall_dir, "Stadt Hürth", "053620028028").await;
    let token = hall.invite(InviteRequest { node: true, ..InviteRequest::default() }).await.expect("invite").token;
    init_join(&laptop_dir, &token).await.expect("init --join");
    let laptop = Handle::start(config(&laptop_dir)).await.expect("start");
    let mut ids = Vec::new();
    for title in ["Sperrmüll", "Grünschnitt", "Altpapier"] {
        ids.push(hall.create("service", &values(&[("title.de", title)])).await.expect("create").id);
        publish(&hall, ids.last().expect("one")).await;
    }
    for id in &ids {
        eventually(&laptop, "the laptop has it", || async { draft(&laptop, id).await.is_some() }).await;
    }
    let (hall_at, laptop_at) = (address(&hall).await, address(&laptop).await);

    // Without a connection: one is asked to be published, one is only written, one is let alone.
    hall.shutdown().await;
    for id in &ids[..2] {
        laptop.edit(id, &values(&[("texts.teaser.de", "Kurz gesagt")])).await.expect("edit");
    }
    laptop.publish(Some(vec![ids[0].clone()])).await.expect("publish");
    laptop.shutdown().await;
    let hall = start_at(&hall_dir, &hall_at).await;
    for id in &ids {
        hall.edit(id, &values(&[("title.de", "Abfuhr")])).await.expect("edit");
        hall.move_entry(id, "partners").await.expect("move");
    }
    hall.shutdown().await;

    // The laptop hears of it, and its changes are where the entries are now.
    let laptop = start_at(&laptop_dir, &laptop_at).await;
    let hall = start_at(&hall_dir, &hall_at).await;
    let expected = |teaser: &str| Some(("Abfuhr".to_owned(), teaser.to_owned(), "partners".to_owned()));
    for node in [&laptop, &hall] {
        for id in &ids[..2] {
            eventually(node, "the change is there", || async { draft(node, id).await == expected("Kurz gesagt") })
                .await;
            let shown = node.show(id, ShowOptions::default()).await.expect("show");
            assert!(shown.entry.get("texts").is_none_or(|texts| texts.get("teaser").is_none()), "nobody published it");
            assert!(shown.meta.draft, "a person has to look at it");
        }
        eventually(node, "the third has moved", || async { draft(node, &ids[2]).await == expected("") }).await;
        assert!(!node.show(&ids[2], ShowOptions::default()).await.expect("show").meta.draft);
    }
    eventually(&laptop, "the request is answered", || async {
        laptop.show(&ids[0], ShowOptions::default()).await.is_ok_and(|shown| shown.meta.request == "refused")
    })
    .await;
    let asked = laptop.publish(Some(vec![ids[0].clone()])).await.expect("publish");
    assert_eq!(asked.requested.len(), 1, "{asked:?}");
    for node in [&hall, &laptop] {
        eventually(node, "it is published", || async {
            let shown = node.show(&ids[0], ShowOptions::default()).await.expect("show");
            shown.entry["title"]["de"] == "Abfuhr"
                && shown.entry.get("texts").is_some_and(|texts| texts["teaser"]["de"] == "Kurz gesagt")
                && !shown.meta.draft
        })
        .await;
        is_clean(node).await;
        node.shutdown().await;
    }
}
