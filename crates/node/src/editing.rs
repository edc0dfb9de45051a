//! Commands that change own entries. All of them block: they run beside the runtime.

use std::collections::HashSet;

use ortsnetz_model::{CollectionId, Entry, EntryId, FeedId, Hash, Ids, Kind, Severity};
use serde_json::{Map, Value};

use crate::catalog;
use crate::clock;
use crate::dto::{FindingInfo, Published, PublishedEntry, Refusal, Written};
use crate::error::NodeError;
use crate::nodes;
use crate::plan::Plan;
use crate::publishing::{self, Version};
use crate::rows::{self, Request};
use crate::shared::Shared;
use crate::short;
use crate::working::{PUBLIC, Working, known_kind};

/// Records of one feed that go out as one batch.
pub(crate) const PUBLISH_BATCH: usize = ortsnetz_trust::limits::BATCH_RECORDS_MAX;

/// `create KIND PATH=VALUE...`
pub(crate) fn create(shared: &Shared, kind: &str, values: &[(String, String)]) -> Result<Written, NodeError> {
    let kind = known_kind(kind)?;
    let mut entry = Entry::empty(&kind);
    let collection = set_values(&mut entry, values)?;
    let written = create_from(shared, entry, collection.as_deref().unwrap_or(PUBLIC))?;
    Ok(with_unknown(written, &kind, typed_paths(values)))
}

/// Warns of what was given and is no field: it is kept, but nobody shows or finds it.
fn with_unknown(mut written: Written, kind: &Kind, paths: impl IntoIterator<Item = String>) -> Written {
    let mut warned = HashSet::new();
    for path in paths {
        let Some((path, meant)) = Entry::unknown_field(kind, &path) else { continue };
        if !warned.insert(path.clone()) {
            continue;
        }
        let meant = meant.map(|field| format!("; did you mean {field}?")).unwrap_or_default();
        let message = format!("unknown field, kept in extensions{meant}");
        let id = written.id.clone();
        written.findings.push(FindingInfo { id, path, severity: "warning".into(), message });
    }
    written
}

/// The paths of an entry that `PATH=VALUE...` set.
fn typed_paths(values: &[(String, String)]) -> impl Iterator<Item = String> {
    values.iter().filter(|(path, value)| path != "collection" && !value.is_empty()).map(|(path, _)| path.clone())
}

/// The paths of all values in a JSON entry or merge patch, but for what it deletes.
fn json_paths(object: &Map<String, Value>) -> Vec<String> {
    fn walk(value: &Value, path: &str, paths: &mut Vec<String>) {
        let below = |step: &dyn std::fmt::Display| format!("{path}.{step}");
        match value {
            Value::Null => {}
            Value::Object(fields) => fields.iter().for_each(|(name, value)| walk(value, &below(name), paths)),
            Value::Array(elements) => {
                elements.iter().enumerate().for_each(|(at, value)| walk(value, &below(&at), paths))
            }
            _ => paths.push(path.to_owned()),
        }
    }
    let mut paths = Vec::new();
    object.iter().for_each(|(name, value)| walk(value, name, &mut paths));
    paths
}

/// `POST /entries`
pub(crate) fn create_entry(shared: &Shared, mut map: Map<String, Value>) -> Result<Written, NodeError> {
    let collection = match map.shift_remove("collection") {
        Some(Value::String(name)) => name,
        None | Some(Value::Null) => PUBLIC.to_owned(),
        Some(_) => return Err(NodeError::Invalid("collection: expected the name of a collection".into())),
    };
    let given = map.shift_remove("id");
    let paths = json_paths(&map);
    let entry = Entry::from_json(Value::Object(map))?;
    let kind = entry.kind();
    known_kind(kind.as_str())?;
    if let Some(given) = given {
        return Err(NodeError::Invalid(format!(
            "id: {given} was given, but new entries get their id here; leave it out"
        )));
    }
    Ok(with_unknown(create_from(shared, entry, &collection)?, &kind, paths.into_iter().filter(|path| path != "kind")))
}

