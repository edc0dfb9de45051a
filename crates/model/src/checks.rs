//! What is wrong or doubtful about an entry, for the person who edits it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::codes::{Ars, Kind, Leika};
use crate::dates::{Date, parse_date, parse_time};
use crate::entry::Entry;
use crate::ids::EntryId;
use crate::limits::{
    BLOCK_BYTES_MAX, ENTRY_BYTES_MAX, LANGUAGES_MAX, LIST_ELEMENTS_MAX, SCHEDULED_MAX, STRING_BYTES_MAX, TEXT_BYTES_MAX,
};
use crate::schema::{self, Field, Scalar, TEXT_NAMES, Type, join};
use crate::{blocks, scheduled};

mod relations;
#[cfg(test)]
mod tests;
mod values;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The entry must not be published like this.
    Error,
    /// Somebody should look at it.
    Warning,
}

/// One thing that is wrong or doubtful.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Where, in the path language: `fees.0.amount`.
    pub path: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
}

/// Everything wrong or doubtful about the entry, in the order of its fields. An entry without errors may be published.
pub fn check(entry: &Entry) -> Vec<Finding> {
    let mut findings = Findings::default();
    findings.entry(entry, false);
    findings.0
}

/// The same for a companion document of an entry: it needs no title and may hold notes for agents and staff.
pub fn check_companion(entry: &Entry) -> Vec<Finding> {
    let mut findings = Findings::default();
    findings.entry(entry, true);
    findings.0
}

