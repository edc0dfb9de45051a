//! One answer from the entries about one matter.

use std::collections::BTreeSet;

use ortsnetz_model::dates::{self, parse_date};
use ortsnetz_model::{Entry, EntryId, Kind, OrgId, as_of};
use ortsnetz_search::{PlaceFilter, Standing};
use ortsnetz_service::agreement::About;
use ortsnetz_service::{
    Composed, Facts, Freshness, Layer, Level, Part, Told, compose, covers, judge, next_review, spoken_text,
};
use ortsnetz_trust::record::SignedRecord;
use serde_json::Value;

use crate::agreements;
use crate::answering::matters::{self, Sought};
use crate::answering::{Question, offices, responsible};
use crate::catalog::{self, Held};
use crate::clock::rfc3339;
use crate::dto::{
    AgentNote, AllowedInfo, Answer, AnswerField, AnswerText, FeedbackInfo, NoticeInfo, OfficeInfo, RelatedInfo,
    ResponsibleInfo, SourceInfo,
};
use crate::error::NodeError;
use crate::feedback;
use crate::leaving;
use crate::live;
use crate::noticing;
use crate::reading::texts;
use crate::searching::standing;
use crate::shared::Shared;

/// Most offices that a service names and an answer shows.
pub(crate) const OFFICES_SHOWN_MAX: usize = 20;

/// An answer, and the entries it is made of.
pub(super) struct Made {
    pub answer: Answer,
    pub made_of: Vec<(OrgId, EntryId)>,
    /// The first of them, as it stands on the day of the question.
    pub entry: Entry,
}

/// An entry that an answer is made of.
struct Source {
    organisation: OrgId,
    id: EntryId,
    held: Held,
    /// As it stands on the day of the question, companions joined.
    entry: Entry,
    level: Level,
}

/// The answer that begins with this entry; `None` if it is not published, is no answer, or is part of what was told before.
/// Of an entry that was found by words (`organisation` is set) only if its owner speaks for the place.
pub(super) fn answer(
    shared: &Shared,
    question: &Question<'_>,
    id: &EntryId,
    organisation: Option<&OrgId>,
    told: &[(OrgId, EntryId)],
) -> Result<Option<Made>, NodeError> {
    let held = match organisation {
        Some(organisation) => catalog::find_of(shared, organisation, id)?,
        None => catalog::find(shared, id)?,
    };
    let Some(source) = held.map_or(Ok(None), |held| source(question, shared, id, held))? else { return Ok(None) };
    let speaks = question.may_fill(&source.organisation);
    if told.contains(&(source.organisation, *id)) || organisation.is_some() && !speaks {
        return Ok(None);
    }
    match source.entry.kind() {
        Kind::Responsibility => {
            // Who is responsible is said with the service.
            let service = source.entry.get("service").and_then(Value::as_str).and_then(|id| id.parse().ok());
            let Some(service) = service.filter(|service: &EntryId| service != id) else { return Ok(None) };
            let Some(held) = catalog::find(shared, &service)? else { return Ok(None) };
            let owner = held.feed.organisation;
            let is_service = held.entry(&service, false)?.is_some_and(|entry| entry.kind() == Kind::Service);
            if !is_service { Ok(None) } else { answer(shared, question, &service, organisation.map(|_| &owner), told) }
        }
        Kind::Service => service(shared, question, source, speaks).map(Some),
        Kind::Office | Kind::OnlineService | Kind::Form | Kind::LifeEvent => {
            single(shared, question, source, speaks).map(Some)
        }
        _ => Ok(None),
    }
}

fn source(question: &Question<'_>, shared: &Shared, id: &EntryId, held: Held) -> Result<Option<Source>, NodeError> {
    let Some(entry) = held.entry(id, true)? else { return Ok(None) };
    let organisation = held.feed.organisation;
    let entry = as_of(&entry, question.at.date());
    Ok(Some(Source { organisation, id: *id, level: question.level_of(shared, &organisation), held, entry }))
}

/// An answer from one entry alone.
fn single(shared: &Shared, question: &Question<'_>, source: Source, speaks: bool) -> Result<Made, NodeError> {
    let mut offices = Vec::new();
    if source.entry.kind() == Kind::Office {
        let office = offices::office_info(&source.entry, &source.id, question);
        offices.push(named(shared, &source, office));
    }
    let sources = vec![source];
    let composed = compose(&layers(&sources), question.language);
    let mut made = made(shared, question, &sources, composed, speaks)?;
    made.answer.responsible = offices;
    Ok(made)
}

