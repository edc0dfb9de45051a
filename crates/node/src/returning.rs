//! A partner's new node returns: the answering side. A stranger shows a certificate that names it and that the root key of
//! a partner, or our own, has signed. That is verified here; then the node is one of that organisation like any other, and
//! it is told what is known here of its organisation, because it may have lost everything.

use std::sync::Arc;

use ortsnetz_model::NodeId;
use ortsnetz_net::JoinStream;
use ortsnetz_trust::identity::NodeState;
use ortsnetz_trust::invite::JoinMessage;
use ortsnetz_trust::{Identity, Signed, Statement, TakenIn, View};

use crate::alarms;
use crate::clock;
use crate::error::NodeError;
use crate::identities;
use crate::joining::{receive, send, unexpected};
use crate::partners;
use crate::shared::{Shared, lock, read};

/// Answers a node that opened a stream to return.
pub(crate) async fn answer(shared: Arc<Shared>, mut stream: JoinStream) {
    let node = stream.node();
    if let Err(error) = try_answer(&shared, &mut stream).await {
        tracing::warn!(%node, %error, "a node that says it belongs to a partner was turned away");
        let _ = send(&mut stream, &JoinMessage::Refused(error.to_string())).await;
    }
    let _ = stream.finish().await;
}

async fn try_answer(shared: &Arc<Shared>, stream: &mut JoinStream) -> Result<(), NodeError> {
    let JoinMessage::Return(certificate) = receive(stream).await? else { return Err(unexpected("")) };
    let (taking, node) = (shared.clone(), stream.node());
    let [theirs, ours] = tokio::task::spawn_blocking(move || take_back(&taking, node, certificate))
        .await
        .unwrap_or_else(|error| Err(NodeError::Unavailable(format!("failed inside this node: {error}"))))?;
    send(stream, &JoinMessage::Chain(theirs)).await?;
    send(stream, &JoinMessage::Chain(ours)).await
}

/// Verifies the certificate and lets its node in. Returns the chain of its organisation and ours, as it may see them.
fn take_back(shared: &Shared, node: NodeId, certificate: Signed) -> Result<[Vec<Signed>; 2], NodeError> {
    let Statement::NodeCertificate(stated) = certificate.statement() else { return Err(unexpected("")) };
    if stated.node != node {
        return Err(NodeError::Forbidden("the certificate names another node".into()));
    }
    let organisation = stated.organisation;
    let own = organisation == shared.own.organisation;
    let _one = lock(&shared.identity_changes);
    let partner = own || read(&shared.partners).get(&organisation).is_some_and(|row| !row.ended);
    let known = shared.identity_of(&organisation).filter(|_| partner);
    let Some(known) = known else {
        return Err(NodeError::Forbidden("no partnership with that organisation is known here".into()));
    };
    let mut identity = Identity::clone(&known);
    let taken = identity.take_in(certificate).map_err(|error| {
        NodeError::Forbidden(format!("the certificate does not count for {}: {error}", known.name()))
    })?;
    if identity.node_state(&node, clock::now()) != NodeState::Valid {
        return Err(NodeError::Forbidden("the certificate has ended, or was taken back".into()));
    }
    if !matches!(taken, TakenIn::Known | TakenIn::Superseded) {
        identities::publish(shared, identity.clone())?;
        partners::refresh(shared, &organisation)?;
        alarms::note(
            shared,
            "node_returned",
            &node.to_string(),
            Some(organisation),
            format!(
                "a new node of {} came with a certificate by its root key and is let in: it was recovered from the recovery sheet. Call them if they do not know of it.",
                identity.name()
            ),
        );
    }
    let view = if own { View::Own } else { View::Reader(organisation) };
    Ok([identity.statements_for(View::Own), shared.identity().statements_for(view)])
}
