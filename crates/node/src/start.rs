//! From a data directory to a running node.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, RwLock};

use ortsnetz_model::{Actor, FeedId, NodeId, OrgId, Position};
use ortsnetz_search::Places;
use ortsnetz_store::{Batch, Key, Options, Origin, Range, Store};
use ortsnetz_sync::{Config, Engine, Snapshot};
use ortsnetz_trust::identity::{Founding, Identity, Slot};
use ortsnetz_trust::record::{SignedRecord, draft_feed};
use ortsnetz_trust::sheet::{Sheet, WORK_FACTOR};
use ortsnetz_trust::statement::OrganisationKind;
use ortsnetz_trust::{NodeKey, RootKey, words};
use tokio::sync::{broadcast, mpsc};

use crate::backups;
use crate::boards::Boards;
use crate::clock;
use crate::districts;
use crate::driver::{Driver, TAKEN};
use crate::dto::{Initialised, NodeInfo, OrganisationInfo, Recovery};
use crate::error::NodeError;
use crate::following::{self, Following};
use crate::handle::{NewOrganisation, NodeConfig};
use crate::homecoming::{self, Homecoming};
use crate::identities;
use crate::indexes;
use crate::indexing::Search;
use crate::keeping;
use crate::leaving;
use crate::nodes;
use crate::partners;
use crate::purging;
use crate::reaching::Relays;
use crate::rows::{self, INTRODUCED};
use crate::scrubbing;
use crate::shared::{Own, Shared};
use crate::sheets;
use crate::storing::FROZEN;

/// Below the data directory.
const STORE_DIR: &str = "store";
const SEARCH_DIR: &str = "search";
pub(crate) const SHEET_FILE: &str = "recovery-sheet.txt";
/// Names of single values in the store.
const NODE_KEY: &str = "node_key";
pub(crate) const ROOT_KEY: &str = "root_key";
const ORGANISATION: &str = "organisation";
pub(crate) const EPOCH: &str = "epoch";
pub(crate) const PLACES: &str = "places";
pub(crate) const RECOVERY_CHECKED: &str = "recovery_checked";
/// zstd level of frames: small matters on the line of a town hall. Of the levels with a CPU time below a tenth of what
/// accepting the same page takes, the smallest result: 15 MB of entries take 0.18 s at 11 and 0.09 s at 6, and 16 % less.
const ZSTD_LEVEL: i32 = 11;
/// Characters of the id in the name of a node: enough to tell those of one organisation apart.
const NAME_CHARS: usize = 6;
/// Events a slow listener may lag behind.
const EVENTS: usize = 4096;
/// Names the environment variable that makes sheets quickly, for tests only: a number below the usual work factor.
const WORK_FACTOR_VARIABLE: &str = "ORTSNETZ_TEST_SHEET_WORK_FACTOR";

/// Opens the store of a data directory.
pub(crate) fn open_store(data_dir: &Path) -> Result<Store, NodeError> {
    open_and_report(data_dir).map(|(store, _)| store)
}

/// The same; also says what was damaged.
fn open_and_report(data_dir: &Path) -> Result<(Store, Vec<String>), NodeError> {
    let (store, report) = Store::open(&data_dir.join(STORE_DIR), Options::default())?;
    if let Some(broken) = &report.rebuilt {
        tracing::warn!(moved_to = %broken.display(), "the database was damaged; it is rebuilt from the own log and the partners");
    }
    for problem in &report.problems {
        tracing::warn!(%problem, "found while opening the store");
    }
    if report.replayed > 0 {
        tracing::info!(batches = report.replayed, "replayed from the own log");
    }
    Ok((store, report.problems.iter().map(ToString::to_string).collect()))
}

/// Whether this directory holds an identity.
fn is_initialised(store: &Store) -> Result<bool, NodeError> {
    Ok(store.meta(ORGANISATION)?.is_some())
}

fn already(data_dir: &Path) -> NodeError {
    NodeError::Conflict(format!(
        "{} holds an identity already, nothing was changed; choose another --data-dir, or start it with `ortsnetz run`",
        data_dir.display()
    ))
}

