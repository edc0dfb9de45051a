//! `import`: records of a file become working entries, batch by batch, each batch whole or not at all.

use std::collections::BTreeSet;
use std::io::Read;

use ortsnetz_exchange::{Format, Imported, Mapping, Options, Resolver, read};
use ortsnetz_model::{Ars, CollectionId, Entry, EntryId, Finding, Ids, Kind, Severity, check, merge_import};
use ortsnetz_store::Key;
use rayon::prelude::*;

use crate::catalog;
use crate::driver::NOTHING_WRITTEN;
use crate::dto::{FindingInfo, ImportReport, ImportRequest, Kept, Rejection};
use crate::editing::require_editor;
use crate::error::NodeError;
use crate::plan::Plan;
use crate::publishing::{self, Version};
use crate::purging;
use crate::rows::{self, Published, Request};
use crate::shared::{Shared, lock};
use crate::working::{Working, Writer, known_kind};

/// Entries written in one state change.
const BATCH: usize = ortsnetz_trust::limits::BATCH_RECORDS_MAX;
/// Findings, rejections and kept values told one by one; more are counted. A file may have ten million lines.
pub(crate) const REPORT_ROWS_MAX: usize = 10_000;

/// The last import of an entry, as kept to tell what a person changed since.
#[derive(minicbor::Encode, minicbor::Decode)]
struct Source {
    /// The collection it asked for.
    #[n(0)]
    collection: String,
    /// The entry as it came, as JSON.
    #[cbor(n(1), with = "minicbor::bytes")]
    json: Vec<u8>,
}

impl Source {
    /// The entry as it came.
    fn entry(&self) -> Option<Entry> {
        Entry::from_json(serde_json::from_slice(&self.json).ok()?).ok()
    }
}

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
                    write(shared, request, part, &mut report).map_err(|error| stopped(error, &report.report))?;
                    ids.clear();
                }
                ids.insert(imported.id);
                batch.push(imported);
            }
        }
    }
    write(shared, request, batch, &mut report).map_err(|error| stopped(error, &report.report))?;
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

fn write(shared: &Shared, request: &ImportRequest, batch: Vec<Imported>, report: &mut Report) -> Result<(), NodeError> {
    if batch.is_empty() {
        return Ok(());
    }
    let ids: Vec<EntryId> = batch.iter().map(|imported| imported.id).collect();
    let _locks = shared.locks.lock(&ids);
    let publisher = shared.is_publisher();
    let writer = shared.writer();
    let outcomes: Vec<Result<(EntryId, Outcome), NodeError>> = batch
        .into_par_iter()
        .map(|imported| Ok((imported.id, prepare(shared, request, &writer, publisher, imported)?)))
        .collect();
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
    for (id, taken) in all_taken {
        report.take(&id, *taken);
    }
    Ok(())
}

