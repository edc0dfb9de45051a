//! Importing again what people have edited meanwhile.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::build;
use crate::classify::{Leaf, classify};
use crate::codes::Kind;
use crate::document::{Ids, readable, without_ids};
use crate::entry::Entry;
use crate::flat::{Flat, Node};
use crate::flatten;
use crate::ids::EntryId;

/// Merges a new import into what stands here: what the source changed since the last import is taken over, what a person
/// changed since then is kept. Returns the entry and the paths kept although the source says something else.
///
/// `last_import` is `None` when the entry was not imported before: then everything that stands here was a person's.
pub fn merge_import(last_import: Option<&Entry>, new_import: &Entry, current: &Entry) -> (Entry, Vec<String>) {
    let Some(last) = last_import else {
        let mut merged = new_import.0.clone();
        let mut kept = Vec::new();
        overlay(&mut merged, &current.0, "", &mut kept);
        return (canonical(merged, current), kept);
    };
    if last.0 == current.0 {
        return (new_import.clone(), Vec::new());
    }
    let (properties, kept) = merge_properties(last, new_import, current);
    let mut merged = build::bare(&Node::of(&properties));
    let mut kept: Vec<String> = kept.into_iter().collect();
    // What is not a property is merged as a whole.
    for name in ["id", "scheduled"] {
        let (old, new, now) = (last.get(name), new_import.get(name), current.get(name));
        let taken = if now == old { new } else { now };
        if now != old && now != new {
            kept.push(name.to_owned());
        }
        if let Some(value) = taken {
            merged.insert(name.to_owned(), value.clone());
        }
    }
    let companions = merge_companions(last, new_import, current, &mut kept);
    if !companions.is_empty() {
        merged.insert("companions".to_owned(), Value::Object(companions));
    }
    (canonical(merged, current), kept)
}

/// Each companion is a document of its own and merged like one.
fn merge_companions(last: &Entry, new_import: &Entry, current: &Entry, kept: &mut Vec<String>) -> Map<String, Value> {
    let named = |entry: &Entry| entry.get("companions").and_then(Value::as_object).cloned().unwrap_or_default();
    let (last, new, now) = (named(last), named(new_import), named(current));
    let names: BTreeSet<&String> = last.keys().chain(new.keys()).chain(now.keys()).collect();
    let mut merged = Map::new();
    for name in names {
        let companion = |of: &Map<String, Value>| {
            let mut fields = Entry::empty(&current.kind()).0;
            fields.extend(of.get(name).and_then(Value::as_object).cloned().unwrap_or_default());
            Entry(fields)
        };
        let (properties, theirs) = merge_properties(&companion(&last), &companion(&new), &companion(&now));
        let mut fields = build::bare(&Node::of(&properties));
        fields.shift_remove("kind");
        kept.extend(theirs.into_iter().map(|path| format!("companions.{name}.{path}")));
        if !fields.is_empty() {
            merged.insert(name.clone(), Value::Object(fields));
        }
    }
    merged
}

fn canonical(merged: Map<String, Value>, current: &Entry) -> Entry {
    // Scheduled changes may no longer fit; then what a person sees now is the safe answer.
    Entry::from_json(Value::Object(merged)).unwrap_or_else(|_| current.clone())
}

fn merge_properties(last: &Entry, new_import: &Entry, current: &Entry) -> (Flat, BTreeSet<String>) {
    let kind = current.kind();
    // The same ids for the same elements: each is flattened upon the others. They never leave this function.
    let mut ids = Ids::Imported(EntryId([0; 16]));
    let base = flatten::entry(&last.0, &last.kind(), &Node::default(), &mut ids);
    let mine = flatten::entry(&current.0, &kind, &Node::of(&base), &mut ids);
    let mut both = mine.clone();
    base.iter().filter(|(key, _)| !mine.contains_key(*key)).for_each(|(key, value)| {
        both.insert(key.clone(), value.clone());
    });
    let theirs = flatten::entry(&new_import.0, &new_import.kind(), &Node::of(&both), &mut ids);

    let changed_by_me = |key: &str| mine.get(key) != base.get(key);
    let kept_elements: BTreeSet<&str> = mine
        .keys()
        .filter(|key| changed_by_me(key))
        .flat_map(|key| elements(&kind, key).into_iter().map(|end| &key[..end]))
        .filter(|element| mine.contains_key(*element) && base.contains_key(*element) && !theirs.contains_key(*element))
        .collect();
    let keep = |key: &str| {
        let inside = elements(&kind, key).into_iter().any(|end| kept_elements.contains(&key[..end]));
        inside || changed_by_me(key)
    };

    let keys: BTreeSet<&String> = mine.keys().chain(theirs.keys()).collect();
    let mut merged = Flat::new();
    let mut kept = BTreeSet::new();
    for key in keys {
        let mine_kept = keep(key);
        let value = if mine_kept { mine.get(key) } else { theirs.get(key) };
        if mine_kept && mine.get(key) != theirs.get(key) && !is_order_only(&kind, key, &mine, &theirs) {
            kept.insert(without_ids(&readable(&kind, key, None)));
        }
        if let Some(value) = value {
            merged.insert(key.clone(), value.clone());
        }
    }
    (merged, kept)
}

