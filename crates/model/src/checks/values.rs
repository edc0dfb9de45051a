//! Single values.

use super::{Ars, EntryId, Leika, Scalar, Severity, Value, parse_date, parse_time};

/// What is wrong with a value of the right JSON type.
pub(super) fn problem(value: &Value, scalar: Scalar) -> Option<(Severity, String)> {
    let text = value.as_str().unwrap_or_default();
    let error = |wrong: bool, message: &str| wrong.then(|| (Severity::Error, message.to_owned()));
    let warning = |wrong: bool, message: &str| wrong.then(|| (Severity::Warning, message.to_owned()));
    match scalar {
        Scalar::String | Scalar::Integer | Scalar::Number | Scalar::Boolean => None,
        Scalar::Money => error(value.as_i64().is_some_and(|cents| cents < 0), "must not be negative"),
        Scalar::Date => error(parse_date(text).is_none(), "is not a date like 2027-01-31"),
        Scalar::Moment => {
            error(moment(text).is_none(), "is neither a date like 2027-01-31 nor a time like 2027-01-31T12:00:00Z")
        }
        Scalar::TimeOfDay => error(minutes(text).is_none(), "is not a time like 08:00"),
        Scalar::Weekday => {
            error(!["mo", "tu", "we", "th", "fr", "sa", "su"].contains(&text), "is none of mo, tu, we, th, fr, sa, su")
        }
        Scalar::Url => error(!is_url(text), "is not an address that begins with https:// or http://"),
        Scalar::Ars => error(text.parse::<Ars>().is_err(), "is not an ARS (12 digits)"),
        Scalar::Leika => error(text.parse::<Leika>().is_err(), "is not a LeiKa key (14 digits)"),
        Scalar::PostalCode => warning(!is_postal_code(text), "is not a postal code (5 digits)"),
        Scalar::Reference => warning(text.parse::<EntryId>().is_err(), "is not an entry id (32 hex digits)"),
        Scalar::Choice(choices) => warning(!choices.contains(&text), &format!("is none of {}", choices.join(", "))),
    }
}

/// A date or time as milliseconds since 1970, dates at their beginning in UTC: good enough to compare.
pub(super) fn moment(text: &str) -> Option<i64> {
    parse_date(text).and_then(|date| parse_time(&format!("{date}T00:00:00Z"))).or_else(|| parse_time(text))
}

/// Minutes since midnight; `24:00` ends the day.
pub(super) fn minutes(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 || !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':') {
        return None;
    }
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (minutes < 60 && hours * 60 + minutes <= 24 * 60).then_some(hours * 60 + minutes)
}

/// Something a browser may open: nothing but the web, with a host.
pub(super) fn is_url(text: &str) -> bool {
    let rest = ["https://", "http://"].iter().find_map(|scheme| {
        let start = text.get(..scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then(|| &text[scheme.len()..])
    });
    let Some(rest) = rest else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.starts_with(|c: char| c.is_alphanumeric() || c == '[')
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"".contains(c))
}

/// One `@` with something before it and a domain behind it.
pub(super) fn is_email(text: &str) -> bool {
    let Some((name, domain)) = text.split_once('@') else { return false };
    !name.is_empty()
        && domain.contains('.')
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && !text.contains(char::is_whitespace)
        && !domain.contains('@')
}

/// At least three digits, and nothing a telephone cannot say.
pub(super) fn is_phone(text: &str) -> bool {
    text.bytes().filter(u8::is_ascii_digit).count() >= 3
        && text.chars().all(|c| c.is_ascii_digit() || c.is_whitespace() || "+-–/().".contains(c))
}

/// `de`, `en`, `de-DE`, `zh-Hans`.
pub(super) fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let primary = parts.next().unwrap_or_default();
    (2..=3).contains(&primary.len())
        && primary.bytes().all(|byte| byte.is_ascii_lowercase())
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn is_postal_code(text: &str) -> bool {
    text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit())
}
