//! The attacks of `findings/network-and-signing.md` section 4.4, and the limits. A malicious owner signs what it likes, so
//! most tests name the attack itself as signed head.

use automerge::transaction::Transactable;
use ortsnetz_model::{Actor, EntryId, Ids};
use serde_json::json;

use super::*;
use crate::limits::{CHANGE_OPERATIONS_MAX, CHUNK_BYTES_MAX, CHUNK_DEPS_MAX};

const AT: u64 = 1_795_300_000_000;

fn entry(note: &str) -> Entry {
    Entry::from_json(json!({
        "kind": "service",
        "title": {"de": "Gewerbe-Anmeldung"},
        "texts": {"notes": {"de": note}},
        "fees": [{"kind": "fixed", "amount": 2600, "currency": "EUR"}],
    }))
    .unwrap()
}

/// A document and one chunk per note.
fn history(actor: u8, notes: &[&str]) -> (Document, Vec<Vec<u8>>) {
    let mut document = Document::new(&Actor::from_bytes(&[actor; 12]));
    let chunks = notes.iter().map(|note| change(&mut document, &entry(note))).collect();
    (document, chunks)
}

fn change(document: &mut Document, entry: &Entry) -> Vec<u8> {
    let chunk = document.update(entry, AT, &mut Ids::Imported(EntryId([1; 16]))).unwrap().unwrap();
    chunk.into_bytes()
}

fn hash(chunk: &[u8]) -> Hash {
    Hash::of(&chunk[8..])
}

/// Puts the checksum right after tampering.
fn seal(mut chunk: Vec<u8>) -> Vec<u8> {
    let sum = hash(&chunk);
    chunk[4..8].copy_from_slice(&sum.0[..4]);
    chunk
}

