//! Contacts, calls, reports and what a month costs, at the command line and over HTTP.

use std::process::Command;

use ortsnetz_tests::{Bytes, Town, eventually};
use serde_json::{Value, json};

const KOELN: &str = "053150000000";
const SIEGBURG: &str = "053820060060";

/// The month before this one, and a day in it.
fn last_month() -> (String, String) {
    let output = Command::new("date").args(["-d", "-1 month -10 days", "+%Y-%m"]).output().expect("date runs");
    let month = String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned();
    let day = format!("{month}-03T10:15");
    (month, day)
}

/// Two towns of which the first answers for the second, by an agreement with prices and targets.
fn agreed(dir: &std::path::Path) -> (Town, Town) {
    let koeln = Town::new(dir, "Stadt Köln", KOELN);
    let siegburg = Town::new(dir, "Stadt Siegburg", SIEGBURG);
    siegburg.befriend(&koeln);
    let terms = json!({"title": "Telefonservice", "stage": 3, "valid_from": "2020-01-01",
        "targets": {"accepted_percent": 75, "accepted_seconds": 30, "first_contact_percent": 65, "answer_hours": 24},
        "prices": {"minute_cents": 119, "contact_cents": 45, "rounding": "second", "tax_permille": 190}});
    let file = dir.join("terms.json");
    std::fs::write(&file, terms.to_string()).expect("written");
    let file = file.to_str().expect("UTF-8");
    let id = koeln.ok(&["agreements", "propose", "Stadt Siegburg", file, "--we-answer"])["id"].clone();
    let id = id.as_str().expect("an id").to_owned();
    eventually("the offer arrives", || siegburg.cli(&["agreements", "sign", &id]).code == 0);
    eventually("both signed", || koeln.ok(&["agreements", "show", &id])["state"] == "in_force");
    (koeln, siegburg)
}

fn row<'a>(report: &'a Value, partner: &str) -> &'a Value {
    let rows = report["rows"].as_array().expect("rows");
    rows.iter().find(|row| row["partner"]["name"] == partner).unwrap_or_else(|| panic!("{partner}: {report}"))
}

