//! An inviter that nobody can dial.

use std::path::Path;

use ortsnetz_node::dto::{EventInfo, InviteRequest, ShowOptions};
use ortsnetz_node::{Handle, NewOrganisation, NodeConfig, init};

use crate::{config, eventually, in_sync, join, publish, town};

/// A town that listens nowhere.
async fn hidden_town(dir: &Path, name: &str, ars: &str) -> Handle {
    let organisation = NewOrganisation { name: name.into(), ars: ars.into(), kind: "municipality".into() };
    init(dir, &organisation).expect("init");
    start_hidden(dir).await
}

async fn start_hidden(dir: &Path) -> Handle {
    Handle::start(NodeConfig { listen: Vec::new(), ..config(dir) }).await.expect("start")
}

/// Connections that were turned away.
fn refused(node: &Handle) -> f64 {
    let metrics = node.metrics();
    let refused = metrics.iter().find(|metric| metric.name == "ortsnetz_nodes_refused_total").expect("the metric");
    refused.values.iter().map(|(_, value)| value).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inviter_that_nobody_can_dial_calls_whoever_answers() {
    let dir = tempfile::tempdir().expect("a directory");
    let hidden = hidden_town(&dir.path().join("hidden"), "Stadt Hürth", "053620028028").await;
    let koeln = town(&dir.path().join("koeln"), "Stadt Köln", "053150000000").await;
    let request = InviteRequest { for_ars: Some("053150000000".into()), trust: true, ..InviteRequest::default() };
    let invitation = hidden.invite(request).await.expect("invite");
    assert!(invitation.dial);
    let error = koeln.join(&invitation.token, false).await.expect_err("nobody can dial it").to_string();
    assert!(error.contains("--dial"), "{error}");

    let answered = koeln.join(&invitation.token, true).await.expect("join --dial");
    assert_eq!((answered.partner.name.as_str(), answered.check_words.len()), ("Stadt Hürth", 0));
    assert!(answered.expires_at.is_some());
    let answer = answered.answer.expect("an answer");
    let again = koeln.join(&invitation.token, true).await.expect("the same question");
    assert_eq!(again.answer.as_ref(), Some(&answer));
    let error = koeln.join(&answer, false).await.expect_err("its own answer").to_string();
    assert!(error.contains("your own organisation"), "{error}");
    let error = hidden.join(&invitation.token, true).await.expect_err("its own invitation").to_string();
    assert!(error.contains("your own organisation"), "{error}");

    let joined = hidden.join(&answer, false).await.expect("join ANSWER");
    assert_eq!((joined.partner.name.as_str(), joined.check_words.len()), ("Stadt Köln", 6));
    assert!(joined.confirmed && joined.answer.is_none());
    let detail = koeln.partner("Stadt Hürth").await.expect("a partner");
    assert_eq!(detail.check_words, joined.check_words);
    assert!(detail.status.confirmed);
    let error = hidden.join(&answer, false).await.expect_err("used").to_string();
    assert!(error.contains("already used"), "{error}");
    assert!(koeln.join(&invitation.token, true).await.is_err(), "used, too");

    let from_hidden = publish(&hidden, "Sperrmüll", "053620028028").await;
    let from_koeln = publish(&koeln, "Gewerbe", "053150000000").await;
    for (node, id) in [(&koeln, &from_hidden), (&hidden, &from_koeln)] {
        eventually(node, "the entry arrives", || async { node.show(id, ShowOptions::default()).await.is_ok() }).await;
    }
    eventually(&koeln, "both are in sync", || async {
        in_sync(&koeln, "Stadt Hürth").await && in_sync(&hidden, "Stadt Köln").await
    })
    .await;
    assert!(koeln.compare("Stadt Hürth").await.expect("compare").identical);
    assert!(hidden.compare("Stadt Köln").await.expect("compare").identical);

    // The line breaks: the one that can dial does; the other waits.
    hidden.shutdown().await;
    eventually(&koeln, "it says why it waits", || async {
        let detail = koeln.partner("Stadt Hürth").await.expect("a partner");
        detail.status.problem.is_some_and(|problem| problem.contains("nobody can dial it"))
    })
    .await;
    let mut events = koeln.events();
    let hidden = start_hidden(&dir.path().join("hidden")).await;
    let told = async {
        loop {
            if let Ok(EventInfo::Partner { name, in_sync: true, .. }) = events.recv().await {
                return name;
            }
        }
    };
    let told = tokio::time::timeout(crate::PATIENCE, told).await.expect("a reconnect with nothing changed is told");
    assert_eq!(told, "Stadt Hürth");
    assert_eq!((refused(&koeln), refused(&hidden)), (0.0, 0.0));
    hidden.shutdown().await;
    koeln.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_dials_a_new_partner_before_it_lets_us_in() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = town(&dir.path().join("hub"), "Stadt Köln", "053150000000").await;
    let mut towns = Vec::new();
    for number in 1..=2 {
        let (name, ars) = (format!("Stadt {number}"), format!("05362002800{number}"));
        let other = town(&dir.path().join(&name), &name, &ars).await;
        join(&hub, &ars, &other).await;
        eventually(&hub, "they connect", || in_sync(&hub, &name)).await;
        assert_eq!((refused(&hub), refused(&other)), (0.0, 0.0), "{name}");
        towns.push(other);
    }
    for node in towns.iter().chain([&hub]) {
        node.shutdown().await;
    }
}