fn unsigned(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A positive signed number: an unsigned one whose sign bit is clear.
fn positive(value: u64) -> Vec<u8> {
    let mut bytes = unsigned(value);
    if let Some(last) = bytes.last_mut().filter(|last| **last & 0x40 != 0) {
        *last |= 0x80;
        bytes.push(0);
    }
    bytes
}

/// A change with these columns (and dependencies), in the form automerge reads.
fn raw(kind: u8, dependencies: usize, columns: &[(u64, Vec<u8>)], trailing: &[u8]) -> Vec<u8> {
    let mut content = unsigned(dependencies as u64);
    content.extend(vec![0; 32 * dependencies]);
    content.extend([1, 0xaa]); // actor
    content.extend([1, 1, 0, 0, 0]); // sequence, first operation, time, message, other actors
    content.extend(unsigned(columns.len() as u64));
    for (specification, bytes) in columns {
        content.extend(unsigned(*specification));
        content.extend(unsigned(bytes.len() as u64));
    }
    columns.iter().for_each(|(_, bytes)| content.extend(bytes));
    content.extend(trailing);
    let mut chunk = vec![0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, kind];
    chunk.extend(unsigned(content.len() as u64));
    chunk.extend(content);
    seal(chunk)
}

fn run(count: u64, value: &[u8]) -> Vec<u8> {
    [positive(count), value.to_vec()].concat()
}

/// `count` times null at the key `k` of the root map.
fn nulls(count: u64) -> Vec<u8> {
    let columns = [
        (0x15, run(count, &[1, b'k'])),
        (0x34, unsigned(count)),
        (0x42, run(count, &[1])),
        (0x56, run(count, &[0])),
        (0x70, run(count, &[0])),
    ];
    raw(1, 0, &columns, &[])
}

fn accept(held: Option<&Document>, heads: &[Hash], chunks: &[Vec<u8>]) -> Result<Accepted, AcceptError> {
    accept_document(held, heads, chunks, Mode::Exact)
}

/// What is wrong with this chunk when its owner signed it.
fn refusal(chunk: Vec<u8>) -> Refusal {
    match accept(None, &[hash(&chunk)], &[chunk]) {
        Err(AcceptError::Invalid { reason }) => reason,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    }
}

#[test]
fn a_genuine_document_passes_and_so_does_its_next_version() {
    let (document, chunks) = history(1, &["eins", "zwei", "drei"]);
    let reversed: Vec<Vec<u8>> = chunks.iter().rev().cloned().collect();
    let accepted = accept(None, &document.heads(), &reversed).unwrap();
    assert_eq!(accepted.entry, document.project());
    assert_eq!(accepted.document.heads(), document.heads());
    let order: Vec<Vec<u8>> = accepted.chunks.into_iter().map(Chunk::into_bytes).collect();
    assert_eq!(order, chunks, "each after what it builds on");
    // Step by step, with what is held sent again.
    let first = accept(None, &[hash(&chunks[0])], &chunks[..1]).unwrap().document;
    let next = accept(Some(&first), &document.heads(), &chunks).unwrap();
    assert_eq!(next.chunks.len(), 2);
    assert_eq!(next.entry, document.project());
    // Nothing new: confirmed with unchanged heads.
    let same = accept(Some(&document), &document.heads(), &[]).unwrap();
    assert!(same.chunks.is_empty());
}

#[test]
fn a_missing_chunk_is_incomplete_and_no_alarm() {
    let (document, chunks) = history(1, &["eins", "zwei", "drei"]);
    let without = |at: usize| {
        let mut some = chunks.clone();
        some.remove(at);
        accept(None, &document.heads(), &some).map(|_| ())
    };
    for (at, chunk) in chunks.iter().enumerate() {
        assert_eq!(without(at), Err(AcceptError::Incomplete { missing: vec![hash(chunk)] }), "{at}");
    }
    let nothing = accept(None, &document.heads(), &[]).map(|_| ());
    assert_eq!(nothing, Err(AcceptError::Incomplete { missing: document.heads() }));
}

#[test]
fn a_change_on_top_of_the_signed_heads_is_refused() {
    let (mut document, mut chunks) = history(1, &["eins", "zwei"]);
    let signed = document.heads();
    // By a stranger, and by the owner's own actor, which would block the owner's genuine next change.
    for actor in [9, 1] {
        document.set_actor(&Actor::from_bytes(&[actor; 12]));
        chunks.push(change(&mut document, &entry("angehängt")));
        let extra = Refusal::NotSigned(hash(&chunks[2]));
        assert_eq!(accept(None, &signed, &chunks).map(|_| ()), Err(extra.clone().into()));
        for mode in [Mode::Exact, Mode::Contained] {
            let held = Document::from_chunks(&[Chunk::from_bytes(chunks[0].clone())]).unwrap();
            assert_eq!(accept_document(Some(&held), &signed, &chunks, mode).map(|_| ()), Err(extra.clone().into()));
        }
        chunks.pop();
        (document, _) = history(1, &["eins", "zwei"]);
    }
}

#[test]
fn a_forged_chunk_with_fixed_checksum_never_takes_the_place_of_the_signed_one() {
    let (document, chunks) = history(1, &["eins", "zwei"]);
    let at = chunks[0].windows(4).position(|window| window == b"eins").unwrap();
    let mut forged = chunks[0].clone();
    forged[at..at + 4].copy_from_slice(b"null");
    assert_eq!(
        accept(None, &document.heads(), &[forged.clone(), chunks[1].clone()]).map(|_| ()),
        Err(Refusal::Checksum.into())
    );
    let forged = seal(forged);
    let delivered = [forged.clone(), chunks[1].clone()];
    let missing = vec![hash(&chunks[0])];
    assert_eq!(accept(None, &document.heads(), &delivered).map(|_| ()), Err(AcceptError::Incomplete { missing }));
    let delivered = [forged.clone(), chunks[0].clone(), chunks[1].clone()];
    let refused = Refusal::NotSigned(hash(&forged));
    assert_eq!(accept(None, &document.heads(), &delivered).map(|_| ()), Err(refused.into()));
}

#[test]
fn compressed_and_whole_document_chunks_are_refused() {
    let (document, _) = history(1, &["eins"]);
    assert_eq!(refusal(document.save()), Refusal::NotAChange("a whole document"));
    let mut large = automerge::AutoCommit::new();
    large.put(automerge::ROOT, "zeros", "0".repeat(100_000)).unwrap();
    let compressed = large.get_changes(&[])[0].clone().bytes().to_vec();
    assert!(compressed.len() < 1000);
    assert_eq!(refusal(compressed), Refusal::NotAChange("compressed"));
    assert_eq!(refusal(raw(3, 0, &[], &[])), Refusal::NotAChange("an unknown type"));
    let deflated_column = raw(1, 0, &[(0x42 | 0b1000, vec![1, 1])], &[]);
    assert_eq!(refusal(deflated_column), Refusal::NotAChange("a column is compressed"));
}

#[test]
fn a_run_length_bomb_is_refused_before_automerge_sees_it() {
    let bomb = nulls(3_000_000);
    assert!(bomb.len() <= 113, "{}", bomb.len());
    let (what, max) = ("operations in a change", CHANGE_OPERATIONS_MAX);
    assert_eq!(refusal(bomb), Refusal::TooMuch { what, found: 3_000_000, max });
    // Each column alone, and every way to write a run.
    let columns: [(u64, Vec<u8>); 7] = [
        (0x01, run(3_000_000, &[0])),
        (0x13, run(3_000_000, &[0])),
        (0x34, [unsigned(1), unsigned(2_999_999)].concat()),
        (0x42, [vec![0], unsigned(3_000_000)].concat()),
        (0x56, run(3_000_000, &[0])),
        (0x70, run(1, &unsigned(3_000_000))),
        (0x70, run(3_000_000, &[1])),
    ];
    for column in columns {
        let specification = column.0;
        let found = refusal(raw(1, 0, &[column], &[]));
        assert_eq!(found, Refusal::TooMuch { what, found: 3_000_000, max }, "{specification:x}");
    }
    // A count that would overflow.
    let endless = [run(1 << 62, &[0]), run(1 << 62, &[0]), run(1 << 62, &[0]), run(1 << 62, &[0])].concat();
    assert!(matches!(refusal(raw(1, 0, &[(0x42, endless)], &[])), Refusal::TooMuch { .. }));
}

#[test]
fn as_many_operations_as_allowed_and_no_more() {
    let count = |count| {
        let bytes = nulls(count);
        ChunkHead::read(&bytes).and_then(|head| budget::operations(&head))
    };
    assert_eq!(count(CHANGE_OPERATIONS_MAX), Ok(CHANGE_OPERATIONS_MAX));
    assert!(count(CHANGE_OPERATIONS_MAX + 1).is_err());
    assert_eq!(operations(&[nulls(CHANGE_OPERATIONS_MAX), nulls(7), vec![1, 2]]), CHANGE_OPERATIONS_MAX + 7);
    assert_eq!(operations(&[nulls(CHANGE_OPERATIONS_MAX + 1)]), 0, "refused on its own");
    // Many changes that are each within their budget.
    let mut chunks: Vec<Vec<u8>> = Vec::new();
    for n in 0..5u8 {
        let mut chunk = nulls(CHANGE_OPERATIONS_MAX - u64::from(n));
        let at = chunk.windows(2).position(|window| window == [1, 0xaa]).unwrap();
        chunk[at + 1] = n;
        chunks.push(seal(chunk));
    }
    let heads: Vec<Hash> = chunks.iter().map(|chunk| hash(chunk)).collect();
    let refused = accept(None, &heads, &chunks).map(|_| ()).unwrap_err();
    assert!(matches!(refused, AcceptError::Invalid { reason: Refusal::TooMuch { max: DOCUMENT_OPERATIONS_MAX, .. } }));
}

#[test]
fn a_long_key_repeated_is_refused() {
    let text = vec![b'k'; 100_000];
    let column = [positive(50_000), unsigned(text.len() as u64), text].concat();
    assert!(matches!(refusal(raw(1, 0, &[(0x15, column)], &[])), Refusal::TooMuch { found: 5_000_000_000, .. }));
}

#[test]
fn trailing_and_missing_bytes_are_refused() {
    let (document, chunks) = history(1, &["eins"]);
    let refused = |bytes: Vec<u8>| accept(None, &document.heads(), &[bytes]).map(|_| ()).unwrap_err();
    let mut longer = chunks[0].clone();
    longer.push(0);
    assert_eq!(refused(longer), Refusal::NotAChange("its length is not that of its content").into());
    let mut two = chunks[0].clone();
    two.extend(&chunks[0]);
    assert_eq!(refused(two), Refusal::NotAChange("its length is not that of its content").into());
    assert_eq!(refusal(raw(1, 0, &[], &[1, 2, 3])), Refusal::NotAChange("something follows its columns"));
    for length in 0..chunks[0].len() {
        assert!(matches!(refused(chunks[0][..length].to_vec()), AcceptError::Invalid { .. }), "{length}");
    }
}

#[test]
fn each_limit_holds_at_and_over() {
    let dependencies = |count| ChunkHead::read(&raw(1, count, &[], &[])).map(|head| head.dependencies.len());
    assert_eq!(dependencies(CHUNK_DEPS_MAX), Ok(CHUNK_DEPS_MAX));
    assert!(dependencies(CHUNK_DEPS_MAX + 1).is_err());
    let overhead = raw(1, 0, &[(0x57, vec![0; CHUNK_BYTES_MAX - 100])], &[]).len() - (CHUNK_BYTES_MAX - 100);
    let sized = |size: usize| ChunkHead::read(&raw(1, 0, &[(0x57, vec![0; size - overhead])], &[])).map(|_| ());
    assert_eq!(sized(CHUNK_BYTES_MAX), Ok(()));
    assert!(matches!(sized(CHUNK_BYTES_MAX + 1), Err(Refusal::TooMuch { .. })));
    let heads = vec![Hash([0; 32]); HEADS_MAX + 1];
    assert!(matches!(accept(None, &heads, &[]), Err(AcceptError::Invalid { .. })));
    assert!(matches!(accept(None, &heads[1..], &[]), Err(AcceptError::Incomplete { .. })));
    let many = vec![Vec::new(); DELIVERY_CHUNKS_MAX + 1];
    let what = "chunks in a delivery";
    let refused = accept(None, &[], &many).map(|_| ()).unwrap_err();
    assert!(matches!(refused, AcceptError::Invalid { reason: Refusal::TooMuch { what: found, .. } } if found == what));
}

#[test]
fn the_sizes_inside_a_change_hold_at_and_over() {
    let head = |actor: usize, others: usize, columns: usize| {
        let mut content = vec![0];
        content.extend(unsigned(actor as u64));
        content.extend(vec![7; actor]);
        content.extend([1, 1, 0, 0]);
        content.extend(unsigned(others as u64));
        content.extend([1, 9].repeat(others));
        content.extend(unsigned(columns as u64));
        content.extend([0x57, 0].repeat(columns));
        let mut chunk = vec![0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 1];
        chunk.extend(unsigned(content.len() as u64));
        chunk.extend(content);
        ChunkHead::read(&seal(chunk)).map(|_| ())
    };
    assert_eq!(head(64, 4096, 32), Ok(()));
    for (actor, others, columns) in [(65, 0, 0), (1, 4097, 0), (1, 0, 33)] {
        assert!(matches!(head(actor, others, columns), Err(Refusal::TooMuch { .. })), "{actor} {others} {columns}");
    }
    let repeated = |count: u64| {
        let text = vec![b'k'; 1024];
        let column = [positive(count), unsigned(1024), text].concat();
        budget::operations(&ChunkHead::read(&raw(1, 0, &[(0x15, column)], &[])).unwrap())
    };
    assert_eq!(repeated(4096), Ok(4096));
    assert!(matches!(repeated(4097), Err(Refusal::TooMuch { .. })));
    let delivery = |bytes: usize| {
        let mut chunks = vec![vec![0; CHUNK_BYTES_MAX]; bytes / CHUNK_BYTES_MAX];
        chunks.push(vec![0; bytes % CHUNK_BYTES_MAX]);
        read(&chunks, &[]).map(|_| ()).unwrap_err()
    };
    assert!(matches!(delivery(DELIVERY_BYTES_MAX), Refusal::NotAChange(_)));
    assert!(matches!(delivery(DELIVERY_BYTES_MAX + 1), Refusal::TooMuch { .. }));
}

#[test]
fn a_published_entry_over_its_limits_is_refused_and_a_draft_is_not() {
    let list = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("n{n}")).collect();
        Entry::from_json(json!({"kind": "profile", "names": names, "title": {"de": "x"}})).unwrap()
    };
    let mut document = Document::new(&Actor::from_bytes(&[1; 12]));
    let most = change(&mut document, &list(LIST_ELEMENTS_MAX));
    assert!(accept(None, &document.heads(), std::slice::from_ref(&most)).is_ok());
    let over = change(&mut document, &list(LIST_ELEMENTS_MAX + 1));
    let refused = accept(None, &document.heads(), &[most.clone(), over.clone()]).map(|_| ()).unwrap_err();
    let (found, max) = (LIST_ELEMENTS_MAX as u64 + 1, LIST_ELEMENTS_MAX as u64);
    assert_eq!(refused, Refusal::TooMuch { what: "elements in a list", found, max }.into());
    assert!(accept_document(None, &document.heads(), &[most, over], Mode::Contained).is_ok());
}

