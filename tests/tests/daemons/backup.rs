//! Backups of running towns, and towns that come back from them.

use std::fs;
use std::path::Path;

use ortsnetz_tests::{Town, eventually};
use serde_json::json;

const SIEGBURG: &str = "053820060060";
const BONN: &str = "053140000000";
const PASS: &str = "vier Wörter sind genug";

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn names(dir: &Path) -> Vec<String> {
    let items = fs::read_dir(dir).expect("a directory");
    let mut names: Vec<_> = items.filter_map(|item| item.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    names
}

#[test]
fn a_town_comes_back_from_its_backup_with_drafts_and_what_only_it_had() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut town = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let bonn = Town::new(dir.path(), "Stadt Bonn", BONN);
    town.befriend(&bonn);
    let staff = json!([{"channel": "phone", "value": "+49 2241 102-12"}]);
    let contacts = format!("companions.internal.staff_contacts={staff}");
    let id = town.publish("service", &["title.de=Hundesteuer", &contacts]);
    let draft = town.create("service", &["title.de=Nur ein Entwurf"]);
    let (out, file) = (dir.path().join("sicherung"), dir.path().join("sicherung/siegburg.age"));
    fs::create_dir(&out).expect("a directory");
    let doctor = || {
        let all = town.ok(&["doctor"])["checks"].as_array().cloned().unwrap_or_default();
        let found = all.into_iter().find(|line| line["check"] == "backup").expect("a line about backups");
        found["result"].as_str().expect("a result").to_owned()
    };
    assert_eq!(doctor(), "warning");
    let made = town.ok(&["backup", text(&file), "--passphrase", PASS]);
    assert_eq!(doctor(), "ok");
    let length = fs::metadata(&file).expect("the backup").len();
    assert_eq!((&made["ok"], &made["bytes"]), (&json!(true), &json!(length)));
    assert_eq!(names(&out), ["siegburg.age"]);
    assert!(!names(&town.dir).iter().any(|name| name.starts_with("backup.")), "{:?}", names(&town.dir));
    assert!(fs::read(&file).expect("the backup").starts_with(b"age-encryption.org/v1\n-> scrypt "));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&file).expect("the backup").permissions().mode() & 0o777, 0o600);
    }
    let twice = town.cli(&["backup", text(&file), "--passphrase", PASS]);
    assert!(twice.code == 1 && twice.stderr.contains("exists already"), "{}", twice.stderr);
    let short = town.cli(&["backup", text(&out.join("kurz.age")), "--passphrase", "geheim"]);
    assert!(short.code == 2 && short.stderr.contains("at least 12 characters"), "{}", short.stderr);
    let nowhere = town.cli(&["backup", text(&out.join("fehlt/b.age")), "--passphrase", PASS]);
    assert!(nowhere.code == 1 && nowhere.stderr.contains("cannot create"), "{}", nowhere.stderr);
    assert_eq!(names(&out), ["siegburg.age"]);

    // Published after the backup: partners have it.
    town.ok(&["edit", &id, "title.de=Hundesteuer anmelden"]);
    town.publish_entry(&id);
    town.wait_in_sync(&bonn);
    eventually("Bonn reads it", || bonn.shown(&id)["entry"]["title"]["de"] == "Hundesteuer anmelden");
    let running = town.cli(&["restore", text(&file), "--passphrase", PASS]);
    assert!(running.code == 1 && running.stderr.contains("a daemon runs"), "{}", running.stderr);
    town.kill();
    let there = town.cli(&["restore", text(&file), "--passphrase", PASS]);
    assert!(there.code == 1 && there.stderr.contains("holds an identity already"), "{}", there.stderr);
    fs::remove_dir_all(&town.dir).expect("the data directory");

    let cut = dir.path().join("halb.age");
    let whole = fs::read(&file).expect("the backup");
    fs::write(&cut, &whole[..whole.len() / 2]).expect("half of it");
    for (file, passphrase, said) in
        [(&file, "ein ganz anderer Satz", "not opened by this passphrase"), (&cut, PASS, "is damaged")]
    {
        let failed = town.cli(&["restore", text(file), "--passphrase", passphrase]);
        assert_eq!((failed.code, failed.stderr.lines().count()), (1, 1), "{}", failed.stderr);
        assert!(failed.stderr.contains(said), "{}", failed.stderr);
        assert!(!town.dir.exists(), "nothing is kept");
    }
    let restored = town.ok(&["restore", text(&file), "--passphrase", PASS]);
    assert_eq!(restored["organisation"]["name"], "Stadt Siegburg");
    assert!(!names(&town.dir).iter().any(|name| name.starts_with("backup.")), "{:?}", names(&town.dir));
    town.start();
    assert_eq!(town.draft(&draft)["entry"]["title"]["de"], "Nur ein Entwurf");
    town.wait_in_sync(&bonn);
    eventually("what was published since is back", || {
        town.shown(&id)["entry"]["title"]["de"] == "Hundesteuer anmelden"
    });
    assert_eq!(town.shown(&id)["entry"]["companions"]["internal"]["staff_contacts"], staff);
    eventually("it publishes again", || town.cli(&["publish", &draft]).code == 0);
    eventually("Bonn reads it", || bonn.shown(&draft)["meta"]["state"] == "published");
    assert_eq!(town.ok(&["compare", "Stadt Bonn"])["identical"], json!(true));
    town.check_store();
}

