//! What was adopted from a partner, when it says something else at its source: the difference field by field, to take over or
//! to leave. All of this blocks.

use std::collections::BTreeSet;

use ortsnetz_model::{Entry, EntryId, Hash};
use ortsnetz_service::difference::{Change, Fit, apply, difference, judge};
use ortsnetz_store::Side;
use serde_json::{Value, json};

use crate::catalog::{self, Held};
use crate::documents;
use crate::dto::{ProposedField, SourceChanges, SourceRequest};
use crate::editing;
use crate::error::NodeError;
use crate::shared::Shared;
use crate::short;
use crate::tasks::chores::{self, Adopted};
use crate::working::Working;

/// Fields that are not taken from a source.
const OWN: [&str; 8] = ["id", "kind", "identifier", "valid_for", "review", "companions", "scheduled", "extensions"];
/// What a layer copied of the entry below it; the rest is read from there as it is.
const OF_LAYER: [&str; 4] = ["title", "leika", "keywords", "alternative_titles"];
/// Stands for the heads of a source that was withdrawn.
const WITHDRAWN: &str = "withdrawn";

/// Own entries whose source says something else than it did, with what it was adopted from and whether it was withdrawn.
pub(crate) fn changed(shared: &Shared) -> Result<Vec<(EntryId, Adopted, bool)>, NodeError> {
    let mut found = Vec::new();
    for (id, adopted) in chores::adopted(shared)? {
        let Some(held) = catalog::find_of(shared, &adopted.organisation, &adopted.entry)? else { continue };
        if marker(&held) == sorted(&adopted.heads) {
            continue;
        }
        let Some(working) = Working::load(&shared.store, id)? else { continue };
        let ours = working.joined(&shared.own.organisation);
        let (changes, known) = changes(shared, &adopted, &held, &ours)?;
        let differs = judge(&changes, ours.as_map()).iter().any(|one| one.fit != Fit::Same);
        if held.is_withdrawn() || !known || differs {
            found.push((id, adopted, held.is_withdrawn()));
        }
    }
    Ok(found)
}

/// `adopt ID --changes`
pub(crate) fn show(shared: &Shared, id: &str) -> Result<SourceChanges, NodeError> {
    let id = short::entry_id(shared, id)?;
    let working = editing::load(shared, id)?;
    let ours = working.joined(&shared.own.organisation);
    let adopted = source(&id, &ours)?;
    let held = catalog::find_of(shared, &adopted.organisation, &adopted.entry)?;
    let mut info = SourceChanges {
        entry: id.to_string(),
        title: ours.title("de").unwrap_or_default().to_owned(),
        source: adopted.entry.to_string(),
        organisation: shared.organisation_info(&adopted.organisation),
        mode: if adopted.layer { "layer" } else { "copy" }.into(),
        state: "gone".into(),
        ..SourceChanges::default()
    };
    let Some(held) = held else { return Ok(info) };
    let (changes, known) = changes(shared, &adopted, &held, &ours)?;
    let judged = judge(&changes, ours.as_map());
    info.base_known = known;
    info.state = match marker(&held) == sorted(&adopted.heads) {
        _ if held.is_withdrawn() => WITHDRAWN,
        true => "unchanged",
        false => "changed",
    }
    .into();
    info.fields = judged
        .into_iter()
        .map(|one| ProposedField {
            path: one.change.path.clone(),
            old: one.change.old.clone().unwrap_or(Value::Null),
            new: one.change.new.clone().unwrap_or(Value::Null),
            // Without the version it was adopted from nobody knows who changed what.
            fit: if known || one.fit != Fit::Clean { one.fit.word() } else { Fit::Changed.word() }.into(),
            now: one.now.unwrap_or(Value::Null),
            ..ProposedField::default()
        })
        .collect();
    Ok(info)
}

/// `adopt ID --take` and `adopt ID --dismiss`
pub(crate) fn take(shared: &Shared, id: &str, request: &SourceRequest) -> Result<SourceChanges, NodeError> {
    let id = short::entry_id(shared, id)?;
    {
        let _locks = shared.locks.lock(&[id]);
        let mut working = editing::load(shared, id)?;
        let ours = working.joined(&shared.own.organisation);
        let adopted = source(&id, &ours)?;
        let held = catalog::find_of(shared, &adopted.organisation, &adopted.entry)?.ok_or_else(|| {
            NodeError::NotFound(format!("the source of entry {id}, {}, is not here any more", adopted.entry))
        })?;
        let then =
            if request.take { taken(shared, &id, &adopted, &held, &ours, &request.paths)? } else { ours.clone() };
        let (left, known) = changes(shared, &adopted, &held, &then)?;
        let settled = known && judge(&left, then.as_map()).iter().all(|one| one.fit == Fit::Same);
        let mut map = then.as_map().clone();
        if !request.take || settled {
            let marker = marker(&held);
            if let Some(Value::Object(from)) =
                map.get_mut("extensions").and_then(|extensions| extensions.get_mut("adopted_from"))
            {
                from.insert("heads".into(), json!(marker));
            }
        }
        editing::write(shared, &mut working, &Entry::from_json(Value::Object(map))?)?;
    }
    if request.publish {
        let published = editing::publish(shared, Some(vec![id.to_string()]))?;
        if let Some(refusal) = published.refused.first() {
            return Err(NodeError::Conflict(refusal.reason.clone()));
        }
    }
    show(shared, &id.to_string())
}

