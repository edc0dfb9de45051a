//! List items: their marker, and the same item with another number.

/// What stands before the content of a list item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Marker {
    /// `-`, `*`, `+`, or for numbers `.` and `)`.
    sign: u8,
    number: Option<u32>,
    /// Bytes up to the content, at least the marker and one space.
    width: usize,
}

impl Marker {
    /// Whether an item with this marker and a following one with the other belong to one list.
    pub(super) fn same_list(&self, other: &Self) -> bool {
        self.sign == other.sign
    }

    /// The marker of the next item.
    pub(super) fn next(&self) -> Self {
        Self::canonical(self.sign, self.number.map(|number| number.saturating_add(1)))
    }

    fn canonical(sign: u8, number: Option<u32>) -> Self {
        Self { sign, number, width: number.map_or(2, |number| number.to_string().len() + 2) }
    }

    fn write(&self, text: &mut String) {
        if let Some(number) = self.number {
            text.push_str(&number.to_string());
        }
        text.push(char::from(self.sign));
    }
}

/// The marker of a block that is a list item, without leading spaces.
pub(super) fn marker(block: &str) -> Option<Marker> {
    let bytes = block.as_bytes();
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let sign = *bytes.get(digits)?;
    let number = match (digits, sign) {
        (0, b'-' | b'*' | b'+') => None,
        (1..=9, b'.' | b')') => Some(block[..digits].parse().ok()?),
        _ => return None,
    };
    match bytes.get(digits + 1) {
        // `- - -` and `* * *` are rules.
        Some(b' ') if number.is_none() && is_rule(block) => None,
        Some(b' ') => Some(Marker { sign, number, width: digits + 2 }),
        Some(b'\n') | None => Some(Marker { sign, number, width: digits + 2 }),
        _ => None,
    }
}

fn is_rule(block: &str) -> bool {
    let first = block.as_bytes()[0];
    first != b'+' && !block.contains('\n') && block.bytes().all(|byte| byte == first || byte == b' ') && block.len() > 4
}

/// Writes the item with another marker, its content indented to fit.
pub(super) fn write_as(block: &str, marker: &Marker, text: &mut String) {
    let Some(old) = self::marker(block) else {
        text.push_str(block);
        return;
    };
    for (i, line) in block.split('\n').enumerate() {
        if i == 0 {
            marker.write(text);
            if let Some(content) = line.get(old.width..).filter(|content| !content.is_empty()) {
                text.push(' ');
                text.push_str(content);
            }
            continue;
        }
        text.push('\n');
        let indent = line.bytes().take(old.width).take_while(|byte| *byte == b' ').count();
        if indent == old.width && line.len() > indent {
            text.extend(std::iter::repeat_n(' ', marker.width));
        } else {
            // A lazy line, or an empty one.
            text.extend(std::iter::repeat_n(' ', indent));
        }
        text.push_str(&line[indent..]);
    }
}

/// Adds an item as the source has it to the blocks: without leading spaces, one space after the marker, numbered 1 unless
/// it is the first of its list.
pub(super) fn push_canonical(source: &str, blocks: &mut Vec<String>) {
    let source = source.trim_end();
    let indent = source.bytes().take_while(|byte| *byte == b' ').count();
    let Some((found, width)) = source_marker(&source[indent..]) else {
        blocks.push(source.to_owned());
        return;
    };
    let first = !blocks.last().and_then(|last| marker(last)).is_some_and(|last| last.same_list(&found));
    let canonical = Marker::canonical(found.sign, found.number.map(|number| if first { number } else { 1 }));
    let mut block = String::with_capacity(source.len());
    for (i, line) in source.split('\n').enumerate() {
        if i == 0 {
            canonical.write(&mut block);
            if let Some(content) = line.get(indent + width..).filter(|content| !content.is_empty()) {
                block.push(' ');
                block.push_str(content);
            }
            continue;
        }
        block.push('\n');
        let spaces = line.bytes().take(indent + width).take_while(|byte| *byte == b' ').count();
        if spaces == indent + width && line.len() > spaces {
            block.extend(std::iter::repeat_n(' ', canonical.width));
            block.push_str(&line[spaces..]);
        } else if !line.trim().is_empty() {
            block.push_str(line);
        }
    }
    blocks.push(block);
}

/// The marker and where the content begins, by the rules of CommonMark: one to four spaces after the marker belong to it,
/// with five or more the content begins after the first.
fn source_marker(source: &str) -> Option<(Marker, usize)> {
    let found = marker(source)?;
    let sign_end = found.width - 1;
    let spaces = source[sign_end..].bytes().take_while(|byte| *byte == b' ').count();
    let empty = source[sign_end + spaces..].starts_with('\n') || sign_end + spaces == source.len();
    let width = if empty || spaces > 4 { sign_end + 1 } else { sign_end + spaces };
    Some((found, width))
}
