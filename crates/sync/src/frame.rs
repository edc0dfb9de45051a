//! A frame is one byte that names the packing, then the body: plain, or zstd where that is shorter. What comes from a
//! peer inflates into a bounded buffer.

use std::io::Write as _;

use crate::limits::{FRAME_BYTES_MAX, INFLATED_BYTES_MAX};

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
/// Shorter bodies are not worth a try.
const PACK_FROM_BYTES: usize = 160;

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than [`FRAME_BYTES_MAX`].
    #[error("a frame of {0} bytes, at most {FRAME_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// Inflates to more than [`INFLATED_BYTES_MAX`] or is not zstd.
    #[error("a frame that does not inflate to at most {INFLATED_BYTES_MAX} bytes")]
    Inflate,
    /// No byte, or an unknown packing.
    #[error("a frame of an unknown packing")]
    Packing,
}

/// Packs a body, given in parts that have little in common, with this zstd level. The result may be longer than
/// [`FRAME_BYTES_MAX`] if the body is.
pub(crate) fn pack(parts: &[&[u8]], level: i32) -> Vec<u8> {
    let bytes = parts.iter().map(|part| part.len()).sum();
    if bytes >= PACK_FROM_BYTES
        && let Ok(packed) = deflate(parts, bytes, level)
        && packed.len() <= bytes
    {
        return packed;
    }
    let mut plain = Vec::with_capacity(1 + bytes);
    plain.push(PLAIN);
    parts.iter().for_each(|part| plain.extend_from_slice(part));
    plain
}

/// One zstd frame behind the byte that says so. Each part begins a block, so that each has its own statistics.
fn deflate(parts: &[&[u8]], bytes: usize, level: i32) -> std::io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(vec![ZSTD], level)?;
    encoder.set_pledged_src_size(Some(bytes as u64))?;
    for part in parts.iter().filter(|part| !part.is_empty()) {
        encoder.flush()?;
        encoder.write_all(part)?;
    }
    encoder.finish()
}

/// The body of a frame from a peer.
pub(crate) fn unpack(frame: &[u8]) -> Result<Vec<u8>, FrameError> {
    if frame.len() > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong(frame.len()));
    }
    match frame.split_first() {
        Some((&PLAIN, body)) => Ok(body.to_vec()),
        Some((&ZSTD, body)) => inflate(body),
        _ => Err(FrameError::Packing),
    }
}

fn inflate(body: &[u8]) -> Result<Vec<u8>, FrameError> {
    // The size written in the header is a claim of the peer: it may shrink the buffer, never grow it.
    let claimed = zstd::zstd_safe::get_frame_content_size(body).ok().flatten();
    let capacity = match claimed {
        Some(bytes) if bytes <= INFLATED_BYTES_MAX as u64 => bytes as usize,
        Some(_) => return Err(FrameError::Inflate),
        None => INFLATED_BYTES_MAX,
    };
    zstd::bulk::decompress(body, capacity).map_err(|_| FrameError::Inflate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back() {
        for body in [vec![], vec![7], b"Gewerbe".repeat(100), vec![0; INFLATED_BYTES_MAX]] {
            assert_eq!(unpack(&pack(&[&body], 3)), Ok(body));
        }
    }

    #[test]
    fn parts_come_back_as_one_body() {
        let (noise, text): (Vec<u8>, _) = ((0..=255).collect(), b"Gewerbe anmelden".repeat(50));
        for parts in [[noise.as_slice(), &text], [&[], &text], [&noise, &[]], [b"a", b"b"]] {
            assert_eq!(unpack(&pack(&parts, 3)), Ok(parts.concat()));
        }
    }

    #[test]
    fn a_bomb_is_refused() {
        let bomb = pack(&[&vec![0; INFLATED_BYTES_MAX + 1]], 3);
        assert!(bomb.len() < 1000);
        assert_eq!(unpack(&bomb), Err(FrameError::Inflate));
    }

    #[test]
    fn length_is_limited() {
        assert!(unpack(&[0; FRAME_BYTES_MAX]).is_ok());
        assert_eq!(unpack(&[0; FRAME_BYTES_MAX + 1]), Err(FrameError::TooLong(FRAME_BYTES_MAX + 1)));
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(unpack(&[]), Err(FrameError::Packing));
        assert_eq!(unpack(&[9, 1]), Err(FrameError::Packing));
        assert_eq!(unpack(&[1, 1, 2, 3]), Err(FrameError::Inflate));
    }
}
