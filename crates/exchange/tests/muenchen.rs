//! The real directory of München: 287 services and 109 locations.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use ortsnetz_exchange::{Imported, JsonLinesWriter, Options, Resolver, read, sort_key};
use ortsnetz_model::{Entry, EntryId, Identifier, OrgId};
use serde_json::Value;

const ORGANISATION: OrgId = OrgId([7; 32]);
const AGENCY: &str = "dldb:stadt.muenchen.de";

fn source(name: &str) -> Vec<u8> {
    let root = std::env::var_os("ORTSNETZ_TEST_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from);
    let path = root.join("muenchen").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; set ORTSNETZ_TEST_DATA", path.display()))
}

fn import(name: &str) -> Vec<Imported> {
    take(&source(name), name, ORGANISATION)
}

fn take(bytes: &[u8], name: &str, organisation: OrgId) -> Vec<Imported> {
    let options = Options::new(Resolver::new(organisation), name);
    read(bytes, options).unwrap().map(|item| item.unwrap_or_else(|rejected| panic!("{rejected}"))).collect()
}

fn export(items: &[Imported], organisation: OrgId) -> Vec<u8> {
    let identifiers: BTreeMap<EntryId, Identifier> =
        items.iter().filter_map(|item| Some((item.id, item.identifier.clone()?))).collect();
    let mut items: Vec<&Imported> = items.iter().collect();
    items.sort_by_key(|item| sort_key(&organisation, &item.entry));
    let mut writer = JsonLinesWriter::new(Vec::new(), organisation);
    for item in items {
        writer.write(&item.entry, &item.collection, |id| identifiers.get(id).cloned()).unwrap();
    }
    writer.finish().unwrap()
}

fn records(name: &str) -> Vec<Value> {
    let whole: Value = serde_json::from_slice(&source(name)).unwrap();
    whole["data"].as_array().unwrap().clone()
}

fn strings<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(list) => list.iter().for_each(|value| strings(value, found)),
        Value::Object(map) => map.values().for_each(|value| strings(value, found)),
        _ => {}
    }
}

fn service<'a>(services: &'a [Imported], value: &str) -> &'a Imported {
    services.iter().find(|item| item.identifier.as_ref().is_some_and(|id| id.value == value)).unwrap()
}

#[test]
fn every_record_is_read_and_public_ones_are_public() {
    let services = import("services_de.json");
    let offices = import("locations_de.json");
    assert_eq!((services.len(), offices.len()), (287, 109));
    let public = |items: &[Imported]| items.iter().filter(|item| item.collection == "public").count();
    assert_eq!((public(&services), public(&offices)), (162, 100));
    assert!(services.iter().chain(&offices).all(|item| matches!(item.collection.as_str(), "public" | "internal")));
    let ids: BTreeSet<EntryId> = services.iter().chain(&offices).map(|item| item.id).collect();
    assert_eq!(ids.len(), 396);

    // Lines are those of the file, and grow.
    assert_eq!(services[0].line, 3);
    assert!(services.windows(2).all(|pair| pair[0].line < pair[1].line));

    // Every service leads to offices that are there.
    let offices: BTreeSet<EntryId> = offices.iter().map(|item| item.id).collect();
    let references: Vec<(String, EntryId)> = services.iter().flat_map(|item| item.entry.references()).collect();
    assert_eq!(references.len(), 526);
    assert!(references.iter().all(|(_, id)| offices.contains(id)));
}

#[test]
fn a_service_looks_as_in_the_design() {
    let services = import("services_de.json");
    let entry = &service(&services, "1063423").entry;
    let json = entry.to_json();
    assert_eq!(entry.title("de"), Some("Gewerbe-Anmeldung"));
    assert_eq!(json["identifier"], serde_json::json!({"agency": AGENCY, "scheme": "LB", "value": "1063423"}));
    assert_eq!(json["leika"], serde_json::json!(["99050012104000"]));
    assert_eq!(
        json["fees"],
        serde_json::json!([{"kind": "range", "amount": 5000, "max_amount": 6000, "currency": "EUR",
            "note": {"de": "abhängig von der Rechtsform"}}])
    );
    assert!(entry.words("keywords", "de").contains(&"Gewerbe anmelden"));
    let text = entry.text("description", "de").unwrap();
    assert!(text.starts_with("Sie haben eine gewerbliche Niederlassung"), "{text}");
    assert!(text.contains("1. **Anmeldung starten**\n2. **Mit BayernID anmelden**\\\n   Wenn Sie"), "{text}");
    assert!(json["source"]["url"].as_str().unwrap().ends_with("#/services/1063423"));
    assert!(json["online_services"][0]["url"].as_str().unwrap().ends_with("#/services/1063423"));

    let joined = &service(&services, "1064076").entry;
    assert_eq!(joined.to_json()["leika"].as_array().unwrap().len(), 4);
}

