//! Typed keys of all rows, and their bytes: one prefix byte per kind, then the parts, so that what is read together lies
//! together.

use ortsnetz_model::{CollectionId, DocumentId, EntryId, FeedId, Hash, OrgId, Position};

/// Which of the two documents of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The one partners get.
    Published,
    /// The one people edit; it never leaves the organisation's own nodes.
    Working,
}

/// The key of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A setting or another single value of this node, by name.
    Meta(String),
    /// A signed statement of an organisation; `number` is its place in the chain, counted from 0.
    Statement {
        /// Whose chain.
        organisation: OrgId,
        /// Place in the chain.
        number: u32,
    },
    /// The newest record of an entry in a feed (published or draft feed).
    Record {
        /// The feed.
        feed: FeedId,
        /// The entry.
        entry: EntryId,
    },
    /// A record without an entry: a checkpoint, a final record.
    Marker {
        /// The feed.
        feed: FeedId,
        /// Its position.
        position: Position,
    },
    /// How far we have a feed, and its head.
    Cursor(FeedId),
    /// Change chunks of a document that were stored together; `number` counts from 0.
    Chunks {
        /// Published or working.
        side: Side,
        /// The document.
        document: DocumentId,
        /// Place among the rows of the document.
        number: u32,
    },
    /// A loaded form of a document.
    Snapshot {
        /// Published or working.
        side: Side,
        /// The document.
        document: DocumentId,
    },
    /// The plain value of an entry in a collection, as JSON.
    Projection {
        /// Published or working.
        side: Side,
        /// The collection.
        collection: CollectionId,
        /// The entry.
        entry: EntryId,
    },
    /// What is known about a partner (standing, addresses, notes).
    Partner(OrgId),
    /// The signed partnership with a partner.
    Partnership(OrgId),
    /// An open or used invitation, by an identifier of the caller.
    Invitation(Vec<u8>),
    /// The last import of an entry from its source.
    ImportSource(EntryId),
    /// A record that was set aside, with its evidence.
    SetAside {
        /// The feed.
        feed: FeedId,
        /// Its position.
        position: Position,
        /// Hash of the record: two with the same position are an equivocation.
        hash: Hash,
    },
    /// An alarm, by a name that tells its kind and what it is about.
    Alarm(String),
    /// An entry that was redacted; a restore replays these.
    Tombstone {
        /// The collection.
        collection: CollectionId,
        /// The entry.
        entry: EntryId,
    },
    /// A user of this node, by name.
    User(String),
    /// A token of the API, by name.
    Token(String),
    /// A row of a table this crate does not know. The name has at most 255 bytes.
    Custom {
        /// Name of the table.
        table: String,
        /// Key in that table.
        key: Vec<u8>,
    },
}

/// A set of rows that lie together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Range {
    /// All settings.
    Metas,
    /// Statements of all organisations.
    AllStatements,
    /// The chain of one organisation.
    Statements(OrgId),
    /// Records of all feeds.
    AllRecords,
    /// Records of one feed, by entry.
    Records(FeedId),
    /// Records without an entry, of all feeds.
    AllMarkers,
    /// Records without an entry, of one feed, by position.
    Markers(FeedId),
    /// Cursors of all feeds.
    Cursors,
    /// Chunks and snapshots of all documents of a side.
    Documents(Side),
    /// Chunks and snapshots of one collection.
    CollectionDocuments(Side, CollectionId),
    /// Chunks and snapshots of all generations of one entry in one collection.
    EntryDocuments(Side, CollectionId, EntryId),
    /// Chunks and snapshot of one document.
    Document(Side, DocumentId),
    /// All projections of a side.
    AllProjections(Side),
    /// Projections of one collection, by entry.
    Projections(Side, CollectionId),
    /// All partners.
    Partners,
    /// All partnerships.
    Partnerships,
    /// All invitations.
    Invitations,
    /// All import sources.
    ImportSources,
    /// Everything set aside.
    AllSetAside,
    /// What is set aside of one feed.
    SetAside(FeedId),
    /// All alarms.
    Alarms,
    /// All tombstones.
    Tombstones,
    /// All users.
    Users,
    /// All tokens.
    Tokens,
    /// One table this crate does not know.
    Custom(String),
}

