//! Contacts and calls as they are recorded, taken back, listed and followed up. All of this blocks.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::DateTime;
use ortsnetz_model::{EntryId, OrgId};
use ortsnetz_service::figures::{Promise, due};
use ortsnetz_service::journal::{
    Contact, Done, Month, Outcome, Record, Reversal, Stream, Topic, Under, local, quarter, random_id,
};

use super::journals::{self, Book};
use super::writing;
use crate::agreements;
use crate::clock;
use crate::dto::{ContactInfo, ContactRequest, ContactsPage, ContactsRequest, FollowUpInfo};
use crate::error::NodeError;
use crate::partners;
use crate::places;
use crate::shared::{Shared, read};

/// Most contacts of one request.
pub(crate) const CONTACTS_MAX: usize = 500;
/// Contacts listed, if the question does not say how many.
const LIST_DEFAULT: usize = 50;
/// Digits of the beginning of an id that may stand for it.
const ID_DIGITS_MIN: usize = 6;
/// So many months back a contact is looked for by the beginning of its id.
const MONTHS_BACK: usize = 13;

/// `contacts add`: durable when it returns. A contact with an id that was recorded before is not recorded again.
pub(crate) fn add(shared: &Shared, requests: &[ContactRequest]) -> Result<Vec<ContactInfo>, NodeError> {
    if requests.is_empty() || requests.len() > CONTACTS_MAX {
        return Err(NodeError::TooLarge(format!("contacts: give 1 to {CONTACTS_MAX} at once")));
    }
    let mut contacts: Vec<(OrgId, Contact)> = Vec::with_capacity(requests.len());
    for request in requests {
        contacts.push(contact(shared, request)?);
    }
    let mut by_town: BTreeMap<OrgId, Vec<Record>> = BTreeMap::new();
    for (town, contact) in &contacts {
        by_town.entry(*town).or_default().push(Record::Contact(contact.clone()));
    }
    for (town, records) in by_town {
        writing::record(shared, &town, Stream::Contacts, &records)?;
    }
    let info = |(town, contact): &(OrgId, Contact)| info(shared, &shared.own.organisation, town, contact, "recorded");
    Ok(contacts.iter().map(info).collect())
}

