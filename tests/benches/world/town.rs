//! A town of the big world: a real organisation with its keys, its entries as signed changes and records, made in memory.
//! The same number makes the same town each time.

use std::sync::Arc;

use ortsnetz_model::{Actor, CollectionId, Document, Entry, EntryId, FeedId, Hash, Ids, NodeId, OrgId, Position};
use ortsnetz_sync::limits::BATCH_RECORDS_MAX;
use ortsnetz_sync::{Config, Effect, Engine, Event, Item, OpId, Organisation, PublishItem, Snapshot};
use ortsnetz_trust::identity::Founding;
use ortsnetz_trust::record::sign_batch;
use ortsnetz_trust::statement::OrganisationKind;
use ortsnetz_trust::{Body, Identity, NodeKey, RootKey};
use serde_json::json;

/// An organisation without a store: what it is, and how far it published.
pub struct Town {
    pub number: u32,
    pub key: NodeKey,
    pub identity: Identity,
    /// Where its entries stand.
    pub feed: FeedId,
}

/// Everything a town published, in order of position: the checkpoint first.
pub struct Works {
    pub items: Vec<(Position, Item)>,
    pub cursor: Position,
    pub serial: u64,
}

/// Its place. Nobody else has one of these.
pub fn ars(number: u32) -> String {
    format!("053{:02}{number:04}{:03}", 20 + number / 100, number % 1000)
}

impl Town {
    /// Founds the town, at `at`.
    pub fn found(number: u32, at: u64) -> Self {
        let secret = |what: &str| Hash::of(format!("{what} {number} {at}").as_bytes()).0;
        let (root, key) = (RootKey::from_secret(&secret("root")), NodeKey::from_secret(&secret("node")));
        let founding = Founding {
            name: format!("Stadt {number:03}"),
            ars: ars(number),
            kind: OrganisationKind::Municipality,
            node_name: "Rathaus".into(),
            addresses: Vec::new(),
            at,
            random: secret("random")[..16].try_into().expect("16 bytes"),
        };
        let identity = Identity::found(founding, &root, &key).expect("a town can be founded");
        let organisation = identity.id();
        let feed = FeedId { organisation, collection: CollectionId::named(&organisation, "public") };
        Self { number, key, identity, feed }
    }

    pub fn organisation(&self) -> OrgId {
        self.identity.id()
    }

    /// First half of the hash of what a partner may see of its statements.
    pub fn chain_hash(&self, partner: &OrgId) -> [u8; 16] {
        let hash = Organisation::chain_hash(&self.identity, &self.organisation(), partner, &|_| false);
        hash.0[..16].try_into().expect("a hash is longer")
    }

    /// Those statements.
    pub fn chain(&self, partner: &OrgId) -> Vec<Vec<u8>> {
        Organisation::chain_for(&self.identity, &self.organisation(), partner, &|_| false)
    }

    /// Makes and publishes so many entries, as the publisher of a town does: through an engine, in full batches.
    pub fn publish(&self, entries: u32, at: u64) -> Works {
        let node = self.key.id();
        let mut snapshot = Snapshot::default();
        snapshot.organisation(Arc::new(self.identity.clone()));
        let config = Config { node, organisation: self.organisation(), started_at: at, zstd_level: 3 };
        let mut engine = Engine::new(config, u64::from(self.number), snapshot);
        let mut items = Vec::new();
        let numbers: Vec<u32> = (0..entries).collect();
        for (op, batch) in numbers.chunks(BATCH_RECORDS_MAX).enumerate() {
            let op = OpId(op as u64);
            let made: Vec<_> = batch.iter().map(|entry| self.document(*entry, at)).collect();
            let asked = made.iter().map(|(entry, heads, _)| PublishItem {
                feed: self.feed,
                entry: *entry,
                generation: 1,
                body: Body::Publication { heads: heads.clone() },
            });
            engine.handle(at, Event::Publish { op, items: asked.collect() });
            let mut published = false;
            while let Some(effect) = engine.poll_effect() {
                match effect {
                    Effect::Commit { op, batches, origins } => {
                        let signed = batches
                            .into_iter()
                            .flat_map(|batch| sign_batch(batch, &self.key).expect("the engine makes batches"));
                        let signed: Vec<_> = signed
                            .zip(&origins)
                            .map(|(signed, origin)| {
                                let chunks = origin.map(|(_, at)| made[at].2.clone()).into_iter().collect();
                                let item = Item { record: signed.to_bytes().into(), chunks };
                                items.push((signed.record().position, item.clone()));
                                item
                            })
                            .collect();
                        engine.handle(at, Event::Committed { op, items: Some(signed) });
                    }
                    Effect::Published { result, .. } => {
                        result.expect("an empty town publishes what it likes");
                        published = true;
                    }
                    _ => {}
                }
            }
            assert!(published, "a publication ends at once when nothing is slow");
        }
        let cursor = engine.feed(&self.feed).expect("something was published").cursor;
        let serial = Organisation::sharing(&self.identity, &self.feed.collection).map_or(0, |sharing| sharing.serial);
        Works { items, cursor, serial }
    }

