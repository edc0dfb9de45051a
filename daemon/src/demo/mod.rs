//! `ortsnetz demo`: six organisations on this machine, from nothing to the same data, and then to play with.

mod node;
mod region;
mod view;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use crate::args::Demo;
use crate::client::Client;
use crate::commands::Context;
use crate::failure::Failure;
use crate::run::stop_signal;
use node::Node;
use region::{PARTNERSHIPS, TOWNS};
use view::{Row, Screen};

/// Between two looks at all nodes: quick until they are in sync, calm afterwards.
const POLL_MS: u64 = 50;
const WATCH_MS: u64 = 500;
/// How long a node may take to say how it is; a slower one is shown as not answering.
const STATUS_SECONDS_MAX: u64 = 5;
/// How long `--no-wait` waits for all to be in sync.
const SYNC_SECONDS_MAX: u64 = 60;

/// `demo`
pub(crate) fn demo(context: &Context, args: Demo) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let stopped = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stopped);
    let signal = runtime.block_on(async { stop_signal() })?;
    runtime.spawn(async move {
        signal.await;
        flag.store(true, Ordering::Relaxed);
    });
    // Goes with everything in it at the end, unless the user named the place.
    let temporary = match &args.dir {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("ortsnetz-demo-").tempdir()?),
    };
    let directory = match (&args.dir, &temporary) {
        (Some(directory), _) => empty_directory(directory)?,
        (None, Some(temporary)) => temporary.path().to_owned(),
        (None, None) => return Err(Failure::Failed("no directory for the demonstration".into())),
    };
    note("making six identities ...");
    in_parallel(&TOWNS, |town| node::init(town, &directory.join(town.key)))?;
    if stopped.load(Ordering::Relaxed) {
        return Ok(());
    }
    let began = Instant::now();
    let mut nodes = Vec::new();
    for (index, town) in (0..).zip(&TOWNS) {
        nodes.push(Node::start(town, index, directory.join(town.key))?);
    }
    let result = play(context, args.no_wait, &mut nodes, began, &stopped);
    note("stopping ...");
    node::stop_all(nodes);
    result
}

/// From running nodes to a table that lives until the signal.
fn play(
    context: &Context,
    no_wait: bool,
    nodes: &mut [Node],
    began: Instant,
    stopped: &AtomicBool,
) -> Result<(), Failure> {
    let mut clients = Vec::new();
    for node in nodes.iter_mut() {
        clients.push(node.wait_until_ready()?);
    }
    connect_and_fill(&clients)?;
    let patience = Duration::from_secs(STATUS_SECONDS_MAX);
    let watchers: Vec<Client> = clients.iter().map(|client| client.impatient(patience)).collect();
    let mut screen = Screen::default();
    let mut in_sync: Option<(Duration, Vec<String>)> = None;
    while !stopped.load(Ordering::Relaxed) {
        for node in nodes.iter_mut() {
            node.check()?;
        }
        let rows = look(nodes, &watchers);
        let done = rows.iter().all(|row| row.is_in_sync());
        if done && in_sync.is_none() {
            let took = began.elapsed();
            let commands = commands(nodes, &clients)?;
            if context.output.json {
                context.output.document(&view::document(&rows, took.as_millis(), &commands))?;
            }
            in_sync = Some((took, commands));
        }
        if !context.output.json {
            let mut text = view::table(&rows);
            if let Some((took, commands)) = &in_sync {
                text.push_str(&format!("\nAll in sync {:.1} s after the start. Try:\n", took.as_secs_f64()));
                for command in commands {
                    text.push_str(&format!("  {command}\n"));
                }
                let first = rows.iter().find_map(|row| row.status.as_ref());
                let address = first.map_or_else(String::new, |status| format!("http://{}", status.http));
                text.push_str(&format!("or open {address} in a browser. Ctrl-C stops all.\n"));
            }
            screen.draw(&text)?;
        }
        if no_wait && in_sync.is_some() {
            return Ok(());
        }
        if no_wait && began.elapsed() > Duration::from_secs(SYNC_SECONDS_MAX) {
            let late: Vec<&str> = rows.iter().filter(|row| !row.is_in_sync()).map(|row| row.town.name).collect();
            return Err(Failure::Failed(format!("not in sync after {SYNC_SECONDS_MAX} s: {}", late.join(", "))));
        }
        sleep(Duration::from_millis(if in_sync.is_some() { WATCH_MS } else { POLL_MS }));
    }
    Ok(())
}

