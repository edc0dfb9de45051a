//! The towns, what they do, what happens to them, and what must hold at the end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ortsnetz_tests::{Bytes, Town, eventually_within};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::ledger::{Counts, End, Entry, Says, ask, fields};
use crate::lines::Lines;
use crate::memory::Memory;

/// Names and places. The last one is the second node of the first.
const TOWNS: [(&str, &str); 4] = [
    ("Stadt Siegburg", "053820060060"),
    ("Stadt Bonn", "053140000000"),
    ("Stadt Köln", "053150000000"),
    ("Stadt Troisdorf", "053820068068"),
];
const SIEGBURG: usize = 0;
/// Is never ended: its memory is watched over the whole time.
const BONN: usize = 1;
/// Has a small disk.
const KOELN: usize = 2;
/// Comes back from backups.
const TROISDORF: usize = 3;
const ANNEX: usize = 4;
const PARTNERS: [(usize, usize); 4] = [(0, 1), (1, 2), (2, 3), (0, 3)];
/// Collections for one partner: whose, what it is called, for whom, and the word in everything there.
const PRIVATE: [(usize, &str, usize, &str); 2] =
    [(SIEGBURG, "vertraulich", BONN, "qvxvertraulich"), (KOELN, "nur-troisdorf", TROISDORF, "qvxnurtroisdorf")];
/// In drafts that are never published, in Siegburg.
const DRAFT_WORD: &str = "qvxnurentwurf";
/// Entries of a town, so that memory has a reason to stay.
const ENTRIES_MAX: usize = 300;
const DISK: &str = "size=1g";
/// Less than the store wants to have free.
const LITTLE: u64 = 40 << 20;
const PASS: &str = "vier Wörter sind genug";
/// How long it may take until everything is mended.
const MENDED_WITHIN: Duration = Duration::from_secs(600);

pub struct World {
    towns: Vec<Town>,
    entries: Vec<Entry>,
    lines: Lines,
    rng: ChaCha8Rng,
    counts: Counts,
    faults: Counts,
    memory: Memory,
    /// What ends when: a daemon frozen or down, lines, a full disk.
    until: Vec<(Instant, Mends)>,
    disk: Option<PathBuf>,
    backup: Option<PathBuf>,
    redacted_at: Option<Instant>,
    number: u64,
    dir: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mends {
    Start(usize),
    Thaw(usize),
    Lines,
    Disk,
}

impl World {
    pub fn new(dir: &Path, seed: u64) -> Self {
        let lines = Lines::default();
        let small = dir.join("klein");
        fs::create_dir(&small).expect("a directory");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(&small).status();
        let disk = mounted.is_ok_and(|status| status.success()).then(|| small.clone());
        if disk.is_none() {
            println!("SKIPPED the disk that is nearly full: mounting one needs root");
        }
        let mut towns: Vec<Town> = Vec::new();
        for (number, (name, ars)) in TOWNS.into_iter().enumerate() {
            let parent = if number == KOELN { &small } else { dir };
            towns.push(Town::new(parent, name, ars));
        }
        // Before anybody is led: who joins is no daemon yet.
        towns.push(towns[SIEGBURG].further_node(dir, "siegburg-bauhof"));
        for (number, town) in towns.iter_mut().enumerate() {
            town.told_at(lines.lead_to(number, town.port()));
            town.stop();
            town.start();
        }
        for (number, town) in towns.iter().enumerate() {
            lines.runs(number, town.pid());
        }
        for (a, b) in PARTNERS {
            towns[a].befriend(&towns[b]);
        }
        for (owner, name, reader, _) in PRIVATE {
            let body = json!({ "name": name, "readers": [towns[reader].name] });
            let made = towns[owner].http("POST", "/api/v1/collections", Some(&body));
            assert_eq!(made.status, 201, "{}", made.text);
        }
        let draft = json!({ "kind": "service", "title": { "de": DRAFT_WORD } });
        assert_eq!(towns[SIEGBURG].http("POST", "/api/v1/entries", Some(&draft)).status, 201);
        Self {
            towns,
            entries: Vec::new(),
            lines,
            rng: ChaCha8Rng::seed_from_u64(seed),
            counts: Counts::default(),
            faults: Counts::default(),
            memory: Memory::default(),
            until: Vec::new(),
            disk,
            backup: None,
            redacted_at: None,
            number: 0,
            dir: dir.to_owned(),
        }
    }

    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    pub fn faults(&self) -> u64 {
        ["kill -9", "restart", "frozen", "cut", "stalled", "disk full", "restored"]
            .iter()
            .map(|what| self.faults.of(what, "times"))
            .sum()
    }

