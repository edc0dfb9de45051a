//! Calendar dates as people in the town hall mean them: days in Europe/Berlin.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A calendar date without a time zone.
pub type Date = jiff::civil::Date;

/// The time zone of every date in an entry.
pub const TIME_ZONE: &str = "Europe/Berlin";

/// The date in Europe/Berlin at `now` (milliseconds since 1970).
pub fn today(now: u64) -> Date {
    local(now).date()
}

/// Date and time of day in Europe/Berlin at `now` (milliseconds since 1970).
pub fn local(now: u64) -> DateTime {
    timestamp(now).to_zoned(berlin()).datetime()
}

/// Milliseconds since 1970 at the next midnight in Europe/Berlin after `now`.
pub fn next_midnight(now: u64) -> u64 {
    end_of(today(now))
}

/// Milliseconds since 1970 at the midnight in Europe/Berlin that ends this day.
pub fn end_of(day: Date) -> u64 {
    let tomorrow = day.tomorrow().unwrap_or(Date::MAX);
    tomorrow.to_zoned(berlin()).map_or(u64::MAX, |zoned| zoned.timestamp().as_millisecond().max(0).unsigned_abs())
}

/// Milliseconds since 1970 at this date and time of day in Europe/Berlin; of an hour that the clocks skip the one after it.
pub fn instant(local: DateTime) -> u64 {
    local.to_zoned(berlin()).map_or(u64::MAX, |zoned| zoned.timestamp().as_millisecond().max(0).unsigned_abs())
}

/// `now` (milliseconds since 1970) as RFC 3339 in UTC, to the second: `2026-06-08T10:15:00Z`.
pub fn rfc3339(now: u64) -> String {
    let seconds = timestamp(now).as_second();
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// An ISO 8601 date (`2027-01-01`); a date with a time is not one.
pub fn parse_date(text: &str) -> Option<Date> {
    (text.len() == 10).then(|| text.parse().ok()).flatten()
}

/// An RFC 3339 time with offset, as milliseconds since 1970.
pub fn parse_time(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(|time| time.as_millisecond())
}

fn timestamp(now: u64) -> Timestamp {
    i64::try_from(now).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX)
}

fn berlin() -> TimeZone {
    // The zone is compiled in (jiff feature `tzdb-bundle-always`).
    TimeZone::get(TIME_ZONE).unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW_YEAR_2027_UTC: u64 = 1_798_761_600_000;

    #[test]
    fn the_day_changes_at_midnight_in_berlin() {
        let hour = 3_600_000;
        assert_eq!(today(NEW_YEAR_2027_UTC - hour - 1).to_string(), "2026-12-31");
        assert_eq!(today(NEW_YEAR_2027_UTC - hour).to_string(), "2027-01-01");
        assert_eq!(next_midnight(NEW_YEAR_2027_UTC - 2 * hour), NEW_YEAR_2027_UTC - hour);
        assert_eq!(end_of(Date::constant(2026, 12, 31)), NEW_YEAR_2027_UTC - hour);
        assert_eq!(end_of(Date::constant(2026, 6, 30)), end_of(Date::constant(2026, 6, 29)) + 24 * hour);
        assert_eq!(rfc3339(NEW_YEAR_2027_UTC), "2027-01-01T00:00:00Z");
        assert_eq!(instant(local(NEW_YEAR_2027_UTC)), NEW_YEAR_2027_UTC);
        let skipped = jiff::civil::date(2027, 3, 28).at(2, 30, 0, 0);
        assert_eq!(local(instant(skipped)).to_string(), "2027-03-28T03:30:00");
    }

    #[test]
    fn dates_and_times_are_strict() {
        assert!(parse_date("2027-02-29").is_none());
        assert!(parse_date("2027-2-9").is_none());
        assert!(parse_date("2028-02-29").is_some());
        assert!(parse_time("2026-06-08").is_none());
        assert!(parse_time("2026-06-08T10:00:00+02:00").is_some());
        assert_eq!(today(u64::MAX).year(), 9999);
    }
}
