//! Writing JSON Lines.

use std::io::{self, Write};

use ortsnetz_model::{Entry, EntryId, Identifier, OrgId};
use serde_json::{Map, Value};

use crate::identifier;

/// The order of an export: by identifier, then by id. Entries without identifier stand where their stand-in would.
pub fn sort_key(organisation: &OrgId, entry: &Entry) -> (Identifier, EntryId) {
    let id = entry.id().unwrap_or(EntryId([0; 16]));
    (entry.identifier().unwrap_or_else(|| identifier::stand_in(organisation, &id)), id)
}

/// Every reference of an entry and its companions.
fn references(entry: &Entry) -> Vec<(String, EntryId)> {
    let mut found = entry.references();
    for (name, companion) in entry.clone().split_companions() {
        let of_companion = companion.references().into_iter();
        found.extend(of_companion.map(|(path, id)| (format!("companions.{name}.{path}"), id)));
    }
    found
}

/// Writes entries of one organisation as JSON Lines.
///
/// Beside its own fields each line has `collection`, always an `identifier`, and `references`: for each path at which an
/// entry id stands, the identifier of that entry, `{"offices.0": {"agency", "scheme", "value"}}`. Ids mean something
/// only in the organisation that writes; by the identifiers another one finds the same entries under its own ids.
pub struct JsonLinesWriter<W> {
    out: W,
    organisation: OrgId,
}

impl<W: Write> JsonLinesWriter<W> {
    /// For entries of this organisation.
    pub fn new(out: W, organisation: OrgId) -> Self {
        Self { out, organisation }
    }

    /// Writes one entry, which has its `id` and the `companions` that may leave. Call it in the order of [`sort_key`].
    /// `identifier_of` tells the identifier of another entry of this organisation (its stand-in if it has none), `None`
    /// if the entry is not ours: such a reference stays an id.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(
        &mut self,
        entry: &Entry,
        collection: &str,
        mut identifier_of: impl FnMut(&EntryId) -> Option<Identifier>,
    ) -> io::Result<()> {
        let (identifier, _) = sort_key(&self.organisation, entry);
        let mut line = Map::new();
        for (name, value) in entry.as_map() {
            if name != "identifier" {
                line.insert(name.clone(), value.clone());
            }
            if name == "kind" {
                line.insert("identifier".into(), identifier::to_json(&identifier));
            }
        }
        line.insert("collection".into(), collection.into());
        let references: Map<String, Value> = references(entry)
            .into_iter()
            .filter_map(|(path, id)| Some((path, identifier::to_json(&identifier_of(&id)?))))
            .collect();
        if !references.is_empty() {
            line.insert("references".into(), Value::Object(references));
        }
        serde_json::to_writer(&mut self.out, &line)?;
        self.out.write_all(b"\n")
    }

    /// Everything written, and the writer back.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}
