//! Keys that places had, and which key came after them.

use std::collections::{BTreeMap, BTreeSet};

use ortsnetz_model::Ars;
use ortsnetz_model::dates::Date;
use serde::{Deserialize, Serialize};

use super::table::{Municipality, Places, state_of};
use crate::fold;
use crate::limits::{FORMER_KEYS_MAX, SUCCESSIONS_MAX};

/// A key that a place had until it got another one: a change of county, a merger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FormerKey {
    /// The key it had.
    pub ars: Ars,
    /// The key that came after it.
    pub successor: Ars,
    /// First day of the new key, ISO 8601; empty if nobody knows it any more.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub since: String,
    /// Name of the place with the new key, where the official list does not have it yet.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

impl FormerKey {
    fn is_over(&self, on: Option<&str>) -> bool {
        on.is_none_or(|on| *self.since <= *on)
    }
}

/// The keys of one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceKeys {
    /// The one it has on the day.
    pub ars: Ars,
    /// Those it had before, or will have.
    pub also: Vec<Ars>,
}

/// All former keys, sorted.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct FormerKeys {
    keys: BTreeMap<Ars, FormerKey>,
    /// The keys right before each.
    back: BTreeMap<Ars, BTreeSet<Ars>>,
}

impl FormerKeys {
    /// Notes a former key; whether it is new or says something else than before.
    pub fn add(&mut self, key: FormerKey) -> Result<bool, String> {
        let FormerKey { ars, successor, .. } = key;
        for known in [ars, successor] {
            if state_of(known.as_str()).is_none() {
                return Err(format!("{known} lies in no state"));
            }
        }
        if self.follow(successor, None) == ars || ars == successor {
            return Err(format!("{ars} would come after itself"));
        }
        if self.keys.get(&ars) == Some(&key) {
            return Ok(false);
        }
        if self.keys.len() >= FORMER_KEYS_MAX && !self.keys.contains_key(&ars) {
            return Err(format!("more than {FORMER_KEYS_MAX} former keys"));
        }
        if let Some(old) = self.keys.insert(ars, key)
            && let Some(before) = self.back.get_mut(&old.successor)
        {
            before.remove(&ars);
        }
        self.back.entry(successor).or_default().insert(ars);
        Ok(true)
    }

    pub fn iter(&self) -> impl Iterator<Item = &FormerKey> {
        self.keys.values()
    }

    pub fn get(&self, ars: &Ars) -> Option<&FormerKey> {
        self.keys.get(ars)
    }

    /// The keys right before this one.
    pub fn before(&self, ars: Ars) -> impl Iterator<Item = &FormerKey> {
        self.back.get(&ars).into_iter().flatten().filter_map(|former| self.keys.get(former))
    }

    /// The key that came after this one, and so on: up to the one of the day, or the last one.
    pub fn follow(&self, ars: Ars, on: Option<&str>) -> Ars {
        let mut key = ars;
        for _ in 0..SUCCESSIONS_MAX {
            match self.keys.get(&key).filter(|former| former.is_over(on)) {
                Some(former) => key = former.successor,
                None => break,
            }
        }
        key
    }

    /// Gives municipalities their newest key. Where several became one that the list does not have, the largest of them
    /// stands for it.
    pub fn apply(&self, municipalities: Vec<Municipality>) -> Vec<Municipality> {
        if self.keys.is_empty() {
            return municipalities;
        }
        let (old, mut current): (Vec<_>, Vec<_>) =
            municipalities.into_iter().partition(|municipality| self.keys.contains_key(&municipality.0));
        let mut moved: BTreeMap<Ars, Vec<Municipality>> = BTreeMap::new();
        for municipality in old {
            moved.entry(self.follow(municipality.0, None)).or_default().push(municipality);
        }
        let positions: BTreeMap<Ars, usize> = current.iter().enumerate().map(|(n, known)| (known.0, n)).collect();
        for (ars, mut parts) in moved {
            parts.sort_by_key(|part| std::cmp::Reverse(part.5));
            let position = positions.get(&ars).copied().unwrap_or_else(|| {
                let mut first = parts.remove(0);
                first.0 = ars;
                if let Some(name) = self.before(ars).map(|former| &former.name).find(|name| !name.is_empty()) {
                    rename(&mut first, name);
                }
                for part in &parts {
                    first.4.extend(&part.4);
                    first.5 = first.5.saturating_add(part.5);
                }
                current.push(first);
                current.len() - 1
            });
            for part in parts {
                add_names(&mut current[position], std::iter::once(part.1).chain(part.3));
            }
        }
        current
    }
}

/// Gives a municipality a new name and keeps the old one as a former name.
pub(super) fn rename(municipality: &mut Municipality, name: &str) {
    let old = std::mem::replace(&mut municipality.1, name.to_owned());
    add_names(municipality, std::iter::once(old));
}

/// Adds former names that are not known yet.
pub(super) fn add_names(municipality: &mut Municipality, names: impl Iterator<Item = String>) {
    for name in names {
        let folded = fold::fold(&name);
        let known = std::iter::once(&municipality.1).chain(&municipality.3).any(|known| fold::fold(known) == folded);
        if !known && !folded.is_empty() {
            municipality.3.push(name);
        }
    }
}

impl Places {
    /// The keys of the place with this one: the one it has on the day (today's if no day is given), and the others.
    pub fn keys(&self, ars: &Ars, on: Option<Date>) -> PlaceKeys {
        let on = on.map(|on| on.to_string());
        let on = on.as_deref();
        let mut key = self.former.follow(*ars, on);
        // Before its first day a new key means the one before it, unless it was several.
        for _ in 0..SUCCESSIONS_MAX {
            let mut before = self.former.before(key).filter(|former| !former.is_over(on));
            match (before.next(), before.next()) {
                (Some(former), None) => key = former.ars,
                _ => break,
            }
        }
        let mut also = BTreeSet::from([key]);
        let mut next = vec![key];
        while let Some(ars) = next.pop() {
            let after = self.former.get(&ars).map(|former| former.successor);
            for other in self.former.before(ars).map(|former| former.ars).chain(after) {
                // Whoever became one town with others is not valid for those others.
                let is_part = after == Some(other) && self.former.before(other).nth(1).is_some();
                if !is_part && also.len() <= SUCCESSIONS_MAX && also.insert(other) {
                    next.push(other);
                }
            }
        }
        also.remove(&key);
        PlaceKeys { ars: key, also: also.into_iter().collect() }
    }

    /// The former keys of the place with this key, the newest change first.
    pub fn former_keys(&self, ars: &Ars) -> Vec<FormerKey> {
        let mut found: Vec<FormerKey> = Vec::new();
        let mut next = vec![*ars];
        while let Some(ars) = next.pop() {
            for former in self.former.before(ars) {
                if found.len() < SUCCESSIONS_MAX && !found.contains(former) {
                    next.push(former.ars);
                    found.push(former.clone());
                }
            }
        }
        found.sort_by(|a, b| b.since.cmp(&a.since).then_with(|| a.cmp(b)));
        found
    }
}
