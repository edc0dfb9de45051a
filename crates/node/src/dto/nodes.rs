//! The nodes of the own organisation, their certificates, and what is left when one is lost.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One node of the own organisation in `nodes list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct CertifiedNode {
    /// The libp2p peer id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// `valid`, `expired`, `revoked` or `not_yet`.
    pub state: String,
    /// What it may do: `admin`, `edit`.
    pub roles: Vec<String>,
    /// Whether it publishes.
    pub publisher: bool,
    /// Whether it is this node.
    pub here: bool,
    /// Its certificate counts from then, RFC 3339.
    pub not_before: String,
    /// Its certificate ends then, RFC 3339.
    pub not_after: String,
    /// When its certificate was taken back, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
}

/// `nodes renew`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Renewed {
    /// Nodes that got a new certificate; empty if none ends soon.
    pub renewed: Vec<CertifiedNode>,
}

/// `nodes revoke`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct RevokedNode {
    /// The node, its certificate taken back.
    pub node: CertifiedNode,
    /// Who publishes from now on.
    pub publisher: PublisherInfo,
    /// What was published by it or at its request, newest first: if others had its key, look whether that is right.
    pub published: Vec<PublishedByNode>,
    /// Entries with a draft it wrote; they are kept.
    pub drafts: Vec<NamedEntry>,
}

/// One entry whose newest published state came from a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PublishedByNode {
    /// The entry.
    pub id: String,
    /// Its title, where it has one.
    pub title: String,
    /// When, RFC 3339, by the clock of whoever signed.
    pub at: String,
    /// `signed` by the node itself, or `requested` by it.
    pub how: String,
}

/// An entry and what people call it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NamedEntry {
    /// The entry.
    pub id: String,
    /// Its title, where it has one.
    pub title: String,
}

/// `publisher show`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct PublisherInfo {
    /// The publishing node.
    pub node: String,
    /// Number of its term.
    pub term: u32,
    /// Whether that is this node.
    pub here: bool,
}
