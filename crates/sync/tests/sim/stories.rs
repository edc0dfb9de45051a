//! Stories: one thing each.

use ortsnetz_model::{EntryId, FeedId};
use ortsnetz_sync::Alarm;

use crate::machine::Lie;
use crate::world::World;

pub const MINUTE: u64 = 60_000;

/// Two towns that are partners, with their public feeds.
pub fn two_towns(seed: u64) -> (World, usize, usize) {
    let mut world = World::new(seed);
    let (siegburg, bonn) = (world.town("siegburg"), world.town("bonn"));
    world.partners(siegburg, bonn);
    world.run(2000);
    (world, siegburg, bonn)
}

pub fn text(world: &World, machine: usize, feed: FeedId, entry: EntryId) -> Option<Vec<u8>> {
    let disk = &world.machines[machine].disk;
    let generation = disk.records.get(&(feed, entry))?.record().generation;
    disk.chunks.get(&(feed, entry, generation))?.last().map(|stored| stored.bytes.to_vec())
}

#[test]
fn what_one_town_publishes_the_other_reads() {
    let (mut world, siegburg, bonn) = two_towns(1);
    let feed = world.feed(siegburg, "public");
    let entries = world.publish(siegburg, feed, &["Gewerbe-Anmeldung", "Personalausweis"]);
    world.run(MINUTE);
    assert!(text(&world, bonn, feed, entries[0]).is_some_and(|text| text.ends_with(b"Gewerbe-Anmeldung")));
    world.assert_converged();
    world.assert_quiet();
}

#[test]
fn a_public_feed_reaches_the_third_town_over_the_second() {
    let mut world = World::new(2);
    let towns = [world.town("a"), world.town("b"), world.town("c")];
    world.partners(towns[0], towns[1]);
    world.partners(towns[1], towns[2]);
    let feed = world.feed(towns[0], "public");
    let entries = world.publish(towns[0], feed, &["Hundesteuer"]);
    world.run(MINUTE);
    assert!(text(&world, towns[2], feed, entries[0]).is_some());
    world.edit(towns[0], feed, entries[0], "Hundesteuer ab Januar");
    world.run(5000);
    assert!(text(&world, towns[2], feed, entries[0]).is_some_and(|text| text.ends_with(b"ab Januar")));
    world.run(MINUTE);
    world.assert_converged();
    world.assert_quiet();
}

#[test]
fn a_relay_that_alters_a_byte_is_named_and_the_old_state_stays() {
    let mut world = World::new(3);
    let towns = [world.town("a"), world.town("b"), world.town("c")];
    world.partners(towns[0], towns[1]);
    world.partners(towns[1], towns[2]);
    let feed = world.feed(towns[0], "public");
    let entries = world.publish(towns[0], feed, &["28 Euro"]);
    world.run(MINUTE);
    let before = text(&world, towns[2], feed, entries[0]);
    world.lie(towns[1], Some(Lie::Alter));
    world.edit(towns[0], feed, entries[0], "30 Euro");
    world.run(MINUTE);
    assert_eq!(text(&world, towns[2], feed, entries[0]), before);
    let liar = world.machines[towns[1]].node();
    assert!(world.alarms(towns[2], |alarm| matches!(alarm, Alarm::Invalid { node, .. } if *node == liar)) > 0);
    // Asked elsewhere: the owner becomes a partner, the truth arrives although the liar goes on.
    world.partners(towns[0], towns[2]);
    world.run(MINUTE);
    assert!(text(&world, towns[2], feed, entries[0]).is_some_and(|text| text.ends_with(b"30 Euro")));
    world.lie(towns[1], None);
    world.run(15 * MINUTE);
    world.assert_converged();
}

