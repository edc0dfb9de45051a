//! What the command line and HTTP show: the JSON of the contract, as structs. Times are RFC 3339, dates ISO 8601,
//! money integer cents; ids are texts as in `model::ids`.

mod agreements;
mod answers;
mod backup;
mod collections;
mod contacts;
mod feedback;
mod finding;
mod keeping;
mod leaving;
mod mail;
mod nodes;
mod proof;
mod proposals;
mod recovery;
mod reports;

pub use agreements::*;
pub use answers::*;
pub use backup::{BackedUp, BackupRequest, RestoreRequest, Restored};
pub use collections::*;
pub use contacts::*;
pub use feedback::{FeedbackAnswer, FeedbackInfo, FeedbackRequest, NewFeedback, TaskInfo, TaskList, TasksRequest};
pub use finding::*;
pub use reports::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub use keeping::{AllowRequest, FetchedCopy, KeeperInfo, Keepers, KeptInfo, SealedCopyInfo};
pub use leaving::{DeletedBy, DeletionInfo, FarewellReport, LeaveRequest, LeavingInfo};
pub use mail::{MailReport, MailTest, MailTried, QueuedMail};
pub use nodes::{CertifiedNode, NamedEntry, PublishedByNode, PublisherInfo, Renewed, RevokedNode};
pub use proof::{
    ConflictInfo, ConflictValueInfo, HistoryStep, ReceiptInfo, ReceiptSigner, RedactRequest, RedactionReport, ToldInfo,
};
pub use proposals::{
    DecideRequest, NewProposal, ProposalInfo, ProposalsRequest, ProposedField, SourceChanges, SourceRequest,
};
pub use recovery::{RecoverRequest, Recovered, RecoveredCollection, RecoveredCopy, Rotated, SheetText, SuccessionInfo};

/// An organisation as shown everywhere.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrganisationInfo {
    /// 64 hex digits.
    pub id: String,
    /// The name it gave itself.
    pub name: String,
    /// The place it claims; empty for a provider without one.
    pub ars: String,
    /// `own`, `partner` or `introduced`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<String>,
    /// Name of the partner that introduced it, where `standing` is `introduced`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introduced_by: Option<String>,
    /// `confirmed`, `introduced` (a partner vouches for it), `unconfirmed` (town not yet confirmed) or `contradicted` (two claims to one place).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place_state: Option<String>,
    /// RFC 3339; set since its publisher's certificate ended: what is shown of it is the last state that was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired_since: Option<String>,
    /// Name of the organisation that answers in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub succeeded_by: Option<String>,
    /// Set when it has said that it takes part no more, from a day on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<LeavingInfo>,
}

/// This node.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct NodeInfo {
    /// The libp2p peer id.
    pub id: String,
    /// Multiaddresses partners can dial.
    pub addresses: Vec<String>,
}

/// One partner in `status` and `partners list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct PartnerStatus {
    /// Organisation id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its ARS.
    pub ars: String,
    /// A greeting was received on the present connection.
    pub connected: bool,
    /// A person checked name, ARS and check words.
    pub confirmed: bool,
    /// Both sides hold the same of what they share.
    pub in_sync: bool,
    /// Records known to be missing here or there.
    pub behind: u64,
    /// When both last were in sync.
    pub last_sync_at: Option<String>,
    /// Live entries of it held here.
    pub entries: u64,
    /// Own node of the organisation rather than another organisation's.
    pub own_node: bool,
    /// Its connected node, or the nodes known.
    pub nodes: Vec<String>,
    /// Organisations it relays to us.
    pub introduces: Vec<String>,
    /// Who relays between it and this node, if the connection is not a direct one.
    pub through: Option<String>,
    /// The newest trouble with it, in plain words.
    pub problem: Option<String>,
    /// Set when it has said that it takes part no more, from a day on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<LeavingInfo>,
    /// Set when what this node held of it was deleted for that reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<DeletionInfo>,
}

/// How many entries lie here.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct EntryCounts {
    /// Own published entries.
    pub own: u64,
    /// Own entries whose working document is ahead of the published one, or was never published.
    pub drafts: u64,
    /// Live entries of other organisations.
    pub replicated: u64,
}

