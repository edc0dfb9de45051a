//! Mail to the mailboxes of roles: what is to go out is worked out from the tasks, waits in the store until the server has
//! taken it, and is never made twice. All of this blocks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::civil::Time;
use lettre::message::Mailbox;
use ortsnetz_service::tasks::Role;

use crate::alarms;
use crate::clock;
use crate::dto::{MailReport, MailTried, QueuedMail};
use crate::error::NodeError;
use crate::shared::{Shared, read};

mod due;
mod queue;
mod sending;

pub(crate) use queue::{PER_HOUR_MAX, QUEUE_MAX};

/// The mailbox that hears of reports nobody answered in time.
const ESCALATION: &str = "escalation";
/// Mails handed to the server between two looks.
const AT_ONCE: usize = 10;
/// After so many attempts, about two days, a mail is given up.
pub(crate) const ATTEMPTS_MAX: u32 = 50;
/// From so many failed attempts on it is an alarm.
const ALARM_ATTEMPTS: u32 = 2;

/// How the line to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    /// It begins in clear and must turn to TLS before anything is said.
    StartTls,
    /// TLS from the first byte.
    Implicit,
    /// None: only to a server on this machine.
    None,
}

/// Where mails go out, and to whom.
#[derive(Debug, Clone)]
pub struct MailConfig {
    /// Name or address of the server.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the line is protected.
    pub tls: MailTls,
    /// Who signs in; empty: nobody.
    pub user: String,
    /// A file whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// The sender.
    pub from: String,
    /// When the mail of the day goes out, `07:00` in Europe/Berlin.
    pub digest_at: String,
    /// Addresses by role, and `escalation`.
    pub to: BTreeMap<String, String>,
}

/// A configuration that can work.
pub(crate) struct Mailer {
    config: MailConfig,
    from: Mailbox,
    digest_at: Time,
    to: BTreeMap<String, Mailbox>,
}

impl MailConfig {
    /// Whether it can work at all: told at the start, not when the first mail fails.
    ///
    /// # Errors
    /// One line that says which field is wrong.
    pub fn check(&self) -> Result<(), NodeError> {
        self.mailer().map(drop)
    }

    fn mailer(&self) -> Result<Mailer, NodeError> {
        let wrong = |field: &str, why: String| NodeError::Invalid(format!("mail.{field}: {why}"));
        let mailbox = |field: &str, text: &str| {
            text.parse::<Mailbox>().map_err(|_| wrong(field, format!("{text:?} is no mail address")))
        };
        if self.tls == MailTls::None && !is_here(&self.server) {
            return Err(wrong(
                "tls",
                format!("\"none\" sends mails in clear to {}; use starttls or implicit", self.server),
            ));
        }
        let mut to = BTreeMap::new();
        for (role, address) in self.to.iter().filter(|(_, address)| !address.trim().is_empty()) {
            if Role::of(role).is_none() && role != ESCALATION {
                let known: Vec<&str> = Role::ALL.into_iter().map(Role::word).chain([ESCALATION]).collect();
                return Err(wrong("to", format!("{role:?} is none of {}", known.join(", "))));
            }
            to.insert(role.clone(), mailbox(&format!("to.{role}"), address)?);
        }
        if to.is_empty() {
            return Err(wrong("to", "names no mailbox; who should get the mails?".into()));
        }
        let digest_at = self.digest_at.parse();
        let digest_at =
            digest_at.map_err(|_| wrong("digest_at", format!("{:?} is no time like 07:00", self.digest_at)))?;
        sending::password(self)?;
        Ok(Mailer { from: mailbox("from", &self.from)?, digest_at, to, config: self.clone() })
    }
}

