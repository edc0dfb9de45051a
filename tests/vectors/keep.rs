//! Keeps test vectors: what the code makes today must equal the committed file for ever.
//!
//! `ORTSNETZ_WRITE_VECTORS=1 cargo test -p CRATE --test vectors` writes the files anew. A change in them is a change of
//! the protocol: it needs a new version, not a new file.

use std::path::Path;

use serde_json::Value;

/// Compares `made` with `tests/vectors/<file>`.
pub fn keep(file: &str, made: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors").join(file);
    if is_writing() {
        let text = serde_json::to_string_pretty(made).expect("JSON") + "\n";
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let kept = read(file);
    assert_eq!(&kept, made, "{file} and the code differ: the protocol changed");
}

/// Whether the files are being written anew.
pub fn is_writing() -> bool {
    std::env::var_os("ORTSNETZ_WRITE_VECTORS").is_some()
}

/// What is committed as `tests/vectors/<file>`.
pub fn read(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