#[test]
fn a_relay_that_has_not_the_changes_its_records_name_is_named_once_it_was_asked_for_them() {
    let mut world = World::new(13);
    let towns = [world.town("a"), world.town("b"), world.town("c")];
    world.partners(towns[0], towns[1]);
    world.partners(towns[1], towns[2]);
    let feed = world.feed(towns[0], "public");
    let entries = world.publish(towns[0], feed, &["28 Euro"]);
    world.run(MINUTE);
    let before = text(&world, towns[2], feed, entries[0]);
    world.lie(towns[1], Some(Lie::Keep));
    world.drop_line(towns[1], towns[2]);
    world.edit(towns[0], feed, entries[0], "30 Euro");
    world.run(MINUTE);
    assert_eq!(text(&world, towns[2], feed, entries[0]), before);
    let liar = world.machines[towns[1]].node();
    assert!(world.alarms(towns[2], |alarm| matches!(alarm, Alarm::Invalid { node, .. } if *node == liar)) > 0);
    world.lie(towns[1], None);
    world.run(15 * MINUTE);
    assert!(text(&world, towns[2], feed, entries[0]).is_some_and(|text| text.ends_with(b"30 Euro")));
    world.assert_converged();
}

#[test]
fn a_relay_that_withholds_a_record_is_found_out_by_the_signed_root() {
    let mut world = World::new(4);
    let towns = [world.town("a"), world.town("b"), world.town("c")];
    world.partners(towns[0], towns[1]);
    let feed = world.feed(towns[0], "public");
    world.publish(towns[0], feed, &["eins", "zwei", "drei", "vier"]);
    world.run(MINUTE);
    world.lie(towns[1], Some(Lie::Withhold));
    world.partners(towns[1], towns[2]);
    world.run(MINUTE);
    // The liar left out one record and named the totals; its tree betrays what is missing.
    let held = world.machines[towns[2]].engine.as_ref().and_then(|engine| engine.feed(&feed)).expect("c holds it");
    let known = held.verified == Some(true) || held.verified == Some(false);
    assert!(known, "{held:?}");
    assert_eq!(held.verified, Some(true), "repaired over the audit, which does not pass through pages");
    assert_eq!(held.entries, 4);
}

#[test]
fn what_a_relay_had_lost_reaches_its_reader_as_soon_as_the_relay_has_it_again() {
    let mut world = World::new(14);
    let towns = [world.town("a"), world.town("b"), world.town("c")];
    world.partners(towns[0], towns[1]);
    let feed = world.feed(towns[0], "public");
    let entries = world.publish(towns[0], feed, &["eins", "zwei", "drei"]);
    world.run(MINUTE);
    world.cut(towns[0], towns[1]);
    world.crash(towns[1]);
    let disk = &mut world.machines[towns[1]].disk;
    let lost = disk.records.remove(&(feed, entries[0])).expect("b held it");
    disk.chunks.remove(&(feed, entries[0], lost.record().generation));
    world.start(towns[1]);
    world.partners(towns[1], towns[2]);
    world.run(10 * MINUTE);
    assert!(text(&world, towns[2], feed, entries[0]).is_none());
    assert!(text(&world, towns[2], feed, entries[1]).is_some());
    let relay = world.machines[towns[1]].node();
    assert!(world.alarms(towns[2], |alarm| matches!(alarm, Alarm::Withheld { node, .. } if *node == relay)) > 0);
    world.heal();
    world.run(10_000);
    assert!(text(&world, towns[1], feed, entries[0]).is_some());
    assert!(text(&world, towns[2], feed, entries[0]).is_some());
    world.run(MINUTE);
    world.assert_converged();
}

#[test]
fn a_replayed_page_changes_nothing() {
    let mut world = World::new(5);
    let towns = [world.town("a"), world.town("b"), world.town("c")];
    world.partners(towns[0], towns[1]);
    world.partners(towns[1], towns[2]);
    let feed = world.feed(towns[0], "public");
    let entries = world.publish(towns[0], feed, &["alt"]);
    world.run(MINUTE);
    world.lie(towns[1], Some(Lie::Replay));
    for text in ["neu", "neuer", "am neuesten"] {
        world.edit(towns[0], feed, entries[0], text);
        world.run(5000);
    }
    world.run(MINUTE);
    assert!(text(&world, towns[2], feed, entries[0]).is_some_and(|text| text.ends_with(b"am neuesten")));
    world.assert_converged();
}

