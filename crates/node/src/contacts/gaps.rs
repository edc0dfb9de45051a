//! What is missing: words without a hit, required topics, fees, offices, reviews; and what is overdue or there twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;

use ortsnetz_model::dates::{self, parse_date};
use ortsnetz_model::{Entry, EntryId, Kind, OrgId};
use ortsnetz_service::figures::SMALL_BELOW;
use ortsnetz_service::journal::{Month, local};
use ortsnetz_service::{Facts, Freshness, judge};
use ortsnetz_store::{Batch, Key, Origin, Range, Side};
use ortsnetz_trust::record::SignedRecord;
use serde_json::Value;

use crate::agreements;
use crate::answering::matters::{self, Sought};
use crate::catalog;
use crate::clock;
use crate::dto::{
    AnswersRequest, AnswersResult, Counted, Duplicate, EntryName, Figure, Gaps, Incomplete, MissingRequired, Overdue,
    SearchRequest, SearchResult,
};
use crate::error::NodeError;
use crate::rows::{self, ProjectionRow};
use crate::shared::{Shared, lock};

/// Table of words that were sought often without a hit: key is month and word, value how often.
const WORDS: &str = "missing_words";
/// Words remembered until they are sought often; when there are more, all are forgotten.
const WORDS_MAX: usize = 10_000;
/// Shortest and longest word that is counted, in characters.
const WORD_CHARS: std::ops::RangeInclusive<usize> = 3..=40;
/// Most rows of each list.
pub(crate) const GAPS_MAX: usize = 1_000;
/// Rows read at once.
const ROWS: usize = 256;

/// Words that were sought without a hit and not often yet. They lie nowhere but here, and are gone with the process: what few
/// people type may be somebody's name.
#[derive(Default)]
pub(crate) struct Missed(Mutex<HashMap<(Month, String), u64>>);

/// Looks at what came of a search of an agent here: words without a hit are counted, unless they are still being typed.
pub(crate) fn sought(shared: &Shared, request: &SearchRequest, found: &SearchResult) {
    if found.total == 0 && !request.typing {
        missed(shared, &request.q);
    }
}

/// The same for a question.
pub(crate) fn asked(shared: &Shared, request: &AnswersRequest, found: &AnswersResult) {
    if found.total == 0 && found.places.is_empty() && found.answers.is_empty() {
        missed(shared, &request.q);
    }
}

/// Counts the words of a question for which nothing was found. The question itself is kept nowhere.
fn missed(shared: &Shared, question: &str) {
    if !shared.search.is_current() {
        // The index is being made anew: nothing is found because nobody knows yet.
        return;
    }
    let month = Month::of(local(clock::now()).date());
    let mut often = Vec::new();
    {
        let mut known = lock(&shared.boards.missed.0);
        if known.len() >= WORDS_MAX {
            known.clear();
        }
        for word in words(question) {
            let count = known.entry((month, word.clone())).or_default();
            *count += 1;
            if *count >= SMALL_BELOW {
                often.push(word);
            }
        }
    }
    let mut batch = Batch::new(Origin::Own);
    for word in often {
        let key = word_key(month, &word);
        let before =
            shared.store.get(&key).ok().flatten().and_then(|bytes| Some(u64::from_be_bytes(bytes.try_into().ok()?)));
        batch.put(key, before.map_or(SMALL_BELOW, |before| before + 1).to_be_bytes());
    }
    if !batch.is_empty() {
        shared.store.submit(batch, |result| {
            if let Err(error) = result {
                tracing::warn!(%error, "a word without a hit could not be counted");
            }
        });
    }
}

/// The words of a question as they are counted: letters only, small, each once.
fn words(question: &str) -> BTreeSet<String> {
    let plain = |word: &&str| WORD_CHARS.contains(&word.chars().count()) && word.chars().all(char::is_alphabetic);
    let separate = |c: char| c.is_whitespace() || c == ',' || c == '?' || c == '!';
    question.split(separate).filter(plain).map(str::to_lowercase).collect()
}

fn word_key(month: Month, word: &str) -> Key {
    Key::Custom { table: WORDS.into(), key: format!("{month}{word}").into_bytes() }
}

/// The words of this month and the last, the most frequent first. Older ones are deleted.
fn missing_words(shared: &Shared) -> Result<Vec<Counted>, NodeError> {
    let month = Month::of(local(clock::now()).date());
    let last = Month::of(month.first().yesterday().unwrap_or(month.first()));
    let mut old = Batch::new(Origin::Own);
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for (key, value) in shared.store.scan(&Range::Custom(WORDS.into()), None, usize::MAX)? {
        let Key::Custom { key: bytes, .. } = &key else { continue };
        let text = String::from_utf8_lossy(bytes);
        let Some((of, word)) = text.split_at_checked(7) else { continue };
        if of.parse::<Month>().is_ok_and(|of| of == month || of == last) {
            let count = value.try_into().map_or(0, u64::from_be_bytes);
            *counts.entry(word.to_owned()).or_default() += count;
        } else {
            old.delete(key);
        }
    }
    if !old.is_empty() {
        shared.store.commit(old)?;
    }
    let mut all: Vec<(String, u64)> = counts.into_iter().collect();
    all.sort_by(|one, other| (other.1, &one.0).cmp(&(one.1, &other.0)));
    let told = |(word, count): (String, u64)| Counted { name: word.clone(), key: word, count: Figure::Number(count) };
    Ok(all.into_iter().take(GAPS_MAX).map(told).collect())
}

