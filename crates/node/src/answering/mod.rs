//! Answers: what an agent says for a town, put together from everything published about it. Only organisations that speak
//! for the place fill an answer. All of this blocks.

use std::collections::BTreeSet;
use std::time::Instant;

use jiff::civil::{DateTime, Time};
use ortsnetz_model::dates;
use ortsnetz_model::{Ars, Entry, EntryId, Kind, OrgId, as_of};
use ortsnetz_search::{PlaceFilter, Standing};
use ortsnetz_service::{Level, Place, covers, spoken_text};

use crate::clock;
use crate::dto::{AnswersRequest, AnswersResult, PlaceInfo, SearchRequest, TownInfo};
use crate::error::NodeError;
use crate::noticing;
use crate::places;
use crate::reading::parse_on;
use crate::searching::{self, Scope, claim, standing};
use crate::shared::{Shared, read};
use crate::short;

mod compose;
pub(crate) mod matters;
mod offices;
mod responsible;
mod steps;

use steps::Ways;

/// Composed answers if nobody says otherwise.
const ANSWERS_DEFAULT: usize = 3;
/// Most composed answers at once.
pub(crate) const ANSWERS_MAX: usize = 10;
/// Hits that are looked at.
const HITS: usize = 20;

/// The question, as every part of an answer needs it.
pub(crate) struct Question<'a> {
    /// Where; `None` if it was not said.
    pub place: Option<Place>,
    /// The same with the keys it had before or will have.
    pub filter: Option<PlaceFilter>,
    /// Local date and time.
    pub at: DateTime,
    /// The same in milliseconds since 1970.
    pub moment: u64,
    /// The real time, for ages.
    pub now: u64,
    /// The language asked for.
    pub language: &'a str,
    /// Organisations that speak for the place, with the area they speak for.
    pub speakers: Vec<(OrgId, Ars)>,
}

impl Question<'_> {
    /// The key of the place.
    pub fn ars(&self) -> Option<&Ars> {
        self.place.as_ref().map(|place| &place.ars)
    }

    /// How local an organisation is, by the area it speaks for.
    pub fn level_of(&self, shared: &Shared, organisation: &OrgId) -> Level {
        let area = self.speakers.iter().find(|(speaker, _)| speaker == organisation).map(|(_, area)| *area);
        match (area.or_else(|| claim(shared, organisation)), &self.place) {
            (Some(area), Some(place)) => ortsnetz_service::level(&area, place),
            (Some(area), None) => ortsnetz_service::level_of(&area),
            (None, _) => Level::Municipality,
        }
    }

    /// Whether an organisation may fill an answer: without a place every one may speak for itself.
    pub fn may_fill(&self, organisation: &OrgId) -> bool {
        self.place.is_none() || self.speakers.iter().any(|(speaker, _)| speaker == organisation)
    }
}

