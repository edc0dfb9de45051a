//! Months with partners: figures, and what they cost.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::OrganisationInfo;

/// How a month with a partner stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MonthInfo {
    /// `2026-11`.
    pub month: String,
    /// The other side.
    pub partner: OrganisationInfo,
    /// Whether we answer for the partner; else it answers for us.
    pub we_answer: bool,
    /// `open`, `proposed`, `objected` or `closed`.
    pub state: String,
    /// Which offer this is, counted from 1; 0 while nothing is offered.
    pub revision: u32,
    /// SHA-256 of the statement that both sign.
    pub text_hash: Option<String>,
    /// When the provider offered and signed it.
    pub proposed_at: Option<String>,
    /// When the recipient signed it.
    pub signed_at: Option<String>,
    /// What it costs; of an open month so far.
    pub sums: Option<MonthSums>,
    /// What the recipient objects to.
    pub objections: Vec<MonthObjection>,
}

/// The sums of a month, in cents.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MonthSums {
    /// Lines of the table.
    pub lines: u64,
    /// Before cap and tax.
    pub net_cents: i64,
    /// What the cap of the year takes off.
    pub cap_cents: i64,
    /// Tax.
    pub tax_cents: i64,
    /// To pay.
    pub total_cents: i64,
    /// The year so far, before the cap.
    pub year_net_cents: i64,
    /// The year so far, after the cap.
    pub year_billed_cents: i64,
    /// SHA-256 of the table as CSV.
    pub table_sha256: String,
}

/// An objection to a line.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MonthObjection {
    /// The contact.
    pub contact: String,
    /// Why.
    pub reason: String,
    /// `open`, `accepted` (the contact is reversed in what is offered) or `kept`.
    pub state: String,
    /// Why the provider keeps the line.
    pub reply: Option<String>,
}

/// Which month with whom.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct MonthAnswer {
    /// Ids of contacts or their beginnings.
    pub contacts: Vec<String>,
    /// What the other side should read; nothing about a person.
    pub reason: Option<String>,
}

/// A number, or `< 5` where it is too small to be told; none is 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Figure {
    /// As it is.
    Number(u64),
    /// `< 5`.
    Small(String),
}

impl Default for Figure {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Small(text) => f.write_str(text),
        }
    }
}

/// A share against what was agreed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Measured {
    /// In percent; absent if nobody measured it, or it is a share of fewer than 5.
    pub percent: Option<u64>,
    /// What was agreed, in percent.
    pub target: Option<u64>,
    /// `met`, `missed`, `no_target`, `too_few`, `not_measured`.
    pub state: String,
}

/// How often something was.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Counted {
    /// What: a word, a topic, an ARS.
    pub key: String,
    /// What people call it.
    pub name: String,
    /// How often.
    pub count: Figure,
}

/// Figures of a month with one partner in one direction.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportRow {
    /// The other side; our own organisation for contacts of our own town.
    pub partner: OrganisationInfo,
    /// Whether we answered.
    pub we_answer: bool,
    /// Contacts that count.
    pub contacts: Figure,
    /// Contacts that were reversed.
    pub reversed: Figure,
    /// How long a contact took on average, in seconds; absent if there are fewer than 5.
    pub average_seconds: Option<u64>,
    /// By how they ended.
    pub outcomes: Vec<Counted>,
    /// By how they came.
    pub channels: Vec<Counted>,
    /// By topic, the most frequent first, at most 50.
    pub topics: Vec<Counted>,
    /// By place.
    pub places: Vec<Counted>,
    /// Answered at once, of all questions.
    pub first_contact: Measured,
    /// Taken within the seconds agreed (30 if nothing was), of all calls offered.
    pub accepted: Measured,
    /// Calls offered; absent if nobody measured.
    pub calls: Option<Figure>,
    /// Calls lost; absent if nobody measured.
    pub lost: Option<Figure>,
    /// Follow-ups done within the service hours agreed (24 if nothing was), of those done or overdue.
    pub followed_up: Measured,
    /// Follow-ups made.
    pub follow_ups: Figure,
    /// How the month stands: `open`, `proposed`, `objected`, `closed`; absent for our own town.
    pub settlement: Option<String>,
    /// What it costs, as offered or closed.
    pub total_cents: Option<i64>,
}

/// Figures of a month.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// `2026-11`.
    pub month: String,
    /// Whose report it is.
    pub organisation: OrganisationInfo,
    /// Our own town first, then whom we answer for, then who answers for us.
    pub rows: Vec<ReportRow>,
}

/// What is missing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Gaps {
    /// Words that agents here sought at least 5 times without a hit, of this month and the last.
    pub words: Vec<Counted>,
    /// Agreements whose recipient has not described everything.
    pub required: Vec<MissingRequired>,
    /// Services without fee, office or review.
    pub incomplete: Vec<Incomplete>,
    /// Entries whose review is past, or that nobody has looked at for a year.
    pub overdue: Vec<Overdue>,
    /// Services of one owner with the same LeiKa key at the same place.
    pub duplicates: Vec<Duplicate>,
    /// Whether a list was cut at a thousand.
    pub cut: bool,
}

/// An agreement whose recipient has not described everything.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MissingRequired {
    /// Id of the agreement.
    pub agreement: String,
    /// What it is called.
    pub title: String,
    /// The other side.
    pub partner: OrganisationInfo,
    /// How much is there, and what is not.
    pub required: super::RequiredTopics,
}

/// An entry, to name it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EntryName {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Name of its owner.
    pub owner: String,
}

/// A service that lacks something.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Incomplete {
    /// Which.
    pub entry: EntryName,
    /// `fee`, `office`, `review`.
    pub missing: Vec<String>,
}

/// An entry that should be looked at.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Overdue {
    /// Which.
    pub entry: EntryName,
    /// When it should have been reviewed; absent if no date was set.
    pub next_review: Option<String>,
    /// `overdue` or `stale`.
    pub state: String,
}

/// Services about the same matter at the same place.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Duplicate {
    /// LeiKa key.
    pub leika: String,
    /// An ARS; empty if the services name no place.
    pub place: String,
    /// Which.
    pub entries: Vec<EntryName>,
}