#[test]
fn an_acknowledged_contact_survives_a_kill_and_small_numbers_stay_small() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut koeln, siegburg) = agreed(dir.path());
    for _ in 0..4 {
        koeln.ok(&["contacts", "add", "answered", "--seconds", "60", "--place", SIEGBURG]);
    }
    let wrong = koeln.cli(&["contacts", "add", "sold"]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    let last = koeln.ok(&["contacts", "add", "forwarded", "--topic", "99102013060000", "--place", SIEGBURG]);
    let several = json!([{"outcome": "gave_up", "place": SIEGBURG}, {"outcome": "connected"}]);
    assert_eq!(koeln.http("POST", "/api/v1/contacts", Some(&several)).status, 200);
    let caller = json!({"outcome": "gave_up", "caller": "02241 1020"});
    let refused = koeln.http("POST", "/api/v1/contacts", Some(&caller));
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert!(refused.text.contains("unknown field `caller`"), "{}", refused.text);

    koeln.kill();
    koeln.start();
    let report = koeln.ok(&["reports", "month"]);
    let for_siegburg = row(&report, "Stadt Siegburg");
    assert_eq!(for_siegburg["contacts"], 6, "{report}");
    let outcomes = for_siegburg["outcomes"].as_array().expect("outcomes");
    assert!(outcomes.iter().all(|outcome| outcome["count"] == "< 5"), "{report}");
    assert_eq!(for_siegburg["first_contact"]["percent"], 80, "4 of 5: {report}");
    assert_eq!(for_siegburg["first_contact"]["state"], "met");
    assert_eq!(for_siegburg["accepted"]["state"], "not_measured", "{report}");
    assert_eq!(row(&report, "Stadt Köln")["contacts"], "< 5", "{report}");

    // The telephone system's export, twice.
    siegburg.publish("profile", &["names.+=Siegburg", "numbers.+=+49 2241 102-0"]);
    let calls = dir.path().join("anrufe.csv");
    let mapping = dir.path().join("anlage.toml");
    let month = report["month"].as_str().expect("a month").to_owned();
    let mut table = "Nr;Ziel;Beginn;Wartezeit;Dauer\n".to_owned();
    for number in 0..8 {
        let (waited, talked) = if number < 6 { (20, 100) } else { (40, 0) };
        table.push_str(&format!("{number};02241/1020;{month}-01T10:00:00;{waited};{talked}\n"));
    }
    std::fs::write(&calls, &table).expect("written");
    let columns = "[columns]\nid = \"Nr\"\ndialled = \"Ziel\"\noffered = \"Beginn\"\nwaited = \"Wartezeit\"\ntalked = \"Dauer\"\n";
    std::fs::write(&mapping, columns).expect("written");
    let paths = (calls.to_str().expect("UTF-8"), mapping.to_str().expect("UTF-8"));
    let import = || koeln.cli(&["contacts", "import", paths.0, "--mapping", paths.1]);
    eventually("the number is known", || import().code == 0);
    assert_eq!(import().json["unchanged"], 8);
    let report = koeln.ok(&["reports", "month", "--partner", "Stadt Siegburg"]);
    let accepted = &row(&report, "Stadt Siegburg")["accepted"];
    assert_eq!((&accepted["percent"], &accepted["state"]), (&json!(75), &json!("met")), "{report}");
    assert_eq!(row(&report, "Stadt Siegburg")["lost"], "< 5");

    // The follow-up, ticked off by whom it is for, once the contact has left the house: proposing a month publishes everything.
    let number = last["number"].as_str().expect("a number");
    koeln.ok(&["reports", "settle", "propose", &last_month().0, "Stadt Siegburg"]);
    eventually("the follow-up arrives", || !siegburg.ok_list(&["contacts", "follow-ups"]).is_empty());
    siegburg.ok(&["contacts", "done", number]);
    assert!(siegburg.ok_list(&["contacts", "follow-ups"]).is_empty());

    let page = dir.path().join("monat.html");
    koeln.ok(&["reports", "mayor", "--out", page.to_str().expect("UTF-8")]);
    let page = std::fs::read_to_string(page).expect("a page");
    assert!(page.contains("Wir für Stadt Siegburg") && page.contains("75 %"), "{page}");
    assert_eq!(koeln.http("GET", "/reports/now/mayor", None).status, 404, "it is not public");
}

trait List {
    fn ok_list(&self, arguments: &[&str]) -> Vec<Value>;
}

impl List for Town {
    fn ok_list(&self, arguments: &[&str]) -> Vec<Value> {
        self.ok(arguments).as_array().cloned().unwrap_or_else(|| panic!("{arguments:?} gives no list"))
    }
}

