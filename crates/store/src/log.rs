//! An append-only file of checksummed frames: the own log, and the redo file.
//!
//! A write that a crash cut short leaves a torn tail, which nobody was told about; it is cut when the file is opened
//! again. A damaged frame with an undamaged one after it is not a torn tail: it is reported with its place.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::StoreError;
use crate::key::Parts;

/// Format of the store, in the header of its log and in the database.
pub(crate) const STORE_FORMAT: u32 = 1;

/// Longest payload of a frame.
pub(crate) const FRAME_BYTES_MAX: usize = 128 << 20;

pub(crate) const HEADER_BYTES: u64 = 32;
const FRAME_HEADER_BYTES: usize = 24;
const MAGIC: &[u8; 8] = b"ortslog\n";
const FRAME_MAGIC: &[u8; 4] = b"\xffFRM";

/// An open file that frames are added to.
pub(crate) struct Log {
    file: File,
    path: PathBuf,
    id: [u8; 16],
    end: u64,
    next_number: u64,
    syncs: u64,
}

/// What reading a log found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    /// End of the last undamaged frame.
    pub(crate) end: u64,
    /// Number the next frame gets.
    pub(crate) next_number: u64,
    /// Bytes after `end`.
    pub(crate) torn_bytes: u64,
    /// Damaged places: from, to (byte offsets), and what is wrong.
    pub(crate) damaged: Vec<(u64, u64, String)>,
}

/// Reads the header: the id of the log. `None` if there is no file, or a crash came before its header was complete.
pub(crate) fn read_header(path: &Path) -> Result<Option<[u8; 16]>, StoreError> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(HEADER_BYTES).read_to_end(&mut bytes).map_err(|e| StoreError::io(path, &e))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io(path, &error)),
    };
    if bytes.len() < HEADER_BYTES as usize {
        return Ok(None);
    }
    let (body, sum) = bytes.split_at(28);
    let mut parts = Parts(body);
    let (magic, format, id) = (parts.take::<8>(), parts.number(), parts.take::<16>());
    let (Some(magic), Some(format), Some(id)) = (magic, format, id) else { return Ok(None) };
    if magic != *MAGIC || crc32fast::hash(body).to_be_bytes() != *sum {
        return Err(StoreError::damaged(path.display().to_string(), "bytes 0 to 32: wrong checksum of the header"));
    }
    if format > STORE_FORMAT {
        return Err(StoreError::Newer { path: path.to_owned(), found: format, known: STORE_FORMAT });
    }
    Ok(Some(id))
}

/// Reads the frames from `from` (a frame's beginning) on. `visit` gets where a frame begins and ends, and its payload.
/// `number` is what the first frame must be numbered, if known.
pub(crate) fn scan(
    path: &Path,
    from: u64,
    mut number: Option<u64>,
    visit: &mut dyn FnMut(u64, u64, &[u8]),
) -> Result<Scan, StoreError> {
    let io = |e: std::io::Error| StoreError::io(path, &e);
    let file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut scan = Scan { end: from.min(length), ..Scan::default() };
    let mut at = from.min(length);
    let mut payload = Vec::new();
    while at < length {
        match read_frame(&mut reader, at, length, &mut payload).map_err(io)? {
            Ok(found) => {
                if number.is_some_and(|expected| expected != found) {
                    let expected = number.unwrap_or_default();
                    scan.damaged.push((at, at, format!("frame {found} follows where frame {expected} should be")));
                }
                let end = at + (FRAME_HEADER_BYTES + payload.len()) as u64;
                visit(at, end, &payload);
                number = Some(found + 1);
                at = end;
                scan.end = end;
            }
            Err(detail) => match next_frame(&mut reader, at + 1, length).map_err(io)? {
                Some(next) => {
                    scan.damaged.push((at, next, detail));
                    number = None;
                    at = next;
                }
                None => break,
            },
        }
    }
    scan.torn_bytes = length - scan.end;
    scan.next_number = number.unwrap_or(0);
    Ok(scan)
}

impl Log {
    /// Writes a new empty log; an existing file is replaced.
    pub(crate) fn create(path: &Path) -> Result<Self, StoreError> {
        let io = |e: std::io::Error| StoreError::io(path, &e);
        let id: [u8; 16] = rand::random();
        let mut header = MAGIC.to_vec();
        header.extend(STORE_FORMAT.to_be_bytes());
        header.extend(id);
        header.extend(crc32fast::hash(&header).to_be_bytes());
        let mut options = File::options();
        options.create(true).truncate(true).read(true).write(true);
        // It holds keys, and an export lies outside the protected directory.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(io)?;
        file.write_all(&header).and_then(|()| file.sync_all()).map_err(io)?;
        sync_parent(path)?;
        Ok(Self { file, path: path.to_owned(), id, end: HEADER_BYTES, next_number: 0, syncs: 0 })
    }

    /// Opens a log that was scanned, and cuts its torn tail.
    pub(crate) fn open(path: &Path, id: [u8; 16], scan: &Scan) -> Result<Self, StoreError> {
        let io = |e: std::io::Error| StoreError::io(path, &e);
        let mut file = File::options().read(true).write(true).open(path).map_err(io)?;
        if scan.torn_bytes > 0 {
            file.set_len(scan.end).and_then(|()| file.sync_all()).map_err(io)?;
        }
        file.seek(SeekFrom::Start(scan.end)).map_err(io)?;
        Ok(Self { file, path: path.to_owned(), id, end: scan.end, next_number: scan.next_number, syncs: 0 })
    }

