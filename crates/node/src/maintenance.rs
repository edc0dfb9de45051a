//! The store from outside: check, export, compact.

use std::path::Path;

use ortsnetz_model::{Document, Hash, OrgId};
use ortsnetz_store::{Check, Record, RecordFacts, Store, Verifier};
use ortsnetz_trust::identity::Identity;
use ortsnetz_trust::record::SignedRecord;
use ortsnetz_trust::statement::Signed;

use crate::clock;
use crate::dto::StoreCheck;
use crate::error::NodeError;
use crate::identities;
use crate::start;

/// Verifies signatures for `store check`.
struct Signatures {
    identities: Vec<Identity>,
}

impl Signatures {
    fn load(store: &Store) -> Result<Self, NodeError> {
        let mut all = Vec::new();
        for id in store.organisations()? {
            if let Some(identity) = identities::load(store, &id)? {
                all.push(identity);
            }
        }
        Ok(Self { identities: all })
    }
}

impl Verifier for Signatures {
    fn record(&self, record: &Record) -> Result<RecordFacts, String> {
        let signed = SignedRecord::from_bytes(&record.bytes).map_err(|error| error.to_string())?;
        let content = signed.record();
        if content.feed != record.feed || content.entry != Some(record.entry) || content.position != record.position {
            return Err("the record does not belong where it lies".into());
        }
        let identity = self
            .identities
            .iter()
            .find(|identity| identity.id() == record.feed.organisation)
            .ok_or("its organisation is not known")?;
        match identity.verify_record(&signed, clock::now()) {
            Ok(()) => {}
            // It was valid when it was taken in; what ended since does not make it damaged.
            Err(error) if error.is_held() => {}
            Err(error) => return Err(error.to_string()),
        }
        Ok(RecordFacts { heads: content.heads().unwrap_or_default().to_vec() })
    }

    fn statement(&self, _organisation: &OrgId, _number: u32, bytes: &[u8]) -> Result<(), String> {
        Signed::from_bytes(bytes).map(drop).map_err(|error| error.to_string())
    }

    fn fixed_changes(&self) -> Vec<Hash> {
        vec![Document::first_change()]
    }
}

/// `store check`. Blocks.
pub(crate) fn check(store: &Store) -> Result<StoreCheck, NodeError> {
    let signatures = Signatures::load(store)?;
    let problems: Vec<String> = store.check(Check::Full, Some(&signatures))?.iter().map(ToString::to_string).collect();
    Ok(StoreCheck { ok: problems.is_empty(), problems })
}

/// `store check` without a daemon.
pub(crate) fn offline_check(data_dir: &Path) -> Result<StoreCheck, NodeError> {
    check(&start::open_existing(data_dir)?)
}

/// `store export`. Blocks.
pub(crate) fn export(store: &Store, file: &Path) -> Result<(), NodeError> {
    store.export(file)?;
    Ok(())
}

/// `store compact`. Blocks.
pub(crate) fn compact(store: &Store) -> Result<(u64, u64), NodeError> {
    let before = store.usage()?.disk_bytes;
    let after = store.compact()?.disk_bytes;
    Ok((before, after))
}
