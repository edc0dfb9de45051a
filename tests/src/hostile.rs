//! A partner that means harm: a node with a good certificate that sends whatever a test wants, over the real transport.

use std::sync::Arc;
use std::time::Duration;

use futures::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use libp2p::core::upgrade::Version;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol, Swarm, Transport as _, identity, tcp, tls, yamux};
use ortsnetz_model::{CollectionId, FeedId, NodeId, OrgId};
use ortsnetz_store::{Options, Store};
use ortsnetz_sync::wire::{Message, VERSION};
use ortsnetz_trust::NodeKey;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::town::Town;

const SYNC: StreamProtocol = StreamProtocol::new("/ortsnetz/sync/1");
/// How both sides begin: length, name and version of the framing.
const GREETING: &[u8] = b"\0\0\0\x09ortsnetz\x01";
/// How long an answer of the victim may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A node of a town whose daemon is gone, in the hands of somebody else. It reads only when it is told to.
pub struct Hostile {
    /// Its key, with which it may sign in the town's name.
    pub key: NodeKey,
    /// The town.
    pub organisation: OrgId,
    runtime: Runtime,
    address: Multiaddr,
    line: Option<Line>,
}

struct Line {
    stream: Stream,
    swarm: JoinHandle<()>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.swarm.abort();
    }
}

impl Hostile {
    /// Stops the daemon of a partner of `victim` and takes its place.
    ///
    /// # Panics
    /// If the victim does not let it in.
    pub fn take_over(town: &mut Town, victim: &Town) -> Self {
        town.stop();
        let (store, _) = Store::open(&town.dir.join("store"), Options::default()).expect("the daemon is stopped");
        let secret = store.meta("node_key").expect("readable").expect("each node has a key");
        store.close().expect("it closes");
        let mut hostile = Self {
            key: NodeKey::from_secret(&secret.try_into().expect("32 bytes")),
            organisation: town.organisation.parse().expect("an id"),
            runtime: tokio::runtime::Builder::new_multi_thread()
                .on_thread_start(Self::give_way)
                .worker_threads(1)
                .enable_all()
                .build()
                .expect("a runtime"),
            address: victim.peer_address().parse().expect("an address"),
            line: None,
        };
        assert!(hostile.connect(), "{} lets its partner in", victim.name);
        hostile
    }

    /// Lets this thread work only when nobody else wants to: the attacker shares the machine with the victim, which it
    /// would not.
    pub fn give_way() {
        // Where that is not allowed, the attack is only harder.
        let _ = rustix::process::setpriority_process(None, 19);
    }

    /// This node.
    pub fn node(&self) -> NodeId {
        self.key.id()
    }

    /// A collection of its town.
    pub fn feed(&self, name: &str) -> FeedId {
        FeedId { organisation: self.organisation, collection: CollectionId::named(&self.organisation, name) }
    }

    /// Connects anew and greets; false if the victim does not let it in. The victim's own greeting was read then, and
    /// nothing that follows.
    pub fn connect(&mut self) -> bool {
        self.line = None;
        let (key, address) = (self.key.secret().to_vec(), self.address.clone());
        self.line = self.runtime.block_on(async { timeout(PATIENCE, dial(key, address)).await.ok().flatten() });
        if self.line.is_none() {
            return false;
        }
        let hello = Message::Hello {
            oldest: VERSION,
            newest: VERSION,
            organisation: self.organisation,
            instance: 1,
            chain: [0; 16],
            offer: [1; 16],
            taken: [0; 16],
        };
        self.say(&hello) && self.hear().is_some_and(|message| matches!(message, Message::Hello { .. }))
    }

    /// Sends a message; false if the line is gone.
    pub fn say(&mut self, message: &Message) -> bool {
        self.send(&message.frame(3))
    }

