//! The room needed does not depend on the length of the file.

use std::io::{self, Read};

use ortsnetz_exchange::{Format, Options, Resolver, read};
use ortsnetz_model::OrgId;

/// Makes records as somebody reads them.
struct Endless {
    head: &'static str,
    record: fn(u64) -> String,
    tail: &'static str,
    count: u64,
    next: u64,
    pending: Vec<u8>,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.pending.is_empty() && self.next <= self.count + 1 {
            self.pending = match self.next {
                0 => self.head.as_bytes().to_vec(),
                n if n <= self.count => (self.record)(n).into_bytes(),
                _ => self.tail.as_bytes().to_vec(),
            };
            self.next += 1;
        }
        let count = self.pending.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.pending[..count]);
        self.pending.drain(..count);
        Ok(count)
    }
}

/// Reads everything; returns how many records came and how many bytes were held at most.
fn drain(
    format: Format,
    head: &'static str,
    record: fn(u64) -> String,
    tail: &'static str,
    count: u64,
) -> (u64, usize) {
    let mut options = Options::new(Resolver::new(OrgId([4; 32])), "endless");
    options.format = Some(format);
    let source = Endless { head, record, tail, count, next: 0, pending: Vec::new() };
    let mut import = read(source, options).unwrap();
    (import.by_ref().count() as u64, import.buffered_max())
}

/// Most lines are none, so that the test is quick.
fn line(n: u64) -> String {
    if !n.is_multiple_of(100) {
        return format!("line {n} is no entry\n");
    }
    format!(
        "{{\"kind\":\"form\",\"identifier\":{{\"agency\":\"A\",\"scheme\":\"F\",\"value\":\"{n}\"}},\"title\":{{\"de\":\"x\"}},\"url\":\"https://a.de/{n}\"}}\n"
    )
}

#[test]
fn a_million_lines_need_no_more_room_than_a_thousand() {
    let few = drain(Format::JsonLines, "", line, "", 1_000);
    let many = drain(Format::JsonLines, "", line, "", 1_000_000);
    assert_eq!((few.0, many.0), (1_000, 1_000_000));
    assert!(many.1 <= few.1 + 16, "{} {}", few.1, many.1);
    assert!(many.1 < 256 * 1024, "{}", many.1);
}

#[test]
fn elements_and_rows_are_streamed_too() {
    let element = |n: u64| format!("{}{{\"id\": \"{n}\", \"name\": \"x\"}}\n", if n > 1 { "," } else { "" });
    let row = |n: u64| format!("form;A;F;{n};x;https://a.de/{n}\n");
    let dldb = |count| drain(Format::Dldb, "{\"data\": [", element, "], \"meta\": {}}", count);
    let head = "kind;identifier.agency;identifier.scheme;identifier.value;title.de;url\n";
    let csv = |count| drain(Format::Csv, head, row, "", count);
    for (few, many) in [(dldb(1_000), dldb(5_000)), (csv(1_000), csv(5_000))] {
        assert_eq!((few.0, many.0), (1_000, 5_000));
        assert!(many.1 <= few.1 + 16, "{} {}", few.1, many.1);
    }
}
