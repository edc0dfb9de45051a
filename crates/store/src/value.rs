//! How a value lies on disk: format version, flags, number of the change, perhaps compressed, and a checksum over key and
//! all, so that a row in the wrong place is noticed too.

use std::borrow::Cow;

use crate::dictionary::Dictionaries;

/// First byte of a value. 255 is the head of a value in parts (see `table`).
const FORMAT: u8 = 1;
const FLAG_OWN: u8 = 1;
const CODEC_SHIFT: u8 = 1;
const CODEC_RAW: u8 = 0;
const CODEC_ZSTD: u8 = 1;

/// Longest value before compression, and of what a compressed one may inflate to.
pub const VALUE_BYTES_MAX: usize = 16 << 20;

/// Shorter values are not worth compressing.
const COMPRESS_BYTES_MIN: usize = 96;

/// A value ready to be sealed with its key and the number of its change.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    own: bool,
    codec: u8,
    dictionary: u16,
    raw_bytes: usize,
    payload: Vec<u8>,
}

/// What lies in front of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Whether the row is in the own log too.
    pub(crate) own: bool,
    /// Number of the change that wrote it.
    pub(crate) change: u64,
}

impl Prepared {
    /// Compresses the value where that helps.
    pub(crate) fn new(value: Vec<u8>, own: bool, compress: bool, dictionaries: &Dictionaries) -> Self {
        let raw_bytes = value.len();
        if compress && raw_bytes >= COMPRESS_BYTES_MIN {
            let (dictionary, packed) = dictionaries.compress(&value);
            if packed.len() + 8 < raw_bytes {
                return Self { own, codec: CODEC_ZSTD, dictionary, raw_bytes, payload: packed };
            }
        }
        Self { own, codec: CODEC_RAW, dictionary: 0, raw_bytes, payload: value }
    }

    /// The same value, compressed anew if its dictionary was retired since.
    pub(crate) fn current(&self, dictionaries: &Dictionaries) -> Cow<'_, Self> {
        if self.codec != CODEC_ZSTD || !dictionaries.is_retired(self.dictionary) {
            return Cow::Borrowed(self);
        }
        match dictionaries.decompress(self.dictionary, &self.payload, self.raw_bytes) {
            Ok(value) => Cow::Owned(Self::new(value, self.own, true, dictionaries)),
            // It was compressed a moment ago, so it inflates.
            Err(_) => Cow::Borrowed(self),
        }
    }

    /// A short value as it is.
    pub(crate) fn raw(value: Vec<u8>, own: bool) -> Self {
        Self { own, codec: CODEC_RAW, dictionary: 0, raw_bytes: value.len(), payload: value }
    }

    /// Bytes of the payload.
    pub(crate) fn len(&self) -> usize {
        self.payload.len()
    }

    /// The bytes to store.
    pub(crate) fn seal(&self, key: &[u8], change: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.payload.len() + 24);
        bytes.push(FORMAT);
        bytes.push((u8::from(self.own) * FLAG_OWN) | (self.codec << CODEC_SHIFT));
        put_varint(&mut bytes, change);
        if self.codec == CODEC_ZSTD {
            put_varint(&mut bytes, self.dictionary.into());
            put_varint(&mut bytes, self.raw_bytes as u64);
        }
        bytes.extend_from_slice(&self.payload);
        let sum = checksum(key, &bytes);
        bytes.extend_from_slice(&sum);
        bytes
    }
}

/// Checks the checksum and reads what lies in front of the payload. The error is the detail of a problem.
pub(crate) fn header(key: &[u8], bytes: &[u8]) -> Result<Header, String> {
    parse(key, bytes).map(|parsed| parsed.0)
}

/// The value as it was given.
pub(crate) fn open(key: &[u8], bytes: &[u8], dictionaries: &Dictionaries) -> Result<(Header, Vec<u8>), String> {
    let (header, codec, mut rest) = parse(key, bytes)?;
    if codec == CODEC_RAW {
        return Ok((header, rest.to_vec()));
    }
    let dictionary = varint(&mut rest).and_then(|id| u16::try_from(id).ok()).ok_or("damaged header")?;
    let raw_bytes = varint(&mut rest).ok_or("damaged header")? as usize;
    if raw_bytes > VALUE_BYTES_MAX {
        return Err(format!("claims to inflate to {raw_bytes} bytes"));
    }
    Ok((header, dictionaries.decompress(dictionary, rest, raw_bytes)?))
}

/// A sealed value without a retired dictionary; what needs no change comes back as it is.
pub(crate) fn current(key: &[u8], bytes: Vec<u8>, dictionaries: &Dictionaries) -> Result<Vec<u8>, String> {
    let (header, codec, mut rest) = parse(key, &bytes)?;
    let dictionary = if codec == CODEC_ZSTD { varint(&mut rest) } else { None };
    if !dictionary.and_then(|id| u16::try_from(id).ok()).is_some_and(|id| dictionaries.is_retired(id)) {
        return Ok(bytes);
    }
    let (_, value) = open(key, &bytes, dictionaries)?;
    Ok(Prepared::new(value, header.own, true, dictionaries).seal(key, header.change))
}

fn parse<'a>(key: &[u8], bytes: &'a [u8]) -> Result<(Header, u8, &'a [u8]), String> {
    let (body, sum) = bytes.split_last_chunk::<4>().ok_or("too short")?;
    if checksum(key, body) != *sum {
        return Err("wrong checksum".to_owned());
    }
    let [format, flags, rest @ ..] = body else { return Err("too short".to_owned()) };
    if *format != FORMAT {
        return Err(format!("value format {format} is unknown"));
    }
    let mut rest = rest;
    let change = varint(&mut rest).ok_or("damaged header")?;
    let codec = flags >> CODEC_SHIFT;
    if codec > CODEC_ZSTD {
        return Err(format!("compression {codec} is unknown"));
    }
    Ok((Header { own: flags & FLAG_OWN != 0, change }, codec, rest))
}

pub(crate) fn checksum(key: &[u8], bytes: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(bytes);
    hasher.finalize().to_be_bytes()
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
