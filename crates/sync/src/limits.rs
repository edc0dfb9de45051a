//! Every limit of the engine, with its unit. Tests hold each at and over.

/// Longest frame on the wire, in bytes.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;

/// Most bytes a frame may inflate to. A page of highly repetitive entries stays below.
pub const INFLATED_BYTES_MAX: usize = 2 * 1024 * 1024;

/// What a page should have on the wire at most, in compressed bytes. A single larger entry makes a larger page.
pub const PAGE_BYTES: usize = 64 * 1024;

/// Most raw bytes put into one page; a larger entry travels as `Changes` on request.
pub const PAGE_RAW_BYTES_MAX: usize = 512 * 1024;

/// Most records in one page.
pub const PAGE_RECORDS_MAX: usize = 256;

/// Raw bytes of chunks in one `Changes` frame.
pub const CHANGES_BYTES: usize = 512 * 1024 + 16 * 1024;

/// Most raw bytes of chunks collected for one wanted entry.
pub const DOCUMENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes of pages that may be under way to one reader and not yet stored there; or a twentieth of what it has already
/// stored in this catch-up, if that is more. With the greeting a crash costs at most 256 KiB.
pub const WINDOW_BYTES: usize = 240 * 1024;

/// Records of one batch: stored atomically, with the totals in the last.
pub const BATCH_RECORDS_MAX: usize = 64;

/// Publish requests waiting for the commit under way.
pub const PUBLISH_QUEUE_MAX: usize = 4096;

/// Entries asked for at one time from one peer with `Want`; halved each time its answers are more than we hold at once.
pub const WANTS_MAX: usize = 64;

/// Heads one `Want` names.
pub const WANT_HEADS_MAX: usize = 256;

/// Raw bytes of answers to `Want` of one peer that are not stored yet. What is above is asked for again, less at a time.
pub const WANTED_BYTES_PER_PEER_MAX: usize = 16 * 1024 * 1024;

/// Feeds one `Have` names; more follow in the next.
pub const HAVE_FEEDS_MAX: usize = 4096;

/// Chains one `Have` names; more follow in the next.
pub const HAVE_CHAINS_MAX: usize = 4096;

/// Feeds a peer may tell us about.
pub const FEEDS_PER_PEER_MAX: usize = 16_384;

/// Organisations whose statements a peer may tell us about.
pub const CHAINS_PER_PEER_MAX: usize = 16_384;

/// Chains asked for at one time from one peer.
pub const CHAINS_ASKED_MAX: usize = 16;

/// Feeds read at the same time from all peers.
pub const READING_FEEDS_MAX: usize = 64;

/// Of these, from one peer: who answers slowly holds up its own.
pub const READING_PER_PEER_MAX: usize = 8;

/// Catch-ups in a row that brought nothing although the peer said to have more; then it is not asked for a while.
pub const UNKEPT_MAX: u32 = 3;

/// Streams of pages one peer may have open with us. With one more the oldest ends: a reader that waited too long asks for others.
pub const STREAMS_PER_PEER_MAX: usize = 8;

/// How often in a minute that may happen; more is no honest reader.
pub const GIVEN_UP_PER_MINUTE_MAX: u32 = 240;

/// Loads for pages under way at one time; live edits and wants do not count.
pub const BULK_LOADS_MAX: usize = 4;

/// Entries on their way from disk for one peer. More requests wait.
pub const SERVING_PER_PEER_MAX: usize = 4;

/// Requests of one peer (`Want`, `Audit`, `AuditLeaves`, `AskChain`) that wait for their answer. One more and it is closed.
pub const REQUESTS_PER_PEER_MAX: usize = 256;

/// Bytes on their way to one peer. Beyond, nothing more is read from disk for it until they have left.
pub const OUTGOING_BYTES: usize = 4 * 1024 * 1024;

/// Bytes that wait because a peer does not read them. One more and it is closed.
pub const UNREAD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a piece (a frame, a change) counts beside its bytes, so that many empty ones are not for nothing.
pub const PIECE_BYTES: usize = 64;

/// Changes in one page or one wanted entry.
pub const PIECES_MAX: usize = 20_000;

/// Pages and pushes of one peer waiting to be accepted or stored. One more and the rest of the stream is asked again.
pub const INBOX_PER_PEER_MAX: usize = 128;

/// Raw bytes of the same, and of those being accepted and stored.
pub const INBOX_BYTES_PER_PEER_MAX: usize = 16 * 1024 * 1024;

/// Trees compared with one peer at one time in order to repair ours.
pub const AUDITS_PER_PEER_MAX: usize = 4;

/// Records given back in one `Yours`.
pub const YOURS_RECORDS_MAX: usize = 16;

/// Most live entries of one feed. A feed that grows beyond is held and shown.
pub const FEED_ENTRIES_MAX: usize = 500_000;

/// Bytes a peer may push without being asked, per minute. What is above is asked for later at our own pace.
pub const PUSH_BYTES_PER_MINUTE: u64 = 16 * 1024 * 1024;

/// Records a peer may push without being asked, per minute.
pub const PUSH_RECORDS_PER_MINUTE: u64 = 4096;

/// Statements of one organisation that a peer may send: more than all its kinds together can have.
pub const CHAIN_STATEMENTS_MAX: usize = 16 * 1024;

/// Bytes of statements of one peer that were not taken in yet.
pub const CHAIN_BYTES_PER_PEER_MAX: usize = 16 * 1024 * 1024;

/// Records set aside that are kept for one feed.
pub const SET_ASIDE_MAX: usize = 1024;

/// A beat is sent when nothing else was for so long.
pub const BEAT_MS: u64 = 15_000;

/// A peer that was silent for so long is closed.
pub const DEAD_MS: u64 = 40_000;

/// An unanswered request is given up after this and tried elsewhere.
pub const REQUEST_MS: u64 = 30_000;

/// A peer that sent something invalid in a feed is not asked for this feed for so long.
pub const BLOCKED_MS: u64 = 10 * 60_000;

/// Peers that say again what they have are audited again at most this often.
pub const AUDIT_ANEW_MS: u64 = 1_000;

/// A checkpoint is due after this.
pub const CHECKPOINT_MS: u64 = 24 * 3_600_000;

/// A feed without a newer checkpoint is stale after this. The hour is for checkpoints on their way.
pub const STALE_MS: u64 = 25 * 3_600_000;

/// A record whose epoch is further ahead of our clock is held back.
pub const AHEAD_MS: u64 = 24 * 3_600_000;

/// A reader list older than this is not served to others by a relay, unless it is `public`.
pub const LIST_AGE_MS: u64 = 7 * 24 * 3_600_000;

/// Publishing into a feed waits so long at most for own data to come back.
pub const FETCH_BACK_MS: u64 = 60_000;

/// An own feed that differs from what was signed is counted anew as it is when nobody could explain the difference for so
/// long: everybody connected was asked four times.
pub const OWN_LOSS_MS: u64 = 4 * 60_000;

/// A relay tells readers that are partners of the owner themselves after this; by then most have it.
pub const ANNOUNCE_MS: u64 = 2_000;

/// What was taken in from a peer is remembered at most this often.
pub const REMEMBER_MS: u64 = 5_000;
/// That a peer and we are in sync is told when it becomes so, and while both go on changing at most this often.
pub const IN_SYNC_MS: u64 = 60_000;

/// Whether a frame left both in sync is looked at this often at most: the time told when a connection ends is as exact.
pub const SEEN_MS: u64 = 1_000;
