//! The recovery sheet: an organisation's identity on paper, encrypted under a passphrase.
//!
//! The encryption is `age` with scrypt, so the sheet can be opened without this program, too. `age` draws salt and nonce
//! from the operating system: the one place in this crate that does.

use std::io::{Read as _, Write as _};
use std::iter;

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::secrecy::SecretString;
use minicbor::{Decode, Encode};
use ortsnetz_model::{NodeId, OrgId};
use zeroize::Zeroizing;

use crate::canonical;
use crate::identity::Identity;
use crate::keys::{RootKey, Signer};
use crate::limits::{ADDRESS_BYTES_MAX, ADDRESSES_MAX};
use crate::statement::{Signed, Statement, check_addresses};
use crate::words::normal_passphrase;

/// Work factor (log2 of scrypt's N) for real sheets: about a second and 256 MiB on a small machine.
pub const WORK_FACTOR: u8 = 18;
/// Highest work factor we try when reading: 1 GiB.
pub const WORK_FACTOR_MAX: u8 = 20;
/// Partners a sheet may name.
pub const SHEET_PARTNERS_MAX: usize = 1024;
/// Longest text of a node id.
const NODE_CHARS_MAX: usize = 64;
/// Longest sheet as text in bytes.
pub const SHEET_BYTES_MAX: usize = 4 * 1024 * 1024;

const BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
const END: &str = "-----END AGE ENCRYPTED FILE-----";
const VERSION: u8 = 1;

/// Where a partner can be reached, to fetch the data back from.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PartnerContact {
    /// The partner.
    #[n(0)]
    pub organisation: OrgId,
    /// Its name.
    #[n(1)]
    pub name: String,
    /// One of its nodes.
    #[n(2)]
    pub node: NodeId,
    /// Addresses of that node (multiaddrs).
    #[n(3)]
    pub addresses: Vec<String>,
}

/// What the sheet holds.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// The root key.
    pub root: RootKey,
    /// The genesis, which makes the organisation's id.
    pub genesis: Signed,
    /// Where to fetch the data back from.
    pub partners: Vec<PartnerContact>,
    /// When the sheet was made, milliseconds since 1970.
    pub at: u64,
}

/// Why a sheet could not be made or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    /// The text holds no encrypted block.
    #[error("this is not a recovery sheet: it has no line {BEGIN}")]
    NotASheet,
    /// The block is cut off or a character is wrong.
    #[error("the recovery sheet is damaged or incomplete; copy the whole block from BEGIN to END again")]
    Damaged,
    /// Not the passphrase it was made with.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// It would take too long or too much memory.
    #[error("the recovery sheet asks for work factor {0}, allowed are {WORK_FACTOR_MAX}")]
    TooMuchWork(u8),
    /// Decrypted, but not what it should be.
    #[error("the recovery sheet holds something else: {0}")]
    Content(String),
}

#[derive(Encode, Decode)]
struct Content {
    #[n(0)]
    version: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    secret: [u8; 32],
    #[n(2)]
    genesis: Signed,
    #[n(3)]
    partners: Vec<PartnerContact>,
    #[n(4)]
    at: u64,
}

impl Drop for Content {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.secret);
    }
}

