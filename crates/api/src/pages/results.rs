//! The results of a search.

use jiff::Zoned;
use maud::{Markup, html};
use ortsnetz_node::dto::{FacetCounts, FacetValue, Hit, MarkedText, NoticeInfo, PlaceInfo, SearchResult};

use super::format::{ago, count};
use super::lang::{Lang, encoded, kind};
use super::layout::{Page, badge, render, search_form};
use super::standing::{left_notice, owner};

/// What was asked.
pub(crate) struct Asked<'a> {
    pub(crate) words: &'a str,
    pub(crate) place: &'a str,
    pub(crate) filter: Filter<'a>,
    pub(crate) lang: Lang,
}

/// What narrows the results; empty texts do not.
#[derive(Clone, Copy, Default)]
pub(crate) struct Filter<'a> {
    pub(crate) kind: &'a str,
    pub(crate) organisation: &'a str,
    pub(crate) life_event: &'a str,
    pub(crate) audience: &'a str,
}

impl Asked<'_> {
    /// The address that asks the same with another place.
    fn address(&self, place: &str) -> String {
        self.narrowed(place, self.filter)
    }

    /// The address that asks the same, narrowed otherwise.
    fn narrowed(&self, place: &str, filter: Filter<'_>) -> String {
        let mut address = format!("/suche?q={}&ort={}", encoded(self.words), encoded(place));
        for (name, value) in filter.parameters() {
            if !value.is_empty() {
                address.push_str(&format!("&{name}={}", encoded(value)));
            }
        }
        address
    }
}

impl<'a> Filter<'a> {
    fn parameters(self) -> [(&'static str, &'a str); 4] {
        [("art", self.kind), ("von", self.organisation), ("lage", self.life_event), ("fuer", self.audience)]
    }
}

/// The results page; without a result just the field.
pub(crate) fn page(
    organisation: &str,
    asked: &Asked<'_>,
    result: Option<&SearchResult>,
    notices: &[NoticeInfo],
    now: &Zoned,
) -> Markup {
    let lang = asked.lang;
    let body = html! {
        (super::notices::list(notices, lang))
        @match result {
            None => p .quiet { (lang.pick("Ein oder zwei Worte genügen.", "A word or two will do.")) },
            Some(result) if result.places.len() > 1 => (choice(asked, &result.places)),
            Some(result) if result.hits.is_empty() => (nothing(asked, result)),
            Some(result) => (hits(asked, result, now)),
        }
    };
    frame(organisation, asked, &body)
}

/// A search that could not be made as asked.
pub(crate) fn refused(organisation: &str, asked: &Asked<'_>, reason: &str) -> Markup {
    let title = asked.lang.pick("So lässt sich nicht suchen", "This cannot be searched for");
    frame(organisation, asked, &html! { div .notice .warn { h2 { (title) } p { (reason) } } })
}

/// A search in a place that this node does not know.
pub(crate) fn unknown_place(organisation: &str, asked: &Asked<'_>) -> Markup {
    let lang = asked.lang;
    let body = html! {
        div .notice role="status" {
            h2 { (lang.pick("Diesen Ort kennt dieser Knoten nicht: ", "This node does not know the place ")) "„" (asked.place) "“" }
            ul {
                li { (lang.pick("Stimmt die Schreibweise? Auch die Postleitzahl geht.", "Is it spelt right? Its postal code will do as well.")) }
                li { a href=(lang.link(&asked.address(""))) { (lang.pick("Überall suchen, ohne Ort", "Search everywhere, without a place")) } }
            }
        }
    };
    frame(organisation, asked, &body)
}

fn frame(organisation: &str, asked: &Asked<'_>, body: &Markup) -> Markup {
    let lang = asked.lang;
    let title = match asked.words {
        "" => lang.pick("Suche", "Search").to_owned(),
        words => lang.pick(format!("Suche: {words}"), format!("Search: {words}")),
    };
    let main = html! {
        h1 { (lang.pick("Suche", "Search")) }
        (search_form(lang, asked.words, asked.place, false))
        (body)
    };
    render(Page { lang, title: &title, organisation, address: &asked.address(asked.place), head: html! {}, main })
}

