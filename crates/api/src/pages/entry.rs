//! The page of one entry.

use std::collections::BTreeMap;

use jiff::Zoned;
use maud::{Markup, html};
use ortsnetz_node::dto::{EntryMeta, NoticeInfo, Shown};
use serde_json::{Map, Value};

use super::details;
use super::format::{fee, moment, processing_time};
use super::lang::{Lang, in_language, kind, text, words};
use super::layout::{Page, badge, render};
use super::standing::{left_notice, owner};
use super::{commonmark, jsonld, notices};

/// Everything the page is made of.
pub(crate) struct View<'a> {
    /// Name of the organisation whose node this is.
    pub(crate) organisation: &'a str,
    /// Id of the entry, as in the address.
    pub(crate) id: &'a str,
    /// The entry, without companions.
    pub(crate) shown: &'a Shown,
    /// Public entries it refers to, by id.
    pub(crate) linked: &'a BTreeMap<String, Map<String, Value>>,
    /// Names of the places it names by their ARS.
    pub(crate) places: &'a BTreeMap<String, String>,
    /// Notices in force on what it is about.
    pub(crate) notices: &'a [NoticeInfo],
    /// Local time.
    pub(crate) now: &'a Zoned,
    pub(crate) lang: Lang,
}

/// Text names in the order of the page, with their headings. Summary and teaser stand under the title.
const TEXTS: [(&str, &str, &str); 11] = [
    ("description", "Beschreibung", "Description"),
    ("prerequisites", "Voraussetzungen", "Prerequisites"),
    ("required_documents", "Erforderliche Unterlagen", "Required documents"),
    ("procedure", "Ablauf", "Procedure"),
    ("forms", "Formulare", "Forms"),
    ("notes", "Hinweise", "Notes"),
    ("further_information", "Weitere Informationen", "Further information"),
    ("competent_authority", "Zuständige Stelle", "Competent authority"),
    ("contact_point", "Ansprechpunkt", "Contact point"),
    ("legal_basis", "Rechtsgrundlage", "Legal basis"),
    ("legal_remedy", "Rechtsbehelf", "Legal remedy"),
];

/// Ids of the entries this one refers to, each once, in the order they stand there.
pub(crate) fn references(entry: &Map<String, Value>) -> Vec<String> {
    let lists = ["offices"].into_iter().filter_map(|name| entry.get(name)?.as_array()).flatten();
    let single = ["office", "service", "online_service", "parent"].into_iter().filter_map(|name| entry.get(name));
    let steps =
        entry.get("steps").and_then(Value::as_array).into_iter().flatten().filter_map(|step| step.get("service"));
    let mut ids: Vec<String> = Vec::new();
    for id in lists.chain(single).chain(steps).filter_map(Value::as_str) {
        if !ids.iter().any(|known| known == id) {
            ids.push(id.to_owned());
        }
    }
    ids
}

/// The places a responsibility is for, by ARS.
pub(crate) fn places(entry: &Map<String, Value>) -> Vec<String> {
    let area = entry.get("area").and_then(Value::as_array).into_iter().flatten();
    area.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What an entry is called, whatever its kind.
pub(crate) fn title_of(entry: &Map<String, Value>, lang: Lang) -> String {
    let title = text(entry.get("title"), lang);
    if !title.is_empty() {
        return title.to_owned();
    }
    let name = entry.get("names").and_then(Value::as_array).and_then(|names| names.first()).and_then(Value::as_str);
    let kind_name = kind(entry.get("kind").and_then(Value::as_str).unwrap_or_default(), lang);
    name.unwrap_or(kind_name).to_owned()
}

/// The page.
pub(crate) fn page(view: &View<'_>) -> Markup {
    let (lang, entry, meta) = (view.lang, &view.shown.entry, &view.shown.meta);
    let kind_word = entry.get("kind").and_then(Value::as_str).unwrap_or_default();
    let title = title_of(entry, lang);
    let offices = offices(view);
    let main = html! {
        // A notice's own page says what it says.
        @if kind_word != "notice" { (notices::list(view.notices, lang)) }
        article {
            p .facts { (badge("", kind(kind_word, lang))) (owner(&meta.organisation, lang)) }
            h1 { (title) }
            (left_notice(std::slice::from_ref(&meta.organisation), lang))
            (alternative_titles(entry, lang))
            @for name in ["teaser", "summary"] { (lead(entry, name, lang)) }
            (valid_dates(entry, lang))
            div .columns {
                div {
                    @for (name, de, en) in TEXTS { (section(entry, name, lang.pick(de, en), lang)) }
                    (details::of_kind(view, kind_word))
                    @if !offices.is_empty() {
                        section {
                            h2 { (lang.pick("Wo Sie das erledigen", "Where to go")) }
                            div .offices {
                                @for (id, office) in &offices { (details::office_card(id, office, view.now, lang)) }
                            }
                        }
                    }
                }
                aside aria-label=(lang.pick("Auf einen Blick", "At a glance")) {
                    (glance(entry, lang))
                    (provenance(meta, lang))
                }
            }
        }
    };
    let linked: Vec<&Map<String, Value>> = offices.iter().map(|(_, office)| *office).collect();
    let head = jsonld::element(entry, meta, &linked, lang);
    let address = format!("/eintrag/{}", view.id);
    render(Page { lang, title: &title, organisation: view.organisation, address: &address, head, main })
}

/// Linked offices in the order of the entry; an office itself is shown by its own details.
fn offices<'a>(view: &View<'a>) -> Vec<(String, &'a Map<String, Value>)> {
    references(&view.shown.entry)
        .into_iter()
        .filter_map(|id| view.linked.get(&id).map(|entry| (id, entry)))
        .filter(|(_, entry)| entry.get("kind").and_then(Value::as_str) == Some("office"))
        .collect()
}

