//! Strangers who come with an invitation.

use std::time::Duration;

use ortsnetz_net::{
    JOIN_BYTES_MAX, JOIN_CONNECTIONS_MAX, JOIN_FRAME_BYTES_MAX, JoinError, JoinStream, NetEvent, SendError,
};

use ortsnetz_model::NodeId;
use tokio::time::timeout;

use crate::world::{Node, PATIENCE, config, connect, pair, start};

async fn host(node: &mut Node) -> JoinStream {
    node.until("join", |event| match event {
        NetEvent::Join { stream, .. } => Some(stream),
        _ => None,
    })
    .await
}

/// Opens a join stream and says hello; the answer shows whether the other side talks.
async fn ask(guest: &Node, id: NodeId, address: &[String]) -> Result<(JoinStream, Vec<u8>), JoinError> {
    let mut stream = guest.net.join(id, address.to_vec()).await?;
    // A refusal may come before or after the question.
    let sent = stream.send(b"hello").await;
    match stream.recv().await {
        Ok(answer) => sent.map(|()| (stream, answer)),
        Err(error) => Err(error),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_stream_works_while_joins_are_open_and_only_then() {
    let (mut town, guest) = pair().await;
    let (id, address) = (town.id, town.net.listening());
    let refused = Err(JoinError::Refused { node: id });
    assert_eq!(ask(&guest, id, &address).await.map(|_| ()), refused);

    town.net.open_joins(true);
    let answer = async {
        let mut stream = host(&mut town).await;
        assert_eq!(stream.node(), guest.id);
        assert_eq!(stream.recv().await.unwrap(), b"hello");
        stream.send(b"welcome").await.unwrap();
        // Dropped at once: what was sent still arrives.
    };
    let (asked, ()) = tokio::join!(ask(&guest, id, &address), answer);
    let (mut stream, answer) = asked.unwrap();
    assert_eq!(answer, b"welcome");
    assert_eq!(stream.recv().await, Err(JoinError::Closed));
    assert_eq!(town.net.send(guest.id, vec![1], ortsnetz_net::Priority::Control), Err(SendError::NotConnected));

    town.net.open_joins(false);
    assert_eq!(ask(&guest, id, &address).await.map(|_| ()), refused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_gets_no_sync_stream_while_joins_are_open() {
    let (mut town, mut stranger) = pair().await;
    town.net.open_joins(true);
    stranger.net.set_peers(vec![town.peer()]);
    stranger.until("failed dial", |event| matches!(event, NetEvent::DialFailed { .. }).then_some(())).await;
    while let Some(event) = town.events.try_recv() {
        assert!(!matches!(event, NetEvent::Connected { .. } | NetEvent::Join { .. }), "{event:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partners_may_join_again_beside_their_connection() {
    let (mut town, mut partner) = pair().await;
    connect(&mut partner, &mut town).await;
    town.net.open_joins(true);
    let (id, address) = (town.id, town.net.listening());
    let answer = async {
        let mut stream = host(&mut town).await;
        let question = stream.recv().await.unwrap();
        stream.send(&question).await.unwrap();
        stream.finish().await
    };
    let question = async {
        let mut stream = partner.net.join(id, address).await.unwrap();
        stream.send(b"hello").await.unwrap();
        assert_eq!(stream.recv().await.unwrap(), b"hello");
    };
    let ((), finished) = tokio::join!(question, answer);
    finished.unwrap();
    town.send(&partner, b"still connected");
    assert_eq!(partner.frame(town.id).await, b"still connected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_conversation_makes_room_for_the_next_and_there_is_a_limit() {
    let mut town = start("siegburg", config(1)).await;
    town.net.open_joins(true);
    let mut talks = Vec::new();
    for number in 0..JOIN_CONNECTIONS_MAX as u8 {
        let guest = start("guest", config(10 + number)).await;
        let mut stream = guest.net.join(town.id, town.net.listening()).await.unwrap();
        stream.send(b"hello").await.unwrap();
        talks.push((host(&mut town).await, stream, guest));
    }
    let late = start("late", config(50)).await;
    assert_eq!(ask(&late, town.id, &town.net.listening()).await.map(|_| ()), Err(JoinError::Refused { node: town.id }));

    let (ours, theirs, _) = talks.pop().unwrap();
    drop((ours, theirs));
    // The connection closes in its own time; the next guest asks until there is room.
    let (id, address) = (town.id, town.net.listening());
    let answer = async {
        let mut stream = host(&mut town).await;
        assert_eq!(stream.recv().await.unwrap(), b"hello");
        stream.send(b"welcome").await.unwrap();
        stream.finish().await.unwrap();
    };
    let question = async {
        loop {
            match ask(&late, id, &address).await {
                Ok((_, answer)) => return answer,
                Err(error) => assert_eq!(error, JoinError::Refused { node: id }),
            }
        }
    };
    let (welcome, ()) = timeout(PATIENCE, async { tokio::join!(question, answer) }).await.expect("there is room again");
    assert_eq!(welcome, b"welcome");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_and_the_sum_of_a_conversation_are_limited() {
    let (mut town, guest) = pair().await;
    town.net.open_joins(true);
    let mut stream = guest.net.join(town.id, town.net.listening()).await.unwrap();
    let over = JoinError::TooLong { bytes: JOIN_FRAME_BYTES_MAX + 1, max: JOIN_FRAME_BYTES_MAX };
    assert_eq!(stream.send(&vec![0; JOIN_FRAME_BYTES_MAX + 1]).await, Err(over));
    // What one frame leaves of the sum goes into a second one.
    let frames = [vec![1; JOIN_FRAME_BYTES_MAX], vec![2; JOIN_BYTES_MAX - JOIN_FRAME_BYTES_MAX]];
    let talk = async {
        for frame in &frames {
            stream.send(frame).await.unwrap();
        }
    };
    let listen = async {
        let mut other = host(&mut town).await;
        for frame in &frames {
            assert_eq!(&other.recv().await.unwrap(), frame);
        }
        other
    };
    let ((), _other) = timeout(PATIENCE, async { tokio::join!(talk, listen) }).await.expect("both frames pass");
    let over = JoinError::TooLong { bytes: JOIN_BYTES_MAX + 1, max: JOIN_BYTES_MAX };
    assert_eq!(stream.send(&[1]).await, Err(over));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_conversation_runs_out() {
    let mut hasty = config(1);
    hasty.timing.join_timeout = Duration::from_millis(300);
    let (mut town, guest) = (start("siegburg", hasty).await, start("bonn", config(2)).await);
    town.net.open_joins(true);
    let mut theirs = guest.net.join(town.id, town.net.listening()).await.unwrap();
    theirs.send(b"hello").await.unwrap();
    let mut ours = host(&mut town).await;
    assert_eq!(ours.recv().await.unwrap(), b"hello");
    assert_eq!(ours.recv().await, Err(JoinError::TimedOut { seconds: 0 }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_node_is_said_to_be_so() {
    let (town, guest) = pair().await;
    let address = town.net.listening();
    town.net.shutdown().await;
    let error = guest.net.join(town.id, address).await.expect_err("nobody is there");
    assert!(matches!(&error, JoinError::Unreachable { reason, .. } if reason.contains("refused")), "{error}");
    let error = guest.net.join(town.id, vec!["nowhere".into()]).await.expect_err("no address");
    assert!(matches!(error, JoinError::Address(_)));
    // Another node answers at the address.
    let error = guest.net.join(town.id, start("other", config(9)).await.net.listening()).await;
    assert!(matches!(error, Err(JoinError::Unreachable { .. })), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_returns_while_that_is_open_also_to_whoever_answers_at_an_address() {
    let (mut town, guest) = pair().await;
    let address = town.net.listening();
    // Closed: refused before anybody says anything.
    let refused = match guest.net.return_to(Some(town.id), address.clone()).await {
        Ok(mut stream) => stream.recv().await.map(|_| ()),
        Err(error) => Err(error),
    };
    assert!(matches!(refused, Err(JoinError::Refused { .. } | JoinError::Closed)), "{refused:?}");

    town.net.open_returns(true);
    let town_id = town.id;
    for node in [Some(town_id), None] {
        let answer = async {
            let mut stream = town
                .until("return", |event| match event {
                    NetEvent::Return { stream, .. } => Some(stream),
                    NetEvent::Join { .. } => panic!("nobody asked to join"),
                    _ => None,
                })
                .await;
            assert_eq!(stream.node(), guest.id);
            assert_eq!(stream.recv().await.unwrap(), b"here I am");
            stream.send(b"welcome back").await.unwrap();
            stream.finish().await.unwrap();
        };
        let question = async {
            let mut stream = guest.net.return_to(node, address.clone()).await.unwrap();
            assert_eq!(stream.node(), town_id);
            stream.send(b"here I am").await.unwrap();
            assert_eq!(stream.recv().await.unwrap(), b"welcome back");
        };
        tokio::join!(question, answer);
    }
    // No invitation is open: joining is another protocol.
    assert!(ask(&guest, town.id, &address).await.is_err());
    let nobody = guest.net.return_to(None, vec!["/ip4/127.0.0.1/tcp/1".into()]).await.map(|_| ());
    assert!(matches!(nobody, Err(JoinError::NoAnswer { .. })), "{nobody:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_gets_no_sync_stream_and_is_reported_while_returns_are_open() {
    let (mut town, mut stranger) = pair().await;
    town.net.open_returns(true);
    stranger.net.set_peers(vec![town.peer()]);
    let node = town
        .until("refusal", |event| match event {
            NetEvent::Refused { node, .. } => Some(node),
            NetEvent::Connected { .. } | NetEvent::Return { .. } | NetEvent::Join { .. } => panic!("{event:?}"),
            _ => None,
        })
        .await;
    assert_eq!(node, stranger.id);
    stranger.until("failed dial", |event| matches!(event, NetEvent::DialFailed { .. }).then_some(())).await;
}
