//! The one way in: everything a person or program can ask of a running node.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Map, Value};
use tokio::sync::{broadcast, oneshot};

use ortsnetz_net::RelayLimits;

use crate::backups::BackupSchedule;
use crate::driver::Input;
use crate::dto::*;
use crate::error::NodeError;
use crate::reaching;
use crate::searching::Scope;
use crate::shared::{Shared, stopping};
use crate::{
    agreements, answering, backups, collections, contacts, editing, exporting, importing, indexes, joining, keeping,
    leaving, live, maintenance, metrics, nodes, noticing, partners, places, reading, receipts, recovering, redacting,
    rotating, searching, sheets, start, status, succeeding,
};

mod desk;
mod others;

/// How a node is started.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Where everything lies; one running node per directory.
    pub data_dir: PathBuf,
    /// Multiaddresses to listen on for peers.
    pub listen: Vec<String>,
    /// Multiaddresses to tell partners instead of what was found out.
    pub advertise: Vec<String>,
    /// Address HTTP answers on, for `status`.
    pub http: String,
    /// How much to relay between partners that cannot dial each other; `None`: nothing.
    pub relay: Option<RelayLimits>,
}

/// A new organisation.
#[derive(Debug, Clone)]
pub struct NewOrganisation {
    /// As shown to partners.
    pub name: String,
    /// 12 digits.
    pub ars: String,
    /// `municipality`, `county`, `service_center` or `provider`.
    pub kind: String,
}

/// Makes the identity of a new organisation in an empty data directory. Works without a daemon.
///
/// # Errors
/// The directory already holds an identity (nothing is changed), a wrong ARS or name, I/O.
pub fn init(data_dir: &Path, organisation: &NewOrganisation) -> Result<Initialised, NodeError> {
    start::init(data_dir, organisation)
}

/// Makes this directory a further node of the organisation that issued the node token. Dials the inviting node.
///
/// # Errors
/// As [`init`]; a token that is damaged, expired, used; no node reachable.
pub async fn init_join(data_dir: &Path, token: &str) -> Result<Initialised, NodeError> {
    joining::init_join(data_dir, token).await
}

/// Cloneable; asks the running node.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("node", &self.shared.own.node).finish_non_exhaustive()
    }
}

impl Handle {
    /// Starts the node: opens the store, listens, dials partners.
    ///
    /// # Errors
    /// No identity there, directory in use, newer version, occupied port, full disk: one line each.
    pub async fn start(config: NodeConfig) -> Result<Self, NodeError> {
        Ok(Self { shared: start::start(config).await? })
    }

    /// Stops cleanly; returns when everything is on disk.
    pub async fn shutdown(&self) {
        stop(&self.shared).await;
    }

    /// True as soon as requests can be answered fully (store open, index current).
    pub fn ready(&self) -> bool {
        !self.shared.is_stopping() && self.shared.search.is_current()
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<EventInfo> {
        self.shared.events.subscribe()
    }

    /// Numbers for Prometheus.
    pub fn metrics(&self) -> Vec<Metric> {
        metrics::collect(&self.shared)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Shared>) -> Result<T, NodeError> + Send + 'static,
    ) -> Result<T, NodeError> {
        if self.shared.is_stopping() {
            return Err(stopping());
        }
        let shared = self.shared.clone();
        tokio::task::spawn_blocking(move || work(&shared)).await.unwrap_or_else(|error| {
            Err(NodeError::Unavailable(format!("the request failed inside this node ({error}); see its log")))
        })
    }

    /// `status`
    pub async fn status(&self) -> Result<Status, NodeError> {
        self.blocking(move |shared| status::status(shared)).await
    }

    /// `doctor`
    pub async fn doctor(&self) -> Result<Doctor, NodeError> {
        if self.shared.is_stopping() {
            return Err(stopping());
        }
        let network = reaching::examine(&self.shared).await;
        self.blocking(move |shared| status::doctor(shared, network)).await
    }

