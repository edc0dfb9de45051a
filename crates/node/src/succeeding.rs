//! Succession: an organisation follows another one whose root key is lost, or which was merged into it. It states that and
//! adopts the verified entries; at each partner it counts once a person there has compared the check words. From then on the
//! other one answers no more. All of it blocks.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write as _};
use std::sync::Arc;

use ortsnetz_model::{Ars, OrgId};
use ortsnetz_trust::identity::{Identity, succession_words};

use crate::clock;
use crate::driver::Input;
use crate::dto::{ExportRequest, ImportReport, ImportRequest, SuccessionInfo, TaskInfo};
use crate::error::NodeError;
use crate::exporting;
use crate::identities;
use crate::importing;
use crate::nodes;
use crate::partners;
use crate::shared::{Shared, lock, read};
use crate::vouching;

/// What is adopted passes through this file in the data directory.
const ADOPTED_FILE: &str = "succession.jsonl";

/// Who follows whom, as far as it counts here: by our own root, or because a person here confirmed it.
pub(crate) fn counting(own: &OrgId, identities: &[Arc<Identity>]) -> BTreeMap<OrgId, OrgId> {
    let Some(ours) = identities.iter().find(|identity| identity.id() == *own) else { return BTreeMap::new() };
    let mut counting: BTreeMap<OrgId, OrgId> = ours.predecessors().map(|predecessor| (predecessor, *own)).collect();
    for identity in identities.iter().filter(|identity| identity.id() != *own) {
        for predecessor in identity.predecessors() {
            if ours.confirmed_successor(&predecessor) == Some(identity.id()) {
                counting.insert(predecessor, identity.id());
            }
        }
    }
    // Whoever is followed is silent, too: the last in a row answers. In a circle nobody is followed.
    let last = |of: &OrgId| {
        let mut at = *counting.get(of)?;
        for _ in 0..counting.len() {
            match counting.get(&at) {
                Some(next) => at = *next,
                None => return Some(at),
            }
        }
        None
    };
    counting.keys().filter_map(|predecessor| Some((*predecessor, last(predecessor)?))).collect()
}

/// The places of organisations that this one follows.
pub(crate) fn inherited(shared: &Shared, organisation: &OrgId) -> Vec<Ars> {
    read(&shared.claims).inherited.get(organisation).cloned().unwrap_or_default()
}

/// `identity succeed`: states that we follow another organisation, and adopts what of it is verified here.
pub(crate) fn succeed(shared: &Shared, name_or_id: &str, publish: bool) -> Result<SuccessionInfo, NodeError> {
    let root = nodes::root(shared, "states a succession")?;
    let predecessor = predecessor(shared, name_or_id)?;
    if !shared.is_publisher() || lock(&shared.homecoming).is_some() {
        return Err(NodeError::Conflict(
            "this node does not publish now, and what is adopted has to be published; see `ortsnetz publisher show` and `ortsnetz status`".into(),
        ));
    }
    let own = shared.own.organisation;
    if read(&shared.claims).succeeded.contains_key(&own) {
        return Err(NodeError::Conflict("this organisation has a successor itself".into()));
    }
    // First what it says, then its silence.
    let adopted = adopt(shared, &predecessor, publish)?;
    identities::extend(shared, |identity| {
        if identity.predecessors().any(|known| known == predecessor) {
            return Ok(Vec::new());
        }
        identity.succeed(predecessor, false, clock::now(), &root).map(|signed| vec![signed]).map_err(invalid)
    })?;
    counts_anew(shared);
    let mut info = info(shared, &own, &predecessor);
    info.adopted = Some(adopted);
    Ok(info)
}

/// `identity succeed --undo`: we follow it no more. What was adopted stays ours.
pub(crate) fn undo(shared: &Shared, name_or_id: &str) -> Result<SuccessionInfo, NodeError> {
    let root = nodes::root(shared, "takes a succession back")?;
    let predecessor = predecessor(shared, name_or_id)?;
    identities::extend(shared, |identity| {
        if identity.predecessors().all(|known| known != predecessor) {
            return Err(NodeError::NotFound("this organisation does not follow that one".into()));
        }
        identity.succeed(predecessor, true, clock::now(), &root).map(|signed| vec![signed]).map_err(invalid)
    })?;
    counts_anew(shared);
    Ok(info(shared, &shared.own.organisation, &predecessor))
}

