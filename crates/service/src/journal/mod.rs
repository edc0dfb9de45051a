//! The journal of two organisations: what happened, as signed records that are only ever added. Every figure, every bill and
//! every state of a month is a fold over them.
//!
//! Records are signed in batches. A batch belongs to a *chain*: one process of one node writes it, numbers its batches from 1
//! and names in each the one before, so that nothing can be left out of the middle or changed later unnoticed.

mod month;
mod record;

use std::collections::BTreeMap;

use ortsnetz_model::Hash;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use month::{Month, local, quarter};
pub use record::{
    Call, Channel, Closing, Contact, Done, Objection, Offer, Outcome, REASON_CHARS_MAX, Record, RecordError, Reply,
    Reversal, SECONDS_MAX, TOPICS_MAX, Topic, Under, random_id,
};

/// The format of a batch that this version writes and reads.
pub const FORMAT: u8 = 1;
/// Most records of one batch.
pub const BATCH_RECORDS_MAX: usize = 500;
/// Longest batch, in bytes of its text.
pub const BATCH_BYTES_MAX: usize = 96 * 1024;
/// A journal entry that holds so many bytes of batches is full; the next batch goes into another.
pub const JOURNAL_BYTES_MAX: usize = 96 * 1024;

/// Records that are read together lie together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Contacts, their reversals, follow-ups that are done.
    Contacts,
    /// Calls as the telephone system saw them.
    Calls,
    /// Months proposed, objected, signed.
    Settlement,
}

impl Stream {
    /// A stable word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Contacts => "contacts",
            Self::Calls => "calls",
            Self::Settlement => "settlement",
        }
    }

    /// The stream of this name.
    pub fn read(word: &str) -> Option<Self> {
        [Self::Contacts, Self::Calls, Self::Settlement].into_iter().find(|stream| stream.word() == word)
    }
}

/// What one node signs at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// [`FORMAT`].
    pub format: u8,
    /// Who writes, an organisation id.
    pub from: String,
    /// Who reads beside it; the same id if nobody does.
    pub to: String,
    /// What kind of records these are.
    pub stream: Stream,
    /// 16 hex digits.
    pub chain: String,
    /// Counts from 1 in its chain.
    pub number: u32,
    /// SHA-256 of the text of the batch before, in hex; absent in the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// The records. Those this version cannot read are kept and count nothing.
    pub records: Vec<Value>,
}

impl Batch {
    /// Reads a text as it was signed.
    pub fn read(text: &str) -> Option<Self> {
        if text.len() > BATCH_BYTES_MAX {
            return None;
        }
        let batch: Self = serde_json::from_str(text).ok()?;
        let known = batch.format == FORMAT && batch.number > 0 && is_chain(&batch.chain);
        (known && batch.records.len() <= BATCH_RECORDS_MAX).then_some(batch)
    }

    /// The text that is signed.
    pub fn text(&self) -> String {
        // Texts, numbers and lists can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The hash by which the next batch names this one.
    pub fn hash(text: &str) -> String {
        Hash::of(text.as_bytes()).to_string()
    }
}

/// Whether a text can be the name of a chain.
pub fn is_chain(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

/// A record, and where in the journal of its writer it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<'a> {
    /// Of which chain.
    pub chain: &'a str,
    /// In which of its batches.
    pub number: u32,
    /// What it says.
    pub record: &'a Record,
}

/// How far a journal counts: the last batch of each chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cut(pub BTreeMap<String, u32>);

impl Cut {
    /// Whether a batch counts.
    pub fn covers(&self, chain: &str, number: u32) -> bool {
        self.0.get(chain).is_some_and(|last| number <= *last)
    }
}

/// The batches of chains as far as nothing is missing before them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chains {
    /// Up to which batch each is whole.
    pub whole: Cut,
    /// Chains of which a batch is missing, or does not name the one before: chain, and the number that should come next.
    pub broken: BTreeMap<String, u32>,
}

