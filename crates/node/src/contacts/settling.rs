//! Months between two organisations: offered, objected to, signed, exported. Before signing both sides compute the same. All of
//! this blocks.

use std::collections::BTreeSet;

use ortsnetz_service::journal::{
    Closing, Month, Objection, Offer, Record, Reply, Reversal, Stream, local, quarter, random_id,
};
use ortsnetz_service::settlement::{self, Line, LineKind, MonthState, Statement};

use super::journals;
use super::months::{Months, Pair, again, as_counted, closed, cuts, pair, reversed, settled, signature};
use super::recording;
use super::writing;
use crate::agreements;
use crate::clock;
use crate::dto::{MonthInfo, MonthObjection, MonthSums};
use crate::error::NodeError;
use crate::shared::Shared;

/// Longest part of an objection that the reversal repeats, in characters.
const REPEATED_CHARS: usize = 150;
/// Digits of the beginning of a contact's id that may stand for it.
const ID_DIGITS_MIN: usize = 6;

fn name(month: Month, pair: &Pair, shared: &Shared) -> String {
    format!("{month} with {}", shared.organisation_name(&pair.other()))
}

/// `reports settle propose`: offers a month that is over, signed, with everything recorded so far.
pub(crate) fn propose(shared: &Shared, partner: &str, month: &str) -> Result<MonthInfo, NodeError> {
    agreements::require_admin(shared)?;
    let month = recording::month_or_now(Some(month))?;
    let pair = pair(shared, partner, Some(true))?;
    if local(clock::now()).date() <= month.last() {
        return Err(NodeError::Conflict(format!("{month} is not over; propose it from {} on", month.next().first())));
    }
    writing::flush(shared, true)?;
    let known = Months::of(shared, &pair)?;
    let months = known.fold(shared, &pair);
    let closed = closed(&months);
    if let Some(last) = closed.last() {
        if month <= last.month {
            return Err(NodeError::Conflict(format!(
                "{} is closed up to {}; what comes late is a correction of the month after",
                shared.organisation_name(&pair.other()),
                last.month
            )));
        }
        if month != last.month.next() {
            return Err(NodeError::Conflict(format!("months are settled in order; {} is next", last.month.next())));
        }
    }
    if let Some(open) = months
        .iter()
        .find(|(other, offered)| **other != month && offered.closed.is_none() && !offered.offers.is_empty())
    {
        return Err(NodeError::Conflict(format!(
            "{} is proposed and not closed yet; months are settled in order",
            open.0
        )));
    }
    let rows = journals::rows_of(shared, &pair.book(), Stream::Contacts)?;
    let chains = journals::chains(&rows);
    if let Some((chain, number)) = chains.broken.iter().next() {
        return Err(NodeError::Conflict(format!(
            "batch {number} of the chain {chain} of our own journal is missing; look with `ortsnetz store check`"
        )));
    }
    let cut = journals::needed(&rows, &chains.whole, &cuts(&closed));
    let newest = months.get(&month).and_then(|offered| offered.newest());
    let revision = newest.map_or(1, |statement| statement.revision + 1);
    let versions = agreements::signed(shared, &pair.provider, &pair.recipient)?;
    let statement =
        settled(shared, &pair, (month, revision, &cut), &closed, &versions, |settled| settled.statement.clone())?;
    let offer = Offer {
        id: random_id(clock::random()),
        node: shared.own.node.to_string(),
        at: clock::rfc3339(clock::now()),
        signature: signature(shared, &statement),
        statement,
    };
    writing::record_now(shared, &pair.other(), Stream::Settlement, &[Record::Offer(Box::new(offer))])?;
    show_pair(shared, &pair, month)
}

/// What is offered and not closed: the newest offer, the statements closed before it, and what is objected to.
struct Waiting {
    statement: Statement,
    closed: Vec<Statement>,
    objections: Vec<Objecting>,
}

/// An objection as it stands.
struct Objecting {
    id: String,
    contact: String,
    reason: String,
    replied: bool,
}

fn offered(shared: &Shared, pair: &Pair, month: Month, known: &Months) -> Result<Waiting, NodeError> {
    let months = known.fold(shared, pair);
    let closed = closed(&months);
    let what = name(month, pair, shared);
    let Some(offered) = months.get(&month) else {
        return Err(NodeError::NotFound(format!("nothing is proposed for {what}")));
    };
    if offered.closed.is_some() {
        return Err(NodeError::Conflict(format!("{what} is closed; both signed it")));
    }
    let Some(statement) = offered.newest().cloned() else {
        return Err(NodeError::NotFound(format!("nothing is proposed for {what}")));
    };
    let objecting = |one: &settlement::Objected<'_>| Objecting {
        id: one.objection.id.clone(),
        contact: one.objection.contact.clone(),
        reason: one.objection.reason.clone(),
        replied: one.reply.is_some(),
    };
    Ok(Waiting { statement, closed, objections: offered.objections.iter().map(objecting).collect() })
}