#[test]
fn a_backup_for_recipients_is_made_without_a_daemon_and_opens_with_a_secret_key() {
    // The key whose bytes are all 0x42.
    const PUBLIC: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
    const SECRET: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    let dir = tempfile::tempdir().expect("a directory");
    let mut town = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let draft = town.create("service", &["title.de=Nur ein Entwurf"]);
    town.stop();
    let (file, key) = (dir.path().join("siegburg.age"), dir.path().join("schluessel.txt"));
    fs::write(&key, format!("# created: today\n{SECRET}\n")).expect("a key");
    town.ok(&["backup", text(&file), "--recipient", PUBLIC]);
    fs::remove_dir_all(&town.dir).expect("the data directory");
    let by_passphrase = town.cli(&["restore", text(&file), "--passphrase", PASS]);
    assert!(by_passphrase.code == 1 && by_passphrase.stderr.contains("--identity FILE"), "{}", by_passphrase.stderr);
    town.ok(&["restore", text(&file), "--identity", text(&key)]);
    town.start();
    assert_eq!(town.draft(&draft)["entry"]["title"]["de"], "Nur ein Entwurf");
    // Nobody else has anything of it: it goes on by itself.
    eventually("it publishes", || town.cli(&["publish", &draft]).code == 0);
}

#[test]
fn a_backup_is_made_when_the_newest_is_a_day_old_and_a_missing_disk_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let (out, passphrase) = (dir.path().join("sicherung"), dir.path().join("passphrase"));
    fs::create_dir(&out).expect("a directory");
    fs::write(&passphrase, format!("{PASS}\n")).expect("a passphrase");
    private(&passphrase);
    let mut town = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    let draft = town.create("service", &["title.de=Nur ein Entwurf"]);
    town.stop();
    let config = |recipients: &str| {
        format!(
            "[backup]\ndirectory = {out:?}\npassphrase_file = {passphrase:?}\nrecipients = {recipients}\ndaily = 1\nweekly = 0\nmonthly = 0\n"
        )
    };
    let file = town.dir.join("ortsnetz.toml");
    fs::write(&file, config("[\"age1nonsense\"]")).expect("a configuration");
    let refused = town.cli(&["run"]);
    assert!(refused.code == 2 && refused.stderr.contains("backup: "), "{}", refused.stderr);
    fs::write(&file, config("[]")).expect("a configuration");
    town.start();
    eventually("a backup", || matches!(names(&out).as_slice(), [one] if one.ends_with(".age")));
    let first = names(&out).remove(0);
    town.stop();

    // As if it was made two days ago: another one is made, and only one a day is kept.
    let (name, _) = first.split_at(first.find("-20").expect("a date"));
    let old = format!("{name}-2026-01-01T03-00-00Z.age");
    fs::rename(out.join(&first), out.join(&old)).expect("an older backup");
    fs::write(out.join("urlaub.age"), "of somebody else").expect("a file");
    town.start();
    let newer = |names: &[String]| names.len() == 2 && names[0].starts_with(name) && names[0] != old;
    eventually("a newer one in its place", || newer(&names(&out)));
    let second = names(&out).remove(0);
    assert!(town.status()["alarms"].as_array().is_some_and(Vec::is_empty), "{}", town.status()["alarms"]);
    town.stop();

    // The disk is not there.
    let away = dir.path().join("abgezogen");
    fs::rename(&out, &away).expect("moved");
    town.start();
    eventually("it is told", || town.status()["alarms"][0]["kind"] == "backup_failed");
    assert!(!out.exists());
    town.kill();
    fs::remove_dir_all(&town.dir).expect("the data directory");
    town.ok(&["restore", text(&away.join(second)), "--passphrase", &format!("@{}", passphrase.display())]);
    town.start();
    assert_eq!(town.draft(&draft)["entry"]["title"]["de"], "Nur ein Entwurf");
}

#[cfg(unix)]
fn private(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("permissions");
}

#[cfg(not(unix))]
fn private(_: &Path) {}
