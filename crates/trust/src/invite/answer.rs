//! The way back: nobody can dial the inviter, so whoever holds the token writes down where it can be dialled itself. The
//! inviter recognises the answer to its own invitation, dials, and calls the invitation by its id; from there on the joiner
//! speaks first as ever.

use minicbor::{Decode, Encode};
use ortsnetz_model::{Hash, NodeId};

use super::message::{JoinError, JoinMessage, prove, proves};
use super::partner::{Joined, PartnerJoiner, may_join};
use super::text::{self, TextError};
use super::{Ends, Invitation, NamedOrganisation, Token, TokenKind};
use crate::canonical;
use crate::identity::Identity;
use crate::keys::NodeKey;
use crate::limits::{TOKEN_CHARS_MAX, WRONG_PROOFS_MAX};
use crate::statement::check_addresses;

const PREFIX: &str = "ORTSANTWORT";
const ANSWER: &str = "partner-answer";

/// An answer to an invitation: who wants to join and where it can be dialled. It holds no secret; only the inviter can tell
/// whether it is real.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Answer {
    /// Which invitation it answers.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub token: [u8; 16],
    /// Who wants to join.
    #[n(1)]
    pub organisation: NamedOrganisation,
    /// The joining node; the transport proves it is the one.
    #[n(2)]
    pub node: NodeId,
    /// Where that node can be dialled (multiaddrs), at least one.
    #[n(3)]
    pub addresses: Vec<String>,
    /// Until when, milliseconds since 1970: the end of the invitation.
    #[n(4)]
    pub expires: u64,
    /// Proof of holding the token, over all of the above.
    #[n(5)]
    pub proof: Hash,
}

/// Why a text is not a usable answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Something else altogether.
    #[error("this is not an answer to an Ortsnetz invitation (they begin with {PREFIX})")]
    Foreign,
    /// The end is missing.
    #[error("the answer is cut off: {found} of {expected} characters; copy all of it")]
    Truncated {
        /// Characters that are there.
        found: usize,
        /// Characters that should be there.
        expected: usize,
    },
    /// A character changed, or something was added.
    #[error("the answer is damaged; copy it again or ask for it again")]
    Damaged,
    /// The invitation's time is over.
    #[error("the invitation that {organisation} answers expired {}; make a new one", super::token::hours_ago(*.hours))]
    Expired {
        /// How long ago, in whole hours.
        hours: u64,
        /// Who answered.
        organisation: String,
    },
    /// Made by a newer version.
    #[error("the answer has version {0}, which this program does not know; update it first")]
    Version(u8),
    /// A value in it breaks a limit.
    #[error("the answer is not valid: {0}")]
    Invalid(String),
}

impl Answer {
    /// Answers `token` for our organisation and node, which can be dialled at `addresses`.
    pub fn new(token: &Token, identity: &Identity, me: NodeId, addresses: Vec<String>) -> Result<Self, JoinError> {
        may_join(token, identity, me)?;
        let organisation =
            NamedOrganisation { id: identity.id(), name: identity.name().to_owned(), ars: identity.ars().to_owned() };
        let expires = token.expires;
        let answer = Self { token: token.id, organisation, node: me, addresses, expires, proof: Hash([0; 32]) };
        let proof = prove(token, ANSWER, &answer.ends(token), &[&answer.bound()]);
        Ok(Self { proof, ..answer })
    }

    /// Whether a text is meant to be an answer, right or wrong.
    pub fn is_meant_by(text: &str) -> bool {
        text::has_prefix(PREFIX, text)
    }

    /// The answer as text: capitals and digits only, one word.
    pub fn to_text(&self) -> Result<String, AnswerError> {
        self.check()?;
        Ok(text::write(PREFIX, &canonical::encode(self))?)
    }

    /// Reads an answer and checks that the invitation has not expired (`now` in milliseconds since 1970).
    pub fn from_text(text: &str, now: u64) -> Result<Self, AnswerError> {
        let content = text::read(PREFIX, text)?;
        let answer: Self =
            canonical::decode(&content, TOKEN_CHARS_MAX).map_err(|error| AnswerError::Invalid(error.to_string()))?;
        answer.check()?;
        if now > answer.expires {
            let hours = (now - answer.expires) / 3_600_000;
            return Err(AnswerError::Expired { hours, organisation: answer.organisation.name });
        }
        Ok(answer)
    }

