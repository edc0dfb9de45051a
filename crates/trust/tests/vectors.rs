//! Test vectors for other implementations, in `tests/vectors`: everything that is signed, hashed or written as text.

#[path = "../../../tests/vectors/keep.rs"]
mod vectors;

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, ObjType, ROOT};
use ortsnetz_model::{Actor, CollectionId, Document, Entry, EntryId, FeedId, Hash, Ids, NodeId, OrgId, Position};
use ortsnetz_trust::identity::{Founding, Identity, View};
use ortsnetz_trust::invite::{
    Invitation, JoinMessage, NamedOrganisation, PartnerInviter, PartnerJoiner, Token, TokenKind,
};
use ortsnetz_trust::keys::Domain;
use ortsnetz_trust::limits::SEALED_PIECE_BYTES;
use ortsnetz_trust::record::{
    Answer, Checkpoint, Cut, Draft, DraftDocument, Outcome, PublishRequest, Totals, draft_feed,
};
use ortsnetz_trust::sealed::{
    KeepAnswer, KeepAsk, KeepRefusal, PieceTree, SealedCopy, SignedCopy, piece_hash, sealing_secret,
};
use ortsnetz_trust::statement::{
    CollectionStatement, Delegation, Deletion, Leaving, NodeCertificate, NodeRevocation, OrganisationKind,
    PartnerConfirmation, Partnership, PartnershipEnd, PublisherTerm, ReaderRemoval, Readers, Roles, RootRotation,
    Succession, SuccessionConfirmation,
};
use ortsnetz_trust::{Body, NodeKey, Record, RootKey, Signed, SignedRecord, Signer, Statement};
use serde_json::{Value, json};
use vectors::{hex, keep};

/// 2026-11-22 09:33:20 UTC.
const NOW: u64 = 1_795_340_000_000;

struct Town {
    root: RootKey,
    node: NodeKey,
    identity: Identity,
}

/// A town whose keys are these bytes, 32 times: `number` for root, `number + 100` for the node.
fn town(number: u8, name: &str, ars: &str) -> Town {
    let (root, node) = (RootKey::from_secret(&[number; 32]), NodeKey::from_secret(&[number + 100; 32]));
    let founding = Founding {
        name: name.into(),
        ars: ars.into(),
        kind: OrganisationKind::Municipality,
        node_name: "Rathaus".into(),
        addresses: vec!["/dns4/rathaus.example/tcp/4115".into()],
        at: NOW,
        random: [number; 16],
    };
    let identity = Identity::found(founding, &root, &node).expect("a town");
    Town { root, node, identity }
}

fn siegburg() -> Town {
    town(1, "Stadt Siegburg", "053820060060")
}

fn bonn() -> Town {
    town(2, "Bundesstadt Bonn", "053140000000")
}

fn keys(town: &Town) -> Value {
    json!({
        "organisation": town.identity.id(),
        "root_secret": hex(*town.root.secret()),
        "root_public": town.root.public(),
        "node_secret": hex(*town.node.secret()),
        "node_public": hex(town.node.id().0),
        "node_id": town.node.id(),
    })
}

fn signed(what: &str, signed: &Signed) -> Value {
    let signatures: Vec<_> =
        signed.signatures().iter().map(|(key, signature)| json!({"key": key, "signature": hex(signature.0)})).collect();
    assert!(signed.signatures().iter().all(|(key, _)| signed.signed_by(key)));
    json!({
        "what": what,
        "kind": signed.statement().kind(),
        "domain": signed.statement().domain().0,
        "payload": hex(signed.payload()),
        "hash": signed.hash(),
        "signatures": signatures,
        "bytes": hex(signed.to_bytes()),
    })
}

