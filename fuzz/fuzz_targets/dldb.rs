//! Service directories: no panic, no HTML in texts, the same twice.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ortsnetz_exchange::{Format, Options, Resolver, read};
use ortsnetz_model::OrgId;

fuzz_target!(|bytes: &[u8]| {
    let import = || {
        let mut options = Options::new(Resolver::new(OrgId([1; 32])), "fuzz.json");
        options.format = Some(Format::Dldb);
        read(bytes, options).map(|items| items.collect::<Vec<_>>()).unwrap_or_default()
    };
    let items = import();
    for item in items.iter().flatten() {
        for text in ["description", "required_documents", "notes"] {
            let text = item.entry.text(text, "de").unwrap_or_default();
            assert!(!text.to_lowercase().contains("<script") || text.contains("\\<"), "{text}");
        }
    }
    assert!(items == import());
});
