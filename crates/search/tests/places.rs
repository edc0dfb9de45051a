//! The table of places: the official list and the small built-in one.

mod common;

use std::time::{Duration, Instant};

use common::{ars, data};
use ortsnetz_search::limits::{CANDIDATES_MAX, DISTRICTS_MAX, PLACE_CHARS_MAX, PLACE_REJECTS_MAX, POSTAL_CODES_MAX};
use ortsnetz_search::{District, Matched, PlaceAnswer, PlaceError, PlaceKind, Places};

fn official() -> Places {
    let imported = Places::read_csv(std::fs::File::open(data("gemeinden/gemeinden.csv")).unwrap()).unwrap();
    assert_eq!((imported.municipalities, imported.rejected_total), (11_002, 0), "{:?}", imported.rejected.first());
    imported.places
}

fn names(answer: &PlaceAnswer) -> Vec<&str> {
    answer.candidates.iter().map(|candidate| candidate.name.as_str()).collect()
}

fn only(places: &Places, text: &str) -> String {
    let answer = places.resolve(text, &[]);
    answer.only().unwrap_or_else(|| panic!("{text}: {:?}", names(&answer))).ars.to_string()
}

#[test]
fn a_name_a_code_or_a_key_find_the_town() {
    for places in [official(), Places::built_in()] {
        for text in [
            "Siegburg",
            "siegburg",
            "Siegburg, Stadt",
            "Stadt Siegburg",
            "53721",
            "53721 Siegburg",
            "05382060",
            "053820060060",
        ] {
            assert_eq!(only(&places, text), "053820060060", "{text}");
        }
        for text in ["Köln", "koeln", "Koln", "KÖLN", "50667", "05315000", "053150000000"] {
            assert_eq!(only(&places, text), "053150000000", "{text}");
        }
        assert_eq!(only(&places, "Hürth"), "053620028028");
        assert_eq!(only(&places, "Rhein-Erft-Kreis"), "053620000000");
        assert_eq!(only(&places, "rhein sieg kreis"), "053820000000");
        assert_eq!(only(&places, "05382"), "053820000000");
        assert_eq!(only(&places, "Nordrhein-Westfalen"), "050000000000");
        assert_eq!(only(&places, "NRW"), "050000000000");
        assert_eq!(only(&places, "05"), "050000000000");
        assert_eq!(only(&places, "München"), "091620000000");
        assert_eq!(places.resolve("Atlantis", &[]).total, 0);
    }
}

#[test]
fn a_bare_key_needs_no_table() {
    let empty = Places::default();
    assert_eq!(only(&empty, "053820060060"), "053820060060");
    assert_eq!(only(&empty, "053820060"), "053820060000");
    assert_eq!(only(&empty, "05"), "050000000000");
    assert_eq!(only(&empty, "05315000"), "053150000000");
    // Five digits are a postal code, unless the table knows the county.
    assert_eq!(empty.resolve("05382", &[]).total, 0);
    assert_eq!(empty.resolve("53721", &[]).total, 0);
    assert_eq!(empty.resolve("99", &[]).total, 0);
}

#[test]
fn an_ambiguous_code_lists_all_towns_and_chooses_none() {
    let places = official();
    let answer = places.resolve("54636", &[]);
    assert_eq!((answer.total, answer.candidates.len()), (39, 39));
    assert!(answer.only().is_none());
    assert!(answer.candidates.is_sorted_by(|a, b| a.inhabitants >= b.inhabitants));
    let served = [ars("072325005003")];
    let answer = places.resolve("54636", &served);
    assert_eq!((answer.candidates[0].name.as_str(), answer.candidates[0].served), ("Altscheid", true));
    assert!(answer.candidates[1..].iter().all(|candidate| !candidate.served));
    assert_eq!(only(&places, "54636 Altscheid"), "072325005003");
}

#[test]
fn towns_of_one_name_are_told_apart_by_what_stands_beside() {
    let places = official();
    let answer = places.resolve("Neustadt", &[]);
    assert!(answer.total > 10, "{:?}", names(&answer));
    assert!(answer.candidates.iter().all(|candidate| candidate.matched == Matched::Name));
    assert!(!names(&answer).contains(&"Titisee-Neustadt"));
    // Nobody is chosen by the first word of the name.
    let herzberg = places.resolve("Herzberg", &[ars("120620224224")]);
    assert_eq!(herzberg.candidates[0].name, "Herzberg (Elster)");
    assert!(names(&herzberg).contains(&"Herzberg am Harz"));
    assert_eq!(only(&places, "Neustadt Weinstraße"), "073160000000");
    assert_eq!(only(&places, "Frankfurt Main"), "064120000000");
    assert_eq!(only(&places, "Frankfurt Oder"), "120530000000");
    let frankfurt = places.resolve("Frankfurt", &[]);
    assert!(names(&frankfurt).contains(&"Frankfurt am Main") && frankfurt.total > 1);
    assert_eq!(frankfurt.candidates[0].name, "Frankfurt am Main");
    assert_eq!(only(&places, "Sankt Augustin"), only(&places, "St. Augustin"));
}

