//! Reading the official list of municipalities.

use std::collections::{BTreeMap, HashSet};
use std::io::Read;

use csv::ByteRecord;
use ortsnetz_model::{Ars, dates};

use super::former::FormerKey;
use super::table::{Municipality, state_of};
use super::{PlaceError, PlaceReject};
use crate::fold;
use crate::limits::{PLACE_BYTES_MAX, PLACE_CHARS_MAX, PLACE_REJECTS_MAX, PLACES_MAX, POSTAL_CODES_MAX};

/// A file as it was read.
#[derive(Default)]
pub(super) struct File {
    /// The municipalities of a list; empty in a file of former keys.
    pub municipalities: Vec<Municipality>,
    /// Names of counties by the first five digits.
    pub counties: BTreeMap<String, String>,
    /// Former keys, each with its line.
    pub former: Vec<(u64, FormerKey)>,
    /// Whether it is a list of municipalities, which replaces the one before.
    pub is_list: bool,
    /// Lines that say nothing usable.
    pub rejected: Vec<PlaceReject>,
    pub rejected_total: usize,
    pub(super) seen: HashSet<Ars>,
}

/// Reads a file, a list of municipalities or of former keys.
pub(super) fn read(reader: impl Read) -> Result<File, PlaceError> {
    let mut text = Vec::new();
    let limit = PLACE_BYTES_MAX as u64 + 1;
    reader.take(limit).read_to_end(&mut text).map_err(|error| unreadable(1, &error))?;
    if text.len() > PLACE_BYTES_MAX {
        return Err(PlaceError::TooMany(PLACES_MAX));
    }
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let header = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let delimiter = if header.contains(&b';') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text);
    let columns = Columns::of(reader.byte_headers().map_err(|error| unreadable(1, &error))?)?;
    let mut file = File { is_list: columns.successor.is_none(), ..File::default() };
    let mut record = ByteRecord::new();
    loop {
        let line = reader.position().line();
        match reader.read_byte_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {}
            Err(error) => return Err(unreadable(line, &error)),
        }
        let line = record.position().map_or(line, csv::Position::line);
        let row = Row { columns: &columns, record: &record, line };
        let taken = if file.is_list { file.take(&row) } else { file.take_former(&row) };
        if let Err(reason) = taken {
            file.reject(line, reason);
        }
        if file.municipalities.len().max(file.former.len()) > PLACES_MAX {
            return Err(PlaceError::TooMany(PLACES_MAX));
        }
    }
    Ok(file)
}

fn unreadable(line: u64, error: &dyn std::error::Error) -> PlaceError {
    PlaceError::Unreadable { line, reason: error.to_string() }
}

/// Where the columns are.
struct Columns {
    ars: usize,
    name: usize,
    ags: Option<usize>,
    county: Option<usize>,
    seat: Option<usize>,
    postal_codes: Option<usize>,
    inhabitants: Option<usize>,
    lon: Option<usize>,
    lat: Option<usize>,
    former_names: Option<usize>,
    former: Option<usize>,
    successor: Option<usize>,
    since: Option<usize>,
}

impl Columns {
    fn of(header: &ByteRecord) -> Result<Self, PlaceError> {
        let find =
            |name: &str| header.iter().position(|column| column.trim_ascii().eq_ignore_ascii_case(name.as_bytes()));
        // A list of former keys names the place by its successor.
        let (former, successor) = (find("former_ars"), find("successor_ars"));
        let successor = successor.filter(|_| former.is_some() && find("ars").is_none());
        let (ars, name) = (find("ars").or(successor), find("name").or(successor));
        Ok(Self {
            ars: ars.ok_or(PlaceError::Column("ars"))?,
            name: name.ok_or(PlaceError::Column("name"))?,
            former,
            successor,
            since: find("since"),
            ags: find("ags"),
            county: find("kreis"),
            seat: find("plz_sitz"),
            postal_codes: find("plz_alle"),
            inhabitants: find("einwohner"),
            lon: find("lon"),
            lat: find("lat"),
            former_names: find("former_names"),
        })
    }
}

/// A line of the file.
struct Row<'a> {
    columns: &'a Columns,
    record: &'a ByteRecord,
    line: u64,
}

impl<'a> Row<'a> {
    fn field(&self, column: Option<usize>) -> Result<&'a str, String> {
        let bytes = column.and_then(|column| self.record.get(column)).unwrap_or_default();
        std::str::from_utf8(bytes).map(str::trim).map_err(|_| "the line is not UTF-8".to_owned())
    }

    fn key(&self, column: Option<usize>) -> Result<Ars, String> {
        self.field(column)?.parse().map_err(|error| format!("{error}"))
    }

    /// The first day of the newest key.
    fn since(&self) -> Result<String, String> {
        let text = self.field(self.columns.since)?;
        let date = dates::parse_date(text);
        if text.is_empty() {
            Ok(String::new())
        } else {
            date.map(|date| date.to_string()).ok_or_else(|| format!("{text:?} is no date: write 2026-01-01"))
        }
    }
}

