//! What the claims of organisations weigh: who takes the name or the place of somebody nearer, and for whom a partner vouches.
//! Weighed when an organisation or a partnership changes, so that a search only looks it up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ortsnetz_model::{Ars, OrgId};
use ortsnetz_trust::Identity;
use ortsnetz_trust::standing::{Contested, Directory, Known, Standing};

use crate::rows::PartnerRow;
use crate::shared::{Shared, read, write};
use crate::succeeding;

/// What the claims weigh now.
#[derive(Default)]
pub(crate) struct Claims {
    /// Organisations with the name or the place of somebody nearer to us.
    pub contradicted: BTreeSet<OrgId>,
    /// Whose claim counts although nobody here confirmed it, and the partner that vouches: its own chain says that a person
    /// there confirmed it. A partner that only passes entries on vouches for nobody.
    pub vouchers: BTreeMap<OrgId, OrgId>,
    /// Who answers no more, and who does in its place.
    pub succeeded: BTreeMap<OrgId, OrgId>,
    /// The places of those, by who answers.
    pub inherited: BTreeMap<OrgId, Vec<Ars>>,
}

/// Neither we nor a partner.
const FAR: u8 = 3;

/// How near an organisation is to us: what is said of a name is said of the nearest that bears it. Anybody may call himself
/// as a partner of ours does, and come here through another partner.
pub(crate) fn nearness(own: &OrgId, partners: &BTreeMap<OrgId, PartnerRow>, id: &OrgId) -> u8 {
    match partners.get(id) {
        _ if id == own => 0,
        Some(partner) if partner.ended => FAR,
        Some(partner) if partner.confirmed => 1,
        Some(_) => 2,
        None => FAR,
    }
}

/// Weighs all claims anew. Returns the places that several claim.
pub(crate) fn weigh(shared: &Shared) -> Vec<Contested> {
    // One lock after the other, and none while anything is weighed: others take them in another order.
    let identities: Vec<Arc<Identity>> = read(&shared.identities).values().cloned().collect();
    let succeeded = succeeding::counting(&shared.own.organisation, &identities);
    let mut inherited: BTreeMap<OrgId, Vec<Ars>> = BTreeMap::new();
    for identity in &identities {
        if let (Some(successor), Ok(place)) = (succeeded.get(&identity.id()), identity.ars().parse()) {
            inherited.entry(*successor).or_default().push(place);
        }
    }
    // Whoever is followed claims nothing any more.
    let identities: Vec<Arc<Identity>> =
        identities.into_iter().filter(|identity| !succeeded.contains_key(&identity.id())).collect();
    let near: BTreeMap<OrgId, u8> = {
        let partners = read(&shared.partners);
        let near = |id| (id, nearness(&shared.own.organisation, &partners, &id));
        identities.iter().map(|identity| near(identity.id())).collect()
    };
    let directory = directory(&identities, &near);
    let vouchers = identities.iter().filter_map(|identity| {
        let id = identity.id();
        let unconfirmed = near[&id] > 1;
        let speaks = unconfirmed && directory.speaks_for(&id, &identity.ars().parse().ok()?);
        Some((id, *directory.get(&id).filter(|_| speaks)?.introduced_by.first()?))
    });
    let contradicted = contradicted(&identities, &near);
    *write(&shared.claims) = Claims { contradicted, vouchers: vouchers.collect(), succeeded, inherited };
    directory.contested()
}

fn directory(identities: &[Arc<Identity>], near: &BTreeMap<OrgId, u8>) -> Directory {
    let mut introduced_by: BTreeMap<OrgId, BTreeSet<OrgId>> = BTreeMap::new();
    for by in identities.iter().filter(|by| near[&by.id()] <= 1) {
        for organisation in by.confirmed().filter(|organisation| *organisation != by.id()) {
            introduced_by.entry(organisation).or_default().insert(by.id());
        }
    }
    Directory::new(identities.iter().map(|identity| {
        let id = identity.id();
        let standing = match near[&id] {
            0 => Standing::Own,
            1 | 2 => Standing::Partner,
            _ => Standing::Introduced,
        };
        let introduced_by = introduced_by.remove(&id).unwrap_or_default();
        let claim = identity.ars().parse().ok();
        (id, Known { claim, standing, confirmed: near[&id] <= 1, introduced_by, delegated: Vec::new() })
    }))
}

/// Who bears the name, or claims the place, of us or of a partner, without being as near.
fn contradicted(identities: &[Arc<Identity>], near: &BTreeMap<OrgId, u8>) -> BTreeSet<OrgId> {
    let mut alike: BTreeMap<(bool, String), Vec<OrgId>> = BTreeMap::new();
    for identity in identities {
        for claim in [(false, identity.name().to_lowercase()), (true, identity.ars().to_owned())] {
            if !claim.1.is_empty() {
                alike.entry(claim).or_default().push(identity.id());
            }
        }
    }
    let farther = alike.into_values().flat_map(|all| {
        let nearest = all.iter().map(|id| near[id]).min().unwrap_or(FAR);
        all.into_iter().filter(move |id| near[id] > nearest)
    });
    farther.collect()
}
