//! How one node grows with its partners: `make bench-world`.
//!
//! A hub, the real daemon, and 50, 100, 200 and 500 towns that are partners of it, each with 4,000 entries. The towns are
//! light: each has its keys, its signed records and a network of its own, but no store, so that one process holds them all.
//! They join by invitation, the hub asks for their pages, accepts, stores and indexes them, as it does with any partner; then
//! they have nothing new. The hub is started again, and its idle minute is measured.
//!
//! The made world is kept (`ORTSNETZ_WORLD_DIR`, else `world` in the target directory) and goes on growing from there:
//! 2 million entries take a while, and a few gigabytes. `ORTSNETZ_WORLD_SIZES` (30,50,100,200,500), `ORTSNETZ_WORLD_ENTRIES`
//! (4000) and `ORTSNETZ_WORLD_IDLE` (60 seconds) say something else.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod hub;
mod partner;
mod town;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use futures::StreamExt as _;
use ortsnetz_model::{OrgId, Position};
use ortsnetz_tests::Town as Daemon;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use partner::{Partner, join, network, rejoined};
use town::Town;

/// Bars of the design, at [`BAR_PARTNERS`] partners.
const BAR_PARTNERS: usize = 500;
const BAR_CORE_PERCENT: f64 = 2.0;
const BAR_RESIDENT_MIB: u64 = 600;
const BAR_START: Duration = Duration::from_secs(5);
/// Bars of search, at so many entries, in milliseconds: half of them, 99 % of them, 99 % while typing.
const BAR_SEARCH_ENTRIES: usize = 120_000;
const BAR_SEARCH: [f64; 3] = [2.0, 15.0, 10.0];
/// Bars of answers there while edits arrive: half of them, 99 % of them.
const BAR_ANSWERS: [f64; 2] = [10.0, 40.0];
/// Invitations open at a time, and towns that fill at the same time.
const INVITED: usize = 20;
const FILLING: usize = 4;
/// Searches of each sort, and own edits, that are timed.
const SEARCHES: u32 = 400;
const EDITS: u32 = 20;
const HUB_ARS: &str = "053820000000";

fn main() {
    let number = |name: &str, otherwise: u32| {
        std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}: a number")))
    };
    let sizes = std::env::var("ORTSNETZ_WORLD_SIZES").unwrap_or_else(|_| "30,50,100,200,500".into());
    let sizes = sizes.split(',').map(|size| size.trim().parse::<usize>().expect("ORTSNETZ_WORLD_SIZES: numbers"));
    let idle = Duration::from_secs(number("ORTSNETZ_WORLD_IDLE", 60).into());
    let runtime = Runtime::new().expect("a runtime");
    let mut world = World::open(number("ORTSNETZ_WORLD_ENTRIES", 4000));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = || fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "{cores} cores, load {}; {} entries a town, world of {}",
        load().trim(),
        world.entries,
        world.dir.display()
    );
    for size in sizes {
        if size < world.towns.len() {
            println!("{size} partners: left out, the kept world has {} already", world.towns.len());
            continue;
        }
        world.grow(&runtime, size);
        let row = world.measure(&runtime, idle);
        println!("load {}", load().trim());
        row.print(world.entries);
        world.rows.push(row.to_json());
        world.keep();
    }
}

/// What is kept beside the data directory of the hub.
struct World {
    dir: PathBuf,
    entries: u32,
    made_at: u64,
    towns: Vec<Joined>,
    rows: Vec<Value>,
    hub: Daemon,
}

/// A town that the hub holds.
#[derive(Clone)]
struct Joined {
    partnership: Vec<u8>,
    cursor: Position,
    serial: u64,
}

struct Row {
    partners: usize,
    start: Duration,
    start_cpu: Duration,
    in_sync: Duration,
    in_sync_cpu: Duration,
    core_percent: f64,
    resident: u64,
    own: u64,
    edit: Duration,
    search: hub::Search,
    disk: Value,
}

fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis() as u64)
}

