//! Places, standing, dates, readers and languages.

mod common;

use std::cell::RefCell;

use common::{World, ars, munich, org, public, service, titles, upsert};
use ortsnetz_model::{Entry, EntryId, FeedId, Kind};
use ortsnetz_search::{Change, Document, Hits, PlaceFilter, Query, Standing, Why};
use serde_json::json;

const HUERTH: &str = "053620028028";
const KOELN: &str = "053150000000";
const RHEIN_ERFT: &str = "053620000000";
const NRW: &str = "050000000000";

fn region() -> World {
    let mut world = World::new();
    world.add(org(1), &[service("Bauantrag des Kreises", &[RHEIN_ERFT], json!({}))]);
    world.add(org(2), &[service("Bauantrag in Köln", &[KOELN], json!({}))]);
    world.add(org(3), &[service("Bauantrag in Hürth", &[HUERTH], json!({}))]);
    world.add(org(4), &[service("Bauantrag im Land", &[NRW], json!({}))]);
    world.add(org(5), &[service("Bauantrag überall", &["000000000000"], json!({}))]);
    world
}

fn at(place: &str) -> Query {
    Query::new("Bauantrag").at(ars(place))
}

#[test]
fn county_and_state_answer_for_their_municipalities() {
    let world = region();
    let hits = world.ask(&at(HUERTH));
    assert_eq!(
        titles(&hits),
        ["Bauantrag in Hürth", "Bauantrag des Kreises", "Bauantrag im Land", "Bauantrag überall"]
    );
    let localities: Vec<u8> = hits.hits.iter().map(|hit| hit.locality).collect();
    assert_eq!(localities, [12, 5, 2, 0]);
    assert_eq!(hits.hits[1].valid_for, [ars(RHEIN_ERFT)]);
    assert_eq!(titles(&world.ask(&at(KOELN))), ["Bauantrag in Köln", "Bauantrag im Land", "Bauantrag überall"]);
}

#[test]
fn a_county_lists_its_municipalities_last() {
    let world = region();
    let found = titles(&world.ask(&at(RHEIN_ERFT)));
    assert_eq!(found[..2], ["Bauantrag des Kreises", "Bauantrag im Land"]);
    assert!(found[2..].contains(&"Bauantrag in Hürth".to_owned()) && found.len() == 4);
}

#[test]
fn who_speaks_for_the_place_comes_first() {
    let world = region();
    let ask = |standing: &dyn Fn(u8) -> Standing| {
        titles(&world.ask_as(&at(HUERTH), |feed: &FeedId| Some(standing(feed.organisation.0[0]))))
    };
    // Hürth only introduced: the county, a partner, stands before it.
    let order = ask(&|n| if n == 3 { Standing::Introduced } else { Standing::Partner });
    assert_eq!(order.last().unwrap(), "Bauantrag in Hürth");
    // We are the state: the town, a partner, is closer.
    let order = ask(&|n| if n == 4 { Standing::Own } else { Standing::Partner });
    assert_eq!(order[0], "Bauantrag in Hürth");
    let order = ask(&|n| [Standing::Elsewhere, Standing::Introduced, Standing::Unconfirmed][n as usize % 3]);
    assert_eq!(order, ["Bauantrag überall", "Bauantrag des Kreises", "Bauantrag im Land", "Bauantrag in Hürth"]);
}

#[test]
fn an_introduced_town_does_not_outrank_a_partner_without_a_place_either() {
    let mut world = World::new();
    world.add(org(1), &[service("Hundesteuer und vieles mehr, was es sonst gibt", &[KOELN], json!({}))]);
    world.add(org(2), &[service("Hundesteuer", &[KOELN], json!({}))]);
    let hits = world.ask_as(&Query::new("Hundesteuer"), |feed| {
        Some(if feed.organisation == org(2) { Standing::Introduced } else { Standing::Partner })
    });
    assert_eq!(hits.hits[1].standing, Standing::Introduced);
    assert!(hits.hits[0].score < hits.hits[1].score);
}

