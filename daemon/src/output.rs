//! Standard output: one JSON document, or lines for people.

use std::borrow::Cow;
use std::io::{self, Write};

use serde_json::Value;

use crate::failure::Failure;

/// How results are printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// One JSON document instead of tables.
    pub(crate) json: bool,
}

impl Output {
    /// Prints the document, or what `lines` makes of it. A JSON object says `"ok": true` unless it says something else.
    pub(crate) fn show<T: serde::de::DeserializeOwned>(
        self,
        document: Value,
        lines: impl FnOnce(T) -> String,
    ) -> Result<(), Failure> {
        self.verdict(document, true, lines)
    }

    /// The same where the command may have found something wrong, which its exit code says too.
    pub(crate) fn verdict<T: serde::de::DeserializeOwned>(
        self,
        mut document: Value,
        ok: bool,
        lines: impl FnOnce(T) -> String,
    ) -> Result<(), Failure> {
        if self.json {
            if let Value::Object(fields) = &mut document {
                fields.entry("ok").or_insert(Value::Bool(ok));
            }
            return self.document(&document);
        }
        let value = serde_json::from_value(document).map_err(|error| {
            Failure::Failed(format!("the daemon's answer was not understood ({error}); do both have the same version?"))
        })?;
        self.text(&lines(value))
    }

    /// Prints one JSON document.
    pub(crate) fn document(self, document: &Value) -> Result<(), Failure> {
        self.text(&format!("{document:#}\n"))
    }

    /// Prints text, without what would command the terminal. A reader that has gone (`| head`) is no failure.
    pub(crate) fn text(self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(harmless(text).as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// A text for a terminal: control characters and those that turn the direction of writing are shown as `\u{..}`. Others wrote
/// much of what is printed, and a title must not move the cursor, colour lines or show another order of words.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    let commands = |c: char| {
        c.is_control() && c != '\n' && c != '\t' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(commands) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| if commands(c) { c.escape_unicode().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(shown).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_commands_no_terminal() {
        assert_eq!(harmless("Hundesteuer\n\tüber 2 Hunde 😀"), "Hundesteuer\n\tüber 2 Hunde 😀");
        assert_eq!(harmless("\u{1b}[31mROT\u{7}"), "\\u{1b}[31mROT\\u{7}");
        assert_eq!(harmless("a\u{202e}b\u{9b}c\r"), "a\\u{202e}b\\u{9b}c\\u{d}");
    }
}
