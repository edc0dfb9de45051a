//! What a command must say when it fails, and what it must leave alone.

use std::fs;
use std::path::Path;

use ortsnetz_tests::{Output, Town};

/// Asserts what [`says`] finds.
#[track_caller]
pub fn assert_says(what: &str, output: &Output, code: i32, parts: &[&str]) {
    if let Err(wrong) = says(what, output, code, parts) {
        panic!("{wrong}");
    }
}

/// Whether a command failed with this code and one line, which has all these parts: what, where, and what to do.
pub fn says(what: &str, output: &Output, code: i32, parts: &[&str]) -> Result<(), String> {
    // The daemon's log goes to standard error as well; its lines begin with the time.
    let lines: Vec<&str> = output.stderr.lines().filter(|line| !line.starts_with("20")).collect();
    let [line] = lines.as_slice() else {
        return Err(format!("{what}: one line is expected: {:?} {:?}", output.stderr, output.stdout));
    };
    if output.code != code || !line.starts_with("ortsnetz: ") {
        return Err(format!("{what}: code {code} is expected: {} {line}", output.code));
    }
    match parts.iter().find(|part| !line.contains(**part)) {
        Some(part) => Err(format!("{what}: {part:?} is not in: {line}")),
        None => Ok(()),
    }
}

/// The names in a data directory and its store; what moves something aside shows here.
pub fn listing(dir: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for directory in [dir.to_owned(), dir.join("store")] {
        let items = fs::read_dir(&directory).into_iter().flatten();
        names.extend(items.filter_map(|item| Some(item.ok()?.path().strip_prefix(dir).ok()?.display().to_string())));
    }
    // Here while a daemon runs, and after one was killed.
    names.retain(|name| name != "http.addr");
    names.sort();
    names
}

/// A running town as it was before something went wrong.
pub struct Before {
    names: Vec<String>,
    entries: serde_json::Value,
    export: String,
}

impl Before {
    /// Now.
    pub fn of(town: &Town) -> Self {
        let export = town.http("GET", "/api/v1/exports?format=jsonl", None).text;
        Self { names: listing(&town.dir), entries: town.status()["entries"].clone(), export }
    }

    /// Asserts that the daemon answers and has what it had, with nothing moved aside.
    #[track_caller]
    pub fn assert_unchanged(&self, what: &str, town: &Town) {
        let now = Self::of(town);
        assert_eq!(now.names, self.names, "{what}: files");
        assert_eq!(now.entries, self.entries, "{what}: entries");
        assert_eq!(now.export, self.export, "{what}: published entries");
    }
}
