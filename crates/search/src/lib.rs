//! Finds: a tantivy index that can be thrown away and rebuilt, and the table of places.
//!
//! 1. [`Index::open`] says whether the index fits the store or must be fed again.
//! 2. [`Index::update`] takes projections of entries, [`Index::commit`] makes them durable together with the store's
//!    cursor.
//! 3. [`Reader::search`] answers [`Query`]s while that goes on.
//! 4. [`Places::resolve`] turns a name, postal code, AGS or ARS into candidates, and never chooses.
//!
//! *Architecture invariant*: `search` computes nothing that is not in its arguments: it knows no clock, no partner and
//! no signature. Who may read what, and who speaks for a place, comes in with every question.

mod area;
mod document;
mod facets;
mod fields;
mod fold;
mod index;
mod lexicon;
pub mod limits;
mod marks;
mod places;
mod plan;
mod query;
mod rank;
mod reader;
mod thesaurus;
mod tokenizer;
mod vocabulary;
mod word;

pub use document::{Change, Document};
pub use index::{Index, OpenState, Opened, RebuildReason, SearchError};
pub use marks::{Marked, Marker};
pub use places::{
    District, FormerKey, Imported, Matched, Place, PlaceAnswer, PlaceCandidate, PlaceError, PlaceKeys, PlaceKind,
    PlaceReject, Places, Removed,
};
pub use query::{Facets, Hit, Hits, How, Matching, PlaceFilter, Query, Reason, Standing, Why};
pub use reader::Reader;
