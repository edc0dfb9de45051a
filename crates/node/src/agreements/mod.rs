//! Agreements: each side keeps its own signed copy of the text in the bilateral collection that the other reads. What counts
//! is what both signed. All of this blocks.

use jiff::civil::Date;
use ortsnetz_model::dates::{self, parse_date};
use ortsnetz_model::{Entry, OrgId};
use ortsnetz_service::agreement::{State, Terms, states, warning};
use ortsnetz_service::tasks::{Task, TaskKind};
use serde_json::{Value, json};

use crate::clock;
use crate::dto::{AgreementInfo, AgreementVersion, AlarmInfo, ProposeRequest};
use crate::editing;
use crate::error::NodeError;
use crate::partners;
use crate::shared::Shared;
use crate::working::BILATERAL;

mod counting;
mod ledger;
mod permission;
mod required;

pub(crate) use counting::{signed, terms, under};
pub(crate) use ledger::{AGREEMENTS, Ledger, changes, forget, put};
use ledger::{Agreement, Known};
pub(crate) use permission::{accepting, allowed, answer_hours, without};

/// Digits of the beginning of an id that may stand for it.
const ID_DIGITS_MIN: usize = 4;
/// Versions of one agreement.
pub(crate) const VERSIONS_MAX: u32 = 1_000;

/// `agreements list`
pub(crate) fn list(shared: &Shared) -> Result<Vec<AgreementInfo>, NodeError> {
    let today = dates::today(clock::now());
    Ok(ledger::all(shared)?.iter().map(|agreement| info(shared, agreement, today)).collect())
}

/// `agreements show`
pub(crate) fn show(shared: &Shared, id: &str) -> Result<AgreementInfo, NodeError> {
    let agreement = find(shared, id)?;
    let mut shown = info(shared, &agreement, dates::today(clock::now()));
    shown.required = required::topics(shared, &agreement)?;
    Ok(shown)
}

/// `agreements propose` and `agreements amend`: signs the text and offers it to the other side.
pub(crate) fn propose(shared: &Shared, request: &ProposeRequest) -> Result<AgreementInfo, NodeError> {
    require_admin(shared)?;
    let (id, partner, number, we_answer) = match request.agreement.as_deref() {
        None => {
            let partner = confirmed(shared, partners::find_organisation(shared, &request.partner)?)?;
            (data_encoding::HEXLOWER.encode(&clock::random::<16>()), partner, 1, request.we_answer)
        }
        Some(id) => {
            let agreement = find(shared, id)?;
            let newest = agreement.newest();
            let number = newest.number + 1;
            if number > VERSIONS_MAX {
                return Err(NodeError::Invalid(format!("this agreement has {VERSIONS_MAX} versions; make a new one")));
            }
            let we_answer = newest.terms.provider == shared.own.organisation.to_string();
            (agreement.id.clone(), confirmed(shared, agreement.partner)?, number, we_answer)
        }
    };
    let Value::Object(mut text) = request.terms.clone() else {
        return Err(NodeError::Invalid("terms: must be an object".into()));
    };
    let (own, other) = (shared.own.organisation.to_string(), partner.to_string());
    let (provider, recipient) = if we_answer { (own, other) } else { (other, own) };
    for (name, value) in [("format", json!(1)), ("provider", json!(provider)), ("recipient", json!(recipient))] {
        if text.entry(name).or_insert_with(|| value.clone()) != &value {
            return Err(NodeError::Invalid(format!("terms.{name}: must be {value}; leave it out and it is filled in")));
        }
    }
    let terms = Terms::read(&Value::Object(text)).map_err(|error| NodeError::Invalid(format!("terms: {error}")))?;
    keep(shared, &partner, &id, number, &terms, &signature(shared, &id, number, &terms))?;
    show(shared, &id)
}

