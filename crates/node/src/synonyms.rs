//! Words that mean the same, as organisations tell in their profiles: they help to find everybody's entries.

use ortsnetz_model::{Entry, EntryId, OrgId};
use ortsnetz_store::{Batch, Key, Origin, Range};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::partners;
use crate::shared::Shared;

/// Table of the synonyms that profiles tell: key is the organisation.
const SYNONYMS: &str = "synonyms";
/// Most groups of words of one organisation that count.
const GROUPS_MAX: usize = 300;
/// Most words of one group that count.
const GROUP_WORDS_MAX: usize = 12;

/// What one profile tells.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Told {
    /// The profile.
    entry: EntryId,
    groups: Vec<Vec<String>>,
}

/// Takes over what the profile of an organisation says now; `None` if the entry is gone, whatever it was.
pub(crate) fn learn(shared: &Shared, organisation: &OrgId, id: &EntryId, profile: Option<&Entry>) {
    let key = Key::Custom { table: SYNONYMS.into(), key: organisation.as_bytes().to_vec() };
    let before = shared.store.get(&key).ok().flatten();
    let before: Option<Told> = before.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let now =
        profile.map(|profile| Told { entry: *id, groups: groups(profile) }).filter(|told| !told.groups.is_empty());
    if now.is_none() && before.as_ref().is_none_or(|before| before.entry != *id) || now == before {
        return;
    }
    let mut batch = Batch::new(Origin::Foreign);
    match &now {
        // Plain data: it can be written.
        Some(told) => batch.put(key, serde_json::to_vec(told).unwrap_or_default()),
        None => batch.delete(key),
    };
    if let Err(error) = shared.store.commit(batch) {
        tracing::error!(%error, %organisation, "the synonyms of a profile could not be kept");
    }
    apply(shared);
}

/// Puts to use what we and confirmed partners tell: whoever says that words mean the same changes what others find.
pub(crate) fn apply(shared: &Shared) {
    let confirmed = partners::confirmed(shared);
    let Ok(rows) = shared.store.scan(&Range::Custom(SYNONYMS.into()), None, usize::MAX) else { return };
    let mut all = Vec::new();
    for (key, told) in rows {
        let Key::Custom { key, .. } = key else { continue };
        let counts = OrgId::from_slice(&key).is_some_and(|id| id == shared.own.organisation || confirmed.contains(&id));
        if let (true, Ok(told)) = (counts, serde_json::from_slice::<Told>(&told)) {
            all.extend(told.groups);
        }
    }
    shared.search.reader().set_synonyms(&all);
}

/// The groups of a profile: `synonyms: [{"words": ["Wertstoffinsel", "Glascontainer"]}]`.
fn groups(profile: &Entry) -> Vec<Vec<String>> {
    let groups = profile.get("synonyms").and_then(Value::as_array).into_iter().flatten();
    let words = |group: &Value| -> Option<Vec<String>> {
        let words = group.get("words")?.as_array()?.iter().filter_map(Value::as_str).map(str::trim);
        Some(words.filter(|word| !word.is_empty()).take(GROUP_WORDS_MAX).map(str::to_owned).collect())
    };
    groups.filter_map(words).filter(|words| words.len() > 1).take(GROUPS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(synonyms: &Value) -> Vec<Vec<String>> {
        groups(&Entry::from_json(json!({"kind": "profile", "synonyms": synonyms})).expect("a profile"))
    }

    #[test]
    fn a_group_has_at_least_two_words_and_limits_hold() {
        let synonyms =
            json!([{"words": ["Wertstoffinsel", "Glascontainer"]}, {"words": ["allein"]}, {"words": ["", "a"]}]);
        assert_eq!(told(&synonyms), [["Wertstoffinsel", "Glascontainer"]]);
        let many = |groups: usize, words: usize| {
            let words: Vec<String> = (0..words).map(|n| format!("wort{n}")).collect();
            told(&json!(vec![json!({"words": words}); groups]))
        };
        assert_eq!(many(GROUPS_MAX, 2).len(), GROUPS_MAX);
        assert_eq!(many(GROUPS_MAX + 1, 2).len(), GROUPS_MAX);
        assert_eq!(many(1, GROUP_WORDS_MAX)[0].len(), GROUP_WORDS_MAX);
        assert_eq!(many(1, GROUP_WORDS_MAX + 1)[0].len(), GROUP_WORDS_MAX);
    }
}
