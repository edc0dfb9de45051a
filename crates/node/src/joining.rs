//! Invitations, and both sides of joining over the network. Where the inviter has to dial: `calling`.

use std::path::Path;
use std::sync::Arc;

use ortsnetz_model::OrgId;
use ortsnetz_net::JoinStream;
use ortsnetz_store::{Batch, Key, Origin, Range};
use ortsnetz_trust::identity::{Identity, View};
use ortsnetz_trust::invite::{
    Answer, Invitation, JoinError, JoinMessage, Joined as JoinedPartner, NamedOrganisation, NodeInviter, NodeJoiner,
    PartnerInviter, PartnerJoiner, PartnerRequest, Token, TokenError, TokenKind,
};
use ortsnetz_trust::limits::INVITATION_MS_MAX;
use ortsnetz_trust::statement::Roles;
use ortsnetz_trust::{NodeKey, Signed};

use crate::calling;
use crate::clock;
use crate::dto::{self, Initialised, InviteRequest, Joined, NodeInfo};
use crate::error::NodeError;
use crate::identities;
use crate::leaving;
use crate::partners;
use crate::reaching;
use crate::rows::{self, NodeAddresses, PartnerRow};
use crate::shared::{Shared, lock, read, write};
use crate::start;

/// How long an invitation is open if nobody says otherwise: 7 days.
const INVITATION_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// `invite`. Blocks.
pub(crate) fn invite(shared: &Shared, request: &InviteRequest) -> Result<dto::Invitation, NodeError> {
    if !request.node {
        leaving::taking_part(shared, "it invites nobody any more")?;
    }
    let identity = shared.identity();
    if !identity.roles(&shared.own.node).admin {
        return Err(NodeError::Forbidden(
            "only a node with role admin invites; run this on the organisation's first node".into(),
        ));
    }
    if request.node && shared.root().is_none() {
        return Err(NodeError::Forbidden(
            "a further node needs a certificate by the root key, which is not on this node; run this where the organisation was founded".into(),
        ));
    }
    if request.trust && request.for_ars.is_none() && !request.node {
        return Err(NodeError::Invalid("--trust: say whom you trust with --for ARS".into()));
    }
    if let Some(ars) = &request.for_ars {
        ars.parse::<ortsnetz_model::Ars>().map_err(|error| NodeError::Invalid(format!("--for: {error}")))?;
    }
    let open_for = request.expires_in.unwrap_or(INVITATION_MS);
    if open_for == 0 || open_for > INVITATION_MS_MAX {
        let days = INVITATION_MS_MAX / 86_400_000;
        return Err(NodeError::Invalid(format!("--expires: an invitation can be open for up to {days} days")));
    }
    let addresses = stated_addresses(shared, &identity);
    let dial = addresses.is_empty();
    let expires = clock::now() + open_for;
    let token = Token {
        kind: if request.node { TokenKind::Node } else { TokenKind::Partner },
        organisation: NamedOrganisation {
            id: identity.id(),
            name: identity.name().to_owned(),
            ars: identity.ars().to_owned(),
        },
        node: shared.own.node,
        addresses,
        id: clock::random(),
        secret: clock::random(),
        expires,
        for_ars: request.for_ars.clone(),
        trust: request.trust,
    };
    let text = token.to_text().map_err(|error| NodeError::Invalid(error.to_string()))?;
    put_invitation(shared, &Invitation::new(token))?;
    shared.open_joins();
    Ok(dto::Invitation { token: text, expires_at: clock::rfc3339(expires), dial })
}

/// Where others are told to dial this node; nothing if it does not listen.
pub(crate) fn stated_addresses(shared: &Shared, identity: &Identity) -> Vec<String> {
    let mut addresses = identity
        .certificate(&shared.own.node)
        .map(|certificate| certificate.addresses.clone())
        .filter(|addresses| !addresses.is_empty())
        .unwrap_or_else(|| partners::own_addresses(shared, &[]));
    // A node without the root key cannot state them in its certificate.
    for circuit in reaching::circuits(shared) {
        if !addresses.contains(&circuit) && addresses.len() < ortsnetz_net::PEER_ADDRESSES_MAX {
            addresses.push(circuit);
        }
    }
    addresses
}

fn put_invitation(shared: &Shared, invitation: &Invitation) -> Result<(), NodeError> {
    let mut batch = Batch::new(Origin::Own);
    batch.put(Key::Invitation(invitation.token.id.to_vec()), rows::encode(invitation));
    shared.store.commit(batch)?;
    Ok(())
}

fn invitation(shared: &Shared, id: &[u8; 16]) -> Result<Option<Invitation>, NodeError> {
    shared.store.get(&Key::Invitation(id.to_vec()))?.map(|bytes| rows::decode("an invitation", &bytes)).transpose()
}

