//! Real daemons, each a process of its own, driven by commands and over HTTP.

mod backup;
mod contacts;
mod finding;
mod hostile;
mod keys;
mod leaving;
mod live;
mod munich;
mod own_nodes;
mod places;
mod readers;
mod recovery;
mod relay;
mod reverted;
mod sealed;
mod succession;
