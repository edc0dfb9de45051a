//! Entries as a list: rows, new ones, publishing many, conflicts.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ortsnetz_node::dto::{ConflictInfo, EntriesRequest, EntryPage, Published, Written};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::entry::{PathValue, with_etag};
use crate::MEDIA_TYPE_PATHS;
use crate::app::App;
use crate::extract::{Json as Body, Params};
use crate::limits::{ROWS_DEFAULT, ROWS_MAX};
use crate::openapi::PREFIX;
use crate::problem::Problem;

/// Rows for lists, in order of id: our own entries (drafts too) or another organisation's.
#[utoipa::path(
    get,
    path = "/entries",
    params(
        ("organisation" = Option<String>, Query, description = "Id or name; ours if absent"),
        ("kind" = Option<String>, Query, description = "Only this kind"),
        ("collection" = Option<String>, Query, description = "Only this collection (name)"),
        ("drafts" = Option<bool>, Query, description = "Only entries with a draft"),
        ("after" = Option<String>, Query, description = "`next` of the page before"),
        ("limit" = Option<usize>, Query, description = "At most so many rows; 100 if absent, 1000 at most"),
    ),
    responses((status = 200, body = EntryPage)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    Params(mut request): Params<EntriesRequest>,
) -> Result<Json<EntryPage>, Problem> {
    let limit = request.limit.unwrap_or(ROWS_DEFAULT);
    if limit > ROWS_MAX {
        return Err(Problem::invalid(format!("limit: {limit} is more than {ROWS_MAX}")));
    }
    request.limit = Some(limit);
    Ok(Json(app.handle.entries(request).await?))
}

/// A new entry as paths and values, as on the command line.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewEntry {
    /// Its kind.
    kind: String,
    /// Its values.
    values: Vec<PathValue>,
}

/// Makes a new entry as a draft: from a whole entry (its `collection` names the home, `public` if absent), or from
/// paths and values.
#[utoipa::path(
    post,
    path = "/entries",
    request_body(content(
        (serde_json::Map<String, Value> = "application/json"),
        (NewEntry = "application/vnd.ortsnetz.paths+json"),
    )),
    responses((status = 201, body = Written), (status = 400, body = Problem)),
)]
pub(crate) async fn create(State(app): State<App>, body: Body<Value>) -> Result<Response, Problem> {
    let written = if body.media_type == MEDIA_TYPE_PATHS {
        let new: NewEntry =
            serde_json::from_value(body.value).map_err(|error| Problem::invalid(format!("body: {error}")))?;
        app.handle.create(&new.kind, &PathValue::pairs(new.values)).await?
    } else {
        let Value::Object(entry) = body.value else {
            return Err(Problem::invalid("body: an entry is a JSON object"));
        };
        app.handle.create_entry(entry).await?
    };
    let location = HeaderValue::from_str(&format!("{PREFIX}/entries/{}", written.id)).ok();
    let mut response = (StatusCode::CREATED, with_etag(written)).into_response();
    if let Some(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// What to publish: either `ids`, or `all`.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct PublishMany {
    /// These entries.
    ids: Option<Vec<String>>,
    /// Everything that has a draft.
    #[serde(default)]
    all: bool,
}

/// Publishes several entries, or everything that has a draft. Answers when it is durable.
#[utoipa::path(post, path = "/publish", request_body = PublishMany, responses((status = 200, body = Published)))]
pub(crate) async fn publish_many(State(app): State<App>, body: Body<PublishMany>) -> Result<Json<Published>, Problem> {
    let ids = match (body.value.ids, body.value.all) {
        (Some(ids), false) => Some(ids),
        (None, true) => None,
        _ => return Err(Problem::invalid("body: give either `ids` or `all: true`")),
    };
    Ok(Json(app.handle.publish(ids).await?))
}

/// Every path at which nodes of our organisation left different values at the same time.
#[utoipa::path(get, path = "/conflicts", responses((status = 200, body = Vec<ConflictInfo>)))]
pub(crate) async fn conflicts(State(app): State<App>) -> Result<Json<Vec<ConflictInfo>>, Problem> {
    Ok(Json(app.handle.conflicts().await?))
}
