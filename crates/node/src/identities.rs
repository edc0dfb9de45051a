//! Statements of organisations: kept, taken in, extended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ortsnetz_model::{CollectionId, NodeId, OrgId};
use ortsnetz_store::{Batch, Key, Origin, Store};
use ortsnetz_sync::{Event, OpId};
use ortsnetz_trust::identity::{CollectionTerms, Identity, PartnershipState, StatementError, TakenIn, View};
use ortsnetz_trust::statement::{Readers, Signed, Statement};

use crate::alarms;
use crate::clock;
use crate::driver::Input;
use crate::error::NodeError;
use crate::nodes;
use crate::partners;
use crate::rows::{self, INTRODUCED, IntroducedRow};
use crate::shared::{Shared, lock, read, write};
use crate::working::{BILATERAL, PARTNERS};

/// Organisations that are kept because one partner knows them. Germany has about 11,000 municipalities.
pub(crate) const INTRODUCED_PER_PARTNER_MAX: usize = 16_384;

/// Reads the chain of an organisation from the store.
pub(crate) fn load(store: &Store, organisation: &OrgId) -> Result<Option<Identity>, NodeError> {
    let statements = store.statements(organisation)?;
    if statements.is_empty() {
        return Ok(None);
    }
    let damaged = |error: String| {
        NodeError::Unavailable(format!(
            "the statements of organisation {organisation} are damaged: {error}; run `ortsnetz store check`"
        ))
    };
    let signed = statements
        .iter()
        .map(|bytes| Signed::from_bytes(bytes).map_err(|error| damaged(error.to_string())))
        .collect::<Result<Vec<_>, _>>()?;
    let (identity, _) = Identity::from_statements(signed).map_err(|error| damaged(error.to_string()))?;
    Ok(Some(identity))
}

/// Rows of a whole chain; `own` if they go to the own log: our own and those of partners, present and past.
pub(crate) fn put_chain(store: &Store, batch: &mut Batch, identity: &Identity, own: bool) -> Result<(), NodeError> {
    batch.origin(if own { Origin::Own } else { Origin::Foreign });
    let statements = identity.statements_for(View::Own);
    for (number, signed) in (0..).zip(&statements) {
        batch.put_statement(identity.id(), number, &signed.to_bytes());
    }
    let before = store.statements(&identity.id())?.len();
    for number in statements.len()..before {
        batch.delete(Key::Statement { organisation: identity.id(), number: u32::try_from(number).unwrap_or(u32::MAX) });
    }
    Ok(())
}

/// Verifies and keeps statements that a peer sent, then answers the engine. Blocks.
pub(crate) fn take_in(shared: &Arc<Shared>, op: OpId, node: NodeId, organisation: OrgId, statements: &[Vec<u8>]) {
    let ok = match try_take_in(shared, node, organisation, statements) {
        Ok(ok) => ok,
        Err(error) => {
            tracing::error!(%error, "statements could not be stored");
            false
        }
    };
    let _ = shared.driver.send(Input::Answer(Event::TakenIn { op, ok }));
}

fn try_take_in(
    shared: &Arc<Shared>,
    node: NodeId,
    organisation: OrgId,
    statements: &[Vec<u8>],
) -> Result<bool, NodeError> {
    let mut signed = Vec::with_capacity(statements.len());
    for bytes in statements {
        match Signed::from_bytes(bytes) {
            Ok(statement) => signed.push(statement),
            Err(_) => return Ok(false),
        }
    }
    let from = shared.organisation_of(&node);
    if let Some(from) = from.filter(|from| *from != organisation && shared.identity_of(&organisation).is_none())
        && !may_introduce(&read(&shared.introduced), &from)
    {
        let message = format!(
            "{} introduces more organisations than this node takes ({INTRODUCED_PER_PARTNER_MAX}); no further one is taken from it.",
            shared.organisation_name(&from)
        );
        alarms::note(shared, "full", "introduced", Some(from), message);
        return Ok(false);
    }
    let _one = lock(&shared.identity_changes);
    let (mut identity, known) = match shared.identity_of(&organisation) {
        Some(identity) => (Identity::clone(&identity), true),
        None => match Identity::from_statements(signed.clone()) {
            Ok((identity, _)) if identity.id() == organisation => (identity, false),
            _ => return Ok(false),
        },
    };
    let (news, refused) = identity.take_in_all(signed);
    if shared.identity().partnership_with(&identity) == PartnershipState::Ended {
        // Before the line closes: our own lists lose the partner as well, and it hears of that.
        partners::ended_by_partner(shared, &organisation)?;
    }
    let (void, refused): (Vec<_>, Vec<_>) =
        refused.into_iter().partition(|(statement, _)| only_by_retired(&identity, statement));
    if !void.is_empty() {
        tracing::debug!(statements = void.len(), "statements by keys that were replaced or taken back are void");
    }
    for (statement, error) in &refused {
        tracing::warn!(kind = statement.statement().kind_name(), %error, "a statement was refused");
    }
    introduced(shared, &organisation, from)?;
    if known && news.is_empty() {
        return Ok(refused.is_empty());
    }
    publish(shared, identity)?;
    partners::refresh(shared, &organisation)?;
    Ok(refused.is_empty())
}

/// Whether a partner may introduce one more organisation.
fn may_introduce(introduced: &BTreeMap<OrgId, IntroducedRow>, from: &OrgId) -> bool {
    introduced.values().filter(|row| row.by.contains(from)).count() < INTRODUCED_PER_PARTNER_MAX
}

/// Whether nobody but keys that were replaced or taken back signed this. A partner may still hold it.
fn only_by_retired(identity: &Identity, statement: &Signed) -> bool {
    !statement.signatures().is_empty() && statement.signatures().iter().all(|(key, _)| identity.is_retired(key))
}

