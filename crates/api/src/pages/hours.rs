//! Saying when an office is open.

use jiff::civil::{Date, Weekday};
use ortsnetz_service::{Closed, Now, Opening, Slot, time_of_day};
use serde_json::Value;

use super::lang::{Lang, text};

const DAYS_DE: [&str; 7] = ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"];
const DAYS_EN: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// The hours of each day that has any, Monday first: name of the day and its times.
pub(crate) fn week(office: &serde_json::Map<String, Value>, lang: Lang) -> Vec<(&'static str, String)> {
    let names = lang.pick(DAYS_DE, DAYS_EN);
    let line = |slots: &[Slot]| slots.iter().map(|slot| times(slot, lang)).collect::<Vec<_>>().join(", ");
    ortsnetz_service::week(office)
        .into_iter()
        .filter_map(|(day, slots)| Some((*names.get(day)?, line(&slots))))
        .collect()
}

fn times(slot: &Slot, lang: Lang) -> String {
    let note = text(slot.note.as_ref(), lang);
    let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
    format!("{}–{}{note}", time_of_day(slot.opens), time_of_day(slot.closes))
}

/// One short phrase for what an office is doing at a moment of the day `now`; empty if nothing is known.
pub(crate) fn phrase(opening: &Opening, now: Date, lang: Lang) -> String {
    let why = match &opening.closed {
        Some(Closed::Holiday(name)) => format!(" ({name})"),
        Some(Closed::Exception(note)) => match text(note.as_ref(), lang) {
            "" => String::new(),
            note => format!(" ({note})"),
        },
        None => String::new(),
    };
    let said = match &opening.now {
        Now::Open { until } => {
            let until = time_of_day(*until);
            lang.pick(format!("jetzt geöffnet bis {until} Uhr"), format!("open now until {until}"))
        }
        Now::Later { opens } => {
            let opens = time_of_day(*opens);
            lang.pick(
                format!("jetzt geschlossen, öffnet heute um {opens} Uhr"),
                format!("closed now, opens today at {opens}"),
            )
        }
        Now::Closed { opens: Some(opens) } => {
            let (day, time) = (day_name(opens.date(), now, lang), time_of_day(opens.time()));
            lang.pick(
                format!("jetzt geschlossen{why}, öffnet {day} um {time} Uhr"),
                format!("closed now{why}, opens {day} at {time}"),
            )
        }
        Now::Closed { opens: None } => format!("{}{why}", lang.pick("geschlossen", "closed")),
        Now::Unknown => return String::new(),
    };
    match opening.doubt {
        Some(day) => lang.pick(
            format!("{said}; {day}: vorher anrufen, viele Ämter schließen früher"),
            format!("{said}; {day}: call first, many offices close early"),
        ),
        None => said,
    }
}

/// The day of a code in entries, `mo`.
pub(crate) fn day_of(code: &str, lang: Lang) -> Option<&'static str> {
    let day = ["mo", "tu", "we", "th", "fr", "sa", "su"].into_iter().position(|known| known == code)?;
    lang.pick(DAYS_DE, DAYS_EN).get(day).copied()
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

fn index(weekday: Weekday) -> usize {
    usize::try_from(weekday.to_monday_zero_offset()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use jiff::civil::DateTime;
    use ortsnetz_service::opening;
    use serde_json::json;

    use super::*;

    fn office() -> serde_json::Map<String, Value> {
        let office = json!({
            "address": {"ars": "053150000000"},
            "opening_hours": [
                {"days": ["mo", "th"], "opens": "14:00", "closes": "18:00"},
                {"days": ["mo", "tu", "we", "th", "fr"], "opens": "08:00", "closes": "12:00", "note": {"de": "nur mit Termin"}},
            ],
            "opening_exceptions": [{"from": "2026-12-24", "until": "2026-12-31", "closed": true, "note": {"de": "Betriebsferien"}}],
        });
        office.as_object().cloned().expect("an object")
    }

    fn check(now: &str, lang: Lang, said: &str) {
        let now: DateTime = now.parse().expect("a local time");
        assert_eq!(phrase(&opening(&office(), now, None), now.date(), lang), said, "{now}");
    }

    #[test]
    fn the_next_opening_is_named_as_people_do() {
        check("2026-07-01T08:00", Lang::De, "jetzt geöffnet bis 12:00 Uhr");
        check("2026-07-01T07:00", Lang::De, "jetzt geschlossen, öffnet heute um 08:00 Uhr");
        check("2026-07-01T16:00", Lang::De, "jetzt geschlossen, öffnet morgen um 08:00 Uhr");
        check("2026-07-04T10:00", Lang::De, "jetzt geschlossen, öffnet am Montag um 08:00 Uhr");
        check(
            "2026-12-24T10:00",
            Lang::De,
            "jetzt geschlossen (Betriebsferien), öffnet am Montag, 4. Januar 2027, um 08:00 Uhr",
        );
        check("2027-05-27T10:00", Lang::De, "jetzt geschlossen (Fronleichnam), öffnet morgen um 08:00 Uhr");
        check("2027-05-27T10:00", Lang::En, "closed now (Fronleichnam), opens tomorrow at 08:00");
        check(
            "2027-02-08T10:00",
            Lang::De,
            "jetzt geöffnet bis 12:00 Uhr; Rosenmontag: vorher anrufen, viele Ämter schließen früher",
        );
    }

    #[test]
    fn nothing_known_says_nothing_and_closed_for_good_says_so() {
        let now: DateTime = "2026-07-01T10:00".parse().expect("a local time");
        assert_eq!(phrase(&opening(&serde_json::Map::new(), now, None), now.date(), Lang::De), "");
        let shut = json!({"opening_exceptions": [{"from": "2026-07-01", "closed": true}]});
        let shut = shut.as_object().cloned().expect("an object");
        assert_eq!(phrase(&opening(&shut, now, None), now.date(), Lang::De), "geschlossen");
    }

    #[test]
    fn a_week_reads_in_order() {
        let week = week(&office(), Lang::De);
        assert_eq!(week.len(), 5);
        assert_eq!(week[0], ("Montag", "08:00–12:00 (nur mit Termin), 14:00–18:00".to_owned()));
    }
}
