//! The table of places: municipalities, their counties and states, and districts told by profiles.

mod built_in;
mod former;
mod import;
mod read;
mod resolve;
mod table;

use ortsnetz_model::Ars;
use serde::{Deserialize, Serialize};

pub use former::{FormerKey, PlaceKeys};
pub use table::Places;

/// What sort of place it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceKind {
    /// A town or commune.
    Municipality,
    /// A part of one, our own sub-area: it has the ARS of its municipality.
    District,
    /// A county (Kreis).
    County,
    /// A state (Land).
    State,
}

/// A place of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// 12 digits; counties and states end in zeros.
    pub ars: Ars,
    /// 8 digits, municipalities only.
    pub ags: Option<String>,
    /// Without an addition such as ", Stadt".
    pub name: String,
    /// Names it had.
    pub former_names: Vec<String>,
    /// Keys it had, the newest change first.
    pub former_keys: Vec<FormerKey>,
    /// What it is.
    pub kind: PlaceKind,
    /// Five digits each, sorted.
    pub postal_codes: Vec<String>,
    /// 0 if unknown.
    pub inhabitants: u32,
    /// Name of its county; empty for counties, states and cities that are none's.
    pub county: String,
    /// Name of its state.
    pub state: String,
    /// Degrees east, if known.
    pub lon: Option<f64>,
    /// Degrees north, if known.
    pub lat: Option<f64>,
}

/// A part of a municipality, as its profile tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct District {
    /// Its name.
    pub name: String,
    /// Five digits each; may be empty.
    #[serde(default)]
    pub postal_codes: Vec<String>,
}

/// How a text named a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matched {
    /// By its 12 digits, or a bare beginning of them.
    Ars,
    /// By its 8 digits.
    Ags,
    /// By 12 or 8 digits that it had before.
    FormerKey,
    /// By a postal code.
    PostalCode,
    /// By its whole name.
    Name,
    /// By a name it had.
    FormerName,
    /// By the name of a district.
    District,
    /// By the beginning or a part of its name.
    PartOfName,
    /// By the beginning of a postal code or key, while it is typed.
    PartOfNumber,
}

/// A place the text may mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlaceCandidate {
    /// To ask with.
    pub ars: Ars,
    /// To show; the ARS itself if no table knows it.
    pub name: String,
    /// The district that was meant, if one was.
    pub district: Option<String>,
    /// What it is.
    pub kind: PlaceKind,
    /// Name of its county, or empty.
    pub county: String,
    /// Name of its state, or empty.
    pub state: String,
    /// 0 if unknown.
    pub inhabitants: u32,
    /// We answer for it.
    pub served: bool,
    /// How the text named it.
    pub matched: Matched,
}

/// What a text may mean, towns we answer for first, then by inhabitants.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlaceAnswer {
    /// At most [`crate::limits::CANDIDATES_MAX`].
    pub candidates: Vec<PlaceCandidate>,
    /// How many there are.
    pub total: usize,
}

impl PlaceAnswer {
    /// The place, if the text can mean only one.
    pub fn only(&self) -> Option<&PlaceCandidate> {
        match self.candidates.as_slice() {
            [candidate] if self.total == 1 => Some(candidate),
            _ => None,
        }
    }
}

/// What became of an imported file.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The table afterwards.
    pub places: Places,
    /// Municipalities, or former keys, that the file has and the table had not.
    pub created: usize,
    /// Those that say something else now.
    pub updated: usize,
    /// Those that say what they said.
    pub unchanged: usize,
    /// Municipalities taken from a list; 0 for a file of former keys.
    pub municipalities: usize,
    /// Municipalities that the list has no more.
    pub removed: Vec<Removed>,
    /// Lines that were not, at most [`crate::limits::PLACE_REJECTS_MAX`].
    pub rejected: Vec<PlaceReject>,
    /// How many lines were rejected.
    pub rejected_total: usize,
}

/// A municipality that a new list does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The key it had.
    pub ars: Ars,
    /// Its name.
    pub name: String,
    /// What it became, if that is known: then it is found as that.
    pub successor: Option<Ars>,
}

/// A line that is no place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceReject {
    /// Counted from 1, the header included.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// Why a table could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The header lacks a column.
    #[error(
        "the table of places has no column {0:?}; it needs ars, name and, if known, ags, kreis, land, plz_alle, einwohner, lon, lat, former_names, former_ars, since; or, as a list of former keys, former_ars, successor_ars and, if known, since, name"
    )]
    Column(&'static str),
    /// Not readable as CSV.
    #[error("line {line}: {reason}")]
    Unreadable {
        /// Counted from 1.
        line: u64,
        /// What the reader said.
        reason: String,
    },
    /// More places than Germany has.
    #[error("the table has more than {0} places")]
    TooMany(usize),
    /// A table from elsewhere breaks a rule.
    #[error("the table of places is not valid: {0}")]
    Invalid(String),
}
