//! A month as both sides settle it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use ortsnetz_node::dto::{AgreementInfo, ContactRequest, ContactsRequest, MonthInfo, ProposeRequest};
use ortsnetz_node::{Handle, NodeError};
use serde_json::{Value, json};

use crate::agreements::{agree, offer};
use crate::{config, eventually, join, town};

const CENTRE: &str = "Stadt Köln";
/// Contacts of the month: DESIGN's busiest partner network.
const CONTACTS: usize = 50_000;
const OUTCOMES: [&str; 8] =
    ["answered", "answered", "connected", "not_reached", "forwarded", "call_back", "gave_up", "not_responsible"];
const CHANNELS: [&str; 3] = ["phone", "email", "counter"];

/// The contact with this number: everything of it follows from the number.
fn generated(number: usize, month: &str, ars: &str) -> ContactRequest {
    let (day, quarter) = (number / 12 % 28 + 1, number * 7 % 96);
    let id = (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    ContactRequest {
        id: Some(format!("{id:032x}")),
        at: Some(format!("{month}-{day:02}T{:02}:{:02}", quarter / 4, quarter % 4 * 15)),
        seconds: (number * 37 % 900) as u32,
        topics: vec![format!("leika:991020130{:05}", number % 60)],
        place: Some(ars.into()),
        channel: Some(CHANNELS[number % CHANNELS.len()].into()),
        outcome: OUTCOMES[number % OUTCOMES.len()].into(),
        ..ContactRequest::default()
    }
}

async fn record(centre: &Handle, numbers: impl Iterator<Item = usize>, month: &str, ars: &str) -> usize {
    let requests: Vec<ContactRequest> = numbers.map(|number| generated(number, month, ars)).collect();
    for some in requests.chunks(500) {
        centre.add_contacts(some.to_vec()).await.expect("recorded");
    }
    requests.len()
}

fn prices(minute: u32, rounding: &str) -> Value {
    json!({"title": "Telefonservice", "stage": 3, "valid_from": "2020-01-01", "prices": {"minute_cents": minute,
        "contact_cents": 45, "month_cents": 10_001, "rounding": rounding, "tax_permille": 190,
        "cap": {"cents_per_inhabitant": 450, "inhabitants": 41_669, "counted_on": "2025-12-31"}}})
}

async fn amend(centre: &Handle, other: &Handle, first: &AgreementInfo, mut terms: Value, from: &str) {
    terms["valid_from"] = json!(from);
    let request = ProposeRequest { agreement: Some(first.id.clone()), terms, ..ProposeRequest::default() };
    agree(centre, other, request, "in_force").await;
}

async fn month(node: &Handle, partner: &str, month: &str) -> MonthInfo {
    node.settlement(partner, month, None).await.expect("a month")
}

async fn csv(node: &Handle, partner: &str, month: &str) -> String {
    let bytes = node.export_month(partner, month, None, "csv").await.expect("a table");
    String::from_utf8(bytes).expect("UTF-8")
}

/// What the script in the docs makes of the records.
async fn recomputed(dir: &Path, node: &Handle, partner: &str, month: &str) -> String {
    let file = dir.join("records.json");
    std::fs::write(&file, node.export_month(partner, month, None, "json").await.expect("records")).expect("written");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/settlement.py");
    let output = Command::new("python3")
        .arg(script)
        .arg(&file)
        .output()
        .expect("python3 is there: install it with `apt-get install python3`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Both sides have the same bytes, and so has the script from the records of each.
async fn same_everywhere(dir: &Path, centre: &Handle, other: &Handle, name: &str, of: &str) -> String {
    let table = csv(centre, name, of).await;
    assert!(table == csv(other, CENTRE, of).await, "{of} with {name} is not the same on both sides");
    for (node, partner) in [(centre, name), (other, CENTRE)] {
        let again = recomputed(dir, node, partner, of).await;
        let differs = table.lines().zip(again.lines()).find(|(ours, theirs)| ours != theirs);
        assert!(table == again, "{of} with {name}: the script says otherwise: {differs:?}");
    }
    table
}

fn of_kind<'a>(table: &'a str, kind: &str) -> Vec<&'a str> {
    table.lines().filter(|line| line.split(';').next() == Some(kind)).collect()
}

fn refused<T: std::fmt::Debug>(result: Result<T, NodeError>) -> String {
    result.expect_err("must be refused").to_string()
}

async fn proposed(other: &Handle, of: &str, revision: u32) {
    eventually(other, "what is proposed arrives", || async { month(other, CENTRE, of).await.revision == revision })
        .await;
}

/// Signs once everything that counts has arrived.
async fn signed(other: &Handle, of: &str) -> MonthInfo {
    eventually(other, "everything that counts arrives", || async {
        match other.sign_month(CENTRE, of).await {
            Ok(_) => true,
            Err(error) => {
                assert!(error.to_string().contains("has arrived here"), "{error}");
                false
            }
        }
    })
    .await;
    month(other, CENTRE, of).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_of_50000_contacts_is_the_same_on_both_sides_and_in_the_script() {
    let dir = tempfile::tempdir().expect("a directory");
    let centre = town(&dir.path().join("centre"), CENTRE, "053150000000").await;
    const TOWNS: [(&str, &str, &str); 3] = [
        ("Stadt Siegburg", "053820060060", "second"),
        ("Stadt Bonn", "053140000000", "minute_up"),
        ("Stadt Hürth", "053620028028", "minute"),
    ];
    let mut towns = Vec::new();
    for (number, (name, ars, rounding)) in TOWNS.into_iter().enumerate() {
        let other = town(&dir.path().join(ars), name, ars).await;
        join(&centre, ars, &other).await;
        let terms = prices(119 + number as u32, rounding);
        let first = agree(&centre, &other, offer(name, terms), "in_force").await;
        amend(&centre, &other, &first, prices(131 + number as u32, rounding), "2026-09-15").await;
        towns.push(other);
    }
    let begun = Instant::now();
    let mine = |town: usize| (0..CONTACTS).filter(move |number| number % 4 % 3 == town);
    let mut all = 0;
    for (number, (name, ars, _)) in TOWNS.into_iter().enumerate() {
        // The line is down while half of them are recorded, and the town signs nothing that it has not got.
        let half = mine(number).count() / 2;
        all += record(&centre, mine(number).take(half), "2026-09", ars).await;
        centre.publish_journals(true).await.expect("published");
        let cut = std::mem::replace(&mut towns[number], centre.clone());
        cut.shutdown().await;
        all += record(&centre, mine(number).skip(half), "2026-09", ars).await;
        // What happened in August is late already.
        record(&centre, CONTACTS + number * 10..CONTACTS + number * 10 + 3, "2026-08", ars).await;
        let offered = centre.propose_month(name, "2026-09").await.expect("proposed");
        assert_eq!((offered.state.as_str(), offered.revision), ("proposed", 1));
        towns[number] = Handle::start(config(&dir.path().join(ars))).await.expect("start");
    }
    assert_eq!(all, CONTACTS);
    eprintln!("{CONTACTS} contacts were recorded and offered in {:?}", begun.elapsed());

    let mut closed = Vec::new();
    for (number, (name, ars, _)) in TOWNS.into_iter().enumerate() {
        let other = &towns[number];
        proposed(other, "2026-09", 1).await;
        let page = ContactsRequest { month: Some("2026-09".into()), limit: Some(1), ..ContactsRequest::default() };
        eventually(other, "all contacts arrive", || async {
            other.contacts(page.clone()).await.expect("a list").total == mine(number).count()
        })
        .await;
        let first = same_everywhere(dir.path(), &centre, other, name, "2026-09").await;
        assert_eq!((of_kind(&first, "contact").len(), of_kind(&first, "late").len()), (mine(number).count(), 3));
        // 37 objections over the three of them, some of which the centre does not accept.
        let count = [20, 10, 7][number];
        let lines: Vec<String> = of_kind(&first, "contact")
            .iter()
            .step_by(97)
            .take(count)
            .map(|line| line.split(';').nth(2).expect("a contact").to_owned())
            .collect();
        let objected = other.object_month(CENTRE, "2026-09", lines.clone(), "nicht von uns").await.expect("objected");
        assert_eq!((objected.state.as_str(), objected.objections.len()), ("objected", count));
        assert!(refused(other.sign_month(CENTRE, "2026-09").await).contains("are not answered yet"));
        eventually(&centre, "the objections arrive", || async {
            month(&centre, name, "2026-09").await.objections.len() == count
        })
        .await;
        let kept = centre.answer_month(name, "2026-09", lines[..3].to_vec(), Some("war für Sie")).await.expect("kept");
        assert_eq!(kept.state, "objected");
        centre.answer_month(name, "2026-09", Vec::new(), None).await.expect("accepted");
        let again = centre.propose_month(name, "2026-09").await.expect("proposed again");
        assert_eq!((again.state.as_str(), again.revision), ("proposed", 2));
        proposed(other, "2026-09", 2).await;
        let done = signed(other, "2026-09").await;
        assert_eq!(done.state, "closed");
        assert_eq!(done.objections.iter().filter(|one| one.state == "accepted").count(), count - 3);
        eventually(&centre, "the signature arrives", || async {
            month(&centre, name, "2026-09").await.state == "closed"
        })
        .await;
        let table = same_everywhere(dir.path(), &centre, other, name, "2026-09").await;
        assert_eq!(of_kind(&table, "reversed").len(), count - 3);
        // On the 15th the amendment begins.
        let under = |version: &str| {
            let days: BTreeSet<&str> = of_kind(&table, "contact")
                .iter()
                .filter(|line| line.split(';').nth(4) == Some(version))
                .map(|line| &line.split(';').nth(1).expect("a time")[8..10])
                .collect();
            (days.first().copied(), days.last().copied())
        };
        assert_eq!((under("1"), under("2")), ((Some("01"), Some("14")), (Some("15"), Some("28"))));
        assert_eq!(of_kind(&table, "month").len(), 2, "14 days of one, 16 of the other");
        assert!(refused(centre.propose_month(name, "2026-09").await).contains("is closed up to 2026-09"));
        assert!(refused(other.sign_month(CENTRE, "2026-09").await).contains("is closed"));
        closed.push(table);

        let more = CONTACTS + 1_000 * (number + 1);
        // Twenty are reversed after closing: corrections of October, September stays.
        for contact in mine(number).skip(1_000).take(20) {
            let id = generated(contact, "2026-09", ars).id.expect("an id");
            centre.reverse_contact(&id, "nachträglich geprüft").await.expect("reversed");
        }
        record(&centre, more..more + 300, "2026-10", ars).await;
        record(&centre, more + 500..more + 503, "2026-09", ars).await;
        centre.propose_month(name, "2026-10").await.expect("proposed");
        proposed(other, "2026-10", 1).await;
        signed(other, "2026-10").await;
        let october = same_everywhere(dir.path(), &centre, other, name, "2026-10").await;
        let lines = |kind: &str| of_kind(&october, kind).len();
        assert_eq!((lines("contact"), lines("correction"), lines("late")), (300, 20, 3), "{name}");
        assert!(csv(&centre, name, "2026-09").await == closed[number], "a closed month stays");
        let paper = other.export_month(CENTRE, "2026-10", None, "pdf").await.expect("a paper");
        assert!(paper.starts_with(b"%PDF-"));
    }
    eprintln!("everything was settled after {:?}", begun.elapsed());
    for node in towns.iter().chain([&centre]) {
        node.shutdown().await;
    }
}
