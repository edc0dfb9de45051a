//! The days on which offices are closed though it is no Sunday.

use chrono::{Datelike as _, NaiveDate};
use holiday_de::{DateExt as _, GermanHoliday, GermanRegion};
use jiff::civil::Date;
use ortsnetz_model::Ars;

/// A day with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayName {
    /// A public holiday in the state: offices are closed unless they say otherwise.
    Holiday(&'static str),
    /// No holiday by law, but many offices close early or all day: whoever has not said so must be asked.
    Customary(&'static str),
}

/// Days between Rosenmontag and the Tuesday that the library knows.
const BEFORE_SHROVE_TUESDAY: i64 = 1;

/// What the day is called in the state of this place, if it is a public holiday there or one of those on which offices often
/// close: Rosenmontag and the Thursday before it where carnival is kept (Nordrhein-Westfalen, Rheinland-Pfalz, Hessen,
/// Saarland), Shrove Tuesday there and in the south, 24 and 31 December everywhere.
///
/// Of holidays that hold in a part of a state only, Mariä Himmelfahrt counts in all of Bavaria (as it does in most of its
/// municipalities) and Fronleichnam nowhere in Saxony and Thuringia: an exception in the office's hours corrects that.
pub fn day_name(date: Date, place: Option<&Ars>) -> Option<DayName> {
    let day = chrono_date(date)?;
    let region = place.and_then(region);
    if let Some(holiday) = region.and_then(|region| day.public_holiday_in(region)).or_else(|| everywhere(day)) {
        return Some(DayName::Holiday(holiday.description()));
    }
    let custom = |holiday: GermanHoliday, before: i64| {
        holiday.date(day.year()).and_then(|tuesday| tuesday.checked_sub_signed(chrono::Duration::days(before)))
            == Some(day)
    };
    let carnival = matches!(
        region,
        Some(
            GermanRegion::NordrheinWestfalen
                | GermanRegion::RheinlandPfalz
                | GermanRegion::Hessen
                | GermanRegion::Saarland
        )
    );
    let south = matches!(region, Some(GermanRegion::BadenWuerttemberg | GermanRegion::Bayern));
    [
        ("Weiberfastnacht", carnival, GermanHoliday::Faschingsdienstag, 5),
        ("Rosenmontag", carnival, GermanHoliday::Faschingsdienstag, BEFORE_SHROVE_TUESDAY),
        ("Faschingsdienstag", carnival || south, GermanHoliday::Faschingsdienstag, 0),
        ("Heiligabend", true, GermanHoliday::Heiligabend, 0),
        ("Silvester", true, GermanHoliday::Silvester, 0),
    ]
    .into_iter()
    .find(|(_, kept, holiday, before)| *kept && custom(*holiday, *before))
    .map(|(name, ..)| DayName::Customary(name))
}

/// Holidays of all states, for a place whose state is not known: those of a state that has no others.
fn everywhere(day: NaiveDate) -> Option<GermanHoliday> {
    day.public_holiday_in(GermanRegion::Hessen).filter(|holiday| *holiday != GermanHoliday::Fronleichnam)
}

/// The state of a key, in the order of its numbers.
fn region(place: &Ars) -> Option<GermanRegion> {
    use GermanRegion as R;
    const STATES: [GermanRegion; 16] = [
        R::SchleswigHolstein,
        R::Hamburg,
        R::Niedersachsen,
        R::Bremen,
        R::NordrheinWestfalen,
        R::Hessen,
        R::RheinlandPfalz,
        R::BadenWuerttemberg,
        R::Bayern,
        R::Saarland,
        R::Berlin,
        R::Brandenburg,
        R::MechlenburgVorpommern,
        R::Sachsen,
        R::SachsenAnhalt,
        R::Thueringen,
    ];
    let number: usize = place.as_str().get(..2)?.parse().ok()?;
    STATES.get(number.checked_sub(1)?).copied()
}

fn chrono_date(date: Date) -> Option<NaiveDate> {
    let month_and_day = (u32::try_from(date.month()).ok()?, u32::try_from(date.day()).ok()?);
    NaiveDate::from_ymd_opt(date.year().into(), month_and_day.0, month_and_day.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(day: &str, place: &str, name: Option<DayName>) {
        let place: Ars = place.parse().expect("an ARS");
        assert_eq!(day_name(day.parse().expect("a date"), Some(&place)), name, "{day} at {place}");
    }

    #[test]
    fn holidays_are_those_of_the_state() {
        let (cologne, munich, berlin) = ("053150000000", "091620000000", "110000000000");
        check("2027-05-27", cologne, Some(DayName::Holiday("Fronleichnam")));
        check("2027-05-27", berlin, None);
        check("2027-11-01", cologne, Some(DayName::Holiday("Allerheiligen")));
        check("2027-01-06", cologne, None);
        check("2027-01-06", munich, Some(DayName::Holiday("Heilige Drei Könige")));
        check("2028-06-17", berlin, Some(DayName::Holiday("17. Juni")));
        check("2027-03-26", cologne, Some(DayName::Holiday("Karfreitag")));
    }

    #[test]
    fn carnival_is_kept_where_it_is_kept() {
        let (cologne, munich, berlin) = ("053150000000", "091620000000", "110000000000");
        check("2027-02-08", cologne, Some(DayName::Customary("Rosenmontag")));
        check("2027-02-04", cologne, Some(DayName::Customary("Weiberfastnacht")));
        check("2027-02-08", berlin, None);
        check("2027-02-09", munich, Some(DayName::Customary("Faschingsdienstag")));
        check("2026-12-24", berlin, Some(DayName::Customary("Heiligabend")));
        check("2026-12-31", cologne, Some(DayName::Customary("Silvester")));
        check("2026-12-30", cologne, None);
    }

    #[test]
    fn without_a_state_only_what_holds_everywhere_counts() {
        let day = |day: &str| day_name(day.parse().expect("a date"), None);
        assert_eq!(day("2026-12-25"), Some(DayName::Holiday("Erster Weihnachtsfeiertag")));
        assert_eq!(day("2027-05-27"), None);
    }
}
