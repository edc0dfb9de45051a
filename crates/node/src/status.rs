//! `status`, `doctor`, `publisher` and the recovery sheet. All of it blocks.

use std::sync::atomic::Ordering;

use ortsnetz_model::OrgId;
use ortsnetz_service::tasks::{TaskKind, counts};
use ortsnetz_trust::RootKey;

use crate::ahead;
use crate::alarms;
use crate::backups;
use crate::clock;
use crate::dto::{Doctor, DoctorLine, EntryCounts, NodeInfo, PublisherInfo, Status, TaskInfo};
use crate::error::NodeError;
use crate::homecoming;
use crate::identities;
use crate::joining::stated_addresses;
use crate::keeping;
use crate::nodes;
use crate::partners::{self, look};
use crate::reaching::Examined;
use crate::shared::{Shared, read};
use crate::start::RECOVERY_CHECKED;
use crate::tasks;

/// Tasks listed in `status`; more are counted in the last line.
const TASKS_MAX: usize = 100;

/// `status`
pub(crate) fn status(shared: &Shared) -> Result<Status, NodeError> {
    let own = shared.own.organisation;
    let others: Vec<OrgId> = read(&shared.identities).keys().filter(|id| **id != own).copied().collect();
    let (published, replicated) = look(shared, move |engine| {
        let replicated = others.iter().map(|organisation| engine.entries_of(organisation)).sum();
        (engine.entries_of(&own), replicated)
    })?;
    let drafts = shared.marks.look().drafts.len() as u64;
    let mut all = tasks::all(shared)?;
    let task_counts = counts(&all).into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect();
    // Reviews may be many; what else is to be done is not to get lost among them.
    all.sort_by_key(|task| task.kind == TaskKind::Review);
    let more = all.len().saturating_sub(TASKS_MAX);
    let mut tasks: Vec<TaskInfo> = all.into_iter().take(TASKS_MAX).map(tasks::info).collect();
    if more > 0 {
        tasks.push(TaskInfo { kind: "more".into(), message: format!("and {more} more"), ..TaskInfo::default() });
    }
    let entries = EntryCounts { own: published, drafts, replicated };
    let term = shared.identity().current_term();
    let last_change = shared.last_change_at.load(Ordering::Relaxed);
    Ok(Status {
        organisation: shared.organisation_info(&own),
        node: NodeInfo { id: shared.own.node.to_string(), addresses: stated_addresses(shared, &shared.identity()) },
        http: shared.http.clone(),
        publisher: shared.is_publisher(),
        publisher_node: term.map(|(_, node)| shared.node_name(&node)).unwrap_or_default(),
        term: term.map_or(0, |(number, _)| number),
        partners: partners::list(shared)?,
        entries,
        alarms: alarms::all(shared)?,
        tasks,
        task_counts,
        keepers: keeping::list(shared)?.keepers,
        recovery_checked: shared.root().is_none() || shared.store.meta(RECOVERY_CHECKED)?.is_some(),
        search: if shared.search.is_current() { "current" } else { "rebuilding" }.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        last_change_at: (last_change > 0).then(|| clock::rfc3339(last_change)),
    })
}

/// `publisher show`
pub(crate) fn publisher(shared: &Shared) -> Result<PublisherInfo, NodeError> {
    let (term, node) = shared.identity().current_term().ok_or_else(|| {
        NodeError::NotFound("no node is the publisher; take it with `ortsnetz publisher take`".into())
    })?;
    Ok(PublisherInfo { node: node.to_string(), term, here: node == shared.own.node })
}

/// `publisher take`: a new term for this node.
pub(crate) fn take_publisher(shared: &Shared) -> Result<PublisherInfo, NodeError> {
    let Some(root) = shared.root() else {
        return Err(NodeError::Forbidden(
            "the root key is not on this node, and only root appoints the publisher; run this where the organisation was founded".into(),
        ));
    };
    appoint_here(shared, &root)?;
    homecoming::give_up_waiting(shared)?;
    ahead::sign_anew(shared)?;
    publisher(shared)
}

