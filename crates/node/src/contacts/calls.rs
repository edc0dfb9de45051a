//! Calls as the telephone system saw them: how long people waited, and how many gave up. Who called is never taken in.

use std::collections::BTreeMap;
use std::io::Read;

use jiff::civil::DateTime;
use ortsnetz_exchange::{CallEnd, CallMapping, CallRow, calls};
use ortsnetz_model::{EntryId, OrgId};
use ortsnetz_service::journal::{Call, Record, Stream, quarter, random_id};

use super::recording::moment;
use super::writing;
use crate::answering::matters::{self, Sought};
use crate::catalog;
use crate::clock;
use crate::dto::{CallInfo, CallRequest, CallsReport, Rejection};
use crate::error::NodeError;
use crate::partners;
use crate::shared::Shared;

/// Calls stored at once while a file is read.
const CALLS_AT_ONCE: usize = 500;
/// Rejections told in full; of the others their number.
const REJECTIONS_MAX: usize = 1_000;

/// Whose numbers are whose.
struct Lines(BTreeMap<String, OrgId>);

impl Lines {
    /// The numbers in the profiles of our organisation and of confirmed partners; ours win.
    fn of(shared: &Shared) -> Result<Self, NodeError> {
        let mut lines = BTreeMap::new();
        let confirmed = partners::confirmed(shared);
        for organisation in confirmed.iter().chain([&shared.own.organisation]) {
            for id in matters::of(shared, Sought::Profile, organisation)? {
                let held = catalog::find_of(shared, organisation, &id)?;
                let Some(profile) = held.map_or(Ok(None), |held| held.entry(&id, false))? else { continue };
                lines.extend(profile.list("numbers").into_iter().filter_map(line).map(|line| (line, *organisation)));
            }
        }
        Ok(Self(lines))
    }

    fn town(&self, dialled: &str) -> Result<(String, OrgId), String> {
        let line = line(dialled).ok_or_else(|| format!("{dialled:?} is no number that can be dialled"))?;
        let town = self.0.get(&line).copied();
        // An unknown number may be anybody's, so it is not kept.
        town.map(|town| (line, town)).ok_or_else(|| {
            "the number that was dialled is in no profile; add it to `numbers` of the town's profile".into()
        })
    }
}

/// A number in the one form it has here: `+4922411020`.
fn line(text: &str) -> Option<String> {
    let mut digits = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' => digits.push(c),
            '+' if digits.is_empty() => digits.push(c),
            ' ' | '-' | '/' | '(' | ')' | '.' => {}
            _ => return None,
        }
    }
    let line = match (digits.strip_prefix("00"), digits.strip_prefix('0')) {
        (Some(rest), _) => format!("+{rest}"),
        (None, Some(rest)) => format!("+49{rest}"),
        (None, None) => digits,
    };
    (line.len() > 1 && line != "+").then_some(line)
}

/// A call with its times.
struct Told<'a> {
    key: Option<&'a str>,
    dialled: &'a str,
    offered: DateTime,
    waited: i64,
    talked: Option<i64>,
}

fn record(shared: &Shared, lines: &Lines, told: &Told<'_>) -> Result<(OrgId, Call), String> {
    let (line, town) = lines.town(told.dialled)?;
    let seconds = |number: i64, what: &str| {
        u32::try_from(number).map_err(|_| format!("{what} is before the call was offered, or too long ago"))
    };
    let id = match told.key {
        Some(key) => EntryId::imported(&shared.own.organisation, "ortsnetz", "call", key).to_string(),
        None => random_id(clock::random()),
    };
    let call = Call {
        id,
        at: quarter(told.offered),
        line,
        waited: seconds(told.waited, "when it was taken")?,
        talked: told.talked.map(|talked| seconds(talked, "when it ended")).transpose()?,
    };
    Record::Call(call.clone()).check().map_err(|error| error.to_string())?;
    Ok((town, call))
}

fn between(from: DateTime, until: DateTime) -> i64 {
    from.duration_until(until).as_secs()
}

