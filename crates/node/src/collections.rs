//! Our collections: who reads them, what they are called, how they end. All of it blocks.

use std::collections::{BTreeMap, BTreeSet};

use ortsnetz_model::{CollectionId, EntryId, OrgId, Position};
use ortsnetz_sync::FeedStatus;
use ortsnetz_trust::Identity;
use ortsnetz_trust::identity::CollectionTerms;
use ortsnetz_trust::limits::{OWN_COLLECTIONS_MAX, READERS_MAX};
use ortsnetz_trust::statement::{CollectionStatement, Readers};

use crate::clock::{self, rfc3339};
use crate::dto::{
    CollectionChange, CollectionEnd, CollectionInfo, FormerCollection, FormerReader, NewCollection, ReaderInfo,
    Refusal, SeenBy, SeenCollection,
};
use crate::editing::{self, PUBLISH_BATCH};
use crate::error::NodeError;
use crate::identities;
use crate::partners::{confirmed, find_organisation, look};
use crate::rows::{self, Published};
use crate::shared::{Shared, read};
use crate::working::{BILATERAL, INTERNAL, PARTNERS, PUBLIC};

/// Draft feeds are called so; nobody else may be.
const DRAFTS: &str = "drafts:";
/// Entries named in a message.
const NAMED_MAX: usize = 3;

/// Where a collection comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    /// It exists from the start.
    Initial,
    /// Somebody here created it.
    Own,
    /// It belongs to a partnership.
    Bilateral,
}

impl Sort {
    fn of(collection: &CollectionStatement) -> Self {
        match collection.name.as_str() {
            PUBLIC | PARTNERS | INTERNAL => Self::Initial,
            name if name.starts_with(BILATERAL) => Self::Bilateral,
            _ => Self::Own,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Bilateral => "bilateral",
            Self::Own => "own",
        }
    }
}

/// What the engine knows of our feeds: how they stand, and how far others confirmed them.
type Feeds = BTreeMap<CollectionId, (FeedStatus, BTreeMap<OrgId, Position>)>;

fn feeds(shared: &Shared) -> Result<Feeds, NodeError> {
    let own = shared.own.organisation;
    look(shared, move |engine| {
        let ours = engine.feeds().into_iter().filter(|status| status.feed.organisation == own);
        ours.map(|status| (status.feed.collection, (status.clone(), engine.published_to(&status.feed)))).collect()
    })
}

fn entries(feeds: &Feeds, collection: &CollectionId) -> u64 {
    feeds.get(collection).map_or(0, |(status, _)| status.live)
}

/// Whether an organisation confirmed to hold all of a collection; `None` if that is not known.
fn complete(feeds: &Feeds, collection: &CollectionId, reader: &OrgId) -> Option<bool> {
    let (status, confirmed) = feeds.get(collection)?;
    confirmed.get(reader).map(|position| *position >= status.cursor)
}

/// `collections list`: the initial ones first, then our own, then bilateral ones, each by name.
pub(crate) fn list(shared: &Shared) -> Result<Vec<CollectionInfo>, NodeError> {
    let (identity, feeds) = (shared.identity(), feeds(shared)?);
    let mut drafts: BTreeMap<CollectionId, u64> = BTreeMap::new();
    rows::each_own_entry(&shared.store, None, &mut |_, row| {
        *drafts.entry(row.home).or_default() += u64::from(row.draft && row.published != Published::Live);
        Ok(true)
    })?;
    let mut sorted = identity.collections();
    sorted.sort_by_key(|collection| (Sort::of(collection), collection.label().to_owned()));
    Ok(sorted.into_iter().map(|collection| info(shared, &identity, collection, &feeds, &drafts)).collect())
}

