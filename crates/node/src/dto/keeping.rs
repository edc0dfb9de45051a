//! Sealed copies: whom we give ours to, and whose we keep.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `keepers list`
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Keepers {
    /// The newest sealed copy of ours; none was made yet if it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<SealedCopyInfo>,
    /// Partners that are to keep it.
    pub keepers: Vec<KeeperInfo>,
    /// Partners whose copies may lie here.
    pub kept: Vec<KeptInfo>,
}

/// One sealed copy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SealedCopyInfo {
    /// Of when it is, RFC 3339.
    pub at: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// A partner that is to keep our copies.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct KeeperInfo {
    /// Its organisation.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The newest copy that it has said to have read back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<SealedCopyInfo>,
    /// When it said so, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<String>,
    /// When it last gave pieces back that were chosen by chance, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proved_at: Option<String>,
    /// Whether it has the newest copy.
    pub up_to_date: bool,
    /// Why the newest copy is not there, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A partner whose copies may lie here.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct KeptInfo {
    /// Its organisation.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Bytes that all its copies may take.
    pub bytes_max: u64,
    /// Bytes they take.
    pub bytes: u64,
    /// Whole copies, newest first.
    pub copies: Vec<SealedCopyInfo>,
}

/// `keepers allow PARTNER --megabytes N`
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowRequest {
    /// Megabytes (of 1,000,000 bytes) that all its copies may take.
    pub megabytes: u64,
}

/// `keepers fetch FILE`
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct FetchedCopy {
    /// Always true when printed.
    pub ok: bool,
    /// The file.
    pub file: String,
    /// What it is.
    pub copy: SealedCopyInfo,
    /// Who gave it, by name.
    pub from: Vec<String>,
    /// Who could not, and why.
    pub problems: Vec<String>,
}
