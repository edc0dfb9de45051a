//! Partners: who they are, how they come and go, whether both hold the same.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ortsnetz_node::dto::{Comparison, Invitation, InviteRequest, Joined, PartnerDetail, PartnerStatus};
use serde::Deserialize;
use utoipa::ToSchema;

use super::status::Done;
use crate::app::App;
use crate::extract::{Json as Body, Path};
use crate::problem::Problem;

/// All partners, and the other nodes of the own organisation.
#[utoipa::path(get, path = "/partners", responses((status = 200, body = Vec<PartnerStatus>)))]
pub(crate) async fn list(State(app): State<App>) -> Result<Json<Vec<PartnerStatus>>, Problem> {
    Ok(Json(app.handle.partners().await?))
}

/// One partner, with the check words.
#[utoipa::path(
    get,
    path = "/partners/{partner}",
    params(("partner" = String, Path, description = "Name, or id or its beginning")),
    responses((status = 200, body = PartnerDetail), (status = 404, body = Problem)),
)]
pub(crate) async fn show(State(app): State<App>, Path(partner): Path<String>) -> Result<Json<PartnerDetail>, Problem> {
    Ok(Json(app.handle.partner(&partner).await?))
}

/// Ends the partnership. What the partner already holds it keeps; new versions no longer reach it.
#[utoipa::path(
    delete,
    path = "/partners/{partner}",
    params(("partner" = String, Path, description = "Name, or id or its beginning")),
    responses((status = 200, body = Done), (status = 404, body = Problem)),
)]
pub(crate) async fn remove(State(app): State<App>, Path(partner): Path<String>) -> Result<Json<Done>, Problem> {
    app.handle.remove_partner(&partner).await?;
    Ok(Done::OK)
}

/// A person has compared name, ARS and check words.
#[utoipa::path(
    post,
    path = "/partners/{partner}/confirm",
    params(("partner" = String, Path, description = "Name, or id or its beginning")),
    responses((status = 200, body = PartnerDetail), (status = 404, body = Problem)),
)]
pub(crate) async fn confirm(
    State(app): State<App>,
    Path(partner): Path<String>,
) -> Result<Json<PartnerDetail>, Problem> {
    Ok(Json(app.handle.confirm_partner(&partner).await?))
}

/// Compares with a partner, entry by entry, what both should hold.
#[utoipa::path(
    get,
    path = "/compare/{partner}",
    params(("partner" = String, Path, description = "Name, or id or its beginning")),
    responses((status = 200, body = Comparison), (status = 404, body = Problem), (status = 504, body = Problem)),
)]
pub(crate) async fn compare(State(app): State<App>, Path(partner): Path<String>) -> Result<Json<Comparison>, Problem> {
    Ok(Json(app.handle.compare(&partner).await?))
}

/// Opens an invitation, for a partner or for a further own node.
#[utoipa::path(post, path = "/invitations", request_body = InviteRequest, responses((status = 201, body = Invitation)))]
pub(crate) async fn invite(
    State(app): State<App>,
    body: Body<InviteRequest>,
) -> Result<(StatusCode, Json<Invitation>), Problem> {
    Ok((StatusCode::CREATED, Json(app.handle.invite(body.value).await?)))
}

/// An invitation received from somebody, or the answer to an invitation of ours.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Join {
    /// The text of the invitation or of the answer.
    token: String,
    /// Let the inviter dial, because nobody can dial it: returns the answer to give back to it.
    #[serde(default)]
    dial: bool,
}

/// Joins the organisation that issued the invitation as its partner, or calls the one that answered ours.
#[utoipa::path(
    post,
    path = "/joins",
    request_body = Join,
    responses((status = 201, body = Joined), (status = 400, body = Problem), (status = 504, body = Problem)),
)]
pub(crate) async fn join(State(app): State<App>, body: Body<Join>) -> Result<(StatusCode, Json<Joined>), Problem> {
    let joined = app.handle.join(body.value.token.trim(), body.value.dial).await?;
    Ok((StatusCode::CREATED, Json(joined)))
}