#[test]
fn statements() {
    let (siegburg, bonn) = (siegburg(), bonn());
    let (own, other) = (siegburg.identity.id(), bonn.identity.id());
    let (a, b) = (own.min(other), own.max(other));
    let new_root = RootKey::from_secret(&[3; 32]);
    let collection = |name: &str, readers: Readers, relay: bool| CollectionStatement {
        organisation: own,
        collection: CollectionId::named(&own, name),
        name: name.into(),
        serial: 1,
        since: match &readers {
            Readers::Organisations(list) => vec![NOW; list.len()],
            Readers::Public | Readers::Internal => Vec::new(),
        },
        readers,
        relay,
        ended: false,
        at: NOW,
        title: None,
    };
    let sign = |what: &str, statement: Statement, signers: &[&dyn Signer]| {
        let made = Signed::new(statement, signers).expect("a statement");
        assert_eq!(Signed::from_bytes(&made.to_bytes()).expect("reads back"), made);
        signed(what, &made)
    };
    let (root, node): (&dyn Signer, &dyn Signer) = (&siegburg.root, &siegburg.node);
    let founding = siegburg.identity.statements_for(View::Own);
    let mut all: Vec<Value> =
        founding.iter().map(|statement| signed("made when the organisation was founded", statement)).collect();
    let certificate = NodeCertificate {
        organisation: own,
        node: NodeId([9; 32]),
        serial: 2,
        roles: Roles { admin: false, edit: true },
        not_before: NOW,
        not_after: NOW + 63_072_000_000,
        addresses: Vec::new(),
        name: "Laptop".into(),
    };
    let node_id = siegburg.node.id();
    let organisations = Readers::Organisations(vec![other]);
    let mut narrowed = collection("partners", Readers::Organisations(Vec::new()), false);
    (narrowed.serial, narrowed.at) = (2, NOW + 1);
    let checked = SuccessionConfirmation {
        organisation: own,
        successor: other,
        predecessor: OrgId([8; 32]),
        serial: 1,
        confirmed: true,
        at: NOW,
    };
    let removed = ReaderRemoval {
        organisation: own,
        collection: narrowed.collection,
        reader: other,
        serial: narrowed.serial,
        at: NOW + 1,
    };
    let leaving = Leaving {
        organisation: own,
        serial: 1,
        from: NOW + 86_400_000,
        keep_days: 30,
        telephone: "+49 2241 102-0".into(),
        note: "Auskunft gibt der Rhein-Sieg-Kreis".into(),
        at: NOW,
    };
    let stays = Leaving {
        serial: 2,
        from: 0,
        keep_days: 0,
        telephone: String::new(),
        note: String::new(),
        at: NOW + 1,
        ..leaving.clone()
    };
    let deletion =
        Deletion { organisation: own, node: node_id, leaver: other, serial: 1, entries: 412, at: NOW + 2_678_400_000 };
    let ended = CollectionStatement {
        title: Some("Planung Nord".into()),
        ended: true,
        ..collection("Planung", Readers::Organisations(vec![other]), true)
    };
    all.extend([
        sign(
            "a new root key, signed by both",
            RootRotation { organisation: own, number: 1, old: root.public(), new: new_root.public(), at: NOW }.into(),
            &[root, &new_root],
        ),
        sign("a node that only edits", certificate.into(), &[root]),
        sign(
            "a node that was stolen",
            NodeRevocation { organisation: own, node: node_id, serial: 1, at: NOW }.into(),
            &[root],
        ),
        sign(
            "a second term",
            PublisherTerm { organisation: own, number: 2, node: node_id, at: NOW + 1 }.into(),
            &[root],
        ),
        sign(
            "a successor",
            Succession { organisation: own, predecessor: other, serial: 1, at: NOW, ended: false }.into(),
            &[root],
        ),
        sign("a succession that was checked", checked.into(), &[node]),
        sign("a town that leaves", leaving.into(), &[root]),
        sign("the same town, which stays after all", stays.into(), &[root]),
        sign("what a node deleted of a town that left", deletion.into(), &[node]),
        sign("a public collection", collection("public", Readers::Public, true).into(), &[node]),
        sign("a collection for named organisations", collection("partners", organisations, false).into(), &[node]),
        sign("the same, after a reader was removed", narrowed.into(), &[node]),
        sign("what the removed reader is told", removed.into(), &[node]),
        sign("a collection that was renamed and has ended", ended.into(), &[node]),
        sign("an internal collection", collection("internal", Readers::Internal, false).into(), &[node]),
        sign(
            "a partnership, as it stands in the chain of one side",
            Partnership { a, b, serial: 1, at: NOW }.into(),
            &[node],
        ),
        sign(
            "its end, signed by one",
            PartnershipEnd { organisation: own, partner: other, serial: 2, at: NOW }.into(),
            &[node],
        ),
        sign(
            "a partner that was checked",
            PartnerConfirmation { organisation: own, partner: other, serial: 1, confirmed: true, at: NOW }.into(),
            &[node],
        ),
        sign(
            "a place another may speak for",
            Delegation { organisation: own, to: other, ars: "053820060060".into(), serial: 1, until: NOW + 1 }.into(),
            &[node],
        ),
    ]);
    let collections =
        ["public", "partners", "internal"].map(|name| json!({"name": name, "id": CollectionId::named(&own, name)}));
    keep(
        "statements.json",
        &json!({
            "keys": [keys(&siegburg), keys(&bonn)],
            "message_of_the_first": hex(Domain("genesis").message(founding[0].payload())),
            "collections": collections,
            "imported_entry": {
                "agency": "L100042", "scheme": "LB", "value": "1063423",
                "id": EntryId::imported(&own, "L100042", "LB", "1063423"),
            },
            "draft_collection": draft_feed(own, &node_id).collection,
            "chain_hash_of_the_founding_statements": siegburg.identity.chain_hash(View::Own),
            "statements": all,
        }),
    );
}