#[test]
fn drafts_meet_at_the_own_machines_and_nowhere_else() {
    let (mut world, siegburg, bonn) = two_towns(8);
    let laptop = world.second(siegburg, "laptop");
    world.run(2000);
    let desk = world.towns[siegburg].machines[0];
    let (at_desk, at_laptop) = (world.drafts(desk), world.drafts(laptop));
    world.publish(desk, at_desk, &["am Schreibtisch"]);
    world.publish(laptop, at_laptop, &["unterwegs"]);
    world.run(MINUTE);
    let held = |machine: usize, feed| world.machines[machine].disk.records.keys().filter(|(id, _)| *id == feed).count();
    assert_eq!([held(desk, at_laptop), held(laptop, at_desk)], [1, 1]);
    let abroad = world.towns[bonn].machines[0];
    assert_eq!([held(abroad, at_laptop), held(abroad, at_desk)], [0, 0]);
    world.assert_quiet();
}

#[test]
fn a_backup_that_was_restored_gets_its_own_records_back() {
    let (mut world, siegburg, bonn) = two_towns(9);
    let feed = world.feed(siegburg, "public");
    world.publish(siegburg, feed, &["vor der Sicherung"]);
    world.run(MINUTE);
    let backup = world.machines[siegburg].disk.clone();
    let lost = world.publish(siegburg, feed, &["nach der Sicherung"]);
    world.run(MINUTE);
    world.crash(siegburg);
    world.machines[siegburg].disk = backup;
    world.run(MINUTE);
    world.start(siegburg);
    world.run(MINUTE);
    assert!(world.alarms(siegburg, |alarm| matches!(alarm, Alarm::RolledBack { .. })) == 1);
    assert!(text(&world, siegburg, feed, lost[0]).is_some());
    world.publish(siegburg, feed, &["danach"]);
    world.run(MINUTE);
    world.assert_promises();
    world.assert_converged();
    assert!(text(&world, bonn, feed, lost[0]).is_some());
}

/// Siegburg published, edited its first entry, and started from a disk of before the edit, cut off from Bonn, which has it.
pub fn set_back_and_cut_off(seed: u64) -> (World, usize, usize, FeedId, Vec<EntryId>) {
    let (mut world, siegburg, bonn) = two_towns(seed);
    let feed = world.feed(siegburg, "public");
    let entries = world.publish(siegburg, feed, &["alt", "bleibt"]);
    world.run(MINUTE);
    let backup = world.machines[siegburg].disk.clone();
    world.edit(siegburg, feed, entries[0], "neu");
    world.run(MINUTE);
    world.crash(siegburg);
    world.machines[siegburg].disk = backup;
    world.cut(siegburg, bonn);
    world.run(MINUTE);
    world.start(siegburg);
    (world, siegburg, bonn, feed, entries)
}

#[test]
fn records_lost_for_good_come_back_as_yours() {
    let (mut world, siegburg, bonn, feed, entries) = set_back_and_cut_off(10);
    // Cut off from everybody who knows better, it goes on.
    world.edit(siegburg, feed, entries[0], "anders");
    world.run(MINUTE);
    world.heal();
    world.run(2 * MINUTE);
    assert!(text(&world, bonn, feed, entries[0]).is_some_and(|text| text.ends_with(b"anders")));
    assert_eq!(world.machines[siegburg].disk.returned.len(), 1);
    assert_eq!(world.machines[bonn].disk.aside.len(), 0, "the owner has it, nobody else need keep it");
    world.assert_promises();
    world.assert_converged();
}

