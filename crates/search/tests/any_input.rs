//! Whatever is typed, there is an answer and no panic.

mod common;

use std::sync::{LazyLock, Mutex};

use common::{World, ars};
use ortsnetz_search::limits::{QUERY_CHARS_MAX, QUERY_WORDS_MAX, WORD_CHARS_MAX};
use ortsnetz_search::{PlaceFilter, Places, Query};
use proptest::prelude::*;

static MUNICH: LazyLock<Mutex<World>> = LazyLock::new(|| Mutex::new(World::munich()));

fn ask(query: &Query) -> ortsnetz_search::Hits {
    MUNICH.lock().unwrap_or_else(std::sync::PoisonError::into_inner).ask(query)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_safe(words in "\\PC{0,60}", typing: bool, notes: bool, placed: bool, district in "\\PC{0,12}") {
        let place = placed.then(|| PlaceFilter { ars: ars("091620000000"), also: Vec::new(), district: Some(district) });
        ask(&Query { typing, notes, place, ..Query::new(words) });
    }

    #[test]
    fn signs_of_query_languages_mean_nothing(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "Gewerbe", "anmelden", "AND", "OR", "NOT", "title:", "(", ")", "[a TO b]", "\"", "*", "~2", "^9", "\\",
                "+", "-", ":", "/.*/", "{", "}", "\0", "\u{1F600}", "ß", "ae", "%00", "<b>",
            ]),
            0..12,
        ),
        typing: bool,
    ) {
        ask(&Query { typing, ..Query::new(parts.concat()) });
        ask(&Query { typing, ..Query::new(parts.join(" ")) });
    }

    #[test]
    fn any_text_is_a_place_or_none(text in "\\PC{0,40}") {
        let answer = Places::built_in().resolve(&text, &[]);
        prop_assert!(answer.total >= answer.candidates.len());
    }

    #[test]
    fn any_bytes_are_a_table_or_none(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Places::read_csv([b"ars,name,plz_alle\n".as_slice(), &text].concat().as_slice());
    }
}

#[test]
fn a_field_name_is_a_word_like_any_other() {
    assert_eq!(ask(&Query::new("title:Gewerbe-Anmeldung")).hits[0].title, "Gewerbe-Anmeldung");
}

#[test]
fn words_beyond_the_limit_are_counted_and_left_out() {
    let words = |n: usize| "gewerbe ".repeat(n);
    assert_eq!(ask(&Query::new(words(QUERY_WORDS_MAX))).ignored_words, 0);
    assert_eq!(ask(&Query::new(words(QUERY_WORDS_MAX + 1))).ignored_words, 1);
    let long = |n: usize| format!("{}{}", " ".repeat(QUERY_CHARS_MAX - n), "gewerbe");
    assert!(ask(&Query::new(long("gewerbe".len()))).total > 0);
    let hits = ask(&Query::new(long("gewerb".len())));
    assert_eq!((hits.total, hits.ignored_words), (ask(&Query::new("gewerb")).total, 1));
    let monster = "x".repeat(WORD_CHARS_MAX + 1);
    assert_eq!(ask(&Query::new(monster)).total, 0);
}
