//! What goes into the index, and what of it is kept to be shown.

use std::collections::BTreeMap;

use ortsnetz_model::{Ars, CollectionId, Entry, EntryId, FeedId, Kind, OrgId, one_line};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tantivy::TantivyDocument;
use tantivy::schema::Field;

use crate::area::Area;
use crate::fields::{Fields, NO_DISTRICT};
use crate::fold;
use crate::limits::{AREAS_MAX, AREAS_SHOWN_MAX, LANGUAGES_SHOWN_MAX, SORTS_MAX, SUMMARY_CHARS_MAX};

/// One step of an update, in the order of the store.
#[derive(Debug, Clone)]
pub enum Change<'a> {
    /// The entry is there, or has changed. Journals and kinds this version does not know are left out of the index.
    Upsert(Document<'a>),
    /// The entry left this collection.
    Delete(OrgId, CollectionId, EntryId),
    /// Nothing of this collection is held any more.
    DeleteFeed(FeedId),
    /// Nothing of this organisation is held any more.
    DeleteOrganisation(OrgId),
}

/// An entry as it is now: the projection with scheduled changes applied, and what others know about it.
#[derive(Debug, Clone)]
pub struct Document<'a> {
    /// Whose it is.
    pub organisation: OrgId,
    /// Its home collection.
    pub collection: CollectionId,
    /// Its id.
    pub id: EntryId,
    /// The projection of the home document; `companions` in it are not looked at.
    pub entry: &'a Entry,
    /// Texts of companion documents: found only by questions with `notes`.
    pub notes: Vec<&'a str>,
    /// Names of the offices it refers to.
    pub office_names: Vec<&'a str>,
    /// The service a responsibility is about, if it is known: found and shown by its title.
    pub service: Option<&'a Entry>,
    /// Where it is valid if it does not say so itself: the place of its organisation.
    pub default_area: Option<Ars>,
    /// When it was published, milliseconds since 1970.
    pub published_at: Option<u64>,
    /// When it arrived here, milliseconds since 1970; `None` for our own.
    pub received_at: Option<u64>,
}

/// What a hit shows, kept with the entry.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Shown {
    #[serde(rename = "k")]
    pub kind: String,
    #[serde(rename = "t", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub title: BTreeMap<String, String>,
    #[serde(rename = "s", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub summary: BTreeMap<String, String>,
    #[serde(rename = "v", default, skip_serializing_if = "Vec::is_empty")]
    pub valid_for: Vec<Ars>,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<u64>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub received_at: Option<u64>,
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub next_review: Option<String>,
}

/// Bytes before the JSON of [`Shown`]: organisation, collection, entry.
pub(crate) const KEY_BYTES: usize = 64;

/// The key of an entry in the index.
pub(crate) fn key(organisation: &OrgId, collection: &CollectionId, entry: &EntryId) -> Vec<u8> {
    [organisation.as_bytes().as_slice(), collection.as_bytes(), entry.as_bytes()].concat()
}

/// The key of a feed in the index.
pub(crate) fn feed_key(feed: &FeedId) -> Vec<u8> {
    [feed.organisation.as_bytes().as_slice(), feed.collection.as_bytes()].concat()
}

/// Whether entries of this kind are looked for at all.
pub(crate) fn is_searched(kind: &Kind) -> bool {
    !matches!(kind, Kind::Journal | Kind::Feedback | Kind::Proposal | Kind::Unknown(_))
}

/// Calls `each` with every title, alternative title and keyword, in German or not.
pub(crate) fn each_name<'a>(entry: &'a Entry, mut each: impl FnMut(&'a str)) {
    for field in ["title", "alternative_titles", "keywords"] {
        by_language(entry.get(field), &mut |_, text| each(text));
    }
    for name in own_names(entry) {
        each(name);
    }
}

