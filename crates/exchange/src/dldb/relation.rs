//! Which service at which office.

use serde_json::{Map, Value};

use super::values::text;
use super::{Record, SCHEME_OFFICE, SCHEME_SERVICE};

impl Record {
    /// The locations of a service: references, and what is special there.
    pub(super) fn offices(&mut self) {
        let Some(Value::Array(list)) = self.rest.shift_remove("locations") else { return };
        let mut offices: Vec<String> = Vec::new();
        let mut special = Map::new();
        for relation in list {
            let Value::Object(mut relation) = relation else { continue };
            let Some(id) = text(relation.shift_remove("location")).or_else(|| text(relation.shift_remove("id"))) else {
                self.warn("offices", "a location without id was left out");
                continue;
            };
            // Whose it is stands at the service and at the location.
            relation.shift_remove("authority");
            if let Some(note) = note(relation, &["multiple", "slots"]) {
                special.insert(id.clone(), note);
            }
            if !offices.contains(&id) {
                offices.push(id);
            }
        }
        for (index, id) in offices.iter().enumerate() {
            self.references.push((format!("offices.{index}"), self.identifier(SCHEME_OFFICE, id)));
            self.mention("offices", None, SCHEME_OFFICE, id);
        }
        for id in special.keys() {
            self.mention("extensions.dldb.locations", Some(id.clone()), SCHEME_OFFICE, id);
        }
        if !special.is_empty() {
            self.keep("locations", Value::Object(special));
        }
    }

    /// The services of a location. Which ones it offers stands at the services; here is kept what is special.
    pub(super) fn services(&mut self) {
        let Some(Value::Array(list)) = self.rest.shift_remove("services") else { return };
        let mut special = Map::new();
        for relation in list {
            let Value::Object(mut relation) = relation else { continue };
            let Some(id) = text(relation.shift_remove("service")).or_else(|| text(relation.shift_remove("id"))) else {
                continue;
            };
            let public = relation.shift_remove("public");
            let mut note = note(relation, &[]).unwrap_or_else(|| Value::Object(Map::new()));
            if let (Some(public @ Value::Bool(_)), Value::Object(note)) = (public, &mut note) {
                note.insert("public".into(), public);
            }
            special.insert(id, note);
        }
        for id in special.keys() {
            self.mention("extensions.dldb.services", Some(id.clone()), SCHEME_SERVICE, id);
        }
        if !special.is_empty() {
            self.keep("services", Value::Object(special));
        }
    }
}

impl Record {
    /// The services that can be done on the way stay as they are, as a list of ids.
    pub(super) fn combinable(&mut self) {
        let Some(Value::Array(list)) = self.rest.get("combinable") else { return };
        let ids: Vec<String> = list.iter().filter_map(|id| text(Some(id.clone()))).collect();
        for id in ids {
            self.mention("extensions.dldb.combinable", Some(id.clone()), SCHEME_SERVICE, &id);
        }
    }
}

/// What a relation says beside its ends. Addresses of booking pages follow from the two ids.
fn note(mut relation: Map<String, Value>, without: &[&str]) -> Option<Value> {
    relation.shift_remove("url");
    if let Some(Value::Object(mut appointment)) = relation.shift_remove("appointment") {
        appointment.shift_remove("link");
        // Booking is allowed unless somebody forbids it.
        if appointment.shift_remove("allowed") == Some(Value::Bool(false)) {
            relation.insert("appointments".into(), "none".into());
        }
        for (name, value) in appointment {
            if !without.contains(&name.as_str()) {
                relation.insert(name, value);
            }
        }
    }
    if let Some(Value::Object(mut online)) = relation.shift_remove("onlineprocessing") {
        online.shift_remove("link");
        relation.insert("onlineprocessing".into(), Value::Object(online));
    }
    let mut value = Value::Object(relation);
    super::values::strip(&mut value, 0).then_some(value)
}
