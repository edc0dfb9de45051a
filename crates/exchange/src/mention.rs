//! Parts of an entry that speak about another entry, and how to keep them from readers who may not know that one.

use ortsnetz_model::{Entry, EntryId, schema};
use serde_json::{Map, Value};

/// The collection that only own nodes read.
pub(crate) const COLLECTION_INTERNAL: &str = "internal";

/// A part of an entry that names another entry: an element of a list, or a member of an object.
///
/// An entry is replicated to everybody who reads its collection. What it says about an entry that these readers do not
/// read must therefore stand in its internal companion: see [`withhold`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// Path of the list or object: names of fields with dots between.
    pub path: String,
    /// The name of the member, or the element as text.
    pub key: String,
    /// The entry it is about, whether it exists or not.
    pub target: EntryId,
}

/// The entry with these mentions in its companion `internal` instead of in itself. Nothing is lost. Mentions that it does
/// not have change nothing, so what was withheld already may be named again.
pub fn withhold<'a>(entry: &Entry, mentions: impl IntoIterator<Item = &'a Mention>) -> Entry {
    let mut fields = entry.as_map().clone();
    let mut hidden = Map::new();
    for mention in mentions {
        let path: Vec<&str> = mention.path.split('.').collect();
        if let Some(part) = take(&mut fields, &path, &mention.key) {
            put(&mut hidden, &path, &mention.key, part);
        }
    }
    if hidden.is_empty() {
        return entry.clone();
    }
    let companions = fields.entry("companions").or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(companions) = companions {
        let internal = companions.entry(COLLECTION_INTERNAL).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(internal) = internal {
            // What a companion says already is what it says.
            let _ = merge(internal, hidden);
        }
    }
    // SAFETY: parts only moved to where the same fields are allowed. If that were wrong, saying less is right.
    Entry::from_json(Value::Object(fields)).unwrap_or_else(|_| Entry::empty(&entry.kind()))
}

/// The opposite: what stands in the companion `internal` comes into the entry. What the entry says otherwise stays in the
/// companion, and so do notes that no entry may have.
pub fn reveal(entry: &Entry) -> Entry {
    let mut fields = entry.as_map().clone();
    let Some(Value::Object(companions)) = fields.get_mut("companions") else { return entry.clone() };
    let Some(Value::Object(internal)) = companions.shift_remove(COLLECTION_INTERNAL) else { return entry.clone() };
    let (notes, parts) = internal.into_iter().partition(|(name, _)| schema::is_companion_only(name));
    let mut left: Map<String, Value> = notes;
    left.extend(merge(&mut fields, parts));
    if !left.is_empty()
        && let Some(Value::Object(companions)) = fields.get_mut("companions")
    {
        companions.insert(COLLECTION_INTERNAL.into(), Value::Object(left));
    }
    // SAFETY: as in `withhold`; here the entry as it is is right.
    Entry::from_json(Value::Object(fields)).unwrap_or_else(|_| entry.clone())
}

/// Takes a part out, and whatever is empty without it.
fn take(object: &mut Map<String, Value>, path: &[&str], key: &str) -> Option<Value> {
    let (name, rest) = path.split_first()?;
    let value = object.get_mut(*name)?;
    let (part, is_empty) = match (value, rest) {
        (Value::Object(inner), []) => (inner.shift_remove(key), inner.is_empty()),
        (Value::Array(list), []) => {
            let part = list.iter().position(|element| is(element, key)).map(|index| list.remove(index));
            (part, list.is_empty())
        }
        (Value::Object(inner), rest) => (take(inner, rest, key), inner.is_empty()),
        _ => (None, false),
    };
    if is_empty {
        object.shift_remove(*name);
    }
    part
}

