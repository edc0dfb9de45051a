//! The start page of a node.

use jiff::Zoned;
use maud::{Markup, html};
use ortsnetz_node::dto::{NoticeInfo, PartnerStatus, Status};

use super::format::{ago, count};
use super::lang::Lang;
use super::layout::{Page, render, search_form};
use super::standing::partners_table;

/// The start page.
pub(crate) fn page(status: &Status, notices: &[NoticeInfo], now: &Zoned, lang: Lang) -> Markup {
    let organisation = status.organisation.name.as_str();
    let entries = status.entries.own + status.entries.replicated;
    let partners: Vec<&PartnerStatus> = status.partners.iter().filter(|partner| !partner.own_node).collect();
    let main = html! {
        (super::notices::list(notices, lang))
        h1 { (lang.pick("Was die Verwaltung für Sie tut", "What your administration does for you")) }
        p .lead {
            (lang.pick(
                "Leistungen, Ämter und Zuständigkeiten aus der ganzen Region – von jeder Kommune selbst geschrieben, unterschrieben und hier geprüft.",
                "Services, offices and responsibilities of the whole region – written and signed by each municipality, verified here.",
            ))
        }
        (search_form(lang, "", "", true))
        @if entries == 0 { (first_steps(lang)) }
        ul .figures {
            li { strong { (count(entries, lang)) } (lang.pick(
                if entries == 1 { "Eintrag auf diesem Knoten" } else { "Einträge auf diesem Knoten" },
                if entries == 1 { "entry on this node" } else { "entries on this node" },
            )) }
            li { strong { (count(u64::try_from(partners.len()).unwrap_or(0), lang)) } (lang.pick("Partner", "partners")) }
            li {
                strong { (status.last_change_at.as_deref().map_or_else(|| "–".to_owned(), |at| ago(at, now, lang))) }
                (lang.pick("letzte Änderung", "last change"))
            }
        }
        section .card aria-label=(lang.pick("Partner", "Partners")) {
            @if partners.is_empty() {
                h2 { (lang.pick("Noch keine Partner", "No partners yet")) }
                p {
                    (lang.pick(
                        "Eine Einladung verbindet zwei Kommunen. Hier erzeugen, dort annehmen:",
                        "An invitation connects two municipalities. Make it here, accept it there:",
                    ))
                }
                pre { code { "ortsnetz invite\nortsnetz join TOKEN" } }
            } @else {
                (partners_table(&partners, lang.pick("Im Verbund mit", "In a network with"), now, lang))
            }
        }
    };
    render(Page { lang, title: organisation, organisation, address: "/", head: html! {}, main })
}

/// What to do first on an empty node.
fn first_steps(lang: Lang) -> Markup {
    html! {
        div .notice {
            h2 { (lang.pick("Dieser Knoten ist noch leer", "This node is still empty")) }
            p {
                (lang.pick(
                    "Zuerst die eigenen Leistungen einlesen und veröffentlichen, oder die erste von Hand anlegen:",
                    "First import and publish your own services, or create the first one by hand:",
                ))
            }
            pre { code { "ortsnetz import leistungen.jsonl --publish\nortsnetz create service title.de=\"Reisepass beantragen\"" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::format::local;
    use ortsnetz_node::dto::{EntryCounts, OrganisationInfo};

    fn status() -> Status {
        Status {
            organisation: OrganisationInfo { name: "Stadt Siegburg".into(), ..OrganisationInfo::default() },
            ..Status::default()
        }
    }

    fn text(status: &Status, lang: Lang) -> String {
        page(status, &[], &local("2026-07-01T12:00:00Z".parse().expect("a time")), lang).into_string()
    }

    #[test]
    fn an_empty_node_says_what_to_do_first() {
        let text = text(&status(), Lang::De);
        assert!(text.contains("Dieser Knoten ist noch leer"));
        assert!(text.contains("ortsnetz import leistungen.jsonl --publish"));
        assert!(text.contains("<code>ortsnetz invite\nortsnetz join TOKEN</code>"), "{text}");
    }

    #[test]
    fn a_working_node_shows_its_partners_and_figures() {
        let partner = |name: &str, own_node| PartnerStatus {
            name: name.into(),
            connected: true,
            in_sync: true,
            confirmed: true,
            own_node,
            entries: 1234,
            ..PartnerStatus::default()
        };
        let status = Status {
            entries: EntryCounts { own: 20, drafts: 3, replicated: 1234 },
            partners: vec![partner("Stadt Köln", false), partner("Laptop", true)],
            last_change_at: Some("2026-07-01T11:58:00Z".into()),
            ..status()
        };
        let german = text(&status, Lang::De);
        assert!(german.contains("<strong>1.254</strong>") && german.contains("vor 2 Minuten"));
        assert!(german.contains("Stadt Köln") && german.contains("auf gleichem Stand"));
        assert!(!german.contains("Laptop"), "own nodes are nobody's business");
        assert!(!german.contains("noch leer"));
        assert!(text(&status, Lang::En).contains("2 minutes ago"));
    }
}
