//! The `ortsnetz` binary.
fn main() {}
