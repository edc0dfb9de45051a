//! Tables: a mapping file, then a zero byte, then the table; without a zero byte the table alone.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ortsnetz_exchange::{Format, Options, Resolver, read};
use ortsnetz_model::OrgId;

fuzz_target!(|bytes: &[u8]| {
    let (mapping, table) = match bytes.iter().position(|byte| *byte == 0) {
        Some(end) => (Some(&bytes[..end]), &bytes[end + 1..]),
        None => (None, bytes),
    };
    let mut options = Options::new(Resolver::new(OrgId([1; 32])), "fuzz.csv");
    options.format = Some(Format::Csv);
    if let Some(mapping) = mapping {
        let Ok(mapping) = String::from_utf8_lossy(mapping).parse() else { return };
        options.mapping = Some(mapping);
    }
    if let Ok(items) = read(table, options) {
        items.for_each(drop);
    }
});
