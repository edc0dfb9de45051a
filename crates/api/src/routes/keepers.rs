//! Sealed copies: which partners keep ours, and whose we keep.

use std::path::PathBuf;

use axum::Json;
use axum::extract::State;
use ortsnetz_node::dto::{AllowRequest, FetchedCopy, Keepers};
use serde::Deserialize;
use utoipa::ToSchema;

use super::status::ServerFile;
use crate::app::App;
use crate::extract::{Json as Body, Path};
use crate::problem::Problem;

/// A partner.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewKeeper {
    /// Name, or id or its beginning.
    partner: String,
}

/// Who keeps sealed copies of ours and when each confirmed it, and whose copies lie here.
#[utoipa::path(get, path = "/keepers", responses((status = 200, body = Keepers)))]
pub(crate) async fn list(State(app): State<App>) -> Result<Json<Keepers>, Problem> {
    Ok(Json(app.handle.keepers().await?))
}

/// Chooses a confirmed partner that is to keep sealed copies of ours; it has to agree there. Needs the root key here.
#[utoipa::path(post, path = "/keepers", request_body = NewKeeper, responses((status = 200, body = Keepers),
    (status = 403, body = Problem), (status = 404, body = Problem), (status = 413, body = Problem)))]
pub(crate) async fn add(State(app): State<App>, body: Body<NewKeeper>) -> Result<Json<Keepers>, Problem> {
    Ok(Json(app.handle.add_keeper(&body.value.partner).await?))
}

/// Sends a partner no copies any more.
#[utoipa::path(delete, path = "/keepers/{partner}", params(("partner" = String, Path, description = "Name, or id or its beginning")),
    responses((status = 200, body = Keepers), (status = 404, body = Problem)))]
pub(crate) async fn remove(State(app): State<App>, Path(partner): Path<String>) -> Result<Json<Keepers>, Problem> {
    Ok(Json(app.handle.remove_keeper(&partner).await?))
}

/// Makes a sealed copy now, if anything is new, and answers when every keeper that is connected has it and proved it, or why
/// not.
#[utoipa::path(post, path = "/keepers/send", responses((status = 200, body = Keepers), (status = 404, body = Problem)))]
pub(crate) async fn send(State(app): State<App>) -> Result<Json<Keepers>, Problem> {
    Ok(Json(app.handle.send_copies().await?))
}

/// Gets the newest sealed copy of ours from the partners that are connected, into a new file on the machine of the node.
#[utoipa::path(post, path = "/keepers/fetch", request_body = ServerFile, responses((status = 200, body = FetchedCopy),
    (status = 409, body = Problem), (status = 504, body = Problem)))]
pub(crate) async fn fetch(State(app): State<App>, body: Body<ServerFile>) -> Result<Json<FetchedCopy>, Problem> {
    let file = PathBuf::from(&body.value.file);
    if !file.is_absolute() {
        return Err(Problem::invalid("file: must be an absolute path on the machine of the node"));
    }
    Ok(Json(app.handle.fetch_copy(file).await?))
}

/// Agrees to keep sealed copies of a confirmed partner, up to so many megabytes.
#[utoipa::path(post, path = "/kept/{partner}", request_body = AllowRequest,
    params(("partner" = String, Path, description = "Name, or id or its beginning")),
    responses((status = 200, body = Keepers), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn allow(
    State(app): State<App>,
    Path(partner): Path<String>,
    body: Body<AllowRequest>,
) -> Result<Json<Keepers>, Problem> {
    Ok(Json(app.handle.allow_kept(&partner, body.value).await?))
}

/// Keeps sealed copies of a partner no more, and deletes those that are here.
#[utoipa::path(delete, path = "/kept/{partner}", params(("partner" = String, Path, description = "Name, or id or its beginning")),
    responses((status = 200, body = Keepers), (status = 404, body = Problem)))]
pub(crate) async fn deny(State(app): State<App>, Path(partner): Path<String>) -> Result<Json<Keepers>, Problem> {
    Ok(Json(app.handle.deny_kept(&partner).await?))
}
