//! What must hold at the end of every run.

use std::collections::BTreeSet;

use ortsnetz_model::FeedId;

use crate::world::{Promise, World};

impl World {
    /// The feeds in which something was published by a machine, with that machine.
    pub fn published_feeds(&self) -> BTreeSet<FeedId> {
        self.promises.iter().map(|promise| promise.feed).collect()
    }

    fn engine(&self, machine: usize) -> &ortsnetz_sync::Engine {
        self.machines[machine].engine.as_ref().expect("the machine runs")
    }

    /// Machines that have a way to the feed's owner over towns that may read and pass it on.
    pub fn readers(&self, feed: &FeedId) -> BTreeSet<usize> {
        let newest = self.lists.iter().filter(|((id, _), _)| id == feed).max_by_key(|((_, serial), _)| *serial);
        let serial = newest.map(|((_, serial), _)| *serial);
        let drafts = newest.is_none();
        let may = |machine: usize| {
            if self.stolen.contains_key(&machine) {
                return false;
            }
            let organisation = self.machines[machine].organisation;
            organisation == feed.organisation || !drafts && self.could_read(feed, &organisation, serial)
        };
        let owner = self.towns.iter().find(|town| town.id == feed.organisation).expect("a feed has an owner");
        let mut reached: BTreeSet<usize> = owner.machines.iter().take(1).copied().collect();
        let relay = newest.is_some_and(|(_, readers)| *readers == ortsnetz_trust::statement::Readers::Public)
            || owner.identity.may_relay(&feed.collection);
        loop {
            let more: Vec<_> = self
                .lines()
                .into_iter()
                .flat_map(|(a, b)| [(a, b), (b, a)])
                .filter(|(from, to)| reached.contains(from) && !reached.contains(to) && may(*to))
                .filter(|(from, to)| !self.has_parted(*from, *to) && !self.has_parted(*to, *from))
                .filter(|(from, to)| {
                    let (from, to) = (self.machines[*from].organisation, self.machines[*to].organisation);
                    relay || from == feed.organisation || from == to
                })
                .map(|(_, to)| to)
                .collect();
            if more.is_empty() {
                return reached;
            }
            reached.extend(more);
        }
    }

    /// Roots and cursors are equal wherever a feed may be read.
    pub fn assert_converged(&self) {
        for feed in self.published_feeds() {
            let readers = self.readers(&feed);
            let publisher = *readers.first().expect("somebody reads");
            let mut known = (0..self.machines.len()).filter(|machine| !self.stolen.contains_key(machine));
            let publisher = known.find(|m| self.is_publisher(&self.machines[*m], &feed)).unwrap_or(publisher);
            let Some(expected) = self.engine(publisher).feed(&feed) else {
                let promises = self.promises.iter().filter(|promise| promise.feed == feed);
                assert!(promises.clone().all(|promise| self.cannot_come_back(promise)), "a publisher holds its feed");
                continue;
            };
            assert!(expected.verified != Some(false), "{} differs from its own totals", self.machines[publisher].name);
            for reader in readers {
                let held = self.engine(reader).feed(&feed);
                let name = &self.machines[reader].name;
                let held = held.unwrap_or_else(|| panic!("{name} holds nothing of {feed:?}"));
                assert_eq!(
                    (held.cursor, held.root, held.live),
                    (expected.cursor, expected.root, expected.live),
                    "{name} differs from {} in {feed:?}",
                    self.machines[publisher].name
                );
                self.assert_disk(reader, &feed);
            }
        }
        self.assert_counted();
        for machine in &self.machines {
            for peer in machine.engine.as_ref().map(|engine| engine.peers()).unwrap_or_default() {
                assert!(peer.in_sync, "{} does not think it is in sync: {peer:?}", machine.name);
            }
        }
    }

    /// Each entry of a town is counted once, whatever it has in which collection; drafts are not.
    pub fn assert_counted(&self) {
        for machine in self.machines.iter().filter(|machine| machine.engine.is_some()) {
            for town in &self.towns {
                let live = machine.disk.records.iter().filter(|((feed, _), signed)| {
                    feed.organisation == town.id
                        && signed.record().is_live()
                        && town.identity.draft_node(&feed.collection).is_none()
                });
                let entries: BTreeSet<_> = live.map(|((_, entry), _)| *entry).collect();
                let counted = machine.engine.as_ref().map_or(0, |engine| engine.entries_of(&town.id));
                assert_eq!(counted, entries.len() as u64, "{} counts wrongly", machine.name);
            }
        }
    }

