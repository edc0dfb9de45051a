//! What a month costs: lines made of contacts, the statement both sides sign, and how far a month is.
//!
//! Both sides compute the same from the same records: amounts are whole cents, every division rounds in one way
//! ([`div_round`]), every list has one order. `docs/settlement.py` says it once more in thirty lines.

mod price;
mod state;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use ortsnetz_model::Hash;
use serde::{Deserialize, Serialize};

use crate::agreement::{Prices, Terms};
use crate::journal::{Contact, Cut, Month, Placed, Record, Under};

pub use price::div_round;
pub use state::{MonthState, Objected, Offered, fold};
pub use table::csv;

/// The format of a statement that this version makes and signs.
pub const FORMAT: u8 = 1;

/// What both sides sign: the month, what counted, and the sums.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// [`FORMAT`].
    pub format: u8,
    /// Who answered, an organisation id.
    pub provider: String,
    /// For whom, an organisation id.
    pub recipient: String,
    /// Which month.
    pub month: Month,
    /// Counts from 1; a later one replaces the earlier until both signed one.
    pub revision: u32,
    /// SHA-256 of the statement of the month closed before; absent in the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// Up to where the provider's records count.
    pub cut: Cut,
    /// The versions of agreements that counted.
    pub versions: Vec<Counted>,
    /// How many lines the table has.
    pub lines: u64,
    /// SHA-256 of the table as CSV.
    pub table: String,
    /// Before cap and tax.
    pub net_cents: i64,
    /// What the cap takes off.
    pub cap_cents: i64,
    /// On what is left.
    pub tax_cents: i64,
    /// To pay.
    pub total_cents: i64,
    /// The sum before the cap of the months of this year, this one included.
    pub year_net_cents: i64,
    /// The same after the cap.
    pub year_billed_cents: i64,
}

/// A version of an agreement as a statement counted it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counted {
    /// Id of the agreement.
    pub agreement: String,
    /// Which version.
    pub version: u32,
    /// SHA-256 of what both signed.
    pub text_hash: String,
    /// Its first day.
    pub from: String,
    /// Its last day as known then; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

impl Statement {
    /// The bytes both sign, in the one form they have.
    pub fn canonical(&self) -> Vec<u8> {
        // Texts, numbers and lists can always be written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The hash that stands for it.
    pub fn hash(&self) -> String {
        Hash::of(&self.canonical()).to_string()
    }
}

/// A version that both signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Which.
    pub under: Under,
    /// SHA-256 of what both signed.
    pub text_hash: String,
    /// The text.
    pub terms: Terms,
    /// Its last day; [`Date::MAX`] if there is none.
    pub last_day: Date,
}

impl Version {
    fn counted(&self) -> Counted {
        Counted {
            agreement: self.under.agreement.clone(),
            version: self.under.version,
            text_hash: self.text_hash.clone(),
            from: self.terms.valid_from.clone(),
            until: (self.last_day != Date::MAX).then(|| self.last_day.to_string()),
        }
    }

    fn covers(&self, day: Date) -> bool {
        self.terms.from() <= day && day <= self.last_day
    }

    fn prices(&self) -> Option<&Prices> {
        self.terms.prices.as_ref()
    }
}

/// What a month is settled from.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// Which month.
    pub month: Month,
    /// Who answered.
    pub provider: &'a str,
    /// For whom.
    pub recipient: &'a str,
    /// Which try.
    pub revision: u32,
    /// The provider's records, in any order.
    pub records: &'a [Placed<'a>],
    /// Up to where they count.
    pub cut: &'a Cut,
    /// The versions both signed, in any order.
    pub versions: &'a [Version],
    /// The statements closed before, in order of month.
    pub closed: &'a [Statement],
}

/// Why a line stands in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// A contact of the month.
    Contact,
    /// A contact of a month that was closed without it.
    Late,
    /// A contact that was reversed before it was ever billed.
    Reversed,
    /// A contact of a closed month that was reversed since.
    Correction,
    /// A contact under no agreement that counted on its day.
    Uncovered,
}

impl LineKind {
    /// A stable word for it, as in the table.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Late => "late",
            Self::Reversed => "reversed",
            Self::Correction => "correction",
            Self::Uncovered => "uncovered",
        }
    }

    /// What it counts.
    const fn sign(self) -> i64 {
        match self {
            Self::Contact | Self::Late => 1,
            Self::Correction => -1,
            Self::Reversed | Self::Uncovered => 0,
        }
    }
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Why it stands there.
    pub kind: LineKind,
    /// About which contact.
    pub contact: &'a Contact,
    /// Seconds that are billed; negative in a correction.
    pub billed_seconds: i64,
    /// What it costs.
    pub cents: i64,
}

/// The days of the month on which a version counted, and what they cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flat {
    /// Which version.
    pub under: Under,
    /// On how many days of the month.
    pub days: i64,
    /// What that costs.
    pub cents: i64,
}

