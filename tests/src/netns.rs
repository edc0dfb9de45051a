//! Network namespaces: machines with their own addresses, routers with NAT, and lines that can be slow, lossy or cut.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// What carries frames between two namespaces.
const LINE: &str = include_str!("line.py");

/// What a router does: its machines get out under its own address, and nobody gets in.
const NAT: &str = "table ip nat {
  chain out { type nat hook postrouting priority 100;
    oifname \"outside\" masquerade
  }
}
table ip filter {
  chain through { type filter hook forward priority 0; policy drop;
    iifname \"inside\" accept
    ct state established,related accept
  }
}
";

/// Namespaces of one test; dropped, they are gone.
#[derive(Debug, Default)]
pub struct Networks {
    names: Vec<String>,
}

/// An end of a line: namespace, name of the interface there, and its address with the length of the prefix.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// As [`Networks::add`] returned it.
    pub namespace: &'a str,
    /// At most 15 characters.
    pub interface: &'a str,
    /// Like `10.0.1.2/24`.
    pub address: &'a str,
}

/// A short way to write an [`End`].
pub fn end<'a>(namespace: &'a str, interface: &'a str, address: &'a str) -> End<'a> {
    End { namespace, interface, address }
}

fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Runs a command of the system that has to work.
#[track_caller]
fn run(program: &str, package: &str, arguments: &[&str], input: &str) {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap_or_else(|error| {
        panic!("{program} ({error}): install it with `apt-get install {package}`, or `scripts/tools.sh network`")
    });
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?} failed, run this test as root: {said}");
}

#[track_caller]
fn ip(arguments: &[&str]) {
    run("ip", "iproute2", arguments, "");
}

impl Networks {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A machine without any line; returns the name of its namespace.
    #[track_caller]
    pub fn add(&mut self, name: &str) -> String {
        let name = format!("ortsnetz-{}-{name}", unique());
        ip(&["netns", "add", &name]);
        self.names.push(name.clone());
        ip(&["-n", &name, "link", "set", "lo", "up"]);
        name
    }

    /// Connects two machines by a line that only carries.
    #[track_caller]
    pub fn connect(&self, a: End<'_>, b: End<'_>) {
        let near = ["-n", a.namespace, "link", "add", a.interface, "type", "veth"];
        ip(&[&near[..], &["peer", "name", b.interface, "netns", b.namespace]].concat());
        [a, b].iter().for_each(up);
    }

    /// Connects two machines by a line that can be slow, lossy or cut.
    #[track_caller]
    pub fn line(&self, a: End<'_>, b: End<'_>) -> Line {
        let taps = ["a", "b"].map(|side| format!("on{}{side}", unique()));
        let line = Line::new(&taps);
        for (tap, end) in taps.iter().zip([a, b]) {
            ip(&["link", "set", tap, "netns", end.namespace, "name", end.interface]);
            up(&end);
        }
        line
    }

    /// Where a machine sends what is not for its neighbours.
    #[track_caller]
    pub fn route(&self, namespace: &str, gateway: &str) {
        ip(&["-n", namespace, "route", "add", "default", "via", gateway]);
    }

    /// Lets a machine pass packets on.
    #[track_caller]
    pub fn forward(&self, namespace: &str) {
        let set = ["netns", "exec", namespace, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"];
        ip(&set);
    }

    /// Makes a machine a router with NAT, from its interface `inside` to its interface `outside`.
    #[track_caller]
    pub fn nat(&self, namespace: &str) {
        self.forward(namespace);
        self.rules(namespace, NAT);
    }

    /// Adds rules of nftables.
    #[track_caller]
    pub fn rules(&self, namespace: &str, rules: &str) {
        let missing = Command::new("nft").arg("--version").output().is_err();
        assert!(!missing, "nft is missing: install it with `apt-get install nftables`, or `scripts/tools.sh network`");
        run("ip", "iproute2", &["netns", "exec", namespace, "nft", "-f", "-"], rules);
    }
}

#[track_caller]
fn up(end: &End<'_>) {
    ip(&["-n", end.namespace, "address", "add", end.address, "dev", end.interface]);
    ip(&["-n", end.namespace, "link", "set", end.interface, "up"]);
}

impl Drop for Networks {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = Command::new("ip").args(["netns", "delete", name]).status();
        }
    }
}

/// Which way nothing passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Everything passes.
    None,
    /// Nothing passes.
    Both,
    /// Nothing passes from the first end to the second.
    Forth,
    /// Nothing passes from the second end to the first.
    Back,
}

/// A line that can be slow, lossy or cut; dropped, it is gone.
#[derive(Debug)]
pub struct Line {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Line {
    #[track_caller]
    fn new(taps: &[String; 2]) -> Self {
        let child =
            Command::new("python3").args(["-c", LINE]).args(taps).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("python3 is there: install it with `apt-get install python3`");
        let commands = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = Self { child, commands, answers };
        line.answered("open two TAP interfaces (/dev/net/tun)");
        line
    }

    #[track_caller]
    fn answered(&mut self, what: &str) {
        let mut answer = String::new();
        let read = self.answers.read_line(&mut answer);
        assert!(read.is_ok() && answer == "ok\n", "the line could not {what}; run this test as root: {answer:?}");
    }

    #[track_caller]
    fn tell(&mut self, command: &str) {
        writeln!(self.commands, "{command}").expect("the line listens");
        self.answered(command);
    }

    /// How long each packet takes.
    #[track_caller]
    pub fn delay(&mut self, milliseconds: u32) {
        self.tell(&format!("delay {milliseconds}"));
    }

    /// How many packets of a hundred are lost, in each direction.
    #[track_caller]
    pub fn lose(&mut self, percent: u32) {
        self.tell(&format!("loss {percent}"));
    }

    /// Cuts the line, in one direction or both, or mends it.
    #[track_caller]
    pub fn cut(&mut self, cut: Cut) {
        let which = match cut {
            Cut::None => "none",
            Cut::Both => "both",
            Cut::Forth => "ab",
            Cut::Back => "ba",
        };
        self.tell(&format!("cut {which}"));
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
