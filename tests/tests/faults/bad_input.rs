//! Bad files and wrong commands: one clear line, the right exit code, and nothing changed.

use std::fs;
use std::path::{Path, PathBuf};

use ortsnetz_tests::{Town, eventually_some};
use serde_json::{Value, json};

use crate::says::{Before, says};

const FAILED: i32 = 1;
const USAGE: i32 = 2;
const TWO_MIB: usize = 2 << 20;
/// Nothing has this id.
const NOBODY: &str = "00000000000000000000000000000000";

/// A command that must fail.
struct Row {
    what: &'static str,
    arguments: Vec<String>,
    code: i32,
    /// What stands in the one line: what is wrong, where, what to do next.
    says: &'static [&'static str],
}

fn row(what: &'static str, arguments: &[&str], code: i32, says: &'static [&'static str]) -> Row {
    Row { what, arguments: arguments.iter().map(ToString::to_string).collect(), code, says }
}

/// Files with something wrong in them.
struct Files(PathBuf);

impl Files {
    fn new(dir: &Path) -> Self {
        let files = Self(dir.to_owned());
        let line = |value: Value| format!("{value}\n").into_bytes();
        let service = |more: Value| {
            let mut entry = json!({"kind": "service", "title": {"de": "Hundesteuer"}});
            entry.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            line(entry)
        };
        files.put("broken.jsonl", b"{\"kind\": \"service\", \"title\":\n");
        files.put("kiosk.jsonl", &line(json!({"kind": "kiosk", "title": {"de": "Zeitungen"}})));
        files.put("large.jsonl", &service(json!({"texts": {"notes": {"de": "x".repeat(TWO_MIB)}}})));
        files.put("ars.jsonl", &service(json!({"valid_for": ["0538"]})));
        files.put("utf8.jsonl", b"{\"kind\": \"service\", \"title\": {\"de\": \"M\xfcnchen\"}}\n");
        files.put("array.jsonl", b"[1, 2]\n");
        files.put("two.jsonl", b"{\n{\n");
        files.put("empty.jsonl", b"");
        files.put("noise.bin", &[0xc3, 0x28, 0, 255].repeat(500));
        files.put("zufi.xml", b"<?xml version=\"1.0\"?><leistung/>");
        files.put("table.csv", b"Nr;Name\n1;Hundesteuer\n");
        files.put("wrong.toml", b"kind = \"kiosk\"\n[[columns]]\nname = \"Name\"\npath = \"title.de\"\n");
        files.put("large.md", &vec![b'x'; TWO_MIB]);
        files.put("utf8.md", b"M\xfcnchen");
        files.put("cut.json", b"{\"data\": [{\"id\": \"1\", \"name\": ");
        files.put("places.csv", b"no;such;columns\n1;2;3\n");
        files.put("sheet.txt", b"this is no recovery sheet\n");
        files
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.0.join(name), bytes).expect("written");
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

#[test]
fn bad_input_gets_one_line_and_changes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let town = Town::new(directory.path(), "Stadt Siegburg", "053820060060");
    let own = town.publish("service", &["title.de=Hundesteuer", "valid_for.+=053820060060"]);
    let untitled = town.create("service", &["valid_for.+=0538"]);
    let files = Files::new(directory.path());
    let file = |name: &str| files.path(name);
    let notes = |name: &str| format!("texts.notes.de=@{}", files.path(name));
    let again = "correct it and import again";

    let import: &[(&str, &str, i32, &'static [&'static str])] = &[
        (
            "a broken JSON line",
            "broken.jsonl",
            FAILED,
            &["broken.jsonl:1: broken JSON at column", "correct it and import again"],
        ),
        ("an unknown kind", "kiosk.jsonl", FAILED, &["kiosk.jsonl:1: kind: \"kiosk\" is not one we know"]),
        ("a text of 2 MiB", "large.jsonl", FAILED, &["large.jsonl:1:", "at most 393216"]),
        ("a wrong ARS", "ars.jsonl", FAILED, &["ars.jsonl:1: valid_for.0: is not an ARS (12 digits)"]),
        ("invalid UTF-8", "utf8.jsonl", FAILED, &["utf8.jsonl:1: invalid UTF-8 after 38 bytes"]),
        ("no object", "array.jsonl", FAILED, &["array.jsonl:1:", "must be a JSON object"]),
        ("two bad lines", "two.jsonl", FAILED, &["two.jsonl:1:", "(and 1 more, see `rejected`)"]),
        ("no line at all", "empty.jsonl", FAILED, &["there are no records; is it the right file?"]),
        ("noise", "noise.bin", FAILED, &["could not tell the format of", "noise.bin", "say --format"]),
        ("XZuFi", "zufi.xml", FAILED, &["not supported yet", "import JSON Lines"]),
        ("a table without a mapping", "table.csv", FAILED, &["table.csv", "--mapping"]),
        ("no such file", "nowhere.jsonl", FAILED, &["could not read", "nowhere.jsonl: No such file"]),
        ("half a dldb file", "cut.json", FAILED, &["cut.json:1:", "ends in the middle"]),
    ];
    let mut rows: Vec<Row> = import
        .iter()
        .map(|(what, name, code, says)| row(what, &["import", &file(name), "--publish"], *code, says))
        .collect();
    assert!(rows[0].says.contains(&again));
    let (table, wrong) = (file("table.csv"), file("wrong.toml"));
    rows.extend([
        row("a wrong mapping", &["import", &table, "--mapping", &wrong], FAILED, &["--mapping", "kiosk"]),
        row(
            "a wrong --valid-for",
            &["import", &table, "--valid-for", "05"],
            USAGE,
            &["--valid-for: \"05\" is not an ARS"],
        ),
        row("a wrong --format", &["import", &table, "--format", "word"], USAGE, &["--format", "jsonl, dldb", "--help"]),
        row(
            "a collection that is not there",
            &["import", &file("ars.jsonl"), "--collection", "nosuch"],
            FAILED,
            &["no collection \"nosuch\" here", "there are: "],
        ),
        row("a wrong table of places", &["places", "import", &file("places.csv")], FAILED, &["places.csv", "ars"]),
        row(
            "no recovery sheet",
            &["identity", "sheet", "--check", &file("sheet.txt"), "--passphrase", "x"],
            FAILED,
            &["sheet"],
        ),
        row(
            "a text of 2 MiB typed",
            &["edit", &own, &notes("large.md")],
            FAILED,
            &["at most 393216", "split the text"],
        ),
        row(
            "a file that is not UTF-8",
            &["edit", &own, &notes("utf8.md")],
            FAILED,
            &["utf8.md: invalid UTF-8 after 1 bytes", "save it as UTF-8"],
        ),
        row(
            "an unknown kind typed",
            &["create", "kiosk", "title.de=x"],
            USAGE,
            &["\"kiosk\" is no kind of entry", "kinds are: "],
        ),
        row("a value without a path", &["edit", &own, "title"], USAGE, &["title: is no PATH=VALUE", "fees.0.amount"]),
        row("a path that leads nowhere", &["edit", &own, "title..de=x"], USAGE, &["title..de"]),
        row("an amount that is none", &["edit", &own, "fees.+={\"kind\":\"fixed\",\"amount\":"], USAGE, &["fees"]),
        row("a wrong ARS published", &["publish", &untitled], FAILED, &["not published", "valid_for.0: is not an ARS"]),
        row("a draft without title", &["publish", "--all"], FAILED, &["not published", "title"]),
        row("a date that is none", &["show", &own, "--on", "morgen"], USAGE, &["\"morgen\" is no date", "2027-01-31"]),
        row("heads that are none", &["show", &own, "--at", "xyz"], USAGE, &["xyz"]),
        row(
            "heads nothing has",
            &["show", &own, "--at", &"0".repeat(64)],
            FAILED,
            &["has no version with these heads", "history"],
        ),
        row(
            "a place nobody knows",
            &["search", "hund", "--place", "Nirgendwo"],
            FAILED,
            &["no place \"Nirgendwo\"", "places import"],
        ),
        row("a kind nobody knows", &["search", "hund", "--kind", "kiosk"], USAGE, &["\"kiosk\" is no kind"]),
        row("a partner nobody knows", &["compare", "Atlantis"], FAILED, &["\"Atlantis\"", "known are"]),
        row("a place that is no ARS", &["invite", "--for", "12"], USAGE, &["--for: \"12\" is not an ARS"]),
        row("a time that is none", &["invite", "--expires", "bald"], USAGE, &["\"bald\" is no duration like 7d"]),
        row("a longer time than allowed", &["invite", "--expires", "9999d"], USAGE, &["--expires", "days"]),
        row("a command there is not", &["statsu"], USAGE, &["unrecognized subcommand 'statsu'", "status", "--help"]),
        row("half a command", &["publish"], USAGE, &["not provided", "--help"]),
        row(
            "a second identity",
            &["init", "--name", "A", "--ars", "053820060060"],
            FAILED,
            &["in use", "stop it first"],
        ),
    ]);
    // Every command that takes an id, with something that is none, and with one that nothing has.
    let with_id: &[&[&str]] = &[
        &["show", "ID"],
        &["show", "ID", "--draft"],
        &["history", "ID"],
        &["edit", "ID", "title.de=x"],
        &["publish", "ID"],
        &["withdraw", "ID"],
        &["move", "ID", "internal"],
        &["resolve", "ID", "title.de", "0"],
        &["adopt", "ID", "--copy"],
    ];
    for command in with_id {
        let with =
            |id: &str| command.iter().map(|word| if *word == "ID" { id } else { word }).map(str::to_owned).collect();
        let (cut, unknown) = (with("00ff"), with(NOBODY));
        rows.push(Row {
            what: "a cut id",
            arguments: cut,
            code: USAGE,
            says: &["\"00ff\" is not an entry id (32 hex digits)"],
        });
        rows.push(Row {
            what: "an id nothing has",
            arguments: unknown,
            code: FAILED,
            says: &[NOBODY, "there is no entry", "search"],
        });
    }

    let before = Before::of(&town);
    let mut wrong = Vec::new();
    for row in &rows {
        let arguments: Vec<&str> = row.arguments.iter().map(String::as_str).collect();
        let output = town.cli(&arguments);
        wrong.extend(says(&format!("{} {arguments:?}", row.what), &output, row.code, row.says).err());
        before.assert_unchanged(row.what, &town);
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    town.check_store();
}

#[test]
fn good_lines_beside_bad_ones_are_taken() {
    let directory = tempfile::tempdir().expect("a directory");
    let town = Town::new(directory.path(), "Stadt Siegburg", "053820060060");
    let good = |value: &str| json!({"kind": "service", "title": {"de": value}, "identifier": {"agency": "A", "scheme": "LB", "value": value}});
    let file = directory.path().join("mixed.jsonl");
    fs::write(&file, format!("{}\n{{\"kind\": \n{}\n", good("eins"), good("zwei"))).expect("written");
    let report = town.ok(&["import", file.to_str().expect("UTF-8"), "--publish"]);
    assert_eq!((&report["created"], &report["published"]), (&json!(2), &json!(2)), "{report}");
    assert_eq!(report["rejected"][0]["line"], 2, "{report}");
    assert!(report["rejected"][0]["reason"].as_str().is_some_and(|reason| reason.contains("broken JSON")), "{report}");
}

#[test]
fn scripts_in_html_are_removed_and_reported() {
    let directory = tempfile::tempdir().expect("a directory");
    let town = Town::new(directory.path(), "Stadt Siegburg", "053820060060");
    let html =
        "<p onclick=\"steal()\">Bitte<script>alert(1)</script> <a href=\"javascript:x()\">hier</a> anmelden.</p>";
    let file = directory.path().join("services_de.json");
    fs::write(&file, json!({"data": [{"id": "1", "name": "Hund anmelden", "description": html}]}).to_string())
        .expect("written");
    let report = town.ok(&["import", file.to_str().expect("UTF-8"), "--valid-for", "053820060060", "--publish"]);
    assert_eq!(report["published"], 1, "{report}");
    let messages = report["findings"].to_string();
    for part in ["<script>", "onclick", "javascript:"] {
        assert!(messages.contains(part), "{part} is reported: {messages}");
    }
    let id = eventually_some("it is found", || {
        town.ok(&["search", "hund", "anmelden"])["hits"][0]["id"].as_str().map(str::to_owned)
    });
    assert_eq!(town.shown(&id)["entry"]["texts"]["description"]["de"], "Bitte hier anmelden.");
    let page = town.http("GET", &format!("/eintrag/{id}"), None).text;
    assert!(page.contains("Bitte hier anmelden.") && !page.contains("alert(1)"), "{page}");
}
