//! `store check|export|import|compact`: beside the running daemon, or directly.

use ortsnetz_node::dto::StoreCheck;
use serde_json::{Value, json};

use super::Context;
use crate::args::Store;
use crate::client::Client;
use crate::failure::Failure;

/// `store`
pub(crate) fn store(context: &Context, args: Store) -> Result<(), Failure> {
    let directory = context.data_dir.as_path();
    let daemon = context.daemon().ok().filter(Client::is_running);
    match args {
        Store::Check => {
            let document = match &daemon {
                Some(daemon) => daemon.post("/store/check", &json!({}))?,
                None => json!(ortsnetz_node::store_check(directory)?),
            };
            let ok = document.get("ok") == Some(&json!(true));
            context.output.show(document, |check: StoreCheck| match check.problems.as_slice() {
                [] => "no problems\n".to_owned(),
                problems => format!(
                    "{}\n{} problems; `ortsnetz store compact` writes the own log anew from the database, for anything else bring back a backup with `ortsnetz restore`\n",
                    problems.join("\n"),
                    problems.len()
                ),
            })?;
            if ok { Ok(()) } else { Err(Failure::Told) }
        }
        Store::Export { file } => {
            let file = std::path::absolute(file)?;
            match &daemon {
                Some(daemon) => {
                    let name = file.to_str().ok_or_else(|| Failure::Usage("FILE: must be valid UTF-8".into()))?;
                    daemon.post("/store/export", &json!({ "file": name }))?;
                }
                None => ortsnetz_node::store_export(directory, &file)?,
            }
            context.done(&format!("wrote {}", file.display()))
        }
        Store::Import { file } => {
            if daemon.is_some() {
                let message = format!(
                    "a daemon runs on {}; stop it first, and import into an empty directory",
                    directory.display()
                );
                return Err(Failure::Failed(message));
            }
            ortsnetz_node::store_import(directory, &file)?;
            context.done(&format!("read {} into {}", file.display(), directory.display()))
        }
        Store::Compact => {
            let document = match &daemon {
                Some(daemon) => daemon.post("/store/compact", &json!({}))?,
                None => {
                    let (before, after) = ortsnetz_node::store_compact(directory)?;
                    json!({"bytes_before": before, "bytes_after": after})
                }
            };
            context.output.show(document, |sizes: Value| {
                let bytes = |name: &str| sizes.get(name).and_then(Value::as_u64).unwrap_or(0);
                format!("{} bytes before, {} after\n", bytes("bytes_before"), bytes("bytes_after"))
            })
        }
    }
}