/// `reports settle object`: objects to lines of what is offered.
pub(crate) fn object(
    shared: &Shared,
    partner: &str,
    month: &str,
    contacts: &[String],
    reason: &str,
) -> Result<MonthInfo, NodeError> {
    agreements::require_admin(shared)?;
    let month = recording::month_or_now(Some(month))?;
    let pair = pair(shared, partner, Some(false))?;
    let known = Months::of(shared, &pair)?;
    let Waiting { statement, closed, objections } = offered(shared, &pair, month, &known)?;
    let billed = again(shared, &pair, &statement, &closed, |settled| {
        let counts = |line: &&Line<'_>| matches!(line.kind, LineKind::Contact | LineKind::Late | LineKind::Correction);
        settled.lines.iter().filter(counts).map(|line| line.contact.id.clone()).collect::<BTreeSet<String>>()
    })?;
    let mut records = Vec::new();
    for given in contacts {
        let contact = in_lines(&billed, given)?;
        if objections.iter().any(|known| known.contact == contact) {
            continue;
        }
        let (id, reason) = (random_id(clock::random()), reason.trim().to_owned());
        records.push(Record::Objection(Objection { id, month, contact, reason }));
    }
    writing::record_now(shared, &pair.other(), Stream::Settlement, &records)?;
    show_pair(shared, &pair, month)
}

/// The contact that begins so among these.
fn in_lines(lines: &BTreeSet<String>, given: &str) -> Result<String, NodeError> {
    let wanted: String = given.trim().to_lowercase().replace('-', "");
    let mut found = lines.iter().filter(|id| wanted.len() >= ID_DIGITS_MIN && id.starts_with(&wanted));
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only.clone()),
        (Some(_), Some(_)) => Err(NodeError::Invalid(format!("{given}: several lines begin so; give more digits"))),
        (None, _) => Err(NodeError::NotFound(format!(
            "{given}: there is no such line; `ortsnetz reports settle export` has all of them"
        ))),
    }
}

/// `reports settle accept` (`keep` is `None`) and `keep`: answers objections, all that wait if none is named.
pub(crate) fn answer(
    shared: &Shared,
    partner: &str,
    month: &str,
    contacts: &[String],
    keep: Option<&str>,
) -> Result<MonthInfo, NodeError> {
    agreements::require_admin(shared)?;
    let month = recording::month_or_now(Some(month))?;
    let pair = pair(shared, partner, Some(true))?;
    let known = Months::of(shared, &pair)?;
    let Waiting { objections, .. } = offered(shared, &pair, month, &known)?;
    let taken_back = reversed_with_pending(shared, &pair, month)?;
    let waiting: BTreeSet<String> = objections
        .iter()
        .filter(|one| !one.replied && !taken_back.contains(&one.contact))
        .map(|one| one.contact.clone())
        .collect();
    let wanted: Vec<String> = match contacts {
        [] => waiting.iter().cloned().collect(),
        given => given.iter().map(|given| in_lines(&waiting, given)).collect::<Result<_, _>>()?,
    };
    if wanted.is_empty() {
        return Err(NodeError::Conflict(format!("no objection to {} waits", name(month, &pair, shared))));
    }
    let mut replies = Vec::new();
    let mut reversals = Vec::new();
    for contact in wanted {
        let id = random_id(clock::random());
        let Some(said) = objections.iter().find(|known| known.contact == contact) else { continue };
        match keep {
            Some(reason) => {
                let (objection, reason) = (said.id.clone(), reason.trim().to_owned());
                replies.push(Record::Reply(Reply { id, month, objection, reason }));
            }
            None => {
                let at = recording::found(shared, &contact)?.contact.at;
                let said: String = said.reason.chars().take(REPEATED_CHARS).collect();
                let (made, reason) = (quarter(local(clock::now())), format!("objection accepted: {said}"));
                reversals.push(Record::Reversal(Reversal { id, contact, at, made, reason }));
            }
        }
    }
    if !reversals.is_empty() {
        writing::record(shared, &pair.other(), Stream::Contacts, &reversals)?;
    }
    writing::record_now(shared, &pair.other(), Stream::Settlement, &replies)?;
    show_pair(shared, &pair, month)
}

fn reversed_with_pending(shared: &Shared, pair: &Pair, month: Month) -> Result<BTreeSet<String>, NodeError> {
    let mut all = reversed(shared, pair, month, None)?;
    if pair.we_answer {
        for (_, record) in writing::pending(shared, &pair.recipient, Stream::Contacts)? {
            if let Record::Reversal(reversal) = record {
                all.insert(reversal.contact);
            }
        }
    }
    Ok(all)
}

