//! What was acknowledged: per entry what it must say at the end, or may say because nobody knows how a request ended.

use std::collections::BTreeMap;

use ortsnetz_tests::{Answer, Town};
use serde_json::{Value, json};

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// Published, with this title.
    Title(String),
    /// Not any more.
    Withdrawn,
}

/// An entry of a town.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: String,
    /// Whose: a number of a daemon, and who edits it: another own node, or the same.
    pub owner: usize,
    pub editor: usize,
    /// Where it stands. Unknown while a move has no known end.
    pub collection: String,
    /// The last that was acknowledged.
    pub sure: Option<Says>,
    /// What may have happened since.
    pub maybe: Vec<Says>,
    /// What was redacted in it, and must lie nowhere at the end.
    pub redacted: Vec<String>,
    /// What it says behind its title now, if anything.
    pub secret: Option<String>,
}

/// How requests ended, by what they were.
#[derive(Default)]
pub struct Counts(BTreeMap<(&'static str, String), u64>);

impl Counts {
    pub fn note(&mut self, what: &'static str, how: &str) {
        *self.0.entry((what, how.to_owned())).or_default() += 1;
    }

    pub fn of(&self, what: &str, how: &str) -> u64 {
        self.0.iter().filter(|((w, h), _)| *w == what && h == how).map(|(_, count)| count).sum()
    }

    pub fn print(&self) {
        let mut line = BTreeMap::<&str, Vec<String>>::new();
        for ((what, how), count) in &self.0 {
            line.entry(what).or_default().push(format!("{count} {how}"));
        }
        for (what, ends) in line {
            println!("  {what:<10} {}", ends.join(", "));
        }
    }
}

/// How a request ended.
pub enum End {
    Done(Value),
    /// Refused before anything was written.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// Asks, and notes how it ended.
pub fn ask(town: &Town, counts: &mut Counts, what: &'static str, request: (&str, &str, Option<Value>)) -> End {
    let (method, path, body) = request;
    match town.try_http(method, &format!("/api/v1{path}"), body.as_ref()) {
        Ok(Answer { status: 200..=299, json, .. }) if json["refused"].as_array().is_none_or(Vec::is_empty) => {
            counts.note(what, "acknowledged");
            End::Done(json)
        }
        Ok(Answer { status: 200..=299, .. }) => {
            counts.note(what, "refused");
            End::Refused
        }
        Ok(Answer { status, json, .. }) => {
            counts.note(what, format!("{status} {}", json["code"].as_str().unwrap_or_default()).trim());
            // A write that ran out of time or room may have reached the disk.
            if status >= 500 { End::Unknown } else { End::Refused }
        }
        Err(_) => {
            counts.note(what, "broken off");
            End::Unknown
        }
    }
}

impl Entry {
    /// Takes in how a change of what it says ended.
    pub fn ended(&mut self, end: &End, says: Says) {
        match end {
            End::Done(_) => {
                self.sure = Some(says);
                self.maybe.clear();
            }
            End::Refused => {}
            End::Unknown => self.maybe.push(says),
        }
    }

    /// Whether this is what it may say at the end.
    pub fn may_say(&self, shown: &Value) -> bool {
        let says = match shown["meta"]["state"].as_str() {
            Some("withdrawn") => Some(Says::Withdrawn),
            Some("published") => shown["entry"]["title"]["de"].as_str().map(|title| Says::Title(title.to_owned())),
            _ => None,
        };
        says == self.sure || says.is_some_and(|says| self.maybe.contains(&says))
    }
}

/// A title, with a text that holds what may be redacted later.
pub fn fields(title: &str, secret: Option<&str>) -> Value {
    let notes = secret.map(|secret| format!("Nur so lange, bis es jemand tilgt: {secret}"));
    json!({ "title": { "de": title }, "texts": { "notes": { "de": notes } } })
}