/// `--collection` is not part of the entry: `collection=NAME` among the values names the home.
fn set_values(entry: &mut Entry, values: &[(String, String)]) -> Result<Option<String>, NodeError> {
    let mut collection = None;
    for (path, value) in values {
        if path == "collection" {
            collection = Some(value.clone());
        } else if path == "id" || path == "kind" {
            return Err(NodeError::Invalid(format!("{path}: cannot be changed; make a new entry instead")));
        } else {
            entry.set_path(path, value)?;
        }
    }
    Ok(collection)
}

pub(crate) fn create_from(shared: &Shared, entry: Entry, collection: &str) -> Result<Written, NodeError> {
    let home = shared.own_collection(collection)?;
    let id = match entry.identifier() {
        Some(identifier) => {
            EntryId::imported(&shared.own.organisation, &identifier.agency, &identifier.scheme, &identifier.value)
        }
        None => EntryId(clock::random()),
    };
    let _locks = shared.locks.lock(&[id]);
    if rows::own_entry(&shared.store, &id)?.is_some() {
        return Err(NodeError::Conflict(format!(
            "there is an entry with this identifier already: {id}; use `ortsnetz edit`"
        )));
    }
    let mut working = Working::create(id, home);
    write(shared, &mut working, &entry)
}

/// Changes an entry with `change` and writes what came out.
fn change(
    shared: &Shared,
    id: &str,
    if_match: Option<&[String]>,
    change: impl FnOnce(&mut Entry) -> Result<(), NodeError>,
) -> Result<Written, NodeError> {
    let id = short::entry_id(shared, id)?;
    let _locks = shared.locks.lock(&[id]);
    let mut working = load(shared, id)?;
    if let Some(expected) = if_match {
        let mut expected: Vec<String> = expected.to_vec();
        let mut present: Vec<String> = working.all_heads().iter().map(Hash::to_string).collect();
        expected.sort();
        present.sort();
        if expected != present {
            return Err(NodeError::Precondition(format!(
                "entry {id} was changed meanwhile: If-Match names other heads than the present ones; read it again"
            )));
        }
    }
    let mut entry = working.joined(&shared.own.organisation);
    change(&mut entry)?;
    write(shared, &mut working, &entry)
}

/// `edit ID PATH=VALUE...`
pub(crate) fn edit(shared: &Shared, id: &str, values: &[(String, String)]) -> Result<Written, NodeError> {
    let mut kind = None;
    let written = change(shared, id, None, |entry| {
        kind = Some(entry.kind());
        match set_values(entry, values)? {
            None => Ok(()),
            Some(_) => Err(NodeError::Invalid("collection: use `ortsnetz move ID COLLECTION`".into())),
        }
    })?;
    Ok(match kind {
        Some(kind) => with_unknown(written, &kind, typed_paths(values)),
        None => written,
    })
}

/// `edit ID --undo` and `edit ID --to HEADS`: what the draft said before, as a new change. Without heads the last change is
/// taken back, wherever it wrote; doing it twice brings it again.
pub(crate) fn undo(shared: &Shared, id: &str, to: Option<&str>) -> Result<Written, NodeError> {
    let id = short::entry_id(shared, id)?;
    let _locks = shared.locks.lock(&[id]);
    let mut working = load(shared, id)?;
    let entry = match to {
        Some(heads) => {
            let heads = short::heads(heads, working.documents.values())?;
            working.at(&shared.own.organisation, &heads)?
        }
        None => working.before_last(&shared.own.organisation)?,
    };
    write(shared, &mut working, &entry)
}

/// `PATCH /entries/{id}`
pub(crate) fn patch(
    shared: &Shared,
    id: &str,
    patch: &Value,
    if_match: Option<&[String]>,
) -> Result<Written, NodeError> {
    for field in ["id", "kind", "collection"] {
        if patch.get(field).is_some() {
            return Err(NodeError::Invalid(format!("{field}: cannot be changed by a patch")));
        }
    }
    let mut kind = None;
    let written = change(shared, id, if_match, |entry| {
        kind = Some(entry.kind());
        let id = entry.id();
        *entry = entry.apply_patch(patch)?;
        if let Some(id) = id {
            entry.set_id(&id);
        }
        Ok(())
    })?;
    Ok(match (kind, patch.as_object()) {
        (Some(kind), Some(patch)) => with_unknown(written, &kind, json_paths(patch)),
        _ => written,
    })
}

