//! What every part of the node works with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use ortsnetz_model::{Actor, CollectionId, EntryId, FeedId, NodeId, OrgId};
use ortsnetz_search::Places;
use ortsnetz_store::Store;
use ortsnetz_trust::statement::Readers;
use ortsnetz_trust::{Identity, NodeKey, RootKey, Signer as _};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::boards::{Boards, Brought};
use crate::clock;
use crate::driver::Input;
use crate::dto::{EventInfo, OrganisationInfo};
use crate::error::NodeError;
use crate::indexing::Search;
use crate::leaving;
use crate::marks::{Marks, Written};
use crate::nodes;
use crate::plan::{Pending, Plan};
use crate::rows::{IntroducedRow, PartnerRow};
use crate::vouching::Claims;
use crate::working::Writer;

/// Who this node is.
pub(crate) struct Own {
    /// Our organisation.
    pub organisation: OrgId,
    /// This node.
    pub node: NodeId,
    /// Its key.
    pub key: NodeKey,
    /// A root key of the organisation, if one is kept here; whether it still counts says [`Shared::root`].
    pub root: RwLock<Option<RootKey>>,
    /// Who writes in documents in this process.
    pub actor: Actor,
    /// This node's draft feed.
    pub drafts: FeedId,
}

/// Locks of entries by the first byte of a hash of their id; an import holds all of them.
pub(crate) struct EntryLocks {
    stripes: Vec<Mutex<()>>,
}

const STRIPES: usize = 64;

impl EntryLocks {
    fn new() -> Self {
        Self { stripes: (0..STRIPES).map(|_| Mutex::new(())).collect() }
    }

    /// Waits until nobody else changes these entries.
    pub fn lock<'a>(&'a self, entries: &[EntryId]) -> Vec<MutexGuard<'a, ()>> {
        let stripes: BTreeSet<usize> = entries.iter().map(|entry| usize::from(entry.0[15]) % STRIPES).collect();
        stripes.into_iter().map(|stripe| lock(&self.stripes[stripe])).collect()
    }

    /// Waits until everybody who changes entries now is done. Holds nothing while it waits for the next.
    pub fn wait_for_all(&self) {
        for stripe in &self.stripes {
            drop(lock(stripe));
        }
    }
}

/// A lock that survives a panic of another holder: what it guards is always whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// As [`lock`].
pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// As [`lock`].
pub(crate) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What a node cost us since the start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Burden {
    /// How long the loop worked on its frames.
    pub busy: Duration,
    /// How often it was cut off because it misbehaved.
    pub misbehaved: u64,
}

/// Everything the parts of a running node share.
pub(crate) struct Shared {
    /// Who we are.
    pub own: Own,
    /// Address of HTTP, for `status`.
    pub http: String,
    /// Addresses to tell partners instead of those found out.
    pub advertise: Vec<String>,
    /// Through whom this node says it can be reached.
    pub relays: Mutex<crate::reaching::Relays>,
    /// The data directory.
    pub data_dir: PathBuf,
    /// The store.
    pub store: Store,
    /// The network.
    pub net: ortsnetz_net::Handle,
    /// All organisations we know, ourselves included.
    pub identities: RwLock<BTreeMap<OrgId, Arc<Identity>>>,
    /// Our partners, past ones too.
    pub partners: RwLock<BTreeMap<OrgId, PartnerRow>>,
    /// Who introduced whom.
    pub introduced: RwLock<BTreeMap<OrgId, IntroducedRow>>,
    /// What the claims of organisations weigh.
    pub claims: RwLock<Claims>,
    /// What nodes cost us, by node.
    pub burdens: Mutex<BTreeMap<NodeId, Burden>>,
    /// How often a node was turned away.
    pub refused: std::sync::atomic::AtomicU64,
    /// Own entries that need somebody.
    pub marks: Arc<Marks>,
    /// Notices and agreements.
    pub boards: Arc<Boards>,
    /// Feeds that have anything here.
    pub feeds: RwLock<BTreeSet<FeedId>>,
    /// To the loop around the engine.
    pub driver: mpsc::UnboundedSender<Input>,
    /// What happens.
    pub events: broadcast::Sender<EventInfo>,
    /// The search index.
    pub search: Search,
    /// The table of places.
    pub places: RwLock<Arc<Places>>,
    /// Locks of own entries.
    pub locks: EntryLocks,
    /// One import at a time.
    pub importing: Mutex<()>,
    /// Why own records could not be stored the last time, in the store's words.
    pub not_stored: Mutex<String>,
    /// Set when the node stops.
    pub stopping: AtomicBool,
    /// When anything last changed here, milliseconds since 1970.
    pub last_change_at: std::sync::atomic::AtomicU64,
    /// Identities are changed by one caller at a time.
    pub identity_changes: Mutex<()>,
    /// Erasing for good.
    pub purging: crate::purging::Purging,
    /// What is to be done once this node knows again what it published; `None` if it never forgot.
    pub homecoming: Mutex<Option<crate::homecoming::Homecoming>>,
    /// Invitations being answered.
    pub joins: Mutex<()>,
    /// What partners answer while somebody searches.
    pub live: crate::live::Live,
    /// Which collections of others are kept.
    pub following: crate::following::Following,
    /// Held while the network is told who is let in: whoever looked first must not speak last.
    pub letting_in: Mutex<()>,
    /// How mails go out, if they do.
    pub mailer: RwLock<Option<Arc<crate::mail::Mailer>>>,
    /// New partners that may not have let us in yet, so that it is too early to dial them.
    pub joining: Mutex<BTreeSet<OrgId>>,
    /// Sealed copies, ours and those of others.
    pub keeping: crate::keeping::Keeping,
}

