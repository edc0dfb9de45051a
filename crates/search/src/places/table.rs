//! The table itself: rows, lookups, and the compact form that is stored and passed on.

use std::collections::{BTreeMap, HashSet};

use ortsnetz_model::Ars;
use serde::{Deserialize, Serialize};

use super::former::{FormerKey, FormerKeys};
use super::{District, Place, PlaceError, PlaceKind, built_in};
use crate::fold;
use crate::limits::{DISTRICTS_MAX, PLACE_CHARS_MAX, PLACES_MAX, POSTAL_CODES_MAX};

/// The table. Serialises compactly (about 60 bytes a municipality) and rebuilds its lookups when read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Packed", into = "Packed")]
pub struct Places {
    /// Municipalities, counties and states, sorted by key.
    pub(super) rows: Vec<Row>,
    /// Each word of each name and its row, sorted.
    pub(super) words: Vec<(Box<str>, u32)>,
    /// Each postal code and its row, sorted.
    pub(super) postal_codes: Vec<(u32, u32)>,
    /// Parts of municipalities.
    pub(super) districts: Vec<DistrictRow>,
    /// Keys that are in use no more.
    pub(super) former: FormerKeys,
}

/// A place of the table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub ars: Ars,
    pub kind: PlaceKind,
    pub name: Box<str>,
    /// What follows the name in the official list: `Stadt`.
    pub addition: Box<str>,
    pub former_names: Vec<Box<str>>,
    pub postal_codes: Vec<u32>,
    pub inhabitants: u32,
    pub lon_lat: Option<(f64, f64)>,
    pub county: Box<str>,
    pub state: Box<str>,
    /// The name, folded.
    pub folded: Box<str>,
    /// How many of its words are in use alone: `Frankfurt` of `Frankfurt am Main`.
    pub head: usize,
    /// Everything else that may stand beside the name: addition, county, state; folded.
    pub context: Box<str>,
}

/// A part of a municipality.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DistrictRow {
    pub ars: Ars,
    pub district: District,
    pub folded: Box<str>,
}

/// A municipality as it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Municipality(
    /// Key.
    pub Ars,
    /// Name without addition.
    pub String,
    /// Addition.
    pub String,
    /// Former names.
    pub Vec<String>,
    /// Postal codes.
    pub Vec<u32>,
    /// Inhabitants.
    pub u32,
    /// Degrees east and north.
    pub Option<(f64, f64)>,
);

/// The form that is stored and passed on.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Packed {
    /// Names of counties by the first five digits.
    pub counties: BTreeMap<String, String>,
    pub municipalities: Vec<Municipality>,
    #[serde(default)]
    pub districts: Vec<(Ars, Vec<District>)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<FormerKey>,
}

/// The states by the first two digits of the key.
const STATES: [&str; 16] = [
    "Schleswig-Holstein",
    "Hamburg",
    "Niedersachsen",
    "Bremen",
    "Nordrhein-Westfalen",
    "Hessen",
    "Rheinland-Pfalz",
    "Baden-Württemberg",
    "Bayern",
    "Saarland",
    "Berlin",
    "Brandenburg",
    "Mecklenburg-Vorpommern",
    "Sachsen",
    "Sachsen-Anhalt",
    "Thüringen",
];

/// The name of the state of a key; `None` if there is no such state.
pub(super) fn state_of(digits: &str) -> Option<&'static str> {
    let number: usize = digits.get(..2)?.parse().ok()?;
    STATES.get(number.checked_sub(1)?).copied()
}

/// The key with these first digits and zeros after them.
pub(super) fn padded(digits: &str) -> Option<Ars> {
    format!("{digits:0<12}").parse().ok()
}

impl Places {
    /// The small table of the demo region: Köln, Bonn, Leverkusen, Siegburg, Hürth, München, with counties and states.
    pub fn built_in() -> Self {
        built_in::places()
    }

    /// Replaces what is known of the districts of a municipality, as its profile tells them; the first
    /// [`DISTRICTS_MAX`] count.
    pub fn set_districts(&mut self, municipality: Ars, districts: &[District]) {
        self.districts.retain(|row| row.ars != municipality);
        let rows = districts.iter().take(DISTRICTS_MAX).filter_map(|district| {
            let folded = fold::fold(&district.name).into_boxed_str();
            let fits = !folded.is_empty() && district.name.chars().count() <= PLACE_CHARS_MAX;
            fits.then(|| DistrictRow { ars: municipality, district: district.clone(), folded })
        });
        self.districts.extend(rows);
    }

    /// The place with this key, or the one that it became.
    pub fn by_ars(&self, ars: &Ars) -> Option<Place> {
        let position = self.position(ars).or_else(|_| self.position(&self.former.follow(*ars, None)));
        let mut place = self.rows[position.ok()?].place()?;
        place.former_keys = self.former_keys(&place.ars);
        Some(place)
    }

