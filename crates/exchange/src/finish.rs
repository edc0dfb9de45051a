//! The last steps every format shares: id, references, place, canonical form, checks.

use ortsnetz_model::{Entry, EntryId, Finding, Hash, Identifier, Kind, Severity, check};
use serde_json::{Map, Value};

use crate::identifier;
use crate::import::{COLLECTION_DEFAULT, Imported, Options};
use crate::mention::Mention;

/// What a format read out of one record.
pub(crate) struct Draft {
    /// The entry, not in canonical form yet; with `identifier` if it has one.
    pub(crate) fields: Map<String, Value>,
    /// What the line or the format says.
    pub(crate) collection: Option<String>,
    /// References by path, which take precedence over the ids that stand there.
    pub(crate) references: Vec<(String, Identifier)>,
    /// What the entry says about others.
    pub(crate) mentions: Vec<Named>,
    pub(crate) line: u64,
    pub(crate) findings: Vec<Finding>,
}

/// A part of an entry that names another one; see [`Mention`].
pub(crate) struct Named {
    pub(crate) path: &'static str,
    /// `None` for the id of the other one.
    pub(crate) key: Option<String>,
    pub(crate) target: Identifier,
}

/// A finding that does not keep the entry from being published.
pub(crate) fn warning(path: impl Into<String>, message: impl Into<String>) -> Finding {
    Finding { path: path.into(), severity: Severity::Warning, message: message.into() }
}

/// Makes an entry of a draft.
///
/// # Errors
/// One line that says why the record is no entry.
pub(crate) fn finish(draft: Draft, options: &Options) -> Result<Imported, String> {
    let Draft { mut fields, collection, references, mentions, line, mut findings } = draft;
    let kind = Kind::from(fields.get("kind").and_then(Value::as_str).unwrap_or_default());
    match &kind {
        Kind::Unknown(name) if name.is_empty() => return Err("kind: missing".into()),
        Kind::Unknown(name) => return Err(format!("kind: {:?} is not one we know", short(name))),
        _ => {}
    }
    let mut identifier = match fields.shift_remove("identifier") {
        Some(value) => identifier::from_json(&value).map_err(|message| format!("identifier: {message}"))?,
        None => None,
    };
    let given = match fields.shift_remove("id") {
        None | Some(Value::Null) => None,
        // An id from elsewhere does not count beside an identifier, so it may look as it likes.
        Some(_) if identifier.is_some() => None,
        Some(id) => Some(id.as_str().unwrap_or_default().parse::<EntryId>().map_err(|error| format!("id: {error}"))?),
    };
    let id = identifier.as_ref().map(|identifier| options.resolver.id(identifier)).or(given);
    if let Some(found) = &identifier {
        if id.is_some_and(|id| *found == identifier::stand_in(options.resolver.organisation(), &id)) {
            identifier = None;
        } else {
            fields.insert("identifier".into(), identifier::to_json(found));
        }
    }
    for (path, target) in references {
        let id = Value::String(options.resolver.id(&target).to_string());
        if !put(&mut fields, &path, id) {
            findings.push(warning(format!("references.{path}"), "there is no such place in the entry"));
        }
    }
    place(&mut fields, &kind, options);
    let mut entry = Entry::from_json(Value::Object(fields)).map_err(|error| error.to_string())?;
    let id = id.unwrap_or_else(|| {
        findings.push(warning("identifier", "missing: when this record changes it will be read as another entry"));
        let content = Hash::of(entry.to_json().to_string().as_bytes()).to_string();
        EntryId::imported(options.resolver.organisation(), "", "content", &content)
    });
    entry.set_id(&id);
    for finding in check(&entry) {
        match finding.severity {
            Severity::Error => return Err(format!("{}: {}", finding.path, finding.message)),
            Severity::Warning => findings.push(finding),
        }
    }
    let collection = options.collection.clone().or(collection).unwrap_or_else(|| COLLECTION_DEFAULT.into());
    let mention = |Named { path, key, target }| {
        let target = options.resolver.id(&target);
        Mention { path: path.into(), key: key.unwrap_or_else(|| target.to_string()), target }
    };
    let mentions = mentions.into_iter().map(mention).collect();
    Ok(Imported { id, entry, collection, identifier, mentions, line, findings })
}

/// The text, cut to what fits a message.
pub(crate) fn short(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    if text.chars().count() <= CHARS_MAX { text.into() } else { text.chars().take(CHARS_MAX).chain(['…']).collect() }
}

/// Entries without a place of their own get the one of the options.
fn place(fields: &mut Map<String, Value>, kind: &Kind, options: &Options) {
    let (Some(ars), Some(field)) = (&options.valid_for, place_field(kind)) else { return };
    let empty = match fields.get(field) {
        None | Some(Value::Null) => true,
        Some(Value::Array(places)) => places.is_empty(),
        Some(_) => false,
    };
    if empty {
        fields.insert(field.into(), Value::Array(vec![ars.to_string().into()]));
    }
}

fn place_field(kind: &Kind) -> Option<&'static str> {
    match kind {
        Kind::Service | Kind::Office => Some("valid_for"),
        Kind::Responsibility | Kind::Notice => Some("area"),
        _ => None,
    }
}

/// Puts a value where `offices.0` or `steps.2.service` says. A list may grow by one element; nothing else is created.
fn put(fields: &mut Map<String, Value>, path: &str, id: Value) -> bool {
    if let Some((name, inner)) = path.strip_prefix("companions.").and_then(|rest| rest.split_once('.')) {
        let companion = fields.get_mut("companions").and_then(|companions| companions.get_mut(name));
        return companion.and_then(Value::as_object_mut).is_some_and(|companion| put(companion, inner, id));
    }
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let Some(rest) = rest else {
        fields.insert(head.into(), id);
        return true;
    };
    let (index, below) = rest.split_once('.').map_or((rest, None), |(index, below)| (index, Some(below)));
    let Ok(index) = index.parse::<usize>() else { return false };
    let Value::Array(list) = fields.entry(head).or_insert_with(|| Value::Array(Vec::new())) else { return false };
    let next = index == list.len();
    match (list.get_mut(index), below) {
        (Some(place), None) => *place = id,
        (Some(Value::Object(element)), Some(below)) if !below.contains('.') => {
            element.insert(below.into(), id);
        }
        (None, None) if next => list.push(id),
        _ => return false,
    }
    true
}