/// Notes who introduced an organisation that is neither ours nor a partner.
fn introduced(shared: &Shared, organisation: &OrgId, from: Option<OrgId>) -> Result<(), NodeError> {
    let Some(from) = from else { return Ok(()) };
    if from == *organisation || from == shared.own.organisation || *organisation == shared.own.organisation {
        return Ok(());
    }
    let mut all = write(&shared.introduced);
    let row = all.entry(*organisation).or_default();
    if let Err(at) = row.by.binary_search(&from) {
        row.by.insert(at, from);
        let mut batch = Batch::new(Origin::Foreign);
        batch.put(Key::Custom { table: INTRODUCED.into(), key: organisation.0.to_vec() }, rows::encode(row));
        drop(all);
        shared.store.commit(batch)?;
    }
    Ok(())
}

/// Keeps a changed identity and tells the engine. The caller holds `identity_changes`.
pub(crate) fn publish(shared: &Shared, identity: Identity) -> Result<(), NodeError> {
    let id = identity.id();
    let mut batch = Batch::new(Origin::Own);
    // Once in the own log, always there: what is written later must not be undone by what the log says.
    let own = id == shared.own.organisation || read(&shared.partners).contains_key(&id);
    put_chain(&shared.store, &mut batch, &identity, own)?;
    shared.store.commit(batch)?;
    let revoked = id == shared.own.organisation && identity.is_revoked(&shared.own.node);
    write(&shared.identities).insert(id, Arc::new(identity));
    if revoked && let Some(sentence) = nodes::revoked_here(shared) {
        tracing::error!(reason = sentence, "the certificate of this node was taken back");
    }
    let _ = shared.driver.send(Input::Organisation(id));
    Ok(())
}

/// Changes our own chain: `make` gets the identity and returns statements to take in. Blocks.
pub(crate) fn extend(
    shared: &Shared,
    make: impl FnOnce(&Identity) -> Result<Vec<Signed>, NodeError>,
) -> Result<(), NodeError> {
    let _one = lock(&shared.identity_changes);
    extend_locked(shared, make)
}

/// The same for a caller that holds `identity_changes`.
pub(crate) fn extend_locked(
    shared: &Shared,
    make: impl FnOnce(&Identity) -> Result<Vec<Signed>, NodeError>,
) -> Result<(), NodeError> {
    let mut identity = Identity::clone(&shared.identity());
    let mut changed = false;
    for signed in make(&identity)? {
        let notice = matches!(signed.statement(), Statement::ReaderRemoval(_));
        match identity.take_in(signed) {
            Ok(taken) => changed |= !matches!(taken, TakenIn::Known | TakenIn::Superseded),
            // Narrowing must not fail because there is no room left to tell of it.
            Err(StatementError::TooMany { .. }) if notice => {}
            Err(error) => return Err(NodeError::Forbidden(format!("this node may not state that: {error}"))),
        }
    }
    if changed {
        publish(shared, identity)?;
    }
    Ok(())
}

/// Opens `partners` and a bilateral collection to exactly the confirmed partners.
pub(crate) fn share_with_confirmed(shared: &Shared) -> Result<(), NodeError> {
    let confirmed = partners::confirmed(shared);
    extend(shared, |identity| sharing(shared, identity, &confirmed))
}

/// What has to be stated so that reader lists name confirmed partners only: `partners` names all of them, a bilateral
/// collection its partner or, ended, nobody; every other list loses whoever is none.
pub(crate) fn sharing(
    shared: &Shared,
    identity: &Identity,
    confirmed: &BTreeSet<OrgId>,
) -> Result<Vec<Signed>, NodeError> {
    let mut wanted = Vec::new();
    for collection in identity.collections() {
        let Readers::Organisations(list) = &collection.readers else { continue };
        let mut terms = CollectionTerms::from(collection);
        let kept = list.iter().copied().filter(|reader| confirmed.contains(reader)).collect();
        if collection.name == PARTNERS {
            terms.readers = Readers::Organisations(confirmed.iter().copied().collect());
        } else if collection.name.starts_with(BILATERAL) && list.iter().any(|reader| !confirmed.contains(reader)) {
            (terms.readers, terms.ended) = (Readers::Internal, true);
        } else {
            terms.readers = Readers::Organisations(kept);
        }
        if terms != CollectionTerms::from(collection) {
            wanted.push(terms);
        }
    }
    for partner in confirmed {
        let terms = CollectionTerms::new(&format!("{BILATERAL}{partner}"), Readers::Organisations(vec![*partner]));
        let id = CollectionId::named(&identity.id(), &terms.name);
        if identity.collection(&id).is_none_or(|collection| collection.ended) {
            wanted.push(terms);
        }
    }
    let now = clock::now();
    let mut statements = Vec::new();
    for terms in wanted {
        let stated = identity.state_collection(terms, now, &shared.own.key);
        statements.extend(stated.map_err(|error| NodeError::Invalid(error.to_string()))?);
    }
    Ok(statements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn organisations_introduced_by_one_partner_are_limited() {
        let (one, other) = (OrgId([1; 32]), OrgId([2; 32]));
        let mut introduced = BTreeMap::new();
        for number in 0..INTRODUCED_PER_PARTNER_MAX {
            let mut id = [9; 32];
            id[..8].copy_from_slice(&number.to_be_bytes());
            if number + 1 == INTRODUCED_PER_PARTNER_MAX {
                assert!(may_introduce(&introduced, &one), "up to the limit");
            }
            introduced.insert(OrgId(id), IntroducedRow { by: vec![one] });
        }
        assert!(!may_introduce(&introduced, &one));
        assert!(may_introduce(&introduced, &other), "the limit is each partner's own");
    }
}