/// Something a person should know about or do.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct AlarmInfo {
    /// A stable word: `equivocation`, `invalid_record`, `rolled_back`, `cloned`, `stale`, `place_claimed_twice`, ...
    pub kind: String,
    /// One sentence in plain words, with what to do.
    pub message: String,
    /// Which partner, by name.
    pub partner: Option<String>,
    /// When it was first noticed.
    pub at: String,
    /// How often since then.
    pub count: u64,
}

/// `status`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Ours.
    pub organisation: OrganisationInfo,
    /// This node.
    pub node: NodeInfo,
    /// The address HTTP answers on.
    pub http: String,
    /// Whether this node is its organisation's publisher.
    pub publisher: bool,
    /// The node that is the publisher, and its term number.
    pub publisher_node: String,
    /// Number of the publisher term.
    pub term: u32,
    /// One row per partner and per other own node.
    pub partners: Vec<PartnerStatus>,
    /// What lies here.
    pub entries: EntryCounts,
    /// Open alarms.
    pub alarms: Vec<AlarmInfo>,
    /// Tasks: conflicts, refused requests, set-aside records.
    pub tasks: Vec<TaskInfo>,
    /// How many tasks there are of each kind; `tasks` has the most urgent.
    #[serde(default)]
    pub task_counts: std::collections::BTreeMap<String, u64>,
    /// Partners that are to keep sealed copies of ours.
    pub keepers: Vec<KeeperInfo>,
    /// The recovery sheet was read back once.
    pub recovery_checked: bool,
    /// `current`, or `rebuilding` while search answers are incomplete.
    pub search: String,
    /// The programme's version.
    pub version: String,
    /// RFC 3339, last local or replicated change.
    pub last_change_at: Option<String>,
}

/// `init`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Initialised {
    /// The new organisation, or the one joined.
    pub organisation: OrganisationInfo,
    /// This node.
    pub node: NodeInfo,
    /// Where the recovery sheet lies and what opens it; absent for a further node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Recovery>,
}

/// The recovery sheet just written.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Recovery {
    /// Path of the sheet.
    pub file: String,
    /// Shown once, kept nowhere.
    pub passphrase: String,
}

/// What `invite` needs.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct InviteRequest {
    /// For a further node of our own organisation.
    pub node: bool,
    /// The partner's ARS, if it is known.
    pub for_ars: Option<String>,
    /// Our person's confirmation in advance.
    pub trust: bool,
    /// How long it is open, in milliseconds.
    pub expires_in: Option<u64>,
}

/// `invite`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    /// To hand over out of band.
    pub token: String,
    /// RFC 3339.
    pub expires_at: String,
    /// Nobody can dial this node: the other side joins with `--dial` and gives back an answer.
    pub dial: bool,
}

/// `join`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Joined {
    /// The new partner.
    pub partner: OrganisationInfo,
    /// Six words both sides read out to each other; none as long as the inviter has not called.
    pub check_words: Vec<String>,
    /// Whether this side counts as confirmed already.
    pub confirmed: bool,
    /// With `--dial`: to give back to the inviter, who joins with it and so calls this node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Until when the inviter can call, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// `partners show`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct PartnerDetail {
    /// The row of the list.
    #[serde(flatten)]
    pub status: PartnerStatus,
    /// Six words to compare.
    pub check_words: Vec<String>,
    /// Names of our collections it may read.
    pub reads: Vec<String>,
    /// Names of its collections we hold.
    pub shares: Vec<String>,
    /// Since when, RFC 3339.
    pub since: String,
    /// Others known here that bear its name or claim its place, each with its id and who vouches for it.
    pub same_name_or_place: Vec<String>,
}

/// One collection in `compare`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ComparedCollection {
    /// Collection id.
    pub id: String,
    /// Collection name.
    pub name: String,
    /// Name of the organisation it belongs to.
    pub organisation: String,
    /// Live entries here.
    pub ours: u64,
    /// Live entries there.
    pub theirs: u64,
    /// Ids of the entries that differ.
    pub differing: Vec<String>,
}