impl Shared {
    /// Locks of entries, for the constructor.
    pub fn entry_locks() -> EntryLocks {
        EntryLocks::new()
    }

    /// Who writes now.
    pub fn writer(&self) -> Writer<'_> {
        Writer {
            organisation: self.own.organisation,
            drafts: self.own.drafts,
            actor: &self.own.actor,
            now: clock::now(),
        }
    }

    /// What is known of our own organisation.
    pub fn identity(&self) -> Arc<Identity> {
        // Our own identity is there before the node starts and never removed.
        self.identity_of(&self.own.organisation).unwrap_or_else(|| unreachable!("our own identity is always known"))
    }

    /// What is known of an organisation.
    pub fn identity_of(&self, organisation: &OrgId) -> Option<Arc<Identity>> {
        read(&self.identities).get(organisation).cloned()
    }

    /// The organisation's root key, if it is kept here and was not replaced.
    pub fn root(&self) -> Option<RootKey> {
        let root = read(&self.own.root).clone()?;
        (root.public() == self.identity().root()).then_some(root)
    }

    /// Whether this node is the publisher of our organisation.
    pub fn is_publisher(&self) -> bool {
        self.identity().current_term().is_some_and(|(_, node)| node == self.own.node)
    }

    /// Name of a collection, as far as known here.
    pub fn collection_name(&self, feed: &FeedId) -> String {
        self.identity_of(&feed.organisation)
            .and_then(|identity| identity.collection(&feed.collection).map(|collection| collection.label().to_owned()))
            .unwrap_or_else(|| feed.collection.to_string())
    }

    /// Whether everybody may read a feed. Decided by its reader list, never by its name.
    pub fn is_public(&self, feed: &FeedId) -> bool {
        self.identity_of(&feed.organisation).is_some_and(|identity| {
            identity.collection(&feed.collection).is_some_and(|collection| collection.readers == Readers::Public)
        })
    }

    /// Our collection of this name, open for new entries.
    pub fn own_collection(&self, name: &str) -> Result<CollectionId, NodeError> {
        let identity = self.identity();
        let (problem, found) = match identity.collection_called(name) {
            Some(collection) if !collection.ended => return Ok(collection.collection),
            Some(_) => (format!("the collection {name:?} has ended"), true),
            None => (format!("there is no collection {name:?} here"), false),
        };
        let open = identity.collections().into_iter().filter(|collection| !collection.ended);
        let mut names: Vec<&str> = open.map(|collection| collection.label()).collect();
        names.sort_unstable();
        let line = format!("{problem}; there are: {}", names.join(", "));
        Err(if found { NodeError::Conflict(line) } else { NodeError::NotFound(line) })
    }

    /// Name of an organisation, or the beginning of its id.
    pub fn organisation_name(&self, organisation: &OrgId) -> String {
        self.identity_of(organisation)
            .map_or_else(|| organisation.to_string()[..12].to_owned(), |identity| identity.name().to_owned())
    }

    /// An invitation or an answer to one was stored: strangers are let in to join.
    pub fn open_joins(&self) {
        let _one = lock(&self.letting_in);
        self.net.open_joins(true);
    }

    /// How an organisation is shown.
    pub fn organisation_info(&self, organisation: &OrgId) -> OrganisationInfo {
        let mut info = OrganisationInfo { id: organisation.to_string(), ..OrganisationInfo::default() };
        if let Some(identity) = self.identity_of(organisation) {
            info.name = identity.name().to_owned();
            info.ars = identity.ars().to_owned();
            info.expired_since = nodes::expired_since(&identity, clock::now()).map(clock::rfc3339);
        }
        if *organisation == self.own.organisation {
            info.standing = Some("own".into());
            info.place_state = Some("confirmed".into());
        } else if let Some(partner) = read(&self.partners).get(organisation).filter(|partner| !partner.ended) {
            info.standing = Some("partner".into());
            let contradicted = read(&self.claims).contradicted.contains(organisation);
            let state = match partner.confirmed {
                _ if contradicted => "contradicted",
                true => "confirmed",
                false => "unconfirmed",
            };
            info.place_state = Some(state.into());
        } else {
            let (contradicted, voucher) = {
                let claims = read(&self.claims);
                let contradicted = claims.contradicted.contains(organisation);
                (contradicted, claims.vouchers.get(organisation).copied().filter(|_| !contradicted))
            };
            info.standing = Some("introduced".into());
            info.place_state = Some(
                match voucher {
                    _ if contradicted => "contradicted",
                    Some(_) => "introduced",
                    None => "unconfirmed",
                }
                .into(),
            );
            let relayed = read(&self.introduced).get(organisation).and_then(|row| row.by.first().copied());
            info.introduced_by = voucher.or(relayed).map(|by| self.organisation_name(&by));
        }
        let successor = read(&self.claims).succeeded.get(organisation).copied();
        info.succeeded_by = successor.map(|successor| self.organisation_name(&successor));
        info.leaving = leaving::of(self, organisation);
        info
    }

    /// Name of the organisation a node belongs to, or its own name within ours.
    pub fn node_name(&self, node: &NodeId) -> String {
        match self.organisation_of(node).or_else(|| self.revoked_by(node)) {
            Some(organisation) if organisation == self.own.organisation => self
                .identity()
                .last_certificate(node)
                .map_or_else(|| node.to_string(), |certificate| certificate.name.clone()),
            Some(organisation) => self.organisation_name(&organisation),
            None => node.to_string(),
        }
    }

    /// The organisation that certified a node.
    pub fn organisation_of(&self, node: &NodeId) -> Option<OrgId> {
        let identities = read(&self.identities);
        identities.iter().find(|(_, identity)| identity.certificate(node).is_some()).map(|(id, _)| *id)
    }

    /// The organisation that took the certificate of a node back, if nobody certifies it.
    pub fn revoked_by(&self, node: &NodeId) -> Option<OrgId> {
        let identities = read(&self.identities);
        identities.iter().find(|(_, identity)| identity.is_revoked(node)).map(|(id, _)| *id)
    }

    /// Sends a plan through the engine and waits until it is durable. Blocks: never on a task of the runtime. A plan without
    /// records is nothing to the engine, so its rows are only written.
    pub fn commit(&self, plan: Plan) -> Result<Vec<ortsnetz_sync::Published>, NodeError> {
        if plan.items.is_empty() {
            let (written, brought) = (Written::by(&plan.batch), Brought::by(&plan.batch));
            self.store.commit(plan.batch)?;
            self.marks.note(written);
            self.boards.take(brought);
            return Ok(Vec::new());
        }
        self.submit(plan)?.blocking_recv().unwrap_or_else(|_| Err(stopping()))
    }

    /// Sends a plan through the engine; the answer comes when it is durable.
    pub fn submit(
        &self,
        plan: Plan,
    ) -> Result<oneshot::Receiver<Result<Vec<ortsnetz_sync::Published>, NodeError>>, NodeError> {
        if let Some(sentence) = nodes::revoked_here(self) {
            return Err(NodeError::Forbidden(sentence));
        }
        let (reply, answer) = oneshot::channel();
        self.driver.send(Input::Publish(Pending { plan, reply })).map_err(|_| stopping())?;
        Ok(answer)
    }

    /// Whether the node is on its way down.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// The answer of a node that stops.
pub(crate) fn stopping() -> NodeError {
    NodeError::Unavailable("this node is stopping; try again when it runs".into())
}