fn info(
    shared: &Shared,
    identity: &Identity,
    collection: &CollectionStatement,
    feeds: &Feeds,
    drafts: &BTreeMap<CollectionId, u64>,
) -> CollectionInfo {
    let id = collection.collection;
    let listed: &[OrgId] = match &collection.readers {
        Readers::Organisations(list) => list,
        Readers::Public | Readers::Internal => &[],
    };
    let reader = |reader: &OrgId| ReaderInfo {
        id: reader.to_string(),
        name: shared.organisation_name(reader),
        since: collection.since(reader).map(rfc3339),
        complete: complete(feeds, &id, reader),
    };
    let mut readers: Vec<ReaderInfo> = listed.iter().map(reader).collect();
    readers.sort_by(|a, b| a.name.cmp(&b.name));
    let former = identity.removals(&id).filter(|removal| !identity.can_read(&id, &removal.reader));
    CollectionInfo {
        id: id.to_string(),
        name: collection.label().to_owned(),
        created_as: collection.title.is_some().then(|| collection.name.clone()),
        sort: Sort::of(collection).word().into(),
        readers: match collection.readers {
            Readers::Public => "public",
            Readers::Organisations(_) => "organisations",
            Readers::Internal => "internal",
        }
        .into(),
        organisations: readers,
        removed: former
            .map(|removal| FormerReader {
                id: removal.reader.to_string(),
                name: shared.organisation_name(&removal.reader),
                until: rfc3339(removal.at),
            })
            .collect(),
        relay: collection.relay,
        ended: collection.ended,
        entries: entries(feeds, &id),
        drafts: drafts.get(&id).copied().unwrap_or(0),
        changed_at: (collection.at > 0).then(|| rfc3339(collection.at)),
    }
}

/// `collections show NAME-OR-ID`
pub(crate) fn show(shared: &Shared, name_or_id: &str) -> Result<CollectionInfo, NodeError> {
    let id = find(&shared.identity(), name_or_id)?.collection.to_string();
    let found = list(shared)?.into_iter().find(|collection| collection.id == id);
    found.ok_or_else(|| NodeError::Unavailable(format!("collection {name_or_id} changed just now; try again")))
}

/// Finds one of our collections by its name, or by its id or the beginning of it (at least 4 digits).
fn find<'a>(identity: &'a Identity, name_or_id: &str) -> Result<&'a CollectionStatement, NodeError> {
    if let Some(collection) = identity.collection_called(name_or_id) {
        return Ok(collection);
    }
    let all = identity.collections();
    let by_id: Vec<&&CollectionStatement> = all
        .iter()
        .filter(|collection| name_or_id.len() >= 4 && collection.collection.to_string().starts_with(name_or_id))
        .collect();
    match by_id.as_slice() {
        [one] => Ok(one),
        _ => {
            let mut names: Vec<&str> = all.iter().map(|collection| collection.label()).collect();
            names.sort_unstable();
            Err(NodeError::NotFound(format!("no collection {name_or_id:?} here; there are: {}", names.join(", "))))
        }
    }
}

/// `collections create NAME [--reader ORGANISATION]... [--relay]`
pub(crate) fn create(shared: &Shared, new: &NewCollection) -> Result<CollectionInfo, NodeError> {
    require_admin(shared)?;
    let name = checked_name(&new.name)?;
    let readers = partners_named(shared, &new.readers)?;
    identities::extend(shared, |identity| {
        let terms = CollectionTerms { relay: new.relay, ..CollectionTerms::new(name, listed(readers)?) };
        room_for(identity, name)?;
        identity
            .state_collection(terms, clock::now(), &shared.own.key)
            .map_err(|error| NodeError::Invalid(error.to_string()))
    })?;
    show(shared, name)
}

/// `collections rename NAME NEW`, `collections relay NAME on|off`
pub(crate) fn change(
    shared: &Shared,
    name_or_id: &str,
    change: &CollectionChange,
) -> Result<CollectionInfo, NodeError> {
    let name = change.name.as_deref().map(checked_name).transpose()?;
    state(shared, name_or_id, |identity, collection, terms| {
        if let Some(name) = name {
            if Sort::of(collection) != Sort::Own {
                return Err(fixed(collection, "renamed"));
            }
            free(identity, name, Some(&collection.collection))?;
            terms.title = (name != terms.name).then(|| name.to_owned());
        }
        if let Some(relay) = change.relay
            && relay != terms.relay
        {
            if Sort::of(collection) == Sort::Bilateral || !matches!(terms.readers, Readers::Organisations(_)) {
                return Err(NodeError::Conflict(match collection.readers {
                    Readers::Public => "a public collection is always passed on".into(),
                    _ => format!("{} is never passed on", collection.label()),
                }));
            }
            terms.relay = relay;
        }
        Ok(())
    })
}

