//! What an agent hears about one town from the town itself, its county and its state.

use ortsnetz_node::Handle;
use ortsnetz_node::dto::{Answer, AnswersRequest, AnswersResult};

use crate::{add, eventually, in_sync, join, publish, town, values};

const SIEGBURG: &str = "053820060060";
const COUNTY: &str = "053820000000";
const STATE: &str = "050000000000";
const DOG_TAX: &str = "99102013060000";

async fn ask(node: &Handle, words: &str, place: &str) -> AnswersResult {
    let request = AnswersRequest { q: words.into(), place: Some(place.into()), ..AnswersRequest::default() };
    node.answers(request).await.expect("answers")
}

async fn first(node: &Handle, words: &str, place: &str) -> Option<Answer> {
    ask(node, words, place).await.answers.into_iter().next()
}

/// Asks until the first answer is as expected; the index may still be taking in what was published.
async fn until(node: &Handle, words: &str, place: &str, what: &str, check: impl Fn(&Answer) -> bool) -> Answer {
    eventually(node, what, || async { first(node, words, place).await.is_some_and(|answer| check(&answer)) }).await;
    first(node, words, place).await.expect("an answer")
}

fn whose(answer: &Answer, source: usize) -> &str {
    &answer.sources[source].organisation.name
}

/// Siegburg, its county and its state, all partners of the node that answers for them.
struct Region {
    _dir: tempfile::TempDir,
    centre: Handle,
    siegburg: Handle,
    county: Handle,
    state: Handle,
}

