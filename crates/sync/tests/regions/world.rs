//! Many towns that know only their regional hub, hubs that relay, and hubs of hubs: engines, one clock, lines that take time.
//!
//! Leaner than the simulator of faults (`tests/sim`): nobody lies, crashes or loses anything here, so that what everybody
//! holds alike, statements and records, is kept once and verified once. So there is room for a thousand engines.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ortsnetz_model::{CollectionId, EntryId, FeedId, Hash, NodeId, OrgId, Position};
use ortsnetz_sync::wire::Message;
use ortsnetz_sync::{Config, Effect, Engine, Event, Item, OpId, Peer, PublishItem, Query, Snapshot, Verdict};
use ortsnetz_trust::identity::Founding;
use ortsnetz_trust::record::sign_batch;
use ortsnetz_trust::statement::{OrganisationKind, Partnership};
use ortsnetz_trust::{Body, Identity, NodeKey, RootKey, Signed, SignedRecord, View};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// When the world begins: 2026-01-01.
const BEGIN: u64 = 1_767_225_600_000;
/// One way over a line, in milliseconds.
const LINE_MS: std::ops::RangeInclusive<u64> = 5..=25;
/// What accepting or storing takes.
const DISK_MS: u64 = 5;
/// Longer than what a relay waits before it tells ([`ortsnetz_sync::limits::ANNOUNCE_MS`]).
const QUIET_MS: u64 = 10_000;
/// Bytes an edit changes.
const EDIT_BYTES: usize = 200;

/// Hubs of hubs that all know each other, hubs below each, towns below each of these. Without hubs the towns are below the
/// first.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub tops: usize,
    pub hubs: usize,
    pub towns: usize,
}

impl Shape {
    pub fn engines(&self) -> usize {
        self.tops * (1 + self.hubs) + self.tops * self.hubs.max(1) * self.towns
    }
}

struct Node {
    engine: Engine,
    key: NodeKey,
    organisation: OrgId,
    feed: FeedId,
    partners: Vec<usize>,
    markers: BTreeMap<FeedId, Position>,
    known: BTreeMap<OrgId, Arc<Identity>>,
    woken_for: Option<u64>,
    /// Records of an `Accept` under way.
    accepted: HashMap<OpId, Vec<Arc<SignedRecord>>>,
    entries: Vec<EntryId>,
}

/// What was sent since the last reset, beats apart.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    pub frames: u64,
    pub bytes: u64,
}

/// How far an edit got.
#[derive(Default)]
struct Watch {
    feed: Option<FeedId>,
    /// Lines it crossed, and when it could be read, by node.
    reached: BTreeMap<usize, (u32, u64)>,
}

/// What came of an edit.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub readers: usize,
    pub hops: u32,
    /// Until half of the readers have it, and until the last one, in milliseconds.
    pub half_ms: u64,
    pub last_ms: u64,
    pub traffic: Traffic,
}

enum Happening {
    Frame { from: usize, to: usize, bytes: Vec<u8> },
    Tell { to: usize, event: Event },
    Wake { node: usize, at: u64 },
}

pub struct World {
    nodes: Vec<Node>,
    by_id: HashMap<NodeId, usize>,
    queue: BTreeMap<(u64, u64), Happening>,
    count: u64,
    now: u64,
    rng: ChaCha8Rng,
    free_at: HashMap<(usize, usize), u64>,
    /// Signed records with their changes, as they were published.
    items: HashMap<(FeedId, Position), Item>,
    records: HashMap<(FeedId, Position), Arc<SignedRecord>>,
    /// Statements folded, by what was known before and what came.
    folded: HashMap<(Option<Hash>, Hash), Arc<Identity>>,
    pub traffic: Traffic,
    /// When something other than a beat was last sent or done.
    busy_at: u64,
    watch: Watch,
    next_op: u64,
}