/// `compare`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Comparison {
    /// Nothing differs.
    pub identical: bool,
    /// One row per shared collection.
    pub collections: Vec<ComparedCollection>,
}

/// What `import` needs beside the bytes.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ImportRequest {
    /// For messages.
    pub file: String,
    /// `auto`, `jsonl`, `dldb`, `csv`, `xzufi`.
    pub format: String,
    /// Text of the CSV mapping file (TOML).
    pub mapping: Option<String>,
    /// Overrides the line's and the format's collection.
    pub collection: Option<String>,
    /// ARS for entries without their own `valid_for`.
    pub valid_for: Option<String>,
    /// Publish what was imported.
    pub publish: bool,
    /// Write nothing.
    pub dry_run: bool,
}

/// A record that was not taken in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rejection {
    /// File name.
    pub file: String,
    /// From 1.
    pub line: u64,
    /// Why, in one line.
    pub reason: String,
}

/// A doubt about one entry.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FindingInfo {
    /// Entry id.
    pub id: String,
    /// Where in the entry.
    pub path: String,
    /// `error` or `warning`.
    pub severity: String,
    /// What, in one line.
    pub message: String,
}

/// A value that a person changed since the last import and that was kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Kept {
    /// Entry id.
    pub id: String,
    /// Where in the entry.
    pub path: String,
}

/// `import`. Each entry counts in exactly one of created, updated, unchanged.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ImportReport {
    /// New entries.
    pub created: u64,
    /// Changed entries.
    pub updated: u64,
    /// Entries that were already so.
    pub unchanged: u64,
    /// Values a person changed since the last import.
    pub kept: Vec<Kept>,
    /// Entries published.
    pub published: u64,
    /// Publication requested from the publisher.
    pub requested: u64,
    /// Entries not published although that was asked, because they hold a draft of a person or were withdrawn. Each has a
    /// finding.
    pub held_back: u64,
    /// Entries in which something moved beside that, because others they speak of came or moved: parts about what their
    /// readers do not read stand in the internal companion. What was published is published again.
    pub relinked: u64,
    /// Records not taken in.
    pub rejected: Vec<Rejection>,
    /// Doubts about entries that are new or changed, and what was held back.
    pub findings: Vec<FindingInfo>,
    /// Doubts about unchanged entries: told when they came, counted since.
    pub findings_before: u64,
}

/// What `export` needs.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ExportRequest {
    /// `jsonl` or `csv`.
    pub format: String,
    /// Id or name; ours if absent.
    pub organisation: Option<String>,
    /// With companions.
    pub companions: bool,
    /// Our own entries as they are being edited, also those that were never published.
    pub drafts: bool,
}

/// How `show` reads an entry.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ShowOptions {
    /// The working document instead of the published one.
    pub draft: bool,
    /// What was published at the end of this day in Europe/Berlin, scheduled changes applied.
    pub on: Option<String>,
    /// The state at these heads (comma-separated hashes).
    pub at: Option<String>,
}

/// What is known about a shown entry.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct EntryMeta {
    /// Whose it is.
    pub organisation: OrganisationInfo,
    /// Name of its collection.
    pub collection: String,
    /// Everybody may read what is in that collection.
    pub public: bool,
    /// `draft`, `published` or `withdrawn`: the version shown.
    pub state: String,
    /// The working document is ahead.
    pub draft: bool,
    /// `none`, `waiting` or `refused`.
    pub request: String,
    /// Heads of the document shown.
    pub heads: Vec<String>,
    /// RFC 3339.
    pub published_at: Option<String>,
    /// RFC 3339 of the newest publication, also one with unchanged heads.
    pub reviewed_at: Option<String>,
    /// RFC 3339; absent for our own.
    pub received_at: Option<String>,
    /// Name of the organisation (or own node) that handed it over.
    pub received_from: Option<String>,
    /// The signature chain was verified here.
    pub verified: bool,
    /// RFC 3339 of the newest checkpoint covering it.
    pub checkpoint_at: Option<String>,
    /// Position in its feed.
    pub position: Option<String>,
    /// With `on`: how it is known what was said that day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<ToldInfo>,
}