/// Makes a new organisation.
pub(crate) fn init(data_dir: &Path, new: &NewOrganisation) -> Result<Initialised, NodeError> {
    let invalid = |error: ortsnetz_trust::EncodingError| NodeError::Invalid(error.to_string());
    let kind = match new.kind.as_str() {
        "municipality" | "" => OrganisationKind::Municipality,
        "county" => OrganisationKind::County,
        "service_center" => OrganisationKind::ServiceCenter,
        "provider" => OrganisationKind::Provider,
        other => {
            return Err(NodeError::Invalid(format!(
                "--kind: {other:?} is none of municipality, county, service_center, provider"
            )));
        }
    };
    if !(new.ars.is_empty() && kind == OrganisationKind::Provider) {
        new.ars.parse::<ortsnetz_model::Ars>().map_err(|error| {
            NodeError::Invalid(format!("--ars: {error}; look it up with `ortsnetz places find NAME`"))
        })?;
    }
    let root = RootKey::from_secret(&clock::random());
    let key = NodeKey::from_secret(&clock::random());
    let founding = Founding {
        name: new.name.trim().to_owned(),
        ars: new.ars.clone(),
        kind,
        node_name: node_name(&key.id()),
        addresses: Vec::new(),
        at: clock::now(),
        random: clock::random(),
    };
    // Checked before anything is written.
    let identity = Identity::found(founding, &root, &key).map_err(invalid)?;
    std::fs::create_dir_all(data_dir)
        .map_err(|error| NodeError::Unavailable(format!("cannot create {}: {error}", data_dir.display())))?;
    restrict(data_dir)?;
    let store = open_store(data_dir)?;
    if is_initialised(&store)? {
        return Err(already(data_dir));
    }
    let passphrase = words::passphrase(&clock::random());
    let genesis =
        identity.statement(&Slot::Genesis).cloned().ok_or_else(|| NodeError::Unavailable("no genesis".into()))?;
    let sheet = Sheet { root: root.clone(), genesis, partners: Vec::new(), at: clock::now() };
    let text =
        sheet.to_text(&passphrase, sheet_work_factor()).map_err(|error| NodeError::Unavailable(error.to_string()))?;
    let file = data_dir.join(SHEET_FILE);
    write_private(&file, text.as_bytes())?;
    let kept = keep_identity(&store, &identity, &key, Some(&root)).and_then(|()| {
        let mut batch = Batch::new(Origin::Own);
        sheets::keep_block(&mut batch, &text)?;
        store.commit(batch)?;
        Ok(())
    });
    if let Err(error) = kept {
        // A sheet of an identity that nobody has would only mislead.
        let _ = std::fs::remove_file(&file);
        return Err(error);
    }
    store.close()?;
    Ok(Initialised {
        organisation: organisation_info(&identity),
        node: NodeInfo { id: key.id().to_string(), addresses: Vec::new() },
        recovery: Some(Recovery { file: file.display().to_string(), passphrase }),
    })
}

/// Keeps a node's identity in an empty store.
pub(crate) fn keep_identity(
    store: &Store,
    identity: &Identity,
    key: &NodeKey,
    root: Option<&RootKey>,
) -> Result<(), NodeError> {
    let mut batch = Batch::new(Origin::Own);
    put_identity(store, &mut batch, identity, key, root)?;
    store.commit(batch)?;
    Ok(())
}

/// Rows of a node's identity.
pub(crate) fn put_identity(
    store: &Store,
    batch: &mut Batch,
    identity: &Identity,
    key: &NodeKey,
    root: Option<&RootKey>,
) -> Result<(), NodeError> {
    batch.origin(Origin::Own);
    batch.put(Key::Meta(NODE_KEY.into()), key.secret().to_vec());
    if let Some(root) = root {
        batch.put(Key::Meta(ROOT_KEY.into()), root.secret().to_vec());
    }
    identities::put_chain(store, batch, identity, true)?;
    batch.origin(Origin::Own);
    batch.put(Key::Meta(ORGANISATION.into()), identity.id().0.to_vec());
    Ok(())
}

/// Refuses a directory that has an identity; returns its open store.
pub(crate) fn open_empty(data_dir: &Path) -> Result<Store, NodeError> {
    std::fs::create_dir_all(data_dir)
        .map_err(|error| NodeError::Unavailable(format!("cannot create {}: {error}", data_dir.display())))?;
    restrict(data_dir)?;
    let store = open_store(data_dir)?;
    if is_initialised(&store)? { Err(already(data_dir)) } else { Ok(store) }
}

