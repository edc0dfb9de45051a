//! Leaving: an organisation says by its root key that it takes part no more from a day on. Until then all goes on, and its
//! partners are warned; from then on it publishes nothing, nobody passes its entries on, and they are marked wherever they are
//! shown. When the term it named is over, each node deletes what it holds of it and signs that it did. All of it blocks.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ortsnetz_model::dates::{self, Date};
use ortsnetz_model::{NodeId, OrgId};
use ortsnetz_trust::identity::{Farewell, Identity, Slot};
use ortsnetz_trust::limits::KEEP_DAYS;
use ortsnetz_trust::statement::Leaving;

use crate::clock::{self, rfc3339};
use crate::driver::Input;
use crate::dto::{DeletedBy, DeletionInfo, FarewellReport, LeaveRequest, LeavingInfo, TaskInfo};
use crate::erasing;
use crate::error::NodeError;
use crate::identities;
use crate::keeping;
use crate::nodes;
use crate::partners;
use crate::reading::parse_on;
use crate::shared::{Shared, read};

/// How often the days are looked at.
const EVERY: Duration = Duration::from_secs(5);
/// What could not be deleted is tried again after this time.
const AGAIN: Duration = Duration::from_secs(60);

/// So long after the last day on which anybody may hold a copy an organisation that left is still called, to be told that
/// its copy is deleted: 30 days. Afterwards it may call.
const CALLED_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// Whether an organisation left so long ago that nobody calls it any more.
pub(crate) fn is_gone(leaving: &Leaving, now: u64) -> bool {
    leaving.keep_until().saturating_add(CALLED_MS) <= now
}

/// The beginning of a day in Europe/Berlin, milliseconds since 1970.
fn beginning(day: Date) -> u64 {
    day.yesterday().map_or(0, dates::end_of)
}

/// How it is told that an organisation leaves or has left.
pub(crate) fn info(leaving: &Leaving, now: u64) -> LeavingInfo {
    let on = dates::today(leaving.from).to_string();
    let left = leaving.from <= now;
    let mut sentence = if left {
        format!("no longer takes part since {on}")
    } else {
        format!("takes part until {on}, not on that day any more")
    };
    if !leaving.telephone.is_empty() {
        sentence.push_str(&format!("{} telephone {}", if left { "," } else { "; then" }, leaving.telephone));
    }
    let said = |text: &String| (!text.is_empty()).then(|| text.clone());
    LeavingInfo {
        on,
        left,
        telephone: said(&leaving.telephone),
        note: said(&leaving.note),
        delete_on: dates::today(leaving.keep_until()).to_string(),
        sentence,
    }
}

/// What an organisation said about leaving, if it did.
pub(crate) fn of(shared: &Shared, organisation: &OrgId) -> Option<LeavingInfo> {
    let leaving = read(&shared.claims).leaving.get(organisation).cloned()?;
    Some(info(&leaving, clock::now()))
}

/// Whether an organisation takes part no more.
pub(crate) fn has_left(shared: &Shared, organisation: &OrgId) -> bool {
    read(&shared.claims).leaving.get(organisation).is_some_and(|leaving| leaving.from <= clock::now())
}

/// Refuses what only an organisation does that takes part.
pub(crate) fn taking_part(shared: &Shared, what: &str) -> Result<(), NodeError> {
    match of(shared, &shared.own.organisation).filter(|leaving| leaving.left) {
        None => Ok(()),
        Some(leaving) => Err(NodeError::Conflict(format!(
            "this organisation takes part no more since {}: {what}. What is here stays readable and can be exported with `ortsnetz export`",
            leaving.on
        ))),
    }
}

