//! Extractors whose refusals are problem documents.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// The query of the address.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(value) = Query::<T>::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// A piece of the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let axum::extract::Path(value) = axum::extract::Path::<T>::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// A JSON body with its media type (lower case, without parameters; empty if none was given).
pub(crate) struct Json<T> {
    pub(crate) media_type: String,
    pub(crate) value: T,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let media_type = media_type(request.headers());
        if !(media_type.is_empty() || media_type == "application/json" || media_type.ends_with("+json")) {
            return Err(Problem::new(
                axum::http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media-type",
                "Unsupported media type",
                format!("the body is {media_type}; send application/json"),
            ));
        }
        let bytes = Bytes::from_request(request, state).await?;
        let value = from_json(&bytes)?;
        Ok(Self { media_type, value })
    }
}

/// The value in these bytes of JSON.
pub(crate) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| Problem::invalid(format!("body: {error}")))
}

/// The media type of a body, lower case and without parameters; empty if there is none.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::BODY_BYTES_MAX;
    use axum::body::Body;
    use axum::extract::DefaultBodyLimit;
    use axum::http::StatusCode;
    use axum::routing::{get, post};
    use serde_json::Value;
    use tower::ServiceExt as _;

    async fn status_of(request: Request) -> StatusCode {
        async fn body(json: Json<Value>) -> String {
            json.media_type
        }
        async fn query(Params(_): Params<ortsnetz_node::dto::SearchRequest>) {}
        let router = axum::Router::new()
            .route("/", post(body))
            .route("/search", get(query))
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
        router.oneshot(request).await.expect("never fails").status()
    }

    fn post_of(media_type: &str, body: String) -> Request {
        Request::post("/").header(header::CONTENT_TYPE, media_type).body(Body::from(body)).expect("valid")
    }

    #[tokio::test]
    async fn a_body_may_have_exactly_the_limit() {
        let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
        assert_eq!(status_of(post_of("application/json", text(BODY_BYTES_MAX))).await, StatusCode::OK);
        let over = status_of(post_of("application/json", text(BODY_BYTES_MAX + 1))).await;
        assert_eq!(over, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn only_json_is_taken() {
        assert_eq!(status_of(post_of("application/merge-patch+json", "{}".into())).await, StatusCode::OK);
        assert_eq!(status_of(post_of("text/plain", "{}".into())).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(status_of(post_of("application/json", "{".into())).await, StatusCode::BAD_REQUEST);
    }

    #[tokio::test]
    async fn a_query_is_typed() {
        let request = |query: &str| Request::get(format!("/search?{query}")).body(Body::empty()).expect("valid");
        assert_eq!(status_of(request("q=pass&limit=5&typing=true")).await, StatusCode::OK);
        assert_eq!(status_of(request("q=pass&limit=many")).await, StatusCode::BAD_REQUEST);
    }
}