impl World {
    fn open(entries: u32) -> Self {
        let dir = std::env::var_os("ORTSNETZ_WORLD_DIR").map_or_else(
            || PathBuf::from(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "../target".into())).join("world"),
            PathBuf::from,
        );
        fs::create_dir_all(&dir).expect("a directory for the world");
        let dir = dir.canonicalize().expect("it is there");
        let Some(kept) = fs::read(dir.join("world.json")).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok())
        else {
            let _ = fs::remove_dir_all(dir.join("hub"));
            let hub = Daemon::new_at(&dir, "hub", "Kreis in der Mitte", HUB_ARS);
            return Self { dir, entries, made_at: now(), towns: Vec::new(), rows: Vec::new(), hub };
        };
        let kept: Value = kept;
        assert_eq!(kept["entries"], entries, "{} holds another world; remove it first", dir.display());
        let mut hub = Daemon::blank(&dir, "hub", HUB_ARS);
        hub.start();
        let status = hub.get("/status");
        let text = |value: &Value| value.as_str().expect("an id").to_owned();
        (hub.organisation, hub.node) = (text(&status["organisation"]["id"]), text(&status["node"]["id"]));
        let towns = kept["towns"].as_array().expect("towns").iter().map(Joined::read).collect();
        let rows = kept["rows"].as_array().cloned().unwrap_or_default();
        Self { dir, entries, made_at: kept["made_at"].as_u64().expect("a time"), towns, rows, hub }
    }

    fn keep(&self) {
        let towns: Vec<Value> = self.towns.iter().map(Joined::to_json).collect();
        let kept = json!({ "entries": self.entries, "made_at": self.made_at, "towns": towns, "rows": self.rows });
        fs::write(self.dir.join("world.json"), kept.to_string()).expect("the world can be kept");
    }

    /// More towns join, until there are `size`.
    fn grow(&mut self, runtime: &Runtime, size: usize) {
        let (begun, before, cpu) = (Instant::now(), self.towns.len(), hub::cpu(&self.hub));
        let organisation: OrgId = self.hub.organisation.parse().expect("an id");
        while self.towns.len() < size {
            let from = self.towns.len();
            let invited = (from..size.min(from + INVITED)).map(|n| n as u32);
            let invited: Vec<_> = invited.map(|number| (number, hub::invite(&self.hub, number))).collect();
            let (at, entries, peer) = (self.made_at, self.entries, hub::peer(&self.hub));
            let joining = invited.into_iter().map(|(number, token)| {
                let peer = peer.clone();
                async move {
                    let made = tokio::task::spawn_blocking(move || {
                        let town = Town::found(number, at);
                        let works = town.publish(entries, at);
                        (town, works)
                    });
                    let (mut town, works) = made.await.expect("the generator does not fail");
                    let line = network(&town).await;
                    let partnership = join(&mut town, &line.0, &token, now()).await.to_bytes();
                    let joined = Joined { partnership, cursor: works.cursor, serial: works.serial };
                    let at = (works.cursor, works.serial);
                    let partner = Partner::new(town, organisation, line, at, Some(works));
                    partner.run(&peer, true).await.leave().await;
                    (number, joined)
                }
            });
            let joining = futures::stream::iter(joining).buffer_unordered(FILLING).collect::<Vec<_>>();
            let mut joined = runtime.block_on(joining);
            joined.sort_by_key(|(number, _)| *number);
            self.towns.extend(joined.into_iter().map(|(_, joined)| joined));
            self.keep();
            eprintln!("{} towns after {:.0} s", self.towns.len(), begun.elapsed().as_secs_f64());
        }
        let new = (size - before) * self.entries as usize;
        if new > 0 {
            let cpu = (hub::cpu(&self.hub) - cpu).as_secs_f64();
            let took = begun.elapsed().as_secs_f64();
            println!(
                "{new} entries of {} new partners taken in: {took:.0} s, {cpu:.0} s of the hub's CPU",
                size - before
            );
        }
    }

    /// All towns come, the hub starts again, and then nothing happens.
    fn measure(&mut self, runtime: &Runtime, idle: Duration) -> Row {
        let organisation: OrgId = self.hub.organisation.parse().expect("an id");
        let (peer, at) = (hub::peer(&self.hub), self.made_at);
        let tasks: Vec<_> = (0u32..)
            .zip(self.towns.clone())
            .map(|(number, joined)| {
                let peer = peer.clone();
                runtime.spawn(async move {
                    let town = rejoined(number, at, &joined.partnership);
                    let line = network(&town).await;
                    let partner = Partner::new(town, organisation, line, (joined.cursor, joined.serial), None);
                    partner.run(&peer, false).await;
                })
            })
            .collect();
        let partners = self.towns.len();
        hub::wait_in_sync(&self.hub, partners);
        // What each offered last is written down a few seconds later.
        std::thread::sleep(Duration::from_secs(7));
        hub::settle(&self.hub);
        self.hub.stop();
        let start = hub::start(&mut self.hub);
        let start_cpu = hub::cpu(&self.hub);
        let in_sync = hub::wait_in_sync(&self.hub, partners);
        let in_sync_cpu = hub::cpu(&self.hub) - start_cpu;
        hub::settle(&self.hub);
        let before = hub::cpu(&self.hub);
        std::thread::sleep(idle);
        let core_percent = (hub::cpu(&self.hub) - before).as_secs_f64() / idle.as_secs_f64() * 100.0;
        let hub::Memory { resident, own } = hub::memory(&self.hub);
        let disk = json!(hub::disk(&self.hub.dir));
        let edit = hub::edits(&self.hub, partners, EDITS);
        let search = hub::search(&self.hub, partners as u32, SEARCHES);
        for task in tasks {
            task.abort();
        }
        Row { partners, start, start_cpu, in_sync, in_sync_cpu, core_percent, resident, own, edit, search, disk }
    }
}

