//! What happens, as server-sent events.

use std::convert::Infallible;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt as _};
use ortsnetz_node::dto::EventInfo;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use crate::app::App;
use crate::problem::Problem;

/// Changes of entries and partners, alarms and answers, as they happen.
///
/// The event's name is its type (`entry`, `partner`, `alarm`, `answer`), its data the JSON. A listener that is too slow
/// gets `lost` with the number of events it missed, and should read again what it shows.
#[utoipa::path(get, path = "/events", responses((status = 200, body = EventInfo, content_type = "text/event-stream")))]
pub(crate) async fn events(
    State(app): State<App>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let permit = app
        .event_streams
        .clone()
        .try_acquire_owned()
        .map_err(|_| Problem::unavailable("too many listeners to events; close one and try again"))?;
    let mut stopping = app.config.stopping.clone();
    let stopped = async move {
        // An error means that the daemon is gone already.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    };
    let stream = BroadcastStream::new(app.handle.events())
        .map(move |event| {
            let _counted = &permit;
            Ok(to_sse(event))
        })
        .take_until(stopped);
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

fn to_sse(event: Result<EventInfo, BroadcastStreamRecvError>) -> Event {
    let event = match event {
        Ok(event) => event,
        Err(BroadcastStreamRecvError::Lagged(count)) => return Event::default().event("lost").data(count.to_string()),
    };
    let name = match &event {
        EventInfo::Entry { .. } => "entry",
        EventInfo::Partner { .. } => "partner",
        EventInfo::Alarm(_) => "alarm",
        EventInfo::Answer { .. } => "answer",
    };
    // Plain data: nothing in it can fail to become JSON.
    Event::default().event(name).data(serde_json::to_string(&event).unwrap_or_default())
}
