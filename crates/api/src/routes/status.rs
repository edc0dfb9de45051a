//! How the node is: status, doctor, publisher, recovery sheet, store.

use std::path::PathBuf;

use axum::Json;
use axum::extract::State;
use ortsnetz_node::dto::{BackedUp, BackupRequest, Doctor, PublisherInfo, Rotated, SheetText, Status, StoreCheck};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::extract::Json as Body;
use crate::problem::Problem;

/// Done; there is nothing more to say.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Done {
    /// Always true.
    ok: bool,
}

impl Done {
    pub(crate) const OK: Json<Self> = Json(Self { ok: true });
}

/// The organisation, this node, its partners, entries, alarms and tasks.
#[utoipa::path(get, path = "/status", responses((status = 200, body = Status)))]
pub(crate) async fn status(State(app): State<App>) -> Result<Json<Status>, Problem> {
    Ok(Json(app.handle.status().await?))
}

/// Looks at everything that commonly goes wrong.
#[utoipa::path(get, path = "/doctor", responses((status = 200, body = Doctor)))]
pub(crate) async fn doctor(State(app): State<App>) -> Result<Json<Doctor>, Problem> {
    Ok(Json(app.handle.doctor().await?))
}

/// Which node publishes.
#[utoipa::path(get, path = "/publisher", responses((status = 200, body = PublisherInfo)))]
pub(crate) async fn publisher(State(app): State<App>) -> Result<Json<PublisherInfo>, Problem> {
    Ok(Json(app.handle.publisher().await?))
}

/// Makes this node the publisher; needs the root key here.
#[utoipa::path(post, path = "/publisher/take", responses((status = 200, body = PublisherInfo), (status = 403, body = Problem)))]
pub(crate) async fn take_publisher(State(app): State<App>) -> Result<Json<PublisherInfo>, Problem> {
    Ok(Json(app.handle.take_publisher().await?))
}

/// A recovery sheet as it was read back.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Sheet {
    /// Text of the sheet.
    sheet: String,
    /// What opens it.
    passphrase: String,
}

/// Proves that the recovery sheet and its passphrase open.
#[utoipa::path(post, path = "/identity/sheet/check", request_body = Sheet, responses((status = 200, body = Done), (status = 400, body = Problem)))]
pub(crate) async fn check_sheet(State(app): State<App>, body: Body<Sheet>) -> Result<Json<Done>, Problem> {
    app.handle.check_recovery_sheet(&body.value.sheet, &body.value.passphrase).await?;
    Ok(Done::OK)
}

/// The recovery sheet with the partners of today; the encrypted block stays as it is.
#[utoipa::path(post, path = "/identity/sheet", responses((status = 200, body = SheetText), (status = 404, body = Problem)))]
pub(crate) async fn write_sheet(State(app): State<App>) -> Result<Json<SheetText>, Problem> {
    Ok(Json(app.handle.recovery_sheet().await?))
}

/// A new root key with a new recovery sheet; partners follow by themselves. Needs the root key here.
#[utoipa::path(post, path = "/identity/rotate", responses((status = 200, body = Rotated), (status = 403, body = Problem),
    (status = 409, body = Problem)))]
pub(crate) async fn rotate(State(app): State<App>) -> Result<Json<Rotated>, Problem> {
    Ok(Json(app.handle.rotate_root().await?))
}

/// Reads the whole store and recomputes every checksum.
#[utoipa::path(post, path = "/store/check", responses((status = 200, body = StoreCheck)))]
pub(crate) async fn store_check(State(app): State<App>) -> Result<Json<StoreCheck>, Problem> {
    Ok(Json(app.handle.store_check().await?))
}

/// A file on the machine of the node.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ServerFile {
    /// Its absolute path.
    pub(crate) file: String,
}

/// Writes the whole store to a file on the machine of the node, beside the running node.
#[utoipa::path(post, path = "/store/export", request_body = ServerFile, responses((status = 200, body = Done)))]
pub(crate) async fn store_export(State(app): State<App>, body: Body<ServerFile>) -> Result<Json<Done>, Problem> {
    let file = PathBuf::from(&body.value.file);
    if !file.is_absolute() {
        return Err(Problem::invalid("file: must be an absolute path on the machine of the node"));
    }
    app.handle.store_export(file).await?;
    Ok(Done::OK)
}

/// Writes the whole store as of one moment to a new file on the machine of the node, encrypted, and reads it back.
#[utoipa::path(post, path = "/backup", request_body = BackupRequest, responses((status = 200, body = BackedUp),
    (status = 400, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn backup(State(app): State<App>, body: Body<BackupRequest>) -> Result<Json<BackedUp>, Problem> {
    if !PathBuf::from(&body.value.file).is_absolute() {
        return Err(Problem::invalid("file: must be an absolute path on the machine of the node"));
    }
    Ok(Json(app.handle.backup(body.value).await?))
}

/// What a compaction saved.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Compacted {
    ok: bool,
    /// Size of the store before, in bytes.
    bytes_before: u64,
    /// Size of the store after, in bytes.
    bytes_after: u64,
}

/// Rewrites the store without what is no longer needed.
#[utoipa::path(post, path = "/store/compact", responses((status = 200, body = Compacted)))]
pub(crate) async fn store_compact(State(app): State<App>) -> Result<Json<Compacted>, Problem> {
    let (bytes_before, bytes_after) = app.handle.store_compact().await?;
    Ok(Json(Compacted { ok: true, bytes_before, bytes_after }))
}