impl Region {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        let centre = town(&path("centre"), "Stadt Köln", "053150000000").await;
        let siegburg = town(&path("siegburg"), "Stadt Siegburg", SIEGBURG).await;
        let county = town(&path("county"), "Rhein-Sieg-Kreis", COUNTY).await;
        let state = town(&path("state"), "Land Nordrhein-Westfalen", STATE).await;
        for (node, ars) in [(&siegburg, SIEGBURG), (&county, COUNTY), (&state, STATE)] {
            join(&centre, ars, node).await;
        }
        Self { _dir: dir, centre, siegburg, county, state }
    }

    async fn end(self) {
        for node in [self.centre, self.siegburg, self.county, self.state] {
            node.shutdown().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_composed_of_what_each_level_says_and_names_whose_word_it_is() {
    let region = Region::new().await;
    let (centre, siegburg, county, state) = (&region.centre, &region.siegburg, &region.county, &region.state);
    let general = [
        ("title.de", "Hundesteuer Anmeldung"),
        ("title.en", "Dog tax"),
        ("leika.+", DOG_TAX),
        ("texts.summary.de", "Wer einen Hund hält, zahlt Hundesteuer."),
        ("texts.legal_basis.de", "KAG NRW"),
        ("fees.+", r#"{"kind":"variable"}"#),
        ("valid_for.+", STATE),
    ];
    let general = add(state, "service", &general).await;
    // Only the state has a text: it answers alone, and nobody is recorded.
    let alone = until(centre, "Hundesteuer", "Siegburg", "the state answers", |answer| answer.id == general).await;
    assert!(alone.responsible.is_empty());
    let asked: Vec<(&str, &str, bool)> = alone
        .nobody
        .iter()
        .map(|level| (level.level.as_str(), level.name.as_str(), level.organisation.is_some()))
        .collect();
    let levels = [
        ("municipality", "Stadt Siegburg", true),
        ("county", "Rhein-Sieg-Kreis", true),
        ("state", "Land Nordrhein-Westfalen", true),
    ];
    assert_eq!(asked, levels, "whom to ask, from the town upwards");

    // The county collects the tax for its towns.
    let county_office = [
        ("title.de", "Steueramt des Kreises"),
        ("address.ars", COUNTY),
        ("opening_hours.+", r#"{"days":["mo","tu","we","th","fr"],"opens":"08:00","closes":"16:00"}"#),
    ];
    let county_office = add(county, "office", &county_office).await;
    let record =
        [("leika.+", DOG_TAX), ("area.+", COUNTY), ("office", county_office.as_str()), ("role", "responsible")];
    add(county, "responsibility", &record).await;
    let by_county =
        until(centre, "Hundesteuer", "Siegburg", "the county is responsible", |answer| !answer.responsible.is_empty())
            .await;
    let told = &by_county.responsible[0];
    assert_eq!(
        (told.level.as_str(), told.organisation.name.as_str(), told.from.as_str()),
        ("county", "Rhein-Sieg-Kreis", "record")
    );
    assert!(by_county.nobody.is_empty());

    // The town has its own fee, office and greeting, and a note that is for agents only.
    let office = [
        ("title.de", "Bürgerservice"),
        ("address.ars", SIEGBURG),
        ("contacts.+", r#"{"channel":"phone","value":"+49 2241 102-0"}"#),
        ("opening_hours.+", r#"{"days":["mo","tu","we","th","fr"],"opens":"08:00","closes":"12:00"}"#),
    ];
    let office = add(siegburg, "office", &office).await;
    let local = [
        ("title.de", "Hund anmelden (Hundesteuer)"),
        ("leika.+", DOG_TAX),
        ("fees.+", r#"{"kind":"fixed","amount":2600}"#),
        ("texts.notes.de", "Die Marke kommt per Post."),
        ("scheduled", r#"[{"from":"2027-01-01","set":{"fees":[{"kind":"fixed","amount":2800}]}}]"#),
        ("companions.partners.agent_note.de", "Nur Erstattung nach 16 Uhr."),
        ("valid_for.+", SIEGBURG),
    ];
    let local = add(siegburg, "service", &local).await;
    let record =
        [("service", local.as_str()), ("area.+", SIEGBURG), ("office", office.as_str()), ("role", "responsible")];
    add(siegburg, "responsibility", &record).await;
    let profile =
        [("names.+", "Siegburg"), ("greeting.de", "Stadt Siegburg, guten Tag."), ("numbers.+", "+49 2241 102-0")];
    add(siegburg, "profile", &profile).await;
    let answer = until(centre, "Hundesteuer", "Siegburg", "the town answers", |answer| {
        answer.id == local && answer.responsible.first().is_some_and(|record| record.level == "municipality")
    })
    .await;
    assert_eq!(answer.title, "Hund anmelden (Hundesteuer)");
    let short = answer.short.as_ref().expect("the state's summary");
    assert_eq!(whose(&answer, short.source), "Land Nordrhein-Westfalen");
    let fees = answer.fees.as_ref().expect("the town's fee");
    assert_eq!((whose(&answer, fees.source), &fees.value[0]["amount"]), ("Stadt Siegburg", &2600.into()));
    assert_eq!(
        answer.agent_notes.iter().map(|note| note.text.as_str()).collect::<Vec<_>>(),
        ["Nur Erstattung nach 16 Uhr."]
    );
    assert_eq!(answer.freshness, "fresh");
    let source = &answer.sources[0];
    assert_eq!(source.received_from.as_deref(), Some("Stadt Siegburg"));
    assert!(source.checkpoint_at.is_some() && !source.heads.is_empty());
    assert_eq!(answer.sources.len(), 2, "the county has no text of its own");

    eventually(centre, "the greeting arrives", || async {
        let town = ask(centre, "Hundesteuer", "Siegburg").await.town;
        town.is_some_and(|town| {
            town.greeting.as_deref() == Some("Stadt Siegburg, guten Tag.") && town.numbers.len() == 1
        })
    })
    .await;

    // The owners are gone; what was scheduled comes into force on its day without them.
    for node in [siegburg, county, state] {
        node.shutdown().await;
    }
    for (on, at, amount, state) in [
        ("2026-12-30", "10:00", 2600, "open"),
        ("2026-12-31", "23:59", 2600, "closed"),
        ("2027-01-01", "00:00", 2800, "closed"),
    ] {
        let request = AnswersRequest {
            id: Some(local.clone()),
            place: Some(SIEGBURG.into()),
            on: Some(on.into()),
            at: Some(at.into()),
            ..AnswersRequest::default()
        };
        let answer = centre.answers(request).await.expect("answers").answers.remove(0);
        assert_eq!(answer.fees.expect("a fee").value[0]["amount"], amount, "{on} {at}");
        let opening = &answer.responsible[0].office.as_ref().expect("the office").opening;
        assert_eq!(opening.state, state, "{on} {at}");
        if on == "2027-01-01" {
            assert_eq!(opening.closed_because.as_deref(), Some("Neujahr"));
            assert_eq!(opening.opens.as_deref(), Some("2027-01-04T08:00"));
        }
    }
    centre.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_speaks_for_the_place_fills_an_answer_and_nothing_is_guessed() {
    let region = Region::new().await;
    let (centre, siegburg, county) = (&region.centre, &region.siegburg, &region.county);
    // Köln describes Siegburg's dog tax, too, and names its own office for it.
    let office = add(centre, "office", &[("title.de", "Steueramt Köln")]).await;
    let foreign = [("title.de", "Hundesteuer in Siegburg"), ("leika.+", DOG_TAX), ("valid_for.+", SIEGBURG)];
    let foreign = add(centre, "service", &foreign).await;
    add(centre, "responsibility", &[("leika.+", DOG_TAX), ("area.+", SIEGBURG), ("office", office.as_str())]).await;
    let local = [("title.de", "Hundesteuer"), ("leika.+", DOG_TAX), ("valid_for.+", SIEGBURG)];
    let local = add(siegburg, "service", &local).await;
    let answer = until(centre, "Hundesteuer", "Siegburg", "the town answers", |answer| answer.id == local).await;
    assert!(answer.responsible.is_empty() && !answer.nobody.is_empty(), "{:?}", answer.responsible);
    let all = ask(centre, "Hundesteuer", "Siegburg").await;
    assert_eq!(all.answers.len(), 1, "what is not from the town is no answer");
    let remark = all.hits.iter().find(|hit| hit.id == foreign).and_then(|hit| hit.remark.as_deref());
    assert_eq!(remark, Some("not from the responsible town"));

    // Parts of the town have their own offices: which part has to be asked.
    let (north, south) = (publish_office(siegburg, "Amt Nord").await, publish_office(siegburg, "Amt Süd").await);
    for (office, district) in [(&north, "Kaldauen"), (&south, "Zange")] {
        let record =
            [("service", local.as_str()), ("area.+", SIEGBURG), ("districts.+", district), ("office", office.as_str())];
        add(siegburg, "responsibility", &record).await;
    }
    let parts = until(centre, "Hundesteuer", "Siegburg", "both parts", |answer| answer.responsible.len() == 2).await;
    assert!(parts.ask_district);
    let districts = r#"[{"name":"Kaldauen","postal_codes":["53721"]}]"#;
    add(siegburg, "profile", &[("names.+", "Siegburg"), ("districts", districts)]).await;
    let kaldauen =
        until(centre, "Hundesteuer", "Siegburg Kaldauen", "the part is known", |answer| answer.responsible.len() == 1)
            .await;
    assert_eq!(kaldauen.responsible[0].office.as_ref().map(|office| office.id.as_str()), Some(north.as_str()));
    assert!(!kaldauen.ask_district);
    let listed = ask(centre, "Hundesteuer", "Siegburg Kaldauen").await.hits;
    let recorded = &kaldauen.responsible[0].entry;
    assert!(listed.iter().all(|hit| hit.id != *recorded), "what stands in an answer is not listed again");

    // A place that is ambiguous is not chosen.
    let ambiguous = centre
        .answers(AnswersRequest {
            q: "Hundesteuer".into(),
            place: Some("Nowhere at all".into()),
            ..AnswersRequest::default()
        })
        .await;
    assert!(ambiguous.is_err(), "an unknown place is said to be unknown");
    // Two services of the state about one matter: neither is picked as the text below the town's.
    for title in ["Hundehaltung", "Hundesteuer allgemein"] {
        add(county, "service", &[("title.de", title), ("leika.+", DOG_TAX), ("valid_for.+", COUNTY)]).await;
    }
    let related =
        until(centre, "Hundesteuer", "Siegburg", "both are related", |answer| answer.related.len() == 2).await;
    assert_eq!((related.id.as_str(), related.sources.len()), (local.as_str(), 1));
    region.end().await;
}

async fn publish_office(node: &Handle, title: &str) -> String {
    add(node, "office", &[("title.de", title)]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_stands_on_every_answer_it_is_about_at_once_and_is_gone_when_it_is_taken_back() {
    let region = Region::new().await;
    let (centre, siegburg) = (&region.centre, &region.siegburg);
    let pass = [("title.de", "Reisepass"), ("leika.+", "99089003001000"), ("valid_for.+", SIEGBURG)];
    let pass = add(siegburg, "service", &pass).await;
    publish(siegburg, "Fundbüro", SIEGBURG).await;
    until(centre, "Reisepass", "Siegburg", "the pass is found", |answer| answer.id == pass).await;
    until(centre, "Fundbüro", "Siegburg", "the other service is found", |_| true).await;
    let closed = [
        ("title.de", "Passdrucker defekt"),
        ("texts.description.de", "Heute keine Abholung."),
        ("topics.+", "99089"),
        ("until", "2099-01-01"),
        ("urgency", "alarm"),
    ];
    let closed = add(siegburg, "notice", &closed).await;
    eventually(centre, "it is in sync", || in_sync(siegburg, "Stadt Köln")).await;
    eventually(centre, "the notice is there", || async {
        !ask(centre, "Reisepass", "Siegburg").await.notices.is_empty()
    })
    .await;
    let asked = ask(centre, "Reisepass", "Siegburg").await;
    assert_eq!(asked.answers[0].notices.iter().map(|notice| notice.id.as_str()).collect::<Vec<_>>(), [closed.as_str()]);
    let notice = &asked.notices[0];
    assert_eq!((notice.urgency.as_str(), notice.text.as_str()), ("alarm", "Heute keine Abholung."));
    let other = first(centre, "Fundbüro", "Siegburg").await.expect("an answer");
    assert!(other.notices.is_empty(), "it is about another matter");
    assert!(ask(centre, "Reisepass", "Bonn").await.notices.is_empty(), "and about another place");
    // Whoever restarts knows it.
    siegburg.edit(&closed, &values(&[("until", "2026-01-01"), ("from", "2025-01-01")])).await.expect("edit");
    siegburg.publish(Some(vec![closed.clone()])).await.expect("publish");
    eventually(centre, "it is over", || async { ask(centre, "Reisepass", "Siegburg").await.notices.is_empty() }).await;
    siegburg.edit(&closed, &values(&[("until", "2099-01-01")])).await.expect("edit");
    siegburg.publish(Some(vec![closed.clone()])).await.expect("publish");
    eventually(centre, "it is back", || async { !ask(centre, "Reisepass", "Siegburg").await.notices.is_empty() }).await;
    siegburg.withdraw(&closed).await.expect("withdraw");
    eventually(centre, "it is taken back", || async { ask(centre, "Reisepass", "Siegburg").await.notices.is_empty() })
        .await;
    region.end().await;
}

/// As `NOTICES_SHOWN_MAX` in `noticing.rs`.
const NOTICES_SHOWN_MAX: usize = 10;
/// As `ANSWERS_MAX` in `answering/mod.rs`.
const ANSWERS_MAX: usize = 10;
/// As `OFFICES_SHOWN_MAX` in `answering/compose.rs`.
const OFFICES_SHOWN_MAX: usize = 20;
/// As `MATTER_ENTRIES_MAX` in `answering/matters.rs`.
const MATTER_ENTRIES_MAX: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_has_limits() {
    let dir = tempfile::tempdir().expect("a directory");
    let node = town(&dir.path().join("siegburg"), "Stadt Siegburg", SIEGBURG).await;
    let with_limit = |limit| {
        let request = AnswersRequest { q: "Pass".into(), limit: Some(limit), ..AnswersRequest::default() };
        node.answers(request)
    };
    assert!(with_limit(ANSWERS_MAX).await.is_ok() && with_limit(1).await.is_ok());
    let refused = with_limit(ANSWERS_MAX + 1).await.expect_err("too many");
    assert_eq!(
        refused.to_string(),
        format!("limit: {} answers are not possible; give 1 to {ANSWERS_MAX}", ANSWERS_MAX + 1)
    );
    assert!(with_limit(0).await.is_err());
    let odd = AnswersRequest { q: "Pass".into(), at: Some("halb zehn".into()), ..AnswersRequest::default() };
    let odd = node.answers(odd).await.expect_err("no time of day");
    assert_eq!(odd.to_string(), "at: \"halb zehn\" is no time of day; write it like 10:30");

    let mut offices = Vec::new();
    for number in 0..=OFFICES_SHOWN_MAX {
        offices.push(publish_office(&node, &format!("Amt {number}")).await);
    }
    for number in 0..=NOTICES_SHOWN_MAX {
        let shown = node.public_notices(Some(SIEGBURG), None, "de").await.expect("notices").len();
        assert_eq!(shown, number);
        add(&node, "notice", &[("title.de", "Hinweis"), ("until", "2099-01-01")]).await;
    }
    assert_eq!(node.public_notices(Some(SIEGBURG), None, "de").await.expect("notices").len(), NOTICES_SHOWN_MAX);

    let naming = async |title: &str, named: &[String]| {
        let list = serde_json::to_string(named).expect("a list");
        let id = add(&node, "service", &[("title.de", title), ("offices", &list), ("valid_for.+", SIEGBURG)]).await;
        let request = AnswersRequest { id: Some(id), place: Some(SIEGBURG.into()), ..AnswersRequest::default() };
        node.answers(request).await.expect("answers").answers.remove(0).responsible.len()
    };
    assert_eq!(naming("Pass", &offices[..OFFICES_SHOWN_MAX]).await, OFFICES_SHOWN_MAX);
    assert_eq!(naming("Ausweis", &offices).await, OFFICES_SHOWN_MAX, "further ones are left out");

    let service = publish(&node, "Urkunde", SIEGBURG).await;
    for number in 1..=MATTER_ENTRIES_MAX + 1 {
        let record = [("service", service.as_str()), ("area.+", SIEGBURG), ("office", offices[0].as_str())];
        add(&node, "responsibility", &record).await;
        if number >= MATTER_ENTRIES_MAX - 1 {
            let expected = number.min(MATTER_ENTRIES_MAX);
            let count = async || {
                let request = AnswersRequest {
                    id: Some(service.clone()),
                    place: Some(SIEGBURG.into()),
                    ..AnswersRequest::default()
                };
                node.answers(request).await.map_or(0, |result| result.answers[0].responsible.len())
            };
            eventually(&node, "the record counts", || async { count().await == expected }).await;
        }
    }
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_is_known_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("siegburg");
    let node = town(&path, "Stadt Siegburg", SIEGBURG).await;
    let id = add(&node, "notice", &[("title.de", "Sturm"), ("until", "2099-01-01")]).await;
    node.shutdown().await;
    let node = Handle::start(crate::config(&path)).await.expect("start");
    let notices = node.public_notices(Some(SIEGBURG), None, "de").await.expect("notices");
    assert_eq!(notices.iter().map(|notice| notice.id.as_str()).collect::<Vec<_>>(), [id.as_str()]);
    node.shutdown().await;
}
