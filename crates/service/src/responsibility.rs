//! Who is responsible for a matter at a place.

use jiff::civil::Date;
use ortsnetz_model::{Ars, Entry, EntryId};
use serde_json::Value;

use crate::places::{Level, Place, covers, level};

/// What an office does for the matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It decides.
    Responsible,
    /// It is where people go or call first.
    Contact,
}

impl Role {
    /// The word of DESIGN section 5.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Responsible => "responsible",
            Self::Contact => "contact",
        }
    }
}

/// A record that says who is responsible for the matter, of an organisation that speaks for the place.
#[derive(Clone, Debug)]
pub struct Claim<'a, K> {
    /// By what the caller knows the record.
    pub key: K,
    /// The record, an entry of kind `responsibility`.
    pub entry: &'a Entry,
    /// The place of the organisation that says so: nobody assigns anything beyond his own area.
    pub owner: Option<Ars>,
}

/// Who is responsible, by a record in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Responsible<K> {
    /// Of the record.
    pub key: K,
    /// What for.
    pub role: Role,
    /// How local the record is.
    pub level: Level,
    /// Where it holds.
    pub area: Ars,
    /// In which parts of the municipality it holds; empty for all of it.
    pub districts: Vec<String>,
    /// Where to go.
    pub office: Option<EntryId>,
    /// Where to do it online.
    pub online_service: Option<EntryId>,
    /// What limits it (a map of languages).
    pub caveat: Option<Value>,
}

