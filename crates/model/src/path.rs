//! The path language: `fees.0.amount`, `texts.notes.de`, `fees.+`.

use serde_json::Value;

use crate::entry::{Entry, EntryError};

pub(crate) fn set(entry: &mut Entry, path: &str, text: &str) -> Result<(), EntryError> {
    let _ = (entry, path, text);
    unimplemented!()
}

pub(crate) fn at<'a>(entry: &'a Entry, path: &str) -> Option<&'a Value> {
    let mut value: Option<&Value> = None;
    for part in path.split('.') {
        value = match value {
            None => entry.get(part),
            Some(Value::Object(map)) => map.get(part),
            Some(Value::Array(list)) => list.get(part.parse::<usize>().ok()?),
            Some(_) => None,
        };
        value?;
    }
    value
}
