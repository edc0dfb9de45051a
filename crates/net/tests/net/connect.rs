//! Coming together, staying together, coming back.

use ortsnetz_net::{NetEvent, Network, Reason, SendError, StartError};

use crate::world::{PATIENCE, config, connect, pair, start};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_connect_and_exchange_frames_in_order() {
    let (mut a, mut b) = pair().await;
    connect(&mut a, &mut b).await;
    for n in 0..500u16 {
        a.send(&b, &n.to_be_bytes());
        b.send(&a, &n.to_le_bytes());
    }
    for n in 0..500u16 {
        assert_eq!(b.frame(a.id).await, n.to_be_bytes());
        assert_eq!(a.frame(b.id).await, n.to_le_bytes());
    }
    let (at_a, at_b) = (a.net.peer_status(b.id).unwrap(), b.net.peer_status(a.id).unwrap());
    assert!(at_a.connected && at_a.outbound && !at_b.outbound);
    assert_eq!((at_a.sent_frames, at_a.sent_bytes), (500, 500 * 6));
    assert_eq!((at_b.received_frames, at_b.received_bytes), (500, 500 * 6));
    assert_eq!(at_a.connections, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_side_sees_our_address_with_our_own_port() {
    let (mut a, b) = pair().await;
    let listening = a.net.listening();
    b.net.set_peers(vec![a.guest()]);
    a.net.set_peers(vec![b.peer()]);
    let seen = a.until("observed address", |event| match event {
        NetEvent::ObservedAddress { address, .. } => Some(address),
        _ => None,
    });
    assert_eq!(vec![seen.await], listening);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_is_refused_and_reported_once() {
    let (mut a, mut stranger) = pair().await;
    stranger.net.set_peers(vec![a.peer()]);
    let (node, reason) = a
        .until("refusal", |event| match event {
            NetEvent::Refused { node, reason, .. } => Some((node, reason)),
            _ => None,
        })
        .await;
    assert_eq!((node, reason.as_str()), (stranger.id, "it is not on the list of allowed nodes"));
    // It tries again and again; there is still only one report, and never a connection.
    for _ in 0..3 {
        let event = stranger.next().await;
        assert!(!matches!(event, NetEvent::Connected { .. }), "{event:?}");
    }
    while let Some(event) = a.events.try_recv() {
        assert!(!matches!(event, NetEvent::Refused { .. } | NetEvent::Connected { .. }), "{event:?}");
    }
    assert_eq!(a.net.send(stranger.id, vec![1], ortsnetz_net::Priority::Control), Err(SendError::NotConnected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_stops_and_comes_back_is_connected_again() {
    let (mut a, mut b) = pair().await;
    connect(&mut a, &mut b).await;
    let (address, secret) = (b.net.listening(), if b.name == "bonn" { 2 } else { 1 });
    b.net.shutdown().await;
    assert!(matches!(a.disconnected(b.id).await, Reason::ClosedByPeer | Reason::Lost(_)));
    // The first dial may still have met the node while it was stopping.
    let refused = |event| match event {
        NetEvent::DialFailed { reason, .. } if reason.contains("refused") => Some(reason),
        _ => None,
    };
    let reason = a.until("refused dial", refused).await;
    assert_eq!(a.net.peer_status(b.id).unwrap().dial_error, Some(reason));

    let mut again = config(secret);
    again.listen = address;
    let mut back = start("back", again).await;
    assert_eq!(back.id, b.id);
    back.net.set_peers(vec![a.guest()]);
    a.connected(b.id).await;
    back.connected(a.id).await;
    a.send(&back, b"again");
    assert_eq!(back.frame(a.id).await, b"again");
    assert_eq!(a.net.peer_status(b.id).unwrap().connections, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_queued_arrives_before_a_close_and_the_reason_is_ours() {
    let (mut a, mut b) = pair().await;
    connect(&mut a, &mut b).await;
    for n in 0..100u8 {
        a.send(&b, &vec![n; 10_000]);
    }
    a.net.close(b.id, "bye");
    assert_eq!(a.disconnected(b.id).await, Reason::Asked("bye".into()));
    for n in 0..100u8 {
        assert_eq!(b.frame(a.id).await[0], n);
    }
    b.disconnected(a.id).await;
    a.connected(b.id).await;
    b.connected(a.id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_taken_off_the_list_is_closed_and_not_let_in_again() {
    let (mut a, mut b) = pair().await;
    connect(&mut a, &mut b).await;
    b.send(&a, b"your partnership has ended");
    b.net.set_peers(Vec::new());
    assert_eq!(b.disconnected(a.id).await, Reason::NotAllowed);
    assert_eq!(a.frame(b.id).await, b"your partnership has ended");
    a.disconnected(b.id).await;
    b.until("refusal", |event| matches!(event, NetEvent::Refused { .. }).then_some(())).await;
    assert_eq!(b.net.peer_status(a.id), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_occupied_port_is_one_clear_line() {
    let a = start("siegburg", config(1)).await;
    let mut second = config(2);
    second.listen = a.net.listening();
    let error = Network::start(second).await.expect_err("the port is taken");
    assert!(matches!(error, StartError::AddressInUse { .. }));
    let text = error.to_string();
    assert!(text.starts_with(&format!("{} is in use", a.net.listening()[0])) && !text.contains('\n'), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_port_is_free_after_shutdown_and_the_events_end() {
    let mut a = start("siegburg", config(1)).await;
    let mut again = config(1);
    again.listen = a.net.listening();
    a.net.shutdown().await;
    let end = async { while a.events.recv().await.is_some() {} };
    tokio::time::timeout(PATIENCE, end).await.expect("the events end");
    start("again", again).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ipv6_works_where_the_machine_has_it() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        // Past the capture of test output: `scripts/test.sh` counts it.
        let line = "SKIPPED ipv6_works_where_the_machine_has_it: this machine has no IPv6 loopback";
        std::io::Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes()).expect("standard error");
        return;
    }
    let (mut a, mut b) = (config(1), config(2));
    a.listen = vec!["/ip6/::1/tcp/0".into()];
    b.listen = a.listen.clone();
    let (mut a, mut b) = (start("siegburg", a).await, start("bonn", b).await);
    connect(&mut a, &mut b).await;
}

#[test]
fn session_keys_are_never_written_to_a_file() {
    use ortsnetz_net::check_environment;
    let with = |value: &'static str| check_environment(move |name| (name == "SSLKEYLOGFILE").then(|| value.into()));
    assert!(matches!(with("/tmp/keys"), Err(StartError::KeyLog)));
    assert!(with("").is_ok());
    assert!(check_environment(|_| None).is_ok());
}
