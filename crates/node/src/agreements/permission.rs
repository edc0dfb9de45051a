//! What an agent here may do for another town.

use jiff::civil::{Date, DateTime};
use ortsnetz_model::OrgId;
use ortsnetz_model::dates::{self, parse_date};
use ortsnetz_service::agreement::{About, Action, ServiceHours, State, Terms, states};

use super::ledger;
use crate::clock;
use crate::dto::AllowedInfo;
use crate::error::NodeError;
use crate::shared::Shared;

/// What the agreement with a town allows about a matter at a local time. For our own town everything; without an agreement in
/// force to say who is responsible, and to connect.
pub(crate) fn allowed(
    shared: &Shared,
    town: &OrgId,
    matter: &About<'_>,
    online: bool,
    at: DateTime,
) -> Result<AllowedInfo, NodeError> {
    let words = |actions: &[Action]| actions.iter().map(|action| action.word().to_owned()).collect();
    if *town == shared.own.organisation {
        let mut actions = vec![Action::Inform, Action::Connect, Action::Answer];
        actions.extend(online.then_some(Action::TakeCase));
        return Ok(AllowedInfo {
            actions: words(&actions),
            state: "own".into(),
            within_hours: true,
            ..AllowedInfo::default()
        });
    }
    let all = ledger::all(shared)?;
    let own = shared.own.organisation.to_string();
    let mut best: Option<(State, AllowedInfo)> = None;
    for agreement in all.iter().filter(|agreement| agreement.partner == *town) {
        let states = states(&agreement.states(), at.date());
        for (known, state) in agreement.versions.iter().zip(states) {
            if known.terms.provider != own || best.as_ref().is_some_and(|(best, _)| rank(*best) <= rank(state)) {
                continue;
            }
            let actions = match state {
                State::InForce => known.terms.allows(matter, online),
                _ => vec![Action::Inform, Action::Connect],
            };
            let info = AllowedInfo {
                actions: words(&actions),
                state: state.word().into(),
                agreement: Some(agreement.id.clone()),
                version: Some(known.number),
                stage: Some(known.terms.stage),
                within_hours: known.terms.is_served(at),
                until: known.ends_on().map(|date| date.to_string()).or_else(|| known.terms.valid_until.clone()),
            };
            best = Some((state, info));
        }
    }
    Ok(best.map_or_else(without, |(_, info)| info))
}

/// The versions in force with a partner today, with the id of their agreement.
fn in_force(shared: &Shared, partner: &OrgId, today: Date) -> Result<Vec<(String, Terms)>, NodeError> {
    let all = ledger::all(shared)?;
    let mut found = Vec::new();
    for agreement in all.iter().filter(|agreement| agreement.partner == *partner) {
        let states = states(&agreement.states(), today);
        let now = agreement.versions.iter().zip(states).filter(|(_, state)| *state == State::InForce);
        found.extend(now.map(|(known, _)| (agreement.id.clone(), known.terms.clone())));
    }
    Ok(found)
}

/// Within how many hours reports of a partner are to be answered, and which hours count; the shortest time of all agreements in
/// force, `None` if none says it.
pub(crate) fn answer_hours(
    shared: &Shared,
    partner: &OrgId,
    now: u64,
) -> Result<Option<(u16, Vec<ServiceHours>)>, NodeError> {
    let agreed = in_force(shared, partner, dates::today(now))?;
    let hours = agreed.into_iter().filter_map(|(_, terms)| Some((terms.targets?.answer_hours, terms.service_hours)));
    Ok(hours.min_by_key(|(hours, _)| *hours))
}

/// The agreement by which what a partner suggests about a matter of ours is taken without a person.
pub(crate) fn accepting(shared: &Shared, partner: &OrgId, matter: &About<'_>) -> Result<Option<String>, NodeError> {
    let today = dates::today(clock::now());
    let agreed = in_force(shared, partner, today)?;
    let takes = |terms: &Terms| {
        terms.provider == partner.to_string()
            && terms.accept_proposals.as_ref().is_some_and(|accept| {
                accept.topics.contain(matter) && parse_date(&accept.until).is_some_and(|until| today <= until)
            })
    };
    Ok(agreed.into_iter().find(|(_, terms)| takes(terms)).map(|(id, _)| id))
}

/// What is allowed where nothing was agreed.
pub(crate) fn without() -> AllowedInfo {
    AllowedInfo {
        actions: [Action::Inform, Action::Connect].iter().map(|action| action.word().to_owned()).collect(),
        state: "none".into(),
        within_hours: true,
        ..AllowedInfo::default()
    }
}

/// Which of several agreements says how things stand: the one in force, else what will be, else what was.
fn rank(state: State) -> u8 {
    match state {
        State::InForce => 0,
        State::Agreed => 1,
        State::Expired | State::Ended => 2,
        State::Replaced => 3,
        State::Proposed | State::Declined => 4,
    }
}
