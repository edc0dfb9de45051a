//! Partners: who they are, what they may read, how both stand. All of it blocks.

use std::collections::{BTreeMap, BTreeSet};

use ortsnetz_model::{NodeId, OrgId};
use ortsnetz_net::Peer;
use ortsnetz_store::{Batch, Key, Origin};
use ortsnetz_sync::PeerStatus;
use ortsnetz_trust::identity::{Identity, PartnershipState, Slot};
use ortsnetz_trust::standing::Contested;
use ortsnetz_trust::statement::{PartnerConfirmation, PartnershipEnd, Signed};

use crate::alarms;
use crate::catalog;
use crate::clock;
use crate::driver::Input;
use crate::dto::{ComparedCollection, Comparison, PartnerDetail, PartnerStatus};
use crate::error::NodeError;
use crate::identities;
use crate::leaving;
use crate::reaching;
use crate::rows::{self, PartnerRow};
use crate::shared::{Shared, lock, read, stopping, write};
use crate::vouching::{self, nearness};

/// Finds one organisation by name, or by its id or the beginning of it (at least 4 digits). Of several the nearest counts:
/// our own, then confirmed partners, then other partners.
pub(crate) fn find_organisation(shared: &Shared, name_or_id: &str) -> Result<OrgId, NodeError> {
    let identities = read(&shared.identities).clone();
    let wanted = name_or_id.trim().to_lowercase();
    let exact: Vec<OrgId> = identities
        .values()
        .filter(|identity| identity.name().to_lowercase() == wanted || identity.id().to_string() == wanted)
        .map(|identity| identity.id())
        .collect();
    let mut found = if exact.is_empty() {
        identities
            .values()
            .filter(|identity| {
                let prefix = wanted.len() >= 4 && identity.id().to_string().starts_with(&wanted);
                let part = wanted.len() >= 3 && identity.name().to_lowercase().contains(&wanted);
                prefix || part
            })
            .map(|identity| identity.id())
            .collect()
    } else {
        exact
    };
    let partners = read(&shared.partners);
    let near = |id: &OrgId| nearness(&shared.own.organisation, &partners, id);
    let nearest = found.iter().map(near).min();
    found.retain(|id| Some(near(id)) == nearest);
    drop(partners);
    match found.as_slice() {
        [one] => Ok(*one),
        [] => {
            let names: Vec<&str> = identities.values().map(|identity| identity.name()).collect();
            Err(NodeError::NotFound(format!(
                "no organisation {name_or_id:?} is known here; known are: {}",
                names.join(", ")
            )))
        }
        several => {
            let names: Vec<String> = several
                .iter()
                .filter_map(|id| identities.get(id))
                .map(|identity| format!("{} ({})", identity.name(), &identity.id().to_string()[..12]))
                .collect();
            Err(NodeError::Conflict(format!("{name_or_id:?} can mean {}; say more, or use the id", names.join(" or "))))
        }
    }
}

/// Finds a partner, present or past, or our own organisation (for `compare` with other own nodes).
fn find_partner(shared: &Shared, name_or_id: &str) -> Result<OrgId, NodeError> {
    let id = find_organisation(shared, name_or_id)?;
    if read(&shared.partners).contains_key(&id) || id == shared.own.organisation {
        return Ok(id);
    }
    Err(NodeError::NotFound(format!(
        "{} is no partner, it is known through others only; invite it with `ortsnetz invite`",
        shared.organisation_name(&id)
    )))
}