/// Loads one of our own entries for editing.
pub(crate) fn load(shared: &Shared, id: EntryId) -> Result<Working, NodeError> {
    if let Some(working) = Working::load(&shared.store, id)? {
        return Ok(working);
    }
    if let Some(held) = catalog::find(shared, &id)? {
        let owner = shared.organisation_name(&held.feed.organisation);
        return Err(NodeError::Forbidden(format!(
            "entry {id} belongs to {owner}, only they can change it; start an own version with `ortsnetz adopt {id} --copy`"
        )));
    }
    Err(not_found(&id))
}

pub(crate) fn not_found(id: &EntryId) -> NodeError {
    NodeError::NotFound(format!("there is no entry {id} here; find ids with `ortsnetz search WORDS`"))
}

/// Makes the working documents say what `entry` says. Whoever calls holds the lock of the entry.
pub(crate) fn write(shared: &Shared, working: &mut Working, entry: &Entry) -> Result<Written, NodeError> {
    require_editor(shared)?;
    let writer = shared.writer();
    let mut rng = rand::rng();
    working.set(&writer, entry, &mut Ids::Random(&mut rng))?;
    if working.is_changed() {
        let plan = working.plan(&writer, &shared.store, None)?;
        shared.commit(plan)?;
    }
    Ok(written(shared, working))
}

fn written(shared: &Shared, working: &Working) -> Written {
    Written {
        id: working.entry.to_string(),
        heads: working.all_heads().iter().map(Hash::to_string).collect(),
        state: if working.row.draft { "draft" } else { "published" }.into(),
        findings: working
            .findings(&shared.own.organisation)
            .into_iter()
            .map(|finding| FindingInfo {
                id: working.entry.to_string(),
                path: finding.path,
                severity: if finding.severity == Severity::Error { "error" } else { "warning" }.into(),
                message: finding.message,
            })
            .collect(),
    }
}

/// Only nodes with role edit or admin sign drafts.
pub(crate) fn require_editor(shared: &Shared) -> Result<(), NodeError> {
    let roles = shared.identity().certificate(&shared.own.node).map(|certificate| certificate.roles);
    if roles.is_some_and(|roles| roles.edit || roles.admin) {
        return Ok(());
    }
    Err(NodeError::Forbidden(
        nodes::revoked_here(shared)
            .unwrap_or_else(|| "this node may not edit: its certificate has neither the role edit nor admin".into()),
    ))
}

/// `resolve ID PATH N`
pub(crate) fn resolve(shared: &Shared, id: &str, path: &str, n: u64) -> Result<Written, NodeError> {
    require_editor(shared)?;
    let id = short::entry_id(shared, id)?;
    let _locks = shared.locks.lock(&[id]);
    let mut working = load(shared, id)?;
    let writer = shared.writer();
    working.resolve(&writer, path, usize::try_from(n).unwrap_or(usize::MAX))?;
    let plan = working.plan(&writer, &shared.store, None)?;
    shared.commit(plan)?;
    Ok(written(shared, &working))
}

/// `publish ID...` or `publish --all`
pub(crate) fn publish(shared: &Shared, ids: Option<Vec<String>>) -> Result<Published, NodeError> {
    require_editor(shared)?;
    let ids: Vec<EntryId> = match ids {
        Some(ids) => ids.iter().map(|id| short::entry_id(shared, id)).collect::<Result<_, _>>()?,
        None => {
            let mut drafts = Vec::new();
            rows::each_own_entry(&shared.store, None, &mut |id, row| {
                if row.draft && row.published != rows::Published::Withdrawn {
                    drafts.push(id);
                }
                Ok(true)
            })?;
            drafts
        }
    };
    let mut answer = Published::default();
    for batch in ids.chunks(PUBLISH_BATCH) {
        publish_batch(shared, batch, &mut answer)?;
    }
    Ok(answer)
}

/// `confirm ID`: what is published is still correct. That is published anew with the same heads, and is no new version.
pub(crate) fn confirm(shared: &Shared, id: &str) -> Result<Published, NodeError> {
    let entry = short::entry_id(shared, id)?;
    let row = rows::own_entry(&shared.store, &entry)?;
    match row {
        Some(row) if row.published != rows::Published::Live => Err(NodeError::Conflict(format!(
            "entry {entry} is not published, so nobody reads what could be found correct; publish it with `ortsnetz publish {entry}`"
        ))),
        Some(row) if row.draft => Err(NodeError::Conflict(format!(
            "entry {entry} has a draft: publish it with `ortsnetz publish {entry}`, or take it back with `ortsnetz edit {entry} --undo`, then confirm"
        ))),
        Some(_) => publish(shared, Some(vec![entry.to_string()])),
        // Says whose it is, or that there is none.
        None => load(shared, entry).map(|_| Published::default()),
    }
}

