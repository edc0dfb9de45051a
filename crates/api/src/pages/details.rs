//! What only some kinds of entries have: addresses, hours, steps, links.

use jiff::Zoned;
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::commonmark::{is_safe, render};
use super::entry::{View, title_of};
use ortsnetz_service::{Now, opening, time_of_day};

use super::hours::{phrase, week};
use super::lang::{Lang, encoded, text};
use super::layout::badge;

/// The part of the page that the kind asks for.
pub(crate) fn of_kind(view: &View<'_>, kind: &str) -> Markup {
    let (entry, lang) = (&view.shown.entry, view.lang);
    match kind {
        "office" => {
            html! { (office_card_titled(entry, view.now, lang, None)) (linked_line(view, "parent", lang.pick("Gehört zu", "Part of"))) }
        }
        "responsibility" => responsibility(view),
        "life_event" => life_event(view),
        "profile" => profile(entry, lang),
        "notice" => notice(entry, lang),
        "online_service" => html! {
            p { (web_link_of(entry, lang)) }
            (prose(entry.get("steps"), lang.pick("Schritte", "Steps"), lang))
        },
        "form" => html! { p { (web_link_of(entry, lang)) } },
        _ => html! {},
    }
}

/// One office beside a service, with a link to its own page.
pub(crate) fn office_card(id: &str, office: &Map<String, Value>, now: &Zoned, lang: Lang) -> Markup {
    office_card_titled(office, now, lang, Some(id))
}

fn office_card_titled(office: &Map<String, Value>, now: &Zoned, lang: Lang, id: Option<&str>) -> Markup {
    let state = opening(office, now.datetime(), None);
    let tone = if matches!(state.now, Now::Open { .. }) && state.doubt.is_none() { "good" } else { "" };
    let now_open = phrase(&state, now.date(), lang);
    let week = week(office, lang);
    html! {
        section .card {
            @match id {
                Some(id) => h3 { a href=(lang.link(&format!("/eintrag/{id}"))) { (title_of(office, lang)) } },
                None => h2 { (lang.pick("Adresse und Öffnungszeiten", "Address and opening hours")) },
            }
            @if !now_open.is_empty() { p { (badge(tone, &now_open)) } }
            (address(office.get("address"), lang))
            @for contact in list(office, "contacts") { (contact_line(contact, lang)) }
            @if !week.is_empty() {
                dl .hours { @for (day, times) in &week { dt { (day) } dd { (times) } } }
            }
            @if let Some(stop) = state.slot(now.time()).and_then(|slot| slot.stop.as_ref()) {
                p { (lang.pick("Standort dann: ", "Where it stands then: ")) strong { (stop) } }
            }
            @for stop in list(office, "stops") { (stop_line(stop, lang)) }
            @for exception in list(office, "opening_exceptions") { (exception_line(exception, lang)) }
        }
    }
}

fn address(address: Option<&Value>, lang: Lang) -> Markup {
    let Some(address) = address else { return html! {} };
    let field = |name: &str| address.get(name).and_then(Value::as_str).unwrap_or_default();
    let street = format!("{} {}", field("street"), field("house_number"));
    let city = format!("{} {}", field("postal_code"), field("city"));
    let yes = |name: &str| address.get(name) == Some(&Value::Bool(true));
    html! {
        p {
            @if !street.trim().is_empty() { (street.trim()) br; }
            (city.trim())
        }
        @if yes("wheelchair") || yes("elevator") {
            p {
                @if yes("wheelchair") { (badge("good", lang.pick("rollstuhlgerecht", "wheelchair accessible"))) " " }
                @if yes("elevator") { (badge("good", lang.pick("Aufzug", "lift"))) }
            }
        }
    }
}

fn contact_line(contact: &Value, lang: Lang) -> Markup {
    let value = contact.get("value").and_then(Value::as_str).unwrap_or_default();
    let note = text(contact.get("note"), lang);
    let (label, address) = match contact.get("channel").and_then(Value::as_str).unwrap_or_default() {
        "phone" => (lang.pick("Telefon", "Phone"), Some(format!("tel:{}", dialled(value)))),
        "fax" => ("Fax", None),
        "email" => ("E-Mail", Some(format!("mailto:{value}"))),
        "web" => ("Web", Some(value.to_owned())),
        other => (other, None),
    };
    html! {
        p {
            (label) ": "
            @match address.filter(|address| is_safe(address)) {
                Some(address) => a href=(address) { (value) },
                None => (value),
            }
            @if !note.is_empty() { " (" (note) ")" }
        }
    }
}

