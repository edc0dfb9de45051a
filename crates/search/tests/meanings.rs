//! Words that mean the same, counts, filters, and why something was found.

mod common;

use common::{World, org, service, titles};
use ortsnetz_model::Kind;
use ortsnetz_search::limits::FACET_VALUES_MAX;
use ortsnetz_search::{How, Matching, Query, Why};
use serde_json::json;

fn reasons(world: &World, words: &str) -> Vec<(String, Why, How, String)> {
    let found = world.ask(&Query::new(words));
    let first = found.hits.into_iter().next().unwrap_or_else(|| panic!("nothing for {words}"));
    first.reasons.into_iter().map(|reason| (reason.word, reason.why, reason.how, reason.found)).collect()
}

#[test]
fn each_hit_says_which_word_it_has_where_and_how() {
    let mut world = World::new();
    let text = json!({"texts": {"description": {"de": "Mit dem Lichtbild kommen"}}});
    world.add(org(1), &[service("Personalausweis verlängern", &[], text)]);
    let reason = |word: &str, why, how, found: &str| (word.to_owned(), why, how, found.to_owned());
    assert_eq!(
        reasons(&world, "Personalausweis"),
        [reason("personalausweis", Why::Title, How::Exact, "personalausweis")]
    );
    assert_eq!(reasons(&world, "Verlängerung"), [reason("verlangerung", Why::Title, How::Stem, "verlangerung")]);
    assert_eq!(reasons(&world, "Lichtbilder"), [reason("lichtbilder", Why::Text, How::Stem, "lichtbilder")]);
    assert_eq!(reasons(&world, "Perso"), [reason("perso", Why::Title, How::Abbreviation, "personalausweis")]);
    let mistake = reasons(&world, "Personnalausweis");
    assert!(
        mistake.iter().all(|(word, _, how, _)| word == "personnalausweis" && *how == How::TypingMistake),
        "{mistake:?}"
    );
    let parts = reasons(&world, "Personalausweisverlängerung");
    assert!(parts.iter().any(|(_, why, how, _)| (*why, *how) == (Why::Title, How::CompoundPart)), "{parts:?}");
}

#[test]
fn what_organisations_call_things_helps_to_find_everybodys() {
    let mut world = World::new();
    world.add(org(1), &[service("Altglascontainer", &[], json!({})), service("Hundesteuer", &[], json!({}))]);
    assert_eq!(world.titles("Wertstoffinsel"), Vec::<String>::new());
    let groups = [vec!["Wertstoffinsel".to_owned(), "Altglascontainer".to_owned()]];
    world.reader.set_synonyms(&groups);
    assert_eq!(world.titles("Wertstoffinsel"), ["Altglascontainer"]);
    assert_eq!(reasons(&world, "wertstoffinseln")[0].2, How::Synonym);
    world.reader.set_synonyms(&[]);
    assert_eq!(world.titles("Wertstoffinsel"), Vec::<String>::new());
}

#[test]
fn a_word_that_was_typed_stands_before_one_that_is_only_meant() {
    let mut world = World::new();
    world.add(org(1), &[service("Fahrzeug abmelden", &[], json!({})), service("Auto abmelden", &[], json!({}))]);
    assert_eq!(world.titles("Auto abmelden"), ["Auto abmelden", "Fahrzeug abmelden"]);
}

#[test]
fn a_question_need_not_be_in_the_words_of_the_entry() {
    let mut world = World::new();
    let entries = [
        service("Wohnsitz anmelden", &[], json!({})),
        service("Gewerbe anmelden", &[], json!({})),
        service(
            "Termine im Rathaus",
            &[],
            json!({"texts": {"description": {"de": "Was muss ich machen, wenn ich umgezogen bin"}}}),
        ),
    ];
    world.add(org(1), &entries);
    assert_eq!(world.titles("Ich bin umgezogen, was muss ich machen?")[0], "Wohnsitz anmelden");
    assert_eq!(world.titles("wohnung anmelden")[0], "Wohnsitz anmelden");
    // An unknown compound is what it ends with.
    let found = world.ask(&Query::new("Xyzgewerbe"));
    assert_eq!((titles(&found), found.matching), (vec!["Gewerbe anmelden".to_owned()], Matching::SomeWords));
}

#[test]
fn everything_found_is_counted_and_can_be_narrowed() {
    let mut world = World::new();
    let of = |title: &str, audience: &[&str], events: &[&str]| {
        service(title, &[], json!({"audience": audience, "life_events": events}))
    };
    world.add(org(1), &[of("Hund eins", &["business"], &["1050200"]), of("Hund zwei", &[], &["1050200", "1110300"])]);
    world.add(org(2), &[of("Hund drei", &["business", "citizens"], &[]), of("Katze", &["business"], &[])]);
    let ask = |query: Query| world.ask(&Query { facets: true, limit: 1, ..query });
    let facets = ask(Query::new("Hund")).facets.unwrap();
    assert_eq!(facets.kinds, [(Kind::Service, 3)]);
    assert_eq!(facets.organisations, [(org(1), 2), (org(2), 1)]);
    assert_eq!(facets.life_events, [("1050200".to_owned(), 2), ("1110300".to_owned(), 1)]);
    assert_eq!(facets.audiences, [("business".to_owned(), 2), ("citizens".to_owned(), 1)]);
    let narrowed = ask(Query { audience: Some("business".to_owned()), ..Query::new("Hund") });
    assert_eq!((narrowed.total, narrowed.facets.unwrap().organisations.len()), (2, 2));
    assert_eq!(ask(Query { life_event: Some("1110300".to_owned()), ..Query::new("Hund") }).total, 1);
    assert_eq!(world.ask(&Query::new("Hund")).facets, None);

    let events: Vec<String> = (0..=FACET_VALUES_MAX).map(|n| format!("{n:07}")).collect();
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    world.add(org(3), &[of("Vogel", &[], &events[1..]), of("Fisch", &[], &events)]);
    let many = |words: &str| world.ask(&Query { facets: true, ..Query::new(words) }).facets.unwrap().life_events.len();
    assert_eq!((many("Vogel"), many("Fisch")), (FACET_VALUES_MAX, FACET_VALUES_MAX));
}

#[test]
fn who_may_not_be_read_is_not_counted() {
    let mut world = World::new();
    world.add(org(1), &[service("Hund", &[], json!({}))]);
    world.add(org(2), &[service("Hund", &[], json!({}))]);
    let query = Query { facets: true, ..Query::new("Hund") };
    let found = world.ask_as(&query, |feed| (feed.organisation == org(1)).then_some(ortsnetz_search::Standing::Own));
    assert_eq!(found.facets.unwrap().organisations, [(org(1), 1)]);
}
