//! From words to a question the index can answer.

use tantivy::query::{
    AllQuery, BooleanQuery, BoostQuery, ConstScoreQuery, DisjunctionMaxQuery, Occur, Query as Ask, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Score, Searcher, Term};

use crate::area::Area;
use crate::fields::{Fields, NO_DISTRICT};
use crate::fold;
use crate::index::SearchError;
use crate::lexicon::Lexicon;
use crate::limits::{MEANINGS_MAX, QUERY_CHARS_MAX, QUERY_WORDS_MAX};
use crate::query::{How, Query, Why};
use crate::rank::NAMED_SCORE;
use crate::thesaurus::{Meaning, Thesaurus};
use crate::word::{Forgive, Look, Options, Word, WordPlanner};

/// Added for each word of the question that an entry has, where not all are needed.
const SOME_WORD_SCORE: Score = 8.0;
/// Weight of a word that questions about anything have.
const WEAK: Score = 0.25;
/// How much the further ways to have a word count beside the best one.
const TIE: Score = 0.15;
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
    pub how: How,
    pub term: Term,
    /// What of the question it stands for.
    pub word: String,
    /// What was looked for.
    pub found: String,
}

/// The words of a question, and how they can be looked for.
pub(crate) struct Planner<'a> {
    words: WordPlanner<'a>,
    query: &'a Query,
    typed: Vec<Word>,
    meanings: Vec<Meaning>,
    ignored: usize,
}

impl<'a> Planner<'a> {
    pub fn new(
        searcher: &'a Searcher,
        fields: &'a Fields,
        lexicon: &'a Lexicon,
        thesauri: &[&Thesaurus],
        query: &'a Query,
    ) -> Self {
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
        if typed.iter().all(|word| word.weak) {
            typed.iter_mut().for_each(|word| word.weak = false);
        }
        let mut meanings = meanings(thesauri, &typed);
        meanings.truncate(MEANINGS_MAX);
        // Whatever means something together with others is needed.
        for position in meanings.iter().flat_map(|meaning| &meaning.positions) {
            typed[*position].weak = false;
        }
        let words = WordPlanner::new(searcher, fields, lexicon, Options { notes: query.notes });
        Self { words, query, typed, meanings, ignored }
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
        self.all_words(Forgive::Nothing)
    }

    /// All words, with typing mistakes forgiven in those the index lacks. `None` if there are none of them.
    pub fn forgiving(&self) -> Result<Option<Plan>, SearchError> {
        let mut missing = false;
        for word in &self.typed {
            missing |= !word.weak && !self.words.is_known(word)?;
        }
        if missing { self.all_words(Forgive::Mistakes) } else { Ok(None) }
    }

    /// Some of the words, typing mistakes forgiven: entries that are named by one of them or have all of them, or, if there
    /// are none, those that have one. Of a compound that is not known an end will do. `None` if the index has none of them.
    pub fn some_words(&self) -> Result<Option<Plan>, SearchError> {
        let mut evidence = Vec::new();
        let mut scores: Vec<(Occur, Box<dyn Ask>)> = Vec::new();
        let (mut named, mut anywhere) = (Vec::new(), Vec::new());
        for (n, word) in self.typed.iter().enumerate() {
            let mut look = self.words.look(word, Forgive::Pieces, &mut evidence)?;
            for meaning in self.meanings.iter().filter(|meaning| meaning.positions == [n]) {
                let meant = self.meaning(meaning, &mut evidence)?;
                look = look.or(meant);
            }
            let Some(any) = look.any else { continue };
            let weight = if word.weak { WEAK } else { 1.0 };
            scores.push((Occur::Should, boost(any.box_clone(), weight)));
            if !word.weak {
                scores.push((Occur::Should, Box::new(ConstScoreQuery::new(any.box_clone(), SOME_WORD_SCORE))));
                named.extend(look.named);
                anywhere.push(any);
            }
        }
        for meaning in self.meanings.iter().filter(|meaning| meaning.positions.len() > 1) {
            let meant = self.meaning(meaning, &mut evidence)?;
            if let Some(any) = meant.any {
                #[allow(clippy::cast_precision_loss, reason = "a question has few words")]
                let weight = (meaning.positions.len() as Score).sqrt();
                scores.push((Occur::Should, boost(any.box_clone(), weight)));
                scores.push((Occur::Should, Box::new(ConstScoreQuery::new(any, SOME_WORD_SCORE))));
                named.extend(meant.named);
            }
        }
        if anywhere.is_empty() && named.is_empty() {
            return Ok(None);
        }
        let candidates = if named.is_empty() {
            any(anywhere)
        } else {
            let all = all(anywhere.iter().map(Some));
            any(named.into_iter().chain(all).collect())
        };
        let Some(candidates) = candidates else { return Ok(None) };
        scores.push((Occur::Must, Box::new(ConstScoreQuery::new(candidates, 0.0))));
        Ok(Some(self.filtered(Box::new(BooleanQuery::new(scores)), None, evidence)))
    }