/// A phone number as it is dialled: digits, and a plus in front.
fn dialled(number: &str) -> String {
    number.chars().enumerate().filter(|(at, c)| c.is_ascii_digit() || (*at == 0 && *c == '+')).map(|(_, c)| c).collect()
}

/// Where an office that travels stands, and when.
fn stop_line(stop: &Value, lang: Lang) -> Markup {
    let text_of = |name: &str| stop.get(name).and_then(Value::as_str).unwrap_or_default();
    let codes = stop.get("days").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let days = codes.filter_map(|code| super::hours::day_of(code, lang).map(str::to_owned));
    let dates = stop.get("dates").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let dates = dates.filter_map(|date| Some(super::format::date(date.parse().ok()?, lang)));
    let when = days.chain(dates).collect::<Vec<_>>().join(", ");
    let note = text(stop.get("note"), lang);
    html! {
        p {
            strong { (text_of("place")) } ": " (when) " " (text_of("opens")) "–" (text_of("closes"))
            @if !note.is_empty() { " (" (note) ")" }
        }
    }
}

fn exception_line(exception: &Value, lang: Lang) -> Markup {
    let date = |name: &str| -> Option<String> {
        let date = exception.get(name)?.as_str()?.parse::<jiff::civil::Date>().ok()?;
        Some(super::format::date(date, lang))
    };
    let time = |name: &str| exception.get(name)?.as_str()?.parse::<jiff::civil::Time>().ok().map(time_of_day);
    let Some(from) = date("from") else { return html! {} };
    let span = match date("until").filter(|until| *until != from) {
        Some(until) => format!("{from} – {until}"),
        None => from,
    };
    let hours = match (time("opens"), time("closes")) {
        (Some(opens), Some(closes)) if exception.get("closed") != Some(&Value::Bool(true)) => {
            format!("{opens}–{closes}")
        }
        _ => lang.pick("geschlossen", "closed").to_owned(),
    };
    html! { p .quiet { (span) ": " (hours) } }
}

/// A link with its title; the title alone where the address must not be linked.
pub(crate) fn web_link(service: &Value, lang: Lang) -> Markup {
    match service.as_object() {
        Some(service) => web_link_of(service, lang),
        None => html! {},
    }
}

fn web_link_of(entry: &Map<String, Value>, lang: Lang) -> Markup {
    let url = entry.get("url").and_then(Value::as_str).unwrap_or_default();
    let title = text(entry.get("title"), lang);
    let title = if title.is_empty() { url } else { title };
    html! { @if !url.is_empty() && is_safe(url) { a href=(url) rel="noreferrer" { (title) } } @else { (title) } }
}

/// A deadline by its days or date, and its note.
pub(crate) fn deadline(deadline: &Value, lang: Lang) -> String {
    let note = text(deadline.get("note"), lang);
    let date = deadline.get("date").and_then(Value::as_str).and_then(|date| date.parse().ok());
    let when = match (deadline.get("days").and_then(Value::as_i64), date) {
        (Some(1), _) => lang.pick("1 Tag", "1 day").to_owned(),
        (Some(days), _) => lang.pick(format!("{days} Tage"), format!("{days} days")),
        (None, Some(date)) => super::format::date(date, lang),
        (None, None) => return note.to_owned(),
    };
    if note.is_empty() { when } else { format!("{when} {note}") }
}

fn responsibility(view: &View<'_>) -> Markup {
    let (entry, lang) = (&view.shown.entry, view.lang);
    let areas: Vec<&str> = list(entry, "area")
        .iter()
        .chain(list(entry, "districts"))
        .filter_map(Value::as_str)
        .map(|area| view.places.get(area).map_or(area, String::as_str))
        .collect();
    html! {
        @if entry.get("role").and_then(Value::as_str) == Some("contact") {
            p { (badge("warn", lang.pick("Ansprechpunkt, nicht selbst zuständig", "contact point, not competent itself"))) }
        }
        (linked_line(view, "service", lang.pick("Leistung", "Service")))
        (linked_line(view, "online_service", lang.pick("Onlinedienst", "Online service")))
        @if !areas.is_empty() { p { (lang.pick("Gebiet: ", "Area: ")) (areas.join(", ")) } }
        (prose(entry.get("caveat"), lang.pick("Zu beachten", "Please note"), lang))
    }
}

fn linked_line(view: &View<'_>, field: &str, label: &str) -> Markup {
    let id = view.shown.entry.get(field).and_then(Value::as_str).unwrap_or_default();
    html! {
        @if let Some(entry) = view.linked.get(id) {
            p { (label) ": " a href=(view.lang.link(&format!("/eintrag/{id}"))) { (title_of(entry, view.lang)) } }
        }
    }
}