    /// `invite`
    pub async fn invite(&self, request: InviteRequest) -> Result<Invitation, NodeError> {
        self.blocking(move |shared| joining::invite(shared, &request)).await
    }

    /// `partners list`
    pub async fn partners(&self) -> Result<Vec<PartnerStatus>, NodeError> {
        self.blocking(move |shared| partners::list(shared)).await
    }

    /// `partners show NAME-OR-ID` (a name, or an id or its beginning; ambiguous is an error listing the candidates)
    pub async fn partner(&self, name_or_id: &str) -> Result<PartnerDetail, NodeError> {
        let name_or_id = name_or_id.to_owned();
        self.blocking(move |shared| partners::show(shared, &name_or_id)).await
    }

    /// `partners confirm NAME-OR-ID`
    pub async fn confirm_partner(&self, name_or_id: &str) -> Result<PartnerDetail, NodeError> {
        let name_or_id = name_or_id.to_owned();
        self.blocking(move |shared| partners::confirm(shared, &name_or_id)).await
    }

    /// `partners remove NAME-OR-ID`
    pub async fn remove_partner(&self, name_or_id: &str) -> Result<(), NodeError> {
        let name_or_id = name_or_id.to_owned();
        self.blocking(move |shared| partners::remove(shared, &name_or_id)).await
    }

    /// `collections list`
    pub async fn collections(&self) -> Result<Vec<CollectionInfo>, NodeError> {
        self.blocking(move |shared| collections::list(shared)).await
    }

    /// `collections show NAME-OR-ID`
    pub async fn collection(&self, name_or_id: &str) -> Result<CollectionInfo, NodeError> {
        let name_or_id = name_or_id.to_owned();
        self.blocking(move |shared| collections::show(shared, &name_or_id)).await
    }

    /// `collections create NAME`
    pub async fn create_collection(&self, new: NewCollection) -> Result<CollectionInfo, NodeError> {
        self.blocking(move |shared| collections::create(shared, &new)).await
    }

    /// `collections rename NAME NEW` and `collections relay NAME on|off`
    pub async fn change_collection(
        &self,
        name_or_id: &str,
        change: CollectionChange,
    ) -> Result<CollectionInfo, NodeError> {
        let name_or_id = name_or_id.to_owned();
        self.blocking(move |shared| collections::change(shared, &name_or_id, &change)).await
    }

    /// `collections grant NAME ORGANISATION...`: confirmed partners only.
    pub async fn grant_collection(&self, name_or_id: &str, readers: Vec<String>) -> Result<CollectionInfo, NodeError> {
        let name_or_id = name_or_id.to_owned();
        self.blocking(move |shared| collections::grant(shared, &name_or_id, &readers)).await
    }

    /// `collections narrow NAME ORGANISATION...`: they keep what they have and get nothing new.
    pub async fn narrow_collection(&self, name_or_id: &str, readers: Vec<String>) -> Result<CollectionInfo, NodeError> {
        let name_or_id = name_or_id.to_owned();
        self.blocking(move |shared| collections::narrow(shared, &name_or_id, &readers)).await
    }

    /// `collections end NAME`: refused while anything is published in it, unless that is withdrawn or moved.
    pub async fn end_collection(&self, name_or_id: &str, how: CollectionEnd) -> Result<CollectionInfo, NodeError> {
        let name_or_id = name_or_id.to_owned();
        self.blocking(move |shared| collections::end(shared, &name_or_id, &how)).await
    }

    /// `collections seen-by ORGANISATION`: everything of ours that it can see, or could once.
    pub async fn seen_by(&self, name_or_id: &str) -> Result<SeenBy, NodeError> {
        let name_or_id = name_or_id.to_owned();
        self.blocking(move |shared| collections::seen_by(shared, &name_or_id)).await
    }

    /// `compare PARTNER`
    pub async fn compare(&self, partner: &str) -> Result<Comparison, NodeError> {
        let partner = partner.to_owned();
        self.blocking(move |shared| partners::compare(shared, &partner)).await
    }

