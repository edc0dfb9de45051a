//! What two towns agree on, and what that allows an agent.

use ortsnetz_node::dto::{AgreementInfo, AllowedInfo, AnswersRequest, ProposeRequest, ShowOptions};
use ortsnetz_node::{Handle, NodeError};
use serde_json::{Value, json};

use crate::{add, eventually, join, town, values};

const CAR: &str = "99036012011000";
const DOG: &str = "99102013060000";

pub(crate) fn offer(partner: &str, terms: Value) -> ProposeRequest {
    ProposeRequest { partner: partner.into(), we_answer: true, terms, ..ProposeRequest::default() }
}

fn terms(stage: u8) -> Value {
    json!({"title": format!("Stufe {stage}"), "stage": stage, "topics": {"leika": ["99036"]}, "valid_from": "2020-01-01",
        "service_hours": [{"days": ["mo", "tu", "we", "th", "fr"], "opens": "08:00", "closes": "18:00"}]})
}

async fn state(node: &Handle, id: &str) -> String {
    node.agreement(id).await.map(|agreement| agreement.state).unwrap_or_default()
}

/// Offers, and lets the other side sign; both know it then.
pub(crate) async fn agree(centre: &Handle, other: &Handle, request: ProposeRequest, state_then: &str) -> AgreementInfo {
    let offered = centre.propose_agreement(request).await.expect("propose");
    eventually(other, "the offer arrives", || async {
        other.agreement(&offered.id).await.is_ok_and(|known| known.versions.len() == offered.versions.len())
    })
    .await;
    let signed = other.sign_agreement(&offered.id).await.expect("sign");
    assert_eq!(signed.state, state_then);
    eventually(centre, "the signature arrives", || async {
        centre.agreement(&offered.id).await.is_ok_and(|known| known.versions[0].theirs.is_some())
    })
    .await;
    assert_eq!(state(centre, &offered.id).await, state_then);
    centre.agreement(&offered.id).await.expect("known")
}

/// What may be done about this service on a weekday morning.
async fn allowed(centre: &Handle, id: &str, place: &str) -> AllowedInfo {
    allowed_at(centre, id, place, "2026-12-01", "10:00").await
}

async fn allowed_at(centre: &Handle, id: &str, place: &str, on: &str, at: &str) -> AllowedInfo {
    let request = AnswersRequest {
        id: Some(id.into()),
        place: Some(place.into()),
        on: Some(on.into()),
        at: Some(at.into()),
        ..AnswersRequest::default()
    };
    centre.answers(request).await.expect("answers").answers.remove(0).allowed
}

struct Recipient {
    node: Handle,
    ars: &'static str,
    car: String,
    dog: String,
}

