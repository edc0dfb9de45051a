//! An own entry as people edit it: its working documents, joined, changed and turned into a state change.

use std::collections::BTreeMap;

use ortsnetz_model::{
    Actor, CollectionId, Document, DocumentId, Entry, EntryId, FeedId, Hash, Ids, Kind, OrgId, check, limits,
};
use ortsnetz_store::{Batch, Origin, Side, Store};
use ortsnetz_trust::record::{Body, SignedRecord};

use crate::documents;
use crate::error::NodeError;
use crate::letters;
use crate::plan::{Plan, PlannedDraft};
use crate::rows::{self, DocumentHeads, OwnEntry, ProjectionRow, Published, Request};

/// Names of collections that exist from the start.
pub(crate) const PUBLIC: &str = "public";
/// Readable by all confirmed partners.
pub(crate) const PARTNERS: &str = "partners";
/// Names of bilateral collections begin so, the partner's id follows.
pub(crate) const BILATERAL: &str = "with:";
/// Readable by own nodes only.
pub(crate) const INTERNAL: &str = "internal";

/// What a publisher is asked to publish: heads of each document; no heads at all ask for a withdrawal.
pub(crate) type Asked = Vec<(CollectionId, Vec<Hash>)>;

/// An own entry, loaded.
#[derive(Clone)]
pub(crate) struct Working {
    /// Which one.
    pub entry: EntryId,
    /// Its row.
    pub row: OwnEntry,
    /// Working documents by collection.
    pub documents: BTreeMap<CollectionId, Document>,
    /// What changed since it was loaded, by collection.
    changed: BTreeMap<CollectionId, Vec<Vec<u8>>>,
    /// The changes made since it was loaded.
    edits: Vec<DocumentHeads>,
    is_new: bool,
    /// A publication is planned and its projection not stored yet: whether there is a draft was decided with it.
    publishing: bool,
}

/// Who writes, and when.
pub(crate) struct Writer<'a> {
    /// Our organisation.
    pub organisation: OrgId,
    /// The draft feed of this node.
    pub drafts: FeedId,
    /// The actor of this process.
    pub actor: &'a Actor,
    /// Milliseconds since 1970.
    pub now: u64,
}

impl Working {
    /// A new entry with a home collection.
    pub fn create(entry: EntryId, home: CollectionId) -> Self {
        Self {
            entry,
            row: OwnEntry::new(home),
            documents: BTreeMap::new(),
            changed: BTreeMap::new(),
            edits: Vec::new(),
            is_new: true,
            publishing: false,
        }
    }

    /// Loads an own entry; `None` if there is no such entry of ours.
    pub fn load(store: &Store, entry: EntryId) -> Result<Option<Self>, NodeError> {
        let Some(row) = rows::own_entry(store, &entry)? else { return Ok(None) };
        let mut documents = BTreeMap::new();
        let mut changed = BTreeMap::new();
        for collection in row.collections() {
            let id = DocumentId { collection, entry, generation: row.generation };
            let mut document = documents::load(store, Side::Working, &id)?;
            if document.is_none()
                && let Some(published) = documents::load(store, Side::Published, &id)?
            {
                // Known only as published so far: the history people edit on begins with what was published.
                let chunks = published.changes_since(&[]).into_iter().map(|chunk| chunk.into_bytes()).collect();
                changed.insert(collection, chunks);
                document = Some(published);
            }
            if let Some(document) = document {
                documents.insert(collection, document);
            }
        }
        Ok(Some(Self { entry, row, documents, changed, edits: Vec::new(), is_new: false, publishing: false }))
    }

    /// The identity of its document in a collection.
    pub fn document_id(&self, collection: CollectionId) -> DocumentId {
        DocumentId { collection, entry: self.entry, generation: self.row.generation }
    }

    /// The entry as it stands in the working documents, companions joined.
    pub fn joined(&self, organisation: &OrgId) -> Entry {
        // Only earlier versions can be missing.
        self.joined_at(organisation, &BTreeMap::new()).unwrap_or_default()
    }

    /// The entry with the document that holds this version as it stood there, and the others as they are.
    pub fn at(&self, organisation: &OrgId, heads: &[Hash]) -> Result<Entry, NodeError> {
        let found = self.documents.iter().find(|(_, document)| document.contains(heads));
        let (collection, _) = found.ok_or_else(|| {
            NodeError::NotFound(format!(
                "the draft of entry {0} has no version with these heads; `ortsnetz history {0}` lists them",
                self.entry
            ))
        })?;
        self.joined_at(organisation, &BTreeMap::from([(*collection, heads.to_vec())]))
    }

