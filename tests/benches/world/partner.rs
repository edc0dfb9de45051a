//! What a town does on the line without a store of its own: it joins, greets, gives its pages once, and then is a partner
//! with nothing new. Everything goes over the real transport.

use std::collections::VecDeque;
use std::time::Duration;

use ortsnetz_model::{Hash, OrgId, Position};
use ortsnetz_net::{Config, Events, Handle, NetEvent, Network, Peer, Priority};
use ortsnetz_sync::limits::{BATCH_RECORDS_MAX, BEAT_MS, PAGE_BYTES, WINDOW_BYTES};
use ortsnetz_sync::wire::{Held, HeldChain, Message, PageKind, VERSION, WireItem};
use ortsnetz_trust::invite::{JoinMessage, PartnerJoiner, Token};
use ortsnetz_trust::{Identity, Signed};

use crate::town::{Town, Works};

/// Where a partner's own words are packed.
const ZSTD_LEVEL: i32 = 3;

/// A town on the line.
pub struct Partner {
    town: Town,
    hub: OrgId,
    net: Handle,
    events: Events,
    cursor: Position,
    serial: u64,
    /// What it has to give, while that is needed.
    works: Option<Works>,
    stream: Option<Stream>,
    /// The hub's last offer.
    taken: [u8; 16],
}

/// A catch-up of the hub.
struct Stream {
    next: usize,
    told: Position,
    flying: VecDeque<(Position, usize)>,
    flying_bytes: usize,
    stored_bytes: usize,
}

/// The network of a town, which dials and does not listen.
pub async fn network(town: &Town) -> (Handle, Events) {
    let mut config = Config::new(*town.key.secret(), Vec::new());
    // Bench runs end and begin the hub: nobody waits for minutes.
    config.timing.backoff_max = Duration::from_secs(2);
    Network::start(config).await.expect("a network that only dials starts")
}

/// Joins the hub by an invitation; the town's identity has the partnership then.
pub async fn join(town: &mut Town, net: &Handle, token: &str, now: u64) -> Signed {
    let token = Token::from_text(token, now).expect("the hub makes good tokens");
    let nonce = Hash::of(&[town.organisation().0.as_slice(), &now.to_be_bytes()].concat()).0;
    let identity = town.identity.clone();
    let (mut joiner, first) =
        PartnerJoiner::start(token.clone(), &identity, town.key.id(), nonce).expect("the token is for it");
    let mut stream = net.join(token.node, token.addresses.clone()).await.expect("the hub listens");
    stream.send(&first.to_bytes()).await.expect("it reads");
    let joined = loop {
        let message = JoinMessage::from_bytes(&stream.recv().await.expect("an answer")).expect("a message");
        let (answer, joined) = joiner.handle(message, &identity, &town.key, now).expect("the hub keeps to the rules");
        if let Some(answer) = answer {
            stream.send(&answer.to_bytes()).await.expect("it reads");
        }
        if let Some(joined) = joined {
            break joined;
        }
    };
    let _ = stream.finish().await;
    town.identity.take_in(joined.ours.clone()).expect("its own partnership");
    joined.ours
}

impl Partner {
    /// A partner that goes on from `cursor`, with what it has to give if the hub does not hold it yet.
    pub fn new(town: Town, hub: OrgId, line: (Handle, Events), at: (Position, u64), works: Option<Works>) -> Self {
        let ((net, events), (cursor, serial)) = (line, at);
        Self { town, hub, net, events, cursor, serial, works, stream: None, taken: [0; 16] }
    }

    fn offer(&self) -> [u8; 16] {
        let told = format!("{:?} {} {:?}", self.cursor, self.serial, self.town.chain_hash(&self.hub));
        Hash::of(told.as_bytes()).0[..16].try_into().expect("a hash is longer")
    }

    /// Keeps a connection to the hub until the task is ended, or, with `until_given`, until it holds everything.
    pub async fn run(mut self, address: &Peer, until_given: bool) -> Self {
        self.net.set_peers(vec![address.clone()]);
        let hub = address.node;
        let mut connected = false;
        let mut beat = tokio::time::interval(Duration::from_millis(BEAT_MS));
        loop {
            let event = tokio::select! {
                event = self.events.recv() => event,
                _ = beat.tick() => {
                    if connected {
                        self.say(hub, &Message::Beat { question: false }, Priority::Control);
                    }
                    continue;
                }
            };
            match event {
                Some(NetEvent::Connected { .. }) => {
                    (connected, self.stream) = (true, None);
                    let hello = Message::Hello {
                        oldest: VERSION,
                        newest: VERSION,
                        organisation: self.town.organisation(),
                        instance: u64::from(self.town.number) + 1,
                        chain: self.town.chain_hash(&self.hub),
                        offer: self.offer(),
                        taken: self.taken,
                    };
                    self.say(hub, &hello, Priority::Control);
                }
                Some(NetEvent::Disconnected { .. }) => connected = false,
                Some(NetEvent::Frame { peer, bytes }) => {
                    let message = Message::read(&bytes).expect("the hub sends messages");
                    if self.hear(peer, message) && until_given {
                        return self;
                    }
                }
                Some(_) => {}
                None => return self,
            }
        }
    }

