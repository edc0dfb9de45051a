//! What the engine knows of the records of each feed, kept in files, so that a start need not read every record.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, Weak};
use std::time::{Duration, Instant};

use ortsnetz_model::FeedId;
use ortsnetz_store::{Store, StoreError};
use ortsnetz_sync::Snapshot;
use ortsnetz_trust::record::SignedRecord;
use rayon::prelude::*;

use crate::error::NodeError;
use crate::shared::{Shared, lock};

/// Feeds with fewer records are read as quickly as a file.
const RECORDS_MIN: usize = 64;
/// Between two looks for feeds that changed.
const EVERY: Duration = Duration::from_secs(3600);
/// How long a stop may take for this.
const AT_STOP: Duration = Duration::from_secs(2);

/// Reads what the engine starts from, of all of `feeds` on all cores. What is damaged is read from the records instead, and
/// named in `damaged`.
pub(crate) fn read(
    store: &Store,
    feeds: &[FeedId],
    snapshot: Snapshot,
    damaged: &mut Vec<String>,
) -> Result<Snapshot, NodeError> {
    let (joined, problems) = (Mutex::new(snapshot), Mutex::new(std::mem::take(damaged)));
    feeds.par_iter().try_for_each(|feed| {
        let part = match kept(store, feed) {
            Ok(Some(part)) => part,
            Ok(None) => from_records(store, feed)?,
            Err(problem) => {
                lock(&problems).push(problem);
                from_records(store, feed)?
            }
        };
        lock(&joined).join(part);
        Ok::<(), NodeError>(())
    })?;
    *damaged = problems.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(joined.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// Writes the files of feeds that changed since theirs was written, as long as `go_on` says so, and removes those of feeds
/// that are gone.
pub(crate) fn keep(store: &Store, go_on: &dyn Fn() -> bool) -> Result<(), NodeError> {
    for feed in store.feeds()? {
        if !go_on() {
            break;
        }
        if !store.is_cached(&feed)? {
            from_records(store, &feed)?;
        }
    }
    Ok(store.forget_cached()?)
}

/// Keeps them once every [`EVERY`], until the node stops.
pub(crate) async fn watch(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(shared) = shared.upgrade().filter(|shared| !shared.stopping.load(Ordering::Relaxed)) else { return };
        let kept =
            tokio::task::spawn_blocking(move || keep(&shared.store, &|| !shared.stopping.load(Ordering::Relaxed)));
        told(kept.await.unwrap_or(Ok(())));
    }
}

/// Keeps them when the node stops, as far as that takes no longer than [`AT_STOP`].
pub(crate) fn at_stop(shared: &Shared) {
    let until = Instant::now() + AT_STOP;
    told(keep(&shared.store, &|| Instant::now() < until));
}

fn told(kept: Result<(), NodeError>) {
    if let Err(error) = kept {
        tracing::warn!(%error, "indexes of feeds are not kept; the next start takes longer");
    }
}

/// What a file has of a feed, if it is about the records as they are.
fn kept(store: &Store, feed: &FeedId) -> Result<Option<Snapshot>, String> {
    match store.cached(feed) {
        Ok(Some(bytes)) => {
            let mut part = Snapshot::default();
            Ok(part.cached(*feed, &bytes).then_some(part))
        }
        Ok(None) => Ok(None),
        Err(error @ StoreError::Damaged { .. }) => Err(error.to_string()),
        Err(error) => {
            tracing::warn!(%error, "a cached index cannot be read; the records are read instead");
            Ok(None)
        }
    }
}

/// Reads the records of one feed, and keeps what they say in its file if nobody writes meanwhile.
fn from_records(store: &Store, feed: &FeedId) -> Result<Snapshot, NodeError> {
    let touched = store.touched(feed)?;
    let (mut part, mut records) = (Snapshot::default(), 0);
    store.records(Some(feed), &mut |row| {
        match SignedRecord::from_bytes(&row.bytes) {
            Ok(signed) => part.record(signed.record()),
            Err(error) => tracing::error!(entry = %row.entry, %error, "a stored record cannot be read"),
        }
        records += 1;
        true
    })?;
    if let Some(touched) = touched
        && records >= RECORDS_MIN
        && store.touched(feed)? == Some(touched)
        && let Err(error) = store.cache(feed, touched, &part.to_cache(feed))
    {
        tracing::warn!(%error, "the index of a feed is not kept; the next start takes longer");
    }
    Ok(part)
}
