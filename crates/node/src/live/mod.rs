//! Asks the owners of collections that are not replicated here while somebody searches. What they answer is verified as if it had
//! been replicated, lies here for a quarter of an hour so that it can be shown and answered from, and is deleted again.
//! Whoever is silent is named; nobody waits longer than the deadline.

mod limits;
mod serve;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use ortsnetz_model::{EntryId, FeedId, NodeId, OrgId};
use ortsnetz_net::Topic;
use ortsnetz_search::{PlaceFilter, Standing};
use tokio::task::JoinSet;

use limits::{ASKED_MAX, BORROWED_MAX, COLLECTIONS_MAX, DEADLINE_MS_MAX};
pub(crate) use serve::answer;
use wire::{Answer, Question};

use crate::accepting;
use crate::clock;
use crate::dto::{AnswersRequest, Completeness, SearchRequest};
use crate::erasing;
use crate::error::NodeError;
use crate::following;
use crate::partners::look;
use crate::places;
use crate::reading::parse_on;
use crate::searching::standing;
use crate::shared::{Shared, lock};
use crate::storing;

/// How long an answer is waited for, if nobody says otherwise, in milliseconds.
const DEADLINE_MS: u64 = 1_500;
/// How long what was answered lies here.
const BORROWED_FOR: Duration = Duration::from_secs(15 * 60);
/// Between two looks for what lies here too long.
const EVERY: Duration = Duration::from_secs(60);
/// How long the index may take for what was answered.
const SETTLE: Duration = Duration::from_secs(2);

/// What lies here for a while, and since when.
type Borrowed = BTreeMap<(FeedId, EntryId), Instant>;

/// What lies here for a while, and who asked how often.
#[derive(Default)]
pub(crate) struct Live {
    borrowed: Mutex<Borrowed>,
    quota: serve::Quota,
}

/// What is looked for.
pub(crate) struct Wanted {
    words: String,
    places: Vec<String>,
    on: Option<String>,
    kind: Option<String>,
    language: Option<String>,
    organisation: Option<String>,
    deadline: Duration,
}

impl Wanted {
    /// What a search is about; `None` while somebody types: nobody is asked at each key.
    pub fn of_search(request: &SearchRequest) -> Option<Self> {
        (!request.typing).then(|| Self {
            words: request.q.clone(),
            places: request.place.iter().cloned().collect(),
            on: request.on.clone(),
            kind: request.kind.clone(),
            language: request.lang.clone(),
            organisation: request.organisation.clone(),
            deadline: deadline(request.deadline_ms),
        })
    }

    /// What an answer is about; `None` if it begins with an entry that is here.
    pub fn of_answers(request: &AnswersRequest) -> Option<Self> {
        let places = [&request.place, &request.from, &request.to];
        request.id.as_ref().is_none_or(String::is_empty).then(|| Self {
            words: request.q.clone(),
            places: places.into_iter().flatten().cloned().collect(),
            on: request.on.clone(),
            kind: None,
            language: request.lang.clone(),
            organisation: None,
            deadline: deadline(request.deadline_ms),
        })
    }
}

fn deadline(ms: Option<u64>) -> Duration {
    Duration::from_millis(ms.unwrap_or(DEADLINE_MS).clamp(1, DEADLINE_MS_MAX))
}

/// Whom to ask what.
struct Asked {
    organisation: OrgId,
    nodes: Vec<NodeId>,
    question: Vec<u8>,
}

/// Asks everybody who may know, and takes in what comes before the deadline. Says who was asked and who was silent; `None` if there
/// was nobody to ask. Dropped, it asks no further.
pub(crate) async fn ask(shared: &Arc<Shared>, wanted: Wanted) -> Option<Completeness> {
    if shared.following.live().is_empty() {
        return None;
    }
    let until = tokio::time::Instant::now() + wanted.deadline;
    let asking = shared.clone();
    let asked = tokio::task::spawn_blocking(move || whom(&asking, &wanted)).await.ok()?;
    let asked = asked.map_err(|error| tracing::debug!(%error, "nobody is asked live")).ok()?;
    if asked.is_empty() {
        return None;
    }
    let mut silent: BTreeMap<OrgId, String> =
        asked.iter().map(|asked| (asked.organisation, shared.organisation_name(&asked.organisation))).collect();
    let mut completeness = Completeness { asked: asked.len() as u64, ..Completeness::default() };
    // Whoever is not waited for any more is not asked any more: dropped, the set ends its tasks.
    let mut answers: JoinSet<_> = asked.into_iter().map(|asked| one(shared.clone(), asked)).collect();
    let mut fresh: Vec<(FeedId, Vec<EntryId>)> = Vec::new();
    while let Ok(Some(answered)) = tokio::time::timeout_at(until, answers.join_next()).await {
        let Ok((organisation, brought)) = answered else { continue };
        match brought {
            Ok(entries) => {
                silent.remove(&organisation);
                fresh.extend(entries);
            }
            Err(reason) => tracing::debug!(%organisation, reason, "a partner was asked live in vain"),
        }
    }
    drop(answers);
    if !fresh.is_empty() {
        let shared = shared.clone();
        let _ = tokio::task::spawn_blocking(move || shared.search.settle(fresh, SETTLE)).await;
    }
    completeness.answered = completeness.asked - silent.len() as u64;
    completeness.missing = silent.into_values().collect();
    completeness.missing.sort();
    Some(completeness)
}