/// Tax at one rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tax {
    /// In thousandths.
    pub permille: u16,
    /// On how much.
    pub net_cents: i64,
    /// How much it is.
    pub cents: i64,
}

/// A month, settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled<'a> {
    /// What is signed.
    pub statement: Statement,
    /// Contacts, in order of time and id.
    pub lines: Vec<Line<'a>>,
    /// What is paid by the month.
    pub flats: Vec<Flat>,
    /// By rate.
    pub taxes: Vec<Tax>,
}

/// Settles a month. The same question has the same answer wherever it is asked.
pub fn settle<'a>(question: &Question<'a>) -> Settled<'a> {
    let versions: BTreeMap<&Under, &Version> =
        question.versions.iter().map(|version| (&version.under, version)).collect();
    let mut lines = lines(question, &versions);
    price::lines(&mut lines, &versions);
    let flats = price::flats(question.month, question.versions);
    let sums = price::sums(question, &lines, &flats, &versions);
    let mut used: BTreeSet<&Under> = lines.iter().filter_map(|line| line.contact.under.as_ref()).collect();
    // Also those without a price by the month: they stand for the days on which an earlier one no longer counts.
    used.extend(flats.iter().map(|flat| &flat.under));
    let mut statement = Statement {
        format: FORMAT,
        provider: question.provider.to_owned(),
        recipient: question.recipient.to_owned(),
        month: question.month,
        revision: question.revision,
        previous: question.closed.last().map(Statement::hash),
        cut: question.cut.clone(),
        versions: used.into_iter().filter_map(|under| versions.get(under)).map(|version| version.counted()).collect(),
        lines: 0,
        table: String::new(),
        net_cents: sums.net,
        cap_cents: sums.cap,
        tax_cents: sums.taxes.iter().map(|tax| tax.cents).sum(),
        total_cents: 0,
        year_net_cents: sums.year_net,
        year_billed_cents: sums.year_billed,
    };
    statement.total_cents = statement.net_cents - statement.cap_cents + statement.tax_cents;
    let mut settled = Settled { statement, lines, flats, taxes: sums.taxes };
    let table = csv(&settled);
    settled.statement.lines = table.lines().count() as u64;
    settled.statement.table = Hash::of(table.as_bytes()).to_string();
    settled
}

/// In which statement something is settled: one that is closed, by its place, or the one asked for.
fn stage(question: &Question<'_>, chain: &str, number: u32, month: Option<Month>) -> Option<usize> {
    let within = |until: Month| month.is_none_or(|month| month <= until);
    let closed =
        question.closed.iter().position(|statement| within(statement.month) && statement.cut.covers(chain, number));
    let now = within(question.month) && question.cut.covers(chain, number);
    closed.or_else(|| now.then_some(question.closed.len()))
}

fn lines<'a>(question: &Question<'a>, versions: &BTreeMap<&Under, &Version>) -> Vec<Line<'a>> {
    let now = question.closed.len();
    let mut placed: Vec<&Placed<'a>> = question.records.iter().collect();
    placed.sort_by_key(|placed| (placed.chain, placed.number, placed.record.id()));
    // The same contact may have come twice; what was settled first is settled.
    let mut contacts: BTreeMap<&str, (usize, &Contact)> = BTreeMap::new();
    for placed in &placed {
        let Record::Contact(contact) = placed.record else { continue };
        let month = placed.record.month();
        let Some(stage) = month.and_then(|_| stage(question, placed.chain, placed.number, month)) else { continue };
        let known = contacts.entry(&contact.id).or_insert((stage, contact));
        if stage < known.0 {
            *known = (stage, contact);
        }
    }
    let mut reversed: BTreeMap<&str, usize> = BTreeMap::new();
    for placed in &placed {
        let Record::Reversal(reversal) = placed.record else { continue };
        let Some((settled, _)) = contacts.get(reversal.contact.as_str()) else { continue };
        let Some(stage) = stage(question, placed.chain, placed.number, None) else { continue };
        let stage = stage.max(*settled);
        let known = reversed.entry(&reversal.contact).or_insert(stage);
        *known = stage.min(*known);
    }
    let mut lines = Vec::new();
    for (id, (settled, contact)) in contacts {
        let version = contact.under.as_ref().and_then(|under| versions.get(under));
        let covered = version.is_some_and(|version| version.covers(contact.time().date()));
        let kind = match (settled == now, reversed.get(id)) {
            (true, Some(stage)) if *stage == now => LineKind::Reversed,
            (true, _) if !covered => LineKind::Uncovered,
            (true, _) if Month::of(contact.time().date()) < question.month => LineKind::Late,
            (true, _) => LineKind::Contact,
            (false, Some(stage)) if *stage == now && covered => LineKind::Correction,
            (false, _) => continue,
        };
        lines.push(Line { kind, contact, billed_seconds: 0, cents: 0 });
    }
    lines.sort_by(|one, other| (&one.contact.at, &one.contact.id).cmp(&(&other.contact.at, &other.contact.id)));
    lines
}

#[cfg(test)]
mod tests;
