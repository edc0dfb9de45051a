//! `reports`.

use std::fmt::Write as _;
use std::path::Path;

use ortsnetz_node::dto::{Counted, Gaps, Measured, MonthInfo, Report, ReportRow};
use serde_json::{Value, json};

use super::Context;
use super::transfer::deliver;
use crate::args::{ExportForm, MonthlyReports, OneMonth, Settle};
use crate::client::segment;
use crate::failure::Failure;
use crate::table::Table;

/// Rows of a list shown in the table; `--json` has all.
const SHOWN_MAX: usize = 20;
/// This month, for whoever names none.
const THIS_MONTH: &str = "now";

/// `reports month|gaps|mayor|settle`
pub(crate) fn reports(context: &Context, args: MonthlyReports) -> Result<(), Failure> {
    let daemon = context.daemon()?;
    let path = |month: Option<String>| format!("/reports/{}", segment(month.as_deref().unwrap_or(THIS_MONTH)));
    match args {
        MonthlyReports::Month { month, partner } => {
            let document = daemon.get(&path(month), &[("partner", partner)])?;
            context.output.show(document, |report: Report| report_lines(&report))
        }
        MonthlyReports::Gaps => context.output.show(daemon.get("/gaps", &[])?, |gaps: Gaps| gap_lines(&gaps)),
        MonthlyReports::Mayor { month, out } => {
            let mut reader = daemon.download(&format!("{}/mayor", path(month)), &[])?;
            deliver(context, &mut reader, Some(out))
        }
        MonthlyReports::Settle(args) => settle(context, args),
    }
}

/// `reports settle list|show|propose|object|accept|keep|sign|export`
fn settle(context: &Context, args: Settle) -> Result<(), Failure> {
    let daemon = context.daemon()?;
    let at = |of: &OneMonth, verb: &str| format!("/settlements/{}/{}{verb}", segment(&of.partner), segment(&of.month));
    let show = |document: Value| context.output.show(document, |month: MonthInfo| month_lines(&month));
    let answer = |contacts: &[String], reason: Option<&str>| json!({"contacts": contacts, "reason": reason});
    let direction = |which: Option<bool>| ("we_answer", which.map(|we_answer| we_answer.to_string()));
    match args {
        Settle::List { partner } => {
            let document = daemon.get("/settlements", &[("partner", partner)])?;
            context.output.show(document, |all: Vec<MonthInfo>| months(&all))
        }
        Settle::Show(which) => show(daemon.get(&at(&which.of, ""), &[direction(which.direction())])?),
        Settle::Propose(of) => show(daemon.post(&at(&of, "/propose"), &json!({}))?),
        Settle::Object(lines) => {
            show(daemon.post(&at(&lines.month, "/object"), &answer(&lines.contacts, Some(&lines.reason)))?)
        }
        Settle::Accept { month, contacts } => show(daemon.post(&at(&month, "/answer"), &answer(&contacts, None))?),
        Settle::Keep(lines) => {
            show(daemon.post(&at(&lines.month, "/answer"), &answer(&lines.contacts, Some(&lines.reason)))?)
        }
        Settle::Sign(of) => show(daemon.post(&at(&of, "/sign"), &json!({}))?),
        Settle::Export { which, format, out } => {
            let format = format.or_else(|| by_name(out.as_deref()?)).unwrap_or(ExportForm::Csv);
            let query = [("format", Some(format.word().to_owned())), direction(which.direction())];
            let mut reader = daemon.download(&at(&which.of, "/export"), &query)?;
            deliver(context, &mut reader, out)
        }
    }
}

/// The form a file name asks for.
fn by_name(path: &Path) -> Option<ExportForm> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" => Some(ExportForm::Csv),
        "json" => Some(ExportForm::Json),
        "pdf" => Some(ExportForm::Pdf),
        _ => None,
    }
}

