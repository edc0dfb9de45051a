//! Folding: one spelling for ä, ae and a, for ß and ss, for capitals and accents, and the words of a text in it.

use crate::limits::WORD_CHARS_MAX;

/// Calls `each` with every word of the text, folded. Letters and digits make words; soft hyphens and other invisible
/// characters do not part them. The same function serves the index and the questions, so that whatever it merges is
/// merged on both sides.
pub(crate) fn each_word(text: &str, mut each: impl FnMut(&str)) {
    let mut word = Word::default();
    for c in text.chars() {
        if is_letter(c) {
            word.push(c);
        } else if !is_invisible(c) {
            word.finish(&mut each);
        }
    }
    word.finish(&mut each);
}

/// The words of the text, folded.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    each_word(text, |word| words.push(word.to_owned()));
    words
}

/// The whole text as its folded words with one blank between.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    each_word(text, |word| {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(word);
    });
    folded
}

#[derive(Default)]
struct Word {
    text: String,
    chars: usize,
    // The two letters before the next one, as they were typed: `ue` is an umlaut except after a vowel or q.
    before: char,
    last: char,
}

impl Word {
    fn push(&mut self, c: char) {
        if c.is_ascii() {
            self.letter(c.to_ascii_lowercase());
        } else {
            for c in c.to_lowercase() {
                match base(c) {
                    Some(letters) => letters.chars().for_each(|letter| self.put(letter, '\0')),
                    None if is_mark(c) => {}
                    None => self.put(c, c),
                }
            }
        }
    }

    fn letter(&mut self, c: char) {
        let digraph = c == 'e' && matches!(self.last, 'a' | 'o' | 'u') && !parts_digraph(self.before);
        if digraph {
            (self.before, self.last) = (self.last, 'e');
        } else {
            self.put(c, c);
        }
    }

    fn put(&mut self, c: char, typed: char) {
        if self.chars < WORD_CHARS_MAX {
            self.text.push(c);
            self.chars += 1;
        }
        (self.before, self.last) = (self.last, typed);
    }

    fn finish(&mut self, each: &mut impl FnMut(&str)) {
        if !self.text.is_empty() {
            each(&self.text);
            self.text.clear();
        }
        (self.chars, self.before, self.last) = (0, '\0', '\0');
    }
}

/// After these letters `ae`, `oe` and `ue` are two sounds: neue, Steuer, Bauer, Quelle.
fn parts_digraph(before: char) -> bool {
    matches!(before, 'a' | 'e' | 'i' | 'o' | 'u' | 'y' | 'q')
}

/// Whether the character belongs to a word.
pub(crate) fn is_letter(c: char) -> bool {
    c.is_alphanumeric() || is_mark(c)
}

fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// Whether the character stands in a word unseen.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// The letters without their marks, for the languages of Europe.
fn base(c: char) -> Option<&'static str> {
    Some(match c {
        'ä' | 'à' | 'á' | 'â' | 'ã' | 'å' | 'ā' | 'ă' | 'ą' | 'æ' => "a",
        'ö' | 'ò' | 'ó' | 'ô' | 'õ' | 'ø' | 'ō' | 'ő' | 'œ' => "o",
        'ü' | 'ù' | 'ú' | 'û' | 'ū' | 'ů' | 'ű' | 'ų' => "u",
        'ß' => "ss",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'į' | 'ı' => "i",
        'ç' | 'ć' | 'č' => "c",
        'ñ' | 'ń' | 'ň' => "n",
        'ś' | 'š' | 'ş' | 'ș' => "s",
        'ź' | 'ż' | 'ž' => "z",
        'ł' => "l",
        'ř' => "r",
        'ť' | 'ţ' | 'ț' => "t",
        'ď' | 'đ' => "d",
        'ğ' => "g",
        'ý' | 'ÿ' => "y",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_umlaut_is_one_word() {
        for text in ["Führerschein", "Fuehrerschein", "FÜHRERSCHEIN", "fuhrerschein", "Fu\u{308}hrer\u{ad}schein"] {
            assert_eq!(fold(text), "fuhrerschein", "{text}");
        }
        assert_eq!(fold("Straße"), fold("STRASSE"));
        assert_eq!(fold("Änderung"), fold("Aenderung"));
    }

    #[test]
    fn two_sounds_stay_two_letters() {
        for word in ["neue", "steuer", "bauer", "quelle", "treue", "israel", "feuerwehr"] {
            let expected = if word == "israel" { "isral" } else { word };
            assert_eq!(fold(word), expected);
        }
    }

    #[test]
    fn what_is_typed_so_far_folds_to_a_beginning() {
        for word in ["Fuehrerschein", "aktuell", "Führungszeugnis", "Bauerlaubnis", "Poesie"] {
            let whole = fold(word);
            for (end, _) in word.char_indices() {
                assert!(whole.starts_with(&fold(&word[..end])), "{}", &word[..end]);
            }
        }
    }

    #[test]
    fn words_end_where_letters_end() {
        assert_eq!(words("\u{200b}Kfz-Zulassung (§ 34a), e-ID."), ["kfz", "zulassung", "34a", "e", "id"]);
        assert_eq!(words(" -- "), Vec::<String>::new());
    }

    #[test]
    fn a_word_is_cut_at_its_limit() {
        assert_eq!(fold(&"x".repeat(WORD_CHARS_MAX)).chars().count(), WORD_CHARS_MAX);
        assert_eq!(fold(&"x".repeat(WORD_CHARS_MAX + 1)).chars().count(), WORD_CHARS_MAX);
    }
}
