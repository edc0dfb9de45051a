//! The loop that drives sync with store, net, search, and hands out one [`Handle`].
//!
//! *Architecture invariant*: one task owns the engine (`driver`); everything else talks to it through a channel. What
//! blocks (documents, signatures, the store) runs beside the runtime.

mod accepting;
mod adopting;
mod agreements;
mod ahead;
mod alarms;
mod answering;
mod aside;
mod backups;
mod boards;
mod calling;
mod carrying;
mod catalog;
mod clerk;
mod clock;
mod collections;
mod committing;
mod contacts;
mod districts;
mod documents;
mod drafts;
mod driver;
pub mod dto;
mod editing;
mod erasing;
mod error;
mod exporting;
mod feedback;
mod following;
mod given_back;
mod handle;
mod homecoming;
mod identities;
mod importing;
mod indexes;
mod indexing;
mod joining;
mod judges;
mod keeping;
mod leaving;
mod letters;
mod live;
mod mail;
mod maintenance;
mod marks;
mod metrics;
mod nodes;
mod noticing;
mod partners;
mod passing;
mod past;
mod places;
mod plan;
mod proposals;
mod publishing;
mod purging;
mod reaching;
mod reading;
mod receipts;
mod recovering;
mod redacting;
mod returning;
mod rotating;
mod rows;
mod scrubbing;
mod searching;
mod shared;
mod sheets;
mod short;
mod showing;
mod start;
mod status;
mod storing;
mod succeeding;
mod synonyms;
mod tasks;
mod vouching;
mod working;

#[doc(hidden)]
pub use backups::{BackupSchedule, Keep};
pub use clock::{set_back, set_forward};
pub use error::NodeError;
pub use handle::{
    Handle, NewOrganisation, NodeConfig, backup, init, init_join, recover, restore, store_check, store_compact,
    store_export, store_import, verify_receipt,
};
pub use mail::{MailConfig, MailTls};
pub use ortsnetz_net::RelayLimits;
pub use working::kinds;
