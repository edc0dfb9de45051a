use ortsnetz_node::{NodeError, verify_receipt};

use super::*;

/// The second verifier, in Python.
fn agrees(text: &str) -> bool {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("receipt.json");
    std::fs::write(&file, text).expect("written");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/receipts/verify.py");
    let output = std::process::Command::new("python3").arg(script).arg(&file).output();
    let output = output.expect("python3 runs; install it with `apt-get install python3`");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    output.status.success()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_holds_an_entry_can_prove_who_said_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let siegburg = town(&dir.path().join("siegburg"), "Stadt Siegburg", "053820060060").await;
    let bonn = town(&dir.path().join("bonn"), "Bundesstadt Bonn", "053140000000").await;
    join(&siegburg, "053140000000", &bonn).await;
    let list = [("title.de", "Reisepass für Kinder"), ("fees.0.kind", "fixed"), ("fees.0.amount", "3750")];
    let id = siegburg.create("service", &values(&list)).await.expect("create").id;
    publish(&siegburg, &id).await;
    siegburg.edit(&id, &values(&[("fees.0.amount", "7000")])).await.expect("edit");
    publish(&siegburg, &id).await;
    // Others publish on: the receipt is made against the state of the whole collection.
    let other = siegburg.create("service", &values(&[("title.de", "Sperrmüll")])).await.expect("create").id;
    publish(&siegburg, &other).await;
    eventually(&bonn, "the last entry arrives", || async { shown(&bonn, &other, "/title/de").await.is_some() }).await;

    let owner = siegburg.status().await.expect("status").organisation.id;
    for node in [&siegburg, &bonn] {
        let text = node.receipt(&id).await.expect("a receipt");
        let info = verify_receipt(text.as_bytes(), Some(&owner)).expect("it holds");
        assert_eq!((info.organisation.name.as_str(), info.state.as_str()), ("Stadt Siegburg", "published"));
        assert_eq!(info.entry.expect("an entry")["fees"][0]["amount"], 7000);
        assert!(info.vouched_by.is_some(), "the newest record of the collection is another one");
        assert!(agrees(&text), "{text}");
        let bent = text.replacen("7000", "7001", 1);
        let error = verify_receipt(bent.as_bytes(), None).expect_err("bent");
        assert!(matches!(&error, NodeError::Conflict(line) if line.contains("fees")), "{error}");
        let stranger = bonn.status().await.expect("status").organisation.id;
        assert!(verify_receipt(text.as_bytes(), Some(&stranger)).is_err(), "said by somebody else");
    }
    let newest = bonn.receipt(&other).await.expect("a receipt");
    let info = verify_receipt(newest.as_bytes(), None).expect("it holds");
    assert!(info.vouched_by.is_none(), "the newest record carries the state itself");

    siegburg.withdraw(&id).await.expect("withdraw");
    eventually(&bonn, "the withdrawal arrives", || async { shown(&bonn, &id, "/title/de").await.is_none() }).await;
    let gone = bonn.receipt(&id).await.expect("a receipt of the withdrawal");
    let info = verify_receipt(gone.as_bytes(), None).expect("it holds");
    assert_eq!((info.state.as_str(), info.entry), ("withdrawn", None));
    assert!(agrees(&gone));
    assert!(matches!(bonn.receipt("00000000000000000000000000000000").await, Err(NodeError::NotFound(_))));
    bonn.shutdown().await;
    siegburg.shutdown().await;
}
