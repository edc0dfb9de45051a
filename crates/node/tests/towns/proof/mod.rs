//! What was said can be proved, and what must go goes.

mod receipts;
mod redaction;
#[path = "../../../../store/tests/common/scan.rs"]
mod scan;
mod undo;

use std::path::Path;

use ortsnetz_node::dto::{InviteRequest, SearchRequest};
use ortsnetz_node::{Handle, NodeConfig};

use super::{config, eventually, join, town, values};

/// Starts a node where it was before.
pub async fn start_at(dir: &Path, address: &str) -> Handle {
    Handle::start(NodeConfig { listen: vec![address.into()], ..config(dir) }).await.expect("start again")
}

pub async fn address(node: &Handle) -> String {
    node.status().await.expect("status").node.addresses.first().cloned().expect("an address")
}

pub async fn publish(node: &Handle, id: &str) {
    let published = node.publish(Some(vec![id.into()])).await.expect("publish");
    assert_eq!((published.published.len(), published.refused.len()), (1, 0), "{published:?}");
}

/// The text at a JSON pointer of what a node shows of an entry; `None` if it shows nothing there.
async fn shown(node: &Handle, id: &str, pointer: &str) -> Option<String> {
    let shown = node.show(id, Default::default()).await.ok()?;
    serde_json::Value::Object(shown.entry).pointer(pointer)?.as_str().map(str::to_owned)
}

/// How many entries are found for these words, wherever they are valid.
async fn found(node: &Handle, words: &str) -> usize {
    let request = SearchRequest { q: words.into(), ..SearchRequest::default() };
    node.search(request).await.map_or(0, |result| result.hits.len())
}

pub async fn is_clean(node: &Handle) {
    assert_eq!(node.store_check().await.expect("check").problems, Vec::<String>::new());
}
