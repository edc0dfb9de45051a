//! The sealed copy in a recovery: fetched from those who answered, opened with the key of the sheet, and what the store
//! begins with. Without one the recovery goes on with what partners have.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ortsnetz_net::{Config, Network, Peer};
use ortsnetz_store::Store;
use ortsnetz_trust::identity::{Identity, View};
use ortsnetz_trust::{NodeKey, RootKey, Signer as _};

use super::asking::Answer;
use super::blocking;
use crate::backups;
use crate::clock;
use crate::dto::RecoveredCopy;
use crate::error::NodeError;
use crate::keeping::{self, Fetched, Source, Wanted};
use crate::start;

/// Where it lies until it is opened, below the data directory.
const FILE: &str = "sealed-copy.age";

/// What a sealed copy brought.
#[derive(Default)]
pub(super) struct FromCopy {
    /// The copy, if there was one.
    pub(super) info: Option<RecoveredCopy>,
    /// Who could not give one, and why.
    pub(super) problems: Vec<String>,
}

/// Puts what the newest sealed copy holds into the empty store, and what it knows of the organisation to `known`. Returns
/// the store to go on with.
pub(super) async fn from_copy(
    data_dir: &Path,
    store: Store,
    answers: &[Answer],
    key: &NodeKey,
    root: &RootKey,
    known: &mut Identity,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<(Store, FromCopy), NodeError> {
    let file = data_dir.join(FILE);
    let store = Arc::new(store);
    let fetched = fetch(&file, &store, answers, key, root, known, progress).await;
    let store = Arc::into_inner(store).ok_or_else(|| NodeError::Unavailable("the store is still in use".into()))?;
    let fetched = match fetched {
        Ok(fetched) => fetched,
        Err(error) => Fetched { problems: vec![error.to_string()], ..Fetched::default() },
    };
    let mut found = FromCopy { info: None, problems: fetched.problems };
    let Some(copy) = fetched.copy else { return Ok((store, found)) };
    let (directory, root) = (data_dir.to_owned(), root.clone());
    let (store, opened) = blocking(move || fill(&directory, store, &file, &root)).await?;
    match opened {
        Ok(Some(identity)) => {
            known.take_in_all(identity.statements_for(View::Own));
            let at = clock::rfc3339(copy.at);
            progress(&format!("the sealed copy of {at} is opened; drafts and what is internal are back"));
            found.info = Some(RecoveredCopy { at, bytes: copy.bytes, from: fetched.from });
        }
        Ok(None) => found.problems.push("the sealed copy names no organisation".into()),
        Err(error) => found.problems.push(error.to_string()),
    }
    for problem in &found.problems {
        progress(problem);
    }
    Ok((store, found))
}

/// As the new node, which those who answered let in by now.
async fn fetch(
    file: &Path,
    store: &Store,
    answers: &[Answer],
    key: &NodeKey,
    root: &RootKey,
    known: &Identity,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<Fetched, NodeError> {
    let config = Config::new(*key.secret(), Vec::new());
    let (net, mut events) = Network::start(config).await.map_err(|error| NodeError::Unavailable(error.to_string()))?;
    // Nothing is replicated yet: what partners send meanwhile is not for us.
    let draining = tokio::spawn(async move { while events.recv().await.is_some() {} });
    let peer = |answer: &Answer| Peer { node: answer.node, addresses: answer.addresses.clone(), dial: true };
    net.set_peers(answers.iter().map(peer).collect());
    let source = |answer: &Answer| Source { name: answer.theirs.name().to_owned(), node: answer.node };
    let sources = answers.iter().filter(|answer| answer.theirs.id() != known.id()).map(source).collect();
    let room = |bytes: u64| Ok(store.check_room(bytes)?);
    let wanted = Wanted { organisation: known.id(), root: root.public(), room: &room };
    let fetched = keeping::fetch(&net, sources, &wanted, file, progress).await;
    net.shutdown().await;
    draining.abort();
    fetched
}

/// Opens the copy in place of the store, which has nothing in it. A copy that cannot be opened leaves an empty store.
fn fill(
    data_dir: &Path,
    store: Store,
    file: &Path,
    root: &RootKey,
) -> Result<(Store, Result<Option<Identity>, NodeError>), NodeError> {
    store.close()?;
    drop(store);
    start::remove_store(data_dir)?;
    let opened = backups::open_own(data_dir, file, root);
    let _ = fs::remove_file(file);
    if opened.is_err() {
        start::remove_store(data_dir)?;
    }
    let store = start::open_store(data_dir)?;
    let identity = match opened {
        Ok(_) => start::kept_identity(&store),
        Err(error) => Err(error),
    };
    Ok((store, identity))
}
