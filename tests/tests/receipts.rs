//! The second verifier of receipts (`tests/receipts/verify.py`, Python without any package) agrees with ours.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository is there")
}

fn verify(files: &[PathBuf]) -> Output {
    Command::new("python3")
        .arg(root().join("tests/receipts/verify.py"))
        .args(files)
        .output()
        .expect("python3 runs; install it with `apt-get install python3`")
}

fn receipts(prefix: &str) -> Vec<PathBuf> {
    let folder = root().join("fuzz/corpus/receipts");
    let files = std::fs::read_dir(folder).expect("the receipts are there").map(|file| file.expect("a file").path());
    files.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix))).collect()
}

#[test]
fn what_holds_holds_for_a_second_verifier() {
    let holding = receipts("holds-");
    assert!(holding.len() >= 2);
    let output = verify(&holding);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("Stadt Siegburg said so at 2026-11-21T22:26:45Z"), "{text}");
}

/// All but the content of the entry, which takes automerge: that is ours to compare.
#[test]
fn what_falls_falls_for_a_second_verifier() {
    for file in receipts("falls-").into_iter().filter(|file| !file.ends_with("falls-other-amount.json")) {
        let output = verify(std::slice::from_ref(&file));
        assert_eq!(output.status.code(), Some(1), "{}: {}", file.display(), String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn no_part_of_the_proof_can_be_changed() {
    let file = receipts("holds-after-loss").pop().expect("it is there");
    let value: Value = serde_json::from_slice(&std::fs::read(file).expect("readable")).expect("JSON");
    let dir = tempfile::tempdir().expect("a directory");
    for place in [
        "/proof/statements/0",
        "/proof/statements/1",
        "/proof/statements/3",
        "/proof/record",
        "/proof/changes/0",
        "/proof/changes/1",
        "/proof/witness",
        "/proof/tree/items/0",
        "/about/organisation/id",
        "/about/entry/id",
        "/entry/title/de",
    ] {
        let mut bent = value.clone();
        let leaf = bent.pointer_mut(place).unwrap_or_else(|| panic!("{place} is there"));
        let text = leaf.as_str().expect("a text").to_owned();
        let at = text.len() / 2;
        let at = (at..).find(|at| text.is_char_boundary(*at) && text.is_char_boundary(at + 1)).expect("a letter");
        let other = if &text[at..=at] == "a" { "b" } else { "a" };
        *leaf = json!(format!("{}{other}{}", &text[..at], &text[at + 1..]));
        let path = dir.path().join("bent.json");
        std::fs::write(&path, bent.to_string()).expect("written");
        let output = verify(&[path]);
        assert_eq!(output.status.code(), Some(1), "{place}: {}", String::from_utf8_lossy(&output.stdout));
    }
}
