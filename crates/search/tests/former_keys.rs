//! Keys and names that places had: they stay findable, and count by date.

mod common;

use common::{World, ars, data, org, service, titles};
use ortsnetz_model::dates::{Date, parse_date};
use ortsnetz_search::limits::FORMER_KEYS_MAX;
use ortsnetz_search::{Matched, PlaceFilter, Places, Query};
use serde_json::json;

const HANAU_OLD: &str = "064350014014";
const HANAU: &str = "064150000000";
const FORMER: &str = "former_ars,successor_ars,since\n064350014014,064150000000,2026-01-01\n";

fn day(text: &str) -> Option<Date> {
    Some(parse_date(text).unwrap())
}

fn official() -> Places {
    Places::read_csv(std::fs::File::open(data("gemeinden/gemeinden.csv")).unwrap()).unwrap().places
}

fn hanau() -> Places {
    official().import(FORMER.as_bytes()).unwrap().places
}

#[test]
fn the_same_file_again_changes_nothing() {
    let list = std::fs::read(data("gemeinden/gemeinden.csv")).unwrap();
    let first = Places::built_in().import(list.as_slice()).unwrap();
    assert_eq!((first.created, first.updated, first.unchanged), (11_002 - 6, 0, 6));
    assert_eq!((first.municipalities, first.removed.len(), first.rejected_total), (11_002, 0, 0));
    let again = first.places.import(list.as_slice()).unwrap();
    assert_eq!((again.created, again.updated, again.unchanged), (0, 0, 11_002));
    assert_eq!(again.places, first.places);
    let kept = first.places.resolve("Kaldauen", &[]);
    assert_eq!(kept.only().unwrap().name, "Siegburg", "districts stay");

    let former = first.places.import(FORMER.as_bytes()).unwrap();
    assert_eq!((former.created, former.updated, former.unchanged, former.municipalities), (1, 0, 0, 0));
    assert_eq!(former.places.municipalities(), 11_002);
    let again = former.places.import(FORMER.as_bytes()).unwrap();
    assert_eq!((again.created, again.unchanged), (0, 1));
    // A list of before the change does not bring the old key back.
    let list_again = former.places.import(list.as_slice()).unwrap();
    assert_eq!((list_again.created, list_again.updated, list_again.removed.len()), (0, 0, 0));
    assert_eq!(list_again.places, former.places);
    let stored: Places = serde_json::from_str(&serde_json::to_string(&former.places).unwrap()).unwrap();
    assert_eq!(stored.by_ars(&ars(HANAU)), former.places.by_ars(&ars(HANAU)));
}

#[test]
fn a_town_is_found_by_every_key_it_had() {
    let places = hanau();
    for (text, matched) in [
        ("Hanau", Matched::Name),
        (HANAU, Matched::Ars),
        (HANAU_OLD, Matched::FormerKey),
        ("06435014", Matched::FormerKey),
        ("06415000", Matched::Ags),
    ] {
        let answer = places.resolve(text, &[]);
        let only = answer.only().unwrap_or_else(|| panic!("{text}: {answer:?}"));
        assert_eq!((only.ars, only.name.as_str(), only.matched), (ars(HANAU), "Hanau", matched), "{text}");
        assert_eq!(only.county, "", "a city of its own");
    }
    let place = places.by_ars(&ars(HANAU_OLD)).unwrap();
    assert_eq!((place.ars, place.former_keys.len()), (ars(HANAU), 1));
    assert_eq!(place.former_keys[0].since, "2026-01-01");
}

#[test]
fn the_key_of_the_day_counts_and_the_others_count_as_it() {
    let places = hanau();
    for key in [HANAU, HANAU_OLD] {
        let after = places.keys(&ars(key), day("2026-01-01"));
        assert_eq!((after.ars, after.also), (ars(HANAU), vec![ars(HANAU_OLD)]), "{key}");
        let before = places.keys(&ars(key), day("2025-12-31"));
        assert_eq!((before.ars, before.also), (ars(HANAU_OLD), vec![ars(HANAU)]), "{key}");
    }
    let other = places.keys(&ars("053150000000"), day("2026-01-01"));
    assert_eq!((other.ars, other.also), (ars("053150000000"), vec![]));
}

