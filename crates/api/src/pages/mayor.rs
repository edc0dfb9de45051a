//! The page about a month for the mayor: figures in words and tables, to print. It stands alone in one file and is not public:
//! it is the answer to a question that needs the token.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use ortsnetz_node::dto::{Counted, Gaps, Measured, Report, ReportRow};

use super::format::MONTHS_DE;
use super::layout::STYLE;

/// Topics and places shown of one row.
const SHOWN_MAX: usize = 10;
/// What paper needs beside the style of all pages.
const PRINT: &str = "@page { size: A4; margin: 18mm; } @media print { .top { border: 0; } main { padding: 0; } \
    .card { break-inside: avoid; border-color: #999; box-shadow: none; } }";

/// The whole document.
pub(crate) fn page(report: &Report, gaps: &Gaps) -> Markup {
    let title = format!("Auskunft und Zusammenarbeit im Monat {}", month(&report.month));
    html! {
        (DOCTYPE)
        html lang="de" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " – " (report.organisation.name) }
                style { (PreEscaped(STYLE)) (PreEscaped(PRINT)) }
            }
            body {
                header .top { div .bar { div .brand { span { span .name { (report.organisation.name) } span .sub { "Ortsnetz" } } } } }
                main {
                    h1 { (title) }
                    p .lead { "Zahlen unter 5 stehen als „< 5“. Keine Zahl betrifft einzelne Beschäftigte." }
                    @if report.rows.is_empty() { p { "In diesem Monat gab es keine Kontakte." } }
                    @for row in &report.rows { (section(report, row)) }
                    (open_points(gaps))
                }
            }
        }
    }
}

fn section(report: &Report, row: &ReportRow) -> Markup {
    let heading = if row.partner.id == report.organisation.id {
        format!("Eigene Stadt: {}", row.partner.name)
    } else if row.we_answer {
        format!("Wir für {}", row.partner.name)
    } else {
        format!("{} für uns", row.partner.name)
    };
    html! {
        section .card {
            h2 { (heading) }
            ul .figures {
                li { strong { (row.contacts) } "Kontakte" }
                li { strong { (share(&row.first_contact)) } "beim ersten Kontakt beantwortet" (target(&row.first_contact)) }
                li { strong { (share(&row.accepted)) } "rechtzeitig angenommen" (target(&row.accepted)) }
                li { strong { (share(&row.followed_up)) } "Rückmeldungen rechtzeitig" (target(&row.followed_up)) }
                @if let Some(seconds) = row.average_seconds { li { strong { (duration(seconds)) } "durchschnittlich" } }
                @if let Some(lost) = &row.lost { li { strong { (lost) } "Anrufe aufgegeben" } }
            }
            @if let (Some(state), Some(cents)) = (&row.settlement, row.total_cents) {
                p { "Abrechnung: " (settled(state)) ", " (euros(cents)) "." }
            }
            (table("Ausgang", &row.outcomes, outcome))
            (table("Kanal", &row.channels, channel))
            (table("Themen", &row.topics, |counted| counted.name.clone()))
            @if row.places.len() > 1 { (table("Orte", &row.places, |counted| counted.name.clone())) }
        }
    }
}

fn table(caption: &str, rows: &[Counted], name: impl Fn(&Counted) -> String) -> Markup {
    html! {
        @if !rows.is_empty() {
            table {
                caption { (caption) }
                tbody {
                    @for row in rows.iter().take(SHOWN_MAX) { tr { th scope="row" { (name(row)) } td { (row.count) } } }
                }
            }
        }
    }
}

fn open_points(gaps: &Gaps) -> Markup {
    let points = [
        (gaps.overdue.len(), "Einträge sind überfällig oder veraltet"),
        (gaps.incomplete.len(), "Leistungen haben keine Gebühr, keine Stelle oder keinen Prüftermin"),
        (gaps.duplicates.len(), "Leistungen stehen für denselben Ort doppelt"),
        (gaps.required.len(), "Vereinbarungen sind nicht vollständig beschrieben"),
        (gaps.words.len(), "Wörter wurden mehrfach ohne Treffer gesucht"),
    ];
    html! {
        section .card {
            h2 { "Was zu tun ist" }
            @if points.iter().all(|(count, _)| *count == 0) { p { "Nichts ist offen." } } @else {
                ul { @for (count, text) in points.iter().filter(|(count, _)| *count > 0) { li { (count) " " (text) } } }
                @if !gaps.words.is_empty() {
                    p { "Gesucht und nicht gefunden: "
                        (gaps.words.iter().take(SHOWN_MAX).map(|word| word.name.as_str()).collect::<Vec<_>>().join(", ")) "." }
                }
            }
        }
    }
}