#[test]
fn nobody_sees_what_he_must_not_read() {
    let world = region();
    let asked = RefCell::new(Vec::new());
    let hits = world.ask_as(&Query::new("Bauantrag"), |feed| {
        asked.borrow_mut().push(feed.organisation);
        (feed.organisation != org(2)).then_some(Standing::Partner)
    });
    assert_eq!((hits.total, hits.hits.len()), (4, 4));
    assert!(!titles(&hits).contains(&"Bauantrag in Köln".to_owned()));
    let mut asked = asked.into_inner();
    asked.sort();
    assert_eq!(asked, [org(1), org(2), org(3), org(4), org(5)], "each feed is asked about once");
    let organisations = Query { organisations: Some(vec![org(2), org(3)]), ..Query::new("Bauantrag") };
    assert_eq!(world.ask(&organisations).total, 2);
    let collections = Query { collections: Some(vec![public(org(2))]), ..Query::new("Bauantrag") };
    assert_eq!(titles(&world.ask(&collections)), ["Bauantrag in Köln"]);
}

#[test]
fn kind_and_day_narrow_the_answer() {
    let mut world = World::new();
    let notice = Entry::from_json(json!({
        "kind": "notice", "title": {"de": "Bürgeramt geschlossen"}, "area": [HUERTH],
        "from": "2026-12-24T08:00:00+01:00", "until": "2026-12-26T20:00:00+01:00",
    }));
    let service = service("Bürgeramt", &[], json!({"valid_from": "2026-01-01", "valid_until": "2026-12-31"}));
    world.add(org(1), &[notice.unwrap(), service]);
    let on = |day: &str| titles(&world.ask(&Query { on: Some(day.parse().unwrap()), ..Query::new("Bürgeramt") }));
    assert_eq!(on("2025-12-31"), Vec::<String>::new());
    assert_eq!(on("2026-01-01"), ["Bürgeramt"]);
    assert_eq!(on("2026-12-24").len(), 2);
    assert_eq!(on("2026-12-26").len(), 2);
    assert_eq!(on("2026-12-31"), ["Bürgeramt"]);
    assert_eq!(on("2027-01-01"), Vec::<String>::new());
    let kind = Query { kind: Some(Kind::Notice), ..Query::new("Bürgeramt") };
    assert_eq!(titles(&world.ask(&kind)), ["Bürgeramt geschlossen"]);
}

#[test]
fn districts_leave_out_what_is_for_others_only() {
    let mut world = World::new();
    let office = |title: &str, districts: &[&str]| {
        let office = json!({"kind": "office", "title": {"de": title}, "valid_for": [KOELN], "districts": districts});
        Entry::from_json(office).unwrap()
    };
    world.add(org(1), &[office("Amt Kalk", &["Kalk"]), office("Amt Porz", &["Porz"]), office("Amt für alle", &[])]);
    let place = |district: Option<&str>| Query {
        place: Some(PlaceFilter { ars: ars(KOELN), also: Vec::new(), district: district.map(str::to_owned) }),
        ..Query::new("Amt")
    };
    let mut kalk = titles(&world.ask(&place(Some("KALK"))));
    kalk.sort();
    assert_eq!(kalk, ["Amt Kalk", "Amt für alle"]);
    assert_eq!(world.ask(&place(None)).total, 3);
}

