//! Words that stand for others: what people say where the administration says something else.

use std::collections::HashMap;
use std::sync::Arc;

use crate::fold;
use crate::lexicon::LexiconGuard;
use crate::limits::{SYNONYM_WORDS_MAX, SYNONYMS_MAX};
use crate::query::How;

/// The built-in list; its first lines say how it is written.
const BUILT_IN: &str = include_str!("thesaurus.txt");

/// A word or several that belong together, folded.
pub(crate) type Phrase = Arc<[String]>;

/// What some words of a question may stand for.
#[derive(Debug, Clone)]
pub(crate) struct Meaning {
    /// Positions of those words in the question, sorted.
    pub positions: Vec<usize>,
    /// What they may mean.
    pub phrase: Phrase,
    /// How that is known.
    pub how: How,
}

/// All of them, by the stems of what is said.
#[derive(Debug, Default)]
pub(crate) struct Thesaurus {
    rules: HashMap<Box<str>, Vec<Rule>>,
    count: usize,
}

#[derive(Debug)]
struct Rule {
    /// The further stems that must be in the question.
    others: Box<[Box<str>]>,
    phrases: Arc<[Phrase]>,
    how: How,
}

impl Thesaurus {
    /// The built-in list.
    pub fn built_in(lexicon: &mut LexiconGuard<'_>) -> Self {
        let mut thesaurus = Self::default();
        let mut how = How::Abbreviation;
        for line in BUILT_IN.lines() {
            if line.starts_with("# ") {
                how = if line.contains("Abbreviations") { How::Abbreviation } else { How::Synonym };
            } else {
                thesaurus.line(line, how, lexicon);
            }
        }
        thesaurus
    }

    /// Words that an organisation says mean the same, each for all others of its group.
    pub fn of_groups(groups: &[Vec<String>], lexicon: &mut LexiconGuard<'_>) -> Self {
        let mut thesaurus = Self::default();
        for group in groups {
            thesaurus.group(&group.iter().map(String::as_str).collect::<Vec<_>>(), How::Synonym, lexicon);
        }
        thesaurus
    }

    fn line(&mut self, line: &str, how: How, lexicon: &mut LexiconGuard<'_>) {
        if let Some((said, meant)) = line.split_once(" > ") {
            let phrases = phrases(meant.split(", "));
            said.split(", ").for_each(|said| self.add(said, &phrases, how, lexicon));
        } else if let Some((word, others)) = line.split_once(" = ") {
            let group: Vec<&str> = std::iter::once(word).chain(others.split(", ")).collect();
            self.group(&group, how, lexicon);
        }
    }

    fn group(&mut self, group: &[&str], how: How, lexicon: &mut LexiconGuard<'_>) {
        for (n, said) in group.iter().enumerate() {
            let others = group.iter().enumerate().filter(|(other, _)| *other != n).map(|(_, other)| *other);
            self.add(said, &phrases(others), how, lexicon);
        }
    }

    fn add(&mut self, said: &str, phrases: &Arc<[Phrase]>, how: How, lexicon: &mut LexiconGuard<'_>) {
        let words = fold::words(said);
        if words.is_empty() || words.len() > SYNONYM_WORDS_MAX || phrases.is_empty() || self.count >= SYNONYMS_MAX {
            return;
        }
        let analysed: Vec<_> = words.iter().map(|word| lexicon.analyse(word)).collect();
        let only_stop = analysed.iter().all(|word| word.stop);
        let mut stems = analysed.iter().filter(|word| only_stop || !word.stop).map(|word| word.stem.clone());
        let Some(first) = stems.next() else { return };
        let rule = Rule { others: stems.collect(), phrases: Arc::clone(phrases), how };
        self.rules.entry(first).or_default().push(rule);
        self.count += 1;
    }

    /// What words of a question may mean. `stems` are those of each word and of its parts, with its position.
    pub fn meanings(&self, stems: &[(usize, &str)]) -> Vec<Meaning> {
        let mut found: Vec<Meaning> = Vec::new();
        for (position, stem) in stems {
            for rule in self.rules.get(*stem).into_iter().flatten() {
                let others: Option<Vec<usize>> =
                    rule.others.iter().map(|other| Some(stems.iter().find(|(_, stem)| **stem == **other)?.0)).collect();
                let Some(mut positions) = others else { continue };
                positions.push(*position);
                positions.sort_unstable();
                positions.dedup();
                for phrase in rule.phrases.iter() {
                    if !found.iter().any(|known| known.positions == positions && known.phrase == *phrase) {
                        found.push(Meaning { positions: positions.clone(), phrase: Arc::clone(phrase), how: rule.how });
                    }
                }
            }
        }
        found
    }
}

fn phrases<'a>(texts: impl Iterator<Item = &'a str>) -> Arc<[Phrase]> {
    let words = texts.map(fold::words).filter(|words| (1..=SYNONYM_WORDS_MAX).contains(&words.len()));
    words.map(Phrase::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexicon::Lexicon;

    fn meant(question: &str) -> Vec<String> {
        let lexicon = Lexicon::new();
        let mut lexicon = lexicon.lock();
        let thesaurus = Thesaurus::built_in(&mut lexicon);
        let stems: Vec<(usize, String)> =
            fold::words(question).iter().map(|word| lexicon.stem(word)).enumerate().collect();
        let stems: Vec<(usize, &str)> = stems.iter().map(|(n, stem)| (*n, stem.as_str())).collect();
        thesaurus.meanings(&stems).into_iter().map(|meaning| meaning.phrase.join(" ")).collect()
    }

    #[test]
    fn what_people_say_leads_to_what_the_administration_says() {
        assert!(meant("perso verloren").contains(&"personalausweis".to_owned()));
        assert!(meant("ich bin umgezogen").contains(&"wohnsitz anmelden".to_owned()));
        assert!(meant("Wohnungen anmelden").contains(&"wohnsitzanmeldung".to_owned()));
        assert!(meant("KFZ").contains(&"kraftfahrzeug".to_owned()));
        assert!(meant("Kraftfahrzeug").contains(&"kfz".to_owned()));
        assert_eq!(meant("Wanderweg"), Vec::<String>::new());
    }

    #[test]
    fn every_line_of_the_list_is_read() {
        let lexicon = Lexicon::new();
        let mut lexicon = lexicon.lock();
        for line in BUILT_IN.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let mut thesaurus = Thesaurus::default();
            thesaurus.line(line, How::Synonym, &mut lexicon);
            assert!(thesaurus.count > 0, "{line}");
        }
    }

    #[test]
    fn the_words_of_organisations_are_limited() {
        let lexicon = Lexicon::new();
        let mut lexicon = lexicon.lock();
        let group = |n: usize| vec![format!("wort{n}"), "anderes".to_owned()];
        let groups: Vec<_> = (0..SYNONYMS_MAX).map(group).collect();
        assert_eq!(Thesaurus::of_groups(&groups, &mut lexicon).count, SYNONYMS_MAX);
        let long = vec![vec!["a b c d e".to_owned(), "kurz".to_owned()]];
        assert_eq!(Thesaurus::of_groups(&long, &mut lexicon).count, 0, "longer than any phrase");
    }
}
