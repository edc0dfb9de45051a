//! Reading: options in, a stream of entries and rejections out.

use std::io::Read;

use ortsnetz_model::{Ars, Entry, EntryId, Finding, Identifier};

use crate::csv::{self, Mapping};
use crate::mention::Mention;
use crate::source::Source;
use crate::{Format, Resolver, dldb, format, jsonl};

/// The collection of what says nothing else.
pub const COLLECTION_DEFAULT: &str = "public";

/// How to read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whose entries they become, and which ids are known already.
    pub resolver: Resolver,
    /// Name of the file, for messages and for telling the format.
    pub file: String,
    /// `None`: look at the name and the first bytes.
    pub format: Option<Format>,
    /// Which columns mean what; needed for CSV.
    pub mapping: Option<Mapping>,
    /// Overrides the collection of the line and of the format.
    pub collection: Option<String>,
    /// For entries without a place of their own (`valid_for`; of a responsibility and a notice: `area`).
    pub valid_for: Option<Ars>,
    /// Agency of the identifiers of a dldb file; by default `dldb:<host>` of the first address in it.
    pub agency: Option<String>,
}

impl Options {
    /// Everything else by default.
    pub fn new(resolver: Resolver, file: impl Into<String>) -> Self {
        Self {
            resolver,
            file: file.into(),
            format: None,
            mapping: None,
            collection: None,
            valid_for: None,
            agency: None,
        }
    }
}

/// One entry read.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// Its id here.
    pub id: EntryId,
    /// The entry with `id` and, if it has any, `companions`.
    pub entry: Entry,
    /// Name of its home collection.
    pub collection: String,
    /// Its name in the system it comes from.
    pub identifier: Option<Identifier>,
    /// Parts that speak of other entries and are no business of readers who do not read those. Told by dldb, which says
    /// of each entry whether it is public.
    pub mentions: Vec<Mention>,
    /// Line on which it begins, from 1.
    pub line: u64,
    /// Doubts; none of them is an error.
    pub findings: Vec<Finding>,
}

/// One record not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {reason}")]
pub struct Rejected {
    /// Name of the file.
    pub file: String,
    /// Line on which the record begins, from 1.
    pub line: u64,
    /// Why, in one line.
    pub reason: String,
}

/// Why nothing of a file can be read.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The source does not answer.
    #[error("could not read {file}: {error}")]
    Read {
        /// Name of the file.
        file: String,
        /// What went wrong.
        error: std::io::Error,
    },
    /// We can tell what it is, and cannot read it yet.
    #[error("{file} is XZuFi (XML), which is not supported yet; import JSON Lines, dldb or CSV")]
    Xzufi {
        /// Name of the file.
        file: String,
    },
    /// We cannot tell what it is.
    #[error("could not tell the format of {file}; say --format jsonl, dldb or csv")]
    Unknown {
        /// Name of the file.
        file: String,
    },
    /// CSV without a mapping.
    #[error("{file} is CSV and needs --mapping FILE, which says what its columns mean")]
    NoMapping {
        /// Name of the file.
        file: String,
    },
    /// The header line of a CSV file and the mapping do not fit.
    #[error("{file}: {reason}")]
    Header {
        /// Name of the file.
        file: String,
        /// What is wrong.
        reason: String,
    },
}

/// The entries of one file, one after the other. Needs room for one record, whatever the length of the file. The same
/// bytes with the same options always give the same items.
pub struct Import<R> {
    format: Format,
    records: Records<R>,
}

enum Records<R> {
    JsonLines(jsonl::Lines<R>),
    Dldb(dldb::Elements<R>),
    Csv(csv::Rows<R>),
}

/// Starts reading entries from `reader`.
///
/// # Errors
/// If nothing of it can be read: see [`OpenError`]. Everything later is rejected record by record.
pub fn read<R: Read>(reader: R, options: Options) -> Result<Import<R>, OpenError> {
    let file = options.file.clone();
    let mut source = Source::new(reader);
    let start = source.peek().map_err(|error| OpenError::Read { file: file.clone(), error })?;
    let format = match options.format.or_else(|| format::detect(&file, start)) {
        None => return Err(OpenError::Unknown { file }),
        Some(Format::Xzufi) => return Err(OpenError::Xzufi { file }),
        Some(format) => format,
    };
    let records = match format {
        Format::Dldb => Records::Dldb(dldb::Elements::new(source, options)),
        Format::Csv => Records::Csv(csv::Rows::new(source, options)?),
        Format::JsonLines | Format::Xzufi => Records::JsonLines(jsonl::Lines::new(source, options)),
    };
    Ok(Import { format, records })
}

impl<R: Read> Import<R> {
    /// What it is read as.
    pub fn format(&self) -> Format {
        self.format
    }

    /// How many bytes of the source are done: for a progress bar.
    pub fn bytes_read(&self) -> u64 {
        self.source().position()
    }

    /// How many bytes are held at most at once.
    pub fn buffered_max(&self) -> usize {
        self.source().buffered_max()
    }

    fn source(&self) -> &Source<R> {
        match &self.records {
            Records::JsonLines(lines) => lines.source(),
            Records::Dldb(elements) => elements.source(),
            Records::Csv(rows) => rows.source(),
        }
    }
}

impl<R: Read> Iterator for Import<R> {
    type Item = Result<Imported, Rejected>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.records {
            Records::JsonLines(lines) => lines.next(),
            Records::Dldb(elements) => elements.next(),
            Records::Csv(rows) => rows.next(),
        }
    }
}
