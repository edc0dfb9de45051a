//! Figures of a month, and what is missing.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use ortsnetz_node::dto::{Gaps, Report};
use serde::Deserialize;

use crate::app::App;
use crate::extract::{Params, Path};
use crate::pages;
use crate::problem::Problem;

/// With whom.
#[derive(Debug, Deserialize)]
pub(crate) struct PartnerQuery {
    partner: Option<String>,
}

/// Contacts, first contact, waiting and follow-ups of a month, by partner, topic and channel, against the targets.
///
/// Numbers below 5 are told as `< 5`. Without a telephone system that tells its calls, `accepted` is `not_measured`. No
/// figure is about an agent.
#[utoipa::path(
    get,
    path = "/reports/{month}",
    params(
        ("month" = String, Path, description = "Which", example = "2026-11"),
        ("partner" = Option<String>, Query, description = "Only with this organisation, by name or id"),
    ),
    responses((status = 200, body = Report), (status = 400, body = Problem), (status = 404, body = Problem)),
)]
pub(crate) async fn month(
    State(app): State<App>,
    Path(month): Path<String>,
    Params(query): Params<PartnerQuery>,
) -> Result<Json<Report>, Problem> {
    Ok(Json(app.handle.report(Some(&month), query.partner.as_deref()).await?))
}

/// What is missing: words without a hit, required topics, fees, offices, reviews; what is overdue, and what is there twice.
#[utoipa::path(get, path = "/gaps", responses((status = 200, body = Gaps)))]
pub(crate) async fn gaps(State(app): State<App>) -> Result<Json<Gaps>, Problem> {
    Ok(Json(app.handle.gaps().await?))
}

/// A page about a month, in German, to print: one file that needs nothing else.
#[utoipa::path(
    get,
    path = "/reports/{month}/mayor",
    params(("month" = String, Path, description = "Which", example = "2026-11")),
    responses((status = 200, body = String, content_type = "text/html"), (status = 400, body = Problem)),
)]
pub(crate) async fn mayor(State(app): State<App>, Path(month): Path<String>) -> Result<Response, Problem> {
    let report = app.handle.report(Some(&month), None).await?;
    let gaps = app.handle.gaps().await?;
    let page = pages::mayor(&report, &gaps).into_string();
    Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response())
}
