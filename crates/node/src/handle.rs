//! The one way in: everything a person or program can ask of a running node.

use std::io::{Read, Write};
use std::path::PathBuf;

use serde_json::{Map, Value};
use tokio::sync::broadcast;

use crate::dto::*;
use crate::error::NodeError;

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
pub fn init(data_dir: &std::path::Path, organisation: &NewOrganisation) -> Result<Initialised, NodeError> {
    let _ = (data_dir, organisation);
    unimplemented!()
}

/// Makes this directory a further node of the organisation that issued the node token. Dials the inviting node.
///
/// # Errors
/// As [`init`]; a token that is damaged, expired, used; no node reachable.
pub async fn init_join(data_dir: &std::path::Path, token: &str) -> Result<Initialised, NodeError> {
    let _ = (data_dir, token);
    unimplemented!()
}

/// Cloneable; asks the running node.
#[derive(Clone)]
pub struct Handle {}

impl Handle {
    /// Starts the node: opens the store, listens, dials partners.
    ///
    /// # Errors
    /// No identity there, directory in use, newer version, occupied port, full disk: one line each.
    pub async fn start(config: NodeConfig) -> Result<Self, NodeError> {
        let _ = config;
        unimplemented!()
    }
    /// Stops cleanly; returns when everything is on disk.
    pub async fn shutdown(&self) {
        unimplemented!()
    }
    /// True as soon as requests can be answered fully (store open, index current).
    pub fn ready(&self) -> bool {
        unimplemented!()
    }
    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<EventInfo> {
        unimplemented!()
    }
    /// Numbers for Prometheus.
    pub fn metrics(&self) -> Vec<Metric> {
        unimplemented!()
    }
    /// `status`
    pub async fn status(&self) -> Result<Status, NodeError> {
        unimplemented!()
    }
    /// `doctor`
    pub async fn doctor(&self) -> Result<Doctor, NodeError> {
        unimplemented!()
    }
    /// `invite`
    pub async fn invite(&self, request: InviteRequest) -> Result<Invitation, NodeError> {
        let _ = request;
        unimplemented!()
    }
    /// `join TOKEN [--dial]`
    pub async fn join(&self, token: &str, dial: bool) -> Result<Joined, NodeError> {
        let _ = (token, dial);
        unimplemented!()
    }
    /// `partners list`
    pub async fn partners(&self) -> Result<Vec<PartnerStatus>, NodeError> {
        unimplemented!()
    }
    /// `partners show NAME-OR-ID` (a name, or an id or its beginning; ambiguous is an error listing the candidates)
    pub async fn partner(&self, name_or_id: &str) -> Result<PartnerDetail, NodeError> {
        let _ = name_or_id;
        unimplemented!()
    }
    /// `partners confirm NAME-OR-ID`
    pub async fn confirm_partner(&self, name_or_id: &str) -> Result<PartnerDetail, NodeError> {
        let _ = name_or_id;
        unimplemented!()
    }
    /// `partners remove NAME-OR-ID`
    pub async fn remove_partner(&self, name_or_id: &str) -> Result<(), NodeError> {
        let _ = name_or_id;
        unimplemented!()
    }
    /// `compare PARTNER`
    pub async fn compare(&self, partner: &str) -> Result<Comparison, NodeError> {
        let _ = partner;
        unimplemented!()
    }
    /// `publisher show`
    pub async fn publisher(&self) -> Result<PublisherInfo, NodeError> {
        unimplemented!()
    }
    /// `publisher take`: needs the root key on this node.
    pub async fn take_publisher(&self) -> Result<PublisherInfo, NodeError> {
        unimplemented!()
    }
    /// `identity sheet` read back: proves that the sheet and its passphrase open.
    pub async fn check_recovery_sheet(&self, sheet: &str, passphrase: &str) -> Result<(), NodeError> {
        let _ = (sheet, passphrase);
        unimplemented!()
    }
    /// `import`: reads the bytes to the end on a blocking thread, in bounded memory. Blocking.
    pub fn import(&self, request: &ImportRequest, bytes: &mut dyn Read) -> Result<ImportReport, NodeError> {
        let _ = (request, bytes);
        unimplemented!()
    }
    /// `export`: writes published entries, in bounded memory. Blocking. Returns how many.
    pub fn export(&self, request: &ExportRequest, out: &mut dyn Write) -> Result<u64, NodeError> {
        let _ = (request, out);
        unimplemented!()
    }
    /// `search`
    pub async fn search(&self, request: SearchRequest) -> Result<SearchResult, NodeError> {
        let _ = request;
        unimplemented!()
    }
    /// Places that the text may mean: name, postal code, AGS or ARS.
    pub async fn places(&self, text: &str) -> Result<Vec<PlaceInfo>, NodeError> {
        let _ = text;
        unimplemented!()
    }
    /// `places import`: the official list as CSV. Blocking.
    pub fn import_places(&self, file: &str, bytes: &mut dyn Read) -> Result<PlacesReport, NodeError> {
        let _ = (file, bytes);
        unimplemented!()
    }
    /// Rows for lists: own entries (drafts too) or another organisation's.
    pub async fn entries(&self, request: EntriesRequest) -> Result<EntryPage, NodeError> {
        let _ = request;
        unimplemented!()
    }
    /// `create KIND PATH=VALUE...`; a value is typed by its field.
    pub async fn create(&self, kind: &str, values: &[(String, String)]) -> Result<Written, NodeError> {
        let _ = (kind, values);
        unimplemented!()
    }
    /// `POST /entries` with a whole entry; its `collection` (a name) chooses the home, default `public`.
    pub async fn create_entry(&self, entry: Map<String, Value>) -> Result<Written, NodeError> {
        let _ = entry;
        unimplemented!()
    }
    /// `edit ID PATH=VALUE...`
    pub async fn edit(&self, id: &str, values: &[(String, String)]) -> Result<Written, NodeError> {
        let _ = (id, values);
        unimplemented!()
    }
    /// `PATCH /entries/{id}`: JSON merge patch; `if_match` are the working heads it was made against.
    pub async fn patch(&self, id: &str, patch: Value, if_match: Option<Vec<String>>) -> Result<Written, NodeError> {
        let _ = (id, patch, if_match);
        unimplemented!()
    }
    /// `show`
    pub async fn show(&self, id: &str, options: ShowOptions) -> Result<Shown, NodeError> {
        let _ = (id, options);
        unimplemented!()
    }
    /// `history`
    pub async fn history(&self, id: &str) -> Result<Vec<HistoryStep>, NodeError> {
        let _ = id;
        unimplemented!()
    }
    /// `publish ID...`, or everything that has a draft if `ids` is `None`.
    pub async fn publish(&self, ids: Option<Vec<String>>) -> Result<Published, NodeError> {
        let _ = ids;
        unimplemented!()
    }
    /// `withdraw ID`
    pub async fn withdraw(&self, id: &str) -> Result<Published, NodeError> {
        let _ = id;
        unimplemented!()
    }
    /// `move ID COLLECTION`
    pub async fn move_entry(&self, id: &str, collection: &str) -> Result<Published, NodeError> {
        let _ = (id, collection);
        unimplemented!()
    }
    /// `adopt ID --copy | --layer`
    pub async fn adopt(&self, id: &str, layer: bool) -> Result<Written, NodeError> {
        let _ = (id, layer);
        unimplemented!()
    }
    /// `conflicts`
    pub async fn conflicts(&self) -> Result<Vec<ConflictInfo>, NodeError> {
        unimplemented!()
    }
    /// `resolve ID PATH N`
    pub async fn resolve(&self, id: &str, path: &str, n: u64) -> Result<Written, NodeError> {
        let _ = (id, path, n);
        unimplemented!()
    }
    /// `store check`
    pub async fn store_check(&self) -> Result<StoreCheck, NodeError> {
        unimplemented!()
    }
    /// `store export FILE`: the whole store as one checked file, beside the running node.
    pub async fn store_export(&self, file: PathBuf) -> Result<(), NodeError> {
        let _ = file;
        unimplemented!()
    }
    /// `store compact`; bytes before and after.
    pub async fn store_compact(&self) -> Result<(u64, u64), NodeError> {
        unimplemented!()
    }
}

/// `store check` without a daemon.
pub fn store_check(data_dir: &std::path::Path) -> Result<StoreCheck, NodeError> {
    let _ = data_dir;
    unimplemented!()
}
/// `store export` without a daemon.
pub fn store_export(data_dir: &std::path::Path, file: &std::path::Path) -> Result<(), NodeError> {
    let _ = (data_dir, file);
    unimplemented!()
}
/// `store import` into an empty data directory, without a daemon.
pub fn store_import(data_dir: &std::path::Path, file: &std::path::Path) -> Result<(), NodeError> {
    let _ = (data_dir, file);
    unimplemented!()
}
/// `store compact` without a daemon; bytes before and after.
pub fn store_compact(data_dir: &std::path::Path) -> Result<(u64, u64), NodeError> {
    let _ = data_dir;
    unimplemented!()
}
