//! Is this office open, and until when: weekly hours, exceptions, public holidays, and the stops of an office that travels.

use jiff::Span;
use jiff::civil::{Date, DateTime, Time, Weekday};
use ortsnetz_model::Ars;
use serde_json::{Map, Value};

use crate::holidays::{DayName, day_name};

/// So many days after the day asked for are looked at for the next opening: a holiday between two weeks is bridged.
pub const LOOK_AHEAD_DAYS: i32 = 14;

/// The codes of the days in entries, Monday first.
const DAYS: [&str; 7] = ["mo", "tu", "we", "th", "fr", "sa", "su"];

/// What an office is doing at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Now {
    /// Open, until this time.
    Open {
        /// The end of the day is [`Time::MAX`].
        until: Time,
    },
    /// Closed, opens at this time of the same day.
    Later {
        /// When.
        opens: Time,
    },
    /// Closed for the day; opens at this time of one of the next [`LOOK_AHEAD_DAYS`], if it does.
    Closed {
        /// When.
        opens: Option<DateTime>,
    },
    /// Nothing is known.
    Unknown,
}

/// Why an office is closed although its weekly hours say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closed {
    /// It said so for this day, with these words (a map of languages).
    Exception(Option<Value>),
    /// A public holiday.
    Holiday(&'static str),
}

/// A time in which an office is open.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// From then on.
    pub opens: Time,
    /// Until then; the end of the day is [`Time::MAX`].
    pub closes: Time,
    /// What there is to say about it (a map of languages): only with an appointment.
    pub note: Option<Value>,
    /// Where an office that travels stands then.
    pub stop: Option<String>,
}

/// What is to be said of an office's hours at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// Open or not.
    pub now: Now,
    /// The hours of that day, in order.
    pub day: Vec<Slot>,
    /// Why it is closed that day.
    pub closed: Option<Closed>,
    /// That day is one on which many offices close early, and this one has not said what it does.
    pub doubt: Option<&'static str>,
}

impl Opening {
    /// The slot the answer is about: the one that is open, else the next of that day.
    pub fn slot(&self, at: Time) -> Option<&Slot> {
        self.day.iter().find(|slot| at < slot.closes)
    }
}

/// What the office in this entry is doing at `at` (local time). Its state decides which days are holidays: by its address,
/// else by where it is valid, else by `place`.
pub fn opening(office: &Map<String, Value>, at: DateTime, place: Option<&Ars>) -> Opening {
    let place = state(office).or(place.copied());
    let today = day(office, at.date(), place.as_ref());
    let doubt = today.as_ref().filter(|day| !day.said && !day.slots.is_empty()).and_then(|_| {
        match day_name(at.date(), place.as_ref()) {
            Some(DayName::Customary(name)) => Some(name),
            _ => None,
        }
    });
    let now = match &today {
        None => Now::Unknown,
        Some(day) => {
            now(&day.slots, at.time()).unwrap_or_else(|| Now::Closed { opens: next(office, at, place.as_ref()) })
        }
    };
    let (day, closed) = today.map(|day| (day.slots, day.closed)).unwrap_or_default();
    Opening { now, day, closed, doubt }
}

/// Open or opening later that day; `None` if neither. Slots that touch count as one.
fn now(slots: &[Slot], at: Time) -> Option<Now> {
    let mut until = slots.iter().filter(|slot| slot.opens <= at && at < slot.closes).map(|slot| slot.closes).max();
    while let Some(end) = until {
        let longer = slots.iter().filter(|slot| slot.opens <= end && slot.closes > end).map(|slot| slot.closes).max();
        if longer.is_none() {
            return Some(Now::Open { until: end });
        }
        until = longer;
    }
    slots.iter().map(|slot| slot.opens).filter(|opens| *opens > at).min().map(|opens| Now::Later { opens })
}

fn next(office: &Map<String, Value>, at: DateTime, place: Option<&Ars>) -> Option<DateTime> {
    (1..=LOOK_AHEAD_DAYS).find_map(|days| {
        let date = at.date().checked_add(Span::new().days(days)).ok()?;
        let opens = day(office, date, place)?.slots.into_iter().map(|slot| slot.opens).min()?;
        Some(date.to_datetime(opens))
    })
}