fn elements(kind: &Kind, key: &str) -> Vec<usize> {
    classify(kind, key).map(|meaning| meaning.elements).unwrap_or_default()
}

fn is_order_only(kind: &Kind, key: &str, mine: &Flat, theirs: &Flat) -> bool {
    mine.contains_key(key) && theirs.contains_key(key) && classify(kind, key).is_some_and(|m| m.leaf == Leaf::Order)
}

/// Lays what a person wrote over an import: objects are merged, everything else is the person's.
fn overlay(target: &mut Map<String, Value>, mine: &Map<String, Value>, path: &str, kept: &mut Vec<String>) {
    for (name, value) in mine {
        let path = crate::schema::join(path, name);
        match (target.get_mut(name), value) {
            (Some(Value::Object(target)), Value::Object(mine)) => overlay(target, mine, &path, kept),
            (Some(other), value) if other == value => {}
            (other, value) => {
                if other.is_some() && name != "id" {
                    kept.push(path);
                }
                target.insert(name.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(mut fields: Value) -> Entry {
        fields["kind"] = json!("service");
        Entry::from_json(fields).unwrap()
    }

    #[test]
    fn what_a_person_changed_is_kept_and_listed() {
        let last = service(json!({"title": {"de": "Gewerbe"}, "fees": [{"amount": 2600}, {"amount": 10}],
            "texts": {"notes": {"de": "eins\n\nzwei\n\ndrei"}}, "keywords": {"de": ["a", "b"]}, "valid_until": "2027-01-01"}));
        let new = service(json!({"title": {"de": "Gewerbe-Anmeldung"}, "fees": [{"amount": 2700}, {"amount": 10}],
            "texts": {"notes": {"de": "eins neu\n\nzwei\n\ndrei"}}, "keywords": {"de": ["a", "b", "c"]}, "valid_until": "2028-01-01"}));
        let current = service(json!({"title": {"de": "Gewerbe"}, "fees": [{"amount": 2800}, {"amount": 10}],
            "texts": {"notes": {"de": "eins\n\nzwei\n\ndrei geändert"}}, "keywords": {"de": ["b"]}}));
        let (merged, kept) = merge_import(Some(&last), &new, &current);
        assert_eq!(
            merged,
            service(json!({"title": {"de": "Gewerbe-Anmeldung"}, "fees": [{"amount": 2800}, {"amount": 10}],
                "texts": {"notes": {"de": "eins neu\n\nzwei\n\ndrei geändert"}}, "keywords": {"de": ["b", "c"]}}))
        );
        assert_eq!(kept, ["fees.amount", "keywords.de", "texts.notes.de", "valid_until"]);
    }

    #[test]
    fn a_companion_is_merged_like_the_entry() {
        let with = |title: &str, internal: Value| {
            service(json!({"title": {"de": title}, "companions": {"internal": internal}}))
        };
        let last = with("a", json!({"extensions": {"x": {"1": 1, "2": 2}}}));
        let new = with("b", json!({"extensions": {"x": {"1": 1, "3": 3}}}));
        let current = with("a", json!({"extensions": {"x": {"1": 9, "2": 2}}, "texts": {"notes": {"de": "von Hand"}}}));
        let (merged, kept) = merge_import(Some(&last), &new, &current);
        let both = json!({"extensions": {"x": {"1": 9, "3": 3}}, "texts": {"notes": {"de": "von Hand"}}});
        assert_eq!(merged, with("b", both));
        assert!(kept.iter().all(|path| path.starts_with("companions.internal.")) && kept.len() == 2, "{kept:?}");
        let (merged, kept) = merge_import(Some(&last), &service(json!({"title": {"de": "b"}})), &last);
        assert_eq!((merged, kept), (service(json!({"title": {"de": "b"}})), vec![]));
    }

    #[test]
    fn an_untouched_entry_follows_the_source() {
        let last = service(json!({"title": {"de": "a"}}));
        let new = service(json!({"title": {"de": "b"}}));
        assert_eq!(merge_import(Some(&last), &new, &last), (new.clone(), vec![]));
        let same = merge_import(Some(&last), &last, &new);
        assert_eq!(same.0, new);
    }

    #[test]
    fn an_element_edited_here_survives_its_removal_at_the_source() {
        let last = service(json!({"fees": [{"kind": "fixed", "amount": 1}, {"kind": "fixed", "amount": 2}]}));
        let new = service(json!({"fees": [{"kind": "fixed", "amount": 2}]}));
        let current = service(json!({"fees": [{"kind": "fixed", "amount": 9}, {"kind": "fixed", "amount": 2}]}));
        let (merged, kept) = merge_import(Some(&last), &new, &current);
        assert_eq!(merged, current);
        assert!(kept.iter().any(|path| path.starts_with("fees")), "{kept:?}");
    }

    #[test]
    fn without_an_earlier_import_everything_here_is_a_persons() {
        let new = service(json!({"title": {"de": "b", "en": "c"}, "leika": ["99050012104000"]}));
        let current = service(json!({"title": {"de": "a"}}));
        let (merged, kept) = merge_import(None, &new, &current);
        assert_eq!(merged, service(json!({"title": {"de": "a", "en": "c"}, "leika": ["99050012104000"]})));
        assert_eq!(kept, ["title.de"]);
    }
}
