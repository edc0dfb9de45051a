//! What the owner has not taken yet: one bounded queue per peer. Whose events cost the owner least time so far comes first,
//! so that nobody waits for another's flood, nor for another's costly frames.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use ortsnetz_model::NodeId;

use crate::config::Limits;
use crate::event::{NetEvent, Reason};

/// Most events that belong to no connection; further ones are dropped until the owner takes some.
const GENERAL_EVENTS_MAX: usize = 1024;

/// Most events of one peer beside its frames, before no new connection of it is taken.
const PEER_NOTICES_MAX: usize = 64;

/// Events by peer, and those of no peer.
#[derive(Default)]
pub(crate) struct Inbox {
    general: VecDeque<NetEvent>,
    peers: HashMap<NodeId, PeerQueue>,
    /// Peers with events, each once, in the order of their turn: by the time spent on them, then by who waits longer.
    turns: BTreeSet<(u64, u64, NodeId)>,
    /// Microseconds spent on peers, where that is more than on who has its turn now.
    spent: HashMap<NodeId, u64>,
    /// What was spent on the peer that had its turn last: who comes anew begins here, so nobody saves up time.
    level: u64,
    count: u64,
}

#[derive(Default)]
struct PeerQueue {
    events: VecDeque<NetEvent>,
    frames: usize,
    bytes: usize,
    /// Its place among the turns.
    turn: (u64, u64),
}

impl Inbox {
    /// Adds an event of no peer; gives it back if too many wait.
    pub(crate) fn push_general(&mut self, event: NetEvent) -> Option<NetEvent> {
        if self.general.len() >= GENERAL_EVENTS_MAX {
            return Some(event);
        }
        self.general.push_back(event);
        None
    }

    /// Adds an event of a peer that is not a frame.
    pub(crate) fn push(&mut self, peer: NodeId, event: NetEvent) {
        let queue = self.queue(peer);
        // A peer that cannot be reached for days is one event, not thousands.
        if matches!(event, NetEvent::DialFailed { .. })
            && matches!(queue.events.back(), Some(NetEvent::DialFailed { .. }))
        {
            queue.events.pop_back();
        }
        queue.events.push_back(event);
    }

    /// Adds a frame of a peer, unless it has too many waiting.
    pub(crate) fn push_frame(&mut self, peer: NodeId, bytes: Vec<u8>, limits: &Limits) -> Result<(), Reason> {
        let (frames, waiting) = self.peers.get(&peer).map_or((0, 0), |queue| (queue.frames, queue.bytes));
        let (frames_after, bytes_after) = (frames + 1, waiting + bytes.len());
        if frames_after > limits.incoming_frames_max || bytes_after > limits.incoming_bytes_max {
            return Err(Reason::Flooded { frames: frames_after, bytes: bytes_after });
        }
        let queue = self.queue(peer);
        (queue.frames, queue.bytes) = (frames_after, bytes_after);
        queue.events.push_back(NetEvent::Frame { peer, bytes });
        Ok(())
    }

    /// Whether a new connection of this peer may add its events.
    pub(crate) fn has_room(&self, peer: &NodeId) -> bool {
        self.peers.get(peer).is_none_or(|queue| queue.events.len() - queue.frames < PEER_NOTICES_MAX)
    }

    /// The next event: those of no peer first, then one of each peer in turn.
    pub(crate) fn pop(&mut self) -> Option<NetEvent> {
        if let Some(event) = self.general.pop_front() {
            return Some(event);
        }
        let (level, _, peer) = self.turns.pop_first()?;
        self.level = self.level.max(level);
        let queue = self.peers.get_mut(&peer)?;
        let event = queue.events.pop_front()?;
        if let NetEvent::Frame { bytes, .. } = &event {
            queue.frames -= 1;
            queue.bytes -= bytes.len();
        }
        if queue.events.is_empty() {
            self.peers.remove(&peer);
        } else {
            self.take_place(peer);
        }
        Some(event)
    }

    /// The owner spent so much time on an event of this peer.
    pub(crate) fn charge(&mut self, peer: NodeId, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let level = self.level;
        let spent = self.spent.entry(peer).or_default();
        *spent = level.max(*spent).saturating_add(micros);
        self.spent.retain(|_, spent| *spent > level);
        if let Some(queue) = self.peers.get(&peer) {
            self.turns.remove(&(queue.turn.0, queue.turn.1, peer));
            self.take_place(peer);
        }
    }

    /// The queue of a peer that is about to get an event.
    fn queue(&mut self, peer: NodeId) -> &mut PeerQueue {
        let next = self.next_turn(&peer);
        self.peers.entry(peer).or_insert_with(|| {
            self.turns.insert((next.0, next.1, peer));
            PeerQueue { turn: next, ..PeerQueue::default() }
        })
    }

    /// Gives a peer with events its next turn.
    fn take_place(&mut self, peer: NodeId) {
        let next = self.next_turn(&peer);
        if let Some(queue) = self.peers.get_mut(&peer) {
            queue.turn = next;
            self.turns.insert((next.0, next.1, peer));
        }
    }

