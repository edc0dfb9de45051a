//! Looks for damage. Others write on meanwhile, so what seems wrong is read once more, as of one moment, before it is
//! reported.

use std::collections::HashSet;

use ortsnetz_model::{CollectionId, DocumentId, EntryId, Hash};

use crate::chunk;
use crate::error::StoreError;
use crate::key::{Key, Range, Side};
use crate::shared::{PAGE_ROWS, describe};
use crate::store::Store;
use crate::table::ReadError;
use crate::types::{Check, Document, Problem, Record, Verifier};
use crate::value;

impl Store {
    /// Looks for damage; changes nothing and works beside writers. Damage of the database file itself ends the check and
    /// stops the store: it is rebuilt when it is opened again.
    pub fn check(&self, check: Check, verifier: Option<&dyn Verifier>) -> Result<Vec<Problem>, StoreError> {
        let mut checker = Checker {
            store: self,
            full: check == Check::Full,
            verifier,
            fixed: verifier.map(|verifier| verifier.fixed_changes()),
            problems: Vec::new(),
        };
        let checked = checker.rows().and_then(|()| checker.entries());
        let checked = checked.and_then(|()| match checker.full {
            true => self.check_log(&mut checker.problems),
            false => self.scan_log().map(|damaged| checker.problems.extend(damaged)),
        });
        match checked {
            Ok(()) => {}
            Err(StoreError::Failed(detail)) => {
                checker.problems.push(Problem { what: "database".to_owned(), detail });
            }
            // A damaged row that stands in the way was reported with the rows.
            Err(StoreError::Damaged { .. }) if !checker.problems.is_empty() => {}
            Err(error) => return Err(error),
        }
        Ok(checker.problems)
    }
}

struct Checker<'a> {
    store: &'a Store,
    full: bool,
    verifier: Option<&'a dyn Verifier>,
    /// Hashes of the fixed changes, if anybody knows them.
    fixed: Option<Vec<Hash>>,
    problems: Vec<Problem>,
}

/// Stands for (collection, entry); 8 bytes each, so that millions fit into memory.
fn mark(collection: &CollectionId, entry: &EntryId) -> u64 {
    let first = |bytes: &[u8; 16]| u64::from_be_bytes(std::array::from_fn(|i| bytes[i]));
    first(&collection.0).rotate_left(1) ^ first(&entry.0)
}

