//! The canonical form of an entry, and with it the check that every value has the type of its field.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use crate::codes::Kind;
use crate::entry::EntryError;
use crate::limits::NESTING_MAX;
use crate::schema::{self, Field, Scalar, Type, join};
use crate::{blocks, patch, scheduled};

/// The canonical form of a JSON object.
pub(crate) fn entry(value: Value) -> Result<Map<String, Value>, EntryError> {
    let Value::Object(mut object) = value else {
        return Err(EntryError::new("entry", "must be a JSON object"));
    };
    let kind = match object.get("kind") {
        Some(Value::String(kind)) if !kind.is_empty() => Kind::from(kind.as_str()),
        Some(Value::Null) | None => return Err(EntryError::new("kind", "is missing")),
        Some(_) => return Err(EntryError::new("kind", "must be a string")),
    };
    let companions = object.shift_remove("companions").filter(|companions| !companions.is_null());
    let mut entry = fields_of(object, schema::fields(&kind), "")?;
    if let Some(companions) = companions {
        let companions = by_name(companions, "companions", "an object of companions by collection", |value, path| {
            companion(value, schema::fields(&kind), path)
        })?;
        entry.extend(non_empty(companions).map(|companions| ("companions".to_owned(), companions)));
        sort_fields(&mut entry);
    }
    if entry.contains_key("scheduled") {
        scheduled::normalise(&mut entry)?;
    }
    Ok(entry)
}

/// Puts the top-level fields into the order of the schema.
pub(crate) fn sort_fields(map: &mut Map<String, Value>) {
    let kind = Kind::from(map.get("kind").and_then(Value::as_str).unwrap_or_default());
    let fields = schema::fields(&kind);
    let mut sorted = Map::with_capacity(map.len());
    for field in fields {
        if let Some((name, value)) = map.shift_remove_entry(field.name) {
            sorted.insert(name, value);
        }
    }
    sorted.append(map);
    *map = sorted;
}

fn fields_of(mut object: Map<String, Value>, fields: &[Field], path: &str) -> Result<Map<String, Value>, EntryError> {
    let mut normal = Map::with_capacity(object.len());
    let mut extensions = match object.shift_remove("extensions") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(extensions)) => extensions,
        Some(_) => return Err(EntryError::new(join(path, "extensions"), "must be an object")),
    };
    for field in fields {
        let Some(value) = object.shift_remove(field.name) else { continue };
        if let Some(value) = field_value(value, field, &join(path, field.name))? {
            normal.insert(field.name.to_owned(), value);
        }
    }
    // What is left, the schema does not know.
    extensions.extend(object);
    if let Some(extensions) = free(Value::Object(extensions), &join(path, "extensions"))? {
        normal.insert("extensions".to_owned(), extensions);
    }
    Ok(normal)
}

fn field_value(value: Value, field: &Field, path: &str) -> Result<Option<Value>, EntryError> {
    let wrong = |expected: &str| EntryError::new(path, format!("must be {expected}"));
    let value = match (field.of, value) {
        (_, Value::Null) => return Ok(None),
        (Type::Scalar(scalar), value) => scalar_value(value, scalar, path)?,
        (Type::Scalars(scalar), value) => list(value, path, |value, path| scalar_value(value, scalar, path))?,
        (Type::Words, value) => by_name(value, path, "an object of texts by language", |value, path| {
            scalar_value(value, Scalar::String, path).map(Some)
        })?,
        (Type::WordLists, value) => by_name(value, path, "an object of lists by language", |value, path| {
            list(value, path, |value, path| scalar_value(value, Scalar::String, path)).map(non_empty)
        })?,
        (Type::Text, value) => text(value, path)?,
        (Type::Texts, value) => {
            by_name(value, path, "an object of texts by name", |value, path| text(value, path).map(non_empty))?
        }
        (Type::Object(fields), Value::Object(object)) => Value::Object(fields_of(object, fields, path)?),
        (Type::Objects(fields), value) => list(value, path, |value, path| match value {
            Value::Object(object) => fields_of(object, fields, path).map(Value::Object),
            _ => Err(EntryError::new(path, "must be an object")),
        })?,
        (Type::Free, value @ Value::Object(_)) => return free(value, path),
        (Type::Scheduled, value @ Value::Array(_)) => value,
        // Taken out before, because what is in them depends on the kind of the entry.
        (Type::Companions, _) => return Ok(None),
        (Type::Scheduled, _) => return Err(wrong("a list")),
        (Type::Object(_) | Type::Free, _) => return Err(wrong("an object")),
    };
    Ok(non_empty(value))
}

