//! Which entries are about the same matter: services and responsibilities by LeiKa key, responsibilities by the service they
//! name, profiles by organisation. Rows are written when an entry is indexed and never taken back: whoever reads them looks
//! whether the entry still says so.

use ortsnetz_model::{Entry, EntryId, FeedId, Kind, OrgId};
use ortsnetz_store::{Batch, Key, Origin, Range};

use crate::catalog;
use crate::error::NodeError;
use crate::rows;
use crate::shared::Shared;

/// Table of matters: key is what is sought, organisation and entry; the value names the feed.
pub(crate) const MATTERS: &str = "matters";
/// Entries of one organisation about one matter that are looked at; more are left out.
pub(crate) const MATTER_ENTRIES_MAX: usize = 64;
/// Rows read at once.
const ROWS: usize = 16;

/// What is sought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sought<'a> {
    /// Services with this LeiKa key.
    Service(&'a str),
    /// Responsibilities with this LeiKa key.
    Leika(&'a str),
    /// Responsibilities that name this service.
    For(EntryId),
    /// The profile.
    Profile,
}

impl Sought<'_> {
    fn prefix(self, organisation: &OrgId) -> Vec<u8> {
        let (tag, key): (u8, &[u8]) = match &self {
            Self::Service(leika) => (b'l', leika.as_bytes()),
            Self::Leika(leika) => (b'r', leika.as_bytes()),
            Self::For(service) => (b's', &service.0),
            Self::Profile => (b'p', &[]),
        };
        // The length keeps a short key from being the beginning of a longer one.
        let length = u8::try_from(key.len()).unwrap_or(u8::MAX);
        [&[tag, length], key, organisation.0.as_slice()].concat()
    }
}

/// Notes what an indexed entry is about.
pub(crate) fn note(shared: &Shared, feed: &FeedId, id: &EntryId, entry: &Entry) -> Result<(), NodeError> {
    let leika = entry.list("leika");
    let mut sought: Vec<Sought<'_>> = match entry.kind() {
        Kind::Service => leika.into_iter().map(Sought::Service).collect(),
        Kind::Responsibility => leika.into_iter().map(Sought::Leika).collect(),
        Kind::Profile => vec![Sought::Profile],
        _ => return Ok(()),
    };
    if entry.kind() == Kind::Responsibility {
        let service = entry.get("service").and_then(serde_json::Value::as_str).and_then(|id| id.parse().ok());
        sought.extend(service.map(Sought::For));
    }
    let value = rows::encode(feed);
    let mut batch = Batch::new(Origin::Foreign);
    for sought in sought {
        let mut bytes = sought.prefix(&feed.organisation);
        bytes.extend(id.0);
        let key = Key::Custom { table: MATTERS.into(), key: bytes };
        if shared.store.get(&key)?.as_ref() != Some(&value) {
            batch.put(key, value.clone());
        }
    }
    if !batch.is_empty() {
        shared.store.submit(batch, |result| {
            if let Err(error) = result {
                tracing::error!(%error, "what an entry is about could not be noted");
            }
        });
    }
    Ok(())
}

/// Entries of an organisation that may be about it, each once, the first [`MATTER_ENTRIES_MAX`].
pub(crate) fn of(shared: &Shared, sought: Sought<'_>, organisation: &OrgId) -> Result<Vec<EntryId>, NodeError> {
    let prefix = sought.prefix(organisation);
    let mut after = Key::Custom { table: MATTERS.into(), key: prefix.clone() };
    let mut found = Vec::new();
    while found.len() < MATTER_ENTRIES_MAX {
        let page = shared.store.scan(&Range::Custom(MATTERS.into()), Some(&after), ROWS)?;
        let more = page.len() == ROWS;
        for (key, _) in page {
            let Key::Custom { key: bytes, .. } = &key else { continue };
            let Some(id) = bytes.strip_prefix(prefix.as_slice()).and_then(EntryId::from_slice) else {
                return Ok(found);
            };
            found.push(id);
            after = key;
        }
        if !more {
            break;
        }
    }
    found.truncate(MATTER_ENTRIES_MAX);
    Ok(found)
}

/// The published services of an organisation that have this LeiKa key now, as they are stored.
pub(crate) fn services(shared: &Shared, organisation: &OrgId, leika: &str) -> Result<Vec<(EntryId, Entry)>, NodeError> {
    let mut found = Vec::new();
    for id in of(shared, Sought::Service(leika), organisation)? {
        let held = catalog::find_of(shared, organisation, &id)?;
        let entry = held.map_or(Ok(None), |held| held.entry(&id, false))?;
        let is_one = |entry: &Entry| entry.kind() == Kind::Service && entry.list("leika").contains(&leika);
        found.extend(entry.filter(is_one).map(|entry| (id, entry)));
    }
    Ok(found)
}

/// Key of the mark that says that everything stored was noted.
fn noted() -> Key {
    Key::Custom { table: MATTERS.into(), key: Vec::new() }
}

/// Whether everything stored before was noted; `false` once after an update from a version that did not.
pub(crate) fn are_noted(shared: &Shared) -> Result<bool, NodeError> {
    Ok(shared.store.get(&noted())?.is_some())
}

/// Marks that everything stored was noted.
pub(crate) fn mark_noted(shared: &Shared) -> Result<(), NodeError> {
    let mut batch = Batch::new(Origin::Foreign);
    batch.put(noted(), [1]);
    shared.store.commit(batch)?;
    Ok(())
}
