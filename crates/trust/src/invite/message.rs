//! What travels on `/ortsnetz/join/1` and `/ortsnetz/return/1`, and the proofs in it.

use hmac::{Hmac, KeyInit, Mac};
use minicbor::{Decode, Encode};
use ortsnetz_model::{Hash, OrgId};
use sha2::Sha256;

use super::{Ends, Token};
use crate::canonical::{self, EncodingError};
use crate::limits::JOIN_MESSAGE_BYTES_MAX;
use crate::statement::Signed;
use crate::words::{CHECK_WORDS, words};

/// Why joining failed. The text is for the person who tries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// We gave out no such invitation.
    #[error("the invitation is not known here; it may have been taken back")]
    UnknownToken,
    /// Its time is over.
    #[error("the invitation has expired; ask for a new one")]
    Expired,
    /// Somebody used it already.
    #[error("the invitation was already used; ask for a new one")]
    Burnt,
    /// Too many wrong proofs.
    #[error("the invitation was closed after too many wrong attempts; ask for a new one")]
    Closed,
    /// Whoever is there does not hold the token.
    #[error("the other side could not prove that it holds the invitation")]
    WrongProof,
    /// An invitation for partners was used for a node, or the other way round.
    #[error("the invitation is for something else ({0})")]
    WrongKind(&'static str),
    /// The invitation is for another place.
    #[error("the invitation is for the place {0}")]
    OtherPlace(String),
    /// Somebody invites itself.
    #[error("this is an invitation by your own organisation")]
    Oneself,
    /// What was revealed is not what was committed to.
    #[error("the other side changed its mind in the middle of joining")]
    WrongReveal,
    /// The chain sent does not make the organisation or does not certify the node.
    #[error("the other side's statements are not valid: {0}")]
    BadChain(String),
    /// A message that does not belong here.
    #[error("the other side sent something unexpected")]
    OutOfOrder,
    /// Our own side cannot sign.
    #[error("this node may not do that: {0}")]
    NotEntitled(String),
    /// The other side gave up, for this reason.
    #[error("the other side refused: {0}")]
    Refused(String),
}

/// The first message of a joining organisation.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PartnerRequest {
    /// Which invitation.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub token: [u8; 16],
    /// Who wants to join.
    #[n(1)]
    pub organisation: OrgId,
    /// Hash of organisation and nonce.
    #[n(2)]
    pub commitment: Hash,
    /// Proof of holding the token, for this connection only.
    #[n(3)]
    pub proof: Hash,
}

/// The only message of a joining node.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct NodeRequest {
    /// Which invitation.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub token: [u8; 16],
    /// What people call the new node.
    #[n(1)]
    pub name: String,
    /// Where it can be reached.
    #[n(2)]
    pub addresses: Vec<String>,
    /// Proof of holding the token, for this connection and this request only.
    #[n(3)]
    pub proof: Hash,
}

/// A message of the join protocol.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum JoinMessage {
    /// An organisation asks (joiner).
    #[n(0)]
    Partner(#[n(0)] PartnerRequest),
    /// The inviter holds the token, too, and commits (inviter).
    #[n(1)]
    Challenge {
        /// Hash of organisation and nonce.
        #[n(0)]
        commitment: Hash,
        /// Proof of holding the token, over both commitments.
        #[n(1)]
        proof: Hash,
    },
    /// What the commitment was about (both, joiner first).
    #[n(2)]
    Reveal {
        /// The nonce.
        #[cbor(n(0), with = "minicbor::bytes")]
        nonce: [u8; 32],
        /// The sender's chain as the other side may see it.
        #[n(1)]
        statements: Vec<Signed>,
    },
    /// The partnership, signed by the sender (both, joiner first).
    #[n(3)]
    Partnership(#[n(0)] Signed),
    /// A machine asks to become a node (joiner).
    #[n(4)]
    Node(#[n(0)] NodeRequest),
    /// The whole own chain with the new certificate (inviter).
    #[n(5)]
    Chain(#[n(0)] Vec<Signed>),
    /// The sender gives up.
    #[n(6)]
    Refused(#[n(0)] String),
    /// The inviter dialled because it was given an answer to this invitation; the joiner begins as ever (inviter).
    #[n(7)]
    Call(#[cbor(n(0), with = "minicbor::bytes")] [u8; 16]),
    /// A new node of an organisation that lost its machines shows the certificate that root gave it. Travels on
    /// `/ortsnetz/return/1` and is answered by two chains: that of its organisation as known here, and that of the
    /// answering one.
    #[n(8)]
    Return(#[n(0)] Signed),
}

impl JoinMessage {
    /// The bytes of one frame.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::encode(self)
    }

    /// Reads one frame of at most [`JOIN_MESSAGE_BYTES_MAX`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EncodingError> {
        canonical::decode(bytes, JOIN_MESSAGE_BYTES_MAX)
    }
}

/// HMAC-SHA256 with the token's secret over a label, the ends of the connection and what else is bound.
fn mac(token: &Token, label: &str, ends: &Ends, bound: &[&[u8]]) -> Hmac<Sha256> {
    // HMAC takes keys of any length, so this cannot fail; a zero key proves nothing to anybody.
    let mut mac = Hmac::<Sha256>::new_from_slice(&token.secret).unwrap_or_else(|_| Hmac::new(&Default::default()));
    mac.update(b"ortsnetz/join/v1\0");
    mac.update(label.as_bytes());
    mac.update(&[0]);
    mac.update(&token.id);
    mac.update(&ends.bytes());
    for part in bound {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac
}

pub(super) fn prove(token: &Token, label: &str, ends: &Ends, bound: &[&[u8]]) -> Hash {
    Hash(mac(token, label, ends, bound).finalize().into_bytes().into())
}

/// Compares in constant time.
pub(super) fn proves(token: &Token, label: &str, ends: &Ends, bound: &[&[u8]], proof: &Hash) -> bool {
    mac(token, label, ends, bound).verify_slice(&proof.0).is_ok()
}

pub(super) fn commitment(organisation: &OrgId, nonce: &[u8; 32]) -> Hash {
    Hash::of(&[b"ortsnetz/commitment/v1\0", organisation.0.as_slice(), nonce].concat())
}

/// The six words both people compare: 66 bits over both organisations, nodes and nonces.
pub(super) fn check_words(ends: &Ends, joining: &[u8; 32], inviting: &[u8; 32]) -> [&'static str; CHECK_WORDS] {
    let parts = [b"ortsnetz/check-words/v1\0".as_slice(), &ends.bytes(), joining, inviting];
    let hash = Hash::of(&parts.concat());
    let all = words(&hash.0);
    // 256 bits give 23 words.
    std::array::from_fn(|at| all.get(at).copied().unwrap_or_default())
}
