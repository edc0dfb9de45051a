//! What all pages share: frame, search field, little marks.

use maud::{DOCTYPE, Markup, html};

use super::lang::Lang;

/// The style sheet, embedded.
pub(crate) const STYLE: &str = include_str!("style.css");
/// Where it is served.
pub(crate) const STYLE_PATH: &str = "/assets/ortsnetz.css";
/// The mark in the header and in the tab: six nodes in a ring with one chord.
pub(crate) const ICON: &str = include_str!("icon.svg");
/// Where it is served.
pub(crate) const ICON_PATH: &str = "/assets/ortsnetz.svg";

/// One page.
pub(crate) struct Page<'a> {
    /// Its language.
    pub(crate) lang: Lang,
    /// What the tab says, before the name of the organisation.
    pub(crate) title: &'a str,
    /// Name of the organisation whose node this is.
    pub(crate) organisation: &'a str,
    /// This page's own address without language, for the language switch.
    pub(crate) address: &'a str,
    /// Further things for the head.
    pub(crate) head: Markup,
    /// The content.
    pub(crate) main: Markup,
}

/// The whole document.
pub(crate) fn render(page: Page<'_>) -> Markup {
    let lang = page.lang;
    let other = lang.pick(Lang::En, Lang::De);
    html! {
        (DOCTYPE)
        html lang=(lang.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (page.title) @if page.title != page.organisation { " – " (page.organisation) } }
                link rel="stylesheet" href=(STYLE_PATH);
                link rel="icon" href=(ICON_PATH) type="image/svg+xml";
                (page.head)
            }
            body {
                a .skip href="#inhalt" { (lang.pick("Zum Inhalt springen", "Skip to content")) }
                header .top {
                    div .bar {
                        a .brand href=(lang.link("/")) {
                            img src=(ICON_PATH) alt="" width="32" height="32";
                            span { span .name { (page.organisation) } span .sub { "Ortsnetz" } }
                        }
                        nav aria-label=(lang.pick("Hauptnavigation", "Main")) {
                            a href=(lang.link("/")) aria-current=[current(page.address, "/")] { (lang.pick("Start", "Home")) }
                            a href=(lang.link("/netz")) aria-current=[current(page.address, "/netz")] { (lang.pick("Netz", "Network")) }
                            a href=(other.link(page.address)) hreflang=(other.code()) lang=(other.code()) {
                                (other.pick("Deutsch", "English"))
                            }
                        }
                    }
                }
                main #inhalt tabindex="-1" { (page.main) }
                footer .bottom {
                    p {
                        (lang.pick(
                            "Geprüfte Kopien aus dem Verbund der Kommunen; Eigentümerin und Stand stehen an jedem Eintrag.",
                            "Verified copies from the network of municipalities; every entry names its owner and date.",
                        ))
                    }
                    p { a href="/api/v1/openapi.json" { (lang.pick("Schnittstelle (OpenAPI)", "Interface (OpenAPI)")) } }
                }
            }
        }
    }
}

fn current(address: &str, own: &str) -> Option<&'static str> {
    (address == own).then_some("page")
}

/// The search field, with what was asked.
pub(crate) fn search_form(lang: Lang, words: &str, place: &str, prominent: bool) -> Markup {
    html! {
        form .search .prominent[prominent] role="search" action="/suche" method="get" {
            div .field .wide {
                label for="q" { (lang.pick("Was suchen Sie?", "What are you looking for?")) }
                input #q name="q" type="search" value=(words) maxlength="300" autocomplete="off"
                    placeholder=(lang.pick("z. B. Reisepass, Gewerbe anmelden", "e.g. passport, register a business"));
            }
            div .field {
                label for="ort" { (lang.pick("Wo? (Ort oder Postleitzahl)", "Where? (town or postal code)")) }
                input #ort name="ort" type="text" value=(place) maxlength="300" autocomplete="address-level2"
                    placeholder=(lang.pick("z. B. Siegburg, 50354", "e.g. Siegburg, 50354"));
            }
            @if lang == Lang::En { input type="hidden" name="lang" value="en"; }
            button type="submit" { (lang.pick("Suchen", "Search")) }
        }
    }
}

/// A short mark with a colour; the text says it too.
pub(crate) fn badge(tone: &str, text: &str) -> Markup {
    html! { span class={ "badge " (tone) } { (text) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_can_be_used_without_a_mouse_or_eyes() {
        let page = Page {
            lang: Lang::De,
            title: "Netz",
            organisation: "Stadt <Köln>",
            address: "/netz",
            head: html! {},
            main: html! { h1 { "Netz" } },
        };
        let text = render(page).into_string();
        assert!(text.starts_with("<!DOCTYPE html><html lang=\"de\">"));
        assert!(text.contains("href=\"#inhalt\""), "a skip link");
        assert!(text.contains("<main id=\"inhalt\""));
        assert!(text.contains("aria-current=\"page\""));
        assert!(text.contains("Stadt &lt;Köln&gt;") && !text.contains("<Köln>"));
        assert!(!text.contains("<script"));
    }

    #[test]
    fn every_field_has_a_label() {
        let form = search_form(Lang::En, "a\"b", "", true).into_string();
        assert!(form.contains("for=\"q\"") && form.contains("for=\"ort\""));
        assert!(form.contains("value=\"a&quot;b\""));
        assert!(form.contains("name=\"lang\" value=\"en\""));
    }
}
