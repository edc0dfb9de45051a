//! What a node does by itself for its people: takes proposals that an agreement accepts, makes mails, and sends them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ortsnetz_model::dates;

use crate::agreements;
use crate::catalog;
use crate::clock;
use crate::error::NodeError;
use crate::letters;
use crate::mail;
use crate::noticing;
use crate::proposals;
use crate::shared::Shared;

/// Between two looks at what came.
const LOOK: Duration = Duration::from_millis(500);
/// And at what only time brings, in milliseconds.
const EVERY_MS: u64 = 20_000;
/// Proposals looked at between two pauses.
const AT_ONCE: usize = 50;

/// What was seen the last time.
#[derive(Default)]
struct Seen {
    /// The state of the letters.
    letters: u64,
    /// When, milliseconds since 1970.
    at: u64,
    /// Proposals no agreement accepts, on the day and with the agreements of then.
    looked: BTreeSet<String>,
    under: (Option<dates::Date>, u64),
}

/// Works until the node stops.
pub(crate) async fn work(shared: Arc<Shared>) {
    let mut seen = Seen::default();
    while !shared.is_stopping() {
        let working = shared.clone();
        let done = tokio::task::spawn_blocking(move || {
            let result = look(&working, &mut seen);
            (seen, result)
        });
        seen = match done.await {
            Ok((seen, Ok(()))) => seen,
            Ok((seen, Err(error))) => {
                if !shared.is_stopping() {
                    tracing::error!(%error, "mails and proposals could not be looked after");
                }
                seen
            }
            Err(error) => {
                tracing::error!(%error, "mails and proposals could not be looked after");
                Seen::default()
            }
        };
        tokio::time::sleep(LOOK).await;
    }
}

fn look(shared: &Shared, seen: &mut Seen) -> Result<(), NodeError> {
    let (now, letters) = (clock::now(), letters::changes(shared));
    // A clock that was set back is a reason to look, too.
    if letters != seen.letters || now.abs_diff(seen.at) >= EVERY_MS {
        accept(shared, seen)?;
        mail::collect(shared)?;
        // Only now: what failed is tried again.
        (seen.letters, seen.at) = (letters, now);
    }
    mail::deliver(shared)
}

/// The publisher takes what partners suggest on topics that an agreement names.
fn accept(shared: &Shared, seen: &mut Seen) -> Result<(), NodeError> {
    if !shared.is_publisher() {
        return Ok(());
    }
    let under = (Some(dates::today(clock::now())), agreements::changes(shared));
    if seen.under != under {
        (seen.under, seen.looked) = (under, BTreeSet::new());
    }
    let mut left = AT_ONCE;
    for known in proposals::all(shared)?.iter().filter(|known| known.is_ours_to_decide(shared)) {
        if left == 0 {
            break;
        }
        if known.decision.is_some() || !seen.looked.insert(known.suggestion.id.clone()) {
            continue;
        }
        left -= 1;
        let Some(held) = catalog::find_of(shared, &known.letter.to, &known.suggestion.about)? else { continue };
        let Some(entry) = held.entry(&known.suggestion.about, false)? else { continue };
        let about = noticing::about(&entry, "de");
        let Some(agreement) = agreements::accepting(shared, &known.letter.by, &about)? else { continue };
        match proposals::take_what_fits(shared, known, &agreement) {
            Ok(fields) => {
                tracing::info!(proposal = %known.suggestion.id, fields, %agreement, "a proposal was taken by agreement");
            }
            Err(error) => {
                tracing::warn!(%error, proposal = %known.suggestion.id, "a proposal could not be taken by agreement")
            }
        }
    }
    Ok(())
}