    /// The entry without the last change made at this node, which may have written in several documents at once; if none is
    /// known, without the newest.
    pub fn before_last(&self, organisation: &OrgId) -> Result<Entry, NodeError> {
        let known = self.row.last_edit.clone().unwrap_or_default();
        let changes: Vec<(CollectionId, Hash)> = if known.is_empty() {
            let last = self.documents.iter().filter_map(|(collection, document)| {
                let change = document.last_change()?;
                Some((change.at, *collection == self.row.home, *collection, change.hash))
            });
            last.max().map(|(_, _, collection, hash)| (collection, hash)).into_iter().collect()
        } else {
            known.into_iter().flat_map(|edit| edit.heads.into_iter().map(move |hash| (edit.collection, hash))).collect()
        };
        let mut before = BTreeMap::new();
        for (collection, change) in changes {
            let document = self.documents.get(&collection);
            let version = document.and_then(|document| document.without(&change)).ok_or_else(|| {
                NodeError::Conflict(format!(
                    "entry {0} was changed elsewhere since; `ortsnetz history {0}` lists versions, `ortsnetz edit {0} --to HEADS` brings one back",
                    self.entry
                ))
            })?;
            before.insert(collection, version);
        }
        let first = before.get(&self.row.home).is_some_and(|heads| *heads == [Document::first_change()]);
        if before.is_empty() || first {
            return Err(self.nothing_to_undo());
        }
        self.joined_at(organisation, &before)
    }

    /// The entry with some of its documents at earlier versions, companions joined.
    fn joined_at(
        &self,
        organisation: &OrgId,
        versions: &BTreeMap<CollectionId, Vec<Hash>>,
    ) -> Result<Entry, NodeError> {
        self.joined_of(organisation, |collection| {
            let Some(document) = self.documents.get(collection) else { return Ok(None) };
            Ok(Some(match versions.get(collection) {
                Some(heads) => document.project_at(heads)?,
                None => document.project(),
            }))
        })
    }

    /// The entry made of what `project` gives for its home and its companions.
    pub fn joined_of(
        &self,
        organisation: &OrgId,
        project: impl Fn(&CollectionId) -> Result<Option<Entry>, NodeError>,
    ) -> Result<Entry, NodeError> {
        let mut entry = project(&self.row.home)?.unwrap_or_default();
        entry.set_id(&self.entry);
        for collection in &self.row.companions {
            if let Some(companion) = project(collection)? {
                entry.join_companion(&companion_name(organisation, collection), &companion);
            }
        }
        Ok(entry)
    }

    fn nothing_to_undo(&self) -> NodeError {
        NodeError::Conflict(format!("entry {} has no change that could be undone", self.entry))
    }

    /// Makes the working documents say what `target` says. Returns whether anything changed.
    ///
    /// # Errors
    /// A companion that is not narrower than the home, an entry over its limits: nothing has changed then.
    pub fn set(&mut self, writer: &Writer<'_>, target: &Entry, ids: &mut Ids<'_>) -> Result<bool, NodeError> {
        let size = serde_json::to_vec(target.as_map()).map_or(usize::MAX, |json| json.len());
        if size > limits::ENTRY_BYTES_MAX {
            return Err(NodeError::TooLarge(format!(
                "entry {}: {size} bytes, at most {} are possible; split the text or move parts into another entry",
                self.entry,
                limits::ENTRY_BYTES_MAX
            )));
        }
        let mut home = target.clone();
        let companions = home.split_companions();
        let mut targets = BTreeMap::from([(self.row.home, home)]);
        let public = CollectionId::named(&writer.organisation, PUBLIC);
        let mut misplaced = Vec::new();
        for (name, companion) in companions {
            let collection = CollectionId::named(&writer.organisation, &name);
            if !is_companion_name(&name) {
                return Err(NodeError::Invalid(format!(
                    "companions.{name}: an entry can have companions in `partners` and `internal`, beside its home"
                )));
            }
            // Else partners would learn of an entry that they may not read.
            let too_wide = name == PARTNERS && self.row.home != public;
            if (collection == self.row.home || too_wide) && !is_empty(&companion) {
                misplaced.push(format!("companions.{name}"));
            } else if collection != self.row.home {
                targets.insert(collection, companion);
            }
        }
        if !misplaced.is_empty() {
            return Err(NodeError::Invalid(format!(
                "{}: an entry outside `public` has no companion in `partners`, because every partner reads it, and one in `internal` has none in `internal`; write into the entry itself what should stay, and delete the rest with `ortsnetz edit {} {}=`",
                misplaced.join(", "),
                self.entry,
                misplaced.join("= ")
            )));
        }
        let kind = target.kind();
        for collection in self.row.companions.clone() {
            targets.entry(collection).or_insert_with(|| Entry::empty(&kind));
        }
        let mut changed = false;
        for (collection, target) in targets {
            let document = self.documents.entry(collection).or_insert_with(|| Document::new(writer.actor));
            document.set_actor(writer.actor);
            if let Some(chunk) = document.update(&target, writer.now, ids)? {
                changed = true;
                self.edits.extend(chunk.hash().map(|hash| DocumentHeads { collection, heads: vec![hash] }));
                self.changed.entry(collection).or_default().push(chunk.into_bytes());
            }
            if collection != self.row.home && !self.row.companions.contains(&collection) {
                self.row.companions.push(collection);
                self.row.companions.sort();
            }
        }
        Ok(changed)
    }