/// Asks one organisation: its nodes in turn, until one answers.
async fn one(shared: Arc<Shared>, asked: Asked) -> (OrgId, Result<Vec<(FeedId, Vec<EntryId>)>, String>) {
    let organisation = asked.organisation;
    let mut failed = "none of its nodes is connected".to_owned();
    for node in asked.nodes {
        let bytes = match shared.net.ask(node, Topic::Find, &asked.question).await {
            Ok(bytes) => bytes,
            Err(error) => {
                failed = error.to_string();
                continue;
            }
        };
        let taking = shared.clone();
        let taken = tokio::task::spawn_blocking(move || take(&taking, organisation, node, &bytes)).await;
        match taken {
            Ok(Ok(entries)) => return (organisation, Ok(entries)),
            Ok(Err(error)) => failed = error.to_string(),
            Err(error) => failed = error.to_string(),
        }
    }
    (organisation, Err(failed))
}

/// Who is asked: the owners of what is asked live, at a place only those who speak for it or beside whom it lies.
fn whom(shared: &Shared, wanted: &Wanted) -> Result<Vec<Asked>, NodeError> {
    let on = parse_on(wanted.on.as_deref())?;
    let mut filters: Vec<PlaceFilter> = Vec::new();
    for place in wanted.places.iter().filter(|place| !place.trim().is_empty()) {
        // Where nothing is chosen nothing is asked either.
        filters.extend(places::asked(shared, place.trim(), on)?.only);
    }
    if filters.is_empty() && wanted.places.iter().any(|place| !place.trim().is_empty()) {
        return Ok(Vec::new());
    }
    let only = wanted.organisation.as_deref().filter(|name| !name.is_empty());
    let only = only.map(|name| crate::partners::find_organisation(shared, name)).transpose()?;
    let feeds = shared.following.live();
    let owners: BTreeSet<OrgId> = feeds.iter().map(|feed| feed.organisation).collect();
    let speaks = |owner: &OrgId, place: &PlaceFilter| {
        !matches!(standing(shared, owner, Some(place)), Standing::Elsewhere | Standing::Contradicted)
    };
    let peers = look(shared, |engine| engine.peers())?;
    let mut asked = Vec::new();
    for owner in owners.into_iter().filter(|owner| only.is_none_or(|only| only == *owner)) {
        let place = filters.iter().find(|place| speaks(&owner, place));
        if !filters.is_empty() && place.is_none() {
            continue;
        }
        let mut collections = following::collections_of(&feeds, &owner);
        collections.truncate(COLLECTIONS_MAX);
        let question = Question {
            collections,
            words: wanted.words.clone(),
            place: place.map(|place| place.ars.to_string()),
            on: wanted.on.clone(),
            kind: wanted.kind.clone(),
            language: wanted.language.clone(),
        };
        let publisher = shared.identity_of(&owner).and_then(|identity| identity.current_term()).map(|(_, node)| node);
        let mut nodes: Vec<NodeId> =
            peers.iter().filter(|peer| peer.organisation == owner).map(|peer| peer.node).collect();
        nodes.sort_by_key(|node| publisher.as_ref() != Some(node));
        asked.push(Asked { organisation: owner, nodes, question: question.to_bytes() });
    }
    asked.truncate(ASKED_MAX);
    Ok(asked)
}

/// Verifies what a node answered, and keeps what is good for a while.
fn take(
    shared: &Shared,
    organisation: OrgId,
    node: NodeId,
    bytes: &[u8],
) -> Result<Vec<(FeedId, Vec<EntryId>)>, NodeError> {
    let wrong =
        |what: &str| NodeError::Unavailable(format!("{} answers {what}", shared.organisation_name(&organisation)));
    let answer = Answer::from_bytes(bytes).ok_or_else(|| wrong("something that is no answer"))?;
    if let Some(refused) = answer.refused {
        let readable: String = refused.chars().filter(|c| !c.is_control()).take(200).collect();
        return Err(wrong(&readable));
    }
    let live = shared.following.live();
    let mut by_feed: BTreeMap<FeedId, Vec<ortsnetz_sync::Item>> = BTreeMap::new();
    for entry in answer.entries {
        let feed = FeedId { organisation, collection: entry.collection };
        if live.contains(&feed) {
            by_feed.entry(feed).or_default().push(entry.into_item());
        }
    }
    let mut fresh = Vec::new();
    for (feed, items) in by_feed {
        let outcomes = accepting::accept_answered(shared, &feed, items).map_err(|reason| wrong(&reason))?;
        let all: Vec<EntryId> = outcomes.iter().filter_map(|outcome| outcome.record.record().entry).collect();
        let kept = following::while_live(shared, &feed, || storing::borrow(shared, &feed, node, outcomes))?;
        let Some(kept) = kept else { continue };
        note(shared, &feed, &all)?;
        if !kept.is_empty() {
            fresh.push((feed, kept));
        }
    }
    Ok(fresh)
}