/// `collections grant NAME ORGANISATION...`: they get the whole collection, and what comes.
pub(crate) fn grant(shared: &Shared, name_or_id: &str, readers: &[String]) -> Result<CollectionInfo, NodeError> {
    let added = partners_named(shared, readers)?;
    state(shared, name_or_id, |_, collection, terms| {
        let mut list = own_list(collection)?;
        if collection.ended {
            return Err(NodeError::Conflict(format!("{} has ended; nothing is published in it", collection.label())));
        }
        list.extend(added);
        terms.readers = listed(list)?;
        Ok(())
    })
}

/// `collections narrow NAME ORGANISATION...`: they are told, keep what they have, and get nothing new.
pub(crate) fn narrow(shared: &Shared, name_or_id: &str, readers: &[String]) -> Result<CollectionInfo, NodeError> {
    let gone = readers.iter().map(|reader| find_organisation(shared, reader)).collect::<Result<Vec<_>, _>>()?;
    state(shared, name_or_id, |_, collection, terms| {
        let mut list = own_list(collection)?;
        if let Some(stranger) = gone.iter().find(|reader| !list.contains(*reader)) {
            return Err(NodeError::Conflict(format!(
                "{} does not read {}; see `ortsnetz collections show {:?}`",
                shared.organisation_name(stranger),
                collection.label(),
                collection.label()
            )));
        }
        list.retain(|reader| !gone.contains(reader));
        terms.readers = listed(list)?;
        Ok(())
    })
}

/// `collections end NAME [--withdraw | --move-to OTHER]`
pub(crate) fn end(shared: &Shared, name_or_id: &str, how: &CollectionEnd) -> Result<CollectionInfo, NodeError> {
    require_admin(shared)?;
    let identity = shared.identity();
    let collection = find(&identity, name_or_id)?;
    let (id, label) = (collection.collection, collection.label());
    if Sort::of(collection) != Sort::Own {
        return Err(fixed(collection, "ended"));
    }
    if collection.ended {
        return Err(NodeError::Conflict(format!("{label} has ended already")));
    }
    if !shared.is_publisher() {
        return Err(NodeError::Forbidden(
            "only the publisher ends a collection, because it says how the collection ended; run this there".into(),
        ));
    }
    let target = how.move_to.as_deref().map(|name| shared.own_collection(name)).transpose()?;
    if how.withdraw && target.is_some() {
        return Err(NodeError::Invalid("either withdraw what is in it, or move it".into()));
    }
    if target == Some(id) {
        return Err(NodeError::Invalid(format!("{label} cannot be moved into itself")));
    }
    empty(shared, &id, label, how.withdraw, target)?;
    set_ended(shared, name_or_id, true)?;
    // Whoever was publishing into it meanwhile is done after this; later ones are refused.
    shared.locks.wait_for_all();
    if let Err(error) = empty(shared, &id, label, how.withdraw, target) {
        set_ended(shared, &id.to_string(), false)?;
        return Err(error);
    }
    show(shared, &id.to_string())
}

fn set_ended(shared: &Shared, name_or_id: &str, ended: bool) -> Result<(), NodeError> {
    state(shared, name_or_id, |_, _, terms| {
        terms.ended = ended;
        Ok(())
    })
    .map(|_| ())
}

/// Withdraws or moves what lies in a collection, or says what is in the way.
fn empty(
    shared: &Shared,
    id: &CollectionId,
    label: &str,
    withdraw: bool,
    target: Option<CollectionId>,
) -> Result<(), NodeError> {
    let (mut live, mut drafts) = (Vec::new(), Vec::new());
    rows::each_own_entry(&shared.store, None, &mut |entry, row| {
        if row.home == *id {
            if row.published == Published::Live { live.push(entry) } else { drafts.push(entry) }
        }
        Ok(true)
    })?;
    if let Some(target) = target {
        live.extend(drafts);
        return in_batches(&live, label, |ids| Ok(editing::move_batch(shared, ids, target)?.refused));
    }
    if withdraw {
        return in_batches(&live, label, |ids| Ok(editing::withdraw_batch(shared, ids)?.refused));
    }
    if live.is_empty() {
        return Ok(());
    }
    let some: Vec<String> = live.iter().take(NAMED_MAX).map(EntryId::to_string).collect();
    let more = if live.len() > NAMED_MAX { ", ..." } else { "" };
    Err(NodeError::Conflict(format!(
        "{label} holds {} ({}{more}); withdraw them with `--withdraw`, or move them with `--move-to COLLECTION`",
        match live.len() {
            1 => "one published entry".to_owned(),
            count => format!("{count} published entries"),
        },
        some.join(", ")
    )))
}

