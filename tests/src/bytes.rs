//! Everything that lies in a data directory, so that one can look for words in it.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use ortsnetz_store::{Options, Store};

/// How every zstd frame begins.
const FRAME: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Longest that one frame is followed.
const FRAME_BYTES_MAX: u64 = 16 << 20;

/// The bytes of a data directory whose daemon is stopped: of each file as they are, of each compressed frame in it
/// (also of what was replaced or deleted long ago and still lies there), and of each row of the store.
pub struct Bytes {
    /// Names and bytes; what is no UTF-8 is replaced, which leaves every text in it as it is.
    parts: Vec<(String, String)>,
}

impl Bytes {
    /// Reads all of it.
    ///
    /// # Panics
    /// If the daemon still runs, or something cannot be read.
    pub fn of(data_dir: &Path) -> Self {
        let mut parts: Vec<(String, Vec<u8>)> = Vec::new();
        let mut dictionaries = vec![Vec::new()];
        {
            let (store, _) = Store::open(&data_dir.join("store"), Options::default()).expect("the daemon is stopped");
            let mut rows = 0;
            let visited = store.everything(&mut |key, value| {
                rows += 1;
                if key.starts_with(b"!zstd") {
                    dictionaries.push(value.to_vec());
                } else {
                    let name = format!("row {rows} ({}...)", String::from_utf8_lossy(&key[..1]));
                    parts.push((name, [key, b"\0", value].concat()));
                }
                true
            });
            visited.expect("every row can be read");
            store.close().expect("it closes");
        }
        assert!(dictionaries.len() > 1, "the dictionaries of the store were found");
        for file in files(data_dir) {
            let name = file.strip_prefix(data_dir).unwrap_or(&file).display().to_string();
            let bytes = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            for (at, _) in bytes.windows(FRAME.len()).enumerate().filter(|(_, window)| *window == FRAME) {
                for dictionary in &dictionaries {
                    let inflated = inflate(&bytes[at..], dictionary);
                    if !inflated.is_empty() {
                        parts.push((format!("{name}, frame at {at}"), inflated));
                    }
                }
            }
            parts.push((name, bytes));
        }
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { parts: parts.into_iter().map(|(name, bytes)| (name, text(bytes))).collect() }
    }

    /// Where this text lies.
    pub fn find(&self, wanted: &str) -> Vec<&str> {
        assert!(wanted.len() >= 6, "so few bytes can be there by chance");
        self.parts.iter().filter(|(_, text)| text.contains(wanted)).map(|(name, _)| name.as_str()).collect()
    }

    /// Says that this text lies nowhere.
    #[track_caller]
    pub fn must_lack(&self, wanted: &str) {
        let found = self.find(wanted);
        assert!(found.is_empty(), "{wanted:?} lies in {found:?}");
    }

    /// Says that this text lies in a row of the store.
    #[track_caller]
    pub fn must_hold(&self, wanted: &str) {
        let found = self.find(wanted);
        assert!(found.iter().any(|name| name.starts_with("row")), "{wanted:?} lies in no row, only in {found:?}");
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for item in fs::read_dir(directory).expect("a directory") {
        let path = item.expect("an item").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// What can be read of a frame, until it ends or breaks off; nothing with the wrong dictionary.
fn inflate(bytes: &[u8], dictionary: &[u8]) -> Vec<u8> {
    let mut inflated = Vec::new();
    if let Ok(decoder) = zstd::Decoder::with_dictionary(bytes, dictionary) {
        // An error ends it; what came before counts.
        let _ = decoder.single_frame().take(FRAME_BYTES_MAX).read_to_end(&mut inflated);
    }
    inflated
}

#[cfg(test)]
mod tests {
    use super::*;
    use ortsnetz_store::{Batch, Key, Origin};

    #[test]
    fn finds_what_is_there_what_was_there_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let (store, _) = Store::open(&dir.path().join("store"), Options::default()).expect("a store");
        let put = |text: &str| {
            let mut batch = Batch::new(Origin::Foreign);
            batch.put(Key::Meta("text".into()), format!("{}{text}{}", "Leistung ".repeat(40), " Gebühr".repeat(40)));
            store.commit(batch).expect("written");
        };
        put("qvxerstens");
        put("qvxzweitens");
        store.close().expect("it closes");
        drop(store);
        let bytes = Bytes::of(dir.path());
        bytes.must_hold("qvxzweitens");
        assert!(bytes.find("qvxerstens").iter().all(|name| name.contains("frame")), "{:?}", bytes.find("qvxerstens"));
        assert!(!bytes.find("qvxerstens").is_empty(), "what was replaced a moment ago still lies in the file");
        bytes.must_lack("qvxdrittens");
    }
}
