//! Rules about the repository itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository is there")
}

/// Which of our crates each of our crates may use (docs/architecture.md draws it).
fn allowed() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from([
        ("model", [].as_slice()),
        ("trust", &["model"]),
        ("sync", &["model", "trust"]),
        ("store", &["model", "trust"]),
        ("net", &["model", "trust"]),
        ("search", &["model", "trust"]),
        ("exchange", &["model", "trust"]),
        ("service", &["model"]),
        ("node", &["model", "trust", "sync", "store", "net", "search", "exchange", "service"]),
        ("api", &["model", "service", "node"]),
        ("daemon", &["model", "node", "api"]),
    ])
}

fn metadata() -> serde_json::Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

fn short(name: &str) -> &str {
    if name == "ortsnetz" { "daemon" } else { name.strip_prefix("ortsnetz-").unwrap_or(name) }
}

#[test]
fn crates_use_each_other_only_along_the_arrows() {
    let metadata = metadata();
    let allowed = allowed();
    let mut seen = BTreeSet::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = short(package["name"].as_str().expect("a name"));
        if name == "tests" {
            continue;
        }
        seen.insert(name.to_owned());
        let may = allowed.get(name).unwrap_or_else(|| panic!("crate {name} is not in the picture: add it to tidy.rs"));
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let dependency_name = dependency["name"].as_str().expect("a name");
            if dependency["kind"].as_str() == Some("dev") || !dependency_name.starts_with("ortsnetz-") {
                continue;
            }
            assert!(may.contains(&short(dependency_name)), "{name} must not use {dependency_name}");
        }
    }
    assert_eq!(seen, allowed.keys().map(|name| (*name).to_owned()).collect(), "every crate of the picture exists");
}

/// All files git would take, relative to the root.
fn files() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("paths are UTF-8").lines().map(str::to_owned).collect()
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(root().join(path)).ok()
}

/// The part of a source file before its tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

#[test]
fn sync_and_trust_know_no_clock_no_chance_no_threads_and_no_hash_order() {
    let words = [
        "Instant::now",
        "SystemTime::now",
        "OsRng",
        "thread_rng",
        "rand::rng()",
        "thread::spawn",
        "HashMap",
        "HashSet",
    ];
    let mut looked_at = 0;
    for path in files() {
        if !(path.starts_with("crates/sync/src/") || path.starts_with("crates/trust/src/")) || !path.ends_with(".rs") {
            continue;
        }
        looked_at += 1;
        let text = read(&path).unwrap_or_default();
        for (number, line) in code(&text).lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for word in words {
                assert!(!line.contains(word), "{path}:{}: {word} must come in as an argument", number + 1);
            }
        }
    }
    assert!(looked_at > 4, "the sources of sync and trust were found");
}

/// Longest source file; most stay well below 400 lines.
const SOURCE_LINES_MAX: usize = 700;

#[test]
fn source_files_stay_readable() {
    for path in files() {
        if !path.ends_with(".rs") {
            continue;
        }
        let lines = read(&path).unwrap_or_default().lines().count();
        assert!(lines <= SOURCE_LINES_MAX, "{path} has {lines} lines (at most {SOURCE_LINES_MAX}): split it");
    }
}

#[test]
fn no_placeholder_is_left_in_the_code() {
    let words = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("FIX", "ME"), concat!("XX", "X")];
    for path in files() {
        if !path.ends_with(".rs") {
            continue;
        }
        let text = read(&path).unwrap_or_default();
        for word in words {
            assert!(!text.contains(word), "{path} holds {word}");
        }
    }
}

#[test]
fn every_crate_says_what_it_is_and_carries_the_licence() {
    for package in metadata()["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().unwrap_or_default();
        assert_eq!(package["license"].as_str(), Some("EUPL-1.2"), "{name} carries the licence");
        assert!(
            package["description"].as_str().is_some_and(|text| text.len() > 20),
            "{name} says in a sentence what it is"
        );
        assert_eq!(package["publish"].as_array().map(Vec::len), Some(0), "{name} is not published by accident");
    }
    assert!(read("LICENSE").is_some_and(|text| text.contains("EUROPEAN UNION PUBLIC LICENCE v. 1.2")));
}

#[test]
fn one_tls_provider_serves_everything() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "features", "--invert", "rustls", "--workspace"])
        .current_dir(root())
        .output()
        .expect("cargo tree runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8_lossy(&output.stdout);
    assert!(tree.contains("rustls feature \"aws_lc_rs\"") || tree.contains("rustls feature \"aws-lc-rs\""), "{tree}");
    assert!(
        !tree.contains("rustls feature \"ring\""),
        "a second crypto provider panics at the first handshake:\n{tree}"
    );
}

#[test]
fn pinned_dependencies_stay_pinned() {
    let manifest = read("Cargo.toml").expect("Cargo.toml");
    for line in ["automerge = \"=0.12.0\"", "sled = \"=0.34.7\"", "libp2p-stream = \"=0.5.0-alpha\""] {
        assert!(manifest.contains(line), "{line}");
    }
    assert!(!manifest.contains("panic = \"abort\""), "documents are accepted under catch_unwind");
}
