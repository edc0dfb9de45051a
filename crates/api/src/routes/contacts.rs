//! Contacts, follow-ups and calls.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use ortsnetz_node::dto::{
    CallInfo, CallRequest, CallsReport, ContactInfo, ContactRequest, ContactsPage, ContactsRequest, FollowUpInfo,
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::transfer::{blocking, mapping_of};
use crate::HEADER_MAPPING;
use crate::app::App;
use crate::extract::{Json as Given, Params, Path};
use crate::limits::ROWS_MAX;
use crate::problem::Problem;

/// Contacts of a month, the newest first: ours and those that partners recorded for us.
#[utoipa::path(
    get,
    path = "/contacts",
    params(
        ("month" = Option<String>, Query, description = "This month if absent", example = "2026-11"),
        ("partner" = Option<String>, Query, description = "Only with this organisation, by name or id"),
        ("limit" = Option<usize>, Query, description = "At most so many, 1 to 1000; 50 if absent"),
    ),
    responses((status = 200, body = ContactsPage), (status = 400, body = Problem), (status = 404, body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    Params(request): Params<ContactsRequest>,
) -> Result<Json<ContactsPage>, Problem> {
    if let Some(limit) = request.limit.filter(|limit| !(1..=ROWS_MAX).contains(limit)) {
        return Err(Problem::invalid(format!("limit: {limit} rows are not possible; give 1 to {ROWS_MAX}")));
    }
    Ok(Json(app.handle.contacts(request).await?))
}

/// One contact, or several at once.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes a body that is read by hand, so that what is wrong is said of the right form")]
pub(crate) enum Recorded {
    /// Several, at most 500.
    Many(Vec<ContactRequest>),
    /// One.
    One(Box<ContactRequest>),
}

/// Records contacts; durable when the answer comes. With an `id` of its own each may be sent again.
///
/// A contact has no place for a person. It leaves this node after two minutes, until then it can be undone.
#[utoipa::path(
    post,
    path = "/contacts",
    request_body = Recorded,
    responses((status = 200, body = Vec<ContactInfo>), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem)),
)]
pub(crate) async fn add(State(app): State<App>, body: Given<Value>) -> Result<Json<Vec<ContactInfo>>, Problem> {
    let wrong = |error: serde_json::Error| Problem::invalid(format!("body: {error}"));
    let requests: Vec<ContactRequest> = match body.value {
        many @ Value::Array(_) => serde_json::from_value(many).map_err(wrong)?,
        one => vec![serde_json::from_value(one).map_err(wrong)?],
    };
    Ok(Json(app.handle.add_contacts(requests).await?))
}

/// Which contact.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct Undoing {
    /// Id or its beginning; the last recorded at this node if absent.
    id: Option<String>,
}

/// Takes back a contact that is not older than two minutes; nothing of it stays.
#[utoipa::path(
    post,
    path = "/contacts/undo",
    request_body = Undoing,
    responses((status = 200, body = ContactInfo), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)),
)]
pub(crate) async fn undo(State(app): State<App>, body: Given<Undoing>) -> Result<Json<ContactInfo>, Problem> {
    Ok(Json(app.handle.undo_contact(body.value.id.as_deref()).await?))
}

/// Why.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"reason": "zweimal erfasst"}))]
pub(crate) struct Reversing {
    /// What the other side should read; nothing about a person.
    reason: String,
}

/// Says of a contact of ours that it does not count; it stays readable with the reason.
#[utoipa::path(
    post,
    path = "/contacts/{id}/reverse",
    params(("id" = String, Path, description = "Id or its beginning")),
    request_body = Reversing,
    responses((status = 200, body = ContactInfo), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)),
)]
pub(crate) async fn reverse(
    State(app): State<App>,
    Path(id): Path<String>,
    body: Given<Reversing>,
) -> Result<Json<ContactInfo>, Problem> {
    Ok(Json(app.handle.reverse_contact(&id, &body.value.reason).await?))
}

/// Which follow-ups.
#[derive(Debug, Deserialize)]
pub(crate) struct FollowUpQuery {
    partner: Option<String>,
    #[serde(default)]
    all: bool,
}

/// What is to be done after contacts of the last 13 months, the oldest first.
#[utoipa::path(
    get,
    path = "/follow-ups",
    params(
        ("partner" = Option<String>, Query, description = "Only with this organisation, by name or id"),
        ("all" = Option<bool>, Query, description = "Also those that are done"),
    ),
    responses((status = 200, body = Vec<FollowUpInfo>), (status = 400, body = Problem), (status = 404, body = Problem)),
)]
pub(crate) async fn follow_ups(
    State(app): State<App>,
    Params(query): Params<FollowUpQuery>,
) -> Result<Json<Vec<FollowUpInfo>>, Problem> {
    Ok(Json(app.handle.follow_ups(query.partner.as_deref(), !query.all).await?))
}

/// Ticks off a follow-up that is ours.
#[utoipa::path(
    post,
    path = "/follow-ups/{number}/done",
    params(("number" = String, Path, description = "Its number, or the id of the contact", example = "3F9A-01C2")),
    responses((status = 200, body = FollowUpInfo), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)),
)]
pub(crate) async fn done(State(app): State<App>, Path(number): Path<String>) -> Result<Json<FollowUpInfo>, Problem> {
    Ok(Json(app.handle.follow_up_done(&number).await?))
}

/// Records a call, as the telephone system tells it when it has ended: how long it waited, whether somebody took it.
#[utoipa::path(
    post,
    path = "/calls",
    request_body = CallRequest,
    responses((status = 200, body = CallInfo), (status = 400, body = Problem), (status = 403, body = Problem)),
)]
pub(crate) async fn call(State(app): State<App>, body: Given<CallRequest>) -> Result<Json<CallInfo>, Problem> {
    Ok(Json(app.handle.add_call(body.value).await?))
}

/// Which file.
#[derive(Debug, Deserialize)]
pub(crate) struct FileQuery {
    #[serde(default)]
    file: String,
}

/// Imports the export of a telephone system (CSV); a call that was imported before is not counted again.
#[utoipa::path(
    post,
    path = "/calls/import",
    params(
        ("file" = Option<String>, Query, description = "File name, for messages"),
        ("ortsnetz-mapping" = String, Header, description = "The mapping, TOML as base64url without padding"),
    ),
    request_body(
        content = String,
        content_type = "text/csv",
        example = "Nr;Ziel;Beginn;Angenommen;Ende\n1;+4922411020;2026-11-03T10:15:02;;2026-11-03T10:15:40\n"
    ),
    responses((status = 200, body = CallsReport), (status = 400, body = Problem), (status = 422, body = Problem)),
)]
pub(crate) async fn import(
    State(app): State<App>,
    Params(query): Params<FileQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<CallsReport>, Problem> {
    let file = if query.file.is_empty() { "body".to_owned() } else { query.file };
    let mapping = headers
        .get(HEADER_MAPPING)
        .ok_or_else(|| Problem::invalid(format!("{HEADER_MAPPING}: is missing; it says which columns mean what")))?;
    let mapping = mapping_of(mapping.as_bytes())?;
    Ok(Json(blocking(&app, body, move |app, body| app.handle.import_calls(&file, &mapping, body)).await?))
}
