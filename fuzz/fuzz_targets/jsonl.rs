//! JSON Lines: what was read can be written, and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ortsnetz_exchange::{Format, Imported, JsonLinesWriter, Options, Resolver, read};
use ortsnetz_model::OrgId;

const ORGANISATION: OrgId = OrgId([1; 32]);

fn import(bytes: &[u8]) -> Vec<Imported> {
    let mut options = Options::new(Resolver::new(ORGANISATION), "fuzz.jsonl");
    options.format = Some(Format::JsonLines);
    read(bytes, options).map(|items| items.flatten().collect()).unwrap_or_default()
}

fuzz_target!(|bytes: &[u8]| {
    let items = import(bytes);
    let mut writer = JsonLinesWriter::new(Vec::new(), ORGANISATION);
    for item in &items {
        writer.write(&item.entry, &item.collection, |_| None).expect("a vector takes everything");
    }
    let written = writer.finish().expect("a vector takes everything");
    let again = import(&written);
    assert_eq!(items.len(), again.len());
    for (item, again) in items.iter().zip(&again) {
        assert_eq!((&item.entry, &item.collection), (&again.entry, &again.collection));
    }
});
