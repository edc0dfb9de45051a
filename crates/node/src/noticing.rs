//! Notices: kept beside the entries, so that an answer that comes right after one was stored knows it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use minicbor::{Decode, Encode};
use ortsnetz_model::dates;
use ortsnetz_model::{Ars, Entry, EntryId, FeedId, Kind};
use ortsnetz_search::PlaceFilter;
use ortsnetz_service::agreement::About;
use ortsnetz_service::{Notice, Urgency};
use ortsnetz_store::{Batch, Key, Origin, Range, Store};

use crate::answering::speaks_for;
use crate::catalog;
use crate::clock::{self, rfc3339};
use crate::dto::NoticeInfo;
use crate::error::NodeError;
use crate::places;
use crate::reading::texts;
use crate::rows;
use crate::searching::claim;
use crate::shared::{Shared, lock, read};
use crate::short;

/// Table of notices: key is collection and entry.
const NOTICES: &str = "notices";
/// Most notices above one answer, the most urgent first: more than that nobody reads during a call.
pub(crate) const NOTICES_SHOWN_MAX: usize = 10;
/// Rows read at once.
const ROWS: usize = 256;
/// How the projection of a notice begins, in canonical form.
const BEGINNING: &[u8] = br#"{"kind":"notice","#;

/// What decides whether a notice is shown, as stored.
#[derive(Encode, Decode)]
struct Row {
    #[n(0)]
    feed: FeedId,
    #[n(1)]
    area: Vec<String>,
    #[n(2)]
    topics: Vec<String>,
    #[n(3)]
    from: u64,
    #[n(4)]
    until: u64,
    #[n(5)]
    urgency: u8,
}

/// The notices known here.
#[derive(Default)]
pub(crate) struct Board(Mutex<BTreeMap<(FeedId, EntryId), Notice>>);

/// Notices that a batch brings.
pub(crate) struct Notices(Vec<(FeedId, EntryId, Notice)>);

impl Notices {
    /// Looks into a batch before it is handed to the store.
    pub fn by(batch: &Batch) -> Self {
        Self(batch.custom(NOTICES).filter_map(|(key, value)| read_row(key, value?)).collect())
    }
}

impl Board {
    /// The notices of a store that are not over, without those that are.
    pub fn of(store: &Store, now: u64) -> Result<Self, NodeError> {
        let board = Self::default();
        let mut over = Batch::new(Origin::Foreign);
        let mut after: Option<Key> = None;
        loop {
            let page = store.scan(&Range::Custom(NOTICES.into()), after.as_ref(), ROWS)?;
            let more = page.len() == ROWS;
            for (key, value) in page {
                let Key::Custom { key: bytes, .. } = &key else { continue };
                match read_row(bytes, &value).filter(|(_, _, notice)| now < notice.until) {
                    Some((feed, entry, notice)) => {
                        lock(&board.0).insert((feed, entry), notice);
                    }
                    None => {
                        over.delete(key.clone());
                    }
                }
                after = Some(key);
            }
            if !more {
                break;
            }
        }
        if !over.is_empty() {
            store.commit(over)?;
        }
        Ok(board)
    }

    /// Takes in what a batch brought, once it is durable.
    pub fn take(&self, brought: Notices) {
        if !brought.0.is_empty() {
            let known = brought.0.into_iter().map(|(feed, entry, notice)| ((feed, entry), notice));
            lock(&self.0).extend(known);
        }
    }

    /// Those in force, the most urgent first, then those that began last.
    fn in_force(&self, now: u64, place: Option<&PlaceFilter>) -> Vec<(FeedId, EntryId)> {
        let mut board = lock(&self.0);
        board.retain(|_, notice| now < notice.until);
        // Without an area it counts where its owner is, which is looked up when it is shown.
        let counts = |notice: &Notice| notice.in_force(now) && (notice.area.is_empty() || is_at(notice, place));
        let mut found: Vec<(&(FeedId, EntryId), &Notice)> = board.iter().filter(|(_, notice)| counts(notice)).collect();
        found.sort_by_key(|(key, notice)| (notice.urgency, std::cmp::Reverse(notice.from), **key));
        found.into_iter().map(|(key, _)| *key).collect()
    }
}

/// Adds the row of a notice to the batch that stores its projection; of any other kind nothing.
pub(crate) fn put(batch: &mut Batch, feed: &FeedId, id: &EntryId, json: &[u8]) {
    if !json.starts_with(BEGINNING) {
        return;
    }
    let notice = catalog::read_entry(id, json).ok().and_then(|entry| Notice::of(&entry, None));
    match notice {
        Some(notice) => {
            let row = Row {
                feed: *feed,
                area: notice.area.iter().map(Ars::to_string).collect(),
                topics: notice.topics,
                from: notice.from,
                until: notice.until,
                urgency: notice.urgency as u8,
            };
            batch.put(key(feed, id), rows::encode(&row));
        }
        None => forget(batch, feed, id),
    }
}

