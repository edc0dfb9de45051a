//! `backup`, `restore`.

use ortsnetz_node::dto::{BackedUp, BackupRequest, RestoreRequest, Restored};
use serde_json::json;

use super::Context;
use super::identity::{read, secret};
use crate::args::{Backup, Restore};
use crate::client::Client;
use crate::failure::Failure;

/// `backup FILE`
pub(crate) fn backup(context: &Context, args: Backup) -> Result<(), Failure> {
    let file = std::path::absolute(args.file)?;
    let file = file.to_str().ok_or_else(|| Failure::Usage("FILE: must be valid UTF-8".into()))?;
    let passphrase = if args.recipient.is_empty() { Some(secret(args.passphrase)?) } else { None };
    let request = BackupRequest { file: file.to_owned(), passphrase, recipients: args.recipient };
    let document = match context.daemon().ok().filter(Client::is_running) {
        Some(daemon) => daemon.post("/backup", &json!(request))?,
        None => json!(ortsnetz_node::backup(&context.data_dir, &request)?),
    };
    context.output.show(document, |made: BackedUp| {
        format!("wrote {}: {} bytes, {} rows, read back\n", made.file, made.bytes, made.rows)
    })
}

/// `restore FILE`
pub(crate) fn restore(context: &Context, args: Restore) -> Result<(), Failure> {
    let directory = context.data_dir.display();
    if context.daemon().is_ok_and(|daemon| daemon.is_running()) {
        return Err(Failure::Failed(format!(
            "a daemon runs on {directory}; stop it first, and restore into an empty directory"
        )));
    }
    let request = match &args.identity {
        Some(keys) => RestoreRequest { keys: Some(read(keys)?), ..RestoreRequest::default() },
        None => {
            let sheet = args.sheet.as_deref().map(read).transpose()?;
            RestoreRequest { passphrase: Some(secret(args.passphrase)?), sheet, ..RestoreRequest::default() }
        }
    };
    let restored = ortsnetz_node::restore(&context.data_dir, &args.file, &request)?;
    context.output.show(json!(restored), |restored: Restored| {
        format!(
            "{} is restored in {directory}\nNext: ortsnetz --data-dir '{directory}' run. Nothing is published before a partner has said what was published since.\n",
            restored.organisation.name
        )
    })
}
