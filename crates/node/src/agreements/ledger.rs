//! Which agreements are known, from our copies and the partners'.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use data_encoding::BASE64;
use jiff::civil::Date;
use ortsnetz_model::dates::parse_date;
use ortsnetz_model::{CollectionId, Entry, EntryId, FeedId, Hash, Kind, NodeId, OrgId};
use ortsnetz_service::agreement::{Terms, Version};
use ortsnetz_store::{Batch, Key, Range};
use ortsnetz_trust::keys::{Domain, Signature};
use ortsnetz_trust::{NodeKey, PublicKey, Signer as _};
use serde_json::Value;

use crate::catalog;
use crate::dto::AgreementSignature;
use crate::error::NodeError;
use crate::rows;
use crate::shared::{Shared, lock};
use crate::working::BILATERAL;

/// Table of entries that are copies of agreements: key is collection and entry, the value names the feed.
pub(crate) const AGREEMENTS: &str = "agreements";
/// How the projection of a copy begins, in canonical form.
const BEGINNING: &[u8] = br#"{"kind":"agreement","#;
/// What is signed.
const DOMAIN: Domain = Domain("agreement");
/// Copies read at once.
const ROWS: usize = 256;
/// Most copies that one organisation can hold against us: more than any partnership needs.
pub(crate) const COPIES_MAX: usize = 2_000;

/// What is known, kept until a copy changes.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<(u64, Option<Arc<Vec<Agreement>>>)>);

impl Ledger {
    /// A copy changed, or who may sign.
    pub fn forget(&self) {
        let mut known = lock(&self.0);
        known.0 += 1;
        known.1 = None;
    }
}

/// A number that grows whenever anything about agreements changed.
pub(crate) fn changes(shared: &Shared) -> u64 {
    lock(&shared.boards.agreements.0).0
}

/// An agreement with its versions, the oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Agreement {
    pub id: String,
    pub partner: OrgId,
    pub versions: Vec<Known>,
}

/// A version, as each side has it.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub number: u32,
    pub terms: Terms,
    pub ours: Option<Side>,
    pub theirs: Option<Side>,
}

/// What one side says of a version.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    terms: Terms,
    /// Set if it is valid.
    pub signature: Option<AgreementSignature>,
    pub declined: bool,
    pub reason: Option<String>,
    pub ends_on: Option<Date>,
}

impl Agreement {
    /// The version with the highest number.
    pub fn newest(&self) -> &Known {
        // An agreement is made of at least one copy.
        self.versions.last().unwrap_or_else(|| unreachable!("an agreement without versions"))
    }

    /// The versions as the rules see them.
    pub fn states(&self) -> Vec<Version> {
        self.versions
            .iter()
            .map(|known| Version {
                number: known.number,
                terms: known.terms.clone(),
                signed: known.is_signed(),
                declined: known.sides().any(|side| side.declined) && !known.is_signed(),
                ends_on: known.ends_on(),
            })
            .collect()
    }
}

impl Known {
    fn sides(&self) -> impl Iterator<Item = &Side> {
        self.ours.iter().chain(&self.theirs)
    }

    /// Both hold a valid signature over the same text.
    fn is_signed(&self) -> bool {
        match (&self.ours, &self.theirs) {
            (Some(ours), Some(theirs)) => {
                ours.signature.is_some() && theirs.signature.is_some() && ours.terms == theirs.terms
            }
            _ => false,
        }
    }

    /// The first of the days on which a side ends it.
    pub fn ends_on(&self) -> Option<Date> {
        self.sides().filter_map(|side| side.ends_on).min()
    }

    /// Why a side declined.
    pub fn reason(&self) -> Option<&str> {
        self.sides().find_map(|side| side.reason.as_deref())
    }

    /// Whether the other side signed it and waits for our answer.
    pub fn is_offered_to_us(&self) -> bool {
        self.ours.is_none() && self.theirs.as_ref().is_some_and(|side| side.signature.is_some())
    }
}

/// Adds the row of a copy to the batch that stores its projection; of any other kind nothing.
pub(crate) fn put(batch: &mut Batch, feed: &FeedId, id: &EntryId, json: &[u8]) {
    if json.starts_with(BEGINNING) {
        batch.put(key(feed, id), rows::encode(feed));
    }
}

/// Deletes the row of an entry that may be a copy.
pub(crate) fn forget(batch: &mut Batch, feed: &FeedId, id: &EntryId) {
    batch.delete(key(feed, id));
}

fn key(feed: &FeedId, id: &EntryId) -> Key {
    Key::Custom { table: AGREEMENTS.into(), key: [feed.collection.0, id.0].concat() }
}

/// All agreements with partners, in order of partner and id.
pub(super) fn all(shared: &Shared) -> Result<Arc<Vec<Agreement>>, NodeError> {
    let (generation, known) = lock(&shared.boards.agreements.0).clone();
    if let Some(known) = known {
        return Ok(known);
    }
    let read = Arc::new(read(shared)?);
    let mut kept = lock(&shared.boards.agreements.0);
    if kept.0 == generation {
        kept.1 = Some(read.clone());
    }
    Ok(read)
}

