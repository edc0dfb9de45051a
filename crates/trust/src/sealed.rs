//! Sealed copies: an encrypted backup of an organisation that a partner keeps and cannot read.
//!
//! 1. The file is encrypted to a key made from the root key ([`sealing_secret`]), so the recovery sheet opens it.
//! 2. It is cut into pieces of [`SEALED_PIECE_BYTES`]; their hashes form a tree ([`PieceTree`]).
//! 3. Root signs the tree's root and the length ([`SealedCopy`]): who keeps it takes pieces of nothing else, and a node that
//!    recovers takes nothing else back.
//! 4. Each piece travels with its way to the root, so it is checked when it arrives, in whatever order and from whomever;
//!    and who asks for pieces by chance finds out whether the copy is still there.

use minicbor::{Decode, Encode};
use ortsnetz_model::{Hash, OrgId};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::canonical::{self, EncodingError, rule};
use crate::keys::{Domain, PublicKey, RootKey, Signature, Signer as _};
use crate::limits::{
    KEEP_MESSAGE_BYTES_MAX, KEEP_REASON_BYTES_MAX, SEALED_BYTES_MAX, SEALED_PATH_MAX, SEALED_PIECE_BYTES,
    SEALED_VERSIONS_MAX,
};

const VERSION: u8 = 1;
const SEALED_COPY: Domain = Domain("sealed-copy");
/// Before a piece, and before two hashes, so that neither passes as the other.
const PIECE: &[u8] = b"\0";
const PAIR: &[u8] = b"\x01";

/// The secret X25519 key that opens the sealed copies made under this root key.
pub fn sealing_secret(root: &RootKey) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(sha(&[b"ortsnetz/sealing-key/v1\0", &root.secret()[..]]).0)
}

fn sha(parts: &[&[u8]]) -> Hash {
    let mut sum = Sha256::new();
    parts.iter().for_each(|part| sum.update(part));
    Hash(sum.finalize().into())
}

/// Hash of one piece.
pub fn piece_hash(piece: &[u8]) -> Hash {
    sha(&[PIECE, piece])
}

fn pair_hash(left: &Hash, right: &Hash) -> Hash {
    sha(&[PAIR, &left.0, &right.0])
}

/// How many pieces so many bytes are.
pub fn pieces_of(bytes: u64) -> u64 {
    bytes.div_ceil(SEALED_PIECE_BYTES as u64)
}

/// The tree over the hashes of all pieces: neighbours in pairs, level by level; a last one without a neighbour moves up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PieceTree(Vec<Vec<Hash>>);

impl PieceTree {
    /// Over these hashes of pieces, in order; none make the hash of all zeros.
    pub fn new(pieces: Vec<Hash>) -> Self {
        let mut levels = vec![pieces];
        while let Some(level) = levels.last().filter(|level| level.len() > 1) {
            let above = level.chunks(2).map(|pair| match pair {
                [left, right] => pair_hash(left, right),
                alone => alone[0],
            });
            levels.push(above.collect());
        }
        Self(levels)
    }

    /// The one hash that stands for all.
    pub fn root(&self) -> Hash {
        self.0.last().and_then(|top| top.first()).copied().unwrap_or(Hash([0; 32]))
    }

    /// How many pieces there are.
    pub fn pieces(&self) -> u64 {
        self.0.first().map_or(0, Vec::len) as u64
    }

    /// The hash of one piece.
    pub fn piece(&self, index: u64) -> Option<&Hash> {
        self.0.first()?.get(usize::try_from(index).ok()?)
    }

    /// The neighbours on the way from a piece to the root, from below; `None`: there is no such piece.
    pub fn path(&self, index: u64) -> Option<Vec<Hash>> {
        let mut at = usize::try_from(index).ok().filter(|index| *index < self.0.first().map_or(0, Vec::len))?;
        let mut path = Vec::new();
        for level in &self.0 {
            path.extend(level.get(at ^ 1));
            at /= 2;
        }
        Some(path)
    }
}

/// What root says of one sealed copy.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SealedCopy {
    #[n(0)]
    version: u8,
    /// Whose it is.
    #[n(1)]
    pub organisation: OrgId,
    /// Its number; later copies have higher ones. Milliseconds since 1970, unless one was higher already.
    #[n(2)]
    pub number: u64,
    /// Length of the encrypted file.
    #[n(3)]
    pub bytes: u64,
    /// Root of the tree over its pieces.
    #[n(4)]
    pub root: Hash,
    /// Of when it is, milliseconds since 1970.
    #[n(5)]
    pub at: u64,
    /// Copies with lower numbers are to go when this one is whole: something in them must not be kept any longer.
    #[n(6)]
    pub oldest: u64,
}

