//! What every handler shares.

use std::ops::Deref;
use std::sync::Arc;

use ortsnetz_node::{Handle, NodeError};
use tokio::sync::{OnceCell, Semaphore, watch};

use crate::limits::{EVENT_STREAMS_MAX, TRANSFERS_MAX};

/// How the HTTP side is set up.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// The bearer token that `/api/v1` asks for.
    pub token: String,
    /// Host names under which the pages may be asked for, beside IP addresses and `localhost`.
    pub hosts: Vec<String>,
    /// Becomes true when the daemon stops: endless answers end then.
    pub stopping: watch::Receiver<bool>,
}

/// Cloneable state of the router.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) handle: Handle,
    shared: Arc<Shared>,
}

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) config: ApiConfig,
    pub(crate) transfers: Arc<Semaphore>,
    pub(crate) event_streams: Arc<Semaphore>,
    /// Name of the organisation: part of its genesis, so it is asked for once.
    organisation: OnceCell<String>,
}

impl App {
    pub(crate) fn new(handle: Handle, config: ApiConfig) -> Self {
        let shared = Shared {
            config,
            transfers: Arc::new(Semaphore::new(TRANSFERS_MAX)),
            event_streams: Arc::new(Semaphore::new(EVENT_STREAMS_MAX)),
            organisation: OnceCell::new(),
        };
        Self { handle, shared: Arc::new(shared) }
    }

    /// Name of the organisation; empty if the node cannot say it now.
    pub(crate) async fn organisation(&self) -> &str {
        let asked = self.organisation.get_or_try_init(|| async {
            let status = self.handle.status().await?;
            Ok::<_, NodeError>(status.organisation.name)
        });
        asked.await.map(String::as_str).unwrap_or_default()
    }
}

impl Deref for App {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.shared
    }
}