#[test]
fn working_documents_merge_and_published_ones_are_exactly_what_was_signed() {
    let (base, chunks) = history(1, &["eins"]);
    let (mut ours, mut theirs) = (base.clone(), base.clone());
    ours.set_actor(&Actor::from_bytes(&[2; 12]));
    theirs.set_actor(&Actor::from_bytes(&[3; 12]));
    change(&mut ours, &entry("wir"));
    let delivered = change(&mut theirs, &entry("sie"));
    let delivered = [delivered];
    let merged = accept_document(Some(&ours), &theirs.heads(), &delivered, Mode::Contained).unwrap();
    assert_eq!(merged.document.heads().len(), 2);
    // The published one leaves behind what the owner set aside.
    let exact = accept(Some(&ours), &theirs.heads(), &delivered).unwrap();
    assert_eq!(exact.document.heads(), theirs.heads());
    assert_eq!(exact.entry, theirs.project());
    // Also back to an earlier version.
    let back = accept(Some(&ours), &base.heads(), &chunks).unwrap();
    assert_eq!(back.entry, base.project());
}

#[test]
fn what_is_held_and_was_never_signed_may_stand_where_a_signed_change_stands() {
    // The owner began the document anew after it set aside what is held: the same writer, counting from 1 again.
    let (held, _) = history(1, &["zur Seite gelegt"]);
    let (signed, chunks) = history(1, &["eins", "zwei"]);
    let exact = accept(Some(&held), &signed.heads(), &chunks).unwrap();
    assert_eq!(exact.document.heads(), signed.heads());
    assert_eq!(exact.entry, signed.project());
    let merged = accept_document(Some(&held), &signed.heads(), &chunks, Mode::Contained).map(|_| ());
    assert!(matches!(merged, Err(AcceptError::Invalid { .. })), "{merged:?}");
    // Nothing is made up for what is missing.
    let missing = accept(Some(&held), &signed.heads(), &chunks[1..]).map(|_| ()).unwrap_err();
    assert!(matches!(missing, AcceptError::Incomplete { .. }), "{missing:?}");
}

