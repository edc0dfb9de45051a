//! Names what is damaged on the disk, and has it written anew.

use crate::alarms;
use crate::error::NodeError;
use crate::shared::Shared;

/// Tells what was found damaged when the store was opened, which is whole again, and looks through the own log, of which
/// only the end is read at the start.
pub(crate) fn begin(shared: &Shared, found: &[String]) {
    for problem in found {
        tell(
            shared,
            problem,
            "it was set aside when the node started and is there again, from the rest and the partners",
        );
    }
    if let Err(error) = own_log(shared) {
        tracing::error!(%error, "the own log could not be looked through");
    }
}

/// A damaged own log is written anew from the database, which holds the same.
fn own_log(shared: &Shared) -> Result<(), NodeError> {
    let damaged = shared.store.scan_log()?;
    if damaged.is_empty() {
        return Ok(());
    }
    let (outcome, compacted) = match shared.store.compact() {
        Ok(_) => ("it was written anew from the database".to_owned(), Ok(())),
        Err(error) => (format!("it could not be written anew ({error}); run `ortsnetz store compact`"), Err(error)),
    };
    for problem in damaged {
        tell(shared, &problem.to_string(), &outcome);
    }
    compacted.map_err(Into::into)
}

fn tell(shared: &Shared, problem: &str, outcome: &str) {
    let store = shared.data_dir.join("store");
    let message = format!("{}: {problem}; {outcome}. Look at the disk.", store.display());
    alarms::note(shared, "damaged", problem, None, message);
}
