//! Whose something is and how sure that is, in plain words.

use jiff::Zoned;
use maud::{Markup, html};
use ortsnetz_node::dto::{LeavingInfo, OrganisationInfo, PartnerStatus};

use super::format::{ago, count, date};
use super::lang::Lang;
use super::layout::badge;

/// Name of the organisation, with marks where a reader should be careful.
pub(crate) fn owner(organisation: &OrganisationInfo, lang: Lang) -> Markup {
    html! {
        strong { (organisation.name) }
        @if organisation.standing.as_deref() == Some("introduced") {
            @let by = organisation.introduced_by.as_deref().unwrap_or(lang.pick("einem Partner", "a partner"));
            (badge("", &lang.pick(format!("vorgestellt von {by}"), format!("introduced by {by}"))))
        }
        @match organisation.place_state.as_deref() {
            Some("unconfirmed") => (badge("warn", lang.pick("Ort noch nicht bestätigt", "town not yet confirmed"))),
            Some("contradicted") => (badge("bad", lang.pick("Ort wird doppelt beansprucht", "place claimed twice"))),
            _ => {}
        }
        @if let Some(successor) = &organisation.succeeded_by {
            (badge("bad", &lang.pick(
                format!("antwortet nicht mehr, Nachfolge: {successor}"),
                format!("answers no more, succeeded by {successor}"),
            )))
        }
        @if let Some(leaving) = &organisation.leaving {
            (badge(if leaving.left { "bad" } else { "warn" }, &leaving_words(leaving, lang)))
        }
        @if let Some(since) = &organisation.expired_since {
            @let day = since.get(..10).unwrap_or(since);
            (badge("warn", &lang.pick(
                format!("Zertifikat seit {day} abgelaufen: letzter geprüfter Stand"),
                format!("certificate ended {day}: last verified state"),
            )))
        }
    }
}

/// That somebody takes part no more, or soon does not: since when, and whom to call.
pub(crate) fn leaving_words(leaving: &LeavingInfo, lang: Lang) -> String {
    let on = leaving.on.parse().map_or_else(|_| leaving.on.clone(), |on| date(on, lang));
    let mut words = match (leaving.left, lang) {
        (true, Lang::De) => format!("nimmt seit {on} nicht mehr teil"),
        (false, Lang::De) => format!("nimmt ab {on} nicht mehr teil"),
        (true, Lang::En) => format!("no longer takes part since {on}"),
        (false, Lang::En) => format!("takes part no more from {on} on"),
    };
    if let Some(telephone) = &leaving.telephone {
        words.push_str(&format!(", {} {telephone}", lang.pick("Telefon", "telephone")));
    }
    words
}

/// Tells of organisations that take part no more what a citizen should know.
pub(crate) fn left_notice(organisations: &[OrganisationInfo], lang: Lang) -> Markup {
    html! {
        @for organisation in organisations {
            @if let Some(leaving) = organisation.leaving.as_ref().filter(|leaving| leaving.left) {
                div .notice .warn role="status" {
                    p { strong { (organisation.name) } " " (leaving_words(leaving, lang)) "." }
                    @if let Some(note) = &leaving.note { p { (note) } }
                    p .quiet {
                        (lang.pick(
                            "Was hier von dort noch zu lesen ist, wird nicht mehr gepflegt.",
                            "What can still be read here from there is not kept up to date any more.",
                        ))
                    }
                }
            }
        }
    }
}

/// How things stand with a partner.
pub(crate) fn partner_state(partner: &PartnerStatus, now: &Zoned, lang: Lang) -> Markup {
    let (tone, text) = match (partner.connected, partner.in_sync) {
        (true, true) => ("good", lang.pick("auf gleichem Stand", "in sync").to_owned()),
        (true, false) if partner.behind > 0 => {
            let behind = count(partner.behind, lang);
            ("warn", lang.pick(format!("wird abgeglichen, {behind} fehlen noch"), format!("syncing, {behind} to go")))
        }
        (true, false) => ("warn", lang.pick("wird abgeglichen", "syncing").to_owned()),
        (false, _) => ("bad", lang.pick("keine Verbindung", "not connected").to_owned()),
    };
    html! {
        (badge(tone, &text))
        @if !partner.confirmed && !partner.own_node {
            " " (badge("warn", lang.pick("noch nicht bestätigt", "not yet confirmed")))
        }
        @if let Some(leaving) = &partner.leaving {
            " " (badge(if leaving.left { "bad" } else { "warn" }, &leaving_words(leaving, lang)))
            @if let Some(deletion) = &partner.deletion {
                div .quiet {
                    (lang.pick("Kopie gelöscht am ", "copy deleted on ")) (deletion.at.get(..10).unwrap_or(&deletion.at))
                    ", " (count(deletion.entries, lang)) (lang.pick(" Einträge", " entries"))
                }
            }
        }
        @if !partner.connected {
            div .quiet {
                @match &partner.last_sync_at {
                    Some(at) => { (lang.pick("Stand von ", "as of ")) (ago(at, now, lang)) },
                    None => { (lang.pick("noch nie abgeglichen", "never in sync yet")) },
                }
            }
        }
    }
}