/// Whether none of the findings forbids publishing.
pub fn may_be_published(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.severity != Severity::Error)
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn error(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Finding { path: path.into(), severity: Severity::Error, message: message.into() });
    }

    fn warning(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Finding { path: path.into(), severity: Severity::Warning, message: message.into() });
    }

    fn limit(&mut self, path: &str, what: &str, found: usize, limit: usize) {
        if found > limit {
            self.error(path, format!("has {found} {what}, at most {limit} are allowed"));
        }
    }

    fn entry(&mut self, entry: &Entry, companion: bool) {
        let kind = entry.kind();
        let bytes = serde_json::to_string(&entry.0).map_or(0, |json| json.len());
        self.limit("entry", "bytes", bytes, ENTRY_BYTES_MAX);
        if !kind.is_known() {
            self.warning("kind", format!("{kind} is unknown to this version: kept and passed on, not shown"));
        }
        if !companion {
            if schema::needs_title(&kind) && entry.title("de").is_none_or(|title| title.trim().is_empty()) {
                self.error("title", "is missing");
            }
            for field in schema::fields(&kind).iter().filter(|field| schema::is_companion_only(field.name)) {
                if entry.get(field.name).is_some() {
                    self.error(
                        field.name,
                        format!("would be published: put it into companions.partners.{}", field.name),
                    );
                }
            }
        }
        self.object(&entry.0, schema::fields(&kind), "", !companion);
        for (collection, fields) in entry.get("companions").and_then(Value::as_object).into_iter().flatten() {
            if let Value::Object(fields) = fields {
                self.object(fields, schema::fields(&kind), &format!("companions.{collection}"), false);
            }
        }
        relations::check(self, entry, companion);
        self.scheduled(entry, companion);
    }

    fn object(&mut self, object: &Map<String, Value>, fields: &[Field], path: &str, whole: bool) {
        for field in fields {
            let path = join(path, field.name);
            match object.get(field.name) {
                Some(value) => self.field(value, field, &path),
                None if field.required && whole => self.error(path, "is missing"),
                None => {}
            }
        }
        if let Some(extensions) = object.get("extensions") {
            self.free(extensions, &join(path, "extensions"));
        }
    }

    fn field(&mut self, value: &Value, field: &Field, path: &str) {
        match (field.of, value) {
            (Type::Scalar(scalar), value) => self.scalar(value, scalar, path),
            (Type::Scalars(scalar), Value::Array(list)) => {
                self.list(list, path, |findings, value, path| findings.scalar(value, scalar, path));
            }
            (Type::Words, value) => self.languages(value, path, |findings, value, path| {
                findings.scalar(value, Scalar::String, path);
            }),
            (Type::WordLists, value) => self.languages(value, path, |findings, value, path| {
                if let Value::Array(list) = value {
                    findings.list(list, path, |findings, value, path| findings.scalar(value, Scalar::String, path));
                }
            }),
            (Type::Text, value) => self.languages(value, path, Self::text),
            (Type::Texts, Value::Object(texts)) => {
                self.limit(path, "texts", texts.len(), LIST_ELEMENTS_MAX);
                for (name, text) in texts {
                    let path = join(path, name);
                    if !TEXT_NAMES.contains(&name.as_str()) {
                        self.warning(&path, format!("is none of the known texts: {}", TEXT_NAMES.join(", ")));
                    }
                    self.languages(text, &path, Self::text);
                }
            }
            (Type::Object(fields), Value::Object(object)) => self.object(object, fields, path, true),
            (Type::Objects(fields), Value::Array(list)) => self.list(list, path, |findings, value, path| {
                if let Value::Object(object) = value {
                    findings.object(object, fields, path, true);
                }
            }),
            (Type::Free, value) if field.name != "extensions" => self.free(value, path),
            _ => {}
        }
    }

    fn list(&mut self, list: &[Value], path: &str, element: impl Fn(&mut Self, &Value, &str)) {
        self.limit(path, "elements", list.len(), LIST_ELEMENTS_MAX);
        for (i, value) in list.iter().enumerate() {
            element(self, value, &join(path, i));
        }
    }

    fn languages(&mut self, value: &Value, path: &str, inner: impl Fn(&mut Self, &Value, &str)) {
        let Value::Object(by_language) = value else { return };
        self.limit(path, "languages", by_language.len(), LANGUAGES_MAX);
        for (language, value) in by_language {
            let path = join(path, language);
            if !values::is_language(language) {
                self.warning(&path, format!("{language:?} is no language tag like de or de-DE"));
            }
            inner(self, value, &path);
        }
    }

    fn text(&mut self, value: &Value, path: &str) {
        let text = value.as_str().unwrap_or_default();
        self.limit(path, "bytes", text.len(), TEXT_BYTES_MAX);
        if text.len() > BLOCK_BYTES_MAX && text.len() <= TEXT_BYTES_MAX {
            let longest = blocks::split(text).iter().map(String::len).max().unwrap_or(0);
            self.limit(path, "bytes in one paragraph", longest, BLOCK_BYTES_MAX);
        }
    }

    fn free(&mut self, value: &Value, path: &str) {
        match value {
            Value::Object(object) => {
                self.limit(path, "fields", object.len(), LIST_ELEMENTS_MAX);
                object.iter().for_each(|(name, value)| self.free(value, &join(path, name)));
            }
            Value::Array(list) => self.limit(path, "elements", list.len(), LIST_ELEMENTS_MAX),
            Value::String(text) => self.limit(path, "bytes", text.len(), TEXT_BYTES_MAX),
            _ => {}
        }
    }

    fn scalar(&mut self, value: &Value, scalar: Scalar, path: &str) {
        if !scalar.accepts(value) {
            self.error(path, format!("must be {}", scalar.expected()));
        } else if let Some((severity, message)) = values::problem(value, scalar) {
            self.0.push(Finding { path: path.to_owned(), severity, message });
        }
        if let Value::String(text) = value {
            self.limit(path, "bytes", text.len(), STRING_BYTES_MAX);
        }
    }

    fn scheduled(&mut self, entry: &Entry, companion: bool) {
        let Some(Value::Array(changes)) = entry.get("scheduled") else { return };
        self.limit("scheduled", "changes", changes.len(), SCHEDULED_MAX);
        for (i, change) in changes.iter().enumerate().take(SCHEDULED_MAX) {
            let path = format!("scheduled.{i}");
            let Some(from) = change.get("from").and_then(Value::as_str).and_then(parse_date) else {
                self.error(join(&path, "from"), "is not a date like 2027-01-31");
                continue;
            };
            if change.get("set").and_then(Value::as_object).is_none_or(Map::is_empty) {
                self.warning(join(&path, "set"), "changes nothing");
            }
            let mut then = Self::default();
            let mut later = scheduled::as_of(entry, from);
            later.0.shift_remove("scheduled");
            then.entry(&later, companion);
            for finding in then.0.into_iter().filter(|finding| finding.severity == Severity::Error) {
                if !self.0.iter().any(|known| known.path.ends_with(&finding.path) && known.message == finding.message) {
                    self.error(format!("{path}.set.{}", finding.path), finding.message);
                }
            }
        }
    }
}

fn date(object: &Map<String, Value>, name: &str) -> Option<Date> {
    parse_date(object.get(name)?.as_str()?)
}
