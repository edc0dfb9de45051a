//! Letters: small entries that organisations write to each other about an entry of one of them, each in the collection that
//! only the other reads: reports that something is wrong, suggested changes, and the answers to both. They are kept in memory
//! beside the entries, so that an answer that comes right after one was written knows it. Drafts of own nodes count too: what
//! an agent reports stands beside the entry on all nodes of his organisation before the publisher has published it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use ortsnetz_model::{CollectionId, Entry, EntryId, FeedId, Kind, OrgId};
use ortsnetz_store::{Batch, Key, Range, Side};
use serde_json::Value;

use crate::catalog;
use crate::editing;
use crate::error::NodeError;
use crate::feedback::{Answer, Report};
use crate::partners;
use crate::proposals::{Decision, Suggestion};
use crate::rows::{self, Published};
use crate::shared::{Shared, lock};
use crate::working::{BILATERAL, INTERNAL};

/// Table of entries that are letters: key is collection and entry, the value names the feed.
pub(crate) const LETTERS: &str = "letters";
/// How the projection of a letter begins, in canonical form; a title may stand between.
const KINDS: [&[u8]; 2] = [br#"{"kind":"feedback","#, br#"{"kind":"proposal","#];
/// Most letters of one organisation that count.
pub(crate) const LETTERS_MAX: usize = 10_000;
/// Longest letter that counts, in bytes of JSON; answers and suggestions are far smaller.
pub(crate) const LETTER_BYTES_MAX: usize = 128 * 1024;
/// Digits of an id that must be given.
const ID_DIGITS_MIN: usize = 4;
/// Rows read at once.
const ROWS: usize = 256;

/// Publishes a letter, or what one led to; asks for it where this node does not publish.
pub(crate) fn publish(shared: &Shared, entry: &EntryId) -> Result<(), NodeError> {
    let published = editing::publish(shared, Some(vec![entry.to_string()]))?;
    match published.refused.first() {
        Some(refusal) => Err(NodeError::Conflict(refusal.reason.clone())),
        None => Ok(()),
    }
}

/// The one of `all` whose id begins so. `what` is the word for it, `list` the command that lists them.
pub(crate) fn find<T>(
    mut all: Vec<T>,
    id: &str,
    id_of: impl Fn(&T) -> &str,
    what: &str,
    list: &str,
) -> Result<T, NodeError> {
    let wanted = id.trim().to_lowercase();
    all.retain(|one| wanted.len() >= ID_DIGITS_MIN && id_of(one).starts_with(&wanted));
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_), false) => Err(NodeError::Invalid(format!("{id}: several {what}s begin so; give more digits"))),
        (None, _) => {
            Err(NodeError::NotFound(format!("there is no {what} {id}; `ortsnetz {list} list --all` shows all")))
        }
    }
}

/// Where a letter lies.
type Place = (CollectionId, EntryId);

/// A letter as it stands now.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    /// Its entry.
    pub entry: EntryId,
    /// Where that lies.
    pub collection: CollectionId,
    /// Who wrote it.
    pub by: OrgId,
    /// To whom; the same for letters within our own organisation.
    pub to: OrgId,
    /// When it came, or was written here, milliseconds since 1970.
    pub at: u64,
    /// It is not published yet: only own nodes know it.
    pub draft: bool,
    /// What it says.
    pub content: Content,
}

/// What a letter says.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// An entry is wrong.
    Report(Report),
    /// What its owner says to that.
    Answer(Answer),
    /// An entry should say something else.
    Suggestion(Suggestion),
    /// What its owner says to that.
    Decision(Decision),
}

/// The letters known here.
#[derive(Default)]
pub(crate) struct Letters {
    kept: Mutex<Kept>,
    /// One reads at a time, so that nobody who comes later misses what is being read.
    reading: Mutex<()>,
}

#[derive(Default)]
struct Kept {
    known: BTreeMap<Place, Arc<Letter>>,
    /// Written since they were read.
    dirty: BTreeSet<Place>,
    /// The whole table was read.
    filled: bool,
    /// How often anything was written.
    changes: u64,
    view: Option<Arc<Vec<Arc<Letter>>>>,
}

