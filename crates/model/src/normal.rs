//! The canonical form of an entry.

use serde_json::{Map, Value};

use crate::entry::EntryError;

/// The canonical form of a JSON object.
pub(crate) fn entry(value: Value) -> Result<Map<String, Value>, EntryError> {
    let _ = value;
    unimplemented!()
}

/// Puts the top-level fields into the order of the schema.
pub(crate) fn sort_fields(map: &mut Map<String, Value>) {
    let _ = map;
    unimplemented!()
}
