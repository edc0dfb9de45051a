//! What a partner that means harm costs the others: `make bench-hostile`.
//!
//! A node with two partners. One of them attacks, over the real transport and within its rights as a partner; the other
//! one publishes, reads, and somebody searches at the node. For each attack: how long these take, beside how long they
//! took in peace right before, and what the node's memory grew by at most. The attacker works at the lowest priority, because it
//! shares the machine, which it would not. `ORTSNETZ_BENCH_EDITS` sets how many edits are timed (100).

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use automerge::transaction::Transactable as _;
use ortsnetz_model::{CollectionId, EntryId, FeedId, Hash, OrgId, Position};
use ortsnetz_sync::Item;
use ortsnetz_sync::limits::{HAVE_FEEDS_MAX, WANTS_MAX};
use ortsnetz_sync::wire::{Held, Message, PageKind, WireItem};
use ortsnetz_tests::{Hostile, Town};
use ortsnetz_trust::{Body, Record, SignedRecord};
use serde_json::json;

/// Entries of the node, each with a text of so many bytes that cannot be packed much.
const ENTRIES: u32 = 40;
const TEXT_BYTES: usize = 60_000;
/// What others may wait at most, by how long they wait in peace.
const RATIO_MAX: f64 = 2.0;
/// What the node may grow by.
const GROWTH_MAX_MIB: u64 = 160;

type Attack = fn(&mut Hostile, &World);

fn main() {
    let edits = std::env::var("ORTSNETZ_BENCH_EDITS").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let dir = tempfile::tempdir().expect("a directory");
    let victim = Town::new(dir.path(), "Stadt Siegburg", "053820060060");
    let friend = Town::new(dir.path(), "Stadt Bonn", "053140000000");
    let mut town = Town::new(dir.path(), "Stadt Böse", "053150000000");
    victim.befriend(&friend);
    victim.befriend(&town);
    let entries: Vec<EntryId> = (0..ENTRIES).map(|number| long(&victim, number)).collect();
    victim.wait_in_sync(&friend);
    victim.wait_in_sync(&town);
    let organisation: OrgId = victim.organisation.parse().expect("an id");
    let feed = FeedId { organisation, collection: CollectionId::named(&organisation, "public") };
    let mut hostile = Some(Hostile::take_over(&mut town, &victim));
    let world = Arc::new(World { feed, entries, stop: AtomicBool::new(false) });

    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{edits} edits each way on {cores} cores, all processes on one machine; milliseconds (median, 95 %)");
    println!("{:<44} {:>14} {:>14} {:>14} {:>7} {:>9}", "", "taken in", "given", "search", "ratio", "memory");
    // New entries each time: an edit costs more the longer the history of its entry is.
    let measure = || {
        let theirs = friend.publish("service", &["title.de=Reisepass"]);
        let ours = victim.publish("service", &["title.de=Hundesteuer"]);
        // The first edits open files and grow buffers.
        times(5, |number| edit(&friend, &victim, &theirs, number));
        times(5, |number| edit(&victim, &friend, &ours, number));
        Figures {
            taken: times(edits, |number| edit(&friend, &victim, &theirs, number)),
            given: times(edits, |number| edit(&victim, &friend, &ours, number)),
            search: times(edits, |_| drop(victim.get("/search?q=Hundesteuer"))),
        }
    };
    measure();
    let mut failed = 0;
    let attacks: [(&str, Attack); 7] = [
        ("signed changes that take long to judge", heavy),
        ("flood of beats that want an answer", beats),
        ("thousands of feeds told again and again", boasts),
        ("requests without pause, all answers read", requests),
        ("requests, and no answer read", deaf),
        ("audits of everything without pause", audits),
        ("garbage, and at the door again at once", garbage),
    ];
    for (name, attack) in attacks {
        let peace = measure();
        peace.print("in peace, right before", None, 0);
        let before = victim.peak_memory();
        let (mut attacker, its) = (hostile.take().expect("it is back"), world.clone());
        world.stop.store(false, Ordering::Relaxed);
        let at_work: JoinHandle<Hostile> = std::thread::spawn(move || {
            Hostile::give_way();
            while !its.stop.load(Ordering::Relaxed) {
                attack(&mut attacker, &its);
                attacker.connect();
            }
            attacker
        });
        std::thread::sleep(Duration::from_millis(500));
        let figures = measure();
        world.stop.store(true, Ordering::Relaxed);
        hostile = Some(at_work.join().expect("the attacker does not fail"));
        let grown = victim.peak_memory().saturating_sub(before) >> 20;
        let ratio = figures.print(name, Some(&peace), grown);
        failed += usize::from(ratio > RATIO_MAX || grown > GROWTH_MAX_MIB);
    }
    println!("bar: others wait at most {RATIO_MAX} times as long, the node grows by at most {GROWTH_MAX_MIB} MiB");
    println!("{}", if failed == 0 { "held".into() } else { format!("missed by {failed} attacks") });
}

struct World {
    feed: FeedId,
    entries: Vec<EntryId>,
    stop: AtomicBool,
}

impl World {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }
}

struct Figures {
    taken: Vec<f64>,
    given: Vec<f64>,
    search: Vec<f64>,
}

impl Figures {
    /// Prints a line; returns the worst ratio of medians.
    fn print(&self, name: &str, peace: Option<&Self>, grown: u64) -> f64 {
        let all = |figures: &Self| [&figures.taken, &figures.given, &figures.search].map(|times| at(times, 50));
        let own = all(self);
        let ratio =
            peace.map_or(1.0, |peace| own.iter().zip(all(peace)).map(|(own, peace)| own / peace).fold(0.0, f64::max));
        let cell = |times: &[f64]| format!("{:.1}, {:.1}", at(times, 50), at(times, 95));
        println!(
            "{name:<44} {:>14} {:>14} {:>14} {ratio:>6.2}x {grown:>5} MiB",
            cell(&self.taken),
            cell(&self.given),
            cell(&self.search)
        );
        ratio
    }
}

