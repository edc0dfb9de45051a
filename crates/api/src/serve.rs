//! The whole of it as one router, and running it.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use ortsnetz_node::Handle;
use tokio::net::TcpListener;

use crate::app::{ApiConfig, App};
use crate::limits::{BODY_BYTES_MAX, STOP_MS_MAX};
use crate::openapi::{PREFIX, described};
use crate::problem::Problem;
use crate::{guard, metrics, pages};

/// Everything the node answers over HTTP.
pub fn router(handle: Handle, config: ApiConfig) -> Router {
    let app = App::new(handle, config);
    let (api, description) = described();
    let api = api
        .route_layer(from_fn_with_state(app.clone(), guard::with_token))
        .route(&format!("{PREFIX}/openapi.json"), get(move || async move { Json(description) }))
        .route(&format!("{PREFIX}/{{*rest}}"), axum::routing::any(no_such_resource));
    let numbers = Router::new()
        .route("/metrics", get(numbers))
        .route_layer(from_fn_with_state(app.clone(), guard::with_token_or_local));
    Router::new()
        .merge(api)
        .merge(numbers)
        .merge(pages::routes())
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .fallback(pages::no_such_page)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(app.clone(), guard::known_host))
        .layer(from_fn(guard::security_headers))
        .with_state(app)
}

/// Answers requests until `stop` is done, then lets open ones finish for a few seconds.
///
/// # Errors
/// Those of the listener.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (stopped, mut stopping) = tokio::sync::watch::channel(());
    let signal = async move {
        stop.await;
        stopped.send_replace(());
    };
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(signal).into_future();
    let patience = async {
        // The sender lives in `signal`: an error means it is done as well.
        let _ = stopping.changed().await;
        tokio::time::sleep(Duration::from_millis(STOP_MS_MAX)).await;
    };
    tokio::select! {
        result = server => result,
        () = patience => Ok(()),
    }
}

async fn ready(State(app): State<App>) -> Response {
    if app.handle.ready() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, "not ready: the store is being opened or the index rebuilt\n").into_response()
}

async fn numbers(State(app): State<App>) -> Response {
    // Collecting them waits for the engine, which may need this very thread.
    let collected = tokio::task::spawn_blocking(move || app.handle.metrics()).await;
    let Ok(collected) = collected else {
        return Problem::unavailable("the numbers could not be collected; the log says why").into_response();
    };
    let text = metrics::render(&collected);
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response()
}

async fn no_such_resource() -> Problem {
    let detail = format!("no such resource; {PREFIX}/openapi.json lists all");
    Problem::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
}

async fn no_such_method() -> Problem {
    let detail = format!("this resource does not know the method; {PREFIX}/openapi.json lists all");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "Method not allowed", detail)
}
