//! The network page: partners and alarms in plain words.

use jiff::Zoned;
use maud::{Markup, html};
use ortsnetz_node::dto::{AlarmInfo, PartnerStatus, Status};

use super::format::ago;
use super::lang::Lang;
use super::layout::{Page, render};
use super::standing::partners_table;

/// The network page.
pub(crate) fn page(status: &Status, now: &Zoned, lang: Lang) -> Markup {
    let partners: Vec<&PartnerStatus> = status.partners.iter().filter(|partner| !partner.own_node).collect();
    let relayed: Vec<(&str, &[String])> = partners
        .iter()
        .filter(|partner| !partner.introduces.is_empty())
        .map(|partner| (partner.name.as_str(), partner.introduces.as_slice()))
        .collect();
    let main = html! {
        h1 { (lang.pick("Das Netz", "The network")) }
        p .lead {
            (lang.pick(
                "Jede Kommune betreibt ihren eigenen Knoten. Es gibt keine Zentrale: Was ein Partner veröffentlicht, liegt geprüft auch hier und bleibt lesbar, wenn die Leitung dorthin ausfällt.",
                "Every municipality runs its own node. There is no centre: what a partner publishes lies here too, verified, and stays readable when the line to it is down.",
            ))
        }
        (alarms(&status.alarms, now, lang))
        section .card {
            @if partners.is_empty() {
                p { (lang.pick("Dieser Knoten hat noch keine Partner.", "This node has no partners yet.")) }
            } @else {
                (partners_table(&partners, lang.pick("Partner", "Partners"), now, lang))
            }
        }
        @if !relayed.is_empty() {
            section .card {
                h2 { (lang.pick("Über Partner vorgestellt", "Introduced by partners")) }
                p .quiet {
                    (lang.pick(
                        "Mit diesen Stellen besteht keine eigene Partnerschaft; ihre öffentlichen Einträge kommen über einen Partner und tragen ihre eigene Unterschrift.",
                        "We have no partnership of our own with these; their public entries come through a partner and carry their own signature.",
                    ))
                }
                dl {
                    @for (name, introduced) in relayed {
                        dt { (lang.pick("über ", "through ")) (name) }
                        dd { (introduced.join(", ")) }
                    }
                }
            }
        }
        section .card {
            h2 { (lang.pick("Dieser Knoten", "This node")) }
            dl {
                dt { (lang.pick("Kommune", "Organisation")) }
                dd { (status.organisation.name) @if !status.organisation.ars.is_empty() { " (ARS " (status.organisation.ars) ")" } }
                dt { (lang.pick("Kennung", "Id")) }
                dd { code { (status.organisation.id) } }
                dt { (lang.pick("Suche", "Search")) }
                dd {
                    @if status.search == "current" { (lang.pick("vollständig", "complete")) }
                    @else { (lang.pick("der Index wird neu aufgebaut, Antworten können unvollständig sein", "the index is being rebuilt, answers may be incomplete")) }
                }
                dt { "Version" }
                dd { (status.version) }
            }
        }
    };
    let title = lang.pick("Netz", "Network");
    render(Page { lang, title, organisation: &status.organisation.name, address: "/netz", head: html! {}, main })
}

fn alarms(alarms: &[AlarmInfo], now: &Zoned, lang: Lang) -> Markup {
    html! {
        @for alarm in alarms {
            @let tone = if alarm.kind == "repaired" { "warn" } else { "bad" };
            div class={ "notice " (tone) } role="alert" {
                h2 { (alarm_title(alarm, lang)) }
                p { (alarm.message) }
                p .quiet {
                    (lang.pick("zuerst ", "first ")) (ago(&alarm.at, now, lang))
                    @if alarm.count > 1 { (lang.pick(", seitdem ", ", since then ")) (alarm.count) (lang.pick("-mal", " times")) }
                }
            }
        }
    }
}

