//! Sealed copies: partners that agreed keep an encrypted copy of what no partner could give back — drafts, what is internal,
//! tokens, imports —, so that the recovery sheet and a partner bring back everything.
//!
//! - `owner`: makes a copy a day if something changed, sends it to the keepers, and has them prove now and then that they
//!   still have it.
//! - `keeper`: answers owners; what it takes lies on a `shelf` beside the store, never in it.
//! - `fetching`: gets the newest copy back, here or in a recovery.
//!
//! Who keeps for whom is agreed by a person on each side and written down at that node alone.

mod fetching;
mod keeper;
mod limits;
mod owner;
mod shelf;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use minicbor::{Decode, Encode};
use ortsnetz_model::{NodeId, OrgId};
use ortsnetz_store::{Batch, Key, Origin, Store};
use ortsnetz_trust::PublicKey;
use ortsnetz_trust::sealed::{PieceTree, SealedCopy};
use tokio::sync::Notify;

pub(crate) use fetching::{Fetched, Source, Wanted, fetch, fetch_here};
pub(crate) use keeper::answer;
pub(crate) use owner::{keep_sending, send};

use crate::backups;
use crate::clock;
use crate::dto::{AlarmInfo, AllowRequest, KeeperInfo, Keepers, KeptInfo, SealedCopyInfo};
use crate::error::NodeError;
use crate::partners;
use crate::rows;
use crate::shared::{Shared, lock, read};
use limits::{KEEPERS_MAX, KEPT_MAX, MEGABYTE, MEGABYTES_MAX};
use shelf::Shelf;

/// Below the data directory: copies of others, and our own on its way.
const KEPT_DIR: &str = "kept";
const SEALED_DIR: &str = "sealed";
/// Names of the rows that say who keeps ours, what the newest copy is, and whose we keep.
const KEEPERS: &str = "keepers";
const NEWEST: &str = "sealed_newest";
const KEPT: &str = "kept_for";

/// A copy that a keeper has.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Confirmed {
    #[n(0)]
    copy: SealedCopy,
    /// Milliseconds since 1970.
    #[n(1)]
    at: u64,
    /// Which node of the keeper said so.
    #[n(2)]
    node: NodeId,
}

/// A partner that is to keep our copies.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct KeeperRow {
    #[n(0)]
    organisation: OrgId,
    /// Milliseconds since 1970.
    #[n(1)]
    since: u64,
    #[n(2)]
    confirmed: Option<Confirmed>,
    /// Milliseconds since 1970; 0 for never.
    #[n(3)]
    proved_at: u64,
    /// Why the newest copy is not there.
    #[n(4)]
    problem: Option<String>,
}

/// The newest sealed copy of ours.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct NewestRow {
    #[n(0)]
    copy: SealedCopy,
    /// Of the rows in it.
    #[cbor(n(1), with = "minicbor::bytes")]
    digest: [u8; 32],
    /// Under which root key.
    #[n(2)]
    root: PublicKey,
    /// When it was last seen that nothing is newer, milliseconds since 1970.
    #[n(3)]
    looked_at: u64,
    /// How many redactions there were.
    #[n(4)]
    redactions: u64,
}

/// A partner whose copies we keep.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct KeptRow {
    #[n(0)]
    organisation: OrgId,
    #[n(1)]
    bytes_max: u64,
}

/// What the parts share while the node runs.
#[derive(Default)]
pub(crate) struct Keeping {
    /// Rows are changed by one caller at a time.
    rows: Mutex<()>,
    /// Each shelf is used by one caller at a time.
    shelves: Mutex<BTreeMap<OrgId, Arc<Mutex<()>>>>,
    /// What partners asked lately.
    budgets: Mutex<keeper::Budgets>,
    /// Hashes of the copy that was read last.
    tree: Mutex<Option<ReadTree>>,
    /// There is something to do for the owner's side.
    wake: Notify,
    /// A copy is wanted, whatever the time.
    forced: AtomicBool,
    /// One round of sending at a time.
    sending: tokio::sync::Mutex<()>,
}

/// A copy of an organisation and its hashes.
type ReadTree = (OrgId, SealedCopy, Arc<PieceTree>);

impl Keeping {
    /// A backup was made: perhaps something is to be sent.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    fn shelf_lock(&self, organisation: &OrgId) -> Arc<Mutex<()>> {
        lock(&self.shelves).entry(*organisation).or_default().clone()
    }
}

