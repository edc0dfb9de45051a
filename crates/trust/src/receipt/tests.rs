use ortsnetz_model::{Actor, Document, Entry, EntryId, FeedId, Hash, Ids, Position};
use serde_json::{Value, json};

use super::*;
use crate::identity::CERTIFICATE_MS;
use crate::identity::CollectionTerms;
use crate::keys::{NodeKey, RootKey, Signer};
use crate::limits::{RECEIPT_BYTES_MAX, RECEIPT_LEAF_ITEMS_MAX, RECEIPT_STATEMENTS_MAX};
use crate::record::{Body, Checkpoint, Cut, Record, Totals};
use crate::statement::{PartnerConfirmation, Readers, Roles};
use crate::testing::{NOW, Town};
use crate::tree::{EMPTY, FAN, leaf_hash, leaf_of, node_hash, root_hash};

const ENTRY: EntryId = EntryId([9; 16]);
const DAY: u64 = 24 * 60 * 60 * 1000;

/// A town that publishes, and its public feed as the town holds it.
struct Publishing {
    town: Town,
    laptop: NodeKey,
    document: Document,
    changes: Vec<Vec<u8>>,
    feed: FeedId,
    items: Vec<(EntryId, Hash)>,
    next: Position,
}

impl Publishing {
    fn new() -> Self {
        let town = Town::siegburg();
        let laptop = NodeKey::from_secret(&[77; 32]);
        let feed = town.feed("public");
        let next = Position { term: 1, epoch: NOW, sequence: 1 };
        let document = Document::new(&Actor::of_node(&town.id(), NOW));
        Self { town, laptop, document, changes: Vec::new(), feed, items: vec![(EntryId([3; 16]), Hash([3; 32]))], next }
    }

    fn record(&mut self, entry: Option<EntryId>, body: Body, at: u64) -> Record {
        let position = self.next;
        self.next.sequence += 1;
        let generation = u32::from(entry.is_some());
        let feed = self.feed;
        Record {
            feed,
            entry,
            generation,
            position,
            previous: None,
            list_serial: 0,
            at,
            instance: 5,
            body,
            totals: None,
        }
    }

    /// Puts a record into the tree and signs it with the root of the tree after it.
    fn sign(&mut self, mut record: Record, key: &NodeKey) -> SignedRecord {
        if let Some((entry, item)) = record.item() {
            self.items.retain(|(other, _)| *other != entry);
            self.items.push((entry, item));
        }
        let root = root_hash(&self.inclusion().nodes);
        if let Body::Checkpoint(checkpoint) = &mut record.body {
            checkpoint.root = root;
        }
        record.totals = Some(Totals { count: self.items.len() as u64, root });
        SignedRecord::sign(record, key).unwrap()
    }

    fn publish(&mut self, title: &str, at: u64) -> SignedRecord {
        let entry = json!({"kind": "service", "title": {"de": title}, "address": {"lat": 50.791_234_5}});
        let entry = Entry::from_json(entry).unwrap();
        let mut ids = Ids::Imported(ENTRY);
        let chunk = self.document.update(&entry, at, &mut ids).unwrap().unwrap();
        self.changes.push(chunk.into_bytes());
        let record = self.record(Some(ENTRY), Body::Publication { heads: self.document.heads() }, at);
        let key = self.town.node.clone();
        self.sign(record, &key)
    }

    fn checkpoint(&mut self, cuts: Vec<Cut>, at: u64, key: &NodeKey) -> SignedRecord {
        let body = Body::Checkpoint(Checkpoint { root: EMPTY, count: 2, cuts });
        let record = self.record(None, body, at);
        self.sign(record, key)
    }

    fn inclusion(&self) -> Inclusion {
        let mut items = self.items.clone();
        items.sort();
        let of_leaf = |leaf: usize| -> Vec<Hash> {
            items.iter().filter(|(entry, _)| usize::from(leaf_of(entry)) == leaf).map(|(_, item)| *item).collect()
        };
        let leaves =
            |node: usize| -> Vec<Hash> { (0..FAN).map(|leaf| leaf_hash(&of_leaf(node * FAN + leaf))).collect() };
        let leaf = usize::from(leaf_of(&ENTRY));
        let nodes = (0..FAN).map(|node| node_hash(&leaves(node))).collect();
        Inclusion { items: of_leaf(leaf), leaves: leaves(leaf / FAN), nodes }
    }