#[test]
fn the_county_of_the_same_name_is_not_the_town() {
    let places = official();
    assert_eq!(only(&places, "Landkreis München"), "091840000000");
    assert_eq!(places.by_ars(&ars("091840000000")).unwrap().kind, PlaceKind::County);
    // Nothing is called just Offenbach.
    assert!(places.resolve("Offenbach", &[]).total > 1);
    assert_eq!(only(&places, "Berlin"), "110000000000");
}

#[test]
fn a_beginning_finds_towns_and_a_whole_name_leaves_them_out() {
    let places = official();
    let answer = places.resolve("Sieg", &[]);
    assert!(names(&answer).contains(&"Siegburg") && names(&answer).contains(&"Siegen"));
    assert_eq!(names(&places.resolve("Bonn", &[])), ["Bonn"]);
    let many = places.resolve("bad", &[]);
    assert!(many.total > CANDIDATES_MAX && many.candidates.len() == CANDIDATES_MAX);
}

#[test]
fn districts_come_from_profiles() {
    let mut places = official();
    let siegburg = ars("053820060060");
    assert_eq!(places.resolve("Kaldauen", &[]).total, 0);
    let district = |name: &str| District { name: name.to_owned(), postal_codes: vec!["53721".to_owned()] };
    places.set_districts(siegburg, &[district("Kaldauen"), district("Siegburg")]);
    let answer = places.resolve("Kaldauen", &[]);
    let candidate = answer.only().unwrap();
    assert_eq!((candidate.ars, candidate.kind, candidate.matched), (siegburg, PlaceKind::District, Matched::District));
    assert_eq!((candidate.name.as_str(), candidate.district.as_deref()), ("Siegburg", Some("Kaldauen")));
    assert_eq!(places.resolve("Siegburg Kaldauen", &[]).only().unwrap().district.as_deref(), Some("Kaldauen"));
    assert!(places.resolve("Siegburg", &[]).only().unwrap().district.is_none(), "the town before its part");
    places.set_districts(siegburg, &[]);
    assert_eq!(places.resolve("Kaldauen", &[]).total, 0);
    let kalk = Places::built_in().resolve("Kalk", &[]);
    assert_eq!(kalk.only().unwrap().name, "Köln");
}

#[test]
fn the_table_comes_back_from_its_compact_form() {
    for mut places in [Places::built_in(), official()] {
        let text = serde_json::to_string(&places).unwrap();
        assert!(places.municipalities() < 100 || text.len() / places.municipalities() < 120, "{}", text.len());
        let read: Places = serde_json::from_str(&text).unwrap();
        // Districts are kept in the order of their towns.
        places = serde_json::from_str(&serde_json::to_string(&places).unwrap()).unwrap();
        assert_eq!(read, places);
        assert_eq!(only(&read, "Siegburg"), "053820060060");
    }
}

#[test]
fn lines_that_are_no_town_are_told_with_their_number() {
    let csv = "name;ars;plz_alle;einwohner;lon;lat;ags\n\
               Siegburg;053820060060;53721;1;7.2;50.7;05382060\n\
               Nirgends;0538;;;;;\n\
               ;053820060061;;;;;\n\
               Bonn;053140000000;531;;;;\n\
               Bonn;053140000000;53111;viele;;;\n\
               Bonn;053140000000;53111;;7;91;\n\
               Bonn;053140000000;53111;;;;05315000\n\
               Siegburg;053820060060;53721;;;;\n\
               Mond;993140000000;;;;;\n\
               Bonn;053140000000;53111;;;;\n";
    let imported = Places::read_csv(csv.as_bytes()).unwrap();
    let lines: Vec<u64> = imported.rejected.iter().map(|reject| reject.line).collect();
    assert_eq!(lines, [3, 4, 5, 6, 7, 8, 9, 10], "{:#?}", imported.rejected);
    assert_eq!(imported.municipalities, 2);
    assert!(matches!(Places::read_csv("a,b\n".as_bytes()), Err(PlaceError::Column("ars"))));
    let latin = Places::read_csv(b"ars,name\n053150000000,K\xf6ln\n".as_slice()).unwrap();
    assert_eq!(latin.rejected[0].reason, "the line is not UTF-8");
    assert_eq!(Places::read_csv("ars,name\n".as_bytes()).unwrap().places, Places::default());
    let nothing = Places::built_in().import("ars,name\n05,Nirgends\n".as_bytes()).unwrap();
    assert_eq!((nothing.places, nothing.removed, nothing.rejected_total), (Places::built_in(), vec![], 1));
}

