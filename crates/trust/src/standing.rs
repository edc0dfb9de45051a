//! Who stands how to us, and who speaks for a place.
//!
//! The input is plain data the node keeps: organisations with their claims, which partners a person confirmed, who was
//! introduced by whom, and which places were delegated by signature.

use std::collections::{BTreeMap, BTreeSet};

use ortsnetz_model::{Ars, OrgId};
use serde::{Deserialize, Serialize};

/// How an organisation stands to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Known only through a partner's relay.
    Introduced,
    /// A signed partnership.
    Partner,
    /// We ourselves.
    Own,
}

/// How much weight an organisation's word has for a place, ascending: a greater one ranks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Voice {
    /// None: shown as "not from the responsible town", never in a composed answer.
    None,
    /// It claims the place, but nobody checked it: shown as "town not yet confirmed", never in a composed answer.
    Unconfirmed,
    /// A confirmed partner vouches for its claim.
    Introduced,
    /// The place's owner lets it speak, by signature.
    Delegated,
    /// A person here confirmed its claim.
    Confirmed,
    /// The place is our own.
    Own,
}

impl Voice {
    /// Whether its answers count as answers of the responsible town.
    pub fn speaks(self) -> bool {
        self >= Self::Introduced
    }
}

/// What we know about one organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The place it claims in its genesis, if any.
    pub claim: Option<Ars>,
    /// How it stands to us.
    pub standing: Standing,
    /// A person here compared name, ARS and check words. Means something for partners only.
    pub confirmed: bool,
    /// Organisations whose chain says they confirmed this one.
    pub introduced_by: BTreeSet<OrgId>,
    /// Places whose owners let it speak by a signed, valid delegation: (owner, place).
    pub delegated: Vec<(OrgId, Ars)>,
}

/// Two or more organisations claim the same place: an alarm for a person to settle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contested {
    /// The place.
    pub place: Ars,
    /// Who claims it, sorted.
    pub by: Vec<OrgId>,
}

/// Everybody we know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    known: BTreeMap<OrgId, Known>,
}

impl Directory {
    /// The directory of these organisations, ourselves among them.
    pub fn new(known: impl IntoIterator<Item = (OrgId, Known)>) -> Self {
        Self { known: known.into_iter().collect() }
    }

    /// Adds or replaces an organisation.
    pub fn insert(&mut self, organisation: OrgId, known: Known) {
        self.known.insert(organisation, known);
    }

    /// What is known of an organisation.
    pub fn get(&self, organisation: &OrgId) -> Option<&Known> {
        self.known.get(organisation)
    }

    /// What weight the organisation's word has for this place. A claim reaches down: a county speaks for its
    /// municipalities, too (the most local answer still ranks first). Whoever is not confirmed never outranks a confirmed
    /// partner: against its claim to the very same place an introduction counts for nothing.
    pub fn voice(&self, organisation: &OrgId, place: &Ars) -> Voice {
        let Some(known) = self.known.get(organisation) else { return Voice::None };
        let by_claim = match &known.claim {
            Some(claim) if claim.covers(place) => self.claim_voice(organisation, known, claim),
            _ => Voice::None,
        };
        let delegated = known
            .delegated
            .iter()
            .any(|(owner, covered)| covered.covers(place) && owner != organisation && self.owns(owner, covered));
        by_claim.max(if delegated { Voice::Delegated } else { Voice::None })
    }

    /// Whether the organisation's answers for this place count as those of the responsible town.
    pub fn speaks_for(&self, organisation: &OrgId, place: &Ars) -> bool {
        self.voice(organisation, place).speaks()
    }

    fn claim_voice(&self, organisation: &OrgId, known: &Known, claim: &Ars) -> Voice {
        match known.standing {
            Standing::Own => Voice::Own,
            Standing::Partner if known.confirmed => Voice::Confirmed,
            Standing::Partner | Standing::Introduced => {
                let vouched = known.introduced_by.iter().any(|by| by != organisation && self.is_confirmed(by));
                let settled = self.known.iter().any(|(other, it)| {
                    other != organisation && it.claim.as_ref() == Some(claim) && self.is_confirmed(other)
                });
                if vouched && !settled && !self.is_claimed_twice_by_unconfirmed(organisation, claim) {
                    Voice::Introduced
                } else {
                    Voice::Unconfirmed
                }
            }
        }
    }