async fn recipient(dir: &std::path::Path, centre: &Handle, name: &str, ars: &'static str) -> Recipient {
    let node = town(&dir.join(ars), name, ars).await;
    join(centre, ars, &node).await;
    let online = r#"[{"title":{"de":"i-Kfz"},"url":"https://example.org/kfz"}]"#;
    let car = [("title.de", "Auto anmelden"), ("leika.+", CAR), ("valid_for.+", ars), ("online_services", online)];
    let car = add(&node, "service", &car).await;
    let dog = [("title.de", "Hund anmelden"), ("leika.+", DOG), ("valid_for.+", ars)];
    let dog = add(&node, "service", &dog).await;
    for id in [&car, &dog] {
        eventually(centre, "its entries arrive", || async { centre.show(id, ShowOptions::default()).await.is_ok() })
            .await;
    }
    Recipient { node, ars, car, dog }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_agreements_allow_exactly_what_they_say() {
    let dir = tempfile::tempdir().expect("a directory");
    let centre = town(&dir.path().join("centre"), "Stadt Köln", "053150000000").await;
    const TOWNS: [(&str, &str); 6] = [
        ("Stadt Siegburg", "053820060060"),
        ("Stadt Bonn", "053140000000"),
        ("Stadt Leverkusen", "053160000000"),
        ("Stadt Hürth", "053620028028"),
        ("Stadt Frechen", "053620020020"),
        ("Stadt Brühl", "053620012012"),
    ];
    let (inform, answer, case) = (["inform", "connect"].as_slice(), "answer", "take_case");
    let with = |more: &[&str]| inform.iter().chain(more).map(|action| (*action).to_owned()).collect::<Vec<_>>();
    for (number, (name, ars)) in TOWNS.into_iter().enumerate() {
        let town = recipient(dir.path(), &centre, name, ars).await;
        let none = allowed(&centre, &town.car, town.ars).await;
        assert_eq!((none.actions, none.state.as_str()), (with(&[]), "none"));
        let stage = u8::try_from(number + 1).expect("small");
        match stage {
            1..=4 => {
                let agreed = agree(&centre, &town.node, offer(name, terms(stage)), "in_force").await;
                let (car, dog) = match stage {
                    1 => (with(&[]), with(&[])),
                    2 => (with(&[answer]), with(&[])),
                    3 => (with(&[answer]), with(&[answer])),
                    _ => (with(&[answer, case]), with(&[answer])),
                };
                let told = allowed(&centre, &town.car, town.ars).await;
                assert_eq!((told.actions, told.state.as_str(), told.stage), (car, "in_force", Some(stage)), "{name}");
                assert_eq!(told.agreement.as_deref(), Some(agreed.id.as_str()));
                assert!(told.within_hours);
                assert_eq!(allowed(&centre, &town.dog, town.ars).await.actions, dog, "{name}");
                assert!(!allowed_at(&centre, &town.car, town.ars, "2026-12-01", "18:00").await.within_hours);
            }
            5 => {
                let mut over = terms(3);
                over["valid_until"] = json!("2021-12-31");
                agree(&centre, &town.node, offer(name, over), "expired").await;
                let told = allowed(&centre, &town.car, town.ars).await;
                assert_eq!(
                    (told.actions, told.state.as_str(), told.until.as_deref()),
                    (with(&[]), "expired", Some("2021-12-31"))
                );
                let then = allowed_at(&centre, &town.car, town.ars, "2021-12-31", "10:00").await;
                assert_eq!(then.actions, with(&[answer]), "on its last day it counted");
            }
            _ => {
                let first = agree(&centre, &town.node, offer(name, terms(1)), "in_force").await;
                let mut amended = terms(4);
                amended["valid_from"] = json!("2026-12-15");
                let request =
                    ProposeRequest { agreement: Some(first.id.clone()), terms: amended, ..ProposeRequest::default() };
                let both = agree(&centre, &town.node, request, "in_force").await;
                assert_eq!(both.versions.len(), 2);
                let on = async |date| allowed_at(&centre, &town.car, town.ars, date, "10:00").await;
                let (before, after) = (on("2026-12-14").await, on("2026-12-15").await);
                assert_eq!((before.actions, before.version), (with(&[]), Some(1)));
                assert_eq!((after.actions, after.version), (with(&[answer, case]), Some(2)));
            }
        }
        town.node.shutdown().await;
    }
    let own = add(&centre, "service", &[("title.de", "Auto anmelden"), ("leika.+", CAR)]).await;
    let own = allowed(&centre, &own, "053150000000").await;
    assert_eq!((own.actions, own.state.as_str()), (with(&[answer]), "own"));
    centre.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agreement_is_offered_declined_offered_again_ended_and_says_what_is_missing() {
    let dir = tempfile::tempdir().expect("a directory");
    let centre = town(&dir.path().join("centre"), "Stadt Köln", "053150000000").await;
    let town = recipient(dir.path(), &centre, "Stadt Siegburg", "053820060060").await;
    let refused = |result: Result<AgreementInfo, NodeError>| result.expect_err("must be refused").to_string();
    let odd = centre
        .propose_agreement(offer("Siegburg", json!({"title": "x", "stage": 9, "valid_from": "2026-01-01"})))
        .await;
    assert_eq!(refused(odd), "terms: stage: is none of 1, 2, 3, 4");
    let forged = json!({"title": "x", "stage": 1, "valid_from": "2026-01-01", "provider": "11".repeat(32)});
    assert!(refused(centre.propose_agreement(offer("Siegburg", forged)).await).starts_with("terms.provider: must be"));

    let mut text = terms(3);
    text["required"] = json!([CAR, DOG]);
    text["notice_months"] = json!(3);
    let offered = centre.propose_agreement(offer("Siegburg", text.clone())).await.expect("propose");
    assert_eq!((offered.state.as_str(), offered.we_answer), ("proposed", true));
    assert!(refused(centre.sign_agreement(&offered.id).await).contains("signed by us already"));
    eventually(&town.node, "the offer arrives", || async { state(&town.node, &offered.id).await == "proposed" }).await;
    let status = town.node.status().await.expect("status");
    assert!(status.alarms.iter().any(|alarm| alarm.kind == "agreement_offered"), "{:?}", status.alarms);
    assert!(refused(town.node.decline_agreement(&offered.id, " ").await).starts_with("reason:"));
    town.node.decline_agreement(&offered.id, "Die Frist ist zu lang.").await.expect("decline");
    eventually(&centre, "the refusal arrives", || async { state(&centre, &offered.id).await == "declined" }).await;
    let declined = centre.agreement(&offered.id).await.expect("known");
    assert_eq!(declined.versions[0].reason.as_deref(), Some("Die Frist ist zu lang."));
    assert_eq!(
        allowed(&centre, &town.dog, town.ars).await.actions,
        ["inform", "connect"],
        "declined allows nothing more"
    );

    text["notice_months"] = json!(1);
    let request = ProposeRequest { agreement: Some(offered.id.clone()), terms: text, ..ProposeRequest::default() };
    let agreed = agree(&centre, &town.node, request, "in_force").await;
    assert_eq!(
        (agreed.versions[0].version, agreed.versions[0].ours.is_some(), agreed.versions[0].theirs.is_some()),
        (2, true, true)
    );
    eventually(&centre, "what is missing is known", || async {
        let required = centre.agreement(&agreed.id).await.expect("known").required.expect("two topics");
        (required.complete, required.total) == (0, 2) && required.missing.iter().all(|topic| topic.missing == "text")
    })
    .await;
    let complete = [
        ("texts.summary.de", "Mit Termin."),
        ("offices", &format!("[{:?}]", add(&town.node, "office", &[("title.de", "Amt")]).await)),
    ];
    town.node.edit(&town.car, &values(&complete)).await.expect("edit");
    town.node.publish(Some(vec![town.car.clone()])).await.expect("publish");
    eventually(&centre, "one is complete", || async {
        centre
            .agreement(&agreed.id)
            .await
            .is_ok_and(|known| known.required.is_some_and(|required| required.complete == 1))
    })
    .await;

    // Another node of ours, or we after a restart, know the same.
    centre.shutdown().await;
    let centre = Handle::start(crate::config(&dir.path().join("centre"))).await.expect("start");
    assert_eq!(state(&centre, &agreed.id[..6]).await, "in_force");

    assert!(
        refused(town.node.end_agreement(&agreed.id, Some("2000-01-01")).await)
            .contains("before the notice of 1 months")
    );
    let ended = town.node.end_agreement(&agreed.id, Some("2099-12-31")).await.expect("end");
    assert_eq!(ended.versions[0].ends_on.as_deref(), Some("2099-12-31"));
    eventually(&centre, "the end arrives", || async {
        centre.agreement(&agreed.id).await.is_ok_and(|known| known.versions[0].ends_on.is_some())
    })
    .await;
    let after = allowed_at(&centre, &town.dog, town.ars, "2100-01-01", "10:00").await;
    assert_eq!((after.actions.len(), after.state.as_str()), (2, "ended"));
    town.node.end_agreement(&agreed.id, None).await.expect("taken back");
    eventually(&centre, "that it goes on arrives", || async {
        centre.agreement(&agreed.id).await.is_ok_and(|known| known.versions[0].ends_on.is_none())
    })
    .await;
    assert!(matches!(centre.agreement("ffff").await, Err(NodeError::NotFound(_))));
    town.node.shutdown().await;
    centre.shutdown().await;
}
