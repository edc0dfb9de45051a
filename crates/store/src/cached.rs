//! What a caller computed from all records of a feed, kept in a file beside the database as long as no record of the feed
//! changes: a start then reads one file instead of every record.
//!
//! A row for each feed says which change touched a record of it last. It is written together with the records, so a file that
//! names the same change of the same database is about the records as they are.

use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use ortsnetz_model::FeedId;

use crate::engine::Change;
use crate::error::StoreError;
use crate::key::{feed_bytes, feed_of_record};
use crate::prepare::{PreparedBatch, PreparedOperation};
use crate::shared::check_disk;
use crate::state;
use crate::store::{Store, wait, write};

/// Name of the directory beside the database.
pub(crate) const CACHED_DIR: &str = "cached";
/// First bytes of a file: what it is and how it is written.
const MAGIC: &[u8; 16] = b"ortsnetz cached1";
/// Magic, id of the database, change, length and checksum of what follows.
const HEADER_BYTES: usize = 16 + 16 + 8 + 8 + 4;
/// Of what a file may inflate to.
pub const CACHED_BYTES_MAX: usize = 64 << 20;
/// Quick, and hashes do not get smaller with more.
const ZSTD_LEVEL: i32 = 1;
const TOUCHED_PREFIX: &[u8] = b"!feed";

/// Rows that say of each feed with a record among `keys` that this change touched it.
pub(crate) fn touched<'a>(keys: impl Iterator<Item = &'a [u8]>, change: u64) -> Vec<Change> {
    let mut feeds: Vec<&[u8]> = keys.filter_map(feed_of_record).collect();
    feeds.sort_unstable();
    feeds.dedup();
    feeds.into_iter().map(|feed| state::numbered_row(&touched_key(feed), change)).collect()
}

fn touched_key(feed: &[u8]) -> Vec<u8> {
    [TOUCHED_PREFIX, feed].concat()
}

impl Store {
    /// Number of the change that touched a record of this feed last; `None` if that is not known.
    pub fn touched(&self, feed: &FeedId) -> Result<Option<u64>, StoreError> {
        let key = touched_key(&feed_bytes(feed));
        match self.shared().read(|table| table.get(&key))? {
            Some(bytes) => Ok(Some(self.shared().open(&key, &bytes)?.0.change)),
            None => Ok(None),
        }
    }

