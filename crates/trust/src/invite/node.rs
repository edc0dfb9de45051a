//! A machine becomes a node of an organisation that already exists. The token pins organisation and inviting node, so
//! one request and one answer are enough.

use ortsnetz_model::{NodeId, OrgId};

use super::message::{JoinError, JoinMessage, NodeRequest, prove, proves};
use super::{Ends, Invitation, Token, TokenKind};
use crate::canonical;
use crate::identity::{Identity, View};
use crate::keys::RootKey;
use crate::statement::{Roles, Signed};

const REQUEST: &str = "node-request";

/// The machine that was given a token.
#[derive(Debug)]
pub struct NodeJoiner {
    token: Token,
    me: NodeId,
    done: bool,
}

/// The side that gave the token out and holds the root key.
#[derive(Debug)]
pub struct NodeInviter;

impl NodeJoiner {
    /// Starts joining: `me` is the new node's key as the transport will prove it. Returns the request.
    pub fn start(
        token: Token,
        me: NodeId,
        name: String,
        addresses: Vec<String>,
    ) -> Result<(Self, JoinMessage), JoinError> {
        if token.kind != TokenKind::Node {
            return Err(JoinError::WrongKind("becoming a partner"));
        }
        let proof = prove(&token, REQUEST, &ends(&token, me), &[name.as_bytes(), &canonical::encode(&addresses)]);
        let request = NodeRequest { token: token.id, name, addresses, proof };
        Ok((Self { token, me, done: false }, JoinMessage::Node(request)))
    }

    /// Takes the answer: the organisation we are now a node of.
    pub fn handle(&mut self, message: JoinMessage) -> Result<Identity, JoinError> {
        if std::mem::replace(&mut self.done, true) {
            return Err(JoinError::OutOfOrder);
        }
        let statements = match message {
            JoinMessage::Chain(statements) => statements,
            JoinMessage::Refused(reason) => return Err(JoinError::Refused(reason)),
            _ => return Err(JoinError::OutOfOrder),
        };
        let bad = |error: String| JoinError::BadChain(error);
        let (identity, refused) = Identity::from_statements(statements).map_err(|error| bad(error.to_string()))?;
        if identity.id() != self.token.organisation.id {
            return Err(bad("another organisation".into()));
        }
        if let Some((_, error)) = refused.first() {
            return Err(bad(error.to_string()));
        }
        if identity.certificate(&self.me).is_none() {
            return Err(bad("it holds no certificate for this node".into()));
        }
        Ok(identity)
    }
}

impl NodeInviter {
    /// Answers a request that came from `peer`: certifies it with these roles, takes the certificate into `identity` and
    /// returns it (to be stored) with the chain to send. Store the invitation afterwards in any case. A second request by
    /// the same node gets the same answer.
    pub fn answer(
        request: &NodeRequest,
        invitation: &mut Invitation,
        identity: &mut Identity,
        peer: NodeId,
        roles: Roles,
        root: &RootKey,
        now: u64,
    ) -> Result<(Signed, JoinMessage), JoinError> {
        let token = invitation.token.clone();
        if token.id != request.token {
            return Err(JoinError::UnknownToken);
        }
        if token.kind != TokenKind::Node {
            return Err(JoinError::WrongKind("becoming a partner"));
        }
        let bound: [&[u8]; 2] = [request.name.as_bytes(), &canonical::encode(&request.addresses)];
        invitation.judge(peer, now, proves(&token, REQUEST, &ends(&token, peer), &bound, &request.proof))?;
        let refuse = |error: String| JoinError::NotEntitled(error);
        let certificate = identity
            .certify(peer, roles, request.name.clone(), request.addresses.clone(), now, root)
            .map_err(|error| refuse(error.to_string()))?;
        identity.take_in(certificate.clone()).map_err(|error| refuse(error.to_string()))?;
        Ok((certificate, JoinMessage::Chain(identity.statements_for(View::Own))))
    }
}

/// A joining node has no organisation yet: the inviter's stands on both sides.
fn ends(token: &Token, joiner: NodeId) -> Ends {
    let organisation: OrgId = token.organisation.id;
    Ends { joiner, inviter: token.node, joining: organisation, inviting: organisation }
}
