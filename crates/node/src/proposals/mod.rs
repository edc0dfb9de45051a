//! Proposals: what a partner's entry should say. The proposal lies in the collection that only the owner of the entry reads,
//! the owner's decision in the one that only they read. The owner takes or declines each field, against the entry as it
//! stands then. All of this blocks.

use std::collections::BTreeMap;
use std::sync::Arc;

use ortsnetz_model::{Entry, EntryId, OrgId};
use ortsnetz_service::difference::{CHANGES_MAX, difference};
use ortsnetz_service::feedback::{TextError, text};
use serde_json::{Value, json};

use crate::catalog;
use crate::clock;
use crate::contacts;
use crate::dto::{NewProposal, ProposalInfo, ProposalsRequest};
use crate::editing;
use crate::error::NodeError;
use crate::letters::{self, Content, LETTER_BYTES_MAX, Letter};
use crate::partners;
use crate::shared::Shared;
use crate::short;

mod content;
mod deciding;
mod showing;

pub(crate) use content::{Decision, Suggestion};
pub(crate) use deciding::{decide, take_what_fits};
use showing::info;

/// Most open proposals of one organisation to another: more than that nobody works off.
pub(crate) const OPEN_MAX: usize = 500;
/// Fields of an entry that are its owner's alone.
const KEPT: [&str; 6] = ["id", "kind", "identifier", "review", "extensions", "companions"];
/// And the one companion document that partners read.
const SHARED_COMPANION: &str = "companions.partners.";

/// A proposal with what its owner decided, as both organisations know them.
pub(crate) struct Known {
    /// The proposal.
    pub letter: Arc<Letter>,
    /// The same, read.
    pub suggestion: Suggestion,
    /// What its owner says to it.
    pub decision: Option<(Arc<Letter>, Decision)>,
}

impl Known {
    /// How it stands.
    pub fn state(&self) -> &'static str {
        match &self.decision {
            Some((_, decision)) if decision.accepted + decision.declined >= self.suggestion.fields => {
                match (decision.accepted, decision.declined) {
                    (_, 0) => "accepted",
                    (0, _) => "declined",
                    _ => "partly",
                }
            }
            _ => "open",
        }
    }

    /// Whether we are asked to decide it.
    pub fn is_ours_to_decide(&self, shared: &Shared) -> bool {
        self.letter.to == shared.own.organisation && self.state() == "open"
    }
}

/// Whether a proposal may name this path.
fn may_change(path: &str) -> bool {
    let first = path.split('.').next().unwrap_or_default();
    !first.is_empty() && (!KEPT.contains(&first) || path.starts_with(SHARED_COMPANION))
}

/// All proposals with what was decided, the oldest first.
pub(crate) fn all(shared: &Shared) -> Result<Vec<Known>, NodeError> {
    let letters = letters::all(shared)?;
    let mut decisions: BTreeMap<(OrgId, OrgId, &str), (&Arc<Letter>, &Decision)> = BTreeMap::new();
    for letter in &letters {
        if let Content::Decision(decision) = &letter.content {
            decisions.insert((letter.by, letter.to, decision.id.as_str()), (letter, decision));
        }
    }
    let mut known: Vec<Known> = letters
        .iter()
        .filter_map(|letter| {
            let Content::Suggestion(suggestion) = &letter.content else { return None };
            let decision = decisions.get(&(letter.to, letter.by, suggestion.id.as_str()));
            let decision = decision.map(|(letter, decision)| ((*letter).clone(), (*decision).clone()));
            Some(Known { letter: letter.clone(), suggestion: suggestion.clone(), decision })
        })
        .collect();
    known.sort_by(|a, b| (a.suggestion.at, &a.suggestion.id).cmp(&(b.suggestion.at, &b.suggestion.id)));
    Ok(known)
}

