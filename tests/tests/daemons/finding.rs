//! Finding in citizens' words, at the command line, over HTTP and on the pages.

use ortsnetz_tests::{Town, eventually};
use serde_json::json;

const SIEGBURG: &str = "053820060060";
const KOELN: &str = "053150000000";

#[test]
fn citizens_words_lead_to_entries_which_say_why_they_were_found() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut town = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let koeln = Town::new(dir.path(), "Stadt Köln", KOELN);
    town.befriend(&koeln);
    let text = "texts.description.de=Wer in eine neue Wohnung zieht, meldet sich <b>binnen zwei Wochen</b> an.";
    town.publish(
        "service",
        &["title.de=Wohnsitzanmeldung", text, r#"audience=["citizens"]"#, r#"life_events=["1050200"]"#],
    );
    town.publish("service", &["title.de=Gewerbeanmeldung", r#"audience=["business"]"#]);
    koeln.publish("service", &["title.de=Altglascontainer"]);
    let search = |words: &[&str]| town.ok(&[&["search"], words].concat());
    eventually("it is found", || search(&["ich bin umgezogen"])["hits"][0]["title"] == "Wohnsitzanmeldung");
    let hit = search(&["ich", "bin", "umgezogen", "--explain"])["hits"][0].clone();
    assert_eq!(hit["reasons"][0]["how"], "synonym", "{hit}");
    assert_eq!(hit["reasons"][0]["word"], "umgezogen");
    let hit = search(&["Wohnungen", "--explain"])["hits"][0].clone();
    let pieces = hit["snippet"]["pieces"].as_array().expect("pieces");
    assert!(pieces.contains(&json!({"text": "Wohnung", "mark": true})), "{hit}");
    assert_eq!(hit["snippet"]["path"], "texts.description");

    let counted = search(&["anmelden", "--facets"]);
    assert_eq!(counted["facets"]["audiences"].as_array().map(Vec::len), Some(2), "{counted}");
    assert_eq!(counted["facets"]["organisations"][0]["name"], "Stadt Siegburg");
    let narrowed = search(&["anmelden", "--audience", "business"]);
    assert_eq!((&narrowed["total"], &narrowed["hits"][0]["title"]), (&json!(1), &json!("Gewerbeanmeldung")));
    assert_eq!(search(&["anmelden", "--life-event", "1050200"])["total"], 1);
    assert_eq!(search(&["anmelden", "--organisation", "Stadt Köln"])["total"], 0);
    let page = town.http("GET", "/suche?q=Wohnungen", None).text;
    assert!(page.contains("in eine neue <mark>Wohnung</mark> zieht"), "{page}");

    // What a partner calls things helps here, also after a restart, until it says so no more.
    assert_eq!(search(&["Wertstoffinsel"])["total"], 0);
    let profile =
        koeln.publish("profile", &["names.0=Köln", r#"synonyms=[{"words":["Wertstoffinsel","Altglascontainer"]}]"#]);
    eventually("the partner's word", || search(&["Wertstoffinsel"])["hits"][0]["title"] == "Altglascontainer");
    town.stop();
    town.start();
    let search = |words: &str| town.ok(&["search", words]);
    eventually("after a restart", || search("Wertstoffinsel")["total"] == 1);
    koeln.ok(&["withdraw", &profile]);
    eventually("no more", || search("Wertstoffinsel")["total"] == 0);
}
