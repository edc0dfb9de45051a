//! Values that must fit each other.

use super::values::{is_email, is_phone, is_url, minutes, moment};
use super::{Entry, Findings, Kind, Map, Value, date, join};

pub(super) fn check(findings: &mut Findings, entry: &Entry, companion: bool) {
    let fields = entry.as_map();
    if let (Some(from), Some(until)) = (date(fields, "valid_from"), date(fields, "valid_until"))
        && from > until
    {
        findings.error("valid_until", format!("lies before valid_from, {from}"));
    }
    if let Some(Value::Object(review)) = entry.get("review")
        && let (Some(done), Some(next)) = (date(review, "reviewed_at"), date(review, "next_review"))
        && done > next
    {
        findings.warning("review.next_review", format!("lies before the last review, {done}"));
    }
    if let Some(id) = entry.id() {
        for (path, _) in entry.references().into_iter().filter(|(_, other)| *other == id) {
            findings.warning(path, "refers to the entry itself");
        }
    }
    each(fields, "contacts", |contact, path| self::contact(findings, contact, path));
    each(fields, "staff_contacts", |contact, path| self::contact(findings, contact, path));
    match entry.kind() {
        Kind::Service => service(findings, fields),
        Kind::Office => office(findings, fields),
        Kind::Responsibility if !companion => responsibility(findings, fields),
        Kind::Notice => notice(findings, fields),
        _ => {}
    }
}

fn each(fields: &Map<String, Value>, name: &str, mut check: impl FnMut(&Map<String, Value>, &str)) {
    let list = fields.get(name).and_then(Value::as_array).into_iter().flatten().enumerate();
    for (i, element) in list.filter_map(|(i, element)| Some((i, element.as_object()?))) {
        check(element, &format!("{name}.{i}"));
    }
}

fn service(findings: &mut Findings, fields: &Map<String, Value>) {
    each(fields, "fees", |fee, path| {
        let cents = |name| fee.get(name).and_then(Value::as_i64);
        if let (Some(amount), Some(max)) = (cents("amount"), cents("max_amount"))
            && amount > max
        {
            findings.error(join(path, "max_amount"), format!("is less than amount, {amount} cents"));
        }
        if let Some(currency) = fee.get("currency").and_then(Value::as_str)
            && (currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()))
        {
            findings.error(join(path, "currency"), "is not a currency code like EUR");
        }
    });
    if let Some(time) = fields.get("processing_time") {
        let days = |name| time.get(name).and_then(Value::as_i64);
        for name in ["min_days", "max_days"] {
            if days(name).is_some_and(|days| days < 0) {
                findings.error(format!("processing_time.{name}"), "must not be negative");
            }
        }
        if let (Some(min), Some(max)) = (days("min_days"), days("max_days"))
            && min > max
        {
            findings.error("processing_time.max_days", format!("is less than min_days, {min}"));
        }
    }
}

fn office(findings: &mut Findings, fields: &Map<String, Value>) {
    if let Some(address) = fields.get("address") {
        for (name, limit) in [("lat", 90.0), ("lon", 180.0)] {
            if address.get(name).and_then(Value::as_f64).is_some_and(|degrees| degrees.abs() > limit) {
                findings.error(format!("address.{name}"), format!("lies outside -{limit} to {limit}"));
            }
        }
    }
    each(fields, "opening_hours", |hours, path| {
        if !hours.contains_key("days") {
            findings.warning(join(path, "days"), "is missing: these hours hold on no day");
        }
        open_before_closing(findings, hours, path);
    });
    each(fields, "opening_exceptions", |exception, path| {
        if let (Some(from), Some(until)) = (date(exception, "from"), date(exception, "until"))
            && from > until
        {
            findings.error(join(path, "until"), format!("lies before from, {from}"));
        }
        let closed = exception.get("closed").and_then(Value::as_bool).unwrap_or(false);
        if !closed && (!exception.contains_key("opens") || !exception.contains_key("closes")) {
            findings.error(path, "needs closed, or opens and closes");
        }
        open_before_closing(findings, exception, path);
    });
    stops(findings, fields);
}

fn stops(findings: &mut Findings, fields: &Map<String, Value>) {
    each(fields, "stops", |stop, path| {
        if !stop.contains_key("days") && !stop.contains_key("dates") {
            findings.warning(join(path, "days"), "is missing: without days or dates it never stops there");
        }
        if let (Some(from), Some(until)) = (date(stop, "from"), date(stop, "until"))
            && from > until
        {
            findings.error(join(path, "until"), format!("lies before from, {from}"));
        }
        open_before_closing(findings, stop, path);
    });
}

fn open_before_closing(findings: &mut Findings, hours: &Map<String, Value>, path: &str) {
    let time = |name| hours.get(name).and_then(Value::as_str).and_then(minutes);
    if let (Some(opens), Some(closes)) = (time("opens"), time("closes"))
        && opens >= closes
    {
        findings.error(join(path, "closes"), "must be later than opens");
    }
}

fn contact(findings: &mut Findings, contact: &Map<String, Value>, path: &str) {
    let text = |name| contact.get(name).and_then(Value::as_str);
    let (Some(channel), Some(value)) = (text("channel"), text("value")) else { return };
    let (fine, expected) = match channel {
        "email" => (is_email(value), "an e-mail address"),
        "phone" | "fax" => (is_phone(value), "a telephone number"),
        "web" => (is_url(value), "an address that begins with https:// or http://"),
        _ => return,
    };
    if fine {
        return;
    }
    let path = join(path, "value");
    // What a page would link to must be safe; what a person reads may be odd.
    if channel == "web" {
        findings.error(path, format!("is not {expected}"));
    } else {
        findings.warning(path, format!("does not look like {expected}"));
    }
}

fn responsibility(findings: &mut Findings, fields: &Map<String, Value>) {
    let has = |name: &str| fields.contains_key(name);
    if !has("service") && !has("leika") {
        findings.error("service", "is missing: a service or a LeiKa key is needed");
    }
    if !has("office") && !has("online_service") {
        findings.error("office", "is missing: an office or an online service is needed");
    }
    if !has("area") && !has("districts") {
        findings.error("area", "is missing: without it nobody is responsible anywhere");
    }
}

fn notice(findings: &mut Findings, fields: &Map<String, Value>) {
    let time = |name| fields.get(name).and_then(Value::as_str).and_then(moment);
    if let (Some(from), Some(until)) = (time("from"), time("until"))
        && from > until
    {
        findings.error("until", "lies before from");
    }
}
