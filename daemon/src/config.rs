//! The configuration file of `ortsnetz run`. What it says, `--http`, `--listen` and `--advertise` override.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ortsnetz_node::{BackupSchedule, Keep, MailConfig, MailTls, RelayLimits};
use serde::Deserialize;

use crate::failure::Failure;

/// Looked for in the data directory if `--config` says nothing.
pub(crate) const CONFIG_FILE: &str = "ortsnetz.toml";

/// Everything that can be configured; a field that is absent has its default, one that is not known is an error.
/// `config/ortsnetz.toml` explains each and equals the defaults.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Address on which pages and API answer: a loopback address, and a port (0: any free one).
    pub(crate) http: String,
    /// Host names under which a proxy on this machine passes requests on.
    pub(crate) hosts: Vec<String>,
    /// Multiaddresses on which partners reach this node.
    pub(crate) listen: Vec<String>,
    /// Multiaddresses told to partners instead of those found out.
    pub(crate) advertise: Vec<String>,
    /// Connections between partners that cannot dial each other.
    pub(crate) relay: Relay,
    /// Backups by a schedule.
    pub(crate) backup: Backup,
    /// Mails to the people who have something to do.
    pub(crate) mail: Mail,
    /// The log on standard error.
    pub(crate) log: Log,
}

/// What is relayed for partners.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Relay {
    /// Whether anything is.
    pub(crate) enabled: bool,
    /// Connections relayed at one time.
    pub(crate) circuits_max: usize,
    /// Of these, with one partner's node at one end.
    pub(crate) circuits_per_partner_max: usize,
    /// Bytes a day for one partner's node.
    pub(crate) bytes_per_day_max: u64,
    /// Minutes one connection is relayed; then its ends dial anew.
    pub(crate) circuit_minutes_max: u64,
    /// How often one partner's node may ask in a minute.
    pub(crate) asks_per_minute_max: u32,
}

impl Default for Relay {
    fn default() -> Self {
        let limits = RelayLimits::default();
        Self {
            enabled: false,
            circuits_max: limits.circuits_max,
            circuits_per_partner_max: limits.circuits_per_partner_max,
            bytes_per_day_max: limits.bytes_per_day_max,
            circuit_minutes_max: limits.circuit_time_max.as_secs() / 60,
            asks_per_minute_max: limits.asks_per_minute_max,
        }
    }
}

impl Relay {
    /// What the node is told; `None`: it relays nothing.
    pub(crate) fn limits(&self) -> Option<RelayLimits> {
        self.enabled.then(|| RelayLimits {
            circuits_max: self.circuits_max,
            circuits_per_partner_max: self.circuits_per_partner_max,
            bytes_per_day_max: self.bytes_per_day_max,
            circuit_time_max: Duration::from_secs(self.circuit_minutes_max.saturating_mul(60)),
            asks_per_minute_max: self.asks_per_minute_max,
        })
    }
}

/// A backup a day.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Backup {
    /// Where they lie; empty: none is made.
    pub(crate) directory: PathBuf,
    /// Public keys that open them, like `age1...`.
    pub(crate) recipients: Vec<String>,
    /// Or a file whose first line is the passphrase.
    pub(crate) passphrase_file: PathBuf,
    /// Days of which one is kept.
    pub(crate) daily: usize,
    /// Weeks of which one is kept.
    pub(crate) weekly: usize,
    /// Months of which one is kept.
    pub(crate) monthly: usize,
}

/// Mails to the people who have something to do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Mail {
    /// Name or address of the mail server; empty: no mails go out.
    pub(crate) server: String,
    /// Its port.
    pub(crate) port: u16,
    /// How the line is protected.
    pub(crate) tls: Tls,
    /// Who signs in; empty: nobody.
    pub(crate) user: String,
    /// A file whose first line is the password.
    pub(crate) password_file: PathBuf,
    /// The sender.
    pub(crate) from: String,
    /// When the mail of the day goes out.
    pub(crate) digest_at: String,
    /// Who gets them.
    pub(crate) to: Mailboxes,
}

/// How the line to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tls {
    /// It begins in clear and must turn to TLS.
    #[serde(rename = "starttls")]
    Start,
    /// TLS from the first byte.
    Implicit,
    /// None: only to this machine.
    None,
}

/// Mail addresses by role; empty: that role gets none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Mailboxes {
    /// Texts: error reports at once, and the tasks of the day.
    pub(crate) editors: String,
    /// Agreements.
    pub(crate) agreements: String,
    /// The node.
    pub(crate) administration: String,
    /// Reports nobody answered in time.
    pub(crate) escalation: String,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            server: String::new(),
            port: 587,
            tls: Tls::Start,
            user: String::new(),
            password_file: PathBuf::new(),
            from: String::new(),
            digest_at: "07:00".into(),
            to: Mailboxes::default(),
        }
    }
}