#[test]
fn a_lost_entry_is_found_and_repaired_within_four_round_trips_and_8_kb() {
    let (mut world, siegburg, bonn) = two_towns(11);
    let feed = world.feed(siegburg, "public");
    let mut entries = Vec::new();
    for batch in 0..63 {
        let texts: Vec<_> = (0..64).map(|at| format!("Leistung {batch} {at}")).collect();
        entries.extend(world.publish(siegburg, feed, &texts.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    world.run(2 * MINUTE);
    world.assert_converged();
    let victim = entries[1234];
    world.machines[bonn].disk.records.remove(&(feed, victim));
    world.machines[bonn].disk.chunks.remove(&(feed, victim, 1));
    world.sent = vec![(0, 0); world.sent.len()];
    world.busy_frames = 0;
    world.tell(bonn, ortsnetz_sync::Event::Damaged { feed, entry: Some(victim) });
    world.run(5000);
    assert!(text(&world, bonn, feed, victim).is_some());
    assert!(world.alarms(bonn, |alarm| matches!(alarm, Alarm::Repaired { entries: 1, .. })) == 1);
    let bytes: u64 = world.sent.iter().map(|(_, bytes)| bytes).sum();
    assert!(world.busy_frames <= 8, "{} frames", world.busy_frames);
    assert!(bytes <= 8 * 1024, "{bytes} bytes");
    world.assert_converged();
}

#[test]
fn nothing_changed_costs_at_most_512_bytes() {
    for (seed, count) in [(12, 1), (13, 30)] {
        let (mut world, siegburg, bonn) = two_towns(seed);
        let feed = world.feed(siegburg, "public");
        for _ in 0..count {
            world.publish(siegburg, feed, &["eins", "zwei", "drei"]);
        }
        let theirs = world.feed(bonn, "public");
        world.publish(bonn, theirs, &["vier"]);
        world.run(MINUTE);
        world.cut(siegburg, bonn);
        world.run(MINUTE);
        world.sent = vec![(0, 0); world.sent.len()];
        world.busy_frames = 0;
        world.heal();
        world.run(5000);
        let bytes: u64 = world.sent.iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(world.busy_frames, 2, "two greetings");
        assert!(bytes <= 512, "{bytes} bytes");
        // Also after a restart of one side.
        world.cut(siegburg, bonn);
        world.run(MINUTE);
        world.crash(bonn);
        world.start(bonn);
        world.sent = vec![(0, 0); world.sent.len()];
        world.heal();
        world.run(5000);
        let bytes: u64 = world.sent.iter().map(|(_, bytes)| bytes).sum();
        assert!(bytes <= 512, "{bytes} bytes");
        world.assert_converged();
    }
}

#[test]
fn a_live_edit_costs_at_most_800_bytes_and_its_text() {
    let (mut world, siegburg, bonn) = two_towns(14);
    let feed = world.feed(siegburg, "public");
    let entries = world.publish(siegburg, feed, &["Gebühr 28 Euro"]);
    world.run(MINUTE);
    let text = "Gebühr 30 Euro";
    world.sent = vec![(0, 0); world.sent.len()];
    world.edit(siegburg, feed, entries[0], text);
    world.run(500);
    let bytes: u64 = world.sent.iter().map(|(_, bytes)| bytes).sum();
    assert!(bytes <= 800 + text.len() as u64, "{bytes} bytes");
    assert!(self::text(&world, bonn, feed, entries[0]).is_some_and(|held| held.ends_with(text.as_bytes())));
}

#[test]
fn a_first_sync_that_was_killed_sends_little_again() {
    let mut world = World::new(15);
    let (siegburg, bonn) = (world.town("siegburg"), world.town("bonn"));
    let feed = world.feed(siegburg, "public");
    // Incompressible texts of 2 KB, 2.6 MB in all.
    for _ in 0..20 {
        let texts: Vec<String> = (0..64)
            .map(|_| (0..2048).map(|_| char::from(rand::Rng::random_range(&mut world.rng, 33..127u8))).collect())
            .collect();
        world.publish(siegburg, feed, &texts.iter().map(String::as_str).collect::<Vec<_>>());
    }
    world.run(MINUTE);
    world.partners(siegburg, bonn);
    world.sent = vec![(0, 0); world.sent.len()];
    while world.sent[siegburg].1 < 1_000_000 {
        world.run(5);
    }
    world.crash(bonn);
    world.run(10_000);
    world.start(bonn);
    world.run(MINUTE);
    world.assert_converged();
    let total: u64 =
        world.machines[siegburg].disk.records.values().map(|signed| signed.to_bytes().len() as u64 + 2048).sum();
    let again = world.sent[siegburg].1.saturating_sub(total * 85 / 100);
    let sent = world.sent[siegburg].1;
    eprintln!("sent {sent} of about {total}, at most {again} again");
    let plain = world.machines[siegburg].engine.as_ref().map(|engine| engine.counters().records_out).unwrap_or(0);
    let twice = plain - 20 * 64 - 1;
    // What a record and its text take on the wire, where they are packed.
    let each = sent / plain;
    assert!(twice * each <= (256 * 1024).max(total / 20), "{twice} records of {each} bytes twice");
}

#[test]
fn a_disk_that_is_full_for_a_while_loses_nothing() {
    let (mut world, siegburg, bonn) = two_towns(16);
    let feed = world.feed(siegburg, "public");
    world.machines[bonn].full = true;
    world.publish(siegburg, feed, &["eins"]);
    world.run(MINUTE);
    assert!(world.alarms(bonn, |alarm| matches!(alarm, Alarm::NotStored { .. })) > 0);
    world.machines[bonn].full = false;
    world.run(MINUTE);
    world.assert_converged();
    world.machines[siegburg].full = true;
    world.publish(siegburg, feed, &["zwei"]);
    world.run(MINUTE);
    assert_eq!(world.refused, [ortsnetz_sync::PublishError::NotStored]);
    world.machines[siegburg].full = false;
    world.publish(siegburg, feed, &["drei"]);
    world.run(MINUTE);
    world.assert_promises();
    world.assert_converged();
}

#[test]
fn compare_names_what_differs() {
    let (mut world, siegburg, bonn) = two_towns(17);
    let feed = world.feed(siegburg, "public");
    let entries = world.publish(siegburg, feed, &["eins", "zwei"]);
    world.run(MINUTE);
    let same = world.compare(siegburg, bonn);
    world.run(2000);
    let result = world.compared[&same].clone().expect("an answer");
    assert_eq!(result.len(), 1);
    assert_eq!((result[0].ours, result[0].theirs, result[0].differing.len()), (2, 2, 0));
    // Cut off, one side goes on; compared at the moment the line is back, before it caught up.
    world.cut(siegburg, bonn);
    world.run(5000);
    world.edit(siegburg, feed, entries[0], "anders");
    let more = world.publish(siegburg, feed, &["drei"]);
    world.run(5000);
    world.machines[bonn].full = true;
    world.heal();
    world.run(200);
    let other = world.compare(siegburg, bonn);
    world.run(2000);
    let result = world.compared[&other].clone().expect("an answer");
    let mut expected = vec![entries[0], more[0]];
    expected.sort();
    assert_eq!(result[0].differing, expected);
    assert_eq!((result[0].ours, result[0].theirs), (3, 2));
}

#[test]
fn that_both_are_in_sync_is_told_after_a_reconnect_with_nothing_changed_and_seldom_otherwise() {
    let (mut world, siegburg, bonn) = two_towns(40);
    let feed = world.feed(siegburg, "public");
    world.publish(siegburg, feed, &["eins"]);
    world.run(MINUTE);
    world.cut(siegburg, bonn);
    world.run(MINUTE);
    let (here, there) = (world.machines[siegburg].node(), world.machines[bonn].node());
    world.machines.iter_mut().for_each(|machine| machine.in_sync.clear());
    let healed = world.now;
    world.heal();
    world.run(1000);
    for (machine, peer) in [(siegburg, there), (bonn, here)] {
        let told = &world.machines[machine].in_sync;
        assert!(told.len() == 1 && told[0].0 == peer && told[0].1 >= healed, "{told:?}");
    }
    // Ten minutes with an edit every ten seconds.
    for second in 0..60 {
        world.publish(siegburg, feed, &[&format!("neu {second}")]);
        world.run(10_000);
    }
    for machine in [siegburg, bonn] {
        let told = world.machines[machine].in_sync.len();
        assert!((9..=11).contains(&told), "{told} times in ten minutes");
    }
    // Idle for an hour, then the line breaks: both were in sync until just now.
    world.run(60 * MINUTE);
    let last = world.machines[bonn].engine.as_ref().and_then(|engine| engine.peers()[0].last_sync_at);
    assert!(last.is_some_and(|at| at + ortsnetz_sync::limits::BEAT_MS + 1000 >= world.now), "{last:?}");
    world.cut(siegburg, bonn);
    world.run(10_000);
    for machine in [siegburg, bonn] {
        let told = world.machines[machine].in_sync.last().map(|(_, at)| *at);
        assert!(told.is_some_and(|at| at + MINUTE > world.now), "{told:?} at {}", world.now);
    }
}

#[test]
fn an_entry_with_documents_in_two_collections_counts_once() {
    let (mut world, siegburg, bonn) = two_towns(41);
    let partners = world.share(siegburg, "partners", &[bonn], false);
    let public = world.feed(siegburg, "public");
    let entries = world.publish(siegburg, public, &["eins", "zwei", "drei"]);
    world.edit(siegburg, partners, entries[0], "nur fuer Partner");
    world.edit(siegburg, partners, entries[1], "nur fuer Partner");
    world.run(MINUTE);
    let id = world.towns[siegburg].id;
    let count = |world: &World, machine: usize| world.machines[machine].engine.as_ref().map(|e| e.entries_of(&id));
    assert_eq!((count(&world, siegburg), count(&world, bonn)), (Some(3), Some(3)));
    world.withdraw(siegburg, public, entries[0]);
    world.withdraw(siegburg, public, entries[2]);
    world.run(MINUTE);
    assert_eq!((count(&world, siegburg), count(&world, bonn)), (Some(2), Some(2)));
    world.withdraw(siegburg, partners, entries[0]);
    world.run(MINUTE);
    assert_eq!((count(&world, siegburg), count(&world, bonn)), (Some(1), Some(1)));
    world.crash(bonn);
    world.start(bonn);
    assert_eq!(count(&world, bonn), Some(1));
    world.run(MINUTE);
    world.assert_converged();
}

/// The generations of which a machine has anything on disk.
fn generations(world: &World, machine: usize, entry: EntryId) -> Vec<u32> {
    let held = world.machines[machine]
        .disk
        .chunks
        .iter()
        .filter(|((_, about, _), chunks)| *about == entry && !chunks.is_empty());
    held.map(|((_, _, generation), _)| *generation).collect()
}

#[test]
fn a_redaction_reaches_who_was_away_and_old_copies_cannot_undo_it() {
    let mut world = World::new(77);
    let [owner, relay, far] = [world.town("a"), world.town("b"), world.town("c")];
    world.partners(owner, relay);
    world.partners(relay, far);
    let feed = world.feed(owner, "public");
    let entry = world.publish(owner, feed, &["mit dem Satz"])[0];
    let gone = world.publish(owner, feed, &["nur der Satz"])[0];
    world.run(MINUTE);
    let backups: Vec<_> = [owner, relay, far].map(|machine| (machine, world.machines[machine].disk.clone())).into();
    world.cut(relay, far);
    world.redact(owner, feed, entry, Some("ohne"));
    world.redact(owner, feed, gone, None);
    world.run(MINUTE);
    for machine in [owner, relay] {
        assert_eq!((generations(&world, machine, entry), generations(&world, machine, gone)), (vec![2], vec![]));
    }
    assert_eq!(generations(&world, far, entry), [1], "it was away");
    // What it meets is the publication after the redaction.
    world.edit(owner, feed, entry, "ohne, und mehr");
    world.heal();
    world.run(MINUTE);
    // Each disk dies in turn and comes back as it was before.
    for (machine, disk) in backups {
        assert_eq!((generations(&world, machine, entry), generations(&world, machine, gone)), (vec![2], vec![]));
        world.crash(machine);
        world.machines[machine].disk = disk;
        assert_eq!(generations(&world, machine, entry), [1]);
        world.start(machine);
        world.run(5 * MINUTE);
        assert_eq!((generations(&world, machine, entry), generations(&world, machine, gone)), (vec![2], vec![]));
    }
    assert!(text(&world, far, feed, entry).is_some_and(|text| text.ends_with(b"und mehr")));
    world.assert_converged();
}