    pub fn step(&mut self) {
        self.memory.look(&self.towns);
        let due: Vec<Mends> =
            self.until.extract_if(.., |(at, _)| *at <= Instant::now()).map(|(_, mends)| mends).collect();
        due.into_iter().for_each(|mends| self.mend(mends));
        match self.rng.random_range(0..100) {
            0..=1 => self.fault(),
            2..=24 => self.create(),
            25..=69 => self.edit(),
            70..=76 => self.withdraw(),
            77..=83 => self.relocate(),
            84..=85 => self.redact(),
            86..=87 => self.import(),
            88..=89 => self.draft(),
            90 => self.back_up(),
            _ => self.search(),
        }
    }

    /// A number in no title before.
    fn next(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    fn answers(&self, town: usize) -> bool {
        self.towns[town].runs() && !self.until.iter().any(|(_, mends)| *mends == Mends::Thaw(town))
    }

    /// A daemon that answers.
    fn any(&mut self) -> Option<usize> {
        let town = self.rng.random_range(0..self.towns.len());
        self.answers(town).then_some(town)
    }

    fn any_entry(&mut self, which: impl Fn(&Entry) -> bool) -> Option<usize> {
        let fits: Vec<usize> = (0..self.entries.len()).filter(|at| which(&self.entries[*at])).collect();
        let at = *fits.get(self.rng.random_range(0..fits.len().max(1)))?;
        self.answers(self.entries[at].editor).then_some(at)
    }

    /// The word in everything of a collection.
    fn word(owner: usize, collection: &str) -> &'static str {
        let private = PRIVATE.iter().find(|(whose, name, ..)| *whose == owner && *name == collection);
        private.map_or("qvxoeffentlich", |(.., word)| word)
    }

    fn create(&mut self) {
        let Some(editor) = self.any() else { return };
        let owner = if editor == ANNEX { SIEGBURG } else { editor };
        if self.entries.iter().filter(|entry| entry.owner == owner).count() >= ENTRIES_MAX {
            return self.edit();
        }
        let private = PRIVATE.iter().find(|(whose, ..)| *whose == owner && editor != ANNEX);
        let collection = private.filter(|_| self.rng.random_bool(0.4)).map_or("public", |(_, name, ..)| name);
        let number = self.next();
        let title = format!("{} Leistung {number}", Self::word(owner, collection));
        let mut body = fields(&title, None);
        body["kind"] = json!("service");
        body["collection"] = json!(collection);
        let made = ask(&self.towns[editor], &mut self.counts, "create", ("POST", "/entries", Some(body)));
        // What nobody was told of is nobody's.
        let End::Done(made) = made else { return };
        let id = made["id"].as_str().expect("an id").to_owned();
        let entry = Entry {
            id,
            owner,
            editor,
            collection: collection.to_owned(),
            sure: None,
            maybe: Vec::new(),
            redacted: Vec::new(),
            secret: None,
        };
        self.entries.push(entry);
        self.publish(self.entries.len() - 1, title);
    }

    /// Publishes what was written with this title.
    fn publish(&mut self, at: usize, title: String) {
        let entry = &mut self.entries[at];
        let path = format!("/entries/{}/publish", entry.id);
        let what = if entry.editor == ANNEX { "request" } else { "publish" };
        let end = ask(&self.towns[entry.editor], &mut self.counts, what, ("POST", &path, None));
        entry.ended(&end, Says::Title(title));
    }

    fn rewrite(&mut self, at: usize, word: &str, secret: Option<String>) {
        let number = self.next();
        let title = format!("{word} Fassung {number}");
        let entry = &self.entries[at];
        let path = format!("/entries/{}", entry.id);
        let body = fields(&title, secret.as_deref());
        let written = ask(&self.towns[entry.editor], &mut self.counts, "edit", ("PATCH", &path, Some(body)));
        match written {
            End::Done(_) => {
                self.entries[at].secret = secret;
                self.publish(at, title);
            }
            // If it was written, whatever publishes next publishes it.
            End::Unknown => self.entries[at].maybe.push(Says::Title(title)),
            End::Refused => {}
        }
    }

