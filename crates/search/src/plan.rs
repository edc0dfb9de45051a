//! From words to a question the index can answer.

use tantivy::query::{AllQuery, BooleanQuery, BoostQuery, ConstScoreQuery, Occur, Query as Ask, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Score, Searcher, Term};

use crate::area::Area;
use crate::fields::{Fields, NO_DISTRICT};
use crate::fold;
use crate::index::SearchError;
use crate::lexicon::Lexicon;
use crate::limits::{QUERY_CHARS_MAX, QUERY_WORDS_MAX};
use crate::query::{Query, Why};
use crate::rank::NAMED_SCORE;
use crate::word::{Options, Word, WordPlanner};

/// Added for each word of the question that an entry has, where not all are needed.
const SOME_WORD_SCORE: Score = 32.0;
/// What may stand between two words of the question in a compound of the index.
const JOINTS: [&str; 6] = ["", "s", "n", "en", "es", "er"];

/// A question to the index.
pub(crate) struct Plan {
    pub query: Box<dyn Ask>,
    pub evidence: Vec<Evidence>,
}

/// A term that says why an entry was found.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    pub why: Why,
    pub term: Term,
}

/// The words of a question, and how they can be looked for.
pub(crate) struct Planner<'a> {
    words: WordPlanner<'a>,
    query: &'a Query,
    typed: Vec<Word>,
    ignored: usize,
}

impl<'a> Planner<'a> {
    pub fn new(searcher: &'a Searcher, fields: &'a Fields, lexicon: &'a Lexicon, query: &'a Query) -> Self {
        let cut = query.words.char_indices().nth(QUERY_CHARS_MAX).map_or(query.words.len(), |(index, _)| index);
        let folded = fold::words(&query.words[..cut]);
        let mut ignored = query.words[cut..].split_whitespace().count();
        let last = folded.len().wrapping_sub(1);
        let unfinished = query.typing && query.words[..cut].chars().last().is_some_and(char::is_alphanumeric);
        let mut typed: Vec<Word> = {
            let mut lexicon = lexicon.lock();
            let words = folded.iter().enumerate();
            words.map(|(n, text)| Word::new(text, lexicon.analyse(text), unfinished && n == last)).collect()
        };
        if typed.iter().any(|word| !word.is_stop()) {
            typed.retain(|word| !word.is_stop());
        }
        // One letter that somebody has just begun to type says nothing beside other words.
        if typed.len() > 1 {
            typed.retain(|word| !word.unfinished || word.text.chars().count() > 1);
        }
        ignored += typed.len().saturating_sub(QUERY_WORDS_MAX);
        typed.truncate(QUERY_WORDS_MAX);
        let words = WordPlanner::new(searcher, fields, lexicon, Options { notes: query.notes });
        Self { words, query, typed, ignored }
    }

    /// Words beyond the limits.
    pub fn ignored_words(&self) -> usize {
        self.ignored
    }

    /// All words, as they were typed. `None` if the index lacks one of them.
    pub fn exact(&self) -> Result<Option<Plan>, SearchError> {
        if self.typed.is_empty() {
            // Nothing but signs was typed: that is in no entry. Nothing at all lists everything.
            let everything = self.query.words.trim().is_empty();
            return Ok(everything.then(|| self.filtered(Box::new(AllQuery), None, Vec::new())));
        }
        self.all_words(false)
    }

    /// All words, with typing mistakes forgiven in those the index lacks. `None` if there are none of them.
    pub fn forgiving(&self) -> Result<Option<Plan>, SearchError> {
        let mut missing = false;
        for word in &self.typed {
            missing |= !self.words.is_known(word)?;
        }
        if missing { self.all_words(true) } else { Ok(None) }
    }

