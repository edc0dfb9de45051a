//! The difference between two versions of an entry, field by field, and what becomes of it where the entry has moved on.
//!
//! A field is a path to a value that is no object: `title.de`, `texts.notes.de`, `fees.0.amount`. A list is one field, unless
//! it holds objects and both versions have as many of them in the same places: then each of their fields is one, and the
//! change carries the list as it was, so that the same element is found where others were added, removed or moved meanwhile.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Most fields of one difference.
pub const CHANGES_MAX: usize = 200;

/// One field that is to say something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Where.
    pub path: String,
    /// What it said; absent if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// What it is to say; absent if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
    /// The list that the path leads through, as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<Vec<Value>>,
}

/// How a change fits an entry as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// The field says what it said: the change can be made as it is.
    Clean,
    /// The field says already what it is to say.
    Same,
    /// The field says something third: somebody has to choose.
    Changed,
    /// The list element that the path means is not there any more, or cannot be told from others.
    Gone,
}

impl Fit {
    /// A stable word for it, as in the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Same => "same",
            Self::Changed => "changed",
            Self::Gone => "gone",
        }
    }
}

/// A change held against an entry as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged<'a> {
    /// The change.
    pub change: &'a Change,
    /// How it fits.
    pub fit: Fit,
    /// What the field says now.
    pub now: Option<Value>,
    /// Where the field is now; other than the path of the change if the element moved.
    path: String,
}

/// What differs, in order of path. Top-level fields in `without` are left out.
pub fn difference(before: &Map<String, Value>, after: &Map<String, Value>, without: &[&str]) -> Vec<Change> {
    let mut changes = Vec::new();
    for name in names(before, after) {
        if !without.contains(&name) && !name.contains('.') && !name.is_empty() {
            compare(name, before.get(name), after.get(name), None, &mut changes);
        }
    }
    changes
}

/// Holds changes against an entry as it is now.
pub fn judge<'a>(changes: &'a [Change], now: &Map<String, Value>) -> Vec<Judged<'a>> {
    changes.iter().map(|change| judge_one(change, now)).collect()
}

/// The entry with these changes made, whatever the fields say now; those that are [`Fit::Gone`] change nothing.
pub fn apply<'a>(judged: impl IntoIterator<Item = &'a Judged<'a>>, now: &Map<String, Value>) -> Map<String, Value> {
    let mut then = Value::Object(now.clone());
    for one in judged {
        if !matches!(one.fit, Fit::Gone | Fit::Same) {
            let steps: Vec<&str> = one.path.split('.').collect();
            set(&mut then, &steps, one.change.new.as_ref());
        }
    }
    match then {
        Value::Object(then) => then,
        _ => Map::new(),
    }
}

fn names<'a>(before: &'a Map<String, Value>, after: &'a Map<String, Value>) -> Vec<&'a str> {
    let mut names: Vec<&str> = before.keys().chain(after.keys()).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether the fields of an object can stand in a path.
fn is_open(object: &Map<String, Value>) -> bool {
    !object.is_empty() && object.keys().all(|name| !name.is_empty() && !name.contains('.'))
}

fn compare(
    path: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    list: Option<&Vec<Value>>,
    changes: &mut Vec<Change>,
) {
    if before == after {
        return;
    }
    let empty = Map::new();
    match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) if is_open(before) && is_open(after) => {
            within(path, before, after, list, changes);
        }
        (None, Some(Value::Object(after))) if is_open(after) => within(path, &empty, after, list, changes),
        (Some(Value::Object(before)), None) if is_open(before) => within(path, before, &empty, list, changes),
        (Some(Value::Array(before)), Some(Value::Array(after))) if list.is_none() && in_place(before, after) => {
            for (at, (one, other)) in before.iter().zip(after).enumerate() {
                compare(&format!("{path}.{at}"), Some(one), Some(other), Some(before), changes);
            }
        }
        _ => changes.push(Change {
            path: path.to_owned(),
            old: before.cloned(),
            new: after.cloned(),
            list: list.cloned(),
        }),
    }
}

fn within(
    path: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    list: Option<&Vec<Value>>,
    changes: &mut Vec<Change>,
) {
    for name in names(before, after) {
        compare(&format!("{path}.{name}"), before.get(name), after.get(name), list, changes);
    }
}

/// Whether the elements of two lists are the same things in the same places, as far as one can tell: objects, as many, and
/// none that stood elsewhere before.
fn in_place(before: &[Value], after: &[Value]) -> bool {
    let open = |value: &Value| matches!(value, Value::Object(object) if is_open(object));
    let moved = |(at, one): (usize, &Value)| before[at] != *one && before.contains(one);
    before.len() == after.len()
        && before.iter().chain(after).all(open)
        && !after.iter().enumerate().any(moved)
        // What shares no field is another thing.
        && before.iter().zip(after).all(|(one, other)| shares(one, other))
}

fn shares(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => one.keys().any(|name| other.contains_key(name)),
        _ => false,
    }
}

