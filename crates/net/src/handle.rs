//! How the owner of a network talks to it.

use ortsnetz_model::NodeId;

use crate::{AddressError, Config, JoinError, JoinStream, NetEvent, Peer, StartError};

/// The beginning of everything.
pub struct Network;

impl Network {
    /// Starts listening and dialling. Runs on the current tokio runtime until [`Handle::shutdown`] or until the
    /// [`Events`] are dropped.
    pub async fn start(config: Config) -> Result<(Handle, Events), StartError> {
        unimplemented!("{config:?}")
    }
}

/// Sends commands; cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {}

/// What comes first on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Small and urgent: goes out before any waiting bulk frame.
    Control,
    /// Pages of a first sync.
    Bulk,
}

/// Why a frame was not queued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no connection to this peer.
    #[error("not connected")]
    NotConnected,
    /// The queue of this priority is full; [`NetEvent::Writable`] follows. The frame comes back.
    #[error("the send queue is full")]
    Full(Vec<u8>),
    /// The frame is longer than [`FRAME_BYTES_MAX`](crate::FRAME_BYTES_MAX).
    #[error("a frame of {bytes} bytes is too long, at most {} are allowed", crate::FRAME_BYTES_MAX)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
}

/// Figures about one peer, counted since it came on the allow list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerStatus {
    /// Whether frames can flow now.
    pub connected: bool,
    /// Where the peer is, as multiaddr, if connected.
    pub remote: Option<String>,
    /// Whether we dialled, if connected.
    pub outbound: bool,
    /// Frames sent.
    pub sent_frames: u64,
    /// Bytes sent in frames, length prefixes included.
    pub sent_bytes: u64,
    /// Frames received.
    pub received_frames: u64,
    /// Bytes received in frames, length prefixes included.
    pub received_bytes: u64,
    /// How often a connection came up.
    pub connections: u64,
    /// Why the last dial failed, if it did.
    pub dial_error: Option<String>,
}

impl Handle {
    /// This node's id.
    pub fn node(&self) -> NodeId {
        unimplemented!()
    }

    /// Replaces the allow list. Peers that are gone from it are closed, new ones dialled. All or nothing: with a bad
    /// address nothing changes.
    pub fn set_peers(&self, peers: Vec<Peer>) -> Result<(), AddressError> {
        unimplemented!("{peers:?}")
    }

    /// Whether nodes outside the allow list may open a join stream, because an invitation is open.
    pub fn open_joins(&self, open: bool) {
        unimplemented!("{open}")
    }

    /// Queues a frame. Never waits; the frame goes out at once if the line is free.
    pub fn send(&self, peer: NodeId, frame: Vec<u8>, priority: Priority) -> Result<(), SendError> {
        unimplemented!("{peer} {frame:?} {priority:?}")
    }

    /// Closes the connection to a peer after what is queued was sent (at most for the drain timeout); the peer is dialled
    /// again after the usual wait. `Disconnected` with this reason follows at once if it was connected.
    pub fn close(&self, peer: NodeId, reason: impl Into<String>) {
        unimplemented!("{peer} {}", reason.into())
    }

    /// Dials the peer now instead of later, at most once a minute.
    pub fn nudge(&self, peer: NodeId) {
        unimplemented!("{peer}")
    }

    /// Opens a join stream to a node that may not be on the allow list.
    pub async fn join(&self, node: NodeId, addresses: Vec<String>) -> Result<JoinStream, JoinError> {
        unimplemented!("{node} {addresses:?}")
    }

    /// Figures of all peers on the allow list, sorted by node.
    pub fn status(&self) -> Vec<(NodeId, PeerStatus)> {
        unimplemented!()
    }

    /// Figures of one peer; `None` if it is not on the allow list.
    pub fn peer_status(&self, peer: NodeId) -> Option<PeerStatus> {
        unimplemented!("{peer}")
    }

    /// Addresses we accept connections at, with the real port.
    pub fn listening(&self) -> Vec<String> {
        unimplemented!()
    }

    /// Sends what is queued, closes everything, frees the port, and returns when that is done.
    pub async fn shutdown(&self) {
        unimplemented!()
    }
}

/// What happens, in order for each peer; between peers one event in turn, so that nobody waits for another's flood.
#[derive(Debug)]
pub struct Events {}

impl Events {
    /// The next event; `None` after the network has stopped. Safe to use in `select!`: nothing is lost when dropped.
    pub async fn recv(&mut self) -> Option<NetEvent> {
        unimplemented!()
    }

    /// The next event if one is waiting.
    pub fn try_recv(&mut self) -> Option<NetEvent> {
        unimplemented!()
    }
}