#[test]
fn an_office_looks_as_in_the_design() {
    let offices = import("locations_de.json");
    let json = service(&offices, "10546").entry.to_json();
    assert_eq!(json["title"]["de"], "Gewerbeamt (KVR-III/21)");
    assert_eq!(json["alternative_titles"]["de"][0], "Gewerbeamt");
    assert_eq!(
        json["address"],
        serde_json::json!({"street": "Implerstraße", "house_number": "11", "postal_code": "81371", "city": "München",
            "lat": 48.122797372557905, "lon": 11.548818308682014})
    );
    assert_eq!(json["contacts"][0], serde_json::json!({"channel": "phone", "value": "089 233-45141"}));
    assert_eq!(json["extensions"]["dldb"]["organizationUnit"], "Kreisverwaltungsreferat");
    assert_eq!(json["extensions"]["dldb"]["services"]["1063423"]["duration"], 20);
}

#[test]
fn no_tag_no_entity_and_no_invisible_character_is_left() {
    for item in import("services_de.json").iter().chain(&import("locations_de.json")) {
        let mut entry = item.entry.as_map().clone();
        if let Some(dldb) = entry.get_mut("extensions").and_then(|extensions| extensions["dldb"].as_object_mut()) {
            dldb.retain(|name, _| !name.ends_with("_html"));
        }
        let entry = Value::Object(entry);
        let mut found = Vec::new();
        strings(&entry, &mut found);
        for text in found {
            let tag = text.match_indices('<').any(|(at, _)| !text[..at].ends_with('\\'));
            assert!(!tag, "{}: {text}", item.line);
            for bad in ["&nbsp;", "&amp;", "&quot;", "\u{200b}", "\u{a0}", "{serviceId}", "1970-01-01", "2999-12-31"] {
                assert!(!text.contains(bad), "{}: {bad} in {text}", item.line);
            }
            assert_ne!(text, "false");
        }
    }
}

/// Words as a reader sees them in HTML: tags out, entities decoded, white space apart.
fn visible_words(html: &str) -> Vec<String> {
    let mut text = String::new();
    let mut in_tag = false;
    for c in html.chars() {
        match c {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                text.push('\u{1}');
            }
            '\u{200b}' => {}
            c if !in_tag => text.push(c),
            _ => {}
        }
    }
    let text = text
        .replace("&nbsp;", " ")
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    // A tag may stand between words or in the middle of one: compare without any white space.
    text.split(|c: char| c.is_whitespace() || c == '\u{1}').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn commonmark_words(text: &str) -> String {
    use pulldown_cmark::{Event, Parser};
    let mut words = String::new();
    for event in Parser::new(text) {
        match event {
            Event::Text(text) => words.push_str(&text),
            Event::Html(_) | Event::InlineHtml(_) => panic!("HTML in {text}"),
            _ => {}
        }
    }
    words.split_whitespace().collect()
}

#[test]
fn every_visible_word_of_a_description_is_kept() {
    let services = import("services_de.json");
    let mut described = 0;
    for record in records("services_de.json") {
        let html = record["description"].as_str().unwrap();
        let entry = &service(&services, record["id"].as_str().unwrap()).entry;
        let expected = visible_words(html).concat();
        let text = entry.text("description", "de").unwrap_or_default();
        assert_eq!(commonmark_words(text), expected, "{}", record["id"]);
        described += usize::from(!expected.is_empty());
    }
    // 225 have a description, one of them only tags.
    assert_eq!(described, 224);
}