#[test]
fn records() {
    let town = siegburg();
    let organisation = town.identity.id();
    let feed = FeedId { organisation, collection: CollectionId::named(&organisation, "public") };
    let at = |sequence| Position { term: 1, epoch: NOW, sequence };
    let (entry, heads) = (EntryId([9; 16]), vec![Hash([6; 32]), Hash([7; 32])]);
    let publication = Record {
        feed,
        entry: Some(entry),
        generation: 1,
        position: at(4),
        previous: None,
        list_serial: 1,
        at: NOW + 5_000,
        instance: 0x1234_5678_9abc_def0,
        body: Body::Publication { heads: heads.clone() },
        totals: None,
    };
    let checkpoint = Checkpoint { root: Hash([5; 32]), count: 3, cuts: vec![Cut { term: 1, epoch: 7, sequence: 12 }] };
    let home = CollectionId::named(&organisation, "public");
    let draft = Draft {
        documents: vec![DraftDocument { collection: home, generation: 1, heads: heads.clone() }],
        based_on: vec![heads[0]],
        publish: Some(vec![PublishRequest { collection: home, heads: vec![heads[1]] }]),
    };
    let draft_position = Position { term: 0, epoch: NOW, sequence: 1 };
    let drafts = draft_feed(organisation, &town.node.id());
    let answer = |outcome| Answer { node: NodeId([8; 32]), entry, request: draft_position, outcome };
    let in_drafts = |entry, body| Record {
        feed: drafts,
        entry: Some(entry),
        position: draft_position,
        list_serial: 0,
        body,
        ..publication.clone()
    };
    let (accepted, refused) = (answer(Outcome::Accepted(at(4))), answer(Outcome::Refused("conflicts".into())));
    let cases = [
        ("a publication", publication.clone()),
        (
            "the next one of the entry, last of its batch",
            Record {
                position: at(9),
                previous: Some(at(4)),
                totals: Some(Totals { count: 3, root: Hash([5; 32]) }),
                ..publication.clone()
            },
        ),
        (
            "a publication in a later term: the previous position names its term, and lies back in time",
            Record {
                position: Position { term: 2, epoch: NOW + 86_400_000, sequence: 2 },
                previous: Some(at(9)),
                at: NOW + 86_405_000,
                ..publication.clone()
            },
        ),
        (
            "a withdrawal that says where the entry went",
            Record {
                previous: Some(at(3)),
                body: Body::Withdrawal { moved_to: Some(CollectionId::named(&organisation, "partners")) },
                ..publication.clone()
            },
        ),
        ("a withdrawal", Record { body: Body::Withdrawal { moved_to: None }, ..publication.clone() }),
        (
            "a checkpoint",
            Record {
                entry: None,
                generation: 0,
                position: at(1),
                body: Body::Checkpoint(checkpoint),
                totals: Some(Totals { count: 3, root: Hash([5; 32]) }),
                ..publication.clone()
            },
        ),
        (
            "a redaction that leaves a fresh document",
            Record { generation: 2, body: Body::Redaction { heads: vec![heads[0]] }, ..publication.clone() },
        ),
        ("a draft with a request to publish", in_drafts(entry, Body::Draft(draft))),
        ("an answer: published", in_drafts(accepted.key(), Body::Answer(accepted.clone()))),
        ("an answer: refused", in_drafts(refused.key(), Body::Answer(refused.clone()))),
    ];
    let records: Vec<_> = cases
        .into_iter()
        .map(|(what, record)| {
            let signed = SignedRecord::sign(record, &town.node).expect("a record");
            assert!(signed.signature_holds());
            assert_eq!(SignedRecord::from_bytes(&signed.to_bytes()).expect("reads back"), signed);
            json!({
                "what": what,
                "record": hex(signed.bytes()),
                "signature": hex(signed.signature().0),
                "bytes": hex(signed.to_bytes()),
                "item": signed.record().item().map(|(_, hash)| hash),
            })
        })
        .collect();
    keep("records.json", &json!({"keys": keys(&town), "domain": "record", "records": records}));
}

