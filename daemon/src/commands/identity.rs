//! `init`, `identity`, `recover`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ortsnetz_node::NewOrganisation;
use ortsnetz_node::dto::{Initialised, RecoverRequest, Recovered, Rotated, SheetText, SuccessionInfo};
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
    }
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
