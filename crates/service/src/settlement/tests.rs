use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::journal::{Closing, Objection, Offer, Reply};

const AGREEMENT: &str = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";

fn version(number: u32, from: &str, until: &str, prices: Value) -> Version {
    let terms = Terms::read(&json!({"format": 1, "title": "Telefonservice", "provider": "11".repeat(32),
        "recipient": "22".repeat(32), "stage": 3, "valid_from": from, "valid_until": until, "prices": prices}))
    .expect("good terms");
    let under = Under { agreement: AGREEMENT.into(), version: number };
    Version { under, text_hash: format!("hash {number}"), last_day: terms.until(), terms }
}

fn contact(number: u32, at: &str, seconds: u32, version: u32) -> Record {
    let value = json!({"record": "contact", "id": format!("{number:032x}"), "at": at, "seconds": seconds,
        "channel": "phone", "outcome": "answered", "under": {"agreement": AGREEMENT, "version": version}});
    Record::read(&value).unwrap_or_else(|| panic!("a contact: {value}"))
}

fn reversal(number: u32, at: &str) -> Record {
    let value = json!({"record": "reversal", "id": format!("{:032x}", 1_000_000 + number),
        "contact": format!("{number:032x}"), "at": at, "made": "2026-12-01T08:00", "reason": "doppelt"});
    Record::read(&value).unwrap_or_else(|| panic!("a reversal: {value}"))
}

/// Records, each in the batch of its number.
struct Journal(Vec<(u32, Record)>);

impl Journal {
    fn settle(&self, month: &str, until: u32, versions: &[Version], closed: &[Statement]) -> (Statement, String) {
        let placed: Vec<Placed<'_>> =
            self.0.iter().map(|(number, record)| Placed { chain: "a", number: *number, record }).collect();
        let (provider, recipient) = ("11".repeat(32), "22".repeat(32));
        let cut = Cut(BTreeMap::from([("a".into(), until)]));
        let settled = settle(&Question {
            month: month.parse().expect("a month"),
            provider: &provider,
            recipient: &recipient,
            revision: 1,
            records: &placed,
            cut: &cut,
            versions,
            closed,
        });
        let table = csv(&settled);
        (settled.statement, table)
    }
}

/// The lines of a table but for the header: kind, contact's number or detail, cents.
fn short(table: &str) -> Vec<String> {
    let cell = |line: &str, n: usize| line.split(';').nth(n).unwrap_or_default().trim_start_matches('0').to_owned();
    table
        .lines()
        .skip(1)
        .map(|line| format!("{} {} {}", cell(line, 0), cell(line, 2), line.rsplit(';').next().unwrap_or_default()))
        .collect()
}

#[test]
fn half_a_cent_goes_up() {
    for (number, by, rounded) in [(5, 10, 1), (4, 10, 0), (-5, 10, 0), (-6, 10, -1), (15, 10, 2), (0, 7, 0)] {
        assert_eq!(div_round(number, by), rounded, "{number} / {by}");
    }
}

#[test]
fn minutes_are_rounded_as_agreed() {
    for (rounding, expected) in [("second", 90), ("minute_up", 180), ("minute", 120)] {
        let versions = [version(1, "2026-01-01", "2026-12-31", json!({"minute_cents": 60, "rounding": rounding}))];
        let journal =
            Journal(vec![(1, contact(1, "2026-11-03T10:15", 30, 1)), (1, contact(2, "2026-11-03T10:30", 60, 1))]);
        let (statement, _) = journal.settle("2026-11", 1, &versions, &[]);
        // 30 seconds: half a minute, one up, one as nearest.
        let expected = if rounding == "minute_up" { 120 } else { expected };
        assert_eq!(statement.net_cents, expected, "{rounding}");
    }
}