/// Tells the network who may connect and whom to dial.
pub(crate) fn apply_allow_list(shared: &Shared) -> Result<(), NodeError> {
    let _one = lock(&shared.letting_in);
    let mut peers: BTreeMap<NodeId, Peer> = BTreeMap::new();
    {
        let partners = read(&shared.partners);
        for identity in read(&shared.identities).values() {
            let own = identity.id() == shared.own.organisation;
            let row = partners.get(&identity.id());
            if !own && row.is_none() {
                continue;
            }
            let ended = row.is_some_and(|row| row.ended);
            let waits = row.is_some_and(|row| row.calls_us) || lock(&shared.joining).contains(&identity.id());
            let gone = !own && identity.leaving().is_some_and(|leaving| leaving::is_gone(leaving, clock::now()));
            let publisher = identity.current_term().map(|(_, node)| node);
            for certificate in identity.nodes().filter(|certificate| certificate.node != shared.own.node) {
                let mut addresses = certificate.addresses.clone();
                let learned =
                    row.into_iter().flat_map(|row| &row.addresses).filter(|known| known.node == certificate.node);
                for address in learned.flat_map(|known| &known.addresses) {
                    if !addresses.contains(address) {
                        addresses.push(address.clone());
                    }
                }
                addresses.truncate(ortsnetz_net::PEER_ADDRESSES_MAX);
                // A past partner is let in only to learn of the end.
                let dial =
                    !ended && !waits && !gone && !addresses.is_empty() && (own || publisher == Some(certificate.node));
                peers.insert(certificate.node, Peer { node: certificate.node, addresses, dial });
            }
            // Let in only to hear that its certificate was taken back.
            for node in identity.revoked_nodes().filter(|node| *node != shared.own.node) {
                peers.insert(node, Peer { node, addresses: Vec::new(), dial: false });
            }
        }
    }
    if shared.identity().is_revoked(&shared.own.node) {
        peers.clear();
    }
    shared.net.set_peers(peers.into_values().collect());
    let others = shared.identity().nodes().count() > 1 || read(&shared.partners).values().any(|row| !row.ended);
    shared.net.open_returns(others);
    shared.net.open_joins(crate::joining::any_open(shared)?);
    Ok(())
}

/// States this node's addresses, those through relays last, in its certificate, if they changed and the root key is here.
pub(crate) fn tell_addresses(shared: &Shared) -> Result<(), NodeError> {
    let Some(root) = shared.root() else { return Ok(()) };
    let circuits = reaching::circuits(shared);
    let mut addresses = own_addresses(shared, &shared.advertise);
    addresses.truncate(ortsnetz_net::PEER_ADDRESSES_MAX - circuits.len());
    addresses.extend(circuits);
    identities::extend(shared, |identity| {
        let Some(certificate) = identity.certificate(&shared.own.node) else { return Ok(Vec::new()) };
        if certificate.addresses == addresses {
            return Ok(Vec::new());
        }
        identity
            .certify(shared.own.node, certificate.roles, certificate.name.clone(), addresses, clock::now(), &root)
            .map(|signed| vec![signed])
            .map_err(|error| NodeError::Invalid(format!("--advertise: {error}")))
    })
}

/// Where partners can reach this node: what was configured, else what we listen at.
pub(crate) fn own_addresses(shared: &Shared, advertise: &[String]) -> Vec<String> {
    let mut addresses = advertise.to_vec();
    if addresses.is_empty() {
        let listening = shared.net.listening();
        let outside: Vec<String> = listening.iter().filter(|address| !is_loopback(address)).cloned().collect();
        addresses = if outside.is_empty() { listening } else { outside };
        addresses.sort();
        addresses.dedup();
    }
    addresses.truncate(ortsnetz_net::PEER_ADDRESSES_MAX);
    addresses
}

pub(crate) fn is_loopback(address: &str) -> bool {
    address.starts_with("/ip4/127.") || address.starts_with("/ip6/::1/") || address.starts_with("/ip6/fe80")
}

/// Keeps a partner's row.
pub(crate) fn keep(shared: &Shared, organisation: &OrgId, row: PartnerRow) -> Result<(), NodeError> {
    let mut batch = Batch::new(Origin::Own);
    batch.put(Key::Partner(*organisation), rows::encode(&row));
    shared.store.commit(batch)?;
    write(&shared.partners).insert(*organisation, row);
    weigh_claims(shared);
    Ok(())
}

