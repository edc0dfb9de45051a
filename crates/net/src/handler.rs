//! One connection's part of the protocol. Runs inside libp2p's task of that connection: a queued frame wakes the task that
//! encrypts and writes it, and a frame that arrives goes from there straight to the owner's queue.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::io::AsyncWrite as _;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent, Stream, StreamProtocol, SubstreamProtocol};
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

use crate::config::FRAME_BYTES_MAX;
use crate::event::{NetEvent, Reason};
use crate::frame::{FrameError, FrameReader, FrameWriter};
use crate::join::{JoinError, JoinStream};
use crate::link::Link;
use crate::protocol::{GREETING, GREETING_BYTES_MAX, JOIN, Offer, SYNC, is_greeting};
use crate::registry::Registry;

/// Frames taken from one connection before the others get their turn.
const FRAMES_PER_TURN: usize = 64;

/// What we want from a connection.
#[derive(Debug)]
pub(crate) enum Role {
    /// We dialled and open the sync stream.
    Dialler,
    /// The peer dialled and opens the sync stream, or a join stream.
    Listener,
    /// The other side is a stranger and may open a join stream.
    Host,
    /// We dialled and open a join stream, to be sent here.
    Guest(Option<oneshot::Sender<Result<JoinStream, JoinError>>>),
}

/// Tells the behaviour to close this connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finished;

/// The handler of one connection.
pub(crate) struct Handler {
    registry: Arc<Registry>,
    link: Arc<Link>,
    role: Role,
    phase: Phase,
    reader: FrameReader,
    writer: FrameWriter,
    /// The stream has bytes that it was not told to send on.
    unflushed: bool,
    finished: VecDeque<Finished>,
}

enum Phase {
    /// Nothing has happened yet.
    New,
    /// The stream we want is not open yet.
    Opening(Pin<Box<Sleep>>),
    /// Our greeting is on its way, the peer's is awaited.
    Greeting(Stream, Pin<Box<Sleep>>),
    /// Frames flow.
    Open(Stream),
    /// What is queued goes out, then the connection ends.
    Draining(Stream, Pin<Box<Sleep>>),
    /// A join stream is in use by its owner.
    Joining(Pin<Box<Sleep>>),
    Done,
}

impl Handler {
    pub(crate) fn new(registry: Arc<Registry>, link: Arc<Link>, role: Role) -> Self {
        Self {
            registry,
            link,
            role,
            phase: Phase::New,
            reader: FrameReader::new(GREETING_BYTES_MAX),
            writer: FrameWriter::default(),
            unflushed: false,
            finished: VecDeque::new(),
        }
    }

    fn timer(duration: Duration) -> Pin<Box<Sleep>> {
        Box::pin(sleep(duration))
    }

    fn start_sync(&mut self, stream: Stream) {
        if !matches!(self.phase, Phase::Opening(_)) {
            // A second stream on one connection: whoever opened it is confused, and gets nothing.
            return;
        }
        self.writer.push(GREETING);
        self.phase = Phase::Greeting(stream, Self::timer(self.registry.timing.greeting_timeout));
    }

    fn start_join(&mut self, stream: Stream) -> Option<JoinStream> {
        if !matches!(self.phase, Phase::Opening(_)) {
            return None;
        }
        let limit = self.registry.timing.join_timeout;
        // A little longer than the conversation, whose owner reports the better reason.
        self.phase = Phase::Joining(Self::timer(limit + Duration::from_secs(1)));
        Some(JoinStream::new(stream, self.link.clone(), limit, matches!(self.role, Role::Guest(_))))
    }

    /// The connection is of no further use.
    fn end(&mut self, reason: Reason) {
        if !matches!(self.phase, Phase::Done) {
            tracing::debug!(peer = %self.link.node, remote = %self.link.remote, %reason, "connection ends");
            self.phase = Phase::Done;
            self.registry.ended(&self.link, reason);
            self.finished.push_back(Finished);
        }
    }

