//! The token: what an invitation looks like on paper, in a mail or as a QR code.

use minicbor::{Decode, Encode};
use ortsnetz_model::{NodeId, OrgId};

use super::text::{self, TextError};
use crate::canonical;
use crate::limits::{NAME_BYTES_MAX, TOKEN_CHARS_MAX};
use crate::statement::{check_addresses, is_ars};

const PREFIX: &str = "ORTSNETZ";

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum TokenKind {
    /// Another organisation becomes a partner.
    #[n(0)]
    Partner,
    /// Another machine becomes a node of the same organisation.
    #[n(1)]
    Node,
}

/// An organisation as a token or an answer names it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct NamedOrganisation {
    /// Its id: pins its genesis.
    #[n(0)]
    pub id: OrgId,
    /// Its name.
    #[n(1)]
    pub name: String,
    /// Its place, or empty.
    #[n(2)]
    pub ars: String,
}

/// An invitation. Whoever has it can ask to join once, until it expires.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Token {
    /// What it is for.
    #[n(0)]
    pub kind: TokenKind,
    /// Who invites.
    #[n(1)]
    pub organisation: NamedOrganisation,
    /// The inviting node; the transport proves it is the one.
    #[n(2)]
    pub node: NodeId,
    /// Where that node can be reached (multiaddrs).
    #[n(3)]
    pub addresses: Vec<String>,
    /// Names the invitation.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub id: [u8; 16],
    /// Proves that somebody holds it; never sent.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub secret: [u8; 32],
    /// Until when, milliseconds since 1970.
    #[n(6)]
    pub expires: u64,
    /// Only the organisation with this ARS may use it.
    #[n(7)]
    pub for_ars: Option<String>,
    /// With `for_ars`: the inviter confirms in advance whoever joins with it, and joining confirms the inviter.
    #[n(8)]
    pub trust: bool,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("kind", &self.kind)
            .field("organisation", &self.organisation)
            .finish_non_exhaustive()
    }
}

/// How long ago, in words.
pub(super) fn hours_ago(hours: u64) -> String {
    match hours {
        0 => "less than an hour ago".into(),
        1 => "an hour ago".into(),
        hours if hours < 48 => format!("{hours} hours ago"),
        hours => format!("{} days ago", hours / 24),
    }
}

/// Why a text is not a usable token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Something else altogether.
    #[error("this is not an Ortsnetz invitation (they begin with ORTSNETZ)")]
    Foreign,
    /// The end is missing.
    #[error("the invitation is cut off: {found} of {expected} characters; copy all of it")]
    Truncated {
        /// Characters that are there.
        found: usize,
        /// Characters that should be there.
        expected: usize,
    },
    /// A character changed, or something was added.
    #[error("the invitation is damaged; copy it again or ask for a new one")]
    Damaged,
    /// Its time is over.
    #[error("the invitation expired {}; ask {organisation} for a new one", hours_ago(*.hours))]
    Expired {
        /// How long ago, in whole hours.
        hours: u64,
        /// Whom to ask.
        organisation: String,
    },
    /// Made by a newer version.
    #[error("the invitation has version {0}, which this program does not know; update it first")]
    Version(u8),
    /// A value in it breaks a limit.
    #[error("the invitation is not valid: {0}")]
    Invalid(String),
}

impl Token {
    /// The token as text: capitals and digits only, one word.
    pub fn to_text(&self) -> Result<String, TokenError> {
        self.check()?;
        Ok(text::write(PREFIX, &canonical::encode(self))?)
    }

    /// Reads a token and checks that it has not expired (`now` in milliseconds since 1970).
    pub fn from_text(text: &str, now: u64) -> Result<Self, TokenError> {
        let token = Self::parse(text)?;
        if now > token.expires {
            let hours = (now - token.expires) / 3_600_000;
            return Err(TokenError::Expired { hours, organisation: token.organisation.name });
        }
        Ok(token)
    }

    fn parse(text: &str) -> Result<Self, TokenError> {
        let content = text::read(PREFIX, text)?;
        let token: Self =
            canonical::decode(&content, TOKEN_CHARS_MAX).map_err(|error| TokenError::Invalid(error.to_string()))?;
        token.check()?;
        Ok(token)
    }

    fn check(&self) -> Result<(), TokenError> {
        check_addresses(&self.addresses).map_err(|error| TokenError::Invalid(error.to_string()))?;
        self.organisation.check().map_err(|what| TokenError::Invalid(what.into()))?;
        if self.for_ars.as_ref().is_some_and(|ars| !is_ars(ars)) {
            return Err(TokenError::Invalid(NO_ARS.into()));
        }
        Ok(())
    }
}

impl From<TextError> for TokenError {
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

const NO_ARS: &str = "an ARS without 12 digits";

impl NamedOrganisation {
    /// The first rule a value breaks.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.name.len() > NAME_BYTES_MAX || self.name.chars().any(char::is_control) {
            return Err("the organisation's name");
        }
        if !self.ars.is_empty() && !is_ars(&self.ars) {
            return Err(NO_ARS);
        }
        Ok(())
    }
}
