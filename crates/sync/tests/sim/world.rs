//! A world of towns: their machines, the lines between them, and one clock.

mod wire;

use std::collections::{BTreeMap, BTreeSet};

use ortsnetz_model::{CollectionId, EntryId, FeedId, NodeId, OrgId, Position};
use ortsnetz_sync::wire::Message;
use ortsnetz_sync::{Effect, Event, OpId, Peer, PublishItem};
use ortsnetz_trust::identity::{CollectionTerms, Founding, Slot};
use ortsnetz_trust::record::{Draft, DraftDocument};
use ortsnetz_trust::statement::{OrganisationKind, Partnership, PartnershipEnd, Readers, Roles, Statement};
use ortsnetz_trust::{Body, Identity, NodeKey, RootKey, Signed};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use crate::disk::{Disk, chunk, chunk_hash, heads};
use crate::machine::{Lie, Machine, Work};

/// When the world begins: 2026-01-01.
pub const BEGIN: u64 = 1_767_225_600_000;

pub struct Town {
    pub id: OrgId,
    pub root: RootKey,
    pub identity: Identity,
    pub machines: Vec<usize>,
}

/// A line between two machines.
#[derive(Default)]
struct Line {
    /// Cut on purpose.
    cut: bool,
    /// Number of the connection, if it is up.
    up: Option<u64>,
    /// No frame overtakes another in one direction.
    free_at: [u64; 2],
}

fn line_up(line: Option<&Line>) -> Option<u64> {
    line.and_then(|line| line.up)
}

enum Happening {
    Deliver { to: usize, from: usize, connection: u64, bytes: Vec<u8> },
    Connect { a: usize, b: usize },
    Broken { a: usize, b: usize, connection: Option<u64> },
    Notice { machine: usize, peer: usize, life: u64 },
    Drained { machine: usize, peer: usize, connection: u64 },
    Wake { machine: usize, life: u64, at: u64 },
    Done { machine: usize, life: u64, number: u64 },
}

/// What a town was told is published.
#[derive(Clone, Debug)]
pub struct Promise {
    pub town: usize,
    pub feed: FeedId,
    pub entry: EntryId,
    pub position: Position,
}

