//! How partners reach this node: directly, or through a partner that relays; and what `doctor` finds out about it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ortsnetz_model::NodeId;
use ortsnetz_net::{DIAL_BACK_ADDRESSES_MAX, circuit_through, relay_of};
use ortsnetz_trust::identity::Identity;

use crate::dto::DoctorLine;
use crate::partners;
use crate::shared::{Shared, lock, read};

/// Most partners through which one node lets itself be reached.
const RELAYS_USED_MAX: usize = 2;

/// How often a relay is asked to dial back before it counts as having failed.
const DIAL_BACK_TRIES: u32 = 3;

/// Between two of these: longer than a relay remembers that it was asked.
const DIAL_BACK_WAIT: Duration = Duration::from_secs(35);

/// Most partners that `doctor` dials, or asks to dial back.
const ASKED_MAX: usize = 3;

/// How long to wait for further addresses before they are stated.
const ADDRESSES_SETTLE: Duration = Duration::from_millis(300);

/// The nodes through which this one says it can be reached.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    used: BTreeSet<NodeId>,
    /// The addresses are stated anew in a moment anyway.
    stating_soon: bool,
}

impl Relays {
    /// Those its certificate names: they hold until one of them says otherwise.
    pub fn stated(identity: &Identity, node: &NodeId) -> Self {
        let addresses = identity.certificate(node).map(|certificate| certificate.addresses.clone()).unwrap_or_default();
        let used = addresses.iter().filter_map(|address| relay_of(address)).take(RELAYS_USED_MAX).collect();
        Self { used, stating_soon: false }
    }

    /// Uses a node, or does not; true if that is new.
    fn set(&mut self, node: NodeId, used: bool) -> bool {
        match used {
            true => self.used.len() < RELAYS_USED_MAX && self.used.insert(node),
            false => self.used.remove(&node),
        }
    }
}

/// The addresses of this node that lead through a partner that relays.
pub(crate) fn circuits(shared: &Shared) -> Vec<String> {
    let relays: Vec<NodeId> = lock(&shared.relays).used.iter().copied().collect();
    relays.iter().filter(|relay| is_partner(shared, relay)).map(circuit_through).collect()
}

/// Whether a node is one of ours or of a partner.
fn is_partner(shared: &Shared, node: &NodeId) -> bool {
    shared.organisation_of(node).is_some_and(|organisation| {
        let partner = || read(&shared.partners).get(&organisation).is_some_and(|row| !row.ended);
        organisation == shared.own.organisation || partner()
    })
}

/// A node connected and says whether it relays. If it does, and cannot dial this one, it is where others find us.
pub(crate) fn connected(shared: &Arc<Shared>, node: NodeId, relays: bool) {
    if !relays && !lock(&shared.relays).used.contains(&node) {
        return;
    }
    let shared = shared.clone();
    tokio::spawn(async move {
        let used = relays && is_partner(&shared, &node) && !is_dialled(&shared, node).await;
        let changed = lock(&shared.relays).set(node, used);
        if !changed {
            return;
        }
        let name = shared.node_name(&node);
        match used {
            true => tracing::info!(relay = name, "others reach this node through a partner that relays"),
            false => tracing::info!(relay = name, "others no longer reach this node through this partner"),
        }
        state_addresses(&shared).await;
    });
}

/// This node listens at a further address: interfaces come up one after the other, and change. Those of a moment are stated
/// together.
pub(crate) fn listening(shared: &Arc<Shared>) {
    if std::mem::replace(&mut lock(&shared.relays).stating_soon, true) {
        return;
    }
    let shared = shared.clone();
    tokio::spawn(async move {
        tokio::time::sleep(ADDRESSES_SETTLE).await;
        lock(&shared.relays).stating_soon = false;
        if !shared.is_stopping() {
            state_addresses(&shared).await;
        }
    });
}

async fn state_addresses(shared: &Arc<Shared>) {
    let shared = shared.clone();
    let told = tokio::task::spawn_blocking(move || partners::tell_addresses(&shared));
    if let Ok(Err(error)) = told.await {
        tracing::warn!(%error, "the addresses of this node could not be stated anew");
    }
}

/// Whether this node answers where the other one dials it. Who does not say so after some time is taken to mean no.
async fn is_dialled(shared: &Shared, by: NodeId) -> bool {
    for _ in 0..DIAL_BACK_TRIES {
        let asked = asked_addresses(shared);
        if asked.is_empty() {
            return false;
        }
        match shared.net.dial_back(by, asked).await {
            Ok(answers) => return answers.iter().any(|answer| answer.failed.is_none()),
            Err(error) => tracing::debug!(%error, "a relay did not dial back"),
        }
        tokio::time::sleep(DIAL_BACK_WAIT).await;
    }
    false
}

