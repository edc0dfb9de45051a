//! Marking the words of a question in a text.

use std::collections::HashSet;
use std::ops::Range;

use crate::fold;
use crate::lexicon::Lexicon;
use crate::limits::SNIPPET_CHARS_MAX;
use crate::query::{How, Query, Reason};

/// A piece of a text, marked or not. The pieces make the text, and nothing in them is markup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// The piece.
    pub text: String,
    /// Whether it is what was asked for.
    pub mark: bool,
}

/// Finds the words for which an entry was found in its texts.
pub struct Marker {
    lexicon: Lexicon,
    stems: HashSet<String>,
    beginnings: Vec<String>,
}

impl Marker {
    pub(crate) fn new(lexicon: Lexicon, query: &Query, reasons: &[Reason]) -> Self {
        let (mut stems, mut beginnings) = (HashSet::new(), Vec::new());
        {
            let mut words = lexicon.lock();
            let mut add = |text: &str| {
                for word in fold::words(text) {
                    let analysed = words.analyse(&word);
                    if !analysed.stop {
                        stems.insert(analysed.stem.to_string());
                        stems.extend(analysed.parts.iter().map(ToString::to_string));
                    }
                }
            };
            add(&query.words);
            reasons.iter().filter(|reason| reason.how != How::Beginning).for_each(|reason| add(&reason.found));
        }
        beginnings
            .extend(reasons.iter().filter(|reason| reason.how == How::Beginning).map(|reason| reason.word.clone()));
        Self { lexicon, stems, beginnings }
    }

    /// Where the text has the words, each from its first to after its last byte.
    pub fn marks(&self, text: &str) -> Vec<Range<usize>> {
        let mut lexicon = self.lexicon.lock();
        let mut is_meant = |word: &str| {
            let folded = fold::fold(word);
            if self.beginnings.iter().any(|beginning| folded.starts_with(beginning.as_str())) {
                return true;
            }
            let analysed = lexicon.analyse(&folded);
            !analysed.stop
                && (self.stems.contains(&*analysed.stem)
                    || analysed.parts.iter().any(|part| self.stems.contains(&**part)))
        };
        words(text).filter(|range| is_meant(&text[range.clone()])).collect()
    }

    /// The whole text in pieces.
    pub fn marked(&self, text: &str) -> Vec<Marked> {
        pieces(text, &self.marks(text))
    }

    /// The part of the text that has most of the words, at most [`SNIPPET_CHARS_MAX`] characters, and how many different
    /// ones; `None` if it has none of them.
    pub fn snippet(&self, text: &str) -> Option<(Vec<Marked>, usize)> {
        let marks = self.marks(text);
        let distinct = |from: usize, until: usize| {
            let inside = marks.iter().filter(|mark| mark.start >= from && mark.end <= until);
            inside.map(|mark| fold::fold(&text[mark.clone()])).collect::<HashSet<_>>().len()
        };
        let windows = marks.iter().map(|mark| {
            let (start, end) = window(text, mark.start);
            (distinct(start, end), start, end)
        });
        let (count, start, end) = windows.reduce(|best, next| if next.0 > best.0 { next } else { best })?;
        let inside = marks.iter().filter(|mark| mark.start >= start && mark.end <= end);
        let inside: Vec<Range<usize>> = inside.map(|mark| mark.start - start..mark.end - start).collect();
        let mut marked = pieces(&text[start..end], &inside);
        if start > 0 {
            marked.insert(0, Marked { text: "… ".to_owned(), mark: false });
        }
        if end < text.len() {
            marked.push(Marked { text: " …".to_owned(), mark: false });
        }
        Some((marked, count))
    }
}

/// A window that begins a few words before this byte, with whole words.
fn window(text: &str, at: usize) -> (usize, usize) {
    const BEFORE_CHARS: usize = 40;
    let back = text[..at].char_indices().rev().take(BEFORE_CHARS).last().map_or(at, |(index, _)| index);
    let start = if back == 0 { 0 } else { text[back..at].find(' ').map_or(at, |blank| back + blank + 1) };
    let end = text[start..].char_indices().nth(SNIPPET_CHARS_MAX).map_or(text.len(), |(index, _)| start + index);
    let end = if end == text.len() { end } else { text[start..end].rfind(' ').map_or(end, |blank| start + blank) };
    (start, end.max(at))
}

fn pieces(text: &str, marks: &[Range<usize>]) -> Vec<Marked> {
    let mut pieces = Vec::with_capacity(marks.len() * 2 + 1);
    let mut push = |text: &str, mark: bool| {
        if !text.is_empty() {
            pieces.push(Marked { text: text.to_owned(), mark });
        }
    };
    let mut done = 0;
    for mark in marks {
        push(&text[done..mark.start], false);
        push(&text[mark.clone()], true);
        done = mark.end;
    }
    push(&text[done..], false);
    pieces
}

/// The words of the text, as [`fold::words`] parts them.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut rest = text.char_indices().peekable();
    std::iter::from_fn(move || {
        let (start, _) = rest.find(|(_, c)| fold::is_letter(*c))?;
        while rest.next_if(|(_, c)| fold::is_letter(*c) || fold::is_invisible(*c)).is_some() {}
        Some(start..rest.peek().map_or(text.len(), |(index, _)| *index))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(words: &str) -> Marker {
        Marker::new(Lexicon::new(), &Query::new(words), &[])
    }

    fn shown(marked: &[Marked]) -> String {
        marked.iter().map(|piece| if piece.mark { format!("[{}]", piece.text) } else { piece.text.clone() }).collect()
    }

    #[test]
    fn every_form_of_a_word_is_marked_and_nothing_else_changes() {
        let marked = marker("führerschein verlängern").marked("Die Verlängerung des <b>Führerscheins</b> kostet.");
        assert_eq!(shown(&marked), "Die [Verlängerung] des <b>[Führerscheins]</b> kostet.");
        assert_eq!(shown(&marker("der").marked("der Hund")), "der Hund", "what says nothing is not marked");
        assert_eq!(shown(&marker("gewerbe").marked("Gewer\u{ad}beanmeldung")), "[Gewer\u{ad}beanmeldung]");
        assert_eq!(marker("hund").marked(""), []);
    }

    #[test]
    fn a_snippet_is_where_most_words_are() {
        let text =
            format!("Hund. {} Wer einen Hund hält, zahlt Steuer für ihn. {}", "Wort ".repeat(80), "Ende ".repeat(80));
        let (marked, count) = marker("hund steuer").snippet(&text).unwrap();
        let shown = shown(&marked);
        assert_eq!(count, 2, "{shown}");
        assert!(
            shown.starts_with("… Wort") && shown.ends_with(" …") && shown.contains("[Hund] hält, zahlt [Steuer]"),
            "{shown}"
        );
        let chars = marked.iter().map(|piece| piece.text.chars().count()).sum::<usize>();
        assert!(chars <= SNIPPET_CHARS_MAX + 4, "{chars}");
        assert_eq!(marker("katze").snippet(&text), None);
    }

    #[test]
    fn any_text_can_be_cut() {
        for text in ["ß", "ä ö", "\u{301}", "hund\u{ad}", "€hund€", &"hundü".repeat(200), &"hund 😀".repeat(200)]
        {
            let whole: String = marker("hund").marked(text).into_iter().map(|piece| piece.text).collect();
            assert_eq!(whole, text);
            drop(marker("hund").snippet(text));
        }
    }
}
