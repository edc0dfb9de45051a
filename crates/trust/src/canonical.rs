//! Canonical CBOR: what is signed has exactly one encoding, and a decoder proves it by encoding again.

use minicbor::{Decode, Encode};

/// Why bytes are not the canonical encoding of what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodingError {
    /// More bytes than a message of this type may have.
    #[error("{bytes} bytes, more than the allowed {max}")]
    TooLong {
        /// How many there are.
        bytes: usize,
        /// How many there may be.
        max: usize,
    },
    /// Not the expected CBOR at all.
    #[error("not readable: {0}")]
    Malformed(String),
    /// Readable, but not in the one encoding that may be signed.
    #[error("not in canonical form")]
    NotCanonical,
    /// Readable, but a value breaks a rule or a limit.
    #[error("{0}")]
    Invalid(String),
    /// Written by a newer version.
    #[error("{what} {number} is unknown to this version")]
    Unknown {
        /// What is unknown.
        what: &'static str,
        /// Its number.
        number: u64,
    },
}

/// The canonical bytes of a value.
pub(crate) fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    // Writing to a vector cannot fail, and no type of ours refuses to be encoded.
    minicbor::to_vec(value).unwrap_or_default()
}

/// Reads a value from at most `max` bytes and refuses every encoding but the canonical one.
pub(crate) fn decode<'b, T: Encode<()> + Decode<'b, ()>>(bytes: &'b [u8], max: usize) -> Result<T, EncodingError> {
    if bytes.len() > max {
        return Err(EncodingError::TooLong { bytes: bytes.len(), max });
    }
    let value: T = minicbor::decode(bytes).map_err(|error| EncodingError::Malformed(error.to_string()))?;
    if encode(&value) != bytes {
        return Err(EncodingError::NotCanonical);
    }
    Ok(value)
}

/// `Err(Invalid)` with this text unless the rule holds.
pub(crate) fn rule(holds: bool, text: impl FnOnce() -> String) -> Result<(), EncodingError> {
    if holds { Ok(()) } else { Err(EncodingError::Invalid(text())) }
}
