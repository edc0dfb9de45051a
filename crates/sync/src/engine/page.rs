//! Giving pages: loaded a few at a time, packed to their size, never more under way than the reader's window.

use std::collections::VecDeque;

use ortsnetz_model::{EntryId, FeedId, NodeId, Position};
use ortsnetz_trust::SignedRecord;

use super::{Engine, Op};
use crate::effect::{Effect, Item, Lane, OfferHash, Query};
use crate::feed::START;
use crate::limits::{
    BULK_LOADS_MAX, FRAME_BYTES_MAX, GIVEN_UP_PER_MINUTE_MAX, PAGE_BYTES, PAGE_RAW_BYTES_MAX, PAGE_RECORDS_MAX,
    STREAMS_PER_PEER_MAX, WINDOW_BYTES,
};
use crate::wire::{Message, PageKind, WireItem};

/// A catch-up of a peer.
#[derive(Debug)]
pub(super) struct Stream {
    /// The reader's cursor at the start.
    after: Position,
    /// Loaded up to here.
    next: Position,
    /// The last page ended here, and the next one goes on from here: behind, where everything loaded was out of date.
    told: Position,
    /// Pages under way: their last position and their bytes.
    flying: VecDeque<(Position, usize)>,
    flying_bytes: usize,
    /// Confirmed in this catch-up.
    stored_bytes: usize,
    loading: bool,
    /// The last page went out.
    ended: bool,
    /// Tells a load of an earlier stream from one of this.
    number: u64,
    /// Observed: raw bytes of a record with its changes, and how many raw bytes make one on the wire (in quarters).
    raw_per_record: usize,
    ratio: usize,
}

/// Rows on their way from disk.
#[derive(Debug)]
pub(super) struct Load {
    node: NodeId,
    feed: FeedId,
    number: u64,
    rows: Vec<(Position, Option<EntryId>)>,
    last: bool,
    stamp: u64,
}

impl Engine {
    /// A peer asks for pages.
    pub(super) fn get(&mut self, node: NodeId, feed: FeedId, after: Position) {
        let Some(session) = self.sessions.get(&node) else { return };
        if !session.offered.contains_key(&feed) || !session.open() {
            return;
        }
        let peer = session.peer;
        if !self.may_serve(&feed, &peer) {
            return self.refresh_offer(&node, &feed);
        }
        self.next_op += 1;
        let number = self.next_op;
        let Some(session) = self.sessions.get_mut(&node) else { return };
        if session.streams.len() >= STREAMS_PER_PEER_MAX && !session.streams.contains_key(&feed) {
            // It gave one up that took too long, and asks for another: an honest reader may, but not all the time.
            let minute = self.now / 60_000;
            if session.given_up.0 != minute {
                session.given_up = (minute, 0);
            }
            session.given_up.1 += 1;
            if session.given_up.1 > GIVEN_UP_PER_MINUTE_MAX {
                return self.misbehaved(&node, "more catch-ups at a time than allowed".into());
            }
            let oldest = session.streams.iter().min_by_key(|(_, stream)| stream.number).map(|(feed, _)| *feed);
            oldest.map(|feed| session.streams.remove(&feed));
        }
        let stream = Stream {
            after,
            next: after,
            told: after,
            flying: VecDeque::new(),
            flying_bytes: 0,
            stored_bytes: 0,
            loading: false,
            ended: false,
            number,
            raw_per_record: 2048,
            ratio: 4,
        };
        session.note(&feed, after);
        // What was pushed and not confirmed comes again with the pages.
        session.landed(&feed, None);
        session.streams.insert(feed, stream);
    }

    /// Loads the next pages, peer after peer.
    pub(super) fn pump(&mut self) {
        while self.bulk_loads < BULK_LOADS_MAX {
            let ready = |stream: &Stream| {
                !stream.loading
                    && !stream.ended
                    && stream.flying_bytes + PAGE_BYTES <= WINDOW_BYTES.max(stream.stored_bytes / 20)
            };
            let pick = |(node, session): (&NodeId, &super::session::Session)| {
                let (feed, _) = session.streams.iter().find(|(_, stream)| session.has_room() && ready(stream))?;
                Some((*node, *feed))
            };
            let last = self.served_last.unwrap_or(NodeId([0; 32]));
            let behind = (std::ops::Bound::Excluded(last), std::ops::Bound::Unbounded);
            let next = self.sessions.range(behind).chain(self.sessions.range(..=last)).find_map(pick);
            let Some((node, feed)) = next else { return };
            self.served_last = Some(node);
            self.load_page(node, feed);
        }
    }