fn hits(asked: &Asked<'_>, result: &SearchResult, now: &Zoned) -> Markup {
    let lang = asked.lang;
    let total = count(result.total, lang);
    html! {
        p .quiet role="status" {
            @if result.total == 1 { (lang.pick("1 Treffer", "1 result")) } @else { (total) (lang.pick(" Treffer", " results")) }
            @if let Some(place) = result.places.first() { (lang.pick(" für ", " for ")) strong { (place.name) } }
        }
        (incomplete(result, lang))
        (left_notice(&result.left, lang))
        @if result.matching == "some_words" {
            p .quiet { (lang.pick("Nicht jeder Treffer hat alle Worte.", "Not every result has all the words.")) }
        }
        @if let Some(facets) = &result.facets { (narrowing(asked, facets)) }
        ol .hits {
            @for hit in &result.hits { li { (one(hit, now, lang)) } }
        }
    }
}

/// How the results can be narrowed: only where there is a choice, or one was made.
fn narrowing(asked: &Asked<'_>, facets: &FacetCounts) -> Markup {
    let (lang, filter) = (asked.lang, asked.filter);
    let rows = [
        (lang.pick("Art", "Kind"), &facets.kinds, filter.kind),
        (lang.pick("Von", "By"), &facets.organisations, filter.organisation),
        (lang.pick("Lebenslage", "Life event"), &facets.life_events, filter.life_event),
        (lang.pick("Für", "For"), &facets.audiences, filter.audience),
    ];
    let with = |row: usize, value: &str| {
        let mut filter = filter;
        // The same lifetime for all: an owned text is put together right away.
        let address = |filter: Filter<'_>| lang.link(&asked.narrowed(asked.place, filter));
        match row {
            0 => address(Filter { kind: value, ..filter }),
            1 => address(Filter { organisation: value, ..filter }),
            2 => address(Filter { life_event: value, ..filter }),
            _ => {
                filter.audience = "";
                address(Filter { audience: value, ..filter })
            }
        }
    };
    let shown = |row: usize| rows[row].1.len() > 1 || !rows[row].2.is_empty();
    html! {
        @if (0..rows.len()).any(shown) {
            nav .facets aria-label=(lang.pick("Ergebnisse eingrenzen", "Narrow the results")) {
                @for (row, (name, values, chosen)) in rows.iter().enumerate().filter(|(row, _)| shown(*row)) {
                    p {
                        span .quiet { (name) ": " }
                        @if chosen.is_empty() {
                            @for value in values.iter().take(FACETS_SHOWN_MAX) {
                                a href=(with(row, &value.value)) { (facet_name(row, value, lang)) }
                                " (" (value.count) ") "
                            }
                        } @else {
                            @let name = values.iter().find(|value| value.value == *chosen).map(|value| facet_name(row, value, lang));
                            strong { (name.unwrap_or_else(|| (*chosen).to_owned())) } " "
                            a href=(with(row, "")) { (lang.pick("alle zeigen", "show all")) }
                        }
                    }
                }
            }
        }
    }
}

/// Values of one facet on a page.
const FACETS_SHOWN_MAX: usize = 8;

fn facet_name(row: usize, value: &FacetValue, lang: Lang) -> String {
    match (row, value.value.as_str()) {
        (0, name) => kind(name, lang).to_owned(),
        (3, "business") => lang.pick("Unternehmen", "businesses").to_owned(),
        (3, "citizen" | "citizens") => lang.pick("Privatpersonen", "citizens").to_owned(),
        (_, value_itself) => value.name.clone().unwrap_or_else(|| value_itself.to_owned()),
    }
}

/// A text with its marks.
fn marked(pieces: &[MarkedText]) -> Markup {
    html! { @for piece in pieces { @if piece.mark { mark { (piece.text) } } @else { (piece.text) } } }
}