/// Publishes up to a batch of entries in one state change.
pub(crate) fn publish_batch(shared: &Shared, ids: &[EntryId], answer: &mut Published) -> Result<(), NodeError> {
    let _locks = shared.locks.lock(ids);
    let publisher = shared.is_publisher();
    let writer = shared.writer();
    let mut plan: Option<Plan> = None;
    let mut homes = Vec::new();
    for id in ids {
        let mut working = match load(shared, *id) {
            Ok(working) => working,
            Err(error) => {
                answer.refused.push(Refusal { id: id.to_string(), reason: error.to_string() });
                continue;
            }
        };
        if let Some(reason) = publishing::obstacle(&working, &shared.identity()) {
            answer.refused.push(Refusal { id: id.to_string(), reason });
            continue;
        }
        let part = if publisher {
            let mut part = publishing::plan(&mut working, &writer, &shared.store, &Version::Present)?;
            if working.is_changed() {
                part.append(working.plan(&writer, &shared.store, None)?);
            }
            homes.push((*id, working.row.home));
            part
        } else {
            working.row.request = Request::Waiting;
            let heads = working.heads();
            answer.requested.push(id.to_string());
            working.plan(&writer, &shared.store, Some(heads))?
        };
        append(&mut plan, part);
    }
    let Some(plan) = plan else { return Ok(()) };
    let positions = shared.commit(plan)?;
    for (id, home) in homes {
        if let Some(position) =
            positions.iter().find(|published| published.entry == id && published.feed.collection == home)
        {
            answer.published.push(PublishedEntry {
                id: id.to_string(),
                collection: shared.collection_name(&position.feed),
                position: position.position.to_string(),
            });
        }
    }
    Ok(())
}

/// `withdraw ID`
pub(crate) fn withdraw(shared: &Shared, id: &str) -> Result<Published, NodeError> {
    require_editor(shared)?;
    let id = short::entry_id(shared, id)?;
    if shared.is_publisher() {
        return withdraw_batch(shared, &[id]);
    }
    let _locks = shared.locks.lock(&[id]);
    let mut working = load(shared, id)?;
    let mut answer = Published::default();
    if working.row.published != rows::Published::Live {
        answer.refused.push(not_published(&id));
        return Ok(answer);
    }
    working.row.request = Request::Waiting;
    let nothing = working.row.collections().map(|collection| (collection, Vec::new())).collect();
    let plan = working.plan(&shared.writer(), &shared.store, Some(nothing))?;
    shared.commit(plan)?;
    answer.requested.push(id.to_string());
    Ok(answer)
}

fn not_published(id: &EntryId) -> Refusal {
    Refusal { id: id.to_string(), reason: "it is not published".into() }
}

/// Withdraws up to a batch of entries in one state change, at the publisher.
pub(crate) fn withdraw_batch(shared: &Shared, ids: &[EntryId]) -> Result<Published, NodeError> {
    let _locks = shared.locks.lock(ids);
    let mut answer = Published::default();
    let mut plan: Option<Plan> = None;
    for id in ids {
        let mut working = load(shared, *id)?;
        if working.row.published != rows::Published::Live {
            answer.refused.push(not_published(id));
            continue;
        }
        let part = publishing::plan_withdrawal(&mut working, &shared.writer(), &shared.store)?;
        append(&mut plan, part);
    }
    if let Some(plan) = plan {
        let positions = shared.commit(plan)?;
        answer.published = shown(shared, &positions);
    }
    Ok(answer)
}

fn append(plan: &mut Option<Plan>, part: Plan) {
    match plan {
        None => *plan = Some(part),
        Some(plan) => plan.append(part),
    }
}

fn shown(shared: &Shared, positions: &[ortsnetz_sync::Published]) -> Vec<PublishedEntry> {
    positions
        .iter()
        .filter(|published| !catalog::is_draft_feed(shared, &published.feed))
        .map(|published| PublishedEntry {
            id: published.entry.to_string(),
            collection: shared.collection_name(&published.feed),
            position: published.position.to_string(),
        })
        .collect()
}