    fn edit(&mut self) {
        let Some(at) = self.any_entry(|entry| !entry.collection.is_empty()) else { return };
        let word = Self::word(self.entries[at].owner, &self.entries[at].collection);
        self.rewrite(at, word, None);
    }

    fn withdraw(&mut self) {
        let Some(at) = self.any_entry(|entry| entry.editor == entry.owner && entry.sure.is_some()) else { return };
        let path = format!("/entries/{}/withdraw", self.entries[at].id);
        let owner = self.entries[at].owner;
        let end = ask(&self.towns[owner], &mut self.counts, "withdraw", ("POST", &path, None));
        self.entries[at].ended(&end, Says::Withdrawn);
    }

    /// Into the collection for one partner: moved first, then it says what others may not read. Out of it: the other way round.
    fn relocate(&mut self) {
        let published = |entry: &Entry| matches!(entry.sure, Some(Says::Title(_))) && entry.maybe.is_empty();
        let private = |entry: &Entry| PRIVATE.iter().any(|(whose, ..)| *whose == entry.owner);
        let at = self.any_entry(|entry| {
            published(entry) && private(entry) && entry.editor == entry.owner && !entry.collection.is_empty()
        });
        let Some(at) = at else { return };
        let owner = self.entries[at].owner;
        let Some((_, name, _, word)) = PRIVATE.into_iter().find(|(whose, ..)| *whose == owner) else { return };
        let inward = self.entries[at].collection == "public";
        if !inward {
            self.rewrite(at, Self::word(owner, "public"), None);
            if !published(&self.entries[at]) {
                return;
            }
        }
        let target = if inward { name } else { "public" };
        let path = format!("/entries/{}/move", self.entries[at].id);
        let body = json!({ "collection": target });
        match ask(&self.towns[owner], &mut self.counts, "move", ("POST", &path, Some(body))) {
            End::Done(_) if inward => {
                self.entries[at].collection = name.to_owned();
                self.rewrite(at, word, None);
            }
            End::Done(_) => self.entries[at].collection = "public".into(),
            End::Refused => {}
            // Nobody knows where it is: it is left alone, and may be anywhere.
            End::Unknown => self.entries[at].collection.clear(),
        }
    }

    /// An entry says what it should not have said, and that is voided for ever.
    fn redact(&mut self) {
        if self.redacted_at.is_some_and(|at| at.elapsed() < Duration::from_secs(15)) {
            return;
        }
        let at = self.any_entry(|entry| {
            entry.editor == entry.owner && matches!(entry.sure, Some(Says::Title(_))) && entry.collection == "public"
        });
        let Some(at) = at else { return };
        self.redacted_at = Some(Instant::now());
        let secret = format!("qvxgetilgt{}x", self.next());
        let word = Self::word(self.entries[at].owner, "public");
        self.rewrite(at, word, Some(secret.clone()));
        self.rewrite(at, word, None);
        if !self.entries[at].maybe.is_empty() || self.entries[at].secret.is_some() {
            return;
        }
        let (owner, path) = (self.entries[at].owner, format!("/entries/{}/redact", self.entries[at].id));
        let end = ask(&self.towns[owner], &mut self.counts, "redact", ("POST", &path, Some(json!({}))));
        if let End::Done(_) = end {
            self.entries[at].redacted.push(secret);
        }
    }

    fn import(&mut self) {
        let Some(town) = self.any().filter(|town| *town != ANNEX) else { return };
        let file = self.dir.join("import.jsonl");
        let lines: Vec<String> = (0..20)
            .map(|line| {
                let title = format!("qvxoeffentlich Einfuhr {} {line}", self.next());
                let identifier = json!({ "agency": "soak", "scheme": "LB", "value": format!("{town}-{line}") });
                json!({ "kind": "service", "identifier": identifier, "title": { "de": title } }).to_string()
            })
            .collect();
        fs::write(&file, lines.join("\n")).expect("written");
        let done = self.towns[town].cli(&["import", file.to_str().expect("UTF-8"), "--publish"]);
        // The same entries each time: only that it went well is counted, and that everybody holds the same.
        self.counts.note("import", if done.code == 0 { "acknowledged" } else { "refused" });
    }

    /// Typed and not published: nobody else ever gets it.
    fn draft(&mut self) {
        if !self.answers(SIEGBURG) {
            return;
        }
        let number = self.next();
        let body = json!({ "kind": "service", "title": { "de": format!("{DRAFT_WORD} {number}") } });
        if number.is_multiple_of(10) {
            ask(&self.towns[SIEGBURG], &mut self.counts, "draft", ("POST", "/entries", Some(body)));
        }
    }

