//! Limits of the engine, each at and over: one engine, and a partner who says whatever a test wants.

mod given;
mod held;
mod served;
mod times;
mod told;

use ortsnetz_model::{CollectionId, EntryId, Hash};
use ortsnetz_trust::identity::{CollectionTerms, Founding};
use ortsnetz_trust::record::{Checkpoint, Totals};
use ortsnetz_trust::statement::{OrganisationKind, Readers};
use ortsnetz_trust::{Body, Identity, NodeKey, Record, RootKey, SignedRecord};

use super::*;
use crate::effect::{CloseReason, Item};
use crate::event::{Peer, Verdict};
use crate::wire::{PageKind, VERSION, WireItem};

/// When the tests begin: 2026-11-22.
const NOW: u64 = 1_795_300_000_000;

/// An organisation with one node and the public collections `public` and `c0`, `c1`...
struct Town {
    key: NodeKey,
    identity: Identity,
}

impl Town {
    fn new(number: u8, collections: usize) -> Self {
        let (root, key) = (RootKey::from_secret(&[number; 32]), NodeKey::from_secret(&[number + 100; 32]));
        let founding = Founding {
            name: format!("Stadt {number}"),
            ars: String::new(),
            kind: OrganisationKind::Municipality,
            node_name: "Rathaus".into(),
            addresses: Vec::new(),
            at: NOW - 1,
            random: [number; 16],
        };
        let mut identity = Identity::found(founding, &root, &key).expect("a town");
        for number in 0..collections {
            let terms = CollectionTerms { relay: true, ..CollectionTerms::new(&format!("c{number}"), Readers::Public) };
            for signed in identity.state_collection(terms, NOW - 1, &key).expect("a collection") {
                identity.take_in(signed).expect("taken in");
            }
        }
        Self { key, identity }
    }

    fn feed(&self, collection: &str) -> FeedId {
        let organisation = self.identity.id();
        FeedId { organisation, collection: CollectionId::named(&organisation, collection) }
    }

    /// A publication of a new entry at this place of the feed.
    fn record(&self, feed: FeedId, sequence: u64) -> Record {
        Record {
            feed,
            entry: Some(entry(sequence)),
            generation: 1,
            position: at(sequence),
            previous: None,
            list_serial: 0,
            at: NOW,
            instance: 7,
            body: Body::Publication { heads: vec![Hash([7; 32])] },
            totals: None,
        }
    }

    /// A checkpoint at this place of the feed.
    fn checkpoint(&self, feed: FeedId, sequence: u64) -> Record {
        let body = Body::Checkpoint(Checkpoint { root: Hash([0; 32]), count: 0, cuts: Vec::new() });
        Record { entry: None, generation: 0, body, ..self.record(feed, sequence) }
    }

    /// Puts a feed into the store whose tree is not the signed one.
    fn damage(&self, snapshot: &mut Snapshot, feed: FeedId) {
        let totals = Some(Totals { count: 9, root: Hash([9; 32]) });
        snapshot.record(&self.checkpoint(feed, 1));
        snapshot.record(&Record { totals, ..self.record(feed, 2) });
        snapshot.cursor(feed, at(2));
    }

    fn item(&self, record: Record, chunks: Vec<Vec<u8>>) -> Item {
        let signed = SignedRecord::sign(record, &self.key).expect("a record");
        Item { record: signed.to_bytes().into(), chunks }
    }
}

fn at(sequence: u64) -> Position {
    Position { term: 1, epoch: NOW, sequence }
}

/// An entry id that no compression makes shorter.
fn entry(number: u64) -> EntryId {
    let digest = Sha256::digest(number.to_be_bytes());
    EntryId(std::array::from_fn(|at| digest[at]))
}

/// Our engine, and what came of what it was told.
struct Lab {
    us: Town,
    them: Town,
    engine: Engine,
    now: u64,
    sent: Vec<Message>,
    sent_bytes: usize,
    others: Vec<Effect>,
    closed: Option<CloseReason>,
    alarms: Vec<Alarm>,
}

impl Lab {
    /// A partner greeted; both have so many further collections, and nothing in them.
    fn new(collections: usize) -> Self {
        Self::with(collections, |_, _, _| {})
    }

    /// The same on what the store held.
    fn with(collections: usize, fill: impl FnOnce(&mut Snapshot, &Town, &Town)) -> Self {
        let (us, them) = (Town::new(1, collections), Town::new(2, collections));
        let mut snapshot = Snapshot::default();
        snapshot.organisation(Arc::new(us.identity.clone()));
        snapshot.organisation(Arc::new(them.identity.clone()));
        fill(&mut snapshot, &us, &them);
        let config = Config { node: us.key.id(), organisation: us.identity.id(), started_at: NOW, zstd_level: 1 };
        let engine = Engine::new(config, 1, snapshot);
        let (sent, others, alarms) = (Vec::new(), Vec::new(), Vec::new());
        let mut lab = Self { us, them, engine, now: NOW, sent, sent_bytes: 0, others, closed: None, alarms };
        lab.connect();
        lab
    }

