//! `contacts`.

use std::fmt::Write as _;

use data_encoding::BASE64URL_NOPAD;
use ortsnetz_api::HEADER_MAPPING;
use ortsnetz_node::dto::{CallsReport, ContactInfo, ContactRequest, ContactsPage, FollowUpInfo};
use serde_json::{Value, json};

use super::Context;
use super::transfer::{Source, rejections};
use crate::args::Contacts;
use crate::client::segment;
use crate::failure::Failure;
use crate::table::Table;

/// Digits of an id in tables: enough for every command.
const ID_DIGITS: usize = 8;

/// `contacts add|undo|reverse|list|import|follow-ups|done`
pub(crate) fn contacts(context: &Context, args: Contacts) -> Result<(), Failure> {
    let daemon = context.daemon()?;
    match args {
        Contacts::Add(add) => {
            let request = ContactRequest {
                id: add.id,
                at: add.at,
                seconds: add.seconds,
                topics: add.topics,
                place: add.place,
                town: add.town,
                channel: add.channel,
                outcome: add.outcome,
            };
            let mut recorded = daemon.post("/contacts", &json!(request))?;
            let one = recorded.get_mut(0).map(Value::take).unwrap_or_default();
            context.output.show(one, |contact: ContactInfo| said(&contact))
        }
        Contacts::Undo { id } => {
            let undone = daemon.post("/contacts/undo", &json!({"id": id}))?;
            context.output.show(undone, |contact: ContactInfo| said(&contact))
        }
        Contacts::Reverse { id, reason } => {
            let path = format!("/contacts/{}/reverse", segment(&id));
            let reversed = daemon.post(&path, &json!({"reason": reason}))?;
            context.output.show(reversed, |contact: ContactInfo| said(&contact))
        }
        Contacts::List { month, partner, limit } => {
            let query = [("month", month), ("partner", partner), ("limit", limit.map(|limit| limit.to_string()))];
            context.output.show(daemon.get("/contacts", &query)?, |page: ContactsPage| table(&page))
        }
        Contacts::Import { file, mapping } => {
            let text = std::fs::read_to_string(&mapping)
                .map_err(|error| Failure::Failed(format!("could not read {}: {error}", mapping.display())))?;
            let mut source = Source::open(&file)?;
            let query = [("file", Some(source.name.clone()))];
            let header = Some((HEADER_MAPPING, BASE64URL_NOPAD.encode(text.as_bytes())));
            let document = daemon.upload("/calls/import", &query, header, &mut source);
            source.finish();
            let document = document?;
            let usable = document.get("ok").and_then(Value::as_bool).unwrap_or(false);
            context.output.verdict(document, usable, |report: CallsReport| report_lines(&report))?;
            if usable { Ok(()) } else { Err(Failure::Told) }
        }
        Contacts::FollowUps { partner, all } => {
            let query = [("partner", partner), ("all", all.then(|| "true".to_owned()))];
            context.output.show(daemon.get("/follow-ups", &query)?, |all: Vec<FollowUpInfo>| follow_ups(&all))
        }
        Contacts::Done { number } => {
            let done = daemon.post(&format!("/follow-ups/{}/done", segment(&number)), &json!({}))?;
            context.output.show(done, |done: FollowUpInfo| {
                format!("{} is done since {}\n", done.number, done.done.unwrap_or_default())
            })
        }
    }
}

fn said(contact: &ContactInfo) -> String {
    let agreement = match (&contact.agreement, contact.version) {
        (Some(id), Some(version)) => {
            format!("agreement {}, version {version}", id.chars().take(ID_DIGITS).collect::<String>())
        }
        _ => "no agreement in force".to_owned(),
    };
    let followed = matches!(contact.outcome.as_str(), "forwarded" | "complaint" | "call_back");
    let number = if followed && contact.state == "recorded" {
        format!("follow-up {}: tell the caller this number\n", contact.number)
    } else {
        String::new()
    };
    format!(
        "{} · {} · {} for {} · {} s · {agreement}\n{number}{}\n",
        contact.state, contact.at, contact.outcome, contact.town.name, contact.seconds, contact.id
    )
}

fn table(page: &ContactsPage) -> String {
    if page.contacts.is_empty() {
        return "no contacts in this month; record one with `ortsnetz contacts add OUTCOME`\n".into();
    }
    let mut table = Table::new(&["id", "at", "by", "for", "channel", "outcome", ">seconds", "topics", "state"]);
    for contact in &page.contacts {
        table.row([
            contact.id.chars().take(ID_DIGITS).collect(),
            contact.at.clone(),
            contact.by.name.clone(),
            contact.town.name.clone(),
            contact.channel.clone(),
            contact.outcome.clone(),
            contact.seconds.to_string(),
            contact.topics.join(" "),
            contact.state.clone(),
        ]);
    }
    format!("{}{} of {}\n", table.render(), page.contacts.len(), page.total)
}

fn follow_ups(all: &[FollowUpInfo]) -> String {
    if all.is_empty() {
        return "nothing is to be done\n".into();
    }
    let mut table = Table::new(&["number", "at", "what", "who", "due", "done"]);
    for one in all {
        let done = one.done.clone().unwrap_or_else(|| if one.overdue { "overdue".into() } else { "open".into() });
        table.row([
            one.number.clone(),
            one.at.clone(),
            one.outcome.clone(),
            one.owner.name.clone(),
            one.due.clone(),
            done,
        ]);
    }
    table.render()
}

fn report_lines(report: &CallsReport) -> String {
    let mut out = rejections(&report.rejected);
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "{} calls taken in, {} known already, {} rejected",
        report.created, report.unchanged, report.rejected_total
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_says_what_to_tell_the_caller() {
        let contact = ContactInfo {
            id: "3f9a01c2".repeat(4),
            number: "3F9A-01C2".into(),
            outcome: "forwarded".into(),
            state: "recorded".into(),
            ..ContactInfo::default()
        };
        assert!(said(&contact).contains("follow-up 3F9A-01C2: tell the caller"), "{}", said(&contact));
        assert!(said(&contact).contains("no agreement in force"));
        let answered = ContactInfo { outcome: "answered".into(), ..contact.clone() };
        assert!(!said(&answered).contains("follow-up"));
        let page = ContactsPage { contacts: vec![contact], total: 7 };
        assert!(table(&page).ends_with("1 of 7\n") && table(&page).contains("3f9a01c2  "));
        assert_eq!(follow_ups(&[]), "nothing is to be done\n");
    }
}
