//! A location of the directory.

use serde_json::{Map, Value, json};

use super::values::{plain, text};
use super::{Record, SCHEME_OFFICE};

/// Corners of the area in which an office can lie: Germany with its exclaves.
const LATITUDES: std::ops::RangeInclusive<f64> = 47.0..=55.2;
const LONGITUDES: std::ops::RangeInclusive<f64> = 5.7..=15.2;
const DAYS: [(&str, &str); 7] = [
    ("monday", "mo"),
    ("tuesday", "tu"),
    ("wednesday", "we"),
    ("thursday", "th"),
    ("friday", "fr"),
    ("saturday", "sa"),
    ("sunday", "su"),
];

/// Reads the element as an office.
pub(super) fn read(record: &mut Record) -> Result<(), String> {
    record.fields.insert("kind".into(), "office".into());
    record.head(SCHEME_OFFICE)?;
    let mut names: Vec<String> = plain(record.rest.shift_remove("displayName")).into_iter().collect();
    if let Some(Value::Array(more)) = record.rest.shift_remove("displayNameAlternatives") {
        names.extend(more.into_iter().filter_map(|name| plain(Some(name))));
    }
    record.alternative_titles(names);
    record.keywords();
    for name in ["description", "note"] {
        if record.rest.get(name).is_some_and(Value::is_string) {
            record.html_text(name, if name == "note" { "notes" } else { "description" })?;
        }
    }
    record.address();
    record.contacts();
    record.opening_times();
    record.services();
    record.source();
    Ok(())
}

impl Record {
    fn address(&mut self) {
        let mut address = Map::new();
        if let Some(Value::Object(source)) = self.rest.get_mut("address") {
            for name in ["street", "house_number", "postal_code", "city"] {
                if let Some(value) = plain(source.shift_remove(name)) {
                    address.insert(name.into(), value.into());
                }
            }
        }
        let code = address.get("postal_code").and_then(Value::as_str).unwrap_or("00000");
        if code.len() != 5 || !code.bytes().all(|digit| digit.is_ascii_digit()) {
            let code = address.shift_remove("postal_code").unwrap_or_default();
            self.warn("address.postal_code", format!("left out, no postal code: {code}"));
            self.keep("postal_code", code);
        }
        if let Some(Value::Object(geo)) = self.rest.shift_remove("geo") {
            let number = |name: &str| match geo.get(name) {
                Some(Value::String(text)) => text.trim().parse().ok(),
                Some(value) => value.as_f64(),
                None => None,
            };
            match (number("lat"), number("lon")) {
                (Some(lat), Some(lon)) if LATITUDES.contains(&lat) && LONGITUDES.contains(&lon) => {
                    address.insert("lat".into(), json!(lat));
                    address.insert("lon".into(), json!(lon));
                }
                (None, None) => {}
                _ => {
                    self.warn("address.lat", "left out: the coordinates do not lie in Germany");
                    self.keep("geo", Value::Object(geo));
                }
            }
        }
        if !address.is_empty() {
            self.fields.insert("address".into(), Value::Object(address));
        }
    }

    fn contacts(&mut self) {
        let Some(Value::Object(source)) = self.rest.get_mut("contact") else { return };
        let mut contacts: Vec<Value> = Vec::new();
        let mut doubts: Vec<(&str, String)> = Vec::new();
        for (name, channel) in [("phone", "phone"), ("fax", "fax"), ("email", "email"), ("webinfo", "web")] {
            let Some(value) = plain(source.shift_remove(name)) else { continue };
            let fits = match channel {
                "email" => value.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.')),
                "web" => super::values::address(&value, "").is_some(),
                _ => value.bytes().filter(u8::is_ascii_digit).count() >= 3,
            };
            if fits && !value.is_empty() {
                contacts.push(json!({"channel": channel, "value": value}));
            } else {
                doubts.push((name, value));
            }
        }
        for (name, value) in doubts {
            self.warn("contacts", format!("left out, not usable as {name}: {}", crate::finish::short(&value)));
            self.keep(name, value.into());
        }
        if !contacts.is_empty() {
            self.fields.insert("contacts".into(), Value::Array(contacts));
        }
    }

    /// `{"monday": [{"from": "08:00", "to": "12:00"}], ...}`; days with the same hours stand together.
    fn opening_times(&mut self) {
        let Some(Value::Object(mut times)) = self.rest.shift_remove("opening_times") else { return };
        let mut hours: Vec<((String, String), Vec<&str>)> = Vec::new();
        for (day, short) in DAYS {
            let Some(Value::Array(spans)) = times.get(day) else { continue };
            let spans: Option<Vec<(String, String)>> = spans.iter().map(span).collect();
            let Some(spans) = spans else {
                self.warn("opening_hours", format!("left out, not readable: {day}"));
                continue;
            };
            times.shift_remove(day);
            for span in spans {
                match hours.iter_mut().find(|(known, _)| *known == span) {
                    Some((_, days)) => days.push(short),
                    None => hours.push((span, vec![short])),
                }
            }
        }
        if !hours.is_empty() {
            let hours = hours
                .into_iter()
                .map(|((opens, closes), days)| json!({"days": days, "opens": opens, "closes": closes}))
                .collect();
            self.fields.insert("opening_hours".into(), Value::Array(hours));
        }
        // What is left is what we could not read.
        self.rest.insert("opening_times".into(), Value::Object(times));
    }
}

fn span(value: &Value) -> Option<(String, String)> {
    let time = |name| {
        let text = text(value.get(name).cloned())?;
        let (hour, minute) = text.get(..5).unwrap_or(&text).split_once([':', '.'])?;
        let (hour, minute): (u8, u8) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour < 24 && minute < 60).then(|| format!("{hour:02}:{minute:02}"))
    };
    Some((time("from")?, time("to")?))
}