impl SealedCopy {
    /// With the version that this program writes.
    pub fn new(organisation: OrgId, number: u64, bytes: u64, root: Hash, at: u64, oldest: u64) -> Self {
        Self { version: VERSION, organisation, number, bytes, root, at, oldest }
    }

    /// How many pieces it has.
    pub fn pieces(&self) -> u64 {
        pieces_of(self.bytes)
    }

    /// How long one piece is; 0 behind the last.
    pub fn piece_bytes(&self, index: u64) -> usize {
        let begin = index.saturating_mul(SEALED_PIECE_BYTES as u64);
        // At most the length of a piece.
        self.bytes.saturating_sub(begin).min(SEALED_PIECE_BYTES as u64) as usize
    }

    /// Whether this is the piece with that number: right length, and the path leads to the root.
    pub fn has_piece(&self, index: u64, piece: &[u8], path: &[Hash]) -> bool {
        if index >= self.pieces() || piece.len() != self.piece_bytes(index) {
            return false;
        }
        let (mut at, mut level, mut path) = (index, self.pieces(), path.iter());
        let mut hash = piece_hash(piece);
        while level > 1 {
            // The last one of a level without a neighbour moves up as it is.
            if at ^ 1 < level {
                let Some(neighbour) = path.next() else { return false };
                hash = if at & 1 == 0 { pair_hash(&hash, neighbour) } else { pair_hash(neighbour, &hash) };
            }
            (at, level) = (at / 2, level.div_ceil(2));
        }
        path.next().is_none() && hash == self.root
    }

    fn check(&self) -> Result<(), EncodingError> {
        if self.version != VERSION {
            return Err(EncodingError::Unknown { what: "version of a sealed copy", number: self.version.into() });
        }
        rule(self.bytes > 0 && self.bytes <= SEALED_BYTES_MAX, || {
            format!("a sealed copy has 1 to {SEALED_BYTES_MAX} bytes, not {}", self.bytes)
        })?;
        rule(self.number > 0 && self.oldest <= self.number, || "a sealed copy does not outlive itself".into())
    }
}

/// A sealed copy's description and root's signature over it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedCopy {
    #[cbor(n(0), with = "minicbor::bytes")]
    payload: Vec<u8>,
    #[n(1)]
    signature: Signature,
}

impl SignedCopy {
    /// Signs a description.
    ///
    /// # Errors
    /// No length, or too long.
    pub fn sign(copy: &SealedCopy, root: &RootKey) -> Result<Self, EncodingError> {
        copy.check()?;
        let payload = canonical::encode(copy);
        let signature = root.sign(SEALED_COPY, &payload);
        Ok(Self { payload, signature })
    }

    /// What is said, if this root key said it.
    ///
    /// # Errors
    /// Another key, or a description that breaks a rule.
    pub fn verify(&self, root: &PublicKey) -> Result<SealedCopy, EncodingError> {
        rule(root.verify(SEALED_COPY, &self.payload, &self.signature), || {
            "the root key has not signed this sealed copy".into()
        })?;
        self.said()
    }

    /// What is said, whoever said it: for whoever has verified it before.
    ///
    /// # Errors
    /// A description that breaks a rule.
    pub fn said(&self) -> Result<SealedCopy, EncodingError> {
        let copy: SealedCopy = canonical::decode(&self.payload, KEEP_MESSAGE_BYTES_MAX)?;
        copy.check()?;
        Ok(copy)
    }

    /// The bytes to keep beside the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::encode(self)
    }

    /// Reads them.
    ///
    /// # Errors
    /// Anything but the canonical form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EncodingError> {
        canonical::decode(bytes, KEEP_MESSAGE_BYTES_MAX)
    }
}

