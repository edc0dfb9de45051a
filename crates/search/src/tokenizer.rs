//! The lexicon as tokenizers of the index.

use std::sync::Arc;

use tantivy::tokenizer::{Token, TokenStream, Tokenizer, TokenizerManager};

use crate::fold;
use crate::lexicon::{Analysed, Lexicon};
use crate::limits::EDGE_CHARS_MAX;

/// Shortest beginning of a word in the list of beginnings, in characters.
pub(crate) const EDGE_CHARS_MIN: usize = 2;

/// What a field keeps of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Stems of the word and its parts, without stop words: German text.
    Stems,
    /// The word and its parts as they stand: for typing mistakes and long beginnings.
    Surfaces,
    /// Beginnings of the word and its parts.
    Edges,
    /// The word as it stands: text in other languages.
    Plain,
}

impl Mode {
    /// The name of the tokenizer in the schema of the index.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stems => "ortsnetz_stems",
            Self::Surfaces => "ortsnetz_surfaces",
            Self::Edges => "ortsnetz_edges",
            Self::Plain => "ortsnetz_plain",
        }
    }
}

/// Makes the tokenizers known to an index.
pub(crate) fn register(manager: &TokenizerManager, lexicon: &Lexicon) {
    for mode in [Mode::Stems, Mode::Surfaces, Mode::Edges, Mode::Plain] {
        manager.register(mode.name(), LexiconTokenizer::new(lexicon.clone(), mode));
    }
}

#[derive(Clone)]
struct LexiconTokenizer {
    lexicon: Lexicon,
    mode: Mode,
    // All tokens of the text, one after the other, and where each ends; kept to be used again.
    text: String,
    ends: Vec<usize>,
    token: Token,
}

impl LexiconTokenizer {
    fn new(lexicon: Lexicon, mode: Mode) -> Self {
        Self { lexicon, mode, text: String::new(), ends: Vec::new(), token: Token::default() }
    }

    fn add(&mut self, token: &str) {
        self.text.push_str(token);
        self.ends.push(self.text.len());
    }

    fn add_edges(&mut self, word: &str) {
        for (count, (index, c)) in word.char_indices().enumerate().take(EDGE_CHARS_MAX) {
            if count + 1 >= EDGE_CHARS_MIN {
                self.add(&word[..index + c.len_utf8()]);
            }
        }
    }

    fn add_word(&mut self, word: &Analysed) {
        match self.mode {
            Mode::Stems if word.stop => {}
            Mode::Stems => {
                self.add(&word.stem);
                word.parts.iter().chain(&word.inner).for_each(|part| self.add(part));
            }
            Mode::Surfaces => word.surfaces.iter().for_each(|surface| self.add(surface)),
            Mode::Edges => word.surfaces.iter().for_each(|surface| self.add_edges(surface)),
            Mode::Plain => {}
        }
    }
}

impl Tokenizer for LexiconTokenizer {
    type TokenStream<'a> = Tokens<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Tokens<'a> {
        self.text.clear();
        self.ends.clear();
        if self.mode == Mode::Plain {
            fold::each_word(text, |word| self.add(word));
        } else {
            let lexicon = self.lexicon.clone();
            let mut words = lexicon.lock();
            fold::each_word(text, |word| {
                let analysed: Arc<Analysed> = words.analyse(word);
                self.add_word(&analysed);
            });
        }
        self.token.reset();
        Tokens { from: self, next: 0 }
    }
}

struct Tokens<'a> {
    from: &'a mut LexiconTokenizer,
    next: usize,
}

impl TokenStream for Tokens<'_> {
    fn advance(&mut self) -> bool {
        let Some(end) = self.from.ends.get(self.next).copied() else { return false };
        let start = self.next.checked_sub(1).map_or(0, |before| self.from.ends[before]);
        let token = &mut self.from.token;
        token.text.clear();
        token.text.push_str(&self.from.text[start..end]);
        token.position = self.next;
        (token.offset_from, token.offset_to) = (start, end);
        self.next += 1;
        true
    }

    fn token(&self) -> &Token {
        &self.from.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.from.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(mode: Mode, text: &str) -> Vec<String> {
        let mut tokenizer = LexiconTokenizer::new(Lexicon::new(), mode);
        let mut stream = tokenizer.token_stream(text);
        let mut tokens = Vec::new();
        while stream.advance() {
            tokens.push(stream.token().text.clone());
        }
        tokens
    }

    #[test]
    fn each_field_keeps_what_it_is_for() {
        let text = "Die Gewerbe-Anmeldung";
        assert_eq!(tokens(Mode::Stems, text), ["gewerb", "anmeld"]);
        assert_eq!(tokens(Mode::Surfaces, text), ["die", "gewerbe", "anmeldung"]);
        assert_eq!(tokens(Mode::Plain, text), ["die", "gewerbe", "anmeldung"]);
        assert_eq!(tokens(Mode::Edges, "Bauantrag 5"), ["ba", "bau", "baua", "ba", "bau", "an", "ant", "antr"]);
    }
}
