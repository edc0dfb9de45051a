//! One entry: read, change, publish, withdraw, move, adopt, history, conflicts.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use ortsnetz_node::dto::{HistoryStep, Published, RedactRequest, RedactionReport, ShowOptions, Shown, Written};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::MEDIA_TYPE_PATHS;
use crate::app::App;
use crate::extract::{Json as Body, Params, Path};
use crate::problem::Problem;

/// One value at one path, `fees.0.amount` and `2800`; an empty value deletes.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct PathValue {
    /// In the path language.
    path: String,
    /// As typed; the field gives it its type.
    value: String,
}

impl PathValue {
    pub(crate) fn pairs(values: Vec<Self>) -> Vec<(String, String)> {
        values.into_iter().map(|value| (value.path, value.value)).collect()
    }
}

/// An entry and what is known about it.
///
/// With `draft=true` the `ETag` holds the working heads, which `If-Match` of a `PATCH` wants back.
#[utoipa::path(
    get,
    path = "/entries/{id}",
    params(
        ("id" = String, Path, description = "Entry id"),
        ("draft" = Option<bool>, Query, description = "The working document instead of the published one"),
        ("on" = Option<String>, Query, description = "What was published at the end of this day in Europe/Berlin, scheduled changes applied"),
        ("at" = Option<String>, Query, description = "The state at these heads (comma-separated)"),
    ),
    responses((status = 200, body = Shown), (status = 404, body = Problem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    Params(options): Params<ShowOptions>,
) -> Result<Response, Problem> {
    let shown = app.handle.show(&id, options).await?;
    let tag = etag(&shown.meta.heads);
    let mut response = Json(shown).into_response();
    if let Some(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// Values for paths, as on the command line.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct PathValues {
    /// In the order they are set.
    values: Vec<PathValue>,
}

/// Changes the draft: by a JSON merge patch (RFC 7396), or by paths and values.
///
/// `If-Match` with the `ETag` of the draft refuses the patch with 412 if somebody else wrote meanwhile.
#[utoipa::path(
    patch,
    path = "/entries/{id}",
    params(
        ("id" = String, Path, description = "Entry id"),
        ("If-Match" = Option<String>, Header, description = "The working heads the patch was made against"),
    ),
    request_body(content(
        (serde_json::Map<String, Value> = "application/merge-patch+json"),
        (PathValues = "application/vnd.ortsnetz.paths+json"),
    )),
    responses((status = 200, body = Written), (status = 404, body = Problem), (status = 412, body = Problem)),
)]
pub(crate) async fn patch(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body<Value>,
) -> Result<Response, Problem> {
    let if_match = if_match(&headers)?;
    let written = if body.media_type == MEDIA_TYPE_PATHS {
        if if_match.is_some() {
            return Err(Problem::invalid("If-Match goes with a merge patch, not with paths and values"));
        }
        let edit: PathValues =
            serde_json::from_value(body.value).map_err(|error| Problem::invalid(format!("body: {error}")))?;
        app.handle.edit(&id, &PathValue::pairs(edit.values)).await?
    } else {
        app.handle.patch(&id, body.value, if_match).await?
    };
    Ok(with_etag(written))
}

/// Who changed what and when, newest first.
#[utoipa::path(
    get,
    path = "/entries/{id}/history",
    params(("id" = String, Path, description = "Entry id")),
    responses((status = 200, body = Vec<HistoryStep>), (status = 404, body = Problem)),
)]
pub(crate) async fn history(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Vec<HistoryStep>>, Problem> {
    Ok(Json(app.handle.history(&id).await?))
}

/// A file that proves what is published now: who said it, and when. `ortsnetz verify FILE` checks it without any node.
#[utoipa::path(
    get,
    path = "/entries/{id}/receipt",
    params(("id" = String, Path, description = "Entry id, ours or a partner's")),
    responses((status = 200, body = Object), (status = 404, body = Problem), (status = 503, body = Problem)),
)]
pub(crate) async fn receipt(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Problem> {
    let text = app.handle.receipt(&id).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// Publishes the draft, or confirms that the entry is still correct. Answers when it is durable.
#[utoipa::path(
    post,
    path = "/entries/{id}/publish",
    params(("id" = String, Path, description = "Entry id")),
    responses((status = 200, body = Published), (status = 404, body = Problem), (status = 409, body = Problem)),
)]
pub(crate) async fn publish(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Published>, Problem> {
    Ok(Json(app.handle.publish(Some(vec![id])).await?))
}

/// Takes the entry back from all partners; the draft stays.
#[utoipa::path(
    post,
    path = "/entries/{id}/withdraw",
    params(("id" = String, Path, description = "Entry id")),
    responses((status = 200, body = Published), (status = 404, body = Problem)),
)]
pub(crate) async fn withdraw(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Published>, Problem> {
    Ok(Json(app.handle.withdraw(&id).await?))
}

/// Takes back for ever what the entry said before: a new generation voids all lower ones, and every reader that hears of it
/// erases them from its disk. Answers when this node has. With `erase` nothing stays, otherwise what the entry says now.
#[utoipa::path(
    post,
    path = "/entries/{id}/redact",
    params(("id" = String, Path, description = "Entry id")),
    request_body = RedactRequest,
    responses(
        (status = 200, body = RedactionReport),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
    ),
)]
pub(crate) async fn redact(
    State(app): State<App>,
    Path(id): Path<String>,
    body: Body<RedactRequest>,
) -> Result<Json<RedactionReport>, Problem> {
    Ok(Json(app.handle.redact(&id, body.value).await?))
}

