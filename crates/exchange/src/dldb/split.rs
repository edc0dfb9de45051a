//! Finding the elements of the list `data` in a stream of JSON, without holding more than one.

use std::io::Read;

use crate::limits::ELEMENT_BYTES_MAX;
use crate::source::Source;

/// What comes out.
pub(super) enum Piece<'a> {
    /// The bytes of one element and the line on which it begins.
    Element { line: u64, bytes: &'a [u8] },
    /// There should be one, and there is none.
    Broken { line: u64, reason: String },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Outside of the list: `depth` brackets deep.
    Outside {
        depth: u32,
    },
    /// In the list, between elements.
    Between,
    /// In an element, `depth` brackets deep.
    Inside {
        depth: u32,
    },
    End,
}

/// What a byte means for the element.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    More,
    /// The byte is its last one.
    Whole,
    /// The byte before was its last one; this one is looked at again.
    Before,
}

/// Splits the top-level list, or the list `data` of the top-level object.
pub(super) struct Splitter<R> {
    source: Source<R>,
    place: Place,
    in_string: bool,
    escaped: bool,
    record: Vec<u8>,
    line: u64,
    too_long: bool,
    /// The last string outside of the list, and whether a colon followed: the key of what comes.
    key: Vec<u8>,
    key_holds: bool,
    found: bool,
    wrapped: bool,
}

impl<R: Read> Splitter<R> {
    pub(super) fn new(source: Source<R>) -> Self {
        Self {
            source,
            place: Place::Outside { depth: 0 },
            in_string: false,
            escaped: false,
            record: Vec::new(),
            line: 1,
            too_long: false,
            key: Vec::new(),
            key_holds: false,
            found: false,
            wrapped: false,
        }
    }

    pub(super) fn source(&self) -> &Source<R> {
        &self.source
    }

    pub(super) fn next(&mut self) -> Option<Piece<'_>> {
        self.record.clear();
        self.too_long = false;
        while self.place != Place::End {
            let chunk = match self.source.chunk() {
                Ok(chunk) => chunk,
                Err(error) => {
                    self.place = Place::End;
                    let reason = format!("could not read on: {error}");
                    return Some(Piece::Broken { line: self.source.line_number(), reason });
                }
            };
            if chunk.is_empty() {
                return self.end();
            }
            // A copy of one kilobyte at a time, because the state changes while we look at it.
            let mut part = [0; 1024];
            let length = chunk.len().min(part.len());
            part[..length].copy_from_slice(&chunk[..length]);
            let mut lines = self.source.line_number();
            for (n, byte) in part[..length].iter().enumerate() {
                let done = self.step(*byte, lines);
                lines += u64::from(*byte == b'\n');
                if done != Step::More {
                    self.source.consume(n + usize::from(done == Step::Whole));
                    return Some(self.piece());
                }
            }
            self.source.consume(length);
            self.source.note(self.record.len());
        }
        None
    }

    fn piece(&self) -> Piece<'_> {
        if self.too_long {
            let reason = format!("the element is longer than {ELEMENT_BYTES_MAX} bytes");
            return Piece::Broken { line: self.line, reason };
        }
        Piece::Element { line: self.line, bytes: &self.record }
    }

    fn end(&mut self) -> Option<Piece<'_>> {
        let place = std::mem::replace(&mut self.place, Place::End);
        let reason = match place {
            Place::Inside { .. } => "the file ends in the middle of an element",
            Place::Between => "the file ends in the middle of the list",
            Place::Outside { .. } if !self.found => "there is no list `data` in the file",
            Place::Outside { .. } | Place::End => return None,
        };
        let line = if self.found { self.line.max(1) } else { 1 };
        Some(Piece::Broken { line, reason: reason.into() })
    }

    /// Looks at one byte.
    fn step(&mut self, byte: u8, line: u64) -> Step {
        match self.place {
            Place::Outside { depth } => {
                self.outside(byte, depth);
                Step::More
            }
            Place::Between => {
                self.between(byte, line);
                Step::More
            }
            Place::Inside { depth } => self.inside(byte, depth),
            Place::End => Step::More,
        }
    }

    fn outside(&mut self, byte: u8, depth: u32) {
        const KEY_BYTES_MAX: usize = 64;
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ if self.key.len() < KEY_BYTES_MAX => self.key.push(byte),
                _ => {}
            }
            return;
        }
        let data = self.key_holds && self.key == b"data";
        match byte {
            b'"' => {
                (self.in_string, self.key_holds) = (true, false);
                self.key.clear();
            }
            b':' => self.key_holds = true,
            b'[' if !self.found && (depth == 0 || (depth == 1 && data)) => {
                (self.found, self.wrapped) = (true, depth == 1);
                self.place = Place::Between;
            }
            b'{' | b'[' => {
                self.place = Place::Outside { depth: depth.saturating_add(1) };
                self.key_holds = false;
            }
            b'}' | b']' => self.place = Place::Outside { depth: depth.saturating_sub(1) },
            b',' => self.key_holds = false,
            _ => {}
        }
    }

    fn between(&mut self, byte: u8, line: u64) {
        match byte {
            b',' | b' ' | b'\t' | b'\r' | b'\n' => {}
            b']' => {
                self.place = Place::Outside { depth: u32::from(self.wrapped) };
                self.key.clear();
            }
            _ => {
                self.line = line;
                self.in_string = byte == b'"';
                self.place = Place::Inside { depth: u32::from(matches!(byte, b'{' | b'[')) };
                self.push(byte);
            }
        }
    }

    fn inside(&mut self, byte: u8, depth: u32) -> Step {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            self.push(byte);
            return Step::More;
        }
        let depth = match byte {
            b'{' | b'[' => depth.saturating_add(1),
            // After a number or a word the list may go on or end.
            b',' | b']' | b'}' if depth == 0 => {
                self.place = Place::Between;
                return Step::Before;
            }
            b'}' | b']' => depth - 1,
            b'"' => {
                self.in_string = true;
                depth
            }
            _ => depth,
        };
        self.push(byte);
        self.place = Place::Inside { depth };
        if depth == 0 && matches!(byte, b'}' | b']') {
            self.place = Place::Between;
            return Step::Whole;
        }
        Step::More
    }

    fn push(&mut self, byte: u8) {
        if self.record.len() >= ELEMENT_BYTES_MAX {
            self.too_long = true;
            self.record.clear();
        } else if !self.too_long {
            self.record.push(byte);
        }
    }
}
