//! Alarms of the engine as sentences a person can act on, kept until they are dealt with.

use ortsnetz_model::{FeedId, NodeId, OrgId};
use ortsnetz_net::Reason;
use ortsnetz_store::{Batch, Key, Origin, Range};
use ortsnetz_sync::Alarm;

use crate::agreements;
use crate::ahead;
use crate::clock;
use crate::dto::{AlarmInfo, EventInfo};
use crate::error::NodeError;
use crate::keeping;
use crate::nodes;
use crate::rows::{self, AlarmRow};
use crate::shared::Shared;

/// Alarms kept at once; the oldest go first.
const ALARMS_MAX: usize = 500;

/// Keeps an alarm, tells listeners, and logs it.
pub(crate) fn raise(shared: &Shared, alarm: &Alarm) {
    let Some((kind, who, message)) = describe(shared, alarm) else { return };
    let partner = match who {
        Who::Node(node) => shared.organisation_of(&node),
        Who::Owner(organisation) => (organisation != shared.own.organisation).then_some(organisation),
        Who::Nobody => None,
    };
    let about = match alarm {
        Alarm::Invalid { feed, entry, .. } => format!("{}/{}/{entry:?}", feed.organisation, feed.collection),
        // Each time at another position, or with other bytes: it is the same thing.
        Alarm::Ahead { feed, .. } => format!("{}/{}", feed.organisation, feed.collection),
        Alarm::Misbehaved { node, .. } => node.to_string(),
        other => format!("{other:?}").chars().take(200).collect(),
    };
    note(shared, kind, &about, partner, message);
}

/// Keeps an alarm under a stable key; the same again only counts.
pub(crate) fn note(shared: &Shared, kind: &str, about: &str, partner: Option<OrgId>, message: String) {
    let now = clock::now();
    let who = partner.map(|partner| partner.to_string()).unwrap_or_default();
    let hash = ortsnetz_model::Hash::of(about.as_bytes()).to_string();
    let name = format!("{kind}/{who}/{}", &hash[..16]);
    let known = shared.store.get(&Key::Alarm(name.clone())).ok().flatten();
    let mut row = match known.and_then(|bytes| rows::decode::<AlarmRow>("an alarm", &bytes).ok()) {
        Some(row) => row,
        None => AlarmRow { kind: kind.into(), message: String::new(), partner, at: now, count: 0 },
    };
    row.count += 1;
    row.message.clone_from(&message);
    tracing::warn!(kind, message, "alarm");
    let first = row.count == 1;
    let info = info(shared, &row);
    let mut batch = Batch::new(Origin::Foreign);
    batch.put(Key::Alarm(name), rows::encode(&row));
    if first && let Ok(all) = shared.store.scan(&Range::Alarms, None, ALARMS_MAX + 1) {
        let mut dated: Vec<(u64, Key)> = all
            .into_iter()
            .filter_map(|(key, bytes)| Some((rows::decode::<AlarmRow>("an alarm", &bytes).ok()?.at, key)))
            .collect();
        if dated.len() >= ALARMS_MAX {
            dated.sort();
            batch.delete(dated.remove(0).1);
        }
    }
    shared.store.submit(batch, |_| {});
    if first {
        let _ = shared.events.send(EventInfo::Alarm(info));
    }
}

/// All alarms kept, newest first, and before them what can be seen now: that nothing can be written, which a full disk
/// cannot keep, and what certificates ask for.
pub(crate) fn all(shared: &Shared) -> Result<Vec<AlarmInfo>, NodeError> {
    let mut now = Vec::new();
    if let Err(error) = shared.store.room() {
        now.push(AlarmInfo {
            kind: "disk_full".into(),
            message: format!("nothing can be written or taken in: {error}"),
            partner: None,
            at: clock::rfc3339(clock::now()),
            count: 1,
        });
    }
    now.extend(nodes::alarms(shared));
    now.extend(ahead::alarm(shared)?);
    now.extend(agreements::alarms(shared)?);
    now.extend(keeping::alarm(shared)?);
    let mut all = Vec::new();
    for (_, bytes) in shared.store.scan(&Range::Alarms, None, ALARMS_MAX + 1)? {
        all.push(rows::decode::<AlarmRow>("an alarm", &bytes)?);
    }
    all.sort_by_key(|row| std::cmp::Reverse(row.at));
    Ok(now.into_iter().chain(all.iter().map(|row| info(shared, row))).collect())
}

fn info(shared: &Shared, row: &AlarmRow) -> AlarmInfo {
    AlarmInfo {
        kind: row.kind.clone(),
        message: row.message.clone(),
        partner: row.partner.map(|partner| shared.organisation_name(&partner)),
        at: clock::rfc3339(row.at),
        count: row.count,
    }
}

/// Whom an alarm is about.
enum Who {
    /// The node that did it.
    Node(NodeId),
    /// The organisation whose records they are.
    Owner(OrgId),
    /// This node itself, or nobody in particular.
    Nobody,
}

