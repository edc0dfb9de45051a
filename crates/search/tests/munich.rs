//! Questions as they are asked at a counter, to the real services of München.

mod common;

use common::{World, titles};
use ortsnetz_search::{Matching, Query, Why};

#[test]
fn the_verb_finds_the_noun_first() {
    let munich = World::munich();
    for words in
        ["Gewerbe anmelden", "gewerbe anmeldung", "Gewerbeanmeldung", "anmelden gewerbe", "ein Gewerbe anmelden"]
    {
        let hits = munich.ask(&Query::new(words));
        assert_eq!(hits.hits[0].title, "Gewerbe-Anmeldung", "{words}: {:?}", titles(&hits));
        assert_eq!(hits.matching, Matching::AllWords);
        assert!(hits.hits[0].why.contains(&Why::Title), "{words}: {:?}", hits.hits[0].why);
    }
    assert_eq!(munich.titles("Gewerbe abmelden")[0], "Gewerbe-Abmeldung");
    assert_eq!(munich.titles("Gewerbe ummelden")[0], "Gewerbe-Ummeldung");
}

#[test]
fn typing_mistakes_are_forgiven_where_nothing_else_is_found() {
    let munich = World::munich();
    for words in ["Gewrebe anmelden", "Gewerbe anmleden", "Gewerbea anmeldn"] {
        let hits = munich.ask(&Query::new(words));
        assert_eq!(hits.hits[0].title, "Gewerbe-Anmeldung", "{words}: {:?}", titles(&hits));
        assert_eq!(hits.matching, Matching::TypingMistakes, "{words}");
        assert!(hits.hits[0].why.contains(&Why::TypingMistake));
    }
}

#[test]
fn umlauts_may_be_spelt_in_any_way() {
    let munich = World::munich();
    let expected = munich.titles("Führerschein");
    assert!(!expected.is_empty());
    for words in ["fuehrerschein", "Fuhrerschein", "FÜHRERSCHEIN"] {
        assert_eq!(munich.titles(words), expected, "{words}");
    }
}

#[test]
fn while_typing_the_last_word_may_be_unfinished() {
    let munich = World::munich();
    for words in ["gew", "gewerbe anm", "gewerbe-anmeld", "ge", "gewerbeanm"] {
        let hits = munich.ask(&Query { typing: true, ..Query::new(words) });
        assert!(titles(&hits).contains(&"Gewerbe-Anmeldung".to_owned()), "{words}: {:?}", titles(&hits));
    }
    assert!(munich.titles("gewer").is_empty(), "a finished word is no beginning");
}

#[test]
fn keys_find_exactly_their_entry() {
    let munich = World::munich();
    for words in ["99050012104000", "1063423", "L100042.LB.1063423"] {
        let hits = munich.ask(&Query::new(words));
        assert_eq!(titles(&hits), ["Gewerbe-Anmeldung"], "{words}");
        assert_eq!(hits.hits[0].why, [Why::Code]);
    }
    // The key of the object finds everything about it.
    let about = munich.titles("99050012000000");
    for title in ["Gewerbe-Anmeldung", "Gewerbe-Ummeldung"] {
        assert!(about.contains(&title.to_owned()), "{about:?}");
    }
}

#[test]
fn common_questions_find_their_service_among_the_first_three() {
    let munich = World::munich();
    let questions = [
        ("Personalausweis beantragen", "Personalausweis"),
        ("Reisepass", "Reisepass"),
        ("Wohnung ummelden", "Wohnsitzanmeldung"),
        ("Meldebescheinigung", "Meldebescheinigung"),
        ("Führungszeugnis", "Führungszeugnis"),
        ("Auto anmelden", "Fahrzeug"),
        ("Wunschkennzeichen", "Fahrzeug"),
        ("Vornamen Reihenfolge", "Vornamen"),
        ("Beglaubigung", "Beglaubigung"),
        ("Bewohnerparken", "Parkausweis"),
    ];
    let mut missed = Vec::new();
    for (words, part) in questions {
        let first: Vec<String> = munich.titles(words).into_iter().take(3).collect();
        if !first.iter().any(|title| title.to_lowercase().contains(&part.to_lowercase())) {
            missed.push((words, first));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}
