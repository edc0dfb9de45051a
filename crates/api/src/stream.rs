//! Bodies as a stream between the network and a thread that reads or writes them.

use std::io::{self, Read, Write};

use axum::body::{Body, Bytes};
use futures::StreamExt as _;
use tokio::sync::mpsc;

use crate::limits::{DRAINED_BYTES_MAX, STREAM_PIECE_BYTES, STREAM_PIECES_MAX};

/// Reads a request body on a blocking thread. At most a handful of pieces wait; a slow reader slows the sender down.
pub(crate) struct BodyReader {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

impl BodyReader {
    /// Starts to take the body in. Must be called inside the runtime; read it outside.
    pub(crate) fn new(body: Body) -> Self {
        let (sender, pieces) = mpsc::channel(STREAM_PIECES_MAX);
        tokio::spawn(pump(body, sender));
        Self { pieces, current: Bytes::new() }
    }
}

/// Hands pieces on. When nobody reads any more, what is left is still taken in up to a limit: a client that sends its
/// whole file before it listens would otherwise never hear why we stopped.
async fn pump(body: Body, sender: mpsc::Sender<io::Result<Bytes>>) {
    let mut stream = body.into_data_stream();
    let mut drained = 0_usize;
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|error| io::Error::other(format!("the sender broke off: {error}")));
        let size = piece.as_ref().map_or(0, Bytes::len);
        if sender.send(piece).await.is_err() {
            drained += size;
            if drained > DRAINED_BYTES_MAX {
                return;
            }
        }
    }
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.current = piece?,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.current.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}

/// Writes an answer from a blocking thread in pieces. Drop it, or call [`BodyWriter::fail`], at the end.
pub(crate) struct BodyWriter {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl BodyWriter {
    /// The writer, and the pieces it will have written.
    pub(crate) fn new() -> (Self, mpsc::Receiver<io::Result<Bytes>>) {
        let (pieces, receiver) = mpsc::channel(STREAM_PIECES_MAX);
        (Self { pieces, buffer: Vec::with_capacity(STREAM_PIECE_BYTES) }, receiver)
    }

    /// Ends the answer so that the receiver knows it is not whole.
    pub(crate) fn fail(self, error: io::Error) {
        // Nobody there any more: then nobody needs to know.
        let _ = self.pieces.blocking_send(Err(error));
    }
}

impl Write for BodyWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= STREAM_PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.buffer));
        self.pieces
            .blocking_send(Ok(piece))
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the receiver of the export has gone"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_read_whole_in_pieces() {
        let pieces: Vec<io::Result<Bytes>> = (0..100).map(|n| Ok(Bytes::from(vec![n; 1000]))).collect();
        let mut reader = BodyReader::new(Body::from_stream(futures::stream::iter(pieces)));
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).map(|_| bytes)
        });
        let bytes = read.await.expect("no panic").expect("readable");
        assert_eq!(bytes.len(), 100_000);
        assert_eq!(bytes.last(), Some(&99));
    }

    #[tokio::test]
    async fn a_broken_body_is_an_error_not_an_end() {
        let pieces = vec![Ok(Bytes::from_static(b"half")), Err(io::Error::other("cut"))];
        let mut reader = BodyReader::new(Body::from_stream(futures::stream::iter(pieces)));
        let read = tokio::task::spawn_blocking(move || reader.read_to_end(&mut Vec::new()));
        assert!(read.await.expect("no panic").is_err());
    }

    #[tokio::test]
    async fn what_nobody_reads_is_drained() {
        let pieces: Vec<io::Result<Bytes>> = (0..1000).map(|_| Ok(Bytes::from(vec![0; 1000]))).collect();
        let (done, finished) = tokio::sync::oneshot::channel();
        let stream = futures::stream::iter(pieces).chain(futures::stream::once(async move {
            let _ = done.send(());
            Ok(Bytes::new())
        }));
        drop(BodyReader::new(Body::from_stream(stream)));
        finished.await.expect("the whole body was taken in");
    }

    #[tokio::test]
    async fn an_answer_is_written_in_pieces_and_ends() {
        let (mut writer, mut pieces) = BodyWriter::new();
        let written = tokio::task::spawn_blocking(move || {
            for _ in 0..3 {
                writer.write_all(&vec![7; STREAM_PIECE_BYTES]).expect("there is a receiver");
            }
            writer.write_all(b"end").expect("there is a receiver");
            writer.flush()
        });
        let mut total = 0;
        while let Some(piece) = pieces.recv().await {
            total += piece.expect("no failure").len();
        }
        written.await.expect("no panic").expect("written");
        assert_eq!(total, 3 * STREAM_PIECE_BYTES + 3);
    }
}
