//! Real networks in one process, over loopback.

mod connect;
mod hostile;
mod join;
mod limits;
mod together;
mod world;