fn alternative_titles(entry: &Map<String, Value>, lang: Lang) -> Markup {
    let titles = words(entry.get("alternative_titles"), lang);
    html! {
        @if !titles.is_empty() { p .quiet { (lang.pick("Auch: ", "Also: ")) (titles.join(", ")) } }
    }
}

fn lead(entry: &Map<String, Value>, name: &str, lang: Lang) -> Markup {
    html! {
        @if let Some((value, code)) = entry.get("texts").and_then(|texts| texts.get(name)).and_then(|texts| in_language(texts, lang)) {
            div .lead lang=[(code != lang.code()).then_some(code)] { (commonmark::render(value.as_str().unwrap_or_default())) }
        }
    }
}

fn section(entry: &Map<String, Value>, name: &str, heading: &str, lang: Lang) -> Markup {
    html! {
        @if let Some((value, code)) = entry.get("texts").and_then(|texts| texts.get(name)).and_then(|texts| in_language(texts, lang)) {
            section .text lang=[(code != lang.code()).then_some(code)] {
                h2 { (heading) }
                (commonmark::render(value.as_str().unwrap_or_default()))
            }
        }
    }
}

fn valid_dates(entry: &Map<String, Value>, lang: Lang) -> Markup {
    let date = |name: &str| -> Option<String> {
        let date = entry.get(name)?.as_str()?.parse::<jiff::civil::Date>().ok()?;
        Some(super::format::date(date, lang))
    };
    html! {
        @if let Some(until) = date("valid_until") { p { (badge("warn", &lang.pick(format!("gilt bis {until}"), format!("valid until {until}")))) } }
        @if let Some(from) = date("valid_from") { p { (badge("", &lang.pick(format!("gilt ab {from}"), format!("valid from {from}")))) } }
    }
}

/// Fees, processing time, online services in one card; nothing if none is known.
fn glance(entry: &Map<String, Value>, lang: Lang) -> Markup {
    let list = |name: &str| entry.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let (fees, deadlines, online) = (list("fees"), list("deadlines"), list("online_services"));
    let time = entry.get("processing_time").map(|time| processing_time(time, lang)).unwrap_or_default();
    if fees.is_empty() && deadlines.is_empty() && online.is_empty() && time.is_empty() {
        return html! {};
    }
    html! {
        section .card {
            dl {
                @if !fees.is_empty() {
                    dt { (lang.pick("Gebühren", "Fees")) }
                    @for one in fees {
                        dd {
                            strong { (fee(one, lang)) }
                            @let note = text(one.get("note"), lang);
                            @if !note.is_empty() { br; (note) }
                        }
                    }
                }
                @if !time.is_empty() { dt { (lang.pick("Bearbeitungszeit", "Processing time")) } dd { (time) } }
                @if !deadlines.is_empty() {
                    dt { (lang.pick("Fristen", "Deadlines")) }
                    @for deadline in deadlines { dd { (details::deadline(deadline, lang)) } }
                }
                @if !online.is_empty() {
                    dt { (lang.pick("Online erledigen", "Do it online")) }
                    @for service in online { dd { (details::web_link(service, lang)) } }
                }
            }
        }
    }
}

