//! Months between two organisations as far as they are known, and settled from the records that are here.
//!
//! Nothing is kept of a month but the records: whoever asks computes it anew.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64;
use ortsnetz_model::{NodeId, OrgId};
use ortsnetz_service::journal::{Cut, Month, Record, Stream};
use ortsnetz_service::settlement::{self, Offered, Question, Settled, Statement, Version, fold, settle};
use ortsnetz_trust::keys::{Domain, Signature};
use ortsnetz_trust::{PublicKey, Signer as _};

use super::journals::{self, Book, Page};
use super::recording;
use super::writing;
use crate::agreements;
use crate::error::NodeError;
use crate::shared::Shared;

/// What both sides sign of a month.
const DOMAIN: Domain = Domain("settlement");

/// Who answers for whom, and who of them we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub provider: OrgId,
    pub recipient: OrgId,
    pub we_answer: bool,
}

impl Pair {
    pub fn other(&self) -> OrgId {
        if self.we_answer { self.recipient } else { self.provider }
    }

    /// Where the provider's records are.
    pub fn book(&self) -> Book {
        Book { writer: self.provider, reader: self.recipient }
    }

    fn answer_book(&self) -> Book {
        Book { writer: self.recipient, reader: self.provider }
    }
}

/// The pair with a partner. Where it is not said who answers, the agreements and months there are decide.
pub(super) fn pair(shared: &Shared, partner: &str, we_answer: Option<bool>) -> Result<Pair, NodeError> {
    let other = recording::town(shared, partner)?;
    let own = shared.own.organisation;
    if other == own {
        return Err(NodeError::Invalid("partner: is our own organisation; nothing is settled with it".into()));
    }
    let of = |we_answer: bool| match we_answer {
        true => Pair { provider: own, recipient: other, we_answer },
        false => Pair { provider: other, recipient: own, we_answer },
    };
    if let Some(we_answer) = we_answer {
        return Ok(of(we_answer));
    }
    let signed = |pair: &Pair| agreements::signed(shared, &pair.provider, &pair.recipient).map(|all| !all.is_empty());
    match (signed(&of(true))?, signed(&of(false))?) {
        (true, true) => Err(NodeError::Invalid(format!(
            "{} and we answer for each other; say which of both with --we-answer or --they-answer",
            shared.organisation_name(&other)
        ))),
        (false, true) => Ok(of(false)),
        _ => Ok(of(true)),
    }
}

/// What both sides recorded about months.
pub(super) struct Months {
    pub provider: Vec<Record>,
    pub recipient: Vec<Record>,
}

impl Months {
    pub fn of(shared: &Shared, pair: &Pair) -> Result<Self, NodeError> {
        let read = |book: Book| -> Result<Vec<Record>, NodeError> {
            let mut records = journals::all(shared, &book, Stream::Settlement)?.into_records();
            if book.writer == shared.own.organisation {
                let pending = writing::pending(shared, &book.reader, Stream::Settlement)?;
                records.extend(pending.into_iter().map(|(_, record)| record));
            }
            // The order in which they are read says nothing; the first of several is found by id.
            records.sort_by(|one, other| one.id().cmp(other.id()));
            Ok(records)
        };
        Ok(Self { provider: read(pair.book())?, recipient: read(pair.answer_book())? })
    }

    pub fn fold<'a>(&'a self, shared: &Shared, pair: &Pair) -> BTreeMap<Month, Offered<'a>> {
        let parties = (pair.provider.to_string(), pair.recipient.to_string());
        let valid = |statement: &Statement, node: &str, signature: &str, by_provider: bool| {
            let ours = statement.provider == parties.0 && statement.recipient == parties.1;
            let signer = if by_provider { &pair.provider } else { &pair.recipient };
            ours && statement.format == settlement::FORMAT && is_signed(shared, signer, statement, node, signature)
        };
        fold(&self.provider, &self.recipient, &valid)
    }
}

