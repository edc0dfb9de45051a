//! Keeps records, documents and cursors on sled; durable, checked, exportable.
//!
//! *Architecture invariant*: `store` keeps bytes and knows neither signatures nor automerge nor the network; whoever
//! writes has verified before. Only this crate knows the rules under which sled does not lose data.
//!
//! 1. [`Store::open`] locks the directory, finishes what a crash interrupted and, if the database is damaged, rebuilds
//!    it from the own log.
//! 2. A [`Batch`] holds everything one state change writes. Each row is [`Origin::Own`] (no partner can give it back;
//!    it also goes to the own log) or [`Origin::Foreign`].
//! 3. [`Store::commit`] and [`Store::submit`] answer when the batch is on disk, whole; a crash leaves all of it or
//!    nothing.
//! 4. Reads see what was committed, in the calling thread, without waiting for writers.
//!
//! ```
//! use ortsnetz_model::OrgId;
//! use ortsnetz_store::{Batch, Key, Origin, Store};
//!
//! let store = Store::memory();
//! let mut batch = Batch::new(Origin::Own);
//! batch.put(Key::Partner(OrgId([7; 32])), b"Stadt Siegburg");
//! store.commit(batch)?;
//! assert_eq!(store.get(&Key::Partner(OrgId([7; 32])))?.unwrap(), b"Stadt Siegburg");
//! # Ok::<(), ortsnetz_store::StoreError>(())
//! ```

mod background;
mod batch;
mod cached;
mod check;
mod check_log;
mod chunk;
mod compact;
mod copy;
mod dictionary;
mod directory;
mod engine;
mod error;
mod export;
mod frame;
mod key;
mod log;
mod open;
mod prepare;
mod read;
mod shared;
mod state;
mod store;
mod table;
mod types;
mod usage;
mod value;
mod writer;

pub use background::in_background;
pub use batch::{Batch, Origin};
pub use cached::CACHED_BYTES_MAX;
pub use error::StoreError;
pub use export::OwnExport;
pub use key::{Key, Range, Side};
pub use prepare::BATCH_BYTES_MAX;
pub use store::Store;
pub use table::KEY_BYTES_MAX;
pub use types::{
    Check, Committed, DISK_FREE_MIN, Document, OpenReport, Options, Problem, Record, RecordFacts, Syncs, Usage,
    Verifier,
};
pub use usage::{AMPLIFICATION_MAX, COMPACT_BYTES_MIN};
pub use value::VALUE_BYTES_MAX;
pub use writer::QUEUE_BATCHES_MAX;
