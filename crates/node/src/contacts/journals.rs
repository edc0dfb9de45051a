//! Which journals are here, ours and the partners', and what they hold.
//!
//! Each journal entry holds batches of one chain. A row beside it says which, so that a month is read without the others,
//! and so that a gap in a chain is seen without reading it.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64;
use minicbor::{Decode, Encode};
use ortsnetz_model::{CollectionId, EntryId, FeedId, NodeId, OrgId};
use ortsnetz_service::journal::{self, Chains, Cut, Month, Placed, Record, Stream};
use ortsnetz_store::{Key, Range, Side};
use ortsnetz_trust::keys::{Domain, Signature};
use ortsnetz_trust::{NodeKey, PublicKey, Signer as _};
use serde::Deserialize;

use crate::error::NodeError;
use crate::rows;
use crate::shared::Shared;
use crate::working::{BILATERAL, INTERNAL};

/// Table of journals: key is collection and entry.
pub(crate) const JOURNALS: &str = "journals";
/// How the projection of a journal begins, in canonical form.
const BEGINNING: &[u8] = br#"{"kind":"journal","#;
/// What a node signs a batch as.
const DOMAIN: Domain = Domain("journal");
/// Rows read at once.
const ROWS: usize = 256;
/// Most months that one journal can speak of.
const MONTHS_MAX: usize = 100;

/// What is known of a journal without reading it.
#[derive(Clone, Debug, Encode, Decode)]
pub(crate) struct JournalRow {
    #[n(0)]
    feed: FeedId,
    #[n(1)]
    stream: String,
    #[n(2)]
    chain: String,
    /// The months its records are about.
    #[n(3)]
    months: Vec<String>,
    #[n(4)]
    batches: Vec<Link>,
}

/// Where a batch stands in its chain.
#[derive(Clone, Debug, Encode, Decode)]
struct Link {
    #[n(0)]
    number: u32,
    #[n(1)]
    hash: String,
    #[n(2)]
    previous: Option<String>,
}

impl JournalRow {
    fn months(&self) -> impl Iterator<Item = Month> {
        self.months.iter().filter_map(|month| month.parse().ok())
    }

    /// Whether any of its records is about one of these months.
    pub fn is_about(&self, months: &BTreeSet<Month>) -> bool {
        self.months().any(|month| months.contains(&month))
    }

    fn last(&self) -> u32 {
        self.batches.iter().map(|link| link.number).max().unwrap_or_default()
    }
}

/// The fields of a journal, as far as they are needed here.
#[derive(Deserialize)]
struct Shape {
    #[serde(default)]
    stream: String,
    #[serde(default)]
    chain: String,
    #[serde(default)]
    months: Vec<String>,
    #[serde(default)]
    batches: BTreeMap<String, String>,
}

/// Adds the row of a journal to the batch that stores its projection; of any other kind nothing.
pub(crate) fn put(batch: &mut ortsnetz_store::Batch, feed: &FeedId, id: &EntryId, json: &[u8]) {
    if !json.starts_with(BEGINNING) {
        return;
    }
    let Ok(shape) = serde_json::from_slice::<Shape>(json) else { return };
    let link = |sealed: &String| {
        let text = sealed.split_once('\n')?.1;
        let batch = journal::Batch::read(text).filter(|batch| batch.chain == shape.chain)?;
        Some(Link { number: batch.number, hash: journal::Batch::hash(text), previous: batch.previous })
    };
    let row = JournalRow {
        feed: *feed,
        stream: shape.stream.clone(),
        chain: shape.chain.clone(),
        months: shape.months.iter().take(MONTHS_MAX).cloned().collect(),
        batches: shape.batches.values().filter_map(link).collect(),
    };
    batch.put(key(&feed.collection, Some(id)), rows::encode(&row));
}

/// Deletes the row of an entry that may be a journal.
pub(crate) fn forget(batch: &mut ortsnetz_store::Batch, feed: &FeedId, id: &EntryId) {
    batch.delete(key(&feed.collection, Some(id)));
}

fn key(collection: &CollectionId, id: Option<&EntryId>) -> Key {
    let id = id.map_or(&[][..], |id| &id.0);
    Key::Custom { table: JOURNALS.into(), key: [collection.0.as_slice(), id].concat() }
}

/// A batch with its signature, as it lies in a journal: node, signature, and the text on the next line.
pub(super) fn seal(key: &NodeKey, node: &NodeId, text: &str) -> String {
    format!("{node} {}\n{text}", BASE64.encode(&key.sign(DOMAIN, text.as_bytes()).0))
}

/// The batch in what lies in a journal of this writer, if one of its nodes signed it.
fn open(shared: &Shared, writer: &OrgId, sealed: &str) -> Option<journal::Batch> {
    let (head, text) = sealed.split_once('\n')?;
    let (node, signature) = head.split_once(' ')?;
    let node: NodeId = node.parse().ok()?;
    let roles = shared.identity_of(writer)?.last_certificate(&node).map(|certificate| certificate.roles)?;
    let bytes: [u8; 64] = BASE64.decode(signature.as_bytes()).ok()?.try_into().ok()?;
    let signed =
        (roles.edit || roles.admin) && PublicKey::from(node).verify(DOMAIN, text.as_bytes(), &Signature(bytes));
    let batch = signed.then(|| journal::Batch::read(text)).flatten()?;
    (batch.from == writer.to_string()).then_some(batch)
}

/// The journal that one organisation keeps for another; for itself it is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Book {
    /// Who writes.
    pub writer: OrgId,
    /// Who reads.
    pub reader: OrgId,
}

