//! Moves frames between a connection's stream, its send queues and the owner's inbox. Polled by the connection's task.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::io::AsyncWrite as _;
use libp2p::swarm::Stream;

use crate::config::FRAME_BYTES_MAX;
use crate::event::Reason;
use crate::frame::{FrameError, FrameReader, FrameWriter};
use crate::link::Link;
use crate::protocol::{GREETING, GREETING_BYTES_MAX, RELAYS, is_greeting, relays};
use crate::registry::Registry;

/// Frames taken from one connection before the others get their turn.
const FRAMES_PER_TURN: usize = 64;

/// What is under way in both directions.
pub(crate) struct Pump {
    registry: Arc<Registry>,
    link: Arc<Link>,
    reader: FrameReader,
    writer: FrameWriter,
    /// The stream has bytes that it was not told to send on.
    unflushed: bool,
    /// How often something went out.
    progress: u64,
}

impl Pump {
    /// A pump that takes nothing longer than a greeting yet.
    pub(crate) fn new(registry: Arc<Registry>, link: Arc<Link>) -> Self {
        let reader = FrameReader::new(GREETING_BYTES_MAX);
        Self { registry, link, reader, writer: FrameWriter::default(), unflushed: false, progress: 0 }
    }

    /// Puts our greeting in front.
    pub(crate) fn greet(&mut self) {
        if self.registry.relays() {
            self.writer.push(&[GREETING, &[RELAYS]].concat());
        } else {
            self.writer.push(GREETING);
        }
    }

    /// Ordinary frames follow the greeting.
    pub(crate) fn start_frames(&mut self) {
        self.reader = FrameReader::new(FRAME_BYTES_MAX);
    }

    /// Sends our greeting and waits for the peer's.
    pub(crate) fn greeting(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        if let Err(reason) = self.write_out(stream, cx) {
            return Poll::Ready(Err(reason));
        }
        match self.reader.poll_frame(stream, cx) {
            Poll::Ready(Ok(Some(frame))) if is_greeting(&frame) => {
                if relays(&frame) {
                    self.link.set_peer_relays();
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Ok(Some(_)) | Err(FrameError::TooLong(_))) => Poll::Ready(Err(Reason::Version)),
            Poll::Ready(Ok(None)) => Poll::Ready(Err(Reason::ClosedByPeer)),
            Poll::Ready(Err(FrameError::Io(error))) => Poll::Ready(Err(Reason::Lost(error.to_string()))),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Grows whenever something went out.
    pub(crate) fn progress(&self) -> u64 {
        self.progress
    }

    /// Sends what is queued; true when all of it is out.
    pub(crate) fn send(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Result<bool, Reason> {
        loop {
            if !self.write_out(stream, cx)? {
                return Ok(false);
            }
            let mut outbox = self.link.outbox();
            let frames = outbox.gather(&mut self.writer);
            let writable = outbox.take_writable();
            drop(outbox);
            if writable {
                self.registry.writable(&self.link);
            }
            if frames == 0 {
                return Ok(true);
            }
            self.link.counters.sent(frames, self.writer.pending());
        }
    }

    /// Hands the writer's bytes to the stream and flushes it; true when all of them are out.
    fn write_out(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Result<bool, Reason> {
        let lost = |error: std::io::Error| Reason::Lost(error.to_string());
        let before = self.writer.pending();
        if before > 0 {
            self.unflushed = true;
            let waits = self.writer.poll_write_out(stream, cx).map_err(lost)?.is_pending();
            self.progress += u64::from(self.writer.pending() < before);
            if waits {
                return Ok(false);
            }
        }
        if self.unflushed && Pin::new(stream).poll_flush(cx).map_err(lost)?.is_ready() {
            self.unflushed = false;
            self.progress += 1;
        }
        Ok(!self.unflushed)
    }

    /// Sends the rest and waits for the peer's end; true when nothing more will come of it.
    pub(crate) fn drain(&mut self, stream: &mut Stream, half_closed: &mut bool, cx: &mut Context<'_>) -> bool {
        if !*half_closed {
            match self.send(stream, cx) {
                Ok(true) => *half_closed = Pin::new(&mut *stream).poll_close(cx).is_ready(),
                Ok(false) => {}
                Err(_) => return true,
            }
        }
        loop {
            match self.reader.poll_frame(stream, cx) {
                Poll::Ready(Ok(Some(_))) => {}
                Poll::Ready(Ok(None) | Err(_)) => return true,
                Poll::Pending => return false,
            }
        }
    }

    /// Takes the frames that are there; true if there may be more. Reads without pause, so that nothing piles up below us
    /// where no limit is ours.
    pub(crate) fn receive(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Result<bool, Reason> {
        for _ in 0..FRAMES_PER_TURN {
            match self.reader.poll_frame(stream, cx) {
                Poll::Ready(Ok(Some(frame))) => self.registry.frame(&self.link, frame)?,
                Poll::Ready(Ok(None)) => return Err(Reason::ClosedByPeer),
                Poll::Ready(Err(FrameError::TooLong(bytes))) => return Err(Reason::FrameTooLong { bytes }),
                Poll::Ready(Err(FrameError::Io(error))) => return Err(Reason::Lost(error.to_string())),
                Poll::Pending => return Ok(false),
            }
        }
        Ok(true)
    }
}