impl World {
    /// Towns and hubs of this shape, partners along its lines, not connected yet.
    pub fn new(shape: Shape, seed: u64) -> Self {
        let mut lines = Vec::new();
        let mut count = shape.tops;
        for a in 0..shape.tops {
            lines.extend((0..a).map(|b| (b, a)));
        }
        for top in 0..shape.tops {
            let mut below = |above: usize, number: usize| {
                let first = count;
                lines.extend((first..first + number).map(|node| (above, node)));
                count += number;
                first..count
            };
            let hubs = if shape.hubs == 0 { top..top + 1 } else { below(top, shape.hubs) };
            for hub in hubs {
                below(hub, shape.towns);
            }
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut places: Vec<(Identity, NodeKey, Vec<usize>)> = (0..count)
            .map(|number| {
                let (root, key) = (RootKey::from_secret(&rng.random()), NodeKey::from_secret(&rng.random()));
                let founding = Founding {
                    name: format!("Stadt {number}"),
                    ars: String::new(),
                    kind: OrganisationKind::Municipality,
                    node_name: "Rathaus".into(),
                    addresses: Vec::new(),
                    at: BEGIN,
                    random: rng.random(),
                };
                (Identity::found(founding, &root, &key).expect("a town can be founded"), key, Vec::new())
            })
            .collect();
        for &(a, b) in &lines {
            let (low, high) = (places[a].0.id().min(places[b].0.id()), places[a].0.id().max(places[b].0.id()));
            let statement = Partnership { a: low, b: high, serial: 1, at: BEGIN };
            for (own, other) in [(a, b), (b, a)] {
                let (identity, key, partners) = &mut places[own];
                let signed = Signed::new(statement.clone(), &[&*key]).expect("a partnership can be signed");
                identity.take_in(signed).expect("its own partnership");
                partners.push(other);
            }
        }
        let nodes: Vec<Node> = places.iter().map(|place| Node::new(place, &places, rng.random())).collect();
        let by_id = nodes.iter().enumerate().map(|(number, node)| (node.key.id(), number)).collect();
        Self {
            nodes,
            by_id,
            queue: BTreeMap::new(),
            count: 0,
            now: BEGIN,
            rng,
            free_at: HashMap::new(),
            items: HashMap::new(),
            records: HashMap::new(),
            folded: HashMap::new(),
            traffic: Traffic::default(),
            busy_at: BEGIN,
            watch: Watch::default(),
            next_op: 0,
        }
    }

    /// All lines come up.
    pub fn connect(&mut self) {
        for node in 0..self.nodes.len() {
            for other in self.nodes[node].partners.clone() {
                let peer = Peer { node: self.nodes[other].key.id(), organisation: self.nodes[other].organisation };
                self.tell(node, Event::Connected { peer });
            }
        }
    }

    /// Every node publishes so many entries in one batch.
    pub fn publish(&mut self, entries: u8) {
        for node in 0..self.nodes.len() {
            let ids: Vec<EntryId> = (0..entries).map(|_| EntryId(self.rng.random())).collect();
            self.nodes[node].entries.clone_from(&ids);
            self.publish_at(node, &ids);
        }
    }

    fn publish_at(&mut self, node: usize, entries: &[EntryId]) {
        self.next_op += 1;
        let feed = self.nodes[node].feed;
        let body = |hash: Hash| Body::Publication { heads: vec![hash] };
        let items = entries.iter().map(|entry| {
            let heads = Hash(self.rng.random());
            PublishItem { feed, entry: *entry, generation: 1, body: body(heads) }
        });
        let items = items.collect();
        self.tell(node, Event::Publish { op: OpId(self.next_op), items });
    }

    /// A node publishes a new version of one of its entries; runs until nobody talks of it any more.
    pub fn edit(&mut self, node: usize) -> Spread {
        self.traffic = Traffic::default();
        self.watch = Watch { feed: Some(self.nodes[node].feed), reached: BTreeMap::from([(node, (0, self.now))]) };
        let (begun, entry) = (self.now, self.nodes[node].entries[0]);
        self.publish_at(node, &[entry]);
        self.run_until_quiet();
        let reached = std::mem::take(&mut self.watch).reached;
        let mut times: Vec<u64> = reached.values().map(|(_, at)| at - begun).collect();
        times.sort_unstable();
        Spread {
            readers: reached.len(),
            hops: reached.values().map(|(hops, _)| *hops).max().unwrap_or_default(),
            half_ms: times[times.len() / 2],
            last_ms: times.last().copied().unwrap_or_default(),
            traffic: self.traffic,
        }
    }

    /// Until only beats were said for longer than anything waits.
    pub fn run_until_quiet(&mut self) {
        self.busy_at = self.now;
        while self.now - self.busy_at < QUIET_MS
            && let Some(((at, _), happening)) = self.queue.pop_first()
        {
            self.now = at;
            self.happen(happening);
        }
    }

    /// So much time passes.
    pub fn run(&mut self, time: u64) {
        let end = self.now + time;
        while let Some(entry) = self.queue.first_entry()
            && entry.key().0 <= end
        {
            let ((at, _), happening) = entry.remove_entry();
            self.now = at;
            self.happen(happening);
        }
        self.now = end;
    }

    /// Milliseconds since the world began.
    pub fn time(&self) -> u64 {
        self.now - BEGIN
    }

    /// Feeds and entries that a node holds.
    pub fn held(&self, node: usize) -> (usize, u64) {
        let feeds = self.nodes[node].engine.feeds();
        (feeds.len(), feeds.iter().map(|feed| feed.entries).sum())
    }

    /// How many partners a node has.
    pub fn partners(&self, node: usize) -> usize {
        self.nodes[node].partners.len()
    }

    /// Everybody holds everything, as it was signed, and knows that its partners do.
    pub fn assert_converged(&self) {
        let expected: BTreeMap<FeedId, _> = self
            .nodes
            .iter()
            .filter_map(|node| {
                node.engine.feed(&node.feed).map(|feed| (node.feed, (feed.cursor, feed.root, feed.live)))
            })
            .collect();
        for node in &self.nodes {
            for (feed, expected) in &expected {
                let held = node.engine.feed(feed);
                let held = held.map(|held| (held.verified, (held.cursor, held.root, held.live)));
                assert_eq!(held, Some((Some(true), *expected)), "{:?} of {feed:?}", node.key.id());
            }
            assert!(node.engine.peers().iter().all(|peer| peer.in_sync), "{:?} is not in sync", node.key.id());
        }
    }
}

impl World {
    fn later(&mut self, delay: u64, happening: Happening) {
        self.count += 1;
        self.queue.insert((self.now + delay, self.count), happening);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Frame { from, to, bytes } => {
                let node = self.nodes[from].key.id();
                self.tell(to, Event::Frame { node, bytes });
            }
            Happening::Tell { to, event } => {
                self.busy_at = self.now;
                self.tell(to, event);
            }
            Happening::Wake { node, at } if self.nodes[node].woken_for == Some(at) => self.tell(node, Event::Wake),
            Happening::Wake { .. } => {}
        }
    }

