//! The export of a telephone system: a row for each call.

use std::io::Read;
use std::str::FromStr;

use serde::Deserialize;

use super::mapping::{Encoding, MappingError};
use super::{cells, decode};
use crate::import::{OpenError, Rejected};
use crate::limits::RECORD_BYTES_MAX;
use crate::source::{Source, Taken};

/// Which columns of a telephone system's export mean what. Read from TOML:
///
/// ```
/// let mapping: ortsnetz_exchange::CallMapping = r#"
/// delimiter = ";"                     # optional: found in the header line
/// encoding = "windows-1252"           # optional: utf-8 or windows-1252, found in the bytes
/// time = "%d.%m.%Y %H:%M:%S"          # optional: how times are written, else as 2026-11-03T10:15:00
///
/// [columns]
/// id = "Call-ID"                      # optional: what tells calls apart; else the whole row does
/// dialled = "Zielrufnummer"           # the town's number; never the caller's
/// offered = "Beginn"
/// answered = "Angenommen"             # empty: lost
/// ended = "Ende"
/// "#.parse()?;
/// # Ok::<(), ortsnetz_exchange::MappingError>(())
/// ```
///
/// Instead of `answered` and `ended` there may be `waited` and `talked`, in seconds; `talked` empty or 0: lost.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallMapping {
    delimiter: Option<char>,
    encoding: Option<Encoding>,
    /// How times are written.
    pub time: Option<String>,
    columns: Columns,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Columns {
    id: Option<String>,
    dialled: String,
    offered: String,
    answered: Option<String>,
    ended: Option<String>,
    waited: Option<String>,
    talked: Option<String>,
}

impl FromStr for CallMapping {
    type Err = MappingError;

    fn from_str(text: &str) -> Result<Self, MappingError> {
        let mapping: Self = super::mapping::read(text)?;
        let columns = &mapping.columns;
        let (times, seconds) = (
            (columns.answered.is_some(), columns.ended.is_some()),
            (columns.waited.is_some(), columns.talked.is_some()),
        );
        match (times, seconds) {
            ((true, true), (false, false)) | ((false, false), (true, true)) => Ok(mapping),
            _ => Err(MappingError("columns: needs answered and ended, or waited and talked".into())),
        }
    }
}

/// A call as its row tells it; times as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRow {
    /// Line on which it begins, from 1.
    pub line: u64,
    /// What tells it apart.
    pub key: String,
    /// The number that was dialled.
    pub dialled: String,
    /// When it was offered.
    pub offered: String,
    /// What came of it.
    pub then: CallEnd,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// When it was taken, empty if never; when it ended.
    Times(String, String),
    /// How many seconds until it was taken or given up; how many it lasted, empty or 0 if it was lost.
    Seconds(String, String),
}

/// The calls of an export, one at a time.
pub struct CallRows<R> {
    source: Source<R>,
    file: String,
    delimiter: u8,
    encoding: Option<Encoding>,
    places: Vec<Option<usize>>,
    width: usize,
    record: Vec<u8>,
    seconds: bool,
    failed: bool,
}

/// Opens the export of a telephone system.
///
/// # Errors
/// It cannot be read, has no header line, or lacks a column of the mapping.
pub fn calls<R: Read>(reader: R, file: &str, mapping: &CallMapping) -> Result<CallRows<R>, OpenError> {
    let mut source = Source::new(reader);
    let failed = |error| OpenError::Read { file: file.to_owned(), error };
    let header = |reason: String| OpenError::Header { file: file.to_owned(), reason };
    let start = source.peek().map_err(failed)?;
    let mark = if start.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let utf8 = mark > 0 || decode::is_utf8(start);
    let encoding = mapping.encoding.or_else(|| utf8.then_some(Encoding::Utf8));
    let delimiter = match mapping.delimiter {
        Some(delimiter) => {
            u8::try_from(delimiter).map_err(|_| header("delimiter must be one ASCII character".into()))?
        }
        None => decode::delimiter(start),
    };
    source.consume(mark);
    let mut record = Vec::new();
    if decode::record(&mut source, delimiter, &mut record).map_err(failed)? != Taken::Whole {
        return Err(header("there is no header line".into()));
    }
    let names = cells(&record, delimiter, encoding).map_err(header)?;
    let columns = &mapping.columns;
    let wanted = [
        columns.id.as_ref(),
        Some(&columns.dialled),
        Some(&columns.offered),
        columns.answered.as_ref().or(columns.waited.as_ref()),
        columns.ended.as_ref().or(columns.talked.as_ref()),
    ];
    let mut places = Vec::new();
    for name in wanted {
        places.push(match name {
            None => None,
            Some(name) => Some(
                names
                    .iter()
                    .position(|known| known == name)
                    .ok_or_else(|| header(format!("there is no column {name:?}; there are: {}", names.join(", "))))?,
            ),
        });
    }
    let seconds = columns.waited.is_some();
    let width = names.len();
    let file = file.to_owned();
    Ok(CallRows { source, file, delimiter, encoding, places, width, record, seconds, failed: false })
}

