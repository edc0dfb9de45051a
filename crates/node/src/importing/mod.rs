//! `import`: records of a file become working entries, batch by batch, each batch whole or not at all.

mod relinking;
mod report;
mod sources;

use std::collections::BTreeSet;
use std::io::Read;

use ortsnetz_exchange::{Format, Imported, Mapping, Options, Resolver, read};
use ortsnetz_model::{Ars, CollectionId, Entry, EntryId, Finding, Ids, Kind, Severity, check, merge_import};
use rayon::prelude::*;

use crate::catalog;
use crate::driver::NOTHING_WRITTEN;
use crate::dto::{ImportReport, ImportRequest, Rejection};
use crate::editing::require_editor;
use crate::error::NodeError;
use crate::plan::Plan;
use crate::publishing::{self, Version};
use crate::purging;
use crate::rows::{Published, Request};
use crate::shared::{Shared, lock};
use crate::working::{Working, Writer, known_kind};
use relinking::Noted;
use report::Report;
use sources::Source;

/// Entries written in one state change.
const BATCH: usize = ortsnetz_trust::limits::BATCH_RECORDS_MAX;

/// What became of one record.
enum Outcome {
    Rejected(Rejection),
    Taken(Box<Taken>),
}

/// A record that was taken in.
#[derive(Default)]
struct Taken {
    effect: Effect,
    published: bool,
    requested: bool,
    /// The entry is new, or others may read it than before.
    readers_changed: bool,
    /// It is not published although that was asked.
    held_back: bool,
    /// What became of the record against what it or the request says; told each time.
    notices: Vec<Finding>,
    /// What is written. An unchanged entry can have rows too: a person's value was kept, and the source says a new one.
    plan: Option<Plan>,
    /// Doubts about what the record says.
    findings: Vec<Finding>,
    kept: Vec<String>,
}

/// What became of the entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Effect {
    Created,
    Updated,
    #[default]
    Unchanged,
}

/// Reads entries from `bytes` to the end. Records that cannot be taken in are rejected one by one. Blocks.
pub(crate) fn import(
    shared: &Shared,
    request: &ImportRequest,
    bytes: &mut dyn Read,
) -> Result<ImportReport, NodeError> {
    require_editor(shared)?;
    let _one_at_a_time = lock(&shared.importing);
    let records = read(bytes, options(shared, request)?).map_err(|error| NodeError::Unreadable(error.to_string()))?;
    let mut report = Report::default();
    let mut noted = Noted::default();
    let mut batch: Vec<Imported> = Vec::with_capacity(BATCH);
    let mut ids = BTreeSet::new();
    for record in records {
        match record {
            Err(rejected) => {
                report.reject(Rejection { file: rejected.file, line: rejected.line, reason: rejected.reason })
            }
            Ok(imported) => {
                if batch.len() == BATCH || ids.contains(&imported.id) {
                    let part = std::mem::take(&mut batch);
                    write(shared, request, part, &mut noted, &mut report)
                        .map_err(|error| stopped(error, &report.report))?;
                    ids.clear();
                }
                ids.insert(imported.id);
                batch.push(imported);
            }
        }
    }
    write(shared, request, batch, &mut noted, &mut report).map_err(|error| stopped(error, &report.report))?;
    noted.relink(shared, request, &mut report).map_err(|error| stopped(error, &report.report))?;
    Ok(report.finish(&request.file))
}

/// Says what stays of an import that could not go on. Whole batches are written, and importing again skips them.
fn stopped(error: NodeError, so_far: &ImportReport) -> NodeError {
    let written = so_far.created + so_far.updated;
    match error {
        NodeError::Unavailable(reason) if written > 0 => NodeError::Unavailable(format!(
            "the import stopped: {}; {} created, {} updated and {} published before that stay, import again to go on",
            reason.trim_start_matches(NOTHING_WRITTEN),
            so_far.created,
            so_far.updated,
            so_far.published
        )),
        other => other,
    }
}

