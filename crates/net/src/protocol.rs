//! The names of our protocols, the greeting, and how libp2p is told to negotiate them.

use std::array;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::iter::Flatten;

use libp2p::core::upgrade::{InboundUpgrade, UpgradeInfo};
use libp2p::swarm::{Stream, StreamProtocol};

use crate::question::Topic;
use crate::reach::REACH;

/// The long-lived stream between two nodes that know each other.
pub(crate) const SYNC: StreamProtocol = StreamProtocol::new("/ortsnetz/sync/1");

/// The short conversation of two nodes that do not.
pub(crate) const JOIN: StreamProtocol = StreamProtocol::new("/ortsnetz/join/1");

/// The short conversation of a new node of a partner that lost its machines. Frames and limits are those of [`JOIN`].
pub(crate) const RETURN: StreamProtocol = StreamProtocol::new("/ortsnetz/return/1");

/// First frame in both directions of a sync stream. The last byte is the version of the framing; what travels in the
/// frames has its own version.
pub(crate) const GREETING: &[u8] = b"ortsnetz\x01";

/// Follows the greeting of a node that relays for its partners.
pub(crate) const RELAYS: u8 = 1;

/// Longest first frame we read, so that later versions can say more.
pub(crate) const GREETING_BYTES_MAX: usize = 256;

/// Whether a peer's first frame is a greeting we understand. Bytes after ours belong to a later version and are ignored.
pub(crate) fn is_greeting(frame: &[u8]) -> bool {
    frame.starts_with(GREETING)
}

/// Whether a greeting says that the peer relays.
pub(crate) fn relays(greeting: &[u8]) -> bool {
    greeting.get(GREETING.len()).is_some_and(|flags| flags & RELAYS != 0)
}

/// What a connection accepts from the other side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    pub(crate) sync: bool,
    pub(crate) join: bool,
    pub(crate) back: bool,
    pub(crate) reach: bool,
    pub(crate) questions: bool,
}

impl UpgradeInfo for Offer {
    type Info = StreamProtocol;
    type InfoIter = Flatten<array::IntoIter<Option<StreamProtocol>, 7>>;

    fn protocol_info(&self) -> Self::InfoIter {
        let offers = [
            (self.sync, SYNC),
            (self.join, JOIN),
            (self.back, RETURN),
            (self.reach, REACH),
            (self.questions, Topic::Keep.protocol()),
            (self.questions, Topic::Find.protocol()),
            (self.questions, Topic::Places.protocol()),
        ];
        offers.map(|(offered, protocol)| offered.then_some(protocol)).into_iter().flatten()
    }
}

impl InboundUpgrade<Stream> for Offer {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_of_a_later_version_may_be_longer_but_not_different() {
        assert!(is_greeting(GREETING));
        assert!(is_greeting(b"ortsnetz\x01and more"));
        assert!(!relays(GREETING) && !relays(b"ortsnetz\x01\x02") && relays(b"ortsnetz\x01\x03later"));
        assert!(!is_greeting(b"ortsnetz\x02"));
        assert!(!is_greeting(b"ortsnetz"));
        assert!(!is_greeting(b""));
        const { assert!(GREETING.len() <= GREETING_BYTES_MAX) };
    }
}