/// The names a profile has: its own, then those of its districts.
fn own_names(entry: &Entry) -> impl Iterator<Item = &str> {
    let names = entry.get("names").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    names.chain(entry.get("districts").and_then(Value::as_array).into_iter().flatten().filter_map(district_name))
}

/// A district is its name (offices) or an object with one (profiles).
fn district_name(district: &Value) -> Option<&str> {
    district.as_str().or_else(|| district.get("name")?.as_str())
}

impl Document<'_> {
    /// The document of the index.
    pub(crate) fn to_index(&self, fields: &Fields) -> TantivyDocument {
        let entry = self.entry;
        let kind = entry.kind();
        let areas = self.areas(&kind);
        let mut out = Out { document: TantivyDocument::new(), fields };
        let key = key(&self.organisation, &self.collection, &self.id);
        out.document.add_bytes(fields.key, &key);
        out.document.add_bytes(fields.feed, &key[..48]);
        out.document.add_bytes(fields.organisation, &key[..32]);
        out.document.add_text(fields.kind, kind.as_str());
        out.sorts(entry, &kind);
        out.areas(&areas);
        out.districts(entry, &kind);
        out.dates(entry);
        out.codes(entry);
        out.texts(entry, &kind);
        for name in &self.office_names {
            out.document.add_text(fields.body, name);
        }
        if let Some(service) = self.service {
            // In the text, not in the title: the service itself comes first.
            each_name(service, |name| out.document.add_text(fields.body, name));
        }
        for note in &self.notes {
            out.document.add_text(fields.notes, plain(note));
        }
        let shown = serde_json::to_vec(&self.shown(&kind, &areas)).unwrap_or_default();
        out.document.add_bytes(fields.stored, &[key, shown].concat());
        out.document
    }

    fn areas(&self, kind: &Kind) -> Vec<Ars> {
        let field = match kind {
            Kind::Responsibility | Kind::Notice => "area",
            _ => "valid_for",
        };
        let mut areas = self.entry.places(field);
        if areas.is_empty() && *kind == Kind::Profile {
            areas.extend(self.entry.get("ars").and_then(Value::as_str).and_then(|ars| ars.parse::<Ars>().ok()));
        }
        if areas.is_empty() {
            areas.extend(self.default_area);
        }
        areas.truncate(AREAS_MAX);
        areas
    }

    fn shown(&self, kind: &Kind, areas: &[Ars]) -> Shown {
        let entry = self.entry;
        let mut shown = Shown {
            kind: kind.as_str().to_owned(),
            valid_for: areas.iter().take(AREAS_SHOWN_MAX).copied().collect(),
            published_at: self.published_at,
            received_at: self.received_at,
            next_review: entry.next_review().map(str::to_owned),
            ..Shown::default()
        };
        for language in entry.languages().into_iter().take(LANGUAGES_SHOWN_MAX) {
            if let Some(title) = entry.title(language) {
                shown.title.insert(language.to_owned(), title.to_owned());
            }
            if let Some(summary) = entry.summary(language) {
                shown.summary.insert(language.to_owned(), cut(&one_line(summary), SUMMARY_CHARS_MAX));
            }
        }
        if let Some(service) = self.service.filter(|_| shown.title.is_empty()) {
            for language in service.languages().into_iter().take(LANGUAGES_SHOWN_MAX) {
                if let Some(title) = service.title(language) {
                    shown.title.insert(language.to_owned(), title.to_owned());
                }
            }
        }
        if let Some(name) = own_names(entry).next().filter(|_| shown.title.is_empty() && *kind == Kind::Profile) {
            shown.title.insert("de".to_owned(), name.to_owned());
        }
        // A fallback text stands for every language: it is kept once.
        for texts in [&mut shown.title, &mut shown.summary] {
            if let Some(german) = texts.get("de").cloned() {
                texts.retain(|language, text| language == "de" || *text != german);
            }
        }
        shown
    }
}