/// Who purged a redacted entry, who has not yet, and what no redaction reaches.
#[utoipa::path(
    get,
    path = "/entries/{id}/redaction",
    params(("id" = String, Path, description = "Entry id")),
    responses((status = 200, body = RedactionReport), (status = 404, body = Problem)),
)]
pub(crate) async fn redaction(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<RedactionReport>, Problem> {
    Ok(Json(app.handle.redaction(&id).await?))
}

/// To which version the draft goes back.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Undo {
    /// Heads from `history`, comma-separated; absent takes the last change back.
    #[serde(default)]
    to: Option<String>,
}

/// Makes the draft say again what it said before, as a new change.
#[utoipa::path(
    post,
    path = "/entries/{id}/undo",
    params(("id" = String, Path, description = "Entry id")),
    request_body = Undo,
    responses((status = 200, body = Written), (status = 404, body = Problem), (status = 409, body = Problem)),
)]
pub(crate) async fn undo(
    State(app): State<App>,
    Path(id): Path<String>,
    body: Body<Undo>,
) -> Result<Response, Problem> {
    Ok(with_etag(app.handle.undo(&id, body.value.to).await?))
}

/// Where an entry moves.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct MoveTo {
    /// Name of the collection.
    collection: String,
}

/// Moves the entry to another collection: a new document there, a withdrawal here, in one step.
#[utoipa::path(
    post,
    path = "/entries/{id}/move",
    params(("id" = String, Path, description = "Entry id")),
    request_body = MoveTo,
    responses((status = 200, body = Published), (status = 404, body = Problem)),
)]
pub(crate) async fn move_entry(
    State(app): State<App>,
    Path(id): Path<String>,
    body: Body<MoveTo>,
) -> Result<Json<Published>, Problem> {
    Ok(Json(app.handle.move_entry(&id, &body.value.collection).await?))
}

/// How an entry is taken over.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Adopt {
    /// Keep the partner's text as the layer below, instead of copying it.
    layer: bool,
}

/// Starts an own entry from a partner's, with its provenance.
#[utoipa::path(
    post,
    path = "/entries/{id}/adopt",
    params(("id" = String, Path, description = "Id of the partner's entry")),
    request_body = Adopt,
    responses((status = 200, body = Written), (status = 404, body = Problem)),
)]
pub(crate) async fn adopt(
    State(app): State<App>,
    Path(id): Path<String>,
    body: Body<Adopt>,
) -> Result<Response, Problem> {
    Ok(with_etag(app.handle.adopt(&id, body.value.layer).await?))
}

/// Which of the concurrent values stays.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Resolve {
    /// As `conflicts` names it.
    path: String,
    /// Number of the value.
    n: u64,
}

/// Ends a conflict by choosing one of its values.
#[utoipa::path(
    post,
    path = "/entries/{id}/resolve",
    params(("id" = String, Path, description = "Entry id")),
    request_body = Resolve,
    responses((status = 200, body = Written), (status = 404, body = Problem)),
)]
pub(crate) async fn resolve(
    State(app): State<App>,
    Path(id): Path<String>,
    body: Body<Resolve>,
) -> Result<Response, Problem> {
    Ok(with_etag(app.handle.resolve(&id, &body.value.path, body.value.n).await?))
}

/// The answer to a write, with the new working heads as `ETag`.
pub(crate) fn with_etag(written: Written) -> Response {
    let tag = etag(&written.heads);
    let mut response = Json(written).into_response();
    if let Some(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// Heads as one strong tag: `"hash,hash"`.
fn etag(heads: &[String]) -> Option<HeaderValue> {
    if heads.is_empty() {
        return None;
    }
    HeaderValue::from_str(&format!("\"{}\"", heads.join(","))).ok()
}

/// The heads in `If-Match`; `None` without the header or with `*`.
fn if_match(headers: &HeaderMap) -> Result<Option<Vec<String>>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let heads = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).filter(|heads| !heads.contains('"'));
    match heads {
        Some(heads) => Ok(Some(heads.split(',').map(str::to_owned).collect())),
        None => Err(Problem::invalid("If-Match: give the one ETag of `GET /entries/{id}?draft=true`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::IF_MATCH, value.parse().expect("valid"))])
    }

    #[test]
    fn a_tag_comes_back_as_heads() {
        let heads = vec!["aa".to_owned(), "bb".to_owned()];
        let tag = etag(&heads).expect("heads");
        assert_eq!(tag, "\"aa,bb\"");
        assert_eq!(if_match(&with("\"aa,bb\"")).expect("valid"), Some(heads));
        assert_eq!(if_match(&with("*")).expect("valid"), None);
        assert_eq!(if_match(&HeaderMap::new()).expect("valid"), None);
    }

    #[test]
    fn weak_tags_and_lists_are_refused() {
        for text in ["W/\"aa\"", "\"aa\", \"bb\"", "aa"] {
            assert!(if_match(&with(text)).is_err(), "{text}");
        }
    }
}