/// `agreements sign`: signs the newest version the other side offered.
pub(crate) fn sign(shared: &Shared, id: &str) -> Result<AgreementInfo, NodeError> {
    require_admin(shared)?;
    let agreement = find(shared, id)?;
    let offered = offered(&agreement)?;
    let signature = signature(shared, &agreement.id, offered.number, &offered.terms);
    keep(shared, &confirmed(shared, agreement.partner)?, &agreement.id, offered.number, &offered.terms, &signature)?;
    show(shared, &agreement.id)
}

/// `agreements decline`: says no to the newest version the other side offered.
pub(crate) fn decline(shared: &Shared, id: &str, reason: &str) -> Result<AgreementInfo, NodeError> {
    require_admin(shared)?;
    let agreement = find(shared, id)?;
    let offered = offered(&agreement)?;
    if reason.trim().is_empty() {
        return Err(NodeError::Invalid("reason: is missing; the other side should read why".into()));
    }
    let no = json!({"declined": true, "reason": reason.trim(), "signature": null});
    keep(shared, &confirmed(shared, agreement.partner)?, &agreement.id, offered.number, &offered.terms, &no)?;
    show(shared, &agreement.id)
}

/// `agreements end`: the last day of what is in force, not before the notice; `None` takes that back while the day is ahead.
pub(crate) fn end(shared: &Shared, id: &str, on: Option<&str>) -> Result<AgreementInfo, NodeError> {
    require_admin(shared)?;
    let agreement = find(shared, id)?;
    let today = dates::today(clock::now());
    let states = states(&agreement.states(), today);
    let in_force =
        agreement.versions.iter().zip(&states).find(|(_, state)| matches!(state, State::InForce | State::Agreed));
    let Some((known, _)) = in_force else {
        return Err(NodeError::Conflict(format!(
            "agreement {} is not in force; look with `ortsnetz agreements show {}`",
            agreement.id, agreement.id
        )));
    };
    let fields = match on {
        Some(text) => {
            let last = parse_date(text)
                .ok_or_else(|| NodeError::Invalid(format!("on: {text:?} is no date; write it like 2027-01-31")))?;
            let earliest = earliest(&known.terms, today);
            let theirs = known.theirs.as_ref().and_then(|side| side.ends_on);
            if last < earliest && theirs.is_none_or(|theirs| last < theirs) {
                return Err(NodeError::Invalid(format!(
                    "on: {last} is before the notice of {} months; {earliest} is the first day it can end on",
                    known.terms.notice_months
                )));
            }
            json!({"ends_on": last.to_string()})
        }
        None => json!({"ends_on": null}),
    };
    keep(shared, &agreement.partner, &agreement.id, known.number, &known.terms, &fields)?;
    show(shared, &agreement.id)
}

/// The first day on which an agreement can end that notice is given of today.
fn earliest(terms: &Terms, today: Date) -> Date {
    today.checked_add(jiff::Span::new().months(terms.notice_months)).unwrap_or(Date::MAX)
}

/// The newest version that the other side signed and we have not answered, or declined.
fn offered(agreement: &Agreement) -> Result<&Known, NodeError> {
    let newest = agreement.newest();
    let theirs = newest.theirs.as_ref().is_some_and(|side| side.signature.is_some());
    let ours = newest.ours.as_ref().is_some_and(|side| side.signature.is_some());
    match (theirs, ours) {
        (true, false) => Ok(newest),
        (_, true) => Err(NodeError::Conflict(format!("version {} is signed by us already", newest.number))),
        (false, false) => Err(NodeError::Conflict(format!(
            "the partner's signature of version {} is missing or not valid; there is nothing to answer",
            newest.number
        ))),
    }
}

/// Our signature over a text, as fields of our copy.
fn signature(shared: &Shared, id: &str, number: u32, terms: &Terms) -> Value {
    let signature = ledger::sign(&shared.own.key, id, number, terms);
    json!({"declined": null, "reason": null, "signature": {
        "node": shared.own.node.to_string(),
        "value": signature,
        "at": clock::rfc3339(clock::now()),
    }})
}

