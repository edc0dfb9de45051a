//! The words: ids, kinds, fields, checks, and how an entry lives in automerge.
//!
//! *Architecture invariant*: `model` knows no signature, no disk and no network; time comes in as an argument.

mod ids;

pub use ids::{CollectionId, DocumentId, EntryId, FeedId, Hash, IdError, NodeId, OrgId, Position};