    /// The inviter's judgement: is this the answer to this invitation of ours? Counts wrong proofs, and binds the
    /// invitation to the node that gave the first right one; store the invitation afterwards in any case. Returns what to
    /// say first after dialling the node.
    pub fn call(&self, invitation: &mut Invitation, now: u64) -> Result<JoinMessage, JoinError> {
        if invitation.token.id != self.token {
            return Err(JoinError::UnknownToken);
        }
        if invitation.token.kind != TokenKind::Partner {
            return Err(JoinError::WrongKind("adding a node"));
        }
        let ends = self.ends(&invitation.token);
        let valid = proves(&invitation.token, ANSWER, &ends, &[&self.bound()], &self.proof);
        invitation.judge(self.node, now, valid)?;
        Ok(JoinMessage::Call(self.token))
    }

    fn ends(&self, token: &Token) -> Ends {
        Ends::of(token, self.node, self.organisation.id)
    }

    fn bound(&self) -> Vec<u8> {
        canonical::encode(&(&self.organisation, &self.addresses, self.expires))
    }

    fn check(&self) -> Result<(), AnswerError> {
        if self.addresses.is_empty() {
            return Err(AnswerError::Invalid("it names no address to dial".into()));
        }
        check_addresses(&self.addresses).map_err(|error| AnswerError::Invalid(error.to_string()))?;
        self.organisation.check().map_err(|what| AnswerError::Invalid(what.into()))
    }
}

impl From<TextError> for AnswerError {
    fn from(error: TextError) -> Self {
        match error {
            TextError::Foreign => Self::Foreign,
            TextError::Truncated { found, expected } => Self::Truncated { found, expected },
            TextError::Damaged => Self::Damaged,
            TextError::Version(version) => Self::Version(version),
            TextError::TooLong(what) => Self::Invalid(what),
        }
    }
}

/// What the joiner keeps about a token it answered. Stored with every change.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct OpenAnswer {
    /// The token.
    #[n(0)]
    pub token: Token,
    /// How often the inviting node could not prove that it holds the token.
    #[n(1)]
    pub wrong: u32,
    /// The joining was completed.
    #[n(2)]
    pub completed: bool,
}

impl OpenAnswer {
    /// A fresh one.
    pub fn new(token: Token) -> Self {
        Self { token, wrong: 0, completed: false }
    }

    /// Whether the inviter may still call; meanwhile it is let in to join.
    pub fn is_open(&self, now: u64) -> bool {
        !self.completed && self.wrong < WRONG_PROOFS_MAX && now <= self.token.expires
    }

    /// The inviter called from `peer`. Begins the joining and returns what to say first; `nonce` is 32 random bytes.
    /// Nobody but the inviting node learns that there is an answer.
    pub fn called(
        &self,
        peer: NodeId,
        identity: &Identity,
        me: NodeId,
        nonce: [u8; 32],
        now: u64,
    ) -> Result<(PartnerJoiner, JoinMessage), JoinError> {
        if peer != self.token.node {
            return Err(JoinError::UnknownToken);
        }
        if now > self.token.expires {
            return Err(JoinError::Expired);
        }
        if self.completed {
            return Err(JoinError::Burnt);
        }
        if self.wrong >= WRONG_PROOFS_MAX {
            return Err(JoinError::Closed);
        }
        PartnerJoiner::start(self.token.clone(), identity, me, nonce)
    }

    /// [`PartnerJoiner::handle`], counting wrong proofs and noting the end. Store this afterwards in any case.
    pub fn handle(
        &mut self,
        joiner: &mut PartnerJoiner,
        message: JoinMessage,
        identity: &Identity,
        key: &NodeKey,
        now: u64,
    ) -> Result<(Option<JoinMessage>, Option<Joined>), JoinError> {
        let result = joiner.handle(message, identity, key, now);
        match &result {
            Err(JoinError::WrongProof) => self.wrong += 1,
            Ok((_, Some(_))) => self.completed = true,
            _ => {}
        }
        result
    }
}
