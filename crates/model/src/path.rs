//! The path language: `fees.0.amount`, `texts.notes.de`, `fees.+`.

use serde_json::{Map, Value};

use crate::codes::Kind;
use crate::entry::{Entry, EntryError};
use crate::limits::PATH_BYTES_MAX;
use crate::schema::{self, Field, Scalar, Type};

/// Where a path leads, by the schema.
#[derive(Clone, Copy)]
enum Place {
    /// An object with these fields; the whole entry for one.
    Object(&'static [Field]),
    /// A list of objects with these fields.
    Objects(&'static [Field]),
    Scalar(Scalar),
    Scalars(Scalar),
    /// By language a short text, a list of them, or a long text; by name long texts.
    Words,
    WordLists,
    Text,
    Texts,
    Free,
    Scheduled,
    /// By collection an object with these fields.
    Companions(&'static [Field]),
}

impl Place {
    fn of(field: &Field, entry: &'static [Field]) -> Self {
        match field.of {
            Type::Scalar(scalar) => Self::Scalar(scalar),
            Type::Scalars(scalar) => Self::Scalars(scalar),
            Type::Words => Self::Words,
            Type::WordLists => Self::WordLists,
            Type::Text => Self::Text,
            Type::Texts => Self::Texts,
            Type::Object(fields) => Self::Object(fields),
            Type::Objects(fields) => Self::Objects(fields),
            Type::Free => Self::Free,
            Type::Scheduled => Self::Scheduled,
            Type::Companions => Self::Companions(entry),
        }
    }

    fn is_list(self) -> bool {
        matches!(self, Self::Objects(_) | Self::Scalars(_) | Self::Scheduled)
    }

    /// One step further; `None` if there is nothing below.
    fn below(self, step: &str) -> Option<Self> {
        match self {
            // What the schema does not know goes to `extensions`.
            Self::Object(fields) => {
                Some(schema::find(fields, step).map_or(Self::Free, |field| Self::of(field, fields)))
            }
            Self::Objects(fields) => Some(Self::Object(fields)),
            Self::Scalars(scalar) => Some(Self::Scalar(scalar)),
            Self::Words | Self::Text => Some(Self::Scalar(Scalar::String)),
            Self::WordLists => Some(Self::Scalars(Scalar::String)),
            Self::Texts => Some(Self::Text),
            Self::Free | Self::Scheduled => Some(Self::Free),
            Self::Companions(fields) => Some(Self::Object(fields)),
            Self::Scalar(_) => None,
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Scalar(scalar) => scalar.expected(),
            place if place.is_list() => "a list as JSON, [...], or a position in it, .0 or .+",
            Self::Words | Self::WordLists | Self::Text => "a language in the path, .de, or an object as JSON",
            Self::Texts => "a name and a language in the path, .notes.de, or an object as JSON",
            _ => "an object as JSON, {...}, or a field in the path",
        }
    }
}

/// Sets, appends or deletes the value at a path; on an error the entry stays as it was.
pub(crate) fn set(entry: &mut Entry, path: &str, text: &str) -> Result<(), EntryError> {
    if path.is_empty() || path.len() > PATH_BYTES_MAX {
        return Err(EntryError::new(path, format!("a path has 1 to {PATH_BYTES_MAX} bytes")));
    }
    let mut steps: Vec<&str> = path.split('.').collect();
    let mut place = Place::Object(schema::fields(&entry.kind()));
    let first_unknown = matches!(place, Place::Object(fields) if schema::find(fields, steps[0]).is_none());
    if first_unknown {
        steps.insert(0, "extensions");
    }
    for step in &steps {
        if step.is_empty() {
            return Err(EntryError::new(path, "has an empty step"));
        }
        place = place
            .below(step)
            .ok_or_else(|| EntryError::new(path, format!("there is nothing below to set as {step}")))?;
    }
    let value = if text.is_empty() { Value::Null } else { typed(place, text, path)? };
    let mut changed = entry.to_json();
    put(&mut changed, &steps, value, path)?;
    *entry = Entry::from_json(changed)?;
    Ok(())
}

/// The first step of a path that the schema does not know, so that its value goes into `extensions`: the path up to it, and
/// the field that was probably meant. Kinds without fields of their own know no better, and `extensions` may be meant.
pub(crate) fn unknown(kind: &Kind, path: &str) -> Option<(String, Option<&'static str>)> {
    if !schema::has_fields(kind) {
        return None;
    }
    let steps: Vec<&str> = path.split('.').collect();
    let mut place = Place::Object(schema::fields(kind));
    for (at, step) in steps.iter().enumerate() {
        if let Place::Object(fields) = place
            && schema::find(fields, step).is_none()
        {
            return Some((steps[..=at].join("."), schema::near(fields, step)));
        }
        place = place.below(step)?;
    }
    None
}

fn typed(place: Place, text: &str, path: &str) -> Result<Value, EntryError> {
    let wrong = || EntryError::new(path, format!("{:?} is not {}", shortened(text), place.expected()));
    let json =
        || serde_json::from_str::<Value>(text).map_err(|error| EntryError::new(path, format!("is no JSON: {error}")));
    match place {
        Place::Scalar(Scalar::Integer | Scalar::Money) => {
            text.trim().parse::<i64>().map(Value::from).map_err(|_| wrong())
        }
        Place::Scalar(Scalar::Number) => {
            let number = text.trim().parse::<f64>().ok().and_then(serde_json::Number::from_f64);
            number.map(Value::Number).ok_or_else(wrong)
        }
        Place::Scalar(Scalar::Boolean) => text.trim().parse::<bool>().map(Value::Bool).map_err(|_| wrong()),
        Place::Scalar(_) => Ok(Value::String(text.to_owned())),
        Place::Free => {
            let looks_like_json = text.starts_with(['[', '{', '"']) || text.parse::<f64>().is_ok();
            match text {
                "true" | "false" => json(),
                _ if looks_like_json => json().or_else(|error| match text.parse::<f64>() {
                    // `007` or `+49`: a number to Rust, not to JSON.
                    Ok(_) => Ok(Value::String(text.to_owned())),
                    Err(_) => Err(error),
                }),
                _ => Ok(Value::String(text.to_owned())),
            }
        }
        _ if text.trim_start().starts_with(['[', '{']) => json(),
        // One value for a list of values is a list of one.
        Place::Scalars(scalar) => typed(Place::Scalar(scalar), text, path).map(|value| Value::Array(vec![value])),
        _ => Err(wrong()),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

fn put(target: &mut Value, steps: &[&str], value: Value, path: &str) -> Result<(), EntryError> {
    let Some((step, rest)) = steps.split_first() else {
        *target = value;
        return Ok(());
    };
    let is_position = *step == "+" || step.bytes().all(|byte| byte.is_ascii_digit());
    if target.is_null() {
        *target = if *step == "+" || *step == "0" && !step.is_empty() {
            Value::Array(Vec::new())
        } else {
            Value::Object(Map::new())
        };
    }
    match target {
        Value::Array(list) if is_position => {
            let index = if *step == "+" { list.len() } else { step.parse().unwrap_or(usize::MAX) };
            if index > list.len() {
                return Err(EntryError::new(
                    path,
                    format!(
                        "the list has no element {step} (the first is 0, the number of elements is {}); append with .+",
                        list.len()
                    ),
                ));
            }
            if rest.is_empty() && value.is_null() {
                if index < list.len() {
                    list.remove(index);
                }
                return Ok(());
            }
            if index == list.len() {
                list.push(Value::Null);
            }
            put(&mut list[index], rest, value, path)
        }
        Value::Object(object) => {
            if value.is_null() && !object.contains_key(*step) {
                return Ok(());
            }
            put(object.entry(*step).or_insert(Value::Null), rest, value, path)
        }
        Value::Array(_) => Err(EntryError::new(path, format!("{step} is no position in a list"))),
        _ => Err(EntryError::new(path, format!("there is a value where {step} should stand"))),
    }
}

/// The value at a path.
pub(crate) fn at<'a>(entry: &'a Entry, path: &str) -> Option<&'a Value> {
    let mut steps = path.split('.');
    let first = entry.get(steps.next()?)?;
    steps.try_fold(first, |value, step| match value {
        Value::Object(object) => object.get(step),
        Value::Array(list) => list.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service() -> Entry {
        Entry::from_json(
            json!({"kind": "service", "title": {"de": "Gewerbe"}, "fees": [{"kind": "fixed", "amount": 2600}]}),
        )
        .unwrap()
    }

    #[track_caller]
    fn check(path: &str, text: &str, pointer: &str, expected: &Value) {
        let mut entry = service();
        entry.set_path(path, text).unwrap();
        assert_eq!(entry.to_json().pointer(pointer).unwrap_or(&Value::Null), expected, "{path}={text}");
    }

    #[track_caller]
    fn refuse(path: &str, text: &str, message: &str) {
        let mut entry = service();
        assert_eq!(entry.set_path(path, text).unwrap_err().to_string(), message);
        assert_eq!(entry, service());
    }

    #[test]
    fn a_misspelt_field_is_found_with_what_was_meant() {
        let unknown = |path| Entry::unknown_field(&Kind::Service, path);
        let found = |path: &str, meant| Some((path.to_owned(), meant));
        assert_eq!(unknown("titel.de"), found("titel", Some("title")));
        assert_eq!(unknown("farbe"), found("farbe", None));
        assert_eq!(unknown("fees.0.amout"), found("fees.0.amout", Some("amount")));
        assert_eq!(
            unknown("companions.partners.agent_notes.de"),
            found("companions.partners.agent_notes", Some("agent_note"))
        );
        for path in [
            "title.de",
            "fees.+",
            "fees.0.amount",
            "texts.notes.de",
            "extensions.farbe",
            "title.de.x",
            "scheduled.0.set.a",
        ] {
            assert_eq!(unknown(path), None, "{path}");
        }
        assert_eq!(Entry::unknown_field(&Kind::from("kiosk"), "anything"), None);
    }

    #[test]
    fn values_are_typed_by_their_field() {
        check("fees.0.amount", "2800", "/fees/0/amount", &json!(2800));
        check("fees.0.amount", "", "/fees/0", &json!({"kind": "fixed"}));
        check("fees.0", "", "/fees", &Value::Null);
        check("fees.+", "{\"kind\":\"free\"}", "/fees/1/kind", &json!("free"));
        check("fees.+.amount", "1", "/fees/1", &json!({"amount": 1}));
        check("texts.notes.de", "Bitte\r\nlesen\n", "/texts/notes/de", &json!("Bitte\nlesen"));
        check("title.en", "123", "/title/en", &json!("123"));
        check("title.de", "", "/title", &Value::Null);
        check("valid_for", "091620000000", "/valid_for", &json!(["091620000000"]));
        check("valid_for.+", "091620000000", "/valid_for/0", &json!("091620000000"));
        check("keywords.de", "[\"a\",\"b\"]", "/keywords/de", &json!(["a", "b"]));
        check("processing_time.max_days", "5", "/processing_time/max_days", &json!(5));
        check("deadlines.0.days", "5", "/deadlines/0/days", &json!(5));
        check("colour", "red", "/extensions/colour", &json!("red"));
        check("extensions.a.b", "{\"c\":[1]}", "/extensions/a/b/c/0", &json!(1));
        check("extensions.n", "2", "/extensions/n", &json!(2));
        check("extensions.n", "+49", "/extensions/n", &json!("+49"));
        check("extensions.gone.deep", "", "/extensions", &Value::Null);
        check("companions.partners.agent_note.de", "leise", "/companions/partners/agent_note/de", &json!("leise"));
    }

    #[test]
    fn mistakes_are_one_clear_line() {
        refuse("fees.0.amount", "zwölf", "fees.0.amount: \"zwölf\" is not whole cents");
        refuse(
            "fees.3.amount",
            "1",
            "fees.3.amount: the list has no element 3 (the first is 0, the number of elements is 1); append with .+",
        );
        refuse("fees.x", "{}", "fees.x: x is no position in a list");
        refuse("fees", "viel", "fees: \"viel\" is not a list as JSON, [...], or a position in it, .0 or .+");
        refuse("title", "Gewerbe", "title: \"Gewerbe\" is not a language in the path, .de, or an object as JSON");
        refuse("title.de.x", "a", "title.de.x: there is nothing below to set as x");
        refuse("fees..amount", "1", "fees..amount: has an empty step");
        refuse("kind", "", "kind: is missing");
        refuse("fees.0", "[1]", "fees.0: must be an object");
        let mut entry = service();
        assert!(entry.set_path("fees", "[1").unwrap_err().to_string().starts_with("fees: is no JSON"));
        assert!(entry.set_path(&format!("extensions.{}", "a".repeat(PATH_BYTES_MAX - 11)), "1").is_ok());
        assert!(entry.set_path(&format!("extensions.{}", "a".repeat(PATH_BYTES_MAX - 10)), "1").is_err());
    }
}