/// Whether a row changes without anything that a copy would be made for.
fn passes(key: &Key) -> bool {
    match key {
        Key::Meta(name) => {
            backups::is_note(key) || [KEEPERS, NEWEST, KEPT, crate::start::EPOCH].contains(&name.as_str())
        }
        // Checkpoints of each day, and how far a feed is known. What people said stands in records.
        Key::Marker { .. } | Key::Cursor(_) => true,
        // When a partner was last in sync. Who is one stands in statements.
        Key::Partner(_) => true,
        _ => false,
    }
}

fn load<T: for<'b> Decode<'b, ()>>(store: &Store, name: &str) -> Result<Option<T>, NodeError> {
    store.meta(name)?.map(|bytes| rows::decode("a note about sealed copies", &bytes)).transpose()
}

fn keep<T: Encode<()>>(store: &Store, name: &str, row: &T) -> Result<(), NodeError> {
    let mut batch = Batch::new(Origin::Own);
    batch.put(Key::Meta(name.into()), rows::encode(row));
    Ok(store.commit(batch).map(drop)?)
}

fn keepers_of(store: &Store) -> Result<Vec<KeeperRow>, NodeError> {
    Ok(load(store, KEEPERS)?.unwrap_or_default())
}

fn kept_of(store: &Store) -> Result<Vec<KeptRow>, NodeError> {
    Ok(load(store, KEPT)?.unwrap_or_default())
}

/// Changes the row of one keeper, if it still is one.
fn change_keeper(shared: &Shared, id: &OrgId, change: impl FnOnce(&mut KeeperRow)) -> Result<(), NodeError> {
    let _one = lock(&shared.keeping.rows);
    let mut all = keepers_of(&shared.store)?;
    let Some(row) = all.iter_mut().find(|row| row.organisation == *id) else { return Ok(()) };
    let before = row.clone();
    change(row);
    if *row == before { Ok(()) } else { keep(&shared.store, KEEPERS, &all) }
}

fn shelf_of(data_dir: &Path, organisation: &OrgId) -> Shelf {
    Shelf::new(data_dir.join(KEPT_DIR).join(organisation.to_string()))
}

fn sealed_file(data_dir: &Path) -> PathBuf {
    data_dir.join(SEALED_DIR).join("copy.age")
}

/// A partner of today by name or id.
fn partner(shared: &Shared, name_or_id: &str) -> Result<OrgId, NodeError> {
    let id = partners::find_organisation(shared, name_or_id)?;
    let name = || shared.organisation_name(&id);
    match read(&shared.partners).get(&id) {
        Some(row) if !row.ended && row.confirmed => Ok(id),
        Some(row) if !row.ended => Err(NodeError::Forbidden(format!(
            "{0} is not confirmed yet; compare the check words and run `ortsnetz partners confirm \"{0}\"`",
            name()
        ))),
        _ => Err(NodeError::NotFound(format!("{} is no partner", name()))),
    }
}

/// `keepers add PARTNER`
pub(crate) fn add(shared: &Shared, name_or_id: &str) -> Result<Keepers, NodeError> {
    let id = partner(shared, name_or_id)?;
    if shared.root().is_none() {
        return Err(NodeError::Forbidden(
            "the root key is not on this node, and what is sealed is sealed with it; run this where the organisation was founded".into(),
        ));
    }
    let rows_lock = lock(&shared.keeping.rows);
    let mut all = keepers_of(&shared.store)?;
    if choose(&mut all, id, clock::now())? {
        keep(&shared.store, KEEPERS, &all)?;
    }
    drop(rows_lock);
    shared.keeping.wake();
    list(shared)
}

fn bytes_agreed(megabytes: u64) -> Result<u64, NodeError> {
    match megabytes {
        1..=MEGABYTES_MAX => Ok(megabytes * MEGABYTE),
        _ => Err(NodeError::Invalid(format!("megabytes: 1 to {MEGABYTES_MAX}; two copies have to fit in"))),
    }
}

/// Adds a keeper; whether it is a new one.
fn choose(all: &mut Vec<KeeperRow>, organisation: OrgId, since: u64) -> Result<bool, NodeError> {
    if all.iter().any(|row| row.organisation == organisation) {
        return Ok(false);
    }
    if all.len() >= KEEPERS_MAX {
        return Err(NodeError::TooLarge(format!("{KEEPERS_MAX} partners keep copies already; remove one first")));
    }
    all.push(KeeperRow { organisation, since, confirmed: None, proved_at: 0, problem: None });
    Ok(true)
}

