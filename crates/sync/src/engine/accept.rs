//! From what arrived to what is accepted: what is held already drops out, the rest is verified outside.

use ortsnetz_model::{FeedId, NodeId, Position};
use ortsnetz_trust::SignedRecord;

use super::pipe::{Inbound, Source, Work};
use super::{Engine, Op};
use crate::alarm::Alarm;
use crate::effect::{Effect, Query};
use crate::event::{OpId, Verdict};
use crate::feed::Feed;
use crate::index::representable;
use crate::limits::{AHEAD_MS, BLOCKED_MS, FEED_ENTRIES_MAX, REQUEST_MS};

/// Why a record is refused whose changes a peer cannot give although it was asked for them.
const NOT_NAMED: &str = "the changes handed over are not those the signed record names";

/// Why a record of a node whose certificate was taken back is refused that stands where another one stands.
const OF_REVOKED: &str = "the certificate of its writer was taken back, and another record stands at its position";

/// What to do with a record before anybody verifies it.
enum Sight {
    /// Held, or not to be held: nothing to do, the cursor may pass it.
    Skip,
    /// New.
    Take,
    /// Held back, or too much: the cursor must stop before it.
    Stop,
    /// Contradicts the form or the order.
    Wrong(&'static str),
}

impl Engine {
    /// Moves the pipeline of a feed: live edits before pages.
    pub(super) fn advance(&mut self, feed: &FeedId) {
        loop {
            self.store_accepted(feed);
            if self.waits_for_chain(&feed.organisation) {
                return;
            }
            let Some(pipe) = self.pipes.get_mut(feed) else { return };
            if pipe.accepting.is_some() || pipe.accepted.is_some() {
                return;
            }
            let Some(inbound) = pipe.live.pop_front().or_else(|| pipe.bulk.pop_front()) else { return };
            let Some(work) = self.look_at(feed, inbound) else { continue };
            let Some(pipe) = self.pipes.get_mut(feed) else { return };
            // A record of the same entry on its way to disk has to arrive there first.
            let storing = pipe.storing.as_ref().map(super::pipe::Storing::entries).unwrap_or_default();
            if work.entries().intersection(&storing).next().is_some() {
                let Look { node, source, items, bytes, .. } = work;
                pipe.live.push_front(Inbound { node, source, items, bytes });
                return;
            }
            self.start_accepting(feed, work);
        }
    }

    fn start_accepting(&mut self, feed: &FeedId, look: Look) {
        let Look { node, source, items, records, accepting, places, cut_off, bytes } = look;
        let mut work = Work { node, source, records, accepting, accept: None, verdicts: Vec::new(), cut_off, bytes };
        let mut items: Vec<_> = items.into_iter().map(Some).collect();
        let items: Vec<_> = places.into_iter().filter_map(|place| items.get_mut(place)?.take()).collect();
        if items.is_empty() {
            if let Some(pipe) = self.pipes.get_mut(feed) {
                pipe.accepted = Some(work);
            }
            return;
        }
        let op = self.question(Op::Accept(*feed));
        work.accept = Some(op);
        if let Some(pipe) = self.pipes.get_mut(feed) {
            pipe.accepting = Some(work);
        }
        self.out.push_back(Effect::Accept { op, node, feed: *feed, items });
    }

