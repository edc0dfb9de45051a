//! The corpus of the fuzz targets as an ordinary test: what once was interesting stays harmless.

use std::path::Path;

use ortsnetz_exchange::{Format, Mapping, Options, Resolver, read};
use ortsnetz_model::OrgId;

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|file| file.unwrap().path())
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

fn options(format: Format) -> Options {
    let mut options = Options::new(Resolver::new(OrgId([1; 32])), "corpus");
    options.format = Some(format);
    options
}

#[test]
fn directories_and_lines() {
    for (target, format) in [("dldb", Format::Dldb), ("jsonl", Format::JsonLines)] {
        for (name, bytes) in corpus(target) {
            let import = || read(bytes.as_slice(), options(format)).unwrap().collect::<Vec<_>>();
            let items = import();
            assert!(!items.is_empty(), "{name}");
            assert_eq!(items, import(), "{name}");
        }
    }
}

#[test]
fn tables() {
    for (name, bytes) in corpus("csv") {
        let mut options = options(Format::Csv);
        let table = match bytes.iter().position(|byte| *byte == 0) {
            Some(end) => {
                let mapping: Result<Mapping, _> = String::from_utf8_lossy(&bytes[..end]).parse();
                let Ok(mapping) = mapping else { continue };
                options.mapping = Some(mapping);
                &bytes[end + 1..]
            }
            None => &bytes,
        };
        if let Ok(items) = read(table, options) {
            assert!(items.count() > 0, "{name}");
        }
    }
}
