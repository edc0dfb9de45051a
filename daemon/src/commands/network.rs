//! `invite`, `join`, `partners`, `compare`.

use std::fmt::Write as _;

use ortsnetz_node::dto::{Comparison, Invitation, InviteRequest, Joined, PartnerDetail, PartnerStatus, SuccessionInfo};
use serde_json::json;

use super::{Context, status};
use crate::args::{Invite, Join, Partners};
use crate::client::segment;
use crate::failure::Failure;
use crate::table::Table;
use crate::values::content;

/// `invite`
pub(crate) fn invite(context: &Context, args: &Invite) -> Result<(), Failure> {
    let request = InviteRequest {
        node: args.node,
        for_ars: args.for_ars.clone(),
        trust: args.trust,
        expires_in: Some(args.expires),
    };
    let document = context.daemon()?.post("/invitations", &json!(request))?;
    context.output.show(document, |invitation: Invitation| {
        let command = match (args.node, invitation.dial) {
            (true, _) => "init --join TOKEN",
            (false, false) => "join TOKEN",
            (false, true) => "join TOKEN --dial",
        };
        let mut out = format!(
            "{}\n\nHand it over safely; it works once, until {}. The other side runs `ortsnetz {command}`.\n",
            invitation.token, invitation.expires_at
        );
        if invitation.dial && args.node {
            out.push_str("This node does not listen: start it with --listen, so that the new node can reach it.\n");
        } else if invitation.dial {
            out.push_str(
                "Nobody can dial this node, so you get an answer back; then run `ortsnetz join ANSWER` here.\n",
            );
        }
        out
    })
}

/// `join`
pub(crate) fn join(context: &Context, args: &Join) -> Result<(), Failure> {
    let token = content(&args.token)?;
    let document = context.daemon()?.post("/joins", &json!({"token": token.trim(), "dial": args.dial}))?;
    context.output.show(document, |joined: Joined| {
        let partner = &joined.partner;
        if let Some(answer) = &joined.answer {
            return format!(
                "{answer}\n\nGive this answer to {name}, until {until}. They run `ortsnetz join ANSWER`, and their node calls this one.\nSee then `ortsnetz partners show \"{name}\"`.\n",
                name = partner.name,
                until = joined.expires_at.as_deref().unwrap_or_default()
            );
        }
        let mut out = format!("joined {} (ARS {})\n", partner.name, partner.ars);
        if joined.confirmed {
            out.push_str("it counts as confirmed: the invitation said so, or it was confirmed before\n");
        } else {
            let _ = writeln!(
                out,
                "check words: {}\nRead them out to each other; if they agree, run `ortsnetz partners confirm \"{}\"`.",
                joined.check_words.join(" "),
                partner.name
            );
        }
        out
    })
}

/// `partners list|show|confirm|remove`
pub(crate) fn partners(context: &Context, args: Partners) -> Result<(), Failure> {
    let daemon = context.daemon()?;
    match args {
        Partners::List => {
            let document = daemon.get("/partners", &[])?;
            context.output.show(document, |partners: Vec<PartnerStatus>| status::partners(&partners))
        }
        Partners::Show { partner } => {
            let document = daemon.get(&format!("/partners/{}", segment(&partner)), &[])?;
            context.output.show(document, |partner: PartnerDetail| detail(&partner))
        }
        Partners::Confirm { partner } => {
            let document = daemon.post(&format!("/partners/{}/confirm", segment(&partner)), &json!({}))?;
            context.output.show(document, |partner: PartnerDetail| {
                let (name, alike) = (&partner.status.name, partner.same_name_or_place.join("; "));
                let confirmed = format!("confirmed {name}; now its place counts and its other collections open\n");
                match alike.is_empty() {
                    true => confirmed,
                    false => format!(
                        "{confirmed}attention: the same name or place has {alike}. Unless you compared the check words with somebody at a number you know, take it back with `ortsnetz partners remove {}`\n",
                        &partner.status.id[..12]
                    ),
                }
            })
        }
        Partners::Succession { successor, predecessor, confirm, .. } => {
            let body = json!({"predecessor": predecessor, "confirmed": confirm});
            let document = daemon.post(&format!("/partners/{}/succession", segment(&successor)), &body)?;
            context.output.show(document, |info: SuccessionInfo| {
                let (successor, predecessor) = (&info.successor.name, &info.predecessor.name);
                if info.counts {
                    format!("{successor} answers in place of {predecessor} from now on\n")
                } else {
                    format!("{successor} does not answer in place of {predecessor} here\n")
                }
            })
        }
        Partners::Remove { partner } => {
            daemon.delete(&format!("/partners/{}", segment(&partner)))?;
            context.done(&format!("removed {partner}; it keeps what it already holds and gets nothing new"))
        }
    }
}