/// `identity leave`: states it, states another day, or takes it back.
pub(crate) fn leave(shared: &Shared, request: &LeaveRequest) -> Result<FarewellReport, NodeError> {
    let root = nodes::root(shared, "says that an organisation leaves")?;
    let (identity, now) = (shared.identity(), clock::now());
    if request.confirm.trim() != identity.name() {
        return Err(NodeError::Invalid(format!(
            "nothing was said; to confirm, repeat the name of the organisation as it stands in `ortsnetz status`: --yes \"{}\"",
            identity.name()
        )));
    }
    let known = identity.leaving().cloned();
    let left = known.as_ref().filter(|leaving| leaving.from <= now);
    if request.undo {
        if let Some(leaving) = left {
            return Err(NodeError::Conflict(format!(
                "the day has passed: since {} partners say that this organisation takes part no more, and they delete their copies. To take part again, begin anew in another data directory with `ortsnetz init`, and follow this organisation with `ortsnetz identity succeed`",
                dates::today(leaving.from)
            )));
        }
        if known.is_none() {
            return Err(NodeError::NotFound("this organisation has not said that it leaves".into()));
        }
        state(shared, |identity| identity.stay(now, &root))?;
        return report(shared);
    }
    let farewell = farewell(request, left, now)?;
    state(shared, |identity| identity.leave(farewell, now, &root))?;
    report(shared)
}

/// What is to be said, from what a person asked.
fn farewell(request: &LeaveRequest, left: Option<&Leaving>, now: u64) -> Result<Farewell, NodeError> {
    let today = dates::today(now);
    let day = parse_on(request.on.as_deref())?;
    let from = match (day, left) {
        // After the day the rest can still be changed, for example to have copies deleted sooner.
        (None, Some(leaving)) => leaving.from,
        (Some(day), Some(leaving)) if beginning(day) == leaving.from => leaving.from,
        (Some(_), Some(leaving)) => {
            return Err(NodeError::Conflict(format!(
                "the day has passed: this organisation left on {}; only telephone, note and --keep can be changed",
                dates::today(leaving.from)
            )));
        }
        (None, None) => {
            return Err(NodeError::Invalid("--on: say from which day on, for example --on 2027-01-01".into()));
        }
        (Some(day), None) if day < today => {
            return Err(NodeError::Invalid(format!("--on: {day} has passed; today is {today}")));
        }
        (Some(day), None) => beginning(day),
    };
    let text = |text: &Option<String>| text.as_deref().unwrap_or_default().trim().to_owned();
    let keep_days = request.keep_days.unwrap_or(KEEP_DAYS);
    Ok(Farewell { from, keep_days, telephone: text(&request.telephone), note: text(&request.note) })
}

fn state(
    shared: &Shared,
    make: impl FnOnce(&Identity) -> Result<ortsnetz_trust::Signed, ortsnetz_trust::EncodingError>,
) -> Result<(), NodeError> {
    identities::extend(shared, |identity| {
        make(identity).map(|signed| vec![signed]).map_err(|error| NodeError::Invalid(error.to_string()))
    })?;
    partners::weigh_claims(shared);
    let _ = shared.driver.send(Input::Organisation(shared.own.organisation));
    Ok(())
}

/// `identity leave --status`: who deleted what, and what nobody reaches.
pub(crate) fn report(shared: &Shared) -> Result<FarewellReport, NodeError> {
    let identity = shared.identity();
    let own = identity.id();
    let Some(leaving) = identity.leaving() else { return Ok(FarewellReport::default()) };
    let serial = identity.serial(&Slot::Leaving);
    let (present, past): (Vec<OrgId>, Vec<OrgId>) = {
        let partners = read(&shared.partners);
        let (past, present): (Vec<_>, Vec<_>) = partners.iter().partition(|(_, row)| row.ended);
        let ids = |rows: Vec<(&OrgId, _)>| rows.into_iter().map(|(id, _)| *id).collect();
        (ids(present), ids(past))
    };
    let mut report =
        FarewellReport { leaving: Some(info(leaving, clock::now())), of: present.len() as u64, ..Default::default() };
    for id in present {
        let name = shared.organisation_name(&id);
        let Some(partner) = shared.identity_of(&id) else {
            report.waiting.push(name);
            continue;
        };
        let stated = |node: &NodeId| partner.deletion(&own, node).filter(|it| it.serial >= serial).cloned();
        let nodes: Vec<NodeId> = partner.nodes().map(|certificate| certificate.node).collect();
        let done: Vec<_> = nodes.iter().filter_map(stated).collect();
        match done.iter().max_by_key(|deletion| deletion.at) {
            Some(last) if done.len() == nodes.len() => report.deleted.push(DeletedBy {
                name,
                at: rfc3339(last.at),
                entries: done.iter().map(|deletion| deletion.entries).max().unwrap_or(0),
                nodes: nodes.len() as u64,
            }),
            Some(_) => report.waiting.push(format!("{name} ({} of {} nodes)", done.len(), nodes.len())),
            None => report.waiting.push(name),
        }
    }
    for id in past {
        report.unreachable.push(format!("{} is no partner any more and is not told", shared.organisation_name(&id)));
    }
    report.unreachable.extend([
        "organisations that know us through a partner's relay only: they hear it from there, delete, and do not confirm".to_owned(),
        "backups and exported files, receipts, printed pages, and what somebody adopted or copied into a text of their own".to_owned(),
    ]);
    Ok(report)
}

