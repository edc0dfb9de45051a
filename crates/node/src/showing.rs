//! What was found as it is shown: hits, snippets, counts, reasons.

use ortsnetz_model::{Ars, FeedId, as_of, one_line};
use ortsnetz_search::{Facets, How, Marked, Marker, Matching, Query, Reason, Standing, Why};
use ortsnetz_store::Side;
use serde_json::Value;

use crate::catalog;
use crate::clock;
use crate::dto::{FacetCounts, FacetValue, Hit, MarkedText, ReasonInfo, Snippet};
use crate::error::NodeError;
use crate::rows;
use crate::searching::places_of;
use crate::shared::Shared;

/// Texts that a snippet is taken from, the most telling first; of equal ones the first counts.
const TEXTS: [&str; 12] = [
    "summary",
    "description",
    "teaser",
    "prerequisites",
    "required_documents",
    "procedure",
    "notes",
    "further_information",
    "contact_point",
    "competent_authority",
    "forms",
    "legal_remedy",
];

/// A hit with what else is known of it.
pub(crate) fn hit(shared: &Shared, hit: ortsnetz_search::Hit, place: Option<&Ars>) -> Hit {
    let feed = FeedId { organisation: hit.organisation, collection: hit.collection };
    let claims = places_of(shared, &hit.organisation);
    let organisation = shared.organisation_info(&hit.organisation);
    let elsewhere = match place {
        Some(_) => matches!(hit.standing, Standing::Elsewhere | Standing::Contradicted),
        None => {
            !hit.valid_for.is_empty()
                && !claims.iter().any(|claim| hit.valid_for.iter().any(|ars| claim.covers(ars) || ars.covers(claim)))
        }
    };
    let leaving = organisation.leaving.as_ref().filter(|leaving| leaving.left).map(|leaving| leaving.sentence.clone());
    let remark = if leaving.is_some() {
        leaving.as_deref()
    } else if elsewhere {
        Some("not from the responsible town")
    } else if matches!(hit.standing, Standing::Unconfirmed | Standing::Introduced | Standing::Contradicted) {
        Some("town not yet confirmed")
    } else {
        None
    };
    let remark = remark.map(str::to_owned);
    Hit {
        id: hit.id.to_string(),
        kind: hit.kind.as_str().to_owned(),
        title: hit.title,
        summary: hit.summary,
        organisation,
        collection: shared.collection_name(&feed),
        public: shared.is_public(&feed),
        valid_for: hit.valid_for.iter().map(Ars::to_string).collect(),
        published_at: hit.published_at.map(clock::rfc3339),
        received_at: hit.received_at.map(clock::rfc3339),
        next_review: hit.next_review,
        score: hit.score,
        reasons: hit.reasons.iter().map(reason).collect(),
        marked_title: Vec::new(),
        snippet: None,
        remark,
        reports: 0,
    }
}

/// The title with what was asked for marked, and the part of a text that has most of it. Only the home document is read.
///
/// # Errors
/// The entry is damaged.
pub(crate) fn marked(
    shared: &Shared,
    query: &Query,
    hit: &ortsnetz_search::Hit,
) -> Result<(Vec<MarkedText>, Option<Snippet>), NodeError> {
    let marker = shared.search.reader().marker(query, hit);
    let title = pieces(marker.marked(&hit.title));
    let Some(row) = rows::projection(&shared.store, Side::Published, &hit.collection, &hit.id)? else {
        return Ok((title, None));
    };
    let mut entry = catalog::read_entry(&hit.id, &row.json)?;
    if let Some(on) = query.on {
        entry = as_of(&entry, on);
    }
    Ok((title, snippet(&marker, &entry, &query.language)))
}

fn snippet(marker: &Marker, entry: &ortsnetz_model::Entry, language: &str) -> Option<Snippet> {
    let in_language = |texts: &Value| -> Option<String> {
        let texts = texts.as_object()?;
        let text = [language, "de", "en"]
            .into_iter()
            .find_map(|language| texts.get(language))
            .or_else(|| texts.values().next())?;
        match text {
            Value::String(text) => Some(one_line(text)),
            Value::Array(words) => Some(words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")),
            _ => None,
        }
    };
    let mut best: Option<(usize, Snippet)> = None;
    let texts =
        TEXTS.iter().map(|name| (format!("texts.{name}"), entry.get("texts").and_then(|texts| texts.get(*name))));
    let names = ["alternative_titles", "keywords"].map(|name| (name.to_owned(), entry.get(name)));
    for (path, value) in texts.chain(names) {
        let Some((marked, count)) = value.and_then(in_language).and_then(|text| marker.snippet(&text)) else {
            continue;
        };
        if best.as_ref().is_none_or(|(most, _)| count > *most) {
            best = Some((count, Snippet { path, pieces: pieces(marked) }));
        }
    }
    best.map(|(_, snippet)| snippet)
}

fn pieces(marked: Vec<Marked>) -> Vec<MarkedText> {
    marked.into_iter().map(|piece| MarkedText { text: piece.text, mark: piece.mark }).collect()
}

/// How far the words were taken.
pub(crate) fn matching(matching: Matching) -> &'static str {
    match matching {
        Matching::AllWords => "all_words",
        Matching::TypingMistakes => "typing_mistakes",
        Matching::SomeWords => "some_words",
    }
}

/// The counts with the names of organisations.
pub(crate) fn facets(shared: &Shared, facets: Facets) -> FacetCounts {
    let plain = |(value, count): (String, usize)| FacetValue { value, name: None, count: count as u64 };
    FacetCounts {
        kinds: facets.kinds.into_iter().map(|(kind, count)| plain((kind.as_str().to_owned(), count))).collect(),
        organisations: facets
            .organisations
            .into_iter()
            .map(|(id, count)| {
                let name = Some(shared.organisation_info(&id).name);
                FacetValue { value: id.to_string(), name, count: count as u64 }
            })
            .collect(),
        life_events: facets.life_events.into_iter().map(plain).collect(),
        audiences: facets.audiences.into_iter().map(plain).collect(),
    }
}

fn reason(reason: &Reason) -> ReasonInfo {
    let field = match reason.why {
        Why::Code => "code",
        Why::Title => "title",
        Why::Names | Why::Beginning | Why::TypingMistake => "names",
        Why::Text => "text",
        Why::Notes => "notes",
    };
    let how = match reason.how {
        How::Exact => "exact",
        How::Stem => "stem",
        How::CompoundPart => "compound_part",
        How::Abbreviation => "abbreviation",
        How::Synonym => "synonym",
        How::Beginning => "beginning",
        How::TypingMistake => "typing_mistake",
        How::Code => "code",
    };
    ReasonInfo { word: reason.word.clone(), field: field.into(), how: how.into(), found: reason.found.clone() }
}
