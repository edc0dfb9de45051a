//! Which versions contacts are made under, and what is billed by.

use jiff::civil::Date;
use ortsnetz_model::OrgId;
use ortsnetz_service::agreement::{State, Terms, states};
use ortsnetz_service::journal::Under;
use ortsnetz_service::settlement;

use super::ledger;
use crate::error::NodeError;
use crate::shared::Shared;

/// The agreement and version under which we answer for a town on a day; `None` if none is in force.
pub(crate) fn under(shared: &Shared, town: &OrgId, on: Date) -> Result<Option<(String, u32)>, NodeError> {
    let own = shared.own.organisation.to_string();
    for agreement in ledger::all(shared)?.iter().filter(|agreement| agreement.partner == *town) {
        let states = states(&agreement.states(), on);
        let counts = agreement
            .versions
            .iter()
            .zip(states)
            .find(|(known, state)| *state == State::InForce && known.terms.provider == own);
        if let Some((known, _)) = counts {
            return Ok(Some((agreement.id.clone(), known.number)));
        }
    }
    Ok(None)
}

/// The text of a version.
pub(crate) fn terms(shared: &Shared, under: Option<&Under>) -> Result<Option<Terms>, NodeError> {
    let Some(under) = under else { return Ok(None) };
    let all = ledger::all(shared)?;
    let agreement = all.iter().find(|agreement| agreement.id == under.agreement);
    let known = agreement.and_then(|agreement| agreement.versions.iter().find(|known| known.number == under.version));
    Ok(known.map(|known| known.terms.clone()))
}

/// All versions that both signed by which `provider` answers for `recipient`.
pub(crate) fn signed(
    shared: &Shared,
    provider: &OrgId,
    recipient: &OrgId,
) -> Result<Vec<settlement::Version>, NodeError> {
    let (provider, recipient) = (provider.to_string(), recipient.to_string());
    let mut versions = Vec::new();
    for agreement in ledger::all(shared)?.iter() {
        for (known, version) in agreement.versions.iter().zip(agreement.states()) {
            if !version.signed || known.terms.provider != provider || known.terms.recipient != recipient {
                continue;
            }
            versions.push(settlement::Version {
                under: Under { agreement: agreement.id.clone(), version: known.number },
                text_hash: ledger::hash(&agreement.id, known.number, &known.terms).to_string(),
                last_day: version.last_day(),
                terms: known.terms.clone(),
            });
        }
    }
    Ok(versions)
}
