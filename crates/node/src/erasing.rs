//! Deletes everything this node holds of an organisation that left: out of the engine, the database, the search index and
//! what else was made of it, then out of old segments and dictionaries; and signs that it did. Its chain stays, so that it
//! is still known that it left. Interrupted at any moment it goes on where it stood. All of it blocks.

use ortsnetz_model::{CollectionId, EntryId, FeedId, OrgId};
use ortsnetz_store::{Batch, Key, Origin, Range, Side, Store};
use ortsnetz_sync::Event;
use ortsnetz_trust::identity::Slot;

use crate::agreements;
use crate::alarms;
use crate::clock;
use crate::contacts;
use crate::districts;
use crate::driver::Input;
use crate::error::NodeError;
use crate::given_back;
use crate::identities;
use crate::indexing;
use crate::letters;
use crate::noticing;
use crate::partners::look;
use crate::past;
use crate::purging;
use crate::rows;
use crate::shared::{Shared, read, write};
use crate::storing::FROZEN;

/// Entries deleted in one batch.
const ENTRIES_AT_ONCE: usize = 100;
/// Table of what is being deleted: key is the organisation, value how many entries there were.
const ERASING: &str = "erasing";
/// Table of those whose deletion could not be stated: key is the organisation, value the serial it is about.
const UNSAID: &str = "deletion_unsaid";
/// Stands for a whole collection where traces are to go.
const WHOLE: EntryId = EntryId([0; 16]);

fn key(organisation: &OrgId) -> Key {
    Key::Custom { table: ERASING.into(), key: organisation.0.to_vec() }
}

/// Deletes, unless nothing is left to delete, and states it once, if it is a partner or was one. Returns before everything
/// is done if the engine is still busy with something of it: the caller tries again.
pub(crate) fn erase(shared: &Shared, organisation: &OrgId) -> Result<(), NodeError> {
    let id = *organisation;
    let begun = shared.store.get(&key(&id))?;
    let holds = !held(&shared.store, &id)?.is_empty();
    if holds || begun.is_some() {
        let (busy, entries) = look(shared, move |engine| (engine.is_busy_with(&id), engine.entries_of(&id)))?;
        if busy {
            return Ok(());
        }
        let entries = match begun {
            Some(bytes) => rows::decode("a deletion", &bytes)?,
            None => {
                let mut batch = Batch::new(Origin::Own);
                batch.put(key(&id), rows::encode(&entries));
                shared.store.commit(batch)?;
                entries
            }
        };
        shared.driver.send(Input::Answer(Event::Forget { organisation: id })).map_err(|_| crate::shared::stopping())?;
        // Answered behind it: from here on the engine writes nothing of it.
        look(shared, |_| ())?;
        delete(shared, &id)?;
        purging::purge(shared, false)?;
        if !held(&shared.store, &id)?.is_empty() {
            return Ok(());
        }
        state(shared, &id, entries)?;
        let mut batch = Batch::new(Origin::Own);
        batch.delete(key(&id));
        shared.store.commit(batch)?;
        let name = shared.organisation_name(&id);
        tracing::info!(organisation = name, entries, "everything held of an organisation that left was deleted");
        return Ok(());
    }
    state(shared, &id, 0)
}

/// The feeds of which anything is here.
fn held(store: &Store, organisation: &OrgId) -> Result<Vec<FeedId>, NodeError> {
    let mut feeds = store.feeds()?;
    feeds.retain(|feed| feed.organisation == *organisation);
    Ok(feeds)
}

/// Deletes everything this node holds of one feed of another organisation, which the engine knows no more. It was no secret: what
/// is left of it in old segments goes when the store is compacted.
pub(crate) fn erase_feed(shared: &Shared, feed: &FeedId) -> Result<(), NodeError> {
    if !held(&shared.store, &feed.organisation)?.contains(feed) {
        return Ok(());
    }
    delete_from(shared, feed, false)?;
    shared.boards.agreements.forget();
    shared.boards.letters.forget();
    indexing::forget(shared, |about| about == feed)
}

/// Deletes entries of a feed that lay here for a while.
pub(crate) fn erase_entries(shared: &Shared, feed: &FeedId, entries: &[EntryId]) -> Result<(), NodeError> {
    for some in entries.chunks(ENTRIES_AT_ONCE) {
        let mut batch = Batch::new(Origin::Foreign);
        for entry in some {
            forget_entry(&shared.store, &mut batch, feed, *entry)?;
        }
        shared.store.commit(batch)?;
    }
    shared.boards.agreements.forget();
    shared.boards.letters.forget();
    shared.search.changed(*feed, entries.to_vec());
    Ok(())
}

fn delete_from(shared: &Shared, feed: &FeedId, traces: bool) -> Result<(), NodeError> {
    let entries = entries_of(&shared.store, feed)?;
    let deleted = delete_feed(&shared.store, feed, &entries, traces);
    // Also if it broke off: what is gone is found no more.
    shared.search.changed(*feed, entries);
    deleted?;
    write(&shared.feeds).remove(feed);
    Ok(())
}

