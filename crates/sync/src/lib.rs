//! The replication engine: which records a node lacks, where to get them, when they count.
//!
//! *Architecture invariant*: `sync` knows no clock, no socket, no disk, no thread. Time and chance come in as arguments,
//! maps are sorted, so the same events give the same effects everywhere.
//!
//! 1. Two nodes greet with the hash of what each may give the other. Equal to what was taken in before: done.
//! 2. Otherwise they tell how far they have each feed, and the one behind asks for pages.
//! 3. A record counts when it was accepted outside (signature, changes) and stored; only then the cursor moves.
//! 4. The newest record of a feed carries the root of its hash tree: what was left out or altered shows, and is repaired.
//!
//! ```text
//! engine.handle(now, Event::Frame { node, bytes });
//! while let Some(effect) = engine.poll_effect() {
//!     match effect {
//!         Effect::Send { node, frame, lane } => net.send(node, frame, lane),
//!         Effect::Accept { op, items, .. } => pool.verify(op, items),        // answered by Event::Accepted
//!         Effect::Store { op, batch } => store.write(op, batch),             // answered by Event::Stored
//!         ...
//!     }
//! }
//! ```

mod alarm;
mod effect;
mod engine;
mod event;
mod feed;
mod frame;
mod index;
pub mod limits;
mod organisation;
mod snapshot;
mod status;
pub mod wire;

pub use alarm::Alarm;
pub use effect::{
    CloseReason, CompareError, Comparison, Effect, Item, Lane, OfferHash, PublishError, Query, StoreBatch,
};
pub use engine::{Config, Engine};
pub use event::{Event, OpId, Peer, PublishItem, Published, Verdict};
pub use frame::FrameError;
pub use index::Row;
pub use organisation::{Organisation, Partnership, Sharing};
pub use snapshot::Snapshot;
pub use status::{Counters, FeedStatus, PeerStatus, Proof};
