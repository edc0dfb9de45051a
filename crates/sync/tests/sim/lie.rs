//! Lies: what a machine sends instead of what its engine meant.

use std::collections::BTreeMap;

use ortsnetz_model::Position;
use ortsnetz_sync::wire::{Held, Message};

use crate::machine::{Lie, Machine};

/// Every feed of others that a machine holds, further each time it is told.
fn boasts(machine: &mut Machine) -> Vec<Held> {
    // How often it did is counted where other lies keep their frames.
    machine.replay.push(Vec::new());
    let often = machine.replay.len() as u64;
    let mut foreign = BTreeMap::new();
    for ((feed, _), record) in
        machine.disk.records.iter().filter(|((feed, _), _)| feed.organisation != machine.organisation)
    {
        let (cursor, serial) = foreign.entry(*feed).or_insert((record.record().position, record.record().list_serial));
        *cursor = record.record().position.max(*cursor);
        *serial = record.record().list_serial.max(*serial);
    }
    let held = |(feed, (cursor, serial)): (_, (Position, u64))| {
        let sequence = cursor.sequence + often * 1000;
        Held { feed, cursor: Position { sequence, ..cursor }, serial }
    };
    foreign.into_iter().map(held).collect()
}

/// The frames that go out for one.
pub fn told(machine: &mut Machine, frame: Vec<u8>) -> Vec<Vec<u8>> {
    let Some(lie) = machine.lie.clone() else { return vec![frame] };
    let Ok(Some(message)) = Message::read(&frame) else { return vec![frame] };
    if lie == Lie::Boast && !matches!(message, Message::Hello { .. }) {
        let boast = Message::Have { feeds: boasts(machine), chains: Vec::new(), offer: None };
        return vec![boast.frame(1), frame];
    }
    let (feed, after, upto, mut items, kind, offer) = match message {
        Message::Page { feed, after, upto, items, kind, offer } => (feed, after, upto, items, kind, offer),
        // Not even when asked.
        Message::Changes { feed, entry, record, last, .. }
            if lie == Lie::Keep && feed.organisation != machine.organisation =>
        {
            return vec![Message::Changes { feed, entry, record, chunks: Vec::new(), last }.frame(1)];
        }
        _ => return vec![frame],
    };
    match lie {
        Lie::Boast => return vec![frame],
        Lie::Keep => {
            if feed.organisation == machine.organisation {
                return vec![frame];
            }
            for item in &mut items {
                let Some(mut whole) = item.clone().item() else { return vec![frame] };
                whole.chunks.clear();
                *item = ortsnetz_sync::wire::WireItem::new(&whole);
            }
        }
        Lie::Alter => {
            // In a page of somebody else's records: its own it could simply sign.
            let own = feed.organisation == machine.organisation;
            let Some(item) = items.first_mut().filter(|_| !own) else { return vec![frame] };
            let Some(mut whole) = item.clone().item() else { return vec![frame] };
            match whole.chunks.last_mut().and_then(|chunk| chunk.last_mut()) {
                Some(byte) => *byte ^= 1,
                None => {
                    let mut record = whole.record.to_vec();
                    if let Some(byte) = record.last_mut() {
                        *byte ^= 1;
                    }
                    whole.record = record.into();
                }
            }
            *item = ortsnetz_sync::wire::WireItem::new(&whole);
        }
        Lie::Withhold => {
            if feed.organisation == machine.organisation || items.len() < 2 {
                return vec![frame];
            }
            items.remove(0);
        }
        Lie::Replay => {
            machine.replay.push(frame.clone());
            let old = machine.replay[machine.replay.len() / 2].clone();
            return vec![old, frame];
        }
    }
    vec![Message::Page { feed, after, upto, items, kind, offer }.frame(1)]
}
