//! Timers: a sorted table; a timer that fires looks whether it still has something to do.

use std::collections::BTreeSet;

use ortsnetz_model::{FeedId, NodeId, OrgId};

use super::Engine;

/// What may be due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// Send a beat if nothing else was sent.
    Beat(NodeId),
    /// Close if nothing came.
    Dead(NodeId),
    /// Tell a peer what is new.
    Tell(NodeId),
    /// Write down what was taken in from a peer.
    Remember(NodeId),
    /// Look whether reading, wants and stores of a feed go on.
    Feed(FeedId),
    /// Look whether audits are answered.
    Audits,
    /// Look whether chains came.
    Chains,
    /// Publishing waited long enough for own data.
    FetchBack,
    /// Checkpoints and staleness.
    Daily,
    /// An organisation takes part no more from now on.
    Leaves(OrgId),
}

#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<(u64, Timer)>);

impl Timers {
    pub(super) fn set(&mut self, at: u64, timer: Timer) {
        self.0.insert((at, timer));
    }

    pub(super) fn due(&mut self, now: u64) -> Option<Timer> {
        let (at, _) = self.0.first()?;
        if *at > now { None } else { self.0.pop_first().map(|(_, timer)| timer) }
    }

    pub(super) fn next(&self) -> Option<u64> {
        self.0.first().map(|(at, _)| *at)
    }
}

impl Engine {
    pub(super) fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Beat(node) => self.beat(&node),
            Timer::Dead(node) => self.check_alive(&node),
            Timer::Tell(node) => {
                self.tell.insert(node);
            }
            Timer::Remember(node) => self.remember(&node),
            Timer::Feed(feed) => self.check_feed(feed),
            Timer::Audits => self.check_audits(),
            Timer::Chains => self.check_chains(),
            Timer::FetchBack => self.end_of_patience(),
            Timer::Daily => self.daily(),
            Timer::Leaves(organisation) => self.leaves(&organisation),
        }
    }
}
