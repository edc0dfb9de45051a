//! What is kept in memory of few entries among many, so that no answer has to look for them: notices, and agreements.

use ortsnetz_store::{Batch, Store};

use crate::agreements::{AGREEMENTS, Ledger};
use crate::error::NodeError;
use crate::noticing::{Board, Notices};

/// All boards.
pub(crate) struct Boards {
    /// Notices.
    pub notices: Board,
    /// Agreements.
    pub agreements: Ledger,
}

/// What a batch brings to the boards.
pub(crate) struct Brought {
    notices: Notices,
    agreements: bool,
}

impl Brought {
    /// Looks into a batch before it is handed to the store.
    pub fn by(batch: &Batch) -> Self {
        Self { notices: Notices::by(batch), agreements: batch.custom(AGREEMENTS).next().is_some() }
    }
}

impl Boards {
    /// What the store holds.
    pub fn of(store: &Store, now: u64) -> Result<Self, NodeError> {
        Ok(Self { notices: Board::of(store, now)?, agreements: Ledger::default() })
    }

    /// Takes in what a batch brought, once it is durable.
    pub fn take(&self, brought: Brought) {
        self.notices.take(brought.notices);
        if brought.agreements {
            self.agreements.forget();
        }
    }
}
