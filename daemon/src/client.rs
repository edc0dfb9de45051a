//! Talks to the running daemon of a data directory.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ortsnetz_api::{MEDIA_TYPE_PATHS, Problem};
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body, SendBody};

use crate::datadir::{HTTP_ADDR_FILE, TOKEN_FILE};
use crate::failure::Failure;

/// How long the daemon, on this machine, may take to take a call.
const CONNECT_SECONDS_MAX: u64 = 5;
/// Largest answer that is held in memory, in bytes; exports are streamed.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// A daemon that runs, or ran a moment ago.
pub(crate) struct Client {
    agent: Agent,
    base: String,
    token: String,
    data_dir: PathBuf,
}

impl Client {
    /// Finds the daemon of this directory.
    pub(crate) fn connect(data_dir: &Path) -> Result<Self, Failure> {
        let Ok(address) = std::fs::read_to_string(data_dir.join(HTTP_ADDR_FILE)) else {
            return Err(no_daemon(data_dir));
        };
        let token = std::fs::read_to_string(data_dir.join(TOKEN_FILE)).map_err(|error| {
            Failure::Failed(format!("could not read {}: {error}", data_dir.join(TOKEN_FILE).display()))
        })?;
        Ok(Self::new(data_dir, address.trim(), token.trim()))
    }

    /// The same, giving up when an answer takes longer than this: for who looks again soon anyway.
    pub(crate) fn impatient(&self, patience: Duration) -> Self {
        Self {
            agent: agent(Some(patience)),
            base: self.base.clone(),
            token: self.token.clone(),
            data_dir: self.data_dir.clone(),
        }
    }

    fn new(data_dir: &Path, address: &str, token: &str) -> Self {
        Self {
            agent: agent(None),
            base: format!("http://{address}"),
            token: format!("Bearer {token}"),
            data_dir: data_dir.to_owned(),
        }
    }

    /// Whether somebody answers.
    pub(crate) fn is_running(&self) -> bool {
        self.agent.get(format!("{}/healthz", self.base)).call().is_ok()
    }

    /// The document at this path; `query` without names whose value is `None`.
    pub(crate) fn get(&self, path: &str, query: &[(&str, Option<String>)]) -> Result<Value, Failure> {
        self.json(self.request_get(path, query)?)
    }

    /// The answer at this path as a stream.
    pub(crate) fn download(&self, path: &str, query: &[(&str, Option<String>)]) -> Result<impl Read + use<>, Failure> {
        let response = self.successful(self.request_get(path, query)?)?;
        Ok(response.into_body().into_with_config().limit(u64::MAX).reader())
    }

    fn request_get(&self, path: &str, query: &[(&str, Option<String>)]) -> Result<Response<Body>, Failure> {
        let mut request = self.agent.get(self.address(path)).header("authorization", &self.token);
        for (name, value) in query {
            if let Some(value) = value {
                request = request.query(*name, value);
            }
        }
        request.call().map_err(|error| self.unreachable(&error))
    }