fn in_batches(
    entries: &[EntryId],
    label: &str,
    mut work: impl FnMut(&[EntryId]) -> Result<Vec<Refusal>, NodeError>,
) -> Result<(), NodeError> {
    for batch in entries.chunks(PUBLISH_BATCH) {
        if let Some(refusal) = work(batch)?.first() {
            return Err(NodeError::Conflict(format!(
                "{label} is not ended: entry {} is in the way: {}",
                refusal.id, refusal.reason
            )));
        }
    }
    Ok(())
}

/// `collections seen-by ORGANISATION`: what it may read of ours now, what it could once, and who may pass it on to it.
pub(crate) fn seen_by(shared: &Shared, name_or_id: &str) -> Result<SeenBy, NodeError> {
    let id = find_organisation(shared, name_or_id)?;
    if id == shared.own.organisation {
        return Err(NodeError::Invalid("that is your own organisation: its nodes see everything".into()));
    }
    let (identity, feeds) = (shared.identity(), feeds(shared)?);
    let row = read(&shared.partners).get(&id).cloned();
    let since = row.as_ref().filter(|row| !row.ended).map(|row| rfc3339(row.since));
    let mut readable: Vec<&CollectionStatement> = identity
        .collections()
        .into_iter()
        .filter(|collection| identity.can_read(&collection.collection, &id))
        .collect();
    readable.sort_by_key(|collection| (Sort::of(collection), collection.label().to_owned()));
    let collections = readable.into_iter().map(|collection| SeenCollection {
        id: collection.collection.to_string(),
        name: collection.label().to_owned(),
        entries: entries(&feeds, &collection.collection),
        relay: collection.relay,
        ended: collection.ended,
        since: collection.since(&id).map(rfc3339).or_else(|| since.clone()),
        complete: complete(&feeds, &collection.collection, &id),
        relays: relays(shared, &identity, collection, &id),
    });
    let former = identity.collections().into_iter().filter_map(|collection| {
        let removal = identity.removal(&collection.collection, &id)?;
        (!identity.can_read(&collection.collection, &id)).then(|| FormerCollection {
            id: collection.collection.to_string(),
            name: collection.label().to_owned(),
            until: rfc3339(removal.at),
        })
    });
    Ok(SeenBy {
        organisation: shared.organisation_info(&id),
        direct: row.is_some_and(|row| !row.ended),
        collections: collections.collect(),
        former: former.collect(),
    })
}

/// Our partners that may read a collection and pass it on to a partner of theirs.
fn relays(shared: &Shared, identity: &Identity, collection: &CollectionStatement, reader: &OrgId) -> Vec<String> {
    if !collection.relay {
        return Vec::new();
    }
    let partners = read(&shared.partners);
    let present = partners.iter().filter(|(id, row)| *id != reader && !row.ended);
    present
        .filter(|(id, _)| identity.can_read(&collection.collection, id))
        .filter_map(|(id, _)| shared.identity_of(id))
        .filter(|partner| partner.partners().any(|other| other == *reader))
        .map(|partner| partner.name().to_owned())
        .collect()
}

/// States a collection anew, unless nothing changes.
fn state(
    shared: &Shared,
    name_or_id: &str,
    change: impl FnOnce(&Identity, &CollectionStatement, &mut CollectionTerms) -> Result<(), NodeError>,
) -> Result<CollectionInfo, NodeError> {
    require_admin(shared)?;
    let mut id = None;
    identities::extend(shared, |identity| {
        let collection = find(identity, name_or_id)?;
        id = Some(collection.collection);
        let mut terms = CollectionTerms::from(collection);
        change(identity, collection, &mut terms)?;
        if terms == CollectionTerms::from(collection) {
            return Ok(Vec::new());
        }
        identity
            .state_collection(terms, clock::now(), &shared.own.key)
            .map_err(|error| NodeError::Invalid(error.to_string()))
    })?;
    show(shared, &id.map(|id| id.to_string()).unwrap_or_default())
}

