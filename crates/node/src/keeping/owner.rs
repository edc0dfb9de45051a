//! The owner's side: makes a sealed copy when something is new, gives it to the keepers, and asks now and then for pieces of
//! it that are chosen by chance.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ortsnetz_model::{NodeId, OrgId};
use ortsnetz_net::{Handle, Topic};
use ortsnetz_store::Range;
use ortsnetz_trust::Signer as _;
use ortsnetz_trust::limits::SEALED_PIECE_BYTES;
use ortsnetz_trust::sealed::{KeepAnswer, KeepAsk, KeepRefusal, PieceTree, SealedCopy, SignedCopy};

use super::limits::{PROOF_PIECES, PROVE_EVERY_MS, SEALED_EVERY_MS};
use super::shelf::tree_of;
use super::{
    Confirmed, KeeperRow, NEWEST, NewestRow, change_keeper, keep, keepers_of, list, load, passes, sealed_file,
};
use crate::alarms;
use crate::backups;
use crate::clock;
use crate::dto::Keepers;
use crate::error::NodeError;
use crate::redacting::REDACTIONS;
use crate::shared::{Shared, stopping};

/// After something failed it is tried again so much later.
const AGAIN_MS: u64 = 60_000;
/// Between two looks whether something is to be done.
const LOOK: Duration = Duration::from_secs(5);
/// A keeper that is busy is asked again after this time, and so often.
pub(super) const BUSY: (Duration, u32) = (Duration::from_secs(2), 60);

/// Makes, sends and proves until the node stops.
pub(crate) async fn keep_sending(shared: Arc<Shared>) {
    let (mut failed_at, mut tried) = (0, std::collections::BTreeMap::new());
    while !shared.is_stopping() {
        let forced = shared.keeping.forced.swap(false, Ordering::SeqCst);
        if forced || failed_at + AGAIN_MS <= clock::now() {
            failed_at = match round(&shared, forced, &mut tried).await {
                Ok(()) => 0,
                Err(_) if shared.is_stopping() => return,
                Err(error) => {
                    let message = format!("no sealed copy was made: {error}; it is tried again in a minute");
                    alarms::note(&shared, "sealed_copy_failed", "", None, message);
                    clock::now()
                }
            };
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = shared.keeping.wake.notified() => {}
        }
    }
}

/// `keepers send`: now, to everybody who is connected, who has to prove it; answers when they have it or why not.
pub(crate) async fn send(shared: &Arc<Shared>) -> Result<Keepers, NodeError> {
    if blocking(shared, |shared| keepers_of(&shared.store)).await?.is_empty() {
        return Err(NodeError::NotFound(
            "nobody keeps copies of ours; choose a partner with `ortsnetz keepers add PARTNER`".into(),
        ));
    }
    round(shared, true, &mut std::collections::BTreeMap::new()).await?;
    blocking(shared, list).await
}

async fn blocking<T: Send + 'static>(
    shared: &Arc<Shared>,
    work: impl FnOnce(&Shared) -> Result<T, NodeError> + Send + 'static,
) -> Result<T, NodeError> {
    let shared = shared.clone();
    tokio::task::spawn_blocking(move || work(&shared))
        .await
        .unwrap_or_else(|error| Err(NodeError::Unavailable(format!("failed inside this node: {error}"))))
}

/// When each keeper was tried last without success.
type Tried = std::collections::BTreeMap<OrgId, u64>;

