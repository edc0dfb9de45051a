//! JSON Lines: one entry a line, with `collection`, `references` and `companions` beside the fields.

use std::io::Read;

use serde_json::{Map, Value};

use crate::finish::{Draft, finish, warning};
use crate::identifier;
use crate::import::{Imported, Options, Rejected};
use crate::limits::LINE_BYTES_MAX;
use crate::source::{Source, Taken};

/// The lines of a file as entries.
pub(crate) struct Lines<R> {
    source: Source<R>,
    options: Options,
    record: Vec<u8>,
    failed: bool,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(source: Source<R>, options: Options) -> Self {
        Self { source, options, record: Vec::new(), failed: false }
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
            let result = match self.source.line(&mut self.record, LINE_BYTES_MAX) {
                Ok(Taken::End) => return None,
                Ok(Taken::Whole) => {
                    let record = trim(&self.record, line);
                    if record.is_empty() {
                        continue;
                    }
                    entry(record, line, &self.options)
                }
                Ok(Taken::TooLong) => Err(format!("the line is longer than {LINE_BYTES_MAX} bytes")),
                Err(error) => {
                    self.failed = true;
                    Err(format!("could not read on: {error}"))
                }
            };
            return Some(result.map_err(|reason| Rejected { file: self.options.file.clone(), line, reason }));
        }
    }
}

/// Without white space around, and on the first line without byte order mark.
fn trim(record: &[u8], line: u64) -> &[u8] {
    let record = if line == 1 { record.strip_prefix(b"\xef\xbb\xbf").unwrap_or(record) } else { record };
    record.trim_ascii()
}

fn entry(record: &[u8], line: u64, options: &Options) -> Result<Imported, String> {
    let text =
        std::str::from_utf8(record).map_err(|error| format!("invalid UTF-8 after {} bytes", error.valid_up_to()))?;
    let value: Value = serde_json::from_str(text).map_err(|error| broken_json(&error))?;
    let Value::Object(mut fields) = value else { return Err("a line must be one JSON object".into()) };
    let mut findings = Vec::new();
    let collection = match fields.shift_remove("collection") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) if !name.trim().is_empty() => Some(name.trim().to_owned()),
        Some(_) => return Err("collection: must be the name of a collection".into()),
    };
    let references = match fields.shift_remove("references") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Object(references)) => read_references(&references, &mut findings),
        Some(_) => return Err("references: must be an object of path and identifier".into()),
    };
    finish(Draft { fields, collection, references, mentions: Vec::new(), line, findings }, options)
}

fn read_references(
    references: &Map<String, Value>,
    findings: &mut Vec<ortsnetz_model::Finding>,
) -> Vec<(String, ortsnetz_model::Identifier)> {
    let mut found = Vec::with_capacity(references.len());
    for (path, value) in references {
        match identifier::from_json(value) {
            Ok(Some(identifier)) => found.push((path.clone(), identifier)),
            Ok(None) | Err(_) => {
                findings.push(warning(format!("references.{path}"), "an identifier needs agency, scheme and value"));
            }
        }
    }
    found
}

/// serde_json counts lines inside the record; in one line only the column says something.
pub(crate) fn broken_json(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or_default();
    format!("broken JSON at column {}: {message}", error.column())
}