fn at(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// Times in milliseconds, sorted.
fn times(count: u32, mut work: impl FnMut(u32)) -> Vec<f64> {
    let mut all: Vec<f64> = (0..count)
        .map(|number| {
            let begun = Instant::now();
            work(number);
            begun.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    all.sort_by(f64::total_cmp);
    all
}

/// One town changes and publishes an entry; done when it is read at the other one.
fn edit(from: &Town, to: &Town, id: &str, number: u32) {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let title = format!("Fassung {number} {}", COUNT.fetch_add(1, Ordering::Relaxed));
    let path = format!("/api/v1/entries/{id}");
    from.http("PATCH", &path, Some(&json!({ "title": { "de": title } })));
    from.http("POST", &format!("{path}/publish"), None);
    while to.shown(id)["entry"]["title"]["de"] != title.as_str() {
        std::thread::sleep(Duration::from_micros(500));
    }
}

fn long(town: &Town, number: u32) -> EntryId {
    let parts =
        (0..TEXT_BYTES.div_ceil(64) as u32).map(|part| Hash::of(&[number.to_be_bytes(), part.to_be_bytes()].concat()));
    let text: String = parts.map(|hash| hash.to_string()).collect();
    let text = format!("texts.description.de={}", &text[..TEXT_BYTES.min(text.len())]);
    town.publish("service", &["title.de=Lang", &text]).parse().expect("an id")
}

fn beats(hostile: &mut Hostile, world: &World) {
    let frame = Message::Beat { question: true }.frame(3);
    while world.goes_on() && hostile.send_many(&frame, 1000) {}
}

/// As much as a partner may tell at a time, further each time.
fn boasts(hostile: &mut Hostile, world: &World) {
    for sequence in 1.. {
        let feeds = (0..HAVE_FEEDS_MAX as u64).map(|number| {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            let feed = FeedId { organisation: hostile.organisation, collection: CollectionId(id) };
            Held { feed, cursor: Position { term: 1, epoch: 1, sequence }, serial: 0 }
        });
        let have = Message::Have { feeds: feeds.collect(), chains: Vec::new(), offer: None };
        if !world.goes_on() || !hostile.say(&have) {
            return;
        }
    }
}

fn want(world: &World, number: usize) -> Message {
    let entry = Some(world.entries[number % world.entries.len()]);
    Message::Want { feed: world.feed, entry, have: Vec::new() }
}

fn requests(hostile: &mut Hostile, world: &World) {
    while world.goes_on() {
        for number in 0..WANTS_MAX {
            if !hostile.say(&want(world, number)) {
                return;
            }
        }
        let mut answers = 0;
        while answers < WANTS_MAX {
            match hostile.hear() {
                Some(Message::Changes { last, .. }) => answers += usize::from(last),
                Some(Message::Gone { .. }) => answers += 1,
                Some(_) => {}
                None => return,
            }
        }
    }
}

fn deaf(hostile: &mut Hostile, world: &World) {
    for number in 0..200 {
        if !hostile.say(&want(world, number))
            || !hostile.say(&Message::Get { feed: world.feed, after: Position::default() })
        {
            return;
        }
    }
    while world.goes_on() && hostile.say(&Message::Beat { question: false }) {
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn audits(hostile: &mut Hostile, world: &World) {
    while world.goes_on() {
        for _ in 0..WANTS_MAX {
            if !hostile.say(&Message::AuditLeaves { feed: world.feed, leaves: (0..4096).collect() }) {
                return;
            }
        }
        let mut answers = 0;
        while answers < WANTS_MAX {
            match hostile.hear() {
                Some(Message::AuditItems { last, .. }) => answers += usize::from(last),
                Some(_) => {}
                None => return,
            }
        }
    }
}

/// Pages full of changes that are small, signed, and as much work as one change may be.
fn heavy(hostile: &mut Hostile, world: &World) {
    let mut document = automerge::AutoCommit::new();
    let list = document.put_object(automerge::ROOT, "k", automerge::ObjType::List).expect("a list");
    for at in 0..40_000 {
        document.insert(&list, at, ()).expect("an item");
    }
    document.commit();
    let change = document.get_changes(&[]).remove(0);
    let (chunk, head) = (change.raw_bytes().to_vec(), Hash(change.hash().0));
    let epoch = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis() as u64);
    for page in 0.. {
        let position = |number: u64| Position { term: 1, epoch, sequence: page * 64 + number + 1 };
        let record = |number: u64| Record {
            feed: hostile.feed("public"),
            entry: Some(EntryId(std::array::from_fn(|at| (page * 64 + number).to_be_bytes()[at % 8]))),
            generation: 1,
            position: position(number),
            previous: None,
            list_serial: 0,
            at: epoch,
            instance: 1,
            body: Body::Publication { heads: vec![head] },
            totals: None,
        };
        let items = (0..64).map(|number| {
            let signed = SignedRecord::sign(record(number), &hostile.key).expect("it can be signed");
            WireItem::new(&Item { record: signed.to_bytes().into(), chunks: vec![chunk.clone()] })
        });
        let (feed, items) = (hostile.feed("public"), items.collect());
        let after = Position { sequence: page * 64, ..position(0) };
        let message = Message::Page { feed, after, upto: position(63), items, kind: PageKind::Live, offer: None };
        if !world.goes_on() || !hostile.say(&message) {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn garbage(hostile: &mut Hostile, _: &World) {
    hostile.send(b"\x00Guten Tag");
}