pub(crate) fn organisation_info(identity: &Identity) -> OrganisationInfo {
    OrganisationInfo {
        id: identity.id().to_string(),
        name: identity.name().to_owned(),
        ars: identity.ars().to_owned(),
        ..OrganisationInfo::default()
    }
}

/// Whose store this is, as far as it says.
pub(crate) fn kept_organisation(store: &Store) -> Result<OrganisationInfo, NodeError> {
    Ok(kept_identity(store)?.as_ref().map(organisation_info).unwrap_or_default())
}

/// What the store knows of whose it is.
pub(crate) fn kept_identity(store: &Store) -> Result<Option<Identity>, NodeError> {
    match store.meta(ORGANISATION)?.and_then(|bytes| OrgId::from_slice(&bytes)) {
        Some(id) => identities::load(store, &id),
        None => Ok(None),
    }
}

/// Removes the store of a data directory; nobody has it open.
pub(crate) fn remove_store(data_dir: &Path) -> Result<(), NodeError> {
    let store = data_dir.join(STORE_DIR);
    match std::fs::remove_dir_all(&store) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(NodeError::Unavailable(format!("cannot remove {}: {error}", store.display())))
        }
        _ => Ok(()),
    }
}

/// What a node is called in its certificate, which partners read: not the name of the machine, which is often that of its
/// user, but something both sides can read out to each other.
pub(crate) fn node_name(node: &NodeId) -> String {
    let id = node.to_string();
    format!("Knoten {}", &id[id.len() - NAME_CHARS..])
}

/// How hard a passphrase is to guess: of the sheet, and of a backup.
pub(crate) fn sheet_work_factor() -> u8 {
    let wanted = std::env::var(WORK_FACTOR_VARIABLE).ok().and_then(|text| text.parse().ok());
    wanted.unwrap_or(WORK_FACTOR).min(WORK_FACTOR)
}

fn restrict(dir: &Path) -> Result<(), NodeError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))
            .map_err(|error| NodeError::Unavailable(format!("cannot protect {}: {error}", dir.display())))?;
    }
    Ok(())
}

