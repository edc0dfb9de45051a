//! Helps nodes that others cannot dial. On the connection two allowed nodes have anyway, either opens short streams of the
//! protocol [`REACH`] and begins with one [`Ask`], answered by one [`Reply`]:
//!
//! 1. *Connect me to that node*: whoever relays opens such a stream to the third node, too, and from then on passes bytes
//!    on between the two: a **circuit**. There is nothing to reserve: a partner that is connected can be reached.
//! 2. *That node wants to talk with you*: the other end of a circuit.
//! 3. *Dial me at these addresses*: so that a node learns whether it can be dialled at all.
//!
//! A circuit is a byte stream like a TCP connection: TLS, the proof of both keys and the multiplexer run over it from end
//! to end (`transport`), so that whoever relays sees ciphertext, lengths and times, and nothing else.

mod ask;
mod circuit;
mod quota;
mod relay;
mod serve;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::StreamProtocol;
use ortsnetz_model::NodeId;

pub use ask::{DialledBack, ReachError};
pub(crate) use ask::{Order, OrderReply, dial_back, receive, send};
pub(crate) use circuit::{ARRIVALS_MAX, Arrival, CircuitStream, Circuits, listen_address};
pub(crate) use quota::Quotas;
pub use quota::{RelayLimits, Relaying};
pub(crate) use serve::{DialBacks, serve};

use crate::behaviour::{node_of, peer_of};
use crate::config::{DIAL_BACK_ADDRESSES_MAX, PEER_ADDRESSES_MAX};

/// The short streams between two allowed nodes.
pub(crate) const REACH: StreamProtocol = StreamProtocol::new("/ortsnetz/reach/1");

/// Longest text of a refusal that is shown, in characters.
const REASON_CHARS_MAX: usize = 400;

/// First frame on a stream of this protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// To whoever relays: connect me to this node.
    Connect { to: NodeId },
    /// From whoever relays: this node wants to talk with you.
    Incoming { from: NodeId },
    /// Dial me at these addresses; an unspecified IP address stands for the one you see me at.
    DialBack { addresses: Vec<String> },
}

/// Second frame, in the other direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// It is done.
    Yes,
    /// It is not, and why, for people.
    No(String),
    /// What became of each address.
    Dialled(Vec<DialledBack>),
}

const CONNECT: u8 = 1;
const INCOMING: u8 = 2;
const DIAL_BACK: u8 = 3;
const YES: u8 = 0;
const NO: u8 = 1;
const DIALLED: u8 = 2;

impl Ask {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Connect { to } => [&[CONNECT], &to.0[..]].concat(),
            Self::Incoming { from } => [&[INCOMING], &from.0[..]].concat(),
            Self::DialBack { addresses } => {
                let mut bytes = vec![DIAL_BACK];
                addresses.iter().take(PEER_ADDRESSES_MAX).for_each(|address| put_text(&mut bytes, address));
                bytes
            }
        }
    }

    /// `None`: nothing we understand.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let node = || rest.try_into().ok().map(NodeId);
        match *kind {
            CONNECT => Some(Self::Connect { to: node()? }),
            INCOMING => Some(Self::Incoming { from: node()? }),
            DIAL_BACK => {
                let addresses = texts(rest)?;
                (addresses.len() <= PEER_ADDRESSES_MAX).then_some(Self::DialBack { addresses })
            }
            _ => None,
        }
    }
}

impl Reply {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Yes => vec![YES],
            Self::No(reason) => {
                let mut bytes = vec![NO];
                put_text(&mut bytes, &readable(reason));
                bytes
            }
            Self::Dialled(all) => {
                let mut bytes = vec![DIALLED];
                for DialledBack { address, failed } in all.iter().take(DIAL_BACK_ADDRESSES_MAX) {
                    put_text(&mut bytes, address);
                    put_text(&mut bytes, &failed.as_deref().map(readable).unwrap_or_default());
                }
                bytes
            }
        }
    }

    /// `None`: nothing we understand.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        match *kind {
            YES => Some(Self::Yes),
            NO => match texts(rest)?.as_slice() {
                [reason] => Some(Self::No(readable(reason))),
                _ => None,
            },
            DIALLED => {
                let texts = texts(rest)?;
                let all: Vec<_> = texts
                    .chunks_exact(2)
                    .map(|pair| DialledBack {
                        address: readable(&pair[0]),
                        failed: Some(readable(&pair[1])).filter(|reason| !reason.is_empty()),
                    })
                    .collect();
                (texts.len().is_multiple_of(2) && all.len() <= DIAL_BACK_ADDRESSES_MAX).then_some(Self::Dialled(all))
            }
            _ => None,
        }
    }
}

/// Reads a frame as a question and as an answer; what is understood means the same when it is written and read again. For
/// the fuzz target and the test over its corpus. Returns whether it was understood.
///
/// # Panics
/// If it does not mean the same: a fault of ours.
pub fn read_reach_frame(bytes: &[u8]) -> bool {
    let (ask, reply) = (Ask::from_bytes(bytes), Reply::from_bytes(bytes));
    if let Some(ask) = &ask {
        // A text may be longer than one that is written.
        let again = Ask::from_bytes(&ask.to_bytes());
        assert!(again.is_some_and(|again| again.to_bytes() == ask.to_bytes()), "{ask:?}");
    }
    if let Some(reply) = &reply {
        let again = Reply::from_bytes(&reply.to_bytes());
        assert!(again.is_some_and(|again| again.to_bytes() == reply.to_bytes()), "{reply:?}");
    }
    ask.is_some() || reply.is_some()
}

