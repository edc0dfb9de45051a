//! What the tests of searching share: real services, and an index in a temporary directory.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::PathBuf;

use ortsnetz_model::{Ars, CollectionId, Entry, EntryId, FeedId, OrgId};
use ortsnetz_search::{Change, Document, Hits, Index, OpenState, Query, Reader, Standing};
use serde_json::{Value, json};

/// Memory for indexing in tests.
pub const HEAP: usize = 20_000_000;

/// Where the real data lie.
pub fn data(path: &str) -> PathBuf {
    let base = std::env::var_os("ORTSNETZ_TEST_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from);
    let path = base.join(path);
    assert!(path.exists(), "{} is missing: set ORTSNETZ_TEST_DATA to the directory of the test data", path.display());
    path
}

/// The organisation with this number.
pub fn org(n: u8) -> OrgId {
    OrgId([n; 32])
}

/// The public collection of an organisation.
pub fn public(organisation: OrgId) -> CollectionId {
    CollectionId::named(&organisation, "public")
}

/// The services of München as entries.
pub fn munich() -> Vec<Entry> {
    let text = std::fs::read_to_string(data("muenchen/services_de.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    file["data"].as_array().unwrap().iter().map(munich_service).collect()
}

fn munich_service(service: &Value) -> Entry {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| -> Vec<String> {
        text(value).split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
    };
    let id = EntryId::imported(&org(1), "L100042", "LB", &text(&service["id"]));
    Entry::from_json(json!({
        "id": id.to_string(),
        "kind": "service",
        "identifier": {"agency": "L100042", "scheme": "LB", "value": text(&service["id"])},
        "title": {"de": text(&service["name"])},
        "keywords": {"de": list(&service["meta"]["keywords"])},
        "leika": list(&service["leika"]),
        "texts": {"description": {"de": without_tags(&text(&service["description"]))}},
        "valid_for": ["091620000000"],
    }))
    .unwrap()
}

fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text
}

/// A service with a title and nothing else but what `more` says.
pub fn service(title: &str, valid_for: &[&str], more: Value) -> Entry {
    let mut entry = json!({"kind": "service", "title": {"de": title}, "valid_for": valid_for});
    entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Entry::from_json(entry).unwrap()
}

/// An index in a directory that goes away with it.
pub struct World {
    pub dir: tempfile::TempDir,
    pub index: Index,
    pub reader: Reader,
    pub cursor: u64,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let opened = Index::open(dir.path(), [7; 16], 0, HEAP).unwrap();
        assert!(matches!(opened.state, OpenState::NeedsRebuild(_)));
        Self { reader: opened.index.reader(), index: opened.index, dir, cursor: 0 }
    }

    /// The services of München, of organisation 1.
    pub fn munich() -> Self {
        let mut world = Self::new();
        let entries = munich();
        let changes: Vec<Change<'_>> = entries.iter().map(|entry| upsert(org(1), entry.id().unwrap(), entry)).collect();
        world.index.update(&changes).unwrap();
        world.commit();
        world
    }

    /// Entries of an organisation, their ids counted from 1.
    pub fn add(&mut self, organisation: OrgId, entries: &[Entry]) {
        let ids = (1..).map(|n: u64| EntryId::imported(&organisation, "test", "n", &n.to_string()));
        let changes: Vec<Change<'_>> =
            entries.iter().zip(ids).map(|(entry, id)| upsert(organisation, id, entry)).collect();
        self.index.update(&changes).unwrap();
        self.commit();
    }

    pub fn commit(&mut self) {
        self.cursor += 1;
        self.index.commit(self.cursor).unwrap();
    }

    /// Everybody is a confirmed partner.
    pub fn ask(&self, query: &Query) -> Hits {
        self.reader.search(query, &|_| Some(Standing::Partner)).unwrap()
    }

    pub fn ask_as(&self, query: &Query, standing: impl Fn(&FeedId) -> Option<Standing>) -> Hits {
        self.reader.search(query, &standing).unwrap()
    }

    pub fn titles(&self, words: &str) -> Vec<String> {
        titles(&self.ask(&Query::new(words)))
    }
}

pub fn upsert(organisation: OrgId, id: EntryId, entry: &Entry) -> Change<'_> {
    Change::Upsert(Document {
        organisation,
        collection: public(organisation),
        id,
        entry,
        notes: Vec::new(),
        office_names: Vec::new(),
        service: None,
        default_area: None,
        published_at: Some(1),
        received_at: None,
    })
}

pub fn titles(hits: &Hits) -> Vec<String> {
    hits.hits.iter().map(|hit| hit.title.clone()).collect()
}

pub fn ars(text: &str) -> Ars {
    text.parse().unwrap()
}