/// Whether a node that this organisation ever gave the role admin signed a statement.
pub(super) fn is_signed(shared: &Shared, by: &OrgId, statement: &Statement, node: &str, signature: &str) -> bool {
    let Ok(signer) = node.parse::<NodeId>() else { return false };
    let Some(identity) = shared.identity_of(by) else { return false };
    let admin = identity.last_certificate(&signer).is_some_and(|certificate| certificate.roles.admin);
    let bytes: Option<[u8; 64]> = BASE64.decode(signature.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    admin
        && bytes.is_some_and(|bytes| PublicKey::from(signer).verify(DOMAIN, &statement.canonical(), &Signature(bytes)))
}

pub(super) fn signature(shared: &Shared, statement: &Statement) -> String {
    BASE64.encode(&shared.own.key.sign(DOMAIN, &statement.canonical()).0)
}

/// The statements that both signed, each of which names the one before; in order of month.
pub(super) fn closed(months: &BTreeMap<Month, Offered<'_>>) -> Vec<Statement> {
    let mut chain: Vec<Statement> = Vec::new();
    for offered in months.values() {
        if let Some((offer, _)) = &offered.closed
            && offer.statement.previous == chain.last().map(Statement::hash)
        {
            chain.push(offer.statement.clone());
        }
    }
    chain
}

pub(super) fn cuts(closed: &[Statement]) -> Vec<(Month, Cut)> {
    closed.iter().map(|statement| (statement.month, statement.cut.clone())).collect()
}

/// The records that a statement of this month can be about.
pub(super) fn page(shared: &Shared, pair: &Pair, month: Month, closed: &[Statement]) -> Result<Page, NodeError> {
    let rows = journals::rows_of(shared, &pair.book(), Stream::Contacts)?;
    let cuts = cuts(closed);
    let unsettled: Vec<_> = journals::unsettled(&rows, month, &cuts).cloned().collect();
    let first = journals::read(shared, &pair.book(), &unsettled)?;
    // What was settled before may come once more, or be reversed.
    let earlier: BTreeSet<Month> = first.records().filter_map(Record::month).filter(|about| *about < month).collect();
    let mut wanted: BTreeSet<_> = unsettled.iter().map(|(id, _)| *id).collect();
    wanted.extend(rows.iter().filter(|(_, row)| row.is_about(&earlier)).map(|(id, _)| *id));
    journals::read(shared, &pair.book(), rows.iter().filter(|(id, _)| wanted.contains(id)))
}

/// Settles a month from the records that are here, and hands what comes out to `then`.
pub(super) fn settled<T>(
    shared: &Shared,
    pair: &Pair,
    (month, revision, cut): (Month, u32, &Cut),
    closed: &[Statement],
    versions: &[Version],
    then: impl FnOnce(&Settled<'_>) -> T,
) -> Result<T, NodeError> {
    let page = page(shared, pair, month, closed)?;
    if page.unsigned > 0 {
        let name = shared.organisation_name(&pair.provider);
        return Err(NodeError::Conflict(format!(
            "{} batches of {name} in these journals are not signed by a node of {name}; nothing can be settled from them",
            page.unsigned
        )));
    }
    let records = page.placed();
    let (provider, recipient) = (pair.provider.to_string(), pair.recipient.to_string());
    Ok(then(&settle(&Question {
        month,
        provider: &provider,
        recipient: &recipient,
        revision,
        records: &records,
        cut,
        versions,
        closed,
    })))
}

/// The versions as a statement counted them.
pub(super) fn as_counted(versions: Vec<Version>, statement: &Statement) -> Result<Vec<Version>, NodeError> {
    let mut counted = Vec::new();
    for wanted in &statement.versions {
        let known = versions.iter().find(|version| {
            version.under.agreement == wanted.agreement
                && version.under.version == wanted.version
                && version.text_hash == wanted.text_hash
        });
        let Some(known) = known else {
            return Err(NodeError::Conflict(format!(
                "version {} of the agreement {} that was counted is not here, or not signed by both; look with `ortsnetz agreements show {}`",
                wanted.version, wanted.agreement, wanted.agreement
            )));
        };
        let last_day = wanted.until.as_deref().and_then(|until| until.parse().ok()).unwrap_or(jiff::civil::Date::MAX);
        counted.push(Version { last_day, ..known.clone() });
    }
    Ok(counted)
}

/// Settles what a statement says once more, as it counted then.
pub(super) fn again<T>(
    shared: &Shared,
    pair: &Pair,
    statement: &Statement,
    closed: &[Statement],
    then: impl FnOnce(&Settled<'_>) -> T,
) -> Result<T, NodeError> {
    let before: Vec<Statement> = closed.iter().take_while(|known| known.month < statement.month).cloned().collect();
    let versions = as_counted(agreements::signed(shared, &pair.provider, &pair.recipient)?, statement)?;
    settled(shared, pair, (statement.month, statement.revision, &statement.cut), &before, &versions, then)
}

/// Whether the provider took these contacts back within a cut.
pub(super) fn reversed(
    shared: &Shared,
    pair: &Pair,
    month: Month,
    cut: Option<&Cut>,
) -> Result<BTreeSet<String>, NodeError> {
    let page = journals::of_months(shared, &pair.book(), Stream::Contacts, &BTreeSet::from([month]))?;
    let covered = |chain: &str, number: u32| cut.is_none_or(|cut| cut.covers(chain, number));
    let placed = page.placed();
    let reversals = placed.iter().filter(|placed| covered(placed.chain, placed.number));
    Ok(reversals
        .filter_map(|placed| match placed.record {
            Record::Reversal(reversal) => Some(reversal.contact.clone()),
            _ => None,
        })
        .collect())
}
