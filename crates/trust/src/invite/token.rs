//! The token: what an invitation looks like on paper, in a mail or as a QR code.
//!
//! Text: `ORTSNETZ` and base32 of version, length, content and 4 bytes of checksum. Capitals, hyphens and blanks do not
//! matter, and the digits 0, 1 and 8 are read as the letters they look like.

use data_encoding::BASE32_NOPAD;
use minicbor::{Decode, Encode};
use ortsnetz_model::{Hash, NodeId, OrgId};

use crate::canonical;
use crate::limits::{NAME_BYTES_MAX, TOKEN_CHARS_MAX};
use crate::statement::{check_addresses, is_ars};

const PREFIX: &str = "ORTSNETZ";
const VERSION: u8 = 1;
/// Version, two bytes of length.
const HEAD_BYTES: usize = 3;
const CHECKSUM_BYTES: usize = 4;

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

/// The inviting organisation as the token names it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct InvitedOrganisation {
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
    pub organisation: InvitedOrganisation,
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
    #[error("the invitation expired {hours} hour(s) ago; ask {organisation} for a new one")]
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
        let content = canonical::encode(self);
        let length = u16::try_from(content.len()).map_err(|_| TokenError::Invalid("it is too long".into()))?;
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&content);
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        let text = format!("{PREFIX}{}", BASE32_NOPAD.encode(&bytes));
        if text.len() > TOKEN_CHARS_MAX {
            return Err(TokenError::Invalid(format!("{} characters, allowed are {TOKEN_CHARS_MAX}", text.len())));
        }
        Ok(text)
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
        let kept = text.chars().filter(|c| !c.is_whitespace() && *c != '-').take(TOKEN_CHARS_MAX + 1);
        let text: String = kept.map(|c| c.to_ascii_uppercase()).collect();
        if text.len() > TOKEN_CHARS_MAX {
            return Err(TokenError::Foreign);
        }
        let Some(coded) = text.strip_prefix(PREFIX) else {
            let cut = !text.is_empty() && PREFIX.starts_with(&text);
            let expected = PREFIX.len() + 1;
            return Err(if cut { TokenError::Truncated { found: text.len(), expected } } else { TokenError::Foreign });
        };
        let coded = coded.replace('0', "O").replace('1', "I").replace('8', "B");
        // Five bytes are eight characters, enough to learn the length.
        let Some(first) = coded.get(..8) else {
            return Err(TokenError::Truncated { found: text.len(), expected: PREFIX.len() + 8 });
        };
        let head = BASE32_NOPAD.decode(first.as_bytes()).map_err(|_| TokenError::Damaged)?;
        if head[0] != VERSION {
            return Err(TokenError::Version(head[0]));
        }
        let length = usize::from(u16::from_be_bytes([head[1], head[2]]));
        let expected = BASE32_NOPAD.encode_len(HEAD_BYTES + length + CHECKSUM_BYTES);
        if coded.len() < expected {
            return Err(TokenError::Truncated { found: text.len(), expected: PREFIX.len() + expected });
        }
        let bytes = BASE32_NOPAD.decode(coded.as_bytes()).map_err(|_| TokenError::Damaged)?;
        let (content, sum) = bytes.split_at_checked(HEAD_BYTES + length).ok_or(TokenError::Damaged)?;
        if sum != checksum(content) {
            return Err(TokenError::Damaged);
        }
        let token: Self = canonical::decode(&content[HEAD_BYTES..], TOKEN_CHARS_MAX)
            .map_err(|error| TokenError::Invalid(error.to_string()))?;
        token.check()?;
        Ok(token)
    }

    fn check(&self) -> Result<(), TokenError> {
        check_addresses(&self.addresses).map_err(|error| TokenError::Invalid(error.to_string()))?;
        let name = &self.organisation.name;
        if name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            return Err(TokenError::Invalid("the organisation's name".into()));
        }
        let places = [Some(&self.organisation.ars).filter(|ars| !ars.is_empty()), self.for_ars.as_ref()];
        if places.into_iter().flatten().any(|ars| !is_ars(ars)) {
            return Err(TokenError::Invalid("an ARS without 12 digits".into()));
        }
        Ok(())
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let hash = Hash::of(bytes).0;
    [hash[0], hash[1], hash[2], hash[3]]
}