/// Writes the statements of a partner, present or past, to the own log, unless they are there: a database that is rebuilt
/// from the log finds its partners by them. The caller holds `identity_changes`.
pub(crate) fn keep_chain(shared: &Shared, organisation: &OrgId) -> Result<(), NodeError> {
    let row = read(&shared.partners).get(organisation).cloned();
    let Some(mut row) = row.filter(|row| !row.chain_kept) else { return Ok(()) };
    let Some(identity) = shared.identity_of(organisation) else { return Ok(()) };
    let mut batch = Batch::new(Origin::Own);
    identities::put_chain(&shared.store, &mut batch, &identity, true)?;
    row.chain_kept = true;
    batch.put(Key::Partner(*organisation), rows::encode(&row));
    shared.store.commit(batch)?;
    write(&shared.partners).insert(*organisation, row);
    Ok(())
}

/// Does so for all: an earlier version left them out.
pub(crate) fn keep_chains(shared: &Shared) -> Result<(), NodeError> {
    let _one = lock(&shared.identity_changes);
    let partners: Vec<OrgId> = read(&shared.partners).keys().copied().collect();
    partners.iter().try_for_each(|id| keep_chain(shared, id))
}

/// Brings rows and allow list in line with what an organisation stated anew. The caller holds `identity_changes`.
pub(crate) fn refresh(shared: &Shared, organisation: &OrgId) -> Result<(), NodeError> {
    let own = shared.identity();
    let candidates: BTreeSet<OrgId> = if *organisation == own.id() {
        own.partners().chain(read(&shared.partners).keys().copied()).collect()
    } else {
        BTreeSet::from([*organisation])
    };
    for id in candidates {
        let Some(identity) = shared.identity_of(&id) else { continue };
        let state = own.partnership_with(&identity);
        let known = read(&shared.partners).get(&id).cloned();
        let mut row = match (known, state) {
            (Some(row), _) => row,
            // Without check words: only the two nodes that joined can know them.
            (None, PartnershipState::Active) => PartnerRow { since: clock::now(), ..PartnerRow::default() },
            (None, _) => continue,
        };
        let before = row.clone();
        row.ended = state == PartnershipState::Ended;
        row.confirmed = own.confirms(&id) && !row.ended;
        if row != before || !read(&shared.partners).contains_key(&id) {
            let ended_now = row.ended && !before.ended;
            keep(shared, &id, row)?;
            keep_chain(shared, &id)?;
            if ended_now {
                let _ = shared.driver.send(Input::Removed(id));
                alarms::note(
                    shared,
                    "partnership_ended",
                    &id.to_string(),
                    Some(id),
                    format!(
                        "the partnership with {} has ended; its entries stay readable here as they were.",
                        identity.name()
                    ),
                );
            }
        }
    }
    weigh_claims(shared);
    apply_allow_list(shared)
}

/// Weighs all claims anew; two organisations that claim one place are an alarm.
pub(crate) fn weigh_claims(shared: &Shared) {
    for Contested { place: ars, by: organisations } in vouching::weigh(shared) {
        let names: Vec<String> = organisations
            .iter()
            .map(|id| format!("{} ({})", shared.organisation_name(id), &id.to_string()[..12]))
            .collect();
        let partner = organisations.iter().find(|id| !read(&shared.partners).contains_key(*id)).copied();
        let partner = partner.filter(|id| *id != shared.own.organisation);
        alarms::note(
            shared,
            "place_claimed_twice",
            &format!("{ars}{names:?}"),
            partner.and_then(|id| read(&shared.introduced).get(&id).and_then(|row| row.by.first().copied())),
            format!(
                "{} claim the same place {ars}; {} Ask whoever introduced the other.",
                names.join(" and "),
                if organisations.iter().any(|id| shared.identity().confirms(id)) {
                    "answers come from the one a person confirmed."
                } else {
                    "answers are marked as not confirmed until a person confirms one with `ortsnetz partners confirm`."
                }
            ),
        );
    }
}

/// A look at the engine from outside the loop. Blocks.
pub(crate) fn look<T: Send + 'static>(
    shared: &Shared,
    ask: impl FnOnce(&ortsnetz_sync::Engine) -> T + Send + 'static,
) -> Result<T, NodeError> {
    let (reply, answer) = std::sync::mpsc::channel();
    shared
        .driver
        .send(Input::Ask(Box::new(move |engine| {
            let _ = reply.send(ask(engine));
        })))
        .map_err(|_| stopping())?;
    answer.recv().map_err(|_| stopping())
}