impl Joined {
    fn read(value: &Value) -> Self {
        let number = |name: &str| value[name].as_u64().expect("a number");
        let hex = value["partnership"].as_str().expect("bytes in hex");
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
        let cursor = Position { term: number("term") as u32, epoch: number("epoch"), sequence: number("sequence") };
        Self { partnership: (0..hex.len()).step_by(2).map(byte).collect(), cursor, serial: number("serial") }
    }

    fn to_json(&self) -> Value {
        let partnership: String = self.partnership.iter().map(|byte| format!("{byte:02x}")).collect();
        let Position { term, epoch, sequence } = self.cursor;
        json!({ "partnership": partnership, "term": term, "epoch": epoch, "sequence": sequence, "serial": self.serial })
    }
}

impl Row {
    fn print(&self, entries: u32) {
        let all = self.partners * entries as usize;
        let bar = |applies: bool, met: bool, bar: String| match (applies, met) {
            (false, _) => String::new(),
            (true, true) => format!("   bar {bar} met"),
            (true, false) => format!("   bar {bar} MISSED"),
        };
        let big = self.partners == BAR_PARTNERS && entries >= 4000;
        println!("{} idle partners, {all} entries on one node", self.partners);
        let line = |what: &str, value: String, bar: String| println!("  {what:<44} {value:>16}{bar}");
        let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
        let met = self.start <= BAR_START;
        line("start to ready", seconds(self.start), bar(big, met, "5 s".into()));
        line("  its CPU", seconds(self.start_cpu), String::new());
        line("all partners back and in sync after that", seconds(self.in_sync), String::new());
        line("  its CPU", seconds(self.in_sync_cpu), String::new());
        let met = self.core_percent <= BAR_CORE_PERCENT;
        line("CPU while idle, of one core", format!("{:.2} %", self.core_percent), bar(big, met, "2 %".into()));
        let met = self.resident <= BAR_RESIDENT_MIB;
        line("resident memory", format!("{} MiB", self.resident), bar(big, met, "600 MiB".into()));
        line("  of it not mapped files", format!("{} MiB", self.own), String::new());
        line("disk in MiB", self.disk.to_string(), String::new());
        let milliseconds = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1000.0);
        line("CPU of one own edit, told to all", milliseconds(self.edit), String::new());
        let at = all == BAR_SEARCH_ENTRIES;
        let (half, most) = self.search.words;
        let met = half <= BAR_SEARCH[0] && most <= BAR_SEARCH[1];
        line(
            "search, two words and a place: p50, p99",
            format!("{half:.2}, {most:.2} ms"),
            bar(at, met, "2, 15 ms".into()),
        );
        let (half, most) = self.search.typing;
        line(
            "  while typing: p50, p99",
            format!("{half:.2}, {most:.2} ms"),
            bar(at, most <= BAR_SEARCH[2], "-, 10 ms".into()),
        );
        let (half, most) = self.search.answers;
        let met = half <= BAR_ANSWERS[0] && most <= BAR_ANSWERS[1];
        line(
            "answers, while edits arrive: p50, p99",
            format!("{half:.2}, {most:.2} ms"),
            bar(at, met, "10, 40 ms".into()),
        );
    }

    fn to_json(&self) -> Value {
        json!({
            "partners": self.partners, "start_s": self.start.as_secs_f64(), "start_cpu_s": self.start_cpu.as_secs_f64(),
            "in_sync_s": self.in_sync.as_secs_f64(), "in_sync_cpu_s": self.in_sync_cpu.as_secs_f64(),
            "core_percent": self.core_percent, "resident_mib": self.resident, "own_mib": self.own, "disk_mib": self.disk,
            "edit_cpu_ms": self.edit.as_secs_f64() * 1000.0, "search_ms": self.search.words, "typing_ms": self.search.typing,
            "answers_ms": self.search.answers,
        })
    }
}
