//! Invitations, and both sides of joining over the network.

use std::path::Path;
use std::sync::Arc;

use ortsnetz_net::JoinStream;
use ortsnetz_store::{Batch, Key, Origin, Range};
use ortsnetz_trust::identity::Identity;
use ortsnetz_trust::invite::{
    Invitation, InvitedOrganisation, JoinError, JoinMessage, Joined as JoinedPartner, NodeInviter, NodeJoiner,
    PartnerInviter, PartnerJoiner, Token, TokenError, TokenKind,
};
use ortsnetz_trust::limits::INVITATION_MS_MAX;
use ortsnetz_trust::statement::Roles;
use ortsnetz_trust::{NodeKey, Signed};

use crate::clock;
use crate::dto::{self, Initialised, InviteRequest, Joined, NodeInfo};
use crate::error::NodeError;
use crate::identities;
use crate::partners;
use crate::rows::{self, NodeAddresses, PartnerRow};
use crate::shared::{Shared, lock, read, write};
use crate::start;

/// How long an invitation is open if nobody says otherwise: 7 days.
const INVITATION_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// `invite`. Blocks.
pub(crate) fn invite(shared: &Shared, request: &InviteRequest) -> Result<dto::Invitation, NodeError> {
    let identity = shared.identity();
    if !identity.roles(&shared.own.node).admin {
        return Err(NodeError::Forbidden(
            "only a node with role admin invites; run this on the organisation's first node".into(),
        ));
    }
    if request.node && shared.own.root.is_none() {
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
    let addresses = identity
        .certificate(&shared.own.node)
        .map(|certificate| certificate.addresses.clone())
        .filter(|addresses| !addresses.is_empty())
        .unwrap_or_else(|| partners::own_addresses(shared, &[]));
    let expires = clock::now() + open_for;
    let token = Token {
        kind: if request.node { TokenKind::Node } else { TokenKind::Partner },
        organisation: InvitedOrganisation {
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
    shared.net.open_joins(true);
    Ok(dto::Invitation { token: text, expires_at: clock::rfc3339(expires) })
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

/// Whether any invitation is open. Blocks.
pub(crate) fn any_open(shared: &Shared) -> Result<bool, NodeError> {
    let now = clock::now();
    for (_, bytes) in shared.store.scan(&Range::Invitations, None, usize::MAX)? {
        if rows::decode::<Invitation>("an invitation", &bytes)?.is_open(now) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Check words cannot be made again from the chains alone: only the node that joined has them.
pub(crate) fn words_of(_own: &Identity, _other: &Identity) -> Vec<String> {
    Vec::new()
}

/// A token that cannot be read, or is for something else, was given wrongly; one that was good once was not.
fn token(text: &str) -> Result<Token, NodeError> {
    Token::from_text(text, clock::now()).map_err(|error| match error {
        TokenError::Expired { .. } => NodeError::Conflict(error.to_string()),
        _ => NodeError::Invalid(error.to_string()),
    })
}

fn join_error(error: JoinError) -> NodeError {
    match error {
        JoinError::WrongKind(_) | JoinError::Oneself => NodeError::Invalid(error.to_string()),
        JoinError::NotEntitled(_) | JoinError::OtherPlace(_) => NodeError::Forbidden(error.to_string()),
        _ => NodeError::Conflict(error.to_string()),
    }
}

fn net_error(error: ortsnetz_net::JoinError) -> NodeError {
    match error {
        ortsnetz_net::JoinError::Refused { node } => NodeError::Conflict(format!(
            "{node} has no open invitation: this one was used already or has expired; ask for a new one"
        )),
        error => {
            NodeError::Unreachable(format!("{error}; check that the inviting node runs and its port is open from here"))
        }
    }
}

fn unexpected(detail: &str) -> NodeError {
    NodeError::Conflict(format!("the other side sent something unexpected{detail}; do both have the same version?"))
}

/// `join TOKEN`
pub(crate) async fn join(shared: &Arc<Shared>, text: &str, dial: bool) -> Result<Joined, NodeError> {
    if dial {
        return Err(NodeError::Invalid(
            "--dial: the inviting side cannot dial yet; leave it out, or let the other side join your invitation"
                .into(),
        ));
    }
    let token = token(text)?;
    if token.kind == TokenKind::Node {
        return Err(NodeError::Invalid(
            "this invitation is for a further node of an organisation; use it with `ortsnetz init --join` in an empty directory".into(),
        ));
    }
    let identity = shared.identity();
    let (mut joiner, first) =
        PartnerJoiner::start(token.clone(), &identity, shared.own.node, clock::random()).map_err(join_error)?;
    let mut stream = shared.net.join(token.node, token.addresses.clone()).await.map_err(net_error)?;
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
    let _ = stream.finish().await;
    let learned = NodeAddresses { node: token.node, addresses: token.addresses };
    complete(shared, joined, Some(learned)).await
}

async fn complete(
    shared: &Arc<Shared>,
    joined: JoinedPartner,
    learned: Option<NodeAddresses>,
) -> Result<Joined, NodeError> {
    let shared = shared.clone();
    tokio::task::spawn_blocking(move || {
        let partner = joined.partner.id();
        {
            let _one = lock(&shared.identity_changes);
            identities::publish(&shared, joined.partner.clone())?;
        }
        identities::extend(&shared, |_| Ok(vec![joined.ours.clone()]))?;
        write(&shared.introduced).remove(&partner);
        let before = read(&shared.partners).get(&partner).cloned();
        let words: Vec<String> = joined.check_words.iter().map(ToString::to_string).collect();
        let row = PartnerRow {
            since: clock::now(),
            check_words: words.clone(),
            confirmed: joined.confirmed || before.is_some_and(|row| row.confirmed && !row.ended),
            last_sync_at: 0,
            addresses: learned.into_iter().collect(),
            ended: false,
        };
        let confirmed = row.confirmed;
        partners::keep(&shared, &partner, row)?;
        if confirmed {
            partners::set_confirmed(&shared, &partner)?;
        }
        partners::apply_allow_list(&shared)?;
        Ok(Joined { partner: shared.organisation_info(&partner), check_words: words, confirmed })
    })
    .await
    .unwrap_or_else(|error| Err(NodeError::Unavailable(format!("joining failed inside this node: {error}"))))
}

// Whatever `trust` says, the network carries.
const _: () = assert!(ortsnetz_trust::limits::JOIN_MESSAGE_BYTES_MAX <= ortsnetz_net::JOIN_FRAME_BYTES_MAX);

async fn send(stream: &mut JoinStream, message: &JoinMessage) -> Result<(), NodeError> {
    stream.send(&message.to_bytes()).await.map_err(net_error)
}

async fn receive(stream: &mut JoinStream) -> Result<JoinMessage, NodeError> {
    let bytes = stream.recv().await.map_err(net_error)?;
    JoinMessage::from_bytes(&bytes).map_err(|error| unexpected(&format!(" ({error})")))
}

/// Answers a node that opened a join stream.
pub(crate) async fn answer(shared: Arc<Shared>, mut stream: JoinStream) {
    let node = stream.node();
    match try_answer(&shared, &mut stream).await {
        Ok(()) => {
            let _ = stream.finish().await;
        }
        Err(error) => {
            tracing::warn!(%node, %error, "joining failed");
            let _ = send(&mut stream, &JoinMessage::Refused(error.to_string())).await;
            let _ = stream.finish().await;
        }
    }
    let closing = shared.clone();
    let _ = tokio::task::spawn_blocking(move || {
        if let Ok(open) = any_open(&closing) {
            closing.net.open_joins(open);
        }
    })
    .await;
}

async fn try_answer(shared: &Arc<Shared>, stream: &mut JoinStream) -> Result<(), NodeError> {
    match receive(stream).await? {
        JoinMessage::Partner(request) => {
            let identity = shared.identity();
            let (mut inviter, challenge) = with_invitation(shared, &request.token, |invitation| {
                PartnerInviter::answer(&request, invitation, &identity, stream.node(), clock::random(), clock::now())
            })?;
            send(stream, &challenge).await?;
            loop {
                let message = receive(stream).await?;
                let (answer, joined) = with_invitation(shared, &request.token, |invitation| {
                    inviter.handle(message, invitation, &identity, &shared.own.key)
                })?;
                // Complete before the last answer: whoever got it may call at once.
                let done = joined.is_some();
                if let Some(joined) = joined {
                    complete(shared, joined, None).await?;
                }
                if let Some(answer) = answer {
                    send(stream, &answer).await?;
                }
                if done {
                    return Ok(());
                }
            }
        }
        JoinMessage::Node(request) => {
            let answering = shared.clone();
            let peer = stream.node();
            let message = tokio::task::spawn_blocking(move || answer_node(&answering, &request, peer))
                .await
                .unwrap_or_else(|error| Err(NodeError::Unavailable(error.to_string())))?;
            send(stream, &message).await
        }
        _ => Err(unexpected("")),
    }
}

fn answer_node(
    shared: &Shared,
    request: &ortsnetz_trust::invite::NodeRequest,
    peer: ortsnetz_model::NodeId,
) -> Result<JoinMessage, NodeError> {
    let Some(root) = &shared.own.root else {
        return Err(NodeError::Forbidden("the root key is not on this node".into()));
    };
    let roles = Roles { admin: false, edit: true };
    let mut answer = None;
    identities::extend(shared, |identity| -> Result<Vec<Signed>, NodeError> {
        let mut identity = Identity::clone(identity);
        let (certificate, message) = with_invitation(shared, &request.token, |invitation| {
            NodeInviter::answer(request, invitation, &mut identity, peer, roles, root, clock::now())
        })?;
        answer = Some(message);
        Ok(vec![certificate])
    })?;
    partners::apply_allow_list(shared)?;
    answer.ok_or_else(|| NodeError::Unavailable("no answer was made".into()))
}

/// Runs one step with a stored invitation and stores it afterwards in any case, since it counts wrong proofs.
fn with_invitation<T>(
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
        NodeJoiner::start(token.clone(), key.id(), start::host_name(), Vec::new()).map_err(join_error)?;
    let mut stream = net.join(token.node, token.addresses.clone()).await.map_err(net_error)?;
    send(&mut stream, &request).await?;
    let message = receive(&mut stream).await?;
    let identity = joiner.handle(message).map_err(join_error)?;
    let _ = stream.finish().await;
    Ok(identity)
}
