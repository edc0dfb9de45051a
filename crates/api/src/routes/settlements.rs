//! Months with partners: what they cost, offered, objected to, signed.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use ortsnetz_node::dto::{MonthAnswer, MonthInfo};
use serde::Deserialize;

use crate::app::App;
use crate::extract::{Json as Given, Params, Path};
use crate::problem::Problem;

/// With whom.
#[derive(Debug, Deserialize)]
pub(crate) struct PartnerQuery {
    partner: Option<String>,
}

/// Every month with a partner that has contacts or was offered, the newest first.
#[utoipa::path(
    get,
    path = "/settlements",
    params(("partner" = Option<String>, Query, description = "Only with this organisation, by name or id")),
    responses((status = 200, body = Vec<MonthInfo>), (status = 404, body = Problem), (status = 409, body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    Params(query): Params<PartnerQuery>,
) -> Result<Json<Vec<MonthInfo>>, Problem> {
    Ok(Json(app.handle.settlements(query.partner.as_deref()).await?))
}

/// Which of both directions.
#[derive(Debug, Deserialize)]
pub(crate) struct DirectionQuery {
    we_answer: Option<bool>,
}

/// How a month stands; of one that is open, what it would cost so far.
#[utoipa::path(
    get,
    path = "/settlements/{partner}/{month}",
    params(
        ("partner" = String, Path, description = "Name or id", example = "Siegburg"),
        ("month" = String, Path, description = "Which", example = "2026-11"),
        ("we_answer" = Option<bool>, Query, description = "Who answers; needed only where both do"),
    ),
    responses((status = 200, body = MonthInfo), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    Path((partner, month)): Path<(String, String)>,
    Params(query): Params<DirectionQuery>,
) -> Result<Json<MonthInfo>, Problem> {
    Ok(Json(app.handle.settlement(&partner, &month, query.we_answer).await?))
}

/// Offers a month that is over, signed, with everything that was recorded so far.
#[utoipa::path(
    post,
    path = "/settlements/{partner}/{month}/propose",
    params(
        ("partner" = String, Path, description = "Name or id", example = "Siegburg"),
        ("month" = String, Path, description = "Which", example = "2026-11"),
    ),
    responses((status = 200, body = MonthInfo), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)),
)]
pub(crate) async fn propose(
    State(app): State<App>,
    Path((partner, month)): Path<(String, String)>,
) -> Result<Json<MonthInfo>, Problem> {
    Ok(Json(app.handle.propose_month(&partner, &month).await?))
}

/// Objects to lines of what is offered.
#[utoipa::path(
    post,
    path = "/settlements/{partner}/{month}/object",
    params(
        ("partner" = String, Path, description = "Name or id", example = "Siegburg"),
        ("month" = String, Path, description = "Which", example = "2026-11"),
    ),
    request_body(content = MonthAnswer, example = json!({"contacts": ["3f9a01c2"], "reason": "nicht für uns"})),
    responses((status = 200, body = MonthInfo), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)),
)]
pub(crate) async fn object(
    State(app): State<App>,
    Path((partner, month)): Path<(String, String)>,
    body: Given<MonthAnswer>,
) -> Result<Json<MonthInfo>, Problem> {
    let MonthAnswer { contacts, reason } = body.value;
    if contacts.is_empty() {
        return Err(Problem::invalid("contacts: are missing; name the lines"));
    }
    Ok(Json(app.handle.object_month(&partner, &month, contacts, reason.as_deref().unwrap_or_default()).await?))
}

/// Answers objections, all that wait if none is named: with a reason the lines are kept, without one the contacts are reversed.
///
/// What was reversed is left out of the next offer.
#[utoipa::path(
    post,
    path = "/settlements/{partner}/{month}/answer",
    params(
        ("partner" = String, Path, description = "Name or id", example = "Siegburg"),
        ("month" = String, Path, description = "Which", example = "2026-11"),
    ),
    request_body(content = MonthAnswer, example = json!({"contacts": ["3f9a01c2"], "reason": "war für Sie"})),
    responses((status = 200, body = MonthInfo), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)),
)]
pub(crate) async fn answer(
    State(app): State<App>,
    Path((partner, month)): Path<(String, String)>,
    body: Given<MonthAnswer>,
) -> Result<Json<MonthInfo>, Problem> {
    let MonthAnswer { contacts, reason } = body.value;
    Ok(Json(app.handle.answer_month(&partner, &month, contacts, reason.as_deref()).await?))
}

/// Signs what is offered, if everything it counts is here and comes out the same; the month is closed then.
#[utoipa::path(
    post,
    path = "/settlements/{partner}/{month}/sign",
    params(
        ("partner" = String, Path, description = "Name or id", example = "Siegburg"),
        ("month" = String, Path, description = "Which", example = "2026-11"),
    ),
    responses((status = 200, body = MonthInfo), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)),
)]
pub(crate) async fn sign(
    State(app): State<App>,
    Path((partner, month)): Path<(String, String)>,
) -> Result<Json<MonthInfo>, Problem> {
    Ok(Json(app.handle.sign_month(&partner, &month).await?))
}

/// In which form.
#[derive(Debug, Deserialize)]
pub(crate) struct ExportQuery {
    format: Option<String>,
    we_answer: Option<bool>,
}

/// What is closed, else what is offered: the table as CSV (the same bytes on both sides), the records as JSON (for
/// `docs/settlement.py`), or a page as PDF.
#[utoipa::path(
    get,
    path = "/settlements/{partner}/{month}/export",
    params(
        ("partner" = String, Path, description = "Name or id", example = "Siegburg"),
        ("month" = String, Path, description = "Which", example = "2026-11"),
        ("format" = Option<String>, Query, description = "`csv` (if absent), `json` or `pdf`"),
        ("we_answer" = Option<bool>, Query, description = "Who answers; needed only where both do"),
    ),
    responses((status = 200, body = String, content_type = "text/csv"), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)),
)]
pub(crate) async fn export(
    State(app): State<App>,
    Path((partner, month)): Path<(String, String)>,
    Params(query): Params<ExportQuery>,
) -> Result<Response, Problem> {
    let format = query.format.as_deref().unwrap_or("csv");
    let bytes = app.handle.export_month(&partner, &month, query.we_answer, format).await?;
    let kind = match format {
        "json" => "application/json",
        "pdf" => "application/pdf",
        _ => "text/csv; charset=utf-8",
    };
    Ok(([(header::CONTENT_TYPE, kind)], bytes).into_response())
}
