//! `nodes`.

use std::fmt::Write as _;

use ortsnetz_node::dto::{CertifiedNode, Renewed, RevokedNode};
use serde_json::json;

use super::Context;
use crate::args::Nodes;
use crate::client::segment;
use crate::failure::Failure;
use crate::table::Table;

/// Entries named after a revocation; more are in the JSON.
const LISTED_MAX: usize = 20;

/// `nodes list|renew|revoke`
pub(crate) fn nodes(context: &Context, args: Nodes) -> Result<(), Failure> {
    let daemon = context.daemon()?;
    match args {
        Nodes::List => context.output.show(daemon.get("/nodes", &[])?, |all: Vec<CertifiedNode>| table(&all)),
        Nodes::Renew { node } => {
            let document = daemon.post("/nodes/renew", &json!({ "node": node }))?;
            context.output.show(document, |renewed: Renewed| renewal(&renewed))
        }
        Nodes::Revoke { node } => {
            let document = daemon.post(&format!("/nodes/{}/revoke", segment(&node)), &json!({}))?;
            context.output.show(document, |revoked: RevokedNode| report(&revoked))
        }
    }
}

fn table(all: &[CertifiedNode]) -> String {
    let mut table = Table::new(&["node", "state", "may", "certificate ends", "id"]);
    for node in all {
        let mut may = node.roles.clone();
        may.extend(node.publisher.then(|| "publishes".to_owned()));
        let here = if node.here { " (this node)" } else { "" };
        table.row([
            format!("{}{here}", node.name),
            node.state.clone(),
            if node.revoked_at.is_some() { "nothing".into() } else { may.join(", ") },
            node.revoked_at.as_ref().map_or_else(|| node.not_after.clone(), |at| format!("taken back {at}")),
            node.id.clone(),
        ]);
    }
    table.render()
}

fn renewal(renewed: &Renewed) -> String {
    if renewed.renewed.is_empty() {
        return "no certificate ends within 90 days; name a node to renew it nevertheless\n".into();
    }
    let lines = renewed.renewed.iter().map(|node| format!("{} is certified until {}\n", node.name, node.not_after));
    lines.collect()
}

fn report(revoked: &RevokedNode) -> String {
    let name = &revoked.node.name;
    let mut out = format!("the certificate of {name} was taken back; nothing it writes from now on counts anywhere\n");
    let publisher = &revoked.publisher;
    let here = if publisher.here { " (this node)" } else { "" };
    // Writing to a string cannot fail.
    let _ = writeln!(out, "publisher is {}{here}, term {}", publisher.node, publisher.term);
    if !revoked.published.is_empty() {
        let _ =
            writeln!(out, "\nPublished by it or at its request. If others had its key, look whether that is right:");
        for entry in revoked.published.iter().take(LISTED_MAX) {
            let _ = writeln!(out, "  {}  {}  {}  {}", entry.at, entry.how, entry.id, entry.title);
        }
        more(&mut out, revoked.published.len());
    }
    if !revoked.drafts.is_empty() {
        let _ = writeln!(out, "\nDrafts it wrote in; they are kept:");
        for draft in revoked.drafts.iter().take(LISTED_MAX) {
            let _ = writeln!(out, "  {}  {}", draft.id, draft.title);
        }
        more(&mut out, revoked.drafts.len());
    }
    out
}

fn more(out: &mut String, count: usize) {
    if count > LISTED_MAX {
        let _ = writeln!(out, "  and {} more, see --json", count - LISTED_MAX);
    }
}

#[cfg(test)]
mod tests {
    use ortsnetz_node::dto::{NamedEntry, PublishedByNode};

    use super::*;

    #[test]
    fn a_revocation_says_what_to_look_at() {
        let node = CertifiedNode { name: "Laptop".into(), ..CertifiedNode::default() };
        let published = PublishedByNode { id: "00ff".into(), title: "Hundesteuer".into(), ..Default::default() };
        let draft = NamedEntry { id: "01ff".into(), title: "Reisepass".into() };
        let count = LISTED_MAX + 2;
        let revoked =
            RevokedNode { node, published: vec![published; count], drafts: vec![draft], ..RevokedNode::default() };
        let text = report(&revoked);
        for part in ["Laptop was taken back", "Hundesteuer", "and 2 more", "01ff  Reisepass"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(renewal(&Renewed::default()).contains("no certificate ends"));
    }
}