    fn search(&mut self) {
        let Some(town) = self.any() else { return };
        let path = "/search?q=Fassung&limit=5";
        ask(&self.towns[town], &mut self.counts, "search", ("GET", path, None));
    }

    /// Whether everybody has what a town published, and nothing is on its way to it.
    fn is_in_sync(&self, town: usize) -> bool {
        let rows = self.towns[town].status()["partners"].as_array().cloned().unwrap_or_default();
        !rows.is_empty() && rows.iter().all(|row| row["in_sync"] == true && row["connected"] == true)
    }

    /// Troisdorf makes a backup, or loses its disk and comes back from the last one: what was published since comes from its
    /// partners.
    fn back_up(&mut self) {
        if !self.answers(TROISDORF) || self.until.iter().any(|(_, mends)| *mends == Mends::Lines) {
            return;
        }
        match self.backup.take() {
            None => {
                let number = self.next();
                let file = self.dir.join(format!("sicherung-{number}.age"));
                let made = self.towns[TROISDORF].cli(&["backup", file.to_str().expect("UTF-8"), "--passphrase", PASS]);
                self.faults.note("backup", "times");
                assert_eq!(made.code, 0, "no backup: {}", made.stderr);
                self.backup = Some(file);
            }
            Some(file) if self.is_in_sync(TROISDORF) => {
                let town = &mut self.towns[TROISDORF];
                town.kill();
                fs::remove_dir_all(&town.dir).expect("the disk is lost");
                let restored = town.cli(&["restore", file.to_str().expect("UTF-8"), "--passphrase", PASS]);
                assert_eq!(restored.code, 0, "not restored: {}", restored.stderr);
                let _ = fs::remove_file(&file);
                self.start(TROISDORF);
                self.faults.note("restored", "times");
            }
            file => self.backup = file,
        }
    }

    fn start(&mut self, town: usize) {
        self.towns[town].start();
        self.lines.runs(town, self.towns[town].pid());
    }

    fn fault(&mut self) {
        let time = Duration::from_millis(self.rng.random_range(500..20_000));
        let ends = Instant::now() + time;
        let Some(town) = self.any() else { return };
        match self.rng.random_range(0..7) {
            0 | 1 if town != BONN => {
                self.towns[town].kill();
                self.faults.note("kill -9", "times");
                self.until.push((ends, Mends::Start(town)));
            }
            2 if town != BONN => {
                self.towns[town].stop();
                self.faults.note("restart", "times");
                self.until.push((ends, Mends::Start(town)));
            }
            3 => {
                self.towns[town].signal("STOP");
                self.faults.note("frozen", "times");
                self.until.push((ends, Mends::Thaw(town)));
            }
            4 | 5 => {
                for (a, b) in PARTNERS.into_iter().chain([(SIEGBURG, ANNEX)]) {
                    if self.rng.random_bool(0.5) {
                        let stalls = self.rng.random_bool(0.3);
                        if stalls {
                            self.lines.stall(a, b)
                        } else {
                            self.lines.cut(a, b)
                        }
                        self.faults.note(if stalls { "stalled" } else { "cut" }, "times");
                    }
                }
                self.until.push((ends, Mends::Lines));
            }
            6 => {
                let Some(disk) = self.disk.clone() else { return };
                if let Some(free) = free(&disk).filter(|free| *free > LITTLE) {
                    fs::write(disk.join("ballast"), vec![1; (free - LITTLE) as usize]).expect("it fits");
                    self.faults.note("disk full", "times");
                    self.until.push((ends, Mends::Disk));
                }
            }
            _ => {}
        }
    }

    fn mend(&mut self, mends: Mends) {
        match mends {
            Mends::Start(town) => self.start(town),
            Mends::Thaw(town) => self.towns[town].signal("CONT"),
            Mends::Lines => self.lines.mend(),
            Mends::Disk => {
                let _ = fs::remove_file(self.disk.as_ref().map(|disk| disk.join("ballast")).unwrap_or_default());
            }
        }
    }

