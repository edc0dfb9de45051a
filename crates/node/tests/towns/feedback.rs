//! What agents report, and what is to be done.

use std::time::{Duration, Instant};

use ortsnetz_node::dto::{
    AnswersRequest, FeedbackAnswer, FeedbackInfo, FeedbackRequest, InviteRequest, NewFeedback, SearchRequest,
    ShowOptions, TaskInfo, TasksRequest,
};
use ortsnetz_node::{Handle, NodeError};

use crate::{add, config, eventually, join, town, values};

const BONN: &str = "053140000000";

fn report(entry: &str, text: &str) -> NewFeedback {
    let (problem, path) = ("outdated".into(), "fees.0.amount".into());
    NewFeedback { entry: entry.into(), problem, path, text: text.into() }
}

/// The reports that stand beside the answer about this entry.
async fn beside(node: &Handle, entry: &str) -> Vec<FeedbackInfo> {
    let request = AnswersRequest { id: Some(entry.into()), place: Some(BONN.into()), ..AnswersRequest::default() };
    node.answers(request).await.expect("answers").answers.remove(0).reports
}

async fn tasks(node: &Handle, kind: &str) -> Vec<TaskInfo> {
    let request = TasksRequest { kind: Some(kind.into()), ..TasksRequest::default() };
    node.tasks(request).await.expect("tasks").tasks
}

async fn hits(node: &Handle) -> Vec<u64> {
    let request = SearchRequest { q: "Hund".into(), place: Some(BONN.into()), ..SearchRequest::default() };
    node.search(request).await.expect("search").hits.into_iter().map(|hit| hit.reports).collect()
}

fn refused<T: std::fmt::Debug>(result: Result<T, NodeError>) -> String {
    result.expect_err("must be refused").to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_a_warning_at_a_second_agent_at_once_and_a_task_at_the_owner() {
    let dir = tempfile::tempdir().expect("a directory");
    let centre = town(&dir.path().join("centre"), "Stadt Köln", "053150000000").await;
    let bonn = town(&dir.path().join("bonn"), "Stadt Bonn", BONN).await;
    join(&centre, BONN, &bonn).await;
    // A second agent's node of the same organisation.
    let token =
        centre.invite(InviteRequest { node: true, ..InviteRequest::default() }).await.expect("a node token").token;
    let desk_dir = dir.path().join("desk");
    ortsnetz_node::init_join(&desk_dir, &token).await.expect("the second node joins");
    let desk = Handle::start(config(&desk_dir)).await.expect("start");
    let fee = r#"[{"kind":"fixed","amount":2600,"currency":"EUR"}]"#;
    let dog = add(&bonn, "service", &[("title.de", "Hund anmelden"), ("valid_for.+", BONN), ("fees", fee)]).await;
    for node in [&centre, &desk] {
        eventually(node, "the entry arrives", || async {
            node.show(&dog, ShowOptions::default()).await.is_ok() && !hits(node).await.is_empty()
        })
        .await;
    }

    let add = async |new| desk.add_feedback(new).await;
    assert!(refused(add(report(&dog, "Ruf 0228 123456 an")).await).starts_with("text: holds a telephone number"));
    assert_eq!(refused(add(report(&dog, " ")).await), "text: is missing");
    let elsewhere = NewFeedback { path: "fees.7.amount".into(), ..report(&dog, "28") };
    assert!(refused(add(elsewhere).await).starts_with("path: entry"));
    let odd = NewFeedback { problem: "bad".into(), ..report(&dog, "28") };
    assert!(refused(add(odd).await).starts_with("problem: \"bad\" is none of"));
    assert_eq!(tasks(&bonn, "feedback").await, []);

    // The desk is not the publisher: what its agent writes stands there before anybody has published it.
    let made = add(report(&dog, "Seit Oktober 28 EUR.")).await.expect("add");
    assert_eq!((made.state.as_str(), made.title.as_str()), ("open", "Hund anmelden"));
    let written = Instant::now();
    assert_eq!(beside(&desk, &dog).await.len(), 1);
    eventually(&centre, "the second agent is warned", || async { beside(&centre, &dog).await.len() == 1 }).await;
    assert!(written.elapsed() < Duration::from_secs(2), "{:?}", written.elapsed());
    assert_eq!(hits(&centre).await, [1]);
    assert_eq!(centre.show(&dog, ShowOptions::default()).await.expect("show").reports[0].text, "Seit Oktober 28 EUR.");

    eventually(&bonn, "the owner has a task", || async { tasks(&bonn, "feedback").await.len() == 1 }).await;
    let task = tasks(&bonn, "feedback").await.remove(0);
    assert_eq!((task.entry.as_deref(), task.subject.as_deref()), (Some(dog.as_str()), Some(made.id.as_str())));
    assert_eq!((task.role.as_str(), task.partner.as_deref()), ("editors", Some("Stadt Köln")));
    assert_eq!(bonn.status().await.expect("status").task_counts.get("feedback"), Some(&1));
    assert_eq!(tasks(&centre, "feedback").await, [], "whoever reports has nothing to do");
    assert!(
        refused(centre.answer_feedback(&made.id, FeedbackAnswer::default()).await).contains("only they can answer")
    );

    // It is corrected, and the answer comes back.
    bonn.edit(&dog, &values(&[("fees.0.amount", "2800")])).await.expect("edit");
    bonn.publish(Some(vec![dog.clone()])).await.expect("publish");
    let no = FeedbackAnswer { state: "declined".into(), answer: String::new() };
    assert_eq!(refused(bonn.answer_feedback(&made.id, no).await), "answer: is missing");
    let done = FeedbackAnswer { state: "accepted".into(), answer: String::new() };
    bonn.answer_feedback(&made.id[..8], done).await.expect("accepted");
    eventually(&desk, "it is accepted", || async { beside(&desk, &dog).await.iter().any(|it| it.state == "accepted") })
        .await;
    assert_eq!(tasks(&bonn, "feedback").await, []);
    let done = FeedbackAnswer { state: "done".into(), answer: "Danke, ist geändert.".into() };
    bonn.answer_feedback(&made.id, done).await.expect("done");
    eventually(&desk, "it stands there no more", || async { beside(&desk, &dog).await.is_empty() }).await;
    let settled = desk.feedback(&made.id).await.expect("known");
    assert_eq!(settled.answer.as_deref(), Some("Danke, ist geändert."));
    assert!(settled.changed_since && settled.published);
    assert!(desk.feedback_list(FeedbackRequest::default()).await.expect("list").is_empty());
    let all = FeedbackRequest { all: true, partner: Some("Bonn".into()), ..FeedbackRequest::default() };
    assert_eq!(desk.feedback_list(all).await.expect("list").len(), 1);

    // Nobody else can read any of it, and a restart knows all of it.
    desk.shutdown().await;
    bonn.shutdown().await;
    let bonn = Handle::start(config(&dir.path().join("bonn"))).await.expect("start");
    assert_eq!(bonn.feedback(&made.id).await.expect("known").state, "done");
    let again = centre.add_feedback(report(&dog, "Immer noch 26.")).await.expect("add");
    eventually(&bonn, "it arrives", || async { tasks(&bonn, "feedback").await.len() == 1 }).await;
    centre.withdraw_feedback(&again.id).await.expect("withdraw");
    eventually(&bonn, "it is taken back", || async { tasks(&bonn, "feedback").await.is_empty() }).await;
    assert!(beside(&centre, &dog).await.is_empty());
    assert!(matches!(centre.feedback(&again.id).await, Err(NodeError::NotFound(_))));
    bonn.shutdown().await;
    centre.shutdown().await;
}
