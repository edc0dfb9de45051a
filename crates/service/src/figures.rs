//! Figures of a month: folds over contacts, follow-ups and calls. None is about an agent: no record says who one was.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, DateTime};
use serde::{Serialize, Serializer};

use crate::agreement::{ServiceHours, Targets};
use crate::hours::code_of;
use crate::journal::{Contact, Month, Record, Topic};

/// Fewer than so many are not told apart.
pub const SMALL_BELOW: u64 = 5;
/// A follow-up is looked after for so many days at most.
const FOLLOW_UP_DAYS_MAX: usize = 400;

/// A number that may be too small to be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(pub u64);

impl Count {
    /// Whether it is told as `< 5`.
    pub const fn is_small(self) -> bool {
        self.0 > 0 && self.0 < SMALL_BELOW
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_small() { write!(f, "< {SMALL_BELOW}") } else { write!(f, "{}", self.0) }
    }
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_small() { serializer.collect_str(self) } else { serializer.serialize_u64(self.0) }
    }
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Of which it is so.
    pub part: u64,
    /// Of all these.
    pub of: u64,
}

impl Share {
    /// In percent, half a percent up; `None` if it is a share of too few to be told.
    pub const fn percent(self) -> Option<u64> {
        if self.of < SMALL_BELOW { None } else { Some((200 * self.part + self.of) / (2 * self.of)) }
    }
}

/// The figures of one month with one partner in one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Contacts that count.
    pub contacts: u64,
    /// How long they took together.
    pub seconds: u64,
    /// Contacts that were reversed.
    pub reversed: u64,
    /// By how they ended.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// By how they came.
    pub channels: BTreeMap<&'static str, u64>,
    /// By topic: a contact counts at each of its topics once.
    pub topics: BTreeMap<Topic, u64>,
    /// By place, an ARS.
    pub places: BTreeMap<String, u64>,
    /// Answered at once, of all questions.
    pub first_contact: Share,
    /// Follow-ups.
    pub follow_ups: FollowUps,
    /// Calls; `None` if nobody measured them.
    pub calls: Option<Calls>,
}

/// What had to be done after contacts of the month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FollowUps {
    /// All of them.
    pub made: u64,
    /// Done so far.
    pub done: u64,
    /// Done in time, of those that are done or overdue.
    pub in_time: Share,
}

/// Calls of the month, as the telephone system saw them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// All that were offered.
    pub offered: u64,
    /// Given up before anybody took them.
    pub lost: u64,
    /// Taken within the seconds of the target, of all.
    pub in_time: Share,
    /// How long all waited together.
    pub waited: u64,
}

/// What the figures are measured against.
#[derive(Clone, Debug, Default)]
pub struct Promise<'a> {
    /// As agreed.
    pub targets: Option<&'a Targets>,
    /// Hours in which a follow-up waits; always if empty.
    pub service_hours: &'a [ServiceHours],
}

/// Taken within so many seconds, if nothing was agreed.
pub const ACCEPTED_SECONDS: u16 = 30;
/// Answered within so many service hours, if nothing was agreed.
pub const ANSWER_HOURS: u16 = 24;

/// Folds the records of whoever answered, and the follow-ups that either side ticked off. `now` is local.
pub fn figures<'a>(
    month: Month,
    records: impl IntoIterator<Item = &'a Record>,
    others: impl IntoIterator<Item = &'a Record>,
    promise: &Promise<'_>,
    now: DateTime,
) -> Figures {
    let mut contacts: BTreeMap<&str, &Contact> = BTreeMap::new();
    let mut reversed: BTreeSet<&str> = BTreeSet::new();
    let mut done: BTreeMap<&str, &str> = BTreeMap::new();
    let mut calls: BTreeMap<&str, &crate::journal::Call> = BTreeMap::new();
    let mut tick = |record: &'a Record| {
        if let Record::Done(tick) = record {
            let known = done.entry(&tick.contact).or_insert(&tick.made);
            *known = (*known).min(&tick.made);
        }
    };
    others.into_iter().for_each(&mut tick);
    for record in records {
        tick(record);
        if record.month() != Some(month) {
            continue;
        }
        match record {
            Record::Contact(contact) => drop(contacts.insert(&contact.id, contact)),
            Record::Reversal(reversal) => drop(reversed.insert(&reversal.contact)),
            Record::Call(call) => drop(calls.insert(&call.id, call)),
            _ => {}
        }
    }
    let mut figures = Figures::default();
    for (id, contact) in contacts {
        if reversed.contains(id) {
            figures.reversed += 1;
            continue;
        }
        figures.add(contact);
        if contact.outcome.is_followed_up() {
            figures.follow_ups.add(contact, done.get(id).copied(), promise, now);
        }
    }
    let seconds = promise.targets.map_or(ACCEPTED_SECONDS, |targets| targets.accepted_seconds);
    for call in calls.into_values() {
        let sums = figures.calls.get_or_insert_default();
        sums.offered += 1;
        sums.waited += u64::from(call.waited);
        sums.in_time.of += 1;
        match call.talked {
            None => sums.lost += 1,
            Some(_) => sums.in_time.part += u64::from(call.waited <= u32::from(seconds)),
        }
    }
    figures
}

