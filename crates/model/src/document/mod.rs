//! How an entry lives in automerge.

use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::{Automerge, ChangeHash, ReadDoc, ScalarValue};
use rand::RngCore;
use serde_json::Value;

use crate::entry::Entry;
use crate::flat::{Flat, Node};
use crate::ids::{EntryId, Hash};
use crate::limits::{DOCUMENT_OPERATIONS_MAX, HEADS_MAX, HISTORY_CHANGES_MAX};
use crate::{build, flatten, planned};

mod chunk;
mod conflict;
mod first;
mod history;
mod properties;
#[cfg(test)]
mod tests;
mod write;

pub use chunk::{Actor, Chunk, ChunkInfo};
pub(crate) use history::{readable, without_ids};

/// Where ids of new list elements and blocks come from.
pub enum Ids<'a> {
    /// A person creates them.
    Random(&'a mut dyn RngCore),
    /// An import creates them: derived from (entry, path, source text, occurrence), so that two nodes importing the same
    /// file create the same.
    Imported(EntryId),
}

/// Why a document could not be read or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Stored bytes are damaged or not ours.
    #[error("document cannot be read: {0}")]
    Unreadable(String),
    /// A change builds on changes that are not there.
    #[error("document lacks {} change(s) its history builds on", .0.len())]
    Incomplete(Vec<Hash>),
    /// The heads asked for are not in this document.
    #[error("document does not hold the version {0}")]
    UnknownVersion(Hash),
    /// There is no conflict at this path, or it has fewer values.
    #[error("no conflict at {path} with a value number {n}")]
    NoSuchConflict {
        /// The path asked for.
        path: String,
        /// The number of the value asked for.
        n: usize,
    },
    /// More than a document may hold; see `limits`.
    #[error("{what} is {found}, at most {limit} are allowed")]
    TooLarge {
        /// Which limit.
        what: &'static str,
        /// What would be there.
        found: usize,
        /// What may be.
        limit: usize,
    },
    /// automerge failed on our own data.
    #[error("automerge failed: {0}")]
    Automerge(String),
}

/// Two or more people changed the same value without knowing of each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// Where: `fees.0.amount`, or `texts.notes.de#<block>` in a text.
    pub path: String,
    /// The values, in the same order on every node.
    pub values: Vec<ConflictValue>,
}

/// One of the values of a conflict.
#[derive(Clone, Debug, PartialEq)]
pub struct ConflictValue {
    /// What was written; `Null`: the element or block was deleted.
    pub value: Value,
    /// Who wrote it.
    pub actor: Actor,
    /// In which change.
    pub change: Hash,
    /// When, by the writer's clock: milliseconds since 1970, whole seconds.
    pub at: u64,
}

/// One change in the history of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryItem {
    /// The version after this change alone: its hash.
    pub heads: Vec<Hash>,
    /// Who made it.
    pub actor: Actor,
    /// When, by the maker's clock: milliseconds since 1970, whole seconds.
    pub at: u64,
    /// The paths it wrote, sorted.
    pub paths: Vec<String>,
}

/// The newest change of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastChange {
    /// Its hash.
    pub hash: Hash,
    /// When, by the maker's clock: milliseconds since 1970, whole seconds.
    pub at: u64,
}

/// An entry as a document that merges.
///
/// What is concurrent and not equal is a conflict, with these rules:
/// - a value changed at two places keeps all its values; the projection shows one, the same on every node;
/// - a value removed at one place and changed at another keeps the change;
/// - an element or block removed at one place and changed at another is gone from the projection, and a conflict between
///   `Null` and the change, which can be resolved either way;
/// - values added to or removed from a list of values never conflict, nor does the order of elements.
#[derive(Clone)]
pub struct Document {
    automerge: Automerge,
    /// How many changes the actor has made, once that is known.
    sequence: Option<u64>,
}

impl Document {
    /// A document that holds only the fixed first change.
    pub fn new(actor: &Actor) -> Self {
        let mut document = Self { automerge: first::document(), sequence: None };
        document.set_actor(actor);
        document
    }

    /// The hash of the fixed first change, which everybody has and nobody sends.
    pub fn first_change() -> Hash {
        first::HASH
    }