async fn round(shared: &Arc<Shared>, forced: bool, tried: &mut Tried) -> Result<(), NodeError> {
    let _one = shared.keeping.sending.lock().await;
    if blocking(shared, |shared| keepers_of(&shared.store)).await?.is_empty() {
        return Ok(());
    }
    blocking(shared, move |shared| make_if_due(shared, forced)).await?;
    let Some(newest) = blocking(shared, |shared| load::<NewestRow>(&shared.store, NEWEST)).await? else {
        return Ok(());
    };
    let keepers = blocking(shared, |shared| keepers_of(&shared.store)).await?;
    let lacks = |row: &KeeperRow| row.confirmed.as_ref().is_none_or(|it| it.copy != newest.copy);
    let mut tree = None;
    for row in keepers.iter().filter(|row| lacks(row)) {
        let id = row.organisation;
        if !forced && tried.get(&id).is_some_and(|at| at + AGAIN_MS > clock::now()) {
            continue;
        }
        if tree.is_none() && !connected(shared, row).is_empty() {
            tree = Some(blocking(shared, |shared| read_tree(&sealed_file(&shared.data_dir))).await?);
        }
        let sent = send_to(shared, row, &newest.copy, tree.as_ref()).await;
        if shared.is_stopping() {
            return Err(stopping());
        }
        match &sent {
            Ok(_) => drop(tried.remove(&id)),
            Err(reason) => {
                tracing::info!(keeper = shared.organisation_name(&id), reason, "the sealed copy is not there yet");
                tried.insert(id, clock::now());
            }
        }
        let copy = newest.copy.clone();
        blocking(shared, move |shared| {
            change_keeper(shared, &id, |row| match sent {
                Ok(node) => {
                    row.confirmed = Some(Confirmed { copy, at: clock::now(), node });
                    (row.proved_at, row.problem) = (0, None);
                }
                Err(reason) => row.problem = Some(reason),
            })
        })
        .await?;
    }
    prove_all(shared, forced).await?;
    blocking(shared, |shared| {
        let newest: Option<NewestRow> = load(&shared.store, NEWEST)?;
        let all = keepers_of(&shared.store)?;
        let has = |row: &KeeperRow| row.confirmed.as_ref().map(|it| &it.copy) == newest.as_ref().map(|it| &it.copy);
        if all.iter().all(has) { remove_file(&sealed_file(&shared.data_dir)) } else { Ok(()) }
    })
    .await
}

fn failed(what: &str) -> impl FnOnce(io::Error) -> NodeError {
    move |error| NodeError::Unavailable(format!("{what}: {error}"))
}

fn remove_file(file: &Path) -> Result<(), NodeError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed("the sealed copy cannot be removed")(error))
        }
        _ => Ok(()),
    }
}

fn read_tree(file: &Path) -> Result<Arc<PieceTree>, NodeError> {
    tree_of(file).map(Arc::new).map_err(failed("the sealed copy cannot be read"))
}

/// Makes a new copy if it is time, and something is new or the last one is not where it should be. Blocks.
fn make_if_due(shared: &Shared, forced: bool) -> Result<(), NodeError> {
    let Some(root) = shared.root() else {
        return Err(NodeError::Forbidden("the root key is not on this node any more".into()));
    };
    let (store, now, file) = (&shared.store, clock::now(), sealed_file(&shared.data_dir));
    let newest: Option<NewestRow> = load(store, NEWEST)?;
    let same_root = newest.as_ref().is_some_and(|row| row.root == root.public());
    let here = newest.as_ref().is_some_and(|row| fs::metadata(&file).is_ok_and(|about| about.len() == row.copy.bytes));
    let everywhere = newest.as_ref().is_some_and(|newest| {
        let has = |row: &KeeperRow| row.confirmed.as_ref().is_some_and(|it| it.copy == newest.copy);
        keepers_of(store).is_ok_and(|all| all.iter().all(has))
    });
    let backed_up = backups::made(store)?.unwrap_or(0);
    let usable = same_root && (here || everywhere);
    let looked_at = newest.as_ref().map_or(0, |row| row.looked_at);
    if usable && !forced && now.saturating_sub(looked_at) < SEALED_EVERY_MS && backed_up <= looked_at {
        return Ok(());
    }
    let redactions = store.scan(&Range::Custom(REDACTIONS.into()), None, usize::MAX)?.len() as u64;
    let parent = file.parent().unwrap_or(&shared.data_dir);
    fs::create_dir_all(parent).map_err(failed("the directory of the sealed copy cannot be made"))?;
    let known = newest.as_ref().map(|row| row.digest);
    let wanted = |digest: &[u8; 32]| !usable || Some(*digest) != known;
    let made = backups::seal_own(store, &shared.data_dir, &file, &root, &passes, wanted)?;
    let row = match (made, newest) {
        (None, Some(row)) => NewestRow { looked_at: now, ..row },
        (None, None) => return Ok(()),
        (Some(digest), newest) => {
            let tree = read_tree(&file)?;
            let bytes = fs::metadata(&file).map_err(failed("the sealed copy cannot be read"))?.len();
            let number = newest.as_ref().map_or(0, |row| row.copy.number + 1).max(now);
            // What was redacted, or can be opened by a key that was replaced, is not to lie there any longer.
            let clean = newest.as_ref().is_none_or(|row| row.redactions == redactions && same_root);
            let oldest = if clean { 0 } else { number };
            let copy = SealedCopy::new(shared.own.organisation, number, bytes, tree.root(), now, oldest);
            tracing::info!(number, bytes, "a sealed copy was made and read back");
            NewestRow { copy, digest, root: root.public(), looked_at: now, redactions }
        }
    };
    keep(store, NEWEST, &row)
}

