//! Lines that are slow, lossy, cut or cut in one direction, and a machine that hangs.

use std::time::{Duration, Instant};

use ortsnetz_tests::{Cut, Line, Networks, Place, Town, end, eventually, eventually_some};

/// How long a partition lasts, in seconds, if ORTSNETZ_PARTITION_SECONDS does not say otherwise: longer than it takes to
/// notice one.
const PARTITION_SECONDS: u64 = 45;

/// After so long without a sign of life a partner counts as gone; and some time to say so.
const NOTICED: Duration = Duration::from_secs(40 + 20);

/// Two towns that are partners, and the line between them.
struct Pair {
    siegburg: Town,
    bonn: Town,
    line: Line,
    _networks: Networks,
    _dir: tempfile::TempDir,
}

impl Pair {
    /// The first of them dials.
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut networks = Networks::new();
        let (one, two) = (networks.add("one"), networks.add("two"));
        let line = networks.line(end(&one, "eth0", "10.0.0.1/24"), end(&two, "eth0", "10.0.0.2/24"));
        let town = |name: &str, ars: &str, namespace: String| {
            Town::new_in(dir.path(), name, ars, Place { namespace, config: String::new() })
        };
        let siegburg = town("Stadt Siegburg", "053820060060", one);
        let bonn = town("Stadt Bonn", "053140000000", two);
        eventually("Bonn knows its address", || {
            let addresses = bonn.status()["node"]["addresses"].as_array().cloned().unwrap_or_default();
            addresses.iter().any(|address| address == "/ip4/10.0.0.2/tcp/4115")
        });
        Self { siegburg, bonn, line, _networks: networks, _dir: dir }
    }

    fn befriended() -> Self {
        let pair = Self::new();
        pair.bonn.befriend(&pair.siegburg);
        pair.siegburg.wait_in_sync(&pair.bonn);
        pair
    }

    fn publish(&self, title: &str) -> [String; 2] {
        let one = |town: &Town| town.publish("service", &[&format!("title.de={title} {}", town.name)]);
        [one(&self.siegburg), one(&self.bonn)]
    }

    fn arrives(&self, [ours, theirs]: &[String; 2]) {
        eventually("what both published is everywhere", || {
            self.bonn.shown(ours)["meta"]["state"] == "published"
                && self.siegburg.shown(theirs)["meta"]["state"] == "published"
        });
        self.siegburg.wait_in_sync(&self.bonn);
        // A bad line may break at any moment; then it is asked again.
        let compared = eventually_some("both are compared", || {
            let compared = self.siegburg.cli(&["compare", "Stadt Bonn"]);
            compared.json["identical"].is_boolean().then_some(compared.json)
        });
        assert_eq!(compared["identical"], true, "{compared}");
    }

    /// Waits until a side has noticed that the other is gone; says how long that took.
    fn notices(&self, side: &Town, other: &Town) -> Duration {
        let since = Instant::now();
        eventually(&format!("{} notices", side.name), || side.row_of(other)["connected"] == false);
        since.elapsed()
    }
}

fn partition() -> Duration {
    let asked = std::env::var("ORTSNETZ_PARTITION_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(asked.unwrap_or(PARTITION_SECONDS))
}

#[test]
fn a_first_sync_and_edits_arrive_over_a_line_that_loses_a_fifth_and_takes_300_ms() {
    let mut pair = Pair::new();
    let before: Vec<_> = (0..10).map(|number| pair.publish(&format!("Leistung {number}"))).collect();
    pair.line.delay(150);
    pair.line.lose(20);
    // Joining is a conversation of seconds; on such a line a person tries again.
    eventually("they have joined", || {
        let invitation = pair.bonn.ok(&["invite", "--for", &pair.siegburg.ars, "--trust"]);
        pair.siegburg.cli(&["join", invitation["token"].as_str().expect("a token")]).code == 0
    });
    before.iter().for_each(|both| pair.arrives(both));
    let both = pair.publish("Hundesteuer");
    pair.arrives(&both);
}

#[test]
fn what_was_edited_on_both_sides_of_a_partition_arrives_after_it() {
    let mut pair = Pair::befriended();
    let (cut_at, lasts) = (Instant::now(), partition());
    pair.line.cut(Cut::Both);
    let both = pair.publish("Während der Störung");
    let noticed = pair.notices(&pair.siegburg, &pair.bonn).max(pair.notices(&pair.bonn, &pair.siegburg));
    assert!(noticed <= NOTICED, "noticed after {noticed:?}");
    assert!(pair.siegburg.shown(&both[1]).is_null() && pair.bonn.shown(&both[0]).is_null());
    // The rest of the partition is the test.
    std::thread::sleep(lasts.saturating_sub(cut_at.elapsed()));
    pair.line.cut(Cut::None);
    pair.arrives(&both);
}

#[test]
fn a_line_that_is_cut_in_one_direction_is_noticed_on_both_sides_and_heals() {
    for cut in [Cut::Forth, Cut::Back] {
        let mut pair = Pair::befriended();
        pair.line.cut(cut);
        let both = pair.publish("In eine Richtung");
        let noticed = pair.notices(&pair.siegburg, &pair.bonn).max(pair.notices(&pair.bonn, &pair.siegburg));
        assert!(noticed <= NOTICED, "noticed after {noticed:?}, cut {cut:?}");
        pair.line.cut(Cut::None);
        pair.arrives(&both);
    }
}

#[test]
fn a_partner_that_hangs_disturbs_nobody_is_noticed_and_goes_on_when_it_wakes() {
    let dir = tempfile::tempdir().expect("a directory");
    let siegburg = Town::new(dir.path(), "Stadt Siegburg", "053820060060");
    let bonn = Town::new(dir.path(), "Stadt Bonn", "053140000000");
    let hennef = Town::new(dir.path(), "Stadt Hennef", "053820020020");
    siegburg.befriend(&bonn);
    siegburg.befriend(&hennef);
    bonn.wait_in_sync(&siegburg);
    hennef.wait_in_sync(&siegburg);
    bonn.signal("STOP");
    let stopped = Instant::now();
    let id = siegburg.publish("service", &["title.de=Hundesteuer"]);
    eventually("the other partner has it", || hennef.shown(&id)["meta"]["state"] == "published");
    assert!(stopped.elapsed() < Duration::from_secs(30), "it waited for the one that hangs: {:?}", stopped.elapsed());
    eventually("Siegburg notices", || siegburg.row_of(&bonn)["connected"] == false);
    assert!(stopped.elapsed() <= NOTICED, "noticed after {:?}", stopped.elapsed());
    assert_eq!(siegburg.row_of(&hennef)["in_sync"], true);
    bonn.signal("CONT");
    eventually("who slept has it", || bonn.shown(&id)["meta"]["state"] == "published");
    bonn.wait_in_sync(&siegburg);
}
