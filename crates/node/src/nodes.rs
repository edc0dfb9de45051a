//! The nodes of the own organisation: their certificates, renewing them, and taking one back. All of it blocks.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ortsnetz_model::{EntryId, FeedId, NodeId};
use ortsnetz_sync::Event;
use ortsnetz_trust::RootKey;
use ortsnetz_trust::identity::{EXPIRY_WARNING_DAYS, ExpiryWarning, FINAL_TERM, Identity, NodeState};
use ortsnetz_trust::record::{Body, Outcome, SignedRecord, draft_feed};

use crate::aside;
use crate::catalog;
use crate::clock;
use crate::driver::Input;
use crate::dto::{AlarmInfo, CertifiedNode, NamedEntry, PublishedByNode, Renewed, RevokedNode, TaskInfo};
use crate::error::NodeError;
use crate::homecoming;
use crate::identities;
use crate::partners;
use crate::rows;
use crate::shared::{Shared, lock, read};
use crate::status;

/// How long the first records of the new term may take when the publisher is revoked.
const FIRST_RECORDS: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);
/// Characters of an id that name a node, at its beginning or its end.
const ID_CHARS_MIN: usize = 4;
/// Entries that a task names; more are counted.
const NAMED_MAX: usize = 5;
/// Days before the end of a partner's certificate when people here are told: time enough to call.
const PARTNER_WARNING_DAYS: u32 = 7;

/// `nodes list`, those whose certificates were taken back included.
pub(crate) fn list(shared: &Shared) -> Vec<CertifiedNode> {
    let identity = shared.identity();
    let all = identity.nodes().map(|certificate| certificate.node).chain(identity.revoked_nodes());
    let mut nodes: Vec<CertifiedNode> = all.filter_map(|node| describe(shared, &identity, &node)).collect();
    nodes.sort_by(|a, b| (a.state == "revoked", &a.name, &a.id).cmp(&(b.state == "revoked", &b.name, &b.id)));
    nodes
}

fn describe(shared: &Shared, identity: &Identity, node: &NodeId) -> Option<CertifiedNode> {
    let certificate = identity.last_certificate(node)?;
    let roles = [(certificate.roles.admin, "admin"), (certificate.roles.edit, "edit")];
    let state = match identity.node_state(node, clock::now()) {
        NodeState::Valid => "valid",
        NodeState::Expired => "expired",
        NodeState::Revoked => "revoked",
        NodeState::NotYet | NodeState::Unknown => "not_yet",
    };
    let revocation = identity.revocation(node).filter(|_| identity.is_revoked(node));
    Some(CertifiedNode {
        id: node.to_string(),
        name: certificate.name.clone(),
        state: state.into(),
        roles: roles.into_iter().filter(|(may, _)| *may).map(|(_, role)| role.to_owned()).collect(),
        publisher: identity.current_term().is_some_and(|(_, publisher)| publisher == *node),
        here: *node == shared.own.node,
        not_before: clock::rfc3339(certificate.not_before),
        not_after: clock::rfc3339(certificate.not_after),
        revoked_at: revocation.map(|revocation| clock::rfc3339(revocation.at)),
    })
}

/// Finds one own node by its name, its id, or the beginning or end of that.
fn find(shared: &Shared, name_or_id: &str) -> Result<NodeId, NodeError> {
    let identity = shared.identity();
    let wanted = name_or_id.trim();
    let all: Vec<(NodeId, String)> = identity
        .nodes()
        .map(|certificate| certificate.node)
        .chain(identity.revoked_nodes())
        .filter_map(|node| Some((node, identity.last_certificate(&node)?.name.clone())))
        .collect();
    let exact = |node: &NodeId, name: &str| node.to_string() == wanted || name.to_lowercase() == wanted.to_lowercase();
    let part = |node: &NodeId| {
        let id = node.to_string();
        wanted.len() >= ID_CHARS_MIN && (id.starts_with(wanted) || id.ends_with(wanted))
    };
    let mut found: Vec<&(NodeId, String)> = all.iter().filter(|(node, name)| exact(node, name)).collect();
    if found.is_empty() {
        found = all.iter().filter(|(node, _)| part(node)).collect();
    }
    match found.as_slice() {
        [(node, _)] => Ok(*node),
        [] => {
            let names: Vec<&str> = all.iter().map(|(_, name)| name.as_str()).collect();
            Err(NodeError::NotFound(format!("there is no own node {name_or_id:?}; there are: {}", names.join(", "))))
        }
        several => {
            let ids: Vec<String> = several.iter().map(|(node, name)| format!("{name} ({node})")).collect();
            Err(NodeError::Conflict(format!("{name_or_id:?} can mean {}; give the id", ids.join(" or "))))
        }
    }
}

