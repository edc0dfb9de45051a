//! Agreements with partners: offered, signed, declined, ended.

use axum::Json;
use axum::extract::State;
use ortsnetz_node::dto::{AgreementInfo, ProposeRequest};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::extract::{Json as Body, Path};
use crate::problem::Problem;

/// All agreements with their versions.
#[utoipa::path(get, path = "/agreements", responses((status = 200, body = Vec<AgreementInfo>)))]
pub(crate) async fn list(State(app): State<App>) -> Result<Json<Vec<AgreementInfo>>, Problem> {
    Ok(Json(app.handle.agreements().await?))
}

/// Signs a text and offers it to a confirmed partner; with `agreement` as a new version of that one.
#[utoipa::path(
    post,
    path = "/agreements",
    request_body = ProposeRequest,
    responses((status = 200, body = AgreementInfo), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)),
)]
pub(crate) async fn propose(
    State(app): State<App>,
    body: Body<ProposeRequest>,
) -> Result<Json<AgreementInfo>, Problem> {
    Ok(Json(app.handle.propose_agreement(body.value).await?))
}

/// One agreement, with how much of what it requires is described.
#[utoipa::path(
    get,
    path = "/agreements/{id}",
    params(("id" = String, Path, description = "Id or its beginning")),
    responses((status = 200, body = AgreementInfo), (status = 404, body = Problem)),
)]
pub(crate) async fn show(State(app): State<App>, Path(id): Path<String>) -> Result<Json<AgreementInfo>, Problem> {
    Ok(Json(app.handle.agreement(&id).await?))
}

/// Signs the newest version that the other side offered.
#[utoipa::path(
    post,
    path = "/agreements/{id}/sign",
    params(("id" = String, Path, description = "Id or its beginning")),
    responses((status = 200, body = AgreementInfo), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)),
)]
pub(crate) async fn sign(State(app): State<App>, Path(id): Path<String>) -> Result<Json<AgreementInfo>, Problem> {
    Ok(Json(app.handle.sign_agreement(&id).await?))
}

/// Why not.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct Refusing {
    /// What the other side should read.
    reason: String,
}

/// Says no to the newest version that the other side offered.
#[utoipa::path(
    post,
    path = "/agreements/{id}/decline",
    params(("id" = String, Path, description = "Id or its beginning")),
    request_body = Refusing,
    responses((status = 200, body = AgreementInfo), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)),
)]
pub(crate) async fn decline(
    State(app): State<App>,
    Path(id): Path<String>,
    body: Body<Refusing>,
) -> Result<Json<AgreementInfo>, Problem> {
    Ok(Json(app.handle.decline_agreement(&id, &body.value.reason).await?))
}

/// Until when.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct Ending {
    /// The last day, ISO 8601; absent takes an end back while its day is ahead.
    on: Option<String>,
}

/// Ends what is in force, not before the notice.
#[utoipa::path(
    post,
    path = "/agreements/{id}/end",
    params(("id" = String, Path, description = "Id or its beginning")),
    request_body = Ending,
    responses((status = 200, body = AgreementInfo), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)),
)]
pub(crate) async fn end(
    State(app): State<App>,
    Path(id): Path<String>,
    body: Body<Ending>,
) -> Result<Json<AgreementInfo>, Problem> {
    Ok(Json(app.handle.end_agreement(&id, body.value.on.as_deref()).await?))
}
