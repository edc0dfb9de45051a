//! A machine: an engine, a disk, and the dull work between them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ortsnetz_model::{EntryId, FeedId, Hash, NodeId, OrgId};
use ortsnetz_sync::{Alarm, Config, Effect, Engine, Event, Item, OfferHash, OpId, Query, StoreBatch, Verdict};
use ortsnetz_trust::identity::FINAL_TERM;
use ortsnetz_trust::record::sign_batch;
use ortsnetz_trust::{Identity, NodeKey, Record, RecordError, RootKey, Signed, SignedRecord};

use crate::disk::{Disk, Outcome, Stored, chunk_hash, closure, heads, parents};

/// Work for the disk or the processors of a machine.
#[derive(Clone, Debug)]
pub enum Work {
    Accept { op: OpId, feed: FeedId, items: Vec<Item> },
    Store { op: OpId, batch: Box<StoreBatch> },
    Load { op: OpId, feed: FeedId, query: Query },
    Commit { op: OpId, batches: Vec<Vec<Record>>, origins: Vec<Option<(OpId, usize)>> },
    TakeIn { op: OpId, organisation: OrgId, statements: Vec<Vec<u8>> },
    Returned { op: OpId, feed: FeedId, items: Vec<Item> },
    Remember { node: NodeId, taken: OfferHash },
}

impl Work {
    /// Whether it writes.
    pub fn writes(&self) -> bool {
        !matches!(self, Work::Accept { .. } | Work::Load { .. })
    }

    /// The work an effect asks for.
    pub fn of(effect: Effect) -> Result<Work, Box<Effect>> {
        Ok(match effect {
            Effect::Accept { op, feed, items, .. } => Work::Accept { op, feed, items },
            Effect::Store { op, batch } => Work::Store { op, batch },
            Effect::Load { op, feed, query } => Work::Load { op, feed, query },
            Effect::Commit { op, batches, origins } => Work::Commit { op, batches, origins },
            Effect::TakeIn { op, organisation, statements, .. } => Work::TakeIn { op, organisation, statements },
            Effect::Returned { op, feed, items, .. } => Work::Returned { op, feed, items },
            Effect::Remember { node, taken } => Work::Remember { node, taken },
            other => return Err(Box::new(other)),
        })
    }
}

/// How a lying machine changes what it sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Alters a byte of every change or record it passes on.
    Alter,
    /// Leaves the first record out of every page it passes on.
    Withhold,
    /// Sends an old page again before every new one.
    Replay,
    /// Passes on records and keeps their changes to itself, also when asked for them.
    Keep,
    /// Says to have more and more of what others publish.
    Boast,
}

pub struct Machine {
    pub name: String,
    pub key: NodeKey,
    /// The root key of its town, where it is kept.
    pub root: Option<RootKey>,
    pub organisation: OrgId,
    pub engine: Option<Engine>,
    pub disk: Disk,
    /// Counts the starts.
    pub life: u64,
    /// Work under way.
    pub pending: BTreeMap<u64, Work>,
    pub slow: bool,
    pub full: bool,
    pub lie: Option<Lie>,
    pub replay: Vec<Vec<u8>>,
    pub disk_free_at: u64,
    pub woken_for: Option<u64>,
    pub outcomes: BTreeMap<OpId, Vec<Outcome>>,
    /// Changes of publish requests under way.
    pub requests: BTreeMap<OpId, Vec<Vec<Vec<u8>>>>,
    pub alarms: Vec<Alarm>,
    /// Peers it was in sync with, and when it said so.
    pub in_sync: Vec<(NodeId, u64)>,
    /// Entries it was told to be readable, since it was made.
    pub applied: BTreeSet<(FeedId, EntryId)>,
}

impl Machine {
    pub fn node(&self) -> NodeId {
        self.key.id()
    }

    pub fn start(&mut self, now: u64, seed: u64) {
        self.life += 1;
        self.pending.clear();
        self.outcomes.clear();
        self.requests.clear();
        self.disk_free_at = now;
        self.woken_for = None;
        let config = Config { node: self.node(), organisation: self.organisation, started_at: now, zstd_level: 1 };
        self.engine = Some(Engine::new(config, seed, self.disk.snapshot()));
    }

    pub fn stop(&mut self) {
        self.engine = None;
        self.life += 1;
    }

    /// Does work that is due, and says what the engine is to hear of it.
    pub fn work(&mut self, now: u64, work: Work) -> Vec<Event> {
        match work {
            Work::Accept { op, feed, items } => {
                let (verdicts, outcomes) = items.iter().map(|item| self.accept(now, feed, item)).unzip();
                self.outcomes.insert(op, outcomes);
                vec![Event::Accepted { op, verdicts }]
            }
            Work::Store { op, batch } => {
                let outcomes = batch.accept.and_then(|accept| self.outcomes.remove(&accept)).unwrap_or_default();
                if !self.full {
                    self.disk.store(&batch, outcomes);
                }
                vec![Event::Stored { op, ok: !self.full }]
            }
            Work::Load { op, feed, query } => vec![Event::Loaded { op, items: self.disk.load(feed, &query) }],
            Work::Commit { op, batches, origins } => {
                let items = if self.full { None } else { Some(self.commit(batches, &origins)) };
                vec![Event::Committed { op, items }]
            }
            Work::TakeIn { op, organisation, statements } => self.take_in(op, organisation, &statements),
            Work::Returned { op, feed, items } => {
                for item in items.into_iter().filter(|_| !self.full) {
                    if let Ok(signed) = SignedRecord::from_bytes(&item.record)
                        && let Some(entry) = signed.record().entry
                    {
                        self.disk.returned.insert((feed, entry, signed.record().position), item);
                    }
                }
                vec![Event::Stored { op, ok: !self.full }]
            }
            Work::Remember { node, taken } => {
                self.disk.taken.insert(node, taken);
                Vec::new()
            }
        }
    }

