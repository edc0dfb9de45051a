//! Where the programme and the test data lie.

use std::path::{Path, PathBuf};

/// Leads to the programme, if it is not beside the tests.
const BINARY_VARIABLE: &str = "ORTSNETZ_BIN";
/// Leads to the directory of the test data.
const DATA_VARIABLE: &str = "ORTSNETZ_TEST_DATA";

/// The programme under test: `ORTSNETZ_BIN`, or the one built into the same directory as this test.
///
/// # Panics
/// With what to do, if there is none.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os(BINARY_VARIABLE) {
        let path = PathBuf::from(path);
        assert!(path.is_file(), "{BINARY_VARIABLE}: there is no {}", path.display());
        return path;
    }
    let test = std::env::current_exe().expect("a test knows where it lies");
    // target/debug/deps/<test>
    let path =
        test.parent().and_then(Path::parent).map(|dir| dir.join(format!("ortsnetz{}", std::env::consts::EXE_SUFFIX)));
    let path = path.unwrap_or_default();
    assert!(path.is_file(), "there is no {}: run `cargo build -p ortsnetz`, or set {BINARY_VARIABLE}", path.display());
    path
}

/// A file of the test data, such as `muenchen/services_de.json`.
///
/// # Panics
/// With what to do, if it is not there.
pub fn test_data(name: &str) -> PathBuf {
    let root = match std::env::var_os(DATA_VARIABLE) {
        Some(root) => PathBuf::from(root),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
    };
    let path = root.join(name);
    assert!(path.is_file(), "{} is missing: set {DATA_VARIABLE} to the directory of the test data", path.display());
    path
}
