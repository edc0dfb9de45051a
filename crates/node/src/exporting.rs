//! `export`: published entries of one organisation, in a stable order.

use std::io::Write;

use ortsnetz_exchange::{CsvWriter, JsonLinesWriter, sort_key, stand_in};
use ortsnetz_model::{CollectionId, Entry, EntryId, FeedId, Identifier, OrgId};
use ortsnetz_store::Side;

use crate::catalog;
use crate::dto::ExportRequest;
use crate::error::NodeError;
use crate::rows::{self, ProjectionRow};
use crate::shared::Shared;

/// Writes the published entries; returns how many. Holds one entry and the sort keys of all. Blocks.
pub(crate) fn export(shared: &Shared, request: &ExportRequest, out: &mut dyn Write) -> Result<u64, NodeError> {
    let organisation = match request.organisation.as_deref() {
        None => shared.own.organisation,
        Some(name) => crate::partners::find_organisation(shared, name)?,
    };
    let failed = |error: std::io::Error| NodeError::Unavailable(format!("could not write the export: {error}"));
    let keys = keys(shared, &organisation)?;
    let mut written = 0;
    match request.format.as_str() {
        "" | "jsonl" => {
            let mut writer = JsonLinesWriter::new(out, organisation);
            for (_, feed, id) in keys {
                let Some(entry) = entry(shared, &organisation, &id, request.companions)? else { continue };
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
                let Some(entry) = entry(shared, &organisation, &id, request.companions)? else { continue };
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

fn keys(shared: &Shared, organisation: &OrgId) -> Result<Vec<SortedKey>, NodeError> {
    let mut keys = Vec::new();
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
    keys.sort();
    keys.dedup_by_key(|(_, _, id)| *id);
    Ok(keys)
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
