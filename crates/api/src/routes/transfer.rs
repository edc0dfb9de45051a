//! Whole files in and out, streamed: no length is too long.

use std::io::Write as _;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64URL_NOPAD;
use futures::StreamExt as _;
use ortsnetz_node::NodeError;
use ortsnetz_node::dto::{ExportRequest, ImportReport, ImportRequest};
use tokio::sync::OwnedSemaphorePermit;
use tokio_stream::wrappers::ReceiverStream;

use crate::HEADER_MAPPING;
use crate::app::App;
use crate::extract::Params;
use crate::limits::MAPPING_BYTES_MAX;
use crate::problem::Problem;
use crate::stream::{BodyReader, BodyWriter};

/// Imports the body, record by record. What is wrong is rejected by line, the rest is taken in.
#[utoipa::path(
    post,
    path = "/imports",
    params(
        ("file" = Option<String>, Query, description = "File name, for messages and to tell the format"),
        ("format" = Option<String>, Query, description = "`auto`, `jsonl`, `dldb`, `csv`"),
        ("collection" = Option<String>, Query, description = "Overrides the collection of the lines"),
        ("valid_for" = Option<String>, Query, description = "ARS for entries without a place of their own"),
        ("publish" = Option<bool>, Query, description = "Publish what was imported"),
        ("dry_run" = Option<bool>, Query, description = "Write nothing"),
        ("ortsnetz-mapping" = Option<String>, Header, description = "CSV mapping (TOML) as base64url without padding"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = ImportReport), (status = 400, body = Problem), (status = 503, body = Problem)),
)]
pub(crate) async fn import(
    State(app): State<App>,
    Params(mut request): Params<ImportRequest>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ImportReport>, Problem> {
    if request.format.is_empty() {
        request.format = "auto".into();
    }
    if request.file.is_empty() {
        request.file = "body".into();
    }
    if let Some(mapping) = headers.get(HEADER_MAPPING) {
        request.mapping = Some(mapping_of(mapping.as_bytes())?);
    }
    let report = blocking(&app, body, move |app, body| app.handle.import(&request, body)).await?;
    Ok(Json(report))
}

/// The TOML text in the header.
pub(super) fn mapping_of(header: &[u8]) -> Result<String, Problem> {
    if header.len() > MAPPING_BYTES_MAX {
        return Err(Problem::too_large(format!("{HEADER_MAPPING}: larger than {MAPPING_BYTES_MAX} bytes")));
    }
    let bytes = BASE64URL_NOPAD.decode(header).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| Problem::invalid(format!("{HEADER_MAPPING}: must be TOML text as base64url without padding")))
}

/// Runs something that reads the body on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(
    app: &App,
    body: Body,
    work: impl FnOnce(&App, &mut BodyReader) -> Result<T, NodeError> + Send + 'static,
) -> Result<T, Problem> {
    let permit = transfer(app)?;
    let mut reader = BodyReader::new(body);
    let app = app.clone();
    let result = tokio::task::spawn_blocking(move || {
        let _counted = permit;
        work(&app, &mut reader)
    });
    Ok(result.await.map_err(|_| Problem::unavailable("the import stopped unexpectedly; the log says why"))??)
}

/// The published entries of an organisation as a file.
#[utoipa::path(
    get,
    path = "/exports",
    params(
        ("format" = Option<String>, Query, description = "`jsonl` or `csv`"),
        ("organisation" = Option<String>, Query, description = "Id or name; ours if absent"),
        ("companions" = Option<bool>, Query, description = "With companions"),
        ("drafts" = Option<bool>, Query, description = "Our own as they are being edited, also those never published"),
    ),
    responses((status = 200, body = String, content_type = "application/x-ndjson"), (status = 404, body = Problem)),
)]
pub(crate) async fn export(
    State(app): State<App>,
    Params(mut request): Params<ExportRequest>,
) -> Result<Response, Problem> {
    if request.format.is_empty() {
        request.format = "jsonl".into();
    }
    let content_type = if request.format == "csv" { "text/csv; charset=utf-8" } else { "application/x-ndjson" };
    let permit = transfer(&app)?;
    let (mut writer, mut pieces) = BodyWriter::new();
    let work = tokio::task::spawn_blocking(move || {
        let _counted = permit;
        let result = app.handle.export(&request, &mut writer);
        match result {
            Ok(_) => {
                // A receiver that has gone needs no last piece.
                let _ = writer.flush();
                Ok(())
            }
            Err(error) => {
                writer.fail(std::io::Error::other(error.to_string()));
                Err(error)
            }
        }
    });
    // What fails before the first piece can still be told as a problem; later only by breaking off.
    match pieces.recv().await {
        Some(Ok(first)) => {
            let first = futures::stream::once(async move { Ok::<Bytes, std::io::Error>(first) });
            let body = Body::from_stream(first.chain(ReceiverStream::new(pieces)));
            Ok(([(header::CONTENT_TYPE, content_type)], body).into_response())
        }
        Some(Err(_)) | None => {
            work.await.map_err(|_| Problem::unavailable("the export stopped unexpectedly; the log says why"))??;
            Ok(([(header::CONTENT_TYPE, content_type)], Body::empty()).into_response())
        }
    }
}

fn transfer(app: &App) -> Result<OwnedSemaphorePermit, Problem> {
    app.transfers
        .clone()
        .try_acquire_owned()
        .map_err(|_| Problem::unavailable("too many imports and exports at once; try again when one is done"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_travels_in_a_header() {
        let text = "kind = \"service\"\n# Gebühr\n";
        assert_eq!(mapping_of(BASE64URL_NOPAD.encode(text.as_bytes()).as_bytes()), Ok(text.to_owned()));
        assert!(mapping_of(b"kind = 1").is_err());
        let at = vec![b'A'; MAPPING_BYTES_MAX];
        assert!(mapping_of(&at).is_ok());
        let over = mapping_of(&vec![b'A'; MAPPING_BYTES_MAX + 4]).expect_err("too large");
        assert_eq!(over.status, 413);
    }
}