#[test]
fn joining() {
    let (siegburg, bonn) = (siegburg(), bonn());
    let token = Token {
        kind: TokenKind::Partner,
        organisation: NamedOrganisation {
            id: siegburg.identity.id(),
            name: siegburg.identity.name().into(),
            ars: siegburg.identity.ars().into(),
        },
        node: siegburg.node.id(),
        addresses: vec!["/dns4/rathaus.example/tcp/4115".into()],
        id: [4; 16],
        secret: [5; 32],
        expires: NOW + 1000,
        for_ars: None,
        trust: false,
    };
    let text = token.to_text().expect("a token");
    assert_eq!(Token::from_text(&text, NOW).expect("reads back"), token);
    let mut invitation = Invitation::new(token.clone());
    let (ours, theirs) = ([21; 32], [22; 32]);
    let mut conversation = Vec::new();
    let mut say = |by: &str, message: &JoinMessage| {
        assert_eq!(&JoinMessage::from_bytes(&message.to_bytes()).expect("reads back"), message);
        conversation.push(json!({"by": by, "message": hex(message.to_bytes())}));
    };
    let (mut joiner, request) = PartnerJoiner::start(token, &bonn.identity, bonn.node.id(), ours).expect("a request");
    say("joiner", &request);
    let JoinMessage::Partner(asked) = &request else { panic!("not a request") };
    let (mut inviter, challenge) =
        PartnerInviter::answer(asked, &mut invitation, &siegburg.identity, bonn.node.id(), theirs, NOW)
            .expect("a challenge");
    say("inviter", &challenge);
    let mut message = challenge;
    let (joined, invited) = loop {
        let (answer, done) = joiner.handle(message, &bonn.identity, &bonn.node, NOW).expect("the joiner goes on");
        let Some(answer) = answer else { break (done.expect("joined"), None) };
        say("joiner", &answer);
        let (next, done) =
            inviter.handle(answer, &mut invitation, &siegburg.identity, &siegburg.node).expect("the inviter goes on");
        message = next.expect("an answer");
        say("inviter", &message);
        if done.is_some() {
            let (_, joined) = joiner.handle(message, &bonn.identity, &bonn.node, NOW).expect("the joiner ends");
            break (joined.expect("joined"), done);
        }
    };
    assert_eq!(invited.expect("both joined").check_words, joined.check_words);
    keep(
        "join.json",
        &json!({
            "inviter": keys(&siegburg),
            "joiner": keys(&bonn),
            "token": text,
            "token_id": hex([4; 16]),
            "token_secret": hex([5; 32]),
            "joiner_nonce": hex(ours),
            "inviter_nonce": hex(theirs),
            "conversation": conversation,
            "check_words": joined.check_words,
        }),
    );
}

