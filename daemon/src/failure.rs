//! The one place where an error becomes a line and an exit code.
//!
//! Exit code 2 says that the arguments make no sense on any node at any time: a damaged token, something that is no id, a
//! date that is none. Whoever typed them must type something else. What was typed well and did not work out is 1: a token
//! that has expired or was used, an id that nothing has, a file that cannot be read.

use std::io::Write as _;
use std::process::ExitCode;

use ortsnetz_node::NodeError;

use crate::output::harmless;

/// Why the program ends early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It did not work: exit code 1, with what to do next.
    Failed(String),
    /// Everything was done and reported, and the answer is no: exit code 1 without another line.
    Told,
    /// Wrong usage: exit code 2.
    Usage(String),
    /// No daemon answers for this data directory: exit code 3.
    NoDaemon(String),
}

impl Failure {
    /// Prints the line, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let (code, message) = match self {
            Self::Failed(message) => (1, Some(message)),
            Self::Told => (1, None),
            Self::Usage(message) => (2, Some(message)),
            Self::NoDaemon(message) => (3, Some(message)),
        };
        if let Some(message) = message {
            let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
            // Nowhere left to complain.
            let _ = writeln!(std::io::stderr(), "ortsnetz: {}", harmless(&line));
        }
        ExitCode::from(code)
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Invalid(message) => Self::Usage(message),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(format!("{error:#}"))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_arguments_and_wrong_content_differ() {
        let usage = Failure::from(NodeError::Invalid("ars: 12 digits are expected".into()));
        assert_eq!(usage, Failure::Usage("ars: 12 digits are expected".into()));
        assert!(matches!(Failure::from(NodeError::Unreadable("x".into())), Failure::Failed(_)));
        assert!(matches!(Failure::from(NodeError::NotFound("x".into())), Failure::Failed(_)));
    }
}