/// Deletes the row of an entry that may be a notice.
pub(crate) fn forget(batch: &mut Batch, feed: &FeedId, entry: &EntryId) {
    batch.delete(key(feed, entry));
}

fn key(feed: &FeedId, entry: &EntryId) -> Key {
    Key::Custom { table: NOTICES.into(), key: [feed.collection.0, entry.0].concat() }
}

fn read_row(key: &[u8], value: &[u8]) -> Option<(FeedId, EntryId, Notice)> {
    let row: Row = rows::decode("a notice", value).ok()?;
    let urgency =
        [Urgency::Alarm, Urgency::Warning, Urgency::Info].into_iter().find(|urgency| *urgency as u8 == row.urgency)?;
    let notice = Notice {
        area: row.area.iter().filter_map(|ars| ars.parse().ok()).collect(),
        topics: row.topics,
        from: row.from,
        until: row.until,
        urgency,
    };
    Some((row.feed, EntryId::from_slice(key.get(16..)?)?, notice))
}

/// Whether a notice counts at a place, under any of its keys; without a place everywhere.
fn is_at(notice: &Notice, place: Option<&PlaceFilter>) -> bool {
    place.is_none_or(|place| std::iter::once(&place.ars).chain(&place.also).any(|key| notice.is_at(Some(key))))
}

/// What an entry is about.
pub(crate) fn about<'a>(entry: &'a Entry, language: &str) -> About<'a> {
    let mut words = entry.words("keywords", language);
    words.extend(entry.title(language));
    words.extend(entry.words("alternative_titles", language));
    About { leika: entry.list("leika"), life_events: entry.list("life_events"), words }
}

/// Public notices in force at a place, about an entry if one is named.
pub(crate) fn public(
    shared: &Shared,
    place: Option<&Ars>,
    entry: Option<&str>,
    language: &str,
) -> Result<Vec<NoticeInfo>, NodeError> {
    let now = clock::now();
    let table = Arc::clone(&read(&shared.places));
    let place = place.map(|ars| places::filter(&table, ars, None, Some(dates::today(now))));
    let place = place.as_ref();
    let Some(id) = entry else { return at(shared, place, None, language, now, true) };
    let id = short::entry_id(shared, id)?;
    let held = catalog::find(shared, &id)?;
    let entry = held.map_or(Ok(None), |held| held.entry(&id, false))?.unwrap_or_default();
    at(shared, place, Some(&about(&entry, language)), language, now, true)
}

/// The notices in force at a place: of whoever speaks for it, and our own; without a place those of our own organisation.
/// `matter` leaves out those on other topics; `public_only` those not everybody may read.
pub(crate) fn at(
    shared: &Shared,
    place: Option<&PlaceFilter>,
    matter: Option<&About<'_>>,
    language: &str,
    now: u64,
    public_only: bool,
) -> Result<Vec<NoticeInfo>, NodeError> {
    let mut shown = Vec::new();
    for (feed, id) in shared.boards.notices.in_force(now, place) {
        let own = feed.organisation == shared.own.organisation;
        let speaks = own || place.is_some_and(|place| speaks_for(shared, &feed.organisation, place));
        if !speaks || public_only && !shared.is_public(&feed) {
            continue;
        }
        // It may have been withdrawn, moved or changed meanwhile: what is shown is what is published now.
        let Some(held) = catalog::find_of(shared, &feed.organisation, &id)?.filter(|held| held.feed == feed) else {
            continue;
        };
        let Some(entry) = held.entry(&id, false)?.filter(|entry| entry.kind() == Kind::Notice) else { continue };
        let Some(notice) = Notice::of(&entry, claim(shared, &feed.organisation)) else { continue };
        let matches = matter.is_none_or(|matter| notice.is_about(&matter.leika, &matter.life_events, &matter.words));
        if !notice.in_force(now) || !is_at(&notice, place) || !matches {
            continue;
        }
        let text = |field: Option<&serde_json::Value>| {
            field.and_then(|field| ortsnetz_service::spoken_text(field, language)).map(|(_, text)| text.to_owned())
        };
        let body =
            ["summary", "teaser", "description"].into_iter().find_map(|name| text(entry.get("texts")?.get(name)));
        shown.push(NoticeInfo {
            id: id.to_string(),
            organisation: shared.organisation_info(&feed.organisation),
            title: text(entry.get("title")).unwrap_or_default(),
            text: body.unwrap_or_default(),
            urgency: notice.urgency.word().into(),
            area: notice.area.iter().map(Ars::to_string).collect(),
            topics: notice.topics,
            from: (notice.from > 0).then(|| rfc3339(notice.from)),
            until: rfc3339(notice.until),
            heads: texts(held.record.record().heads().unwrap_or_default()),
        });
        if shown.len() == NOTICES_SHOWN_MAX {
            break;
        }
    }
    Ok(shown)
}
