//! Money, dates and times as people read them.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::Value;

use super::lang::{Lang, text};

/// Dates and opening hours are those of this zone.
const ZONE: &str = "Europe/Berlin";

pub(super) const MONTHS_DE: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];
const MONTHS_EN: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The moment in the zone of the pages; UTC should the zone be unknown.
pub(crate) fn local(at: Timestamp) -> Zoned {
    at.to_zoned(TimeZone::get(ZONE).unwrap_or(TimeZone::UTC))
}

/// Integer cents as `28,80 €` or `€28.80`; another currency by its code.
pub(crate) fn money(cents: i64, currency: &str, lang: Lang) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let (whole, rest) = (cents.unsigned_abs() / 100, cents.unsigned_abs() % 100);
    let (group, point) = lang.pick(('.', ','), (',', '.'));
    let whole = grouped(whole, group);
    match (currency, lang) {
        ("EUR" | "", Lang::De) => format!("{sign}{whole}{point}{rest:02}\u{a0}€"),
        ("EUR" | "", Lang::En) => format!("{sign}€{whole}{point}{rest:02}"),
        (code, _) => format!("{sign}{whole}{point}{rest:02}\u{a0}{code}"),
    }
}

/// Digits in groups of three.
pub(crate) fn grouped(number: u64, separator: char) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(separator);
        }
        out.push(digit);
    }
    out
}

/// A count in the language's digits.
pub(crate) fn count(number: u64, lang: Lang) -> String {
    grouped(number, lang.pick('.', ','))
}

/// One element of `fees` in one line, without its note.
pub(crate) fn fee(fee: &Value, lang: Lang) -> String {
    let currency = fee.get("currency").and_then(Value::as_str).unwrap_or("EUR");
    let cents = |name| fee.get(name).and_then(Value::as_i64).map(|cents| money(cents, currency, lang));
    match (fee.get("kind").and_then(Value::as_str), cents("amount"), cents("max_amount")) {
        (Some("free"), ..) => lang.pick("gebührenfrei", "free of charge").to_owned(),
        (_, Some(low), Some(high)) if low != high => {
            format!("{low} {} {high}", lang.pick("bis", "to"))
        }
        // From nothing upwards: only the note can say more.
        (Some("variable"), ..) if fee.get("amount").and_then(Value::as_i64) == Some(0) => {
            lang.pick("unterschiedlich", "varies").to_owned()
        }
        (Some("variable"), Some(low), None) => format!("{} {low}", lang.pick("ab", "from")),
        (_, Some(amount), _) => amount,
        (_, None, Some(high)) => format!("{} {high}", lang.pick("bis zu", "up to")),
        (_, None, None) => lang.pick("unterschiedlich", "varies").to_owned(),
    }
}

/// `processing_time` in one line, with its note; empty if it says nothing.
pub(crate) fn processing_time(time: &Value, lang: Lang) -> String {
    let days = |name| time.get(name).and_then(Value::as_i64);
    let unit = |n: i64| if n == 1 { lang.pick("Tag", "day") } else { lang.pick("Tage", "days") };
    let span = match (days("min_days"), days("max_days")) {
        (Some(low), Some(high)) if low != high => format!("{low} {} {high} {}", lang.pick("bis", "to"), unit(high)),
        (Some(0), _) | (None, Some(0)) => lang.pick("sofort", "at once").to_owned(),
        (None, Some(high)) => format!("{} {high} {}", lang.pick("bis zu", "up to"), unit(high)),
        (Some(low), _) => format!("{low} {}", unit(low)),
        (None, None) => String::new(),
    };
    let note = text(time.get("note"), lang);
    match (span.is_empty(), note.is_empty()) {
        (false, false) => format!("{span}; {note}"),
        (false, true) => span,
        (true, _) => note.to_owned(),
    }
}

/// A date as `12. März 2026`.
pub(crate) fn date(date: Date, lang: Lang) -> String {
    let month = usize::try_from(date.month() - 1).unwrap_or(0);
    match lang {
        Lang::De => format!("{}. {} {}", date.day(), MONTHS_DE[month], date.year()),
        Lang::En => format!("{} {} {}", date.day(), MONTHS_EN[month], date.year()),
    }
}

/// An RFC 3339 time as `12. März 2026, 14:05 Uhr`; the text itself if it is none.
pub(crate) fn moment(rfc3339: &str, lang: Lang) -> String {
    let Ok(at) = rfc3339.parse::<Timestamp>() else { return rfc3339.to_owned() };
    let at = local(at);
    let clock = format!("{:02}:{:02}", at.hour(), at.minute());
    format!("{}, {clock}{}", date(at.date(), lang), lang.pick(" Uhr", ""))
}

