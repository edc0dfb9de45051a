//! What the tests of the store share: ids by number, and real automerge chunks made by hand.
#![allow(dead_code, reason = "each test binary uses a part")]

use ortsnetz_model::{CollectionId, DocumentId, EntryId, FeedId, Hash, OrgId, Position};
use ortsnetz_store::{Batch, Options, Origin, Side, Store};
use sha2::{Digest, Sha256};

/// Small tests must run on any machine, also a full one.
pub fn options() -> Options {
    Options { disk_free_min: 1 << 20, ..Options::default() }
}

pub fn open(directory: &std::path::Path) -> Store {
    Store::open(directory, options()).unwrap().0
}

pub fn organisation(n: u8) -> OrgId {
    OrgId([n; 32])
}

pub fn feed(n: u8) -> FeedId {
    FeedId { organisation: organisation(n), collection: CollectionId::named(&organisation(n), "public") }
}

pub fn entry(n: u32) -> EntryId {
    let digest = Sha256::digest(n.to_be_bytes());
    EntryId(std::array::from_fn(|i| digest[i]))
}

pub fn document(feed: FeedId, n: u32) -> DocumentId {
    DocumentId { collection: feed.collection, entry: entry(n), generation: 1 }
}

pub fn position(sequence: u64) -> Position {
    Position { term: 1, epoch: 1_700_000_000_000, sequence }
}

/// A chunk with the outer form of an automerge change.
pub fn chunk(depends: &[Hash], body: &[u8]) -> Vec<u8> {
    let mut data = vec![depends.len() as u8];
    data.extend(depends.iter().flat_map(|hash| hash.0));
    data.extend(body);
    let mut hashed = vec![1];
    let mut length = data.len();
    while length >= 0x80 {
        hashed.push(length as u8 | 0x80);
        length >>= 7;
    }
    hashed.push(length as u8);
    hashed.extend(data);
    let hash = Hash::of(&hashed);
    [&[0x85, 0x6f, 0x4a, 0x83][..], &hash.0[..4], &hashed].concat()
}

pub fn chunk_hash(chunk: &[u8]) -> Hash {
    Hash::of(&chunk[8..])
}

pub fn projection(n: u32) -> Vec<u8> {
    let text = format!("Leistung {n}: Bitte wenden Sie sich an die Gemeinde {}. ", n * 7919);
    format!(
        r#"{{"id":"{}","kind":"service","title":{{"de":"Leistung {n}"}},"texts":{{"summary":{{"de":"{}"}}}}}}"#,
        entry(n),
        text.repeat(8)
    )
    .into_bytes()
}

/// An entry as a partner sends it: record, document, projection.
pub fn put_entry(batch: &mut Batch, feed: FeedId, n: u32, sequence: u64) {
    let chunk = chunk(&[], &projection(n));
    batch.put_record(feed, entry(n), position(sequence), 1, true, &chunk_hash(&chunk).0);
    batch.replace_chunks(Side::Published, document(feed, n), vec![chunk]);
    batch.put_projection(Side::Published, feed.collection, entry(n), projection(n));
}

pub fn batch_of(origin: Origin, feed: FeedId, numbers: std::ops::Range<u32>) -> Batch {
    let mut batch = Batch::new(origin);
    for n in numbers {
        put_entry(&mut batch, feed, n, n.into());
    }
    batch
}

/// Bytes that do not compress.
pub fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 32);
    let mut block = Sha256::digest(seed.to_be_bytes());
    while bytes.len() < length {
        bytes.extend_from_slice(&block);
        block = Sha256::digest(block);
    }
    bytes.truncate(length);
    bytes
}

/// Says by name that this test could not run. Written past the capture of test output: `scripts/test.sh` counts it.
pub fn skipped(test: &str, needs: &str) {
    use std::io::Write as _;
    let line = format!("SKIPPED {test}: {needs}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Asserts that nothing is wrong.
pub fn assert_clean(store: &Store) {
    let problems = store.check(ortsnetz_store::Check::Full, Some(&Facts)).unwrap();
    assert!(problems.is_empty(), "{problems:#?}");
}

/// The records of these tests are just the hash of their document.
pub struct Facts;

impl ortsnetz_store::Verifier for Facts {
    fn record(&self, record: &ortsnetz_store::Record) -> Result<ortsnetz_store::RecordFacts, String> {
        if record.bytes == b"forged" {
            return Err("wrong signature".to_owned());
        }
        Ok(ortsnetz_store::RecordFacts { heads: Hash::from_slice(&record.bytes).into_iter().collect() })
    }
}
