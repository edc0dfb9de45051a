//! The table of places of a running town.

use std::fs;

use ortsnetz_tests::{Town, eventually, test_data};
use serde_json::{Value, json};

const SIEGBURG: &str = "053820060060";
const KOELN: &str = "053150000000";
const HANAU: &str = "064150000000";
const HANAU_OLD: &str = "064350014014";

fn names(places: &Value) -> Vec<String> {
    let places = places.as_array().expect("a list");
    places.iter().map(|place| place["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn the_official_list_is_taken_in_kept_and_asked() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut town = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let koeln = Town::new(dir.path(), "Stadt Köln", KOELN);
    town.befriend(&koeln);
    koeln.publish("profile", &["names.0=Köln", r#"districts=[{"name":"Mülheim","postal_codes":["51063","51065"]}]"#]);
    town.publish("profile", &["names.0=Siegburg", r#"districts=[{"name":"Kaldauen"},{"name":"Braschoß"}]"#]);

    let list = test_data("gemeinden/gemeinden.csv").display().to_string();
    let first = town.ok(&["places", "import", &list]);
    assert_eq!((&first["municipalities"], &first["known"]), (&json!(11_002), &json!(11_002)));
    assert_eq!((&first["created"], &first["unchanged"]), (&json!(10_996), &json!(6)), "{first}");
    // A partner takes it over, and knows as much.
    let fetched = koeln.ok(&["places", "fetch", "Siegburg"]);
    assert_eq!((&fetched["known"], &fetched["created"]), (&json!(11_002), &json!(10_996)), "{fetched}");
    let once_more = koeln.ok(&["places", "fetch", "Siegburg"]);
    assert_eq!((&once_more["created"], &once_more["unchanged"]), (&json!(0), &json!(11_002)), "{once_more}");
    assert_eq!(koeln.ok(&["places", "find", "54636"]).as_array().map(Vec::len), Some(39));
    assert_eq!(koeln.cli(&["places", "fetch", "Nirgendwo"]).code, 1);
    let again = town.ok(&["places", "import", &list]);
    assert_eq!((&again["created"], &again["updated"], &again["unchanged"]), (&json!(0), &json!(0), &json!(11_002)));
    let broken = dir.path().join("kaputt.csv");
    fs::write(&broken, "ars,name\n053820060060,\n12,Nirgends\n").expect("a file");
    let told = town.cli(&["places", "import", &broken.display().to_string()]);
    assert_eq!(told.json["rejected"][1]["line"], 3, "{told:?}");

    let find = |words: &str| town.ok(&["places", "find", words]);
    assert_eq!(find("54636").as_array().map(Vec::len), Some(39));
    eventually("the districts of the partner's profile", || {
        find("Mülheim")[0]["postal_codes"] == json!(["51063", "51065"])
    });
    let mülheim = find("Mülheim");
    assert_eq!(names(&mülheim)[..2], ["Mülheim (Köln)", "Mülheim an der Ruhr"], "{mülheim}");
    assert_eq!((&mülheim[0]["ars"], &mülheim[0]["served"]), (&json!(KOELN), &json!(true)));
    assert_eq!(names(&find("Kaldauen")), ["Kaldauen (Siegburg)"]);
    assert_eq!(names(&find("Braschoß")), ["Braschoß (Siegburg)"]);
    for text in [SIEGBURG, "05382060", "5372"] {
        assert!(names(&find(text)).contains(&"Siegburg".to_owned()), "{text}");
    }
    assert_eq!(town.get("/places?q=M%C3%BCl&limit=3").as_array().map(Vec::len), Some(3));
    let searched = town.ok(&["search", "Reisepass", "--place", "54636"]);
    assert_eq!((searched["places"].as_array().map(Vec::len), &searched["hits"]), (Some(39), &json!([])));
    let list = town.ok(&["places", "list", "--within", "05382", "--kind", "municipality", "--limit", "5"]);
    assert_eq!((&list["total"], list["places"].as_array().map(Vec::len)), (&json!(19), Some(5)));

    // Hanau left its county: what was written for either key is found for both.
    let former = dir.path().join("nachfolger.csv");
    fs::write(&former, format!("former_ars,successor_ars,since\n{HANAU_OLD},{HANAU},2026-01-01\n")).expect("a file");
    let report = town.ok(&["places", "import", &former.display().to_string()]);
    assert_eq!((&report["created"], &report["rejected"]), (&json!(1), &json!([])));
    town.publish("service", &["title.de=Hundesteuer alt", &format!("valid_for.0={HANAU_OLD}")]);
    town.publish("service", &["title.de=Hundesteuer neu", &format!("valid_for.0={HANAU}")]);
    town.publish("service", &["title.de=Hundesteuer Kreis", "valid_for.0=064350000000"]);
    town.stop();
    town.start();
    let found = |place: &str, on: &str| {
        let found = town.ok(&["search", "Hundesteuer", "--place", place, "--on", on]);
        let mut titles: Vec<String> = found["hits"]
            .as_array()
            .expect("hits")
            .iter()
            .map(|hit| hit["title"].as_str().unwrap_or_default().to_owned())
            .collect();
        titles.sort();
        titles
    };
    for place in ["Hanau", HANAU, HANAU_OLD, "06435014"] {
        eventually("both keys", || found(place, "2026-06-01") == ["Hundesteuer alt", "Hundesteuer neu"]);
        assert_eq!(found(place, "2025-06-01").len(), 3, "{place}: the county answered then");
    }
    let shown = town.ok(&["places", "show", "Hanau"]);
    assert_eq!((&shown["ars"], &shown["former_keys"][0]["ars"]), (&json!(HANAU), &json!(HANAU_OLD)), "{shown}");
    let several = town.cli(&["places", "show", "54636"]);
    assert!(several.code == 1 && several.stderr.contains("39 places"), "{}", several.stderr);
    let table = town.cli(&["places", "show", "Kaldauen"]);
    assert_eq!(table.json["district"], "Kaldauen");
}
