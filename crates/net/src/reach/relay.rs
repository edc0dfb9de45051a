//! Passes the bytes of a circuit on, as long as the quotas allow.

use std::io;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use futures::future::try_join;
use futures::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::swarm::Stream;
use ortsnetz_model::NodeId;
use tokio::time::timeout;

use super::ask::{ask, send};
use super::quota::{Quotas, Refused};
use super::{Ask, CircuitStream, Reply};
use crate::link::Link;
use crate::registry::Registry;

/// Bytes passed on in one go; a circuit holds so many in each direction.
const STEP_BYTES: usize = 16 * 1024;

/// How long the third node may take to say that it takes the circuit; less than who asked waits for us.
const OFFER_TIMEOUT: Duration = Duration::from_secs(8);

/// Opens a circuit from the peer of `link` to another one, and passes its bytes on until its end.
pub(super) async fn connect(registry: &Arc<Registry>, link: &Arc<Link>, mut near: Stream, to: NodeId) {
    let from = link.node;
    let (ticket, far) = match open(registry, from, to).await {
        Ok(opened) => opened,
        Err(reason) => {
            tracing::info!(%from, %to, %reason, "circuit refused");
            let _ = send(&mut near, &Reply::No(reason).to_bytes()).await;
            return;
        }
    };
    if send(&mut near, &Reply::Yes.to_bytes()).await.is_err() {
        return;
    }
    tracing::debug!(%from, %to, "circuit opened");
    let limit = ticket.time;
    let near = CircuitStream::new(near, link);
    let ended = match timeout(limit, splice(near, far, &ticket)).await {
        Ok(ended) => ended,
        Err(_) => Err(io::Error::other(Refused::Time(limit))),
    };
    let reason = ended.err().map(|error| error.to_string());
    tracing::debug!(%from, %to, ?reason, "circuit ended");
}

async fn open(registry: &Arc<Registry>, from: NodeId, to: NodeId) -> Result<(Ticket, CircuitStream), String> {
    let quotas = || registry.quotas().ok_or_else(|| Refused::NotRelaying.to_string());
    quotas()?.ask(Instant::now(), &from).map_err(|refused| refused.to_string())?;
    let far = registry.direct_link(&to).filter(|_| from != to).ok_or_else(|| Refused::NotThere.to_string())?;
    quotas()?.open(Instant::now(), &from, &to).map_err(|refused| refused.to_string())?;
    let time = quotas()?.limits.circuit_time_max;
    let ticket = Ticket { registry: registry.clone(), from, to, time };
    match ask(&far, &Ask::Incoming { from }, OFFER_TIMEOUT).await {
        Ok((stream, Reply::Yes)) => Ok((ticket, CircuitStream::new(stream, &far))),
        Ok((_, Reply::No(reason))) => Err(format!("the other node does not want it: {reason}")),
        Ok((_, Reply::Dialled(_))) => Err("the other node answers something else".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// A circuit in the books; dropped, it is over.
struct Ticket {
    registry: Arc<Registry>,
    from: NodeId,
    to: NodeId,
    time: Duration,
}

impl Ticket {
    fn quotas(&self) -> Option<MutexGuard<'_, Quotas>> {
        self.registry.quotas()
    }

    fn charge(&self, bytes: usize) -> io::Result<()> {
        let charged = self.quotas().map(|mut quotas| quotas.charge(Instant::now(), &self.from, &self.to, bytes as u64));
        charged.unwrap_or(Err(Refused::NotRelaying)).map_err(io::Error::other)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(mut quotas) = self.quotas() {
            quotas.close(&self.from, &self.to);
        }
    }
}

/// Passes bytes on in both directions until both have ended, or one has failed.
async fn splice(near: CircuitStream, far: CircuitStream, ticket: &Ticket) -> io::Result<()> {
    let ((near_in, near_out), (far_in, far_out)) = (near.split(), far.split());
    try_join(pass(near_in, far_out, ticket), pass(far_in, near_out, ticket)).await.map(drop)
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, ticket: &Ticket) -> io::Result<()> {
    let mut buffer = vec![0; STEP_BYTES];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.close().await;
        }
        ticket.charge(read)?;
        to.write_all(&buffer[..read]).await?;
        to.flush().await?;
    }
}