impl Sheet {
    /// The encrypted block alone. `work_factor` is [`WORK_FACTOR`] except in tests.
    pub fn seal(&self, passphrase: &str, work_factor: u8) -> Result<String, SheetError> {
        self.check()?;
        let content = Content {
            version: VERSION,
            secret: *self.root.secret(),
            genesis: self.genesis.clone(),
            partners: self.partners.clone(),
            at: self.at,
        };
        let plain = Zeroizing::new(canonical::encode(&content));
        let mut recipient = age::scrypt::Recipient::new(SecretString::from(normal_passphrase(passphrase)));
        recipient.set_work_factor(work_factor.clamp(1, WORK_FACTOR_MAX));
        let failed = |error: String| SheetError::Content(error);
        let encryptor = age::Encryptor::with_recipients(iter::once(&recipient as &dyn age::Recipient))
            .map_err(|error| failed(error.to_string()))?;
        let armor =
            ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor).map_err(|error| failed(error.to_string()))?;
        let mut writer = encryptor.wrap_output(armor).map_err(|error| failed(error.to_string()))?;
        let armored = writer
            .write_all(&plain)
            .and_then(|()| writer.finish())
            .and_then(ArmoredWriter::finish)
            .map_err(|error| failed(error.to_string()))?;
        String::from_utf8(armored).map_err(|error| failed(error.to_string()))
    }

    /// The whole sheet to print: what it is, what to do with it, its partners, and the encrypted block.
    pub fn to_text(&self, passphrase: &str, work_factor: u8) -> Result<String, SheetError> {
        let block = self.seal(passphrase, work_factor)?;
        let Statement::Genesis(genesis) = self.genesis.statement() else { return Err(not_genesis()) };
        around(&block, &genesis.name, &self.genesis.hash().to_string(), &self.partners)
    }

    /// Reads a sheet: the block may stand anywhere in the text, indented or with other line ends.
    pub fn from_text(text: &str, passphrase: &str) -> Result<Self, SheetError> {
        let block = find_block(text)?;
        let mut identity = age::scrypt::Identity::new(SecretString::from(normal_passphrase(passphrase)));
        identity.set_max_work_factor(WORK_FACTOR_MAX);
        let decryptor = age::Decryptor::new(ArmoredReader::new(block.as_bytes())).map_err(decrypt_error)?;
        let mut reader = decryptor.decrypt(iter::once(&identity as &dyn age::Identity)).map_err(decrypt_error)?;
        let mut plain = Zeroizing::new(Vec::new());
        reader.read_to_end(&mut plain).map_err(|_| SheetError::Damaged)?;
        let content: Content =
            canonical::decode(&plain, SHEET_BYTES_MAX).map_err(|error| SheetError::Content(error.to_string()))?;
        if content.version != VERSION {
            return Err(SheetError::Content(format!("version {}", content.version)));
        }
        let sheet = Self {
            root: RootKey::from_secret(&content.secret),
            genesis: content.genesis.clone(),
            partners: content.partners.clone(),
            at: content.at,
        };
        sheet.check()?;
        Ok(sheet)
    }

    /// The organisation as far as the sheet knows it. Its chain comes back from partners.
    pub fn identity(&self) -> Result<Identity, SheetError> {
        Identity::new(self.genesis.clone()).map_err(|error| SheetError::Content(error.to_string()))
    }

    /// Whether the root key on the sheet is the one the genesis names. After a rotation it is a later one.
    pub fn root_is_original(&self) -> bool {
        matches!(self.genesis.statement(), Statement::Genesis(genesis) if genesis.root == self.root.public())
    }

    fn check(&self) -> Result<(), SheetError> {
        self.identity()?;
        if self.partners.len() > SHEET_PARTNERS_MAX {
            return Err(SheetError::Content(format!("{} partners", self.partners.len())));
        }
        for partner in &self.partners {
            check_addresses(&partner.addresses).map_err(|error| SheetError::Content(error.to_string()))?;
        }
        Ok(())
    }
}

/// A sheet around an encrypted block that was made before: with the partners of today, for whom no passphrase is needed.
/// `sheet` is an older sheet, or the block alone. The list is plain text that nobody signed: it only says where to ask.
/// What is brought back from there is verified.
pub fn renew(sheet: &str, name: &str, id: &OrgId, partners: &[PartnerContact]) -> Result<String, SheetError> {
    around(&find_block(sheet)?, name, &id.to_string(), partners)
}

/// The encrypted block of a sheet.
pub fn block_of(sheet: &str) -> Result<String, SheetError> {
    find_block(sheet)
}

/// An address that the readable part of a sheet names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Whose it is: the line above the addresses.
    pub name: String,
    /// Which node answers there, if it is said.
    pub node: Option<NodeId>,
    /// A multiaddr.
    pub address: String,
}