fn non_empty(value: Value) -> Option<Value> {
    let empty = match &value {
        Value::Object(object) => object.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    };
    (!empty).then_some(value)
}

fn scalar_value(value: Value, scalar: Scalar, path: &str) -> Result<Value, EntryError> {
    if scalar.accepts(&value) {
        Ok(value)
    } else {
        Err(EntryError::new(path, format!("must be {}", scalar.expected())))
    }
}

fn list(
    value: Value,
    path: &str,
    element: impl Fn(Value, &str) -> Result<Value, EntryError>,
) -> Result<Value, EntryError> {
    let Value::Array(list) = value else { return Err(EntryError::new(path, "must be a list")) };
    let elements = list.into_iter().enumerate().map(|(i, value)| element(value, &join(path, i)));
    elements.collect::<Result<_, _>>().map(Value::Array)
}

fn by_name(
    value: Value,
    path: &str,
    expected: &str,
    inner: impl Fn(Value, &str) -> Result<Option<Value>, EntryError>,
) -> Result<Value, EntryError> {
    let Value::Object(object) = value else { return Err(EntryError::new(path, format!("must be {expected}"))) };
    let mut normal = Map::with_capacity(object.len());
    for (name, value) in object.into_iter().filter(|(_, value)| !value.is_null()) {
        if let Some(value) = inner(value, &join(path, &name))? {
            normal.insert(name, value);
        }
    }
    normal.sort_keys();
    Ok(Value::Object(normal))
}

fn text(value: Value, path: &str) -> Result<Value, EntryError> {
    by_name(value, path, "an object of texts by language", |value, path| match value {
        Value::String(text) => Ok(Some(blocks::normalise(&text)).filter(|text| !text.is_empty()).map(Value::String)),
        _ => Err(EntryError::new(path, "must be a string")),
    })
}

/// A companion has the fields of its entry, and those for notes.
fn companion(value: Value, fields: &[Field], path: &str) -> Result<Option<Value>, EntryError> {
    let Value::Object(mut object) = value else { return Err(EntryError::new(path, "must be an object")) };
    for name in ["id", "kind", "companions"] {
        object.shift_remove(name);
    }
    fields_of(object, fields, path).map(Value::Object).map(non_empty)
}

/// Free JSON without `null` and with sorted names, `None` if nothing is left. Empty objects inside count as values.
fn free(value: Value, path: &str) -> Result<Option<Value>, EntryError> {
    if depth(&value) > NESTING_MAX {
        return Err(EntryError::new(path, format!("is nested deeper than {NESTING_MAX}")));
    }
    let mut value = value;
    sort_free(&mut value, true);
    Ok(non_empty(value))
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(object) => 1 + object.values().map(depth).max().unwrap_or(0),
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Inside a list `null` is a value that cannot be left out; objects there are one value each and stay as they are.
fn sort_free(value: &mut Value, strip: bool) {
    match value {
        Value::Object(object) => {
            if strip {
                object.retain(|_, value| !value.is_null());
            }
            object.sort_keys();
            object.values_mut().for_each(|value| sort_free(value, strip));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| sort_free(value, false)),
        _ => {}
    }
}

/// Orders scheduled changes by their date; those without stand first.
pub(crate) fn by_date(a: &Value, b: &Value) -> Ordering {
    let date = |value: &Value| value.get("from").and_then(Value::as_str).unwrap_or_default().to_owned();
    date(a).cmp(&date(b))
}

/// The entry after a merge patch, without `scheduled`, `id` and `companions`.
pub(crate) fn patched(base: &Map<String, Value>, set: &Value) -> Result<Map<String, Value>, EntryError> {
    let mut value = Value::Object(base.clone());
    patch::apply(&mut value, set);
    entry(value)
}
