//! `search`.

use std::fmt::Write as _;

use ortsnetz_node::dto::{OrganisationInfo, ReasonInfo, SearchResult};

use super::Context;
use super::places::place_table;
use crate::args::Search;
use crate::failure::Failure;

/// `search`
pub(crate) fn search(context: &Context, args: Search) -> Result<(), Failure> {
    let query = [
        ("q", Some(args.words.join(" "))),
        ("place", args.place),
        ("kind", args.kind),
        ("on", args.on),
        ("limit", args.limit.map(|limit| limit.to_string())),
        ("deadline_ms", args.deadline.map(|ms| ms.to_string())),
        ("lang", Some(args.lang)),
        ("organisation", args.organisation),
        ("life_event", args.life_event),
        ("audience", args.audience),
        ("facets", args.facets.then(|| "true".to_owned())),
        ("snippets", args.explain.then(|| "true".to_owned())),
    ];
    let document = context.daemon()?.get("/search", &query)?;
    context.output.show(document, |result: SearchResult| lines(&result, args.explain))
}

fn lines(result: &SearchResult, explain: bool) -> String {
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
        facts.extend((hit.reports > 0).then(|| format!("{} reported as wrong", hit.reports)));
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
        if explain {
            if let Some(snippet) = &hit.snippet {
                let text = snippet
                    .pieces
                    .iter()
                    .map(|piece| if piece.mark { format!("*{}*", piece.text) } else { piece.text.clone() });
                let _ = writeln!(out, "  {}: {}", snippet.path, text.collect::<String>());
            }
            for reason in &hit.reasons {
                let _ = writeln!(out, "  why: {}", why(reason));
            }
        }
        out.push('\n');
    }
    if let Some(facets) = &result.facets {
        for (name, values) in [
            ("kind", &facets.kinds),
            ("organisation", &facets.organisations),
            ("life event", &facets.life_events),
            ("audience", &facets.audiences),
        ] {
            let values: Vec<String> = values
                .iter()
                .map(|value| format!("{} {}", value.name.as_ref().unwrap_or(&value.value), value.count))
                .collect();
            if !values.is_empty() {
                let _ = writeln!(out, "{name}: {}", values.join(", "));
            }
        }
    }
    if result.matching == "some_words" {
        let _ = writeln!(out, "no entry is named by all words; these have some of them");
    }
    let place = result.places.first().map(|place| format!(" for {}", place.name)).unwrap_or_default();
    let _ = writeln!(out, "{} of {}{place} in {:.1} ms", result.hits.len(), result.total, result.took_ms);
    out.push_str(&left_lines(&result.left));
    let missing = &result.completeness.missing;
    if !missing.is_empty() {
        let _ = writeln!(out, "incomplete, no answer from: {}", missing.join(", "));
    }
    out
}

/// Who spoke for the place and takes part no more, a line each.
pub(super) fn left_lines(left: &[OrganisationInfo]) -> String {
    let line = |organisation: &OrganisationInfo| {
        let leaving = organisation.leaving.as_ref()?;
        let note = leaving.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
        Some(format!("{} {}{note}\n", organisation.name, leaving.sentence))
    };
    left.iter().filter_map(line).collect()
}

/// Why an entry was found, as a line.
fn why(reason: &ReasonInfo) -> String {
    let ReasonInfo { word, field, how, found } = reason;
    match how.as_str() {
        "exact" => format!("\"{word}\" stands in {field}"),
        "stem" => format!("a form of \"{word}\" stands in {field}"),
        "compound_part" => format!("\"{word}\" by \"{found}\", part of a compound, in {field}"),
        "beginning" => format!("a word in {field} begins with \"{word}\""),
        "typing_mistake" => format!("\"{word}\" taken for \"{found}\" in {field}"),
        "code" => format!("\"{word}\" is its key"),
        other => format!("\"{word}\" by the {other} \"{found}\" in {field}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ortsnetz_node::dto::{Hit, LeavingInfo, PlaceInfo};

    #[test]
    fn who_spoke_for_the_place_and_left_is_named_also_when_nothing_is_found() {
        let leaving = LeavingInfo {
            left: true,
            sentence: "no longer takes part since 2027-01-01, telephone 115".into(),
            note: Some("Auskunft gibt der Kreis".into()),
            ..LeavingInfo::default()
        };
        let town =
            OrganisationInfo { name: "Stadt Siegburg".into(), leaving: Some(leaving), ..OrganisationInfo::default() };
        let text = lines(&SearchResult { left: vec![town], ..SearchResult::default() }, false);
        let line = "Stadt Siegburg no longer takes part since 2027-01-01, telephone 115; Auskunft gibt der Kreis\n";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn an_ambiguous_place_lists_candidates() {
        let place = |ars: &str| PlaceInfo { ars: ars.into(), name: "Bergheim".into(), ..PlaceInfo::default() };
        let result =
            SearchResult { places: vec![place("053620008008"), place("091855154118")], ..SearchResult::default() };
        let text = lines(&result, false);
        assert!(text.starts_with("the place is ambiguous") && text.contains("091855154118"), "{text}");
    }

    #[test]
    fn a_hit_takes_a_few_lines() {
        let reason =
            ReasonInfo { word: "perso".into(), field: "title".into(), how: "synonym".into(), found: "ausweis".into() };
        let hit = Hit {
            id: "00ff".into(),
            title: "Pass".into(),
            kind: "service".into(),
            reasons: vec![reason],
            ..Hit::default()
        };
        let text = lines(&SearchResult { hits: vec![hit], total: 1, ..SearchResult::default() }, true);
        assert!(text.starts_with("Pass\n") && text.contains("\n  00ff\n") && text.contains("1 of 1"), "{text}");
        assert!(text.contains("why: \"perso\" by the synonym \"ausweis\" in title\n"), "{text}");
    }
}