    /// Reads the records and sorts out what needs no verifying. `None` if the page is refused.
    fn look_at(&mut self, id: &FeedId, inbound: Inbound) -> Option<Look> {
        let mut look = Look {
            node: inbound.node,
            source: inbound.source,
            items: inbound.items,
            records: Vec::new(),
            accepting: Vec::new(),
            places: Vec::new(),
            cut_off: false,
            bytes: inbound.bytes,
        };
        self.feeds.entry(*id).or_default();
        let mut last = match look.source {
            Source::Page { after, .. } => after,
            Source::Want { .. } => Position::default(),
        };
        let mut fresh = 0;
        for (place, item) in look.items.iter().enumerate() {
            let signed = match SignedRecord::from_bytes(&item.record) {
                Ok(signed) => signed,
                Err(error) => {
                    self.invalid(&look.node, id, None, error.to_string());
                    return None;
                }
            };
            let record = signed.record();
            let feed = self.feeds.get(id)?;
            let complete = feed.verified() == Some(true) && self.is_of_revoked(id, record.position.term);
            match sight(feed, id, &signed, look.source, last, self.now, fresh) {
                // The signed totals are there, and a revoked node adds nothing to them, wherever it says that it stood.
                Sight::Take if complete && record.position < feed.cursor => {
                    last = record.position;
                    look.records.push((record.clone(), None));
                }
                Sight::Wrong(reason) => {
                    let entry = record.entry;
                    self.invalid(&look.node, id, entry, reason.into());
                    return None;
                }
                Sight::Stop => {
                    let position = record.position;
                    self.held_back(id, position);
                    look.cut_off = true;
                    break;
                }
                Sight::Skip => {
                    last = record.position;
                    self.counters.records_again += 1;
                    look.records.push((record.clone(), None));
                }
                Sight::Take => {
                    last = record.position;
                    fresh += 1;
                    look.records.push((record.clone(), Some(look.accepting.len())));
                    look.places.push(place);
                    look.accepting.push(signed);
                }
            }
        }
        Some(look)
    }

    fn held_back(&mut self, id: &FeedId, position: Position) {
        let Some(feed) = self.feeds.get_mut(id) else { return };
        if feed.ahead_told == Some(position) {
            return;
        }
        feed.ahead_told = Some(position);
        if position.epoch > self.now + AHEAD_MS {
            self.alarm(Alarm::Ahead { feed: *id, position });
        } else {
            self.alarm(Alarm::Full { feed: *id });
        }
    }

    /// A peer sent something wrong: the old state stays, others are asked.
    pub(super) fn invalid(
        &mut self,
        node: &NodeId,
        feed: &FeedId,
        entry: Option<ortsnetz_model::EntryId>,
        reason: String,
    ) {
        self.alarm(Alarm::Invalid { node: *node, feed: *feed, entry, reason });
        self.block(node, feed, BLOCKED_MS);
        self.wants_lost(feed, node);
    }

    pub(super) fn accepted(&mut self, op: OpId, verdicts: Vec<Verdict>) {
        let Some(Op::Accept(feed)) = self.ops.remove(&op.0) else { return };
        let Some(pipe) = self.pipes.get_mut(&feed) else { return };
        let Some(mut work) = pipe.accepting.take() else { return };
        work.verdicts = verdicts;
        work.verdicts.resize(work.accepting.len(), Verdict::Invalid("not judged".into()));
        let mut verdicts = std::mem::take(&mut work.verdicts);
        let mut contradiction = None;
        for (signed, verdict) in work.accepting.iter().zip(&mut verdicts) {
            let record = signed.record();
            let entry = record.entry;
            match verdict {
                Verdict::Valid { .. } => {}
                Verdict::Incomplete { .. } if matches!(work.source, Source::Want { .. }) => {
                    // It was asked for exactly what was missing: what it has is not what the record names.
                    self.invalid(&work.node, &feed, entry, NOT_NAMED.into());
                }
                Verdict::Incomplete { have } => self.want(&feed, entry, &work.node, std::mem::take(have), work.source),
                Verdict::Damaged => {
                    self.damaged(feed, entry);
                    self.want(&feed, entry, &work.node, Vec::new(), work.source);
                }
                Verdict::Unknown => self.learn_more(&feed, &work.node, work.source),
                Verdict::Invalid(reason) => {
                    let reason = std::mem::take(reason);
                    self.invalid(&work.node, &feed, entry, reason);
                }
            }
            let good = matches!(verdict, Verdict::Valid { .. } | Verdict::Incomplete { .. });
            let contradicts = good && self.contradicts(&feed, signed);
            if contradicts && self.is_of_revoked(&feed, record.position.term) {
                // A thief could write that at any time; it must not stop the feed.
                *verdict = Verdict::Invalid(String::new());
                self.invalid(&work.node, &feed, entry, OF_REVOKED.into());
            } else if contradicts {
                contradiction = Some(signed.clone());
                // It must not replace what is held.
                *verdict = Verdict::Unknown;
            }
        }
        work.verdicts = verdicts;
        self.pipes.entry(feed).or_default().accepted = Some(work);
        if let Some(signed) = contradiction {
            self.prove(&feed, signed);
        }
        self.advance(&feed);
    }

