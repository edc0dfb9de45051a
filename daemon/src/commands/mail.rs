//! `mail`.

use std::fmt::Write as _;

use ortsnetz_node::dto::{MailReport, MailTried};
use serde_json::{Value, json};

use super::Context;
use crate::args::Mail;
use crate::failure::Failure;

/// `mail test|list`
pub(crate) fn mail(context: &Context, args: Mail) -> Result<(), Failure> {
    let daemon = context.daemon()?;
    match args {
        Mail::Test { role } => {
            let document = daemon.post("/mail/test", &json!({ "role": role }))?;
            let failed = failure(&document);
            context.output.verdict(document, failed.is_none(), |tried: Vec<MailTried>| tried_lines(&tried))?;
            failed.map_or(Ok(()), |line| Err(Failure::Failed(line)))
        }
        Mail::List => context.output.show(daemon.get("/mail", &[])?, |report: MailReport| lines(&report)),
    }
}

/// The first mail that was not sent, as one line.
fn failure(document: &Value) -> Option<String> {
    let tried = document.as_array()?;
    let text = |one: &Value, name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let first = tried.iter().find(|one| one.get("sent") != Some(&Value::Bool(true)))?;
    Some(format!("the mail to {} ({}) was not sent: {}", text(first, "role"), text(first, "to"), text(first, "error")))
}

fn tried_lines(tried: &[MailTried]) -> String {
    let mut out = String::new();
    for one in tried {
        let result = one.error.as_deref().unwrap_or("the server took it");
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(out, "{} ({}): {result}", one.role, one.to);
    }
    out
}

fn lines(report: &MailReport) -> String {
    let mut out = format!("{} · {} sent in the last hour\n", report.server, report.sent_last_hour);
    for (role, to) in &report.to {
        let _ = writeln!(out, "  {role}: {to}");
    }
    for mail in &report.queued {
        let _ = writeln!(
            out,
            "waits since {} · {} · {} attempts · next {}",
            mail.at, mail.role, mail.attempts, mail.next_at
        );
        let _ = writeln!(out, "  {}", mail.subject);
        if let Some(error) = &mail.error {
            let _ = writeln!(out, "  {error}");
        }
    }
    if report.queued.is_empty() {
        out.push_str("nothing waits\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mail_that_was_not_sent_is_a_failure() {
        let tried = json!([{"role": "editors", "to": "a@b.de", "sent": true, "error": null},
            {"role": "escalation", "to": "c@d.de", "sent": false, "error": "connection refused"}]);
        assert_eq!(
            failure(&tried).as_deref(),
            Some("the mail to escalation (c@d.de) was not sent: connection refused")
        );
        assert_eq!(failure(&json!([tried[0]])), None);
        let tried: Vec<MailTried> = serde_json::from_value(tried).expect("the same");
        assert_eq!(
            tried_lines(&tried),
            "editors (a@b.de): the server took it\nescalation (c@d.de): connection refused\n"
        );
        assert!(lines(&MailReport::default()).ends_with("nothing waits\n"));
    }
}
