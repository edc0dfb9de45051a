//! The edge where time and chance come in.

use std::time::{SystemTime, UNIX_EPOCH};

use ortsnetz_model::dates;
use rand::RngCore;

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64)
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
