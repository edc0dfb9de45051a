//! What a peer may not do.

use ortsnetz_net::{FRAME_BYTES_MAX, NetEvent, Priority, Reason, SendError};

use crate::world::{config, connect, pair, start};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_frame_passes_and_a_longer_one_is_not_sent() {
    let (mut a, mut b) = pair().await;
    connect(&mut a, &mut b).await;
    let longest: Vec<u8> = (0..FRAME_BYTES_MAX).map(|n| n as u8).collect();
    a.send(&b, &longest);
    a.send(&b, &[]);
    assert!(b.frame(a.id).await == longest);
    assert!(b.frame(a.id).await.is_empty());
    let too_long = a.net.send(b.id, vec![0; FRAME_BYTES_MAX + 1], Priority::Bulk);
    assert_eq!(too_long, Err(SendError::TooLong { bytes: FRAME_BYTES_MAX + 1 }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_flooder_is_closed() {
    let mut small = config(1);
    small.limits.incoming_frames_max = 100;
    let mut victim = start("siegburg", small).await;
    let (mut flooder, mut friend) = (start("flooder", config(2)).await, start("bonn", config(3)).await);
    victim.net.set_peers(vec![flooder.guest(), friend.guest()]);
    for node in [&mut flooder, &mut friend] {
        node.net.set_peers(vec![victim.peer()]);
        node.connected(victim.id).await;
    }
    // The victim takes nothing meanwhile. The flooder sends one more than the limit, then is thrown out.
    for n in 0..=100u8 {
        flooder.send(&victim, &[n]);
    }
    flooder.disconnected(victim.id).await;
    friend.send(&victim, b"still here");

    let (mut from_flooder, mut from_friend, mut reason) = (0, 0, None);
    while reason.is_none() || from_friend == 0 {
        match victim.next().await {
            NetEvent::Frame { peer, .. } if peer == flooder.id => from_flooder += 1,
            NetEvent::Disconnected { peer, reason: why } => {
                assert_eq!(peer, flooder.id);
                reason = Some(why);
            }
            NetEvent::Frame { peer, bytes } => {
                assert_eq!((peer, bytes.as_slice()), (friend.id, b"still here".as_slice()));
                from_friend += 1;
            }
            _ => {}
        }
    }
    assert_eq!(from_flooder, 100);
    assert_eq!(reason, Some(Reason::Flooded { frames: 101, bytes: 101 }));
    assert!(victim.net.peer_status(friend.id).unwrap().connected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_and_says_when_there_is_room() {
    let mut small = config(1);
    small.limits.bulk_frames_max = 4;
    let (mut a, mut b) = (start("siegburg", small).await, start("bonn", config(2)).await);
    connect(&mut a, &mut b).await;
    // Sends faster than anything can leave, until it is full for the first time.
    let (mut sent, frame) = (0u32, vec![0; 500_000]);
    let refused = loop {
        match a.net.send(b.id, frame.clone(), Priority::Bulk) {
            Ok(()) => sent += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused, SendError::Full(frame));
    // Control has a queue of its own.
    a.send(&b, b"urgent");
    let from = a.id;
    let (mut writable, mut bulk_before_urgent, mut urgent, mut arrived) = (false, 0, false, 0);
    while !(writable && urgent && arrived == sent) {
        tokio::select! {
            event = a.next(), if !writable => writable = matches!(event, NetEvent::Writable { peer } if peer == b.id),
            frame = b.frame(from) => match frame.as_slice() {
                b"urgent" => urgent = true,
                _ => {
                    arrived += 1;
                    bulk_before_urgent += u32::from(!urgent);
                }
            }
        }
    }
    assert!(bulk_before_urgent < sent, "the urgent frame overtook at least one of {sent}");
}
