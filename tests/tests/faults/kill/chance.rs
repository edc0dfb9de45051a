//! Chance from a seed (SplitMix64), and a line that tells the seed when a test fails.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Gives the seed of a run that failed. Threads and the system add chance of their own, so a run is not repeated
/// exactly, but what is written when and when is killed are.
const SEED_VARIABLE: &str = "ORTSNETZ_KILL_SEED";

/// A stream of chance.
pub struct Chance(u64);

impl Chance {
    /// The same seed gives the same stream.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A time up to this.
    pub fn up_to(&mut self, longest: Duration) -> Duration {
        longest.mul_f64(self.below(1 << 20) as f64 / f64::from(1 << 20))
    }

    /// A stream of its own.
    pub fn branch(&mut self) -> Self {
        Self(self.next())
    }
}

/// The seed of this run; told on standard error if the test fails.
pub struct Seed(pub u64);

impl Seed {
    /// From the environment, or from the clock.
    pub fn of_this_run() -> Self {
        let given = std::env::var(SEED_VARIABLE).ok();
        Self(given.map_or_else(
            || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_micros() as u64),
            |text| text.parse().unwrap_or_else(|_| panic!("{SEED_VARIABLE}: {text:?} is no number")),
        ))
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- again with {SEED_VARIABLE}={}", self.0);
        }
    }
}
