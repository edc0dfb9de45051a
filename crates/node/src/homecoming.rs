//! A node that was recovered from the sheet, or restored from a backup: it publishes nothing before it has heard what
//! others still hold of its organisation, because a checkpoint of today would not count what it does not know. Then it goes
//! on by itself: first record of a new epoch, and the certificates of lost machines are taken back last, when that record
//! says what counts of theirs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use minicbor::{Decode, Encode};
use ortsnetz_model::{NodeId, OrgId};
use ortsnetz_store::{Batch, Key, Origin, Store};
use ortsnetz_sync::{Event, FeedStatus, PeerStatus};

use crate::catalog;
use crate::clock;
use crate::driver::Input;
use crate::dto::TaskInfo;
use crate::error::NodeError;
use crate::identities;
use crate::nodes;
use crate::partners::{self, look};
use crate::rows;
use crate::shared::{Shared, lock, read};

/// Name of the row that says that this node is on its way home.
const HOMECOMING: &str = "homecoming";
/// How long the other partners are waited for once one is in sync.
const OTHERS: Duration = Duration::from_secs(60);
/// How long the first records of the new epoch may take before the rest goes on without them.
const FIRST_RECORDS: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// What is to be done when this node knows again what it published.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Homecoming {
    /// Since when, milliseconds since 1970.
    #[n(0)]
    pub since: u64,
    /// Nodes whose certificates are taken back at the end.
    #[n(1)]
    pub lost: Vec<NodeId>,
}

/// Notes in a store that is not running that its node has to come home.
pub(crate) fn put(batch: &mut Batch, homecoming: &Homecoming) {
    batch.origin(Origin::Own);
    batch.put(Key::Meta(HOMECOMING.into()), rows::encode(homecoming));
}

/// Whether the node of this store is on its way home.
pub(crate) fn pending(store: &Store) -> Result<Option<Homecoming>, NodeError> {
    store.meta(HOMECOMING)?.map(|bytes| rows::decode("the note of a recovery", &bytes)).transpose()
}

/// Comes home, if that is to be done; ends when it is done or the node stops. Blocks for as long as nobody answers.
pub(crate) fn come_home(shared: &Arc<Shared>) {
    let Some(homecoming) = lock(&shared.homecoming).clone() else { return };
    tracing::info!("nothing is published before others have said what they hold of this organisation");
    let mut first: Option<Instant> = None;
    loop {
        if shared.is_stopping() || lock(&shared.homecoming).is_none() {
            return;
        }
        match heard(shared) {
            Ok(Heard::All) => break,
            Ok(Heard::Some) if first.get_or_insert_with(Instant::now).elapsed() >= OTHERS => break,
            Ok(Heard::Some | Heard::Nobody) => {}
            Err(error) => tracing::warn!(%error, "others could not be asked"),
        }
        std::thread::park_timeout(LOOK);
    }
    if let Err(error) = finish(shared, &homecoming, FIRST_RECORDS) {
        tracing::error!(%error, "the recovery could not be finished; it is tried again at the next start");
    }
}

/// A person decided that nobody will answer: what is here counts.
pub(crate) fn give_up_waiting(shared: &Shared) -> Result<(), NodeError> {
    let homecoming = lock(&shared.homecoming).clone();
    match homecoming {
        Some(homecoming) => finish(shared, &homecoming, Duration::ZERO),
        None => Ok(()),
    }
}

/// The task shown meanwhile.
pub(crate) fn task(shared: &Shared) -> Option<TaskInfo> {
    lock(&shared.homecoming).as_ref().map(|homecoming| TaskInfo {
        kind: "homecoming".into(),
        entry: None,
        message: format!(
            "this node was restored ({}) and publishes nothing before a partner has said what it lacks; see `ortsnetz partners list`. If none will ever answer: `ortsnetz publisher take`",
            clock::rfc3339(homecoming.since)
        ),
        ..TaskInfo::default()
    })
}

enum Heard {
    /// Nobody is in sync yet.
    Nobody,
    /// Somebody is; others may still answer.
    Some,
    /// Everybody who can be reached is, or there is nobody.
    All,
}