fn service(shared: &Shared, question: &Question<'_>, first: Source, speaks: bool) -> Result<Made, NodeError> {
    let mut related = Vec::new();
    let mut sources = vec![first];
    if speaks {
        others(shared, question, &mut sources, &mut related)?;
    }
    sources.sort_by_key(|source| (source.level, source.organisation));
    let composed = compose(&layers(&sources), question.language);
    let leika = keys(&sources);
    let ids: Vec<EntryId> = sources.iter().map(|source| source.id).collect();
    let mut responsible = Vec::new();
    if let Some(place) = question.place.as_ref().filter(|_| speaks) {
        responsible = responsible::by_records(shared, question, place, &ids, &leika)?;
    }
    if responsible.is_empty() {
        responsible = by_service(shared, question, &sources, &composed)?;
    }
    let mut made = made(shared, question, &sources, composed, speaks)?;
    if let Some(place) = question.place.as_ref().filter(|_| responsible.is_empty()) {
        made.answer.nobody = responsible::levels(shared, question, place)?;
    }
    let district = question.place.as_ref().and_then(|place| place.district.as_ref());
    made.answer.ask_district = district.is_none() && responsible.iter().any(|record| !record.districts.is_empty());
    made.answer.responsible = responsible;
    made.answer.related = related;
    Ok(made)
}

/// What other owners that speak for the place say about the same matter. Where one of them has several entries about it, none
/// is picked: those are related answers of their own, as are further ones of the first entry's owner.
fn others(
    shared: &Shared,
    question: &Question<'_>,
    sources: &mut Vec<Source>,
    related: &mut Vec<RelatedInfo>,
) -> Result<(), NodeError> {
    let (owner, first, base) = match sources.first() {
        Some(source) => (source.organisation, source.id, base(&source.entry)),
        None => return Ok(()),
    };
    let leika = keys(sources);
    for (organisation, _) in &question.speakers {
        let mut ids: BTreeSet<EntryId> = BTreeSet::new();
        for key in &leika {
            ids.extend(matters::of(shared, Sought::Service(key), organisation)?);
        }
        ids.extend(base.filter(|(of, _)| of == organisation).map(|(_, entry)| entry));
        ids.remove(&first);
        let mut found = Vec::new();
        for id in ids {
            let Some(held) = catalog::find_of(shared, organisation, &id)? else { continue };
            let Some(source) = source(question, shared, &id, held)? else { continue };
            let named = base == Some((*organisation, id));
            if source.entry.kind() == Kind::Service
                && (named || is_about(&source.entry, &leika))
                && is_valid(&source, question)
            {
                found.push(source);
            }
        }
        if let Some(named) = found.iter().position(|source| base == Some((source.organisation, source.id))) {
            sources.push(found.swap_remove(named));
        } else if *organisation != owner && found.len() == 1 {
            sources.append(&mut found);
        }
        related.extend(found.iter().map(|source| RelatedInfo {
            id: source.id.to_string(),
            title: source.entry.title(question.language).unwrap_or_default().to_owned(),
            organisation: shared.organisation_info(&source.organisation),
        }));
    }
    Ok(())
}

/// The entry that this one is a layer upon.
fn base(entry: &Entry) -> Option<(OrgId, EntryId)> {
    let from = entry.at_path("extensions.adopted_from")?;
    let text = |name: &str| from.get(name).and_then(Value::as_str);
    (text("mode") == Some("layer")).then_some(())?;
    Some((text("organisation")?.parse().ok()?, text("entry")?.parse().ok()?))
}

fn is_about(entry: &Entry, leika: &[String]) -> bool {
    entry.list("leika").iter().any(|key| leika.iter().any(|known| known == key))
}

/// Whether an entry is valid at the place and on the day of the question.
fn is_valid(source: &Source, question: &Question<'_>) -> bool {
    let areas = source.entry.valid_for();
    let there = |place: &PlaceFilter| {
        areas.is_empty() || areas.iter().any(|area| covers(area, &place.ars) || place.also.contains(area))
    };
    question.filter.as_ref().is_none_or(there) && source.entry.is_valid_on(question.at.date())
}

fn keys(sources: &[Source]) -> Vec<String> {
    let keys: BTreeSet<String> =
        sources.iter().flat_map(|source| source.entry.list("leika")).map(str::to_owned).collect();
    keys.into_iter().collect()
}

fn layers(sources: &[Source]) -> Vec<Layer<'_>> {
    sources.iter().map(|source| Layer { entry: &source.entry, level: source.level }).collect()
}

