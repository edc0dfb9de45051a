//! How one word of a question is looked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use tantivy::query::{ConstScoreQuery, FuzzyTermQuery, Query as Ask, TermSetQuery};
use tantivy::schema::Field;
use tantivy::{Score, Searcher, Term};

use crate::fields::Fields;
use crate::index::SearchError;
use crate::lexicon::{Analysed, Lexicon};
use crate::limits::{EDGE_CHARS_MAX, EXPANSIONS_MAX, TYPO_CHARS_MIN};
use crate::plan::{Evidence, all, any, best, boost, term};
use crate::query::{How, Why};
use crate::tokenizer::EDGE_CHARS_MIN;

const TITLE: Score = 4.0;
const NAMES: Score = 2.5;
const BODY: Score = 1.0;
/// Weight of the parts of a compound against the whole word.
const PARTS: Score = 0.6;
/// Score of a word that begins as the last one typed.
const BEGINNING: Score = 2.0;
/// Weight of a word with a typing mistake.
const MISTAKE: Score = 0.4;
/// Score of a code.
const CODE: Score = 20.0;
/// Weight of what a word only means.
const MEANING: Score = 0.7;
/// Most words that stand in for a misspelt one in the texts; in titles it is [`EXPANSIONS_MAX`].
const MISTAKES_IN_TEXTS: usize = 6;

/// A word of a question.
pub(crate) struct Word {
    /// Folded.
    pub text: String,
    analysed: Arc<Analysed>,
    /// Somebody is still typing it.
    pub unfinished: bool,
    /// An entry may lack it.
    pub weak: bool,
}

impl Word {
    pub fn new(text: &str, analysed: Arc<Analysed>, unfinished: bool) -> Self {
        let weak = analysed.weak && !unfinished;
        Self { text: text.to_owned(), analysed, unfinished, weak }
    }

    /// The stem of the word, and those of its parts.
    pub fn stems(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.analysed.stem).chain(self.analysed.parts.iter().map(|part| &**part))
    }

    /// Says nothing. A word that is still being typed may become one that does.
    pub fn is_stop(&self) -> bool {
        self.analysed.stop && !self.unfinished
    }
}

/// The entries that have a word; `None` where there are none.
pub(crate) struct Look {
    /// Anywhere.
    pub any: Option<Box<dyn Ask>>,
    /// In title, alternative titles, keywords or code.
    pub named: Option<Box<dyn Ask>>,
}

impl Look {
    /// The entries of both.
    pub fn or(self, other: Self) -> Self {
        Self {
            any: best(self.any.into_iter().chain(other.any).collect()),
            named: any(self.named.into_iter().chain(other.named).collect()),
        }
    }
}

/// What a search is for: what of the question it stands for, how, and what is looked for.
#[derive(Clone, Copy)]
struct Sought<'w> {
    word: &'w str,
    how: How,
    found: &'w str,
}

impl Sought<'_> {
    fn evidence(self, why: Why, term: Term) -> Evidence {
        Evidence { why, how: self.how, term, word: self.word.to_owned(), found: self.found.to_owned() }
    }
}

/// What is forgiven in a word that the index does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forgive {
    /// Nothing.
    Nothing,
    /// A typing mistake.
    Mistakes,
    /// That too, or that only an end of it is known.
    Pieces,
}

/// What else decides how words are looked for.
pub(crate) struct Options {
    /// Whether companion documents are looked into.
    pub notes: bool,
}

/// Looks for words in the index.
pub(crate) struct WordPlanner<'a> {
    searcher: &'a Searcher,
    fields: &'a Fields,
    lexicon: &'a Lexicon,
    options: Options,
}

#[derive(Default)]
struct Ways {
    any: Vec<Box<dyn Ask>>,
    named: Vec<Box<dyn Ask>>,
}

impl Ways {
    fn add_named(&mut self, query: Box<dyn Ask>) {
        self.any.push(query.box_clone());
        self.named.push(query);
    }

    fn look(self) -> Look {
        Look { any: best(self.any), named: any(self.named) }
    }
}

