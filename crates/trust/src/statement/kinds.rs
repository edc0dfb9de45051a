//! The facts an organisation can state about itself, one type each, and the rules every one obeys.

use minicbor::{Decode, Encode};
use ortsnetz_model::{CollectionId, NodeId, OrgId};
use serde::{Deserialize, Serialize};

use crate::keys::PublicKey;

/// The version of the statement format written by this crate.
pub const STATEMENT_VERSION: u8 = 1;

/// What kind of body an organisation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum OrganisationKind {
    /// A town or other municipality.
    #[n(0)]
    Municipality,
    /// A county (Kreis).
    #[n(1)]
    County,
    /// A service centre that answers for several municipalities.
    #[n(2)]
    ServiceCenter,
    /// An outside provider, such as a public utility.
    #[n(3)]
    Provider,
}

/// The first statement of an organisation. Its hash is the organisation's id; the root key it names signs it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Genesis {
    /// Format version, [`STATEMENT_VERSION`].
    #[n(0)]
    pub version: u8,
    /// Name of the organisation, for example `Stadt Siegburg`.
    #[n(1)]
    pub name: String,
    /// The place it claims to speak for: 12 digits, or empty for a body without a place.
    #[n(2)]
    pub ars: String,
    /// What kind of body it is.
    #[n(3)]
    pub kind: OrganisationKind,
    /// The root key.
    #[n(4)]
    pub root: PublicKey,
    /// When it was made, milliseconds since 1970.
    #[n(5)]
    pub at: u64,
    /// Random bytes, so that two organisations never share an id.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub random: [u8; 16],
}

/// The root key changes hands. Signed by both keys. From then on statements signed by root count only with the new
/// signature, so the owner signs all of them again in the same step.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RootRotation {
    /// Whose root key.
    #[n(0)]
    pub organisation: OrgId,
    /// Counts the rotations from 1.
    #[n(1)]
    pub number: u32,
    /// The key that was valid so far.
    #[n(2)]
    pub old: PublicKey,
    /// The key that is valid from now on.
    #[n(3)]
    pub new: PublicKey,
    /// When, milliseconds since 1970.
    #[n(4)]
    pub at: u64,
}

/// What a node may do beside reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
pub struct Roles {
    /// Signs collections, reader lists, partnerships and agreements.
    #[n(0)]
    pub admin: bool,
    /// Signs drafts.
    #[n(1)]
    pub edit: bool,
}

/// Makes a node a node of the organisation. A higher serial replaces the former certificate of the node; a renewal
/// keeps `not_before`, because records are judged by it. Signed by root.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct NodeCertificate {
    /// Whose node.
    #[n(0)]
    pub organisation: OrgId,
    /// The node.
    #[n(1)]
    pub node: NodeId,
    /// Counts the certificates of this node from 1.
    #[n(2)]
    pub serial: u64,
    /// What it may do.
    #[n(3)]
    pub roles: Roles,
    /// Valid from, milliseconds since 1970.
    #[n(4)]
    pub not_before: u64,
    /// Valid until, milliseconds since 1970. Later records are held back; what was verified stays readable.
    #[n(5)]
    pub not_after: u64,
    /// Where it can be reached (multiaddrs).
    #[n(6)]
    pub addresses: Vec<String>,
    /// What people call it, for example `Rathaus` or `Laptop`.
    #[n(7)]
    pub name: String,
}

/// Takes a certificate back, and all earlier ones of that node. Signed by root.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct NodeRevocation {
    /// Whose node.
    #[n(0)]
    pub organisation: OrgId,
    /// The node.
    #[n(1)]
    pub node: NodeId,
    /// The highest certificate serial that is void.
    #[n(2)]
    pub serial: u64,
    /// When, milliseconds since 1970.
    #[n(3)]
    pub at: u64,
}

/// Makes one node the publisher. The highest number is the present term. Signed by root.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PublisherTerm {
    /// Whose publisher.
    #[n(0)]
    pub organisation: OrgId,
    /// Counts the terms from 1.
    #[n(1)]
    pub number: u32,
    /// The node that publishes in this term.
    #[n(2)]
    pub node: NodeId,
    /// When, milliseconds since 1970.
    #[n(3)]
    pub at: u64,
}

