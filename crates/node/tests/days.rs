//! Days that pass, and a clock that is wrong. It belongs to the process, so these tests run one after the other, in a
//! program of their own.

use std::path::Path;
use std::time::Duration;

use ortsnetz_node::dto::{
    ExportRequest, InviteRequest, LeaveRequest, PartnerStatus, SearchRequest, ShowOptions, Shown,
};
use ortsnetz_node::{Handle, NewOrganisation, NodeConfig, NodeError, init, set_back, set_forward};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Held by the test that moves the clock.
static CLOCK: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn town(dir: &Path, name: &str, ars: &str) -> Handle {
    init(dir, &NewOrganisation { name: name.into(), ars: ars.into(), kind: "municipality".into() }).expect("init");
    start(dir, "/ip4/127.0.0.1/tcp/0").await
}

async fn start(dir: &Path, address: &str) -> Handle {
    let listen = vec![address.into()];
    let config =
        NodeConfig { data_dir: dir.to_owned(), listen, advertise: Vec::new(), http: String::new(), relay: None };
    Handle::start(config).await.expect("start")
}

fn values(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect()
}

async fn publish(node: &Handle, id: &str) {
    assert_eq!(node.publish(Some(vec![id.into()])).await.expect("publish").published.len(), 1);
}

async fn today(node: &Handle, id: &str) -> String {
    let published = node.show(id, ShowOptions::default()).await.expect("show").meta.published_at.expect("a time");
    // The day in Berlin is at most one later; both are asked for below by what is in force at their end.
    published[..10].to_owned()
}

async fn on(node: &Handle, id: &str, day: &str) -> Result<Shown, NodeError> {
    node.show(id, ShowOptions { on: Some(day.into()), ..ShowOptions::default() }).await
}

fn fee(shown: &Shown) -> u64 {
    shown.entry["fees"][0]["amount"].as_u64().expect("a fee")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_in_the_past_is_answered_as_it_was_told_that_day() {
    let _clock = CLOCK.lock().await;
    let dir = tempfile::tempdir().expect("a directory");
    let siegburg = town(&dir.path().join("siegburg"), "Stadt Siegburg", "053820060060").await;
    let bonn = town(&dir.path().join("bonn"), "Bundesstadt Bonn", "053140000000").await;
    let request = InviteRequest { for_ars: Some("053140000000".into()), trust: true, ..InviteRequest::default() };
    let token = siegburg.invite(request).await.expect("invite").token;
    bonn.join(&token, false).await.expect("join");
    let list = [("title.de", "Reisepass"), ("fees.0.kind", "fixed"), ("fees.0.amount", "6000")];
    let id = siegburg.create("service", &values(&list)).await.expect("create").id;
    publish(&siegburg, &id).await;
    let first = today(&siegburg, &id).await;
    // Two days later it costs more, four days later it is gone, six days later it is back.
    set_forward(2 * DAY_MS);
    siegburg.edit(&id, &values(&[("fees.0.amount", "7000")])).await.expect("edit");
    publish(&siegburg, &id).await;
    let second = today(&siegburg, &id).await;
    set_forward(2 * DAY_MS);
    siegburg.withdraw(&id).await.expect("withdraw");
    let third = today(&siegburg, &id).await;
    set_forward(2 * DAY_MS);
    siegburg.edit(&id, &values(&[("fees.0.amount", "8000")])).await.expect("edit");
    publish(&siegburg, &id).await;
    let fourth = today(&siegburg, &id).await;
    let arrived = async {
        while bonn.show(&id, ShowOptions::default()).await.map_or(0, |shown| fee_or(&shown)) != 8000 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), arrived).await.expect("the last version arrives");

    for (day, amount) in [(&first, 6000), (&second, 7000), (&fourth, 8000)] {
        let owner = on(&siegburg, &id, day).await.expect("known");
        assert_eq!(fee(&owner), amount, "{day} at the owner");
        let reader = on(&bonn, &id, day).await.expect("known");
        assert_eq!(fee(&reader), amount, "{day} at the reader");
        let by = |shown: &Shown| shown.meta.told.as_ref().map(|told| told.known_by.clone()).unwrap_or_default();
        if *day == fourth {
            assert_eq!((by(&owner).as_str(), by(&reader).as_str()), ("present", "present"));
        } else {
            assert_eq!((by(&owner).as_str(), by(&reader).as_str()), ("records", "changes"));
        }
    }
    // Only the owner knows that it was gone for a while; the reader says how it knows what it says.
    assert_eq!(on(&siegburg, &id, &third).await.expect("known").meta.state, "withdrawn");
    assert_eq!(fee(&on(&bonn, &id, &third).await.expect("known")), 7000);
    let before = on(&siegburg, &id, "2020-01-01").await.expect_err("nothing was published then");
    assert!(matches!(&before, NodeError::NotFound(line) if line.contains("not published yet")), "{before}");
    let ahead = on(&siegburg, &id, "2099-01-01").await.expect("a day to come");
    assert_eq!((fee(&ahead), ahead.meta.told.expect("told").known_by.as_str()), (8000, "planned"));
    bonn.shutdown().await;
    siegburg.shutdown().await;
}

