//! One connection to one peer, as seen by everybody but libp2p.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use futures::task::AtomicWaker;
use ortsnetz_model::NodeId;
use tokio::sync::watch;

use crate::config::Limits;
use crate::frame::PREFIX_BYTES;
use crate::handle::Priority;
use crate::outbox::Outbox;
use crate::question::TOPICS;
use crate::reach::Order;

/// Most streams wanted on one connection and not yet opened.
const ORDERS_MAX: usize = 16;

/// Traffic with one peer over all its connections.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sent_frames: AtomicU64,
    pub(crate) sent_bytes: AtomicU64,
    pub(crate) received_frames: AtomicU64,
    pub(crate) received_bytes: AtomicU64,
    pub(crate) connections: AtomicU64,
    /// Its questions that are read or answered now.
    pub(crate) questions: [AtomicUsize; TOPICS],
}

impl Counters {
    pub(crate) fn sent(&self, frames: u64, bytes: usize) {
        self.sent_frames.fetch_add(frames, Ordering::Relaxed);
        self.sent_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.received_frames.fetch_add(1, Ordering::Relaxed);
        self.received_bytes.fetch_add((bytes + PREFIX_BYTES) as u64, Ordering::Relaxed);
    }
}

/// Shared by the connection's task, which sends and receives, and by whoever queues frames or wants it closed.
pub(crate) struct Link {
    pub(crate) node: NodeId,
    /// Whether we dialled.
    pub(crate) outbound: bool,
    /// Where the peer is, as multiaddr.
    pub(crate) remote: String,
    /// Whether it runs over a circuit.
    pub(crate) relayed: bool,
    pub(crate) counters: Arc<Counters>,
    outbox: Mutex<Outbox>,
    waker: AtomicWaker,
    closing: AtomicBool,
    finished: AtomicBool,
    talked: AtomicBool,
    relays: AtomicBool,
    orders: Mutex<VecDeque<Order>>,
    gone: watch::Sender<bool>,
}

impl Link {
    pub(crate) fn new(
        node: NodeId,
        outbound: bool,
        remote: String,
        counters: Arc<Counters>,
        limits: &Limits,
    ) -> Arc<Self> {
        Arc::new(Self {
            node,
            outbound,
            relayed: remote.contains("/p2p-circuit"),
            remote,
            counters,
            outbox: Mutex::new(Outbox::new(limits)),
            waker: AtomicWaker::new(),
            closing: AtomicBool::new(false),
            finished: AtomicBool::new(false),
            talked: AtomicBool::new(false),
            relays: AtomicBool::new(false),
            orders: Mutex::default(),
            gone: watch::Sender::new(false),
        })
    }

    /// Queues a frame and wakes the connection's task; gives the frame back if there is no room.
    pub(crate) fn send(&self, frame: Vec<u8>, priority: Priority) -> Result<(), Vec<u8>> {
        self.outbox().push(frame, priority)?;
        self.waker.wake();
        Ok(())
    }

    /// The send queues. Held for moments only, never across a wait.
    pub(crate) fn outbox(&self) -> MutexGuard<'_, Outbox> {
        // A panic while it was held cannot leave the queues half changed.
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the connection's task to send what is queued and to close.
    pub(crate) fn request_close(&self) {
        self.closing.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Says that the other side has ended its stream: nothing of ours is still being read.
    pub(crate) fn set_finished(&self) {
        self.finished.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Whether the other side has ended its stream.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }

    /// Says that the connection is over, and with it every stream on it.
    pub(crate) fn set_gone(&self) {
        self.gone.send_replace(true);
    }

    /// Waits until the connection is over.
    pub(crate) fn gone(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut gone = self.gone.subscribe();
        // Without a sender it is over, too.
        async move { gone.wait_for(|gone| *gone).await.map(drop).unwrap_or_default() }
    }

    /// Notes that a conversation of strangers began on it.
    pub(crate) fn set_talked(&self) {
        self.talked.store(true, Ordering::Release);
    }

    /// Whether a conversation of strangers began on it.
    pub(crate) fn has_talked(&self) -> bool {
        self.talked.load(Ordering::Acquire)
    }

    /// Notes that the peer said that it relays.
    pub(crate) fn set_peer_relays(&self) {
        self.relays.store(true, Ordering::Release);
    }

    /// Whether the peer said that it relays.
    pub(crate) fn peer_relays(&self) -> bool {
        self.relays.load(Ordering::Acquire)
    }

    /// Wants a further stream on this connection.
    pub(crate) fn order(&self, order: Order) -> Result<(), ()> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if orders.len() >= ORDERS_MAX || self.is_closing() {
            return Err(());
        }
        orders.push_back(order);
        drop(orders);
        self.waker.wake();
        Ok(())
    }

    /// The next stream somebody wants, unless they have given up.
    pub(crate) fn take_order(&self) -> Option<Order> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(order) = orders.pop_front() {
            if !order.reply.is_closed() {
                return Some(order);
            }
        }
        None
    }

    /// Whether somebody asked to close it.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// The connection's task says how to wake it. Call before looking at the queues.
    pub(crate) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }
}
