//! `recover`: from the recovery sheet and the partners' verified copies alone to a node that publishes again. Works in an
//! empty data directory, without a daemon.

mod asking;
mod copy;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ortsnetz_model::{FeedId, NodeId};
use ortsnetz_store::{Batch, Key, Origin};
use ortsnetz_trust::identity::Identity;
use ortsnetz_trust::sheet::Sheet;
use ortsnetz_trust::statement::Roles;
use ortsnetz_trust::{NodeKey, RootKey, Signed, Signer as _};

pub(crate) use asking::ask_again;
use asking::{Answer, Candidate, ask_all, candidates, partner_row, put_unanswered};
use copy::{FromCopy, from_copy};

use crate::catalog;
use crate::clock;
use crate::dto::{NodeInfo, OrganisationInfo, RecoverRequest, Recovered, RecoveredCollection};
use crate::error::NodeError;
use crate::handle::NodeConfig;
use crate::homecoming::{self, Homecoming};
use crate::identities;
use crate::partners::look;
use crate::rows::{self, PartnerRow};
use crate::shared::{Shared, lock, read};
use crate::sheets;
use crate::start::{self, RECOVERY_CHECKED};
use crate::working::{BILATERAL, INTERNAL};

/// Without anything new for so long, the command ends; the daemon goes on where it stopped.
const STANDSTILL: Duration = Duration::from_secs(120);
/// Terms that somebody who did not answer may know beyond those heard of: two publishers of one term would stand against
/// each other.
const UNHEARD_TERMS: u32 = 10;
/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// Recovers an organisation into an empty directory. `progress` is told what happens, one line each.
pub(crate) async fn recover(
    data_dir: &Path,
    request: &RecoverRequest,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<Recovered, NodeError> {
    let (text, passphrase) = (request.sheet.clone(), request.passphrase.clone());
    let opened = blocking(move || {
        Sheet::from_text(&text, &passphrase).map_err(|error| NodeError::Unreadable(error.to_string()))
    });
    let sheet = opened.await?;
    let candidates = candidates(request, &sheet)?;
    let key = NodeKey::from_secret(&clock::random());
    let founded = sheet.identity().map_err(|error| NodeError::Unreadable(error.to_string()))?;
    let certificate = certificate(&founded, &key, &sheet.root)?;
    let directory = data_dir.to_owned();
    let store = blocking(move || start::open_empty(&directory)).await?;
    let (answers, failed) = ask_all(candidates, &key, &founded, &certificate, progress).await?;
    let silent: Vec<String> = failed.iter().map(|(candidate, error)| format!("{}: {error}", candidate.name)).collect();
    if answers.is_empty() {
        let _ = blocking(move || store.close().map_err(NodeError::from)).await;
        return Err(NodeError::Unreachable(format!(
            "nobody who knows {} answered, nothing was recovered: {}. Give the address of a partner with --from /ip4/ADDRESS/tcp/PORT",
            founded.name(),
            silent.join("; ")
        )));
    }
    let mut known = known(&founded, &answers, &sheet.root)?;
    let (store, from_copy) = match request.no_copy {
        true => (store, FromCopy::default()),
        false => from_copy(data_dir, store, &answers, &key, &sheet.root, &mut known, progress).await?,
    };
    let lost: Vec<NodeId> = if request.keep_nodes { Vec::new() } else { lost_nodes(&known, &answers, &key.id()) };
    let ahead = if failed.is_empty() { 1 } else { 1 + UNHEARD_TERMS };
    let identity = with_new_node(known, &sheet.root, certificate, &key, ahead)?;
    let names: Vec<String> = lost.iter().map(|node| node_name(&identity, node)).collect();
    let asked: Vec<String> = answers.iter().map(|answer| answer.theirs.name().to_owned()).collect();
    let (text, node) = (request.sheet.clone(), key.id());
    let kept = identity.clone();
    let unanswered: Vec<Candidate> = failed.into_iter().map(|(candidate, _)| candidate).collect();
    blocking(move || {
        let rebuilt = Rebuilt {
            identity: &kept,
            answers: &answers,
            key: &key,
            root: &sheet.root,
            sheet: &text,
            homecoming: &Homecoming { since: clock::now(), lost },
            unanswered: &unanswered,
        };
        keep(&store, &rebuilt)?;
        store.close().map_err(NodeError::from)
    })
    .await?;
    progress(&format!("{} is known again; its entries are fetched back", identity.name()));
    let config = NodeConfig {
        data_dir: data_dir.to_owned(),
        listen: Vec::new(),
        advertise: Vec::new(),
        http: String::new(),
        relay: None,
    };
    let shared = start::start(config).await?;
    let waited = wait(&shared, progress).await;
    let reporting = shared.clone();
    let report = match waited {
        Ok(()) => {
            let restored = from_copy.info.is_some();
            blocking(move || report(&reporting, restored)).await
        }
        Err(error) => Err(error),
    };
    crate::handle::stop(&shared).await;
    let (collections, mut not_back) = report?;
    not_back
        .extend(from_copy.problems.iter().map(|problem| format!("what a sealed copy would have brought: {problem}")));
    if !silent.is_empty() {
        not_back.push(format!(
            "whatever only these have, who did not answer; the daemon asks them again: {}",
            silent.join("; ")
        ));
    }
    Ok(Recovered {
        organisation: start::organisation_info(&identity),
        node: NodeInfo { id: node.to_string(), addresses: Vec::new() },
        answered: asked,
        silent,
        collections,
        sealed_copy: from_copy.info,
        revoked: names,
        not_back,
    })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NodeError> + Send + 'static,
) -> Result<T, NodeError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(NodeError::Unavailable(format!("the recovery failed inside this program: {error}")))
    })
}

