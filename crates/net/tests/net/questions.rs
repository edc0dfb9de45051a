//! Questions beside the sync stream, and their limits.

use std::time::Duration;

use ortsnetz_net::{Answerer, NetEvent, QUESTION_BYTES_MAX, QUESTIONS_PER_PEER_MAX, ReachError, Topic};
use tokio::time::sleep;

use crate::world::{Node, config, connect, pair, start};

/// The next question of a peer.
async fn question(node: &mut Node, peer: &Node) -> (Vec<u8>, Answerer) {
    node.until("question", |event| match event {
        NetEvent::Question { peer: who, bytes, answer, .. } if who == peer.id => Some((bytes, answer)),
        _ => None,
    })
    .await
}

fn reason(answer: Result<Vec<u8>, ReachError>) -> String {
    match answer {
        Err(ReachError::NoAnswer { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn either_side_asks_and_frames_go_on() {
    let (mut a, mut b) = pair().await;
    connect(&mut a, &mut b).await;
    let longest: Vec<u8> = (0..QUESTION_BYTES_MAX).map(|n| n as u8).collect();
    let (asking, other) = (a.net.clone(), b.id);
    let sent = longest.clone();
    let answered = tokio::spawn(async move { asking.ask(other, Topic::Keep, &sent).await });
    let (bytes, answer) = question(&mut b, &a).await;
    assert!(bytes == longest);
    b.send(&a, b"meanwhile");
    assert_eq!(a.frame(b.id).await, b"meanwhile");
    answer.send(bytes);
    assert!(answered.await.unwrap().unwrap() == longest);
    let (asking, other) = (b.net.clone(), a.id);
    let answered = tokio::spawn(async move { asking.ask(other, Topic::Keep, b"and you?").await });
    question(&mut a, &b).await.1.send(b"me too".to_vec());
    assert_eq!(answered.await.unwrap().unwrap(), b"me too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_or_an_answer_that_is_too_long_is_none() {
    let (mut a, mut b) = pair().await;
    connect(&mut a, &mut b).await;
    assert!(reason(a.net.ask(b.id, Topic::Keep, &vec![0; QUESTION_BYTES_MAX + 1]).await).contains("is too long"));
    let (asking, other) = (a.net.clone(), b.id);
    let answered = tokio::spawn(async move { asking.ask(other, Topic::Keep, b"tell").await });
    question(&mut b, &a).await.1.send(vec![0; QUESTION_BYTES_MAX + 1]);
    reason(answered.await.unwrap());
    // Nobody there at all.
    assert!(reason(a.net.ask(ortsnetz_model::NodeId([9; 32]), Topic::Keep, b"tell").await).contains("not connected"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_too_much_at_once_gets_no_answer_and_others_do() {
    let mut patient = config(1);
    patient.timing.question_timeout = Duration::from_secs(2);
    let mut victim = start("siegburg", patient).await;
    let (mut flooder, mut friend) = (start("flooder", config(2)).await, start("bonn", config(3)).await);
    victim.net.set_peers(vec![flooder.guest(), friend.guest()]);
    for node in [&mut flooder, &mut friend] {
        node.net.set_peers(vec![victim.peer()]);
        node.connected(victim.id).await;
    }
    let id = victim.id;
    let ask = |node: &Node, text: &'static [u8]| {
        let asking = node.net.clone();
        tokio::spawn(async move { asking.ask(id, Topic::Keep, text).await })
    };
    let (mut flood, mut held) = (Vec::new(), Vec::new());
    for _ in 0..QUESTIONS_PER_PEER_MAX {
        flood.push(ask(&flooder, b"flood"));
        held.push(question(&mut victim, &flooder).await);
    }
    // One more than the limit, while none was answered.
    reason(ask(&flooder, b"one more").await.unwrap());
    let asked = ask(&friend, b"a friend");
    let (bytes, answer) = question(&mut victim, &friend).await;
    assert_eq!(bytes, b"a friend");
    answer.send(b"of course".to_vec());
    assert_eq!(asked.await.unwrap().unwrap(), b"of course");
    // Nobody answers: the places are free again after a while.
    for asked in flood {
        reason(asked.await.unwrap());
    }
    drop(held);
    sleep(Duration::from_millis(100)).await;
    let asked = ask(&flooder, b"again");
    question(&mut victim, &flooder).await.1.send(b"now".to_vec());
    assert_eq!(asked.await.unwrap().unwrap(), b"now");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_ends_with_its_time_and_with_its_connection() {
    let mut hasty = config(1);
    hasty.timing.question_timeout = Duration::from_millis(300);
    let (mut a, mut b) = (start("siegburg", hasty).await, start("bonn", config(2)).await);
    connect(&mut a, &mut b).await;
    let (asking, other) = (a.net.clone(), b.id);
    let answered = tokio::spawn(async move { asking.ask(other, Topic::Keep, b"quick").await });
    let _held = question(&mut b, &a).await;
    assert!(reason(answered.await.unwrap()).contains("nothing within"));
    let (asking, other) = (b.net.clone(), a.id);
    let answered = tokio::spawn(async move { asking.ask(other, Topic::Keep, b"stay").await });
    let _held = question(&mut a, &b).await;
    a.net.close(b.id, "enough");
    reason(answered.await.unwrap());
}
