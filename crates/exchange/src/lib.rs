//! JSON Lines, CSV and dldb in and out; pure.
