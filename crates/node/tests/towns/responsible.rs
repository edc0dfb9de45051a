//! Who is responsible for another organisation's service.

use ortsnetz_node::dto::{ImportRequest, SearchRequest};

use crate::{eventually, found, join, publish, town, values};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_responsibility_is_found_by_the_title_of_its_service_also_if_that_comes_later() {
    let dir = tempfile::tempdir().expect("a directory");
    let county = town(&dir.path().join("county"), "Rhein-Erft-Kreis", "053620000000").await;
    let huerth = town(&dir.path().join("huerth"), "Stadt Hürth", "053620028028").await;
    join(&county, "053620028028", &huerth).await;
    let service = [("title.de", "Kraftfahrzeug anmelden"), ("valid_for.+", "053620000000")];
    let service = county.create("service", &values(&service)).await.expect("create").id;
    let office = huerth.create("office", &values(&[("title.de", "Bürgeramt Hürth")])).await.expect("create").id;
    let responsibility = [
        ("service", service.as_str()),
        ("office", office.as_str()),
        ("area.+", "053620028028"),
        ("role", "responsible"),
    ];
    let responsibility = huerth.create("responsibility", &values(&responsibility)).await.expect("create").id;
    let published = huerth.publish(Some(vec![office, responsibility.clone()])).await.expect("publish");
    assert!(published.refused.is_empty(), "{published:?}");
    county.publish(Some(vec![service.clone()])).await.expect("publish");
    for node in [&huerth, &county] {
        eventually(node, "both are found, the service first", || async {
            found(node, "Kraftfahrzeug anmelden", "Hürth").await == [service.clone(), responsibility.clone()]
        })
        .await;
    }
    county.edit(&service, &values(&[("title.de", "Wohnmobil ummelden")])).await.expect("edit");
    county.publish(Some(vec![service.clone()])).await.expect("publish");
    eventually(&huerth, "the new title is found", || async {
        found(&huerth, "Wohnmobil", "Hürth").await == [service.clone(), responsibility.clone()]
    })
    .await;
    county.shutdown().await;
    huerth.shutdown().await;
}

/// As `POINTING_MAX` in `searching.rs`.
const POINTING_MAX: u64 = 256;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_most_so_many_responsibilities_are_read_again_when_their_service_changes() {
    for (written, read_again) in [(POINTING_MAX, POINTING_MAX), (POINTING_MAX + 1, POINTING_MAX)] {
        let dir = tempfile::tempdir().expect("a directory");
        let town = town(&dir.path().join("town"), "Stadt Hürth", "053620028028").await;
        let service = publish(&town, "Sperrmüll", "053620028028").await;
        let office = town.create("office", &values(&[("title.de", "Stadtwerke")])).await.expect("create").id;
        town.publish(Some(vec![office.clone()])).await.expect("publish");
        let lines: String = (0..written)
            .map(|n| {
                format!(
                    r#"{{"kind":"responsibility","identifier":{{"agency":"h","scheme":"z","value":"{n}"}},"service":"{service}","office":"{office}","area":["053620028028"],"role":"contact"}}"#
                ) + "\n"
            })
            .collect();
        let (node, request) =
            (town.clone(), ImportRequest { file: "z.jsonl".into(), publish: true, ..ImportRequest::default() });
        let import = tokio::task::spawn_blocking(move || node.import(&request, &mut lines.as_bytes()));
        let report = import.await.expect("runs").expect("import");
        assert_eq!(report.published, written, "{:?}", report.rejected.first());
        let total = async |q: &str| {
            let request = SearchRequest { q: q.into(), ..SearchRequest::default() };
            town.search(request).await.map_or(0, |result| result.total)
        };
        eventually(&town, "all are found", || async { total("Sperrmüll").await == written + 1 }).await;
        town.edit(&service, &values(&[("title.de", "Altmetall")])).await.expect("edit");
        town.publish(Some(vec![service])).await.expect("publish");
        eventually(&town, "the new title is found", || async { total("Altmetall").await > 0 }).await;
        assert_eq!(total("Altmetall").await, read_again + 1);
        town.shutdown().await;
    }
}