    fn all_words(&self, forgive: Forgive) -> Result<Option<Plan>, SearchError> {
        let mut evidence = Vec::new();
        let mut looks: Vec<Look> = Vec::with_capacity(self.typed.len());
        for (n, word) in self.typed.iter().enumerate() {
            let mut look = self.words.look(word, forgive, &mut evidence)?;
            for meaning in self.meanings.iter().filter(|meaning| meaning.positions == [n]) {
                look = look.or(self.meaning(meaning, &mut evidence)?);
            }
            looks.push(look);
        }
        // Ways to have all words: each of them, or two neighbours as one compound that the dictionary cannot part, or what
        // several of them mean together.
        let mut ways = All { looks: &looks, typed: &self.typed, any: Vec::new(), named: Vec::new() };
        ways.add(&[], None);
        for pair in 0..self.typed.len().saturating_sub(1) {
            if let Some(joined) = self.joined(pair, &mut evidence)? {
                ways.add(&[pair, pair + 1], Some(&joined));
            }
        }
        for meaning in self.meanings.iter().filter(|meaning| meaning.positions.len() > 1) {
            let meant = self.meaning(meaning, &mut evidence)?;
            ways.add(&meaning.positions, Some(&meant));
        }
        let All { any: mut any_ways, named: mut named_ways, .. } = ways;
        if let Some(code) = self.whole_code(&mut evidence)? {
            any_ways.push(code.box_clone());
            named_ways.push(code);
        }
        let Some(query) = best(any_ways) else { return Ok(None) };
        let mut clauses = vec![(Occur::Must, query)];
        for (word, look) in self.typed.iter().zip(&looks) {
            if let (true, Some(any)) = (word.weak, &look.any) {
                clauses.push((Occur::Should, boost(any.box_clone(), WEAK)));
            }
        }
        let query = if clauses.len() == 1 { clauses.remove(0).1 } else { Box::new(BooleanQuery::new(clauses)) };
        Ok(Some(self.filtered(query, any(named_ways), evidence)))
    }

    /// Entries with what words may mean.
    fn meaning(&self, meaning: &Meaning, evidence: &mut Vec<Evidence>) -> Result<Look, SearchError> {
        let said: Vec<&str> = meaning.positions.iter().map(|position| self.typed[*position].text.as_str()).collect();
        self.words.phrase(&meaning.phrase, &said.join(" "), meaning.how, evidence)
    }

    /// Two neighbouring words as one compound.
    fn joined(&self, pair: usize, evidence: &mut Vec<Evidence>) -> Result<Option<Look>, SearchError> {
        let (first, second) = (&self.typed[pair], &self.typed[pair + 1]);
        if first.unfinished || second.unfinished || first.text.len() < 3 || second.text.len() < 3 {
            return Ok(None);
        }
        let compounds = JOINTS.map(|joint| format!("{}{joint}{}", first.text, second.text));
        self.words.stems(&compounds, &format!("{} {}", first.text, second.text), evidence)
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
        if let Some(code) = &self.query.life_event {
            filter(fields.life_event, vec![code.clone()]);
        }
        if let Some(audience) = &self.query.audience {
            filter(fields.audience, vec![audience.clone()]);
        }
        let query = if clauses.len() == 1 { clauses.remove(0).1 } else { Box::new(BooleanQuery::new(clauses)) };
        Plan { query, evidence }
    }
}

/// What the words may mean, those of several words first.
fn meanings(thesauri: &[&Thesaurus], typed: &[Word]) -> Vec<Meaning> {
    let finished = typed.iter().enumerate().filter(|(_, word)| !word.unfinished);
    let stems: Vec<(usize, &str)> = finished.flat_map(|(n, word)| word.stems().map(move |stem| (n, stem))).collect();
    let mut found: Vec<Meaning> = thesauri.iter().flat_map(|thesaurus| thesaurus.meanings(&stems)).collect();
    found.sort_by_key(|meaning| std::cmp::Reverse(meaning.positions.len()));
    found
}

/// The ways to have all words that are needed.
struct All<'a> {
    looks: &'a [Look],
    typed: &'a [Word],
    any: Vec<Box<dyn Ask>>,
    named: Vec<Box<dyn Ask>>,
}

impl All<'_> {
    /// All words but those at these positions, for which something else stands.
    fn add(&mut self, without: &[usize], instead: Option<&Look>) {
        let rest = || {
            let words = self.looks.iter().zip(self.typed).enumerate();
            words.filter(|(n, (_, word))| !word.weak && !without.contains(n)).map(|(_, (look, _))| look)
        };
        #[allow(clippy::cast_precision_loss, reason = "a question has few words")]
        let weight = (without.len() as Score).sqrt();
        let instead = instead.map(|look| {
            (
                look.any.as_ref().map(|query| boost(query.box_clone(), weight)),
                look.named.as_ref().map(|query| query.box_clone()),
            )
        });
        let (any_instead, named_instead) = match &instead {
            Some((any, named)) => (vec![any.as_ref()], vec![named.as_ref()]),
            None => (Vec::new(), Vec::new()),
        };
        let any = all(rest().map(|look| look.any.as_ref()).chain(any_instead));
        let named = all(rest().map(|look| look.named.as_ref()).chain(named_instead));
        self.any.extend(any);
        self.named.extend(named);
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

/// Entries that any of these finds, scored by the best of them and a little by the others.
pub(crate) fn best(mut queries: Vec<Box<dyn Ask>>) -> Option<Box<dyn Ask>> {
    match queries.len() {
        0 => None,
        1 => queries.pop(),
        _ => Some(Box::new(DisjunctionMaxQuery::with_tie_breaker(queries, TIE))),
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