/// A text with its length (u16, big endian) before it; too long a one is cut.
fn put_text(bytes: &mut Vec<u8>, text: &str) {
    let end = (0..=text.len().min(1024)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    bytes.extend_from_slice(&(end as u16).to_be_bytes());
    bytes.extend_from_slice(&text.as_bytes()[..end]);
}

fn texts(mut bytes: &[u8]) -> Option<Vec<String>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk()?;
        let (text, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        all.push(std::str::from_utf8(text).ok()?.to_owned());
        bytes = rest;
    }
    Some(all)
}

/// What a peer says, fit to be shown on a line.
fn readable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(REASON_CHARS_MAX).collect()
}

/// Whether an address leads through a node that relays.
pub(crate) fn is_circuit(address: &Multiaddr) -> bool {
    address.iter().any(|part| matches!(part, Protocol::P2pCircuit))
}

/// The address of whoever is connected to a node that relays, as multiaddr: `/p2p/RELAY/p2p-circuit`.
pub fn circuit_through(relay: &NodeId) -> String {
    Multiaddr::empty().with(Protocol::P2p(peer_of(relay))).with(Protocol::P2pCircuit).to_string()
}

/// The node that relays, if an address is that of a circuit.
pub fn relay_of(address: &str) -> Option<NodeId> {
    relay_in(&address.parse().ok()?)
}

/// The last node named before the circuit.
pub(crate) fn relay_in(address: &Multiaddr) -> Option<NodeId> {
    let mut relay = None;
    for part in address {
        match part {
            Protocol::P2p(peer) => relay = node_of(&peer),
            Protocol::P2pCircuit => return relay,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::REACH_FRAME_BYTES_MAX;
    use proptest::prelude::*;

    fn node() -> NodeId {
        NodeId([7; 32])
    }

    #[test]
    fn asks_and_replies_read_as_they_were_written() {
        let addresses: Vec<String> = vec!["a".repeat(256); PEER_ADDRESSES_MAX];
        let asks = [Ask::Connect { to: node() }, Ask::Incoming { from: node() }, Ask::DialBack { addresses }];
        for ask in asks {
            let bytes = ask.to_bytes();
            assert!(bytes.len() <= REACH_FRAME_BYTES_MAX);
            assert_eq!(Ask::from_bytes(&bytes), Some(ask));
        }
        let one = |failed: Option<&str>| DialledBack {
            address: "/ip4/192.0.2.1/tcp/1".into(),
            failed: failed.map(Into::into),
        };
        let dialled = vec![one(None), one(Some("refused")), one(None), one(None)];
        for reply in [Reply::Yes, Reply::No("zu groß".into()), Reply::Dialled(dialled), Reply::Dialled(Vec::new())] {
            let bytes = reply.to_bytes();
            assert!(bytes.len() <= REACH_FRAME_BYTES_MAX);
            assert_eq!(Reply::from_bytes(&bytes), Some(reply));
        }
    }

    #[test]
    fn too_many_addresses_are_not_understood_and_a_long_refusal_is_cut() {
        let mut bytes = vec![DIAL_BACK];
        (0..=PEER_ADDRESSES_MAX).for_each(|_| put_text(&mut bytes, "/ip4/192.0.2.1/tcp/1"));
        assert_eq!(Ask::from_bytes(&bytes), None);
        let dialled = |count: usize| {
            let mut bytes = vec![DIALLED];
            (0..2 * count).for_each(|_| put_text(&mut bytes, "/ip4/192.0.2.1/tcp/1"));
            Reply::from_bytes(&bytes).is_some()
        };
        assert!(dialled(DIAL_BACK_ADDRESSES_MAX) && !dialled(DIAL_BACK_ADDRESSES_MAX + 1));
        let long = Reply::No("ü\n".repeat(REACH_FRAME_BYTES_MAX)).to_bytes();
        let Some(Reply::No(reason)) = Reply::from_bytes(&long) else { panic!("it is read") };
        assert!(reason.chars().count() == REASON_CHARS_MAX && !reason.contains('\n'));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            read_reach_frame(&bytes);
        }
    }

    #[test]
    fn the_corpus_is_read_and_means_the_same_when_written_again() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/reach");
        let files = std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
        let understood: Vec<bool> = files.map(|bytes| read_reach_frame(&bytes)).collect();
        assert!(understood.contains(&true) && understood.contains(&false));
    }

    #[test]
    fn the_address_of_a_circuit_names_who_relays() {
        // A node id has to be a key for this.
        let relay = NodeId([1; 32]);
        let address = circuit_through(&relay);
        assert_eq!(relay_of(&address), Some(relay));
        assert_eq!(relay_of(&format!("/dns4/kreis.example/tcp/4115{address}")), Some(relay));
        for other in ["/ip4/192.0.2.1/tcp/4115", "/p2p-circuit", "", "nonsense"] {
            assert_eq!(relay_of(other), None, "{other}");
        }
    }
}