impl<'a> WordPlanner<'a> {
    pub fn new(searcher: &'a Searcher, fields: &'a Fields, lexicon: &'a Lexicon, options: Options) -> Self {
        Self { searcher, fields, lexicon, options }
    }

    pub fn fields(&self) -> &Fields {
        self.fields
    }

    /// Whether the index has the word itself, or all parts of the compound.
    pub fn is_known(&self, word: &Word) -> Result<bool, SearchError> {
        let look = self.look(word, Forgive::Nothing, &mut Vec::new())?;
        Ok(look.any.is_some())
    }

    /// The ways to find a word; if it is not known as it is, also what is forgiven.
    pub fn look(&self, word: &Word, forgive: Forgive, why: &mut Vec<Evidence>) -> Result<Look, SearchError> {
        let mut ways = Ways::default();
        let as_typed = Sought { word: &word.text, how: How::Exact, found: &word.text };
        let exact = Term::from_field_text(self.fields.surface, &word.text);
        let is_in_names = self.exists(&exact)?;
        if is_in_names {
            why.push(as_typed.evidence(Why::Names, exact.clone()));
        }
        self.stem(&word.analysed.stem, 1.0, Sought { how: How::Stem, ..as_typed }, &mut ways, why)?;
        self.parts(word, &mut ways, why)?;
        if ways.named.is_empty() && is_in_names {
            // A word too common for the texts, or of another language: in titles it counts all the same.
            ways.add_named(Box::new(ConstScoreQuery::new(term(exact), 1.0)));
        }
        let other = Term::from_field_text(self.fields.other, &word.text);
        if self.exists(&other)? {
            why.push(as_typed.evidence(Why::Text, other.clone()));
            ways.any.push(term(other));
        }
        if let Some(code) = self.code(&word.text, why)? {
            ways.add_named(code);
        }
        if word.unfinished {
            self.beginning(word, &mut ways, why)?;
        }
        if forgive != Forgive::Nothing && ways.any.is_empty() && word.text.chars().count() >= TYPO_CHARS_MIN {
            self.mistakes(word, &mut ways, why)?;
        }
        if forgive == Forgive::Pieces && ways.any.is_empty() && word.analysed.parts.is_empty() {
            let pieces = self.lexicon.lock().pieces(&word.text);
            for piece in &pieces {
                let stem = self.lexicon.lock().stem(piece);
                let sought = Sought { word: &word.text, how: How::CompoundPart, found: piece };
                self.stem(&stem, MISTAKE, sought, &mut ways, why)?;
            }
        }
        Ok(ways.look())
    }

    /// The ways to find any of these compounds by their stems; `None` if the index has none of them.
    pub fn stems(
        &self,
        compounds: &[String],
        said: &str,
        why: &mut Vec<Evidence>,
    ) -> Result<Option<Look>, SearchError> {
        let mut stems: Vec<(String, &str)> = {
            let lexicon = self.lexicon.lock();
            compounds.iter().map(|compound| (lexicon.stem(compound), compound.as_str())).collect()
        };
        stems.sort_unstable();
        stems.dedup_by(|a, b| a.0 == b.0);
        let mut ways = Ways::default();
        for (stem, compound) in &stems {
            let sought = Sought { word: said, how: How::CompoundPart, found: compound };
            self.stem(stem, 1.0, sought, &mut ways, why)?;
        }
        Ok((!ways.any.is_empty()).then(|| ways.look()))
    }

