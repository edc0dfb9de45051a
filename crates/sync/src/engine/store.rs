//! From what was accepted to what is on disk: one batch, and only then the cursor moves and the sender hears of it.

use std::collections::BTreeSet;

use ortsnetz_model::{EntryId, FeedId, Position};
use ortsnetz_trust::record::{Checkpoint, Equivocation};
use ortsnetz_trust::{Body, Record, SignedRecord};

use super::pipe::{Source, Storing, Work};
use super::timer::Timer;
use super::{Engine, Op};
use crate::alarm::Alarm;
use crate::effect::{Effect, Item, Lane, StoreBatch};
use crate::event::Verdict;
use crate::feed::{Feed, Marker, START};
use crate::limits::{REQUEST_MS, SET_ASIDE_MAX};
use crate::wire::{Message, PageKind, WireItem};

/// After a failed write the feed rests for so long.
const STORE_AGAIN_MS: u64 = 5_000;

impl Engine {
    /// Stores the next thing of a feed, if nothing is being stored.
    pub(super) fn store_accepted(&mut self, id: &FeedId) {
        let Some(pipe) = self.pipes.get_mut(id) else { return };
        if pipe.storing.is_some() {
            return;
        }
        let Some(feed) = self.feeds.get(id) else { return };
        let (work, mut batch) = if let Some(proof) = pipe.proof.take() {
            (None, freeze(feed, proof))
        } else if let Some(batch) = pipe.tidy.take() {
            (None, batch)
        } else if let Some(work) = pipe.accepted.take() {
            let batch = plan(feed, &work);
            (Some(work), batch)
        } else {
            return;
        };
        batch.feed = Some(*id);
        let nothing = StoreBatch { feed: Some(*id), ..StoreBatch::default() };
        let storing = Storing { work, batch };
        if storing.batch == nothing {
            return self.apply(id, storing);
        }
        let batch = storing.batch.clone();
        pipe.storing = Some(storing);
        let op = self.question(Op::Store(*id));
        self.out.push_back(Effect::Store { op, batch: Box::new(batch) });
    }

    pub(super) fn batch_stored(&mut self, id: FeedId, ok: bool) {
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        let Some(storing) = pipe.storing.take() else { return };
        if ok {
            self.apply(&id, storing);
            return self.advance(&id);
        }
        pipe.live.clear();
        pipe.audited.clear();
        pipe.wants.clear();
        pipe.retry_at = self.now + STORE_AGAIN_MS;
        if storing.work.is_none() {
            pipe.proof = storing.batch.evidence;
        }
        self.end_reading(&id);
        self.timers.set(self.now + STORE_AGAIN_MS, Timer::Feed(id));
        self.alarm(Alarm::NotStored { feed: id });
        self.advance(&id);
    }

    /// What was stored becomes what is held.
    fn apply(&mut self, id: &FeedId, storing: Storing) {
        let Storing { work, batch } = storing;
        let Some(feed) = self.feeds.get(id) else { return };
        let before = (feed.cursor, feed.list.0);
        let mut applied = BTreeSet::new();
        for (entry, position) in &batch.set_aside {
            self.change(id, entry, |feed| {
                if feed.index.row(entry).is_some_and(|row| row.position == *position) {
                    feed.index.remove(entry);
                    applied.insert(*entry);
                }
                feed.aside.insert((*entry, *position));
            });
        }
        for record in work.iter().flat_map(|work| batch.keep.iter().map(|at| work.accepting[*at].record())) {
            self.take(record);
        }
        let Some(feed) = self.feeds.get_mut(id) else { return };
        for settled in &batch.settled {
            feed.aside.remove(settled);
        }
        let aside = batch.set_aside.iter().map(|(entry, _)| *entry).collect::<BTreeSet<_>>();
        let mut aside: Vec<_> = aside.into_iter().collect();
        let mut kept = Vec::new();
        if let Some(work) = &work {
            for record in batch.aside.iter().map(|at| work.accepting[*at].record()) {
                if let Some(entry) = record.entry {
                    feed.aside.insert((entry, record.position));
                    aside.push(entry);
                }
            }
            for record in batch.keep.iter().map(|at| work.accepting[*at].record()) {
                applied.extend(record.entry);
                kept.push(record.clone());
            }
        }
        if let Some(cursor) = batch.cursor {
            feed.cursor = cursor;
        }
        if let Some(frozen) = batch.frozen {
            feed.frozen = frozen;
        }
        let changed = (feed.cursor, feed.list.0) != before;
        if changed || !applied.is_empty() {
            // Another tree: peers that could not explain the old one may explain this.
            self.pipes.entry(*id).or_default().audited.clear();
        }
        self.counters.records_in += kept.len() as u64;
        if let Some(proof) = batch.evidence {
            self.show_proof(id, proof);
        }
        if !aside.is_empty() {
            self.alarm(Alarm::SetAside { feed: *id, entries: aside });
            self.aside_changed(id);
        }
        let node = work.as_ref().map(|work| work.node);
        if !applied.is_empty() {
            self.out.push_back(Effect::Applied { node, feed: *id, entries: applied.into_iter().collect() });
        }
        self.publisher.look_at(id, &kept, self.instance, self.config.started_at);
        if let Some(work) = work {
            self.answered(id, &work);
            self.confirm(id, &work, changed);
        } else if changed {
            self.feed_changed(id, &BTreeSet::new());
        }
        self.returned_home(id);
        self.check_tree(id);
    }