/// `answers`
pub(crate) fn answers(shared: &Shared, request: &AnswersRequest) -> Result<AnswersResult, NodeError> {
    let started = Instant::now();
    let limit = request.limit.unwrap_or(ANSWERS_DEFAULT);
    if !(1..=ANSWERS_MAX).contains(&limit) {
        return Err(NodeError::Invalid(format!("limit: {limit} answers are not possible; give 1 to {ANSWERS_MAX}")));
    }
    let language = request.lang.as_deref().filter(|language| !language.is_empty()).unwrap_or("de");
    let now = clock::now();
    let at = when(request, now)?;
    let mut result = AnswersResult { at: at.strftime("%Y-%m-%dT%H:%M").to_string(), ..AnswersResult::default() };
    let there = request.to.as_deref().or(request.place.as_deref());
    let (question, place) = match question(shared, there, at, now, language)? {
        Located::There(question, place) => (*question, place),
        Located::Ambiguous(places) => return Ok(AnswersResult { places, ..result }),
    };
    let from =
        match request.from.as_deref().map(|from| self::question(shared, Some(from), at, now, language)).transpose()? {
            Some(Located::There(question, place)) => {
                result.from = place;
                Some(*question)
            }
            Some(Located::Ambiguous(places)) => return Ok(AnswersResult { places, ..result }),
            None => None,
        };
    result.place = place;
    let conditions = request.conditions.as_deref().map(conditions).transpose()?;
    result.town = question.place.as_ref().map(|place| town(shared, place, &question)).transpose()?.flatten();
    result.notices = noticing::at(shared, question.filter.as_ref(), None, language, question.moment, false)?;
    result.left = question.filter.as_ref().map(|place| searching::left(shared, place)).unwrap_or_default();
    let mut ids: Vec<(EntryId, Option<OrgId>)> = Vec::new();
    if let Some(id) = request.id.as_deref().filter(|id| !id.is_empty()) {
        ids.push((short::entry_id(shared, id)?, None));
    } else {
        let found = searching::search(shared, &search_for(request, there, &question), Scope::All)?;
        (result.hits, result.total, result.completeness) = (found.hits, found.total, found.completeness);
        for hit in &result.hits {
            // Nothing is composed of what nobody keeps up to date any more.
            let left = hit.organisation.leaving.as_ref().is_some_and(|leaving| leaving.left);
            if let (Ok(id), Ok(organisation), false) = (hit.id.parse(), hit.organisation.id.parse(), left) {
                ids.push((id, Some(organisation)));
            }
        }
    }
    let mut told: Vec<(OrgId, EntryId)> = Vec::new();
    for (id, organisation) in ids {
        if result.answers.len() == limit {
            break;
        }
        let Some(composed) = compose::answer(shared, &question, &id, organisation.as_ref(), &told)? else { continue };
        told.extend(composed.made_of);
        let mut answer = composed.answer;
        if answer.kind == Kind::LifeEvent.as_str() {
            let ways = Ways { from: from.as_ref(), to: &question, conditions: conditions.as_deref() };
            steps::add(shared, &ways, &composed.entry, &mut answer)?;
        }
        result.answers.push(answer);
    }
    if request.id.is_some() && result.answers.is_empty() {
        return Err(NodeError::NotFound(format!(
            "entry {} is not published, or answers nothing; look with `ortsnetz show`",
            request.id.as_deref().unwrap_or_default()
        )));
    }
    let shown = shown(&result, &told);
    result.hits.retain(|hit| !shown.contains(&hit.id));
    result.took_ms = searching::milliseconds(started);
    Ok(result)
}

/// A place as somebody typed it, and the question there.
enum Located<'a> {
    /// One place, or none was typed.
    There(Box<Question<'a>>, Option<PlaceInfo>),
    /// It may mean all these.
    Ambiguous(Vec<PlaceInfo>),
}

/// The question at a place.
fn question<'a>(
    shared: &Shared,
    place: Option<&str>,
    at: DateTime,
    now: u64,
    language: &'a str,
) -> Result<Located<'a>, NodeError> {
    let mut shown = None;
    let mut located = None;
    if let Some(text) = place.map(str::trim).filter(|text| !text.is_empty()) {
        let found = places::asked(shared, text, Some(at.date()))?;
        let Some(filter) = found.only else { return Ok(Located::Ambiguous(found.candidates)) };
        shown = found.candidates.into_iter().next();
        located = Some((filter.clone(), meant(filter, shown.as_ref())));
    }
    let (filter, place) = located.unzip();
    let speakers = filter.as_ref().map(|place| speakers(shared, place)).unwrap_or_default();
    let question = Question { place, filter, at, moment: dates::instant(at), now, language, speakers };
    Ok(Located::There(Box::new(question), shown))
}

/// The numbers of conditions that hold, `0,2`; an empty text is none of them.
fn conditions(text: &str) -> Result<Vec<usize>, NodeError> {
    let wrong = |part: &str| {
        NodeError::Invalid(format!("conditions: {part:?} is no number of a condition; write them like 0,2"))
    };
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().map_err(|_| wrong(part))).collect()
}

/// Entries that stand in the answers already: what they are made of, the records that name an office, and the offices.
fn shown(result: &AnswersResult, told: &[(OrgId, EntryId)]) -> BTreeSet<String> {
    let mut shown: BTreeSet<String> = told.iter().map(|(_, id)| id.to_string()).collect();
    shown.extend(told_by(result));
    shown
}

/// Entries that an answer names beside those it is made of: the records that name an office, the offices, online services, notices.
pub(crate) fn told_by(result: &AnswersResult) -> BTreeSet<String> {
    let mut shown = BTreeSet::new();
    for record in result.answers.iter().flat_map(|answer| &answer.responsible) {
        shown.insert(record.entry.clone());
        shown.extend(record.office.as_ref().map(|office| office.id.clone()));
        shown.extend(record.online_service.as_ref().map(|online| online.id.clone()));
    }
    shown.extend(result.notices.iter().map(|notice| notice.id.clone()));
    shown
}

/// The search that finds what may answer.
fn search_for(request: &AnswersRequest, place: Option<&str>, question: &Question<'_>) -> SearchRequest {
    SearchRequest {
        q: request.q.clone(),
        place: place.map(str::to_owned),
        on: Some(question.at.date().to_string()),
        limit: Some(HITS),
        lang: Some(question.language.to_owned()),
        ..SearchRequest::default()
    }
}