#[test]
fn each_contact_counts_under_the_version_it_was_made_under() {
    let versions = [
        version(
            1,
            "2026-01-01",
            "2026-12-31",
            json!({"contact_cents": 100, "month_cents": 3_000, "tax_permille": 190}),
        ),
        version(2, "2026-11-15", "2026-12-31", json!({"contact_cents": 200, "month_cents": 6_000, "tax_permille": 70})),
    ];
    let journal = Journal(vec![
        (1, contact(1, "2026-11-14T10:15", 30, 1)),
        (1, contact(2, "2026-11-15T10:15", 30, 2)),
        (1, contact(3, "2026-11-16T10:15", 30, 1)),
        (1, contact(4, "2026-11-14T10:15", 30, 2)),
        (1, contact(5, "2026-11-14T10:15", 30, 7)),
    ]);
    let (statement, table) = journal.settle("2026-11", 1, &versions, &[]);
    assert_eq!(
        short(&table),
        [
            "contact 1 100",
            // Before its first day version 2 covers nothing, and there is no version 7.
            "uncovered 4 0",
            "uncovered 5 0",
            "contact 2 200",
            "contact 3 100",
            "month 14 days 1400",
            "month 16 days 3200",
            "net  5000",
            "cap  0",
            "tax 70 permille of 3400 238",
            "tax 190 permille of 1600 304",
            "total  5542",
        ]
    );
    assert_eq!(statement.versions.iter().map(|counted| counted.version).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((statement.lines, statement.previous), (13, None));
}

#[test]
fn what_is_late_or_reversed_after_closing_is_a_correction_of_the_next_month() {
    let versions = [version(1, "2026-01-01", "2026-12-31", json!({"contact_cents": 100}))];
    let journal = Journal(vec![
        (1, contact(1, "2026-10-03T10:15", 30, 1)),
        (1, contact(2, "2026-10-03T10:30", 30, 1)),
        (1, contact(3, "2026-10-03T10:45", 30, 1)),
        (1, reversal(3, "2026-10-03T10:45")),
        (1, contact(4, "2026-11-03T10:15", 30, 1)),
        (2, reversal(1, "2026-10-03T10:15")),
        (2, reversal(1, "2026-10-03T10:15")),
        (2, contact(5, "2026-10-31T23:45", 30, 1)),
        (2, contact(2, "2026-10-03T10:30", 30, 1)),
        (3, reversal(2, "2026-10-03T10:30")),
        (3, contact(6, "2026-12-01T00:00", 30, 1)),
    ]);
    let (october, table) = journal.settle("2026-10", 1, &versions, &[]);
    assert_eq!(short(&table)[..3], ["contact 1 100", "contact 2 100", "reversed 3 0"]);
    assert_eq!(october.total_cents, 200);
    let (november, table) = journal.settle("2026-11", 2, &versions, std::slice::from_ref(&october));
    assert_eq!(short(&table)[..3], ["correction 1 -100", "late 5 100", "contact 4 100"]);
    assert_eq!((november.total_cents, november.previous.clone()), (100, Some(october.hash())));
    let (december, table) = journal.settle("2026-12", 3, &versions, &[october.clone(), november.clone()]);
    assert_eq!(short(&table)[..2], ["correction 2 -100", "contact 6 100"]);
    assert_eq!(december.total_cents, 0);
    // Closed months stay what they are, whatever came since.
    assert_eq!(journal.settle("2026-10", 1, &versions, &[]).0, october);
    assert_eq!(journal.settle("2026-11", 2, &versions, &[october]).0, november);
}

#[test]
fn a_year_costs_no_more_than_the_cap() {
    let prices = json!({"contact_cents": 1_000, "tax_permille": 190,
        "cap": {"cents_per_inhabitant": 25, "inhabitants": 100, "counted_on": "2025-12-31"}});
    let versions = [version(1, "2026-01-01", "2027-12-31", prices)];
    let month = |month: u32| format!("2026-{month:02}");
    let mut journal = Journal(Vec::new());
    for (number, at) in
        [(1, "2026-10-03T10:15"), (2, "2026-11-03T10:15"), (3, "2026-11-03T10:15"), (4, "2026-12-03T10:15")]
    {
        journal.0.push((1, contact(number, at, 30, 1)));
    }
    journal.0.push((2, reversal(2, "2026-11-03T10:15")));
    journal.0.push((2, reversal(3, "2026-11-03T10:15")));
    journal.0.push((3, contact(5, "2027-01-03T10:15", 30, 1)));
    let mut closed: Vec<Statement> = Vec::new();
    for (name, until, net, cap, tax) in [
        (month(10), 1, 1_000, 0, 190),
        (month(11), 1, 2_000, 500, 285),
        // Two reversed, one new: 2,000 of the year, 2,500 of which are billed.
        (month(12), 2, -1_000, -500, -95),
        ("2027-01".into(), 3, 1_000, 0, 190),
    ] {
        let (statement, _) = journal.settle(&name, until, &versions, &closed);
        assert_eq!((statement.net_cents, statement.cap_cents, statement.tax_cents), (net, cap, tax), "{name}");
        closed.push(statement);
    }
    assert_eq!((closed[2].year_net_cents, closed[2].year_billed_cents), (2_000, 2_000));
    assert_eq!((closed[3].year_net_cents, closed[3].year_billed_cents), (1_000, 1_000));
}

#[test]
fn whoever_gave_up_pays_nothing_but_stands_in_the_table() {
    let versions = [version(1, "2026-01-01", "2026-12-31", json!({"contact_cents": 100, "minute_cents": 60}))];
    let mut value = serde_json::to_value(contact(1, "2026-11-03T10:15", 60, 1)).expect("JSON");
    value["outcome"] = json!("gave_up");
    let journal = Journal(vec![(1, Record::read(&value).expect("a contact"))]);
    let (_, table) = journal.settle("2026-11", 1, &versions, &[]);
    assert!(table.contains("contact;2026-11-03T10:15;"), "{table}");
    assert!(table.contains(";60;0;0\n"), "{table}");
}

#[test]
fn months_are_open_proposed_objected_and_closed() {
    let journal = Journal(vec![(1, contact(1, "2026-11-03T10:15", 30, 1))]);
    let (statement, _) = journal.settle("2026-11", 1, &[], &[]);
    let offer = |revision: u32, id: &str| {
        let statement = Statement { revision, ..statement.clone() };
        Record::Offer(Box::new(Offer {
            id: id.repeat(16),
            statement,
            node: "n".into(),
            at: "t".into(),
            signature: "good".into(),
        }))
    };
    let closing = |revision: u32, signature: &str| {
        let text_hash = Statement { revision, ..statement.clone() }.hash();
        let (id, node, at) = ("0c".repeat(16), "n".to_owned(), "t".to_owned());
        Record::Closing(Closing { id, month: statement.month, text_hash, node, at, signature: signature.into() })
    };
    let line = format!("{:032x}", 1);
    let objection = Record::Objection(Objection {
        id: "0d".repeat(16),
        month: statement.month,
        contact: line.clone(),
        reason: "doppelt".into(),
    });
    let reply = Record::Reply(Reply {
        id: "0e".repeat(16),
        month: statement.month,
        objection: "0d".repeat(16),
        reason: "nicht doppelt".into(),
    });
    let state = |provider: &[Record], recipient: &[Record], reversed: &[&str]| {
        let months = fold(provider, recipient, &|_, _, signature, _| signature == "good");
        months.get(&statement.month).map_or(MonthState::Open, |offered| offered.state(&|id| reversed.contains(&id)))
    };
    let one = offer(1, "0a");
    assert_eq!(state(&[], &[], &[]), MonthState::Open);
    assert_eq!(state(std::slice::from_ref(&one), &[], &[]), MonthState::Proposed);
    let objected = std::slice::from_ref(&objection);
    assert_eq!(state(std::slice::from_ref(&one), objected, &[]), MonthState::Objected);
    assert_eq!(state(std::slice::from_ref(&one), objected, &[&line]), MonthState::Proposed);
    assert_eq!(state(&[one.clone(), reply], objected, &[]), MonthState::Proposed);
    assert_eq!(state(std::slice::from_ref(&one), &[closing(1, "bad")], &[]), MonthState::Proposed);
    assert_eq!(state(std::slice::from_ref(&one), &[closing(2, "good")], &[]), MonthState::Proposed);
    assert_eq!(state(std::slice::from_ref(&one), &[closing(1, "good")], &[]), MonthState::Closed);
    // Offered anew while the other side signed the first: the first counts, on both sides.
    let both = [offer(2, "0b"), one];
    let signed = [closing(2, "good"), closing(1, "good")];
    let months = fold(&both, &signed, &|_, _, _, _| true);
    let closed = months[&statement.month].closed.expect("closed");
    assert_eq!(closed.0.statement.revision, 1);
}

proptest! {
    /// However records fall into batches and batches into months, every contact that is not reversed is paid once.
    #[test]
    fn every_contact_is_paid_once(
        contacts in prop::collection::vec((1_u32..=30, 1_u32..=6, 0_u32..2_000, prop::option::of(1_u32..=6)), 0..40),
        cuts in prop::array::uniform3(0_u32..=6),
    ) {
        let versions = [version(1, "2026-01-01", "2026-12-31", json!({"contact_cents": 7, "minute_cents": 13}))];
        let mut journal = Journal(Vec::new());
        for (number, (day, batch, seconds, reversed)) in contacts.iter().enumerate() {
            let at = format!("2026-{}-{day:02}T10:15", if number % 2 == 0 { "09" } else { "10" });
            journal.0.push((*batch, contact(number as u32, &at, *seconds, 1)));
            if let Some(batch) = reversed {
                journal.0.push((*batch, reversal(number as u32, &at)));
            }
        }
        let mut cuts = cuts;
        cuts.sort_unstable();
        let mut closed: Vec<Statement> = Vec::new();
        let mut lines_cents = 0;
        for (month, until) in ["2026-09", "2026-10", "2026-11", "2026-12"].iter().zip(cuts.iter().copied().chain([6])) {
            let (statement, table) = journal.settle(month, until, &versions, &closed);
            let sum: i64 = table.lines().skip(1).take_while(|line| !line.starts_with("net")).map(|line| {
                line.rsplit(';').next().and_then(|cents| cents.parse::<i64>().ok()).expect("cents")
            }).sum();
            prop_assert_eq!(sum, statement.net_cents, "the lines add up");
            lines_cents += sum;
            let again = journal.settle(month, until, &versions, &closed);
            prop_assert_eq!(&again.0, &statement);
            closed.push(statement);
        }
        let paid: Vec<i64> = contacts.iter().filter(|(.., reversed)| reversed.is_none()).map(|(_, _, s, _)| i64::from(*s)).collect();
        let exact = paid.iter().sum::<i64>() * 13 + 60 * 7 * paid.len() as i64;
        // The seconds of a month are rounded to the cent once.
        prop_assert!((lines_cents * 60 - exact).abs() <= 4 * 30, "{lines_cents} cents, {exact} / 60 would be exact");
    }

    /// The order in which records arrive does not matter.
    #[test]
    fn order_does_not_matter(order in Just((0..12).collect::<Vec<usize>>()).prop_shuffle()) {
        let versions = [version(1, "2026-01-01", "2026-12-31", json!({"contact_cents": 7, "minute_cents": 13}))];
        let records: Vec<(u32, Record)> = (0..12)
            .map(|n| (n / 4 + 1, if n % 4 == 3 { reversal(n - 1, "2026-11-03T10:15") } else { contact(n, "2026-11-03T10:15", n * 17, 1) }))
            .collect();
        let sorted = Journal(records.clone()).settle("2026-11", 3, &versions, &[]);
        let shuffled = Journal(order.iter().map(|n| records[*n].clone()).collect()).settle("2026-11", 3, &versions, &[]);
        prop_assert_eq!(sorted, shuffled);
    }
}
