//! `receipt`, `verify`.

use std::fmt::Write as _;
use std::io::Read as _;

use ortsnetz_node::dto::{ReceiptInfo, ReceiptSigner};
use serde_json::json;

use super::Context;
use super::show::flatten;
use crate::args::{Receipt, Verify};
use crate::client::segment;
use crate::failure::Failure;

/// More than any receipt has, in bytes: so much is read before the program says that it is too long.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// `receipt`
pub(crate) fn receipt(context: &Context, args: Receipt) -> Result<(), Failure> {
    let mut text = String::new();
    context.daemon()?.download(&format!("/entries/{}/receipt", segment(&args.id)), &[])?.read_to_string(&mut text)?;
    let Some(file) = args.out else { return context.output.text(&text) };
    std::fs::write(&file, text)
        .map_err(|error| Failure::Failed(format!("could not write {}: {error}", file.display())))?;
    if context.output.json {
        return context.output.document(&json!({"ok": true, "file": file.display().to_string()}));
    }
    context.output.text(&format!("wrote {0}; anybody can check it with `ortsnetz verify {0}`\n", file.display()))
}

/// `verify`
pub(crate) fn verify(context: &Context, args: &Verify) -> Result<(), Failure> {
    let name = args.file.display().to_string();
    let failed = |error: std::io::Error| Failure::Failed(format!("could not read {name}: {error}"));
    let mut bytes = Vec::new();
    if name == "-" {
        std::io::stdin().take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        std::fs::File::open(&args.file)
            .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes))
            .map_err(failed)?;
    }
    // A change that automerge panics on is a receipt that does not hold, told in one line.
    std::panic::set_hook(Box::new(|_| {}));
    let verified = ortsnetz_node::verify_receipt(&bytes, args.organisation.as_deref());
    let _ = std::panic::take_hook();
    let info = verified.map_err(|error| match error {
        ortsnetz_node::NodeError::Conflict(message) => Failure::Failed(format!("{name} does not hold: {message}")),
        other => other.into(),
    })?;
    context.output.show(json!(info), |info: ReceiptInfo| lines(&info))
}

fn lines(info: &ReceiptInfo) -> String {
    let by = |signer: &ReceiptSigner| format!("{} ({}, certificate {})", signer.name, signer.node, signer.state);
    let mut facts = vec![
        ("holds", "yes: signatures, changes and entry fit together".to_owned()),
        ("said by", format!("{} ({})", info.organisation.name, info.organisation.id)),
        ("at", info.said_at.clone()),
        ("signed by", by(&info.signed_by)),
        ("entry", info.id.clone()),
        ("collection", info.collection.clone()),
        ("state", info.state.clone()),
        ("position", format!("{}, generation {}", info.position, info.generation)),
        ("vouched", info.vouched_at.clone()),
    ];
    facts.extend(info.vouched_by.as_ref().map(|signer| ("vouched by", by(signer))));
    facts.extend(info.checkpoint_at.clone().map(|at| ("checkpoint", at)));
    let mut out = String::new();
    for (name, value) in facts {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{name:<11} {value}");
    }
    for note in &info.notes {
        let _ = writeln!(out, "{:<11} {note}", "note");
    }
    out.push('\n');
    let mut paths = Vec::new();
    for (name, value) in info.entry.iter().flatten() {
        flatten(name, value, &mut paths);
    }
    for (path, value) in paths {
        let _ = writeln!(out, "{path}  {}", value.replace('\n', "\n    "));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_verdict_says_who_what_and_when() {
        let entry = json!({"kind": "service", "title": {"de": "Pass"}});
        let info = ReceiptInfo {
            said_at: "2026-03-03T10:00:00Z".into(),
            entry: entry.as_object().cloned(),
            organisation: ortsnetz_node::dto::OrganisationInfo { name: "Stadt Siegburg".into(), ..Default::default() },
            ..ReceiptInfo::default()
        };
        let text = lines(&info);
        for line in ["at          2026-03-03T10:00:00Z", "title.de  Pass"] {
            assert!(text.lines().any(|given| given == line), "{line:?} is missing in\n{text}");
        }
        assert!(text.contains("said by     Stadt Siegburg"));
        assert_eq!(json!(info)["entry"]["kind"], Value::from("service"));
    }
}