/// The addresses that the readable part of a sheet names. They may stand anywhere outside the block. What is no address is
/// passed over.
pub fn addresses_in(sheet: &str) -> Vec<Named> {
    let readable = match (sheet.find(BEGIN), sheet.find(END)) {
        (Some(begin), Some(end)) if begin < end => [&sheet[..begin], &sheet[end..]].concat(),
        _ => sheet.to_owned(),
    };
    let (mut found, mut name) = (Vec::new(), "");
    for line in readable.lines() {
        let words = line.split_whitespace().filter(|word| word.len() <= ADDRESS_BYTES_MAX + 2 * NODE_CHARS_MAX);
        let before = found.len();
        let named = |(node, address)| Named { name: name.to_owned(), node, address };
        found.extend(words.filter_map(dialled).map(named));
        if found.len() == before && !line.trim().is_empty() {
            name = line.trim();
        }
    }
    found.truncate(SHEET_PARTNERS_MAX * ADDRESSES_MAX);
    found
}

/// Takes an address with or without `/p2p/NODE` at its end apart; `None` if it is none.
pub fn dialled(word: &str) -> Option<(Option<NodeId>, String)> {
    let kinds = ["/ip4/", "/ip6/", "/dns/", "/dns4/", "/dns6/"];
    if !kinds.iter().any(|kind| word.starts_with(kind)) {
        return None;
    }
    match word.split_once("/p2p/") {
        Some((address, node)) => Some((Some(node.trim_end_matches('/').parse().ok()?), address.to_owned())),
        None => Some((None, word.trim_end_matches('/').to_owned())),
    }
}

fn around(block: &str, name: &str, id: &str, contacts: &[PartnerContact]) -> Result<String, SheetError> {
    if contacts.len() > SHEET_PARTNERS_MAX {
        return Err(SheetError::Content(format!("{} partners", contacts.len())));
    }
    let mut partners = String::new();
    for contact in contacts {
        partners.push_str(&format!("  {}\n", contact.name));
        for address in &contact.addresses {
            partners.push_str(&format!("    {address}/p2p/{}\n", contact.node));
        }
        if contact.addresses.is_empty() {
            partners.push_str("    (keine Adresse bekannt: beim Partner erfragen)\n");
        }
    }
    if partners.is_empty() {
        partners.push_str("  (noch keine; nach dem ersten Beitritt neu drucken: ortsnetz identity sheet)\n");
    }
    Ok(format!(
        "ORTSNETZ - WIEDERHERSTELLUNGSBLATT\n\n\
         Organisation:  {name}\n\
         Kennung:       {id}\n\n\
         Dieses Blatt ist die Identität der Organisation. Wer es besitzt und die\n\
         Passphrase kennt, kann in ihrem Namen handeln. Ohne beides ist nach dem\n\
         Verlust aller Rechner nur ein Neuanfang möglich, den jeder Partner bestätigen\n\
         muss.\n\n\
         AUFBEWAHREN\n\
         1. Ausdrucken und getrennt von der Passphrase einschließen (Tresor).\n\
         2. Die Datei danach nicht auf dem Rechner liegen lassen, der gesichert wird.\n\
         3. Einmal prüfen, dass es lesbar ist:  ortsnetz identity sheet --check DATEI\n\
         4. Wenn Partner dazukommen, neu drucken:  ortsnetz identity sheet --out DATEI\n\
         \u{20}  Die Passphrase bleibt dieselbe.\n\n\
         WIEDERHERSTELLEN\n\
         1. Ortsnetz auf einem neuen Rechner installieren.\n\
         2. Den Block unten (mit BEGIN und END) abtippen oder den QR-Code lesen und\n\
         \u{20}  als Datei blatt.txt speichern.\n\
         3. ortsnetz recover blatt.txt, oder mit der Adresse eines Partners:\n\
         \u{20}  ortsnetz recover blatt.txt --from ADRESSE\n\
         4. Die Partner geben zurück, was veröffentlicht war. Der alte Knoten wird dabei\n\
         \u{20}  widerrufen. Danach ein neues Blatt drucken.\n\n\
         PARTNER UND IHRE ADRESSEN\n{partners}\n{block}",
    ))
}

