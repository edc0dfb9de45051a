//! Tables: CSV with a mapping in, a fixed set of columns out.

mod calls;
mod cell;
mod decode;
mod mapping;
mod write;

use std::io::Read;

use ortsnetz_model::Identifier;
use serde_json::{Map, Value};

pub use calls::{CallEnd, CallMapping, CallRow, CallRows, calls};
pub use mapping::{Mapping, MappingError};
pub use write::{CSV_COLUMNS, CsvWriter};

use crate::finish::{Draft, finish, short, warning};
use crate::import::{Imported, OpenError, Options, Rejected};
use crate::limits::{COLUMNS_MAX, RECORD_BYTES_MAX};
use crate::source::{Source, Taken};
use mapping::{Column, Encoding};

/// The rows of a table as entries.
pub(crate) struct Rows<R> {
    source: Source<R>,
    options: Options,
    table: Table,
    record: Vec<u8>,
    failed: bool,
}

/// How to read a row.
struct Table {
    mapping: Mapping,
    delimiter: u8,
    encoding: Option<Encoding>,
    width: usize,
    /// For each column of the mapping, where it is in the row.
    places: Vec<usize>,
    identifier: Option<usize>,
}

impl<R: Read> Rows<R> {
    pub(crate) fn new(mut source: Source<R>, mut options: Options) -> Result<Self, OpenError> {
        let file = options.file.clone();
        let start = source.peek().map_err(|error| OpenError::Read { file: file.clone(), error })?;
        let header = |reason: String| OpenError::Header { file: file.clone(), reason };
        if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
            return Err(header("it is UTF-16; save it as UTF-8".into()));
        }
        let given = options.mapping.take();
        let mark = if start.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let utf8 = mark > 0 || decode::is_utf8(start);
        let encoding = given.as_ref().and_then(|mapping| mapping.encoding).or_else(|| utf8.then_some(Encoding::Utf8));
        let delimiter = match given.as_ref().and_then(|mapping| mapping.delimiter) {
            Some(delimiter) => u8::try_from(delimiter).unwrap_or(b';'),
            None => decode::delimiter(start),
        };
        source.consume(mark);
        let mut record = Vec::new();
        let taken = decode::record(&mut source, delimiter, &mut record);
        let taken = taken.map_err(|error| OpenError::Read { file: file.clone(), error })?;
        if taken != Taken::Whole {
            return Err(header("there is no header line".into()));
        }
        let names = cells(&record, delimiter, encoding).map_err(header)?;
        let mapping = match given {
            Some(mapping) => mapping,
            None if names.iter().any(|name| name == "kind") => Mapping::of_paths(names.iter().map(String::as_str)),
            None => return Err(OpenError::NoMapping { file }),
        };
        let table = Table::new(mapping, delimiter, encoding, &names).map_err(header)?;
        Ok(Self { source, options, table, record, failed: false })
    }

    pub(crate) fn source(&self) -> &Source<R> {
        &self.source
    }

    pub(crate) fn next(&mut self) -> Option<Result<Imported, Rejected>> {
        if self.failed {
            return None;
        }
        loop {
            let line = self.source.line_number();
            let result = match decode::record(&mut self.source, self.table.delimiter, &mut self.record) {
                Ok(Taken::End) => return None,
                Ok(Taken::TooLong) => {
                    Err(format!("the row is longer than {RECORD_BYTES_MAX} bytes, or a quote is never closed"))
                }
                Ok(Taken::Whole) if self.record.trim_ascii().is_empty() => continue,
                Ok(Taken::Whole) => cells(&self.record, self.table.delimiter, self.table.encoding)
                    .and_then(|cells| self.table.draft(&cells, line))
                    .and_then(|draft| finish(draft, &self.options)),
                Err(error) => {
                    self.failed = true;
                    Err(format!("could not read on: {error}"))
                }
            };
            return Some(result.map_err(|reason| Rejected { file: self.options.file.clone(), line, reason }));
        }
    }
}

/// The cells of one record.
fn cells(record: &[u8], delimiter: u8, encoding: Option<Encoding>) -> Result<Vec<String>, String> {
    let text = decode::decode(record, encoding).ok_or("invalid UTF-8")?;
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(text.as_bytes());
    let Some(row) = reader.records().next() else { return Ok(Vec::new()) };
    let row = row.map_err(|error| error.to_string())?;
    if row.len() > COLUMNS_MAX {
        return Err(format!("there are {} columns, {COLUMNS_MAX} are allowed", row.len()));
    }
    Ok(row.iter().map(|cell| cell.trim().to_owned()).collect())
}