/// All imports and all joins at once.
fn connect_and_fill(clients: &[Client]) -> Result<(), Failure> {
    enum Work {
        Fill(usize),
        Join(usize, usize),
    }
    let fills = (0..TOWNS.len()).map(Work::Fill);
    let joins = PARTNERSHIPS.iter().map(|(inviter, joiner)| Work::Join(*inviter, *joiner));
    let work: Vec<Work> = joins.chain(fills).collect();
    in_parallel(&work, |work| match work {
        Work::Fill(town) => node::fill(&TOWNS[*town], &clients[*town]),
        Work::Join(inviter, joiner) => node::join(&clients[*inviter], &clients[*joiner], TOWNS[*joiner].ars),
    })
}

fn look<'a>(nodes: &'a [Node], clients: &[Client]) -> Vec<Row<'a>> {
    let status = |client: &Client| {
        let document = client.get("/status", &[]).ok()?;
        serde_json::from_value(document).ok()
    };
    nodes
        .iter()
        .zip(clients)
        .map(|(node, client)| Row { town: node.town, data_dir: &node.data_dir, status: status(client) })
        .collect()
}

/// Three commands that work as they stand.
fn commands(nodes: &[Node], clients: &[Client]) -> Result<Vec<String>, Failure> {
    let program = view::quoted(&std::env::current_exe()?.display().to_string());
    let at = |node: &Node| format!("{program} --data-dir {}", view::quoted(&node.data_dir.display().to_string()));
    let (koeln, siegburg) = (&nodes[0], &nodes[3]);
    let query = [
        ("q", Some("Personalausweis beantragen".to_owned())),
        ("kind", Some("service".to_owned())),
        ("place", Some(koeln.town.ars.to_owned())),
    ];
    let found = clients[0].get("/search", &query)?;
    let hits = found["hits"].as_array().map(Vec::as_slice).unwrap_or_default();
    let own = hits.iter().find(|hit| hit["organisation"]["name"] == koeln.town.name);
    let id = own.and_then(|hit| hit["id"].as_str()).map(str::to_owned);
    let mut commands = vec![
        // Hürth is no partner of Köln, but partners vouch for it.
        format!("{} search auto anmelden --place Hürth", at(koeln)),
        format!("{} compare {}", at(siegburg), view::quoted(koeln.town.name)),
    ];
    commands.push(match id {
        Some(id) => {
            let koeln = at(koeln);
            format!("{koeln} edit {id} texts.notes.de='Heute kurze Wartezeiten.' && {koeln} publish {id}")
        }
        None => format!("{} status", at(koeln)),
    });
    Ok(commands)
}

/// Does the work for each at the same time; the first failure counts.
fn in_parallel<T: Sync>(list: &[T], work: impl Fn(&T) -> Result<(), Failure> + Sync) -> Result<(), Failure> {
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = list.iter().map(|item| scope.spawn(move || work(item))).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Result<(), Failure>>| {
            thread.join().unwrap_or_else(|_| Err(Failure::Failed("a part of the demonstration panicked".into())))
        };
        threads.into_iter().map(join).fold(Ok(()), Result::and)
    })
}

fn empty_directory(directory: &Path) -> Result<PathBuf, Failure> {
    std::fs::create_dir_all(directory)?;
    if std::fs::read_dir(directory)?.next().is_some() {
        return Err(Failure::Usage(format!("--dir: {} is not empty; give another one", directory.display())));
    }
    Ok(std::path::absolute(directory)?)
}

fn note(line: &str) {
    // Nobody listening is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_counts_and_everything_is_tried() {
        let tried = std::sync::atomic::AtomicUsize::new(0);
        let result = in_parallel(&[1, 2, 3], |n| {
            tried.fetch_add(1, Ordering::Relaxed);
            if *n == 2 { Err(Failure::Failed("two".into())) } else { Ok(()) }
        });
        assert_eq!(result, Err(Failure::Failed("two".into())));
        assert_eq!(tried.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_directory_with_something_in_it_is_left_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        assert!(empty_directory(&directory.path().join("new")).is_ok());
        assert!(matches!(empty_directory(directory.path()), Err(Failure::Usage(_))));
    }
}
