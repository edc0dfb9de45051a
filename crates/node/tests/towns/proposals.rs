//! What partners suggest, and what becomes of it.

use ortsnetz_node::dto::{
    DecideRequest, NewProposal, ProposalInfo, ProposalsRequest, ProposeRequest, ShowOptions, SourceRequest,
    TasksRequest,
};
use ortsnetz_node::{Handle, NodeError};
use serde_json::{Value, json};

use crate::{add, config, eventually, join, town, values};

const BONN: &str = "053140000000";

fn suggest(entry: &str, list: &[(&str, &str)]) -> NewProposal {
    NewProposal { entry: entry.into(), values: values(list), comment: "Satzung".into(), ..NewProposal::default() }
}

fn accept(paths: &[&str], publish: bool) -> DecideRequest {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    DecideRequest { accept: true, paths, publish, ..DecideRequest::default() }
}

fn decline(paths: &[&str], reason: &str) -> DecideRequest {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    DecideRequest { paths, reason: reason.into(), ..DecideRequest::default() }
}

async fn open_tasks(node: &Handle) -> u64 {
    let request = TasksRequest { kind: Some("proposal".into()), ..TasksRequest::default() };
    node.tasks(request).await.expect("tasks").total
}

async fn entry(node: &Handle, id: &str, draft: bool) -> Value {
    let shown = node.show(id, ShowOptions { draft, ..ShowOptions::default() }).await.expect("show");
    Value::Object(shown.entry)
}

fn fits(proposal: &ProposalInfo) -> Vec<(&str, &str)> {
    proposal.fields.iter().map(|field| (field.path.as_str(), field.fit.as_str())).collect()
}

