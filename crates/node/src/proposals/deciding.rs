//! The owner takes or declines what was suggested, field by field.

use std::collections::BTreeSet;

use ortsnetz_model::{Entry, EntryId};
use ortsnetz_service::difference::{Fit, apply, judge};
use ortsnetz_service::feedback::text;
use serde_json::{Value, json};

use super::content::{Decided, changes, decided};
use super::{Known, find, identifier, present, show};
use crate::clock;
use crate::dto::{DecideRequest, ProposalInfo};
use crate::editing;
use crate::error::NodeError;
use crate::letters;
use crate::rows;
use crate::shared::Shared;

/// `proposals accept` and `proposals decline`
pub(crate) fn decide(shared: &Shared, id: &str, request: &DecideRequest) -> Result<ProposalInfo, NodeError> {
    editing::require_editor(shared)?;
    let known = find(shared, id)?;
    if known.letter.to != shared.own.organisation {
        return Err(NodeError::Forbidden(format!(
            "proposal {} is about an entry of {}, and only they can decide it",
            known.suggestion.id,
            shared.organisation_name(&known.letter.to)
        )));
    }
    let reason = match request.accept {
        true => None,
        false => {
            let reason = text(&request.reason).map_err(|error| NodeError::Invalid(format!("reason: {error}")))?;
            Some(reason.to_owned())
        }
    };
    let paths = request.paths.iter().map(String::as_str).collect();
    take(shared, &known, request.accept, &paths, reason, request.publish, None)?;
    show(shared, &known.suggestion.id)
}

/// Decides these fields, or all that nobody has decided; of those to be taken only what still fits. Returns how many.
fn take(
    shared: &Shared,
    known: &Known,
    accept: bool,
    paths: &BTreeSet<&str>,
    reason: Option<String>,
    publish_it: bool,
    automatic: Option<&str>,
) -> Result<usize, NodeError> {
    let about = known.suggestion.about;
    let changes = changes(&letters::whole(shared, &known.letter)?);
    let mut said = match &known.decision {
        Some((letter, _)) => decided(&letters::whole(shared, letter)?),
        None => Vec::new(),
    };
    if let Some(unknown) = paths.iter().find(|path| !changes.iter().any(|change| change.path == **path)) {
        let all: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
        return Err(NodeError::Invalid(format!(
            "paths: the proposal has no field {unknown}; it has {}",
            all.join(", ")
        )));
    }
    let now = present(shared, &known.letter.to, &about)?.ok_or_else(|| editing::not_found(&about))?;
    let judged = judge(&changes, now.as_map());
    let undecided = |path: &str| !said.iter().any(|field| field.path == path);
    let chosen: Vec<_> = judged
        .iter()
        .filter(|one| match (paths.is_empty(), accept) {
            (false, _) => paths.contains(one.change.path.as_str()),
            (true, true) => undecided(&one.change.path) && matches!(one.fit, Fit::Clean | Fit::Same),
            (true, false) => undecided(&one.change.path),
        })
        .collect();
    if chosen.is_empty() && automatic.is_some() {
        return Ok(0);
    }
    if chosen.is_empty() {
        return Err(NodeError::Conflict(format!(
            "nothing of proposal {0} is left to decide that still fits; look with `ortsnetz proposals show {0}`, and name the fields to take",
            known.suggestion.id
        )));
    }
    if let Some(gone) = chosen.iter().find(|one| accept && one.fit == Fit::Gone) {
        return Err(NodeError::Conflict(format!(
            "{}: its element of the list is not there any more, or cannot be told from others; change the entry with `ortsnetz edit {about}`, and decline the field",
            gone.change.path
        )));
    }
    let changed = accept && chosen.iter().any(|one| one.fit != Fit::Same);
    if changed {
        write(shared, known, &now, &apply(chosen.iter().copied(), now.as_map()), publish_it)?;
    }
    let count = chosen.len();
    for one in chosen {
        said.retain(|field| field.path != one.change.path);
        said.push(Decided { path: one.change.path.clone(), accepted: accept, reason: reason.clone() });
    }
    note(shared, known, &said, automatic)?;
    if changed && publish_it {
        letters::publish(shared, &about)?;
    }
    Ok(count)
}

/// Takes what fits, without a person, as an agreement says; if the entry has a draft nothing. Returns how many fields.
pub(crate) fn take_what_fits(shared: &Shared, known: &Known, agreement: &str) -> Result<usize, NodeError> {
    let draft = rows::own_entry(&shared.store, &known.suggestion.about)?.is_none_or(|row| row.draft);
    if draft {
        return Ok(0);
    }
    take(shared, known, true, &BTreeSet::new(), None, true, Some(agreement))
}

/// Makes the draft say what was taken, and names the proposal as its source.
fn write(
    shared: &Shared,
    known: &Known,
    now: &Entry,
    then: &serde_json::Map<String, Value>,
    publish_it: bool,
) -> Result<(), NodeError> {
    let about = known.suggestion.about;
    let row = rows::own_entry(&shared.store, &about)?;
    if publish_it && row.is_some_and(|row| row.draft) {
        return Err(NodeError::Conflict(format!(
            "entry {about} has a draft that would be published with it; take the fields without --publish, look, then publish"
        )));
    }
    let mut then = then.clone();
    let source = json!({
        "id": known.suggestion.id,
        "organisation": known.letter.by.to_string(),
        "at": clock::rfc3339(known.suggestion.at),
    });
    match then.get_mut("extensions") {
        Some(Value::Object(extensions)) => {
            extensions.insert("accepted_proposal".into(), source);
        }
        _ => {
            then.insert("extensions".into(), json!({ "accepted_proposal": source }));
        }
    }
    let _locks = shared.locks.lock(&[about]);
    let mut working = editing::load(shared, about)?;
    if working.joined(&shared.own.organisation) != *now {
        return Err(NodeError::Conflict(format!("entry {about} was changed meanwhile; look again and decide then")));
    }
    editing::write(shared, &mut working, &Entry::from_json(Value::Object(then))?).map(drop)
}

/// Writes what was decided, for whoever suggested.
fn note(shared: &Shared, known: &Known, said: &[Decided], automatic: Option<&str>) -> Result<(), NodeError> {
    let (own, by) = (shared.own.organisation, known.letter.by);
    let before = known.decision.as_ref().and_then(|(_, decision)| decision.automatic.clone());
    let mut decided = json!({ "fields": said });
    if let Some(agreement) = automatic.map(str::to_owned).or(before) {
        decided["automatic"] = agreement.into();
    }
    let at = clock::rfc3339(clock::now());
    let value = format!("{}/decision", known.suggestion.id);
    let entry = EntryId::imported(&own, "ortsnetz", "proposal", &value);
    if rows::own_entry(&shared.store, &entry)?.is_some() {
        editing::patch(shared, &entry.to_string(), &json!({"decided": decided, "at": at}), None)?;
    } else {
        let map = json!({
            "kind": "proposal",
            "identifier": identifier(&value),
            "proposal": known.suggestion.id,
            "partner": by.to_string(),
            "decided": decided,
            "at": at,
        });
        editing::create_from(shared, Entry::from_json(map)?, &letters::collection(&own, &by))?;
    }
    letters::publish(shared, &entry)
}
