//! Everything a stranger may send has a limit, and the limit a name.

/// Longest payload of a statement in bytes. A reader list of 1,024 organisations takes 45 KiB.
pub const STATEMENT_BYTES_MAX: usize = 96 * 1024;
/// Signatures one statement may carry; more than two only while keys are being replaced.
pub const SIGNATURES_MAX: usize = 8;
/// Longest name of an organisation, node or collection in bytes.
pub const NAME_BYTES_MAX: usize = 200;
/// Addresses a certificate or an invitation may name.
pub const ADDRESSES_MAX: usize = 16;
/// Longest address (a multiaddr as text) in bytes.
pub const ADDRESS_BYTES_MAX: usize = 256;
/// Organisations a reader list may name.
pub const READERS_MAX: usize = 1024;
/// Nodes an organisation may certify over time.
pub const NODES_MAX: usize = 256;
/// Publisher terms of an organisation.
pub const TERMS_MAX: usize = 4096;
/// Root keys an organisation may have over time.
pub const ROTATIONS_MAX: usize = 64;
/// Collections of one organisation: every partnership brings one.
pub const COLLECTIONS_MAX: usize = 2048;
/// Collections an organisation makes for itself, ended ones included: of all, what the three initial ones and one for
/// each partnership leave.
pub const OWN_COLLECTIONS_MAX: usize = 1021;
const _: () = assert!(OWN_COLLECTIONS_MAX + PARTNERSHIPS_MAX + 3 == COLLECTIONS_MAX);
/// Removals of readers that are kept: four for each partnership. Beyond it lists are still narrowed, but the removed one
/// is not told.
pub const REMOVALS_MAX: usize = 4096;
/// Partnerships of one organisation, ended ones included.
pub const PARTNERSHIPS_MAX: usize = 1024;
/// Deletions an organisation states, one for each node and organisation that left.
pub const DELETIONS_MAX: usize = 4096;
/// How far ahead the day may lie on which an organisation leaves, in milliseconds (two years).
pub const LEAVING_AHEAD_MS_MAX: u64 = 2 * 366 * 24 * 60 * 60 * 1000;
/// Days for which others may keep what they hold of an organisation that left.
pub const KEEP_DAYS_MAX: u32 = 365;
/// The same, where the organisation says nothing else.
pub const KEEP_DAYS: u32 = 30;
/// Longest telephone number in bytes.
pub const TELEPHONE_BYTES_MAX: usize = 64;
/// Longest note of an organisation that leaves, in bytes.
pub const NOTE_BYTES_MAX: usize = 500;
/// Contradictions of one organisation that are kept as evidence.
pub const CONFLICTS_MAX: usize = 16;

/// Records that may share one tree root and are stored together.
pub const BATCH_RECORDS_MAX: usize = 64;
/// Longest record in bytes, signature not counted. A checkpoint with all cuts takes about 40 KiB.
pub const RECORD_BYTES_MAX: usize = 64 * 1024;
/// Heads a record may name per document.
pub const HEADS_MAX: usize = 32;
/// Earlier epochs a checkpoint may name.
pub const CUTS_MAX: usize = 2048;
/// Documents (home and companions) one draft record may name.
pub const DRAFT_DOCUMENTS_MAX: usize = 16;
/// Longest reason of a refusal in bytes.
pub const REASON_BYTES_MAX: usize = 500;
/// How far a record may lie ahead of our clock before it is held back, in milliseconds.
pub const AHEAD_MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// Longest change chunk in bytes, header included.
pub const CHUNK_BYTES_MAX: usize = 512 * 1024;
/// Changes one change may depend on.
pub const CHUNK_DEPS_MAX: usize = 64;
/// Chunks one delivery may hold.
pub const DELIVERY_CHUNKS_MAX: usize = 20_000;
/// Bytes of all chunks of one delivery.
pub const DELIVERY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Operations one change may expand to.
pub const CHANGE_OPERATIONS_MAX: u64 = 50_000;
/// Operations one delivery may expand to.
pub const DOCUMENT_OPERATIONS_MAX: u64 = 200_000;

/// Operations all changes of one page may expand to. A page has 512 KiB, and an operation several bytes.
pub const PAGE_OPERATIONS_MAX: u64 = 400_000;

/// Longest time an invitation may be open, in milliseconds (30 days).
pub const INVITATION_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1000;
/// Longest invitation as text, in characters.
pub const TOKEN_CHARS_MAX: usize = 8192;
/// Wrong proofs after which an invitation is closed.
pub const WRONG_PROOFS_MAX: u32 = 5;
/// Longest message of the join protocol in bytes: one organisation's chain in one frame of 1 MiB. That of an
/// organisation with 500 partners takes about 400 KiB.
pub const JOIN_MESSAGE_BYTES_MAX: usize = 1024 * 1024 - 1024;

/// Longest receipt file in bytes: a delivery in base64, the entry as text, and the chain.
pub const RECEIPT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Statements a receipt may hold: all root keys, certificates, revocations and terms, and one collection, with room to spare.
pub const RECEIPT_STATEMENTS_MAX: usize = 8 * 1024;
/// Items in one leaf of the tree; with 2 million entries there are about 500.
pub const RECEIPT_LEAF_ITEMS_MAX: usize = 16 * 1024;

/// Length of each piece of a sealed copy but the last, in bytes. One is under way at a time, so that a live edit waits for
/// no more than that.
pub const SEALED_PIECE_BYTES: usize = 128 * 1024;
/// Longest sealed copy in bytes: what only its owner has of two million entries is less.
pub const SEALED_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;
/// Hashes between a piece of the longest copy and the root.
pub const SEALED_PATH_MAX: usize = 17;
/// Whole copies of one organisation that are kept; the oldest go.
pub const SEALED_VERSIONS_MAX: usize = 3;
/// Longest message between owner and keeper in bytes: a piece and its path.
pub const KEEP_MESSAGE_BYTES_MAX: usize = 160 * 1024;
/// Longest reason of a keeper that refuses, in bytes.
pub const KEEP_REASON_BYTES_MAX: usize = 500;
