//! What goes over the lines, and the invariant held at each frame: who may read what it says.

use super::*;

impl World {
    pub fn machine_of(&self, node: &NodeId) -> Option<usize> {
        self.machines.iter().position(|machine| machine.node() == *node)
    }

    pub(super) fn transmit(&mut self, from: usize, node: NodeId, frame: Vec<u8>) {
        let Some(to) = self.machine_of(&node) else { return };
        assert!(frame.len() <= ortsnetz_sync::limits::FRAME_BYTES_MAX, "a frame of {} bytes", frame.len());
        self.inspect(from, to, &frame);
        let mut frames = crate::lie::told(&mut self.machines[from], frame);
        if self.duplicates && self.rng.random_range(0..20) == 0 {
            frames.push(frames[0].clone());
        }
        for bytes in frames {
            self.sent[from].0 += 1;
            self.sent[from].1 += bytes.len() as u64;
            if let Some(tap) = &mut self.tap {
                tap.push((from, to, bytes.clone()));
            }
            if self.deaf.contains(&to) {
                continue;
            }
            let delay = self.rng.random_range(1..=self.longest_delay);
            let broken = self.drops && self.rng.random_range(0..200) == 0;
            let Some(line) = self.lines.get_mut(&(from.min(to), from.max(to))) else { return };
            let Some(connection) = line.up else { return };
            let free = &mut line.free_at[usize::from(from > to)];
            *free = (self.now + delay).max(*free);
            let delay = *free - self.now;
            self.later(delay, Happening::Deliver { to, from, connection, bytes });
            if broken {
                return self.drop_line(from, to);
            }
        }
    }

    pub(super) fn connect(&mut self, a: usize, b: usize) {
        // Whoever knows that the partnership ended does not dial, but is not deaf.
        if self.has_parted(a, b) && self.has_parted(b, a) {
            return;
        }
        // Nor does anybody dial a machine whose certificate was taken back, once both know it.
        if self.knows_stolen(a, b) && self.knows_stolen(b, a) {
            return;
        }
        let Some(line) = self.lines.get_mut(&(a.min(b), a.max(b))) else { return };
        if line.cut || line.up.is_some() {
            return;
        }
        if self.machines[a].engine.is_none() || self.machines[b].engine.is_none() {
            return;
        }
        self.count += 1;
        line.up = Some(self.count);
        for (machine, peer) in [(a, b), (b, a)] {
            let (node, organisation) = (self.machines[peer].node(), self.machines[peer].organisation);
            self.tell(machine, Event::Connected { peer: Peer { node, organisation } });
        }
    }

    /// Tells a machine when what it sent so far has arrived; never where nobody reads it.
    pub(super) fn drain_line(&mut self, from: usize, node: &NodeId) {
        let Some(to) = self.machine_of(node).filter(|to| !self.deaf.contains(to)) else { return };
        let Some(line) = self.lines.get(&(from.min(to), from.max(to))) else { return };
        let Some(connection) = line.up else { return };
        let delay = line.free_at[usize::from(from > to)].saturating_sub(self.now);
        self.later(delay, Happening::Drained { machine: from, peer: to, connection });
    }

    /// A machine sends what its engine did not mean.
    pub fn inject(&mut self, from: usize, to: usize, message: &Message) {
        let node = self.machines[from].node();
        self.tell(to, Event::Frame { node, bytes: message.frame(3) });
    }

    /// Whether a machine knows that one side ended the partnership with the town of another machine.
    pub fn has_parted(&self, machine: usize, from: usize) -> bool {
        let (own, other) = (self.machines[machine].organisation, self.machines[from].organisation);
        let known = &self.machines[machine].disk.identities;
        let last = |of: &OrgId, with: &OrgId| {
            let slot = Slot::Partnership(*with);
            let signed = known.get(of)?.statement(&slot)?;
            Some((known[of].serial(&slot), matches!(signed.statement(), Statement::PartnershipEnd(_))))
        };
        let newest = last(&own, &other).max(last(&other, &own));
        own != other && newest.is_some_and(|(_, ended)| ended)
    }