fn judge_one<'a>(change: &'a Change, now: &Map<String, Value>) -> Judged<'a> {
    let judged = |fit, now: Option<Value>, path| Judged { change, fit, now, path };
    let Some(path) = find(change, now) else {
        return judged(Fit::Gone, None, change.path.clone());
    };
    let value = at(now, &path);
    let fit = if value == change.new.as_ref() {
        Fit::Same
    } else if value == change.old.as_ref() {
        Fit::Clean
    } else {
        Fit::Changed
    };
    judged(fit, value.cloned(), path)
}

/// Where the field of a change is now; `None` if that cannot be told.
fn find(change: &Change, now: &Map<String, Value>) -> Option<String> {
    let mut steps: Vec<String> = change.path.split('.').map(str::to_owned).collect();
    let Some(before) = &change.list else {
        // Without the list nobody knows which element was meant.
        let through = (1..steps.len()).any(|end| matches!(at(now, &steps[..end].join(".")), Some(Value::Array(_))));
        return (!through).then(|| change.path.clone());
    };
    let (position, index) = steps.iter().enumerate().find_map(|(at, step)| Some((at, step.parse::<usize>().ok()?)))?;
    let Some(Value::Array(list)) = at(now, &steps[..position].join(".")) else { return None };
    let element = before.get(index)?;
    let index = if list.get(index) == Some(element) {
        index
    } else {
        let mut same = list.iter().enumerate().filter(|(_, other)| *other == element).map(|(at, _)| at);
        match (same.next(), same.next()) {
            (Some(only), None) => only,
            (Some(_), Some(_)) => return None,
            // It changed itself, and everything around it stands as it did.
            (None, _) => {
                let around = |(at, one): (usize, &Value)| at == index || list[at] == *one;
                (list.len() == before.len() && before.iter().enumerate().all(around)).then_some(index)?
            }
        }
    };
    steps[position] = index.to_string();
    Some(steps.join("."))
}

