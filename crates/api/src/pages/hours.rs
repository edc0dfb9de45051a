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
    /// Closed for today; opens at this time of a later day, if one of the next [`LOOK_AHEAD_DAYS`].
    Closed { opens: Option<DateTime> },
    /// Nothing is known.
    Unknown,
}

/// The codes of the days in entries, Monday first.
const DAYS: [&str; 7] = ["mo", "tu", "we", "th", "fr", "sa", "su"];
const DAYS_DE: [&str; 7] = ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"];
const DAYS_EN: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// So many days after today are looked at for the next opening: a holiday between two weeks is bridged.
const LOOK_AHEAD_DAYS: i32 = 14;

/// What the office in this entry is doing at `now` (local time).
pub(crate) fn today(office: &serde_json::Map<String, Value>, now: DateTime) -> Today {
    let Some(hours) = hours_on(office, now.date()) else { return Today::Unknown };
    let open = hours.iter().filter(|(opens, closes)| *opens <= now.time() && now.time() < *closes);
    if let Some((_, closes)) = open.max_by_key(|span| span.1) {
        return Today::Open { until: *closes };
    }
    if let Some(opens) = hours.iter().map(|span| span.0).filter(|opens| *opens > now.time()).min() {
        return Today::Later { opens };
    }
    let opens = (1..=LOOK_AHEAD_DAYS).find_map(|days| {
        let date = now.date().checked_add(jiff::Span::new().days(days)).ok()?;
        let opens = hours_on(office, date)?.into_iter().map(|span| span.0).min()?;
        Some(date.to_datetime(opens))
    });
    Today::Closed { opens }
}