    /// `publisher show`
    pub async fn publisher(&self) -> Result<PublisherInfo, NodeError> {
        self.blocking(move |shared| status::publisher(shared)).await
    }

    /// `publisher take`: needs the root key on this node.
    pub async fn take_publisher(&self) -> Result<PublisherInfo, NodeError> {
        self.blocking(move |shared| status::take_publisher(shared)).await
    }

    /// `nodes list`: the nodes of the own organisation and their certificates.
    pub async fn nodes(&self) -> Result<Vec<CertifiedNode>, NodeError> {
        self.blocking(move |shared| Ok(nodes::list(shared))).await
    }

    /// `nodes renew`: one node, or all whose certificates end soon; needs the root key on this node.
    pub async fn renew_nodes(&self, node: Option<&str>) -> Result<Renewed, NodeError> {
        let node = node.map(str::to_owned);
        self.blocking(move |shared| nodes::renew(shared, node.as_deref())).await
    }

    /// `nodes revoke`: takes the certificate of a lost node back; needs the root key on this node.
    pub async fn revoke_node(&self, node: &str) -> Result<RevokedNode, NodeError> {
        let node = node.to_owned();
        self.blocking(move |shared| nodes::revoke(shared, &node)).await
    }

    /// `identity rotate`: a new root key, and a new recovery sheet; needs the root key on this node.
    pub async fn rotate_root(&self) -> Result<Rotated, NodeError> {
        self.blocking(move |shared| rotating::rotate(shared)).await
    }

    /// `identity succeed`: follows another organisation and adopts its verified entries, or (`undo`) does so no more.
    pub async fn succeed(&self, predecessor: &str, publish: bool, undo: bool) -> Result<SuccessionInfo, NodeError> {
        let name = predecessor.to_owned();
        self.blocking(
            move |shared| {
                if undo { succeeding::undo(shared, &name) } else { succeeding::succeed(shared, &name, publish) }
            },
        )
        .await
    }

    /// `identity leave`: says that this organisation takes part no more from a day on, changes that, or (`undo`) takes it back.
    pub async fn leave(&self, request: LeaveRequest) -> Result<FarewellReport, NodeError> {
        self.blocking(move |shared| leaving::leave(shared, &request)).await
    }

    /// `identity leave --status`: what was said, and which partners have deleted what they held.
    pub async fn farewell(&self) -> Result<FarewellReport, NodeError> {
        self.blocking(move |shared| leaving::report(shared)).await
    }

    /// `partners succession`: a person compared the check words, and it is so or not.
    pub async fn confirm_succession(
        &self,
        successor: &str,
        predecessor: &str,
        confirmed: bool,
    ) -> Result<SuccessionInfo, NodeError> {
        let (successor, predecessor) = (successor.to_owned(), predecessor.to_owned());
        self.blocking(move |shared| succeeding::confirm(shared, &successor, &predecessor, confirmed)).await
    }

    /// `identity sheet` read back: proves that the sheet and its passphrase open.
    pub async fn check_recovery_sheet(&self, sheet: &str, passphrase: &str) -> Result<(), NodeError> {
        let sheet = sheet.to_owned();
        let passphrase = passphrase.to_owned();
        self.blocking(move |shared| sheets::check(shared, &sheet, &passphrase)).await
    }

    /// `identity sheet`: the sheet with the partners of today around the same encrypted block.
    pub async fn recovery_sheet(&self) -> Result<SheetText, NodeError> {
        self.blocking(move |shared| sheets::write(shared)).await
    }

    /// `search`
    pub async fn search(&self, request: SearchRequest) -> Result<SearchResult, NodeError> {
        let asked = match live::Wanted::of_search(&request) {
            Some(wanted) => live::ask(&self.shared, wanted).await,
            None => None,
        };
        let mut found = self
            .blocking(move |shared| {
                searching::search(shared, &request, Scope::All)
                    .inspect(|found| contacts::sought(shared, &request, found))
            })
            .await?;
        live::add(&mut found.completeness, asked);
        Ok(found)
    }

