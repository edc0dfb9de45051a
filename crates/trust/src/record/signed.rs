//! A record with its signature.

use minicbor::{Decode, Decoder, Encode, Encoder};
use ortsnetz_model::NodeId;

use super::Record;
use crate::canonical::{self, EncodingError};
use crate::keys::{Domain, NodeKey, PublicKey, RootKey, Signature, Signer};
use crate::limits::RECORD_BYTES_MAX;

const DOMAIN: Domain = Domain("record");

/// A record in the exact bytes that were signed, with what they say, who signed and the signature. Reading one checks
/// its form; whether the signer may say this is judged by [`crate::Identity::verify_record`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRecord {
    bytes: Vec<u8>,
    record: Record,
    node: NodeId,
    signature: Signature,
}

impl SignedRecord {
    /// Signs a record. Fails if it breaks a rule or a limit.
    pub fn sign(record: Record, key: &NodeKey) -> Result<Self, EncodingError> {
        Self::sign_with(record, key)
    }

    /// Signs a checkpoint with the root key: after a revocation it says which records of the lost node count.
    pub fn sign_by_root(record: Record, key: &RootKey) -> Result<Self, EncodingError> {
        Self::sign_with(record, key)
    }

    fn sign_with(record: Record, key: &dyn Signer) -> Result<Self, EncodingError> {
        let bytes = record.to_bytes()?;
        let signature = key.sign(DOMAIN, &bytes);
        Ok(Self { bytes, record, node: NodeId(key.public().0), signature })
    }

    /// What it says.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The signed bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The key that signed (or is said to have): a node, or root for a checkpoint after a revocation.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The signature.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Whether the signature is the named key's. Says nothing about what that key may do.
    pub fn signature_holds(&self) -> bool {
        PublicKey::from(self.node).verify(DOMAIN, &self.bytes, &self.signature)
    }

    /// The bytes that travel and are stored: CBOR [record bytes, node, signature].
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::encode(self)
    }

    /// Reads what [`SignedRecord::to_bytes`] wrote. Checks form and limits, not the signature.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EncodingError> {
        canonical::decode::<Raw>(bytes, RECORD_BYTES_MAX + 128)?.check()
    }
}

#[derive(Encode, Decode)]
struct Raw {
    #[cbor(n(0), with = "minicbor::bytes")]
    bytes: Vec<u8>,
    #[n(1)]
    node: NodeId,
    #[n(2)]
    signature: Signature,
}

impl Raw {
    fn check(self) -> Result<SignedRecord, EncodingError> {
        let record = Record::from_bytes(&self.bytes)?;
        Ok(SignedRecord { bytes: self.bytes, record, node: self.node, signature: self.signature })
    }
}

impl<C> Encode<C> for SignedRecord {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(3)?.bytes(&self.bytes)?.encode(self.node)?.encode(self.signature)?;
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for SignedRecord {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let raw: Raw = d.decode()?;
        raw.check().map_err(|error| minicbor::decode::Error::message(error.to_string()))
    }
}
