//! Urgent messages: where and for what they count, and until when.

use ortsnetz_model::dates::{self, Date};
use ortsnetz_model::{Ars, Entry};
use serde_json::Value;

use crate::places::covers;

/// How urgent a notice is, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Danger.
    Alarm,
    /// Something is not as usual.
    Warning,
    /// Good to know.
    Info,
}

impl Urgency {
    /// The word of DESIGN section 5.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Alarm => "alarm",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// What decides whether a notice is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Where it counts; the owner's place if it says nothing.
    pub area: Vec<Ars>,
    /// What for: LeiKa keys or their beginnings, codes of life events, words; empty for everything.
    pub topics: Vec<String>,
    /// From when on, in milliseconds since 1970.
    pub from: u64,
    /// Until when, in milliseconds since 1970; a date means the end of that day.
    pub until: u64,
    /// How urgent.
    pub urgency: Urgency,
}

impl Notice {
    /// Reads an entry of kind `notice`. One without a readable end counts for nothing: it would never go away.
    pub fn of(entry: &Entry, owner: Option<Ars>) -> Option<Self> {
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        let mut area = entry.places("area");
        if area.is_empty() {
            area = entry.valid_for();
        }
        if area.is_empty() {
            area.extend(owner);
        }
        Some(Self {
            area,
            topics: entry.list("topics").into_iter().map(str::to_owned).collect(),
            from: text("from").map_or(Some(0), |from| moment(from, begin_of))?,
            until: moment(text("until")?, dates::end_of)?,
            urgency: match text("urgency") {
                Some("alarm") => Urgency::Alarm,
                Some("info") => Urgency::Info,
                _ => Urgency::Warning,
            },
        })
    }

    /// Whether it is in force at `now`, in milliseconds since 1970: from its beginning on, until right before its end.
    pub fn in_force(&self, now: u64) -> bool {
        self.from <= now && now < self.until
    }

    /// Whether it counts at a place; without one everywhere.
    pub fn is_at(&self, place: Option<&Ars>) -> bool {
        place.is_none_or(|place| self.area.iter().any(|area| covers(area, place)))
    }

    /// Whether it is about a matter with these LeiKa keys, life events and words.
    pub fn is_about(&self, leika: &[&str], life_events: &[&str], words: &[&str]) -> bool {
        let about = |topic: &String| {
            let folded = topic.to_lowercase();
            leika.iter().any(|key| is_key(topic) && key.starts_with(topic.as_str()))
                || life_events.contains(&topic.as_str())
                || words.iter().any(|word| word.to_lowercase() == folded)
        };
        self.topics.is_empty() || self.topics.iter().any(about)
    }
}

/// The beginning of a LeiKa key: `99`, and at least a group.
fn is_key(topic: &str) -> bool {
    topic.len() >= 5 && topic.starts_with("99") && topic.bytes().all(|digit| digit.is_ascii_digit())
}

fn begin_of(date: Date) -> u64 {
    date.yesterday().map_or(0, dates::end_of)
}

/// A date or a time, in milliseconds since 1970.
fn moment(text: &str, of_day: impl Fn(Date) -> u64) -> Option<u64> {
    match dates::parse_date(text) {
        Some(date) => Some(of_day(date)),
        None => dates::parse_time(text).map(|time| time.max(0).unsigned_abs()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn notice(fields: Value) -> Option<Notice> {
        let mut value = json!({"kind": "notice", "title": {"de": "Heute geschlossen"}});
        value.as_object_mut().expect("an object").extend(fields.as_object().cloned().expect("an object"));
        Notice::of(&Entry::from_json(value).expect("an entry"), Some("053820060060".parse().expect("an ARS")))
    }

    fn at(text: &str) -> u64 {
        dates::parse_time(text).expect("a time").unsigned_abs()
    }

    #[test]
    fn it_ends_by_itself() {
        let dated = notice(json!({"from": "2026-07-06", "until": "2026-07-07"})).expect("a notice");
        for (moment, shown) in [
            ("2026-07-05T23:59:59+02:00", false),
            ("2026-07-06T00:00:00+02:00", true),
            ("2026-07-07T23:59:59+02:00", true),
            ("2026-07-08T00:00:00+02:00", false),
        ] {
            assert_eq!(dated.in_force(at(moment)), shown, "{moment}");
        }
        let timed = notice(json!({"until": "2026-07-06T12:00:00+02:00"})).expect("a notice");
        assert!(timed.in_force(at("2026-07-06T11:59:59+02:00")) && !timed.in_force(at("2026-07-06T12:00:00+02:00")));
        assert_eq!(notice(json!({})), None, "without an end it would stay for ever");
    }

    #[test]
    fn it_counts_where_and_for_what_it_says() {
        let town = notice(json!({"until": "2026-07-06"})).expect("a notice");
        let (siegburg, bonn) = ("053820060060".parse().expect("an ARS"), "053140000000".parse().expect("an ARS"));
        assert!(town.is_at(Some(&siegburg)) && !town.is_at(Some(&bonn)) && town.is_at(None));
        let county = notice(json!({"until": "2026-07-06", "area": ["053820000000"]})).expect("a notice");
        assert!(county.is_at(Some(&siegburg)) && !county.is_at(Some(&bonn)));
        assert!(town.is_about(&[], &[], &[]));
        let cars = notice(json!({"until": "2026-07-06", "topics": ["99036", "1090200", "Wunschkennzeichen", "99"]}))
            .expect("a notice");
        assert!(cars.is_about(&["99036012011000"], &[], &[]));
        assert!(cars.is_about(&[], &["1090200"], &[]));
        assert!(cars.is_about(&[], &[], &["wunschkennzeichen"]));
        assert!(!cars.is_about(&["99115005104001"], &["1050200"], &["Anmeldung"]), "99 alone would mean everything");
    }
}
