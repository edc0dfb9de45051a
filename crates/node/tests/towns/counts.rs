//! What `status` counts.

use ortsnetz_node::Handle;

use crate::{config, eventually, join, town, values};

async fn counts(node: &Handle) -> (u64, u64, u64) {
    let entries = node.status().await.expect("status").entries;
    (entries.own, entries.drafts, entries.replicated)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_with_companions_counts_once_and_drafts_are_known_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let siegburg = town(&dir.path().join("siegburg"), "Stadt Siegburg", "053820060060").await;
    let koeln = town(&dir.path().join("koeln"), "Stadt Köln", "053150000000").await;
    join(&koeln, "053820060060", &siegburg).await;
    let mut ids = Vec::new();
    for title in ["Hundesteuer", "Grundsteuer"] {
        let entry = [
            ("title.de", title),
            ("valid_for.+", "053820060060"),
            ("companions.partners.agent_note.de", "Rückfragen an das Steueramt"),
        ];
        ids.push(siegburg.create("service", &values(&entry)).await.expect("create").id);
    }
    siegburg.create("service", &values(&[("title.de", "Entwurf")])).await.expect("create");
    assert_eq!(counts(&siegburg).await, (0, 3, 0));
    let published = siegburg.publish(Some(ids.clone())).await.expect("publish");
    assert_eq!(published.refused.len(), 0, "{published:?}");
    assert_eq!(counts(&siegburg).await, (2, 1, 0));
    eventually(&koeln, "both arrive with their companions", || async {
        koeln.compare("Stadt Siegburg").await.is_ok_and(|compared| compared.identical)
            && counts(&koeln).await == (0, 0, 2)
    })
    .await;
    let partner = koeln.partner("Stadt Siegburg").await.expect("a partner").status;
    assert_eq!(partner.entries, 2);

    siegburg.withdraw(&ids[0]).await.expect("withdraw");
    assert_eq!(counts(&siegburg).await, (1, 1, 0));
    eventually(&koeln, "it is not counted any more", || async { counts(&koeln).await == (0, 0, 1) }).await;
    for (node, name, expected) in [(siegburg, "siegburg", (1, 1, 0)), (koeln, "koeln", (0, 0, 1))] {
        node.shutdown().await;
        let node = Handle::start(config(&dir.path().join(name))).await.expect("start again");
        assert_eq!(counts(&node).await, expected, "{name}");
        node.shutdown().await;
    }
}
