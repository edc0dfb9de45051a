//! One daemon: its data directory, its process, and how to talk to both.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::binary::binary;
use crate::patience::{eventually, eventually_some};

/// Makes recovery sheets that are quick to make and quick to guess.
const WORK_FACTOR: (&str, &str) = ("ORTSNETZ_TEST_SHEET_WORK_FACTOR", "2");
/// Longest answer read over HTTP.
const ANSWER_BYTES_MAX: u64 = 256 << 20;
/// How long one request may take.
const REQUEST_PATIENCE: Duration = Duration::from_secs(120);
/// Where daemons listen for partners: below what systems hand out by themselves.
const PORTS: std::ops::Range<u16> = 12_000..32_000;
/// How much of a log a failed test shows.
const LOG_LINES_SHOWN: usize = 40;

/// A data directory with an identity, and the daemon on it while it runs. Dropped, it is stopped.
pub struct Town {
    /// Its name as its organisation gave it, or the directory's for a further node.
    pub name: String,
    /// Its ARS.
    pub ars: String,
    /// Its data directory.
    pub dir: PathBuf,
    /// Id of its organisation.
    pub organisation: String,
    /// Id of the node.
    pub node: String,
    /// What opens its recovery sheet; empty for a further node.
    pub passphrase: String,
    port: u16,
    /// Where partners are told to dial it, if not where it listens.
    told: Option<u16>,
    child: Option<Child>,
    agent: ureq::Agent,
    place: Option<Place>,
}

/// A machine of its own for a daemon.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// The network namespace.
    pub namespace: String,
    /// Its `ortsnetz.toml`.
    pub config: String,
}

/// What a command printed, and how it ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// The same as JSON; null if it is none.
    pub json: Value,
    /// Standard error.
    pub stderr: String,
}

/// What came back over HTTP.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// The body.
    pub text: String,
    /// The same as JSON; null if it is none.
    pub json: Value,
}

impl Town {
    /// A new organisation in a directory below `parent`, and its running daemon.
    pub fn new(parent: &Path, name: &str, ars: &str) -> Self {
        Self::new_at(parent, &directory_name(name), name, ars)
    }

    /// The same in a directory with this name: for two that have the same name.
    pub fn new_at(parent: &Path, directory: &str, name: &str, ars: &str) -> Self {
        let mut town = Self::nowhere(parent.join(directory), name, ars);
        town.initialise(&["init", "--name", name, "--ars", ars]);
        town
    }

    /// A further node of this town's organisation, running.
    pub fn further_node(&self, parent: &Path, directory: &str) -> Self {
        let token = self.ok(&["invite", "--node"])["token"].as_str().expect("a token").to_owned();
        let mut node = Self::nowhere(parent.join(directory), directory, &self.ars);
        node.initialise(&["init", "--join", &token]);
        node
    }

    /// A new organisation whose daemon runs on a machine of its own, configured by its file alone.
    pub fn new_in(parent: &Path, name: &str, ars: &str, place: Place) -> Self {
        let mut town = Self::nowhere(parent.join(directory_name(name)), name, ars);
        town.place = Some(place);
        town.initialise(&["init", "--name", name, "--ars", ars]);
        town
    }

    /// Changes the configuration, for the next start.
    pub fn configure(&mut self, config: &str) {
        self.place.as_mut().expect("a town with a place").config = config.to_owned();
    }

    fn initialise(&mut self, command: &[&str]) {
        let made = self.ok(command);
        self.organisation = made["organisation"]["id"].as_str().expect("an id").to_owned();
        self.node = made["node"]["id"].as_str().expect("an id").to_owned();
        self.passphrase = made["recovery"]["passphrase"].as_str().unwrap_or_default().to_owned();
        self.start();
    }

    /// A directory below `parent` where nothing is yet, not even the directory.
    pub fn blank(parent: &Path, directory: &str, ars: &str) -> Self {
        Self::nowhere(parent.join(directory), directory, ars)
    }

