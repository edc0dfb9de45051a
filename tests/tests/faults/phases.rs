//! `kill -9` in the phases that the long test does not meet by itself: a first sync, a compaction, a backup.

use std::fs;
use std::path::Path;
use std::thread::{self, sleep};
use std::time::Duration;

use ortsnetz_tests::{Town, eventually};

/// Kills in each phase, at moments spread over it.
const KILLS: u32 = 5;
/// Entries there are to work on.
const ENTRIES: usize = 400;
const PASSPHRASE: &str = "Neun Elefanten baden gern";

/// A town with entries, all of them published; their number is told.
fn town(parent: &Path, name: &str, ars: &str) -> Town {
    let town = Town::new(parent, name, ars);
    let file = parent.join("entries.jsonl");
    let text = "Ein Absatz, der ein wenig Platz braucht. ".repeat(20);
    let line = |n: usize| {
        format!(
            "{{\"kind\":\"service\",\"title\":{{\"de\":\"Leistung {n}\"}},\"texts\":{{\"description\":{{\"de\":\"{n} {text}\"}}}}}}\n"
        )
    };
    fs::write(&file, (0..ENTRIES).map(line).collect::<String>()).expect("written");
    let imported = town.ok(&["import", file.to_str().expect("a path"), "--publish"]);
    assert_eq!(imported["published"], ENTRIES, "{imported}");
    town
}

/// Has a command run, kills the daemon in the middle, starts it again, and says that nothing is lost.
fn killed_while(town: &mut Town, arguments: &[&str], after: Duration) {
    let running = thread::scope(|scope| {
        let asked = scope.spawn(|| town.cli_when_it_may_fail(arguments));
        sleep(after);
        town.kill_now();
        asked.join().expect("the command ends")
    });
    town.killed();
    town.start();
    assert_eq!(town.status()["entries"]["own"], ENTRIES, "{arguments:?} ended with {running}");
    town.check_store();
}

#[test]
fn kill_in_a_first_sync_a_compaction_and_a_backup_loses_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut siegburg = town(dir.path(), "Stadt Siegburg", "053820060060");
    for kill in 0..KILLS {
        killed_while(&mut siegburg, &["store", "compact"], Duration::from_millis(u64::from(kill) * 60));
    }
    let backup = dir.path().join("backup.age");
    let path = backup.to_str().expect("a path").to_owned();
    let make = ["backup", path.as_str(), "--passphrase", PASSPHRASE];
    for kill in 0..KILLS {
        let _ = fs::remove_file(&backup);
        killed_while(&mut siegburg, &make, Duration::from_millis(u64::from(kill) * 60));
        // It is whole or not there: a part never has its name.
        if backup.exists() {
            assert!(fs::metadata(&backup).expect("it is there").len() > 10_000);
        }
    }
    let _ = fs::remove_file(&backup);
    siegburg.ok(&make);

    let mut bonn = Town::new(dir.path(), "Stadt Bonn", "053140000000");
    siegburg.befriend(&bonn);
    for kill in 0..KILLS {
        sleep(Duration::from_millis(u64::from(kill) * 40));
        bonn.kill();
        bonn.start();
        bonn.check_store();
    }
    eventually("all has arrived", || bonn.status()["entries"]["replicated"] == ENTRIES);
    bonn.wait_in_sync(&siegburg);
    assert_eq!(bonn.ok(&["compare", "Stadt Siegburg"])["identical"], true);
}
