use automerge::legacy::{Key, ObjectId, Op, OpId, OpType};
use automerge::{Change, ExpandedChange};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::*;
use crate::limits::{CHANGE_OPERATIONS_MAX, CHUNK_BYTES_MAX};

mod conflicts;
mod laws;
mod planned;

const AT: u64 = 1_780_000_000_000;

/// A document with its own chance.
struct Desk {
    document: Document,
    random: ChaCha8Rng,
}

impl Desk {
    fn new(number: u8) -> Self {
        Self { document: Document::new(&actor(number)), random: ChaCha8Rng::seed_from_u64(number.into()) }
    }

    /// Another desk with the same document.
    fn fork(&self, number: u8) -> Self {
        let mut fork = Self { document: self.document.clone(), ..Self::new(number) };
        fork.document.set_actor(&actor(number));
        fork
    }

    fn write(&mut self, target: &Entry) -> Option<Chunk> {
        self.document.update(target, AT, &mut Ids::Random(&mut self.random)).unwrap()
    }

    /// Edits one path and writes.
    fn edit(&mut self, path: &str, text: &str) -> Option<Chunk> {
        let mut entry = self.document.project();
        entry.set_path(path, text).unwrap();
        self.write(&entry)
    }

    fn take(&mut self, other: &Self) {
        let chunks = other.document.changes_since(&self.document.heads());
        self.document.apply(&chunks).unwrap();
    }

    fn entry(&self) -> Entry {
        self.document.project()
    }

    fn at(&self, path: &str) -> Value {
        self.entry().at_path(path).cloned().unwrap_or_default()
    }
}

fn actor(number: u8) -> Actor {
    Actor::from_bytes(&[number; 12])
}

fn entry(json: Value) -> Entry {
    Entry::from_json(json).unwrap()
}

fn service() -> Entry {
    entry(json!({
        "kind": "service", "identifier": {"agency": "L100042", "scheme": "LB", "value": "1063423"},
        "title": {"de": "Gewerbe-Anmeldung", "en": "Trade"}, "keywords": {"de": ["Gewerbeschein", "Größe"]},
        "leika": ["99050012104000"], "audience": ["business"],
        "texts": {"description": {"de": "Erster Absatz über Türöffnung.\n\nZweiter Absatz mit €.\n\nDritter Absatz 😀."},
            "required_documents": {"de": "- Ausweis\n- Paß\n- Geld"}},
        "fees": [{"kind": "fixed", "amount": 2600, "currency": "EUR", "note": {"de": "bar"}}, {"kind": "free"}],
        "processing_time": {"min_days": 1, "max_days": 5}, "valid_for": ["091620000000"],
        "review": {"next_review": "2027-06-08"}, "extensions": {"xzufi": {"a": [1, 2.5, null], "b": true, "ü/~": "x"}}
    }))
}

fn desk_with(target: &Entry) -> Desk {
    let mut desk = Desk::new(1);
    desk.write(target);
    desk
}

#[test]
fn a_document_holds_what_was_written() {
    let desk = desk_with(&service());
    assert_eq!(desk.entry(), service());
    let mut copy = Document::from_chunks(&desk.document.changes_since(&[])).unwrap();
    assert_eq!(copy.project(), service());
    assert_eq!(copy.heads(), desk.document.heads());
    copy.set_actor(&actor(2));
    let saved = Document::load_saved(&desk.document.save()).unwrap();
    assert_eq!(saved.project(), service());
    assert_eq!(saved.heads(), desk.document.heads());
}

#[test]
fn writing_the_same_again_writes_nothing() {
    let mut desk = desk_with(&service());
    assert_eq!(desk.write(&service()), None);
    let mut with_id = service();
    with_id.set_id(&EntryId([7; 16]));
    assert_eq!(desk.write(&with_id), None);
    assert_eq!(Desk::new(2).document.heads(), [Document::first_change()]);
}

