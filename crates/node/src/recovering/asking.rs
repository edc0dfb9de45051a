//! Who may know an organisation that lost its machines: asked by a node that shows its certificate, at once and, where
//! nobody answered, again and again later.

use std::sync::Arc;
use std::time::Duration;

use minicbor::{Decode, Encode};
use ortsnetz_model::NodeId;
use ortsnetz_store::{Batch, Key, Origin};
use ortsnetz_trust::identity::{Identity, PartnershipState, Slot, View};
use ortsnetz_trust::invite::JoinMessage;
use ortsnetz_trust::sheet::{self, Sheet};
use ortsnetz_trust::{NodeKey, Signed};

use super::blocking;
use crate::clock;
use crate::dto::RecoverRequest;
use crate::error::NodeError;
use crate::identities;
use crate::joining::unexpected;
use crate::partners;
use crate::rows::{self, NodeAddresses, PartnerRow};
use crate::shared::{Shared, lock, read};

/// Name of the row with those who did not answer yet.
const UNANSWERED: &str = "unanswered";
/// First and longest pause until they are asked again.
const ASK_AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(600));

/// Somebody who may know us.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Candidate {
    /// As the sheet calls it, or the address.
    #[n(0)]
    pub(super) name: String,
    /// Which node, if that is known.
    #[n(1)]
    node: Option<NodeId>,
    /// Where it may be reached.
    #[n(2)]
    addresses: Vec<String>,
}

/// What somebody who knows us said.
pub(super) struct Answer {
    /// Which node it was.
    pub(super) node: NodeId,
    pub(super) addresses: Vec<String>,
    /// Our chain as it is known there.
    pub(super) ours: Vec<Signed>,
    /// The chain of whoever answered.
    pub(super) theirs: Identity,
}

/// The addresses asked for, or else those on the sheet, the readable part first because it is the newer one.
pub(super) fn candidates(request: &RecoverRequest, sheet: &Sheet) -> Result<Vec<Candidate>, NodeError> {
    let mut all: Vec<Candidate> = Vec::new();
    let mut add = |name: &str, node: Option<NodeId>, address: String| match all
        .iter_mut()
        .find(|known| node.is_some() && known.node == node)
    {
        Some(known) if !known.addresses.contains(&address) => known.addresses.push(address),
        Some(_) => {}
        None => all.push(Candidate { name: name.to_owned(), node, addresses: vec![address] }),
    };
    for from in &request.from {
        let (node, address) = sheet::dialled(from.trim())
            .filter(|(_, address)| ortsnetz_net::check_address(address).is_ok())
            .ok_or_else(|| {
                NodeError::Invalid(format!(
                    "--from: {from:?} is no address like /ip4/192.0.2.7/tcp/4115 or /dns4/bonn.example/tcp/4115"
                ))
            })?;
        add(&address.clone(), node, address);
    }
    // With --from the others on the sheet are asked as well: each of them gives back what only it reads.
    for named in sheet::addresses_in(&request.sheet) {
        add(&named.name, named.node, named.address);
    }
    for partner in &sheet.partners {
        for address in &partner.addresses {
            add(&partner.name, Some(partner.node), address.clone());
        }
    }
    if all.is_empty() {
        return Err(NodeError::Invalid(
            "the sheet names no address of a partner; give one with --from /ip4/ADDRESS/tcp/PORT".into(),
        ));
    }
    for candidate in &mut all {
        candidate.addresses.truncate(ortsnetz_net::PEER_ADDRESSES_MAX);
    }
    Ok(all)
}

