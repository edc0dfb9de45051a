//! A proposal as shown: each field as it was, is suggested, and is now.

use ortsnetz_service::difference::judge;
use serde_json::Value;

use super::content::{changes, decided};
use super::{Known, present};
use crate::catalog;
use crate::clock;
use crate::dto::{ProposalInfo, ProposedField};
use crate::error::NodeError;
use crate::letters;
use crate::shared::Shared;

/// A proposal with all its fields.
pub(super) fn info(shared: &Shared, known: &Known) -> Result<ProposalInfo, NodeError> {
    let suggestion = &known.suggestion;
    let owner = known.letter.to;
    let now = present(shared, &owner, &suggestion.about)?.unwrap_or_default();
    let published = catalog::find_of(shared, &owner, &suggestion.about)?;
    let mut heads: Vec<String> = published
        .iter()
        .flat_map(|held| held.record.record().heads().unwrap_or_default().iter().map(ToString::to_string))
        .collect();
    let mut before = suggestion.heads.clone();
    heads.sort();
    before.sort();
    let decided = match &known.decision {
        Some((letter, _)) => decided(&letters::whole(shared, letter)?),
        None => Vec::new(),
    };
    let changes = changes(&letters::whole(shared, &known.letter)?);
    let fields = judge(&changes, now.as_map()).into_iter().map(|judged| {
        let said = decided.iter().find(|field| field.path == judged.change.path);
        ProposedField {
            path: judged.change.path.clone(),
            old: judged.change.old.clone().unwrap_or(Value::Null),
            new: judged.change.new.clone().unwrap_or(Value::Null),
            fit: judged.fit.word().into(),
            now: judged.now.unwrap_or(Value::Null),
            accepted: said.map(|field| field.accepted),
            reason: said.and_then(|field| field.reason.clone()),
        }
    });
    let decision = known.decision.as_ref().map(|(_, decision)| decision);
    Ok(ProposalInfo {
        id: suggestion.id.clone(),
        entry: suggestion.about.to_string(),
        title: now.title("de").unwrap_or_default().to_owned(),
        owner: shared.organisation_info(&owner),
        by: shared.organisation_info(&known.letter.by),
        comment: suggestion.comment.clone(),
        at: clock::rfc3339(suggestion.at),
        heads: suggestion.heads.clone(),
        moved_on: heads != before,
        state: known.state().into(),
        fields: fields.collect(),
        decided_at: decision.map(|decision| clock::rfc3339(decision.at)),
        automatic: decision.and_then(|decision| decision.automatic.clone()),
        heard: None,
        published: !known.letter.draft,
    })
}
