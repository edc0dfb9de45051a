//! Gets a sealed copy back: the newest that root has signed, from whoever has it, piece by piece. Each piece is checked when
//! it comes, so that it does not matter who gives it, and who gives something else or is too slow is left for the next.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ortsnetz_model::{NodeId, OrgId};
use ortsnetz_net::Handle;
use ortsnetz_trust::PublicKey;
use ortsnetz_trust::sealed::{KeepAnswer, KeepAsk, KeepRefusal, SealedCopy};

use super::copy_info;
use super::limits::RATE_MIN;
use super::owner::{BUSY, ask};
use crate::dto::FetchedCopy;
use crate::error::NodeError;
use crate::shared::{Shared, read};

const FIRST_WHILE: Duration = Duration::from_secs(60);
/// How often a broken line is waited for in a row, and how long.
const TRIES: u32 = 4;
const CONNECT: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(100);

/// A node that may have a copy.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// As people call it.
    pub(crate) name: String,
    pub(crate) node: NodeId,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Fetched {
    /// The copy that lies in the file now, if any.
    pub(crate) copy: Option<SealedCopy>,
    /// Who gave it.
    pub(crate) from: Vec<String>,
    /// Who could not, and why.
    pub(crate) problems: Vec<String>,
}

/// Whose copies, and what root has to have signed them.
pub(crate) struct Wanted<'a> {
    pub(crate) organisation: OrgId,
    pub(crate) root: PublicKey,
    /// An error if so many bytes are not free.
    pub(crate) room: &'a (dyn Fn(u64) -> Result<(), NodeError> + Sync),
}