/// Prefix of rows this crate keeps for itself; such keys have no [`Key`].
pub(crate) const INTERNAL: u8 = b'!';

impl Side {
    fn documents(self) -> u8 {
        match self {
            Side::Published => b'd',
            Side::Working => b'w',
        }
    }

    fn projections(self) -> u8 {
        match self {
            Side::Published => b'p',
            Side::Working => b'q',
        }
    }
}

impl Key {
    /// The bytes of the key.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Key::Meta(name) => join(b'm', &[name.as_bytes()]),
            Key::Statement { organisation, number } => join(b's', &[&organisation.0, &number.to_be_bytes()]),
            Key::Record { feed, entry } => join(b'r', &[&feed_bytes(feed), &entry.0]),
            Key::Marker { feed, position } => join(b'k', &[&feed_bytes(feed), &position_bytes(position)]),
            Key::Cursor(feed) => join(b'c', &[&feed_bytes(feed)]),
            Key::Chunks { side, document, number } => {
                join(side.documents(), &[&document_bytes(document), b"c", &number.to_be_bytes()])
            }
            Key::Snapshot { side, document } => join(side.documents(), &[&document_bytes(document), b"s"]),
            Key::Projection { side, collection, entry } => join(side.projections(), &[&collection.0, &entry.0]),
            Key::Partner(id) => join(b'a', &[&id.0]),
            Key::Partnership(id) => join(b'b', &[&id.0]),
            Key::Invitation(id) => join(b'i', &[id]),
            Key::ImportSource(entry) => join(b'j', &[&entry.0]),
            Key::SetAside { feed, position, hash } => {
                join(b'e', &[&feed_bytes(feed), &position_bytes(position), &hash.0])
            }
            Key::Alarm(name) => join(b'l', &[name.as_bytes()]),
            Key::Tombstone { collection, entry } => join(b't', &[&collection.0, &entry.0]),
            Key::User(name) => join(b'u', &[name.as_bytes()]),
            Key::Token(name) => join(b'o', &[name.as_bytes()]),
            Key::Custom { table, key } => [&custom_prefix(table)[..], key].concat(),
        }
    }

    /// The key with these bytes; `None` for bytes no key has.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Parts(bytes.get(1..)?);
        let key = match bytes[0] {
            b'm' => Key::Meta(rest.text()?),
            b's' => Key::Statement { organisation: OrgId(rest.take()?), number: rest.number()? },
            b'r' => Key::Record { feed: rest.feed()?, entry: EntryId(rest.take()?) },
            b'k' => Key::Marker { feed: rest.feed()?, position: rest.position()? },
            b'c' => Key::Cursor(rest.feed()?),
            prefix @ (b'd' | b'w') => {
                let side = if prefix == b'd' { Side::Published } else { Side::Working };
                let document = DocumentId {
                    collection: CollectionId(rest.take()?),
                    entry: EntryId(rest.take()?),
                    generation: rest.number()?,
                };
                match rest.take::<1>()? {
                    [b'c'] => Key::Chunks { side, document, number: rest.number()? },
                    [b's'] => Key::Snapshot { side, document },
                    _ => return None,
                }
            }
            prefix @ (b'p' | b'q') => Key::Projection {
                side: if prefix == b'p' { Side::Published } else { Side::Working },
                collection: CollectionId(rest.take()?),
                entry: EntryId(rest.take()?),
            },
            b'a' => Key::Partner(OrgId(rest.take()?)),
            b'b' => Key::Partnership(OrgId(rest.take()?)),
            b'i' => Key::Invitation(rest.all().to_vec()),
            b'j' => Key::ImportSource(EntryId(rest.take()?)),
            b'e' => Key::SetAside { feed: rest.feed()?, position: rest.position()?, hash: Hash(rest.take()?) },
            b'l' => Key::Alarm(rest.text()?),
            b't' => Key::Tombstone { collection: CollectionId(rest.take()?), entry: EntryId(rest.take()?) },
            b'u' => Key::User(rest.text()?),
            b'o' => Key::Token(rest.text()?),
            b'x' => {
                let [length] = rest.take()?;
                let table = rest.bytes(length.into())?;
                Key::Custom { table: String::from_utf8(table.to_vec()).ok()?, key: rest.all().to_vec() }
            }
            _ => return None,
        };
        rest.0.is_empty().then_some(key)
    }
}