fn one(hit: &Hit, now: &Zoned, lang: Lang) -> Markup {
    let seen = hit.received_at.as_ref().or(hit.published_at.as_ref());
    html! {
        h2 { a href=(lang.link(&format!("/eintrag/{}", hit.id))) {
            @if hit.marked_title.is_empty() { (hit.title) } @else { (marked(&hit.marked_title)) }
        } }
        @match &hit.snippet {
            Some(snippet) => p .snippet { (marked(&snippet.pieces)) },
            None => @if !hit.summary.is_empty() { p { (hit.summary) } },
        }
        div .facts {
            (badge("", kind(&hit.kind, lang)))
            (owner(&hit.organisation, lang))
            @if let Some(remark) = remark(hit) { (badge("warn", &remark_text(remark, lang))) }
            @if let Some(at) = &hit.published_at { span { (lang.pick("veröffentlicht ", "published ")) (ago(at, now, lang)) } }
            @if let (Some(at), true) = (seen, hit.received_at.is_some()) {
                span { (lang.pick("hier seit ", "here since ")) (ago(at, now, lang).trim_start_matches("vor ")) }
            }
        }
    }
}

/// The remark, unless the marks of the owner say it already.
fn remark(hit: &Hit) -> Option<&str> {
    if hit.organisation.leaving.as_ref().is_some_and(|leaving| leaving.left) {
        return None;
    }
    let said = matches!(hit.organisation.place_state.as_deref(), Some("unconfirmed" | "contradicted"));
    hit.remark.as_deref().filter(|remark| !(said && *remark == "town not yet confirmed"))
}

/// The node's remarks in the language of the page, where we know them.
fn remark_text(remark: &str, lang: Lang) -> String {
    let text = match remark {
        "not from the responsible town" => lang.pick("nicht von der zuständigen Kommune", remark),
        "town not yet confirmed" => lang.pick("Ort noch nicht bestätigt", remark),
        other => other,
    };
    text.to_owned()
}

fn choice(asked: &Asked<'_>, places: &[PlaceInfo]) -> Markup {
    let lang = asked.lang;
    html! {
        div .notice role="status" {
            h2 { (lang.pick("Welcher Ort ist gemeint?", "Which place do you mean?")) }
            p {
                "„" (asked.place) "“ "
                (lang.pick("gibt es mehrfach. Bitte wählen Sie:", "exists more than once. Please choose:"))
            }
        }
        ul .choice {
            @for place in places {
                li {
                    a href=(lang.link(&asked.address(&place.ars))) {
                        strong { (place.name) }
                        @if !place.part_of.is_empty() { span .quiet { (place.part_of) } }
                        @if let Some(code) = place.postal_codes.first() {
                            span .quiet { " · " (code) @if place.postal_codes.len() > 1 { " …" } }
                        }
                    }
                }
            }
        }
    }
}

fn nothing(asked: &Asked<'_>, result: &SearchResult) -> Markup {
    let lang = asked.lang;
    html! {
        div .notice role="status" {
            h2 {
                (lang.pick("Nichts gefunden für ", "Nothing found for ")) "„" (asked.words) "“"
                @if let Some(place) = result.places.first() { (lang.pick(" in ", " in ")) (place.name) }
            }
            ul {
                li { (lang.pick("Ein Wort weniger oder ein anderes Wort versuchen.", "Try fewer or other words.")) }
                @if !asked.place.is_empty() {
                    li { a href=(lang.link(&asked.address(""))) { (lang.pick("Überall suchen, ohne Ort", "Search everywhere, without a place")) } }
                }
                li { (lang.pick("Rufen Sie sonst die Behördennummer 115 an.", "Otherwise call 115, the number of all authorities.")) }
            }
        }
        (left_notice(&result.left, lang))
        (incomplete(result, lang))
    }
}

