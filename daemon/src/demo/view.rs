//! What the demonstration shows: the table, and the commands to try.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use jiff::Timestamp;
use ortsnetz_node::dto::Status;
use serde_json::{Value, json};

use super::region::Town;
use crate::failure::Failure;
use crate::table::Table;

/// Columns of a terminal that does not say how many it has; the table fits in.
const COLUMNS: usize = 80;
/// The demonstration plays in the Rhineland.
const TIME_ZONE: &str = "Europe/Berlin";

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
    let mut table = Table::new(&["organisation", ">partners", ">own", ">others", "in sync", "changed", "address"]);
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
            status.http.clone(),
        ]);
    }
    table.render()
}

/// Only the time of day in Germany: the demonstration rarely lasts longer.
fn clock(at: Option<&str>) -> String {
    let at = at.and_then(|at| at.parse::<Timestamp>().ok());
    let local = at.and_then(|at| at.in_tz(TIME_ZONE).ok());
    local.map_or_else(|| "-".to_owned(), |local| local.strftime("%H:%M:%S").to_string())
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
        // Asked each time: a terminal that was resized wraps the old text anew.
        let columns = terminal_size::terminal_size().map_or(COLUMNS, |(width, _)| usize::from(width.0));
        let up = rows_on_screen(&self.shown, columns);
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

/// Rows that a terminal with so many columns needs for a text: long lines wrap.
fn rows_on_screen(text: &str, columns: usize) -> usize {
    text.lines().map(|line| line.chars().count().div_ceil(columns.max(1)).max(1)).sum()
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
        assert!(text.contains(&format!("{everything}  yes      14:00:00")), "{text}");
        assert!(text.contains("no answer"));
    }

    #[test]
    fn the_table_fits_a_terminal_of_80_columns() {
        let status = |town: &Town| Status {
            partners: vec![PartnerStatus::default(); town.partners()],
            entries: EntryCounts { own: 9999, drafts: 0, replicated: 99_999 },
            last_change_at: Some("2026-12-31T23:00:00.123Z".into()),
            http: "127.0.0.1:65535".into(),
            ..Status::default()
        };
        let rows: Vec<Row<'_>> = TOWNS
            .iter()
            .map(|town| Row { town, data_dir: Path::new("/x"), status: Some(status(town)) })
            .chain([Row { town: &TOWNS[0], data_dir: Path::new("/x"), status: None }])
            .collect();
        for line in table(&rows).lines() {
            assert!(line.chars().count() <= COLUMNS, "{} columns: {line}", line.chars().count());
        }
    }

    #[test]
    fn the_cursor_goes_up_as_many_rows_as_were_drawn() {
        assert_eq!(rows_on_screen("", 80), 0);
        assert_eq!(rows_on_screen("a\n\nb\n", 80), 3);
        let (full, over) = ("ü".repeat(80), "ü".repeat(81));
        assert_eq!(rows_on_screen(&format!("{full}\n{over}\n"), 80), 3);
        assert_eq!(rows_on_screen(&over, 0), 81);
    }

    #[test]
    fn a_command_can_be_copied() {
        assert_eq!(quoted("/tmp/a-b/koeln"), "/tmp/a-b/koeln");
        assert_eq!(quoted("Stadt Köln"), "'Stadt Köln'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
