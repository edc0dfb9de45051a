//! Asking.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use ortsnetz_model::{CollectionId, EntryId, FeedId, Kind, OrgId};
use tantivy::index::SegmentId;
use tantivy::schema::Value as _;
use tantivy::{DocAddress, IndexReader, Searcher, SegmentReader, TantivyDocument};

use crate::area::Area;
use crate::document::{KEY_BYTES, Shown, day_number};
use crate::fields::{FEED, Fields};
use crate::index::{SearchError, disk_bytes};
use crate::lexicon::Lexicon;
use crate::limits::LIMIT_MAX;
use crate::plan::{Evidence, Plan, Planner};
use crate::query::{Hit, Hits, Matching, Query, Standing, Why};
use crate::rank::{Ranked, Ranking};

/// The reading side: cheap to clone, usable from any thread. It sees the last commit.
#[derive(Clone)]
pub struct Reader {
    shared: Arc<Shared>,
}

/// What the writing side and all readers share.
pub(crate) struct Shared {
    reader: IndexReader,
    pub fields: Fields,
    pub lexicon: Lexicon,
    dir: PathBuf,
    /// The feeds of each segment in the order of its column; a segment never changes.
    feeds: Mutex<HashMap<SegmentId, Arc<[FeedId]>>>,
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Answers a question. `standing` is asked once per feed: `None` means that whoever asks must not read it.
    pub fn search(&self, query: &Query, standing: &dyn Fn(&FeedId) -> Option<Standing>) -> Result<Hits, SearchError> {
        // tantivy trusts its files and may panic on a damaged one: that must not take a caller down.
        let answer = catch_unwind(AssertUnwindSafe(|| self.shared.search(query, standing)));
        answer.unwrap_or_else(|_| Err(SearchError::Index("reading it failed: it may be damaged".to_owned())))
    }

    /// How many entries the index holds.
    pub fn entries(&self) -> u64 {
        self.shared.searcher().num_docs()
    }

    /// How many bytes it takes on disk.
    pub fn disk_bytes(&self) -> u64 {
        disk_bytes(&self.shared.dir)
    }
}

impl Shared {
    pub fn new(reader: IndexReader, fields: Fields, lexicon: Lexicon, dir: PathBuf) -> Self {
        Self { reader, fields, lexicon, dir, feeds: Mutex::new(HashMap::new()) }
    }

    pub fn searcher(&self) -> Searcher {
        self.reader.searcher()
    }

    /// Makes the last commit visible.
    pub fn reload(&self) -> Result<(), SearchError> {
        self.reader.reload()?;
        let searcher = self.searcher();
        let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        feeds.retain(|id, _| searcher.segment_readers().iter().any(|segment| segment.segment_id() == *id));
        Ok(())
    }

    fn search(&self, query: &Query, standing: &dyn Fn(&FeedId) -> Option<Standing>) -> Result<Hits, SearchError> {
        let searcher = self.searcher();
        let ranking = Ranking {
            place: query.place.as_ref().map(|place| Area::of(&place.ars)),
            also: query.place.iter().flat_map(|place| &place.also).map(Area::of).collect(),
            on: query.on.map(day_number),
            standings: self.standings(&searcher, query, standing)?,
            limit: query.limit.clamp(1, LIMIT_MAX),
        };
        let planner = Planner::new(&searcher, &self.fields, &self.lexicon, query);
        let mut matching = Matching::AllWords;
        let mut plan = planner.exact()?;
        let (mut best, mut total) = self.run(&searcher, plan.as_ref(), &ranking)?;
        if total == 0
            && let Some(forgiving) = planner.forgiving()?
        {
            (best, total) = self.run(&searcher, Some(&forgiving), &ranking)?;
            (matching, plan) = (Matching::TypingMistakes, Some(forgiving));
        }
        if total == 0
            && let Some(any) = planner.some_words()?
        {
            (best, total) = self.run(&searcher, Some(&any), &ranking)?;
            (matching, plan) = (Matching::SomeWords, Some(any));
        }
        let mut why = match &plan {
            Some(plan) => reasons(&searcher, &best, &plan.evidence)?,
            None => vec![Vec::new(); best.len()],
        };
        let mut hits = Vec::with_capacity(best.len());
        for (ranked, why) in best.iter().zip(why.iter_mut()) {
            hits.extend(self.hit(&searcher, ranked, std::mem::take(why), &query.language)?);
        }
        Ok(Hits { hits, total, matching, ignored_words: planner.ignored_words() })
    }

    fn run(
        &self,
        searcher: &Searcher,
        plan: Option<&Plan>,
        ranking: &Ranking,
    ) -> Result<(Vec<Ranked>, usize), SearchError> {
        match plan {
            Some(plan) => Ok(searcher.search(&plan.query, ranking)?),
            None => Ok((Vec::new(), 0)),
        }
    }

