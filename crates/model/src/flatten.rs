//! From JSON to properties, keeping the ids of what was there before.

use std::collections::{HashMap, HashSet};

use automerge::ScalarValue;
use rand::RngCore;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::build::{blocks_of, object};
use crate::codes::Kind;
use crate::document::Ids;
use crate::flat::{BLOCK_TEXT, Flat, Node, step};
use crate::matching::{align, words_in_common};
use crate::schema::{self, Field, Type};
use crate::{blocks, order};

/// Random characters of an element's id: 30 bits, and they are checked against those of the same list.
const ID_CHARS: usize = 6;
const ID_ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The properties of an entry in canonical form, without its scheduled changes. Elements, blocks and listed values that
/// continue one in `current` keep its id and, as far as possible, its order key.
pub(crate) fn entry(map: &Map<String, Value>, kind: &Kind, current: &Node<'_>, ids: &mut Ids<'_>) -> Flat {
    let mut flattener = Flattener { flat: Flat::new(), ids };
    flattener.object(map, schema::fields(kind), "", Some(current));
    flattener.flat
}

/// A new id for an element of the list at `key`, different from those taken.
pub(crate) fn new_id(ids: &mut Ids<'_>, key: &str, source: &str, occurrence: usize, taken: &HashSet<String>) -> String {
    (0_usize..)
        .map(|attempt| match ids {
            Ids::Random(random) => random_id(*random),
            Ids::Imported(entry) => {
                let mut hasher = Sha256::new();
                hasher.update(b"ortsnetz/element/v1");
                hasher.update(entry.0);
                for part in [key, source] {
                    hasher.update((part.len() as u64).to_be_bytes());
                    hasher.update(part);
                }
                hasher.update((occurrence as u64).to_be_bytes());
                hasher.update((attempt as u64).to_be_bytes());
                id_of(&hasher.finalize())
            }
        })
        .find(|id| !taken.contains(id))
        .unwrap_or_default()
}

fn random_id(random: &mut dyn RngCore) -> String {
    let mut bytes = [0; ID_CHARS];
    random.fill_bytes(&mut bytes);
    id_of(&bytes)
}

fn id_of(bytes: &[u8]) -> String {
    bytes.iter().take(ID_CHARS).map(|byte| char::from(ID_ALPHABET[usize::from(byte % 32)])).collect()
}

struct Flattener<'f, 'i> {
    flat: Flat,
    ids: &'f mut Ids<'i>,
}

impl Flattener<'_, '_> {
    fn object(&mut self, object: &Map<String, Value>, fields: &[Field], key: &str, current: Option<&Node<'_>>) {
        for (name, value) in object {
            let Some(field) = schema::find(fields, name).filter(|field| !schema::is_outside(field)) else { continue };
            let current = current.and_then(|node| node.child(name));
            self.field(value, field, step(key, name), current);
        }
    }