impl Letters {
    /// These were written, and are read again when somebody asks.
    pub fn changed(&self, places: Vec<Place>) {
        if !places.is_empty() {
            let mut kept = lock(&self.kept);
            kept.dirty.extend(places);
            kept.changes += 1;
            kept.view = None;
        }
    }

    /// Rows were deleted beside the boards.
    pub fn forget(&self) {
        let mut kept = lock(&self.kept);
        *kept = Kept { changes: kept.changes + 1, ..Kept::default() };
    }
}

/// A number that grows with each letter that is written.
pub(crate) fn changes(shared: &Shared) -> u64 {
    lock(&shared.boards.letters.kept).changes
}

/// The letters that a batch writes or deletes.
pub(crate) fn by(batch: &Batch) -> Vec<Place> {
    batch.custom(LETTERS).filter_map(|(key, _)| place(key)).collect()
}

/// Adds the row of a letter to the batch that stores its projection; of any other kind nothing.
pub(crate) fn put(batch: &mut Batch, feed: &FeedId, id: &EntryId, json: &[u8]) {
    if KINDS.iter().any(|beginning| json.starts_with(beginning)) {
        batch.put(key(feed, id), rows::encode(feed));
    }
}

/// Deletes the row of an entry that may be a letter.
pub(crate) fn forget(batch: &mut Batch, feed: &FeedId, id: &EntryId) {
    batch.delete(key(feed, id));
}

fn key(feed: &FeedId, id: &EntryId) -> Key {
    Key::Custom { table: LETTERS.into(), key: [feed.collection.0, id.0].concat() }
}

fn place(key: &[u8]) -> Option<Place> {
    let collection: [u8; 16] = key.get(..16)?.try_into().ok()?;
    Some((CollectionId(collection), EntryId::from_slice(key.get(16..)?)?))
}

/// All letters between us and confirmed partners, and those within our own organisation.
pub(crate) fn all(shared: &Shared) -> Result<Vec<Arc<Letter>>, NodeError> {
    let confirmed = partners::confirmed(shared);
    let own = shared.own.organisation;
    let counts = |organisation: &OrgId| *organisation == own || confirmed.contains(organisation);
    let view = view(shared)?;
    Ok(view.iter().filter(|letter| counts(&letter.by) && counts(&letter.to)).cloned().collect())
}

fn view(shared: &Shared) -> Result<Arc<Vec<Arc<Letter>>>, NodeError> {
    let letters = &shared.boards.letters;
    if let Some(view) = lock(&letters.kept).view.clone() {
        return Ok(view);
    }
    let _one = lock(&letters.reading);
    loop {
        let (filled, dirty) = {
            let mut kept = lock(&letters.kept);
            (std::mem::replace(&mut kept.filled, true), std::mem::take(&mut kept.dirty))
        };
        let places = if filled { dirty.clone() } else { table(shared)? };
        let mut read = Vec::with_capacity(places.len());
        for place in places {
            match self::read(shared, &place) {
                Ok(letter) => read.push((place, letter)),
                Err(error) => {
                    lock(&letters.kept).filled = false;
                    return Err(error);
                }
            }
        }
        let mut kept = lock(&letters.kept);
        for (place, letter) in read {
            match letter {
                Some(letter) => kept.known.insert(place, Arc::new(letter)),
                None => kept.known.remove(&place),
            };
        }
        if kept.dirty.is_empty() && kept.filled {
            let mut counts: BTreeMap<OrgId, usize> = BTreeMap::new();
            let mut few = |letter: &&Arc<Letter>| {
                let count = counts.entry(letter.by).or_default();
                *count += 1;
                *count <= LETTERS_MAX
            };
            let view: Arc<Vec<_>> = Arc::new(kept.known.values().filter(|letter| few(letter)).cloned().collect());
            kept.view = Some(view.clone());
            return Ok(view);
        }
    }
}