/// The root key, or why it is not to be had.
pub(crate) fn root(shared: &Shared, what: &str) -> Result<RootKey, NodeError> {
    shared.root().ok_or_else(|| {
        NodeError::Forbidden(format!(
            "the root key is not on this node, and only root {what}; run this where the organisation was founded"
        ))
    })
}

fn invalid(error: ortsnetz_trust::EncodingError) -> NodeError {
    NodeError::Invalid(error.to_string())
}

/// `nodes renew`: a new certificate for one node, or for all whose certificate ends soon or has ended.
pub(crate) fn renew(shared: &Shared, name_or_id: Option<&str>) -> Result<Renewed, NodeError> {
    let root = root(shared, "renews certificates")?;
    let nodes = match name_or_id {
        Some(name) => vec![find(shared, name)?],
        None => shared.identity().expiry_warnings(clock::now()).into_iter().map(|warning| warning.node).collect(),
    };
    for node in &nodes {
        identities::extend(shared, |identity| {
            let certificate = identity.certificate(node).ok_or_else(|| {
                NodeError::Conflict(
                    "the certificate of this node was taken back; make a new node with `ortsnetz invite --node` and `ortsnetz init --join` in an empty directory".into(),
                )
            })?;
            let (name, addresses) = (certificate.name.clone(), certificate.addresses.clone());
            let renewed = identity.certify(*node, certificate.roles, name, addresses, clock::now(), &root);
            renewed.map(|signed| vec![signed]).map_err(invalid)
        })?;
    }
    let identity = shared.identity();
    let renewed: Vec<CertifiedNode> = nodes.iter().filter_map(|node| describe(shared, &identity, node)).collect();
    for node in &renewed {
        tracing::info!(node = node.id, name = node.name, not_after = node.not_after, "certificate renewed");
    }
    Ok(Renewed { renewed })
}

/// `nodes revoke`: takes the certificate of a lost node back. If it was the publisher, this node is from now on, and the
/// first record of the new term says what of the old one counts; only then the certificate goes. Its draft feed gets a
/// final record by root.
pub(crate) fn revoke(shared: &Shared, name_or_id: &str) -> Result<RevokedNode, NodeError> {
    let root = root(shared, "takes a certificate back")?;
    let node = find(shared, name_or_id)?;
    if node == shared.own.node {
        return Err(NodeError::Conflict(
            "that is this node itself, which holds the root key; if others may have it, come back from the recovery sheet on another machine: `ortsnetz recover SHEET --from ADDR`, then `ortsnetz identity rotate`".into(),
        ));
    }
    let identity = shared.identity();
    if let Some(revocation) = identity.revocation(&node).filter(|_| identity.is_revoked(&node)) {
        let at = clock::rfc3339(revocation.at);
        return Err(NodeError::Conflict(format!("the certificate of this node was taken back already, at {at}")));
    }
    if lock(&shared.homecoming).is_some() {
        return Err(NodeError::Conflict(
            "this node was restored and has not heard from a partner yet what it lacks; a final record of today would not count that. Wait until `ortsnetz status` says so no more".into(),
        ));
    }
    if identity.current_term().is_none_or(|(_, publisher)| publisher == node) {
        status::appoint_here(shared, &root)?;
    }
    let begun = Instant::now();
    while !homecoming::all_in_own_term(shared)? {
        if shared.is_stopping() || begun.elapsed() > FIRST_RECORDS {
            return Err(NodeError::Unavailable(
                "the first records of the new term could not be written, so the certificate still counts; see `ortsnetz status`, and try again".into(),
            ));
        }
        std::thread::park_timeout(LOOK);
    }
    identities::extend(shared, |identity| identity.revoke(node, clock::now(), &root).map_err(invalid))?;
    conclude(shared);
    partners::apply_allow_list(shared)?;
    let identity = shared.identity();
    let revoked = describe(shared, &identity, &node).unwrap_or_default();
    tracing::info!(node = revoked.id, name = revoked.name, "the certificate of an own node was taken back");
    Ok(RevokedNode {
        node: revoked,
        publisher: status::publisher(shared)?,
        published: published_by(shared, &node)?,
        drafts: drafts_of(shared, &node)?,
    })
}

/// Lets the draft feed of every revoked node end with a record by the present root key, unless it does; without the root
/// key nothing happens.
pub(crate) fn conclude(shared: &Shared) {
    let Some(root) = shared.root() else { return };
    for node in shared.identity().revoked_nodes() {
        let feed = draft_feed(shared.own.organisation, &node);
        if !is_concluded(shared, &feed, &root) {
            let _ = shared.driver.send(Input::Answer(Event::Conclude { feed }));
        }
    }
}

