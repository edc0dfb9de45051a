//! Changes that come into force on a date.
//!
//! In JSON each is a merge patch against the entry as the earlier ones leave it. In the document it is the difference by
//! property, with the ids of the elements it means, so that an edit of the entry today does not undo what was planned.

use serde_json::{Map, Value};

use crate::dates::{Date, parse_date};
use crate::entry::{Entry, EntryError};
use crate::normal::{by_date, patched};
use crate::patch;

/// Fields a scheduled change must leave alone.
const FIXED: [&str; 4] = ["id", "kind", "scheduled", "companions"];

/// The entry as it stands on `date`: its scheduled changes with `from` <= `date` applied in order of their dates, those
/// later kept in `scheduled`.
pub fn as_of(entry: &Entry, date: Date) -> Entry {
    let Some(Value::Array(changes)) = entry.get("scheduled") else { return entry.clone() };
    let mut now = entry.clone();
    let mut later = Vec::new();
    for change in changes {
        match (from(change), change.get("set")) {
            (Some(from), Some(set)) if from <= date => now = now.apply_patch(set).unwrap_or(now),
            _ => later.push(change.clone()),
        }
    }
    if later.is_empty() {
        now.0.shift_remove("scheduled");
    } else {
        now.0.insert("scheduled".into(), Value::Array(later));
    }
    now
}

/// The dates on which the entry changes by itself, ascending.
pub fn due_dates(entry: &Entry) -> Vec<Date> {
    let mut dates: Vec<Date> =
        entry.get("scheduled").and_then(Value::as_array).into_iter().flatten().filter_map(from).collect();
    dates.sort_unstable();
    dates.dedup();
    dates
}

fn from(change: &Value) -> Option<Date> {
    parse_date(change.get("from")?.as_str()?)
}

/// Brings `scheduled` into canonical form: sorted by date, each change as the smallest merge patch.
pub(crate) fn normalise(entry: &mut Map<String, Value>) -> Result<(), EntryError> {
    let Some(Value::Array(mut changes)) = entry.shift_remove("scheduled") else { return Ok(()) };
    changes.sort_by(by_date);
    let mut state = bare(entry);
    let mut normal = Vec::with_capacity(changes.len());
    for (i, change) in changes.iter().enumerate() {
        let path = format!("scheduled.{i}");
        let Value::Object(change) = change else { return Err(EntryError::new(path, "must be an object")) };
        if let Some(name) = change.keys().find(|name| !["from", "set"].contains(&name.as_str())) {
            return Err(EntryError::new(format!("{path}.{name}"), "is unknown; from and set are expected"));
        }
        let from = match change.get("from") {
            Some(Value::String(from)) => from.clone(),
            _ => return Err(EntryError::new(format!("{path}.from"), "must be a date as a string, 2027-01-31")),
        };
        let set = change.get("set").cloned().unwrap_or_else(|| Value::Object(Map::new()));
        let Value::Object(fields) = &set else {
            return Err(EntryError::new(format!("{path}.set"), "must be an object"));
        };
        if let Some(name) = FIXED.iter().find(|name| fields.contains_key(**name)) {
            return Err(EntryError::new(format!("{path}.set.{name}"), "cannot change on a date"));
        }
        let next = patched(&state, &set)
            .map_err(|error| EntryError::new(format!("{path}.set.{}", error.path), error.message))?;
        normal.push(one(&from, &state, &next));
        state = next;
    }
    if !normal.is_empty() {
        entry.insert("scheduled".into(), Value::Array(normal));
        crate::normal::sort_fields(entry);
    }
    Ok(())
}

/// A scheduled change in canonical form.
pub(crate) fn one(from: &str, before: &Map<String, Value>, after: &Map<String, Value>) -> Value {
    let mut change = Map::with_capacity(2);
    change.insert("from".into(), from.into());
    change.insert("set".into(), Value::Object(patch::difference(before, after)));
    Value::Object(change)
}

/// The entry without what a scheduled change must leave alone, except its kind.
pub(crate) fn bare(entry: &Map<String, Value>) -> Map<String, Value> {
    let mut bare = entry.clone();
    for name in ["id", "scheduled", "companions"] {
        bare.shift_remove(name);
    }
    bare
}
