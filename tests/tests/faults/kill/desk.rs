//! A desk where somebody works: one thread that writes until its daemon is gone, and knows what it was told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::chance::Chance;
use super::client::{Answer, Client, Gone};
use super::known::{self, Known};

/// Entries one editor keeps; then there are only edits.
const EDITED_MAX: usize = 24;
/// Records of the importer's file.
const RECORDS: u64 = 30;
/// Records of its large file, which keeps a daemon busy for a while.
const RECORDS_LARGE: u64 = 150;

/// What somebody does all day.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Creates, edits, publishes and withdraws entries one by one.
    Edit,
    /// Imports files and publishes what is in them.
    Import,
}

/// One desk.
pub struct Desk {
    name: String,
    ars: String,
    work: Work,
    stamp: u64,
    /// By key.
    pub entries: BTreeMap<String, Known>,
    /// Writes the daemon said are done.
    pub acknowledged: u64,
    /// Files among them.
    pub imports: u64,
}

impl Desk {
    /// A desk without anything on it.
    pub fn new(name: &str, ars: &str, work: Work) -> Self {
        let (name, ars) = (name.to_owned(), ars.to_owned());
        Self { name, ars, work, stamp: 0, entries: BTreeMap::new(), acknowledged: 0, imports: 0 }
    }

    /// Works until told to stop. Returns early when the daemon is gone.
    ///
    /// # Panics
    /// If the daemon answers that it cannot.
    pub fn work(&mut self, client: &Client, chance: &mut Chance, stop: &AtomicBool) -> Result<(), Gone> {
        while !stop.load(Ordering::Relaxed) {
            match self.work {
                Work::Edit => self.edit(client, chance)?,
                Work::Import => self.import(client, chance)?,
            }
        }
        Ok(())
    }

    fn edit(&mut self, client: &Client, chance: &mut Chance) -> Result<(), Gone> {
        if self.entries.is_empty() || self.entries.len() < EDITED_MAX && chance.percent(20) {
            return self.create(client);
        }
        let nth = chance.below(self.entries.len() as u64) as usize;
        let (key, known) = self.entries.iter().nth(nth).expect("below their number");
        let (key, id) = (key.clone(), known.id.clone().expect("settled entries have ids"));
        match chance.below(100) {
            0..45 => self.change(client, &key, &id),
            45..95 => self.publish(client, &key, &id),
            _ if known.published.sure.is_some() => self.withdraw(client, &key, &id),
            _ => self.change(client, &key, &id),
        }
    }

    fn create(&mut self, client: &Client) -> Result<(), Gone> {
        let stamp = self.next_stamp();
        let key = format!("{}-{stamp}", self.name);
        let known = self.entries.entry(key.clone()).or_default();
        known.touched = true;
        known.draft.maybe = Some(Some(stamp));
        let answer = client.send_json("POST", "/entries", &known::service(&key, stamp, &self.ars))?;
        known.id = answer.json("create")["id"].as_str().map(str::to_owned);
        known.draft.acknowledge(Some(stamp));
        self.acknowledged += 1;
        Ok(())
    }

    fn change(&mut self, client: &Client, key: &str, id: &str) -> Result<(), Gone> {
        let stamp = self.next_stamp();
        let known = self.entries.get_mut(key).expect("on this desk");
        known.touched = true;
        known.draft.maybe = Some(Some(stamp));
        client.send_json("PATCH", &format!("/entries/{id}"), &known::content(stamp, key))?.json("edit");
        known.draft.acknowledge(Some(stamp));
        self.acknowledged += 1;
        Ok(())
    }

    fn publish(&mut self, client: &Client, key: &str, id: &str) -> Result<(), Gone> {
        let known = self.entries.get_mut(key).expect("on this desk");
        known.touched = true;
        known.published.maybe = Some(known.draft.sure);
        let answer = client.send_json("POST", &format!("/entries/{id}/publish"), &json!({}))?;
        let published = answer.json("publish");
        assert_eq!(published["published"][0]["id"], *id, "{published}");
        known.published.acknowledge(known.draft.sure);
        self.acknowledged += 1;
        Ok(())
    }

    fn withdraw(&mut self, client: &Client, key: &str, id: &str) -> Result<(), Gone> {
        let known = self.entries.get_mut(key).expect("on this desk");
        known.touched = true;
        known.published.maybe = Some(None);
        let answer = client.send_json("POST", &format!("/entries/{id}/withdraw"), &json!({}))?;
        let withdrawn = answer.json("withdraw");
        assert_eq!(withdrawn["published"][0]["id"], *id, "{withdrawn}");
        known.published.acknowledge(None);
        self.acknowledged += 1;
        Ok(())
    }

