//! Test vectors for other implementations, in `tests/vectors`: hash tree, offer and frames.

#[path = "../../../tests/vectors/keep.rs"]
mod vectors;

use std::sync::Arc;

use ortsnetz_model::{CollectionId, EntryId, FeedId, Hash, NodeId, OrgId, Position};
use ortsnetz_sync::wire::{AuditItem, Bucket, ByeCode, Held, HeldChain, Message, PageKind, Settled, WireItem};
use ortsnetz_sync::{Config, Effect, Engine, Event, Item, Peer, Snapshot};
use ortsnetz_trust::identity::{Founding, Identity, View};
use ortsnetz_trust::record::{Body, Record, SignedRecord};
use ortsnetz_trust::statement::{CollectionStatement, OrganisationKind, Readers};
use ortsnetz_trust::{NodeKey, RootKey, Signed};
use serde_json::{Value, json};
use vectors::{hex, is_writing, keep, read};

/// 2026-11-22 09:33:20 UTC.
const NOW: u64 = 1_795_340_000_000;

struct Town {
    node: NodeKey,
    identity: Identity,
    feed: FeedId,
}

/// The town of `statements.json`, with a public collection.
fn siegburg() -> Town {
    let (root, node) = (RootKey::from_secret(&[1; 32]), NodeKey::from_secret(&[101; 32]));
    let founding = Founding {
        name: "Stadt Siegburg".into(),
        ars: "053820060060".into(),
        kind: OrganisationKind::Municipality,
        node_name: "Rathaus".into(),
        addresses: vec!["/dns4/rathaus.example/tcp/4115".into()],
        at: NOW,
        random: [1; 16],
    };
    let mut identity = Identity::found(founding, &root, &node).expect("a town");
    let organisation = identity.id();
    let collection = CollectionId::named(&organisation, "public");
    let public = CollectionStatement {
        organisation,
        collection,
        name: "public".into(),
        serial: 1,
        readers: Readers::Public,
        since: Vec::new(),
        relay: true,
        ended: false,
        at: NOW,
        title: None,
    };
    identity.take_in(Signed::new(public, &[&node]).expect("a statement")).expect("taken in");
    Town { node, identity, feed: FeedId { organisation, collection } }
}

fn record(town: &Town, number: u8, sequence: u64, body: Body) -> Record {
    Record {
        feed: town.feed,
        entry: Some(EntryId([number; 16])),
        generation: 1,
        position: Position { term: 1, epoch: NOW, sequence },
        previous: None,
        list_serial: 1,
        at: NOW,
        instance: 1,
        body,
        totals: None,
    }
}

fn publication(town: &Town, number: u8, sequence: u64) -> Record {
    record(town, number, sequence, Body::Publication { heads: vec![Hash([number; 32])] })
}

#[test]
fn the_hash_tree_and_the_offer() {
    let town = siegburg();
    let reader = Peer { node: NodeId([77; 32]), organisation: OrgId([78; 32]) };
    let sizes = [0_u8, 1, 2, 200];
    let trees: Vec<Value> = sizes
        .into_iter()
        .map(|size| {
            let mut snapshot = Snapshot::default();
            snapshot.organisation(Arc::new(town.identity.clone()));
            for number in 0..size {
                // Every tenth is a tombstone.
                let record = match number % 10 {
                    9 => record(&town, number, u64::from(number) + 1, Body::Withdrawal { moved_to: None }),
                    _ => publication(&town, number, u64::from(number) + 1),
                };
                snapshot.record(&record);
            }
            let cursor = Position { term: 1, epoch: NOW, sequence: u64::from(size) };
            if size > 0 {
                snapshot.cursor(town.feed, cursor);
            }
            let (node, organisation) = (town.node.id(), town.identity.id());
            // Started as a node of the town that does not publish: a publisher would first write a checkpoint.
            let config = Config { node: NodeId([76; 32]), organisation, started_at: NOW, zstd_level: 3 };
            assert_ne!(config.node, node);
            let mut engine = Engine::new(config, 1, snapshot);
            engine.handle(NOW, Event::Connected { peer: reader });
            let offer = std::iter::from_fn(|| engine.poll_effect()).find_map(|effect| match effect {
                Effect::Send { frame, .. } => match Message::read(&frame) {
                    Ok(Some(Message::Hello { offer, .. })) => Some(offer),
                    _ => None,
                },
                _ => None,
            });
            let status = engine.feeds().into_iter().find(|feed| feed.feed == town.feed);
            json!({
                "entries": size,
                "live": status.as_ref().map_or(0, |feed| feed.live),
                "root": status.map_or(Hash([0; 32]), |feed| feed.root),
                "offer_to_a_stranger": hex(offer.expect("a greeting")),
            })
        })
        .collect();
    let organisation = town.identity.id();
    keep(
        "tree.json",
        &json!({
            "organisation": organisation,
            "collection": town.feed.collection,
            "rule": "entry n has 16 bytes n, generation 1, position (1, epoch, n + 1) and, unless n % 10 is 9, one head of 32 bytes n",
            "epoch": NOW,
            "list_serial": 1,
            "chain_hash": town.identity.chain_hash(View::Both(organisation, reader.organisation)),
            "trees": trees,
        }),
    );
}

