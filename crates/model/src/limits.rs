//! Every limit of an entry and its document, in one place.

/// Largest entry as JSON, in bytes. The largest real one we know (a Munich service) has 40 KiB. Less than a chunk, because
/// publishing is one change.
pub const ENTRY_BYTES_MAX: usize = 384 * 1024;
/// Largest text in one language, in bytes of CommonMark.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;
/// Largest block (paragraph, list item, heading, table) of a text, in bytes.
pub const BLOCK_BYTES_MAX: usize = 64 * 1024;
/// Longest string that is not a text: a title, a link, a name; in bytes.
pub const STRING_BYTES_MAX: usize = 8 * 1024;
/// Most elements of one list.
pub const LIST_ELEMENTS_MAX: usize = 1_000;
/// Most languages of one field.
pub const LANGUAGES_MAX: usize = 64;
/// Most scheduled changes of one entry.
pub const SCHEDULED_MAX: usize = 64;
/// Deepest nesting of JSON inside `extensions`.
pub const NESTING_MAX: usize = 32;
/// Longest path in the path language, in bytes.
pub const PATH_BYTES_MAX: usize = 512;
/// Largest raw change that travels, in bytes.
pub const CHUNK_BYTES_MAX: usize = 512 * 1024;
/// Most operations of one change.
pub const CHANGE_OPERATIONS_MAX: usize = 50_000;
/// Most operations of one document.
pub const DOCUMENT_OPERATIONS_MAX: usize = 200_000;
/// Most changes in the history of one document.
pub const HISTORY_CHANGES_MAX: usize = 20_000;
/// Most heads a document may have at once.
pub const HEADS_MAX: usize = 64;