fn life_event(view: &View<'_>) -> Markup {
    let (entry, lang) = (&view.shown.entry, view.lang);
    html! {
        h2 { (lang.pick("Schritt für Schritt", "Step by step")) }
        ol .steps {
            @for step in list(entry, "steps") {
                @let title = text(step.get("title"), lang);
                @let id = step.get("service").and_then(Value::as_str).unwrap_or_default();
                li {
                    @match view.linked.get(id) {
                        Some(service) => {
                            a href=(lang.link(&format!("/eintrag/{id}"))) {
                                @if title.is_empty() { (title_of(service, lang)) } @else { (title) }
                            }
                        }
                        None => a href=(lang.link(&format!("/suche?q={}", encoded(title)))) { (title) },
                    }
                    @if let Some(days) = step.get("deadline_days").and_then(Value::as_i64) {
                        " " (badge("warn", &lang.pick(format!("innerhalb von {days} Tagen"), format!("within {days} days"))))
                    }
                    @match step.get("place").and_then(Value::as_str) {
                        Some("from") => p .quiet { (lang.pick("am bisherigen Wohnort", "where you lived before")) },
                        Some("to") => p .quiet { (lang.pick("am neuen Wohnort", "where you live now")) },
                        _ => {}
                    }
                    (render(text(step.get("condition"), lang)))
                    @if let Some(provider) = step.get("provider").and_then(Value::as_object) {
                        @let name = provider.get("name").and_then(Value::as_str).unwrap_or_default();
                        @let url = provider.get("url").and_then(Value::as_str).unwrap_or_default();
                        p { @if is_safe(url) && !url.is_empty() { a href=(url) rel="noreferrer" { (name) } } @else { (name) } }
                    }
                }
            }
        }
    }
}

fn profile(entry: &Map<String, Value>, lang: Lang) -> Markup {
    let names: Vec<&str> = list(entry, "names").iter().filter_map(Value::as_str).collect();
    let numbers: Vec<&str> = list(entry, "numbers").iter().filter_map(Value::as_str).collect();
    html! {
        @if !names.is_empty() { p { (lang.pick("Auch genannt: ", "Also called: ")) (names.join(", ")) } }
        @if !numbers.is_empty() { p { (lang.pick("Telefon: ", "Phone: ")) (numbers.join(", ")) } }
        @if !list(entry, "districts").is_empty() {
            div .scroll {
                table {
                    caption { (lang.pick("Stadtteile und Postleitzahlen", "Districts and postal codes")) }
                    tbody {
                        @for district in list(entry, "districts") {
                            @let codes: Vec<&str> = district.get("postal_codes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
                            tr {
                                th scope="row" { (district.get("name").and_then(Value::as_str).unwrap_or_default()) }
                                td { (codes.join(", ")) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn notice(entry: &Map<String, Value>, lang: Lang) -> Markup {
    let until = entry.get("until").and_then(Value::as_str);
    html! {
        @if let Some(until) = until { p { (badge("warn", lang.pick("gilt bis ", "valid until "))) (super::format::moment(until, lang)) } }
    }
}

fn prose(texts: Option<&Value>, heading: &str, lang: Lang) -> Markup {
    let words = text(texts, lang);
    html! { @if !words.is_empty() { section .text { h2 { (heading) } (render(words)) } } }
}

fn list<'a>(entry: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    entry.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_number_is_dialled_without_its_ornaments() {
        assert_eq!(dialled("+49 2241 102-0"), "+4922411020");
        assert_eq!(dialled("(0221) 221-0"), "02212210");
    }

    #[test]
    fn addresses_that_could_run_are_shown_as_text() {
        let link = web_link(&json!({"title": {"de": "Termin"}, "url": "javascript:alert(1)"}), Lang::De);
        assert_eq!(link.into_string(), "Termin");
        let web = contact_line(&json!({"channel": "web", "value": "data:text/html,x"}), Lang::De).into_string();
        assert!(!web.contains("href"), "{web}");
    }

    #[test]
    fn a_deadline_says_days_and_note() {
        assert_eq!(deadline(&json!({"days": 14, "note": {"de": "nach Einzug"}}), Lang::De), "14 Tage nach Einzug");
        assert_eq!(deadline(&json!({"note": {"de": "sofort"}}), Lang::De), "sofort");
        assert_eq!(deadline(&json!({"date": "2027-01-19"}), Lang::De), "19. Januar 2027");
    }

    #[test]
    fn a_closed_day_is_named() {
        let line = exception_line(&json!({"from": "2026-12-24", "until": "2026-12-31", "closed": true}), Lang::De);
        assert!(line.into_string().contains("24. Dezember 2026 – 31. Dezember 2026: geschlossen"));
    }
}
