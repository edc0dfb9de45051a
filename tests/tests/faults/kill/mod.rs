//! `kill -9` at random moments of import, edit, publish and sync: the daemon starts by itself, every acknowledged write
//! is there with its value, the store is clean, and both towns end with the same.
//!
//! Two partners write all the time, each with an editor and an importer, and so each also receives all the time. Once a
//! round one or both are killed in the middle of it. What was acknowledged is known to the desks ([`desk::Desk`]).

mod chance;
mod client;
mod desk;
mod known;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ortsnetz_tests::{Town, eventually};
use serde_json::{Value, json};

use chance::{Chance, Seed};
use client::Client;
use desk::{Desk, Work, exported};

/// How often a daemon is killed, or both; 100 in `make test`, 500 in `make soak`.
const ROUNDS_VARIABLE: &str = "ORTSNETZ_KILL_ROUNDS";
/// Without it.
const ROUNDS: u64 = 20;
/// Rounds between two comparisons of everything.
const COMPARED_EVERY: u64 = 10;
/// Longest time two towns work before the kill.
const WORK: Duration = Duration::from_millis(300);
/// Longest time a daemon has to start before it is killed again.
const START: Duration = Duration::from_millis(120);
/// Rounds between two lines of progress.
const TOLD_EVERY: u64 = 50;

#[test]
fn kill_at_any_moment_loses_nothing_that_was_acknowledged() {
    let rounds = match std::env::var(ROUNDS_VARIABLE) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{ROUNDS_VARIABLE}: {text:?} is no number")),
        Err(_) => ROUNDS,
    };
    let seed = Seed::of_this_run();
    let mut region = Region::new(&seed);
    let started = Instant::now();
    for round in 1..=rounds {
        region.round();
        if round % COMPARED_EVERY == 0 || round == rounds {
            region.compare();
        }
        if round % TOLD_EVERY == 0 {
            println!("round {round} of {rounds}, {:.0} s: {}", started.elapsed().as_secs_f64(), region.figures);
        }
    }
    region.end();
    let each = started.elapsed().as_secs_f64() / rounds as f64;
    println!("kill -9: {rounds} rounds of {each:.2} s, seed {}: {}", seed.0, region.figures);
}

/// What happened, for people.
#[derive(Default)]
struct Figures {
    kills: u64,
    both: u64,
    starting: u64,
    connected: u64,
    comparisons: u64,
    acknowledged: u64,
    imports: u64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kills, both, starting, connected, comparisons, acknowledged, imports } = self;
        write!(
            f,
            "{kills} kills ({both} times both at once, {starting} while starting), {connected} rounds in the middle of \
             sync, {acknowledged} acknowledged writes and {imports} imports, {comparisons} comparisons, nothing lost"
        )
    }
}

/// Two partners, and who works there.
struct Region {
    chance: Chance,
    towns: [Town; 2],
    organisations: [String; 2],
    desks: [Vec<Desk>; 2],
    figures: Figures,
    // Last: the directories go when the daemons are gone.
    _directory: tempfile::TempDir,
}

