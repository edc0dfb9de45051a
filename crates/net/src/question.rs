//! Questions between two allowed nodes, one on each stream of the protocol of its [`Topic`]: a frame there, a frame back, and the
//! stream ends. They run beside the sync stream on the connection both have anyway, also over a circuit. What they mean the
//! owner knows.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::io::AsyncWriteExt as _;
use libp2p::swarm::{Stream, StreamProtocol};
use ortsnetz_model::NodeId;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::config::{QUESTION_BYTES_MAX, QUESTIONS_MAX, QUESTIONS_PER_PEER_MAX};
use crate::event::NetEvent;
use crate::link::Link;
use crate::reach::{self, Order, ReachError};
use crate::registry::Registry;

/// What a question is about. Each topic has a protocol and places of its own, so that one does not hold up the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Sealed copies.
    Keep,
    /// Entries of collections that are not replicated.
    Find,
    /// The table of places.
    Places,
}

/// How many topics there are.
pub(crate) const TOPICS: usize = 3;

impl Topic {
    const ALL: [Self; TOPICS] = [Self::Keep, Self::Find, Self::Places];

    /// The protocol of its streams.
    pub(crate) fn protocol(self) -> StreamProtocol {
        match self {
            Self::Keep => StreamProtocol::new("/ortsnetz/keep/1"),
            Self::Find => StreamProtocol::new("/ortsnetz/find/1"),
            Self::Places => StreamProtocol::new("/ortsnetz/places/1"),
        }
    }

    /// The topic of a stream.
    pub(crate) fn of(protocol: &StreamProtocol) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.protocol() == *protocol)
    }
}

/// Answers one question; dropped, there is no answer.
pub struct Answerer(oneshot::Sender<Vec<u8>>);

impl Answerer {
    /// Sends the answer, at most [`QUESTION_BYTES_MAX`]; a longer one is none.
    pub fn send(self, answer: Vec<u8>) {
        if answer.len() <= QUESTION_BYTES_MAX {
            // Who asked may have gone.
            let _ = self.0.send(answer);
        }
    }
}

impl fmt::Debug for Answerer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answerer")
    }
}

/// A question of a peer that is being read or answered; dropped, there is room for another.
struct Place<'a> {
    all: &'a AtomicUsize,
    of_peer: &'a AtomicUsize,
}

impl<'a> Place<'a> {
    fn take(all: &'a AtomicUsize, of_peer: &'a AtomicUsize) -> Option<Self> {
        let under = |counter: &AtomicUsize, max: usize| {
            counter.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| (n < max).then_some(n + 1)).is_ok()
        };
        if !under(of_peer, QUESTIONS_PER_PEER_MAX) {
            return None;
        }
        if !under(all, QUESTIONS_MAX) {
            of_peer.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        Some(Self { all, of_peer })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(1, Ordering::AcqRel);
        self.of_peer.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Hands a question to the owner and its answer back. What is too long, too slow or too much gets none.
pub(crate) async fn serve(registry: Arc<Registry>, link: Arc<Link>, topic: Topic, mut stream: Stream) {
    let (all, of_peer) = (&registry.questions[topic as usize], &link.counters.questions[topic as usize]);
    let Some(_place) = Place::take(all, of_peer) else { return };
    let limit = registry.timing.question_timeout;
    let received = timeout(limit, reach::receive(&mut stream, QUESTION_BYTES_MAX)).await;
    let Ok(Ok(bytes)) = received else { return };
    let (answer, answered) = oneshot::channel();
    registry.tell(NetEvent::Question { peer: link.node, topic, bytes, answer: Answerer(answer) });
    if let Ok(Ok(answer)) = timeout(limit, answered).await {
        let _ = timeout(limit, async {
            reach::send(&mut stream, &answer).await?;
            stream.close().await
        })
        .await;
    }
}

/// Asks a connected peer.
pub(crate) async fn ask(
    registry: &Arc<Registry>,
    peer: NodeId,
    topic: Topic,
    question: &[u8],
) -> Result<Vec<u8>, ReachError> {
    let no_answer = |reason: String| ReachError::NoAnswer { by: peer, reason };
    if question.len() > QUESTION_BYTES_MAX {
        return Err(no_answer(format!("a question of {} bytes is too long", question.len())));
    }
    let link = registry.link(&peer).ok_or_else(|| no_answer("it is not connected".into()))?;
    let talk = async {
        let (reply, ordered) = oneshot::channel();
        link.order(Order { protocol: topic.protocol(), reply })
            .map_err(|()| "too many streams are waiting".to_owned())?;
        let mut stream = ordered.await.map_err(|_| "the connection ended".to_owned())??;
        reach::send(&mut stream, question).await.map_err(|error| error.to_string())?;
        reach::receive(&mut stream, QUESTION_BYTES_MAX).await.map_err(|error| error.to_string())
    };
    let limit = registry.timing.question_timeout;
    // A stream does not always end with its connection.
    tokio::select! {
        talked = timeout(limit, talk) => match talked {
            Ok(answer) => answer.map_err(no_answer),
            Err(_) => Err(no_answer(format!("nothing within {} s", limit.as_secs()))),
        },
        () = link.gone() => Err(no_answer("the connection ended".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_limited_for_each_peer_and_for_all() {
        let (all, one) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut places: Vec<_> = (0..QUESTIONS_PER_PEER_MAX).map(|_| Place::take(&all, &one).unwrap()).collect();
        assert!(Place::take(&all, &one).is_none());
        assert_eq!(all.load(Ordering::Acquire), QUESTIONS_PER_PEER_MAX, "who is refused takes no place");
        places.pop();
        places.push(Place::take(&all, &one).unwrap());
        drop(places);
        let peers: Vec<_> = (0..=QUESTIONS_MAX).map(|_| AtomicUsize::new(0)).collect();
        let places: Vec<_> = peers.iter().map(|peer| Place::take(&all, peer)).collect();
        assert_eq!(places.iter().filter(|place| place.is_some()).count(), QUESTIONS_MAX);
        drop(places);
        assert!(all.load(Ordering::Acquire) == 0 && peers.iter().all(|peer| peer.load(Ordering::Acquire) == 0));
    }
}