fn read(shared: &Shared) -> Result<Vec<Agreement>, NodeError> {
    let mut found: BTreeMap<(OrgId, String), BTreeMap<u32, Known>> = BTreeMap::new();
    let mut counts: BTreeMap<OrgId, usize> = BTreeMap::new();
    let mut after: Option<Key> = None;
    loop {
        let page = shared.store.scan(&Range::Custom(AGREEMENTS.into()), after.as_ref(), ROWS)?;
        let more = page.len() == ROWS;
        for (key, value) in page {
            after = Some(key.clone());
            let Key::Custom { key: bytes, .. } = &key else { continue };
            let Some(id) = bytes.get(16..).and_then(EntryId::from_slice) else { continue };
            let feed: FeedId = rows::decode("a copy of an agreement", &value)?;
            let count = counts.entry(feed.organisation).or_default();
            *count += 1;
            if *count > COPIES_MAX {
                continue;
            }
            if let Some(copy) = copy(shared, &feed, &id)? {
                add(shared, &mut found, copy);
            }
        }
        if !more {
            break;
        }
    }
    let agreement = |((partner, id), versions): (_, BTreeMap<u32, Known>)| Agreement {
        id,
        partner,
        versions: versions.into_values().collect(),
    };
    Ok(found.into_iter().map(agreement).collect())
}

/// A copy that one side holds.
struct Copy {
    by: OrgId,
    partner: OrgId,
    id: String,
    number: u32,
    side: Side,
}

fn add(shared: &Shared, found: &mut BTreeMap<(OrgId, String), BTreeMap<u32, Known>>, copy: Copy) {
    let own = copy.by == shared.own.organisation;
    let other = if own { copy.partner } else { copy.by };
    let versions = found.entry((other, copy.id)).or_default();
    let known = versions.entry(copy.number).or_insert_with(|| Known {
        number: copy.number,
        terms: copy.side.terms.clone(),
        ours: None,
        theirs: None,
    });
    if own {
        known.ours = Some(copy.side);
    } else {
        known.theirs = Some(copy.side);
    }
    // What a side signed is the text; where both signed different ones nothing is agreed, and ours is shown.
    let signed = [&known.ours, &known.theirs].into_iter().flatten().find(|side| side.signature.is_some());
    if let Some(side) = signed {
        known.terms = side.terms.clone();
    }
}

/// The copy as published now; `None` if it is withdrawn, or lies where it does not belong.
fn copy(shared: &Shared, feed: &FeedId, id: &EntryId) -> Result<Option<Copy>, NodeError> {
    let Some(row) = rows::projection(&shared.store, ortsnetz_store::Side::Published, &feed.collection, id)? else {
        return Ok(None);
    };
    let entry = catalog::read_entry(id, &row.json)?;
    if entry.kind() != Kind::Agreement {
        return Ok(None);
    }
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let own = feed.organisation == shared.own.organisation;
    let partner = if own { text("partner").and_then(|id| id.parse().ok()) } else { Some(shared.own.organisation) };
    let Some(partner) = partner else { return Ok(None) };
    // Only what the other side can read counts, and only in the collection that belongs to the partnership.
    if feed.collection != CollectionId::named(&feed.organisation, &format!("{BILATERAL}{partner}")) {
        return Ok(None);
    }
    let id = text("agreement").filter(|id| id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit()));
    let number = entry.get("version").and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    let terms = entry.get("terms").and_then(|terms| Terms::read(terms).ok());
    let (Some(id), Some(number), Some(terms)) =
        (id, number.filter(|number| (1..=super::VERSIONS_MAX).contains(number)), terms)
    else {
        return Ok(None);
    };
    let parties = [feed.organisation.to_string(), partner.to_string()];
    if !parties.contains(&terms.provider) || !parties.contains(&terms.recipient) {
        return Ok(None);
    }
    let signature = signature(shared, &feed.organisation, id, number, &terms, &entry);
    let side = Side {
        declined: entry.get("declined") == Some(&Value::Bool(true)),
        reason: text("reason").map(str::to_owned),
        ends_on: text("ends_on").and_then(parse_date),
        signature,
        terms,
    };
    Ok(Some(Copy { by: feed.organisation, partner, id: id.to_owned(), number, side }))
}

/// The signature in a copy, if it is a node's that this organisation ever gave the role admin.
fn signature(
    shared: &Shared,
    by: &OrgId,
    id: &str,
    number: u32,
    terms: &Terms,
    entry: &Entry,
) -> Option<AgreementSignature> {
    let text = |name: &str| entry.get("signature")?.get(name)?.as_str();
    let (node, value, at) = (text("node")?, text("value")?, text("at")?);
    let signer: NodeId = node.parse().ok()?;
    let identity = shared.identity_of(by)?;
    identity.last_certificate(&signer).filter(|certificate| certificate.roles.admin)?;
    let bytes: [u8; 64] = BASE64.decode(value.as_bytes()).ok()?.try_into().ok()?;
    let valid = PublicKey::from(signer).verify(DOMAIN, &message(id, number, terms), &Signature(bytes));
    valid.then(|| AgreementSignature { node: node.to_owned(), at: at.to_owned(), value: value.to_owned() })
}

/// Signs a version, as base64.
pub(super) fn sign(key: &NodeKey, id: &str, number: u32, terms: &Terms) -> String {
    BASE64.encode(&key.sign(DOMAIN, &message(id, number, terms)).0)
}

/// SHA-256 of what is signed, domain included.
pub(super) fn hash(id: &str, number: u32, terms: &Terms) -> Hash {
    Hash::of(&DOMAIN.message(&message(id, number, terms)))
}

/// What is signed: the agreement, the version, and the text in its one form.
fn message(id: &str, number: u32, terms: &Terms) -> Vec<u8> {
    [format!("{id}\n{number}\n").as_bytes(), &terms.canonical()].concat()
}
