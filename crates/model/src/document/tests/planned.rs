use super::*;
use crate::scheduled::{as_of, due_dates};

fn date(text: &str) -> crate::Date {
    text.parse().unwrap()
}

fn planned() -> Entry {
    entry(json!({
        "kind": "service", "title": {"de": "Ausweis"}, "fees": [{"kind": "fixed", "amount": 2600}, {"kind": "free"}],
        "texts": {"notes": {"de": "eins\n\nzwei"}},
        "scheduled": [
            {"from": "2027-07-01", "set": {"fees": [{"kind": "fixed", "amount": 2600}, {"kind": "free"}]}},
            {"from": "2027-01-01", "set": {"fees": [{"kind": "fixed", "amount": 3000}, {"kind": "free"}],
                "texts": {"notes": {"de": "eins\n\nzwei neu"}}, "title": {"de": "Ausweis"}}}
        ]
    }))
}

#[test]
fn changes_come_into_force_on_their_day() {
    let entry = planned();
    assert_eq!(due_dates(&entry), [date("2027-01-01"), date("2027-07-01")]);
    let amount = |on: &str| as_of(&entry, date(on)).at_path("fees.0.amount").unwrap().clone();
    assert_eq!(amount("2026-12-31"), json!(2600));
    assert_eq!(amount("2027-01-01"), json!(3000));
    assert_eq!(amount("2027-07-01"), json!(2600));
    let later = as_of(&entry, date("2027-01-01"));
    assert_eq!(later.text("notes", "de"), Some("eins\n\nzwei neu"));
    assert_eq!(due_dates(&later), [date("2027-07-01")]);
    assert_eq!(as_of(&entry, date("2026-01-01")), entry);
}

#[test]
fn a_document_holds_scheduled_changes() {
    let mut desk = desk_with(&planned());
    assert_eq!(desk.entry(), planned());
    assert_eq!(desk.write(&planned()), None);
    assert_eq!(desk.document.lost_schedules(), Vec::<String>::new());
    // What is equal today is no part of the change.
    assert!(planned().at_path("scheduled.0.set.title").is_none());
}

#[test]
fn an_edit_today_does_not_undo_what_is_planned() {
    let mut desk = desk_with(&planned());
    desk.edit("fees.0.note.de", "bar");
    desk.edit("texts.notes.de", "eins heute\n\nzwei");
    desk.edit("fees", r#"[{"kind":"free"},{"kind":"fixed","amount":2600,"note":{"de":"bar"}}]"#);
    let on = as_of(&desk.entry(), date("2027-02-01"));
    assert_eq!(on.at_path("fees.1"), Some(&json!({"kind": "fixed", "amount": 3000, "note": {"de": "bar"}})));
    assert_eq!(on.text("notes", "de"), Some("eins heute\n\nzwei neu"));
}

#[test]
fn a_target_that_is_gone_is_reported() {
    let mut desk = desk_with(&planned());
    desk.edit("fees.0", "");
    let on = as_of(&desk.entry(), date("2027-02-01"));
    assert_eq!(on.at_path("fees"), Some(&json!([{"kind": "free"}])));
    let lost = desk.document.lost_schedules();
    assert_eq!(lost.len(), 2, "{lost:?}");
    assert!(lost[0].starts_with("fees#") && lost[0].ends_with(".amount on 2027-01-01"), "{lost:?}");
    desk.edit("scheduled", "");
    assert_eq!(desk.document.lost_schedules(), Vec::<String>::new());
}

#[test]
fn new_and_removed_elements_can_be_planned() {
    let target = entry(
        json!({"kind": "service", "title": {"de": "x"}, "fees": [{"amount": 1}, {"amount": 2}], "keywords": {"de": ["a", "b"]},
        "scheduled": [{"from": "2027-01-01", "set": {"fees": [{"amount": 3}, {"amount": 2}, {"amount": 9, "kind": "fixed"}], "keywords": {"de": ["b", "c", "a"]}}},
            {"from": "2028-01-01", "set": {"fees": [{"amount": 9, "kind": "fixed"}]}}]}),
    );
    let mut desk = desk_with(&target);
    assert_eq!(desk.entry(), target);
    assert_eq!(desk.write(&target), None);
    let mut changed = desk.entry();
    changed.set_path("scheduled.0.set.title.en", "y").unwrap();
    let chunk = desk.write(&changed).unwrap();
    assert_eq!(chunk.info().unwrap().operations, 1);
    assert_eq!(desk.entry(), changed);
}