    /// Everything is mended, and looked at.
    pub fn end(mut self, duration: Duration) {
        let due: Vec<Mends> = std::mem::take(&mut self.until).into_iter().map(|(_, mends)| mends).collect();
        due.into_iter().for_each(|mends| self.mend(mends));
        let grown = self.memory.judge(&self.towns);
        println!("requests in {} s", duration.as_secs());
        self.counts.print();
        println!("faults");
        self.faults.print();
        eventually_within(MENDED_WITHIN, "everybody is in sync", || {
            (0..self.towns.len()).all(|town| self.is_in_sync(town))
        });
        self.check_entries();
        for (a, b) in PARTNERS {
            let compared = self.towns[a].ok(&["compare", &self.towns[b].name]);
            assert_eq!(compared["identical"], json!(true), "{compared}");
        }
        self.check_redactions();
        for town in &self.towns {
            town.check_store();
        }
        for town in &mut self.towns {
            town.stop();
        }
        self.check_bytes();
        for what in ["publish", "request", "withdraw", "move", "redact", "import"] {
            assert!(self.counts.of(what, "acknowledged") > 0, "no {what} was acknowledged: this soak says nothing");
        }
        assert!(grown.is_empty(), "{grown:?}");
    }

    /// Each entry says at its owner, and everywhere it may be read, what was acknowledged; nobody else knows it.
    fn check_entries(&self) {
        let mut unsure = 0;
        for entry in self.entries.iter().filter(|entry| entry.sure.is_some()) {
            unsure += u64::from(!entry.maybe.is_empty());
            let owner = &self.towns[entry.owner];
            eventually_within(
                MENDED_WITHIN,
                &format!("{} says {entry:?}: {}", owner.name, owner.shown(&entry.id)),
                || entry.may_say(&owner.shown(&entry.id)),
            );
            let says = owner.shown(&entry.id);
            let private = PRIVATE.iter().find(|(whose, name, ..)| *whose == entry.owner && *name == entry.collection);
            for (number, town) in self.towns.iter().enumerate().filter(|(number, _)| *number != entry.owner) {
                let own = number == ANNEX && entry.owner == SIEGBURG;
                let reads = own || private.is_none_or(|(_, _, reader, _)| *reader == number);
                let same = |shown: &Value| {
                    shown["entry"]["title"] == says["entry"]["title"] && shown["meta"]["state"] == says["meta"]["state"]
                };
                if !entry.collection.is_empty() && reads {
                    eventually_within(
                        MENDED_WITHIN,
                        &format!("{} reads {entry:?}: {}", town.name, town.shown(&entry.id)),
                        || same(&town.shown(&entry.id)),
                    );
                }
            }
        }
        println!(
            "{} entries as acknowledged, {unsure} of them after a request that nobody knows the end of",
            self.entries.len()
        );
    }

    /// What was redacted is purged everywhere.
    fn check_redactions(&self) {
        for entry in self.entries.iter().filter(|entry| !entry.redacted.is_empty()) {
            let path = format!("/entries/{}/redaction", entry.id);
            eventually_within(MENDED_WITHIN, "what was redacted is purged", || {
                let report = self.towns[entry.owner].get(&path);
                report["waiting"].as_array().is_some_and(Vec::is_empty)
            });
        }
    }

    /// What was for somebody lies nowhere else, and what was redacted nowhere at all.
    fn check_bytes(&self) {
        for (number, town) in self.towns.iter().enumerate() {
            let bytes = Bytes::of(&town.dir);
            for (owner, _, reader, word) in PRIVATE {
                let own = owner == number || owner == SIEGBURG && number == ANNEX;
                if own || reader == number { bytes.must_hold(word) } else { bytes.must_lack(word) }
            }
            if number == SIEGBURG || number == ANNEX {
                bytes.must_hold(DRAFT_WORD)
            } else {
                bytes.must_lack(DRAFT_WORD)
            }
            for secret in self.entries.iter().flat_map(|entry| &entry.redacted) {
                bytes.must_lack(secret);
            }
        }
        let redacted: usize = self.entries.iter().map(|entry| entry.redacted.len()).sum();
        println!("no byte lies where it was not for; {redacted} redactions left nothing");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Also when something failed: a mounted disk would stay for ever.
        if let Some(disk) = &self.disk {
            let _ = Command::new("umount").arg("-l").arg(disk).status();
        }
    }
}

fn free(disk: &Path) -> Option<u64> {
    let df = Command::new("df").args(["--output=avail", "-B1"]).arg(disk).output().ok()?;
    String::from_utf8_lossy(&df.stdout).lines().nth(1)?.trim().parse().ok()
}