/// The records that count at a place on a date: for each role those of the most local area that has any. Where the place is
/// no more than a municipality and records hold in parts of it, all of them stand there, with their districts: which one it
/// is has to be asked. Without a record nothing comes back; nobody is guessed.
pub fn resolve<K: Clone + Ord>(claims: &[Claim<'_, K>], place: &Place, date: Date) -> Vec<Responsible<K>> {
    let mut records: Vec<Responsible<K>> =
        claims.iter().filter(|claim| claim.entry.is_valid_on(date)).flat_map(|claim| at(claim, place)).collect();
    if let Some(district) = &place.district {
        let is_there = |record: &Responsible<K>| record.districts.iter().any(|name| same(name, district));
        records.retain(|record| record.districts.is_empty() || is_there(record));
        if let Some(nearest) = records.iter().filter(|record| !record.districts.is_empty()).map(rank).min() {
            // What holds in this part outranks what holds in the whole of the same area.
            records.retain(|record| rank(record) != nearest || !record.districts.is_empty());
        }
    }
    let nearest = |role| records.iter().filter(|record| record.role == role).map(rank).min();
    let (responsible, contact) = (nearest(Role::Responsible), nearest(Role::Contact));
    records.retain(|record| {
        Some(rank(record))
            == match record.role {
                Role::Responsible => responsible,
                // An office that decides is not replaced by a contact of a level above.
                Role::Contact => contact.filter(|contact| responsible.is_none_or(|decides| *contact <= decides)),
            }
    });
    records.sort_by(|a, b| (a.role, &a.districts, &a.key).cmp(&(b.role, &b.districts, &b.key)));
    records.dedup_by(|a, b| a.key == b.key && a.role == b.role);
    records
}

/// The more local the smaller; of two areas of one level the narrower first.
fn rank<K>(record: &Responsible<K>) -> (Level, std::cmp::Reverse<usize>) {
    (record.level, std::cmp::Reverse(record.area.prefix().len()))
}

/// What a record says at a place: nothing, or one line for each area of it that covers the place.
fn at<K: Clone>(claim: &Claim<'_, K>, place: &Place) -> Vec<Responsible<K>> {
    let entry = claim.entry;
    let mut areas = entry.places("area");
    if areas.is_empty() {
        areas = entry.valid_for();
    }
    if areas.is_empty() {
        areas.extend(claim.owner);
    }
    let reference = |name: &str| entry.get(name).and_then(Value::as_str).and_then(|id| id.parse().ok());
    let (office, online_service) = (reference("office"), reference("online_service"));
    if office.is_none() && online_service.is_none() && entry.get("caveat").is_none() {
        return Vec::new();
    }
    let role =
        if entry.get("role").and_then(Value::as_str) == Some("contact") { Role::Contact } else { Role::Responsible };
    let districts: Vec<String> = entry.list("districts").into_iter().map(str::to_owned).collect();
    areas
        .into_iter()
        .map(|area| claim.owner.filter(|owner| covers(&area, owner)).unwrap_or(area))
        .filter(|area| covers(area, &place.ars))
        .map(|area| Responsible {
            key: claim.key.clone(),
            role,
            level: level(&area, place),
            area,
            districts: districts.clone(),
            office,
            online_service,
            caveat: entry.get("caveat").cloned(),
        })
        .collect()
}

fn same(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const SIEGBURG: &str = "053820060060";
    const COUNTY: &str = "053820000000";
    const STATE: &str = "050000000000";

    fn ars(text: &str) -> Ars {
        text.parse().expect("an ARS")
    }

    fn siegburg(district: Option<&str>) -> Place {
        Place { ars: ars(SIEGBURG), level: Level::Municipality, district: district.map(str::to_owned) }
    }

    fn record(fields: Value) -> Entry {
        let mut value = json!({"kind": "responsibility", "office": "00000000000000000000000000000001"});
        value.as_object_mut().expect("an object").extend(fields.as_object().cloned().expect("an object"));
        Entry::from_json(value).expect("an entry")
    }

    /// The keys of the records that count on the last of August 2026; each claim is of the owner named with it.
    fn check(claims: &[(&str, Value)], place: &Place) -> Vec<usize> {
        let entries: Vec<Entry> = claims.iter().map(|(_, fields)| record(fields.clone())).collect();
        let claims: Vec<Claim<'_, usize>> = entries
            .iter()
            .zip(claims)
            .enumerate()
            .map(|(key, (entry, (owner, _)))| Claim { key, entry, owner: Some(ars(owner)) })
            .collect();
        resolve(&claims, place, Date::constant(2026, 8, 31)).into_iter().map(|record| record.key).collect()
    }

    #[test]
    fn the_most_local_record_in_force_counts() {
        let town = (SIEGBURG, json!({"area": [SIEGBURG]}));
        let county = (COUNTY, json!({"area": [COUNTY]}));
        let state = (STATE, json!({"area": [STATE]}));
        assert_eq!(check(&[state.clone(), county.clone(), town], &siegburg(None)), [2]);
        assert_eq!(check(&[state.clone(), county.clone()], &siegburg(None)), [1]);
        let over = (SIEGBURG, json!({"area": [SIEGBURG], "valid_until": "2026-08-30"}));
        let today = (SIEGBURG, json!({"area": [SIEGBURG], "valid_from": "2026-08-31", "valid_until": "2026-08-31"}));
        assert_eq!(check(&[state.clone(), over, today], &siegburg(None)), [2]);
        assert_eq!(check(&[(COUNTY, json!({"area": ["053620000000"]}))], &siegburg(None)), [] as [usize; 0]);
        assert_eq!(check(&[], &siegburg(None)), [] as [usize; 0]);
    }

    #[test]
    fn a_contact_does_not_stand_in_for_whoever_decides() {
        let decides = (COUNTY, json!({"area": [COUNTY]}));
        let first_call = (SIEGBURG, json!({"area": [SIEGBURG], "role": "contact"}));
        assert_eq!(check(&[first_call.clone(), decides.clone()], &siegburg(None)), [1, 0]);
        let elsewhere = (STATE, json!({"area": [STATE], "role": "contact"}));
        assert_eq!(
            check(&[elsewhere.clone(), decides], &siegburg(None)),
            [1],
            "a contact of a level above is not needed"
        );
        assert_eq!(check(&[elsewhere], &siegburg(None)), [0], "it is better than nobody");
    }

    #[test]
    fn parts_of_a_town_may_have_their_own() {
        let claims = [
            (SIEGBURG, json!({"area": [SIEGBURG]})),
            (SIEGBURG, json!({"area": [SIEGBURG], "districts": ["Kaldauen", "Stallberg"]})),
            (SIEGBURG, json!({"area": [SIEGBURG], "districts": ["Brückberg"]})),
        ];
        assert_eq!(check(&claims, &siegburg(Some("kaldauen"))), [1]);
        assert_eq!(check(&claims, &siegburg(Some("Zentrum"))), [0]);
        assert_eq!(check(&claims, &siegburg(None)), [0, 2, 1], "which one has to be asked");
    }

    #[test]
    fn nobody_assigns_anything_beyond_his_area() {
        let greedy = (SIEGBURG, json!({"area": [STATE]}));
        let county = (COUNTY, json!({"area": [COUNTY]}));
        assert_eq!(check(&[county.clone(), greedy.clone()], &siegburg(None)), [1], "in its own town it may");
        let hennef = Place { ars: ars("053820020020"), level: Level::Municipality, district: None };
        assert_eq!(check(&[county, greedy], &hennef), [0]);
    }

    #[test]
    fn without_an_area_it_is_the_owners() {
        assert_eq!(check(&[(COUNTY, json!({}))], &siegburg(None)), [0]);
        assert_eq!(check(&[("053620000000", json!({}))], &siegburg(None)), [] as [usize; 0]);
        let without = Entry::from_json(json!({"kind": "responsibility", "area": [SIEGBURG]})).expect("an entry");
        let claim = Claim { key: 0, entry: &without, owner: None };
        assert_eq!(resolve(&[claim], &siegburg(None), Date::constant(2026, 8, 31)), [], "it names nobody");
    }

    proptest! {
        /// The order in which records are found must not decide who is responsible.
        #[test]
        fn the_order_does_not_matter(picked in prop::collection::vec((0usize..4, 0usize..3, any::<bool>()), 0..8), turn in 0usize..8) {
            let areas = [SIEGBURG, "053820060000", COUNTY, STATE];
            let districts = [json!([]), json!(["Kaldauen"]), json!(["Stallberg"])];
            let entries: Vec<Entry> = picked
                .iter()
                .map(|(area, district, contact)| record(json!({"area": [areas[*area]], "districts": districts[*district],
                    "role": if *contact { "contact" } else { "responsible" }})))
                .collect();
            let mut claims: Vec<Claim<'_, usize>> =
                entries.iter().enumerate().map(|(key, entry)| Claim { key, entry, owner: None }).collect();
            let date = Date::constant(2026, 8, 31);
            let place = siegburg(Some("Kaldauen"));
            let before = resolve(&claims, &place, date);
            let turns = turn.min(claims.len());
            claims.rotate_left(turns);
            prop_assert_eq!(&resolve(&claims, &place, date), &before);
            prop_assert!(claims.is_empty() || picked.iter().all(|(_, district, _)| *district == 2) || !before.is_empty());
        }
    }
}
