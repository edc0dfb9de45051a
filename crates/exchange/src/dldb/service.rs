//! A service of the directory.

use ortsnetz_model::Leika;
use serde_json::{Map, Value, json};

use super::texts::Link;
use super::values::{address, plain, text, words};
use super::{Record, SCHEME_SERVICE};

/// Lists of `{name, description, link}` that become texts.
const LIST_TEXTS: [(&str, &str); 3] =
    [("requirements", "required_documents"), ("prerequisites", "prerequisites"), ("legal", "legal_basis")];
/// Endings of addresses that lead to a document.
const DOCUMENTS: [&str; 8] = [".pdf", ".odt", ".doc", ".docx", ".rtf", ".xls", ".xlsx", ".ods"];

/// Reads the element as a service.
pub(super) fn read(record: &mut Record) -> Result<(), String> {
    record.fields.insert("kind".into(), "service".into());
    record.head(SCHEME_SERVICE)?;
    record.keywords();
    record.leika();
    record.html_text("description", "description")?;
    for (name, field) in LIST_TEXTS {
        if record.rest.get(name).is_some_and(Value::is_string) {
            record.html_text(name, field)?;
        } else {
            let list = record.take_links(name);
            record.add_links(field, &list);
        }
    }
    record.forms_and_links();
    record.authorities();
    record.fees()?;
    record.processing_time();
    record.online_services();
    record.offices();
    record.combinable();
    record.source();
    Ok(())
}

impl Record {
    /// Title and identifier.
    pub(super) fn head(&mut self, scheme: &str) -> Result<(), String> {
        let id = self.identifier(scheme, &self.id);
        self.fields.insert("identifier".into(), crate::identifier::to_json(&id));
        let name = plain(self.rest.shift_remove("name")).ok_or("name: missing")?;
        self.fields.insert("title".into(), self.in_language(name));
        Ok(())
    }

    /// The words between commas, without those that are titles anyway.
    pub(super) fn keywords(&mut self) {
        let Some(Value::Object(meta)) = self.rest.get_mut("meta") else { return };
        let Some(keywords) = text(meta.shift_remove("keywords")) else { return };
        let titles = [self.fields.get("title"), self.fields.get("alternative_titles")];
        let titles: Vec<&Value> = titles.into_iter().flatten().filter_map(|by| by.get(&self.language)).collect();
        let known = |word: &str| {
            titles.iter().any(|title| {
                title.as_str() == Some(word)
                    || title.as_array().is_some_and(|list| list.iter().any(|title| title.as_str() == Some(word)))
            })
        };
        let keywords: Vec<String> = words(&keywords).into_iter().filter(|word| !known(word)).collect();
        if !keywords.is_empty() {
            self.fields.insert("keywords".into(), self.in_language(keywords));
        }
    }

    /// One key, or several between commas.
    fn leika(&mut self) {
        let Some(keys) = text(self.rest.shift_remove("leika")) else { return };
        let mut found: Vec<String> = Vec::new();
        for key in keys.split([',', ';', ' ']).map(str::trim).filter(|key| !key.is_empty()) {
            match key.parse::<Leika>() {
                Ok(key) if !found.contains(&key.to_string()) => found.push(key.to_string()),
                Ok(_) => {}
                Err(error) => {
                    self.warn("leika", format!("left out: {error}"));
                    self.keep("leika", keys.as_str().into());
                }
            }
        }
        if !found.is_empty() {
            self.fields.insert("leika".into(), json!(found));
        }
    }

    /// Two lists that some directories fill with the same links. Where they differ, the source knows which are forms;
    /// where not, documents count as forms and pages as further information.
    fn forms_and_links(&mut self) {
        let (forms, links) = (self.take_links("forms"), self.take_links("links"));
        let (forms, further): (Vec<Link>, Vec<Link>) = if forms == links {
            forms.into_iter().partition(|link| link.url.as_deref().is_some_and(is_document))
        } else {
            let links = links.into_iter().filter(|link| !forms.contains(link)).collect();
            (forms, links)
        };
        self.add_links("forms", &forms);
        self.add_links("further_information", &further);
    }

