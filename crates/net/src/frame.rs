//! Frames on a byte stream: a length (u32, big endian), then so many bytes. Poll-based, so that a connection's own task
//! reads and writes them without another task between.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::io::{AsyncRead, AsyncWrite};

/// Bytes of the length before each frame.
pub(crate) const PREFIX_BYTES: usize = 4;

/// A body is allocated in steps of this, so that an announced length alone costs nothing.
const BODY_STEP_BYTES: usize = 64 * 1024;

/// Frames are gathered up to this before they go to the multiplexer together.
pub(crate) const GATHER_BYTES: usize = 16 * 1024;

/// Why no further frame can be read.
#[derive(Debug)]
pub(crate) enum FrameError {
    /// The announced length is above the limit.
    TooLong(u32),
    /// The stream broke, or ended within a frame.
    Io(io::Error),
}

/// Reads frames; keeps what it has of an unfinished one between polls.
pub(crate) struct FrameReader {
    prefix: [u8; PREFIX_BYTES],
    prefix_filled: usize,
    body: Vec<u8>,
    body_filled: usize,
    max: usize,
}

impl FrameReader {
    /// A reader that refuses frames longer than `max` bytes.
    pub(crate) fn new(max: usize) -> Self {
        Self { prefix: [0; PREFIX_BYTES], prefix_filled: 0, body: Vec::new(), body_filled: 0, max }
    }

    /// The next frame; `None` when the stream ended between two frames.
    pub(crate) fn poll_frame<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Vec<u8>>, FrameError>> {
        while self.prefix_filled < PREFIX_BYTES {
            let read = ready!(Pin::new(&mut *stream).poll_read(cx, &mut self.prefix[self.prefix_filled..]));
            match read {
                Ok(0) if self.prefix_filled == 0 => return Poll::Ready(Ok(None)),
                Ok(0) => return Poll::Ready(Err(FrameError::Io(io::ErrorKind::UnexpectedEof.into()))),
                Ok(n) => self.prefix_filled += n,
                Err(error) => return Poll::Ready(Err(FrameError::Io(error))),
            }
        }
        let announced = u32::from_be_bytes(self.prefix);
        let len = announced as usize;
        if len > self.max {
            return Poll::Ready(Err(FrameError::TooLong(announced)));
        }
        while self.body_filled < len {
            if self.body.len() == self.body_filled {
                self.body.resize(len.min(self.body_filled + BODY_STEP_BYTES), 0);
            }
            match ready!(Pin::new(&mut *stream).poll_read(cx, &mut self.body[self.body_filled..])) {
                Ok(0) => return Poll::Ready(Err(FrameError::Io(io::ErrorKind::UnexpectedEof.into()))),
                Ok(n) => self.body_filled += n,
                Err(error) => return Poll::Ready(Err(FrameError::Io(error))),
            }
        }
        (self.prefix_filled, self.body_filled) = (0, 0);
        Poll::Ready(Ok(Some(std::mem::take(&mut self.body))))
    }
}

/// Writes frames; keeps what is not written yet between polls.
#[derive(Default)]
pub(crate) struct FrameWriter {
    buffer: Vec<u8>,
    written: usize,
}

impl FrameWriter {
    /// Bytes taken and not yet handed to the stream.
    pub(crate) fn pending(&self) -> usize {
        self.buffer.len() - self.written
    }

    /// Takes a frame, which the caller has checked against the limit.
    pub(crate) fn push(&mut self, frame: &[u8]) {
        self.buffer.reserve_exact(PREFIX_BYTES + frame.len());
        // Every caller's limit is far below 4 GiB.
        self.buffer.extend_from_slice(&(frame.len() as u32).to_be_bytes());
        self.buffer.extend_from_slice(frame);
    }

    /// Hands everything to the stream. Nothing is flushed.
    pub(crate) fn poll_write_out<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.pending() > 0 {
            match ready!(Pin::new(&mut *stream).poll_write(cx, &self.buffer[self.written..])) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(n) => self.written += n,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        // Give the memory back: most of hundreds of peers are idle.
        (self.buffer, self.written) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use futures::future::poll_fn;
    use futures::io::Cursor;
    use proptest::prelude::*;

    /// Gives at most `step` bytes per read.
    struct Slow<'a>(&'a [u8], usize);

    impl AsyncRead for Slow<'_> {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            let n = buf.len().min(self.1).min(self.0.len());
            let (now, later) = self.0.split_at(n);
            buf[..n].copy_from_slice(now);
            self.0 = later;
            Poll::Ready(Ok(n))
        }
    }

    fn write(frames: &[Vec<u8>]) -> Vec<u8> {
        let mut writer = FrameWriter::default();
        let mut out = Cursor::new(Vec::new());
        for frame in frames {
            writer.push(frame);
        }
        block_on(poll_fn(|cx| writer.poll_write_out(&mut out, cx))).unwrap();
        assert_eq!(writer.pending(), 0);
        out.into_inner()
    }

    fn read(bytes: &[u8], step: usize, max: usize) -> (Vec<Vec<u8>>, Result<(), FrameError>) {
        let (mut reader, mut source, mut frames) = (FrameReader::new(max), Slow(bytes, step), Vec::new());
        loop {
            match block_on(poll_fn(|cx| reader.poll_frame(&mut source, cx))) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return (frames, Ok(())),
                Err(error) => return (frames, Err(error)),
            }
        }
    }

    proptest! {
        #[test]
        fn frames_survive_any_fragmentation(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
            step in 1usize..50,
        ) {
            let (back, end) = read(&write(&frames), step, 300);
            prop_assert!(end.is_ok());
            prop_assert_eq!(back, frames);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let (frames, _) = read(&bytes, 64, 100);
            prop_assert!(frames.iter().all(|frame| frame.len() <= 100));
        }
    }

    #[test]
    fn a_frame_at_the_limit_passes_and_one_over_does_not() {
        let at = vec![7; 1000];
        assert_eq!(read(&write(std::slice::from_ref(&at)), 64, 1000).0, [at]);
        let (frames, end) = read(&write(&[vec![7; 1001]]), 64, 1000);
        assert!(frames.is_empty());
        assert!(matches!(end, Err(FrameError::TooLong(1001))));
    }

    #[test]
    fn an_end_within_a_frame_is_an_error() {
        let bytes = write(&[vec![1; 10]]);
        for cut in 1..bytes.len() {
            assert!(matches!(read(&bytes[..cut], 64, 100).1, Err(FrameError::Io(_))), "cut at {cut}");
        }
    }

    #[test]
    fn an_announced_length_alone_reserves_little() {
        let mut reader = FrameReader::new(usize::MAX);
        let mut source = Slow(&[0x10, 0, 0, 0, 1], 64);
        let _ = block_on(poll_fn(|cx| reader.poll_frame(&mut source, cx)));
        assert!(reader.body.capacity() <= BODY_STEP_BYTES);
    }
}
