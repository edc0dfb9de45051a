//! `backup` and `restore`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::OrganisationInfo;

/// `backup FILE`
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BackupRequest {
    /// Where to write it, on the machine of the node; it must not exist.
    pub file: String,
    /// What opens it.
    pub passphrase: Option<String>,
    /// Instead of a passphrase: public keys like `age1...`, each of which opens it.
    pub recipients: Vec<String>,
}

/// `restore FILE`
#[derive(Clone, Default)]
pub struct RestoreRequest {
    /// The passphrase it was made with.
    pub passphrase: Option<String>,
    /// Or the text of a file with secret keys, one a line.
    pub keys: Option<String>,
    /// Or, for a sealed copy, the text of the recovery sheet; the passphrase is that of the sheet.
    pub sheet: Option<String>,
}

/// A backup that was made and read back.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct BackedUp {
    /// Always true when printed.
    pub ok: bool,
    /// The file.
    pub file: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Rows of the store in it.
    pub rows: u64,
}

/// What was restored.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Restored {
    /// Always true when printed.
    pub ok: bool,
    /// Whose it is.
    pub organisation: OrganisationInfo,
}

// Secrets stay out of logs.
impl std::fmt::Debug for BackupRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BackupRequest").field("file", &self.file).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for RestoreRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RestoreRequest").finish_non_exhaustive()
    }
}