/// What the owner of a copy asks of who keeps it; travels on `/ortsnetz/keep/1`, one question and one answer a stream.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum KeepAsk {
    /// What do you keep of us?
    #[n(0)]
    State,
    /// Take this copy, or go on with it.
    #[n(1)]
    Offer(#[n(0)] SignedCopy),
    /// The next piece of the copy offered last.
    #[n(2)]
    Put {
        /// Number of the copy.
        #[n(0)]
        number: u64,
        /// Number of the piece.
        #[n(1)]
        index: u64,
        /// The piece.
        #[cbor(n(2), with = "minicbor::bytes")]
        piece: Vec<u8>,
        /// Its way to the root.
        #[n(3)]
        path: Vec<Hash>,
    },
    /// Give a piece back.
    #[n(3)]
    Get {
        /// Number of the copy.
        #[n(0)]
        number: u64,
        /// Number of the piece.
        #[n(1)]
        index: u64,
    },
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum KeepRefusal {
    /// Nobody there agreed to keep anything of this organisation.
    #[n(0)]
    NotAgreed,
    /// More than was agreed.
    #[n(1)]
    Quota,
    /// The disk there has no room.
    #[n(2)]
    NoRoom,
    /// A newer copy is there.
    #[n(3)]
    Older,
    /// Not what root signed, or not what was asked for.
    #[n(4)]
    Wrong,
    /// Too much at once; again later.
    #[n(5)]
    Busy,
    /// It is not there, or damaged.
    #[n(6)]
    Lost,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum KeepAnswer {
    /// What was agreed, and what is there.
    #[n(0)]
    State {
        /// Bytes that all copies may take.
        #[n(0)]
        bytes_max: u64,
        /// Whole copies, newest first.
        #[n(1)]
        copies: Vec<SignedCopy>,
    },
    /// This piece is wanted next.
    #[n(1)]
    Want(#[n(0)] u64),
    /// The copy with this number is whole and was read back.
    #[n(2)]
    Kept(#[n(0)] u64),
    /// A piece.
    #[n(3)]
    Piece {
        /// The piece.
        #[cbor(n(0), with = "minicbor::bytes")]
        piece: Vec<u8>,
        /// Its way to the root.
        #[n(1)]
        path: Vec<Hash>,
    },
    /// No.
    #[n(4)]
    Refused {
        /// Why.
        #[n(0)]
        why: KeepRefusal,
        /// For people.
        #[n(1)]
        reason: String,
    },
}

fn check_piece(piece: &[u8], path: &[Hash]) -> Result<(), EncodingError> {
    rule(piece.len() <= SEALED_PIECE_BYTES && path.len() <= SEALED_PATH_MAX, || "a piece is too long".into())
}

impl KeepAsk {
    /// The bytes of one frame.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::encode(self)
    }

    /// Reads one frame of at most [`KEEP_MESSAGE_BYTES_MAX`].
    ///
    /// # Errors
    /// Anything but the canonical form, and everything above a limit.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EncodingError> {
        let ask: Self = canonical::decode(bytes, KEEP_MESSAGE_BYTES_MAX)?;
        if let Self::Put { piece, path, .. } = &ask {
            check_piece(piece, path)?;
        }
        Ok(ask)
    }
}

impl KeepAnswer {
    /// The bytes of one frame.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::encode(self)
    }

    /// Reads one frame of at most [`KEEP_MESSAGE_BYTES_MAX`].
    ///
    /// # Errors
    /// Anything but the canonical form, and everything above a limit.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EncodingError> {
        let answer: Self = canonical::decode(bytes, KEEP_MESSAGE_BYTES_MAX)?;
        match &answer {
            Self::State { copies, .. } => {
                rule(copies.len() <= SEALED_VERSIONS_MAX, || "more copies than anybody keeps".into())?;
            }
            Self::Piece { piece, path } => check_piece(piece, path)?,
            Self::Refused { reason, .. } => {
                rule(reason.len() <= KEEP_REASON_BYTES_MAX, || "the reason is too long".into())?;
            }
            Self::Want(_) | Self::Kept(_) => {}
        }
        Ok(answer)
    }

    /// A refusal with a reason of at most [`KEEP_REASON_BYTES_MAX`] bytes; a longer one is cut.
    pub fn refused(why: KeepRefusal, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        let end = (0..=reason.len().min(KEEP_REASON_BYTES_MAX)).rev().find(|end| reason.is_char_boundary(*end));
        reason.truncate(end.unwrap_or(0));
        Self::Refused { why, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn root() -> RootKey {
        RootKey::from_secret(&[1; 32])
    }

    /// A file of so many bytes, its tree and its description.
    fn copy(bytes: usize) -> (Vec<u8>, PieceTree, SealedCopy) {
        let file: Vec<u8> = (0..bytes).map(|at| (at / 7 % 251) as u8).collect();
        let tree = PieceTree::new(file.chunks(SEALED_PIECE_BYTES).map(piece_hash).collect());
        let copy = SealedCopy::new(OrgId([7; 32]), 5, bytes as u64, tree.root(), 5, 0);
        (file, tree, copy)
    }

    #[test]
    fn each_piece_leads_to_the_root_and_nothing_else_does() {
        for pieces in [1, 2, 3, 5, 8, 13] {
            let (file, tree, copy) = copy((pieces - 1) * SEALED_PIECE_BYTES + 3);
            assert_eq!((copy.pieces(), tree.pieces()), (pieces as u64, pieces as u64));
            for (index, piece) in file.chunks(SEALED_PIECE_BYTES).enumerate() {
                let index = index as u64;
                let path = tree.path(index).unwrap();
                assert!(path.len() <= SEALED_PATH_MAX && copy.has_piece(index, piece, &path));
                assert!(!copy.has_piece(index + 1, piece, &path));
                assert!(!copy.has_piece(index, &piece[1..], &path), "a byte less");
                let mut bent = piece.to_vec();
                bent[0] ^= 1;
                assert!(!copy.has_piece(index, &bent, &path));
                assert!(!copy.has_piece(index, piece, &[&path[..], &[Hash([0; 32])]].concat()), "a step more");
                if !path.is_empty() {
                    assert!(!copy.has_piece(index, piece, &path[1..]), "a step less");
                }
            }
            assert_eq!(tree.path(pieces as u64), None);
        }
    }

    #[test]
    fn only_root_says_what_a_sealed_copy_is() {
        let (_, _, copy) = copy(10);
        let signed = SignedCopy::sign(&copy, &root()).unwrap();
        assert_eq!(signed.verify(&root().public()).unwrap(), copy);
        assert_eq!(SignedCopy::from_bytes(&signed.to_bytes()).unwrap(), signed);
        assert!(signed.verify(&RootKey::from_secret(&[2; 32]).public()).is_err());
        let mut longer = signed.clone();
        longer.payload = canonical::encode(&SealedCopy { bytes: 11, ..copy });
        assert!(longer.verify(&root().public()).is_err());
    }

    #[test]
    fn the_key_of_the_copies_is_not_the_root_key_and_another_for_each() {
        let (one, other) = (sealing_secret(&root()), sealing_secret(&RootKey::from_secret(&[2; 32])));
        assert!(*one != *root().secret() && *one != *other && *one == *sealing_secret(&root()));
    }

    #[test]
    fn each_limit_holds_at_and_over() {
        let sized = |bytes| SealedCopy::new(OrgId([7; 32]), 5, bytes, Hash([1; 32]), 5, 5);
        let sign = |copy: &SealedCopy| SignedCopy::sign(copy, &root());
        assert!(sign(&sized(SEALED_BYTES_MAX)).is_ok() && sign(&sized(1)).is_ok());
        assert!(sign(&sized(SEALED_BYTES_MAX + 1)).is_err() && sign(&sized(0)).is_err());
        assert!(sign(&SealedCopy { oldest: 6, ..sized(1) }).is_err());
        let most = PieceTree::new(vec![Hash([1; 32]); sized(SEALED_BYTES_MAX).pieces() as usize]);
        assert_eq!(most.path(0).map(|path| path.len()), Some(SEALED_PATH_MAX));

        let put = |bytes: usize, steps: usize| {
            let (piece, path) = (vec![7; bytes], vec![Hash([1; 32]); steps]);
            let answer = KeepAnswer::Piece { piece: piece.clone(), path: path.clone() }.to_bytes();
            let ask = KeepAsk::Put { number: u64::MAX, index: u64::MAX, piece, path }.to_bytes();
            assert_eq!(KeepAsk::from_bytes(&ask).is_ok(), KeepAnswer::from_bytes(&answer).is_ok());
            (ask.len() <= KEEP_MESSAGE_BYTES_MAX, KeepAsk::from_bytes(&ask).is_ok())
        };
        assert_eq!(put(SEALED_PIECE_BYTES, SEALED_PATH_MAX), (true, true));
        assert!(!put(SEALED_PIECE_BYTES + 1, 0).1 && !put(0, SEALED_PATH_MAX + 1).1);
        let long = KeepAsk::Put { number: 1, index: 1, piece: vec![7; KEEP_MESSAGE_BYTES_MAX], path: Vec::new() };
        assert!(matches!(KeepAsk::from_bytes(&long.to_bytes()), Err(EncodingError::TooLong { .. })));

        let signed = sign(&sized(1)).unwrap();
        let state = |copies| KeepAnswer::State { bytes_max: 1, copies: vec![signed.clone(); copies] }.to_bytes();
        assert!(KeepAnswer::from_bytes(&state(SEALED_VERSIONS_MAX)).is_ok());
        assert!(KeepAnswer::from_bytes(&state(SEALED_VERSIONS_MAX + 1)).is_err());
        let said = KeepAnswer::refused(KeepRefusal::Busy, "ü".repeat(KEEP_REASON_BYTES_MAX));
        assert_eq!(KeepAnswer::from_bytes(&said.to_bytes()).unwrap(), said);
        let reason = "x".repeat(KEEP_REASON_BYTES_MAX + 1);
        let said = KeepAnswer::Refused { why: KeepRefusal::Busy, reason };
        assert!(KeepAnswer::from_bytes(&said.to_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(ask) = KeepAsk::from_bytes(&bytes) {
                prop_assert_eq!(ask.to_bytes(), bytes.clone());
            }
            if let Ok(answer) = KeepAnswer::from_bytes(&bytes) {
                prop_assert_eq!(answer.to_bytes(), bytes.clone());
            }
        }
    }
}
