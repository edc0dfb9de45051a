//! `places`.

use std::fmt::Write as _;

use ortsnetz_node::dto::{PlaceDetails, PlaceInfo, PlacesPage, PlacesReport};

use super::Context;
use super::transfer::{Source, rejections};
use crate::args::Places;
use crate::failure::Failure;
use crate::table::Table;

/// Municipalities that a new list lacks, shown in the table; `--json` has all.
const REMOVED_SHOWN_MAX: usize = 20;

/// `places import|fetch|find|show|list`
pub(crate) fn places(context: &Context, args: Places) -> Result<(), Failure> {
    let daemon = context.daemon()?;
    match args {
        Places::Find { words, limit } => {
            let query = [("q", Some(words.join(" "))), ("limit", limit.map(|limit| limit.to_string()))];
            let document = daemon.get("/places", &query)?;
            let none = document.as_array().is_some_and(Vec::is_empty);
            if none && !context.output.json {
                return Err(Failure::Failed(
                    "no such place; try its postal code or the beginning of its name, or take in the official list with `ortsnetz places import FILE`".into(),
                ));
            }
            context.output.show(document, |places: Vec<PlaceInfo>| place_table(&places))?;
            if none { Err(Failure::Told) } else { Ok(()) }
        }
        Places::Show { words } => {
            let document = daemon.get(&format!("/places/{}", crate::client::segment(&words.join(" "))), &[])?;
            context.output.show(document, |place: PlaceDetails| details(&place))
        }
        Places::List { kind, within, after, limit } => {
            let query =
                [("kind", kind), ("within", within), ("after", after), ("limit", limit.map(|limit| limit.to_string()))];
            let document = daemon.get("/places/table", &query)?;
            context.output.show(document, |page: PlacesPage| {
                format!("{}{} of {}\n", place_table(&page.places), page.places.len(), page.total)
            })
        }
        Places::Import { file } => {
            let mut source = Source::open(&file)?;
            let query = [("file", Some(source.name.clone()))];
            let document = daemon.upload("/places/import", &query, None, &mut source);
            source.finish();
            taken(context, document?)
        }
        Places::Fetch { partner } => {
            taken(context, daemon.post("/places/fetch", &serde_json::json!({ "from": partner }))?)
        }
    }
}

/// Shows what was taken in; nothing usable is a failure.
fn taken(context: &Context, document: serde_json::Value) -> Result<(), Failure> {
    let usable = document.get("ok").and_then(serde_json::Value::as_bool).unwrap_or(false);
    context.output.verdict(document, usable, |report: PlacesReport| report_lines(&report))?;
    if usable { Ok(()) } else { Err(Failure::Told) }
}

fn report_lines(report: &PlacesReport) -> String {
    let mut out = rejections(&report.rejected);
    // Writing to a string cannot fail.
    for gone in report.removed.iter().take(REMOVED_SHOWN_MAX) {
        let _ = match &gone.successor {
            Some(successor) => writeln!(out, "{} {} is now {successor}", gone.ars, gone.name),
            None => writeln!(
                out,
                "{} {} is in the list no more; say what it became with a file former_ars,successor_ars,since",
                gone.ars, gone.name
            ),
        };
    }
    let more = report.removed.len().saturating_sub(REMOVED_SHOWN_MAX);
    if more > 0 {
        let _ = writeln!(out, "... and {more} more that are in the list no more");
    }
    let _ = writeln!(
        out,
        "{} created, {} updated, {} unchanged, {} removed, {} rejected; {} municipalities known",
        report.created,
        report.updated,
        report.unchanged,
        report.removed.len(),
        report.rejected_total,
        report.known
    );
    out
}

fn details(details: &PlaceDetails) -> String {
    let place = &details.place;
    let mut table = Table::new(&["", ""]);
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            table.row([name.to_owned(), value]);
        }
    };
    row("ars", place.ars.clone());
    row("ags", details.ags.clone().unwrap_or_default());
    row("name", place.name.clone());
    row("kind", place.kind.clone());
    row("part of", place.part_of.clone());
    row("inhabitants", if place.inhabitants == 0 { String::new() } else { place.inhabitants.to_string() });
    row("postal codes", place.postal_codes.join(" "));
    row("districts", details.districts.join(", "));
    row("former names", details.former_names.join(", "));
    for key in &details.former_keys {
        let since = if key.since.is_empty() { String::new() } else { format!(" since {}", key.since) };
        row("former key", format!("{}, now {}{since}", key.ars, key.successor));
    }
    row("answered here", if place.served { "yes".into() } else { String::new() });
    table.render()
}

/// Places as a table.
pub(super) fn place_table(places: &[PlaceInfo]) -> String {
    let mut table = Table::new(&["ars", "place", "part of", ">inhabitants", "postal codes"]);
    for place in places {
        table.row([
            place.ars.clone(),
            place.name.clone(),
            place.part_of.clone(),
            if place.inhabitants == 0 { String::new() } else { place.inhabitants.to_string() },
            codes(&place.postal_codes),
        ]);
    }
    table.render()
}

/// The first postal codes; a large town has too many for a line.
fn codes(codes: &[String]) -> String {
    const SHOWN: usize = 6;
    let more = codes.len().saturating_sub(SHOWN);
    let mut text = codes.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(" ");
    if more > 0 {
        // Writing to a string cannot fail.
        let _ = write!(text, " and {more} more");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use ortsnetz_node::dto::RemovedPlace;

    #[test]
    fn an_import_says_what_became_of_each_town() {
        let removed = vec![
            RemovedPlace { ars: "064350014014".into(), name: "Hanau".into(), successor: Some("064150000000".into()) },
            RemovedPlace { ars: "010010000000".into(), name: "Flensburg".into(), successor: None },
        ];
        let report = PlacesReport { created: 1, unchanged: 3, removed, known: 4, ..PlacesReport::default() };
        let text = report_lines(&report);
        assert!(text.contains("064350014014 Hanau is now 064150000000\n"), "{text}");
        assert!(text.contains("Flensburg is in the list no more"), "{text}");
        assert!(text.ends_with("1 created, 0 updated, 3 unchanged, 2 removed, 0 rejected; 4 municipalities known\n"));
    }
}
