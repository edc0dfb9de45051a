//! `init`, `identity`, `recover`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ortsnetz_node::NewOrganisation;
use ortsnetz_node::dto::{
    FarewellReport, Initialised, LeaveRequest, RecoverRequest, Recovered, Rotated, SheetText, SuccessionInfo,
};
use serde_json::{Value, json};

use super::Context;
use crate::args::{Identity, Init, Recover};
use crate::datadir;
use crate::failure::Failure;
use crate::values::content;

/// `init`
pub(crate) fn init(context: &Context, args: Init) -> Result<(), Failure> {
    let made = match args.join {
        Some(token) => {
            let token = content(&token)?;
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(ortsnetz_node::init_join(&context.data_dir, token.trim()))?
        }
        None => {
            let organisation = NewOrganisation {
                name: args.name.unwrap_or_default(),
                ars: args.ars.unwrap_or_default(),
                kind: args.kind.word().to_owned(),
            };
            ortsnetz_node::init(&context.data_dir, &organisation)?
        }
    };
    context.output.show(json!(made), |made: Initialised| lines(context, &made))
}

fn lines(context: &Context, made: &Initialised) -> String {
    let mut out = format!("{} in {}\n", made.organisation.name, context.data_dir.display());
    out.push_str(&format!("organisation  {}\nnode          {}\n", made.organisation.id, made.node.id));
    if let Some(recovery) = &made.recovery {
        out.push_str(&format!(
            "\nRecovery sheet: {}\nPassphrase:     {}\n\nPrint the sheet, write the passphrase down on other paper. It is shown only now and kept nowhere.\n",
            recovery.file, recovery.passphrase
        ));
    }
    out.push_str(&format!("\nNext: ortsnetz --data-dir '{}' run\n", context.data_dir.display()));
    out
}

/// `identity sheet|rotate`
pub(crate) fn identity(context: &Context, args: Identity) -> Result<(), Failure> {
    match args {
        Identity::Sheet { out, check, passphrase } => sheet(context, out, check, passphrase),
        Identity::Rotate => {
            let document = context.daemon()?.post("/identity/rotate", &json!({}))?;
            context.output.show(document, |rotated: Rotated| rotated_lines(&rotated))
        }
        Identity::Succeed { organisation, publish, undo } => {
            let body = json!({"predecessor": organisation, "publish": publish, "undo": undo});
            let document = context.daemon()?.post("/identity/succeed", &body)?;
            context.output.show(document, |info: SuccessionInfo| succession_lines(&info))
        }
        Identity::Leave { status: true, .. } => {
            let document = context.daemon()?.get("/identity/leave", &[])?;
            context.output.show(document, |report: FarewellReport| farewell_lines(&report))
        }
        Identity::Leave { on, telephone, note, keep, undo, yes, .. } => {
            let confirm = yes.unwrap_or_default();
            let request = LeaveRequest { on, telephone, note, keep_days: keep, undo, confirm };
            let document = context.daemon()?.post("/identity/leave", &json!(request))?;
            context.output.show(document, |report: FarewellReport| farewell_lines(&report))
        }
    }
}

fn farewell_lines(report: &FarewellReport) -> String {
    let Some(leaving) = &report.leaving else {
        return "this organisation takes part; nothing was said of leaving\n".into();
    };
    let (on, delete_on) = (&leaving.on, &leaving.delete_on);
    let mut out = format!("agents read    {}\n", leaving.sentence);
    if let Some(note) = &leaving.note {
        out.push_str(&format!("               {note}\n"));
    }
    if leaving.telephone.is_none() {
        out.push_str("               without a number to call; say one with --telephone\n");
    }
    out.push_str(&format!(
        "first day out  {on}{}\ndeletion       partners delete their copies on {delete_on}\n",
        if leaving.left { "" } else { "; until then `ortsnetz identity leave --undo` takes it back" }
    ));
    out.push_str(&format!("deleted at     {} of {}\n", report.deleted.len(), report.of));
    for deleted in &report.deleted {
        let nodes = if deleted.nodes == 1 { String::new() } else { format!(", all {} nodes", deleted.nodes) };
        out.push_str(&format!("  {}, {}, {} entries{nodes}\n", deleted.name, deleted.at, deleted.entries));
    }
    if !report.waiting.is_empty() {
        out.push_str("not yet\n");
        report.waiting.iter().for_each(|name| out.push_str(&format!("  {name}\n")));
    }
    out.push_str("not reached\n");
    report.unreachable.iter().for_each(|line| out.push_str(&format!("  {line}\n")));
    out.push_str("\nEverything of your own in an open format: ortsnetz export --companions --drafts --out FILE\n");
    out
}

fn succession_lines(info: &SuccessionInfo) -> String {
    let (successor, predecessor) = (&info.successor.name, &info.predecessor.name);
    if !info.counts {
        return format!("{successor} follows {predecessor} no more; what was adopted stays\n");
    }
    let mut out = format!("{successor} follows {predecessor}\n");
    if let Some(adopted) = &info.adopted {
        out.push_str(&format!(
            "adopted: {} new, {} updated, {} unchanged, {} published\n",
            adopted.created, adopted.updated, adopted.unchanged, adopted.published
        ));
        for rejected in &adopted.rejected {
            out.push_str(&format!("  not adopted: {}: {}\n", rejected.line, rejected.reason));
        }
    }
    out.push_str(&format!(
        "\nCall each partner. They compare these words, which their `ortsnetz status` shows:\n\n  {}\n",
        info.check_words.join(" ")
    ));
    out
}

