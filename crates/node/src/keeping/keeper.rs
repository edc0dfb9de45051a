//! The keeper's side: answers partners whose copies may lie here. What they may ask is limited, and what they may fill.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use ortsnetz_model::{NodeId, OrgId};
use ortsnetz_net::Answerer;
use ortsnetz_trust::sealed::{KeepAnswer, KeepAsk, KeepRefusal};

use super::limits::{ASKS_PER_MINUTE_MAX, FILLINGS_PER_DAY_MAX, OFFERS_PER_HOUR_MAX};
use super::shelf::{Shelf, Terms};
use super::{kept_of, shelf_of};
use crate::clock;
use crate::shared::{Shared, lock};

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// What partners asked lately.
#[derive(Default)]
pub(crate) struct Budgets(BTreeMap<OrgId, Budget>);

#[derive(Default)]
struct Budget {
    asks: Span,
    offers: Span,
    bytes: Span,
    /// The number of the copy offered last; once more is nothing new.
    offered: u64,
}

/// What was used since a moment.
#[derive(Default)]
struct Span {
    since: u64,
    used: u64,
}

impl Span {
    /// Takes something, if that is within the limit for this time.
    fn take(&mut self, now: u64, time: u64, some: u64, max: u64) -> bool {
        // A clock that was set back begins anew.
        if now.abs_diff(self.since) >= time {
            (self.since, self.used) = (now, 0);
        }
        let fits = self.used.saturating_add(some) <= max;
        self.used += if fits { some } else { 0 };
        fits
    }
}

impl Budgets {
    /// An error says what there was too much of.
    fn ask(&mut self, now: u64, who: &OrgId, ask: &KeepAsk, bytes_max: u64) -> Result<(), String> {
        let budget = self.0.entry(*who).or_default();
        if !budget.asks.take(now, MINUTE_MS, 1, ASKS_PER_MINUTE_MAX.into()) {
            return Err(format!("more than {ASKS_PER_MINUTE_MAX} questions in a minute"));
        }
        match ask {
            KeepAsk::Offer(signed) => {
                let number = signed.said().map_or(0, |copy| copy.number);
                if number != budget.offered && !budget.offers.take(now, HOUR_MS, 1, OFFERS_PER_HOUR_MAX.into()) {
                    return Err(format!("more than {OFFERS_PER_HOUR_MAX} copies in an hour"));
                }
                budget.offered = number;
            }
            KeepAsk::Put { piece, .. } => {
                let max = bytes_max.saturating_mul(FILLINGS_PER_DAY_MAX);
                if !budget.bytes.take(now, DAY_MS, piece.len() as u64, max) {
                    return Err(format!("more than {max} bytes in a day"));
                }
            }
            KeepAsk::State | KeepAsk::Get { .. } => {}
        }
        Ok(())
    }
}

/// Answers a question of a connected node, beside the loop.
pub(crate) fn answer(shared: &Arc<Shared>, peer: NodeId, bytes: Vec<u8>, answerer: Answerer) {
    let shared = shared.clone();
    tokio::task::spawn_blocking(move || {
        if let Some(organisation) = shared.organisation_of(&peer) {
            answerer.send(reply(&shared, &organisation, &bytes).to_bytes());
        }
    });
}

fn reply(shared: &Shared, organisation: &OrgId, bytes: &[u8]) -> KeepAnswer {
    let name = || shared.organisation_name(organisation);
    let ask = match KeepAsk::from_bytes(bytes) {
        Ok(ask) => ask,
        Err(error) => {
            return KeepAnswer::refused(KeepRefusal::Wrong, format!("the question is not understood: {error}"));
        }
    };
    let not_agreed = || {
        let here = shared.organisation_name(&shared.own.organisation);
        KeepAnswer::refused(KeepRefusal::NotAgreed, format!("nobody at {here} has agreed to keep anything of yours"))
    };
    let kept = match kept_of(&shared.store) {
        Ok(kept) => kept,
        Err(error) => return KeepAnswer::refused(KeepRefusal::Busy, error.to_string()),
    };
    let Some(row) = kept.into_iter().find(|row| row.organisation == *organisation) else { return not_agreed() };
    let Some(identity) = shared.identity_of(organisation) else { return not_agreed() };
    if let Err(reason) = lock(&shared.keeping.budgets).ask(clock::now(), organisation, &ask, row.bytes_max) {
        tracing::warn!(organisation = name(), reason, "a partner asks too much of this keeper");
        return KeepAnswer::refused(KeepRefusal::Busy, reason);
    }
    let shelf_lock = shared.keeping.shelf_lock(organisation);
    let Ok(_alone) = shelf_lock.try_lock() else {
        return KeepAnswer::refused(KeepRefusal::Busy, "the copies of yours are in use");
    };
    let room = |bytes: u64| shared.store.check_room(bytes).map_err(|error| format!("no room here: {error}"));
    let terms = Terms { bytes_max: row.bytes_max, root: identity.root(), room: &room };
    let shelf = shelf_of(&shared.data_dir, organisation);
    let done = match &ask {
        KeepAsk::State => shelf.state(&terms),
        KeepAsk::Offer(signed) => shelf.offer(signed, &terms),
        KeepAsk::Put { number, index, piece, path } => shelf.put(*number, *index, piece, path, &terms),
        KeepAsk::Get { number, index } => get(shared, organisation, &shelf, *number, *index),
    };
    match done {
        Ok(answer) => {
            if let KeepAnswer::Kept(number) = answer
                && matches!(ask, KeepAsk::Put { .. })
            {
                tracing::info!(organisation = name(), number, "a sealed copy of a partner is here and was read back");
            }
            answer
        }
        Err(error) => {
            tracing::error!(organisation = name(), %error, "the sealed copies of a partner cannot be used");
            KeepAnswer::refused(KeepRefusal::NoRoom, format!("the disk here fails: {error}"))
        }
    }
}

