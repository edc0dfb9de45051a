//! A move from one town to another, a marriage, a street party: steps of several organisations, each at its place.

use ortsnetz_node::Handle;
use ortsnetz_node::dto::{Answer, AnswersRequest};
use serde_json::{Value, json};

use crate::{add, eventually, join, town};

const BONN: &str = "053140000000";
const SIEGBURG: &str = "053820060060";
const REGISTER: &str = "99115005104001";
const DEREGISTER: &str = "99115005070000";
const DOG: &str = "99102013060000";
const CAR: &str = "99036012071000";

async fn service(node: &Handle, title: &str, leika: &str, ars: &str) -> String {
    add(node, "service", &[("title.de", title), ("leika.+", leika), ("valid_for.+", ars)]).await
}

async fn life_event(node: &Handle, title: &str, steps: Value) -> String {
    add(node, "life_event", &[("title.de", title), ("steps", &steps.to_string())]).await
}

async fn ask(node: &Handle, id: &str, from: Option<&str>, conditions: Option<&str>) -> Answer {
    let request = AnswersRequest {
        id: Some(id.into()),
        from: from.map(str::to_owned),
        to: Some(SIEGBURG.into()),
        conditions: conditions.map(str::to_owned),
        ..AnswersRequest::default()
    };
    node.answers(request).await.expect("answers").answers.remove(0)
}