/// All places in the table.
fn table(shared: &Shared) -> Result<BTreeSet<Place>, NodeError> {
    let mut places = BTreeSet::new();
    let mut after: Option<Key> = None;
    loop {
        let page = shared.store.scan(&Range::Custom(LETTERS.into()), after.as_ref(), ROWS)?;
        let more = page.len() == ROWS;
        for (key, _) in page {
            if let Key::Custom { key: bytes, .. } = &key {
                places.extend(place(bytes));
            }
            after = Some(key);
        }
        if !more {
            return Ok(places);
        }
    }
}

/// The letter as it stands; `None` if it is withdrawn, says nothing that is understood, or lies where it does not belong.
fn read(shared: &Shared, (collection, id): &Place) -> Result<Option<Letter>, NodeError> {
    let key = Key::Custom { table: LETTERS.into(), key: [collection.0, id.0].concat() };
    let Some(value) = shared.store.get(&key)? else { return Ok(None) };
    let feed: FeedId = rows::decode("a letter", &value)?;
    let Some((row, draft)) = projection(shared, &feed, collection, id)? else { return Ok(None) };
    let entry = catalog::read_entry(id, &row.json)?;
    let Some(to) = addressee(shared, &feed, &entry) else { return Ok(None) };
    let content = match entry.kind() {
        Kind::Feedback => Report::of(&entry).map(Content::Report).or_else(|| Answer::of(&entry).map(Content::Answer)),
        Kind::Proposal => {
            let suggestion = Suggestion::of(&entry).map(Content::Suggestion);
            suggestion.or_else(|| Decision::of(&entry).map(Content::Decision))
        }
        _ => None,
    };
    Ok(content.map(|content| Letter {
        entry: *id,
        collection: *collection,
        by: feed.organisation,
        to,
        at: row.at,
        draft,
        content,
    }))
}

/// The projection of a letter as it stands, and whether it is a draft; `None` if it is withdrawn or too long.
fn projection(
    shared: &Shared,
    feed: &FeedId,
    collection: &CollectionId,
    id: &EntryId,
) -> Result<Option<(rows::ProjectionRow, bool)>, NodeError> {
    let own = feed.organisation == shared.own.organisation;
    let row = if own { rows::own_entry(&shared.store, id)? } else { None };
    if row.as_ref().is_some_and(|row| row.published == Published::Withdrawn || row.home != *collection) {
        return Ok(None);
    }
    let published = rows::projection(&shared.store, Side::Published, collection, id)?;
    // What another node of ours wrote meanwhile counts, too.
    let working = if own { rows::projection(&shared.store, Side::Working, collection, id)? } else { None };
    let draft = published.is_none();
    let row = working.or(published).filter(|row| row.json.len() <= LETTER_BYTES_MAX);
    Ok(row.map(|row| (row, draft)))
}

/// All that a letter says, which is not kept in memory.
pub(crate) fn whole(shared: &Shared, letter: &Letter) -> Result<Entry, NodeError> {
    let feed = FeedId { organisation: letter.by, collection: letter.collection };
    let read = projection(shared, &feed, &letter.collection, &letter.entry)?;
    read.map_or_else(|| Ok(Entry::default()), |(row, _)| catalog::read_entry(&letter.entry, &row.json))
}

/// Whom a letter is for, by the collection it lies in: only what the other side can read counts.
fn addressee(shared: &Shared, feed: &FeedId, entry: &Entry) -> Option<OrgId> {
    let own = shared.own.organisation;
    let to = if feed.organisation == own {
        entry.get("partner").and_then(Value::as_str).and_then(|id| id.parse().ok())?
    } else {
        own
    };
    (feed.collection == CollectionId::named(&feed.organisation, &collection(&feed.organisation, &to))).then_some(to)
}

/// The name of the collection in which `by` writes to `to`.
pub(crate) fn collection(by: &OrgId, to: &OrgId) -> String {
    if by == to { INTERNAL.to_owned() } else { format!("{BILATERAL}{to}") }
}