/// Asks everybody; returns who answered, and who did not and why.
pub(super) async fn ask_all(
    candidates: Vec<Candidate>,
    key: &NodeKey,
    founded: &Identity,
    certificate: &Signed,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<(Vec<Answer>, Vec<(Candidate, NodeError)>), NodeError> {
    let config = ortsnetz_net::Config::new(*key.secret(), Vec::new());
    let (net, _events) =
        ortsnetz_net::Network::start(config).await.map_err(|error| NodeError::Unavailable(error.to_string()))?;
    let (mut answers, mut failed) = (Vec::new(), Vec::new());
    for candidate in candidates {
        progress(&format!("asking {} at {}", candidate.name, candidate.addresses.join(", ")));
        match ask(&net, candidate.node, &candidate.addresses, founded, certificate).await {
            Ok(answer) => {
                progress(&format!("{} knows {}", answer.theirs.name(), founded.name()));
                answers.push(answer);
            }
            Err(error) => {
                progress(&error.to_string());
                failed.push((candidate, error));
            }
        }
    }
    net.shutdown().await;
    Ok((answers, failed))
}

async fn ask(
    net: &ortsnetz_net::Handle,
    node: Option<NodeId>,
    addresses: &[String],
    founded: &Identity,
    certificate: &Signed,
) -> Result<Answer, NodeError> {
    use ortsnetz_net::JoinError as E;
    let told = |error: E| match error {
        E::Refused { .. } | E::Closed => {
            NodeError::Conflict("the node there has no partners and lets nobody in, or its version is older".into())
        }
        error => NodeError::Unreachable(error.to_string()),
    };
    let mut stream = net.return_to(node, addresses.to_vec()).await.map_err(told)?;
    let shown = JoinMessage::Return(certificate.clone()).to_bytes();
    stream.send(&shown).await.map_err(told)?;
    let mut chains = Vec::new();
    while chains.len() < 2 {
        let bytes = stream.recv().await.map_err(told)?;
        match JoinMessage::from_bytes(&bytes).map_err(|error| unexpected(&format!(" ({error})")))? {
            JoinMessage::Chain(statements) => chains.push(statements),
            JoinMessage::Refused(reason) => return Err(NodeError::Conflict(format!("it refused: {reason}"))),
            _ => return Err(unexpected("")),
        }
    }
    let node = stream.node();
    let _ = stream.finish().await;
    let bad = |reason: String| NodeError::Conflict(format!("what it said does not hold: {reason}"));
    let (theirs, ours) = (chains.pop().unwrap_or_default(), chains.pop().unwrap_or_default());
    let (theirs, _) = Identity::from_statements(theirs).map_err(|error| bad(error.to_string()))?;
    if theirs.certificate(&node).is_none() {
        return Err(bad("its organisation does not certify it".into()));
    }
    let mut known = founded.clone();
    known.take_in_all(ours.iter().cloned());
    let own = theirs.id() == founded.id();
    if !own && known.partnership_with(&theirs) != PartnershipState::Active {
        return Err(bad(format!("{} is no partner of {}", theirs.name(), founded.name())));
    }
    Ok(Answer { node, addresses: addresses.to_vec(), ours, theirs })
}

pub(super) fn partner_row(own: &Identity, answer: &Answer) -> PartnerRow {
    PartnerRow {
        since: clock::now(),
        confirmed: own.confirms(&answer.theirs.id()),
        addresses: vec![NodeAddresses { node: answer.node, addresses: answer.addresses.clone() }],
        ..PartnerRow::default()
    }
}

pub(super) fn put_unanswered(batch: &mut Batch, unanswered: &[Candidate]) {
    batch.origin(Origin::Own);
    if unanswered.is_empty() {
        batch.delete(Key::Meta(UNANSWERED.into()));
    } else {
        batch.put(Key::Meta(UNANSWERED.into()), rows::encode(&unanswered.to_vec()));
    }
}

/// Asks those who did not answer the recovery again, until all have or the node stops.
pub(crate) async fn ask_again(shared: Arc<Shared>) {
    let (mut pause, longest) = ASK_AGAIN;
    while !shared.is_stopping() {
        let asking = shared.clone();
        match try_ask_again(&asking).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "those who did not answer the recovery could not be asked again"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

/// Whether all have answered.
async fn try_ask_again(shared: &Arc<Shared>) -> Result<bool, NodeError> {
    let reading = shared.clone();
    let unanswered: Vec<Candidate> = blocking(move || match reading.store.meta(UNANSWERED)? {
        Some(bytes) => rows::decode("who did not answer the recovery", &bytes),
        None => Ok(Vec::new()),
    })
    .await?;
    let identity = shared.identity();
    let certificate = identity.statement(&Slot::Certificate(shared.own.node)).cloned();
    let (Some(certificate), Some(genesis)) = (certificate, identity.statement(&Slot::Genesis).cloned()) else {
        return Ok(true);
    };
    let founded = Identity::new(genesis).map_err(|error| NodeError::Unavailable(error.to_string()))?;
    let mut left = Vec::new();
    for candidate in &unanswered {
        match ask(&shared.net, candidate.node, &candidate.addresses, &founded, &certificate).await {
            Ok(answer) => {
                tracing::info!(partner = answer.theirs.name(), "a partner that did not answer the recovery does now");
                let taking = shared.clone();
                blocking(move || take_answer(&taking, &answer)).await?;
            }
            Err(error) => {
                tracing::debug!(name = candidate.name, %error, "still no answer to the recovery");
                left.push(candidate.clone());
            }
        }
    }
    if left.len() < unanswered.len() {
        let (keeping, left) = (shared.clone(), left.clone());
        blocking(move || {
            let mut batch = Batch::new(Origin::Own);
            put_unanswered(&mut batch, &left);
            keeping.store.commit(batch)?;
            Ok(())
        })
        .await?;
    }
    Ok(left.is_empty())
}

fn take_answer(shared: &Shared, answer: &Answer) -> Result<(), NodeError> {
    let _one = lock(&shared.identity_changes);
    let mut own = Identity::clone(&shared.identity());
    // What only a machine signed whose certificate was taken back meanwhile does not count any more.
    let (news, _) = own.take_in_all(answer.ours.iter().cloned());
    if !news.is_empty() {
        identities::publish(shared, own.clone())?;
    }
    let id = answer.theirs.id();
    if id != own.id() {
        let mut theirs = answer.theirs.clone();
        if let Some(known) = shared.identity_of(&id) {
            theirs.take_in_all(known.statements_for(View::Own));
        }
        identities::publish(shared, theirs)?;
        if !read(&shared.partners).contains_key(&id) {
            partners::keep(shared, &id, partner_row(&own, answer))?;
            partners::keep_chain(shared, &id)?;
        }
    }
    partners::refresh(shared, &id)
}
