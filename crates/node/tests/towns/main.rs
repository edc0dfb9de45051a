//! Real nodes in one process, over loopback.

mod agreements;
mod answers;
mod contacts;
mod counts;
mod dial;
mod feedback;
mod imports;
mod life_events;
mod moving;
mod network;
mod places;
mod proof;
mod proposals;
mod readers;
mod responsible;
mod settlement;
mod two;

use std::path::Path;
use std::time::Duration;

use ortsnetz_node::dto::{InviteRequest, SearchRequest};
use ortsnetz_node::{Handle, NewOrganisation, NodeConfig, init};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

fn config(dir: &Path) -> NodeConfig {
    NodeConfig {
        data_dir: dir.to_owned(),
        listen: vec!["/ip4/127.0.0.1/tcp/0".into()],
        advertise: Vec::new(),
        http: String::new(),
        relay: None,
    }
}

/// Shows what the nodes log, if `ORTSNETZ_LOG` says so.
fn log() {
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_env("ORTSNETZ_LOG"))
        .with_test_writer()
        .try_init();
}

async fn town(dir: &Path, name: &str, ars: &str) -> Handle {
    log();
    // The smallest machine there is: what waits on the pool for something else on the pool waits for ever.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(1).build_global();
    let organisation = NewOrganisation { name: name.into(), ars: ars.into(), kind: "municipality".into() };
    init(dir, &organisation).expect("init");
    Handle::start(config(dir)).await.expect("start")
}

/// Waits until `check` holds, trying again whenever something happened at the node.
async fn eventually<F, Fut>(node: &Handle, what: &str, mut check: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let mut events = node.events();
    let wait = async {
        while !check().await {
            let _ = tokio::time::timeout(Duration::from_millis(100), events.recv()).await;
        }
    };
    if tokio::time::timeout(PATIENCE, wait).await.is_err() {
        let status = node.status().await.expect("status");
        panic!("{what} did not happen; status: {status:#?}");
    }
}

async fn join(inviter: &Handle, ars: &str, joiner: &Handle) {
    let request = InviteRequest { for_ars: Some(ars.into()), trust: true, ..InviteRequest::default() };
    let token = inviter.invite(request).await.expect("invite").token;
    let joined = joiner.join(&token, false).await.expect("join");
    assert_eq!(joined.check_words.len(), 6);
    assert!(joined.confirmed);
}

async fn in_sync(node: &Handle, partner: &str) -> bool {
    node.partner(partner).await.is_ok_and(|detail| detail.status.in_sync)
}

fn values(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect()
}

/// The ids found for these words at this place, best first.
async fn found(node: &Handle, words: &str, place: &str) -> Vec<String> {
    let request = SearchRequest { q: words.into(), place: Some(place.into()), ..SearchRequest::default() };
    match node.search(request).await {
        Ok(result) => result.hits.into_iter().map(|hit| hit.id).collect(),
        Err(_) => Vec::new(),
    }
}

/// Creates and publishes a service with this title, valid for this place.
async fn publish(node: &Handle, title: &str, ars: &str) -> String {
    add(node, "service", &[("title.de", title), ("valid_for.+", ars)]).await
}

async fn add(node: &Handle, kind: &str, list: &[(&str, &str)]) -> String {
    let id = node.create(kind, &values(list)).await.expect("create").id;
    let published = node.publish(Some(vec![id.clone()])).await.expect("publish");
    assert_eq!((published.published.len(), published.refused.len()), (1, 0), "{published:?}");
    id
}
