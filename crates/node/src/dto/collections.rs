//! Collections and who reads them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::OrganisationInfo;

/// One of our collections.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CollectionInfo {
    /// 32 hex digits; stays the same when it is renamed.
    pub id: String,
    /// What it is called now.
    pub name: String,
    /// The name it was created under, if it was renamed since; readers can still see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_as: Option<String>,
    /// `initial` (exists from the start), `bilateral` (belongs to a partnership) or `own`.
    pub sort: String,
    /// `public` (everybody), `organisations` (those listed) or `internal` (own nodes).
    pub readers: String,
    /// Those listed.
    pub organisations: Vec<ReaderInfo>,
    /// Those that could read it once and no longer can; they keep what they had.
    pub removed: Vec<FormerReader>,
    /// Readers may pass it on to other readers.
    pub relay: bool,
    /// Nothing new is published in it.
    pub ended: bool,
    /// Published entries in it.
    pub entries: u64,
    /// Entries in it that were never published, or withdrawn.
    pub drafts: u64,
    /// When readers, name or state last changed, RFC 3339; absent if never.
    pub changed_at: Option<String>,
}

/// An organisation on a reader list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReaderInfo {
    /// Organisation id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Since when it may read, RFC 3339.
    pub since: Option<String>,
    /// Whether it confirmed to hold everything; absent if it was not heard of since this node started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete: Option<bool>,
}

/// An organisation that was taken off a reader list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FormerReader {
    /// Organisation id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Until when it could read, RFC 3339.
    pub until: String,
}

/// A new collection.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct NewCollection {
    /// What it is called.
    pub name: String,
    /// Confirmed partners that may read it, by name or id; more can follow.
    #[serde(default)]
    pub readers: Vec<String>,
    /// Readers may pass it on to other readers.
    #[serde(default)]
    pub relay: bool,
}

/// What changes in a collection; absent stays as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct CollectionChange {
    /// A new name.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether readers may pass it on.
    #[serde(default)]
    pub relay: Option<bool>,
}

/// How a collection ends.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct CollectionEnd {
    /// Withdraw what is published in it.
    #[serde(default)]
    pub withdraw: bool,
    /// Move everything in it to this collection first.
    #[serde(default)]
    pub move_to: Option<String>,
}

/// What an organisation can see of ours.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SeenBy {
    /// Who.
    pub organisation: OrganisationInfo,
    /// It is our partner, so that we give it what it may read ourselves.
    pub direct: bool,
    /// What it may read now.
    pub collections: Vec<SeenCollection>,
    /// What it could read once. It keeps what it had then and gets nothing new.
    pub former: Vec<FormerCollection>,
}

/// A collection an organisation may read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SeenCollection {
    /// 32 hex digits.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Published entries in it.
    pub entries: u64,
    /// Other readers may pass it on.
    pub relay: bool,
    /// Nothing new is published in it.
    pub ended: bool,
    /// Since when it may read, RFC 3339; absent if it never became our partner.
    pub since: Option<String>,
    /// Whether it confirmed to hold everything, whoever gave it; absent if it was not heard of since this node started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete: Option<bool>,
    /// Readers that are its partners and may pass the collection on to it.
    pub relays: Vec<String>,
}

/// A collection of another organisation that we may read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReadableCollection {
    /// Whose it is.
    pub organisation: OrganisationInfo,
    /// 32 hex digits.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// `replicate`: a copy is kept here. `live`: its owner is asked when somebody searches. `ignore`: neither.
    pub how: String,
    /// Published entries of it that are kept here.
    pub entries: u64,
    /// Nothing new is published in it.
    pub ended: bool,
}

/// What to do with a collection of another organisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Follow {
    /// `replicate`, `live` or `ignore`.
    #[schema(example = "live")]
    pub how: String,
}

/// A collection an organisation could read once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FormerCollection {
    /// 32 hex digits.
    pub id: String,
    /// What it is called now.
    pub name: String,
    /// Until when, RFC 3339.
    pub until: String,
}
