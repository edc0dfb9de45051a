//! Statement chains: asked for where hashes differ, taken in outside, before any record of that organisation.

use std::collections::BTreeSet;
use std::sync::Arc;

use ortsnetz_model::{FeedId, NodeId, OrgId};

use super::session::Asked;
use super::timer::Timer;
use super::{Engine, Op};
use crate::alarm::Alarm;
use crate::effect::{Effect, Lane};
use crate::limits::{
    BLOCKED_MS, CHAIN_BYTES_PER_PEER_MAX, CHAIN_STATEMENTS_MAX, CHAINS_ASKED_MAX, CHAINS_PER_PEER_MAX, CHANGES_BYTES,
    DOCUMENT_BYTES_MAX, REQUEST_MS,
};
use crate::organisation::Organisation;
use crate::wire::{HeldChain, Message};

/// Statements that could not be taken in are asked for again after this.
const CHAIN_AGAIN_MS: u64 = 60_000;

impl Engine {
    /// A peer says which statements it has of an organisation.
    pub(super) fn compare_chain(&mut self, node: &NodeId, chain: &HeldChain) {
        let Some(peer) = self.sessions.get(node).map(|session| session.peer) else { return };
        let ours = self.chain_hash_for(&chain.organisation, &peer);
        if ours != Some(chain.hash) {
            self.ask_for_chain(node, &chain.organisation, chain.hash);
        }
    }

    pub(super) fn ask_for_chain(&mut self, node: &NodeId, organisation: &OrgId, hash: [u8; 16]) {
        let Some(session) = self.sessions.get_mut(node).filter(|session| session.open()) else { return };
        if let Some(asked) = session.asked.get_mut(organisation) {
            if !asked.done {
                asked.newer = (asked.hash != hash).then_some(hash);
                return;
            }
            if asked.hash == hash && hash != [0; 16] {
                return;
            }
        } else if session.asked.len() >= CHAINS_PER_PEER_MAX {
            return;
        }
        session.asked.insert(*organisation, Asked { hash, ..Asked::default() });
        session.to_ask.push_back(*organisation);
        self.ask_chains(node);
    }

    /// Asks for chains, a few at a time: a whole one may be large.
    fn ask_chains(&mut self, node: &NodeId) {
        let until = self.now + REQUEST_MS;
        loop {
            let Some(session) = self.sessions.get_mut(node).filter(|session| session.open()) else { return };
            if session.asking.len() >= CHAINS_ASKED_MAX {
                return;
            }
            let Some(organisation) = session.to_ask.pop_front() else { return };
            let Some(asked) = session.asked.get_mut(&organisation).filter(|asked| !asked.sent && !asked.done) else {
                continue;
            };
            (asked.sent, asked.until) = (true, until);
            session.asking.insert(organisation);
            self.send(node, &Message::AskChain { organisation }, Lane::Control);
            self.timers.set(until, Timer::Chains);
        }
    }

    /// A peer asked for statements.
    pub(super) fn serve_chain(&mut self, node: NodeId, organisation: OrgId) {
        if self.sessions.get(&node).is_some_and(|session| session.chains.contains_key(&organisation)) {
            self.send_chain(&node, &organisation);
        } else {
            let nothing = Message::Chain { organisation, statements: Vec::new(), last: true };
            self.send(&node, &nothing, Lane::Control);
        }
    }

    /// Sends what the peer may see of an organisation's statements.
    pub(super) fn send_chain(&mut self, node: &NodeId, organisation: &OrgId) {
        let Some(peer) = self.sessions.get(node).map(|session| session.peer) else { return };
        let Some(statements) = self.chain_for(organisation, &peer) else { return };
        let (mut parts, mut bytes) = (vec![Vec::new()], 0);
        for statement in statements {
            if bytes + statement.len() > CHANGES_BYTES {
                parts.push(Vec::new());
                bytes = 0;
            }
            bytes += statement.len();
            if let Some(part) = parts.last_mut() {
                part.push(statement.into());
            }
        }
        let count = parts.len();
        for (at, statements) in parts.into_iter().enumerate() {
            let last = at + 1 == count;
            self.send(node, &Message::Chain { organisation: *organisation, statements, last }, Lane::Control);
        }
    }

