//! Figures of a month, by partner and direction, against what was agreed. All of this blocks.

use std::collections::{BTreeMap, BTreeSet};

use ortsnetz_model::{EntryId, Kind};
use ortsnetz_service::agreement::Terms;
use ortsnetz_service::figures::{Count, Figures, Promise, Share, figures};
use ortsnetz_service::journal::{Month, Record, Stream, Topic, local};

use super::journals::Book;
use super::recording::{self, records};
use super::settling;
use crate::agreements;
use crate::answering::matters;
use crate::catalog;
use crate::clock;
use crate::dto::{Counted, Figure, Measured, Report, ReportRow};
use crate::error::NodeError;
use crate::partners;
use crate::shared::{Shared, read};

/// Most topics and places of one row.
const SHOWN_MAX: usize = 50;

/// `reports month`
pub(crate) fn month(shared: &Shared, month: Option<&str>, partner: Option<&str>) -> Result<Report, NodeError> {
    let month = recording::month_or_now(month)?;
    let with = partner.map(|name| partners::find_organisation(shared, name)).transpose()?;
    let own = shared.own.organisation;
    let mut rows = Vec::new();
    for book in recording::books(shared, with.as_ref())? {
        if let Some(row) = row(shared, &book, month)? {
            rows.push(row);
        }
    }
    Ok(Report { month: month.to_string(), organisation: shared.organisation_info(&own), rows })
}

/// The figures of what one organisation answered for another; `None` if there is nothing to tell.
fn row(shared: &Shared, book: &Book, month: Month) -> Result<Option<ReportRow>, NodeError> {
    let months = BTreeSet::from([month]);
    let mut here = records(shared, book, Stream::Contacts, &months)?;
    here.extend(records(shared, book, Stream::Calls, &months)?);
    let own = book.writer == book.reader;
    let answers = Book { writer: book.reader, reader: book.writer };
    let there = if own { Vec::new() } else { records(shared, &answers, Stream::Contacts, &months)? };
    let terms = if own { None } else { in_force(shared, book, month)? };
    let promise = Promise {
        targets: terms.as_ref().and_then(|terms| terms.targets.as_ref()),
        service_hours: terms.as_ref().map_or(&[], |terms| &terms.service_hours),
    };
    // The other side ticks off follow-ups of ours, and has contacts of its own that are not meant here.
    let ticks = there.iter().filter(|record| matches!(record, Record::Done(_)));
    let figures = figures(month, &here, ticks, &promise, local(clock::now()));
    if figures.contacts == 0 && figures.reversed == 0 && figures.calls.is_none() && terms.is_none() {
        return Ok(None);
    }
    let we_answer = book.writer == shared.own.organisation;
    let other = if we_answer { book.reader } else { book.writer };
    let mut row = told(shared, &figures, terms.as_ref());
    row.partner = shared.organisation_info(&other);
    row.we_answer = we_answer;
    if !own && partners::confirmed(shared).contains(&other) {
        let settled = settling::brief(shared, &other.to_string(), month, we_answer)?;
        row.settlement = Some(settled.state);
        row.total_cents = settled.sums.map(|sums| sums.total_cents);
    }
    Ok(Some(row))
}