/// `reports settle sign`: signs what is offered, once everything it counts is here and comes out the same.
pub(crate) fn sign(shared: &Shared, partner: &str, month: &str) -> Result<MonthInfo, NodeError> {
    agreements::require_admin(shared)?;
    let month = recording::month_or_now(Some(month))?;
    let pair = pair(shared, partner, Some(false))?;
    let known = Months::of(shared, &pair)?;
    let Waiting { statement, closed, objections } = offered(shared, &pair, month, &known)?;
    let what = name(month, &pair, shared);
    let taken_back = reversed(shared, &pair, month, Some(&statement.cut))?;
    let waiting = objections.iter().filter(|one| !one.replied && !taken_back.contains(&one.contact)).count();
    if waiting > 0 {
        return Err(NodeError::Conflict(format!(
            "{waiting} of our objections to {what} are not answered yet; wait for what the other side offers then"
        )));
    }
    let rows = journals::rows_of(shared, &pair.book(), Stream::Contacts)?;
    let whole = journals::chains(&rows).whole;
    let missing = statement.cut.0.iter().filter(|(chain, number)| !whole.covers(chain, **number)).count();
    if missing > 0 {
        return Err(NodeError::Conflict(format!(
            "not everything that {what} counts has arrived here ({missing} chains of records lack their end); wait until `ortsnetz partners show` says in sync"
        )));
    }
    let versions = agreements::signed(shared, &pair.provider, &pair.recipient)?;
    let cut = statement.cut.clone();
    let ours = settled(shared, &pair, (month, statement.revision, &cut), &closed, &versions, |settled| {
        settled.statement.clone()
    })?;
    if ours != statement {
        return Err(NodeError::Conflict(format!(
            "{what} does not come out here as it is offered: {} cents there, {} cents here ({} and {} lines); nothing was signed, compare both with `ortsnetz reports settle export`",
            statement.total_cents, ours.total_cents, statement.lines, ours.lines
        )));
    }
    let closing = Closing {
        id: random_id(clock::random()),
        month,
        text_hash: statement.hash(),
        node: shared.own.node.to_string(),
        at: clock::rfc3339(clock::now()),
        signature: signature(shared, &statement),
    };
    writing::record_now(shared, &pair.other(), Stream::Settlement, &[Record::Closing(closing)])?;
    show_pair(shared, &pair, month)
}

/// `reports settle show`
pub(crate) fn show(
    shared: &Shared,
    partner: &str,
    month: &str,
    we_answer: Option<bool>,
) -> Result<MonthInfo, NodeError> {
    let month = recording::month_or_now(Some(month))?;
    show_pair(shared, &pair(shared, partner, we_answer)?, month)
}

/// `reports settle list`: every month with a partner that has records or was offered, the newest first.
pub(crate) fn list(shared: &Shared, partner: Option<&str>) -> Result<Vec<MonthInfo>, NodeError> {
    let others = match partner {
        Some(name) => vec![recording::town(shared, name)?],
        None => crate::partners::confirmed(shared).into_iter().collect(),
    };
    let mut all = Vec::new();
    for other in others {
        for we_answer in [true, false] {
            let pair = pair(shared, &other.to_string(), Some(we_answer))?;
            let rows = journals::rows_of(shared, &pair.book(), Stream::Contacts)?;
            let mut months = journals::months(&rows);
            months.extend(Months::of(shared, &pair)?.fold(shared, &pair).keys());
            for month in months {
                all.push(about(shared, &pair, month, false)?);
            }
        }
    }
    all.sort_by(|one, other| (&other.month, &one.partner.name).cmp(&(&one.month, &other.partner.name)));
    Ok(all)
}

/// How a month stands, without computing anything.
pub(super) fn brief(shared: &Shared, partner: &str, month: Month, we_answer: bool) -> Result<MonthInfo, NodeError> {
    about(shared, &pair(shared, partner, Some(we_answer))?, month, false)
}

fn show_pair(shared: &Shared, pair: &Pair, month: Month) -> Result<MonthInfo, NodeError> {
    about(shared, pair, month, true)
}