fn options(shared: &Shared, request: &ImportRequest) -> Result<Options, NodeError> {
    let mut options = Options::new(Resolver::new(shared.own.organisation), &request.file);
    options.format = match request.format.as_str() {
        "" | "auto" => None,
        name => Some(name.parse::<Format>().map_err(NodeError::Invalid)?),
    };
    options.mapping = request
        .mapping
        .as_deref()
        .map(|text| text.parse::<Mapping>().map_err(|error| NodeError::Unreadable(format!("--mapping: {error}"))))
        .transpose()?;
    if let Some(name) = &request.collection {
        shared.own_collection(name)?;
        options.collection = Some(name.clone());
    }
    options.valid_for = request
        .valid_for
        .as_deref()
        .map(|text| text.parse::<Ars>().map_err(|error| NodeError::Invalid(format!("--valid-for: {error}"))))
        .transpose()?;
    Ok(options)
}

fn write(
    shared: &Shared,
    request: &ImportRequest,
    batch: Vec<Imported>,
    noted: &mut Noted,
    report: &mut Report,
) -> Result<(), NodeError> {
    if batch.is_empty() {
        return Ok(());
    }
    let ids: Vec<EntryId> = batch.iter().map(|imported| imported.id).collect();
    let locks = shared.locks.lock(&ids);
    let writer = shared.writer();
    let outcomes: Vec<Result<(EntryId, Outcome), NodeError>> =
        batch.into_par_iter().map(|imported| Ok((imported.id, prepare(shared, request, &writer, imported)?))).collect();
    let mut plan: Option<Plan> = None;
    let mut all_taken = Vec::new();
    for outcome in outcomes {
        match outcome? {
            (_, Outcome::Rejected(rejection)) => report.reject(rejection),
            (id, Outcome::Taken(mut taken)) => {
                if let Some(part) = taken.plan.take() {
                    match &mut plan {
                        None => plan = Some(part),
                        Some(plan) => plan.append(part),
                    }
                }
                all_taken.push((id, taken));
            }
        }
    }
    if let Some(plan) = plan
        && !request.dry_run
    {
        shared.commit(plan)?;
    }
    drop(locks);
    let mut due = false;
    for (id, taken) in all_taken {
        if taken.readers_changed && !request.dry_run {
            due = noted.note(id);
        }
        report.take(&id, *taken);
    }
    if due { noted.relink(shared, request, report) } else { Ok(()) }
}