impl Chains {
    /// Puts batches in order: chain, number, hash of the text, and the hash it names. What comes after a gap does not count.
    pub fn of<'a>(batches: impl IntoIterator<Item = (&'a str, u32, &'a str, Option<&'a str>)>) -> Self {
        type Same<'a> = Vec<(&'a str, Option<&'a str>)>;
        let mut sorted: BTreeMap<(&str, u32), Same<'_>> = BTreeMap::new();
        for (chain, number, hash, previous) in batches {
            sorted.entry((chain, number)).or_default().push((hash, previous));
        }
        let mut chains = Self::default();
        let mut last: Option<(&str, u32, &str)> = None;
        for ((chain, number), same) in sorted {
            let before = last.filter(|(known, ..)| *known == chain);
            let (expected, previous) = before.map_or((1, None), |(_, number, hash)| (number + 1, Some(hash)));
            let fits = match same.as_slice() {
                [(_, named)] => number == expected && *named == previous,
                _ => false,
            };
            if !fits || chains.broken.contains_key(chain) {
                chains.broken.entry(chain.to_owned()).or_insert(expected);
                continue;
            }
            chains.whole.0.insert(chain.to_owned(), number);
            last = Some((chain, number, same[0].0));
        }
        chains
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn batch(number: u32, previous: Option<String>) -> Batch {
        let (from, to) = ("11".repeat(32), "22".repeat(32));
        let records = vec![json!({"record": "newer", "id": "x"})];
        Batch { format: FORMAT, from, to, stream: Stream::Contacts, chain: "0a".repeat(8), number, previous, records }
    }

    #[test]
    fn a_batch_is_read_as_it_was_written_and_no_larger_than_allowed() {
        let one = batch(1, None);
        assert_eq!(Batch::read(&one.text()), Some(one.clone()));
        for odd in [
            Batch { format: 2, ..one.clone() },
            Batch { number: 0, ..one.clone() },
            Batch { chain: "0A".repeat(8), ..one.clone() },
            Batch { records: vec![json!(1); BATCH_RECORDS_MAX + 1], ..one.clone() },
        ] {
            assert_eq!(Batch::read(&odd.text()), None);
        }
        assert!(Batch::read(&Batch { records: vec![json!(1); BATCH_RECORDS_MAX], ..one.clone() }.text()).is_some());
        let rest = BATCH_BYTES_MAX - Batch { records: vec![json!("")], ..one.clone() }.text().len();
        let filled = |bytes| Batch { records: vec![json!("x".repeat(bytes))], ..one.clone() }.text();
        assert!(Batch::read(&filled(rest)).is_some());
        assert!(Batch::read(&filled(rest + 1)).is_none());
    }

    #[test]
    fn what_is_left_out_or_changed_ends_the_chain_there() {
        let chain = |all: &[(&'static str, u32, &'static str, Option<&'static str>)]| Chains::of(all.iter().copied());
        let whole = chain(&[("a", 2, "h2", Some("h1")), ("a", 1, "h1", None), ("b", 1, "g1", None)]);
        assert_eq!(whole.whole.0, BTreeMap::from([("a".into(), 2), ("b".into(), 1)]));
        assert!(whole.broken.is_empty());
        let gap = chain(&[("a", 1, "h1", None), ("a", 3, "h3", Some("h2")), ("a", 4, "h4", Some("h3"))]);
        assert_eq!((gap.whole.0, gap.broken), (BTreeMap::from([("a".into(), 1)]), BTreeMap::from([("a".into(), 2)])));
        let changed = chain(&[("a", 1, "other", None), ("a", 2, "h2", Some("h1"))]);
        assert_eq!(changed.broken, BTreeMap::from([("a".into(), 2)]));
        let twice = chain(&[("a", 1, "h1", None), ("a", 2, "h2", Some("h1")), ("a", 2, "i2", Some("h1"))]);
        assert_eq!((twice.whole.0["a"], twice.broken["a"]), (1, 2));
        assert_eq!(chain(&[("a", 2, "h2", None)]).broken, BTreeMap::from([("a".into(), 1)]));
    }
}
