//! The join stream: bounded request and response frames between two nodes that are not partners yet.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::poll_fn;
use futures::io::AsyncWriteExt;
use libp2p::swarm::Stream;
use ortsnetz_model::NodeId;
use tokio::time::{Instant, timeout_at};

use crate::config::{JOIN_BYTES_MAX, JOIN_FRAME_BYTES_MAX};
use crate::frame::{FrameError, FrameReader, FrameWriter};
use crate::link::Link;

/// A conversation with a node that proved its key and nothing else. Frames have at most
/// [`JOIN_FRAME_BYTES_MAX`] bytes, each side sends at most [`JOIN_BYTES_MAX`], and the whole ends after the join timeout.
/// Dropping it closes the connection, after what was sent is out.
pub struct JoinStream {
    stream: Box<Stream>,
    link: Arc<Link>,
    reader: FrameReader,
    sent: usize,
    received: usize,
    /// Whether we opened it and the other side has not said anything yet; its silence then is a refusal.
    unanswered: bool,
    limit: Duration,
    deadline: Instant,
}

impl fmt::Debug for JoinStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinStream").field("node", &self.node()).field("remote", &self.remote()).finish_non_exhaustive()
    }
}

impl JoinStream {
    pub(crate) fn new(stream: Stream, link: Arc<Link>, limit: Duration, guest: bool) -> Self {
        Self {
            stream: Box::new(stream),
            link,
            reader: FrameReader::new(JOIN_FRAME_BYTES_MAX),
            sent: 0,
            received: 0,
            unanswered: guest,
            limit,
            deadline: Instant::now() + limit,
        }
    }

    /// The node at the other end.
    pub fn node(&self) -> NodeId {
        self.link.node
    }

    /// Where the other end is, as multiaddr.
    pub fn remote(&self) -> &str {
        &self.link.remote
    }

    /// Sends one frame and flushes it.
    pub async fn send(&mut self, frame: &[u8]) -> Result<(), JoinError> {
        within(frame.len(), JOIN_FRAME_BYTES_MAX)?;
        within(self.sent + frame.len(), JOIN_BYTES_MAX)?;
        self.sent += frame.len();
        let mut writer = FrameWriter::default();
        writer.push(frame);
        let stream = &mut self.stream;
        let sent = timeout_at(self.deadline, async {
            poll_fn(|cx| writer.poll_write_out(stream, cx)).await?;
            stream.flush().await
        });
        match sent.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.closed()),
            Err(_) => Err(self.timed_out()),
        }
    }

    /// Waits for the next frame; [`JoinError::Closed`] when the other side is done. Safe to use in `select!`.
    pub async fn recv(&mut self) -> Result<Vec<u8>, JoinError> {
        let (stream, reader) = (&mut self.stream, &mut self.reader);
        match timeout_at(self.deadline, poll_fn(|cx| reader.poll_frame(stream, cx))).await {
            Ok(Ok(Some(frame))) => {
                within(self.received + frame.len(), JOIN_BYTES_MAX)?;
                self.received += frame.len();
                self.unanswered = false;
                Ok(frame)
            }
            Ok(Ok(None) | Err(FrameError::Io(_))) => {
                self.link.set_finished();
                Err(self.closed())
            }
            Ok(Err(FrameError::TooLong(bytes))) => {
                Err(JoinError::TooLong { bytes: bytes as usize, max: JOIN_FRAME_BYTES_MAX })
            }
            Err(_) => Err(self.timed_out()),
        }
    }

    /// Ends our side and waits until the other side has ended too, so that the last frame sent is known to be read.
    pub async fn finish(mut self) -> Result<(), JoinError> {
        let closed = timeout_at(self.deadline, self.stream.close()).await;
        match closed {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(self.closed()),
            Err(_) => return Err(self.timed_out()),
        }
        match self.recv().await {
            Err(JoinError::Closed) => Ok(()),
            // It says something more, so it has not gone away; nobody wants to know.
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn closed(&self) -> JoinError {
        if self.unanswered { JoinError::Refused { node: self.node() } } else { JoinError::Closed }
    }

    fn timed_out(&self) -> JoinError {
        JoinError::TimedOut { seconds: self.limit.as_secs() }
    }
}

impl Drop for JoinStream {
    fn drop(&mut self) {
        self.link.request_close();
    }
}

fn within(bytes: usize, max: usize) -> Result<(), JoinError> {
    if bytes > max { Err(JoinError::TooLong { bytes, max }) } else { Ok(()) }
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
    /// Nobody answers at an address of which no node is known.
    #[error("nobody answers: {reason}")]
    NoAnswer {
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
