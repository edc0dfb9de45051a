//! How far an agent can rely on what an entry says.

use jiff::Span;
use jiff::civil::Date;

/// Reviewed so many days ago, an entry without a date for its next review is ageing.
pub const AGEING_REVIEW_DAYS: u64 = 270;
/// Reviewed so many days ago, an entry without a date for its next review is stale.
pub const STALE_REVIEW_DAYS: u64 = 365;
/// So many days before its next review an entry is ageing.
pub const REVIEW_SOON_DAYS: u64 = 30;
/// The newest checkpoint of a partner's collection is at most so old, in milliseconds: they are written daily, and may be a
/// day on their way.
pub const CHECKPOINT_STALE_MS: u64 = 48 * 3_600_000;
/// From this age on, in milliseconds, the next checkpoint is late.
const CHECKPOINT_LATE_MS: u64 = 26 * 3_600_000;
const DAY_MS: u64 = 24 * 3_600_000;

/// How fresh an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freshness {
    /// Nothing speaks against it.
    Fresh,
    /// Still good, but somebody should look at it soon.
    Ageing,
    /// What it says may have changed: say so, or ask.
    Stale,
}

impl Freshness {
    /// A stable word for it, as in the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Ageing => "ageing",
            Self::Stale => "stale",
        }
    }
}

/// Why an entry is not fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Its next review is near.
    ReviewSoon,
    /// Its next review is past.
    ReviewOverdue,
    /// Nobody looked at it for long.
    NotReviewed,
    /// No word from its owner for longer than usual: it may have published something that has not arrived.
    OwnerLate,
    /// No word from its owner for two days.
    OwnerSilent,
}

impl Reason {
    /// A stable word for it, as in the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ReviewSoon => "review_soon",
            Self::ReviewOverdue => "review_overdue",
            Self::NotReviewed => "not_reviewed",
            Self::OwnerLate => "owner_late",
            Self::OwnerSilent => "owner_silent",
        }
    }
}

/// What is known of an entry's age; times in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// When its owner published it, or last said that it is still correct.
    pub reviewed_at: u64,
    /// The end of the day of its next review.
    pub next_review: Option<u64>,
    /// When its owner wrote the newest checkpoint that is here; `None` for own entries, which need none.
    pub checkpoint_at: Option<u64>,
}

/// When an entry is to be reviewed next: the day it names, or, once it was published or found still correct at or after the
/// time that day came into sight ([`REVIEW_SOON_DAYS`] ahead), as long after that as it was planned before: from
/// `review.reviewed_at` to `review.next_review`, [`STALE_REVIEW_DAYS`] if it does not say.
pub fn next_review(planned: Date, reviewed: Option<Date>, published: Date) -> Date {
    let days = |days: i64| Span::new().days(days);
    let soon = planned.checked_sub(days(REVIEW_SOON_DAYS as i64)).unwrap_or(planned);
    if published < soon {
        return planned;
    }
    let interval =
        reviewed.and_then(|reviewed| Some(reviewed.until(planned).ok()?.get_days())).filter(|days| *days > 0);
    let interval = interval.map_or(STALE_REVIEW_DAYS as i64, i64::from);
    published.checked_add(days(interval)).unwrap_or(Date::MAX).max(planned)
}