/// Writes our copy of a version with these fields and publishes it to the partner.
fn keep(
    shared: &Shared,
    partner: &OrgId,
    id: &str,
    number: u32,
    terms: &Terms,
    fields: &Value,
) -> Result<(), NodeError> {
    let identifier = json!({"agency": "ortsnetz", "scheme": "agreement", "value": format!("{id}/{number}")});
    let mut map = json!({
        "kind": "agreement",
        "identifier": identifier,
        "agreement": id,
        "version": number,
        "partner": partner.to_string(),
        "terms": terms,
    });
    let entry =
        ortsnetz_model::EntryId::imported(&shared.own.organisation, "ortsnetz", "agreement", &format!("{id}/{number}"));
    if crate::rows::own_entry(&shared.store, &entry)?.is_some() {
        editing::patch(shared, &entry.to_string(), fields, None)?;
    } else {
        for (name, value) in fields.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            map[name] = value.clone();
        }
        editing::create_from(shared, Entry::from_json(map)?, &format!("{BILATERAL}{partner}"))?;
    }
    let published = editing::publish(shared, Some(vec![entry.to_string()]))?;
    match published.refused.first() {
        Some(refusal) => Err(NodeError::Conflict(refusal.reason.clone())),
        None => Ok(()),
    }
}

pub(crate) fn require_admin(shared: &Shared) -> Result<(), NodeError> {
    let roles = shared.identity().certificate(&shared.own.node).map(|certificate| certificate.roles);
    if roles.is_some_and(|roles| roles.admin) {
        return Ok(());
    }
    Err(NodeError::Forbidden("this node may not sign agreements: its certificate has not the role admin".into()))
}

fn confirmed(shared: &Shared, partner: OrgId) -> Result<OrgId, NodeError> {
    if partners::confirmed(shared).contains(&partner) {
        return Ok(partner);
    }
    let name = shared.organisation_name(&partner);
    Err(NodeError::Conflict(format!(
        "{name} is no confirmed partner; compare the check words first and say `ortsnetz partners confirm {name}`"
    )))
}

/// The agreement with this id, or the only one whose id begins so.
fn find(shared: &Shared, id: &str) -> Result<Agreement, NodeError> {
    let wanted = id.trim().to_lowercase();
    let all = ledger::all(shared)?;
    let mut found = all.iter().filter(|agreement| wanted.len() >= ID_DIGITS_MIN && agreement.id.starts_with(&wanted));
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only.clone()),
        (Some(_), Some(_)) => Err(NodeError::Invalid(format!("{id}: several agreements begin so; give more digits"))),
        (None, _) => {
            Err(NodeError::NotFound(format!("there is no agreement {id}; `ortsnetz agreements list` shows all")))
        }
    }
}

fn info(shared: &Shared, agreement: &Agreement, today: Date) -> AgreementInfo {
    let states = states(&agreement.states(), today);
    let newest = agreement.newest();
    let counting = states.iter().position(|state| *state == State::InForce).unwrap_or(states.len().saturating_sub(1));
    let versions = agreement.versions.iter().zip(&states).map(|(known, state)| AgreementVersion {
        version: known.number,
        state: state.word().into(),
        terms: serde_json::to_value(&known.terms).unwrap_or_default(),
        text_hash: ledger::hash(&agreement.id, known.number, &known.terms).to_string(),
        ours: known.ours.as_ref().and_then(|side| side.signature.clone()),
        theirs: known.theirs.as_ref().and_then(|side| side.signature.clone()),
        reason: known.reason().map(str::to_owned),
        ends_on: known.ends_on().map(|date| date.to_string()),
    });
    let mut versions: Vec<AgreementVersion> = versions.collect();
    versions.reverse();
    AgreementInfo {
        id: agreement.id.clone(),
        partner: shared.organisation_info(&agreement.partner),
        we_answer: newest.terms.provider == shared.own.organisation.to_string(),
        title: newest.terms.title.clone(),
        state: states.get(counting).map_or_else(String::new, |state| state.word().to_owned()),
        versions,
        required: None,
    }
}

