//! Writes the seed corpus: small valid inputs of every target, from fixed keys, so that the files never change without
//! a reason.

use std::path::Path;

use ortsnetz_model::{Actor, CollectionId, Document, Entry, EntryId, FeedId, Hash, Ids, OrgId, Position};
use ortsnetz_sync::wire::Message;
use ortsnetz_trust::identity::{Founding, Identity, View};
use ortsnetz_trust::invite::{Answer, NamedOrganisation, Token, TokenKind};
use ortsnetz_trust::receipt::Material;
use ortsnetz_trust::record::{Checkpoint, Cut, Totals};
use ortsnetz_trust::statement::OrganisationKind;
use ortsnetz_trust::statement::Roles;
use ortsnetz_trust::tree::{EMPTY, FAN, Inclusion, leaf_hash, leaf_of, node_hash, root_hash};
use ortsnetz_trust::{Body, NodeKey, Receipt, Record, RootKey, SignedRecord};

const NOW: u64 = 1_795_300_000_000;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result {
    exchange()?;
    trust()?;
    frames()?;
    chunks()?;
    sealed()?;
    reach()?;
    receipts()
}

fn seed(target: &str, name: &str, bytes: impl AsRef<[u8]>) -> Result {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    std::fs::create_dir_all(&folder)?;
    Ok(std::fs::write(folder.join(name), bytes)?)
}

/// What owner and keeper of a sealed copy say: as in the test vectors.
fn sealed() -> Result {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/sealed.json");
    let vectors: serde_json::Value = serde_json::from_slice(&std::fs::read(vectors)?)?;
    let bytes = |value: &serde_json::Value| -> Result<Vec<u8>> {
        let text = value.as_str().ok_or("a text")?.as_bytes();
        let byte = |pair: &[u8]| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
        text.chunks(2).map(byte).collect()
    };
    for (kind, name) in [("asks", "ask"), ("answers", "answer")] {
        for (number, value) in vectors[kind].as_array().ok_or("a list")?.iter().enumerate() {
            seed("keep", &format!("{name}-{number}"), bytes(value)?)?;
        }
    }
    let signed = bytes(&vectors["signed"])?;
    seed("keep", "cut", &signed[..signed.len() - 9])?;
    seed("keep", "signed", signed)
}