    fn is_publisher(&self, machine: &crate::machine::Machine, feed: &FeedId) -> bool {
        let town = self.towns.iter().find(|town| town.id == feed.organisation);
        town.is_some_and(|town| match town.identity.draft_node(&feed.collection) {
            Some(node) => node == machine.node(),
            None => town.identity.current_term().is_some_and(|(_, node)| node == machine.node()),
        })
    }

    /// What the engine believes is on disk, with every change.
    fn assert_disk(&self, machine: usize, feed: &FeedId) {
        let place = &self.machines[machine];
        let snapshot = place.disk.snapshot();
        let config = ortsnetz_sync::Config {
            node: place.node(),
            organisation: place.organisation,
            started_at: self.now,
            zstd_level: 1,
        };
        let again = ortsnetz_sync::Engine::new(config, 0, snapshot);
        let (told, stored) = (self.engine(machine).feed(feed), again.feed(feed));
        assert_eq!(
            told.map(|feed| (feed.cursor, feed.root)),
            stored.map(|feed| (feed.cursor, feed.root)),
            "the disk of {} is not what its engine thinks",
            place.name
        );
        for ((_, entry), signed) in place.disk.records.iter().filter(|((id, _), _)| id == feed) {
            let key = (*feed, *entry, signed.record().generation);
            let held = place.disk.chunks.get(&key).map(Vec::as_slice).unwrap_or_default();
            let closure = crate::disk::closure(&crate::disk::heads(signed), held);
            let whole = crate::disk::heads(signed).iter().all(|head| closure.contains(head));
            assert!(whole, "{} lacks changes of {entry}", place.name);
        }
    }

    /// Nothing that was acknowledged is lost.
    pub fn assert_promises(&self) {
        for promise in &self.promises {
            let kept = self.towns[promise.town].machines.iter().any(|machine| {
                let disk = &self.machines[*machine].disk;
                let newest = disk.records.get(&(promise.feed, promise.entry));
                let newer = newest.is_some_and(|signed| signed.record().position >= promise.position);
                newer || disk.returned.contains_key(&(promise.feed, promise.entry, promise.position))
            });
            assert!(kept || self.cannot_come_back(promise), "{promise:?} is lost; held by {:?}", self.holders(promise));
        }
    }

    /// Machines that hold what was promised, or something newer.
    fn holders(&self, promise: &Promise) -> Vec<usize> {
        let holds = |machine: &usize| {
            let newest = self.machines[*machine].disk.records.get(&(promise.feed, promise.entry));
            newest.is_some_and(|signed| signed.record().position >= promise.position)
        };
        (0..self.machines.len()).filter(holds).collect()
    }

    /// Whether a disk of the owner was set back, and nobody who holds the entry is a partner any more or has a way to him
    /// over partners who pass it on.
    fn cannot_come_back(&self, promise: &Promise) -> bool {
        let readers = self.readers(&promise.feed);
        self.towns[promise.town].machines.iter().any(|machine| self.set_back.contains(machine))
            && self.holders(promise).iter().all(|holder| !readers.contains(holder))
    }

    /// Nobody ever said that nothing was repaired.
    pub fn assert_no_empty_repairs(&self) {
        for machine in &self.machines {
            let empty =
                machine.alarms.iter().any(|alarm| matches!(alarm, ortsnetz_sync::Alarm::Repaired { entries: 0, .. }));
            assert!(!empty, "{} repaired nothing", machine.name);
        }
    }

    /// Nobody holds an entry outside its reader list.
    pub fn assert_private(&self) {
        for machine in &self.machines {
            for ((feed, entry), signed) in &machine.disk.records {
                // Whoever is added to a list later gets what was published before.
                let serial = signed.record().list_serial;
                let own = feed.organisation == machine.organisation;
                let may = own || self.could_read_since(feed, &machine.organisation, serial);
                assert!(may, "{} holds {entry} of {feed:?}", machine.name);
            }
        }
    }

    /// After everything is said nobody says more than that he lives.
    pub fn assert_quiet(&mut self) {
        self.busy_frames = 0;
        self.run(60_000);
        assert_eq!(self.busy_frames, 0, "somebody still talks");
    }

    pub fn alarms(&self, machine: usize, which: impl Fn(&ortsnetz_sync::Alarm) -> bool) -> usize {
        self.machines[machine].alarms.iter().filter(|alarm| which(alarm)).count()
    }
}