    /// Sends a document.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send_json(self.agent.post(self.address(path)), "application/json", body)
    }

    /// Changes something there is.
    pub(crate) fn patch(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send_json(self.agent.patch(self.address(path)), "application/json", body)
    }

    /// Puts something in place.
    pub(crate) fn put(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send_json(self.agent.put(self.address(path)), "application/json", body)
    }

    /// Sends paths and values for a new entry.
    pub(crate) fn post_paths(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send_json(self.agent.post(self.address(path)), MEDIA_TYPE_PATHS, body)
    }

    /// Sends paths and values for an entry there is.
    pub(crate) fn patch_paths(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send_json(self.agent.patch(self.address(path)), MEDIA_TYPE_PATHS, body)
    }

    /// Takes something away.
    pub(crate) fn delete(&self, path: &str) -> Result<Value, Failure> {
        let request = self.agent.delete(self.address(path)).header("authorization", &self.token);
        self.json(request.call().map_err(|error| self.unreachable(&error))?)
    }

    /// Sends a stream of any length.
    pub(crate) fn upload(
        &self,
        path: &str,
        query: &[(&str, Option<String>)],
        header: Option<(&str, String)>,
        body: &mut dyn Read,
    ) -> Result<Value, Failure> {
        let mut request = self.agent.post(self.address(path)).header("authorization", &self.token);
        for (name, value) in query {
            if let Some(value) = value {
                request = request.query(*name, value);
            }
        }
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let mut body = body;
        let sent = request.header("content-type", "application/octet-stream").send(SendBody::from_reader(&mut body));
        self.json(sent.map_err(|error| self.unreachable(&error))?)
    }

    fn send_json(
        &self,
        request: ureq::RequestBuilder<ureq::typestate::WithBody>,
        media_type: &str,
        body: &Value,
    ) -> Result<Value, Failure> {
        let request = request.header("authorization", &self.token).header("content-type", media_type);
        self.json(request.send(body.to_string()).map_err(|error| self.unreachable(&error))?)
    }

    fn address(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.base)
    }

    fn json(&self, response: Response<Body>) -> Result<Value, Failure> {
        let mut response = self.successful(response)?;
        let text = response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_string()
            .map_err(|error| self.unreachable(&error))?;
        serde_json::from_str(&text)
            .map_err(|error| Failure::Failed(format!("{} answered with no JSON: {error}", self.base)))
    }

    fn successful(&self, mut response: Response<Body>) -> Result<Response<Body>, Failure> {
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let text = response.body_mut().read_to_string().unwrap_or_default();
        match serde_json::from_str::<Problem>(&text) {
            Ok(problem) if problem.word() == "invalid" => Err(Failure::Usage(problem.detail)),
            Ok(problem) => Err(Failure::Failed(problem.detail)),
            Err(_) => Err(Failure::Failed(format!(
                "{} answered {status}, which no Ortsnetz node does; is something else running there?",
                self.base
            ))),
        }
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        let refused = matches!(error, ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused)
            || matches!(error, ureq::Error::ConnectionFailed | ureq::Error::Timeout(_));
        if refused {
            return no_daemon(&self.data_dir);
        }
        Failure::Failed(format!("the daemon at {} broke off: {error}; its log says why", self.base))
    }
}

/// Asks this machine and nobody else: no proxy from the environment may see the token.
fn agent(patience: Option<Duration>) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_connect(Some(Duration::from_secs(CONNECT_SECONDS_MAX)))
        .timeout_global(patience)
        .build()
        .into()
}

/// One part of a path, with everything encoded that could end it.
pub(crate) fn segment(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    // `.` and `..` would be taken as steps in the path.
    if out.chars().all(|c| c == '.') { out.replace('.', "%2E") } else { out }
}

fn no_daemon(data_dir: &Path) -> Failure {
    let directory = data_dir.display();
    if !data_dir.exists() {
        return Failure::NoDaemon(format!(
            "no daemon running: there is no {directory}; make an identity with `ortsnetz --data-dir {directory} init --name NAME --ars ARS`, then start `run`"
        ));
    }
    Failure::NoDaemon(format!(
        "no daemon running for {directory}; start it with `ortsnetz --data-dir {directory} run`, or give another --data-dir"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_there_is_its_own_case() {
        let directory = tempfile::tempdir().expect("a directory");
        assert!(matches!(Client::connect(directory.path()), Err(Failure::NoDaemon(_))));
        // The port was free a moment ago: nobody listens there.
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
        let client = Client::new(directory.path(), &free.to_string(), "token");
        assert!(!client.is_running());
        let answer = client.get("/status", &[]);
        assert!(matches!(answer, Err(Failure::NoDaemon(_))), "{answer:?}");
    }

    #[test]
    fn a_name_cannot_leave_its_segment() {
        assert_eq!(segment("Stadt Köln/.."), "Stadt%20K%C3%B6ln%2F..");
        assert_eq!(segment(".."), "%2E%2E");
        assert_eq!(segment("00ff"), "00ff");
    }
}
