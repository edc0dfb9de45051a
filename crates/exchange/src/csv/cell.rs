//! What a cell becomes, and where it goes.

use ortsnetz_model::dates::parse_date;
use serde_json::{Map, Value};

use super::mapping::Transform;
use crate::fees::money;
use crate::html::{is_invisible, to_commonmark};

/// The value of a cell, or what was expected.
pub(super) fn value(text: &str, transform: Transform) -> Result<Option<Value>, &'static str> {
    let text: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    let text = text.trim();
    match transform {
        Transform::Text => Ok(Some(text.into())),
        Transform::Html => Ok(Some(to_commonmark(text).text.into())),
        Transform::Money => amount(text).map(|cents| Some(cents.into())).ok_or("an amount of money like 28,80 €"),
        Transform::Integer => text.parse::<i64>().map(|number| Some(number.into())).map_err(|_| "a whole number"),
        Transform::Number => {
            let number = text.replace(',', ".").parse::<f64>().ok().and_then(serde_json::Number::from_f64);
            number.map(|number| Some(number.into())).ok_or("a number")
        }
        Transform::Date => date(text).ok_or("a date like 31.12.2026 or 2026-12-31"),
        Transform::Flag => flag(text).map(|flag| Some(flag.into())).ok_or("ja or nein"),
    }
}

fn amount(text: &str) -> Option<u64> {
    let lower = text.to_lowercase();
    let bare = ["euro", "eur", "€"].iter().fold(lower.as_str(), |text, unit| {
        text.strip_suffix(unit).or_else(|| text.strip_prefix(unit)).unwrap_or(text).trim()
    });
    // A point before two digits at the end is a decimal point, before three it parts thousands.
    match bare.rsplit_once('.') {
        Some((whole, cents)) if cents.len() == 2 && !bare.contains(',') => money(&format!("{whole},{cents}")),
        _ => money(bare),
    }
}

fn date(text: &str) -> Option<Option<Value>> {
    let iso = match text.split('.').collect::<Vec<_>>()[..] {
        [day, month, year] if year.len() == 4 && day.len() <= 2 && month.len() <= 2 => {
            format!("{year}-{month:0>2}-{day:0>2}")
        }
        _ => text.get(..10).unwrap_or(text).to_owned(),
    };
    parse_date(&iso)?;
    let endless = ["1970-01-01", "2999-12-31", "9999-12-31"].contains(&iso.as_str());
    Some((!endless).then(|| iso.into()))
}

fn flag(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "ja" | "j" | "true" | "wahr" | "1" | "x" | "yes" => Some(true),
        "nein" | "n" | "false" | "falsch" | "0" | "no" => Some(false),
        _ => None,
    }
}

/// Puts a value at a path, making objects and lists on the way. False if something else is there.
pub(super) fn put(fields: &mut Map<String, Value>, path: &str, value: Value) -> bool {
    const INDEX_MAX: usize = 1_000;
    let mut parts = path.split('.').peekable();
    let Some(first) = parts.next() else { return false };
    let mut place = fields.entry(first).or_insert(Value::Null);
    for part in parts {
        if place.is_null() {
            let list = part.bytes().all(|digit| digit.is_ascii_digit());
            *place = if list { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
        }
        place = match place {
            Value::Object(map) => map.entry(part).or_insert(Value::Null),
            Value::Array(list) => {
                let Some(index) = part.parse().ok().filter(|index| *index < INDEX_MAX) else { return false };
                if list.len() <= index {
                    list.resize(index + 1, Value::Null);
                }
                &mut list[index]
            }
            _ => return false,
        };
    }
    let free = place.is_null();
    if free {
        *place = value;
    }
    free
}

/// Takes out what stayed empty: elements between two indexes of a list.
pub(super) fn close_gaps(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.retain(|value| !value.is_null());
            list.iter_mut().for_each(close_gaps);
        }
        Value::Object(map) => map.values_mut().for_each(close_gaps),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_are_read_by_their_type() {
        let ok = |text, transform, expected: Value| assert_eq!(value(text, transform), Ok(Some(expected)), "{text}");
        ok("28,80 €", Transform::Money, json!(2880));
        ok("EUR 28.80", Transform::Money, json!(2880));
        ok("1.200", Transform::Money, json!(120_000));
        ok("3,5", Transform::Number, json!(3.5));
        ok("1.2.2026", Transform::Date, json!("2026-02-01"));
        ok("2026-02-01T00:00:00", Transform::Date, json!("2026-02-01"));
        ok("Ja", Transform::Flag, json!(true));
        ok("<b>a</b><br>b", Transform::Html, json!("**a**\\\nb"));
        assert_eq!(value("31.12.2999", Transform::Date), Ok(None));
        for (text, transform) in [
            ("viel", Transform::Money),
            ("31.2.2026", Transform::Date),
            ("vielleicht", Transform::Flag),
            ("nan", Transform::Number),
        ] {
            assert!(value(text, transform).is_err(), "{text}");
        }
    }

    #[test]
    fn paths_make_their_containers() {
        let mut fields = Map::new();
        assert!(put(&mut fields, "fees.1.note.de", json!("a")));
        assert!(put(&mut fields, "title.de", json!("b")));
        assert!(!put(&mut fields, "title.de", json!("c")) && !put(&mut fields, "title.de.x", json!("c")));
        assert!(!put(&mut fields, "fees.99999999", json!("c")) && !put(&mut fields, "fees.x", json!("c")));
        let mut value = Value::Object(fields);
        close_gaps(&mut value);
        assert_eq!(value, json!({"fees": [{"note": {"de": "a"}}], "title": {"de": "b"}}));
    }
}