fn rotated_lines(rotated: &Rotated) -> String {
    let (number, recovery) = (rotated.number, &rotated.recovery);
    format!(
        "the root key was replaced ({number}); partners follow by themselves\n\nNew recovery sheet: {}\nPassphrase:         {}\n\nPrint the sheet, write the passphrase down on other paper, and destroy the old sheet: it opens nothing any more.\nThe passphrase is shown only now and kept nowhere. Backups made before hold the old key; make a new one.\n",
        recovery.file, recovery.passphrase
    )
}

fn sheet(
    context: &Context,
    out: Option<PathBuf>,
    check: Option<PathBuf>,
    passphrase: Option<String>,
) -> Result<(), Failure> {
    let Some(check) = check else { return print(context, out.as_deref()) };
    let body = json!({"sheet": read(&check)?, "passphrase": secret(passphrase)?});
    context.daemon()?.post("/identity/sheet/check", &body)?;
    context.done("sheet and passphrase fit together")
}

fn print(context: &Context, out: Option<&Path>) -> Result<(), Failure> {
    let document = context.daemon()?.post("/identity/sheet", &json!({}))?;
    let Some(out) = out else { return context.output.show(document, |made: SheetText| made.sheet) };
    let made: SheetText = serde_json::from_value(document.clone()).map_err(|error| {
        Failure::Failed(format!("the daemon's answer was not understood ({error}); do both have the same version?"))
    })?;
    datadir::write(out, &made.sheet, 0o600)?;
    let partners = made.partners.len();
    context.output.show(json!({"file": out.display().to_string(), "partners": made.partners}), |_: Value| {
        format!("wrote {} with {partners} partners; print it, and delete the file\n", out.display())
    })
}

/// `recover`
pub(crate) fn recover(context: &Context, args: Recover) -> Result<(), Failure> {
    let request = RecoverRequest {
        sheet: read(&args.sheet)?,
        passphrase: secret(args.passphrase)?,
        from: args.from,
        keep_nodes: args.keep_nodes,
        no_copy: args.no_copy,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let progress = |line: &str| {
        // Somebody who does not listen misses nothing.
        let _ = writeln!(std::io::stderr(), "{line}");
    };
    let recovered = runtime.block_on(ortsnetz_node::recover(&context.data_dir, &request, &progress))?;
    context.output.show(json!(recovered), |recovered: Recovered| report(context, &recovered))
}

fn report(context: &Context, recovered: &Recovered) -> String {
    let mut out = format!("{} is back in {}\n", recovered.organisation.name, context.data_dir.display());
    out.push_str(&format!("answered by   {}\n", recovered.answered.join(", ")));
    for collection in &recovered.collections {
        out.push_str(&format!("back          {} entries in {}\n", collection.entries, collection.title));
    }
    if let Some(copy) = &recovered.sealed_copy {
        let from = copy.from.join(", ");
        out.push_str(&format!("sealed copy   of {}, {} bytes, kept by {from}\n", copy.at, copy.bytes));
    }
    for node in &recovered.revoked {
        out.push_str(&format!("taken back    the certificate of {node}\n"));
    }
    for line in &recovered.silent {
        out.push_str(&format!("no help       {line}\n"));
    }
    out.push_str("\nNot brought back:\n");
    for line in &recovered.not_back {
        out.push_str(&format!("  - {line}\n"));
    }
    let data_dir = context.data_dir.display();
    out.push_str(&format!(
        "\nNext: ortsnetz --data-dir '{data_dir}' run, then print the sheet again: ortsnetz identity sheet --out FILE\n"
    ));
    out
}

pub(super) fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|error| Failure::Failed(format!("could not read {}: {error}", file.display())))
}

/// The passphrase given, or the first line of standard input.
pub(super) fn secret(given: Option<String>) -> Result<String, Failure> {
    let passphrase = match given {
        Some(given) => content(&given)?,
        None => {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line)?;
            line
        }
    };
    let passphrase = passphrase.trim();
    if passphrase.is_empty() {
        return Err(Failure::Usage("no passphrase; give --passphrase, or one line on standard input".into()));
    }
    Ok(passphrase.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ortsnetz_node::dto::{DeletedBy, LeavingInfo};

    #[test]
    fn a_farewell_says_what_agents_read_who_deleted_and_what_nobody_reaches() {
        let leaving = LeavingInfo {
            on: "2027-01-01".into(),
            left: true,
            delete_on: "2027-01-31".into(),
            sentence: "no longer takes part since 2027-01-01".into(),
            ..LeavingInfo::default()
        };
        let deleted =
            DeletedBy { name: "Stadt Bonn".into(), at: "2027-01-31T00:00:05Z".into(), entries: 412, nodes: 2 };
        let mut report = FarewellReport {
            leaving: Some(leaving.clone()),
            of: 2,
            deleted: vec![deleted],
            waiting: vec!["Stadt Köln".into()],
            unreachable: vec!["backups".into()],
        };
        let text = farewell_lines(&report);
        for part in [
            "agents read    no longer takes part since 2027-01-01\n",
            "say one with --telephone",
            "partners delete their copies on 2027-01-31",
            "deleted at     1 of 2\n  Stadt Bonn, 2027-01-31T00:00:05Z, 412 entries, all 2 nodes\n",
            "not yet\n  Stadt Köln\n",
            "not reached\n  backups\n",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(!text.contains("--undo"), "the day has passed: {text}");
        report.leaving = Some(LeavingInfo { left: false, ..leaving });
        assert!(farewell_lines(&report).contains("`ortsnetz identity leave --undo` takes it back"));
        assert!(farewell_lines(&FarewellReport::default()).contains("takes part"));
    }
}
