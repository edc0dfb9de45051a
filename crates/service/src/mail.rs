//! Mails to the mailboxes of roles: what they say, in German, and when they go out. Never a word about a citizen.

use std::fmt::Write as _;

use jiff::civil::{Date, DateTime};
use ortsnetz_model::dates;

use crate::agreement::ServiceHours;
use crate::feedback::Problem;
use crate::hours::code_of;
use crate::personal::personal;
use crate::tasks::{Task, TaskKind};

/// Hours within which a report is to be answered where no agreement says it.
pub const ANSWER_HOURS_DEFAULT: u16 = 24;
/// Tasks that a digest names; more are counted.
pub const DIGEST_TASKS_MAX: usize = 50;
/// So far ahead the end of service hours is looked for.
const LOOK_AHEAD_DAYS: i64 = 400;
/// After the first attempt that failed, in milliseconds; twice as long each time.
const AGAIN_MS: u64 = 60_000;
/// The longest pause between two attempts.
const AGAIN_MS_MAX: u64 = 3_600_000;

/// What stands in a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub body: String,
}

/// A report that somebody has to answer.
#[derive(Clone, Copy, Debug)]
pub struct Reported<'a> {
    /// What is wrong.
    pub problem: Problem,
    /// What the entry is called.
    pub title: &'a str,
    /// Which part of it.
    pub path: Option<&'a str>,
    /// In the agent's words.
    pub text: &'a str,
    /// Whose agent.
    pub by: &'a str,
    /// Enough of the id for every command.
    pub id: &'a str,
}

/// The mail that goes out at once.
pub fn report(report: &Reported<'_>) -> Mail {
    let mut body = format!(
        "{} meldet einen Fehler in einem Ihrer Einträge.\n\nEintrag: {}\nArt: {}\n",
        report.by,
        named(report.title),
        report.problem.german()
    );
    // Writing to a string cannot fail, here and below.
    if let Some(path) = report.path {
        let _ = writeln!(body, "Stelle: {path}");
    }
    // Who wrote it refuses such texts; if it comes nevertheless, it goes no further.
    let text = if personal(report.text).is_some() { "(wird nicht per Mail verschickt)" } else { report.text };
    let _ = write!(
        body,
        "\n{text}\n\nDie Meldung steht bei {} neben dem Eintrag, bis sie erledigt ist. Beantworten:\n  ortsnetz feedback answer {} done --text \"...\"\n",
        report.by, report.id
    );
    Mail { subject: line(&format!("Fehlermeldung: {} ({})", named(report.title), report.problem.german())), body }
}

/// The mail to another mailbox when the time to answer is over.
pub fn escalation(report: &Reported<'_>, hours: u16) -> Mail {
    let body = format!(
        "Eine Fehlermeldung von {} ist seit mehr als {hours} Servicestunden unbeantwortet.\n\nEintrag: {}\nArt: {}\n\nAnsehen:\n  ortsnetz feedback show {}\n",
        report.by,
        named(report.title),
        report.problem.german(),
        report.id
    );
    Mail { subject: line(&format!("Unbeantwortete Fehlermeldung: {}", named(report.title))), body }
}

/// The mail of a day with what is to be done; `None` if nothing is.
pub fn digest(tasks: &[&Task], day: Date) -> Option<Mail> {
    if tasks.is_empty() {
        return None;
    }
    let mut body = format!("Aufgaben am {}:\n\n", german_date(day));
    for task in tasks.iter().take(DIGEST_TASKS_MAX) {
        let due = task.due.map(|due| format!(", fällig am {}", german_date(due))).unwrap_or_default();
        let overdue = if task.overdue { " (überfällig)" } else { "" };
        let partner = task.partner.as_ref().map(|partner| format!(" von {partner}")).unwrap_or_default();
        let title = if task.title.is_empty() { String::new() } else { format!(": {}", named(&task.title)) };
        let _ = writeln!(body, "- {}{partner}{title}{due}{overdue}", german(task.kind));
    }
    if tasks.len() > DIGEST_TASKS_MAX {
        let _ = writeln!(body, "- und {} weitere", tasks.len() - DIGEST_TASKS_MAX);
    }
    body.push_str("\nAlle Aufgaben mit den nächsten Schritten:\n  ortsnetz tasks list\n");
    let count = tasks.len();
    Some(Mail { subject: format!("{count} {}", if count == 1 { "Aufgabe" } else { "Aufgaben" }), body })
}

