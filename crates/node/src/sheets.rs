//! The recovery sheet while the node runs: printed again with the partners of today, and a reminder when it names too few.

use ortsnetz_model::NodeId;
use ortsnetz_store::{Batch, Key, Origin, Store};
use ortsnetz_trust::Signer as _;
use ortsnetz_trust::sheet::{self, PartnerContact, Sheet, SheetError};

use crate::clock;
use crate::dto::{SheetText, TaskInfo};
use crate::error::NodeError;
use crate::rows;
use crate::shared::{Shared, read};
use crate::start::RECOVERY_CHECKED;

/// Name of the row that holds the encrypted block of the sheet; the passphrase is kept nowhere.
const BLOCK: &str = "recovery_block";
/// Name of the row that holds the partners named on the sheet written last.
const NAMED: &str = "recovery_named";

/// Keeps the encrypted block of a sheet, so that it can be printed again.
pub(crate) fn keep_block(batch: &mut Batch, text: &str) -> Result<(), NodeError> {
    let block = sheet::block_of(text).map_err(unreadable)?;
    batch.origin(Origin::Own);
    batch.put(Key::Meta(BLOCK.into()), block.into_bytes());
    Ok(())
}

/// Keeps which partners the sheet written last names.
pub(crate) fn keep_named(batch: &mut Batch, contacts: &[PartnerContact]) {
    batch.put(Key::Meta(NAMED.into()), rows::encode(&contacts.to_vec()));
}

/// Whether the block is kept.
pub(crate) fn has_block(store: &Store) -> Result<bool, NodeError> {
    Ok(store.meta(BLOCK)?.is_some())
}

/// `identity sheet`: the sheet with the partners of today.
pub(crate) fn write(shared: &Shared) -> Result<SheetText, NodeError> {
    let Some(block) = shared.store.meta(BLOCK)? else {
        return Err(NodeError::NotFound(if shared.root().is_some() {
            "the encrypted part of the sheet is not kept on this node; read the sheet back once with `ortsnetz identity sheet --check FILE`, then it can be printed again".into()
        } else {
            "the root key is not on this node, nor is its sheet; run this where the organisation was founded".into()
        }));
    };
    let block = String::from_utf8_lossy(&block);
    let contacts = contacts(shared);
    let identity = shared.identity();
    let text = sheet::renew(&block, identity.name(), &identity.id(), &contacts).map_err(unreadable)?;
    let mut batch = Batch::new(Origin::Own);
    keep_named(&mut batch, &contacts);
    shared.store.commit(batch)?;
    Ok(SheetText { sheet: text, partners: contacts.into_iter().map(|contact| contact.name).collect() })
}

/// Proves that the recovery sheet and its passphrase open, and that it is ours.
pub(crate) fn check(shared: &Shared, text: &str, passphrase: &str) -> Result<(), NodeError> {
    let sheet = Sheet::from_text(text, passphrase).map_err(unreadable)?;
    if sheet.identity().map_err(unreadable)?.id() != shared.own.organisation {
        return Err(NodeError::Unreadable("this sheet belongs to another organisation".into()));
    }
    if sheet.root.public() != shared.identity().root() {
        return Err(NodeError::Unreadable(
            "the root key on this sheet was replaced by a newer one; destroy it, and keep the sheet that was made then"
                .into(),
        ));
    }
    let mut batch = Batch::new(Origin::Own);
    batch.put(Key::Meta(RECOVERY_CHECKED.into()), clock::now().to_be_bytes().to_vec());
    if shared.root().is_some() && !has_block(&shared.store)? {
        keep_block(&mut batch, text)?;
    }
    shared.store.commit(batch)?;
    Ok(())
}

/// The task shown while the sheet written last does not name every partner at an address of today.
pub(crate) fn task(shared: &Shared) -> Result<Option<TaskInfo>, NodeError> {
    if shared.root().is_none() {
        return Ok(None);
    }
    let named: Vec<PartnerContact> = match shared.store.meta(NAMED)? {
        Some(bytes) => rows::decode("the partners named on the sheet", &bytes)?,
        None => Vec::new(),
    };
    let missing: Vec<String> = contacts(shared)
        .into_iter()
        .filter(|contact| !named.iter().any(|named| still_leads_to(named, contact)))
        .map(|contact| contact.name)
        .collect();
    Ok((!missing.is_empty()).then(|| TaskInfo {
        kind: "recovery_sheet".into(),
        entry: None,
        message: format!(
            "the recovery sheet does not say where to reach {}; print it again with `ortsnetz identity sheet --out FILE` (the passphrase stays the same)",
            missing.join(", ")
        ),
        ..TaskInfo::default()
    }))
}

fn still_leads_to(named: &PartnerContact, contact: &PartnerContact) -> bool {
    let same_place =
        contact.addresses.is_empty() || named.addresses.iter().any(|address| contact.addresses.contains(address));
    named.organisation == contact.organisation && named.node == contact.node && same_place
}

/// Where each partner can be reached, as far as known, by name.
pub(crate) fn contacts(shared: &Shared) -> Vec<PartnerContact> {
    let mut contacts = Vec::new();
    for (id, row) in read(&shared.partners).iter().filter(|(_, row)| !row.ended) {
        let Some(identity) = shared.identity_of(id) else { continue };
        let publisher = identity.current_term().map(|(_, node)| node);
        let first = identity.nodes().map(|certificate| certificate.node).next();
        let Some(node) = publisher.or(first) else { continue };
        let mut addresses = identity.certificate(&node).map(|known| known.addresses.clone()).unwrap_or_default();
        for learned in row.addresses.iter().filter(|known| known.node == node).flat_map(|known| &known.addresses) {
            if !addresses.contains(learned) {
                addresses.push(learned.clone());
            }
        }
        contacts.push(contact(*id, identity.name(), node, addresses));
    }
    contacts.sort_by(|a, b| (&a.name, a.organisation).cmp(&(&b.name, b.organisation)));
    contacts.truncate(sheet::SHEET_PARTNERS_MAX);
    contacts
}

fn contact(
    organisation: ortsnetz_model::OrgId,
    name: &str,
    node: NodeId,
    mut addresses: Vec<String>,
) -> PartnerContact {
    addresses.truncate(ortsnetz_trust::limits::ADDRESSES_MAX);
    PartnerContact { organisation, name: name.to_owned(), node, addresses }
}

fn unreadable(error: SheetError) -> NodeError {
    NodeError::Unreadable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ortsnetz_model::OrgId;

    #[test]
    fn a_sheet_is_too_old_when_it_leads_nowhere() {
        let at = |node: u8, addresses: &[&str]| {
            let addresses = addresses.iter().map(|&address| address.to_owned()).collect();
            contact(OrgId([1; 32]), "Stadt Bonn", NodeId([node; 32]), addresses)
        };
        assert!(still_leads_to(
            &at(1, &["/ip4/192.0.2.1/tcp/4115"]),
            &at(1, &["/ip4/192.0.2.1/tcp/4115", "/ip6/::2/tcp/1"])
        ));
        assert!(!still_leads_to(&at(1, &["/ip4/192.0.2.1/tcp/4115"]), &at(1, &["/ip4/192.0.2.9/tcp/4115"])));
        assert!(!still_leads_to(&at(1, &["/ip4/192.0.2.1/tcp/4115"]), &at(2, &["/ip4/192.0.2.1/tcp/4115"])));
        assert!(still_leads_to(&at(1, &[]), &at(1, &[])), "it dials us");
    }
}