/// A text of at most so many characters: cut after a whole word if one ends in its second half, with an ellipsis.
fn cut(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    let head: String = text.chars().take(chars - 1).collect();
    let words = head.rfind(' ').filter(|end| *end > head.len() / 2).unwrap_or(head.len());
    format!("{}…", head[..words].trim_end_matches([',', ';', ':', '.', ' ']))
}

struct Out<'a> {
    document: TantivyDocument,
    fields: &'a Fields,
}

impl Out<'_> {
    fn areas(&mut self, areas: &[Ars]) {
        let mut terms: Vec<String> = Vec::new();
        for area in areas.iter().map(Area::of) {
            terms.extend(area.terms());
            self.document.add_u64(self.fields.ars, area.encode());
        }
        terms.sort_unstable();
        terms.dedup();
        for term in terms {
            self.document.add_text(self.fields.area, term);
        }
    }

    /// What entries are counted by.
    fn sorts(&mut self, entry: &Entry, kind: &Kind) {
        let list =
            |name: &str| entry.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let own_code = entry.get("code").and_then(Value::as_str).filter(|_| *kind == Kind::LifeEvent);
        for code in list("life_events").chain(own_code).take(SORTS_MAX) {
            self.document.add_text(self.fields.life_event, code);
        }
        for audience in list("audience").take(SORTS_MAX) {
            self.document.add_text(self.fields.audience, audience);
        }
    }

    fn districts(&mut self, entry: &Entry, kind: &Kind) {
        let names = entry.get("districts").and_then(Value::as_array);
        let mut names: Vec<String> = names.into_iter().flatten().filter_map(district_name).map(fold::fold).collect();
        names.retain(|name| !name.is_empty());
        if names.is_empty() || *kind == Kind::Profile {
            names = vec![NO_DISTRICT.to_owned()];
        }
        for name in names {
            self.document.add_text(self.fields.district, name);
        }
    }

    fn dates(&mut self, entry: &Entry) {
        let day = |names: [&str; 2]| names.into_iter().find_map(|name| day(entry.get(name)?.as_str()?));
        self.document.add_u64(self.fields.from, day(["valid_from", "from"]).unwrap_or(0));
        self.document.add_u64(self.fields.until, day(["valid_until", "until"]).unwrap_or(u64::from(u32::MAX)));
    }

    fn codes(&mut self, entry: &Entry) {
        let mut codes: Vec<String> = Vec::new();
        let keys = entry.get("leika").and_then(Value::as_array);
        codes.extend(keys.into_iter().flatten().filter_map(Value::as_str).map(str::to_lowercase));
        codes.extend(entry.get("code").and_then(Value::as_str).map(str::to_lowercase));
        if let Some(identifier) = entry.get("identifier").and_then(Value::as_object) {
            let part = |name: &str| identifier.get(name).and_then(Value::as_str).unwrap_or_default().to_lowercase();
            let (agency, scheme, value) = (part("agency"), part("scheme"), part("value"));
            if !value.is_empty() {
                codes.push(format!("{agency}.{scheme}.{value}"));
                codes.push(value);
            }
        }
        for code in codes {
            self.document.add_text(self.fields.code, code);
        }
    }

    fn texts(&mut self, entry: &Entry, kind: &Kind) {
        self.named(entry.get("title"), self.fields.title);
        self.named(entry.get("alternative_titles"), self.fields.names);
        self.named(entry.get("keywords"), self.fields.names);
        for name in own_names(entry).filter(|_| *kind == Kind::Profile) {
            self.document.add_text(self.fields.title, name);
            self.surface(name);
        }
        if let Some(address) = entry.get("address").and_then(Value::as_object) {
            for part in ["street", "house_number", "postal_code", "city"] {
                if let Some(text) = address.get(part).and_then(Value::as_str) {
                    self.document.add_text(self.fields.body, text);
                }
            }
        }
        for (field, value) in entry.as_map() {
            if !NOT_TEXT.contains(&field.as_str()) {
                self.body(value);
            }
        }
    }

    fn named(&mut self, value: Option<&Value>, german: Field) {
        by_language(value, &mut |language, text| {
            let field = if is_german(language) { german } else { self.fields.other };
            self.document.add_text(field, text);
            self.surface(text);
        });
    }

    fn surface(&mut self, text: &str) {
        self.document.add_text(self.fields.surface, text);
        self.document.add_text(self.fields.edge, text);
    }

    /// Adds every text by language inside the value.
    fn body(&mut self, value: &Value) {
        match value {
            Value::Object(object) if is_by_language(object) => by_language(Some(value), &mut |language, text| {
                let field = if is_german(language) { self.fields.body } else { self.fields.other };
                self.document.add_text(field, plain(text));
            }),
            Value::Object(object) => object.values().for_each(|value| self.body(value)),
            Value::Array(values) => values.iter().for_each(|value| self.body(value)),
            _ => {}
        }
    }
}

