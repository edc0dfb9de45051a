//! Looks for a text in every byte of every file below a directory: as it stands, and in whatever inflates with any of the
//! dictionaries a store ever wrote into its own log, or with the built-in one. Knows the files only from outside.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::path::{Path, PathBuf};

const BUILT_IN: &[u8] = include_bytes!("../../src/dictionary.txt");
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// No value is longer.
const INFLATED_MAX: usize = 16 << 20;

/// The dictionaries whose rows stand in the own logs below a directory.
pub fn dictionaries(directory: &Path) -> Vec<Vec<u8>> {
    let mut found = vec![Vec::new(), BUILT_IN.to_vec()];
    for file in files(directory).iter().filter(|file| file.to_string_lossy().contains("own.log")) {
        let bytes = std::fs::read(file).unwrap_or_default();
        for (at, _) in matches(&bytes, b"!zstd") {
            // Key with two bytes of number, four bytes of length, then format, flags, change, content, checksum.
            let Some(length) = bytes.get(at + 7..at + 11) else { continue };
            let length = u32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
            let Some(value) = bytes.get(at + 11..at + 11 + length) else { continue };
            let Some(change) = value.iter().skip(2).position(|byte| byte & 0x80 == 0) else { continue };
            if value.len() > change + 7 {
                found.push(value[change + 3..value.len() - 4].to_vec());
            }
        }
    }
    found
}

/// Where the text was found: file and place, a few of each.
pub fn find(directory: &Path, text: &str, dictionaries: &[Vec<u8>]) -> Vec<String> {
    let needle = text.as_bytes();
    let mut found = Vec::new();
    for file in files(directory) {
        let Ok(bytes) = std::fs::read(&file) else { continue };
        found.extend(matches(&bytes, needle).take(3).map(|(at, _)| format!("{} at {at}", file.display())));
        for (at, frame) in matches(&bytes, ZSTD) {
            let inflates = |dictionary: &Vec<u8>| {
                let mut out = Vec::new();
                let decoder = zstd::stream::read::Decoder::with_dictionary(frame, dictionary);
                let mut decoder = std::io::Read::take(decoder.expect("a decoder").single_frame(), INFLATED_MAX as u64);
                // What is cut short or of another dictionary still shows its beginning.
                let _ = std::io::Read::read_to_end(&mut decoder, &mut out);
                matches(&out, needle).next().is_some()
            };
            if dictionaries.iter().any(inflates) {
                found.push(format!("{} packed at {at}", file.display()));
            }
        }
    }
    found
}

fn matches<'a>(bytes: &'a [u8], needle: &'a [u8]) -> impl Iterator<Item = (usize, &'a [u8])> {
    let first = needle[0];
    let places = bytes.iter().enumerate().filter(move |(_, byte)| **byte == first);
    places.map(|(at, _)| (at, &bytes[at..])).filter(move |(_, rest)| rest.starts_with(needle))
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for item in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = item.path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all
}
