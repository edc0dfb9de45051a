//! The JSON that the service directories of Berlin and München export ("DLDB"): `{"data": [...], "meta": {...}}` with
//! services in one file and locations in another.
//!
//! - An element with an address or a list of services is an office, everything else a service.
//! - Identifiers: scheme `LB` for services, `OE` for locations, as in the identifiers of the federal portal. The agency
//!   is the option, else `dldb:<host>` of the first address the file names for itself, so that services and locations of
//!   one directory find each other whichever file comes first; else `dldb`.
//! - `public: false` belongs into the collection `internal`. What others say about it must go there, too, so each part that
//!   names another element is a [`Mention`](crate::Mention).
//! - `false`, `"false"`, `"0"`, empty texts and the dates 1970-01-01 and 2999-12-31 mean "nothing" there.
//! - What has no field here lies in `extensions.dldb`, under its name there. Left out is only what says nothing: addresses
//!   of booking pages that follow from the ids, check sums, and `lastupdate`, which is the time of the export.

mod office;
mod relation;
mod service;
mod split;
mod texts;
mod values;

use std::io::Read;

use ortsnetz_model::{Finding, Identifier};
use serde_json::{Map, Value};

use crate::finish::{Draft, Named, finish, warning};
use crate::import::{Imported, Options, Rejected};
use crate::mention::COLLECTION_INTERNAL;
use crate::source::Source;
use split::{Piece, Splitter};

/// The scheme of service descriptions (Leistungsbeschreibung).
const SCHEME_SERVICE: &str = "LB";
/// The scheme of organisational units.
const SCHEME_OFFICE: &str = "OE";
/// The agency if a directory names no address of its own.
const AGENCY_DEFAULT: &str = "dldb";
/// The name of what we keep in `extensions`.
const EXTENSION: &str = "dldb";

/// The elements of a file as entries.
pub(crate) struct Elements<R> {
    splitter: Splitter<R>,
    options: Options,
    agency: Option<String>,
}

impl<R: Read> Elements<R> {
    pub(crate) fn new(source: Source<R>, options: Options) -> Self {
        Self { splitter: Splitter::new(source), agency: options.agency.clone(), options }
    }

    pub(crate) fn source(&self) -> &Source<R> {
        self.splitter.source()
    }

    pub(crate) fn next(&mut self) -> Option<Result<Imported, Rejected>> {
        let (line, result) = match self.splitter.next()? {
            Piece::Element { line, bytes } => (line, parse(bytes)),
            Piece::Broken { line, reason } => (line, Err(reason)),
        };
        let result = result.and_then(|element| self.entry(element, line));
        Some(result.map_err(|reason| Rejected { file: self.options.file.clone(), line, reason }))
    }

    fn entry(&mut self, element: Map<String, Value>, line: u64) -> Result<Imported, String> {
        if self.agency.is_none() {
            self.agency = values::host(&element).map(|host| format!("dldb:{host}"));
        }
        let mut record = Record {
            rest: element,
            fields: Map::new(),
            references: Vec::new(),
            mentions: Vec::new(),
            findings: Vec::new(),
            agency: self.agency.clone().unwrap_or_else(|| AGENCY_DEFAULT.into()),
            language: String::new(),
            id: String::new(),
        };
        record.language = record.take_language();
        record.id = values::text(record.rest.shift_remove("id")).ok_or("id: missing")?;
        let internal = matches!(record.rest.shift_remove("public"), Some(Value::Bool(false)));
        if ["address", "geo", "services"].iter().any(|name| record.rest.contains_key(*name)) {
            office::read(&mut record)?;
        } else {
            service::read(&mut record)?;
        }
        record.keep_rest();
        let collection = internal.then(|| COLLECTION_INTERNAL.to_owned());
        let Record { fields, references, mentions, findings, .. } = record;
        finish(Draft { fields, collection, references, mentions, line, findings }, &self.options)
    }
}

fn parse(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(element)) => Ok(element),
        Ok(_) => Err("an element must be a JSON object".into()),
        Err(error) => Err(crate::jsonl::broken_json(&error)),
    }
}

/// One element while it is read: what is understood moves from `rest` to `fields`.
struct Record {
    rest: Map<String, Value>,
    fields: Map<String, Value>,
    references: Vec<(String, Identifier)>,
    mentions: Vec<Named>,
    findings: Vec<Finding>,
    agency: String,
    language: String,
    id: String,
}

impl Record {
    fn take_language(&mut self) -> String {
        let locale = self.rest.get("meta").and_then(|meta| meta.get("locale")).and_then(Value::as_str).unwrap_or("de");
        let language = locale.split(['_', '-']).next().unwrap_or_default().to_ascii_lowercase();
        if (2..=3).contains(&language.len()) && language.bytes().all(|c| c.is_ascii_lowercase()) {
            language
        } else {
            "de".into()
        }
    }

    fn warn(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.findings.push(warning(path, message));
    }

    /// A text in the language of the record.
    fn in_language(&self, value: impl Into<Value>) -> Value {
        let mut map = Map::new();
        map.insert(self.language.clone(), value.into());
        Value::Object(map)
    }

    fn identifier(&self, scheme: &str, value: &str) -> Identifier {
        Identifier { agency: self.agency.clone(), scheme: scheme.into(), value: value.into() }
    }

    /// Notes that a part names another element.
    fn mention(&mut self, path: &'static str, key: Option<String>, scheme: &str, id: &str) {
        let target = self.identifier(scheme, id);
        self.mentions.push(Named { path, key, target });
    }

    /// Puts a value into `extensions.dldb`.
    fn keep(&mut self, name: &str, value: Value) {
        let extensions = self.fields.entry("extensions").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(extensions) = extensions {
            let ours = extensions.entry(EXTENSION).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(ours) = ours {
                ours.insert(name.into(), value);
            }
        }
    }

    /// Keeps what nobody understood, if it says anything.
    fn keep_rest(&mut self) {
        let mut rest = Value::Object(std::mem::take(&mut self.rest));
        if values::strip(&mut rest, 0)
            && let Value::Object(rest) = rest
        {
            for (name, value) in rest {
                self.keep(&name, value);
            }
        }
    }
}