fn get(shared: &Shared, organisation: &OrgId, shelf: &Shelf, number: u64, index: u64) -> io::Result<KeepAnswer> {
    let lost = || KeepAnswer::refused(KeepRefusal::Lost, "this copy is not here, or damaged");
    let known = lock(&shared.keeping.tree).clone();
    let known = known.filter(|(who, copy, _)| who == organisation && copy.number == number);
    let (copy, tree) = match known {
        Some((_, copy, tree)) => (copy, tree),
        None => match shelf.tree(number)? {
            Some((copy, tree)) => {
                let tree = Arc::new(tree);
                *lock(&shared.keeping.tree) = Some((*organisation, copy.clone(), tree.clone()));
                (copy, tree)
            }
            None => {
                // It counts no more, so that it is sent again.
                shelf.remove(number)?;
                return Ok(lost());
            }
        },
    };
    let answer = match shelf.get(&copy, &tree, index) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => lost(),
        answer => answer?,
    };
    if matches!(answer, KeepAnswer::Refused { why: KeepRefusal::Lost, .. }) {
        tracing::error!(%organisation, number, "a sealed copy of a partner is damaged on this disk; it is sent again");
        *lock(&shared.keeping.tree) = None;
        shelf.remove(number)?;
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ortsnetz_model::Hash;
    use ortsnetz_trust::RootKey;
    use ortsnetz_trust::sealed::{SealedCopy, SignedCopy};

    const WHO: OrgId = OrgId([7; 32]);

    fn offer(number: u64) -> KeepAsk {
        let copy = SealedCopy::new(WHO, number, 1, Hash([1; 32]), number, 0);
        KeepAsk::Offer(SignedCopy::sign(&copy, &RootKey::from_secret(&[1; 32])).unwrap())
    }

    fn put(bytes: usize) -> KeepAsk {
        KeepAsk::Put { number: 1, index: 0, piece: vec![0; bytes], path: Vec::new() }
    }

    #[test]
    fn questions_of_one_partner_are_limited_a_minute() {
        let mut budgets = Budgets::default();
        for _ in 0..ASKS_PER_MINUTE_MAX {
            assert_eq!(budgets.ask(5, &WHO, &KeepAsk::State, 1), Ok(()));
        }
        assert!(budgets.ask(5, &WHO, &KeepAsk::State, 1).unwrap_err().contains("questions in a minute"));
        assert_eq!(budgets.ask(5, &OrgId([8; 32]), &KeepAsk::State, 1), Ok(()), "others are not held up");
        assert_eq!(budgets.ask(5 + MINUTE_MS, &WHO, &KeepAsk::State, 1), Ok(()));
    }

    #[test]
    fn new_copies_are_limited_an_hour_and_one_that_goes_on_is_not_new() {
        let mut budgets = Budgets::default();
        let last = u64::from(OFFERS_PER_HOUR_MAX);
        for number in 1..=last {
            assert_eq!(budgets.ask(5, &WHO, &offer(number), 1), Ok(()));
            assert_eq!(budgets.ask(5, &WHO, &offer(number), 1), Ok(()));
        }
        assert!(budgets.ask(5, &WHO, &offer(last + 1), 1).unwrap_err().contains("copies in an hour"));
        assert_eq!(budgets.ask(5, &WHO, &offer(last), 1), Ok(()));
        assert_eq!(budgets.ask(5 + HOUR_MS, &WHO, &offer(last + 1), 1), Ok(()));
    }

    #[test]
    fn what_is_written_in_a_day_is_limited_by_what_is_agreed() {
        let mut budgets = Budgets::default();
        for _ in 0..FILLINGS_PER_DAY_MAX {
            assert_eq!(budgets.ask(5, &WHO, &put(1000), 1000), Ok(()));
        }
        assert!(budgets.ask(5, &WHO, &put(1), 1000).unwrap_err().contains("bytes in a day"));
        assert_eq!(budgets.ask(5, &WHO, &KeepAsk::Get { number: 1, index: 0 }, 1000), Ok(()), "reading goes on");
        assert_eq!(budgets.ask(5 + DAY_MS, &WHO, &put(1000), 1000), Ok(()));
    }
}