impl File {
    fn reject(&mut self, line: u64, reason: String) {
        self.rejected_total += 1;
        if self.rejected.len() < PLACE_REJECTS_MAX {
            self.rejected.push(PlaceReject { line, reason });
        }
    }

    /// A line of a list of former keys.
    fn take_former(&mut self, row: &Row<'_>) -> Result<(), String> {
        let (ars, successor) = (row.key(row.columns.former)?, row.key(row.columns.successor)?);
        // Without a column of its own the name is the key.
        let name =
            if Some(row.columns.name) == row.columns.successor { "" } else { row.field(Some(row.columns.name))? };
        if name.chars().count() > PLACE_CHARS_MAX {
            return Err(format!("{successor} has no usable name"));
        }
        self.former.push((row.line, FormerKey { ars, successor, since: row.since()?, name: name.to_owned() }));
        Ok(())
    }

    /// A line of a list of municipalities.
    fn take(&mut self, row: &Row<'_>) -> Result<(), String> {
        let columns = row.columns;
        let field = |column: Option<usize>| row.field(column);
        let ars: Ars = field(Some(columns.ars))?.parse().map_err(|error| format!("{error}"))?;
        if state_of(ars.as_str()).is_none() {
            return Err(format!("{ars} lies in no state"));
        }
        let whole_name = field(Some(columns.name))?;
        let (name, addition) = whole_name.split_once(',').unwrap_or((whole_name, ""));
        if fold::fold(name).is_empty() || whole_name.chars().count() > PLACE_CHARS_MAX {
            return Err(format!("{ars} has no usable name"));
        }
        let ags = field(columns.ags)?;
        let expected = format!("{}{}", &ars.as_str()[..5], &ars.as_str()[9..]);
        if !ags.is_empty() && ags != expected {
            return Err(format!("the AGS {ags:?} does not belong to the ARS {ars}"));
        }
        let mut postal_codes = Vec::new();
        for code in field(columns.postal_codes)?.split([' ', '|']).chain([field(columns.seat)?]) {
            postal_codes.extend(postal_code(code)?);
        }
        if postal_codes.len() > POSTAL_CODES_MAX {
            return Err(format!("{ars} has more than {POSTAL_CODES_MAX} postal codes"));
        }
        let inhabitants = match field(columns.inhabitants)? {
            "" => 0,
            text => text.parse().map_err(|_| format!("{text:?} is no number of inhabitants"))?,
        };
        let lon_lat = degrees(field(columns.lon)?, 180.0)?.zip(degrees(field(columns.lat)?, 90.0)?);
        let former = field(columns.former_names)?.split([';', '|']).map(str::trim).filter(|name| !name.is_empty());
        let former_names = former.map(|name| name.chars().take(PLACE_CHARS_MAX).collect()).collect();
        let since = row.since()?;
        let mut former_keys = Vec::new();
        for key in field(columns.former)?.split([' ', ';', '|', ',']).filter(|key| !key.is_empty()) {
            let key = key.parse().map_err(|error| format!("former_ars: {error}"))?;
            former_keys
                .push((row.line, FormerKey { ars: key, successor: ars, since: since.clone(), name: String::new() }));
        }
        if !self.seen.insert(ars) {
            return Err(format!("{ars} stands in an earlier line"));
        }
        self.former.extend(former_keys);
        let county = field(columns.county)?;
        if !county.is_empty() && !ars.as_str().ends_with("0000000") {
            self.counties.entry(ars.as_str()[..5].to_owned()).or_insert_with(|| county.to_owned());
        }
        self.municipalities.push(Municipality(
            ars,
            name.trim().to_owned(),
            addition.trim().to_owned(),
            former_names,
            postal_codes,
            inhabitants,
            lon_lat,
        ));
        Ok(())
    }
}

fn postal_code(text: &str) -> Result<Option<u32>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let code = if digits { text.parse().ok() } else { None };
    code.map(Some).ok_or_else(|| format!("{text:?} is no postal code"))
}

fn degrees(text: &str, limit: f64) -> Result<Option<f64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let degrees: Option<f64> = text.parse().ok().filter(|degrees: &f64| degrees.abs() <= limit);
    degrees.map(Some).ok_or_else(|| format!("{text:?} is no number of degrees"))
}