impl<R: Read> CallRows<R> {
    fn row(&self, line: u64) -> Result<CallRow, String> {
        let cells = cells(&self.record, self.delimiter, self.encoding)?;
        if cells.len() != self.width {
            return Err(format!("the row has {} columns, the header line has {}", cells.len(), self.width));
        }
        let cell = |n: usize| self.places[n].and_then(|place| cells.get(place)).cloned().unwrap_or_default();
        let key = if self.places[0].is_some() { cell(0) } else { cells.join("\n") };
        if key.is_empty() {
            return Err("the row has no id".into());
        }
        let then = if self.seconds { CallEnd::Seconds(cell(3), cell(4)) } else { CallEnd::Times(cell(3), cell(4)) };
        Ok(CallRow { line, key, dialled: cell(1), offered: cell(2), then })
    }
}

impl<R: Read> Iterator for CallRows<R> {
    type Item = Result<CallRow, Rejected>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        loop {
            let line = self.source.line_number();
            let result = match decode::record(&mut self.source, self.delimiter, &mut self.record) {
                Ok(Taken::End) => return None,
                Ok(Taken::TooLong) => {
                    Err(format!("the row is longer than {RECORD_BYTES_MAX} bytes, or a quote is never closed"))
                }
                Ok(Taken::Whole) if self.record.trim_ascii().is_empty() => continue,
                Ok(Taken::Whole) => self.row(line),
                Err(error) => {
                    self.failed = true;
                    Err(format!("could not read on: {error}"))
                }
            };
            return Some(result.map_err(|reason| Rejected { file: self.file.clone(), line, reason }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPPING: &str =
        "[columns]\nid = \"Nr\"\ndialled = \"Ziel\"\noffered = \"Beginn\"\nanswered = \"An\"\nended = \"Ende\"\n";

    fn read(text: &str, mapping: &str) -> Result<Vec<Result<CallRow, Rejected>>, OpenError> {
        Ok(calls(text.as_bytes(), "x.csv", &mapping.parse().expect("a mapping"))?.collect())
    }

    #[test]
    fn each_row_is_a_call_and_a_bad_one_is_told_with_its_line() {
        let text =
            "Nr;Ziel;Beginn;An;Ende;Anrufer\n1;02241 102-0;03.11.2026 10:15:00;;03.11.2026 10:16:00;geheim\n\n2;x\n";
        let rows = read(text, MAPPING).expect("a table");
        let first = rows[0].as_ref().expect("a call");
        assert_eq!((first.line, first.key.as_str(), first.dialled.as_str()), (2, "1", "02241 102-0"));
        assert_eq!(first.then, CallEnd::Times(String::new(), "03.11.2026 10:16:00".into()));
        assert!(!format!("{rows:?}").contains("geheim"), "who called is not read");
        let wrong = rows[1].as_ref().expect_err("too few columns");
        assert_eq!((wrong.line, rows.len()), (4, 2));
    }

    #[test]
    fn without_an_id_the_row_tells_calls_apart() {
        let mapping = MAPPING.replace("id = \"Nr\"\n", "");
        let text = "Nr,Ziel,Beginn,An,Ende\n1,a,b,c,d\n2,a,b,c,d\n";
        let keys: Vec<String> =
            read(text, &mapping).expect("a table").into_iter().map(|row| row.expect("a call").key).collect();
        assert_ne!(keys[0], keys[1]);
    }

    #[test]
    fn a_mapping_that_lacks_something_says_so() {
        let wrong = |text: &str| text.parse::<CallMapping>().expect_err("must be refused").to_string();
        assert!(wrong("[columns]\ndialled = \"a\"\noffered = \"b\"\n").contains("needs answered and ended"));
        assert!(wrong(&MAPPING.replace("ended", "until")).contains("unknown field"));
        assert!(
            read("Nr;Ziel\n", MAPPING).expect_err("no column").to_string().contains("there is no column \"Beginn\"")
        );
        assert!(read("", MAPPING).is_err());
    }
}
