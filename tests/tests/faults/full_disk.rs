//! A disk that is full: writing is refused in one line that says why, reading goes on, nothing is lost or moved, and
//! room is all it takes to go on.

use std::fs;
use std::path::Path;
use std::process::Command;

use ortsnetz_tests::{Town, eventually};
use serde_json::json;

use crate::says::{Before, assert_says, listing};

const FAILED: i32 = 1;
/// Room for a daemon and then some; the store wants 64 MiB free.
const DISK: &str = "size=160m";
/// Room to read, none to write.
const LITTLE: usize = 40 << 20;
/// Not even room to begin.
const SMALL_DISK: &str = "size=24m";

/// A small disk of its own; mounting one needs root.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn mount(path: &'a Path, size: &str) -> Self {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", size, "tmpfs"]).arg(path).output();
        let mounted = mounted.expect("mount is there: install it with `apt-get install mount`");
        let said = String::from_utf8_lossy(&mounted.stderr);
        assert!(mounted.status.success(), "no tmpfs could be mounted, run this test as root: {said}");
        Self(path)
    }

    fn grow(&self, size: &str) {
        let grown = Command::new("mount").args(["-o", &format!("remount,{size}")]).arg(self.0).status();
        assert!(grown.is_ok_and(|status| status.success()), "the disk does not grow");
    }

    /// Leaves nothing: one large file, then whatever still fits.
    fn fill(&self) {
        let mut size = 64 << 20;
        let mut number = 0;
        while size > 0 {
            let file = self.0.join(format!("ballast-{number}"));
            if fs::write(&file, vec![1; size]).is_err() {
                size /= 2;
            }
            number += 1;
        }
    }

    /// Leaves this much of what is free now.
    fn leave(&self, bytes: usize) {
        let df = Command::new("df").args(["--output=avail", "-B1"]).arg(self.0).output().expect("df runs");
        let text = String::from_utf8_lossy(&df.stdout).into_owned();
        let free: usize = text.lines().nth(1).and_then(|line| line.trim().parse().ok()).expect("a number");
        fs::write(self.0.join("ballast"), vec![1; free - bytes]).expect("it fits");
    }

    fn free(&self) {
        for item in fs::read_dir(self.0).expect("a directory").flatten() {
            if item.file_name().to_string_lossy().starts_with("ballast") {
                fs::remove_file(item.path()).expect("removed");
            }
        }
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        // An error means that the directory is not removed: it shows.
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_writes_and_keeps_everything() {
    let directory = tempfile::tempdir().expect("a directory");
    let disk = Disk::mount(directory.path(), DISK);
    let mut town = Town::new(directory.path(), "Stadt Siegburg", "053820060060");
    let id = town.publish("service", &["title.de=Hundesteuer", "valid_for.+=053820060060"]);
    eventually("it is found", || town.ok(&["search", "hundesteuer"])["total"] == json!(1));
    let file = directory.path().join("lines.jsonl");
    fs::write(&file, json!({"kind": "service", "title": {"de": "Katzensteuer"}}).to_string()).expect("written");
    let import = ["import", file.to_str().expect("UTF-8"), "--publish"];
    let export = directory.path().join("export.jsonl");
    disk.fill();
    let before = Before::of(&town);

    let says = ["nothing was written", "disk nearly full", "free some space and try again"];
    for command in [
        &["create", "service", "title.de=Katzensteuer"][..],
        &["edit", &id, "title.de=Katzensteuer"],
        &["withdraw", &id],
        &import,
    ] {
        assert_says(&format!("{command:?}"), &town.cli(command), FAILED, &says);
        before.assert_unchanged(&format!("{command:?}"), &town);
    }
    let says = ["disk nearly full", "free some space and try again"];
    for command in [&["invite"][..], &["store", "compact"]] {
        assert_says(&format!("{command:?}"), &town.cli(command), FAILED, &says);
        before.assert_unchanged(&format!("{command:?}"), &town);
    }
    let path = export.to_str().expect("UTF-8");
    assert_says(
        "an export to it",
        &town.cli(&["export", "--out", path]),
        FAILED,
        &["could not write", path, "No space left"],
    );
    assert!(!export.exists() && !directory.path().join("export.jsonl.partial").exists());
    // Reading goes on.
    assert_eq!(town.ok(&["show", &id])["entry"]["title"]["de"], "Hundesteuer");
    assert_eq!(town.ok(&["search", "hundesteuer"])["total"], 1);
    town.check_store();

    // Killed on a full disk it cannot start, and says why.
    town.kill();
    let names = listing(&town.dir);
    let run = ["run", "--while-stdin-is-open", "--http", "127.0.0.1:0", "--listen", "/ip4/127.0.0.1/tcp/0"];
    assert_says("run", &town.cli(&run), FAILED, &says);
    assert_says("store check", &town.cli(&["store", "check"]), FAILED, &says);
    assert_eq!(listing(&town.dir), names);

    // With little room it starts and answers, and writes nothing.
    disk.free();
    disk.leave(LITTLE);
    town.start();
    before.assert_unchanged("little room", &town);
    eventually("it is found", || town.ok(&["search", "hundesteuer"])["total"] == json!(1));
    assert_says("little room", &town.cli(&["create", "service", "title.de=Katzensteuer"]), FAILED, &says);
    town.kill();

    disk.free();
    town.start();
    before.assert_unchanged("room again", &town);
    town.ok(&import);
    town.publish_entry(&id);
    eventually("the new one is found", || town.ok(&["search", "katzensteuer"])["total"] == json!(1));
    town.check_store();
}

#[test]
fn room_again_needs_no_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let disk = Disk::mount(directory.path(), DISK);
    let town = Town::new(directory.path(), "Stadt Siegburg", "053820060060");
    disk.fill();
    let refused = town.cli(&["create", "service", "title.de=Hundesteuer"]);
    assert_says("a full disk", &refused, FAILED, &["disk nearly full"]);
    disk.free();
    let id = town.publish("service", &["title.de=Hundesteuer"]);
    eventually("it is found", || town.ok(&["search", "hundesteuer"])["hits"][0]["id"] == json!(id));
}