/// The reader list of a collection whose list people keep.
fn own_list(collection: &CollectionStatement) -> Result<BTreeSet<OrgId>, NodeError> {
    match (&collection.readers, Sort::of(collection)) {
        (Readers::Organisations(list), Sort::Own) => Ok(list.iter().copied().collect()),
        _ => Err(NodeError::Conflict(match collection.name.as_str() {
            PUBLIC => "everybody reads `public`, and that cannot be narrowed; move what is not for everybody".into(),
            PARTNERS => {
                "all confirmed partners read `partners`; for some of them create a collection of your own".into()
            }
            INTERNAL => {
                "only your own nodes read `internal`; create a collection of your own to share something".into()
            }
            _ => format!("{} is read by its partner alone, as long as the partnership lasts", collection.label()),
        })),
    }
}

fn fixed(collection: &CollectionStatement, what: &str) -> NodeError {
    NodeError::Conflict(match Sort::of(collection) {
        Sort::Bilateral => format!("{} belongs to the partnership and cannot be {what}", collection.label()),
        _ => format!("`{}` exists from the start and cannot be {what}", collection.label()),
    })
}

fn listed(readers: BTreeSet<OrgId>) -> Result<Readers, NodeError> {
    if readers.len() > READERS_MAX {
        return Err(NodeError::TooLarge(format!(
            "a reader list names {READERS_MAX} organisations at most, these would be {}",
            readers.len()
        )));
    }
    Ok(Readers::Organisations(readers.into_iter().collect()))
}

/// Confirmed partners, by name or id: to nobody else is anything opened but what is public.
fn partners_named(shared: &Shared, names: &[String]) -> Result<BTreeSet<OrgId>, NodeError> {
    let confirmed = confirmed(shared);
    let mut found = BTreeSet::new();
    for name in names {
        let id = find_organisation(shared, name)?;
        if !confirmed.contains(&id) {
            let name = shared.organisation_name(&id);
            return Err(NodeError::Forbidden(format!(
                "{name} is no confirmed partner; compare the check words and run `ortsnetz partners confirm {name:?}` first"
            )));
        }
        found.insert(id);
    }
    Ok(found)
}

fn checked_name(name: &str) -> Result<&str, NodeError> {
    let name = name.trim();
    if [PUBLIC, PARTNERS, INTERNAL].contains(&name) || name.starts_with(BILATERAL) || name.starts_with(DRAFTS) {
        return Err(NodeError::Invalid(format!("{name:?} is a name of its own kind; choose another one")));
    }
    if name.is_empty() || name.chars().any(char::is_control) || name.len() > ortsnetz_trust::limits::NAME_BYTES_MAX {
        return Err(NodeError::Invalid(format!(
            "a collection's name has 1 to {} bytes in one line",
            ortsnetz_trust::limits::NAME_BYTES_MAX
        )));
    }
    Ok(name)
}

/// Whether a new collection can be made under this name.
fn room_for(identity: &Identity, name: &str) -> Result<(), NodeError> {
    free(identity, name, None)?;
    if let Some(old) = identity.collection(&CollectionId::named(&identity.id(), name)) {
        return Err(NodeError::Conflict(format!(
            "the collection {:?} was created as {name:?}, and its readers know it by that; choose another name",
            old.label()
        )));
    }
    let own = identity.collections().into_iter().filter(|collection| Sort::of(collection) == Sort::Own).count();
    if own >= OWN_COLLECTIONS_MAX {
        return Err(NodeError::TooLarge(format!(
            "an organisation can make {OWN_COLLECTIONS_MAX} collections, ended ones included; use one of those there are"
        )));
    }
    Ok(())
}

/// Whether no other collection is called so.
fn free(identity: &Identity, name: &str, but: Option<&CollectionId>) -> Result<(), NodeError> {
    match identity.collection_called(name) {
        Some(other) if Some(&other.collection) != but => {
            let state = if other.ended { "has ended, but readers still know it" } else { "exists" };
            Err(NodeError::Conflict(format!("a collection {name:?} {state}; choose another name")))
        }
        _ => Ok(()),
    }
}

