//! Telling formats apart.

use std::str::FromStr;

/// A format we can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One entry a line.
    JsonLines,
    /// The JSON export of a service directory (Berlin, München).
    Dldb,
    /// A table with a mapping.
    Csv,
    /// The XML of the national exchange format. Recognised, not read yet.
    Xzufi,
}

impl Format {
    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Dldb => "dldb",
            Self::Csv => "csv",
            Self::Xzufi => "xzufi",
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        [Self::JsonLines, Self::Dldb, Self::Csv, Self::Xzufi]
            .into_iter()
            .find(|format| format.as_str() == name)
            .ok_or_else(|| format!("{name:?} is no format we know: auto, jsonl, dldb, csv or xzufi"))
    }
}

/// The format by the first bytes, else by the name of the file.
pub(crate) fn detect(file: &str, start: &[u8]) -> Option<Format> {
    let extension = file.rsplit_once('.').map_or(String::new(), |(_, extension)| extension.to_ascii_lowercase());
    let text = String::from_utf8_lossy(start);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    match text.as_bytes().first() {
        Some(b'<') => Some(Format::Xzufi),
        Some(b'[') => Some(Format::Dldb),
        Some(b'{') if is_dldb(text) => Some(Format::Dldb),
        Some(b'{') => Some(Format::JsonLines),
        _ => match extension.as_str() {
            "jsonl" | "ndjson" | "json" => Some(Format::JsonLines),
            "xml" => Some(Format::Xzufi),
            "csv" | "tsv" => Some(Format::Csv),
            _ => looks_like_a_table(text).then_some(Format::Csv),
        },
    }
}

/// An object that has a list `data` and no `kind` before it, or that does not end on its first line.
fn is_dldb(text: &str) -> bool {
    let first_line = text.lines().next().unwrap_or_default();
    if serde_json::from_str::<serde_json::Value>(first_line).is_ok_and(|line| line.get("data").is_none()) {
        return false;
    }
    let Some(data) = text.find("\"data\"") else { return false };
    text.find("\"kind\"").is_none_or(|kind| data < kind)
        && text[data + "\"data\"".len()..]
            .trim_start()
            .strip_prefix(':')
            .is_some_and(|rest| rest.trim_start().starts_with('['))
}

fn looks_like_a_table(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let separators = |line: &str| line.matches([';', ',', '\t']).count();
    match (lines.next(), lines.next()) {
        (Some(header), Some(_)) => separators(header) > 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_count_more_than_the_name() {
        let cases = [
            ("a.txt", "{\"kind\": \"service\"}\n", Some(Format::JsonLines)),
            ("a.json", "\u{feff}{\n  \"data\": [\n {\"id\": \"1\"}", Some(Format::Dldb)),
            ("a", "{\"created\": \"2016\", \"datacount\": 560, \"data\" : [{\"id\":\"1\"}]}", Some(Format::Dldb)),
            ("a.jsonl", "{\"kind\": \"service\", \"extensions\": {\"data\": [1]}}", Some(Format::JsonLines)),
            ("a.jsonl", "not json", Some(Format::JsonLines)),
            ("a.xml", "<?xml version=\"1.0\"?>", Some(Format::Xzufi)),
            ("a.csv", "Name;Telefon\nBürgeramt;115\n", Some(Format::Csv)),
            ("a", "Name,Telefon\nBürgeramt,115\n", Some(Format::Csv)),
            ("a", "Guten Tag", None),
            ("a", "", None),
        ];
        for (file, start, expected) in cases {
            assert_eq!(detect(file, start.as_bytes()), expected, "{file}: {start}");
        }
    }

    #[test]
    fn names_are_those_of_the_command_line() {
        for format in [Format::JsonLines, Format::Dldb, Format::Csv, Format::Xzufi] {
            assert_eq!(format.as_str().parse(), Ok(format));
        }
        assert!("xls".parse::<Format>().is_err());
    }
}
