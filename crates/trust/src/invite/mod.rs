//! Invitations and how two parties join. The token is the shared secret; who holds it may ask, and both people confirm
//! by check words afterwards. Where nobody can dial the inviter, whoever holds the token gives back an [`Answer`], and the
//! inviter dials; the conversation is the same.

mod answer;
#[cfg(test)]
mod answer_tests;
mod message;
mod node;
mod partner;
#[cfg(test)]
mod tests;
mod text;
mod token;

use minicbor::{Decode, Encode};
use ortsnetz_model::{NodeId, OrgId};

pub use answer::{Answer, AnswerError, OpenAnswer};
pub use message::{JoinError, JoinMessage, NodeRequest, PartnerRequest};
pub use node::{NodeInviter, NodeJoiner};
pub use partner::{Joined, PartnerInviter, PartnerJoiner};
pub use token::{NamedOrganisation, Token, TokenError, TokenKind};

use crate::limits::WRONG_PROOFS_MAX;

/// What the inviter keeps about a token it gave out. Stored with every change.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Invitation {
    /// The token.
    #[n(0)]
    pub token: Token,
    /// Wrong proofs so far.
    #[n(1)]
    pub wrong: u32,
    /// Who showed the first valid proof. The token is burnt for everybody else; the same node may begin again if the
    /// line broke.
    #[n(2)]
    pub used_by: Option<NodeId>,
    /// The joining was completed.
    #[n(3)]
    pub completed: bool,
}

impl Invitation {
    /// A fresh invitation.
    pub fn new(token: Token) -> Self {
        Self { token, wrong: 0, used_by: None, completed: false }
    }

    /// Whether anybody at all may still come with this token; while one is open, strangers may use the join protocol.
    pub fn is_open(&self, now: u64) -> bool {
        !self.completed && self.wrong < WRONG_PROOFS_MAX && now <= self.token.expires
    }

    /// Judges a proof by `peer` and counts it. After the first valid one the token belongs to that node.
    pub(crate) fn judge(&mut self, peer: NodeId, now: u64, valid: bool) -> Result<(), JoinError> {
        if now > self.token.expires {
            return Err(JoinError::Expired);
        }
        if self.completed || self.used_by.is_some_and(|node| node != peer) {
            return Err(JoinError::Burnt);
        }
        if self.wrong >= WRONG_PROOFS_MAX {
            return Err(JoinError::Closed);
        }
        if !valid {
            self.wrong += 1;
            return Err(JoinError::WrongProof);
        }
        self.used_by = Some(peer);
        Ok(())
    }
}

/// The two ends of the connection, as the transport proved them, and the two organisations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    pub joiner: NodeId,
    pub inviter: NodeId,
    pub joining: OrgId,
    pub inviting: OrgId,
}

impl Ends {
    /// A joiner with this token.
    fn of(token: &Token, joiner: NodeId, joining: OrgId) -> Self {
        Self { joiner, inviter: token.node, joining, inviting: token.organisation.id }
    }

    fn bytes(&self) -> Vec<u8> {
        [self.joiner.0, self.inviter.0, self.joining.0, self.inviting.0].concat()
    }
}
