//! The words: ids, kinds, fields, checks, and how an entry lives in automerge.
//!
//! *Architecture invariant*: `model` knows no signature, no disk and no network; time comes in as an argument.

mod blocks;
mod build;
mod checks;
mod classify;
mod codes;
pub mod dates;
mod document;
mod entry;
mod flat;
mod flatten;
mod ids;
mod import;
pub mod limits;
mod matching;
mod normal;
mod order;
pub mod patch;
mod path;
mod planned;
mod scheduled;
pub mod schema;

pub use blocks::one_line;
pub use checks::{Finding, Severity, check, check_companion, may_be_published};
pub use codes::{Ars, CodeError, Kind, Leika};
pub use dates::Date;
pub use document::{
    Actor, Chunk, ChunkInfo, Conflict, ConflictValue, Document, DocumentError, HistoryItem, Ids, LastChange,
};
pub use entry::{Entry, EntryError, Identifier, in_language};
pub use ids::{CollectionId, DocumentId, EntryId, FeedId, Hash, IdError, NodeId, OrgId, Position};
pub use import::merge_import;
pub use scheduled::{as_of, due_dates};
