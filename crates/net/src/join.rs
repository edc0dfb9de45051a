//! The join stream: bounded request and response frames between two nodes that are not partners yet.

use ortsnetz_model::NodeId;

/// A conversation with a node that proved its key and nothing else. Frames have at most
/// [`JOIN_FRAME_BYTES_MAX`](crate::JOIN_FRAME_BYTES_MAX) bytes, each side sends at most
/// [`JOIN_BYTES_MAX`](crate::JOIN_BYTES_MAX), and the whole ends after the join timeout. Dropping it closes the connection.
pub struct JoinStream {
    node: NodeId,
    remote: String,
}

impl std::fmt::Debug for JoinStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JoinStream").field("node", &self.node).field("remote", &self.remote).finish_non_exhaustive()
    }
}

impl JoinStream {
    /// The node at the other end.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Where the other end is, as multiaddr.
    pub fn remote(&self) -> &str {
        &self.remote
    }

    /// Sends one frame and flushes it.
    pub async fn send(&mut self, frame: &[u8]) -> Result<(), JoinError> {
        unimplemented!("{frame:?}")
    }

    /// Waits for the next frame; [`JoinError::Closed`] when the other side is done.
    pub async fn recv(&mut self) -> Result<Vec<u8>, JoinError> {
        unimplemented!()
    }

    /// Ends our side and waits until the other side has ended too, so that the last frame sent is known to be read.
    pub async fn finish(self) -> Result<(), JoinError> {
        unimplemented!()
    }
}

/// Why a join conversation could not begin or go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// None of the addresses led to the node.
    #[error("cannot reach {node}: {reason}")]
    Unreachable {
        /// The node looked for.
        node: NodeId,
        /// What happened at each address.
        reason: String,
    },
    /// The node answers, but no invitation is open there.
    #[error("{node} refuses to talk: no invitation is open there, or it has run out")]
    Refused {
        /// The node that refused.
        node: NodeId,
    },
    /// An address could not be parsed.
    #[error(transparent)]
    Address(#[from] crate::AddressError),
    /// The other side ended the conversation.
    #[error("the other side ended the conversation")]
    Closed,
    /// A frame or all frames together are too long.
    #[error("{bytes} bytes are too much for a join conversation, at most {max} are allowed")]
    TooLong {
        /// How many it would be.
        bytes: usize,
        /// How many are allowed.
        max: usize,
    },
    /// It took too long.
    #[error("no answer within {seconds} s")]
    TimedOut {
        /// How long the conversation may take.
        seconds: u64,
    },
    /// The network is stopping.
    #[error("this node is stopping")]
    Stopping,
}
