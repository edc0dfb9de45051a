//! `agreements`.

use std::fmt::Write as _;
use std::path::Path;

use ortsnetz_node::dto::{AgreementInfo, AgreementVersion};
use serde_json::{Value, json};

use super::Context;
use crate::args::Agreements;
use crate::client::segment;
use crate::failure::Failure;
use crate::table::Table;

/// Digits of an id in tables: enough for every command.
const ID_DIGITS: usize = 8;
/// Longest file with a text, in bytes: the text both sign is shorter.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// `agreements list|show|propose|amend|sign|decline|end`
pub(crate) fn agreements(context: &Context, args: Agreements) -> Result<(), Failure> {
    let daemon = context.daemon()?;
    let show = |document: Value| context.output.show(document, |agreement: AgreementInfo| lines(&agreement));
    let at = |id: &str, verb: &str| format!("/agreements/{}{verb}", segment(id));
    match args {
        Agreements::List => context.output.show(daemon.get("/agreements", &[])?, |all: Vec<AgreementInfo>| table(&all)),
        Agreements::Show { id } => show(daemon.get(&at(&id, ""), &[])?),
        Agreements::Propose(args) => {
            let offer = json!({"partner": args.partner, "we_answer": args.we_answer, "terms": text(&args.file)?});
            show(daemon.post("/agreements", &offer)?)
        }
        Agreements::Amend { id, file } => {
            show(daemon.post("/agreements", &json!({"agreement": id, "terms": text(&file)?}))?)
        }
        Agreements::Sign { id } => show(daemon.post(&at(&id, "/sign"), &json!({}))?),
        Agreements::Decline { id, reason } => show(daemon.post(&at(&id, "/decline"), &json!({"reason": reason}))?),
        Agreements::End(args) => show(daemon.post(&at(&args.id, "/end"), &json!({"on": args.on}))?),
    }
}

/// The text in a file.
fn text(file: &Path) -> Result<Value, Failure> {
    let failed = |error: String| Failure::Failed(format!("{}: {error}", file.display()));
    let size = std::fs::metadata(file).map_err(|error| failed(error.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(failed(format!("has {size} bytes; the text of an agreement is shorter than {FILE_BYTES_MAX}")));
    }
    let text = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| failed(format!("is no JSON: {error}")))
}

fn table(all: &[AgreementInfo]) -> String {
    if all.is_empty() {
        return "no agreements yet; offer one with `ortsnetz agreements propose PARTNER FILE`\n".into();
    }
    let mut table = Table::new(&["id", "title", "partner", "we", "state", ">stage", "until"]);
    for agreement in all {
        let version = counting(agreement);
        let term = |name: &str| version.and_then(|version| version.terms.get(name));
        let until = version.and_then(|version| version.ends_on.clone());
        table.row([
            agreement.id.chars().take(ID_DIGITS).collect(),
            agreement.title.clone(),
            agreement.partner.name.clone(),
            if agreement.we_answer { "answer" } else { "are answered for" }.into(),
            agreement.state.clone(),
            term("stage").map(Value::to_string).unwrap_or_default(),
            until.or_else(|| term("valid_until")?.as_str().map(str::to_owned)).unwrap_or_else(|| "open".into()),
        ]);
    }
    table.render()
}

/// The version whose state the agreement has.
fn counting(agreement: &AgreementInfo) -> Option<&AgreementVersion> {
    agreement.versions.iter().find(|version| version.state == agreement.state).or(agreement.versions.first())
}

fn lines(agreement: &AgreementInfo) -> String {
    let who = if agreement.we_answer { "we answer for" } else { "is answered by" };
    // Writing to a string cannot fail, here and below.
    let mut out =
        format!("{} · {} · {who} {}\n{}\n", agreement.title, agreement.state, agreement.partner.name, agreement.id);
    for version in &agreement.versions {
        let _ = writeln!(out, "\nversion {} · {} · text {}", version.version, version.state, version.text_hash);
        let name = &agreement.partner.name;
        for (side, signature) in [("us", &version.ours), (name.as_str(), &version.theirs)] {
            match signature {
                Some(signature) => {
                    let _ = writeln!(out, "  signed by {side} at {} (node {})", signature.at, signature.node);
                }
                None => {
                    let _ = writeln!(out, "  not signed by {side}");
                }
            }
        }
        if let Some(reason) = &version.reason {
            let _ = writeln!(out, "  declined: {reason}");
        }
        if let Some(date) = &version.ends_on {
            let _ = writeln!(out, "  ends on {date}");
        }
        let text = serde_json::to_string_pretty(&version.terms).unwrap_or_default();
        for line in text.lines() {
            let _ = writeln!(out, "  {line}");
        }
    }
    if let Some(required) = &agreement.required {
        let _ = writeln!(out, "\n{} of {} required topics are complete", required.complete, required.total);
        for topic in &required.missing {
            let _ = writeln!(out, "  {} · no {}", topic.leika, topic.missing);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use ortsnetz_node::dto::{MissingTopic, RequiredTopics};

    use super::*;

    #[test]
    fn an_agreement_says_who_signed_and_what_is_missing() {
        let version = AgreementVersion { version: 1, state: "proposed".into(), ..AgreementVersion::default() };
        let missing = vec![MissingTopic { leika: "99036012011000".into(), missing: "office".into() }];
        let agreement = AgreementInfo {
            id: "3f9a".repeat(8),
            state: "proposed".into(),
            versions: vec![version],
            required: Some(RequiredTopics { complete: 0, total: 1, missing }),
            ..AgreementInfo::default()
        };
        let text = lines(&agreement);
        assert!(text.contains("  not signed by us\n"), "{text}");
        assert!(text.contains("0 of 1 required topics are complete\n  99036012011000 · no office\n"), "{text}");
        assert!(table(&[agreement]).contains("3f9a3f9a  "), "the beginning of the id is enough");
        assert!(table(&[]).starts_with("no agreements yet"));
    }
}
