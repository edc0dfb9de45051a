//! What citizens asked: recorded, taken back, followed up.

use ortsnetz_node::dto::{CallRequest, ContactInfo, ContactRequest, ContactsRequest, Figure, NewProposal};
use ortsnetz_node::{Handle, NodeError};
use serde_json::json;

use crate::agreements::{agree, offer};
use crate::{add, eventually, join, town};

const SIEGBURG: &str = "053820060060";

fn contact(outcome: &str) -> ContactRequest {
    ContactRequest { outcome: outcome.into(), seconds: 190, place: Some(SIEGBURG.into()), ..ContactRequest::default() }
}

async fn record(node: &Handle, request: ContactRequest) -> ContactInfo {
    node.add_contacts(vec![request]).await.expect("recorded").remove(0)
}

/// The contacts of this month that a node knows.
async fn known(node: &Handle) -> Vec<ContactInfo> {
    node.contacts(ContactsRequest { limit: Some(1000), ..ContactsRequest::default() }).await.expect("a list").contacts
}

fn refused<T: std::fmt::Debug>(result: Result<T, NodeError>) -> String {
    result.expect_err("must be refused").to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_is_undone_reversed_followed_up_and_survives_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let centre = town(&dir.path().join("centre"), "Stadt Köln", "053150000000").await;
    let other = town(&dir.path().join("town"), "Stadt Siegburg", SIEGBURG).await;
    join(&centre, SIEGBURG, &other).await;
    let dog = add(&other, "service", &[("title.de", "Hund anmelden"), ("leika.+", "99102013060000")]).await;
    eventually(&centre, "the service arrives", || async {
        centre.show(&dog, ortsnetz_node::dto::ShowOptions::default()).await.is_ok()
    })
    .await;
    let before = record(&centre, contact("answered")).await;
    assert_eq!((before.town.name.as_str(), before.agreement), ("Stadt Siegburg", None), "nothing is agreed yet");
    let terms = json!({"title": "Telefonservice", "stage": 3, "valid_from": "2020-01-01"});
    let agreed = agree(&centre, &other, offer("Siegburg", terms), "in_force").await;

    let topics = vec![dog.clone(), "99102013060000".into(), dog.clone()];
    let one = record(&centre, ContactRequest { topics, ..contact("answered") }).await;
    assert_eq!((one.agreement.as_deref(), one.version), (Some(agreed.id.as_str()), Some(1)));
    let [shown, leika] = one.topics.as_slice() else { panic!("two topics: {:?}", one.topics) };
    assert!(shown.starts_with(&format!("entry:{dog}@")) && leika == "leika:99102013060000", "{:?}", one.topics);
    assert!(one.at.ends_with(":00") || one.at.ends_with(":15") || one.at.ends_with(":30") || one.at.ends_with(":45"));

    // The same from a page that was offline and sends it again.
    let id = "0a".repeat(16);
    let again = ContactRequest { id: Some(id.clone()), ..contact("gave_up") };
    record(&centre, again.clone()).await;
    record(&centre, again).await;
    assert_eq!(known(&centre).await.len(), 3);
    let undone = centre.undo_contact(None).await.expect("undone");
    assert_eq!((undone.id.as_str(), undone.state.as_str()), (id.as_str(), "undone"));
    assert_eq!(known(&centre).await.len(), 2, "nothing of it stays");

    for (wrong, why) in [
        (ContactRequest { topics: vec!["Frau Muster".into()], ..contact("answered") }, "topics: \"Frau Muster\""),
        (contact("sold"), "outcome: \"sold\" is none of answered, "),
        (ContactRequest { at: Some("2099-01-01T10:00".into()), ..contact("answered") }, "at: 2099"),
        (ContactRequest { seconds: 86_401, ..contact("answered") }, "seconds: 86401"),
        (ContactRequest { town: Some("Bonn".into()), ..contact("answered") }, ""),
    ] {
        let said = refused(centre.add_contacts(vec![wrong]).await);
        assert!(said.starts_with(why), "{said}");
    }
    assert!(refused(centre.add_contacts(vec![contact("answered"); 501]).await).contains("1 to 500"));

    // Not published yet: the node that recorded it must not lose it.
    let forwarded = record(&centre, contact("forwarded")).await;
    let own = record(&centre, ContactRequest { place: None, ..contact("call_back") }).await;
    assert_eq!(own.town.name, "Stadt Köln");
    centre.shutdown().await;
    let centre = Handle::start(crate::config(&dir.path().join("centre"))).await.expect("start");
    assert_eq!(known(&centre).await.len(), 4);
    assert!(known(&other).await.is_empty(), "what can be undone has not left the house");
    centre.publish_journals(true).await.expect("published");
    eventually(&other, "the contacts arrive", || async { known(&other).await.len() == 3 }).await;
    assert!(refused(centre.undo_contact(Some(&one.id)).await).contains("contacts reverse"));
    assert!(refused(centre.undo_contact(None).await).starts_with("no contact was recorded here"));

    assert!(refused(other.reverse_contact(&one.id, "doppelt").await).contains("reports settle object"));
    assert!(refused(centre.reverse_contact(&one.id, "ruft 02241 1020 an").await).contains("telephone number"));
    centre.reverse_contact(&one.id[..8], "zweimal erfasst").await.expect("reversed");
    assert!(refused(centre.reverse_contact(&one.id, "noch einmal").await).contains("reversed already"));
    centre.publish_journals(false).await.expect("published");
    eventually(&other, "the reversal arrives", || async {
        known(&other).await.iter().any(|known| known.id == one.id && known.state == "reversed")
    })
    .await;

    // Siegburg ticks off what was forwarded, and nobody else.
    let theirs = other.follow_ups(None, true).await.expect("follow-ups");
    assert_eq!(theirs.len(), 1, "{theirs:?}");
    assert_eq!((theirs[0].number.as_str(), theirs[0].ours), (forwarded.number.as_str(), true));
    assert!(refused(centre.follow_up_done(&forwarded.number).await).contains("is for Stadt Siegburg to tick off"));
    let done = other.follow_up_done(&forwarded.number).await.expect("done");
    assert!(done.done.is_some());
    assert!(other.follow_ups(None, true).await.expect("follow-ups").is_empty());
    other.publish_journals(false).await.expect("published");
    eventually(&centre, "that it is done arrives", || async {
        let open = centre.follow_ups(None, true).await.expect("follow-ups");
        open.len() == 1 && open[0].contact == own.id
    })
    .await;
    assert!(refused(other.follow_up_done("ffffffff").await).starts_with("there is no contact"));

    // Who suggests a change is told how many heard the old text; a contact that was reversed did not.
    let suggestion = NewProposal {
        entry: dog.clone(),
        values: crate::values(&[("title.de", "Hunde anmelden")]),
        comment: "Satzung".into(),
        ..NewProposal::default()
    };
    let suggested = centre.propose(suggestion).await.expect("suggested").id;
    let heard = async || centre.proposal(&suggested).await.expect("shown").heard;
    assert_eq!(heard().await, Some(Figure::Number(0)));
    let about_dog = ContactRequest { topics: vec![dog.clone()], ..contact("answered") };
    record(&centre, about_dog.clone()).await;
    assert_eq!(heard().await, Some(Figure::Small("< 5".into())));
    centre.add_contacts(vec![about_dog; 4]).await.expect("recorded");
    assert_eq!(heard().await, Some(Figure::Number(5)));

    // A journal is no answer to a question, and the journal of another does not show in a search.
    assert!(crate::found(&other, "Journal contacts", SIEGBURG).await.is_empty());
    other.shutdown().await;
    centre.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_come_from_the_telephone_system_and_are_counted_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let centre = town(&dir.path().join("centre"), "Stadt Köln", "053150000000").await;
    let other = town(&dir.path().join("town"), "Stadt Siegburg", SIEGBURG).await;
    join(&centre, SIEGBURG, &other).await;
    let profile = add(&other, "profile", &[("names.+", "Siegburg"), ("numbers.+", "+49 2241 102-0")]).await;
    let call = |id: &str, dialled: &str| CallRequest {
        id: Some(id.into()),
        dialled: dialled.into(),
        offered: "2026-11-03T10:16:02+01:00".into(),
        answered: Some("2026-11-03T10:16:22+01:00".into()),
        ended: "2026-11-03T10:20:22+01:00".into(),
    };
    eventually(&centre, "the profile arrives", || async {
        centre.show(&profile, ortsnetz_node::dto::ShowOptions::default()).await.is_ok()
            && centre.add_call(call("1", "02241/1020")).await.is_ok()
    })
    .await;
    let again = centre.add_call(call("1", "02241 102-0")).await.expect("known");
    assert!(again.known);
    assert_eq!((again.at.as_str(), again.waited, again.talked), ("2026-11-03T10:15", 20, Some(240)));
    assert_eq!(again.town.name, "Stadt Siegburg");
    assert!(refused(centre.add_call(call("2", "0171 1234567")).await).contains("in no profile"));
    let backwards = CallRequest { answered: Some("2026-11-03T10:00:00+01:00".into()), ..call("3", "02241 1020") };
    assert!(refused(centre.add_call(backwards).await).contains("before the call was offered"));

    let mapping = "time = \"%d.%m.%Y %H:%M:%S\"\n[columns]\nid = \"Nr\"\ndialled = \"Ziel\"\noffered = \"Beginn\"\nanswered = \"An\"\nended = \"Ende\"\n";
    let mut table = "Nr;Ziel;Beginn;An;Ende\n".to_owned();
    for number in 0..1_200 {
        let answered = if number % 4 == 0 { "" } else { "03.11.2026 11:00:25" };
        table.push_str(&format!("{number};02241 102-0;03.11.2026 11:00:00;{answered};03.11.2026 11:02:00\n"));
    }
    table.push_str("x;02241 102-0;gestern;;heute\n");
    let import = || {
        let (centre, table) = (centre.clone(), table.clone());
        tokio::task::spawn_blocking(move || centre.import_calls("anrufe.csv", mapping, &mut table.as_bytes()))
    };
    let first = import().await.expect("no panic").expect("imported");
    assert_eq!((first.created, first.unchanged, first.rejected_total), (1_199, 1, 1), "call 1 is known");
    assert_eq!((first.rejected[0].line, first.ok), (1_202, true));
    let second = import().await.expect("no panic").expect("imported");
    assert_eq!((second.created, second.unchanged), (0, 1_200));
    other.shutdown().await;
    centre.shutdown().await;
}
