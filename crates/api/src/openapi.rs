//! The description of the API, made from the code that answers.

use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi as _};
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::routes;

/// Where the API lies.
pub(crate) const PREFIX: &str = "/api/v1";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Ortsnetz",
        description = "Everything a person or program can ask of a running node. Errors are problem documents \
                       (RFC 9457). Times are RFC 3339, dates ISO 8601, money is integer cents.",
        license(name = "EUPL-1.2", identifier = "EUPL-1.2")
    ),
    security(("token" = [])),
    modifiers(&Token),
    components(schemas(ortsnetz_node::dto::EventInfo, crate::Problem)),
)]
struct Description;

struct Token;

impl Modify for Token {
    fn modify(&self, openapi: &mut OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        openapi.components.get_or_insert_default().add_security_scheme("token", scheme);
    }
}

/// The routes under [`PREFIX`] and their description.
pub(crate) fn described() -> (axum::Router<App>, OpenApi) {
    OpenApiRouter::with_openapi(Description::openapi()).nest(PREFIX, routes::all()).split_for_parts()
}

/// The OpenAPI description that `/api/v1/openapi.json` answers with.
pub fn document() -> OpenApi {
    described().1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_is_described() {
        let json = serde_json::to_value(document()).expect("plain data");
        let paths = json["paths"].as_object().expect("paths");
        for (path, method) in [
            ("/status", "get"),
            ("/doctor", "get"),
            ("/search", "get"),
            ("/answers", "get"),
            ("/notices", "get"),
            ("/agreements", "get"),
            ("/agreements", "post"),
            ("/agreements/{id}", "get"),
            ("/agreements/{id}/sign", "post"),
            ("/agreements/{id}/decline", "post"),
            ("/agreements/{id}/end", "post"),
            ("/feedback", "get"),
            ("/feedback", "post"),
            ("/feedback/{id}", "get"),
            ("/feedback/{id}/answer", "post"),
            ("/feedback/{id}/withdraw", "post"),
            ("/proposals", "get"),
            ("/proposals", "post"),
            ("/proposals/{id}", "get"),
            ("/proposals/{id}/decide", "post"),
            ("/proposals/{id}/withdraw", "post"),
            ("/tasks", "get"),
            ("/mail", "get"),
            ("/mail/test", "post"),
            ("/entries/{id}/confirm", "post"),
            ("/entries/{id}/source", "get"),
            ("/entries/{id}/source", "post"),
            ("/contacts", "get"),
            ("/contacts", "post"),
            ("/contacts/undo", "post"),
            ("/contacts/{id}/reverse", "post"),
            ("/follow-ups", "get"),
            ("/follow-ups/{number}/done", "post"),
            ("/calls", "post"),
            ("/calls/import", "post"),
            ("/reports/{month}", "get"),
            ("/reports/{month}/mayor", "get"),
            ("/gaps", "get"),
            ("/settlements", "get"),
            ("/settlements/{partner}/{month}", "get"),
            ("/settlements/{partner}/{month}/propose", "post"),
            ("/settlements/{partner}/{month}/object", "post"),
            ("/settlements/{partner}/{month}/answer", "post"),
            ("/settlements/{partner}/{month}/sign", "post"),
            ("/settlements/{partner}/{month}/export", "get"),
            ("/places", "get"),
            ("/places/table", "get"),
            ("/places/{place}", "get"),
            ("/places/import", "post"),
            ("/entries", "get"),
            ("/entries", "post"),
            ("/entries/{id}", "get"),
            ("/entries/{id}", "patch"),
            ("/entries/{id}/history", "get"),
            ("/entries/{id}/receipt", "get"),
            ("/entries/{id}/publish", "post"),
            ("/entries/{id}/withdraw", "post"),
            ("/entries/{id}/redact", "post"),
            ("/entries/{id}/redaction", "get"),
            ("/entries/{id}/undo", "post"),
            ("/entries/{id}/move", "post"),
            ("/entries/{id}/adopt", "post"),
            ("/entries/{id}/resolve", "post"),
            ("/publish", "post"),
            ("/conflicts", "get"),
            ("/partners", "get"),
            ("/partners/{partner}", "get"),
            ("/partners/{partner}", "delete"),
            ("/partners/{partner}/confirm", "post"),
            ("/collections", "get"),
            ("/collections", "post"),
            ("/collections/{collection}", "get"),
            ("/collections/{collection}", "patch"),
            ("/collections/{collection}/grant", "post"),
            ("/collections/{collection}/narrow", "post"),
            ("/collections/{collection}/end", "post"),
            ("/seen-by/{organisation}", "get"),
            ("/compare/{partner}", "get"),
            ("/invitations", "post"),
            ("/joins", "post"),
            ("/publisher", "get"),
            ("/publisher/take", "post"),
            ("/identity/sheet/check", "post"),
            ("/imports", "post"),
            ("/exports", "get"),
            ("/store/check", "post"),
            ("/store/export", "post"),
            ("/store/compact", "post"),
            ("/events", "get"),
        ] {
            assert!(paths[&format!("{PREFIX}{path}")][method].is_object(), "{method} {path}");
        }
        assert!(json["components"]["schemas"]["Problem"].is_object());
        assert!(json["components"]["securitySchemes"]["token"].is_object());
    }
}
