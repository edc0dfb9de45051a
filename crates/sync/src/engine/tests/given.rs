//! What we give, and when we say it.

use super::*;
use crate::event::PublishItem;
use crate::limits::*;

fn items(feed: FeedId, count: usize) -> Vec<PublishItem> {
    let body = || Body::Publication { heads: vec![Hash([7; 32])] };
    (0..count as u64).map(|number| PublishItem { feed, entry: entry(number), generation: 1, body: body() }).collect()
}

#[test]
fn a_batch_is_limited() {
    for (count, good) in [(BATCH_RECORDS_MAX, true), (BATCH_RECORDS_MAX + 1, false)] {
        let mut lab = Lab::new(0);
        let feed = lab.us.feed("public");
        lab.tell(Event::Publish { op: OpId(1), items: items(feed, count) });
        let commits = lab.take(|effect| matches!(effect, Effect::Commit { .. }).then_some(()));
        assert_eq!(commits.len(), usize::from(good), "{count} records");
    }
}

#[test]
fn pages_under_way_are_limited_to_the_window() {
    let mut lab = Lab::with(0, |snapshot, us, _| {
        let feed = us.feed("public");
        (1..=400).for_each(|sequence| snapshot.record(&us.record(feed, sequence)));
        snapshot.cursor(feed, at(400));
    });
    let feed = lab.us.feed("public");
    lab.hear(&Message::Get { feed, after: Position::default() });
    for _ in 0..50 {
        for (op, entries) in lab.take(|effect| match effect {
            Effect::Load { op, query: crate::Query::Records { entries, .. }, .. } => Some((*op, entries.clone())),
            _ => None,
        }) {
            // Nothing that could be made smaller on the way.
            let part = |of: u64, n: u64| Sha256::digest([of.to_be_bytes(), n.to_be_bytes()].concat());
            let noise = |of: u64| (0..60).flat_map(|n| part(of, n)).collect::<Vec<u8>>();
            let record = |id: &Option<EntryId>| (1..=400).find(|sequence| Some(entry(*sequence)) == *id);
            let loaded = entries
                .iter()
                .filter_map(record)
                .map(|sequence| Some(lab.us.item(lab.us.record(feed, sequence), vec![noise(sequence)])));
            let items = loaded.collect();
            lab.tell(Event::Loaded { op, items });
        }
    }
    assert!(lab.sent_bytes <= WINDOW_BYTES, "{} bytes under way", lab.sent_bytes);
    assert!(lab.sent_bytes + 2 * PAGE_BYTES > WINDOW_BYTES, "as far as it goes: {} bytes", lab.sent_bytes);
    let before = lab.sent_bytes;
    let Some(Message::Page { upto, .. }) = lab.sent.iter().find(|message| matches!(message, Message::Page { .. }))
    else {
        panic!("a page was sent")
    };
    let ack = Message::Ack { feed, cursor: *upto, stored: *upto, offer: None };
    lab.hear(&ack);
    assert!(!lab.loads().is_empty(), "the next one, as soon as one is stored; {before} bytes went out before");
}

#[test]
fn a_record_longer_than_a_page_goes_without_its_changes() {
    for (over, expected) in [(0, PageKind::Last), (1, PageKind::Large)] {
        let mut lab = Lab::with(0, |snapshot, us, _| {
            snapshot.record(&us.record(us.feed("public"), 1));
            snapshot.cursor(us.feed("public"), at(1));
        });
        let feed = lab.us.feed("public");
        lab.hear(&Message::Get { feed, after: Position::default() });
        let record = lab.us.item(lab.us.record(feed, 1), Vec::new()).record.len();
        let chunk = piece(PAGE_RAW_BYTES_MAX - record + over);
        for op in lab.loads() {
            let item = lab.us.item(lab.us.record(feed, 1), vec![chunk.clone()]);
            lab.tell(Event::Loaded { op, items: vec![Some(item)] });
        }
        let kinds: Vec<_> = lab
            .sent
            .iter()
            .filter_map(|message| match message {
                Message::Page { kind, .. } => Some(*kind),
                _ => None,
            })
            .collect();
        assert_eq!(kinds.first(), Some(&expected), "{over} more: {kinds:?}");
    }
}

#[test]
fn an_own_checkpoint_is_due_after_so_long() {
    let mut lab = Lab::with(0, |snapshot, us, _| {
        let feed = us.feed("public");
        snapshot.record(&us.checkpoint(feed, 1));
        snapshot.cursor(feed, at(1));
    });
    let commits = |lab: &mut Lab| lab.take(|effect| matches!(effect, Effect::Commit { .. }).then_some(())).len();
    commits(&mut lab);
    lab.now = NOW + CHECKPOINT_MS - 1;
    lab.tell(Event::Wake);
    assert_eq!(commits(&mut lab), 0);
    lab.wait(1);
    lab.wait(10 * 60_000);
    assert_eq!(commits(&mut lab), 1, "looked at every ten minutes");
}