#[test]
fn notes_are_found_only_if_asked_for() {
    let mut world = World::new();
    let entry = service("Hundesteuer", &[], json!({}));
    let document = Document {
        organisation: org(1),
        collection: public(org(1)),
        id: EntryId([1; 16]),
        entry: &entry,
        notes: vec!["Rückfrage beim Steueramt"],
        office_names: vec!["Kassenzeichenstelle"],
        service: None,
        default_area: Some(ars(KOELN)),
        published_at: Some(5),
        received_at: Some(6),
    };
    world.index.update(&[Change::Upsert(document)]).unwrap();
    world.commit();
    assert_eq!(world.ask(&Query::new("Rückfrage")).total, 0);
    let hits = world.ask(&Query { notes: true, ..Query::new("Rückfrage") });
    assert_eq!(hits.hits[0].why, [Why::Notes]);
    assert_eq!((hits.hits[0].published_at, hits.hits[0].received_at), (Some(5), Some(6)));
    assert_eq!(world.ask(&Query::new("Kassenzeichenstelle").at(ars(KOELN))).hits[0].why, [Why::Text]);
}

#[test]
fn a_hit_speaks_the_asked_language() {
    let mut world = World::new();
    let entry = Entry::from_json(json!({
        "kind": "service", "title": {"de": "Hundesteuer", "en": "Dog licence fee"},
        "texts": {"summary": {"de": "Für jeden Hund.", "en": "For each dog."}},
    }));
    world.add(org(1), &[entry.unwrap()]);
    let ask = |words: &str, language: &str| -> Hits {
        world.ask(&Query { language: language.to_owned(), ..Query::new(words) })
    };
    for (language, title, summary) in [
        ("de", "Hundesteuer", "Für jeden Hund."),
        ("en", "Dog licence fee", "For each dog."),
        ("tr", "Hundesteuer", "Für jeden Hund."),
    ] {
        for words in ["Hundesteuer", "dog fee"] {
            let hit = ask(words, language).hits.remove(0);
            assert_eq!((hit.title.as_str(), hit.summary.as_str()), (title, summary));
        }
    }
}

#[test]
fn compounds_and_their_parts_find_each_other() {
    let mut world = World::new();
    let entries = [
        "Personalausweisverlängerung",
        "Verlängerung des Personalausweises",
        "Reisepass",
        "Wohnungsgeberbestätigung",
        "Sperrmüllabholung",
        "Straßenreinigungsgebührenbescheid",
    ]
    .map(|title| service(title, &[], json!({})));
    world.add(org(1), &entries);
    let mut both = ["Personalausweisverlängerung", "Verlängerung des Personalausweises"].map(str::to_owned);
    both.sort();
    for words in ["Personalausweis verlängern", "Personalausweisverlängerung", "personalausweis verlaengern"] {
        let mut found = world.titles(words);
        found.sort();
        assert_eq!(found, both, "{words}");
    }
    assert_eq!(world.titles("Ausweis verlängern").len(), 2);
    // Words that no dictionary knows, written as one and as two.
    assert_eq!(world.titles("Wohnungsgeber Bestätigung"), ["Wohnungsgeberbestätigung"]);
    assert_eq!(world.titles("Sperrmüll Abholung"), ["Sperrmüllabholung"]);
    assert_eq!(world.titles("Straßenreinigung Bescheid"), ["Straßenreinigungsgebührenbescheid"]);
}

#[test]
fn a_question_with_one_word_too_many_still_finds_something() {
    let mut world = World::new();
    world.add(org(1), &munich());
    let hits = world.ask(&Query::new("Gewerbe anmelden Quastenflosser"));
    assert_eq!(hits.matching, ortsnetz_search::Matching::SomeWords);
    assert_eq!(hits.hits[0].title, "Gewerbe-Anmeldung");
    let everything = world.ask(&Query::new("  "));
    assert_eq!(everything.total as u64, world.reader.entries());
    assert_eq!(world.ask(&Query::new("?!")).total, 0);
}

#[test]
fn the_same_id_in_two_collections_is_two_entries() {
    let mut world = World::new();
    let entry = service("Hundesteuer", &[], json!({}));
    world.index.update(&[upsert(org(1), EntryId([1; 16]), &entry), upsert(org(2), EntryId([1; 16]), &entry)]).unwrap();
    world.commit();
    assert_eq!(world.ask(&Query::new("Hundesteuer")).total, 2);
}
