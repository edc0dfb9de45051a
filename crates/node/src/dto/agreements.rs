//! Agreements between two organisations.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::OrganisationInfo;

/// A new agreement, or a new version of one.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ProposeRequest {
    /// The other side, by name or id; not needed for a new version.
    pub partner: String,
    /// The agreement this is a new version of.
    pub agreement: Option<String>,
    /// Whether we answer for the partner; else the partner answers for us.
    pub we_answer: bool,
    /// The text, as docs/service-centre.md describes it; `format`, `provider` and `recipient` are filled in.
    #[schema(value_type = Object)]
    pub terms: Value,
}

/// One agreement with all its versions.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct AgreementInfo {
    /// 32 hex digits, the same on both sides.
    pub id: String,
    /// The other side.
    pub partner: OrganisationInfo,
    /// Whether we answer for the partner.
    pub we_answer: bool,
    /// What it is called, in the newest version.
    pub title: String,
    /// The state today of the version that counts, else of the newest.
    pub state: String,
    /// Newest first.
    pub versions: Vec<AgreementVersion>,
    /// How much of what the recipient must describe is there; absent if nothing is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<RequiredTopics>,
}

/// One version of an agreement.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct AgreementVersion {
    /// Counts from 1.
    pub version: u32,
    /// `proposed`, `declined`, `agreed`, `in_force`, `expired`, `ended` or `replaced`.
    pub state: String,
    /// The text both sign.
    #[schema(value_type = Object)]
    pub terms: Value,
    /// SHA-256 of what is signed.
    pub text_hash: String,
    /// Our signature; absent if we have not signed.
    pub ours: Option<AgreementSignature>,
    /// The partner's.
    pub theirs: Option<AgreementSignature>,
    /// Why the side that declined did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The last day, if one side ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_on: Option<String>,
}

/// A signature over a text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgreementSignature {
    /// The node that signed, with role admin.
    pub node: String,
    /// When, RFC 3339.
    pub at: String,
    /// Ed25519, base64.
    pub value: String,
}

/// How much of what must be described is there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RequiredTopics {
    /// Described, with a text and who is responsible.
    pub complete: usize,
    /// Required.
    pub total: usize,
    /// What is not.
    pub missing: Vec<MissingTopic>,
}

/// A required topic that is not complete.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MissingTopic {
    /// LeiKa key.
    pub leika: String,
    /// `service`, `text` or `office`: what is missing first.
    pub missing: String,
}

/// What an agreement allows an agent to do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AllowedInfo {
    /// `inform` (who is responsible, where, when), `connect`, `answer`, `take_case`.
    pub actions: Vec<String>,
    /// `own` (our own town), `in_force`, `none`, or how the agreement with the town stands otherwise.
    pub state: String,
    /// The agreement that decides.
    pub agreement: Option<String>,
    /// Its version.
    pub version: Option<u32>,
    /// Its stage.
    pub stage: Option<u8>,
    /// Whether calls are taken now.
    pub within_hours: bool,
    /// The last day, ISO 8601.
    pub until: Option<String>,
}
