//! The loop that drives sync with store, net, search, and hands out one [`Handle`].

pub mod dto;
mod error;
mod handle;

pub use error::NodeError;
pub use handle::{
    Handle, NewOrganisation, NodeConfig, init, init_join, store_check, store_compact, store_export, store_import,
};