    fn load_page(&mut self, node: NodeId, id: FeedId) {
        let (Some(feed), Some(session)) = (self.feeds.get(&id), self.sessions.get_mut(&node)) else { return };
        let Some(stream) = session.streams.get_mut(&id) else { return };
        let raw = (PAGE_BYTES * stream.ratio / 4).min(PAGE_RAW_BYTES_MAX);
        let count = (raw / stream.raw_per_record.max(1)).clamp(1, PAGE_RECORDS_MAX);
        let mut rows = feed.page(&stream.next, count + 1);
        let last = rows.len() <= count;
        rows.truncate(count);
        let load = Load { node, feed: id, number: stream.number, rows, last, stamp: feed.changed };
        stream.loading = true;
        let (entries, after) = (load.rows.iter().map(|(_, entry)| *entry).collect::<Vec<_>>(), stream.after);
        self.bulk_loads += 1;
        if entries.is_empty() {
            self.page_loaded(load, Vec::new());
            return;
        }
        let op = self.question(Op::Page(load));
        self.out.push_back(Effect::Load { op, feed: id, query: Query::Records { entries, after: Some(after) } });
    }

    pub(super) fn page_loaded(&mut self, load: Load, items: Vec<Option<Item>>) {
        self.bulk_loads = self.bulk_loads.saturating_sub(1);
        let Load { node, feed: id, number, rows, last, stamp } = load;
        let Some(peer) = self.sessions.get(&node).filter(|session| session.open()).map(|session| session.peer) else {
            return;
        };
        let mut changed = self.feeds.get(&id).is_none_or(|feed| feed.changed != stamp);
        if !self.may_serve(&id, &peer) {
            return self.refresh_offer(&node, &id);
        }
        let mut good = Vec::new();
        let asked = rows.len();
        for ((position, entry), item) in rows.iter().zip(items.into_iter().chain(std::iter::repeat(None)).take(asked)) {
            match item.map(|item| (position_of(&item), item)) {
                Some((Some(at), item)) if at == *position => good.push((at, item)),
                // An entry that has a newer record by now comes again behind; what is sent must be in order. The disk may be
                // ahead of what we were told is stored.
                Some((Some(at), _)) if at > *position => changed = true,
                Some((Some(_), _)) if changed => {}
                _ => self.damaged(id, *entry),
            }
        }
        let cursor = self.feeds.get(&id).map_or(START, |feed| feed.cursor);
        let stream = self.sessions.get_mut(&node).and_then(|session| session.streams.get_mut(&id));
        let Some(stream) = stream.filter(|stream| stream.number == number) else { return };
        stream.loading = false;
        let upto = rows.last().map_or(cursor, |(position, _)| *position).max(stream.next);
        // The cursor moved meanwhile: there is more, and the last page comes later.
        let last = last && (!changed || upto >= cursor);
        let upto = if last { cursor.max(stream.next) } else { upto };
        self.send_pages(&node, &id, good, upto, last);
    }

