//! How many entries are held of each organisation. An entry has a document in its home collection and perhaps companions in
//! narrower ones, each with a record in another feed: it is counted once. Kept up to date with every row, so that asking
//! costs nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ortsnetz_model::{CollectionId, EntryId, FeedId, OrgId, Position};
use ortsnetz_trust::Record;

use super::Engine;
use crate::feed::{Feed, START};
use crate::organisation::Organisation;

const END: Position = Position { term: u32::MAX, epoch: u64::MAX, sequence: u64::MAX };

type Feeds = BTreeMap<FeedId, Feed>;
type Organisations = BTreeMap<OrgId, Arc<dyn Organisation>>;

impl Engine {
    /// Entries of an organisation that are held and not withdrawn, each counted once however many documents it has; draft
    /// feeds are left out.
    pub fn entries_of(&self, organisation: &OrgId) -> u64 {
        self.census.get(organisation).copied().unwrap_or(0)
    }

    /// Changes what is held of one entry in a feed, and counts.
    pub(super) fn change(&mut self, id: &FeedId, entry: &EntryId, change: impl FnOnce(&mut Feed)) {
        let Some(feed) = self.feeds.get_mut(id) else { return };
        let before = is_live(feed, entry);
        change(feed);
        let after = is_live(feed, entry);
        if before == after || is_drafts(&self.organisations, id) {
            return;
        }
        let elsewhere = of(&self.feeds, &id.organisation)
            .any(|(other, feed)| other != id && is_live(feed, entry) && !is_drafts(&self.organisations, other));
        if !elsewhere {
            let count = self.census.entry(id.organisation).or_default();
            *count = if after { *count + 1 } else { count.saturating_sub(1) };
        }
    }
}

impl Engine {
    /// Takes a record in as the newest of its entry, or as the newest checkpoint.
    pub(super) fn take(&mut self, record: &Record) {
        self.feeds.entry(record.feed).or_default();
        match record.entry {
            Some(entry) => self.change(&record.feed, &entry, |feed| feed.take(record)),
            None => {
                if let Some(feed) = self.feeds.get_mut(&record.feed) {
                    feed.take(record);
                }
            }
        }
    }
}

impl Engine {
    /// Counts what is held of an organisation again, after feeds were forgotten.
    pub(super) fn take_census(&mut self, organisation: &OrgId) {
        let count = count(&self.feeds, &self.organisations, organisation);
        self.census.insert(*organisation, count);
    }
}

/// Counts everything, once at the start.
pub(super) fn take(feeds: &Feeds, organisations: &Organisations) -> BTreeMap<OrgId, u64> {
    let all: BTreeSet<OrgId> = feeds.keys().map(|id| id.organisation).collect();
    all.into_iter().map(|organisation| (organisation, count(feeds, organisations, &organisation))).collect()
}

fn count(feeds: &Feeds, organisations: &Organisations, organisation: &OrgId) -> u64 {
    let mut held: Vec<&Feed> =
        of(feeds, organisation).filter(|(id, _)| !is_drafts(organisations, id)).map(|(_, feed)| feed).collect();
    held.sort_by_key(|feed| std::cmp::Reverse(feed.index.live()));
    let (home, narrower) = match held.split_first() {
        Some((home, narrower)) => (home, narrower),
        None => return 0,
    };
    let mut count = home.index.live();
    for (at, feed) in narrower.iter().enumerate() {
        let before = &held[..=at];
        let fresh = |entry: &EntryId| is_live(feed, entry) && !before.iter().any(|other| is_live(other, entry));
        count += feed.index.range(START, END).filter(|(_, entry)| fresh(entry)).count() as u64;
    }
    count
}

const FIRST: CollectionId = CollectionId([0; 16]);

fn of<'a>(feeds: &'a Feeds, organisation: &OrgId) -> impl Iterator<Item = (&'a FeedId, &'a Feed)> {
    let organisation = *organisation;
    feeds.range(FeedId { organisation, collection: FIRST }..).take_while(move |(id, _)| id.organisation == organisation)
}

fn is_live(feed: &Feed, entry: &EntryId) -> bool {
    feed.index.row(entry).is_some_and(|row| !row.withdrawn)
}

fn is_drafts(organisations: &Organisations, feed: &FeedId) -> bool {
    organisations.get(&feed.organisation).is_some_and(|known| known.drafts_of(&feed.collection).is_some())
}
