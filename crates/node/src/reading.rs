//! Commands that read entries. All of them block: they run beside the runtime.

use ortsnetz_model::dates::{self, Date};
use ortsnetz_model::{Document, Entry, EntryId, Hash, as_of};
use ortsnetz_store::Side;
use ortsnetz_trust::record::SignedRecord;

use crate::catalog::{self, Held};
use crate::clock::rfc3339;
use crate::documents;
use crate::dto::{
    ConflictInfo, ConflictValueInfo, EntriesRequest, EntryMeta, EntryPage, EntryRow, HistoryStep, ShowOptions, Shown,
};
use crate::editing::not_found;
use crate::error::NodeError;
use crate::feedback;
use crate::past;
use crate::rows::{self, Published, Request};
use crate::shared::Shared;
use crate::short;
use crate::working::Working;

/// Rows of a list at once if nobody says otherwise.
const ROWS_DEFAULT: usize = 50;
/// Most rows of a list at once.
pub(crate) const ROWS_MAX: usize = 1000;

/// A date as typed.
pub(crate) fn parse_on(on: Option<&str>) -> Result<Option<Date>, NodeError> {
    on.map(|text| {
        dates::parse_date(text)
            .ok_or_else(|| NodeError::Invalid(format!("on: {text:?} is no date; write it like 2027-01-31")))
    })
    .transpose()
}

/// `show`
pub(crate) fn show(shared: &Shared, id: &str, options: &ShowOptions) -> Result<Shown, NodeError> {
    let id = short::entry_id(shared, id)?;
    let on = parse_on(options.on.as_deref())?;
    let working = Working::load(&shared.store, id)?;
    let draft = options.draft || working.as_ref().is_some_and(|working| working.row.published == Published::Never);
    let mut shown = match (working, draft, options.at.as_deref()) {
        (working, _, Some(heads)) => show_at(shared, &id, working.as_ref(), options.draft, heads)?,
        (_, false, None) if on.is_some() => past::told(shared, &id, on.unwrap_or_default())?,
        (Some(working), true, None) => show_draft(shared, &working, None)?,
        (working, _, None) => {
            let held = catalog::find(shared, &id)?.ok_or_else(|| not_found(&id))?;
            show_held(shared, &id, &held, working.as_ref(), None)?
        }
    };
    if let Ok(owner) = shown.meta.organisation.id.parse() {
        shown.reports = feedback::beside(shared, &owner, &id)?;
    }
    if let Some(date) = on.filter(|_| shown.entry.contains_key("kind")) {
        let mut entry = Entry::from_json(serde_json::Value::Object(shown.entry))?;
        entry = as_of(&entry, date);
        entry.set_id(&id);
        shown.entry = entry.as_map().clone();
    }
    Ok(shown)
}

/// The version with these heads, as `history` lists it: a published one, else one of the draft.
fn show_at(
    shared: &Shared,
    id: &EntryId,
    working: Option<&Working>,
    draft: bool,
    heads: &str,
) -> Result<Shown, NodeError> {
    let held = catalog::find(shared, id)?;
    let published = match held.as_ref().filter(|_| !draft) {
        Some(held) => documents::load(&shared.store, Side::Published, &held.document(id))?,
        None => None,
    };
    let drafted = working.iter().flat_map(|working| working.documents.values());
    let heads = short::heads(heads, published.iter().chain(drafted))?;
    match (held, working) {
        (Some(held), _) if published.is_some_and(|document| document.contains(&heads)) => {
            show_held(shared, id, &held, working, Some(&heads))
        }
        (_, Some(working)) => show_draft(shared, working, Some(&heads)),
        (Some(_), None) => Err(no_version(id)),
        (None, None) => Err(not_found(id)),
    }
}

fn no_version(id: &EntryId) -> NodeError {
    NodeError::NotFound(format!("entry {id} has no version with these heads; `ortsnetz history {id}` lists them"))
}