#[test]
fn a_month_is_proposed_objected_to_and_signed_at_the_command_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let (koeln, siegburg) = agreed(dir.path());
    let (month, at) = last_month();
    let mut ids = Vec::new();
    for seconds in ["61", "125", "310"] {
        let added = koeln.ok(&["contacts", "add", "answered", "--seconds", seconds, "--place", SIEGBURG, "--at", &at]);
        ids.push(added["id"].as_str().expect("an id").to_owned());
    }
    let open = koeln.ok(&["reports", "settle", "show", &month, "Stadt Siegburg"]);
    assert_eq!(open["state"], "open", "{open}");
    let early = koeln.cli(&["reports", "settle", "propose", "2099-01", "Stadt Siegburg"]);
    assert!(early.code == 1 && early.stderr.contains("is not over"), "{}", early.stderr);
    let proposed = koeln.ok(&["reports", "settle", "propose", &month, "Stadt Siegburg"]);
    // (61 + 125 + 310) * 1.19 / 60 = 9.837, and 3 * 0.45.
    assert_eq!(proposed["sums"]["net_cents"], 984 + 135, "{proposed}");
    eventually("it arrives", || siegburg.ok(&["reports", "settle", "show", &month, "Stadt Köln"])["revision"] == 1);
    let object = ["reports", "settle", "object", &month, "Stadt Köln", &ids[1], "--reason", "nicht für uns"];
    eventually("the lines arrive", || siegburg.cli(&object).code == 0);
    let named = ["reports", "settle", "object", &month, "Stadt Köln", &ids[0], "--reason", "rief 02241 1020 an"];
    let refused = siegburg.cli(&named);
    assert!(refused.code == 2 && refused.stderr.contains("telephone number"), "{}", refused.stderr);
    eventually("the objection arrives", || {
        koeln.ok(&["reports", "settle", "show", &month, "Stadt Siegburg"])["state"] == "objected"
    });
    koeln.ok(&["reports", "settle", "accept", &month, "Stadt Siegburg"]);
    koeln.ok(&["reports", "settle", "propose", &month, "Stadt Siegburg"]);
    eventually("it arrives", || siegburg.ok(&["reports", "settle", "show", &month, "Stadt Köln"])["revision"] == 2);
    eventually("everything is there", || siegburg.cli(&["reports", "settle", "sign", &month, "Stadt Köln"]).code == 0);
    eventually("it is closed on both sides", || {
        koeln.ok(&["reports", "settle", "show", &month, "Stadt Siegburg"])["state"] == "closed"
    });
    let export = |town: &Town, partner: &str, name: &str| {
        let file = dir.path().join(name);
        town.ok(&["reports", "settle", "export", &month, partner, "--out", file.to_str().expect("UTF-8")]);
        std::fs::read(file).expect("written")
    };
    let table = export(&koeln, "Stadt Siegburg", "koeln.csv");
    assert_eq!(table, export(&siegburg, "Stadt Köln", "siegburg.csv"));
    assert!(String::from_utf8_lossy(&table).contains(&format!("reversed;{at};{}", ids[1])));
    export(&siegburg, "Stadt Köln", "monat.json");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/settlement.py");
    let again = Command::new("python3").arg(script).arg(dir.path().join("monat.json")).output();
    let again = again.expect("python3 is there: install it with `apt-get install python3`");
    assert_eq!(String::from_utf8_lossy(&again.stdout), String::from_utf8_lossy(&table));
    assert!(export(&koeln, "Stadt Siegburg", "monat.pdf").starts_with(b"%PDF-"));
    let all = koeln.ok_list(&["reports", "settle", "list"]);
    assert_eq!((&all[0]["month"], &all[0]["state"]), (&json!(month), &json!("closed")), "{all:?}");
    let late = koeln.cli(&["reports", "settle", "propose", &month, "Stadt Siegburg"]);
    assert!(late.code == 1 && late.stderr.contains("correction of the month after"), "{}", late.stderr);
}

#[test]
fn words_without_a_hit_are_told_from_the_fifth_time_on_and_lie_nowhere_before() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut town = Town::new(dir.path(), "Stadt Siegburg", SIEGBURG);
    town.publish("service", &["title.de=Hund anmelden", r#"leika=["99102013060000"]"#]);
    town.publish("service", &["title.de=Hundesteuer", r#"leika=["99102013060000"]"#, "review.next_review=2020-01-01"]);
    // What is sought while it is typed is not counted.
    eventually("both are found", || town.get("/search?q=Hund&typing=true")["total"] == 2);
    for _ in 0..5 {
        assert_eq!(town.ok(&["search", "Zwetschgenverordnung"])["total"], 0);
    }
    for _ in 0..4 {
        town.ok(&["answer", "Wladislausmustermann"]);
    }
    let words = || town.ok(&["reports", "gaps"])["words"].clone();
    eventually("the word is told", || !words().as_array().expect("words").is_empty());
    assert_eq!(words(), json!([{"key": "zwetschgenverordnung", "name": "zwetschgenverordnung", "count": 5}]));
    let gaps = town.ok(&["reports", "gaps"]);
    assert_eq!(gaps["duplicates"][0]["entries"].as_array().map(Vec::len), Some(2), "{gaps}");
    assert_eq!(gaps["overdue"][0]["state"], "overdue", "{gaps}");
    let lacks: Vec<&Value> = gaps["incomplete"].as_array().expect("a list").iter().map(|one| &one["missing"]).collect();
    assert!(
        lacks.contains(&&json!(["fee", "office", "review"])) && lacks.contains(&&json!(["fee", "office"])),
        "{gaps}"
    );
    town.stop();
    let bytes = Bytes::of(&town.dir);
    bytes.must_lack("wladislausmustermann");
    bytes.must_lack("Wladislausmustermann");
    assert!(!town.log().to_lowercase().contains("wladislausmustermann"));
}
