//! Scheduled changes inside a document: differences by property, with the ids of the elements they mean.
//!
//! Under `scheduled/<id>/set/` lie the keys that change: null removes, text in the place of an order key makes a new
//! element, bytes in the place of an order key move one that is there.

use std::collections::HashSet;

use automerge::ScalarValue;
use serde_json::{Map, Value};

use crate::build;
use crate::classify::{Leaf, classify};
use crate::codes::Kind;
use crate::document::Ids;
use crate::flat::{Flat, Node, step};
use crate::flatten;
use crate::matching::align;
use crate::order;
use crate::scheduled::{bare, normalise, one};

const PREFIX: &str = "scheduled/";

/// A change as it is stored.
struct Planned<'a> {
    id: &'a str,
    order: &'a str,
    from: &'a str,
}

impl Planned<'_> {
    fn key(&self) -> String {
        format!("{PREFIX}{}", self.id)
    }

    /// What it sets, by key.
    fn set<'f>(&self, flat: &'f Flat) -> Vec<(&'f str, &'f ScalarValue)> {
        let prefix = format!("{}/set/", self.key());
        let keys = flat.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix));
        keys.map(|(key, value)| (&key[prefix.len()..], value)).collect()
    }
}

/// The stored changes in the order of their dates.
fn stored<'a>(node: &Node<'a>) -> Vec<Planned<'a>> {
    let with_date = |(id, order, node): (&'a str, &'a str, &Node<'a>)| {
        Some(Planned { id, order, from: node.child("from").and_then(Node::text)? })
    };
    let mut stored: Vec<Planned<'a>> = node.elements().into_iter().filter_map(with_date).collect();
    stored.sort_by_key(|planned| planned.from);
    stored
}

/// The scheduled changes as JSON, each as a merge patch against what the earlier ones leave, and the paths whose target is
/// gone. `base` is the entry without them.
pub(crate) fn project(flat: &Flat, base: &Map<String, Value>) -> (Vec<Value>, Vec<String>) {
    let root = Node::of(flat);
    let Some(node) = root.child("scheduled") else { return (Vec::new(), Vec::new()) };
    let kind = build::kind(&root);
    let mut state = flat.clone();
    let mut before = base.clone();
    let (mut changes, mut lost) = (Vec::new(), Vec::new());
    for planned in stored(node) {
        let gone = apply(&mut state, &planned.set(flat), &kind);
        lost.extend(gone.into_iter().map(|key| (planned.from.to_owned(), key.to_owned())));
        let after = build::bare(&Node::of(&state));
        changes.push(one(planned.from, &before, &after));
        before = after;
    }
    let path = |(from, key): (String, String)| format!("{} on {from}", crate::document::readable(&kind, &key, None));
    let mut lost: Vec<String> = lost.into_iter().map(path).collect();
    lost.dedup();
    (changes, lost)
}

/// Applies what a change sets; gives back the keys whose element is gone.
fn apply<'a>(state: &mut Flat, set: &[(&'a str, &'a ScalarValue)], kind: &Kind) -> Vec<&'a str> {
    let made: HashSet<&str> =
        set.iter().filter(|(_, value)| matches!(value, ScalarValue::Str(_))).map(|(key, _)| *key).collect();
    let mut gone = Vec::new();
    let mut writes = Vec::new();
    for &(key, value) in set {
        let Some(meaning) = classify(kind, key) else { continue };
        let there = |end: &usize| state.contains_key(&key[..*end]) || made.contains(&key[..*end]);
        let is_move = meaning.leaf == Leaf::Order && matches!(value, ScalarValue::Bytes(_));
        if !matches!(value, ScalarValue::Null)
            && (!meaning.elements.iter().all(there) || (is_move && !state.contains_key(key)))
        {
            gone.push(key);
        } else if let (true, ScalarValue::Bytes(order)) = (is_move, value) {
            writes.push((key, ScalarValue::Str(String::from_utf8_lossy(order).as_ref().into())));
        } else {
            writes.push((key, value.clone()));
        }
    }
    for (key, value) in writes {
        if matches!(value, ScalarValue::Null) {
            state.remove(key);
        } else {
            state.insert(key.to_owned(), value);
        }
    }
    gone
}