#[test]
fn a_disk_without_room_gets_no_half_identity() {
    let directory = tempfile::tempdir().expect("a directory");
    let disk = Disk::mount(directory.path(), SMALL_DISK);
    let mut town = Town::blank(directory.path(), "siegburg", "053820060060");
    let init = ["init", "--name", "Stadt Siegburg", "--ars", "053820060060"];
    assert_says("init", &town.cli(&init), FAILED, &["disk nearly full", "free some space and try again"]);
    let names = listing(&town.dir);
    assert!(!names.iter().any(|name| name.contains("sheet")), "no sheet of an identity that nobody has: {names:?}");
    disk.grow(DISK);
    town.ok(&init);
    town.start();
    assert_eq!(town.status()["organisation"]["name"], "Stadt Siegburg");
}

#[test]
fn a_search_index_that_had_no_room_goes_on_without_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let disk = Disk::mount(directory.path(), DISK);
    let town = Town::new(directory.path(), "Stadt Siegburg", "053820060060");
    let failed = || town.log().contains("the search index could not be written");
    let mut titles = Vec::new();
    // What is published is written into the index a moment later; by then there is no room.
    for number in 0..40 {
        titles.push(format!("Hundesteuer {number}"));
        town.publish("service", &[&format!("title.de={}", titles[number])]);
        disk.fill();
        std::thread::sleep(std::time::Duration::from_millis(700));
        disk.free();
        if failed() {
            break;
        }
    }
    assert!(failed(), "the index never met the full disk");
    titles.push("Hundesteuer danach".into());
    town.publish("service", &["title.de=Hundesteuer danach"]);
    eventually("all of it is found", || {
        town.ok(&["search", "hundesteuer", "--limit", "100"])["total"] == json!(titles.len())
    });
    assert!(town.log().contains("the search index goes on after a failure"));
    town.check_store();
}
