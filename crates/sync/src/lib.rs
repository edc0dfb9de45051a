//! The replication engine: a pure state machine with its wire messages; knows no clock, socket, disk.