/// Title, state and place of each step.
fn steps(answer: &Answer) -> Vec<(&str, &str, Option<&str>)> {
    answer.steps.iter().map(|step| (step.title.as_str(), step.state.as_str(), step.ars.as_deref())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_with_dog_and_car_a_marriage_and_a_street_party() {
    let dir = tempfile::tempdir().expect("a directory");
    let centre = town(&dir.path().join("centre"), "Stadt Köln", "053150000000").await;
    let bonn = town(&dir.path().join("bonn"), "Stadt Bonn", BONN).await;
    let siegburg = town(&dir.path().join("siegburg"), "Stadt Siegburg", SIEGBURG).await;
    let county = town(&dir.path().join("county"), "Rhein-Sieg-Kreis", "053820000000").await;
    for (node, ars) in [(&bonn, BONN), (&siegburg, SIEGBURG), (&county, "053820000000")] {
        join(&centre, ars, node).await;
    }
    let register = service(&siegburg, "Wohnsitz anmelden", REGISTER, SIEGBURG).await;
    service(&siegburg, "Hund anmelden", DOG, SIEGBURG).await;
    let marry = service(&siegburg, "Eheschließung anmelden", "99059002104000", SIEGBURG).await;
    let closed = service(&siegburg, "Straße sperren", "99108008000000", SIEGBURG).await;
    service(&bonn, "Hund abmelden", DOG, BONN).await;
    let deregister = service(&bonn, "Zweitwohnung abmelden", DEREGISTER, BONN).await;
    service(&county, "Fahrzeug umschreiben", CAR, "053820000000").await;
    let dog = json!({"de": "Sie haben einen Hund"});
    let car = json!({"de": "Sie haben ein Auto"});
    let moving = life_event(
        &centre,
        "Umzug",
        json!([
            {"service": register, "place": "to", "deadline_days": 14},
            {"title": {"de": "Alte Wohnung"}, "service": deregister, "place": "from"},
            {"title": {"de": "Hund abmelden"}, "leika": DOG, "place": "from", "condition": dog},
            {"title": {"de": "Hund anmelden"}, "leika": DOG, "place": "to", "condition": dog},
            {"leika": CAR, "place": "to", "condition": car},
            {"title": {"de": "Strom ummelden"}, "provider": {"name": "Stadtwerke", "url": "https://example.org"}},
            {"title": {"de": "Nachsendeauftrag"}},
            {"title": {"de": "Fischereischein"}, "leika": "99031001000000", "place": "to"},
        ]),
    )
    .await;
    eventually(&centre, "all services are here", || async {
        let answer = ask(&centre, &moving, Some("Bonn"), None).await;
        answer.steps.iter().take(5).all(|step| step.state == "answered")
    })
    .await;
    let all = ask(&centre, &moving, Some("Bonn"), None).await;
    assert_eq!(
        steps(&all),
        [
            ("Wohnsitz anmelden", "answered", Some(SIEGBURG)),
            ("Alte Wohnung", "answered", Some(BONN)),
            ("Hund abmelden", "answered", Some(BONN)),
            ("Hund anmelden", "answered", Some(SIEGBURG)),
            ("Fahrzeug umschreiben", "answered", Some(SIEGBURG)),
            ("Strom ummelden", "provider", None),
            ("Nachsendeauftrag", "text", None),
            ("Fischereischein", "gone", Some(SIEGBURG)),
        ]
    );
    let owner = |step: usize| {
        let answer = all.steps[step].answer.as_ref().expect("an answer");
        (answer.title.as_str(), answer.sources[0].organisation.name.as_str())
    };
    assert_eq!(owner(2), ("Hund abmelden", "Stadt Bonn"), "the same matter, at the place that is left");
    assert_eq!(owner(3), ("Hund anmelden", "Stadt Siegburg"));
    assert_eq!(owner(4), ("Fahrzeug umschreiben", "Rhein-Sieg-Kreis"), "the county does that for its towns");
    assert_eq!(all.steps[0].deadline_days, Some(14));
    let asked: Vec<(usize, &str)> =
        all.conditions.iter().map(|condition| (condition.n, condition.text.as_str())).collect();
    assert_eq!(asked, [(0, "Sie haben einen Hund"), (1, "Sie haben ein Auto")]);
    assert_eq!(ask(&centre, &moving, Some("Bonn"), Some("1")).await.steps.len(), 6, "a car and no dog");
    assert_eq!(ask(&centre, &moving, Some("Bonn"), Some("")).await.steps.len(), 5, "neither");
    let nowhere = ask(&centre, &moving, None, None).await;
    assert_eq!((nowhere.steps[1].state.as_str(), nowhere.steps[0].state.as_str()), ("place_missing", "answered"));
    let odd =
        AnswersRequest { id: Some(moving.clone()), conditions: Some("beide".into()), ..AnswersRequest::default() };
    let odd = centre.answers(odd).await.expect_err("no number").to_string();
    assert_eq!(odd, "conditions: \"beide\" is no number of a condition; write them like 0,2");

    // What is withdrawn is said to be gone.
    bonn.withdraw(&deregister).await.expect("withdraw");
    eventually(&centre, "the withdrawal arrives", || async {
        ask(&centre, &moving, Some("Bonn"), None).await.steps[1].state == "gone"
    })
    .await;

    let wedding = life_event(
        &centre,
        "Heirat",
        json!([
            {"service": marry, "place": "to"},
            {"title": {"de": "Namen im Ausweis ändern"}, "leika": "99089002011000", "place": "to"},
        ]),
    )
    .await;
    let wedding = ask(&centre, &wedding, None, None).await;
    assert_eq!(steps(&wedding)[0], ("Eheschließung anmelden", "answered", Some(SIEGBURG)));
    let party = life_event(
        &centre,
        "Straßenfest",
        json!([
            {"service": closed, "place": "to", "deadline_days": -42},
            {"title": {"de": "Musik"}, "provider": {"name": "GEMA"}, "condition": {"de": "Es wird Musik gespielt"}},
        ]),
    )
    .await;
    let party = ask(&centre, &party, None, Some("")).await;
    assert_eq!(steps(&party), [("Straße sperren", "answered", Some(SIEGBURG))]);
    for node in [centre, bonn, siegburg, county] {
        node.shutdown().await;
    }
}

/// As `STEPS_MAX` in `answering/steps.rs`.
const STEPS_MAX: usize = 30;
/// As `CONDITIONS_MAX` in `answering/steps.rs`.
const CONDITIONS_MAX: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_event_has_so_many_steps_and_questions() {
    let dir = tempfile::tempdir().expect("a directory");
    let node = town(&dir.path().join("siegburg"), "Stadt Siegburg", SIEGBURG).await;
    for more in [0, 1] {
        let list: Vec<Value> =
            (0..STEPS_MAX + more).map(|n| json!({"title": {"de": format!("Schritt {n}")}})).collect();
        let id = life_event(&node, "Viel", json!(list)).await;
        assert_eq!(ask(&node, &id, None, None).await.steps.len(), STEPS_MAX);
        let list: Vec<Value> = (0..CONDITIONS_MAX + more)
            .map(|n| json!({"title": {"de": format!("Schritt {n}")}, "condition": {"de": format!("Wenn {n}")}}))
            .collect();
        let id = life_event(&node, "Fragen", json!(list)).await;
        let answer = ask(&node, &id, None, None).await;
        assert_eq!((answer.conditions.len(), answer.steps.len()), (CONDITIONS_MAX, CONDITIONS_MAX + more));
        // What nobody was asked about is told with its condition.
        assert_eq!(ask(&node, &id, None, Some("")).await.steps.len(), more);
    }
    node.shutdown().await;
}