fn show_draft(shared: &Shared, working: &Working, at: Option<&[Hash]>) -> Result<Shown, NodeError> {
    let (entry, heads) = match at {
        None => (working.joined(&shared.own.organisation), working.all_heads()),
        Some(heads) => {
            let document = working.documents.values().find(|document| document.contains(heads));
            let document = document.ok_or_else(|| no_version(&working.entry))?;
            let mut entry = document.project_at(heads)?;
            entry.set_id(&working.entry);
            (entry, heads.to_vec())
        }
    };
    let feed = ortsnetz_model::FeedId { organisation: shared.own.organisation, collection: working.row.home };
    Ok(Shown {
        entry: entry.as_map().clone(),
        meta: EntryMeta {
            organisation: shared.organisation_info(&shared.own.organisation),
            collection: shared.collection_name(&feed),
            public: shared.is_public(&feed),
            state: "draft".into(),
            draft: working.row.draft,
            request: request_word(&working.row.request).into(),
            heads: texts(&heads),
            verified: true,
            ..EntryMeta::default()
        },
        reports: Vec::new(),
    })
}

pub(crate) fn request_word(request: &Request) -> &'static str {
    match request {
        Request::None => "none",
        Request::Waiting => "waiting",
        Request::Refused(_) => "refused",
    }
}

pub(crate) fn texts(heads: &[Hash]) -> Vec<String> {
    heads.iter().map(Hash::to_string).collect()
}

pub(crate) fn show_held(
    shared: &Shared,
    id: &EntryId,
    held: &Held,
    working: Option<&Working>,
    at: Option<&[Hash]>,
) -> Result<Shown, NodeError> {
    let record = held.record.record();
    let own = held.feed.organisation == shared.own.organisation;
    let mut heads = record.heads().unwrap_or_default().to_vec();
    let entry = match at {
        Some(wanted) => {
            let document = documents::load(&shared.store, Side::Published, &held.document(id))?
                .filter(|document: &Document| document.contains(wanted))
                .ok_or_else(|| no_version(id))?;
            heads = wanted.to_vec();
            let mut entry = document.project_at(wanted)?;
            entry.set_id(id);
            entry
        }
        None => match held.entry(id, true)? {
            Some(entry) => entry,
            None => {
                let mut entry = Entry::default();
                entry.set_id(id);
                entry
            }
        },
    };
    let checkpoint_at = shared
        .store
        .markers(&held.feed)?
        .iter()
        .rev()
        .filter_map(|(_, bytes)| SignedRecord::from_bytes(bytes).ok())
        .map(|marker| marker.record().at)
        .next();
    Ok(Shown {
        entry: entry.as_map().clone(),
        meta: EntryMeta {
            organisation: shared.organisation_info(&held.feed.organisation),
            collection: shared.collection_name(&held.feed),
            public: shared.is_public(&held.feed),
            state: if held.is_withdrawn() { "withdrawn" } else { "published" }.into(),
            draft: working.is_some_and(|working| working.row.draft),
            request: working.map_or("none", |working| request_word(&working.row.request)).into(),
            heads: texts(&heads),
            published_at: Some(rfc3339(record.at)),
            reviewed_at: record.heads().is_some().then(|| rfc3339(record.at)),
            received_at: if own { None } else { held.home.as_ref().map(|row| rfc3339(row.at)) },
            received_from: if own { None } else { held.from().map(|node| shared.node_name(&node)) },
            verified: true,
            checkpoint_at: checkpoint_at.map(rfc3339),
            position: Some(record.position.to_string()),
            told: None,
        },
        reports: Vec::new(),
    })
}