/// Adds a partner whose copies are kept, or changes how much.
fn agree(all: &mut Vec<KeptRow>, organisation: OrgId, bytes_max: u64) -> Result<(), NodeError> {
    if let Some(row) = all.iter_mut().find(|row| row.organisation == organisation) {
        row.bytes_max = bytes_max;
        return Ok(());
    }
    if all.len() >= KEPT_MAX {
        return Err(NodeError::TooLarge(format!("copies of {KEPT_MAX} partners are kept already; deny one first")));
    }
    all.push(KeptRow { organisation, bytes_max });
    Ok(())
}

/// `keepers remove PARTNER`: sends it nothing more. What it has it deletes by `keepers deny` there.
pub(crate) fn remove(shared: &Shared, name_or_id: &str) -> Result<Keepers, NodeError> {
    let id = partners::find_organisation(shared, name_or_id)?;
    let rows_lock = lock(&shared.keeping.rows);
    let mut all = keepers_of(&shared.store)?;
    let before = all.len();
    all.retain(|row| row.organisation != id);
    if all.len() == before {
        let name = shared.organisation_name(&id);
        return Err(NodeError::NotFound(format!("{name} is no keeper of ours; see `ortsnetz keepers list`")));
    }
    keep(&shared.store, KEEPERS, &all)?;
    drop(rows_lock);
    list(shared)
}

/// `keepers allow PARTNER --megabytes N`
pub(crate) fn allow(shared: &Shared, name_or_id: &str, request: &AllowRequest) -> Result<Keepers, NodeError> {
    let id = partner(shared, name_or_id)?;
    let bytes_max = bytes_agreed(request.megabytes)?;
    let rows_lock = lock(&shared.keeping.rows);
    let mut all = kept_of(&shared.store)?;
    agree(&mut all, id, bytes_max)?;
    keep(&shared.store, KEPT, &all)?;
    drop(rows_lock);
    list(shared)
}

/// `keepers deny PARTNER`: keeps nothing of it any more, and deletes what is here.
pub(crate) fn deny(shared: &Shared, name_or_id: &str) -> Result<Keepers, NodeError> {
    let id = partners::find_organisation(shared, name_or_id)?;
    if !forget(shared, &id)? {
        let name = shared.organisation_name(&id);
        return Err(NodeError::NotFound(format!("nothing of {name} is kept here; see `ortsnetz keepers list`")));
    }
    list(shared)
}

/// Deletes all copies of an organisation and the agreement to keep them; whether there was one.
pub(crate) fn forget(shared: &Shared, id: &OrgId) -> Result<bool, NodeError> {
    let rows_lock = lock(&shared.keeping.rows);
    let mut all = kept_of(&shared.store)?;
    let before = all.len();
    all.retain(|row| row.organisation != *id);
    let agreed = all.len() < before;
    if agreed {
        keep(&shared.store, KEPT, &all)?;
    }
    drop(rows_lock);
    let shelf = shared.keeping.shelf_lock(id);
    let _alone = lock(&shelf);
    *lock(&shared.keeping.tree) = None;
    shelf_of(&shared.data_dir, id)
        .clear()
        .map_err(|error| NodeError::Unavailable(format!("the copies cannot be deleted: {error}")))?;
    Ok(agreed)
}

fn copy_info(copy: &SealedCopy) -> SealedCopyInfo {
    SealedCopyInfo { at: clock::rfc3339(copy.at), bytes: copy.bytes }
}

/// `keepers list`
pub(crate) fn list(shared: &Shared) -> Result<Keepers, NodeError> {
    let newest: Option<NewestRow> = load(&shared.store, NEWEST)?;
    let ours = newest.as_ref().map(|row| &row.copy);
    let keepers = keepers_of(&shared.store)?.into_iter().map(|row| {
        let confirmed = row.confirmed.as_ref();
        let up_to_date = ours.is_some() && confirmed.map(|it| &it.copy) == ours;
        KeeperInfo {
            id: row.organisation.to_string(),
            name: shared.organisation_name(&row.organisation),
            copy: confirmed.map(|it| copy_info(&it.copy)),
            confirmed_at: confirmed.map(|it| clock::rfc3339(it.at)),
            proved_at: (row.proved_at > 0).then(|| clock::rfc3339(row.proved_at)),
            up_to_date,
            problem: row.problem.filter(|_| !up_to_date),
        }
    });
    let failed = |error: std::io::Error| NodeError::Unavailable(format!("the kept copies cannot be read: {error}"));
    let kept = kept_of(&shared.store)?.into_iter().map(|row| {
        let shelf = shelf_of(&shared.data_dir, &row.organisation);
        Ok(KeptInfo {
            id: row.organisation.to_string(),
            name: shared.organisation_name(&row.organisation),
            bytes_max: row.bytes_max,
            bytes: shelf.bytes().map_err(failed)?,
            copies: shelf.whole().map_err(failed)?.iter().map(|(copy, _)| copy_info(copy)).collect(),
        })
    });
    Ok(Keepers { copy: ours.map(copy_info), keepers: keepers.collect(), kept: kept.collect::<Result<_, NodeError>>()? })
}