    /// Sends a frame; false if the line is gone. Waits while the victim does not read.
    pub fn send(&mut self, frame: &[u8]) -> bool {
        let length = u32::try_from(frame.len()).expect("shorter than 4 GiB").to_be_bytes();
        self.send_bytes(&[&length, frame].concat())
    }

    /// Sends bytes that need not be whole frames.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> bool {
        let Some(line) = &mut self.line else { return false };
        let sent = self.runtime.block_on(async {
            timeout(PATIENCE, async {
                line.stream.write_all(bytes).await?;
                line.stream.flush().await
            })
            .await
        });
        matches!(sent, Ok(Ok(())))
    }

    /// Sends a frame so many times in one go; false if the line is gone.
    pub fn send_many(&mut self, frame: &[u8], times: usize) -> bool {
        let length = u32::try_from(frame.len()).expect("shorter than 4 GiB").to_be_bytes();
        self.send_bytes(&[&length, frame].concat().repeat(times))
    }

    /// Sends this frame without end, as fast as it goes, until the victim ends the line or `stop` is dropped.
    pub fn flood(mut self, frame: Vec<u8>, stop: &Arc<()>) -> std::thread::JoinHandle<Self> {
        let stop = Arc::downgrade(stop);
        std::thread::spawn(move || {
            Self::give_way();
            while stop.strong_count() > 0 && self.send_many(&frame, 1000) {}
            self
        })
    }

    /// The next message of the victim; `None` if the line ended.
    pub fn hear(&mut self) -> Option<Message> {
        let line = self.line.as_mut()?;
        let frame = self.runtime.block_on(async {
            timeout(PATIENCE, async {
                let mut length = [0; 4];
                line.stream.read_exact(&mut length).await.ok()?;
                let mut frame = vec![0; u32::from_be_bytes(length) as usize];
                line.stream.read_exact(&mut frame).await.ok()?;
                Some(frame)
            })
            .await
        });
        Message::read(&frame.ok()??).ok()?
    }

    /// Reads until the victim ends the line; false if it does not within `patience`.
    pub fn is_closed_within(&mut self, patience: Duration) -> bool {
        let Some(line) = &mut self.line else { return true };
        let mut nothing = vec![0; 64 * 1024];
        let ended = async { while line.stream.read(&mut nothing).await.is_ok_and(|bytes| bytes > 0) {} };
        self.runtime.block_on(async { timeout(patience, ended).await.is_ok() })
    }
}

/// A stream on which both sides sent the greeting of the framing.
async fn dial(mut key: Vec<u8>, address: Multiaddr) -> Option<Line> {
    let key = identity::Keypair::ed25519_from_bytes(&mut key).ok()?;
    let transport = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .upgrade(Version::V1)
        .authenticate(tls::Config::new(&key).ok()?)
        .multiplex(yamux::Config::default())
        .boxed();
    let behaviour = libp2p_stream::Behaviour::new();
    let mut control = behaviour.new_control();
    let config = libp2p::swarm::Config::with_tokio_executor();
    let mut swarm = Swarm::new(transport, behaviour, key.public().to_peer_id(), config);
    swarm.dial(address).ok()?;
    let victim: PeerId = loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { peer_id, .. } => break peer_id,
            SwarmEvent::OutgoingConnectionError { .. } => return None,
            _ => {}
        }
    };
    let swarm = tokio::spawn(async move { while swarm.next().await.is_some() {} });
    let mut stream = match control.open_stream(victim, SYNC).await {
        Ok(stream) => stream,
        Err(_) => {
            swarm.abort();
            return None;
        }
    };
    let mut line = async || {
        stream.write_all(GREETING).await.ok()?;
        stream.flush().await.ok()?;
        let mut greeting = vec![0; GREETING.len()];
        stream.read_exact(&mut greeting).await.ok()?;
        (greeting == GREETING).then_some(())
    };
    match line().await {
        Some(()) => Some(Line { stream, swarm }),
        None => {
            swarm.abort();
            None
        }
    }
}