/// `history`
pub(crate) fn history(shared: &Shared, id: &str) -> Result<Vec<HistoryStep>, NodeError> {
    let id = short::entry_id(shared, id)?;
    let mut steps = Vec::new();
    let own = Working::load(&shared.store, id)?;
    if let Some(working) = &own {
        for document in working.documents.values() {
            steps.extend(document.history().into_iter().map(|item| step(shared, item, "draft")));
        }
    }
    if let Some(held) = catalog::find(shared, &id)? {
        if let Some(document) = documents::load(&shared.store, Side::Published, &held.document(&id))? {
            steps.extend(document.history().into_iter().map(|item| step(shared, item, "published")));
        }
        let feeds = catalog::feeds_of(shared, &held.feed.organisation);
        for feed in feeds.into_iter().filter(|feed| !catalog::is_draft_feed(shared, feed)) {
            steps.extend(deeds(shared, &past::records(shared, &feed, &id)?));
        }
    } else if own.is_none() {
        return Err(not_found(&id));
    }
    steps.sort_by(|a, b| a.at.cmp(&b.at));
    Ok(steps)
}

/// The steps that made no change: withdrawals, redactions, and that somebody found the entry still correct.
fn deeds(shared: &Shared, records: &[SignedRecord]) -> Vec<HistoryStep> {
    let before = std::iter::once(None).chain(records.iter().map(Some));
    records
        .iter()
        .zip(before)
        .filter_map(|(record, before)| Some((record, past::deed(record, before)?)))
        .map(|(record, state)| HistoryStep {
            heads: texts(record.record().heads().unwrap_or_default()),
            node: shared.node_name(&record.node()),
            at: rfc3339(record.record().at),
            state: state.into(),
            role: "publisher".into(),
            paths: Vec::new(),
        })
        .collect()
}

fn step(shared: &Shared, item: ortsnetz_model::HistoryItem, state: &str) -> HistoryStep {
    HistoryStep {
        heads: texts(&item.heads),
        node: actor_name(shared, &item.actor),
        at: rfc3339(item.at),
        state: state.into(),
        role: if state == "published" { "publisher".into() } else { draft_role(shared, &item.actor).into() },
        paths: item.paths,
    }
}

/// In which role an own node writes drafts.
fn draft_role(shared: &Shared, actor: &ortsnetz_model::Actor) -> &'static str {
    let identity = shared.identity();
    let roles =
        identity.nodes().find(|certificate| actor.is_of(&certificate.node)).map(|certificate| certificate.roles);
    match roles {
        Some(roles) if roles.admin => "admin",
        Some(roles) if roles.edit => "edit",
        _ => "",
    }
}

/// The node an actor belongs to, by name; the actor itself if no known node made it.
pub(crate) fn actor_name(shared: &Shared, actor: &ortsnetz_model::Actor) -> String {
    let identities = crate::shared::read(&shared.identities);
    for identity in identities.values() {
        if let Some(certificate) = identity.nodes().find(|certificate| actor.is_of(&certificate.node)) {
            return if identity.id() == shared.own.organisation {
                certificate.name.clone()
            } else {
                identity.name().to_owned()
            };
        }
    }
    format!("{actor:?}")
}

/// `conflicts`
pub(crate) fn conflicts(shared: &Shared) -> Result<Vec<ConflictInfo>, NodeError> {
    let ids: Vec<EntryId> = shared.marks.look().conflicts.iter().copied().collect();
    let mut all = Vec::new();
    for id in ids {
        let Some(working) = Working::load(&shared.store, id)? else { continue };
        for conflict in working.conflicts(&shared.own.organisation) {
            all.push(ConflictInfo {
                id: id.to_string(),
                path: conflict.path,
                values: conflict
                    .values
                    .into_iter()
                    .zip(0..)
                    .map(|(value, n)| ConflictValueInfo {
                        n,
                        value: value.value,
                        node: actor_name(shared, &value.actor),
                        at: rfc3339(value.at),
                    })
                    .collect(),
            });
        }
    }
    Ok(all)
}