    fn commit(&mut self, batches: Vec<Vec<Record>>, origins: &[Option<(OpId, usize)>]) -> Vec<Item> {
        let signed: Vec<_> = batches.into_iter().flat_map(|batch| self.sign(batch)).collect();
        let mut items = Vec::new();
        for (signed, origin) in signed.into_iter().zip(origins) {
            let chunks = origin.and_then(|(op, index)| self.requests.get(&op)?.get(index).cloned()).unwrap_or_default();
            items.push(Item { record: signed.to_bytes().into(), chunks: chunks.clone() });
            self.disk.cursors.insert(signed.record().feed, signed.record().position);
            self.disk.keep(signed, chunks);
        }
        items
    }

    /// Signs what the engine made. Who asks it to conclude a draft feed has the root key, which signs that.
    fn sign(&self, mut batch: Vec<Record>) -> Vec<SignedRecord> {
        let feed = batch[0].feed;
        let drafts = self.disk.identities.get(&feed.organisation).and_then(|own| own.draft_node(&feed.collection));
        if drafts.is_some() && batch[0].position.term == FINAL_TERM {
            let root = self.root.as_ref().expect("the root key is here");
            return vec![SignedRecord::sign_by_root(batch.remove(0), root).expect("a record")];
        }
        sign_batch(batch, &self.key).expect("the engine makes batches")
    }

    fn take_in(&mut self, op: OpId, organisation: OrgId, statements: &[Vec<u8>]) -> Vec<Event> {
        let signed: Vec<_> = statements.iter().filter_map(|bytes| Signed::from_bytes(bytes).ok()).collect();
        let mut ok = signed.len() == statements.len() && !self.full;
        let known = self.disk.identities.get(&organisation);
        let folded = match known {
            Some(known) => {
                let mut identity = Identity::clone(known);
                let (news, refused) = identity.take_in_all(signed);
                ok &= refused.is_empty();
                (!news.is_empty()).then_some(identity)
            }
            None => match Identity::from_statements(signed) {
                Ok((identity, refused)) => {
                    ok &= refused.is_empty() && identity.id() == organisation;
                    Some(identity)
                }
                Err(_) => {
                    ok = false;
                    None
                }
            },
        };
        let mut events = Vec::new();
        if let Some(identity) = folded.filter(|identity| identity.id() == organisation && !self.full) {
            events.push(self.know(identity));
        }
        events.push(Event::TakenIn { op, ok });
        events
    }

    /// Takes note of an organisation's statements.
    pub fn know(&mut self, identity: Identity) -> Event {
        let identity = Arc::new(identity);
        self.disk.identities.insert(identity.id(), identity.clone());
        Event::Organisation { organisation: identity }
    }

    fn accept(&self, now: u64, feed: FeedId, item: &Item) -> (Verdict, Outcome) {
        let invalid = |reason: String| (Verdict::Invalid(reason), None);
        let signed = match SignedRecord::from_bytes(&item.record) {
            Ok(signed) => signed,
            Err(error) => return invalid(error.to_string()),
        };
        let Some(identity) = self.disk.identities.get(&feed.organisation) else { return (Verdict::Unknown, None) };
        let checkpoint = self.disk.markers.get(&feed);
        let checkpoint = checkpoint.and_then(|marker| match &marker.record().body {
            ortsnetz_trust::Body::Checkpoint(checkpoint) => Some((checkpoint, marker.record().position)),
            _ => None,
        });
        match identity.verify_record_within(&signed, now, checkpoint) {
            Ok(()) => {}
            Err(error) if error.is_held() => return (Verdict::Unknown, None),
            Err(RecordError::NoRole { .. }) => return (Verdict::Unknown, None),
            Err(error) => return invalid(error.to_string()),
        }
        let Some(entry) = signed.record().entry else {
            return (Verdict::Valid { covers: true }, Some((signed, Vec::new())));
        };
        let held = self.disk.chunks.get(&(feed, entry, signed.record().generation)).cloned().unwrap_or_default();
        let held_hashes: BTreeSet<_> = held.iter().map(|stored| stored.hash).collect();
        let news: Vec<_> =
            item.chunks.iter().filter(|chunk| !held_hashes.contains(&chunk_hash(chunk))).cloned().collect();
        let position = signed.record().position;
        let mut all = held.clone();
        all.extend(news.iter().map(|bytes| Stored {
            position,
            hash: chunk_hash(bytes),
            bytes: Arc::new(bytes.clone()),
        }));
        let wanted = closure(&heads(&signed), &all);
        if news.iter().any(|chunk| !wanted.contains(&chunk_hash(chunk))) {
            return invalid("changes that nobody signed".into());
        }
        let needed: BTreeSet<Hash> = all
            .iter()
            .filter(|stored| wanted.contains(&stored.hash))
            .flat_map(|stored| parents(&stored.bytes))
            .chain(heads(&signed))
            .collect();
        if !needed.is_subset(&wanted) {
            return (Verdict::Incomplete { have: held_hashes.into_iter().collect() }, None);
        }
        let covers = self.disk.records.get(&(feed, entry)).is_none_or(|older| {
            signed.record().covers(older.record(), |heads| heads.iter().all(|head| wanted.contains(head)))
        });
        (Verdict::Valid { covers }, Some((signed, news)))
    }
}