fn heard(shared: &Shared) -> Result<Heard, NodeError> {
    let peers = look(shared, ortsnetz_sync::Engine::peers)?;
    let in_sync = |nodes: &[NodeId]| peers.iter().any(|peer| peer.in_sync && nodes.contains(&peer.node));
    let others = others(shared);
    if others.is_empty() || others.iter().all(|nodes| in_sync(nodes)) {
        return Ok(Heard::All);
    }
    if !others.iter().any(|nodes| in_sync(nodes)) {
        return Ok(Heard::Nobody);
    }
    let silent = |nodes: &[NodeId]| unreachable(shared, nodes, &peers);
    let all = others.iter().all(|nodes| in_sync(nodes) || silent(nodes));
    Ok(if all { Heard::All } else { Heard::Some })
}

/// Who may hold something of ours: the nodes of each partner, and each other own node that still counts.
fn others(shared: &Shared) -> Vec<Vec<NodeId>> {
    let lost = lock(&shared.homecoming).as_ref().map(|homecoming| homecoming.lost.clone()).unwrap_or_default();
    let partners: Vec<OrgId> = read(&shared.partners).iter().filter(|(_, row)| !row.ended).map(|(id, _)| *id).collect();
    let of = |id: &OrgId| {
        let identity = shared.identity_of(id)?;
        Some(identity.nodes().map(|certificate| certificate.node).collect::<Vec<_>>())
    };
    let own = shared.identity();
    let own = own.nodes().map(|certificate| certificate.node);
    let own = own.filter(|node| *node != shared.own.node && !lost.contains(node)).map(|node| vec![node]);
    partners.iter().filter_map(of).chain(own).collect()
}

/// Whether nobody of them is connected, and dialling did not help.
fn unreachable(shared: &Shared, nodes: &[NodeId], peers: &[PeerStatus]) -> bool {
    let connected = peers.iter().any(|peer| nodes.contains(&peer.node));
    !connected
        && nodes.iter().filter_map(|node| shared.net.peer_status(*node)).any(|status| status.dial_error.is_some())
}

/// Goes on publishing, takes the certificates of lost machines back, and forgets that there was anything to do.
fn finish(shared: &Shared, homecoming: &Homecoming, patience: Duration) -> Result<(), NodeError> {
    shared.driver.send(Input::Answer(Event::Hold { held: false })).map_err(|_| crate::shared::stopping())?;
    let begun = Instant::now();
    while !homecoming.lost.is_empty() && begun.elapsed() < patience && !all_in_own_term(shared)? {
        std::thread::park_timeout(LOOK);
    }
    if let Some(root) = shared.root() {
        for node in &homecoming.lost {
            identities::extend(shared, |identity| {
                if identity.certificate(node).is_none() {
                    return Ok(Vec::new());
                }
                identity.revoke(*node, clock::now(), &root).map_err(|error| NodeError::Invalid(error.to_string()))
            })?;
        }
    }
    if !homecoming.lost.is_empty() {
        nodes::conclude(shared);
        partners::apply_allow_list(shared)?;
    }
    let mut batch = Batch::new(Origin::Own);
    batch.delete(Key::Meta(HOMECOMING.into()));
    shared.store.commit(batch)?;
    *lock(&shared.homecoming) = None;
    tracing::info!(revoked = homecoming.lost.len(), "this node knows again what it published; publishing goes on");
    Ok(())
}

/// Whether every feed that this node publishes begins with a record of its own term.
pub(crate) fn all_in_own_term(shared: &Shared) -> Result<bool, NodeError> {
    let Some((term, node)) = shared.identity().current_term() else { return Ok(true) };
    if node != shared.own.node {
        return Ok(true);
    }
    let feeds: Vec<FeedStatus> = look(shared, ortsnetz_sync::Engine::feeds)?;
    let own = shared.own.organisation;
    let mut published =
        feeds.iter().filter(|feed| feed.feed.organisation == own && !catalog::is_draft_feed(shared, &feed.feed));
    Ok(published.all(|feed| feed.entries == 0 || feed.cursor.term >= term))
}