fn at<'a>(object: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut steps = path.split('.');
    let mut value = object.get(steps.next()?)?;
    for step in steps {
        value = match value {
            Value::Object(object) => object.get(step)?,
            Value::Array(list) => list.get(step.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(value)
}

/// Sets or deletes the value at a path; objects on the way are made, and removed when nothing is left in them.
fn set(value: &mut Value, steps: &[&str], new: Option<&Value>) {
    let Some((first, rest)) = steps.split_first() else { return };
    match value {
        Value::Object(object) => {
            if rest.is_empty() {
                match new {
                    Some(new) => object.insert((*first).to_owned(), new.clone()),
                    None => object.shift_remove(*first),
                };
                return;
            }
            if new.is_none() && !object.contains_key(*first) {
                return;
            }
            let below = object.entry(*first).or_insert_with(|| Value::Object(Map::new()));
            if !below.is_object() && !below.is_array() {
                *below = Value::Object(Map::new());
            }
            set(below, rest, new);
            if matches!(below, Value::Object(below) if below.is_empty()) {
                object.shift_remove(*first);
            }
        }
        Value::Array(list) => {
            if let Some(below) = first.parse::<usize>().ok().and_then(|index| list.get_mut(index)) {
                set(below, rest, new);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().expect("an object")
    }

    fn differ(before: Value, after: Value) -> Vec<Change> {
        difference(&map(before), &map(after), &["extensions"])
    }

    fn fits(changes: &[Change], now: Value) -> Vec<(String, Fit)> {
        judge(changes, &map(now)).into_iter().map(|one| (one.path, one.fit)).collect()
    }

    fn dog() -> Value {
        json!({"title": {"de": "Hund anmelden"}, "texts": {"notes": {"de": "Bitte mit Chip."}},
            "fees": [{"kind": "fixed", "amount": 2600}, {"kind": "fixed", "amount": 9600, "note": {"de": "zweiter Hund"}}],
            "leika": ["99102013060000"], "extensions": {"a": 1}})
    }

    #[test]
    fn a_difference_is_told_field_by_field() {
        let mut after = dog();
        after["fees"][0]["amount"] = json!(2800);
        after["texts"]["summary"] = json!({"de": "Kurz."});
        after["leika"] = json!([]);
        after["extensions"]["a"] = json!(2);
        after.as_object_mut().expect("an object").remove("title");
        let changes = differ(dog(), after);
        let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, ["fees.0.amount", "leika", "texts.summary.de", "title.de"]);
        assert_eq!((changes[0].old.clone(), changes[0].new.clone()), (Some(json!(2600)), Some(json!(2800))));
        assert_eq!(changes[3].new, None);
        // Elements that were added, removed or moved are a change of the whole list.
        let mut moved = dog();
        moved["fees"].as_array_mut().expect("a list").reverse();
        assert_eq!(differ(dog(), moved).iter().map(|change| change.path.as_str()).collect::<Vec<_>>(), ["fees"]);
    }

    #[test]
    fn a_change_fits_where_its_field_stands_as_it_did_also_elsewhere_in_a_list() {
        let mut after = dog();
        after["fees"][0]["amount"] = json!(2800);
        let changes = differ(dog(), after.clone());
        let check = |now: Value, path: &str, fit: Fit| assert_eq!(fits(&changes, now), [(path.to_owned(), fit)]);
        check(dog(), "fees.0.amount", Fit::Clean);
        check(after, "fees.0.amount", Fit::Same);
        let mut now = dog();
        now["fees"].as_array_mut().expect("a list").insert(0, json!({"kind": "free"}));
        check(now.clone(), "fees.1.amount", Fit::Clean);
        let judged = judge(&changes, now.as_object().expect("an object"));
        assert_eq!(apply(&judged, &map(now))["fees"][1]["amount"], json!(2800));
        // Another field of the same element changed: still the same fee.
        let mut now = dog();
        now["fees"][0]["note"] = json!({"de": "ab Oktober"});
        check(now, "fees.0.amount", Fit::Clean);
        let mut now = dog();
        now["fees"][0]["amount"] = json!(3000);
        check(now, "fees.0.amount", Fit::Changed);
        // It changed, and something else did, too: nobody knows which one was meant.
        let mut now = dog();
        now["fees"] =
            json!([{"kind": "fixed", "amount": 9600}, {"kind": "fixed", "amount": 2600, "note": {"de": "neu"}}]);
        check(now, "fees.0.amount", Fit::Gone);
        let mut now = dog();
        now["fees"] = json!([{"kind": "fixed", "amount": 1}, {"kind": "fixed", "amount": 2600}, {"kind": "fixed", "amount": 2600}]);
        check(now, "fees.0.amount", Fit::Gone);
    }

    #[test]
    fn what_cannot_be_understood_changes_nothing() {
        for (path, list) in
            [("fees.0.amount", None), ("fees.9.amount", Some(vec![json!(1)])), ("title.0.x", Some(vec![]))]
        {
            let change = Change { path: path.into(), old: None, new: Some(json!(1)), list };
            let changes = [change];
            let judged = judge(&changes, dog().as_object().expect("an object"));
            assert_eq!(judged[0].fit, Fit::Gone, "{path}");
            assert_eq!(apply(&judged, &map(dog())), map(dog()), "{path}");
        }
    }

    /// Entries without empty parts, as the canonical form has them.
    fn entry() -> impl Strategy<Value = Map<String, Value>> {
        let scalar = prop_oneof![(0..3_i64).prop_map(Value::from), "[ab]{1,2}".prop_map(Value::from)];
        let object = prop::collection::btree_map("[xyz]", scalar.clone(), 1..3).prop_map(|map| json!(map));
        let list = prop::collection::vec(object.clone(), 1..4).prop_map(Value::Array);
        let words = prop::collection::vec(scalar.clone(), 1..3).prop_map(Value::Array);
        let value = prop_oneof![scalar, object, list, words];
        prop::collection::btree_map("[a-e]", value, 0..5).prop_map(|map| map.into_iter().collect())
    }

    proptest! {
        #[test]
        fn all_changes_made_are_the_other_version(before in entry(), after in entry()) {
            let changes = difference(&before, &after, &[]);
            let judged = judge(&changes, &before);
            prop_assert!(judged.iter().all(|one| one.fit == Fit::Clean), "{judged:?}");
            let made = apply(&judged, &before);
            prop_assert_eq!(difference(&made, &after, &[]), vec![]);
            // Which element of a list was meant nobody knows once others moved.
            if !before.values().chain(after.values()).any(Value::is_array) {
                prop_assert!(judge(&changes, &after).iter().all(|one| one.fit == Fit::Same));
            }
        }

        #[test]
        fn changes_of_different_fields_both_survive(before in entry(), one in entry(), other in entry()) {
            // One side writes fields a and b, the other side the rest.
            let mix = |mine: &Map<String, Value>, first: bool| -> Map<String, Value> {
                let is_first = |name: &str| name < "c";
                let kept = before.iter().filter(|(name, _)| is_first(name) != first);
                kept.chain(mine.iter().filter(|(name, _)| is_first(name) == first))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect()
            };
            let (here, there) = (mix(&one, true), mix(&other, false));
            let changes = difference(&before, &here, &[]);
            let judged = judge(&changes, &there);
            prop_assert!(judged.iter().all(|one| one.fit == Fit::Clean), "{judged:?}");
            let merged = apply(&judged, &there);
            prop_assert_eq!(difference(&here, &merged, &[]), difference(&before, &there, &[]));
        }

        #[test]
        fn nothing_a_stranger_suggests_breaks_anything(path in "[a-e0-3.]{0,6}", new in entry(), list in prop::collection::vec(entry(), 0..3), now in entry()) {
            let list = (!list.is_empty()).then(|| list.into_iter().map(Value::Object).collect());
            let changes = [Change { path, old: None, new: Some(Value::Object(new)), list }];
            let judged = judge(&changes, &now);
            apply(&judged, &now);
        }
    }
}