/// What the ends of agreements ask for today: 90, 30 and 7 days ahead, and right after; and what partners offer.
pub(crate) fn alarms(shared: &Shared) -> Result<Vec<AlarmInfo>, NodeError> {
    let at = clock::rfc3339(clock::now());
    let alarm = |asked: Asked| AlarmInfo {
        kind: asked.kind.into(),
        message: asked.message,
        partner: Some(asked.partner),
        at: at.clone(),
        count: 1,
    };
    Ok(asked(shared)?.into_iter().map(alarm).collect())
}

/// The same as tasks.
pub(crate) fn tasks(shared: &Shared) -> Result<Vec<Task>, NodeError> {
    let today = dates::today(clock::now());
    let task = |asked: Asked| Task {
        kind: if asked.kind == OFFERED { TaskKind::AgreementOffered } else { TaskKind::AgreementEnds },
        entry: None,
        title: asked.title,
        partner: Some(asked.partner),
        since: None,
        due: asked.last,
        overdue: asked.last.is_some_and(|last| last < today),
        subject: Some(asked.id),
        message: asked.message,
    };
    Ok(asked(shared)?.into_iter().map(task).collect())
}

const OFFERED: &str = "agreement_offered";

/// What an agreement asks for.
struct Asked {
    kind: &'static str,
    id: String,
    title: String,
    partner: String,
    last: Option<Date>,
    message: String,
}

fn asked(shared: &Shared) -> Result<Vec<Asked>, NodeError> {
    let today = dates::today(clock::now());
    let mut all = Vec::new();
    for agreement in ledger::all(shared)?.iter() {
        let known = agreement.states();
        let states = states(&known, today);
        let partner = shared.organisation_name(&agreement.partner);
        let follows = states.contains(&State::Agreed);
        let title = &agreement.newest().terms.title;
        let id = &agreement.id[..8];
        let mut ask = |kind: &'static str, last: Option<Date>, message: String| {
            let (id, title, partner) = (agreement.id.clone(), title.clone(), partner.clone());
            all.push(Asked { kind, id, title, partner, last, message });
        };
        if let Some(position) = states.iter().position(|state| *state == State::InForce) {
            let last = known[position].last_day();
            if let Some((_, left)) = warning(last, today).filter(|_| !follows) {
                ask(
                    "agreement_ends",
                    Some(last),
                    format!(
                        "the agreement {title:?} with {partner} ends on {last}, in {left} days; offer a new version with `ortsnetz agreements amend {id} FILE`"
                    ),
                );
            }
        } else if let Some(over) = ended(&known, &states, today).filter(|_| !follows) {
            ask(
                "agreement_over",
                Some(over),
                format!(
                    "the agreement {title:?} with {partner} ended on {over}: agents only inform and connect, and nothing is billed; offer a new version with `ortsnetz agreements amend {id} FILE`"
                ),
            );
        }
        let newest = agreement.newest();
        if newest.is_offered_to_us() {
            ask(
                OFFERED,
                None,
                format!(
                    "{partner} offers version {} of the agreement {title:?}; read it with `ortsnetz agreements show {id}`, then `ortsnetz agreements sign {id}` or `decline`",
                    newest.number
                ),
            );
        }
    }
    Ok(all)
}

/// The day on which an agreement ended, if that is not longer ago than its entries are replicated for.
fn ended(known: &[ortsnetz_service::agreement::Version], states: &[State], today: Date) -> Option<Date> {
    let over = known.iter().zip(states).filter(|(_, state)| matches!(state, State::Ended | State::Expired));
    let last = over.map(|(version, _)| version.last_day()).max()?;
    let days = last.until(today).ok()?.get_days();
    (days <= ortsnetz_service::agreement::REPLICATION_DAYS).then_some(last)
}