/// The organisation follows another one whose root key is lost or which was merged into it. Counts at a partner once
/// a person there checked it. Signed by the successor's root.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Succession {
    /// The successor.
    #[n(0)]
    pub organisation: OrgId,
    /// The one it follows.
    #[n(1)]
    pub predecessor: OrgId,
    /// Counts the statements about this predecessor from 1.
    #[n(2)]
    pub serial: u64,
    /// When, milliseconds since 1970.
    #[n(3)]
    pub at: u64,
    /// It follows it no more.
    #[n(4)]
    pub ended: bool,
}

/// A person of the organisation compared check words and found that one organisation follows another one, or that it does
/// not. One statement for each that is followed. Signed by a node with role `admin` or by root.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SuccessionConfirmation {
    /// Who confirms.
    #[n(0)]
    pub organisation: OrgId,
    /// The successor.
    #[n(1)]
    pub successor: OrgId,
    /// The one it follows; may be who confirms.
    #[n(2)]
    pub predecessor: OrgId,
    /// Counts the statements about this predecessor from 1.
    #[n(3)]
    pub serial: u64,
    /// `false` refuses it, or takes an earlier confirmation back.
    #[n(4)]
    pub confirmed: bool,
    /// When, milliseconds since 1970.
    #[n(5)]
    pub at: u64,
}

/// Who may read a collection.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Readers {
    /// Everybody: partners, whoever they relay to, the public pages.
    #[n(0)]
    Public,
    /// These organisations (sorted), and the own nodes.
    #[n(1)]
    Organisations(#[n(0)] Vec<OrgId>),
    /// The own nodes only.
    #[n(2)]
    Internal,
}

/// A collection and its reader list. Signed by a node with role `admin` or by root.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CollectionStatement {
    /// Whose collection.
    #[n(0)]
    pub organisation: OrgId,
    /// Which one.
    #[n(1)]
    pub collection: CollectionId,
    /// Its name at creation, for example `public`, `with:<OrgId>` or one of the organisation's own. The id is made of it.
    #[n(2)]
    pub name: String,
    /// Counts the statements about this collection from 1.
    #[n(3)]
    pub serial: u64,
    /// Who may read it.
    #[n(4)]
    pub readers: Readers,
    /// Since when each organisation on the list may read it, in the order of the list, milliseconds since 1970. Empty
    /// where no organisations are listed.
    #[n(5)]
    pub since: Vec<u64>,
    /// Whether readers may pass it on to other readers; always so for a public one.
    #[n(6)]
    pub relay: bool,
    /// Closed: nothing new will be published in it. Readers may still fetch its last state. Only a bilateral one opens
    /// again, when the partnership does.
    #[n(7)]
    pub ended: bool,
    /// When this was stated, milliseconds since 1970.
    #[n(8)]
    pub at: u64,
    /// The name in use, if it was renamed since its creation.
    #[n(9)]
    pub title: Option<String>,
}

impl CollectionStatement {
    /// What people call it now.
    pub fn label(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.name)
    }

    /// Since when an organisation on the list may read it, milliseconds since 1970; `None` if it is not listed.
    pub fn since(&self, reader: &OrgId) -> Option<u64> {
        match &self.readers {
            Readers::Organisations(list) => self.since.get(list.binary_search(reader).ok()?).copied(),
            Readers::Public | Readers::Internal => None,
        }
    }
}

/// An organisation no longer reads a collection. It goes to that organisation and to those who still read, so that any
/// of them can pass it on; nothing said about the collection later reaches the removed one. Signed as the list itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ReaderRemoval {
    /// Whose collection.
    #[n(0)]
    pub organisation: OrgId,
    /// Which one.
    #[n(1)]
    pub collection: CollectionId,
    /// Who was removed.
    #[n(2)]
    pub reader: OrgId,
    /// Serial of the first statement about the collection that no longer lists it.
    #[n(3)]
    pub serial: u64,
    /// When, milliseconds since 1970.
    #[n(4)]
    pub at: u64,
}