/// `show`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Shown {
    /// The entry, companions joined.
    pub entry: Map<String, Value>,
    /// Provenance.
    pub meta: EntryMeta,
    /// What agents reported of it, and nobody has settled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<FeedbackInfo>,
}

/// `create`, `edit`, `resolve`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Written {
    /// Entry id.
    pub id: String,
    /// Heads of the working document.
    pub heads: Vec<String>,
    /// `draft` or `published`.
    pub state: String,
    /// Doubts about the entry as it is now.
    #[serde(default)]
    pub findings: Vec<FindingInfo>,
}

/// One published entry.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct PublishedEntry {
    /// Entry id.
    pub id: String,
    /// Collection name.
    pub collection: String,
    /// Position in the feed.
    pub position: String,
}

/// An entry that was not published, and why.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Refusal {
    /// Entry id.
    pub id: String,
    /// One line.
    pub reason: String,
}

/// `publish`, `withdraw`, `move`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Published {
    /// Durable here.
    pub published: Vec<PublishedEntry>,
    /// Ids asked of the publisher.
    pub requested: Vec<String>,
    /// Not published.
    pub refused: Vec<Refusal>,
}

/// `store check`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct StoreCheck {
    /// No problems.
    pub ok: bool,
    /// One line each.
    pub problems: Vec<String>,
}

/// One line of `doctor`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct DoctorLine {
    /// What was looked at.
    pub check: String,
    /// `ok`, `warning` or `failed`.
    pub result: String,
    /// What was found and what to do.
    pub message: String,
}

/// `doctor`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Doctor {
    /// Nothing failed.
    pub ok: bool,
    /// In order.
    pub checks: Vec<DoctorLine>,
    /// If partners cannot dial this node: a text to forward to whoever runs the firewall.
    pub forward: Option<String>,
}

/// One row of `GET /entries`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct EntryRow {
    /// Entry id.
    pub id: String,
    /// Kind.
    pub kind: String,
    /// In German, or the first language there is.
    pub title: String,
    /// Whose.
    pub organisation: OrganisationInfo,
    /// Collection name.
    pub collection: String,
    /// `draft`, `published`, `withdrawn`.
    pub state: String,
    /// The working document is ahead.
    pub draft: bool,
}

/// A page of `GET /entries`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct EntryPage {
    /// In order of id.
    pub entries: Vec<EntryRow>,
    /// Pass as `after` for the next page; absent at the end.
    pub next: Option<String>,
}

/// Which rows of `GET /entries`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct EntriesRequest {
    /// Id or name; ours if absent.
    pub organisation: Option<String>,
    /// Only this kind.
    pub kind: Option<String>,
    /// Only this collection (name).
    pub collection: Option<String>,
    /// Only drafts.
    pub drafts: bool,
    /// Continue after this id.
    pub after: Option<String>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// What `events` streams.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventInfo {
    /// An entry is new, changed or withdrawn and readable here.
    Entry {
        /// Entry id.
        id: String,
        /// Organisation id.
        organisation: String,
        /// Collection name.
        collection: String,
        /// `draft`, `published` or `withdrawn`.
        state: String,
        /// RFC 3339.
        at: String,
    },
    /// A partner's line changed.
    Partner {
        /// Organisation id.
        id: String,
        /// Name.
        name: String,
        /// Greeting received.
        connected: bool,
        /// Nothing to exchange.
        in_sync: bool,
    },
    /// A new alarm.
    Alarm(AlarmInfo),
    /// A publication request was answered.
    Answer {
        /// Entry id.
        id: String,
        /// `published` or `refused`.
        outcome: String,
        /// Why, if refused.
        reason: Option<String>,
    },
}

/// One number for `/metrics`.
#[derive(Debug, Clone)]
pub struct Metric {
    /// Prometheus name, `ortsnetz_...`.
    pub name: &'static str,
    /// One line.
    pub help: &'static str,
    /// `counter` or `gauge`.
    pub kind: &'static str,
    /// Label pairs and value.
    pub values: Vec<(Vec<(&'static str, String)>, f64)>,
}