/// Where this node may be dialled: what it states, and its port at whatever address it is seen.
fn asked_addresses(shared: &Shared) -> Vec<String> {
    let listening = shared.net.listening();
    let mut asked: Vec<String> = Vec::new();
    for (family, anywhere) in [("/ip4/", "/ip4/0.0.0.0/tcp/"), ("/ip6/", "/ip6/::/tcp/")] {
        let port = listening.iter().find(|address| address.starts_with(family)).and_then(|address| port_of(address));
        asked.extend(port.map(|port| format!("{anywhere}{port}")));
    }
    if !listening.is_empty() {
        asked.extend(partners::own_addresses(shared, &shared.advertise));
    }
    asked.truncate(DIAL_BACK_ADDRESSES_MAX);
    asked
}

fn port_of(address: &str) -> Option<&str> {
    address.split_once("/tcp/").map(|(_, port)| port)
}

/// A text with the names of nodes instead of their ids.
pub(crate) fn with_names(shared: &Shared, text: &str) -> String {
    let word = |word: &str| match word.trim_end_matches([',', ';', ':']).parse::<NodeId>() {
        Ok(node) => word.replace(&node.to_string(), &shared.node_name(&node)),
        Err(_) => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// What `doctor` says about both directions.
#[derive(Debug, Default)]
pub(crate) struct Examined {
    pub lines: Vec<DoctorLine>,
    /// What to forward to whoever runs the firewall, if anything is in the way.
    pub forward: Option<String>,
}

/// Tries both directions: dials partners, and lets partners dial this node.
pub(crate) async fn examine(shared: &Arc<Shared>) -> Examined {
    let out = dial_out(shared).await;
    let mut examined = Examined { lines: vec![out], forward: None };
    let listening = shared.net.listening();
    let through: Vec<String> =
        circuits(shared).iter().filter_map(|address| relay_of(address)).map(|relay| shared.node_name(&relay)).collect();
    let through = (!through.is_empty()).then(|| through.join(" and "));
    let mut push = |result: &str, message: String| {
        let message = match &through {
            Some(relays) if result != "ok" => format!("{message}; meanwhile partners reach this node through {relays}"),
            _ => message,
        };
        examined.lines.push(DoctorLine { check: "being dialled".into(), result: result.into(), message });
    };
    if listening.is_empty() {
        push("warning", "this node does not listen, so nobody can dial it".into());
        return examined;
    }
    match be_dialled(shared).await {
        Dialled::At { by, address } => push("ok", format!("{by} dialled this node at {address}")),
        Dialled::NobodyAsked(why) => push("warning", format!("nobody could try: {why}")),
        Dialled::Failed { by, tried } => {
            push("warning", format!("{by} cannot dial this node; forward the rule below to whoever runs the firewall"));
            examined.forward = Some(rule(&listening, &by, &tried));
        }
    }
    examined
}

/// Whether partners answer when this node dials them.
async fn dial_out(shared: &Shared) -> DoctorLine {
    let line =
        |result: &str, message: String| DoctorLine { check: "dialling out".into(), result: result.into(), message };
    let status = shared.net.status();
    if let Some((node, status)) =
        status.iter().find(|(_, status)| status.connected && status.outbound && !status.relayed)
    {
        let at = status.remote.clone().unwrap_or_default();
        return line("ok", format!("{} answers at {at}", shared.node_name(node)));
    }
    let mut failed = Vec::new();
    for (node, _) in status {
        let addresses = direct_addresses(shared, &node);
        if addresses.is_empty() || failed.len() >= ASKED_MAX {
            continue;
        }
        let name = shared.node_name(&node);
        match shared.net.probe(node, addresses.clone()).await {
            Ok(()) => return line("ok", format!("{name} answers at {}", addresses.join(" or "))),
            Err(reason) => failed.push(format!("{name}: {reason}")),
        }
    }
    if failed.is_empty() {
        return line("ok", "no partner states an address to dial, so nothing was tried".into());
    }
    line("warning", format!("no partner answers when dialled, so outgoing TCP may be blocked: {}", failed.join("; ")))
}

fn direct_addresses(shared: &Shared, node: &NodeId) -> Vec<String> {
    let Some(identity) = shared.organisation_of(node).and_then(|organisation| shared.identity_of(&organisation)) else {
        return Vec::new();
    };
    let addresses = identity.certificate(node).map(|certificate| certificate.addresses.clone()).unwrap_or_default();
    addresses.into_iter().filter(|address| relay_of(address).is_none()).collect()
}

enum Dialled {
    At { by: String, address: String },
    NobodyAsked(String),
    Failed { by: String, tried: Vec<(String, String)> },
}

async fn be_dialled(shared: &Shared) -> Dialled {
    let asked = asked_addresses(shared);
    let status = shared.net.status();
    let direct: Vec<NodeId> =
        status.iter().filter(|(_, status)| status.connected && !status.relayed).map(|(node, _)| *node).collect();
    let mut refused = Vec::new();
    let (mut by, mut tried) = (Vec::new(), Vec::new());
    for node in direct.into_iter().take(ASKED_MAX) {
        let name = shared.node_name(&node);
        match shared.net.dial_back(node, asked.clone()).await {
            Ok(answers) => {
                for answer in answers {
                    match answer.failed {
                        None => return Dialled::At { by: name, address: answer.address },
                        Some(reason) => tried.push((answer.address, reason)),
                    }
                }
                by.push(name);
            }
            Err(error) => refused.push(format!("{name}: {}", with_names(shared, &error.to_string()))),
        }
    }
    match (by.is_empty(), refused.is_empty()) {
        (false, _) => Dialled::Failed { by: by.join(" and "), tried },
        (true, false) => Dialled::NobodyAsked(refused.join("; ")),
        (true, true) => Dialled::NobodyAsked("no partner is connected directly".into()),
    }
}

/// The rule for the firewall, as a text that stands alone.
fn rule(listening: &[String], by: &str, tried: &[(String, String)]) -> String {
    use std::fmt::Write as _;
    let outside: Vec<&String> = listening.iter().filter(|address| !partners::is_loopback(address)).collect();
    let inside: Vec<String> = outside.iter().filter_map(|address| host_and_port(address)).collect();
    let port = listening.iter().find_map(|address| port_of(address)).unwrap_or("4115");
    let mut seen: Vec<String> = Vec::new();
    for address in tried.iter().filter_map(|(address, _)| host_and_port(address)) {
        if !seen.contains(&address) && !inside.contains(&address) {
            seen.push(address);
        }
    }
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name:<12} {value}");
    };
    line("direction", "inbound, from the internet to the machine that runs Ortsnetz");
    line("protocol", "TCP (inside it TLS 1.3; both ends prove their keys)");
    line("port", port);
    line("source", "any, or only the addresses of the partners");
    line("target", &if inside.is_empty() { format!("this machine, port {port}") } else { inside.join(" or ") });
    if !seen.is_empty() {
        line("public", &format!("{} (as {by} sees this machine): forward that port to the target", seen.join(" or ")));
    }
    line("action", "allow; the answers of such connections, too");
    for (address, reason) in tried {
        line("tried", &format!("{address}: {reason}"));
    }
    format!("Please let partners reach our Ortsnetz node. The rule:\n\n{text}\nThen run `ortsnetz doctor` again.\n")
}

