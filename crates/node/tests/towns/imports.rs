//! Importing again what people, or the source, changed meanwhile.

use ortsnetz_node::Handle;
use ortsnetz_node::dto::{EntriesRequest, ImportReport, ImportRequest, ShowOptions};
use serde_json::{Value, json};

use crate::{town, values};

/// Imports these lines.
async fn import(node: &Handle, lines: &[Value], publish: bool) -> ImportReport {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    import_file(node, "entries.jsonl", text, publish).await
}

async fn import_file(node: &Handle, file: &str, text: String, publish: bool) -> ImportReport {
    let request = ImportRequest { file: file.into(), publish, ..ImportRequest::default() };
    let node = node.clone();
    let imported = tokio::task::spawn_blocking(move || node.import(&request, &mut text.as_bytes()));
    imported.await.expect("it runs").expect("import")
}

fn line(fields: Value) -> Value {
    let mut line = json!({"kind": "service", "identifier": {"agency": "b", "scheme": "LB", "value": "1"}});
    line.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    line
}

async fn only_id(node: &Handle) -> String {
    let page = node.entries(EntriesRequest::default()).await.expect("entries");
    assert_eq!(page.entries.len(), 1, "{page:?}");
    page.entries[0].id.clone()
}

async fn at(node: &Handle, id: &str, draft: bool, pointer: &str) -> Option<String> {
    let shown = node.show(id, ShowOptions { draft, ..ShowOptions::default() }).await.ok()?;
    Value::Object(shown.entry).pointer(pointer)?.as_str().map(str::to_owned)
}

