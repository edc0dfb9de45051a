//! A real node with two partners: one of them means harm. It is named and cut off, the memory stays small, and what the
//! other partner publishes still arrives.

use std::sync::Arc;
use std::time::Duration;

use ortsnetz_model::{EntryId, FeedId, Hash, Position};
use ortsnetz_sync::Item;
use ortsnetz_sync::limits::{DEAD_MS, FRAME_BYTES_MAX, REQUESTS_PER_PEER_MAX};
use ortsnetz_sync::wire::{Message, PageKind, WireItem};
use ortsnetz_tests::{Hostile, Town, eventually, eventually_some};
use ortsnetz_trust::{Body, NodeKey, Record, SignedRecord};
use serde_json::{Value, json};

const EVIL: &str = "Stadt Böse";
/// What one partner may make a node hold, and what the allocator makes of it.
const GROWTH_MAX: u64 = 160 << 20;

/// The victim, a friend of it, and a partner in the hands of somebody else.
struct Siege {
    _dir: tempfile::TempDir,
    victim: Town,
    friend: Town,
    _town: Town,
    /// Absent while it is at work elsewhere.
    hostile: Option<Hostile>,
    memory: u64,
    /// The public collection of the hostile town.
    feed: FeedId,
}

impl Siege {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let victim = Town::new(dir.path(), "Stadt Siegburg", "053820060060");
        let friend = Town::new(dir.path(), "Stadt Bonn", "053140000000");
        let mut town = Town::new(dir.path(), EVIL, "053150000000");
        victim.befriend(&friend);
        victim.befriend(&town);
        victim.wait_in_sync(&friend);
        victim.wait_in_sync(&town);
        let hostile = Hostile::take_over(&mut town, &victim);
        let (memory, feed) = (victim.peak_memory(), hostile.feed("public"));
        Self { feed, _dir: dir, victim, friend, _town: town, hostile: Some(hostile), memory }
    }

    fn hostile(&mut self) -> &mut Hostile {
        self.hostile.as_mut().expect("it is here")
    }

    /// The alarm that names the partner.
    fn alarm(&self, kind: &str) -> Value {
        eventually_some(&format!("the alarm {kind}"), || {
            self.victim.alarms().into_iter().find(|alarm| alarm["kind"] == *kind && alarm["partner"] == *EVIL)
        })
    }

    /// What both towns publish goes on to arrive, and the victim holds little.
    fn the_others_go_on(&self) {
        for (from, to) in [(&self.friend, &self.victim), (&self.victim, &self.friend)] {
            let id = from.publish("service", &["title.de=Hundesteuer"]);
            eventually("what is published arrives", || to.shown(&id)["meta"]["state"] == "published");
        }
        let grown = self.victim.peak_memory().saturating_sub(self.memory);
        assert!(grown < GROWTH_MAX, "the victim has grown by {} MiB", grown >> 20);
        self.victim.check_store();
    }

    /// It is cut off, kept out, and status and metrics say why.
    fn it_is_kept_out(&mut self, why: &[&str]) {
        assert!(self.hostile().is_closed_within(Duration::from_secs(60)), "its line is closed");
        let alarm = self.alarm("misbehaved");
        assert!(alarm["message"].as_str().is_some_and(|text| why.iter().any(|why| text.contains(why))), "{alarm}");
        assert!(!self.hostile().connect(), "it is not let in again at once");
        let row = eventually_some("its row", || {
            let partners = self.victim.status()["partners"].as_array().cloned().unwrap_or_default();
            partners.into_iter().find(|row| row["name"] == *EVIL && row["connected"] == json!(false))
        });
        assert!(row["problem"].as_str().is_some_and(|text| text.contains("let in again in")), "{row}");
        assert!(self.victim.metric("ortsnetz_peer_misbehaved_total") >= 1.0);
        self.the_others_go_on();
    }

    /// A record of the hostile town at this position.
    fn record(&self, position: Position, entry: u8) -> Record {
        Record {
            feed: self.feed,
            entry: Some(EntryId([entry; 16])),
            generation: 1,
            position,
            previous: None,
            list_serial: 0,
            at: position.epoch,
            instance: 1,
            body: Body::Publication { heads: vec![Hash([7; 32])] },
            totals: None,
        }
    }

    fn push(&mut self, record: Record, key: &NodeKey) {
        let (feed, upto) = (record.feed, record.position);
        let after = Position { sequence: upto.sequence - 1, ..upto };
        let record = SignedRecord::sign(record, key).expect("it can be signed").to_bytes().into();
        let items = vec![WireItem::new(&Item { record, chunks: Vec::new() })];
        assert!(self.hostile().say(&Message::Page { feed, after, upto, items, kind: PageKind::Live, offer: None }));
    }
}

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("before the year 500,000,000")
}

#[test]
fn garbage_is_cut_off_and_kept_out() {
    let mut siege = Siege::new();
    assert!(siege.hostile().send(b"\x00Guten Tag"));
    siege.it_is_kept_out(&["no message"]);
}

