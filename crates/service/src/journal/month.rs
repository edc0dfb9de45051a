//! Months and quarters of an hour, in local time.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A month of a year: `2026-11`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(Date);

impl Month {
    /// The month a day is in.
    pub fn of(day: Date) -> Self {
        Self(day.first_of_month())
    }

    /// Its first day.
    pub fn first(self) -> Date {
        self.0
    }

    /// Its last day.
    pub fn last(self) -> Date {
        self.0.last_of_month()
    }

    /// How many days it has.
    pub fn days(self) -> i8 {
        self.0.days_in_month()
    }

    /// Its year.
    pub fn year(self) -> i16 {
        self.0.year()
    }

    /// The month after it.
    pub fn next(self) -> Self {
        Self(self.last().tomorrow().unwrap_or(self.0))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m"))
    }
}

impl FromStr for Month {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let day = (text.len() == 7).then(|| format!("{text}-01").parse().ok()).flatten();
        day.map(Self).ok_or_else(|| format!("{text:?} is no month; write it like 2026-11"))
    }
}

impl Serialize for Month {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Month {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A time as local time in Germany.
pub fn local(unix_ms: u64) -> DateTime {
    let second = i64::try_from(unix_ms / 1000).unwrap_or(i64::MAX);
    let berlin = TimeZone::get("Europe/Berlin").unwrap_or(TimeZone::UTC);
    jiff::Timestamp::from_second(second).unwrap_or(jiff::Timestamp::MAX).to_zoned(berlin).datetime()
}

/// The quarter of an hour a local time is in, as records write it: `2026-11-03T10:15`.
pub fn quarter(at: DateTime) -> String {
    format!("{}T{:02}:{:02}", at.date(), at.hour(), at.minute() / 15 * 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_has_one_form() {
        let month: Month = "2026-12".parse().expect("a month");
        assert_eq!(
            (month.to_string(), month.next().to_string(), month.days()),
            ("2026-12".into(), "2027-01".into(), 31)
        );
        assert_eq!((month.last().to_string(), month.year()), ("2026-12-31".into(), 2026));
        for odd in ["2026-13", "2026-1", "2026-11-01", "26-1101", ""] {
            assert!(odd.parse::<Month>().is_err(), "{odd}");
        }
    }

    #[test]
    fn times_are_those_of_germany_and_say_no_more_than_the_quarter() {
        // 30 November 2026, 23:59:59 UTC is December there already.
        let at = local(1_796_083_199_000);
        assert_eq!(quarter(at), "2026-12-01T00:45");
        assert_eq!(Month::of(at.date()).to_string(), "2026-12");
    }
}
