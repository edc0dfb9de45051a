//! Whether a partner vouches for the place that an organisation claims: its own chain says that a person there confirmed it.
//! A partner that only passes entries on vouches for nobody.

use std::collections::{BTreeMap, BTreeSet};

use ortsnetz_model::{Ars, OrgId};
use ortsnetz_trust::standing::{Directory, Known, Standing};

use crate::shared::{Shared, read};

/// Who vouches for the claim of an organisation that nobody here confirmed, if the claim counts: nobody else's claim to
/// the place stands against it.
pub(crate) fn voucher(shared: &Shared, organisation: &OrgId) -> Option<OrgId> {
    let own = shared.own.organisation;
    // One lock after the other: others take them in another order. Of each partner whether it is confirmed.
    let partners: BTreeMap<OrgId, bool> = {
        let partners = read(&shared.partners);
        partners.iter().filter(|(_, row)| !row.ended).map(|(id, row)| (*id, row.confirmed)).collect()
    };
    let identities = read(&shared.identities);
    let claim: Ars = identities.get(organisation)?.ars().parse().ok()?;
    let is_confirmed = |id: &OrgId| partners.get(id).is_some_and(|confirmed| *confirmed);
    let confirmed: Vec<_> = identities.iter().filter(|(id, _)| **id == own || is_confirmed(id)).collect();
    let introducers = |id: &OrgId| -> BTreeSet<OrgId> {
        let vouching = confirmed.iter().filter(|(by, identity)| *by != id && identity.confirms(id));
        vouching.map(|(by, _)| **by).collect()
    };
    let claiming = identities.iter().filter(|(_, identity)| identity.ars().parse() == Ok(claim));
    // Only who claims the same place counts beside those who may vouch; a later row of the same organisation counts.
    let vouching = confirmed.iter().map(|(id, _)| (**id, None, BTreeSet::new()));
    let known = vouching.chain(claiming.map(|(id, _)| (*id, Some(claim), introducers(id))));
    let directory = Directory::new(known.map(|(id, claim, introduced_by)| {
        let standing = match partners.get(&id) {
            _ if id == own => Standing::Own,
            Some(_) => Standing::Partner,
            None => Standing::Introduced,
        };
        (id, Known { claim, standing, confirmed: is_confirmed(&id), introduced_by, delegated: Vec::new() })
    }));
    if !directory.speaks_for(organisation, &claim) {
        return None;
    }
    introducers(organisation).first().copied()
}
