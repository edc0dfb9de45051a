//! What is to be done as days go by: one clock for all nodes of a process, so these have a process of their own.

mod smtp;

use std::path::Path;
use std::time::{Duration, Instant};

use ortsnetz_node::dto::{
    FeedbackAnswer, InviteRequest, NewFeedback, ProposeRequest, ShowOptions, TaskInfo, TasksRequest,
};
use ortsnetz_node::{Handle, MailConfig, MailTls, NewOrganisation, NodeConfig, NodeError, init};
use serde_json::json;

use smtp::Server;

const BONN: &str = "053140000000";
const DAY_MS: u64 = 86_400_000;

fn config(dir: &Path) -> NodeConfig {
    NodeConfig {
        data_dir: dir.to_owned(),
        listen: vec!["/ip4/127.0.0.1/tcp/0".into()],
        advertise: Vec::new(),
        http: String::new(),
        relay: None,
    }
}

async fn town(dir: &Path, name: &str, ars: &str) -> Handle {
    let organisation = NewOrganisation { name: name.into(), ars: ars.into(), kind: "municipality".into() };
    init(dir, &organisation).expect("init");
    Handle::start(config(dir)).await.expect("start")
}

fn values(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect()
}

async fn add(node: &Handle, kind: &str, list: &[(&str, &str)]) -> String {
    let id = node.create(kind, &values(list)).await.expect("create").id;
    assert_eq!(node.publish(Some(vec![id.clone()])).await.expect("publish").published.len(), 1);
    id
}

async fn tasks(node: &Handle, kind: &str) -> Vec<TaskInfo> {
    let request = TasksRequest { kind: Some(kind.into()), ..TasksRequest::default() };
    node.tasks(request).await.expect("tasks").tasks
}

fn refused<T: std::fmt::Debug>(result: Result<T, NodeError>) -> String {
    result.expect_err("must be refused").to_string()
}

/// One test at a time moves the clock.
static CLOCK: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reviews_are_tasks_until_somebody_finds_the_entry_still_correct() {
    let _clock = CLOCK.lock().await;
    let dir = tempfile::tempdir().expect("a directory");
    let bonn = town(dir.path(), "Stadt Bonn", BONN).await;
    // Published long ago in the sense of its dates: its review was due in 2020.
    let old = [("title.de", "Alt"), ("review.reviewed_at", "2019-06-30"), ("review.next_review", "2019-12-31")];
    let old = add(&bonn, "service", &old).await;
    let far = add(&bonn, "service", &[("title.de", "Neu"), ("review.next_review", "2999-12-31")]).await;
    // Publishing it now counts as having looked at it.
    assert_eq!(tasks(&bonn, "review").await, []);
    let year = 365 * DAY_MS;
    ortsnetz_node::set_forward(year);
    let due = tasks(&bonn, "review").await;
    let mine = |task: &&TaskInfo| task.entry.as_deref() == Some(old.as_str());
    assert_eq!(due.iter().filter(mine).count(), 1, "{due:?}");
    assert!(due.iter().find(mine).is_some_and(|task| task.overdue), "half a year was planned");
    assert!(!due.iter().any(|task| task.entry.as_deref() == Some(far.as_str())));

    let heads = |shown: ortsnetz_node::dto::Shown| shown.meta.heads;
    let before = heads(bonn.show(&old, ShowOptions::default()).await.expect("show"));
    bonn.edit(&old, &values(&[("title.de", "Entwurf")])).await.expect("edit");
    assert!(refused(bonn.confirm_entry(&old).await).contains("has a draft"));
    bonn.undo(&old, None).await.expect("undo");
    assert_eq!(bonn.confirm_entry(&old).await.expect("confirm").published.len(), 1);
    assert_eq!(heads(bonn.show(&old, ShowOptions::default()).await.expect("show")), before, "no new version");
    assert_eq!(tasks(&bonn, "review").await, []);
    ortsnetz_node::set_forward(184 * DAY_MS);
    assert_eq!(tasks(&bonn, "review").await.len(), 1, "and due again as long after as it was planned before");
    ortsnetz_node::set_back(year + 184 * DAY_MS);
    let draft = bonn.create("service", &values(&[("title.de", "Nie veröffentlicht")])).await.expect("create").id;
    assert!(refused(bonn.confirm_entry(&draft).await).contains("is not published"));
    let wrong = TasksRequest { role: Some("mayor".into()), ..TasksRequest::default() };
    assert!(refused(bonn.tasks(wrong).await).starts_with("role: \"mayor\" is none of editors"));
    let many = |limit| TasksRequest { limit: Some(limit), ..TasksRequest::default() };
    assert!(bonn.tasks(many(1_000)).await.is_ok());
    assert!(refused(bonn.tasks(many(1_001)).await).starts_with("limit: 1001 tasks"));
    bonn.shutdown().await;
}