#[test]
fn sealed_copies() {
    let siegburg = siegburg();
    let file: Vec<u8> = (0..2 * SEALED_PIECE_BYTES + 5).map(|at| (at % 251) as u8).collect();
    let pieces: Vec<&[u8]> = file.chunks(SEALED_PIECE_BYTES).collect();
    let tree = PieceTree::new(pieces.iter().map(|piece| piece_hash(piece)).collect());
    let organisation = siegburg.identity.id();
    let copy = SealedCopy::new(organisation, NOW, file.len() as u64, tree.root(), NOW, 0);
    let signed = SignedCopy::sign(&copy, &siegburg.root).expect("a copy");
    assert!(copy.has_piece(1, pieces[1], &tree.path(1).expect("a path")));
    let asks = [
        KeepAsk::State,
        KeepAsk::Offer(signed.clone()),
        KeepAsk::Put { number: NOW, index: 2, piece: pieces[2].to_vec(), path: tree.path(2).expect("a path") },
        KeepAsk::Get { number: NOW, index: 2 },
    ];
    let answers = [
        KeepAnswer::State { bytes_max: 100_000_000, copies: vec![signed.clone()] },
        KeepAnswer::Want(1),
        KeepAnswer::Kept(NOW),
        KeepAnswer::Piece { piece: pieces[2].to_vec(), path: tree.path(2).expect("a path") },
        KeepAnswer::refused(KeepRefusal::NoRoom, "the disk is full"),
    ];
    for ask in &asks {
        assert_eq!(&KeepAsk::from_bytes(&ask.to_bytes()).expect("reads back"), ask);
    }
    for answer in &answers {
        assert_eq!(&KeepAnswer::from_bytes(&answer.to_bytes()).expect("reads back"), answer);
    }
    let paths: Vec<_> = (0..3).map(|index| tree.path(index).expect("a path")).collect();
    keep(
        "sealed.json",
        &json!({
            "keys": keys(&siegburg),
            "domain": "sealed-copy",
            "sealing_secret": hex(*sealing_secret(&siegburg.root)),
            "file": "byte n is n mod 251",
            "bytes": file.len(),
            "root": tree.root(),
            "paths": paths,
            "signed": hex(signed.to_bytes()),
            "asks": asks.iter().map(|ask| hex(ask.to_bytes())).collect::<Vec<_>>(),
            "answers": answers.iter().map(|answer| hex(answer.to_bytes())).collect::<Vec<_>>(),
        }),
    );
}

/// The fixed first change, made here once more from its description.
fn first_change() -> Vec<u8> {
    let mut document = Automerge::new().with_actor(ActorId::from(b"o".as_slice()));
    let mut transaction = document.transaction();
    for name in ["fields", "texts", "extensions"] {
        transaction.put_object(ROOT, name, ObjType::Map).expect("a map");
    }
    transaction.commit_with(CommitOptions::default().with_time(0));
    document.get_changes(&[]).first().expect("a change").raw_bytes().to_vec()
}

#[test]
fn documents() {
    let first = first_change();
    assert_eq!(Hash::of(&first[8..]), Document::first_change(), "the hash leaves out magic and checksum");
    let actor = Actor::of_node(&siegburg().node.id(), NOW);
    let mut document = Document::new(&actor);
    let entry = Entry::from_json(json!({
        "kind": "service",
        "title": {"de": "Gewerbe anmelden"},
        "leika": ["99050012104000"],
        "texts": {"description": {"de": "Wer ein Gewerbe beginnt, meldet es an.\n\n- Ausweis\n- Vertrag"}},
        "fees": [{"kind": "fixed", "amount": 2600, "currency": "EUR"}],
    }))
    .expect("an entry");
    let mut ids = Ids::Imported(EntryId([9; 16]));
    let chunk = document.update(&entry, NOW, &mut ids).expect("a change").expect("something to write");
    keep(
        "documents.json",
        &json!({
            "first_change": hex(&first),
            "first_change_hash": Document::first_change(),
            "actor": hex(actor.as_bytes()),
            "entry": entry.to_json(),
            "change": hex(chunk.as_bytes()),
            "change_hash": chunk.hash(),
            "heads": document.heads(),
        }),
    );
}