/// The hours of a day.
struct Day {
    slots: Vec<Slot>,
    closed: Option<Closed>,
    /// The office said what it does on this very day.
    said: bool,
}

/// The hours of a day: exceptions first, then the stops of that date, then holidays, then the week; `None` if nothing is known.
fn day(office: &Map<String, Value>, date: Date, place: Option<&Ars>) -> Option<Day> {
    if let Some(exception) = exception(office, date) {
        let open = exception.get("closed") != Some(&Value::Bool(true));
        let slots: Vec<Slot> = slot(exception).filter(|_| open).into_iter().collect();
        let closed = slots.is_empty().then(|| Closed::Exception(exception.get("note").cloned()));
        return Some(Day { slots, closed, said: true });
    }
    let (rules, stops) = (list(office, "opening_hours"), list(office, "stops"));
    if rules.is_empty() && stops.is_empty() {
        return None;
    }
    let dated: Vec<Slot> = stops.iter().filter(|stop| on_date(stop, date)).filter_map(slot).collect();
    if !dated.is_empty() {
        return Some(Day { slots: sorted(dated), closed: None, said: true });
    }
    let code = code_of(date);
    let weekly = stops.iter().filter(|stop| in_force(stop, date)).chain(rules).filter(|rule| on_day(rule, code));
    let slots: Vec<Slot> = weekly.filter_map(slot).collect();
    match day_name(date, place) {
        Some(DayName::Holiday(name)) if !slots.is_empty() => {
            Some(Day { slots: Vec::new(), closed: Some(Closed::Holiday(name)), said: false })
        }
        _ => Some(Day { slots: sorted(slots), closed: None, said: false }),
    }
}

/// `08:00`; the end of the day is `24:00`.
pub fn time_of_day(time: Time) -> String {
    if time == Time::MAX { "24:00".to_owned() } else { time.strftime("%H:%M").to_string() }
}

/// The code of a day of the week in entries: `mo` to `su`.
pub(crate) fn code_of(date: Date) -> &'static str {
    DAYS[index(date.weekday())]
}

/// The hours of each day of an ordinary week that has any: the number of the day, Monday 0, and its slots in order.
pub fn week(office: &Map<String, Value>) -> Vec<(usize, Vec<Slot>)> {
    let rules = list(office, "opening_hours");
    let day = |code: &str| sorted(rules.iter().filter(|rule| on_day(rule, code)).filter_map(slot).collect());
    DAYS.into_iter().map(day).enumerate().filter(|(_, slots)| !slots.is_empty()).collect()
}

fn sorted(mut slots: Vec<Slot>) -> Vec<Slot> {
    slots.sort_by_key(|slot| (slot.opens, slot.closes));
    slots
}

/// The place that says in which state an office lies.
fn state(office: &Map<String, Value>) -> Option<Ars> {
    let address = office.get("address").and_then(|address| address.get("ars"));
    let valid_for = office.get("valid_for").and_then(|places| places.get(0));
    address.or(valid_for).and_then(Value::as_str)?.parse().ok()
}

fn list<'a>(office: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    office.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn has(rule: &Value, field: &str, value: &str) -> bool {
    rule.get(field).and_then(Value::as_array).is_some_and(|list| list.iter().any(|given| given == value))
}

fn on_day(rule: &Value, code: &str) -> bool {
    has(rule, "days", code)
}

fn on_date(stop: &Value, date: Date) -> bool {
    has(stop, "dates", &date.to_string())
}

/// Whether a stop is served at all on this date.
fn in_force(stop: &Value, date: Date) -> bool {
    named_date(stop, "from").is_none_or(|from| from <= date)
        && named_date(stop, "until").is_none_or(|until| date <= until)
}

fn named_date(of: &Value, name: &str) -> Option<Date> {
    of.get(name)?.as_str()?.parse().ok()
}

fn slot(rule: &Value) -> Option<Slot> {
    let time = |name: &str| match rule.get(name)?.as_str()? {
        "24:00" => Some(Time::MAX),
        text => text.parse::<Time>().ok(),
    };
    let stop = rule.get("place").and_then(Value::as_str).map(str::to_owned);
    Some(Slot { opens: time("opens")?, closes: time("closes")?, note: rule.get("note").cloned(), stop })
}

