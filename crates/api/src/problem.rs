//! Errors as RFC 9457 problem documents.

use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ortsnetz_node::NodeError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What went wrong: a problem document (RFC 9457), sent as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:ortsnetz:problem:` and a stable word: `invalid`, `unreadable`, `not-found`, `conflict`, `precondition`, `forbidden`,
    /// `too-large`, `unreachable`, `unavailable`, `unauthorized`, ...
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for all problems of this type.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// One line that says what, where and what to do next.
    pub detail: String,
}

impl Problem {
    /// A problem with this status, word, title and line.
    pub fn new(status: StatusCode, word: &str, title: &str, detail: impl Into<String>) -> Self {
        let kind = format!("urn:ortsnetz:problem:{word}");
        Self { kind, title: title.into(), status: status.as_u16(), detail: detail.into() }
    }

    /// The request makes no sense.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", "Invalid request", detail)
    }

    /// Something given is larger than allowed.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large", detail)
    }

    /// Too much at the same time, or stopping.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable", detail)
    }

    /// The stable word at the end of the type.
    pub fn word(&self) -> &str {
        self.kind.rsplit(':').next().unwrap_or_default()
    }
}

impl From<NodeError> for Problem {
    fn from(error: NodeError) -> Self {
        let (status, word, title) = match &error {
            NodeError::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid", "Invalid request"),
            NodeError::Unreadable(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unreadable", "File not readable"),
            NodeError::NotFound(_) => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            NodeError::Conflict(_) => (StatusCode::CONFLICT, "conflict", "Conflict"),
            NodeError::Precondition(_) => (StatusCode::PRECONDITION_FAILED, "precondition", "Changed meanwhile"),
            NodeError::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden", "Not allowed here"),
            NodeError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large"),
            NodeError::Unreachable(_) => (StatusCode::GATEWAY_TIMEOUT, "unreachable", "Partner not reachable"),
            NodeError::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable"),
        };
        Self::new(status, word, title, error.to_string())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::invalid(format!("query: {}", one_line(&rejection.body_text())))
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::invalid(format!("path: {}", one_line(&rejection.body_text())))
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::too_large(format!("the body is larger than {} bytes", crate::limits::BODY_BYTES_MAX));
        }
        Self::invalid(format!("body: {}", one_line(&rejection.body_text())))
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_error_has_its_status_and_keeps_its_line() {
        let text = "no entry 00ff; `ortsnetz search` finds entries by words".to_owned();
        for (error, status) in [
            (NodeError::Invalid(text.clone()), 400),
            (NodeError::Unreadable(text.clone()), 422),
            (NodeError::NotFound(text.clone()), 404),
            (NodeError::Conflict(text.clone()), 409),
            (NodeError::Precondition(text.clone()), 412),
            (NodeError::Forbidden(text.clone()), 403),
            (NodeError::TooLarge(text.clone()), 413),
            (NodeError::Unreachable(text.clone()), 504),
            (NodeError::Unavailable(text.clone()), 503),
        ] {
            let problem = Problem::from(error);
            assert_eq!(problem.status, status);
            assert_eq!(problem.detail, text);
            assert!(problem.kind.starts_with("urn:ortsnetz:problem:"), "{}", problem.kind);
        }
    }

    #[test]
    fn a_problem_is_sent_as_problem_json() {
        let response = Problem::invalid("x").into_response();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    }
}