/// Whether any invitation or answer is open, so that strangers are let in to join. Blocks.
pub(crate) fn any_open(shared: &Shared) -> Result<bool, NodeError> {
    let now = clock::now();
    for (_, bytes) in shared.store.scan(&Range::Invitations, None, usize::MAX)? {
        if rows::decode::<Invitation>("an invitation", &bytes)?.is_open(now) {
            return Ok(true);
        }
    }
    calling::any_open(shared, now)
}

/// A token that cannot be read, or is for something else, was given wrongly; one that was good once was not.
fn token(text: &str) -> Result<Token, NodeError> {
    Token::from_text(text, clock::now()).map_err(|error| match error {
        TokenError::Expired { .. } => NodeError::Conflict(error.to_string()),
        _ => NodeError::Invalid(error.to_string()),
    })
}

pub(crate) fn join_error(error: JoinError) -> NodeError {
    match error {
        JoinError::WrongKind(_) | JoinError::Oneself => NodeError::Invalid(error.to_string()),
        JoinError::NotEntitled(_) | JoinError::OtherPlace(_) => NodeError::Forbidden(error.to_string()),
        _ => NodeError::Conflict(error.to_string()),
    }
}

/// What stopped a conversation with a node of this organisation.
fn net_error(organisation: &str, error: ortsnetz_net::JoinError) -> NodeError {
    match error {
        ortsnetz_net::JoinError::Refused { .. } => NodeError::Conflict(format!(
            "{organisation} has no open invitation: this one was used already or has expired; ask for a new one"
        )),
        error => NodeError::Unreachable(format!(
            "{error}; check that the inviting node runs and its port is open from here. If nobody can dial it, let it dial you: `ortsnetz join TOKEN --dial`"
        )),
    }
}

pub(crate) fn unexpected(detail: &str) -> NodeError {
    NodeError::Conflict(format!("the other side sent something unexpected{detail}; do both have the same version?"))
}

/// `join TOKEN`, or `join ANSWER` at the inviter.
pub(crate) async fn join(shared: &Arc<Shared>, text: &str, dial: bool) -> Result<Joined, NodeError> {
    leaving::taking_part(shared, "it joins nobody any more")?;
    if Answer::is_meant_by(text) {
        return calling::call(shared, text).await;
    }
    let token = token(text)?;
    if token.kind == TokenKind::Node {
        return Err(NodeError::Invalid(
            "this invitation is for a further node of an organisation; use it with `ortsnetz init --join` in an empty directory".into(),
        ));
    }
    if dial {
        return calling::answer(shared, token).await;
    }
    if token.addresses.is_empty() {
        return Err(NodeError::Invalid(
            "the inviting node cannot be dialled; run `ortsnetz join TOKEN --dial` and send the answer back".into(),
        ));
    }
    let identity = shared.identity();
    let (mut joiner, first) =
        PartnerJoiner::start(token.clone(), &identity, shared.own.node, clock::random()).map_err(join_error)?;
    let mut stream = shared.net.join(token.node, token.addresses.clone()).await.map_err(|error| {
        match net_error(&token.organisation.name, error) {
            NodeError::Unreachable(text) => NodeError::Unreachable(reaching::with_names(shared, &text)),
            other => other,
        }
    })?;
    send(&mut stream, &first).await?;
    let joined = loop {
        let message = receive(&mut stream).await?;
        match joiner.handle(message, &identity, &shared.own.key, clock::now()) {
            Ok((answer, joined)) => {
                if let Some(answer) = answer {
                    send(&mut stream, &answer).await?;
                }
                if let Some(joined) = joined {
                    break joined;
                }
            }
            Err(error) => {
                let _ = send(&mut stream, &JoinMessage::Refused(error.to_string())).await;
                return Err(join_error(error));
            }
        }
    };
    let learned = NodeAddresses { node: token.node, addresses: token.addresses };
    let joined = complete(shared, joined, Dialling::ByUs(Some(learned))).await?;
    // Only now: the end of the stream tells the other side that it can call.
    let _ = stream.finish().await;
    Ok(joined)
}

/// Who dials whom after joining.
pub(crate) enum Dialling {
    /// We do, at the addresses we know and those learned while joining; the partner may, too.
    ByUs(Option<NodeAddresses>),
    /// The partner alone: nobody can dial it.
    ByPartner,
}