/// What this organisation's nodes deleted of one that left; `None` as long as this node holds a copy.
pub(crate) fn deletion(shared: &Shared, leaver: &OrgId) -> Option<DeletionInfo> {
    let serial = shared.identity_of(leaver)?.serial(&Slot::Leaving);
    read(&shared.claims).leaving.get(leaver)?;
    let own = shared.identity();
    let deletion = own.deletion(leaver, &shared.own.node).filter(|it| it.serial >= serial)?;
    Some(DeletionInfo { at: rfc3339(deletion.at), entries: deletion.entries })
}

/// What a person should know: who leaves, and how far that is.
pub(crate) fn tasks(shared: &Shared) -> Vec<TaskInfo> {
    let (own, now) = (shared.own.organisation, clock::now());
    let all: Vec<(OrgId, Arc<Leaving>)> =
        read(&shared.claims).leaving.iter().map(|(id, leaving)| (*id, leaving.clone())).collect();
    let mut tasks = Vec::new();
    for (id, leaving) in all {
        let LeavingInfo { on, left, delete_on, sentence, note, .. } = info(&leaving, now);
        let name = shared.organisation_name(&id);
        let note = note.map(|note| format!(" They say: {note}")).unwrap_or_default();
        let message = if id == own && left {
            let report = report(shared).unwrap_or_default();
            format!(
                "this organisation takes part no more since {on}. Partners delete their copies on {delete_on}: {} of {} have said that they did; see `ortsnetz identity leave --status`. Let this node run until then, so that it hears of it; `ortsnetz export` writes everything in open formats.",
                report.deleted.len(),
                report.of
            )
        } else if id == own {
            format!(
                "this organisation leaves on {on}. Everything can be exported before and after with `ortsnetz export --companions --drafts`; until then `ortsnetz identity leave --undo` takes it back."
            )
        } else if read(&shared.partners).get(&id).is_none_or(|partner| partner.ended) {
            continue;
        } else if !left {
            format!(
                "{name} {sentence}. From {on} on its entries are marked and passed on to nobody; what is here of them is deleted on {delete_on}.{note} Tell whoever answers calls for {name}."
            )
        } else if deletion(shared, &id).is_none() {
            format!("{name} {sentence}. What is here of it is marked, and is deleted on {delete_on}.{note}")
        } else {
            continue;
        };
        tasks.push(TaskInfo { kind: "leaving".into(), message, ..TaskInfo::default() });
    }
    tasks
}

/// Looks at the days as long as the node runs.
pub(crate) async fn watch(shared: Arc<Shared>) {
    while !shared.is_stopping() {
        let looking = shared.clone();
        let looked = tokio::task::spawn_blocking(move || look(&looking)).await;
        let failed = matches!(looked, Ok(Err(_)));
        if let Ok(Err(error)) = looked
            && !shared.is_stopping()
        {
            tracing::error!(%error, "what is here of an organisation that left could not be deleted yet; it is tried again");
        }
        tokio::time::sleep(if failed { AGAIN } else { EVERY }).await;
    }
}

