//! What is kept in memory of few entries among many, so that no answer has to look for them: notices, agreements, letters.

use ortsnetz_model::{CollectionId, EntryId};
use ortsnetz_store::{Batch, Store};

use crate::agreements::{AGREEMENTS, Ledger};
use crate::contacts::{Missed, Writing};
use crate::error::NodeError;
use crate::letters::{self, Letters};
use crate::noticing::{Board, Notices};
use crate::tasks::chores::{self, Chores};

/// All boards.
pub(crate) struct Boards {
    /// Notices.
    pub notices: Board,
    /// Agreements.
    pub agreements: Ledger,
    /// Reports and suggestions, and the answers to them.
    pub letters: Letters,
    /// What own entries ask for.
    pub chores: Chores,
    /// Journals as they are written.
    pub journals: Writing,
    /// Words without a hit.
    pub missed: Missed,
}

/// What a batch brings to the boards.
pub(crate) struct Brought {
    notices: Notices,
    agreements: bool,
    letters: Vec<(CollectionId, EntryId)>,
    own: Vec<EntryId>,
}

impl Brought {
    /// Looks into a batch before it is handed to the store.
    pub fn by(batch: &Batch) -> Self {
        Self {
            notices: Notices::by(batch),
            agreements: batch.custom(AGREEMENTS).next().is_some(),
            letters: letters::by(batch),
            own: chores::by(batch),
        }
    }
}

impl Boards {
    /// What the store holds.
    pub fn of(store: &Store, now: u64) -> Result<Self, NodeError> {
        Ok(Self {
            notices: Board::of(store, now)?,
            agreements: Ledger::default(),
            letters: Letters::default(),
            chores: Chores::default(),
            journals: Writing::default(),
            missed: Missed::default(),
        })
    }

    /// Takes in what a batch brought, once it is durable.
    pub fn take(&self, brought: Brought) {
        self.notices.take(brought.notices);
        if brought.agreements {
            self.agreements.forget();
        }
        self.letters.changed(brought.letters);
        self.chores.changed(brought.own);
    }
}