    /// Sends loaded records in as many pages as their size needs.
    fn send_pages(&mut self, node: &NodeId, id: &FeedId, items: Vec<(Position, Item)>, upto: Position, last: bool) {
        let mut rest: VecDeque<_> = items.into();
        loop {
            let (mut page, mut raw) = (Vec::new(), 0);
            let mut large = false;
            while let Some((_, item)) = rest.front() {
                let bytes = item.record.len() + item.chunks.iter().map(Vec::len).sum::<usize>();
                large = page.is_empty() && bytes > PAGE_RAW_BYTES_MAX;
                if !large && raw + bytes > PAGE_RAW_BYTES_MAX {
                    break;
                }
                raw += bytes;
                page.extend(rest.pop_front());
                if large {
                    break;
                }
            }
            if large && let Some((_, item)) = page.last_mut() {
                // Only the record: the reader finds its changes missing and wants them, in parts.
                item.chunks.clear();
                rest.clear();
            }
            let ends = rest.is_empty();
            let kind = match (large, ends && last) {
                (true, _) => PageKind::Large,
                (_, true) => PageKind::Last,
                _ => PageKind::Middle,
            };
            // The reader's cursor stops at records only: a page ends with one, unless it is the last.
            let end = match page.last() {
                Some((position, _)) if kind != PageKind::Last => *position,
                _ => upto,
            };
            let nothing = page.is_empty() && kind == PageKind::Middle;
            if !nothing && let Some(back) = self.send_page(node, id, page, end, kind, raw) {
                for item in back.into_iter().rev() {
                    rest.push_front(item);
                }
                continue;
            }
            if ends {
                // What was loaded behind that has newer records, which come later.
                if let Some(stream) = self.stream(node, id) {
                    stream.next = stream.next.max(if large { end } else { upto });
                }
                return;
            }
        }
    }

    fn stream(&mut self, node: &NodeId, id: &FeedId) -> Option<&mut Stream> {
        self.sessions.get_mut(node)?.streams.get_mut(id)
    }

    /// Sends one page. Hands back its second half if it is larger than a page should be.
    fn send_page(
        &mut self,
        node: &NodeId,
        id: &FeedId,
        mut page: Vec<(Position, Item)>,
        upto: Position,
        kind: PageKind,
        raw: usize,
    ) -> Option<Vec<(Position, Item)>> {
        let offer = if kind == PageKind::Last { self.offer_if_told(node) } else { None };
        let after = self.stream(node, id)?.told;
        let items = page.iter().map(|(_, item)| WireItem::new(item)).collect();
        let message = Message::Page { feed: *id, after, upto, items, kind, offer };
        let frame = message.frame(self.config.zstd_level);
        let split = frame.len() > PAGE_BYTES && page.len() > 1;
        let count = page.len();
        let stream = self.stream(node, id)?;
        if raw > 4096 {
            stream.ratio = (raw * 4 / frame.len().max(1)).clamp(4, 80);
            stream.raw_per_record = (raw / count.max(1)).max(64);
        }
        if split {
            let back = page.split_off(count / 2);
            let upto = page.last().map_or(after, |(position, _)| *position);
            let raw = raw / 2;
            let more = self.send_page(node, id, page, upto, PageKind::Middle, raw);
            return Some(more.unwrap_or_default().into_iter().chain(back).collect());
        }
        let bytes = frame.len();
        (stream.next, stream.told) = (upto, upto);
        stream.ended = matches!(kind, PageKind::Last | PageKind::Large);
        stream.flying.push_back((upto, bytes));
        stream.flying_bytes += bytes;
        if bytes > FRAME_BYTES_MAX {
            // One record with changes that do not shrink: the limits of acceptance keep it below.
            self.alarm(crate::Alarm::Full { feed: *id });
            return None;
        }
        self.counters.records_out += count as u64;
        self.send_frame(node, frame, Lane::Bulk);
        None
    }

    /// A peer stored what we sent.
    pub(super) fn ack(
        &mut self,
        node: NodeId,
        feed: FeedId,
        cursor: Position,
        stored: Position,
        offer: Option<OfferHash>,
    ) {
        let Some(session) = self.sessions.get_mut(&node) else { return };
        session.offer = offer.or(session.offer);
        session.landed(&feed, Some(stored));
        if let Some(stream) = session.streams.get_mut(&feed) {
            while let Some((position, bytes)) = stream.flying.front().copied()
                && position <= stored
            {
                stream.flying.pop_front();
                stream.flying_bytes -= bytes;
                stream.stored_bytes += bytes;
            }
            if stream.ended && stream.flying.is_empty() {
                session.streams.remove(&feed);
            }
        }
        if session.offered.contains_key(&feed) {
            self.heard(&node, &feed, cursor);
        }
        self.settle(&node);
    }
}

fn position_of(item: &Item) -> Option<Position> {
    SignedRecord::from_bytes(&item.record).ok().map(|signed| signed.record().position)
}