fn exception(office: &Map<String, Value>, date: Date) -> Option<&Value> {
    list(office, "opening_exceptions").iter().find(|exception| {
        let from = named_date(exception, "from");
        let until = named_date(exception, "until").or(from);
        from.is_some_and(|from| from <= date) && until.is_some_and(|until| date <= until)
    })
}

fn index(weekday: Weekday) -> usize {
    usize::try_from(weekday.to_monday_zero_offset()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(office: Value) -> Map<String, Value> {
        office.as_object().cloned().expect("an object")
    }

    fn office() -> Map<String, Value> {
        map(json!({
            "opening_hours": [
                {"days": ["mo", "th"], "opens": "14:00", "closes": "18:00"},
                {"days": ["mo", "tu", "we", "th", "fr"], "opens": "08:00", "closes": "12:00", "note": {"de": "nur mit Termin"}},
            ],
            "opening_exceptions": [
                {"from": "2026-12-24", "until": "2026-12-31", "closed": true, "note": {"de": "Betriebsferien"}},
                {"from": "2026-07-06", "opens": "10:00", "closes": "11:00"},
            ],
        }))
    }

    /// An office in Köln.
    fn cologne() -> Map<String, Value> {
        map(json!({
            "address": {"ars": "053150000000"},
            "opening_hours": [{"days": ["mo", "tu", "we", "th", "fr"], "opens": "08:00", "closes": "16:00"}],
            "opening_exceptions": [{"from": "2026-12-31", "opens": "08:00", "closes": "11:00"}],
        }))
    }

    fn at(text: &str) -> DateTime {
        text.parse().expect("a local time")
    }

    fn time(text: &str) -> Time {
        text.parse().expect("a time")
    }

    fn check(moment: &str, expected: Now) {
        assert_eq!(opening(&office(), at(moment), None).now, expected, "{moment}");
    }

    fn closed_until(opens: &str) -> Now {
        Now::Closed { opens: Some(at(opens)) }
    }

    #[test]
    fn open_means_within_a_span() {
        // 1 July 2026 is a Wednesday.
        check("2026-07-01T07:59:59", Now::Later { opens: time("08:00") });
        check("2026-07-01T08:00:00", Now::Open { until: time("12:00") });
        check("2026-07-01T12:00:00", closed_until("2026-07-02T08:00"));
        check("2026-07-02T13:00:00", Now::Later { opens: time("14:00") });
        check("2026-07-02T17:59:00", Now::Open { until: time("18:00") });
        check("2026-07-04T10:00:00", closed_until("2026-07-06T10:00"));
    }

    #[test]
    fn exceptions_come_first() {
        check("2026-07-06T10:30:00", Now::Open { until: time("11:00") });
        check("2026-07-06T15:00:00", closed_until("2026-07-07T08:00"));
        // New Year is a holiday, and the days after it a weekend.
        check("2026-12-24T09:00:00", closed_until("2027-01-04T08:00"));
        let closed = opening(&office(), at("2026-12-24T09:00"), None);
        assert_eq!(closed.closed, Some(Closed::Exception(Some(json!({"de": "Betriebsferien"})))));
        assert_eq!(closed.doubt, None, "it said so itself");
    }

    #[test]
    fn the_days_on_which_cologne_is_not_as_usual() {
        let told = |moment: &str| opening(&cologne(), at(moment), None);
        let corpus_christi = told("2027-05-27T10:00");
        assert_eq!(corpus_christi.now, closed_until("2027-05-28T08:00"));
        assert_eq!(corpus_christi.closed, Some(Closed::Holiday("Fronleichnam")));
        let rose_monday = told("2027-02-08T10:00");
        assert_eq!(rose_monday.now, Now::Open { until: time("16:00") }, "it did not say otherwise");
        assert_eq!(rose_monday.doubt, Some("Rosenmontag"), "so the agent is warned");
        assert_eq!(told("2026-12-24T10:00").doubt, Some("Heiligabend"));
        let said = told("2026-12-31T10:00");
        assert_eq!((said.now, said.doubt), (Now::Open { until: time("11:00") }, None));
        assert_eq!(told("2027-02-06T10:00").doubt, None, "a Saturday, on which it is closed anyway");
    }

    #[test]
    fn the_place_of_the_question_counts_where_the_office_has_none() {
        let mut office = cologne();
        office.shift_remove("address");
        let moment = at("2027-05-27T10:00");
        let (berlin, bonn) = ("110000000000".parse().expect("an ARS"), "053140000000".parse().expect("an ARS"));
        assert_eq!(opening(&office, moment, Some(&berlin)).now, Now::Open { until: time("16:00") });
        assert_eq!(opening(&office, moment, Some(&bonn)).closed, Some(Closed::Holiday("Fronleichnam")));
    }

    #[test]
    fn a_bus_has_stops() {
        let bus = map(json!({"stops": [
            {"days": ["tu"], "opens": "09:00", "closes": "11:00", "place": "Kaldauen, Markt", "from": "2026-07-01"},
            {"days": ["tu"], "opens": "11:30", "closes": "13:00", "place": "Stallberg, Schule"},
            {"dates": ["2026-07-18"], "opens": "10:00", "closes": "14:00", "place": "Stadtfest"},
        ]}));
        let told = |moment: &str| opening(&bus, at(moment), None);
        let first = told("2026-07-07T09:30");
        assert_eq!(first.now, Now::Open { until: time("11:00") });
        assert_eq!(first.slot(time("09:30")).and_then(|slot| slot.stop.as_deref()), Some("Kaldauen, Markt"));
        let second = told("2026-07-07T11:10");
        assert_eq!(second.now, Now::Later { opens: time("11:30") });
        assert_eq!(second.slot(time("11:10")).and_then(|slot| slot.stop.as_deref()), Some("Stallberg, Schule"));
        assert_eq!(told("2026-06-30T09:30").now, Now::Later { opens: time("11:30") }, "the first stop began in July");
        assert_eq!(told("2026-07-18T10:30").now, Now::Open { until: time("14:00") }, "a date of its own");
        assert_eq!(told("2026-07-17T10:30").now, closed_until("2026-07-18T10:00"));
    }

    #[test]
    fn hours_that_touch_are_one() {
        let office = map(json!({"opening_hours": [
            {"days": ["we"], "opens": "08:00", "closes": "12:00"},
            {"days": ["we"], "opens": "12:00", "closes": "16:00", "note": {"de": "nur mit Termin"}},
        ]}));
        assert_eq!(opening(&office, at("2026-07-01T09:00"), None).now, Now::Open { until: time("16:00") });
    }

    #[test]
    fn the_next_opening_is_looked_for_two_weeks_ahead() {
        let closed = |until: &str| {
            let mut office = office();
            let days = json!([{"from": "2026-07-01", "until": until, "closed": true}]);
            office.insert("opening_exceptions".into(), days);
            opening(&office, at("2026-07-01T10:00"), None).now
        };
        assert_eq!(closed("2026-07-14"), closed_until("2026-07-15T08:00"), "the last of {LOOK_AHEAD_DAYS} days");
        assert_eq!(closed("2026-07-15"), Now::Closed { opens: None }, "further ahead nobody looks");
    }

    #[test]
    fn the_day_may_end_at_midnight_and_nothing_known_is_not_closed() {
        let night = map(json!({"opening_hours": [{"days": ["mo"], "opens": "18:00", "closes": "24:00"}]}));
        assert_eq!(opening(&night, at("2026-07-06T23:59"), None).now, Now::Open { until: Time::MAX });
        assert_eq!((time_of_day(Time::MAX), time_of_day(time("08:00"))), ("24:00".into(), "08:00".into()));
        let nothing = opening(&Map::new(), at("2026-12-24T10:00"), None);
        assert_eq!((nothing.now, nothing.doubt), (Now::Unknown, None));
    }

    #[test]
    fn a_week_reads_in_order() {
        let week = week(&office());
        assert_eq!(week.len(), 5);
        let monday: Vec<Time> = week[0].1.iter().map(|slot| slot.opens).collect();
        assert_eq!((week[0].0, monday), (0, vec![time("08:00"), time("14:00")]));
    }
}
