//! `proposals`.

use std::fmt::Write as _;

use ortsnetz_node::dto::{ProposalInfo, ProposedField};
use serde_json::{Value, json};

use super::Context;
use super::tasks::asked;
use crate::args::Proposals;
use crate::client::segment;
use crate::failure::Failure;
use crate::table::Table;
use crate::values::assignments;

/// Digits of an id in tables: enough for every command.
const ID_DIGITS: usize = 8;

/// `proposals make|list|show|accept|decline|withdraw`
pub(crate) fn proposals(context: &Context, args: Proposals) -> Result<(), Failure> {
    let daemon = context.daemon()?;
    let show = |document: Value| context.output.show(document, |proposal: ProposalInfo| lines(&proposal));
    let at = |id: &str, verb: &str| format!("/proposals/{}{verb}", segment(id));
    match args {
        Proposals::Make(new) => {
            let values = assignments(&new.values)?;
            let proposal = json!({"entry": new.entry, "values": values, "comment": new.comment});
            show(daemon.post("/proposals", &proposal)?)
        }
        Proposals::List(args) => {
            context.output.show(daemon.get("/proposals", &asked(args))?, |all: Vec<ProposalInfo>| table(&all))
        }
        Proposals::Show { id } => show(daemon.get(&at(&id, ""), &[])?),
        Proposals::Accept(args) => {
            let decision = json!({"accept": true, "paths": args.paths, "publish": args.publish});
            show(daemon.post(&at(&args.id, "/decide"), &decision)?)
        }
        Proposals::Decline { id, paths, reason } => {
            let decision = json!({"accept": false, "paths": paths, "reason": reason});
            show(daemon.post(&at(&id, "/decide"), &decision)?)
        }
        Proposals::Withdraw { id } => {
            daemon.post(&at(&id, "/withdraw"), &json!({}))?;
            context.done(&format!("proposal {id} is taken back"))
        }
    }
}

fn table(all: &[ProposalInfo]) -> String {
    if all.is_empty() {
        return "no open proposals; `ortsnetz proposals list --all` shows decided ones too\n".into();
    }
    let mut table = Table::new(&["id", "state", ">fields", "entry", "owner", "by", "at"]);
    for proposal in all {
        table.row([
            proposal.id.chars().take(ID_DIGITS).collect(),
            proposal.state.clone(),
            proposal.fields.len().to_string(),
            proposal.title.clone(),
            proposal.owner.name.clone(),
            proposal.by.name.clone(),
            proposal.at.clone(),
        ]);
    }
    table.render()
}

fn lines(proposal: &ProposalInfo) -> String {
    let mut out = format!(
        "{} · {}\n{}\n{} suggested at {} for an entry of {} ({})\n",
        proposal.title, proposal.state, proposal.id, proposal.by.name, proposal.at, proposal.owner.name, proposal.entry
    );
    // Writing to a string cannot fail, here and below.
    if let Some(comment) = &proposal.comment {
        let _ = writeln!(out, "  {comment}");
    }
    if proposal.moved_on {
        let _ = writeln!(out, "the entry was published again since");
    }
    for field in &proposal.fields {
        out.push_str(&field_lines(field));
    }
    if let Some(agreement) = &proposal.automatic {
        let _ = writeln!(out, "taken without a person, by agreement {agreement}");
    }
    if let Some(heard) = &proposal.heard {
        let _ = writeln!(out, "{heard} contacts heard the old text");
    }
    if !proposal.published {
        let _ = writeln!(out, "the publisher has not sent it yet");
    }
    out
}

/// What a field said, should say, and says.
pub(super) fn field_lines(field: &ProposedField) -> String {
    let said = match field.accepted {
        Some(true) => " · accepted",
        Some(false) => " · declined",
        None => "",
    };
    let mut out = format!("{} · {}{said}\n", field.path, field.fit);
    let mut line = |name: &str, value: &Value| {
        let value = match value {
            Value::Null => "(nothing)".to_owned(),
            Value::String(text) => text.replace('\n', "\n        "),
            other => other.to_string(),
        };
        let _ = writeln!(out, "  {name:<5} {value}");
    };
    line("old", &field.old);
    line("new", &field.new);
    if field.fit == "changed" {
        line("now", &field.now);
    }
    if let Some(reason) = &field.reason {
        let _ = writeln!(out, "  because {reason}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_moved_on_shows_three_values() {
        let field = |fit: &str, accepted| ProposedField {
            path: "fees.0.amount".into(),
            old: json!(2600),
            new: json!(2800),
            now: json!(3000),
            fit: fit.into(),
            accepted,
            reason: accepted.map(|_| "Nein.".into()),
        };
        assert_eq!(field_lines(&field("clean", None)), "fees.0.amount · clean\n  old   2600\n  new   2800\n");
        let changed = field_lines(&field("changed", Some(false)));
        assert!(changed.starts_with("fees.0.amount · changed · declined\n"), "{changed}");
        assert!(changed.ends_with("  now   3000\n  because Nein.\n"), "{changed}");
        let proposal =
            ProposalInfo { id: "3f9a".repeat(8), fields: vec![field("clean", None)], ..ProposalInfo::default() };
        assert!(table(std::slice::from_ref(&proposal)).contains("3f9a3f9a  "), "the beginning of the id is enough");
        assert!(lines(&proposal).contains("the publisher has not sent it yet"));
        assert!(table(&[]).starts_with("no open proposals"));
    }
}
