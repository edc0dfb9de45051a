//! Carries bounded frames between certified nodes over libp2p; knows no documents.
//!
//! [`Network::start`] opens one TCP port (TLS 1.3, yamux) and returns a [`Handle`] for commands and [`Events`] for what
//! happens. Who may connect is decided outside and handed in by [`Handle::set_peers`]. To each of these peers there is at
//! most one connection with one long-lived stream; frames keep their order within a priority and arrive whole or not at all.
//! Two peers that cannot dial each other talk through a third that relays ([`Config::relay`]).

mod behaviour;
mod config;
mod driver;
mod event;
mod frame;
mod handle;
mod handler;
mod inbox;
mod join;
mod link;
mod listen;
mod outbox;
mod protocol;
mod pump;
mod question;
mod reach;
mod registry;
mod supervisor;
mod transport;

pub use config::{
    AddressError, Config, DIAL_BACK_ADDRESSES_MAX, FRAME_BYTES_MAX, JOIN_BYTES_MAX, JOIN_CONNECTIONS_MAX,
    JOIN_FRAME_BYTES_MAX, Limits, PEER_ADDRESSES_MAX, Peer, QUESTION_BYTES_MAX, QUESTIONS_MAX, QUESTIONS_PER_PEER_MAX,
    REACH_FRAME_BYTES_MAX, StartError, Timing, check_address, check_environment,
};
pub use event::{NetEvent, Reason};
pub use handle::{Events, Handle, Network, PeerStatus, Priority, SendError};
pub use join::{JoinError, JoinStream};
pub use question::{Answerer, Topic};
#[doc(hidden)]
pub use reach::read_reach_frame;
pub use reach::{DialledBack, ReachError, RelayLimits, Relaying, circuit_through, relay_of};