/// The entry with the named changes of its source, or with all that fit.
fn taken(
    shared: &Shared,
    id: &EntryId,
    adopted: &Adopted,
    held: &Held,
    ours: &Entry,
    paths: &[String],
) -> Result<Entry, NodeError> {
    if held.is_withdrawn() {
        return Err(NodeError::Conflict(format!(
            "the source of entry {id} was withdrawn, there is nothing to take; keep yours with `ortsnetz adopt {id} --dismiss`"
        )));
    }
    let (changes, known) = changes(shared, adopted, held, ours)?;
    let judged = judge(&changes, ours.as_map());
    let wanted: BTreeSet<&str> = paths.iter().map(String::as_str).collect();
    if let Some(unknown) = wanted.iter().find(|path| !changes.iter().any(|change| change.path == **path)) {
        return Err(NodeError::Invalid(format!(
            "paths: nothing changed at {unknown}; look with `ortsnetz adopt {id} --changes`"
        )));
    }
    let chosen: Vec<_> = judged
        .iter()
        .filter(|one| match wanted.is_empty() {
            true => known && one.fit == Fit::Clean,
            false => wanted.contains(one.change.path.as_str()),
        })
        .collect();
    if let Some(gone) = chosen.iter().find(|one| one.fit == Fit::Gone) {
        return Err(NodeError::Conflict(format!(
            "{}: its element of the list is not in your entry any more, or cannot be told from others; change it with `ortsnetz edit {id}`",
            gone.change.path
        )));
    }
    if chosen.is_empty() {
        return Err(NodeError::Conflict(format!(
            "nothing of the source fits by itself; look with `ortsnetz adopt {id} --changes`, and name the fields to take"
        )));
    }
    Ok(Entry::from_json(Value::Object(apply(chosen, ours.as_map())))?)
}

/// What the source says else than in the version it was adopted from, and whether that version is known; else what it says else
/// than we do.
fn changes(shared: &Shared, adopted: &Adopted, held: &Held, ours: &Entry) -> Result<(Vec<Change>, bool), NodeError> {
    let Some(theirs) = held.entry(&adopted.entry, false)? else { return Ok((Vec::new(), true)) };
    let heads: Option<Vec<Hash>> = adopted.heads.split(',').map(|head| head.parse().ok()).collect();
    let document = documents::load(&shared.store, Side::Published, &held.document(&adopted.entry))?;
    let base = match (heads, document) {
        (Some(heads), Some(document)) if document.contains(&heads) => Some(document.project_at(&heads)?),
        _ => None,
    };
    let known = base.is_some();
    let base = base.unwrap_or_else(|| ours.clone());
    let mut changes = difference(base.as_map(), theirs.as_map(), &OWN);
    if adopted.layer {
        let of_layer = |path: &str| {
            let first = path.split('.').next().unwrap_or_default();
            OF_LAYER.contains(&first) || ours.at_path(path).is_some()
        };
        changes.retain(|change| of_layer(&change.path));
    }
    Ok((changes, known))
}

/// What an entry was adopted from.
fn source(id: &EntryId, ours: &Entry) -> Result<Adopted, NodeError> {
    Adopted::of(ours).ok_or_else(|| {
        NodeError::Conflict(format!(
            "entry {id} was not adopted from anybody; start one with `ortsnetz adopt ID --copy`"
        ))
    })
}

/// The version of a source that is here now.
fn marker(held: &Held) -> String {
    if held.is_withdrawn() {
        return WITHDRAWN.to_owned();
    }
    let heads: Vec<String> = held.record.record().heads().unwrap_or_default().iter().map(Hash::to_string).collect();
    sorted(&heads.join(","))
}

fn sorted(heads: &str) -> String {
    let mut heads: Vec<&str> = heads.split(',').collect();
    heads.sort_unstable();
    heads.join(",")
}
