//! Keys and signatures: Ed25519, verified strictly and one by one, always over a domain-separated message.
//!
//! What is signed is `ortsnetz/<type>/v1`, a zero byte and then the payload exactly as it travels, so that bytes
//! signed as one type never pass as another.

use std::fmt;

use data_encoding::HEXLOWER;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use minicbor::{Decode, Encode};
use ortsnetz_model::NodeId;
use serde::{Serialize, Serializer};

/// The public half of a root key or of a node key. Text: 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct PublicKey(#[cbor(with = "minicbor::bytes")] pub [u8; 32]);

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Signature(#[cbor(with = "minicbor::bytes")] pub [u8; 64]);

impl From<NodeId> for PublicKey {
    fn from(node: NodeId) -> Self {
        Self(node.0)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", &HEXLOWER.encode(&self.0)[..8])
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", &HEXLOWER.encode(&self.0)[..8])
    }
}

impl PublicKey {
    /// Whether `signature` is this key's over `payload` as a message of type `domain`. Strict: no small-order keys, no
    /// second encoding of the same signature.
    pub fn verify(&self, domain: Domain, payload: &[u8], signature: &Signature) -> bool {
        let Ok(key) = VerifyingKey::from_bytes(&self.0) else { return false };
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        key.verify_strict(&domain.message(payload), &signature).is_ok()
    }
}

/// What kind of message is signed or hashed: the text between `ortsnetz/` and `/v1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Domain(pub &'static str);

impl Domain {
    /// The bytes that are signed for this payload.
    pub fn message(self, payload: &[u8]) -> Vec<u8> {
        [b"ortsnetz/", self.0.as_bytes(), b"/v1\0", payload].concat()
    }
}

/// Something that signs: a root key or a node key.
pub trait Signer {
    /// The key others verify with.
    fn public(&self) -> PublicKey;
    /// Signs `payload` as a message of type `domain`.
    fn sign(&self, domain: Domain, payload: &[u8]) -> Signature;
}

macro_rules! secret_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(SigningKey);

        impl $name {
            /// The key with these secret bytes. They should be random; the caller wipes its own copy.
            pub fn from_secret(secret: &[u8; 32]) -> Self {
                Self(SigningKey::from_bytes(secret))
            }

            /// The secret bytes, wiped when dropped. For storing the key, nothing else.
            pub fn secret(&self) -> zeroize::Zeroizing<[u8; 32]> {
                zeroize::Zeroizing::new(self.0.to_bytes())
            }
        }

        impl Signer for $name {
            fn public(&self) -> PublicKey {
                PublicKey(self.0.verifying_key().to_bytes())
            }

            fn sign(&self, domain: Domain, payload: &[u8]) -> Signature {
                Signature(self.0.sign(&domain.message(payload)).to_bytes())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.public())
            }
        }
    };
}

secret_key!(
    /// The key an organisation is: it signs few things and may live offline. Wiped when dropped; never printed.
    RootKey
);
secret_key!(
    /// The key of one running daemon. Wiped when dropped; never printed.
    NodeKey
);

impl NodeKey {
    /// The node this key belongs to.
    pub fn id(&self) -> NodeId {
        NodeId(self.public().0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Domain = Domain("a");
    const B: Domain = Domain("b");

    #[test]
    fn a_signature_holds_for_its_key_domain_and_payload_only() {
        let key = NodeKey::from_secret(&[7; 32]);
        let other = NodeKey::from_secret(&[8; 32]);
        let signature = key.sign(A, b"text");
        assert!(key.public().verify(A, b"text", &signature));
        assert!(!key.public().verify(B, b"text", &signature));
        assert!(!key.public().verify(A, b"texts", &signature));
        assert!(!other.public().verify(A, b"text", &signature));
        let mut bent = signature;
        bent.0[40] ^= 1;
        assert!(!key.public().verify(A, b"text", &bent));
    }

    #[test]
    fn a_small_order_key_verifies_nothing() {
        // The identity point: with R = identity and s = 0 a lenient check accepts every message.
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!PublicKey(identity).verify(A, b"anything", &Signature(signature)));
    }

    #[test]
    fn secrets_are_not_printed() {
        let key = RootKey::from_secret(&[0x5a; 32]);
        assert!(!format!("{key:?}").contains("5a5a5a"));
        assert_eq!(*key.secret(), [0x5a; 32]);
    }
}
