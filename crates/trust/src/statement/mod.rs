//! Statements: signed facts an organisation makes about itself. The set of them is its *chain*; [`crate::Identity`]
//! folds it.
//!
//! A [`Signed`] keeps the payload exactly as it was received, next to what it says. Reading one checks its encoding,
//! limits and rules; *who* signed is judged by the fold, which knows the keys.

mod kinds;
mod rules;
#[cfg(test)]
mod tests;

use minicbor::{Decode, Decoder, Encode, Encoder};
use ortsnetz_model::{Hash, OrgId};

pub use kinds::{
    CollectionStatement, Delegation, Deletion, Genesis, Leaving, NodeCertificate, NodeRevocation, OrganisationKind,
    PartnerConfirmation, Partnership, PartnershipEnd, PublisherTerm, ReaderRemoval, Readers, Roles, RootRotation,
    STATEMENT_VERSION, Succession, SuccessionConfirmation, is_ars,
};
pub(crate) use rules::{Rules, check_addresses};

use crate::canonical::{self, EncodingError, rule};
use crate::keys::{Domain, PublicKey, Signature, Signer};
use crate::limits::{SIGNATURES_MAX, STATEMENT_BYTES_MAX};

macro_rules! statements {
    ($($number:literal $kind:ident($type:ty) = $domain:literal,)*) => {
        /// One statement. The order of the kinds is the order in which a chain is verified.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Statement {
            $(#[doc = concat!("See [`", stringify!($type), "`].")] $kind($type),)*
        }

        $(impl From<$type> for Statement {
            fn from(value: $type) -> Self {
                Self::$kind(value)
            }
        })*

        impl Statement {
            /// The number of its kind on the wire.
            pub fn kind(&self) -> u8 {
                match self { $(Self::$kind(_) => $number,)* }
            }

            /// The domain it is signed in.
            pub fn domain(&self) -> Domain {
                match self { $(Self::$kind(_) => Domain($domain),)* }
            }

            fn encode(&self) -> Vec<u8> {
                match self { $(Self::$kind(value) => canonical::encode(value),)* }
            }

            fn check(&self) -> Result<(), EncodingError> {
                match self { $(Self::$kind(value) => value.check(),)* }
            }

            fn decode(kind: u8, payload: &[u8]) -> Result<Self, EncodingError> {
                Ok(match kind {
                    $($number => Self::$kind(canonical::decode(payload, STATEMENT_BYTES_MAX)?),)*
                    _ => return Err(EncodingError::Unknown { what: "statement kind", number: kind.into() }),
                })
            }
        }
    };
}

statements! {
    0 Genesis(Genesis) = "genesis",
    1 RootRotation(RootRotation) = "root-rotation",
    2 NodeCertificate(NodeCertificate) = "node-certificate",
    3 NodeRevocation(NodeRevocation) = "node-revocation",
    4 PublisherTerm(PublisherTerm) = "publisher-term",
    5 Succession(Succession) = "succession",
    6 Collection(CollectionStatement) = "collection",
    7 Partnership(Partnership) = "partnership",
    8 PartnershipEnd(PartnershipEnd) = "partnership-end",
    9 PartnerConfirmation(PartnerConfirmation) = "partner-confirmation",
    10 Delegation(Delegation) = "delegation",
    11 ReaderRemoval(ReaderRemoval) = "reader-removal",
    12 SuccessionConfirmation(SuccessionConfirmation) = "succession-confirmation",
    13 Leaving(Leaving) = "leaving",
    14 Deletion(Deletion) = "deletion",
}

impl Statement {
    /// The organisations in whose chains this statement stands: one, or both sides of a partnership. A genesis has
    /// none inside: it *makes* the id.
    pub fn organisations(&self) -> Vec<OrgId> {
        match self {
            Self::Genesis(_) => Vec::new(),
            Self::RootRotation(s) => vec![s.organisation],
            Self::NodeCertificate(s) => vec![s.organisation],
            Self::NodeRevocation(s) => vec![s.organisation],
            Self::PublisherTerm(s) => vec![s.organisation],
            Self::Succession(s) => vec![s.organisation],
            Self::Collection(s) => vec![s.organisation],
            Self::Partnership(s) => vec![s.a, s.b],
            Self::PartnershipEnd(s) => vec![s.organisation],
            Self::PartnerConfirmation(s) => vec![s.organisation],
            Self::Delegation(s) => vec![s.organisation],
            Self::ReaderRemoval(s) => vec![s.organisation],
            Self::SuccessionConfirmation(s) => vec![s.organisation],
            Self::Leaving(s) => vec![s.organisation],
            Self::Deletion(s) => vec![s.organisation],
        }
    }
}

