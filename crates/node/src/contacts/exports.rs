//! The records of a settled month as JSON: everything needed to compute it once more, without this program.

use ortsnetz_service::settlement::{LineKind, Settled, Statement, Version};
use serde_json::json;

use crate::error::NodeError;

/// The contacts a month is about, the prices, and the statement that both sign.
pub(super) fn records(
    settled: &Settled<'_>,
    versions: &[Version],
    before: Option<&Statement>,
) -> Result<Vec<u8>, NodeError> {
    let statement = &settled.statement;
    let before = before.filter(|before| before.month.year() == statement.month.year());
    let contacts: Vec<_> = settled
        .lines
        .iter()
        .map(|line| {
            let mut contact = json!(line.contact);
            contact["settled"] = json!(line.kind == LineKind::Correction);
            contact["reversed"] = json!(matches!(line.kind, LineKind::Correction | LineKind::Reversed));
            contact
        })
        .collect();
    let versions: Vec<_> = versions
        .iter()
        .map(|version| {
            json!({
                "agreement": version.under.agreement,
                "version": version.under.version,
                "from": version.terms.valid_from,
                "until": (version.last_day != jiff::civil::Date::MAX).then(|| version.last_day.to_string()),
                "prices": version.terms.prices,
            })
        })
        .collect();
    let all = json!({
        "month": statement.month,
        "year_net_cents_before": before.map_or(0, |before| before.year_net_cents),
        "year_billed_cents_before": before.map_or(0, |before| before.year_billed_cents),
        "versions": versions,
        "contacts": contacts,
        "statement": statement,
    });
    serde_json::to_vec_pretty(&all).map_err(|error| NodeError::Unavailable(format!("the export failed: {error}")))
}
