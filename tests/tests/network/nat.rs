//! Two towns behind routers that let nobody in, and a county that can be dialled and agreed to relay.

use ortsnetz_tests::{Networks, Place, Town, end, eventually, eventually_some};
use serde_json::Value;

const RELAYS: &str = "advertise = [\"/ip4/198.51.100.2/tcp/4115\"]\n[relay]\nenabled = true\n";
/// Less than the handshake of one connection.
const RELAYS_LITTLE: &str =
    "advertise = [\"/ip4/198.51.100.2/tcp/4115\"]\n[relay]\nenabled = true\nbytes_per_day_max = 1000\n";

/// The internet, a machine in it, and two behind routers. Returns the namespaces of the three.
fn region(networks: &mut Networks) -> [String; 3] {
    let internet = networks.add("internet");
    networks.forward(&internet);
    let open = networks.add("open");
    networks.connect(end(&internet, "open", "198.51.100.1/24"), end(&open, "outside", "198.51.100.2/24"));
    networks.route(&open, "198.51.100.1");
    let behind = |networks: &mut Networks, name: &str, net: &str, inside: &str| {
        let (router, machine) = (networks.add(&format!("router-{name}")), networks.add(name));
        let at = |net: &str, host: u8| format!("{net}.{host}/24");
        networks.connect(end(&internet, name, &at(net, 1)), end(&router, "outside", &at(net, 2)));
        networks.connect(end(&router, "inside", &at(inside, 1)), end(&machine, "eth0", &at(inside, 2)));
        networks.route(&router, &format!("{net}.1"));
        networks.route(&machine, &format!("{inside}.1"));
        networks.nat(&router);
        machine
    };
    let one = behind(networks, "one", "203.0.113", "10.0.1");
    let two = behind(networks, "two", "192.0.2", "10.0.2");
    [open, one, two]
}

fn town(dir: &tempfile::TempDir, name: &str, ars: &str, namespace: String, config: &str) -> Town {
    Town::new_in(dir.path(), name, ars, Place { namespace, config: config.into() })
}

/// What `doctor` found about one thing.
fn finding(doctor: &Value, check: &str) -> (String, String) {
    let checks = doctor["checks"].as_array().cloned().unwrap_or_default();
    let found = checks.iter().find(|line| line["check"] == check);
    let found = found.unwrap_or_else(|| panic!("nothing about {check}: {doctor}"));
    let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    (text("result"), text("message"))
}

fn says_it_is_reached_through_a_relay(town: &Town) -> bool {
    let addresses = town.status()["node"]["addresses"].as_array().cloned().unwrap_or_default();
    addresses.iter().any(|address| address.as_str().is_some_and(|text| text.ends_with("/p2p-circuit")))
}

#[test]
fn two_towns_that_can_only_dial_out_join_and_sync_through_a_partner_that_relays() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut networks = Networks::new();
    let [open, one, two] = region(&mut networks);
    let mut county = town(&dir, "Rhein-Sieg-Kreis", "053820000000", open, RELAYS);
    let siegburg = town(&dir, "Stadt Siegburg", "053820060060", one, "");
    let bonn = town(&dir, "Stadt Bonn", "053140000000", two, "");

    // Nobody relays yet: joining says that nobody is reached.
    let token = siegburg.ok(&["invite", "--for", &bonn.ars, "--trust"])["token"].as_str().expect("a token").to_owned();
    let refused = bonn.cli(&["join", &token]);
    assert!(refused.code == 1 && refused.stderr.contains("cannot reach"), "{refused:?}");

    county.befriend(&siegburg);
    county.befriend(&bonn);
    eventually("both are reached through the county", || {
        says_it_is_reached_through_a_relay(&siegburg) && says_it_is_reached_through_a_relay(&bonn)
    });
    assert!(!says_it_is_reached_through_a_relay(&county), "it can be dialled");

    siegburg.befriend(&bonn);
    siegburg.wait_in_sync(&bonn);
    for (town, other) in [(&siegburg, &bonn), (&bonn, &siegburg)] {
        assert_eq!(town.row_of(other)["through"], "Rhein-Sieg-Kreis", "{}", town.row_of(other));
        assert_eq!(town.row_of(&county)["through"], Value::Null);
    }
    let edit_both_ways = |title: &str| {
        let ours = siegburg.publish("service", &[&format!("title.de={title} in Siegburg")]);
        let theirs = bonn.publish("service", &[&format!("title.de={title} in Bonn")]);
        eventually(&format!("{title} is everywhere"), || {
            bonn.shown(&ours)["meta"]["state"] == "published" && siegburg.shown(&theirs)["meta"]["state"] == "published"
        });
        (ours, theirs)
    };
    edit_both_ways("Hundesteuer");
    siegburg.wait_in_sync(&bonn);
    let compared = siegburg.ok(&["compare", "Stadt Bonn"]);
    assert_eq!(compared["identical"], true, "{compared}");
    assert!(county.metric("ortsnetz_relay_circuits") >= 1.0 && county.metric("ortsnetz_relay_bytes_total") > 1000.0);

    // The county is restarted: their line comes back by itself.
    county.kill();
    eventually("the line is gone", || siegburg.row_of(&bonn)["connected"] == false);
    county.start();
    edit_both_ways("Gewerbeanmeldung");
    siegburg.wait_in_sync(&bonn);

    both_directions_are_examined(&county, &siegburg);

    // What the county relays for one in a day is used up.
    county.stop();
    county.configure(RELAYS_LITTLE);
    county.start();
    let problem = eventually_some("a clear word", || {
        let problem = siegburg.row_of(&bonn)["problem"].as_str()?.to_owned();
        problem.contains("quota").then_some(problem)
    });
    let expected =
        "Rhein-Sieg-Kreis refuses: its quota for one of the two partners is used up: it relays 1000 bytes a day";
    assert!(problem.contains(expected), "{problem}");
    assert!(county.metric("ortsnetz_relay_refused_total") >= 1.0);
    eventually("the county itself is a partner still", || siegburg.row_of(&county)["in_sync"] == true);
}

fn both_directions_are_examined(county: &Town, siegburg: &Town) {
    let doctor = county.ok(&["doctor"]);
    let (result, message) = finding(&doctor, "being dialled");
    assert!(result == "ok" && message.contains("/ip4/198.51.100.2/tcp/4115"), "{message}");
    assert_eq!(doctor["forward"], Value::Null);

    let doctor = siegburg.ok(&["doctor"]);
    let (result, message) = finding(&doctor, "dialling out");
    assert!(result == "ok" && message.contains("Rhein-Sieg-Kreis answers at /ip4/198.51.100.2/tcp/4115"), "{message}");
    let (result, message) = finding(&doctor, "being dialled");
    assert!(result == "warning" && message.contains("reach this node through Rhein-Sieg-Kreis"), "{message}");
    let rule = doctor["forward"].as_str().expect("a rule to forward");
    for expected in
        ["inbound", "TCP", "4115", "10.0.1.2:4115", "203.0.113.2:4115 (as Rhein-Sieg-Kreis sees this machine)"]
    {
        assert!(rule.contains(expected), "{expected} is missing: {rule}");
    }
}