/// The record a request asks for, and the town it is for.
fn contact(shared: &Shared, request: &ContactRequest) -> Result<(OrgId, Contact), NodeError> {
    let now = local(clock::now());
    let at = match request.at.as_deref() {
        None => now,
        Some(text) => moment(text)?,
    };
    if at > now.checked_add(jiff::Span::new().hours(1)).unwrap_or(now) {
        return Err(NodeError::Invalid(format!("at: {at} is in the future")));
    }
    let mut topics = Vec::new();
    for text in &request.topics {
        let topic = Topic::read(text).ok_or_else(|| {
            NodeError::Invalid(format!(
                "topics: {text:?} is no topic; give the id of an entry, a LeiKa key, or life_event:CODE"
            ))
        })?;
        let topic = as_shown(shared, topic)?.text();
        if !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    let place = request.place.as_deref().map(|text| place(shared, text)).transpose()?;
    let town = match (&request.town, &place) {
        (Some(name), _) => town(shared, name)?,
        (None, Some(ars)) => responsible(shared, ars),
        (None, None) => shared.own.organisation,
    };
    let channel = request.channel.as_deref().unwrap_or("phone");
    let channel = serde_json::from_value(channel.into()).map_err(|_| {
        NodeError::Invalid(format!("channel: {channel:?} is none of phone, email, chat, counter, letter, web"))
    })?;
    let outcome: Outcome = serde_json::from_value(request.outcome.as_str().into()).map_err(|_| {
        let all: Vec<&str> = Outcome::ALL.iter().map(|outcome| outcome.word()).collect();
        NodeError::Invalid(format!("outcome: {:?} is none of {}", request.outcome, all.join(", ")))
    })?;
    let id = match &request.id {
        None => random_id(clock::random()),
        Some(id) => id.to_lowercase(),
    };
    let under = agreements::under(shared, &town, at.date())?;
    let contact = Contact {
        id,
        at: quarter(at),
        seconds: request.seconds,
        topics,
        place,
        channel,
        outcome,
        under: under.map(|(agreement, version)| Under { agreement, version }),
    };
    Record::Contact(contact.clone()).check().map_err(|error| NodeError::Invalid(error.to_string()))?;
    Ok((town, contact))
}

/// A local time, or one with a zone.
pub(super) fn moment(text: &str) -> Result<DateTime, NodeError> {
    let zoned = text.parse::<jiff::Timestamp>().ok();
    let zoned = zoned.and_then(|at| u64::try_from(at.as_millisecond()).ok()).map(local);
    zoned.or_else(|| text.parse().ok()).ok_or_else(|| {
        NodeError::Invalid(format!("at: {text:?} is no time; write it like 2026-11-03T10:15 or with a zone"))
    })
}

/// A topic with the heads of the version that is shown here now.
fn as_shown(shared: &Shared, topic: Topic) -> Result<Topic, NodeError> {
    /// Digits of a head that tell versions of one entry apart.
    const HEAD_DIGITS: usize = 16;
    let Topic::Entry(id, None) = topic else { return Ok(topic) };
    let held = crate::catalog::find(shared, &id)?;
    let heads = held.and_then(|held| held.record.record().heads()?.first().map(ToString::to_string));
    Ok(Topic::Entry(id, heads.map(|head| head.chars().take(HEAD_DIGITS).collect())))
}

/// The one place a text means, as ARS.
fn place(shared: &Shared, text: &str) -> Result<String, NodeError> {
    if let Ok(ars) = text.trim().parse::<ortsnetz_model::Ars>() {
        return Ok(ars.to_string());
    }
    let asked = places::asked(shared, text, None)?;
    match asked.only {
        Some(only) => Ok(only.ars.to_string()),
        None => Err(NodeError::Invalid(format!(
            "place: {text:?} can mean {} places; give the ARS of the one that was meant",
            asked.candidates.len()
        ))),
    }
}

/// Whose town a place is: the confirmed partner that claims it, else ours.
fn responsible(shared: &Shared, ars: &str) -> OrgId {
    let confirmed = partners::confirmed(shared);
    let identities = read(&shared.identities);
    let claims =
        |id: &&OrgId| identities.get(*id).is_some_and(|identity| !identity.ars().is_empty() && identity.ars() == ars);
    confirmed.iter().find(claims).copied().unwrap_or(shared.own.organisation)
}

/// The organisation a name means, if it is ours or a confirmed partner's.
pub(super) fn town(shared: &Shared, name: &str) -> Result<OrgId, NodeError> {
    let id = partners::find_organisation(shared, name)?;
    if id == shared.own.organisation || partners::confirmed(shared).contains(&id) {
        return Ok(id);
    }
    let name = shared.organisation_name(&id);
    Err(NodeError::Conflict(format!(
        "{name} is no confirmed partner; compare the check words first and say `ortsnetz partners confirm {name}`"
    )))
}

fn info(shared: &Shared, writer: &OrgId, reader: &OrgId, contact: &Contact, state: &str) -> ContactInfo {
    ContactInfo {
        id: contact.id.clone(),
        number: contact.number(),
        at: contact.at.clone(),
        seconds: contact.seconds,
        topics: contact.topics.clone(),
        place: contact.place.clone(),
        channel: contact.channel.word().into(),
        outcome: contact.outcome.word().into(),
        agreement: contact.under.as_ref().map(|under| under.agreement.clone()),
        version: contact.under.as_ref().map(|under| under.version),
        by: shared.organisation_info(writer),
        town: shared.organisation_info(reader),
        state: state.into(),
        undo_until: None,
    }
}

/// `contacts undo`: takes back one that is not older than two minutes; without an id the last that was recorded here.
pub(crate) fn undo(shared: &Shared, id: Option<&str>) -> Result<ContactInfo, NodeError> {
    let id = match id {
        Some(id) => found(shared, id)?.contact.id,
        None => last(shared)?,
    };
    let entry: EntryId = id.parse()?;
    let reader = writing::recorded(shared, &entry)?.map(|row| row.reader);
    match (writing::take_back(shared, &entry)?, reader) {
        (Some(Record::Contact(contact)), Some(reader)) => {
            Ok(info(shared, &shared.own.organisation, &reader, &contact, "undone"))
        }
        _ => Err(NodeError::Conflict(format!(
            "contact {id} is older than {} seconds; take it back with `ortsnetz contacts reverse {id} --reason TEXT`",
            writing::UNDO_MS / 1000
        ))),
    }
}

/// The contact that was recorded here last and can still be undone.
fn last(shared: &Shared) -> Result<String, NodeError> {
    let mut newest: Option<(u64, String)> = None;
    for book in books(shared, None)?.iter().filter(|book| book.writer == shared.own.organisation) {
        for (at, record) in writing::pending(shared, &book.reader, Stream::Contacts)? {
            if let Record::Contact(contact) = record
                && newest.as_ref().is_none_or(|known| known.0 < at)
            {
                newest = Some((at, contact.id));
            }
        }
    }
    let young = newest.filter(|(at, _)| at + writing::UNDO_MS > clock::now());
    young.map(|(_, id)| id).ok_or_else(|| {
        NodeError::Conflict(format!(
            "no contact was recorded here within {} seconds; take an older one back with `ortsnetz contacts reverse ID --reason TEXT`",
            writing::UNDO_MS / 1000
        ))
    })
}

/// `contacts reverse`: a contact of ours does not count, and why.
pub(crate) fn reverse(shared: &Shared, id: &str, reason: &str) -> Result<ContactInfo, NodeError> {
    let found = found(shared, id)?;
    if found.book.writer != shared.own.organisation {
        let name = shared.organisation_name(&found.book.writer);
        return Err(NodeError::Forbidden(format!(
            "contact {} was recorded by {name}; object to it with `ortsnetz reports settle object`",
            found.contact.id
        )));
    }
    if found.reversed {
        return Err(NodeError::Conflict(format!("contact {} is reversed already", found.contact.id)));
    }
    let reversal = Reversal {
        id: random_id(clock::random()),
        contact: found.contact.id.clone(),
        at: found.contact.at.clone(),
        made: quarter(local(clock::now())),
        reason: reason.trim().to_owned(),
    };
    writing::record(shared, &found.book.reader, Stream::Contacts, &[Record::Reversal(reversal)])?;
    Ok(info(shared, &found.book.writer, &found.book.reader, &found.contact, "reversed"))
}

/// A contact and where it is.
pub(super) struct Found {
    pub contact: Contact,
    pub book: Book,
    pub reversed: bool,
}

/// The books of our organisation with these partners, ours first; all if none is named.
pub(super) fn books(shared: &Shared, with: Option<&OrgId>) -> Result<Vec<Book>, NodeError> {
    let own = shared.own.organisation;
    let mut others: Vec<OrgId> = match with {
        Some(only) => vec![*only],
        None => read(&shared.partners).keys().copied().collect(),
    };
    others.retain(|other| *other != own);
    let mut books = Vec::new();
    if with.is_none_or(|with| *with == own) {
        books.push(Book { writer: own, reader: own });
    }
    books.extend(others.iter().map(|other| Book { writer: own, reader: *other }));
    books.extend(others.iter().map(|other| Book { writer: *other, reader: own }));
    Ok(books)
}

/// The records of a book about these months; ours also as far as they are in no batch yet.
pub(super) fn records(
    shared: &Shared,
    book: &Book,
    stream: Stream,
    months: &BTreeSet<Month>,
) -> Result<Vec<Record>, NodeError> {
    let mut records = journals::of_months(shared, book, stream, months)?.into_records();
    if book.writer == shared.own.organisation {
        records.extend(writing::pending(shared, &book.reader, stream)?.into_iter().map(|(_, record)| record));
    }
    Ok(records)
}

/// The contact with this id, its beginning, or the number of its follow-up.
pub(super) fn found(shared: &Shared, id: &str) -> Result<Found, NodeError> {
    let wanted: String = id.trim().to_lowercase().replace('-', "");
    if wanted.len() < ID_DIGITS_MIN || !wanted.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(NodeError::Invalid(format!("{id:?} is no id of a contact; give at least {ID_DIGITS_MIN} digits")));
    }
    let row = wanted.parse().ok().map(|id| writing::recorded(shared, &id)).transpose()?.flatten();
    let (books, months) = match &row {
        Some(row) => {
            let book = Book { writer: shared.own.organisation, reader: row.reader };
            (vec![book], row.month.parse::<Month>().into_iter().collect())
        }
        None => (books(shared, None)?, months_back()),
    };
    for month in months {
        let mut found: Vec<Found> = Vec::new();
        for book in &books {
            let records = records(shared, book, Stream::Contacts, &BTreeSet::from([month]))?;
            let reversed: BTreeSet<String> = records
                .iter()
                .filter_map(|record| match record {
                    Record::Reversal(reversal) => Some(reversal.contact.clone()),
                    _ => None,
                })
                .collect();
            for record in records {
                if let Record::Contact(contact) = record
                    && contact.id.starts_with(&wanted)
                    && found.iter().all(|known| known.contact.id != contact.id)
                {
                    let reversed = reversed.contains(&contact.id);
                    found.push(Found { contact, book: *book, reversed });
                }
            }
        }
        match found.len() {
            0 => {}
            1 => return Ok(found.remove(0)),
            _ => return Err(NodeError::Invalid(format!("{id}: several contacts begin so; give more digits"))),
        }
    }
    Err(NodeError::NotFound(format!("there is no contact {id}; `ortsnetz contacts list` shows them")))
}

