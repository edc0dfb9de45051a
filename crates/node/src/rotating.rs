//! `identity rotate`: the root key changes hands. Blocks.

use std::fs;
use std::sync::Arc;

use ortsnetz_model::OrgId;
use ortsnetz_store::{Batch, Key, Origin};
use ortsnetz_trust::identity::Slot;
use ortsnetz_trust::sheet::Sheet;
use ortsnetz_trust::{Identity, RootKey, words};

use crate::clock;
use crate::driver::Input;
use crate::dto::{Recovery, Rotated};
use crate::error::NodeError;
use crate::identities;
use crate::nodes;
use crate::shared::{Shared, lock, write};
use crate::sheets;
use crate::start::{self, RECOVERY_CHECKED, ROOT_KEY, SHEET_FILE};

/// Makes a new root key and a new recovery sheet for it. The old key signs that the new one counts, and the new one signs
/// again what the old one had signed; both in one batch. Partners follow by themselves.
pub(crate) fn rotate(shared: &Shared) -> Result<Rotated, NodeError> {
    let old = nodes::root(shared, "hands itself over to a new key")?;
    if lock(&shared.homecoming).is_some() {
        return Err(NodeError::Conflict(
            "this node was restored and has not heard from a partner yet what it lacks; perhaps the root key was replaced meanwhile. Wait until `ortsnetz status` says so no more".into(),
        ));
    }
    let _one = lock(&shared.identity_changes);
    let mut identity = Identity::clone(&shared.identity());
    let new = RootKey::from_secret(&clock::random());
    let statements =
        identity.rotate(&old, &new, clock::now()).map_err(|error| NodeError::Invalid(error.to_string()))?;
    let (_, refused) = identity.take_in_all(statements);
    if let Some((statement, error)) = refused.first() {
        let kind = statement.statement().kind_name();
        return Err(NodeError::Conflict(format!("the root key stays: the new {kind} would not count ({error})")));
    }
    let genesis =
        identity.statement(&Slot::Genesis).cloned().ok_or_else(|| NodeError::Unavailable("no genesis".into()))?;
    let partners = sheets::contacts(shared);
    let sheet = Sheet { root: new.clone(), genesis, partners: partners.clone(), at: clock::now() };
    let passphrase = words::passphrase(&clock::random());
    let text = sheet
        .to_text(&passphrase, start::sheet_work_factor())
        .map_err(|error| NodeError::Unavailable(error.to_string()))?;
    // The new sheet is on disk before the old one opens nothing any more.
    let (file, fresh) = (shared.data_dir.join(SHEET_FILE), shared.data_dir.join(format!("{SHEET_FILE}.new")));
    start::write_private(&fresh, text.as_bytes())?;
    let mut batch = Batch::new(Origin::Own);
    batch.put(Key::Meta(ROOT_KEY.into()), new.secret().to_vec());
    sheets::keep_block(&mut batch, &text)?;
    sheets::keep_named(&mut batch, &partners);
    batch.delete(Key::Meta(RECOVERY_CHECKED.into()));
    identities::put_chain(&shared.store, &mut batch, &identity, true)?;
    if let Err(error) = shared.store.commit(batch) {
        let _ = fs::remove_file(&fresh);
        return Err(error.into());
    }
    fs::rename(&fresh, &file)
        .map_err(|error| NodeError::Unavailable(format!("cannot write {}: {error}", file.display())))?;
    let (id, number): (OrgId, usize) = (identity.id(), identity.rotations());
    write(&shared.identities).insert(id, Arc::new(identity));
    *write(&shared.own.root) = Some(new);
    let _ = shared.driver.send(Input::Organisation(id));
    nodes::conclude(shared);
    tracing::info!(number, "the root key was replaced");
    Ok(Rotated { number, recovery: Recovery { file: file.display().to_string(), passphrase } })
}
