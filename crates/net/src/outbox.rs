//! What waits to be sent to one peer: two bounded queues, control before bulk.

use std::collections::VecDeque;

use crate::config::Limits;
use crate::frame::{FrameWriter, GATHER_BYTES};
use crate::handle::Priority;

/// The send queues of one connection.
pub(crate) struct Outbox {
    control: Queue,
    bulk: Queue,
    /// A send was refused; the owner waits for room.
    refused: bool,
}

impl Outbox {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            control: Queue::new(limits.control_frames_max, limits.control_bytes_max),
            bulk: Queue::new(limits.bulk_frames_max, limits.bulk_bytes_max),
            refused: false,
        }
    }

    /// Queues a frame, or gives it back if its queue is full.
    pub(crate) fn push(&mut self, frame: Vec<u8>, priority: Priority) -> Result<(), Vec<u8>> {
        let queue = match priority {
            Priority::Control => &mut self.control,
            Priority::Bulk => &mut self.bulk,
        };
        queue.push(frame).inspect_err(|_| self.refused = true)
    }

    /// Moves frames to the writer until it has enough for one go; returns how many.
    pub(crate) fn gather(&mut self, writer: &mut FrameWriter) -> u64 {
        let mut moved = 0;
        while writer.pending() < GATHER_BYTES {
            let Some(frame) = self.control.pop().or_else(|| self.bulk.pop()) else { break };
            writer.push(&frame);
            moved += 1;
        }
        moved
    }

    /// True once after a refused push, as soon as both queues are at most half full.
    pub(crate) fn take_writable(&mut self) -> bool {
        let writable = self.refused && self.control.is_half_free() && self.bulk.is_half_free();
        if writable {
            self.refused = false;
        }
        writable
    }
}

struct Queue {
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
    frames_max: usize,
    bytes_max: usize,
}

impl Queue {
    fn new(frames_max: usize, bytes_max: usize) -> Self {
        Self { frames: VecDeque::new(), bytes: 0, frames_max, bytes_max }
    }

    fn push(&mut self, frame: Vec<u8>) -> Result<(), Vec<u8>> {
        // One frame always fits, or a limit below the longest frame would block for ever.
        let fits = self.frames.len() < self.frames_max && self.bytes.saturating_add(frame.len()) <= self.bytes_max;
        if !fits && !self.frames.is_empty() {
            return Err(frame);
        }
        self.bytes += frame.len();
        self.frames.push_back(frame);
        Ok(())
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.len();
        Some(frame)
    }

    fn is_half_free(&self) -> bool {
        self.frames.len() <= self.frames_max / 2 && self.bytes <= self.bytes_max / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(frames: usize, bytes: usize) -> Outbox {
        Outbox::new(&Limits {
            control_frames_max: frames,
            control_bytes_max: bytes,
            bulk_frames_max: frames,
            bulk_bytes_max: bytes,
            ..Limits::default()
        })
    }

    #[test]
    fn control_goes_first() {
        let mut outbox = outbox(10, 1000);
        outbox.push(vec![1], Priority::Bulk).unwrap();
        outbox.push(vec![2], Priority::Control).unwrap();
        outbox.push(vec![3], Priority::Control).unwrap();
        let order: Vec<_> = std::iter::from_fn(|| outbox.control.pop().or_else(|| outbox.bulk.pop())).collect();
        assert_eq!(order, [[2], [3], [1]]);
    }

    #[test]
    fn frames_at_the_limit_fit_and_one_more_does_not() {
        let mut outbox = outbox(2, 1000);
        outbox.push(vec![1], Priority::Bulk).unwrap();
        outbox.push(vec![2], Priority::Bulk).unwrap();
        assert_eq!(outbox.push(vec![3], Priority::Bulk), Err(vec![3]));
        outbox.push(vec![4], Priority::Control).unwrap();
    }

    #[test]
    fn bytes_at_the_limit_fit_and_one_more_does_not() {
        let mut outbox = outbox(100, 1000);
        outbox.push(vec![0; 600], Priority::Control).unwrap();
        outbox.push(vec![0; 400], Priority::Control).unwrap();
        assert!(outbox.push(vec![0], Priority::Control).is_err());
    }

    #[test]
    fn a_single_frame_above_the_byte_limit_still_fits() {
        outbox(4, 10).push(vec![0; 50], Priority::Bulk).unwrap();
    }

    #[test]
    fn writable_comes_once_after_a_refusal_and_half_of_the_room() {
        let mut outbox = outbox(4, 1 << 30);
        for _ in 0..4 {
            outbox.push(vec![0; GATHER_BYTES], Priority::Bulk).unwrap();
        }
        assert!(!outbox.take_writable());
        assert!(outbox.push(vec![0], Priority::Bulk).is_err());
        outbox.gather(&mut FrameWriter::default());
        assert!(!outbox.take_writable(), "three of four still wait");
        outbox.gather(&mut FrameWriter::default());
        assert!(outbox.take_writable());
        assert!(!outbox.take_writable());
    }
}