impl Checker<'_> {
    fn problem(&mut self, key: &[u8], detail: impl Into<String>) {
        self.problems.push(Problem { what: describe(key), detail: detail.into() });
    }

    /// Every row by itself.
    fn rows(&mut self) -> Result<(), StoreError> {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let store = self.store;
            let mut damaged = Vec::new();
            let page = store.shared().read(|table| {
                let mut page = table.unread_page(&[], after.as_deref(), PAGE_ROWS)?;
                for (key, bytes) in &mut page {
                    match table.whole(key, std::mem::take(bytes)) {
                        Ok(whole) => *bytes = whole,
                        Err(ReadError::Damaged(key, detail)) => damaged.push((key, detail)),
                        Err(error) => return Err(error),
                    }
                }
                Ok(page)
            })?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            for (key, bytes) in &page {
                if bytes.is_empty() {
                    continue; // Among the damaged.
                }
                if let Err(detail) = self.row(key, bytes) {
                    self.problem(key, detail);
                }
            }
            for (key, detail) in damaged {
                self.problem(&key, detail);
            }
        }
    }

    fn row(&self, key: &[u8], bytes: &[u8]) -> Result<(), String> {
        value::header(key, bytes)?;
        if !self.full {
            return Ok(());
        }
        let (_, value) = value::open(key, bytes, &self.store.shared().dictionaries)?;
        match (Key::decode(key), self.verifier) {
            (Some(Key::Statement { organisation, number }), Some(verifier)) => {
                verifier.statement(&organisation, number, &value)
            }
            (Some(Key::Chunks { .. }), _) => {
                let chunks = crate::prepare::unpack(&value).ok_or("its chunks are cut short")?;
                chunks.iter().enumerate().try_for_each(|(place, bytes)| match chunk::parse(bytes) {
                    Ok(_) => Ok(()),
                    Err(detail) => Err(format!("chunk {place}: {detail}")),
                })
            }
            _ => Ok(()),
        }
    }

    /// Records, documents and projections beside each other.
    fn entries(&mut self) -> Result<(), StoreError> {
        let store = self.store;
        let mut with_document = HashSet::new();
        let mut records = Vec::new();
        let mut after = None;
        loop {
            let page = store.shared().read(|table| {
                let rows = table.unread_page(&Range::AllRecords.prefix(), after.as_deref(), PAGE_ROWS)?;
                Ok(rows)
            })?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            // Damaged ones were reported with the rows.
            records.extend(page.iter().filter_map(|(key, bytes)| store.shared().parse_record(key, bytes).ok()));
            for record in records.drain(..) {
                if record.document {
                    with_document.insert(mark(&record.feed.collection, &record.entry));
                }
                if let Some(first) = self.entry(&record)?
                    && let Some(again) = store.record(&record.feed, &record.entry)?
                    && let Some(detail) = if again == record { Some(first) } else { self.entry(&again)? }
                {
                    self.problem(&Key::Record { feed: record.feed, entry: record.entry }.encode(), detail);
                }
            }
        }
        self.orphans(&Range::AllProjections(Side::Published).prefix(), &with_document, true)?;
        // The owner keeps the history of what was withdrawn: publishing it again continues there.
        self.orphans(&Range::Documents(Side::Published).prefix(), &with_document, false)?;
        if self.full && self.fixed.is_some() {
            self.working_documents()?;
        }
        Ok(())
    }

    /// What is wrong with a record or what must lie beside it.
    fn entry(&self, record: &Record) -> Result<Option<String>, StoreError> {
        let store = self.store;
        let (collection, entry) = (record.feed.collection, record.entry);
        let projection = Key::Projection { side: Side::Published, collection, entry }.encode();
        let document = DocumentId { collection, entry, generation: record.generation };
        let prefix = Range::Document(Side::Published, document).prefix();
        let (has_projection, rows) = store.shared().read(|table| {
            let has_projection = table.engine().get(&projection)?.is_some();
            let limit = if self.full { usize::MAX } else { 1 };
            Ok((has_projection, table.unread_page(&prefix, None, limit)?))
        })?;
        let facts = match self.verifier.filter(|_| self.full).map(|verifier| verifier.record(record)) {
            Some(Err(detail)) => return Ok(Some(detail)),
            Some(Ok(facts)) => Some(facts),
            None => None,
        };
        if !record.document {
            let detail = "it has no document, but there is a projection";
            return Ok(has_projection.then(|| detail.to_owned()));
        }
        if rows.is_empty() {
            return Ok(Some("its document is missing".to_owned()));
        }
        if !has_projection {
            return Ok(Some("its projection is missing".to_owned()));
        }
        let (Some(facts), Some(fixed)) = (facts, &self.fixed) else { return Ok(None) };
        let Ok(document) = store.document(Side::Published, &document) else {
            return Ok(None); // Reported with the rows.
        };
        Ok(match heads(&document, fixed) {
            Err(detail) => Some(detail),
            Ok(found) if found != facts.heads.iter().copied().collect() => {
                Some(format!("its heads are {:?}, but its document has {found:?}", facts.heads))
            }
            Ok(_) => None,
        })
    }

    /// Projections and documents without a record; `live` asks for a record that has a document.
    fn orphans(&mut self, prefix: &[u8], with_document: &HashSet<u64>, live: bool) -> Result<(), StoreError> {
        let store = self.store;
        let mut candidates = Vec::new();
        store.shared().distinct(prefix, 32, &mut |bytes| {
            let ids = (CollectionId::from_slice(&bytes[..16]), EntryId::from_slice(&bytes[16..]));
            if let (Some(collection), Some(entry)) = ids
                && !with_document.contains(&mark(&collection, &entry))
            {
                candidates.push((collection, entry));
            }
        })?;
        if candidates.is_empty() {
            return Ok(());
        }
        let feeds = store.feeds()?;
        for (collection, entry) in candidates {
            let mut found = false;
            for feed in feeds.iter().filter(|feed| feed.collection == collection) {
                found |= store.record(feed, &entry)?.is_some_and(|record| record.document || !live);
            }
            let there = [prefix, &collection.0, &entry.0].concat();
            let there = store.shared().read(|table| Ok(table.unread_page(&there, None, 1)?))?;
            if let (false, Some((key, _))) = (found, there.first()) {
                self.problem(key, "there is no record for it");
            }
        }
        Ok(())
    }

    fn working_documents(&mut self) -> Result<(), StoreError> {
        let store = self.store;
        let mut documents = Vec::new();
        store.shared().distinct(&Range::Documents(Side::Working).prefix(), 36, &mut |bytes| {
            let [collection, entry] = [&bytes[..16], &bytes[16..32]].map(|part| part.try_into().unwrap_or_default());
            let generation = bytes[32..].try_into().map(u32::from_be_bytes).unwrap_or_default();
            documents.push(DocumentId { collection: CollectionId(collection), entry: EntryId(entry), generation });
        })?;
        for id in documents {
            if let Ok(document) = store.document(Side::Working, &id)
                && let (Some(fixed), false) = (&self.fixed, document.chunks.is_empty())
                && let Err(detail) = heads(&document, fixed)
            {
                self.problem(&Key::Chunks { side: Side::Working, document: id, number: 0 }.encode(), detail);
            }
        }
        Ok(())
    }
}

fn heads(document: &Document, fixed: &[Hash]) -> Result<std::collections::BTreeSet<Hash>, String> {
    let changes = document.chunks.iter().map(|bytes| chunk::parse(bytes)).collect::<Result<Vec<_>, _>>()?;
    chunk::heads(&changes, fixed)
}