fn certificate(founded: &Identity, key: &NodeKey, root: &RootKey) -> Result<Signed, NodeError> {
    let roles = Roles { admin: true, edit: true };
    founded
        .certify(key.id(), roles, start::node_name(&key.id()), Vec::new(), clock::now(), root)
        .map_err(|error| NodeError::Unavailable(error.to_string()))
}

/// What all who answered know of us, put together.
fn known(founded: &Identity, answers: &[Answer], root: &RootKey) -> Result<Identity, NodeError> {
    let mut identity = founded.clone();
    identity.take_in_all(answers.iter().flat_map(|answer| answer.ours.iter().cloned()));
    if identity.root() != root.public() {
        return Err(NodeError::Conflict(
            "the root key on this sheet was replaced by a newer one, so nothing was recovered; use the sheet that was printed after that".into(),
        ));
    }
    Ok(identity)
}

/// The same with the new node as publisher of a new term.
fn with_new_node(
    mut identity: Identity,
    root: &RootKey,
    certificate: Signed,
    key: &NodeKey,
    ahead: u32,
) -> Result<Identity, NodeError> {
    let broken = |error: String| NodeError::Conflict(format!("the new node could not be certified: {error}"));
    identity.take_in(certificate).map_err(|error| broken(error.to_string()))?;
    let term =
        identity.appoint_ahead(key.id(), clock::now(), root, ahead).map_err(|error| broken(error.to_string()))?;
    identity.take_in(term).map_err(|error| broken(error.to_string()))?;
    Ok(identity)
}

/// The machines that could act for the organisation, the publisher and whoever had role admin, except one that answered
/// because a person gave its address.
fn lost_nodes(known: &Identity, answers: &[Answer], new: &NodeId) -> Vec<NodeId> {
    let publisher = known.current_term().map(|(_, node)| node);
    let could_act = known.nodes().filter(|certificate| certificate.roles.admin || publisher == Some(certificate.node));
    let answered = |node: &NodeId| answers.iter().any(|answer| answer.node == *node);
    // Whoever answered knows the new one as well.
    could_act.map(|certificate| certificate.node).filter(|node| node != new && !answered(node)).collect()
}

fn node_name(identity: &Identity, node: &NodeId) -> String {
    let name = identity.last_certificate(node).map(|certificate| certificate.name.clone());
    name.map_or_else(|| node.to_string(), |name| format!("{name} ({node})"))
}

/// What a recovery writes down.
struct Rebuilt<'a> {
    identity: &'a Identity,
    answers: &'a [Answer],
    key: &'a NodeKey,
    root: &'a RootKey,
    sheet: &'a str,
    homecoming: &'a Homecoming,
    unanswered: &'a [Candidate],
}

/// Writes everything down in one batch.
fn keep(store: &ortsnetz_store::Store, rebuilt: &Rebuilt<'_>) -> Result<(), NodeError> {
    let identity = rebuilt.identity;
    let mut batch = Batch::new(Origin::Own);
    start::put_identity(store, &mut batch, identity, rebuilt.key, Some(rebuilt.root))?;
    let mut known = BTreeSet::new();
    for answer in rebuilt.answers.iter().filter(|answer| answer.theirs.id() != identity.id()) {
        let id = answer.theirs.id();
        if known.insert(id) {
            identities::put_chain(store, &mut batch, &answer.theirs, true)?;
            batch.origin(Origin::Own);
            let row = partner_row(identity, answer);
            let row = match store.get(&Key::Partner(id))? {
                // A sealed copy knows more of it, but perhaps not where it is today.
                Some(bytes) => {
                    let known: PartnerRow = rows::decode("a partner", &bytes)?;
                    PartnerRow { addresses: row.addresses, ended: false, calls_us: false, ..known }
                }
                None => row,
            };
            batch.put(Key::Partner(id), rows::encode(&row));
        }
    }
    homecoming::put(&mut batch, rebuilt.homecoming);
    put_unanswered(&mut batch, rebuilt.unanswered);
    sheets::keep_block(&mut batch, rebuilt.sheet)?;
    batch.put(Key::Meta(RECOVERY_CHECKED.into()), clock::now().to_be_bytes().to_vec());
    store.commit(batch)?;
    Ok(())
}

