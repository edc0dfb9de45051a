//! München's service directory as it is, published to a partner.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use ortsnetz_tests::{Bytes, Town, eventually_within, test_data};
use serde_json::{Value, json};

const MUNICH: &str = "091620000000";
/// By when a new partner finds what it came for.
const FOUND_WITHIN: Duration = Duration::from_secs(5);
/// So many texts of each internal entry are looked for.
const TEXTS_PER_ENTRY: usize = 4;

fn import(town: &Town) -> Value {
    let file = |name: &str| test_data(name).display().to_string();
    let (services, locations) = (file("muenchen/services_de.json"), file("muenchen/locations_de.json"));
    town.ok(&["import", &services, &locations, "--publish", "--valid-for", MUNICH])
}

/// All rows of `GET /entries` of an organisation by id.
fn entries(town: &Town, query: &str) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    let mut after = String::new();
    loop {
        let page = town.get(&format!("/entries?limit=100{query}{after}"));
        for row in page["entries"].as_array().expect("entries") {
            all.insert(row["id"].as_str().expect("an id").to_owned(), row.clone());
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return all,
        }
    }
}

fn of_kind(rows: &BTreeMap<String, Value>, kind: &str) -> usize {
    rows.values().filter(|row| row["kind"] == kind).count()
}

#[test]
fn a_partner_gets_the_public_services_and_offices_of_munich_and_no_byte_of_the_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let munich = Town::new(dir.path(), "Landeshauptstadt München", MUNICH);
    let mut partner = Town::new(dir.path(), "Stadt Augsburg", "097610000000");
    partner.ok(&["places", "import", &test_data("gemeinden/gemeinden.csv").display().to_string()]);

    let first = import(&munich);
    assert_eq!((&first["created"], &first["published"]), (&json!(396), &json!(396)));
    assert_eq!((&first["rejected"], &first["kept"]), (&json!([]), &json!([])));
    let own = entries(&munich, "");
    assert_eq!((own.len(), of_kind(&own, "service"), of_kind(&own, "office")), (396, 287, 109));
    let (public, internal): (BTreeMap<_, _>, BTreeMap<_, _>) =
        own.into_iter().partition(|(_, row)| row["collection"] == "public");
    assert!(internal.values().all(|row| row["collection"] == "internal"));

    let file = dir.path().join("munich.jsonl");
    munich.ok(&["export", "--format", "jsonl", "--out", &file.display().to_string()]);

    munich.befriend(&partner);
    eventually_within(FOUND_WITHIN, "the partner finds how to register a business in München", || {
        let found = partner.cli(&["search", "Gewerbe", "anmelden", "--place", "München"]);
        found.json["hits"][0]["title"] == "Gewerbe-Anmeldung"
    });
    munich.wait_in_sync(&partner);
    let held = entries(&partner, &format!("&organisation={}", munich.organisation));
    assert_eq!((of_kind(&held, "service"), of_kind(&held, "office")), (162, 100));
    assert_eq!(held.keys().collect::<Vec<_>>(), public.keys().collect::<Vec<_>>());
    assert_eq!(partner.status()["entries"], json!({"own": 0, "drafts": 0, "replicated": 262}));
    for (here, there) in [(&munich, &partner), (&partner, &munich)] {
        let compared = here.ok(&["compare", &there.name]);
        assert_eq!(compared["identical"], json!(true), "{compared}");
        assert!(compared["collections"].as_array().is_some_and(|all| {
            all.iter().any(|row| row["name"] == "public" && row["ours"] == 262 && row["theirs"] == 262)
        }));
    }

    let hit = partner.ok(&["search", "Gewerbe", "anmelden", "--place", "München"])["hits"][0].clone();
    let shown = partner.ok(&["show", hit["id"].as_str().expect("an id")]);
    let meta = &shown["meta"];
    assert_eq!(meta["organisation"]["name"], "Landeshauptstadt München");
    assert_eq!(meta["organisation"]["standing"], "partner");
    assert_eq!(meta["received_from"], "Landeshauptstadt München");
    assert_eq!((&meta["state"], &meta["verified"]), (&json!("published"), &json!(true)));
    let time = |name: &str| meta[name].as_str().unwrap_or_else(|| panic!("{name} in {meta}")).to_owned();
    assert!(time("published_at") <= time("received_at"), "{meta}");
    assert_eq!(shown["entry"]["valid_for"], json!([MUNICH]));

    let numbers = names_nothing_internal(&munich, &partner, &dir.path().join("at-the-partner.jsonl"), internal.keys());
    for id in internal.keys() {
        let answer = partner.http("GET", &format!("/api/v1/entries/{id}"), None);
        assert_eq!(answer.status, 404, "{}", answer.text);
    }
    partner.check_store();
    partner.stop();
    let bytes = Bytes::of(&partner.dir);
    bytes.must_hold("Gewerbe-Anmeldung");
    // Shorter ones stand in telephone numbers.
    numbers.iter().filter(|number| number.len() >= 7).for_each(|number| bytes.must_lack(number));
    let (public, internal): (Vec<Value>, Vec<Value>) =
        lines(&file).into_iter().partition(|line| line["collection"] == "public");
    let public: String = public.iter().map(Value::to_string).collect();
    let mut looked_for = 0;
    for line in &internal {
        let telling = telling(line).into_iter().filter(|text| !public.contains(text));
        for text in telling.take(TEXTS_PER_ENTRY) {
            bytes.must_lack(text);
            looked_for += 1;
        }
    }
    assert!(looked_for > 200, "only {looked_for} texts tell internal entries from public ones");
}

