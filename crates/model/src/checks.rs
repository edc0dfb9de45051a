//! What is wrong or doubtful about an entry, for the person who edits it.

use serde::{Deserialize, Serialize};

use crate::entry::Entry;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The entry must not be published like this.
    Error,
    /// Somebody should look at it.
    Warning,
}

/// One thing that is wrong or doubtful.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Where, in the path language: `fees.0.amount`.
    pub path: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
}

/// Everything wrong or doubtful about the entry, in the order of its fields. An entry without errors may be published.
pub fn check(entry: &Entry) -> Vec<Finding> {
    let _ = entry;
    unimplemented!()
}
