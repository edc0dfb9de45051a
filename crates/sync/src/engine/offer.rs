//! Offers: what each peer may have from us, its hash, and telling what is new in it.

use std::collections::BTreeSet;

use ortsnetz_model::{FeedId, Hash, NodeId, OrgId, Position};
use sha2::{Digest, Sha256};

use super::Engine;
use super::timer::Timer;
use crate::alarm::Alarm;
use crate::effect::{Lane, OfferHash};
use crate::feed::START;
use crate::limits::{ANNOUNCE_MS, HAVE_CHAINS_MAX, HAVE_FEEDS_MAX};
use crate::wire::{Held, HeldChain, Message};

/// Offers remembered for one peer, to tell only the difference next time.
const BASES_MAX: usize = 4;

/// What a feed adds to an offer. An offer is the sum of its parts, so one changed feed costs one addition per peer.
pub(super) fn feed_part(feed: &FeedId, cursor: &Position, serial: u64) -> u128 {
    if *cursor == START {
        return 0;
    }
    let digest = Sha256::new()
        .chain_update(b"ortsnetz/offer/feed/v1")
        .chain_update(feed.organisation.0)
        .chain_update(feed.collection.0)
        .chain_update(cursor.term.to_be_bytes())
        .chain_update(cursor.epoch.to_be_bytes())
        .chain_update(cursor.sequence.to_be_bytes())
        .chain_update(serial.to_be_bytes())
        .finalize();
    u128::from_be_bytes(std::array::from_fn(|at| digest[at]))
}

fn chain_part(organisation: &OrgId, hash: &[u8; 16]) -> u128 {
    let digest = Sha256::new()
        .chain_update(b"ortsnetz/offer/chain/v1")
        .chain_update(organisation.0)
        .chain_update(hash)
        .finalize();
    u128::from_be_bytes(std::array::from_fn(|at| digest[at]))
}

/// The first half of a hash, which is what travels where only accidents are to be told apart.
pub(super) fn half(hash: &Hash) -> [u8; 16] {
    std::array::from_fn(|at| hash.0[at])
}

impl Engine {
    /// Makes the offer to a peer from nothing.
    pub(super) fn build_offer(&mut self, node: &NodeId) {
        let feeds: Vec<_> = self.feeds.keys().copied().collect();
        for feed in feeds {
            self.refresh_offer(node, &feed);
        }
        self.refresh_chain(node, &self.config.organisation.clone());
        for organisation in self.leavers() {
            self.refresh_chain(node, &organisation);
        }
    }

    /// Brings one feed's part of the offer to one peer up to date.
    pub(super) fn refresh_offer(&mut self, node: &NodeId, feed: &FeedId) {
        let Some(peer) = self.sessions.get(node).map(|session| session.peer) else { return };
        let part = match self.feeds.get(feed) {
            Some(held) if held.offer != 0 && self.may_serve(feed, &peer) && self.is_wanted_by(node, feed) => held.offer,
            _ => 0,
        };
        let Some(session) = self.sessions.get_mut(node) else { return };
        let before = if part == 0 { session.offered.remove(feed) } else { session.offered.insert(*feed, part) };
        let before = before.unwrap_or_default();
        if before == part {
            return;
        }
        session.sum = session.sum.wrapping_sub(before).wrapping_add(part);
        if part == 0 {
            session.untold.remove(feed);
            session.streams.remove(feed);
            session.landed(feed, None);
        } else {
            session.untold.insert(*feed);
        }
        // A relay tells of a collection only while it may pass it on.
        if before == 0 || part == 0 {
            self.refresh_chain(node, &feed.organisation);
        }
    }

    /// Brings a chain's part of the offer to one peer up to date.
    pub(super) fn refresh_chain(&mut self, node: &NodeId, organisation: &OrgId) {
        let Some(session) = self.sessions.get(node) else { return };
        let offered = *organisation == self.config.organisation
            || session.chains.contains_key(organisation)
            || self.tells_of_leaving(organisation, &session.peer)
            || session
                .offered
                .range(FeedId { organisation: *organisation, collection: FIRST }..)
                .next()
                .is_some_and(|(feed, _)| feed.organisation == *organisation);
        if !offered {
            return;
        }
        let Some(hash) = self.chain_hash_for(organisation, &session.peer) else { return };
        let Some(session) = self.sessions.get_mut(node) else { return };
        let part = chain_part(organisation, &hash);
        let before = session.chains.insert(*organisation, (hash, part)).map_or(0, |(_, part)| part);
        if before != part {
            session.sum = session.sum.wrapping_sub(before).wrapping_add(part);
            session.untold_chains.insert(*organisation);
        }
    }