/// `move ID COLLECTION`
pub(crate) fn move_entry(shared: &Shared, id: &str, collection: &str) -> Result<Published, NodeError> {
    let id = short::entry_id(shared, id)?;
    move_batch(shared, &[id], shared.own_collection(collection)?)
}

/// Moves up to a batch of entries in one state change.
pub(crate) fn move_batch(shared: &Shared, ids: &[EntryId], target: CollectionId) -> Result<Published, NodeError> {
    require_editor(shared)?;
    let _locks = shared.locks.lock(ids);
    let writer = shared.writer();
    let mut rng = rand::rng();
    let mut answer = Published::default();
    let mut plan: Option<Plan> = None;
    for id in ids {
        let working = load(shared, *id)?;
        if working.row.home == target {
            let name = shared.collection_name(&FeedId { organisation: writer.organisation, collection: target });
            answer.refused.push(Refusal { id: id.to_string(), reason: format!("it lies in {name} already") });
            continue;
        }
        let live = working.row.published == rows::Published::Live;
        if live && !shared.is_publisher() {
            return Err(NodeError::Forbidden(
                "only the publisher moves a published entry, because readers must lose and get it at once; run this there"
                    .into(),
            ));
        }
        if live && let Some(reason) = publishing::unfinished(&working, &writer.organisation) {
            answer.refused.push(Refusal { id: id.to_string(), reason });
            continue;
        }
        let ids = &mut Ids::Random(&mut rng);
        let (mut moved, mut part) = match publishing::plan_move(&working, &writer, &shared.store, target, ids) {
            Ok(planned) => planned,
            Err(NodeError::Invalid(reason)) => {
                answer.refused.push(Refusal { id: id.to_string(), reason });
                continue;
            }
            Err(error) => return Err(error),
        };
        if live {
            part.append(publishing::plan(&mut moved, &writer, &shared.store, &Version::Present)?);
        }
        part.append(moved.plan(&writer, &shared.store, None)?);
        append(&mut plan, part);
    }
    if let Some(plan) = plan {
        let positions = shared.commit(plan)?;
        answer.published = shown(shared, &positions);
    }
    Ok(answer)
}

/// `adopt ID --copy | --layer`: an own entry that starts from a partner's text, with provenance.
pub(crate) fn adopt(shared: &Shared, id: &str, layer: bool) -> Result<Written, NodeError> {
    let id = short::entry_id(shared, id)?;
    let held = catalog::find(shared, &id)?.ok_or_else(|| not_found(&id))?;
    if held.feed.organisation == shared.own.organisation {
        return Err(NodeError::Invalid(format!("entry {id} is your own already; use `ortsnetz edit {id}`")));
    }
    let source =
        held.entry(&id, false)?.ok_or_else(|| NodeError::NotFound(format!("entry {id} was withdrawn by its owner")))?;
    let mut map = source.as_map().clone();
    for field in ["id", "identifier", "valid_for", "review", "companions", "scheduled"] {
        map.shift_remove(field);
    }
    if layer && source.kind() == Kind::Service {
        // A layer holds only what differs; it starts with the title, the reader composes the rest from the base.
        map.retain(|field, _| ["kind", "title", "leika", "keywords", "alternative_titles"].contains(&field.as_str()));
    }
    let identity = shared.identity();
    if !identity.ars().is_empty() {
        map.insert("valid_for".into(), serde_json::json!([identity.ars()]));
    }
    let heads: Vec<String> = held.record.record().heads().unwrap_or_default().iter().map(Hash::to_string).collect();
    let provenance = serde_json::json!({
        "mode": if layer { "layer" } else { "copy" },
        "organisation": held.feed.organisation.to_string(),
        "entry": id.to_string(),
        "heads": heads.join(","),
    });
    match map.get_mut("extensions") {
        Some(Value::Object(extensions)) => {
            extensions.insert("adopted_from".into(), provenance);
        }
        _ => {
            map.insert("extensions".into(), serde_json::json!({ "adopted_from": provenance }));
        }
    }
    let entry = Entry::from_json(Value::Object(map))?;
    create_from(shared, entry, PUBLIC)
}