impl Range {
    /// What the keys of all rows in the range begin with.
    pub(crate) fn prefix(&self) -> Vec<u8> {
        match self {
            Range::Metas => vec![b'm'],
            Range::AllStatements => vec![b's'],
            Range::Statements(organisation) => join(b's', &[&organisation.0]),
            Range::AllRecords => vec![b'r'],
            Range::Records(feed) => join(b'r', &[&feed_bytes(feed)]),
            Range::AllMarkers => vec![b'k'],
            Range::Markers(feed) => join(b'k', &[&feed_bytes(feed)]),
            Range::Cursors => vec![b'c'],
            Range::Documents(side) => vec![side.documents()],
            Range::CollectionDocuments(side, collection) => join(side.documents(), &[&collection.0]),
            Range::EntryDocuments(side, collection, entry) => join(side.documents(), &[&collection.0, &entry.0]),
            Range::Document(side, document) => join(side.documents(), &[&document_bytes(document)]),
            Range::AllProjections(side) => vec![side.projections()],
            Range::Projections(side, collection) => join(side.projections(), &[&collection.0]),
            Range::Partners => vec![b'a'],
            Range::Partnerships => vec![b'b'],
            Range::Invitations => vec![b'i'],
            Range::ImportSources => vec![b'j'],
            Range::AllSetAside => vec![b'e'],
            Range::SetAside(feed) => join(b'e', &[&feed_bytes(feed)]),
            Range::Alarms => vec![b'l'],
            Range::Tombstones => vec![b't'],
            Range::Users => vec![b'u'],
            Range::Tokens => vec![b'o'],
            Range::Custom(table) => custom_prefix(table),
        }
    }
}

fn join(prefix: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    bytes.push(prefix);
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}

/// The bytes of the feed, if this is the key of a record.
pub(crate) fn feed_of_record(key: &[u8]) -> Option<&[u8]> {
    key.strip_prefix(b"r").filter(|rest| rest.len() == FEED_BYTES + 16).map(|rest| &rest[..FEED_BYTES])
}

/// Longer table names than 255 bytes are refused when a batch is taken in; here they are cut.
fn custom_prefix(table: &str) -> Vec<u8> {
    let name = &table.as_bytes()[..table.len().min(255)];
    join(b'x', &[&[name.len() as u8], name])
}

/// Bytes of a feed in a key.
const FEED_BYTES: usize = 48;

pub(crate) fn feed_bytes(feed: &FeedId) -> Vec<u8> {
    [&feed.organisation.0[..], &feed.collection.0].concat()
}

fn document_bytes(document: &DocumentId) -> Vec<u8> {
    [&document.collection.0[..], &document.entry.0, &document.generation.to_be_bytes()].concat()
}

pub(crate) fn position_bytes(position: &Position) -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes[..4].copy_from_slice(&position.term.to_be_bytes());
    bytes[4..12].copy_from_slice(&position.epoch.to_be_bytes());
    bytes[12..].copy_from_slice(&position.sequence.to_be_bytes());
    bytes
}

/// Bytes read from the front.
pub(crate) struct Parts<'a>(pub(crate) &'a [u8]);

impl<'a> Parts<'a> {
    pub(crate) fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }

    pub(crate) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub(crate) fn number(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    pub(crate) fn long(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    pub(crate) fn position(&mut self) -> Option<Position> {
        Some(Position { term: self.number()?, epoch: self.long()?, sequence: self.long()? })
    }

    pub(crate) fn all(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    fn feed(&mut self) -> Option<FeedId> {
        Some(FeedId { organisation: OrgId(self.take()?), collection: CollectionId(self.take()?) })
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.all().to_vec()).ok()
    }
}