/// Keeps a new partnership and lets the partner in.
pub(crate) async fn complete(
    shared: &Arc<Shared>,
    joined: JoinedPartner,
    dialling: Dialling,
) -> Result<Joined, NodeError> {
    let shared = shared.clone();
    tokio::task::spawn_blocking(move || {
        let partner = joined.partner.id();
        {
            let _one = lock(&shared.identity_changes);
            let identity = match shared.identity_of(&partner) {
                // Nothing that was known of it is forgotten.
                Some(known) => {
                    let mut identity = Identity::clone(&known);
                    identity.take_in_all(joined.partner.statements_for(View::Own));
                    identity
                }
                None => joined.partner.clone(),
            };
            identities::publish(&shared, identity)?;
        }
        let before = read(&shared.partners).get(&partner).cloned();
        let confirmed = joined.confirmed || before.is_some_and(|row| row.confirmed && !row.ended);
        if !confirmed {
            partners::start_unconfirmed(&shared, &partner)?;
        }
        identities::extend(&shared, |_| Ok(vec![joined.ours.clone()]))?;
        write(&shared.introduced).remove(&partner);
        let words: Vec<String> = joined.check_words.iter().map(ToString::to_string).collect();
        let (addresses, calls_us) = match dialling {
            Dialling::ByUs(learned) => (learned.into_iter().collect(), false),
            Dialling::ByPartner => (Vec::new(), true),
        };
        let row = PartnerRow {
            since: clock::now(),
            check_words: words.clone(),
            confirmed,
            last_sync_at: 0,
            addresses,
            ended: false,
            calls_us,
            chain_kept: false,
        };
        partners::keep(&shared, &partner, row)?;
        {
            let _one = lock(&shared.identity_changes);
            partners::keep_chain(&shared, &partner)?;
        }
        if confirmed {
            partners::set_confirmed(&shared, &partner)?;
        }
        partners::apply_allow_list(&shared)?;
        let partner = shared.organisation_info(&partner);
        Ok(Joined { partner, check_words: words, confirmed, ..Joined::default() })
    })
    .await
    .unwrap_or_else(|error| Err(NodeError::Unavailable(format!("joining failed inside this node: {error}"))))
}

// Whatever `trust` says, the network carries.
const _: () = assert!(ortsnetz_trust::limits::JOIN_MESSAGE_BYTES_MAX <= ortsnetz_net::JOIN_FRAME_BYTES_MAX);

pub(crate) async fn send(stream: &mut JoinStream, message: &JoinMessage) -> Result<(), NodeError> {
    stream.send(&message.to_bytes()).await.map_err(|error| net_error("the other side", error))
}

pub(crate) async fn receive(stream: &mut JoinStream) -> Result<JoinMessage, NodeError> {
    let bytes = stream.recv().await.map_err(|error| net_error("the other side", error))?;
    JoinMessage::from_bytes(&bytes).map_err(|error| unexpected(&format!(" ({error})")))
}

/// Answers a node that opened a join stream.
pub(crate) async fn answer(shared: Arc<Shared>, mut stream: JoinStream) {
    let node = stream.node();
    match try_answer(&shared, &mut stream).await {
        Ok(new) => finish(&shared, stream, new).await,
        Err(error) => {
            tracing::warn!(%node, %error, "joining failed");
            let _ = send(&mut stream, &JoinMessage::Refused(error.to_string())).await;
            finish(&shared, stream, None).await;
        }
    }
}

/// Ends a conversation of ours as inviter or host. The new partner is dialled from here on: it ends its side when it has
/// let us in.
pub(crate) async fn finish(shared: &Arc<Shared>, stream: JoinStream, new: Option<OrgId>) {
    let _ = stream.finish().await;
    let shared = shared.clone();
    let applied = tokio::task::spawn_blocking(move || {
        if let Some(partner) = new {
            lock(&shared.joining).remove(&partner);
        }
        partners::apply_allow_list(&shared)
    });
    if let Ok(Err(error)) = applied.await {
        tracing::error!(%error, "the list of allowed nodes could not be renewed after joining");
    }
}

/// Returns the new partner, if there is one.
async fn try_answer(shared: &Arc<Shared>, stream: &mut JoinStream) -> Result<Option<OrgId>, NodeError> {
    match receive(stream).await? {
        JoinMessage::Partner(request) => {
            let dialling = Dialling::ByUs(None);
            take_partner(shared, stream, &request, dialling).await.map(|_| Some(request.organisation))
        }
        JoinMessage::Call(token) => calling::called(shared, stream, token).await.map(|()| None),
        JoinMessage::Node(request) => {
            let answering = shared.clone();
            let peer = stream.node();
            let message = tokio::task::spawn_blocking(move || answer_node(&answering, &request, peer))
                .await
                .unwrap_or_else(|error| Err(NodeError::Unavailable(error.to_string())))?;
            send(stream, &message).await.map(|()| None)
        }
        _ => Err(unexpected("")),
    }
}

