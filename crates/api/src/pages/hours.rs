//! Is this office open now, and until when.

use jiff::civil::{Date, DateTime, Time, Weekday};
use serde_json::Value;

use super::lang::{Lang, text};

/// What an office is doing today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Today {
    /// Open now, until this time.
    Open { until: Time },
    /// Closed now, opens at this time today.
    Later { opens: Time },
    /// It was open today and is not any more, or has no hours today.
    Closed,
    /// Nothing is known.
    Unknown,
}

/// The codes of the days in entries, Monday first.
const DAYS: [&str; 7] = ["mo", "tu", "we", "th", "fr", "sa", "su"];
const DAYS_DE: [&str; 7] = ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"];
const DAYS_EN: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// What the office in this entry is doing at `now` (local time).
pub(crate) fn today(office: &serde_json::Map<String, Value>, now: DateTime) -> Today {
    if let Some(exception) = exception(office, now.date()) {
        let hours = span(exception);
        return match hours {
            Some(hours) if exception.get("closed") != Some(&Value::Bool(true)) => state(&[hours], now.time()),
            _ => Today::Closed,
        };
    }
    let rules = list(office, "opening_hours");
    if rules.is_empty() {
        return Today::Unknown;
    }
    let day = DAYS[index(now.weekday())];
    let spans: Vec<(Time, Time)> = rules.iter().filter(|rule| on_day(rule, day)).filter_map(span).collect();
    state(&spans, now.time())
}

/// The hours of each day that has any, Monday first: name of the day and its times.
pub(crate) fn week(office: &serde_json::Map<String, Value>, lang: Lang) -> Vec<(&'static str, String)> {
    let rules = list(office, "opening_hours");
    let names = lang.pick(DAYS_DE, DAYS_EN);
    let mut rows = Vec::new();
    for (day, name) in DAYS.into_iter().zip(names) {
        let mut parts: Vec<(Time, String)> = Vec::new();
        for rule in rules.iter().filter(|rule| on_day(rule, day)) {
            let Some((opens, closes)) = span(rule) else { continue };
            let note = text(rule.get("note"), lang);
            let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
            parts.push((opens, format!("{}–{}{note}", clock(opens), clock(closes))));
        }
        parts.sort();
        if !parts.is_empty() {
            rows.push((name, parts.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(", ")));
        }
    }
    rows
}

/// One short phrase for [`Today`]; empty if nothing is known.
pub(crate) fn phrase(today: &Today, lang: Lang) -> String {
    match today {
        Today::Open { until } => {
            let until = clock(*until);
            lang.pick(format!("jetzt geöffnet bis {until} Uhr"), format!("open now until {until}"))
        }
        Today::Later { opens } => {
            let opens = clock(*opens);
            lang.pick(format!("geschlossen, öffnet heute um {opens} Uhr"), format!("closed, opens today at {opens}"))
        }
        Today::Closed => lang.pick("heute geschlossen", "closed for today").to_owned(),
        Today::Unknown => String::new(),
    }
}

/// `08:00`; the end of the day is `24:00`.
pub(crate) fn clock(time: Time) -> String {
    if time == Time::MAX {
        return "24:00".to_owned();
    }
    format!("{:02}:{:02}", time.hour(), time.minute())
}

fn state(spans: &[(Time, Time)], now: Time) -> Today {
    if let Some((_, closes)) =
        spans.iter().filter(|(opens, closes)| *opens <= now && now < *closes).max_by_key(|span| span.1)
    {
        return Today::Open { until: *closes };
    }
    match spans.iter().map(|span| span.0).filter(|opens| *opens > now).min() {
        Some(opens) => Today::Later { opens },
        None => Today::Closed,
    }
}

fn list<'a>(office: &'a serde_json::Map<String, Value>, name: &str) -> &'a [Value] {
    office.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn on_day(rule: &Value, day: &str) -> bool {
    rule.get("days").and_then(Value::as_array).is_some_and(|days| days.iter().any(|given| given == day))
}

fn span(rule: &Value) -> Option<(Time, Time)> {
    let time = |name: &str| match rule.get(name)?.as_str()? {
        "24:00" => Some(Time::MAX),
        text => text.parse::<Time>().ok(),
    };
    Some((time("opens")?, time("closes")?))
}

fn exception(office: &serde_json::Map<String, Value>, date: Date) -> Option<&Value> {
    let day = |exception: &Value, name: &str| exception.get(name)?.as_str()?.parse::<Date>().ok();
    list(office, "opening_exceptions").iter().find(|exception| {
        let from = day(exception, "from");
        let until = day(exception, "until").or(from);
        from.is_some_and(|from| from <= date) && until.is_some_and(|until| date <= until)
    })
}

fn index(weekday: Weekday) -> usize {
    usize::try_from(weekday.to_monday_zero_offset()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn office() -> serde_json::Map<String, Value> {
        let office = json!({
            "opening_hours": [
                {"days": ["mo", "th"], "opens": "14:00", "closes": "18:00"},
                {"days": ["mo", "tu", "we", "th", "fr"], "opens": "08:00", "closes": "12:00", "note": {"de": "nur mit Termin"}},
            ],
            "opening_exceptions": [
                {"from": "2026-12-24", "until": "2026-12-31", "closed": true},
                {"from": "2026-07-06", "opens": "10:00", "closes": "11:00"},
            ],
        });
        office.as_object().cloned().expect("an object")
    }

    fn check(now: &str, expected: Today) {
        assert_eq!(today(&office(), now.parse().expect("a local time")), expected, "{now}");
    }

    fn at(time: &str) -> Time {
        time.parse().expect("a time")
    }

    #[test]
    fn open_means_within_a_span() {
        // 1 July 2026 is a Wednesday.
        check("2026-07-01T07:59:59", Today::Later { opens: at("08:00") });
        check("2026-07-01T08:00:00", Today::Open { until: at("12:00") });
        check("2026-07-01T12:00:00", Today::Closed);
        check("2026-07-02T13:00:00", Today::Later { opens: at("14:00") });
        check("2026-07-02T17:59:00", Today::Open { until: at("18:00") });
        check("2026-07-04T10:00:00", Today::Closed);
    }

    #[test]
    fn exceptions_come_first() {
        check("2026-12-24T09:00:00", Today::Closed);
        check("2026-07-06T10:30:00", Today::Open { until: at("11:00") });
        check("2026-07-06T15:00:00", Today::Closed);
    }

    #[test]
    fn the_day_may_end_at_midnight() {
        let night = json!({"opening_hours": [{"days": ["mo"], "opens": "18:00", "closes": "24:00"}]});
        let night = night.as_object().cloned().expect("an object");
        let late = today(&night, "2026-07-06T23:59:00".parse().expect("a local time"));
        assert_eq!(phrase(&late, Lang::De), "jetzt geöffnet bis 24:00 Uhr");
    }

    #[test]
    fn nothing_known_is_not_closed() {
        assert_eq!(today(&serde_json::Map::new(), "2026-07-01T10:00:00".parse().expect("a time")), Today::Unknown);
        assert_eq!(phrase(&Today::Unknown, Lang::De), "");
    }

    #[test]
    fn a_week_reads_in_order() {
        let week = week(&office(), Lang::De);
        assert_eq!(week.len(), 5);
        assert_eq!(week[0], ("Montag", "08:00–12:00 (nur mit Termin), 14:00–18:00".to_owned()));
        assert_eq!(phrase(&Today::Open { until: at("12:00") }, Lang::De), "jetzt geöffnet bis 12:00 Uhr");
    }
}
