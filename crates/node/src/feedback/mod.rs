//! Error reports. The agent's organisation keeps the report in the collection that only the owner of the entry reads, the
//! owner his answer in the one that only they read; a report about an own entry lies in `internal`. All of this blocks.

use std::collections::BTreeMap;
use std::sync::Arc;

use ortsnetz_model::{Entry, EntryId, OrgId};
use ortsnetz_service::feedback::{Problem, State, text};
use serde_json::{Value, json};

use crate::catalog;
use crate::clock;
use crate::dto::{FeedbackAnswer, FeedbackInfo, FeedbackRequest, NewFeedback};
use crate::editing;
use crate::error::NodeError;
use crate::letters::{self, Content, Letter};
use crate::partners;
use crate::rows;
use crate::shared::Shared;
use crate::short;

mod content;

pub(crate) use content::{Answer, Report, id, moment, said};

/// Most open reports of one organisation to another: more than that nobody works off.
pub(crate) const OPEN_MAX: usize = 1_000;
/// Longest path of a report, in bytes.
const PATH_BYTES_MAX: usize = ortsnetz_model::limits::PATH_BYTES_MAX;

/// A report with the answer to it, as both organisations know them.
pub(crate) struct Known {
    /// The report.
    pub letter: Arc<Letter>,
    /// The same, read.
    pub report: Report,
    /// What its owner says to it.
    pub answer: Option<Answer>,
}

impl Known {
    /// How it stands.
    pub fn state(&self) -> State {
        self.answer.as_ref().map_or(State::Open, |answer| answer.state)
    }

    /// Whether we are asked to answer it.
    pub fn is_ours_to_answer(&self, shared: &Shared) -> bool {
        self.letter.to == shared.own.organisation && self.state() == State::Open
    }
}

/// All reports with their answers, the oldest first.
pub(crate) fn all(shared: &Shared) -> Result<Vec<Known>, NodeError> {
    let letters = letters::all(shared)?;
    let mut answers: BTreeMap<(OrgId, OrgId, &str), &Answer> = BTreeMap::new();
    for letter in &letters {
        if let Content::Answer(answer) = &letter.content {
            answers.insert((letter.by, letter.to, answer.id.as_str()), answer);
        }
    }
    let mut known: Vec<Known> = letters
        .iter()
        .filter_map(|letter| {
            let Content::Report(report) = &letter.content else { return None };
            let answer = answers.get(&(letter.to, letter.by, report.id.as_str())).map(|answer| (*answer).clone());
            Some(Known { letter: letter.clone(), report: report.clone(), answer })
        })
        .collect();
    known.sort_by(|a, b| (a.report.at, &a.report.id).cmp(&(b.report.at, &b.report.id)));
    Ok(known)
}

/// The reports that stand beside an entry: those nobody has settled.
pub(crate) fn beside(shared: &Shared, owner: &OrgId, entry: &EntryId) -> Result<Vec<FeedbackInfo>, NodeError> {
    let letters = letters::all(shared)?;
    let about = |letter: &Arc<Letter>| matches!(&letter.content, Content::Report(report) if report.about == *entry);
    if !letters.iter().any(|letter| letter.to == *owner && about(letter)) {
        return Ok(Vec::new());
    }
    let known = all(shared)?;
    let shown = |known: &&Known| known.letter.to == *owner && known.report.about == *entry && known.state().is_shown();
    known.iter().filter(shown).map(|known| info(shared, known)).collect()
}

/// How many reports stand beside which entries.
pub(crate) fn reported(shared: &Shared) -> Result<BTreeMap<(OrgId, EntryId), u64>, NodeError> {
    let mut counts = BTreeMap::new();
    for known in all(shared)?.iter().filter(|known| known.state().is_shown()) {
        *counts.entry((known.letter.to, known.report.about)).or_default() += 1;
    }
    Ok(counts)
}

