//! Suggested changes, and what becomes of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::OrganisationInfo;

/// A suggested change of a partner's entry: `values` as on the command line, or a merge patch.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewProposal {
    /// The entry.
    #[schema(example = "018f6b1c2d3e4f5a6b7c8d9e0f1a2b3c")]
    pub entry: String,
    /// Paths and values, each typed by its field; an empty value deletes.
    #[schema(example = json!([["fees.0.amount", "2800"]]))]
    pub values: Vec<(String, String)>,
    /// A JSON merge patch against the published entry.
    #[schema(value_type = Option<Object>)]
    pub patch: Option<Value>,
    /// Why. Never anything about a citizen.
    #[schema(example = "Satzung vom 1. Oktober")]
    pub comment: String,
}

/// Which proposals.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ProposalsRequest {
    /// Decided ones too.
    pub all: bool,
    /// Only about this entry.
    pub entry: Option<String>,
    /// Only with this partner: name, or id or its beginning.
    pub partner: Option<String>,
}

/// What the owner decides.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct DecideRequest {
    /// Whether the fields are taken; else they are declined.
    pub accept: bool,
    /// Which fields, by path; empty: all that nobody has decided, and of those to be taken only what still fits.
    #[schema(example = json!(["fees.0.amount"]))]
    pub paths: Vec<String>,
    /// Why not; needed to decline.
    #[schema(example = "")]
    pub reason: String,
    /// Publish the entry at once; it must have no other draft.
    pub publish: bool,
}

/// A proposal, and how it stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProposalInfo {
    /// 32 hex digits, the same on both sides.
    pub id: String,
    /// The entry.
    pub entry: String,
    /// Its title in German; empty if it is not here any more.
    pub title: String,
    /// Whose entry it is.
    pub owner: OrganisationInfo,
    /// Who suggests.
    pub by: OrganisationInfo,
    /// Why.
    pub comment: Option<String>,
    /// RFC 3339.
    pub at: String,
    /// Heads of the version it was written against.
    pub heads: Vec<String>,
    /// The entry says something else than it did then.
    pub moved_on: bool,
    /// `open` (something is undecided), `accepted`, `partly` or `declined`.
    pub state: String,
    /// Each field.
    pub fields: Vec<ProposedField>,
    /// When the owner decided last, RFC 3339.
    pub decided_at: Option<String>,
    /// The agreement by which fields were taken without a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automatic: Option<String>,
    /// So many contacts heard what these fields said before; absent if that was not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<super::Figure>,
    /// The other side can read it; else the publisher has not published it yet.
    pub published: bool,
}

/// One field of a proposal: what it said, should say, and says now.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProposedField {
    /// Where.
    pub path: String,
    /// What it said when the proposal was written; null for nothing.
    #[schema(value_type = Object)]
    pub old: Value,
    /// What it should say; null for nothing.
    #[schema(value_type = Object)]
    pub new: Value,
    /// What it says now, at the owner in the draft; null for nothing.
    #[schema(value_type = Object)]
    pub now: Value,
    /// `clean` (it says what it said), `same` (it says already what it should), `changed` (it says something third), `gone`
    /// (the element of the list is not there any more).
    pub fit: String,
    /// The owner took it, or declined it; absent if it is undecided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<bool>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What to do about a source that changed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SourceRequest {
    /// Take fields over; else all of them are left as they are here.
    pub take: bool,
    /// Which fields, by path; empty: all that fit.
    #[schema(example = json!(["texts.notes.de"]))]
    pub paths: Vec<String>,
    /// Publish the entry at once.
    pub publish: bool,
}

/// What was adopted, and what its source says now.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SourceChanges {
    /// The own entry.
    pub entry: String,
    /// Its title in German.
    pub title: String,
    /// The entry it was adopted from.
    pub source: String,
    /// Whose that is.
    pub organisation: OrganisationInfo,
    /// `copy` or `layer`.
    pub mode: String,
    /// `unchanged`, `changed`, `withdrawn`, or `gone` (not here any more).
    pub state: String,
    /// The version it was adopted from is known; else every difference counts as `changed`.
    pub base_known: bool,
    /// What the source says else: as it was there, is there, and is here.
    pub fields: Vec<ProposedField>,
}
