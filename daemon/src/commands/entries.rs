//! `create`, `edit`, `publish`, `withdraw`, `move`, `conflicts`, `resolve`, `adopt`.

use std::fmt::Write as _;

use ortsnetz_node::dto::{ConflictInfo, Published, RedactionReport, SourceChanges, Written};
use serde_json::{Value, json};

use super::Context;
use crate::args::{Adopt, Redact};
use crate::client::segment;
use crate::failure::Failure;
use crate::values::assignments;

/// `create`
pub(crate) fn create(context: &Context, kind: &str, values: &[String]) -> Result<(), Failure> {
    let body = json!({"kind": kind, "values": path_values(values)?});
    let document = context.daemon()?.post_paths("/entries", &body)?;
    written(context, document)
}

/// `edit`
pub(crate) fn edit(context: &Context, id: &str, values: &[String]) -> Result<(), Failure> {
    let body = json!({"values": path_values(values)?});
    let document = context.daemon()?.patch_paths(&format!("/entries/{}", segment(id)), &body)?;
    written(context, document)
}

/// `edit --undo`, `edit --to`
pub(crate) fn undo(context: &Context, id: &str, to: Option<&str>) -> Result<(), Failure> {
    let document = context.daemon()?.post(&format!("/entries/{}/undo", segment(id)), &json!({ "to": to }))?;
    written(context, document)
}

/// `redact`
pub(crate) fn redact(context: &Context, args: Redact) -> Result<(), Failure> {
    let path = format!("/entries/{}", segment(&args.id));
    let document = if args.status {
        context.daemon()?.get(&format!("{path}/redaction"), &[])?
    } else {
        let body = json!({"erase": args.erase, "reason": args.reason});
        context.daemon()?.post(&format!("{path}/redact"), &body)?
    };
    context.output.show(document, |report: RedactionReport| redaction_lines(&report))
}

fn redaction_lines(report: &RedactionReport) -> String {
    let mut out = format!(
        "{} redacted at {}: everything before generation {} is void\n",
        report.id, report.redacted_at, report.generation
    );
    // Writing to a string cannot fail.
    if report.of == 0 {
        out.push_str("purged here; nobody else had it\n");
    } else {
        let _ = writeln!(out, "purged here and by {} of {}", report.purged.len(), report.of);
    }
    for name in &report.waiting {
        let _ = writeln!(out, "  waiting for {name}");
    }
    for line in &report.unreachable {
        let _ = writeln!(out, "  not reached: {line}");
    }
    out
}

fn path_values(values: &[String]) -> Result<Value, Failure> {
    let pairs = assignments(values)?;
    Ok(pairs.into_iter().map(|(path, value)| json!({"path": path, "value": value})).collect())
}

fn written(context: &Context, document: Value) -> Result<(), Failure> {
    context.output.show(document, |written: Written| written_lines(&written))
}

fn written_lines(written: &Written) -> String {
    let id = &written.id;
    let errors = written.findings.iter().any(|finding| finding.severity == "error");
    let mut out = match written.state.as_str() {
        "draft" if errors => format!("{id} is a draft; before it can be published, these errors must be corrected:\n"),
        "draft" => format!("{id} is a draft; `ortsnetz publish {id}` publishes it\n"),
        _ => format!("{id} is as published, no draft left\n"),
    };
    for finding in &written.findings {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  {}: {}: {}", finding.severity, finding.path, finding.message);
    }
    out
}

/// `publish`
pub(crate) fn publish(context: &Context, ids: &[String], all: bool) -> Result<(), Failure> {
    let body = if all { json!({"all": true}) } else { json!({ "ids": ids }) };
    let document = context.daemon()?.post("/publish", &body)?;
    published(context, document, "published")
}

/// `withdraw`, `move`
pub(crate) fn act(context: &Context, id: &str, verb: &str, body: &Value) -> Result<(), Failure> {
    let document = context.daemon()?.post(&format!("/entries/{}/{verb}", segment(id)), body)?;
    let done = match verb {
        "withdraw" => "withdrawn",
        "confirm" => "confirmed",
        _ => "moved",
    };
    published(context, document, done)
}

/// Refused entries make the command fail, also beside others that were published.
fn published(context: &Context, document: Value, done: &str) -> Result<(), Failure> {
    let refused = refusal(&document, done);
    context.output.verdict(document, refused.is_none(), |published: Published| published_lines(&published, done))?;
    match refused {
        None => Ok(()),
        Some(line) => Err(Failure::Failed(line)),
    }
}

/// The first refusal as one line; `None` if there is none.
fn refusal(document: &Value, done: &str) -> Option<String> {
    let refused = document.get("refused").and_then(Value::as_array)?;
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let first = refused.first()?;
    let more = match refused.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more refused)"),
    };
    Some(format!("not {done}: {}: {}{more}", text(first, "id"), text(first, "reason")))
}

/// One line for each entry, but for a single refused one, which the error names.
fn published_lines(published: &Published, done: &str) -> String {
    let mut out = String::new();
    for entry in &published.published {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{}  {done}, {} at {}", entry.id, entry.collection, entry.position);
    }
    for id in &published.requested {
        let _ = writeln!(out, "{id}  requested from the publisher");
    }
    if published.refused.len() > 1 {
        for refusal in &published.refused {
            let _ = writeln!(out, "{}  REFUSED: {}", refusal.id, refusal.reason);
        }
    }
    if out.is_empty() && published.refused.is_empty() {
        out.push_str("nothing to publish\n");
    }
    out
}