impl Book {
    /// Name of the collection it lies in.
    pub fn collection_name(&self) -> String {
        if self.writer == self.reader { INTERNAL.to_owned() } else { format!("{BILATERAL}{}", self.reader) }
    }

    fn collection(&self) -> CollectionId {
        CollectionId::named(&self.writer, &self.collection_name())
    }
}

/// The rows of the journals of a stream in a book, by entry.
pub(super) fn rows_of(shared: &Shared, book: &Book, stream: Stream) -> Result<Vec<(EntryId, JournalRow)>, NodeError> {
    let collection = book.collection();
    let mut after = key(&collection, None);
    let mut found = Vec::new();
    loop {
        let page = shared.store.scan(&Range::Custom(JOURNALS.into()), Some(&after), ROWS)?;
        let more = page.len() == ROWS;
        for (key, value) in page {
            let Key::Custom { key: bytes, .. } = &key else { continue };
            let Some(id) = bytes.strip_prefix(collection.0.as_slice()).and_then(EntryId::from_slice) else {
                return Ok(found);
            };
            let row: JournalRow = rows::decode("the row of a journal", &value)?;
            if row.stream == stream.word() && row.feed.organisation == book.writer {
                found.push((id, row));
            }
            after = key;
        }
        if !more {
            return Ok(found);
        }
    }
}

/// How far the chains of a stream are whole.
pub(super) fn chains(rows: &[(EntryId, JournalRow)]) -> Chains {
    let links = rows.iter().flat_map(|(_, row)| {
        row.batches.iter().map(|link| (row.chain.as_str(), link.number, link.hash.as_str(), link.previous.as_deref()))
    });
    Chains::of(links)
}

/// Records with the places they have.
#[derive(Debug, Default)]
pub(super) struct Page {
    records: Vec<(String, u32, Record)>,
    /// Batches that no node of the writer signed.
    pub unsigned: usize,
}

impl Page {
    /// The records in any order, each once for each time it was written.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().map(|(_, _, record)| record)
    }

    /// The same without their places.
    pub fn into_records(self) -> Vec<Record> {
        self.records.into_iter().map(|(_, _, record)| record).collect()
    }

    /// The records with their places.
    pub fn placed(&self) -> Vec<Placed<'_>> {
        self.records.iter().map(|(chain, number, record)| Placed { chain, number: *number, record }).collect()
    }
}

/// The records of these journals.
pub(super) fn read<'a>(
    shared: &Shared,
    book: &Book,
    rows: impl IntoIterator<Item = &'a (EntryId, JournalRow)>,
) -> Result<Page, NodeError> {
    let mut page = Page::default();
    for (id, row) in rows {
        let Some(projection) = rows::projection(&shared.store, Side::Published, &row.feed.collection, id)? else {
            continue;
        };
        let Ok(shape) = serde_json::from_slice::<Shape>(&projection.json) else { continue };
        for sealed in shape.batches.values() {
            let Some(batch) = open(shared, &book.writer, sealed) else {
                page.unsigned += 1;
                continue;
            };
            if batch.to != book.reader.to_string() || batch.stream.word() != row.stream || batch.chain != row.chain {
                page.unsigned += 1;
                continue;
            }
            let records = batch.records.iter().filter_map(Record::read);
            page.records.extend(records.map(|record| (batch.chain.clone(), batch.number, record)));
        }
    }
    Ok(page)
}

/// The records of a stream that are about any of these months.
pub(super) fn of_months(
    shared: &Shared,
    book: &Book,
    stream: Stream,
    months: &BTreeSet<Month>,
) -> Result<Page, NodeError> {
    let rows = rows_of(shared, book, stream)?;
    read(shared, book, rows.iter().filter(|(_, row)| row.is_about(months)))
}

/// All records of a stream.
pub(super) fn all(shared: &Shared, book: &Book, stream: Stream) -> Result<Page, NodeError> {
    read(shared, book, &rows_of(shared, book, stream)?)
}

/// The months that any record of a stream is about.
pub(super) fn months(rows: &[(EntryId, JournalRow)]) -> BTreeSet<Month> {
    rows.iter().flat_map(|(_, row)| row.months()).collect()
}

/// Journals that a statement may still have to count: of its month or earlier ones, and not counted whole by those closed.
pub(super) fn unsettled<'a>(
    rows: &'a [(EntryId, JournalRow)],
    month: Month,
    closed: &'a [(Month, Cut)],
) -> impl Iterator<Item = &'a (EntryId, JournalRow)> {
    rows.iter().filter(move |(_, row)| {
        row.months()
            .filter(|about| *about <= month)
            .any(|about| !closed.iter().any(|(until, cut)| about <= *until && cut.covers(&row.chain, row.last())))
    })
}

/// The part of a cut that a statement after these must name: chains that something later than the last closed month is in,
/// or that went on.
pub(super) fn needed(rows: &[(EntryId, JournalRow)], whole: &Cut, closed: &[(Month, Cut)]) -> Cut {
    let Some((until, before)) = closed.last() else { return whole.clone() };
    let later: BTreeSet<&str> = rows
        .iter()
        .filter(|(_, row)| row.months().any(|month| month > *until) || !before.covers(&row.chain, row.last()))
        .map(|(_, row)| row.chain.as_str())
        .collect();
    Cut(whole.0.iter().filter(|(chain, _)| later.contains(chain.as_str())).map(|(c, n)| (c.clone(), *n)).collect())
}
