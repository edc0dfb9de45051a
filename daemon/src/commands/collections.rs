//! `collections`.

use std::fmt::Write as _;

use ortsnetz_node::dto::{CollectionInfo, ReadableCollection, SeenBy};
use serde_json::{Value, json};

use super::Context;
use crate::args::{Collections, How, Switch};
use crate::client::segment;
use crate::failure::Failure;
use crate::table::Table;

/// `collections ...`
pub(crate) fn collections(context: &Context, args: Collections) -> Result<(), Failure> {
    let daemon = context.daemon()?;
    let path = |collection: &str| format!("/collections/{}", segment(collection));
    let say = |document: Value, line: fn(&CollectionInfo) -> String| {
        context.output.show(document, |collection: CollectionInfo| line(&collection))
    };
    match args {
        Collections::List => {
            let document = daemon.get("/collections", &[])?;
            context.output.show(document, |all: Vec<CollectionInfo>| table(&all))
        }
        Collections::Show { collection } => say(daemon.get(&path(&collection), &[])?, detail),
        Collections::Create(args) => {
            let new = json!({"name": args.name, "readers": args.readers, "relay": args.relay});
            say(daemon.post("/collections", &new)?, |made| format!("made {}, read by {}\n", made.name, readers(made)))
        }
        Collections::Rename { collection, name } => {
            say(daemon.patch(&path(&collection), &json!({ "name": name }))?, |renamed| {
                format!("it is called {} now; readers are told\n", renamed.name)
            })
        }
        Collections::Relay { collection, relay } => {
            let change = json!({"relay": relay == Switch::On});
            say(daemon.patch(&path(&collection), &change)?, |changed| {
                let may = if changed.relay { "may" } else { "may not" };
                format!("readers of {} {may} pass it on to other readers\n", changed.name)
            })
        }
        Collections::Grant(args) => {
            let body = json!({"organisations": args.organisations});
            say(daemon.post(&format!("{}/grant", path(&args.collection)), &body)?, |granted| {
                format!("{} is read by {}\n", granted.name, readers(granted))
            })
        }
        Collections::Narrow(args) => {
            let body = json!({"organisations": args.organisations});
            say(daemon.post(&format!("{}/narrow", path(&args.collection)), &body)?, |narrowed| {
                format!(
                    "{} is read by {} now; whoever was removed is told, gets nothing new, and keeps what it has: that cannot be unread\n",
                    narrowed.name,
                    readers(narrowed)
                )
            })
        }
        Collections::End(args) => {
            let body = json!({"withdraw": args.withdraw, "move_to": args.move_to});
            say(daemon.post(&format!("{}/end", path(&args.collection)), &body)?, |ended| {
                let drafts = match ended.drafts {
                    0 => String::new(),
                    n => format!("; {n} unpublished entries stay in it, move them with `ortsnetz move ID COLLECTION`"),
                };
                format!("{} has ended; readers are told{drafts}\n", ended.name)
            })
        }
        Collections::Readable { organisation } => {
            let document = daemon.get("/readable", &[("organisation", organisation)])?;
            context.output.show(document, |all: Vec<ReadableCollection>| readable_lines(&all))
        }
        Collections::Follow { organisation, collection, how } => {
            let how = match how {
                How::Replicate => "replicate",
                How::Live => "live",
                How::Ignore => "ignore",
            };
            let path = format!("/readable/{}/{}", segment(&organisation), segment(&collection));
            let document = daemon.put(&path, &json!({ "how": how }))?;
            context.output.show(document, |chosen: ReadableCollection| chosen_line(&chosen))
        }
        Collections::SeenBy { organisation } => {
            let document = daemon.get(&format!("/seen-by/{}", segment(&organisation)), &[])?;
            context.output.show(document, |seen: SeenBy| seen_lines(&seen))
        }
    }
}

fn readable_lines(all: &[ReadableCollection]) -> String {
    if all.is_empty() {
        return "nobody lets you read anything yet; invite a partner with `ortsnetz invite`\n".into();
    }
    let mut table = Table::new(&["organisation", "collection", "here", ">entries", "state"]);
    for collection in all {
        table.row([
            collection.organisation.name.clone(),
            short(&collection.name),
            collection.how.clone(),
            collection.entries.to_string(),
            if collection.ended { "ended" } else { "open" }.into(),
        ]);
    }
    table.render()
}

fn chosen_line(chosen: &ReadableCollection) -> String {
    let (name, owner) = (&chosen.name, &chosen.organisation.name);
    match chosen.how.as_str() {
        "live" => {
            format!("{owner} is asked about {name} while somebody searches; what was kept here of it is deleted\n")
        }
        "ignore" => format!("nothing of {name} of {owner} is kept or asked for; what was kept here of it is deleted\n"),
        _ => format!("{name} of {owner} is kept on this node; it comes when a partner that has it is connected\n"),
    }
}