impl Region {
    fn new(seed: &Seed) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let towns = [("Stadt Siegburg", "053820060060"), ("Bundesstadt Bonn", "053140000000")]
            .map(|(name, ars)| Town::new(directory.path(), name, ars));
        towns[0].befriend(&towns[1]);
        let organisations = towns.each_ref().map(|town| text(&town.status()["organisation"]["id"]));
        let desks = towns.each_ref().map(|town| {
            let name = town.name.rsplit(' ').next().expect("a word");
            vec![
                Desk::new(&format!("{name}-E"), &town.ars, Work::Edit),
                Desk::new(&format!("{name}-I"), &town.ars, Work::Import),
            ]
        });
        let chance = Chance::new(seed.0);
        Self { chance, towns, organisations, desks, figures: Figures::default(), _directory: directory }
    }

    /// Everybody works, somebody is killed, starts again, and has everything.
    fn round(&mut self) {
        let killed: &[usize] = match self.chance.below(10) {
            0..4 => &[0],
            4..8 => &[1],
            _ => &[0, 1],
        };
        let clients = self.towns.each_ref().map(Client::of);
        let time = self.chance.up_to(WORK);
        let streams = [(); 4].map(|()| self.chance.branch());
        let connected = self.work_and_kill(&clients, streams, time, killed);
        self.figures.connected += u64::from(connected);
        self.figures.kills += killed.len() as u64;
        self.figures.both += u64::from(killed.len() == 2);
        for &nth in killed {
            // Not even to start is something to finish.
            while self.chance.percent(20) {
                self.towns[nth].spawn();
                std::thread::sleep(self.chance.up_to(START));
                self.towns[nth].kill();
                self.figures.kills += 1;
                self.figures.starting += 1;
            }
            self.towns[nth].start();
        }
        for (town, desks) in self.towns.iter().zip(&mut self.desks) {
            let client = Client::of(town);
            desks.iter_mut().for_each(|desk| desk.look(&client, false));
        }
        let all = self.desks.iter().flatten();
        (self.figures.acknowledged, self.figures.imports) =
            all.fold((0, 0), |(writes, imports), desk| (writes + desk.acknowledged, imports + desk.imports));
    }

    /// Returns whether the two were connected when it happened.
    fn work_and_kill(
        &mut self,
        clients: &[Client; 2],
        mut streams: [Chance; 4],
        time: Duration,
        killed: &[usize],
    ) -> bool {
        let stop = AtomicBool::new(false);
        let Self { towns, desks, .. } = self;
        std::thread::scope(|scope| {
            let mut streams = streams.iter_mut();
            let mut working = Vec::new();
            for (nth, (desks, client)) in desks.iter_mut().zip(clients).enumerate() {
                for desk in desks {
                    let (chance, stop) = (streams.next().expect("one for each desk"), &stop);
                    working.push((nth, scope.spawn(move || desk.work(client, chance, stop))));
                }
            }
            std::thread::sleep(time);
            let partner = clients[0].get("/status").json("status")["partners"][0].clone();
            for &nth in killed {
                towns[nth].kill();
            }
            stop.store(true, Ordering::Relaxed);
            for (nth, thread) in working {
                let ended = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                assert!(ended.is_ok() || killed.contains(&nth), "{} broke off and was not killed", towns[nth].name);
            }
            partner["connected"] == json!(true)
        })
    }

    /// Both hold the same, and that is what was acknowledged; whoever said so still has it after another kill.
    fn compare(&mut self) {
        self.wait_until_identical();
        for (town, desks) in self.towns.iter().zip(&mut self.desks) {
            let client = Client::of(town);
            desks.iter_mut().for_each(|desk| desk.look(&client, true));
            town.check_store();
        }
        self.assert_everywhere();
        // What a reader says it has is on its disk: the owner is down when it is asked again.
        self.towns.iter_mut().for_each(Town::kill);
        for nth in [0, 1] {
            self.towns[nth].check_store();
            self.towns[nth].start();
            let client = Client::of(&self.towns[nth]);
            assert_eq!(
                exported(&client, &self.organisations[1 - nth]),
                self.expected(1 - nth),
                "kept without its owner"
            );
            if nth == 0 {
                self.towns[nth].kill();
            }
        }
        self.towns[0].start();
        self.figures.kills += 3;
        self.figures.comparisons += 1;
    }

    fn wait_until_identical(&self) {
        for (here, there) in [(0, 1), (1, 0)] {
            let name = self.towns[there].name.replace(' ', "%20");
            let client = Client::of(&self.towns[here]);
            let mut last = String::new();
            eventually(&format!("{} finds {} identical", self.towns[here].name, self.towns[there].name), || {
                // Not connected yet is an error, and no answer.
                last = client.get(&format!("/compare/{name}")).text;
                serde_json::from_str::<Value>(&last).is_ok_and(|comparison| comparison["identical"] == json!(true))
            });
        }
    }

    fn assert_everywhere(&self) {
        for (nth, organisation) in self.organisations.iter().enumerate() {
            for town in &self.towns {
                let found = exported(&Client::of(town), organisation);
                assert_eq!(found, self.expected(nth), "{} of {}", self.towns[nth].name, town.name);
            }
        }
    }

    fn expected(&self, nth: usize) -> BTreeMap<String, u64> {
        self.desks[nth].iter().flat_map(Desk::published).collect()
    }

    /// Stops both as an administrator would, and starts them again.
    fn end(&mut self) {
        for town in &mut self.towns {
            town.stop();
            town.check_store();
            town.start();
        }
        self.wait_until_identical();
        self.assert_everywhere();
        assert!(self.figures.acknowledged > 0 && self.figures.kills > 0, "{}", self.figures);
        let set_aside = self.towns.iter().flat_map(Town::broken).collect::<Vec<_>>();
        assert!(set_aside.is_empty(), "moved aside: {set_aside:?}");
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
