//! What owners and keepers of sealed copies may do to each other.

use ortsnetz_trust::limits::SEALED_BYTES_MAX;

/// Partners that keep our copies.
pub(crate) const KEEPERS_MAX: usize = 8;
/// Partners whose copies we keep.
pub(crate) const KEPT_MAX: usize = 64;
/// Megabytes (of 1,000,000 bytes) that may be agreed for one partner: two of the longest copies.
pub(crate) const MEGABYTES_MAX: u64 = 2 * SEALED_BYTES_MAX / MEGABYTE;
pub(crate) const MEGABYTE: u64 = 1_000_000;

/// Questions of one partner a minute: with each a piece, 400 MB.
pub(crate) const ASKS_PER_MINUTE_MAX: u32 = 3_000;
/// New copies of one partner that are begun in an hour.
pub(crate) const OFFERS_PER_HOUR_MAX: u32 = 12;
/// Of what is agreed, so many times as much is taken in a day.
pub(crate) const FILLINGS_PER_DAY_MAX: u64 = 4;

/// A copy is made after so long, if anything changed; earlier after a backup.
pub(crate) const SEALED_EVERY_MS: u64 = 24 * 60 * 60 * 1000;
/// A keeper proves once in this time that it still has its copy.
pub(crate) const PROVE_EVERY_MS: u64 = 24 * 60 * 60 * 1000;
/// Pieces it has to give back for that. Who lost a tenth of the copy is found out within a week by 95 in 100.
pub(crate) const PROOF_PIECES: u64 = 4;
/// A keeper that gives fewer bytes a second, after a first minute, is left for another.
pub(crate) const RATE_MIN: u64 = 8 * 1024;