/// Waits until `check` holds.
async fn eventually<F, Fut>(what: &str, mut check: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let wait = async {
        while !check().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.unwrap_or_else(|_| panic!("{what} did not happen"));
}

fn mail(port: u16) -> MailConfig {
    let to = [("editors", "redaktion@bonn.example"), ("escalation", "leitung@bonn.example")];
    MailConfig {
        server: "127.0.0.1".into(),
        port,
        tls: MailTls::None,
        user: String::new(),
        password_file: None,
        from: "Ortsnetz <ortsnetz@bonn.example>".into(),
        digest_at: "00:00".into(),
        to: to.into_iter().map(|(role, address)| (role.to_owned(), address.to_owned())).collect(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_a_mail_at_once_and_one_to_another_mailbox_when_nobody_answers() {
    let _clock = CLOCK.lock().await;
    let dir = tempfile::tempdir().expect("a directory");
    let centre = town(&dir.path().join("centre"), "Stadt Köln", "053150000000").await;
    let bonn_dir = dir.path().join("bonn");
    let bonn = town(&bonn_dir, "Stadt Bonn", BONN).await;
    let request = InviteRequest { for_ars: Some(BONN.into()), trust: true, ..InviteRequest::default() };
    bonn.join(&centre.invite(request).await.expect("invite").token, false).await.expect("join");
    // Two hours to answer; without service hours all count.
    let targets =
        json!({"accepted_percent": 75, "accepted_seconds": 30, "first_contact_percent": 65, "answer_hours": 2});
    let terms = json!({"title": "Telefon", "stage": 3, "valid_from": "2020-01-01", "targets": targets});
    let request = ProposeRequest { partner: "Bonn".into(), we_answer: true, terms, ..ProposeRequest::default() };
    let offered = centre.propose_agreement(request).await.expect("offer").id;
    eventually("the offer arrives", || async { bonn.agreement(&offered).await.is_ok() }).await;
    bonn.sign_agreement(&offered).await.expect("sign");
    let dog = add(&bonn, "service", &[("title.de", "Hund anmelden"), ("valid_for.+", BONN)]).await;
    eventually("the entry arrives", || async { centre.show(&dog, ShowOptions::default()).await.is_ok() }).await;

    assert!(refused(bonn.mail().await).contains("no mails go out here"));
    let server = Server::start().await;
    bonn.start_mail(&mail(server.port())).expect("mail");
    let report = NewFeedback {
        entry: dog.clone(),
        problem: "outdated".into(),
        text: "Seit Oktober 28 EUR.".into(),
        ..NewFeedback::default()
    };
    let made = centre.add_feedback(report).await.expect("add");
    let written = Instant::now();
    let to_editors = |mail: &smtp::Received| mail.subject().starts_with("Fehlermeldung");
    eventually("the mail comes", || async { server.count(to_editors) == 1 }).await;
    assert!(written.elapsed() < Duration::from_secs(5), "{:?}", written.elapsed());
    let first = server.find(to_editors).expect("it came");
    assert_eq!(first.to, ["redaktion@bonn.example"]);
    assert_eq!(first.subject(), "Fehlermeldung: „Hund anmelden“ (veraltet)");
    assert!(first.body().contains("Stadt Köln meldet einen Fehler"), "{}", first.body());
    assert!(first.body().contains("Seit Oktober 28 EUR."), "{}", first.body());
    assert!(first.body().contains(&format!("ortsnetz feedback answer {} done", &made.id[..8])), "{}", first.body());
    // The mail of the day lists it, too: its hour is past.
    eventually("the digest comes", || async { server.count(|mail| mail.subject() == "1 Aufgabe") == 1 }).await;

    // A restart makes none twice.
    bonn.shutdown().await;
    let bonn = Handle::start(config(&bonn_dir)).await.expect("start");
    bonn.start_mail(&mail(server.port())).expect("mail");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(server.count(|_| true), 2);

    // Two hours later nobody has answered. The server is out of order meanwhile: the mail waits, over a restart, too.
    server.refuse(true);
    ortsnetz_node::set_forward(2 * 3_600_000 + 60_000);
    eventually("the mail waits", || async {
        bonn.mail()
            .await
            .is_ok_and(|report| report.queued.iter().any(|mail| mail.role == "escalation" && mail.attempts == 1))
    })
    .await;
    let waiting = bonn.mail().await.expect("mail").queued.remove(0);
    assert!(waiting.error.as_ref().is_some_and(|error| error.contains("451")), "{waiting:?}");
    let tried = bonn.test_mail(Some("escalation".into())).await.expect("tried");
    assert!(!tried[0].sent && tried[0].error.is_some());
    bonn.shutdown().await;
    let bonn = Handle::start(config(&bonn_dir)).await.expect("start");
    bonn.start_mail(&mail(server.port())).expect("mail");
    ortsnetz_node::set_forward(90_000);
    eventually("it is an alarm", || async {
        let alarms = bonn.status().await.expect("status").alarms;
        alarms.iter().any(|alarm| alarm.kind == "mail_failed" && alarm.message.contains("Unbeantwortete"))
    })
    .await;
    server.refuse(false);
    ortsnetz_node::set_forward(2 * 3_600_000);
    let to_head = |mail: &smtp::Received| mail.subject().starts_with("Unbeantwortete Fehlermeldung");
    eventually("the escalation comes", || async { server.count(to_head) == 1 }).await;
    let late = server.find(to_head).expect("it came");
    assert_eq!(late.to, ["leitung@bonn.example"]);
    assert!(late.body().contains("mehr als 2 Servicestunden") && !late.body().contains("28 EUR"), "{}", late.body());
    assert!(bonn.mail().await.expect("mail").queued.is_empty());

    let tried = bonn.test_mail(None).await.expect("tried");
    assert!(tried.len() == 2 && tried.iter().all(|one| one.sent), "{tried:?}");
    assert!(refused(bonn.test_mail(Some("mayor".into())).await).contains("has no mailbox"));
    bonn.answer_feedback(&made.id, FeedbackAnswer { state: "done".into(), answer: String::new() }).await.expect("done");
    ortsnetz_node::set_back(4 * 3_600_000 + 150_000);
    bonn.shutdown().await;
    centre.shutdown().await;
}