/// The offices that the service itself names, where no record says more.
fn by_service(
    shared: &Shared,
    question: &Question<'_>,
    sources: &[Source],
    composed: &Composed,
) -> Result<Vec<ResponsibleInfo>, NodeError> {
    let Some(Part { layer, value }) = composed.field("offices") else { return Ok(Vec::new()) };
    let Some(source) = sources.get(*layer) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let ids = value.as_array().into_iter().flatten().filter_map(|id| id.as_str()?.parse::<EntryId>().ok());
    for id in ids.take(OFFICES_SHOWN_MAX) {
        if let Some(office) = offices::office(shared, question, &source.organisation, &id)? {
            found.push(named(shared, source, office));
        }
    }
    Ok(found)
}

/// An office that an entry names.
fn named(shared: &Shared, source: &Source, office: OfficeInfo) -> ResponsibleInfo {
    ResponsibleInfo {
        role: "responsible".into(),
        level: source.level.word().into(),
        office: Some(office),
        organisation: shared.organisation_info(&source.organisation),
        entry: source.id.to_string(),
        from: "service".into(),
        ..ResponsibleInfo::default()
    }
}

/// What every answer says: texts, fields, notices, notes and where all that comes from.
fn made(
    shared: &Shared,
    question: &Question<'_>,
    sources: &[Source],
    composed: Composed,
    speaks: bool,
) -> Result<Made, NodeError> {
    let infos: Vec<(SourceInfo, Freshness)> =
        sources.iter().map(|source| source_info(shared, question, source)).collect::<Result<_, _>>()?;
    let used: BTreeSet<usize> = std::iter::once(0)
        .chain(composed.title.iter().map(|part| part.layer))
        .chain(composed.short.iter().map(|part| part.layer))
        .chain(composed.texts.iter().map(|part| part.layer))
        .chain(composed.fields.iter().map(|(_, part)| part.layer))
        .collect();
    let worst = used.iter().filter_map(|layer| infos.get(*layer)).map(|(_, freshness)| *freshness).max();
    let field =
        |name: &str| composed.field(name).map(|part| AnswerField { value: part.value.clone(), source: part.layer });
    let (fees, deadlines) = (field("fees"), field("deadlines"));
    let (processing_time, online_services) = (field("processing_time"), field("online_services"));
    let (language, title) = composed.title.map(|part| part.value).unwrap_or_default();
    let first = sources.first();
    let languages: BTreeSet<&str> = sources.iter().flat_map(|source| source.entry.languages()).collect();
    let answer = Answer {
        id: first.map(|source| source.id.to_string()).unwrap_or_default(),
        kind: first.map(|source| source.entry.kind().as_str().to_owned()).unwrap_or_default(),
        title,
        language,
        short: composed.short.map(text),
        texts: composed.texts.into_iter().map(text).collect(),
        fees,
        deadlines,
        processing_time,
        online_services,
        allowed: allowed(shared, question, sources)?,
        notices: notices(shared, question, sources)?,
        reports: reports(shared, sources)?,
        agent_notes: sources.iter().enumerate().flat_map(|(number, source)| notes(number, source, question)).collect(),
        freshness: worst.unwrap_or(Freshness::Fresh).word().into(),
        languages: languages.into_iter().map(str::to_owned).collect(),
        sources: infos.into_iter().map(|(info, _)| info).collect(),
        remark: first.and_then(|source| remark(shared, question, source, speaks)),
        ..Answer::default()
    };
    let entry = first.map(|source| source.entry.clone()).unwrap_or_default();
    Ok(Made { answer, entry, made_of: sources.iter().map(|source| (source.organisation, source.id)).collect() })
}

/// What the agreement with the town allows; without a place that with the owner of the first entry.
fn allowed(shared: &Shared, question: &Question<'_>, sources: &[Source]) -> Result<AllowedInfo, NodeError> {
    let town = question.ars().and_then(|ars| question.speakers.iter().find(|(_, area)| area == ars));
    let town = town.map(|(organisation, _)| *organisation);
    let first = sources.first().filter(|_| question.place.is_none()).map(|source| source.organisation);
    let Some(town) = town.or(first) else {
        // Nobody can have agreed for a town that is not in the network.
        return Ok(agreements::without());
    };
    let has = |name: &str| sources.iter().any(|source| source.entry.get(name).is_some());
    let online = has("online_services") || sources.iter().any(|source| source.entry.kind() == Kind::OnlineService);
    agreements::allowed(shared, &town, &about(sources, question), online, question.at)
}

