//! An entry as properties: one scalar value per key, as they lie in the document.
//!
//! A key is a path of steps joined by `/`: `title/de`, `fees/k3x9qa/amount`. What is open (language, element, block,
//! extension) is a step of the key, never a container, so two nodes that create the same thing write the same key.
//!
//! | what | key | value |
//! |---|---|---|
//! | element or block | `<path>/<id>` | its order key; it exists while this does |
//! | field of an element | `<path>/<id>/<field>` | the value |
//! | text of a block | `<path>/<language>/<id>/t` | the text |
//! | value in a list of values | `<path>/<value>`, once more the same: `<path>/<value>/<n>` | its order key |
//! | free JSON | `<path>/<name>/<name>` | scalar; list and empty object as bytes of JSON |
//! | scheduled change | `scheduled/<id>/from`, `scheduled/<id>/set/<key>` | date, new value or null |

use std::borrow::Cow;
use std::collections::BTreeMap;

use automerge::ScalarValue;

/// The properties of a document at one version.
pub(crate) type Flat = BTreeMap<String, ScalarValue>;

/// Last step of the key of a block's text.
pub(crate) const BLOCK_TEXT: &str = "t";

/// The key one step further.
pub(crate) fn step(key: &str, step: &str) -> String {
    let mut longer = String::with_capacity(key.len() + step.len() + 1);
    if !key.is_empty() {
        longer.push_str(key);
        longer.push('/');
    }
    escape_into(step, &mut longer);
    longer
}

fn escape_into(step: &str, key: &mut String) {
    if step.is_empty() {
        // automerge has no empty keys.
        key.push_str("~e");
    }
    for c in step.chars() {
        match c {
            '~' => key.push_str("~0"),
            '/' => key.push_str("~1"),
            c => key.push(c),
        }
    }
}

/// A step as it was before `step` escaped it.
pub(crate) fn unescape(step: &str) -> Cow<'_, str> {
    if !step.contains('~') {
        return Cow::Borrowed(step);
    }
    if step == "~e" {
        return Cow::Borrowed("");
    }
    Cow::Owned(step.replace("~1", "/").replace("~0", "~"))
}

/// The properties as a tree of steps.
#[derive(Default)]
pub(crate) struct Node<'a> {
    /// The property with exactly this key.
    pub(crate) value: Option<&'a ScalarValue>,
    /// What lies below, by the (escaped) next step.
    pub(crate) children: BTreeMap<&'a str, Node<'a>>,
}

impl<'a> Node<'a> {
    /// The tree of these properties.
    pub(crate) fn of(flat: &'a Flat) -> Self {
        let mut root = Node::default();
        for (key, value) in flat {
            root.insert(key, value);
        }
        root
    }

    /// Adds or replaces one property.
    pub(crate) fn insert(&mut self, key: &'a str, value: &'a ScalarValue) {
        let mut node = self;
        for step in key.split('/') {
            node = node.children.entry(step).or_default();
        }
        node.value = Some(value);
    }

    /// What lies below one step, not escaped.
    pub(crate) fn child(&self, name: &str) -> Option<&Node<'a>> {
        if name.is_empty() || name.contains(['~', '/']) {
            self.children.get(step("", name).as_str())
        } else {
            self.children.get(name)
        }
    }

    /// The value as text.
    pub(crate) fn text(&self) -> Option<&'a str> {
        match self.value {
            Some(ScalarValue::Str(text)) => Some(text.as_str()),
            _ => None,
        }
    }

    /// The elements or blocks below in their order: id and node of those that have an order key.
    pub(crate) fn elements(&self) -> Vec<(&'a str, &'a str, &Node<'a>)> {
        let with_order = self.children.iter().filter_map(|(id, node)| Some((node.text()?, *id, node)));
        let mut elements: Vec<_> = with_order.collect();
        elements.sort_unstable_by_key(|(order, id, _)| (*order, *id));
        elements.into_iter().map(|(order, id, node)| (id, order, node)).collect()
    }
}