/// Nodes of a keeper that are connected, the one first that has a copy.
fn connected(shared: &Shared, row: &KeeperRow) -> Vec<NodeId> {
    let Some(identity) = shared.identity_of(&row.organisation) else { return Vec::new() };
    let is_there = |node: &NodeId| shared.net.peer_status(*node).is_some_and(|status| status.connected);
    let mut nodes: Vec<NodeId> = identity.nodes().map(|certificate| certificate.node).filter(is_there).collect();
    let first = row.confirmed.as_ref().map(|it| it.node);
    nodes.sort_by_key(|node| Some(*node) != first);
    nodes
}

/// Sends a copy to a keeper; returns which of its nodes has it.
async fn send_to(
    shared: &Arc<Shared>,
    row: &KeeperRow,
    copy: &SealedCopy,
    tree: Option<&Arc<PieceTree>>,
) -> Result<NodeId, String> {
    let (Some(tree), nodes) = (tree, connected(shared, row)) else { return Err("it is not connected".into()) };
    let root = shared.root().ok_or("the root key is not on this node any more")?;
    let signed = SignedCopy::sign(copy, &root).map_err(|error| error.to_string())?;
    let mut reason = "it is not connected".to_owned();
    for node in nodes {
        let stopping = || shared.is_stopping();
        match send_copy(&shared.net, node, copy, &signed, tree, &sealed_file(&shared.data_dir), &stopping).await {
            Ok(()) => return Ok(node),
            Err(Unsent::Older(error)) => reason = outrun(shared, node).await.unwrap_or(error),
            Err(Unsent::Because(error)) => reason = error,
        }
    }
    Err(reason)
}

/// Why a copy did not get there.
#[derive(Debug)]
enum Unsent {
    /// The keeper has one with a higher number, in its words.
    Older(String),
    Because(String),
}

impl From<String> for Unsent {
    fn from(reason: String) -> Self {
        Self::Because(reason)
    }
}

impl From<&str> for Unsent {
    fn from(reason: &str) -> Self {
        Self::Because(reason.into())
    }
}

async fn send_copy(
    net: &Handle,
    node: NodeId,
    copy: &SealedCopy,
    signed: &SignedCopy,
    tree: &Arc<PieceTree>,
    file: &Path,
    is_stopping: &(dyn Fn() -> bool + Sync),
) -> Result<(), Unsent> {
    let offer = KeepAsk::Offer(signed.clone());
    let mut answer = ask(net, node, &offer).await?;
    // A keeper that asks for the same pieces again and again gets no more than twice the copy.
    let mut left = copy.pieces() * 2 + 16;
    let mut busy = 0;
    while !is_stopping() {
        answer = match answer {
            KeepAnswer::Kept(number) if number == copy.number => return Ok(()),
            KeepAnswer::Want(index) if index < copy.pieces() => {
                left = left.checked_sub(1).ok_or("it asks for the same pieces again and again")?;
                ask(net, node, &piece(copy, tree, file, index).await?).await?
            }
            KeepAnswer::Refused { why: KeepRefusal::Busy, reason } if busy >= BUSY.1 => {
                return Err(reason.into());
            }
            KeepAnswer::Refused { why: KeepRefusal::Busy, .. } => {
                busy += 1;
                tokio::time::sleep(BUSY.0).await;
                ask(net, node, &offer).await?
            }
            KeepAnswer::Refused { why: KeepRefusal::Older, reason } => return Err(Unsent::Older(reason)),
            KeepAnswer::Refused { reason, .. } => return Err(reason.into()),
            _ => return Err("it answers something else than it was asked".into()),
        };
    }
    Err(stopping().to_string().into())
}

/// The next piece, with its way to the root.
async fn piece(copy: &SealedCopy, tree: &Arc<PieceTree>, file: &Path, index: u64) -> Result<KeepAsk, String> {
    let (number, length, file) = (copy.number, copy.piece_bytes(index), file.to_owned());
    let read = move || -> io::Result<Vec<u8>> {
        let mut file = File::open(file)?;
        file.seek(SeekFrom::Start(index * SEALED_PIECE_BYTES as u64))?;
        let mut piece = vec![0; length];
        file.read_exact(&mut piece)?;
        Ok(piece)
    };
    let read = tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    let piece = read.map_err(|error| format!("the sealed copy cannot be read here: {error}"))?;
    Ok(KeepAsk::Put { number, index, piece, path: tree.path(index).unwrap_or_default() })
}