    /// A record cannot be judged yet: newer statements may help, or the checkpoint that counts it. Asked for once; then
    /// the feed rests with this peer for a while.
    fn learn_more(&mut self, feed: &FeedId, node: &NodeId, source: Source) {
        let pipe = self.pipes.entry(*feed).or_default();
        if !pipe.unknown.insert(*node) {
            pipe.unknown.remove(node);
            return self.block(node, feed, REQUEST_MS);
        }
        self.ask_for_chain(node, &feed.organisation, [0; 16]);
        if matches!(source, Source::Page { .. }) {
            self.want(feed, None, node, Vec::new(), source);
        }
    }

    /// Whether another record is held at the position of this one.
    fn contradicts(&self, feed: &FeedId, signed: &SignedRecord) -> bool {
        let Some(held) = self.feeds.get(feed) else { return false };
        let position = signed.record().position;
        match (held.index.at(&position), signed.record().item()) {
            (Some(entry), Some((other, item))) => {
                entry != other || held.index.row(&entry).is_none_or(|row| row.item != item)
            }
            (Some(_), None) => true,
            (None, Some(_)) => held.checkpoint.as_ref().is_some_and(|marker| marker.position == position),
            (None, None) => false,
        }
    }

    fn prove(&mut self, feed: &FeedId, signed: SignedRecord) {
        let pipe = self.pipes.entry(*feed).or_default();
        if pipe.contradiction.is_some() || pipe.proof.is_some() {
            return;
        }
        let position = signed.record().position;
        let entry = self.feeds.get(feed).and_then(|held| held.index.at(&position));
        pipe.contradiction = Some(signed);
        let op = self.question(Op::Proof(*feed));
        let query = Query::Records { entries: vec![entry], after: Some(position) };
        self.out.push_back(Effect::Load { op, feed: *feed, query });
    }
}

/// What arrived, sorted.
struct Look {
    node: NodeId,
    source: Source,
    items: Vec<crate::Item>,
    records: Vec<(ortsnetz_trust::Record, Option<usize>)>,
    accepting: Vec<SignedRecord>,
    /// Places of those to accept among the items.
    places: Vec<usize>,
    cut_off: bool,
    bytes: usize,
}

impl Look {
    fn entries(&self) -> std::collections::BTreeSet<Option<ortsnetz_model::EntryId>> {
        self.accepting.iter().map(|signed| signed.record().entry).collect()
    }
}

fn sight(
    feed: &Feed,
    id: &FeedId,
    signed: &SignedRecord,
    source: Source,
    last: Position,
    now: u64,
    fresh: usize,
) -> Sight {
    let record = signed.record();
    let position = record.position;
    if record.feed != *id {
        return Sight::Wrong("a record of another feed");
    }
    if !representable(&position) {
        return Sight::Wrong("a position beyond all measure");
    }
    if let Source::Page { upto, .. } = source
        && (position <= last || position > upto)
    {
        return Sight::Wrong("records out of order");
    }
    if position.epoch > now + AHEAD_MS {
        return Sight::Stop;
    }
    if feed.frozen.is_some_and(|frozen| position >= frozen && position.term <= frozen.term) {
        return Sight::Skip;
    }
    let Some((entry, item)) = record.item() else {
        let newer = feed.checkpoint.as_ref().is_none_or(|marker| marker.position < position);
        return if newer { Sight::Take } else { Sight::Skip };
    };
    if feed.aside.contains(&(entry, position)) {
        return Sight::Skip;
    }
    match feed.index.row(&entry) {
        Some(row) if row.position > position => Sight::Skip,
        Some(row) if row.position == position && row.item == item => Sight::Skip,
        None if feed.index.len() + fresh >= FEED_ENTRIES_MAX => Sight::Stop,
        _ => Sight::Take,
    }
}
