//! One organisation of the demonstration: a child process with its own data directory.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ortsnetz_node::NewOrganisation;
use serde_json::{Value, json};

use super::region::Town;
use crate::client::Client;
use crate::failure::Failure;

/// First port tried for the pages.
const HTTP_PORT_FIRST: u16 = 8115;
/// How long a process may take until it answers.
const START_SECONDS_MAX: u64 = 30;
/// How long it may take to stop before it is killed.
const STOP_SECONDS_MAX: u64 = 10;
/// Between two looks.
const POLL_MS: u64 = 20;

/// A running daemon.
pub(super) struct Node {
    /// Who it is.
    pub(super) town: &'static Town,
    /// Its data directory.
    pub(super) data_dir: PathBuf,
    /// Its child process; its standard input stays open as long as it shall run.
    child: Child,
}

/// Makes the identity.
pub(super) fn init(town: &Town, data_dir: &Path) -> Result<(), Failure> {
    let organisation = NewOrganisation { name: town.name.into(), ars: town.ars.into(), kind: town.kind.into() };
    ortsnetz_node::init(data_dir, &organisation)?;
    Ok(())
}

impl Node {
    /// Starts the daemon.
    pub(super) fn start(town: &'static Town, index: u16, data_dir: PathBuf) -> Result<Self, Failure> {
        let http = free_port(HTTP_PORT_FIRST + index)?;
        let peers = format!("/ip4/127.0.0.1/tcp/{}", free_port(0)?);
        let log = File::create(log_file(&data_dir))?;
        let mut command = Command::new(std::env::current_exe()?);
        // Ctrl-C is for us; we tell them.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command
            .arg("--data-dir")
            .arg(&data_dir)
            .args(["run", "--while-stdin-is-open"])
            .args(["--http", &format!("127.0.0.1:{http}")])
            .args(["--listen", &peers, "--advertise", &peers])
            .env_remove("SSLKEYLOGFILE")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        Ok(Self { town, data_dir, child })
    }

    /// Waits until it answers.
    pub(super) fn wait_until_ready(&mut self) -> Result<Client, Failure> {
        let deadline = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        loop {
            if let Ok(client) = Client::connect(&self.data_dir)
                && client.is_running()
            {
                return Ok(client);
            }
            self.check()?;
            if Instant::now() > deadline {
                return Err(self.failed("did not answer in time"));
            }
            sleep(Duration::from_millis(POLL_MS));
        }
    }

    /// An error if the process has ended.
    pub(super) fn check(&mut self) -> Result<(), Failure> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(_) => Err(self.failed("ended")),
        }
    }

    fn failed(&self, what: &str) -> Failure {
        let log = log_file(&self.data_dir);
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let last = text.lines().last().unwrap_or("the log is empty");
        Failure::Failed(format!("{} {what}: {last} ({})", self.town.name, log.display()))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // End of input tells it to stop cleanly.
        drop(self.child.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(STOP_SECONDS_MAX);
        while Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(None) => sleep(Duration::from_millis(POLL_MS)),
                _ => return,
            }
        }
        // It had its time; an error means it is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tells all of them to stop, and then waits for each.
pub(super) fn stop_all(mut nodes: Vec<Node>) {
    for node in &mut nodes {
        drop(node.child.stdin.take());
    }
}

/// Imports and publishes the town's entries.
pub(super) fn fill(town: &Town, client: &Client) -> Result<(), Failure> {
    let query = [
        ("file", Some(format!("{}.jsonl", town.key))),
        ("format", Some("jsonl".to_owned())),
        ("publish", Some("true".to_owned())),
    ];
    let report = client.upload("/imports", &query, None, &mut town.content.as_bytes())?;
    let rejected = report.get("rejected").and_then(Value::as_array).and_then(|rejected| rejected.first());
    match rejected {
        Some(rejection) => Err(Failure::Failed(format!("{}: an entry was rejected: {rejection}", town.name))),
        None => Ok(()),
    }
}

/// Makes both partners, confirmed on both sides.
pub(super) fn join(inviter: &Client, joiner: &Client, joiner_ars: &str) -> Result<(), Failure> {
    let request = json!({"for_ars": joiner_ars, "trust": true, "expires_in": 3_600_000});
    let invitation = inviter.post("/invitations", &request)?;
    joiner.post("/joins", &json!({"token": invitation["token"], "dial": false}))?;
    Ok(())
}

fn log_file(data_dir: &Path) -> PathBuf {
    data_dir.with_extension("log")
}

/// This port, or any free one if it is taken.
fn free_port(wish: u16) -> Result<u16, Failure> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, wish)).or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    Ok(listener.local_addr()?.port())
}