    /// The ways to find all words of a phrase, which stands for what was said.
    pub fn phrase(
        &self,
        phrase: &[String],
        said: &str,
        how: How,
        why: &mut Vec<Evidence>,
    ) -> Result<Look, SearchError> {
        let whole = phrase.join(" ");
        let sought = Sought { word: said, how, found: &whole };
        let analysed: Vec<Arc<Analysed>> = {
            let mut lexicon = self.lexicon.lock();
            phrase.iter().map(|word| lexicon.analyse(word)).collect()
        };
        // Each word of the phrase counts less than one that was typed, and all of them together no more than it.
        #[allow(clippy::cast_precision_loss, reason = "a phrase has few words")]
        let weight = MEANING / (phrase.len().max(1) as Score).sqrt();
        let mut looks = Vec::with_capacity(analysed.len());
        let mut evidence = Vec::new();
        for word in analysed.iter().filter(|word| !word.stop) {
            let mut ways = Ways::default();
            self.stem(&word.stem, weight, sought, &mut ways, &mut evidence)?;
            if word.parts.len() > 1 {
                let mut parts = Vec::with_capacity(word.parts.len());
                for part in word.parts.iter() {
                    let mut ways = Ways::default();
                    self.stem(part, PARTS * weight, sought, &mut ways, &mut evidence)?;
                    parts.push(ways.look());
                }
                ways.any.extend(all(parts.iter().map(|look| look.any.as_ref())));
                ways.named.extend(all(parts.iter().map(|look| look.named.as_ref())));
            }
            looks.push(ways.look());
        }
        let look = Look {
            any: all(looks.iter().map(|look| look.any.as_ref())),
            named: all(looks.iter().map(|look| look.named.as_ref())),
        };
        if look.any.is_some() {
            why.extend(evidence);
        }
        Ok(look)
    }

    /// Entries with this LeiKa key or identifier. A LeiKa key of an object (zeros at the end) finds all it is about.
    pub fn code(&self, text: &str, why: &mut Vec<Evidence>) -> Result<Option<Box<dyn Ask>>, SearchError> {
        let is_number = text.len() >= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
        let exact = Term::from_field_text(self.fields.code, text);
        let mut terms = if self.exists(&exact)? { vec![exact] } else { Vec::new() };
        if is_number {
            let significant = if text.len() == 14 { text.trim_end_matches('0') } else { text };
            if text.len() < 14 || significant.len() <= 11 {
                let start = &text[..significant.len().clamp(5, text.len())];
                terms.extend(self.expand(self.fields.code, start, 0, true)?.into_iter().map(|(term, _)| term));
            }
        }
        terms.sort_unstable();
        terms.dedup();
        let sought = Sought { word: text, how: How::Code, found: text };
        why.extend(terms.iter().map(|term| sought.evidence(Why::Code, term.clone())));
        Ok(set(terms, CODE))
    }

