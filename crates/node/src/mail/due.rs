//! Which mails are due now.

use ortsnetz_model::dates;
use ortsnetz_service::mail::{ANSWER_HOURS_DEFAULT, Mail, Reported, answer_by, digest, escalation, report};
use ortsnetz_service::tasks::{Role, Task};

use super::queue::{Due, is_made};
use super::{ESCALATION, Mailer};
use crate::agreements;
use crate::error::NodeError;
use crate::feedback::{self, short_id};
use crate::shared::Shared;
use crate::tasks;

/// Mails nobody has made yet: for each open report at once, for each that is unanswered past its time to another mailbox, and
/// a digest a day for each role.
pub(super) fn mails(shared: &Shared, mailer: &Mailer, now: u64) -> Result<Vec<Due>, NodeError> {
    let mut due = Vec::new();
    reports(shared, mailer, now, &mut due)?;
    digests(shared, mailer, now, &mut due)?;
    Ok(due)
}

fn reports(shared: &Shared, mailer: &Mailer, now: u64, due: &mut Vec<Due>) -> Result<(), NodeError> {
    for known in feedback::all(shared)?.iter().filter(|known| known.is_ours_to_answer(shared)) {
        let about = format!("{}/{}", known.letter.by, known.report.id);
        let editors = Role::Editors.word();
        let first = mailer.to.contains_key(editors) && !is_made(&shared.store, &format!("feedback/{about}"))?;
        let (hours, service_hours) = agreements::answer_hours(shared, &known.letter.by, now)?
            .unwrap_or_else(|| (ANSWER_HOURS_DEFAULT, Vec::new()));
        let late = mailer.to.contains_key(ESCALATION)
            && answer_by(known.letter.at, hours, &service_hours).is_some_and(|by| by <= now)
            && !is_made(&shared.store, &format!("{ESCALATION}/{about}"))?;
        if !first && !late {
            continue;
        }
        let (title, by) = (tasks::title(shared, &known.report.about)?, shared.organisation_name(&known.letter.by));
        let reported = Reported {
            problem: known.report.problem,
            title: &title,
            path: known.report.path.as_deref(),
            text: &known.report.text,
            by: &by,
            id: short_id(&known.report.id),
        };
        if first {
            due.push(made(format!("feedback/{about}"), editors, report(&reported)));
        }
        if late {
            due.push(made(format!("{ESCALATION}/{about}"), ESCALATION, escalation(&reported, hours)));
        }
    }
    Ok(())
}

fn digests(shared: &Shared, mailer: &Mailer, now: u64, due: &mut Vec<Due>) -> Result<(), NodeError> {
    let local = dates::local(now);
    if local.time() < mailer.digest_at {
        return Ok(());
    }
    let mut all: Option<Vec<Task>> = None;
    for role in Role::ALL.into_iter().filter(|role| mailer.to.contains_key(role.word())) {
        let key = format!("digest/{}/{}", role.word(), local.date());
        if is_made(&shared.store, &key)? {
            continue;
        }
        let all = match &mut all {
            Some(all) => all,
            none => none.insert(tasks::all(shared)?),
        };
        let of_role: Vec<&Task> = all.iter().filter(|task| task.kind.role() == role).collect();
        if let Some(mail) = digest(&of_role, local.date()) {
            due.push(made(key, role.word(), mail));
        }
    }
    Ok(())
}

fn made(key: String, role: &str, mail: Mail) -> Due {
    Due { key, role: role.to_owned(), mail }
}
