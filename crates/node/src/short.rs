//! Ids of entries and versions as people type them: whole, or their beginning, as long as only one begins so.

use std::collections::BTreeSet;

use ortsnetz_model::{Document, EntryId, Hash};
use ortsnetz_store::{Key, Range};

use crate::catalog;
use crate::error::NodeError;
use crate::rows;
use crate::shared::{Shared, read};

/// Fewest digits of a beginning: fewer are a typing mistake more often than an id.
pub(crate) const PREFIX_DIGITS_MIN: usize = 6;
/// Ids named when a beginning can mean several.
const NAMED_MAX: usize = 3;

/// The entry that `text` means: its id, or the beginning of the id of one entry held here, ours or another's.
///
/// # Errors
/// The text is neither, or no entry begins so, or several do.
pub(crate) fn entry_id(shared: &Shared, text: &str) -> Result<EntryId, NodeError> {
    let text = text.trim();
    let whole = text.parse();
    if whole.is_ok() || !is_beginning(text, 2 * size_of::<EntryId>()) {
        return whole.map_err(|error: ortsnetz_model::IdError| {
            NodeError::Invalid(format!("{error}, and not the first {PREFIX_DIGITS_MIN} or more of them"))
        });
    }
    let found = entries(shared, text)?;
    one(text, found, || {
        NodeError::NotFound(format!("no entry here begins with {text}; find ids with `ortsnetz search WORDS`"))
    })
}

/// Heads as they are typed, with commas between: whole hashes, or the beginnings of changes of these documents.
///
/// # Errors
/// A text that is neither, or a beginning that no change has, or several have.
pub(crate) fn heads<'a>(
    text: &str,
    documents: impl Iterator<Item = &'a Document> + Clone,
) -> Result<Vec<Hash>, NodeError> {
    text.split(',').map(str::trim).map(|part| head(part, documents.clone())).collect()
}

fn head<'a>(text: &str, documents: impl Iterator<Item = &'a Document>) -> Result<Hash, NodeError> {
    if !is_beginning(text, 2 * size_of::<Hash>()) {
        return Ok(text.parse()?);
    }
    let all = documents.flat_map(Document::history).flat_map(|step| step.heads);
    let found = all.filter(|hash| hash.to_string().starts_with(text)).collect();
    one(text, found, || {
        NodeError::NotFound(format!("no version here begins with {text}; `ortsnetz history ID` lists them"))
    })
}

/// Whether a text can be the beginning of an id of so many digits.
fn is_beginning(text: &str, digits: usize) -> bool {
    (PREFIX_DIGITS_MIN..digits).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn one<T: std::fmt::Display + Ord + Copy>(
    text: &str,
    found: BTreeSet<T>,
    none: impl FnOnce() -> NodeError,
) -> Result<T, NodeError> {
    match (found.first(), found.len()) {
        (Some(one), 1) => Ok(*one),
        (None, _) => Err(none()),
        (Some(_), count) => {
            let named: Vec<String> = found.iter().take(NAMED_MAX).map(T::to_string).collect();
            let more = if count > NAMED_MAX { " or others" } else { "" };
            Err(NodeError::Conflict(format!("{text} can mean {}{more}; give more digits", named.join(" or "))))
        }
    }
}

/// Entries whose id begins so, a few of them: own ones with their drafts, and everything published that is held here.
fn entries(shared: &Shared, text: &str) -> Result<BTreeSet<EntryId>, NodeError> {
    let mut found = BTreeSet::new();
    // The last id before all that begin so; none if these are the first.
    let lowest = u128::from_str_radix(&format!("{text:0<32}"), 16).unwrap_or_default();
    let before = lowest.checked_sub(1).map(|id| EntryId(id.to_be_bytes()));
    rows::each_own_entry(&shared.store, before.as_ref(), &mut |id, _| Ok(take(&mut found, text, id)))?;
    let feeds: Vec<_> = read(&shared.feeds).iter().copied().collect();
    for feed in feeds.into_iter().filter(|feed| !catalog::is_draft_feed(shared, feed)) {
        let after = before.map(|entry| Key::Record { feed, entry });
        for (key, _) in shared.store.scan(&Range::Records(feed), after.as_ref(), NAMED_MAX + 1)? {
            if let Key::Record { entry, .. } = key {
                take(&mut found, text, entry);
            }
        }
    }
    Ok(found)
}

/// Notes the id if it begins so; false if no further id can, or enough were found.
fn take(found: &mut BTreeSet<EntryId>, text: &str, id: EntryId) -> bool {
    let fits = id.to_string().starts_with(text);
    if fits {
        found.insert(id);
    }
    fits && found.len() <= NAMED_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_has_at_least_its_digits_and_no_others() {
        assert!(!is_beginning(&"a".repeat(PREFIX_DIGITS_MIN - 1), 32));
        assert!(is_beginning(&"a".repeat(PREFIX_DIGITS_MIN), 32));
        assert!(is_beginning(&"a".repeat(31), 32));
        assert!(!is_beginning(&"a".repeat(32), 32));
        assert!(!is_beginning("ABCDEF", 32) && !is_beginning("00ffé0", 32) && !is_beginning("%2e%2e", 32));
    }

    #[test]
    fn a_beginning_of_several_names_a_few_of_them() {
        let ids = |count: u8| (0..count).map(|n| EntryId([n; 16])).collect::<BTreeSet<_>>();
        let none = || NodeError::NotFound("none".into());
        assert_eq!(one("00", ids(1), none).expect("one"), EntryId([0; 16]));
        assert!(matches!(one("00", ids(0), none), Err(NodeError::NotFound(_))));
        let few = one("00", ids(2), none).expect_err("two").to_string();
        assert!(few.contains(&EntryId([1; 16]).to_string()) && !few.contains("others"), "{few}");
        assert!(one("00", ids(4), none).expect_err("four").to_string().contains(" or others; give more digits"));
    }
}