fn text(part: Part<Told>) -> AnswerText {
    AnswerText { name: part.value.name, language: part.value.language, text: part.value.text, source: part.layer }
}

/// What the sources are about, together.
fn about<'a>(sources: &'a [Source], question: &Question<'_>) -> About<'a> {
    let mut about = About::default();
    for source in sources {
        let of = noticing::about(&source.entry, question.language);
        about.leika.extend(of.leika);
        about.life_events.extend(of.life_events);
        about.words.extend(of.words);
    }
    about
}

fn notices(shared: &Shared, question: &Question<'_>, sources: &[Source]) -> Result<Vec<NoticeInfo>, NodeError> {
    let matter = about(sources, question);
    noticing::at(shared, question.filter.as_ref(), Some(&matter), question.language, question.moment, false)
}

/// What agents reported of the sources and nobody has settled.
fn reports(shared: &Shared, sources: &[Source]) -> Result<Vec<FeedbackInfo>, NodeError> {
    let mut reports = Vec::new();
    for source in sources {
        reports.extend(feedback::beside(shared, &source.organisation, &source.id)?);
    }
    Ok(reports)
}

fn notes(number: usize, source: &Source, question: &Question<'_>) -> Vec<AgentNote> {
    let companions = source.entry.get("companions").and_then(Value::as_object);
    let notes =
        companions.into_iter().flat_map(|companions| companions.values()).filter_map(|fields| fields.get("agent_note"));
    notes
        .filter_map(|note| spoken_text(note, question.language))
        .map(|(language, text)| AgentNote { text: text.to_owned(), language: language.to_owned(), source: number })
        .collect()
}

fn source_info(
    shared: &Shared,
    question: &Question<'_>,
    source: &Source,
) -> Result<(SourceInfo, Freshness), NodeError> {
    let record = source.held.record.record();
    let own = source.organisation == shared.own.organisation;
    let received_at = source.held.home.as_ref().map_or(0, |row| row.at);
    // Who was asked just now needs no checkpoint to be heard of.
    let asked = live::asked_at(shared, &source.held.feed, received_at);
    let checkpoint = if own || asked.is_some() { asked } else { newest_checkpoint(shared, source)? };
    let planned = source.entry.next_review().and_then(parse_date);
    let reviewed = source.entry.at_path("review.reviewed_at").and_then(Value::as_str).and_then(parse_date);
    let due = planned.map(|planned| next_review(planned, reviewed, dates::today(record.at)));
    let facts = Facts {
        reviewed_at: record.at,
        next_review: due.map(dates::end_of),
        checkpoint_at: if own { None } else { Some(checkpoint.unwrap_or(record.at)) },
    };
    let (freshness, reasons) = judge(&facts, question.now);
    let received = source.held.home.as_ref().filter(|_| !own);
    let info = SourceInfo {
        organisation: shared.organisation_info(&source.organisation),
        entry: source.id.to_string(),
        title: source.entry.title(question.language).unwrap_or_default().to_owned(),
        collection: shared.collection_name(&source.held.feed),
        level: source.level.word().into(),
        published_at: rfc3339(record.at),
        received_at: received.map(|row| rfc3339(row.at)),
        received_from: received.and_then(|row| row.from).map(|node| shared.node_name(&node)),
        checkpoint_at: checkpoint.map(rfc3339),
        next_review: due.map(|due| due.to_string()),
        heads: texts(record.heads().unwrap_or_default()),
        freshness: freshness.word().into(),
        reasons: reasons.into_iter().map(|reason| reason.word().to_owned()).collect(),
    };
    Ok((info, freshness))
}

/// When the owner wrote the newest checkpoint of the feed that is here.
fn newest_checkpoint(shared: &Shared, source: &Source) -> Result<Option<u64>, NodeError> {
    let markers = shared.store.markers(&source.held.feed)?;
    Ok(markers
        .iter()
        .rev()
        .find_map(|(_, bytes)| SignedRecord::from_bytes(bytes).ok())
        .map(|marker| marker.record().at))
}

fn remark(shared: &Shared, question: &Question<'_>, source: &Source, speaks: bool) -> Option<String> {
    if let Some(leaving) = leaving::of(shared, &source.organisation).filter(|leaving| leaving.left) {
        return Some(leaving.sentence);
    }
    if !speaks {
        return Some("not from the responsible town".into());
    }
    let unsure = matches!(
        standing(shared, &source.organisation, question.filter.as_ref()),
        Standing::Unconfirmed | Standing::Introduced | Standing::Contradicted
    );
    unsure.then(|| "town not yet confirmed".into())
}