/// `partners list`, other own nodes included.
pub(crate) fn list(shared: &Shared) -> Result<Vec<PartnerStatus>, NodeError> {
    let partners = read(&shared.partners).clone();
    let ids: Vec<OrgId> = partners.keys().copied().collect();
    let (peers, entries) = look(shared, move |engine| {
        let entries = ids.into_iter().map(|id| (id, engine.entries_of(&id))).collect::<BTreeMap<_, _>>();
        (engine.peers(), entries)
    })?;
    let mut all: Vec<PartnerStatus> = partners
        .iter()
        .filter(|(_, row)| !row.ended)
        .map(|(id, row)| partner_status(shared, id, row, &peers, entries.get(id).copied().unwrap_or(0)))
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    for certificate in shared.identity().nodes().filter(|certificate| certificate.node != shared.own.node) {
        let peer = peers.iter().find(|peer| peer.node == certificate.node);
        all.push(PartnerStatus {
            id: certificate.node.to_string(),
            name: certificate.name.clone(),
            ars: shared.identity().ars().to_owned(),
            connected: peer.is_some(),
            confirmed: true,
            in_sync: peer.is_some_and(|peer| peer.in_sync),
            behind: peer.map_or(0, |peer| peer.behind + peer.ahead),
            last_sync_at: peer.and_then(|peer| peer.last_sync_at).map(clock::rfc3339),
            own_node: true,
            nodes: vec![certificate.node.to_string()],
            through: through(shared, &[certificate.node]),
            problem: problem(shared, &[certificate.node], peer.is_some()),
            ..PartnerStatus::default()
        });
    }
    Ok(all)
}

fn problem(shared: &Shared, nodes: &[NodeId], connected: bool) -> Option<String> {
    if connected {
        return None;
    }
    let all: Vec<_> = nodes.iter().filter_map(|node| shared.net.peer_status(*node)).collect();
    let barred = all.iter().find_map(|status| status.barred.as_ref());
    match barred {
        Some((left, reason)) => Some(format!("{reason}; it is let in again in {} s", left.as_secs() + 1)),
        None => {
            all.into_iter().find_map(|status| status.dial_error).map(|reason| reaching::with_names(shared, &reason))
        }
    }
}

fn partner_status(shared: &Shared, id: &OrgId, row: &PartnerRow, peers: &[PeerStatus], entries: u64) -> PartnerStatus {
    let connected: Vec<&PeerStatus> = peers.iter().filter(|peer| peer.organisation == *id).collect();
    let identity = shared.identity_of(id);
    let nodes: Vec<NodeId> =
        identity.iter().flat_map(|identity| identity.nodes().map(|certificate| certificate.node)).collect();
    let last = connected.iter().filter_map(|peer| peer.last_sync_at).max().unwrap_or(0).max(row.last_sync_at);
    let introduces = read(&shared.introduced)
        .iter()
        .filter(|(organisation, introduced)| {
            introduced.by.contains(id) && !read(&shared.partners).contains_key(*organisation)
        })
        .map(|(organisation, _)| shared.organisation_name(organisation))
        .collect();
    PartnerStatus {
        id: id.to_string(),
        name: shared.organisation_name(id),
        ars: identity.map(|identity| identity.ars().to_owned()).unwrap_or_default(),
        connected: !connected.is_empty(),
        confirmed: row.confirmed,
        in_sync: connected.iter().any(|peer| peer.in_sync),
        behind: connected.iter().map(|peer| peer.behind + peer.ahead).min().unwrap_or(0),
        last_sync_at: (last > 0).then(|| clock::rfc3339(last)),
        entries,
        own_node: false,
        nodes: nodes.iter().map(NodeId::to_string).collect(),
        introduces,
        through: through(shared, &nodes),
        problem: if row.calls_us && connected.is_empty() {
            Some("nobody can dial it, and it has not called".into())
        } else {
            problem(shared, &nodes, !connected.is_empty())
        },
        leaving: leaving::of(shared, id),
        deletion: leaving::deletion(shared, id),
    }
}