    /// Decides a conflict. `path` may begin with `companions.<name>.`.
    pub fn resolve(&mut self, writer: &Writer<'_>, path: &str, n: usize) -> Result<(), NodeError> {
        let (collection, inner) = match path.strip_prefix("companions.").and_then(|rest| rest.split_once('.')) {
            Some((name, inner)) => (CollectionId::named(&writer.organisation, name), inner),
            None => (self.row.home, path),
        };
        let Some(document) = self.documents.get_mut(&collection) else {
            return Err(NodeError::NotFound(format!("{path}: entry {} has no such document", self.entry)));
        };
        document.set_actor(writer.actor);
        let chunk = document.resolve(inner, n, writer.now)?;
        self.edits.extend(chunk.hash().map(|hash| DocumentHeads { collection, heads: vec![hash] }));
        self.changed.entry(collection).or_default().push(chunk.into_bytes());
        Ok(())
    }

    /// Conflicts of all working documents, with paths as `resolve` takes them.
    pub fn conflicts(&self, organisation: &OrgId) -> Vec<ortsnetz_model::Conflict> {
        let mut all = Vec::new();
        for (collection, document) in &self.documents {
            let mut conflicts = document.conflicts();
            if *collection != self.row.home {
                let name = companion_name(organisation, collection);
                for conflict in &mut conflicts {
                    conflict.path = format!("companions.{name}.{}", conflict.path);
                }
            }
            all.extend(conflicts);
        }
        all
    }

    /// Heads of the working documents, sorted: home first, then companions.
    pub fn heads(&self) -> Vec<(CollectionId, Vec<Hash>)> {
        self.row
            .collections()
            .filter_map(|collection| Some((collection, self.documents.get(&collection)?.heads())))
            .collect()
    }

    /// Heads as one list, for `If-Match` and display.
    pub fn all_heads(&self) -> Vec<Hash> {
        self.heads().into_iter().flat_map(|(_, heads)| heads).collect()
    }

    /// Notes what the planned publication makes of the row.
    pub fn publishes(&mut self, at_publish: Vec<DocumentHeads>, draft: bool) {
        self.publishing = true;
        self.row.published = Published::Live;
        self.row.at_publish = at_publish;
        self.row.request = Request::None;
        self.row.draft = draft;
    }

    /// What was changed and must be written.
    pub fn is_changed(&self) -> bool {
        self.is_new || !self.changed.is_empty()
    }

    /// Recomputes whether the working documents are ahead of the published ones.
    pub fn refresh(&mut self, store: &Store, organisation: &OrgId) -> Result<(), NodeError> {
        self.row.conflicts = !self.conflicts(organisation).is_empty();
        if self.publishing {
            return Ok(());
        }
        // Of an entry that was redacted nothing may be left; else what nobody published is a draft.
        let erased = self.row.generation > 0 && self.documents.values().all(|document| is_empty(&document.project()));
        self.row.draft = self.row.published != Published::Live && !erased;
        for (collection, document) in &self.documents {
            if self.row.draft {
                break;
            }
            let working = document.project();
            let published = rows::projection(store, Side::Published, collection, &self.entry)?;
            self.row.draft = match published {
                Some(row) => row.json != json(&working),
                None => !is_empty(&working),
            };
        }
        Ok(())
    }

