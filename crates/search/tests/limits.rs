//! Every limit, at it and over it; those of questions are in `any_input.rs`, of tables in `places.rs`.

mod common;

use std::io::Read;

use common::{World, ars, org, service, titles};
use ortsnetz_model::Entry;
use ortsnetz_search::limits::{
    AREAS_MAX, AREAS_SHOWN_MAX, EDGE_CHARS_MAX, EXPANSIONS_MAX, HEAP_BYTES_MAX, HEAP_BYTES_MIN, LANGUAGES_SHOWN_MAX,
    PLACE_BYTES_MAX, PLACES_MAX, SUMMARY_CHARS_MAX, TYPO_CHARS_MIN,
};
use ortsnetz_search::{Index, Matching, PlaceError, Places, Query};
use serde_json::{Map, Value, json};

fn towns(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("05315{n:04}001")).collect()
}

fn with_towns(count: usize) -> (World, Vec<String>) {
    let (mut world, towns) = (World::new(), towns(count));
    world.add(org(1), &[service("Hundesteuer", &[], json!({"valid_for": towns}))]);
    (world, towns)
}

#[test]
fn places_of_an_entry() {
    let (world, towns) = with_towns(AREAS_MAX + 1);
    let asked = |n: usize| world.ask(&Query::new("Hundesteuer").at(ars(&towns[n]))).total;
    assert_eq!((asked(AREAS_MAX - 1), asked(AREAS_MAX)), (1, 0));
    for count in [AREAS_SHOWN_MAX, AREAS_SHOWN_MAX + 1] {
        let (world, _) = with_towns(count);
        assert_eq!(world.ask(&Query::new("Hundesteuer")).hits[0].valid_for.len(), AREAS_SHOWN_MAX);
    }
}

#[test]
fn summary_and_languages_of_a_hit() {
    for length in [SUMMARY_CHARS_MAX, SUMMARY_CHARS_MAX + 1] {
        let mut world = World::new();
        let more = json!({"texts": {"summary": {"de": "ü".repeat(length)}}});
        world.add(org(1), &[service("Hundesteuer", &[], more)]);
        assert_eq!(world.ask(&Query::new("Hundesteuer")).hits[0].summary.chars().count(), SUMMARY_CHARS_MAX);
    }
    let language = |n: usize| format!("a{}", char::from(b'a' + u8::try_from(n).unwrap()));
    let title: Map<String, Value> =
        (0..=LANGUAGES_SHOWN_MAX).map(|n| (language(n), json!(format!("Title {n}")))).collect();
    let mut world = World::new();
    world.add(org(1), &[Entry::from_json(json!({"kind": "service", "title": title})).unwrap()]);
    let shown = |n: usize| {
        let query = Query { language: language(n), ..Query::new("title") };
        world.ask(&query).hits[0].title.clone()
    };
    let last = LANGUAGES_SHOWN_MAX - 1;
    assert_eq!(shown(last), format!("Title {last}"));
    assert_eq!(shown(LANGUAGES_SHOWN_MAX), "Title 0", "the rest falls back");
}

#[test]
fn words_that_begin_so() {
    for count in [EXPANSIONS_MAX, EXPANSIONS_MAX + 1] {
        let mut world = World::new();
        let entries: Vec<Entry> = (0..count).map(|n| service(&format!("Zwetschge{n}"), &[], json!({}))).collect();
        world.add(org(1), &entries);
        let typed = |letters: usize| {
            let words: String = "Zwetschge".chars().take(letters).collect();
            world.ask(&Query { typing: true, ..Query::new(words) }).total
        };
        assert_eq!(typed(EDGE_CHARS_MAX), count, "short beginnings have a list of their own");
        assert_eq!(typed(EDGE_CHARS_MAX + 1), EXPANSIONS_MAX, "longer ones stand for so many words");
    }
}

#[test]
fn short_words_must_be_typed_right() {
    let mut world = World::new();
    world.add(org(1), &[service("Hund", &[], json!({})), service("Hunde xylophon", &[], json!({}))]);
    let (long, short) = ("xylpohon", "Humd");
    assert!(long.len() >= TYPO_CHARS_MIN && short.len() == TYPO_CHARS_MIN - 1);
    let hits = world.ask(&Query::new(long));
    assert_eq!((titles(&hits), hits.matching), (vec!["Hunde xylophon".to_owned()], Matching::TypingMistakes));
    assert_eq!(world.ask(&Query::new(short)).total, 0);
    assert_eq!(world.ask(&Query::new("Humde")).total, 2, "five letters are enough, and the stem counts");
}

#[test]
fn memory_of_the_writer_is_kept_in_bounds() {
    for heap in [0, HEAP_BYTES_MIN - 1, HEAP_BYTES_MIN, HEAP_BYTES_MAX, usize::MAX] {
        let dir = tempfile::tempdir().unwrap();
        let mut index = Index::open(dir.path(), [7; 16], 0, heap).unwrap().index;
        index.commit(1).unwrap();
    }
}

#[test]
fn lines_and_bytes_of_a_table() {
    let table = |lines: usize| {
        let lines: String = (0..lines).map(|n| format!("05{n:010},Ort\n")).collect();
        Places::read_csv(format!("ars,name\n{lines}").as_bytes())
    };
    assert_eq!(table(PLACES_MAX).unwrap().municipalities, PLACES_MAX);
    assert!(matches!(table(PLACES_MAX + 1), Err(PlaceError::TooMany(PLACES_MAX))));
    let bytes = |count: usize| Places::read_csv(std::io::repeat(b'x').take(count as u64));
    assert!(matches!(bytes(PLACE_BYTES_MAX), Err(PlaceError::Column("ars"))));
    assert!(matches!(bytes(PLACE_BYTES_MAX + 1), Err(PlaceError::TooMany(_))));
}
