//! When to dial whom. Knows no clock and no socket: time comes in, and who is due comes out.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ortsnetz_model::NodeId;
use rand::Rng;

use crate::config::Timing;

/// Most dials under way at once; the others wait for their turn.
pub(crate) const DIALS_MAX: usize = 64;

/// The dialling of all peers.
pub(crate) struct Supervisor {
    timing: Timing,
    peers: HashMap<NodeId, Dialling>,
}

struct Dialling {
    phase: Phase,
    /// How often in a row it did not work.
    failures: u32,
    nudged: Option<Instant>,
    /// Kept out until then: not dialled before.
    not_before: Option<Instant>,
}

enum Phase {
    Waiting {
        until: Instant,
    },
    Dialling,
    /// Over a circuit, something better is tried at `better`.
    Connected {
        since: Instant,
        better: Option<Instant>,
    },
}

/// How a peer is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Over a circuit.
    pub(crate) relayed: bool,
    /// We dialled.
    pub(crate) outbound: bool,
}

/// How soon we dial a peer directly that came to us over a circuit: it could not reach us, but perhaps we reach it.
const RETURN_CALL: Duration = Duration::from_secs(1);

impl Supervisor {
    pub(crate) fn new(timing: Timing) -> Self {
        Self { timing, peers: HashMap::new() }
    }

    /// Replaces the set of peers to dial; new ones are due at once. `connected` says who is connected already.
    pub(crate) fn set(&mut self, nodes: &[NodeId], connected: impl Fn(&NodeId) -> Option<Line>, now: Instant) {
        let mut old = std::mem::take(&mut self.peers);
        for node in nodes {
            let fresh = || Dialling {
                phase: match connected(node) {
                    Some(line) => Phase::Connected { since: now, better: self.timing.better(line, now) },
                    None => Phase::Waiting { until: now },
                },
                failures: 0,
                nudged: None,
                not_before: None,
            };
            self.peers.insert(*node, old.remove(node).unwrap_or_else(fresh));
        }
    }

    /// The peer left the allow list; if it comes back, it is a new one.
    pub(crate) fn forget(&mut self, node: &NodeId) {
        self.peers.remove(node);
    }

    /// A connection to the peer is in use, whoever dialled; perhaps another one than before.
    pub(crate) fn connected(&mut self, node: &NodeId, line: Line, now: Instant) {
        let Some(peer) = self.peers.get_mut(node) else { return };
        let better = self.timing.better(line, now);
        match &mut peer.phase {
            Phase::Connected { better: planned, .. } => *planned = better.and_then(|at| planned.or(Some(at))),
            phase => *phase = Phase::Connected { since: now, better },
        }
    }

    /// Whether a dial of the peer counts as under way.
    pub(crate) fn is_dialling(&self, node: &NodeId) -> bool {
        self.peers.get(node).is_some_and(|peer| matches!(peer.phase, Phase::Dialling))
    }

    /// Peers connected over a circuit that should be dialled directly now. A failure need not be told.
    pub(crate) fn take_better(&mut self, now: Instant) -> Vec<NodeId> {
        let interval = self.timing.direct_interval;
        let mut due = Vec::new();
        for (node, peer) in &mut self.peers {
            if let Phase::Connected { better: Some(at), .. } = &mut peer.phase
                && *at <= now
            {
                *at = now + interval;
                due.push(*node);
            }
        }
        due
    }

    /// The connection in use is gone.
    pub(crate) fn disconnected(&mut self, node: &NodeId, now: Instant, rng: &mut impl Rng) {
        let Some(peer) = self.peers.get_mut(node) else { return };
        if let Phase::Connected { since, .. } = peer.phase {
            if now.duration_since(since) >= self.timing.stable_after {
                peer.failures = 0;
            }
            peer.wait(&self.timing, now, rng);
        }
    }

    /// A dial failed. False if none was under way, or if the peer came in by itself meanwhile.
    pub(crate) fn failed(&mut self, node: &NodeId, now: Instant, rng: &mut impl Rng) -> bool {
        let Some(peer) = self.peers.get_mut(node).filter(|peer| matches!(peer.phase, Phase::Dialling)) else {
            return false;
        };
        peer.wait(&self.timing, now, rng);
        true
    }