/// Notes that these entries lie here from now on for a while. Those of an organisation that lie here longest give way.
fn note(shared: &Shared, feed: &FeedId, entries: &[EntryId]) -> Result<(), NodeError> {
    let over = {
        let mut borrowed = lock(&shared.live.borrowed);
        let now = Instant::now();
        borrowed.extend(entries.iter().map(|entry| ((*feed, *entry), now)));
        surplus(&mut borrowed, &feed.organisation)
    };
    give_back(shared, over)
}

/// Takes those of an organisation out that lie here longest, as many as there are too many.
fn surplus(borrowed: &mut Borrowed, organisation: &OrgId) -> BTreeMap<FeedId, Vec<EntryId>> {
    let of_it = borrowed.iter().filter(|((of, _), _)| of.organisation == *organisation);
    let mut of_it: Vec<_> = of_it.map(|((of, entry), at)| (*at, *of, *entry)).collect();
    of_it.sort();
    let mut over = BTreeMap::new();
    for (_, of, entry) in of_it.iter().take(of_it.len().saturating_sub(BORROWED_MAX)) {
        borrowed.remove(&(*of, *entry));
        over.entry(*of).or_insert_with(Vec::new).push(*entry);
    }
    over
}

/// Nothing of this feed lies here for a while any more: the caller deletes it, or keeps it for good.
pub(crate) fn forget(shared: &Shared, feed: &FeedId) {
    lock(&shared.live.borrowed).retain(|(of, _), _| of != feed);
}

/// Deletes what lies here longer than it should, until the node stops.
pub(crate) async fn watch(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(shared) = shared.upgrade() else { return };
        let _ = tokio::task::spawn_blocking(move || expire(&shared, Instant::now())).await;
    }
}

fn expire(shared: &Shared, now: Instant) {
    let mut old: BTreeMap<FeedId, Vec<EntryId>> = BTreeMap::new();
    lock(&shared.live.borrowed).retain(|(feed, entry), at| {
        let stays = now.saturating_duration_since(*at) < BORROWED_FOR;
        if !stays {
            old.entry(*feed).or_default().push(*entry);
        }
        stays
    });
    if let Err(error) = give_back(shared, old) {
        tracing::warn!(%error, "what partners answered is deleted with the next start only");
    }
}

fn give_back(shared: &Shared, entries: BTreeMap<FeedId, Vec<EntryId>>) -> Result<(), NodeError> {
    for (feed, entries) in entries {
        // Somebody may keep the collection by now: then nothing is deleted.
        following::while_live(shared, &feed, || erasing::erase_entries(shared, &feed, &entries))?;
    }
    Ok(())
}

/// Adds what partners were asked to what this node knows itself.
pub(crate) fn add(completeness: &mut Completeness, live: Option<Completeness>) {
    if let Some(mut live) = live {
        completeness.asked += live.asked;
        completeness.answered += live.answered;
        completeness.missing.append(&mut live.missing);
    }
}

/// The time of a question, for the age of what was answered to it.
pub(crate) fn asked_at(shared: &Shared, feed: &FeedId, received_at: u64) -> Option<u64> {
    (shared.following.how(feed) == following::How::Live).then(|| received_at.min(clock::now()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ortsnetz_model::CollectionId;

    #[test]
    fn nobody_waits_longer_than_the_longest_deadline() {
        let ms = |given: Option<u64>| deadline(given).as_millis() as u64;
        assert_eq!([ms(None), ms(Some(DEADLINE_MS_MAX)), ms(Some(DEADLINE_MS_MAX + 1))], [1500, 10_000, 10_000]);
        assert_eq!(ms(Some(0)), 1);
    }

    #[test]
    fn what_lies_here_longest_gives_way_and_only_that_of_the_same_organisation() {
        let feed = |number: u8| FeedId { organisation: OrgId([number; 32]), collection: CollectionId([number; 16]) };
        let began = Instant::now();
        let entry = |number: usize| EntryId(std::array::from_fn(|at| (number >> (8 * (at % 2))) as u8));
        let mut borrowed: Borrowed = (0..BORROWED_MAX)
            .flat_map(|number| [1, 2].map(|of| ((feed(of), entry(number)), began + Duration::from_secs(number as u64))))
            .collect();
        assert!(surplus(&mut borrowed, &feed(1).organisation).is_empty());
        borrowed.insert((feed(1), entry(BORROWED_MAX)), began + Duration::from_secs(9_999));
        let over = surplus(&mut borrowed, &feed(1).organisation);
        assert_eq!(over, BTreeMap::from([(feed(1), vec![entry(0)])]));
        assert_eq!(borrowed.len(), 2 * BORROWED_MAX);
    }
}
