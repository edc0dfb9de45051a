//! Which collections of others are kept here: most are replicated; others are asked while somebody searches, or left alone. That
//! is for this node to say, and nobody else hears of it but whoever offers them.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use minicbor::{Decode, Encode};
use ortsnetz_model::{CollectionId, FeedId, OrgId};
use ortsnetz_store::{Batch, Key, Origin, Range, Store};
use ortsnetz_sync::Event;
use ortsnetz_trust::Identity;
use ortsnetz_trust::statement::CollectionStatement;

use crate::driver::Input;
use crate::dto::ReadableCollection;
use crate::erasing;
use crate::error::NodeError;
use crate::live;
use crate::partners::{find_organisation, look};
use crate::rows;
use crate::shared::{Shared, lock, read, stopping, write};
use crate::working::BILATERAL;

/// Table of collections that are not replicated: key is the feed.
const FOLLOWING: &str = "following";
/// Between two looks whether the engine is done with a feed.
const BUSY: Duration = Duration::from_millis(50);

/// What is done with a collection of somebody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub(crate) enum How {
    /// A copy is kept here, as is usual.
    #[default]
    #[n(0)]
    Replicate,
    /// Its owner is asked when somebody searches.
    #[n(1)]
    Live,
    /// Nothing of it is wanted.
    #[n(2)]
    Ignore,
}

impl How {
    /// The word for it.
    fn word(self) -> &'static str {
        match self {
            Self::Replicate => "replicate",
            Self::Live => "live",
            Self::Ignore => "ignore",
        }
    }

    fn parse(word: &str) -> Result<Self, NodeError> {
        let all = [Self::Replicate, Self::Live, Self::Ignore];
        let found = all.into_iter().find(|how| how.word() == word);
        found.ok_or_else(|| NodeError::Invalid(format!("{word:?} is none of replicate, live, ignore")))
    }
}

/// What is not replicated.
#[derive(Default)]
pub(crate) struct Following {
    chosen: RwLock<BTreeMap<FeedId, How>>,
    /// Held while a choice is made, or the rows of a feed are deleted.
    alone: Mutex<()>,
}

impl Following {
    /// Reads it from the store.
    pub fn load(store: &Store) -> Result<Self, NodeError> {
        let mut chosen = BTreeMap::new();
        for (key, bytes) in store.scan(&Range::Custom(FOLLOWING.into()), None, usize::MAX)? {
            if let Key::Custom { key, .. } = key {
                chosen.insert(rows::decode("a feed", &key)?, rows::decode("what is done with it", &bytes)?);
            }
        }
        Ok(Self { chosen: RwLock::new(chosen), alone: Mutex::default() })
    }

    /// What is done with a feed.
    pub fn how(&self, feed: &FeedId) -> How {
        read(&self.chosen).get(feed).copied().unwrap_or_default()
    }

    /// The feeds that are not replicated.
    pub fn unfollowed(&self) -> Vec<FeedId> {
        read(&self.chosen).keys().copied().collect()
    }

    /// The feeds to ask for live.
    pub fn live(&self) -> Vec<FeedId> {
        let chosen = read(&self.chosen);
        chosen.iter().filter(|(_, how)| **how == How::Live).map(|(feed, _)| *feed).collect()
    }
}

/// `collections readable [ORGANISATION]`: collections of others that we may read, by organisation and name.
pub(crate) fn list(shared: &Shared, organisation: Option<&str>) -> Result<Vec<ReadableCollection>, NodeError> {
    let wanted = organisation.map(|name| find_organisation(shared, name)).transpose()?;
    let own = shared.own.organisation;
    if wanted == Some(own) {
        return Err(NodeError::Invalid("that is your own organisation; see `ortsnetz collections list`".into()));
    }
    let held = look(shared, move |engine| {
        let others = engine.feeds().into_iter().filter(|status| status.feed.organisation != own);
        others.map(|status| (status.feed, status.live)).collect::<BTreeMap<_, _>>()
    })?;
    let identities = read(&shared.identities).clone();
    let mut all = Vec::new();
    for identity in identities.values().filter(|identity| wanted.is_none_or(|wanted| identity.id() == wanted)) {
        all.extend(
            readable(identity, &own).into_iter().map(|collection| info(shared, identity.id(), collection, &held)),
        );
    }
    all.sort_by(|a, b| (&a.organisation.name, &a.name).cmp(&(&b.organisation.name, &b.name)));
    Ok(all)
}

fn readable<'a>(identity: &'a Identity, own: &OrgId) -> Vec<&'a CollectionStatement> {
    if identity.id() == *own {
        return Vec::new();
    }
    let mut all = identity.collections();
    all.retain(|collection| identity.can_read(&collection.collection, own));
    all
}

fn info(
    shared: &Shared,
    organisation: OrgId,
    collection: &CollectionStatement,
    held: &BTreeMap<FeedId, u64>,
) -> ReadableCollection {
    let feed = FeedId { organisation, collection: collection.collection };
    ReadableCollection {
        organisation: shared.organisation_info(&organisation),
        id: collection.collection.to_string(),
        name: collection.label().to_owned(),
        how: shared.following.how(&feed).word().to_owned(),
        entries: held.get(&feed).copied().unwrap_or(0),
        ended: collection.ended,
    }
}

