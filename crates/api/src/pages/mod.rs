//! The public pages: server-rendered, without script, only what lies in `public` collections.
//!
//! Handlers here ask the node and decide what may be shown; every other file is a pure function of what it is given.

mod commonmark;
mod details;
mod entry;
mod format;
mod hours;
mod jsonld;
mod lang;
mod layout;
mod mayor;
mod network;
mod notices;
mod results;
mod standing;
mod start;

pub(crate) use mayor::page as mayor;

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::{Timestamp, Zoned};
use maud::{Markup, html};
use ortsnetz_node::NodeError;
use ortsnetz_node::dto::{EntryMeta, NoticeInfo, SearchRequest, SearchResult, ShowOptions, Shown};
use serde::Deserialize;

use crate::app::App;
use crate::extract::{Params, Path};
use crate::limits::{AREAS_NAMED_MAX, OFFICES_SHOWN_MAX, PAGE_HITS_MAX};
use crate::openapi::PREFIX;
use crate::problem::Problem;
use crate::routes::checked_search;
use lang::Lang;
use layout::Page;

/// Digits of a whole entry id.
const ENTRY_ID_DIGITS: usize = 32;

/// The pages and what they load.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(start_page))
        .route("/suche", get(results_page))
        .route("/eintrag/{id}", get(entry_page))
        .route("/netz", get(network_page))
        .route(layout::STYLE_PATH, get(|| async { asset("text/css; charset=utf-8", layout::STYLE) }))
        .route(layout::ICON_PATH, get(|| async { asset("image/svg+xml", layout::ICON) }))
}

/// What the address of a page can say.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PageQuery {
    q: String,
    ort: String,
    /// Only this kind, organisation, life event, audience.
    art: String,
    von: String,
    lage: String,
    fuer: String,
    lang: Option<String>,
}

/// The answer for an address nobody knows: a page, or a problem under `/api`.
pub(crate) async fn no_such_page(State(app): State<App>, uri: Uri, Params(query): Params<PageQuery>) -> Response {
    if uri.path().starts_with("/api/") {
        let detail = format!("no such resource; {PREFIX}/openapi.json lists all");
        return Problem::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail).into_response();
    }
    missing(&app, Lang::from_query(query.lang.as_deref())).await
}

async fn start_page(State(app): State<App>, Params(query): Params<PageQuery>) -> Response {
    let lang = Lang::from_query(query.lang.as_deref());
    match app.handle.status().await {
        Ok(status) => start::page(&status, &notices_for(&app, None, None, lang).await, &now(), lang).into_response(),
        Err(error) => failed(&error, lang),
    }
}

async fn network_page(State(app): State<App>, Params(query): Params<PageQuery>) -> Response {
    let lang = Lang::from_query(query.lang.as_deref());
    match app.handle.status().await {
        Ok(status) => network::page(&status, &now(), lang).into_response(),
        Err(error) => failed(&error, lang),
    }
}

async fn results_page(State(app): State<App>, Params(query): Params<PageQuery>) -> Response {
    let lang = Lang::from_query(query.lang.as_deref());
    let asked = results::Asked {
        words: query.q.trim(),
        place: query.ort.trim(),
        filter: results::Filter {
            kind: &query.art,
            organisation: &query.von,
            life_event: &query.lage,
            audience: &query.fuer,
        },
        lang,
    };
    let result = if asked.words.is_empty() { Ok(None) } else { public_search(&app, &asked).await.map(Some) };
    let organisation = app.organisation().await;
    match result {
        Ok(result) => {
            let place = result.as_ref().and_then(|result| match result.places.as_slice() {
                [only] => Some(only.ars.as_str()),
                _ => None,
            });
            let notices = notices_for(&app, place, None, lang).await;
            results::page(organisation, &asked, result.as_ref(), &notices, &now()).into_response()
        }
        Err(problem) if problem.status == 400 => {
            let page = results::refused(organisation, &asked, &problem.detail);
            (StatusCode::BAD_REQUEST, page).into_response()
        }
        // The only thing a search can miss is the place.
        Err(problem) if problem.status == 404 => results::unknown_place(organisation, &asked).into_response(),
        Err(problem) => {
            tracing::warn!(detail = %problem.detail, "search page could not be answered");
            unavailable(lang)
        }
    }
}

/// Searches what everybody may see. The words are never logged.
async fn public_search(app: &App, asked: &results::Asked<'_>) -> Result<SearchResult, Problem> {
    let request = checked_search(SearchRequest {
        q: asked.words.to_owned(),
        place: Some(asked.place.to_owned()),
        lang: Some(asked.lang.code().to_owned()),
        limit: Some(PAGE_HITS_MAX),
        kind: Some(asked.filter.kind.to_owned()),
        organisation: Some(asked.filter.organisation.to_owned()),
        life_event: Some(asked.filter.life_event.to_owned()),
        audience: Some(asked.filter.audience.to_owned()),
        facets: true,
        snippets: true,
        ..SearchRequest::default()
    })?;
    let mut result = app.handle.search_public(request).await?;
    // The node answers from public collections only; a second look costs nothing.
    result.hits.retain(|hit| hit.public);
    Ok(result)
}

