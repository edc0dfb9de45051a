//! Export, import into another organisation, export again: equal but for ids.

use std::collections::BTreeMap;

use ortsnetz_exchange::{CsvWriter, Imported, JsonLinesWriter, Options, Resolver, read, sort_key, stand_in};
use ortsnetz_model::{EntryId, Identifier, OrgId};
use serde_json::{Value, json};

const HERE: OrgId = OrgId([1; 32]);
const THERE: OrgId = OrgId([2; 32]);

fn import(text: &str, organisation: OrgId) -> Vec<Imported> {
    let options = Options::new(Resolver::new(organisation), "test.jsonl");
    read(text.as_bytes(), options).unwrap().map(|item| item.unwrap_or_else(|rejected| panic!("{rejected}"))).collect()
}

fn export(items: &[Imported], organisation: OrgId) -> String {
    let mut items: Vec<&Imported> = items.iter().collect();
    items.sort_by_key(|item| sort_key(&organisation, &item.entry));
    let identifiers: BTreeMap<EntryId, Identifier> =
        items.iter().map(|item| (item.id, sort_key(&organisation, &item.entry).0)).collect();
    let mut writer = JsonLinesWriter::new(Vec::new(), organisation);
    for item in items {
        writer.write(&item.entry, &item.collection, |id| identifiers.get(id).cloned()).unwrap();
    }
    String::from_utf8(writer.finish().unwrap()).unwrap()
}

/// Ids out: of the entry, and where a reference stands.
fn without_ids(export: &str) -> Vec<Value> {
    let line = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line["id"] = Value::Null;
        let paths: Vec<String> =
            line["references"].as_object().into_iter().flat_map(|map| map.keys().cloned()).collect();
        for path in paths {
            *line.pointer_mut(&format!("/{}", path.replace('.', "/"))).unwrap() = Value::Null;
        }
        line
    };
    export.lines().map(line).collect()
}

fn sample() -> String {
    let office = EntryId([5; 16]);
    let lines = [
        json!({"kind": "responsibility", "identifier": {"agency": "A", "scheme": "Z", "value": "1"}, "collection": "partners",
            "area": ["053820060060"],
            "references": {"service": {"agency": "A", "scheme": "LB", "value": "7"},
                "office": {"agency": HERE.to_string(), "scheme": "ortsnetz", "value": office.to_string()}}}),
        json!({"kind": "service", "identifier": {"agency": "A", "scheme": "LB", "value": "7"}, "title": {"de": "Ausweis"},
            "offices": [office.to_string()], "companions": {"partners": {"agent_note": {"de": "Hinweis"}}, "internal": {"offices": [office.to_string()]}},
            "references": {"offices.0": {"agency": HERE.to_string(), "scheme": "ortsnetz", "value": office.to_string()}}}),
        json!({"kind": "office", "id": office.to_string(), "title": {"de": "Bürgeramt"},
            "address": {"lat": 48.1618284350202, "lon": 11.544848351285319}}),
    ];
    lines.map(|line| line.to_string() + "\n").concat()
}

#[test]
fn another_organisation_gets_the_same_but_for_ids() {
    let ours = import(&sample(), HERE);
    let first = export(&ours, HERE);
    let theirs = import(&first, THERE);
    let second = export(&theirs, THERE);
    assert_ne!(first, second);
    assert_eq!(without_ids(&first), without_ids(&second));
    assert_eq!(export(&import(&second, THERE), THERE), second, "importing again changes nothing");

    // References lead to the entries there, also those that come later in the file.
    for items in [&ours, &theirs] {
        let ids: Vec<EntryId> = items.iter().map(|item| item.id).collect();
        let references: Vec<EntryId> =
            items.iter().flat_map(|item| item.entry.references()).map(|(_, id)| id).collect();
        assert_eq!(references.len(), 3);
        assert!(references.iter().all(|id| ids.contains(id)), "{references:?} {ids:?}");
    }
    assert_ne!(ours[0].id, theirs[0].id);
    for items in [&ours, &theirs] {
        let service = items.iter().find(|item| item.entry.get("offices").is_some()).unwrap();
        assert_eq!(service.entry.at_path("companions.internal.offices.0"), service.entry.at_path("offices.0"));
    }
    assert!(first.contains("\"agent_note\"") && second.contains("\"agent_note\""));
    assert_eq!(theirs.iter().filter(|item| item.collection == "partners").count(), 1);
}

#[test]
fn numbers_come_back_as_they_went() {
    let text = export(&import(&sample(), HERE), HERE);
    assert!(text.contains("\"lon\":11.544848351285319"), "{text}");
}

#[test]
fn our_own_export_finds_its_entries_again() {
    let ours = import(&sample(), HERE);
    let again = import(&export(&ours, HERE), HERE);
    assert_eq!(again.len(), ours.len());
    for item in &ours {
        let found = again.iter().find(|found| found.id == item.id).unwrap();
        assert_eq!(found.entry, item.entry, "a stand-in is no identifier");
        assert_eq!(found.identifier, item.identifier);
    }
}

#[test]
fn an_export_is_sorted_by_identifier() {
    let lines: Vec<Value> =
        export(&import(&sample(), HERE), HERE).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let schemes: Vec<&str> = lines.iter().map(|line| line["identifier"]["scheme"].as_str().unwrap()).collect();
    assert_eq!(schemes, ["ortsnetz", "LB", "Z"], "the organisation's id comes before A");
    assert_eq!(lines[0]["identifier"]["value"], stand_in(&HERE, &EntryId([5; 16])).value);
    assert_eq!(lines[1]["collection"], "public");
}

#[test]
fn a_table_comes_back_without_a_mapping() {
    let text = json!({"kind": "service", "identifier": {"agency": "A", "scheme": "LB", "value": "7"},
        "title": {"de": "Ausweis; neu"}, "leika": ["99050012104000", "99108001000000"], "keywords": {"de": ["a", "b"]},
        "texts": {"description": {"de": "Zwei\n\n- \"Zeilen\""}}, "fees": [{"kind": "fixed", "amount": 2880, "currency": "EUR"}],
        "valid_for": ["091620000000"]});
    let ours = import(&text.to_string(), HERE);
    let mut writer = CsvWriter::new(Vec::new()).unwrap();
    writer.write(&ours[0].entry, "internal").unwrap();
    let table = writer.finish().unwrap();
    let options = Options::new(Resolver::new(THERE), "test.csv");
    let back: Vec<Imported> = read(table.as_slice(), options).unwrap().map(Result::unwrap).collect();
    let mut expected = ours[0].entry.clone();
    expected.set_id(&back[0].id);
    assert_eq!(back[0].entry, expected);
    assert_eq!((back[0].collection.as_str(), back[0].line), ("internal", 2));
}
