//! Rows of any size on an engine of small rows. A value over [`ROW_BYTES_MAX`] lies in parts whose keys hold the hash of
//! the value, so that writing it twice is the same as once; the row itself then is a head that names the parts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ortsnetz_model::Hash;

use crate::engine::{Change, Engine, EngineError, ROW_BYTES_MAX, ROWS_PER_APPLY_MAX};
use crate::value::checksum;

/// Longest key of a row.
pub const KEY_BYTES_MAX: usize = 512;

/// First byte of the head of a value in parts; other values begin with their format, 1.
const HEAD: u8 = 255;

/// Prefix of the keys of parts. They lie before all rows: sled writes a page of up to 16 rows anew when any of them
/// changes often, so large rows must not lie where rows are added in order or written with every batch.
const PARTS: u8 = 1;

/// Between the parts and the rows; no row has this key.
const ROWS_BEGIN: &[u8] = &[PARTS + 1];

const HEAD_BYTES: usize = 1 + 8 + 4 + 4;

/// The rows, and which of them lie in parts.
pub(crate) struct Table {
    engine: Arc<dyn Engine>,
    in_parts: HashSet<Vec<u8>>,
}

/// Keys and values of some rows.
pub(crate) type Page = Vec<(Vec<u8>, Vec<u8>)>;

/// Why a row cannot be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    Engine(EngineError),
    /// Key and detail of a value in parts that is not whole.
    Damaged(Vec<u8>, String),
}

impl From<EngineError> for ReadError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl Table {
    /// Reads which rows lie in parts; no values.
    pub(crate) fn open(engine: Arc<dyn Engine>) -> Result<Self, EngineError> {
        let mut in_parts = HashSet::new();
        engine.scan(&[PARTS], None, &mut |key, _| {
            if let Some(base) = base_of_part(key)
                && !in_parts.contains(base)
            {
                in_parts.insert(base.to_vec());
            }
            true
        })?;
        Ok(Self { engine, in_parts })
    }