impl Figures {
    fn add(&mut self, contact: &Contact) {
        self.contacts += 1;
        self.seconds += u64::from(contact.seconds);
        *self.outcomes.entry(contact.outcome.word()).or_default() += 1;
        *self.channels.entry(contact.channel.word()).or_default() += 1;
        // The version that was shown is not part of the topic.
        let bare = |text: &String| {
            Topic::read(text).map(|topic| match topic {
                Topic::Entry(id, _) => Topic::Entry(id, None),
                other => other,
            })
        };
        let topics: BTreeSet<Topic> = contact.topics.iter().filter_map(bare).collect();
        for topic in topics {
            *self.topics.entry(topic).or_default() += 1;
        }
        if let Some(place) = &contact.place {
            *self.places.entry(place.clone()).or_default() += 1;
        }
        if contact.outcome.is_question() {
            self.first_contact.of += 1;
            self.first_contact.part += u64::from(contact.outcome == crate::journal::Outcome::Answered);
        }
    }
}

impl FollowUps {
    fn add(&mut self, contact: &Contact, done: Option<&str>, promise: &Promise<'_>, now: DateTime) {
        self.made += 1;
        self.done += u64::from(done.is_some());
        let due = due(contact.time(), promise);
        let ended: Option<DateTime> = done.and_then(|done| done.parse().ok());
        if ended.is_some() || now > due {
            self.in_time.of += 1;
            self.in_time.part += u64::from(ended.is_some_and(|ended| ended <= due));
        }
    }
}

/// Until when a follow-up from this local time on is to be done: the hours of the target, counted within the service hours.
pub fn due(from: DateTime, promise: &Promise<'_>) -> DateTime {
    let hours = promise.targets.map_or(ANSWER_HOURS, |targets| targets.answer_hours);
    let mut left = i64::from(hours) * 60;
    let mut day = from.date();
    for _ in 0..FOLLOW_UP_DAYS_MAX {
        for (opens, closes) in open_minutes(promise.service_hours, day) {
            let begin = if day == from.date() { opens.max(minute_of(from)) } else { opens };
            let open = (closes - begin).max(0);
            if open > 0 && left <= open {
                let at = begin + left;
                let midnight = day.at(0, 0, 0, 0);
                return midnight.checked_add(jiff::Span::new().minutes(at)).unwrap_or(DateTime::MAX);
            }
            left -= open;
        }
        let Ok(next) = day.tomorrow() else { break };
        day = next;
    }
    DateTime::MAX
}

fn minute_of(at: DateTime) -> i64 {
    i64::from(at.hour()) * 60 + i64::from(at.minute())
}