    /// Some records of the file, all with a new stamp.
    fn import(&mut self, client: &Client, chance: &mut Chance) -> Result<(), Gone> {
        let stamp = self.next_stamp();
        let of = if chance.percent(5) { RECORDS_LARGE } else { RECORDS };
        let share = 10 + chance.below(91);
        let keys: Vec<String> =
            (0..of).filter(|_| chance.percent(share)).map(|number| format!("{}-{number:03}", self.name)).collect();
        let mut file = String::new();
        for key in &keys {
            let known = self.entries.entry(key.clone()).or_default();
            known.touched = true;
            known.draft.maybe = Some(Some(stamp));
            known.published.maybe = Some(Some(stamp));
            file.push_str(&known::service(key, stamp, &self.ars).to_string());
            file.push('\n');
        }
        if keys.is_empty() {
            return Ok(());
        }
        let path = "/imports?file=a.jsonl&format=jsonl&publish=true";
        let report = client.send("POST", path, "application/octet-stream", file.into_bytes())?.json("import");
        let taken = report["created"].as_u64().unwrap_or(0) + report["updated"].as_u64().unwrap_or(0);
        assert_eq!((taken, &report["published"]), (keys.len() as u64, &json!(keys.len())), "{report}");
        for key in &keys {
            let known = self.entries.get_mut(key).expect("just noted");
            known.draft.acknowledge(Some(stamp));
            known.published.acknowledge(Some(stamp));
        }
        self.acknowledged += 2 * keys.len() as u64;
        self.imports += 1;
        Ok(())
    }

    fn next_stamp(&mut self) -> u64 {
        self.stamp += 1;
        self.stamp
    }

    /// Looks at what was written since the last look, or at everything: acknowledged writes are there with their values,
    /// and what was under way happened whole or not at all.
    pub fn look(&mut self, client: &Client, everything: bool) {
        if self.entries.values().any(|known| known.id.is_none()) {
            self.learn_ids(client);
        }
        for (key, known) in self.entries.iter_mut().filter(|(_, known)| everything || known.touched) {
            let id = known.id.as_deref().expect("learnt");
            let draft = client.get(&format!("/entries/{id}?draft=true")).json(key);
            known.draft.settle(Some(known::stamp(&draft["entry"])), &format!("draft of {key}"));
            let shown = client.get(&format!("/entries/{id}")).json(key);
            let published = (shown["meta"]["state"] == "published").then(|| known::stamp(&shown["entry"]));
            known.published.settle(published, &format!("published state of {key}"));
            known.touched = false;
        }
    }

    /// Finds what was created without an answer; forgets what was not.
    fn learn_ids(&mut self, client: &Client) {
        let ids = ids_by_key(client);
        for (key, known) in &mut self.entries {
            known.id = known.id.take().or_else(|| ids.get(key).cloned());
        }
        self.entries.retain(|key, known| {
            let there = known.id.is_some();
            assert!(there || known.draft.sure.is_none(), "{key} was acknowledged and is gone");
            there
        });
    }

    /// What readers must see.
    pub fn published(&self) -> impl Iterator<Item = (String, u64)> + '_ {
        self.entries.iter().filter_map(|(key, known)| Some((key.clone(), known.published.sure?)))
    }
}

/// Ids of all own entries.
fn ids_by_key(client: &Client) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    let mut after = String::new();
    loop {
        let page = client.get(&format!("/entries?limit=1000{after}")).json("entries");
        for row in page["entries"].as_array().expect("rows") {
            let (title, id) = (row["title"].as_str().unwrap_or_default(), row["id"].as_str().unwrap_or_default());
            let key = title.split_once(':').map_or(title, |(key, _)| key);
            ids.insert(key.to_owned(), id.to_owned());
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return ids,
        }
    }
}

/// The published entries of an organisation as a node gives them out: stamps by key.
pub fn exported(client: &Client, organisation: &str) -> BTreeMap<String, u64> {
    let answer: Answer = client.get(&format!("/exports?format=jsonl&organisation={organisation}"));
    assert_eq!(answer.status, 200, "{}", answer.text);
    let lines = answer.text.lines().map(|line| serde_json::from_str::<Value>(line).expect("one entry a line"));
    lines.map(|entry| (known::key(&entry), known::stamp(&entry))).collect()
}