    /// Rows and draft record that make the change durable. `publish` is what a publisher is asked to publish. What it was
    /// asked before and has not answered stays asked: a draft feed holds only the newest record of an entry.
    pub fn plan(&mut self, writer: &Writer<'_>, store: &Store, publish: Option<Asked>) -> Result<Plan, NodeError> {
        self.refresh(store, &writer.organisation)?;
        let publish = match publish {
            None if self.row.request == Request::Waiting => self.asked(writer, store)?,
            asked => asked,
        };
        if !self.edits.is_empty() {
            self.row.last_edit = Some(std::mem::take(&mut self.edits));
        }
        let mut batch = Batch::new(Origin::Own);
        let mut chunks = Vec::new();
        for (collection, new) in std::mem::take(&mut self.changed) {
            chunks.extend(new.iter().cloned());
            batch.append_chunks(Side::Working, self.document_id(collection), new);
        }
        for (collection, document) in &self.documents {
            let projection = document.project();
            put_projection(&mut batch, Side::Working, *collection, self.entry, &projection, writer.now);
            let feed = FeedId { organisation: writer.organisation, collection: *collection };
            letters::put(&mut batch, &feed, &self.entry, &json(&projection));
        }
        rows::put_own_entry(&mut batch, &self.entry, &self.row);
        self.is_new = false;
        let based_on = self.based_on(store, &writer.organisation)?;
        let mut plan = Plan::new(batch);
        plan.draft(
            writer.drafts,
            PlannedDraft {
                entry: self.entry,
                generation: self.row.generation,
                documents: self.heads(),
                based_on,
                publish,
                chunks,
            },
        );
        Ok(plan)
    }

    /// What is known here of the published home: its heads, or the hash of the record that withdrew it. A request to
    /// publish that was written without knowing of a withdrawal shows by it.
    pub fn based_on(&self, store: &Store, organisation: &OrgId) -> Result<Vec<Hash>, NodeError> {
        let home = FeedId { organisation: *organisation, collection: self.row.home };
        Ok(match self.row.published {
            Published::Never => Vec::new(),
            Published::Live => documents::load(store, Side::Published, &self.document_id(self.row.home))?
                .map(|document| document.heads())
                .unwrap_or_default(),
            Published::Withdrawn => {
                store.record(&home, &self.entry)?.map(|row| Hash::of(&row.bytes)).into_iter().collect()
            }
        })
    }

    /// What this node's last draft record of the entry asks of the publisher.
    fn asked(&self, writer: &Writer<'_>, store: &Store) -> Result<Option<Asked>, NodeError> {
        let Some(row) = store.record(&writer.drafts, &self.entry)? else { return Ok(None) };
        let Ok(record) = SignedRecord::from_bytes(&row.bytes) else { return Ok(None) };
        match &record.record().body {
            Body::Draft(draft) if row.generation == self.row.generation => {
                let asked = draft.publish.as_ref();
                Ok(asked.map(|all| all.iter().map(|request| (request.collection, request.heads.clone())).collect()))
            }
            _ => Ok(None),
        }
    }

    /// Doubts about the entry as it stands.
    pub fn findings(&self, organisation: &OrgId) -> Vec<ortsnetz_model::Finding> {
        check(&self.joined(organisation))
    }
}

/// Whether an entry may have a companion in the collection of this name.
pub(crate) fn is_companion_name(name: &str) -> bool {
    name == PARTNERS || name == INTERNAL
}

/// Name of a companion's collection.
pub(crate) fn companion_name(organisation: &OrgId, collection: &CollectionId) -> String {
    [PARTNERS, INTERNAL]
        .into_iter()
        .find(|name| CollectionId::named(organisation, name) == *collection)
        .map_or_else(|| collection.to_string(), str::to_owned)
}

/// Whether a document says nothing beside its kind.
pub(crate) fn is_empty(entry: &Entry) -> bool {
    entry.as_map().keys().all(|name| name == "id" || name == "kind")
}

/// An entry as JSON bytes, canonical.
pub(crate) fn json(entry: &Entry) -> Vec<u8> {
    // A map of JSON values can always be written.
    serde_json::to_vec(entry.as_map()).unwrap_or_default()
}

/// Writes a projection made here.
pub(crate) fn put_projection(
    batch: &mut Batch,
    side: Side,
    collection: CollectionId,
    entry: EntryId,
    value: &Entry,
    now: u64,
) {
    let row = ProjectionRow { at: now, from: None, json: json(value) };
    batch.put_projection(side, collection, entry, rows::encode(&row));
}

/// All kinds an entry can have, for people.
pub fn kinds() -> String {
    Kind::ALL.iter().map(|kind| kind.as_str().to_owned()).collect::<Vec<_>>().join(", ")
}

/// The kind, or why there is none.
pub(crate) fn known_kind(name: &str) -> Result<Kind, NodeError> {
    match Kind::from(name) {
        Kind::Unknown(_) => Err(NodeError::Invalid(format!("{name:?} is no kind of entry; kinds are: {}", kinds()))),
        kind => Ok(kind),
    }
}