    /// Some of the words, typing mistakes forgiven. `None` if the index has none of them, or one was all.
    pub fn some_words(&self) -> Result<Option<Plan>, SearchError> {
        if self.typed.len() < 2 {
            return Ok(None);
        }
        let mut clauses: Vec<(Occur, Box<dyn Ask>)> = Vec::new();
        let mut evidence = Vec::new();
        for word in &self.typed {
            let looks = self.words.look(word, true, &mut evidence)?;
            if let Some(any) = looks.any {
                clauses.push((Occur::Should, Box::new(ConstScoreQuery::new(any.box_clone(), SOME_WORD_SCORE))));
                clauses.push((Occur::Should, any));
            }
        }
        if clauses.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.filtered(Box::new(BooleanQuery::new(clauses)), None, evidence)))
    }

    fn all_words(&self, forgiving: bool) -> Result<Option<Plan>, SearchError> {
        let mut evidence = Vec::new();
        let mut looks = Vec::with_capacity(self.typed.len());
        for word in &self.typed {
            looks.push(self.words.look(word, forgiving, &mut evidence)?);
        }
        // Ways to have all words: each of them, or two neighbours as one compound that the dictionary cannot part.
        let mut ways: Vec<Box<dyn Ask>> = Vec::new();
        let mut named_ways: Vec<Box<dyn Ask>> = Vec::new();
        ways.extend(all(looks.iter().map(|look| look.any.as_ref())));
        named_ways.extend(all(looks.iter().map(|look| look.named.as_ref())));
        for pair in 0..self.typed.len().saturating_sub(1) {
            let Some(joined) = self.joined(pair, &mut evidence)? else { continue };
            let others = |n: &usize| *n != pair && *n != pair + 1;
            let rest = || (0..looks.len()).filter(others);
            ways.extend(all(rest().map(|n| looks[n].any.as_ref()).chain([joined.any.as_ref()])));
            named_ways.extend(all(rest().map(|n| looks[n].named.as_ref()).chain([joined.named.as_ref()])));
        }
        if let Some(code) = self.whole_code(&mut evidence)? {
            ways.push(code.box_clone());
            named_ways.push(code);
        }
        let Some(query) = any(ways) else { return Ok(None) };
        Ok(Some(self.filtered(query, any(named_ways), evidence)))
    }

    /// Two neighbouring words as one compound.
    fn joined(&self, pair: usize, evidence: &mut Vec<Evidence>) -> Result<Option<crate::word::Look>, SearchError> {
        let (first, second) = (&self.typed[pair], &self.typed[pair + 1]);
        if first.unfinished || second.unfinished || first.text.len() < 3 || second.text.len() < 3 {
            return Ok(None);
        }
        let compounds = JOINTS.map(|joint| format!("{}{joint}{}", first.text, second.text));
        self.words.stems(&compounds, evidence)
    }

    /// What was typed as a whole, if it is the code of an entry: `L100042.LB.1063423`.
    fn whole_code(&self, evidence: &mut Vec<Evidence>) -> Result<Option<Box<dyn Ask>>, SearchError> {
        let code = self.query.words.trim().to_lowercase();
        let plain = code.len() > 64 || code.chars().all(char::is_alphanumeric);
        if plain { Ok(None) } else { self.words.code(&code, evidence) }
    }

    /// The query within the filters, and better if the entry is named so.
    fn filtered(&self, query: Box<dyn Ask>, named: Option<Box<dyn Ask>>, evidence: Vec<Evidence>) -> Plan {
        let fields = self.words.fields();
        let mut clauses = vec![(Occur::Must, query)];
        if let Some(named) = named {
            clauses.push((Occur::Should, Box::new(ConstScoreQuery::new(named, NAMED_SCORE))));
        }
        let mut filter = |field: Field, terms: Vec<String>| {
            let terms = terms.into_iter().map(|text| term(Term::from_field_text(field, &text)));
            let any: Box<dyn Ask> = Box::new(BooleanQuery::union(terms.collect()));
            clauses.push((Occur::Must, Box::new(ConstScoreQuery::new(any, 0.0))));
        };
        if let Some(place) = &self.query.place {
            let mut areas = Area::of(&place.ars).asked();
            areas.extend(place.also.iter().map(|ars| Area::of(ars).itself()));
            filter(fields.area, areas);
            if let Some(district) = &place.district {
                filter(fields.district, vec![NO_DISTRICT.to_owned(), fold::fold(district)]);
            }
        }
        if let Some(kind) = &self.query.kind {
            filter(fields.kind, vec![kind.as_str().to_owned()]);
        }
        let query = if clauses.len() == 1 { clauses.remove(0).1 } else { Box::new(BooleanQuery::new(clauses)) };
        Plan { query, evidence }
    }
}

/// Entries with this term, scored by how rare it is and how short the field.
pub(crate) fn term(term: Term) -> Box<dyn Ask> {
    Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs))
}

/// The same entries with another weight.
pub(crate) fn boost(query: Box<dyn Ask>, boost: Score) -> Box<dyn Ask> {
    Box::new(BoostQuery::new(query, boost))
}

/// Entries that any of these finds; `None` if there is none.
pub(crate) fn any(mut queries: Vec<Box<dyn Ask>>) -> Option<Box<dyn Ask>> {
    match queries.len() {
        0 => None,
        1 => queries.pop(),
        _ => Some(Box::new(BooleanQuery::union(queries))),
    }
}

/// Entries that all of these find; `None` if one of them finds nothing.
pub(crate) fn all<'q>(queries: impl Iterator<Item = Option<&'q Box<dyn Ask>>>) -> Option<Box<dyn Ask>> {
    let mut queries: Vec<Box<dyn Ask>> = queries.map(|query| Some(query?.box_clone())).collect::<Option<_>>()?;
    match queries.len() {
        0 => None,
        1 => queries.pop(),
        _ => Some(Box::new(BooleanQuery::intersection(queries))),
    }
}
