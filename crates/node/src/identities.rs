//! Statements of organisations: kept, taken in, extended.

use std::collections::BTreeSet;
use std::sync::Arc;

use ortsnetz_model::{NodeId, OrgId};
use ortsnetz_store::{Batch, Key, Origin, Store};
use ortsnetz_sync::{Event, OpId};
use ortsnetz_trust::identity::{Identity, TakenIn, View};
use ortsnetz_trust::statement::{Readers, Signed};

use crate::driver::Input;
use crate::error::NodeError;
use crate::partners;
use crate::rows::{self, INTRODUCED};
use crate::shared::{Shared, lock, write};
use crate::working::PARTNERS;

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

/// Rows of a whole chain.
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
    let _one = lock(&shared.identity_changes);
    let (mut identity, known) = match shared.identity_of(&organisation) {
        Some(identity) => (Identity::clone(&identity), true),
        None => match Identity::from_statements(signed.clone()) {
            Ok((identity, _)) if identity.id() == organisation => (identity, false),
            _ => return Ok(false),
        },
    };
    let (news, refused) = identity.take_in_all(signed);
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
    put_chain(&shared.store, &mut batch, &identity, id == shared.own.organisation)?;
    shared.store.commit(batch)?;
    write(&shared.identities).insert(id, Arc::new(identity));
    let _ = shared.driver.send(Input::Organisation(id));
    Ok(())
}

/// Changes our own chain: `make` gets the identity and returns statements to take in. Blocks.
pub(crate) fn extend(
    shared: &Shared,
    make: impl FnOnce(&Identity) -> Result<Vec<Signed>, NodeError>,
) -> Result<(), NodeError> {
    let _one = lock(&shared.identity_changes);
    let mut identity = Identity::clone(&shared.identity());
    let mut changed = false;
    for signed in make(&identity)? {
        let taken = identity
            .take_in(signed)
            .map_err(|error| NodeError::Forbidden(format!("this node may not state that: {error}")))?;
        changed |= !matches!(taken, TakenIn::Known | TakenIn::Superseded);
    }
    if changed {
        publish(shared, identity)?;
    }
    Ok(())
}

/// Opens `partners` to exactly the confirmed partners, and makes or ends the bilateral collections.
pub(crate) fn share_with_confirmed(shared: &Shared) -> Result<(), NodeError> {
    let confirmed: BTreeSet<OrgId> = crate::shared::read(&shared.partners)
        .iter()
        .filter(|(_, partner)| partner.confirmed && !partner.ended)
        .map(|(id, _)| *id)
        .collect();
    let ended: BTreeSet<OrgId> =
        crate::shared::read(&shared.partners).iter().filter(|(_, partner)| partner.ended).map(|(id, _)| *id).collect();
    let invalid = |error: ortsnetz_trust::EncodingError| NodeError::Invalid(error.to_string());
    extend(shared, |identity| {
        let mut statements = Vec::new();
        let wanted: Vec<OrgId> = confirmed.iter().copied().collect();
        let present = identity
            .collection(&ortsnetz_model::CollectionId::named(&identity.id(), PARTNERS))
            .map(|collection| collection.readers.clone());
        if present != Some(Readers::Organisations(wanted.clone())) {
            let readers = Readers::Organisations(wanted);
            statements
                .push(identity.state_collection(PARTNERS, readers, false, false, &shared.own.key).map_err(invalid)?);
        }
        for partner in &confirmed {
            let name = format!("with:{partner}");
            let id = ortsnetz_model::CollectionId::named(&identity.id(), &name);
            let readers = Readers::Organisations(vec![*partner]);
            if identity.collection(&id).is_none_or(|collection| collection.readers != readers) {
                statements
                    .push(identity.state_collection(&name, readers, false, false, &shared.own.key).map_err(invalid)?);
            }
        }
        for partner in &ended {
            let name = format!("with:{partner}");
            let id = ortsnetz_model::CollectionId::named(&identity.id(), &name);
            if identity.collection(&id).is_some_and(|collection| !collection.ended) {
                statements.push(
                    identity
                        .state_collection(&name, Readers::Internal, false, true, &shared.own.key)
                        .map_err(invalid)?,
                );
            }
        }
        Ok(statements)
    })
}