/// Whether a server is this machine.
fn is_here(server: &str) -> bool {
    server == "localhost" || server.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// From now on mails go out.
pub(crate) fn start(shared: &Shared, config: &MailConfig) -> Result<(), NodeError> {
    let mailer = Arc::new(config.mailer()?);
    *crate::shared::write(&shared.mailer) = Some(mailer);
    Ok(())
}

/// Puts what is due into the queue, if mails go out here at all.
pub(crate) fn collect(shared: &Shared) -> Result<(), NodeError> {
    let Some(mailer) = read(&shared.mailer).clone() else { return Ok(()) };
    let now = clock::now();
    let due = due::mails(shared, &mailer, now)?;
    if queue::add(&shared.store, due, now)? == queue::Added::Full {
        let message = format!(
            "{QUEUE_MAX} mails wait to be sent and no more are taken; look at the mail server, then `ortsnetz mail test`"
        );
        alarms::note(shared, "mail_queue_full", "", None, message);
    }
    Ok(())
}

/// Hands waiting mails whose time it is to the server. What it does not take is tried again later.
pub(crate) fn deliver(shared: &Shared) -> Result<(), NodeError> {
    let Some(mailer) = read(&shared.mailer).clone() else { return Ok(()) };
    let now = clock::now();
    let ready = queue::ready(&shared.store, now, AT_ONCE)?;
    if ready.is_empty() {
        return Ok(());
    }
    let room = PER_HOUR_MAX.saturating_sub(queue::sent_since(&shared.store, now.saturating_sub(3_600_000))?);
    for (key, mut row) in ready.into_iter().take(room) {
        if shared.is_stopping() {
            break;
        }
        let sent = match mailer.to.get(&row.role) {
            Some(to) => sending::send(shared, &mailer, to, &row.mail(), &key),
            None => Err(format!("no mailbox is configured for {}", row.role)),
        };
        match sent {
            Ok(()) => queue::sent(&shared.store, &key, clock::now())?,
            Err(error) => {
                row.attempts += 1;
                let given_up = row.attempts >= ATTEMPTS_MAX;
                if given_up || row.attempts >= ALARM_ATTEMPTS {
                    let (kind, then) = match given_up {
                        true => ("mail_given_up", "it is not tried any more"),
                        false => ("mail_failed", "it is tried again"),
                    };
                    let message = format!(
                        "the mail {:?} to {} could not be sent: {error}; {then}. Try the way with `ortsnetz mail test`",
                        row.subject, row.role
                    );
                    alarms::note(shared, kind, &mailer.config.server, None, message);
                }
                if given_up {
                    queue::sent(&shared.store, &key, clock::now())?;
                } else {
                    row.next_at = clock::now() + ortsnetz_service::mail::pause(row.attempts);
                    row.error = error;
                    queue::keep(&shared.store, &key, &row)?;
                }
            }
        }
    }
    Ok(())
}

fn mailer(shared: &Shared) -> Result<Arc<Mailer>, NodeError> {
    read(&shared.mailer).clone().ok_or_else(|| {
        NodeError::Conflict("no mails go out here: set mail.server and mail.to in ortsnetz.toml, and restart".into())
    })
}

/// `mail test`: sends one mail to each mailbox, or to that of one role, at once.
pub(crate) fn test(shared: &Shared, role: Option<&str>) -> Result<Vec<MailTried>, NodeError> {
    let mailer = mailer(shared)?;
    if let Some(role) = role.filter(|role| !mailer.to.contains_key(*role)) {
        let known: Vec<&str> = mailer.to.keys().map(String::as_str).collect();
        return Err(NodeError::Invalid(format!("role: {role:?} has no mailbox; there are {}", known.join(", "))));
    }
    let name = shared.identity().name().to_owned();
    let wanted = mailer.to.iter().filter(|(known, _)| role.is_none_or(|role| role == known.as_str()));
    let tried = wanted.map(|(role, to)| {
        let key = format!("test/{role}/{}", clock::now());
        let error = sending::send(shared, &mailer, to, &ortsnetz_service::mail::test(&name, role), &key).err();
        MailTried { role: role.clone(), to: to.email.to_string(), sent: error.is_none(), error }
    });
    Ok(tried.collect())
}

/// `mail list`
pub(crate) fn list(shared: &Shared) -> Result<MailReport, NodeError> {
    let mailer = mailer(shared)?;
    let queued = queue::all(&shared.store)?.into_iter().map(|(_, row)| QueuedMail {
        role: row.role,
        subject: row.subject,
        at: clock::rfc3339(row.at),
        attempts: row.attempts,
        next_at: clock::rfc3339(row.next_at),
        error: Some(row.error).filter(|error| !error.is_empty()),
    });
    Ok(MailReport {
        server: format!("{}:{}", mailer.config.server, mailer.config.port),
        to: mailer.to.iter().map(|(role, to)| (role.clone(), to.email.to_string())).collect(),
        queued: queued.collect(),
        sent_last_hour: queue::sent_since(&shared.store, clock::now().saturating_sub(3_600_000))? as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> MailConfig {
        MailConfig {
            server: "127.0.0.1".into(),
            port: 25,
            tls: MailTls::None,
            user: String::new(),
            password_file: None,
            from: "Ortsnetz <ortsnetz@example.org>".into(),
            digest_at: "07:00".into(),
            to: BTreeMap::from([("editors".to_owned(), "redaktion@example.org".to_owned())]),
        }
    }

    #[test]
    fn what_cannot_work_is_told_at_the_start() {
        let check = |change: &dyn Fn(&mut MailConfig), line: &str| {
            let mut wrong = config();
            change(&mut wrong);
            let error = wrong.check().expect_err(line).to_string();
            assert!(error.starts_with(line), "{error}");
        };
        config().check().expect("good");
        check(
            &|config| config.server = "mail.example.org".into(),
            "mail.tls: \"none\" sends mails in clear to mail.example.org",
        );
        check(&|config| config.from = "nobody".into(), "mail.from: \"nobody\" is no mail address");
        check(&|config| config.digest_at = "7 Uhr".into(), "mail.digest_at: \"7 Uhr\" is no time like 07:00");
        check(&|config| config.to.clear(), "mail.to: names no mailbox");
        check(
            &|config| drop(config.to.insert("mayor".into(), "a@b.de".into())),
            "mail.to: \"mayor\" is none of editors,",
        );
        check(
            &|config| drop(config.to.insert("editors".into(), "x".into())),
            "mail.to.editors: \"x\" is no mail address",
        );
        check(&|config| config.user = "ortsnetz".into(), "mail.password_file: is missing");
    }
}
