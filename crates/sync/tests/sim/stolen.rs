//! A machine is stolen, with its key: what its thief does before and after its certificate is taken back.

use ortsnetz_model::{EntryId, FeedId, Position};
use ortsnetz_sync::limits::BLOCKED_MS;
use ortsnetz_sync::wire::{Message, PageKind, WireItem};
use ortsnetz_sync::{Alarm, Event, Item};
use ortsnetz_trust::identity::FINAL_TERM;
use ortsnetz_trust::record::draft_feed;
use ortsnetz_trust::{Body, NodeKey, Record, Signed, SignedRecord};

use crate::disk::{chunk, chunk_hash, heads};
use crate::stories::{MINUTE, two_towns};
use crate::world::World;

/// What the record of an entry says at a machine.
fn says(world: &World, machine: usize, feed: FeedId, entry: EntryId) -> Option<String> {
    let disk = &world.machines[machine].disk;
    let signed = disk.records.get(&(feed, entry))?;
    let head = *heads(signed).first()?;
    let held = disk.chunks.get(&(feed, entry, signed.record().generation))?;
    let bytes = held.iter().find(|stored| stored.hash == head)?.bytes.clone();
    let text = bytes.get(9 + 32 * usize::from(bytes[8])..)?;
    String::from_utf8(text.to_vec()).ok()
}

/// A town states something, and one of its machines knows it at once.
fn state_at(world: &mut World, town: usize, machine: usize, statements: Vec<Signed>) {
    let (_, refused) = world.towns[town].identity.take_in_all(statements);
    assert!(refused.is_empty(), "{refused:?}");
    let identity = world.towns[town].identity.clone();
    let event = world.machines[machine].know(identity);
    world.tell(machine, event);
}

impl World {
    /// The town's root key takes the certificate of a machine back, at another one.
    pub fn revoke(&mut self, town: usize, lost: usize, at: usize) {
        let (root, node) = (self.towns[town].root.clone(), self.machines[lost].node());
        let statements = self.towns[town].identity.revoke(node, self.now, &root).expect("root may");
        state_at(self, town, at, statements);
        self.machines[at].root = Some(root);
        self.stolen.insert(lost, town);
        self.towns[town].machines.retain(|machine| *machine != lost);
        let feed = draft_feed(self.towns[town].id, &node);
        self.tell(at, Event::Conclude { feed });
    }

    /// Who has the root key concludes the drafts of revoked machines, as long as that is not on its disk.
    pub fn conclude_again(&mut self, machine: usize) {
        if self.machines[machine].root.is_none() {
            return;
        }
        for (lost, town) in self.stolen.clone() {
            let feed = draft_feed(self.towns[town].id, &self.machines[lost].node());
            let marker = self.machines[machine].disk.markers.get(&feed);
            let concluded = marker.is_some_and(|marker| marker.record().position.term == FINAL_TERM);
            if self.towns[town].id == self.machines[machine].organisation && !concluded {
                self.tell(machine, Event::Conclude { feed });
            }
        }
    }

    /// Whether one of these machines was stolen, and this one knows it.
    pub fn knows_stolen(&self, machine: usize, other: usize) -> bool {
        let lost = [machine, other].into_iter().find(|machine| self.stolen.contains_key(machine));
        lost.is_some_and(|lost| {
            let known = self.machines[machine].disk.identities.get(&self.machines[lost].organisation);
            known.is_some_and(|known| known.is_revoked(&self.machines[lost].node()))
        })
    }
}

/// A record as its thief signs it, wherever it likes, with its change.
fn forged(world: &World, key: &NodeKey, like: &Record, entry: EntryId, position: Position, text: &str) -> Item {
    let bytes = chunk(&[], text.as_bytes());
    let body = Body::Publication { heads: vec![chunk_hash(&bytes)] };
    let (previous, totals, at) = (None, None, world.now);
    let record = Record { entry: Some(entry), position, previous, body, totals, at, ..like.clone() };
    let signed = SignedRecord::sign(record, key).expect("it has the key");
    Item { record: signed.to_bytes().into(), chunks: vec![bytes] }
}

/// Hands records over in a page, as if they had just been published.
fn push(world: &mut World, from: usize, to: usize, feed: FeedId, items: &[&Item]) {
    let positions = items.iter().map(|item| SignedRecord::from_bytes(&item.record).expect("read").record().position);
    let upto = positions.max().expect("some");
    let items = items.iter().map(|item| WireItem::new(item)).collect();
    let page = Message::Page { feed, after: Position::default(), upto, kind: PageKind::Live, offer: None, items };
    let node = world.machines[from].node();
    world.tell(to, Event::Frame { node, bytes: page.frame(1) });
}