#[test]
fn every_visible_word_of_a_fee_is_kept_or_became_an_amount() {
    const SPENT: [&str; 24] = [
        "euro",
        "€",
        "eur",
        "ab",
        "bis",
        "zwischen",
        "und",
        "-",
        "–",
        "gebührenfrei",
        "kostenlos",
        "kostenfrei",
        "keine",
        "gebühr",
        "gebühren",
        "oder",
        "es",
        "fallen",
        "an",
        "zu",
        "gebührenfreier",
        "kosten",
        "entstehen",
        "",
    ];
    let services = import("services_de.json");
    for record in records("services_de.json") {
        let Some(html) = record["fees"].as_str() else { continue };
        let entry = service(&services, record["id"].as_str().unwrap()).entry.to_json();
        let mut notes = Vec::new();
        strings(&entry["fees"], &mut notes);
        let notes: String = notes.concat().split_whitespace().collect();
        for word in visible_words(html) {
            let bare = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '€');
            let amount = bare.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | '.'));
            assert!(
                amount || notes.contains(bare) || SPENT.contains(&bare.to_lowercase().as_str()),
                "{}: {word} of {html} is not in {}",
                record["id"],
                entry["fees"]
            );
        }
    }
}

#[test]
fn most_fees_are_structured_and_doubts_are_findings() {
    let services = import("services_de.json");
    let fees: Vec<(&Entry, Value)> =
        services.iter().filter_map(|item| Some((&item.entry, item.entry.get("fees")?.clone()))).collect();
    let all: Vec<&Value> = fees.iter().flat_map(|(_, fees)| fees.as_array().unwrap()).collect();
    let of = |kind: &str| all.iter().filter(|fee| fee["kind"] == kind).count();
    let text = all.iter().filter(|fee| fee.get("kind").is_none()).count();
    let doubtful: usize = services
        .iter()
        .flat_map(|item| &item.findings)
        .filter(|finding| finding.path.starts_with("fees.") && finding.message.contains("kept as text"))
        .count();
    assert!(of("fixed") >= 250 && of("range") >= 5 && of("variable") >= 30 && of("free") >= 50);
    assert!(doubtful > 0 && doubtful <= text);
    let whole =
        fees.iter().filter(|(_, fees)| fees.as_array().unwrap().iter().all(|fee| fee.get("kind").is_some())).count();
    assert!(whole >= 110, "{whole} of {}", fees.len());
}

#[test]
fn the_same_file_gives_the_same_entries() {
    for name in ["services_de.json", "locations_de.json"] {
        assert_eq!(import(name), import(name));
    }
}

#[test]
fn another_organisation_gets_equal_json_but_for_ids() {
    let mut ours = import("services_de.json");
    ours.extend(import("locations_de.json"));
    let there = OrgId([8; 32]);
    let first = export(&ours, ORGANISATION);
    let theirs = take(&first, "export.jsonl", there);
    assert_eq!(theirs.len(), 396);
    let second = export(&theirs, there);
    let mut lines = 0;
    for (a, b) in first.split(|byte| *byte == b'\n').zip(second.split(|byte| *byte == b'\n')) {
        if a.is_empty() {
            continue;
        }
        let [mut a, mut b]: [Value; 2] = [a, b].map(|line| serde_json::from_slice(line).unwrap());
        assert_ne!(a["id"], b["id"]);
        for line in [&mut a, &mut b] {
            line["id"] = Value::Null;
            if let Some(offices) = line.get_mut("offices") {
                *offices = offices.as_array().unwrap().len().into();
            }
        }
        assert_eq!(a, b);
        lines += 1;
    }
    assert_eq!(lines, 396);
    // And what came by way of the other organisation is what we had.
    let back = take(&second, "export.jsonl", ORGANISATION);
    let entries =
        |items: &[Imported]| items.iter().map(|item| (item.id, item.entry.to_json())).collect::<BTreeMap<_, _>>();
    let (back, ours) = (entries(&back), entries(&ours));
    assert_eq!(back.len(), ours.len());
    for (id, entry) in &ours {
        assert_eq!(back.get(id), Some(entry));
    }
}

#[test]
fn findings_have_paths() {
    for item in import("services_de.json").iter().chain(&import("locations_de.json")) {
        for finding in &item.findings {
            assert!(!finding.path.is_empty() && !finding.message.is_empty() && !finding.message.contains('\n'));
        }
    }
}