/// What an alarm means, in the language of the page.
fn alarm_title(alarm: &AlarmInfo, lang: Lang) -> String {
    let partner = alarm.partner.as_deref().unwrap_or(lang.pick("ein Partner", "a partner"));
    let (de, en) = match alarm.kind.as_str() {
        "equivocation" => (
            format!("Widersprüchliche Unterschriften bei {partner}"),
            format!("{partner} signed two different things at one position"),
        ),
        "invalid_record" => {
            (format!("Ungültige Daten von {partner} abgewiesen"), format!("Invalid data from {partner} was refused"))
        }
        "rolled_back" => {
            ("Dieser Knoten stand auf einem alten Stand".to_owned(), "This node had gone back in time".to_owned())
        }
        "cloned" => ("Ein Knoten läuft doppelt".to_owned(), "A node is running twice".to_owned()),
        "stale" => (format!("Die Kopie von {partner} ist veraltet"), format!("The copy of {partner} is stale")),
        "place_claimed_twice" => {
            ("Zwei Stellen beanspruchen denselben Ort".to_owned(), "Two organisations claim the same place".to_owned())
        }
        "misbehaved" => (format!("{partner} hält sich nicht an die Regeln"), format!("{partner} broke the rules")),
        "invalid_statements" => {
            (format!("Ungültige Erklärungen von {partner}"), format!("Invalid statements from {partner}"))
        }
        "withheld" => (format!("{partner} hält Einträge zurück"), format!("{partner} withholds entries")),
        "repaired" => ("Einträge wurden nachgeholt".to_owned(), "Entries were repaired".to_owned()),
        "extra" => ("Überzählige Einträge gefunden".to_owned(), "Entries too many were found".to_owned()),
        "set_aside" => ("Einträge zur Seite gelegt".to_owned(), "Entries were set aside".to_owned()),
        "agreement_ends" => ("Eine Vereinbarung läuft aus".to_owned(), "An agreement is about to end".to_owned()),
        "agreement_over" => ("Eine Vereinbarung ist ausgelaufen".to_owned(), "An agreement has ended".to_owned()),
        "agreement_offered" => {
            ("Eine Vereinbarung wartet auf Unterschrift".to_owned(), "An agreement waits for a signature".to_owned())
        }
        "clock_ahead" => ("Eine Uhr geht weit vor".to_owned(), "A clock is far ahead".to_owned()),
        "full" => ("Mehr Einträge, als hier Platz haben".to_owned(), "More entries than there is room for".to_owned()),
        "not_stored" => ("Einträge ließen sich nicht speichern".to_owned(), "Entries could not be stored".to_owned()),
        "partnership_ended" => (
            format!("Die Partnerschaft mit {partner} ist beendet"),
            format!("The partnership with {partner} has ended"),
        ),
        "deletion_unsaid" => (
            format!("{partner} weiß nicht, dass hier gelöscht wurde"),
            format!("{partner} does not know that its copy was deleted here"),
        ),
        other => (format!("Achtung: {other}"), format!("Attention: {other}")),
    };
    lang.pick(de, en)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::format::local;

    #[test]
    fn alarms_are_told_in_plain_words() {
        let status = Status {
            alarms: vec![AlarmInfo {
                kind: "invalid_record".into(),
                message: "Stadt Bonn sent a record whose signature does not hold; nothing was taken over".into(),
                partner: Some("Stadt Bonn".into()),
                at: "2026-07-01T11:00:00Z".into(),
                count: 3,
            }],
            partners: vec![PartnerStatus {
                name: "Stadt Köln".into(),
                introduces: vec!["Stadt Hürth".into()],
                ..PartnerStatus::default()
            }],
            ..Status::default()
        };
        let now = local("2026-07-01T12:00:00Z".parse().expect("a time"));
        let text = page(&status, &now, Lang::De).into_string();
        for part in [
            "Ungültige Daten von Stadt Bonn abgewiesen",
            "vor 1 Stunde, seitdem 3-mal",
            "über Stadt Köln",
            "Stadt Hürth",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }
}