    /// An entry as one change, with the heads that name it.
    fn document(&self, entry: u32, at: u64) -> (EntryId, Vec<Hash>, Vec<u8>) {
        let id = EntryId::imported_as(&self.organisation(), entry);
        let content = Entry::from_json(content(self.number, entry)).expect("the generator makes entries");
        let mut document = Document::new(&actor(&self.key.id(), at));
        let chunk = document.update(&content, at, &mut Ids::Imported(id)).expect("a change").expect("not empty");
        (id, document.heads(), chunk.into_bytes())
    }
}

fn actor(node: &NodeId, at: u64) -> Actor {
    Actor::of_node(node, at)
}

trait ImportedAs {
    fn imported_as(organisation: &OrgId, number: u32) -> Self;
}

impl ImportedAs for EntryId {
    /// Spread evenly, as hashes of identifiers are.
    fn imported_as(organisation: &OrgId, number: u32) -> Self {
        let hash = Hash::of(&[organisation.0.as_slice(), &number.to_be_bytes()].concat());
        Self(hash.0[..16].try_into().expect("a hash is longer"))
    }
}

const FIRST: [&str; 40] = [
    "Hunde",
    "Gewerbe",
    "Wohn",
    "Eltern",
    "Kinder",
    "Bau",
    "Abfall",
    "Wasser",
    "Straßen",
    "Park",
    "Melde",
    "Reise",
    "Personal",
    "Führer",
    "Jagd",
    "Fischerei",
    "Sport",
    "Schul",
    "Sozial",
    "Pflege",
    "Grund",
    "Feuer",
    "Markt",
    "Gast",
    "Lärm",
    "Baum",
    "Friedhofs",
    "Ehe",
    "Geburts",
    "Sterbe",
    "Kraft",
    "Anwohner",
    "Sperrmüll",
    "Bibliotheks",
    "Vereins",
    "Denkmal",
    "Brand",
    "Energie",
    "Heiz",
    "Umwelt",
];
const SECOND: [&str; 40] = [
    "steuer",
    "ausweis",
    "genehmigung",
    "anmeldung",
    "geld",
    "bescheinigung",
    "gebühr",
    "erlaubnis",
    "schein",
    "pass",
    "beitrag",
    "urkunde",
    "antrag",
    "zuschuss",
    "hilfe",
    "abholung",
    "prüfung",
    "förderung",
    "verlängerung",
    "auskunft",
    "abmeldung",
    "beratung",
    "nutzung",
    "anschluss",
    "zulassung",
    "befreiung",
    "ermäßigung",
    "kontrolle",
    "sicherung",
    "planung",
    "änderung",
    "löschung",
    "vermietung",
    "reinigung",
    "aufsicht",
    "vertrag",
    "eintragung",
    "meldung",
    "bewilligung",
    "unterlage",
];
const PHRASES: [&str; 12] = [
    "müssen Sie persönlich im Bürgeramt beantragen",
    "können Sie online oder schriftlich beantragen",
    "wird nach Prüfung Ihrer Unterlagen erteilt",
    "gilt für fünf Jahre und kann verlängert werden",
    "kostet nichts, wenn Sie Leistungen nach dem Zweiten Buch Sozialgesetzbuch erhalten",
    "brauchen alle, die hier ihre Hauptwohnung haben",
    "bekommen Sie innerhalb von zwei Wochen zugeschickt",
    "ist vor Beginn der Tätigkeit anzuzeigen",
    "können auch Bevollmächtigte mit einer Vollmacht abholen",
    "wird in der Regel sofort ausgestellt",
    "ist an Bedingungen geknüpft, die Sie der Satzung entnehmen",
    "endet, sobald Sie aus der Gemeinde wegziehen",
];

/// A word that a town hall uses.
pub fn word(number: u32) -> String {
    let (first, second) = (number as usize % FIRST.len(), number as usize / FIRST.len() % SECOND.len());
    format!("{}{}", FIRST[first], SECOND[second])
}

/// Spreads numbers, so that neighbours are not alike.
fn mixed(town: u32, entry: u32, what: u32) -> u32 {
    let hash = Hash::of(&[town.to_be_bytes(), entry.to_be_bytes(), what.to_be_bytes()].concat());
    u32::from_be_bytes(hash.0[..4].try_into().expect("4 bytes"))
}

/// What an entry says: about 1,100 bytes of JSON.
fn content(town: u32, entry: u32) -> serde_json::Value {
    let about = word(entry);
    let other = |what| word(mixed(town, entry, what));
    let sentence = |what| {
        let phrase = PHRASES[mixed(town, entry, what) as usize % PHRASES.len()];
        format!("Die {} {phrase}.", other(what + 100))
    };
    let paragraph = |from: u32| (from..from + 3).map(sentence).collect::<Vec<_>>().join(" ");
    json!({
        "kind": "service",
        "identifier": { "agency": format!("L{town:06}"), "scheme": "LB", "value": entry.to_string() },
        "title": { "de": format!("{about} und {}", other(1)) },
        "keywords": { "de": [other(2), other(3)] },
        "leika": [format!("99{:06}{:03}{:03}", entry % 1_000_000, town % 1000, 0)],
        "texts": {
            "summary": { "de": sentence(10) },
            "description": { "de": format!("{}\n\n{}", paragraph(20), paragraph(30)) },
            "required_documents": { "de": format!("- {}\n- {}", other(4), other(5)) },
        },
        "fees": [{ "kind": "fixed", "amount": mixed(town, entry, 6) % 10_000, "currency": "EUR" }],
        "valid_for": [ars(town)],
    })
}