fn describe(shared: &Shared, alarm: &Alarm) -> Option<(&'static str, Who, String)> {
    let owner = |feed: &FeedId| shared.organisation_name(&feed.organisation);
    let who = |node: &NodeId| shared.node_name(node);
    Some(match alarm {
        Alarm::Invalid { node, feed, entry, reason } => {
            let what = entry.map_or_else(|| "a checkpoint".into(), |entry| format!("entry {entry}"));
            let text = format!(
                "{} handed over {what} of {} that is not valid ({reason}); it was not taken in, the former state stays. Call {} if it goes on.",
                who(node),
                owner(feed),
                who(node)
            );
            ("invalid_record", Who::Node(*node), text)
        }
        Alarm::Misbehaved { node, reason } => ("misbehaved", Who::Node(*node), misbehaved(shared, node, reason)),
        Alarm::Equivocation { feed, position, .. } => {
            let text = format!(
                "{} signed two different records for one position ({position}); nothing newer is taken in. Call them: they continue with `ortsnetz publisher take`.",
                owner(feed)
            );
            ("equivocation", Who::Owner(feed.organisation), text)
        }
        Alarm::RolledBack { feed, node, ours, theirs } => {
            let text = format!(
                "{} holds newer data of our collection {} ({theirs}) than this node ({ours}): it runs on old data. It is being fetched back; nothing needs to be done unless this repeats.",
                who(node),
                shared.collection_name(feed)
            );
            ("rolled_back", Who::Node(*node), text)
        }
        Alarm::Cloned { feed, node } => {
            let text = format!(
                "a second copy of this node writes in {} (seen at {}): stop one of the two, then run `ortsnetz publisher take` here.",
                shared.collection_name(feed),
                who(node)
            );
            ("cloned", Who::Node(*node), text)
        }
        Alarm::TwoInstances { node } => {
            ("cloned", Who::Node(*node), format!("{} runs twice at the same time; call them.", who(node)))
        }
        Alarm::Withheld { node, feed } => {
            let text = format!(
                "{} did not hand over everything of {}: what it gave does not fit the signed totals. Others are asked.",
                who(node),
                owner(feed)
            );
            ("withheld", Who::Node(*node), text)
        }
        Alarm::Repaired { feed, entries } => {
            let text = format!("{entries} entries of {} were missing or altered here and were repaired.", owner(feed));
            ("repaired", Who::Nobody, text)
        }
        Alarm::Extra { feed, entries } => {
            let text = format!(
                "{} entries of {} are here that its signed totals do not count; they are kept and shown.",
                entries.len(),
                owner(feed)
            );
            ("extra", Who::Nobody, text)
        }
        Alarm::SetAside { feed, entries } => {
            let text = format!(
                "{} records of {} do not count any more for their owner and were set aside.",
                entries.len(),
                owner(feed)
            );
            ("set_aside", Who::Nobody, text)
        }
        Alarm::Stale { feed } => {
            let text =
                format!("nothing was heard of {} for more than 24 hours; its entries may be out of date.", owner(feed));
            ("stale", Who::Owner(feed.organisation), text)
        }
        Alarm::Ahead { feed, position } => {
            let text = format!(
                "a record of {} ({position}) lies in the future and is held back; check the clocks.",
                owner(feed)
            );
            ("clock_ahead", Who::Owner(feed.organisation), text)
        }
        Alarm::Full { feed } => (
            "full",
            Who::Owner(feed.organisation),
            format!("{} offers more entries than this node takes.", owner(feed)),
        ),
        Alarm::Statements { node, organisation } => {
            let text = format!(
                "{} sent statements of {} that are not valid.",
                who(node),
                shared.organisation_name(organisation)
            );
            ("invalid_statements", Who::Node(*node), text)
        }
        Alarm::NotStored { feed } => (
            "not_stored",
            Who::Nobody,
            format!("records of {} could not be written to disk; it is tried again. Check the disk.", owner(feed)),
        ),
    })
}

/// What is said of a node that was cut off for what it sent.
fn misbehaved(shared: &Shared, node: &NodeId, reason: &str) -> String {
    let who = shared.node_name(node);
    format!(
        "{who} sends what it may not ({reason}); the line was closed, and is refused for a minute, longer each time. Call {who} if it goes on."
    )
}

/// The network cut a node off for what it did, or did not do.
pub(crate) fn cut_off(shared: &Shared, node: &NodeId, reason: &Reason) {
    let message = match reason {
        Reason::Flooded { .. } | Reason::FrameTooLong { .. } => misbehaved(shared, node, &reason.to_string()),
        Reason::Unread { .. } => {
            let who = shared.node_name(node);
            format!("{who} does not read what is sent to it ({reason}); the line was closed and is tried again.")
        }
        _ => return,
    };
    let kind = if matches!(reason, Reason::Unread { .. }) { "unread" } else { "misbehaved" };
    note(shared, kind, &node.to_string(), shared.organisation_of(node), message);
}