/// This month and those before it.
pub(super) fn months_back() -> Vec<Month> {
    let mut month = Month::of(local(clock::now()).date());
    let mut months = vec![month];
    while months.len() < MONTHS_BACK {
        month = Month::of(month.first().yesterday().unwrap_or(month.first()));
        months.push(month);
    }
    months
}

/// A month as text, this one if there is none or it is `now`.
pub(super) fn month_or_now(text: Option<&str>) -> Result<Month, NodeError> {
    match text {
        None | Some("now") => Ok(Month::of(local(clock::now()).date())),
        Some(text) => text.trim().parse().map_err(|error: String| NodeError::Invalid(format!("month: {error}"))),
    }
}

/// `contacts list`: the newest first.
pub(crate) fn list(shared: &Shared, request: &ContactsRequest) -> Result<ContactsPage, NodeError> {
    let month = month_or_now(request.month.as_deref())?;
    let with = request.partner.as_deref().map(|name| partners::find_organisation(shared, name)).transpose()?;
    let limit = request.limit.unwrap_or(LIST_DEFAULT);
    let mut all: Vec<ContactInfo> = Vec::new();
    for book in books(shared, with.as_ref())? {
        let own = book.writer == shared.own.organisation;
        let mut waiting: BTreeMap<String, u64> = BTreeMap::new();
        if own {
            let pending = writing::pending(shared, &book.reader, Stream::Contacts)?;
            waiting = pending.into_iter().map(|(at, record)| (record.id().to_owned(), at)).collect();
        }
        let records = records(shared, &book, Stream::Contacts, &BTreeSet::from([month]))?;
        let mut contacts: BTreeMap<&str, &Contact> = BTreeMap::new();
        let mut reversed: BTreeSet<&str> = BTreeSet::new();
        for record in records.iter().filter(|record| record.month() == Some(month)) {
            match record {
                Record::Contact(contact) => drop(contacts.insert(&contact.id, contact)),
                Record::Reversal(reversal) => drop(reversed.insert(&reversal.contact)),
                _ => {}
            }
        }
        for (id, contact) in contacts {
            let state = if reversed.contains(id) { "reversed" } else { "recorded" };
            let mut row = info(shared, &book.writer, &book.reader, contact, state);
            let until = waiting.get(id).map(|at| at + writing::UNDO_MS).filter(|until| *until > clock::now());
            row.undo_until = until.map(clock::rfc3339);
            all.push(row);
        }
    }
    all.sort_by(|one, other| (&other.at, &other.id).cmp(&(&one.at, &one.id)));
    let total = all.len();
    all.truncate(limit);
    Ok(ContactsPage { contacts: all, total })
}

