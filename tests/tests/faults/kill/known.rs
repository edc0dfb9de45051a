//! What the test knows of each entry: what was acknowledged, and what was under way when the daemon died.

use serde_json::{Value, json};

/// A value that is surely there, or one that was being written.
#[derive(Clone, Debug, Default)]
pub struct Versions {
    /// The last that was acknowledged; nothing at first.
    pub sure: Option<u64>,
    /// What may have come instead.
    pub maybe: Option<Option<u64>>,
}

impl Versions {
    /// The daemon said so.
    pub fn acknowledge(&mut self, value: Option<u64>) {
        *self = Self { sure: value, maybe: None };
    }

    /// Takes what was found after a restart.
    #[track_caller]
    pub fn settle(&mut self, found: Option<u64>, what: &str) {
        assert!(
            found == self.sure || self.maybe == Some(found),
            "{what}: found {found:?}, but {:?} was acknowledged and {:?} under way",
            self.sure,
            self.maybe
        );
        self.acknowledge(found);
    }
}

/// One entry, written by one thread at a time.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Its id; unknown until the first answer about it.
    pub id: Option<String>,
    /// Stamp of the working document.
    pub draft: Versions,
    /// Stamp of the published document.
    pub published: Versions,
    /// Written since it was looked at last.
    pub touched: bool,
}

/// Everything of an entry that is written at once: three fields with the same stamp.
pub fn content(stamp: u64, key: &str) -> Value {
    json!({
        "title": {"de": format!("{key}: Stand {stamp}")},
        "texts": {"summary": {"de": format!("Stand {stamp}")},
                  "description": {"de": format!("Erster Absatz.\n\nStand {stamp}\n\nLetzter Absatz.")}},
        "fees": [{"kind": "fixed", "amount": stamp, "currency": "EUR"}],
    })
}

/// The whole entry as it is created or imported.
pub fn service(key: &str, stamp: u64, ars: &str) -> Value {
    let mut entry = content(stamp, key);
    entry["kind"] = json!("service");
    entry["identifier"] = json!({"agency": "T1", "scheme": "LB", "value": key});
    entry["valid_for"] = json!([ars]);
    entry
}

/// The stamp an entry has; all its fields must have the same.
#[track_caller]
pub fn stamp(entry: &Value) -> u64 {
    let number = |text: &Value| -> u64 {
        let text = text.as_str().unwrap_or_default();
        let digits = text.split_once("Stand ").map_or("", |(_, rest)| rest);
        digits.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
    };
    let amount = entry["fees"][0]["amount"].as_u64().unwrap_or(0);
    for text in [&entry["title"]["de"], &entry["texts"]["summary"]["de"], &entry["texts"]["description"]["de"]] {
        assert_eq!(number(text), amount, "half an entry: {entry}");
    }
    assert!(amount > 0, "no stamp: {entry}");
    amount
}

/// The key of an entry.
pub fn key(entry: &Value) -> String {
    entry["identifier"]["value"].as_str().unwrap_or_else(|| panic!("no identifier: {entry}")).to_owned()
}

#[test]
fn only_what_was_acknowledged_or_under_way_may_be_found() {
    let mut versions = Versions { sure: Some(1), maybe: Some(Some(2)) };
    versions.settle(Some(2), "an edit under way that was done");
    assert_eq!((versions.sure, &versions.maybe), (Some(2), &None));
    let mut lost = Versions { sure: Some(2), maybe: Some(Some(3)) };
    assert!(std::panic::catch_unwind(move || lost.settle(Some(1), "the one before")).is_err());
    let mut gone = Versions { sure: Some(2), maybe: None };
    assert!(std::panic::catch_unwind(move || gone.settle(None, "nothing")).is_err());
    assert_eq!(stamp(&service("k", 7, "053820060060")), 7);
    let mut half = service("k", 7, "053820060060");
    half["fees"][0]["amount"] = json!(8);
    assert!(std::panic::catch_unwind(move || stamp(&half)).is_err());
}
