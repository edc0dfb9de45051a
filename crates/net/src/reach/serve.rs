//! What we do when a peer opens a stream and asks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::Stream;
use ortsnetz_model::NodeId;
use tokio::time::timeout;

use super::ask::{receive, send};
use super::{Arrival, Ask, CircuitStream, DialledBack, Reply, is_circuit, relay};
use crate::config::{DIAL_BACK_ADDRESSES_MAX, REACH_FRAME_BYTES_MAX, parse_address};
use crate::driver::Command;
use crate::link::Link;
use crate::registry::Registry;

/// How long a peer may take to ask.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// How often one peer may have itself dialled within [`DIAL_BACK_INTERVAL`].
const DIAL_BACKS_MAX: u32 = 3;

/// Over what that is counted.
const DIAL_BACK_INTERVAL: Duration = Duration::from_secs(30);

/// Who had itself dialled lately: since when, and how often.
#[derive(Debug, Default)]
pub(crate) struct DialBacks(HashMap<NodeId, (Instant, u32)>);

impl DialBacks {
    /// Whether this peer may now; an error says how long it has to wait.
    pub(crate) fn ask(&mut self, now: Instant, peer: NodeId) -> Result<(), Duration> {
        self.0.retain(|_, (since, _)| now.duration_since(*since) < DIAL_BACK_INTERVAL);
        let (since, times) = self.0.entry(peer).or_insert((now, 0));
        if *times >= DIAL_BACKS_MAX {
            return Err(DIAL_BACK_INTERVAL - now.duration_since(*since));
        }
        *times += 1;
        Ok(())
    }
}

/// Answers what the peer of `link` asks on a stream it opened.
pub(crate) async fn serve(registry: Arc<Registry>, link: Arc<Link>, mut stream: Stream) {
    let asked = match timeout(ASK_TIMEOUT, receive(&mut stream, REACH_FRAME_BYTES_MAX)).await {
        Ok(Ok(bytes)) => Ask::from_bytes(&bytes),
        _ => return,
    };
    match asked {
        Some(Ask::Connect { to }) => relay::connect(&registry, &link, stream, to).await,
        Some(Ask::Incoming { from }) => arrive(&registry, &link, stream, from).await,
        Some(Ask::DialBack { addresses }) => {
            let reply = dial_back(&registry, &link, &addresses).await;
            let _ = send(&mut stream, &reply.to_bytes()).await;
        }
        None => {
            let _ = send(&mut stream, &Reply::No("it does not understand the question".into()).to_bytes()).await;
        }
    }
}

/// Takes a circuit from a peer that said it relays, if it comes from somebody who may connect or join.
async fn arrive(registry: &Registry, link: &Link, mut stream: Stream, from: NodeId) {
    let room = registry.arrivals.try_reserve();
    let refusal = if !link.peer_relays() {
        Some("it does not know you as one that relays")
    } else if !registry.is_welcome(&from) {
        Some("it is no partner of it, and no invitation is open")
    } else if room.is_err() {
        Some("it has too many circuits to take")
    } else {
        None
    };
    let reply = refusal.map_or(Reply::Yes, |reason| Reply::No(reason.into()));
    let sent = send(&mut stream, &reply.to_bytes()).await;
    if let (None, Ok(()), Ok(room)) = (refusal, sent, room) {
        room.send(Arrival { stream: CircuitStream::new(stream, link), relay: link.node, from });
    }
}

