//! The edge where time and chance come in.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use ortsnetz_model::dates;
use rand::RngCore;

/// How far this process's clock was set forward, for tests of days to come.
static AHEAD_MS: AtomicU64 = AtomicU64::new(0);

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
    time + AHEAD_MS.load(Ordering::Relaxed)
}

/// Sets the clock of all nodes in this process forward, for tests: what is published then is of that day.
#[doc(hidden)]
pub fn set_forward(ms: u64) {
    AHEAD_MS.fetch_add(ms, Ordering::Relaxed);
}

/// Sets it back again, for tests.
#[doc(hidden)]
pub fn set_back(ms: u64) {
    AHEAD_MS.fetch_sub(ms, Ordering::Relaxed);
}

/// RFC 3339 in UTC.
pub(crate) fn rfc3339(at: u64) -> String {
    dates::rfc3339(at)
}

/// Random bytes from the system.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}