    /// Statements from a peer: asked for, or its own, or ours.
    pub(super) fn chain(
        &mut self,
        node: NodeId,
        organisation: OrgId,
        statements: Vec<minicbor::bytes::ByteVec>,
        last: bool,
    ) {
        let Some(session) = self.sessions.get_mut(&node) else { return };
        // Unasked come those of both sides before a goodbye: we may have forgotten that we ended it ourselves.
        let own = organisation == session.peer.organisation || organisation == self.config.organisation;
        if !own && !session.asked.contains_key(&organisation) {
            return;
        }
        let asked = session.asked.entry(organisation).or_default();
        if asked.done || !asked.sent {
            // Unasked: the news before a goodbye.
            let until = self.now + REQUEST_MS;
            *asked = Asked { hash: asked.hash, newer: asked.newer, sent: true, until, ..Asked::default() };
        }
        session.asking.insert(organisation);
        asked.bytes += statements.iter().map(|statement| statement.len()).sum::<usize>();
        let many = asked.statements.len() + statements.len() > CHAIN_STATEMENTS_MAX;
        let large = asked.bytes > DOCUMENT_BYTES_MAX;
        let waiting = session.asking.iter().filter_map(|id| session.asked.get(id)).map(|asked| asked.bytes);
        if many || large || waiting.sum::<usize>() > CHAIN_BYTES_PER_PEER_MAX {
            return self.misbehaved(&node, "a chain of more statements than allowed".into());
        }
        let Some(asked) = session.asked.get_mut(&organisation) else { return };
        asked.statements.extend(statements.into_iter().map(Vec::from));
        if !last {
            return;
        }
        let statements = std::mem::take(&mut asked.statements);
        if statements.is_empty() {
            asked.done = true;
            return self.chains_moved(&node, &organisation);
        }
        let op = self.question(Op::TakeIn(node, organisation));
        self.out.push_back(Effect::TakeIn { op, node, organisation, statements });
    }

    pub(super) fn taken_in(&mut self, op: crate::OpId, ok: bool) {
        let Some(Op::TakeIn(node, organisation)) = self.ops.remove(&op.0) else { return };
        if let Some(asked) = self.sessions.get_mut(&node).and_then(|session| session.asked.get_mut(&organisation)) {
            (asked.done, asked.bytes) = (true, 0);
            if !ok {
                // Not valid, or the disk is full: the same question again, later.
                asked.again_at = Some(self.now + CHAIN_AGAIN_MS);
                self.timers.set(self.now + CHAIN_AGAIN_MS, Timer::Chains);
            }
        }
        if !ok {
            self.alarm(Alarm::Statements { node, organisation });
            self.unanswering.insert(node, self.now + BLOCKED_MS);
        }
        self.chains_moved(&node, &organisation);
    }

    /// What waited for the statements of an organisation goes on; or the peer has told of newer ones meanwhile.
    fn chains_moved(&mut self, node: &NodeId, organisation: &OrgId) {
        if let Some(session) = self.sessions.get_mut(node) {
            session.asking.remove(organisation);
        }
        let asked = self.sessions.get_mut(node).and_then(|session| session.asked.get_mut(organisation));
        if let Some(hash) = asked.and_then(|asked| asked.newer.take()) {
            self.compare_chain(node, &HeldChain { organisation: *organisation, hash });
        }
        self.ask_chains(node);
        let feeds: Vec<_> = self.pipes.keys().filter(|feed| feed.organisation == *organisation).copied().collect();
        for feed in feeds {
            self.advance(&feed);
        }
        self.forget_unreadable(organisation);
        self.review_wishes();
        self.settle(node);
    }

