//! Contacts and what follows from them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::OrganisationInfo;

/// A contact to record. There is no place for a person in it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"outcome": "answered", "seconds": 190, "topics": ["99102013060000"], "place": "Siegburg"}))]
pub struct ContactRequest {
    /// 32 hex digits that whoever sends it made at random; with one it may be sent again. Made here if absent.
    pub id: Option<String>,
    /// When it began: local, or with a zone; now if absent. The quarter of an hour is kept.
    pub at: Option<String>,
    /// How long it took.
    pub seconds: u32,
    /// What it was about: ids of entries, LeiKa keys, `life_event:CODE`.
    pub topics: Vec<String>,
    /// For which place: name, postal code or ARS.
    pub place: Option<String>,
    /// For which town, an organisation by name or id; absent: whose place it is, else our own.
    pub town: Option<String>,
    /// `phone` (if absent), `email`, `chat`, `counter`, `letter` or `web`.
    pub channel: Option<String>,
    /// `answered`, `connected`, `not_reached`, `forwarded`, `call_back`, `complaint`, `gave_up` or `not_responsible`.
    pub outcome: String,
}

/// A contact as recorded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ContactInfo {
    /// 32 hex digits.
    pub id: String,
    /// The number to say, if something is to be done afterwards.
    pub number: String,
    /// Local, to the quarter hour.
    pub at: String,
    /// How long it took.
    pub seconds: u32,
    /// `entry:ID@HEADS`, `leika:KEY`, `life_event:CODE`.
    pub topics: Vec<String>,
    /// An ARS.
    pub place: Option<String>,
    /// How it came.
    pub channel: String,
    /// How it ended.
    pub outcome: String,
    /// The agreement it was made under.
    pub agreement: Option<String>,
    /// Its version.
    pub version: Option<u32>,
    /// Who recorded it.
    pub by: OrganisationInfo,
    /// For which town.
    pub town: OrganisationInfo,
    /// `recorded`, `reversed` or `undone`.
    pub state: String,
    /// Until when it can be undone, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_until: Option<String>,
}

/// Which contacts.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ContactsRequest {
    /// `2026-11`; this month if absent.
    pub month: Option<String>,
    /// Only with this organisation.
    pub partner: Option<String>,
    /// At most so many; 50 if absent.
    pub limit: Option<usize>,
}

/// Contacts of a month.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ContactsPage {
    /// The newest first.
    pub contacts: Vec<ContactInfo>,
    /// How many there are.
    pub total: usize,
}

/// Something to do after a contact.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FollowUpInfo {
    /// The number to say.
    pub number: String,
    /// Id of the contact.
    pub contact: String,
    /// When that was.
    pub at: String,
    /// `forwarded`, `complaint` or `call_back`.
    pub outcome: String,
    /// What it was about.
    pub topics: Vec<String>,
    /// For which place, an ARS.
    pub place: Option<String>,
    /// Who has to do it.
    pub owner: OrganisationInfo,
    /// Whether that is us.
    pub ours: bool,
    /// Until when, local.
    pub due: String,
    /// Whether that is past.
    pub overdue: bool,
    /// When it was ticked off.
    pub done: Option<String>,
}

/// A call as the telephone system saw it. There is no place for the caller in it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"id": "20261103-4711", "dialled": "+49 2241 102-0", "offered": "2026-11-03T10:15:02+01:00",
    "answered": "2026-11-03T10:15:20+01:00", "ended": "2026-11-03T10:18:10+01:00"}))]
pub struct CallRequest {
    /// What the telephone system calls it; with one it may be sent again.
    pub id: Option<String>,
    /// The number that was dialled: one of the `numbers` of a town's profile.
    pub dialled: String,
    /// When it was offered: local, or with a zone.
    pub offered: String,
    /// When it was taken; absent if nobody did.
    pub answered: Option<String>,
    /// When it ended, or was given up.
    pub ended: String,
}

/// A call as recorded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CallInfo {
    /// 32 hex digits.
    pub id: String,
    /// Local, to the quarter hour.
    pub at: String,
    /// For which town.
    pub town: OrganisationInfo,
    /// Seconds until it was taken or given up.
    pub waited: u32,
    /// Seconds it lasted; absent if it was lost.
    pub talked: Option<u32>,
    /// Whether it was recorded before.
    pub known: bool,
}

/// What came of an import of calls.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CallsReport {
    /// Whether any call was accepted, now or before.
    pub ok: bool,
    /// New calls.
    pub created: u64,
    /// Calls that were recorded before.
    pub unchanged: u64,
    /// Rows that were not taken in, the first thousand.
    pub rejected: Vec<super::Rejection>,
    /// How many.
    pub rejected_total: u64,
}