/// Whose it is, since when, how it came here and that it was checked.
fn provenance(meta: &EntryMeta, lang: Lang) -> Markup {
    html! {
        section .card {
            h2 { (lang.pick("Herkunft", "Provenance")) }
            dl {
                dt { (lang.pick("Verantwortlich", "Owner")) }
                dd { (owner(&meta.organisation, lang)) }
                @if let Some(at) = &meta.published_at { dt { (lang.pick("Veröffentlicht", "Published")) } dd { (moment(at, lang)) } }
                @if let (Some(at), true) = (&meta.reviewed_at, meta.reviewed_at != meta.published_at) {
                    dt { (lang.pick("Zuletzt bestätigt", "Last confirmed")) } dd { (moment(at, lang)) }
                }
                @if let Some(at) = &meta.received_at {
                    dt { (lang.pick("Hier eingetroffen", "Received here")) }
                    dd { (moment(at, lang)) @if let Some(from) = &meta.received_from { (lang.pick(", über ", ", through ")) (from) } }
                }
                @if let Some(at) = &meta.checkpoint_at {
                    dt { (lang.pick("Stand bestätigt", "State confirmed")) } dd { (moment(at, lang)) }
                }
                dt { (lang.pick("Unterschrift", "Signature")) }
                dd {
                    @if meta.verified { (badge("good", lang.pick("hier geprüft", "verified here"))) }
                    @else { (badge("bad", lang.pick("nicht geprüft", "not verified"))) }
                }
                @if let Some(position) = &meta.position { dt { "Position" } dd { code { (position) } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::format::local;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().expect("an object")
    }

    fn text_of(entry: Value, linked: &BTreeMap<String, Map<String, Value>>, lang: Lang) -> String {
        let meta = EntryMeta {
            verified: true,
            published_at: Some("2026-06-30T08:00:00Z".into()),
            received_at: Some("2026-06-30T08:00:01Z".into()),
            received_from: Some("Stadt Köln".into()),
            position: Some("1.2.3".into()),
            ..EntryMeta::default()
        };
        let shown = Shown { entry: object(entry), meta, ..Shown::default() };
        let now = local("2026-07-01T08:00:00Z".parse().expect("a time"));
        let places = BTreeMap::from([("053820060060".to_owned(), "Siegburg".to_owned())]);
        let (organisation, id) = ("Stadt Siegburg", "00ff");
        page(&View { organisation, id, shown: &shown, linked, places: &places, notices: &[], now: &now, lang })
            .into_string()
    }

    #[test]
    fn a_service_shows_fees_documents_office_and_provenance() {
        let office = object(json!({
            "kind": "office", "title": {"de": "Bürgerservice"},
            "address": {"street": "Nogenter Platz", "house_number": "10", "postal_code": "53721", "city": "Siegburg"},
            "opening_hours": [{"days": ["we"], "opens": "08:00", "closes": "12:00"}],
            "contacts": [{"channel": "phone", "value": "+49 2241 102-0"}],
        }));
        let linked = BTreeMap::from([("aa".to_owned(), office)]);
        let text = text_of(
            json!({
                "kind": "service", "title": {"de": "Personalausweis"}, "offices": ["aa", "bb"],
                "texts": {"summary": {"de": "Kurz"}, "required_documents": {"de": "- Foto\n- <script>"}},
                "fees": [{"kind": "fixed", "amount": 2880, "note": {"de": "unter 24 Jahren"}}],
            }),
            &linked,
            Lang::De,
        );
        for part in [
            "<h1>Personalausweis</h1>",
            "28,80\u{a0}€",
            "unter 24 Jahren",
            "Erforderliche Unterlagen",
            "<li>Foto</li>",
            "jetzt geöffnet bis 12:00 Uhr",
            "Nogenter Platz 10",
            "href=\"tel:+4922411020\"",
            "hier geprüft",
            "über Stadt Köln",
            "1.2.3",
            "application/ld+json",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert_eq!(text.matches("<script").count(), 1, "only the data");
    }

    #[test]
    fn a_responsibility_names_its_places() {
        let entry =
            json!({"kind": "responsibility", "area": ["053820060060", "059999999999"], "districts": ["Kaldauen"]});
        let text = text_of(entry, &BTreeMap::new(), Lang::De);
        assert!(text.contains("Gebiet: Siegburg, 059999999999, Kaldauen"), "{text}");
    }

    #[test]
    fn a_text_in_another_language_says_so() {
        let entry = json!({"kind": "service", "title": {"de": "Pass"}, "texts": {"description": {"de": "Text"}}});
        let text = text_of(entry, &BTreeMap::new(), Lang::En);
        assert!(text.contains("<section class=\"text\" lang=\"de\"><h2>Description</h2>"), "{text}");
    }

    #[test]
    fn references_are_found_once() {
        let entry =
            object(json!({"offices": ["a", "b", "a"], "steps": [{"service": "c"}, {}], "parent": "d", "service": 7}));
        assert_eq!(references(&entry), ["a", "b", "d", "c"]);
    }
}
