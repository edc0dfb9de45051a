//! Asking.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ortsnetz_model::{CollectionId, EntryId, FeedId, Kind, OrgId};
use tantivy::index::SegmentId;
use tantivy::schema::Value as _;
use tantivy::{DocAddress, IndexReader, Searcher, SegmentReader, TantivyDocument};

use crate::area::Area;
use crate::document::{KEY_BYTES, Shown, day_number};
use crate::facets::{Counts, Sums};
use crate::fields::{FEED, Fields};
use crate::index::{SearchError, disk_bytes};
use crate::lexicon::Lexicon;
use crate::limits::LIMIT_MAX;
use crate::marks::Marker;
use crate::plan::{Evidence, Plan, Planner};
use crate::query::{Facets, Hit, Hits, How, Matching, Query, Reason, Standing, Why};
use crate::rank::{Found, Ranked, Ranking};
use crate::thesaurus::Thesaurus;

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
    thesaurus: Thesaurus,
    /// What organisations say means the same.
    synonyms: RwLock<Arc<Option<Thesaurus>>>,
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

    /// What marks the words of a question in the texts of a hit.
    pub fn marker(&self, query: &Query, hit: &Hit) -> Marker {
        Marker::new(self.shared.lexicon.clone(), query, &hit.reasons)
    }

    /// Replaces what organisations say means the same: groups of words, each found by all others of its group.
    pub fn set_synonyms(&self, groups: &[Vec<String>]) {
        let thesaurus = Thesaurus::of_groups(groups, &mut self.shared.lexicon.lock());
        *self.shared.synonyms.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Some(thesaurus));
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
        let thesaurus = Thesaurus::built_in(&mut lexicon.lock());
        let synonyms = RwLock::new(Arc::new(None));
        Self { reader, fields, lexicon, thesaurus, synonyms, dir, feeds: Mutex::new(HashMap::new()) }
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
            facets: query.facets,
        };
        let organisations = Arc::clone(&self.synonyms.read().unwrap_or_else(PoisonError::into_inner));
        let thesauri: Vec<&Thesaurus> =
            std::iter::once(&self.thesaurus).chain(Option::as_ref(&organisations)).collect();
        let planner = Planner::new(&searcher, &self.fields, &self.lexicon, &thesauri, query);
        let mut matching = Matching::AllWords;
        let mut plan = planner.exact()?;
        let mut found = self.run(&searcher, plan.as_ref(), &ranking)?;
        if found.total == 0
            && let Some(forgiving) = planner.forgiving()?
        {
            found = self.run(&searcher, Some(&forgiving), &ranking)?;
            (matching, plan) = (Matching::TypingMistakes, Some(forgiving));
        }
        // What has all words somewhere in its text is seldom what is meant: what is named by some of them may come first.
        if !found.named
            && let Some(some) = planner.some_words()?
        {
            let more = self.run(&searcher, Some(&some), &ranking)?;
            if more.total > found.total {
                found = more;
                (matching, plan) = (Matching::SomeWords, Some(some));
            }
        }
        let mut reasons = match &plan {
            Some(plan) => reasons(&searcher, &found.best, &plan.evidence)?,
            None => vec![Vec::new(); found.best.len()],
        };
        let mut hits = Vec::with_capacity(found.best.len());
        for (ranked, reasons) in found.best.iter().zip(reasons.iter_mut()) {
            hits.extend(self.hit(&searcher, ranked, std::mem::take(reasons), &query.language)?);
        }
        let facets = if query.facets { Some(self.facets(&searcher, &found.counts)?) } else { None };
        Ok(Hits { hits, total: found.total, matching, ignored_words: planner.ignored_words(), facets })
    }

    fn facets(&self, searcher: &Searcher, counts: &[Counts]) -> Result<Facets, SearchError> {
        let mut sums = Sums::default();
        for counts in counts {
            let segment = searcher.segment_reader(counts.segment);
            sums.add(segment, counts, &self.feeds(segment)?)?;
        }
        Ok(sums.facets())
    }

    fn run(&self, searcher: &Searcher, plan: Option<&Plan>, ranking: &Ranking) -> Result<Found, SearchError> {
        match plan {
            Some(plan) => Ok(searcher.search(&plan.query, ranking)?),
            None => Ok(Found::default()),
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
        reasons: Vec<Reason>,
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
            why: {
                let mut why: Vec<Why> = reasons.iter().map(|reason| reason.why).collect();
                why.sort_unstable();
                why.dedup();
                why
            },
            reasons,
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

/// Where each of the entries has the words, and how: for each word and place the best.
fn reasons(searcher: &Searcher, best: &[Ranked], evidence: &[Evidence]) -> Result<Vec<Vec<Reason>>, SearchError> {
    let mut reasons: Vec<Vec<Reason>> = vec![Vec::new(); best.len()];
    let mut order: Vec<usize> = (0..best.len()).collect();
    order.sort_unstable_by_key(|&index| (best[index].segment, best[index].doc));
    for in_segment in order.chunk_by(|&a, &b| best[a].segment == best[b].segment) {
        let segment = searcher.segment_reader(best[in_segment[0]].segment);
        for Evidence { why, how, term, word, found } in evidence {
            let index = segment.inverted_index(term.field())?;
            let Some(mut postings) = index.read_postings(term, tantivy::schema::IndexRecordOption::Basic)? else {
                continue;
            };
            for &hit in in_segment {
                if tantivy::DocSet::doc(&postings) < best[hit].doc {
                    tantivy::DocSet::seek(&mut postings, best[hit].doc);
                }
                if tantivy::DocSet::doc(&postings) == best[hit].doc {
                    let reason = Reason { word: word.clone(), why: *why, how: *how, found: found.clone() };
                    reasons[hit].push(reason);
                }
            }
        }
    }
    for reasons in &mut reasons {
        as_typed(reasons);
        reasons.sort_unstable();
        reasons.dedup_by(|a, b| a.word == b.word && a.why == b.why);
    }
    Ok(reasons)
}

/// A word that stands in title or names as it was typed is told once, for the field that its stem was found in.
fn as_typed(reasons: &mut Vec<Reason>) {
    let exact: Vec<String> = reasons
        .iter()
        .filter(|reason| reason.how == How::Exact && reason.why == Why::Names)
        .map(|reason| reason.word.clone())
        .collect();
    let is_stem = |reason: &Reason, word: &str| {
        reason.how == How::Stem && reason.word == word && matches!(reason.why, Why::Title | Why::Names)
    };
    for word in exact {
        if reasons.iter().any(|reason| is_stem(reason, &word)) {
            reasons.retain(|reason| !(reason.how == How::Exact && reason.why == Why::Names && reason.word == word));
            reasons.iter_mut().filter(|reason| is_stem(reason, &word)).for_each(|reason| reason.how = How::Exact);
        }
    }
}
