//! Keys, certificates, reader lists, publications: sign, verify, decide; pure.