/// The table of partners. On a phone each partner becomes a block, and the style sheet shows `data-label` before a value.
pub(crate) fn partners_table(partners: &[&PartnerStatus], caption: &str, now: &Zoned, lang: Lang) -> Markup {
    html! {
        div .scroll {
            table .stacked {
                caption { (caption) }
                thead {
                    tr {
                        th scope="col" { (lang.pick("Kommune", "Organisation")) }
                        th scope="col" { (lang.pick("Stand", "State")) }
                        th scope="col" .number { (lang.pick("Einträge hier", "Entries here")) }
                        th scope="col" { (lang.pick("Zuletzt abgeglichen", "Last in sync")) }
                    }
                }
                tbody {
                    @for partner in partners {
                        tr {
                            th scope="row" { (partner.name) }
                            td { (partner_state(partner, now, lang)) }
                            td .number data-label=(lang.pick("Einträge hier", "Entries here")) { (count(partner.entries, lang)) }
                            td data-label=(lang.pick("Zuletzt abgeglichen", "Last in sync")) { (partner.last_sync_at.as_deref().map_or_else(|| "–".to_owned(), |at| ago(at, now, lang))) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::format::local;

    #[test]
    fn a_stranger_is_marked_with_who_introduced_it() {
        let stranger = OrganisationInfo {
            name: "Stadt Köln".into(),
            standing: Some("introduced".into()),
            introduced_by: Some("Stadt Bonn".into()),
            place_state: Some("contradicted".into()),
            ..OrganisationInfo::default()
        };
        let text = owner(&stranger, Lang::De).into_string();
        assert!(text.contains("vorgestellt von Stadt Bonn"), "{text}");
        assert!(text.contains("doppelt beansprucht"), "{text}");
        let since = Some("2028-11-22T10:00:00Z".to_owned());
        let successor = Some("Stadt Bonn".to_owned());
        let ended = OrganisationInfo { expired_since: since, succeeded_by: successor, ..stranger.clone() };
        let text = owner(&ended, Lang::De).into_string();
        assert!(text.contains("seit 2028-11-22 abgelaufen: letzter geprüfter Stand"), "{text}");
        assert!(text.contains("antwortet nicht mehr, Nachfolge: Stadt Bonn"), "{text}");
        let own = OrganisationInfo { name: "Stadt Köln".into(), standing: Some("own".into()), ..stranger };
        let own = OrganisationInfo { place_state: Some("confirmed".into()), ..own };
        assert_eq!(owner(&own, Lang::De).into_string(), "<strong>Stadt Köln</strong>");
    }

    #[test]
    fn who_leaves_is_marked_before_and_since_and_says_whom_to_call() {
        let mut leaving = LeavingInfo {
            on: "2027-01-01".into(),
            left: true,
            telephone: Some("+49 2241 102-0".into()),
            note: Some("Auskunft gibt der Kreis".into()),
            ..LeavingInfo::default()
        };
        let town = |leaving: &LeavingInfo| OrganisationInfo {
            name: "Stadt Köln".into(),
            leaving: Some(leaving.clone()),
            ..OrganisationInfo::default()
        };
        let text = owner(&town(&leaving), Lang::De).into_string();
        assert!(text.contains("nimmt seit 1. Januar 2027 nicht mehr teil, Telefon +49 2241 102-0"), "{text}");
        let notice = left_notice(&[town(&leaving)], Lang::De).into_string();
        assert!(notice.contains("nicht mehr gepflegt") && notice.contains("Auskunft gibt der Kreis"), "{notice}");
        let english = leaving_words(&leaving, Lang::En);
        assert_eq!(english, "no longer takes part since 1 January 2027, telephone +49 2241 102-0");
        (leaving.left, leaving.telephone) = (false, None);
        let text = owner(&town(&leaving), Lang::De).into_string();
        assert!(text.contains("nimmt ab 1. Januar 2027 nicht mehr teil<"), "{text}");
        assert_eq!(left_notice(&[town(&leaving)], Lang::De).into_string(), "");
        let now = local("2027-02-02T12:00:00Z".parse().expect("a time"));
        let deletion = Some(ortsnetz_node::dto::DeletionInfo { at: "2027-01-31T00:00:00Z".into(), entries: 412 });
        let partner = PartnerStatus { leaving: Some(leaving), deletion, ..PartnerStatus::default() };
        let text = partner_state(&partner, &now, Lang::De).into_string();
        assert!(text.contains("Kopie gelöscht am 2027-01-31, 412 Einträge"), "{text}");
    }

    #[test]
    fn a_row_of_the_table_says_what_its_values_are_without_the_headline() {
        let now = local("2026-07-01T12:00:00Z".parse().expect("a time"));
        let partner = PartnerStatus { name: "Stadt Köln".into(), entries: 1200, ..PartnerStatus::default() };
        let text = partners_table(&[&partner], "Partner", &now, Lang::De).into_string();
        assert!(text.contains("<table class=\"stacked\">"), "{text}");
        assert!(text.contains("<td class=\"number\" data-label=\"Einträge hier\">1.200</td>"), "{text}");
        assert!(text.contains("<td data-label=\"Zuletzt abgeglichen\">–</td>"), "{text}");
    }

    #[test]
    fn a_partner_out_of_reach_says_how_old_its_copy_is() {
        let now = local("2026-07-01T12:00:00Z".parse().expect("a time"));
        let partner = PartnerStatus {
            confirmed: true,
            last_sync_at: Some("2026-07-01T10:00:00Z".into()),
            ..PartnerStatus::default()
        };
        let text = partner_state(&partner, &now, Lang::De).into_string();
        assert!(text.contains("keine Verbindung") && text.contains("Stand von vor 2 Stunden"), "{text}");
        let behind = PartnerStatus { connected: true, behind: 1200, ..partner };
        let text = partner_state(&behind, &now, Lang::De).into_string();
        assert!(text.contains("1.200 fehlen noch"), "{text}");
    }
}