    fn material(&self, record: &SignedRecord, witness: &SignedRecord) -> Material<'_> {
        Material {
            identity: &self.town.identity,
            record: record.clone(),
            changes: self.changes.clone(),
            witness: witness.clone(),
            checkpoint: None,
            inclusion: self.inclusion(),
        }
    }

    /// The publisher's node is lost: root takes its certificate back and makes the laptop the publisher.
    fn lose_the_publisher(&mut self, at: u64) -> SignedRecord {
        let (root, lost) = (self.town.root.clone(), self.town.id());
        let identity = &mut self.town.identity;
        let roles = Roles { admin: true, edit: true };
        let certificate = identity.certify(self.laptop.id(), roles, "Laptop".into(), Vec::new(), at, &root).unwrap();
        identity.take_in(certificate).unwrap();
        let term = identity.appoint(self.laptop.id(), at, &root).unwrap();
        identity.take_in(term).unwrap();
        let statements = identity.revoke(lost, at, &root).unwrap();
        identity.take_in_all(statements);
        let cut = Cut { term: 1, epoch: NOW, sequence: self.next.sequence - 1 };
        self.next = Position { term: 2, epoch: at, sequence: 1 };
        let laptop = self.laptop.clone();
        self.checkpoint(vec![cut], at, &laptop)
    }
}

fn read(text: &str) -> Result<Verified, ReceiptError> {
    Receipt::from_bytes(text.as_bytes())?.verify(NOW + 10 * 365 * DAY)
}

#[test]
fn a_receipt_says_who_said_what_and_when() {
    let mut publishing = Publishing::new();
    publishing.publish("Reisepass", NOW + 1_000);
    let record = publishing.publish("Reisepass beantragen", NOW + DAY);
    let receipt = Receipt::make(publishing.material(&record, &record), NOW + DAY).unwrap();
    let text = receipt.to_text();
    assert!(text.contains("\"title\": \"Reisepass beantragen\"") && text.contains("Stadt Siegburg"), "{text}");
    assert_eq!(Receipt::from_bytes(text.as_bytes()), Ok(receipt));
    let verified = read(&text).unwrap();
    assert_eq!(verified.organisation, publishing.town.identity.id());
    assert_eq!(verified.entry.unwrap().title("de"), Some("Reisepass beantragen"));
    assert_eq!((verified.said_at, verified.vouched_at), (NOW + DAY, NOW + DAY));
    assert_eq!((verified.signer.name.as_str(), verified.collection.as_str()), ("Rathaus", "public"));
    assert_eq!(verified.signer.state, crate::identity::NodeState::Expired, "ten years later");
}

#[test]
fn it_holds_after_the_root_key_changed() {
    let mut publishing = Publishing::new();
    let record = publishing.publish("Reisepass", NOW);
    let new = RootKey::from_secret(&[42; 32]);
    let statements = publishing.town.identity.rotate(&publishing.town.root, &new, NOW + DAY).unwrap();
    assert!(publishing.town.identity.take_in_all(statements).1.is_empty());
    let receipt = Receipt::make(publishing.material(&record, &record), NOW + DAY).unwrap();
    assert_eq!(read(&receipt.to_text()).unwrap().rotations, 1);
}

#[test]
fn of_a_lost_node_what_its_successor_counted_holds_and_nothing_else() {
    let mut publishing = Publishing::new();
    let record = publishing.publish("Reisepass 70 Euro", NOW);
    let before = Receipt::make(publishing.material(&record, &record), NOW).unwrap();
    let cut = publishing.lose_the_publisher(NOW + DAY);
    let receipt = Receipt::make(publishing.material(&record, &cut), NOW + DAY).unwrap();
    let verified = read(&receipt.to_text()).unwrap();
    assert_eq!(verified.signer.revoked_at, Some(NOW + DAY));
    assert_eq!(verified.voucher.unwrap().name, "Laptop");
    assert_eq!((verified.said_at, verified.checkpoint_at), (NOW, Some(NOW + DAY)));
    assert!(read(&before.to_text()).is_ok(), "what was handed out before goes on holding");
    // By itself it does not hold any more.
    let mut alone = publishing.material(&record, &record);
    alone.inclusion = before.inclusion.clone();
    let error = Receipt::make(alone, NOW + DAY).unwrap_err();
    assert!(matches!(error, ReceiptError::Unvouched(RecordError::Revoked { .. })), "{error}");
}