/// Waits until the node is home; ends with an error when nothing moves any more.
async fn wait(shared: &Arc<Shared>, progress: &(dyn Fn(&str) + Sync)) -> Result<(), NodeError> {
    let (mut before, mut moved) = (None, Instant::now());
    loop {
        if lock(&shared.homecoming).is_none() {
            return Ok(());
        }
        let looking = shared.clone();
        let own = shared.own.organisation;
        let held =
            blocking(move || look(&looking, move |engine| (engine.entries_of(&own), engine.counters().records_in)))
                .await?;
        if before != Some(held) {
            if before.is_some_and(|(entries, _)| entries != held.0) {
                progress(&format!("{} entries are back", held.0));
            }
            (before, moved) = (Some(held), Instant::now());
        }
        if moved.elapsed() >= STANDSTILL {
            return Err(NodeError::Unreachable(format!(
                "nothing has arrived for {} s; what is back stays. Start `ortsnetz run`: it goes on from here as soon as a partner can be reached",
                STANDSTILL.as_secs()
            )));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What is back by collection, and what nobody could give back.
fn report(shared: &Shared, restored: bool) -> Result<(Vec<RecoveredCollection>, Vec<String>), NodeError> {
    let feeds = look(shared, ortsnetz_sync::Engine::feeds)?;
    let identity = shared.identity();
    let own = shared.own.organisation;
    let mut collections = Vec::new();
    let mut unread = Vec::new();
    let by_own_node = identity.nodes().any(|certificate| {
        certificate.node != shared.own.node
            && shared.net.peer_status(certificate.node).is_some_and(|status| status.connections > 0)
    });
    for collection in identity.collections() {
        let id = FeedId { organisation: own, collection: collection.collection };
        let held = feeds.iter().find(|feed| feed.feed == id && !catalog::is_draft_feed(shared, &feed.feed));
        match held {
            Some(feed) if feed.entries > 0 => {
                collections.push(RecoveredCollection {
                    name: collection.name.clone(),
                    title: title(shared, &collection.name),
                    entries: feed.live,
                });
            }
            _ if collection.ended => {}
            _ => unread.push(title(shared, &collection.name)),
        }
    }
    collections.sort_by(|a, b| a.name.cmp(&b.name));
    let mut not_back = if restored {
        vec![
            "what was written after the sealed copy and was neither published nor on another own node".to_owned(),
            "the `admin.token` of this node: a new one is made; open invitations are void".to_owned(),
        ]
    } else {
        vec![
            "drafts that were not published, and who wrote what in them".to_owned(),
            "the passwords and tokens of this node: a new `admin.token` is made; open invitations are void".to_owned(),
            "an imported table of places: import it again with `ortsnetz places import FILE`".to_owned(),
            "what the last import read: the next one keeps values that differ from its file and lists them".to_owned(),
            "which publish requests waited".to_owned(),
        ]
    };
    if !by_own_node && !restored {
        not_back.push("entries and notes in `internal`: nobody outside the house had them".to_owned());
    }
    unread.retain(|name| name != INTERNAL);
    if !unread.is_empty() {
        not_back.push(format!("anything in {}: nobody who answered had entries of it", unread.join(", ")));
    }
    for (id, row) in read(&shared.partners).iter().filter(|(_, row)| !row.ended) {
        let name = shared.organisation_name(id);
        if !row.confirmed {
            not_back.push(format!(
                "that a person here confirmed {name}: compare again and run `ortsnetz partners confirm \"{name}\"`"
            ));
        }
    }
    Ok((collections, not_back))
}

/// How a person calls a collection: a bilateral one by the partner's name.
fn title(shared: &Shared, name: &str) -> String {
    match name.strip_prefix(BILATERAL).and_then(|partner| partner.parse().ok()) {
        Some(partner) => format!("what only {} read", shared.organisation_name(&partner)),
        None => name.to_owned(),
    }
}

/// Where `restore` and `import` note that a store comes from an older time. `directory` is that of the store. Returns whose
/// it is.
pub(crate) fn note_restored(directory: &Path) -> Result<OrganisationInfo, NodeError> {
    let (store, _) = ortsnetz_store::Store::open(directory, ortsnetz_store::Options::default())?;
    let mut batch = Batch::new(Origin::Own);
    homecoming::put(&mut batch, &Homecoming { since: clock::now(), lost: Vec::new() });
    store.commit(batch)?;
    let organisation = start::kept_organisation(&store)?;
    store.close()?;
    Ok(organisation)
}