    fn exists(&self, term: &Term) -> Result<bool, SearchError> {
        for segment in self.searcher.segment_readers() {
            if segment.inverted_index(term.field())?.get_term_info(term)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn stem(
        &self,
        stem: &str,
        weight: Score,
        sought: Sought<'_>,
        ways: &mut Ways,
        why: &mut Vec<Evidence>,
    ) -> Result<(), SearchError> {
        let fields = self.fields;
        let mut places = vec![
            (fields.title, TITLE, Why::Title, true),
            (fields.names, NAMES, Why::Names, true),
            (fields.body, BODY, Why::Text, false),
        ];
        if self.options.notes {
            places.push((fields.notes, BODY, Why::Notes, false));
        }
        for (field, field_weight, reason, named) in places {
            let stem = Term::from_field_text(field, stem);
            if self.exists(&stem)? {
                why.push(sought.evidence(reason, stem.clone()));
                let query = boost(term(stem), field_weight * weight);
                if named { ways.add_named(query) } else { ways.any.push(query) }
            }
        }
        Ok(())
    }

    /// All parts of the compound, each anywhere.
    fn parts(&self, word: &Word, ways: &mut Ways, why: &mut Vec<Evidence>) -> Result<(), SearchError> {
        let parts = &word.analysed.parts;
        // A single part is the rest of a compound whose other part has the stem of the whole.
        if parts.len() < 2 {
            return Ok(());
        }
        let mut looks = Vec::with_capacity(parts.len());
        for part in parts.iter() {
            let mut ways = Ways::default();
            let sought = Sought { word: &word.text, how: How::CompoundPart, found: part };
            self.stem(part, PARTS, sought, &mut ways, why)?;
            looks.push(ways.look());
        }
        ways.any.extend(all(looks.iter().map(|look| look.any.as_ref())));
        ways.named.extend(all(looks.iter().map(|look| look.named.as_ref())));
        Ok(())
    }

    /// Words of titles and names that begin as this one.
    fn beginning(&self, word: &Word, ways: &mut Ways, why: &mut Vec<Evidence>) -> Result<(), SearchError> {
        let length = word.text.chars().count();
        let terms = if length < EDGE_CHARS_MIN {
            Vec::new()
        } else if length <= EDGE_CHARS_MAX {
            let edge = Term::from_field_text(self.fields.edge, &word.text);
            if self.exists(&edge)? { vec![edge] } else { Vec::new() }
        } else {
            self.expand(self.fields.surface, &word.text, 0, true)?.into_iter().map(|(term, _)| term).collect()
        };
        let sought = Sought { word: &word.text, how: How::Beginning, found: &word.text };
        why.extend(terms.iter().map(|term| sought.evidence(Why::Beginning, term.clone())));
        if let Some(query) = set(terms, BEGINNING) {
            ways.add_named(query);
        }
        Ok(())
    }

    /// Words of titles and names that differ by one mistake, and those words in the texts.
    fn mistakes(&self, word: &Word, ways: &mut Ways, why: &mut Vec<Evidence>) -> Result<(), SearchError> {
        let meant = self.expand(self.fields.surface, &word.text, 1, word.unfinished)?;
        let stems: Vec<(String, String)> = {
            let mut lexicon = self.lexicon.lock();
            let texts =
                meant.iter().take(MISTAKES_IN_TEXTS).filter_map(|(term, _)| term.value().as_str().map(str::to_owned));
            texts.map(|text| (lexicon.analyse(&text).stem.to_string(), text)).collect()
        };
        for (stem, text) in &stems {
            let mut in_texts = Vec::new();
            let sought = Sought { word: &word.text, how: How::TypingMistake, found: text };
            self.stem(stem, MISTAKE, sought, ways, &mut in_texts)?;
            why.extend(in_texts.into_iter().map(|found| Evidence { why: Why::TypingMistake, ..found }));
        }
        let terms: Vec<Term> = meant.into_iter().map(|(term, _)| term).collect();
        for term in &terms {
            let meant = term.value().as_str().unwrap_or_default().to_owned();
            let sought = Sought { word: &word.text, how: How::TypingMistake, found: &meant };
            why.push(sought.evidence(Why::TypingMistake, term.clone()));
        }
        if let Some(query) = set(terms, MISTAKE) {
            ways.add_named(query);
        }
        Ok(())
    }

    /// Terms of the field within `distance` typing mistakes of the text, or that begin so; the most frequent first.
    fn expand(&self, field: Field, text: &str, distance: u8, beginning: bool) -> Result<Vec<(Term, u64)>, SearchError> {
        let text = Term::from_field_text(field, text);
        let automaton = if beginning {
            FuzzyTermQuery::new_prefix(text, distance, true)
        } else {
            FuzzyTermQuery::new(text, distance, true)
        };
        let mut found: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        for segment in self.searcher.segment_readers() {
            let index = segment.inverted_index(field)?;
            let mut terms = index.terms().search(automaton.automaton()?).into_stream()?;
            while terms.advance() {
                *found.entry(terms.key().to_vec()).or_default() += u64::from(terms.value().doc_freq);
            }
        }
        let mut found: Vec<(Term, u64)> = found
            .into_iter()
            .filter_map(|(text, count)| Some((Term::from_field_text(field, std::str::from_utf8(&text).ok()?), count)))
            .collect();
        found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        found.truncate(EXPANSIONS_MAX);
        Ok(found)
    }
}

/// Entries with any of these terms, all with the same score.
fn set(terms: Vec<Term>, score: Score) -> Option<Box<dyn Ask>> {
    match terms.len() {
        0 => None,
        1 => terms.into_iter().next().map(|only| -> Box<dyn Ask> { Box::new(ConstScoreQuery::new(term(only), score)) }),
        _ => Some(Box::new(ConstScoreQuery::new(Box::new(TermSetQuery::new(terms)), score))),
    }
}