#[test]
fn a_thief_cannot_backdate() {
    let mut publishing = Publishing::new();
    let honest = publishing.publish("Reisepass 70 Euro", NOW);
    let cut = publishing.lose_the_publisher(NOW + DAY);
    let whole = publishing.inclusion();
    // The thief has the node's key and says something else at the same position and time.
    let mut thief = Publishing::new();
    let forged = thief.publish("Reisepass 7 Euro", NOW);
    assert_eq!(forged.record().position, honest.record().position);
    thief.town.identity = publishing.town.identity.clone();
    let mut material = thief.material(&forged, &cut);
    material.inclusion = whole;
    assert_eq!(Receipt::make(material, NOW + DAY).unwrap_err(), ReceiptError::NotIncluded);
    // With a state of the collection that the thief signed: nobody else vouches for it.
    let key = thief.town.node.clone();
    thief.next.sequence = 9;
    let own = thief.checkpoint(Vec::new(), NOW + 1, &key);
    let error = Receipt::make(thief.material(&forged, &own), NOW + DAY).unwrap_err();
    assert!(matches!(error, ReceiptError::Record { error: RecordError::Revoked { .. }, .. }), "{error}");
}

#[test]
fn a_withdrawal_has_a_receipt_too() {
    let mut publishing = Publishing::new();
    publishing.publish("Reisepass", NOW);
    publishing.changes.clear();
    let record = publishing.record(Some(ENTRY), Body::Withdrawal { moved_to: None }, NOW + DAY);
    let key = publishing.town.node.clone();
    let record = publishing.sign(record, &key);
    let receipt = Receipt::make(publishing.material(&record, &record), NOW + DAY).unwrap();
    let verified = read(&receipt.to_text()).unwrap();
    assert_eq!((verified.entry, verified.said_at), (None, NOW + DAY));
}

#[test]
fn a_later_checkpoint_counts_the_record_or_the_receipt_falls() {
    let mut publishing = Publishing::new();
    let key = publishing.town.node.clone();
    let record = publishing.publish("Reisepass", NOW);
    publishing.next = Position { term: 1, epoch: NOW + DAY, sequence: 1 };
    let counting = publishing.checkpoint(vec![Cut { term: 1, epoch: NOW, sequence: 1 }], NOW + DAY, &key);
    let other = publishing.record(Some(EntryId([3; 16])), Body::Withdrawal { moved_to: None }, NOW + 2 * DAY);
    let witness = publishing.sign(other, &key);
    let mut material = publishing.material(&record, &witness);
    material.checkpoint = Some(counting);
    let receipt = Receipt::make(material.clone(), NOW + 2 * DAY).unwrap();
    assert_eq!(read(&receipt.to_text()).unwrap().checkpoint_at, Some(NOW + DAY));
    publishing.next = Position { term: 1, epoch: NOW + DAY, sequence: 1 };
    let silent = publishing.checkpoint(Vec::new(), NOW + DAY, &key);
    let mut material = publishing.material(&record, &witness);
    material.checkpoint = Some(silent);
    assert_eq!(Receipt::make(material, NOW + 2 * DAY).unwrap_err(), ReceiptError::NotCounted);
}

#[test]
fn whom_the_town_works_with_is_not_in_it() {
    let mut publishing = Publishing::new();
    let (own, partner) = (publishing.town.identity.id(), Town::bonn().identity.id());
    let key = publishing.town.node.clone();
    let confirmation = PartnerConfirmation { organisation: own, partner, serial: 1, confirmed: true, at: NOW };
    let identity = &mut publishing.town.identity;
    identity.take_in(Signed::new(confirmation, &[&key]).unwrap()).unwrap();
    let terms = CollectionTerms::new("Kreis", Readers::Organisations(vec![partner]));
    for signed in identity.state_collection(terms, NOW, &key).unwrap() {
        identity.take_in(signed).unwrap();
    }
    let mut receipt_of = |collection: &str| {
        publishing.feed = publishing.town.feed(collection);
        let record = publishing.publish(collection, NOW);
        let receipt = Receipt::make(publishing.material(&record, &record), NOW).unwrap();
        assert_eq!(read(&receipt.to_text()).unwrap().collection, collection);
        receipt.statements.len()
    };
    assert_eq!(receipt_of("public"), 3, "genesis, certificate, term");
    assert_eq!(receipt_of("Kreis"), 4, "its own collection has to be known");
}