    fn authorities(&mut self) {
        let Some(Value::Array(list)) = self.rest.shift_remove("authorities") else { return };
        let mut named: Vec<Value> = Vec::new();
        let mut nameless: Vec<Value> = Vec::new();
        for authority in list {
            let Value::Object(mut authority) = authority else { continue };
            if authority.get("name").is_some_and(|name| name.as_str().is_some_and(|name| !name.is_empty())) {
                authority.shift_remove("id");
                authority.entry("link").or_insert(Value::Null);
                if let Some(web) = authority.shift_remove("webinfo") {
                    authority.insert("link".into(), web);
                }
                named.push(Value::Object(authority));
            } else {
                nameless.extend(authority.shift_remove("id"));
            }
        }
        self.rest.insert("authorities".into(), Value::Array(named));
        let links = self.take_links("authorities");
        self.add_links("competent_authority", &links);
        if !nameless.is_empty() {
            self.rest.insert("authorities".into(), Value::Array(nameless));
        }
    }

    fn processing_time(&mut self) {
        if let Some(note) = plain(self.rest.shift_remove("process_time")) {
            let note = self.in_language(note);
            self.fields.insert("processing_time".into(), json!({ "note": note }));
        }
    }

    /// Where it can be done or booked on the web.
    fn online_services(&mut self) {
        let german = self.language == "de";
        let mut services: Vec<Value> = Vec::new();
        for (name, title) in [
            ("onlineprocessing", if german { "Online-Dienst" } else { "Online service" }),
            ("appointment", if german { "Termin vereinbaren" } else { "Book an appointment" }),
        ] {
            let Some(Value::Object(online)) = self.rest.get_mut(name) else { continue };
            let Some(template) = text(online.shift_remove("link")) else { continue };
            match address(&template, &self.id) {
                Some(url) => services.push(json!({"title": self.in_language(title), "url": url})),
                None => {
                    self.warn("online_services", format!("left out, no address: {}", crate::finish::short(&template)));
                    self.keep(&format!("{name}_link"), template.into());
                }
            }
        }
        if !services.is_empty() {
            self.fields.insert("online_services".into(), Value::Array(services));
        }
    }

    /// Where it comes from, and what `meta` says beside.
    pub(super) fn source(&mut self) {
        let Some(Value::Object(mut meta)) = self.rest.shift_remove("meta") else { return };
        if let Some(template) = text(meta.shift_remove("url")) {
            match address(&template, &self.id) {
                Some(url) => {
                    self.fields.insert("source".into(), json!({ "url": url }));
                }
                None => self.warn("source.url", format!("left out, no address: {}", crate::finish::short(&template))),
            }
        }
        if text(meta.shift_remove("id")).is_some_and(|id| id != self.id) {
            self.warn("identifier.value", "the record carries another id in its meta data");
        }
        for name in ["lastupdate", "locale", "hash", "translated"] {
            meta.shift_remove(name);
        }
        self.rest.insert("meta".into(), Value::Object(meta));
    }

    /// Adds words to the alternative titles, each once, without the title.
    pub(super) fn alternative_titles(&mut self, words: Vec<String>) {
        let title = self.fields.get("title").and_then(|title| title.get(&self.language)).and_then(Value::as_str);
        let mut titles: Vec<String> = Vec::new();
        for word in words {
            if title != Some(&word) && !titles.contains(&word) {
                titles.push(word);
            }
        }
        if !titles.is_empty() {
            let titles: Map<String, Value> = [(self.language.clone(), json!(titles))].into_iter().collect();
            self.fields.insert("alternative_titles".into(), Value::Object(titles));
        }
    }
}

fn is_document(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    DOCUMENTS.iter().any(|ending| path.ends_with(ending))
}