/// The minutes of a day from and until which calls are taken, in order, overlaps joined.
fn open_minutes(hours: &[ServiceHours], day: Date) -> Vec<(i64, i64)> {
    const DAY: i64 = 24 * 60;
    if hours.is_empty() {
        return vec![(0, DAY)];
    }
    let minutes = |text: &str| -> Option<i64> {
        let (hour, minute) = text.split_once(':')?;
        Some(hour.parse::<i64>().ok()? * 60 + minute.parse::<i64>().ok()?)
    };
    let code = code_of(day);
    let today = hours.iter().filter(|hours| hours.days.iter().any(|known| known == code));
    let mut all: Vec<(i64, i64)> =
        today.filter_map(|hours| Some((minutes(&hours.opens)?, minutes(&hours.closes)?.min(DAY)))).collect();
    all.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::new();
    for (opens, closes) in all {
        match joined.last_mut() {
            Some(last) if opens <= last.1 => last.1 = last.1.max(closes),
            _ => joined.push((opens, closes)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn record(value: Value) -> Record {
        Record::read(&value).unwrap_or_else(|| panic!("a record: {value}"))
    }

    fn contact(number: u32, outcome: &str, more: Value) -> Record {
        let mut value = json!({"record": "contact", "id": format!("{number:032x}"), "at": "2026-11-03T10:15",
            "seconds": 60, "channel": "phone", "outcome": outcome});
        for (name, field) in more.as_object().into_iter().flatten() {
            value[name] = field.clone();
        }
        record(value)
    }

    fn fold(records: &[Record], others: &[Record]) -> Figures {
        let now = "2026-11-30T12:00".parse().expect("a time");
        figures("2026-11".parse().expect("a month"), records, others, &Promise::default(), now)
    }

    #[test]
    fn small_numbers_are_not_told_and_none_is_none() {
        let told = |number| serde_json::to_string(&Count(number)).expect("JSON");
        assert_eq!([told(0), told(1), told(4), told(5)], ["0", "\"< 5\"", "\"< 5\"", "5"]);
        assert_eq!(Share { part: 4, of: 4 }.percent(), None);
        assert_eq!(Share { part: 4, of: 5 }.percent(), Some(80));
        assert_eq!(Share { part: 1, of: 8 }.percent(), Some(13));
    }

    #[test]
    fn a_contact_counts_once_and_at_each_of_its_topics_once() {
        let (dog, shown) = ("leika:99102013060000", format!("entry:{}@00112233", "0a".repeat(16)));
        let later = format!("entry:{}@44556677", "0a".repeat(16));
        let records = [
            contact(1, "answered", json!({"topics": [dog, shown], "place": "053820060060"})),
            contact(1, "answered", json!({"topics": [dog, shown], "place": "053820060060"})),
            contact(2, "gave_up", json!({"topics": [later], "channel": "chat"})),
            contact(3, "forwarded", json!({"at": "2026-10-31T23:45"})),
            contact(4, "answered", json!({})),
            record(json!({"record": "reversal", "id": "0b".repeat(16), "contact": format!("{:032x}", 4),
                "at": "2026-11-03T10:15", "made": "2026-11-05T10:15", "reason": "doppelt"})),
        ];
        let figures = fold(&records, &[]);
        assert_eq!((figures.contacts, figures.reversed, figures.seconds), (2, 1, 120));
        assert_eq!(figures.outcomes, BTreeMap::from([("answered", 1), ("gave_up", 1)]));
        assert_eq!(figures.channels, BTreeMap::from([("chat", 1), ("phone", 1)]));
        assert_eq!(figures.topics[&Topic::read(&"0a".repeat(16)).expect("a topic")], 2, "whatever version was shown");
        assert_eq!(figures.first_contact, Share { part: 1, of: 1 }, "whoever gave up did not ask");
        assert_eq!(figures.calls, None, "nobody measured");
    }

    #[test]
    fn follow_ups_are_in_time_if_done_within_the_service_hours_agreed() {
        let done = |number: u32, made: &str| {
            record(
                json!({"record": "done", "id": format!("{:032x}", 100 + number), "contact": format!("{number:032x}"),
                "at": "2026-11-03T10:15", "made": made}),
            )
        };
        let records: Vec<Record> = (1..=4).map(|number| contact(number, "forwarded", json!({}))).collect();
        let ticks = [done(1, "2026-11-04T10:15"), done(2, "2026-11-04T10:30"), done(2, "2026-11-09T10:30")];
        let figures = fold(&records, &ticks);
        assert_eq!(figures.follow_ups, FollowUps { made: 4, done: 2, in_time: Share { part: 1, of: 4 } });
    }

    #[test]
    fn the_time_for_a_follow_up_runs_while_calls_are_taken() {
        let week = |days: &[&str], opens: &str, closes: &str| ServiceHours {
            days: days.iter().map(|day| (*day).to_owned()).collect(),
            opens: opens.into(),
            closes: closes.into(),
        };
        let targets =
            Targets { accepted_percent: 75, accepted_seconds: 30, first_contact_percent: 65, answer_hours: 24 };
        let hours = [week(&["mo", "tu", "we", "th", "fr"], "08:00", "18:00"), week(&["fr"], "12:00", "16:00")];
        let promise = Promise { targets: Some(&targets), service_hours: &hours };
        // 2026-11-27 is a Friday.
        for (from, until) in [
            ("2026-11-27T16:00", "2026-12-02T10:00"),
            ("2026-11-27T19:00", "2026-12-02T12:00"),
            ("2026-11-28T09:00", "2026-12-02T12:00"),
        ] {
            assert_eq!(due(from.parse().expect("a time"), &promise), until.parse().expect("a time"), "{from}");
        }
        assert_eq!(
            due("2026-11-28T09:00".parse().expect("a time"), &Promise::default()),
            "2026-11-29T09:00".parse().expect("a time")
        );
        let never = Promise { targets: Some(&targets), service_hours: &[week(&["xx"], "08:00", "18:00")] };
        assert_eq!(due("2026-11-28T09:00".parse().expect("a time"), &never), DateTime::MAX);
    }

    #[test]
    fn calls_say_how_long_people_waited_and_how_many_gave_up() {
        let call = |number: u32, waited: u32, talked: Option<u32>| {
            record(
                json!({"record": "call", "id": format!("{number:032x}"), "at": "2026-11-03T10:15", "line": "+4922411020",
                "waited": waited, "talked": talked}),
            )
        };
        let figures = fold(&[call(1, 30, Some(100)), call(2, 31, Some(5)), call(3, 10, None)], &[]);
        let expected = Calls { offered: 3, lost: 1, in_time: Share { part: 1, of: 3 }, waited: 71 };
        assert_eq!(figures.calls, Some(expected));
    }
}