#[test]
fn mutated_chunks_are_accepted_or_refused_but_never_panic_or_hang() {
    let (document, chunks) = history(1, &["eins und zwei", "zwei und drei", "drei und vier, etwas länger"]);
    let last = chunks.len() - 1;
    let base =
        Document::from_chunks(chunks[..last].iter().map(|c| Chunk::from_bytes(c.clone())).collect::<Vec<_>>().iter());
    let base = base.unwrap();
    assert!(accept(Some(&base), &document.heads(), &chunks[last..]).is_ok());
    let mut seed = 0x0ddb_1a5e_5bad_5eed_u64;
    let mut next = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    let (mut passed, mut panicked) = (0, 0);
    for _ in 0..4_000 {
        let mut mutated = chunks[next(chunks.len())].clone();
        // Behind the dependencies, where the columns and operations are.
        for _ in 0..=next(3) {
            let at = 44 + next(mutated.len() - 44);
            mutated[at] = match next(4) {
                0 => next(256) as u8,
                1 => mutated[at].wrapping_add(1),
                2 => mutated[at] ^ (1 << next(8)),
                _ => [0, 1, 0x7f, 0x80, 0xff][next(5)],
            };
        }
        let mutated = seal(mutated);
        let held = if next(2) == 0 { Some(&base) } else { None };
        match accept(held, &[hash(&mutated)], &[mutated]) {
            Ok(accepted) => passed += usize::from(!accepted.document.heads().is_empty()),
            Err(AcceptError::Invalid { reason: Refusal::NotApplicable(text) }) if text.contains("panicked") => {
                panicked += 1
            }
            Err(_) => {}
        }
    }
    assert!(passed > 0, "some mutations are harmless ({panicked} panicked)");
}