/// `GET /entries`
pub(crate) fn entries(shared: &Shared, request: &EntriesRequest) -> Result<EntryPage, NodeError> {
    let limit = request.limit.unwrap_or(ROWS_DEFAULT).clamp(1, ROWS_MAX);
    let after = request.after.as_deref().map(str::parse).transpose()?;
    let organisation = match request.organisation.as_deref() {
        None => shared.own.organisation,
        Some(name) => crate::partners::find_organisation(shared, name)?,
    };
    let mut rows = if organisation == shared.own.organisation {
        own_rows(shared, request, after, limit + 1)?
    } else {
        foreign_rows(shared, &organisation, request, after, limit + 1)?
    };
    let next = (rows.len() > limit).then(|| {
        rows.truncate(limit);
        rows.last().map(|row| row.id.clone()).unwrap_or_default()
    });
    Ok(EntryPage { entries: rows, next })
}

fn own_rows(
    shared: &Shared,
    request: &EntriesRequest,
    after: Option<EntryId>,
    limit: usize,
) -> Result<Vec<EntryRow>, NodeError> {
    let mut found = Vec::new();
    let info = shared.organisation_info(&shared.own.organisation);
    rows::each_own_entry(&shared.store, after.as_ref(), &mut |id, row| {
        if request.drafts && !row.draft {
            return Ok(true);
        }
        let feed = ortsnetz_model::FeedId { organisation: shared.own.organisation, collection: row.home };
        let collection = shared.collection_name(&feed);
        if request.collection.as_ref().is_some_and(|name| *name != collection) {
            return Ok(true);
        }
        let projection = match rows::projection(&shared.store, Side::Working, &row.home, &id)? {
            Some(projection) => Some(projection),
            None => rows::projection(&shared.store, Side::Published, &row.home, &id)?,
        };
        let entry = projection.map(|row| catalog::read_entry(&id, &row.json)).transpose()?.unwrap_or_default();
        if request.kind.as_ref().is_some_and(|kind| entry.kind().as_str() != kind) {
            return Ok(true);
        }
        found.push(EntryRow {
            id: id.to_string(),
            kind: entry.kind().as_str().to_owned(),
            title: entry.title("de").unwrap_or_default().to_owned(),
            organisation: info.clone(),
            collection,
            state: match row.published {
                Published::Never => "draft",
                Published::Live => "published",
                Published::Withdrawn => "withdrawn",
            }
            .into(),
            draft: row.draft,
        });
        Ok(found.len() < limit)
    })?;
    Ok(found)
}

fn foreign_rows(
    shared: &Shared,
    organisation: &ortsnetz_model::OrgId,
    request: &EntriesRequest,
    after: Option<EntryId>,
    limit: usize,
) -> Result<Vec<EntryRow>, NodeError> {
    let info = shared.organisation_info(organisation);
    let mut found: Vec<EntryRow> = Vec::new();
    for feed in catalog::feeds_of(shared, organisation) {
        let collection = shared.collection_name(&feed);
        if request.drafts || request.collection.as_ref().is_some_and(|name| *name != collection) {
            continue;
        }
        let mut failed = None;
        shared.store.projections(Side::Published, Some(&feed.collection), &mut |_, id, _, bytes| {
            if after.is_some_and(|after| id <= after) {
                return true;
            }
            let row = match rows::decode::<rows::ProjectionRow>("a projection", &bytes)
                .and_then(|row| Ok((catalog::read_entry(&id, &row.json)?, row)))
            {
                Ok((_, row)) if catalog::is_companion(shared, &feed, &row) => return true,
                Ok((entry, _)) => entry,
                Err(error) => {
                    failed = Some(error);
                    return false;
                }
            };
            if request.kind.as_ref().is_none_or(|kind| row.kind().as_str() == kind) {
                found.push(EntryRow {
                    id: id.to_string(),
                    kind: row.kind().as_str().to_owned(),
                    title: row.title("de").unwrap_or_default().to_owned(),
                    organisation: info.clone(),
                    collection: collection.clone(),
                    state: "published".into(),
                    draft: false,
                });
            }
            found.len() < limit.saturating_mul(4)
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
    }
    found.sort_by(|a, b| a.id.cmp(&b.id));
    found.truncate(limit);
    Ok(found)
}
