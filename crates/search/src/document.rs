//! What goes into the index.

use ortsnetz_model::{Ars, CollectionId, Entry, EntryId, FeedId, OrgId};

/// One step of an update, in the order of the store.
#[derive(Debug, Clone)]
pub enum Change<'a> {
    /// The entry is there, or has changed.
    Upsert(Document<'a>),
    /// The entry left this collection.
    Delete(OrgId, CollectionId, EntryId),
    /// Nothing of this collection is held any more.
    DeleteFeed(FeedId),
    /// Nothing of this organisation is held any more.
    DeleteOrganisation(OrgId),
}

/// An entry as it is now: the projection with scheduled changes applied, and what others know about it.
#[derive(Debug, Clone)]
pub struct Document<'a> {
    /// Whose it is.
    pub organisation: OrgId,
    /// Its home collection.
    pub collection: CollectionId,
    /// Its id.
    pub id: EntryId,
    /// The projection of the home document, without companions.
    pub entry: &'a Entry,
    /// Texts of companion documents: found only by questions with `notes`.
    pub notes: Vec<&'a str>,
    /// Names of the offices it refers to.
    pub office_names: Vec<&'a str>,
    /// Where it is valid if it does not say so itself: the place of its organisation.
    pub default_area: Option<Ars>,
    /// When it was published, milliseconds since 1970.
    pub published_at: Option<u64>,
    /// When it arrived here, milliseconds since 1970; `None` for our own.
    pub received_at: Option<u64>,
}