/// The mail that only tries the way.
pub fn test(organisation: &str, role: &str) -> Mail {
    Mail {
        subject: line(&format!("Probe von Ortsnetz ({role})")),
        body: format!("Diese Mail prüft, ob Nachrichten von {organisation} im Postfach für {role} ankommen.\n"),
    }
}

/// What a kind of task is called.
const fn german(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Feedback => "Fehlermeldung",
        TaskKind::Proposal => "Änderungsvorschlag",
        TaskKind::Conflict => "Konflikt",
        TaskKind::PublishRefused => "Veröffentlichung abgelehnt",
        TaskKind::Review => "Prüfung",
        TaskKind::SourceChanged => "An der Quelle geändert",
        TaskKind::AgreementOffered => "Vereinbarung zur Unterschrift",
        TaskKind::AgreementEnds => "Ende einer Vereinbarung",
        TaskKind::Other(_) => "Aufgabe am Knoten",
    }
}

fn german_date(day: Date) -> String {
    day.strftime("%d.%m.%Y").to_string()
}

fn named(title: &str) -> String {
    if title.trim().is_empty() { "(ohne Titel)".to_owned() } else { format!("„{}“", line(title)) }
}

/// One line: what is a header must not begin another one.
fn line(text: &str) -> String {
    let one: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    one.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(150).collect()
}

/// When a report that came at a time (milliseconds since 1970) is to be answered: so many hours later, of which only service
/// hours count, if there are any. `None` if that is beyond all service hours.
pub fn answer_by(came: u64, hours: u16, service_hours: &[ServiceHours]) -> Option<u64> {
    let mut left = u64::from(hours) * 3_600_000;
    if service_hours.is_empty() {
        return came.checked_add(left);
    }
    let first = dates::local(came).date();
    for ahead in 0..LOOK_AHEAD_DAYS {
        let day = first.checked_add(jiff::Span::new().days(ahead)).ok()?;
        for (opens, closes) in slots(day, service_hours) {
            let (opens, closes) = (opens.max(came), closes.max(came));
            if closes - opens >= left && left > 0 {
                return Some(opens + left);
            }
            if left == 0 {
                return Some(opens);
            }
            left -= closes - opens;
        }
    }
    None
}

/// The service hours of a day in milliseconds since 1970, in order, those that overlap as one.
fn slots(day: Date, service_hours: &[ServiceHours]) -> Vec<(u64, u64)> {
    let code = code_of(day);
    let at = |text: &str| -> Option<u64> {
        if text == "24:00" {
            return Some(dates::end_of(day));
        }
        Some(dates::instant(DateTime::from_parts(day, text.parse().ok()?)))
    };
    let of_day = service_hours.iter().filter(|hours| hours.days.iter().any(|known| known == code));
    let mut slots: Vec<(u64, u64)> =
        of_day.filter_map(|hours| Some((at(&hours.opens)?, at(&hours.closes)?))).filter(|(a, b)| a < b).collect();
    slots.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::new();
    for (opens, closes) in slots {
        match merged.last_mut() {
            Some(last) if opens <= last.1 => last.1 = last.1.max(closes),
            _ => merged.push((opens, closes)),
        }
    }
    merged
}

