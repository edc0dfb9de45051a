//! Collections: what they are called, who reads them, how they end, and what somebody can see of ours.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ortsnetz_node::dto::{
    CollectionChange, CollectionEnd, CollectionInfo, Follow, NewCollection, ReadableCollection, SeenBy,
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::extract::{Json as Body, Params, Path};
use crate::problem::Problem;

/// All own collections, with their readers.
#[utoipa::path(get, path = "/collections", responses((status = 200, body = Vec<CollectionInfo>)))]
pub(crate) async fn list(State(app): State<App>) -> Result<Json<Vec<CollectionInfo>>, Problem> {
    Ok(Json(app.handle.collections().await?))
}

/// Makes a collection. Its readers are confirmed partners.
#[utoipa::path(
    post,
    path = "/collections",
    request_body = NewCollection,
    responses(
        (status = 201, body = CollectionInfo),
        (status = 403, body = Problem, description = "Not an admin node, or a reader that is no confirmed partner"),
        (status = 409, body = Problem, description = "The name is or was in use"),
        (status = 413, body = Problem, description = "As many collections or readers as there can be"),
    ),
)]
pub(crate) async fn create(
    State(app): State<App>,
    body: Body<NewCollection>,
) -> Result<(StatusCode, Json<CollectionInfo>), Problem> {
    Ok((StatusCode::CREATED, Json(app.handle.create_collection(body.value).await?)))
}

/// One collection.
#[utoipa::path(
    get,
    path = "/collections/{collection}",
    params(("collection" = String, Path, description = "Name, or id or its beginning")),
    responses((status = 200, body = CollectionInfo), (status = 404, body = Problem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    Path(collection): Path<String>,
) -> Result<Json<CollectionInfo>, Problem> {
    Ok(Json(app.handle.collection(&collection).await?))
}

/// Renames a collection, or says whether readers may pass it on.
#[utoipa::path(
    patch,
    path = "/collections/{collection}",
    params(("collection" = String, Path, description = "Name, or id or its beginning")),
    request_body = CollectionChange,
    responses(
        (status = 200, body = CollectionInfo),
        (status = 404, body = Problem),
        (status = 409, body = Problem, description = "Fixed, or the name is in use"),
    ),
)]
pub(crate) async fn change(
    State(app): State<App>,
    Path(collection): Path<String>,
    body: Body<CollectionChange>,
) -> Result<Json<CollectionInfo>, Problem> {
    Ok(Json(app.handle.change_collection(&collection, body.value).await?))
}

/// Organisations by name or id.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Readers {
    /// Names, or ids or their beginnings.
    organisations: Vec<String>,
}

/// Lets confirmed partners read a collection: all that is in it, and what comes.
#[utoipa::path(
    post,
    path = "/collections/{collection}/grant",
    params(("collection" = String, Path, description = "Name, or id or its beginning")),
    request_body = Readers,
    responses(
        (status = 200, body = CollectionInfo),
        (status = 403, body = Problem, description = "No confirmed partner"),
        (status = 404, body = Problem),
        (status = 409, body = Problem, description = "The list of this collection is not kept by hand, or it has ended"),
        (status = 413, body = Problem, description = "More readers than a list can name"),
    ),
)]
pub(crate) async fn grant(
    State(app): State<App>,
    Path(collection): Path<String>,
    body: Body<Readers>,
) -> Result<Json<CollectionInfo>, Problem> {
    Ok(Json(app.handle.grant_collection(&collection, body.value.organisations).await?))
}

/// Takes readers off the list. They are told, keep what they have, and get nothing new; it cannot be unread.
#[utoipa::path(
    post,
    path = "/collections/{collection}/narrow",
    params(("collection" = String, Path, description = "Name, or id or its beginning")),
    request_body = Readers,
    responses((status = 200, body = CollectionInfo), (status = 404, body = Problem), (status = 409, body = Problem)),
)]
pub(crate) async fn narrow(
    State(app): State<App>,
    Path(collection): Path<String>,
    body: Body<Readers>,
) -> Result<Json<CollectionInfo>, Problem> {
    Ok(Json(app.handle.narrow_collection(&collection, body.value.organisations).await?))
}

/// Ends a collection. Refused while anything is published in it, unless that is withdrawn or moved.
#[utoipa::path(
    post,
    path = "/collections/{collection}/end",
    params(("collection" = String, Path, description = "Name, or id or its beginning")),
    request_body = CollectionEnd,
    responses((status = 200, body = CollectionInfo), (status = 404, body = Problem), (status = 409, body = Problem)),
)]
pub(crate) async fn end(
    State(app): State<App>,
    Path(collection): Path<String>,
    body: Body<CollectionEnd>,
) -> Result<Json<CollectionInfo>, Problem> {
    Ok(Json(app.handle.end_collection(&collection, body.value).await?))
}

/// Everything of ours that an organisation can see, or could once, and who may pass it on to it.
#[utoipa::path(
    get,
    path = "/seen-by/{organisation}",
    params(("organisation" = String, Path, description = "Name, or id or its beginning; need not be a partner")),
    responses((status = 200, body = SeenBy), (status = 404, body = Problem)),
)]
pub(crate) async fn seen_by(State(app): State<App>, Path(organisation): Path<String>) -> Result<Json<SeenBy>, Problem> {
    Ok(Json(app.handle.seen_by(&organisation).await?))
}

/// Whose collections to list.
#[derive(Debug, Deserialize)]
pub(crate) struct Whose {
    organisation: Option<String>,
}

/// Collections of others that this organisation may read, and whether a copy is kept on this node.
#[utoipa::path(
    get,
    path = "/readable",
    params(("organisation" = Option<String>, Query, description = "Only of this one: name, or id or its beginning")),
    responses((status = 200, body = Vec<ReadableCollection>), (status = 404, body = Problem)),
)]
pub(crate) async fn readable(
    State(app): State<App>,
    Params(whose): Params<Whose>,
) -> Result<Json<Vec<ReadableCollection>>, Problem> {
    Ok(Json(app.handle.readable_collections(whose.organisation.as_deref()).await?))
}

/// Keeps a copy of somebody else's collection on this node, asks its owner while somebody searches, or neither. A copy that is not
/// kept any more is deleted; one that is kept again comes from the partners.
#[utoipa::path(
    put,
    path = "/readable/{organisation}/{collection}",
    params(
        ("organisation" = String, Path, description = "Name, or id or its beginning"),
        ("collection" = String, Path, description = "Name, or id or its beginning"),
    ),
    request_body = Follow,
    responses(
        (status = 200, body = ReadableCollection),
        (status = 404, body = Problem),
        (status = 409, body = Problem, description = "The collection of a partnership is always kept"),
    ),
)]
pub(crate) async fn follow(
    State(app): State<App>,
    Path((organisation, collection)): Path<(String, String)>,
    body: Body<Follow>,
) -> Result<Json<ReadableCollection>, Problem> {
    Ok(Json(app.handle.follow_collection(&organisation, &collection, &body.value.how).await?))
}