#[test]
fn entries_for_the_old_key_are_found_for_the_new_one_and_back() {
    let mut world = World::new();
    let entries = [
        service("Gewerbe alter Schlüssel", &[HANAU_OLD], json!({})),
        service("Gewerbe neuer Schlüssel", &[HANAU], json!({})),
        service("Gewerbe im Main-Kinzig-Kreis", &["064350000000"], json!({})),
        service("Gewerbe in Hessen", &["060000000000"], json!({})),
        service("Gewerbe in Gelnhausen", &["064350010010"], json!({})),
    ];
    world.add(org(1), &entries);
    let places = hanau();
    let found = |key: &str, on: &str| {
        let keys = places.keys(&ars(key), day(on));
        let place = Some(PlaceFilter { ars: keys.ars, also: keys.also, district: None });
        let mut found = titles(&world.ask(&Query { place, ..Query::new("Gewerbe") }));
        found.sort();
        found
    };
    let both = ["Gewerbe alter Schlüssel", "Gewerbe in Hessen", "Gewerbe neuer Schlüssel"];
    for key in [HANAU, HANAU_OLD] {
        assert_eq!(found(key, "2026-02-01"), both, "the county is not theirs any more");
        let before = found(key, "2025-12-01");
        assert_eq!(before, [both[0], "Gewerbe im Main-Kinzig-Kreis", both[1], both[2]]);
    }
}

#[test]
fn towns_that_became_one_are_found_as_it() {
    let before = Places::read_csv(
        "ars,name,plz_alle,einwohner\n010510001001,Aldorf,25541,300\n010510001002,Bedorf,25542,700\n".as_bytes(),
    )
    .unwrap()
    .places;
    let list = "former_ars;successor_ars;since;name\n010510001001;010510001009;2024-03-01;Neudorf\n\
                010510001002;010510001009;2024-03-01;Neudorf\n";
    let merged = before.import(list.as_bytes()).unwrap();
    assert_eq!((merged.created, merged.rejected_total), (2, 0));
    let places = merged.places;
    for text in ["Neudorf", "Aldorf", "Bedorf", "010510001001", "25541"] {
        assert_eq!(places.resolve(text, &[]).only().unwrap().ars, ars("010510001009"), "{text}");
    }
    let place = places.by_ars(&ars("010510001009")).unwrap();
    assert_eq!((place.inhabitants, place.postal_codes.len()), (1000, 2));
    // Before that day nobody can say which of the two was meant by the new key, and each was itself.
    assert_eq!(places.keys(&ars("010510001009"), day("2024-01-01")).ars, ars("010510001009"));
    let alone = places.keys(&ars("010510001001"), day("2024-01-01"));
    assert_eq!((alone.ars, alone.also), (ars("010510001001"), vec![]));
    // The official list of later has the town itself: names and keys stay.
    let later = "ars,name,einwohner\n010510001009,Neudorf am See,1010\n";
    let places = places.import(later.as_bytes()).unwrap();
    assert_eq!((places.updated, places.removed.len()), (1, 0));
    for text in ["Aldorf", "Neudorf", "010510001002", "Neudorf am See"] {
        assert_eq!(places.places.resolve(text, &[]).only().unwrap().ars, ars("010510001009"), "{text}");
    }
}

#[test]
fn a_list_may_say_itself_which_keys_its_towns_had() {
    let old = Places::read_csv("ars,name\n064350014014,Hanau\n064350010010,Gelnhausen\n".as_bytes()).unwrap().places;
    let new = "ars,name,former_ars,since\n064150000000,Hanau,064350014014,2026-01-01\n";
    let imported = old.import(new.as_bytes()).unwrap();
    let gone: Vec<_> = imported.removed.iter().map(|gone| (gone.name.as_str(), gone.successor)).collect();
    assert_eq!(gone, [("Gelnhausen", None), ("Hanau", Some(ars(HANAU)))]);
    assert_eq!(imported.places.resolve(HANAU_OLD, &[]).only().unwrap().ars, ars(HANAU));
}

#[test]
fn lines_that_cannot_be_are_told() {
    let file = "former_ars,successor_ars,since\n\
                064350014014,064150000000,morgen\n\
                0643,064150000000,\n\
                064150000000,064150000000,\n\
                990000000001,064150000000,\n\
                064350014014,064150000000,2026-01-01\n\
                064150000000,064350014014,\n";
    let imported = Places::default().import(file.as_bytes()).unwrap();
    let lines: Vec<u64> = imported.rejected.iter().map(|reject| reject.line).collect();
    assert_eq!((lines, imported.created), (vec![2, 3, 4, 5, 7], 1), "{:#?}", imported.rejected);
}

#[test]
fn former_keys_have_a_limit() {
    let file = |count: usize| {
        let mut text = "former_ars,successor_ars\n".to_owned();
        (0..count).for_each(|n| text.push_str(&format!("05382{n:07},053150000000\n")));
        Places::default().import(text.as_bytes()).unwrap()
    };
    assert_eq!(file(FORMER_KEYS_MAX).rejected_total, 0);
    let over = file(FORMER_KEYS_MAX + 1);
    assert_eq!((over.created, over.rejected_total), (FORMER_KEYS_MAX, 1));
}