/// Writes a file that only its owner reads.
pub(crate) fn write_private(file: &Path, bytes: &[u8]) -> Result<(), NodeError> {
    use std::io::Write;
    let failed = |error: std::io::Error| NodeError::Unavailable(format!("cannot write {}: {error}", file.display()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut out = options.open(file).map_err(failed)?;
    out.write_all(bytes).and_then(|()| out.sync_all()).map_err(failed)
}

/// Starts a node.
pub(crate) async fn start(config: NodeConfig) -> Result<Arc<Shared>, NodeError> {
    // Wrong usage is told before anything is opened.
    for (option, addresses) in [("--listen", &config.listen), ("--advertise", &config.advertise)] {
        for address in addresses {
            ortsnetz_net::check_address(address).map_err(|error| NodeError::Invalid(format!("{option}: {error}")))?;
        }
    }
    let data_dir = config.data_dir.clone();
    let opened = tokio::task::spawn_blocking(move || open(&data_dir))
        .await
        .map_err(|error| NodeError::Unavailable(format!("the store could not be opened: {error}")))??;
    let Opened {
        store,
        own,
        identities,
        partners,
        introduced,
        snapshot,
        feeds,
        following,
        places,
        search,
        homecoming,
        damaged,
    } = opened;
    let mut net_config = ortsnetz_net::Config::new(*own.key.secret(), config.listen.clone());
    net_config.advertise.clone_from(&config.advertise);
    net_config.relay.clone_from(&config.relay);
    let (net, events) =
        ortsnetz_net::Network::start(net_config).await.map_err(|error| NodeError::Unavailable(error.to_string()))?;
    let relays = identities.get(&own.organisation).map(|identity| Relays::stated(identity, &own.node));
    let (driver, inputs) = mpsc::unbounded_channel();
    let mut engine = Engine::new(
        // Not the epoch of the actor, which never goes back: once the clock was wrong, a new term is to begin at the right one.
        Config { node: own.node, organisation: own.organisation, started_at: clock::now(), zstd_level: ZSTD_LEVEL },
        u64::from_be_bytes(clock::random()),
        snapshot,
    );
    if homecoming.is_some() {
        engine.handle(clock::now(), ortsnetz_sync::Event::Hold { held: true });
    }
    let boards = Boards::of(&store, clock::now())?;
    let shared = Arc::new(Shared {
        own,
        http: config.http.clone(),
        advertise: config.advertise,
        relays: Mutex::new(relays.unwrap_or_default()),
        data_dir: config.data_dir.clone(),
        store,
        net,
        identities: RwLock::new(identities),
        partners: RwLock::new(partners),
        introduced: RwLock::new(introduced),
        claims: RwLock::default(),
        burdens: Mutex::default(),
        refused: AtomicU64::new(0),
        marks: Arc::default(),
        boards: Arc::new(boards),
        feeds: RwLock::new(feeds),
        driver,
        events: broadcast::channel(EVENTS).0,
        search,
        places: RwLock::new(Arc::new(places)),
        locks: Shared::entry_locks(),
        importing: Mutex::new(()),
        not_stored: Mutex::default(),
        stopping: AtomicBool::new(false),
        last_change_at: AtomicU64::new(0),
        identity_changes: Mutex::new(()),
        purging: purging::Purging::default(),
        homecoming: Mutex::new(homecoming),
        joins: Mutex::new(()),
        live: crate::live::Live::default(),
        following,
        letting_in: Mutex::new(()),
        mailer: RwLock::default(),
        joining: Mutex::default(),
        keeping: keeping::Keeping::default(),
    });
    tokio::spawn(Driver::new(shared.clone(), engine).run(inputs, events));
    let starting = shared.clone();
    tokio::task::spawn_blocking(move || -> Result<(), NodeError> {
        // Before anything that takes a while with many partners: they dial already.
        partners::apply_allow_list(&starting)?;
        for told in [partners::tell_addresses(&starting), partners::keep_chains(&starting)] {
            match told {
                Err(error) if starting.store.room().is_err() => {
                    tracing::warn!(%error, "addresses and partners' statements are not written while the disk is full");
                }
                other => other?,
            }
        }
        partners::apply_allow_list(&starting)?;
        partners::weigh_claims(&starting);
        nodes::conclude(&starting);
        Search::run(&starting);
        Ok(())
    })
    .await
    .map_err(|error| NodeError::Unavailable(format!("the node could not be started: {error}")))??;
    let marking = shared.clone();
    let _ = std::thread::Builder::new().name("marks".into()).spawn(move || {
        let go_on = || !marking.stopping.load(std::sync::atomic::Ordering::Relaxed);
        if let Err(error) = marking.marks.fill(&marking.store, go_on) {
            tracing::error!(%error, "drafts and conflicts could not be counted");
        }
        if let Err(error) = crate::tasks::chores::fill(&marking) {
            tracing::error!(%error, "reviews could not be counted");
        }
    });
    let scrubbing = shared.clone();
    let _ = std::thread::Builder::new().name("scrub".into()).spawn(move || scrubbing::begin(&scrubbing, &damaged));
    tokio::spawn(crate::live::watch(Arc::downgrade(&shared)));
    tokio::spawn(indexes::watch(Arc::downgrade(&shared)));
    let purging = shared.clone();
    let _ = std::thread::Builder::new().name("purge".into()).spawn(move || {
        following::tidy(&purging);
        purging::purge_surely(&purging);
    });
    tokio::spawn(crate::recovering::ask_again(shared.clone()));
    tokio::spawn(nodes::watch(shared.clone()));
    tokio::spawn(leaving::watch(shared.clone()));
    tokio::spawn(keeping::keep_sending(shared.clone()));
    tokio::spawn(crate::contacts::watch(shared.clone()));
    tokio::spawn(crate::clerk::work(shared.clone()));
    let coming = shared.clone();
    let _ = std::thread::Builder::new().name("homecoming".into()).spawn(move || homecoming::come_home(&coming));
    crate::carrying::arrived(&shared);
    let answering = shared.clone();
    let _ = std::thread::Builder::new().name("requests".into()).spawn(move || {
        if let Err(error) = crate::drafts::answer_waiting(&answering) {
            tracing::error!(%error, "waiting requests could not be answered");
        }
    });
    Ok(shared)
}

struct Opened {
    store: Store,
    own: Own,
    identities: BTreeMap<OrgId, Arc<Identity>>,
    partners: BTreeMap<OrgId, rows::PartnerRow>,
    introduced: BTreeMap<OrgId, rows::IntroducedRow>,
    snapshot: Snapshot,
    feeds: BTreeSet<FeedId>,
    following: Following,
    places: Places,
    search: Search,
    homecoming: Option<Homecoming>,
    /// What was found damaged, and is whole again.
    damaged: Vec<String>,
}

fn open(data_dir: &Path) -> Result<Opened, NodeError> {
    if !data_dir.join(STORE_DIR).exists() {
        return Err(no_identity(data_dir));
    }
    let (store, mut damaged) = open_and_report(data_dir)?;
    // Only now: whoever makes a backup without a daemon has the store.
    backups::clean(data_dir)?;
    if purging::finish(&store)? {
        // It may hold what was redacted; it is made anew from the store.
        let _ = std::fs::remove_dir_all(data_dir.join(SEARCH_DIR));
    }
    let own = own(&store, data_dir)?;
    let mut identities = BTreeMap::new();
    for id in store.organisations()? {
        if let Some(identity) = identities::load(&store, &id)? {
            identities.insert(id, Arc::new(identity));
        }
    }
    if !identities.contains_key(&own.organisation) {
        return Err(NodeError::Unavailable(
            "the organisation's own statements are missing; restore a backup, or rebuild from the recovery sheet"
                .into(),
        ));
    }
    let mut partners = BTreeMap::new();
    for (key, bytes) in store.scan(&Range::Partners, None, usize::MAX)? {
        if let Key::Partner(id) = key {
            partners.insert(id, rows::decode("a partner", &bytes)?);
        }
    }
    let mut introduced = BTreeMap::new();
    for (key, bytes) in store.scan(&Range::Custom(INTRODUCED.into()), None, usize::MAX)? {
        if let Key::Custom { key, .. } = key
            && let Some(id) = OrgId::from_slice(&key)
        {
            introduced.insert(id, rows::decode("an introduction", &bytes)?);
        }
    }
    let following = Following::load(&store)?;
    let unfollowed = following.unfollowed();
    let mut feeds: BTreeSet<FeedId> = store.feeds()?.into_iter().collect();
    feeds.retain(|feed| !unfollowed.contains(feed));
    let snapshot = snapshot(&store, &identities, &feeds, &following, &mut damaged)?;
    let places = match store.meta(PLACES)? {
        Some(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| NodeError::Unavailable(format!("the table of places is damaged: {error}")))?,
        None => Places::built_in(),
    };
    let places = districts::add_to(&store, places)?;
    let search = Search::open(&data_dir.join(SEARCH_DIR), &store)?;
    let homecoming = homecoming::pending(&store)?;
    Ok(Opened {
        store,
        own,
        identities,
        partners,
        introduced,
        snapshot,
        feeds,
        following,
        places,
        search,
        homecoming,
        damaged,
    })
}

fn no_identity(data_dir: &Path) -> NodeError {
    NodeError::NotFound(format!(
        "{} holds no identity yet; make one with `ortsnetz init --name NAME --ars ARS`, or join your organisation with `ortsnetz init --join NODE-TOKEN`",
        data_dir.display()
    ))
}

fn own(store: &Store, data_dir: &Path) -> Result<Own, NodeError> {
    let organisation =
        store.meta(ORGANISATION)?.and_then(|bytes| OrgId::from_slice(&bytes)).ok_or_else(|| no_identity(data_dir))?;
    let secret = |name: &str| -> Result<Option<[u8; 32]>, NodeError> {
        Ok(store.meta(name)?.and_then(|bytes| bytes.try_into().ok()))
    };
    let key = NodeKey::from_secret(&secret(NODE_KEY)?.ok_or_else(|| no_identity(data_dir))?);
    let root = secret(ROOT_KEY)?.map(|secret| RootKey::from_secret(&secret));
    let last = store.meta(EPOCH)?.and_then(|bytes| Some(u64::from_be_bytes(bytes.try_into().ok()?))).unwrap_or(0);
    let epoch = clock::now().max(last + 1);
    let mut batch = Batch::new(Origin::Own);
    batch.put(Key::Meta(EPOCH.into()), epoch.to_be_bytes().to_vec());
    // Answers go on when there is no room to write more than this.
    batch.from_reserve();
    if root.is_some()
        && !sheets::has_block(store)?
        && let Ok(sheet) = std::fs::read_to_string(data_dir.join(SHEET_FILE))
        && let Err(error) = sheets::keep_block(&mut batch, &sheet)
    {
        tracing::warn!(%error, file = SHEET_FILE, "the recovery sheet in the data directory cannot be read");
    }
    store.commit(batch)?;
    let node = key.id();
    Ok(Own {
        organisation,
        node,
        key,
        root: RwLock::new(root),
        actor: Actor::of_node(&node, epoch),
        drafts: draft_feed(organisation, &node),
    })
}

/// What the engine starts from: rows of records, no documents.
fn snapshot(
    store: &Store,
    identities: &BTreeMap<OrgId, Arc<Identity>>,
    feeds: &BTreeSet<FeedId>,
    following: &Following,
    damaged: &mut Vec<String>,
) -> Result<Snapshot, NodeError> {
    let mut snapshot = Snapshot::default();
    for identity in identities.values() {
        snapshot.organisation(identity.clone());
    }
    let feeds: Vec<FeedId> = feeds.iter().copied().collect();
    let mut snapshot = indexes::read(store, &feeds, snapshot, damaged)?;
    following.unfollowed().into_iter().for_each(|feed| snapshot.unfollowed(feed));
    for feed in feeds {
        for (_, bytes) in store.markers(&feed)? {
            if let Ok(signed) = SignedRecord::from_bytes(&bytes) {
                snapshot.record(signed.record());
            }
        }
        if let Some(bytes) = store.cursor(&feed)? {
            snapshot.cursor(feed, rows::decode::<Position>("a cursor", &bytes)?);
        }
    }
    for (key, bytes) in store.scan(&Range::Custom(FROZEN.into()), None, usize::MAX)? {
        if let Key::Custom { key, .. } = key {
            snapshot.frozen(rows::decode("a feed", &key)?, rows::decode("a position", &bytes)?);
        }
    }
    for (key, bytes) in store.scan(&Range::AllSetAside, None, usize::MAX)? {
        if let Key::SetAside { feed, position, .. } = key
            && let Ok(record) = SignedRecord::from_bytes(&bytes)
            && let Some(entry) = record.record().entry
        {
            snapshot.aside(feed, entry, position);
        }
    }
    for (key, bytes) in store.scan(&Range::Custom(TAKEN.into()), None, usize::MAX)? {
        if let Key::Custom { key, .. } = key
            && let (Some(node), Ok(taken)) = (node_id(&key), bytes.as_slice().try_into())
        {
            snapshot.taken(node, taken);
        }
    }
    Ok(snapshot)
}

fn node_id(bytes: &[u8]) -> Option<NodeId> {
    bytes.try_into().ok().map(NodeId)
}

/// Opens the store of a directory that has one, without a daemon.
pub(crate) fn open_existing(data_dir: &Path) -> Result<Store, NodeError> {
    if !data_dir.join(STORE_DIR).exists() {
        return Err(no_identity(data_dir));
    }
    open_store(data_dir)
}

/// Makes a data directory, or takes one that has no store.
pub(crate) fn make_empty(data_dir: &Path) -> Result<(), NodeError> {
    if data_dir.join(STORE_DIR).exists() {
        return Err(already(data_dir));
    }
    std::fs::create_dir_all(data_dir)
        .map_err(|error| NodeError::Unavailable(format!("cannot create {}: {error}", data_dir.display())))?;
    restrict(data_dir)
}

/// Fills an empty data directory from an exported file. Returns whose it is.
pub(crate) fn import_store(data_dir: &Path, file: &Path) -> Result<OrganisationInfo, NodeError> {
    make_empty(data_dir)?;
    let store = data_dir.join(STORE_DIR);
    Store::import(file, &store, Options::default())?;
    crate::recovering::note_restored(&store)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_named_by_its_id_and_not_by_its_machine() {
        let node = NodeKey::from_secret(&[7; 32]).id();
        let name = node_name(&node);
        assert_eq!(name.chars().count(), "Knoten ".len() + NAME_CHARS);
        assert!(node.to_string().ends_with(name.trim_start_matches("Knoten ")));
    }
}
