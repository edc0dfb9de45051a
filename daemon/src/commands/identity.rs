//! `init`, `identity`.

use std::fs;

use ortsnetz_node::NewOrganisation;
use ortsnetz_node::dto::Initialised;
use serde_json::json;

use super::Context;
use crate::args::{Identity, Init};
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

/// `identity sheet --check`
pub(crate) fn identity(context: &Context, args: Identity) -> Result<(), Failure> {
    let Identity::Sheet { check, passphrase } = args;
    let sheet = fs::read_to_string(&check)
        .map_err(|error| Failure::Failed(format!("could not read {}: {error}", check.display())))?;
    let passphrase = match passphrase {
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
    let body = json!({"sheet": sheet, "passphrase": passphrase});
    context.daemon()?.post("/identity/sheet/check", &body)?;
    context.done("sheet and passphrase fit together")
}