/// Who relays between us and the node connected, if somebody does.
fn through(shared: &Shared, nodes: &[NodeId]) -> Option<String> {
    let mut status = nodes.iter().filter_map(|node| shared.net.peer_status(*node));
    let relay = status.find_map(|status| status.remote.as_deref().and_then(ortsnetz_net::relay_of));
    relay.map(|relay| shared.node_name(&relay))
}

/// `partners show`
pub(crate) fn show(shared: &Shared, name_or_id: &str) -> Result<PartnerDetail, NodeError> {
    let id = find_partner(shared, name_or_id)?;
    let row = read(&shared.partners).get(&id).cloned().unwrap_or_default();
    let (peers, feeds, entries) = look(shared, move |engine| (engine.peers(), engine.feeds(), engine.entries_of(&id)))?;
    let own = shared.identity();
    let reads = own
        .collections()
        .into_iter()
        .filter(|collection| own.can_read(&collection.collection, &id) && !collection.ended)
        .map(|collection| collection.label().to_owned())
        .collect();
    let shares = feeds
        .iter()
        .filter(|feed| feed.feed.organisation == id)
        .map(|feed| shared.collection_name(&feed.feed))
        .collect();
    Ok(PartnerDetail {
        status: partner_status(shared, &id, &row, &peers, entries),
        check_words: row.check_words.clone(),
        reads,
        shares,
        since: clock::rfc3339(row.since),
        same_name_or_place: vouching::alike(shared, &id),
    })
}

/// `partners confirm`: a person compared name, ARS and check words.
pub(crate) fn confirm(shared: &Shared, name_or_id: &str) -> Result<PartnerDetail, NodeError> {
    let id = find_partner(shared, name_or_id)?;
    set_confirmed(shared, &id)?;
    show(shared, name_or_id)
}

/// Notes and states that a partner was confirmed, and opens to it what confirmed partners read.
pub(crate) fn set_confirmed(shared: &Shared, id: &OrgId) -> Result<(), NodeError> {
    identities::extend(shared, |identity| confirmation(shared, identity, id, true))?;
    // The lock is released before `keep` takes it again.
    let row = read(&shared.partners).get(id).cloned();
    if let Some(mut row) = row {
        row.confirmed = true;
        keep(shared, id, row)?;
    }
    // Its profile may speak now.
    for feed in catalog::feeds_of(shared, id) {
        let mut entries = Vec::new();
        shared.store.records(Some(&feed), &mut |record| {
            entries.push(record.entry);
            true
        })?;
        shared.search.changed(feed, entries);
    }
    identities::share_with_confirmed(shared)
}

/// The statement that makes an organisation confirmed or not, unless it is so already.
fn confirmation(shared: &Shared, identity: &Identity, id: &OrgId, confirmed: bool) -> Result<Vec<Signed>, NodeError> {
    if identity.confirms(id) == confirmed {
        return Ok(Vec::new());
    }
    let statement = PartnerConfirmation {
        organisation: identity.id(),
        partner: *id,
        serial: identity.serial(&Slot::Confirmation(*id)) + 1,
        confirmed,
        at: clock::now(),
    };
    Signed::new(statement, &[&shared.own.key])
        .map(|signed| vec![signed])
        .map_err(|error| NodeError::Invalid(error.to_string()))
}

/// The partners whose identity a person checked.
pub(crate) fn confirmed(shared: &Shared) -> BTreeSet<OrgId> {
    let partners = read(&shared.partners);
    partners.iter().filter(|(_, row)| row.confirmed && !row.ended).map(|(id, _)| *id).collect()
}

/// What takes all rights from an organisation: it is confirmed no more and stands on no list.
fn without(shared: &Shared, identity: &Identity, id: &OrgId) -> Result<Vec<Signed>, NodeError> {
    let mut others = confirmed(shared);
    others.remove(id);
    let mut statements = confirmation(shared, identity, id, false)?;
    statements.extend(identities::sharing(shared, identity, &others)?);
    Ok(statements)
}