fn is_concluded(shared: &Shared, feed: &FeedId, root: &RootKey) -> bool {
    let newest = shared.store.markers(feed).ok().and_then(|mut markers| markers.pop());
    let signed = newest.and_then(|(_, bytes)| SignedRecord::from_bytes(&bytes).ok());
    signed.is_some_and(|signed| {
        signed.record().position.term == FINAL_TERM && signed.node().0 == ortsnetz_trust::Signer::public(root).0
    })
}

/// What a node published itself, and what others published at its request, as far as it is the newest; newest first.
fn published_by(shared: &Shared, node: &NodeId) -> Result<Vec<PublishedByNode>, NodeError> {
    let mut found: BTreeMap<EntryId, (u64, &str)> = BTreeMap::new();
    let mut note = |entry: EntryId, at: u64, how: &'static str| {
        let known = found.entry(entry).or_insert((at, how));
        *known = (*known).max((at, how));
    };
    for feed in catalog::feeds_of(shared, &shared.own.organisation) {
        let drafts = catalog::is_draft_feed(shared, &feed);
        shared.store.records(Some(&feed), &mut |row| {
            let Ok(signed) = SignedRecord::from_bytes(&row.bytes) else { return true };
            let record = signed.record();
            match &record.body {
                Body::Answer(answer) if answer.node == *node && matches!(answer.outcome, Outcome::Accepted(_)) => {
                    note(answer.entry, record.at, "requested");
                }
                _ if !drafts && signed.node() == *node => note(row.entry, record.at, "signed"),
                _ => {}
            }
            true
        })?;
    }
    let mut found: Vec<(EntryId, (u64, &str))> = found.into_iter().collect();
    found.sort_by_key(|(entry, (at, _))| (std::cmp::Reverse(*at), *entry));
    found
        .into_iter()
        .map(|(entry, (at, how))| {
            let title = aside::title(shared, &entry)?.unwrap_or_default();
            Ok(PublishedByNode { id: entry.to_string(), title, at: clock::rfc3339(at), how: how.into() })
        })
        .collect()
}

/// Entries that are drafts here and in whose drafts this node had a part.
fn drafts_of(shared: &Shared, node: &NodeId) -> Result<Vec<NamedEntry>, NodeError> {
    let feed = draft_feed(shared.own.organisation, node);
    let mut entries = Vec::new();
    shared.store.records(Some(&feed), &mut |row| {
        entries.push(row.entry);
        true
    })?;
    let mut drafts = Vec::new();
    for entry in entries {
        if rows::own_entry(&shared.store, &entry)?.is_some_and(|row| row.draft) {
            let title = aside::title(shared, &entry)?.unwrap_or_default();
            drafts.push(NamedEntry { id: entry.to_string(), title });
        }
    }
    Ok(drafts)
}

/// Drafts of nodes whose right to write has ended: kept, and somebody should look at them.
pub(crate) fn tasks(shared: &Shared) -> Result<Vec<TaskInfo>, NodeError> {
    let identity = shared.identity();
    let mut tasks = Vec::new();
    if identity.is_revoked(&shared.own.node) {
        // It can do nothing about them; the alarm says what it can do.
        return Ok(tasks);
    }
    for node in identity.revoked_nodes() {
        let (Some(certificate), Some(revocation)) = (identity.last_certificate(&node), identity.revocation(&node))
        else {
            continue;
        };
        let drafts = drafts_of(shared, &node)?;
        let Some(first) = drafts.first() else { continue };
        let mut named: Vec<String> =
            drafts.iter().take(NAMED_MAX).map(|draft| format!("\"{}\" ({})", draft.title, draft.id)).collect();
        if drafts.len() > NAMED_MAX {
            named.push(format!("{} more", drafts.len() - NAMED_MAX));
        }
        tasks.push(TaskInfo {
            kind: "drafts_of_revoked_node".into(),
            entry: (drafts.len() == 1).then(|| first.id.clone()),
            message: format!(
                "{} wrote in these drafts before its certificate was taken back at {}: {}. They are kept: read them with `ortsnetz show ID --draft`, then publish what is right, or take it back with `ortsnetz edit ID --undo`.",
                certificate.name,
                clock::rfc3339(revocation.at),
                named.join(", ")
            ),
            ..TaskInfo::default()
        });
    }
    Ok(tasks)
}

