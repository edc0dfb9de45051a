//! Counting what was found.

use std::collections::BTreeMap;

use ortsnetz_model::{FeedId, Kind, OrgId};
use tantivy::columnar::{Column, StrColumn};
use tantivy::{DocId, SegmentOrdinal, SegmentReader};

use crate::fields::{AUDIENCE, KIND, LIFE_EVENT};
use crate::limits::FACET_VALUES_MAX;
use crate::query::Facets;

/// How many entries of a segment were found of each sort, by the ordinals of its columns.
#[derive(Default)]
pub(crate) struct Counts {
    pub segment: SegmentOrdinal,
    feeds: Vec<u32>,
    /// In the order of [`COLUMNS`].
    values: [Vec<u32>; 3],
}

const COLUMNS: [&str; 3] = [KIND, LIFE_EVENT, AUDIENCE];

/// Counts one segment.
pub(crate) struct Counting {
    columns: [Option<StrColumn>; 3],
    pub counts: Counts,
}

impl Counting {
    pub fn of(segment: &SegmentReader, ordinal: SegmentOrdinal) -> tantivy::Result<Self> {
        let column = |name: &str| segment.fast_fields().str(name);
        let columns = [column(COLUMNS[0])?, column(COLUMNS[1])?, column(COLUMNS[2])?];
        Ok(Self { columns, counts: Counts { segment: ordinal, ..Counts::default() } })
    }

    pub fn count(&mut self, doc: DocId, feeds: Option<&Column<u64>>) {
        feeds
            .into_iter()
            .flat_map(|feeds| feeds.values_for_doc(doc))
            .for_each(|feed| add(&mut self.counts.feeds, feed));
        for (column, values) in self.columns.iter().zip(&mut self.counts.values) {
            column.iter().flat_map(|column| column.ords().values_for_doc(doc)).for_each(|value| add(values, value));
        }
    }
}

fn add(counts: &mut Vec<u32>, ordinal: u64) {
    let Ok(ordinal) = usize::try_from(ordinal) else { return };
    if counts.len() <= ordinal {
        counts.resize(ordinal + 1, 0);
    }
    counts[ordinal] += 1;
}

/// The counts of all segments by name.
#[derive(Default)]
pub(crate) struct Sums {
    organisations: BTreeMap<OrgId, usize>,
    values: [BTreeMap<String, usize>; 3],
}

impl Sums {
    pub fn add(&mut self, segment: &SegmentReader, counts: &Counts, feeds: &[FeedId]) -> tantivy::Result<()> {
        for (feed, count) in feeds.iter().zip(&counts.feeds).filter(|(_, count)| **count > 0) {
            *self.organisations.entry(feed.organisation).or_default() += *count as usize;
        }
        for ((name, counts), sums) in COLUMNS.iter().zip(&counts.values).zip(&mut self.values) {
            let Some(column) = segment.fast_fields().str(name)? else { continue };
            let mut value = String::new();
            for (ordinal, count) in (0u64..).zip(counts).filter(|(_, count)| **count > 0) {
                value.clear();
                if column.ord_to_str(ordinal, &mut value)? {
                    *sums.entry(value.clone()).or_default() += *count as usize;
                }
            }
        }
        Ok(())
    }

    pub fn facets(self) -> Facets {
        let [kinds, life_events, audiences] = self.values;
        Facets {
            kinds: most(kinds).into_iter().map(|(kind, count)| (Kind::from(kind.as_str()), count)).collect(),
            organisations: most(self.organisations),
            life_events: most(life_events),
            audiences: most(audiences),
        }
    }
}

/// The most frequent first, of equal ones the smaller name.
fn most<T: Ord>(counts: BTreeMap<T, usize>) -> Vec<(T, usize)> {
    let mut counts: Vec<(T, usize)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts.truncate(FACET_VALUES_MAX);
    counts
}