/// Gets the newest copy into a new file.
pub(crate) async fn fetch(
    net: &Handle,
    sources: Vec<Source>,
    wanted: &Wanted<'_>,
    into: &Path,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<Fetched, NodeError> {
    let mut fetched = Fetched::default();
    let mut offers: Vec<(SealedCopy, Vec<Source>)> = Vec::new();
    for source in sources {
        match offered(net, &source, wanted).await {
            Ok(copies) => {
                for copy in copies {
                    match offers.iter_mut().find(|(known, _)| *known == copy) {
                        Some((_, sources)) => sources.push(source.clone()),
                        None => offers.push((copy, vec![source.clone()])),
                    }
                }
            }
            Err(Some(reason)) => fetched.problems.push(format!("{}: {reason}", source.name)),
            Err(None) => {}
        }
    }
    offers.sort_by_key(|(copy, _)| std::cmp::Reverse(copy.number));
    for (copy, mut sources) in offers {
        let at = crate::clock::rfc3339(copy.at);
        progress(&format!("fetching the sealed copy of {at}, {} bytes", copy.bytes));
        (wanted.room)(copy.bytes)?;
        let got = download(net, &copy, &mut sources, into, &mut fetched).await;
        match got {
            Ok(true) => {
                fetched.copy = Some(copy);
                return Ok(fetched);
            }
            Ok(false) => {
                progress(&format!("the sealed copy of {at} could not be fetched whole"));
                fetched.from.clear();
            }
            Err(error) => {
                let _ = fs::remove_file(into);
                return Err(NodeError::Unavailable(format!("cannot write {}: {error}", into.display())));
            }
        }
    }
    Ok(fetched)
}

/// What a node has. `Err(None)`: it keeps nothing, and that is no problem.
async fn offered(net: &Handle, source: &Source, wanted: &Wanted<'_>) -> Result<Vec<SealedCopy>, Option<String>> {
    match patient(net, source, &KeepAsk::State).await.map_err(Some)? {
        KeepAnswer::State { copies, .. } => {
            let all = copies.len();
            let ours = |copy: &SealedCopy| copy.organisation == wanted.organisation;
            let good: Vec<_> = copies.iter().filter_map(|it| it.verify(&wanted.root).ok()).filter(ours).collect();
            match good.is_empty() && all > 0 {
                true => Err(Some("the root key of this sheet has not signed what it keeps".into())),
                false => Ok(good),
            }
        }
        KeepAnswer::Refused { why: KeepRefusal::NotAgreed, .. } => Err(None),
        KeepAnswer::Refused { reason, .. } => Err(Some(reason)),
        _ => Err(Some("it answers something else than it was asked".into())),
    }
}

/// Fetches all pieces in order; whether that worked. A source that fails is taken from the list.
async fn download(
    net: &Handle,
    copy: &SealedCopy,
    sources: &mut Vec<Source>,
    into: &Path,
    fetched: &mut Fetched,
) -> std::io::Result<bool> {
    let _ = fs::remove_file(into);
    let mut file = crate::backups::create(into).map_err(|error| std::io::Error::other(error.to_string()))?;
    let (mut begun, mut bytes) = (Instant::now(), 0u64);
    for index in 0..copy.pieces() {
        loop {
            let Some(source) = sources.first().cloned() else { return Ok(false) };
            let got = match is_too_slow(begun.elapsed(), bytes) {
                true => Err(format!("it gives less than {RATE_MIN} bytes a second")),
                false => piece(net, &source, copy, index).await,
            };
            match got {
                Ok(piece) => {
                    file.write_all(&piece)?;
                    bytes += piece.len() as u64;
                    if !fetched.from.contains(&source.name) {
                        fetched.from.push(source.name);
                    }
                    break;
                }
                Err(reason) => {
                    fetched.problems.push(format!("{}: {reason}", source.name));
                    sources.remove(0);
                    (begun, bytes) = (Instant::now(), 0);
                }
            }
        }
    }
    file.sync_all()?;
    let parent = into.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()?;
    Ok(true)
}

/// Whether a keeper that gave so many bytes in this time is left for another.
fn is_too_slow(elapsed: Duration, bytes: u64) -> bool {
    elapsed > FIRST_WHILE + Duration::from_secs(bytes / RATE_MIN)
}

async fn piece(net: &Handle, source: &Source, copy: &SealedCopy, index: u64) -> Result<Vec<u8>, String> {
    match patient(net, source, &KeepAsk::Get { number: copy.number, index }).await? {
        KeepAnswer::Piece { piece, path } if copy.has_piece(index, &piece, &path) => Ok(piece),
        KeepAnswer::Piece { .. } => Err("what it gave is not a piece of the copy".into()),
        KeepAnswer::Refused { reason, .. } => Err(reason),
        _ => Err("it answers something else than it was asked".into()),
    }
}

/// Asks again where the line broke, or the keeper is busy.
async fn patient(net: &Handle, source: &Source, question: &KeepAsk) -> Result<KeepAnswer, String> {
    let (mut tries, mut busy) = (0, 0);
    loop {
        connected(net, &source.node).await;
        match ask(net, source.node, question).await {
            Ok(KeepAnswer::Refused { why: KeepRefusal::Busy, .. }) if busy < BUSY.1 => {
                busy += 1;
                tokio::time::sleep(BUSY.0).await;
            }
            Ok(answer) => return Ok(answer),
            Err(reason) if tries >= TRIES => return Err(reason),
            Err(_) => tries += 1,
        }
    }
}

/// Waits a while for a connection.
async fn connected(net: &Handle, node: &NodeId) {
    let begun = Instant::now();
    while begun.elapsed() < CONNECT && !net.peer_status(*node).is_some_and(|status| status.connected) {
        tokio::time::sleep(LOOK).await;
    }
}

/// `keepers fetch FILE`: from the partners that are connected.
pub(crate) async fn fetch_here(shared: &Arc<Shared>, file: &Path) -> Result<FetchedCopy, NodeError> {
    if file.exists() {
        return Err(NodeError::Conflict(format!("{} exists already; give another name", file.display())));
    }
    let partners: Vec<OrgId> = read(&shared.partners).iter().filter(|(_, row)| !row.ended).map(|(id, _)| *id).collect();
    let mut sources = Vec::new();
    for id in partners {
        let Some(identity) = shared.identity_of(&id) else { continue };
        let there = |node: &NodeId| shared.net.peer_status(*node).is_some_and(|status| status.connected);
        let nodes = identity.nodes().map(|certificate| certificate.node).filter(there);
        sources.extend(nodes.map(|node| Source { name: identity.name().to_owned(), node }));
    }
    let room = |_: u64| Ok(());
    let wanted = Wanted { organisation: shared.own.organisation, root: shared.identity().root(), room: &room };
    let fetched = fetch(&shared.net, sources, &wanted, file, &|_| {}).await?;
    match fetched.copy {
        Some(copy) => Ok(FetchedCopy {
            ok: true,
            file: file.display().to_string(),
            copy: copy_info(&copy),
            from: fetched.from,
            problems: fetched.problems,
        }),
        None => {
            let _ = fs::remove_file(file);
            let why = match fetched.problems.is_empty() {
                true => "no partner that is connected has one".to_owned(),
                false => fetched.problems.join("; "),
            };
            Err(NodeError::Unreachable(format!("no sealed copy could be fetched: {why}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keeper_that_is_too_slow_is_left() {
        assert!(!is_too_slow(FIRST_WHILE, 0));
        assert!(is_too_slow(FIRST_WHILE + Duration::from_secs(1), RATE_MIN - 1));
        assert!(!is_too_slow(FIRST_WHILE + Duration::from_secs(1), RATE_MIN));
        assert!(is_too_slow(FIRST_WHILE + Duration::from_secs(101), 100 * RATE_MIN));
    }
}