/// `1234.50 EUR`
fn euros(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02} EUR", cents.unsigned_abs() / 100, cents.unsigned_abs() % 100)
}

fn months(all: &[MonthInfo]) -> String {
    if all.is_empty() {
        return "no month has contacts with a partner yet\n".into();
    }
    let mut table = Table::new(&["month", "partner", "we", "state", ">offer", ">objections", ">total"]);
    for month in all {
        table.row([
            month.month.clone(),
            month.partner.name.clone(),
            if month.we_answer { "answer" } else { "are answered for" }.into(),
            month.state.clone(),
            month.revision.to_string(),
            month.objections.len().to_string(),
            month.sums.as_ref().map(|sums| euros(sums.total_cents)).unwrap_or_default(),
        ]);
    }
    table.render()
}

fn month_lines(month: &MonthInfo) -> String {
    let who = if month.we_answer { "we answer for" } else { "is answered by" };
    let mut out = format!("{} · {} · {who} {}\n", month.month, month.state, month.partner.name);
    // Writing to a string cannot fail, here and below.
    if let Some(hash) = &month.text_hash {
        let _ = writeln!(out, "offer {} · text {hash}", month.revision);
    }
    for (what, at) in [("proposed", &month.proposed_at), ("signed", &month.signed_at)] {
        if let Some(at) = at {
            let _ = writeln!(out, "{what} at {at}");
        }
    }
    if let Some(sums) = &month.sums {
        let so_far = if month.revision == 0 { " so far" } else { "" };
        let _ = writeln!(out, "\n{} lines{so_far}", sums.lines);
        for (what, cents) in [
            ("net", sums.net_cents),
            ("over the cap", -sums.cap_cents),
            ("tax", sums.tax_cents),
            ("total", sums.total_cents),
        ] {
            let _ = writeln!(out, "  {what:<14}{:>16}", euros(cents));
        }
    }
    for objection in &month.objections {
        let reply = objection.reply.as_ref().map(|reply| format!(" · {reply}")).unwrap_or_default();
        let _ = writeln!(out, "objection to {} · {} · {}{reply}", objection.contact, objection.reason, objection.state);
    }
    out
}

fn share(measured: &Measured) -> String {
    let percent = match (measured.percent, measured.state.as_str()) {
        (Some(percent), _) => format!("{percent} %"),
        (None, "not_measured") => "not measured".into(),
        (None, _) => "too few".into(),
    };
    match measured.target {
        Some(target) => format!("{percent} (agreed {target} %: {})", measured.state.replace('_', " ")),
        None => percent,
    }
}

fn report_lines(report: &Report) -> String {
    if report.rows.is_empty() {
        return format!("{}: no contacts; record one with `ortsnetz contacts add OUTCOME`\n", report.month);
    }
    let mut out = format!("{} · {}\n", report.organisation.name, report.month);
    for row in &report.rows {
        let own = row.partner.id == report.organisation.id;
        let who = if own {
            "own town".to_owned()
        } else if row.we_answer {
            format!("we for {}", row.partner.name)
        } else {
            format!("{} for us", row.partner.name)
        };
        let _ = writeln!(out, "\n{who}: {} contacts, {} reversed", row.contacts, row.reversed);
        row_lines(&mut out, row);
    }
    out
}

fn row_lines(out: &mut String, row: &ReportRow) {
    for (what, measured) in [
        ("first contact", &row.first_contact),
        ("taken in time", &row.accepted),
        ("followed up in time", &row.followed_up),
    ] {
        let _ = writeln!(out, "  {what:<22}{}", share(measured));
    }
    if let (Some(calls), Some(lost)) = (&row.calls, &row.lost) {
        let _ = writeln!(out, "  {:<22}{calls}, {lost} lost", "calls");
    }
    let joined = |all: &[Counted]| {
        let shown = all.iter().take(SHOWN_MAX).map(|one| format!("{} {}", one.name, one.count));
        shown.collect::<Vec<_>>().join(", ")
    };
    for (what, all) in
        [("outcomes", &row.outcomes), ("channels", &row.channels), ("topics", &row.topics), ("places", &row.places)]
    {
        if !all.is_empty() {
            let _ = writeln!(out, "  {what:<22}{}", joined(all));
        }
    }
    if let Some(state) = &row.settlement {
        let total = row.total_cents.map(|cents| format!(", {}", euros(cents))).unwrap_or_default();
        let _ = writeln!(out, "  {:<22}{state}{total}", "settlement");
    }
}