    /// What [`Store::cache`] kept for this feed, if no record of it changed since. A damaged file is an error, once: it is
    /// removed.
    pub fn cached(&self, feed: &FeedId) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(path) = self.cached_path(feed) else { return Ok(None) };
        let Some(touched) = self.touched(feed)? else { return Ok(None) };
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io(path, &error)),
        };
        match open(&bytes, &self.shared().id, touched) {
            Ok(content) => Ok(content),
            Err(detail) => {
                let _ = fs::remove_file(&path);
                Err(StoreError::damaged(path.display().to_string(), detail))
            }
        }
    }

    /// Whether [`Store::cached`] would have something for this feed, as far as the first bytes of the file say.
    pub fn is_cached(&self, feed: &FeedId) -> Result<bool, StoreError> {
        let Some(touched) = self.touched(feed)? else { return Ok(false) };
        let Some(mut file) = self.cached_path(feed).and_then(|path| fs::File::open(path).ok()) else {
            return Ok(false);
        };
        let mut header = [0; HEADER_BYTES];
        let read = file.read_exact(&mut header).is_ok();
        Ok(read && header[16..32] == self.shared().id && header[32..40] == touched.to_be_bytes())
    }

    /// Keeps `content` for this feed, which the caller computed from its records as of `touched`. Refuses more than
    /// [`CACHED_BYTES_MAX`], and when the disk is nearly full. Not durable: after a power cut it may be gone.
    pub fn cache(&self, feed: &FeedId, touched: u64, content: &[u8]) -> Result<(), StoreError> {
        let (Some(path), Some(directory)) = (self.cached_path(feed), &self.shared().directory) else { return Ok(()) };
        if content.len() > CACHED_BYTES_MAX {
            return Err(StoreError::TooLarge {
                what: "a cached value".to_owned(),
                found: content.len(),
                limit: CACHED_BYTES_MAX,
            });
        }
        let io = |error: std::io::Error| StoreError::io(&path, &error);
        let packed = zstd::bulk::compress(content, ZSTD_LEVEL).map_err(io)?;
        check_disk(directory, self.shared().options.disk_free_min + packed.len() as u64)?;
        fs::create_dir_all(directory.join(CACHED_DIR)).map_err(io)?;
        let new = path.with_extension("new");
        let written = fs::File::create(&new).and_then(|mut file| {
            let length = (content.len() as u64).to_be_bytes();
            let change = touched.to_be_bytes();
            let sum = checksum(&[&self.shared().id, &change, &length, &packed]).to_be_bytes();
            [&MAGIC[..], &self.shared().id, &change, &length, &sum, &packed]
                .iter()
                .try_for_each(|part| file.write_all(part))
        });
        written.and_then(|()| fs::rename(&new, &path)).map_err(io)
    }

    /// Removes the files of feeds that have no records any more, and the rows that say when these were touched.
    pub fn forget_cached(&self) -> Result<(), StoreError> {
        let feeds = self.feeds()?;
        let known: HashSet<Vec<u8>> = feeds.iter().map(feed_bytes).collect();
        let mut batch = PreparedBatch::default();
        self.shared().visit(TOUCHED_PREFIX, &mut |key, _, _| {
            if !known.contains(&key[TOUCHED_PREFIX.len()..]) {
                batch.operations.push(PreparedOperation::Delete { key: key.to_vec(), own: false });
            }
            true
        })?;
        if !batch.operations.is_empty() {
            wait(|done| write(&self.inner.jobs, batch, done))?;
        }
        let Some(directory) = self.shared().directory.as_ref().map(|directory| directory.join(CACHED_DIR)) else {
            return Ok(());
        };
        let kept: HashSet<_> = feeds.iter().filter_map(|feed| self.cached_path(feed)).collect();
        for file in fs::read_dir(&directory).into_iter().flatten().flatten() {
            if !kept.contains(&file.path()) {
                fs::remove_file(file.path()).map_err(|error| StoreError::io(file.path(), &error))?;
            }
        }
        Ok(())
    }

    fn cached_path(&self, feed: &FeedId) -> Option<PathBuf> {
        let name: String = feed_bytes(feed).iter().map(|byte| format!("{byte:02x}")).collect();
        Some(self.shared().directory.as_ref()?.join(CACHED_DIR).join(name))
    }
}

/// Removes all files: they tell which entries there were.
pub(crate) fn remove_all(directory: &Path) -> Result<(), StoreError> {
    let path = directory.join(CACHED_DIR);
    match fs::remove_dir_all(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::io(path, &error)),
        _ => Ok(()),
    }
}

fn checksum(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

/// The content of a file; `None` if it is about other records than those of now.
fn open(bytes: &[u8], id: &[u8; 16], touched: u64) -> Result<Option<Vec<u8>>, String> {
    let (header, packed) = bytes.split_at_checked(HEADER_BYTES).ok_or("it is too short")?;
    let (magic, rest) = header.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err("it does not begin as it should".to_owned());
    }
    let (tag, sum) = rest.split_at(rest.len() - 4);
    if sum != checksum(&[tag, packed]).to_be_bytes() {
        return Err("the checksum does not match".to_owned());
    }
    if tag[..16] != id[..] || tag[16..24] != touched.to_be_bytes() {
        return Ok(None);
    }
    let length = u64::from_be_bytes(tag[24..32].try_into().expect("eight bytes")) as usize;
    if length > CACHED_BYTES_MAX {
        return Err(format!("{length} bytes, at most {CACHED_BYTES_MAX} are possible"));
    }
    zstd::bulk::decompress(packed, length).map(Some).map_err(|error| error.to_string())
}