    /// Chains that did not come in time are not waited for any longer.
    pub(super) fn check_chains(&mut self) {
        let (mut late, mut again) = (Vec::new(), Vec::new());
        for session in self.sessions.values_mut() {
            for (organisation, asked) in &mut session.asked {
                if asked.sent && !asked.done && asked.until <= self.now {
                    asked.done = true;
                    (asked.statements, asked.bytes) = (Vec::new(), 0);
                    asked.again_at = Some(self.now + CHAIN_AGAIN_MS);
                    self.timers.set(self.now + CHAIN_AGAIN_MS, Timer::Chains);
                    late.push((session.peer.node, *organisation));
                } else if asked.again_at.is_some_and(|at| at <= self.now) {
                    again.push((session.peer.node, *organisation));
                }
            }
        }
        for (node, organisation) in again {
            self.ask_for_chain(&node, &organisation, [0; 16]);
        }
        for (node, organisation) in late {
            self.unanswering.insert(node, self.now + BLOCKED_MS);
            self.chains_moved(&node, &organisation);
        }
        self.unanswering.retain(|_, until| *until > self.now);
    }

    /// Whether statements of an organisation are on their way, so that its records wait. Who left such a question without
    /// a good answer keeps nobody's records waiting but its own.
    pub(super) fn waits_for_chain(&self, organisation: &OrgId) -> bool {
        let waits = |s: &super::session::Session| s.asked.get(organisation).is_some_and(|asked| !asked.done);
        let heeded = |s: &super::session::Session| {
            s.peer.organisation == *organisation
                || self.unanswering.get(&s.peer.node).is_none_or(|until| *until <= self.now)
        };
        self.sessions.values().any(|s| waits(s) && heeded(s))
    }

    /// Whether there are statements of an organisation that we do not have, as far as we heard.
    pub(super) fn lacks_chain(&self, organisation: &OrgId) -> bool {
        let lacks = |asked: &Asked| !asked.done || asked.again_at.is_some();
        self.sessions.values().any(|s| s.asked.get(organisation).is_some_and(lacks))
    }

    /// What the newest list says is not for us is not waited for. As long as statements are on their way the list held may
    /// be an old one, as a relay passes it on.
    fn forget_unreadable(&mut self, organisation: &OrgId) {
        if self.lacks_chain(organisation) {
            return;
        }
        let of_it = |feed: &&FeedId| feed.organisation == *organisation;
        let known: BTreeSet<_> = self.sessions.values().flat_map(|s| s.has.keys().filter(of_it)).copied().collect();
        for feed in known.into_iter().filter(|feed| !self.may_read(feed)).collect::<Vec<_>>() {
            for session in self.sessions.values_mut() {
                session.has.remove(&feed);
                session.behind.remove(&feed);
            }
        }
    }

    /// Everything that depends on an organisation's statements is looked at again.
    pub(super) fn organisation_changed(&mut self, organisation: Arc<dyn Organisation>) {
        let id = organisation.id();
        self.stamp += 1;
        let before = self.organisations.insert(id, organisation);
        if before.and_then(|known| known.leaves_at()) != self.organisations[&id].leaves_at() {
            self.await_leaving(&id);
            self.offer_anew();
        }
        let peers: BTreeSet<_> = self.sessions.values().map(|s| s.peer.organisation).collect();
        for peer in peers {
            if self.has_parted(&peer) {
                self.removed(&peer);
            }
        }
        let away: Vec<_> = self.sessions.values().filter(|s| s.open() && self.is_turned_away(&s.peer)).collect();
        for node in away.into_iter().map(|s| s.peer.node).collect::<Vec<_>>() {
            self.turn_away(&node);
        }
        let feeds: Vec<_> = self.feeds.keys().filter(|feed| feed.organisation == id).copied().collect();
        let nodes: Vec<_> = self.sessions.keys().copied().collect();
        for node in &nodes {
            for feed in &feeds {
                self.refresh_offer(node, feed);
            }
            self.refresh_chain(node, &id);
            let news = |s: &super::session::Session| !s.untold.is_empty() || !s.untold_chains.is_empty();
            if self.sessions.get(node).is_some_and(news) {
                self.tell.insert(*node);
            }
        }
        self.forget_unreadable(&id);
        self.review_wishes();
        if id == self.config.organisation {
            self.daily_checkpoints();
        }
    }
}