    /// Tells the sender of a page that it is durable, and everybody else what is new.
    fn confirm(&mut self, id: &FeedId, work: &Work, changed: bool) {
        let node = work.node;
        let told = BTreeSet::from([node]);
        if changed {
            self.feed_changed(id, &told);
        }
        let Source::Page { upto, kind, .. } = work.source else { return };
        let cursor = self.feeds.get(id).map_or(START, |feed| feed.cursor);
        // Whoever may not have this feed from us gets no hash of what it may have, but its window moves.
        let offer = self.offer_if_told(&node);
        self.send(&node, &Message::Ack { feed: *id, cursor, stored: upto, offer }, Lane::Control);
        let Some(pipe) = self.pipes.get_mut(id) else { return };
        let ends = matches!(kind, PageKind::Last | PageKind::Large);
        if ends && pipe.reading.as_ref().is_some_and(|reading| reading.node == node) {
            pipe.reading = None;
            let unkept = self.sessions.get_mut(&node).is_some_and(|session| session.kept(id, changed, cursor));
            if unkept {
                self.block(&node, id, REQUEST_MS);
            }
            if let Some(session) = self.sessions.get_mut(&node)
                && kind == PageKind::Last
                && !self.pipes.get(id).is_some_and(|pipe| pipe.has_gap())
                && session.has.get(id).is_some_and(|has| *has > cursor && *has <= upto)
            {
                // It gave all it can give now: what it said it has beyond waits for its next word.
                session.has.insert(*id, cursor);
                session.offer = None;
            }
        }
        self.review_wish(id);
        self.settle(&node);
    }

    /// The proof is loaded: the record held, beside the other one.
    pub(super) fn proof_loaded(&mut self, id: FeedId, items: Vec<Option<Item>>) {
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        let Some(other) = pipe.contradiction.take() else { return };
        let held = items.into_iter().next().flatten().and_then(|item| SignedRecord::from_bytes(&item.record).ok());
        match held.as_ref().and_then(|held| Equivocation::of(held, &other)) {
            Some(proof) => pipe.proof = Some(proof),
            None => {
                // What we hold is not what we think we hold.
                let entry = self.feeds.get(&id).and_then(|feed| feed.index.at(&other.record().position));
                self.damaged(id, entry);
            }
        }
        self.advance(&id);
    }

    fn show_proof(&mut self, id: &FeedId, proof: Equivocation) {
        let (first, second) = proof.records();
        let wire =
            |signed: &SignedRecord| WireItem::new(&Item { record: signed.to_bytes().into(), chunks: Vec::new() });
        let message = Message::Evidence { feed: *id, items: vec![wire(first), wire(second)] };
        let nodes: Vec<_> =
            self.sessions.values().filter(|s| s.open() && s.offered.contains_key(id)).map(|s| s.peer.node).collect();
        for node in nodes {
            self.send(&node, &message, Lane::Control);
        }
        self.alarm(Alarm::Equivocation { feed: *id, position: proof.position(), proof: Box::new(proof) });
    }

    /// Somebody shows two records that contradict each other.
    pub(super) fn evidence(&mut self, _node: ortsnetz_model::NodeId, id: FeedId, items: Vec<WireItem>) {
        let mut records = items.into_iter().filter_map(|item| SignedRecord::from_bytes(&item.item()?.record).ok());
        let (Some(first), Some(second)) = (records.next(), records.next()) else { return };
        let Some(proof) = Equivocation::of(&first, &second) else { return };
        let position = proof.position();
        let signer = self.publisher_of(&id);
        let by_publisher = signer == Some((position.term, first.node())) && first.node() == second.node();
        let known = self.feeds.get(&id).is_none_or(|feed| feed.frozen.is_some_and(|frozen| frozen <= position));
        if known || !by_publisher || first.record().feed != id || !first.signature_holds() || !second.signature_holds()
        {
            return;
        }
        self.pipes.entry(id).or_default().proof = Some(proof);
        self.advance(&id);
    }

    /// An entry on disk cannot be used: it is as if it was never there, and comes again.
    pub(super) fn damaged(&mut self, id: FeedId, entry: Option<EntryId>) {
        match (entry, self.feeds.get_mut(&id)) {
            (_, None) => return,
            (None, Some(feed)) => feed.checkpoint = None,
            (Some(entry), Some(_)) => self.change(&id, &entry, |feed| {
                feed.index.remove(&entry);
            }),
        }
        let pipe = self.pipes.entry(id).or_default();
        pipe.audited.clear();
        if entry.is_none() {
            // The tree says nothing about checkpoints: ask whoever has it.
            pipe.suspicious = true;
        }
        self.check_tree(&id);
    }
}