/// Fields with nothing to read, or read elsewhere.
const NOT_TEXT: [&str; 12] = [
    "title",
    "alternative_titles",
    "keywords",
    "id",
    "kind",
    "identifier",
    "address",
    "companions",
    "extensions",
    "scheduled",
    "source",
    "review",
];

fn is_german(language: &str) -> bool {
    language == "de" || language.starts_with("de-")
}

fn is_by_language(object: &Map<String, Value>) -> bool {
    !object.is_empty()
        && object.iter().all(|(language, value)| {
            let code = language.split('-').next().unwrap_or_default();
            matches!(code.len(), 2 | 3) && code.bytes().all(|byte| byte.is_ascii_lowercase()) && value.is_string()
        })
}

fn by_language<'a>(value: Option<&'a Value>, each: &mut impl FnMut(&'a str, &'a str)) {
    for (language, value) in value.and_then(Value::as_object).into_iter().flatten() {
        match value {
            Value::String(text) => each(language, text),
            Value::Array(texts) => texts.iter().filter_map(Value::as_str).for_each(|text| each(language, text)),
            _ => {}
        }
    }
}

/// The text without the targets of links and without addresses: nobody looks for pieces of them.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for word in text.split_inclusive(char::is_whitespace) {
        let rest = match (word.find("]("), word.find("://")) {
            (Some(label_end), _) => {
                plain.push_str(&word[..label_end]);
                word[label_end..].find(')').map_or("", |end| &word[label_end + end..])
            }
            (None, Some(_)) => "",
            (None, None) => word,
        };
        plain.push_str(rest);
        if rest.is_empty() {
            plain.push(' ');
        }
    }
    plain
}

/// The day as yyyymmdd, of a date or a time.
pub(crate) fn day(text: &str) -> Option<u64> {
    let date = ortsnetz_model::dates::parse_date(text.get(..10)?)?;
    Some(day_number(date))
}

/// The day as yyyymmdd.
pub(crate) fn day_number(date: ortsnetz_model::dates::Date) -> u64 {
    let part = |value: i64| u64::try_from(value).unwrap_or(0);
    part(date.year().into()) * 10_000 + part(date.month().into()) * 100 + part(date.day().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_cut_after_a_word() {
        assert_eq!(cut("Der Antrag", 10), "Der Antrag");
        assert_eq!(cut("Der Antrag kostet, wie immer, 26 Euro", 20), "Der Antrag kostet…");
        assert_eq!(cut(&"ü".repeat(21), 20), format!("{}…", "ü".repeat(19)));
    }

    #[test]
    fn targets_of_links_are_not_words() {
        assert_eq!(plain("Siehe [das Amt](https://a.de/b) und https://c.de bald").trim(), "Siehe [das Amt) und  bald");
    }

    #[test]
    fn days_sort_as_numbers() {
        assert_eq!(day("2026-12-24"), Some(20_261_224));
        assert_eq!(day("2026-12-24T10:00:00+01:00"), Some(20_261_224));
        assert_eq!(day("bald"), None);
    }
}