/// A statement with its signatures, in the exact bytes that are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    statement: Statement,
    payload: Vec<u8>,
    /// Sorted by key, one per key.
    signatures: Vec<(PublicKey, Signature)>,
}

impl Signed {
    /// Signs a statement. Fails if it breaks one of its own rules or limits.
    pub fn new(statement: impl Into<Statement>, signers: &[&dyn Signer]) -> Result<Self, EncodingError> {
        let statement = statement.into();
        statement.check()?;
        let payload = statement.encode();
        if payload.len() > STATEMENT_BYTES_MAX {
            return Err(EncodingError::TooLong { bytes: payload.len(), max: STATEMENT_BYTES_MAX });
        }
        let mut signed = Self { statement, payload, signatures: Vec::new() };
        for signer in signers {
            signed.sign(*signer);
        }
        Ok(signed)
    }

    /// Adds a signature; the same signer again changes nothing.
    pub fn sign(&mut self, signer: &dyn Signer) {
        let signature = signer.sign(self.statement.domain(), &self.payload);
        self.insert(signer.public(), signature);
    }

    /// What it says.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The signed bytes, without the domain.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The signatures it carries, sorted by key. They are not verified by reading alone: ask [`Signed::signed_by`].
    pub fn signatures(&self) -> &[(PublicKey, Signature)] {
        &self.signatures
    }

    /// Whether this key signed it. Verifies each time.
    pub fn signed_by(&self, key: &PublicKey) -> bool {
        self.signatures
            .iter()
            .any(|(signer, signature)| signer == key && key.verify(self.statement.domain(), &self.payload, signature))
    }

    /// SHA-256 of domain and payload. For a genesis this is the organisation's id.
    pub fn hash(&self) -> Hash {
        Hash::of(&self.statement.domain().message(&self.payload))
    }

    /// The organisation a genesis makes; `None` for every other kind.
    pub fn genesis_id(&self) -> Option<OrgId> {
        matches!(self.statement, Statement::Genesis(_)).then(|| OrgId(self.hash().0))
    }

    /// The bytes that travel and are stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::encode(self)
    }

    /// Reads what [`Signed::to_bytes`] wrote. Checks encoding, limits and rules, not the signatures.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EncodingError> {
        let raw: RawSigned = canonical::decode(bytes, STATEMENT_BYTES_MAX + 64 + SIGNATURES_MAX * 110)?;
        raw.check()
    }

    /// Keeps only the signatures this rule accepts.
    pub(crate) fn retain_signatures(&mut self, keep: impl Fn(&PublicKey) -> bool) {
        self.signatures.retain(|(key, _)| keep(key));
    }

    /// Takes over signatures of an equal statement; of two by one key the smaller stays. Tells whether something
    /// changed.
    pub(crate) fn merge_signatures(&mut self, other: &Self) -> bool {
        let before = self.signatures.clone();
        for (key, signature) in &other.signatures {
            self.insert(*key, *signature);
        }
        self.signatures != before
    }

    fn insert(&mut self, key: PublicKey, signature: Signature) {
        match self.signatures.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(at) => self.signatures[at].1 = self.signatures[at].1.min(signature),
            Err(at) => self.signatures.insert(at, (key, signature)),
        }
    }
}

/// The wire form: [kind, payload, [[key, signature]...]].
#[derive(Encode, Decode)]
struct RawSigned {
    #[n(0)]
    kind: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    payload: Vec<u8>,
    #[n(2)]
    signatures: Vec<(PublicKey, Signature)>,
}

impl RawSigned {
    fn check(self) -> Result<Signed, EncodingError> {
        let count = self.signatures.len();
        rule(count <= SIGNATURES_MAX, || format!("{count} signatures, allowed are {SIGNATURES_MAX}"))?;
        rule(self.signatures.is_sorted_by(|a, b| a.0 < b.0), || "the signatures are not sorted by key".into())?;
        let statement = Statement::decode(self.kind, &self.payload)?;
        statement.check()?;
        Ok(Signed { statement, payload: self.payload, signatures: self.signatures })
    }
}

impl<C> Encode<C> for Signed {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(3)?.u8(self.statement.kind())?.bytes(&self.payload)?.encode(&self.signatures)?;
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for Signed {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let raw: RawSigned = d.decode()?;
        raw.check().map_err(|error| minicbor::decode::Error::message(error.to_string()))
    }
}