/// If the certificate of this node was taken back: the sentence that says so, and what to do.
pub(crate) fn revoked_here(shared: &Shared) -> Option<String> {
    let identity = shared.identity();
    let revocation = identity.revocation(&shared.own.node).filter(|_| identity.is_revoked(&shared.own.node))?;
    Some(format!(
        "{} took the certificate of this node back at {}: no node lets it in any more, and nothing that it writes counts. What it holds stays readable here, drafts too (`ortsnetz show ID --draft`). If that was a mistake, ask there for `ortsnetz invite --node`, and use it with `ortsnetz init --join` in an empty directory",
        identity.name(),
        clock::rfc3339(revocation.at)
    ))
}

/// What certificates ask of a person now: own ones that end within 90, 30 or 7 days or have ended, those of partners when
/// it is time to call. Derived, so that a renewal ends it.
pub(crate) fn alarms(shared: &Shared) -> Vec<AlarmInfo> {
    let now = clock::now();
    let alarm = |kind: &str, partner: Option<String>, at: u64, message: String| AlarmInfo {
        kind: kind.into(),
        message,
        partner,
        at: clock::rfc3339(at),
        count: 1,
    };
    let mut alarms = Vec::new();
    if let Some(message) = revoked_here(shared) {
        alarms.push(alarm("revoked", None, now, format!("{message}.")));
    }
    for warning in shared.identity().expiry_warnings(now) {
        alarms.push(alarm("certificate_ends", None, since(&warning), own_warning(&warning)));
    }
    let partners: Vec<_> = read(&shared.partners).iter().filter(|(_, row)| !row.ended).map(|(id, _)| *id).collect();
    for id in partners {
        let Some(identity) = shared.identity_of(&id) else { continue };
        let Some((_, publisher)) = identity.current_term() else { continue };
        let warnings = identity.expiry_warnings(now);
        let warning = warnings.iter().find(|it| it.node == publisher && it.days <= PARTNER_WARNING_DAYS);
        if let Some(warning) = warning {
            let (name, end) = (identity.name(), clock::rfc3339(warning.not_after));
            let message = if warning.days == 0 {
                format!(
                    "the certificate of {name} ended at {end}: its entries stay readable as they were then, and newer ones are held back until it is renewed there (`ortsnetz nodes renew`). Call them."
                )
            } else {
                format!(
                    "the certificate of {name} ends at {end}; newer entries are held back then until it is renewed there (`ortsnetz nodes renew`). Call them."
                )
            };
            alarms.push(alarm("partner_certificate_ends", Some(name.to_owned()), since(warning), message));
        }
    }
    alarms
}

/// When the step of this warning was reached.
fn since(warning: &ExpiryWarning) -> u64 {
    warning.not_after.saturating_sub(u64::from(warning.days) * 24 * 60 * 60 * 1000)
}

/// The sentence about an own certificate.
pub(crate) fn own_warning(warning: &ExpiryWarning) -> String {
    let (name, end) = (&warning.name, clock::rfc3339(warning.not_after));
    if warning.days == 0 {
        format!(
            "the certificate of {name} ended at {end}: what was published stays readable everywhere, and whatever it signs since then is held back until `ortsnetz nodes renew` was run on the node with the root key."
        )
    } else {
        format!(
            "the certificate of {name} ends at {end}, in less than {} days; run `ortsnetz nodes renew` on the node with the root key.",
            warning.days
        )
    }
}

/// When the publisher's certificate of an organisation ended: what is shown of it since is the last verified state.
pub(crate) fn expired_since(identity: &Identity, now: u64) -> Option<u64> {
    let (_, publisher) = identity.current_term()?;
    let certificate = identity.certificate(&publisher)?;
    (certificate.not_after < now).then_some(certificate.not_after)
}

/// Says in the log when a certificate comes near its end, once for each step; the same is in `status` and `doctor`.
pub(crate) async fn watch(shared: std::sync::Arc<Shared>) {
    const EVERY: Duration = Duration::from_secs(3600);
    let mut told: Vec<(NodeId, u32)> = Vec::new();
    while !shared.is_stopping() {
        let warnings = shared.identity().expiry_warnings(clock::now());
        for warning in &warnings {
            if !told.contains(&(warning.node, warning.days)) {
                tracing::warn!(node = %warning.node, message = own_warning(warning), "a certificate comes to its end");
            }
        }
        told = warnings.iter().map(|warning| (warning.node, warning.days)).collect();
        tokio::time::sleep(EVERY).await;
    }
}

const _: () = assert!(EXPIRY_WARNING_DAYS[0] == PARTNER_WARNING_DAYS);