    /// Nothing about a collection goes to somebody who could never read it.
    fn inspect(&mut self, from: usize, to: usize, frame: &[u8]) {
        let Ok(Some(message)) = Message::read(frame) else { panic!("{} sends no message", self.machines[from].name) };
        if !matches!(message, Message::Beat { .. }) {
            self.busy_frames += 1;
        }
        let plain = minicbor::to_vec(&message).expect("a message can be encoded");
        let organisation = self.machines[to].organisation;
        for feed in self.lists.keys().map(|(feed, _)| *feed).collect::<BTreeSet<_>>() {
            if !self.could_read(&feed, &organisation, None) {
                let id = feed.collection.0;
                let found = plain.windows(16).any(|window| window == id);
                assert!(
                    !found,
                    "{} tells {} of a private collection: {message:?}",
                    self.machines[from].name, self.machines[to].name
                );
            }
        }
        self.inspect_now(from, to, &message);
    }

    /// And nothing to somebody who may not read it now, as far as the sender knows: not even how many there are.
    fn inspect_now(&self, from: usize, to: usize, message: &Message) {
        let (sender, receiver) = (&self.machines[from], self.machines[to].organisation);
        let reads = |feed: &FeedId| {
            let known = sender.disk.identities.get(&feed.organisation);
            let drafts = known.is_some_and(|known| known.draft_node(&feed.collection).is_some());
            feed.organisation == receiver
                || !drafts && known.is_some_and(|known| known.can_read(&feed.collection, &receiver))
        };
        let said: Vec<FeedId> = match message {
            Message::Have { feeds, .. } => feeds.iter().map(|held| held.feed).collect(),
            Message::Page { feed, .. } | Message::Changes { feed, .. } | Message::Yours { feed, .. } => vec![*feed],
            Message::AuditBuckets { feed, live, buckets, .. } if *live > 0 || !buckets.is_empty() => vec![*feed],
            Message::AuditItems { feed, items, .. } if !items.is_empty() => vec![*feed],
            Message::Chain { statements, .. } => {
                for bytes in statements {
                    let signed = Signed::from_bytes(bytes).expect("statements can be read");
                    match signed.statement() {
                        Statement::Collection(list) if list.readers != Readers::Public => {
                            let named = matches!(&list.readers, Readers::Organisations(all) if all.contains(&receiver));
                            let told = named || list.organisation == receiver;
                            assert!(told, "{} shows {} a list it is not on", sender.name, self.machines[to].name);
                        }
                        Statement::ReaderRemoval(removal) => {
                            let feed = FeedId { organisation: removal.organisation, collection: removal.collection };
                            let told = removal.reader == receiver || reads(&feed);
                            assert!(told, "{} shows {} who was removed", sender.name, self.machines[to].name);
                        }
                        _ => {}
                    }
                }
                Vec::new()
            }
            _ => Vec::new(),
        };
        for feed in said {
            assert!(reads(&feed), "{} gives {} what it may not have: {message:?}", sender.name, self.machines[to].name);
        }
        let farewell = matches!(
            message,
            Message::Hello { .. } | Message::Chain { .. } | Message::Bye { .. } | Message::Beat { .. }
        );
        let parted = self.has_parted(from, to);
        assert!(!parted || farewell, "{} talks to {}, a past partner", sender.name, self.machines[to].name);
    }

    /// Whether an organisation was on the reader list with this serial or a later one.
    pub fn could_read_since(&self, feed: &FeedId, organisation: &OrgId, serial: u64) -> bool {
        self.lists.keys().any(|(id, at)| id == feed && *at >= serial && self.could_read(feed, organisation, Some(*at)))
    }

    /// Whether an organisation was on a reader list: the one with this serial, or any.
    pub fn could_read(&self, feed: &FeedId, organisation: &OrgId, serial: Option<u64>) -> bool {
        if feed.organisation == *organisation {
            return true;
        }
        self.lists.iter().filter(|((id, at), _)| id == feed && serial.is_none_or(|serial| serial == *at)).any(
            |(_, readers)| match readers {
                Readers::Public => true,
                Readers::Organisations(list) => list.contains(organisation),
                Readers::Internal => false,
            },
        )
    }
}