    fn tell(&mut self, node: usize, event: Event) {
        self.nodes[node].engine.handle(self.now, event);
        while let Some(effect) = self.nodes[node].engine.poll_effect() {
            self.effect(node, effect);
        }
    }

    fn effect(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Send { node: to, frame, .. } => self.send(node, self.by_id[&to], frame),
            Effect::Drain { node: to } => {
                let delay = self.line(node, self.by_id[&to]) - self.now;
                self.later(delay, Happening::Tell { to: node, event: Event::Drained { node: to } });
            }
            Effect::Commit { op, batches, .. } => {
                let items = batches.into_iter().flat_map(|batch| self.sign(node, batch)).collect();
                self.later(DISK_MS, Happening::Tell { to: node, event: Event::Committed { op, items: Some(items) } });
            }
            Effect::Published { result, .. } => {
                result.expect("a town publishes in its own feed");
            }
            Effect::Accept { op, feed, items, .. } => {
                let records = items.iter().map(|item| self.record(feed, item)).collect::<Vec<_>>();
                let verdicts = records.iter().map(|_| Verdict::Valid { covers: true }).collect();
                self.nodes[node].accepted.insert(op, records);
                self.later(DISK_MS, Happening::Tell { to: node, event: Event::Accepted { op, verdicts } });
            }
            Effect::Store { op, batch } => {
                let place = &mut self.nodes[node];
                let records = batch.accept.and_then(|accept| place.accepted.remove(&accept)).unwrap_or_default();
                for kept in
                    batch.keep.iter().filter_map(|at| records.get(*at)).filter(|kept| kept.record().entry.is_none())
                {
                    place.markers.insert(kept.record().feed, kept.record().position);
                }
                self.later(DISK_MS, Happening::Tell { to: node, event: Event::Stored { op, ok: true } });
            }
            Effect::Load { op, feed, query } => {
                let items = self.load(node, feed, &query);
                self.later(DISK_MS, Happening::Tell { to: node, event: Event::Loaded { op, items } });
            }
            Effect::TakeIn { op, organisation, statements, .. } => {
                let folded = self.fold(node, organisation, &statements);
                self.nodes[node].known.insert(organisation, folded.clone());
                self.later(DISK_MS, Happening::Tell { to: node, event: Event::Organisation { organisation: folded } });
                self.later(DISK_MS, Happening::Tell { to: node, event: Event::TakenIn { op, ok: true } });
            }
            Effect::Applied { node: Some(from), feed, .. } if self.watch.feed == Some(feed) => {
                let hops = self.watch.reached.get(&self.by_id[&from]).map_or(0, |(hops, _)| hops + 1);
                self.watch.reached.entry(node).or_insert((hops, self.now));
            }
            Effect::WakeAt { at } => {
                self.nodes[node].woken_for = Some(at);
                self.later(at.saturating_sub(self.now), Happening::Wake { node, at });
            }
            Effect::Alarm(alarm) => panic!("{:?}: {alarm:?}", self.nodes[node].key.id()),
            Effect::Close { reason, .. } => panic!("{:?} closes: {reason:?}", self.nodes[node].key.id()),
            _ => {}
        }
    }

    /// When what is sent now is there; nothing overtakes.
    fn line(&mut self, from: usize, to: usize) -> u64 {
        let at = self.now + self.rng.random_range(LINE_MS);
        let free = self.free_at.entry((from, to)).or_default();
        *free = at.max(*free);
        *free
    }

    fn send(&mut self, from: usize, to: usize, bytes: Vec<u8>) {
        if !matches!(Message::read(&bytes), Ok(Some(Message::Beat { .. }))) {
            self.traffic.frames += 1;
            self.traffic.bytes += bytes.len() as u64;
            self.busy_at = self.now;
        }
        let delay = self.line(from, to) - self.now;
        self.later(delay, Happening::Frame { from, to, bytes });
    }

    fn sign(&mut self, node: usize, batch: Vec<ortsnetz_trust::Record>) -> Vec<Item> {
        let signed = sign_batch(batch, &self.nodes[node].key).expect("the engine makes batches");
        let items = signed.into_iter().map(|signed| {
            let (feed, position) = (signed.record().feed, signed.record().position);
            let mut chunks = Vec::new();
            if signed.record().entry.is_some() {
                let mut bytes = vec![0; EDIT_BYTES];
                self.rng.fill(bytes.as_mut_slice());
                chunks.push(bytes);
            } else {
                self.nodes[node].markers.insert(feed, position);
            }
            let item = Item { record: signed.to_bytes().into(), chunks };
            self.items.insert((feed, position), item.clone());
            self.records.insert((feed, position), Arc::new(signed));
            item
        });
        items.collect()
    }

    /// The record of an item, which was verified when it was signed: these are the same bytes.
    fn record(&self, feed: FeedId, item: &Item) -> Arc<SignedRecord> {
        let signed = SignedRecord::from_bytes(&item.record).expect("a record");
        let known = &self.records[&(feed, signed.record().position)];
        assert_eq!(known.to_bytes(), *item.record, "nobody invents records here");
        known.clone()
    }

    fn load(&self, node: usize, feed: FeedId, query: &Query) -> Vec<Option<Item>> {
        let place = &self.nodes[node];
        let newest = |entry: &Option<EntryId>| {
            let position = match entry {
                Some(entry) => place.engine.row(&feed, entry)?.position,
                None => *place.markers.get(&feed)?,
            };
            self.items.get(&(feed, position)).cloned()
        };
        match query {
            Query::Records { entries, .. } => entries.iter().map(newest).collect(),
            Query::Difference { entry, .. } => vec![newest(&Some(*entry))],
            Query::Aside { records } => records.iter().map(|_| None).collect(),
        }
    }

    fn fold(&mut self, node: usize, organisation: OrgId, statements: &[Vec<u8>]) -> Arc<Identity> {
        let before = self.nodes[node].known.get(&organisation).cloned();
        let key = (before.as_ref().map(|known| known.chain_hash(View::Own)), Hash::of(&statements.concat()));
        if let Some(folded) = self.folded.get(&key) {
            return folded.clone();
        }
        let signed = statements.iter().map(|bytes| Signed::from_bytes(bytes).expect("a statement"));
        let (identity, refused) = match before {
            Some(known) => {
                let mut identity = Identity::clone(&known);
                let refused = identity.take_in_all(signed).1;
                (identity, refused)
            }
            None => Identity::from_statements(signed).expect("a chain that is passed on is whole"),
        };
        assert!(refused.is_empty(), "{refused:?}");
        self.folded.entry(key).or_insert(Arc::new(identity)).clone()
    }
}

impl Node {
    fn new(place: &(Identity, NodeKey, Vec<usize>), places: &[(Identity, NodeKey, Vec<usize>)], seed: u64) -> Self {
        let (identity, key, partners) = place;
        let organisation = identity.id();
        let mut known = BTreeMap::from([(organisation, Arc::new(identity.clone()))]);
        for partner in partners {
            let statements = places[*partner].0.statements_for(View::Reader(organisation));
            let (partner, _) = Identity::from_statements(statements).expect("a visible chain is whole");
            known.insert(partner.id(), Arc::new(partner));
        }
        let mut snapshot = Snapshot::default();
        known.values().for_each(|identity| snapshot.organisation(identity.clone()));
        let config = Config { node: key.id(), organisation, started_at: BEGIN, zstd_level: 1 };
        Self {
            engine: Engine::new(config, seed, snapshot),
            key: key.clone(),
            organisation,
            feed: FeedId { organisation, collection: CollectionId::named(&organisation, "public") },
            partners: partners.clone(),
            markers: BTreeMap::new(),
            known,
            woken_for: None,
            accepted: HashMap::new(),
            entries: Vec::new(),
        }
    }
}
