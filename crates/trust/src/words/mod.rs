//! 2,048 German words: 11 bits each, easy to say and to tell apart on the telephone.

use std::sync::LazyLock;

/// Words in the list.
pub const WORDS: usize = 2048;
/// Bits one word stands for.
pub const WORD_BITS: usize = 11;
/// Words two people compare when they join.
pub const CHECK_WORDS: usize = 6;
/// Words of a passphrase made here: 88 bits.
pub const PASSPHRASE_WORDS: usize = 8;
/// Random bytes a passphrase is made of.
pub const PASSPHRASE_BYTES: usize = PASSPHRASE_WORDS * WORD_BITS / 8;

static LIST: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| include_str!("de.txt").split_ascii_whitespace().take(WORDS).collect());

/// The whole list, sorted.
pub fn list() -> &'static [&'static str] {
    &LIST
}

/// As many whole words as the bytes give, 11 bits each, from the first bit on.
pub fn words(bytes: &[u8]) -> Vec<&'static str> {
    let bit = |at: usize| usize::from(bytes[at / 8] >> (7 - at % 8) & 1);
    (0..bytes.len() * 8 / WORD_BITS)
        .map(|word| {
            let index = (0..WORD_BITS).fold(0, |index, at| index << 1 | bit(word * WORD_BITS + at));
            LIST.get(index).copied().unwrap_or_default()
        })
        .collect()
}

/// A passphrase of 8 words, joined by hyphens, made of random bytes.
pub fn passphrase(random: &[u8; PASSPHRASE_BYTES]) -> String {
    words(random).join("-")
}

/// What a person typed as passphrase in the form in which it was made: lower case, single hyphens.
pub fn normal_passphrase(typed: &str) -> String {
    let lower = typed.to_lowercase();
    let words = lower.split(|c: char| c.is_whitespace() || matches!(c, '-' | ',' | '.'));
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_2048_sorted_plain_words() {
        assert_eq!(include_str!("de.txt").split_ascii_whitespace().count(), WORDS);
        assert!(list().is_sorted_by(|a, b| a < b), "sorted and distinct");
        for word in list() {
            assert!((4..=9).contains(&word.len()), "{word}");
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase()), "{word}");
        }
    }

    #[test]
    fn no_two_words_differ_by_one_letter_only() {
        let mut shortened = std::collections::BTreeMap::new();
        for word in list() {
            for at in 0..word.len() {
                // Equal with a letter changed, added or left out: the same rest at the same place.
                let replaced = format!("{}?{}", &word[..at], &word[at + 1..]);
                assert_eq!(shortened.insert(replaced, word), None, "{word}");
                let dropped = format!("{}{}", &word[..at], &word[at + 1..]);
                assert!(list().binary_search(&dropped.as_str()).is_err(), "{word} and {dropped}");
            }
        }
    }

    #[test]
    fn words_take_eleven_bits_each() {
        assert_eq!(words(&[0; 9]), vec![list()[0]; 6]);
        assert_eq!(words(&[0xff; 9]), vec![list()[2047]; 6]);
        assert_eq!(words(&[0, 0x20]), vec![list()[1]]);
        assert!(words(&[]).is_empty());
    }

    #[test]
    fn a_typed_passphrase_is_read_kindly() {
        let made = passphrase(&[3; PASSPHRASE_BYTES]);
        assert_eq!(made.split('-').count(), PASSPHRASE_WORDS);
        assert_eq!(normal_passphrase(&format!("  {} ", made.to_uppercase().replace('-', "  "))), made);
    }
}