/// `feedback add`
pub(crate) fn add(shared: &Shared, new: &NewFeedback) -> Result<FeedbackInfo, NodeError> {
    editing::require_editor(shared)?;
    let problem = Problem::of(&new.problem).ok_or_else(|| {
        NodeError::Invalid(format!("problem: {:?} is none of outdated, wrong, missing, unclear", new.problem))
    })?;
    let said = text(&new.text).map_err(|error| NodeError::Invalid(format!("text: {error}")))?;
    let about = short::entry_id(shared, &new.entry)?;
    let held = catalog::find(shared, &about)?.ok_or_else(|| editing::not_found(&about))?;
    let entry = held
        .entry(&about, true)?
        .ok_or_else(|| NodeError::NotFound(format!("entry {about} was withdrawn by its owner")))?;
    let path = new.path.trim();
    if path.len() > PATH_BYTES_MAX {
        return Err(NodeError::Invalid(format!("path: has more than {PATH_BYTES_MAX} bytes")));
    }
    if !path.is_empty() && problem != Problem::Missing && entry.at_path(path).is_none() {
        return Err(NodeError::Invalid(format!(
            "path: entry {about} has nothing at {path}; leave it out, or look with `ortsnetz show {about}`"
        )));
    }
    let (own, owner) = (shared.own.organisation, held.feed.organisation);
    if owner != own && !partners::confirmed(shared).contains(&owner) {
        let name = shared.organisation_name(&owner);
        return Err(NodeError::Conflict(format!(
            "entry {about} belongs to {name}, which is no confirmed partner; nothing can be reported to it"
        )));
    }
    let open = all(shared)?
        .iter()
        .filter(|known| known.letter.by == own && known.letter.to == owner && known.state() == State::Open)
        .count();
    if open >= OPEN_MAX {
        return Err(NodeError::Conflict(format!(
            "{OPEN_MAX} reports to {} wait for an answer already; ring them up",
            shared.organisation_name(&owner)
        )));
    }
    let id = data_encoding::HEXLOWER.encode(&clock::random::<16>());
    let heads: Vec<String> = held.record.record().heads().unwrap_or_default().iter().map(ToString::to_string).collect();
    let mut map = json!({
        "kind": "feedback",
        "identifier": identifier(&id),
        "feedback": id,
        "partner": owner.to_string(),
        "about": about.to_string(),
        "problem": problem.word(),
        "text": said,
        "heads": heads,
        "at": clock::rfc3339(clock::now()),
    });
    if !path.is_empty() {
        map["path"] = path.into();
    }
    write(shared, map, &owner)?;
    show(shared, &id)
}

/// `feedback answer`: the owner says how a report stands.
pub(crate) fn answer(shared: &Shared, id: &str, request: &FeedbackAnswer) -> Result<FeedbackInfo, NodeError> {
    editing::require_editor(shared)?;
    let known = find(shared, id)?;
    let (own, author) = (shared.own.organisation, known.letter.by);
    if known.letter.to != own {
        return Err(NodeError::Forbidden(format!(
            "report {} is about an entry of {}, and only they can answer it",
            known.report.id,
            shared.organisation_name(&known.letter.to)
        )));
    }
    let state = State::of(&request.state)
        .filter(|state| *state != State::Open)
        .ok_or_else(|| NodeError::Invalid(format!("state: {:?} is none of accepted, done, declined", request.state)))?;
    let said = match text(&request.answer) {
        Ok(said) => said,
        Err(ortsnetz_service::feedback::TextError::Missing) if state != State::Declined => "",
        Err(error) => return Err(NodeError::Invalid(format!("answer: {error}"))),
    };
    let said = if said.is_empty() { Value::Null } else { said.into() };
    let at = clock::rfc3339(clock::now());
    let identifier = identifier(&format!("{}/answer", known.report.id));
    let key = ["agency", "scheme", "value"].map(|name| identifier[name].as_str().unwrap_or_default().to_owned());
    let entry = EntryId::imported(&own, &key[0], &key[1], &key[2]);
    if rows::own_entry(&shared.store, &entry)?.is_some() {
        editing::patch(shared, &entry.to_string(), &json!({"state": state.word(), "answer": said, "at": at}), None)?;
        letters::publish(shared, &entry)?;
    } else {
        let map = json!({
            "kind": "feedback",
            "identifier": identifier,
            "feedback": known.report.id,
            "partner": author.to_string(),
            "state": state.word(),
            "answer": said,
            "at": at,
        });
        write(shared, map, &author)?;
    }
    show(shared, &known.report.id)
}