/// A partner ended the partnership, or we did and hear of it again. The publisher takes its rights from it, if it has
/// any left. The caller holds `identity_changes`.
pub(crate) fn ended_by_partner(shared: &Shared, id: &OrgId) -> Result<(), NodeError> {
    let known = read(&shared.partners).contains_key(id);
    if !known || !shared.is_publisher() || !shared.identity().roles(&shared.own.node).admin {
        return Ok(());
    }
    identities::extend_locked(shared, |identity| without(shared, identity, id))
}

/// Somebody joined who was a partner before, and nobody has checked who it is since: what was confirmed then is taken
/// back.
pub(crate) fn start_unconfirmed(shared: &Shared, id: &OrgId) -> Result<(), NodeError> {
    identities::extend(shared, |identity| without(shared, identity, id))
}

/// `partners remove`: ends the partnership and strikes the partner from every list, in one step. What it has cannot be
/// taken back; it gets the signed end and nothing new.
pub(crate) fn remove(shared: &Shared, name_or_id: &str) -> Result<(), NodeError> {
    let id = find_partner(shared, name_or_id)?;
    let Some(mut row) = read(&shared.partners).get(&id).cloned() else {
        return Err(NodeError::Invalid("that is your own organisation; take a node's certificate back instead".into()));
    };
    identities::extend(shared, |identity| {
        let statement = PartnershipEnd {
            organisation: identity.id(),
            partner: id,
            serial: identity.serial(&Slot::Partnership(id)) + 1,
            at: clock::now(),
        };
        let end = Signed::new(statement, &[&shared.own.key]).map_err(|error| NodeError::Invalid(error.to_string()))?;
        let mut statements = vec![end];
        statements.extend(without(shared, identity, &id)?);
        Ok(statements)
    })?;
    row.ended = true;
    row.confirmed = false;
    keep(shared, &id, row)?;
    let _ = shared.driver.send(Input::Removed(id));
    apply_allow_list(shared)
}

/// `compare PARTNER`
pub(crate) fn compare(shared: &Shared, name_or_id: &str) -> Result<Comparison, NodeError> {
    let peers = look(shared, ortsnetz_sync::Engine::peers)?;
    let own_node = shared
        .identity()
        .nodes()
        .find(|certificate| {
            certificate.node != shared.own.node
                && (certificate.name == name_or_id || certificate.node.to_string() == name_or_id)
        })
        .map(|certificate| certificate.node);
    let node = match own_node {
        Some(node) => peers.iter().find(|peer| peer.node == node),
        None => {
            let id = find_partner(shared, name_or_id)?;
            let mut connected: Vec<&PeerStatus> = peers.iter().filter(|peer| peer.organisation == id).collect();
            connected.sort_by_key(|peer| !peer.in_sync);
            connected.first().copied()
        }
    };
    let Some(node) = node.map(|peer| peer.node) else {
        return Err(NodeError::Unreachable(format!(
            "{name_or_id} is not connected, so nothing can be compared; see `ortsnetz partners show {name_or_id}`"
        )));
    };
    let (reply, answer) = tokio::sync::oneshot::channel();
    shared.driver.send(Input::Compare(node, reply)).map_err(|_| stopping())?;
    let result = answer.blocking_recv().map_err(|_| stopping())?;
    let compared = result.map_err(|error| NodeError::Unreachable(format!("{name_or_id}: {error}; try again")))?;
    let collections: Vec<ComparedCollection> = compared
        .into_iter()
        .map(|collection| ComparedCollection {
            id: collection.feed.collection.to_string(),
            name: shared.collection_name(&collection.feed),
            organisation: shared.organisation_name(&collection.feed.organisation),
            ours: collection.ours,
            theirs: collection.theirs,
            differing: collection.differing.iter().map(ToString::to_string).collect(),
        })
        .collect();
    let identical =
        collections.iter().all(|collection| collection.differing.is_empty() && collection.ours == collection.theirs);
    Ok(Comparison { identical, collections })
}