#[test]
fn nothing_of_a_stolen_publisher_counts_after_the_revocation_wherever_it_says_that_it_stood() {
    let (mut world, stolen, bonn) = two_towns(61);
    let town = 0;
    let (hall, koeln) = (world.second(town, "rathaus"), world.town("koeln"));
    let relay = world.towns[koeln].machines[0];
    world.partners(1, koeln);
    world.line(hall, bonn);
    let feed = world.feed(town, "public");
    let entries = world.publish(stolen, feed, &["Hundesteuer", "Reisepass", "Sperrmüll"]);
    world.run(MINUTE);
    for text in ["Hundesteuer, neu", "Hundesteuer, neuer"] {
        world.edit(stolen, feed, entries[0], text);
        world.run(MINUTE);
    }
    world.assert_converged();
    let like = world.machines[bonn].disk.records[&(feed, entries[0])].record().clone();
    let at = |sequence| Position { sequence, ..like.position };
    assert_eq!(like.position.sequence, 6, "a checkpoint, three entries, two edits: 2 and 5 stand empty");

    // Friday evening. The thief puts records where older ones stood, and publishes as it likes. Bonn believes it.
    world.cut(stolen, hall);
    world.cut(hall, bonn);
    let key = world.machines[stolen].key.clone();
    let invented = world.entry();
    let added = forged(&world, &key, &like, invented, at(2), "Bargeld mitbringen");
    let replaced = forged(&world, &key, &like, entries[1], at(5), "Reisepass kostenlos");
    push(&mut world, stolen, bonn, feed, &[&added, &replaced]);
    world.run(5_000);
    let flood: Vec<String> = (0..200).map(|number| format!("Werbung {number}")).collect();
    let flood = world.publish(stolen, feed, &flood.iter().map(String::as_str).take(64).collect::<Vec<_>>());
    world.edit(stolen, feed, entries[2], "Sperrmüll nie mehr");
    world.run(MINUTE);
    assert_eq!(says(&world, bonn, feed, invented).as_deref(), Some("Bargeld mitbringen"));
    assert_eq!(says(&world, bonn, feed, entries[1]).as_deref(), Some("Reisepass kostenlos"));
    assert!(flood.iter().all(|entry| says(&world, bonn, feed, *entry).is_some()));

    // Monday. The town hall publishes from now on, and takes the certificate back.
    let root = world.towns[town].root.clone();
    let node = world.machines[hall].node();
    let term = world.towns[town].identity.appoint(node, world.now, &root).expect("root may");
    state_at(&mut world, town, hall, vec![term]);
    world.run(5_000);
    world.revoke(town, stolen, hall);
    world.mend(hall, bonn);
    world.run(10 * MINUTE);
    let right = |world: &World, machine: usize| {
        let text = |entry| says(world, machine, feed, entry);
        assert_eq!(text(entries[0]).as_deref(), Some("Hundesteuer, neuer"));
        assert_eq!(text(entries[1]).as_deref(), Some("Reisepass"));
        assert_eq!(text(entries[2]).as_deref(), Some("Sperrmüll"));
        assert_eq!(text(invented), None);
        assert!(flood.iter().all(|entry| text(*entry).is_none()));
        let status = world.machines[machine].engine.as_ref().and_then(|engine| engine.feed(&feed)).expect("held");
        assert_eq!((status.verified, status.frozen, status.live), (Some(true), None, 3));
    };
    for machine in [hall, bonn, relay] {
        right(&world, machine);
    }
    // It was told, and heard nothing else.
    let known = &world.machines[stolen].disk.identities[&world.towns[town].id];
    assert!(known.is_revoked(&world.machines[stolen].node()));
    let engine = world.machines[bonn].engine.as_ref().expect("it runs");
    assert!(engine.peers().iter().all(|peer| peer.node != world.machines[stolen].node()), "the line is closed");

    // What it signs now a relay passes on for it: beside the others, in the place of another one, and in its own hours.
    let again = world.entry();
    let late = Position { epoch: like.position.epoch + 1, ..at(1) };
    for (entry, position) in [(again, at(2)), (again, at(4)), (entries[1], at(5)), (again, late)] {
        let item = forged(&world, &key, &like, entry, position, "rückdatiert");
        push(&mut world, relay, bonn, feed, &[&item]);
        world.run(5_000);
    }
    world.publish(stolen, feed, &["noch mehr Werbung"]);
    world.run(10 * MINUTE);
    for machine in [hall, bonn, relay] {
        right(&world, machine);
        assert!(!world.machines[machine].applied.contains(&(feed, again)), "not for a moment");
    }
    // Who comes new reads the same, also what the lost machine signed in its honest days.
    let huerth = world.town("huerth");
    world.partners(1, huerth);
    let new = world.towns[huerth].machines[0];
    world.run(5 * MINUTE);
    right(&world, new);
    // The town goes on.
    world.edit(hall, feed, entries[1], "Reisepass, 70 Euro");
    world.run(5 * MINUTE);
    for machine in [bonn, relay, new] {
        assert_eq!(says(&world, machine, feed, entries[1]).as_deref(), Some("Reisepass, 70 Euro"));
    }
}