    /// `search` over what everybody may read.
    pub async fn search_public(&self, request: SearchRequest) -> Result<SearchResult, NodeError> {
        self.blocking(move |shared| searching::search(shared, &request, Scope::Public)).await
    }

    /// `agreements list`
    pub async fn agreements(&self) -> Result<Vec<AgreementInfo>, NodeError> {
        self.blocking(move |shared| agreements::list(shared)).await
    }

    /// `agreements show ID`
    pub async fn agreement(&self, id: &str) -> Result<AgreementInfo, NodeError> {
        let id = id.to_owned();
        self.blocking(move |shared| agreements::show(shared, &id)).await
    }

    /// `agreements propose` and `agreements amend`: signs a text and offers it.
    pub async fn propose_agreement(&self, request: ProposeRequest) -> Result<AgreementInfo, NodeError> {
        self.blocking(move |shared| agreements::propose(shared, &request)).await
    }

    /// `agreements sign ID`: signs what the other side offered.
    pub async fn sign_agreement(&self, id: &str) -> Result<AgreementInfo, NodeError> {
        let id = id.to_owned();
        self.blocking(move |shared| agreements::sign(shared, &id)).await
    }

    /// `agreements decline ID`: says no to what the other side offered.
    pub async fn decline_agreement(&self, id: &str, reason: &str) -> Result<AgreementInfo, NodeError> {
        let (id, reason) = (id.to_owned(), reason.to_owned());
        self.blocking(move |shared| agreements::decline(shared, &id, &reason)).await
    }

    /// `agreements end ID`: its last day; `None` takes that back.
    pub async fn end_agreement(&self, id: &str, on: Option<&str>) -> Result<AgreementInfo, NodeError> {
        let (id, on) = (id.to_owned(), on.map(str::to_owned));
        self.blocking(move |shared| agreements::end(shared, &id, on.as_deref())).await
    }

    /// `answers`: what an agent needs to say for a place.
    pub async fn answers(&self, request: AnswersRequest) -> Result<AnswersResult, NodeError> {
        let asked = match live::Wanted::of_answers(&request) {
            Some(wanted) => live::ask(&self.shared, wanted).await,
            None => None,
        };
        let mut found = self
            .blocking(move |shared| {
                answering::answers(shared, &request).inspect(|found| contacts::asked(shared, &request, found))
            })
            .await?;
        live::add(&mut found.completeness, asked);
        Ok(found)
    }

    /// Notices in force that everybody may read: at a place (its ARS) of whoever speaks for it, else of this node's own
    /// organisation; about an entry only those on its topics.
    pub async fn public_notices(
        &self,
        place: Option<&str>,
        about: Option<&str>,
        lang: &str,
    ) -> Result<Vec<NoticeInfo>, NodeError> {
        let wrong = |text: &str| NodeError::Invalid(format!("place: {text:?} is no ARS; give its 12 digits"));
        let place: Option<ortsnetz_model::Ars> =
            place.map(|text| text.trim().parse().map_err(|_| wrong(text))).transpose()?;
        let (about, lang) = (about.map(str::to_owned), lang.to_owned());
        self.blocking(move |shared| noticing::public(shared, place.as_ref(), about.as_deref(), &lang)).await
    }

    /// Places that the text may mean while it is typed: name, postal code, AGS or ARS, or the beginning of one.
    pub async fn places(&self, text: &str, limit: Option<usize>) -> Result<Vec<PlaceInfo>, NodeError> {
        let text = text.to_owned();
        self.blocking(move |shared| Ok(places::find(shared, &text, limit))).await
    }

    /// `places show`: the one place that the text means.
    pub async fn place(&self, text: &str) -> Result<PlaceDetails, NodeError> {
        let text = text.to_owned();
        self.blocking(move |shared| places::show(shared, &text)).await
    }

    /// `places list`
    pub async fn places_page(&self, request: PlacesRequest) -> Result<PlacesPage, NodeError> {
        self.blocking(move |shared| places::list(shared, &request)).await
    }