    /// Leaves the line.
    pub async fn leave(self) -> Town {
        self.net.shutdown().await;
        self.town
    }

    fn say(&self, hub: ortsnetz_model::NodeId, message: &Message, priority: Priority) -> usize {
        let frame = message.frame(ZSTD_LEVEL);
        let bytes = frame.len();
        // A line that has just ended comes back.
        let _ = self.net.send(hub, frame, priority);
        bytes
    }

    /// Answers; true when the hub says that it holds everything.
    fn hear(&mut self, hub: ortsnetz_model::NodeId, message: Option<Message>) -> bool {
        match message {
            Some(Message::Hello { taken, .. }) if taken != self.offer() => {
                let feeds = vec![Held { feed: self.town.feed, cursor: self.cursor, serial: self.serial }];
                let organisation = self.town.organisation();
                let chains = vec![HeldChain { organisation, hash: self.town.chain_hash(&self.hub) }];
                let have = Message::Have { feeds, chains, offer: Some(self.offer()) };
                self.say(hub, &have, Priority::Control);
            }
            // It takes no copies of the others: what a hub costs is asked here, not what a reader of everything does.
            Some(Message::Have { offer: Some(offer), .. }) => self.taken = offer,
            Some(Message::AskChain { organisation }) if organisation == self.town.organisation() => {
                let statements = self.town.chain(&self.hub).into_iter().map(Into::into).collect();
                self.say(hub, &Message::Chain { organisation, statements, last: true }, Priority::Control);
            }
            Some(Message::Get { feed, after }) if feed == self.town.feed => {
                let works = self.works.as_ref().expect("the hub asks for nothing that it holds");
                let next = works.items.partition_point(|(position, _)| *position <= after);
                let flying = VecDeque::new();
                self.stream = Some(Stream { next, told: after, flying, flying_bytes: 0, stored_bytes: 0 });
                self.pump(hub);
            }
            Some(Message::Ack { feed, cursor, stored, .. }) if feed == self.town.feed => {
                if let Some(stream) = &mut self.stream {
                    while let Some((_, bytes)) = stream.flying.front().copied().filter(|(upto, _)| *upto <= stored) {
                        stream.flying.pop_front();
                        stream.flying_bytes -= bytes;
                        stream.stored_bytes += bytes;
                    }
                }
                self.pump(hub);
                return cursor >= self.cursor;
            }
            // What the hub publishes itself is pushed, and confirmed.
            Some(Message::Page { feed, upto, .. }) => {
                let ack = Message::Ack { feed, cursor: upto, stored: upto, offer: None };
                self.say(hub, &ack, Priority::Control);
            }
            Some(Message::Beat { question: true }) => {
                self.say(hub, &Message::Beat { question: false }, Priority::Control);
            }
            _ => {}
        }
        false
    }

    /// Sends pages as far as the window of the reader allows.
    fn pump(&mut self, hub: ortsnetz_model::NodeId) {
        let (Some(mut stream), Some(works)) = (self.stream.take(), &self.works) else { return };
        while stream.next < works.items.len()
            && stream.flying_bytes + PAGE_BYTES <= WINDOW_BYTES.max(stream.stored_bytes / 20)
        {
            let end = (stream.next + BATCH_RECORDS_MAX).min(works.items.len());
            let page = &works.items[stream.next..end];
            let last = end == works.items.len();
            let upto = page.last().map_or(stream.told, |(position, _)| *position);
            let message = Message::Page {
                feed: self.town.feed,
                after: stream.told,
                upto,
                kind: if last { PageKind::Last } else { PageKind::Middle },
                offer: last.then(|| self.offer()),
                items: page.iter().map(|(_, item)| WireItem::new(item)).collect(),
            };
            let bytes = self.say(hub, &message, Priority::Bulk);
            stream.flying.push_back((upto, bytes));
            stream.flying_bytes += bytes;
            (stream.next, stream.told) = (end, upto);
        }
        self.stream = Some(stream);
    }
}

/// A town as it is after it joined.
pub fn rejoined(number: u32, at: u64, partnership: &[u8]) -> Town {
    let mut town = Town::found(number, at);
    let partnership = Signed::from_bytes(partnership).expect("kept by this bench");
    Identity::take_in(&mut town.identity, partnership).expect("its own partnership");
    town
}
