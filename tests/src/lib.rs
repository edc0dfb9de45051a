//! Real daemons, fault injection and rules about the repository.
//!
//! A [`Town`] is a data directory and, while it runs, a process of the `ortsnetz` binary. Tests talk to it as people and
//! programs do: by commands with `--json`, and over HTTP. Nothing sleeps for a fixed time: [`eventually`] looks again
//! until its patience ends.
//!
//! ```no_run
//! use ortsnetz_tests::{Town, eventually};
//!
//! let dir = tempfile::tempdir().unwrap();
//! let siegburg = Town::new(dir.path(), "Stadt Siegburg", "053820060060");
//! let bonn = Town::new(dir.path(), "Stadt Bonn", "053140000000");
//! siegburg.befriend(&bonn);
//! let id = siegburg.publish("service", &["title.de=Hundesteuer"]);
//! eventually("Bonn holds it", || bonn.shown(&id)["meta"]["state"] == "published");
//! ```

mod binary;
mod bytes;
mod hostile;
mod netns;
mod patience;
mod town;

pub use binary::{binary, test_data};
pub use bytes::Bytes;
pub use hostile::Hostile;
pub use netns::{Cut, End, Line, Networks, end};
pub use patience::{PATIENCE, eventually, eventually_some, eventually_within};
pub use town::{Answer, Output, Place, Town};