/// Who reads a collection, in words.
fn readers(collection: &CollectionInfo) -> String {
    match collection.readers.as_str() {
        "public" => "everybody".into(),
        "internal" => "own nodes".into(),
        _ if collection.organisations.is_empty() => "nobody else".into(),
        _ => collection.organisations.iter().map(|reader| reader.name.as_str()).collect::<Vec<_>>().join(", "),
    }
}

fn table(all: &[CollectionInfo]) -> String {
    let mut table = Table::new(&["collection", "read by", "passed on", ">entries", ">drafts", "state"]);
    for collection in all {
        table.row([
            short(&collection.name),
            readers(collection),
            if collection.relay { "yes" } else { "no" }.into(),
            collection.entries.to_string(),
            collection.drafts.to_string(),
            if collection.ended { "ended" } else { "open" }.into(),
        ]);
    }
    table.render()
}

/// The id in the name of a bilateral collection is cut to what tells it apart.
fn short(name: &str) -> String {
    match name.strip_prefix("with:") {
        Some(id) => format!("with:{}", id.chars().take(8).collect::<String>()),
        None => name.to_owned(),
    }
}

fn detail(collection: &CollectionInfo) -> String {
    let mut out = table(std::slice::from_ref(collection));
    let mut line = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{name:<14} {value}");
    };
    line("id", &collection.id);
    if let Some(name) = &collection.created_as {
        line("created as", name);
    }
    for reader in &collection.organisations {
        let since = reader.since.as_deref().unwrap_or("-");
        line("read by", &format!("{} since {since}{}", reader.name, held(reader.complete)));
    }
    for former in &collection.removed {
        line("no longer by", &format!("{} until {}; keeps what it had", former.name, former.until));
    }
    if let Some(at) = &collection.changed_at {
        line("changed", at);
    }
    out
}

fn held(complete: Option<bool>) -> &'static str {
    match complete {
        Some(true) => ", holds all of it",
        Some(false) => ", still lacks something",
        None => "",
    }
}

fn seen_lines(seen: &SeenBy) -> String {
    let name = &seen.organisation.name;
    let mut out = if seen.direct {
        format!("{name} may read:\n")
    } else {
        format!("{name} is no partner; it gets nothing from this node, but others may pass on to it:\n")
    };
    let mut table = Table::new(&["collection", ">entries", "since", "holds all", "passed on", "by"]);
    for collection in &seen.collections {
        let state = if collection.ended { " (ended)" } else { "" };
        table.row([
            format!("{}{state}", short(&collection.name)),
            collection.entries.to_string(),
            collection.since.clone().unwrap_or_else(|| "-".into()),
            match collection.complete {
                Some(true) => "yes",
                Some(false) => "not yet",
                None => "unknown",
            }
            .into(),
            if collection.relay { "yes" } else { "no" }.into(),
            if collection.relays.is_empty() { "-".into() } else { collection.relays.join(", ") },
        ]);
    }
    out.push_str(&table.render());
    for former in &seen.former {
        let _ = writeln!(out, "until {}: {}; it keeps what it had then", former.until, short(&former.name));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use ortsnetz_node::dto::{FormerCollection, ReaderInfo, SeenCollection};

    #[test]
    fn a_list_says_who_reads_what() {
        let bonn = ReaderInfo { name: "Stadt Bonn".into(), ..ReaderInfo::default() };
        let collection = CollectionInfo {
            name: "Planung".into(),
            readers: "organisations".into(),
            organisations: vec![bonn],
            entries: 3,
            ..CollectionInfo::default()
        };
        let text = table(std::slice::from_ref(&collection));
        let row = text.lines().find(|line| line.contains("Planung")).expect("a row");
        assert!(row.contains("Stadt Bonn") && row.contains("no") && row.contains("open"), "{text}");
        assert_eq!(readers(&CollectionInfo { organisations: vec![], ..collection }), "nobody else");
        assert_eq!(short(&format!("with:{}", "ab".repeat(32))), "with:abababab");
    }

    #[test]
    fn what_a_partner_can_see_names_what_it_keeps() {
        let collection = SeenCollection {
            name: "public".into(),
            entries: 7,
            relay: true,
            relays: vec!["Stadt Köln".into()],
            ..SeenCollection::default()
        };
        let former =
            FormerCollection { name: "Planung".into(), until: "2026-11-20T10:00:00Z".into(), ..Default::default() };
        let seen = SeenBy { direct: true, collections: vec![collection], former: vec![former], ..SeenBy::default() };
        let text = seen_lines(&seen);
        assert!(text.contains("Stadt Köln") && text.contains("unknown"), "{text}");
        assert!(text.ends_with("until 2026-11-20T10:00:00Z: Planung; it keeps what it had then\n"), "{text}");
    }
}
