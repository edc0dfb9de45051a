//! What is to be done, in one list: folded from what there is each time somebody asks, and stored nowhere. All of this blocks.

use ortsnetz_model::EntryId;
use ortsnetz_model::dates;
use ortsnetz_service::tasks::{Role, Task, TaskKind, counts, sort};
use ortsnetz_store::Side;

use crate::adopting;
use crate::agreements;
use crate::aside;
use crate::catalog;
use crate::clock::{self, rfc3339};
use crate::dto::{TaskInfo, TaskList, TasksRequest};
use crate::error::NodeError;
use crate::feedback::{self, short_id};
use crate::homecoming;
use crate::leaving;
use crate::nodes;
use crate::partners::look;
use crate::proposals;
use crate::rows;
use crate::shared::Shared;
use crate::sheets;
use crate::succeeding;

pub(crate) mod chores;

/// Tasks of a list if nobody says otherwise.
const TASKS_DEFAULT: usize = 100;
/// Most tasks of a list.
pub(crate) const TASKS_MAX: usize = 1_000;

/// `tasks list`
pub(crate) fn list(shared: &Shared, request: &TasksRequest) -> Result<TaskList, NodeError> {
    let limit = request.limit.unwrap_or(TASKS_DEFAULT);
    if !(1..=TASKS_MAX).contains(&limit) {
        return Err(NodeError::Invalid(format!("limit: {limit} tasks are not possible; give 1 to {TASKS_MAX}")));
    }
    let role = request.role.as_deref().map(role).transpose()?;
    let mut tasks = all(shared)?;
    let counts = counts(&tasks).into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect();
    tasks.retain(|task| {
        role.is_none_or(|role| task.kind.role() == role)
            && request.kind.as_deref().is_none_or(|kind| task.kind.word() == kind)
    });
    let total = tasks.len() as u64;
    Ok(TaskList { tasks: tasks.into_iter().take(limit).map(info).collect(), total, counts })
}

/// The role of this name.
pub(crate) fn role(word: &str) -> Result<Role, NodeError> {
    Role::of(word).ok_or_else(|| {
        let known: Vec<&str> = Role::ALL.into_iter().map(Role::word).collect();
        NodeError::Invalid(format!("role: {word:?} is none of {}", known.join(", ")))
    })
}

/// All tasks, the most urgent first.
pub(crate) fn all(shared: &Shared) -> Result<Vec<Task>, NodeError> {
    let mut tasks = reports(shared)?;
    tasks.extend(suggestions(shared)?);
    tasks.extend(of_entries(shared)?);
    tasks.extend(reviews(shared)?);
    tasks.extend(sources(shared)?);
    tasks.extend(agreements::tasks(shared)?);
    tasks.extend(of_the_node(shared)?);
    sort(&mut tasks);
    Ok(tasks)
}

/// A task as shown.
pub(crate) fn info(task: Task) -> TaskInfo {
    TaskInfo {
        kind: task.kind.word().to_owned(),
        role: task.kind.role().word().to_owned(),
        entry: task.entry,
        message: task.message,
        title: task.title,
        partner: task.partner,
        subject: task.subject,
        since: task.since.map(rfc3339),
        due: task.due.map(|due| due.to_string()),
        overdue: task.overdue,
    }
}

fn task(kind: TaskKind, entry: &EntryId, title: String, message: String) -> Task {
    Task {
        kind,
        entry: Some(entry.to_string()),
        title,
        partner: None,
        since: None,
        due: None,
        overdue: false,
        subject: None,
        message,
    }
}

/// Reports about our entries that nobody has answered.
fn reports(shared: &Shared) -> Result<Vec<Task>, NodeError> {
    let known = feedback::all(shared)?;
    let open = known.iter().filter(|known| known.is_ours_to_answer(shared));
    open.map(|known| {
        let by = shared.organisation_name(&known.letter.by);
        let (report, title) = (&known.report, title(shared, &known.report.about)?);
        let message = format!(
            "{by} reports {title:?} as {}; read it with `ortsnetz feedback show {id}`, answer with `ortsnetz feedback answer {id} STATE`",
            report.problem.word(),
            id = short_id(&report.id)
        );
        Ok(Task {
            partner: Some(by),
            since: Some(report.at),
            subject: Some(report.id.clone()),
            ..task(TaskKind::Feedback, &report.about, title, message)
        })
    })
    .collect()
}