#[test]
fn the_limits_of_a_table_hold() {
    let rejects = |lines: usize| Places::read_csv(format!("ars,name\n{}", "x,y\n".repeat(lines)).as_bytes()).unwrap();
    assert_eq!(rejects(PLACE_REJECTS_MAX).rejected.len(), PLACE_REJECTS_MAX);
    let over = rejects(PLACE_REJECTS_MAX + 1);
    assert_eq!((over.rejected.len(), over.rejected_total), (PLACE_REJECTS_MAX, PLACE_REJECTS_MAX + 1));

    let name = |length: usize| format!("ars,name\n053150000000,{}\n", "x".repeat(length));
    assert_eq!(Places::read_csv(name(PLACE_CHARS_MAX).as_bytes()).unwrap().municipalities, 1);
    assert_eq!(Places::read_csv(name(PLACE_CHARS_MAX + 1).as_bytes()).unwrap().rejected_total, 1);

    let codes = |count: usize| format!("ars,name,plz_alle\n053150000000,Köln,{}\n", "50667 ".repeat(count).trim());
    assert_eq!(Places::read_csv(codes(POSTAL_CODES_MAX).as_bytes()).unwrap().municipalities, 1);
    assert_eq!(Places::read_csv(codes(POSTAL_CODES_MAX + 1).as_bytes()).unwrap().rejected_total, 1);

    let mut places = Places::built_in();
    let district = |n: usize| District { name: format!("Viertel {n}"), postal_codes: Vec::new() };
    let districts: Vec<District> = (0..=DISTRICTS_MAX).map(district).collect();
    places.set_districts(ars("053150000000"), &districts);
    assert_eq!(places.resolve(&format!("Viertel {}", DISTRICTS_MAX - 1), &[]).total, 1);
    assert_eq!(places.resolve(&format!("Viertel {DISTRICTS_MAX}"), &[]).total, 0);

    assert!(places.resolve(&"Köln ".repeat(PLACE_CHARS_MAX), &[]).candidates.is_empty());
}

#[test]
fn looking_up_is_quick() {
    let text = std::fs::read(data("gemeinden/gemeinden.csv")).unwrap();
    let start = Instant::now();
    let places = Places::read_csv(text.as_slice()).unwrap().places;
    let load = start.elapsed();
    let texts =
        ["Köln", "54636", "ba", "Neustadt", "053820060060", "Stadt Siegburg", "s", "Sankt", "an der", "bad neu"];
    let start = Instant::now();
    for text in texts {
        places.resolve(text, &[]);
    }
    let each = start.elapsed() / u32::try_from(texts.len()).unwrap();
    // The figures come from the benchmark; here only something gone wrong should fail.
    assert!(load < Duration::from_secs(5) && each < Duration::from_millis(50), "{load:?}, {each:?}");
}

#[test]
fn what_is_being_typed_is_narrowed() {
    let places = official();
    let all = |text: &str| places.suggest(text, &[]);
    assert!(all("5").candidates.is_empty(), "one digit says nothing");
    let (few, more) = (all("5372"), all("537"));
    assert!(names(&few).contains(&"Siegburg") && few.total < more.total, "{} {}", few.total, more.total);
    assert_eq!(places.resolve("5372", &[]).total, 0, "a question is not a beginning");
    assert!(names(&all("0538200")).contains(&"Siegburg"));
    let first = |text: &str| all(text).candidates[0].name.clone();
    assert_eq!(first("Mül"), "Mülheim an der Ruhr");
    assert_eq!(places.suggest("Mül", &[ars("071375003203")]).candidates.iter().filter(|c| c.served).count(), 0);
}

#[test]
fn a_district_stands_beside_the_towns_of_its_name() {
    let list = std::fs::File::open(data("gemeinden/gemeinden.csv")).unwrap();
    let places = Places::built_in().import(list).unwrap().places;
    let answer = places.resolve("Mülheim", &[ars("053150000000")]);
    let found: Vec<_> = answer.candidates.iter().map(|c| (c.name.as_str(), c.district.as_deref())).collect();
    assert_eq!(found[0], ("Köln", Some("Mülheim")), "we answer for Köln");
    for town in ["Mülheim an der Ruhr", "Mülheim an der Mosel"] {
        assert!(found.contains(&(town, None)), "{found:?}");
    }
    let nobody = places.resolve("Mülheim", &[]);
    assert_eq!(nobody.candidates[0].name, "Mülheim an der Ruhr");
    assert!(nobody.only().is_none());
}