fn require_admin(shared: &Shared) -> Result<(), NodeError> {
    if shared.identity().roles(&shared.own.node).admin {
        return Ok(());
    }
    Err(NodeError::Forbidden(
        "only a node with role admin states who reads what; run this on the organisation's first node".into(),
    ))
}

#[cfg(test)]
mod tests {
    use ortsnetz_trust::identity::Founding;
    use ortsnetz_trust::limits::NAME_BYTES_MAX;
    use ortsnetz_trust::statement::OrganisationKind;
    use ortsnetz_trust::{NodeKey, RootKey};

    use super::*;

    fn town() -> (Identity, NodeKey) {
        let (root, node) = (RootKey::from_secret(&[1; 32]), NodeKey::from_secret(&[2; 32]));
        let founding = Founding {
            name: "Stadt Siegburg".into(),
            ars: "053820060060".into(),
            kind: OrganisationKind::Municipality,
            node_name: "Rathaus".into(),
            addresses: Vec::new(),
            at: 1,
            random: [3; 16],
        };
        (Identity::found(founding, &root, &node).expect("founded"), node)
    }

    fn make(identity: &mut Identity, key: &NodeKey, terms: CollectionTerms) {
        for signed in identity.state_collection(terms, 2, key).expect("signed") {
            identity.take_in(signed).expect("taken in");
        }
    }

    fn nobody() -> Readers {
        Readers::Organisations(Vec::new())
    }

    #[test]
    fn as_many_collections_as_allowed_can_be_made_and_bilateral_ones_do_not_count() {
        let (mut identity, key) = town();
        for n in 0..OWN_COLLECTIONS_MAX - 1 {
            make(&mut identity, &key, CollectionTerms::new(&format!("eigene {n}"), nobody()));
        }
        make(&mut identity, &key, CollectionTerms::new(&format!("with:{}", OrgId([7; 32])), nobody()));
        assert!(room_for(&identity, "die letzte").is_ok());
        let ended = CollectionTerms { ended: true, ..CollectionTerms::new("die letzte", nobody()) };
        make(&mut identity, &key, ended);
        let error = room_for(&identity, "eine zu viel").expect_err("full");
        assert!(matches!(&error, NodeError::TooLarge(line) if line.contains("1021")), "{error}");
    }

    #[test]
    fn a_reader_list_names_as_many_as_allowed() {
        let many = |count: u32| (0..count).map(|n| OrgId(std::array::from_fn(|at| n.to_be_bytes()[at % 4]))).collect();
        assert!(listed(many(READERS_MAX as u32)).is_ok());
        assert!(
            matches!(listed(many(READERS_MAX as u32 + 1)), Err(NodeError::TooLarge(line)) if line.contains("1024"))
        );
    }

    #[test]
    fn names_are_of_one_line_and_nobody_elses() {
        assert_eq!(checked_name("  Planung Nord ").expect("a name"), "Planung Nord");
        assert!(checked_name(&"x".repeat(NAME_BYTES_MAX)).is_ok());
        assert!(checked_name(&"x".repeat(NAME_BYTES_MAX + 1)).is_err());
        for name in ["", "  ", "a\nb", "public", "partners", "internal", "with:somebody", "drafts:node"] {
            assert!(checked_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_name_that_readers_know_is_not_given_again() {
        let (mut identity, key) = town();
        make(&mut identity, &key, CollectionTerms::new("alt", nobody()));
        let renamed = CollectionTerms { title: Some("neu".into()), ..CollectionTerms::new("alt", nobody()) };
        make(&mut identity, &key, renamed);
        make(&mut identity, &key, CollectionTerms { ended: true, ..CollectionTerms::new("vorbei", nobody()) });
        for name in ["alt", "neu", "vorbei"] {
            assert!(matches!(room_for(&identity, name), Err(NodeError::Conflict(_))), "{name}");
        }
        let line = find(&identity, "planung").expect_err("none").to_string();
        assert_eq!(line, "no collection \"planung\" here; there are: internal, neu, partners, public, vorbei");
        let id = identity.collection_called("neu").expect("there").collection.to_string();
        assert_eq!(find(&identity, &id[..8]).expect("by id").label(), "neu");
    }
}