impl Table {
    fn new(mapping: Mapping, delimiter: u8, encoding: Option<Encoding>, names: &[String]) -> Result<Self, String> {
        let place = |name: &str| {
            names.iter().position(|known| known == name).ok_or_else(|| {
                let known = names.iter().map(String::as_str).take(20).collect::<Vec<_>>().join(", ");
                format!("there is no column {name:?}; the header line has {known}")
            })
        };
        let places = mapping.columns.iter().map(|column| place(&column.name)).collect::<Result<_, _>>()?;
        let identifier = mapping.identifier.as_ref().map(|key| place(&key.column)).transpose()?;
        Ok(Self { mapping, delimiter, encoding, width: names.len(), places, identifier })
    }

    fn draft(&self, cells: &[String], line: u64) -> Result<Draft, String> {
        if cells.len() > self.width {
            // Most likely an unquoted delimiter: then every cell after it is in the wrong column.
            return Err(format!("the row has {} cells, the header line {}", cells.len(), self.width));
        }
        let collection = self.mapping.collection.clone();
        let mut draft = Draft {
            fields: Map::new(),
            collection,
            references: Vec::new(),
            mentions: Vec::new(),
            line,
            findings: Vec::new(),
        };
        if let Some(kind) = &self.mapping.kind {
            draft.fields.insert("kind".into(), kind.as_str().into());
        }
        if let (Some(key), Some(place)) = (&self.mapping.identifier, self.identifier) {
            let value = cells.get(place).map(String::as_str).unwrap_or_default();
            let identifier = Identifier { agency: key.agency.clone(), scheme: key.scheme.clone(), value: value.into() };
            draft.fields.insert("identifier".into(), crate::identifier::to_json(&identifier));
        }
        for (column, place) in self.mapping.columns.iter().zip(&self.places) {
            let cell = cells.get(*place).map(String::as_str).unwrap_or_default();
            if cell.is_empty() {
                if column.required {
                    return Err(format!("{}: the column {:?} is empty", column.path, column.name));
                }
            } else {
                self.column(column, cell, &mut draft)?;
            }
        }
        for (path, value) in &self.mapping.constants {
            let value = serde_json::to_value(value).map_err(|error| error.to_string())?;
            cell::put(&mut draft.fields, path, value);
        }
        let mut fields = Value::Object(draft.fields);
        cell::close_gaps(&mut fields);
        let Value::Object(fields) = fields else { return Err("no entry".into()) };
        draft.fields = fields;
        Ok(draft)
    }

    fn column(&self, column: &Column, cell: &str, draft: &mut Draft) -> Result<(), String> {
        let parts: Vec<&str> = match &column.separator {
            Some(separator) => cell.split(separator.as_str()).map(str::trim).filter(|part| !part.is_empty()).collect(),
            None => vec![cell],
        };
        let mut values: Vec<Value> = Vec::new();
        for part in parts {
            let part = column.values.get(part).map_or(part, String::as_str);
            if let Some(reference) = &column.reference {
                let own = self.mapping.identifier.as_ref().map(|key| key.agency.as_str());
                let agency = reference.agency.as_deref().or(own).unwrap_or_default().to_owned();
                let target = Identifier { agency, scheme: reference.scheme.clone(), value: part.into() };
                let path = match column.separator {
                    Some(_) => {
                        let start = format!("{}.", column.path);
                        let count = draft.references.iter().filter(|(path, _)| path.starts_with(&start)).count();
                        format!("{start}{count}")
                    }
                    None => column.path.clone(),
                };
                draft.references.push((path, target));
                continue;
            }
            match cell::value(part, column.transform) {
                Ok(value) => values.extend(value),
                Err(expected) if column.required => {
                    return Err(format!("{}: {:?} is not {expected}", column.path, short(part)));
                }
                Err(expected) => draft
                    .findings
                    .push(warning(column.path.as_str(), format!("left out: {:?} is not {expected}", short(part)))),
            }
        }
        let value = match &column.separator {
            Some(_) => Value::Array(values),
            None => match values.pop() {
                Some(value) => value,
                None => return Ok(()),
            },
        };
        match (column.path.as_str(), value) {
            ("collection", Value::String(name)) => draft.collection = Some(name),
            (path, value) => {
                let empty = value.as_array().is_some_and(Vec::is_empty);
                if !empty && !cell::put(&mut draft.fields, path, value) {
                    return Err(format!("{path}: two columns lead there"));
                }
            }
        }
        Ok(())
    }
}