    /// Both sides greeted. Equal hashes: nothing to tell, nothing to get.
    pub(super) fn greeted(&mut self, node: &NodeId, offer: OfferHash, taken: OfferHash) {
        let Some(session) = self.sessions.get_mut(node) else { return };
        if taken == session.sum.to_be_bytes() {
            session.untold.clear();
            session.untold_chains.clear();
            // It has all of it, but our greeting named another offer, which it waits to hear of.
            let named_another = session.greeted_with != taken;
            let base = (taken, self.stamp);
            self.note_base(node, base);
            if named_another {
                self.tell.insert(*node);
            }
        } else {
            let base = self.bases.get(node).and_then(|bases| bases.iter().rev().find(|base| base.0 == taken));
            if let (Some((_, stamp)), true) = (base, taken != OfferHash::default()) {
                session.untold.retain(|feed| self.feeds.get(feed).is_none_or(|held| held.changed > *stamp));
            }
            self.tell.insert(*node);
        }
        if self.taken.get(node) == Some(&offer) {
            self.settle(node);
            self.recheck_suspicious();
        } else if let Some(session) = self.sessions.get_mut(node) {
            // What it offers is told in a moment; until then nothing is complete.
            session.offer = None;
        }
        self.give_back(node);
    }

    fn note_base(&mut self, node: &NodeId, base: (OfferHash, u64)) {
        let bases = self.bases.entry(*node).or_default();
        bases.retain(|known| known.0 != base.0);
        bases.push_back(base);
        if bases.len() > BASES_MAX {
            bases.pop_front();
        }
    }

    /// Tells a peer everything it has not heard of.
    pub(super) fn tell(&mut self, node: &NodeId) {
        let Some(session) = self.sessions.get_mut(node) else { return };
        if !session.open() {
            return;
        }
        if !session.has_room() {
            session.tell_later = true;
            return;
        }
        let untold = std::mem::take(&mut session.untold);
        let chains: Vec<_> = std::mem::take(&mut session.untold_chains)
            .into_iter()
            .filter_map(|organisation| {
                let (hash, _) = session.chains.get(&organisation)?;
                Some(HeldChain { organisation, hash: *hash })
            })
            .collect();
        let offer = session.sum.to_be_bytes();
        let feeds: Vec<_> = untold
            .into_iter()
            .filter(|feed| session.offered.contains_key(feed))
            .filter_map(|feed| {
                let held = self.feeds.get(&feed)?;
                Some(Held { feed, cursor: held.cursor, serial: held.list.0 })
            })
            .collect();
        // All of it is known there by now: nobody will answer.
        let known = feeds.iter().all(|told| session.has.get(&told.feed).is_some_and(|has| *has >= told.cursor));
        let (mut feeds, mut chains) = (feeds.as_slice(), chains.as_slice());
        loop {
            let (feeds_now, feeds_later) = feeds.split_at(feeds.len().min(HAVE_FEEDS_MAX));
            let (chains_now, chains_later) = chains.split_at(chains.len().min(HAVE_CHAINS_MAX));
            (feeds, chains) = (feeds_later, chains_later);
            let last = feeds.is_empty() && chains.is_empty();
            let (feeds, chains) = (feeds_now.to_vec(), chains_now.to_vec());
            self.send(node, &Message::Have { feeds, chains, offer: last.then_some(offer) }, Lane::Control);
            if last {
                break;
            }
        }
        self.note_base(node, (offer, self.stamp));
        if known {
            self.settle(node);
        }
    }

    /// The hash of the offer, if the peer has heard of all of it by now; to be sent along with something else.
    pub(super) fn offer_if_told(&mut self, node: &NodeId) -> Option<OfferHash> {
        let session = self.sessions.get(node)?;
        if !session.untold.is_empty() || !session.untold_chains.is_empty() {
            return None;
        }
        let offer = session.sum.to_be_bytes();
        self.note_base(node, (offer, self.stamp));
        Some(offer)
    }