    fn node(&self) -> NodeId {
        self.them.key.id()
    }

    fn connect(&mut self) {
        let peer = Peer { node: self.node(), organisation: self.them.identity.id() };
        self.tell(Event::Connected { peer });
        self.closed = None;
        self.hear(&Message::Hello {
            oldest: VERSION,
            newest: VERSION,
            organisation: peer.organisation,
            instance: 1,
            chain: [0; 16],
            offer: [1; 16],
            taken: [0; 16],
        });
        self.sent.clear();
        self.sent_bytes = 0;
    }

    fn tell(&mut self, event: Event) {
        self.engine.handle(self.now, event);
        while let Some(effect) = self.engine.poll_effect() {
            match effect {
                Effect::Send { frame, .. } => {
                    self.sent_bytes += frame.len();
                    self.sent.extend(Message::read(&frame).expect("a message"));
                }
                Effect::Close { reason, .. } => self.closed = Some(reason),
                Effect::Alarm(alarm) => self.alarms.push(alarm),
                other => self.others.push(other),
            }
        }
    }

    fn hear(&mut self, message: &Message) {
        let node = self.node();
        self.tell(Event::Frame { node, bytes: message.frame(1) });
    }

    /// Time goes by, second for second.
    fn wait(&mut self, time: u64) {
        let end = self.now + time;
        while self.now < end {
            self.now = (self.now + 1000).min(end);
            self.tell(Event::Wake);
        }
    }

    /// What the engine knows of the connection.
    fn session(&self) -> &Session {
        &self.engine.sessions[&self.node()]
    }

    fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// The partner was thrown out, and an alarm names it and says why.
    #[track_caller]
    fn must_be_closed(&self) {
        assert_eq!(self.closed, Some(CloseReason::Misbehaved));
        let named = |alarm: &&Alarm| matches!(alarm, Alarm::Misbehaved { node, .. } if *node == self.node());
        assert_eq!(self.alarms.iter().filter(named).count(), 1, "{:?}", self.alarms);
    }

    fn count(&self, which: impl Fn(&Message) -> bool) -> usize {
        self.sent.iter().filter(|message| which(message)).count()
    }

    /// Takes the questions of one kind that were not answered yet.
    fn take<T>(&mut self, pick: impl Fn(&Effect) -> Option<T>) -> Vec<T> {
        let (found, rest) = std::mem::take(&mut self.others).into_iter().partition::<Vec<_>, _>(|e| pick(e).is_some());
        self.others = rest;
        found.iter().filter_map(pick).collect()
    }

    fn loads(&mut self) -> Vec<OpId> {
        self.take(|effect| match effect {
            Effect::Load { op, .. } => Some(*op),
            _ => None,
        })
    }

    /// Everything that waits to be judged gets this verdict; what is good is stored.
    fn judge(&mut self, verdict: &Verdict) {
        let accepts = self.take(|effect| match effect {
            Effect::Accept { op, items, .. } => Some((*op, items.len())),
            _ => None,
        });
        for (op, count) in accepts {
            self.tell(Event::Accepted { op, verdicts: vec![verdict.clone(); count] });
        }
        let stores = self.take(|effect| match effect {
            Effect::Store { op, .. } => Some(*op),
            _ => None,
        });
        for op in stores {
            self.tell(Event::Stored { op, ok: true });
        }
    }

    /// The partner pushes new entries of one of its collections.
    fn push(&mut self, collection: &str, sequences: std::ops::Range<u64>, chunks: &[Vec<u8>]) {
        let feed = self.them.feed(collection);
        let after = if sequences.start == 1 { Position::default() } else { at(sequences.start - 1) };
        let upto = at(sequences.end - 1);
        let records = sequences.map(|sequence| self.them.record(feed, sequence));
        let items = records.map(|record| WireItem::new(&self.them.item(record, chunks.to_vec()))).collect();
        self.hear(&Message::Page { feed, after, upto, items, kind: PageKind::Live, offer: None });
    }

    /// As [`push`](Self::push), with everything of so many entries still to be asked for.
    fn owe(&mut self, entries: u64) -> FeedId {
        self.push("public", 1..entries + 1, &[]);
        self.judge(&Verdict::Incomplete { have: Vec::new() });
        self.them.feed("public")
    }

    fn give(&mut self, feed: FeedId, number: u64, chunks: Vec<Vec<u8>>, last: bool) {
        let record = self.them.item(self.them.record(feed, number), Vec::new()).record.to_vec();
        let chunks = chunks.into_iter().map(Into::into).collect();
        self.hear(&Message::Changes { feed, entry: Some(entry(number)), record: Some(record.into()), chunks, last });
    }

    fn wants(&self) -> usize {
        self.count(|message| matches!(message, Message::Want { .. }))
    }
}

/// A piece of so many bytes that is small on the way.
fn piece(bytes: usize) -> Vec<u8> {
    vec![b'x'; bytes]
}
