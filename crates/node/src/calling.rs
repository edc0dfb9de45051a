//! Joining where nobody can dial the inviter. The joiner answers the invitation in writing and lets the inviter in; the
//! inviter reads the answer and calls.

use std::sync::Arc;

use ortsnetz_net::JoinStream;
use ortsnetz_store::{Batch, Key, Origin, Range};
use ortsnetz_trust::invite::{Answer, AnswerError, JoinError, JoinMessage, OpenAnswer, Token};

use crate::clock;
use crate::dto::{Joined, OrganisationInfo};
use crate::error::NodeError;
use crate::joining::{
    Dialling, complete, finish, join_error, receive, send, stated_addresses, take_partner, unexpected, with_invitation,
};
use crate::rows::{self, NodeAddresses};
use crate::shared::{Shared, lock};

/// Table of the answers we gave, by the invitation's id.
const ANSWERS: &str = "answers";

/// `join TOKEN --dial`: the answer to give back. From now on the inviting node is let in to join.
pub(crate) async fn answer(shared: &Arc<Shared>, token: Token) -> Result<Joined, NodeError> {
    let shared = shared.clone();
    tokio::task::spawn_blocking(move || write_answer(&shared, token))
        .await
        .unwrap_or_else(|error| Err(NodeError::Unavailable(format!("answering failed inside this node: {error}"))))
}

fn write_answer(shared: &Shared, token: Token) -> Result<Joined, NodeError> {
    let identity = shared.identity();
    let addresses = stated_addresses(shared, &identity);
    let made = Answer::new(&token, &identity, shared.own.node, addresses).map_err(join_error)?;
    if made.addresses.is_empty() {
        return Err(NodeError::Invalid(
            "--dial: nobody can dial this node either; start it with --listen, or let a partner of both relay (`enabled = true` under `[relay]` there)".into(),
        ));
    }
    let text = made.to_text().map_err(|error| NodeError::Invalid(error.to_string()))?;
    {
        let _one = lock(&shared.joins);
        let known = open_answer(shared, &token.id)?;
        if known.as_ref().is_some_and(|open| !open.is_open(clock::now())) {
            return Err(join_error(JoinError::Burnt));
        }
        if known.is_none() {
            put(shared, &OpenAnswer::new(token.clone()))?;
        }
    }
    shared.open_joins();
    let partner = OrganisationInfo {
        id: token.organisation.id.to_string(),
        name: token.organisation.name,
        ars: token.organisation.ars,
        ..OrganisationInfo::default()
    };
    Ok(Joined { partner, answer: Some(text), expires_at: Some(clock::rfc3339(made.expires)), ..Joined::default() })
}

/// `join ANSWER` at the inviter: dials whoever answered.
pub(crate) async fn call(shared: &Arc<Shared>, text: &str) -> Result<Joined, NodeError> {
    let answer = Answer::from_text(text, clock::now()).map_err(|error| match error {
        AnswerError::Expired { .. } => NodeError::Conflict(error.to_string()),
        _ => NodeError::Invalid(error.to_string()),
    })?;
    if answer.organisation.id == shared.own.organisation {
        return Err(NodeError::Invalid(
            "this answer was made by your own organisation; send it to the one that invited you, which runs `ortsnetz join ANSWER`".into(),
        ));
    }
    let first = with_invitation(shared, &answer.token, |invitation| answer.call(invitation, clock::now()))?;
    let mut stream = shared.net.join(answer.node, answer.addresses.clone()).await.map_err(|error| {
        let name = &answer.organisation.name;
        match error {
            ortsnetz_net::JoinError::Refused { .. } => NodeError::Conflict(format!(
                "the node of {name} does not wait for this call: its answer was used already or has expired"
            )),
            error => NodeError::Unreachable(format!(
                "{error}; check that the node of {name} runs and its port is open from here, then try again"
            )),
        }
    })?;
    send(&mut stream, &first).await?;
    let request = match receive(&mut stream).await? {
        JoinMessage::Partner(request) if request.organisation == answer.organisation.id => request,
        JoinMessage::Refused(reason) => return Err(join_error(JoinError::Refused(reason))),
        _ => return Err(unexpected("")),
    };
    let learned = NodeAddresses { node: answer.node, addresses: answer.addresses };
    match take_partner(shared, &mut stream, &request, Dialling::ByUs(Some(learned))).await {
        Ok(joined) => {
            finish(shared, stream, Some(request.organisation)).await;
            Ok(joined)
        }
        Err(error) => {
            let _ = send(&mut stream, &JoinMessage::Refused(error.to_string())).await;
            finish(shared, stream, None).await;
            Err(error)
        }
    }
}

/// The inviter calls: the joiner's part of the conversation.
pub(crate) async fn called(shared: &Arc<Shared>, stream: &mut JoinStream, token: [u8; 16]) -> Result<(), NodeError> {
    let identity = shared.identity();
    let (mut joiner, first) = with_answer(shared, &token, |open| {
        open.called(stream.node(), &identity, shared.own.node, clock::random(), clock::now())
    })?;
    send(stream, &first).await?;
    loop {
        let message = receive(stream).await?;
        let (answer, joined) = with_answer(shared, &token, |open| {
            open.handle(&mut joiner, message, &identity, &shared.own.key, clock::now())
        })?;
        if let Some(answer) = answer {
            send(stream, &answer).await?;
        }
        if let Some(joined) = joined {
            let joined = complete(shared, joined, Dialling::ByPartner).await?;
            tracing::info!(partner = joined.partner.name, "the inviter called, and both joined");
            return Ok(());
        }
    }
}

/// Whether any answer is open. Blocks.
pub(crate) fn any_open(shared: &Shared, now: u64) -> Result<bool, NodeError> {
    for (_, bytes) in shared.store.scan(&Range::Custom(ANSWERS.into()), None, usize::MAX)? {
        if rows::decode::<OpenAnswer>("an answer", &bytes)?.is_open(now) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Runs one step with an answer we gave and stores it afterwards in any case, since it counts wrong proofs.
fn with_answer<T>(
    shared: &Shared,
    id: &[u8; 16],
    step: impl FnOnce(&mut OpenAnswer) -> Result<T, JoinError>,
) -> Result<T, NodeError> {
    let _one = lock(&shared.joins);
    let mut open = open_answer(shared, id)?.ok_or_else(|| join_error(JoinError::UnknownToken))?;
    let result = step(&mut open);
    put(shared, &open)?;
    result.map_err(join_error)
}

fn key(id: &[u8; 16]) -> Key {
    Key::Custom { table: ANSWERS.into(), key: id.to_vec() }
}

fn open_answer(shared: &Shared, id: &[u8; 16]) -> Result<Option<OpenAnswer>, NodeError> {
    shared.store.get(&key(id))?.map(|bytes| rows::decode("an answer", &bytes)).transpose()
}

fn put(shared: &Shared, open: &OpenAnswer) -> Result<(), NodeError> {
    let mut batch = Batch::new(Origin::Own);
    batch.put(key(&open.token.id), rows::encode(open));
    shared.store.commit(batch)?;
    Ok(())
}
