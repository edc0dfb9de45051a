//! `show`, `history`.

use std::fmt::Write as _;

use ortsnetz_node::dto::{EntryMeta, HistoryStep, Shown, ToldInfo};
use serde_json::{Map, Value};

use super::Context;
use super::answer::report_line;
use crate::args::Show;
use crate::client::segment;
use crate::failure::Failure;
use crate::table::Table;

/// Digits of a version in `history`: enough for `show --at` and `edit --to`.
const HEAD_DIGITS: usize = 12;
/// Paths of a step that `history` lists; more are counted.
const PATHS_SHOWN_MAX: usize = 4;

/// `show`
pub(crate) fn show(context: &Context, args: Show) -> Result<(), Failure> {
    let query = [("draft", args.draft.then(|| "true".to_owned())), ("on", args.on), ("at", args.at)];
    let document = context.daemon()?.get(&format!("/entries/{}", segment(&args.id)), &query)?;
    context.output.show(document, |shown: Shown| lines(&shown))
}

fn lines(shown: &Shown) -> String {
    let mut out = provenance(&shown.meta);
    for report in &shown.reports {
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(out, "! {}", report_line(report));
    }
    out.push('\n');
    let mut paths = Vec::new();
    for (name, value) in &shown.entry {
        flatten(name, value, &mut paths);
    }
    for (path, value) in &mut paths {
        if let Some(amount) = money(&shown.entry, path) {
            *value = amount;
        }
    }
    let width = paths.iter().map(|(path, _)| path.chars().count()).max().unwrap_or(0);
    for (path, value) in paths {
        let mut texts = value.lines();
        let padding = " ".repeat(width - path.chars().count());
        let _ = writeln!(out, "{path}{padding}  {}", texts.next().unwrap_or_default());
        for text in texts {
            let _ = writeln!(out, "{}  {text}", " ".repeat(width));
        }
    }
    out
}

/// The amount of a fee as people write it, if the path names one; the entry has cents.
fn money(entry: &Map<String, Value>, path: &str) -> Option<String> {
    let (index, field) = path.strip_prefix("fees.")?.split_once('.')?;
    if field != "amount" && field != "max_amount" {
        return None;
    }
    amount(entry.get("fees")?.get(index.parse::<usize>().ok()?)?, field)
}

/// An amount of a fee as people write it.
pub(super) fn amount(fee: &Value, field: &str) -> Option<String> {
    let cents = fee.get(field)?.as_i64()?;
    let currency = fee.get("currency").and_then(Value::as_str).unwrap_or("EUR");
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    Some(format!("{sign}{}.{:02} {currency}", cents / 100, cents % 100))
}

fn provenance(meta: &EntryMeta) -> String {
    let organisation = &meta.organisation;
    let standing = match (organisation.standing.as_deref(), &organisation.introduced_by) {
        (Some("introduced"), Some(by)) => format!("introduced by {by}"),
        (Some(standing), _) => standing.to_owned(),
        (None, _) => "standing unknown".to_owned(),
    };
    // Nobody has signed it yet, so there is nothing to verify.
    let is_draft = meta.state == "draft";
    let mut facts = vec![
        ("of", format!("{} ({standing})", organisation.name)),
        ("collection", meta.collection.clone()),
        (
            "state",
            if meta.draft && !is_draft { format!("{}, with a draft ahead", meta.state) } else { meta.state.clone() },
        ),
    ];
    if let Some(since) = &organisation.expired_since {
        facts
            .push(("ATTENTION", format!("its certificate ended at {since}: this is the last state that was verified")));
    }
    if let Some(successor) = &organisation.succeeded_by {
        facts.push(("ATTENTION", format!("{successor} answers in its place now")));
    }
    if let Some(leaving) = &organisation.leaving {
        facts.push(("ATTENTION", format!("{} {}", organisation.name, leaving.sentence)));
        facts.extend(leaving.note.clone().map(|note| ("", note)));
    }
    if meta.request != "none" && !meta.request.is_empty() {
        facts.push(("request", format!("publication is {}", meta.request)));
    }
    for (name, value) in [
        ("published", &meta.published_at),
        ("reviewed", &meta.reviewed_at),
        ("received", &meta.received_at),
        ("from", &meta.received_from),
        ("checkpoint", &meta.checkpoint_at),
        ("position", &meta.position),
    ] {
        facts.extend(value.clone().map(|value| (name, value)));
    }
    if let Some(ToldInfo { on, known_by }) = &meta.told {
        facts.push(match known_by.as_str() {
            "records" => ("as of", format!("{on}, by the signed records kept here")),
            "changes" => ("as of", format!("{on}, by the times of the changes in this copy; its owner knows more")),
            "planned" => ("shown", format!("as planned for {on}")),
            _ => ("as of", format!("{on}, the day is not over: this is what holds now")),
        });
    }
    if !is_draft {
        facts.push(("verified", if meta.verified { "yes" } else { "NO" }.to_owned()));
    }
    facts.push(("heads", meta.heads.join(",")));
    facts.into_iter().fold(String::new(), |mut out, (name, value)| {
        let _ = writeln!(out, "{name:<11} {value}");
        out
    })
}

