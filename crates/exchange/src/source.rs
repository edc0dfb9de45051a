//! Bytes from a reader, with a position, the first bytes seen in advance, and a count of what is held.

use std::io::{self, Read};

use crate::limits::{READ_BYTES, SNIFF_BYTES};

/// A reader with one buffer of fixed size.
pub(crate) struct Source<R> {
    reader: R,
    buffer: Vec<u8>,
    start: usize,
    consumed: u64,
    line: u64,
    held_max: usize,
    ended: bool,
}

/// What came of looking for the end of a record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The bytes are in the record.
    Whole,
    /// The record was longer than allowed; it was skipped to its end.
    TooLong,
    /// Nothing is left.
    End,
}

impl<R: Read> Source<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), start: 0, consumed: 0, line: 1, held_max: 0, ended: false }
    }

    /// The first bytes, without taking them.
    pub(crate) fn peek(&mut self) -> io::Result<&[u8]> {
        while !self.ended && self.buffer.len() - self.start < SNIFF_BYTES {
            self.fill()?;
        }
        Ok(&self.buffer[self.start..(self.start + SNIFF_BYTES).min(self.buffer.len())])
    }

    /// The bytes at hand, without taking them; empty only at the end.
    pub(crate) fn chunk(&mut self) -> io::Result<&[u8]> {
        if self.start == self.buffer.len() && !self.ended {
            self.buffer.clear();
            self.start = 0;
            self.fill()?;
        }
        Ok(&self.buffer[self.start..])
    }

    /// Takes `count` of the bytes at hand.
    pub(crate) fn consume(&mut self, count: usize) {
        let taken = &self.buffer[self.start..self.start + count];
        self.line += taken.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.start += count;
        self.consumed += count as u64;
    }

    /// The bytes up to the next line feed, without it. At most `limit` are kept.
    pub(crate) fn line(&mut self, record: &mut Vec<u8>, limit: usize) -> io::Result<Taken> {
        record.clear();
        let (mut too_long, mut any) = (false, false);
        loop {
            let chunk = self.chunk()?;
            if chunk.is_empty() {
                break;
            }
            any = true;
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            if record.len() + part.len() > limit {
                too_long = true;
                record.clear();
            } else if !too_long {
                record.extend_from_slice(part);
            }
            let taken = part.len() + usize::from(end.is_some());
            self.consume(taken);
            self.note(record.len());
            if end.is_some() {
                break;
            }
        }
        Ok(match (any, too_long) {
            (false, _) => Taken::End,
            (true, true) => Taken::TooLong,
            (true, false) => Taken::Whole,
        })
    }

    /// Notes that a record of so many bytes is held beside the buffer.
    pub(crate) fn note(&mut self, record: usize) {
        self.held_max = self.held_max.max(self.buffer.len() + record);
    }

    /// Bytes taken so far.
    pub(crate) fn position(&self) -> u64 {
        self.consumed
    }

    /// The line of the next byte, from 1.
    pub(crate) fn line_number(&self) -> u64 {
        self.line
    }

    pub(crate) fn buffered_max(&self) -> usize {
        self.held_max
    }

    fn fill(&mut self) -> io::Result<()> {
        let old = self.buffer.len();
        self.buffer.resize(old + READ_BYTES, 0);
        let count = loop {
            match self.reader.read(&mut self.buffer[old..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        self.buffer.truncate(old + *count.as_ref().unwrap_or(&0));
        // Who failed once is not asked again.
        self.ended = !matches!(count, Ok(1..));
        self.held_max = self.held_max.max(self.buffer.len());
        count.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_number_and_their_limit() {
        let mut source = Source::new("eins\n\nsieben\nvier".as_bytes());
        assert!(source.peek().unwrap().starts_with(b"eins"));
        let mut record = Vec::new();
        let mut seen = Vec::new();
        loop {
            let line = source.line_number();
            match source.line(&mut record, 5).unwrap() {
                Taken::End => break,
                taken => seen.push((line, taken, String::from_utf8(record.clone()).unwrap())),
            }
        }
        let expected = [
            (1, Taken::Whole, "eins".to_owned()),
            (2, Taken::Whole, String::new()),
            (3, Taken::TooLong, String::new()),
            (4, Taken::Whole, "vier".to_owned()),
        ];
        assert_eq!(seen, expected);
        assert_eq!(source.position(), 17);
    }
}
