//! The table of a month as CSV: the same bytes on both sides.

use std::fmt::Write as _;

use super::Settled;

/// The columns. No value needs quotes: all are words, numbers, times and ids.
const HEADER: &str = "kind;at;contact;agreement;version;outcome;topics;place;channel;seconds;billed_seconds;cents";

/// The table: a line for each contact, for each price by the month, then the sums.
pub fn csv(settled: &Settled<'_>) -> String {
    let mut out = format!("{HEADER}\n");
    // Writing to a string cannot fail, here and below.
    for line in &settled.lines {
        let contact = line.contact;
        let (agreement, version) = contact
            .under
            .as_ref()
            .map_or((String::new(), String::new()), |under| (under.agreement.clone(), under.version.to_string()));
        let _ = writeln!(
            out,
            "{};{};{};{agreement};{version};{};{};{};{};{};{};{}",
            line.kind.word(),
            contact.at,
            contact.id,
            contact.outcome.word(),
            contact.topics.join(","),
            contact.place.as_deref().unwrap_or_default(),
            contact.channel.word(),
            contact.seconds,
            line.billed_seconds,
            line.cents,
        );
    }
    let month = settled.statement.month;
    for flat in settled.flats.iter().filter(|flat| flat.cents != 0) {
        let (agreement, version) = (&flat.under.agreement, flat.under.version);
        let _ = writeln!(out, "month;{month};{} days;{agreement};{version};;;;;;;{}", flat.days, flat.cents);
    }
    let mut sum = |what: &str, detail: &str, cents: i64| {
        let _ = writeln!(out, "{what};{month};{detail};;;;;;;;;{cents}");
    };
    sum("net", "", settled.statement.net_cents);
    sum("cap", "", -settled.statement.cap_cents);
    for tax in &settled.taxes {
        sum("tax", &format!("{} permille of {}", tax.permille, tax.net_cents), tax.cents);
    }
    sum("total", "", settled.statement.total_cents);
    out
}
