//! Suggested changes of partners' entries, and what becomes of them.

use axum::Json;
use axum::extract::State;
use ortsnetz_node::dto::{DecideRequest, NewProposal, ProposalInfo, ProposalsRequest, SourceChanges, SourceRequest};

use crate::app::App;
use crate::extract::{Json as Body, Params, Path};
use crate::problem::Problem;

/// Proposals that are not decided, newest first: ours and our partners'.
#[utoipa::path(
    get,
    path = "/proposals",
    params(
        ("all" = Option<bool>, Query, description = "Decided ones too"),
        ("entry" = Option<String>, Query, description = "Only about this entry: id or its beginning"),
        ("partner" = Option<String>, Query, description = "Only with this partner: name, or id or its beginning"),
    ),
    responses((status = 200, body = Vec<ProposalInfo>), (status = 400, body = Problem), (status = 404, body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    Params(request): Params<ProposalsRequest>,
) -> Result<Json<Vec<ProposalInfo>>, Problem> {
    Ok(Json(app.handle.proposals(request).await?))
}

/// Suggests what a partner's entry should say, against what is published of it here.
#[utoipa::path(
    post,
    path = "/proposals",
    request_body = NewProposal,
    responses((status = 200, body = ProposalInfo), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem)),
)]
pub(crate) async fn propose(State(app): State<App>, body: Body<NewProposal>) -> Result<Json<ProposalInfo>, Problem> {
    Ok(Json(app.handle.propose(body.value).await?))
}

/// One proposal: each field as it was, is suggested, and is now, and what was decided.
#[utoipa::path(
    get,
    path = "/proposals/{id}",
    params(("id" = String, Path, description = "Id or its beginning")),
    responses((status = 200, body = ProposalInfo), (status = 400, body = Problem), (status = 404, body = Problem)),
)]
pub(crate) async fn show(State(app): State<App>, Path(id): Path<String>) -> Result<Json<ProposalInfo>, Problem> {
    Ok(Json(app.handle.proposal(&id).await?))
}

/// Takes or declines fields of a proposal for an own entry. What is taken is a draft, or published at once.
#[utoipa::path(
    post,
    path = "/proposals/{id}/decide",
    params(("id" = String, Path, description = "Id or its beginning")),
    request_body = DecideRequest,
    responses((status = 200, body = ProposalInfo), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)),
)]
pub(crate) async fn decide(
    State(app): State<App>,
    Path(id): Path<String>,
    body: Body<DecideRequest>,
) -> Result<Json<ProposalInfo>, Problem> {
    Ok(Json(app.handle.decide(&id, body.value).await?))
}

/// Takes an own proposal back.
#[utoipa::path(
    post,
    path = "/proposals/{id}/withdraw",
    params(("id" = String, Path, description = "Id or its beginning")),
    responses((status = 200), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)),
)]
pub(crate) async fn withdraw(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<serde_json::Value>, Problem> {
    app.handle.withdraw_proposal(&id).await?;
    Ok(Json(serde_json::json!({"ok": true})))
}

/// What the source of an adopted entry says else than it did.
#[utoipa::path(
    get,
    path = "/entries/{id}/source",
    params(("id" = String, Path, description = "Id or its beginning")),
    responses((status = 200, body = SourceChanges), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)),
)]
pub(crate) async fn source(State(app): State<App>, Path(id): Path<String>) -> Result<Json<SourceChanges>, Problem> {
    Ok(Json(app.handle.source_changes(&id).await?))
}

/// Takes over what changed at the source of an adopted entry, or leaves it.
#[utoipa::path(
    post,
    path = "/entries/{id}/source",
    params(("id" = String, Path, description = "Id or its beginning")),
    request_body = SourceRequest,
    responses((status = 200, body = SourceChanges), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)),
)]
pub(crate) async fn take_source(
    State(app): State<App>,
    Path(id): Path<String>,
    body: Body<SourceRequest>,
) -> Result<Json<SourceChanges>, Problem> {
    Ok(Json(app.handle.take_source(&id, body.value).await?))
}
