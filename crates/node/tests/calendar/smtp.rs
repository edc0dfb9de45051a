//! A mail server that keeps what it gets, and can be out of order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A mail that came.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Addresses.
    pub to: Vec<String>,
    head: String,
    text: String,
}

#[derive(Default)]
struct State {
    refuse: AtomicBool,
    received: Mutex<Vec<Received>>,
}

/// The server, until the test ends.
pub struct Server {
    port: u16,
    state: Arc<State>,
}

impl Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(State::default());
        let serving = state.clone();
        tokio::spawn(async move {
            while let Ok((line, _)) = listener.accept().await {
                tokio::spawn(serve(line, serving.clone()));
            }
        });
        Self { port, state }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn refuse(&self, refuse: bool) {
        self.state.refuse.store(refuse, Ordering::SeqCst);
    }

    pub fn count(&self, which: impl Fn(&Received) -> bool) -> usize {
        self.state.received.lock().expect("whole").iter().filter(|mail| which(mail)).count()
    }

    pub fn find(&self, which: impl Fn(&Received) -> bool) -> Option<Received> {
        self.state.received.lock().expect("whole").iter().find(|mail| which(mail)).cloned()
    }
}

impl Received {
    pub fn subject(&self) -> String {
        let head = self.head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let line = head.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or_default().to_owned();
        // Encoded words are joined without the blank between them.
        let mut subject = String::new();
        let mut bytes = Vec::new();
        let mut before_encoded = false;
        for word in line.split(' ') {
            let encoded = word.strip_prefix("=?utf-8?b?").and_then(|rest| rest.strip_suffix("?="));
            match encoded {
                Some(encoded) => {
                    if !before_encoded && !subject.is_empty() {
                        subject.push(' ');
                    }
                    bytes.extend(data_encoding::BASE64.decode(encoded.as_bytes()).expect("base64"));
                }
                None => {
                    subject.push_str(&String::from_utf8(std::mem::take(&mut bytes)).expect("UTF-8"));
                    if !subject.is_empty() {
                        subject.push(' ');
                    }
                    subject.push_str(word);
                }
            }
            before_encoded = encoded.is_some();
        }
        subject.push_str(&String::from_utf8(bytes).expect("UTF-8"));
        subject
    }

    pub fn body(&self) -> String {
        if self.head.contains("base64") && self.head.contains("Content-Transfer-Encoding: base64") {
            let text: String = self.text.split_whitespace().collect();
            return String::from_utf8(data_encoding::BASE64.decode(text.as_bytes()).expect("base64")).expect("UTF-8");
        }
        let text = self.text.replace("=\r\n", "");
        let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
        while let Some((first, after)) = rest.split_first() {
            let hex = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
            match hex.filter(|_| *first == b'=') {
                Some(byte) => (bytes, rest) = ([bytes, vec![byte]].concat(), &after[2..]),
                None => (bytes, rest) = ([bytes, vec![*first]].concat(), after),
            }
        }
        String::from_utf8(bytes).expect("UTF-8").replace("\r\n", "\n")
    }
}

async fn serve(line: TcpStream, state: Arc<State>) -> std::io::Result<()> {
    let (reading, mut writing) = line.into_split();
    let mut lines = BufReader::new(reading);
    writing.write_all(b"220 test\r\n").await?;
    let mut mail = Received::default();
    loop {
        let mut command = String::new();
        if lines.read_line(&mut command).await? == 0 {
            return Ok(());
        }
        let command = command.trim_end().to_owned();
        let answer = if command.starts_with("EHLO") {
            "250-test\r\n250 8BITMIME"
        } else if command.starts_with("MAIL") && state.refuse.load(Ordering::SeqCst) {
            "451 out of order"
        } else if let Some(to) = command.strip_prefix("RCPT TO:<") {
            mail.to.push(to.trim_end_matches('>').to_owned());
            "250 ok"
        } else if command == "DATA" {
            writing.write_all(b"354 go on\r\n").await?;
            let mut text = String::new();
            while !text.ends_with("\r\n.\r\n") && lines.read_line(&mut text).await? > 0 {}
            let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
            (mail.head, mail.text) = (head.to_owned(), body.trim_end_matches(".\r\n").to_owned());
            state.received.lock().expect("whole").push(std::mem::take(&mut mail));
            "250 taken"
        } else if command == "QUIT" {
            writing.write_all(b"221 bye\r\n").await?;
            return Ok(());
        } else {
            "250 ok"
        };
        writing.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}