/// Proposals for our entries that nobody has decided.
fn suggestions(shared: &Shared) -> Result<Vec<Task>, NodeError> {
    let known = proposals::all(shared)?;
    let open = known.iter().filter(|known| known.is_ours_to_decide(shared));
    open.map(|known| {
        let by = shared.organisation_name(&known.letter.by);
        let (suggestion, title) = (&known.suggestion, title(shared, &known.suggestion.about)?);
        let id = short_id(&suggestion.id);
        let message = format!(
            "{by} suggests changes to {title:?}; look with `ortsnetz proposals show {id}`, then `ortsnetz proposals accept {id}` or `decline`"
        );
        Ok(Task {
            partner: Some(by),
            since: Some(suggestion.at),
            subject: Some(suggestion.id.clone()),
            ..task(TaskKind::Proposal, &suggestion.about, title, message)
        })
    })
    .collect()
}

/// Conflicts, and what the publisher refused.
fn of_entries(shared: &Shared) -> Result<Vec<Task>, NodeError> {
    let (conflicts, refused) = {
        let marked = shared.marks.look();
        (marked.conflicts.clone(), marked.refused.clone())
    };
    let mut tasks = Vec::new();
    for id in conflicts {
        let message = format!("entry {id} has conflicting values; see `ortsnetz conflicts`");
        tasks.push(task(TaskKind::Conflict, &id, title(shared, &id)?, message));
    }
    for (id, reason) in refused {
        let message = format!("the publisher refused entry {id}: {reason}");
        tasks.push(task(TaskKind::PublishRefused, &id, title(shared, &id)?, message));
    }
    Ok(tasks)
}

fn reviews(shared: &Shared) -> Result<Vec<Task>, NodeError> {
    let today = dates::today(clock::now());
    let mut tasks = Vec::new();
    for (id, due) in chores::reviews(shared, today)? {
        let title = title(shared, &id)?;
        let overdue = due < today;
        let when = if overdue { format!("was to be reviewed by {due}") } else { format!("is to be reviewed by {due}") };
        let message =
            format!("{title:?} {when}; if it is still correct say `ortsnetz confirm {id}`, else change and publish it");
        tasks.push(Task { due: Some(due), overdue, ..task(TaskKind::Review, &id, title, message) });
    }
    Ok(tasks)
}

/// Adopted entries whose source says something else.
fn sources(shared: &Shared) -> Result<Vec<Task>, NodeError> {
    let changed = adopting::changed(shared)?;
    let task = |(id, adopted, withdrawn): (EntryId, chores::Adopted, bool)| {
        let (title, owner) = (title(shared, &id)?, shared.organisation_name(&adopted.organisation));
        let what = if withdrawn { "was withdrawn" } else { "says something else" };
        let message = format!(
            "the source of {title:?} at {owner} {what}; look with `ortsnetz adopt {id} --changes`, then `--take` or `--dismiss`"
        );
        let subject = Some(adopted.entry.to_string());
        Ok(Task { partner: Some(owner), subject, ..task(TaskKind::SourceChanged, &id, title, message) })
    };
    changed.into_iter().map(task).collect()
}

/// What concerns the node, its keys and its partners.
fn of_the_node(shared: &Shared) -> Result<Vec<Task>, NodeError> {
    let aside = look(shared, |engine| engine.feeds())?;
    let mut infos: Vec<TaskInfo> = homecoming::task(shared).into_iter().collect();
    infos.extend(sheets::task(shared)?);
    infos.extend(nodes::tasks(shared)?);
    infos.extend(succeeding::tasks(shared));
    infos.extend(leaving::tasks(shared));
    infos.extend(aside::tasks(shared, aside.iter().filter(|feed| feed.aside > 0).map(|feed| feed.feed))?);
    let words = ["homecoming", "recovery_sheet", "drafts_of_revoked_node", "succession", "leaving", "set_aside"];
    let kind = |word: &str| words.into_iter().find(|known| *known == word).unwrap_or("node");
    Ok(infos
        .into_iter()
        .map(|info| Task {
            kind: TaskKind::Other(kind(&info.kind)),
            entry: info.entry,
            title: info.title,
            partner: None,
            since: None,
            due: None,
            overdue: false,
            subject: None,
            message: info.message,
        })
        .collect())
}

/// What an own entry is called, in the draft or as published; empty if it has no title.
pub(crate) fn title(shared: &Shared, id: &EntryId) -> Result<String, NodeError> {
    let Some(row) = rows::own_entry(&shared.store, id)? else { return Ok(String::new()) };
    for side in [Side::Working, Side::Published] {
        if let Some(projection) = rows::projection(&shared.store, side, &row.home, id)? {
            let entry = catalog::read_entry(id, &projection.json)?;
            return Ok(entry.title("de").unwrap_or_default().to_owned());
        }
    }
    Ok(String::new())
}