/// Every value with its path, in the language of `edit`.
pub(super) fn flatten(path: &str, value: &Value, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                flatten(&format!("{path}.{name}"), value, out);
            }
        }
        Value::Array(list) if !list.is_empty() && list.iter().all(Value::is_string) => {
            let texts: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            out.push((path.to_owned(), texts.join(", ")));
        }
        Value::Array(list) if !list.is_empty() => {
            for (index, value) in list.iter().enumerate() {
                flatten(&format!("{path}.{index}"), value, out);
            }
        }
        Value::String(text) => out.push((path.to_owned(), text.clone())),
        other => out.push((path.to_owned(), other.to_string())),
    }
}

/// `history`
pub(crate) fn history(context: &Context, id: &str) -> Result<(), Failure> {
    let document = context.daemon()?.get(&format!("/entries/{}/history", segment(id)), &[])?;
    context.output.show(document, |steps: Vec<HistoryStep>| {
        let mut table = Table::new(&["at", "state", "node", "role", "paths", "heads"]);
        for step in steps {
            let heads: Vec<&str> = step.heads.iter().map(|head| head.get(..HEAD_DIGITS).unwrap_or(head)).collect();
            let (paths, heads) = (paths(&step.paths), heads.join(","));
            table.row([step.at, step.state, step.node, step.role, paths, heads]);
        }
        table.render()
    })
}

/// The first paths, and how many more there are.
fn paths(all: &[String]) -> String {
    let shown = all.iter().take(PATHS_SHOWN_MAX).map(String::as_str).collect::<Vec<_>>().join(" ");
    match all.len().saturating_sub(PATHS_SHOWN_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_entry_is_shown_in_the_language_of_edit() {
        let entry = json!({
            "kind": "service", "title": {"de": "Pass"}, "fees": [{"amount": 7001}], "offices": ["a", "b"],
            "texts": {"notes": {"de": "Zeile 1\nZeile 2"}},
        });
        let entry = entry.as_object().cloned().expect("an object");
        let text = lines(&Shown { entry, ..Shown::default() });
        for line in
            ["fees.0.amount   70.01 EUR", "offices         a, b", "texts.notes.de  Zeile 1", "                Zeile 2"]
        {
            assert!(text.lines().any(|given| given == line), "{line:?} is missing in\n{text}");
        }
        assert!(text.contains("verified    NO"));
    }

    #[test]
    fn money_is_shown_as_people_write_it() {
        let entry = json!({"fees": [
            {"amount": 5, "max_amount": 123_400, "currency": "CHF"}, {"amount": -150}, {"amount": null, "note": {}},
        ]});
        let entry = entry.as_object().expect("an object");
        assert_eq!(money(entry, "fees.0.amount").as_deref(), Some("0.05 CHF"));
        assert_eq!(money(entry, "fees.0.max_amount").as_deref(), Some("1234.00 CHF"));
        assert_eq!(money(entry, "fees.1.amount").as_deref(), Some("-1.50 EUR"));
        for path in ["fees.2.amount", "fees.0.currency", "fees.9.amount", "fees", "title.de"] {
            assert_eq!(money(entry, path), None, "{path}");
        }
    }

    #[test]
    fn a_draft_has_no_draft_ahead_and_nothing_to_verify() {
        let meta = |state: &str| EntryMeta { state: state.into(), draft: true, verified: true, ..EntryMeta::default() };
        let draft = provenance(&meta("draft"));
        assert!(draft.contains("state       draft\n") && !draft.contains("verified"), "{draft}");
        let published = provenance(&meta("published"));
        assert!(
            published.contains("published, with a draft ahead") && published.contains("verified    yes"),
            "{published}"
        );
    }

    #[test]
    fn a_day_to_come_is_shown_as_planned() {
        let told = |known_by: &str| {
            let told = ToldInfo { on: "2027-05-05".into(), known_by: known_by.into() };
            provenance(&EntryMeta { told: Some(told), ..EntryMeta::default() })
        };
        assert!(told("planned").contains("as planned for 2027-05-05"));
        assert!(told("present").contains("the day is not over"));
    }

    #[test]
    fn many_paths_are_counted() {
        let all: Vec<String> = (0..=PATHS_SHOWN_MAX).map(|n| format!("p{n}")).collect();
        assert_eq!(paths(&all[..PATHS_SHOWN_MAX]), "p0 p1 p2 p3");
        assert_eq!(paths(&all), "p0 p1 p2 p3 and 1 more");
    }
}
