//! Finding entries.

use axum::Json;
use axum::extract::State;
use ortsnetz_node::dto::{SearchRequest, SearchResult};

use crate::app::App;
use crate::extract::Params;
use crate::limits::{HITS_DEFAULT, HITS_MAX, QUERY_CHARS_MAX};
use crate::problem::Problem;

/// Entries that fit the words, valid at the place, best first.
///
/// An ambiguous place is never guessed: `places` then lists the candidates and `hits` is empty.
#[utoipa::path(
    get,
    path = "/search",
    params(
        ("q" = String, Query, description = "The words"),
        ("place" = Option<String>, Query, description = "Name, postal code, AGS or ARS"),
        ("kind" = Option<String>, Query, description = "Only entries of this kind"),
        ("on" = Option<String>, Query, description = "The date the answer is for, ISO 8601"),
        ("limit" = Option<usize>, Query, description = "At most so many hits, 1 to 200; 20 if absent"),
        ("deadline_ms" = Option<u64>, Query, description = "How long partners that are asked live may take, in milliseconds, 1 to 10000; 1500 if absent"),
        ("lang" = Option<String>, Query, description = "Language of title and summary; `de` if absent"),
        ("typing" = Option<bool>, Query, description = "The last word may be unfinished"),
        ("organisation" = Option<String>, Query, description = "Only entries of this organisation: name, or id or its beginning"),
        ("life_event" = Option<String>, Query, description = "Only entries of this life event, by its code", example = "1050200"),
        ("audience" = Option<String>, Query, description = "Only entries for these people", example = "business"),
        ("facets" = Option<bool>, Query, description = "Count what was found by kind, organisation, life event and audience"),
        ("snippets" = Option<bool>, Query, description = "Mark the words in title and text"),
    ),
    responses((status = 200, body = SearchResult, example = json!({
        "hits": [{
            "id": "0f0e0d0c0b0a09080706050403020100", "kind": "service", "title": "Wohnsitzanmeldung", "summary": "",
            "organisation": {"id": "6d75656e6368656e", "name": "Landeshauptstadt München", "ars": "091620000000", "standing": "own"},
            "collection": "public", "public": true, "valid_for": ["091620000000"], "published_at": "2026-06-08T07:41:01Z",
            "received_at": null, "next_review": null, "score": 21.4,
            "reasons": [{"word": "wohnung anmelden", "field": "title", "how": "synonym", "found": "wohnsitz anmelden"}],
            "marked_title": [{"text": "Wohnsitzanmeldung", "mark": true}],
            "snippet": {"path": "texts.description", "pieces": [{"text": "Die An- oder "}, {"text": "Ummeldung", "mark": true}]}
        }],
        "total": 1, "took_ms": 1.2, "completeness": {"asked": 1, "answered": 1, "missing": []}, "places": [],
        "matching": "all_words",
        "facets": {"kinds": [{"value": "service", "count": 1}], "organisations": [], "life_events": [], "audiences": []}
    })), (status = 400, body = Problem)),
)]
pub(crate) async fn search(
    State(app): State<App>,
    Params(request): Params<SearchRequest>,
) -> Result<Json<SearchResult>, Problem> {
    Ok(Json(app.handle.search(checked(request)?).await?))
}

/// The request with its defaults filled in.
///
/// # Errors
/// Words or a limit over the limits.
pub(crate) fn checked(mut request: SearchRequest) -> Result<SearchRequest, Problem> {
    for (name, text) in [("q", Some(&request.q)), ("place", request.place.as_ref())] {
        if text.is_some_and(|text| text.chars().count() > QUERY_CHARS_MAX) {
            return Err(Problem::invalid(format!("{name}: longer than {QUERY_CHARS_MAX} characters")));
        }
    }
    let limit = request.limit.unwrap_or(HITS_DEFAULT);
    if !(1..=HITS_MAX).contains(&limit) {
        return Err(Problem::invalid(format!("limit: {limit} hits are not possible; give 1 to {HITS_MAX}")));
    }
    request.limit = Some(limit);
    request.place = request.place.filter(|place| !place.trim().is_empty());
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_limits_are_bounded() {
        let request = |chars: usize, limit| SearchRequest { q: "ß".repeat(chars), limit, ..SearchRequest::default() };
        assert_eq!(checked(request(QUERY_CHARS_MAX, None)).expect("allowed").limit, Some(HITS_DEFAULT));
        assert!(checked(request(QUERY_CHARS_MAX + 1, None)).is_err());
        assert!(checked(request(1, Some(1))).is_ok());
        let none = checked(request(1, Some(0))).expect_err("no hits at all");
        assert_eq!(none.detail, format!("limit: 0 hits are not possible; give 1 to {HITS_MAX}"));
        assert!(checked(request(1, Some(HITS_MAX))).is_ok());
        assert!(checked(request(1, Some(HITS_MAX + 1))).is_err());
    }
}