/// A keeper has a copy of ours with a higher number, of a time when the clock was ahead: the next one is numbered after it.
async fn outrun(shared: &Arc<Shared>, node: NodeId) -> Option<String> {
    let KeepAnswer::State { copies, .. } = ask(&shared.net, node, &KeepAsk::State).await.ok()? else { return None };
    let own = shared.own.organisation;
    let root = shared.identity().root();
    let theirs = copies.iter().filter_map(|signed| signed.verify(&root).ok()).filter(|copy| copy.organisation == own);
    let highest = theirs.map(|copy| copy.number).max()?;
    blocking(shared, move |shared| {
        let Some(mut row) = load::<NewestRow>(&shared.store, NEWEST)? else { return Ok(()) };
        if row.copy.number <= highest {
            row.copy.number = highest;
            (row.digest, row.looked_at) = ([0; 32], 0);
            remove_file(&sealed_file(&shared.data_dir))?;
            keep(&shared.store, NEWEST, &row)?;
        }
        Ok(())
    })
    .await
    .ok()?;
    Some(format!("it has a copy with the number {highest}; the next one is numbered after it"))
}

/// Asks keepers for pieces by chance, each once a day, or now.
async fn prove_all(shared: &Arc<Shared>, forced: bool) -> Result<(), NodeError> {
    for row in blocking(shared, |shared| keepers_of(&shared.store)).await? {
        let Some(confirmed) = row.confirmed.as_ref() else { continue };
        let due = clock::now().saturating_sub(row.proved_at) >= PROVE_EVERY_MS;
        if !(due || forced) || connected(shared, &row).first() != Some(&confirmed.node) {
            continue;
        }
        let (id, name) = (row.organisation, shared.organisation_name(&row.organisation));
        let proved = prove(&shared.net, confirmed).await;
        match &proved {
            Proof::Given => {}
            Proof::None(reason) => {
                tracing::info!(keeper = name, reason, "the keeper could not be asked whether it has the copy");
                continue;
            }
            Proof::Failed(reason) => {
                let message = format!(
                    "{name} could not give back a piece of the sealed copy of {}, which it had confirmed: {reason}. A new one is sent.",
                    clock::rfc3339(confirmed.copy.at)
                );
                alarms::note(shared, "sealed_copy_lost", &id.to_string(), Some(id), message);
            }
        }
        blocking(shared, move |shared| {
            change_keeper(shared, &id, |row| match proved {
                Proof::Failed(reason) => (row.confirmed, row.problem) = (None, Some(reason)),
                Proof::Given | Proof::None(_) => row.proved_at = clock::now(),
            })
        })
        .await?;
    }
    Ok(())
}

#[derive(Debug)]
enum Proof {
    Given,
    Failed(String),
    /// The line broke, or the keeper is busy: nothing is known.
    None(String),
}

async fn prove(net: &Handle, confirmed: &Confirmed) -> Proof {
    let copy = &confirmed.copy;
    for _ in 0..PROOF_PIECES {
        let index = u64::from_be_bytes(clock::random()) % copy.pieces().max(1);
        match ask(net, confirmed.node, &KeepAsk::Get { number: copy.number, index }).await {
            Err(reason) => return Proof::None(reason),
            Ok(KeepAnswer::Piece { piece, path }) if copy.has_piece(index, &piece, &path) => {}
            Ok(KeepAnswer::Refused { why: KeepRefusal::Busy | KeepRefusal::NoRoom, reason }) => {
                return Proof::None(reason);
            }
            Ok(KeepAnswer::Refused { reason, .. }) => return Proof::Failed(reason),
            Ok(_) => return Proof::Failed("what it gave is not a piece of it".into()),
        }
    }
    Proof::Given
}

/// Asks a connected node.
pub(super) async fn ask(net: &Handle, node: NodeId, ask: &KeepAsk) -> Result<KeepAnswer, String> {
    let bytes = net.ask(node, Topic::Keep, &ask.to_bytes()).await.map_err(|error| error.to_string())?;
    let answer = KeepAnswer::from_bytes(&bytes).map_err(|error| format!("it answers in an unknown way: {error}"))?;
    Ok(match answer {
        // Shown to people, on a line.
        KeepAnswer::Refused { why, reason } => {
            let reason = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            KeepAnswer::Refused { why, reason }
        }
        answer => answer,
    })
}

#[cfg(test)]
#[path = "hostile_tests.rs"]
mod tests;