/// What `doctor` says: nothing where nobody is to keep anything.
pub(crate) fn examine(shared: &Shared) -> Result<Vec<(&'static str, String)>, NodeError> {
    let lines = list(shared)?.keepers.into_iter().map(|keeper| {
        let name = &keeper.name;
        let has = match (&keeper.copy, &keeper.confirmed_at) {
            (Some(copy), Some(at)) => {
                let proved = keeper.proved_at.as_ref().map(|at| format!(", proved {at}")).unwrap_or_default();
                format!("{name} confirmed the copy of {} at {at}{proved}", copy.at)
            }
            _ => format!("{name} has confirmed no copy yet"),
        };
        match (keeper.up_to_date, keeper.problem) {
            (true, _) => ("ok", has),
            (false, Some(problem)) => ("warning", format!("{has}; the newest is not there: {problem}")),
            (false, None) => ("warning", format!("{has}; the newest is on its way")),
        }
    });
    Ok(lines.collect())
}

/// The alarm while no keeper has confirmed a copy for too long.
pub(crate) fn alarm(shared: &Shared) -> Result<Option<AlarmInfo>, NodeError> {
    let rows = keepers_of(&shared.store)?;
    let Some(first) = rows.iter().map(|row| row.since).min() else { return Ok(None) };
    let newest = load::<NewestRow>(&shared.store, NEWEST)?.map(|row| row.copy);
    // A keeper that proved to have the newest copy has all there is.
    let last = rows.iter().filter_map(|row| {
        let confirmed = row.confirmed.as_ref()?;
        Some(if Some(&confirmed.copy) == newest.as_ref() { confirmed.at.max(row.proved_at) } else { confirmed.at })
    });
    let last = last.max();
    if last.unwrap_or(first) + backups::OLD_MS >= clock::now() {
        return Ok(None);
    }
    let said = last.map_or_else(
        || "no keeper ever confirmed a sealed copy".to_owned(),
        |at| format!("no keeper has confirmed a sealed copy since {}", clock::rfc3339(at)),
    );
    let message = format!("{said}; see `ortsnetz keepers list`");
    let at = clock::rfc3339(last.unwrap_or(first) + backups::OLD_MS);
    Ok(Some(AlarmInfo { kind: "sealed_copy_old".into(), message, partner: None, at, count: 1 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(number: usize) -> OrgId {
        OrgId([number as u8; 32])
    }

    #[test]
    fn so_many_partners_keep_our_copies_and_so_many_have_theirs_kept() {
        let (mut keepers, mut kept) = (Vec::new(), Vec::new());
        for number in 0..KEEPERS_MAX {
            assert!(choose(&mut keepers, who(number), 1).unwrap());
        }
        assert!(matches!(choose(&mut keepers, who(KEEPERS_MAX), 1), Err(NodeError::TooLarge(_))));
        assert!(!choose(&mut keepers, who(0), 1).unwrap(), "it is one already");
        for number in 0..KEPT_MAX {
            agree(&mut kept, who(number), 5).unwrap();
        }
        assert!(matches!(agree(&mut kept, who(KEPT_MAX), 5), Err(NodeError::TooLarge(_))));
        agree(&mut kept, who(0), 6).unwrap();
        assert_eq!((kept.len(), kept[0].bytes_max), (KEPT_MAX, 6));
    }

    #[test]
    fn so_many_megabytes_can_be_agreed() {
        assert_eq!(bytes_agreed(1).unwrap(), MEGABYTE);
        assert!(bytes_agreed(MEGABYTES_MAX).is_ok());
        assert!(bytes_agreed(0).is_err() && bytes_agreed(MEGABYTES_MAX + 1).is_err());
    }

    #[test]
    fn what_changes_all_the_time_makes_no_new_copy_and_what_people_write_does() {
        for name in [KEEPERS, NEWEST, KEPT, "epoch"] {
            assert!(passes(&Key::Meta(name.into())), "{name}");
        }
        assert!(!passes(&Key::Meta("root_key".into())));
        assert!(!passes(&Key::User("meier".into())));
        assert!(!passes(&Key::Token("kiosk".into())));
    }
}
