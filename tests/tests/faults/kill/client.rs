//! HTTP from many threads to a daemon that may be gone at any moment.

use std::fs;
use std::time::Duration;

use ortsnetz_tests::Town;
use serde_json::Value;
use ureq::Agent;

/// How long one request may take. A killed daemon closes its connections, so nobody waits that long for it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Talks to one process of a daemon.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    base: String,
    token: String,
}

/// No whole answer came: what was asked may have happened or not.
#[derive(Debug)]
pub struct Gone;

/// An answer.
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Body.
    pub text: String,
}

impl Answer {
    /// The body of a success.
    #[track_caller]
    pub fn json(&self, asked: &str) -> Value {
        assert!((200..300).contains(&self.status), "{asked}: {} {}", self.status, self.text);
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{asked}: {error}: {}", self.text))
    }
}

impl Client {
    /// To the daemon that runs on this directory now.
    pub fn of(town: &Town) -> Self {
        let read = |name: &str| {
            let text = fs::read_to_string(town.dir.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            text.trim().to_owned()
        };
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let base = format!("http://{}/api/v1", read("http.addr"));
        Self { agent, base, token: format!("Bearer {}", read("admin.token")) }
    }

    /// Asks; an answer that is cut off counts as none.
    pub fn send(&self, method: &str, path: &str, media_type: &str, body: Vec<u8>) -> Result<Answer, Gone> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("authorization", &self.token)
            .header("content-type", media_type)
            .body(body)
            .expect("a request");
        let mut response = self.agent.run(request).map_err(|_| Gone)?;
        let text = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string().map_err(|_| Gone)?;
        Ok(Answer { status: response.status().as_u16(), text })
    }

    /// Sends JSON.
    pub fn send_json(&self, method: &str, path: &str, body: &Value) -> Result<Answer, Gone> {
        let media_type = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        self.send(method, path, media_type, body.to_string().into_bytes())
    }

    /// Reads, from a daemon that must be there.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "application/json", Vec::new()).unwrap_or_else(|_| panic!("no answer to GET {path}"))
    }
}
