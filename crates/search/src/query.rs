//! What is asked and what is answered.

use ortsnetz_model::dates::Date;
use ortsnetz_model::{Ars, CollectionId, EntryId, Kind, OrgId};

use crate::limits::LIMIT_DEFAULT;

/// A question to the index. Any text is safe in it: there is no query language.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// What was typed. Empty lists everything the filters leave.
    pub words: String,
    /// Only entries that are valid here.
    pub place: Option<PlaceFilter>,
    /// Only entries of this kind.
    pub kind: Option<Kind>,
    /// Only entries valid on this date; `None` does not look at dates.
    pub on: Option<Date>,
    /// At most so many hits, cut to [`crate::limits::LIMIT_MAX`].
    pub limit: usize,
    /// Language of title and summary in the hits, falling back as entries do.
    pub language: String,
    /// The last word may be unfinished.
    pub typing: bool,
    /// Look into the notes of companion documents too. Never set it for a reader from outside.
    pub notes: bool,
    /// Only entries of this life event, by its code.
    pub life_event: Option<String>,
    /// Only entries for these people.
    pub audience: Option<String>,
    /// Count what is found by kind, organisation, life event and audience.
    pub facets: bool,
    /// Only entries of these organisations.
    pub organisations: Option<Vec<OrgId>>,
    /// Only entries of these collections.
    pub collections: Option<Vec<CollectionId>>,
}

impl Query {
    /// A question with these words and no filter, in German.
    pub fn new(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            place: None,
            kind: None,
            on: None,
            limit: LIMIT_DEFAULT,
            language: "de".to_owned(),
            typing: false,
            notes: false,
            life_event: None,
            audience: None,
            facets: false,
            organisations: None,
            collections: None,
        }
    }

    /// The same question, asked for this place.
    pub fn at(mut self, ars: Ars) -> Self {
        self.place = Some(PlaceFilter { ars, also: Vec::new(), district: None });
        self
    }
}

/// The place a question is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceFilter {
    /// The municipality, or the county or state (a tail of zeros).
    pub ars: Ars,
    /// Other keys of the same place, which it had before or will have: what is valid for exactly one of these counts as
    /// valid for it.
    pub also: Vec<Ars>,
    /// A district of it: entries for other districts only are left out.
    pub district: Option<String>,
}

/// How an organisation stands to the place of a question (or to us, if no place was asked for). The caller decides it
/// for every feed; with a place the order of hits follows it strictly, `Own` and `Partner` standing equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Ourselves, and we speak for the place.
    Own,
    /// A partner whose claim a person confirmed.
    Partner,
    /// No confirmed partner, but one vouches for its claim.
    Vouched,
    /// A partner not yet confirmed.
    Unconfirmed,
    /// Known only through a partner.
    Introduced,
    /// Whoever does not speak for the place.
    Elsewhere,
    /// Whoever claims the name or the place of somebody nearer: never before anybody else, with a place or without.
    Contradicted,
}

impl Standing {
    /// The last tier.
    pub(crate) const TIERS: u8 = 5;

    pub(crate) fn tier(self) -> u8 {
        match self {
            Self::Own | Self::Partner => 0,
            Self::Vouched => 1,
            Self::Unconfirmed => 2,
            Self::Introduced => 3,
            Self::Elsewhere => 4,
            Self::Contradicted => Self::TIERS,
        }
    }
}

/// How far the words were taken to find anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matching {
    /// Every hit has all words.
    AllWords,
    /// Some hits have all words only if typing mistakes are forgiven.
    TypingMistakes,
    /// No entry has all words: the hits have some of them.
    SomeWords,
}

/// Where a hit has the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// Its LeiKa key or identifier.
    Code,
    /// Its title.
    Title,
    /// An alternative title or a keyword.
    Names,
    /// A text, the name of an office or an address.
    Text,
    /// A note in a companion document.
    Notes,
    /// A word that begins with the last one typed.
    Beginning,
    /// A word with a typing mistake.
    TypingMistake,
}

/// How a word of the question and a word of the entry are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// It stands there as it was typed.
    Exact,
    /// Another form of it does.
    Stem,
    /// A part of a compound does, or the compound of two words that were typed.
    CompoundPart,
    /// It is an abbreviation, or is abbreviated there.
    Abbreviation,
    /// The administration, or an organisation, calls it so.
    Synonym,
    /// It begins so.
    Beginning,
    /// It was misspelt.
    TypingMistake,
    /// It is the key.
    Code,
}

/// Why an entry was found: one word of the question.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// The word of the question, or several that mean something together.
    pub word: String,
    /// Where the entry has it.
    pub why: Why,
    /// How it is the same.
    pub how: How,
    /// The word that was looked for: a part, a synonym, the word that was meant; else the word itself. Without capitals and
    /// umlauts.
    pub found: String,
}

/// An entry that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The entry.
    pub id: EntryId,
    /// Whose it is.
    pub organisation: OrgId,
    /// Its home collection.
    pub collection: CollectionId,
    /// What sort of thing it is.
    pub kind: Kind,
    /// Title in the asked language.
    pub title: String,
    /// Summary in the asked language, cut; may be empty.
    pub summary: String,
    /// Where it is valid; the first [`crate::limits::AREAS_SHOWN_MAX`].
    pub valid_for: Vec<Ars>,
    /// How many digits of the asked place its validity names: 12 the municipality itself, 5 its county, 2 its state;
    /// 0 if it is valid only in a part of the place, everywhere, or no place was asked for.
    pub locality: u8,
    /// What the caller said about its organisation.
    pub standing: Standing,
    /// Higher is better; comparable within one answer only.
    pub score: f32,
    /// Where it has the words, sorted; empty if nothing was asked.
    pub why: Vec<Why>,
    /// Which word it has where, and how: the best reason for each word and place.
    pub reasons: Vec<Reason>,
    /// When it was published, milliseconds since 1970.
    pub published_at: Option<u64>,
    /// When it arrived here, milliseconds since 1970; `None` for our own.
    pub received_at: Option<u64>,
    /// When it should be looked at again, ISO 8601.
    pub next_review: Option<String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Hits {
    /// Best first, at most as many as asked for.
    pub hits: Vec<Hit>,
    /// How many entries match.
    pub total: usize,
    /// How far the words were taken.
    pub matching: Matching,
    /// Words beyond the limits, not looked for.
    pub ignored_words: usize,
    /// What was found, counted; if it was asked for.
    pub facets: Option<Facets>,
}

/// How many entries of everything found there are of each sort, the most first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facets {
    /// By kind.
    pub kinds: Vec<(Kind, usize)>,
    /// By organisation.
    pub organisations: Vec<(OrgId, usize)>,
    /// By code of the life event; an entry may count for several.
    pub life_events: Vec<(String, usize)>,
    /// By audience; an entry may count for several.
    pub audiences: Vec<(String, usize)>,
}
