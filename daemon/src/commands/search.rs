//! `search`, `places`.

use std::fmt::Write as _;

use ortsnetz_node::dto::{PlaceInfo, PlacesReport, SearchResult};

use super::Context;
use super::transfer::{Source, rejections};
use crate::args::{Places, Search};
use crate::failure::Failure;
use crate::table::Table;

/// `search`
pub(crate) fn search(context: &Context, args: Search) -> Result<(), Failure> {
    let query = [
        ("q", Some(args.words.join(" "))),
        ("place", args.place),
        ("kind", args.kind),
        ("on", args.on),
        ("limit", args.limit.map(|limit| limit.to_string())),
        ("lang", Some(args.lang)),
    ];
    let document = context.daemon()?.get("/search", &query)?;
    context.output.show(document, |result: SearchResult| lines(&result))
}

fn lines(result: &SearchResult) -> String {
    if result.places.len() > 1 {
        return format!("the place is ambiguous; ask again with one of these ARS:\n{}", place_table(&result.places));
    }
    let mut out = String::new();
    for hit in &result.hits {
        let organisation = &hit.organisation;
        let mut facts = vec![organisation.name.clone()];
        if let Some(by) = &organisation.introduced_by {
            facts.push(format!("introduced by {by}"));
        }
        facts.extend(organisation.expired_since.as_ref().map(|since| format!("certificate ended {since}")));
        facts.extend(hit.remark.clone());
        facts.push(hit.kind.clone());
        if hit.collection != "public" {
            facts.push(hit.collection.clone());
        }
        facts.extend(hit.published_at.as_ref().map(|at| format!("published {at}")));
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{}\n  {}\n  {}", hit.title, facts.join(" · "), hit.id);
        if !hit.summary.is_empty() {
            let _ = writeln!(out, "  {}", hit.summary.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        out.push('\n');
    }
    let place = result.places.first().map(|place| format!(" for {}", place.name)).unwrap_or_default();
    let _ = writeln!(out, "{} of {}{place} in {:.1} ms", result.hits.len(), result.total, result.took_ms);
    let missing = &result.completeness.missing;
    if !missing.is_empty() {
        let _ = writeln!(out, "incomplete, no answer from: {}", missing.join(", "));
    }
    out
}

/// `places import|find`
pub(crate) fn places(context: &Context, args: Places) -> Result<(), Failure> {
    let daemon = context.daemon()?;
    match args {
        Places::Find { words } => {
            let document = daemon.get("/places", &[("q", Some(words.join(" ")))])?;
            let none = document.as_array().is_some_and(Vec::is_empty);
            if none && !context.output.json {
                return Err(Failure::Failed(
                    "no such place; try its postal code or the beginning of its name, or take in the official list with `ortsnetz places import FILE`".into(),
                ));
            }
            context.output.show(document, |places: Vec<PlaceInfo>| place_table(&places))?;
            if none { Err(Failure::Told) } else { Ok(()) }
        }
        Places::Import { file } => {
            let mut source = Source::open(&file)?;
            let query = [("file", Some(source.name.clone()))];
            let document = daemon.upload("/places/import", &query, None, &mut source)?;
            source.finish();
            let accepted = document.get("municipalities").and_then(serde_json::Value::as_u64).unwrap_or(0);
            context.output.show(document, |report: PlacesReport| {
                format!("{}{} municipalities\n", rejections(&report.rejected), report.municipalities)
            })?;
            if accepted == 0 { Err(Failure::Told) } else { Ok(()) }
        }
    }
}

fn place_table(places: &[PlaceInfo]) -> String {
    let mut table = Table::new(&["ars", "place", "part of", ">inhabitants", "postal codes"]);
    for place in places {
        table.row([
            place.ars.clone(),
            place.name.clone(),
            place.part_of.clone(),
            if place.inhabitants == 0 { String::new() } else { place.inhabitants.to_string() },
            place.postal_codes.join(" "),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ortsnetz_node::dto::Hit;

    #[test]
    fn an_ambiguous_place_lists_candidates() {
        let place = |ars: &str| PlaceInfo { ars: ars.into(), name: "Bergheim".into(), ..PlaceInfo::default() };
        let result =
            SearchResult { places: vec![place("053620008008"), place("091855154118")], ..SearchResult::default() };
        let text = lines(&result);
        assert!(text.starts_with("the place is ambiguous") && text.contains("091855154118"), "{text}");
    }

    #[test]
    fn a_hit_takes_a_few_lines() {
        let hit = Hit { id: "00ff".into(), title: "Pass".into(), kind: "service".into(), ..Hit::default() };
        let text = lines(&SearchResult { hits: vec![hit], total: 1, ..SearchResult::default() });
        assert!(text.starts_with("Pass\n") && text.contains("\n  00ff\n") && text.contains("1 of 1"), "{text}");
    }
}
