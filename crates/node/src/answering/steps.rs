//! Life events: the steps of several organisations in order, each at the place it means.

use ortsnetz_model::{Entry, EntryId, Kind};
use serde_json::Value;

use crate::answering::{Question, compose, matters, offices};
use crate::catalog;
use crate::dto::{Answer, ConditionInfo, ProviderInfo, StepInfo};
use crate::error::NodeError;
use crate::shared::Shared;

/// Most steps of a life event that are answered; further ones are left out.
pub(crate) const STEPS_MAX: usize = 30;
/// Most questions that a caller is asked: what depends on further conditions is told with them.
pub(crate) const CONDITIONS_MAX: usize = 5;

/// Where the caller comes from and goes to.
pub(super) struct Ways<'a> {
    /// The place that is left.
    pub from: Option<&'a Question<'a>>,
    /// The place that is moved to, or where everything happens.
    pub to: &'a Question<'a>,
    /// The numbers of the conditions that hold; `None` if nobody was asked yet.
    pub conditions: Option<&'a [usize]>,
}

/// Adds the steps of a life event to its answer.
pub(super) fn add(shared: &Shared, ways: &Ways<'_>, entry: &Entry, answer: &mut Answer) -> Result<(), NodeError> {
    let steps = entry.get("steps").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for step in steps {
        if let Some(text) = offices::told(step.get("condition"), ways.to)
            && answer.conditions.len() < CONDITIONS_MAX
            && !answer.conditions.iter().any(|known| known.text == text)
        {
            answer.conditions.push(ConditionInfo { n: answer.conditions.len(), text });
        }
    }
    for step in steps.iter().take(STEPS_MAX) {
        let condition = offices::told(step.get("condition"), ways.to);
        let asked = condition.as_ref().and_then(|text| answer.conditions.iter().find(|known| known.text == *text));
        let asked = asked.map(|known| known.n);
        if let (Some(n), Some(holds)) = (asked, ways.conditions)
            && !holds.contains(&n)
        {
            continue;
        }
        let mut info = one(shared, ways, step)?;
        (info.condition, info.asked) = (condition, asked);
        answer.steps.push(info);
    }
    Ok(())
}

fn one(shared: &Shared, ways: &Ways<'_>, step: &Value) -> Result<StepInfo, NodeError> {
    let text = |name: &str| step.get(name).and_then(Value::as_str);
    let place = text("place").unwrap_or("none");
    let question = if place == "from" { ways.from } else { Some(ways.to) };
    let days = step.get("deadline_days").and_then(Value::as_i64);
    let mut info = StepInfo {
        title: offices::told(step.get("title"), ways.to).unwrap_or_default(),
        place: place.into(),
        deadline_days: days,
        provider: step.get("provider").map(|provider| ProviderInfo {
            name: provider.get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
            url: provider.get("url").and_then(Value::as_str).map(str::to_owned),
        }),
        ..StepInfo::default()
    };
    let Some(question) = question.filter(|question| place == "none" || question.place.is_some()) else {
        info.state = "place_missing".into();
        return Ok(info);
    };
    info.ars = question.ars().filter(|_| place != "none").map(ToString::to_string);
    let (service, leika) = (text("service").and_then(|id| id.parse::<EntryId>().ok()), text("leika"));
    let mut answer = None;
    if let Some(id) = service {
        answer = service_answer(shared, question, &id)?;
    }
    if let (None, Some(leika)) = (&answer, leika) {
        answer = by_key(shared, question, leika)?;
    }
    info.state = match (&answer, service.is_some() || leika.is_some(), &info.provider) {
        (Some(answer), ..) if answer.freshness == "stale" => "stale",
        (Some(_), ..) => "answered",
        (None, true, _) => "gone",
        (None, false, Some(_)) => "provider",
        (None, false, None) => "text",
    }
    .into();
    if info.title.is_empty() {
        info.title = answer.as_ref().map(|answer| answer.title.clone()).unwrap_or_default();
    }
    info.answer = answer.map(Box::new);
    Ok(info)
}

/// The answer that begins with this service, if it is here and its owner speaks for the place.
fn service_answer(shared: &Shared, question: &Question<'_>, id: &EntryId) -> Result<Option<Answer>, NodeError> {
    let Some(held) = catalog::find(shared, id)? else { return Ok(None) };
    let owner = held.feed.organisation;
    let is_service = held.entry(id, false)?.is_some_and(|entry| entry.kind() == Kind::Service);
    if !is_service {
        return Ok(None);
    }
    Ok(compose::answer(shared, question, id, Some(&owner), &[])?.map(|made| made.answer))
}

/// The answer to a matter by its key: of the most local owner that describes it.
fn by_key(shared: &Shared, question: &Question<'_>, leika: &str) -> Result<Option<Answer>, NodeError> {
    for (organisation, _) in &question.speakers {
        for (id, _) in matters::services(shared, organisation, leika)? {
            if let Some(made) = compose::answer(shared, question, &id, Some(organisation), &[])? {
                return Ok(Some(made.answer));
            }
        }
    }
    Ok(None)
}
