//! Collections and their readers: who reads what, and what the owner states about it.

use std::collections::BTreeSet;

use ortsnetz_model::{CollectionId, OrgId};

use super::{Identity, Slot};
use crate::canonical::EncodingError;
use crate::keys::Signer;
use crate::limits::REMOVALS_MAX;
use crate::statement::{CollectionStatement, ReaderRemoval, Readers, Signed, Statement};

/// What an owner wants a collection to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionTerms {
    /// Its name at creation.
    pub name: String,
    /// The name in use, if it is another one.
    pub title: Option<String>,
    /// Who may read it.
    pub readers: Readers,
    /// Whether readers may pass it on to other readers.
    pub relay: bool,
    /// Closed for anything new.
    pub ended: bool,
}

impl CollectionTerms {
    /// A collection of this name for these readers, not relayed, open.
    pub fn new(name: &str, readers: Readers) -> Self {
        Self { name: name.to_owned(), title: None, readers, relay: false, ended: false }
    }
}

impl From<&CollectionStatement> for CollectionTerms {
    fn from(statement: &CollectionStatement) -> Self {
        Self {
            name: statement.name.clone(),
            title: statement.title.clone(),
            readers: statement.readers.clone(),
            relay: statement.relay,
            ended: statement.ended,
        }
    }
}

impl Identity {
    /// The collection with this id: what was stated last, or one of those that exist from the start.
    pub fn collection(&self, collection: &CollectionId) -> Option<&CollectionStatement> {
        match self.held.get(&Slot::Collection(*collection)).map(Signed::statement) {
            Some(Statement::Collection(statement)) => Some(statement),
            _ => self.initial.get(collection),
        }
    }

    /// All known collections, sorted by id, those that exist from the start included.
    pub fn collections(&self) -> Vec<&CollectionStatement> {
        let stated = self.held.keys().filter_map(|slot| match slot {
            Slot::Collection(id) => Some(id),
            _ => None,
        });
        let ids: BTreeSet<&CollectionId> = stated.chain(self.initial.keys()).collect();
        ids.into_iter().filter_map(|id| self.collection(id)).collect()
    }

    /// The collection people call by this name now; of several, one that has not ended.
    pub fn collection_called(&self, label: &str) -> Option<&CollectionStatement> {
        let mut called = self.collections();
        called.retain(|collection| collection.label() == label);
        called.sort_by_key(|collection| collection.ended);
        called.first().copied()
    }

    /// Serial of the reader list of a collection; 0 if none was stated.
    pub fn list_serial(&self, collection: &CollectionId) -> u64 {
        self.serial(&Slot::Collection(*collection))
    }

    /// Whether nodes of this organisation may read the collection. Draft feeds are for own nodes.
    pub fn can_read(&self, collection: &CollectionId, reader: &OrgId) -> bool {
        if *reader == self.id() {
            return true;
        }
        self.collection(collection).is_some_and(|statement| {
            lists(&statement.readers, reader)
                && self.removal(collection, reader).is_none_or(|removal| removal.serial <= statement.serial)
        })
    }

    /// Whether a reader may pass the collection on to other readers. Not by a list of which we know that it is no longer
    /// the newest.
    pub fn may_relay(&self, collection: &CollectionId) -> bool {
        self.collection(collection).is_some_and(|statement| {
            statement.relay && self.removals(collection).all(|removal| removal.serial <= statement.serial)
        })
    }

    /// When and by which list an organisation was last removed from a collection; it may read it again since.
    pub fn removal(&self, collection: &CollectionId, reader: &OrgId) -> Option<&ReaderRemoval> {
        match self.held.get(&Slot::Removal(*collection, *reader))?.statement() {
            Statement::ReaderRemoval(removal) => Some(removal),
            _ => None,
        }
    }

    /// The last removal of each organisation that ever was removed from a collection.
    pub fn removals(&self, collection: &CollectionId) -> impl Iterator<Item = &ReaderRemoval> {
        let (first, last) = (OrgId([0; 32]), OrgId([0xff; 32]));
        let range = Slot::Removal(*collection, first)..=Slot::Removal(*collection, last);
        self.held.range(range).filter_map(|(_, signed)| match signed.statement() {
            Statement::ReaderRemoval(removal) => Some(removal),
            _ => None,
        })
    }

    /// The next statement about a collection of the organisation's own, and one removal for each that could read it
    /// before and no longer can. Fails if the terms break a rule or a limit. Not yet taken in.
    pub fn state_collection(
        &self,
        terms: CollectionTerms,
        at: u64,
        signer: &dyn Signer,
    ) -> Result<Vec<Signed>, EncodingError> {
        let CollectionTerms { name, title, readers, relay, ended } = terms;
        let (organisation, collection) = (self.id(), CollectionId::named(&self.id(), &name));
        let old = self.collection(&collection);
        let serial = self.list_serial(&collection) + 1;
        let since = listed(&readers).iter().map(|reader| old.and_then(|old| old.since(reader)).unwrap_or(at)).collect();
        let gone = old.map(|old| listed(&old.readers)).unwrap_or_default();
        let gone: Vec<OrgId> = gone.iter().filter(|reader| !lists(&readers, reader)).copied().collect();
        let statement =
            CollectionStatement { organisation, collection, name, serial, readers, since, relay, ended, at, title };
        let mut statements = vec![Signed::new(statement, &[signer])?];
        let held = self.held.keys().filter(|slot| matches!(slot, Slot::Removal(..))).count();
        let mut room = REMOVALS_MAX.saturating_sub(held);
        for reader in gone {
            if self.removal(&collection, &reader).is_none() {
                // Narrowing must not fail because there is no room left to tell of it.
                let Some(left) = room.checked_sub(1) else { continue };
                room = left;
            }
            statements.push(Signed::new(ReaderRemoval { organisation, collection, reader, serial, at }, &[signer])?);
        }
        Ok(statements)
    }
}

fn listed(readers: &Readers) -> &[OrgId] {
    match readers {
        Readers::Organisations(list) => list,
        Readers::Public | Readers::Internal => &[],
    }
}

fn lists(readers: &Readers, reader: &OrgId) -> bool {
    match readers {
        Readers::Public => true,
        Readers::Organisations(list) => list.binary_search(reader).is_ok(),
        Readers::Internal => false,
    }
}

/// `public`, `partners` (nobody yet) and `internal` exist without a statement, with serial 0.
pub(super) fn initial_collections(organisation: OrgId) -> [CollectionStatement; 3] {
    let initial = |name: &str, readers: Readers| CollectionStatement {
        organisation,
        collection: CollectionId::named(&organisation, name),
        name: name.to_owned(),
        serial: 0,
        relay: readers == Readers::Public,
        readers,
        since: Vec::new(),
        ended: false,
        at: 0,
        title: None,
    };
    [
        initial("public", Readers::Public),
        initial("partners", Readers::Organisations(Vec::new())),
        initial("internal", Readers::Internal),
    ]
}