/// The feed stands at the last position before a contradiction.
fn freeze(feed: &Feed, proof: Equivocation) -> StoreBatch {
    let position = proof.position();
    let from = feed.frozen.map_or(position, |frozen| frozen.min(position));
    let before = feed.index.range(START, from).rev().map(|(held, _)| held).find(|held| *held < from);
    let checkpoint = feed.checkpoint.as_ref().map(|marker| marker.position).filter(|held| *held < from);
    let cursor = feed.cursor.min(before.max(checkpoint).unwrap_or(START));
    StoreBatch {
        cursor: (cursor != feed.cursor).then_some(cursor),
        frozen: Some(Some(from)),
        evidence: Some(proof),
        ..StoreBatch::default()
    }
}

/// What of the accepted records is kept, what is kept beside, and how far the cursor moves.
fn plan(feed: &Feed, work: &Work) -> StoreBatch {
    let mut batch = StoreBatch { accept: work.accept, ..StoreBatch::default() };
    let (contiguous, upto) = match work.source {
        Source::Page { after, upto, .. } => (after <= feed.cursor, Some(upto)),
        Source::Want { .. } => (false, None),
    };
    let mut marker = feed.checkpoint.clone();
    let (mut reached, mut stopped) = (feed.cursor, work.cut_off);
    let mut kept = BTreeSet::new();
    for (record, place) in &work.records {
        if feed.frozen.is_some_and(|frozen| record.position >= frozen && record.position.term <= frozen.term) {
            continue;
        }
        if let Some(place) = *place {
            match work.verdicts.get(place) {
                // A checkpoint says what counts of everything before it, so everything before it has to be here.
                Some(Verdict::Valid { .. }) if record.entry.is_none() && upto.is_some() && (!contiguous || stopped) => {
                    stopped = true;
                }
                Some(Verdict::Valid { covers }) => {
                    choose(feed, record, place, *covers, &mut marker, &mut batch, &mut kept);
                }
                _ => stopped = true,
            }
        }
        if !stopped {
            reached = reached.max(record.position);
        }
    }
    if contiguous {
        if let Some(upto) = upto.filter(|upto| !stopped && feed.holds(upto)) {
            reached = reached.max(upto);
        }
        batch.cursor = (reached > feed.cursor).then_some(reached);
    }
    // A checkpoint sorts out what it does not count as soon as everything before it is here.
    let cursor = batch.cursor.unwrap_or(feed.cursor);
    let newer = |marker: &Marker| {
        feed.cursor < marker.position || feed.checkpoint.as_ref().is_none_or(|held| held.position < marker.position)
    };
    if let Some(marker) = marker.as_ref().filter(|marker| marker.position <= cursor && newer(marker)) {
        batch.set_aside.extend(feed.beyond(marker).into_iter().filter(|(entry, _)| !kept.contains(entry)));
        if feed.frozen.is_some_and(|frozen| marker.position.term > frozen.term) {
            batch.frozen = Some(None);
        }
    }
    let room = SET_ASIDE_MAX.saturating_sub(feed.aside.len() + batch.set_aside.len());
    batch.aside.truncate(room);
    batch
}

fn choose(
    feed: &Feed,
    record: &Record,
    place: usize,
    covers: bool,
    marker: &mut Option<Marker>,
    batch: &mut StoreBatch,
    kept: &mut BTreeSet<EntryId>,
) {
    let position = record.position;
    let admits = |position: &Position, marker: &Option<Marker>| {
        marker.as_ref().is_none_or(|marker| marker.checkpoint.admits(marker.position, *position))
    };
    let Some(entry) = record.entry else {
        let newer = feed.checkpoint.as_ref().is_none_or(|held| held.position < position);
        if let Body::Checkpoint(checkpoint) = &record.body
            && newer
        {
            *marker = Some(Marker { position, at: record.at, checkpoint: Checkpoint::clone(checkpoint) });
            batch.keep.push(place);
        }
        return;
    };
    let row = feed.index.row(&entry);
    if row.is_some_and(|row| row.position >= position) {
        return;
    }
    if !admits(&position, marker) || row.is_some_and(|row| row.generation > record.generation) {
        batch.aside.push(place);
        return;
    }
    if let Some(row) = row {
        let same_epoch = (row.position.term, row.position.epoch) == (position.term, position.epoch);
        // Whoever counts a record knew it when it wrote the next one.
        let known = marker.as_ref().is_some_and(|marker| admits(&row.position, &Some(marker.clone())));
        if !covers && !same_epoch && !known {
            batch.set_aside.push((entry, row.position));
        }
    }
    kept.insert(entry);
    batch.keep.push(place);
}
