//! Which entry id follows from the name an entry has in the system it comes from.

use std::collections::BTreeMap;

use ortsnetz_model::{EntryId, Identifier, OrgId};
use serde_json::Value;

/// The scheme of entries that have no identifier of their own: agency is the organisation, value the entry id.
pub const SCHEME_OWN: &str = "ortsnetz";

/// The identifier that stands for a missing one.
pub fn stand_in(organisation: &OrgId, id: &EntryId) -> Identifier {
    Identifier { agency: organisation.to_string(), scheme: SCHEME_OWN.into(), value: id.to_string() }
}

/// Tells the entry id that belongs to an identifier, without having seen the entry: so references resolve forward, and
/// into files that come later.
#[derive(Clone, Debug)]
pub struct Resolver {
    organisation: OrgId,
    known: BTreeMap<Identifier, EntryId>,
}

impl Resolver {
    /// For entries of this organisation.
    pub fn new(organisation: OrgId) -> Self {
        Self { organisation, known: BTreeMap::new() }
    }

    /// The organisation whose entries these are.
    pub fn organisation(&self) -> &OrgId {
        &self.organisation
    }

    /// Notes an entry that exists already. Only those take room whose id does not follow from the identifier: entries
    /// that were created here and given an identifier by hand. The first one noted for an identifier stays.
    pub fn learn(&mut self, identifier: &Identifier, id: EntryId) {
        if self.id(identifier) != id && !self.known.contains_key(identifier) {
            self.known.insert(identifier.clone(), id);
        }
    }

    /// The entry with this identifier, whether it exists yet or not.
    pub fn id(&self, identifier: &Identifier) -> EntryId {
        if let Some(id) = self.known.get(identifier) {
            return *id;
        }
        let own = identifier.scheme == SCHEME_OWN && identifier.agency == self.organisation.to_string();
        own.then(|| identifier.value.parse().ok()).flatten().unwrap_or_else(|| {
            EntryId::imported(&self.organisation, &identifier.agency, &identifier.scheme, &identifier.value)
        })
    }
}

/// The identifier in this JSON: `Ok(None)` if it has no value.
///
/// # Errors
/// A value without agency and scheme names nothing: who else uses the same number?
pub(crate) fn from_json(value: &Value) -> Result<Option<Identifier>, &'static str> {
    let text = |name| value.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    match (text("agency"), text("scheme"), text("value")) {
        (_, _, None) => Ok(None),
        (Some(agency), Some(scheme), Some(value)) => {
            Ok(Some(Identifier { agency: agency.into(), scheme: scheme.into(), value: value.into() }))
        }
        _ => Err("an identifier needs agency, scheme and value"),
    }
}

/// As JSON: `{"agency", "scheme", "value"}`.
pub(crate) fn to_json(identifier: &Identifier) -> Value {
    serde_json::json!({"agency": identifier.agency, "scheme": identifier.scheme, "value": identifier.value})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identifier(value: &str) -> Identifier {
        Identifier { agency: "L100042".into(), scheme: "LB".into(), value: value.into() }
    }

    #[test]
    fn an_id_follows_from_the_identifier_unless_it_is_known_otherwise() {
        let organisation = OrgId([1; 32]);
        let mut resolver = Resolver::new(organisation);
        let derived = EntryId::imported(&organisation, "L100042", "LB", "7");
        assert_eq!(resolver.id(&identifier("7")), derived);
        resolver.learn(&identifier("7"), derived);
        assert!(resolver.known.is_empty(), "what follows takes no room");

        let by_hand = EntryId([9; 16]);
        resolver.learn(&identifier("8"), by_hand);
        assert_eq!(resolver.id(&identifier("8")), by_hand);

        assert_eq!(resolver.id(&stand_in(&organisation, &by_hand)), by_hand);
        assert_ne!(Resolver::new(OrgId([2; 32])).id(&stand_in(&organisation, &by_hand)), by_hand);
    }

    #[test]
    fn half_an_identifier_is_none() {
        assert_eq!(from_json(&serde_json::json!({})), Ok(None));
        assert_eq!(from_json(&serde_json::json!({"agency": "a", "scheme": "b", "value": " "})), Ok(None));
        assert!(from_json(&serde_json::json!({"value": "7"})).is_err());
        assert_eq!(from_json(&to_json(&identifier("7"))), Ok(Some(identifier("7"))));
    }
}
