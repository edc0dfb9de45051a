//! Where a question is asked, and how local what is said there is.

use ortsnetz_model::Ars;

/// The place of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its key.
    pub ars: Ars,
    /// What it is. The key does not say: that of a town without a county looks like a county's.
    pub level: Level,
    /// The part of the municipality, by the name its profile gives it.
    pub district: Option<String>,
}

/// A level of the state, the most local first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A town or village.
    Municipality,
    /// Several of them that share an administration: Amt, Verbandsgemeinde, Samtgemeinde.
    Association,
    /// A county (Kreis).
    County,
    /// Regierungsbezirk.
    District,
    /// A state (Land).
    State,
    /// The whole country.
    Federation,
}

impl Level {
    /// A stable word for it, as in the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Municipality => "municipality",
            Self::Association => "association",
            Self::County => "county",
            Self::District => "district",
            Self::State => "state",
            Self::Federation => "federation",
        }
    }
}

/// Whether what is valid in this area is valid at the place; an area of zeros is the whole country.
pub fn covers(area: &Ars, place: &Ars) -> bool {
    is_country(area) || area.covers(place)
}

/// How local an area is, seen from a place it covers.
pub fn level(area: &Ars, place: &Place) -> Level {
    if *area == place.ars { place.level } else { level_of(area) }
}

/// The level a key looks like by its digits.
pub fn level_of(area: &Ars) -> Level {
    if is_country(area) {
        return Level::Federation;
    }
    match area.prefix().len() {
        2 => Level::State,
        3 => Level::District,
        5 => Level::County,
        9 => Level::Association,
        _ => Level::Municipality,
    }
}

fn is_country(area: &Ars) -> bool {
    area.as_str().bytes().all(|digit| digit == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ars(text: &str) -> Ars {
        text.parse().expect("an ARS")
    }

    #[test]
    fn a_town_without_a_county_is_a_town() {
        let town = |key: &str| Place { ars: ars(key), level: Level::Municipality, district: None };
        let (cologne, huerth) = (town("053150000000"), town("053620028028"));
        assert_eq!(level(&cologne.ars, &cologne), Level::Municipality);
        assert_eq!(level(&ars("053620000000"), &huerth), Level::County);
        assert_eq!(level(&ars("053620028000"), &huerth), Level::Association);
        assert_eq!(level(&ars("050000000000"), &cologne), Level::State);
        assert_eq!(level(&ars("000000000000"), &cologne), Level::Federation);
        assert_eq!(level(&ars("110000000000"), &town("110000000000")), Level::Municipality, "Berlin");
    }

    #[test]
    fn a_county_covers_its_towns_and_the_country_everything() {
        assert!(covers(&ars("053620000000"), &ars("053620028028")), "Rhein-Erft-Kreis and Hürth");
        assert!(!covers(&ars("053620000000"), &ars("053150000000")), "but not Köln");
        assert!(covers(&ars("000000000000"), &ars("053150000000")));
    }
}
