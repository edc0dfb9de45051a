//! Limits of what is asked live (docs/protocol.md).

/// Most collections one question names.
pub const COLLECTIONS_MAX: usize = 64;
/// Characters of the words, the place and each other text of a question.
pub const TEXT_CHARS_MAX: usize = 512;
/// Most entries in one answer: what was found, and what belongs to it.
pub const ENTRIES_MAX: usize = 40;
/// Changes of one entry in an answer.
pub const CHANGES_MAX: usize = 4096;
/// Bytes of records and changes in one answer; what does not fit any more is left out.
pub const ANSWER_BYTES_MAX: usize = 128 * 1024;
/// Questions of one organisation answered in a minute.
pub const QUESTIONS_PER_MINUTE_MAX: u32 = 240;
/// How long an answer is waited for at most, in milliseconds.
pub const DEADLINE_MS_MAX: u64 = 10_000;
/// Organisations asked at one time.
pub const ASKED_MAX: usize = 200;
/// Entries of one organisation that lie here at one time.
pub const BORROWED_MAX: usize = 1_000;