/// The frames before a circuit.
fn reach() -> Result {
    let text = |text: &str| [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat();
    let node: Vec<u8> = (0..32).collect();
    let (one, two) = (text("/ip4/192.0.2.1/tcp/4115"), text("/dns4/bonn.example/tcp/4115"));
    seed("reach", "connect", [&[1][..], &node].concat())?;
    seed("reach", "incoming", [&[2][..], &node].concat())?;
    seed("reach", "dial-back", [&[3][..], &one, &two].concat())?;
    seed("reach", "yes", [0])?;
    seed("reach", "no", [&[1][..], &text("zu groß")].concat())?;
    let failed = [text("/ip4/192.0.2.1/tcp/1"), text("refused")].concat();
    seed("reach", "dialled", [&[2][..], &one, &text(""), &failed].concat())?;
    seed("reach", "odd", [&[2][..], &one].concat())?;
    seed("reach", "cut", b"\x03\0 abc")?;
    seed("reach", "unknown", [9])
}

fn exchange() -> Result {
    seed(
        "dldb",
        "service.json",
        r#"{"data":[{"id":"1","name":"Ausweis &amp; Pass","description":"<p>Ein <b>Text</b><br>mit <a href=\"https://a.de/(x)\">Link</a></p><ul><li>eins<ul><li>zwei</li></ul></li></ul>","meta":{"url":"https://a.de/{serviceId}","locale":"de","keywords":"a, b"},"authorities":[{"id":"1","name":"Stadt","webinfo":"https://a.de"}],"locations":[{"location":"2","appointment":{"link":"https://a.de/x","slots":"0","allowed":false}}],"leika":"99050012104000, 1","public":false,"links":[{"name":"L","link":"https://a.de/l.pdf","description":false}],"forms":[],"appointment":{"link":"https://a.de/{serviceId}"},"fees":"<p>50 bis 60 Euro (je nach Form)</p><ul><li>unter 24: 27,60 Euro</li></ul>"}],"meta":{}}"#,
    )?;
    seed(
        "dldb",
        "office.json",
        r#"{"created":"x","data":[{"id":2,"name":"Amt","address":{"street":"S","house_number":"1","postal_code":"53721","city":"O","hint":false},"geo":{"lat":"50.7","lon":7.2},"contact":{"email":"a@b.de","phone":"0228 1","webinfo":""},"services":[{"service":"1","duration":5,"appointment":{"slots":"2"}}],"opening_times":{"monday":[{"from":"08:00","to":"12:00"}]}}]}"#,
    )?;
    seed(
        "dldb",
        "broken.json",
        r#"[{"id":"1","name":"a<script>x</script>","description":"<h2 onclick=x>T</h2><table><tr><td>1<td>2</table>1970-01-01"},{"id":}, 7, "x", [], {"id":"2""#,
    )?;
    let mapping = "kind=\"service\"\n[identifier]\nagency=\"A\"\nscheme=\"LB\"\ncolumn=\"Nr\"\n[constants]\n\"source.url\"=\"https://a.de\"\n[[columns]]\nname=\"Name\"\npath=\"title.de\"\nrequired=true\n[[columns]]\nname=\"Preis\"\npath=\"fees.0.amount\"\nas=\"money\"\n[[columns]]\nname=\"Amt\"\npath=\"offices\"\nseparator=\",\"\nreference={scheme=\"OE\"}\n";
    seed(
        "csv",
        "mapped.csv",
        format!("{mapping}\0Nr;Name;Preis;Amt\r\n1;\"Aus\"\"weis\r\nneu\";28,80 €;1,2\r\n2;;x;\r\n"),
    )?;
    seed(
        "csv",
        "paths.csv",
        "kind;title.de;leika;fees.0.amount\nservice;Ausweis;99050012104000|99108001000000;2880\n",
    )?;
    seed("csv", "windows.csv", b"kind,title.de,url\nform,M\xfcnchen \x80,https://a.de\n")?;
    seed("csv", "quote.csv", "kind\ttitle.de\nservice\t\"offen")?;
    seed(
        "jsonl",
        "entries.jsonl",
        "{\"kind\":\"service\",\"identifier\":{\"agency\":\"A\",\"scheme\":\"LB\",\"value\":\"7\"},\"title\":{\"de\":\"Ausweis\"},\"offices\":[\"05050505050505050505050505050505\"],\"references\":{\"offices.0\":{\"agency\":\"A\",\"scheme\":\"OE\",\"value\":\"1\"}},\"companions\":{\"partners\":{\"agent_note\":{\"de\":\"x\"}}},\"collection\":\"internal\"}\n{\"kind\":\"office\",\"title\":{\"de\":\"Amt\"}}\n{\n",
    )
}

fn trust() -> Result {
    let (root, node) = (RootKey::from_secret(&[1; 32]), NodeKey::from_secret(&[2; 32]));
    let founding = Founding {
        name: "Stadt Siegburg".into(),
        ars: "053820060060".into(),
        kind: OrganisationKind::Municipality,
        node_name: "Rathaus".into(),
        addresses: vec!["/dns4/rathaus.example/tcp/4115".into()],
        at: NOW,
        random: [3; 16],
    };
    let identity = Identity::found(founding, &root, &node)?;
    for (number, statement) in identity.statements_for(View::Own).iter().enumerate() {
        seed("records", &format!("statement-{number}"), statement.to_bytes())?;
    }
    let bodies = [Body::Publication { heads: vec![Hash([7; 32])] }, Body::Withdrawal { moved_to: None }];
    for (number, body) in bodies.into_iter().enumerate() {
        let record = Record {
            feed: feed(identity.id()),
            entry: Some(EntryId([9; 16])),
            generation: 1,
            position: Position { term: 1, epoch: NOW, sequence: 1 },
            previous: None,
            list_serial: 0,
            at: NOW,
            instance: 4,
            body,
            totals: Some(Totals { count: 1, root: Hash([5; 32]) }),
        };
        seed("records", &format!("record-{number}"), SignedRecord::sign(record, &node)?.to_bytes())?;
    }
    let token = Token {
        kind: TokenKind::Partner,
        organisation: NamedOrganisation { id: identity.id(), name: "Stadt Siegburg".into(), ars: "053820060060".into() },
        node: node.id(),
        addresses: vec!["/dns4/rathaus.example/tcp/4115".into()],
        id: [6; 16],
        secret: [7; 32],
        expires: NOW,
        for_ars: Some("053140000000".into()),
        trust: true,
    };
    let text = token.to_text()?;
    seed("tokens", "partner", &text)?;
    seed("tokens", "cut", &text[..text.len() / 2])?;
    let answer = Answer {
        token: token.id,
        organisation: NamedOrganisation { id: OrgId([8; 32]), name: "Stadt Bonn".into(), ars: "053140000000".into() },
        node: node.id(),
        addresses: vec!["/dns4/bonn.example/tcp/4115".into()],
        expires: NOW,
        proof: Hash([9; 32]),
    };
    seed("tokens", "answer", &answer.to_text()?)
}

fn feed(organisation: OrgId) -> FeedId {
    FeedId { organisation, collection: CollectionId::named(&organisation, "public") }
}

fn frames() -> Result {
    let organisation = OrgId([8; 32]);
    let after = Position { term: 1, epoch: NOW, sequence: 3 };
    let messages = [
        Message::Hello {
            oldest: 1,
            newest: 1,
            organisation,
            instance: 4,
            chain: [1; 16],
            offer: Default::default(),
            taken: Default::default(),
        },
        Message::Have { feeds: Vec::new(), chains: Vec::new(), offer: None },
        Message::AskChain { organisation },
        Message::Chain { organisation, statements: vec![vec![1, 2, 3].into()], last: true },
        Message::Get { feed: feed(organisation), after },
        Message::Ack { feed: feed(organisation), cursor: after, stored: after, offer: None },
    ];
    for (number, message) in messages.iter().enumerate() {
        seed("frames", &format!("message-{number}"), message.frame(3))?;
    }
    Ok(())
}

fn chunks() -> Result {
    let actor = Actor::from_bytes(&[1; 12]);
    let mut document = Document::new(&actor);
    let mut entry = Entry::from_json(serde_json::json!({"kind": "service", "title": {"de": "Ausweis"},
        "texts": {"description": {"de": "Eins\n\nZwei"}}}))?;
    let mut ids = Ids::Imported(EntryId([1; 16]));
    let first = document.update(&entry, NOW, &mut ids)?.ok_or("the first change is missing")?;
    entry.set_path("title.de", "Personalausweis")?;
    let second = document.update(&entry, NOW + 1_000, &mut ids)?.ok_or("the second change is missing")?;
    let with_length = |chunk: &[u8]| [&u16::try_from(chunk.len()).unwrap_or(u16::MAX).to_be_bytes(), chunk].concat();
    let (first, second) = (with_length(first.as_bytes()), with_length(second.as_bytes()));
    seed("chunks", "one", [&[0], first.as_slice()].concat())?;
    seed("chunks", "two", [&[2], first.as_slice(), &second].concat())?;
    seed("chunks", "incomplete", [&[0], second.as_slice()].concat())
}

/// Receipts as `tests/receipts/verify.py` reads them too: of a publication, and of the same one after its signer was lost
/// and the root key was replaced. `falls-` are those that must not hold.
fn receipts() -> Result {
    let (root, node, laptop) =
        (RootKey::from_secret(&[1; 32]), NodeKey::from_secret(&[2; 32]), NodeKey::from_secret(&[4; 32]));
    let founding = Founding {
        name: "Stadt Siegburg".into(),
        ars: "053820060060".into(),
        kind: OrganisationKind::Municipality,
        node_name: "Rathaus".into(),
        addresses: Vec::new(),
        at: NOW,
        random: [3; 16],
    };
    let mut identity = Identity::found(founding, &root, &node)?;
    let (public, id) = (feed(identity.id()), EntryId([9; 16]));
    let mut document = Document::new(&Actor::from_bytes(&[1; 12]));
    let mut entry = Entry::from_json(serde_json::json!({"kind": "service", "title": {"de": "Reisepass für Kinder"},
        "fees": [{"kind": "fixed", "amount": 3750}]}))?;
    let mut changes = Vec::new();
    for amount in [3750, 7000] {
        entry.set_path("fees.0.amount", &amount.to_string())?;
        let chunk = document.update(&entry, NOW, &mut Ids::Imported(id))?.ok_or("a change is missing")?;
        changes.push(chunk.into_bytes());
    }
    let mut record = Record {
        feed: public,
        entry: Some(id),
        generation: 1,
        position: Position { term: 1, epoch: NOW, sequence: 7 },
        previous: None,
        list_serial: 0,
        at: NOW + 5_000,
        instance: 4,
        body: Body::Publication { heads: document.heads() },
        totals: None,
    };
    let inclusion = inclusion(&[(EntryId([3; 16]), Hash([3; 32])), record.item().ok_or("no item")?], &id);
    let totals = Totals { count: 2, root: root_hash(&inclusion.nodes) };
    record.totals = Some(totals);
    let signed = SignedRecord::sign(record.clone(), &node)?;
    let make = |identity: &Identity, witness, now| {
        let material = Material {
            identity,
            record: signed.clone(),
            changes: changes.clone(),
            witness,
            checkpoint: None,
            inclusion: inclusion.clone(),
        };
        Receipt::make(material, now).map(|receipt| receipt.to_text())
    };
    let text = make(&identity, signed.clone(), NOW + 10_000)?;
    seed("receipts", "holds-published.json", &text)?;
    seed("receipts", "falls-other-amount.json", text.replacen("7000", "700", 1))?;
    seed("receipts", "falls-other-time.json", text.replacen("\"said_at\": \"20", "\"said_at\": \"19", 1))?;
    seed("receipts", "falls-cut.json", &text[..text.len() / 2])?;
    let later = NOW + 86_400_000;
    let roles = Roles { admin: true, edit: true };
    let mut statements = vec![
        identity.certify(laptop.id(), roles, "Laptop".into(), Vec::new(), later, &root)?,
        identity.appoint(laptop.id(), later, &root)?,
    ];
    statements.extend(identity.revoke(node.id(), later, &root)?);
    identity.take_in_all(statements);
    let rotated = identity.rotate(&root, &RootKey::from_secret(&[5; 32]), later)?;
    identity.take_in_all(rotated);
    let cuts = vec![Cut { term: 1, epoch: NOW, sequence: 7 }];
    let body = Body::Checkpoint(Checkpoint { root: totals.root, count: 2, cuts });
    let position = Position { term: 2, epoch: later, sequence: 1 };
    let checkpoint = Record { entry: None, generation: 0, position, at: later, body, totals: Some(totals), ..record };
    let witness = SignedRecord::sign(checkpoint, &laptop)?;
    let text = make(&identity, witness, later)?;
    seed("receipts", "holds-after-loss.json", &text)?;
    // Without the signature of the new publisher nothing but the lost key speaks for it.
    let mut alone: serde_json::Value = serde_json::from_str(&text)?;
    alone["proof"]["witness"] = serde_json::Value::Null;
    seed("receipts", "falls-without-witness.json", serde_json::to_string_pretty(&alone)?)
}

fn inclusion(items: &[(EntryId, Hash)], entry: &EntryId) -> Inclusion {
    let mut sorted = items.to_vec();
    sorted.sort();
    let of_leaf = |leaf: usize| -> Vec<Hash> {
        sorted.iter().filter(|(entry, _)| usize::from(leaf_of(entry)) == leaf).map(|(_, item)| *item).collect()
    };
    let leaves = |node: usize| -> Vec<Hash> { (0..FAN).map(|leaf| leaf_hash(&of_leaf(node * FAN + leaf))).collect() };
    let leaf = usize::from(leaf_of(entry));
    let nodes: Vec<Hash> = (0..FAN).map(|node| node_hash(&leaves(node))).collect();
    debug_assert_ne!(nodes, vec![EMPTY; FAN]);
    Inclusion { items: of_leaf(leaf), leaves: leaves(leaf / FAN), nodes }
}