/// `contacts follow-ups`: what is to be done after contacts, the oldest first; all or (`open`) what is not done.
pub(crate) fn follow_ups(shared: &Shared, partner: Option<&str>, open: bool) -> Result<Vec<FollowUpInfo>, NodeError> {
    let with = partner.map(|name| partners::find_organisation(shared, name)).transpose()?;
    let months: BTreeSet<Month> = months_back().into_iter().collect();
    let now = local(clock::now());
    let mut all = Vec::new();
    for book in books(shared, with.as_ref())? {
        let other = Book { writer: book.reader, reader: book.writer };
        let records_here = records(shared, &book, Stream::Contacts, &months)?;
        let mut done = BTreeMap::new();
        let answers =
            if book.writer == book.reader { Vec::new() } else { records(shared, &other, Stream::Contacts, &months)? };
        let mut reversed = BTreeSet::new();
        for record in records_here.iter().chain(&answers) {
            match record {
                Record::Done(tick) => {
                    done.entry(tick.contact.clone()).or_insert_with(|| tick.made.clone());
                }
                Record::Reversal(reversal) => {
                    reversed.insert(reversal.contact.clone());
                }
                _ => {}
            }
        }
        let mut seen = BTreeSet::new();
        for record in &records_here {
            let Record::Contact(contact) = record else { continue };
            let done = done.get(&contact.id).cloned();
            let wanted = contact.outcome.is_followed_up() && !reversed.contains(&contact.id);
            if !wanted || open && done.is_some() || !seen.insert(contact.id.clone()) {
                continue;
            }
            let terms = agreements::terms(shared, contact.under.as_ref())?;
            let promise = Promise {
                targets: terms.as_ref().and_then(|terms| terms.targets.as_ref()),
                service_hours: terms.as_ref().map_or(&[], |terms| &terms.service_hours),
            };
            let until = due(contact.time(), &promise);
            let owner = if contact.outcome.is_for_the_town() { book.reader } else { book.writer };
            all.push(FollowUpInfo {
                number: contact.number(),
                contact: contact.id.clone(),
                at: contact.at.clone(),
                outcome: contact.outcome.word().into(),
                topics: contact.topics.clone(),
                place: contact.place.clone(),
                owner: shared.organisation_info(&owner),
                ours: owner == shared.own.organisation,
                due: quarter(until),
                overdue: done.is_none() && now > until,
                done,
            });
        }
    }
    all.sort_by(|one, other| (&one.at, &one.contact).cmp(&(&other.at, &other.contact)));
    Ok(all)
}

