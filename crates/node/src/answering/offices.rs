//! Offices and online services of an answer, as they stand at the moment of the question.

use ortsnetz_model::{Entry, EntryId, Kind, OrgId, as_of};
use ortsnetz_service::{Closed, Now, Opening, opening, spoken_text, time_of_day};
use serde_json::Value;

use crate::answering::Question;
use crate::catalog;
use crate::dto::{OfficeInfo, OnlineInfo, OpeningInfo, SlotInfo};
use crate::error::NodeError;
use crate::shared::Shared;

/// An entry somebody refers to: the one of the organisation that does, else whoever's it is; as it stands that day.
pub(super) fn referred(
    shared: &Shared,
    question: &Question<'_>,
    by: &OrgId,
    id: &EntryId,
) -> Result<Option<Entry>, NodeError> {
    let held = match catalog::find_of(shared, by, id)? {
        Some(held) => Some(held),
        None => catalog::find(shared, id)?,
    };
    let Some(held) = held else { return Ok(None) };
    Ok(held.entry(id, true)?.map(|entry| as_of(&entry, question.at.date())))
}

/// The office of this id; `None` if it is not here or is none.
pub(super) fn office(
    shared: &Shared,
    question: &Question<'_>,
    by: &OrgId,
    id: &EntryId,
) -> Result<Option<OfficeInfo>, NodeError> {
    let entry = referred(shared, question, by, id)?.filter(|entry| entry.kind() == Kind::Office);
    Ok(entry.map(|entry| office_info(&entry, id, question)))
}

/// What an answer says about an office.
pub(super) fn office_info(entry: &Entry, id: &EntryId, question: &Question<'_>) -> OfficeInfo {
    let note = entry.at_path("companions.partners.agent_note");
    OfficeInfo {
        id: id.to_string(),
        title: told(entry.get("title"), question).unwrap_or_default(),
        address: entry.get("address").cloned(),
        contacts: entry.get("contacts").cloned(),
        opening: opening_info(&opening(entry.as_map(), question.at, question.ars()), question),
        agent_note: told(note, question),
    }
}

/// The online service of this id; `None` if it is not here or is none.
pub(super) fn online(
    shared: &Shared,
    question: &Question<'_>,
    by: &OrgId,
    id: &EntryId,
) -> Result<Option<OnlineInfo>, NodeError> {
    let entry = referred(shared, question, by, id)?.filter(|entry| entry.kind() == Kind::OnlineService);
    Ok(entry.map(|entry| OnlineInfo {
        id: id.to_string(),
        title: told(entry.get("title"), question).unwrap_or_default(),
        url: entry.get("url").and_then(Value::as_str).unwrap_or_default().to_owned(),
        assurance: entry.get("assurance").and_then(Value::as_str).map(str::to_owned),
        steps: told(entry.get("steps"), question),
    }))
}

/// A text of a map of languages in the language of the question.
pub(super) fn told(texts: Option<&Value>, question: &Question<'_>) -> Option<String> {
    spoken_text(texts?, question.language).map(|(_, text)| text.to_owned())
}

fn opening_info(opening: &Opening, question: &Question<'_>) -> OpeningInfo {
    let (state, until, opens) = match &opening.now {
        Now::Open { until } => ("open", Some(time_of_day(*until)), None),
        Now::Later { opens } => ("later", None, Some(question.at.date().to_datetime(*opens))),
        Now::Closed { opens } => ("closed", None, *opens),
        Now::Unknown => ("unknown", None, None),
    };
    OpeningInfo {
        state: state.into(),
        until,
        opens: opens.map(|opens| opens.strftime("%Y-%m-%dT%H:%M").to_string()),
        stop: opening.slot(question.at.time()).and_then(|slot| slot.stop.clone()),
        day: opening
            .day
            .iter()
            .map(|slot| SlotInfo {
                opens: time_of_day(slot.opens),
                closes: time_of_day(slot.closes),
                note: told(slot.note.as_ref(), question),
                stop: slot.stop.clone(),
            })
            .collect(),
        closed_because: opening.closed.as_ref().and_then(|closed| match closed {
            Closed::Holiday(name) => Some((*name).to_owned()),
            Closed::Exception(note) => told(note.as_ref(), question),
        }),
        doubt: opening.doubt.map(str::to_owned),
    }
}