/// What the partner can export names no internal entry, by number or by id, and still every office that is public; here
/// nothing is lost. Gives the numbers of the internal ones.
fn names_nothing_internal<'a>(
    munich: &Town,
    partner: &Town,
    file: &Path,
    internal: impl Iterator<Item = &'a String>,
) -> Vec<String> {
    let words = |town: &Town| -> BTreeSet<String> {
        let path = file.display().to_string();
        town.ok(&["export", "--organisation", &munich.organisation, "--companions", "--out", &path]);
        let text = fs::read_to_string(file).expect("an export");
        text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect()
    };
    let elements = |name: &str| -> Vec<Value> {
        let text = fs::read_to_string(test_data(name)).expect("the directory");
        let mut file: Value = serde_json::from_str(&text).expect("JSON");
        serde_json::from_value(file["data"].take()).expect("a list")
    };
    let (services, offices) = (elements("muenchen/services_de.json"), elements("muenchen/locations_de.json"));
    let number = |element: &Value| element.as_str().map_or_else(|| element.to_string(), str::to_owned);
    let hidden = |element: &&Value| element["public"] == json!(false);
    let secret: Vec<String> =
        services.iter().chain(&offices).filter(hidden).map(|element| number(&element["id"])).collect();
    assert_eq!(secret.len(), 134);

    let here = words(munich);
    let there = words(partner);
    for number in &secret {
        assert!(here.contains(number), "{number} is lost");
        assert!(!there.contains(number), "the partner can read {number}");
    }
    let ids: Vec<&String> = internal.collect();
    assert_eq!(ids.len(), 134);
    for id in ids {
        assert!(here.contains(id) && !there.contains(id), "the partner can read {id}");
    }

    let public = |of: &[Value]| -> BTreeSet<String> {
        of.iter().filter(|element| !hidden(element)).map(|element| number(&element["id"])).collect()
    };
    let public_offices = public(&offices);
    let pairs = |service: &Value| -> BTreeSet<String> {
        let all = service["locations"].as_array().expect("locations").iter();
        all.map(|at| number(&at["location"])).filter(|office| public_offices.contains(office)).collect()
    };
    let expected: usize = services.iter().filter(|service| !hidden(service)).map(|service| pairs(service).len()).sum();
    let told: usize = lines(file).iter().map(|line| line["offices"].as_array().map_or(0, Vec::len)).sum();
    assert!(expected > 250 && told == expected, "{told} of {expected} public offices are named");
    secret
}

/// Texts of an entry that are stored as one piece and are long enough not to be there by chance, the longest first.
fn telling(entry: &Value) -> Vec<&str> {
    fn collect<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::String(text) => {
                let plain = |line: &&str| line.len() >= 12 && !line.contains(['"', '\\', '*', '[', '<']);
                found.extend(text.lines().map(str::trim).filter(plain));
            }
            Value::Array(list) => list.iter().for_each(|value| collect(value, found)),
            Value::Object(map) => map.values().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for name in ["title", "texts", "keywords", "address"] {
        collect(&entry[name], &mut found);
    }
    found.sort_by_key(|text| std::cmp::Reverse(text.len()));
    found
}

#[test]
fn munich_imported_again_changes_nothing_and_exported_makes_the_same_elsewhere() {
    let dir = tempfile::tempdir().expect("a directory");
    let munich = Town::new(dir.path(), "Landeshauptstadt München", MUNICH);
    import(&munich);
    let written = || munich.metric("ortsnetz_store_own_log_bytes");
    let positions = || -> Vec<Value> {
        entries(&munich, "").keys().map(|id| munich.shown(id)["meta"]["position"].clone()).collect()
    };
    let (bytes_before, positions_before) = (written(), positions());
    assert!(positions_before.iter().all(Value::is_string));

    let again = import(&munich);
    assert_eq!(again["unchanged"], json!(396), "{again}");
    let nothing = ["created", "updated", "published"].map(|name| again[name].clone());
    assert_eq!(nothing, [json!(0), json!(0), json!(0)]);
    assert_eq!((&again["kept"], &again["rejected"]), (&json!([]), &json!([])));
    assert_eq!(written(), bytes_before, "the own log did not grow");
    assert_eq!(positions(), positions_before);

    let file = dir.path().join("munich.jsonl");
    munich.ok(&["export", "--format", "jsonl", "--out", &file.display().to_string()]);
    let other = Town::new(dir.path(), "Stadt Augsburg", "097610000000");
    let report = other.ok(&["import", &file.display().to_string(), "--publish"]);
    assert_eq!((&report["created"], &report["published"]), (&json!(396), &json!(396)));
    assert_eq!(report["rejected"], json!([]));
    let copy = dir.path().join("copy.jsonl");
    other.ok(&["export", "--format", "jsonl", "--out", &copy.display().to_string()]);
    let (ours, theirs) = (lines(&file), lines(&copy));
    assert_eq!((ours.len(), theirs.len()), (396, 396));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
}

/// The entries of an export, with every id of one of them replaced by its identifier.
fn lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).expect("an export");
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let names: BTreeMap<String, String> = lines
        .iter()
        .map(|line| (line["id"].as_str().expect("an id").to_owned(), format!("id of {}", line["identifier"])))
        .collect();
    assert_eq!(names.len(), lines.len());
    lines.iter_mut().for_each(|line| rename(line, &names));
    lines
}

fn rename(value: &mut Value, names: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            if let Some(name) = names.get(text) {
                text.clone_from(name);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| rename(value, names)),
        Value::Object(map) => map.values_mut().for_each(|value| rename(value, names)),
        _ => {}
    }
}
