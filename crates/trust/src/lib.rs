//! Keys, certificates, reader lists, publications: sign, verify, decide; pure.
//!
//! *Architecture invariant*: `trust` knows no clock, no thread, no network and no disk. Time and chance come in as
//! arguments, so the same input gives the same verdict everywhere. (One exception: encrypting a recovery sheet, where
//! `age` draws its own salt.)

pub mod accept;
mod canonical;
pub mod identity;
pub mod invite;
pub mod keys;
pub mod limits;
pub mod qr;
pub mod receipt;
pub mod record;
pub mod sealed;
pub mod sheet;
pub mod standing;
pub mod statement;
#[cfg(test)]
mod testing;
pub mod tree;
pub mod words;

pub use accept::{AcceptError, Accepted, Mode, Refusal, accept_document};
pub use canonical::EncodingError;
pub use identity::{Identity, RecordError, StatementError, TakenIn, View};
pub use keys::{NodeKey, PublicKey, RootKey, Signature, Signer};
pub use receipt::{Receipt, ReceiptError};
pub use record::{Body, Record, SignedRecord};
pub use statement::{Signed, Statement};