/// How long ago, in the largest unit that fits: `vor 3 Minuten`.
pub(crate) fn ago(rfc3339: &str, now: &Zoned, lang: Lang) -> String {
    let Ok(at) = rfc3339.parse::<Timestamp>() else { return rfc3339.to_owned() };
    let seconds = now.timestamp().as_second() - at.as_second();
    let phrase = |n: i64, one: (&str, &str), many: (&str, &str)| {
        let (de, en) = if n == 1 { one } else { many };
        lang.pick(format!("vor {n} {de}"), format!("{n} {en} ago"))
    };
    match seconds {
        ..10 => lang.pick("gerade eben", "just now").to_owned(),
        10..60 => phrase(seconds, ("Sekunde", "second"), ("Sekunden", "seconds")),
        60..3_600 => phrase(seconds / 60, ("Minute", "minute"), ("Minuten", "minutes")),
        3_600..86_400 => phrase(seconds / 3_600, ("Stunde", "hour"), ("Stunden", "hours")),
        _ => phrase(seconds / 86_400, ("Tag", "day"), ("Tagen", "days")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn money_reads_as_in_the_language() {
        assert_eq!(money(2880, "EUR", Lang::De), "28,80\u{a0}€");
        assert_eq!(money(2880, "EUR", Lang::En), "€28.80");
        assert_eq!(money(5, "EUR", Lang::De), "0,05\u{a0}€");
        assert_eq!(money(123_456_789, "EUR", Lang::De), "1.234.567,89\u{a0}€");
        assert_eq!(money(1000, "CHF", Lang::De), "10,00\u{a0}CHF");
        assert_eq!(money(-150, "EUR", Lang::De), "-1,50\u{a0}€");
        assert!(money(i64::MIN, "EUR", Lang::De).starts_with('-'));
    }

    #[test]
    fn fees_say_what_is_known() {
        assert_eq!(fee(&json!({"kind": "fixed", "amount": 2600}), Lang::De), "26,00\u{a0}€");
        let range = json!({"kind": "variable", "amount": 1000, "max_amount": 5000});
        assert_eq!(fee(&range, Lang::De), "10,00\u{a0}€ bis 50,00\u{a0}€");
        assert_eq!(fee(&json!({"kind": "variable", "amount": 1000}), Lang::De), "ab 10,00\u{a0}€");
        assert_eq!(fee(&json!({"kind": "free"}), Lang::En), "free of charge");
        assert_eq!(fee(&json!({"note": {"de": "siehe Satzung"}}), Lang::De), "unterschiedlich");
    }

    #[test]
    fn processing_times_say_what_is_known() {
        assert_eq!(processing_time(&json!({"min_days": 1, "max_days": 5}), Lang::De), "1 bis 5 Tage");
        assert_eq!(processing_time(&json!({"max_days": 1}), Lang::De), "bis zu 1 Tag");
        let noted = json!({"min_days": 21, "max_days": 28, "note": {"de": "Express: 3 Werktage"}});
        assert_eq!(processing_time(&noted, Lang::De), "21 bis 28 Tage; Express: 3 Werktage");
        assert_eq!(processing_time(&json!({"min_days": 0}), Lang::De), "sofort");
        assert_eq!(processing_time(&json!({}), Lang::De), "");
    }

    #[test]
    fn times_are_those_of_berlin() {
        assert_eq!(moment("2026-07-01T12:05:00Z", Lang::De), "1. Juli 2026, 14:05 Uhr");
        assert_eq!(moment("2026-01-01T23:30:00Z", Lang::En), "2 January 2026, 00:30");
        assert_eq!(moment("soon", Lang::De), "soon");
    }

    #[test]
    fn ages_use_the_largest_unit() {
        let now = local("2026-07-01T12:00:00Z".parse().expect("a time"));
        assert_eq!(ago("2026-07-01T11:59:58Z", &now, Lang::De), "gerade eben");
        assert_eq!(ago("2026-07-01T11:59:00Z", &now, Lang::De), "vor 1 Minute");
        assert_eq!(ago("2026-07-01T09:00:00Z", &now, Lang::En), "3 hours ago");
        assert_eq!(ago("2026-06-28T12:00:00Z", &now, Lang::De), "vor 3 Tagen");
        assert_eq!(ago("2026-07-01T13:00:00Z", &now, Lang::De), "gerade eben", "another clock may be ahead");
    }
}
