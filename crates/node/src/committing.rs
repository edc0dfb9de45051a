//! Signing and storing what this node writes itself.

use std::sync::Arc;

use ortsnetz_store::{Batch, Origin};
use ortsnetz_sync::{Event, Item, OpId};
use ortsnetz_trust::identity::FINAL_TERM;
use ortsnetz_trust::record::{Body, Record, SignedRecord, sign_batch};
use rayon::prelude::*;

use crate::boards::Brought;
use crate::catalog;
use crate::driver::Input;
use crate::marks::Written;
use crate::past;
use crate::plan::{Plan, PlannedItem};
use crate::rows;
use crate::shared::{Shared, lock};

/// Signs records, stores them with everything planned in one batch, and answers the engine. `origins` names the planned
/// item of each record. Blocks shortly.
pub(crate) fn commit(
    shared: &Arc<Shared>,
    op: OpId,
    batches: Vec<Vec<Record>>,
    origins: &[Option<(OpId, usize)>],
    plans: Vec<(OpId, Plan)>,
) {
    let driver = shared.driver.clone();
    let answer = move |items: Option<Vec<Item>>| {
        let _ = driver.send(Input::Answer(Event::Committed { op, items }));
    };
    let mut batch = Batch::new(Origin::Own);
    let mut planned: Vec<(OpId, Vec<PlannedItem>)> = Vec::new();
    for (publish, plan) in plans {
        batch.append(plan.batch);
        planned.push((publish, plan.items));
    }
    batch.origin(Origin::Own);
    let signed: Result<Vec<_>, String> = batches.into_par_iter().map(|records| sign(shared, records)).collect();
    let signed = match signed {
        Ok(signed) => signed,
        Err(error) => {
            tracing::error!(error, "records could not be signed");
            answer(None);
            return;
        }
    };
    let mut items = Vec::with_capacity(origins.len());
    for (signed, origin) in signed.into_iter().flatten().zip(origins) {
        let record = signed.record();
        let bytes = signed.to_bytes();
        match record.entry {
            Some(entry) => {
                let redacts = matches!(record.body, Body::Redaction { .. });
                if record.previous.is_some() && record.position.term > 0 && !redacts {
                    // Without it the past is less known, but nothing is lost.
                    let kept = past::keep_replaced(&shared.store, &mut batch, &record.feed, &entry);
                    kept.unwrap_or_else(|error| tracing::error!(%error, %entry, "a replaced record could not be kept"));
                }
                let document = record.heads().is_some();
                batch.put_record(record.feed, entry, record.position, record.generation, document, &bytes);
            }
            None => {
                batch.delete_range(ortsnetz_store::Range::Markers(record.feed));
                batch.put_marker(record.feed, record.position, &bytes);
            }
        }
        if record.totals.is_some() {
            batch.put_cursor(record.feed, &rows::encode(&record.position));
        }
        let chunks = origin
            .and_then(|(publish, index)| {
                let (_, items) = planned.iter_mut().find(|(of, _)| *of == publish)?;
                items.get_mut(index).map(|item| std::mem::take(&mut item.chunks))
            })
            .unwrap_or_default();
        items.push(Item { record: bytes.into(), chunks });
    }
    let telling = shared.clone();
    let (marks, written) = (shared.marks.clone(), Written::by(&batch));
    let (board, brought) = (shared.boards.clone(), Brought::by(&batch));
    shared.store.submit(batch, move |result| match result {
        Ok(_) => {
            marks.note(written);
            board.take(brought);
            answer(Some(items));
        }
        Err(error) => {
            tracing::error!(%error, "records could not be stored");
            *lock(&telling.not_stored) = error.to_string();
            answer(None);
        }
    });
}

/// Signs a batch with the key of this node; the final record of a lost node's drafts with the root key.
fn sign(shared: &Shared, mut records: Vec<Record>) -> Result<Vec<SignedRecord>, String> {
    let is_final = |record: &Record| record.position.term == FINAL_TERM && catalog::is_draft_feed(shared, &record.feed);
    if let [only] = records.as_slice()
        && is_final(only)
    {
        let root = shared.root().ok_or("the root key is not on this node")?;
        let signed = SignedRecord::sign_by_root(records.swap_remove(0), &root);
        return signed.map(|signed| vec![signed]).map_err(|error| error.to_string());
    }
    sign_batch(records, &shared.own.key).map_err(|error| error.to_string())
}