/// `partners succession`: a person compared the check words, or says that it is not so, or takes back what was said.
pub(crate) fn confirm(
    shared: &Shared,
    successor: &str,
    predecessor: &str,
    confirmed: bool,
) -> Result<SuccessionInfo, NodeError> {
    let successor = partners::find_organisation(shared, successor)?;
    let followed = partners::find_organisation(shared, predecessor)?;
    if successor == shared.own.organisation {
        return Err(NodeError::Invalid("that is your own organisation; `ortsnetz identity succeed` says it".into()));
    }
    let (name, other) = (shared.organisation_name(&successor), shared.organisation_name(&followed));
    let states = shared.identity_of(&successor).is_some_and(|it| it.predecessors().any(|id| id == followed));
    if !states && (confirmed || !shared.identity().judged(&successor, &followed)) {
        return Err(NodeError::NotFound(format!(
            "{name} does not say that it follows {other}, as far as is known here"
        )));
    }
    if confirmed && !shared.identity().confirms(&successor) {
        return Err(NodeError::Conflict(format!(
            "nobody here has checked who {name} is; compare the check words of the partnership first, then `ortsnetz partners confirm \"{name}\"`"
        )));
    }
    identities::extend(shared, |identity| {
        let signed = identity.confirm_succession(successor, followed, confirmed, clock::now(), &shared.own.key);
        signed.map(|signed| vec![signed]).map_err(invalid)
    })?;
    counts_anew(shared);
    Ok(info(shared, &successor, &followed))
}

/// What a person should know: a succession that waits for being checked, and that partners go to the successor.
pub(crate) fn tasks(shared: &Shared) -> Vec<TaskInfo> {
    let (own, ours) = (shared.own.organisation, shared.identity());
    let identities: Vec<Arc<Identity>> = read(&shared.identities).values().cloned().collect();
    let mut tasks = Vec::new();
    let task = |message: String| TaskInfo { kind: "succession".into(), message, ..TaskInfo::default() };
    for identity in identities.iter().filter(|identity| identity.id() != own) {
        for predecessor in identity.predecessors() {
            if !identities.iter().any(|known| known.id() == predecessor) || ours.judged(&identity.id(), &predecessor) {
                continue;
            }
            let (name, other) = (identity.name(), shared.organisation_name(&predecessor));
            let words = succession_words(&identity.id(), &predecessor).join(" ");
            let whom = if predecessor == own { "your organisation".to_owned() } else { other.clone() };
            tasks.push(task(format!(
                "{name} says that it follows {whom}. Call {name} at a number you know, and compare: {words}. If that is right, `ortsnetz partners succession \"{name}\" \"{other}\" --confirm`; from then on it answers in place of {whom}. If not, `--refuse`."
            )));
        }
        if let Some(successor) = identity.confirmed_successor(&own).filter(|_| ours.confirmed_successor(&own).is_none())
        {
            tasks.push(task(format!(
                "{} takes {} for the successor of your organisation and does not show your entries any more. If that is wrong, call them.",
                identity.name(),
                shared.organisation_name(&successor)
            )));
        }
    }
    if let Some(successor) = read(&shared.claims).succeeded.get(&own).copied() {
        let name = shared.organisation_name(&successor);
        tasks.push(task(format!(
            "{name} follows this organisation, which a person here confirmed: its own entries are found no more, those of {name} are. To take that back: `ortsnetz partners succession \"{name}\" \"{}\" --refuse`.",
            ours.name()
        )));
    }
    tasks
}

fn predecessor(shared: &Shared, name_or_id: &str) -> Result<OrgId, NodeError> {
    let id = partners::find_organisation(shared, name_or_id)?;
    if id == shared.own.organisation {
        return Err(NodeError::Invalid("an organisation does not follow itself".into()));
    }
    Ok(id)
}

fn info(shared: &Shared, successor: &OrgId, predecessor: &OrgId) -> SuccessionInfo {
    SuccessionInfo {
        successor: shared.organisation_info(successor),
        predecessor: shared.organisation_info(predecessor),
        check_words: succession_words(successor, predecessor).iter().map(ToString::to_string).collect(),
        counts: read(&shared.claims).succeeded.get(predecessor) == Some(successor),
        adopted: None,
    }
}

/// Everything that depends on who answers for whom.
fn counts_anew(shared: &Shared) {
    vouching::weigh(shared);
    let _ = shared.driver.send(Input::Organisation(shared.own.organisation));
}

