//! What the network tells its owner.

use ortsnetz_model::NodeId;

use crate::join::JoinStream;
use crate::question::{Answerer, Topic};

/// Something that happened. For one peer the order is `Connected`, then any number of `Frame` and `Writable`, then
/// `Disconnected`; never two `Connected` without a `Disconnected` between them.
#[derive(Debug)]
pub enum NetEvent {
    /// We accept connections at this address (with the real port if port 0 was asked for).
    Listening {
        /// A multiaddr without peer id.
        address: String,
    },
    /// The peer's greeting arrived on the sync stream: frames can flow.
    Connected {
        /// Which node.
        peer: NodeId,
        /// Whether we dialled.
        outbound: bool,
        /// Where the peer is, as multiaddr.
        remote: String,
        /// Whether the peer relays for its partners.
        relays: bool,
    },
    /// The connection is gone; everything queued for it is lost.
    Disconnected {
        /// Which node.
        peer: NodeId,
        /// Why, as far as known.
        reason: Reason,
    },
    /// A frame from the peer, at most [`FRAME_BYTES_MAX`](crate::FRAME_BYTES_MAX) bytes.
    Frame {
        /// Which node.
        peer: NodeId,
        /// What it sent.
        bytes: Vec<u8>,
    },
    /// A send was refused as full before; now there is room for at least half of the limits.
    Writable {
        /// Which node.
        peer: NodeId,
    },
    /// A node without a place on the allow list was turned away. At most one event a minute per node.
    Refused {
        /// Which node; its key is proven by the handshake.
        node: NodeId,
        /// From where, as multiaddr.
        address: String,
        /// Why.
        reason: String,
    },
    /// No address of the peer could be reached; it is tried again later.
    DialFailed {
        /// Which node.
        peer: NodeId,
        /// What happened at each address.
        reason: String,
    },
    /// A peer sees us under this address: a candidate to advertise, not confirmed.
    ObservedAddress {
        /// Who saw it.
        peer: NodeId,
        /// A multiaddr with our own listening port.
        address: String,
    },
    /// A node opened a join stream while joins are open.
    Join {
        /// Which node; its key is proven by the handshake.
        node: NodeId,
        /// From where, as multiaddr.
        remote: String,
        /// To talk with it.
        stream: JoinStream,
    },
    /// A node opened a stream to return, while that is open: it may be the new node of a partner that lost its machines.
    Return {
        /// Which node; its key is proven by the handshake.
        node: NodeId,
        /// From where, as multiaddr.
        remote: String,
        /// To talk with it.
        stream: JoinStream,
    },
    /// A connected peer asks something ([`Handle::ask`](crate::Handle::ask)).
    Question {
        /// Which node.
        peer: NodeId,
        /// What about.
        topic: Topic,
        /// What it asks, at most [`QUESTION_BYTES_MAX`](crate::QUESTION_BYTES_MAX) bytes.
        bytes: Vec<u8>,
        /// To answer it.
        answer: Answerer,
    },
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The owner asked for it, with this text.
    #[error("{0}")]
    Asked(String),
    /// The peer left the allow list.
    #[error("the node is no longer allowed")]
    NotAllowed,
    /// Another connection to the same peer took its place.
    #[error("replaced by another connection to the same node")]
    Replaced,
    /// The peer ended the stream.
    #[error("closed by the peer")]
    ClosedByPeer,
    /// The line broke.
    #[error("connection lost: {0}")]
    Lost(String),
    /// The peer announced a frame that is too long.
    #[error("the peer sent a frame of {bytes} bytes, at most {} are allowed", crate::FRAME_BYTES_MAX)]
    FrameTooLong {
        /// The announced length.
        bytes: u32,
    },
    /// The peer sent faster than we could take it.
    #[error("the peer flooded us: {frames} frames with {bytes} bytes waited")]
    Flooded {
        /// Frames waiting.
        frames: usize,
        /// Their bytes.
        bytes: usize,
    },
    /// The peer reads nothing of what is sent to it.
    #[error("the peer has read nothing of what waits for it for {seconds} s")]
    Unread {
        /// How long that lasted.
        seconds: u64,
    },
    /// The owner found that the peer misbehaved, and why.
    #[error("the peer misbehaved: {0}")]
    Misbehaved(String),
    /// The peer did not greet in time.
    #[error("no greeting within {seconds} s")]
    NoGreeting {
        /// How long we waited.
        seconds: u64,
    },
    /// The peer greets in a version we do not know, or not at all in our language.
    #[error("the peer speaks another protocol version")]
    Version,
    /// We are stopping.
    #[error("this node is stopping")]
    Stopping,
}