    /// Every place, sorted by key: municipalities, counties and states.
    pub fn iter(&self) -> impl Iterator<Item = Place> {
        self.rows.iter().filter_map(Row::place)
    }

    /// The parts of a municipality that are known.
    pub fn districts_of(&self, ars: &Ars) -> Vec<District> {
        self.districts.iter().filter(|row| row.ars == *ars).map(|row| row.district.clone()).collect()
    }

    /// How many municipalities it holds.
    pub fn municipalities(&self) -> usize {
        self.rows.iter().filter(|row| row.kind == PlaceKind::Municipality).count()
    }

    /// Names of counties by the first five digits.
    pub(super) fn counties(&self) -> BTreeMap<String, String> {
        let counties = self.rows.iter().filter(|row| row.kind == PlaceKind::County);
        counties.map(|row| (row.ars.as_str()[..5].to_owned(), row.name.to_string())).collect()
    }

    pub(super) fn position(&self, ars: &Ars) -> Result<usize, usize> {
        self.rows.binary_search_by(|row| row.ars.cmp(ars))
    }

    /// The table of these municipalities, with their counties and states.
    pub(super) fn build(
        municipalities: Vec<Municipality>,
        counties: &BTreeMap<String, String>,
        former: FormerKeys,
    ) -> Result<Self, PlaceError> {
        let municipalities = former.apply(municipalities);
        if municipalities.len() > PLACES_MAX {
            return Err(PlaceError::TooMany(PLACES_MAX));
        }
        let mut rows: Vec<Row> = Vec::with_capacity(municipalities.len() + counties.len() + STATES.len());
        let mut sums: BTreeMap<Ars, u32> = BTreeMap::new();
        for municipality in municipalities {
            for digits in [2, 5] {
                if let Some(above) = padded(&municipality.0.as_str()[..digits]) {
                    let sum = sums.entry(above).or_default();
                    *sum = sum.saturating_add(municipality.5);
                }
            }
            rows.push(Row::municipality(municipality, counties));
        }
        let known: HashSet<Ars> = rows.iter().map(|row| row.ars).collect();
        if known.len() < rows.len() {
            return Err(PlaceError::Invalid("two municipalities have the same key".to_owned()));
        }
        for (ars, inhabitants) in sums.into_iter().filter(|(ars, _)| !known.contains(ars)) {
            rows.extend(Row::above(ars, inhabitants, counties));
        }
        rows.sort_unstable_by_key(|row| row.ars);
        Ok(Self { former, ..Self::indexed(rows) })
    }

    fn indexed(rows: Vec<Row>) -> Self {
        let mut words = Vec::with_capacity(rows.len() * 2);
        let mut postal_codes = Vec::with_capacity(rows.len() * 2);
        for (index, row) in (0..).zip(&rows) {
            words.extend(row.folded.split(' ').map(|word| (Box::from(word), index)));
            for name in &row.former_names {
                fold::each_word(name, |word| words.push((Box::from(word), index)));
            }
            postal_codes.extend(row.postal_codes.iter().map(|&code| (code, index)));
        }
        words.sort_unstable();
        postal_codes.sort_unstable();
        Self { rows, words, postal_codes, districts: Vec::new(), former: FormerKeys::default() }
    }
}

impl Row {
    fn municipality(municipality: Municipality, counties: &BTreeMap<String, String>) -> Self {
        let Municipality(ars, name, addition, former_names, mut postal_codes, inhabitants, lon_lat) = municipality;
        let is_its_own_county = ars.as_str().ends_with("0000000");
        let county = if is_its_own_county { None } else { counties.get(&ars.as_str()[..5]) };
        let county = county.map(|county| county_name(county, ars.as_str())).unwrap_or_default();
        let state = state_of(ars.as_str()).unwrap_or_default();
        postal_codes.sort_unstable();
        postal_codes.dedup();
        Self {
            folded: fold::fold(&name).into(),
            head: head(&name),
            context: fold::fold(&format!("{addition} {county} {state}")).into(),
            kind: PlaceKind::Municipality,
            name: name.into(),
            addition: addition.into(),
            former_names: former_names.into_iter().map(String::into_boxed_str).collect(),
            county: county.into(),
            state: state.into(),
            ars,
            postal_codes,
            inhabitants,
            lon_lat,
        }
    }