/// Dials the peer where it asks for it, if these are places it may speak for.
async fn dial_back(registry: &Arc<Registry>, link: &Link, addresses: &[String]) -> Reply {
    if let Err(wait) = registry.dial_backs().ask(Instant::now(), link.node) {
        return Reply::No(format!("it dialled back {DIAL_BACKS_MAX} times lately; again in {} s", wait.as_secs() + 1));
    }
    let known = registry.addresses_of(&link.node);
    let seen = link.remote.parse().ok();
    let mut all: Vec<_> = Vec::new();
    for address in addresses.iter().filter_map(|text| place(text, seen.as_ref(), &known)) {
        if !all.contains(&address) && all.len() < DIAL_BACK_ADDRESSES_MAX {
            all.push(address);
        }
    }
    if all.is_empty() {
        return Reply::No("none of these addresses is its own: they are neither stated nor where it comes from".into());
    }
    let dialled = all.into_iter().map(|address| async {
        let (reply, answer) = tokio::sync::oneshot::channel();
        let text = address.to_string();
        let command = Command::Probe { node: link.node, addresses: vec![address], reply };
        let failed = match registry.commands.try_send(command) {
            Ok(()) => answer.await.unwrap_or_else(|_| Err("the dial was given up".into())).err(),
            Err(_) => Some("too busy to dial".into()),
        };
        DialledBack { address: text, failed }
    });
    Reply::Dialled(join_all(dialled).await)
}

/// The address to dial: one we know of the peer anyway, or one with the IP address it comes from. Nobody makes us knock at
/// other people's doors.
fn place(text: &str, seen: Option<&Multiaddr>, known: &[Multiaddr]) -> Option<Multiaddr> {
    let address = parse_address(text).ok().filter(|address| !is_circuit(address))?;
    let mut parts = address.iter();
    let (host, port) = (parts.next()?, parts.next()?);
    let at = seen.and_then(|seen| seen.iter().next());
    let unspecified = match &host {
        Protocol::Ip4(ip) => ip.is_unspecified(),
        Protocol::Ip6(ip) => ip.is_unspecified(),
        _ => false,
    };
    match (at, &port) {
        (Some(at @ (Protocol::Ip4(_) | Protocol::Ip6(_))), Protocol::Tcp(_)) if unspecified || at == host => {
            Some(Multiaddr::empty().with(at.acquire()).with(port.acquire()))
        }
        _ => known.contains(&address).then_some(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_peers_own_addresses_are_dialled_for_it() {
        let seen: Multiaddr = "/ip4/203.0.113.7/tcp/50000".parse().unwrap();
        let known: Vec<Multiaddr> = vec!["/dns4/bonn.example/tcp/4115".parse().unwrap()];
        let check = |text: &str| place(text, Some(&seen), &known).map(|address| address.to_string());
        let at = |port: u16| Some(format!("/ip4/203.0.113.7/tcp/{port}"));
        assert_eq!(check("/ip4/0.0.0.0/tcp/4115"), at(4115));
        assert_eq!(check("/ip4/203.0.113.7/tcp/1"), at(1));
        assert_eq!(check("/dns4/bonn.example/tcp/4115").as_deref(), Some("/dns4/bonn.example/tcp/4115"));
        for foreign in [
            "/ip4/192.0.2.1/tcp/4115",
            "/dns4/other.example/tcp/4115",
            "/dns4/bonn.example/tcp/22",
            "/ip4/203.0.113.7/udp/53",
            "/p2p-circuit",
            "nonsense",
        ] {
            assert_eq!(check(foreign), None, "{foreign}");
        }
        assert_eq!(place("/ip4/0.0.0.0/tcp/4115", None, &known), None);
    }

    #[test]
    fn one_peer_has_itself_dialled_so_often_and_no_more() {
        let (mut backs, now, peer) = (DialBacks::default(), Instant::now(), NodeId([1; 32]));
        for _ in 0..DIAL_BACKS_MAX {
            assert_eq!(backs.ask(now, peer), Ok(()));
        }
        assert_eq!(backs.ask(now + Duration::from_secs(29), peer), Err(Duration::from_secs(1)));
        assert_eq!(backs.ask(now, NodeId([2; 32])), Ok(()));
        assert_eq!(backs.ask(now + DIAL_BACK_INTERVAL, peer), Ok(()));
    }
}
