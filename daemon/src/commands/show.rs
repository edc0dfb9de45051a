//! `show`, `history`.

use std::fmt::Write as _;

use ortsnetz_node::dto::{EntryMeta, HistoryStep, Shown};
use serde_json::Value;

use super::Context;
use crate::args::Show;
use crate::client::segment;
use crate::failure::Failure;
use crate::table::Table;

/// `show`
pub(crate) fn show(context: &Context, args: Show) -> Result<(), Failure> {
    let query = [("draft", args.draft.then(|| "true".to_owned())), ("on", args.on), ("at", args.at)];
    let document = context.daemon()?.get(&format!("/entries/{}", segment(&args.id)), &query)?;
    context.output.show(document, |shown: Shown| lines(&shown))
}

fn lines(shown: &Shown) -> String {
    let mut out = provenance(&shown.meta);
    out.push('\n');
    let mut paths = Vec::new();
    for (name, value) in &shown.entry {
        flatten(name, value, &mut paths);
    }
    let width = paths.iter().map(|(path, _)| path.chars().count()).max().unwrap_or(0);
    for (path, value) in paths {
        let mut texts = value.lines();
        let padding = " ".repeat(width - path.chars().count());
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{path}{padding}  {}", texts.next().unwrap_or_default());
        for text in texts {
            let _ = writeln!(out, "{}  {text}", " ".repeat(width));
        }
    }
    out
}

fn provenance(meta: &EntryMeta) -> String {
    let organisation = &meta.organisation;
    let standing = match (organisation.standing.as_deref(), &organisation.introduced_by) {
        (Some("introduced"), Some(by)) => format!("introduced by {by}"),
        (Some(standing), _) => standing.to_owned(),
        (None, _) => "standing unknown".to_owned(),
    };
    let mut facts = vec![
        ("of", format!("{} ({standing})", organisation.name)),
        ("collection", meta.collection.clone()),
        ("state", if meta.draft { format!("{}, with a draft ahead", meta.state) } else { meta.state.clone() }),
    ];
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
    if let Some(told) = &meta.told {
        let how = match told.known_by.as_str() {
            "records" => "by the signed records kept here",
            "changes" => "by the times of the changes in this copy; its owner knows more",
            _ => "the day is not over: this is what holds now",
        };
        facts.push(("as of", format!("{}, {how}", told.on)));
    }
    facts.push(("verified", if meta.verified { "yes" } else { "NO" }.to_owned()));
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
            table.row([step.at, step.state, step.node, step.role, step.paths.join(" "), step.heads.join(",")]);
        }
        table.render()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_entry_is_shown_in_the_language_of_edit() {
        let entry = json!({
            "kind": "service", "title": {"de": "Pass"}, "fees": [{"amount": 7000}], "offices": ["a", "b"],
            "texts": {"notes": {"de": "Zeile 1\nZeile 2"}},
        });
        let entry = entry.as_object().cloned().expect("an object");
        let text = lines(&Shown { entry, meta: EntryMeta::default() });
        for line in
            ["fees.0.amount   7000", "offices         a, b", "texts.notes.de  Zeile 1", "                Zeile 2"]
        {
            assert!(text.lines().any(|given| given == line), "{line:?} is missing in\n{text}");
        }
        assert!(text.contains("verified    NO"));
    }
}