    fn field(&mut self, value: &Value, field: &Field, key: String, current: Option<&Node<'_>>) {
        match (field.of, value) {
            (Type::Scalar(_), value) => self.put(key, value),
            (Type::Scalars(_), Value::Array(list)) => self.listed(list, &key, current),
            (Type::Objects(fields), Value::Array(list)) => self.elements(list, fields, &key, current),
            (Type::Object(fields), Value::Object(object)) => self.object(object, fields, &key, current),
            (Type::Free, value) => self.free(value, key),
            (Type::Words | Type::WordLists | Type::Text | Type::Texts, Value::Object(by_name)) => {
                for (name, value) in by_name {
                    let current = current.and_then(|node| node.child(name));
                    let key = step(&key, name);
                    match (field.of, value) {
                        (Type::Words, value) => self.put(key, value),
                        (Type::WordLists, Value::Array(list)) => self.listed(list, &key, current),
                        (Type::Text, Value::String(text)) => self.text(text, &key, current),
                        (_, Value::Object(by_language)) => {
                            for (language, text) in by_language {
                                let current = current.and_then(|node| node.child(language));
                                self.text(text.as_str().unwrap_or_default(), &step(&key, language), current);
                            }
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn put(&mut self, key: String, value: &Value) {
        if let Some(scalar) = scalar(value) {
            self.flat.insert(key, scalar);
        }
    }

    fn free(&mut self, value: &Value, key: String) {
        match value {
            Value::Object(object) if !object.is_empty() => {
                for (name, value) in object {
                    self.free(value, step(&key, name));
                }
            }
            value => self.put(key, value),
        }
    }

    fn listed(&mut self, list: &[Value], key: &str, current: Option<&Node<'_>>) {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        let mut keys = Vec::with_capacity(list.len());
        let mut orders = Vec::with_capacity(list.len());
        for value in list.iter().filter_map(Value::as_str) {
            let again = seen.entry(value).and_modify(|n| *n += 1).or_insert(0);
            let node = current.and_then(|node| node.child(value));
            let once = step(key, value);
            if *again == 0 {
                keys.push(once);
                orders.push(node.and_then(Node::text));
            } else {
                let n = again.to_string();
                orders.push(node.and_then(|node| node.child(&n)).and_then(Node::text));
                keys.push(step(&once, &n));
            }
        }
        for (key, order) in keys.into_iter().zip(order::assign(&orders)) {
            self.flat.insert(key, ScalarValue::Str(order.into()));
        }
    }

    fn elements(&mut self, list: &[Value], fields: &'static [Field], key: &str, current: Option<&Node<'_>>) {
        let old = current.map(Node::elements).unwrap_or_default();
        let old_values: Vec<Map<String, Value>> = old.iter().map(|(_, _, node)| object(node, fields)).collect();
        let old_texts: Vec<String> = old_values.iter().map(text_of).collect();
        let empty = Map::new();
        let new_values: Vec<&Map<String, Value>> =
            list.iter().map(|value| value.as_object().unwrap_or(&empty)).collect();
        let new_texts: Vec<String> = new_values.iter().map(|value| text_of(value)).collect();
        let matched = align(&old_texts, &new_texts, |old, new| fields_in_common(&old_values[old], new_values[new]));
        let placed = self.place(key, current, &old, &matched, &new_texts);
        for (((id, order), value), matched) in placed.into_iter().zip(new_values).zip(matched) {
            let key = step(key, &id);
            self.object(value, fields, &key, matched.map(|matched| old[matched].2));
            self.flat.insert(key, ScalarValue::Str(order.into()));
        }
    }

    fn text(&mut self, text: &str, key: &str, current: Option<&Node<'_>>) {
        let old = current.map(blocks_of).unwrap_or_default();
        if blocks::join(old.iter().map(|(_, _, text)| *text)) == text {
            for (id, order, text) in old {
                self.block(key, id, order, text);
            }
            return;
        }
        let new = blocks::split(text);
        let old_texts: Vec<String> = old.iter().map(|(_, _, text)| (*text).to_owned()).collect();
        let matched = align(&old_texts, &new, |o, n| words_in_common(&old_texts[o], &new[n]));
        let placed = self.place(key, current, &old, &matched, &new);
        for ((id, order), text) in placed.into_iter().zip(&new) {
            self.block(key, &id, &order, text);
        }
    }

    fn block(&mut self, key: &str, id: &str, order: &str, text: &str) {
        let key = step(key, id);
        self.flat.insert(step(&key, BLOCK_TEXT), ScalarValue::Str(text.into()));
        self.flat.insert(key, ScalarValue::Str(order.into()));
    }

    /// Ids and order keys of new elements.
    fn place<T>(
        &mut self,
        key: &str,
        current: Option<&Node<'_>>,
        old: &[(&str, &str, T)],
        matched: &[Option<usize>],
        sources: &[String],
    ) -> Vec<(String, String)> {
        let orders: Vec<Option<&str>> =
            matched.iter().map(|matched| matched.map(|old_index| old[old_index].1)).collect();
        let orders = order::assign(&orders);
        let mut taken: HashSet<String> = HashSet::new();
        if matched.contains(&None) {
            taken = current.into_iter().flat_map(|node| node.children.keys()).map(|id| (*id).to_owned()).collect();
        }
        let mut seen: HashMap<&str, usize> = HashMap::new();
        let mut placed = Vec::with_capacity(matched.len());
        for ((matched, source), order) in matched.iter().zip(sources).zip(orders) {
            let occurrence = seen.entry(source).and_modify(|n| *n += 1).or_insert(0);
            let id = match matched {
                Some(matched) => old[*matched].0.to_owned(),
                None => {
                    let id = new_id(self.ids, key, source, *occurrence, &taken);
                    taken.insert(id.clone());
                    id
                }
            };
            placed.push((id, order));
        }
        placed
    }
}

/// A JSON value as a scalar: lists and empty objects as the bytes of their JSON, `None` for null.
pub(crate) fn scalar(value: &Value) -> Option<ScalarValue> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(truth) => ScalarValue::Boolean(*truth),
        Value::String(text) => ScalarValue::Str(text.as_str().into()),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => ScalarValue::Int(number),
            (None, Some(number), _) => ScalarValue::Uint(number),
            (None, None, number) => ScalarValue::F64(number?),
        },
        Value::Array(_) | Value::Object(_) => ScalarValue::Bytes(value.to_string().into_bytes()),
    })
}

fn text_of(object: &Map<String, Value>) -> String {
    serde_json::to_string(object).unwrap_or_default()
}

/// The share of fields two objects have in common, in percent.
fn fields_in_common(a: &Map<String, Value>, b: &Map<String, Value>) -> usize {
    let common = a.iter().filter(|(name, value)| b.get(*name) == Some(value)).count();
    if a.len() + b.len() == 0 { 100 } else { 200 * common / (a.len() + b.len()) }
}