    /// Makes a waiting peer due now, unless that happened not long ago.
    pub(crate) fn nudge(&mut self, node: &NodeId, now: Instant) {
        let Some(peer) = self.peers.get_mut(node) else { return };
        let allowed = peer.nudged.is_none_or(|last| now.duration_since(last) >= self.timing.nudge_interval);
        if let Phase::Waiting { until } = &mut peer.phase
            && *until > now
            && allowed
            && peer.not_before.is_none_or(|at| at <= now)
        {
            *until = now;
            peer.nudged = Some(now);
        }
    }

    /// The peer misbehaved: it is not dialled before.
    pub(crate) fn bar(&mut self, node: &NodeId, not_before: Instant) {
        let Some(peer) = self.peers.get_mut(node) else { return };
        peer.not_before = Some(not_before);
        if let Phase::Waiting { until } = &mut peer.phase {
            *until = not_before.max(*until);
        }
    }

    /// Peers to dial now, longest due first; they count as being dialled from here on.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<NodeId> {
        let mut due: Vec<_> = self
            .peers
            .iter()
            .filter_map(|(node, peer)| match peer.phase {
                Phase::Waiting { until } if until <= now => Some((until, *node)),
                _ => None,
            })
            .collect();
        due.sort_unstable();
        due.truncate(self.free_dials());
        for (_, node) in &due {
            if let Some(peer) = self.peers.get_mut(node) {
                peer.phase = Phase::Dialling;
            }
        }
        due.into_iter().map(|(_, node)| node).collect()
    }

    /// When to call [`Self::take_due`] next; `None` until something else happens.
    pub(crate) fn next(&self) -> Option<Instant> {
        if self.free_dials() == 0 {
            return None;
        }
        self.peers
            .values()
            .filter_map(|peer| match peer.phase {
                Phase::Waiting { until } => Some(until),
                Phase::Connected { better, .. } => better,
                Phase::Dialling => None,
            })
            .min()
    }

    fn free_dials(&self) -> usize {
        DIALS_MAX - self.peers.values().filter(|peer| matches!(peer.phase, Phase::Dialling)).count().min(DIALS_MAX)
    }
}

impl Timing {
    /// When to try something better than this line, if there is anything.
    fn better(&self, line: Line, now: Instant) -> Option<Instant> {
        let wait = if line.outbound { self.direct_interval } else { RETURN_CALL.min(self.direct_interval) };
        line.relayed.then(|| now + wait)
    }
}

