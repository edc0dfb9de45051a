//! Who is responsible for a matter at the place of a question, from the records of those who speak for it.

use ortsnetz_model::{Ars, Entry, EntryId, Kind, OrgId, as_of};
use ortsnetz_service::{Claim, Level, Place, resolve};

use crate::answering::matters::{self, Sought};
use crate::answering::{Question, numbers, offices, profile};
use crate::catalog;
use crate::dto::{LevelInfo, ResponsibleInfo};
use crate::error::NodeError;
use crate::shared::{Shared, read};

/// Records in force for services of these ids and LeiKa keys.
pub(super) fn by_records(
    shared: &Shared,
    question: &Question<'_>,
    place: &Place,
    services: &[EntryId],
    leika: &[String],
) -> Result<Vec<ResponsibleInfo>, NodeError> {
    let mut records: Vec<((OrgId, EntryId), Entry, Ars)> = Vec::new();
    for (organisation, area) in &question.speakers {
        let mut ids = Vec::new();
        for service in services {
            ids.extend(matters::of(shared, Sought::For(*service), organisation)?);
        }
        for key in leika {
            ids.extend(matters::of(shared, Sought::Leika(key), organisation)?);
        }
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            if let Some(entry) = record(shared, question, organisation, &id, services, leika)? {
                records.push(((*organisation, id), entry, *area));
            }
        }
    }
    let claims: Vec<Claim<'_, (OrgId, EntryId)>> =
        records.iter().map(|(key, entry, area)| Claim { key: *key, entry, owner: Some(*area) }).collect();
    let mut found = Vec::new();
    for record in resolve(&claims, place, question.at.date()) {
        let (organisation, id) = record.key;
        found.push(ResponsibleInfo {
            role: record.role.word().into(),
            level: record.level.word().into(),
            districts: record.districts,
            office: match record.office {
                Some(office) => offices::office(shared, question, &organisation, &office)?,
                None => None,
            },
            online_service: match record.online_service {
                Some(service) => offices::online(shared, question, &organisation, &service)?,
                None => None,
            },
            caveat: offices::told(record.caveat.as_ref(), question),
            organisation: shared.organisation_info(&organisation),
            entry: id.to_string(),
            from: "record".into(),
        });
    }
    Ok(found)
}

/// The record of this id, if it still is about the matter.
fn record(
    shared: &Shared,
    question: &Question<'_>,
    organisation: &OrgId,
    id: &EntryId,
    services: &[EntryId],
    leika: &[String],
) -> Result<Option<Entry>, NodeError> {
    let Some(held) = catalog::find_of(shared, organisation, id)? else { return Ok(None) };
    let entry = held.entry(id, false)?.map(|entry| as_of(&entry, question.at.date()));
    Ok(entry.filter(|entry| {
        let service = entry.get("service").and_then(serde_json::Value::as_str).and_then(|id| id.parse().ok());
        let about = service.is_some_and(|service| services.contains(&service))
            || entry.list("leika").iter().any(|key| leika.iter().any(|known| known == key));
        entry.kind() == Kind::Responsibility && about
    }))
}

/// Whom to ask where nobody is recorded: the levels from the place upwards, by name.
pub(super) fn levels(shared: &Shared, question: &Question<'_>, place: &Place) -> Result<Vec<LevelInfo>, NodeError> {
    let table = read(&shared.places).clone();
    let mut found: Vec<LevelInfo> = Vec::new();
    for ars in place.ars.covering() {
        let level = ortsnetz_service::level(&ars, place);
        let organisation =
            question.speakers.iter().find(|(_, area)| *area == ars).map(|(organisation, _)| *organisation);
        let name = match (&organisation, table.by_ars(&ars)) {
            (Some(organisation), _) => shared.organisation_name(organisation),
            (None, Some(place)) => place.name,
            // A level nobody knows by name helps nobody.
            (None, None) => continue,
        };
        let number = match &organisation {
            Some(organisation) => {
                profile(shared, organisation, question)?.and_then(|profile| numbers(&profile).into_iter().next())
            }
            None => None,
        };
        let organisation = organisation.map(|organisation| shared.organisation_info(&organisation));
        found.push(LevelInfo { level: level.word().into(), ars: ars.to_string(), name, organisation, number });
    }
    let country = question.speakers.iter().find(|(_, area)| ortsnetz_service::level_of(area) == Level::Federation);
    if let Some((organisation, area)) = country {
        let number = profile(shared, organisation, question)?.and_then(|profile| numbers(&profile).into_iter().next());
        found.push(LevelInfo {
            level: Level::Federation.word().into(),
            ars: area.to_string(),
            name: shared.organisation_name(organisation),
            organisation: Some(shared.organisation_info(organisation)),
            number,
        });
    }
    Ok(found)
}