/// `192.0.2.7:4115` for `/ip4/192.0.2.7/tcp/4115`.
fn host_and_port(address: &str) -> Option<String> {
    let mut parts = address.split('/').skip(1);
    match (parts.next()?, parts.next()?, parts.next()?, parts.next()?) {
        ("ip6", host, "tcp", port) => Some(format!("[{host}]:{port}")),
        (_, host, "tcp", port) => Some(format!("{host}:{port}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_names_direction_protocol_port_and_both_addresses() {
        let listening = ["/ip4/127.0.0.1/tcp/4115", "/ip4/10.0.1.2/tcp/4115"].map(String::from);
        let tried = [("/ip4/203.0.113.7/tcp/4115".to_owned(), "timed out".to_owned())];
        let text = rule(&listening, "Stadt Bonn", &tried);
        for expected in [
            "direction    inbound",
            "protocol     TCP",
            "port         4115",
            "target       10.0.1.2:4115\n",
            "public       203.0.113.7:4115 (as Stadt Bonn sees this machine): forward that port to the target",
            "tried        /ip4/203.0.113.7/tcp/4115: timed out",
        ] {
            assert!(text.contains(expected), "{expected} is missing:\n{text}");
        }
        assert_eq!(host_and_port("/ip6/2001:db8::1/tcp/1").as_deref(), Some("[2001:db8::1]:1"));
    }

    #[test]
    fn a_node_lets_itself_be_reached_through_so_many_and_no_more() {
        let mut relays = Relays::default();
        for number in 0..RELAYS_USED_MAX as u8 {
            assert!(relays.set(NodeId([number; 32]), true) && !relays.set(NodeId([number; 32]), true));
        }
        assert!(!relays.set(NodeId([9; 32]), true) && !relays.set(NodeId([9; 32]), false));
        assert!(relays.set(NodeId([0; 32]), false) && relays.set(NodeId([9; 32]), true));
    }
}