/// `contacts done`: ticks off a follow-up that is ours.
pub(crate) fn done(shared: &Shared, number: &str) -> Result<FollowUpInfo, NodeError> {
    let found = found(shared, number)?;
    let (contact, book) = (&found.contact, found.book);
    if !contact.outcome.is_followed_up() {
        return Err(NodeError::Conflict(format!("contact {} has no follow-up", contact.number())));
    }
    let owner = if contact.outcome.is_for_the_town() { book.reader } else { book.writer };
    if owner != shared.own.organisation {
        let name = shared.organisation_name(&owner);
        return Err(NodeError::Forbidden(format!("the follow-up {} is for {name} to tick off", contact.number())));
    }
    let other = if book.writer == owner { book.reader } else { book.writer };
    let of_contact = |all: Vec<FollowUpInfo>| all.into_iter().find(|known| known.contact == contact.id);
    let known = of_contact(follow_ups(shared, Some(&other.to_string()), false)?);
    if let Some(known) = known.filter(|known| known.done.is_some()) {
        return Ok(known);
    }
    let tick = Done {
        id: random_id(clock::random()),
        contact: contact.id.clone(),
        at: contact.at.clone(),
        made: quarter(local(clock::now())),
    };
    writing::record(shared, &other, Stream::Contacts, &[Record::Done(tick)])?;
    let known = of_contact(follow_ups(shared, Some(&other.to_string()), false)?);
    known.ok_or_else(|| NodeError::NotFound(format!("the follow-up {} was reversed", contact.number())))
}
