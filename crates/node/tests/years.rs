//! Two years pass. The clock belongs to the process, so this is a program of its own with one test.

use std::path::Path;
use std::time::Duration;

use ortsnetz_node::dto::{AlarmInfo, InviteRequest, SearchRequest, ShowOptions};
use ortsnetz_node::{Handle, NewOrganisation, NodeConfig, init, set_forward};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

async fn town(dir: &Path, name: &str, ars: &str) -> Handle {
    init(dir, &NewOrganisation { name: name.into(), ars: ars.into(), kind: "municipality".into() }).expect("init");
    let listen = vec!["/ip4/127.0.0.1/tcp/0".into()];
    let config =
        NodeConfig { data_dir: dir.to_owned(), listen, advertise: Vec::new(), http: String::new(), relay: None };
    Handle::start(config).await.expect("start")
}

fn values(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect()
}

async fn alarms(node: &Handle, kind: &str) -> Vec<AlarmInfo> {
    let all = node.status().await.expect("status").alarms;
    all.into_iter().filter(|alarm| alarm.kind == kind).collect()
}

async fn title(node: &Handle, id: &str) -> String {
    let shown = node.show(id, ShowOptions::default()).await;
    shown.ok().and_then(|shown| shown.entry["title"]["de"].as_str().map(str::to_owned)).unwrap_or_default()
}

async fn eventually<F: Future<Output = bool>>(what: &str, mut check: impl FnMut() -> F) {
    let wait = async {
        while !check().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(90), wait).await.is_ok(), "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_town_that_forgets_its_certificate_is_warned_stays_readable_and_goes_on_after_one_command() {
    let dir = tempfile::tempdir().expect("a directory");
    let siegburg = town(&dir.path().join("siegburg"), "Stadt Siegburg", "053820060060").await;
    let bonn = town(&dir.path().join("bonn"), "Bundesstadt Bonn", "053140000000").await;
    let request = InviteRequest { for_ars: Some("053140000000".into()), trust: true, ..InviteRequest::default() };
    let token = siegburg.invite(request).await.expect("invite").token;
    bonn.join(&token, false).await.expect("join");
    let list = [("title.de", "Reisepass"), ("valid_for.+", "053820060060")];
    let id = siegburg.create("service", &values(&list)).await.expect("create").id;
    siegburg.publish(Some(vec![id.clone()])).await.expect("publish");
    eventually("Bonn reads it", || async { title(&bonn, &id).await == "Reisepass" }).await;
    assert!(siegburg.renew_nodes(None).await.expect("renew").renewed.is_empty(), "nothing ends soon");

    // Each step is told where it can be acted upon, and to partners when it is time to call.
    set_forward(730 * DAY_MS - 91 * DAY_MS);
    assert_eq!(alarms(&siegburg, "certificate_ends").await.len(), 0);
    for (forward, step) in [(2, "90 days"), (60, "30 days"), (23, "7 days")] {
        set_forward(forward * DAY_MS);
        let told = alarms(&siegburg, "certificate_ends").await;
        assert!(told.len() == 1 && told[0].message.contains(step), "{told:?}");
        assert!(told[0].message.contains("`ortsnetz nodes renew`"), "{told:?}");
        let doctor = siegburg.doctor().await.expect("doctor");
        assert!(doctor.checks.iter().any(|line| line.check == "certificate" && line.result == "warning"));
        assert_eq!(alarms(&bonn, "partner_certificate_ends").await.len(), usize::from(step == "7 days"));
    }

    // Nobody acted. Bonn's own certificate is renewed, Siegburg's has ended.
    assert_eq!(bonn.renew_nodes(None).await.expect("renew").renewed.len(), 1);
    assert_eq!(alarms(&bonn, "certificate_ends").await.len(), 0, "one command");
    set_forward(8 * DAY_MS);
    let told = alarms(&bonn, "partner_certificate_ends").await;
    assert!(told.len() == 1 && told[0].message.contains("stay readable as they were then"), "{told:?}");
    assert!(alarms(&siegburg, "certificate_ends").await[0].message.contains("ended at"));
    assert!(!siegburg.doctor().await.expect("doctor").ok);
    // The last verified state is answered, and marked.
    let shown = bonn.show(&id, ShowOptions::default()).await.expect("still readable");
    assert_eq!(shown.entry["title"]["de"], "Reisepass");
    assert!(shown.meta.verified && shown.meta.organisation.expired_since.is_some(), "{:?}", shown.meta);
    let asked = || SearchRequest { q: "reisepass".into(), ..SearchRequest::default() };
    eventually("it is found", || async { bonn.search(asked()).await.expect("search").hits.len() == 1 }).await;
    let hit = bonn.search(asked()).await.expect("search").hits.remove(0);
    assert!(hit.organisation.expired_since.is_some(), "{hit:?}");
    // What it says now is held back, not lost; nobody is blamed for it.
    siegburg.edit(&id, &values(&[("title.de", "Reisepass beantragen")])).await.expect("edit");
    siegburg.publish(Some(vec![id.clone()])).await.expect("publish");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(title(&bonn, &id).await, "Reisepass");
    assert_eq!(alarms(&bonn, "invalid_record").await.len(), 0);

    let renewed = siegburg.renew_nodes(None).await.expect("renew").renewed;
    assert!(renewed.len() == 1 && renewed[0].state == "valid", "{renewed:?}");
    assert_eq!(alarms(&siegburg, "certificate_ends").await.len(), 0);
    assert!(siegburg.doctor().await.expect("doctor").checks.iter().all(|line| line.check != "certificate"));
    eventually("what was held back counts", || async { title(&bonn, &id).await == "Reisepass beantragen" }).await;
    let shown = bonn.show(&id, ShowOptions::default()).await.expect("readable");
    assert_eq!(shown.meta.organisation.expired_since, None);
    assert_eq!(alarms(&bonn, "partner_certificate_ends").await.len(), 0);
    bonn.shutdown().await;
    siegburg.shutdown().await;
}