/// How a month stands; of one that is open, if asked for, what it would cost so far.
fn about(shared: &Shared, pair: &Pair, month: Month, preview: bool) -> Result<MonthInfo, NodeError> {
    let known = Months::of(shared, pair)?;
    let months = known.fold(shared, pair);
    let closed = closed(&months);
    let mut info = MonthInfo {
        month: month.to_string(),
        partner: shared.organisation_info(&pair.other()),
        we_answer: pair.we_answer,
        state: MonthState::Open.word().into(),
        ..MonthInfo::default()
    };
    let offered = months.get(&month);
    let statement = offered.and_then(|offered| match &offered.closed {
        Some((offer, _)) => Some(offer.statement.clone()),
        None => offered.newest().cloned(),
    });
    match (offered, statement) {
        (Some(offered), Some(statement)) => {
            let taken_back = reversed(shared, pair, month, Some(&statement.cut))?;
            info.state = offered.state(&|contact| taken_back.contains(contact)).word().into();
            let is_it = |offer: &&&Offer| offer.statement.revision == statement.revision;
            info.proposed_at = offered.offers.iter().find(is_it).map(|offer| offer.at.clone());
            info.signed_at = offered.closed.as_ref().map(|(_, closing)| closing.at.clone());
            info.revision = statement.revision;
            info.text_hash = Some(statement.hash());
            info.sums = Some(sums(&statement));
            info.objections = offered
                .objections
                .iter()
                .map(|one| MonthObjection {
                    contact: one.objection.contact.clone(),
                    reason: one.objection.reason.clone(),
                    state: match (&one.reply, taken_back.contains(&one.objection.contact)) {
                        (_, true) => "accepted".into(),
                        (Some(_), false) => "kept".into(),
                        (None, false) => "open".into(),
                    },
                    reply: one.reply.map(|reply| reply.reason.clone()),
                })
                .collect();
        }
        _ if preview && closed.last().is_none_or(|last| last.month < month) => {
            let rows = journals::rows_of(shared, &pair.book(), Stream::Contacts)?;
            let cut = journals::needed(&rows, &journals::chains(&rows).whole, &cuts(&closed));
            let versions = agreements::signed(shared, &pair.provider, &pair.recipient)?;
            let preview =
                settled(shared, pair, (month, 0, &cut), &closed, &versions, |settled| sums(&settled.statement))?;
            info.sums = Some(preview);
        }
        _ => {}
    }
    Ok(info)
}

fn sums(statement: &Statement) -> MonthSums {
    MonthSums {
        lines: statement.lines,
        net_cents: statement.net_cents,
        cap_cents: statement.cap_cents,
        tax_cents: statement.tax_cents,
        total_cents: statement.total_cents,
        year_net_cents: statement.year_net_cents,
        year_billed_cents: statement.year_billed_cents,
        table_sha256: statement.table.clone(),
    }
}

/// What a settled month is exported as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Csv,
    Json,
    Pdf,
}

/// `reports settle export`: the table as CSV, the records as JSON, or a page as PDF; of what is closed, else of what is offered.
pub(crate) fn export(
    shared: &Shared,
    partner: &str,
    month: &str,
    we_answer: Option<bool>,
    form: &str,
) -> Result<Vec<u8>, NodeError> {
    let form = match form {
        "csv" => Form::Csv,
        "json" => Form::Json,
        "pdf" => Form::Pdf,
        other => return Err(NodeError::Invalid(format!("format: {other:?} is none of csv, json, pdf"))),
    };
    let month = recording::month_or_now(Some(month))?;
    let pair = pair(shared, partner, we_answer)?;
    let known = Months::of(shared, &pair)?;
    let months = known.fold(shared, &pair);
    let statements = closed(&months);
    let offered = months.get(&month);
    let statement = offered.and_then(|offered| match &offered.closed {
        Some((offer, _)) => Some(&offer.statement),
        None => offered.newest(),
    });
    let Some(statement) = statement else {
        return Err(NodeError::NotFound(format!("nothing is proposed for {}", name(month, &pair, shared))));
    };
    let signed = offered.and_then(|offered| offered.closed.as_ref()).map(|(_, closing)| closing.at.clone());
    let before: Vec<Statement> = statements.iter().filter(|known| known.month < month).cloned().collect();
    let versions = as_counted(agreements::signed(shared, &pair.provider, &pair.recipient)?, statement)?;
    let bytes = again(shared, &pair, statement, &statements, |settled| match form {
        Form::Csv => Ok(settlement::csv(settled).into_bytes()),
        Form::Json => super::exports::records(settled, &versions, before.last()),
        Form::Pdf => {
            let names = [&pair.provider, &pair.recipient].map(|id| shared.organisation_name(id));
            Ok(super::paper::page(settled, &versions, &names, signed.as_deref()))
        }
    })??;
    if form == Form::Csv && ortsnetz_model::Hash::of(&bytes).to_string() != statement.table {
        return Err(NodeError::Conflict(format!(
            "the records that are here do not give the table of {}; wait until `ortsnetz partners show` says in sync",
            name(month, &pair, shared)
        )));
    }
    Ok(bytes)
}