fn gap_lines(gaps: &Gaps) -> String {
    let mut out = String::new();
    let mut list = |what: &str, rows: Vec<String>| {
        if rows.is_empty() {
            return;
        }
        let _ = writeln!(out, "{what}: {}", rows.len());
        for row in rows.iter().take(SHOWN_MAX) {
            let _ = writeln!(out, "  {row}");
        }
        if rows.len() > SHOWN_MAX {
            let _ = writeln!(out, "  ... and {} more; --json shows all", rows.len() - SHOWN_MAX);
        }
    };
    list(
        "sought without a hit",
        gaps.words.iter().map(|word| format!("{} · {} times", word.name, word.count)).collect(),
    );
    let required = gaps
        .required
        .iter()
        .map(|one| format!("{} · {} of {} topics complete", one.title, one.required.complete, one.required.total));
    list("agreements not described", required.collect());
    let incomplete = gaps.incomplete.iter().map(|one| {
        format!("{} · {} · {} · no {}", one.entry.id, one.entry.owner, one.entry.title, one.missing.join(", no "))
    });
    list("services that lack something", incomplete.collect());
    let overdue = gaps.overdue.iter().map(|one| {
        let since = one.next_review.as_ref().map(|date| format!(" since {date}")).unwrap_or_default();
        format!("{} · {} · {} · {}{since}", one.entry.id, one.entry.owner, one.entry.title, one.state)
    });
    list("to be reviewed", overdue.collect());
    let duplicates = gaps.duplicates.iter().map(|one| {
        let titles: Vec<&str> = one.entries.iter().map(|entry| entry.title.as_str()).collect();
        format!("{} {} · {}", one.leika, one.place, titles.join(" = "))
    });
    list("there twice", duplicates.collect());
    if out.is_empty() { "nothing is missing\n".into() } else { out }
}

#[cfg(test)]
mod tests {
    use ortsnetz_node::dto::{Figure, MonthSums};

    use super::*;

    #[test]
    fn a_month_says_what_it_costs_and_how_it_stands() {
        let sums = MonthSums { lines: 3, net_cents: 1_000, cap_cents: 5, total_cents: -95, ..MonthSums::default() };
        let month =
            MonthInfo { month: "2026-11".into(), state: "open".into(), sums: Some(sums), ..MonthInfo::default() };
        let text = month_lines(&month);
        assert!(
            text.contains("3 lines so far\n") && text.contains("-0.95 EUR") && text.contains("-0.05 EUR"),
            "{text}"
        );
        assert!(months(&[month]).contains("-0.95 EUR"));
        assert_eq!(by_name(Path::new("a.PDF")), Some(ExportForm::Pdf));
        assert_eq!(by_name(Path::new("a")), None);
    }

    #[test]
    fn a_report_tells_small_numbers_as_small() {
        let row = ReportRow {
            contacts: Figure::Small("< 5".into()),
            accepted: Measured { percent: None, target: Some(75), state: "not_measured".into() },
            ..ReportRow::default()
        };
        let report = Report { month: "2026-11".into(), rows: vec![row], ..Report::default() };
        let text = report_lines(&report);
        assert!(text.contains("< 5 contacts, 0 reversed"), "{text}");
        assert!(text.contains("not measured (agreed 75 %: not measured)"), "{text}");
        assert_eq!(gap_lines(&Gaps::default()), "nothing is missing\n");
    }
}