/// Works out what a record changes. Touches nothing.
fn prepare(
    shared: &Shared,
    request: &ImportRequest,
    writer: &Writer<'_>,
    imported: Imported,
) -> Result<Outcome, NodeError> {
    let reject =
        |reason: String| Ok(Outcome::Rejected(Rejection { file: request.file.clone(), line: imported.line, reason }));
    let id = imported.id;
    if let Err(error) = known_kind(imported.entry.kind().as_str()) {
        return reject(error.to_string());
    }
    let home = match shared.own_collection(&imported.collection) {
        Ok(home) => home,
        Err(error) => return reject(error.to_string()),
    };
    let mut findings = imported.findings.clone();
    for finding in check(&imported.entry) {
        if finding.severity == Severity::Error {
            return reject(format!("{}: {}", finding.path, finding.message));
        }
        findings.push(finding);
    }
    let source = Source::load(&shared.store, &id)?;
    let existing = Working::load(&shared.store, id)?;
    if let Some(working) = &existing {
        if let Some(finding) = redacted(shared, working)? {
            return Ok(Outcome::Taken(Box::new(Taken { notices: vec![finding], ..Taken::default() })));
        }
        if let Some(reason) = other_kind(working, &imported.entry.kind()) {
            return reject(reason);
        }
    }
    let created = existing.is_none();
    let moves =
        existing.as_ref().is_some_and(|working| source_moved(writer, working, &imported, source.as_ref(), home));
    let home = existing.as_ref().filter(|_| !moves).map_or(home, |working| working.row.home);
    let new_source = Source::of(shared, &imported, home)?;
    let entry = new_source.entry().unwrap_or_else(|| imported.entry.clone());
    let held_back = match &existing {
        Some(working) if request.publish => held_back(shared, working, source.as_ref())?,
        _ => None,
    };
    let (mut working, kept, changed, moved) = match existing {
        None => {
            let mut working = Working::create(id, home);
            if let Err(error) = working.set(writer, &entry, &mut Ids::Imported(id)) {
                return reject(error.to_string());
            }
            (working, Vec::new(), true, None)
        }
        Some(working) => match update(shared, writer, working, &entry, source.as_ref(), moves.then_some(home))? {
            Ok(updated) => updated,
            Err(reason) => return reject(reason),
        },
    };
    let asked = request.publish && (changed || working.row.published == Published::Never);
    let publish = asked && held_back.is_none();
    let effect = match (created, changed || publish) {
        (true, _) => Effect::Created,
        (false, true) => Effect::Updated,
        (false, false) => Effect::Unchanged,
    };
    let notices: Vec<Finding> = held_back.into_iter().filter(|_| asked).collect();
    let mut taken = Taken { effect, held_back: !notices.is_empty(), notices, findings, kept, ..Taken::default() };
    taken.readers_changed = created || moves;
    if effect == Effect::Unchanged && source.as_ref() == Some(&new_source) {
        return Ok(Outcome::Taken(Box::new(taken)));
    }
    let mut plan = moved.unwrap_or_else(|| Plan::new(ortsnetz_store::Batch::new(ortsnetz_store::Origin::Own)));
    new_source.put(&mut plan.batch, &id, source.as_ref());
    if publish && let Some(reason) = publishing::obstacle(&working, &shared.identity()) {
        return reject(format!("not published: {reason}"));
    }
    if changed || publish {
        (taken.published, taken.requested) = publish_or_ask(shared, writer, &mut working, &mut plan, publish)?;
    }
    taken.plan = Some(plan);
    Ok(Outcome::Taken(Box::new(taken)))
}

/// Completes the plan of an entry that changed: it is published, the publisher is asked to, or it stays a draft. Which of
/// the first two it was.
fn publish_or_ask(
    shared: &Shared,
    writer: &Writer<'_>,
    working: &mut Working,
    plan: &mut Plan,
    publish: bool,
) -> Result<(bool, bool), NodeError> {
    let published = publish && shared.is_publisher();
    if published {
        plan.append(publishing::plan(working, writer, &shared.store, &Version::Present)?);
    }
    let requested = publish && !published;
    if requested {
        working.row.request = Request::Waiting;
    }
    let heads = requested.then(|| working.heads());
    // After the publication, so that the row says what is published.
    plan.append(working.plan(writer, &shared.store, heads)?);
    Ok((published, requested))
}

/// Why a record is not taken for the entry that is here: its kind is another one.
fn other_kind(working: &Working, kind: &Kind) -> Option<String> {
    let here = working.documents.get(&working.row.home)?.project().kind();
    (here.is_known() && here != *kind).then(|| {
        format!(
            "kind: entry {} with this identifier is of kind {}, which cannot be changed to {}; give the record another identifier",
            working.entry,
            here.as_str(),
            kind.as_str()
        )
    })
}

/// What a person has not published yet.
const DRAFT_OF_A_PERSON: &str = "has an unpublished draft of a person";

/// Why an import does not publish an entry: what a person has not published yet, or took back, is the person's to publish.
fn held_back(shared: &Shared, working: &Working, source: Option<&Source>) -> Result<Option<Finding>, NodeError> {
    let why = match working.row.published {
        Published::Withdrawn => "was withdrawn here",
        _ if drafted_by_a_person(shared, working, source)? => DRAFT_OF_A_PERSON,
        _ => return Ok(None),
    };
    Ok(Some(held_back_finding(&working.entry, why)))
}

