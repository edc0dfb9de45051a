//! The whole store as one file: frames of rows, packed, each with its checksum, and an end that counts them. Values are
//! written as they were given, so that the file does not depend on local dictionaries.

use std::fs;
use std::path::Path;
use std::sync::PoisonError;

use sha2::{Digest, Sha256};

use crate::copy::Sink;
use crate::directory::remove_if_there;
use crate::error::StoreError;
use crate::frame::{self, Row};
use crate::key::Key;
use crate::log::{self, FRAME_BYTES_MAX, HEADER_BYTES, Log};
use crate::prepare::{PreparedBatch, PreparedOperation};
use crate::shared::{IMPORTING_FILE, check_disk, describe};
use crate::state::is_internal;
use crate::store::{Store, wait};
use crate::types::Options;
use crate::value::{self, Prepared};

/// Rows are packed together until they have this many bytes.
const GROUP_BYTES: usize = 1 << 20;

const LEVEL: i32 = 3;

/// First byte of the last frame, and of all others.
const END: u8 = 0;
const ROWS: u8 = 1;

impl Store {
    /// Writes the whole store, as of one moment, into a new file; others write on meanwhile. Returns the number of rows
    /// in it.
    pub fn export(&self, file: &Path) -> Result<u64, StoreError> {
        self.export_as(file, None).map(|exported| exported.rows)
    }

    /// The same with the rows alone that no other node can give back ([`Origin::Own`](crate::Origin::Own)). Rows that
    /// `passing` picks are in the file and not in the digest.
    pub fn export_own(&self, file: &Path, passing: &dyn Fn(&Key) -> bool) -> Result<OwnExport, StoreError> {
        self.export_as(file, Some(passing))
    }

    fn export_as(&self, file: &Path, own: Option<&dyn Fn(&Key) -> bool>) -> Result<OwnExport, StoreError> {
        let _alone = self.shared().maintenance.lock().unwrap_or_else(PoisonError::into_inner);
        if file.exists() {
            return Err(refused(file, "exists already"));
        }
        let new = file.with_extension("part");
        let written = self.export_into(&new, own).and_then(|(exported, mut log)| log.rename(file).map(|()| exported));
        if written.is_err() {
            remove_if_there(&new)?;
        }
        written
    }

    /// Reads an exported file whole; returns the number of rows in it.
    pub fn check_export(file: &Path) -> Result<u64, StoreError> {
        verify(file).map(|(rows, _)| rows)
    }

    /// An error if the disk of the store has not so many bytes free beyond what is always left free.
    pub fn check_room(&self, bytes: u64) -> Result<(), StoreError> {
        self.shared().check_disk(bytes)
    }

    fn export_into(&self, file: &Path, own: Option<&dyn Fn(&Key) -> bool>) -> Result<(OwnExport, Log), StoreError> {
        let (log, sums, digest) = (Log::create(file)?, Sha256::new(), Sha256::new());
        let mut exporter = Exporter { store: self, own, log, rows: Vec::new(), bytes: 0, count: 0, sums, digest };
        let pause = self.copy(&mut exporter)?;
        let change = pause.change;
        drop(pause);
        exporter.write()?;
        let Exporter { mut log, count, sums, digest, .. } = exporter;
        let sums: [u8; 32] = sums.finalize().into();
        log.append(&[&[END][..], &count.to_be_bytes(), &change.to_be_bytes(), &sums].concat())?;
        log.sync()?;
        Ok((OwnExport { rows: count, digest: digest.finalize().into() }, log))
    }

    /// Makes a store with a new id from an exported file, in a directory that is empty or missing. Returns the number of
    /// rows read. The file is checked whole before anything is written.
    pub fn import(file: &Path, directory: &Path, options: Options) -> Result<u64, StoreError> {
        if fs::read_dir(directory).is_ok_and(|mut items| items.next().is_some()) {
            return Err(refused(directory, "is not empty; import into a new directory"));
        }
        let (count, bytes) = verify(file)?;
        fs::create_dir_all(directory).map_err(|e| StoreError::io(directory, &e))?;
        check_disk(directory, options.disk_free_min.saturating_add(2 * bytes))?;
        let (store, _) = Store::open(directory, options)?;
        let marker = directory.join(IMPORTING_FILE);
        fs::write(&marker, "").map_err(|e| StoreError::io(&marker, &e))?;
        log::sync_parent(&marker)?;
        let mut failed = Ok(());
        log::scan(file, HEADER_BYTES, Some(0), &mut |_, _, payload| {
            if failed.is_ok() {
                failed = unpack(payload).and_then(|rows| store.import_rows(rows.unwrap_or_default()));
            }
        })?;
        failed?;
        store.close()?;
        remove_if_there(&marker)?;
        log::sync_parent(&marker)?;
        Ok(count)
    }

