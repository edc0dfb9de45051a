//! Typed reads.

use ortsnetz_model::{CollectionId, DocumentId, EntryId, FeedId, OrgId, Position};

use crate::error::StoreError;
use crate::key::{Key, Parts, Range, Side};
use crate::prepare::unpack;
use crate::shared::{PAGE_ROWS, Shared, describe};
use crate::state::is_internal;
use crate::store::Store;
use crate::table::Page;
use crate::types::{Document, Record};

impl Store {
    /// The value of a row. For [`Key::Record`] and [`Key::Chunks`] use [`Store::record`] and [`Store::document`].
    pub fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        let key = key.encode();
        match self.shared().read(|table| table.get(&key))? {
            Some(bytes) => Ok(Some(self.shared().open(&key, &bytes)?.1)),
            None => Ok(None),
        }
    }

    /// Up to `limit` rows of a range in the order of their keys, from the first after `after` on.
    pub fn scan(&self, range: &Range, after: Option<&Key>, limit: usize) -> Result<Vec<(Key, Vec<u8>)>, StoreError> {
        let after = after.map(Key::encode);
        let mut rows = Vec::new();
        if limit == 0 {
            return Ok(rows);
        }
        let page = self.shared().read(|table| table.page(&range.prefix(), after.as_deref(), limit))?;
        for (key, bytes) in page {
            let value = self.shared().open(&key, &bytes)?.1;
            rows.push((decoded(&key)?, value));
        }
        Ok(rows)
    }

    /// Visits every row, with the bytes of its key and its value as it was given, until `visit` returns false. For a look
    /// at everything that lies here; this crate's own rows are left out.
    pub fn each_row(&self, visit: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), StoreError> {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = self.shared().read(|table| table.page(&[], after.as_deref(), PAGE_ROWS))?;
            let more = page.len() == PAGE_ROWS;
            after = page.last().map(|(key, _)| key.to_vec());
            for (key, bytes) in page.into_iter().filter(|(key, _)| !is_internal(key)) {
                if !visit(&key, &self.shared().open(&key, &bytes)?.1) {
                    return Ok(());
                }
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// A setting or other single value by name.
    pub fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(&Key::Meta(name.to_owned()))
    }

    /// The chain of an organisation in order.
    pub fn statements(&self, organisation: &OrgId) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut chain = Vec::new();
        self.shared().visit(&Range::Statements(*organisation).prefix(), &mut |_, _, value| {
            chain.push(value);
            true
        })?;
        Ok(chain)
    }

    /// All organisations that have statements, sorted.
    pub fn organisations(&self) -> Result<Vec<OrgId>, StoreError> {
        let mut found = Vec::new();
        let prefix = Range::AllStatements.prefix();
        self.shared().distinct(&prefix, 32, &mut |id| found.extend(OrgId::from_slice(id)))?;
        Ok(found)
    }

    /// All feeds that have records, markers or a cursor, sorted.
    pub fn feeds(&self) -> Result<Vec<FeedId>, StoreError> {
        let mut found = Vec::new();
        for range in [Range::AllRecords, Range::AllMarkers, Range::Cursors] {
            self.shared().distinct(&range.prefix(), 48, &mut |bytes| {
                let parts = (OrgId::from_slice(&bytes[..32]), CollectionId::from_slice(&bytes[32..]));
                if let (Some(organisation), Some(collection)) = parts {
                    found.push(FeedId { organisation, collection });
                }
            })?;
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// The newest record of an entry in a feed.
    pub fn record(&self, feed: &FeedId, entry: &EntryId) -> Result<Option<Record>, StoreError> {
        let key = Key::Record { feed: *feed, entry: *entry }.encode();
        match self.shared().read(|table| table.get(&key))? {
            Some(bytes) => self.shared().parse_record(&key, &bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Visits the records of a feed by entry, or of all feeds; `visit` returns false to stop. Documents are not read.
    pub fn records(&self, feed: Option<&FeedId>, visit: &mut dyn FnMut(Record) -> bool) -> Result<(), StoreError> {
        let prefix = feed.map_or(Range::AllRecords, |feed| Range::Records(*feed)).prefix();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = self.shared().read(|table| table.page(&prefix, after.as_deref(), PAGE_ROWS))?;
            for (key, bytes) in &page {
                if !visit(self.shared().parse_record(key, bytes)?) {
                    return Ok(());
                }
            }
            match page.into_iter().next_back() {
                Some((key, _)) => after = Some(key),
                None => return Ok(()),
            }
        }
    }

    /// Visits (feed, entry, number of the change) of every record written after a change, withdrawals included, by feed
    /// and entry: what a search index that stopped there must read again.
    pub fn changed_since(
        &self,
        change: u64,
        visit: &mut dyn FnMut(FeedId, EntryId, u64) -> bool,
    ) -> Result<(), StoreError> {
        if change >= self.change() {
            return Ok(());
        }
        let mut go_on = true;
        for feed in self.feeds()? {
            // Most feeds of many have not changed, and need not be read to know that.
            if go_on && self.touched(&feed)?.is_none_or(|touched| touched > change) {
                self.records(Some(&feed), &mut |record| {
                    go_on = record.change <= change || visit(record.feed, record.entry, record.change);
                    go_on
                })?;
            }
        }
        Ok(())
    }

    /// Records without an entry of a feed, by position.
    pub fn markers(&self, feed: &FeedId) -> Result<Vec<(Position, Vec<u8>)>, StoreError> {
        let mut markers = Vec::new();
        self.shared().visit(&Range::Markers(*feed).prefix(), &mut |key, _, value| {
            if let Some(Key::Marker { position, .. }) = Key::decode(key) {
                markers.push((position, value));
            }
            true
        })?;
        Ok(markers)
    }

    /// The cursor of a feed.
    pub fn cursor(&self, feed: &FeedId) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(&Key::Cursor(*feed))
    }

    /// A document, as of one moment; empty if there is none.
    pub fn document(&self, side: Side, document: &DocumentId) -> Result<Document, StoreError> {
        let prefix = Range::Document(side, *document).prefix();
        let rows = self.shared().read(|table| table.page(&prefix, None, usize::MAX))?;
        self.shared().parse_document(rows)
    }

    /// A record and its published document, as of one moment. The document is empty if the record has none.
    pub fn record_with_document(
        &self,
        feed: &FeedId,
        entry: &EntryId,
    ) -> Result<Option<(Record, Document)>, StoreError> {
        let key = Key::Record { feed: *feed, entry: *entry }.encode();
        let prefix = Range::EntryDocuments(Side::Published, feed.collection, *entry).prefix();
        let found = self.shared().read(|table| match table.get(&key)? {
            Some(record) => Ok(Some((record, table.page(&prefix, None, usize::MAX)?))),
            None => Ok(None),
        })?;
        let Some((record, mut rows)) = found else { return Ok(None) };
        let record = self.shared().parse_record(&key, &record)?;
        let id = DocumentId { collection: feed.collection, entry: *entry, generation: record.generation };
        let prefix = Range::Document(Side::Published, id).prefix();
        rows.retain(|(key, _)| key.starts_with(&prefix));
        Ok(Some((record, self.shared().parse_document(rows)?)))
    }

    /// The generations of an entry in a collection that have a document, lowest first.
    pub fn generations(&self, side: Side, collection: &CollectionId, entry: &EntryId) -> Result<Vec<u32>, StoreError> {
        let mut found = Vec::new();
        let prefix = Range::EntryDocuments(side, *collection, *entry).prefix();
        self.shared().distinct(&prefix, 4, &mut |bytes| found.extend(bytes.try_into().map(u32::from_be_bytes)))?;
        Ok(found)
    }

    /// The projection of an entry in a collection.
    pub fn projection(
        &self,
        side: Side,
        collection: &CollectionId,
        entry: &EntryId,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(&Key::Projection { side, collection: *collection, entry: *entry })
    }

    /// Visits the projections of a collection by entry, or of all collections; `visit` gets collection, entry, number
    /// of the change that wrote it and JSON bytes, and returns false to stop.
    pub fn projections(
        &self,
        side: Side,
        collection: Option<&CollectionId>,
        visit: &mut dyn FnMut(CollectionId, EntryId, u64, Vec<u8>) -> bool,
    ) -> Result<(), StoreError> {
        let range = collection.map_or(Range::AllProjections(side), |collection| Range::Projections(side, *collection));
        self.shared().visit(&range.prefix(), &mut |key, header, value| match Key::decode(key) {
            Some(Key::Projection { collection, entry, .. }) => visit(collection, entry, header.change, value),
            _ => true,
        })
    }
}

impl Store {
    /// Visits every row there is, those the store keeps for itself included, with the bytes of its key and the value as
    /// it was given: for whoever must know everything that lies here. `visit` returns false to stop.
    pub fn everything(&self, visit: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), StoreError> {
        self.shared().visit(&[], &mut |key, _, value| visit(key, &value))
    }
}

impl Shared {
    /// Visits the distinct values of the `length` bytes that follow the prefix, skipping from one to the next.
    pub(crate) fn distinct(
        &self,
        prefix: &[u8],
        length: usize,
        visit: &mut dyn FnMut(&[u8]),
    ) -> Result<(), StoreError> {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let mut found: Option<Vec<u8>> = None;
            self.read(|table| {
                let scanned = table.engine().scan(prefix, after.as_deref(), &mut |key, _| {
                    found = key.get(..prefix.len() + length).map(<[u8]>::to_vec);
                    false
                });
                scanned.map_err(Into::into)
            })?;
            let Some(mut found) = found else { return Ok(()) };
            visit(&found[prefix.len()..]);
            // Longer than any key that begins with it.
            found.resize(found.len() + crate::table::KEY_BYTES_MAX, u8::MAX);
            after = Some(found);
        }
    }

    pub(crate) fn parse_record(&self, key: &[u8], bytes: &[u8]) -> Result<Record, StoreError> {
        let (header, value) = self.open(key, bytes)?;
        let short = || StoreError::damaged(describe(key), "too short for a record");
        let Key::Record { feed, entry } = decoded(key)? else { return Err(short()) };
        let mut parts = Parts(&value);
        let position = parts.position().ok_or_else(short)?;
        let generation = parts.number().ok_or_else(short)?;
        let [document] = parts.take().ok_or_else(short)?;
        let bytes = parts.all().to_vec();
        Ok(Record { feed, entry, position, generation, document: document != 0, change: header.change, bytes })
    }

    pub(crate) fn parse_document(&self, rows: Page) -> Result<Document, StoreError> {
        let mut document = Document::default();
        for (key, bytes) in rows {
            let value = self.open(&key, &bytes)?.1;
            match decoded(&key)? {
                Key::Snapshot { .. } => document.snapshot = Some(value),
                _ => {
                    let chunks = unpack(&value);
                    let chunks = chunks.ok_or_else(|| StoreError::damaged(describe(&key), "its chunks are cut short"));
                    document.chunks.extend(chunks?);
                }
            }
        }
        Ok(document)
    }
}

fn decoded(key: &[u8]) -> Result<Key, StoreError> {
    Key::decode(key).ok_or_else(|| StoreError::damaged(describe(key), "no key looks like this"))
}
