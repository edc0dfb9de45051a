//! Places and the districts that profiles tell.

use ortsnetz_node::Handle;

use crate::{config, eventually, town, values};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn districts_of_a_profile_are_found_also_after_a_restart_and_a_new_table() {
    let dir = tempfile::tempdir().expect("a directory");
    let node = town(&dir.path().join("town"), "Stadt Siegburg", "053820060060").await;
    let profile = [("names.+", "Siegburg"), ("ars", "053820060060"), ("districts.+", r#"{"name":"Hinterdorf"}"#)];
    let id = node.create("profile", &values(&profile)).await.expect("create").id;
    let published = node.publish(Some(vec![id])).await.expect("publish");
    assert!(published.refused.is_empty(), "{published:?}");
    let known = async |node: &Handle| node.places("Hinterdorf", None).await.is_ok_and(|places| places.len() == 1);
    eventually(&node, "the district is known", || known(&node)).await;
    node.shutdown().await;

    let node = Handle::start(config(&dir.path().join("town"))).await.expect("start again");
    eventually(&node, "it still is after a restart", || known(&node)).await;
    let table = "ars,ags,name,land,kreis,plz_alle,einwohner\n053820060060,05382060,\"Siegburg, Stadt\",NRW,Rhein-Sieg-Kreis,53721,41000\n";
    let importing = node.clone();
    let report = tokio::task::spawn_blocking(move || importing.import_places("places.csv", &mut table.as_bytes()));
    assert_eq!(report.await.expect("runs").expect("import").municipalities, 1);
    assert!(known(&node).await, "a new table keeps the districts");
    node.shutdown().await;
}