/// `collections follow ORGANISATION COLLECTION replicate|live|ignore`. What was kept is deleted in the background; what is kept
/// again comes from the partners.
pub(crate) fn set(
    shared: &Arc<Shared>,
    organisation: &str,
    collection: &str,
    how: &str,
) -> Result<ReadableCollection, NodeError> {
    let how = How::parse(how)?;
    let owner = find_organisation(shared, organisation)?;
    let identity = shared.identity_of(&owner).ok_or_else(|| NodeError::NotFound(organisation.to_owned()))?;
    if owner == shared.own.organisation {
        return Err(NodeError::Invalid("your own collections are always kept on your nodes".into()));
    }
    let found = find(&identity, &shared.own.organisation, collection)?;
    if found.name.starts_with(BILATERAL) {
        return Err(NodeError::Conflict(
            "agreements, contacts and proposals of your partnership lie in it; it is always replicated".into(),
        ));
    }
    let feed = FeedId { organisation: owner, collection: found.collection };
    let changed = {
        let _alone = lock(&shared.following.alone);
        let before = shared.following.how(&feed);
        if before != how {
            keep(shared, feed, how)?;
        }
        if before == How::Live {
            live::forget(shared, &feed);
        }
        if before != How::Replicate && how == How::Replicate {
            // What lay here for a while is no beginning of a copy.
            erasing::erase_feed(shared, &feed)?;
        }
        if (before == How::Replicate) != (how == How::Replicate) {
            let follows = how == How::Replicate;
            shared.driver.send(Input::Answer(Event::Follow { feed, follows })).map_err(|_| stopping())?;
            look(shared, |_| ())?;
        }
        before != how && how != How::Replicate
    };
    if changed {
        let shared = shared.clone();
        let deleting = std::thread::Builder::new().name("unfollow".into()).spawn(move || tidy(&shared));
        deleting
            .map_err(|error| NodeError::Unavailable(format!("its copy is deleted with the next start: {error}")))?;
    }
    let held = look(shared, move |engine| engine.feed(&feed).map_or(0, |status| status.live))?;
    Ok(info(shared, owner, found, &BTreeMap::from([(feed, held)])))
}

fn find<'a>(identity: &'a Identity, own: &OrgId, name_or_id: &str) -> Result<&'a CollectionStatement, NodeError> {
    let all = readable(identity, own);
    let called = || {
        let mut called: Vec<_> = all.iter().filter(|collection| collection.label() == name_or_id).collect();
        called.sort_by_key(|collection| collection.ended);
        called.first().map(|collection| **collection)
    };
    let by_id = |collection: &&&CollectionStatement| collection.collection.to_string().starts_with(name_or_id);
    let one = || match all.iter().filter(by_id).collect::<Vec<_>>().as_slice() {
        [one] if name_or_id.len() >= 4 => Some(**one),
        _ => None,
    };
    called().or_else(one).ok_or_else(|| {
        let mut names: Vec<&str> = all.iter().map(|collection| collection.label()).collect();
        names.sort_unstable();
        let of = identity.name();
        NodeError::NotFound(format!(
            "no collection {name_or_id:?} of {of} can be read here; there are: {}",
            names.join(", ")
        ))
    })
}

fn keep(shared: &Shared, feed: FeedId, how: How) -> Result<(), NodeError> {
    let mut batch = Batch::new(Origin::Own);
    let key = Key::Custom { table: FOLLOWING.into(), key: rows::encode(&feed) };
    match how {
        How::Replicate => batch.delete(key),
        How::Live | How::Ignore => batch.put(key, rows::encode(&how)),
    };
    shared.store.commit(batch)?;
    match how {
        How::Replicate => write(&shared.following.chosen).remove(&feed),
        How::Live | How::Ignore => write(&shared.following.chosen).insert(feed, how),
    };
    Ok(())
}

/// Deletes what is still here of feeds that are not replicated, at the start also what lay here for a while. Interrupted, it goes on
/// at the next start.
pub(crate) fn tidy(shared: &Shared) {
    for feed in shared.following.unfollowed() {
        if let Err(error) = delete(shared, &feed) {
            tracing::warn!(%error, "the copy of a collection that is not kept any more stays until the next start");
        }
    }
}

fn delete(shared: &Shared, feed: &FeedId) -> Result<(), NodeError> {
    let _alone = lock(&shared.following.alone);
    let organisation = feed.organisation;
    while look(shared, move |engine| engine.is_busy_with(&organisation))? {
        if shared.stopping.load(Ordering::Relaxed) {
            return Ok(());
        }
        std::thread::sleep(BUSY);
    }
    // Somebody may have chosen otherwise meanwhile.
    if shared.following.how(feed) == How::Replicate {
        return Ok(());
    }
    erasing::erase_feed(shared, feed)
}

/// Does something with the rows of a feed that is asked live; `None` if it is not asked any more. Nobody else deletes or keeps it
/// meanwhile.
pub(crate) fn while_live<T>(
    shared: &Shared,
    feed: &FeedId,
    work: impl FnOnce() -> Result<T, NodeError>,
) -> Result<Option<T>, NodeError> {
    let _alone = lock(&shared.following.alone);
    if shared.following.how(feed) == How::Live { work().map(Some) } else { Ok(None) }
}

/// The collection ids of feeds, for a question.
pub(crate) fn collections_of(feeds: &[FeedId], organisation: &OrgId) -> Vec<CollectionId> {
    feeds.iter().filter(|feed| feed.organisation == *organisation).map(|feed| feed.collection).collect()
}
