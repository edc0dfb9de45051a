//! What an agent needs to say for a place, in one call.

use axum::Json;
use axum::extract::State;
use ortsnetz_node::dto::{AnswersRequest, AnswersResult, NoticeInfo};
use serde::Deserialize;

use crate::app::App;
use crate::extract::Params;
use crate::limits::QUERY_CHARS_MAX;
use crate::problem::Problem;

/// Answers composed for a place and a time: short answer, fees, papers, who is responsible and whether it is open, notices in
/// force, how fresh all that is, and whose word it is.
///
/// An ambiguous place is never guessed: `places` then lists the candidates and nothing is answered. Where nobody is recorded as
/// responsible, `nobody` lists whom to ask.
#[utoipa::path(
    get,
    path = "/answers",
    params(
        ("q" = Option<String>, Query, description = "The words", example = "Hund anmelden"),
        ("id" = Option<String>, Query, description = "The entry the answer begins with, instead of words"),
        ("place" = Option<String>, Query, description = "Name, postal code, AGS or ARS", example = "Siegburg"),
        ("from" = Option<String>, Query, description = "The place that is left, for life events like a move"),
        ("to" = Option<String>, Query, description = "The place that is moved to; the same as `place`"),
        ("conditions" = Option<String>, Query, description = "Numbers of the conditions that hold, `0,2`; all steps if absent"),
        ("on" = Option<String>, Query, description = "The date the answer is for, ISO 8601; today if absent"),
        ("at" = Option<String>, Query, description = "The time of day in Europe/Berlin, `10:30`; now if absent"),
        ("lang" = Option<String>, Query, description = "Language asked for, `de-x-leicht` for Leichte Sprache; `de` if absent"),
        ("limit" = Option<usize>, Query, description = "At most so many answers, 1 to 10; 3 if absent"),
        ("deadline_ms" = Option<u64>, Query, description = "How long partners that are asked live may take, in milliseconds, 1 to 10000; 1500 if absent"),
    ),
    responses((status = 200, body = AnswersResult), (status = 400, body = Problem), (status = 404, body = Problem)),
)]
pub(crate) async fn answers(
    State(app): State<App>,
    Params(request): Params<AnswersRequest>,
) -> Result<Json<AnswersResult>, Problem> {
    Ok(Json(app.handle.answers(checked(request)?).await?))
}

/// The request, if it asks anything.
///
/// # Errors
/// Words over the limit; neither words nor an entry.
fn checked(request: AnswersRequest) -> Result<AnswersRequest, Problem> {
    for (name, text) in [
        ("q", Some(&request.q)),
        ("place", request.place.as_ref()),
        ("from", request.from.as_ref()),
        ("to", request.to.as_ref()),
    ] {
        if text.is_some_and(|text| text.chars().count() > QUERY_CHARS_MAX) {
            return Err(Problem::invalid(format!("{name}: longer than {QUERY_CHARS_MAX} characters")));
        }
    }
    if request.q.trim().is_empty() && request.id.as_ref().is_none_or(|id| id.trim().is_empty()) {
        return Err(Problem::invalid(
            "q: is missing; give the words of the question, or the id of an entry".to_owned(),
        ));
    }
    Ok(request)
}

/// Which notices are asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct NoticesQuery {
    /// ARS.
    place: Option<String>,
    /// Id of an entry.
    about: Option<String>,
    lang: Option<String>,
}

/// Public notices in force, the most urgent first: at a place of whoever speaks for it, else those of this node's organisation.
#[utoipa::path(
    get,
    path = "/notices",
    params(
        ("place" = Option<String>, Query, description = "ARS, 12 digits", example = "053820060060"),
        ("about" = Option<String>, Query, description = "Only notices on the topics of this entry, by its id"),
        ("lang" = Option<String>, Query, description = "Language asked for; `de` if absent"),
    ),
    responses((status = 200, body = Vec<NoticeInfo>), (status = 400, body = Problem)),
)]
pub(crate) async fn notices(
    State(app): State<App>,
    Params(query): Params<NoticesQuery>,
) -> Result<Json<Vec<NoticeInfo>>, Problem> {
    let place = query.place.filter(|place| !place.trim().is_empty());
    let about = query.about.filter(|about| !about.trim().is_empty());
    let lang = query.lang.as_deref().unwrap_or("de");
    Ok(Json(app.handle.public_notices(place.as_deref(), about.as_deref(), lang).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_needs_words_or_an_entry_within_the_limit() {
        let words = |chars: usize| AnswersRequest { q: "ß".repeat(chars), ..AnswersRequest::default() };
        assert!(checked(words(QUERY_CHARS_MAX)).is_ok());
        assert!(checked(words(QUERY_CHARS_MAX + 1)).is_err());
        let nothing = checked(words(0)).expect_err("nothing is asked");
        assert_eq!(nothing.detail, "q: is missing; give the words of the question, or the id of an entry");
        assert!(checked(AnswersRequest { id: Some("01".into()), ..AnswersRequest::default() }).is_ok());
        let long = Some("x".repeat(QUERY_CHARS_MAX + 1));
        assert!(checked(AnswersRequest { place: long, ..words(1) }).is_err());
    }
}
