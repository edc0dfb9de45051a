//! Entries as schema.org JSON-LD, for search engines and other machines.

use maud::{Markup, PreEscaped, html};
use ortsnetz_node::dto::EntryMeta;
use serde_json::{Map, Value, json};

use super::lang::{Lang, text, words};

/// The `script` element with the entry; nothing for kinds without a type in schema.org. Data, never run.
pub(crate) fn element(
    entry: &Map<String, Value>,
    meta: &EntryMeta,
    offices: &[&Map<String, Value>],
    lang: Lang,
) -> Markup {
    let Some(value) = value(entry, meta, offices, lang) else { return html! {} };
    // `<` never appears, so nothing in the data can end the element.
    let json = value.to_string().replace('<', "\\u003c");
    html! { script type="application/ld+json" { (PreEscaped(json)) } }
}

fn value(entry: &Map<String, Value>, meta: &EntryMeta, offices: &[&Map<String, Value>], lang: Lang) -> Option<Value> {
    let mut out = match entry.get("kind")?.as_str()? {
        "service" => service(entry, meta, offices, lang),
        "office" => office(entry, lang),
        _ => return None,
    };
    out.shift_insert(0, "@context".into(), "https://schema.org".into());
    out.insert("inLanguage".into(), lang.code().into());
    out.retain(|_, value| !is_empty(value));
    Some(Value::Object(out))
}

fn service(
    entry: &Map<String, Value>,
    meta: &EntryMeta,
    offices: &[&Map<String, Value>],
    lang: Lang,
) -> Map<String, Value> {
    let texts = |name: &str| text(entry.get("texts").and_then(|texts| texts.get(name)), lang);
    let channels: Vec<Value> = offices
        .iter()
        .map(|office| json!({"@type": "ServiceChannel", "serviceLocation": self::office(office, lang)}))
        .chain(
            list(entry, "online_services")
                .iter()
                .filter_map(|online| online.get("url"))
                .map(|url| json!({"@type": "ServiceChannel", "serviceUrl": url})),
        )
        .collect();
    let offers: Vec<Value> = list(entry, "fees")
        .iter()
        .filter_map(|fee| {
            let cents = fee.get("amount")?.as_i64()?;
            let currency = fee.get("currency").and_then(Value::as_str).unwrap_or("EUR");
            let price = format!("{}.{:02}", cents / 100, cents % 100);
            Some(json!({"@type": "Offer", "price": price, "priceCurrency": currency}))
        })
        .collect();
    let area: Vec<Value> =
        list(entry, "valid_for").iter().map(|ars| json!({"@type": "AdministrativeArea", "identifier": ars})).collect();
    let object = json!({
        "@type": "GovernmentService",
        "name": text(entry.get("title"), lang),
        "alternateName": words(entry.get("alternative_titles"), lang),
        "disambiguatingDescription": texts("summary"),
        "description": texts("description"),
        "keywords": words(entry.get("keywords"), lang),
        "serviceType": list(entry, "leika"),
        "areaServed": area,
        "serviceOperator": {"@type": "GovernmentOrganization", "name": meta.organisation.name},
        "availableChannel": channels,
        "offers": offers,
    });
    object.as_object().cloned().unwrap_or_default()
}

fn office(entry: &Map<String, Value>, lang: Lang) -> Map<String, Value> {
    let field = |name: &str| entry.get("address").and_then(|address| address.get(name)).and_then(Value::as_str);
    let street = [field("street"), field("house_number")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let contact = |channel: &str| {
        list(entry, "contacts")
            .iter()
            .find(|contact| contact.get("channel").and_then(Value::as_str) == Some(channel))
            .and_then(|contact| contact.get("value"))
            .cloned()
            .unwrap_or_default()
    };
    let hours: Vec<Value> = list(entry, "opening_hours")
        .iter()
        .map(|rule| {
            let days: Vec<&str> = rule
                .get("days")
                .and_then(Value::as_array)
                .map(|days| days.iter().filter_map(Value::as_str).filter_map(day).collect())
                .unwrap_or_default();
            json!({"@type": "OpeningHoursSpecification", "dayOfWeek": days, "opens": rule.get("opens"), "closes": rule.get("closes")})
        })
        .collect();
    let object = json!({
        "@type": "GovernmentOffice",
        "name": text(entry.get("title"), lang),
        "address": {
            "@type": "PostalAddress", "streetAddress": street, "postalCode": field("postal_code"),
            "addressLocality": field("city"), "addressCountry": "DE",
        },
        "telephone": contact("phone"),
        "email": contact("email"),
        "url": contact("web"),
        "openingHoursSpecification": hours,
    });
    let mut object = object.as_object().cloned().unwrap_or_default();
    object.retain(|_, value| !is_empty(value));
    object
}

fn day(code: &str) -> Option<&'static str> {
    Some(match code {
        "mo" => "Monday",
        "tu" => "Tuesday",
        "we" => "Wednesday",
        "th" => "Thursday",
        "fr" => "Friday",
        "sa" => "Saturday",
        "su" => "Sunday",
        _ => return None,
    })
}

fn list<'a>(entry: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    entry.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_a_government_service() {
        let entry = json!({
            "kind": "service", "title": {"de": "Reisepass </script><b>"}, "texts": {"summary": {"de": "Kurz"}},
            "fees": [{"kind": "fixed", "amount": 7000}], "valid_for": ["053820060060"],
        });
        let office = json!({
            "kind": "office", "title": {"de": "Bürgeramt"}, "address": {"street": "Nogenter Platz", "house_number": "10"},
            "contacts": [{"channel": "phone", "value": "+49 2241 102-0"}],
            "opening_hours": [{"days": ["mo"], "opens": "08:00", "closes": "12:00"}],
        });
        let (entry, office) = (entry.as_object().expect("an object"), office.as_object().expect("an object"));
        let text = element(entry, &EntryMeta::default(), &[office], Lang::De).into_string();
        assert_eq!(text.matches("</script>").count(), 1, "{text}");
        let json = text.trim_start_matches("<script type=\"application/ld+json\">").trim_end_matches("</script>");
        let json: Value = serde_json::from_str(json).expect("JSON");
        assert_eq!(json["@type"], "GovernmentService");
        assert_eq!(json["offers"][0]["price"], "70.00");
        let place = &json["availableChannel"][0]["serviceLocation"];
        assert_eq!(place["address"]["streetAddress"], "Nogenter Platz 10");
        assert_eq!(place["openingHoursSpecification"][0]["dayOfWeek"][0], "Monday");
        assert_eq!(json.get("keywords"), None, "what is not known is absent");
    }

    #[test]
    fn other_kinds_have_none() {
        let entry = json!({"kind": "profile"});
        let entry = entry.as_object().expect("an object");
        assert_eq!(element(entry, &EntryMeta::default(), &[], Lang::De).into_string(), "");
    }
}
