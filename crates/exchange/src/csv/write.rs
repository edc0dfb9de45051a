//! Entries as a table.

use std::io::{self, Write};

use ortsnetz_model::Entry;
use serde_json::Value;

use super::mapping::Transform;

/// Between the values of a list in one cell.
pub(super) const SEPARATOR: &str = "|";

/// The columns of a CSV export, in this order; each name is the path of the value. What has no column is not exported:
/// only JSON Lines hold everything. Values of a list stand in one cell with `|` between them. Read back without a
/// mapping file, the table gives entries with the same values in these fields.
pub const CSV_COLUMNS: &[&str] = &[
    "id",
    "kind",
    "identifier.agency",
    "identifier.scheme",
    "identifier.value",
    "collection",
    "title.de",
    "alternative_titles.de",
    "keywords.de",
    "leika",
    "texts.summary.de",
    "texts.description.de",
    "texts.required_documents.de",
    "texts.prerequisites.de",
    "texts.procedure.de",
    "texts.legal_basis.de",
    "texts.notes.de",
    "fees.0.kind",
    "fees.0.amount",
    "fees.0.max_amount",
    "fees.0.currency",
    "fees.0.note.de",
    "processing_time.note.de",
    "online_services.0.title.de",
    "online_services.0.url",
    "offices",
    "url",
    "address.street",
    "address.house_number",
    "address.postal_code",
    "address.city",
    "address.lat",
    "address.lon",
    "contacts.0.channel",
    "contacts.0.value",
    "contacts.1.channel",
    "contacts.1.value",
    "contacts.2.channel",
    "contacts.2.value",
    "valid_for",
    "valid_from",
    "valid_until",
    "review.next_review",
    "source.url",
];

/// Writes entries as CSV with the columns of [`CSV_COLUMNS`]: UTF-8, semicolons, a header line.
pub struct CsvWriter<W: Write> {
    out: csv::Writer<W>,
}

impl<W: Write> CsvWriter<W> {
    /// Writes the header line.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn new(out: W) -> io::Result<Self> {
        let mut out = csv::WriterBuilder::new().delimiter(b';').from_writer(out);
        out.write_record(CSV_COLUMNS)?;
        Ok(Self { out })
    }

    /// Writes one entry.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&mut self, entry: &Entry, collection: &str) -> io::Result<()> {
        let cell = |path: &&str| match *path {
            "collection" => collection.to_owned(),
            path => entry.at_path(path).map(cell).unwrap_or_default(),
        };
        Ok(self.out.write_record(CSV_COLUMNS.iter().map(cell))?)
    }

    /// Everything written, and the writer back.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        self.out.into_inner().map_err(|error| io::Error::other(error.to_string()))
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(cell).collect::<Vec<_>>().join(SEPARATOR),
        Value::Null => String::new(),
        value => value.to_string(),
    }
}

/// How a column named by its path is read.
pub(super) fn transform_of(path: &str) -> Transform {
    match path.rsplit('.').next().unwrap_or_default() {
        // Cents, not an amount as people write it.
        "amount" | "max_amount" | "min_days" | "max_days" | "days" => Transform::Integer,
        "lat" | "lon" => Transform::Number,
        "wheelchair" | "elevator" | "closed" => Transform::Flag,
        _ => Transform::Text,
    }
}

/// Whether a column named by its path holds a list.
pub(super) fn is_list(path: &str) -> bool {
    let lists =
        ["leika", "valid_for", "offices", "audience", "area", "districts", "life_events", "topics", "names", "numbers"];
    lists.contains(&path) || path.starts_with("keywords.") || path.starts_with("alternative_titles.")
}