/// `reports gaps`: of our own entries, and of those of towns we answer for.
pub(crate) fn gaps(shared: &Shared) -> Result<Gaps, NodeError> {
    let mut gaps = Gaps { words: missing_words(shared)?, ..Gaps::default() };
    let own = shared.own.organisation;
    let mut owners = vec![own];
    for agreement in agreements::list(shared)? {
        let detail = agreements::show(shared, &agreement.id)?;
        if let Some(required) = detail.required.filter(|required| required.complete < required.total) {
            gaps.required.push(MissingRequired {
                agreement: agreement.id,
                title: agreement.title,
                partner: agreement.partner.clone(),
                required,
            });
        }
        let partner: Option<OrgId> = agreement.partner.id.parse().ok();
        owners.extend(partner.filter(|partner| agreement.we_answer && !owners.contains(partner)));
    }
    for owner in owners {
        look(shared, &owner, &mut gaps)?;
    }
    for list in [gaps.incomplete.len(), gaps.overdue.len(), gaps.duplicates.len()] {
        gaps.cut |= list >= GAPS_MAX;
    }
    Ok(gaps)
}

/// Looks at everything one owner published.
fn look(shared: &Shared, owner: &OrgId, gaps: &mut Gaps) -> Result<(), NodeError> {
    let now = clock::now();
    let name = shared.organisation_name(owner);
    let mut same: BTreeMap<(String, String), Vec<EntryName>> = BTreeMap::new();
    for feed in catalog::feeds_of(shared, owner) {
        if catalog::is_draft_feed(shared, &feed) {
            continue;
        }
        let range = Range::Projections(Side::Published, feed.collection);
        let mut after: Option<Key> = None;
        loop {
            let page = shared.store.scan(&range, after.as_ref(), ROWS)?;
            let more = page.len() == ROWS;
            for (key, value) in page {
                after = Some(key.clone());
                let Key::Projection { entry: id, .. } = key else { continue };
                let row: ProjectionRow = rows::decode("a projection", &value)?;
                if catalog::is_companion(shared, &feed, &row) {
                    continue;
                }
                let entry = catalog::read_entry(&id, &row.json)?;
                if matches!(entry.kind(), Kind::Journal | Kind::Agreement | Kind::Notice | Kind::Unknown(_)) {
                    continue;
                }
                let called = EntryName {
                    id: id.to_string(),
                    title: entry.title("de").unwrap_or_default().to_owned(),
                    owner: name.clone(),
                };
                let published = shared.store.record(&feed, &id)?;
                let record = published.and_then(|row| SignedRecord::from_bytes(&row.bytes).ok());
                let reviewed_at = record.map_or(now, |record| record.record().at);
                if gaps.overdue.len() < GAPS_MAX
                    && let Some(overdue) = overdue(&entry, &called, reviewed_at, now)
                {
                    gaps.overdue.push(overdue);
                }
                if entry.kind() == Kind::Service {
                    let missing = missing(shared, owner, &id, &entry)?;
                    if !missing.is_empty() && gaps.incomplete.len() < GAPS_MAX {
                        gaps.incomplete.push(Incomplete { entry: called.clone(), missing });
                    }
                    let places: Vec<&str> = entry.list("valid_for");
                    let places = if places.is_empty() { vec![""] } else { places };
                    for leika in entry.list("leika") {
                        for place in &places {
                            same.entry((leika.to_owned(), (*place).to_owned())).or_default().push(called.clone());
                        }
                    }
                }
            }
            if !more {
                break;
            }
        }
    }
    let twice = same.into_iter().filter(|(_, entries)| entries.len() > 1);
    let twice = twice.map(|((leika, place), entries)| Duplicate { leika, place, entries });
    let room = GAPS_MAX - gaps.duplicates.len().min(GAPS_MAX);
    gaps.duplicates.extend(twice.take(room));
    Ok(())
}

fn missing(shared: &Shared, owner: &OrgId, id: &EntryId, entry: &Entry) -> Result<Vec<String>, NodeError> {
    let has = |name: &str| match entry.get(name) {
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Object(fields)) => !fields.is_empty(),
        Some(Value::Null) | None => false,
        Some(_) => true,
    };
    let mut missing = Vec::new();
    if !has("fees") {
        missing.push("fee".to_owned());
    }
    if !has("offices") {
        let mut sought = vec![Sought::For(*id)];
        let keys = entry.list("leika");
        sought.extend(keys.iter().map(|key| Sought::Leika(key)));
        let mut responsible = false;
        for sought in sought {
            responsible |= !matters::of(shared, sought, owner)?.is_empty();
        }
        if !responsible {
            missing.push("office".to_owned());
        }
    }
    if entry.next_review().is_none() {
        missing.push("review".to_owned());
    }
    Ok(missing)
}

fn overdue(entry: &Entry, called: &EntryName, reviewed_at: u64, now: u64) -> Option<Overdue> {
    let next_review = entry.next_review().map(str::to_owned);
    let due = next_review.as_deref().and_then(parse_date).map(dates::end_of);
    let (freshness, _) = judge(&Facts { reviewed_at, next_review: due, checkpoint_at: None }, now);
    let state = match (freshness, due) {
        (Freshness::Stale, Some(_)) => "overdue",
        (Freshness::Stale, None) => "stale",
        _ => return None,
    };
    Some(Overdue { entry: called.clone(), next_review, state: state.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_without_what_may_be_somebody() {
        let all: Vec<String> =
            words("Zwetschgensteuer, Hund? hund 02241 a.muster@example.org ab 4711x").into_iter().collect();
        assert_eq!(all, ["hund", "zwetschgensteuer"]);
    }
}
