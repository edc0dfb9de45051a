//! One mail over SMTP.

use std::time::Duration;

use lettre::Transport as _;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::SmtpTransport;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use ortsnetz_model::Hash;
use ortsnetz_service::mail::Mail;

use super::{MailConfig, MailTls, Mailer};
use crate::error::NodeError;
use crate::shared::Shared;

/// So long a server may take for one command.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest password file in bytes.
const PASSWORD_BYTES_MAX: u64 = 4096;

/// Hands one mail to the server; the error is one line. The same `key` gives the same Message-ID, so that whoever gets a mail
/// twice, because the line broke after the server took it, can tell.
pub(super) fn send(shared: &Shared, mailer: &Mailer, to: &Mailbox, mail: &Mail, key: &str) -> Result<(), String> {
    let own = shared.own.organisation.to_string();
    let id = Hash::of(format!("{own}/{key}").as_bytes()).to_string();
    let host = mailer.from.email.domain();
    let message = Message::builder()
        .from(mailer.from.clone())
        .to(to.clone())
        .subject(&mail.subject)
        .message_id(Some(format!("<{}@{host}>", &id[..32])))
        .header(ContentType::TEXT_PLAIN)
        .body(mail.body.clone())
        .map_err(|error| error.to_string())?;
    let transport = transport(&mailer.config, host)?;
    transport.send(&message).map(drop).map_err(|error| one_line(&error))
}

fn transport(config: &MailConfig, host: &str) -> Result<SmtpTransport, String> {
    let parameters = || TlsParameters::new_rustls(config.server.clone()).map_err(|error| one_line(&error));
    let tls = match config.tls {
        MailTls::StartTls => Tls::Required(parameters()?),
        MailTls::Implicit => Tls::Wrapper(parameters()?),
        MailTls::None => Tls::None,
    };
    let mut builder = SmtpTransport::builder_dangerous(&config.server)
        .port(config.port)
        .tls(tls)
        .timeout(Some(PATIENCE))
        .hello_name(ClientId::Domain(host.to_owned()));
    if !config.user.is_empty() {
        let password = password(config).map_err(|error| error.to_string())?.unwrap_or_default();
        builder = builder.credentials(Credentials::new(config.user.clone(), password));
    }
    Ok(builder.build())
}

/// The password, read each time: it may be changed without a restart. `None` if nobody signs in.
pub(super) fn password(config: &MailConfig) -> Result<Option<String>, NodeError> {
    if config.user.is_empty() {
        return Ok(None);
    }
    let Some(file) = &config.password_file else {
        return Err(NodeError::Invalid("mail.password_file: is missing; mail.user needs a password".into()));
    };
    let unreadable = |error: std::io::Error| NodeError::Unreadable(format!("cannot read {}: {error}", file.display()));
    let about = std::fs::metadata(file).map_err(unreadable)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if about.permissions().mode() & 0o077 != 0 {
            return Err(NodeError::Unreadable(format!(
                "{0} can be read by others; run: chmod 600 {0}",
                file.display()
            )));
        }
    }
    if about.len() > PASSWORD_BYTES_MAX {
        return Err(NodeError::Unreadable(format!("{} holds more than a password", file.display())));
    }
    let text = std::fs::read_to_string(file).map_err(unreadable)?;
    Ok(Some(text.lines().next().unwrap_or_default().trim().to_owned()))
}

/// An error with its causes, in one line.
fn one_line(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(below) = cause {
        let text = below.to_string();
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        cause = below.source();
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect()
}
