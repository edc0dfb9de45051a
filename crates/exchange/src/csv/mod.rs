//! Tables with a mapping.

use std::io::{self, Read, Write};
use std::str::FromStr;

use ortsnetz_model::Entry;

use crate::import::{Imported, OpenError, Options, Rejected};
use crate::source::Source;

/// Which columns of a table mean what.
#[derive(Clone, Debug)]
pub struct Mapping {}

/// A mapping file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("mapping: {0}")]
pub struct MappingError(pub String);

impl FromStr for Mapping {
    type Err = MappingError;
    fn from_str(_text: &str) -> Result<Self, MappingError> {
        unimplemented!()
    }
}

pub(crate) struct Rows<R> {
    source: Source<R>,
}

impl<R: Read> Rows<R> {
    pub(crate) fn new(source: Source<R>, _options: Options) -> Result<Self, OpenError> {
        Ok(Self { source })
    }
    pub(crate) fn source(&self) -> &Source<R> {
        &self.source
    }
    pub(crate) fn next(&mut self) -> Option<Result<Imported, Rejected>> {
        unimplemented!()
    }
}

/// The columns of a CSV export, in this order.
pub const CSV_COLUMNS: &[&str] = &[];

/// Writes entries as CSV with the columns of [`CSV_COLUMNS`].
pub struct CsvWriter<W> {
    out: W,
}

impl<W: Write> CsvWriter<W> {
    /// Writes the header line.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn new(out: W) -> io::Result<Self> {
        Ok(Self { out })
    }

    /// Writes one entry.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&mut self, _entry: &Entry, _collection: &str) -> io::Result<()> {
        unimplemented!()
    }

    /// Everything written, and the writer back.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}