/// Works out what a record changes. Touches nothing.
fn prepare(
    shared: &Shared,
    request: &ImportRequest,
    writer: &Writer<'_>,
    publisher: bool,
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
    let source = source_row(shared, &id)?;
    let json = serde_json::to_vec(imported.entry.as_map()).unwrap_or_default();
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
    let held_back = match &existing {
        Some(working) if request.publish => held_back(shared, working, source.as_ref())?,
        _ => None,
    };
    let (mut working, kept, mut changed, moved) = match existing {
        None => {
            let mut working = Working::create(id, home);
            if let Err(error) = working.set(writer, &imported.entry, &mut Ids::Imported(id)) {
                return reject(error.to_string());
            }
            (working, Vec::new(), true, None)
        }
        Some(working) => match update(shared, writer, working, &imported, source.as_ref(), home)? {
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
    let source_changed =
        source.as_ref().is_none_or(|source| source.json != json || source.collection != imported.collection);
    if effect == Effect::Unchanged && !source_changed {
        return Ok(Outcome::Taken(Box::new(taken)));
    }
    let mut plan = moved.unwrap_or_else(|| Plan::new(ortsnetz_store::Batch::new(ortsnetz_store::Origin::Own)));
    let source = Source { collection: imported.collection.clone(), json };
    plan.batch.put(Key::ImportSource(id), rows::encode(&source));
    if publish {
        if let Some(reason) = publishing::obstacle(&working, &shared.identity()) {
            return reject(format!("not published: {reason}"));
        }
        changed = true;
        if publisher {
            plan.append(publishing::plan(&mut working, writer, &shared.store, &Version::Present)?);
            taken.published = true;
        } else {
            working.row.request = Request::Waiting;
            taken.requested = true;
        }
    }
    if changed {
        let heads = taken.requested.then(|| working.heads());
        // After the publication, so that the row says what is published.
        plan.append(working.plan(writer, &shared.store, heads)?);
    }
    taken.plan = Some(plan);
    Ok(Outcome::Taken(Box::new(taken)))
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

/// Why an import does not publish an entry: what a person has not published yet, or took back, is the person's to publish.
fn held_back(shared: &Shared, working: &Working, source: Option<&Source>) -> Result<Option<Finding>, NodeError> {
    let id = working.entry;
    let message = match working.row.published {
        Published::Withdrawn => "was withdrawn here",
        _ if drafted_by_a_person(shared, working, source)? => "has an unpublished draft of a person",
        _ => return Ok(None),
    };
    Ok(Some(Finding {
        path: String::new(),
        severity: Severity::Warning,
        message: format!(
            "{message}; it was not published, look with `ortsnetz show {id} --draft`, then `ortsnetz publish {id}`"
        ),
    }))
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

/// Merges a record into an entry that is here already.
fn update(
    shared: &Shared,
    writer: &Writer<'_>,
    mut working: Working,
    imported: &Imported,
    source: Option<&Source>,
    home: CollectionId,
) -> Result<Result<Updated, String>, NodeError> {
    let last = source.and_then(Source::entry);
    let current = working.joined(&writer.organisation);
    let (merged, kept) = merge_import(last.as_ref(), &imported.entry, &current);
    let changed = match working.set(writer, &merged, &mut Ids::Imported(imported.id)) {
        Ok(changed) => changed,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let source_moved = source.is_some_and(|source| {
        source.collection != imported.collection
            && CollectionId::named(&writer.organisation, &source.collection) == working.row.home
    });
    if source_moved && working.row.home != home {
        if working.row.published == Published::Live && !shared.is_publisher() {
            return Ok(Err("its collection changed, and only the publisher moves a published entry".into()));
        }
        let (moved, plan) =
            publishing::plan_move(&working, writer, &shared.store, home, &mut Ids::Imported(imported.id))?;
        return Ok(Ok((moved, kept, true, Some(plan))));
    }
    Ok(Ok((working, kept, changed, None)))
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

fn source_row(shared: &Shared, id: &EntryId) -> Result<Option<Source>, NodeError> {
    shared.store.get(&Key::ImportSource(*id))?.map(|bytes| rows::decode("the last import", &bytes)).transpose()
}

fn infos(id: &EntryId, findings: Vec<Finding>) -> Vec<FindingInfo> {
    findings
        .into_iter()
        .map(|finding| FindingInfo {
            id: id.to_string(),
            path: finding.path,
            severity: if finding.severity == Severity::Error { "error" } else { "warning" }.into(),
            message: finding.message,
        })
        .collect()
}

/// The report as it grows, with bounded lists.
#[derive(Default)]
struct Report {
    report: ImportReport,
    more_rejected: u64,
    more_findings: u64,
}

impl Report {
    fn reject(&mut self, rejection: Rejection) {
        if self.report.rejected.len() < REPORT_ROWS_MAX {
            self.report.rejected.push(rejection);
        } else {
            self.more_rejected += 1;
        }
    }

    /// Counts a record that was taken in and is written. What is doubtful about an unchanged entry was told when it came.
    fn take(&mut self, id: &EntryId, taken: Taken) {
        let report = &mut self.report;
        match taken.effect {
            Effect::Created => report.created += 1,
            Effect::Updated => report.updated += 1,
            Effect::Unchanged => report.unchanged += 1,
        }
        report.published += u64::from(taken.published);
        report.requested += u64::from(taken.requested);
        let mut findings = taken.findings;
        if taken.effect == Effect::Unchanged {
            report.findings_before += findings.len() as u64;
            findings.clear();
        }
        report.held_back += u64::from(taken.held_back);
        findings.extend(taken.notices);
        let kept = taken.kept.into_iter().map(|path| Kept { id: id.to_string(), path }).collect();
        self.doubts(infos(id, findings), kept);
    }

    fn doubts(&mut self, findings: Vec<FindingInfo>, kept: Vec<Kept>) {
        let room = REPORT_ROWS_MAX.saturating_sub(self.report.findings.len());
        self.more_findings += findings.len().saturating_sub(room) as u64;
        self.report.findings.extend(findings.into_iter().take(room));
        let room = REPORT_ROWS_MAX.saturating_sub(self.report.kept.len());
        self.report.kept.extend(kept.into_iter().take(room));
    }

    fn finish(mut self, file: &str) -> ImportReport {
        if self.more_rejected > 0 {
            self.report.rejected.push(Rejection {
                file: file.to_owned(),
                line: 0,
                reason: format!("and {} more records; only the first {REPORT_ROWS_MAX} are listed", self.more_rejected),
            });
        }
        if self.more_findings > 0 {
            self.report.findings.push(FindingInfo {
                id: String::new(),
                path: String::new(),
                severity: "warning".into(),
                message: format!(
                    "and {} more findings; only the first {REPORT_ROWS_MAX} are listed",
                    self.more_findings
                ),
            });
        }
        self.report
    }
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

    #[test]
    fn a_report_lists_up_to_its_limit_and_counts_the_rest() {
        let rejection = || Rejection { file: "f".into(), line: 1, reason: "r".into() };
        for (given, listed) in [(REPORT_ROWS_MAX, REPORT_ROWS_MAX), (REPORT_ROWS_MAX + 2, REPORT_ROWS_MAX + 1)] {
            let mut report = Report::default();
            (0..given).for_each(|_| report.reject(rejection()));
            let report = report.finish("f");
            assert_eq!(report.rejected.len(), listed);
            assert_eq!(
                report.rejected.last().is_some_and(|last| last.reason.contains("and 2 more")),
                given > listed - 1 && listed > REPORT_ROWS_MAX
            );
        }
    }
}
