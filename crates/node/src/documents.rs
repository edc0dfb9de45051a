//! Documents in the store: reading them, and when to save a compact form.

use ortsnetz_model::{Chunk, Document, DocumentId};
use ortsnetz_store::{Side, Store};

use crate::error::NodeError;

/// Loads a document; `None` if nothing of it is stored.
///
/// # Errors
/// Stored bytes that are damaged or incomplete.
pub(crate) fn load(store: &Store, side: Side, id: &DocumentId) -> Result<Option<Document>, NodeError> {
    let stored = store.document(side, id)?;
    from_stored(stored)
}

/// A document from what the store holds of it.
pub(crate) fn from_stored(stored: ortsnetz_store::Document) -> Result<Option<Document>, NodeError> {
    let chunks: Vec<Chunk> = stored.chunks.into_iter().map(Chunk::from_bytes).collect();
    if let Some(bytes) = stored.snapshot
        && let Ok(mut document) = Document::load_saved(&bytes)
    {
        document.apply(&chunks)?;
        return Ok(Some(document));
    }
    if chunks.is_empty() {
        return Ok(None);
    }
    Ok(Some(Document::from_chunks(&chunks)?))
}