/// Every value of the file, changed in any way, makes it fall.
#[test]
fn nothing_in_the_file_can_be_changed() {
    let mut publishing = Publishing::new();
    let record = publishing.publish("Reisepass", NOW);
    let cut = publishing.lose_the_publisher(NOW + DAY);
    let receipt = Receipt::make(publishing.material(&record, &cut), NOW + DAY).unwrap();
    let value: Value = serde_json::from_str(&receipt.to_text()).unwrap();
    let mut places = Vec::new();
    leaves(&value, String::new(), &mut places);
    assert!(places.len() > 40, "{places:?}");
    for place in places.iter().filter(|place| *place != "/note") {
        let mut bent = value.clone();
        let leaf = bent.pointer_mut(place).unwrap();
        *leaf = match leaf.take() {
            Value::String(text) if text.is_empty() => json!("00".repeat(32)),
            Value::String(text) => {
                let at = text.len() / 2;
                let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
                json!(format!("{}{other}{}", &text[..at], &text[at + 1..]))
            }
            Value::Number(number) => json!(number.as_f64().unwrap() + 1.0),
            _ => json!("x"),
        };
        assert!(read(&bent.to_string()).is_err(), "{place} can be changed");
    }
    for part in ["/about", "/entry"] {
        let mut more = value.clone();
        more.pointer_mut(part).unwrap()["more"] = json!(1);
        assert!(read(&more.to_string()).is_err(), "{part} can grow");
    }
    for part in ["/proof/statements", "/proof/changes", "/proof/tree/items", "/proof/tree/leaves"] {
        let mut less = value.clone();
        less.pointer_mut(part).unwrap().as_array_mut().unwrap().pop();
        assert!(read(&less.to_string()).is_err(), "{part} can shrink");
    }
    let mut unknown = value;
    unknown["extra"] = json!("not covered by anything");
    assert!(matches!(read(&unknown.to_string()), Err(ReceiptError::Malformed(_))));
}

fn leaves(value: &Value, place: String, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| leaves(value, format!("{place}/{name}"), out)),
        // Of the hashes of the tree the first ones do.
        Value::Array(list) => {
            list.iter().take(5).enumerate().for_each(|(at, value)| leaves(value, format!("{place}/{at}"), out));
        }
        _ => out.push(place),
    }
}

#[test]
fn the_limits_hold() {
    let mut publishing = Publishing::new();
    let record = publishing.publish("Reisepass", NOW);
    let text = Receipt::make(publishing.material(&record, &record), NOW).unwrap().to_text();
    let padded = |bytes: usize| [text.as_bytes(), &vec![b' '; bytes - text.len()]].concat();
    assert!(Receipt::from_bytes(&padded(RECEIPT_BYTES_MAX)).is_ok());
    let over = Receipt::from_bytes(&padded(RECEIPT_BYTES_MAX + 1)).unwrap_err();
    assert_eq!(over, ReceiptError::TooLong { bytes: RECEIPT_BYTES_MAX + 1, max: RECEIPT_BYTES_MAX });
    let value: Value = serde_json::from_str(&text).unwrap();
    for (part, what, max) in [
        ("/proof/statements", "statements", RECEIPT_STATEMENTS_MAX),
        ("/proof/changes", "changes", crate::limits::DELIVERY_CHUNKS_MAX),
        ("/proof/tree/items", "items", RECEIPT_LEAF_ITEMS_MAX),
        ("/proof/tree/leaves", "leaves", FAN),
        ("/proof/tree/nodes", "buckets", FAN),
    ] {
        for more in [0, 1] {
            let mut full = value.clone();
            let list = full.pointer_mut(part).unwrap().as_array_mut().unwrap();
            let first = list.iter().find(|value| *value != "").unwrap().clone();
            list.resize(max + more, first);
            let result = Receipt::from_bytes(full.to_string().as_bytes());
            let refused = matches!(result, Err(ReceiptError::TooMany { what: of, .. }) if of == what);
            assert_eq!(refused, more == 1, "{what}: {:?}", result.err());
        }
    }
    let newer = text.replacen("\"ortsnetz_receipt\": 1", "\"ortsnetz_receipt\": 2", 1);
    assert_eq!(Receipt::from_bytes(newer.as_bytes()).unwrap_err(), ReceiptError::Version(2));
}

#[test]
fn a_certificate_that_ended_needs_somebody_who_counted_the_record() {
    let mut publishing = Publishing::new();
    let late = NOW + CERTIFICATE_MS + 1;
    let record = publishing.publish("Reisepass", late);
    let error = Receipt::make(publishing.material(&record, &record), late).unwrap_err();
    assert_eq!(error, ReceiptError::Unvouched(RecordError::Expired { ms: 1 }));
    assert!(publishing.town.root.public() == publishing.town.identity.root());
}
