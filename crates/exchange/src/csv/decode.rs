//! Records and characters of a CSV file.

use std::borrow::Cow;
use std::io::{self, Read};

use super::mapping::Encoding;
use crate::limits::RECORD_BYTES_MAX;
use crate::source::{Source, Taken};

/// What Windows-1252 means by 0x80 to 0x9f; five of them mean nothing.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{fffd}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{fffd}', 'Ž', '\u{fffd}', '\u{fffd}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{fffd}', 'ž', 'Ÿ',
];
/// Delimiters we look for in the header line.
const DELIMITERS: [u8; 4] = [b';', b',', b'\t', b'|'];

/// The text in bytes; `None` if it is not in this encoding. Without one, what is no UTF-8 is Windows-1252.
pub(super) fn decode(bytes: &[u8], encoding: Option<Encoding>) -> Option<Cow<'_, str>> {
    match (std::str::from_utf8(bytes), encoding) {
        (Ok(text), None | Some(Encoding::Utf8)) => Some(Cow::Borrowed(text)),
        (Err(_), Some(Encoding::Utf8)) => None,
        (_, None | Some(Encoding::Windows1252)) => Some(bytes.iter().map(|byte| character(*byte)).collect()),
    }
}

fn character(byte: u8) -> char {
    match byte {
        0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
        byte => char::from(byte),
    }
}

/// Whether the first bytes are UTF-8 with characters beyond ASCII: then all must be.
pub(super) fn is_utf8(start: &[u8]) -> bool {
    let valid = match std::str::from_utf8(start) {
        Ok(_) => start.len(),
        // Cut in the middle of a character.
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Err(_) => return false,
    };
    !start[..valid].is_ascii()
}

/// The delimiter that occurs most often in the first line, outside of quotes.
pub(super) fn delimiter(start: &[u8]) -> u8 {
    let mut counts = [0_usize; DELIMITERS.len()];
    let mut quoted = false;
    for byte in start {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            byte if !quoted => {
                if let Some(at) = DELIMITERS.iter().position(|delimiter| delimiter == byte) {
                    counts[at] += 1;
                }
            }
            _ => {}
        }
    }
    let most = counts.iter().max().copied().unwrap_or(0);
    let at = counts.iter().position(|count| *count == most).unwrap_or(0);
    DELIMITERS[at]
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Plain,
    Quoted,
    /// After a quote inside of quotes: the end, or the first of two.
    Quote,
}

/// The bytes of the next record: a line, or several if a quoted cell goes over them.
///
/// # Errors
/// Those of the source.
pub(super) fn record<R: Read>(source: &mut Source<R>, delimiter: u8, record: &mut Vec<u8>) -> io::Result<Taken> {
    let mut state = State::Start;
    let mut line = Vec::new();
    record.clear();
    loop {
        match source.line(&mut line, RECORD_BYTES_MAX - record.len())? {
            Taken::TooLong => return Ok(Taken::TooLong),
            Taken::End if record.is_empty() => return Ok(Taken::End),
            // A quote that nobody closes takes everything with it, up to the limit.
            Taken::End => return Ok(Taken::TooLong),
            Taken::Whole => {}
        }
        for byte in &line {
            state = match (state, *byte) {
                (State::Start | State::Quote, b'"') => State::Quoted,
                (State::Quoted, b'"') => State::Quote,
                (State::Quoted, _) => State::Quoted,
                (_, byte) if byte == delimiter => State::Start,
                _ => State::Plain,
            };
        }
        record.extend_from_slice(&line);
        source.note(record.len() + line.len());
        if state != State::Quoted {
            return Ok(Taken::Whole);
        }
        if record.len() >= RECORD_BYTES_MAX {
            return Ok(Taken::TooLong);
        }
        record.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_text() {
        assert_eq!(decode(b"M\xfcnchen \x80", None).unwrap(), "München €");
        assert_eq!(decode("München".as_bytes(), None).unwrap(), "München");
        assert_eq!(decode(b"M\xfcnchen", Some(Encoding::Utf8)), None);
        assert_eq!(decode(b"\xc3\xbc", Some(Encoding::Windows1252)).unwrap(), "Ã¼");
        assert!(is_utf8("ü".as_bytes()) && is_utf8(&"aü€".as_bytes()[..4]));
        assert!(!is_utf8(b"abc") && !is_utf8(b"M\xfcn"));
        assert_eq!(delimiter(b"a;\"b,c,d\";e\nf,g,h"), b';');
        assert_eq!(delimiter(b"a\tb"), b'\t');
    }

    #[test]
    fn a_quoted_cell_may_go_over_lines() {
        let mut source = Source::new("a;\"b\n\"\"c\"\nd;5\" Rohr\n\"offen\n".as_bytes());
        let mut bytes = Vec::new();
        let mut next = || {
            let taken = record(&mut source, b';', &mut bytes).unwrap();
            (taken, String::from_utf8(bytes.clone()).unwrap())
        };
        assert_eq!(next(), (Taken::Whole, "a;\"b\n\"\"c\"".into()));
        assert_eq!(next(), (Taken::Whole, "d;5\" Rohr".into()));
        assert_eq!(next().0, Taken::TooLong);
        assert_eq!(next().0, Taken::End);
    }
}
