//! The node's numbers in the text format of Prometheus.

use std::fmt::Write as _;

use ortsnetz_node::dto::Metric;

/// Content type of the text format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics as text, in the order given.
pub(crate) fn render(metrics: &[Metric]) -> String {
    let mut out = String::new();
    for metric in metrics {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "# HELP {} {}", metric.name, metric.help.replace('\\', "\\\\").replace('\n', "\\n"));
        let _ = writeln!(out, "# TYPE {} {}", metric.name, metric.kind);
        for (labels, value) in &metric.values {
            let labels: Vec<String> =
                labels.iter().map(|(name, text)| format!("{name}=\"{}\"", escaped(text))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(out, "{}{labels} {}", metric.name, value + 0.0);
        }
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let partner = Metric {
            name: "ortsnetz_partner_connected",
            help: "1 if a greeting was received",
            kind: "gauge",
            values: vec![(vec![("partner", "Stadt \"Köln\"\\".into())], 1.0)],
        };
        let entries =
            Metric { name: "ortsnetz_entries", help: "live entries", kind: "gauge", values: vec![(vec![], 12.0)] };
        assert_eq!(
            render(&[partner, entries]),
            "# HELP ortsnetz_partner_connected 1 if a greeting was received\n\
             # TYPE ortsnetz_partner_connected gauge\n\
             ortsnetz_partner_connected{partner=\"Stadt \\\"Köln\\\"\\\\\"} 1\n\
             # HELP ortsnetz_entries live entries\n\
             # TYPE ortsnetz_entries gauge\n\
             ortsnetz_entries 12\n"
        );
    }
}
