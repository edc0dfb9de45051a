//! The six organisations of the demonstration: who they are, who is whose partner, what they publish.

/// One organisation.
pub(super) struct Town {
    /// Name of its directory.
    pub(super) key: &'static str,
    /// Name as partners see it.
    pub(super) name: &'static str,
    /// Its place.
    pub(super) ars: &'static str,
    /// Kind of organisation.
    pub(super) kind: &'static str,
    /// Its entries as JSON Lines.
    pub(super) content: &'static str,
}

/// In the order of the ring.
pub(super) const TOWNS: [Town; 6] = [
    Town {
        key: "koeln",
        name: "Stadt Köln",
        ars: "053150000000",
        kind: "municipality",
        content: include_str!("../../demo/koeln.jsonl"),
    },
    Town {
        key: "bonn",
        name: "Bundesstadt Bonn",
        ars: "053140000000",
        kind: "municipality",
        content: include_str!("../../demo/bonn.jsonl"),
    },
    Town {
        key: "leverkusen",
        name: "Stadt Leverkusen",
        ars: "053160000000",
        kind: "municipality",
        content: include_str!("../../demo/leverkusen.jsonl"),
    },
    Town {
        key: "siegburg",
        name: "Kreisstadt Siegburg",
        ars: "053820060060",
        kind: "municipality",
        content: include_str!("../../demo/siegburg.jsonl"),
    },
    Town {
        key: "huerth",
        name: "Stadt Hürth",
        ars: "053620028028",
        kind: "municipality",
        content: include_str!("../../demo/huerth.jsonl"),
    },
    Town {
        key: "rhein-erft-kreis",
        name: "Rhein-Erft-Kreis",
        ars: "053620000000",
        kind: "county",
        content: include_str!("../../demo/rhein-erft-kreis.jsonl"),
    },
];

/// A ring and one chord, from inviter to joiner: what is further away arrives by relay.
pub(super) const PARTNERSHIPS: [(usize, usize); 7] = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0), (0, 3)];

impl Town {
    /// How many entries it publishes.
    pub(super) fn entries(&self) -> usize {
        self.content.lines().filter(|line| !line.trim().is_empty()).count()
    }

    /// How many of its entries have a part that only direct partners get.
    fn companions(&self) -> usize {
        self.content.lines().filter(|line| line.contains("\"companions\"")).count()
    }

    /// Its direct partners.
    fn partner_towns(&self) -> impl Iterator<Item = &'static Self> {
        PARTNERSHIPS.iter().filter_map(|&(a, b)| match (TOWNS[a].key == self.key, TOWNS[b].key == self.key) {
            (true, _) => Some(&TOWNS[b]),
            (_, true) => Some(&TOWNS[a]),
            _ => None,
        })
    }

    /// How many partners it has.
    pub(super) fn partners(&self) -> usize {
        self.partner_towns().count()
    }

    /// How many entries of others it holds when it has everything.
    pub(super) fn entries_of_others(&self) -> usize {
        TOWNS.iter().filter(|town| town.key != self.key).map(Self::entries).sum()
    }

    /// How many documents these entries have here: a companion counts beside its entry.
    pub(super) fn documents_of_others(&self) -> usize {
        self.entries_of_others() + self.partner_towns().map(Self::companions).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::{BTreeMap, BTreeSet};

    fn lines(town: &Town) -> Vec<Value> {
        let line = |(at, line): (usize, &str)| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{}:{}: {error}", town.key, at + 1))
        };
        town.content.lines().enumerate().map(line).collect()
    }

    fn key(identifier: &Value) -> String {
        let part = |name: &str| identifier[name].as_str().unwrap_or_else(|| panic!("{name} of {identifier}"));
        format!("{}.{}.{}", part("agency"), part("scheme"), part("value"))
    }

    fn all() -> Vec<Value> {
        TOWNS.iter().flat_map(lines).collect()
    }

    fn of_kind<'a>(entries: &'a [Value], kind: &str) -> Vec<&'a Value> {
        entries.iter().filter(|entry| entry["kind"] == kind).collect()
    }

    #[test]
    fn there_is_enough_to_find() {
        let entries = all();
        assert!(of_kind(&entries, "service").len() >= 80, "{} services", of_kind(&entries, "service").len());
        let events: BTreeSet<&str> =
            of_kind(&entries, "life_event").iter().filter_map(|entry| entry["title"]["de"].as_str()).collect();
        assert!(events.len() >= 3, "{events:?}");
        assert_eq!(of_kind(&entries, "profile").len(), TOWNS.len());
        assert!(of_kind(&entries, "responsibility").len() >= 6);
        for office in of_kind(&entries, "office") {
            assert!(office["opening_hours"].is_array() && office["address"]["street"].is_string(), "{office}");
        }
        assert!(entries.iter().any(|entry| entry["companions"]["partners"]["agent_note"]["de"].is_string()));
    }

    #[test]
    fn every_reference_leads_to_an_entry_of_the_same_town() {
        for town in &TOWNS {
            let entries = lines(town);
            let mut kinds = BTreeMap::new();
            for entry in &entries {
                let known = kinds.insert(key(&entry["identifier"]), entry["kind"].clone());
                assert_eq!(known, None, "{} twice in {}", entry["identifier"], town.key);
            }
            for entry in &entries {
                for (path, target) in entry["references"].as_object().into_iter().flatten() {
                    let kind = kinds.get(&key(target)).unwrap_or_else(|| panic!("{}: {path} of {entry}", town.key));
                    let expected = if path.ends_with("service") { "service" } else { "office" };
                    assert_eq!(kind, expected, "{}: {path} of {entry}", town.key);
                }
            }
        }
    }

    #[test]
    fn services_say_what_a_caller_asks_for() {
        for service in of_kind(&all(), "service") {
            let title = &service["title"]["de"];
            for text in ["summary", "description", "required_documents"] {
                let words = service["texts"][text]["de"].as_str().unwrap_or_default();
                assert!(words.len() > 20, "{title}: {text}");
            }
            assert!(service["valid_for"].as_array().is_some_and(|places| !places.is_empty()), "{title}");
            for key in service["leika"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                assert!(key.len() == 14 && key.starts_with("99"), "{title}: {key}");
            }
        }
    }

    /// Nobody moves house for a birth or a business.
    #[test]
    fn only_who_moves_house_has_an_old_and_a_new_home() {
        for event in of_kind(&all(), "life_event") {
            let places: BTreeSet<&str> =
                event["steps"].as_array().into_iter().flatten().filter_map(|step| step["place"].as_str()).collect();
            assert_eq!(places.contains("from"), places.contains("to"), "{}", event["title"]["de"]);
        }
    }

    #[test]
    fn some_feeds_arrive_by_relay() {
        let partners: usize = TOWNS.iter().map(Town::partners).sum();
        assert_eq!(partners, 2 * PARTNERSHIPS.len());
        assert!(TOWNS.iter().all(|town| town.partners() >= 2 && town.partners() < TOWNS.len() - 1));
    }
}
