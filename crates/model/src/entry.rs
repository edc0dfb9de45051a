//! An entry as everybody outside sees it: a JSON object, valid by the schema.

use serde_json::{Map, Value};

use crate::codes::{Ars, Kind};
use crate::ids::EntryId;

/// One thing worth knowing, as a JSON object.
///
/// Always in canonical form: fields in the order of the schema, no `null`, no empty list or object in a known field, what
/// the schema does not know inside `extensions`. So two entries that mean the same are equal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry(pub(crate) Map<String, Value>);

/// Why a JSON value, a path or a patch is no entry. One line that begins with the path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct EntryError {
    /// Where, in the path language: `fees.0.amount`; empty for the whole entry.
    pub path: String,
    /// What is wrong and what was expected.
    pub message: String,
}

impl EntryError {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

/// The key of an entry in the system of its authority.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier {
    /// Who gave it: an agency id, `L100042`.
    pub agency: String,
    /// Which list of that agency, `LB`.
    pub scheme: String,
    /// The key in that list, `1063423`.
    pub value: String,
}

impl Entry {
    /// Reads an entry from JSON. Unknown fields move into `extensions` (of the entry or of the element they stand in), a
    /// known field with a value of another type is an error.
    pub fn from_json(value: Value) -> Result<Self, EntryError> {
        crate::normal::entry(value).map(Self)
    }

    /// The entry as JSON.
    pub fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// An entry of this kind with nothing in it.
    pub fn empty(kind: &Kind) -> Self {
        let mut map = Map::new();
        map.insert("kind".into(), kind.as_str().into());
        Self(map)
    }

