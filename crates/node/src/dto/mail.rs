//! Mails that go out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whom to try.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct MailTest {
    /// Only the mailbox of this role; all if absent.
    #[schema(example = "editors")]
    pub role: Option<String>,
}

/// A mail that was tried.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MailTried {
    /// Whose mailbox.
    pub role: String,
    /// Its address.
    pub to: String,
    /// The server took it.
    pub sent: bool,
    /// Why not.
    pub error: Option<String>,
}

/// A mail that waits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueuedMail {
    /// Whose mailbox.
    pub role: String,
    /// One line.
    pub subject: String,
    /// When it was made, RFC 3339.
    pub at: String,
    /// How often the server did not take it.
    pub attempts: u32,
    /// When it is tried next, RFC 3339.
    pub next_at: String,
    /// Why not, the last time.
    pub error: Option<String>,
}

/// `mail list`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MailReport {
    /// Server and port.
    pub server: String,
    /// Addresses by role.
    pub to: BTreeMap<String, String>,
    /// What waits.
    pub queued: Vec<QueuedMail>,
    /// Taken by the server in the last hour, of at most 60.
    pub sent_last_hour: u64,
}