fn put(object: &mut Map<String, Value>, path: &[&str], key: &str, part: Value) {
    let Some((name, rest)) = path.split_first() else { return };
    // An element of a list is its own text, a member of an object has a name beside its value.
    let in_list = rest.is_empty() && is(&part, key);
    let empty = || if in_list { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
    match object.entry(*name).or_insert_with(empty) {
        Value::Array(list) => list.push(part),
        Value::Object(inner) if rest.is_empty() => {
            inner.insert(key.to_owned(), part);
        }
        Value::Object(inner) => put(inner, rest, key, part),
        _ => {}
    }
}

fn is(element: &Value, key: &str) -> bool {
    match element {
        Value::String(text) => text == key,
        Value::Number(number) => number.to_string() == key,
        _ => false,
    }
}

/// Puts one object into another; what this one says otherwise comes back.
fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) -> Map<String, Value> {
    let mut left = Map::new();
    for (name, value) in from {
        match (into.get_mut(&name), value) {
            (Some(Value::Object(into)), Value::Object(from)) => {
                let inner = merge(into, from);
                if !inner.is_empty() {
                    left.insert(name, Value::Object(inner));
                }
            }
            (Some(Value::Array(into)), Value::Array(from)) => {
                for value in from {
                    if !into.contains(&value) {
                        into.push(value);
                    }
                }
            }
            (Some(into), value) if *into == value => {}
            (Some(_), value) => {
                left.insert(name, value);
            }
            (None, value) => {
                into.insert(name, value);
            }
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mention(path: &str, key: &str) -> Mention {
        Mention { path: path.into(), key: key.into(), target: EntryId([7; 16]) }
    }

    #[test]
    fn what_is_withheld_stands_in_the_internal_companion_and_nowhere_else() {
        let (a, b) = ("0a".repeat(16), "0b".repeat(16));
        let entry = Entry::from_json(json!({"kind": "service", "title": {"de": "Pass"}, "offices": [a, b],
            "extensions": {"dldb": {"combinable": [17, 18], "locations": {"4": {"slots": 2}}, "duration": 5}},
            "companions": {"internal": {"extensions": {"dldb": {"note": "x"}}}}}))
        .expect("an entry");
        let all = [
            mention("offices", &b),
            mention("extensions.dldb.combinable", "17"),
            mention("extensions.dldb.locations", "4"),
            mention("extensions.dldb.locations", "5"),
            mention("extensions.other", "5"),
        ];
        let whole = Entry::from_json(json!({"kind": "service", "title": {"de": "Pass"}, "offices": [a],
            "extensions": {"dldb": {"combinable": [18], "duration": 5}},
            "companions": {"internal": {"offices": [b], "extensions": {"dldb":
                {"combinable": [17], "locations": {"4": {"slots": 2}}, "note": "x"}}}}}))
        .expect("an entry");
        assert_eq!(withhold(&entry, &all), whole);
        assert_eq!(withhold(&whole, &all), whole, "once more changes nothing");
        assert_eq!(withhold(&entry, &all[3..]), entry);
        let mut back = entry.to_json();
        back["extensions"]["dldb"]["note"] = json!("x");
        back["extensions"]["dldb"]["combinable"] = json!([18, 17]);
        back.as_object_mut().expect("an object").shift_remove("companions");
        assert_eq!(reveal(&whole), Entry::from_json(back).expect("an entry"));
    }

    #[test]
    fn what_an_entry_says_otherwise_is_not_revealed() {
        let entry = Entry::from_json(json!({"kind": "service", "title": {"de": "Pass"}, "companions": {"internal":
            {"title": {"de": "Ausweis"}, "agent_note": {"de": "leise"}, "keywords": {"de": ["Reise"]}}}}))
        .expect("an entry");
        let revealed =
            Entry::from_json(json!({"kind": "service", "title": {"de": "Pass"}, "keywords": {"de": ["Reise"]},
            "companions": {"internal": {"title": {"de": "Ausweis"}, "agent_note": {"de": "leise"}}}}))
            .expect("an entry");
        assert_eq!(reveal(&entry), revealed);
    }

    #[test]
    fn a_list_of_which_everything_is_withheld_is_gone() {
        let id = "0a".repeat(16);
        let entry =
            Entry::from_json(json!({"kind": "service", "title": {"de": "Pass"}, "offices": [id]})).expect("an entry");
        let placed = withhold(&entry, &[mention("offices", &id)]);
        assert_eq!(placed.get("offices"), None);
        assert_eq!(placed.at_path("companions.internal.offices.0"), Some(&json!(id)));
    }
}
