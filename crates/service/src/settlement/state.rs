//! How far the months of two organisations are: a fold over what both recorded.

use std::collections::BTreeMap;

use super::Statement;
use crate::journal::{Closing, Month, Objection, Offer, Record, Reply};

/// How far a month is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MonthState {
    /// Nothing is offered.
    Open,
    /// The provider offered it and signed.
    Proposed,
    /// The recipient objects to lines of what is offered.
    Objected,
    /// Both signed the same.
    Closed,
}

impl MonthState {
    /// A stable word for it, as in the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Proposed => "proposed",
            Self::Objected => "objected",
            Self::Closed => "closed",
        }
    }
}

/// A month as far as anything is known of it.
#[derive(Clone, Debug)]
pub struct Offered<'a> {
    /// What the provider offered, the newest last.
    pub offers: Vec<&'a Offer>,
    /// What both signed: of several the first.
    pub closed: Option<(&'a Offer, &'a Closing)>,
    /// What the recipient objects to, in order of contact.
    pub objections: Vec<Objected<'a>>,
}

/// An objection, and what became of it.
#[derive(Clone, Debug)]
pub struct Objected<'a> {
    /// Itself.
    pub objection: &'a Objection,
    /// Why the provider keeps the line.
    pub reply: Option<&'a Reply>,
}

/// Folds what both sides recorded about months; `valid` says whether a signature over a statement counts, of the provider
/// or (`false`) of the recipient.
pub fn fold<'a>(
    provider: &'a [Record],
    recipient: &'a [Record],
    valid: &dyn Fn(&Statement, &str, &str, bool) -> bool,
) -> BTreeMap<Month, Offered<'a>> {
    let mut months: BTreeMap<Month, Offered<'a>> = BTreeMap::new();
    let empty = || Offered { offers: Vec::new(), closed: None, objections: Vec::new() };
    for record in provider {
        if let Record::Offer(offer) = record
            && valid(&offer.statement, &offer.node, &offer.signature, true)
        {
            months.entry(offer.statement.month).or_insert_with(empty).offers.push(offer);
        }
    }
    for offered in months.values_mut() {
        offered.offers.sort_by_key(|offer| (offer.statement.revision, offer.statement.hash()));
    }
    for record in recipient {
        match record {
            Record::Closing(closing) => {
                let Some(offered) = months.get_mut(&closing.month) else { continue };
                let same = |offer: &&&Offer| {
                    offer.statement.hash() == closing.text_hash
                        && valid(&offer.statement, &closing.node, &closing.signature, false)
                };
                if let Some(offer) = offered.offers.iter().find(same) {
                    let earlier = |known: &Offer| known.statement.revision <= offer.statement.revision;
                    if offered.closed.as_ref().is_none_or(|(known, _)| !earlier(known)) {
                        offered.closed = Some((offer, closing));
                    }
                }
            }
            Record::Objection(objection) => {
                let offered = months.entry(objection.month).or_insert_with(empty);
                if offered.objections.iter().all(|known| known.objection.contact != objection.contact) {
                    offered.objections.push(Objected { objection, reply: None });
                }
            }
            _ => {}
        }
    }
    for record in provider {
        if let Record::Reply(reply) = record
            && let Some(offered) = months.get_mut(&reply.month)
            && let Some(objected) = offered.objections.iter_mut().find(|known| known.objection.id == reply.objection)
        {
            objected.reply.get_or_insert(reply);
        }
    }
    for offered in months.values_mut() {
        offered.objections.sort_by(|one, other| one.objection.contact.cmp(&other.objection.contact));
    }
    months
}

impl Offered<'_> {
    /// How far it is; `reversed` says whether what is offered last leaves a contact out, because the provider took it back.
    pub fn state(&self, reversed: &dyn Fn(&str) -> bool) -> MonthState {
        let waits = |objected: &Objected<'_>| objected.reply.is_none() && !reversed(&objected.objection.contact);
        match self {
            Self { closed: Some(_), .. } => MonthState::Closed,
            Self { offers, .. } if offers.is_empty() => MonthState::Open,
            Self { objections, .. } if objections.iter().any(waits) => MonthState::Objected,
            _ => MonthState::Proposed,
        }
    }

    /// What was offered last.
    pub fn newest(&self) -> Option<&Statement> {
        self.offers.last().map(|offer| &offer.statement)
    }
}