fn refused<T: std::fmt::Debug>(result: Result<T, NodeError>) -> String {
    result.expect_err("must be refused").to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_proposal_on_an_entry_that_moved_on_two_fields_are_taken_and_one_is_declined() {
    let dir = tempfile::tempdir().expect("a directory");
    let centre = town(&dir.path().join("centre"), "Stadt Köln", "053150000000").await;
    let bonn = town(&dir.path().join("bonn"), "Stadt Bonn", BONN).await;
    join(&centre, BONN, &bonn).await;
    let fees = r#"[{"kind":"fixed","amount":2600,"currency":"EUR"}]"#;
    let list =
        [("title.de", "Hund anmelden"), ("fees", fees), ("texts.notes.de", "Mit Chip."), ("texts.summary.de", "Alt.")];
    let dog = add(&bonn, "service", &list).await;
    let own = add(&centre, "service", &[("title.de", "Eigenes")]).await;
    eventually(&centre, "the entry arrives", || async { centre.show(&dog, ShowOptions::default()).await.is_ok() })
        .await;

    assert!(refused(centre.propose(suggest(&own, &[("title.de", "x")])).await).contains("is your own"));
    assert!(
        refused(centre.propose(suggest(&dog, &[("texts.notes.de", "Mit Chip.")])).await)
            .contains("nothing would change")
    );
    assert!(
        refused(centre.propose(suggest(&dog, &[("review.next_review", "2030-01-01")])).await)
            .contains("its owner's alone")
    );
    let personal = NewProposal { comment: "Frau M., 0221 123456".into(), ..suggest(&dog, &[("title.de", "x")]) };
    assert!(refused(centre.propose(personal).await).starts_with("comment: holds a telephone number"));

    let wanted = [("fees.0.amount", "2800"), ("texts.notes.de", "Ohne Chip."), ("texts.summary.de", "Neu.")];
    let made = centre.propose(suggest(&dog, &wanted)).await.expect("propose");
    assert_eq!((made.state.as_str(), made.moved_on), ("open", false));
    assert_eq!(fits(&made), [("fees.0.amount", "clean"), ("texts.notes.de", "clean"), ("texts.summary.de", "clean")]);
    eventually(&bonn, "the owner has a task", || async { open_tasks(&bonn).await == 1 }).await;
    assert_eq!(open_tasks(&centre).await, 0);
    assert!(refused(centre.decide(&made.id, accept(&[], false)).await).contains("only they can decide it"));

    // The entry moves on: a further fee comes first, and the notes say something else.
    let more = r#"[{"kind":"free"},{"kind":"fixed","amount":2600,"currency":"EUR"}]"#;
    bonn.edit(&dog, &values(&[("fees", more), ("texts.notes.de", "Mit Chip und Marke.")])).await.expect("edit");
    bonn.publish(Some(vec![dog.clone()])).await.expect("publish");
    let seen = bonn.proposal(&made.id[..8]).await.expect("known");
    assert!(seen.moved_on);
    assert_eq!(fits(&seen), [("fees.0.amount", "clean"), ("texts.notes.de", "changed"), ("texts.summary.de", "clean")]);
    let notes = &seen.fields[1];
    assert_eq!(
        (&notes.old, &notes.new, &notes.now),
        (&json!("Mit Chip."), &json!("Ohne Chip."), &json!("Mit Chip und Marke."))
    );

    // Two of three are taken into the draft, one is declined with a reason.
    let taken = bonn.decide(&made.id, accept(&[], false)).await.expect("accept");
    assert_eq!(taken.state, "open", "the field that changed is not taken by itself");
    let draft = entry(&bonn, &dog, true).await;
    assert_eq!((&draft["fees"][1]["amount"], &draft["texts"]["summary"]["de"]), (&json!(2800), &json!("Neu.")));
    assert_eq!(draft["texts"]["notes"]["de"], "Mit Chip und Marke.");
    assert_eq!(draft["extensions"]["accepted_proposal"]["id"], json!(made.id));
    assert_eq!(entry(&bonn, &dog, false).await["fees"][1]["amount"], 2600, "nothing is published yet");
    assert!(refused(bonn.decide(&made.id, accept(&["texts.notes.de"], true)).await).contains("has a draft"));
    assert_eq!(refused(bonn.decide(&made.id, decline(&["texts.notes.de"], "")).await), "reason: is missing");
    assert!(
        refused(bonn.decide(&made.id, decline(&["texts.forms.de"], "x")).await).contains("has no field texts.forms.de")
    );
    let decided = bonn.decide(&made.id, decline(&["texts.notes.de"], "Die Marke bleibt.")).await.expect("decline");
    assert_eq!(decided.state, "partly");
    assert_eq!(open_tasks(&bonn).await, 0);
    bonn.publish(Some(vec![dog.clone()])).await.expect("publish");

    // The proposer reads which fields were taken, and why one was not.
    eventually(&centre, "the decision arrives", || async {
        centre.proposal(&made.id).await.is_ok_and(|known| known.state == "partly")
            && entry(&centre, &dog, false).await["fees"][1]["amount"] == 2800
    })
    .await;
    let read = centre.proposal(&made.id).await.expect("known");
    let said: Vec<(Option<bool>, Option<&str>)> =
        read.fields.iter().map(|field| (field.accepted, field.reason.as_deref())).collect();
    assert_eq!(said, [(Some(true), None), (Some(false), Some("Die Marke bleibt.")), (Some(true), None)]);
    assert!(centre.proposals(ProposalsRequest::default()).await.expect("list").is_empty());
    let all = ProposalsRequest { all: true, entry: Some(dog.clone()), ..ProposalsRequest::default() };
    assert_eq!(centre.proposals(all).await.expect("list").len(), 1);

    // At once, with a field that changed meanwhile taken because it was named; and one that is taken back.
    let second = centre.propose(suggest(&dog, &[("title.de", "Hund an- und abmelden")])).await.expect("propose");
    let third = centre.propose(suggest(&dog, &[("title.de", "Verworfen")])).await.expect("propose");
    eventually(&bonn, "both arrive", || async { open_tasks(&bonn).await == 2 }).await;
    centre.withdraw_proposal(&third.id).await.expect("withdraw");
    eventually(&bonn, "one is taken back", || async { open_tasks(&bonn).await == 1 }).await;
    let taken = bonn.decide(&second.id, accept(&["title.de"], true)).await.expect("accept");
    assert_eq!(taken.state, "accepted");
    eventually(&centre, "it is published", || async {
        entry(&centre, &dog, false).await["title"]["de"] == "Hund an- und abmelden"
    })
    .await;
    bonn.shutdown().await;
    let bonn = Handle::start(config(&dir.path().join("bonn"))).await.expect("start");
    assert_eq!(bonn.proposal(&made.id).await.expect("known").state, "partly");
    bonn.shutdown().await;
    centre.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_agreement_accepts_is_taken_without_a_person_as_far_as_it_fits() {
    let dir = tempfile::tempdir().expect("a directory");
    let centre = town(&dir.path().join("centre"), "Stadt Köln", "053150000000").await;
    let bonn = town(&dir.path().join("bonn"), "Stadt Bonn", BONN).await;
    join(&centre, BONN, &bonn).await;
    let list = |title: &'static str, leika: &'static str| {
        [("title.de", title), ("leika.+", leika), ("texts.notes.de", "Alt."), ("texts.summary.de", "Alt.")]
    };
    let car = add(&bonn, "service", &list("Auto anmelden", "99036012011000")).await;
    let dog = add(&bonn, "service", &list("Hund anmelden", "99102013060000")).await;
    for id in [&car, &dog] {
        eventually(&centre, "its entries arrive", || async { centre.show(id, ShowOptions::default()).await.is_ok() })
            .await;
    }
    let agree = async |topics: Value, until: &str, we_answer: bool| {
        let accept = json!({"topics": topics, "until": until});
        let terms = json!({"title": "Telefon", "stage": 3, "valid_from": "2020-01-01", "accept_proposals": accept});
        let request = ProposeRequest { partner: "Bonn".into(), we_answer, terms, ..ProposeRequest::default() };
        let id = centre.propose_agreement(request).await.expect("offer").id;
        eventually(&bonn, "the offer arrives", || async { bonn.agreement(&id).await.is_ok() }).await;
        bonn.sign_agreement(&id).await.expect("sign");
        id
    };
    // One is over, one is about what Bonn suggests to Köln: neither takes anything.
    agree(json!({"leika": ["99102"]}), "2020-12-31", true).await;
    agree(json!({"tags": ["Hund anmelden"]}), "2099-12-31", false).await;
    let agreement = agree(json!({"leika": ["99036"]}), "2099-12-31", true).await;

    let other = centre.propose(suggest(&dog, &[("texts.notes.de", "Neu.")])).await.expect("propose");
    let made = centre.propose(suggest(&car, &[("texts.notes.de", "Neu.")])).await.expect("propose");
    eventually(&centre, "it is taken and published", || async {
        centre.proposal(&made.id).await.is_ok_and(|known| known.state == "accepted")
            && entry(&centre, &car, false).await["texts"]["notes"]["de"] == "Neu."
    })
    .await;
    assert_eq!(centre.proposal(&made.id).await.expect("known").automatic, Some(agreement));
    assert_eq!(bonn.proposal(&other.id).await.expect("known").state, "open");
    assert_eq!(entry(&bonn, &dog, false).await["texts"]["notes"]["de"], "Alt.");

    // What does not fit any more is left to a person, and so is all of it where there is a draft.
    bonn.edit(&car, &values(&[("texts.summary.de", "Anders.")])).await.expect("edit");
    bonn.publish(Some(vec![car.clone()])).await.expect("publish");
    let before = bonn.show(&car, ShowOptions::default()).await.expect("show").meta.heads;
    bonn.edit(&car, &values(&[("title.de", "Entwurf")])).await.expect("edit");
    eventually(&centre, "it arrives", || async {
        entry(&centre, &car, false).await["texts"]["summary"]["de"] == "Anders."
    })
    .await;
    let third = centre.propose(suggest(&car, &[("texts.notes.de", "Noch neuer.")])).await.expect("propose");
    eventually(&bonn, "it arrives", || async { bonn.proposal(&third.id).await.is_ok() }).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(bonn.proposal(&third.id).await.expect("known").state, "open");
    assert_eq!(bonn.show(&car, ShowOptions::default()).await.expect("show").meta.heads, before);
    bonn.shutdown().await;
    centre.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_adopted_says_when_its_source_changed_and_takes_it_over_or_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let centre = town(&dir.path().join("centre"), "Stadt Köln", "053150000000").await;
    let bonn = town(&dir.path().join("bonn"), "Stadt Bonn", BONN).await;
    join(&centre, BONN, &bonn).await;
    let list =
        [("title.de", "Hund"), ("texts.notes.de", "Alt."), ("texts.summary.de", "Alt."), ("leika.+", "99102013060000")];
    let source = add(&bonn, "service", &list).await;
    eventually(&centre, "the entry arrives", || async { centre.show(&source, ShowOptions::default()).await.is_ok() })
        .await;
    let own = centre.adopt(&source, false).await.expect("adopt").id;
    let tasks = async || {
        let request = TasksRequest { kind: Some("source_changed".into()), ..TasksRequest::default() };
        centre.tasks(request).await.expect("tasks").tasks
    };
    assert_eq!(tasks().await, []);
    assert_eq!(centre.source_changes(&own).await.expect("source").state, "unchanged");
    centre.edit(&own, &values(&[("texts.summary.de", "Eigenes.")])).await.expect("edit");
    bonn.edit(&source, &values(&[("texts.notes.de", "Neu."), ("texts.summary.de", "Neu.")])).await.expect("edit");
    bonn.publish(Some(vec![source.clone()])).await.expect("publish");
    eventually(&centre, "it is a task", || async { tasks().await.len() == 1 }).await;
    let task = tasks().await.remove(0);
    assert_eq!((task.entry.as_deref(), task.partner.as_deref()), (Some(own.as_str()), Some("Stadt Bonn")));

    let seen = centre.source_changes(&own).await.expect("source");
    let fits: Vec<(&str, &str)> = seen.fields.iter().map(|field| (field.path.as_str(), field.fit.as_str())).collect();
    assert_eq!(fits, [("texts.notes.de", "clean"), ("texts.summary.de", "changed")]);
    let taking = SourceRequest { take: true, publish: true, ..SourceRequest::default() };
    assert_eq!(centre.take_source(&own, taking).await.expect("take").state, "changed");
    let now = entry(&centre, &own, false).await;
    assert_eq!((&now["texts"]["notes"]["de"], &now["texts"]["summary"]["de"]), (&json!("Neu."), &json!("Eigenes.")));
    assert_eq!(tasks().await.len(), 1, "one field is still open");
    assert!(
        refused(centre.take_source(&own, SourceRequest { take: true, ..SourceRequest::default() }).await)
            .contains("nothing of the source fits")
    );
    assert_eq!(centre.take_source(&own, SourceRequest::default()).await.expect("dismiss").state, "unchanged");
    assert_eq!(tasks().await, []);

    bonn.withdraw(&source).await.expect("withdraw");
    eventually(&centre, "it is a task again", || async { tasks().await.len() == 1 }).await;
    assert_eq!(centre.source_changes(&own).await.expect("source").state, "withdrawn");
    centre.take_source(&own, SourceRequest::default()).await.expect("dismiss");
    assert_eq!(tasks().await, []);
    let other = add(&centre, "service", &[("title.de", "Eigenes")]).await;
    assert!(refused(centre.source_changes(&other).await).contains("was not adopted"));
    bonn.shutdown().await;
    centre.shutdown().await;
}