    fn import_rows(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        let mut batch = PreparedBatch::default();
        for Row { own, key, value } in rows {
            match value {
                Some(value) => {
                    let value = Prepared::new(value, own, key[0] != b'r', &self.shared().dictionaries);
                    batch.put(key, value, own);
                }
                None => batch.operations.push(PreparedOperation::Delete { key, own: true }),
            }
        }
        wait(|done| self.enqueue(batch, done)).map(|_| ())
    }
}

/// What an export holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnExport {
    /// How many rows.
    pub rows: u64,
    /// Over keys and values: the same as long as nothing was changed.
    pub digest: [u8; 32],
}

struct Exporter<'a> {
    store: &'a Store,
    /// Only own rows, and which of these are not in the digest.
    own: Option<&'a dyn Fn(&Key) -> bool>,
    log: Log,
    rows: Vec<Row>,
    bytes: usize,
    count: u64,
    sums: Sha256,
    digest: Sha256,
}

impl Sink for Exporter<'_> {
    fn take(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) -> Result<(), StoreError> {
        if is_internal(&key) {
            return Ok(());
        }
        let opened = value.map(|value| value::open(&key, &value, &self.store.shared().dictionaries)).transpose();
        let opened = opened.map_err(|detail| StoreError::damaged(describe(&key), detail))?;
        let (own, value) = opened.map_or((true, None), |(header, value)| (header.own, Some(value)));
        if let Some(passing) = self.own {
            if !own {
                return Ok(());
            }
            if !Key::decode(&key).is_some_and(|key| passing(&key)) {
                let bytes = value.as_deref().unwrap_or_default();
                for part in [&key[..], bytes] {
                    self.digest.update((part.len() as u64).to_be_bytes());
                    self.digest.update(part);
                }
            }
        }
        self.bytes += key.len() + value.as_ref().map_or(0, Vec::len);
        self.rows.push(Row { own, key, value });
        if self.bytes >= GROUP_BYTES { self.write() } else { Ok(()) }
    }
}

impl Exporter<'_> {
    fn write(&mut self) -> Result<(), StoreError> {
        let payload = frame::encode(0, &self.rows);
        self.sums.update(&payload);
        self.count += self.rows.len() as u64;
        let packed = zstd::bulk::compress(&payload, LEVEL).map_err(|e| StoreError::io("packing", &e))?;
        self.log.append(&[&[ROWS][..], &packed].concat())?;
        (self.rows, self.bytes) = (Vec::new(), 0);
        Ok(())
    }
}

/// Reads all of a file; returns its number of rows and their bytes.
fn verify(file: &Path) -> Result<(u64, u64), StoreError> {
    let damaged = |detail: &str| StoreError::damaged(file.display().to_string(), detail);
    if log::read_header(file)?.is_none() {
        return Err(damaged("missing or empty"));
    }
    let (mut count, mut bytes, mut sums) = (0u64, 0u64, Sha256::new());
    let (mut end, mut failed) = (None, Ok(()));
    let scan = log::scan(file, HEADER_BYTES, Some(0), &mut |_, _, payload| match unpacked_bytes(payload) {
        Ok(Some(raw)) => {
            let rows = frame::decode(&raw).map_or(0, |(_, rows)| rows.len());
            (count, bytes) = (count + rows as u64, bytes + raw.len() as u64);
            sums.update(&raw);
        }
        Ok(None) => end = Some(payload.to_vec()),
        Err(error) => failed = Err(error),
    })?;
    if let Some((at, to, detail)) = scan.damaged.first() {
        return Err(damaged(&format!("bytes {at} to {to}: {detail}")));
    }
    failed?;
    let end = end.filter(|_| scan.torn_bytes == 0).ok_or_else(|| damaged("cut short"))?;
    let sums: [u8; 32] = sums.finalize().into();
    if end.get(1..9) != Some(&count.to_be_bytes()[..]) || end.get(17..) != Some(&sums[..]) {
        return Err(damaged("does not hold what its end says"));
    }
    Ok((count, bytes))
}

fn unpack(payload: &[u8]) -> Result<Option<Vec<Row>>, StoreError> {
    let Some(raw) = unpacked_bytes(payload)? else { return Ok(None) };
    let (_, rows) = frame::decode(&raw).ok_or_else(|| StoreError::damaged("export", "a frame that is no batch"))?;
    Ok(Some(rows))
}

/// The rows of a frame as bytes; `None` for the end.
fn unpacked_bytes(payload: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    match payload.split_first() {
        Some((&ROWS, packed)) => {
            let raw = zstd::bulk::decompress(packed, FRAME_BYTES_MAX);
            raw.map(Some).map_err(|e| StoreError::damaged("export", e.to_string()))
        }
        Some((&END, _)) => Ok(None),
        _ => Err(StoreError::damaged("export", "an unknown frame")),
    }
}

fn refused(path: &Path, message: &str) -> StoreError {
    StoreError::Refused { path: path.to_owned(), message: message.to_owned() }
}
