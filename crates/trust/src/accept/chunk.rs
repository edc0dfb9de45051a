//! Reads a raw change chunk far enough to know its hash, what it builds on, and where its columns lie. Own code: it
//! runs on bytes nobody has vouched for. The format is described at
//! <https://automerge.org/automerge-binary-format-spec/>.

use ortsnetz_model::{Chunk, Hash};

use super::{Refusal, within};
use crate::limits::{CHUNK_BYTES_MAX, CHUNK_DEPS_MAX};

const MAGIC: &[u8] = &[0x85, 0x6f, 0x4a, 0x83];
const CHECKSUM_BYTES: usize = 4;
const CHANGE: u8 = 1;
/// Other actors a change may refer to: one per process that ever wrote in the document.
const ACTORS_MAX: u64 = 4096;
/// Longest actor id in bytes; ours have 12 or 16.
const ACTOR_BYTES_MAX: u64 = 64;
/// automerge knows about a dozen columns; later versions may add some.
const COLUMNS_MAX: u64 = 32;

/// What a chunk says before its columns are decoded.
pub(super) struct ChunkHead<'a> {
    /// SHA-256 over type, length and content, as automerge computes it.
    pub hash: Hash,
    /// What it builds on.
    pub dependencies: Vec<Hash>,
    /// Specification and content of each column.
    pub columns: Vec<(u64, &'a [u8])>,
    bytes: &'a [u8],
}

impl<'a> ChunkHead<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        within("bytes in a change", bytes.len() as u64, CHUNK_BYTES_MAX as u64)?;
        let rest = bytes.strip_prefix(MAGIC).ok_or(Refusal::NotAChange("it does not begin like one"))?;
        let (checksum, hashed) = rest.split_at_checked(CHECKSUM_BYTES).ok_or(CUT)?;
        let mut reader = Reader(hashed);
        match reader.byte()? {
            CHANGE => {}
            0 => return Err(Refusal::NotAChange("a whole document")),
            2 => return Err(Refusal::NotAChange("compressed")),
            _ => return Err(Refusal::NotAChange("an unknown type")),
        }
        let length = reader.unsigned()?;
        if length != reader.0.len() as u64 {
            return Err(Refusal::NotAChange("its length is not that of its content"));
        }
        let hash = Hash::of(hashed);
        if checksum != &hash.0[..CHECKSUM_BYTES] {
            return Err(Refusal::Checksum);
        }
        let count = reader.unsigned()?;
        within("dependencies of a change", count, CHUNK_DEPS_MAX as u64)?;
        let mut dependencies = Vec::new();
        for _ in 0..count {
            dependencies.push(Hash::from_slice(reader.take(32)?).ok_or(CUT)?);
        }
        reader.actor()?;
        reader.unsigned()?; // sequence
        reader.unsigned()?; // first operation
        reader.signed()?; // time
        let message = reader.unsigned()?;
        reader.take(message)?;
        let actors = reader.unsigned()?;
        within("actors in a change", actors, ACTORS_MAX)?;
        for _ in 0..actors {
            reader.actor()?;
        }
        let columns = reader.columns()?;
        if !reader.0.is_empty() {
            return Err(Refusal::NotAChange("something follows its columns"));
        }
        Ok(Self { hash, dependencies, columns, bytes })
    }

    pub fn to_chunk(&self) -> Chunk {
        Chunk::from_bytes(self.bytes.to_vec())
    }
}

const CUT: Refusal = Refusal::NotAChange("it ends too early");

/// The rest of the bytes. Every step checks that there are enough.
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn byte(&mut self) -> Result<u8, Refusal> {
        let (first, rest) = self.0.split_first().ok_or(CUT)?;
        self.0 = rest;
        Ok(*first)
    }

    pub fn take(&mut self, count: u64) -> Result<&'a [u8], Refusal> {
        let count = usize::try_from(count).map_err(|_| CUT)?;
        let (taken, rest) = self.0.split_at_checked(count).ok_or(CUT)?;
        self.0 = rest;
        Ok(taken)
    }

    /// An unsigned LEB128 number in its shortest form.
    pub fn unsigned(&mut self) -> Result<u64, Refusal> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                let shortest = byte != 0 || shift == 0;
                return if shortest { Ok(value) } else { Err(Refusal::NotAChange("a number is padded")) };
            }
        }
        Err(Refusal::NotAChange("a number is too large"))
    }

    /// A signed LEB128 number.
    pub fn signed(&mut self) -> Result<i64, Refusal> {
        let mut value = 0i64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = i64::from(byte & 0x7f);
            if shift == 63 && bits != 0 && bits != 0x7f {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                let negative = byte & 0x40 != 0;
                return Ok(if negative && shift + 7 < 64 { value | (-1 << (shift + 7)) } else { value });
            }
        }
        Err(Refusal::NotAChange("a number is too large"))
    }

    fn actor(&mut self) -> Result<(), Refusal> {
        let length = self.unsigned()?;
        within("bytes in an actor id", length, ACTOR_BYTES_MAX)?;
        self.take(length).map(drop)
    }

    fn columns(&mut self) -> Result<Vec<(u64, &'a [u8])>, Refusal> {
        let count = self.unsigned()?;
        within("columns in a change", count, COLUMNS_MAX)?;
        let mut heads = Vec::new();
        for _ in 0..count {
            heads.push((self.unsigned()?, self.unsigned()?));
        }
        heads.into_iter().map(|(specification, length)| Ok((specification, self.take(length)?))).collect()
    }
}
