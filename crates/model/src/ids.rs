//! Identifiers. All of them are plain bytes with one text form; parsing is strict and says what is wrong.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// A text that should be an identifier and is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct IdError {
    /// What was given, cut to 80 characters.
    pub text: String,
    /// What a valid text looks like.
    pub expected: &'static str,
}

impl IdError {
    fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.chars().take(80).collect(), expected }
    }
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $len:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(#[cbor(with = "minicbor::bytes")] pub [u8; $len]);

        impl $name {
            /// The bytes of the identifier.
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// The identifier with these bytes; `None` unless there are exactly as many as it has.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), &HEXLOWER.encode(&self.0)[..8])
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                HEXLOWER
                    .decode(text.trim().as_bytes())
                    .ok()
                    .and_then(|bytes| Self::from_slice(&bytes))
                    .ok_or_else(|| IdError::new(text, $expected))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_id!(
    /// An organisation: the SHA-256 of its signed genesis record. Text: 64 hex digits.
    OrgId, 32, "an organisation id (64 hex digits)"
);
hex_id!(
    /// One thing worth knowing. Text: 32 hex digits.
    EntryId, 16, "an entry id (32 hex digits)"
);
hex_id!(
    /// A named set of entries of one organisation. Text: 32 hex digits.
    CollectionId, 16, "a collection id (32 hex digits)"
);
hex_id!(
    /// The SHA-256 of an automerge change, or another content hash. Text: 64 hex digits.
    Hash, 32, "a hash (64 hex digits)"
);

impl Hash {
    /// SHA-256 of the bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl EntryId {
    /// The id of an imported entry: the first 16 bytes of SHA-256(organisation, agency, scheme, value), each text
    /// preceded by its length, so that two nodes importing the same file make the same entries.
    pub fn imported(organisation: &OrgId, agency: &str, scheme: &str, value: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"ortsnetz/entry/v1");
        hasher.update(organisation.0);
        for part in [agency, scheme, value] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        Self(first_16(hasher))
    }
}

impl CollectionId {
    /// The id of the collection that `organisation` created under this name.
    pub fn named(organisation: &OrgId, name: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"ortsnetz/collection/v1");
        hasher.update(organisation.0);
        hasher.update(name.as_bytes());
        Self(first_16(hasher))
    }
}

fn first_16(hasher: Sha256) -> [u8; 16] {
    let digest: [u8; 32] = hasher.finalize().into();
    // The first half of a 32-byte array always has 16 bytes.
    std::array::from_fn(|i| digest[i])
}

/// One running daemon: its Ed25519 public key. Its text is the libp2p peer id (base58 of the identity multihash).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct NodeId(#[cbor(with = "minicbor::bytes")] pub [u8; 32]);

/// Identity multihash of a protobuf-encoded Ed25519 public key
/// (<https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md>).
const PEER_ID_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

impl NodeId {
    /// The bytes of the libp2p peer id.
    pub fn peer_id_bytes(&self) -> Vec<u8> {
        [PEER_ID_PREFIX.as_slice(), &self.0].concat()
    }

    /// The node with this libp2p peer id; `None` if it does not hold an Ed25519 key.
    pub fn from_peer_id_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.strip_prefix(&PEER_ID_PREFIX)?.try_into().ok().map(Self)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bs58::encode(self.peer_id_bytes()).into_string())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_string();
        write!(f, "NodeId(..{})", &text[text.len() - 6..])
    }
}

impl FromStr for NodeId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        bs58::decode(text.trim())
            .into_vec()
            .ok()
            .and_then(|bytes| Self::from_peer_id_bytes(&bytes))
            .ok_or_else(|| IdError::new(text, "a node id (a libp2p peer id, 12D3Koo...)"))
    }
}

impl Serialize for NodeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A list of records: what one organisation publishes in one collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct FeedId {
    /// Whose records these are.
    #[n(0)]
    pub organisation: OrgId,
    /// Which collection of that organisation.
    #[n(1)]
    pub collection: CollectionId,
}