/// How fresh an entry with these facts is at `now`, and why, the weightiest reason first.
pub fn judge(facts: &Facts, now: u64) -> (Freshness, Vec<Reason>) {
    let mut reasons = Vec::new();
    if let Some(checkpoint_at) = facts.checkpoint_at {
        match now.saturating_sub(checkpoint_at) {
            age if age > CHECKPOINT_STALE_MS => reasons.push((Freshness::Stale, Reason::OwnerSilent)),
            age if age > CHECKPOINT_LATE_MS => reasons.push((Freshness::Ageing, Reason::OwnerLate)),
            _ => {}
        }
    }
    match facts.next_review {
        Some(due) if now > due => reasons.push((Freshness::Stale, Reason::ReviewOverdue)),
        Some(due) if now.saturating_add(REVIEW_SOON_DAYS * DAY_MS) > due => {
            reasons.push((Freshness::Ageing, Reason::ReviewSoon));
        }
        Some(_) => {}
        None => match now.saturating_sub(facts.reviewed_at) / DAY_MS {
            days if days >= STALE_REVIEW_DAYS => reasons.push((Freshness::Stale, Reason::NotReviewed)),
            days if days >= AGEING_REVIEW_DAYS => reasons.push((Freshness::Ageing, Reason::NotReviewed)),
            _ => {}
        },
    }
    reasons.sort_by_key(|(freshness, _)| std::cmp::Reverse(*freshness));
    let worst = reasons.first().map_or(Freshness::Fresh, |(freshness, _)| *freshness);
    (worst, reasons.into_iter().map(|(_, reason)| reason).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn check(facts: Facts, freshness: Freshness, reasons: &[Reason]) {
        assert_eq!(judge(&facts, NOW), (freshness, reasons.to_vec()), "{facts:?}");
    }

    fn reviewed(days: u64) -> Facts {
        Facts { reviewed_at: NOW - days * DAY_MS, ..Facts::default() }
    }

    #[test]
    fn what_nobody_looks_at_ages() {
        check(reviewed(AGEING_REVIEW_DAYS - 1), Freshness::Fresh, &[]);
        check(reviewed(AGEING_REVIEW_DAYS), Freshness::Ageing, &[Reason::NotReviewed]);
        check(reviewed(STALE_REVIEW_DAYS - 1), Freshness::Ageing, &[Reason::NotReviewed]);
        check(reviewed(STALE_REVIEW_DAYS), Freshness::Stale, &[Reason::NotReviewed]);
        let due = |at| Facts { next_review: Some(at), ..reviewed(STALE_REVIEW_DAYS) };
        check(due(NOW + REVIEW_SOON_DAYS * DAY_MS), Freshness::Fresh, &[]);
        check(due(NOW + REVIEW_SOON_DAYS * DAY_MS - 1), Freshness::Ageing, &[Reason::ReviewSoon]);
        check(due(NOW), Freshness::Ageing, &[Reason::ReviewSoon]);
        check(due(NOW - 1), Freshness::Stale, &[Reason::ReviewOverdue]);
    }

    #[test]
    fn a_silent_owner_is_worse_than_an_old_text() {
        let heard = |age, days| Facts { checkpoint_at: Some(NOW - age), ..reviewed(days) };
        check(heard(CHECKPOINT_LATE_MS, 1), Freshness::Fresh, &[]);
        check(heard(CHECKPOINT_LATE_MS + 1, 1), Freshness::Ageing, &[Reason::OwnerLate]);
        check(heard(CHECKPOINT_STALE_MS, 1), Freshness::Ageing, &[Reason::OwnerLate]);
        check(
            heard(CHECKPOINT_STALE_MS + 1, AGEING_REVIEW_DAYS),
            Freshness::Stale,
            &[Reason::OwnerSilent, Reason::NotReviewed],
        );
        check(
            heard(CHECKPOINT_LATE_MS + 1, STALE_REVIEW_DAYS),
            Freshness::Stale,
            &[Reason::NotReviewed, Reason::OwnerLate],
        );
    }

    #[test]
    fn finding_an_entry_still_correct_puts_its_review_off() {
        let date = |text: &str| text.parse::<Date>().expect("a date");
        let next = |planned, reviewed: Option<&str>, published| {
            next_review(date(planned), reviewed.map(date), date(published)).to_string()
        };
        // Published long before: the date stands.
        assert_eq!(next("2026-12-31", Some("2026-06-30"), "2026-06-30"), "2026-12-31");
        assert_eq!(next("2026-12-31", Some("2026-06-30"), "2026-11-30"), "2026-12-31");
        // From 30 days ahead on it counts, and the next one is as far away as this one was.
        assert_eq!(next("2026-12-31", Some("2026-12-01"), "2026-12-01"), "2026-12-31");
        assert_eq!(next("2026-12-31", Some("2026-06-30"), "2026-12-01"), "2027-06-03");
        assert_eq!(next("2026-12-31", Some("2026-06-30"), "2027-02-01"), "2027-08-04");
        assert_eq!(next("2026-12-31", None, "2027-02-01"), "2028-02-01");
        // A date that lies before the review it follows says nothing about how often.
        assert_eq!(next("2026-12-31", Some("2027-01-05"), "2027-02-01"), "2028-02-01");
        assert_eq!(next("2026-12-31", None, "9999-12-31"), "9999-12-31");
    }

    proptest::proptest! {
        #[test]
        fn a_review_is_never_put_forward(planned in 0_i64..20_000, reviewed in 0_i64..20_000, published in 0_i64..20_000) {
            let day = |days: i64| Date::constant(1980, 1, 1).checked_add(Span::new().days(days)).expect("in range");
            let next = next_review(day(planned), Some(day(reviewed)), day(published));
            proptest::prop_assert!(next >= day(planned));
            proptest::prop_assert!(next == day(planned) || next >= day(published));
        }
    }

    #[test]
    fn a_clock_that_went_back_makes_nothing_stale() {
        let ahead = Facts { reviewed_at: NOW + DAY_MS, checkpoint_at: Some(NOW + DAY_MS), next_review: None };
        check(ahead, Freshness::Fresh, &[]);
    }
}
