//! What the demonstration shows: the table, and the commands to try.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use ortsnetz_node::dto::Status;
use serde_json::{Value, json};

use super::region::Town;
use crate::failure::Failure;
use crate::table::Table;

/// A town and what its node says of itself; `None` if it does not answer.
pub(super) struct Row<'a> {
    pub(super) town: &'a Town,
    pub(super) data_dir: &'a Path,
    pub(super) status: Option<Status>,
}

impl Row<'_> {
    /// Connected to all partners, nothing left to exchange, everything of the others here.
    pub(super) fn is_in_sync(&self) -> bool {
        let Some(status) = &self.status else { return false };
        let partners = status.partners.iter().filter(|partner| partner.connected && partner.in_sync).count();
        let replicated = usize::try_from(status.entries.replicated).unwrap_or(usize::MAX);
        let everything = [self.town.entries_of_others(), self.town.documents_of_others()];
        partners == self.town.partners() && everything.contains(&replicated)
    }
}

/// The table as text.
pub(super) fn table(rows: &[Row<'_>]) -> String {
    let mut table =
        Table::new(&["organisation", ">partners", ">own", ">from others", "in sync", "last change (UTC)", "address"]);
    for row in rows {
        let Some(status) = &row.status else {
            table.row([
                row.town.name.into(),
                "-".into(),
                "-".into(),
                "-".into(),
                "no".into(),
                "-".into(),
                "no answer".into(),
            ]);
            continue;
        };
        let connected = status.partners.iter().filter(|partner| partner.connected).count();
        table.row([
            row.town.name.to_owned(),
            format!("{connected}/{}", row.town.partners()),
            status.entries.own.to_string(),
            status.entries.replicated.to_string(),
            if row.is_in_sync() { "yes" } else { "no" }.to_owned(),
            clock(status.last_change_at.as_deref()),
            format!("http://{}", status.http),
        ]);
    }
    table.render()
}

/// Only the time of day: the demonstration rarely lasts longer.
fn clock(at: Option<&str>) -> String {
    let time = at.and_then(|at| at.split_once('T')).map(|(_, time)| time.trim_end_matches('Z'));
    time.map_or_else(|| "-".to_owned(), |time| time.chars().take(12).collect())
}

/// One document with everything the table says.
pub(super) fn document(rows: &[Row<'_>], in_sync_ms: u128, commands: &[String]) -> Value {
    let nodes: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "name": row.town.name, "ars": row.town.ars, "data_dir": row.data_dir,
                "http": row.status.as_ref().map(|status| status.http.clone()),
                "entries": row.status.as_ref().map(|status| &status.entries),
                "in_sync": row.is_in_sync(),
            })
        })
        .collect();
    json!({"in_sync_ms": u64::try_from(in_sync_ms).unwrap_or(u64::MAX), "nodes": nodes, "commands": commands})
}

/// Draws text over what it drew before on a terminal; elsewhere prints it when it changed.
#[derive(Default)]
pub(super) struct Screen {
    shown: String,
}

impl Screen {
    /// Shows the text.
    pub(super) fn draw(&mut self, text: &str) -> Result<(), Failure> {
        if text == self.shown {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        let up = self.shown.lines().count();
        if up > 0 && out.is_terminal() {
            // Cursor to the first line of the old text, everything below it cleared.
            write!(out, "\x1b[{up}A\x1b[J")?;
        } else if up > 0 {
            writeln!(out)?;
        }
        out.write_all(text.as_bytes())?;
        out.flush()?;
        text.clone_into(&mut self.shown);
        Ok(())
    }
}

/// An argument as a shell takes it.
pub(super) fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:@".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::super::region::TOWNS;
    use super::*;
    use ortsnetz_node::dto::{EntryCounts, PartnerStatus};

    #[test]
    fn in_sync_means_everything_of_everybody() {
        let partner = PartnerStatus { connected: true, in_sync: true, ..PartnerStatus::default() };
        let status = |replicated| Status {
            partners: vec![partner.clone(); TOWNS[1].partners()],
            entries: EntryCounts { own: 10, drafts: 0, replicated: u64::try_from(replicated).unwrap_or(0) },
            last_change_at: Some("2026-07-01T12:00:00.123Z".into()),
            ..Status::default()
        };
        let everything = TOWNS[1].entries_of_others();
        let row =
            |replicated: usize| Row { town: &TOWNS[1], data_dir: Path::new("/x"), status: Some(status(replicated)) };
        assert!(row(everything).is_in_sync());
        assert!(row(TOWNS[1].documents_of_others()).is_in_sync());
        assert!(!row(everything - 1).is_in_sync());
        assert!(!Row { status: None, ..row(everything) }.is_in_sync());
        let text = table(&[row(everything), Row { status: None, ..row(0) }]);
        assert!(text.contains(&format!("{everything}  yes      12:00:00.123")), "{text}");
        assert!(text.contains("no answer"));
    }

    #[test]
    fn a_command_can_be_copied() {
        assert_eq!(quoted("/tmp/a-b/koeln"), "/tmp/a-b/koeln");
        assert_eq!(quoted("Stadt Köln"), "'Stadt Köln'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
