//! One connection's part of the protocol. Runs inside libp2p's task of that connection: a queued frame wakes the task that
//! encrypts and writes it, and a frame that arrives goes from there straight to the owner's queue.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent, Stream, StreamProtocol, SubstreamProtocol};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep};

use crate::event::{NetEvent, Reason};
use crate::join::{JoinError, JoinStream};
use crate::link::Link;
use crate::protocol::{JOIN, Offer, RETURN, SYNC};
use crate::pump::Pump;
use crate::question::{self, Topic};
use crate::reach::{self, OrderReply, REACH};
use crate::registry::Registry;

/// What we want from a connection.
#[derive(Debug)]
pub(crate) enum Role {
    /// We dialled and open the sync stream.
    Dialler,
    /// The peer dialled and opens the sync stream, or a join stream.
    Listener,
    /// The other side is a stranger and may open a join stream.
    Host,
    /// We dialled and open a stream for strangers, to be sent here.
    Guest(StreamProtocol, Option<oneshot::Sender<Result<JoinStream, JoinError>>>),
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
    pump: Pump,
    /// Something waits and does not go out: since this progress, and until when that is borne.
    unread: Option<(u64, Pin<Box<Sleep>>)>,
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
    /// What is queued goes out, then we wait until the peer has read it and ends the stream too. Closing right away could
    /// destroy it on the way: a TCP socket closed with something unread in it resets the line.
    Draining {
        stream: Stream,
        half_closed: bool,
        timer: Pin<Box<Sleep>>,
    },
    /// A join stream is in use by its owner.
    Joining(Pin<Box<Sleep>>),
    /// It is not any more; the other side may still be reading.
    Lingering(Pin<Box<Sleep>>),
    Done,
}

impl Handler {
    pub(crate) fn new(registry: Arc<Registry>, link: Arc<Link>, role: Role) -> Self {
        let pump = Pump::new(registry.clone(), link.clone());
        Self { registry, link, role, phase: Phase::New, pump, unread: None, finished: VecDeque::new() }
    }

    fn timer(duration: Duration) -> Pin<Box<Sleep>> {
        Box::pin(sleep(duration))
    }

    fn start_sync(&mut self, stream: Stream) {
        if !matches!(self.phase, Phase::Opening(_)) {
            // A second stream on one connection: whoever opened it is confused, and gets nothing.
            return;
        }
        self.pump.greet();
        self.phase = Phase::Greeting(stream, Self::timer(self.registry.timing.greeting_timeout));
    }

