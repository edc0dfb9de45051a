//! Passes the table of places on to partners, and takes it from one: a small town need not look for the official list. It comes in
//! pieces, on streams of its own; it is no secret, and nobody signs it, so it is taken like a file that somebody was given.

use std::io::Read as _;
use std::sync::Arc;

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use ortsnetz_model::{Hash, NodeId, OrgId};
use ortsnetz_net::{Answerer, Topic};
use ortsnetz_search::Places;

use crate::dto::PlacesReport;
use crate::error::NodeError;
use crate::partners::{find_organisation, look};
use crate::places;
use crate::shared::{Shared, read};

/// Bytes of the table in one piece.
pub(crate) const PIECE_BYTES: usize = 128 * 1024;
/// Bytes of a table as it travels; all of Germany takes some 300 KB.
pub(crate) const PACKED_BYTES_MAX: usize = 8 << 20;
/// What it may inflate to.
pub(crate) const TABLE_BYTES_MAX: u64 = 32 << 20;
/// Small, and made once for each question.
const ZSTD_LEVEL: i32 = 3;

/// Give me your table from here on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Ask {
    #[n(0)]
    offset: u32,
}

/// A piece of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Piece {
    /// Hash of the whole table as it travels: it may change between two pieces.
    #[n(0)]
    hash: Hash,
    /// Its length.
    #[n(1)]
    total: u32,
    #[n(2)]
    bytes: ByteVec,
}

/// Answers a partner, off the loop.
pub(crate) fn answer(shared: &Arc<Shared>, peer: NodeId, bytes: Vec<u8>, answerer: Answerer) {
    let shared = shared.clone();
    tokio::task::spawn_blocking(move || {
        let Some(asker) = shared.organisation_of(&peer) else { return };
        let partner = read(&shared.partners).get(&asker).is_some_and(|partner| !partner.ended);
        let Ok(ask) = minicbor::decode::<Ask>(&bytes) else { return };
        if let (true, Some(packed)) = (partner || asker == shared.own.organisation, packed(&read(&shared.places))) {
            answerer.send(minicbor::to_vec(piece(&packed, ask.offset)).unwrap_or_default());
        }
    });
}

fn packed(table: &Places) -> Option<Vec<u8>> {
    let packed = zstd::bulk::compress(&serde_json::to_vec(table).ok()?, ZSTD_LEVEL).ok()?;
    (packed.len() <= PACKED_BYTES_MAX).then_some(packed)
}

fn piece(packed: &[u8], offset: u32) -> Piece {
    let rest = packed.get(offset as usize..).unwrap_or_default();
    let bytes = rest[..rest.len().min(PIECE_BYTES)].to_vec().into();
    Piece { hash: Hash::of(packed), total: packed.len() as u32, bytes }
}

/// `places fetch PARTNER`: takes the table of a partner over, as if it had been imported.
///
/// # Errors
/// It is no partner or not connected, it answers nothing that is a table, or nothing usable.
pub(crate) async fn fetch(shared: &Arc<Shared>, partner: &str) -> Result<PlacesReport, NodeError> {
    let (looking, name) = (shared.clone(), partner.to_owned());
    let found = tokio::task::spawn_blocking(move || nodes_of(&looking, &name)).await;
    let (id, nodes) = found.map_err(|error| NodeError::Unavailable(error.to_string()))??;
    let name = shared.organisation_name(&id);
    let mut failed = format!("{name} is not connected; see `ortsnetz partners show`");
    for node in nodes {
        match pieces(shared, node).await {
            Ok(table) => {
                let taking = shared.clone();
                let taken = tokio::task::spawn_blocking(move || places::adopt(&taking, &name, &table)).await;
                return taken.map_err(|error| NodeError::Unavailable(error.to_string()))?;
            }
            Err(reason) => failed = format!("{name} gave no table of places: {reason}"),
        }
    }
    Err(NodeError::Unavailable(failed))
}

fn nodes_of(shared: &Shared, partner: &str) -> Result<(OrgId, Vec<NodeId>), NodeError> {
    let id = find_organisation(shared, partner)?;
    let peers = look(shared, |engine| engine.peers())?;
    Ok((id, peers.into_iter().filter(|peer| peer.organisation == id).map(|peer| peer.node).collect()))
}

/// Asks for piece after piece; begins again, once, if the table changed on the way.
async fn pieces(shared: &Shared, node: NodeId) -> Result<Places, String> {
    let mut packed: Vec<u8> = Vec::new();
    let (mut hash, mut begun) = (None, 0);
    loop {
        let question = minicbor::to_vec(Ask { offset: packed.len() as u32 }).unwrap_or_default();
        let answer = shared.net.ask(node, Topic::Places, &question).await.map_err(|error| error.to_string())?;
        let piece: Piece = minicbor::decode(&answer).map_err(|_| "it answers something else".to_owned())?;
        if hash != Some(piece.hash) {
            begun += 1;
            if begun > 2 {
                return Err("it changes all the time".into());
            }
            hash = Some(piece.hash);
            if !packed.is_empty() {
                packed.clear();
                continue;
            }
        }
        if piece.total as usize > PACKED_BYTES_MAX {
            return Err(format!("it has {} bytes, at most {PACKED_BYTES_MAX} are possible", piece.total));
        }
        if piece.bytes.is_empty() || packed.len() + piece.bytes.len() > piece.total as usize {
            return Err("its pieces make no whole".into());
        }
        packed.extend_from_slice(&piece.bytes);
        if packed.len() == piece.total as usize {
            return if Hash::of(&packed) == piece.hash {
                table(&packed)
            } else {
                Err("it was altered on the way".into())
            };
        }
    }
}

/// The table in these bytes.
fn table(packed: &[u8]) -> Result<Places, String> {
    let mut json = Vec::new();
    let decoder = zstd::stream::Decoder::new(packed).map_err(|error| error.to_string())?;
    decoder.take(TABLE_BYTES_MAX + 1).read_to_end(&mut json).map_err(|error| error.to_string())?;
    if json.len() as u64 > TABLE_BYTES_MAX {
        return Err(format!("it inflates to more than {TABLE_BYTES_MAX} bytes"));
    }
    serde_json::from_slice(&json).map_err(|error| format!("it is no table: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_comes_back_from_its_pieces() {
        let packed = packed(&Places::built_in()).expect("a table");
        assert_eq!(table(&packed), Ok(Places::built_in()));
        let long: Vec<u8> = (0..PIECE_BYTES + 10).map(|at| at as u8).collect();
        let lengths: Vec<usize> =
            [0, PIECE_BYTES, long.len(), long.len() + 1].map(|at| piece(&long, at as u32).bytes.len()).to_vec();
        assert_eq!(lengths, [PIECE_BYTES, 10, 0, 0]);
        assert!(piece(&long, 0).total as usize == long.len() && piece(&long, 0).hash == piece(&long, 7).hash);
    }

    #[test]
    fn what_inflates_too_much_or_is_no_table_is_refused() {
        let fill = |bytes: u64| zstd::bulk::compress(&vec![b' '; bytes as usize], 1).expect("packed");
        assert!(table(&fill(TABLE_BYTES_MAX)).unwrap_err().contains("no table"), "at the limit it is read");
        assert!(table(&fill(TABLE_BYTES_MAX + 1)).unwrap_err().contains("inflates"));
        assert!(table(b"nonsense").is_err() && table(&[]).is_err());
        assert!(minicbor::decode::<Piece>(b"nonsense").is_err());
    }
}
