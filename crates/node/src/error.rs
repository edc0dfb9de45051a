//! What can go wrong when a node is asked something.

/// One situation a caller can treat differently; the text is one line that says what, where and what to do next.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NodeError {
    /// What was given as an argument makes no sense, whatever the state; the text says what is expected. HTTP 400,
    /// exit 2.
    #[error("{0}")]
    Invalid(String),
    /// A file that was given cannot be read; the arguments are right. HTTP 422, exit 1 like all others.
    #[error("{0}")]
    Unreadable(String),
    /// No such entry, partner, collection. HTTP 404.
    #[error("{0}")]
    NotFound(String),
    /// The state moved on or stands against it (conflicts, If-Match, already done). HTTP 409 or 412.
    #[error("{0}")]
    Conflict(String),
    /// `If-Match` does not name the present heads. HTTP 412.
    #[error("{0}")]
    Precondition(String),
    /// The organisation's rules do not allow it here (role, not the publisher, no root key). HTTP 403.
    #[error("{0}")]
    Forbidden(String),
    /// A limit was reached; the text names it. HTTP 413.
    #[error("{0}")]
    TooLarge(String),
    /// The partner or the network did not answer. HTTP 504.
    #[error("{0}")]
    Unreachable(String),
    /// The disk is full, the store failed, the node is stopping. HTTP 503.
    #[error("{0}")]
    Unavailable(String),
}

impl From<ortsnetz_store::StoreError> for NodeError {
    fn from(error: ortsnetz_store::StoreError) -> Self {
        match error {
            ortsnetz_store::StoreError::TooLarge { .. } => Self::TooLarge(error.to_string()),
            ortsnetz_store::StoreError::Refused { .. } => Self::Conflict(error.to_string()),
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<ortsnetz_model::DocumentError> for NodeError {
    fn from(error: ortsnetz_model::DocumentError) -> Self {
        use ortsnetz_model::DocumentError as E;
        match error {
            E::UnknownVersion(_) | E::NoSuchConflict { .. } => Self::NotFound(error.to_string()),
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<ortsnetz_model::EntryError> for NodeError {
    fn from(error: ortsnetz_model::EntryError) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl From<ortsnetz_model::IdError> for NodeError {
    fn from(error: ortsnetz_model::IdError) -> Self {
        Self::Invalid(error.to_string())
    }
}
