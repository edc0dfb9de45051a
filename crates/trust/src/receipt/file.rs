//! The file: JSON with a header and the entry for people, and the proof in base64 for programs.

use data_encoding::{BASE64, HEXLOWER};
use ortsnetz_model::Hash;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{RECEIPT_VERSION, Receipt, ReceiptError};
use crate::canonical::EncodingError;
use crate::limits::{DELIVERY_CHUNKS_MAX, RECEIPT_BYTES_MAX, RECEIPT_LEAF_ITEMS_MAX, RECEIPT_STATEMENTS_MAX};
use crate::record::SignedRecord;
use crate::statement::Signed;
use crate::tree::{EMPTY, FAN, Inclusion};

/// How to read a receipt, in the receipt.
const NOTE: &str = "`ortsnetz verify FILE` checks this file without any connection; about and entry are only as good as \
                    the proof below, which it compares them with.";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    ortsnetz_receipt: u64,
    note: String,
    about: Map<String, Value>,
    entry: Option<Map<String, Value>>,
    proof: Proof,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Proof {
    /// Signed statements, in the order in which they can be verified.
    statements: Vec<String>,
    /// The signed record.
    record: String,
    /// Raw automerge changes, each after what it builds on.
    changes: Vec<String>,
    /// The signed state of the collection, unless the record carries it itself.
    witness: Option<String>,
    /// The newest checkpoint that counts the record.
    checkpoint: Option<String>,
    tree: Tree,
}

/// Hashes in hex; an empty text is the hash of nothing.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tree {
    items: Vec<String>,
    leaves: Vec<String>,
    nodes: Vec<String>,
}

impl Receipt {
    /// The file.
    pub fn to_text(&self) -> String {
        let encode = |bytes: &[u8]| BASE64.encode(bytes);
        let file = File {
            ortsnetz_receipt: RECEIPT_VERSION,
            note: NOTE.into(),
            about: self.about.clone(),
            entry: self.entry.clone(),
            proof: Proof {
                statements: self.statements.iter().map(|signed| encode(&signed.to_bytes())).collect(),
                record: encode(&self.record.to_bytes()),
                changes: self.changes.iter().map(|chunk| encode(chunk)).collect(),
                witness: self.witness.as_ref().map(|signed| encode(&signed.to_bytes())),
                checkpoint: self.checkpoint.as_ref().map(|signed| encode(&signed.to_bytes())),
                tree: Tree {
                    items: texts(&self.inclusion.items),
                    leaves: texts(&self.inclusion.leaves),
                    nodes: texts(&self.inclusion.nodes),
                },
            },
        };
        // Maps of texts and numbers can always be written.
        let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads a file. Checks form and limits; whether it holds says [`Receipt::verify`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ReceiptError> {
        if bytes.len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptError::TooLong { bytes: bytes.len(), max: RECEIPT_BYTES_MAX });
        }
        let malformed = |error: serde_json::Error| ReceiptError::Malformed(error.to_string());
        #[derive(Deserialize)]
        struct Version {
            ortsnetz_receipt: u64,
        }
        let version: Version = serde_json::from_slice(bytes).map_err(malformed)?;
        if version.ortsnetz_receipt != RECEIPT_VERSION {
            return Err(ReceiptError::Version(version.ortsnetz_receipt));
        }
        let File { about, entry, proof, .. } = serde_json::from_slice(bytes).map_err(malformed)?;
        within("statements", proof.statements.len(), RECEIPT_STATEMENTS_MAX)?;
        within("changes", proof.changes.len(), DELIVERY_CHUNKS_MAX)?;
        let statements = proof.statements.iter().enumerate().map(|(at, text)| {
            let part = format!("statement {at}");
            Signed::from_bytes(&decode(&part, text)?).map_err(|error| ReceiptError::Part { part, error })
        });
        let changes = proof.changes.iter().enumerate().map(|(at, text)| decode(&format!("change {at}"), text));
        Ok(Self {
            about,
            entry,
            statements: statements.collect::<Result<_, _>>()?,
            record: record("the record", &proof.record)?,
            changes: changes.collect::<Result<_, _>>()?,
            witness: proof.witness.map(|text| record("the signed state", &text)).transpose()?,
            checkpoint: proof.checkpoint.map(|text| record("the checkpoint", &text)).transpose()?,
            inclusion: Inclusion {
                items: hashes("items", &proof.tree.items, RECEIPT_LEAF_ITEMS_MAX)?,
                leaves: hashes("leaves", &proof.tree.leaves, FAN)?,
                nodes: hashes("buckets", &proof.tree.nodes, FAN)?,
            },
        })
    }
}

fn within(what: &'static str, found: usize, max: usize) -> Result<(), ReceiptError> {
    if found <= max { Ok(()) } else { Err(ReceiptError::TooMany { what, found, max }) }
}

fn decode(part: &str, text: &str) -> Result<Vec<u8>, ReceiptError> {
    BASE64.decode(text.as_bytes()).map_err(|error| ReceiptError::Part {
        part: part.to_owned(),
        error: EncodingError::Malformed(error.to_string()),
    })
}

fn record(part: &str, text: &str) -> Result<SignedRecord, ReceiptError> {
    SignedRecord::from_bytes(&decode(part, text)?).map_err(|error| ReceiptError::Part { part: part.to_owned(), error })
}

fn texts(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(|hash| if *hash == EMPTY { String::new() } else { HEXLOWER.encode(&hash.0) }).collect()
}

fn hashes(what: &'static str, texts: &[String], max: usize) -> Result<Vec<Hash>, ReceiptError> {
    within(what, texts.len(), max)?;
    texts
        .iter()
        .map(|text| {
            if text.is_empty() {
                return Ok(EMPTY);
            }
            let bytes = HEXLOWER.decode(text.as_bytes()).ok();
            // Of nothing there is one form, the empty text.
            let hash = bytes.and_then(|bytes| Hash::from_slice(&bytes)).filter(|hash| *hash != EMPTY);
            hash.ok_or_else(|| ReceiptError::Part {
                part: format!("the {what} of the tree"),
                error: EncodingError::Malformed(format!("{text:?} is no hash")),
            })
        })
        .collect()
}