    fn start_join(&mut self, stream: Stream) -> Option<JoinStream> {
        if !matches!(self.phase, Phase::Opening(_)) {
            return None;
        }
        self.link.set_talked();
        let limit = self.registry.timing.join_timeout;
        // A little longer than the conversation, whose owner reports the better reason.
        self.phase = Phase::Joining(Self::timer(limit + Duration::from_secs(1)));
        Some(JoinStream::new(stream, self.link.clone(), limit, matches!(self.role, Role::Guest(..))))
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
                    Role::Host | Role::Guest(..) => self.registry.timing.join_timeout,
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
                    let timer = Self::timer(self.registry.timing.drain_timeout);
                    self.phase = Phase::Draining { stream, half_closed: false, timer };
                    return true;
                }
                let sent = self.pump.send(&mut stream, cx).and_then(|all| self.check_read(all, cx));
                let result = sent.and_then(|()| self.pump.receive(&mut stream, cx));
                self.phase = Phase::Open(stream);
                match result {
                    Ok(true) => cx.waker().wake_by_ref(),
                    Ok(false) => {}
                    Err(reason) => self.end(reason),
                }
                false
            }
            Phase::Draining { mut stream, mut half_closed, mut timer } => {
                let drained = self.pump.drain(&mut stream, &mut half_closed, cx);
                let over = drained || timer.as_mut().poll(cx).is_ready();
                self.phase = Phase::Draining { stream, half_closed, timer };
                if over {
                    self.end(Reason::Asked("closed".into()));
                }
                false
            }
            Phase::Joining(mut timer) => {
                if self.link.is_closing() {
                    self.phase = Phase::Lingering(Self::timer(self.registry.timing.drain_timeout));
                    return true;
                }
                let over = timer.as_mut().poll(cx).is_ready();
                self.phase = Phase::Joining(timer);
                if over {
                    self.end(Reason::Asked("the join conversation took too long".into()));
                }
                false
            }
            Phase::Lingering(mut timer) => {
                let over = self.link.is_finished() || timer.as_mut().poll(cx).is_ready();
                self.phase = Phase::Lingering(timer);
                if over {
                    self.end(Reason::Asked("the join conversation is over".into()));
                }
                false
            }
            Phase::Done => false,
        }
    }

    fn advance_greeting(&mut self, mut stream: Stream, mut timer: Pin<Box<Sleep>>, cx: &mut Context<'_>) -> bool {
        let greeted = self.pump.greeting(&mut stream, cx);
        let late = timer.as_mut().poll(cx).is_ready();
        self.phase = Phase::Greeting(stream, timer);
        match greeted {
            Poll::Ready(Ok(())) => {
                self.pump.start_frames();
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

    /// A peer that reads nothing for too long although something waits for it is of no use.
    fn check_read(&mut self, all_out: bool, cx: &mut Context<'_>) -> Result<(), Reason> {
        if all_out {
            self.unread = None;
            return Ok(());
        }
        let (limit, progress) = (self.registry.timing.unread_timeout, self.pump.progress());
        let (seen, timer) = self.unread.get_or_insert_with(|| (progress, Self::timer(limit)));
        if *seen != progress {
            *seen = progress;
            timer.as_mut().reset(Instant::now() + limit);
        }
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => Err(Reason::Unread { seconds: limit.as_secs() }),
            Poll::Pending => Ok(()),
        }
    }

    fn no_greeting(&self) -> Reason {
        Reason::NoGreeting { seconds: self.registry.timing.greeting_timeout.as_secs() }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = std::convert::Infallible;
    type ToBehaviour = Finished;
    type InboundProtocol = Offer;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    /// Who waits for a further stream; nobody for the one that the connection is for.
    type OutboundOpenInfo = Option<OrderReply>;

    fn listen_protocol(&self) -> SubstreamProtocol<Offer, ()> {
        let offer = match self.role {
            Role::Listener => Offer { sync: true, join: true, back: true, reach: !self.link.relayed, questions: true },
            Role::Host => {
                let (join, back) = (self.registry.joins_open(), self.registry.returns_open());
                Offer { sync: false, join, back, reach: false, questions: false }
            }
            // No circuit through a circuit.
            Role::Dialler => {
                Offer { sync: false, join: false, back: false, reach: !self.link.relayed, questions: true }
            }
            Role::Guest(..) => Offer { sync: false, join: false, back: false, reach: false, questions: false },
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
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Self::OutboundOpenInfo, Self::ToBehaviour>> {
        self.link.register(cx.waker());
        let new = matches!(self.phase, Phase::New);
        while self.advance(cx) {}
        if let Some(finished) = self.finished.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(finished));
        }
        let (protocol, limit, reply) = match &self.role {
            Role::Dialler if new => (SYNC, self.registry.timing.greeting_timeout, None),
            Role::Guest(protocol, _) if new => (protocol.clone(), self.registry.timing.join_timeout, None),
            Role::Dialler | Role::Listener if matches!(self.phase, Phase::Open(_)) => match self.link.take_order() {
                Some(order) => (order.protocol, self.registry.timing.greeting_timeout, Some(order.reply)),
                None => return Poll::Pending,
            },
            _ => return Poll::Pending,
        };
        let protocol = SubstreamProtocol::new(ReadyUpgrade::new(protocol), reply).with_timeout(limit);
        Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        match event {}
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol, (), Self::OutboundOpenInfo>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: (stream, name), .. }) => {
                if name == SYNC {
                    self.start_sync(stream);
                    return;
                }
                let topic = Topic::of(&name);
                if name == REACH || topic.is_some() {
                    let (registry, link) = (self.registry.clone(), self.link.clone());
                    match topic.filter(|_| matches!(self.phase, Phase::Open(_))) {
                        Some(topic) => drop(tokio::spawn(question::serve(registry, link, topic, stream))),
                        None if matches!(self.phase, Phase::Open(_)) => {
                            drop(tokio::spawn(reach::serve(registry, link, stream)));
                        }
                        None => {}
                    }
                    return;
                }
                let open = if name == JOIN { self.registry.joins_open() } else { self.registry.returns_open() };
                if open && let Some(stream) = self.start_join(stream) {
                    let (node, remote) = (self.link.node, self.link.remote.clone());
                    self.registry.tell(match name == RETURN {
                        true => NetEvent::Return { node, remote, stream },
                        false => NetEvent::Join { node, remote, stream },
                    });
                }
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: stream, info }) => {
                if let Some(reply) = info {
                    // Who has given up drops the stream, which ends it.
                    let _ = reply.send(Ok(stream));
                } else if matches!(self.role, Role::Dialler) {
                    self.start_sync(stream);
                } else if let Some(stream) = self.start_join(stream)
                    && let Role::Guest(_, reply) = &mut self.role
                    && let Some(reply) = reply.take()
                {
                    // A caller that has gone away drops the stream, which closes the connection.
                    let _ = reply.send(Ok(stream));
                }
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: Some(reply), error }) => {
                let _ = reply.send(Err(error.to_string()));
            }
            ConnectionEvent::DialUpgradeError(error) => {
                if let Role::Guest(_, reply) = &mut self.role
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
            while matches!(self.pump.receive(&mut stream, cx), Ok(true)) {}
        }
        Poll::Ready(None)
    }
}