    /// Rows for lists: own entries (drafts too) or another organisation's.
    pub async fn entries(&self, request: EntriesRequest) -> Result<EntryPage, NodeError> {
        self.blocking(move |shared| reading::entries(shared, &request)).await
    }

    /// `create KIND PATH=VALUE...`; a value is typed by its field.
    pub async fn create(&self, kind: &str, values: &[(String, String)]) -> Result<Written, NodeError> {
        let kind = kind.to_owned();
        let values = values.to_vec();
        self.blocking(move |shared| editing::create(shared, &kind, &values)).await
    }

    /// `POST /entries` with a whole entry; its `collection` (a name) chooses the home, default `public`.
    pub async fn create_entry(&self, entry: Map<String, Value>) -> Result<Written, NodeError> {
        self.blocking(move |shared| editing::create_entry(shared, entry)).await
    }

    /// `edit ID PATH=VALUE...`
    pub async fn edit(&self, id: &str, values: &[(String, String)]) -> Result<Written, NodeError> {
        let id = id.to_owned();
        let values = values.to_vec();
        self.blocking(move |shared| editing::edit(shared, &id, &values)).await
    }

    /// `PATCH /entries/{id}`: JSON merge patch; `if_match` are the working heads it was made against.
    pub async fn patch(&self, id: &str, patch: Value, if_match: Option<Vec<String>>) -> Result<Written, NodeError> {
        let id = id.to_owned();
        self.blocking(move |shared| editing::patch(shared, &id, &patch, if_match.as_deref())).await
    }

    /// `show`
    pub async fn show(&self, id: &str, options: ShowOptions) -> Result<Shown, NodeError> {
        let id = id.to_owned();
        self.blocking(move |shared| reading::show(shared, &id, &options)).await
    }

    /// `history`
    pub async fn history(&self, id: &str) -> Result<Vec<HistoryStep>, NodeError> {
        let id = id.to_owned();
        self.blocking(move |shared| reading::history(shared, &id)).await
    }

    /// `receipt ID`: the text of a file that proves what is published now.
    pub async fn receipt(&self, id: &str) -> Result<String, NodeError> {
        let id = id.to_owned();
        self.blocking(move |shared| receipts::receipt(shared, &id)).await
    }

    /// `publish ID...`, or everything that has a draft if `ids` is `None`.
    pub async fn publish(&self, ids: Option<Vec<String>>) -> Result<Published, NodeError> {
        self.blocking(move |shared| editing::publish(shared, ids)).await
    }

    /// `redact ID [--erase]`: what was said before is void for ever. Answers when nothing of it is left on this node; the
    /// readers purge it as they hear of it.
    pub async fn redact(&self, id: &str, request: RedactRequest) -> Result<RedactionReport, NodeError> {
        let id = id.to_owned();
        self.blocking(move |shared| redacting::redact(shared, &id, &request)).await
    }

    /// `redact ID --status`: who purged it, who has not yet, and what cannot be reached.
    pub async fn redaction(&self, id: &str) -> Result<RedactionReport, NodeError> {
        let id = id.to_owned();
        self.blocking(move |shared| redacting::status(shared, &id)).await
    }

    /// `edit ID --undo`, or `--to HEADS`: the draft says again what it said before, as a new change.
    pub async fn undo(&self, id: &str, to: Option<String>) -> Result<Written, NodeError> {
        let id = id.to_owned();
        self.blocking(move |shared| editing::undo(shared, &id, to.as_deref())).await
    }

    /// `withdraw ID`
    pub async fn withdraw(&self, id: &str) -> Result<Published, NodeError> {
        let id = id.to_owned();
        self.blocking(move |shared| editing::withdraw(shared, &id)).await
    }

    /// `move ID COLLECTION`
    pub async fn move_entry(&self, id: &str, collection: &str) -> Result<Published, NodeError> {
        let id = id.to_owned();
        let collection = collection.to_owned();
        self.blocking(move |shared| editing::move_entry(shared, &id, &collection)).await
    }

