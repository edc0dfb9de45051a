//! Waiting for what shall happen.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. Machines of a test run are slow and shared; what must be fast is
/// measured by the benchmarks.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// Between two looks.
const POLL: Duration = Duration::from_millis(20);

/// Returns as soon as `check` holds.
///
/// # Panics
/// If it does not within [`PATIENCE`].
#[track_caller]
pub fn eventually(what: &str, check: impl FnMut() -> bool) {
    eventually_within(PATIENCE, what, check);
}

/// Returns as soon as `check` holds.
///
/// # Panics
/// If it does not within `patience`.
#[track_caller]
pub fn eventually_within(patience: Duration, what: &str, mut check: impl FnMut() -> bool) {
    look_within(patience, what, || check().then_some(()));
}

/// Returns what `look` finds, as soon as it finds something.
///
/// # Panics
/// If it does not within [`PATIENCE`].
#[track_caller]
pub fn eventually_some<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    look_within(PATIENCE, what, look)
}

#[track_caller]
fn look_within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: did not happen within {} s", patience.as_secs());
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_again_until_it_is_so() {
        let mut looks = 0;
        eventually("the third look", || {
            looks += 1;
            looks == 3
        });
        assert_eq!(looks, 3);
        assert_eq!(eventually_some("at once", || Some(7)), 7);
    }
}