/// A chunk that is none: framing asks only for its hash.
fn chunk() -> Vec<u8> {
    (0..60).collect()
}

fn messages(town: &Town) -> Vec<(&'static str, Message)> {
    let feed = town.feed;
    let at = |sequence| Position { term: 1, epoch: NOW, sequence };
    let head = Hash::of(&chunk()[8..]);
    let publication = record(town, 9, 4, Body::Publication { heads: vec![head] });
    let bytes = SignedRecord::sign(publication, &town.node).expect("a record").to_bytes();
    let item = || WireItem::new(&Item { record: bytes.clone().into(), chunks: vec![chunk()] });
    let bare = WireItem::new(&Item { record: bytes.clone().into(), chunks: Vec::new() });
    let (organisation, entry) = (feed.organisation, EntryId([9; 16]));
    vec![
        (
            "hello",
            Message::Hello {
                oldest: 1,
                newest: 1,
                organisation,
                instance: 7,
                chain: [1; 16],
                offer: [2; 16],
                taken: [3; 16],
            },
        ),
        (
            "have",
            Message::Have {
                feeds: vec![Held { feed, cursor: at(4), serial: 1 }],
                chains: vec![HeldChain { organisation, hash: [1; 16] }],
                offer: Some([2; 16]),
            },
        ),
        ("have, more follows", Message::Have { feeds: Vec::new(), chains: Vec::new(), offer: None }),
        ("ask for a chain", Message::AskChain { organisation }),
        ("a chain", Message::Chain { organisation, statements: vec![vec![1, 2, 3].into()], last: true }),
        ("get", Message::Get { feed, after: at(1) }),
        (
            "the last page, its head cut out",
            Message::Page { feed, after: at(1), upto: at(4), items: vec![item()], kind: PageKind::Last, offer: None },
        ),
        (
            "a pushed page without changes",
            Message::Page {
                feed,
                after: at(3),
                upto: at(4),
                items: vec![bare],
                kind: PageKind::Live,
                offer: Some([2; 16]),
            },
        ),
        ("ack", Message::Ack { feed, cursor: at(4), stored: at(4), offer: None }),
        ("want", Message::Want { feed, entry: Some(entry), have: vec![Hash([7; 32])] }),
        ("want the checkpoint", Message::Want { feed, entry: None, have: Vec::new() }),
        (
            "changes",
            Message::Changes {
                feed,
                entry: Some(entry),
                record: Some(bytes.clone().into()),
                chunks: vec![chunk().into()],
                last: true,
            },
        ),
        ("gone", Message::Gone { feed, entry: Some(entry) }),
        ("audit", Message::Audit { feed, middles: vec![0; 64 * 16] }),
        (
            "audit, buckets",
            Message::AuditBuckets {
                feed,
                cursor: at(4),
                root: Hash([5; 32]),
                live: 3,
                buckets: vec![Bucket { number: 3, leaves: vec![0; 64 * 16] }],
            },
        ),
        ("audit, leaves", Message::AuditLeaves { feed, leaves: vec![0, 4095] }),
        ("audit, items", Message::AuditItems { feed, items: vec![AuditItem { entry, item: [6; 16] }], last: true }),
        ("yours", Message::Yours { feed, items: vec![item()] }),
        ("settled", Message::Settled { feed, records: vec![Settled { entry, position: at(4) }] }),
        ("evidence", Message::Evidence { feed, items: vec![item(), item()] }),
        ("beat", Message::Beat { question: true }),
        ("bye", Message::Bye { code: ByeCode::Stopping }),
        ("follow", Message::Follow { feed, follows: false }),
    ]
}

#[test]
fn frames() {
    let messages = messages(&siegburg());
    let made: Vec<Value> = messages
        .iter()
        .map(|(what, message)| json!({"what": what, "body": hex(minicbor::to_vec(message).expect("CBOR"))}))
        .collect();
    // What zstd writes depends on its version, so a packed frame is read here and not compared.
    let (_, audit) = messages.iter().find(|(what, _)| *what == "audit").expect("an audit");
    let packed = if is_writing() { hex(audit.frame(3)) } else { text(&read("messages.json")["packed_audit"]) };
    assert_eq!(Message::read(&bytes(&packed)).expect("a message").as_ref(), Some(audit), "the packed frame");
    assert_eq!(bytes(&packed)[0], 1, "it is packed");
    for (what, message) in &messages {
        let body = minicbor::to_vec(message).expect("CBOR");
        let plain = [&[0], body.as_slice()].concat();
        assert_eq!(Message::read(&plain).expect("a message").as_ref(), Some(message), "{what}: plain");
        assert_eq!(
            Message::read(&message.frame(3)).expect("a message").as_ref(),
            Some(message),
            "{what}: as we send it"
        );
    }
    keep("messages.json", &json!({"messages": made, "packed_audit": packed}));
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal")).collect()
}
