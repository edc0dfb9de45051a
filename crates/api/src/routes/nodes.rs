//! The nodes of the own organisation, their certificates, renewed and taken back; who follows whom, and who leaves.

use axum::Json;
use axum::extract::State;
use ortsnetz_node::dto::{CertifiedNode, FarewellReport, LeaveRequest, Renewed, RevokedNode, SuccessionInfo};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::extract::{Json as Body, Path};
use crate::problem::Problem;

/// All nodes of the own organisation with their certificates, those taken back included.
#[utoipa::path(get, path = "/nodes", responses((status = 200, body = Vec<CertifiedNode>)))]
pub(crate) async fn list(State(app): State<App>) -> Result<Json<Vec<CertifiedNode>>, Problem> {
    Ok(Json(app.handle.nodes().await?))
}

/// Which certificates to renew.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct Renewal {
    /// Name, or id or its beginning or end; absent: all whose certificates end within 90 days or have ended.
    node: Option<String>,
}

/// Makes new certificates; needs the root key here.
#[utoipa::path(
    post,
    path = "/nodes/renew",
    request_body = Renewal,
    responses((status = 200, body = Renewed), (status = 403, body = Problem), (status = 404, body = Problem)),
)]
pub(crate) async fn renew(State(app): State<App>, body: Body<Renewal>) -> Result<Json<Renewed>, Problem> {
    Ok(Json(app.handle.renew_nodes(body.value.node.as_deref()).await?))
}

/// Takes the certificate of a lost node back. If it was the publisher, this node publishes from now on. Needs the root key
/// here.
#[utoipa::path(
    post,
    path = "/nodes/{node}/revoke",
    params(("node" = String, Path, description = "Name, or id or its beginning or end")),
    responses((status = 200, body = RevokedNode), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)),
)]
pub(crate) async fn revoke(State(app): State<App>, Path(node): Path<String>) -> Result<Json<RevokedNode>, Problem> {
    Ok(Json(app.handle.revoke_node(&node).await?))
}

/// Whom to follow.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct Following {
    /// Name, or id or its beginning.
    predecessor: String,
    /// Publish what is adopted; otherwise it is drafts.
    publish: bool,
    /// Follow it no more; what was adopted stays.
    undo: bool,
}

/// States that this organisation follows another one, and adopts what of it is verified here. Needs the root key here.
#[utoipa::path(
    post,
    path = "/identity/succeed",
    request_body = Following,
    responses((status = 200, body = SuccessionInfo), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)),
)]
pub(crate) async fn succeed(State(app): State<App>, body: Body<Following>) -> Result<Json<SuccessionInfo>, Problem> {
    let Following { predecessor, publish, undo } = body.value;
    Ok(Json(app.handle.succeed(&predecessor, publish, undo).await?))
}

/// States that this organisation takes part no more from a day on, changes that, or takes it back. Needs the root key here.
#[utoipa::path(
    post,
    path = "/identity/leave",
    request_body = LeaveRequest,
    responses((status = 200, body = FarewellReport), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem)),
)]
pub(crate) async fn leave(State(app): State<App>, body: Body<LeaveRequest>) -> Result<Json<FarewellReport>, Problem> {
    Ok(Json(app.handle.leave(body.value).await?))
}

/// What this organisation said about leaving, and which partners have deleted what they held of it.
#[utoipa::path(get, path = "/identity/leave", responses((status = 200, body = FarewellReport)))]
pub(crate) async fn farewell(State(app): State<App>) -> Result<Json<FarewellReport>, Problem> {
    Ok(Json(app.handle.farewell().await?))
}

/// What a person found out about a succession.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Judgement {
    /// Who is followed: name, or id or its beginning.
    predecessor: String,
    /// Whether it is so.
    confirmed: bool,
}

/// A person compared the check words: a partner follows another organisation, or it does not.
#[utoipa::path(
    post,
    path = "/partners/{partner}/succession",
    params(("partner" = String, Path, description = "The successor: name, or id or its beginning")),
    request_body = Judgement,
    responses((status = 200, body = SuccessionInfo), (status = 404, body = Problem), (status = 409, body = Problem)),
)]
pub(crate) async fn judge(
    State(app): State<App>,
    Path(partner): Path<String>,
    body: Body<Judgement>,
) -> Result<Json<SuccessionInfo>, Problem> {
    let Judgement { predecessor, confirmed } = body.value;
    Ok(Json(app.handle.confirm_succession(&partner, &predecessor, confirmed).await?))
}
