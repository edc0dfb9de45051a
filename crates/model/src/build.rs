//! From properties to JSON.

use automerge::ScalarValue;
use serde_json::{Map, Number, Value};

use crate::blocks;
use crate::codes::Kind;
use crate::flat::{BLOCK_TEXT, Flat, Node, unescape};
use crate::schema::{self, EXTENSIONS, Field, Scalar, Type};

/// The entry these properties make, in canonical form. What this version cannot read is left out.
pub(crate) fn entry(flat: &Flat) -> Map<String, Value> {
    let root = Node::of(flat);
    let mut entry = bare(&root);
    if root.child("scheduled").is_some() {
        let (changes, _) = crate::planned::project(flat, &entry);
        if !changes.is_empty() {
            entry.insert("scheduled".into(), Value::Array(changes));
            crate::normal::sort_fields(&mut entry);
        }
    }
    entry
}

/// The entry without its scheduled changes.
pub(crate) fn bare(root: &Node<'_>) -> Map<String, Value> {
    object(root, schema::fields(&kind(root)))
}

/// The kind the properties say.
pub(crate) fn kind(root: &Node<'_>) -> Kind {
    Kind::from(root.child("kind").and_then(Node::text).unwrap_or_default())
}

/// One object of these fields.
pub(crate) fn object(node: &Node<'_>, fields: &[Field]) -> Map<String, Value> {
    let mut object = Map::new();
    let has_extensions = fields.iter().any(|field| field.name == EXTENSIONS.name);
    for field in fields.iter().chain((!has_extensions).then_some(&EXTENSIONS)) {
        if schema::is_outside(field) {
            continue;
        }
        if let Some(value) = node.child(field.name).and_then(|node| field_value(node, field)) {
            object.insert(field.name.to_owned(), value);
        }
    }
    object
}

fn field_value(node: &Node<'_>, field: &Field) -> Option<Value> {
    match field.of {
        Type::Scalar(scalar) => scalar_value(node.value?, scalar),
        Type::Scalars(_) => list(values(node)),
        Type::Words => map(node, |node| scalar_value(node.value?, Scalar::String)),
        Type::WordLists => map(node, |node| list(values(node))),
        Type::Text => map(node, text),
        Type::Texts => map(node, |node| map(node, text)),
        Type::Object(fields) => Some(object(node, fields)).filter(|object| !object.is_empty()).map(Value::Object),
        Type::Objects(fields) => {
            list(node.elements().into_iter().map(|(_, _, node)| Value::Object(object(node, fields))).collect())
        }
        Type::Free => Some(free(node)?).filter(|value| value.as_object().is_some_and(|object| !object.is_empty())),
        Type::Scheduled | Type::Companions => None,
    }
}

fn map(node: &Node<'_>, inner: impl Fn(&Node<'_>) -> Option<Value>) -> Option<Value> {
    let inner = |(name, node): (&&str, &Node<'_>)| Some((unescape(name).into_owned(), inner(node)?));
    let mut map: Map<String, Value> = node.children.iter().filter_map(inner).collect();
    map.sort_keys();
    (!map.is_empty()).then_some(Value::Object(map))
}

fn list(values: Vec<Value>) -> Option<Value> {
    (!values.is_empty()).then_some(Value::Array(values))
}

/// The values of a list of values; the order key lies at `<value>` and, if it occurs again, at `<value>/<n>`.
fn values(node: &Node<'_>) -> Vec<Value> {
    let mut values: Vec<(&str, &str, &str)> = Vec::with_capacity(node.children.len());
    for (value, node) in &node.children {
        values.extend(node.text().map(|order| (order, *value, "")));
        values.extend(node.children.iter().filter_map(|(n, node)| Some((node.text()?, *value, *n))));
    }
    values.sort_unstable();
    values.into_iter().map(|(_, value, _)| Value::String(unescape(value).into_owned())).collect()
}

fn text(node: &Node<'_>) -> Option<Value> {
    let text = blocks::join(blocks_of(node).into_iter().map(|(_, _, text)| text));
    (!text.is_empty()).then_some(Value::String(text))
}

/// The blocks of a text in one language: id, order key and text.
pub(crate) fn blocks_of<'a>(node: &Node<'a>) -> Vec<(&'a str, &'a str, &'a str)> {
    let elements = node.elements().into_iter();
    elements.filter_map(|(id, order, node)| Some((id, order, node.child(BLOCK_TEXT)?.text()?))).collect()
}

/// A scalar as JSON, `None` if it is not what the schema expects.
pub(crate) fn scalar_value(value: &ScalarValue, scalar: Scalar) -> Option<Value> {
    json(value).filter(|value| scalar.accepts(value))
}

/// A scalar as JSON; `None` for null and for what JSON cannot say.
pub(crate) fn json(value: &ScalarValue) -> Option<Value> {
    match value {
        ScalarValue::Str(text) => Some(Value::String(text.to_string())),
        ScalarValue::Int(number) => Some(Value::from(*number)),
        ScalarValue::Uint(number) => Some(Value::from(*number)),
        ScalarValue::F64(number) => Number::from_f64(*number).map(Value::Number),
        ScalarValue::Boolean(truth) => Some(Value::Bool(*truth)),
        ScalarValue::Bytes(bytes) => serde_json::from_slice(bytes).ok(),
        _ => None,
    }
}

fn free(node: &Node<'_>) -> Option<Value> {
    if node.children.is_empty() {
        return json(node.value?);
    }
    map(node, free)
}