fn not_genesis() -> SheetError {
    SheetError::Content("no genesis".into())
}

fn find_block(text: &str) -> Result<String, SheetError> {
    if text.len() > SHEET_BYTES_MAX {
        return Err(SheetError::NotASheet);
    }
    let begin = text.find(BEGIN).ok_or(SheetError::NotASheet)?;
    let length = text[begin..].find(END).ok_or(SheetError::Damaged)?;
    let lines = text[begin..begin + length + END.len()].lines();
    let mut block: Vec<&str> = lines.map(str::trim).filter(|line| !line.is_empty()).collect();
    block.push("");
    Ok(block.join("\n"))
}

fn decrypt_error(error: age::DecryptError) -> SheetError {
    use age::DecryptError;
    match error {
        DecryptError::ExcessiveWork { required, .. } => SheetError::TooMuchWork(required),
        DecryptError::KeyDecryptionFailed | DecryptError::DecryptionFailed | DecryptError::NoMatchingKeys => {
            SheetError::WrongPassphrase
        }
        _ => SheetError::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Founding;
    use crate::keys::NodeKey;
    use crate::statement::OrganisationKind;

    const FAST: u8 = 2;
    const PASS: &str = "ahorn-birne-drache-forelle-garten-hafer-iglu-jodler";

    fn sheet() -> Sheet {
        let root = RootKey::from_secret(&[1; 32]);
        let node = NodeKey::from_secret(&[2; 32]);
        let founding = Founding {
            name: "Stadt Köln".into(),
            ars: "053150000000".into(),
            kind: OrganisationKind::Municipality,
            node_name: "Rathaus".into(),
            addresses: vec![],
            at: 1_700_000_000_000,
            random: [3; 16],
        };
        let identity = Identity::found(founding, &root, &node).unwrap();
        let genesis = identity.statement(&crate::identity::Slot::Genesis).unwrap().clone();
        let partner = PartnerContact {
            organisation: OrgId([9; 32]),
            name: "Stadt Bonn".into(),
            node: node.id(),
            addresses: vec!["/dns4/bonn.example/tcp/4115".into()],
        };
        Sheet { root, genesis, partners: vec![partner], at: 1_700_000_000_000 }
    }

    #[test]
    fn a_sheet_comes_back_from_its_text() {
        let made = sheet();
        let text = made.to_text(PASS, FAST).unwrap();
        assert!(text.contains("Stadt Köln") && text.contains("/dns4/bonn.example/tcp/4115"));
        assert!(text.lines().all(|line| line.chars().count() <= 80 || line.contains("/p2p/")), "{text}");
        // As a person types it: indented, capitals, blanks for hyphens, Windows line ends.
        let typed = text.replace('\n', "\r\n   ");
        let back = Sheet::from_text(&typed, &PASS.to_uppercase().replace('-', " ")).unwrap();
        assert_eq!(*back.root.secret(), [1; 32]);
        assert_eq!((back.genesis, back.partners, back.at), (made.genesis.clone(), made.partners.clone(), made.at));
        assert!(made.root_is_original());
    }

    #[test]
    fn a_sheet_gets_new_partners_around_the_same_block() {
        let made = sheet();
        let old = made.to_text(PASS, FAST).unwrap();
        let node = NodeKey::from_secret(&[7; 32]).id();
        let here = |address: &str| vec![address.to_owned()];
        let contact = |name: &str, addresses: Vec<String>| PartnerContact {
            organisation: OrgId([8; 32]),
            name: name.into(),
            node,
            addresses,
        };
        let partners = [contact("Stadt Siegburg", here("/ip4/192.0.2.1/tcp/4115")), contact("Kreis", vec![])];
        let new = renew(&old, "Stadt Köln", &OrgId([9; 32]), &partners).unwrap();
        assert_eq!(block_of(&new).unwrap(), block_of(&old).unwrap());
        assert!(!new.contains("bonn.example") && new.contains("Kreis"), "{new}");
        let address = "/ip4/192.0.2.1/tcp/4115".to_owned();
        let expected = [Named { name: "Stadt Siegburg".into(), node: Some(node), address }];
        assert_eq!(addresses_in(&new.replace('\n', "\r\n  ")), expected);
        // What the block itself says opens as before.
        assert_eq!(Sheet::from_text(&new, PASS).unwrap().partners, made.partners);
        assert_eq!(addresses_in(&block_of(&new).unwrap()), []);
        let many = vec![contact("Zu viele", vec![]); SHEET_PARTNERS_MAX + 1];
        assert!(renew(&old, "Stadt Köln", &OrgId([9; 32]), &many[1..]).is_ok());
        assert!(renew(&old, "Stadt Köln", &OrgId([9; 32]), &many).is_err());
    }

    #[test]
    fn an_address_may_name_its_node() {
        let node = NodeKey::from_secret(&[7; 32]).id();
        let at = |text: &str| dialled(text);
        assert_eq!(at("/dns4/bonn.example/tcp/4115"), Some((None, "/dns4/bonn.example/tcp/4115".into())));
        let named = format!("/ip6/2001:db8::1/tcp/4115/p2p/{node}");
        assert_eq!(at(&named), Some((Some(node), "/ip6/2001:db8::1/tcp/4115".into())));
        assert_eq!(at("/ip4/192.0.2.1/tcp/4115/p2p/nobody"), None);
        assert_eq!(at("bonn.example"), None);
    }

    #[test]
    fn every_failure_says_what_it_is() {
        let text = sheet().seal(PASS, FAST).unwrap();
        assert_eq!(Sheet::from_text(&text, "ahorn").unwrap_err(), SheetError::WrongPassphrase);
        assert_eq!(Sheet::from_text("Einkaufszettel", PASS).unwrap_err(), SheetError::NotASheet);
        assert_eq!(Sheet::from_text(&text[..text.len() / 2], PASS).unwrap_err(), SheetError::Damaged);
        let lines: Vec<&str> = text.lines().collect();
        let gap = [&lines[..4], &lines[5..]].concat().join("\n");
        assert!(matches!(Sheet::from_text(&gap, PASS).unwrap_err(), SheetError::Damaged | SheetError::WrongPassphrase));
    }

    #[test]
    fn a_sheet_that_asks_for_too_much_work_is_refused_at_once() {
        let head = format!(
            "age-encryption.org/v1\n-> scrypt {salt} {factor}\n{body}\n--- {mac}\n",
            salt = "A".repeat(22),
            factor = WORK_FACTOR_MAX + 1,
            body = "A".repeat(43),
            mac = "A".repeat(43),
        );
        let coded = data_encoding::BASE64.encode(&[head.as_bytes(), &[0; 48]].concat());
        let lines: Vec<&str> = coded.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        let text = format!("{BEGIN}\n{}\n{END}\n", lines.join("\n"));
        assert_eq!(Sheet::from_text(&text, PASS).unwrap_err(), SheetError::TooMuchWork(WORK_FACTOR_MAX + 1));
        let long = " ".repeat(SHEET_BYTES_MAX + 1);
        assert_eq!(Sheet::from_text(&long, PASS).unwrap_err(), SheetError::NotASheet);
    }

    #[test]
    fn as_many_partners_as_allowed_and_no_more() {
        let mut sheet = sheet();
        sheet.partners = vec![sheet.partners[0].clone(); SHEET_PARTNERS_MAX];
        assert!(sheet.seal(PASS, FAST).is_ok());
        sheet.partners.push(sheet.partners[0].clone());
        assert!(matches!(sheet.seal(PASS, FAST), Err(SheetError::Content(_))));
    }
}
