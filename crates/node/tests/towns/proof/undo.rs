use ortsnetz_node::NodeError;

use super::*;

async fn draft(node: &Handle, id: &str, pointer: &str) -> Option<String> {
    let options = ortsnetz_node::dto::ShowOptions { draft: true, ..Default::default() };
    let shown = node.show(id, options).await.expect("show");
    serde_json::Value::Object(shown.entry).pointer(pointer).and_then(|value| value.as_str()).map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_change_is_taken_back_and_any_version_comes_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let town = town(&dir.path().join("town"), "Stadt Hürth", "053620028028").await;
    let id = town.create("service", &values(&[("title.de", "Sperrmüll")])).await.expect("create").id;
    let nothing = town.undo(&id, None).await.expect_err("nothing to undo");
    assert!(matches!(nothing, NodeError::Conflict(_)), "{nothing}");
    let first = town.history(&id).await.expect("history")[0].heads.join(",");
    town.edit(&id, &values(&[("title.de", "Sperrgut"), ("companions.partners.agent_note.de", "Rückruf anbieten")]))
        .await
        .expect("edit");
    publish(&town, &id).await;
    town.edit(&id, &values(&[("title.de", "Sperrmist")])).await.expect("edit");

    let undone = town.undo(&id, None).await.expect("undo");
    assert_eq!(undone.state, "published", "the draft says again what is published");
    assert_eq!(draft(&town, &id, "/title/de").await.as_deref(), Some("Sperrgut"));
    assert_eq!(draft(&town, &id, "/companions/partners/agent_note/de").await.as_deref(), Some("Rückruf anbieten"));
    town.undo(&id, None).await.expect("undo");
    assert_eq!(draft(&town, &id, "/title/de").await.as_deref(), Some("Sperrmist"), "twice brings it again");

    town.undo(&id, Some(first)).await.expect("an earlier version");
    assert_eq!(draft(&town, &id, "/title/de").await.as_deref(), Some("Sperrmüll"));
    assert_eq!(shown(&town, &id, "/title/de").await.as_deref(), Some("Sperrgut"), "published is what was published");
    let unknown = "00".repeat(32);
    assert!(matches!(town.undo(&id, Some(unknown)).await, Err(NodeError::NotFound(_))));

    town.publish(Some(vec![id.clone()])).await.expect("still correct").published.len();
    town.publish(Some(vec![id.clone()])).await.expect("still correct");
    town.withdraw(&id).await.expect("withdraw");
    let history = town.history(&id).await.expect("history");
    for (state, role) in
        [("draft", "admin"), ("published", "publisher"), ("reviewed", "publisher"), ("withdrawn", "publisher")]
    {
        let step = history.iter().find(|step| step.state == state).unwrap_or_else(|| panic!("{state}: {history:?}"));
        assert_eq!(step.role, role);
        assert!(!step.node.is_empty() && !step.at.is_empty());
    }
    is_clean(&town).await;
    town.shutdown().await;
}
