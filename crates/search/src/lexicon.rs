//! What the index knows about words: stems, parts of compounds, words to leave out.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use frostem::{Algorithm, Stemmer};

use crate::fold;
use crate::limits::{CACHE_WORDS_MAX, DICTIONARY_WORDS_MAX};
use crate::vocabulary::{PARTS, SHORT_FIRST, SHORT_LAST, STOP, WEAK, WHOLE};

/// Shortest part of a compound, in letters; the few shorter ones are listed in `vocabulary`.
const PART_MIN: usize = 4;
/// Shortest word of the corpus that the dictionary learns: four-letter words cut too many others in pieces.
const LEARNED_MIN: usize = 5;
/// Longest word of the corpus that the dictionary learns.
const LEARNED_MAX: usize = 24;
/// Shortest piece of a compound that is looked for if nothing else of it is known, in letters.
const PIECE_MIN: usize = 5;
/// What may stand between the parts of a compound, or end a word.
const LINKS: [&str; 6] = ["s", "es", "n", "en", "er", "e"];
/// Analysed words are forgotten when the dictionary has grown by one part in this many.
const GROWTH: usize = 8;

/// A word as the index sees it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Analysed {
    /// Too common to say anything.
    pub stop: bool,
    /// Said in questions about anything: helps to order what the other words find.
    pub weak: bool,
    /// The stem of the word.
    pub stem: Box<str>,
    /// If it is a compound: the stems of its parts, as few parts as possible.
    pub parts: Box<[Box<str>]>,
    /// Stems of the parts of those parts.
    pub inner: Box<[Box<str>]>,
    /// The word and all its parts, folded but not stemmed.
    pub surfaces: Box<[Box<str>]>,
}

/// The dictionary of compounds and a cache of analysed words; shared by the index writer and all readers.
#[derive(Clone)]
pub(crate) struct Lexicon(Arc<Mutex<Words>>);

struct Words {
    dictionary: HashSet<Box<str>>,
    whole: HashSet<String>,
    stop: HashSet<String>,
    weak: HashSet<String>,
    cache: HashMap<Box<str>, Arc<Analysed>>,
    dictionary_at_cache: usize,
    stemmer: Stemmer,
}

impl Lexicon {
    /// A lexicon that knows the built-in words.
    pub fn new() -> Self {
        let set = |list: &str| fold::words(list).into_iter().collect::<HashSet<_>>();
        let dictionary: HashSet<Box<str>> = fold::words(PARTS).into_iter().map(String::into_boxed_str).collect();
        Self(Arc::new(Mutex::new(Words {
            dictionary_at_cache: dictionary.len(),
            dictionary,
            whole: set(WHOLE),
            stop: set(STOP),
            weak: set(WEAK),
            cache: HashMap::new(),
            stemmer: Stemmer::new(Algorithm::German),
        })))
    }

    /// Locks the lexicon for several words.
    pub fn lock(&self) -> LexiconGuard<'_> {
        // Whatever a panicking thread left is a cache and a set of words: usable as it is.
        LexiconGuard(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A locked lexicon.
pub(crate) struct LexiconGuard<'a>(MutexGuard<'a, Words>);

impl LexiconGuard<'_> {
    /// The analysis of a folded word.
    pub fn analyse(&mut self, word: &str) -> Arc<Analysed> {
        let words = &mut *self.0;
        if let Some(known) = words.cache.get(word) {
            return Arc::clone(known);
        }
        if words.cache.len() >= CACHE_WORDS_MAX {
            words.cache.clear();
        }
        let analysed = Arc::new(words.analyse(word));
        words.cache.insert(word.into(), Arc::clone(&analysed));
        analysed
    }

    /// Takes a folded word of the corpus into the dictionary.
    pub fn learn(&mut self, word: &str) {
        let words = &mut *self.0;
        let fits = (LEARNED_MIN..=LEARNED_MAX).contains(&word.len())
            && word.bytes().all(|byte| byte.is_ascii_lowercase())
            && words.dictionary.len() < DICTIONARY_WORDS_MAX;
        if fits && !words.dictionary.contains(word) && !words.stop.contains(word) {
            words.dictionary.insert(word.into());
        }
    }

    /// To be called after learning: forgets analyses that a bigger dictionary would make better.
    pub fn learned(&mut self) {
        let words = &mut *self.0;
        if words.dictionary.len() > words.dictionary_at_cache + words.dictionary_at_cache / GROWTH {
            words.cache.clear();
            words.dictionary_at_cache = words.dictionary.len();
        }
    }