fn delete(shared: &Shared, organisation: &OrgId) -> Result<(), NodeError> {
    for feed in held(&shared.store, organisation)? {
        delete_from(shared, &feed, true)?;
    }
    shared.boards.agreements.forget();
    shared.boards.letters.forget();
    indexing::forget(shared, |about| about.organisation == *organisation)?;
    districts::forget(shared, organisation)
}

fn entries_of(store: &Store, feed: &FeedId) -> Result<Vec<EntryId>, NodeError> {
    let mut entries = Vec::new();
    store.records(Some(feed), &mut |record| {
        entries.push(record.entry);
        true
    })?;
    Ok(entries)
}

/// Deletes all rows of a feed, and notes, if asked for, that their traces are to go. As long as it is not done the feed is still there, so
/// that whoever looks goes on.
fn delete_feed(store: &Store, feed: &FeedId, entries: &[EntryId], traces: bool) -> Result<(), NodeError> {
    let feed = *feed;
    let mut batch = Batch::new(Origin::Own);
    if traces {
        purging::note_due(&mut batch, &feed, WHOLE, 0);
    }
    batch.origin(Origin::Foreign);
    for (position, _) in store.markers(&feed)? {
        batch.delete(Key::Marker { feed, position });
    }
    batch.delete(Key::Custom { table: FROZEN.into(), key: rows::encode(&feed) });
    for (key, _) in store.scan(&Range::SetAside(feed), None, usize::MAX)? {
        given_back::forget(&mut batch, key);
    }
    store.commit(batch)?;
    for some in entries.chunks(ENTRIES_AT_ONCE) {
        let mut batch = Batch::new(Origin::Foreign);
        for entry in some {
            forget_entry(store, &mut batch, &feed, *entry)?;
        }
        store.commit(batch)?;
    }
    // What no record speaks of any more, and what says that there is a feed: last.
    let mut batch = Batch::new(Origin::Foreign);
    batch.delete_range(Range::CollectionDocuments(Side::Published, feed.collection));
    batch.delete_range(Range::Projections(Side::Published, feed.collection));
    batch.delete(Key::Cursor(feed));
    store.commit(batch)?;
    Ok(store.forget_cached()?)
}

fn forget_entry(store: &Store, batch: &mut Batch, feed: &FeedId, entry: EntryId) -> Result<(), NodeError> {
    let collection: CollectionId = feed.collection;
    batch.delete_range(Range::EntryDocuments(Side::Published, collection, entry));
    batch.delete(Key::Projection { side: Side::Published, collection, entry });
    batch.delete(Key::Record { feed: *feed, entry });
    batch.delete(Key::Tombstone { collection, entry });
    noticing::forget(batch, feed, &entry);
    agreements::forget(batch, feed, &entry);
    letters::forget(batch, feed, &entry);
    contacts::forget(batch, feed, &entry);
    past::forget(store, batch, feed, &entry)
}

