//! Answers what a partner asks while somebody there searches: from our own published entries, as far as it may read them. The
//! words are written down nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use ortsnetz_model::{EntryId, FeedId, Kind, NodeId, OrgId};
use ortsnetz_net::Answerer;

use super::limits::{ANSWER_BYTES_MAX, ENTRIES_MAX, QUESTIONS_PER_MINUTE_MAX};
use super::wire::{Answer, Entry, Question};
use crate::answering;
use crate::clock;
use crate::dto::{AnswersRequest, SearchRequest};
use crate::error::NodeError;
use crate::leaving;
use crate::searching::{self, Scope};
use crate::shared::{Shared, lock, read};

/// Entries looked for in answer to one question.
const HITS: usize = 10;
/// Of the first so many, offices, online services and who is responsible come along.
const COMPOSED: usize = 3;

/// How often each organisation asked in this minute.
#[derive(Debug, Default)]
pub(crate) struct Quota(Mutex<(u64, BTreeMap<OrgId, u32>)>);

impl Quota {
    /// Whether it may ask once more at `now`, milliseconds since 1970.
    fn takes(&self, now: u64, organisation: &OrgId) -> bool {
        let mut counted = lock(&self.0);
        if counted.0 != now / 60_000 {
            *counted = (now / 60_000, BTreeMap::new());
        }
        let times = counted.1.entry(*organisation).or_default();
        *times += 1;
        *times <= QUESTIONS_PER_MINUTE_MAX
    }
}

/// Answers a question, off the loop.
pub(crate) fn answer(shared: &Arc<Shared>, peer: NodeId, bytes: Vec<u8>, answerer: Answerer) {
    let shared = shared.clone();
    tokio::task::spawn_blocking(move || {
        let Some(organisation) = shared.organisation_of(&peer) else { return };
        let answer = reply(&shared, &organisation, &bytes);
        answerer
            .send(answer.unwrap_or_else(|refused| Answer { refused: Some(refused), ..Answer::default() }).to_bytes());
    });
}

fn reply(shared: &Shared, asker: &OrgId, bytes: &[u8]) -> Result<Answer, String> {
    if !shared.live.quota.takes(clock::now(), asker) {
        return Err(format!("more than {QUESTIONS_PER_MINUTE_MAX} questions in a minute"));
    }
    let question = Question::from_bytes(bytes)?;
    let feeds = readable(shared, asker, &question)?;
    found(shared, &question, &feeds).map_err(|error| {
        tracing::debug!(%error, "a question of a partner could not be answered");
        error.to_string()
    })
}

/// Our feeds that the question names and the asker may read.
fn readable(shared: &Shared, asker: &OrgId, question: &Question) -> Result<BTreeSet<FeedId>, String> {
    let organisation = shared.own.organisation;
    let ended = read(&shared.partners).get(asker).is_none_or(|partner| partner.ended);
    if *asker != organisation && ended || [asker, &organisation].iter().any(|id| leaving::has_left(shared, id)) {
        return Err("no partnership".to_owned());
    }
    let own = shared.identity();
    let asked = question.collections.iter().filter(|collection| own.can_read(collection, asker));
    Ok(asked.map(|collection| FeedId { organisation, collection: *collection }).collect())
}

fn found(shared: &Shared, question: &Question, feeds: &BTreeSet<FeedId>) -> Result<Answer, NodeError> {
    let mut ids: Vec<EntryId> = Vec::new();
    let mut add = |id: &str| {
        if let Ok(id) = id.parse()
            && !ids.contains(&id)
        {
            ids.push(id);
        }
    };
    let request = SearchRequest {
        q: question.words.clone(),
        place: question.place.clone(),
        on: question.on.clone(),
        kind: question.kind.clone(),
        lang: question.language.clone(),
        organisation: Some(shared.own.organisation.to_string()),
        limit: Some(HITS),
        ..SearchRequest::default()
    };
    let hits = searching::search(shared, &request, Scope::Feeds(feeds))?.hits;
    hits.iter().for_each(|hit| add(&hit.id));
    for hit in hits.iter().filter(|hit| hit.kind == Kind::Service.as_str()).take(COMPOSED) {
        let request = AnswersRequest {
            id: Some(hit.id.clone()),
            place: question.place.clone(),
            on: question.on.clone(),
            lang: question.language.clone(),
            limit: Some(1),
            ..AnswersRequest::default()
        };
        // Not every entry answers something.
        let Ok(composed) = answering::answers(shared, &request) else { continue };
        answering::told_by(&composed).iter().for_each(|id| add(id));
    }
    if let Some(profile) = answering::profile_of(shared, &shared.own.organisation)? {
        add(&profile.to_string());
    }
    let mut answer = Answer::default();
    let mut bytes = 0;
    for (id, feed) in ids.iter().flat_map(|id| feeds.iter().map(move |feed| (id, feed))) {
        if let Some(entry) = entry(shared, feed, id)? {
            add_if_it_fits(&mut answer, &mut bytes, entry);
        }
    }
    Ok(answer)
}

fn add_if_it_fits(answer: &mut Answer, bytes: &mut usize, entry: Entry) {
    if answer.entries.len() < ENTRIES_MAX && *bytes + entry.bytes() <= ANSWER_BYTES_MAX {
        *bytes += entry.bytes();
        answer.entries.push(entry);
    }
}

/// A published entry as it is given away; `None` if it is not in this feed.
fn entry(shared: &Shared, feed: &FeedId, id: &EntryId) -> Result<Option<Entry>, NodeError> {
    let Some((record, document)) = shared.store.record_with_document(feed, id)? else { return Ok(None) };
    if !record.document {
        return Ok(None);
    }
    let chunks = document.chunks.into_iter().map(Into::into).collect();
    Ok(Some(Entry { collection: feed.collection, record: record.bytes.into(), chunks }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_so_many_entries_and_bytes_and_no_more() {
        let entry = |bytes: usize| Entry {
            collection: ortsnetz_model::CollectionId([1; 16]),
            record: vec![1; bytes].into(),
            chunks: Vec::new(),
        };
        let (mut answer, mut bytes) = (Answer::default(), 0);
        for size in [ANSWER_BYTES_MAX - 10, 11, 10, 1] {
            add_if_it_fits(&mut answer, &mut bytes, entry(size));
        }
        assert_eq!(answer.entries.iter().map(Entry::bytes).collect::<Vec<_>>(), [ANSWER_BYTES_MAX - 10, 10]);
        let (mut answer, mut bytes) = (Answer::default(), 0);
        (0..=ENTRIES_MAX).for_each(|_| add_if_it_fits(&mut answer, &mut bytes, entry(1)));
        assert_eq!(answer.entries.len(), ENTRIES_MAX);
    }

    #[test]
    fn an_organisation_asks_so_often_in_a_minute_and_no_more() {
        let (quota, [one, other]) = (Quota::default(), [OrgId([1; 32]), OrgId([2; 32])]);
        assert!((0..QUESTIONS_PER_MINUTE_MAX).all(|_| quota.takes(59_999, &one)));
        assert!(!quota.takes(59_999, &one) && quota.takes(59_999, &other) && quota.takes(60_000, &one));
    }
}
