//! What we ask of others.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::future::poll_fn;
use futures::io::AsyncWriteExt as _;
use libp2p::swarm::{Stream, StreamProtocol};
use ortsnetz_model::NodeId;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{Ask, CircuitStream, REACH, Reply};
use crate::config::REACH_FRAME_BYTES_MAX;
use crate::frame::{FrameError, FrameReader, FrameWriter};
use crate::link::Link;
use crate::registry::Registry;

/// How long an answer may take: whoever relays asks a third node meanwhile.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long dialling back may take: a dial on the other side lasts so long until it has failed.
const DIAL_BACK_TIMEOUT: Duration = Duration::from_secs(20);

/// A stream somebody wants on a connection.
pub(crate) struct Order {
    /// For what.
    pub(crate) protocol: StreamProtocol,
    /// Where it goes.
    pub(crate) reply: OrderReply,
}

/// Where a stream goes that was ordered.
pub(crate) type OrderReply = oneshot::Sender<Result<Stream, String>>;

/// What became of one address when another node dialled it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialledBack {
    /// As multiaddr.
    pub address: String,
    /// Why it could not be reached; `None` if this node answered there.
    pub failed: Option<String>,
}

/// Why another node could not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReachError {
    /// The address of a circuit without a node that relays, or without an end.
    #[error("the address names no node that relays")]
    NoRelay,
    /// We have no connection of our own to it.
    #[error("not connected to {0}, which is to relay")]
    NotConnected(NodeId),
    /// It relays no more.
    #[error("{0} does not relay")]
    NotRelaying(NodeId),
    /// It said no, and why.
    #[error("{by} refuses: {reason}")]
    Refused {
        /// Who.
        by: NodeId,
        /// In its words.
        reason: String,
    },
    /// The line broke, or an older version answered.
    #[error("no answer from {by}: {reason}")]
    NoAnswer {
        /// Who was asked.
        by: NodeId,
        /// What happened.
        reason: String,
    },
}

/// Asks a node that relays for a circuit to another.
pub(super) async fn connect(registry: &Arc<Registry>, relay: NodeId, to: NodeId) -> Result<CircuitStream, ReachError> {
    let link = registry.direct_link(&relay).ok_or(ReachError::NotConnected(relay))?;
    if !link.peer_relays() {
        return Err(ReachError::NotRelaying(relay));
    }
    match ask(&link, &Ask::Connect { to }, ANSWER_TIMEOUT).await? {
        (stream, Reply::Yes) => Ok(CircuitStream::new(stream, &link)),
        (_, Reply::No(reason)) => Err(ReachError::Refused { by: relay, reason }),
        (_, Reply::Dialled(_)) => Err(unexpected(relay)),
    }
}

/// Asks a connected node to dial us.
pub(crate) async fn dial_back(
    registry: &Arc<Registry>,
    peer: NodeId,
    addresses: Vec<String>,
) -> Result<Vec<DialledBack>, ReachError> {
    let link = registry.direct_link(&peer).ok_or_else(|| ReachError::NoAnswer {
        by: peer,
        reason: "it is not connected, or only through a relay".into(),
    })?;
    match ask(&link, &Ask::DialBack { addresses }, DIAL_BACK_TIMEOUT).await? {
        (_, Reply::Dialled(all)) => Ok(all),
        (_, Reply::No(reason)) => Err(ReachError::Refused { by: peer, reason }),
        (_, Reply::Yes) => Err(unexpected(peer)),
    }
}

fn unexpected(by: NodeId) -> ReachError {
    ReachError::NoAnswer { by, reason: "it answers something else; do both have the same version?".into() }
}

/// Opens a stream, asks, and waits for the answer.
pub(super) async fn ask(link: &Arc<Link>, ask: &Ask, limit: Duration) -> Result<(Stream, Reply), ReachError> {
    let by = link.node;
    let no_answer = |reason: String| ReachError::NoAnswer { by, reason };
    let talk = async {
        let (reply, ordered) = oneshot::channel();
        link.order(Order { protocol: REACH, reply }).map_err(|()| "too many streams are waiting".to_owned())?;
        let mut stream = ordered.await.map_err(|_| "the connection ended".to_owned())??;
        send(&mut stream, &ask.to_bytes()).await.map_err(|error| error.to_string())?;
        let answer = receive(&mut stream, REACH_FRAME_BYTES_MAX).await.map_err(|error| error.to_string())?;
        let reply = Reply::from_bytes(&answer).ok_or("it answers in an unknown way")?;
        Ok((stream, reply))
    };
    match timeout(limit, talk).await {
        Ok(talked) => talked.map_err(no_answer),
        Err(_) => Err(no_answer(format!("nothing within {} s", limit.as_secs()))),
    }
}

/// Sends one frame and flushes it.
pub(crate) async fn send(stream: &mut Stream, frame: &[u8]) -> io::Result<()> {
    let mut writer = FrameWriter::default();
    writer.push(frame);
    poll_fn(|cx| writer.poll_write_out(stream, cx)).await?;
    stream.flush().await
}

/// Receives one frame of at most `max` bytes, and not a byte of what follows.
pub(crate) async fn receive(stream: &mut Stream, max: usize) -> io::Result<Vec<u8>> {
    let mut reader = FrameReader::new(max);
    match poll_fn(|cx| reader.poll_frame(stream, cx)).await {
        Ok(Some(frame)) => Ok(frame),
        Ok(None) => Err(io::Error::other("it does not answer such questions; an older version?")),
        Err(FrameError::Io(error)) => Err(error),
        Err(FrameError::TooLong(bytes)) => Err(io::Error::other(format!("a frame of {bytes} bytes is too long"))),
    }
}