/// States that this node deleted what it held, unless it did already.
fn state(shared: &Shared, leaver: &OrgId, entries: u64) -> Result<(), NodeError> {
    let Some(identity) = shared.identity_of(leaver) else { return Ok(()) };
    let serial = identity.serial(&Slot::Leaving);
    let stated = |own: &ortsnetz_trust::Identity| {
        own.deletion(leaver, &shared.own.node).is_some_and(|deletion| deletion.serial >= serial)
    };
    let own = shared.identity();
    if !read(&shared.partners).contains_key(leaver) || stated(&own) || own.is_revoked(&shared.own.node) {
        return Ok(());
    }
    let unsaid = Key::Custom { table: UNSAID.into(), key: leaver.0.to_vec() };
    if shared.store.get(&unsaid)?.is_some_and(|bytes| bytes == serial.to_be_bytes()) {
        return Ok(());
    }
    let said = identities::extend(shared, |own| {
        if stated(own) {
            return Ok(Vec::new());
        }
        let signed = own.state_deletion(*leaver, serial, entries, clock::now(), &shared.own.key);
        signed.map(|signed| vec![signed]).map_err(|error| NodeError::Invalid(error.to_string()))
    });
    if let Err(error) = said {
        // Nothing of it is here any more; only nobody can be told so.
        let name = shared.organisation_name(leaver);
        let mut batch = Batch::new(Origin::Own);
        batch.put(unsaid, serial.to_be_bytes());
        shared.store.commit(batch)?;
        alarms::note(
            shared,
            UNSAID,
            &leaver.to_string(),
            Some(*leaver),
            format!("what was here of {name} is deleted, but that cannot be stated: {error}. Tell them yourself."),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ortsnetz_model::{DocumentId, Hash, Position};

    const SECRET: &[u8] = b"Zwetschgenkuchenverordnung";

    /// A feed with so many entries and one row of each kind beside them.
    fn fill(store: &Store, feed: FeedId, entries: usize) {
        let collection = feed.collection;
        for number in 0..entries {
            let mut id = [7; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            let entry = EntryId(id);
            let position = Position { term: 1, epoch: 1, sequence: number as u64 + 1 };
            let mut batch = Batch::new(Origin::Foreign);
            batch.put_record(feed, entry, position, 1, true, SECRET);
            let document = DocumentId { collection, entry, generation: 1 };
            batch.append_chunks(Side::Published, document, vec![SECRET.to_vec()]);
            batch.put_snapshot(Side::Published, document, SECRET);
            batch.put(Key::Projection { side: Side::Published, collection, entry }, SECRET);
            batch.put(Key::Tombstone { collection, entry }, 1_u32.to_be_bytes());
            let key = [collection.0, entry.0].concat();
            batch.put(Key::Custom { table: agreements::AGREEMENTS.into(), key: key.clone() }, SECRET);
            batch.put(Key::Custom { table: letters::LETTERS.into(), key: key.clone() }, SECRET);
            batch.put(Key::Custom { table: contacts::JOURNALS.into(), key }, SECRET);
            store.commit(batch).expect("written");
        }
        let position = Position { term: 1, epoch: 1, sequence: 9_999 };
        let mut batch = Batch::new(Origin::Foreign);
        batch.put_marker(feed, position, SECRET);
        batch.put_cursor(feed, &rows::encode(&position));
        batch.put(Key::Custom { table: FROZEN.into(), key: rows::encode(&feed) }, rows::encode(&position));
        batch.put(Key::SetAside { feed, position, hash: Hash([9; 32]) }, SECRET);
        // A document of a generation, or of an entry, of which no record is left.
        let lost = DocumentId { collection, entry: EntryId([8; 16]), generation: 3 };
        batch.append_chunks(Side::Published, lost, vec![SECRET.to_vec()]);
        store.commit(batch).expect("written");
    }

    fn feed(number: u8) -> FeedId {
        FeedId { organisation: OrgId([number; 32]), collection: CollectionId([number + 100; 16]) }
    }

    /// Rows that speak of a feed, but for the note that its traces are to go.
    fn rows_about(store: &Store, feed: &FeedId) -> usize {
        let mut count = 0;
        let about = |bytes: &[u8]| bytes.windows(16).any(|window| window == feed.collection.0);
        let due = |key: &[u8]| key.windows(5).any(|window| window == b"purge");
        let seen = store.everything(&mut |key, value| {
            count += usize::from(!due(key) && (about(key) || about(value)));
            true
        });
        seen.expect("every row can be read");
        count
    }

    #[test]
    fn no_row_of_a_feed_stays_and_no_other_feed_loses_one() {
        let store = Store::memory();
        fill(&store, feed(1), ENTRIES_AT_ONCE + 1);
        fill(&store, feed(2), 3);
        let others = rows_about(&store, &feed(2));
        assert_eq!(held(&store, &feed(1).organisation).expect("feeds"), [feed(1)]);
        assert!(rows_about(&store, &feed(1)) > ENTRIES_AT_ONCE && others > 3);
        let entries = entries_of(&store, &feed(1)).expect("entries");
        assert_eq!(entries.len(), ENTRIES_AT_ONCE + 1);
        delete_feed(&store, &feed(1), &entries, true).expect("deleted");
        assert_eq!((rows_about(&store, &feed(1)), rows_about(&store, &feed(2))), (0, others));
        assert!(held(&store, &feed(1).organisation).expect("feeds").is_empty());
        assert!(purging::finish(&store).expect("traces go"), "what is still in old segments goes with the next start");
        assert!(!purging::finish(&store).expect("nothing is left"));
    }

    #[test]
    fn what_was_interrupted_is_still_held_and_goes_on() {
        let store = Store::memory();
        fill(&store, feed(1), 5);
        // As after a stop between two batches: the marker and some entries are gone.
        let mut batch = Batch::new(Origin::Foreign);
        batch.delete(Key::Marker { feed: feed(1), position: Position { term: 1, epoch: 1, sequence: 9_999 } });
        let mut id = [7; 16];
        id[..8].copy_from_slice(&0_usize.to_be_bytes());
        forget_entry(&store, &mut batch, &feed(1), EntryId(id)).expect("deleted");
        store.commit(batch).expect("written");
        assert_eq!(held(&store, &feed(1).organisation).expect("feeds"), [feed(1)], "it is looked at again");
        let entries = entries_of(&store, &feed(1)).expect("entries");
        assert_eq!(entries.len(), 4);
        delete_feed(&store, &feed(1), &entries, true).expect("deleted");
        assert_eq!(rows_about(&store, &feed(1)), 0);
    }
}
