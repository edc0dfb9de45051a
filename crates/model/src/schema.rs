//! Which fields a kind of entry has, and their types: one table for mapping, checks and typed input.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::codes::Kind;
use crate::entry::Entry;
use crate::ids::EntryId;

mod table;

/// A field of an entry or of an object inside it.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in JSON.
    pub name: &'static str,
    /// What it holds.
    pub of: Type,
    /// Whether an entry without it must not be published.
    pub required: bool,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// One value.
    Scalar(Scalar),
    /// A list of values, each of them once in meaning: kept by value, so that two people may add the same.
    Scalars(Scalar),
    /// A short text per language: `{"de": "..."}`.
    Words,
    /// A list of short texts per language: `{"de": ["..."]}`.
    WordLists,
    /// A long text per language, CommonMark, merged block by block.
    Text,
    /// Long texts by name: `{"summary": {"de": "..."}}`. Names the table lacks are kept.
    Texts,
    /// One object with these fields.
    Object(&'static [Field]),
    /// A list of objects with these fields.
    Objects(&'static [Field]),
    /// Any JSON object.
    Free,
    /// Changes with a date: `[{"from": date, "set": merge patch}]`.
    Scheduled,
    /// The narrower documents of the same entry by collection, joined when reading; not part of the home document.
    Companions,
}

/// What a single value is. All but numbers and truth values are strings in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// Any string.
    String,
    /// A whole number.
    Integer,
    /// Money in whole cents.
    Money,
    /// A number of degrees or the like.
    Number,
    /// `true` or `false`.
    Boolean,
    /// An ISO 8601 date.
    Date,
    /// An ISO 8601 date or an RFC 3339 time.
    Moment,
    /// A time of day, `08:00`; `24:00` is the end of the day.
    TimeOfDay,
    /// A day of the week: `mo` to `su`.
    Weekday,
    /// An `http` or `https` address.
    Url,
    /// An ARS, 12 digits.
    Ars,
    /// A LeiKa key, 14 digits.
    Leika,
    /// Five digits.
    PostalCode,
    /// The id of another entry.
    Reference,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// A field name so many letters off is taken for a typing mistake.
const TYPOS_MAX: usize = 2;

/// The fields every object may have besides its own: what the table does not know.
pub(crate) const EXTENSIONS: Field = Field { name: "extensions", of: Type::Free, required: false };

/// Names of texts, as in DESIGN section 5.
pub const TEXT_NAMES: [&str; 13] = [
    "teaser",
    "summary",
    "description",
    "legal_basis",
    "required_documents",
    "prerequisites",
    "procedure",
    "forms",
    "further_information",
    "notes",
    "competent_authority",
    "contact_point",
    "legal_remedy",
];

static TABLES: LazyLock<Vec<Vec<Field>>> = LazyLock::new(|| {
    let known = Kind::ALL.iter().map(|kind| table::of_kind(kind));
    known
        .chain([&[] as &[Field]])
        .map(|own| table::HEAD.iter().chain(own).chain(table::TAIL).copied().collect())
        .collect()
});

/// The fields of an entry of this kind, in their canonical order. An unknown kind has the common fields only.
pub fn fields(kind: &Kind) -> &'static [Field] {
    let index = Kind::ALL.iter().position(|known| known == kind).unwrap_or(Kind::ALL.len());
    &TABLES[index]
}

/// The field of this name; every object has `extensions`.
pub fn find<'a>(fields: &'a [Field], name: &str) -> Option<&'a Field> {
    fields.iter().find(|field| field.name == name).or_else(|| (name == "extensions").then_some(&EXTENSIONS))
}

/// Whether entries of this kind have fields of their own.
pub(crate) fn has_fields(kind: &Kind) -> bool {
    !table::of_kind(kind).is_empty()
}

/// The field that was probably meant by a name that none has: at most [`TYPOS_MAX`] letters off, the nearest first.
pub(crate) fn near(fields: &[Field], name: &str) -> Option<&'static str> {
    let distances = fields.iter().map(|field| (distance(field.name, name), field.name));
    let near = distances.filter(|(distance, _)| *distance <= TYPOS_MAX && 2 * distance < name.len());
    near.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// How many letters must be added, left out or changed to make one name of the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Whether the field belongs into a companion document and never into a home document.
pub fn is_companion_only(name: &str) -> bool {
    table::COMPANION_ONLY.contains(&name)
}

/// Whether an entry of this kind must have a title.
pub fn needs_title(kind: &Kind) -> bool {
    table::needs_title(kind)
}

/// Fields that stand in the JSON of an entry but not in its document.
pub(crate) fn is_outside(field: &Field) -> bool {
    field.name == "id" || matches!(field.of, Type::Companions)
}

impl Scalar {
    /// Whether the JSON value has the right JSON type; whether its content is right is for `check`.
    pub fn accepts(self, value: &Value) -> bool {
        match self {
            Self::Integer | Self::Money => value.is_i64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            _ => value.is_string(),
        }
    }

    /// What is expected, for error messages.
    pub fn expected(self) -> &'static str {
        match self {
            Self::Integer => "a whole number",
            Self::Money => "whole cents",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Date => "a date as a string, 2027-01-31",
            Self::Moment => "a date or time as a string, 2027-01-31T12:00:00Z",
            Self::TimeOfDay => "a time as a string, 08:00",
            Self::Ars => "12 digits as a string",
            Self::Leika => "14 digits as a string",
            Self::Reference => "an entry id as a string",
            _ => "a string",
        }
    }
}

/// Every reference to another entry, with its path.
pub(crate) fn references(entry: &Entry) -> Vec<(String, EntryId)> {
    let mut found = Vec::new();
    collect_references(&entry.0, fields(&entry.kind()), "", &mut found);
    found
}

fn collect_references(object: &Map<String, Value>, fields: &[Field], path: &str, found: &mut Vec<(String, EntryId)>) {
    for field in fields {
        let Some(value) = object.get(field.name) else { continue };
        let path = join(path, field.name);
        match (field.of, value) {
            (Type::Scalar(Scalar::Reference), Value::String(id)) => {
                found.extend(id.parse().ok().map(|id| (path, id)));
            }
            (Type::Scalars(Scalar::Reference), Value::Array(list)) => {
                let ids = list.iter().enumerate();
                found.extend(ids.filter_map(|(i, id)| Some((join(&path, i), id.as_str()?.parse().ok()?))));
            }
            (Type::Object(fields), Value::Object(inner)) => collect_references(inner, fields, &path, found),
            (Type::Objects(fields), Value::Array(list)) => {
                for (i, inner) in list.iter().enumerate().filter_map(|(i, inner)| Some((i, inner.as_object()?))) {
                    collect_references(inner, fields, &join(&path, i), found);
                }
            }
            _ => {}
        }
    }
}

/// A path in the path language, one step further.
pub(crate) fn join(path: &str, step: impl std::fmt::Display) -> String {
    if path.is_empty() { step.to_string() } else { format!("{path}.{step}") }
}
