//! Error reports about entries, and what is to be done.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::OrganisationInfo;

/// A report that an entry is wrong.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewFeedback {
    /// The entry.
    #[schema(example = "018f6b1c2d3e4f5a6b7c8d9e0f1a2b3c")]
    pub entry: String,
    /// `outdated`, `wrong`, `missing` or `unclear`.
    #[schema(example = "outdated")]
    pub problem: String,
    /// Which part of it, `fees.0.amount`; empty: all of it.
    #[schema(example = "fees.0.amount")]
    pub path: String,
    /// What is wrong. Never anything about a citizen.
    #[schema(example = "Die Gebühr beträgt seit Oktober 28 EUR.")]
    pub text: String,
}

/// What the owner says to a report.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct FeedbackAnswer {
    /// `accepted` (it will be changed), `done` (it is changed) or `declined`.
    #[schema(example = "done")]
    pub state: String,
    /// What the agents should read; needed to decline.
    #[schema(example = "Danke, ist geändert.")]
    pub answer: String,
}

/// Which reports.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct FeedbackRequest {
    /// Settled ones too.
    pub all: bool,
    /// Only about this entry.
    pub entry: Option<String>,
    /// Only with this partner: name, or id or its beginning.
    pub partner: Option<String>,
}

/// A report, and how it stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FeedbackInfo {
    /// 32 hex digits, the same on both sides.
    pub id: String,
    /// The entry.
    pub entry: String,
    /// Its title in German; empty if it is not here any more.
    pub title: String,
    /// Whose entry it is.
    pub owner: OrganisationInfo,
    /// Who reports.
    pub by: OrganisationInfo,
    /// `outdated`, `wrong`, `missing` or `unclear`.
    pub problem: String,
    /// Which part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What is wrong.
    pub text: String,
    /// RFC 3339.
    pub at: String,
    /// Heads of the version that was read.
    pub heads: Vec<String>,
    /// The entry was published again since.
    pub changed_since: bool,
    /// `open`, `accepted`, `done` or `declined`.
    pub state: String,
    /// What the owner says.
    pub answer: Option<String>,
    /// When, RFC 3339.
    pub answered_at: Option<String>,
    /// The other side can read it; else the publisher has not published it yet.
    pub published: bool,
}

/// Something a person should do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskInfo {
    /// `feedback`, `proposal`, `conflict`, `publish_refused`, `review`, `source_changed`, `agreement_offered`,
    /// `agreement_ends`, `set_aside`, ...
    pub kind: String,
    /// The entry, where there is one.
    pub entry: Option<String>,
    /// One sentence in plain words, with what to do.
    pub message: String,
    /// Whose mailbox it goes to: `editors`, `agreements`, `administration`.
    #[serde(default)]
    pub role: String,
    /// What the entry or agreement is called.
    #[serde(default)]
    pub title: String,
    /// The partner that waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<String>,
    /// The report, proposal or agreement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Since when, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The day it should be done by, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// That day is past.
    #[serde(default)]
    pub overdue: bool,
}

/// Which tasks.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TasksRequest {
    /// Only this kind.
    pub kind: Option<String>,
    /// Only those of this role: `editors`, `agreements`, `administration`.
    pub role: Option<String>,
    /// At most so many, 1 to 1000; 100 if absent.
    pub limit: Option<usize>,
}

/// `tasks list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct TaskList {
    /// The most urgent first.
    pub tasks: Vec<TaskInfo>,
    /// How many fit the question.
    pub total: u64,
    /// How many there are of each kind, whatever was asked for.
    pub counts: BTreeMap<String, u64>,
}
