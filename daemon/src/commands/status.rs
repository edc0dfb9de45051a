//! `status`, `doctor`, `publisher`.

use std::fmt::Write as _;

use ortsnetz_node::dto::{Doctor, PartnerStatus, PublisherInfo, Status};
use serde_json::json;

use super::Context;
use crate::args::Publisher;
use crate::failure::Failure;
use crate::table::Table;

/// `status`
pub(crate) fn status(context: &Context) -> Result<(), Failure> {
    let document = context.daemon()?.get("/status", &[])?;
    context.output.show(document, |status: Status| lines(&status))
}

fn lines(status: &Status) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{name:<13} {value}");
    };
    let organisation = &status.organisation;
    line("organisation", format!("{} (ARS {})", organisation.name, organisation.ars));
    line("", organisation.id.clone());
    let role = if status.publisher { "publisher" } else { "not the publisher" };
    line("node", format!("{} ({role}, term {})", status.node.id, status.term));
    for address in &status.node.addresses {
        line("", address.clone());
    }
    line("http", format!("http://{}", status.http));
    let entries = &status.entries;
    line("entries", format!("{} own, {} drafts, {} replicated", entries.own, entries.drafts, entries.replicated));
    line("last change", status.last_change_at.clone().unwrap_or_else(|| "none yet".into()));
    if status.search != "current" {
        line("search", format!("{}: answers may be incomplete", status.search));
    }
    if !status.recovery_checked {
        line(
            "recovery",
            "the sheet was never read back; do it once with `ortsnetz identity sheet --check FILE`".into(),
        );
    }
    for keeper in &status.keepers {
        let copy = match (&keeper.copy, &keeper.confirmed_at) {
            (Some(copy), Some(at)) => format!("{} has that of {} (confirmed {at})", keeper.name, copy.at),
            _ => format!("{} has none yet", keeper.name),
        };
        let problem = keeper.problem.as_ref().map(|problem| format!("; the newest not: {problem}")).unwrap_or_default();
        line("sealed copy", format!("{copy}{problem}"));
    }
    for alarm in &status.alarms {
        line("ALARM", format!("{} (since {}, {} times)", alarm.message, alarm.at, alarm.count));
    }
    for task in &status.tasks {
        line("task", task.message.clone());
    }
    out.push('\n');
    out.push_str(&partners(&status.partners));
    out
}

/// The table of partners, or what to do without any.
pub(crate) fn partners(partners: &[PartnerStatus]) -> String {
    if partners.is_empty() {
        return "no partners yet; `ortsnetz invite` makes an invitation, `ortsnetz join TOKEN` accepts one\n".into();
    }
    let mut table = Table::new(&["partner", "state", ">entries", ">behind", "last in sync", "remark"]);
    for partner in partners {
        let state = match (partner.connected, partner.in_sync) {
            (true, true) => "in sync",
            (true, false) => "syncing",
            (false, _) => "not connected",
        };
        let mut remarks = Vec::new();
        if partner.own_node {
            remarks.push("own node".to_owned());
        } else if !partner.confirmed {
            remarks.push("not confirmed yet".to_owned());
        }
        if !partner.introduces.is_empty() {
            remarks.push(format!("introduces {}", partner.introduces.join(", ")));
        }
        remarks.extend(partner.through.as_ref().map(|relay| format!("through {relay}")));
        match &partner.leaving {
            Some(leaving) if leaving.left => remarks.push(leaving.sentence.clone()),
            leaving => {
                remarks.extend(leaving.as_ref().map(|leaving| leaving.sentence.clone()));
                remarks.extend(partner.problem.clone());
            }
        }
        if let Some(deletion) = &partner.deletion {
            remarks.push(format!("its {} entries here were deleted at {}", deletion.entries, deletion.at));
        }
        table.row([
            partner.name.clone(),
            state.to_owned(),
            partner.entries.to_string(),
            partner.behind.to_string(),
            partner.last_sync_at.clone().unwrap_or_else(|| "never".into()),
            remarks.join("; "),
        ]);
    }
    table.render()
}

/// `doctor`
pub(crate) fn doctor(context: &Context) -> Result<(), Failure> {
    let document = context.daemon()?.get("/doctor", &[])?;
    let ok = document.get("ok") == Some(&json!(true));
    context.output.show(document, |doctor: Doctor| {
        let mut table = Table::new(&["result", "check", "finding"]);
        for check in doctor.checks {
            table.row([check.result, check.check, check.message]);
        }
        let forward = doctor.forward.map(|text| format!("\n{text}")).unwrap_or_default();
        table.render() + &forward
    })?;
    if ok { Ok(()) } else { Err(Failure::Told) }
}

/// `publisher show|take`
pub(crate) fn publisher(context: &Context, args: &Publisher) -> Result<(), Failure> {
    let daemon = context.daemon()?;
    let document = match args {
        Publisher::Show => daemon.get("/publisher", &[])?,
        Publisher::Take => daemon.post("/publisher/take", &json!({}))?,
    };
    context.output.show(document, |publisher: PublisherInfo| {
        let here = if publisher.here { " (this node)" } else { "" };
        format!("publisher is {}{here}, term {}\n", publisher.node, publisher.term)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_reads_from_the_top() {
        let status = Status {
            partners: vec![PartnerStatus {
                name: "Stadt Bonn".into(),
                connected: true,
                in_sync: true,
                ..Default::default()
            }],
            search: "current".into(),
            ..Status::default()
        };
        let text = lines(&status);
        assert!(text.contains("recovery      the sheet was never read back"), "{text}");
        assert!(text.contains("Stadt Bonn  in sync"), "{text}");
        assert!(lines(&Status::default()).contains("no partners yet"));
    }
}