/// How many contacts of the last 13 months heard one of these versions of an entry; `None` if none was about it at all.
pub(crate) fn heard(shared: &Shared, entry: &EntryId, heads: &[String]) -> Result<Option<Figure>, NodeError> {
    let months: BTreeSet<Month> = recording::months_back().into_iter().collect();
    let (mut about, mut heard, mut reversed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for book in recording::books(shared, None)? {
        for record in records(shared, &book, Stream::Contacts, &months)? {
            match record {
                Record::Reversal(reversal) => drop(reversed.insert(reversal.contact)),
                Record::Contact(contact) => {
                    for topic in contact.topics.iter().filter_map(|text| Topic::read(text)) {
                        let Topic::Entry(id, shown) = topic else { continue };
                        if id != *entry {
                            continue;
                        }
                        about.insert(contact.id.clone());
                        if shown.is_some_and(|shown| heads.iter().any(|head| head.starts_with(&shown))) {
                            heard.insert(contact.id.clone());
                        }
                    }
                }
                _ => {}
            }
        }
    }
    let count = heard.difference(&reversed).count() as u64;
    Ok((!about.is_empty()).then(|| figure(count)))
}

/// The version of an agreement that counts on the last day of a month, or today.
fn in_force(shared: &Shared, book: &Book, month: Month) -> Result<Option<Terms>, NodeError> {
    let day = month.last().min(local(clock::now()).date()).max(month.first());
    let signed = agreements::signed(shared, &book.writer, &book.reader)?;
    let counts = signed.into_iter().filter(|version| version.terms.from() <= day && day <= version.last_day);
    Ok(counts.max_by_key(|version| version.under.version).map(|version| version.terms))
}

fn figure(number: u64) -> Figure {
    let count = Count(number);
    if count.is_small() { Figure::Small(count.to_string()) } else { Figure::Number(number) }
}

fn measured(share: Option<Share>, target: Option<u8>) -> Measured {
    let target = target.map(u64::from);
    let percent = share.and_then(Share::percent);
    let state = match (share, percent, target) {
        (None, ..) => "not_measured",
        (_, None, _) => "too_few",
        (_, Some(_), None) => "no_target",
        (_, Some(percent), Some(target)) if percent >= target => "met",
        _ => "missed",
    };
    Measured { percent, target, state: state.into() }
}

fn told(shared: &Shared, figures: &Figures, terms: Option<&Terms>) -> ReportRow {
    let targets = terms.and_then(|terms| terms.targets.as_ref());
    let words = |all: &BTreeMap<&'static str, u64>| {
        let mut all: Vec<_> =
            all.iter().map(|(word, count)| ((*word).to_owned(), (*word).to_owned(), *count)).collect();
        counted(&mut all)
    };
    let mut topics: Vec<_> =
        figures.topics.iter().map(|(topic, count)| (topic.text(), topic_name(shared, topic), *count)).collect();
    let places = read(&shared.places).clone();
    let place_name = |ars: &str| {
        let known = ars.parse().ok().and_then(|ars| places.by_ars(&ars));
        known.map_or_else(|| ars.to_owned(), |place| place.name)
    };
    let mut by_place: Vec<_> =
        figures.places.iter().map(|(ars, count)| (ars.clone(), place_name(ars), *count)).collect();
    let enough = figures.contacts >= ortsnetz_service::figures::SMALL_BELOW;
    ReportRow {
        contacts: figure(figures.contacts),
        reversed: figure(figures.reversed),
        average_seconds: enough.then(|| (figures.seconds + figures.contacts / 2) / figures.contacts),
        outcomes: words(&figures.outcomes),
        channels: words(&figures.channels),
        topics: counted(&mut topics),
        places: counted(&mut by_place),
        first_contact: measured(Some(figures.first_contact), targets.map(|targets| targets.first_contact_percent)),
        accepted: measured(figures.calls.map(|calls| calls.in_time), targets.map(|targets| targets.accepted_percent)),
        calls: figures.calls.map(|calls| figure(calls.offered)),
        lost: figures.calls.map(|calls| figure(calls.lost)),
        // What is promised for follow-ups is a time, so all of them are meant.
        followed_up: measured(Some(figures.follow_ups.in_time), targets.map(|_| 100)),
        follow_ups: figure(figures.follow_ups.made),
        ..ReportRow::default()
    }
}

/// The most frequent first; those too few to be told in order of their names, which says nothing of how many they are.
fn counted(all: &mut Vec<(String, String, u64)>) -> Vec<Counted> {
    let rank = |count: u64| if Count(count).is_small() { 0 } else { count };
    all.sort_by(|one, other| (rank(other.2), &one.0).cmp(&(rank(one.2), &other.0)));
    let first = all.drain(..).take(SHOWN_MAX);
    first.map(|(key, name, count)| Counted { key, name, count: figure(count) }).collect()
}

/// What people call a topic; its code if that is not known here.
fn topic_name(shared: &Shared, topic: &Topic) -> String {
    let title = |id: &EntryId| -> Option<String> {
        let entry = catalog::find(shared, id).ok()??.entry(id, false).ok()??;
        Some(entry.title("de")?.to_owned())
    };
    let found = match topic {
        Topic::Entry(id, _) => title(id),
        Topic::Leika(key) => {
            let own = [shared.own.organisation];
            let confirmed = partners::confirmed(shared);
            let known = own.iter().chain(&confirmed).find_map(|organisation| {
                let services = matters::services(shared, organisation, key).ok()?;
                services.into_iter().find(|(_, entry)| entry.kind() == Kind::Service)
            });
            known.and_then(|(_, entry)| entry.title("de").map(str::to_owned))
        }
        Topic::LifeEvent(_) => None,
    };
    found.unwrap_or_else(|| topic.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_small_numbers_tells_nothing() {
        let mut all = vec![("a".into(), "a".into(), 1), ("b".into(), "b".into(), 4), ("c".into(), "c".into(), 9)];
        let told: Vec<String> = counted(&mut all).into_iter().map(|one| format!("{} {}", one.key, one.count)).collect();
        assert_eq!(told, ["c 9", "a < 5", "b < 5"]);
    }

    #[test]
    fn what_nobody_measured_is_not_missed() {
        let state = |share: Option<Share>, target| measured(share, target).state;
        assert_eq!(state(None, Some(75)), "not_measured");
        assert_eq!(state(Some(Share { part: 4, of: 4 }), Some(75)), "too_few");
        assert_eq!(state(Some(Share { part: 75, of: 100 }), Some(75)), "met");
        assert_eq!(state(Some(Share { part: 74, of: 100 }), Some(75)), "missed");
        assert_eq!(state(Some(Share { part: 74, of: 100 }), None), "no_target");
    }
}