    fn nowhere(dir: PathBuf, name: &str, ars: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(REQUEST_PATIENCE))
            .build()
            .into();
        let (organisation, node, passphrase) = (String::new(), String::new(), String::new());
        let (name, ars) = (name.to_owned(), ars.to_owned());
        Self {
            name,
            ars,
            dir,
            organisation,
            node,
            passphrase,
            port: free_port(),
            told: None,
            child: None,
            agent,
            place: None,
        }
    }

    /// Starts the daemon where partners reach it, always at the same port, and waits until it answers. It never
    /// outlives the test: it stops when its standard input ends.
    pub fn start(&mut self) {
        self.start_on(self.port);
    }

    /// Starts the daemon where nobody looks for it: partners that are down meanwhile learn nothing of the new address.
    pub fn start_elsewhere(&mut self) {
        self.start_on(free_port());
    }

    fn start_on(&mut self, port: u16) {
        self.spawn_on(port);
        eventually(&format!("{} answers", self.name), || {
            let child = self.child.as_mut().expect("just started");
            if let Some(status) = child.try_wait().expect("a child") {
                panic!("{} ended with {status}:\n{}", self.name, self.log());
            }
            self.try_http("GET", "/healthz", None).is_ok_and(|answer| answer.status == 200)
        });
    }

    /// Starts the daemon as [`start`](Self::start) does, and does not wait: for who kills it right away.
    pub fn spawn(&mut self) {
        self.spawn_on(self.port);
    }

    fn spawn_on(&mut self, port: u16) {
        assert!(self.child.is_none(), "{} runs already", self.name);
        // A killed daemon leaves its old address behind.
        let _ = fs::remove_file(self.dir.join("http.addr"));
        let log = File::options().create(true).append(true).open(self.log_file()).expect("a log file");
        let [peers, told] = [port, self.told.unwrap_or(port)].map(|port| format!("/ip4/127.0.0.1/tcp/{port}"));
        let mut command = self.command();
        command.args(["run", "--while-stdin-is-open", "--http", "127.0.0.1:0"]);
        match &self.place {
            Some(place) => fs::write(self.dir.join("ortsnetz.toml"), &place.config).expect("a data directory"),
            None => {
                command.args(["--listen", &peers, "--advertise", &told]);
            }
        }
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().expect("the daemon starts"));
    }

    /// Stops the daemon with SIGTERM and waits for its end.
    ///
    /// # Panics
    /// If it does not end by itself, or not with success.
    pub fn stop(&mut self) {
        self.signal("TERM");
        let status = self.wait();
        assert!(status.success(), "{} stopped with {status}:\n{}", self.name, self.log());
    }

    /// Ends the daemon with SIGKILL.
    pub fn kill(&mut self) {
        self.child.as_mut().expect("it runs").kill().expect("a child can be killed");
        self.wait();
    }

    /// Ends the daemon with SIGKILL from another thread than the one that waits for it; [`killed`](Self::killed) follows.
    pub fn kill_now(&self) {
        self.signal("KILL");
    }

    /// Waits for the end of a daemon that was killed.
    pub fn killed(&mut self) {
        self.wait();
    }

    /// Runs a command that may fail because the daemon goes away; gives its exit code.
    pub fn cli_when_it_may_fail(&self, arguments: &[&str]) -> i32 {
        let ended = self.command().args(arguments).stdin(Stdio::null()).output().expect("it runs");
        ended.status.code().unwrap_or(-1)
    }

    /// Names of what was moved aside as damaged, in its directory and its store.
    pub fn broken(&self) -> Vec<String> {
        let items = [self.dir.clone(), self.dir.join("store")].into_iter().flat_map(fs::read_dir).flatten().flatten();
        let names = items.map(|item| item.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.contains("broken") || name == "damaged").collect()
    }

    /// Sends the daemon a signal: `STOP` freezes it where it is, `CONT` lets it go on.
    pub fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let status = Command::new("kill").args([&format!("-{signal}"), &pid]).status().expect("kill runs");
        assert!(status.success(), "{} could not be sent a signal", self.name);
    }

    fn wait(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let ended = eventually_some(&format!("{} ends", self.name), || child.try_wait().expect("a child"));
        drop(child.stdin.take());
        ended
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map(Child::id).unwrap_or_else(|| panic!("{} does not run", self.name))
    }

    /// Where partners reach it, as a multiaddr.
    pub fn peer_address(&self) -> String {
        format!("/ip4/127.0.0.1/tcp/{}", self.port)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From the next start on partners are told to dial this port, where somebody leads them on.
    pub fn told_at(&mut self, port: u16) {
        self.told = Some(port);
    }

    /// The most memory its daemon ever had, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("Linux tells the peak");
        let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
        kib * 1024
    }

    /// Whether its process has not ended by itself.
    pub fn still_runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().is_ok_and(|status| status.is_none()))
    }

    /// Whether it was started and not stopped.
    pub fn runs(&self) -> bool {
        self.child.is_some()
    }

    /// Everything its daemons logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.dir.with_extension("log")
    }

    fn command(&self) -> Command {
        let mut command = match &self.place {
            Some(place) => {
                let mut command = Command::new("ip");
                // It executes the daemon in its own process.
                command.args(["netns", "exec", &place.namespace]).arg(binary());
                command
            }
            None => Command::new(binary()),
        };
        command
            .arg("--data-dir")
            .arg(&self.dir)
            .env_remove("ORTSNETZ_DATA_DIR")
            .env_remove("SSLKEYLOGFILE")
            .env(WORK_FACTOR.0, WORK_FACTOR.1);
        command
    }

    /// Runs a command with `--json`. What is an object says whether the command did what it was told, as its exit code does.
    #[track_caller]
    pub fn cli(&self, arguments: &[&str]) -> Output {
        let output = self.command().arg("--json").args(arguments).stdin(Stdio::null()).output().expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it prints UTF-8");
        let stdout = text(output.stdout);
        let json: Value = serde_json::from_str(&stdout).unwrap_or_default();
        let code = output.status.code().unwrap_or(-1);
        if json.is_object() && arguments[0] != "export" {
            assert_eq!(json["ok"], code == 0, "{}: {arguments:?}: {stdout}", self.name);
        }
        Output { code, json, stdout, stderr: text(output.stderr) }
    }

    /// Runs a command that must do what it is told, and gives its document.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> Value {
        let output = self.cli(arguments);
        assert_eq!(output.code, 0, "{}: {arguments:?}: {}{}", self.name, output.stderr, output.stdout);
        output.json
    }

    /// Asks over HTTP, as somebody who has the token; `path` begins with `/`.
    #[track_caller]
    pub fn http(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.try_http(method, path, body).unwrap_or_else(|error| panic!("{}: {method} {path}: {error}", self.name))
    }

    /// The same where the daemon may be gone.
    pub fn try_http(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, String> {
        let address = self.address().ok_or("no daemon runs")?;
        if let Some(place) = &self.place {
            return self.http_in(place, &address, method, path, body);
        }
        let token = fs::read_to_string(self.dir.join("admin.token")).map_err(|error| error.to_string())?;
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{address}{path}"))
            .header("authorization", format!("Bearer {}", token.trim()))
            .header("content-type", "application/json")
            .body(body.map(Value::to_string).unwrap_or_default())
            .map_err(|error| error.to_string())?;
        let mut response = self.agent.run(request).map_err(|error| error.to_string())?;
        let text = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
        let text = text.map_err(|error| error.to_string())?;
        let json = serde_json::from_str(&text).unwrap_or_default();
        Ok(Answer { status: response.status().as_u16(), text, json })
    }

    /// The same on another machine, over the shell's own connection.
    fn http_in(
        &self,
        place: &Place,
        address: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let token = fs::read_to_string(self.dir.join("admin.token")).map_err(|error| error.to_string())?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let (host, port) = address.trim_start_matches("http://").rsplit_once(':').ok_or("an odd address")?;
        let request = format!(
            "{method} {path} HTTP/1.0\r\nhost: {host}:{port}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            token.trim(),
            body.len()
        );
        let talk = format!("exec 3<>/dev/tcp/{host}/{port} && cat >&3 && cat <&3");
        let mut child = Command::new("ip")
            .args(["netns", "exec", &place.namespace, "bash", "-c", &talk])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let sent = child.stdin.take().map(|mut to| to.write_all(request.as_bytes()));
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        sent.transpose().map_err(|error| error.to_string())?;
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        let (head, text) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("no status")?;
        Ok(Answer { status, json: serde_json::from_str(text).unwrap_or_default(), text: text.to_owned() })
    }

    /// A document of the API; `path` follows `/api/v1`.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let answer = self.http("GET", &format!("/api/v1{path}"), None);
        assert_eq!(answer.status, 200, "{}: GET {path}: {}", self.name, answer.text);
        answer.json
    }

    fn address(&self) -> Option<String> {
        let address = fs::read_to_string(self.dir.join("http.addr")).ok()?;
        Some(format!("http://{}", address.trim()))
    }

    /// A number of `/metrics`, summed over its labels.
    #[track_caller]
    pub fn metric(&self, name: &str) -> f64 {
        let answer = self.http("GET", "/metrics", None);
        let values = answer.text.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            (series.split('{').next() == Some(name)).then(|| value.parse::<f64>().ok())?
        });
        let values: Vec<f64> = values.collect();
        assert!(!values.is_empty(), "{}: there is no metric {name}", self.name);
        values.iter().sum()
    }

    /// Makes both partners, confirmed on both sides.
    #[track_caller]
    pub fn befriend(&self, joiner: &Town) {
        let invitation = self.ok(&["invite", "--for", &joiner.ars, "--trust"]);
        let joined = joiner.ok(&["join", invitation["token"].as_str().expect("a token")]);
        assert_eq!(joined["check_words"].as_array().map(Vec::len), Some(6), "{joined}");
    }

    /// Creates a draft and gives its id.
    #[track_caller]
    pub fn create(&self, kind: &str, values: &[&str]) -> String {
        let written = self.ok(&[&["create", kind], values].concat());
        written["id"].as_str().expect("an id").to_owned()
    }

    /// Creates an entry, publishes it and gives its id.
    #[track_caller]
    pub fn publish(&self, kind: &str, values: &[&str]) -> String {
        let id = self.create(kind, values);
        self.publish_entry(&id);
        id
    }

    /// Publishes an entry; must be the publisher.
    #[track_caller]
    pub fn publish_entry(&self, id: &str) {
        let published = self.ok(&["publish", id]);
        assert_eq!(published["published"][0]["id"], *id, "{published}");
    }

    /// What `show` gives of the published state; null if it is not known here.
    pub fn shown(&self, id: &str) -> Value {
        self.api(&format!("/entries/{id}"))
    }

    /// What `show --draft` gives; null if there is none.
    pub fn draft(&self, id: &str) -> Value {
        self.api(&format!("/entries/{id}?draft=true"))
    }

    fn api(&self, path: &str) -> Value {
        match self.try_http("GET", &format!("/api/v1{path}"), None) {
            Ok(answer) if answer.status == 200 => answer.json,
            _ => Value::Null,
        }
    }

    /// `status`.
    #[track_caller]
    pub fn status(&self) -> Value {
        self.get("/status")
    }

    /// The row of a partner, or of another node of the own organisation, in `status`; null if there is none.
    #[track_caller]
    pub fn row_of(&self, other: &Town) -> Value {
        let status = self.status();
        let rows = status["partners"].as_array().cloned().unwrap_or_default();
        let id = if other.organisation == self.organisation { &other.node } else { &other.organisation };
        rows.into_iter().find(|row| row["id"] == **id).unwrap_or_default()
    }

    /// Waits until both say that nothing is left to exchange.
    #[track_caller]
    pub fn wait_in_sync(&self, other: &Town) {
        eventually(&format!("{} and {} are in sync", self.name, other.name), || {
            self.row_of(other)["in_sync"] == json!(true) && other.row_of(self)["in_sync"] == json!(true)
        });
    }

    /// The open alarms.
    #[track_caller]
    pub fn alarms(&self) -> Vec<Value> {
        self.status()["alarms"].as_array().cloned().unwrap_or_default()
    }

    /// Says that the store is whole.
    #[track_caller]
    pub fn check_store(&self) {
        let check = self.cli(&["store", "check"]);
        assert_eq!((check.code, &check.json["problems"]), (0, &json!([])), "{}: {}", self.name, check.stderr);
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n");
            eprintln!("--- {} logged last:\n{last}", self.name);
        }
        if let Some(mut child) = self.child.take() {
            // An error means that it is gone.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn directory_name(name: &str) -> String {
    name.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect()
}

/// A port that is free now and is given to nobody else: not by us, and not by the system as the near end of a
/// connection, so that a daemon that was stopped finds it free again.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Other test processes begin elsewhere.
    let begin = u16::try_from(std::process::id() % u32::from(PORTS.end - PORTS.start)).expect("fewer than all ports");
    loop {
        let nth = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % (PORTS.end - PORTS.start);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, PORTS.start + nth)).is_ok() {
            return PORTS.start + nth;
        }
    }
}
