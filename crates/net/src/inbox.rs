//! What the owner has not taken yet: one bounded queue per peer, taken in turn, so that nobody waits for another's flood.

use std::collections::{HashMap, VecDeque};

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
    /// Peers with events, each once, in the order of their turn.
    turns: VecDeque<NodeId>,
}

#[derive(Default)]
struct PeerQueue {
    events: VecDeque<NetEvent>,
    frames: usize,
    bytes: usize,
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
        let peer = self.turns.pop_front()?;
        let queue = self.peers.get_mut(&peer)?;
        let event = queue.events.pop_front()?;
        if let NetEvent::Frame { bytes, .. } = &event {
            queue.frames -= 1;
            queue.bytes -= bytes.len();
        }
        if queue.events.is_empty() {
            self.peers.remove(&peer);
        } else {
            self.turns.push_back(peer);
        }
        Some(event)
    }

    /// The queue of a peer that is about to get an event.
    fn queue(&mut self, peer: NodeId) -> &mut PeerQueue {
        self.peers.entry(peer).or_insert_with(|| {
            self.turns.push_back(peer);
            PeerQueue::default()
        })
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
