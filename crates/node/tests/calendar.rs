//! What is to be done as days go by: one clock for all nodes of a process, so these have a process of their own.

use std::path::Path;

use ortsnetz_node::dto::{ShowOptions, TaskInfo, TasksRequest};
use ortsnetz_node::{Handle, NewOrganisation, NodeConfig, NodeError, init};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reviews_are_tasks_until_somebody_finds_the_entry_still_correct() {
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