/// Takes the verified entries of another organisation over as our own: by what identifies them, so that doing it again
/// changes nothing, and what points to another of them points to the adopted one.
fn adopt(shared: &Shared, predecessor: &OrgId, publish: bool) -> Result<ImportReport, NodeError> {
    let path = shared.data_dir.join(ADOPTED_FILE);
    let failed = |error: std::io::Error| {
        NodeError::Unavailable(format!("what is adopted could not be written to {}: {error}", path.display()))
    };
    let request = ExportRequest { organisation: Some(predecessor.to_string()), companions: true, ..Default::default() };
    let result = (|| {
        let mut out = BufWriter::new(File::create(&path).map_err(failed)?);
        exporting::export(shared, &request, &mut out)?;
        out.flush().map_err(failed)?;
        drop(out);
        let ars = shared.identity_of(predecessor).map(|identity| identity.ars().to_owned());
        let import = ImportRequest {
            file: shared.organisation_name(predecessor),
            format: "jsonl".into(),
            valid_for: ars.filter(|ars| !ars.is_empty()),
            publish,
            ..ImportRequest::default()
        };
        let mut file = BufReader::new(File::open(&path).map_err(failed)?);
        importing::import(shared, &import, &mut file)
    })();
    let _ = fs::remove_file(&path);
    result
}

fn invalid(error: ortsnetz_trust::EncodingError) -> NodeError {
    NodeError::Invalid(error.to_string())
}

#[cfg(test)]
mod tests {
    use ortsnetz_trust::identity::Founding;
    use ortsnetz_trust::statement::OrganisationKind;
    use ortsnetz_trust::{NodeKey, RootKey};

    use super::*;

    fn town(number: u8) -> (Identity, RootKey, NodeKey) {
        let (root, key) = (RootKey::from_secret(&[number; 32]), NodeKey::from_secret(&[number + 100; 32]));
        let founding = Founding {
            name: format!("Stadt {number}"),
            ars: String::new(),
            kind: OrganisationKind::Municipality,
            node_name: "Rathaus".into(),
            addresses: Vec::new(),
            at: 1,
            random: [number; 16],
        };
        (Identity::found(founding, &root, &key).expect("a town"), root, key)
    }

    #[test]
    fn the_last_in_a_row_answers_and_in_a_circle_everybody_for_himself() {
        let (mut own, _, key) = town(1);
        let (mut a, root_a, _) = town(2);
        let (mut b, root_b, _) = town(3);
        let (c, _, _) = town(4);
        let [of_a, of_b, of_c] = [a.id(), b.id(), c.id()];
        a.take_in(a.succeed(of_b, false, 2, &root_a).expect("signed")).expect("good");
        b.take_in(b.succeed(of_c, false, 2, &root_b).expect("signed")).expect("good");
        let counts = |own: &Identity, a: &Identity| {
            let all = [own, a, &b, &c].map(|identity| Arc::new(identity.clone()));
            counting(&own.id(), &all)
        };
        assert!(counts(&own, &a).is_empty(), "nobody here has checked it");
        for (successor, predecessor) in [(of_a, of_b), (of_b, of_c)] {
            let signed = own.confirm_succession(successor, predecessor, true, 3, &key).expect("signed");
            own.take_in(signed).expect("good");
        }
        assert_eq!(counts(&own, &a), BTreeMap::from([(of_b, of_a), (of_c, of_a)]));
        let mut round = a.clone();
        let signed = round.succeed(of_c, false, 4, &root_a).expect("signed");
        round.take_in(signed).expect("good");
        // A confirmation of another successor does not make a second one.
        assert_eq!(counts(&own, &round), BTreeMap::from([(of_b, of_a), (of_c, of_a)]));
        let signed = own.confirm_succession(of_a, of_c, true, 5, &key).expect("signed");
        own.take_in(signed).expect("good");
        assert_eq!(counts(&own, &round), BTreeMap::from([(of_b, of_a), (of_c, of_a)]));
        // A follows B, which follows A.
        let (mut d, root_d, _) = town(5);
        d.take_in(d.succeed(of_a, false, 6, &root_d).expect("signed")).expect("good");
        a.take_in(a.succeed(d.id(), false, 6, &root_a).expect("signed")).expect("good");
        for (successor, predecessor) in [(d.id(), of_a), (of_a, d.id())] {
            let signed = own.confirm_succession(successor, predecessor, true, 7, &key).expect("signed");
            own.take_in(signed).expect("good");
        }
        let all = [&own, &a, &d].map(|identity| Arc::new(identity.clone()));
        assert!(counting(&own.id(), &all).is_empty());
    }
}