/// The pause after so many attempts that failed, in milliseconds.
pub fn pause(attempts: u32) -> u64 {
    AGAIN_MS.saturating_mul(1_u64.checked_shl(attempts.saturating_sub(1).min(20)).unwrap_or(u64::MAX)).min(AGAIN_MS_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: u64 = 3_600_000;

    fn hours(days: &[&str], opens: &str, closes: &str) -> ServiceHours {
        let days = days.iter().map(|day| (*day).to_owned()).collect();
        ServiceHours { days, opens: opens.into(), closes: closes.into() }
    }

    fn at(text: &str) -> u64 {
        dates::instant(text.parse().expect("a time"))
    }

    #[test]
    fn only_service_hours_count_until_a_report_is_to_be_answered() {
        let week = [hours(&["mo", "tu", "we", "th", "fr"], "08:00", "18:00")];
        // 27 November 2026 is a Friday.
        let check = |came: &str, count: u16, by: &str| {
            assert_eq!(answer_by(at(came), count, &week), Some(at(by)), "{came} + {count}");
        };
        check("2026-11-27T10:00", 2, "2026-11-27T12:00");
        check("2026-11-27T10:00", 8, "2026-11-27T18:00");
        check("2026-11-27T16:00", 4, "2026-11-30T10:00");
        check("2026-11-28T12:00", 1, "2026-11-30T09:00");
        check("2026-11-27T07:00", 24, "2026-12-01T12:00");
        check("2026-11-27T18:00", 0, "2026-11-27T18:00");
        assert_eq!(answer_by(at("2026-11-27T10:00"), 24, &[]), Some(at("2026-11-28T10:00")));
        assert_eq!(answer_by(at("2026-11-27T10:00"), 24, &[hours(&["xx"], "08:00", "18:00")]), None);
        // Hours that are named twice count once.
        let twice = [hours(&["fr"], "08:00", "12:00"), hours(&["fr"], "10:00", "14:00")];
        assert_eq!(answer_by(at("2026-11-27T08:00"), 6, &twice), Some(at("2026-11-27T14:00")));
        // The night in which the clocks are set back has an hour more.
        let always = [hours(&["mo", "tu", "we", "th", "fr", "sa", "su"], "00:00", "24:00")];
        assert_eq!(answer_by(at("2026-10-25T00:00"), 24, &always), Some(at("2026-10-25T23:00")));
    }

    proptest! {
        #[test]
        fn nobody_is_late_before_the_hours_are_over(came in 0_u64..4_000_000_000_000, count in 0_u16..150, opens in 0_u8..12, long in 1_u8..12) {
            let all = ["mo", "we", "sa"];
            let service = [hours(&all, &format!("{opens:02}:00"), &format!("{:02}:00", opens + long))];
            let by = answer_by(came, count, &service).expect("three days a week");
            prop_assert!(by >= came + u64::from(count) * HOUR);
            let later = answer_by(came, count + 1, &service).expect("three days a week");
            prop_assert!(later > by || count == 0 && later >= by);
            prop_assert!(answer_by(came + HOUR, count, &service).expect("three days a week") >= by);
        }
    }

    #[test]
    fn pauses_grow_and_have_an_end() {
        assert_eq!(pause(1), 60_000);
        assert_eq!(pause(2), 120_000);
        assert_eq!(pause(6), 1_920_000);
        assert_eq!(pause(7), AGAIN_MS_MAX);
        assert_eq!(pause(u32::MAX), AGAIN_MS_MAX);
    }

    fn reported(text: &str) -> Reported<'_> {
        let (title, by, id) = ("Hund\r\nBcc: alle@example.org", "Stadt Köln", "3f9a3f9a");
        Reported { problem: Problem::Outdated, title, path: Some("fees.0.amount"), text, by, id }
    }

    #[test]
    fn a_mail_tells_what_is_wrong_and_nothing_about_citizens() {
        let mail = report(&reported("Seit Oktober 28 EUR."));
        assert_eq!(mail.subject, "Fehlermeldung: „Hund Bcc: alle@example.org“ (veraltet)");
        assert!(mail.body.contains("Stelle: fees.0.amount\n\nSeit Oktober 28 EUR.\n"), "{}", mail.body);
        assert!(mail.body.contains("ortsnetz feedback answer 3f9a3f9a done"));
        let mail = report(&reported("Frau M. unter 0228 123456"));
        assert!(!mail.body.contains("0228") && mail.body.contains("nicht per Mail verschickt"), "{}", mail.body);
        let mail = escalation(&reported("Frau M. unter 0228 123456"), 24);
        assert!(!mail.body.contains("Frau M.") && mail.body.contains("24 Servicestunden"), "{}", mail.body);
        assert!(!mail.subject.contains(['\r', '\n']));
    }

    #[test]
    fn a_digest_names_what_is_to_be_done_and_counts_the_rest() {
        let task = Task {
            kind: TaskKind::Review,
            entry: None,
            title: "Hund anmelden".into(),
            partner: None,
            since: None,
            due: Some(Date::constant(2026, 11, 1)),
            overdue: true,
            subject: None,
            message: String::new(),
        };
        let day = Date::constant(2026, 11, 28);
        assert_eq!(digest(&[], day), None);
        let mail = digest(&[&task], day).expect("one task");
        assert_eq!(mail.subject, "1 Aufgabe");
        let line = "- Prüfung: „Hund anmelden“, fällig am 01.11.2026 (überfällig)\n";
        assert!(mail.body.starts_with(&format!("Aufgaben am 28.11.2026:\n\n{line}")), "{}", mail.body);
        let at_most = digest(&vec![&task; DIGEST_TASKS_MAX], day).expect("tasks");
        assert!(!at_most.body.contains("weitere"));
        let more = digest(&vec![&task; DIGEST_TASKS_MAX + 2], day).expect("tasks");
        assert_eq!(more.subject, "52 Aufgaben");
        assert_eq!(more.body.matches("- Prüfung").count(), DIGEST_TASKS_MAX);
        assert!(more.body.contains("- und 2 weitere\n"));
    }
}
