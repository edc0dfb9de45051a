//! Every limit of the HTTP side, in one place.

/// Largest JSON body, in bytes. The largest entry has 1 MiB; escapes can double it, and a larger one should still reach
/// the check that names its path.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Largest CSV mapping in its header, in bytes of base64url.
pub const MAPPING_BYTES_MAX: usize = 48 * 1024;
/// Longest search text, in characters. A sentence read out on the phone has about 150.
pub const QUERY_CHARS_MAX: usize = 300;
/// Most hits of one answer.
pub const HITS_MAX: usize = 200;
/// Hits of one answer if nothing is said.
pub const HITS_DEFAULT: usize = 20;
/// Most rows of one page of entries.
pub const ROWS_MAX: usize = 1_000;
/// Rows of one page of entries if nothing is said.
pub const ROWS_DEFAULT: usize = 100;
/// Imports and exports that run at the same time; one more is asked to come back.
pub const TRANSFERS_MAX: usize = 4;
/// Listeners to `events` at the same time.
pub const EVENT_STREAMS_MAX: usize = 64;
/// Pieces of a streamed body between the network and the thread that reads or writes it.
pub const STREAM_PIECES_MAX: usize = 8;
/// Size of one piece of a streamed answer, in bytes.
pub const STREAM_PIECE_BYTES: usize = 64 * 1024;
/// How much of a body is still read, in bytes, after what reads it gave up, so that the answer gets through.
pub const DRAINED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Offices shown on the page of one service.
pub const OFFICES_SHOWN_MAX: usize = 12;
/// Areas of a responsibility that its page names; further ones stand there as ARS.
pub const AREAS_NAMED_MAX: usize = 50;
/// Hits asked for a results page.
pub const PAGE_HITS_MAX: usize = 60;
/// How long open requests may take after the stop signal, in milliseconds.
pub const STOP_MS_MAX: u64 = 5_000;
