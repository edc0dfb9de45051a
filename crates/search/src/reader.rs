//! Asking.

use ortsnetz_model::FeedId;

use crate::index::SearchError;
use crate::query::{Hits, Query, Standing};

/// The reading side: cheap to clone, usable from any thread. It sees the last commit.
#[derive(Clone)]
pub struct Reader {}

impl Reader {
    /// Answers a question. `standing` is asked once per feed: `None` means that whoever asks must not read it.
    pub fn search(&self, query: &Query, standing: &dyn Fn(&FeedId) -> Option<Standing>) -> Result<Hits, SearchError> {
        let _ = (query, standing);
        Err(SearchError::Locked)
    }

    /// How many entries the index holds.
    pub fn entries(&self) -> u64 {
        0
    }

    /// How many bytes it takes on disk.
    pub fn disk_bytes(&self) -> u64 {
        0
    }
}
