//! The lines between the daemons: each is dialled at a port of ours and led on from there, so that single lines can be cut,
//! or swallow what is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// How long a line that swallows waits before it looks again.
const LOOK: Duration = Duration::from_millis(50);

/// Two towns, the smaller number first.
type Pair = (usize, usize);

#[derive(Default)]
struct State {
    cut: BTreeSet<Pair>,
    stalled: BTreeSet<Pair>,
    /// Which daemon runs as which process.
    processes: BTreeMap<u32, usize>,
    open: Vec<(Pair, TcpStream)>,
}

/// All lines.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<State>>);

impl Lines {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Leads everybody who dials the port that is returned on to `port`, where this town listens.
    pub fn lead_to(&self, town: usize, port: u16) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let ours = listener.local_addr().expect("an address").port();
        let lines = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let lines = lines.clone();
                std::thread::spawn(move || lines.lead(stream, ours, town, port));
            }
        });
        ours
    }

    /// This daemon runs as this process now.
    pub fn runs(&self, town: usize, process: u32) {
        let mut state = self.state();
        state.processes.retain(|_, known| *known != town);
        state.processes.insert(process, town);
    }

    /// Ends the line between two towns and lets no new one come.
    pub fn cut(&self, a: usize, b: usize) {
        let pair = (a.min(b), a.max(b));
        let mut state = self.state();
        state.cut.insert(pair);
        for (_, stream) in state.open.iter().filter(|(open, _)| *open == pair) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// The line takes everything and gives nothing, as one whose cable was pulled.
    pub fn stall(&self, a: usize, b: usize) {
        self.state().stalled.insert((a.min(b), a.max(b)));
    }

    /// All lines are good again.
    pub fn mend(&self) {
        let mut state = self.state();
        state.cut.clear();
        state.stalled.clear();
    }

    fn lead(&self, dialler: TcpStream, ours: u16, town: usize, port: u16) {
        let from = dialler.peer_addr().ok().and_then(|address| self.who(address.port(), ours));
        // Who is not known yet comes again.
        let Some(from) = from else { return };
        let pair = (from.min(town), from.max(town));
        let Ok(listener) = TcpStream::connect(("127.0.0.1", port)) else { return };
        let copies = [&dialler, &listener].map(|stream| stream.try_clone());
        let [Ok(dialler_again), Ok(listener_again)] = copies else { return };
        {
            let mut state = self.state();
            if state.cut.contains(&pair) {
                return;
            }
            state.open.retain(|(_, stream)| stream.peer_addr().is_ok());
            state
                .open
                .extend([&dialler, &listener].into_iter().filter_map(|side| Some((pair, side.try_clone().ok()?))));
        }
        let lines = self.clone();
        std::thread::spawn(move || lines.copy(pair, dialler_again, listener_again));
        self.copy(pair, listener, dialler);
    }

    fn copy(&self, pair: Pair, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(count) = from.read(&mut bytes)
            && count > 0
        {
            while self.state().stalled.contains(&pair) {
                std::thread::sleep(LOOK);
            }
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }

    /// Which daemon dials from this port: the kernel knows the socket, and whose it is.
    fn who(&self, port: u16, ours: u16) -> Option<usize> {
        let sockets = fs::read_to_string("/proc/net/tcp").ok()?;
        let (local, remote) = (format!("0100007F:{port:04X}"), format!("0100007F:{ours:04X}"));
        let line = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let line = line.into_iter().find(|line| line.len() > 9 && line[1] == local && line[2] == remote)?;
        let socket = format!("socket:[{}]", line[9]);
        let processes = self.state().processes.clone();
        processes.into_iter().find_map(|(process, town)| {
            let files = fs::read_dir(format!("/proc/{process}/fd")).ok()?;
            let mut links = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
            links.any(|link| link.as_os_str() == socket.as_str()).then_some(town)
        })
    }
}