    /// A document from our own stored chunks, in any order. The result writes as nobody: call `set_actor` before
    /// changing it.
    pub fn from_chunks<'a>(chunks: impl IntoIterator<Item = &'a Chunk>) -> Result<Self, DocumentError> {
        let mut document = Self { automerge: first::document(), sequence: None };
        document.add(chunks)?;
        Ok(document)
    }

    /// Adds chunks, in any order; those already held are ignored. On an error nothing has changed. Chunks of a stranger
    /// pass the gate in `trust` first.
    pub fn apply<'a>(&mut self, chunks: impl IntoIterator<Item = &'a Chunk>) -> Result<(), DocumentError> {
        let mut next = self.clone();
        next.add(chunks)?;
        *self = next;
        Ok(())
    }

    fn add<'a>(&mut self, chunks: impl IntoIterator<Item = &'a Chunk>) -> Result<(), DocumentError> {
        let mut changes = Vec::new();
        for chunk in chunks {
            let change = chunk.parse()?;
            if *change.actor_id() == first::actor() {
                return Err(DocumentError::Unreadable("a change by the actor of the fixed first change".into()));
            }
            changes.push(change);
        }
        self.sequence = None;
        guarded(|| self.automerge.apply_changes(changes).map_err(failed))?;
        self.know_actor();
        let missing = self.automerge.get_missing_deps(&[]);
        if !missing.is_empty() {
            return Err(DocumentError::Incomplete(missing.iter().map(|hash| Hash(hash.0)).collect()));
        }
        let stats = self.automerge.stats();
        within("number of heads", self.automerge.get_heads().len(), HEADS_MAX)?;
        within("number of changes", usize::try_from(stats.num_changes).unwrap_or(usize::MAX), HISTORY_CHANGES_MAX)?;
        within("number of operations", usize::try_from(stats.num_ops).unwrap_or(usize::MAX), DOCUMENT_OPERATIONS_MAX)
    }

    /// The whole document, compact and not compressed; for `load_saved` only, it never travels.
    pub fn save(&self) -> Vec<u8> {
        self.automerge.save_nocompress()
    }

    /// A document from what `save` made, here, before. The result writes as nobody: call `set_actor` first.
    pub fn load_saved(bytes: &[u8]) -> Result<Self, DocumentError> {
        let automerge =
            guarded(|| Automerge::load(bytes).map_err(|error| DocumentError::Unreadable(error.to_string())))?;
        let document = Self { automerge, sequence: None };
        if !document.contains(&[first::HASH]) {
            return Err(DocumentError::Unreadable("the fixed first change is missing".into()));
        }
        Ok(document)
    }

    /// Who makes the next changes.
    pub fn set_actor(&mut self, actor: &Actor) {
        self.automerge.set_actor(actor.id());
        self.sequence = None;
    }

    /// Tells automerge to look the actor up among those of the changes just applied.
    fn know_actor(&mut self) {
        let actor = self.automerge.get_actor().clone();
        self.automerge.set_actor(actor);
    }

    /// The newest changes, sorted; of an empty document the first change.
    pub fn heads(&self) -> Vec<Hash> {
        self.automerge.get_heads().iter().map(|hash| Hash(hash.0)).collect()
    }

    /// Whether all these changes are in the document.
    pub fn contains(&self, heads: &[Hash]) -> bool {
        heads.iter().all(|hash| self.automerge.get_change_meta_by_hash(&ChangeHash(hash.0)).is_some())
    }

    /// The entry as it stands, without `id` and `companions`. Never fails: what this version cannot read is left out.
    pub fn project(&self) -> Entry {
        Entry(build::entry(&self.properties()))
    }

    /// The entry as it stood at a version.
    pub fn project_at(&self, heads: &[Hash]) -> Result<Entry, DocumentError> {
        Ok(Entry(build::entry(&self.properties_at(heads)?)))
    }

    /// Makes one change after which `project()` equals `target` (without its `id` and `companions`), writing only what
    /// differs. `None` if nothing differs. `at` is milliseconds since 1970.
    ///
    /// One thing may differ afterwards: scheduled changes that the target has as they were stay as they are stored, and
    /// so follow the elements they mean.
    pub fn update(&mut self, target: &Entry, at: u64, ids: &mut Ids<'_>) -> Result<Option<Chunk>, DocumentError> {
        let current = self.properties();
        let kind = target.kind();
        let mut wanted = flatten::entry(&target.0, &kind, &Node::of(&current), ids);
        planned::flatten(&target.0, &kind, &current, &mut wanted, ids);
        self.write(properties::difference(&current, wanted, &kind), at)
    }

    /// Writes the version `heads` of this working document into the published document as one change: every property
    /// that differs there or has more than one value. Ids of elements and blocks stay. `None` if nothing differs.
    pub fn publish_into(&self, heads: &[Hash], published: &mut Self, at: u64) -> Result<Option<Chunk>, DocumentError> {
        let wanted = properties::without_orphans(self.properties_at(heads)?);
        let (current, several) = published.properties_and_conflicts();
        let mut writes: Vec<(String, Option<ScalarValue>)> = Vec::new();
        for key in current.keys().filter(|key| !wanted.contains_key(*key)) {
            writes.push((key.clone(), None));
        }
        for (key, value) in wanted {
            if current.get(&key) != Some(&value) || several.contains(&key) {
                writes.push((key, Some(value)));
            }
        }
        published.write(writes, at)
    }

    /// How many operations the document holds.
    pub fn operations(&self) -> u64 {
        self.automerge.stats().num_ops
    }

    /// Paths of scheduled changes whose target is gone, with their date: nothing happens there on the day, and a person
    /// should know.
    pub fn lost_schedules(&self) -> Vec<String> {
        let flat: Flat = self.properties();
        let base = build::bare(&Node::of(&flat));
        planned::project(&flat, &base).1
    }
}

/// Runs automerge code so that a panic in it is an error.
fn guarded<T>(run: impl FnOnce() -> Result<T, DocumentError>) -> Result<T, DocumentError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(DocumentError::Automerge("it panicked".into())))
}

fn failed(error: automerge::AutomergeError) -> DocumentError {
    DocumentError::Automerge(error.to_string())
}

fn within(what: &'static str, found: usize, limit: usize) -> Result<(), DocumentError> {
    if found > limit { Err(DocumentError::TooLarge { what, found, limit }) } else { Ok(()) }
}
