//! Carries bounded frames between certified nodes over libp2p; knows no documents.
