//! What a network is started with, and what can be wrong about it.

use std::ffi::OsString;
use std::time::Duration;

use libp2p::Multiaddr;
use ortsnetz_model::NodeId;

use crate::reach::RelayLimits;

/// Longest frame on the sync stream, in bytes. A page of a first sync is about 64 KiB; a single chunk may have 512 KiB.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;

/// Most addresses one peer may have; more are an error of the caller.
pub const PEER_ADDRESSES_MAX: usize = 16;

/// Most connections of nodes outside the allow list at one time, while an invitation is open.
pub const JOIN_CONNECTIONS_MAX: usize = 4;

/// Longest frame on a join stream, in bytes. One carries the statements of a whole organisation: with 500 partners
/// about 400 KiB.
pub const JOIN_FRAME_BYTES_MAX: usize = 1024 * 1024;

/// Most bytes one side may send on one join stream altogether.
pub const JOIN_BYTES_MAX: usize = 1280 * 1024;

/// Longest frame before a circuit begins, and of what is asked of a peer beside, in bytes: as many addresses as a peer may have.
pub const REACH_FRAME_BYTES_MAX: usize = 8 * 1024;

/// Most addresses one node dials back in one go.
pub const DIAL_BACK_ADDRESSES_MAX: usize = 4;

/// Longest question to a peer and longest answer, in bytes: a piece of a sealed copy with what proves it.
pub const QUESTION_BYTES_MAX: usize = 160 * 1024;

/// Most questions of one peer that are read or answered at one time.
pub const QUESTIONS_PER_PEER_MAX: usize = 2;

/// Most questions of all peers that are read or answered at one time.
pub const QUESTIONS_MAX: usize = 64;

/// What [`Network::start`](crate::Network::start) needs to know.
#[derive(Clone)]
pub struct Config {
    /// The secret half of this node's Ed25519 key.
    pub secret: [u8; 32],
    /// Where to accept connections, as multiaddrs such as `/ip4/0.0.0.0/tcp/4115`. Empty: only dial out.
    pub listen: Vec<String>,
    /// Addresses under which this node is known outside; never dialled by itself even if a partner hands them back.
    pub advertise: Vec<String>,
    /// Sent to peers as the name of the program, such as `ortsnetz/0.1.0`.
    pub agent: String,
    /// How much a peer may make us hold.
    pub limits: Limits,
    /// How long things may take.
    pub timing: Timing,
    /// How much to relay between the peers of this node that cannot dial each other; `None`: nothing.
    pub relay: Option<RelayLimits>,
}

impl Config {
    /// A configuration with this key, listening at these addresses, and the default limits and times.
    pub fn new(secret: [u8; 32], listen: Vec<String>) -> Self {
        Self {
            secret,
            listen,
            advertise: Vec::new(),
            agent: concat!("ortsnetz/", env!("CARGO_PKG_VERSION")).into(),
            limits: Limits::default(),
            timing: Timing::default(),
            relay: None,
        }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The secret stays out of logs.
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("advertise", &self.advertise)
            .finish_non_exhaustive()
    }
}

/// How much a peer may make us hold. A peer above a limit of the incoming side is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Frames of one peer received and not yet taken from [`Events`](crate::Events).
    pub incoming_frames_max: usize,
    /// Their bytes. Keep above the window the sync engine allows a sender.
    pub incoming_bytes_max: usize,
    /// Control frames waiting to be sent to one peer.
    pub control_frames_max: usize,
    /// Their bytes.
    pub control_bytes_max: usize,
    /// Bulk frames waiting to be sent to one peer.
    pub bulk_frames_max: usize,
    /// Their bytes.
    pub bulk_bytes_max: usize,
    /// Connections from outside whose handshake is not done.
    pub pending_incoming_max: u32,
    /// Of these, from one IP address: who opens connections and says nothing does not keep others out.
    pub pending_per_address_max: u32,
    /// Established connections altogether.
    pub connections_max: u32,
    /// Resident memory of the process, in bytes, above which no new connection is taken.
    pub memory_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            incoming_frames_max: 4096,
            incoming_bytes_max: 16 * 1024 * 1024,
            control_frames_max: 1024,
            control_bytes_max: 2 * 1024 * 1024,
            bulk_frames_max: 256,
            bulk_bytes_max: 2 * 1024 * 1024,
            pending_incoming_max: 128,
            pending_per_address_max: 64,
            connections_max: 2048,
            memory_bytes_max: 2 * 1024 * 1024 * 1024,
        }
    }
}