impl Mail {
    /// How mails go out, if they are to and can.
    pub(crate) fn config(&self) -> Result<Option<MailConfig>, Failure> {
        if self.server.is_empty() {
            return Ok(None);
        }
        let to = &self.to;
        let mailboxes = [
            ("editors", &to.editors),
            ("agreements", &to.agreements),
            ("administration", &to.administration),
            ("escalation", &to.escalation),
        ];
        let config = MailConfig {
            server: self.server.clone(),
            port: self.port,
            tls: match self.tls {
                Tls::Start => MailTls::StartTls,
                Tls::Implicit => MailTls::Implicit,
                Tls::None => MailTls::None,
            },
            user: self.user.clone(),
            password_file: Some(self.password_file.clone()).filter(|file| !file.as_os_str().is_empty()),
            from: self.from.clone(),
            digest_at: self.digest_at.clone(),
            to: mailboxes.into_iter().map(|(role, address)| (role.to_owned(), address.clone())).collect(),
        };
        config.check()?;
        Ok(Some(config))
    }
}

/// What is logged and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    /// As in `ORTSNETZ_LOG`, which goes first: `info`, `debug`, `ortsnetz_net=debug,info`.
    pub(crate) filter: String,
    /// Text for people, or one JSON object a line.
    pub(crate) format: LogFormat,
}

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            http: "127.0.0.1:8115".into(),
            hosts: Vec::new(),
            listen: vec!["/ip4/0.0.0.0/tcp/4115".into(), "/ip6/::/tcp/4115".into()],
            advertise: Vec::new(),
            relay: Relay::default(),
            backup: Backup::default(),
            mail: Mail::default(),
            log: Log::default(),
        }
    }
}

impl Default for Backup {
    fn default() -> Self {
        Self {
            directory: PathBuf::new(),
            recipients: Vec::new(),
            passphrase_file: PathBuf::new(),
            daily: 7,
            weekly: 4,
            monthly: 6,
        }
    }
}

impl Backup {
    /// The schedule, if one is asked for and can work.
    pub(crate) fn schedule(&self) -> Result<Option<BackupSchedule>, Failure> {
        let given = |path: &PathBuf| !path.as_os_str().is_empty();
        if !given(&self.directory) {
            return Ok(None);
        }
        let schedule = BackupSchedule {
            directory: self.directory.clone(),
            recipients: self.recipients.clone(),
            passphrase_file: Some(self.passphrase_file.clone()).filter(given),
            keep: Keep { daily: self.daily, weekly: self.weekly, monthly: self.monthly },
        };
        schedule.check()?;
        Ok(Some(schedule))
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".into(), format: LogFormat::Text }
    }
}

impl Config {
    /// The file asked for, or that in the data directory if there is one, or the defaults.
    pub(crate) fn load(asked: Option<&Path>, data_dir: &Path) -> Result<Self, Failure> {
        let found = data_dir.join(CONFIG_FILE);
        let path = match asked {
            Some(path) => path,
            None if found.exists() => &found,
            None => return Ok(Self::default()),
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::Failed(format!("could not read {}: {error}", path.display())))?;
        Self::parse(&text).map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
    }

    fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            format!("line {line}: {}", error.message())
        })
    }

    /// The address for HTTP.
    pub(crate) fn http_address(&self) -> Result<SocketAddr, Failure> {
        let address: SocketAddr = self
            .http
            .parse()
            .map_err(|_| Failure::Usage(format!("http: {:?} is no address and port like 127.0.0.1:8115", self.http)))?;
        if !address.ip().to_canonical().is_loopback() {
            return Err(Failure::Usage(format!(
                "http: {address} can be reached from outside, and plain HTTP must not be; use 127.0.0.1:{} and a proxy with HTTPS on this machine",
                address.port()
            )));
        }
        Ok(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_example_equals_the_defaults() {
        let shipped = include_str!("../../config/ortsnetz.toml");
        assert_eq!(Config::parse(shipped).expect("valid"), Config::default());
        for field in [
            "http =",
            "hosts =",
            "listen =",
            "advertise =",
            "enabled =",
            "circuits_max =",
            "circuits_per_partner_max =",
            "bytes_per_day_max =",
            "circuit_minutes_max =",
            "asks_per_minute_max =",
            "directory =",
            "recipients =",
            "passphrase_file =",
            "daily =",
            "weekly =",
            "monthly =",
            "server =",
            "port =",
            "tls =",
            "user =",
            "password_file =",
            "from =",
            "digest_at =",
            "editors =",
            "agreements =",
            "administration =",
            "escalation =",
            "filter =",
            "format =",
        ] {
            assert!(shipped.lines().any(|line| line.starts_with(field)), "{field} is not explained");
        }
    }

    #[test]
    fn an_unknown_field_is_an_error_with_its_line() {
        let error = Config::parse("http = \"127.0.0.1:1\"\nhtpp = 1\n").expect_err("unknown");
        assert!(error.starts_with("line 2: unknown field `htpp`"), "{error}");
        assert!(Config::parse("[log]\nformat = \"xml\"\n").is_err());
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        let http = |text: &str| Config { http: text.into(), ..Config::default() }.http_address();
        assert!(http("127.0.0.1:0").is_ok());
        assert!(http("[::1]:8115").is_ok());
        for outside in ["0.0.0.0:8115", "192.168.1.5:80", "[::]:8115", "localhost", "8115"] {
            assert!(matches!(http(outside), Err(Failure::Usage(_))), "{outside}");
        }
    }
}