pub struct World {
    pub rng: ChaCha8Rng,
    pub now: u64,
    pub towns: Vec<Town>,
    pub machines: Vec<Machine>,
    lines: BTreeMap<(usize, usize), Line>,
    queue: BTreeMap<(u64, u64), Happening>,
    count: u64,
    trace: Sha256,
    next_op: u64,
    next_work: u64,
    /// Who could read a collection under which serial.
    pub lists: BTreeMap<(FeedId, u64), Readers>,
    pub promises: Vec<Promise>,
    /// Machines whose disk was set back.
    pub set_back: BTreeSet<usize>,
    /// Machines whose certificate was taken back, with the town they belonged to.
    pub stolen: BTreeMap<usize, usize>,
    pub compared: BTreeMap<OpId, Result<Vec<ortsnetz_sync::Comparison>, ortsnetz_sync::CompareError>>,
    pub refused: Vec<ortsnetz_sync::PublishError>,
    /// Bytes and frames sent, by machine.
    pub sent: Vec<(u64, u64)>,
    /// Frames that are no beats since the last reset.
    pub busy_frames: u64,
    pub longest_delay: u64,
    /// Every frame, if asked for: (from, to, bytes).
    pub tap: Option<Vec<(usize, usize, Vec<u8>)>>,
    pub duplicates: bool,
    pub drops: bool,
    /// Machines that read nothing of what is sent to them.
    pub deaf: BTreeSet<usize>,
    /// Print everything.
    talk: bool,
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            now: BEGIN,
            towns: Vec::new(),
            machines: Vec::new(),
            lines: BTreeMap::new(),
            queue: BTreeMap::new(),
            count: 0,
            trace: Sha256::new(),
            next_op: 0,
            next_work: 0,
            lists: BTreeMap::new(),
            promises: Vec::new(),
            set_back: BTreeSet::new(),
            stolen: BTreeMap::new(),
            compared: BTreeMap::new(),
            refused: Vec::new(),
            sent: Vec::new(),
            busy_frames: 0,
            longest_delay: 30,
            tap: None,
            duplicates: false,
            drops: false,
            deaf: BTreeSet::new(),
            talk: std::env::var_os("ORTSNETZ_SIM_TALK").is_some(),
        }
    }

    pub fn secret(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// A new town with one machine, its publisher. Returns its number.
    pub fn town(&mut self, name: &str) -> usize {
        let (root, key) = (RootKey::from_secret(&self.secret()), NodeKey::from_secret(&self.secret()));
        let mut random = [0; 16];
        self.rng.fill_bytes(&mut random);
        let founding = Founding {
            name: name.into(),
            ars: String::new(),
            kind: OrganisationKind::Municipality,
            node_name: "Rathaus".into(),
            addresses: Vec::new(),
            at: self.now,
            random,
        };
        let identity = Identity::found(founding, &root, &key).expect("a town can be founded");
        let number = self.towns.len();
        self.note_lists(&identity);
        self.towns.push(Town { id: identity.id(), root, identity, machines: Vec::new() });
        self.add_machine(number, name, key);
        number
    }

    fn add_machine(&mut self, town: usize, name: &str, key: NodeKey) -> usize {
        let number = self.machines.len();
        self.machines.push(Machine {
            name: name.into(),
            key,
            root: None,
            organisation: self.towns[town].id,
            engine: None,
            disk: Disk::default(),
            life: 0,
            pending: BTreeMap::new(),
            slow: false,
            full: false,
            lie: None,
            replay: Vec::new(),
            disk_free_at: 0,
            woken_for: None,
            outcomes: BTreeMap::new(),
            requests: BTreeMap::new(),
            alarms: Vec::new(),
            in_sync: Vec::new(),
            applied: BTreeSet::new(),
        });
        self.sent.push((0, 0));
        let identity = self.towns[town].identity.clone();
        self.machines[number].know(identity);
        self.towns[town].machines.push(number);
        self.start(number);
        number
    }

    /// A second machine of a town. It connects to the others of the town.
    pub fn second(&mut self, town: usize, name: &str) -> usize {
        let key = NodeKey::from_secret(&self.secret());
        let roles = Roles { admin: false, edit: true };
        let at = self.now;
        let place = &self.towns[town];
        let certificate = place.identity.certify(key.id(), roles, name.into(), Vec::new(), at, &place.root);
        self.state(town, certificate.expect("a machine can be certified"));
        let number = self.add_machine(town, name, key);
        for other in self.towns[town].machines.clone().into_iter().filter(|other| *other != number) {
            self.line(other, number);
        }
        number
    }

    /// Two towns become partners, or partners again, and their first machines connect.
    pub fn partners(&mut self, a: usize, b: usize) {
        let (low, high) = (self.towns[a].id.min(self.towns[b].id), self.towns[a].id.max(self.towns[b].id));
        let statement = Partnership { a: low, b: high, serial: self.partnership_serial(a, b) + 1, at: self.now };
        for town in [a, b] {
            let key = self.machines[self.towns[town].machines[0]].key.clone();
            let signed = Signed::new(statement.clone(), &[&key]).expect("a partnership can be signed");
            self.state(town, signed);
        }
        for (from, to) in [(a, b), (b, a)] {
            let reader = self.towns[to].id;
            let view = ortsnetz_trust::View::Reader(reader);
            let statements = self.towns[from].identity.statements_for(view);
            for machine in self.towns[to].machines.clone() {
                let known = self.machines[machine].disk.identities.get(&self.towns[from].id).cloned();
                let identity = match known {
                    None => Identity::from_statements(statements.clone()).expect("a visible chain is whole").0,
                    // The others hear of it from the machine that joined.
                    Some(_) if machine != self.towns[to].machines[0] => continue,
                    Some(known) => {
                        let mut identity = Identity::clone(&known);
                        identity.take_in_all(statements.clone());
                        identity
                    }
                };
                let event = self.machines[machine].know(identity);
                self.tell(machine, event);
            }
        }
        self.line(self.towns[a].machines[0], self.towns[b].machines[0]);
    }

    fn partnership_serial(&self, a: usize, b: usize) -> u64 {
        let serial = |of: usize, with: usize| self.towns[of].identity.serial(&Slot::Partnership(self.towns[with].id));
        serial(a, b).max(serial(b, a))
    }

    /// One town ends the partnership and strikes the other one from its lists, all in one step.
    pub fn part(&mut self, town: usize, from: usize) {
        let (organisation, partner) = (self.towns[town].id, self.towns[from].id);
        let serial = self.partnership_serial(town, from) + 1;
        let key = self.machines[self.towns[town].machines[0]].key.clone();
        let end = PartnershipEnd { organisation, partner, serial, at: self.now };
        let mut statements = vec![Signed::new(end, &[&key]).expect("an end can be signed")];
        for collection in self.towns[town].identity.collections() {
            if let Readers::Organisations(list) = &collection.readers
                && list.contains(&partner)
            {
                let mut terms = CollectionTerms::from(collection);
                terms.readers = Readers::Organisations(list.iter().copied().filter(|id| *id != partner).collect());
                let stated = self.towns[town].identity.state_collection(terms, self.now, &key);
                statements.extend(stated.expect("a list can be narrowed"));
            }
        }
        self.state_all(town, statements);
        self.tell(self.towns[town].machines[0], Event::Removed { organisation: partner });
    }

    pub fn line(&mut self, a: usize, b: usize) {
        self.lines.insert((a.min(b), a.max(b)), Line::default());
        self.later(1, Happening::Connect { a, b });
    }

    /// A town states something; its running publisher hears it first.
    pub fn state(&mut self, town: usize, signed: Signed) {
        self.state_all(town, vec![signed]);
    }

    pub fn state_all(&mut self, town: usize, statements: Vec<Signed>) {
        let place = &mut self.towns[town];
        for signed in statements {
            place.identity.take_in(signed).expect("a town states what it may");
        }
        let identity = place.identity.clone();
        self.note_lists(&identity);
        if let Some(machine) = self.towns[town].machines.first().copied() {
            let event = self.machines[machine].know(identity);
            self.tell(machine, event);
        }
    }

    fn note_lists(&mut self, identity: &Identity) {
        for collection in identity.collections() {
            let feed = FeedId { organisation: identity.id(), collection: collection.collection };
            self.lists.insert((feed, collection.serial), collection.readers.clone());
        }
    }

    /// States who reads a collection.
    pub fn share(&mut self, town: usize, name: &str, readers: &[usize], relay: bool) -> FeedId {
        let mut readers: Vec<_> = readers.iter().map(|reader| self.towns[*reader].id).collect();
        readers.sort();
        let terms = CollectionTerms { relay, ..CollectionTerms::new(name, Readers::Organisations(readers)) };
        self.restate(town, terms);
        self.feed(town, name)
    }

    /// Ends a collection of a town. Its entries were withdrawn or moved before.
    pub fn end(&mut self, town: usize, name: &str) {
        let collection = self.feed(town, name).collection;
        let present = self.towns[town].identity.collection(&collection).expect("there is such a collection");
        let terms = CollectionTerms { ended: true, ..CollectionTerms::from(present) };
        self.restate(town, terms);
    }

    fn restate(&mut self, town: usize, terms: CollectionTerms) {
        let key = self.machines[self.towns[town].machines[0]].key.clone();
        let stated = self.towns[town].identity.state_collection(terms, self.now, &key);
        self.state_all(town, stated.expect("a collection can be stated"));
    }

    pub fn has_ended(&self, feed: &FeedId) -> bool {
        let owner = self.towns.iter().find(|town| town.id == feed.organisation).expect("a feed has an owner");
        owner.identity.collection(&feed.collection).is_some_and(|collection| collection.ended)
    }

    pub fn feed(&self, town: usize, name: &str) -> FeedId {
        let organisation = self.towns[town].id;
        FeedId { organisation, collection: CollectionId::named(&organisation, name) }
    }

    pub fn drafts(&self, machine: usize) -> FeedId {
        let machine = &self.machines[machine];
        ortsnetz_trust::record::draft_feed(machine.organisation, &machine.node())
    }

    // --- doing things ---

    pub fn start(&mut self, machine: usize) {
        let seed = self.rng.next_u64();
        self.machines[machine].start(self.now, seed);
        self.drain(machine);
        self.conclude_again(machine);
        let lines: Vec<_> = self.lines.keys().copied().filter(|(a, b)| *a == machine || *b == machine).collect();
        for (a, b) in lines {
            let delay = self.rng.random_range(1..2000);
            self.later(delay, Happening::Connect { a, b });
        }
    }

    /// The machine falls over: what was not yet written is written or lost, nobody heard of it.
    pub fn crash(&mut self, machine: usize) {
        let pending: Vec<_> = std::mem::take(&mut self.machines[machine].pending).into_values().collect();
        let written = self.rng.random_range(0..=pending.iter().filter(|work| work.writes()).count());
        for work in pending.into_iter().filter(Work::writes).take(written) {
            self.machines[machine].work(self.now, work);
        }
        self.machines[machine].stop();
        self.drop_lines(machine);
    }

    pub fn drop_lines(&mut self, machine: usize) {
        let lines: Vec<_> = self.lines.keys().copied().filter(|(a, b)| *a == machine || *b == machine).collect();
        for (a, b) in lines {
            self.drop_line(a, b);
        }
    }

    /// The connection breaks; each side notices when it notices.
    pub fn drop_line(&mut self, a: usize, b: usize) {
        let Some(line) = self.lines.get_mut(&(a.min(b), a.max(b))) else { return };
        if line.up.take().is_none() {
            return;
        }
        let mut last = 0;
        for (machine, peer) in [(a, b), (b, a)] {
            let delay = self.rng.random_range(1..3000);
            last = last.max(delay);
            let life = self.machines[machine].life;
            self.later(delay, Happening::Notice { machine, peer, life });
        }
        let again = last + self.rng.random_range(100..3000);
        self.later(again, Happening::Connect { a, b });
    }

    pub fn cut(&mut self, a: usize, b: usize) {
        if let Some(line) = self.lines.get_mut(&(a.min(b), a.max(b))) {
            line.cut = true;
        }
        self.drop_line(a, b);
    }

    /// Mends one line.
    pub fn mend(&mut self, a: usize, b: usize) {
        if let Some(line) = self.lines.get_mut(&(a.min(b), a.max(b))) {
            line.cut = false;
        }
        self.later(1, Happening::Connect { a, b });
    }

    pub fn heal(&mut self) {
        let cut: Vec<_> = self.lines.iter().filter(|(_, line)| line.cut).map(|(ends, _)| *ends).collect();
        for (a, b) in cut {
            if let Some(line) = self.lines.get_mut(&(a, b)) {
                line.cut = false;
            }
            self.later(1, Happening::Connect { a, b });
        }
    }

    pub fn lines(&self) -> Vec<(usize, usize)> {
        self.lines.keys().copied().collect()
    }

    /// A row rots on a disk, and the scrub finds it.
    pub fn lose(&mut self, machine: usize, feed: FeedId, entry: EntryId) {
        let disk = &mut self.machines[machine].disk;
        if let Some(signed) = disk.records.remove(&(feed, entry)) {
            disk.chunks.remove(&(feed, entry, signed.record().generation));
        }
        self.tell(machine, Event::Damaged { feed, entry: Some(entry) });
    }

    pub fn lie(&mut self, machine: usize, lie: Option<Lie>) {
        self.machines[machine].lie = lie;
    }

    pub fn entry(&mut self) -> EntryId {
        let mut bytes = [0; 16];
        self.rng.fill_bytes(&mut bytes);
        EntryId(bytes)
    }

    /// Publishes texts as new entries, all in one batch. Returns their ids.
    pub fn publish(&mut self, machine: usize, feed: FeedId, texts: &[&str]) -> Vec<EntryId> {
        let entries: Vec<_> = texts.iter().map(|_| self.entry()).collect();
        let edits: Vec<_> = entries.iter().copied().zip(texts.iter().map(|text| text.as_bytes().to_vec())).collect();
        self.publish_edits(machine, feed, edits);
        entries
    }

    pub fn edit(&mut self, machine: usize, feed: FeedId, entry: EntryId, text: &str) {
        self.publish_edits(machine, feed, vec![(entry, text.as_bytes().to_vec())]);
    }

    fn publish_edits(&mut self, machine: usize, feed: FeedId, edits: Vec<(EntryId, Vec<u8>)>) {
        let op = self.op();
        let drafts = self.drafts(machine) == feed;
        let place = &mut self.machines[machine];
        let (mut items, mut requests) = (Vec::new(), Vec::new());
        for (entry, text) in edits {
            let held = place.disk.records.get(&(feed, entry));
            let generation = held.map_or(1, |signed| signed.record().generation);
            let bytes = chunk(&held.map(|signed| heads(signed)).unwrap_or_default(), &text);
            let heads = vec![chunk_hash(&bytes)];
            let body = if drafts {
                let documents = vec![DraftDocument { collection: feed.collection, generation, heads }];
                Body::Draft(Draft { documents, based_on: Vec::new(), publish: None })
            } else {
                Body::Publication { heads }
            };
            requests.push(vec![bytes]);
            items.push(PublishItem { feed, entry, generation, body });
        }
        place.requests.insert(op, requests);
        self.tell(machine, Event::Publish { op, items });
    }

    pub fn withdraw(&mut self, machine: usize, feed: FeedId, entry: EntryId) {
        let op = self.op();
        let held = self.machines[machine].disk.records.get(&(feed, entry));
        let generation = held.map_or(1, |signed| signed.record().generation);
        let item = PublishItem { feed, entry, generation, body: Body::Withdrawal { moved_to: None } };
        self.machines[machine].requests.insert(op, vec![Vec::new()]);
        self.tell(machine, Event::Publish { op, items: vec![item] });
    }

    /// Voids what was said of an entry; with a text that stays, in the next generation.
    pub fn redact(&mut self, machine: usize, feed: FeedId, entry: EntryId, stays: Option<&str>) {
        let op = self.op();
        let held = self.machines[machine].disk.records.get(&(feed, entry));
        let generation = held.map_or(1, |signed| signed.record().generation) + 1;
        let chunks: Vec<_> = stays.map(|text| chunk(&[], text.as_bytes())).into_iter().collect();
        let heads = chunks.iter().map(|bytes| chunk_hash(bytes)).collect();
        self.machines[machine].requests.insert(op, vec![chunks]);
        let item = PublishItem { feed, entry, generation, body: Body::Redaction { heads } };
        self.tell(machine, Event::Publish { op, items: vec![item] });
    }

    /// Entries of a feed that are published at a machine.
    pub fn live(&self, machine: usize, feed: &FeedId) -> Vec<EntryId> {
        let records = self.machines[machine].disk.records.iter();
        let live = records.filter(|((id, _), signed)| id == feed && signed.record().is_live());
        live.map(|((_, entry), _)| *entry).collect()
    }

    /// Moves an entry to another feed of the town: published there as a fresh document and withdrawn here, in one batch.
    pub fn relocate(&mut self, machine: usize, from: FeedId, to: FeedId, entry: EntryId, text: &str) {
        let op = self.op();
        let place = &mut self.machines[machine];
        let generation = |feed| place.disk.records.get(&(feed, entry)).map_or(0, |signed| signed.record().generation);
        let generation = generation(from).max(generation(to)) + 1;
        let bytes = chunk(&[], text.as_bytes());
        let heads = vec![chunk_hash(&bytes)];
        let items = vec![
            PublishItem { feed: from, entry, generation, body: Body::Withdrawal { moved_to: Some(from.collection) } },
            PublishItem { feed: to, entry, generation, body: Body::Publication { heads } },
        ];
        place.requests.insert(op, vec![Vec::new(), vec![bytes]]);
        self.tell(machine, Event::Publish { op, items });
    }

    pub fn compare(&mut self, machine: usize, with: usize) -> OpId {
        let op = self.op();
        let node = self.machines[with].node();
        self.tell(machine, Event::Compare { op, node });
        op
    }

    fn op(&mut self) -> OpId {
        self.next_op += 1;
        OpId(self.next_op)
    }

    // --- the clock ---

    fn later(&mut self, delay: u64, happening: Happening) {
        self.count += 1;
        self.queue.insert((self.now + delay, self.count), happening);
    }

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

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Deliver { to, from, connection, bytes } => {
                if self.talk
                    && let Ok(Some(message)) = Message::read(&bytes)
                    && !matches!(message, Message::Beat { .. })
                {
                    let text = format!("{message:?}");
                    eprintln!("{} {from}>{to} {}", self.now - BEGIN, text.chars().take(600).collect::<String>());
                }
                let line = self.lines.get(&(from.min(to), from.max(to)));
                if line.is_some_and(|line| line.up == Some(connection)) {
                    let node = self.machines[from].node();
                    self.note(&bytes);
                    self.tell(to, Event::Frame { node, bytes });
                }
            }
            Happening::Connect { a, b } => self.connect(a, b),
            Happening::Broken { a, b, connection } => {
                if line_up(self.lines.get(&(a.min(b), a.max(b)))) == connection {
                    self.drop_line(a, b);
                }
            }
            Happening::Notice { machine, peer, life } => {
                let node = self.machines[peer].node();
                // A new connection took the place of the old one.
                let replaced = line_up(self.lines.get(&(machine.min(peer), machine.max(peer)))).is_some();
                if self.machines[machine].life == life && !replaced {
                    self.tell(machine, Event::Disconnected { node });
                }
            }
            Happening::Drained { machine, peer, connection } => {
                if line_up(self.lines.get(&(machine.min(peer), machine.max(peer)))) == Some(connection) {
                    let node = self.machines[peer].node();
                    self.tell(machine, Event::Drained { node });
                }
            }
            Happening::Wake { machine, life, at } => {
                if self.machines[machine].life == life && self.machines[machine].woken_for == Some(at) {
                    self.tell(machine, Event::Wake);
                }
            }
            Happening::Done { machine, life, number } => {
                if self.machines[machine].life == life
                    && let Some(work) = self.machines[machine].pending.remove(&number)
                {
                    for event in self.machines[machine].work(self.now, work) {
                        self.tell(machine, event);
                    }
                }
            }
        }
    }

    fn note(&mut self, bytes: &[u8]) {
        self.trace.update(self.now.to_be_bytes());
        self.trace.update(bytes);
    }

    pub fn trace(&self) -> [u8; 32] {
        self.trace.clone().finalize().into()
    }

    pub fn tell(&mut self, machine: usize, event: Event) {
        let now = self.now;
        if self.talk && !matches!(event, Event::Frame { .. } | Event::Wake) {
            eprintln!("{} {machine}: {}", now - BEGIN, format!("{event:?}").chars().take(300).collect::<String>());
        }
        if let Some(engine) = &mut self.machines[machine].engine {
            engine.handle(now, event);
            self.drain(machine);
        }
    }

    fn drain(&mut self, machine: usize) {
        loop {
            let place = &mut self.machines[machine];
            let Some(effect) = place.engine.as_mut().and_then(|engine| engine.poll_effect()) else { return };
            match Work::of(effect) {
                Ok(work) => self.schedule(machine, work),
                Err(effect) => self.effect(machine, *effect),
            }
        }
    }

    fn schedule(&mut self, machine: usize, work: Work) {
        let place = &mut self.machines[machine];
        let time = if place.slow { self.rng.random_range(500..4000) } else { self.rng.random_range(0..8) };
        let mut at = self.now + time;
        if work.writes() {
            at = at.max(place.disk_free_at);
            place.disk_free_at = at;
        }
        self.next_work += 1;
        let number = self.next_work;
        place.pending.insert(number, work);
        let life = place.life;
        self.later(at - self.now, Happening::Done { machine, life, number });
    }

    fn effect(&mut self, machine: usize, effect: Effect) {
        match effect {
            Effect::Send { node, frame, .. } => self.transmit(machine, node, frame),
            Effect::Drain { node } => self.drain_line(machine, &node),
            Effect::Close { node, .. } => {
                if let Some(peer) = self.machine_of(&node) {
                    // What was sent before still arrives.
                    let line = self.lines.get(&(machine.min(peer), machine.max(peer)));
                    let delay = line.map_or(0, |line| line.free_at[0].max(line.free_at[1])).saturating_sub(self.now);
                    let connection = line_up(self.lines.get(&(machine.min(peer), machine.max(peer))));
                    self.later(delay + 1, Happening::Broken { a: machine, b: peer, connection });
                }
            }
            Effect::Applied { feed, entries, .. } => {
                self.machines[machine].applied.extend(entries.into_iter().map(|entry| (feed, entry)));
            }
            Effect::Published { result: Ok(published), .. } => {
                for done in &published {
                    let told = self.machines[machine].applied.contains(&(done.feed, done.entry));
                    assert!(told, "published is answered before it can be read: {:?}", done.entry);
                }
                if self.stolen.contains_key(&machine) {
                    return;
                }
                let town = self.towns.iter().position(|town| town.machines.contains(&machine)).unwrap_or_default();
                self.promises.extend(published.into_iter().map(|done| Promise {
                    town,
                    feed: done.feed,
                    entry: done.entry,
                    position: done.position,
                }));
            }
            Effect::Published { result: Err(error), .. } => self.refused.push(error),
            Effect::Compared { op, result } => {
                self.compared.insert(op, result);
            }
            Effect::InSync { node, at } => self.machines[machine].in_sync.push((node, at)),
            Effect::Alarm(alarm) if self.talk => {
                eprintln!("{} {machine} ALARM {alarm:?}", self.now - BEGIN);
                self.machines[machine].alarms.push(alarm);
            }
            Effect::Alarm(alarm) => self.machines[machine].alarms.push(alarm),
            Effect::WakeAt { at } => {
                let place = &mut self.machines[machine];
                place.woken_for = Some(at);
                let life = place.life;
                self.later(at.saturating_sub(self.now), Happening::Wake { machine, life, at });
            }
            _ => {}
        }
    }
}