/// How long things may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A dial, from the first packet to the end of the TLS handshake.
    pub dial_timeout: Duration,
    /// From an opened stream to the peer's greeting.
    pub greeting_timeout: Duration,
    /// First wait before dialling again; doubled after each failure, spread by a half in both directions.
    pub backoff_min: Duration,
    /// Longest wait before dialling again.
    pub backoff_max: Duration,
    /// A connection that lived so long was good: the wait starts from `backoff_min` again.
    pub stable_after: Duration,
    /// How often [`Handle::nudge`](crate::Handle::nudge) may shorten the wait for one peer.
    pub nudge_interval: Duration,
    /// Of two connections to a peer, one that brought a frame within this time counts as alive.
    pub fresh: Duration,
    /// A whole join exchange.
    pub join_timeout: Duration,
    /// How long a closing connection may still send what is queued.
    pub drain_timeout: Duration,
    /// How long a peer may read nothing of what waits for it.
    pub unread_timeout: Duration,
    /// How long a peer that misbehaved is kept out; doubled each time it does so again.
    pub bar_min: Duration,
    /// Longest time it is kept out, and how long afterwards it must behave until the count begins anew.
    pub bar_max: Duration,
    /// How long a dial of a peer's own addresses goes on before it is also tried through a node that relays.
    pub head_start: Duration,
    /// How often a peer reached through a relay is dialled directly.
    pub direct_interval: Duration,
    /// A question, from the stream to the answer; on the answering side each step of it.
    pub question_timeout: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            dial_timeout: Duration::from_secs(10),
            greeting_timeout: Duration::from_secs(5),
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(300),
            stable_after: Duration::from_secs(60),
            nudge_interval: Duration::from_secs(60),
            fresh: Duration::from_secs(5),
            join_timeout: Duration::from_secs(15),
            drain_timeout: Duration::from_secs(1),
            unread_timeout: Duration::from_secs(120),
            bar_min: Duration::from_secs(60),
            bar_max: Duration::from_secs(3600),
            head_start: Duration::from_secs(2),
            direct_interval: Duration::from_secs(600),
            question_timeout: Duration::from_secs(30),
        }
    }
}

/// A node on the allow list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Which node.
    pub node: NodeId,
    /// Where it may be found, as multiaddrs; at most [`PEER_ADDRESSES_MAX`]. Empty: it has to dial us.
    pub addresses: Vec<String>,
    /// Whether to keep a connection to it; otherwise it is only let in.
    pub dial: bool,
}

/// Why the network cannot start. Every text is one line for the administrator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Not a multiaddr, or one we cannot listen at.
    #[error("{address:?} is not an address to listen at (such as /ip4/0.0.0.0/tcp/4115): {reason}")]
    Address {
        /// What was configured.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another program listens there.
    #[error("{address} is in use by another program: stop it, or choose another port with --listen")]
    AddressInUse {
        /// The occupied address.
        address: String,
    },
    /// The system refuses to listen there.
    #[error("cannot listen at {address}: {reason}")]
    Listen {
        /// The configured address.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// Session keys would be written to a file.
    #[error("SSLKEYLOGFILE is set, which would write the keys of all connections to a file: unset it and start again")]
    KeyLog,
    /// The TLS certificate of this process could not be made.
    #[error("cannot prepare TLS: {0}")]
    Tls(String),
}

/// Refuses an environment in which session keys would be written to disk. `variable` reads one environment variable.
pub fn check_environment(variable: impl Fn(&str) -> Option<OsString>) -> Result<(), StartError> {
    match variable("SSLKEYLOGFILE") {
        Some(value) if !value.is_empty() => Err(StartError::KeyLog),
        _ => Ok(()),
    }
}

/// An address that is no multiaddr.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address:?} is not an address (such as /dns4/ortsnetz.example.de/tcp/4115): {reason}")]
pub struct AddressError {
    /// What was given, cut to 200 characters.
    pub address: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Checks the text of an address, without resolving names.
pub fn check_address(text: &str) -> Result<(), AddressError> {
    parse_address(text).map(drop)
}

pub(crate) fn parse_address(text: &str) -> Result<Multiaddr, AddressError> {
    text.trim().parse().map_err(|error: libp2p::multiaddr::Error| AddressError {
        address: text.chars().take(200).collect(),
        reason: error.to_string(),
    })
}
