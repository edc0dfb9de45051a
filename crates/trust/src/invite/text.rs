//! How a token or an answer looks on paper, in a mail or as a QR code: a prefix that says what it is, then base32 of
//! version, length, content and 4 bytes of checksum. Capitals, hyphens and blanks do not matter, and the digits 0, 1 and 8
//! are read as the letters they look like.

use data_encoding::BASE32_NOPAD;
use ortsnetz_model::Hash;

use crate::limits::TOKEN_CHARS_MAX;

const VERSION: u8 = 1;
/// Version, two bytes of length.
const HEAD_BYTES: usize = 3;
const CHECKSUM_BYTES: usize = 4;

/// Why a text does not hold content behind this prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TextError {
    /// Something else altogether.
    Foreign,
    /// The end is missing.
    Truncated {
        /// Characters that are there.
        found: usize,
        /// Characters that should be there.
        expected: usize,
    },
    /// A character changed, or something was added.
    Damaged,
    /// Made by a newer version.
    Version(u8),
    /// More content than a text may have.
    TooLong(String),
}

/// The content as text: capitals and digits only, one word.
pub(super) fn write(prefix: &str, content: &[u8]) -> Result<String, TextError> {
    let length = u16::try_from(content.len()).map_err(|_| TextError::TooLong("it is too long".into()))?;
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(content);
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum);
    let text = format!("{prefix}{}", BASE32_NOPAD.encode(&bytes));
    if text.len() > TOKEN_CHARS_MAX {
        return Err(TextError::TooLong(format!("{} characters, allowed are {TOKEN_CHARS_MAX}", text.len())));
    }
    Ok(text)
}

/// The content of a text with this prefix.
pub(super) fn read(prefix: &str, text: &str) -> Result<Vec<u8>, TextError> {
    let text = plain(text);
    if text.len() > TOKEN_CHARS_MAX {
        return Err(TextError::Foreign);
    }
    let Some(coded) = text.strip_prefix(prefix) else {
        let cut = !text.is_empty() && prefix.starts_with(&text);
        let expected = prefix.len() + 1;
        return Err(if cut { TextError::Truncated { found: text.len(), expected } } else { TextError::Foreign });
    };
    let coded = coded.replace('0', "O").replace('1', "I").replace('8', "B");
    // Five bytes are eight characters, enough to learn the length.
    let Some(first) = coded.get(..8) else {
        return Err(TextError::Truncated { found: text.len(), expected: prefix.len() + 8 });
    };
    let head = BASE32_NOPAD.decode(first.as_bytes()).map_err(|_| TextError::Damaged)?;
    if head[0] != VERSION {
        return Err(TextError::Version(head[0]));
    }
    let length = usize::from(u16::from_be_bytes([head[1], head[2]]));
    let expected = BASE32_NOPAD.encode_len(HEAD_BYTES + length + CHECKSUM_BYTES);
    if coded.len() < expected {
        return Err(TextError::Truncated { found: text.len(), expected: prefix.len() + expected });
    }
    let bytes = BASE32_NOPAD.decode(coded.as_bytes()).map_err(|_| TextError::Damaged)?;
    let (content, sum) = bytes.split_at_checked(HEAD_BYTES + length).ok_or(TextError::Damaged)?;
    if sum != checksum(content) {
        return Err(TextError::Damaged);
    }
    Ok(content[HEAD_BYTES..].to_vec())
}

/// Whether a text begins with this prefix.
pub(super) fn has_prefix(prefix: &str, text: &str) -> bool {
    plain(text).starts_with(prefix)
}

/// Without what does not matter; not much longer than a text may be, however long the original is.
fn plain(text: &str) -> String {
    let kept = text.chars().filter(|c| !c.is_whitespace() && *c != '-').take(TOKEN_CHARS_MAX + 1);
    kept.map(|c| c.to_ascii_uppercase()).collect()
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let hash = Hash::of(bytes).0;
    [hash[0], hash[1], hash[2], hash[3]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_limited_in_both_directions() {
        let prefix = "ORTSNETZ";
        // The longest content whose text is not too long.
        let fits = (0..TOKEN_CHARS_MAX).rev().find(|bytes| write(prefix, &vec![7; *bytes]).is_ok());
        let content = vec![7; fits.expect("a short one fits")];
        let text = write(prefix, &content).unwrap_or_else(|_| panic!("it fits"));
        assert!(text.len() <= TOKEN_CHARS_MAX && text.len() + 2 > TOKEN_CHARS_MAX, "{}", text.len());
        assert!(read(prefix, &text).is_ok_and(|back| back == content));
        assert!(matches!(write(prefix, &vec![7; content.len() + 1]), Err(TextError::TooLong(_))));
        let over = format!("{prefix}{}", "A".repeat(TOKEN_CHARS_MAX - prefix.len() + 1));
        assert!(matches!(read(prefix, &over), Err(TextError::Foreign)));
    }
}
