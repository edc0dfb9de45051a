//! A byte that flipped on the disk, in any file of the data directory: the node starts, and has everything again.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use ortsnetz_tests::{Town, eventually};
use serde_json::Value;

const ENTRIES: usize = 8;
/// So many that the index of their feed is kept in a file.
const MANY: usize = 70;

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
fn doctor_names_an_own_log_that_was_damaged_under_a_running_node_and_compaction_writes_it_anew() {
    let dir = tempfile::tempdir().expect("a directory");
    let town = Town::new(dir.path(), "Stadt Siegburg", "053820060060");
    let ids: Vec<String> =
        (0..ENTRIES).map(|n| town.publish("service", &[&format!("title.de=Leistung {n}")])).collect();
    let store = |doctor: &Value| doctor["checks"].as_array().expect("checks")[0].clone();
    assert_eq!(store(&town.ok(&["doctor"]))["result"], "ok");
    let log = town.dir.join("store/own.log");
    let mut file = fs::File::options().read(true).write(true).open(&log).expect("the own log");
    let middle = file.metadata().expect("a length").len() / 2;
    let mut byte = [0];
    file.seek(SeekFrom::Start(middle)).and_then(|_| file.read_exact(&mut byte)).expect("a byte");
    byte[0] ^= 0x10;
    file.seek(SeekFrom::Start(middle)).and_then(|_| file.write_all(&byte)).expect("written");

    let doctor = town.cli(&["doctor"]);
    assert_eq!(doctor.code, 1);
    let found = store(&doctor.json);
    let message = found["message"].as_str().unwrap_or_default();
    assert!(found["result"] == "failed" && message.contains("own log, bytes"), "{found}");
    assert!(message.contains("`ortsnetz store compact`, which writes it anew"), "{message}");
    town.ok(&["store", "compact"]);
    assert_eq!(store(&town.ok(&["doctor"]))["result"], "ok");
    town.check_store();
    assert!(ids.iter().all(|id| town.shown(id)["meta"]["state"] == "published"));
}

#[test]
fn a_flipped_byte_in_any_file_is_survived_named_and_repaired() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut siegburg = Town::new(dir.path(), "Stadt Siegburg", "053820060060");
    let bonn = Town::new(dir.path(), "Stadt Bonn", "053140000000");
    siegburg.befriend(&bonn);
    let publish = |town: &Town, number: usize| town.publish("service", &[&format!("title.de=Leistung {number}")]);
    let all: Vec<String> = (0..ENTRIES).flat_map(|n| [publish(&siegburg, n), publish(&bonn, n)]).collect();
    let many = dir.path().join("many.jsonl");
    let lines = (0..MANY).map(|n| format!("{{\"kind\":\"service\",\"title\":{{\"de\":\"Viele {n}\"}}}}\n"));
    fs::write(&many, lines.collect::<String>()).expect("written");
    let report = siegburg.ok(&["import", many.to_str().expect("UTF-8"), "--publish"]);
    assert_eq!(report["published"], MANY, "{report}");
    let draft = siegburg.create("service", &["title.de=Entwurf"]);
    eventually("all is everywhere", || all.iter().all(|id| siegburg.shown(id)["meta"]["state"] == "published"));
    siegburg.wait_in_sync(&bonn);
    siegburg.stop();
    let whole = dir.path().join("whole");
    copy(&siegburg.dir, &whole);
    let is_cached = |file: &Path| file.starts_with("store/cached");
    let all_files = files(&whole, Path::new(""));
    assert!(all_files.iter().any(|file| is_cached(file)), "{all_files:?}");
    for file in all_files {
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
            let named = |what: &str| {
                let about = |alarm: &Value| alarm["kind"] == "damaged" && alarm["message"].to_string().contains(what);
                siegburg.alarms().iter().any(about)
            };
            if file == Path::new("store/own.log") {
                eventually(&format!("the alarm names the own log, at {place}"), || named("own log"));
            } else if is_cached(&file) {
                eventually(&format!("the alarm names the file, at {place}"), || named("store/cached"));
            } else if siegburg.broken().iter().any(|name| !name.starts_with("own.log")) {
                eventually(&format!("the alarm names the database, {} at {place}", file.display()), || {
                    named("database")
                });
            }
            // Repaired, or nothing that is in use.
            eventually(&format!("the store is whole, {} at {place}", file.display()), || {
                siegburg.cli(&["store", "check"]).code == 0
            });
            siegburg.stop();
        }
    }
}