    /// For each segment the standing of its feeds; each feed is asked about once.
    fn standings(
        &self,
        searcher: &Searcher,
        query: &Query,
        standing: &dyn Fn(&FeedId) -> Option<Standing>,
    ) -> Result<Vec<Arc<[Option<Standing>]>>, SearchError> {
        let wanted = |feed: &FeedId| {
            query.organisations.as_ref().is_none_or(|wanted| wanted.contains(&feed.organisation))
                && query.collections.as_ref().is_none_or(|wanted| wanted.contains(&feed.collection))
        };
        let mut asked: HashMap<FeedId, Option<Standing>> = HashMap::new();
        let mut ask =
            |feed: &FeedId| *asked.entry(*feed).or_insert_with(|| if wanted(feed) { standing(feed) } else { None });
        let segments = searcher.segment_readers().iter();
        segments.map(|segment| Ok(self.feeds(segment)?.iter().map(&mut ask).collect())).collect()
    }

    fn feeds(&self, segment: &SegmentReader) -> Result<Arc<[FeedId]>, SearchError> {
        let mut known = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(feeds) = known.get(&segment.segment_id()) {
            return Ok(Arc::clone(feeds));
        }
        let mut feeds = Vec::new();
        if let Some(column) = segment.fast_fields().bytes(FEED)? {
            let mut key = Vec::new();
            for ordinal in 0..column.num_terms() as u64 {
                key.clear();
                column.ord_to_bytes(ordinal, &mut key)?;
                feeds.push(feed(&key).ok_or_else(damaged)?);
            }
        }
        let feeds: Arc<[FeedId]> = feeds.into();
        known.insert(segment.segment_id(), Arc::clone(&feeds));
        Ok(feeds)
    }

    fn hit(
        &self,
        searcher: &Searcher,
        ranked: &Ranked,
        why: Vec<Why>,
        language: &str,
    ) -> Result<Option<Hit>, SearchError> {
        let document: TantivyDocument = searcher.doc(DocAddress::new(ranked.segment, ranked.doc))?;
        let bytes = document.get_first(self.fields.stored).and_then(|value| value.as_bytes()).ok_or_else(damaged)?;
        let (key, shown) = bytes.split_at_checked(KEY_BYTES).ok_or_else(damaged)?;
        let shown: Shown = serde_json::from_slice(shown).map_err(|_| damaged())?;
        let feed = feed(&key[..48]).ok_or_else(damaged)?;
        let in_language = |texts: &std::collections::BTreeMap<String, String>| {
            let found = [language, "de", "en"].into_iter().find_map(|language| texts.get(language));
            found.or_else(|| texts.values().next()).cloned().unwrap_or_default()
        };
        Ok(Some(Hit {
            id: EntryId::from_slice(&key[48..]).ok_or_else(damaged)?,
            organisation: feed.organisation,
            collection: feed.collection,
            kind: Kind::from(shown.kind.as_str()),
            title: in_language(&shown.title),
            summary: in_language(&shown.summary),
            valid_for: shown.valid_for,
            locality: ranked.locality,
            standing: ranked.standing,
            score: ranked.score,
            why,
            published_at: shown.published_at,
            received_at: shown.received_at,
            next_review: shown.next_review,
        }))
    }
}

fn feed(key: &[u8]) -> Option<FeedId> {
    let (organisation, collection) = key.split_at_checked(32)?;
    Some(FeedId { organisation: OrgId::from_slice(organisation)?, collection: CollectionId::from_slice(collection)? })
}

fn damaged() -> SearchError {
    SearchError::Index("an entry is damaged".to_owned())
}

/// Where each of the entries has the words.
fn reasons(searcher: &Searcher, best: &[Ranked], evidence: &[Evidence]) -> Result<Vec<Vec<Why>>, SearchError> {
    let mut reasons = vec![Vec::new(); best.len()];
    let mut order: Vec<usize> = (0..best.len()).collect();
    order.sort_unstable_by_key(|&index| (best[index].segment, best[index].doc));
    for in_segment in order.chunk_by(|&a, &b| best[a].segment == best[b].segment) {
        let segment = searcher.segment_reader(best[in_segment[0]].segment);
        for Evidence { why, term } in evidence {
            let index = segment.inverted_index(term.field())?;
            let Some(mut postings) = index.read_postings(term, tantivy::schema::IndexRecordOption::Basic)? else {
                continue;
            };
            for &hit in in_segment {
                if tantivy::DocSet::doc(&postings) < best[hit].doc {
                    tantivy::DocSet::seek(&mut postings, best[hit].doc);
                }
                if tantivy::DocSet::doc(&postings) == best[hit].doc && !reasons[hit].contains(why) {
                    reasons[hit].push(*why);
                }
            }
        }
    }
    reasons.iter_mut().for_each(|why| why.sort_unstable());
    Ok(reasons)
}
