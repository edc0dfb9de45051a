//! Keepers that give something else, too much or something old, and ask for ever the same: over real connections, with a
//! keeper that answers what the test says.

use ortsnetz_net::{Config, NetEvent, Network, Peer};
use ortsnetz_trust::RootKey;
use ortsnetz_trust::limits::SEALED_VERSIONS_MAX;
use ortsnetz_trust::sealed::piece_hash;

use super::super::fetching::{Fetched, Source, Wanted, fetch};
use super::*;

const OWN: OrgId = OrgId([7; 32]);

struct Made {
    bytes: Vec<u8>,
    tree: Arc<PieceTree>,
    copy: SealedCopy,
    signed: SignedCopy,
}

fn make(number: u64, bytes: usize, root: u8) -> Made {
    let bytes: Vec<u8> = (0..bytes).map(|at| (at as u64 / 13 + number) as u8).collect();
    let tree = Arc::new(PieceTree::new(bytes.chunks(SEALED_PIECE_BYTES).map(piece_hash).collect()));
    let copy = SealedCopy::new(OWN, number, bytes.len() as u64, tree.root(), number, 0);
    let signed = SignedCopy::sign(&copy, &RootKey::from_secret(&[root; 32])).unwrap();
    Made { bytes, tree, copy, signed }
}

impl Made {
    fn state(&self) -> KeepAnswer {
        KeepAnswer::State { bytes_max: 1 << 30, copies: vec![self.signed.clone()] }
    }

    fn piece(&self, index: u64) -> KeepAnswer {
        let piece = self.bytes.chunks(SEALED_PIECE_BYTES).nth(index as usize).unwrap().to_vec();
        KeepAnswer::Piece { piece, path: self.tree.path(index).unwrap() }
    }

    /// What an honest keeper of this copy says.
    fn honest(&self, ask: &KeepAsk) -> KeepAnswer {
        match ask {
            KeepAsk::State => self.state(),
            KeepAsk::Get { index, .. } => self.piece(*index),
            _ => KeepAnswer::refused(KeepRefusal::Wrong, "not here"),
        }
    }
}

type Says = Box<dyn FnMut(KeepAsk) -> KeepAnswer + Send>;

/// A node, and keepers connected to it that say what they are told to.
async fn world(keepers: Vec<(&str, Says)>) -> (Handle, Vec<Source>) {
    let listen = vec!["/ip4/127.0.0.1/tcp/0".to_owned()];
    let (net, mut events) = Network::start(Config::new([1; 32], Vec::new())).await.unwrap();
    let (mut sources, mut peers) = (Vec::new(), Vec::new());
    for (number, (name, mut says)) in (2..).zip(keepers) {
        let (keeper, mut asked) = Network::start(Config::new([number; 32], listen.clone())).await.unwrap();
        keeper.set_peers(vec![Peer { node: net.node(), addresses: Vec::new(), dial: false }]);
        sources.push(Source { name: name.into(), node: keeper.node() });
        peers.push(Peer { node: keeper.node(), addresses: keeper.listening(), dial: true });
        tokio::spawn(async move {
            while let Some(event) = asked.recv().await {
                if let NetEvent::Question { bytes, answer, .. } = event {
                    answer.send(says(KeepAsk::from_bytes(&bytes).unwrap()).to_bytes());
                }
            }
            drop(keeper);
        });
    }
    net.set_peers(peers);
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    (net, sources)
}

async fn get(keepers: Vec<(&str, Says)>) -> (Fetched, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let (net, sources) = world(keepers).await;
    let room = |_: u64| Ok(());
    let wanted = Wanted { organisation: OWN, root: RootKey::from_secret(&[1; 32]).public(), room: &room };
    let file = dir.path().join("copy");
    let fetched = fetch(&net, sources, &wanted, &file, &|_| {}).await.unwrap();
    (fetched, fs::read(&file).unwrap_or_default())
}