    fn next_turn(&mut self, peer: &NodeId) -> (u64, u64) {
        self.count += 1;
        (self.level.max(self.spent.get(peer).copied().unwrap_or(0)), self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId([1; 32]);
    const B: NodeId = NodeId([2; 32]);

    fn limits(frames: usize, bytes: usize) -> Limits {
        Limits { incoming_frames_max: frames, incoming_bytes_max: bytes, ..Limits::default() }
    }

    fn frames(inbox: &mut Inbox) -> Vec<(NodeId, u8)> {
        std::iter::from_fn(|| inbox.pop())
            .filter_map(|event| match event {
                NetEvent::Frame { peer, bytes } => Some((peer, bytes[0])),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn peers_take_turns_and_keep_their_order() {
        let (mut inbox, limits) = (Inbox::default(), limits(100, 1000));
        for n in 0..3 {
            inbox.push_frame(A, vec![n], &limits).unwrap();
        }
        inbox.push_frame(B, vec![9], &limits).unwrap();
        assert_eq!(frames(&mut inbox), [(A, 0), (B, 9), (A, 1), (A, 2)]);
    }

    #[test]
    fn whose_frames_cost_much_waits_for_those_whose_frames_cost_little() {
        let (mut inbox, limits) = (Inbox::default(), limits(100, 1000));
        for n in 0..4 {
            inbox.push_frame(A, vec![n], &limits).unwrap();
            inbox.push_frame(B, vec![n], &limits).unwrap();
        }
        let mut order = Vec::new();
        while let Some(NetEvent::Frame { peer, bytes }) = inbox.pop() {
            order.push((peer, bytes[0]));
            inbox.charge(peer, Duration::from_micros(if peer == A { 10_000 } else { 10 }));
        }
        assert_eq!(order[..5], [(A, 0), (B, 0), (B, 1), (B, 2), (B, 3)]);
        // Who comes later does not get the time back that it did not use.
        inbox.push_frame(A, vec![4], &limits).unwrap();
        inbox.push_frame(B, vec![4], &limits).unwrap();
        assert_eq!(frames(&mut inbox), [(B, 4), (A, 4)]);
        assert!(inbox.spent.len() <= 2 && inbox.turns.is_empty());
    }

    #[test]
    fn a_peer_that_was_alone_for_long_gives_way_at_once_and_is_not_shut_out() {
        let (mut inbox, limits) = (Inbox::default(), limits(100, 1000));
        for n in 0..50 {
            inbox.push_frame(A, vec![n], &limits).unwrap();
        }
        for _ in 0..20 {
            inbox.pop();
            inbox.charge(A, Duration::from_secs(1));
        }
        for n in 0..3 {
            inbox.push_frame(B, vec![n], &limits).unwrap();
        }
        let mut order = Vec::new();
        for _ in 0..6 {
            let Some(NetEvent::Frame { peer, .. }) = inbox.pop() else { panic!("there are frames") };
            order.push(peer);
            inbox.charge(peer, Duration::from_secs(1));
        }
        assert_eq!(order, [B, A, B, A, B, A], "in turn again, from the first frame on");
    }

    #[test]
    fn frames_at_the_limit_fit_and_one_more_floods() {
        let (mut inbox, limits) = (Inbox::default(), limits(2, 1000));
        inbox.push_frame(A, vec![1], &limits).unwrap();
        inbox.push_frame(A, vec![2], &limits).unwrap();
        assert_eq!(inbox.push_frame(A, vec![3], &limits), Err(Reason::Flooded { frames: 3, bytes: 3 }));
        inbox.push_frame(B, vec![1], &limits).unwrap();
        inbox.pop();
        inbox.push_frame(A, vec![3], &limits).unwrap();
    }

    #[test]
    fn bytes_at_the_limit_fit_and_one_more_floods() {
        let (mut inbox, limits) = (Inbox::default(), limits(100, 10));
        inbox.push_frame(A, vec![1; 10], &limits).unwrap();
        assert_eq!(inbox.push_frame(A, vec![1], &limits), Err(Reason::Flooded { frames: 2, bytes: 11 }));
        assert_eq!(inbox.push_frame(B, vec![1; 11], &limits), Err(Reason::Flooded { frames: 1, bytes: 11 }));
        assert_eq!(frames(&mut inbox), [(A, 1)]);
    }

    #[test]
    fn events_of_no_peer_are_bounded() {
        let mut inbox = Inbox::default();
        let event = || NetEvent::Listening { address: String::new() };
        for _ in 0..GENERAL_EVENTS_MAX {
            assert!(inbox.push_general(event()).is_none());
        }
        assert!(inbox.push_general(event()).is_some());
    }

    #[test]
    fn notices_of_a_peer_are_bounded_and_failed_dials_are_one() {
        let mut inbox = Inbox::default();
        for _ in 0..1000 {
            inbox.push(A, NetEvent::DialFailed { peer: A, reason: String::new() });
        }
        assert!(inbox.has_room(&A));
        for _ in 1..PEER_NOTICES_MAX {
            assert!(inbox.has_room(&A));
            inbox.push(A, NetEvent::Writable { peer: A });
        }
        assert!(!inbox.has_room(&A));
        assert!(inbox.has_room(&B));
    }
}