    /// `adopt ID --copy | --layer`
    pub async fn adopt(&self, id: &str, layer: bool) -> Result<Written, NodeError> {
        let id = id.to_owned();
        self.blocking(move |shared| editing::adopt(shared, &id, layer)).await
    }

    /// `conflicts`
    pub async fn conflicts(&self) -> Result<Vec<ConflictInfo>, NodeError> {
        self.blocking(move |shared| reading::conflicts(shared)).await
    }

    /// `resolve ID PATH N`
    pub async fn resolve(&self, id: &str, path: &str, n: u64) -> Result<Written, NodeError> {
        let id = id.to_owned();
        let path = path.to_owned();
        self.blocking(move |shared| editing::resolve(shared, &id, &path, n)).await
    }

    /// `store check`
    pub async fn store_check(&self) -> Result<StoreCheck, NodeError> {
        self.blocking(move |shared| maintenance::check(&shared.store)).await
    }

    /// `store export FILE`: the whole store as one checked file, beside the running node.
    pub async fn store_export(&self, file: PathBuf) -> Result<(), NodeError> {
        self.blocking(move |shared| maintenance::export(&shared.store, &file)).await
    }

    /// `backup FILE`: the whole store as of one moment, encrypted and read back, beside the running node.
    ///
    /// # Errors
    /// The file exists or cannot be written, the disk has no room, or neither a passphrase nor a recipient was given.
    /// Nothing is left behind then.
    pub async fn backup(&self, request: BackupRequest) -> Result<BackedUp, NodeError> {
        let made = self.blocking(move |shared| backups::backup(&shared.store, &shared.data_dir, &request)).await;
        self.shared.keeping.wake();
        made
    }

    /// Makes a backup a day from now on, and removes those that are not kept. One that fails raises `backup_failed`.
    pub fn schedule_backups(&self, schedule: BackupSchedule) {
        tokio::spawn(backups::keep_backing_up(self.shared.clone(), schedule));
    }

    /// `keepers list`
    pub async fn keepers(&self) -> Result<Keepers, NodeError> {
        self.blocking(move |shared| keeping::list(shared)).await
    }

    /// `keepers add PARTNER`: it is to keep sealed copies of ours; needs the root key on this node.
    pub async fn add_keeper(&self, name_or_id: &str) -> Result<Keepers, NodeError> {
        let name_or_id = name_or_id.to_owned();
        self.blocking(move |shared| keeping::add(shared, &name_or_id)).await
    }

    /// `keepers remove PARTNER`
    pub async fn remove_keeper(&self, name_or_id: &str) -> Result<Keepers, NodeError> {
        let name_or_id = name_or_id.to_owned();
        self.blocking(move |shared| keeping::remove(shared, &name_or_id)).await
    }

    /// `keepers allow PARTNER`: copies of it may lie here.
    pub async fn allow_kept(&self, name_or_id: &str, request: AllowRequest) -> Result<Keepers, NodeError> {
        let name_or_id = name_or_id.to_owned();
        self.blocking(move |shared| keeping::allow(shared, &name_or_id, &request)).await
    }

    /// `keepers deny PARTNER`: they may no more, and are deleted.
    pub async fn deny_kept(&self, name_or_id: &str) -> Result<Keepers, NodeError> {
        let name_or_id = name_or_id.to_owned();
        self.blocking(move |shared| keeping::deny(shared, &name_or_id)).await
    }

    /// `keepers send`: a sealed copy now, if anything is new; answers when everybody who is connected has it, or why not.
    pub async fn send_copies(&self) -> Result<Keepers, NodeError> {
        if self.shared.is_stopping() {
            return Err(stopping());
        }
        keeping::send(&self.shared).await
    }

    /// `keepers fetch FILE`: the newest sealed copy into a new file.
    pub async fn fetch_copy(&self, file: PathBuf) -> Result<FetchedCopy, NodeError> {
        if self.shared.is_stopping() {
            return Err(stopping());
        }
        keeping::fetch_here(&self.shared, &file).await
    }

