//! What is under way for one feed: pages that wait, one being accepted, one being stored.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ortsnetz_model::{EntryId, Hash, NodeId, Position};
use ortsnetz_trust::record::Equivocation;
use ortsnetz_trust::{Record, SignedRecord};

use crate::effect::{Item, StoreBatch};
use crate::event::{OpId, Verdict};
use crate::wire::PageKind;

/// A page as it came.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) after: Position,
    pub(super) upto: Position,
    pub(super) items: Vec<Item>,
    pub(super) kind: PageKind,
    /// On the wire.
    pub(super) bytes: usize,
}

/// Records that wait to be accepted.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) node: NodeId,
    pub(super) source: Source,
    pub(super) items: Vec<Item>,
    pub(super) bytes: usize,
}

/// Why records came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// As a page; complete from `after` to `upto`.
    Page { after: Position, upto: Position, kind: PageKind },
    /// Asked for singly.
    Want { repair: bool },
}

/// Records being accepted or stored.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) node: NodeId,
    pub(super) source: Source,
    /// Records of the page in order, each with its place among those being accepted.
    pub(super) records: Vec<(Record, Option<usize>)>,
    /// The same for those being accepted.
    pub(super) accepting: Vec<SignedRecord>,
    pub(super) accept: Option<OpId>,
    pub(super) verdicts: Vec<Verdict>,
    /// Records from here on were cut off: held back or too many.
    pub(super) cut_off: bool,
    /// What it counted while it waited.
    pub(super) bytes: usize,
}

impl Work {
    pub(super) fn entries(&self) -> BTreeSet<Option<EntryId>> {
        self.accepting.iter().map(|signed| signed.record().entry).collect()
    }
}

/// A batch being stored, with what it will mean.
#[derive(Debug)]
pub(super) struct Storing {
    /// The records it came from, if it came from some.
    pub(super) work: Option<Work>,
    pub(super) batch: StoreBatch,
}

impl Storing {
    pub(super) fn entries(&self) -> BTreeSet<Option<EntryId>> {
        self.work.as_ref().map(Work::entries).unwrap_or_default()
    }
}

/// A catch-up.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) node: NodeId,
    pub(super) progress_at: u64,
    /// The next page goes on from here.
    pub(super) next: Position,
    /// The last page arrived; what is in the queue completes it.
    pub(super) all_here: bool,
}

/// An entry asked for singly.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) node: NodeId,
    pub(super) have: Vec<Hash>,
    pub(super) repair: bool,
    pub(super) asked_at: u64,
    /// The request went out.
    pub(super) sent: bool,
    /// What came was too much at once and was dropped; the rest of it, still to come, is passed over.
    pub(super) passing: bool,
    /// All of it arrived and is being accepted.
    pub(super) arrived: bool,
    pub(super) record: Option<Vec<u8>>,
    pub(super) chunks: Vec<Vec<u8>>,
    pub(super) bytes: usize,
    /// Peers that could not help.
    pub(super) tried: BTreeSet<NodeId>,
}

impl Wanted {
    /// Whether the answer is still to come.
    pub(super) fn is_open(&self) -> bool {
        self.sent && !self.arrived
    }

    /// Nothing will come from the peer that was asked: another one is.
    pub(super) fn start_again(&mut self) {
        self.tried.insert(self.node);
        (self.sent, self.passing, self.arrived) = (false, false, false);
        (self.record, self.chunks, self.bytes) = (None, Vec::new(), 0);
    }
}

/// The pipeline of a feed.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    pub(super) reading: Option<Reading>,
    pub(super) live: VecDeque<Inbound>,
    pub(super) bulk: VecDeque<Inbound>,
    pub(super) accepting: Option<Work>,
    pub(super) accepted: Option<Work>,
    pub(super) storing: Option<Storing>,
    pub(super) wants: BTreeMap<Option<EntryId>, Wanted>,
    /// The tree differs from the signed totals.
    pub(super) suspicious: bool,
    /// Peers that were audited without success since the tree last changed.
    pub(super) audited: BTreeSet<NodeId>,
    /// When they are audited again, and how long that was put off.
    pub(super) audit_again: (u64, u64),
    /// Before this no peer is audited anew only because it says again what it has.
    pub(super) audit_anew_at: u64,
    /// Peers whose records could not be judged here.
    pub(super) unknown: BTreeSet<NodeId>,
    /// Entries repaired by the audit under way, and from whom.
    pub(super) repaired: BTreeSet<EntryId>,
    /// A record that contradicts one held, until the proof is put together.
    pub(super) contradiction: Option<SignedRecord>,
    /// The proof, until it is stored.
    pub(super) proof: Option<Equivocation>,
    /// Records to be moved beside or forgotten as soon as nothing else is being stored.
    pub(super) tidy: Option<StoreBatch>,
    /// Nothing is read before.
    pub(super) retry_at: u64,
}

impl Pipe {
    /// What is being accepted or stored.
    pub(super) fn works(&self) -> impl Iterator<Item = &Work> {
        let storing = self.storing.as_ref().and_then(|storing| storing.work.as_ref());
        self.accepting.iter().chain(&self.accepted).chain(storing)
    }

    pub(super) fn idle(&self) -> bool {
        self.live.is_empty()
            && self.bulk.is_empty()
            && self.accepting.is_none()
            && self.accepted.is_none()
            && self.storing.is_none()
    }

    /// Whether nothing is worth remembering.
    pub(super) fn is_empty(&self) -> bool {
        self.idle()
            && self.reading.is_none()
            && self.wants.is_empty()
            && !self.suspicious
            && self.unknown.is_empty()
            && self.contradiction.is_none()
            && self.proof.is_none()
            && self.tidy.is_none()
            && self.retry_at == 0
    }

    /// Whether an entry has to come before the catch-up can go on.
    pub(super) fn has_gap(&self) -> bool {
        self.wants.values().any(|wanted| !wanted.repair)
    }
}
