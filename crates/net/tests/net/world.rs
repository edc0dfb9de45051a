//! Nodes for tests: each with its own key, on a free port, with short waits where a test would have to be patient.

use std::time::Duration;

use ortsnetz_model::NodeId;
use ortsnetz_net::{Config, Events, Handle, NetEvent, Network, Peer, Priority, Reason};
use tokio::time::timeout;

/// Longer than anything here takes, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Node {
    pub name: &'static str,
    pub id: NodeId,
    pub net: Handle,
    pub events: Events,
}

/// A configuration on a free port, with waits of a tenth of a second.
pub fn config(number: u8) -> Config {
    let mut config = Config::new([number; 32], vec!["/ip4/127.0.0.1/tcp/0".into()]);
    config.timing.backoff_min = Duration::from_millis(100);
    config.timing.backoff_max = Duration::from_millis(400);
    config
}

pub async fn start(name: &'static str, config: Config) -> Node {
    // Logs of a test that fails are worth more than silence.
    let _ = tracing_subscriber::fmt().with_test_writer().with_max_level(tracing::Level::INFO).try_init();
    let (net, events) = Network::start(config).await.expect("loopback is free");
    Node { name, id: net.node(), net, events }
}

/// Two nodes; the first has the smaller id.
pub async fn pair() -> (Node, Node) {
    let (one, two) = (start("siegburg", config(1)).await, start("bonn", config(2)).await);
    if one.id < two.id { (one, two) } else { (two, one) }
}

impl Node {
    /// This node as a peer of another one, which dials it.
    pub fn peer(&self) -> Peer {
        Peer { node: self.id, addresses: self.net.listening(), dial: true }
    }

    /// This node as a peer of another one, which waits for it.
    pub fn guest(&self) -> Peer {
        Peer { node: self.id, addresses: Vec::new(), dial: false }
    }

    pub async fn next(&mut self) -> NetEvent {
        timeout(PATIENCE, self.events.recv())
            .await
            .unwrap_or_else(|_| panic!("{}: nothing happened", self.name))
            .unwrap_or_else(|| panic!("{}: has stopped", self.name))
    }

    /// Waits for an event that `pick` wants; others are thrown away.
    pub async fn until<T>(&mut self, what: &str, mut pick: impl FnMut(NetEvent) -> Option<T>) -> T {
        let name = self.name;
        let wanted = async {
            loop {
                let event = self.events.recv().await.unwrap_or_else(|| panic!("{name}: stopped before {what}"));
                if let Some(found) = pick(event) {
                    return found;
                }
            }
        };
        timeout(PATIENCE, wanted).await.unwrap_or_else(|_| panic!("{name}: no {what}"))
    }

    /// Waits for a connection to `peer`; returns whether this side dialled.
    pub async fn connected(&mut self, peer: NodeId) -> bool {
        self.until("connection", |event| match event {
            NetEvent::Connected { peer: who, outbound, .. } if who == peer => Some(outbound),
            _ => None,
        })
        .await
    }

    pub async fn disconnected(&mut self, peer: NodeId) -> Reason {
        self.until("end of the connection", |event| match event {
            NetEvent::Disconnected { peer: who, reason } if who == peer => Some(reason),
            _ => None,
        })
        .await
    }

    pub async fn frame(&mut self, peer: NodeId) -> Vec<u8> {
        self.until("frame", |event| match event {
            NetEvent::Frame { peer: who, bytes } if who == peer => Some(bytes),
            _ => None,
        })
        .await
    }

    pub fn send(&self, peer: &Node, frame: &[u8]) {
        self.net.send(peer.id, frame.to_vec(), Priority::Control).expect("connected, with room");
    }
}

/// Lets `a` dial `b` and waits until both see it.
pub async fn connect(a: &mut Node, b: &mut Node) {
    b.net.set_peers(vec![a.guest()]);
    a.net.set_peers(vec![b.peer()]);
    assert!(a.connected(b.id).await, "a dialled");
    assert!(!b.connected(a.id).await, "b was dialled");
}