    /// `store compact`; bytes before and after.
    pub async fn store_compact(&self) -> Result<(u64, u64), NodeError> {
        self.blocking(move |shared| maintenance::compact(&shared.store)).await
    }

    /// `join TOKEN [--dial]`
    pub async fn join(&self, token: &str, dial: bool) -> Result<Joined, NodeError> {
        joining::join(&self.shared, token, dial).await
    }

    /// `import`: reads the bytes to the end on a blocking thread, in bounded memory. Blocking.
    pub fn import(&self, request: &ImportRequest, bytes: &mut dyn Read) -> Result<ImportReport, NodeError> {
        importing::import(&self.shared, request, bytes)
    }

    /// `export`: writes published entries, in bounded memory. Blocking. Returns how many.
    pub fn export(&self, request: &ExportRequest, out: &mut dyn Write) -> Result<u64, NodeError> {
        exporting::export(&self.shared, request, out)
    }

    /// `places import`: the official list, or a list of former keys, as CSV. Blocking.
    pub fn import_places(&self, file: &str, bytes: &mut dyn Read) -> Result<PlacesReport, NodeError> {
        places::import(&self.shared, file, bytes)
    }
}

/// Ends a node in order; returns when everything is on disk.
pub(crate) async fn stop(shared: &Arc<Shared>) {
    if shared.stopping.swap(true, Ordering::SeqCst) {
        return;
    }
    shared.purging.stop();
    let (done, wait) = oneshot::channel();
    if shared.driver.send(Input::Stop(done)).is_ok() {
        let _ = wait.await;
    }
    shared.net.shutdown().await;
    let shared = shared.clone();
    let _ = tokio::task::spawn_blocking(move || {
        shared.search.stop();
        indexes::at_stop(&shared);
        if let Err(error) = shared.store.close() {
            tracing::error!(%error, "the store could not be closed cleanly");
        }
    })
    .await;
}

/// `recover SHEET`, into an empty data directory and without a daemon. `progress` is told what happens, one line each.
///
/// # Errors
/// The sheet does not open; the directory holds an identity (nothing is changed); nobody who knows the organisation
/// answers (nothing is kept); nothing arrives any more (what is back stays, and a started daemon goes on).
pub async fn recover(
    data_dir: &Path,
    request: &RecoverRequest,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<Recovered, NodeError> {
    recovering::recover(data_dir, request, progress).await
}

/// `store check` without a daemon.
pub fn store_check(data_dir: &Path) -> Result<StoreCheck, NodeError> {
    maintenance::offline_check(data_dir)
}

/// `store export` without a daemon.
pub fn store_export(data_dir: &Path, file: &Path) -> Result<(), NodeError> {
    maintenance::export(&start::open_existing(data_dir)?, file)
}

/// `backup` without a daemon.
pub fn backup(data_dir: &Path, request: &BackupRequest) -> Result<BackedUp, NodeError> {
    backups::backup(&start::open_existing(data_dir)?, data_dir, request)
}

/// `restore FILE` into an empty data directory, without a daemon.
///
/// # Errors
/// The directory holds a store, or the file is not opened by what was given, or is not whole: nothing is kept then.
pub fn restore(data_dir: &Path, file: &Path, request: &RestoreRequest) -> Result<Restored, NodeError> {
    backups::restore(data_dir, file, request)
}

/// `store import` into an empty data directory, without a daemon.
pub fn store_import(data_dir: &Path, file: &Path) -> Result<(), NodeError> {
    start::import_store(data_dir, file).map(drop)
}

/// `store compact` without a daemon; bytes before and after.
pub fn store_compact(data_dir: &Path) -> Result<(u64, u64), NodeError> {
    maintenance::compact(&start::open_existing(data_dir)?)
}

/// `verify FILE`, without a daemon and without a data directory. `organisation` is the id of who must have said it.
///
/// # Errors
/// Anything in the receipt that does not fit, in one line.
pub fn verify_receipt(bytes: &[u8], organisation: Option<&str>) -> Result<ReceiptInfo, NodeError> {
    receipts::verify(bytes, organisation)
}
