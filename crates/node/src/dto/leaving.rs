use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// That an organisation takes part no more, from a day on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LeavingInfo {
    /// The first day on which it takes part no more (ISO date, Europe/Berlin).
    pub on: String,
    /// That day has come.
    pub left: bool,
    /// Whom to call then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telephone: Option<String>,
    /// What else it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The day on which others delete what they hold of it (ISO date).
    pub delete_on: String,
    /// All of it in a few words: `no longer takes part since 2027-01-01, telephone +49 2241 102-0`.
    pub sentence: String,
}

/// What `identity leave` needs.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct LeaveRequest {
    /// The first day on which the organisation takes part no more (ISO date, Europe/Berlin): today or later. May be left
    /// out once it has left.
    pub on: Option<String>,
    /// Whom to call then.
    pub telephone: Option<String>,
    /// What else agents should know, one line.
    pub note: Option<String>,
    /// Days after that for which others may keep what they hold; 30 if absent.
    pub keep_days: Option<u32>,
    /// It stays after all.
    pub undo: bool,
    /// The name of the organisation, repeated.
    pub confirm: String,
}

/// What a node deleted of an organisation that left, as it signed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeletionInfo {
    /// RFC 3339.
    pub at: String,
    /// How many entries there were.
    pub entries: u64,
}

/// A partner all of whose nodes have signed that they deleted what they held.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeletedBy {
    /// Its name.
    pub name: String,
    /// RFC 3339; the last of them.
    pub at: String,
    /// How many entries there were.
    pub entries: u64,
    /// How many nodes it has.
    pub nodes: u64,
}

/// `identity leave`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct FarewellReport {
    /// What was said; absent if the organisation takes part, and has not said otherwise.
    pub leaving: Option<LeavingInfo>,
    /// How many partners there are.
    pub of: u64,
    /// Those that deleted everything and signed it.
    pub deleted: Vec<DeletedBy>,
    /// Those that have not said so yet.
    pub waiting: Vec<String>,
    /// What nobody reaches, a line each.
    pub unreachable: Vec<String>,
}