/// The inviter's part of the conversation, from the joiner's request on. The new partner is not dialled before
/// [`finish`].
pub(crate) async fn take_partner(
    shared: &Arc<Shared>,
    stream: &mut JoinStream,
    request: &PartnerRequest,
    dialling: Dialling,
) -> Result<Joined, NodeError> {
    let identity = shared.identity();
    let (mut inviter, challenge) = with_invitation(shared, &request.token, |invitation| {
        PartnerInviter::answer(request, invitation, &identity, stream.node(), clock::random(), clock::now())
    })?;
    send(stream, &challenge).await?;
    loop {
        let message = receive(stream).await?;
        let (answer, joined) = with_invitation(shared, &request.token, |invitation| {
            inviter.handle(message, invitation, &identity, &shared.own.key)
        })?;
        let Some(joined) = joined else {
            if let Some(answer) = answer {
                send(stream, &answer).await?;
            }
            continue;
        };
        // Complete before the last answer: whoever got it may call at once.
        lock(&shared.joining).insert(request.organisation);
        let completed = async {
            let completed = complete(shared, joined, dialling).await?;
            if let Some(answer) = answer {
                send(stream, &answer).await?;
            }
            Ok(completed)
        };
        return completed.await.inspect_err(|_| {
            lock(&shared.joining).remove(&request.organisation);
        });
    }
}

fn answer_node(
    shared: &Shared,
    request: &ortsnetz_trust::invite::NodeRequest,
    peer: ortsnetz_model::NodeId,
) -> Result<JoinMessage, NodeError> {
    let Some(root) = shared.root() else {
        return Err(NodeError::Forbidden("the root key is not on this node".into()));
    };
    let roles = Roles { admin: false, edit: true };
    let mut answer = None;
    identities::extend(shared, |identity| -> Result<Vec<Signed>, NodeError> {
        let mut identity = Identity::clone(identity);
        let (certificate, message) = with_invitation(shared, &request.token, |invitation| {
            NodeInviter::answer(request, invitation, &mut identity, peer, roles, &root, clock::now())
        })?;
        answer = Some(message);
        Ok(vec![certificate])
    })?;
    partners::apply_allow_list(shared)?;
    answer.ok_or_else(|| NodeError::Unavailable("no answer was made".into()))
}

/// Runs one step with a stored invitation and stores it afterwards in any case, since it counts wrong proofs.
pub(crate) fn with_invitation<T>(
    shared: &Shared,
    id: &[u8; 16],
    step: impl FnOnce(&mut Invitation) -> Result<T, JoinError>,
) -> Result<T, NodeError> {
    let _one = lock(&shared.joins);
    let mut invitation = invitation(shared, id)?.ok_or_else(|| join_error(JoinError::UnknownToken))?;
    let result = step(&mut invitation);
    put_invitation(shared, &invitation)?;
    result.map_err(join_error)
}

/// Makes a directory a further node of the organisation that issued the token.
pub(crate) async fn init_join(data_dir: &Path, text: &str) -> Result<Initialised, NodeError> {
    let token = token(text)?;
    if token.kind == TokenKind::Partner {
        return Err(NodeError::Invalid(
            "this invitation is for a partner organisation; use it with `ortsnetz join TOKEN` on your running node"
                .into(),
        ));
    }
    let directory = data_dir.to_owned();
    let store = tokio::task::spawn_blocking(move || start::open_empty(&directory))
        .await
        .unwrap_or_else(|error| Err(NodeError::Unavailable(error.to_string())))?;
    let key = NodeKey::from_secret(&clock::random());
    let config = ortsnetz_net::Config::new(*key.secret(), Vec::new());
    let (net, _events) =
        ortsnetz_net::Network::start(config).await.map_err(|error| NodeError::Unavailable(error.to_string()))?;
    let result = ask_for_certificate(&net, &token, &key).await;
    net.shutdown().await;
    let identity = result?;
    let info = start::organisation_info(&identity);
    let node = key.id();
    tokio::task::spawn_blocking(move || {
        start::keep_identity(&store, &identity, &key, None)?;
        store.close().map_err(NodeError::from)
    })
    .await
    .unwrap_or_else(|error| Err(NodeError::Unavailable(error.to_string())))?;
    Ok(Initialised {
        organisation: info,
        node: NodeInfo { id: node.to_string(), addresses: Vec::new() },
        recovery: None,
    })
}

async fn ask_for_certificate(net: &ortsnetz_net::Handle, token: &Token, key: &NodeKey) -> Result<Identity, NodeError> {
    let (mut joiner, request) =
        NodeJoiner::start(token.clone(), key.id(), start::node_name(&key.id()), Vec::new()).map_err(join_error)?;
    let mut stream = net
        .join(token.node, token.addresses.clone())
        .await
        .map_err(|error| net_error(&token.organisation.name, error))?;
    send(&mut stream, &request).await?;
    let message = receive(&mut stream).await?;
    let identity = joiner.handle(message).map_err(join_error)?;
    let _ = stream.finish().await;
    Ok(identity)
}