    /// The stem of a folded word.
    pub fn stem(&self, word: &str) -> String {
        self.0.stem(word)
    }

    /// What is known of a compound that is no word of the dictionary and does not come apart into such: the longest word it
    /// ends with, which says what it is, and the longest it begins with.
    pub fn pieces(&self, word: &str) -> Vec<String> {
        let words = &self.0;
        let fits =
            |piece: &str| piece.len() >= PIECE_MIN && piece.len() < word.len() && words.dictionary.contains(piece);
        let cuts = || (1..word.len()).filter(|at| word.is_char_boundary(*at));
        let end = cuts().map(|at| &word[at..]).find(|piece| fits(piece));
        let start = cuts().rev().map(|at| &word[..at]).find(|piece| fits(piece));
        end.into_iter().chain(start).map(str::to_owned).collect()
    }
}

impl Words {
    /// Stems twice: once unites the forms of a word, twice a verb and its noun (verlängern, Verlängerung).
    fn stem(&self, word: &str) -> String {
        if word.bytes().any(|byte| byte.is_ascii_digit()) {
            return word.to_owned();
        }
        self.stemmer.stem(&self.stemmer.stem(word)).into_owned()
    }

    fn analyse(&self, word: &str) -> Analysed {
        let stem = self.stem(word);
        let outer = self.split(word);
        let mut inner = Vec::new();
        outer.iter().for_each(|part| self.split_further(part, &mut inner));
        let mut surfaces: Vec<Box<str>> = vec![word.into()];
        let mut stems = |parts: &[&str], known: &[Box<str>]| {
            let mut stems: Vec<Box<str>> = Vec::with_capacity(parts.len());
            for part in parts {
                let part_stem = self.stem(part);
                if *part_stem != *stem && !known.iter().chain(&stems).any(|known| **known == *part_stem) {
                    stems.push(part_stem.into());
                }
                if !surfaces.iter().any(|known| **known == **part) {
                    surfaces.push((*part).into());
                }
            }
            stems.into_boxed_slice()
        };
        let parts = stems(&outer, &[]);
        let inner = stems(&inner, &parts);
        Analysed {
            stop: self.stop.contains(word),
            weak: self.weak.contains(word),
            stem: stem.into(),
            parts,
            inner,
            surfaces: surfaces.into(),
        }
    }