fn incomplete(result: &SearchResult, lang: Lang) -> Markup {
    html! {
        @if !result.completeness.missing.is_empty() {
            div .notice .warn {
                p {
                    (lang.pick("Die Antwort ist unvollständig; es fehlt: ", "The answer is incomplete; missing: "))
                    (result.completeness.missing.join(", "))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::format::local;
    use ortsnetz_node::dto::OrganisationInfo;

    fn text(asked: &Asked<'_>, result: &SearchResult) -> String {
        page("Stadt Siegburg", asked, Some(result), &[], &local("2026-07-01T12:00:00Z".parse().expect("a time")))
            .into_string()
    }

    fn place(ars: &str, name: &str) -> PlaceInfo {
        PlaceInfo { ars: ars.into(), name: name.into(), part_of: "Rhein-Sieg-Kreis".into(), ..PlaceInfo::default() }
    }

    const FILTER: Filter<'_> = Filter { kind: "", organisation: "", life_event: "", audience: "" };
    const ASKED: Asked<'_> = Asked { words: "Pass & Ausweis", place: "Bergheim", filter: FILTER, lang: Lang::De };

    #[test]
    fn an_ambiguous_place_is_a_choice_and_never_a_guess() {
        let places = vec![place("053620008008", "Bergheim"), place("091855154118", "Bergheim")];
        let text = text(&ASKED, &SearchResult { places, ..SearchResult::default() });
        assert!(text.contains("Welcher Ort ist gemeint?"));
        assert!(text.contains("href=\"/suche?q=Pass%20%26%20Ausweis&amp;ort=053620008008\""), "{text}");
    }

    #[test]
    fn no_hit_says_what_else_to_try() {
        let text =
            text(&ASKED, &SearchResult { places: vec![place("053620008008", "Bergheim")], ..SearchResult::default() });
        assert!(text.contains("Nichts gefunden für „Pass &amp; Ausweis“ in Bergheim"), "{text}");
        assert!(text.contains("Überall suchen"));
    }

    #[test]
    fn marks_are_safe_and_facets_narrow_and_widen() {
        let piece = |text: &str, mark| MarkedText { text: text.into(), mark };
        let hit = Hit {
            title: "Hund".into(),
            marked_title: vec![piece("Hund", true), piece(" <b>", false)],
            snippet: Some(ortsnetz_node::dto::Snippet {
                path: "texts.description".into(),
                pieces: vec![piece("Ein <script>", false), piece("Hund", true)],
            }),
            ..Hit::default()
        };
        let value = |value: &str, count| FacetValue { value: value.into(), name: None, count };
        let facets = FacetCounts {
            kinds: vec![value("service", 3), value("office", 1)],
            audiences: vec![value("business", 2)],
            ..FacetCounts::default()
        };
        let result = SearchResult { hits: vec![hit], total: 4, facets: Some(facets), ..SearchResult::default() };
        let wide = text(&ASKED, &result);
        assert!(wide.contains("<mark>Hund</mark> &lt;b&gt;"), "{wide}");
        assert!(wide.contains("Ein &lt;script&gt;<mark>Hund</mark>"), "{wide}");
        assert!(wide.contains("&amp;art=office\">Dienststelle</a> (1)"), "{wide}");
        assert!(!wide.contains("Unternehmen"), "one value is no choice");
        let asked = Asked { filter: Filter { kind: "office", audience: "business", ..FILTER }, ..ASKED };
        let narrow = text(&asked, &result);
        assert!(narrow.contains("<strong>Dienststelle</strong> <a href=\"/suche?q=Pass%20%26%20Ausweis&amp;ort=Bergheim&amp;fuer=business\">"), "{narrow}");
    }

    #[test]
    fn a_hit_names_its_owner_and_age() {
        let hit = Hit {
            id: "00ff".into(),
            kind: "service".into(),
            title: "Reisepass".into(),
            summary: "<b>Neu</b>".into(),
            organisation: OrganisationInfo {
                name: "Stadt Hürth".into(),
                standing: Some("introduced".into()),
                introduced_by: Some("Stadt Köln".into()),
                ..OrganisationInfo::default()
            },
            published_at: Some("2026-06-30T12:00:00Z".into()),
            received_at: Some("2026-07-01T11:00:00Z".into()),
            remark: Some("not from the responsible town".into()),
            ..Hit::default()
        };
        let text = text(&ASKED, &SearchResult { hits: vec![hit], total: 1, ..SearchResult::default() });
        for part in [
            "1 Treffer",
            "href=\"/eintrag/00ff\"",
            "Stadt Hürth",
            "vorgestellt von Stadt Köln",
            "veröffentlicht vor 1 Tag",
            "hier seit 1 Stunde",
            "nicht von der zuständigen Kommune",
            "&lt;b&gt;Neu&lt;/b&gt;",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }
}
