//! `feedback`, `tasks` and `confirm`.

use std::fmt::Write as _;

use clap::ValueEnum;
use ortsnetz_node::dto::{FeedbackInfo, TaskList};
use serde_json::{Value, json};

use super::Context;
use crate::args::{Feedback, Reports, Tasks};
use crate::client::segment;
use crate::failure::Failure;
use crate::table::Table;

/// Digits of an id in tables: enough for every command.
const ID_DIGITS: usize = 8;

/// `feedback add|list|show|answer|withdraw`
pub(crate) fn feedback(context: &Context, args: Feedback) -> Result<(), Failure> {
    let daemon = context.daemon()?;
    let show = |document: Value| context.output.show(document, |report: FeedbackInfo| lines(&report));
    let at = |id: &str, verb: &str| format!("/feedback/{}{verb}", segment(id));
    match args {
        Feedback::Add(new) => {
            let report = json!({"entry": new.entry, "problem": word(new.problem), "path": new.path, "text": new.text});
            show(daemon.post("/feedback", &report)?)
        }
        Feedback::List(args) => {
            context.output.show(daemon.get("/feedback", &asked(args))?, |all: Vec<FeedbackInfo>| table(&all))
        }
        Feedback::Show { id } => show(daemon.get(&at(&id, ""), &[])?),
        Feedback::Answer { id, state, text } => {
            show(daemon.post(&at(&id, "/answer"), &json!({"state": word(state), "answer": text}))?)
        }
        Feedback::Withdraw { id } => {
            daemon.post(&at(&id, "/withdraw"), &json!({}))?;
            context.done(&format!("report {id} is taken back"))
        }
    }
}

/// `tasks list`
pub(crate) fn tasks(context: &Context, args: Tasks) -> Result<(), Failure> {
    let Tasks::List { kind, role, limit } = args;
    let limit = limit.map(|limit| limit.to_string());
    let asked = [("kind", kind), ("role", role), ("limit", limit)];
    context.output.show(context.daemon()?.get("/tasks", &asked)?, |list: TaskList| task_lines(&list))
}

fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Which reports or proposals, as a query.
pub(super) fn asked(args: Reports) -> [(&'static str, Option<String>); 3] {
    [("all", args.all.then(|| "true".into())), ("entry", args.entry), ("partner", args.partner)]
}

fn table(all: &[FeedbackInfo]) -> String {
    if all.is_empty() {
        return "no open reports; `ortsnetz feedback list --all` shows settled ones too\n".into();
    }
    let mut table = Table::new(&["id", "state", "problem", "entry", "owner", "by", "at"]);
    for report in all {
        table.row([
            report.id.chars().take(ID_DIGITS).collect(),
            report.state.clone(),
            report.problem.clone(),
            report.title.clone(),
            report.owner.name.clone(),
            report.by.name.clone(),
            report.at.clone(),
        ]);
    }
    table.render()
}

fn lines(report: &FeedbackInfo) -> String {
    let path = report.path.as_ref().map(|path| format!(" · {path}")).unwrap_or_default();
    // Writing to a string cannot fail, here and below.
    let mut out = format!(
        "{} · {} · {}{path}\n{}\n{} reported at {} about an entry of {} ({})\n",
        report.title,
        report.problem,
        report.state,
        report.id,
        report.by.name,
        report.at,
        report.owner.name,
        report.entry
    );
    let _ = writeln!(out, "  {}", report.text);
    if let Some(at) = &report.answered_at {
        let _ = writeln!(out, "{} answered at {at}", report.owner.name);
    }
    if let Some(answer) = &report.answer {
        let _ = writeln!(out, "  {answer}");
    }
    if report.changed_since {
        let _ = writeln!(out, "the entry was published again since");
    }
    if !report.published {
        let _ = writeln!(out, "the publisher has not sent it yet");
    }
    out
}

fn task_lines(list: &TaskList) -> String {
    let mut out = String::new();
    for task in &list.tasks {
        let overdue = if task.overdue { " (overdue)" } else { "" };
        let _ = writeln!(out, "{}{overdue}: {}", task.kind, task.message);
    }
    let counts: Vec<String> = list.counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let shown = list.tasks.len() as u64;
    if list.total == 0 {
        out.push_str("nothing to do");
    } else if shown < list.total {
        let _ = write!(out, "{shown} of {}", list.total);
    } else {
        let _ = write!(out, "{shown} to do");
    }
    if !counts.is_empty() {
        let _ = write!(out, " · in all {}", counts.join(", "));
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ortsnetz_node::dto::TaskInfo;

    use super::*;

    #[test]
    fn a_report_says_how_it_stands() {
        let mut report = FeedbackInfo {
            id: "3f9a".repeat(8),
            title: "Hund anmelden".into(),
            problem: "wrong".into(),
            state: "open".into(),
            text: "96 EUR.".into(),
            path: Some("fees.0.amount".into()),
            ..FeedbackInfo::default()
        };
        let open = lines(&report);
        assert!(open.starts_with("Hund anmelden · wrong · open · fees.0.amount\n"), "{open}");
        assert!(open.contains("the publisher has not sent it yet") && !open.contains("answered"), "{open}");
        (report.answer, report.answered_at) = (Some("Danke.".into()), Some("2026-11-28T10:00:00Z".into()));
        assert!(lines(&report).contains("answered at 2026-11-28T10:00:00Z\n  Danke.\n"));
        assert!(table(&[report]).contains("3f9a3f9a  "), "the beginning of the id is enough");
        assert!(table(&[]).starts_with("no open reports"));
    }

    #[test]
    fn tasks_are_counted_also_where_few_are_shown() {
        let task = TaskInfo { kind: "review".into(), message: "look".into(), overdue: true, ..TaskInfo::default() };
        let counts = BTreeMap::from([("review".to_owned(), 2)]);
        let few = TaskList { tasks: vec![task], total: 2, counts };
        assert_eq!(task_lines(&few), "review (overdue): look\n1 of 2 · in all 2 review\n");
        assert_eq!(task_lines(&TaskList::default()), "nothing to do\n");
    }
}
