//! Standard output: one JSON document, or lines for people.

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
    /// Prints the document as it is, or what `lines` makes of it.
    pub(crate) fn show<T: serde::de::DeserializeOwned>(
        self,
        document: Value,
        lines: impl FnOnce(T) -> String,
    ) -> Result<(), Failure> {
        if self.json {
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

    /// Prints text as it is. A reader that has gone (`| head`) is no failure.
    pub(crate) fn text(self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }
}
