//! Real networks in one process, over loopback.

mod circuits;
mod connect;
mod hostile;
mod join;
mod limits;
mod lying_relay;
mod questions;
mod together;
mod world;