impl Dialling {
    fn wait(&mut self, timing: &Timing, now: Instant, rng: &mut impl Rng) {
        let base = timing.backoff_min.saturating_mul(1 << self.failures.min(16)).min(timing.backoff_max);
        self.failures += 1;
        let spread: Duration = base.mul_f64(rng.random_range(0.5..1.5));
        self.phase = Phase::Waiting { until: self.not_before.map_or(now + spread, |at| at.max(now + spread)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    const A: NodeId = NodeId([1; 32]);
    const DIRECT: Line = Line { relayed: false, outbound: true };

    struct World {
        supervisor: Supervisor,
        now: Instant,
        rng: SmallRng,
    }

    impl World {
        fn new(nodes: &[NodeId]) -> Self {
            let now = Instant::now();
            let mut supervisor = Supervisor::new(Timing::default());
            supervisor.set(nodes, |_| None, now);
            Self { supervisor, now, rng: SmallRng::seed_from_u64(1) }
        }

        /// Lets the due dial fail and returns how long the next one has to wait.
        fn fail(&mut self) -> f64 {
            assert_eq!(self.supervisor.take_due(self.now), [A]);
            assert!(self.supervisor.failed(&A, self.now, &mut self.rng));
            self.wait()
        }

        /// Moves to the next dial and returns how long that was.
        fn wait(&mut self) -> f64 {
            let next = self.supervisor.next().expect("somebody waits");
            let waited = next.duration_since(self.now).as_secs_f64();
            self.now = next;
            waited
        }
    }

    #[test]
    fn the_wait_doubles_from_one_second_to_five_minutes_with_spread() {
        let mut world = World::new(&[A]);
        let mut base: f64 = 1.0;
        for _ in 0..20 {
            let waited = world.fail();
            assert!((base * 0.5..=base * 1.5).contains(&waited), "{waited} s around {base} s");
            base = (base * 2.0).min(300.0);
        }
    }

    #[test]
    fn a_stable_connection_resets_the_wait_and_a_short_one_does_not() {
        for (lived, longest) in [(60, 1.5), (59, 48.0)] {
            let mut world = World::new(&[A]);
            for _ in 0..5 {
                world.fail();
            }
            world.supervisor.take_due(world.now);
            world.supervisor.connected(&A, DIRECT, world.now);
            world.now += Duration::from_secs(lived);
            world.supervisor.disconnected(&A, world.now, &mut world.rng);
            let waited = world.wait();
            assert!(waited <= longest && waited >= longest / 3.0, "lived {lived} s, waited {waited} s");
        }
    }

    #[test]
    fn a_nudge_shortens_the_wait_at_most_once_a_minute() {
        let mut world = World::new(&[A]);
        for _ in 0..9 {
            world.fail();
        }
        world.supervisor.take_due(world.now);
        world.supervisor.failed(&A, world.now, &mut world.rng);
        world.supervisor.nudge(&A, world.now);
        assert_eq!(world.supervisor.take_due(world.now), [A]);
        world.supervisor.failed(&A, world.now, &mut world.rng);
        world.now += Duration::from_secs(59);
        world.supervisor.nudge(&A, world.now);
        assert!(world.supervisor.take_due(world.now).is_empty());
        world.now += Duration::from_secs(1);
        world.supervisor.nudge(&A, world.now);
        assert_eq!(world.supervisor.take_due(world.now), [A]);
    }

    #[test]
    fn who_misbehaved_is_not_dialled_before_its_time_not_even_after_a_nudge() {
        let mut world = World::new(&[A]);
        world.supervisor.take_due(world.now);
        world.supervisor.connected(&A, DIRECT, world.now);
        let until = world.now + Duration::from_secs(60);
        world.supervisor.disconnected(&A, world.now, &mut world.rng);
        world.supervisor.bar(&A, until);
        world.supervisor.nudge(&A, world.now);
        assert!(world.supervisor.take_due(until - Duration::from_millis(1)).is_empty());
        assert_eq!(world.supervisor.take_due(until), [A]);
    }

    #[test]
    fn dials_at_once_are_limited() {
        let nodes: Vec<_> = (0..=DIALS_MAX as u8).map(|n| NodeId([n; 32])).collect();
        let mut world = World::new(&nodes);
        let first = world.supervisor.take_due(world.now);
        assert_eq!(first.len(), DIALS_MAX);
        assert!(world.supervisor.take_due(world.now).is_empty());
        assert_eq!(world.supervisor.next(), None);
        world.supervisor.connected(&first[0], DIRECT, world.now);
        assert_eq!(world.supervisor.take_due(world.now).len(), 1);
    }

    #[test]
    fn an_incoming_connection_ends_the_wait_and_a_late_failure_of_our_dial_is_ignored() {
        let mut world = World::new(&[A]);
        world.supervisor.take_due(world.now);
        world.supervisor.connected(&A, DIRECT, world.now);
        assert!(!world.supervisor.failed(&A, world.now, &mut world.rng));
        assert_eq!(world.supervisor.next(), None);
    }

    #[test]
    fn peers_removed_are_not_dialled_and_peers_kept_keep_their_wait() {
        let mut world = World::new(&[A]);
        world.fail();
        world.supervisor.set(&[A], |_| None, world.now);
        assert!(world.supervisor.next().is_some_and(|next| next >= world.now));
        world.supervisor.set(&[], |_| None, world.now);
        assert_eq!(world.supervisor.next(), None);
    }

    #[test]
    fn over_a_circuit_the_peer_is_dialled_directly_now_and_then_and_at_once_if_it_called() {
        for (outbound, first) in [(true, 600), (false, 1)] {
            let mut world = World::new(&[A]);
            world.supervisor.take_due(world.now);
            world.supervisor.connected(&A, Line { relayed: true, outbound }, world.now);
            for wait in [first, 600, 600] {
                assert_eq!(world.wait(), f64::from(wait));
                assert!(world.supervisor.take_due(world.now).is_empty());
                assert_eq!(world.supervisor.take_better(world.now), [A]);
                assert!(world.supervisor.take_better(world.now).is_empty());
                // It is told again that the circuit is in use: that changes nothing.
                world.supervisor.connected(&A, Line { relayed: true, outbound }, world.now);
            }
            world.supervisor.connected(&A, DIRECT, world.now);
            assert_eq!(world.supervisor.next(), None);
        }
    }
}