/// The local date and time of a question.
fn when(request: &AnswersRequest, now: u64) -> Result<DateTime, NodeError> {
    let local = dates::local(now);
    let date = parse_on(request.on.as_deref())?.unwrap_or_else(|| local.date());
    let time = match request.at.as_deref().filter(|text| !text.is_empty()) {
        None => local.time(),
        Some(text) => text
            .parse::<Time>()
            .map_err(|_| NodeError::Invalid(format!("at: {text:?} is no time of day; write it like 10:30")))?,
    };
    Ok(date.to_datetime(time))
}

/// The place that was meant, as shown.
fn meant(filter: PlaceFilter, shown: Option<&PlaceInfo>) -> Place {
    let level = match shown.map(|place| place.kind.as_str()) {
        Some("county") => Level::County,
        Some("state") => Level::State,
        _ => Level::Municipality,
    };
    Place { ars: filter.ars, level, district: filter.district }
}

/// Whether an organisation speaks for a place, so that what it says counts there.
pub(crate) fn speaks_for(shared: &Shared, organisation: &OrgId, place: &PlaceFilter) -> bool {
    matches!(standing(shared, organisation, Some(place)), Standing::Own | Standing::Partner | Standing::Vouched)
        && !read(&shared.claims).succeeded.contains_key(organisation)
}

/// Who speaks for a place, with the area of each, the most local first.
fn speakers(shared: &Shared, place: &PlaceFilter) -> Vec<(OrgId, Ars)> {
    let claiming: Vec<(OrgId, Ars)> = read(&shared.identities)
        .values()
        .filter_map(|identity| Some((identity.id(), identity.ars().parse::<Ars>().ok()?)))
        .collect();
    let inherited: Vec<(OrgId, Ars)> = read(&shared.claims)
        .inherited
        .iter()
        .flat_map(|(organisation, places)| places.iter().map(|place| (*organisation, *place)))
        .collect();
    // A key that the place had before, or will have, is the place itself.
    let area = |area: Ars| if place.also.contains(&area) { place.ars } else { area };
    let mut speakers: Vec<(OrgId, Ars)> = claiming
        .into_iter()
        .chain(inherited)
        .map(|(organisation, claimed)| (organisation, area(claimed)))
        .filter(|(organisation, area)| covers(area, &place.ars) && speaks_for(shared, organisation, place))
        .collect();
    speakers.sort_by_key(|(organisation, area)| (std::cmp::Reverse(area.prefix().len()), *organisation));
    speakers.dedup();
    speakers
}

/// The organisation whose place this is, and how it wants its citizens to be received.
fn town(shared: &Shared, place: &Place, question: &Question<'_>) -> Result<Option<TownInfo>, NodeError> {
    let Some((organisation, _)) = question.speakers.iter().find(|(_, area)| *area == place.ars) else {
        return Ok(None);
    };
    let mut info = TownInfo { organisation: shared.organisation_info(organisation), ..TownInfo::default() };
    if let Some(profile) = profile(shared, organisation, question)? {
        let words = |name: &str| {
            profile.get(name).and_then(|texts| spoken_text(texts, question.language)).map(|(_, text)| text.to_owned())
        };
        info.greeting = words("greeting");
        info.remarks = words("remarks");
        info.numbers = numbers(&profile);
    }
    Ok(Some(info))
}

/// The profile of an organisation, as it stands on the day of the question.
fn profile(shared: &Shared, organisation: &OrgId, question: &Question<'_>) -> Result<Option<Entry>, NodeError> {
    Ok(find_profile(shared, organisation)?.map(|(_, entry)| as_of(&entry, question.at.date())))
}

fn find_profile(shared: &Shared, organisation: &OrgId) -> Result<Option<(EntryId, Entry)>, NodeError> {
    for id in matters::of(shared, matters::Sought::Profile, organisation)? {
        if let Some(held) = crate::catalog::find_of(shared, organisation, &id)?
            && let Some(entry) = held.entry(&id, false)?.filter(|entry| entry.kind() == Kind::Profile)
        {
            return Ok(Some((id, entry)));
        }
    }
    Ok(None)
}

/// The entry of the profile of an organisation.
pub(crate) fn profile_of(shared: &Shared, organisation: &OrgId) -> Result<Option<EntryId>, NodeError> {
    Ok(find_profile(shared, organisation)?.map(|(id, _)| id))
}

/// The telephone numbers a profile names.
fn numbers(profile: &Entry) -> Vec<String> {
    profile.list("numbers").into_iter().map(str::to_owned).collect()
}