fn fee_or(shown: &Shown) -> u64 {
    shown.entry.get("fees").and_then(|fees| fees[0]["amount"].as_u64()).unwrap_or_default()
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

async fn address(node: &Handle) -> String {
    node.status().await.expect("status").node.addresses.first().cloned().expect("an address")
}

async fn title(node: &Handle, id: &str) -> String {
    let shown = node.show(id, ShowOptions::default()).await;
    let text = |shown: Shown| {
        let title = shown.entry.get("title").map(|title| title["de"].to_string());
        format!("{} {}", shown.meta.state, title.unwrap_or_default())
    };
    shown.map_or_else(|error| error.to_string(), text)
}

async fn alarms(node: &Handle) -> Vec<String> {
    node.status().await.expect("status").alarms.into_iter().map(|alarm| alarm.kind).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_town_whose_clock_was_ahead_is_told_so_and_heals_with_a_new_term() {
    let _clock = CLOCK.lock().await;
    let dir = tempfile::tempdir().expect("a directory");
    let (town_dir, bonn_dir) = (dir.path().join("siegburg"), dir.path().join("bonn"));
    let siegburg = town(&town_dir, "Stadt Siegburg", "053820060060").await;
    let bonn = town(&bonn_dir, "Bundesstadt Bonn", "053140000000").await;
    let request = InviteRequest { for_ars: Some("053140000000".into()), trust: true, ..InviteRequest::default() };
    let token = siegburg.invite(request).await.expect("invite").token;
    bonn.join(&token, false).await.expect("join");
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(siegburg.create("service", &values(&[("title.de", "Vorher")])).await.expect("create").id);
        publish(&siegburg, ids.last().expect("one")).await;
    }
    for id in &ids {
        eventually("Bonn has it", async || title(&bonn, id).await == "published \"Vorher\"").await;
    }
    let (siegburg_at, bonn_at) = (address(&siegburg).await, address(&bonn).await);
    bonn.shutdown().await;
    siegburg.shutdown().await;

    // One start with a clock 30 days ahead, a change and a withdrawal. Then the clock is right again.
    set_forward(30 * DAY_MS);
    let siegburg = start(&town_dir, &siegburg_at).await;
    siegburg.edit(&ids[0], &values(&[("title.de", "Zukunft")])).await.expect("edit");
    publish(&siegburg, &ids[0]).await;
    siegburg.withdraw(&ids[1]).await.expect("withdraw");
    siegburg.shutdown().await;
    set_back(30 * DAY_MS);
    let siegburg = start(&town_dir, &siegburg_at).await;
    siegburg.edit(&ids[2], &values(&[("title.de", "Nachher")])).await.expect("edit");
    publish(&siegburg, &ids[2]).await;
    siegburg.edit(&ids[0], &values(&[("texts.notes.de", "nur ein Entwurf")])).await.expect("edit");
    let told = alarms(&siegburg).await;
    assert!(told.contains(&"clock_ahead".to_owned()) && !told.contains(&"stale".to_owned()), "{told:?}");

    let bonn = start(&bonn_dir, &bonn_at).await;
    eventually("Bonn holds it back", async || alarms(&bonn).await.contains(&"clock_ahead".to_owned())).await;
    for id in &ids {
        assert_eq!(title(&bonn, id).await, "published \"Vorher\"", "the former state stays");
    }
    siegburg.take_publisher().await.expect("a new term");
    eventually("Bonn takes it in", async || title(&bonn, &ids[0]).await == "published \"Zukunft\"").await;
    eventually("the withdrawal, too", async || title(&bonn, &ids[1]).await.starts_with("withdrawn")).await;
    eventually("and the last", async || title(&bonn, &ids[2]).await == "published \"Nachher\"").await;
    let shown = bonn.show(&ids[0], ShowOptions::default()).await.expect("show");
    assert!(shown.entry.get("texts").is_none(), "drafts stay drafts: {:?}", shown.entry);
    let detail = async || bonn.compare("Stadt Siegburg").await.is_ok_and(|comparison| comparison.identical);
    eventually("both are identical", detail).await;
    eventually("the alarm is over", async || !alarms(&siegburg).await.contains(&"clock_ahead".to_owned())).await;
    // It goes on from the right time, also after a restart.
    siegburg.shutdown().await;
    let siegburg = start(&town_dir, &siegburg_at).await;
    siegburg.edit(&ids[2], &values(&[("title.de", "Später")])).await.expect("edit");
    publish(&siegburg, &ids[2]).await;
    assert!(!alarms(&siegburg).await.contains(&"clock_ahead".to_owned()));
    for node in [&siegburg, &bonn] {
        assert_eq!(node.store_check().await.expect("check").problems, Vec::<String>::new());
        node.shutdown().await;
    }
}

async fn hits(node: &Handle, words: &str) -> Vec<ortsnetz_node::dto::Hit> {
    let request = SearchRequest { q: words.into(), ..SearchRequest::default() };
    node.search(request).await.map(|result| result.hits).unwrap_or_default()
}

async fn partner_of(node: &Handle, name: &str) -> PartnerStatus {
    let partners = node.status().await.expect("status").partners;
    partners.into_iter().find(|partner| partner.name == name).expect("a partner")
}

async fn befriend(one: &Handle, other: &Handle, ars: &str) {
    let request = InviteRequest { for_ars: Some(ars.into()), trust: true, ..InviteRequest::default() };
    let token = one.invite(request).await.expect("invite").token;
    other.join(&token, false).await.expect("join");
}

fn export(node: &Handle, request: &ExportRequest) -> String {
    let mut out = Vec::new();
    node.export(request, &mut out).expect("an export");
    String::from_utf8(out).expect("text")
}

const DRAFTS: ExportRequest =
    ExportRequest { format: String::new(), organisation: None, companions: true, drafts: true };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_town_leaves_is_marked_from_the_day_on_and_deleted_when_the_term_is_over() {
    let _clock = CLOCK.lock().await;
    let dir = tempfile::tempdir().expect("a directory");
    let dirs = ["siegburg", "bonn", "koeln", "hennef"].map(|name| dir.path().join(name));
    let siegburg = town(&dirs[0], "Stadt Siegburg", "053820060060").await;
    let bonn = town(&dirs[1], "Stadt Bonn", "053140000000").await;
    let koeln = town(&dirs[2], "Stadt Köln", "053150000000").await;
    let hennef = town(&dirs[3], "Stadt Hennef", "053820020020").await;
    befriend(&siegburg, &bonn, "053140000000").await;
    befriend(&siegburg, &koeln, "053150000000").await;
    befriend(&bonn, &koeln, "053150000000").await;
    befriend(&bonn, &hennef, "053820020020").await;
    let list = [("title.de", "Reisepass"), ("companions.partners.agent_note.de", "Zimmer 4")];
    let id = siegburg.create("service", &values(&list)).await.expect("create").id;
    publish(&siegburg, &id).await;
    siegburg.create("service", &values(&[("title.de", "Niederschrift")])).await.expect("a draft");
    for reader in [&bonn, &koeln, &hennef] {
        eventually("it arrives", async || title(reader, &id).await == "published \"Reisepass\"").await;
    }
    let addresses = [address(&siegburg).await, address(&bonn).await, address(&koeln).await];

    // Three days ahead: only root's side says it, with its name repeated, and takes it back before the day.
    let first_day = ortsnetz_model::dates::parse_date(&today(&siegburg, &id).await).expect("a date");
    let on = (0..3).fold(first_day, |day, _| day.tomorrow().expect("a day")).to_string();
    let ask = |confirm: &str| LeaveRequest {
        on: Some(on.clone()),
        telephone: Some("+49 2241 102-0".into()),
        keep_days: Some(10),
        confirm: confirm.into(),
        ..LeaveRequest::default()
    };
    let refused = siegburg.leave(ask("Stadt Bonn")).await.expect_err("another name");
    assert!(refused.to_string().contains("--yes \"Stadt Siegburg\""), "{refused}");
    let said = siegburg.leave(ask("Stadt Siegburg")).await.expect("said");
    assert_eq!((said.of, said.waiting.len(), said.deleted.len()), (2, 2, 0));
    let warned = async |node: &Handle| {
        let tasks = node.status().await.expect("status").tasks;
        tasks.into_iter().any(|task| task.kind == "leaving" && task.message.contains("+49 2241 102-0"))
    };
    eventually("Bonn is warned", async || warned(&bonn).await).await;
    assert!(!warned(&hennef).await, "Hennef has no partnership with it");
    let undo = LeaveRequest { undo: true, confirm: "Stadt Siegburg".into(), ..LeaveRequest::default() };
    siegburg.leave(undo.clone()).await.expect("taken back");
    eventually("Bonn hears that it stays", async || !warned(&bonn).await).await;
    siegburg.leave(ask("Stadt Siegburg")).await.expect("said again");
    eventually("Bonn is warned again", async || warned(&bonn).await).await;
    publish(&siegburg, &id).await;
    let plain = async || hits(&bonn, "Reisepass").await.first().is_some_and(|hit| hit.remark.is_none());
    eventually("until the day nothing is marked", plain).await;
    koeln.shutdown().await;

    // The day comes.
    set_forward(4 * DAY_MS);
    let sentence = format!("no longer takes part since {on}, telephone +49 2241 102-0");
    for reader in [&bonn, &hennef] {
        eventually("a hit says so", async || {
            hits(reader, "Reisepass").await.first().is_some_and(|hit| hit.remark.as_deref() == Some(&sentence))
        })
        .await;
        let meta = reader.show(&id, ShowOptions::default()).await.expect("show").meta;
        assert_eq!(
            meta.organisation.leaving.map(|leaving| (leaving.left, leaving.sentence)),
            Some((true, sentence.clone()))
        );
    }
    assert_eq!(partner_of(&bonn, "Stadt Siegburg").await.leaving.map(|leaving| leaving.left), Some(true));
    let there = SearchRequest { q: "Reisepass".into(), place: Some("053820060060".into()), ..SearchRequest::default() };
    let found = bonn.search(there.clone()).await.expect("search");
    assert_eq!(found.left.len(), 1, "who asks for the place is told");
    let refusal = match siegburg.publish(Some(vec![id.clone()])).await {
        Ok(report) => report.refused.into_iter().map(|refused| refused.reason).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    };
    assert!(refusal.contains("takes part no more"), "{refusal}");
    let late = siegburg.leave(undo.clone()).await.expect_err("too late");
    assert!(late.to_string().contains("the day has passed"), "{late}");
    assert!(siegburg.invite(InviteRequest::default()).await.is_err());
    let all = export(&siegburg, &DRAFTS);
    for words in ["Reisepass", "Niederschrift", "Zimmer 4"] {
        assert!(all.contains(words), "{words} is missing in {all}");
    }

    // The term is over: Bonn deletes and says so, Hennef deletes; Köln is away.
    set_forward(10 * DAY_MS);
    for reader in [&bonn, &hennef] {
        eventually("nothing is left", async || {
            hits(reader, "Reisepass").await.is_empty() && title(reader, &id).await.contains("no entry")
        })
        .await;
    }
    let told = async || siegburg.farewell().await.expect("a report");
    eventually("Siegburg hears of it", async || told().await.deleted.len() == 1).await;
    let report = told().await;
    assert_eq!((report.deleted[0].name.as_str(), report.deleted[0].entries, report.of), ("Stadt Bonn", 1, 2));
    assert_eq!(report.waiting, ["Stadt Köln"]);
    assert_eq!(partner_of(&bonn, "Stadt Siegburg").await.deletion.map(|deletion| deletion.entries), Some(1));
    let found = bonn.search(there).await.expect("search");
    assert_eq!((found.hits.len(), found.left.len()), (0, 1), "and whoever asks is still told");

    // Siegburg is gone. Köln was away all the time and learns it from Bonn.
    siegburg.shutdown().await;
    let koeln = start(&dirs[2], &addresses[2]).await;
    eventually("Köln learns it and deletes", async || {
        hits(&koeln, "Reisepass").await.is_empty()
            && partner_of(&koeln, "Stadt Siegburg").await.deletion.is_some_and(|deletion| deletion.entries == 1)
    })
    .await;
    // And Siegburg from Köln, once it runs again.
    let siegburg = start(&dirs[0], &addresses[0]).await;
    let report = async || siegburg.farewell().await.expect("a report");
    eventually("both have said so", async || report().await.deleted.len() == 2).await;
    assert!(report().await.waiting.is_empty());
    // A restart changes nothing of it.
    bonn.shutdown().await;
    let bonn = start(&dirs[1], &addresses[1]).await;
    assert_eq!(partner_of(&bonn, "Stadt Siegburg").await.deletion.map(|deletion| deletion.entries), Some(1));
    assert!(export(&siegburg, &DRAFTS).contains("Reisepass"), "at home everything stays");
    for node in [&siegburg, &bonn, &koeln, &hennef] {
        assert_eq!(node.store_check().await.expect("check").problems, Vec::<String>::new());
        node.shutdown().await;
    }
}
