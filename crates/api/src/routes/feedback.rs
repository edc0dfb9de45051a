//! Error reports about entries, and the list of what is to be done.

use axum::Json;
use axum::extract::State;
use ortsnetz_node::dto::{
    FeedbackAnswer, FeedbackInfo, FeedbackRequest, MailReport, MailTest, MailTried, NewFeedback, Published, TaskList,
    TasksRequest,
};

use crate::app::App;
use crate::extract::{Json as Body, Params, Path};
use crate::problem::Problem;

/// Reports that nobody has settled, newest first.
#[utoipa::path(
    get,
    path = "/feedback",
    params(
        ("all" = Option<bool>, Query, description = "Settled ones too"),
        ("entry" = Option<String>, Query, description = "Only about this entry: id or its beginning"),
        ("partner" = Option<String>, Query, description = "Only with this partner: name, or id or its beginning"),
    ),
    responses((status = 200, body = Vec<FeedbackInfo>), (status = 400, body = Problem), (status = 404, body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    Params(request): Params<FeedbackRequest>,
) -> Result<Json<Vec<FeedbackInfo>>, Problem> {
    Ok(Json(app.handle.feedback_list(request).await?))
}

/// Reports that an entry is wrong. It stands beside the entry at once here, and its owner has a task.
#[utoipa::path(
    post,
    path = "/feedback",
    request_body = NewFeedback,
    responses((status = 200, body = FeedbackInfo), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)),
)]
pub(crate) async fn add(State(app): State<App>, body: Body<NewFeedback>) -> Result<Json<FeedbackInfo>, Problem> {
    Ok(Json(app.handle.add_feedback(body.value).await?))
}

/// One report, and how it stands.
#[utoipa::path(
    get,
    path = "/feedback/{id}",
    params(("id" = String, Path, description = "Id or its beginning")),
    responses((status = 200, body = FeedbackInfo), (status = 400, body = Problem), (status = 404, body = Problem)),
)]
pub(crate) async fn show(State(app): State<App>, Path(id): Path<String>) -> Result<Json<FeedbackInfo>, Problem> {
    Ok(Json(app.handle.feedback(&id).await?))
}

/// Says how a report about an own entry stands.
#[utoipa::path(
    post,
    path = "/feedback/{id}/answer",
    params(("id" = String, Path, description = "Id or its beginning")),
    request_body = FeedbackAnswer,
    responses((status = 200, body = FeedbackInfo), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)),
)]
pub(crate) async fn answer(
    State(app): State<App>,
    Path(id): Path<String>,
    body: Body<FeedbackAnswer>,
) -> Result<Json<FeedbackInfo>, Problem> {
    Ok(Json(app.handle.answer_feedback(&id, body.value).await?))
}

/// Takes an own report back.
#[utoipa::path(
    post,
    path = "/feedback/{id}/withdraw",
    params(("id" = String, Path, description = "Id or its beginning")),
    responses((status = 200), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)),
)]
pub(crate) async fn withdraw(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<serde_json::Value>, Problem> {
    app.handle.withdraw_feedback(&id).await?;
    Ok(Json(serde_json::json!({"ok": true})))
}

/// What is to be done, the most urgent first.
#[utoipa::path(
    get,
    path = "/tasks",
    params(
        ("kind" = Option<String>, Query, description = "Only this kind"),
        ("role" = Option<String>, Query, description = "Only those of this role: `editors`, `agreements`, `administration`"),
        ("limit" = Option<usize>, Query, description = "At most so many, 1 to 1000", example = 100),
    ),
    responses((status = 200, body = TaskList), (status = 400, body = Problem)),
)]
pub(crate) async fn tasks(
    State(app): State<App>,
    Params(request): Params<TasksRequest>,
) -> Result<Json<TaskList>, Problem> {
    Ok(Json(app.handle.tasks(request).await?))
}

/// What is published of an own entry is still correct: publishes it anew with the same heads, which is no new version.
#[utoipa::path(
    post,
    path = "/entries/{id}/confirm",
    params(("id" = String, Path, description = "Id or its beginning")),
    responses((status = 200, body = Published), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)),
)]
pub(crate) async fn confirm(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Published>, Problem> {
    Ok(Json(app.handle.confirm_entry(&id).await?))
}

/// Where mails go, and what waits to be sent.
#[utoipa::path(get, path = "/mail", responses((status = 200, body = MailReport), (status = 409, body = Problem)))]
pub(crate) async fn mail(State(app): State<App>) -> Result<Json<MailReport>, Problem> {
    Ok(Json(app.handle.mail().await?))
}

/// Sends one mail to each mailbox at once, or to that of one role, and says whether the server took it.
#[utoipa::path(
    post,
    path = "/mail/test",
    request_body = MailTest,
    responses((status = 200, body = Vec<MailTried>), (status = 400, body = Problem), (status = 409, body = Problem)),
)]
pub(crate) async fn test_mail(State(app): State<App>, body: Body<MailTest>) -> Result<Json<Vec<MailTried>>, Problem> {
    Ok(Json(app.handle.test_mail(body.value.role).await?))
}
