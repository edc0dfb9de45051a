//! A byte that flipped on the disk, in any file of the data directory: the node starts, and has everything again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ortsnetz_tests::{Town, eventually};

const ENTRIES: usize = 8;

/// All files below a directory, relative to it.
fn files(directory: &Path, below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for item in fs::read_dir(directory.join(below)).expect("a directory") {
        let path = below.join(item.expect("an item").file_name());
        if directory.join(&path).is_dir() { found.extend(files(directory, &path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp runs");
    assert!(status.success());
}

#[test]
fn a_flipped_byte_in_any_file_is_survived() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut siegburg = Town::new(dir.path(), "Stadt Siegburg", "053820060060");
    let bonn = Town::new(dir.path(), "Stadt Bonn", "053140000000");
    siegburg.befriend(&bonn);
    let publish = |town: &Town, number: usize| town.publish("service", &[&format!("title.de=Leistung {number}")]);
    let all: Vec<String> = (0..ENTRIES).flat_map(|n| [publish(&siegburg, n), publish(&bonn, n)]).collect();
    let draft = siegburg.create("service", &["title.de=Entwurf"]);
    eventually("all is everywhere", || all.iter().all(|id| siegburg.shown(id)["meta"]["state"] == "published"));
    siegburg.wait_in_sync(&bonn);
    siegburg.stop();
    let whole = dir.path().join("whole");
    copy(&siegburg.dir, &whole);
    for file in files(&whole, Path::new("")) {
        let bytes = fs::read(whole.join(&file)).expect("readable");
        if bytes.is_empty() {
            continue;
        }
        for place in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x10;
            fs::remove_dir_all(&siegburg.dir).expect("removed");
            copy(&whole, &siegburg.dir);
            fs::write(siegburg.dir.join(&file), damaged).expect("written");
            siegburg.start();
            let shown = |id: &String| siegburg.shown(id)["meta"]["state"] == "published";
            eventually(&format!("all is here again, {} at {place}", file.display()), || all.iter().all(shown));
            assert_eq!(siegburg.draft(&draft)["entry"]["title"]["de"], "Entwurf", "{} at {place}", file.display());
            siegburg.stop();
        }
    }
}