fn detail(partner: &PartnerDetail) -> String {
    let mut out = status::partners(std::slice::from_ref(&partner.status));
    let yes = if partner.status.confirmed { "yes" } else { "no" };
    for (name, value) in [
        ("id", partner.status.id.clone()),
        ("ARS", partner.status.ars.clone()),
        ("since", partner.since.clone()),
        ("confirmed", yes.to_owned()),
        ("check words", partner.check_words.join(" ")),
        ("reads from us", partner.reads.join(", ")),
        ("shares with us", partner.shares.join(", ")),
        ("nodes", partner.status.nodes.join(", ")),
        ("alike", partner.same_name_or_place.join("; ")),
        ("leaving", partner.status.leaving.as_ref().map(|leaving| leaving.sentence.clone()).unwrap_or_default()),
        ("they say", partner.status.leaving.as_ref().and_then(|leaving| leaving.note.clone()).unwrap_or_default()),
        ("deletion", deletion(&partner.status)),
    ] {
        if matches!(name, "alike" | "leaving" | "they say" | "deletion") && value.is_empty() {
            continue;
        }
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{name:<14} {value}");
    }
    out
}

/// What was deleted, or when it will be, of a partner that leaves.
fn deletion(partner: &PartnerStatus) -> String {
    match (&partner.deletion, &partner.leaving) {
        (Some(deletion), _) => format!(
            "its {} entries were deleted here at {}; this node signed that, and they can read it",
            deletion.entries, deletion.at
        ),
        (None, Some(leaving)) => format!("what is here of it is deleted on {}", leaving.delete_on),
        (None, None) => String::new(),
    }
}

/// `compare`
pub(crate) fn compare(context: &Context, partner: &str) -> Result<(), Failure> {
    let document = context.daemon()?.get(&format!("/compare/{}", segment(partner)), &[])?;
    let identical = document.get("identical") == Some(&json!(true));
    context.output.verdict(document, identical, |comparison: Comparison| comparison_lines(&comparison))?;
    if identical { Ok(()) } else { Err(Failure::Told) }
}

fn comparison_lines(comparison: &Comparison) -> String {
    let mut table = Table::new(&["collection", "of", ">here", ">there", ">differing"]);
    for collection in &comparison.collections {
        table.row([
            collection.name.clone(),
            collection.organisation.clone(),
            collection.ours.to_string(),
            collection.theirs.to_string(),
            collection.differing.len().to_string(),
        ]);
    }
    let mut out = table.render();
    out.push_str(if comparison.identical { "\nidentical\n" } else { "\nNOT identical:\n" });
    for collection in &comparison.collections {
        for id in &collection.differing {
            let _ = writeln!(out, "  {id} in {} of {}", collection.name, collection.organisation);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use ortsnetz_node::dto::ComparedCollection;

    #[test]
    fn a_comparison_names_what_differs() {
        let collection = ComparedCollection {
            name: "public".into(),
            organisation: "Stadt Bonn".into(),
            ours: 3,
            theirs: 4,
            differing: vec!["00ff".into()],
            ..ComparedCollection::default()
        };
        let text = comparison_lines(&Comparison { identical: false, collections: vec![collection] });
        assert!(text.ends_with("NOT identical:\n  00ff in public of Stadt Bonn\n"), "{text}");
        assert!(comparison_lines(&Comparison { identical: true, collections: vec![] }).ends_with("\nidentical\n"));
    }
}