fn held_back_finding(id: &EntryId, why: &str) -> Finding {
    Finding {
        path: String::new(),
        severity: Severity::Warning,
        message: format!(
            "{why}; it was not published, look with `ortsnetz show {id} --draft`, then `ortsnetz publish {id}`"
        ),
    }
}

/// Whether the draft holds anything that neither was published nor came with the last import.
fn drafted_by_a_person(shared: &Shared, working: &Working, source: Option<&Source>) -> Result<bool, NodeError> {
    if !working.row.draft {
        return Ok(false);
    }
    let organisation = &shared.own.organisation;
    let Some(imported) = source.and_then(Source::entry) else { return Ok(true) };
    let published = match working.row.published {
        Published::Live => catalog::find_of(shared, organisation, &working.entry)?,
        Published::Never | Published::Withdrawn => None,
    };
    let published = published.map(|held| held.entry(&working.entry, true)).transpose()?.flatten();
    let draft = working.joined(organisation);
    Ok(match published {
        Some(published) => !merge_import(Some(&published), &imported, &draft).1.is_empty(),
        None => draft != imported,
    })
}

type Updated = (Working, Vec<String>, bool, Option<Plan>);

/// Whether the source puts the entry into another collection than last time, and it still lies where the source put it.
fn source_moved(
    writer: &Writer<'_>,
    working: &Working,
    imported: &Imported,
    source: Option<&Source>,
    home: CollectionId,
) -> bool {
    working.row.home != home
        && source.is_some_and(|source| {
            source.collection != imported.collection
                && CollectionId::named(&writer.organisation, &source.collection) == working.row.home
        })
}

/// Merges a record into an entry that is here already, and moves that where the source puts it.
fn update(
    shared: &Shared,
    writer: &Writer<'_>,
    mut working: Working,
    new: &Entry,
    source: Option<&Source>,
    moves_to: Option<CollectionId>,
) -> Result<Result<Updated, String>, NodeError> {
    let last = source.and_then(Source::entry);
    let current = working.joined(&writer.organisation);
    let (merged, kept) = merge_import(last.as_ref(), new, &current);
    let ids = &mut Ids::Imported(working.entry);
    let Some(home) = moves_to else {
        return Ok(match working.set(writer, &merged, ids) {
            Ok(changed) => Ok((working, kept, changed, None)),
            Err(error) => Err(error.to_string()),
        });
    };
    if working.row.published == Published::Live && !shared.is_publisher() {
        return Ok(Err("its collection changed, and only the publisher moves a published entry".into()));
    }
    match publishing::plan_move_of(&working, &merged, writer, &shared.store, home, ids) {
        Ok((moved, plan)) => Ok(Ok((moved, kept, true, Some(plan)))),
        Err(NodeError::Invalid(reason)) => Ok(Err(reason)),
        Err(error) => Err(error),
    }
}

/// A redacted entry is left as people left it: the source most likely still holds what had to go.
fn redacted(shared: &Shared, working: &Working) -> Result<Option<Finding>, NodeError> {
    let redacted = purging::redacted(&shared.store, working.row.home, working.entry)?;
    Ok(redacted.map(|_| Finding {
        path: String::new(),
        severity: Severity::Warning,
        message: format!(
            "was redacted here, so an import does not bring its text back; change it with `ortsnetz edit {}`",
            working.entry
        ),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_that_stops_says_what_stays() {
        let full = || NodeError::Unavailable(format!("{NOTHING_WRITTEN}disk nearly full"));
        assert_eq!(stopped(full(), &ImportReport::default()).to_string(), "nothing was written: disk nearly full");
        let some = ImportReport { created: 256, published: 250, ..ImportReport::default() };
        assert_eq!(
            stopped(full(), &some).to_string(),
            "the import stopped: disk nearly full; 256 created, 0 updated and 250 published before that stay, import again to go on"
        );
    }
}