fn counts(report: &ImportReport) -> [u64; 5] {
    [report.created, report.updated, report.unchanged, report.published, report.held_back]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_a_person_and_the_source_changed_is_kept_also_if_nothing_else_changed() {
    let dir = tempfile::tempdir().expect("a directory");
    let town = town(&dir.path().join("town"), "Stadt Bonn", "053140000000").await;
    assert_eq!(counts(&import(&town, &[line(json!({"title": {"de": "Hund"}}))], true).await), [1, 0, 0, 1, 0]);
    let id = only_id(&town).await;
    town.edit(&id, &values(&[("title.de", "Hand")])).await.expect("edit");
    for publish in [false, true] {
        let report = import(&town, &[line(json!({"title": {"de": format!("Hund {publish}")}}))], publish).await;
        assert_eq!(counts(&report), [0, 0, 1, 0, 0], "{report:?}");
        assert_eq!(report.kept.iter().map(|kept| kept.path.as_str()).collect::<Vec<_>>(), ["title.de"]);
    }
    assert_eq!(at(&town, &id, true, "/title/de").await.as_deref(), Some("Hand"));
    // What the source says now is known: it gave the value up that a person changed, and takes it up again.
    let report = import(&town, &[line(json!({"title": {"de": "Hand"}}))], false).await;
    assert_eq!((counts(&report), report.kept.len()), ([0, 0, 1, 0, 0], 0), "{report:?}");
    assert_eq!(town.store_check().await.expect("check").problems, Vec::<String>::new());
    town.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_never_publishes_what_a_person_has_not_published() {
    let dir = tempfile::tempdir().expect("a directory");
    let town = town(&dir.path().join("town"), "Stadt Bonn", "053140000000").await;
    let version = |n: u32| line(json!({"title": {"de": "Hund"}, "texts": {"summary": {"de": format!("Fassung {n}")}}}));
    import(&town, &[version(1)], true).await;
    let id = only_id(&town).await;
    town.edit(&id, &values(&[("texts.notes.de", "HALBFERTIG")])).await.expect("edit");

    let report = import(&town, &[version(2)], true).await;
    assert_eq!(counts(&report), [0, 1, 0, 0, 1], "{report:?}");
    assert!(report.findings.iter().any(|finding| finding.message.contains("unpublished draft")), "{report:?}");
    assert_eq!(at(&town, &id, false, "/texts/notes/de").await, None);
    assert_eq!(at(&town, &id, false, "/texts/summary/de").await.as_deref(), Some("Fassung 1"));
    assert_eq!(at(&town, &id, true, "/texts/summary/de").await.as_deref(), Some("Fassung 2"));

    // Once the person has published it, imports are published again, and a draft that only an import made, too.
    town.publish(Some(vec![id.clone()])).await.expect("publish");
    assert_eq!(counts(&import(&town, &[version(3)], false).await), [0, 1, 0, 0, 0]);
    assert_eq!(at(&town, &id, false, "/texts/summary/de").await.as_deref(), Some("Fassung 2"));
    assert_eq!(counts(&import(&town, &[version(4)], true).await), [0, 1, 0, 1, 0]);
    assert_eq!(at(&town, &id, false, "/texts/summary/de").await.as_deref(), Some("Fassung 4"));
    assert_eq!(at(&town, &id, false, "/texts/notes/de").await.as_deref(), Some("HALBFERTIG"));

    // What was withdrawn stays so.
    town.withdraw(&id).await.expect("withdraw");
    let report = import(&town, &[version(5)], true).await;
    assert_eq!(counts(&report), [0, 1, 0, 0, 1], "{report:?}");
    assert!(report.findings.iter().any(|finding| finding.message.contains("withdrawn")), "{report:?}");
    assert_eq!(at(&town, &id, false, "/title/de").await, None);
    town.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_imported_as_a_draft_is_published_by_the_next_import_unless_a_person_worked_on_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let town = town(&dir.path().join("town"), "Stadt Bonn", "053140000000").await;
    let other = json!({"kind": "service", "identifier": {"agency": "b", "scheme": "LB", "value": "2"}, "title": {"de": "Katze"}});
    let lines = [line(json!({"title": {"de": "Hund"}})), other];
    assert_eq!(counts(&import(&town, &lines, false).await), [2, 0, 0, 0, 0]);
    let page = town.entries(EntriesRequest::default()).await.expect("entries");
    let dog = page.entries.iter().find(|row| row.title.contains("Hund")).expect("the dog").id.clone();
    town.edit(&dog, &values(&[("texts.notes.de", "HALBFERTIG")])).await.expect("edit");
    for _ in 0..2 {
        let report = import(&town, &lines, true).await;
        assert_eq!(report.held_back, 1, "{report:?}");
        let shown = town.show(&dog, ShowOptions::default()).await.expect("show");
        assert_eq!((shown.meta.state.as_str(), shown.meta.published_at), ("draft", None));
    }
    assert_eq!(town.status().await.expect("status").entries.drafts, 1);
    town.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_never_changes_the_kind_of_an_entry() {
    let dir = tempfile::tempdir().expect("a directory");
    let town = town(&dir.path().join("town"), "Stadt Bonn", "053140000000").await;
    import(&town, &[line(json!({"title": {"de": "Bürgeramt"}}))], true).await;
    let mut office = line(json!({"title": {"de": "Bürgeramt Mitte"}}));
    office["kind"] = json!("office");
    let report = import(&town, &[office], true).await;
    assert_eq!(counts(&report), [0, 0, 0, 0, 0], "{report:?}");
    let [rejection] = &report.rejected[..] else { panic!("one rejection: {report:?}") };
    assert_eq!((rejection.file.as_str(), rejection.line), ("entries.jsonl", 1));
    assert!(rejection.reason.starts_with("kind: ") && rejection.reason.contains("service"), "{rejection:?}");
    let id = only_id(&town).await;
    assert_eq!(at(&town, &id, true, "/kind").await.as_deref(), Some("service"));
    assert_eq!(at(&town, &id, true, "/title/de").await.as_deref(), Some("Bürgeramt"));
    town.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doubts_about_an_unchanged_entry_are_counted_and_not_told_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let town = town(&dir.path().join("town"), "Stadt Bonn", "053140000000").await;
    let doubtful = |title: &str| {
        line(
            json!({"title": {"de": title}, "references": {"nowhere.0.x": {"agency": "b", "scheme": "LB", "value": "9"}}}),
        )
    };
    let first = import(&town, &[doubtful("Hund")], true).await;
    assert!(!first.findings.is_empty() && first.findings_before == 0, "{first:?}");
    let again = import(&town, &[doubtful("Hund")], true).await;
    assert_eq!((again.findings.len(), again.findings_before), (0, first.findings.len() as u64), "{again:?}");
    let changed = import(&town, &[doubtful("Hunde")], true).await;
    assert_eq!((changed.findings.len(), changed.findings_before), (first.findings.len(), 0), "{changed:?}");
    town.shutdown().await;
}

/// A directory as München exports it: services 1 to 4 at offices 11 to 13; `hidden` are not public.
fn directory(hidden: &[u32]) -> [String; 2] {
    let public = |id: u32| !hidden.contains(&id);
    let services: Vec<Value> = (1..=4)
        .map(|id| {
            let locations: Vec<Value> = (11..=13)
                .map(|at| json!({"location": at.to_string(), "hint": "dort", "appointment": {"slots": "0"}}))
                .collect();
            json!({"id": id.to_string(), "name": format!("Leistung {id}"), "public": public(id), "locations": locations,
                "combinable": [1, 2, 3, 4], "meta": {"url": "https://stadt.example/x", "locale": "de"}})
        })
        .collect();
    let offices: Vec<Value> = (11..=13)
        .map(|id| {
            let services: Vec<Value> = (1..=4).map(|of| json!({"service": of.to_string(), "duration": 5})).collect();
            json!({"id": id.to_string(), "name": format!("Amt {id}"), "public": public(id), "services": services,
                "meta": {"url": "https://stadt.example/x", "locale": "de"}, "address": {"street": "Markt", "postal_code": "53721"}})
        })
        .collect();
    [services, offices].map(|data| json!({"data": data, "meta": {}}).to_string())
}

/// What every entry of this kind says, published: the numbers of the offices or services it speaks of.
async fn spoken_of(node: &Handle, kind: &str) -> Vec<(String, Vec<String>)> {
    let mut said = Vec::new();
    for row in node.entries(EntriesRequest::default()).await.expect("entries").entries {
        if row.kind != kind || row.collection != "public" {
            continue;
        }
        let entry = Value::Object(node.show(&row.id, ShowOptions::default()).await.expect("show").entry);
        let offices = entry["offices"].as_array().map_or(0, Vec::len);
        let list = |value: &Value| match value {
            Value::Object(map) => map.keys().cloned().collect(),
            Value::Array(list) => list.iter().map(Value::to_string).collect(),
            _ => Vec::new(),
        };
        let dldb = &entry["extensions"]["dldb"];
        let mut all = [list(&dldb["locations"]), list(&dldb["services"]), list(&dldb["combinable"])].concat();
        all.push(format!("{offices} offices"));
        said.push((entry["identifier"]["value"].as_str().expect("a number").to_owned(), all));
    }
    said.sort();
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_about_an_internal_entry_stands_in_a_public_one_whatever_the_order_of_the_files() {
    let dir = tempfile::tempdir().expect("a directory");
    for (order, name) in [([0, 1], "services first"), ([1, 0], "offices first")] {
        let town = town(&dir.path().join(name), "Stadt Bonn", "053140000000").await;
        let import = async |hidden: &[u32]| {
            let files = directory(hidden);
            let mut unchanged = 0;
            for part in order {
                let report = import_file(&town, "directory.json", files[part].clone(), true).await;
                assert!(report.rejected.is_empty() && report.held_back == 0, "{name}: {report:?}");
                unchanged += report.unchanged;
            }
            unchanged
        };
        let expect = async |services: &[&str], offices: &[&str]| {
            let count = format!("{} offices", offices.len());
            let at_service = [offices, services, &[&count]].concat();
            let at_office = [services, &["0 offices"]].concat();
            let all = |ids: &[&str], says: &[&str]| -> Vec<(String, Vec<String>)> {
                ids.iter().map(|id| ((*id).to_owned(), says.iter().map(|&word| word.to_owned()).collect())).collect()
            };
            assert_eq!(spoken_of(&town, "service").await, all(services, &at_service), "{name}");
            assert_eq!(spoken_of(&town, "office").await, all(offices, &at_office), "{name}");
        };
        assert_eq!(import(&[2, 12]).await, 0);
        expect(&["1", "3", "4"], &["11", "13"]).await;
        assert_eq!(import(&[2, 12]).await, 7, "{name}: again");

        // One becomes public, others cease to be.
        import(&[3, 11, 12]).await;
        expect(&["1", "2", "4"], &["13"]).await;
        assert_eq!(import(&[3, 11, 12]).await, 7, "{name}: again");
        import(&[]).await;
        expect(&["1", "2", "3", "4"], &["11", "12", "13"]).await;
        assert_eq!(town.status().await.expect("status").entries.drafts, 0, "{name}");

        // A person may take an entry out of `public` although something is withheld from its readers.
        import(&[12]).await;
        let rows = town.entries(EntriesRequest::default()).await.expect("entries").entries;
        let one = rows.iter().find(|row| row.title == "Leistung 1").expect("a service");
        let moved = town.move_entry(&one.id, "internal").await.expect("move");
        assert!(moved.refused.is_empty(), "{moved:?}");
        let shown = town.show(&one.id, ShowOptions::default()).await.expect("show").entry;
        assert_eq!((shown["offices"].as_array().map(Vec::len), shown.get("companions")), (Some(3), None), "{shown:?}");
        assert_eq!(town.store_check().await.expect("check").problems, Vec::<String>::new());
        town.shutdown().await;
    }
}