    fn split_further<'a>(&self, word: &'a str, parts: &mut Vec<&'a str>) {
        for part in self.split(word) {
            parts.push(part);
            self.split_further(part, parts);
        }
    }

    /// The fewest words of the dictionary that make this one; none if it is no compound.
    fn split<'a>(&self, word: &'a str) -> Vec<&'a str> {
        let ascii = word.bytes().all(|byte| byte.is_ascii_lowercase());
        if !ascii || word.len() < 2 * PART_MIN - 1 || self.whole.contains(word) {
            return Vec::new();
        }
        // best[end]: cost of the cheapest way to `end`, where its last part begins, and where that part's link begins.
        let mut best: Vec<Option<(u32, usize, usize)>> = vec![None; word.len() + 1];
        best[0] = Some((0, 0, 0));
        for end in PART_MIN - 1..=word.len() {
            for start in (0..=end + 1 - PART_MIN).rev() {
                let Some((before, ..)) = best[start] else { continue };
                if start == 0 && end == word.len() {
                    continue;
                }
                let Some((part_end, link_cost)) = self.part(word, start, end) else { continue };
                let cost = before + 10 + link_cost;
                if best[end].is_none_or(|(known, ..)| cost < known) {
                    best[end] = Some((cost, start, part_end));
                }
            }
        }
        let mut parts = Vec::new();
        let mut end = word.len();
        while let Some((_, start, part_end)) = best[end].filter(|_| end > 0) {
            parts.push(&word[start..part_end]);
            end = start;
        }
        parts.reverse();
        parts
    }

    /// Whether `word[start..end]` is a word of the dictionary, perhaps with a link: where the link begins, and its cost.
    fn part(&self, word: &str, start: usize, end: usize) -> Option<(usize, u32)> {
        let text = &word[start..end];
        if self.knows(text, start == 0, end == word.len()) {
            return Some((end, 0));
        }
        LINKS.iter().find_map(|link| {
            let stripped = text.strip_suffix(link)?;
            self.knows(stripped, start == 0, end == word.len()).then_some((start + stripped.len(), 1))
        })
    }

    fn knows(&self, text: &str, first: bool, last: bool) -> bool {
        match text.len() {
            0..3 => false,
            3 => first && SHORT_FIRST.contains(&text) || last && !first && SHORT_LAST.contains(&text),
            _ => self.dictionary.contains(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(word: &str) -> Vec<String> {
        let lexicon = Lexicon::new();
        let folded = fold::fold(word);
        let words = lexicon.lock();
        words.0.split(&folded).into_iter().map(str::to_owned).collect()
    }

    fn stem(word: &str) -> String {
        Lexicon::new().lock().stem(&fold::fold(word))
    }

    #[test]
    fn compounds_come_apart_into_as_few_words_as_possible() {
        assert_eq!(parts("Personalausweisverlängerung"), ["personalausweis", "verlangerung"]);
        assert_eq!(parts("Gewerbeanmeldung"), ["gewerbe", "anmeldung"]);
        assert_eq!(parts("Standesamt"), ["standes", "amt"]);
        assert_eq!(parts("Bauantrag"), ["bau", "antrag"]);
        assert_eq!(parts("Sperrmüllabholung"), Vec::<String>::new());
        assert_eq!(parts("Sperrmüllgebühren"), ["sperrmull", "gebuhren"]);
        assert_eq!(parts("Wohnungsgeberbestätigung"), Vec::<String>::new());
        assert_eq!(parts("Führerscheinumtausch"), ["fuhrerschein", "umtausch"]);
        assert_eq!(parts("Verwaltungsgerichte"), ["verwaltung", "gericht"]);
    }

    #[test]
    fn of_an_unknown_compound_the_known_ends_are_left() {
        let lexicon = Lexicon::new();
        let words = lexicon.lock();
        assert_eq!(words.pieces("xyzfuhrerschein"), ["fuhrerschein"]);
        assert_eq!(words.pieces("gewerbexyz"), ["gewerbe"]);
        assert_eq!(words.pieces("xyz"), Vec::<String>::new());
    }

    #[test]
    fn words_that_only_look_like_compounds_stay_whole() {
        for word in ["Einkommen", "Unterlagen", "Personalien", "beantragen", "Verwaltung", "Anmeldung"] {
            assert_eq!(parts(word), Vec::<String>::new(), "{word}");
        }
    }

    #[test]
    fn a_part_may_be_a_compound_itself() {
        let analysed = Lexicon::new().lock().analyse("personalausweisverlangerung");
        let surfaces: Vec<&str> = analysed.surfaces.iter().map(|surface| &**surface).collect();
        assert_eq!(surfaces, ["personalausweisverlangerung", "personalausweis", "verlangerung", "personal", "ausweis"]);
        assert_eq!(analysed.parts.len(), 2);
        assert_eq!(analysed.inner.len(), 2);
    }

    #[test]
    fn a_verb_and_its_noun_have_one_stem() {
        for (verb, noun) in [("verlängern", "Verlängerung"), ("anmelden", "Anmeldung"), ("ändern", "Änderungen")] {
            assert_eq!(stem(verb), stem(noun));
        }
        assert_ne!(stem("anmelden"), stem("abmelden"));
        assert_eq!(stem("34a"), "34a");
    }

    #[test]
    fn the_corpus_teaches_new_words() {
        let lexicon = Lexicon::new();
        let mut words = lexicon.lock();
        assert!(words.analyse("wohnungsgeberbestatigung").parts.is_empty());
        words.learn("wohnungsgeber");
        words.learn("kurz");
        words.learn("zwischen");
        (0..10_000).for_each(|n| words.learn(&format!("wort{}", letters(n))));
        words.learned();
        assert_eq!(words.analyse("wohnungsgeberbestatigung").parts.len(), 2);
        assert!(!words.0.dictionary.contains("zwischen") && !words.0.dictionary.contains("kurz"));
    }

    #[test]
    fn cache_and_dictionary_stay_within_their_limits() {
        let lexicon = Lexicon::new();
        let mut words = lexicon.lock();
        (0..DICTIONARY_WORDS_MAX + 10).for_each(|n| words.learn(&format!("wort{}", letters(n))));
        assert_eq!(words.0.dictionary.len(), DICTIONARY_WORDS_MAX);
        (0..CACHE_WORDS_MAX).for_each(|n| drop(words.analyse(&format!("x{n}"))));
        assert_eq!(words.0.cache.len(), CACHE_WORDS_MAX);
        words.analyse("noch eins");
        assert_eq!(words.0.cache.len(), 1);
    }

    fn letters(mut n: usize) -> String {
        let mut text = String::new();
        for _ in 0..5 {
            text.push(char::from(b'a' + u8::try_from(n % 26).unwrap()));
            n /= 26;
        }
        text
    }
}