    /// Does what can be done now; true if something changed and it may go on at once.
    fn advance(&mut self, cx: &mut Context<'_>) -> bool {
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::New => {
                let limit = match self.role {
                    Role::Dialler | Role::Listener => self.registry.timing.greeting_timeout,
                    Role::Host | Role::Guest(_) => self.registry.timing.join_timeout,
                };
                self.phase = Phase::Opening(Self::timer(limit));
                true
            }
            Phase::Opening(mut timer) => {
                let late = timer.as_mut().poll(cx).is_ready();
                self.phase = Phase::Opening(timer);
                if late {
                    self.end(self.no_greeting());
                } else if self.link.is_closing() {
                    self.end(Reason::Asked("closed before the greeting".into()));
                }
                false
            }
            Phase::Greeting(stream, timer) => self.advance_greeting(stream, timer, cx),
            Phase::Open(mut stream) => {
                if self.link.is_closing() {
                    self.phase = Phase::Draining(stream, Self::timer(self.registry.timing.drain_timeout));
                    return true;
                }
                let result = self.pump_out(&mut stream, cx).and_then(|_| self.pump_in(&mut stream, cx));
                self.phase = Phase::Open(stream);
                match result {
                    Ok(true) => cx.waker().wake_by_ref(),
                    Ok(false) => {}
                    Err(reason) => self.end(reason),
                }
                false
            }
            Phase::Draining(mut stream, mut timer) => {
                let drained = self.pump_out(&mut stream, cx);
                let over = !matches!(drained, Ok(false)) || timer.as_mut().poll(cx).is_ready();
                self.phase = Phase::Draining(stream, timer);
                if over {
                    self.end(Reason::Asked("closed".into()));
                }
                false
            }
            Phase::Joining(mut timer) => {
                let over = self.link.is_closing() || timer.as_mut().poll(cx).is_ready();
                self.phase = Phase::Joining(timer);
                if over {
                    self.end(Reason::Asked("the join conversation is over".into()));
                }
                false
            }
            Phase::Done => false,
        }
    }

    fn advance_greeting(&mut self, mut stream: Stream, mut timer: Pin<Box<Sleep>>, cx: &mut Context<'_>) -> bool {
        let greeted = self.pump_greeting(&mut stream, cx);
        let late = timer.as_mut().poll(cx).is_ready();
        self.phase = Phase::Greeting(stream, timer);
        match greeted {
            Poll::Ready(Ok(())) => {
                self.reader = FrameReader::new(FRAME_BYTES_MAX);
                if !self.registry.greeted(&self.link) {
                    self.link.request_close();
                }
                if let Phase::Greeting(stream, _) = std::mem::replace(&mut self.phase, Phase::Done) {
                    self.phase = Phase::Open(stream);
                }
                true
            }
            Poll::Ready(Err(reason)) => {
                self.end(reason);
                false
            }
            Poll::Pending => {
                if late {
                    self.end(self.no_greeting());
                }
                false
            }
        }
    }

    fn no_greeting(&self) -> Reason {
        Reason::NoGreeting { seconds: self.registry.timing.greeting_timeout.as_secs() }
    }

    fn pump_greeting(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        if let Err(reason) = self.write_out(stream, cx) {
            return Poll::Ready(Err(reason));
        }
        match self.reader.poll_frame(stream, cx) {
            Poll::Ready(Ok(Some(frame))) if is_greeting(&frame) => Poll::Ready(Ok(())),
            Poll::Ready(Ok(Some(_)) | Err(FrameError::TooLong(_))) => Poll::Ready(Err(Reason::Version)),
            Poll::Ready(Ok(None)) => Poll::Ready(Err(Reason::ClosedByPeer)),
            Poll::Ready(Err(FrameError::Io(error))) => Poll::Ready(Err(Reason::Lost(error.to_string()))),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Sends what is queued; true when all of it is out.
    fn pump_out(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Result<bool, Reason> {
        loop {
            if !self.write_out(stream, cx)? {
                return Ok(false);
            }
            let mut outbox = self.link.outbox();
            let frames = outbox.gather(&mut self.writer);
            let writable = outbox.take_writable();
            drop(outbox);
            if writable {
                self.registry.writable(&self.link);
            }
            if frames == 0 {
                return Ok(true);
            }
            self.link.counters.sent(frames, self.writer.pending());
        }
    }

    /// Hands the writer's bytes to the stream and flushes it; true when all of them are out.
    fn write_out(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Result<bool, Reason> {
        let lost = |error: std::io::Error| Reason::Lost(error.to_string());
        if self.writer.pending() > 0 {
            self.unflushed = true;
            if self.writer.poll_write_out(stream, cx).map_err(lost)?.is_pending() {
                return Ok(false);
            }
        }
        if self.unflushed && Pin::new(stream).poll_flush(cx).map_err(lost)?.is_ready() {
            self.unflushed = false;
        }
        Ok(!self.unflushed)
    }

    /// Takes the frames that are there; true if there may be more. Reads without pause, so that nothing piles up below us
    /// where no limit is ours.
    fn pump_in(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Result<bool, Reason> {
        for _ in 0..FRAMES_PER_TURN {
            match self.reader.poll_frame(stream, cx) {
                Poll::Ready(Ok(Some(frame))) => self.registry.frame(&self.link, frame)?,
                Poll::Ready(Ok(None)) => return Err(Reason::ClosedByPeer),
                Poll::Ready(Err(FrameError::TooLong(bytes))) => return Err(Reason::FrameTooLong { bytes }),
                Poll::Ready(Err(FrameError::Io(error))) => return Err(Reason::Lost(error.to_string())),
                Poll::Pending => return Ok(false),
            }
        }
        Ok(true)
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = std::convert::Infallible;
    type ToBehaviour = Finished;
    type InboundProtocol = Offer;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Offer, ()> {
        let offer = match self.role {
            Role::Listener => Offer { sync: true, join: true },
            Role::Host => Offer { sync: false, join: true },
            Role::Dialler | Role::Guest(_) => Offer { sync: false, join: false },
        };
        SubstreamProtocol::new(offer, ())
    }

    fn connection_keep_alive(&self) -> bool {
        // Our own timers end it, or our asking the behaviour.
        true
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        self.link.register(cx.waker());
        let new = matches!(self.phase, Phase::New);
        while self.advance(cx) {}
        if let Some(finished) = self.finished.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(finished));
        }
        let (protocol, limit) = match self.role {
            Role::Dialler if new => (SYNC, self.registry.timing.greeting_timeout),
            Role::Guest(_) if new => (JOIN, self.registry.timing.join_timeout),
            _ => return Poll::Pending,
        };
        let protocol = SubstreamProtocol::new(ReadyUpgrade::new(protocol), ()).with_timeout(limit);
        Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        match event {}
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol, (), ()>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: (stream, name), .. }) => {
                if name == SYNC {
                    self.start_sync(stream);
                } else if self.registry.joins_open()
                    && let Some(stream) = self.start_join(stream)
                {
                    let (node, remote) = (self.link.node, self.link.remote.clone());
                    self.registry.tell(NetEvent::Join { node, remote, stream });
                }
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: stream, .. }) => {
                if matches!(self.role, Role::Dialler) {
                    self.start_sync(stream);
                } else if let Some(stream) = self.start_join(stream)
                    && let Role::Guest(reply) = &mut self.role
                    && let Some(reply) = reply.take()
                {
                    // A caller that has gone away drops the stream, which closes the connection.
                    let _ = reply.send(Ok(stream));
                }
            }
            ConnectionEvent::DialUpgradeError(error) => {
                if let Role::Guest(reply) = &mut self.role
                    && let Some(reply) = reply.take()
                {
                    let _ = reply.send(Err(JoinError::Refused { node: self.link.node }));
                }
                self.end(Reason::Lost(error.error.to_string()));
            }
            _ => {}
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        // The last frames may have come in together with the end.
        if let Phase::Open(mut stream) = std::mem::replace(&mut self.phase, Phase::Done) {
            while matches!(self.pump_in(&mut stream, cx), Ok(true)) {}
        }
        Poll::Ready(None)
    }
}
