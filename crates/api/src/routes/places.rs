//! Places: which one a text means, and the table they come from.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use ortsnetz_node::dto::{PlaceDetails, PlaceInfo, PlacesPage, PlacesReport, PlacesRequest};
use serde::Deserialize;
use utoipa::ToSchema;

use super::transfer::blocking;
use crate::app::App;
use crate::extract::{Params, Path};
use crate::limits::{HITS_MAX, QUERY_CHARS_MAX};
use crate::problem::Problem;

/// Which place is meant.
#[derive(Debug, Deserialize)]
pub(crate) struct PlaceQuery {
    q: String,
    limit: Option<usize>,
}

/// Places the text may mean while it is typed, towns this organisation answers for first, then by inhabitants.
///
/// A name or its beginning, a former name, a district, a postal code, AGS or ARS or the beginning of one, also a key that
/// the place had before; county or state may stand beside a name. Several are all listed, none is chosen.
#[utoipa::path(
    get,
    path = "/places",
    params(
        ("q" = String, Query, description = "What was typed so far", example = "54636"),
        ("limit" = Option<usize>, Query, description = "At most so many, 1 to 200; 50 if absent", example = 10),
    ),
    responses((status = 200, body = Vec<PlaceInfo>, example = json!([{
        "ars": "053820060060", "name": "Kaldauen (Siegburg)", "district": "Kaldauen", "kind": "district",
        "part_of": "Rhein-Sieg-Kreis", "postal_codes": ["53721"], "inhabitants": 0, "served": true, "matched": "district"
    }])), (status = 400, body = Problem)),
)]
pub(crate) async fn find(
    State(app): State<App>,
    Params(query): Params<PlaceQuery>,
) -> Result<Json<Vec<PlaceInfo>>, Problem> {
    if query.q.chars().count() > QUERY_CHARS_MAX {
        return Err(Problem::invalid(format!("q: longer than {QUERY_CHARS_MAX} characters")));
    }
    if let Some(limit) = query.limit.filter(|limit| !(1..=HITS_MAX).contains(limit)) {
        return Err(Problem::invalid(format!("limit: {limit} places are not possible; give 1 to {HITS_MAX}")));
    }
    Ok(Json(app.handle.places(&query.q, query.limit).await?))
}

/// The table of places by key: municipalities, counties and states.
#[utoipa::path(
    get,
    path = "/places/table",
    params(
        ("kind" = Option<String>, Query, description = "`municipality`, `county` or `state`"),
        ("within" = Option<String>, Query, description = "Only in this county or state: its ARS or the beginning of one", example = "05382"),
        ("after" = Option<String>, Query, description = "Only keys after this one: the last of the page before"),
        ("limit" = Option<usize>, Query, description = "At most so many; 100 if absent"),
    ),
    responses((status = 200, body = PlacesPage), (status = 400, body = Problem)),
)]
pub(crate) async fn table(
    State(app): State<App>,
    Params(request): Params<PlacesRequest>,
) -> Result<Json<PlacesPage>, Problem> {
    Ok(Json(app.handle.places_page(request).await?))
}

/// The one place that a name, postal code, AGS or ARS means, with former names and keys.
#[utoipa::path(
    get,
    path = "/places/{place}",
    params(("place" = String, Path, description = "Name, postal code, AGS or ARS", example = "064150000000")),
    responses(
        (status = 200, body = PlaceDetails),
        (status = 404, body = Problem),
        (status = 409, body = Problem, description = "It can mean several"),
    ),
)]
pub(crate) async fn show(State(app): State<App>, Path(place): Path<String>) -> Result<Json<PlaceDetails>, Problem> {
    Ok(Json(app.handle.place(&place).await?))
}

/// Which file.
#[derive(Debug, Deserialize)]
pub(crate) struct FileQuery {
    #[serde(default)]
    file: String,
}

/// Imports the official list of municipalities, or a list of former keys (CSV).
///
/// The list has the columns `ars` and `name`, and if known `ags`, `kreis`, `plz_alle`, `einwohner`, `lon`, `lat`,
/// `former_names`, `former_ars`, `since`; it replaces the one before, names and keys that were known stay known as former ones.
/// A list of former keys has `former_ars`, `successor_ars`, and if known `since` and `name`; it is added.
#[utoipa::path(
    post,
    path = "/places/import",
    params(("file" = Option<String>, Query, description = "File name, for messages")),
    request_body(
        content = String,
        content_type = "text/csv",
        example = "former_ars,successor_ars,since\n064350014014,064150000000,2026-01-01\n"
    ),
    responses((status = 200, body = PlacesReport), (status = 400, body = Problem)),
)]
pub(crate) async fn import(
    State(app): State<App>,
    Params(query): Params<FileQuery>,
    body: Body,
) -> Result<Json<PlacesReport>, Problem> {
    let file = if query.file.is_empty() { "body".to_owned() } else { query.file };
    Ok(Json(blocking(&app, body, move |app, body| app.handle.import_places(&file, body)).await?))
}

/// Whose table to take.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FetchPlaces {
    /// A connected partner: name, or id or its beginning.
    #[schema(example = "Stadt Köln")]
    from: String,
}

/// Takes the table of places of a partner over, as if its file had been imported.
#[utoipa::path(
    post,
    path = "/places/fetch",
    request_body = FetchPlaces,
    responses(
        (status = 200, body = PlacesReport),
        (status = 404, body = Problem),
        (status = 503, body = Problem, description = "It is not connected, or has no table to give"),
    ),
)]
pub(crate) async fn fetch(
    State(app): State<App>,
    body: crate::extract::Json<FetchPlaces>,
) -> Result<Json<PlacesReport>, Problem> {
    Ok(Json(app.handle.fetch_places(&body.value.from).await?))
}