#[test]
fn a_change_is_as_small_as_the_edit() {
    let mut desk = desk_with(&service());
    let chunk = desk.edit("fees.0.amount", "2800").unwrap();
    assert_eq!(chunk.info().unwrap().operations, 1);
    assert!(chunk.as_bytes().len() < 150, "{}", chunk.as_bytes().len());
    assert_eq!(chunk.hash().unwrap(), chunk.info().unwrap().hash);
    assert_eq!(chunk.info().unwrap().at, AT);
    let text = "Erster Absatz über Türöffnung.\n\nZweiter Absatz geändert mit €.\n\nDritter Absatz 😀.";
    assert_eq!(desk.edit("texts.description.de", text).unwrap().info().unwrap().operations, 1);
    let text = "Erster Absatz über Türöffnung.\n\nNeu.\n\nZweiter Absatz geändert mit €.\n\nDritter Absatz 😀.";
    assert_eq!(desk.edit("texts.description.de", text).unwrap().info().unwrap().operations, 2);
    assert_eq!(desk.edit("keywords.de", r#"["Größe", "Gewerbeschein"]"#).unwrap().info().unwrap().operations, 1);
    let reordered = r#"[{"kind":"free"},{"kind":"fixed","amount":2800,"currency":"EUR","note":{"de":"bar"}}]"#;
    assert_eq!(desk.edit("fees", reordered).unwrap().info().unwrap().operations, 1);
    assert_eq!(desk.at("fees.1.amount"), json!(2800));
}

#[test]
fn reordering_keeps_identity() {
    let mut anna = desk_with(&service());
    let mut bert = anna.fork(2);
    anna.edit("fees", r#"[{"kind":"free"},{"kind":"fixed","amount":2600,"currency":"EUR","note":{"de":"bar"}}]"#);
    bert.edit("fees.0.amount", "3000");
    anna.edit("texts.required_documents.de", "- Geld\n- Ausweis\n- Paß");
    bert.edit("texts.required_documents.de", "- Ausweis\n- Paß und Visum\n- Geld");
    anna.take(&bert);
    bert.take(&anna);
    assert_eq!(anna.entry(), bert.entry());
    assert_eq!(anna.at("fees.1.amount"), json!(3000));
    assert_eq!(anna.at("texts.required_documents.de"), json!("- Geld\n- Ausweis\n- Paß und Visum"));
    assert_eq!(anna.document.conflicts(), []);
}

#[test]
fn two_nodes_that_create_the_same_merge_cleanly() {
    let mut anna = desk_with(&entry(json!({"kind": "service", "title": {"de": "x"}})));
    let mut bert = anna.fork(2);
    for desk in [&mut anna, &mut bert] {
        desk.edit("title.en", "Trade");
        desk.edit("keywords.de", r#"["Schein"]"#);
        desk.edit("extensions.xzufi.code", "7");
    }
    anna.edit("fees.+", r#"{"amount": 1}"#);
    bert.edit("fees.+", r#"{"amount": 2}"#);
    bert.edit("keywords.de.+", "Gewerbe");
    anna.take(&bert);
    bert.take(&anna);
    assert_eq!(anna.entry(), bert.entry());
    assert_eq!(anna.document.conflicts(), []);
    assert_eq!(anna.at("keywords.de"), json!(["Schein", "Gewerbe"]));
    assert_eq!(anna.at("fees").as_array().unwrap().len(), 2);
}

#[test]
fn two_nodes_that_import_the_same_make_the_same() {
    let (mut anna, mut bert) = (Desk::new(1), Desk::new(2));
    let id = EntryId([9; 16]);
    for desk in [&mut anna, &mut bert] {
        desk.document.update(&service(), AT, &mut Ids::Imported(id)).unwrap();
    }
    anna.take(&bert);
    assert_eq!(anna.entry(), service());
    assert_eq!(anna.document.conflicts(), []);
    let mut other = Desk::new(3);
    other.document.update(&service(), AT, &mut Ids::Imported(EntryId([8; 16]))).unwrap();
    anna.take(&other);
    assert_eq!(anna.at("fees").as_array().unwrap().len(), 4);
}

#[test]
fn publishing_leaves_drafts_behind() {
    let mut desk = desk_with(&service());
    desk.edit("texts.notes.de", "Ein Entwurf, der niemanden angeht");
    desk.edit("texts.notes.de", "");
    desk.edit("fees.0.amount", "2800");
    let heads = desk.document.heads();
    desk.edit("title.de", "später getippt");
    let mut published = Document::new(&actor(9));
    let chunk = desk.document.publish_into(&heads, &mut published, AT).unwrap().unwrap();
    assert_eq!(published.project(), desk.document.project_at(&heads).unwrap());
    assert!(!chunk.as_bytes().windows(7).any(|window| window == b"Entwurf"));
    assert_eq!(desk.document.publish_into(&heads, &mut published, AT).unwrap(), None);
    let second = desk.document.publish_into(&desk.document.heads(), &mut published, AT).unwrap().unwrap();
    assert_eq!(second.info().unwrap().operations, 1);
    assert_eq!(published.project(), desk.entry());
    assert_eq!(published.changes_since(&[Document::first_change()]).len(), 2);
}

#[test]
fn publishing_writes_what_has_more_than_one_value() {
    let desk = desk_with(&service());
    let (mut one, mut two) = (Document::new(&actor(8)), Document::new(&actor(9)));
    let heads = desk.document.heads();
    desk.document.publish_into(&heads, &mut one, AT).unwrap();
    desk.document.publish_into(&heads, &mut two, AT).unwrap();
    one.apply(&two.changes_since(&[])).unwrap();
    assert_eq!(one.heads().len(), 2);
    assert!(desk.document.publish_into(&heads, &mut one, AT).unwrap().is_some());
    assert_eq!(one.heads().len(), 1);
    assert_eq!(one.project(), service());
    assert_eq!(desk.document.publish_into(&heads, &mut one, AT).unwrap(), None);
}

#[test]
fn versions_and_history() {
    let mut desk = Desk::new(1);
    assert_eq!(desk.document.history(), []);
    desk.write(&service());
    let first = desk.document.heads();
    desk.edit("fees.0.amount", "2800");
    desk.edit("texts.description.de", "Neu.");
    desk.edit("keywords.de.+", "Schein");
    let last = desk.document.heads();
    assert_eq!(desk.document.project_at(&first).unwrap(), service());
    assert!(desk.document.is_ancestor(&first, &last) && !desk.document.is_ancestor(&last, &first));
    assert!(desk.document.is_ancestor(&last, &last) && desk.document.contains(&first));
    let unknown = Hash([1; 32]);
    assert_eq!(desk.document.project_at(&[unknown]), Err(DocumentError::UnknownVersion(unknown)));
    let history = desk.document.history();
    let paths: Vec<_> = history.iter().skip(1).map(|item| item.paths.join(" ")).collect();
    assert_eq!(paths, ["fees.0.amount", "texts.description.de", "keywords.de"]);
    assert_eq!(history[3].heads, last);
    assert_eq!((history[0].actor.clone(), history[0].at), (actor(1), AT));
    assert_eq!(desk.document.changes_since(&first).len(), 3);
    assert_eq!(desk.document.changes_since(&[unknown]).len(), 4);
    assert_eq!(desk.document.changes_since(&last), []);
}

#[test]
fn what_a_newer_version_wrote_stays() {
    let mut desk = desk_with(&service());
    let new = vec![
        ("colour/de".to_owned(), Some(ScalarValue::Str("rot".into()))),
        ("valid_from".to_owned(), Some(ScalarValue::Int(3))),
    ];
    desk.document.write(new, AT).unwrap();
    assert_eq!(desk.entry(), service());
    desk.edit("title.de", "x");
    let properties = desk.document.properties();
    assert!(properties.contains_key("colour/de") && properties.contains_key("valid_from"));
    let mut published = Document::new(&actor(9));
    desk.document.publish_into(&desk.document.heads(), &mut published, AT).unwrap();
    assert!(published.properties().contains_key("colour/de"));
    let kiosk = entry(json!({"kind": "kiosk", "title": {"de": "x"}, "height": {"cm": 180}}));
    assert_eq!(desk_with(&kiosk).entry(), kiosk);
    assert_eq!(kiosk.to_json()["extensions"]["height"]["cm"], 180);
}

#[test]
fn damaged_bytes_are_an_error() {
    let desk = desk_with(&service());
    let chunk = desk.document.changes_since(&[]).remove(0);
    let mut bytes = chunk.as_bytes().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    assert_ne!(Chunk::from_bytes(bytes.clone()).hash(), chunk.hash());
    assert!(Document::from_chunks(&[Chunk::from_bytes(bytes)]).is_err());
    assert!(Document::from_chunks(&[Chunk::from_bytes(desk.document.save())]).is_err());
    assert!(Document::from_chunks(&[Chunk::from_bytes(Vec::new())]).is_err());
    assert!(Document::load_saved(b"sled").is_err());
    assert!(Document::load_saved(&Automerge::new().save()).is_err());
}

#[test]
fn a_gap_in_the_history_is_named() {
    let mut desk = desk_with(&service());
    desk.edit("fees.0.amount", "2800");
    let chunks = desk.document.changes_since(&[]);
    let mut other = Document::new(&actor(3));
    let missing = chunks[0].hash().unwrap();
    assert_eq!(other.apply(&chunks[1..]), Err(DocumentError::Incomplete(vec![missing])));
    assert_eq!(other.heads(), [Document::first_change()]);
    other.apply([&chunks[1], &chunks[0]]).unwrap();
    assert_eq!(other.project(), desk.entry());
}

#[test]
fn each_limit_of_a_change_at_and_over() {
    let mut desk = Desk::new(1);
    let writes = |n: usize| (0..n).map(|i| (format!("k{i:05}"), Some(ScalarValue::Int(1)))).collect::<Vec<_>>();
    let over = desk.document.write(writes(CHANGE_OPERATIONS_MAX + 1), AT).unwrap_err();
    assert_eq!(over.to_string(), "number of operations in a change is 50001, at most 50000 are allowed");
    assert!(desk.document.write(writes(CHANGE_OPERATIONS_MAX), AT).is_ok());

    let mut desk = Desk::new(1);
    let big = |bytes: usize| vec![("k".to_owned(), Some(ScalarValue::Bytes(vec![7; bytes])))];
    let overhead = desk.fork(1).document.write(big(CHUNK_BYTES_MAX / 2), AT).unwrap().unwrap().as_bytes().len()
        - CHUNK_BYTES_MAX / 2;
    let before = desk.document.heads();
    let over = desk.document.write(big(CHUNK_BYTES_MAX - overhead + 1), AT);
    assert!(matches!(over, Err(DocumentError::TooLarge { what: "size of a change in bytes", .. })));
    assert_eq!(desk.document.heads(), before);
    let at = desk.document.write(big(CHUNK_BYTES_MAX - overhead), AT).unwrap().unwrap();
    assert_eq!(at.as_bytes().len(), CHUNK_BYTES_MAX);
}

#[test]
fn each_limit_of_a_document_at_and_over() {
    let first = Desk::new(200);
    let branches: Vec<Chunk> =
        (0..=HEADS_MAX).map(|n| first.fork(u8::try_from(n).unwrap()).edit_kind("form")).collect();
    let mut document = Document::from_chunks(&branches[..HEADS_MAX]).unwrap();
    assert_eq!(document.heads().len(), HEADS_MAX);
    assert!(matches!(document.apply(&branches), Err(DocumentError::TooLarge { what: "number of heads", .. })));

    let mut desk = Desk::new(1);
    let there = usize::try_from(desk.document.operations()).unwrap();
    let mut left = DOCUMENT_OPERATIONS_MAX - there;
    let mut round = 0;
    let mut writes = |n: usize| {
        round += 1;
        let writes = (0..n).map(|i| (format!("k{round}-{i:05}"), Some(ScalarValue::Int(1)))).collect();
        desk.document.write(writes, AT)
    };
    while left > CHANGE_OPERATIONS_MAX {
        writes(CHANGE_OPERATIONS_MAX).unwrap();
        left -= CHANGE_OPERATIONS_MAX;
    }
    assert!(matches!(writes(left + 1), Err(DocumentError::TooLarge { what: "number of operations", .. })));
    writes(left).unwrap();
    assert!(writes(1).is_err());
}

#[test]
fn the_limit_of_the_history_at_and_over() {
    let mut desk = Desk::new(1);
    // Made without a document, because twenty thousand single writes take minutes. The fixed first change counts.
    let mut last = Document::first_change();
    let chunks: Vec<Chunk> = (1..HISTORY_CHANGES_MAX as u64 - 1)
        .map(|n| {
            let change = Change::from(ExpandedChange {
                operations: vec![Op {
                    action: OpType::Put(ScalarValue::Uint(n)),
                    obj: ObjectId::Id(OpId(1, first::actor())),
                    key: Key::Map("k".into()),
                    pred: (n > 1).then(|| OpId(n + 2, actor(1).id())).into_iter().collect::<Vec<_>>().into(),
                    insert: false,
                }],
                actor_id: actor(1).id(),
                hash: None,
                seq: n,
                start_op: (n + 3).try_into().unwrap(),
                time: 0,
                message: None,
                deps: vec![ChangeHash(last.0)],
                extra_bytes: Vec::new(),
                author: None,
            });
            last = Hash(change.hash().0);
            Chunk::from_bytes(change.raw_bytes().to_vec())
        })
        .collect();
    desk.document.apply(&chunks).unwrap();
    desk.document.write(vec![("kind".to_owned(), Some(ScalarValue::Str("form".into())))], AT).unwrap();
    let over = desk.document.write(vec![("k".to_owned(), None)], AT).unwrap_err();
    assert_eq!(over, DocumentError::TooLarge { what: "number of changes", found: 20_001, limit: HISTORY_CHANGES_MAX });
    let branch = Desk::new(2).edit_kind("form");
    assert_eq!(desk.document.apply([&branch]), Err(over));
}

impl Desk {
    fn edit_kind(mut self, kind: &str) -> Chunk {
        let value = ScalarValue::Str(kind.into());
        self.document.write(vec![("kind".to_owned(), Some(value))], AT).unwrap().unwrap()
    }
}

#[test]
fn actors_of_nodes_are_recognised() {
    let (one, two) = (crate::NodeId([1; 32]), crate::NodeId([2; 32]));
    let actor = Actor::of_node(&one, AT);
    assert!(actor.is_of(&one) && !actor.is_of(&two));
    assert_ne!(actor, Actor::of_node(&one, AT + 1));
    assert_eq!(actor.as_bytes().len(), 12);
}