/// `POST /calls`: one call, as the telephone system tells it when it has ended.
pub(crate) fn add(shared: &Shared, request: &CallRequest) -> Result<CallInfo, NodeError> {
    let offered = moment(&request.offered)?;
    let ended = moment(&request.ended)?;
    let answered = request.answered.as_deref().map(moment).transpose()?;
    let told = Told {
        key: request.id.as_deref(),
        dialled: &request.dialled,
        offered,
        waited: between(offered, answered.unwrap_or(ended)),
        talked: answered.map(|answered| between(answered, ended)),
    };
    let (town, call) = record(shared, &Lines::of(shared)?, &told).map_err(NodeError::Invalid)?;
    let new = writing::record(shared, &town, Stream::Calls, &[Record::Call(call.clone())])?;
    Ok(CallInfo {
        known: new.is_empty(),
        id: call.id,
        at: call.at,
        town: shared.organisation_info(&town),
        waited: call.waited,
        talked: call.talked,
    })
}

/// `contacts import`: the export of the telephone system. Blocks.
pub(crate) fn import(
    shared: &Shared,
    file: &str,
    mapping: &str,
    bytes: &mut dyn Read,
) -> Result<CallsReport, NodeError> {
    let mapping: CallMapping =
        mapping.parse().map_err(|error: ortsnetz_exchange::MappingError| NodeError::Invalid(error.to_string()))?;
    let lines = Lines::of(shared)?;
    let rows = calls(bytes, file, &mapping).map_err(|error| NodeError::Unreadable(error.to_string()))?;
    let mut report = CallsReport::default();
    let reject = |report: &mut CallsReport, line: u64, reason: String| {
        report.rejected_total += 1;
        if report.rejected.len() < REJECTIONS_MAX {
            report.rejected.push(Rejection { file: file.to_owned(), line, reason });
        }
    };
    let mut waiting: Vec<(OrgId, Record)> = Vec::new();
    for row in rows {
        let row = match row {
            Ok(row) => row,
            Err(rejected) => {
                reject(&mut report, rejected.line, rejected.reason);
                continue;
            }
        };
        match told(&row, &mapping).and_then(|told| record(shared, &lines, &told)) {
            Ok((town, call)) => waiting.push((town, Record::Call(call))),
            Err(reason) => reject(&mut report, row.line, reason),
        }
        if waiting.len() == CALLS_AT_ONCE {
            keep(shared, &mut waiting, &mut report)?;
        }
    }
    keep(shared, &mut waiting, &mut report)?;
    report.ok = report.created + report.unchanged > 0;
    // What is published later is durable now.
    writing::flush(shared, false)?;
    Ok(report)
}

fn keep(shared: &Shared, waiting: &mut Vec<(OrgId, Record)>, report: &mut CallsReport) -> Result<(), NodeError> {
    let mut by_town: BTreeMap<OrgId, Vec<Record>> = BTreeMap::new();
    for (town, record) in waiting.drain(..) {
        by_town.entry(town).or_default().push(record);
    }
    for (town, records) in by_town {
        let new = writing::record(shared, &town, Stream::Calls, &records)?.len() as u64;
        report.created += new;
        report.unchanged += records.len() as u64 - new;
    }
    Ok(())
}

fn told<'a>(row: &'a CallRow, mapping: &CallMapping) -> Result<Told<'a>, String> {
    let time = |text: &str| -> Result<DateTime, String> {
        match &mapping.time {
            Some(format) => DateTime::strptime(format, text).map_err(|_| format!("{text:?} is no time like {format}")),
            None => moment(text).map_err(|error| error.to_string()),
        }
    };
    let seconds = |text: &str| text.parse::<i64>().map_err(|_| format!("{text:?} is no number of seconds"));
    let offered = time(&row.offered)?;
    let (waited, talked) = match &row.then {
        CallEnd::Times(answered, ended) => {
            let ended = time(ended)?;
            let answered = if answered.is_empty() { None } else { Some(time(answered)?) };
            (between(offered, answered.unwrap_or(ended)), answered.map(|answered| between(answered, ended)))
        }
        CallEnd::Seconds(waited, talked) => {
            let talked = if talked.is_empty() { 0 } else { seconds(talked)? };
            (seconds(waited)?, (talked > 0).then_some(talked))
        }
    };
    Ok(Told { key: Some(&row.key), dialled: &row.dialled, offered, waited, talked })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_form() {
        for (text, expected) in [
            ("+49 (2241) 102-0", Some("+4922411020")),
            ("02241/102-0", Some("+4922411020")),
            ("0049 2241 1020", Some("+4922411020")),
            ("115", Some("115")),
            ("Zentrale", None),
            ("", None),
            ("+", None),
        ] {
            assert_eq!(line(text).as_deref(), expected, "{text}");
        }
    }
}
