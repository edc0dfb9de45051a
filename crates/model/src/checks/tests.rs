use serde_json::json;

use super::*;

fn entry(json: Value) -> Entry {
    Entry::from_json(json).unwrap()
}

/// The findings as `path: message`, warnings with `?`.
fn findings(json: Value) -> Vec<String> {
    let sign = |finding: &Finding| if finding.severity == Severity::Warning { "?" } else { "" };
    check(&entry(json))
        .iter()
        .map(|finding| format!("{}{}: {}", finding.path, sign(finding), finding.message))
        .collect()
}

#[track_caller]
fn expect(json: Value, expected: &[&str]) {
    assert_eq!(findings(json), expected);
}

#[test]
fn a_good_entry_has_no_findings() {
    expect(
        json!({"id": "00000000000000000000000000000001", "kind": "service", "title": {"de": "Gewerbe"},
            "leika": ["99050012104000"], "valid_for": ["053820060060"], "valid_from": "2026-01-01", "valid_until": "2026-01-01",
            "fees": [{"kind": "fixed", "amount": 0, "max_amount": 0, "currency": "EUR"}],
            "online_services": [{"title": {"de": "x"}, "url": "https://example.org/ä?x=1"}],
            "source": {"url": "http://example.org", "retrieved_at": "2026-01-01T00:00:00+01:00"},
            "companions": {"partners": {"agent_note": {"de": "leise"}}},
            "scheduled": [{"from": "2027-01-01", "set": {"fees": [{"amount": 1}]}}]}),
        &[],
    );
    expect(
        json!({"kind": "office", "title": {"de": "Amt"}, "address": {"lat": 50.79, "lon": 7, "postal_code": "53721"},
            "contacts": [{"channel": "phone", "value": "+49 2241 102-0"}, {"channel": "email", "value": "a@b.de"},
                {"channel": "web", "value": "https://b.de"}],
            "opening_hours": [{"days": ["mo"], "opens": "00:00", "closes": "24:00"}],
            "opening_exceptions": [{"from": "2026-12-24", "until": "2026-12-24", "closed": true}]}),
        &[],
    );
}

#[test]
fn keys_dates_and_money() {
    expect(
        json!({"kind": "service", "title": {"de": "x"}, "leika": ["9905"], "fees": [{"amount": -1}, {"amount": 2, "max_amount": 1, "currency": "Euro"}],
            "online_services": [{"url": "javascript:alert(1)"}, {}], "offices": ["amt"], "valid_for": ["0538"],
            "valid_from": "2026-02-30", "processing_time": {"min_days": 5, "max_days": 1}}),
        &[
            "leika.0: is not a LeiKa key (14 digits)",
            "fees.0.amount: must not be negative",
            "online_services.0.url: is not an address that begins with https:// or http://",
            "online_services.1.url: is missing",
            "offices.0?: is not an entry id (32 hex digits)",
            "valid_for.0: is not an ARS (12 digits)",
            "valid_from: is not a date like 2027-01-31",
            "fees.1.max_amount: is less than amount, 2 cents",
            "fees.1.currency: is not a currency code like EUR",
            "processing_time.max_days: is less than min_days, 5",
        ],
    );
    expect(
        json!({"kind": "service", "title": {"de": "x"}, "valid_from": "2026-02-02", "valid_until": "2026-02-01"}),
        &["valid_until: lies before valid_from, 2026-02-02"],
    );
}

#[test]
fn offices_and_their_hours() {
    expect(
        json!({"kind": "office", "address": {"lat": 91, "postal_code": "5372"},
            "contacts": [{"channel": "email", "value": "amt"}, {"channel": "web", "value": "amt.de"}, {"channel": "rauch", "value": "x"}],
            "opening_hours": [{"days": ["mo", "mi"], "opens": "12:00", "closes": "12:00"}, {"opens": "8:00", "closes": "24:01"}],
            "opening_exceptions": [{"from": "2026-12-24", "until": "2026-12-23"}],
            "stops": [{"opens": "11:00", "closes": "09:00", "place": "Markt", "from": "2026-12-24", "until": "2026-12-23"}]}),
        &[
            "title: is missing",
            "address.postal_code?: is not a postal code (5 digits)",
            "contacts.2.channel?: is none of phone, fax, email, web",
            "opening_hours.0.days.1: is none of mo, tu, we, th, fr, sa, su",
            "opening_hours.1.opens: is not a time like 08:00",
            "opening_hours.1.closes: is not a time like 08:00",
            "contacts.0.value?: does not look like an e-mail address",
            "contacts.1.value: is not an address that begins with https:// or http://",
            "address.lat: lies outside -90 to 90",
            "opening_hours.0.closes: must be later than opens",
            "opening_hours.1.days?: is missing: these hours hold on no day",
            "opening_exceptions.0.until: lies before from, 2026-12-24",
            "opening_exceptions.0: needs closed, or opens and closes",
            "stops.0.days?: is missing: without days or dates it never stops there",
            "stops.0.until: lies before from, 2026-12-24",
            "stops.0.closes: must be later than opens",
        ],
    );
}