/// `feedback withdraw`: we reported it, and were wrong.
pub(crate) fn withdraw(shared: &Shared, id: &str) -> Result<(), NodeError> {
    let known = find(shared, id)?;
    if known.letter.by != shared.own.organisation {
        return Err(NodeError::Forbidden(format!(
            "report {} is of {}; answer it with `ortsnetz feedback answer {}`",
            known.report.id,
            shared.organisation_name(&known.letter.by),
            short_id(&known.report.id)
        )));
    }
    let done = editing::withdraw(shared, &known.letter.entry.to_string())?;
    match done.refused.first() {
        Some(refusal) => Err(NodeError::Conflict(refusal.reason.clone())),
        None => Ok(()),
    }
}

/// `feedback list`
pub(crate) fn list(shared: &Shared, request: &FeedbackRequest) -> Result<Vec<FeedbackInfo>, NodeError> {
    let own = shared.own.organisation;
    let entry = request.entry.as_deref().map(|entry| short::entry_id(shared, entry)).transpose()?;
    let partner = request.partner.as_deref().map(|name| partners::find_organisation(shared, name)).transpose()?;
    let wanted = |known: &&Known| {
        let other = if known.letter.by == own { known.letter.to } else { known.letter.by };
        (request.all || known.state().is_shown())
            && entry.is_none_or(|entry| known.report.about == entry)
            && partner.is_none_or(|partner| other == partner)
    };
    all(shared)?.iter().rev().filter(wanted).map(|known| info(shared, known)).collect()
}

/// `feedback show`
pub(crate) fn show(shared: &Shared, id: &str) -> Result<FeedbackInfo, NodeError> {
    info(shared, &find(shared, id)?)
}

/// The beginning of an id that every command takes.
pub(crate) fn short_id(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

fn identifier(value: &str) -> Value {
    json!({"agency": "ortsnetz", "scheme": "feedback", "value": value})
}

fn write(shared: &Shared, map: Value, to: &OrgId) -> Result<(), NodeError> {
    let collection = letters::collection(&shared.own.organisation, to);
    let written = editing::create_from(shared, Entry::from_json(map)?, &collection)?;
    letters::publish(shared, &written.id.parse()?)
}

fn find(shared: &Shared, id: &str) -> Result<Known, NodeError> {
    letters::find(all(shared)?, id, |known| &known.report.id, "report", "feedback")
}

/// A report as shown.
pub(crate) fn info(shared: &Shared, known: &Known) -> Result<FeedbackInfo, NodeError> {
    let report = &known.report;
    let held = catalog::find_of(shared, &known.letter.to, &report.about)?;
    let entry = held.as_ref().map_or(Ok(None), |held| held.entry(&report.about, false))?;
    let heads: Vec<String> = held
        .iter()
        .flat_map(|held| held.record.record().heads().unwrap_or_default().iter().map(ToString::to_string))
        .collect();
    Ok(FeedbackInfo {
        id: report.id.clone(),
        entry: report.about.to_string(),
        title: entry.as_ref().and_then(|entry| entry.title("de")).unwrap_or_default().to_owned(),
        owner: shared.organisation_info(&known.letter.to),
        by: shared.organisation_info(&known.letter.by),
        problem: report.problem.word().into(),
        path: report.path.clone(),
        text: report.text.clone(),
        at: clock::rfc3339(report.at),
        changed_since: {
            let (mut before, mut now) = (report.heads.clone(), heads);
            before.sort();
            now.sort();
            before != now
        },
        heads: report.heads.clone(),
        state: known.state().word().into(),
        answer: known.answer.as_ref().and_then(|answer| answer.text.clone()),
        answered_at: known.answer.as_ref().map(|answer| clock::rfc3339(answer.at)),
        published: !known.letter.draft,
    })
}