/// Marks who left since the last look, and deletes what may not be kept any longer.
fn look(shared: &Shared) -> Result<(), NodeError> {
    let now = clock::now();
    let (leaving, before) = {
        let claims = read(&shared.claims);
        (claims.leaving.clone(), claims.left.clone())
    };
    let left: BTreeSet<OrgId> = leaving.iter().filter(|(_, it)| it.from <= now).map(|(id, _)| *id).collect();
    if left != before {
        partners::weigh_claims(shared);
        // The loop around the engine sleeps until a time that may have been set before the clock was.
        for id in &left {
            let _ = shared.driver.send(Input::Organisation(*id));
        }
    }
    for (id, leaving) in leaving {
        if id != shared.own.organisation && leaving.keep_until() <= now {
            keeping::forget(shared, &id)?;
            erasing::erase(shared, &id)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 24 * 60 * 60 * 1000;

    fn day(text: &str) -> Date {
        dates::parse_date(text).expect("a date")
    }

    fn ask(on: Option<&str>) -> LeaveRequest {
        LeaveRequest { on: on.map(str::to_owned), ..LeaveRequest::default() }
    }

    #[test]
    fn a_day_begins_at_midnight_in_berlin_and_the_last_one_is_whole() {
        for (text, utc) in [("2027-01-01", "2026-12-31T23:00:00Z"), ("2027-07-01", "2027-06-30T22:00:00Z")] {
            assert_eq!(rfc3339(beginning(day(text))), utc);
        }
        let now = beginning(day("2026-12-01")) + 5;
        let said = farewell(&ask(Some("2026-12-02")), None, now).expect("a farewell");
        assert_eq!((rfc3339(said.from), said.keep_days), ("2026-12-01T23:00:00Z".to_owned(), KEEP_DAYS));
        assert!(farewell(&ask(Some("2026-12-01")), None, now).is_ok(), "at once, if it has to be");
        let past = farewell(&ask(Some("2026-11-30")), None, now).expect_err("yesterday");
        assert!(past.to_string().contains("has passed"), "{past}");
        assert!(farewell(&ask(None), None, now).is_err(), "no day");
        assert!(farewell(&ask(Some("soon")), None, now).is_err());
    }

    #[test]
    fn after_the_day_it_stays_and_the_rest_can_be_changed() {
        let from = beginning(day("2026-12-01"));
        let left = Leaving {
            organisation: OrgId([1; 32]),
            serial: 1,
            from,
            keep_days: 30,
            telephone: String::new(),
            note: String::new(),
            at: from - 9 * DAY_MS,
        };
        let now = from + 3 * DAY_MS;
        let sooner = LeaveRequest { keep_days: Some(0), telephone: Some(" 115 ".into()), ..ask(None) };
        let said = farewell(&sooner, Some(&left), now).expect("a farewell");
        assert_eq!((said.from, said.keep_days, said.telephone.as_str()), (from, 0, "115"));
        assert!(farewell(&ask(Some("2026-12-01")), Some(&left), now).is_ok());
        assert!(farewell(&ask(Some("2027-12-01")), Some(&left), now).is_err());
    }

    #[test]
    fn what_agents_read_says_since_when_and_whom_to_call() {
        let from = beginning(day("2027-01-01"));
        let mut leaving = Leaving {
            organisation: OrgId([1; 32]),
            serial: 1,
            from,
            keep_days: 30,
            telephone: "+49 2241 102-0".into(),
            note: "Auskunft gibt der Kreis".into(),
            at: 1,
        };
        let after = info(&leaving, from);
        assert_eq!(after.sentence, "no longer takes part since 2027-01-01, telephone +49 2241 102-0");
        assert_eq!((after.left, after.on.as_str(), after.delete_on.as_str()), (true, "2027-01-01", "2027-01-31"));
        assert_eq!(after.note.as_deref(), Some("Auskunft gibt der Kreis"));
        let before = info(&leaving, from - 1);
        assert!(!before.left && before.sentence.contains("until 2027-01-01"), "{}", before.sentence);
        let last = leaving.keep_until() + CALLED_MS;
        assert!(!is_gone(&leaving, last - 1) && is_gone(&leaving, last), "called for a while, to be told");
        leaving.telephone.clear();
        let plain = info(&leaving, from);
        assert_eq!((plain.sentence.as_str(), plain.telephone), ("no longer takes part since 2027-01-01", None));
    }
}
