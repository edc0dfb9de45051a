//! Invitations that are cut, changed, out of time or used already.

use ortsnetz_tests::Town;
use serde_json::json;

use crate::says::{Before, assert_says, listing};

const FAILED: i32 = 1;
const USAGE: i32 = 2;

/// An invitation that is out of time as soon as it is made.
fn expired(town: &Town, node: bool) -> String {
    let answer = town.http("POST", "/api/v1/invitations", Some(&json!({"node": node, "expires_in": 1})));
    answer.json["token"].as_str().unwrap_or_else(|| panic!("no token: {}", answer.text)).to_owned()
}

/// Another character in the middle.
fn changed(token: &str) -> String {
    let middle = token.len() / 2;
    let other = if token.as_bytes()[middle] == b'A' { "C" } else { "A" };
    format!("{}{other}{}", &token[..middle], &token[middle + 1..])
}

#[test]
fn a_bad_invitation_for_a_partner_changes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let town = |name: &str, ars: &str| Town::new(directory.path(), name, ars);
    let (siegburg, bonn) = (town("Stadt Siegburg", "053820060060"), town("Bundesstadt Bonn", "053140000000"));
    let hennef = town("Stadt Hennef", "053820020020");
    let token = |town: &Town, arguments: &[&str]| {
        town.ok(&[&["invite"], arguments].concat())["token"].as_str().expect("a token").to_owned()
    };
    let used = token(&siegburg, &[]);
    bonn.ok(&["join", &used]);
    let old = expired(&siegburg, false);
    let bonn_refuses = "ask for a new one";

    let before = [Before::of(&siegburg), Before::of(&hennef)];
    let refused = |what: &str, given: &str, code: i32, says: &[&str]| {
        assert_says(what, &hennef.cli(&["join", given]), code, says);
        before[0].assert_unchanged(what, &siegburg);
        before[1].assert_unchanged(what, &hennef);
        assert_eq!(hennef.status()["partners"], json!([]), "{what}");
        assert_eq!(siegburg.status()["partners"].as_array().map(Vec::len), Some(1), "{what}");
    };
    refused("something else", "hello", USAGE, &["not an Ortsnetz invitation", "ORTSNETZ"]);
    refused("a file that is not there", "@/nowhere/token", FAILED, &["could not read /nowhere/token"]);
    refused("out of time", &old, FAILED, &["expired", "ask Stadt Siegburg for a new one"]);
    // No other invitation is open: the door is closed. Then one is, and the used one is told apart.
    refused("used already", &used, FAILED, &[bonn_refuses]);
    let open = token(&siegburg, &[]);
    refused("used already, another is open", &used, FAILED, &["already used", bonn_refuses]);
    refused("cut off", &open[..open.len() / 2], USAGE, &["cut off", "copy all of it"]);
    refused("changed", &changed(&open), USAGE, &["damaged", "copy it again"]);
    refused("longer", &format!("{open}ABCDEFGH"), USAGE, &["damaged"]);
    let for_bonn = token(&siegburg, &["--for", "053140000000"]);
    refused("for another place", &for_bonn, FAILED, &["for the place 053140000000"]);
    let for_node = token(&siegburg, &["--node"]);
    refused("for a node", &for_node, USAGE, &["further node", "init --join"]);
    let own = siegburg.cli(&["join", &open]);
    assert_says("one's own", &own, USAGE, &["your own organisation"]);

    // After all of this the good one is good.
    hennef.ok(&["join", &open]);
    siegburg.wait_in_sync(&hennef);
}

#[test]
fn a_bad_invitation_for_a_node_makes_no_identity() {
    let directory = tempfile::tempdir().expect("a directory");
    let siegburg = Town::new(directory.path(), "Stadt Siegburg", "053820060060");
    let token = |arguments: &[&str]| siegburg.ok(arguments)["token"].as_str().expect("a token").to_owned();
    let used = token(&["invite", "--node"]);
    let mut laptop = Town::blank(directory.path(), "laptop", "053820060060");
    laptop.ok(&["init", "--join", &used]);
    laptop.start();
    let old = expired(&siegburg, true);
    let open = token(&["invite", "--node"]);
    let for_partner = token(&["invite"]);

    let before = Before::of(&siegburg);
    let mut tablet = Town::blank(directory.path(), "tablet", "053820060060");
    for (what, given, code, says) in [
        ("cut off", &open[..80], USAGE, ["cut off", "copy all of it"]),
        ("changed", &changed(&open), USAGE, ["damaged", "ask for a new one"]),
        ("out of time", &old, FAILED, ["expired", "ask Stadt Siegburg for a new one"]),
        ("used already", &used, FAILED, ["already used", "ask for a new one"]),
        ("for a partner", &for_partner, USAGE, ["partner organisation", "ortsnetz join TOKEN"]),
    ] {
        assert_says(what, &tablet.cli(&["init", "--join", given]), code, &says);
        before.assert_unchanged(what, &siegburg);
        let run = tablet.cli(&["run", "--http", "127.0.0.1:0", "--while-stdin-is-open"]);
        assert_says(what, &run, FAILED, &["holds no identity yet", "ortsnetz init"]);
        assert!(listing(&tablet.dir).iter().all(|name| !name.contains("broken")), "{what}");
    }
    let again = laptop.cli(&["init", "--join", &open]);
    assert_says("a directory that runs", &again, FAILED, &["in use", "stop it first"]);
    laptop.stop();
    let again = laptop.cli(&["init", "--join", &open]);
    assert_says("a directory with an identity", &again, FAILED, &["holds an identity already", "nothing was changed"]);

    // After all of this the good one is good.
    tablet.ok(&["init", "--join", &open]);
    tablet.start();
    assert_eq!(tablet.status()["organisation"]["id"], siegburg.status()["organisation"]["id"]);
}