#[test]
fn required_fields_by_kind() {
    expect(json!({"kind": "form", "title": {"de": " "}}), &["title: is missing", "url: is missing"]);
    expect(
        json!({"kind": "responsibility"}),
        &[
            "service: is missing: a service or a LeiKa key is needed",
            "office: is missing: an office or an online service is needed",
            "area: is missing: without it nobody is responsible anywhere",
        ],
    );
    expect(
        json!({"kind": "notice", "title": {"de": "x"}, "from": "2026-02-01", "until": "2026-01-01T00:00:00Z"}),
        &["until: lies before from"],
    );
    expect(json!({"kind": "agreement", "stage": 2}), &[]);
    expect(json!({"kind": "kiosk"}), &["kind?: kiosk is unknown to this version: kept and passed on, not shown"]);
}

#[test]
fn notes_for_agents_never_stand_in_the_home_document() {
    let note = json!({"kind": "service", "title": {"de": "x"}, "agent_note": {"de": "geheim"}});
    expect(note.clone(), &["agent_note: would be published: put it into companions.partners.agent_note"]);
    assert_eq!(check_companion(&entry(note)), []);
}

#[test]
fn a_scheduled_change_is_checked_as_it_will_be() {
    expect(
        json!({"kind": "service", "title": {"de": "x"}, "scheduled": [{"from": "2027-01-01", "set": {"title": null}},
            {"from": "bald", "set": {"title": {"de": "y"}}}]}),
        &["scheduled.0.set.title: is missing", "scheduled.1.from: is not a date like 2027-01-31"],
    );
    expect(
        json!({"kind": "service", "title": {"de": "x"}, "scheduled": [{"from": "2027-01-01", "set": {"title": {"de": "x"}}}]}),
        &["scheduled.0.set?: changes nothing"],
    );
}

#[test]
fn each_limit_at_and_over() {
    let service = |field: &str, value: Value| json!({"kind": "service", "title": {"de": "x"}, field: value});
    let errors =
        |json: Value| check(&entry(json)).into_iter().filter(|finding| finding.severity == Severity::Error).count();
    let at_and_over = |at: Value, over: Value| {
        assert_eq!(errors(at), 0);
        assert!(errors(over) > 0);
    };
    let words = |bytes: usize| service("title", json!({"de": "x".repeat(bytes)}));
    at_and_over(words(STRING_BYTES_MAX), words(STRING_BYTES_MAX + 1));
    let notes = |text: String| service("texts", json!({"notes": {"de": text}}));
    at_and_over(notes("x".repeat(BLOCK_BYTES_MAX)), notes("x".repeat(BLOCK_BYTES_MAX + 1)));
    let paragraphs = |bytes: usize| {
        let mut text = "x".repeat(998).chars().chain("\n\n".chars()).cycle().take(bytes - 1).collect::<String>();
        text.push('y');
        text
    };
    at_and_over(notes(paragraphs(TEXT_BYTES_MAX)), notes(paragraphs(TEXT_BYTES_MAX + 1)));
    assert!(errors(notes("wort ".repeat(2 * 1024 * 1024 / 5))) > 0);
    let keywords = |n: usize| service("keywords", json!({"de": (0..n).map(|i| i.to_string()).collect::<Vec<_>>()}));
    at_and_over(keywords(LIST_ELEMENTS_MAX), keywords(LIST_ELEMENTS_MAX + 1));
    let languages = |n: usize| {
        let tags = (0..n).map(|i| (format!("de-{i:03}"), json!("x")));
        service("title", Value::Object(tags.collect()))
    };
    at_and_over(languages(LANGUAGES_MAX), languages(LANGUAGES_MAX + 1));
    let scheduled = |n: usize| {
        let changes = (0..n).map(|i| json!({"from": format!("2027-{:02}-{:02}", i / 28 + 1, i % 28 + 1), "set": {"title": {"en": i.to_string()}}}));
        service("scheduled", changes.collect())
    };
    at_and_over(scheduled(SCHEDULED_MAX), scheduled(SCHEDULED_MAX + 1));
    let whole = |bytes: usize| {
        let mut entry = json!({"kind": "journal", "extensions": {"a": "", "b": "x".repeat(TEXT_BYTES_MAX)}});
        let rest = bytes - entry.to_string().len();
        entry["extensions"]["a"] = json!("x".repeat(rest));
        entry
    };
    assert_eq!(whole(ENTRY_BYTES_MAX).to_string().len(), ENTRY_BYTES_MAX);
    at_and_over(whole(ENTRY_BYTES_MAX), whole(ENTRY_BYTES_MAX + 1));
    let nested = |n: usize| (0..n).fold(json!(1), |value, _| json!({"x": value}));
    use crate::limits::NESTING_MAX;
    assert!(Entry::from_json(service("extensions", nested(NESTING_MAX))).is_ok());
    assert!(Entry::from_json(service("extensions", nested(NESTING_MAX + 1))).is_err());
}