/// `conflicts`
pub(crate) fn conflicts(context: &Context) -> Result<(), Failure> {
    let document = context.daemon()?.get("/conflicts", &[])?;
    context.output.show(document, |conflicts: Vec<ConflictInfo>| conflict_lines(&conflicts))
}

fn conflict_lines(conflicts: &[ConflictInfo]) -> String {
    if conflicts.is_empty() {
        return "no conflicts\n".into();
    }
    let mut out = String::new();
    for conflict in conflicts {
        let _ = writeln!(out, "{}  {}", conflict.id, conflict.path);
        for value in &conflict.values {
            let _ = writeln!(out, "  {}  {}  ({}, {})", value.n, value.value, value.node, value.at);
        }
        let _ = writeln!(out, "  choose with: ortsnetz resolve {} '{}' N\n", conflict.id, conflict.path);
    }
    out
}

/// `resolve`
pub(crate) fn resolve(context: &Context, id: &str, path: &str, n: u64) -> Result<(), Failure> {
    let body = json!({"path": path, "n": n});
    let document = context.daemon()?.post(&format!("/entries/{}/resolve", segment(id)), &body)?;
    written(context, document)
}

/// `adopt`
pub(crate) fn adopt(context: &Context, args: &Adopt) -> Result<(), Failure> {
    let how = &args.how;
    if how.changes || how.take || how.dismiss {
        return source(context, args);
    }
    let body = json!({"layer": how.layer});
    let document = context.daemon()?.post(&format!("/entries/{}/adopt", segment(&args.id)), &body)?;
    written(context, document)
}

/// `adopt --changes`, `--take` and `--dismiss`
fn source(context: &Context, args: &Adopt) -> Result<(), Failure> {
    let (daemon, at) = (context.daemon()?, format!("/entries/{}/source", segment(&args.id)));
    let document = if args.how.changes {
        daemon.get(&at, &[])?
    } else {
        let body = json!({"take": args.how.take, "paths": args.paths, "publish": args.publish});
        daemon.post(&at, &body)?
    };
    context.output.show(document, |changes: SourceChanges| {
        let fields: String = changes.fields.iter().map(super::proposals::field_lines).collect();
        format!("{} · {} of {} · {}\n{fields}", changes.title, changes.mode, changes.organisation.name, changes.state)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ortsnetz_node::dto::{ConflictValueInfo, Refusal};

    #[test]
    fn a_refusal_says_why() {
        let refusal = Refusal { id: "00ff".into(), reason: "texts.notes.de has two values".into() };
        let refused = |refused| published_lines(&Published { refused, ..Published::default() }, "published");
        let line = "00ff  REFUSED: texts.notes.de has two values\n";
        assert_eq!(refused(vec![refusal.clone(), refusal.clone()]), line.repeat(2));
        assert_eq!(refused(vec![refusal]), "", "the error says it");
        assert_eq!(refused(vec![]), "nothing to publish\n");
    }

    #[test]
    fn what_was_written_is_a_draft_or_as_published() {
        let lines =
            |state: &str| written_lines(&Written { id: "00ff".into(), state: state.into(), ..Written::default() });
        assert_eq!(lines("draft"), "00ff is a draft; `ortsnetz publish 00ff` publishes it\n");
        assert_eq!(lines("published"), "00ff is as published, no draft left\n");
    }

    #[test]
    fn what_was_refused_is_the_failure() {
        let one = json!({"id": "00ff", "reason": "title: is missing"});
        assert_eq!(
            refusal(&json!({"refused": [one]}), "published").as_deref(),
            Some("not published: 00ff: title: is missing")
        );
        assert!(
            refusal(&json!({"refused": [one, one]}), "published")
                .is_some_and(|line| line.ends_with("(and 1 more refused)"))
        );
        assert_eq!(refusal(&json!({"refused": []}), "published"), None);
    }

    #[test]
    fn a_conflict_shows_all_values_and_the_way_out() {
        let value = |n, text: &str| ConflictValueInfo { n, value: text.into(), ..ConflictValueInfo::default() };
        let conflict =
            ConflictInfo { id: "00ff".into(), path: "title.de".into(), values: vec![value(0, "a"), value(1, "b")] };
        let text = conflict_lines(&[conflict]);
        assert!(text.contains("ortsnetz resolve 00ff 'title.de' N") && text.contains("\"b\""), "{text}");
    }

    #[test]
    fn a_redaction_says_who_is_missing() {
        let report = RedactionReport {
            id: "00ff".into(),
            generation: 2,
            of: 2,
            purged: vec!["Stadt Siegburg".into()],
            waiting: vec!["Bundesstadt Bonn".into()],
            ..RedactionReport::default()
        };
        let text = redaction_lines(&report);
        assert!(text.contains("purged here and by 1 of 2\n  waiting for Bundesstadt Bonn\n"), "{text}");
        assert!(redaction_lines(&RedactionReport::default()).contains("nobody else had it"));
    }
}
