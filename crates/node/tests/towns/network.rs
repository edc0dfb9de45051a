//! Three towns in a line, and somebody who claims to be one of them.

use ortsnetz_node::Handle;
use ortsnetz_node::dto::{InviteRequest, SearchRequest, ShowOptions};

use crate::{add, eventually, found, join, publish, town};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_partner_relays_is_verified_and_stands_below_partners() {
    let dir = tempfile::tempdir().expect("a directory");
    let a = town(&dir.path().join("a"), "Stadt Hürth", "053620028028").await;
    let b = town(&dir.path().join("b"), "Stadt Köln", "053150000000").await;
    let c = town(&dir.path().join("c"), "Stadt Bonn", "053140000000").await;
    join(&b, "053620028028", &a).await;
    join(&b, "053140000000", &c).await;
    let id = publish(&a, "Sperrmüll anmelden", "053620028028").await;
    eventually(&c, "the entry arrives by relay", || async {
        c.show(&id, ShowOptions::default()).await.is_ok_and(|shown| shown.meta.state == "published")
    })
    .await;
    let meta = c.show(&id, ShowOptions::default()).await.expect("show").meta;
    assert!(meta.verified);
    assert_eq!(meta.organisation.standing.as_deref(), Some("introduced"));
    assert_eq!(meta.organisation.introduced_by.as_deref(), Some("Stadt Köln"));
    assert_eq!(meta.received_from.as_deref(), Some("Stadt Köln"));
    eventually(&c, "it is found", || async { found(&c, "Sperrmüll", "Hürth").await == [id.clone()] }).await;
    // A person in Köln confirmed who Hürth is, so its claim counts here; Düren is known to Hürth only, and no partner.
    let d = town(&dir.path().join("d"), "Stadt Düren", "053580008008").await;
    join(&a, "053580008008", &d).await;
    let further = publish(&d, "Sperrmüll anmelden", "053580008008").await;
    let at = async |ars: &str| {
        let request = SearchRequest { q: "Sperrmüll".into(), place: Some(ars.into()), ..SearchRequest::default() };
        c.search(request).await.expect("search").hits
    };
    eventually(&c, "the further one is found", || async {
        found(&c, "Sperrmüll", "053580008008").await == [further.clone()]
    })
    .await;
    let vouched = &at("Hürth").await[0];
    assert_eq!((vouched.remark.as_deref(), vouched.organisation.place_state.as_deref()), (None, Some("introduced")));
    let relayed = &at("053580008008").await[0];
    assert_eq!(relayed.organisation.place_state.as_deref(), Some("unconfirmed"));
    assert_eq!(relayed.remark.as_deref(), Some("town not yet confirmed"));

    a.withdraw(&id).await.expect("withdraw");
    eventually(&c, "the withdrawal arrives by relay", || async {
        c.show(&id, ShowOptions::default()).await.is_ok_and(|shown| shown.meta.state == "withdrawn")
    })
    .await;
    for node in [&a, &b, &c, &d] {
        assert_eq!(node.store_check().await.expect("check").problems, Vec::<String>::new());
        node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invented_town_behind_a_partner_never_outranks_the_real_one_and_raises_an_alarm() {
    let dir = tempfile::tempdir().expect("a directory");
    let koeln = town(&dir.path().join("koeln"), "Stadt Köln", "053150000000").await;
    let bonn = town(&dir.path().join("bonn"), "Stadt Bonn", "053140000000").await;
    let siegburg = town(&dir.path().join("siegburg"), "Stadt Siegburg", "053820060060").await;
    let invented = town(&dir.path().join("invented"), "Stadt Köln", "053150000000").await;
    join(&siegburg, "053150000000", &koeln).await;
    join(&siegburg, "053140000000", &bonn).await;
    join(&bonn, "053150000000", &invented).await;
    let real = publish(&koeln, "Gewerbe anmelden", "053150000000").await;
    let claimed = publish(&invented, "Gewerbe anmelden Gewerbe anmelden", "053150000000").await;
    eventually(&siegburg, "both are found, the partner first", || async {
        found(&siegburg, "Gewerbe anmelden", "Köln").await == [real.clone(), claimed.clone()]
    })
    .await;
    let request =
        SearchRequest { q: "Gewerbe anmelden".into(), place: Some("Köln".into()), ..SearchRequest::default() };
    let hits = siegburg.search(request).await.expect("search").hits;
    assert_eq!(hits[0].organisation.standing.as_deref(), Some("partner"));
    assert_eq!(hits[1].organisation.standing.as_deref(), Some("introduced"));
    assert_eq!(hits[1].remark.as_deref(), Some("not from the responsible town"));
    assert_eq!(hits[1].organisation.place_state.as_deref(), Some("contradicted"));
    // Without a place, too, and although only the invented one has the word in its title.
    let about = service(&koeln, "Allgemeine Auskunft", "Wer eine Hochzeit plant, ruft an.").await;
    let lure = service(&invented, "Hochzeit", "Hier entlang.").await;
    eventually(&siegburg, "both are found, the partner first", || async {
        let request = SearchRequest { q: "Hochzeit".into(), ..SearchRequest::default() };
        let hits = siegburg.search(request).await.map(|result| result.hits).unwrap_or_default();
        hits.into_iter().map(|hit| hit.id).collect::<Vec<_>>() == [about.clone(), lure.clone()]
    })
    .await;
    // Nor does it change where others are: a district of that name would make the place ambiguous.
    let profile = [("names.+", "Köln"), ("ars", "053150000000"), ("districts.+", r#"{"name":"Siegburg"}"#)];
    let profile = add(&invented, "profile", &profile).await;
    eventually(&siegburg, "the profile is here", || async {
        siegburg.show(&profile, ShowOptions::default()).await.is_ok()
    })
    .await;
    let after = publish(&invented, "Nach dem Profil", "053150000000").await;
    eventually(&siegburg, "what came after it is indexed", || async {
        found(&siegburg, "Nach dem Profil", "Köln").await == [after.clone()]
    })
    .await;
    assert_eq!(siegburg.places("Siegburg", None).await.expect("places").len(), 1);
    eventually(&siegburg, "an alarm names the claim", || async {
        siegburg.status().await.is_ok_and(|status| {
            status
                .alarms
                .iter()
                .any(|alarm| alarm.kind == "place_claimed_twice" && alarm.partner.as_deref() == Some("Stadt Bonn"))
        })
    })
    .await;
    // Another one comes by an invitation of our own that went astray: whoever confirms it is told.
    let astray = town(&dir.path().join("astray"), "stadt köln", "053150000000").await;
    let token = siegburg.invite(InviteRequest::default()).await.expect("invite").token;
    astray.join(&token, false).await.expect("join");
    let claims = async || {
        let alarms = siegburg.status().await.expect("status").alarms;
        alarms
            .into_iter()
            .filter(|alarm| alarm.kind == "place_claimed_twice")
            .map(|alarm| alarm.message)
            .collect::<Vec<_>>()
    };
    let id = astray.status().await.expect("status").organisation.id;
    eventually(&siegburg, "an alarm names it, too", || async {
        claims().await.iter().any(|it| it.contains(&id[..12]))
    })
    .await;
    let confirmed = siegburg.confirm_partner(&id).await.expect("confirm");
    assert_eq!(confirmed.same_name_or_place.len(), 2, "{confirmed:?}");
    assert!(
        confirmed.same_name_or_place.iter().any(|other| other.contains("a partner that was confirmed")),
        "{confirmed:?}"
    );
    for node in [&koeln, &bonn, &siegburg, &invented, &astray] {
        node.shutdown().await;
    }
}

async fn service(koeln: &Handle, title: &str, summary: &str) -> String {
    let list = [("title.de", title), ("texts.summary.de", summary), ("valid_for.+", "053150000000")];
    add(koeln, "service", &list).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_town_for_which_a_partner_vouches_stands_above_one_that_came_by_itself() {
    let dir = tempfile::tempdir().expect("a directory");
    let real = town(&dir.path().join("real"), "Stadt Köln", "053150000000").await;
    let bonn = town(&dir.path().join("bonn"), "Stadt Bonn", "053140000000").await;
    let siegburg = town(&dir.path().join("siegburg"), "Stadt Siegburg", "053820060060").await;
    let invented = town(&dir.path().join("invented"), "Stadt Köln", "053150000000").await;
    join(&bonn, "053150000000", &real).await;
    join(&bonn, "053820060060", &siegburg).await;
    let token = siegburg.invite(InviteRequest::default()).await.expect("invite").token;
    invented.join(&token, false).await.expect("join");
    let answer = publish(&real, "Gewerbe anmelden", "053150000000").await;
    let lure = publish(&invented, "Gewerbe anmelden Gewerbe anmelden", "053150000000").await;
    eventually(&siegburg, "the real one is found first", || async {
        found(&siegburg, "Gewerbe anmelden", "Köln").await == [answer.clone(), lure.clone()]
    })
    .await;
    let request =
        SearchRequest { q: "Gewerbe anmelden".into(), place: Some("Köln".into()), ..SearchRequest::default() };
    let hits = siegburg.search(request).await.expect("search").hits;
    let states: Vec<_> = hits.iter().map(|hit| hit.organisation.place_state.as_deref()).collect();
    assert_eq!(states, [Some("introduced"), Some("contradicted")]);
    let alarms = siegburg.status().await.expect("status").alarms;
    assert!(alarms.iter().any(|alarm| alarm.kind == "place_claimed_twice"), "{alarms:?}");
    // Whom a person confirms counts: it is told who else there is.
    let id = invented.status().await.expect("status").organisation.id;
    let confirmed = siegburg.confirm_partner(&id).await.expect("confirm");
    assert_eq!(confirmed.same_name_or_place.len(), 1, "{confirmed:?}");
    for node in [&real, &bonn, &siegburg, &invented] {
        node.shutdown().await;
    }
}