/// The hours of a day, from the exceptions first; `None` if nothing is known.
fn hours_on(office: &serde_json::Map<String, Value>, date: Date) -> Option<Vec<(Time, Time)>> {
    if let Some(exception) = exception(office, date) {
        let open = exception.get("closed") != Some(&Value::Bool(true));
        return Some(span(exception).filter(|_| open).into_iter().collect());
    }
    let rules = list(office, "opening_hours");
    let day = DAYS[index(date.weekday())];
    (!rules.is_empty()).then(|| rules.iter().filter(|rule| on_day(rule, day)).filter_map(span).collect())
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

/// One short phrase for [`Today`] on the day `now`; empty if nothing is known.
pub(crate) fn phrase(today: &Today, now: Date, lang: Lang) -> String {
    match today {
        Today::Open { until } => {
            let until = clock(*until);
            lang.pick(format!("jetzt geöffnet bis {until} Uhr"), format!("open now until {until}"))
        }
        Today::Later { opens } => {
            let opens = clock(*opens);
            lang.pick(
                format!("jetzt geschlossen, öffnet heute um {opens} Uhr"),
                format!("closed now, opens today at {opens}"),
            )
        }
        Today::Closed { opens: Some(opens) } => {
            let (day, time) = (day_name(opens.date(), now, lang), clock(opens.time()));
            lang.pick(
                format!("jetzt geschlossen, öffnet {day} um {time} Uhr"),
                format!("closed now, opens {day} at {time}"),
            )
        }
        Today::Closed { opens: None } => lang.pick("geschlossen", "closed").to_owned(),
        Today::Unknown => String::new(),
    }
}

/// A day as said today: tomorrow, a day of the week, or a date.
fn day_name(date: Date, today: Date, lang: Lang) -> String {
    let name = lang.pick(DAYS_DE, DAYS_EN)[index(date.weekday())];
    match today.until(date).map(|span| span.get_days()) {
        Ok(1) => lang.pick("morgen", "tomorrow").to_owned(),
        Ok(2..=6) => lang.pick(format!("am {name}"), format!("on {name}")),
        _ => {
            let date = super::format::date(date, lang);
            lang.pick(format!("am {name}, {date},"), format!("on {name}, {date},"))
        }
    }
}

/// `08:00`; the end of the day is `24:00`.
pub(crate) fn clock(time: Time) -> String {
    if time == Time::MAX {
        return "24:00".to_owned();
    }
    format!("{:02}:{:02}", time.hour(), time.minute())
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

    fn closed_until(opens: &str) -> Today {
        Today::Closed { opens: Some(opens.parse().expect("a local time")) }
    }

    #[test]
    fn the_next_opening_is_named_as_people_do() {
        let said = |now: &str, lang| {
            let now: DateTime = now.parse().expect("a local time");
            phrase(&today(&office(), now), now.date(), lang)
        };
        assert_eq!(said("2026-07-01T16:00", Lang::De), "jetzt geschlossen, öffnet morgen um 08:00 Uhr");
        assert_eq!(said("2026-07-04T10:00", Lang::De), "jetzt geschlossen, öffnet am Montag um 10:00 Uhr");
        assert_eq!(
            said("2026-12-24T10:00", Lang::De),
            "jetzt geschlossen, öffnet am Freitag, 1. Januar 2027, um 08:00 Uhr"
        );
        assert_eq!(said("2026-12-24T10:00", Lang::En), "closed now, opens on Friday, 1 January 2027, at 08:00");
        let closed = |until: &str| {
            let mut office = office();
            let days = json!([{"from": "2026-07-01", "until": until, "closed": true}]);
            office.insert("opening_exceptions".into(), days);
            today(&office, "2026-07-01T10:00".parse().expect("a local time"))
        };
        let last = Date::constant(2026, 7, 1).checked_add(jiff::Span::new().days(LOOK_AHEAD_DAYS)).expect("a date");
        assert_eq!(closed("2026-07-14"), Today::Closed { opens: Some(last.to_datetime(at("08:00"))) });
        assert_eq!(closed("2026-07-15"), Today::Closed { opens: None }, "further ahead nobody looks");
        let shut = json!({"opening_exceptions": [{"from": "2026-07-01", "closed": true}]});
        let shut = shut.as_object().cloned().expect("an object");
        let now: DateTime = "2026-07-01T10:00".parse().expect("a local time");
        assert_eq!(phrase(&today(&shut, now), now.date(), Lang::De), "geschlossen");
    }

    fn at(time: &str) -> Time {
        time.parse().expect("a time")
    }

    #[test]
    fn open_means_within_a_span() {
        // 1 July 2026 is a Wednesday.
        check("2026-07-01T07:59:59", Today::Later { opens: at("08:00") });
        check("2026-07-01T08:00:00", Today::Open { until: at("12:00") });
        check("2026-07-01T12:00:00", closed_until("2026-07-02T08:00"));
        check("2026-07-02T13:00:00", Today::Later { opens: at("14:00") });
        check("2026-07-02T17:59:00", Today::Open { until: at("18:00") });
        check("2026-07-04T10:00:00", closed_until("2026-07-06T10:00"));
    }

    #[test]
    fn exceptions_come_first() {
        check("2026-12-24T09:00:00", closed_until("2027-01-01T08:00"));
        check("2026-07-06T10:30:00", Today::Open { until: at("11:00") });
        check("2026-07-06T15:00:00", closed_until("2026-07-07T08:00"));
    }

    #[test]
    fn the_day_may_end_at_midnight() {
        let date = Date::constant(2026, 7, 6);
        let night = json!({"opening_hours": [{"days": ["mo"], "opens": "18:00", "closes": "24:00"}]});
        let night = night.as_object().cloned().expect("an object");
        let late = today(&night, "2026-07-06T23:59:00".parse().expect("a local time"));
        assert_eq!(phrase(&late, date, Lang::De), "jetzt geöffnet bis 24:00 Uhr");
    }

    #[test]
    fn nothing_known_is_not_closed() {
        let date = Date::constant(2026, 7, 6);
        assert_eq!(today(&serde_json::Map::new(), "2026-07-01T10:00:00".parse().expect("a time")), Today::Unknown);
        assert_eq!(phrase(&Today::Unknown, date, Lang::De), "");
    }

    #[test]
    fn a_week_reads_in_order() {
        let date = Date::constant(2026, 7, 6);
        let week = week(&office(), Lang::De);
        assert_eq!(week.len(), 5);
        assert_eq!(week[0], ("Montag", "08:00–12:00 (nur mit Termin), 14:00–18:00".to_owned()));
        assert_eq!(phrase(&Today::Open { until: at("12:00") }, date, Lang::De), "jetzt geöffnet bis 12:00 Uhr");
    }
}
