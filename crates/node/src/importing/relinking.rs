//! Entries imported before that speak of others: when those become readable or cease to be, what is said about them moves
//! between the entry and its internal companion. So services and offices may come in any order, in one file or in two.

use std::collections::BTreeSet;

use ortsnetz_model::{EntryId, Ids, merge_import};
use ortsnetz_store::{Batch, Origin};
use rayon::prelude::*;

use super::sources::{Source, each_referrer};
use super::{BATCH, Report, drafted_by_a_person, publish_or_ask};
use crate::dto::ImportRequest;
use crate::error::NodeError;
use crate::plan::Plan;
use crate::publishing;
use crate::purging;
use crate::rows::{Published, Request};
use crate::shared::Shared;
use crate::working::{Working, Writer};

/// Entries noted before those that speak of them are looked at. A file may have ten million.
const NOTED_MAX: usize = 4096;

/// Entries that came or moved during an import.
#[derive(Default)]
pub(super) struct Noted(BTreeSet<EntryId>);

impl Noted {
    /// Notes one. True when it is time to [`relink`](Self::relink).
    pub fn note(&mut self, id: EntryId) -> bool {
        self.0.insert(id);
        self.0.len() >= NOTED_MAX
    }

    /// Looks again at the entries that speak of those noted, and forgets these.
    pub fn relink(&mut self, shared: &Shared, request: &ImportRequest, report: &mut Report) -> Result<(), NodeError> {
        let mut referrers = BTreeSet::new();
        for target in std::mem::take(&mut self.0) {
            each_referrer(&shared.store, &target, &mut |found| {
                referrers.extend(found);
                if referrers.len() < NOTED_MAX {
                    return Ok(());
                }
                again(shared, request, std::mem::take(&mut referrers), report)
            })?;
        }
        again(shared, request, referrers, report)
    }
}

fn again(
    shared: &Shared,
    request: &ImportRequest,
    referrers: BTreeSet<EntryId>,
    report: &mut Report,
) -> Result<(), NodeError> {
    let referrers: Vec<EntryId> = referrers.into_iter().collect();
    for ids in referrers.chunks(BATCH) {
        let _locks = shared.locks.lock(ids);
        let writer = shared.writer();
        let parts: Vec<Result<Option<Part>, NodeError>> =
            ids.par_iter().map(|id| prepare(shared, request, &writer, *id)).collect();
        let mut plan = Plan::new(Batch::new(Origin::Own));
        let mut changes = Vec::new();
        for part in parts {
            let Some(part) = part? else { continue };
            plan.append(part.plan);
            changes.extend(part.changed.then_some((part.id, part.held_back)));
        }
        if plan.batch.is_empty() {
            continue;
        }
        shared.commit(plan)?;
        for (id, held_back) in changes {
            report.relinked(&id, held_back);
        }
    }
    Ok(())
}

struct Part {
    id: EntryId,
    plan: Plan,
    changed: bool,
    held_back: bool,
}

/// Works out what moves in an entry. Only what is published, or asked for, is published again, and only if the request says so.
fn prepare(
    shared: &Shared,
    request: &ImportRequest,
    writer: &Writer<'_>,
    id: EntryId,
) -> Result<Option<Part>, NodeError> {
    let Some(before) = Source::load(&shared.store, &id)? else { return Ok(None) };
    let Some(mut working) = Working::load(&shared.store, id)? else { return Ok(None) };
    let source = before.clone().placed_in(shared, working.row.home)?;
    let (Some(last), Some(new)) = (before.entry(), source.entry()) else { return Ok(None) };
    if source == before || purging::redacted(&shared.store, working.row.home, id)?.is_some() {
        return Ok(None);
    }
    let out = working.row.published == Published::Live || working.row.request == Request::Waiting;
    let held_back = request.publish && out && drafted_by_a_person(shared, &working, Some(&before))?;
    let mut plan = Plan::new(Batch::new(Origin::Own));
    source.put(&mut plan.batch, &id, Some(&before));
    let (merged, _) = merge_import(Some(&last), &new, &working.joined(&writer.organisation));
    let changed = match working.set(writer, &merged, &mut Ids::Imported(id)) {
        Ok(changed) => changed,
        Err(error) => {
            tracing::warn!(%error, entry = %id, "what an entry says about others could not be moved");
            return Ok(None);
        }
    };
    if changed {
        let publish = request.publish && out && !held_back;
        let publish = publish && publishing::obstacle(&working, &shared.identity()).is_none();
        publish_or_ask(shared, writer, &mut working, &mut plan, publish)?;
    }
    Ok(Some(Part { id, plan, changed, held_back }))
}