    /// The fields.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The value of one top-level field.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field)
    }

    /// The entry's id, if it has one. It is not part of the document: whoever reads a document sets it.
    pub fn id(&self) -> Option<EntryId> {
        self.0.get("id")?.as_str()?.parse().ok()
    }

    /// Sets the id.
    pub fn set_id(&mut self, id: &EntryId) {
        self.0.shift_remove("id");
        self.0.shift_insert(0, "id".into(), id.to_string().into());
    }

    /// Its kind; `Unknown("")` if there is none.
    pub fn kind(&self) -> Kind {
        Kind::from(self.0.get("kind").and_then(Value::as_str).unwrap_or_default())
    }

    /// Its key in the system of its authority, if complete.
    pub fn identifier(&self) -> Option<Identifier> {
        let fields = self.0.get("identifier")?;
        let text = |name| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Identifier { agency: text("agency")?, scheme: text("scheme")?, value: text("value")? })
    }

    /// The title in this language, or in German, English, any other.
    pub fn title(&self, language: &str) -> Option<&str> {
        in_language(self.0.get("title")?, language)?.as_str()
    }

    /// The text of this name (`summary`, `notes`, ...) in this language, or in German, English, any other.
    pub fn text(&self, name: &str, language: &str) -> Option<&str> {
        in_language(self.0.get("texts")?.get(name)?, language)?.as_str()
    }

    /// What a list of hits shows below the title: the summary, teaser or description.
    pub fn summary(&self, language: &str) -> Option<&str> {
        ["summary", "teaser", "description"].into_iter().find_map(|name| self.text(name, language))
    }

    /// Words in the `field` `alternative_titles` or `keywords`, in this language or the fallback.
    pub fn words(&self, field: &str, language: &str) -> Vec<&str> {
        self.0.get(field).and_then(|field| in_language(field, language)).map(strings).unwrap_or_default()
    }

    /// The strings of a top-level list field (`leika`, `life_events`); empty if there are none.
    pub fn list(&self, field: &str) -> Vec<&str> {
        self.0.get(field).map(strings).unwrap_or_default()
    }

    /// Whether it is valid on a date, by `valid_from` and `valid_until`, both inclusive; a date nobody can read limits nothing.
    pub fn is_valid_on(&self, day: crate::dates::Date) -> bool {
        let date = |name: &str| self.0.get(name).and_then(Value::as_str).and_then(crate::dates::parse_date);
        date("valid_from").is_none_or(|from| from <= day) && date("valid_until").is_none_or(|until| day <= until)
    }

    /// Where it is valid; keys that are no ARS are left out.
    pub fn valid_for(&self) -> Vec<Ars> {
        self.places("valid_for")
    }

    /// The ARS in a top-level list field (`valid_for`, `area`).
    pub fn places(&self, field: &str) -> Vec<Ars> {
        self.0.get(field).map(strings).unwrap_or_default().into_iter().filter_map(|ars| ars.parse().ok()).collect()
    }

    /// The date of the next review, ISO 8601, as it stands there.
    pub fn next_review(&self) -> Option<&str> {
        self.0.get("review")?.get("next_review")?.as_str()
    }

    /// All languages that occur in the title or a text, sorted.
    pub fn languages(&self) -> Vec<&str> {
        let texts = self.0.get("texts").and_then(Value::as_object).into_iter().flat_map(Map::values);
        let mut languages: Vec<&str> = self
            .0
            .get("title")
            .into_iter()
            .chain(texts)
            .filter_map(Value::as_object)
            .flat_map(|by_language| by_language.keys().map(String::as_str))
            .collect();
        languages.sort_unstable();
        languages.dedup();
        languages
    }

    /// Every entry this one refers to, with the path of the reference.
    pub fn references(&self) -> Vec<(String, EntryId)> {
        crate::schema::references(self)
    }

    /// Takes the companion documents out: the home entry's fields stay, the fields of each companion come back as an
    /// entry of the same id and kind, keyed by the collection's name (`partners`, `internal`).
    pub fn split_companions(&mut self) -> Vec<(String, Entry)> {
        let Some(Value::Object(companions)) = self.0.shift_remove("companions") else { return Vec::new() };
        companions
            .into_iter()
            .filter_map(|(collection, fields)| match fields {
                Value::Object(fields) => {
                    let mut companion: Map<String, Value> = ["id", "kind"]
                        .into_iter()
                        .filter_map(|name| Some((name.to_owned(), self.0.get(name)?.clone())))
                        .collect();
                    companion.extend(fields);
                    Some((collection, Entry(companion)))
                }
                _ => None,
            })
            .collect()
    }

    /// Puts a companion document's fields under `companions.<collection>`.
    pub fn join_companion(&mut self, collection: &str, companion: &Entry) {
        let mut fields = companion.0.clone();
        fields.shift_remove("id");
        fields.shift_remove("kind");
        let mut companions = match self.0.shift_remove("companions") {
            Some(Value::Object(companions)) => companions,
            _ => Map::new(),
        };
        companions.shift_remove(collection);
        if !fields.is_empty() {
            companions.insert(collection.to_owned(), Value::Object(fields));
        }
        if !companions.is_empty() {
            companions.sort_keys();
            self.0.insert("companions".into(), Value::Object(companions));
        }
        crate::normal::sort_fields(&mut self.0);
    }

    /// Sets one value from text as typed: `fees.0.amount` `2800`, `texts.notes.de` a text, `fees.+` appends an element,
    /// the empty text deletes. The text is read by the type of the field; `[` and `{` start JSON.
    pub fn set_path(&mut self, path: &str, text: &str) -> Result<(), EntryError> {
        crate::path::set(self, path, text)
    }

    /// The first step of a path that is no field of this kind, with the path up to it, and the field that was probably meant.
    /// Its value is kept in `extensions`. `None` for known fields, for `extensions`, and for kinds without fields of their own.
    pub fn unknown_field(kind: &Kind, path: &str) -> Option<(String, Option<&'static str>)> {
        crate::path::unknown(kind, path)
    }

    /// The value at a path, `None` if there is none.
    pub fn at_path(&self, path: &str) -> Option<&Value> {
        crate::path::at(self, path)
    }

    /// Applies a JSON merge patch (RFC 7396) and checks the result against the schema.
    pub fn apply_patch(&self, patch: &Value) -> Result<Self, EntryError> {
        let mut value = self.to_json();
        crate::patch::apply(&mut value, patch);
        Self::from_json(value)
    }
}

