//! Every limit of reading, in one place. What is over a limit is rejected as one record, with its line.

/// Longest line of JSON Lines, in bytes: an entry of the largest size with its references and companions.
pub const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Largest element of a dldb file, in bytes. The largest real one we know has 40 KiB.
pub const ELEMENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Largest HTML text of one field, in bytes.
pub const HTML_BYTES_MAX: usize = 256 * 1024;
/// Deepest nesting of HTML that is followed; what lies deeper is dropped, and the report says so.
pub const HTML_NESTING_MAX: usize = 64;
/// Largest CSV record, in bytes.
pub const RECORD_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most columns of a CSV file.
pub const COLUMNS_MAX: usize = 1_000;
/// Bytes looked at to tell formats, encodings and delimiters apart.
pub const SNIFF_BYTES: usize = 8 * 1024;
/// Bytes read from the source at once.
pub const READ_BYTES: usize = 64 * 1024;
/// Largest mapping file, in bytes.
pub const MAPPING_BYTES_MAX: usize = 256 * 1024;
