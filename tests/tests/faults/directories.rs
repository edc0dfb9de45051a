//! Ports and data directories that somebody else has, or that are not what they should be.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use ortsnetz_tests::{Output, Town};

use crate::says::{Before, assert_says, listing};

const FAILED: i32 = 1;
const USAGE: i32 = 2;
const NO_DAEMON: i32 = 3;

/// Starts a daemon that must not start; one that does would stop at once.
fn run(town: &Town, arguments: &[&str]) -> Output {
    town.cli(&[&["run", "--while-stdin-is-open"], arguments].concat())
}

const ANY_HTTP: [&str; 2] = ["--http", "127.0.0.1:0"];
const ANY_PEER: [&str; 2] = ["--listen", "/ip4/127.0.0.1/tcp/0"];

fn town_with_an_entry(directory: &Path) -> Town {
    let town = Town::new(directory, "Stadt Siegburg", "053820060060");
    town.publish("service", &["title.de=Hundesteuer", "valid_for.+=053820060060"]);
    town
}

#[test]
fn an_occupied_port_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut town = town_with_an_entry(directory.path());
    let before = Before::of(&town);
    town.stop();
    let names = listing(&town.dir);
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = other.local_addr().expect("an address");

    let http = run(&town, &["--http", &taken.to_string(), ANY_PEER[0], ANY_PEER[1]]);
    assert_says("HTTP", &http, FAILED, &[&format!("could not listen on {taken}"), "another program uses it", "--http"]);
    let peers = format!("/ip4/127.0.0.1/tcp/{}", taken.port());
    let peer = run(&town, &[ANY_HTTP[0], ANY_HTTP[1], "--listen", &peers]);
    assert_says("peers", &peer, FAILED, &[&peers, "in use by another program", "--listen"]);
    for (what, arguments, part) in [
        ("no HTTP address", ["--http", "8115", ANY_PEER[0], ANY_PEER[1]], "\"8115\" is no address and port"),
        ("no peer address", [ANY_HTTP[0], ANY_HTTP[1], "--listen", "foo"], "--listen: \"foo\" is not an address"),
        ("no address to advertise", [ANY_HTTP[0], ANY_HTTP[1], "--advertise", "foo"], "--advertise: \"foo\""),
        ("no configuration", [ANY_HTTP[0], ANY_HTTP[1], "--config", "/nowhere.toml"], "/nowhere.toml"),
    ] {
        let code = if what == "no configuration" { FAILED } else { USAGE };
        assert_says(what, &run(&town, &arguments), code, &[part]);
    }
    assert_eq!(listing(&town.dir), names);
    drop(other);
    town.start();
    before.assert_unchanged("ports", &town);
    town.check_store();
}

#[test]
fn a_directory_in_use_stays_in_use() {
    let directory = tempfile::tempdir().expect("a directory");
    let town = town_with_an_entry(directory.path());
    let before = Before::of(&town);
    let address = fs::read_to_string(town.dir.join("http.addr")).expect("it runs");
    let second = run(&town, &[ANY_HTTP, ANY_PEER].concat());
    assert_says("a second daemon", &second, FAILED, &["in use: another ortsnetz runs on", "stop it first"]);
    // The first is still the one that commands find.
    assert_eq!(fs::read_to_string(town.dir.join("http.addr")).ok(), Some(address));
    before.assert_unchanged("a second daemon", &town);
    // Without the address a command works on the directory itself, which it cannot have.
    let hidden = town.dir.join("http.hidden");
    fs::rename(town.dir.join("http.addr"), &hidden).expect("renamed");
    for command in [&["store", "check"][..], &["store", "compact"]] {
        assert_says("a command beside it", &town.cli(command), FAILED, &["in use", "stop it first"]);
    }
    fs::rename(&hidden, town.dir.join("http.addr")).expect("renamed");
    before.assert_unchanged("commands beside it", &town);
    town.check_store();
}

#[test]
fn a_directory_of_a_newer_version_is_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut town = town_with_an_entry(directory.path());
    let before = Before::of(&town);
    town.stop();
    let log = town.dir.join("store/own.log");
    let written = fs::read(&log).expect("the own log");
    // Magic, format, id, checksum: as a program would write it that knows one format more.
    let mut newer = written.clone();
    newer[8..12].copy_from_slice(&2_u32.to_be_bytes());
    let sum = crc32fast::hash(&newer[..28]);
    newer[28..32].copy_from_slice(&sum.to_be_bytes());
    fs::write(&log, &newer).expect("written");
    let names = listing(&town.dir);
    let says = ["written by a newer ortsnetz (store format 2, this one knows 1)", "update this program"];
    assert_says("run", &run(&town, &[ANY_HTTP, ANY_PEER].concat()), FAILED, &says);
    assert_says("store check", &town.cli(&["store", "check"]), FAILED, &says);
    assert_says("store compact", &town.cli(&["store", "compact"]), FAILED, &says);
    assert_says("init", &town.cli(&["init", "--name", "A", "--ars", "053820060060"]), FAILED, &says);
    assert_eq!(listing(&town.dir), names);
    assert_eq!(fs::read(&log).expect("the own log"), newer);
    // The newer program would find everything; here the old format does.
    fs::write(&log, &written).expect("written");
    town.start();
    before.assert_unchanged("a newer version", &town);
    town.check_store();
}

#[test]
fn without_a_daemon_or_an_identity_it_says_what_to_do() {
    let directory = tempfile::tempdir().expect("a directory");
    let nowhere = Town::blank(directory.path(), "nowhere", "053820060060");
    let commands: &[&[&str]] = &[
        &["status"],
        &["doctor"],
        &["invite"],
        &["join", "TOKEN"],
        &["partners", "list"],
        &["compare", "Bonn"],
        &["publisher", "show"],
        &["import", "/dev/null"],
        &["export"],
        &["search", "hund"],
        &["create", "service", "title.de=x"],
        &["publish", "--all"],
        &["conflicts"],
        &["places", "find", "Bonn"],
    ];
    for command in commands {
        let says = ["no daemon running: there is no", "init --name NAME"];
        assert_says(&format!("{command:?}"), &nowhere.cli(command), NO_DAEMON, &says);
    }
    assert!(!nowhere.dir.exists(), "asking makes nothing");
    let says = ["holds no identity yet", "ortsnetz init"];
    assert_says("run", &run(&nowhere, &[ANY_HTTP, ANY_PEER].concat()), FAILED, &says);
    assert_says("store check", &nowhere.cli(&["store", "check"]), FAILED, &says);
    assert!(!nowhere.dir.exists(), "not even that");
    let wrong = ["init", "--name", "A", "--ars", "0538"];
    assert_says("a wrong ARS", &nowhere.cli(&wrong), USAGE, &["--ars: \"0538\" is not an ARS", "places find"]);
    assert_says("no name", &nowhere.cli(&["init", "--name", "", "--ars", "053820060060"]), USAGE, &["name"]);
    assert!(!nowhere.dir.exists(), "nor this");

    // A killed daemon leaves its address behind; nobody answers there.
    let mut town = town_with_an_entry(directory.path());
    town.kill();
    assert!(town.dir.join("http.addr").exists());
    for command in commands {
        let says = ["no daemon running for", "start it with", "run"];
        assert_says(&format!("{command:?}"), &town.cli(command), NO_DAEMON, &says);
    }
    town.check_store();
}
