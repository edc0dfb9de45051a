use ortsnetz_node::NodeError;
use ortsnetz_node::dto::Written;

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
    versions_of_drafts_can_be_shown(&town, &id).await;
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

/// Every version that `history` lists can be shown, by its heads or their beginnings.
async fn versions_of_drafts_can_be_shown(town: &Handle, id: &str) {
    let at = async |heads: String| {
        let options = ortsnetz_node::dto::ShowOptions { at: Some(heads), ..Default::default() };
        town.show(id, options).await
    };
    let history = town.history(id).await.expect("history");
    assert!(history.iter().any(|step| step.state == "draft") && history.iter().any(|step| step.state == "published"));
    for step in history.iter().filter(|step| !step.heads.is_empty()) {
        let whole = at(step.heads.join(",")).await.unwrap_or_else(|error| panic!("{step:?}: {error}"));
        let short: Vec<&str> = step.heads.iter().map(|head| &head[..12]).collect();
        let begun = at(short.join(",")).await.unwrap_or_else(|error| panic!("{step:?}: {error}"));
        assert_eq!(whole.entry, begun.entry);
        assert_eq!((&whole.meta.state, &whole.meta.heads), (&step.state, &step.heads), "{step:?}");
    }
    let unknown = at("000000".into()).await.expect_err("no version begins so");
    assert!(matches!(&unknown, NodeError::NotFound(line) if line.contains("ortsnetz history")), "{unknown}");
    let other = at("00".repeat(32)).await.expect_err("no such version");
    assert!(matches!(&other, NodeError::NotFound(line) if line.contains("ortsnetz history")), "{other}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_beginning_of_an_id_is_enough_while_it_is_the_only_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let town = town(&dir.path().join("town"), "Stadt Hürth", "053620028028").await;
    // Two ids that begin with the same six digits are found among a few thousand.
    let organisation = town.status().await.expect("status").organisation.id.parse().expect("an id");
    let mut seen = std::collections::HashMap::new();
    let (one, other) = (0_u32..)
        .find_map(|n| {
            let id = ortsnetz_model::EntryId::imported(&organisation, "A", "S", &n.to_string()).to_string();
            seen.insert(id[..6].to_owned(), n).map(|before| (before, n))
        })
        .expect("two ids that begin alike");
    let line = |n: u32| {
        let identifier = serde_json::json!({"agency": "A", "scheme": "S", "value": n.to_string()});
        serde_json::json!({"kind": "service", "identifier": identifier, "title": {"de": "Leistung"}}).to_string()
    };
    let file = format!("{}\n{}\n", line(one), line(other));
    let request = ortsnetz_node::dto::ImportRequest { file: "a.jsonl".into(), ..Default::default() };
    let report = tokio::task::block_in_place(|| town.import(&request, &mut file.as_bytes())).expect("import");
    assert_eq!(report.created, 2);
    let both = ortsnetz_model::EntryId::imported(&organisation, "A", "S", &one.to_string()).to_string();
    let both = town.show(&both[..6], Default::default()).await.expect_err("two begin so");
    assert!(matches!(&both, NodeError::Conflict(line) if line.contains("give more digits")), "{both}");
    let id = town.create("service", &values(&[("title.de", "Sperrmüll")])).await.expect("create").id;
    let begun = &id[..10];
    town.edit(begun, &values(&[("title.de", "Sperrgut")])).await.expect("edit");
    let published = town.publish(Some(vec![begun.to_owned()])).await.expect("publish");
    assert_eq!(published.published[0].id, id);
    let shown = town.show(begun, Default::default()).await.expect("show");
    assert_eq!(shown.entry["id"], id.as_str());
    town.history(begun).await.expect("history");
    let short = town.show(&id[..5], Default::default()).await.expect_err("too short");
    assert!(matches!(&short, NodeError::Invalid(line) if line.contains("first 6 or more")), "{short}");
    let unknown = if id.starts_with("000000") { "ffffff" } else { "000000" };
    let unknown = town.show(unknown, Default::default()).await.expect_err("nobody begins so");
    assert!(matches!(&unknown, NodeError::NotFound(line) if line.contains("begins with")), "{unknown}");
    is_clean(&town).await;
    town.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_misspelt_field_is_kept_and_warned_of() {
    let dir = tempfile::tempdir().expect("a directory");
    let town = town(&dir.path().join("town"), "Stadt Hürth", "053620028028").await;
    let created = town.create("service", &values(&[("title.de", "Sperrmüll"), ("titel.de", "Sperrgut")])).await;
    let created = created.expect("create");
    let warned = |written: &Written, path: &str| {
        let found = written.findings.iter().find(|finding| finding.path == path);
        found.map(|finding| (finding.severity.clone(), finding.message.clone()))
    };
    let text = |message: &str| Some(("warning".to_owned(), message.to_owned()));
    assert_eq!(warned(&created, "titel"), text("unknown field, kept in extensions; did you mean title?"));
    assert_eq!(warned(&created, "title"), None);
    assert_eq!(draft(&town, &created.id, "/extensions/titel/de").await.as_deref(), Some("Sperrgut"));
    let edited = town.edit(&created.id, &values(&[("farbe", "rot"), ("titel", "")])).await.expect("edit");
    assert_eq!(warned(&edited, "farbe"), text("unknown field, kept in extensions"));
    assert_eq!(warned(&edited, "titel"), None, "it is deleted");

    let body = serde_json::json!({"kind": "service", "title": {"de": "Fundbüro"}, "farbton": {"de": "a", "en": "b"}, "extensions": {"x": 1},
        "fees": [{"amount": 2800, "amuont": 1}]});
    let serde_json::Value::Object(body) = body else { unreachable!() };
    let posted = town.create_entry(body).await.expect("post");
    assert_eq!(warned(&posted, "farbton"), text("unknown field, kept in extensions"));
    assert_eq!(warned(&posted, "fees.0.amuont"), text("unknown field, kept in extensions; did you mean amount?"));
    let unknown =
        |written: &Written| written.findings.iter().filter(|it| it.message.starts_with("unknown field")).count();
    assert_eq!(unknown(&posted), 2, "each once: {:?}", posted.findings);
    let patch = serde_json::json!({"keywrods": {"de": ["a", "b"]}, "farbton": null});
    let patched = town.patch(&posted.id, patch, None).await.expect("patch");
    assert_eq!(warned(&patched, "keywrods"), text("unknown field, kept in extensions; did you mean keywords?"));
    assert_eq!(unknown(&patched), 1, "what is deleted is not named: {:?}", patched.findings);
    is_clean(&town).await;
    town.shutdown().await;
}