/// Two organisations work together. Each side signs with a node of role `admin` (or root) and keeps it in its chain.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Partnership {
    /// The one with the smaller id.
    #[n(0)]
    pub a: OrgId,
    /// The one with the greater id.
    #[n(1)]
    pub b: OrgId,
    /// Counts the statements about this pair from 1; ends count too.
    #[n(2)]
    pub serial: u64,
    /// When, milliseconds since 1970.
    #[n(3)]
    pub at: u64,
}

/// One side ends the partnership; one signature is enough.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PartnershipEnd {
    /// The side that ends it.
    #[n(0)]
    pub organisation: OrgId,
    /// The other side.
    #[n(1)]
    pub partner: OrgId,
    /// Counts the statements about this pair from 1.
    #[n(2)]
    pub serial: u64,
    /// When, milliseconds since 1970.
    #[n(3)]
    pub at: u64,
}

/// A person of the organisation compared name, ARS and check words of a partner. Signed by a node with role `admin`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PartnerConfirmation {
    /// Who confirms.
    #[n(0)]
    pub organisation: OrgId,
    /// Who is confirmed.
    #[n(1)]
    pub partner: OrgId,
    /// Counts the statements about this partner from 1.
    #[n(2)]
    pub serial: u64,
    /// `false` takes an earlier confirmation back.
    #[n(3)]
    pub confirmed: bool,
    /// When, milliseconds since 1970.
    #[n(4)]
    pub at: u64,
}

/// The owner of a place lets another organisation speak for it too. Signed by a node with role `admin`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Delegation {
    /// The owner.
    #[n(0)]
    pub organisation: OrgId,
    /// Who may speak for the place as well.
    #[n(1)]
    pub to: OrgId,
    /// The place, 12 digits.
    #[n(2)]
    pub ars: String,
    /// Counts the statements about this place and organisation from 1.
    #[n(3)]
    pub serial: u64,
    /// Until when, milliseconds since 1970; 0 takes it back.
    #[n(4)]
    pub until: u64,
}

/// The organisation takes part no more from a day on, or does so after all. What others hold of it then is marked, served
/// to nobody else, and deleted when the term is over. Signed by root.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Leaving {
    /// Who leaves.
    #[n(0)]
    pub organisation: OrgId,
    /// Counts the statements about this from 1.
    #[n(1)]
    pub serial: u64,
    /// From when on it takes part no more, milliseconds since 1970: the beginning of a day there. 0 takes it back.
    #[n(2)]
    pub from: u64,
    /// Days after `from` for which others may keep what they hold of it.
    #[n(3)]
    pub keep_days: u32,
    /// Whom citizens and agents call then; may be empty.
    #[n(4)]
    pub telephone: String,
    /// What else agents should know, one line; may be empty.
    #[n(5)]
    pub note: String,
    /// When this was stated, milliseconds since 1970.
    #[n(6)]
    pub at: u64,
}

impl Leaving {
    /// Until when others may keep what they hold of it, milliseconds since 1970.
    pub fn keep_until(&self) -> u64 {
        self.from.saturating_add(u64::from(self.keep_days) * DAY_MS)
    }
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A node deleted everything it held of an organisation that left, its chain excepted. Signed by that node, or by root of its
/// organisation.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Deletion {
    /// Whose node.
    #[n(0)]
    pub organisation: OrgId,
    /// The node that deleted.
    #[n(1)]
    pub node: NodeId,
    /// Of whom.
    #[n(2)]
    pub leaver: OrgId,
    /// Serial of the leaver's statement by which it did.
    #[n(3)]
    pub serial: u64,
    /// How many entries it held.
    #[n(4)]
    pub entries: u64,
    /// When, milliseconds since 1970.
    #[n(5)]
    pub at: u64,
}

/// Whether a text is an ARS: exactly 12 digits.
pub fn is_ars(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