async fn entry_page(State(app): State<App>, Path(id): Path<String>, Params(query): Params<PageQuery>) -> Response {
    let lang = Lang::from_query(query.lang.as_deref());
    let shown = match public_entry(&app, &id).await {
        Ok(Some(shown)) => shown,
        Ok(None) => return missing(&app, lang).await,
        Err(error) => return failed(&error, lang),
    };
    let mut linked = BTreeMap::new();
    for id in entry::references(&shown.entry).into_iter().take(OFFICES_SHOWN_MAX) {
        // What cannot be read is not linked; the page is useful without it.
        if let Ok(Some(shown)) = public_entry(&app, &id).await {
            linked.insert(id, shown.entry);
        }
    }
    let mut places = BTreeMap::new();
    for ars in entry::places(&shown.entry).into_iter().take(AREAS_NAMED_MAX) {
        let found = app.handle.places(&ars, None).await.unwrap_or_default();
        if let Some(place) = found.into_iter().find(|place| place.ars == ars) {
            places.insert(ars, place.name);
        }
    }
    let organisation = app.organisation().await;
    let place = Some(shown.meta.organisation.ars.as_str()).filter(|ars| !ars.is_empty());
    let notices = &notices_for(&app, place, Some(&id), lang).await;
    let (linked, places, now) = (&linked, &places, &now());
    let view = entry::View { organisation, id: &id, shown: &shown, linked, places, notices, now, lang };
    entry::page(&view).into_response()
}

/// Public notices in force; a page is useful without them.
async fn notices_for(app: &App, place: Option<&str>, about: Option<&str>, lang: Lang) -> Vec<NoticeInfo> {
    app.handle.public_notices(place, about, lang.code()).await.unwrap_or_default()
}

/// The published entry without companions; `None` if there is none, or it is not for everybody.
async fn public_entry(app: &App, id: &str) -> Result<Option<Shown>, NodeError> {
    // A beginning may be that of several entries, and nobody outside learns which ids there are.
    if id.len() != ENTRY_ID_DIGITS {
        return Ok(None);
    }
    match app.handle.show(id, ShowOptions::default()).await {
        Ok(mut shown) if is_public(&shown.meta) => {
            shown.entry.shift_remove("companions");
            Ok(Some(shown))
        }
        Ok(_) | Err(NodeError::NotFound(_) | NodeError::Invalid(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_public(meta: &EntryMeta) -> bool {
    meta.public && meta.state == "published"
}

fn now() -> Zoned {
    format::local(Timestamp::now())
}

fn asset(content_type: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "public, max-age=3600")], text).into_response()
}

async fn missing(app: &App, lang: Lang) -> Response {
    let organisation = app.organisation().await;
    let title = lang.pick("Hier ist nichts", "There is nothing here");
    let text = lang.pick(
        "Diese Adresse gibt es nicht, oder der Eintrag wurde zurückgezogen. Die Suche findet, was es gibt.",
        "There is no such address, or the entry was withdrawn. The search finds what there is.",
    );
    (StatusCode::NOT_FOUND, message(organisation, lang, title, text)).into_response()
}

fn failed(error: &NodeError, lang: Lang) -> Response {
    tracing::warn!(%error, "page could not be answered");
    unavailable(lang)
}

fn unavailable(lang: Lang) -> Response {
    let title = lang.pick("Gerade nicht möglich", "Not possible right now");
    let text = lang.pick(
        "Der Knoten kann im Moment nicht antworten. Bitte versuchen Sie es gleich noch einmal.",
        "The node cannot answer at the moment. Please try again shortly.",
    );
    (StatusCode::SERVICE_UNAVAILABLE, message("Ortsnetz", lang, title, text)).into_response()
}

fn message(organisation: &str, lang: Lang, title: &str, text: &str) -> Markup {
    let main = html! {
        h1 { (title) }
        p .lead { (text) }
        (layout::search_form(lang, "", "", false))
    };
    layout::render(Page { lang, title, organisation, address: "/", head: html! {}, main })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_published_entries_of_public_collections_are_shown() {
        let meta = |public: bool, state: &str| EntryMeta {
            // A name says nothing: anybody may call a collection so.
            collection: "public".into(),
            public,
            state: state.into(),
            ..EntryMeta::default()
        };
        assert!(is_public(&meta(true, "published")));
        assert!(!is_public(&meta(true, "draft")));
        assert!(!is_public(&meta(true, "withdrawn")));
        assert!(!is_public(&meta(false, "published")));
    }
}
