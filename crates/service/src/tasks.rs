//! What a person should do, in one list: folded from the state of everything, never stored.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::freshness::{REVIEW_SOON_DAYS, STALE_REVIEW_DAYS, next_review};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskKind {
    /// A report says that an entry of ours is wrong.
    Feedback,
    /// A partner suggests a change.
    Proposal,
    /// Two values were written at once.
    Conflict,
    /// The publisher refused what was asked of it.
    PublishRefused,
    /// Somebody should look whether an entry is still correct.
    Review,
    /// An entry that was adopted says something else at its source now.
    SourceChanged,
    /// A partner offers an agreement.
    AgreementOffered,
    /// An agreement ends soon.
    AgreementEnds,
    /// Anything about the node itself; the word says what.
    Other(&'static str),
}

/// Who looks after a task: a role, whose mailbox is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Texts.
    Editors,
    /// Agreements.
    Agreements,
    /// The node.
    Administration,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Editors, Self::Agreements, Self::Administration];

    /// A stable word for it, as in the API and the configuration.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Editors => "editors",
            Self::Agreements => "agreements",
            Self::Administration => "administration",
        }
    }

    /// What this word means.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

impl TaskKind {
    /// A stable word for it, as in the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Feedback => "feedback",
            Self::Proposal => "proposal",
            Self::Conflict => "conflict",
            Self::PublishRefused => "publish_refused",
            Self::Review => "review",
            Self::SourceChanged => "source_changed",
            Self::AgreementOffered => "agreement_offered",
            Self::AgreementEnds => "agreement_ends",
            Self::Other(word) => word,
        }
    }

    /// Who looks after it.
    pub const fn role(self) -> Role {
        match self {
            Self::AgreementOffered | Self::AgreementEnds => Role::Agreements,
            Self::Other(_) => Role::Administration,
            _ => Role::Editors,
        }
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// What.
    pub kind: TaskKind,
    /// The entry it is about, where there is one.
    pub entry: Option<String>,
    /// What the entry, agreement or partner is called.
    pub title: String,
    /// The partner that waits for it.
    pub partner: Option<String>,
    /// Since when, milliseconds since 1970.
    pub since: Option<u64>,
    /// The day it should be done by.
    pub due: Option<Date>,
    /// That day is past.
    pub overdue: bool,
    /// The report, proposal or agreement itself.
    pub subject: Option<String>,
    /// One sentence with what to do.
    pub message: String,
}

/// The most urgent first: overdue, then what a partner waits for, then by kind; of a kind what is due first, then the oldest.
pub fn sort(tasks: &mut [Task]) {
    tasks.sort_by(|a, b| {
        let key = |task: &Task| {
            let since = task.since.unwrap_or(u64::MAX);
            (!task.overdue, task.kind, task.due.unwrap_or(Date::MAX), since)
        };
        key(a).cmp(&key(b)).then_with(|| (&a.entry, &a.subject).cmp(&(&b.entry, &b.subject)))
    });
}

/// How many there are of each kind.
pub fn counts(tasks: &[Task]) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for task in tasks {
        *counts.entry(task.kind.word()).or_default() += 1;
    }
    counts
}

/// The day an entry should be reviewed by, if that is near or past: the day it names, put off by what was found still correct
/// meanwhile; without one [`STALE_REVIEW_DAYS`] after it was published or found still correct.
pub fn review(planned: Option<Date>, reviewed: Option<Date>, published: Date, today: Date) -> Option<Date> {
    let days = |days: u64| jiff::Span::new().days(i64::try_from(days).unwrap_or(i64::MAX));
    let due = match planned {
        Some(planned) => next_review(planned, reviewed, published),
        None => published.checked_add(days(STALE_REVIEW_DAYS)).unwrap_or(Date::MAX),
    };
    let soon = due.checked_sub(days(REVIEW_SOON_DAYS)).unwrap_or(due);
    (soon <= today).then_some(due)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(kind: TaskKind, due: Option<&str>, overdue: bool, since: u64) -> Task {
        Task {
            kind,
            entry: None,
            title: String::new(),
            partner: None,
            since: Some(since),
            due: due.map(|due| due.parse().expect("a date")),
            overdue,
            subject: None,
            message: String::new(),
        }
    }

    #[test]
    fn the_most_urgent_comes_first() {
        let mut tasks = vec![
            task(TaskKind::Other("succession"), None, false, 1),
            task(TaskKind::Review, Some("2026-12-20"), false, 1),
            task(TaskKind::Review, Some("2026-12-10"), false, 2),
            task(TaskKind::Feedback, None, false, 9),
            task(TaskKind::Feedback, None, false, 3),
            task(TaskKind::Review, Some("2026-11-01"), true, 4),
        ];
        sort(&mut tasks);
        let order: Vec<(&str, Option<u64>)> = tasks.iter().map(|task| (task.kind.word(), task.since)).collect();
        let expected = [
            ("review", Some(4)),
            ("feedback", Some(3)),
            ("feedback", Some(9)),
            ("review", Some(2)),
            ("review", Some(1)),
            ("succession", Some(1)),
        ];
        assert_eq!(order, expected);
        assert_eq!(counts(&tasks), BTreeMap::from([("feedback", 2), ("review", 3), ("succession", 1)]));
    }

    #[test]
    fn a_review_is_due_a_month_ahead() {
        let date = |text: &str| text.parse::<Date>().expect("a date");
        let due = |planned: Option<&str>, published, today| {
            review(planned.map(date), None, date(published), date(today)).map(|due| due.to_string())
        };
        assert_eq!(due(Some("2026-12-31"), "2026-01-01", "2026-11-30"), None);
        assert_eq!(due(Some("2026-12-31"), "2026-01-01", "2026-12-01").as_deref(), Some("2026-12-31"));
        assert_eq!(due(Some("2026-12-31"), "2026-01-01", "2027-06-01").as_deref(), Some("2026-12-31"));
        assert_eq!(due(Some("2026-12-31"), "2026-12-30", "2027-06-01"), None, "it was found still correct");
        assert_eq!(due(None, "2025-12-31", "2026-11-30"), None);
        assert_eq!(due(None, "2025-12-31", "2026-12-01").as_deref(), Some("2026-12-31"));
    }

    #[test]
    fn every_task_has_a_role() {
        for role in Role::ALL {
            assert_eq!(Role::of(role.word()), Some(role));
        }
        assert_eq!(Role::of("mayor"), None);
        assert_eq!(TaskKind::AgreementEnds.role(), Role::Agreements);
        assert_eq!(TaskKind::Other("x").role(), Role::Administration);
        assert_eq!(TaskKind::Review.role(), Role::Editors);
    }
}