    /// Two introduced claims to one place: neither counts until a person settled it.
    fn is_claimed_twice_by_unconfirmed(&self, organisation: &OrgId, claim: &Ars) -> bool {
        self.known.iter().any(|(other, known)| {
            other != organisation
                && known.claim.as_ref() == Some(claim)
                && known.introduced_by.iter().any(|by| by != other && self.is_confirmed(by))
        })
    }

    /// Own or confirmed by a person here.
    fn is_confirmed(&self, organisation: &OrgId) -> bool {
        self.known.get(organisation).is_some_and(|known| match known.standing {
            Standing::Own => true,
            Standing::Partner => known.confirmed,
            Standing::Introduced => false,
        })
    }

    /// Whether somebody may delegate this place: only by a counting claim of its own, not by a delegated one.
    fn owns(&self, owner: &OrgId, place: &Ars) -> bool {
        self.known.get(owner).is_some_and(|known| match &known.claim {
            Some(claim) if claim.covers(place) => self.claim_voice(owner, known, claim).speaks(),
            _ => false,
        })
    }

    /// Places claimed by more than one organisation, sorted.
    pub fn contested(&self) -> Vec<Contested> {
        let mut claims: BTreeMap<&Ars, Vec<OrgId>> = BTreeMap::new();
        for (organisation, known) in &self.known {
            if let Some(claim) = &known.claim {
                claims.entry(claim).or_default().push(*organisation);
            }
        }
        let twice = claims.into_iter().filter(|(_, by)| by.len() > 1);
        twice.map(|(place, by)| Contested { place: *place, by }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: OrgId = OrgId([0; 32]);
    const BONN: OrgId = OrgId([1; 32]);
    const COUNTY: OrgId = OrgId([2; 32]);
    const STRANGER: OrgId = OrgId([3; 32]);
    const CENTRE: OrgId = OrgId([4; 32]);

    fn ars(text: &str) -> Ars {
        text.parse().unwrap()
    }

    fn known(claim: Option<&str>, standing: Standing, confirmed: bool) -> Known {
        Known { claim: claim.map(ars), standing, confirmed, introduced_by: BTreeSet::new(), delegated: Vec::new() }
    }

    /// We are Siegburg; Bonn is a confirmed partner.
    fn directory() -> Directory {
        Directory::new([
            (US, known(Some("053820060060"), Standing::Own, false)),
            (BONN, known(Some("053140000000"), Standing::Partner, true)),
            (COUNTY, known(Some("053820000000"), Standing::Partner, false)),
        ])
    }

    #[test]
    fn a_claim_counts_once_a_person_confirmed_it() {
        let mut all = directory();
        assert_eq!(all.voice(&US, &ars("053820060060")), Voice::Own);
        assert_eq!(all.voice(&BONN, &ars("053140000000")), Voice::Confirmed);
        assert_eq!(all.voice(&BONN, &ars("053820060060")), Voice::None, "another town");
        assert_eq!(all.voice(&COUNTY, &ars("053820060060")), Voice::Unconfirmed);
        assert!(!all.speaks_for(&COUNTY, &ars("053820060060")));
        all.insert(COUNTY, known(Some("053820000000"), Standing::Partner, true));
        assert_eq!(all.voice(&COUNTY, &ars("053820060060")), Voice::Confirmed, "a county covers its towns");
        assert_eq!(all.voice(&US, &ars("053820000000")), Voice::None, "a town does not speak for its county");
        assert_eq!(all.voice(&STRANGER, &ars("053820060060")), Voice::None);
    }

    #[test]
    fn a_confirmed_partner_can_introduce_and_an_unconfirmed_one_cannot() {
        let mut all = directory();
        let mut stranger = known(Some("053340002002"), Standing::Introduced, false);
        stranger.introduced_by.insert(COUNTY);
        all.insert(STRANGER, stranger.clone());
        assert_eq!(all.voice(&STRANGER, &ars("053340002002")), Voice::Unconfirmed);
        stranger.introduced_by.insert(STRANGER);
        all.insert(STRANGER, stranger.clone());
        assert_eq!(all.voice(&STRANGER, &ars("053340002002")), Voice::Unconfirmed, "nobody introduces itself");
        stranger.introduced_by.insert(BONN);
        all.insert(STRANGER, stranger);
        assert_eq!(all.voice(&STRANGER, &ars("053340002002")), Voice::Introduced);
    }

    #[test]
    fn two_claims_to_one_place_are_an_alarm_and_the_confirmed_one_holds() {
        let mut all = directory();
        let mut stranger = known(Some("053140000000"), Standing::Introduced, true);
        stranger.introduced_by.insert(BONN);
        all.insert(STRANGER, stranger.clone());
        let place = ars("053140000000");
        assert_eq!(all.contested(), [Contested { place, by: vec![BONN, STRANGER] }]);
        assert_eq!(all.voice(&BONN, &place), Voice::Confirmed);
        assert_eq!(all.voice(&STRANGER, &place), Voice::Unconfirmed);
        // Two introduced ones: neither counts.
        let place = ars("053340002002");
        stranger.claim = Some(place);
        all.insert(STRANGER, stranger.clone());
        assert!(all.speaks_for(&STRANGER, &place) && all.contested().is_empty());
        // Another one who is introduced for another place takes nothing from it.
        all.insert(CENTRE, Known { claim: Some(ars("053340004004")), ..stranger.clone() });
        assert!(all.speaks_for(&STRANGER, &place) && all.speaks_for(&CENTRE, &ars("053340004004")));
        all.insert(CENTRE, stranger.clone());
        assert_eq!(all.get(&CENTRE), Some(&stranger));
        assert!(!all.speaks_for(&STRANGER, &place) && !all.speaks_for(&CENTRE, &place));
        assert_eq!(all.contested().len(), 1);
    }

    #[test]
    fn only_the_owner_of_a_place_can_delegate_it() {
        let mut all = directory();
        let place = ars("053140000000");
        let mut centre = known(None, Standing::Partner, true);
        centre.delegated = vec![(COUNTY, place)];
        all.insert(CENTRE, centre.clone());
        assert_eq!(all.voice(&CENTRE, &place), Voice::None, "the county does not own Bonn");
        centre.delegated = vec![(BONN, ars("053820060060"))];
        all.insert(CENTRE, centre.clone());
        assert_eq!(all.voice(&CENTRE, &ars("053820060060")), Voice::None, "Bonn does not own Siegburg");
        centre.delegated.push((BONN, place));
        all.insert(CENTRE, centre);
        assert_eq!(all.voice(&CENTRE, &place), Voice::Delegated);
        // What was delegated is not delegated on.
        let mut stranger = known(None, Standing::Partner, true);
        stranger.delegated = vec![(CENTRE, place)];
        all.insert(STRANGER, stranger);
        assert_eq!(all.voice(&STRANGER, &place), Voice::None);
    }

    proptest::proptest! {
        #[test]
        fn nobody_unconfirmed_outranks_a_confirmed_partner(
            confirmed in proptest::bool::ANY,
            introducers in proptest::collection::btree_set(0u8..5, 0..4),
            introduced in proptest::bool::ANY,
        ) {
            let mut all = directory();
            let standing = if introduced { Standing::Introduced } else { Standing::Partner };
            let mut other = known(Some("053140000000"), standing, confirmed);
            other.introduced_by = introducers.into_iter().map(|n| OrgId([n; 32])).collect();
            all.insert(STRANGER, other);
            let place = ars("053140000000");
            if introduced || !confirmed {
                proptest::prop_assert!(all.voice(&STRANGER, &place) < all.voice(&BONN, &place));
            }
        }
    }
}