    /// Random id of the file.
    pub(crate) fn id(&self) -> [u8; 16] {
        self.id
    }

    /// Where the next frame begins.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Number of the next frame.
    pub(crate) fn next_number(&self) -> u64 {
        self.next_number
    }

    /// How often it was synced.
    pub(crate) fn syncs(&self) -> u64 {
        self.syncs
    }

    /// Adds a frame; returns where it ends. Not durable before [`Log::sync`].
    pub(crate) fn append(&mut self, payload: &[u8]) -> Result<u64, StoreError> {
        if payload.len() > FRAME_BYTES_MAX {
            let what = "a batch for the log".to_owned();
            return Err(StoreError::TooLarge { what, found: payload.len(), limit: FRAME_BYTES_MAX });
        }
        let mut frame = Vec::with_capacity(FRAME_HEADER_BYTES + payload.len());
        frame.extend(FRAME_MAGIC);
        frame.extend((payload.len() as u32).to_be_bytes());
        frame.extend(self.next_number.to_be_bytes());
        frame.extend(crc32fast::hash(payload).to_be_bytes());
        frame.extend(crc32fast::hash(&frame).to_be_bytes());
        frame.extend(payload);
        self.file.write_all(&frame).map_err(|e| StoreError::io(&self.path, &e))?;
        self.next_number += 1;
        self.end += frame.len() as u64;
        Ok(self.end)
    }

    /// Makes all frames durable.
    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(|e| StoreError::io(&self.path, &e))?;
        self.syncs += 1;
        Ok(())
    }

    /// Removes all frames.
    pub(crate) fn clear(&mut self) -> Result<(), StoreError> {
        let io = |e: std::io::Error| StoreError::io(&self.path, &e);
        self.file.set_len(HEADER_BYTES).map_err(io)?;
        self.file.seek(SeekFrom::Start(HEADER_BYTES)).map_err(io)?;
        self.end = HEADER_BYTES;
        Ok(())
    }

    /// Moves the file over another one, durably.
    pub(crate) fn rename(&mut self, to: &Path) -> Result<(), StoreError> {
        std::fs::rename(&self.path, to).map_err(|e| StoreError::io(to, &e))?;
        self.path = to.to_owned();
        sync_parent(to)
    }
}

/// Makes the names in the directory of this file durable.
pub(crate) fn sync_parent(path: &Path) -> Result<(), StoreError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    File::open(parent).and_then(|directory| directory.sync_all()).map_err(|e| StoreError::io(parent, &e))
}

/// Reads the frame at `at` into `payload`; returns its number, or what is wrong with it.
fn read_frame(
    reader: &mut BufReader<File>,
    at: u64,
    length: u64,
    payload: &mut Vec<u8>,
) -> std::io::Result<Result<u64, String>> {
    if length - at < FRAME_HEADER_BYTES as u64 {
        return Ok(Err("the header of a frame is cut short".to_owned()));
    }
    let here = reader.stream_position()?;
    reader.seek_relative(at as i64 - here as i64)?;
    let mut header = [0; FRAME_HEADER_BYTES];
    reader.read_exact(&mut header)?;
    let Some((bytes, number, sum)) = parse_header(&header) else {
        return Ok(Err("wrong checksum of the header of a frame".to_owned()));
    };
    if length - at - (FRAME_HEADER_BYTES as u64) < bytes as u64 {
        return Ok(Err(format!("frame {number} is cut short")));
    }
    payload.resize(bytes, 0);
    reader.read_exact(payload)?;
    if crc32fast::hash(payload) != sum {
        return Ok(Err(format!("wrong checksum of frame {number}")));
    }
    Ok(Ok(number))
}

fn parse_header(header: &[u8; FRAME_HEADER_BYTES]) -> Option<(usize, u64, u32)> {
    let mut parts = Parts(header);
    let magic = parts.take::<4>()?;
    let (bytes, number, sum) = (parts.number()? as usize, parts.long()?, parts.number()?);
    let header_sum = parts.number()?;
    let whole = magic == *FRAME_MAGIC && crc32fast::hash(&header[..20]) == header_sum && bytes <= FRAME_BYTES_MAX;
    whole.then_some((bytes, number, sum))
}

/// Where the next undamaged frame begins. Only called on damage, so it may read all that is left.
fn next_frame(reader: &mut BufReader<File>, from: u64, length: u64) -> std::io::Result<Option<u64>> {
    reader.seek(SeekFrom::Start(from.min(length)))?;
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest)?;
    let mut at = 0;
    while let Some(found) = rest[at..].windows(4).position(|window| window == FRAME_MAGIC) {
        at += found;
        if let Some(header) = rest[at..].first_chunk()
            && let Some((bytes, _, sum)) = parse_header(header)
            && let Some(payload) = rest.get(at + FRAME_HEADER_BYTES..at + FRAME_HEADER_BYTES + bytes)
            && crc32fast::hash(payload) == sum
        {
            return Ok(Some(from + at as u64));
        }
        at += 1;
    }
    Ok(None)
}
