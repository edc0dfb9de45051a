//! The recovery sheet, and coming back from it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ImportReport, NodeInfo, OrganisationInfo, Recovery};

/// The recovery sheet, printed again.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct SheetText {
    /// Its text; the encrypted block is the one made at first.
    pub sheet: String,
    /// Names of the partners on it.
    pub partners: Vec<String>,
}

/// `identity rotate`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Rotated {
    /// How often the root key was replaced.
    pub number: usize,
    /// The new sheet, and what opens it; the old one opens nothing any more.
    pub recovery: Recovery,
}

/// `identity succeed`, `partners succession`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct SuccessionInfo {
    /// Who follows.
    pub successor: OrganisationInfo,
    /// Who is followed, and answers no more where it counts.
    pub predecessor: OrganisationInfo,
    /// To compare on the telephone.
    pub check_words: Vec<String>,
    /// Whether it counts at this node.
    pub counts: bool,
    /// What was adopted, at the successor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<ImportReport>,
}

/// What `recover` needs.
#[derive(Clone, Default)]
pub struct RecoverRequest {
    /// Text of the recovery sheet.
    pub sheet: String,
    /// What opens it.
    pub passphrase: String,
    /// Addresses of partners, with or without `/p2p/NODE`; none: those on the sheet.
    pub from: Vec<String>,
    /// Do not take back the certificates of the machines that could act for the organisation.
    pub keep_nodes: bool,
    /// Do not fetch a sealed copy.
    pub no_copy: bool,
}

impl std::fmt::Debug for RecoverRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The passphrase stays out of logs.
        f.debug_struct("RecoverRequest").field("from", &self.from).finish_non_exhaustive()
    }
}

/// What `recover` brought back.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Recovered {
    /// The organisation.
    pub organisation: OrganisationInfo,
    /// The new node, which is its publisher.
    pub node: NodeInfo,
    /// Who gave something back.
    pub answered: Vec<String>,
    /// Addresses that did not help, each with the reason.
    pub silent: Vec<String>,
    /// What is back.
    pub collections: Vec<RecoveredCollection>,
    /// The sealed copy that drafts and what is internal came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_copy: Option<RecoveredCopy>,
    /// Nodes whose certificates were taken back.
    pub revoked: Vec<String>,
    /// What nobody could give back, one line each.
    pub not_back: Vec<String>,
}

/// The sealed copy a recovery began with.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct RecoveredCopy {
    /// Of when it is, RFC 3339.
    pub at: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Who kept it, by name.
    pub from: Vec<String>,
}

/// One collection that is back.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct RecoveredCollection {
    /// Its name.
    pub name: String,
    /// How a person calls it.
    pub title: String,
    /// Its live entries.
    pub entries: u64,
}
