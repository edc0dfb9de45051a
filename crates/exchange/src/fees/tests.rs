use super::*;

fn fees_in(html: &str) -> (Value, usize) {
    let read = read(&Blocks::parse(html), "de");
    (Value::Array(read.fees), read.doubts.len())
}

use super::fees as fees_of;

fn certain(line: &str) -> Option<(&'static str, Option<u64>, Option<u64>, String)> {
    fee(line).map(|fee| (fee.kind, fee.amount, fee.max_amount, fee.note))
}

#[test]
fn amounts_without_doubt() {
    let cases = [
        ("28,80 Euro", ("fixed", Some(2880), None, "")),
        ("In allen übrigen Fällen: 113,00 EUR", ("fixed", Some(11300), None, "In allen übrigen Fällen")),
        ("120 €", ("fixed", Some(12000), None, "")),
        ("1.200,50 Euro", ("fixed", Some(120_050), None, "")),
        (
            "50 bis 60 Euro (abhängig von der Rechtsform)",
            ("range", Some(5000), Some(6000), "abhängig von der Rechtsform"),
        ),
        ("600 - 1000 Euro", ("range", Some(60_000), Some(100_000), "")),
        ("zwischen 5,00 und 7,50 Euro", ("range", Some(500), Some(750), "")),
        ("ab 13,10 Euro", ("variable", Some(1310), None, "")),
        ("Verlängerung: bis 96 Euro", ("variable", None, Some(9600), "Verlängerung")),
        ("unter 24 Jahren: 27,60 Euro", ("fixed", Some(2760), None, "unter 24 Jahren")),
        ("12 Euro pro Person", ("fixed", Some(1200), None, "pro Person")),
        ("Gebührenfrei", ("free", None, None, "")),
        ("Es fallen keine Gebühren an.", ("free", None, None, "")),
        ("Änderung der PIN: gebührenfrei", ("free", None, None, "Änderung der PIN")),
        ("Die Beratung ist kostenlos.", ("free", None, None, "Die Beratung ist kostenlos.")),
    ];
    for (line, (kind, amount, max_amount, note)) in cases {
        assert_eq!(certain(line), Some((kind, amount, max_amount, note.to_owned())), "{line}");
    }
}

#[test]
fn doubts_stay_text() {
    let cases = [
        "etwa 300 Euro",
        "in der Regel 120 €",
        "Gebühr plus 22 Euro Aufpreis",
        "ab 13,10 Euro zuzüglich Kennzeichenschilder",
        "40 bis 300 Euro, in der Regel 150 Euro",
        "180 Euro (jedes weitere Fahrzeug: plus 50 Euro)",
        "mit Reservierung ab: 23 Euro",
        "Zusätzlich: 13 Euro",
        "60 bis 50 Euro",
        "1.20 Euro",
        "12,345 Euro",
        "99999999999999999999 Euro",
        "24 Monate gültig 204 Euro",
    ];
    for line in cases {
        assert_eq!(fees_of(line), None, "{line}");
    }
}

#[test]
fn groups_get_a_fee_each() {
    let found = fees_of("Türkische Staatsangehörige: 46 Euro (ab 24 Jahren) oder 27,60 Euro (bis 24 Jahre)").unwrap();
    let found: Vec<_> = found.into_iter().map(|fee| (fee.amount, fee.note)).collect();
    let expected = [
        (Some(4600), "Türkische Staatsangehörige (ab 24 Jahren)".to_owned()),
        (Some(2760), "Türkische Staatsangehörige (bis 24 Jahre)".to_owned()),
    ];
    assert_eq!(found, expected);
    assert_eq!(fees_of("10 Euro oder 15 Euro"), None);
}

#[test]
fn headings_go_into_notes_and_text_keeps_its_place() {
    let (read, doubts) = fees_in(
        "<p>Reisepass:</p><ul><li>Unter 24 Jahren: 37,50 Euro</li><li>Express: Gebühr plus 32 Euro Aufpreis</li></ul><p><strong>Bitte zahlen Sie vor Ort.</strong></p>",
    );
    let expected = serde_json::json!([
        {"kind": "fixed", "amount": 3750, "currency": "EUR", "note": {"de": "Reisepass: Unter 24 Jahren"}},
        {"note": {"de": "Express: Gebühr plus 32 Euro Aufpreis\nBitte zahlen Sie vor Ort."}},
    ]);
    assert_eq!((read, doubts), (expected, 1));

    let (read, doubts) = fees_in(
        "<p>Für ein Jahr: 150 Euro\r\n\nunbefristet: 270 Euro\r\n\n\r\n\nzusätzlich:</p><ul><li>13 Euro (für Auskunft)</li><li>13 Euro</li></ul>",
    );
    let expected = serde_json::json!([
        {"kind": "fixed", "amount": 15000, "currency": "EUR", "note": {"de": "Für ein Jahr"}},
        {"kind": "fixed", "amount": 27000, "currency": "EUR", "note": {"de": "unbefristet"}},
        {"note": {"de": "zusätzlich:\n13 Euro (für Auskunft)\n13 Euro"}},
    ]);
    assert_eq!((read, doubts), (expected, 1));
    assert_eq!(fees_in("<p> </p>"), (serde_json::json!([]), 0));
}
