//! The mapping file: which columns of a table mean what.

use std::collections::BTreeMap;
use std::str::FromStr;

use ortsnetz_model::Kind;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::limits::{COLUMNS_MAX, MAPPING_BYTES_MAX};

/// Which columns of a table mean what. Read from TOML:
///
/// ```
/// let mapping: ortsnetz_exchange::Mapping = r#"
/// kind = "service"                    # or a column with path = "kind"
/// collection = "public"               # optional, also as a column
/// delimiter = ";"                     # optional: found in the header line
/// encoding = "windows-1252"           # optional: utf-8 or windows-1252, found in the bytes
///
/// [identifier]                        # which column tells rows apart
/// agency = "L100042"
/// scheme = "LB"
/// column = "Nr"
///
/// [constants]                         # the same in every entry
/// "source.url" = "https://example.org/leistungen.csv"
///
/// [[columns]]
/// name = "Bezeichnung"                # as in the header line
/// path = "title.de"
/// required = true                     # rows without it are rejected
///
/// [[columns]]
/// name = "Gebühr"
/// path = "fees.0.amount"
/// as = "money"                        # text, html, money, integer, number, date, flag
///
/// [[columns]]
/// name = "Zielgruppe"
/// path = "audience"
/// separator = "/"                     # several values in one cell
/// values = { "Bürger" = "citizen", "Betrieb" = "business" }
///
/// [[columns]]
/// name = "Amt"
/// path = "offices"
/// separator = ","
/// reference = { scheme = "OE" }       # values of identifiers; agency as above unless given
/// "#.parse()?;
/// # Ok::<(), ortsnetz_exchange::MappingError>(())
/// ```
///
/// Without a mapping the header line must consist of paths, as in our own export.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    pub(super) kind: Option<String>,
    pub(super) collection: Option<String>,
    pub(super) delimiter: Option<char>,
    pub(super) encoding: Option<Encoding>,
    pub(super) identifier: Option<Key>,
    pub(super) constants: BTreeMap<String, toml::Value>,
    pub(super) columns: Vec<Column>,
}

/// A mapping file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("mapping: {0}")]
pub struct MappingError(pub String);

/// How bytes become text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Encoding {
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "windows-1252")]
    Windows1252,
}

/// Where the identifier comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    pub(super) agency: String,
    pub(super) scheme: String,
    pub(super) column: String,
}

/// One column.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) path: String,
    #[serde(rename = "as")]
    pub(super) transform: Transform,
    pub(super) separator: Option<String>,
    pub(super) values: BTreeMap<String, String>,
    pub(super) reference: Option<Reference>,
    pub(super) required: bool,
}

/// The cell holds values of identifiers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reference {
    pub(super) agency: Option<String>,
    pub(super) scheme: String,
}

/// What a cell becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Transform {
    #[default]
    Text,
    Html,
    Money,
    Integer,
    Number,
    Date,
    Flag,
}

/// Reads a mapping file; an error names its line.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, MappingError> {
    if text.len() > MAPPING_BYTES_MAX {
        return Err(MappingError(format!("it has {} bytes, {MAPPING_BYTES_MAX} are allowed", text.len())));
    }
    toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        MappingError(format!("line {line}: {}", error.message().replace('\n', " ")))
    })
}

impl FromStr for Mapping {
    type Err = MappingError;

    fn from_str(text: &str) -> Result<Self, MappingError> {
        let mapping: Self = read(text)?;
        mapping.check()?;
        Ok(mapping)
    }
}

impl Mapping {
    fn check(&self) -> Result<(), MappingError> {
        let fail = |text: String| Err(MappingError(text));
        if self.columns.is_empty() || self.columns.len() > COLUMNS_MAX {
            return fail(format!("it must have 1 to {COLUMNS_MAX} [[columns]], not {}", self.columns.len()));
        }
        if let Some(kind) = self.kind.as_deref().filter(|kind| !Kind::from(*kind).is_known()) {
            return fail(format!("kind {kind:?} is not one we know"));
        }
        if self.kind.is_none() && self.columns.iter().all(|column| column.path != "kind") {
            return fail("it must say the kind, or a column with path = \"kind\"".into());
        }
        if self.delimiter.is_some_and(|delimiter| !delimiter.is_ascii() || matches!(delimiter, '"' | '\n' | '\r')) {
            return fail("delimiter must be one ASCII character".into());
        }
        for column in &self.columns {
            if column.name.is_empty() || column.path.is_empty() {
                return fail("each of [[columns]] needs a name and a path".into());
            }
            if column.path.split('.').any(str::is_empty) {
                return fail(format!("{:?} is no path", column.path));
            }
            if column.separator.as_deref() == Some("") {
                return fail(format!("column {:?}: the separator is empty", column.name));
            }
            let agency = self.identifier.is_some() || column.reference.as_ref().is_none_or(|to| to.agency.is_some());
            if !agency {
                return fail(format!("column {:?}: the reference needs an agency", column.name));
            }
        }
        Ok(())
    }

    /// For a header line that consists of paths.
    pub(super) fn of_paths<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let columns = names
            .map(|name| Column {
                name: name.into(),
                path: name.into(),
                transform: super::write::transform_of(name),
                separator: super::write::is_list(name).then(|| super::write::SEPARATOR.into()),
                ..Column::default()
            })
            .collect();
        Self { columns, ..Self::default() }
    }
}
