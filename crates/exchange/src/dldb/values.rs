//! Values as these directories write them.

use serde_json::{Map, Value};

use crate::html::to_plain;

/// Dates that mean "always" or "never".
const SENTINEL_DATES: [&str; 4] = ["0000-00-00", "1970-01-01", "2999-12-31", "9999-12-31"];

/// A text that says something, or a number as text.
pub(super) fn text(value: Option<Value>) -> Option<String> {
    match value? {
        Value::String(text) => {
            let trimmed = text.trim();
            (!says_nothing(trimmed)).then(|| trimmed.to_owned())
        }
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A text without tags and entities, in one line, that says something.
pub(super) fn plain(value: Option<Value>) -> Option<String> {
    text(value).map(|text| to_plain(&text)).filter(|text| !says_nothing(text))
}

/// Whether a text stands for none.
fn says_nothing(text: &str) -> bool {
    matches!(text, "" | "false" | "null") || SENTINEL_DATES.iter().any(|date| text.starts_with(date))
}

/// Words between commas, each once, in order.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split([',', ';', '\n']) {
        let word = to_plain(word);
        if !word.is_empty() && !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

/// The address in a template: `{serviceId}` and `{locationId}` stand for the id. `None` if it is none of the web.
pub(super) fn address(template: &str, id: &str) -> Option<String> {
    let url = template.replace("{serviceId}", id).replace("{locationId}", id);
    let whole = !url.contains(|c: char| matches!(c, '{' | '}') || c.is_whitespace() || c.is_control());
    (whole && host_of(&url).is_some()).then_some(url)
}

/// The host of the first address an element names for itself or its authority.
pub(super) fn host(element: &Map<String, Value>) -> Option<String> {
    let own = element.get("meta").and_then(|meta| meta.get("url"));
    let authority = element.get("authorities").and_then(|list| list.get(0)).and_then(|first| first.get("webinfo"));
    [own, authority].into_iter().flatten().filter_map(Value::as_str).find_map(host_of)
}

fn host_of(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let host = rest.split(['/', '?', '#', ':']).next()?.to_lowercase();
    let host = host.strip_prefix("www.").unwrap_or(&host).to_owned();
    let valid = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
    (!host.is_empty() && host.chars().all(valid)).then_some(host)
}

/// Takes out of a value what says nothing. False if nothing is left.
pub(super) fn strip(value: &mut Value, depth: usize) -> bool {
    // What is nested deeper than any real record says nothing either.
    const DEPTH_MAX: usize = 16;
    match value {
        _ if depth > DEPTH_MAX => false,
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !says_nothing(text.trim()) && text.trim() != "0",
        Value::Bool(true) | Value::Number(_) => true,
        Value::Array(list) => {
            list.retain_mut(|value| strip(value, depth + 1));
            !list.is_empty()
        }
        Value::Object(map) => {
            // These switches are on unless somebody turned them off.
            map.retain(|name, value| match value {
                Value::Bool(on) if name.starts_with("show") => !*on,
                value => strip(value, depth + 1),
            });
            !map.is_empty()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_says_nothing_goes() {
        let mut value = json!({
            "hint": false, "slots": "0", "note": "", "list": [null, "false"], "from": "1970-01-01T00:00:00",
            "until": "2999-12-31", "showOnStartPage": true, "showElsewhere": false, "quantity": 3, "deep": {"a": {"b": ""}},
        });
        assert!(strip(&mut value, 0));
        assert_eq!(value, json!({"showElsewhere": false, "quantity": 3}));
        assert!(!strip(&mut json!({"a": [{}]}), 0));
        assert_eq!(text(Some(json!("1970-01-01"))), None);
        assert_eq!(text(Some(json!(17))), Some("17".into()));
    }

    #[test]
    fn addresses_are_filled_in() {
        assert_eq!(address("https://a.de/#/{serviceId}", "7"), Some("https://a.de/#/7".into()));
        assert_eq!(address("https://a.de/{other}", "7"), None);
        assert_eq!(address("javascript:x", "7"), None);
        assert_eq!(
            host(json!({"meta": {"url": "https://WWW.Stadt.de/a"}}).as_object().unwrap()),
            Some("stadt.de".into())
        );
    }
}