    /// The engine below.
    pub(crate) fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    /// The value of a row.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        match self.engine.get(key)? {
            Some(value) => self.whole(key, value).map(Some),
            None => Ok(None),
        }
    }

    /// Up to `limit` rows whose keys begin with `prefix`, from the first after `after` on; parts are not rows.
    pub(crate) fn page(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Page, ReadError> {
        let mut rows = self.unread_page(prefix, after, limit)?;
        for (key, value) in &mut rows {
            *value = self.whole(key, std::mem::take(value))?;
        }
        Ok(rows)
    }

    /// Like [`Table::page`], with values of which [`Table::whole`] makes what was written.
    pub(crate) fn unread_page(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Page, EngineError> {
        let mut rows = Vec::new();
        let after = after.or(prefix.is_empty().then_some(ROWS_BEGIN));
        self.engine.scan(prefix, after, &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            rows.len() < limit
        })?;
        Ok(rows)
    }

    /// The value of a row of [`Table::unread_page`].
    pub(crate) fn whole(&self, key: &[u8], value: Vec<u8>) -> Result<Vec<u8>, ReadError> {
        if value.first() != Some(&HEAD) {
            return Ok(value);
        }
        let damaged = |detail: &str| ReadError::Damaged(key.to_vec(), detail.to_owned());
        let head = Head::parse(key, &value).ok_or_else(|| damaged("wrong checksum of a value in parts"))?;
        let mut whole = Vec::with_capacity(head.bytes);
        for number in 0..head.parts() {
            let part = self.engine.get(&part_key(key, &head.hash, number))?;
            whole.extend(part.ok_or_else(|| damaged(&format!("part {number} is missing")))?);
        }
        if whole.len() != head.bytes || Hash::of(&whole).0[..8] != head.hash {
            return Err(damaged("its parts are not what was written"));
        }
        Ok(whole)
    }

    /// Adds what must be written to the engine for this change.
    fn expand(&self, key: &[u8], value: Option<&[u8]>, changes: &mut Vec<Change>) -> Result<(), EngineError> {
        let old = match self.in_parts.contains(key) {
            true => self.engine.get(key)?.and_then(|value| Head::parse(key, &value)),
            false => None,
        };
        let new = value.filter(|value| value.len() > ROW_BYTES_MAX).map(|value| {
            let hash: [u8; 8] = std::array::from_fn(|i| Hash::of(value).0[i]);
            Head { hash, bytes: value.len() }
        });
        if let Some(old) = old.filter(|old| new.as_ref().is_none_or(|new| new.hash != old.hash)) {
            changes.extend((0..old.parts()).map(|number| (part_key(key, &old.hash, number), None)));
        }
        match (&new, value) {
            (Some(head), Some(value)) => {
                let parts = value.chunks(ROW_BYTES_MAX).zip(0..);
                changes.extend(parts.map(|(part, number)| (part_key(key, &head.hash, number), Some(part.to_vec()))));
                changes.push((key.to_vec(), Some(head.encode(key))));
            }
            _ => changes.push((key.to_vec(), value.map(<[u8]>::to_vec))),
        }
        Ok(())
    }

    /// Writes changes of whole values as one or, if they are too many, several writes of the engine; `last` goes into the
    /// last one. Later changes of a key win. Only a single write is atomic: see [`Table::rows_needed`].
    pub(crate) fn apply(&mut self, changes: Vec<Change>, last: Option<Change>) -> Result<(), EngineError> {
        let newest: HashMap<&[u8], usize> = changes.iter().enumerate().map(|(i, (key, _))| (&key[..], i)).collect();
        let mut rows = Vec::with_capacity(changes.len() + 1);
        for (place, (key, value)) in changes.iter().enumerate() {
            if newest[&key[..]] == place {
                self.expand(key, value.as_deref(), &mut rows)?;
            }
        }
        rows.extend(last);
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            self.engine.apply(rows.by_ref().take(ROWS_PER_APPLY_MAX).collect())?;
        }
        for (key, value) in changes {
            if value.is_some_and(|value| value.len() > ROW_BYTES_MAX) {
                self.in_parts.insert(key);
            } else if !self.in_parts.is_empty() {
                self.in_parts.remove(&key);
            }
        }
        Ok(())
    }

    /// Rows of the engine that this change needs; if all of a batch need more than [`ROWS_PER_APPLY_MAX`], it is not
    /// atomic by itself. Deleting old parts counts as too many, so that they need not be read to be counted.
    pub(crate) fn rows_needed(&self, key: &[u8], value: Option<&[u8]>) -> usize {
        let old = if self.in_parts.contains(key) { ROWS_PER_APPLY_MAX } else { 0 };
        1 + old
            + value.filter(|value| value.len() > ROW_BYTES_MAX).map_or(0, |value| value.len().div_ceil(ROW_BYTES_MAX))
    }
}

struct Head {
    hash: [u8; 8],
    bytes: usize,
}

impl Head {
    fn parts(&self) -> u16 {
        self.bytes.div_ceil(ROW_BYTES_MAX) as u16
    }

    fn encode(&self, key: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES);
        bytes.push(HEAD);
        bytes.extend(self.hash);
        bytes.extend((self.bytes as u32).to_be_bytes());
        let sum = checksum(key, &bytes);
        bytes.extend(sum);
        bytes
    }

    fn parse(key: &[u8], bytes: &[u8]) -> Option<Self> {
        let (body, sum) = bytes.split_last_chunk::<4>()?;
        if bytes.len() != HEAD_BYTES || checksum(key, body) != *sum {
            return None;
        }
        Some(Self {
            hash: body[1..9].try_into().ok()?,
            bytes: u32::from_be_bytes(body[9..13].try_into().ok()?) as usize,
        })
    }
}

fn part_key(key: &[u8], hash: &[u8; 8], number: u16) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(key.len() + 11);
    bytes.push(PARTS);
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(hash);
    bytes.extend(number.to_be_bytes());
    bytes
}

fn base_of_part(key: &[u8]) -> Option<&[u8]> {
    key.get(1..key.len().checked_sub(10)?)
}
