//! What the claims of organisations weigh: who takes the name or the place of somebody nearer, and for whom a partner vouches.
//! Weighed when an organisation or a partnership changes, so that a search only looks it up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ortsnetz_model::{Ars, OrgId};
use ortsnetz_trust::Identity;
use ortsnetz_trust::standing::{Contested, Directory, Known, Standing};
use ortsnetz_trust::statement::Leaving;

use crate::clock;
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
    /// Who has said that it leaves.
    pub leaving: BTreeMap<OrgId, Arc<Leaving>>,
    /// Who of those takes part no more. Weighed again when the day comes.
    pub left: BTreeSet<OrgId>,
    /// Places that several claim.
    contested: Vec<Contested>,
}

/// Neither we nor a partner.
const FAR: u8 = 3;
/// Behind our own and confirmed partners come those for whom one of them vouches, before a partner that nobody confirmed.
const VOUCHED: u8 = 2;

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

/// Weighs all claims anew. Returns the places that several claim and did not before.
pub(crate) fn weigh(shared: &Shared) -> Vec<Contested> {
    shared.boards.agreements.forget();
    // One lock after the other, and none while anything is weighed: others take them in another order.
    let identities: Vec<Arc<Identity>> = read(&shared.identities).values().cloned().collect();
    let succeeded = succeeding::counting(&shared.own.organisation, &identities);
    let mut inherited: BTreeMap<OrgId, Vec<Ars>> = BTreeMap::new();
    for identity in &identities {
        if let (Some(successor), Ok(place)) = (succeeded.get(&identity.id()), identity.ars().parse()) {
            inherited.entry(*successor).or_default().push(place);
        }
    }
    let now = clock::now();
    let leaving: BTreeMap<OrgId, Arc<Leaving>> =
        identities.iter().filter_map(|identity| Some((identity.id(), Arc::new(identity.leaving()?.clone())))).collect();
    let left: BTreeSet<OrgId> = leaving.iter().filter(|(_, it)| it.from <= now).map(|(id, _)| *id).collect();
    // Whoever is followed, or takes part no more, claims nothing any more.
    let claims = |id: &OrgId| !succeeded.contains_key(id) && !left.contains(id);
    let identities: Vec<Arc<Identity>> = identities.into_iter().filter(|identity| claims(&identity.id())).collect();
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
    let (vouchers, contested): (BTreeMap<OrgId, OrgId>, _) = (vouchers.collect(), directory.contested());
    let contradicted = contradicted(&identities, |id| match near[id] {
        near if near <= 1 => near,
        _ if vouchers.contains_key(id) => VOUCHED,
        near => near + VOUCHED,
    });
    let claims = Claims { contradicted, vouchers, succeeded, inherited, leaving, left, contested: contested.clone() };
    let before = std::mem::replace(&mut *write(&shared.claims), claims);
    contested.into_iter().filter(|place| !before.contested.contains(place)).collect()
}

/// Others that bear an organisation's name or claim its place, in words for a person who decides whom to confirm.
pub(crate) fn alike(shared: &Shared, id: &OrgId) -> Vec<String> {
    let identities: Vec<Arc<Identity>> = read(&shared.identities).values().cloned().collect();
    let Some(this) = identities.iter().find(|identity| identity.id() == *id) else { return Vec::new() };
    let same = |other: &&Arc<Identity>| {
        other.id() != *id
            && (other.name().to_lowercase() == this.name().to_lowercase()
                || !this.ars().is_empty() && other.ars() == this.ars())
    };
    let others = identities.iter().filter(same).map(|other| {
        let near = nearness(&shared.own.organisation, &read(&shared.partners), &other.id());
        let voucher = read(&shared.claims).vouchers.get(&other.id()).copied();
        let known = match (near, voucher) {
            (0, _) => ", we ourselves".to_owned(),
            (1, _) => ", a partner that was confirmed".to_owned(),
            (_, Some(by)) => format!(", vouched for by {}", shared.organisation_name(&by)),
            _ => String::new(),
        };
        format!("{} ({}{known})", other.name(), &other.id().to_string()[..12])
    });
    others.collect()
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

/// Who bears the name, or claims the place, of somebody, without being as near.
fn contradicted(identities: &[Arc<Identity>], near: impl Fn(&OrgId) -> u8) -> BTreeSet<OrgId> {
    let mut alike: BTreeMap<(bool, String), Vec<OrgId>> = BTreeMap::new();
    for identity in identities {
        for claim in [(false, identity.name().to_lowercase()), (true, identity.ars().to_owned())] {
            if !claim.1.is_empty() {
                alike.entry(claim).or_default().push(identity.id());
            }
        }
    }
    let farther = alike.into_values().flat_map(|all| {
        let nearest = all.iter().map(&near).min().unwrap_or_default();
        all.into_iter().filter(|id| near(id) > nearest).collect::<Vec<_>>()
    });
    farther.collect()
}