    /// A peer says what it has.
    pub(super) fn have(&mut self, node: NodeId, feeds: Vec<Held>, chains: Vec<HeldChain>, offer: Option<OfferHash>) {
        if feeds.len() > HAVE_FEEDS_MAX || chains.len() > HAVE_CHAINS_MAX {
            return self.misbehaved(&node, "more told at a time than allowed".into());
        }
        for chain in chains {
            self.compare_chain(&node, &chain);
        }
        for held in &feeds {
            if !self.is_followed(&held.feed) {
                self.tell_unfollowed(&node, &held.feed);
                continue;
            }
            self.heard(&node, &held.feed, held.cursor);
            self.audit_anew(&node, &held.feed, held.cursor);
        }
        if let Some(session) = self.sessions.get_mut(&node)
            && offer.is_some()
        {
            session.offer = offer;
        }
        self.settle(&node);
        self.recheck_suspicious();
    }

    /// A peer said, or showed, that it has a feed up to `cursor`.
    pub(super) fn heard(&mut self, node: &NodeId, feed: &FeedId, cursor: Position) {
        let Some(session) = self.sessions.get_mut(node) else { return };
        session.note(feed, cursor);
        // What it has from somebody else it may never confirm to us.
        session.landed(feed, Some(cursor));
        if session.peer.organisation != self.config.organisation
            && feed.organisation == self.config.organisation
            && session.offered.contains_key(feed)
        {
            let organisation = session.peer.organisation;
            self.confirmed.insert((*feed, organisation), cursor);
        }
        let ours = self.feeds.get(feed).map_or(START, |held| held.cursor);
        if cursor > ours && self.own_term(feed).is_some() {
            self.rolled_back(node, feed, ours, cursor);
        }
        // It lacks something, although we think that we told it: tell again. It was restored, or is a liar.
        // But only once: what it cannot or will not take does not become better by repeating.
        let ours_is_news = cursor < ours;
        if let Some(session) = self.sessions.get_mut(node)
            && ours_is_news
            && session.offered.contains_key(feed)
            && !session.streams.contains_key(feed)
            && session.live.iter().all(|(live, _, _)| live != feed)
            && session.told_again.insert(*feed, ours) != Some(ours)
        {
            session.untold.insert(*feed);
            self.tell.insert(*node);
        }
        self.review_wish_of(node, feed);
    }

    /// Cursor or list of a feed changed: every offer with it changes, and peers are told, unless `pushed` to just now.
    pub(super) fn feed_changed(&mut self, id: &FeedId, pushed: &BTreeSet<NodeId>) {
        self.stamp += 1;
        let Some(feed) = self.feeds.get_mut(id) else { return };
        feed.changed = self.stamp;
        feed.offer = feed_part(id, &feed.cursor, feed.list.0);
        let cursor = feed.cursor;
        let nodes: Vec<_> = self.sessions.keys().copied().collect();
        for node in nodes {
            self.refresh_offer(&node, id);
            let Some(session) = self.sessions.get_mut(&node) else { continue };
            if pushed.contains(&node) {
                session.untold.remove(id);
                if session.open() && !session.untold_chains.is_empty() {
                    self.tell.insert(node);
                }
            } else if session.open() && session.untold.contains(id) {
                let known = session.has.get(id).is_some_and(|has| *has >= cursor);
                let organisation = session.peer.organisation;
                let direct = organisation == id.organisation
                    || self
                        .organisations
                        .get(&id.organisation)
                        .is_some_and(|owner| matches!(owner.partnership(&organisation), crate::Partnership::Signed(_)));
                // Partners of the owner most likely get it from there: tell them, but later and all at once.
                if known || direct && id.organisation != self.config.organisation {
                    self.timers.set(self.now + ANNOUNCE_MS, Timer::Tell(node));
                } else {
                    self.tell.insert(node);
                }
            }
        }
        self.review_wish(id);
    }

    fn rolled_back(&mut self, node: &NodeId, feed: &FeedId, ours: Position, theirs: Position) {
        let news = self.publisher.roll_back(self.now, node, feed, ours, theirs);
        if let Some(until) = self.publisher.patience() {
            self.timers.set(until, Timer::FetchBack);
        }
        if news {
            self.alarm(Alarm::RolledBack { feed: *feed, node: *node, ours, theirs });
        }
    }
}

const FIRST: ortsnetz_model::CollectionId = ortsnetz_model::CollectionId([0; 16]);