/// Where a record stands in its feed. Ordered by term, then epoch, then sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct Position {
    /// Number of the root-signed publisher term; 0 in draft feeds.
    #[n(0)]
    pub term: u32,
    /// Milliseconds since 1970 when the publishing process (re)started, always growing.
    #[n(1)]
    pub epoch: u64,
    /// Counts the records of the epoch, from 1.
    #[n(2)]
    pub sequence: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.term, self.epoch, self.sequence)
    }
}

/// One document: an entry in a collection, in one generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct DocumentId {
    /// The collection it lies in; a companion document lies in a narrower one than its home document.
    #[n(0)]
    pub collection: CollectionId,
    /// The entry it belongs to.
    #[n(1)]
    pub entry: EntryId,
    /// Grows with every move to another collection and every redaction.
    #[n(2)]
    pub generation: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_round_trips_as_text_json_and_cbor() {
        fn check<T>(id: T)
        where
            T: Copy + PartialEq + fmt::Debug + fmt::Display + FromStr<Err = IdError> + Serialize,
            T: for<'de> Deserialize<'de> + Encode<()> + for<'b> Decode<'b, ()>,
        {
            assert_eq!(id.to_string().parse(), Ok(id));
            let json = serde_json::to_string(&id).unwrap();
            assert_eq!(json, format!("\"{id}\""));
            assert_eq!(serde_json::from_str::<T>(&json).unwrap(), id);
            assert_eq!(minicbor::decode::<T>(&minicbor::to_vec(id).unwrap()).unwrap(), id);
        }
        check(OrgId([0xab; 32]));
        check(EntryId([1; 16]));
        check(CollectionId([2; 16]));
        check(Hash([255; 32]));
        check(NodeId([7; 32]));
    }

    #[test]
    fn bad_texts_say_what_was_expected() {
        let error = "xyz".parse::<EntryId>().unwrap_err();
        assert_eq!(error.to_string(), "\"xyz\" is not an entry id (32 hex digits)");
        assert!("ABCDEF0123456789ABCDEF0123456789".parse::<EntryId>().is_err());
        assert!("00".repeat(17).parse::<EntryId>().is_err());
        assert!(EntryId::from_slice(&[0; 15]).is_none());
        assert!("12D3KooW".parse::<NodeId>().is_err());
        assert!(NodeId([7; 32]).to_string().starts_with("12D3Koo"));
        assert!(minicbor::decode::<EntryId>(&minicbor::to_vec(OrgId([1; 32])).unwrap()).is_err());
        assert_eq!("x".repeat(500).parse::<OrgId>().unwrap_err().text.len(), 80);
    }

    #[test]
    fn derived_ids_depend_on_every_part() {
        let (a, b) = (OrgId([1; 32]), OrgId([2; 32]));
        let id = EntryId::imported(&a, "L100042", "LB", "1");
        assert_eq!(id, EntryId::imported(&a, "L100042", "LB", "1"));
        for other in [
            EntryId::imported(&b, "L100042", "LB", "1"),
            EntryId::imported(&a, "L100042L", "B", "1"),
            EntryId::imported(&a, "L100042", "LB1", ""),
        ] {
            assert_ne!(id, other);
        }
        assert_ne!(CollectionId::named(&a, "public"), CollectionId::named(&b, "public"));
        assert_ne!(CollectionId::named(&a, "public"), CollectionId::named(&a, "internal"));
    }

    #[test]
    fn positions_are_ordered_by_term_epoch_sequence() {
        let position = |term, epoch, sequence| Position { term, epoch, sequence };
        assert!(position(1, 9, 9) < position(2, 0, 0));
        assert!(position(1, 1, 9) < position(1, 2, 0));
        assert_eq!(position(1, 2, 3).to_string(), "1.2.3");
    }
}
