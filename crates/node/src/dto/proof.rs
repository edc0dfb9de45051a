//! What was said when, and by whom: conflicts, history, receipts, redactions.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::OrganisationInfo;

/// Who signed, in `verify`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ReceiptSigner {
    /// The node's id.
    pub node: String,
    /// What its organisation calls it; `root` for the organisation's own key.
    pub name: String,
    /// Its certificate now: `valid`, `expired` or `revoked`.
    pub state: String,
}

/// `verify`: what a receipt proves.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ReceiptInfo {
    /// It holds.
    pub ok: bool,
    /// Who said it.
    pub organisation: OrganisationInfo,
    /// Entry id.
    pub id: String,
    /// Name of its collection.
    pub collection: String,
    /// `published` or `withdrawn`.
    pub state: String,
    /// What was said; absent if that the entry is no longer there.
    pub entry: Option<Map<String, Value>>,
    /// Generation of the entry.
    pub generation: u32,
    /// Position in the feed.
    pub position: String,
    /// RFC 3339: when it was said, by the clock of the signing node.
    pub said_at: String,
    /// Who signed.
    pub signed_by: ReceiptSigner,
    /// RFC 3339: a signature over the whole collection shows that it had been said by then.
    pub vouched_at: String,
    /// Who made that signature, if it is not the record itself.
    pub vouched_by: Option<ReceiptSigner>,
    /// RFC 3339 of the newest checkpoint that counts it.
    pub checkpoint_at: Option<String>,
    /// What to know beside it.
    pub notes: Vec<String>,
}

/// `redact`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct RedactRequest {
    /// Nothing stays; otherwise what the entry says now does.
    #[serde(default)]
    pub erase: bool,
    /// Why, for the own files; at most 500 bytes. Not a word of what is redacted belongs here.
    #[serde(default)]
    pub reason: Option<String>,
}

/// `redact`, `redact --status`: purged here and by so many of so many.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct RedactionReport {
    /// Entry id.
    pub id: String,
    /// Everything of a lower generation is void for ever.
    pub generation: u32,
    /// RFC 3339.
    pub redacted_at: String,
    /// As given.
    pub reason: Option<String>,
    /// Partners that could read it, and other own nodes.
    pub of: u64,
    /// Those of them that confirmed that no file of theirs holds it any more, by name.
    pub purged: Vec<String>,
    /// Those that have not yet; they are told when they are reachable.
    pub waiting: Vec<String>,
    /// What no redaction reaches, a line each.
    pub unreachable: Vec<String>,
}

/// How it is known what was said on a day.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ToldInfo {
    /// The day, in Europe/Berlin; what was in force when it ended is shown.
    pub on: String,
    /// `records`: by the signed records kept here. `changes`: a reader's copy, by the times of the changes alone; a
    /// withdrawal in between is not seen. `present`: the day is not over, this is what holds now. `planned`: the day is to come; what is
    /// published now, with the changes scheduled until then.
    pub known_by: String,
}

/// One step in `history`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct HistoryStep {
    /// Heads after it.
    pub heads: Vec<String>,
    /// The node that wrote it.
    pub node: String,
    /// RFC 3339.
    pub at: String,
    /// `draft` or `published`; and for records without a change `reviewed`, `withdrawn`, `moved` or `redacted`.
    pub state: String,
    /// In which role: `publisher`, or of a draft `admin` or `edit`; empty if the node is not known here.
    #[serde(default)]
    pub role: String,
    /// What it touched.
    pub paths: Vec<String>,
}

/// One of the concurrent values.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ConflictValueInfo {
    /// What `resolve ID PATH N` takes.
    pub n: u64,
    /// The value.
    pub value: Value,
    /// The node that wrote it.
    pub node: String,
    /// RFC 3339.
    pub at: String,
}

/// One conflict.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ConflictInfo {
    /// Entry id.
    pub id: String,
    /// As in `texts.notes.de#<block>`.
    pub path: String,
    /// All of them, in a stable order.
    pub values: Vec<ConflictValueInfo>,
}