/// `proposals make`
pub(crate) fn propose(shared: &Shared, new: &NewProposal) -> Result<ProposalInfo, NodeError> {
    editing::require_editor(shared)?;
    let comment = match text(&new.comment) {
        Ok(comment) => Some(comment),
        Err(TextError::Missing) => None,
        Err(error) => return Err(NodeError::Invalid(format!("comment: {error}"))),
    };
    let about = short::entry_id(shared, &new.entry)?;
    let held = catalog::find(shared, &about)?.ok_or_else(|| editing::not_found(&about))?;
    let (own, owner) = (shared.own.organisation, held.feed.organisation);
    if owner == own {
        return Err(NodeError::Invalid(format!("entry {about} is your own; change it with `ortsnetz edit {about}`")));
    }
    let name = shared.organisation_name(&owner);
    if !partners::confirmed(shared).contains(&owner) {
        return Err(NodeError::Conflict(format!(
            "entry {about} belongs to {name}, which is no confirmed partner; nothing can be proposed to it"
        )));
    }
    let open = |known: &&Known| known.letter.by == own && known.letter.to == owner && known.state() == "open";
    if all(shared)?.iter().filter(open).count() >= OPEN_MAX {
        return Err(NodeError::Conflict(format!(
            "{OPEN_MAX} proposals to {name} wait for a decision already; ring them up"
        )));
    }
    let before = held
        .entry(&about, true)?
        .ok_or_else(|| NodeError::NotFound(format!("entry {about} was withdrawn by its owner")))?;
    let mut after = before.clone();
    for (path, value) in &new.values {
        after.set_path(path, value)?;
    }
    if let Some(patch) = &new.patch {
        after = after.apply_patch(patch)?;
    }
    let changes = changes(&before, &after)?;
    let id = data_encoding::HEXLOWER.encode(&clock::random::<16>());
    let heads: Vec<String> = held.record.record().heads().unwrap_or_default().iter().map(ToString::to_string).collect();
    let mut map = json!({
        "kind": "proposal",
        "identifier": identifier(&id),
        "proposal": id,
        "partner": owner.to_string(),
        "about": about.to_string(),
        "heads": heads,
        "suggested": {"fields": changes},
        "at": clock::rfc3339(clock::now()),
    });
    if let Some(comment) = comment {
        map["comment"] = comment.into();
    }
    let bytes = serde_json::to_vec(&map).map_or(usize::MAX, |json| json.len());
    if bytes > LETTER_BYTES_MAX - 1024 {
        return Err(NodeError::TooLarge(format!(
            "the proposal has {bytes} bytes, more than {} are possible; make several of it",
            LETTER_BYTES_MAX - 1024
        )));
    }
    let collection = letters::collection(&own, &owner);
    let written = editing::create_from(shared, Entry::from_json(map)?, &collection)?;
    letters::publish(shared, &written.id.parse()?)?;
    show(shared, &id)
}

/// What is suggested, field by field.
fn changes(before: &Entry, after: &Entry) -> Result<Vec<ortsnetz_service::difference::Change>, NodeError> {
    let changes = difference(before.as_map(), after.as_map(), &[]);
    if let Some(kept) = changes.iter().find(|change| !may_change(&change.path)) {
        return Err(NodeError::Invalid(format!("{}: is its owner's alone and cannot be proposed", kept.path)));
    }
    match changes.len() {
        0 => Err(NodeError::Invalid("values: nothing would change; the entry says so already".into())),
        many if many > CHANGES_MAX => {
            Err(NodeError::TooLarge(format!("the proposal has {many} fields, at most {CHANGES_MAX} are possible")))
        }
        _ => Ok(changes),
    }
}

/// `proposals list`
pub(crate) fn list(shared: &Shared, request: &ProposalsRequest) -> Result<Vec<ProposalInfo>, NodeError> {
    let own = shared.own.organisation;
    let entry = request.entry.as_deref().map(|entry| short::entry_id(shared, entry)).transpose()?;
    let partner = request.partner.as_deref().map(|name| partners::find_organisation(shared, name)).transpose()?;
    let wanted = |known: &&Known| {
        let other = if known.letter.by == own { known.letter.to } else { known.letter.by };
        (request.all || known.state() == "open")
            && entry.is_none_or(|entry| known.suggestion.about == entry)
            && partner.is_none_or(|partner| other == partner)
    };
    all(shared)?.iter().rev().filter(wanted).map(|known| info(shared, known)).collect()
}

/// `proposals show`
pub(crate) fn show(shared: &Shared, id: &str) -> Result<ProposalInfo, NodeError> {
    let known = find(shared, id)?;
    let mut shown = info(shared, &known)?;
    shown.heard = contacts::heard(shared, &known.suggestion.about, &known.suggestion.heads)?;
    Ok(shown)
}

/// `proposals withdraw`: we suggested it, and think better of it.
pub(crate) fn withdraw(shared: &Shared, id: &str) -> Result<(), NodeError> {
    let known = find(shared, id)?;
    if known.letter.by != shared.own.organisation {
        return Err(NodeError::Forbidden(format!(
            "proposal {} is of {}; decline it with `ortsnetz proposals decline {}`",
            known.suggestion.id,
            shared.organisation_name(&known.letter.by),
            crate::feedback::short_id(&known.suggestion.id)
        )));
    }
    let done = editing::withdraw(shared, &known.letter.entry.to_string())?;
    match done.refused.first() {
        Some(refusal) => Err(NodeError::Conflict(refusal.reason.clone())),
        None => Ok(()),
    }
}

fn identifier(value: &str) -> Value {
    json!({"agency": "ortsnetz", "scheme": "proposal", "value": value})
}

fn find(shared: &Shared, id: &str) -> Result<Known, NodeError> {
    letters::find(all(shared)?, id, |known| &known.suggestion.id, "proposal", "proposals")
}

/// The entry of a proposal as it is now: at its owner the draft, else as published. `None` if it is not there any more.
fn present(shared: &Shared, owner: &OrgId, about: &EntryId) -> Result<Option<Entry>, NodeError> {
    if *owner == shared.own.organisation {
        let working = crate::working::Working::load(&shared.store, *about)?;
        return Ok(working.map(|working| working.joined(owner)));
    }
    catalog::find_of(shared, owner, about)?.map_or(Ok(None), |held| held.entry(about, true))
}
