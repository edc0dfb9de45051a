//! The daemon in the middle, watched from outside: what it holds, what it uses, how fast it answers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use ortsnetz_net::Peer;
use ortsnetz_tests::Town;
use serde_json::json;

use crate::town::{ars, word};

/// Between two looks at a hub that starts.
const LOOK: Duration = Duration::from_millis(2);
/// A second in which it uses less than this is one of rest.
const AT_REST: Duration = Duration::from_millis(40);
/// How long search is merged and disks are written after the start at most.
const SETTLED_WITHIN: Duration = Duration::from_secs(600);
/// How long partners may take to be in sync.
const IN_SYNC_WITHIN: Duration = Duration::from_secs(600);

/// What the kernel says about a process now, in MiB.
pub struct Memory {
    /// Resident altogether.
    pub resident: u64,
    /// Of this, its own; the rest are files it maps, which the kernel takes back when others need memory.
    pub own: u64,
}

pub fn memory(hub: &Town) -> Memory {
    let status = fs::read_to_string(format!("/proc/{}/status", hub.pid())).expect("it runs");
    let value = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).expect("Linux tells it");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") >> 10
    };
    Memory { resident: value("VmRSS:"), own: value("RssAnon:") }
}

/// Processor time of the daemon since it started, of all threads, user and system.
pub fn cpu(hub: &Town) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", hub.pid())).expect("it runs");
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    let ticks: u64 = [fields[11], fields[12]].iter().map(|text| text.parse::<u64>().expect("a number")).sum();
    // USER_HZ is 100 on every Linux.
    Duration::from_millis(ticks * 10)
}

/// What lies in a directory, in MiB, by the name below it.
pub fn disk(dir: &Path) -> BTreeMap<String, u64> {
    fn bytes(path: &Path) -> u64 {
        let Ok(about) = fs::symlink_metadata(path) else { return 0 };
        if !about.is_dir() {
            return about.len();
        }
        fs::read_dir(path).into_iter().flatten().flatten().map(|entry| bytes(&entry.path())).sum()
    }
    let below = fs::read_dir(dir).into_iter().flatten().flatten();
    below.map(|entry| (entry.file_name().to_string_lossy().into_owned(), bytes(&entry.path()) >> 20)).collect()
}

/// From the start of the process to `/readyz`.
pub fn start(hub: &mut Town) -> Duration {
    let begun = Instant::now();
    hub.spawn();
    while !hub.try_http("GET", "/readyz", None).is_ok_and(|answer| answer.status == 200) {
        assert!(hub.still_runs(), "the hub ended:\n{}", hub.log());
        std::thread::sleep(LOOK);
    }
    begun.elapsed()
}

/// Where partners dial it.
pub fn peer(hub: &Town) -> Peer {
    let node = hub.node.parse().expect("a node");
    Peer { node, addresses: vec![hub.peer_address()], dial: true }
}

/// A token for the town with this number, whose ARS is trusted.
pub fn invite(hub: &Town, number: u32) -> String {
    let answer = hub.http("POST", "/api/v1/invitations", Some(&json!({ "for_ars": ars(number), "trust": true })));
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json["token"].as_str().expect("a token").to_owned()
}

/// Waits until so many partners are connected and in sync; returns how long that took.
pub fn wait_in_sync(hub: &Town, partners: usize) -> Duration {
    let begun = Instant::now();
    loop {
        let status = hub.get("/status");
        let all = status["partners"].as_array().expect("partners");
        let done = all.iter().filter(|partner| partner["connected"] == true && partner["in_sync"] == true).count();
        if done >= partners {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < IN_SYNC_WITHIN, "only {done} of {partners} partners are in sync");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Waits until nothing is written or merged any more: five seconds of rest in a row.
pub fn settle(hub: &Town) {
    let begun = Instant::now();
    let (mut rest, mut before) = (0, cpu(hub));
    while rest < 5 && begun.elapsed() < SETTLED_WITHIN {
        std::thread::sleep(Duration::from_secs(1));
        let now = cpu(hub);
        rest = if now - before < AT_REST { rest + 1 } else { 0 };
        before = now;
    }
}

/// Processor time of one edit of its own, published, and told to everybody.
pub fn edits(hub: &Town, partners: usize, count: u32) -> Duration {
    let id = hub.publish("service", &["title.de=Öffnungszeiten"]);
    wait_in_sync(hub, partners);
    settle(hub);
    let before = cpu(hub);
    for number in 0..count {
        let path = format!("/api/v1/entries/{id}");
        hub.http("PATCH", &path, Some(&json!({ "title": { "de": format!("Öffnungszeiten, Fassung {number}") } })));
        hub.http("POST", &format!("{path}/publish"), None);
    }
    std::thread::sleep(Duration::from_secs(5));
    (cpu(hub) - before) / count
}

/// Between two edits that arrive while answers are asked for.
const EDIT_EVERY: Duration = Duration::from_millis(250);

/// Median and 99 % over HTTP in milliseconds: searches for two words at a place, and while a word is typed; answers at a place while
/// edits arrive.
pub struct Search {
    pub words: (f64, f64),
    pub typing: (f64, f64),
    pub answers: (f64, f64),
}

pub fn search(hub: &Town, towns: u32, count: u32) -> Search {
    let two_words = |number: u32| {
        let (first, second) = (word(number * 7), word(number * 13 + 5));
        (format!("{first} {second}"), "")
    };
    let typed = |number: u32| {
        let word = word(number / 4 * 11);
        (word.chars().take(3 + number as usize % 4 * 2).collect(), "&typing=true")
    };
    let times = |resource: &str, found: &str, query: &dyn Fn(u32) -> (String, &'static str)| {
        let mut all: Vec<f64> = (0..count)
            .map(|number| {
                let (words, more) = query(number);
                let path = format!("/api/v1/{resource}?q={}&place={}{more}", encoded(&words), ars(number % towns));
                let begun = Instant::now();
                let answer = hub.http("GET", &path, None);
                let took = begun.elapsed().as_secs_f64() * 1000.0;
                assert_eq!(answer.status, 200, "{path}: {}", answer.text);
                let hits = answer.json[found].as_array().map_or(0, Vec::len);
                assert!(hits > 0, "{path}: nothing found");
                took
            })
            .collect();
        all.sort_by(f64::total_cmp);
        let at = |share: usize| all[(all.len() * share / 100).min(all.len() - 1)];
        (at(50), at(99))
    };
    // The first ones read the index from disk.
    times("search", "hits", &two_words);
    let words = times("search", "hits", &two_words);
    let typing = times("search", "hits", &typed);
    let edited = hub.publish("service", &["title.de=Sprechzeiten"]);
    let asked = std::sync::atomic::AtomicBool::new(false);
    let answers = std::thread::scope(|threads| {
        threads.spawn(|| {
            let path = format!("/api/v1/entries/{edited}");
            for number in 0.. {
                if asked.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                let title = json!({ "title": { "de": format!("Sprechzeiten, Fassung {number}") } });
                hub.http("PATCH", &path, Some(&title));
                hub.http("POST", &format!("{path}/publish"), None);
                std::thread::sleep(EDIT_EVERY);
            }
        });
        times("answers", "answers", &two_words);
        let answers = times("answers", "answers", &two_words);
        asked.store(true, std::sync::atomic::Ordering::Relaxed);
        answers
    });
    Search { words, typing, answers }
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