#[test]
fn a_thief_that_contradicts_what_stands_stops_no_feed() {
    let (mut world, stolen, bonn) = two_towns(62);
    let (hall, feed) = (world.second(0, "rathaus"), world.feed(0, "public"));
    world.line(hall, bonn);
    let entries = world.publish(stolen, feed, &["Hundesteuer", "Reisepass"]);
    world.run(MINUTE);
    let like = world.machines[bonn].disk.records[&(feed, entries[0])].record().clone();
    let root = world.towns[0].root.clone();
    let node = world.machines[hall].node();
    let term = world.towns[0].identity.appoint(node, world.now, &root).expect("root may");
    state_at(&mut world, 0, hall, vec![term]);
    world.run(5_000);
    world.revoke(0, stolen, hall);
    world.run(MINUTE);
    // A reader whose tree is not whole takes what a relay gives: there it could be believed.
    let key = world.machines[stolen].key.clone();
    world.cut(hall, bonn);
    world.run(MINUTE);
    let huerth = world.town("huerth");
    world.partners(1, huerth);
    world.run(MINUTE);
    let new = world.towns[huerth].machines[0];
    world.lose(new, feed, entries[1]);
    let other = forged(&world, &key, &like, entries[1], like.position, "anders");
    push(&mut world, bonn, new, feed, &[&other]);
    world.run(BLOCKED_MS + 2 * MINUTE);
    let status = world.machines[new].engine.as_ref().and_then(|engine| engine.feed(&feed)).expect("held");
    assert_eq!((status.verified, status.frozen), (Some(true), None));
    assert_eq!(says(&world, new, feed, entries[1]).as_deref(), Some("Reisepass"));
    assert_eq!(world.alarms(new, |alarm| matches!(alarm, Alarm::Equivocation { .. })), 0);
}

#[test]
fn drafts_of_a_lost_laptop_end_with_what_root_knew() {
    let (mut world, hall, _) = two_towns(63);
    let laptop = world.second(0, "laptop");
    let annex = world.second(0, "bauhof");
    let drafts = world.drafts(laptop);
    let known = world.publish(laptop, drafts, &["Entwurf"])[0];
    world.run(MINUTE);
    assert_eq!(says(&world, hall, drafts, known).as_deref(), Some("Entwurf"));
    // Root does not see it any more, another own machine does.
    world.cut(hall, laptop);
    world.cut(hall, annex);
    let late = world.publish(laptop, drafts, &["danach"])[0];
    world.edit(laptop, drafts, known, "verfälscht");
    world.run(MINUTE);
    assert_eq!(says(&world, annex, drafts, late).as_deref(), Some("danach"));
    world.revoke(0, laptop, hall);
    world.run(MINUTE);
    world.heal();
    world.run(10 * MINUTE);
    for machine in [hall, annex] {
        assert_eq!(says(&world, machine, drafts, late), None);
        let status = world.machines[machine].engine.as_ref().and_then(|engine| engine.feed(&drafts)).expect("held");
        assert_eq!((status.verified, status.live), (Some(true), 1), "{machine}");
        assert_eq!(says(&world, machine, drafts, known).as_deref(), Some("Entwurf"));
    }
    let organisation = world.towns[0].id;
    assert!(world.machines[laptop].disk.identities[&organisation].is_revoked(&world.machines[laptop].node()));
    world.publish(laptop, drafts, &["noch eins"]);
    world.run(MINUTE);
    assert_eq!(world.live(hall, &drafts).len(), 1);
}
