//! The districts of municipalities, as their profiles tell them: kept apart from the table of places, which can be replaced.

use std::sync::Arc;

use ortsnetz_model::{Ars, Entry, OrgId};
use ortsnetz_search::{District, Places};
use ortsnetz_store::{Batch, Key, Origin, Range, Store};
use ortsnetz_trust::statement::OrganisationKind;

use crate::error::NodeError;
use crate::leaving;
use crate::partners;
use crate::searching::claim;
use crate::shared::{Shared, read, write};

/// Table of the districts that profiles tell: key is the ARS, value the list as JSON.
const DISTRICTS: &str = "districts";

/// Takes over the districts a municipality tells in its profile: ours and those of confirmed partners, for whoever says that
/// a place is his changes where others are looked for. A county's towns are places of their own.
pub(crate) fn learn(shared: &Shared, organisation: &OrgId, profile: &Entry) {
    let confirmed = partners::confirmed(shared).contains(organisation);
    if !confirmed && *organisation != shared.own.organisation {
        return;
    }
    let municipality =
        shared.identity_of(organisation).is_some_and(|identity| identity.kind() == OrganisationKind::Municipality);
    let Some(ars) = claim(shared, organisation).filter(|_| municipality) else { return };
    let districts: Vec<District> =
        profile.get("districts").and_then(|value| serde_json::from_value(value.clone()).ok()).unwrap_or_default();
    let key = Key::Custom { table: DISTRICTS.into(), key: ars.to_string().into_bytes() };
    let told = serde_json::to_vec(&districts).unwrap_or_default();
    if shared.store.get(&key).ok().flatten().as_deref() != Some(&told) {
        let mut batch = Batch::new(Origin::Foreign);
        batch.put(key, told);
        if let Err(error) = shared.store.commit(batch) {
            tracing::error!(%error, %ars, "the districts of a profile could not be kept");
        }
    }
    let mut places = write(&shared.places);
    let mut table = Places::clone(&places);
    table.set_districts(ars, &districts);
    *places = Arc::new(table);
}

/// Forgets the districts that the profile of an organisation told, unless another one claims the same place.
pub(crate) fn forget(shared: &Shared, organisation: &OrgId) -> Result<(), NodeError> {
    let Some(ars) = claim(shared, organisation) else { return Ok(()) };
    let others = read(&shared.identities).values().any(|other| {
        other.id() != *organisation && other.ars().parse() == Ok(ars) && !leaving::has_left(shared, &other.id())
    });
    if others {
        return Ok(());
    }
    let mut batch = Batch::new(Origin::Foreign);
    batch.delete(Key::Custom { table: DISTRICTS.into(), key: ars.to_string().into_bytes() });
    shared.store.commit(batch)?;
    let mut places = write(&shared.places);
    let mut table = Places::clone(&places);
    table.set_districts(ars, &[]);
    *places = Arc::new(table);
    Ok(())
}

/// Adds to a table of places the districts that profiles told so far.
pub(crate) fn add_to(store: &Store, mut table: Places) -> Result<Places, NodeError> {
    for (key, told) in store.scan(&Range::Custom(DISTRICTS.into()), None, usize::MAX)? {
        let Key::Custom { key, .. } = key else { continue };
        let ars = std::str::from_utf8(&key).ok().and_then(|text| text.parse::<Ars>().ok());
        if let (Some(ars), Ok(districts)) = (ars, serde_json::from_slice::<Vec<District>>(&told)) {
            table.set_districts(ars, &districts);
        }
    }
    Ok(table)
}