fn honest(number: u64) -> Says {
    let made = make(number, 300_000, 1);
    Box::new(move |ask| made.honest(&ask))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keeper_that_gives_something_else_is_left_for_the_next() {
    let made = make(5, 300_000, 1);
    let bent = make(5, 300_000, 1);
    let liar: Says = Box::new(move |ask| match (bent.honest(&ask), ask) {
        (KeepAnswer::Piece { mut piece, path }, KeepAsk::Get { index: 1, .. }) => {
            piece[7] ^= 1;
            KeepAnswer::Piece { piece, path }
        }
        (answer, _) => answer,
    });
    let (fetched, bytes) = get(vec![("Lügenau", liar), ("Bonn", honest(5))]).await;
    assert!(bytes == made.bytes);
    assert_eq!(fetched.copy, Some(made.copy));
    assert_eq!(fetched.from, ["Lügenau", "Bonn"]);
    assert_eq!(fetched.problems, ["Lügenau: what it gave is not a piece of the copy"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keeper_that_gives_too_much_or_claims_what_root_did_not_sign_gives_nothing() {
    let many: Says = Box::new(|ask| match ask {
        KeepAsk::State => {
            KeepAnswer::State { bytes_max: 1, copies: vec![make(9, 10, 1).signed; SEALED_VERSIONS_MAX + 1] }
        }
        _ => KeepAnswer::Want(0),
    });
    // More than the last piece has, with a right beginning.
    let long_made = make(5, 10, 1);
    let long: Says = Box::new(move |ask| match long_made.honest(&ask) {
        KeepAnswer::Piece { mut piece, path } => {
            piece.extend([0; 1000]);
            KeepAnswer::Piece { piece, path }
        }
        answer => answer,
    });
    let thief = make(99, 1000, 2);
    let thief: Says = Box::new(move |ask| thief.honest(&ask));
    let (fetched, _) = get(vec![("viel", many), ("lang", long), ("Dieb", thief)]).await;
    assert_eq!(fetched.copy, None);
    let said = fetched.problems.join("\n");
    for part in [
        "viel: it answers in an unknown way: more copies than anybody keeps",
        "lang: what it gave is not a piece of the copy",
        "Dieb: the root key of this sheet has not signed what it keeps",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_copy_is_taken_and_an_older_one_when_its_keeper_fails() {
    let (fetched, bytes) = get(vec![("alt", honest(5)), ("neu", honest(6))]).await;
    assert!(bytes == make(6, 300_000, 1).bytes);
    assert_eq!((fetched.from, fetched.problems.len()), (vec!["neu".to_owned()], 0));
    let made = make(6, 300_000, 1);
    let empty: Says = Box::new(move |ask| match ask {
        KeepAsk::State => made.state(),
        _ => KeepAnswer::refused(KeepRefusal::Lost, "the disk\nis gone"),
    });
    let (fetched, bytes) = get(vec![("alt", honest(5)), ("neu", empty)]).await;
    assert!(bytes == make(5, 300_000, 1).bytes);
    assert_eq!((fetched.from, fetched.problems), (vec!["alt".to_owned()], vec!["neu: the disk is gone".to_owned()]));
}

async fn send(made: Made, says: Says) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("copy");
    fs::write(&file, &made.bytes).unwrap();
    let (net, sources) = world(vec![("Bonn", says)]).await;
    while !net.peer_status(sources[0].node).is_some_and(|status| status.connected) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let sent = send_copy(&net, sources[0].node, &made.copy, &made.signed, &made.tree, &file, &|| false).await;
    sent.map_err(|unsent| match unsent {
        Unsent::Older(reason) | Unsent::Because(reason) => reason,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keeper_that_asks_for_the_same_again_and_again_does_not_get_it_for_ever() {
    let asked = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let count = asked.clone();
    let says: Says = Box::new(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        KeepAnswer::Want(0)
    });
    assert!(send(make(5, 300_000, 1), says).await.unwrap_err().contains("again and again"));
    assert_eq!(asked.load(Ordering::SeqCst), 1 + 2 * 3 + 16);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keeper_that_says_to_have_it_and_has_it_not_fails_the_proof() {
    for (says, failed) in [
        (KeepAnswer::refused(KeepRefusal::Lost, "gone"), true),
        (KeepAnswer::Piece { piece: vec![0; SEALED_PIECE_BYTES], path: Vec::new() }, true),
        (KeepAnswer::Kept(5), true),
        (KeepAnswer::refused(KeepRefusal::Busy, "later"), false),
    ] {
        let said = says.clone();
        let (net, sources) = world(vec![("Bonn", Box::new(move |_| said.clone()))]).await;
        while !net.peer_status(sources[0].node).is_some_and(|status| status.connected) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let confirmed = Confirmed { copy: make(5, 300_000, 1).copy, at: 1, node: sources[0].node };
        let proof = prove(&net, &confirmed).await;
        assert_eq!(matches!(proof, Proof::Failed(_)), failed, "{says:?}: {proof:?}");
        assert!(!matches!(proof, Proof::Given), "{says:?}");
    }
    let made = make(5, 300_000, 1);
    let confirmed = make(5, 300_000, 1).copy;
    let (net, sources) = world(vec![("Bonn", Box::new(move |ask| made.honest(&ask)))]).await;
    while !net.peer_status(sources[0].node).is_some_and(|status| status.connected) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let confirmed = Confirmed { copy: confirmed, at: 1, node: sources[0].node };
    assert!(matches!(prove(&net, &confirmed).await, Proof::Given));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_keeper_refuses_is_said_in_its_words() {
    for (why, reason) in [(KeepRefusal::NoRoom, "the disk is full"), (KeepRefusal::Older, "newer here")] {
        let says: Says = Box::new(move |_| KeepAnswer::refused(why, reason));
        assert_eq!(send(make(5, 10, 1), says).await.unwrap_err(), reason);
    }
    let says: Says = Box::new(|_| KeepAnswer::Kept(4));
    assert!(send(make(5, 10, 1), says).await.unwrap_err().contains("something else"), "another copy");
}