    /// The county or state with this key.
    fn above(ars: Ars, inhabitants: u32, counties: &BTreeMap<String, String>) -> Option<Self> {
        let state = state_of(ars.as_str())?;
        let is_state = ars.prefix().len() == 2;
        let (kind, name) = if is_state {
            (PlaceKind::State, state.to_owned())
        } else {
            (PlaceKind::County, county_name(counties.get(ars.prefix())?, ars.as_str()))
        };
        let former_names = if ars.prefix() == "05" { vec!["NRW".into()] } else { Vec::new() };
        Some(Self {
            folded: fold::fold(&name).into(),
            head: fold::words(&name).len(),
            context: fold::fold(state).into(),
            kind,
            name: name.into(),
            addition: Box::default(),
            former_names,
            postal_codes: Vec::new(),
            inhabitants,
            lon_lat: None,
            county: Box::default(),
            state: state.into(),
            ars,
        })
    }

    /// The row as it was read, if it is a municipality.
    pub(super) fn to_municipality(&self) -> Option<Municipality> {
        (self.kind == PlaceKind::Municipality).then(|| {
            Municipality(
                self.ars,
                self.name.to_string(),
                self.addition.to_string(),
                self.former_names.iter().map(ToString::to_string).collect(),
                self.postal_codes.clone(),
                self.inhabitants,
                self.lon_lat,
            )
        })
    }

    fn place(&self) -> Option<Place> {
        let digits = self.ars.as_str();
        Some(Place {
            ars: self.ars,
            ags: (self.kind == PlaceKind::Municipality).then(|| format!("{}{}", &digits[..5], &digits[9..])),
            name: self.name.to_string(),
            former_names: self.former_names.iter().map(ToString::to_string).collect(),
            former_keys: Vec::new(),
            kind: self.kind,
            postal_codes: self.postal_codes.iter().map(|code| format!("{code:05}")).collect(),
            inhabitants: self.inhabitants,
            county: self.county.to_string(),
            state: self.state.to_string(),
            lon: self.lon_lat.map(|(lon, _)| lon),
            lat: self.lon_lat.map(|(_, lat)| lat),
        })
    }
}

/// How many words of the name stand before what tells it from others of that name.
fn head(name: &str) -> usize {
    const BETWEEN: [&str; 9] = ["am", "an", "in", "im", "bei", "ob", "vor", "auf", "unter"];
    let tells_apart = |(n, word): &(usize, &str)| {
        let short = word.split_once('.').is_some_and(|(short, _)| matches!(short, "a" | "b" | "i" | "o" | "v"));
        *n > 0 && (short || word.starts_with(['(', '/']) || BETWEEN.contains(word))
    };
    let mut words = name.split_whitespace().enumerate();
    let end = words.find(tells_apart).map(|(n, _)| n);
    let before = name.split_whitespace().take(end.unwrap_or(usize::MAX)).collect::<Vec<_>>().join(" ");
    fold::words(before.split('/').next().unwrap_or_default()).len()
}

/// The official list leaves `Kreis` or `Landkreis` out, so that county and town often have one name.
fn county_name(name: &str, ars: &str) -> String {
    let folded = fold::fold(name);
    if ["kreis", "region", "verband"].iter().any(|word| folded.contains(word)) {
        return name.to_owned();
    }
    // Schleswig-Holstein and Nordrhein-Westfalen say Kreis.
    if matches!(&ars[..2], "01" | "05") { format!("Kreis {name}") } else { format!("Landkreis {name}") }
}

impl From<Places> for Packed {
    fn from(places: Places) -> Self {
        let mut packed = Self {
            counties: places.counties(),
            municipalities: places.rows.iter().filter_map(Row::to_municipality).collect(),
            districts: Vec::new(),
            former: places.former.iter().cloned().collect(),
        };
        for row in places.districts {
            match packed.districts.last_mut().filter(|(ars, _)| *ars == row.ars) {
                Some((_, districts)) => districts.push(row.district),
                None => packed.districts.push((row.ars, vec![row.district])),
            }
        }
        packed
    }
}

impl TryFrom<Packed> for Places {
    type Error = PlaceError;

    fn try_from(packed: Packed) -> Result<Self, PlaceError> {
        for Municipality(ars, name, _, former, codes, ..) in &packed.municipalities {
            let long = |name: &String| name.chars().count() > PLACE_CHARS_MAX;
            if fold::fold(name).is_empty() || long(name) || former.iter().any(long) || codes.len() > POSTAL_CODES_MAX {
                return Err(PlaceError::Invalid(format!(
                    "the municipality {ars} has no usable name or too many codes"
                )));
            }
        }
        let mut former = FormerKeys::default();
        for key in packed.former {
            former.add(key).map_err(PlaceError::Invalid)?;
        }
        let mut places = Self::build(packed.municipalities, &packed.counties, former)?;
        for (ars, districts) in packed.districts.into_iter().take(PLACES_MAX) {
            places.set_districts(ars, &districts);
        }
        Ok(places)
    }
}
