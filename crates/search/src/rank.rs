//! Which of the matching entries come first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::Column;
use tantivy::{DocId, Score, SegmentOrdinal, SegmentReader};

use crate::area::Area;
use crate::facets::{Counting, Counts};
use crate::fields::{ARS, FEED, FROM, UNTIL};
use crate::query::Standing;

/// Added to the score of entries that have all words in title, alternative titles or keywords. More than the words of
/// a question can score together.
pub(crate) const NAMED_SCORE: Score = 512.0;

/// What decides beside the words.
#[derive(Clone)]
pub(crate) struct Ranking {
    /// Where the question is asked.
    pub place: Option<Area>,
    /// Other keys of that place.
    pub also: Arc<[Area]>,
    /// The day it is asked for, as yyyymmdd.
    pub on: Option<u64>,
    /// For each segment: the standing of each of its feeds, `None` if it must not be shown.
    pub standings: Vec<Arc<[Option<Standing>]>>,
    /// How many to keep.
    pub limit: usize,
    /// Whether to count what is found.
    pub facets: bool,
}

/// A matching entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ranked {
    class: u32,
    pub score: Score,
    pub segment: SegmentOrdinal,
    pub doc: DocId,
    pub standing: Standing,
    pub locality: u8,
}

impl Ranked {
    fn order(&self) -> (u32, u32, Reverse<(SegmentOrdinal, DocId)>) {
        // Scores are not negative: their bits sort as they do.
        (self.class, self.score.max(0.0).to_bits(), Reverse((self.segment, self.doc)))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Ranked {}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

/// What was found.
#[derive(Default)]
pub(crate) struct Found {
    /// The best, best first.
    pub best: Vec<Ranked>,
    /// How many there are.
    pub total: usize,
    /// Some have all words in title, alternative titles or keywords.
    pub named: bool,
    /// What was counted, by segment.
    pub counts: Vec<Counts>,
}

impl Collector for Ranking {
    type Fruit = Found;
    type Child = SegmentRanking;

    fn for_segment(&self, ordinal: SegmentOrdinal, segment: &SegmentReader) -> tantivy::Result<SegmentRanking> {
        let columns = segment.fast_fields();
        let standings = self.standings.get(ordinal as usize).cloned().unwrap_or_default();
        Ok(SegmentRanking {
            feed: columns.bytes(FEED)?.map(|feeds| feeds.ords().clone()),
            areas: self.place.map(|_| columns.u64(ARS)).transpose()?,
            days: self
                .on
                .map(|on| Ok::<_, tantivy::TantivyError>((on, columns.u64(FROM)?, columns.u64(UNTIL)?)))
                .transpose()?,
            place: self.place,
            also: Arc::clone(&self.also),
            standings,
            ordinal,
            limit: self.limit,
            best: BinaryHeap::with_capacity(self.limit + 1),
            total: 0,
            named: false,
            counting: if self.facets { Some(Counting::of(segment, ordinal)?) } else { None },
        })
    }

    fn requires_scoring(&self) -> bool {
        true
    }

    fn merge_fruits(&self, segments: Vec<Self::Fruit>) -> tantivy::Result<Self::Fruit> {
        let total = segments.iter().map(|found| found.total).sum();
        let named = segments.iter().any(|found| found.named);
        let (mut best, mut counts): (Vec<Ranked>, Vec<Counts>) = (Vec::new(), Vec::new());
        for found in segments {
            best.extend(found.best);
            counts.extend(found.counts);
        }
        best.sort_unstable_by_key(|ranked| Reverse(*ranked));
        best.truncate(self.limit);
        Ok(Found { best, total, named, counts })
    }
}

/// The ranking of one segment.
pub(crate) struct SegmentRanking {
    feed: Option<Column<u64>>,
    areas: Option<Column<u64>>,
    days: Option<(u64, Column<u64>, Column<u64>)>,
    place: Option<Area>,
    also: Arc<[Area]>,
    standings: Arc<[Option<Standing>]>,
    ordinal: SegmentOrdinal,
    limit: usize,
    best: BinaryHeap<Reverse<Ranked>>,
    total: usize,
    named: bool,
    counting: Option<Counting>,
}

impl SegmentRanking {
    fn standing(&self, doc: DocId) -> Option<Standing> {
        let feed = self.feed.as_ref()?.first(doc)?;
        *self.standings.get(usize::try_from(feed).ok()?)?
    }

    fn is_valid(&self, doc: DocId) -> bool {
        self.days.as_ref().is_none_or(|(on, from, until)| {
            from.first(doc).is_none_or(|from| from <= *on) && until.first(doc).is_none_or(|until| *on <= until)
        })
    }

    /// Digits of the closest place that covers the one asked for.
    fn locality(&self, doc: DocId) -> u8 {
        let (Some(place), Some(areas)) = (self.place, &self.areas) else { return 0 };
        let areas = areas.values_for_doc(doc).map(Area::decode);
        let digits = areas.filter_map(|area| {
            if self.also.contains(&area) { Some(place.digits()) } else { area.covers(place).then(|| area.digits()) }
        });
        digits.max().unwrap_or(0)
    }
}

/// With a place: who speaks for it, whether the entry is about the words, how close it is. Without one: whether it is
/// about the words comes first; only who is contradicted comes after all others.
fn class(place: bool, standing: Standing, named: bool, locality: u8) -> u32 {
    let tier = u32::from(Standing::TIERS - standing.tier());
    let named = u32::from(named);
    if place {
        tier << 16 | named << 8 | u32::from(locality)
    } else {
        let tier =
            if standing == Standing::Elsewhere { u32::from(Standing::TIERS - Standing::Own.tier()) } else { tier };
        u32::from(standing != Standing::Contradicted) << 24 | named << 16 | tier << 8
    }
}

impl SegmentCollector for SegmentRanking {
    type Fruit = Found;

    fn collect(&mut self, doc: DocId, score: Score) {
        let Some(standing) = self.standing(doc) else { return };
        if !self.is_valid(doc) {
            return;
        }
        self.total += 1;
        self.named |= score >= NAMED_SCORE;
        if let Some(counting) = &mut self.counting {
            counting.count(doc, self.feed.as_ref());
        }
        let locality = self.locality(doc);
        let class = class(self.place.is_some(), standing, score >= NAMED_SCORE, locality);
        let ranked = Ranked { class, score, segment: self.ordinal, doc, standing, locality };
        if self.best.len() < self.limit {
            self.best.push(Reverse(ranked));
        } else if let Some(mut worst) = self.best.peek_mut()
            && ranked > worst.0
        {
            *worst = Reverse(ranked);
        }
    }

    fn harvest(self) -> Self::Fruit {
        let best = self.best.into_iter().map(|Reverse(ranked)| ranked).collect();
        let counts = self.counting.map(|counting| counting.counts).into_iter().collect();
        Found { best, total: self.total, named: self.named, counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_a_place_the_standing_comes_before_everything() {
        let partner = class(true, Standing::Partner, false, 2);
        assert!(partner > class(true, Standing::Vouched, true, 12));
        assert!(class(true, Standing::Vouched, false, 2) > class(true, Standing::Unconfirmed, true, 12));
        assert!(class(true, Standing::Unconfirmed, false, 2) > class(true, Standing::Introduced, true, 12));
        assert!(class(true, Standing::Introduced, false, 2) > class(true, Standing::Elsewhere, true, 12));
        assert!(class(true, Standing::Own, true, 5) > class(true, Standing::Own, false, 12));
        assert!(class(true, Standing::Partner, true, 12) > class(true, Standing::Own, true, 5));
    }

    #[test]
    fn without_a_place_the_words_come_first() {
        assert!(class(false, Standing::Introduced, true, 0) > class(false, Standing::Own, false, 0));
        assert!(class(false, Standing::Partner, true, 0) > class(false, Standing::Introduced, true, 0));
        assert_eq!(class(false, Standing::Own, true, 0), class(false, Standing::Elsewhere, true, 0));
    }

    #[test]
    fn who_is_contradicted_comes_last() {
        let last = |place| class(place, Standing::Contradicted, true, 12);
        for standing in
            [Standing::Own, Standing::Partner, Standing::Unconfirmed, Standing::Introduced, Standing::Elsewhere]
        {
            assert!(class(true, standing, false, 0) > last(true));
            assert!(class(false, standing, false, 0) > last(false));
        }
    }
}
