//! Records kept beside go back to their owner, who takes them over; then they need not be kept any more.

use ortsnetz_model::{EntryId, FeedId, NodeId, Position};
use ortsnetz_trust::SignedRecord;

use super::{Engine, Op};
use crate::effect::{Effect, Item, Lane, Query, StoreBatch};
use crate::limits::{FRAME_BYTES_MAX, INFLATED_BYTES_MAX, PAGE_RAW_BYTES_MAX, YOURS_RECORDS_MAX};
use crate::wire::{Message, Settled, WireItem};

/// Records kept beside on their way from disk.
#[derive(Debug)]
pub(super) struct Load {
    node: NodeId,
    feed: FeedId,
    records: Vec<(EntryId, Position)>,
}

/// Own records given back, on their way to disk.
#[derive(Debug)]
pub(super) struct Returned {
    node: NodeId,
    feed: FeedId,
    records: Vec<Settled>,
}

impl Engine {
    /// Starts giving a peer back what is kept beside of its feeds.
    pub(super) fn give_back(&mut self, node: &NodeId) {
        let feeds: Vec<_> = self.feeds.iter().filter(|(_, feed)| !feed.aside.is_empty()).map(|(id, _)| *id).collect();
        for id in feeds {
            self.give_back_feed(node, &id);
        }
    }

    fn give_back_feed(&mut self, node: &NodeId, id: &FeedId) {
        let Some(peer) = self.sessions.get(node).filter(|session| session.open()).map(|session| session.peer) else {
            return;
        };
        if !self.is_owner_node(id, &peer) || !self.may_serve(id, &peer) || peer.node == self.config.node {
            return;
        }
        let Some(feed) = self.feeds.get(id) else { return };
        let records: Vec<_> = feed.aside.iter().take(YOURS_RECORDS_MAX).copied().collect();
        let Some(session) = self.sessions.get_mut(node) else { return };
        if records.is_empty() || !session.returned.insert(*id) {
            return;
        }
        let op = self.question(Op::Aside(Load { node: *node, feed: *id, records: records.clone() }));
        self.out.push_back(Effect::Load { op, feed: *id, query: Query::Aside { records } });
    }

    /// New records were set aside: their owner hears of it if it is there.
    pub(super) fn aside_changed(&mut self, id: &FeedId) {
        let nodes: Vec<_> = self.sessions.keys().copied().collect();
        for node in nodes {
            self.give_back_feed(&node, id);
        }
    }

    pub(super) fn aside_loaded(&mut self, load: Load, items: Vec<Option<Item>>) {
        let Load { node, feed, records } = load;
        let (mut parts, mut raw, mut lost) = (vec![Vec::new()], 0, Vec::new());
        for (record, item) in records.into_iter().zip(items) {
            let Some(item) = item else {
                lost.push(record);
                continue;
            };
            let bytes = item.record.len() + item.chunks.iter().map(Vec::len).sum::<usize>();
            if raw + bytes > PAGE_RAW_BYTES_MAX {
                parts.push(Vec::new());
                raw = 0;
            }
            raw += bytes;
            if let Some(part) = parts.last_mut() {
                part.push(WireItem::new(&item));
            }
        }
        // A record with more changes than a frame may inflate to stays here.
        parts.retain(|part| part.iter().map(WireItem::bytes).sum::<usize>() <= INFLATED_BYTES_MAX / 2);
        for items in parts.into_iter().filter(|items| !items.is_empty()) {
            let frame = Message::Yours { feed, items }.frame(3);
            if frame.len() <= FRAME_BYTES_MAX {
                self.send_frame(&node, frame, Lane::Live);
            }
        }
        self.drop_aside(&feed, lost);
    }

    /// Somebody gives own records back.
    pub(super) fn yours(&mut self, node: NodeId, feed: FeedId, items: Vec<WireItem>) {
        if items.len() > YOURS_RECORDS_MAX {
            return self.misbehaved(&node, "more records given back at a time than allowed".into());
        }
        if self.own_term(&feed).is_none() || !self.sessions.get(&node).is_some_and(super::session::Session::has_room) {
            return;
        }
        let (mut records, mut news) = (Vec::new(), Vec::new());
        for item in items.into_iter().filter_map(WireItem::item) {
            let Ok(signed) = SignedRecord::from_bytes(&item.record) else { continue };
            let record = signed.record();
            let (Some(entry), true) = (record.entry, record.feed == feed) else { continue };
            records.push(Settled { entry, position: record.position });
            let held = self.feeds.get(&feed).and_then(|held| held.index.row(&entry));
            if held.is_none_or(|row| row.position != record.position) && signed.signature_holds() {
                news.push(item);
            }
        }
        let returned = Returned { node, feed, records };
        if news.is_empty() {
            return self.returned_stored(returned, true);
        }
        let op = self.question(Op::Returned(returned));
        self.out.push_back(Effect::Returned { op, node, feed, items: news });
    }

    pub(super) fn returned_stored(&mut self, returned: Returned, ok: bool) {
        let Returned { node, feed, records } = returned;
        if ok {
            self.send(&node, &Message::Settled { feed, records }, Lane::Control);
        }
    }

    /// The owner took its records over.
    pub(super) fn settled(&mut self, node: NodeId, feed: FeedId, records: Vec<Settled>) {
        let Some(peer) = self.sessions.get(&node).map(|session| session.peer) else { return };
        if !self.is_owner_node(&feed, &peer) {
            return;
        }
        if let Some(session) = self.sessions.get_mut(&node) {
            session.returned.remove(&feed);
        }
        let records = records.into_iter().map(|record| (record.entry, record.position)).collect();
        self.drop_aside(&feed, records);
    }

    fn drop_aside(&mut self, id: &FeedId, mut records: Vec<(EntryId, Position)>) {
        let Some(feed) = self.feeds.get(id) else { return };
        records.retain(|record| feed.aside.contains(record));
        if records.is_empty() {
            return;
        }
        let tidy = self.pipes.entry(*id).or_default().tidy.get_or_insert_with(StoreBatch::default);
        tidy.settled.extend(records);
        self.advance(id);
    }
}