#[test]
fn a_bomb_is_cut_off_and_kept_out() {
    let mut siege = Siege::new();
    let bomb = zstd::bulk::compress(&vec![0; 512 << 20], 19).expect("it can be packed");
    assert!(bomb.len() < FRAME_BYTES_MAX, "{} bytes", bomb.len());
    assert!(siege.hostile().send(&[&[1], bomb.as_slice()].concat()));
    siege.it_is_kept_out(&["does not inflate"]);
}

#[test]
fn a_frame_without_end_is_cut_off_and_kept_out() {
    let mut siege = Siege::new();
    assert!(siege.hostile().send_bytes(&u32::MAX.to_be_bytes()));
    siege.it_is_kept_out(&["4294967295 bytes"]);
}

#[test]
fn requests_without_end_are_cut_off_and_kept_out() {
    let mut siege = Siege::new();
    let id: EntryId = siege.victim.publish("service", &["title.de=Reisepass"]).parse().expect("an id");
    let organisation = siege.victim.organisation.parse().expect("an id");
    let collection = ortsnetz_model::CollectionId::named(&organisation, "public");
    let want = Message::Want { feed: FeedId { organisation, collection }, entry: Some(id), have: Vec::new() }.frame(3);
    let stop = Arc::new(());
    let hostile = siege.hostile.take().expect("it is here");
    siege.hostile = Some(hostile.flood(want, &stop).join().expect("the flood ends"));
    // On a busy machine they pile up before anybody looks at them.
    siege.it_is_kept_out(&["more requests at a time", "flooded us"]);
}

#[test]
fn who_asks_for_much_and_reads_nothing_makes_the_node_hold_little() {
    let mut siege = Siege::new();
    // Nothing that could be made smaller on the way: hex digits of hashes.
    let noise = |number: u32| -> String {
        (0..6_000u32).map(|part| Hash::of(&[number.to_be_bytes(), part.to_be_bytes()].concat()).to_string()).collect()
    };
    let ids: Vec<EntryId> = (0..16)
        .map(|n| {
            let text = format!("texts.description.de={}", noise(n).split_at(60_000).0);
            siege.victim.publish("service", &["title.de=Lang", &text]).parse().expect("an id")
        })
        .collect();
    siege.victim.wait_in_sync(&siege.friend);
    siege.memory = siege.victim.peak_memory();
    let organisation = siege.victim.organisation.parse().expect("an id");
    let collection = ortsnetz_model::CollectionId::named(&organisation, "public");
    let feed = FeedId { organisation, collection };
    // As many as it may: 250 times 60 kB, again and again after it was answered into the void.
    for number in 0..REQUESTS_PER_PEER_MAX - 6 {
        let entry = Some(ids[number % ids.len()]);
        assert!(siege.hostile().say(&Message::Want { feed, entry, have: Vec::new() }));
        assert!(siege.hostile().say(&Message::Get { feed, after: Position::default() }));
    }
    eventually("something waits for it", || siege.victim.metric("ortsnetz_peer_unread_bytes") > 1e6);
    siege.the_others_go_on();
    let unread = siege.victim.metric("ortsnetz_peer_unread_bytes");
    assert!(unread < 8e6, "{unread} bytes wait for who reads nothing");
}

#[test]
fn a_flood_of_beats_disturbs_nobody() {
    let mut siege = Siege::new();
    let stop = Arc::new(());
    let hostile = siege.hostile.take().expect("it is here");
    let flooding = hostile.flood(Message::Beat { question: true }.frame(3), &stop);
    siege.the_others_go_on();
    drop(stop);
    drop(flooding.join());
}

#[test]
fn who_stops_in_the_middle_of_a_frame_is_closed_and_disturbs_nobody() {
    let mut siege = Siege::new();
    assert!(siege.hostile().send_bytes(&(FRAME_BYTES_MAX as u32).to_be_bytes()));
    assert!(siege.hostile().send_bytes(&vec![7; FRAME_BYTES_MAX / 2]));
    siege.the_others_go_on();
    assert!(siege.hostile().is_closed_within(Duration::from_millis(3 * DEAD_MS)), "silence ends the line");
    assert!(siege.hostile().connect(), "a broken line is no crime");
}

#[test]
fn a_record_that_somebody_else_signed_is_refused_and_the_partner_is_named() {
    let mut siege = Siege::new();
    let position = Position { term: 1, epoch: now(), sequence: 1 };
    let stranger = NodeKey::from_secret(&[9; 32]);
    siege.push(siege.record(position, 5), &stranger);
    siege.alarm("invalid_record");
    assert_eq!(siege.victim.shown(&EntryId([5; 16]).to_string()), Value::Null);
    siege.the_others_go_on();
}

#[test]
fn a_record_from_the_future_is_held_back_and_the_partner_is_named() {
    let mut siege = Siege::new();
    let position = Position { term: 1, epoch: now() + 3 * 24 * 3_600_000, sequence: 1 };
    let key = siege.hostile().key.clone();
    siege.push(siege.record(position, 6), &key);
    siege.alarm("clock_ahead");
    assert_eq!(siege.victim.shown(&EntryId([6; 16]).to_string()), Value::Null);
    siege.the_others_go_on();
}