/// The value for a language in a map of languages: the one asked for, else `de`, `en`, the first.
pub fn in_language<'a>(by_language: &'a Value, language: &str) -> Option<&'a Value> {
    let by_language = by_language.as_object()?;
    [language, "de", "en"]
        .into_iter()
        .find_map(|language| by_language.get(language))
        .or_else(|| by_language.values().next())
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(json: Value) -> Entry {
        Entry::from_json(json).unwrap()
    }

    #[test]
    fn titles_fall_back_to_german_english_any() {
        let entry = entry(json!({"kind": "office", "title": {"en": "Town hall", "de": "Rathaus"},
            "texts": {"teaser": {"tr": "Belediye"}}}));
        assert_eq!(entry.title("en"), Some("Town hall"));
        assert_eq!(entry.title("fr"), Some("Rathaus"));
        assert_eq!(entry.summary("de"), Some("Belediye"));
        assert_eq!(entry.languages(), ["de", "en", "tr"]);
        assert_eq!(entry.text("notes", "de"), None);
    }

    #[test]
    fn canonical_form_has_no_nulls_and_the_order_of_the_schema() {
        let entry = entry(
            json!({"fees": [{"amount": null, "colour": "red"}], "title": {"de": "x", "en": null}, "kind": "service",
            "deadlines": [], "identifier": {}, "stage": 2, "id": "00000000000000000000000000000001", "extensions": {"a": {}}}),
        );
        assert_eq!(
            entry.to_json().to_string(),
            r#"{"id":"00000000000000000000000000000001","kind":"service","title":{"de":"x"},"fees":[{"extensions":{"colour":"red"}}],"extensions":{"a":{},"stage":2}}"#
        );
        assert_eq!(
            entry.id(),
            Some(EntryId([0; 16])).map(|mut id| {
                id.0[15] = 1;
                id
            })
        );
    }

    #[test]
    fn wrong_types_are_one_line_with_the_path() {
        for (json, message) in [
            (json!([]), "entry: must be a JSON object"),
            (json!({}), "kind: is missing"),
            (json!({"kind": 1}), "kind: must be a string"),
            (json!({"kind": "service", "title": "x"}), "title: must be an object of texts by language"),
            (json!({"kind": "service", "fees": [{"amount": 26.5}]}), "fees.0.amount: must be whole cents"),
            (json!({"kind": "service", "fees": {}}), "fees: must be a list"),
            (json!({"kind": "service", "valid_for": [5]}), "valid_for.0: must be 12 digits as a string"),
            (json!({"kind": "service", "texts": {"notes": {"de": 1}}}), "texts.notes.de: must be a string"),
            (json!({"kind": "service", "extensions": 1}), "extensions: must be an object"),
            (json!({"kind": "office", "address": {"lat": "x"}}), "address.lat: must be a number"),
            (
                json!({"kind": "service", "scheduled": [{"set": {}}]}),
                "scheduled.0.from: must be a date as a string, 2027-01-31",
            ),
            (
                json!({"kind": "service", "scheduled": [{"from": "x", "set": {"id": "y"}}]}),
                "scheduled.0.set.id: cannot change on a date",
            ),
            (
                json!({"kind": "service", "scheduled": [{"from": "x", "set": {"fees": 1}}]}),
                "scheduled.0.set.fees: must be a list",
            ),
        ] {
            assert_eq!(Entry::from_json(json).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn lists_and_days_of_validity() {
        let entry = entry(
            json!({"kind": "service", "leika": ["99036012011000"], "valid_from": "2026-01-02", "valid_until": "2026-01-03"}),
        );
        assert_eq!(entry.list("leika"), ["99036012011000"]);
        assert_eq!(entry.list("life_events"), [""; 0]);
        let days = [("2026-01-01", false), ("2026-01-02", true), ("2026-01-03", true), ("2026-01-04", false)];
        for (day, valid) in days {
            assert_eq!(entry.is_valid_on(day.parse().unwrap()), valid, "{day}");
        }
        assert!(Entry::empty(&Kind::Service).is_valid_on(crate::dates::Date::MIN));
    }

    #[test]
    fn companions_split_and_join() {
        let whole = entry(json!({"id": "00000000000000000000000000000001", "kind": "office", "title": {"de": "Amt"},
            "companions": {"partners": {"agent_note": {"de": "leise"}},
                "internal": {"staff_contacts": [{"role": "Leitung", "channel": "phone", "value": "1"}], "opening_hours": [{"days": ["mo"]}]}}}));
        let mut home = whole.clone();
        let companions = home.split_companions();
        assert!(home.get("companions").is_none());
        assert_eq!(companions.len(), 2);
        for (name, companion) in &companions {
            assert_eq!((companion.id(), companion.kind()), (whole.id(), Kind::Office));
            assert_eq!(&Entry::from_json(companion.to_json()).unwrap(), companion);
            home.join_companion(name, companion);
        }
        assert_eq!(home, whole);
        assert_eq!(home.to_json().to_string(), whole.to_json().to_string());
        home.join_companion("partners", &Entry::empty(&Kind::Office));
        assert!(home.at_path("companions.partners").is_none());
        assert_eq!(
            crate::check(&whole).iter().map(|finding| finding.path.as_str()).collect::<Vec<_>>(),
            ["companions.internal.opening_hours.0.opens", "companions.internal.opening_hours.0.closes"]
        );
    }

    #[test]
    fn patches_and_references() {
        let life_event = entry(json!({"kind": "life_event", "title": {"de": "Umzug"},
            "steps": [{"title": {"de": "a"}}, {"service": "00000000000000000000000000000002"}], "valid_for": ["053820060060", "x"]}));
        assert_eq!(
            life_event.references().iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(),
            ["steps.1.service"]
        );
        assert_eq!(life_event.valid_for().len(), 1);
        let patched = life_event.apply_patch(&json!({"steps": null, "title": {"en": "Moving"}})).unwrap();
        assert_eq!(patched.references(), []);
        assert_eq!(patched.title("en"), Some("Moving"));
        assert!(life_event.apply_patch(&json!({"kind": null})).is_err());
        // A field that once was unknown and is set again replaces what `extensions` held.
        let agreement = entry(json!({"kind": "agreement", "stage": 2})).apply_patch(&json!({"stage": 3})).unwrap();
        assert_eq!(agreement.at_path("extensions.stage"), Some(&json!(3)));
    }
}