/// States a new term for this node.
pub(crate) fn appoint_here(shared: &Shared, root: &RootKey) -> Result<(), NodeError> {
    identities::extend(shared, |identity| {
        identity
            .appoint(shared.own.node, clock::now(), root)
            .map(|signed| vec![signed])
            .map_err(|error| NodeError::Invalid(error.to_string()))
    })
}

/// `doctor`
pub(crate) fn doctor(shared: &Shared, network: Examined) -> Result<Doctor, NodeError> {
    let mut checks = Vec::new();
    let mut line = |check: &str, result: &str, message: String| {
        checks.push(DoctorLine { check: check.into(), result: result.into(), message });
    };
    match shared.store.check(ortsnetz_store::Check::Fast, None) {
        Ok(problems) if problems.is_empty() => {
            line("store", "ok", "every row and the own log have their checksums".into())
        }
        Ok(problems) => {
            let of_log = problems.iter().all(|problem| problem.what.starts_with("own log"));
            let remedy = match of_log {
                true => "run `ortsnetz store compact`, which writes it anew from the database",
                false => "run `ortsnetz store check` for all; a restart sets aside what is damaged and builds it anew",
            };
            let more = problems.len() - 1;
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            line("store", "failed", format!("{}{more}; {remedy}", problems[0]));
        }
        Err(error) => line("store", "failed", error.to_string()),
    }
    match shared.store.room() {
        Ok(()) => line("disk", "ok", "there is room to write".into()),
        Err(error) => line("disk", "failed", error.to_string()),
    }
    if let Ok(usage) = shared.store.usage() {
        let (result, hint) = match (usage.compact_advised, shared.store.room().is_ok()) {
            (true, true) => ("warning", "; run `ortsnetz store compact`"),
            (true, false) => ("warning", "; run `ortsnetz store compact` when there is room for a second copy"),
            _ => ("ok", ""),
        };
        line(
            "disk use",
            result,
            format!("{} bytes on disk, {:.1} for each byte held{hint}", usage.disk_bytes, usage.amplification),
        );
    }
    if shared.search.is_current() {
        line("search index", "ok", format!("{} entries can be found", shared.search.entries()));
    } else {
        line("search index", "warning", "it is being rebuilt; answers are incomplete until then".into());
    }
    let listening = shared.net.listening();
    if listening.is_empty() {
        line("listening", "warning", "this node only dials out; partners cannot reach it. Set --listen".into());
    } else {
        line("listening", "ok", listening.join(", "));
    }
    for found in network.lines {
        line(&found.check, &found.result, found.message);
    }
    if let Some(sentence) = nodes::revoked_here(shared) {
        line("certificate", "failed", sentence);
    }
    for warning in shared.identity().expiry_warnings(clock::now()) {
        let result = if warning.days == 0 { "failed" } else { "warning" };
        line("certificate", result, nodes::own_warning(&warning));
    }
    for partner in partners::list(shared)? {
        let name = format!("partner {}", partner.name);
        let through = partner.through.as_ref().map(|relay| format!(" through {relay}")).unwrap_or_default();
        match (&partner.connected, partner.in_sync) {
            (true, true) => line(&name, "ok", format!("connected{through}, in sync")),
            (true, false) => line(&name, "warning", format!("connected{through}, {} records behind", partner.behind)),
            (false, _) if partner.leaving.as_ref().is_some_and(|leaving| leaving.left) => {
                line(&name, "ok", partner.leaving.map(|leaving| leaving.sentence).unwrap_or_default());
            }
            (false, _) => {
                let why = partner.problem.unwrap_or_else(|| "it has not called, and no address of it is known".into());
                line(&name, "warning", format!("not connected: {why}"));
            }
        }
    }
    let (young, message) = backups::last(&shared.store)?;
    for (result, message) in keeping::examine(shared)? {
        line("sealed copy", result, message);
    }
    line("backup", if young { "ok" } else { "warning" }, message);
    if shared.root().is_some() && shared.store.meta(RECOVERY_CHECKED)?.is_none() {
        line(
            "recovery sheet",
            "warning",
            "it was never read back; do it once with `ortsnetz identity sheet --check FILE`".into(),
        );
    }
    let ok = checks.iter().all(|line| line.result != "failed");
    Ok(Doctor { ok, checks, forward: network.forward })
}
