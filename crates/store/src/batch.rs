//! What one state change writes.

use ortsnetz_model::{CollectionId, DocumentId, EntryId, FeedId, OrgId, Position};

use crate::key::{Key, Range, Side};

/// Whether somebody else could give a row back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Ours alone: also written to the own log. A key is either always own or always foreign.
    Own,
    /// Partners have it too.
    Foreign,
}

/// Everything one state change writes; stored whole or not at all. Later operations win over earlier ones on the same
/// key.
#[derive(Clone, Debug)]
pub struct Batch {
    pub(crate) origin: Origin,
    pub(crate) operations: Vec<(Origin, Operation)>,
    pub(crate) reserve: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Put(Key, Vec<u8>),
    Delete(Key),
    DeleteRange(Range),
    Append(Side, DocumentId, Vec<Vec<u8>>),
}

impl Batch {
    /// An empty batch whose rows are of this origin.
    pub fn new(origin: Origin) -> Self {
        Self { origin, operations: Vec::new(), reserve: false }
    }

    /// The rows that follow are of this origin.
    pub fn origin(&mut self, origin: Origin) -> &mut Self {
        self.origin = origin;
        self
    }

    /// Without this little write nothing could be read either: it may take of the space that is kept free, as long as the
    /// store opens at all.
    pub fn from_reserve(&mut self) -> &mut Self {
        self.reserve = true;
        self
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Number of operations.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Adds everything of `other`, which keeps its origins.
    pub fn append(&mut self, other: Batch) -> &mut Self {
        self.operations.extend(other.operations);
        self
    }

    /// Writes a row; a row with this key is replaced. Not for [`Key::Record`] (see [`Batch::put_record`]) and
    /// [`Key::Chunks`] (see [`Batch::append_chunks`]).
    pub fn put(&mut self, key: Key, value: impl Into<Vec<u8>>) -> &mut Self {
        self.push(Operation::Put(key, value.into()))
    }

    /// Deletes a row, if it is there.
    pub fn delete(&mut self, key: Key) -> &mut Self {
        self.push(Operation::Delete(key))
    }

    /// Deletes every row of a range, if there are any.
    pub fn delete_range(&mut self, range: Range) -> &mut Self {
        self.push(Operation::DeleteRange(range))
    }

    /// Writes the newest record of an entry in a feed (publication, withdrawal or draft; a withdrawal is its own
    /// tombstone). `document` is whether a published document and a projection of this generation must lie beside it,
    /// which `check` then expects.
    pub fn put_record(
        &mut self,
        feed: FeedId,
        entry: EntryId,
        position: Position,
        generation: u32,
        document: bool,
        bytes: &[u8],
    ) -> &mut Self {
        let mut value = Vec::with_capacity(25 + bytes.len());
        value.extend(position.term.to_be_bytes());
        value.extend(position.epoch.to_be_bytes());
        value.extend(position.sequence.to_be_bytes());
        value.extend(generation.to_be_bytes());
        value.push(u8::from(document));
        value.extend(bytes);
        self.push(Operation::Put(Key::Record { feed, entry }, value))
    }

    /// Writes a record without an entry (a checkpoint, the final record of a revocation).
    pub fn put_marker(&mut self, feed: FeedId, position: Position, bytes: &[u8]) -> &mut Self {
        self.put(Key::Marker { feed, position }, bytes)
    }

    /// Writes the cursor of a feed, as the caller encodes it.
    pub fn put_cursor(&mut self, feed: FeedId, bytes: &[u8]) -> &mut Self {
        self.put(Key::Cursor(feed), bytes)
    }

    /// Writes a statement of an organisation; `number` is its place in the chain, counted from 0.
    pub fn put_statement(&mut self, organisation: OrgId, number: u32, bytes: &[u8]) -> &mut Self {
        self.put(Key::Statement { organisation, number }, bytes)
    }

    /// Adds raw change chunks to a document, after those it has. All chunks of one call share one row; the order of the
    /// chunks is kept.
    pub fn append_chunks(&mut self, side: Side, document: DocumentId, chunks: Vec<Vec<u8>>) -> &mut Self {
        if chunks.is_empty() {
            return self;
        }
        self.push(Operation::Append(side, document, chunks))
    }

    /// Replaces all chunks of a document, in one row, and deletes its saved snapshot.
    pub fn replace_chunks(&mut self, side: Side, document: DocumentId, chunks: Vec<Vec<u8>>) -> &mut Self {
        self.delete_document(side, document);
        self.append_chunks(side, document, chunks)
    }

    /// Saves a loaded form of a document that makes the next load faster; the chunks stay the truth.
    pub fn put_snapshot(&mut self, side: Side, document: DocumentId, bytes: &[u8]) -> &mut Self {
        self.put(Key::Snapshot { side, document }, bytes)
    }

    /// Deletes a document: chunks and snapshot.
    pub fn delete_document(&mut self, side: Side, document: DocumentId) -> &mut Self {
        self.delete_range(Range::Document(side, document))
    }

    /// Writes the projection (JSON bytes) of an entry in a collection.
    pub fn put_projection(
        &mut self,
        side: Side,
        collection: CollectionId,
        entry: EntryId,
        json: impl Into<Vec<u8>>,
    ) -> &mut Self {
        self.put(Key::Projection { side, collection, entry }, json)
    }

    /// What is written into a table of the caller, in order: key and value, no value if the row is deleted.
    pub fn custom<'a>(&'a self, table: &'a str) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        self.operations.iter().filter_map(move |(_, operation)| match operation {
            Operation::Put(Key::Custom { table: name, key }, value) if name == table => {
                Some((key.as_slice(), Some(value.as_slice())))
            }
            Operation::Delete(Key::Custom { table: name, key }) if name == table => Some((key.as_slice(), None)),
            _ => None,
        })
    }

    fn push(&mut self, operation: Operation) -> &mut Self {
        self.operations.push((self.origin, operation));
        self
    }
}
