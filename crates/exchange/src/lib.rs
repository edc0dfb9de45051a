//! JSON Lines, CSV and dldb in and out; pure.
//!
//! *Architecture invariant*: `exchange` reads and writes, and opens no file. It gets a [`std::io::Read`] or
//! [`std::io::Write`] and holds one record at a time, whatever the length of the file.
//!
//! [`read`] turns bytes into [`Imported`] entries; a record that cannot be read is [`Rejected`] with its line, and
//! reading goes on. What is doubtful is a finding of the entry. [`JsonLinesWriter`] and [`CsvWriter`] write entries.

mod csv;
mod dldb;
mod export;
mod fees;
mod finish;
mod format;
mod html;
mod identifier;
mod import;
mod jsonl;
pub mod limits;
mod mention;
mod source;

pub use csv::{CSV_COLUMNS, CallEnd, CallMapping, CallRow, CallRows, CsvWriter, Mapping, MappingError, calls};
pub use export::{JsonLinesWriter, sort_key};
pub use format::Format;
pub use html::{Converted, to_commonmark};
pub use identifier::{Resolver, SCHEME_OWN, stand_in};
pub use import::{COLLECTION_DEFAULT, Import, Imported, OpenError, Options, Rejected, read};
pub use mention::{Mention, reveal, withhold};
