//! What stands in a proposal and in the decision on one. Partners write both, so nothing is taken on trust.

use ortsnetz_model::{Entry, EntryId};
use ortsnetz_service::difference::{CHANGES_MAX, Change};
use ortsnetz_service::feedback::TEXT_CHARS_MAX;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::feedback::{id, moment, said};

/// That an entry should say something else; the fields are read when somebody asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Suggestion {
    /// 32 hex digits, chosen by whoever suggests.
    pub id: String,
    /// The entry of the other side.
    pub about: EntryId,
    /// The version it was written against.
    pub heads: Vec<String>,
    /// Why.
    pub comment: Option<String>,
    /// How many fields.
    pub fields: usize,
    /// When, milliseconds since 1970.
    pub at: u64,
}

/// What the owner decided so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    /// The proposal.
    pub id: String,
    /// How many fields were taken.
    pub accepted: usize,
    /// And how many were not.
    pub declined: usize,
    /// The agreement by which fields were taken without a person.
    pub automatic: Option<String>,
    /// When the last one was, milliseconds since 1970.
    pub at: u64,
}

/// What was decided about one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Decided {
    /// Where.
    pub path: String,
    /// Whether it was taken.
    pub accepted: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Suggestion {
    /// The proposal in an entry; `None` if it is none.
    pub fn of(entry: &Entry) -> Option<Self> {
        let fields = changes(entry);
        Some(Self {
            id: id(entry, "proposal").filter(|_| !fields.is_empty())?,
            about: entry.get("about")?.as_str()?.parse().ok()?,
            heads: entry.list("heads").into_iter().map(str::to_owned).collect(),
            comment: said(entry, "comment"),
            fields: fields.len(),
            at: moment(entry)?,
        })
    }
}

impl Decision {
    /// The decision in an entry; `None` if it is none.
    pub fn of(entry: &Entry) -> Option<Self> {
        let fields = decided(entry);
        let accepted = fields.iter().filter(|field| field.accepted).count();
        Some(Self {
            id: id(entry, "proposal").filter(|_| !fields.is_empty())?,
            accepted,
            declined: fields.len() - accepted,
            automatic: entry.at_path("decided.automatic").and_then(Value::as_str).map(str::to_owned),
            at: moment(entry)?,
        })
    }
}

/// The fields of a proposal, each path once; none if they are not whole, or more than [`CHANGES_MAX`].
pub(crate) fn changes(entry: &Entry) -> Vec<Change> {
    let Some(fields) = entry.at_path("suggested.fields") else { return Vec::new() };
    let mut changes: Vec<Change> = serde_json::from_value(fields.clone()).unwrap_or_default();
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    changes.dedup_by(|a, b| a.path == b.path);
    let sound = changes.iter().all(|change| super::may_change(&change.path));
    if sound && changes.len() <= CHANGES_MAX { changes } else { Vec::new() }
}

/// What was decided, each path once.
pub(crate) fn decided(entry: &Entry) -> Vec<Decided> {
    let Some(fields) = entry.at_path("decided.fields") else { return Vec::new() };
    let mut fields: Vec<Decided> = serde_json::from_value(fields.clone()).unwrap_or_default();
    fields.truncate(CHANGES_MAX);
    fields.sort_by(|a, b| a.path.cmp(&b.path));
    fields.dedup_by(|a, b| a.path == b.path);
    for field in &mut fields {
        field.reason = field.reason.take().map(|reason| reason.chars().take(TEXT_CHARS_MAX).collect());
    }
    fields
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(name: &str, fields: Value) -> Entry {
        let map = json!({"kind": "proposal", "proposal": "ab".repeat(16), "about": "01".repeat(16), "heads": ["00"],
            "at": "2026-11-28T10:00:00Z", name: {"fields": fields}});
        Entry::from_json(map).expect("an entry")
    }

    #[test]
    fn a_proposal_that_is_not_whole_is_none() {
        let field = |path: &str| json!({"path": path, "old": 1, "new": 2});
        let of = |fields: Value| Suggestion::of(&entry("suggested", fields)).map(|suggestion| suggestion.fields);
        assert_eq!(of(json!([field("title.de"), field("title.de"), field("fees")])), Some(2));
        assert_eq!(of(json!([])), None);
        assert_eq!(of(json!([{"old": 1}])), None);
        assert_eq!(of(json!([field("title.de"), field("identifier.value")])), None, "nobody changes identities");
        assert_eq!(of(json!([field("companions.internal.staff_contacts")])), None);
        let many = |count: usize| json!((0..count).map(|n| field(&format!("texts.t{n}.de"))).collect::<Vec<_>>());
        assert_eq!(of(many(CHANGES_MAX)), Some(CHANGES_MAX));
        assert_eq!(of(many(CHANGES_MAX + 1)), None);
    }

    #[test]
    fn a_decision_counts_its_fields() {
        let fields =
            json!([{"path": "a", "accepted": true}, {"path": "b", "accepted": false, "reason": "x".repeat(3_000)}]);
        let entry = entry("decided", fields);
        let decision = Decision::of(&entry).expect("whole");
        assert_eq!((decision.accepted, decision.declined, decision.automatic), (1, 1, None));
        assert_eq!(decided(&entry)[1].reason.as_ref().map(String::len), Some(TEXT_CHARS_MAX));
        assert_eq!(Suggestion::of(&entry), None);
    }
}
