//! `export`: published entries of one organisation, in a stable order.

use std::collections::BTreeSet;
use std::io::Write;

use ortsnetz_exchange::{CsvWriter, JsonLinesWriter, sort_key, stand_in};
use ortsnetz_model::{CollectionId, Entry, EntryId, FeedId, Identifier, OrgId};
use ortsnetz_store::Side;

use crate::catalog;
use crate::dto::ExportRequest;
use crate::error::NodeError;
use crate::rows::{self, ProjectionRow, Published};
use crate::shared::Shared;
use crate::working::Working;

/// Writes the published entries; returns how many. Holds one entry and the sort keys of all. Blocks.
pub(crate) fn export(shared: &Shared, request: &ExportRequest, out: &mut dyn Write) -> Result<u64, NodeError> {
    let organisation = match request.organisation.as_deref() {
        None => shared.own.organisation,
        Some(name) => crate::partners::find_organisation(shared, name)?,
    };
    let failed = |error: std::io::Error| NodeError::Unavailable(format!("could not write the export: {error}"));
    let drafts = request.drafts;
    if drafts && organisation != shared.own.organisation {
        return Err(NodeError::Invalid("--drafts: only our own drafts are here; leave --organisation out".into()));
    }
    let keys = keys(shared, &organisation, drafts)?;
    let entry = |id: &EntryId| match drafts.then(|| draft(shared, id, request.companions)).transpose()?.flatten() {
        Some(draft) => Ok::<_, NodeError>(Some(draft)),
        None => entry(shared, &organisation, id, request.companions),
    };
    let mut written = 0;
    match request.format.as_str() {
        "" | "jsonl" => {
            let mut writer = JsonLinesWriter::new(out, organisation);
            for (_, feed, id) in keys {
                let Some(entry) = entry(&id)? else { continue };
                writer
                    .write(&entry, &shared.collection_name(&feed), |of| identifier_of(shared, &organisation, of))
                    .map_err(failed)?;
                written += 1;
            }
            writer.finish().map_err(failed)?;
        }
        "csv" => {
            let mut writer = CsvWriter::new(out).map_err(failed)?;
            for (_, feed, id) in keys {
                let Some(entry) = entry(&id)? else { continue };
                writer.write(&entry, &shared.collection_name(&feed)).map_err(failed)?;
                written += 1;
            }
            writer.finish().map_err(failed)?;
        }
        other => {
            return Err(NodeError::Invalid(format!("{other:?} cannot be exported yet; formats are jsonl and csv")));
        }
    }
    Ok(written)
}

type SortedKey = ((Identifier, EntryId), FeedId, EntryId);

fn keys(shared: &Shared, organisation: &OrgId, drafts: bool) -> Result<Vec<SortedKey>, NodeError> {
    let mut keys = Vec::new();
    if drafts {
        rows::each_own_entry(&shared.store, None, &mut |id, row| {
            if let Some(entry) = draft(shared, &id, false)? {
                let feed = FeedId { organisation: *organisation, collection: row.home };
                keys.push((sort_key(organisation, &entry), feed, id));
            }
            Ok(true)
        })?;
    }
    let drafts_count = keys.len();
    for feed in catalog::feeds_of(shared, organisation) {
        if catalog::is_draft_feed(shared, &feed) {
            continue;
        }
        each(shared, &feed.collection, &mut |id, row| {
            if !catalog::is_companion(shared, &feed, &row) {
                let entry = catalog::read_entry(&id, &row.json)?;
                keys.push((sort_key(organisation, &entry), feed, id));
            }
            Ok(())
        })?;
    }
    // A draft stands where it will be published.
    let drafted: BTreeSet<EntryId> = keys[..drafts_count].iter().map(|(_, _, id)| *id).collect();
    let mut at = 0;
    keys.retain(|(_, _, id)| {
        at += 1;
        at <= drafts_count || !drafted.contains(id)
    });
    keys.sort();
    keys.dedup_by_key(|(_, _, id)| *id);
    Ok(keys)
}

/// An own entry as it is being edited, if that is not what is published.
fn draft(shared: &Shared, id: &EntryId, companions: bool) -> Result<Option<Entry>, NodeError> {
    let Some(row) = rows::own_entry(&shared.store, id)? else { return Ok(None) };
    let ahead = row.published == Published::Never || row.draft && row.published == Published::Live;
    if !ahead {
        return Ok(None);
    }
    let Some(working) = Working::load(&shared.store, *id)? else { return Ok(None) };
    let mut entry = working.joined(&shared.own.organisation);
    if !companions {
        entry.split_companions();
    }
    Ok(Some(entry))
}

fn each(
    shared: &Shared,
    collection: &CollectionId,
    visit: &mut dyn FnMut(EntryId, ProjectionRow) -> Result<(), NodeError>,
) -> Result<(), NodeError> {
    let mut failed = None;
    shared.store.projections(Side::Published, Some(collection), &mut |_, id, _, bytes| match rows::decode(
        "a projection",
        &bytes,
    )
    .and_then(|row| visit(id, row))
    {
        Ok(()) => true,
        Err(error) => {
            failed = Some(error);
            false
        }
    })?;
    failed.map_or(Ok(()), Err)
}

fn entry(shared: &Shared, organisation: &OrgId, id: &EntryId, companions: bool) -> Result<Option<Entry>, NodeError> {
    match catalog::find_of(shared, organisation, id)? {
        Some(held) => held.entry(id, companions),
        None => Ok(None),
    }
}

fn identifier_of(shared: &Shared, organisation: &OrgId, id: &EntryId) -> Option<Identifier> {
    let entry = entry(shared, organisation, id, false).ok().flatten()?;
    Some(entry.identifier().unwrap_or_else(|| stand_in(organisation, id)))
}