/// Adds the scheduled changes of `target` to its other properties in `flat`. Those nobody touched keep their stored form,
/// so they follow the entry instead of undoing what was edited meanwhile.
pub(crate) fn flatten(target: &Map<String, Value>, kind: &Kind, current: &Flat, flat: &mut Flat, ids: &mut Ids<'_>) {
    let root = Node::of(current);
    let stored = root.child("scheduled").map(stored).unwrap_or_default();
    let (projected, _) =
        if stored.is_empty() { (Vec::new(), Vec::new()) } else { project(current, &build::bare(&root)) };
    if untouched(target, &projected) {
        for planned in &stored {
            let key = planned.key();
            let below = format!("{key}/");
            flat.extend(current.get_key_value(&key).map(|(key, value)| (key.clone(), value.clone())));
            let inside = current.range(below.clone()..).take_while(|(key, _)| key.starts_with(&below));
            flat.extend(inside.map(|(key, value)| (key.clone(), value.clone())));
        }
        return;
    }
    let changes = target.get("scheduled").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let from = |change: &Value| change.get("from").and_then(Value::as_str).unwrap_or_default().to_owned();
    let old_dates: Vec<String> = stored.iter().map(|planned| planned.from.to_owned()).collect();
    let new_dates: Vec<String> = changes.iter().map(from).collect();
    let matched = align(&old_dates, &new_dates, |_, _| 0);
    let orders: Vec<Option<&str>> = matched.iter().map(|matched| matched.map(|i| stored[i].order)).collect();
    let orders = order::assign(&orders);
    let mut taken: HashSet<String> = stored.iter().map(|planned| planned.id.to_owned()).collect();

    let mut state = flat.clone();
    let mut before = bare(target);
    for (((change, date), matched), order) in changes.iter().zip(&new_dates).zip(matched).zip(orders) {
        let set = change.get("set").cloned().unwrap_or_default();
        let Ok(mut after) = crate::normal::patched(&before, &set) else { continue };
        after.shift_remove("scheduled");
        let earlier = matched.map(|i| stored[i].set(current)).unwrap_or_default();
        let mut known = state.clone();
        let gone = apply(&mut known, &earlier, kind);
        let next = flatten::entry(&after, kind, &Node::of(&known), ids);

        let id = matched
            .map(|i| stored[i].id.to_owned())
            .unwrap_or_else(|| flatten::new_id(ids, "scheduled", &format!("{date} {set}"), 0, &taken));
        taken.insert(id.clone());
        let key = step("scheduled", &id);
        let mut difference = difference(&state, &next, kind);
        for key in gone {
            let value = earlier.iter().find(|(earlier, _)| *earlier == key).map(|(_, value)| (*value).clone());
            difference.extend(value.map(|value| (key.to_owned(), value)));
        }
        flat.extend(difference.into_iter().map(|(inner, value)| (format!("{key}/set/{inner}"), value)));
        flat.insert(step(&key, "from"), ScalarValue::Str(date.as_str().into()));
        flat.insert(key, ScalarValue::Str(order.into()));
        state = next;
        before = after;
    }
}

/// Whether `target` has the same scheduled changes as are stored, seen from its own other fields.
fn untouched(target: &Map<String, Value>, projected: &[Value]) -> bool {
    let changes = target.get("scheduled").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if changes == projected {
        return true;
    }
    if changes.len() != projected.len() {
        return false;
    }
    let mut same = bare(target);
    same.insert("scheduled".into(), Value::Array(projected.to_vec()));
    normalise(&mut same).is_ok() && same.get("scheduled").and_then(Value::as_array).is_some_and(|same| same == changes)
}

fn difference(before: &Flat, after: &Flat, kind: &Kind) -> Flat {
    let mut difference = Flat::new();
    for (key, value) in after.iter().filter(|(key, value)| before.get(*key) != Some(value)) {
        let moved = before.contains_key(key) && classify(kind, key).is_some_and(|meaning| meaning.leaf == Leaf::Order);
        let value = match value {
            ScalarValue::Str(order) if moved => ScalarValue::Bytes(order.as_bytes().to_vec()),
            value => value.clone(),
        };
        difference.insert(key.clone(), value);
    }
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        difference.insert(key.clone(), ScalarValue::Null);
    }
    difference
}
