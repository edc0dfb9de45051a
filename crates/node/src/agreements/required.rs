//! How much of what an agreement requires its recipient has described.

use ortsnetz_model::{EntryId, Kind, OrgId};

use super::ledger::Agreement;
use crate::answering::matters::{self, Sought};
use crate::catalog;
use crate::dto::{MissingTopic, RequiredTopics};
use crate::error::NodeError;
use crate::shared::Shared;

/// The required topics of the newest version; `None` if it requires none.
pub(super) fn topics(shared: &Shared, agreement: &Agreement) -> Result<Option<RequiredTopics>, NodeError> {
    let terms = &agreement.newest().terms;
    let Some(recipient) = terms.recipient.parse::<OrgId>().ok().filter(|_| !terms.required.is_empty()) else {
        return Ok(None);
    };
    let mut missing = Vec::new();
    for leika in &terms.required {
        if let Some(what) = lacks(shared, &recipient, leika)? {
            missing.push(MissingTopic { leika: leika.clone(), missing: what.into() });
        }
    }
    let total = terms.required.len();
    Ok(Some(RequiredTopics { complete: total - missing.len(), total, missing }))
}

/// What is missing of a topic first; `None` if one of the recipient's services has everything.
fn lacks(shared: &Shared, recipient: &OrgId, leika: &str) -> Result<Option<&'static str>, NodeError> {
    let mut lacks = "service";
    for (id, entry) in matters::services(shared, recipient, leika)? {
        if entry.summary("de").is_none() {
            lacks = if lacks == "service" { "text" } else { lacks };
        } else if entry.get("offices").is_none() && !has_record(shared, recipient, &id, leika)? {
            lacks = "office";
        } else {
            return Ok(None);
        }
    }
    Ok(Some(lacks))
}

/// Whether a record says who is responsible.
fn has_record(shared: &Shared, recipient: &OrgId, service: &EntryId, leika: &str) -> Result<bool, NodeError> {
    for sought in [Sought::For(*service), Sought::Leika(leika)] {
        for id in matters::of(shared, sought, recipient)? {
            let held = catalog::find_of(shared, recipient, &id)?;
            let entry = held.map_or(Ok(None), |held| held.entry(&id, false))?;
            if entry.is_some_and(|entry| entry.kind() == Kind::Responsibility) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