fn share(measured: &Measured) -> String {
    match (measured.percent, measured.state.as_str()) {
        (Some(percent), _) => format!("{percent} %"),
        (None, "not_measured") => "nicht gemessen".into(),
        (None, _) => "zu wenige".into(),
    }
}

fn target(measured: &Measured) -> Markup {
    let met = match measured.state.as_str() {
        "met" => ", erreicht",
        "missed" => ", nicht erreicht",
        _ => "",
    };
    html! { @if let Some(target) = measured.target { " (vereinbart: " (target) " %" (met) ")" } }
}

fn duration(seconds: u64) -> String {
    format!("{}:{:02} min", seconds / 60, seconds % 60)
}

fn euros(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{},{:02} EUR", cents.unsigned_abs() / 100, cents.unsigned_abs() % 100)
}

fn settled(state: &str) -> &str {
    match state {
        "open" => "offen",
        "proposed" => "vorgeschlagen",
        "objected" => "beanstandet",
        "closed" => "von beiden unterschrieben",
        other => other,
    }
}

fn outcome(counted: &Counted) -> String {
    match counted.key.as_str() {
        "answered" => "beantwortet",
        "connected" => "verbunden",
        "not_reached" => "niemanden erreicht",
        "forwarded" => "weitergeleitet",
        "call_back" => "Rückruf zugesagt",
        "complaint" => "Beschwerde",
        "gave_up" => "aufgegeben",
        "not_responsible" => "nicht zuständig",
        other => other,
    }
    .to_owned()
}

fn channel(counted: &Counted) -> String {
    match counted.key.as_str() {
        "phone" => "Telefon",
        "email" => "E-Mail",
        "chat" => "Chat",
        "counter" => "persönlich",
        "letter" => "Brief",
        "web" => "Formular",
        other => other,
    }
    .to_owned()
}

/// `November 2026` for `2026-11`.
fn month(text: &str) -> String {
    let parts = text.split_once('-').and_then(|(year, month)| Some((year, month.parse::<usize>().ok()?)));
    let name = parts.and_then(|(year, month)| Some(format!("{} {year}", MONTHS_DE.get(month.checked_sub(1)?)?)));
    name.unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use ortsnetz_node::dto::{Figure, OrganisationInfo};

    use super::*;

    #[test]
    fn the_page_tells_figures_in_words_and_nothing_that_others_wrote_is_markup() {
        let partner = OrganisationInfo { id: "2".into(), name: "Stadt <b>Bonn".into(), ..OrganisationInfo::default() };
        let topic = Counted { key: "leika:1".into(), name: "<script>".into(), count: Figure::Small("< 5".into()) };
        let row = ReportRow {
            partner,
            we_answer: true,
            contacts: Figure::Number(1_234),
            topics: vec![topic],
            accepted: Measured { percent: None, target: Some(75), state: "not_measured".into() },
            first_contact: Measured { percent: Some(64), target: Some(65), state: "missed".into() },
            settlement: Some("closed".into()),
            total_cents: Some(-1_205),
            ..ReportRow::default()
        };
        let report = Report { month: "2026-03".into(), rows: vec![row], ..Report::default() };
        let text = page(&report, &Gaps::default()).into_string();
        for part in [
            "im Monat März 2026",
            "Wir für Stadt &lt;b&gt;Bonn",
            "nicht gemessen",
            "64 %",
            "(vereinbart: 65 %, nicht erreicht)",
            "&lt; 5",
            "&lt;script&gt;",
            "von beiden unterschrieben, -12,05 EUR",
            "Nichts ist offen.",
        ] {
            assert!(text.contains(part), "{part} is missing: {text}");
        }
        assert!(!text.contains("<script") && !text.contains("src=") && !text.contains("href="), "it stands alone");
        assert_eq!(month("2026-13"), "2026-13");
    }
}
