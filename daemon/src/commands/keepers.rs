//! `keepers`: sealed copies at partners, and of partners here.

use std::fmt::Write as _;

use ortsnetz_node::dto::{FetchedCopy, Keepers as Listed};
use serde_json::{Value, json};

use super::Context;
use crate::args::Keepers;
use crate::client::segment;
use crate::failure::Failure;
use crate::table::Table;

/// `keepers ...`
pub(crate) fn keepers(context: &Context, args: Keepers) -> Result<(), Failure> {
    let daemon = context.daemon()?;
    let say = |document: Value, line: String| {
        context.output.show(document, |listed: Listed| format!("{line}{}", tables(&listed)))
    };
    match args {
        Keepers::List => say(daemon.get("/keepers", &[])?, String::new()),
        Keepers::Add { partner } => {
            let line = format!(
                "{partner} is to keep sealed copies. It has to agree there: ortsnetz keepers allow NAME --megabytes N\n\n"
            );
            say(daemon.post("/keepers", &json!({ "partner": partner }))?, line)
        }
        Keepers::Remove { partner } => {
            let line =
                format!("{partner} gets no more copies; what it has it deletes with `ortsnetz keepers deny`\n\n");
            say(daemon.delete(&format!("/keepers/{}", segment(&partner)))?, line)
        }
        Keepers::Send => say(daemon.post("/keepers/send", &json!({}))?, String::new()),
        Keepers::Fetch { file } => {
            let file = std::path::absolute(file)?;
            let file = file.to_str().ok_or_else(|| Failure::Usage("FILE: must be valid UTF-8".into()))?;
            let document = daemon.post("/keepers/fetch", &json!({ "file": file }))?;
            context.output.show(document, |fetched: FetchedCopy| {
                let from = fetched.from.join(", ");
                let mut out = format!(
                    "wrote {}: {} bytes, of {}, from {from}\n",
                    fetched.file, fetched.copy.bytes, fetched.copy.at
                );
                for problem in &fetched.problems {
                    // Writing to a string cannot fail.
                    let _ = writeln!(out, "no help       {problem}");
                }
                out.push_str("The recovery sheet opens it: ortsnetz --data-dir NEW restore FILE --sheet SHEET\n");
                out
            })
        }
        Keepers::Allow { partner, megabytes } => {
            let document = daemon.post(&format!("/kept/{}", segment(&partner)), &json!({ "megabytes": megabytes }))?;
            say(document, String::new())
        }
        Keepers::Deny { partner } => {
            let line = format!("nothing of {partner} is kept here any more\n\n");
            say(daemon.delete(&format!("/kept/{}", segment(&partner)))?, line)
        }
    }
}

fn tables(listed: &Listed) -> String {
    let mut out = match &listed.copy {
        Some(copy) => format!("newest sealed copy: {}, {} bytes\n", copy.at, copy.bytes),
        None if listed.keepers.is_empty() => "nobody keeps sealed copies of this organisation\n".into(),
        None => "no sealed copy was made yet\n".into(),
    };
    if !listed.keepers.is_empty() {
        let mut table = Table::new(&["kept by", "copy of", "confirmed", "proved", "newest"]);
        for keeper in &listed.keepers {
            let newest = match (&keeper.problem, keeper.up_to_date) {
                (_, true) => "yes".to_owned(),
                (Some(problem), _) => format!("no: {problem}"),
                (None, _) => "not yet".to_owned(),
            };
            table.row([
                keeper.name.clone(),
                keeper.copy.as_ref().map(|copy| copy.at.clone()).unwrap_or_default(),
                keeper.confirmed_at.clone().unwrap_or_default(),
                keeper.proved_at.clone().unwrap_or_default(),
                newest,
            ]);
        }
        let _ = write!(out, "\n{}", table.render());
    }
    if !listed.kept.is_empty() {
        let mut table = Table::new(&["kept here for", "bytes", "agreed", "copies of"]);
        for kept in &listed.kept {
            let copies: Vec<&str> = kept.copies.iter().map(|copy| copy.at.as_str()).collect();
            table.row([kept.name.clone(), kept.bytes.to_string(), kept.bytes_max.to_string(), copies.join(", ")]);
        }
        let _ = write!(out, "\n{}", table.render());
    }
    out
}
